/* Stage 5 when providers fail: who is asked next, what stands, and what the run says when nobody could answer. */
#include "../support/pipeline_fixture.h"

#include <stdio.h>

#include "support/failing_store.h"
#include "support/fake_vectors.h"

/* A provider that fails, or answers, in one way. */
typedef struct simple {
  const char *text, *message;
  aiorch_status status;
  int32_t http_status;
  int64_t retry_after_ms;
  bool in_two;        /* says its text, and ends only when the test says so (simple_end) */
  aiorch_call *held;
  int calls;
} simple;

static void simple_end(simple *s, aiorch_call *call) {
  const char *message = s->message ? s->message : "";
  assert_int_equal(aiorch_call_put_error(call, message, strlen(message), s->http_status, s->retry_after_ms), AIORCH_OK);
  assert_int_equal(aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, 7), AIORCH_OK);
  aiorch_call_finish(call, s->status);
}

static aiorch_status generate(void *self, aiorch_call *call) {
  simple *s = self;
  s->calls++;
  if (s->text) assert_int_equal(aiorch_call_emit(call, s->text, strlen(s->text)), AIORCH_OK);
  s->held = call;
  if (s->in_two) return AIORCH_SLOT_PENDING;
  simple_end(s, call);
  return AIORCH_SLOT_OK;
}

typedef struct chained {
  fixture f;
  fake_vectors vectors;
  bool with_vectors;
} chained;

static void chained_open(chained *c, const char *settings, simple *providers, size_t count) {
  static const char *const names[] = {"one", "two", "three"};
  memset(&c->f, 0, sizeof c->f);
  virtual_clock_init(&c->f.clock);
  aiorch_config *config = NULL;
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  aio__config_set_clock(config, &c->f.clock.clock);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_load_json(config, settings, strlen(settings), "settings", NULL), AIORCH_OK);
  if (c->with_vectors) {
    fake_vectors_init(&c->vectors);
    fake_vectors_register(&c->vectors, config);
  }
  for (size_t i = 0; i < count; i++) {
    aiorch_provider_vtbl vtbl;
    memset(&vtbl, 0, sizeof vtbl);
    vtbl.struct_size = sizeof vtbl;
    vtbl.model = "simple-1";
    vtbl.generate = generate;
    assert_int_equal(aiorch_config_add_provider(config, names[i], &vtbl, &providers[i], NULL), AIORCH_OK);
  }
  aiorch_error *error = NULL;
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  if (aiorch_open(config, &c->f.orch, error) != AIORCH_OK) fail_msg("%s", aiorch_error_message(error));
  aiorch_error_free(error);
  aiorch_config_free(config);
  fixture_draw(&c->f);
}

static void chained_close(chained *c) {
  fixture_close(&c->f);
  if (c->with_vectors) fake_vectors_free(&c->vectors);
}

static void all_failed(simple *providers, size_t count, int32_t http_status, int64_t retry_after_ms,
                       const char *message) {
  chained c = {.with_vectors = false};
  chained_open(&c, "{\"generate.attempts\": 1}", providers, count);
  aiorch_run *run = fixture_execute(&c.f, "What?", AIORCH_E_PROVIDERS_UNAVAILABLE);
  const aiorch_error *error = aiorch_run_error(run);
  assert_int_equal(aiorch_error_http_status(error), http_status);
  assert_int_equal(aiorch_error_retry_after_ms(error), retry_after_ms);
  assert_int_equal(aiorch_error_stage(error), AIORCH_STAGE_GENERATE);
  if (message) assert_string_equal(aiorch_error_message(error), message);
  assert_int_equal(aiorch_run_attempt_count(run), count);
  for (size_t i = 0; i < count; i++) assert_int_equal(providers[i].calls, 1);
  assert_int_equal(fixture_counter(&c.f, AIO__N_FALLBACKS), (int64_t)count - 1);
  assert_int_equal(fixture_counter(&c.f, AIO__N_ATTEMPTS_FAILED), (int64_t)count);
  aiorch_run_free(run);
  chained_close(&c);
}

