/* Stage 5 over several attempts: waits, keys, breakers, tiers, and what they leave behind. In virtual time. */
#include "../support/pipeline_fixture.h"

#include <stdio.h>

static const scripted_answer good[] = {{.text = "A good answer.", .input = 12, .output = 4}};
static const scripted_answer busy[] = {{.status = AIORCH_E_PROVIDER_BUSY, .http_status = 503}};
static const scripted_answer busy_once[] = {{.status = AIORCH_E_PROVIDER_BUSY, .http_status = 503},
                                            {.text = "A good answer.", .input = 12, .output = 4}};

static int64_t now_ms(fixture *f) { return atomic_load(&f->clock.monotonic_ns) / 1000000; }

/* All warnings of the run, one a line, driven without letting time pass by itself. */
static aiorch_status drive(aiorch_run *run, char *warnings, size_t room) {
  const aiorch_event *event = NULL;
  const char *text;
  size_t n;
  aiorch_status st;
  while ((st = aiorch_run_next(run, 0, &event)) == AIORCH_OK) {
    if (aiorch_event_type(event) != AIORCH_EVENT_WARNING) continue;
    assert_int_equal(aiorch_event_text(event, &text, &n), AIORCH_OK);
    size_t at = strlen(warnings);
    (void)snprintf(warnings + at, room - at, "%.*s\n", (int)n, text);
  }
  return st;
}

static void test_retry__after_a_jittered_wait_and_says_so(void **state) {
  (void)state;
  fixture f;
  char warnings[600] = "", expected[600];
  fixture_open(&f, NULL, busy_once, 2, NULL, 0);
  f.lot = UINT32_MAX / 5; /* a fifth of 501 ms */
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(drive(run, warnings, sizeof warnings), AIORCH_AGAIN);
  (void)snprintf(expected, sizeof expected, "first failed (%s: scripted); it is tried again in 100 ms\n",
                 aiorch_strerror(AIORCH_E_PROVIDER_BUSY));
  assert_string_equal(warnings, expected);
  virtual_clock_advance_ms(&f.clock, 99);
  assert_int_equal(drive(run, warnings, sizeof warnings), AIORCH_AGAIN);
  assert_int_equal(f.first.calls, 1);
  virtual_clock_advance_ms(&f.clock, 1);
  assert_int_equal(drive(run, warnings, sizeof warnings), AIORCH_DONE);
  assert_int_equal(f.first.calls, 2);
  assert_string_equal(fixture_answer(run), "A good answer.");
  assert_string_equal(warnings, expected);
  assert_int_equal(fixture_counter(&f, AIO__N_RETRIES), 1);
  assert_int_equal(fixture_counter(&f, AIO__N_FALLBACKS), 0);
  int64_t cost_rows = fixture_counter(&f, AIO__N_COST_ROWS);
  assert_int_equal(cost_rows, 1);
  aiorch_run_free(run);
  fixture_close(&f);
}

/* Whoever executes sleeps through the wait without being told. */
static void test_retry__execute_waits_for_it(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, busy_once, 2, NULL, 0);
  f.lot = UINT32_MAX;
  int64_t before = now_ms(&f);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_OK);
  assert_int_equal(now_ms(&f) - before, 500);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_wait__a_cancel_ends_it_at_once(void **state) {
  (void)state;
  fixture f;
  char warnings[600] = "";
  fixture_open(&f, NULL, busy, 1, NULL, 0);
  f.lot = UINT32_MAX;
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(drive(run, warnings, sizeof warnings), AIORCH_AGAIN);
  int64_t before = now_ms(&f);
  assert_int_equal(aiorch_cancel(f.orch, run->id, strlen(run->id)), AIORCH_OK);
  assert_int_equal(drive(run, warnings, sizeof warnings), AIORCH_DONE);
  assert_int_equal(now_ms(&f), before);
  assert_int_equal(aiorch_run_status(run), AIORCH_E_CANCELLED);
  assert_int_equal(f.first.calls, 1);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_wait__never_passes_the_deadline(void **state) {
  (void)state;
  const scripted_answer later[] = {{.status = AIORCH_E_PROVIDER_BUSY, .http_status = 503, .retry_after_ms = 4000}};
  fixture f;
  fixture_open(&f, "{\"deadline_ms\": 10000}", later, 1, NULL, 0);
  int64_t before = now_ms(&f);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_E_PROVIDERS_UNAVAILABLE);
  assert_int_equal(now_ms(&f) - before, 8000); /* a third attempt at 8 s; a fourth would not be in time, nor allowed */
  assert_int_equal(aiorch_error_retry_after_ms(aiorch_run_error(run)), 4000);
  aiorch_run_free(run);
  fixture_close(&f);
  fixture_open(&f, "{\"deadline_ms\": 4000}", later, 1, NULL, 0);
  before = now_ms(&f);
  run = fixture_execute(&f, "What?", AIORCH_E_PROVIDERS_UNAVAILABLE);
  assert_int_equal(now_ms(&f), before); /* no wait that cannot help */
  assert_int_equal(f.first.calls, 1);
  aiorch_run_free(run);
  fixture_close(&f);
}

