/* Stage 2 over the memory store, in virtual time. */
#include "../support/pipeline_fixture.h"

static const scripted_answer answer[] = {{.text = "An answer.", .input = 1000, .output = 500}};

static aiorch_status ask(fixture *f, const char *user, const char *question, int64_t *retry_after_ms) {
  aiorch_run *run = fixture_ask(f, "acme", user, question);
  aiorch_status st = aiorch_run_execute(run);
  if (retry_after_ms) *retry_after_ms = aiorch_error_retry_after_ms(aiorch_run_error(run));
  aiorch_run_free(run);
  return st;
}

static void test_rate_limit__twenty_an_hour_then_no_more(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  for (int i = 0; i < 20; i++) assert_int_equal(ask(&f, "u1", "What?", NULL), AIORCH_OK);
  int64_t retry_after = -1;
  assert_int_equal(ask(&f, "u1", "What?", &retry_after), AIORCH_E_RATE_LIMITED);
  assert_int_equal(ask(&f, "u2", "What?", NULL), AIORCH_OK);
  assert_int_equal(fixture_counter(&f, AIO__N_REFUSED_RATE_LIMIT), 1);
  fixture_close(&f);
}

static void test_rate_limit__retry_after_is_true(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"rate_limit\": {\"requests\": 2, \"window_s\": 10}}", answer, 1, NULL, 0);
  assert_int_equal(ask(&f, "u1", "What?", NULL), AIORCH_OK);
  virtual_clock_advance_ms(&f.clock, 4000);
  assert_int_equal(ask(&f, "u1", "What?", NULL), AIORCH_OK);
  int64_t wait = -1;
  assert_int_equal(ask(&f, "u1", "What?", &wait), AIORCH_E_RATE_LIMITED);
  assert_in_range(wait, 6000, 6001);
  virtual_clock_advance_ms(&f.clock, wait - 2);
  assert_int_equal(ask(&f, "u1", "What?", NULL), AIORCH_E_RATE_LIMITED);
  virtual_clock_advance_ms(&f.clock, 2);
  assert_int_equal(ask(&f, "u1", "What?", NULL), AIORCH_OK);
  assert_int_equal(ask(&f, "u1", "What?", NULL), AIORCH_E_RATE_LIMITED);
  fixture_close(&f);
}

static void test_rate_limit__a_refusal_leaves_no_row_and_runs_no_later_stage(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"rate_limit.requests\": 1}", answer, 1, NULL, 0);
  assert_int_equal(ask(&f, "u1", "What?", NULL), AIORCH_OK);
  aiorch_run *run = fixture_execute(&f, "Which?", AIORCH_E_RATE_LIMITED);
  for (int s = AIORCH_STAGE_CACHE_LOOKUP; s < AIORCH_STAGE_COUNT; s++) {
    assert_int_equal(aiorch_run_stage_outcome(run, s), AIORCH_OUTCOME_SKIPPED);
  }
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_RATE_LIMIT), AIORCH_OUTCOME_REFUSED);
  assert_non_null(strstr(aiorch_error_message(aiorch_run_error(run)), "rate_limit.requests"));
  assert_int_equal(aiorch_error_http_status(aiorch_run_error(run)), 429);
  aiorch_run_free(run);
  assert_int_equal(f.first.calls, 1);
  assert_int_equal(fixture_counter(&f, AIO__N_COST_ROWS), 1);
  fixture_close(&f);
}

static void test_rate_limit__anonymous_runs_have_no_limit_by_user(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"anonymous\": true, \"rate_limit.requests\": 1}", answer, 1, NULL, 0);
  for (int i = 0; i < 5; i++) assert_int_equal(ask(&f, "", "What?", NULL), AIORCH_OK);
  fixture_close(&f);
}

static void test_rate_limit__refused_messages_have_a_limit_of_their_own(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"rate_limit\": {\"refused\": 3, \"requests\": 5}}", answer, 1, NULL, 0);
  for (int i = 0; i < 3; i++) assert_int_equal(ask(&f, "u1", "   ", NULL), AIORCH_E_INVALID_INPUT);
  int64_t wait = -1;
  assert_int_equal(ask(&f, "u1", "   ", &wait), AIORCH_E_RATE_LIMITED);
  assert_in_range(wait, 3599000, 3600001);
  for (int i = 0; i < 5; i++) assert_int_equal(ask(&f, "u1", "What?", NULL), AIORCH_OK); /* its own key */
  virtual_clock_advance_ms(&f.clock, wait);
  assert_int_equal(ask(&f, "u1", "   ", NULL), AIORCH_E_INVALID_INPUT);
  fixture_close(&f);
}

static void test_rate_limit__a_budget_stops_spending(void **state) {
  (void)state;
  fixture f;
  /* 1,000 tokens in and 500 out cost 10.5 million nano-USD; before it runs, a run reserves the most that it may cost. */
  fixture_open(&f,
               "{\"budget.user_nano_usd\": 60000000, \"cache.mode\": \"off\", \"rate_limit.requests\": 0,"
               " \"generate.model\": \"claude-sonnet-4-5\"}",
               answer, 1, NULL, 0);
  aiorch_status st = AIORCH_OK;
  for (int i = 0; i < 10 && st == AIORCH_OK; i++) st = ask(&f, "u1", "What?", NULL);
  assert_int_equal(st, AIORCH_E_BUDGET_EXCEEDED);
  assert_in_range(f.first.calls, 2, 5); /* 60 / 10.5, less what is held in reserve; more than one: the rest was given back */
  assert_int_equal(ask(&f, "u2", "What?", NULL), AIORCH_OK);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rate_limit__twenty_an_hour_then_no_more),
      cmocka_unit_test(test_rate_limit__retry_after_is_true),
      cmocka_unit_test(test_rate_limit__a_refusal_leaves_no_row_and_runs_no_later_stage),
      cmocka_unit_test(test_rate_limit__anonymous_runs_have_no_limit_by_user),
      cmocka_unit_test(test_rate_limit__refused_messages_have_a_limit_of_their_own),
      cmocka_unit_test(test_rate_limit__a_budget_stops_spending),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