static void test_all_failed__the_shortest_wait_of_those_that_may_recover(void **state) {
  (void)state;
  simple growing[] = {{.status = AIORCH_E_PROVIDER_LIMIT, .retry_after_ms = 2000},
                      {.status = AIORCH_E_PROVIDER_BUSY, .retry_after_ms = 5000}};
  all_failed(growing, 2, 503, 2000, NULL);
  simple falling[] = {{.status = AIORCH_E_PROVIDER_LIMIT, .retry_after_ms = 5000},
                      {.status = AIORCH_E_PROVIDER_BUSY, .retry_after_ms = 2000}};
  all_failed(falling, 2, 503, 2000, NULL);
  simple at_once[] = {{.status = AIORCH_E_PROVIDER_LIMIT, .retry_after_ms = 0},
                      {.status = AIORCH_E_PROVIDER_BUSY, .retry_after_ms = 2000}};
  all_failed(at_once, 2, 503, 0, NULL);
  simple unknown[] = {{.status = AIORCH_E_PROVIDER_LIMIT, .retry_after_ms = -1},
                      {.status = AIORCH_E_PROVIDER_BUSY, .retry_after_ms = 3000},
                      {.status = AIORCH_E_NETWORK, .retry_after_ms = -1}};
  all_failed(unknown, 3, 503, 3000, NULL);
  simple nobody_knows[] = {{.status = AIORCH_E_NETWORK, .retry_after_ms = -1}};
  all_failed(nobody_knows, 1, 503, -1, NULL);
}

static void test_all_failed__what_cannot_recover_gives_no_wait(void **state) {
  (void)state;
  simple mixed[] = {{.status = AIORCH_E_PROVIDER_KEY, .retry_after_ms = 100},
                    {.status = AIORCH_E_PROVIDER_BUSY, .retry_after_ms = 9000},
                    {.status = AIORCH_E_PROVIDER_MODEL, .retry_after_ms = 50}};
  all_failed(mixed, 3, 503, 9000, NULL);
  simple never[] = {{.status = AIORCH_E_PROVIDER_KEY, .retry_after_ms = 100},
                    {.status = AIORCH_E_PROVIDER_MODEL, .retry_after_ms = 50}};
  all_failed(never, 2, 502, -1, NULL);
}

static void test_all_failed__says_how_many_and_what_the_last_one_said(void **state) {
  (void)state;
  char expected[300];
  simple one[] = {{.status = AIORCH_E_NETWORK, .retry_after_ms = -1, .message = "no route"}};
  (void)snprintf(expected, sizeof expected, "none of 1 provider could answer; the last, one, said: %s: no route",
                 aiorch_strerror(AIORCH_E_NETWORK));
  all_failed(one, 1, 503, -1, expected);
  simple two[] = {{.status = AIORCH_E_NETWORK, .retry_after_ms = -1, .message = "no route"},
                  {.status = AIORCH_E_PROVIDER_KEY, .retry_after_ms = -1}};
  (void)snprintf(expected, sizeof expected, "none of 2 providers could answer; the last, two, said: %s",
                 aiorch_strerror(AIORCH_E_PROVIDER_KEY));
  all_failed(two, 2, 503, -1, expected);
}

static void test_all_failed__names_the_last_provider(void **state) {
  (void)state;
  simple bad[] = {{.status = AIORCH_E_NETWORK, .retry_after_ms = -1},
                  {.status = AIORCH_E_NETWORK, .retry_after_ms = -1}};
  chained c = {.with_vectors = false};
  chained_open(&c, "{}", bad, 2);
  aiorch_run *run = fixture_execute(&c.f, "What?", AIORCH_E_PROVIDERS_UNAVAILABLE);
  assert_string_equal(aiorch_error_provider(aiorch_run_error(run)), "two");
  aiorch_run_free(run);
  chained_close(&c);
}

