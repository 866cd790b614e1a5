/*
 * Carries one HTTP request there and what comes back here: the only way out of the library. Two implementations: http.c (libcurl, on
 * the I/O thread of the handle) and, for tests, a scripted one in virtual time (tests/unit/support). Whoever uses one cannot tell.
 *
 *   transport->start(transport, &wire, &limits, waker, &exchange, error);
 *   ... the waker is signalled whenever there is something new; then, on the driver's thread:
 *   transport->head(exchange)                 NULL until status and headers have come
 *   transport->take(exchange, &body)          the bytes of the body that came since
 *                                             (their head may have come after it was looked for: look again)
 *   transport->state(exchange, &wire_error)   AIORCH_PENDING, AIORCH_OK (the body has ended cleanly and was taken), or how it failed
 *   transport->drop(exchange);                at any time, exactly once; closes what is still open within 50 ms and never waits
 *
 * Bytes wait for the driver in a buffer of `buffer_max`: is it full, the transfer pauses, and nothing else does. What came before a
 * failure can still be taken: `state` reports an end only when `take` has emptied the buffer.
 *
 * An HTTP status is no failure here: 503 with its body is a reply like any other (providers/codec.h judges it). A redirect is none
 * either: it is never followed.
 */
#ifndef AIO_NET_TRANSPORT_H
#define AIO_NET_TRANSPORT_H

#include "core/call.h"
#include "net/wire.h"

typedef struct aio__exchange aio__exchange;
typedef struct aio__transport aio__transport;

/* All measured on the transport's own clock, all below `deadline_ns`; 0: no limit of its own. */
typedef struct aio__exchange_limits {
  int64_t deadline_ns;   /* the exchange is over by then, whatever happens */
  int64_t connect_ms;    /* name, TCP and TLS, from the time that its turn has come (http.connections_max) */
  int64_t first_byte_ms; /* from the last byte of the request until the head has come */
  bool company;          /* others are about to be started, and whoever starts them wakes the I/O thread (aio__io_wake): this one may
                            wait for them */
  int64_t idle_ms;       /* between two pieces of the body, or of the request that is taken; a paused transfer is not idle */
  size_t response_max;   /* bytes of the body, unpacked; at most SIZE_MAX / 2 */
  size_t buffer_max;     /* bytes that wait for the driver before the transfer pauses; what one read brings comes on top, and what
                            shares its connection with others (HTTP/2) does not pause: there response_max is the bound */
} aio__exchange_limits;

enum {
  AIO__EXCHANGE_BUFFER_MAX = 64 << 10,  /* default of buffer_max */
  AIO__EXCHANGE_HEAD_MAX = 64 << 10,    /* bytes of status lines, headers and trailers, all told */
  AIO__EXCHANGE_HEADERS_MAX = 256
};

struct aio__transport {
  /*
   * Copies what it needs of `request`: it may be freed at once. Nothing is sent before this returns AIORCH_OK.
   * AIORCH_E_NOMEM, AIORCH_E_CONFIG (a URL or header that cannot be sent), AIORCH_E_SYSTEM (no thread, no descriptor),
   * AIORCH_E_CLOSED.
   */
  aiorch_status (*start)(aio__transport *transport, const aio__wire_request *request, const aio__exchange_limits *limits,
                         aio__waker *waker, aio__exchange **out, aiorch_error *error);
  /* Valid until the drop. Names of headers as they came, values trimmed. */
  const aio__wire_reply *(*head)(aio__exchange *exchange);
  /* Appends; the failure of `into`. */
  aiorch_status (*take)(aio__exchange *exchange, aio__buf *into);
  /*
   * AIORCH_PENDING; AIORCH_OK; else `error` says how it failed, with its HTTP status when one had come:
   *   AIORCH_E_NETWORK    no connection, a certificate or host that is not the one, a connection that broke, an end before the end
   *                       of the body; connect_ms, first_byte_ms, idle_ms: the message names which
   *   AIORCH_E_DEADLINE   deadline_ns
   *   AIORCH_E_TOO_LARGE  response_max, or the head
   *   AIORCH_E_RESPONSE   it is no HTTP, or its compression is broken
   *   AIORCH_E_CLOSED     the transport was closed meanwhile
   *   AIORCH_E_NOMEM
   */
  aiorch_status (*state)(aio__exchange *exchange, aio__wire_error *error);
  /* Takes NULL. */
  void (*drop)(aio__exchange *exchange);
  /* Ends what is out with AIORCH_E_CLOSED and joins the thread. Whoever still has an exchange may look at it, take what came, and
   * must drop it. In a forked child it frees nothing and closes nothing. */
  void (*close)(aio__transport *transport);
  /* May a byte of the request have left? False as long as there is no connection, and after a failure before there was one: then it
   * cannot have cost anything, and nobody has seen it. */
  bool (*sent)(aio__exchange *exchange);
};

#endif
