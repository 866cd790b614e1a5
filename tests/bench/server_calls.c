/*
 * `aiorch serve` over real sockets: a load generator and a provider that answers at once (support/instant_server.c) on one processor, the
 * server on the other; beside it, in turns, the same provider asked directly and through nginx as a plain proxy, where that is installed.
 * Prints a table, or one JSON object with --json. README.md tells how to read it.
 *
 *   server_calls [--json] [--aiorch PROGRAM] [--calls N] [--requests N] [--streams N] [--rounds N] [--part NAME] [--no-pin]
 *
 * calls      N calls one after the other on one connection: what a server adds to the provider's own time
 * requests   N calls, 64 in flight: POST /ask, memory store and SQLite, each question new; then exact hits
 * streams    N streams at once, 64 deltas at 20 ms: how much further apart they came than they were sent
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/figures.h"
#include "support/paced.h"
#include "support/pages.h"
#include "support/processor_time.h"
#include "support/upstream.h"

enum { IN_FLIGHT = 64, IN_MAX = 16384, USERS = 200, KEY_MAX = 128 };

static bool pinned = true;
static int upstream_port;
static const char *program, *folder;
static unsigned long number;
static char keys[USERS][KEY_MAX]; /* users take turns, as they do in a service */

/* ---- servers ------------------------------------------------------------------------------------------------------------ */

typedef struct process {
  pid_t pid;
  int port;
} process;

static int free_port(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr *)&a, n) != 0 || getsockname(fd, (struct sockaddr *)&a, &n) != 0) abort();
  close(fd);
  return ntohs(a.sin_port);
}

static int dial(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket", strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
  close(fd);
  return -1;
}

static process start(const char *const *argv, int port) {
  process p = {fork(), port};
  if (p.pid == 0) {
    if (pinned) upstream_pin(0);
    if (!getenv("SERVER_CALLS_LOUD") && (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout))) _exit(126);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
  }
  for (int i = 0; i < 1000; i++) {
    int fd = dial(port);
    if (fd >= 0) {
      close(fd);
      usleep(300000); /* until it has said so, and what its start alone has needed is given back */
      return p;
    }
    if (waitpid(p.pid, NULL, WNOHANG) == p.pid) die(argv[0], "does not start");
    usleep(10000);
  }
  die(argv[0], "does not listen");
  return p;
}

static void stop(process p) {
  kill(p.pid, SIGTERM);
  waitpid(p.pid, NULL, 0);
}

__attribute__((format(printf, 2, 3))) static void write_file(const char *path, const char *format, ...) {
  va_list args;
  FILE *f = fopen(path, "w");
  if (!f) die(path, strerror(errno));
  va_start(args, format);
  vfprintf(f, format, args);
  va_end(args);
  fclose(f);
}

static void make_keys(void) {
  char command[4096], line[1024];
  for (int i = 0; i < USERS; i++) {
    snprintf(command, sizeof command, "'%s' keys create --tenant bench --user u%d --set server.keys='%s/keys.db' --json", program, i, folder);
    FILE *out = popen(command, "r");
    const char *key = out && fgets(line, sizeof line, out) ? strstr(line, "\"key\":\"") : NULL;
    if (!key) die("aiorch keys create", "gives no key");
    snprintf(keys[i], KEY_MAX, "%.*s", (int)strcspn(key + 7, "\""), key + 7);
    pclose(out);
  }
}

static process start_aiorch(const char *store, const char *place) {
  char path[1024], listen[64];
  int port = free_port();
  snprintf(path, sizeof path, "%s/server.json", folder);
  write_file(path,
             "{\"store\": \"%s\", \"embedder\": \"none\", \"rate_limit.requests\": 1000000000, \"http.connections_max\": 20000,"
             " \"http.connections_per_host\": 20000, \"providers.instant.api\": \"openai\", \"providers.instant.model\": \"m\","
             " \"providers.instant.base_url\": \"http://127.0.0.1:%d/openai/%s\", \"providers.instant.key\": \"sk-bench\","
             " \"providers.instant.stream\": %s, \"server\": {\"keys\": \"%s/keys.db\", \"connections_per_address\": 0, \"calls_max\": 20000}}",
             store, upstream_port, place, strcmp(place, "whole") == 0 ? "false" : "true", folder);
  snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
  return start((const char *const[]){program, "serve", "--config", path, "--listen", listen, NULL}, port);
}