/* The embedder's failure is a degraded retrieval: it says nothing about when a provider may answer. */
static void test_all_failed__an_embedder_does_not_count(void **state) {
  (void)state;
  simple no_key[] = {{.status = AIORCH_E_PROVIDER_KEY, .retry_after_ms = -1}};
  chained c = {.with_vectors = true};
  chained_open(&c, "{\"retrieve.threshold\": 0.3, \"cache.match\": \"exact\"}", no_key, 1);
  c.vectors.embed_status = AIORCH_E_NETWORK;
  aiorch_run *run = fixture_execute(&c.f, "What?", AIORCH_E_PROVIDERS_UNAVAILABLE);
  assert_int_equal(aiorch_run_attempt_count(run), 2);
  int32_t kind;
  aiorch_status outcome;
  assert_int_equal(aiorch_run_attempt(run, 0, &kind, &outcome, NULL, NULL), AIORCH_OK);
  assert_int_equal(kind, AIORCH_ATTEMPT_EMBED);
  assert_int_equal(outcome, AIORCH_E_NETWORK);
  assert_int_equal(aiorch_error_http_status(aiorch_run_error(run)), 502);
  aiorch_run_free(run);
  chained_close(&c);
}

/* ---- before and after the commit point ---- */

static const char piece[] = "The begin of an answer that is longer than what is held back";

/* Of a provider that is `in_two`: what it said has gone out before it ends. */
static aiorch_run *end_in_two(chained *c, simple *provider, aiorch_status expected) {
  const aiorch_event *event = NULL;
  aiorch_run *run = fixture_ask(&c->f, "acme", "u1", "What?");
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) {}
  simple_end(provider, provider->held);
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) {}
  assert_int_equal(aiorch_run_status(run), expected);
  return run;
}

static void test_failed__after_the_begin_what_was_given_out_stands(void **state) {
  (void)state;
  simple cut[] = {{.text = piece, .status = AIORCH_E_NETWORK, .retry_after_ms = -1, .message = "reset", .in_two = true},
                  {.text = "Other."}};
  chained c = {.with_vectors = false};
  chained_open(&c, "{\"output.check\": \"off\"}", cut, 2);
  aiorch_run *run = end_in_two(&c, &cut[0], AIORCH_E_NETWORK);
  char expected[300];
  (void)snprintf(expected, sizeof expected, "one: %s: reset (after the answer had begun: what was given out stands)",
                 aiorch_strerror(AIORCH_E_NETWORK));
  assert_string_equal(aiorch_error_message(aiorch_run_error(run)), expected);
  assert_string_equal(aiorch_error_provider(aiorch_run_error(run)), "one");
  assert_int_equal(aiorch_run_finish_reason(run), AIORCH_FINISH_ERROR);
  assert_string_equal(fixture_answer(run), piece);
  assert_int_equal(cut[1].calls, 0);
  assert_int_equal(fixture_counter(&c.f, AIO__N_FALLBACKS), 0);
  assert_int_equal(fixture_counter(&c.f, AIO__N_CACHE_STORED), 0);
  assert_int_equal(aiorch_run_usage(run, AIORCH_USAGE_INPUT), 7);
  aiorch_run_free(run);
  chained_close(&c);
}

/* The begin of an answer and the error after it come at once: nobody has seen any of it. */
static void test_failed__together_with_the_begin_of_an_answer(void **state) {
  (void)state;
  simple cut[] = {{.text = piece, .status = AIORCH_E_NETWORK, .retry_after_ms = -1}, {.text = "Another answer.", .retry_after_ms = -1}};
  chained c = {.with_vectors = false};
  chained_open(&c, "{\"output.check\": \"off\", \"generate.attempts\": 1}", cut, 2);
  aiorch_run *run = fixture_execute(&c.f, "What?", AIORCH_OK);
  assert_string_equal(fixture_answer(run), "Another answer.");
  assert_int_equal(aiorch_run_attempt_count(run), 2);
  assert_int_equal(aiorch_run_usage(run, AIORCH_USAGE_INPUT), 14); /* what failed was paid, too */
  aiorch_run_free(run);
  chained_close(&c);
}

