/*
 * The HTTP engine over real sockets, with an upstream that answers at once on the other processor (support/instant_server.c).
 *
 *   http_engine [--json] [--requests N] [--streams N] [--rounds N] [--no-pin] [--no-peers]
 *
 * requests   N whole exchanges, 64 in flight, driven by one thread: beside a bare loop of curl_multi_socket_action with epoll and one
 *            of curl_multi_perform, whose handles are used again, in the same process and in turns (best of --rounds of each)
 * streams    N streams at once, 64 events at 20 ms, driven by one thread: how much later than they were sent two events come than
 *            the two were sent apart (added gap), and how late each is
 * memory     what a stream that stands still adds to the process
 */
#include <curl/curl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "support/http_client.h"
#include "support/upstream.h"

enum { IN_FLIGHT = 64, DELTAS = 64, IDLE_STREAMS = 1000, BODY_BYTES = 200 };

static const char BODY[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a question of some words\"}]}";
static char url[128];
static int port;

static int64_t now_ns(void) {
  return aio__clock_now(aio__clock_system());
}

static aio__wire_request wire; /* made once, as the peers' headers are */

static void set_url(const char *path) {
  snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
  aio__buf_reset(&wire.url);
  aio__buf_z(&wire.url, url);
}

/* ---- those that are ready ---------------------------------------------------------------------------------------------- */

typedef struct stream {
  struct ready_list *list;
  struct stream *next;
  bool queued;
  aio__waker *waker;
  aio__exchange *exchange;
  int64_t sent_before, came_before;
  int events;
  size_t bytes;
} stream;

typedef struct ready_list {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  stream *first, *last;
} ready_list;

static ready_list ready = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, NULL};

static void on_ready(void *ctx) {
  stream *s = ctx;
  pthread_mutex_lock(&ready.mutex);
  if (!s->queued) {
    s->queued = true;
    s->next = NULL;
    if (ready.first) ready.last->next = s;
    else ready.first = s, pthread_cond_signal(&ready.cond);
    ready.last = s;
  }
  pthread_mutex_unlock(&ready.mutex);
}

static stream *next_ready(void) {
  pthread_mutex_lock(&ready.mutex);
  while (!ready.first) pthread_cond_wait(&ready.cond, &ready.mutex);
  stream *s = ready.first;
  ready.first = s->next;
  s->queued = false;
  pthread_mutex_unlock(&ready.mutex);
  return s;
}

static void make_wire(void) {
  aio__wire_request_init(&wire, aio__alloc_default());
  if (aio__buf_z(&wire.body, BODY) != AIORCH_OK || aio__wire_add_header(&wire, AIO__LIT("Content-Type"), AIO__LIT("application/json"), false, NULL) != AIORCH_OK)
    abort();
  wire.framing = AIO__WIRE_SSE;
}

static void begin(aio__transport *t, stream *s) {
  aio__exchange_limits limits = {.deadline_ns = aio__clock_after_ms(aio__clock_system(), 120000), .connect_ms = 60000,
                                 .first_byte_ms = 60000, .idle_ms = 60000, .response_max = 1 << 20};
  if (t->start(t, &wire, &limits, s->waker, &s->exchange, NULL) != AIORCH_OK) abort();
}

static void new_waker(stream *s) {
  if (aio__waker_new(aio__alloc_default(), aio__clock_system(), &s->waker) != AIORCH_OK) abort();
  aio__waker_on_ready(s->waker, on_ready, s);
}

static void free_waker(stream *s) {
  aio__waker_on_ready(s->waker, NULL, NULL);
  aio__waker_release(s->waker);
}

/* ---- requests ---------------------------------------------------------------------------------------------------------- */

typedef struct figure {
  double per_s, cpu_us; /* the best of the rounds; microseconds of processor a request, of all threads of this process */
} figure;

typedef struct stopwatch {
  int64_t wall;
  double cpu;
} stopwatch;

static double cpu_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static stopwatch start_watch(void) {
  return (stopwatch){now_ns(), cpu_s()};
}

static void note(figure *best, stopwatch start, int requests) {
  double per_s = requests / ((double)(now_ns() - start.wall) / 1e9), cpu_us = (cpu_s() - start.cpu) * 1e6 / requests;
  if (per_s > best->per_s) best->per_s = per_s;
  if (best->cpu_us == 0 || cpu_us < best->cpu_us) best->cpu_us = cpu_us;
}

