/* A store that fails or answers late, stage by stage: rate_limit, cache_lookup, retrieve, log_cost, cache_store. */
#include "../support/pipeline_fixture.h"

#include <stdio.h>

#include "support/failing_store.h"

static const scripted_answer answer[] = {{.text = "An answer.", .input = 10, .output = 5}};

typedef struct downed {
  fixture f;
  failing_store store;
} downed;

static void downed_open(downed *d, const char *settings) {
  fixture_open(&d->f, settings, answer, 1, NULL, 0);
  failing_store_stand_before(&d->store, d->f.orch);
}

/* Drives a run until the store must answer. */
static aiorch_run *until_it_waits(downed *d, const char *question) {
  aiorch_run *run = fixture_ask(&d->f, "acme", "u1", question);
  const aiorch_event *event = NULL;
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) continue;
  assert_int_equal(aiorch_run_status(run), AIORCH_PENDING);
  return run;
}

/* Drives it to its end; `warning` gets the last warning. */
static aiorch_status to_the_end(aiorch_run *run, char warning[300]) {
  const aiorch_event *event = NULL;
  const char *text;
  size_t n;
  warning[0] = '\0';
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) {
    if (aiorch_event_type(event) != AIORCH_EVENT_WARNING) continue;
    assert_int_equal(aiorch_event_text(event, &text, &n), AIORCH_OK);
    (void)snprintf(warning, 300, "%.*s", (int)n, text);
  }
  return aiorch_run_status(run);
}

/* ---- rate_limit ---- */

static void test_rate_limit__closed_lets_nobody_through(void **state) {
  (void)state;
  downed d;
  downed_open(&d, NULL);
  d.store.fails[FAILING_ADMIT] = AIORCH_E_STORE_DOWN;
  aiorch_run *run = fixture_execute(&d.f, "What?", AIORCH_E_STORE_DOWN);
  assert_string_equal(aiorch_error_message(aiorch_run_error(run)), "the disk is gone");
  assert_int_equal(aiorch_error_stage(aiorch_run_error(run)), AIORCH_STAGE_RATE_LIMIT);
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_RATE_LIMIT), AIORCH_OUTCOME_ERROR);
  assert_int_equal(d.f.first.calls, 0);
  assert_int_equal(fixture_counter(&d.f, AIO__N_STORE_ERRORS), 1);
  aiorch_run_free(run);
  fixture_close(&d.f);
}

static void test_rate_limit__open_lets_everybody_through_and_says_so(void **state) {
  (void)state;
  downed d;
  downed_open(&d, "{\"rate_limit\": {\"on_store_down\": \"open\", \"requests\": 1}}");
  d.store.fails[FAILING_ADMIT] = AIORCH_E_STORE_DOWN;
  char warning[300];
  for (int i = 0; i < 3; i++) {
    aiorch_run *run = fixture_ask(&d.f, "acme", "u1", "What?");
    assert_int_equal(to_the_end(run, warning), AIORCH_OK);
    assert_string_equal(warning, "the limiter's store is down; admitted as \"rate_limit.on_store_down\" says: "
                                 "the disk is gone");
    assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_RATE_LIMIT), AIORCH_OUTCOME_DEGRADED);
    aiorch_run_free(run);
  }
  assert_int_equal(fixture_counter(&d.f, AIO__N_STORE_ERRORS), 3);
  assert_int_equal(fixture_counter(&d.f, AIO__N_REFUSED_RATE_LIMIT), 0);
  fixture_close(&d.f);
}

