/*
 * An upstream for benchmarks that answers at once, in one thread, for thousands of connections on 127.0.0.1.
 *
 *   instant_server [--cpu N]     prints its port, ends when its standard input does
 *
 *   /answer     a reply of 200 bytes
 *   /stream     64 events, one each 20 ms; each carries the time at which it was sent (CLOCK_MONOTONIC, ns)
 *   /stall      one event, then nothing more
 *   /last       the number of bytes that the body of the request before had
 *
 * and, as OpenAI's interface has it (a base URL is one of /openai/whole, /openai/paced, /openai/stall):
 *
 *   /openai/whole/chat/completions     an answer of 200 bytes: JSON, or where the request says so a stream, all of it at once
 *   /openai/paced/chat/completions     64 deltas of 41 bytes, one each 20 ms; each begins with when it was sent: microseconds of
 *                                      CLOCK_MONOTONIC below 2^40, in ten letters a to p
 *   /openai/stall/chat/completions     the first 40 of those deltas at once, then nothing more
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

enum { FDS_MAX = 20000, REQUEST_MAX = 65536, EVENTS = 256, DELTAS = 64, GAP_MS = 20, BODY = 200, STALLED = 40 };

typedef struct client {
  bool openai;
  size_t have;
  int left, next, slot; /* of a stream: events, and the others that are due in the same millisecond */
  char request[REQUEST_MAX];
} client;

static client *clients[FDS_MAX];
static int slots[GAP_MS];
static int epoll_fd;
static char answer[BODY + 256], openai_answer[BODY + 512], openai_stream[4096];
static size_t answer_n, openai_answer_n, openai_stream_n, last_body;

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

#define OPENAI_CHUNK "data: {\"id\":\"chat-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":"
#define OPENAI_END OPENAI_CHUNK "{},\"finish_reason\":\"stop\"}]}\n\n" \
  "data: {\"id\":\"chat-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120}}\n\ndata: [DONE]\n\n"

static int openai_event(char *out, size_t size, bool last) {
  char when[11] = "";
  for (int i = 0; i < 10; i++) when[i] = (char)('a' + (now_ns() / 1000 >> 4 * (9 - i) & 15));
  return snprintf(out, size, OPENAI_CHUNK "{\"content\":\"%s and some words of the answer. \"},\"finish_reason\":null}]}\n\n%s", when,
                  last ? OPENAI_END : "");
}

static void send_event(int fd, bool last) {
  char event[1024], chunk[1100];
  int n = clients[fd]->openai
    ? openai_event(event, sizeof event, last)
    : snprintf(event, sizeof event, "data: {\"at\":%lld,\"delta\":{\"text\":\"some words of it\"}}\n\n", (long long)now_ns());
  int m = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n%s", (unsigned)n, event, last ? "0\r\n\r\n" : "");
  send_text(fd, chunk, (size_t)m);
}

static void begin_stream(int fd, bool stall) {
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  client *c = clients[fd];
  send_text(fd, head, sizeof head - 1);
  if (stall) {
    for (int i = c->openai ? STALLED : 1; i > 0; i--) send_event(fd, false);
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

static void answer_path(int fd, const char *path, bool streamed) {
  char number[256];
  if (strncmp(path, "/stream", 7) == 0 || strncmp(path, "/paced", 6) == 0) {
    begin_stream(fd, false);
  } else if (strncmp(path, "/stall", 6) == 0) {
    begin_stream(fd, true);
  } else if (strncmp(path, "/last", 5) == 0) {
    snprintf(number, sizeof number, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n%10zu", last_body);
    send_text(fd, number, strlen(number));
  } else if (!clients[fd]->openai) {
    send_text(fd, answer, answer_n);
  } else {
    send_text(fd, streamed ? openai_stream : openai_answer, streamed ? openai_stream_n : openai_answer_n);
  }
}

static void make_answers(void) {
  char body[BODY + 1], whole[2 * BODY + 256], events[2048];
  memset(body, 'x', BODY);
  body[BODY] = '\0';
  answer_n = (size_t)snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", BODY, body);
  for (int i = 0; i < BODY; i++) body[i] = "some words and " [i % 15];
  int n = snprintf(whole, sizeof whole,
                   "{\"id\":\"chat-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},"
                   "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20}}", body);
  openai_answer_n = (size_t)snprintf(openai_answer, sizeof openai_answer,
                                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", n, whole);
  n = snprintf(events, sizeof events, OPENAI_CHUNK "{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":null}]}\n\n" OPENAI_END, body);
  openai_stream_n = (size_t)snprintf(openai_stream, sizeof openai_stream,
                                     "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
                                     (unsigned)n, events);
  if (openai_answer_n >= sizeof openai_answer || openai_stream_n >= sizeof openai_stream) abort();
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
  const char *path = strchr(c->request, ' ');
  if (!path) path = "";
  if (strncmp(path, " /last", 6) != 0) last_body = c->have - (size_t)(end + 4 - c->request);
  c->have = 0;
  c->openai = strncmp(path, " /openai/", 9) == 0;
  answer_path(fd, c->openai ? path + 8 : path + 1, strstr(end, "\"stream\":true") != NULL);
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
  make_answers();
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
