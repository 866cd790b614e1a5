/*
 * How one family of clients says what it wants and hears what it gets. Pure: bytes and runs in, bytes out; no sockets, no waiting.
 */
#ifndef CLIENT_WIRE_H
#define CLIENT_WIRE_H

#include "http_front.h"
#include "identity.h"

/* One request for an answer. */
typedef struct exchange {
  aiorch *orch;                /* lent */
  const struct model_catalog *models; /* of `orch`; lent */
  const caller *who;
  const http_request *request;
  bool streamed;               /* set by begin */
  bool started;                /* the head of the stream is on its way: a problem is an event in it */
  aiorch_run *run;             /* made by begin, owned by the exchange */
  cli_bytes out;               /* bytes for the client; the front takes and empties it */
  http_headers headers;        /* more of them for the answer's head, beside those that every answer has */
  cli_list warnings;           /* of the run, whole or streamed, and of the request (making_note); exchange_aiorch_members tells them */
  void *state;                 /* the wire's own, freed by end */
} exchange;

typedef struct wire {
  const char *content_type_streamed;                            /* "text/event-stream" */
  /* Body to run (made, filled, not submitted). False: `why` has status, code, param, words. */
  bool (*begin)(exchange *x, const char *body, size_t len, http_problem *why);
  /* Streamed, by exchange_event: what the client gets for it, appended to out. */
  void (*delta)(exchange *x, const char *text, size_t len);     /* never empty */
  void (*tool_call)(exchange *x, size_t index);                 /* NULL: it does not get them */
  void (*finish)(exchange *x);                                  /* the run has ended well; when it has not, problem is called in its place */
  void (*whole)(exchange *x);                                   /* the run has ended well, not streamed: the body, to out */
  void (*problem)(exchange *x, const http_problem *why);        /* the error's body, or with `started` the event in the stream */
  void (*heartbeat)(exchange *x);                               /* a comment of SSE */
  void (*end)(exchange *x);                                     /* frees state; called once, also after a begin that failed */
} wire;

extern const wire wire_ask; /* POST /ask */
extern const wire wire_openai_chat; /* POST /v1/chat/completions */
extern const wire wire_anthropic_messages; /* POST /v1/messages */

enum { EXCHANGE_WARNINGS_MAX = 64 };

/* What becomes of an event: a warning is kept for the `aiorch` object, also of an answer that is not streamed; of a stream the wire is told
 * the rest. */
void exchange_event(exchange *x, const wire *w, const aiorch_event *event);

/* ---- what several wires do: the head of a run, messages about it ---- */

/* aiorch_run_new for the caller. */
bool exchange_run_new(exchange *x, http_problem *why);
/* A call on x->run that failed: its words, with `param` as the member that it is about. Always false. */
bool exchange_refused(exchange *x, aiorch_status status, const char *param, http_problem *why);
/* "event: NAME\ndata: JSON\n\n"; without a name when NULL. */
void sse_event(cli_bytes *out, const char *name, const char *json, size_t len);
/* "hit", "near", "miss" or "off". */
const char *exchange_cache(const exchange *x);
/* What it has cost as a decimal number of US dollars; false when that is not known. */
bool exchange_cost(const exchange *x, char out[40]);
/* The members of our `aiorch` object, without its braces: run_id, provider, model, cache, cost_usd, sources, warnings, ... */
void exchange_aiorch_members(const exchange *x, json_print *p);
/* "warnings", when there are any. */
void exchange_warnings_member(const cli_list *warnings, json_print *p);
/* A tool's arguments as an object. Models write what they like, and may be cut off in it: what is none stands in one, under the name that
 * Anthropic gives it, {"INVALID_JSON": "..."}; false then. */
bool exchange_arguments(json_print *p, const char *text, size_t len);

#endif