static bool has_nginx(void) { return system("command -v nginx >/dev/null 2>&1") == 0; }

static process start_nginx(void) {
  char path[1024], prefix[1024];
  int port = free_port();
  snprintf(path, sizeof path, "%s/nginx.conf", folder);
  snprintf(prefix, sizeof prefix, "%s/", folder);
  write_file(path,
             "daemon off; worker_processes 1; pid nginx.pid; error_log /dev/null;\n"
             "events { worker_connections 10000; }\n"
             "http { access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n"
             " keepalive_requests 100000000;\n"
             " upstream one { server 127.0.0.1:%d; keepalive 4096; keepalive_requests 100000000; }\n"
             " server { listen 127.0.0.1:%d backlog=4096;\n"
             "  location / { proxy_pass http://one; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off; } } }\n",
             upstream_port, port);
  return start((const char *const[]){"nginx", "-p", prefix, "-c", path, NULL}, port);
}

/* ---- requests ----------------------------------------------------------------------------------------------------------- */

typedef enum what { ASK_NEW, ASK_SAME, ASK_STREAM, CHAT_WHOLE, CHAT_PACED } what;

static size_t make_request(char out[2048], what kind) {
  char body[1024], word[PAGE_WORD_MAX];
  unsigned long n = kind == ASK_SAME ? 7 : ++number + 1000;
  const char *path = "/ask";
  page_word(n % PAGES, word);
  int len = 0;
  if (kind == CHAT_WHOLE || kind == CHAT_PACED) {
    path = kind == CHAT_WHOLE ? "/openai/whole/chat/completions" : "/openai/paced/chat/completions";
    len = snprintf(body, sizeof body, "{\"model\":\"m\",\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":\"Question %lu: how do I keep the %s in order?\"}]}",
                   kind == CHAT_PACED ? "true" : "false", n, word);
  } else {
    len = snprintf(body, sizeof body, "{\"message\":\"Question %lu: how do I keep the %s in order while many writers add to it?\"%s}", n, word,
                   kind == ASK_STREAM ? ",\"stream\":true" : "");
  }
  return (size_t)snprintf(out, 2048, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                          path, keys[(kind == ASK_SAME ? ++number : n) % USERS], len, body);
}

typedef struct client {
  int fd;
  size_t have;
  double begun;
  char in[IN_MAX];
} client;

static void send_request(client *c, what kind) {
  char request[2048];
  size_t n = make_request(request, kind);
  c->have = 0;
  c->begun = now_us();
  if (send(c->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n) die("send", strerror(errno));
}

/* Whether the answer is whole. */
static bool take(client *c) {
  ssize_t n = recv(c->fd, c->in + c->have, IN_MAX - 1 - c->have, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n <= 0) die("a connection", "ended early");
  c->have += (size_t)n;
  c->in[c->have] = '\0';
  const char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "content-length:");
  if (!end || !length || length > end) return false;
  if (c->have < (size_t)(end + 4 - c->in) + strtoul(length + 15, NULL, 10)) return false;
  if (strncmp(c->in, "HTTP/1.1 200", 12) != 0) die("an answer", c->in);
  return true;
}

static double one_by_one(int port, what kind, int calls) {
  static client c;
  double *us = calloc((size_t)calls, sizeof *us);
  c.fd = dial(port);
  for (int i = 0; i < calls; i++) {
    send_request(&c, kind);
    while (!take(&c)) continue;
    us[i] = now_us() - c.begun;
  }
  close(c.fd);
  double p50 = at_part(us, (size_t)calls, .5);
  free(us);
  return p50;
}

typedef struct rate {
  double per_s, cpu_us;
} rate;

