/*
 * One server that speaks OpenAI's chat completions and runs already, ours or another, asked as any client asks. server_peers.py starts them, each
 * on processor 0, and this load generator for each, on processor 1 beside the provider. One JSON object; README.md tells how to read it.
 *
 *   server_peer --port N --pid N --path PATH --model NAME [--header "NAME: VALUE"]... [--calls N] [--requests N] [--streams N] [--held N]
 *
 * calls      one after the other on one connection: the p50
 * requests   64 in flight, each question new: calls a second and processor time a call
 * streams    at once, 64 deltas at 20 ms: how many were whole, how much further apart deltas came than they were sent, memory
 * held       bytes that the server holds back from a stream, by intention
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/figures.h"
#include "support/paced.h"
#include "support/pages.h"
#include "support/processor_time.h"
#include "support/upstream.h"

enum { IN_FLIGHT = 64, IN_MAX = 65536, LINE_MAX_BYTES = 4096, QUIET_MS = 10000, BEGIN_US = 1500000, LAST_US = 30000000, CLOSED_MAX = 1000 };

static int port;
static pid_t pid;
static const char *path = "/v1/chat/completions", *model = "m";
static char headers[2048];
static unsigned long number;
static size_t held;
static int closed; /* connections, by the server, before an answer */

static int dial(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket", strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) die("connect", strerror(errno));
  return fd;
}

static void ask(int fd, bool stream) {
  char body[1024], request[4096], word[PAGE_WORD_MAX];
  page_word(++number % PAGES, word);
  int len = snprintf(body, sizeof body, "{\"model\":\"%s\",%s\"messages\":[{\"role\":\"user\",\"content\":\"Question %lu: how do I keep the %s in order while many writers add to it?\"}]}",
                     model, stream ? "\"stream\":true," : "", number, word);
  int n = snprintf(request, sizeof request, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, headers, len, body);
  if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n) die("send", strerror(errno));
}

/* ---- whole answers ---- */

typedef struct client {
  int fd;
  size_t have;
  char in[IN_MAX];
} client;

static void begin_call(client *c, int epoll) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  c->fd = dial();
  c->have = 0;
  if (epoll >= 0) {
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
  }
  ask(c->fd, false);
}

static bool is_whole(const client *c) {
  const char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "content-length:");
  if (!end) return false;
  if (length && length < end) return c->have >= (size_t)(end + 4 - c->in) + strtoul(length + 15, NULL, 10);
  return c->have >= 5 && memcmp(c->in + c->have - 5, "0\r\n\r\n", 5) == 0;
}

/* Some close connections now and then: then the same is asked again on another, and counted. */
static bool take(client *c, int epoll) {
  ssize_t n = recv(c->fd, c->in + c->have, IN_MAX - 1 - c->have, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n <= 0) {
    if (++closed > CLOSED_MAX) die("connections", "end early, again and again");
    close(c->fd);
    begin_call(c, epoll);
    return false;
  }
  c->have += (size_t)n;
  c->in[c->have] = '\0';
  if (!is_whole(c)) return false;
  if (strncmp(c->in, "HTTP/1.1 200", 12) != 0) die("an answer", c->in);
  c->have = 0;
  return true;
}

static void figures_calls(int calls) {
  static client c;
  double *us = calloc((size_t)calls, sizeof *us);
  c.fd = dial();
  for (int i = 0; i < calls; i++) {
    double begun = now_us();
    ask(c.fd, false);
    while (!take(&c, -1)) continue;
    us[i] = now_us() - begun;
  }
  close(c.fd);
  row("p50_us", at_part(us, (size_t)calls, .5), "one in flight, p50, us");
  free(us);
}

static void figures_requests(int requests) {
  static client clients[IN_FLIGHT];
  struct epoll_event events[IN_FLIGHT];
  int epoll = epoll_create1(EPOLL_CLOEXEC), started = 0, done = 0;
  double begin = now_us(), cpu = processor_us(pid);
  for (; started < IN_FLIGHT; started++) begin_call(&clients[started], epoll);
  while (done < requests) {
    int n = epoll_wait(epoll, events, IN_FLIGHT, QUIET_MS);
    if (n <= 0) die("64 in flight", "nothing goes on");
    for (int i = 0; i < n; i++) {
      client *c = events[i].data.ptr;
      if (!take(c, epoll)) continue;
      done++;
      if (started < requests) started++, ask(c->fd, false);
    }
  }
  row("closed", closed, "connections that were closed early");
  row("calls_per_s", requests / ((now_us() - begin) / 1e6), "calls a second, 64 in flight");
  row("cpu_us", (processor_us(pid) - cpu) / requests, "  processor a call, us");
  for (int i = 0; i < IN_FLIGHT; i++) close(clients[i].fd);
  close(epoll);
}

/* ---- streams ---- */