/* ---- every breaker open ---- */

static void contains(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("no %s in %s", part, text);
}

static const char *text_of(const aiorch_text *text) {
  const char *p = NULL;
  assert_int_equal(aiorch_text_get(text, &p, NULL), AIORCH_OK);
  return p;
}

static void test_breaker__all_open_says_when(void **state) {
  (void)state;
  fixture f;
  char warnings[900] = "";
  fixture_open(&f, "{\"generate.attempts\": 5}", busy, 1, busy, 1);
  aiorch_run_free(fixture_execute(&f, "What?", AIORCH_E_PROVIDERS_UNAVAILABLE));
  assert_int_equal(f.first.calls, 5);
  assert_int_equal(f.second.calls, 5);
  assert_int_equal(fixture_counter(&f, AIO__N_BREAKERS_OPENED), 2);
  virtual_clock_advance_ms(&f.clock, 12000);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(drive(run, warnings, sizeof warnings), AIORCH_DONE);
  assert_int_equal(aiorch_run_status(run), AIORCH_E_PROVIDERS_UNAVAILABLE);
  assert_string_equal(warnings, "first is not asked: its last attempts have failed; it may be asked again in 18000 ms\n"
                                "second is not asked: its last attempts have failed; it may be asked again in 18000 ms\n");
  const aiorch_error *error = aiorch_run_error(run);
  assert_int_equal(aiorch_error_http_status(error), 503);
  assert_int_equal(aiorch_error_retry_after_ms(error), 18000);
  assert_string_equal(aiorch_error_message(error),
                      "none of 2 providers may be asked now: their last attempts have failed; the first may be asked in 18000 ms");
  assert_int_equal(aiorch_run_attempt_count(run), 0);
  assert_int_equal(f.first.calls, 5);
  assert_int_equal(fixture_counter(&f, AIO__N_BREAKERS_PASSED_OVER), 2);
  aiorch_run_free(run);
  aiorch_text *text = NULL;
  assert_int_equal(aiorch_metrics_snapshot(f.orch, &text, NULL), AIORCH_OK);
  contains(text_of(text), "\"health\":[{\"provider\":\"first\",\"model\":\"scripted-1\",\"endpoint\":0,\"address\":null,"
                                   "\"state\":\"open\",\"failures\":5,\"opened\":1,\"wait_ms\":18000,\"retry_budget\":6}");
  aiorch_text_free(text);
  assert_int_equal(aiorch_stats(f.orch, "acme", 4, 1000, &text, NULL), AIORCH_OK);
  contains(text_of(text), "\"state\":\"open\"");
  aiorch_text_free(text);
  fixture_close(&f);
}

static void test_breaker__the_next_provider_answers_meanwhile(void **state) {
  (void)state;
  fixture f;
  char warnings[900] = "";
  fixture_open(&f, "{\"generate.attempts\": 5, \"cache.mode\": \"off\"}", busy, 1, good, 1);
  aiorch_run_free(fixture_execute(&f, "What?", AIORCH_OK));
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(drive(run, warnings, sizeof warnings), AIORCH_DONE);
  assert_string_equal(fixture_answer(run), "A good answer.");
  contains(warnings, "first is not asked");
  assert_int_equal(f.first.calls, 5);
  assert_int_equal(fixture_counter(&f, AIO__N_FALLBACKS), 2);
  aiorch_run_free(run);
  virtual_clock_advance_ms(&f.clock, 30000);
  aiorch_run_free(fixture_execute(&f, "What?", AIORCH_OK)); /* a probe, and the wait after it */
  assert_int_equal(f.first.calls, 6);
  fixture_close(&f);
}