static rate in_flight(process p, what kind, int requests) {
  static client clients[IN_FLIGHT];
  struct epoll_event events[IN_FLIGHT];
  int epoll = epoll_create1(EPOLL_CLOEXEC), started = 0, done = 0;
  double begin = now_us(), cpu = processor_us(p.pid);
  for (; started < IN_FLIGHT; started++) {
    client *c = &clients[started];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    c->fd = dial(p.port);
    if (c->fd < 0) die("connect", strerror(errno));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
    send_request(c, kind);
  }
  while (done < requests) {
    int n = epoll_wait(epoll, events, IN_FLIGHT, 10000);
    if (n <= 0) die("64 in flight", "nothing goes on");
    for (int i = 0; i < n; i++) {
      client *c = events[i].data.ptr;
      if (!take(c)) continue;
      done++;
      if (started < requests) started++, send_request(c, kind);
    }
  }
  rate r = {requests / ((now_us() - begin) / 1e6), (processor_us(p.pid) - cpu) / requests};
  for (int i = 0; i < IN_FLIGHT; i++) close(clients[i].fd);
  close(epoll);
  return r;
}

static void keep_best(rate *best, rate r) {
  if (r.per_s > best->per_s) best->per_s = r.per_s;
  keep_least(&best->cpu_us, r.cpu_us);
}

/* Pages for the retrieve stage, where the server takes documents. */
static void add_documents(int port) {
  static client c;
  c.fd = dial(port);
  for (unsigned long i = 0; i < PAGES; i++) {
    char text[PAGE_MAX], body[1600], request[2048];
    page_text(i, text);
    int len = snprintf(body, sizeof body, "{\"uri\":\"page-%lu.txt\",\"title\":\"page %lu\",\"text\":\"%s\"}", i, i, text);
    int all = snprintf(request, sizeof request, "POST /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", keys[0], len, body);
    c.have = 0;
    if (send(c.fd, request, (size_t)all, MSG_NOSIGNAL) != all) die("send", strerror(errno));
    ssize_t got = recv(c.fd, c.in, IN_MAX - 1, 0);
    if (got <= 0) die("a document", "is not answered");
    c.in[got] = '\0';
    if (strncmp(c.in, "HTTP/1.1 2", 10) != 0) {
      if (i == 0) row("no_documents", 1, "the server takes no documents; nothing is retrieved");
      break;
    }
  }
  close(c.fd);
}

/* ---- figures ------------------------------------------------------------------------------------------------------------ */

static void figures_calls(int calls, int rounds) {
  double direct = 0, ours = 0, hit = 0, nginx = 0;
  process aiorch = start_aiorch("memory", "whole"), proxy = {0};
  add_documents(aiorch.port);
  if (has_nginx()) proxy = start_nginx();
  one_by_one(aiorch.port, ASK_NEW, 200);
  for (int i = 0; i < rounds; i++) {
    keep_least(&direct, one_by_one(upstream_port, CHAT_WHOLE, calls));
    if (proxy.pid) keep_least(&nginx, one_by_one(proxy.port, CHAT_WHOLE, calls));
    keep_least(&ours, one_by_one(aiorch.port, ASK_NEW, calls));
    keep_least(&hit, one_by_one(aiorch.port, ASK_SAME, calls));
  }
  row("direct_p50_us", direct, "the provider alone, 1 in flight, p50, us");
  row("added_p50_us", ours - direct, "aiorch adds, p50, us");
  if (proxy.pid) row("nginx_added_p50_us", nginx - direct, "  nginx as a plain proxy adds, p50, us");
  row("hit_p50_us", hit, "an exact hit, all of it, p50, us");
  stop(aiorch);
  if (proxy.pid) stop(proxy);
}

