/*
 * What the files of the front share: a connection, the request on it, and the front. microhttpd.h is not here on purpose.
 */
#ifndef HTTP_FRONT_PRIVATE_H
#define HTTP_FRONT_PRIVATE_H

#include "http_front.h"

struct MHD_Connection;
struct MHD_Response;

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
  struct MHD_Connection *mhd;
  struct call_state *call;
  struct http_conn **place; /* in the front's list */
  struct http_conn *next;
  int fd;
  conn_phase phase;
  bool half_closed, shut;
  int64_t since_ms;         /* when the phase began; of an answer, when the client last took something */
  int queued;               /* bytes in the socket when that was looked at */
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
  bool head_seen, head_told, told_host, refused, suspended, gone;
  bool http_1_1;
  /* the answer */
  call_answer answer;
  struct MHD_Response *response;
  bool close;        /* the connection ends with this answer */
  int status;
  cli_bytes out;     /* of a stream: what the client has not taken, from `sent` on */
  size_t sent;
  bool ended, whole, wants_room;
  struct call_state *next_room;
  uint64_t bytes_out;
} call_state;

struct http_front {
  loop_watch watch; /* the library's own epoll descriptor */
  struct MHD_Daemon *daemon;
  http_limits limits;
  http_host host;
  http_counts counts;
  http_conn *first;
  int epoll;
  bool due, draining, tls;
  int64_t now_ms, next_tick_ms;
  uint64_t id_seed, id_next;
  struct address_count *addresses;
  call_state *rooms;     /* streams that have room again */
};

/* ---- http_conns.c ---- */
http_conn *conn_new(http_front *front, int fd, const char *address);
void conn_free(http_conn *conn);
void conn_phase_set(http_conn *conn, conn_phase phase);
void conn_shut(http_conn *conn);
/* Ends connections whose time is up. */
void conns_tick(http_front *front);
/* Whether one more from this address is allowed; counts it. */
bool address_enter(http_front *front, const char *address);
void address_leave(http_front *front, const char *address);
void addresses_free(http_front *front);
/* The address of a struct sockaddr as text; empty when it has none. */
void http_address_text(const void *address, char out[HTTP_ADDRESS_MAX]);
/* The client of this connection has gone: the host is told, once. */
void conn_gone(http_conn *conn);

/* ---- http_strict.c: what a head may look like ---- */
typedef struct strict_head {
  int hosts, lengths, encodings, types, authorizations, api_keys, origins, request_ids;
  const char *bad; /* what is wrong, NULL when nothing is */
  uint64_t length;
  bool chunked;
} strict_head;
void strict_header(strict_head *head, const char *name, size_t name_len, const char *value, size_t value_len);
/* All headers have been seen. */
void strict_end(strict_head *head, bool http_1_1);
/* As it came, before anything is decoded. */
bool strict_uri(const char *uri);
bool strict_id(const char *id);

#endif
