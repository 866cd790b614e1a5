/*
 * HTTP/2 against a server that we did not write (http2_server.mjs: node's module, which is nghttp2): hundreds of exchanges at once over
 * connections that they share, streams that are reset, GOAWAY and broken connections in the midst, exchanges that are dropped; streams
 * that are refused; and one that nobody reads beside those that are read.
 *
 *   http2_stress [--seed N] [--rounds N]     needs node and openssl
 *
 * What must hold: nobody waits for ever; a body is right byte by byte, or it is said that the exchange failed; only what the server harms fails,
 * which is what shares a connection that broke; afterwards memory and descriptors are what they were.
 *
 * With libcurl 7.88, 8.5, 8.14 and 8.22 streams stand still now and then when others are refused, or their connection goes away, and it
 * tries them again by itself; a loop of curl_multi alone shows the same. They end by the limits of time (connect, first byte, idle),
 * and are counted. Streams are refused one after the other here. That is why HTTP/2 is only used when it is asked for (http.version).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "http2_peer.h"
#include "support/http_client.h"
#include "support/test_alloc.h"

enum { STALL_MS = 10000, THREADS = 4, AT_ONCE = 64, WATCHDOG_S = 240, SLOW_BYTES = 2 << 20, BODY_MAX = 40000, CALM_MORE = 3 };

typedef enum kind { WHOLE, PACED, RESET, REFUSED, GOAWAY, BROKEN, KINDS } kind;

static const char *const names[KINDS] = {"whole", "paced", "reset", "refused", "goaway", "broken"};

static aio__test_alloc memory;
static aio__transport *transport;
static bool calm; /* no faults, no drops */

/* ---- one exchange ------------------------------------------------------------------------------------------------- */

typedef struct trial {
  kind what;
  size_t size, drop_at; /* SIZE_MAX: it is read to its end */
  aio__exchange *exchange;
  aio__buf body;
} trial;

typedef struct worker {
  pthread_t thread;
  uint64_t seed;
  int rounds;
  int whole[KINDS], failed[KINDS], dropped, stalled, wrong;
  char words[HTTP2_LINE]; /* of the last that failed */
} worker;

static uint64_t next(uint64_t *seed) {
  *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17;
  return *seed;
}

static char byte_of(size_t n, size_t i) {
  return (char)('a' + (n * 7 + i * 31 + (i >> 8)) % 26);
}

static bool is_begin(const trial *t) {
  for (size_t i = 0; i < t->body.n; i++) {
    if (i >= t->size || t->body.p[i] != byte_of(t->size, i)) return false;
  }
  return true;
}

static void begin(worker *w, trial *t, aio__waker *waker) {
  char url[128];
  uint64_t r = next(&w->seed);
  unsigned lot = (unsigned)(r >> 16) % (calm ? 170 : 200);
  t->what = lot < 90 ? WHOLE : lot < 170 ? PACED : lot < 196 ? RESET : lot < 199 ? GOAWAY : BROKEN;
  t->size = 64 + (size_t)(r >> 24) % BODY_MAX;
  t->drop_at = !calm && r % 8 == 0 ? (size_t)(r >> 4) % t->size : SIZE_MAX;
  aio__buf_init(&t->body, aio__alloc_default(), 1 << 20);
  snprintf(url, sizeof url, "https://127.0.0.1:%d/%s/%zu", http2_peer_port(), names[t->what], t->size);
  http_ask ask = {.url = url, .body = "{}", .key = "k", .framing = AIO__WIRE_SSE, .deadline_ms = 120000,
                  .limits = {.buffer_max = 4 << 10, .connect_ms = STALL_MS, .first_byte_ms = STALL_MS, .idle_ms = STALL_MS}};
  if (http_start(transport, &memory.al, &ask, waker, &t->exchange, NULL) != AIORCH_OK) abort();
}

