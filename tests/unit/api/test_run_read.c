/* What can be read from a run: each accessor, with and without places for its results, and on what is no run. */
#include "support/pipeline_fixture.h"

static const scripted_answer answer[] = {
    {.status = AIORCH_E_PROVIDER_BUSY, .http_status = 529, .retry_after_ms = 100, .input = 11, .output = 2},
};
static const scripted_answer good[] = {{.text = "Black and white.", .input = 40, .output = 4}};

static aiorch_run *finished(fixture *f) {
  fixture_open(f, "{\"generate.model\": \"claude-sonnet-4-5\", \"generate.attempts\": 1}", answer, 1, good, 1);
  fixture_add(f, "acme", "zebra.md", "# Zebra guide\n\nA zebra has black and white stripes on its coat.\n");
  return fixture_execute(f, "Which stripes has a zebra?", AIORCH_OK);
}

static void test_sources__each_field(void **state) {
  (void)state;
  fixture f;
  aiorch_run *run = finished(&f);
  const char *text;
  size_t n;
  uint64_t start = 9, end = 0;
  double score = -1, similarity = 0;
  assert_int_equal(aiorch_run_source_count(run), 1);
  assert_int_equal(aiorch_run_source_title(run, 0, &text, &n), AIORCH_OK);
  assert_string_equal(text, "Zebra guide");
  assert_int_equal(n, 11);
  assert_int_equal(aiorch_run_source_uri(run, 0, &text, NULL), AIORCH_OK);
  assert_string_equal(text, "zebra.md");
  assert_int_equal(aiorch_run_source_text(run, 0, &text, &n), AIORCH_OK);
  assert_non_null(strstr(text, "black and white stripes"));
  assert_int_equal(aiorch_run_source_document_id(run, 0, &text, &n), AIORCH_OK);
  assert_int_equal(n, 36);
  assert_int_equal(aiorch_run_source_range(run, 0, &start, &end), AIORCH_OK);
  assert_true(start < end && end <= 67);
  assert_int_equal(aiorch_run_source_range(run, 0, NULL, NULL), AIORCH_OK);
  assert_int_equal(aiorch_run_source_score(run, 0, &score, &similarity), AIORCH_OK);
  assert_true(score > 0);
  assert_true(similarity != similarity); /* NaN: no embedder was asked */
  assert_int_equal(aiorch_run_source_score(run, 0, NULL, NULL), AIORCH_OK);
  assert_int_equal(aiorch_run_source_title(run, 1, &text, &n), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_source_uri(run, 1, &text, &n), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_source_text(run, 1, &text, &n), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_source_document_id(run, 1, &text, &n), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_source_range(run, 1, &start, &end), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_source_score(run, 1, &score, &similarity), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_source_title(run, 0, NULL, &n), AIORCH_E_INVALID);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_attempts__each_field_and_their_sum(void **state) {
  (void)state;
  fixture f;
  aiorch_run *run = finished(&f);
  const char *provider, *model, *request_id;
  int32_t kind, http;
  int64_t duration, cost = 0, sum = 0;
  aiorch_status outcome;
  assert_int_equal(aiorch_run_attempt_count(run), 2);
  assert_int_equal(aiorch_run_attempt(run, 0, &kind, &outcome, &http, &duration), AIORCH_OK);
  assert_int_equal(outcome, AIORCH_E_PROVIDER_BUSY);
  assert_int_equal(http, 529);
  assert_int_equal(duration, 0); /* no virtual time has passed */
  assert_int_equal(aiorch_run_attempt(run, 0, NULL, NULL, NULL, NULL), AIORCH_OK);
  assert_int_equal(aiorch_run_attempt_names(run, 1, &provider, &model, &request_id), AIORCH_OK);
  assert_string_equal(provider, "second");
  assert_string_equal(model, "claude-sonnet-4-5");
  assert_string_equal(request_id, "");
  assert_int_equal(aiorch_run_attempt_names(run, 1, NULL, NULL, NULL), AIORCH_OK);
  assert_int_equal(aiorch_run_attempt_usage(run, 0, AIORCH_USAGE_INPUT), 11);
  assert_int_equal(aiorch_run_attempt_usage(run, 1, AIORCH_USAGE_INPUT), 40);
  assert_int_equal(aiorch_run_usage(run, AIORCH_USAGE_INPUT), 51);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(aiorch_run_attempt_cost(run, i, &cost), AIORCH_OK);
    assert_true(cost > 0);
    sum += cost;
  }
  assert_int_equal(aiorch_run_cost(run, &cost), AIORCH_OK);
  assert_true(cost == sum);
  assert_int_equal(aiorch_run_usage_estimated(run), 0);
  assert_int_equal(aiorch_run_attempt(run, 2, &kind, NULL, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_attempt_names(run, 2, &provider, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_attempt_usage(run, 2, AIORCH_USAGE_INPUT), 0);
  assert_int_equal(aiorch_run_attempt_usage(run, 0, -1), 0);
  assert_int_equal(aiorch_run_attempt_usage(run, 0, AIORCH_USAGE_COUNT), 0);
  assert_int_equal(aiorch_run_attempt_cost(run, 2, &cost), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_attempt_cost(run, 0, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_cost(run, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_usage(run, -1), 0);
  assert_int_equal(aiorch_run_usage(run, AIORCH_USAGE_COUNT), 0);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_cost__unknown_without_a_price(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, good, 1, NULL, 0);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_OK);
  int64_t cost;
  assert_int_equal(aiorch_run_attempt_cost(run, 0, &cost), AIORCH_E_NOT_FOUND);
  assert_int_equal(aiorch_run_cost(run, &cost), AIORCH_E_NOT_FOUND);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_run__names_times_and_the_cache(void **state) {
  (void)state;
  fixture f;
  const char *text, *detail;
  size_t n;
  aiorch_run *run = finished(&f);
  assert_int_equal(aiorch_run_id(run, &text, &n), AIORCH_OK);
  assert_int_equal(n, 36);
  assert_int_equal(aiorch_run_id(run, NULL, &n), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_provider(run, &text, NULL), AIORCH_OK);
  assert_string_equal(text, "second");
  assert_int_equal(aiorch_run_model(run, &text, NULL), AIORCH_OK);
  assert_string_equal(text, "claude-sonnet-4-5");
  assert_int_equal(aiorch_run_finish_reason(run), AIORCH_FINISH_STOP);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_MISS);
  assert_int_equal(aiorch_run_cache_entry(run, &text, &n), AIORCH_OK);
  assert_int_equal(n, 36); /* the entry that was stored */
  char stored[37];
  memcpy(stored, text, sizeof stored);
  assert_int_equal(aiorch_run_cache_refused(run, &text, &detail), AIORCH_OK);
  assert_string_equal(text, "");
  assert_int_equal(aiorch_run_cache_refused(run, &text, NULL), AIORCH_OK);
  assert_int_equal(aiorch_run_cache_refused(run, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_RETRIEVE), AIORCH_OUTCOME_OK);
  assert_int_equal(aiorch_run_stage_outcome(run, -1), AIORCH_OUTCOME_SKIPPED);
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_COUNT), AIORCH_OUTCOME_SKIPPED);
  aiorch_run_free(run);
  run = fixture_execute(&f, "Which stripes has a zebra?", AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_EXACT);
  assert_int_equal(aiorch_run_cache_entry(run, &text, &n), AIORCH_OK);
  assert_string_equal(text, stored);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_times__of_a_run_in_virtual_time(void **state) {
  (void)state;
  fixture f;
  static const scripted_answer never[] = {{.status = AIORCH_PENDING}};
  fixture_open(&f, NULL, never, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_duration_us(run), 0);
  const aiorch_event *event;
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) continue;
  virtual_clock_advance_ms(&f.clock, 70);
  assert_int_equal(aiorch_run_duration_us(run), 70000);
  assert_int_equal(aiorch_run_status(run), AIORCH_PENDING);
  const char *id;
  assert_int_equal(aiorch_run_id(run, &id, NULL), AIORCH_OK);
  assert_int_equal(aiorch_cancel(f.orch, id, 36), AIORCH_OK);
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) continue;
  assert_int_equal(aiorch_run_status(run), AIORCH_E_CANCELLED);
  virtual_clock_advance_ms(&f.clock, 70);
  assert_int_equal(aiorch_run_duration_us(run), 70000);
  assert_int_equal(aiorch_run_stage_us(run, AIORCH_STAGE_GENERATE), 70000);
  assert_int_equal(aiorch_run_stage_us(run, AIORCH_STAGE_VALIDATE), 0);
  assert_int_equal(aiorch_run_stage_us(run, -1), 0);
  assert_int_equal(aiorch_run_stage_us(run, AIORCH_STAGE_COUNT), 0);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_status__of_a_stage_that_has_failed_before_the_run_has_ended(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, good, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", " ");
  assert_int_equal(aiorch_run_status(run), AIORCH_PENDING);
  assert_int_equal(aiorch_stage_validate(run), AIORCH_E_INVALID_INPUT);
  assert_int_equal(aiorch_run_status(run), AIORCH_E_INVALID_INPUT);
  aiorch_run_free(run);
  fixture_close(&f);
}

/* The whole trip of one question of user u1. */
static void ask_once(fixture *f, aiorch_status expected, int64_t remaining) {
  int64_t limit = -1, left = -1, reset_ms = -1;
  aiorch_run *run = fixture_ask(f, "acme", "u1", "Which stripes has a zebra?");
  assert_int_equal(aiorch_run_rate_limit(run, &limit, &left, &reset_ms), AIORCH_E_NOT_FOUND);
  assert_int_equal(limit, -1);
  assert_int_equal(aiorch_run_execute(run), expected);
  assert_int_equal(aiorch_run_rate_limit(run, &limit, &left, &reset_ms), AIORCH_OK);
  assert_int_equal(limit, 2);
  assert_int_equal(left, remaining);
  assert_int_equal(reset_ms, 3600000);
  assert_int_equal(aiorch_run_rate_limit(run, NULL, NULL, NULL), AIORCH_OK);
  aiorch_run_free(run);
}

static void test_rate_limit__counts_down(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"rate_limit.requests\": 2}", good, 1, NULL, 0);
  ask_once(&f, AIORCH_OK, 1);
  ask_once(&f, AIORCH_OK, 0);
  ask_once(&f, AIORCH_E_RATE_LIMITED, 0);
  fixture_close(&f);
}

