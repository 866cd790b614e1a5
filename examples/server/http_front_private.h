/*
 * What the files of the front share: a connection, the request on it, and the front. microhttpd.h is not here on purpose.
 */
#ifndef HTTP_FRONT_PRIVATE_H
#define HTTP_FRONT_PRIVATE_H

#include "http_front.h"
#include "server_crypto.h"

#include <netinet/in.h>

struct MHD_Connection;
struct MHD_Response;

/* The library at work: one is enough, but that its certificate and the room for a head are those of its start. When these change another
 * takes the new connections, and the one before ends with its last. */
typedef struct http_daemon {
  loop_watch watch; /* first: the library's own epoll descriptor */
  struct http_front *front;
  struct MHD_Daemon *mhd;
  struct http_daemon *next;
  int64_t connections;
  bool tls;
} http_daemon;

/* So many connections may be suspended to see whose page it is. */
enum { PAGE_ASKED_MAX = 256 };

typedef enum conn_phase {
  CONN_IDLE,   /* nothing of a (next) request has come */
  CONN_HEAD,   /* something has */
  CONN_BODY,   /* the head is whole */
  CONN_CALL,   /* the request is whole, and with the host or on its way back */
  CONN_LINGER  /* it was refused before its body was here; what still comes is thrown away for a moment */
} conn_phase;

typedef struct http_conn {
  loop_watch watch; /* first: events point to it */
  struct http_front *front;
  http_daemon *daemon;
  struct MHD_Connection *mhd; /* NULL until the first head is whole, or as much of it as is needed: http_first.c */
  struct call_state *call;
  struct http_conn **place; /* in the front's list */
  struct http_conn *next;
  int fd;
  conn_phase phase;
  bool half_closed, shut;
  bool held;                /* taken from the library: http_page.c */
  bool is_ahead;
  void *tls;                /* of GnuTLS; NULL: without TLS */
  struct http_conn *next_ahead;
  size_t ahead;             /* bytes that GnuTLS has decrypted and the library has not taken, when that was last looked at */
  bool turned_away;         /* one too many: it counts for no limit, and is only told so */
  int64_t since_ms;         /* when the phase began; of an answer, when the client last took something */
  int queued;               /* bytes in the socket when that was looked at */
  struct sockaddr_in6 from; /* or another, of from_len bytes */
  size_t from_len, seen;      /* seen: what of a first head has been looked at */
  char address[HTTP_ADDRESS_MAX];
} http_conn;

typedef enum call_answer { ANSWER_NONE, ANSWER_WHOLE, ANSWER_STREAM } call_answer;

typedef struct call_state {
  http_call call; /* first: the host has a pointer to it */
  http_conn *conn;
  struct http_front *front;
  cli_bytes in;
  size_t body_max, reserved;
  char *path;
  size_t uri_len;
  bool head_seen, head_told, head_waits, told_host, refused, suspended, gone;
  bool http_1_1, expects; /* expects: to be told to go on before it sends its body */
  /* the answer */
  call_answer answer;
  struct MHD_Response *response;
  int status;
  cli_bytes out;     /* of a stream: what the client has not taken, from `sent` on */
  size_t sent;
  bool ended, whole, wants_room;
  struct call_state *next_room;
  uint64_t rest;     /* how much of a body is to come; UINT64_MAX when nobody knows */
  uint64_t length;
  uint64_t bytes_out;
} call_state;

struct http_front {
  http_daemon *daemon;   /* the newest; those before it hang on its next */
  http_conn *adding;     /* the one that the library is being given */
  char *scratch;         /* for a first head; of scratch_size bytes */
  size_t scratch_size;
  unsigned char certificate[SHA256_BYTES]; /* of certificate and key: whether they are others */
  http_limits limits;
  http_host host;
  http_counts counts;
  http_conn *first;
  int epoll;
  bool due, draining, ended; /* ended: the host is told of no request any more, but for the end of those that it knows */
  char words[256];       /* of the library, when it did not start */
  int64_t now_ms, next_tick_ms;
  uint64_t id_seed, id_next;
  struct address_count *addresses;
  http_daemon *working;  /* the one whose round it is */
  http_conn *asked[PAGE_ASKED_MAX]; /* http_page.c: one of them has a page, perhaps */
  size_t asked_count;
  http_conn *at, *ahead; /* http_page.c: whose bytes the library is at, and who has some decrypted that it has not taken */
  int64_t turned_away;   /* connections that are told that they are too many */
  call_state *rooms;     /* streams that have room again */
};

