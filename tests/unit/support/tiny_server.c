/* See tiny_server.h. */
#include "support/tiny_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct connection {
  tiny_server *server;
  int fd, number;
} connection;

bool tiny_send(int fd, const void *bytes, size_t len) {
  const char *p = bytes;
  while (len > 0) {
    ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    p += n;
    len -= (size_t)n;
  }
  return true;
}

bool tiny_send_text(int fd, const char *text) {
  return tiny_send(fd, text, strlen(text));
}

bool tiny_reply(int fd, int status, const char *headers, const char *body) {
  char head[1024];
  size_t len = strlen(body);
  char *all = malloc(sizeof head + len);
  if (!all) abort();
  int n = snprintf(head, sizeof head, "HTTP/1.1 %d Words\r\nContent-Length: %zu\r\n%s\r\n", status, len, headers ? headers : "");
  memcpy(all, head, (size_t)n);
  memcpy(all + n, body, len);
  bool sent = tiny_send(fd, all, (size_t)n + len);
  free(all);
  return sent;
}

bool tiny_gone(int fd, int timeout_ms) {
  char c;
  struct pollfd p = {.fd = fd, .events = POLLIN};
  while (poll(&p, 1, timeout_ms) > 0) {
    ssize_t n = recv(fd, &c, 1, 0);
    if (n <= 0) return true;
  }
  return false;
}

/* Its head and its body of the length that the head says; 0 at the end of the connection. */
static size_t read_request(int fd, char *buf, size_t *have, tiny_request *request) {
  for (;;) {
    char *end = NULL;
    if (*have > 0) end = strstr(buf, "\r\n\r\n");
    if (end) {
      const char *length = strcasestr(buf, "\r\ncontent-length:");
      size_t body = length && length < end ? (size_t)strtoul(length + 17, NULL, 10) : 0;
      size_t head = (size_t)(end + 4 - buf);
      if (*have >= head + body) {
        request->body = buf + head;
        request->body_len = body;
        return head + body;
      }
    }
    ssize_t n = recv(fd, buf + *have, TINY_REQUEST_MAX - *have, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    *have += (size_t)n;
    buf[*have] = '\0';
  }
}

static void *serve(void *ctx) {
  connection *c = ctx;
  tiny_server *server = c->server;
  char *buf = malloc(TINY_REQUEST_MAX + 1), path[1024];
  size_t have = 0;
  bool going = buf != NULL;
  while (going) {
    tiny_request request = {.fd = c->fd, .connection = c->number, .head = buf, .path = path};
    size_t n = read_request(c->fd, buf, &have, &request);
    if (n == 0) {
      atomic_fetch_add(&server->closed_by_peer, 1);
      break;
    }
    const char *from = strchr(buf, ' ');
    size_t len = from ? strcspn(from + 1, " \r\n") : 0;
    if (len >= sizeof path) len = sizeof path - 1;
    if (from) memcpy(path, from + 1, len);
    path[len] = '\0';
    atomic_fetch_add(&server->requests, 1);
    going = server->handler(server, &request);
    memmove(buf, buf + n, have - n + 1);
    have -= n;
  }
  free(buf);
  pthread_mutex_lock(&server->mutex);
  close(c->fd);
  server->open[c->number - 1] = -1;
  atomic_fetch_sub(&server->now, 1);
  pthread_mutex_unlock(&server->mutex);
  free(c);
  return NULL;
}

/* A place for one more, with the mutex held: a new one, or that of one that has ended; -1: all are in use. */
static int place(tiny_server *server) {
  if (server->count < TINY_CONNECTIONS_MAX) return server->count++;
  for (int i = 0; i < server->count; i++) {
    if (server->open[i] >= 0) continue;
    pthread_join(server->threads[i], NULL);
    return i;
  }
  return -1;
}

static void *accept_all(void *ctx) {
  tiny_server *server = ctx;
  for (;;) {
    int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC), one = 1;
    if (fd < 0 && errno == EINTR) continue;
    if (fd < 0) return NULL;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connection *c = malloc(sizeof *c);
    pthread_mutex_lock(&server->mutex);
    int at = !c || atomic_load(&server->stopping) ? -1 : place(server);
    if (at < 0) {
      pthread_mutex_unlock(&server->mutex);
      free(c);
      close(fd);
      continue;
    }
    *c = (connection){server, fd, at + 1};
    server->open[at] = fd;
    atomic_fetch_add(&server->now, 1);
    if (pthread_create(&server->threads[at], NULL, serve, c) != 0) abort();
    pthread_mutex_unlock(&server->mutex);
  }
}

void tiny_server_start(tiny_server *server, tiny_handler handler, void *ctx) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  memset(server, 0, sizeof *server);
  server->handler = handler;
  server->ctx = ctx;
  pthread_mutex_init(&server->mutex, NULL);
  server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, len) != 0 || listen(server->fd, 1024) != 0) abort();
  if (getsockname(server->fd, (struct sockaddr *)&address, &len) != 0) abort();
  server->port = ntohs(address.sin_port);
  if (pthread_create(&server->thread, NULL, accept_all, server) != 0) abort();
}

void tiny_server_stop(tiny_server *server) {
  pthread_mutex_lock(&server->mutex);
  atomic_store(&server->stopping, true);
  for (int i = 0; i < server->count; i++) {
    if (server->open[i] >= 0) shutdown(server->open[i], SHUT_RDWR);
  }
  pthread_mutex_unlock(&server->mutex);
  shutdown(server->fd, SHUT_RDWR);
  pthread_join(server->thread, NULL);
  close(server->fd);
  for (int i = 0; i < server->count; i++) pthread_join(server->threads[i], NULL);
  pthread_mutex_destroy(&server->mutex);
}

void tiny_url(const tiny_server *server, const char *path, char *out, size_t cap) {
  snprintf(out, cap, "http://127.0.0.1:%d%s", server->port, path);
}