static void engine_requests(aio__transport *t, int requests, figure *best) {
  stream streams[IN_FLIGHT] = {0};
  aio__buf body;
  int started = 0, done = 0;
  aio__buf_init(&body, aio__alloc_default(), 1 << 20);
  stopwatch start = start_watch();
  for (int i = 0; i < IN_FLIGHT; i++, started++) {
    new_waker(&streams[i]);
    begin(t, &streams[i]);
  }
  while (done < requests) {
    stream *s = next_ready();
    aio__wire_error error;
    aio__waker_clear(s->waker);
    t->take(s->exchange, &body);
    s->bytes += body.n;
    aio__buf_reset(&body);
    aiorch_status status = t->state(s->exchange, &error);
    if (status == AIORCH_PENDING) continue;
    if (status != AIORCH_OK || s->bytes != BODY_BYTES) {
      fprintf(stderr, "a request failed: %s\n", status == AIORCH_OK ? "another length" : error.message);
      exit(1);
    }
    t->drop(s->exchange);
    s->bytes = 0;
    done++;
    if (started < requests) started++, begin(t, s);
  }
  note(best, start, requests);
  for (int i = 0; i < IN_FLIGHT; i++) free_waker(&streams[i]);
  aio__buf_free(&body);
}

static size_t count_bytes(char *bytes, size_t size, size_t count, void *ctx) {
  (void)bytes;
  *(size_t *)ctx += size * count;
  return size * count;
}

static size_t bare_bytes;

static CURL *bare_handle(struct curl_slist *headers) {
  CURL *curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, BODY);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)sizeof BODY - 1);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count_bytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &bare_bytes);
  return curl;
}

/* Takes what has ended and begins as many again; the number of those that ended. */
static int turn_over(CURLM *multi, int *started, int requests) {
  CURLMsg *message;
  int left, done = 0;
  while ((message = curl_multi_info_read(multi, &left)) != NULL) {
    CURL *curl = message->easy_handle;
    if (message->data.result != CURLE_OK) abort();
    curl_multi_remove_handle(multi, curl);
    done++;
    if (*started < requests) {
      curl_easy_setopt(curl, CURLOPT_URL, url);
      ++*started;
      curl_multi_add_handle(multi, curl);
    }
  }
  return done;
}

typedef struct bare {
  int epoll;
  long timeout_ms;
} bare;

static int bare_socket(CURL *curl, curl_socket_t fd, int what, void *ctx, void *known) {
  bare *b = ctx;
  struct epoll_event event = {.data.fd = fd};
  (void)curl;
  (void)known;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) event.events |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) event.events |= EPOLLOUT;
  if (what == CURL_POLL_REMOVE) epoll_ctl(b->epoll, EPOLL_CTL_DEL, fd, &event);
  else if (epoll_ctl(b->epoll, EPOLL_CTL_MOD, fd, &event) != 0) epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &event);
  return 0;
}

static int bare_timer(CURLM *multi, long ms, void *ctx) {
  (void)multi;
  ((bare *)ctx)->timeout_ms = ms;
  return 0;
}

static void bare_requests(int requests, bool sockets, figure *best) {
  struct curl_slist *headers = curl_slist_append(curl_slist_append(NULL, "Content-Type: application/json"), "Expect:");
  CURL *handles[IN_FLIGHT];
  CURLM *multi = curl_multi_init();
  bare b = {sockets ? epoll_create1(EPOLL_CLOEXEC) : -1, -1};
  int started = 0, done = 0, running;
  if (sockets) {
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, bare_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, &b);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, bare_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, &b);
  }
  stopwatch start = start_watch();
  for (int i = 0; i < IN_FLIGHT; i++, started++) {
    handles[i] = bare_handle(headers);
    curl_multi_add_handle(multi, handles[i]);
  }
  while (done < requests) {
    if (!sockets) {
      curl_multi_perform(multi, &running);
      done += turn_over(multi, &started, requests);
      if (done < requests) curl_multi_poll(multi, NULL, 0, 1000, NULL);
      continue;
    }
    struct epoll_event events[128];
    int n = epoll_wait(b.epoll, events, 128, b.timeout_ms < 0 ? 1000 : (int)b.timeout_ms);
    if (n == 0 || b.timeout_ms == 0) curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    for (int i = 0; i < n; i++) {
      int mask = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
      curl_multi_socket_action(multi, events[i].data.fd, mask, &running);
    }
    done += turn_over(multi, &started, requests);
  }
  note(best, start, requests);
  for (int i = 0; i < IN_FLIGHT; i++) {
    curl_multi_remove_handle(multi, handles[i]);
    curl_easy_cleanup(handles[i]);
  }
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  if (sockets) close(b.epoll);
}

