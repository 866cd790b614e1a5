/*
 * A provider that answers 503 to everything for a minute, with many runs on one handle, in virtual time: how many attempts it gets,
 * when the first comes through again, and whether retries come in waves.
 */
#include "../support/pipeline_fixture.h"

enum { TICK_MS = 10, OUTAGE_MS = 60000, LIVE_MAX = 2000, BIN_MS = 25, BINS = 20 };

typedef struct storm {
  fixture f;
  uint32_t seed;
  int64_t started_ms, healthy_from_ms; /* the provider's; the second counts from the first */
  int calls;
  int64_t first_success_ms;
  int bins[BINS + 1];                  /* when calls came, the last for all later ones */
  aiorch_run *live[LIVE_MAX];
  size_t live_count;
  int requests, answered, unavailable;
} storm;

static int64_t since_start(storm *s) { return atomic_load(&s->f.clock.monotonic_ns) / 1000000 - s->started_ms; }

/* Marsaglia's xorshift: the same storm each time. */
static uint32_t lot(void *ctx) {
  storm *s = ctx;
  s->seed ^= s->seed << 13;
  s->seed ^= s->seed >> 17;
  s->seed ^= s->seed << 5;
  return s->seed;
}

static aiorch_status generate(void *self, aiorch_call *call) {
  storm *s = self;
  int64_t now = since_start(s);
  s->calls++;
  s->bins[now / BIN_MS < BINS ? now / BIN_MS : BINS]++;
  bool healthy = now >= s->healthy_from_ms;
  if (healthy) {
    if (s->first_success_ms < 0) s->first_success_ms = now;
    assert_int_equal(aiorch_call_emit(call, "Back.", 5), AIORCH_OK);
    assert_int_equal(aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, 1), AIORCH_OK);
    aiorch_call_finish(call, AIORCH_OK);
  } else {
    assert_int_equal(aiorch_call_put_error(call, "busy", 4, 503, -1), AIORCH_OK);
    aiorch_call_finish(call, AIORCH_E_PROVIDER_BUSY);
  }
  return AIORCH_SLOT_OK;
}

static storm *begin(const char *settings, int64_t healthy_from_ms) {
  static const scripted_answer unused[] = {{.text = ""}};
  static storm s;
  memset(&s, 0, sizeof s);
  s.seed = 2463534242u;
  s.first_success_ms = -1;
  s.healthy_from_ms = healthy_from_ms;
  fixture_open(&s.f, settings, unused, 1, NULL, 0);
  s.started_ms = atomic_load(&s.f.clock.monotonic_ns) / 1000000;
  aio__plugin_provider *provider = &s.f.orch->plugins.providers[0];
  provider->vtbl.generate = generate;
  provider->vtbl.destroy = NULL;
  provider->self = &s;
  s.f.orch->random = lot;
  s.f.orch->random_ctx = &s;
  return &s;
}

static void request(storm *s) {
  assert_true(s->live_count < LIVE_MAX);
  s->live[s->live_count++] = fixture_ask(&s->f, "acme", "u1", "What?");
  s->requests++;
}

/* Drives all that live as far as they go now. */
static void tick(storm *s) {
  size_t kept = 0;
  for (size_t i = 0; i < s->live_count; i++) {
    const aiorch_event *event;
    aiorch_status st;
    aiorch_run *run = s->live[i];
    while ((st = aiorch_run_next(run, 0, &event)) == AIORCH_OK) continue;
    if (st == AIORCH_AGAIN) {
      s->live[kept++] = run;
      continue;
    }
    s->answered += aiorch_run_status(run) == AIORCH_OK;
    s->unavailable += aiorch_run_status(run) == AIORCH_E_PROVIDERS_UNAVAILABLE;
    aiorch_run_free(run);
  }
  s->live_count = kept;
}

static void run_until(storm *s, int64_t ms, int every_ms) {
  for (; since_start(s) < ms; virtual_clock_advance_ms(&s->f.clock, TICK_MS)) {
    if (since_start(s) % every_ms == 0) request(s);
    tick(s);
  }
}

static void end(storm *s) {
  while (s->live_count > 0) {
    virtual_clock_advance_ms(&s->f.clock, TICK_MS);
    tick(s);
  }
  assert_int_equal(s->answered + s->unavailable, s->requests); /* every one has ended, one way or the other */
  fixture_close(&s->f);
}

#define OPEN "\"rate_limit.requests\": 0, \"cache.mode\": \"off\""

/* The budget alone, without breakers: ten retries in hand, and then one attempt a request. */
static void test_storm__the_budget_bounds_the_attempts(void **state) {
  (void)state;
  storm *s = begin("{" OPEN ", \"generate.breaker_failures\": 1000000}", OUTAGE_MS);
  run_until(s, 2000, 20);
  int requests = s->requests, calls = s->calls;
  assert_int_equal(calls, requests + 10);
  run_until(s, OUTAGE_MS, 20);
  assert_int_equal(s->calls - calls, s->requests - requests); /* once it is spent: none */
  assert_true(s->calls * 10 <= s->requests * 12);
  assert_int_equal(s->requests, OUTAGE_MS / 20);
  end(s);
}

static void test_storm__breakers_spare_the_provider_and_one_probe_ends_it(void **state) {
  (void)state;
  storm *s = begin("{" OPEN "}", OUTAGE_MS);
  run_until(s, OUTAGE_MS, 20);
  assert_true(s->calls * 10 <= s->requests * 12);
  assert_true(s->calls <= AIO__BREAKER_FAILURES + OUTAGE_MS / AIO__BREAKER_OPEN_MS); /* those that opened it, and probes */
  int unavailable = s->unavailable;
  run_until(s, OUTAGE_MS + AIO__BREAKER_OPEN_MS + 1000, 20);
  assert_true(s->first_success_ms >= OUTAGE_MS);
  assert_true(s->first_success_ms <= OUTAGE_MS + AIO__BREAKER_OPEN_MS); /* the first probe after it */
  int64_t healthy_ms = OUTAGE_MS + AIO__BREAKER_OPEN_MS + 1000 - s->first_success_ms;
  assert_true(s->answered * 20 >= healthy_ms - 20); /* from then on every one */
  assert_true(s->unavailable > unavailable);
  end(s);
}

/* A thousand runs that fail at the same moment do not come back at the same moment. */
static void test_storm__retries_come_in_no_waves(void **state) {
  (void)state;
  storm *s = begin("{" OPEN ", \"generate.breaker_failures\": 1000000, \"generate.retry_budget\": 1000, \"generate.attempts\": 2}",
                   OUTAGE_MS);
  for (int i = 0; i < 1000; i++) request(s);
  for (int ms = 0; ms <= 600; ms++) {
    tick(s);
    virtual_clock_advance_ms(&s->f.clock, 1);
  }
  assert_int_equal(s->calls, 2000);
  s->bins[0] -= 1000; /* the first attempts */
  int all = 0;
  for (int i = 0; i <= BINS; i++) {
    if (s->bins[i] > 80) fail_msg("%d retries between %d and %d ms", s->bins[i], i * BIN_MS, (i + 1) * BIN_MS);
    all += s->bins[i];
    if (i < BINS && s->bins[i] < 20) fail_msg("only %d retries between %d and %d ms", s->bins[i], i * BIN_MS, (i + 1) * BIN_MS);
  }
  assert_int_equal(all, 1000);
  end(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_storm__the_budget_bounds_the_attempts),
      cmocka_unit_test(test_storm__breakers_spare_the_provider_and_one_probe_ends_it),
      cmocka_unit_test(test_storm__retries_come_in_no_waves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