/* A run that is cancelled while its probe is out hands the probe on. */
static void test_breaker__a_probe_that_is_cancelled(void **state) {
  (void)state;
  const scripted_answer then[] = {{.status = AIORCH_E_PROVIDER_BUSY}, {.status = AIORCH_E_PROVIDER_BUSY},
                                  {.status = AIORCH_PENDING}, {.text = "Back.", .input = 1}};
  fixture f;
  fixture_open(&f, "{\"generate.breaker_failures\": 2}", then, 4, NULL, 0);
  aiorch_run_free(fixture_execute(&f, "What?", AIORCH_E_PROVIDERS_UNAVAILABLE));
  virtual_clock_advance_ms(&f.clock, 30000);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  const aiorch_event *event;
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) continue;
  assert_int_equal(f.first.calls, 3);
  aiorch_run_free(run);
  aiorch_run_free(fixture_execute(&f, "What?", AIORCH_OK));
  fixture_close(&f);
}

/* ---- endpoints ---- */

typedef struct keyed {
  uint32_t refused;   /* endpoints that answer 401, a bit each */
  uint32_t asked[8];
  size_t count;
} keyed;

static aiorch_status by_key(void *self, aiorch_call *call) {
  keyed *k = self;
  uint32_t endpoint = aio__call_request_of(call)->endpoint;
  k->asked[k->count++] = endpoint;
  if (k->refused >> endpoint & 1) {
    assert_int_equal(aiorch_call_put_error(call, "no", 2, 401, -1), AIORCH_OK);
    aiorch_call_finish(call, AIORCH_E_PROVIDER_KEY);
  } else {
    assert_int_equal(aiorch_call_emit(call, "Hello.", 6), AIORCH_OK);
    assert_int_equal(aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, 1), AIORCH_OK);
    aiorch_call_finish(call, AIORCH_OK);
  }
  return AIORCH_SLOT_OK;
}

static void open_slot(fixture *f, aiorch_status (*slot)(void *self, aiorch_call *call), void *self) {
  fixture_open(f, NULL, good, 1, NULL, 0);
  aio__plugin_provider *provider = &f->orch->plugins.providers[0];
  provider->endpoint_count = 3;
  provider->vtbl.generate = slot;
  provider->vtbl.destroy = NULL;
  provider->self = self;
}

static void test_endpoints__the_next_key_without_waiting(void **state) {
  (void)state;
  fixture f;
  keyed k = {.refused = 1u | 4u};
  char warnings[600] = "", expected[300];
  open_slot(&f, by_key, &k);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(drive(run, warnings, sizeof warnings), AIORCH_DONE);
  assert_string_equal(fixture_answer(run), "Hello.");
  assert_int_equal(k.count, 2);
  assert_int_equal(k.asked[0], 0);
  assert_int_equal(k.asked[1], 1);
  (void)snprintf(expected, sizeof expected, "first failed (%s: no); another of its keys is tried\n", aiorch_strerror(AIORCH_E_PROVIDER_KEY));
  assert_string_equal(warnings, expected);
  aiorch_run_free(run);
  k.refused = 7;
  run = fixture_execute(&f, "And what else?", AIORCH_E_PROVIDERS_UNAVAILABLE);
  assert_int_equal(aiorch_error_http_status(aiorch_run_error(run)), 502); /* no wait will help */
  assert_int_equal(aiorch_run_attempt_count(run), 3);
  aiorch_run_free(run);
  fixture_close(&f);
}

/* ---- what attempts cost ---- */

typedef struct lost {
  bool sent;
  aiorch_status status;
  int32_t http_status;
} lost;

static aiorch_status lose(void *self, aiorch_call *call) {
  const lost *l = self;
  aio__call_put_sent(call, l->sent);
  assert_int_equal(aiorch_call_put_error(call, "lost", 4, l->http_status, -1), AIORCH_OK);
  aiorch_call_finish(call, l->status);
  return AIORCH_SLOT_OK;
}