static void figures_requests(int requests, int rounds, const char *store, const char *name) {
  rate ours = {0}, hits = {0}, nginx = {0};
  bool memory = strcmp(store, "memory") == 0;
  process aiorch = start_aiorch(store, "whole"), proxy = {0};
  double idle = resident_mib(aiorch.pid);
  char key[64];
  add_documents(aiorch.port);
  if (has_nginx() && memory) proxy = start_nginx();
  in_flight(aiorch, ASK_NEW, 2000);
  for (int i = 0; i < rounds; i++) {
    keep_best(&ours, in_flight(aiorch, ASK_NEW, requests));
    if (memory) keep_best(&hits, in_flight(aiorch, ASK_SAME, requests));
    if (proxy.pid) keep_best(&nginx, in_flight(proxy, CHAT_WHOLE, requests));
  }
  snprintf(key, sizeof key, "%s_calls_per_s", name);
  row(key, ours.per_s, "calls a second, 64 in flight, %s", name);
  snprintf(key, sizeof key, "%s_cpu_us", name);
  row(key, ours.cpu_us, "  processor a call, us");
  if (memory) row("hits_per_s", hits.per_s, "exact hits a second"), row("hits_cpu_us", hits.cpu_us, "  processor a hit, us");
  if (proxy.pid) row("nginx_calls_per_s", nginx.per_s, "nginx as a plain proxy, calls a second"), row("nginx_cpu_us", nginx.cpu_us, "  processor a call, us");
  if (memory) row("idle_mib", idle, "resident when it has started, MiB");
  stop(aiorch);
  if (proxy.pid) stop(proxy);
}

/* ---- streams ------------------------------------------------------------------------------------------------------------ */

typedef struct stream {
  int fd;
  pieces pieces;
  size_t carried; /* of a line that is not whole */
  bool ended;
  char line[4096];
  char text[DELTAS * DELTA_BYTES + 64];
} stream;

static void note_text(stream *s, const char *text, size_t len, size_t held) {
  if (s->pieces.bytes + len >= sizeof s->text) die("a stream", "is too long");
  memcpy(s->text + s->pieces.bytes, text, len);
  pieces_note(&s->pieces, len, held);
}

static void take_line(stream *s, const char *line, size_t held) {
  const char *delta = strstr(line, held ? "{\"delta\":\"" : "{\"content\":\"");
  if (strstr(line, held ? "event: done" : "data: [DONE]")) s->ended = true;
  if (strstr(line, "event: error")) die("a stream", line);
  if (!delta) return;
  delta = strchr(delta, ':') + 2;
  const char *end = strchr(delta, '"');
  if (end && end > delta) note_text(s, delta, (size_t)(end - delta), held);
}

/* False: nothing more comes. */
static bool take_stream(stream *s, size_t held) {
  char in[16384];
  for (;;) {
    ssize_t n = recv(s->fd, in, sizeof in, MSG_DONTWAIT);
    if (n < 0) return true;
    if (n == 0) return false;
    for (ssize_t i = 0; i < n; i++) {
      if (in[i] != '\n' && s->carried < sizeof s->line - 1) s->line[s->carried++] = in[i];
      if (in[i] != '\n') continue;
      s->line[s->carried] = '\0';
      take_line(s, s->line, held);
      s->carried = 0;
    }
  }
}

static size_t added_gaps(const stream *s, double *added) {
  if (!s->ended) die("a stream", "is not whole");
  return pieces_gaps(&s->pieces, s->text, s->pieces.bytes, added);
}

static void open_stream(int epoll, stream *s, int port, what kind) {
  char request[2048];
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
  s->fd = dial(port);
  if (s->fd < 0) die("connect", strerror(errno));
  epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event);
  size_t n = make_request(request, kind);
  if (send(s->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n) die("send", strerror(errno));
}