static void test_failed__before_the_begin_nothing_of_it_stays(void **state) {
  (void)state;
  simple held[] = {{.text = piece, .status = AIORCH_E_NETWORK, .retry_after_ms = -1},
                   {.text = "Another answer.", .retry_after_ms = -1}};
  chained c = {.with_vectors = false};
  chained_open(&c, "{\"output.check\": \"on\", \"output.hold_back\": 400, \"generate.attempts\": 1}", held, 2);
  aiorch_run *run = fixture_ask(&c.f, "acme", "u1", "What?");
  char warning[300] = "", deltas[300] = "", expected[300];
  const aiorch_event *event = NULL;
  const char *text;
  size_t n;
  while (aiorch_run_next(run, 1000, &event) == AIORCH_OK) {
    assert_int_equal(aiorch_event_text(event, &text, &n), AIORCH_OK);
    if (aiorch_event_type(event) == AIORCH_EVENT_WARNING) {
      assert_int_equal(aiorch_event_stage(event), AIORCH_STAGE_GENERATE);
      assert_int_equal(aiorch_event_status(event), AIORCH_E_NETWORK);
      (void)snprintf(warning, sizeof warning, "%.*s", (int)n, text);
    }
    if (aiorch_event_type(event) == AIORCH_EVENT_DELTA) strncat(deltas, text, n);
  }
  (void)snprintf(expected, sizeof expected, "one failed (%s); two is tried next", aiorch_strerror(AIORCH_E_NETWORK));
  assert_string_equal(warning, expected);
  assert_string_equal(deltas, "Another answer.");
  assert_string_equal(fixture_answer(run), "Another answer.");
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_int_equal(aiorch_run_finish_reason(run), AIORCH_FINISH_STOP);
  assert_int_equal(fixture_counter(&c.f, AIO__N_FALLBACKS), 1);
  assert_int_equal(aiorch_run_usage(run, AIORCH_USAGE_INPUT), 14); /* what failed was paid, too */
  aiorch_run_free(run);
  chained_close(&c);
}

/* The same cut: nothing of it was given out, as the answer is wanted whole. */
static void test_failed__after_the_begin_of_an_answer_that_is_wanted_whole(void **state) {
  (void)state;
  simple cut[] = {{.text = piece, .status = AIORCH_E_NETWORK, .retry_after_ms = -1}, {.text = "Another answer.", .retry_after_ms = -1}};
  chained c = {.with_vectors = false};
  chained_open(&c, "{\"output.check\": \"off\", \"generate.attempts\": 1}", cut, 2);
  aiorch_run *run = fixture_ask(&c.f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_set_whole(run, 2), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_whole(run, 1), AIORCH_OK);
  char deltas[300] = "";
  int count = 0;
  const aiorch_event *event = NULL;
  const char *text;
  size_t n;
  while (aiorch_run_next(run, 1000, &event) == AIORCH_OK) {
    if (aiorch_event_type(event) != AIORCH_EVENT_DELTA) continue;
    assert_int_equal(aiorch_event_text(event, &text, &n), AIORCH_OK);
    strncat(deltas, text, n);
    count++;
  }
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_string_equal(deltas, "Another answer.");
  assert_int_equal(count, 1);
  assert_string_equal(fixture_answer(run), "Another answer.");
  assert_int_equal(aiorch_run_usage(run, AIORCH_USAGE_INPUT), 14);
  assert_int_equal(aiorch_run_set_whole(run, 0), AIORCH_E_STATE);
  aiorch_run_free(run);
  chained_close(&c);
}

static void test_failed__all_of_an_answer_that_is_wanted_whole(void **state) {
  (void)state;
  simple cut[] = {{.text = piece, .status = AIORCH_E_NETWORK, .retry_after_ms = -1}};
  chained c = {.with_vectors = false};
  chained_open(&c, "{\"output.check\": \"off\", \"generate.attempts\": 2}", cut, 1);
  aiorch_run *run = fixture_ask(&c.f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_set_whole(run, 1), AIORCH_OK);
  assert_int_equal(aiorch_run_execute(run), AIORCH_E_PROVIDERS_UNAVAILABLE);
  assert_int_equal(cut[0].calls, 2);
  assert_string_equal(fixture_answer(run), "");
  assert_int_equal(aiorch_run_finish_reason(run), AIORCH_FINISH_NONE);
  aiorch_run_free(run);
  chained_close(&c);
}