static void test_cost__of_what_was_not_sent_and_what_was_cut_off(void **state) {
  (void)state;
  static const struct {
    lost how;
    bool known;
  } rows[] = {
      {{false, AIORCH_E_NETWORK, 0}, true},         /* refused: nothing left */
      {{true, AIORCH_E_NETWORK, 0}, false},         /* nobody knows what was worked on */
      {{true, AIORCH_E_TRUNCATED, 200}, false},
      {{true, AIORCH_E_PROVIDER_BUSY, 503}, true},  /* an error costs nothing */
      {{true, AIORCH_E_PROVIDER_KEY, 401}, true},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fixture f;
    lost how = rows[i].how;
    open_slot(&f, lose, &how);
    aiorch_run *run = fixture_execute(&f, "What?", AIORCH_E_PROVIDERS_UNAVAILABLE);
    int64_t cost = -1;
    assert_int_equal(aiorch_run_cost(run, &cost), rows[i].known ? AIORCH_OK : AIORCH_E_NOT_FOUND);
    if (rows[i].known) assert_int_equal(cost, 0);
    aiorch_run_free(run);
    fixture_close(&f);
  }
}

static aiorch_status count_and_lose(void *self, aiorch_call *call) {
  assert_int_equal(aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, 11), AIORCH_OK);
  assert_int_equal(aiorch_call_put_usage(call, AIORCH_USAGE_OUTPUT, 1), AIORCH_OK);
  aio__call_put_usage_partial(call);
  return lose(self, call);
}

static void test_cost__of_a_partial_count_is_an_estimate(void **state) {
  (void)state;
  fixture f;
  lost how = {true, AIORCH_E_NETWORK, 200};
  open_slot(&f, count_and_lose, &how);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_E_PROVIDERS_UNAVAILABLE);
  int64_t cost;
  assert_int_equal(aiorch_run_attempt_usage(run, 0, AIORCH_USAGE_INPUT), 11);
  assert_true(aiorch_run_usage_estimated(run));
  assert_int_equal(aiorch_run_cost(run, &cost), AIORCH_E_NOT_FOUND); /* nobody knows what scripted-1 costs */
  assert_int_equal(fixture_counter(&f, AIO__N_COST_UNKNOWN_PRICE), run->attempt_count);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void look_whether_sent(void *ctx, aiorch_call *call) { aio__call_put_sent(call, ((lost *)ctx)->sent); }

static aiorch_status wait_for_ever(void *self, aiorch_call *call) {
  aio__call_put_sent(call, false);
  aio__call_set_step(call, look_whether_sent, self);
  return AIORCH_SLOT_PENDING;
}

/* Bytes leave without waking the driver: whether they have is asked when the run ends. */
static void test_cost__of_what_was_sent_behind_the_drivers_back(void **state) {
  (void)state;
  for (int sent = 0; sent < 2; sent++) {
    fixture f;
    lost how = {false, AIORCH_OK, 0};
    open_slot(&f, wait_for_ever, &how);
    aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
    const aiorch_event *event;
    aiorch_status st;
    while ((st = aiorch_run_next(run, 0, &event)) == AIORCH_OK) {}
    assert_int_equal(st, AIORCH_AGAIN);
    how.sent = sent == 1;
    assert_int_equal(aiorch_cancel(f.orch, run->id, strlen(run->id)), AIORCH_OK);
    while ((st = aiorch_run_next(run, 0, &event)) == AIORCH_OK) {}
    int64_t cost;
    assert_int_equal(aiorch_run_cost(run, &cost), how.sent ? AIORCH_E_NOT_FOUND : AIORCH_OK);
    aiorch_run_free(run);
    fixture_close(&f);
  }
}

/* Each attempt has a row of its own in the ledger, settled. */
static void test_rows__one_for_each_attempt(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, busy, 1, good, 1);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_OK);
  assert_int_equal(aiorch_run_attempt_count(run), 4);
  aio__attempt_row rows[4];
  assert_int_equal(fixture_ledger(&f, run->id, rows, 4), 4);
  int settled = 0;
  for (size_t i = 0; i < 4; i++) settled += rows[i].state == AIO__ATTEMPT_SETTLED;
  assert_int_equal(settled, 4);
  aiorch_run_free(run);
  fixture_close(&f);
}

