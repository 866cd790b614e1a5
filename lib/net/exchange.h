/*
 * One exchange of the HTTP transport without the HTTP: what its driver and the I/O thread share, the copy of the request, the head as
 * it comes, the body that waits, the limits of time. No library is known here, so that all of it is tested without a socket.
 *
 * The driver calls what transport.h declares (head, take, state). Everything else is the I/O thread's. `mutex` guards what both
 * touch; refs: one is the driver's, one the transport's.
 */
#ifndef AIO_NET_EXCHANGE_H
#define AIO_NET_EXCHANGE_H

#include "net/io_thread.h"
#include "net/transport.h"

enum { AIO__EXCHANGE_TRANSPORT_LINES = 2 }; /* headers that the transport says by itself */

/* The copy of a request, in one block. All but the body is wiped before it is freed, since keys are in it. */
typedef struct aio__exchange_request {
  size_t wiped;            /* bytes of the block up to the body, which is its end */
  const char *url, *method;
  aio__str origin, host;   /* "https://host:port", "host:port" */
  const char *body;
  size_t body_len;
  char **lines;            /* "Name: value", as libcurl wants them; NULL at the end */
  size_t line_count;
  void *nodes;             /* room for line_count and AIO__EXCHANGE_TRANSPORT_LINES list nodes of two pointers each, for http.c */
  bool says_agent, says_encoding; /* a User-Agent is among the lines, an Accept-Encoding */
  aio__str secret;         /* the longest of the secret values, without what stands before its last space */
  bool https, stream;
} aio__exchange_request;

/* AIORCH_E_NOMEM; AIORCH_E_CONFIG: a URL without http(s) and host, or a header that is the transport's own matter. */
aiorch_status aio__exchange_copy_request(const aio__alloc *al, const aio__wire_request *wire, aio__exchange_request **out,
                                         aiorch_error *error);
void aio__exchange_free_request(const aio__alloc *al, aio__exchange_request *request); /* takes NULL */

typedef enum aio__exchange_phase {
  AIO__EXCHANGE_WAITING,    /* for its turn */
  AIO__EXCHANGE_CONNECTING, /* name, TCP, TLS */
  AIO__EXCHANGE_SENDING,
  AIO__EXCHANGE_AWAITING,   /* the head */
  AIO__EXCHANGE_READING,
  AIO__EXCHANGE_ENDED
} aio__exchange_phase;

typedef struct aio__http_host aio__http_host;
typedef struct aio__http aio__http;

struct aio__exchange {
  atomic_int refs;
  const aio__alloc *al;
  const aio__clock *clock;
  aio__http *http;
  aio__waker *waker;
  aio__exchange_limits limits;

  pthread_mutex_t mutex; /* guards all up to `outcome`; what is atomic is also read without it */
  aio__buf body;
  atomic_size_t waiting; /* bytes in it */
  atomic_bool has_head, ended, paused;
  bool dropped;
  bool poked; /* the task is posted */
  atomic_bool connected; /* bytes may have left */
  aio__wire_error outcome;

  /* The I/O thread's; what of the head is the driver's, too, does not change any more when has_head is set. */
  aio__io_task poke;
  bool entered;
  bool multiplexed, packed; /* of the reply */
  aio__io_timer timer;
  aio__exchange_request *request;
  void *easy;
  const char *through; /* words for the proxy that it goes through, the transport's; NULL: none */
  aio__exchange_phase phase;
  int64_t turn_ns, sent_ns, last_ns; /* its turn came; the request was sent; something moved */
  size_t uploaded, head_bytes, body_bytes;
  aio__buf head;
  aio__wire_header *headers;
  aio__wire_reply reply;
  aiorch_status failed; /* found in a callback of libcurl: AIORCH_OK, _TOO_LARGE, _NOMEM, _RESPONSE, _NETWORK */
  const char *why;
  bool changed;             /* in the list of those whose driver is to be told */
  aio__exchange *next_changed;
  aio__exchange *next, *before; /* all that are out */
  /* http_queue.c */
  aio__http_host *turn_host;
  aio__exchange *turn_next;
  bool turn_active, turn_connected;
};

/* Takes `request` over, also when it fails; retains the waker. AIORCH_E_NOMEM. */
aiorch_status aio__exchange_new(const aio__alloc *al, const aio__clock *clock, aio__exchange_request *request,
                                const aio__exchange_limits *limits, aio__waker *waker, aio__exchange **out);
void aio__exchange_release(aio__exchange *exchange);

/* The driver's. */
const aio__wire_reply *aio__exchange_head(aio__exchange *exchange);
aiorch_status aio__exchange_take(aio__exchange *exchange, aio__buf *into);
aiorch_status aio__exchange_state(aio__exchange *exchange, aio__wire_error *error);
bool aio__exchange_sent(aio__exchange *exchange);

/* A line of the head or of the trailer, with its line end. False: it has failed, `failed` says how. */
bool aio__exchange_add_line(aio__exchange *exchange, aio__str line);
/* Bytes of the body, unpacked. False as above. */
bool aio__exchange_add_body(aio__exchange *exchange, aio__str bytes);
/* Is its buffer full? Then it counts as paused from now on. */
bool aio__exchange_pauses(aio__exchange *exchange);
/* Was it paused, and is there room again? Then it is not paused any more. */
bool aio__exchange_resumes(aio__exchange *exchange);
bool aio__exchange_is_dropped(aio__exchange *exchange);
/* The request is on its way over a connection. */
void aio__exchange_connected(aio__exchange *exchange);

/* The limit that comes next; AIO__NEVER: none. */
int64_t aio__exchange_due(const aio__exchange *exchange);
/* Is a limit passed? The outcome is then set, as by aio__exchange_end. */
bool aio__exchange_overdue(aio__exchange *exchange);
/* It has ended: AIORCH_OK or how it failed, with words behind the host's name. The driver is not told yet. Once. */
void aio__exchange_end(aio__exchange *exchange, aiorch_status status, const char *words);

#endif