static void test_rate_limit__local_counts_in_this_process(void **state) {
  (void)state;
  downed d;
  downed_open(&d, "{\"rate_limit\": {\"on_store_down\": \"local\", \"requests\": 2, \"window_s\": 60}}");
  d.store.fails[FAILING_ADMIT] = AIORCH_E_STORE_DOWN;
  for (int i = 0; i < 2; i++) {
    aiorch_run *run = fixture_execute(&d.f, "What?", AIORCH_OK);
    assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_RATE_LIMIT), AIORCH_OUTCOME_DEGRADED);
    aiorch_run_free(run);
  }
  aiorch_run *run = fixture_execute(&d.f, "What?", AIORCH_E_RATE_LIMITED);
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_RATE_LIMIT), AIORCH_OUTCOME_REFUSED);
  assert_in_range(aiorch_error_retry_after_ms(aiorch_run_error(run)), 59000, 60001);
  aiorch_run_free(run);
  virtual_clock_advance_ms(&d.f.clock, 60001);
  aiorch_run_free(fixture_execute(&d.f, "What?", AIORCH_OK));
  fixture_close(&d.f);
}

static void test_rate_limit__out_of_memory_is_never_let_through(void **state) {
  (void)state;
  downed d;
  downed_open(&d, "{\"rate_limit.on_store_down\": \"open\"}");
  d.store.fails[FAILING_ADMIT] = AIORCH_E_NOMEM;
  aiorch_run_free(fixture_execute(&d.f, "What?", AIORCH_E_NOMEM));
  assert_int_equal(d.f.first.calls, 0);
  fixture_close(&d.f);
}

static void test_rate_limit__waits_for_a_late_store(void **state) {
  (void)state;
  static const aiorch_status ends[] = {AIORCH_OK, AIORCH_E_STORE_DOWN};
  for (size_t i = 0; i < 2; i++) {
    downed d;
    char warning[300];
    downed_open(&d, NULL);
    d.store.fails[FAILING_ADMIT] = AIORCH_PENDING;
    aiorch_run *run = until_it_waits(&d, "What?");
    assert_int_equal(d.f.first.calls, 0);
    failing_store_answer(&d.store, ends[i]);
    assert_int_equal(to_the_end(run, warning), ends[i]);
    aiorch_run_free(run);
    fixture_close(&d.f);
  }
}

static void test_rate_limit__a_spent_budget_is_told_in_money(void **state) {
  (void)state;
  fixture f;
  static const scripted_answer dear[] = {{.text = "An answer.", .input = 1000000, .output = 0}};
  /* The model of another name has a price: 3 USD for a million tokens. */
  static const char settings[] = "{\"budget.user_nano_usd\": 4000000000, \"budget.window_s\": 100,"
                                 " \"generate.model\": \"claude-sonnet-4-5\", \"generate.max_tokens\": 1,"
                                 " \"rate_limit.requests\": 0, \"cache.mode\": \"off\"}";
  fixture_open(&f, settings, dear, 1, NULL, 0);
  aiorch_status st = AIORCH_OK;
  aiorch_run *run = NULL;
  int64_t known = 0;
  for (int i = 0; i < 5 && st == AIORCH_OK; i++) {
    if (run) aiorch_run_free(run);
    run = fixture_ask(&f, "acme", "u1", "What?");
    st = aiorch_run_execute(run);
    if (st == AIORCH_OK && aiorch_run_cost(run, &known) != AIORCH_OK) break; /* no such price any more */
  }
  if (known > 0) {
    assert_int_equal(st, AIORCH_E_BUDGET_EXCEEDED);
    const char *message = aiorch_error_message(aiorch_run_error(run));
    assert_non_null(strstr(message, "the budget is spent: "));
    assert_non_null(strstr(message, "of 4"));
    assert_non_null(strstr(message, " USD in 100 s; next in "));
    assert_non_null(strstr(message, "\"budget.user_nano_usd\" sets it"));
    assert_int_equal(fixture_counter(&f, AIO__N_REFUSED_BUDGET), 1);
    assert_int_equal(fixture_counter(&f, AIO__N_REFUSED_RATE_LIMIT), 0);
    assert_int_equal(aiorch_error_http_status(aiorch_run_error(run)), aiorch_status_http(AIORCH_E_BUDGET_EXCEEDED));
  } else {
    fail_msg("the model has no price, so that no budget was spent");
  }
  aiorch_run_free(run);
  fixture_close(&f);
}