/* How long the prompt is, about, is known here: who reads less is not asked. */
static void test_failed__too_long_a_prompt_goes_to_one_that_reads_it(void **state) {
  (void)state;
  simple providers[] = {{.status = AIORCH_E_CONTEXT_WINDOW, .retry_after_ms = -1}, {.text = "Short."}, {.text = "Long."}};
  chained c = {.with_vectors = false};
  chained_open(&c, "{}", providers, 3);
  c.f.orch->plugins.providers[1].context_tokens = 5;
  c.f.orch->plugins.providers[2].context_tokens = 100000;
  aiorch_run *run = fixture_execute(&c.f, "What is it, and why is it so, and since when has it been so?", AIORCH_OK);
  assert_string_equal(fixture_answer(run), "Long.");
  assert_int_equal(providers[1].calls, 0);
  aiorch_run_free(run);
  chained_close(&c);
}

static void test_failed__what_no_other_could_do_better_ends_the_run(void **state) {
  (void)state;
  simple rejected[] = {{.status = AIORCH_E_PROVIDER_REJECTED, .retry_after_ms = -1, .message = "no"},
                       {.text = "Other.", .retry_after_ms = -1}};
  chained c = {.with_vectors = false};
  chained_open(&c, "{}", rejected, 2);
  aiorch_run *run = fixture_execute(&c.f, "What?", AIORCH_E_PROVIDER_REJECTED);
  char expected[300];
  (void)snprintf(expected, sizeof expected, "one: %s: no", aiorch_strerror(AIORCH_E_PROVIDER_REJECTED));
  assert_string_equal(aiorch_error_message(aiorch_run_error(run)), expected);
  assert_int_equal(aiorch_run_finish_reason(run), AIORCH_FINISH_NONE);
  assert_int_equal(rejected[1].calls, 0);
  aiorch_run_free(run);
  chained_close(&c);
  simple silent[] = {{.status = AIORCH_E_CONTEXT_WINDOW, .retry_after_ms = -1}};
  chained_open(&c, "{}", silent, 1);
  run = fixture_execute(&c.f, "What?", AIORCH_E_CONTEXT_WINDOW);
  (void)snprintf(expected, sizeof expected, "one: %s", aiorch_strerror(AIORCH_E_CONTEXT_WINDOW));
  assert_string_equal(aiorch_error_message(aiorch_run_error(run)), expected);
  aiorch_run_free(run);
  chained_close(&c);
}

/* What a server tells its client: 400 where the request is what was refused, and nobody else might have taken it. */
static void test_failed__whose_fault_a_refusal_is(void **state) {
  (void)state;
  static const struct {
    int32_t answered, told; /* by the provider that refuses; of the run */
    aiorch_status before;   /* how the provider before it fails; AIORCH_OK: there is none */
    aiorch_status status;
  } rows[] = {
    {400, 400, AIORCH_OK, AIORCH_E_PROVIDER_REJECTED},
    {413, 400, AIORCH_OK, AIORCH_E_PROVIDER_REJECTED},
    {422, 400, AIORCH_OK, AIORCH_E_PROVIDER_REJECTED},
    {403, 400, AIORCH_OK, AIORCH_E_PROVIDER_REJECTED},  /* it moderates */
    {200, 400, AIORCH_OK, AIORCH_E_PROVIDER_REJECTED},  /* said in the answer */
    {0, 400, AIORCH_OK, AIORCH_E_PROVIDER_REJECTED},    /* one without HTTP */
    {415, 502, AIORCH_OK, AIORCH_E_PROVIDER_REJECTED},  /* it is put as the provider does not want it */
    {400, 400, AIORCH_E_CONTEXT_WINDOW, AIORCH_E_PROVIDER_REJECTED},
    {400, 502, AIORCH_E_PROVIDER_BUSY, AIORCH_E_PROVIDER_REJECTED},
    {400, 502, AIORCH_E_PROVIDER_KEY, AIORCH_E_PROVIDER_REJECTED},
    {400, 413, AIORCH_OK, AIORCH_E_CONTEXT_WINDOW}, /* as the prompt's length is told everywhere */
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    simple providers[] = {{.status = rows[i].before, .retry_after_ms = -1},
                          {.status = rows[i].status, .http_status = rows[i].answered, .retry_after_ms = -1}};
    size_t first = rows[i].before == AIORCH_OK;
    chained c = {.with_vectors = false};
    chained_open(&c, "{\"generate.attempts\": 1}", providers + first, 2 - first);
    c.f.orch->plugins.providers[1 - first].context_tokens = 100000;
    aiorch_run *run = fixture_execute(&c.f, "What?", rows[i].status);
    if (aiorch_error_http_status(aiorch_run_error(run)) != rows[i].told) fail_msg("row %zu", i);
    aiorch_run_free(run);
    chained_close(&c);
  }
}