/* ---- streams ------------------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

static double at_part(int64_t *values, size_t n, double part) {
  size_t at = (size_t)((double)n * part);
  return n == 0 ? 0 : (double)values[at < n ? at : n - 1] / 1e6;
}

typedef struct gaps {
  int64_t *added, *late;
  size_t added_n, late_n;
  int complete, failed;
} gaps;

/* Each event says when it was sent. Several may have come at once. */
static void read_events(stream *s, const aio__buf *body, gaps *g) {
  int64_t came = now_ns();
  const char *at = aio__buf_cstr(body);
  while ((at = strstr(at, "\"at\":")) != NULL) {
    int64_t sent = strtoll(at += 5, NULL, 10);
    if (s->events++ > 0) {
      int64_t added = (came - s->came_before) - (sent - s->sent_before);
      g->added[g->added_n++] = added > 0 ? added : 0;
    }
    g->late[g->late_n++] = came - sent;
    s->sent_before = sent;
    s->came_before = came;
  }
}

static gaps engine_streams(aio__transport *t, int count, double *cpu) {
  stream *streams = calloc((size_t)count, sizeof *streams);
  gaps g = {malloc((size_t)count * DELTAS * 8), malloc((size_t)count * DELTAS * 8), 0, 0, 0, 0};
  aio__buf body;
  if (!streams || !g.added || !g.late) abort();
  aio__buf_init(&body, aio__alloc_default(), 1 << 20);
  set_url("/stream");
  *cpu = cpu_s();
  for (int i = 0, out = 0; out < count;) {
    if (i < count) { /* begun one after the other, over a second and a half, while those that run are served */
      new_waker(&streams[i]);
      begin(t, &streams[i++]);
      int64_t until = now_ns() + INT64_C(1500000000) / count;
      pthread_mutex_lock(&ready.mutex);
      bool some = ready.first != NULL;
      pthread_mutex_unlock(&ready.mutex);
      if (!some) {
        struct timespec pause = {0, (long)(until - now_ns() > 0 ? until - now_ns() : 0)};
        if (i < count) nanosleep(&pause, NULL);
        if (i < count) continue;
      }
    }
    stream *s = next_ready();
    aio__wire_error error;
    aio__waker_clear(s->waker);
    t->take(s->exchange, &body);
    read_events(s, &body, &g);
    aio__buf_reset(&body);
    aiorch_status status = t->state(s->exchange, &error);
    if (status == AIORCH_PENDING) continue;
    if (status == AIORCH_OK && s->events == DELTAS) g.complete++;
    else if (g.failed++ == 0) fprintf(stderr, "a stream failed: %s\n", error.message);
    t->drop(s->exchange);
    out++;
  }
  *cpu = cpu_s() - *cpu;
  for (int i = 0; i < count; i++) free_waker(&streams[i]);
  free(streams);
  aio__buf_free(&body);
  qsort(g.added, g.added_n, sizeof *g.added, by_size);
  qsort(g.late, g.late_n, sizeof *g.late, by_size);
  return g;
}

/* ---- memory --------------------------------------------------------------------------------------------------------------- */