/* True when it is over. */
static bool look(worker *w, trial *t) {
  aio__wire_error error = {0};
  transport->take(t->exchange, &t->body);
  aiorch_status status = transport->state(t->exchange, &error);
  bool drops = t->body.n >= t->drop_at && status == AIORCH_PENDING;
  if (status == AIORCH_PENDING && !drops) return false;
  if (!is_begin(t)) w->wrong++;
  else if (drops) w->dropped++;
  else if (status == AIORCH_OK && t->body.n == t->size) w->whole[t->what]++;
  else if (status == AIORCH_E_NETWORK && strstr(error.message, " limit)")) w->stalled++;
  else if (status == AIORCH_E_NETWORK) w->failed[t->what]++, snprintf(w->words, sizeof w->words, "%s: %s", names[t->what], error.message);
  else w->wrong++, printf("  FAILED: %s: %d, %zu of %zu bytes: %s\n", names[t->what], (int)status, t->body.n, t->size, error.message);
  transport->drop(t->exchange);
  aio__buf_free(&t->body);
  t->exchange = NULL;
  return true;
}

static void *work(void *ctx) {
  worker *w = ctx;
  trial trials[AT_ONCE];
  aio__waker *waker;
  if (aio__waker_new(&memory.al, aio__clock_system(), &waker) != AIORCH_OK) abort();
  int left = AT_ONCE * w->rounds, out = 0;
  for (int i = 0; i < AT_ONCE; i++, left--, out++) begin(w, &trials[i], waker);
  while (out > 0) {
    aio__waker_clear(waker);
    bool moved = false;
    for (int i = 0; i < AT_ONCE; i++) {
      if (!trials[i].exchange || !look(w, &trials[i])) continue;
      moved = true;
      out--;
      if (left > 0) begin(w, &trials[i], waker), left--, out++;
    }
    if (!moved) aio__waker_wait(waker, AIO__NEVER);
  }
  aio__waker_release(waker);
  return NULL;
}

static int stress(uint64_t seed, int rounds) {
  worker workers[THREADS], sum = {0};
  int64_t connections, requests, dropped, before, requests_before;
  http2_peer_seen(&before, &requests_before, &dropped);
  int broken = 0, bad = 0;
  for (int i = 0; i < THREADS; i++) {
    workers[i] = (worker){.seed = seed * 1000003 + (uint64_t)i * 7919 + 1, .rounds = rounds};
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) abort();
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    for (int k = 0; k < KINDS; k++) sum.whole[k] += workers[i].whole[k], sum.failed[k] += workers[i].failed[k];
    sum.dropped += workers[i].dropped;
    sum.stalled += workers[i].stalled;
    sum.wrong += workers[i].wrong;
    if (workers[i].words[0]) printf("  %s\n", workers[i].words);
  }
  http2_peer_seen(&connections, &requests, &dropped);
  for (int k = 0; k < KINDS; k++)
    if (k != REFUSED) printf("  %-8s %5d whole, %4d failed\n", names[k], sum.whole[k], sum.failed[k]);
  broken = sum.failed[WHOLE] + sum.failed[PACED] + sum.failed[GOAWAY];
  printf("  dropped  %5d, stood still %d; %d connections for %d requests, of which the server saw %d dropped\n", sum.dropped, sum.stalled,
         (int)(connections - before), (int)(requests - requests_before), (int)dropped);
  if (calm) /* what is out at once needs three; nothing fails, nothing waits */
    return sum.wrong > 0 || sum.stalled > 0 || broken > 0 || connections - before > THREADS * AT_ONCE / AIO__HTTP_STREAMS_MAX + CALM_MORE;
  /* What the server harms it harms; beside that only those fail that share a connection with one that broke. */
  bad += sum.wrong > 0 || sum.whole[RESET] > 0 || sum.whole[BROKEN] > 0 || sum.whole[WHOLE] == 0 || sum.whole[PACED] == 0;
  bad += broken > (sum.failed[BROKEN] + sum.failed[GOAWAY] + sum.dropped) * 100;
  bad += connections - before > (requests - requests_before) / 4;
  return bad;
}