/* ---- tiers ---- */

static void test_tier__chooses_the_model_and_says_why(void **state) {
  (void)state;
  static const struct {
    const char *tier, *question, *model, *json;
  } rows[] = {
      {"default", "Prove it.", "scripted-1", "\"tier\":{\"name\":\"default\",\"asked\":\"default\",\"points\":null,\"because\":null}"},
      {"simple", "Prove it!", "small", "\"tier\":{\"name\":\"simple\",\"asked\":\"simple\",\"points\":null,\"because\":null}"},
      {"complex", "When?", "large", "\"tier\":{\"name\":\"complex\",\"asked\":\"complex\",\"points\":null,\"because\":null}"},
      {"auto", "When??", "small", "\"tier\":{\"name\":\"simple\",\"asked\":\"auto\",\"points\":0,\"because\":null}"},
      {"auto", "Prove it, please.", "large", "\"tier\":{\"name\":\"complex\",\"asked\":\"auto\",\"points\":3,\"because\":\"reasoning\"}"},
  };
  fixture f;
  fixture_open(&f, NULL, good, 1, NULL, 0);
  f.orch->plugins.providers[0].model_simple = "small";
  f.orch->plugins.providers[0].model_complex = "large";
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    aiorch_run *run = fixture_ask(&f, "acme", "u1", rows[i].question);
    assert_int_equal(aiorch_run_set_option(run, "generate.tier", rows[i].tier, strlen(rows[i].tier)), AIORCH_OK);
    assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
    assert_string_equal(f.first.last_model, rows[i].model);
    aio__buf buf;
    aio__json_writer w;
    aio__buf_init(&buf, aio__alloc_default(), 1 << 16);
    aio__jw_init(&w, &buf);
    aio__run_report(run, &w);
    contains(aio__buf_cstr(&buf), rows[i].json);
    aio__buf_free(&buf);
    aiorch_run_free(run);
  }
  int calls = f.first.calls;
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "Prove it."); /* kept for another tier: no hit */
  assert_int_equal(aiorch_run_set_option(run, "generate.tier", "complex", 7), AIORCH_OK);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_int_equal(f.first.calls, calls + 1);
  aiorch_run_free(run);
  run = fixture_ask(&f, "acme", "u1", "Prove it, or not."); /* a model by name comes before any tier */
  assert_int_equal(aiorch_run_set_option(run, "generate.tier", "complex", 7), AIORCH_OK);
  assert_int_equal(aiorch_run_set_option(run, "generate.model", "mine", 4), AIORCH_OK);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_string_equal(f.first.last_model, "mine");
  aiorch_run_free(run);
  f.orch->plugins.providers[0].model_complex = "";
  run = fixture_ask(&f, "acme", "u1", "Prove something else.");
  assert_int_equal(aiorch_run_set_option(run, "generate.tier", "complex", 7), AIORCH_OK);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_string_equal(f.first.last_model, "scripted-1");
  aiorch_run_free(run);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_retry__after_a_jittered_wait_and_says_so),
      cmocka_unit_test(test_retry__execute_waits_for_it),
      cmocka_unit_test(test_wait__a_cancel_ends_it_at_once),
      cmocka_unit_test(test_wait__never_passes_the_deadline),
      cmocka_unit_test(test_breaker__all_open_says_when),
      cmocka_unit_test(test_breaker__the_next_provider_answers_meanwhile),
      cmocka_unit_test(test_breaker__a_probe_that_is_cancelled),
      cmocka_unit_test(test_endpoints__the_next_key_without_waiting),
      cmocka_unit_test(test_cost__of_what_was_not_sent_and_what_was_cut_off),
      cmocka_unit_test(test_cost__of_a_partial_count_is_an_estimate),
      cmocka_unit_test(test_cost__of_what_was_sent_behind_the_drivers_back),
      cmocka_unit_test(test_rows__one_for_each_attempt),
      cmocka_unit_test(test_tier__chooses_the_model_and_says_why),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