/* A budget counts money; where no limit of runs holds there is nothing to tell. */
static void test_rate_limit__none(void **state) {
  (void)state;
  const char *const settings[] = {"{\"rate_limit.requests\": 0}", "{\"rate_limit.requests\": 0, \"budget.user_nano_usd\": 1000000000}"};
  for (size_t i = 0; i < 2; i++) {
    fixture f;
    int64_t limit;
    fixture_open(&f, settings[i], good, 1, NULL, 0);
    aiorch_run *run = fixture_ask(&f, "acme", "u1", "Which stripes has a zebra?");
    assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
    assert_int_equal(aiorch_run_rate_limit(run, &limit, NULL, NULL), AIORCH_E_NOT_FOUND);
    aiorch_run_free(run);
    fixture_close(&f);
  }
  assert_int_equal(aiorch_run_rate_limit(NULL, NULL, NULL, NULL), AIORCH_E_INVALID);
}

static void test_events__outcome_index_and_none(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, good, 1, NULL, 0);
  fixture_add(&f, "acme", "zebra.md", "# Zebra\n\nA zebra has black and white stripes on its coat.\n");
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "Which stripes has a zebra?");
  const aiorch_event *event;
  int sources = 0, stages = 0;
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) {
    if (aiorch_event_type(event) == AIORCH_EVENT_SOURCE) {
      assert_int_equal(aiorch_event_index(event), sources++);
      assert_int_equal(aiorch_event_stage(event), AIORCH_STAGE_RETRIEVE);
    }
    if (aiorch_event_type(event) == AIORCH_EVENT_STAGE) {
      int32_t wanted = stages == AIORCH_STAGE_CACHE_LOOKUP ? AIORCH_OUTCOME_MISS : AIORCH_OUTCOME_OK;
      assert_int_equal(aiorch_event_stage(event), stages);
      assert_int_equal(aiorch_event_outcome(event), wanted);
      assert_int_equal(aiorch_event_status(event), AIORCH_OK);
      stages++;
    }
  }
  assert_int_equal(sources, 1);
  assert_int_equal(stages, AIORCH_STAGE_COUNT);
  const char *text;
  assert_int_equal(aiorch_event_type(NULL), 0);
  assert_int_equal(aiorch_event_stage(NULL), -1);
  assert_int_equal(aiorch_event_outcome(NULL), 0);
  assert_int_equal(aiorch_event_status(NULL), AIORCH_OK);
  assert_int_equal(aiorch_event_index(NULL), 0);
  assert_int_equal(aiorch_event_text(NULL, &text, NULL), AIORCH_E_INVALID);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_read__what_is_no_run(void **state) {
  (void)state;
  const char *text;
  int64_t cost;
  uint64_t start;
  double score;
  const aiorch_run *none = NULL;
  assert_int_equal(aiorch_run_status(none), AIORCH_E_INVALID);
  assert_null(aiorch_run_error(none));
  assert_int_equal(aiorch_run_id(none, &text, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_answer(none, &text, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_provider(none, &text, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_model(none, &text, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_finish_reason(none), 0);
  assert_int_equal(aiorch_run_source_count(none), 0);
  assert_int_equal(aiorch_run_source_range(none, 0, &start, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_source_score(none, 0, &score, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_usage(none, AIORCH_USAGE_INPUT), 0);
  assert_int_equal(aiorch_run_usage_estimated(none), 0);
  assert_int_equal(aiorch_run_cost(none, &cost), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_cache_outcome(none), AIORCH_CACHE_OFF);
  assert_int_equal(aiorch_run_cache_entry(none, &text, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_cache_refused(none, &text, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_stage_outcome(none, 0), AIORCH_OUTCOME_SKIPPED);
  assert_int_equal(aiorch_run_stage_us(none, 0), 0);
  assert_int_equal(aiorch_run_duration_us(none), 0);
  assert_int_equal(aiorch_run_attempt_count(none), 0);
  assert_int_equal(aiorch_run_attempt_cost(none, 0, &cost), AIORCH_E_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sources__each_field),
      cmocka_unit_test(test_attempts__each_field_and_their_sum),
      cmocka_unit_test(test_cost__unknown_without_a_price),
      cmocka_unit_test(test_run__names_times_and_the_cache),
      cmocka_unit_test(test_times__of_a_run_in_virtual_time),
      cmocka_unit_test(test_status__of_a_stage_that_has_failed_before_the_run_has_ended),
      cmocka_unit_test(test_rate_limit__counts_down),
    cmocka_unit_test(test_rate_limit__none),
    cmocka_unit_test(test_events__outcome_index_and_none),
      cmocka_unit_test(test_read__what_is_no_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
