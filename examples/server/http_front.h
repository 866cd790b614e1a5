/*
 * The HTTP side of the server: connections, heads, bodies and their limits, answers whole and streamed. What a request means is its host's
 * matter (http_host). Everything here happens on the one thread of the loop, but for request_header and its like, which any thread may
 * call while the request is under way.
 */
#ifndef HTTP_FRONT_H
#define HTTP_FRONT_H

#include "cli.h"

#include "http_problem.h"

enum { HTTP_ID_MAX = 128, HTTP_ADDRESS_MAX = 64, HTTP_METHOD_MAX = 16 };

/* ---- what was asked ---- */
typedef struct http_request {
  char method[HTTP_METHOD_MAX];
  const char *path;               /* as it came, percent signs and all, without the query; visible ASCII that begins with '/' */
  char address[HTTP_ADDRESS_MAX]; /* of the peer, without its port: what is at the other end of the socket, never a header */
  char id[HTTP_ID_MAX + 1];       /* x-request-id: the client's when it is 1 to 128 of [A-Za-z0-9._-], else ours */
  bool tls;
  int64_t begun_us;               /* when its head was whole, on the clock of cli_mono_us */
  /* How values are looked up; tests put their own here. NULL when there is none of this name; names of headers in any case. */
  const char *(*find_header)(const struct http_request *request, const char *name);
  const char *(*find_query)(const struct http_request *request, const char *name);
  const void *carrier;
} http_request;

/* The value of a header, NULL when it was not sent. No header comes twice: such a request is refused, but for those that lists allow. */
static inline const char *request_header(const http_request *request, const char *name) {
  return request->find_header ? request->find_header(request, name) : NULL;
}
/* The decoded value of a parameter of the query. */
static inline const char *request_query(const http_request *request, const char *name) {
  return request->find_query ? request->find_query(request, name) : NULL;
}

/* ---- headers of an answer ---- */
typedef struct http_headers {
  cli_bytes lines; /* name NUL value NUL ... */
} http_headers;
/* A value with control characters is left out: nobody splits an answer. The second of a name takes the place of the first. */
void headers_set(http_headers *headers, const char *name, const char *value);
void headers_setf(http_headers *headers, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void headers_seti(http_headers *headers, const char *name, int64_t value);
/* Calls `each` with every header in its order. */
void headers_each(const http_headers *headers, void (*each)(void *context, const char *name, const char *value), void *context);
void headers_free(http_headers *headers);

/* ---- a request under way, and its answer ---- */
typedef struct http_call {
  http_request request;
  const char *body; /* whole, when http_host.request is called; NUL-terminated */
  size_t body_len;
  void *owner;      /* the host's own */
  int64_t *body_share; /* the host's, set with the head: bytes of bodies of all those that this one shares with; NULL: with nobody */
} http_call;

typedef enum http_verdict {
  HTTP_REFUSED, /* it is answered with why, without its body */
  HTTP_TAKEN,
  HTTP_LATER    /* nobody can say yet: nothing more is read of it until http_head_again, upon which `head` is called anew */
} http_verdict;

typedef struct http_host {
  void *context;
  /* The head is whole. Gives the most bytes that the body may have; or why it is refused. */
  http_verdict (*head)(void *context, http_call *call, size_t *body_max, http_problem *why);
  /* Head and body are whole. The host answers now or later: http_answer, or http_stream_begin and so on. */
  void (*request)(void *context, http_call *call);
  /* The client has gone before its answer was whole. The call goes on until the host answers it; what it answers is thrown away. */
  void (*gone)(void *context, http_call *call);
  /* A stream's bytes have been taken: http_stream_room is there again. */
  void (*room)(void *context, http_call *call);
  /* The call is over, its answer sent or not: it is not valid after this. Called once for each call that `head` was called for. */
  void (*over)(void *context, http_call *call, int status, uint64_t bytes_out);
  /* What an answer of the front itself looks like (a head that is too large, a length that is none, ...). The call's method and path are
   * empty when they could not be read. */
  void (*refuse)(void *context, const http_call *call, const http_problem *why, http_headers *headers, cli_bytes *body);
} http_host;

typedef struct http_limits {
  size_t head_bytes, uri_bytes, bodies_bytes, stream_buffer_bytes;
  int64_t connections, connections_per_address;
  int64_t head_timeout_ms, body_timeout_ms, body_bytes_per_s, idle_ms, write_timeout_ms;
  bool half_closed; /* who closes its sending side is still there */
} http_limits;

typedef struct http_counts { /* since the start, but for the first three */
  int64_t connections, calls, body_bytes;
  uint64_t accepted, refused_connections, timeouts_head, timeouts_body, timeouts_write, bad_requests, too_large, gone;
  uint64_t bytes_in, bytes_out;
} http_counts;

typedef struct http_front http_front;

/* What epoll events of the loop point to: every data.ptr is one of these. */
typedef struct loop_watch {
  void (*ready)(struct loop_watch *watch, uint32_t events);
} loop_watch;

/* `certificate` and `key` are PEM, NULL: without TLS. `epoll`: of the loop, to which the front adds its descriptors; all events of one
 * epoll_wait are handed to `ready` before http_front_work is called. NULL after a message in `why` when it cannot be made. */
http_front *http_front_new(const http_limits *limits, const http_host *host, int epoll, const char *certificate, const char *key,
                           char why[256]);
void http_front_free(http_front *front);
/* Other limits from now on; another certificate for connections that come from now on, those that are there go on as they are. False after
 * a message in `why`: then all is as it was. */
bool http_front_change(http_front *front, const http_limits *limits, const char *certificate, const char *key, char why[256]);
/* Does what can be done; gives the milliseconds after which it has to be called again, whatever epoll says (-1: never). */
int64_t http_front_work(http_front *front, int64_t now_ms);
/* Whether something was answered or written since http_front_work: it should be called before the loop waits. */
bool http_front_due(const http_front *front);
/* A connection that was accepted; the front owns it from here on. `address`: a struct sockaddr. */
void http_front_take(http_front *front, int fd, const void *address, size_t address_len, int64_t now_ms);
/* From now on answers say "Connection: close", and connections that wait for a request are closed. */
void http_front_drain(http_front *front);
void http_front_counts(const http_front *front, http_counts *out);

/* After HTTP_LATER. */
void http_head_again(http_call *call);
/* Sends an answer; `body` is taken (left empty). Headers are copied. Content-Type and x-request-id are set by it. */
void http_answer(http_call *call, int status, const char *content_type, const http_headers *headers, cli_bytes *body);
/* A stream: its head goes out at once, then what is written, as it comes. */
void http_stream_begin(http_call *call, int status, const char *content_type, const http_headers *headers);
void http_stream_write(http_call *call, cli_bytes *bytes); /* taken: left empty */
void http_stream_end(http_call *call, bool whole);         /* not whole: the connection is cut, so that nobody takes it for whole */
/* False: so many bytes wait for a client that reads slowly that no more should be made; http_host.room tells when. */
bool http_stream_room(const http_call *call);
bool http_call_gone(const http_call *call);

#endif
