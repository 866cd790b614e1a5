/*
 * An HTTP/1.1 server in the test's own process, on a random port of 127.0.0.1: a thread that accepts, and one for each connection,
 * which reads a request and hands it to the test's function.
 */
#ifndef AIO_TESTS_TINY_SERVER_H
#define AIO_TESTS_TINY_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { TINY_CONNECTIONS_MAX = 4096 /* at once */, TINY_REQUEST_MAX = 1 << 20 };

typedef struct tiny_server tiny_server;

typedef struct tiny_request {
  int fd;
  int connection;     /* number of the connection, from 1; numbers come again once there were TINY_CONNECTIONS_MAX */
  const char *head;   /* NUL-terminated, with the line of the request */
  const char *path;   /* NUL-terminated */
  const char *body;
  size_t body_len;
} tiny_request;

/* Writes the reply. False: the connection is closed. */
typedef bool (*tiny_handler)(tiny_server *server, const tiny_request *request);

struct tiny_server {
  int fd, port;
  tiny_handler handler;
  void *ctx;
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_t threads[TINY_CONNECTIONS_MAX];
  int open[TINY_CONNECTIONS_MAX]; /* descriptors; -1: closed */
  int count;
  atomic_int now, requests, closed_by_peer;
  atomic_bool stopping;
};

void tiny_server_start(tiny_server *server, tiny_handler handler, void *ctx);
void tiny_server_stop(tiny_server *server);
void tiny_url(const tiny_server *server, const char *path, char *out, size_t cap);
bool tiny_send(int fd, const void *bytes, size_t len); /* all of it; false when the other end has gone */
bool tiny_send_text(int fd, const char *text);
/* A whole reply with its length. */
bool tiny_reply(int fd, int status, const char *headers, const char *body);
bool tiny_gone(int fd, int timeout_ms); /* waits until the other end has closed */

#endif