/* ---- cache_lookup ---- */

static void test_cache_lookup__goes_on_without_the_cache(void **state) {
  (void)state;
  downed d;
  char warning[300];
  downed_open(&d, NULL);
  d.store.fails[FAILING_LOOKUP] = AIORCH_E_STORE_DOWN;
  aiorch_run *run = fixture_ask(&d.f, "acme", "u1", "What?");
  assert_int_equal(to_the_end(run, warning), AIORCH_OK);
  assert_string_equal(warning, "the cache could not be asked: the disk is gone");
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_CACHE_LOOKUP), AIORCH_OUTCOME_DEGRADED);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_MISS);
  assert_string_equal(fixture_answer(run), "An answer.");
  assert_int_equal(fixture_counter(&d.f, AIO__N_STORE_ERRORS), 1);
  assert_int_equal(fixture_counter(&d.f, AIO__N_CACHE_MISSES), 1);
  aiorch_run_free(run);
  fixture_close(&d.f);
}

static void test_cache_lookup__out_of_memory_ends_the_run(void **state) {
  (void)state;
  downed d;
  downed_open(&d, NULL);
  d.store.fails[FAILING_LOOKUP] = AIORCH_E_NOMEM;
  aiorch_run *run = fixture_execute(&d.f, "What?", AIORCH_E_NOMEM);
  assert_int_equal(aiorch_error_stage(aiorch_run_error(run)), AIORCH_STAGE_CACHE_LOOKUP);
  assert_int_equal(d.f.first.calls, 0);
  aiorch_run_free(run);
  fixture_close(&d.f);
}

static void test_cache_lookup__a_late_hit_is_a_hit(void **state) {
  (void)state;
  downed d;
  char warning[300];
  downed_open(&d, NULL);
  aiorch_run_free(fixture_execute(&d.f, "What?", AIORCH_OK));
  d.store.fails[FAILING_LOOKUP] = AIORCH_PENDING;
  aiorch_run *run = until_it_waits(&d, "What?");
  failing_store_answer(&d.store, AIORCH_OK);
  assert_int_equal(to_the_end(run, warning), AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_EXACT);
  assert_int_equal(d.f.first.calls, 1);
  aiorch_run_free(run);
  fixture_close(&d.f);
}

/* An entry whose sources did not change stays good, also when the store cannot note that it was checked. */
static void test_cache_lookup__revalidates_by_a_late_search_and_a_late_mark(void **state) {
  (void)state;
  static const aiorch_status ends[] = {AIORCH_OK, AIORCH_E_STORE_DOWN};
  for (size_t i = 0; i < 2; i++) {
    downed d;
    char warning[300];
    downed_open(&d, NULL);
    fixture_add(&d.f, "acme", "zebra.md", "# Zebra\n\nA zebra has black and white stripes on its coat.\n");
    aiorch_run_free(fixture_execute(&d.f, "Which stripes has a zebra?", AIORCH_OK));
    fixture_add(&d.f, "acme", "tea.md", "# Tea\n\nGreen tea is brewed at eighty degrees.\n");
    d.store.fails[FAILING_SEARCH] = d.store.fails[FAILING_REVALIDATED] = AIORCH_PENDING;
    aiorch_run *run = until_it_waits(&d, "Which stripes has a zebra?");
    assert_int_equal(d.store.calls[FAILING_REVALIDATED], 0);
    failing_store_answer(&d.store, AIORCH_OK);
    const aiorch_event *event = NULL;
    while (aiorch_run_next(run, 0, &event) == AIORCH_OK) continue;
    assert_int_equal(d.store.calls[FAILING_REVALIDATED], 1);
    assert_int_equal(aiorch_run_status(run), AIORCH_PENDING);
    failing_store_answer(&d.store, ends[i]);
    assert_int_equal(to_the_end(run, warning), AIORCH_OK);
    assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_EXACT);
    assert_int_equal(fixture_counter(&d.f, AIO__N_CACHE_REVALIDATED), 1);
    assert_int_equal(d.f.first.calls, 1);
    aiorch_run_free(run);
    fixture_close(&d.f);
  }
}