static double resident_kb(void) {
  long pages = 0, all = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%ld %ld", &all, &pages) != 2) abort();
  fclose(f);
  return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static double memory_of_streams(aio__transport *t) {
  static stream streams[IDLE_STREAMS];
  aio__buf body;
  aio__buf_init(&body, aio__alloc_default(), 1 << 20);
  memset(streams, 0, sizeof streams);
  set_url("/stall");
  malloc_trim(0);
  double before = resident_kb();
  for (int i = 0; i < IDLE_STREAMS; i++) {
    new_waker(&streams[i]);
    begin(t, &streams[i]);
    while (streams[i].bytes == 0) {
      stream *s = next_ready();
      aio__waker_clear(s->waker);
      t->take(s->exchange, &body);
      s->bytes += body.n;
      aio__buf_reset(&body);
    }
  }
  double kb = (resident_kb() - before) / IDLE_STREAMS;
  for (int i = 0; i < IDLE_STREAMS; i++) {
    t->drop(streams[i].exchange);
    free_waker(&streams[i]);
  }
  aio__buf_free(&body);
  return kb;
}

/* ---- all of it -------------------------------------------------------------------------------------------------------------- */

static void print_requests(bool json, int requests, const figure *engine, const figure *socket, const figure *perform) {
  const figure *best = socket->per_s > perform->per_s ? socket : perform;
  double least = socket->cpu_us < perform->cpu_us ? socket->cpu_us : perform->cpu_us;
  if (requests == 0) return;
  if (json)
    printf("{\"requests\":%d,\"engine_per_s\":%.0f,\"curl_socket_per_s\":%.0f,\"curl_perform_per_s\":%.0f,\"ratio\":%.3f,"
           "\"engine_cpu_us\":%.2f,\"curl_socket_cpu_us\":%.2f,\"curl_perform_cpu_us\":%.2f,\"cpu_ratio\":%.3f}\n",
           requests, engine->per_s, socket->per_s, perform->per_s, engine->per_s / best->per_s, engine->cpu_us, socket->cpu_us,
           perform->cpu_us, least / engine->cpu_us);
  else
    printf("requests a second, %d in flight: engine %.0f, curl_multi_socket_action %.0f, curl_multi_perform %.0f: %.2f of the better\n"
           "processor a request: engine %.1f, curl_multi_socket_action %.1f, curl_multi_perform %.1f microseconds: %.2f of the better\n",
           IN_FLIGHT, engine->per_s, socket->per_s, perform->per_s, engine->per_s / best->per_s, engine->cpu_us, socket->cpu_us,
           perform->cpu_us, least / engine->cpu_us);
}

static void print_streams(bool json, int count, gaps *g, double cpu) {
  double p50 = at_part(g->added, g->added_n, .5), p99 = at_part(g->added, g->added_n, .99), worst = at_part(g->added, g->added_n, 1);
  double late50 = at_part(g->late, g->late_n, .5), late99 = at_part(g->late, g->late_n, .99);
  if (json)
    printf("{\"streams\":%d,\"complete\":%d,\"failed\":%d,\"added_gap_p50_ms\":%.3f,\"added_gap_p99_ms\":%.3f,\"added_gap_max_ms\":%.3f,"
           "\"late_p50_ms\":%.3f,\"late_p99_ms\":%.3f,\"cpu_s\":%.2f}\n", count, g->complete, g->failed, p50, p99, worst, late50, late99, cpu);
  else
    printf("%5d streams: %d complete, %d failed; added gap p50 %.2f, p99 %.2f, worst %.1f ms; late p50 %.2f, p99 %.2f ms; %.2f s of processor\n",
           count, g->complete, g->failed, p50, p99, worst, late50, late99, cpu);
}

int main(int argc, char **argv) {
  int requests = 20000, streams = 1000, rounds = 5;
  bool json = false, pinned = true, peers = true;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0) json = true;
    else if (strcmp(argv[i], "--no-pin") == 0) pinned = false;
    else if (strcmp(argv[i], "--no-peers") == 0) peers = false;
    else if (strcmp(argv[i], "--requests") == 0 && i + 1 < argc) requests = atoi(argv[++i]);
    else if (strcmp(argv[i], "--streams") == 0 && i + 1 < argc) streams = atoi(argv[++i]);
    else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) rounds = atoi(argv[++i]);
    else return fprintf(stderr, "usage: http_engine [--json] [--requests N] [--streams N] [--rounds N] [--no-pin] [--no-peers]\n"), 2;
  }
  http_forget_proxies();
  signal(SIGPIPE, SIG_IGN);
  make_wire();
  port = upstream_start(argv[0], pinned);
  if (pinned) upstream_pin(0);
  aio__http_options options = {.connections_max = 20000, .connections_per_host = 20000};
  aio__transport *t;
  if (aio__http_open(&options, aio__alloc_default(), aio__clock_system(), NULL, NULL, &t, NULL) != AIORCH_OK) abort();
  figure engine = {0}, socket = {0}, perform = {0};
  double kb = memory_of_streams(t);
  set_url("/answer");
  for (int i = 0; requests > 0 && i < rounds; i++) {
    engine_requests(t, requests, &engine);
    if (peers) bare_requests(requests, true, &socket);
    if (peers) bare_requests(requests, false, &perform);
  }
  print_requests(json, requests, &engine, &socket, &perform);
  printf(json ? "{\"stream_kb\":%.1f}\n" : "memory a stream: %.1f kB\n", kb);
  if (streams > 0) {
    double cpu = 0;
    gaps g = engine_streams(t, streams, &cpu);
    print_streams(json, streams, &g, cpu);
    free(g.added);
    free(g.late);
  }
  t->close(t);
  aio__wire_request_free(&wire);
  upstream_stop();
  return 0;
}