typedef struct stream {
  int fd;
  pieces pieces;
  size_t carried; /* of a line that is not whole */
  bool ended;
  char line[LINE_MAX_BYTES];
  char text[DELTAS * DELTA_BYTES + 64];
} stream;

static void take_line(stream *s) {
  const char *delta = strstr(s->line, "\"content\":\"");
  if (strstr(s->line, "data: [DONE]")) s->ended = true;
  if (!delta) return;
  delta += strlen("\"content\":\"");
  const char *end = strchr(delta, '"');
  if (!end || end == delta) return;
  size_t len = (size_t)(end - delta);
  if (s->pieces.bytes + len >= sizeof s->text) die("a stream", "is too long");
  memcpy(s->text + s->pieces.bytes, delta, len);
  pieces_note(&s->pieces, len, held);
}

/* False: nothing more comes. */
static bool take_stream(stream *s) {
  char in[16384];
  for (;;) {
    ssize_t n = recv(s->fd, in, sizeof in, MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) return false;
    for (ssize_t i = 0; i < n; i++) {
      if (in[i] != '\n' && s->carried < sizeof s->line - 1) s->line[s->carried++] = in[i];
      if (in[i] != '\n') continue;
      s->line[s->carried] = '\0';
      take_line(s);
      s->carried = 0;
    }
  }
}

static void open_stream(int epoll, stream *s) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
  s->fd = dial();
  epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event);
  ask(s->fd, true);
}

/* Those that are whole, and how much further apart they came. */
static void row_streams(const stream *streams, int count, double *added) {
  int whole = 0;
  size_t n = 0;
  for (int i = 0; i < count; i++) {
    const stream *s = &streams[i];
    if (!s->ended || s->pieces.bytes < DELTAS * DELTA_BYTES - 1) continue;
    whole++;
    n += pieces_gaps(&s->pieces, s->text, s->pieces.bytes, added + n);
  }
  row("streams_whole", whole, "streams that were whole, of %d at once", count);
  row("gap_p99_ms", at_part(added, n, .99) / 1e3, "  added gap p99, ms");
}

static void figures_streams(int count) {
  stream *streams = calloc((size_t)count, sizeof *streams);
  double *added = calloc((size_t)count * DELTAS, sizeof *added), begin = now_us(), idle = resident_mib(pid), most = 0;
  struct epoll_event events[256];
  int epoll = epoll_create1(EPOLL_CLOEXEC), begun = 0, ended = 0;
  while (ended < count && now_us() < begin + LAST_US) {
    while (begun < count && now_us() >= begin + (double)begun * BEGIN_US / count) open_stream(epoll, &streams[begun++]);
    int got = epoll_wait(epoll, events, 256, begun < count ? 1 : QUIET_MS);
    if (got == 0 && begun == count) break; /* what has not ended by now is lost */
    for (int i = 0; i < got; i++) {
      stream *s = events[i].data.ptr;
      bool open = take_stream(s);
      if (s->fd < 0 || (!s->ended && open)) continue;
      if (ended++ == 0) most = resident_mib(pid);
      close(s->fd);
      s->fd = -1;
    }
  }
  row_streams(streams, count, added);
  sleep(3); /* memory that nobody needs goes back when there is nothing to do */
  row("before_mib", idle, "  resident before them, MiB");
  row("with_mib", most, "  with them");
  row("after_mib", resident_mib(pid), "  after them");
  free(streams);
  free(added);
  close(epoll);
}

int main(int argc, char **argv) {
  int calls = 0, requests = 0, streams = 0;
  figures_json = true;
  for (int i = 1; i + 1 < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (strcmp(name, "--port") == 0) port = atoi(value);
    else if (strcmp(name, "--pid") == 0) pid = atoi(value);
    else if (strcmp(name, "--path") == 0) path = value;
    else if (strcmp(name, "--model") == 0) model = value;
    else if (strcmp(name, "--held") == 0) held = (size_t)atoi(value);
    else if (strcmp(name, "--calls") == 0) calls = atoi(value);
    else if (strcmp(name, "--requests") == 0) requests = atoi(value);
    else if (strcmp(name, "--streams") == 0) streams = atoi(value);
    else if (strcmp(name, "--header") == 0) snprintf(headers + strlen(headers), sizeof headers - strlen(headers), "%s\r\n", value);
    else port = 0;
  }
  number = (unsigned long)getpid() * 1000000; /* no question was asked before, by another of these either */
  if (port == 0 || pid == 0) return fprintf(stderr, "usage: server_peer --port N --pid N --path PATH --model NAME [--header H]... [--calls N] [--requests N] [--streams N] [--held N]\n"), 2;
  struct rlimit files = {0};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  signal(SIGPIPE, SIG_IGN);
  upstream_pin(1);
  if (calls > 0) figures_calls(calls);
  if (requests > 0) figures_requests(requests);
  if (streams > 0) figures_streams(streams);
  rows_end();
  return 0;
}
