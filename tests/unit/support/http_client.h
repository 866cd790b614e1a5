/*
 * Asks over a transport as a driver does, and waits for the end: for tests of transports and servers. Real time; a watchdog ends the
 * process when something hangs.
 */
#ifndef AIO_TESTS_HTTP_CLIENT_H
#define AIO_TESTS_HTTP_CLIENT_H

#include "net/http.h"

typedef struct http_ask {
  const char *method, *url, *body; /* method NULL: POST with a body, GET without */
  size_t body_len;                 /* 0: strlen */
  const char *key;                 /* sent as Authorization: Bearer, secret; NULL: none */
  aio__wire_framing framing;
  int64_t deadline_ms;             /* 0: 10 s */
  aio__exchange_limits limits;     /* deadline_ns is filled in */
  size_t stop_after;               /* drops when that many bytes of the body have come; 0: never */
} http_ask;

typedef struct http_answer {
  aiorch_status started, status; /* of start; of state, AIORCH_PENDING when dropped */
  int32_t http_status;
  bool sent;
  int64_t took_ns, late_ns;      /* late: behind the deadline; below 0: before it */
  aio__buf body, headers;        /* headers: "name: value\n" */
  aio__wire_error error;
  char start_message[512];
} http_answer;

/* The process ends with words when it is not called again, or called off by 0, within `seconds`. */
void http_watchdog(unsigned seconds);
/* The proxy variables of whoever runs the tests are none of theirs. */
void http_forget_proxies(void);
aio__transport *http_open_plain(const aio__alloc *al); /* defaults; ends the program when it cannot be opened */
/* Starts only; the wire request is gone afterwards. */
aiorch_status http_start(aio__transport *transport, const aio__alloc *al, const http_ask *ask, aio__waker *waker, aio__exchange **out,
                         aiorch_error *error);
void http_answer_init(http_answer *answer);
void http_answer_free(http_answer *answer);
/* Starts, reads all of it and drops. */
void http_do(aio__transport *transport, const aio__alloc *al, const http_ask *ask, http_answer *answer);
size_t http_open_descriptors(void); /* of this process */

#endif