static void test_failed__out_of_memory_is_not_tried_again(void **state) {
  (void)state;
  simple full[] = {{.status = AIORCH_E_NOMEM, .retry_after_ms = -1}, {.text = "Other.", .retry_after_ms = -1}};
  chained c = {.with_vectors = false};
  chained_open(&c, "{}", full, 2);
  aiorch_run *run = fixture_execute(&c.f, "What?", AIORCH_E_NOMEM);
  assert_string_equal(aiorch_error_message(aiorch_run_error(run)), "out of memory while the answer was made");
  assert_int_equal(full[1].calls, 0);
  assert_int_equal(aiorch_run_attempt_count(run), 1);
  aiorch_run_free(run);
  chained_close(&c);
}

/* A plug-in that says itself that it was cancelled or late has failed like any other: the run is not over by that. */
static void test_failed__words_that_are_the_runs_own(void **state) {
  (void)state;
  static const aiorch_status words[] = {AIORCH_E_CANCELLED, AIORCH_E_DEADLINE, AIORCH_E_OUTPUT_BLOCKED};
  for (size_t i = 0; i < 3; i++) {
    chained c = {.with_vectors = false};
    simple early[] = {{.status = words[i], .retry_after_ms = -1}, {.text = "Other.", .retry_after_ms = -1}};
    chained_open(&c, "{}", early, 2);
    aiorch_run *run = fixture_execute(&c.f, "What?", AIORCH_OK);
    assert_string_equal(fixture_answer(run), "Other.");
    aiorch_run_free(run);
    chained_close(&c);
    simple late[] = {{.text = piece, .status = words[i], .retry_after_ms = -1, .in_two = true},
                     {.text = "Other.", .retry_after_ms = -1}};
    chained_open(&c, "{\"output.check\": \"off\"}", late, 2);
    run = end_in_two(&c, &late[0], AIORCH_E_TRUNCATED);
    assert_string_equal(fixture_answer(run), piece);
    assert_int_equal(late[1].calls, 0);
    aiorch_run_free(run);
    chained_close(&c);
  }
}

/* The stage's event says the same as the run's end. */
static void test_failed__the_event_of_the_stage_has_the_status(void **state) {
  (void)state;
  static const struct {
    aiorch_status first, stage;
  } rows[] = {{AIORCH_E_NETWORK, AIORCH_E_PROVIDERS_UNAVAILABLE},
              {AIORCH_E_PROVIDER_REJECTED, AIORCH_E_PROVIDER_REJECTED},
              {AIORCH_E_NOMEM, AIORCH_E_NOMEM}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    chained c = {.with_vectors = false};
    simple bad[] = {{.status = rows[i].first, .retry_after_ms = -1, .message = "x"}};
    chained_open(&c, "{}", bad, 1);
    aiorch_run *run = fixture_ask(&c.f, "acme", "u1", "What?");
    const aiorch_event *event = NULL;
    aiorch_status seen = AIORCH_OK;
    while (aiorch_run_next(run, 1000, &event) == AIORCH_OK) {
      if (aiorch_event_type(event) != AIORCH_EVENT_STAGE) continue;
      if (aiorch_event_stage(event) != AIORCH_STAGE_GENERATE) continue;
      seen = aiorch_event_status(event);
      assert_int_equal(aiorch_event_outcome(event), AIORCH_OUTCOME_ERROR);
    }
    assert_int_equal(seen, rows[i].stage);
    assert_int_equal(aiorch_run_status(run), rows[i].stage);
    /* One letter is words, too. */
    if (rows[i].first != AIORCH_E_NOMEM) {
      const char *message = aiorch_error_message(aiorch_run_error(run));
      assert_string_equal(message + strlen(message) - 3, ": x");
    }
    aiorch_run_free(run);
    chained_close(&c);
  }
}

