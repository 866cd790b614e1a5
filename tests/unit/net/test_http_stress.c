/* lib/net/http.c and io_thread.c under load: exchanges from many threads, dropped at random moments, and a close in the midst of them.
 * The seed is printed; AIORCH_TEST_SEED plays it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <aiorch/version.h>

#include "support/http_client.h"
#include "support/test_alloc.h"
#include "support/tiny_server.h"

enum { THREADS = 16, EXCHANGES = 125, PIECES = 20 };

static tiny_server server;

/* An answer in pieces, in which the connection breaks now and then. */
static bool answer(tiny_server *s, const tiny_request *request) {
  (void)s;
  unsigned how = (unsigned)strtoul(request->path + 1, NULL, 10);
  if (how % 16 == 15) return false;
  if (!tiny_send_text(request->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")) return false;
  for (int i = 0; i < PIECES; i++) {
    if (how % 16 == 14 && i == PIECES / 2) return false;
    if (!tiny_send_text(request->fd, "10\r\nsixteen letters.\r\n")) return false;
    if (how % 4 == 3) sched_yield();
  }
  return tiny_send_text(request->fd, "0\r\n\r\n");
}

typedef struct worker {
  pthread_t thread;
  aio__transport *transport;
  const aio__alloc *al;
  uint64_t seed;
  int whole, broken, dropped, refused, wrong;
} worker;

static uint64_t next(uint64_t *seed) {
  *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17;
  return *seed;
}

static void count_end(worker *w, aiorch_status status, size_t bytes) {
  if (status == AIORCH_OK && bytes == 16 * PIECES) w->whole++;
  else if (status == AIORCH_E_NETWORK) w->broken++;
  else if (status == AIORCH_E_CLOSED) w->refused++;
  else w->wrong++;
}

static void one(worker *w, aio__waker *waker) {
  char path[64], url[128];
  aio__exchange *e = NULL;
  aio__buf body;
  uint64_t r = next(&w->seed);
  size_t rounds = r % 3 == 0 ? SIZE_MAX : (r >> 8) % 6; /* drops after so many looks */
  snprintf(path, sizeof path, "/%u", (unsigned)(r >> 20 & 0xFFFF));
  tiny_url(&server, path, url, sizeof url);
  aiorch_status status = http_start(w->transport, w->al, &(http_ask){.url = url, .body = "{}", .key = "k", .limits = {.buffer_max = 64}}, waker, &e, NULL);
  if (status != AIORCH_OK) {
    count_end(w, status, 0);
    return;
  }
  aio__buf_init(&body, aio__alloc_default(), 1 << 20);
  for (size_t i = 0; i < rounds; i++) {
    aio__waker_clear(waker);
    w->transport->take(e, &body);
    status = w->transport->state(e, NULL);
    if (status != AIORCH_PENDING) break;
    aio__waker_wait(waker, r & 0x1000 ? AIO__NEVER : aio__clock_after_ms(aio__clock_system(), 1));
    status = AIORCH_PENDING;
  }
  if (rounds == 0 || status == AIORCH_PENDING) w->dropped++;
  else count_end(w, status, body.n);
  w->transport->drop(e);
  aio__buf_free(&body);
}

static void *work(void *ctx) {
  worker *w = ctx;
  aio__waker *waker;
  if (aio__waker_new(w->al, aio__clock_system(), &waker) != AIORCH_OK) abort();
  for (int i = 0; i < EXCHANGES; i++) one(w, waker);
  aio__waker_release(waker);
  return NULL;
}

static uint64_t choose_seed(void) {
  const char *given = getenv("AIORCH_TEST_SEED");
  uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
  printf("seed %llu\n", (unsigned long long)seed);
  return seed ? seed : 1;
}

static void run(bool close_in_the_midst) {
  aio__test_alloc memory;
  worker workers[THREADS];
  uint64_t seed = choose_seed();
  int sum = 0, whole = 0, dropped = 0, wrong = 0, refused = 0;
  http_forget_proxies();
  http_watchdog(240);
  aio__test_alloc_init(&memory);
  tiny_server_start(&server, answer, NULL);
  size_t descriptors = http_open_descriptors();
  aio__http_options options = {.connections_max = 24, .connections_per_host = 20};
  aio__transport *t, *kept;
  aio__exchange *held;
  assert_int_equal(aio__http_open(&options, &memory.al, aio__clock_system(), NULL, NULL, &t, NULL), AIORCH_OK);
  kept = t;
  char url[128];
  tiny_url(&server, "/1", url, sizeof url);
  /* Whoever has an exchange may ask on after the close; so the workers do. */
  assert_int_equal(http_start(t, &memory.al, &(http_ask){.url = url}, NULL, &held, NULL), AIORCH_OK);
  for (int i = 0; i < THREADS; i++) {
    workers[i] = (worker){.transport = t, .al = &memory.al, .seed = seed + (uint64_t)i * 7919 + 1};
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  if (close_in_the_midst) {
    while (atomic_load(&server.requests) < THREADS * EXCHANGES / 10) sched_yield();
    t->close(t);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    sum += workers[i].whole + workers[i].broken + workers[i].dropped + workers[i].refused + workers[i].wrong;
    whole += workers[i].whole;
    dropped += workers[i].dropped;
    wrong += workers[i].wrong;
    refused += workers[i].refused;
  }
  kept->drop(held);
  if (!close_in_the_midst) t->close(t);
  assert_int_equal(sum, THREADS * EXCHANGES);
  assert_int_equal(wrong, 0);
  assert_true(whole > 0 && dropped > 0);
  assert_true(close_in_the_midst ? refused > 0 : refused == 0);
  assert_int_equal(memory.live, 0);
  tiny_server_stop(&server);
  assert_int_equal(http_open_descriptors() + 1, descriptors); /* the server's */
}

static void test_drop__at_random_moments_from_many_threads(void **state) {
  (void)state;
  run(false);
}

static void test_close__with_exchanges_of_many_threads_out(void **state) {
  (void)state;
  run(true);
}

int main(void) {
  if (!aiorch_has_feature("http")) {
    printf("SKIP: built without HTTP\n");
    return 77;
  }
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_drop__at_random_moments_from_many_threads),
    cmocka_unit_test(test_close__with_exchanges_of_many_threads_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
