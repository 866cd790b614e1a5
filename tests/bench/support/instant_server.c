/*
 * An upstream for benchmarks that answers at once, in one thread, for thousands of connections on 127.0.0.1.
 *
 *   instant_server [--cpu N]     prints its port, ends when its standard input does
 *
 *   /answer     a reply of 200 bytes
 *   /stream     64 events, one each 20 ms; each carries the time at which it was sent (CLOCK_MONOTONIC, ns)
 *   /stall      one event, then nothing more
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FDS_MAX = 20000, REQUEST_MAX = 4096, EVENTS = 256, DELTAS = 64, GAP_MS = 20, BODY = 200 };

typedef struct client {
  size_t have;
  int left, next, slot; /* of a stream: events, and the others that are due in the same millisecond */
  char request[REQUEST_MAX];
} client;

static client *clients[FDS_MAX];
static int slots[GAP_MS];
static int epoll_fd;
static char answer[BODY + 256];
static size_t answer_n;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void send_text(int fd, const char *text, size_t n) {
  if (send(fd, text, n, MSG_NOSIGNAL) != (ssize_t)n) shutdown(fd, SHUT_RDWR);
}

static void leave_slot(int fd) {
  client *c = clients[fd];
  if (c->slot < 0) return;
  int *at = &slots[c->slot];
  while (*at != fd) at = &clients[*at]->next;
  *at = c->next;
  c->slot = -1;
}

static void send_event(int fd, bool last) {
  char event[256], chunk[320];
  int n = snprintf(event, sizeof event, "data: {\"at\":%lld,\"delta\":{\"text\":\"some words of it\"}}\n\n", (long long)now_ns());
  int m = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n%s", (unsigned)n, event, last ? "0\r\n\r\n" : "");
  send_text(fd, chunk, (size_t)m);
}

static void begin_stream(int fd, bool stall) {
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  client *c = clients[fd];
  send_text(fd, head, sizeof head - 1);
  if (stall) {
    send_event(fd, false);
    return;
  }
  c->left = DELTAS;
  c->slot = (int)(now_ns() / 1000000 % GAP_MS);
  c->next = slots[c->slot];
  slots[c->slot] = fd;
}

static void send_due(int64_t ms) {
  int *at = &slots[ms % GAP_MS];
  while (*at >= 0) {
    int fd = *at;
    client *c = clients[fd];
    send_event(fd, --c->left == 0);
    if (c->left > 0) {
      at = &c->next;
    } else {
      *at = c->next;
      c->slot = -1;
    }
  }
}

static void forget(int fd) {
  leave_slot(fd);
  free(clients[fd]);
  clients[fd] = NULL;
  close(fd);
}

/* One request at a time: clients wait for the answer. */
static void on_readable(int fd) {
  client *c = clients[fd];
  ssize_t n = recv(fd, c->request + c->have, sizeof c->request - 1 - c->have, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    forget(fd);
    return;
  }
  c->have += (size_t)n;
  c->request[c->have] = '\0';
  char *end = strstr(c->request, "\r\n\r\n");
  const char *length = strcasestr(c->request, "content-length:");
  if (!end || c->have < (size_t)(end + 4 - c->request) + (length ? strtoul(length + 15, NULL, 10) : 0)) return;
  c->have = 0;
  const char *path = strchr(c->request, ' ');
  if (path && strncmp(path, " /stream", 8) == 0) begin_stream(fd, false);
  else if (path && strncmp(path, " /stall", 7) == 0) begin_stream(fd, true);
  else send_text(fd, answer, answer_n);
}

static void accept_all(int listener) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fd >= FDS_MAX || !(clients[fd] = calloc(1, sizeof(client)))) abort();
    clients[fd]->slot = -1;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
  }
}

static int listen_somewhere(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, n) != 0 || listen(fd, 8192) != 0) abort();
  if (getsockname(fd, (struct sockaddr *)&address, &n) != 0) abort();
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

int main(int argc, char **argv) {
  struct epoll_event events[EVENTS], event = {.events = EPOLLIN};
  if (argc > 2 && strcmp(argv[1], "--cpu") == 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)atoi(argv[2]), &set);
    sched_setaffinity(0, sizeof set, &set);
  }
  for (int i = 0; i < GAP_MS; i++) slots[i] = -1;
  char body[BODY + 1];
  memset(body, 'x', BODY);
  body[BODY] = '\0';
  answer_n = (size_t)snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", BODY, body);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_somewhere();
  event.data.fd = listener;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
  event.data.fd = 0;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &event);
  int64_t done_ms = now_ns() / 1000000;
  for (;;) {
    int n = epoll_wait(epoll_fd, events, EVENTS, 1);
    for (int64_t ms = now_ns() / 1000000; done_ms < ms;) send_due(++done_ms);
    for (int i = 0; i < n; i++) {
      if (events[i].data.fd == 0) return 0;
      if (events[i].data.fd == listener) accept_all(listener);
      else if (clients[events[i].data.fd]) on_readable(events[i].data.fd);
    }
  }
}