/* ---- http_conns.c ---- */
http_conn *conn_new(http_front *front, int fd, const void *address, size_t address_len);
void conn_free(http_conn *conn);
void conn_phase_set(http_conn *conn, conn_phase phase);
/* Something of a request has come. */
void conn_head_begins(http_conn *conn);
void conn_shut(http_conn *conn);
/* Ends connections whose time is up. */
void conns_tick(http_front *front);
/* Whether one more from this address is allowed; counts it. */
bool address_enter(http_front *front, const char *address);
void address_leave(http_front *front, const char *address);
void addresses_free(http_front *front);
/* The address of a struct sockaddr as text; empty when it has none. */
void http_address_text(const void *address, char out[HTTP_ADDRESS_MAX]);
/* ---- http_body.c ---- */
/* Whether a body may have so many bytes; it has them then. */
bool body_fits(call_state *s, uint64_t size, http_problem *why);
/* Adds what has come of one. */
bool body_keep(call_state *s, const char *data, size_t n, http_problem *why);
/* ---- http_first.c: a connection before the library has it ---- */
void first_ready(http_conn *conn, uint32_t events);
/* Closes one that the library does not have; it is not valid after this. */
void first_close(http_conn *conn);
/* Of one that has had its answer; it may not be valid after this. */
void first_discard(http_conn *conn);
/* ---- http_page.c: what the library would answer itself ---- */
void page_watch(http_conn *conn, void *tls);
/* The library has called for this one, which has TLS. */
void page_at(http_conn *conn);
void page_forget(http_conn *conn);
/* It has had its round: whose bytes it will be at next is not known. */
void page_round_ended(http_front *front);
/* It is about to write a page. */
void page_made(http_front *front);
/* What the library does not write: all of it now, and with it the end of this side. False: it is to be cut off. */
bool send_last(const http_conn *conn, const cli_bytes *text);

/* ---- http_front.c: all that knows the library ---- */
/* Gives it to the library; the connection may be gone after this. */
void conn_start(http_conn *conn);
/* The library neither reads nor writes until it is let go; it is ours to read and to shut. */
void conn_hold(http_conn *conn);
void conn_let_go(http_conn *conn);
/* The status of an answer that it is about to write; 0: none. */
unsigned conn_page(const http_conn *conn);
/* The front ends, and the library stops with none suspended. */
void conn_end(http_conn *conn);
http_daemon *daemon_start(http_front *front, size_t head_bytes, const char *certificate, const char *key, char why[256]);
void daemon_stop(http_daemon *daemon);
void daemons_work(http_front *front);
/* What a request that no library has seen is answered with; the head of the answer, too. */
void refusal_text(http_front *front, http_call *call, const http_problem *why, cli_bytes *out);

/* The client of this connection has gone: the host is told, once. */
void conn_gone(http_conn *conn);

/* ---- http_strict.c: what a head may look like ---- */
typedef struct strict_head {
  int hosts, lengths, encodings, types, authorizations, api_keys, origins, request_ids;
  const char *bad; /* what is wrong, NULL when nothing is */
  uint64_t length;
  bool chunked;
  int in_place, apart;   /* headers whose value stands behind their name, and others */
  const char *value_end; /* of the header before, when it is in place */
} strict_head;
/* Where the library has a header: it reads a line that goes on in the next as another name, and a value up to a NUL, without a word. Both
 * show in the places of what it has read, which lies as it came but for ends of lines. */
void strict_place(strict_head *head, const char *name, size_t name_len, const char *value, size_t value_len);
void strict_header(strict_head *head, const char *name, size_t name_len, const char *value, size_t value_len);
/* All headers have been seen. */
void strict_end(strict_head *head, bool http_1_1);
/* As it came, before anything is decoded. */
bool strict_uri(const char *uri);

/* What the library has for a head beyond the bytes that it may have. */
enum { STRICT_POOL_EXTRA = 4096 };

typedef enum strict_verdict { STRICT_MORE, STRICT_GOOD, STRICT_BAD } strict_verdict;
/* A first head as far as it is here. STRICT_MORE: nothing is wrong yet; STRICT_BAD after `why`. */
strict_verdict strict_first(const char *data, size_t len, const http_limits *limits, http_problem *why);
bool strict_id(const char *id);

#endif
