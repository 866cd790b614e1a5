/*
 * The table of what is served: method and path, who may, how large, and how it is answered.
 */
#ifndef ENDPOINTS_H
#define ENDPOINTS_H

#include "client_wire.h"

struct server;

typedef enum endpoint_kind {
  ENDPOINT_ANSWER, /* a run: `wire` says how it is read and written */
  ENDPOINT_WORKER, /* `serve` on a worker thread: it may wait */
  ENDPOINT_LOOKUP, /* likewise, and counts as a run of its user's where server.limit_search says so */
  ENDPOINT_CHANGE, /* likewise, where server.limit_documents says so */
  ENDPOINT_INLINE  /* `serve` on the loop's thread: it never waits */
} endpoint_kind;

enum { ENDPOINT_PARTS_MAX = 2, ENDPOINT_PART_MAX = 1024 };

/* What `serve` is given, and what it fills. */
typedef struct endpoint_call {
  struct server *server;        /* ENDPOINT_INLINE alone, but for server_trouble */
  aiorch_status store_failed;   /* of the last run, not long ago: what the store said; AIORCH_OK when all is well */
  aiorch *orch;                 /* lent until `serve` returns */
  const struct model_catalog *models; /* of `orch`; lent likewise */
  const caller *who;
  const http_request *request;
  const char *body;
  size_t body_len;
  char parts[ENDPOINT_PARTS_MAX][ENDPOINT_PART_MAX + 1]; /* what stands in the path for each {name}, decoded */
  int status;                   /* 200 when `serve` is called */
  const char *content_type;     /* static; "application/json" when `serve` is called */
  cli_bytes out;
  http_headers headers;
  const char *counted_as;       /* it is to be admitted by the limits of its user, and has this name in its row; NULL: it is not */
  rate_left left;               /* for the answer's headers */
  const struct wire *wire;      /* whose shape problems have; NULL: OpenAI's */
} endpoint_call;

/* endpoint_admission.c: of a request that is good, before the work. False after a problem was made of what the limits said. */
bool endpoint_admitted(endpoint_call *call);
/* The same for work that a service is paid for: *run, which may be NULL, is to be settled afterwards, whatever came of it. */
bool endpoint_admit(endpoint_call *call, aiorch_run **run);
/* Writes the row of `tokens` that the service was paid for: a budget knows of them then. provider NULL: of nobody, and no tokens. Frees the run.
 * False after a problem was made of it: a row that cannot be written. */
bool endpoint_settle(endpoint_call *call, aiorch_run *run, const char *provider, const char *model, int64_t tokens);
/* Makes an error body of it, in OpenAI's shape or that of the call's wire, with Retry-After where it is known. */
void endpoint_problem(endpoint_call *call, const http_problem *why);

typedef struct endpoint {
  const char *method, *path;    /* "/v1/documents/{id}" */
  endpoint_kind kind;
  bool open;                    /* for everybody: nobody is asked who they are */
  size_t body_max;              /* 0: server.body_max_bytes; 1: none */
  const wire *wire;
  void (*serve)(endpoint_call *call);
} endpoint;

/* The endpoint, and its parts when `parts` is not NULL. NULL after `why` says 404, or 405 (`allow` then has the methods). */
const endpoint *endpoint_find(const char *method, const char *path, char parts[ENDPOINT_PARTS_MAX][ENDPOINT_PART_MAX + 1],
                              char allow[64], http_problem *why);
/* The one at `index` of the table, NULL past the last. */
const endpoint *endpoint_at(size_t index);

#endif