static void test_failed__too_long_an_answer_is_one_of_the_ways(void **state) {
  (void)state;
  static char longer[5000];
  memset(longer, 'a', sizeof longer - 1);
  chained c = {.with_vectors = false};
  simple talker[] = {{.text = longer, .retry_after_ms = -1}, {.text = "Short.", .retry_after_ms = -1}};
  chained_open(&c, "{\"generate.response_max_bytes\": 8192}", talker, 2);
  aiorch_run *run = fixture_execute(&c.f, "What?", AIORCH_OK);
  assert_string_equal(fixture_answer(run), longer);
  assert_int_equal(talker[1].calls, 0);
  aiorch_run_free(run);
  chained_close(&c);
}

/* ---- the row that is written before anything is sent ---- */

static const scripted_answer good[] = {{.text = "A good answer.", .input = 12, .output = 4}};

static void test_record__without_its_row_nothing_is_sent(void **state) {
  (void)state;
  fixture f;
  failing_store store;
  fixture_open(&f, NULL, good, 1, good, 1);
  failing_store_stand_before(&store, f.orch);
  store.fails[FAILING_ATTEMPT] = AIORCH_E_STORE_FULL;
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_E_STORE_FULL);
  assert_string_equal(aiorch_error_message(aiorch_run_error(run)), "the disk is gone");
  assert_int_equal(aiorch_error_stage(aiorch_run_error(run)), AIORCH_STAGE_GENERATE);
  assert_int_equal(f.first.calls, 0);
  assert_int_equal(f.second.calls, 0);
  aiorch_status outcome;
  assert_int_equal(aiorch_run_attempt(run, 0, NULL, &outcome, NULL, NULL), AIORCH_OK);
  assert_int_equal(outcome, AIORCH_E_STORE_FULL);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_record__a_late_row_holds_the_request_back(void **state) {
  (void)state;
  fixture f;
  failing_store store;
  fixture_open(&f, NULL, good, 1, NULL, 0);
  failing_store_stand_before(&store, f.orch);
  store.fails[FAILING_ATTEMPT] = AIORCH_PENDING;
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  const aiorch_event *event = NULL;
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) continue;
  assert_int_equal(aiorch_run_status(run), AIORCH_PENDING);
  assert_int_equal(f.first.calls, 0);
  failing_store_answer(&store, AIORCH_OK);
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) continue;
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_int_equal(f.first.calls, 1);
  assert_string_equal(fixture_answer(run), "A good answer.");
  aiorch_run_free(run);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_failed__the_shortest_wait_of_those_that_may_recover),
      cmocka_unit_test(test_all_failed__what_cannot_recover_gives_no_wait),
      cmocka_unit_test(test_all_failed__says_how_many_and_what_the_last_one_said),
      cmocka_unit_test(test_all_failed__names_the_last_provider),
      cmocka_unit_test(test_all_failed__an_embedder_does_not_count),
      cmocka_unit_test(test_failed__after_the_begin_what_was_given_out_stands),
      cmocka_unit_test(test_failed__together_with_the_begin_of_an_answer),
      cmocka_unit_test(test_failed__before_the_begin_nothing_of_it_stays),
    cmocka_unit_test(test_failed__after_the_begin_of_an_answer_that_is_wanted_whole),
    cmocka_unit_test(test_failed__all_of_an_answer_that_is_wanted_whole),
      cmocka_unit_test(test_failed__too_long_a_prompt_goes_to_one_that_reads_it),
      cmocka_unit_test(test_failed__what_no_other_could_do_better_ends_the_run),
      cmocka_unit_test(test_failed__whose_fault_a_refusal_is),
    cmocka_unit_test(test_failed__out_of_memory_is_not_tried_again),
      cmocka_unit_test(test_failed__words_that_are_the_runs_own),
      cmocka_unit_test(test_failed__the_event_of_the_stage_has_the_status),
      cmocka_unit_test(test_failed__too_long_an_answer_is_one_of_the_ways),
      cmocka_unit_test(test_record__without_its_row_nothing_is_sent),
      cmocka_unit_test(test_record__a_late_row_holds_the_request_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