/* One that nobody reads; others over the same connection do not wait for it, and afterwards it is whole. */
static int slow_beside_fast(void) {
  char url[128];
  worker w = {0};
  trial slow = {.what = PACED, .size = SLOW_BYTES, .drop_at = SIZE_MAX};
  aio__waker *waker;
  int bad = 0;
  if (aio__waker_new(&memory.al, aio__clock_system(), &waker) != AIORCH_OK) abort();
  aio__buf_init(&slow.body, aio__alloc_default(), 8 << 20);
  snprintf(url, sizeof url, "https://127.0.0.1:%d/paced/%d", http2_peer_port(), SLOW_BYTES);
  http_ask ask = {.url = url, .body = "{}", .framing = AIO__WIRE_SSE, .deadline_ms = 120000, .limits = {.buffer_max = 4 << 10, .response_max = 4 << 20}};
  if (http_start(transport, &memory.al, &ask, waker, &slow.exchange, NULL) != AIORCH_OK) abort();
  while (!transport->head(slow.exchange) && transport->state(slow.exchange, NULL) == AIORCH_PENDING) {
    aio__waker_wait(waker, AIO__NEVER);
    aio__waker_clear(waker);
  }
  for (int i = 0; i < 20; i++) {
    http_answer a;
    http_answer_init(&a);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/paced/%d", http2_peer_port(), 1000 + i);
    http_do(transport, &memory.al, &(http_ask){.url = url, .body = "{}"}, &a);
    bad += a.status != AIORCH_OK || a.body.n != (size_t)(1000 + i);
    http_answer_free(&a);
  }
  for (; !look(&w, &slow); aio__waker_clear(waker)) aio__waker_wait(waker, AIO__NEVER);
  bad += w.whole[PACED] != 1;
  printf("  one that nobody reads: %d of 20 beside it failed, and it is %s\n", bad, w.whole[PACED] == 1 ? "whole" : "not whole");
  aio__waker_release(waker);
  return bad;
}

static int refused(void) {
  char url[128];
  int bad = 0;
  for (int i = 0; i < 40; i++) {
    http_answer a;
    http_answer_init(&a);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/%s/%d", http2_peer_port(), names[i % 2 ? WHOLE : REFUSED], 1000 + i);
    http_do(transport, &memory.al, &(http_ask){.url = url, .body = "{}"}, &a);
    bad += i % 2 ? a.status != AIORCH_OK || a.body.n != (size_t)(1000 + i) : a.status != AIORCH_E_NETWORK;
    http_answer_free(&a);
  }
  printf("  20 that are refused, and one after each: %d not as they should be\n", bad);
  return bad;
}

/* The server speaks nothing else, and says so to those that do not ask for it. */
static int not_unless_asked_for(const char *ca) {
  aio__http_options options = {.ca_file = ca};
  aio__transport *plain;
  char url[128];
  http_answer a;
  if (aio__http_open(&options, &memory.al, aio__clock_system(), NULL, NULL, &plain, NULL) != AIORCH_OK) abort();
  http_answer_init(&a);
  snprintf(url, sizeof url, "https://127.0.0.1:%d/whole/100", http2_peer_port());
  http_do(plain, &memory.al, &(http_ask){.url = url, .body = "{}"}, &a);
  int bad = a.http_status == 200;
  printf("  without http.version 2: %s\n", bad ? "HTTP/2 all the same" : "HTTP/1.1");
  http_answer_free(&a);
  plain->close(plain);
  return bad;
}

int main(int argc, char **argv) {
  char ca[HTTP2_LINE];
  uint64_t seed = (uint64_t)time(NULL) * 31 + (uint64_t)getpid();
  int rounds = 10;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--seed") == 0) seed = strtoull(argv[i + 1], NULL, 10);
    if (strcmp(argv[i], "--rounds") == 0) rounds = atoi(argv[i + 1]);
  }
  http_forget_proxies();
  http_watchdog(WATCHDOG_S);
  if (!http2_peer_start(ca)) return 77;
  printf("seed %llu\n", (unsigned long long)seed);
  aio__test_alloc_init(&memory);
  size_t descriptors = http_open_descriptors();
  aio__http_options options = {.ca_file = ca, .http2 = true};
  if (aio__http_open(&options, &memory.al, aio__clock_system(), NULL, NULL, &transport, NULL) != AIORCH_OK) abort();
  int bad = not_unless_asked_for(ca) + slow_beside_fast() + refused();
  printf("without faults\n");
  calm = true;
  bad += stress(seed, rounds);
  printf("with faults\n");
  calm = false;
  bad += stress(seed + 1, rounds);
  transport->close(transport);
  if (memory.live != 0 || http_open_descriptors() != descriptors) {
    printf("  FAILED: %ld allocations and %zu descriptors are left (%zu before)\n", (long)memory.live, http_open_descriptors(), descriptors);
    bad++;
  }
  http2_peer_end();
  printf("%s\n", bad ? "FAILED" : "all held");
  return bad ? 1 : 0;
}