static void figures_streams(int count, bool nginx) {
  stream *streams = calloc((size_t)count, sizeof *streams);
  double *added = calloc((size_t)count * DELTAS, sizeof *added);
  struct epoll_event events[256];
  process p = nginx ? start_nginx() : start_aiorch("memory", "paced");
  size_t held = nginx ? 0 : HELD_BACK, n = 0;
  int epoll = epoll_create1(EPOLL_CLOEXEC), begun = 0, ended = 0;
  double begin = now_us(), cpu = processor_us(p.pid), idle = resident_mib(p.pid), most = 0;
  const char *name = nginx ? "nginx_" : "";
  char key[64];
  while (ended < count) {
    while (begun < count && now_us() >= begin + (double)begun * 1500000 / count) open_stream(epoll, &streams[begun++], p.port, nginx ? CHAT_PACED : ASK_STREAM);
    int got = epoll_wait(epoll, events, 256, begun < count ? 1 : 20000);
    if (got == 0 && begun == count) die("streams", "nothing goes on");
    for (int i = 0; i < got; i++) {
      stream *s = events[i].data.ptr;
      bool open = take_stream(s, held);
      if (s->fd >= 0 && (s->ended || !open)) {
        if (ended == 0) most = resident_mib(p.pid);
        close(s->fd);
        s->fd = -1;
        ended++;
      }
    }
  }
  cpu = processor_us(p.pid) - cpu;
  for (int i = 0; i < count; i++) n += added_gaps(&streams[i], added + n);
  snprintf(key, sizeof key, "%sstreams", name);
  row(key, count, "%sstreams at once, all complete", nginx ? "nginx: " : "");
  snprintf(key, sizeof key, "%sgap_p50_ms", name);
  row(key, at_part(added, n, .5) / 1e3, "  added gap p50, ms");
  snprintf(key, sizeof key, "%sgap_p99_ms", name);
  row(key, at_part(added, n, .99) / 1e3, "  added gap p99, ms");
  snprintf(key, sizeof key, "%sdelta_cpu_us", name);
  row(key, cpu / ((double)count * DELTAS), "  processor a delta, us");
  snprintf(key, sizeof key, "%sstreams_mib", name);
  row(key, most, "  resident with all of them, MiB (idle %.1f)", idle);
  snprintf(key, sizeof key, "%safter_mib", name);
  sleep(3); /* memory that nobody needs goes back when there is nothing to do */
  row(key, resident_mib(p.pid), "  resident after them, MiB");
  stop(p);
  close(epoll);
  free(streams);
  free(added);
}

int main(int argc, char **argv) {
  int calls = 1000, requests = 20000, streams = 1000, rounds = 3;
  const char *part = "";
  char place[SCRATCH_MAX], path[1024], store[4200];
  const char *slash = strrchr(argv[0], '/');
  snprintf(path, sizeof path, "%.*s/../../examples/cli/aiorch", slash ? (int)(slash - argv[0]) : 1, slash ? argv[0] : ".");
  program = path;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0) figures_json = true;
    else if (strcmp(argv[i], "--no-pin") == 0) pinned = false;
    else if (strcmp(argv[i], "--aiorch") == 0 && i + 1 < argc) program = argv[++i];
    else if (strcmp(argv[i], "--calls") == 0 && i + 1 < argc) calls = atoi(argv[++i]);
    else if (strcmp(argv[i], "--requests") == 0 && i + 1 < argc) requests = atoi(argv[++i]);
    else if (strcmp(argv[i], "--streams") == 0 && i + 1 < argc) streams = atoi(argv[++i]);
    else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) rounds = atoi(argv[++i]);
    else if (strcmp(argv[i], "--part") == 0 && i + 1 < argc) part = argv[++i];
    else return fprintf(stderr, "usage: server_calls [--json] [--aiorch PROGRAM] [--calls N] [--requests N] [--streams N] [--rounds N] [--part calls|memory|sqlite|streams] [--no-pin]\n"), 2;
  }
  scratch_make(place);
  chmod(place, 0755);
  folder = place;
  snprintf(store, sizeof store, "%s/store", place);
  struct rlimit files = {0};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  signal(SIGPIPE, SIG_IGN);
  unsetenv("http_proxy");
  unsetenv("ANTHROPIC_API_KEY");
  unsetenv("OPENAI_API_KEY");
  setenv("HOME", place, 1);
  upstream_port = upstream_start(argv[0], pinned);
  make_keys();
  if (pinned) upstream_pin(1);
  if (!*part || strcmp(part, "calls") == 0) figures_calls(calls, rounds);
  if (!*part || strcmp(part, "memory") == 0) figures_requests(requests, rounds, "memory", "memory");
  if (!*part || strcmp(part, "sqlite") == 0) figures_requests(requests / 2, rounds, store, "sqlite");
  if ((!*part || strcmp(part, "streams") == 0) && streams > 0) figures_streams(streams, false);
  if ((!*part || strcmp(part, "streams") == 0) && streams > 0 && has_nginx()) figures_streams(streams, true);
  rows_end();
  upstream_stop();
  scratch_remove(place);
  return 0;
}