static void test_cache_lookup__what_cannot_be_checked_is_a_miss(void **state) {
  (void)state;
  downed d;
  downed_open(&d, NULL);
  fixture_add(&d.f, "acme", "zebra.md", "# Zebra\n\nA zebra has black and white stripes on its coat.\n");
  aiorch_run_free(fixture_execute(&d.f, "Which stripes has a zebra?", AIORCH_OK));
  fixture_add(&d.f, "acme", "tea.md", "# Tea\n\nGreen tea is brewed at eighty degrees.\n");
  d.store.fails[FAILING_SEARCH] = AIORCH_E_STORE_DOWN;
  aiorch_run *run = fixture_execute(&d.f, "Which stripes has a zebra?", AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_MISS);
  assert_int_equal(d.f.first.calls, 2);
  assert_int_equal(fixture_counter(&d.f, AIO__N_CACHE_REVALIDATED), 0);
  aiorch_run_free(run);
  fixture_close(&d.f);
}

/* ---- retrieve ---- */

static void test_retrieve__answers_without_sources_and_keeps_nothing(void **state) {
  (void)state;
  downed d;
  char warning[300];
  downed_open(&d, NULL);
  d.store.fails[FAILING_SEARCH] = AIORCH_E_STORE_DOWN;
  aiorch_run *run = fixture_ask(&d.f, "acme", "u1", "What?");
  assert_int_equal(to_the_end(run, warning), AIORCH_OK);
  assert_non_null(strstr(warning, "retrieval went on without a part of it"));
  assert_non_null(strstr(warning, "the disk is gone"));
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_RETRIEVE), AIORCH_OUTCOME_DEGRADED);
  assert_int_equal(fixture_counter(&d.f, AIO__N_RETRIEVE_DEGRADED), 1);
  assert_int_equal(fixture_counter(&d.f, AIO__N_CACHE_STORED), 0);
  aiorch_run_free(run);
  fixture_close(&d.f);
}

static void test_retrieve__out_of_memory_ends_the_run(void **state) {
  (void)state;
  downed d;
  downed_open(&d, NULL);
  d.store.fails[FAILING_SEARCH] = AIORCH_E_NOMEM;
  aiorch_run *run = fixture_execute(&d.f, "What?", AIORCH_E_NOMEM);
  assert_string_equal(aiorch_error_message(aiorch_run_error(run)), "out of memory in retrieval");
  assert_int_equal(d.f.first.calls, 0);
  aiorch_run_free(run);
  fixture_close(&d.f);
}

/* ---- log_cost and cache_store ---- */

static void test_log_cost__an_answer_without_its_row_is_no_success_to_count(void **state) {
  (void)state;
  downed d;
  downed_open(&d, NULL);
  d.store.fails[FAILING_SETTLE] = AIORCH_E_STORE_FULL;
  aiorch_run *run = fixture_ask(&d.f, "acme", "u1", "What?");
  (void)aiorch_run_execute(run);
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_LOG_COST), AIORCH_OUTCOME_ERROR);
  assert_int_equal(fixture_counter(&d.f, AIO__N_COST_ROWS), 0);
  assert_int_equal(fixture_counter(&d.f, AIO__N_STORE_ERRORS), 1);
  aiorch_run_free(run);
  fixture_close(&d.f);
}

static void test_log_cost__waits_for_a_late_row(void **state) {
  (void)state;
  downed d;
  char warning[300];
  downed_open(&d, NULL);
  d.store.fails[FAILING_SETTLE] = AIORCH_PENDING;
  aiorch_run *run = until_it_waits(&d, "What?");
  assert_int_equal(d.f.first.calls, 1);
  assert_int_equal(fixture_counter(&d.f, AIO__N_COST_ROWS), 0);
  failing_store_answer(&d.store, AIORCH_OK);
  assert_int_equal(to_the_end(run, warning), AIORCH_OK);
  assert_int_equal(fixture_counter(&d.f, AIO__N_COST_ROWS), 1);
  aiorch_run_free(run);
  fixture_close(&d.f);
}

