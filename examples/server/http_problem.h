/*
 * What is wrong with a request, before it is put into the words of one family of clients.
 */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "cli.h"

typedef struct http_problem {
  int status;             /* of HTTP */
  const char *type;       /* OpenAI's error.type: "invalid_request_error", "rate_limit_error", ... */
  const char *code;       /* "invalid_api_key", ...; NULL writes null */
  const char *param;      /* the member of the body that is wrong; NULL writes null */
  char message[512];
  char own[256];          /* of what is wrong with this machine: the words for who runs it, which callers are not told; else empty */
  int64_t retry_after_ms; /* below 0: not known */
} http_problem;

/* Fills all of it; always false, so that a function can return it. `code` and `param` are static texts, or NULL. */
bool http_problem_set(http_problem *why, int status, const char *code, const char *param, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* What the library says: HTTP status, words, when to come back. */
bool http_problem_of(http_problem *why, aiorch_status status, const aiorch_error *error);
/* The store failed, in whatever way. */
bool http_problem_of_store(aiorch_status status);
/* The body that OpenAI's clients understand: {"error": {"message", "type", "param", "code"}}. */
void http_problem_json(const http_problem *why, cli_bytes *out);
/* The type that OpenAI has for an HTTP status. */
const char *http_problem_type(int status);

#endif