/* The run is gone, its row is still being written: closing waits for it. */
static void test_log_cost__a_row_outlives_its_run(void **state) {
  (void)state;
  downed d;
  downed_open(&d, NULL);
  d.store.fails[FAILING_SETTLE] = AIORCH_PENDING;
  aiorch_run_free(until_it_waits(&d, "What?"));
  assert_int_equal(aiorch_close(d.f.orch, 10), AIORCH_AGAIN);
  failing_store_answer(&d.store, AIORCH_OK);
  assert_int_equal(fixture_counter(&d.f, AIO__N_COST_ROWS), 1);
  fixture_close(&d.f);
}

static void test_cache_store__a_store_that_fails_costs_only_the_entry(void **state) {
  (void)state;
  downed d;
  char warning[300];
  downed_open(&d, NULL);
  d.store.fails[FAILING_PUT] = AIORCH_E_STORE_FULL;
  aiorch_run *run = fixture_ask(&d.f, "acme", "u1", "What?");
  assert_int_equal(to_the_end(run, warning), AIORCH_OK);
  assert_string_equal(fixture_answer(run), "An answer.");
  assert_int_equal(fixture_counter(&d.f, AIO__N_CACHE_STORED), 0);
  assert_int_equal(fixture_counter(&d.f, AIO__N_STORE_ERRORS), 1);
  aiorch_run_free(run);
  fixture_close(&d.f);
}

/* What the store still writes into must stay until it has answered, though the host has freed the run. */
static void test_free__a_run_whose_store_call_is_out_waits_for_it(void **state) {
  (void)state;
  downed d;
  downed_open(&d, NULL);
  d.store.fails[FAILING_LOOKUP] = AIORCH_PENDING;
  aiorch_run_free(until_it_waits(&d, "What?"));
  d.store.fails[FAILING_LOOKUP] = AIORCH_OK;
  aiorch_run_free(fixture_execute(&d.f, "Which?", AIORCH_OK)); /* another run's end looks after those that wait */
  assert_non_null(d.f.orch->zombies);
  failing_store_answer(&d.store, AIORCH_OK);
  aiorch_run_free(fixture_execute(&d.f, "Who?", AIORCH_OK));
  assert_null(d.f.orch->zombies);
  fixture_close(&d.f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rate_limit__closed_lets_nobody_through),
      cmocka_unit_test(test_rate_limit__open_lets_everybody_through_and_says_so),
      cmocka_unit_test(test_rate_limit__local_counts_in_this_process),
      cmocka_unit_test(test_rate_limit__out_of_memory_is_never_let_through),
      cmocka_unit_test(test_rate_limit__waits_for_a_late_store),
      cmocka_unit_test(test_rate_limit__a_spent_budget_is_told_in_money),
      cmocka_unit_test(test_cache_lookup__goes_on_without_the_cache),
      cmocka_unit_test(test_cache_lookup__out_of_memory_ends_the_run),
      cmocka_unit_test(test_cache_lookup__a_late_hit_is_a_hit),
      cmocka_unit_test(test_cache_lookup__revalidates_by_a_late_search_and_a_late_mark),
      cmocka_unit_test(test_cache_lookup__what_cannot_be_checked_is_a_miss),
      cmocka_unit_test(test_retrieve__answers_without_sources_and_keeps_nothing),
      cmocka_unit_test(test_retrieve__out_of_memory_ends_the_run),
      cmocka_unit_test(test_log_cost__an_answer_without_its_row_is_no_success_to_count),
      cmocka_unit_test(test_log_cost__waits_for_a_late_row),
      cmocka_unit_test(test_log_cost__a_row_outlives_its_run),
      cmocka_unit_test(test_cache_store__a_store_that_fails_costs_only_the_entry),
      cmocka_unit_test(test_free__a_run_whose_store_call_is_out_waits_for_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
