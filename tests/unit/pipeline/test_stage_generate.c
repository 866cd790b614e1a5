/* Stage 5: the chain, the commit point, the output check, what attempts keep. */
#include "../support/pipeline_fixture.h"

static const scripted_answer good[] = {{.text = "A good answer.", .input = 12, .output = 4}};

static void test_generate__an_error_that_another_may_not_have_goes_on(void **state) {
  (void)state;
  static const aiorch_status next[] = {AIORCH_E_NETWORK,      AIORCH_E_PROVIDER_BUSY,  AIORCH_E_PROVIDER_LIMIT,
                                       AIORCH_E_PROVIDER_KEY, AIORCH_E_PROVIDER_MODEL, AIORCH_E_TRUNCATED,
                                       AIORCH_E_RESPONSE,     AIORCH_E_PLUGIN};
  for (size_t i = 0; i < sizeof next / sizeof *next; i++) {
    const scripted_answer bad[] = {{.status = next[i], .http_status = 500 + (int32_t)i, .retry_after_ms = 1500}};
    fixture f;
    fixture_open(&f, "{\"generate.attempts\": 1}", bad, 1, good, 1);
    aiorch_run *run = fixture_execute(&f, "What?", AIORCH_OK);
    assert_int_equal(aiorch_run_attempt_count(run), 2);
    aiorch_status outcome;
    int32_t kind, http;
    assert_int_equal(aiorch_run_attempt(run, 0, &kind, &outcome, &http, NULL), AIORCH_OK);
    assert_int_equal(kind, AIORCH_ATTEMPT_GENERATE);
    assert_int_equal(outcome, next[i]);
    assert_int_equal(http, 500 + (int32_t)i);
    assert_int_equal(aiorch_run_attempt(run, 1, NULL, &outcome, NULL, NULL), AIORCH_OK);
    assert_int_equal(outcome, AIORCH_OK);
    assert_string_equal(fixture_answer(run), "A good answer.");
    assert_int_equal(fixture_counter(&f, AIO__N_FALLBACKS), 1);
    aiorch_run_free(run);
    fixture_close(&f);
    assert_int_equal(f.first.destroyed, 1);
    assert_int_equal(f.second.destroyed, 1);
  }
}

static void test_generate__a_rejected_request_is_given_up(void **state) {
  (void)state;
  static const aiorch_status stop[] = {AIORCH_E_PROVIDER_REJECTED, AIORCH_E_CONTEXT_WINDOW};
  for (size_t i = 0; i < sizeof stop / sizeof *stop; i++) {
    const scripted_answer bad[] = {{.status = stop[i], .http_status = 400}};
    fixture f;
    fixture_open(&f, NULL, bad, 1, good, 1);
    aiorch_run *run = fixture_execute(&f, "What?", stop[i]);
    assert_int_equal(aiorch_run_attempt_count(run), 1);
    assert_int_equal(f.second.calls, 0);
    assert_string_equal(aiorch_error_provider(aiorch_run_error(run)), "first");
    aiorch_run_free(run);
    fixture_close(&f);
  }
}

/* Its provider was busy once, which is over. One that is left alone meanwhile might have taken it. */
static void test_generate__a_refusal_is_not_the_requests_where_another_was_passed_over(void **state) {
  (void)state;
  static const scripted_answer second_try[] = {{.status = AIORCH_E_PROVIDER_BUSY, .http_status = 503},
                                               {.status = AIORCH_E_PROVIDER_REJECTED, .http_status = 400}};
  static const scripted_answer down[] = {{.status = AIORCH_E_NETWORK}};
  fixture f;
  fixture_open(&f, NULL, second_try, 2, NULL, 0);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_E_PROVIDER_REJECTED);
  assert_int_equal(aiorch_run_attempt_count(run), 2);
  assert_int_equal(aiorch_error_http_status(aiorch_run_error(run)), 400);
  aiorch_run_free(run);
  fixture_close(&f);
  fixture_open(&f, "{\"generate.attempts\": 1, \"generate.breaker_failures\": 1}", down, 1, second_try + 1, 1);
  for (size_t attempts = 2; attempts > 0; attempts--) { /* the second run passes the first provider over */
    run = fixture_execute(&f, "What?", AIORCH_E_PROVIDER_REJECTED);
    assert_int_equal(aiorch_run_attempt_count(run), attempts);
    assert_int_equal(aiorch_error_http_status(aiorch_run_error(run)), 502);
    aiorch_run_free(run);
  }
  fixture_close(&f);
}

static void test_generate__all_failed_says_when_a_new_try_may_succeed(void **state) {
  (void)state;
  static const scripted_answer busy[] = {{.status = AIORCH_E_PROVIDER_LIMIT, .http_status = 429, .retry_after_ms = 7000}};
  static const scripted_answer busier[] = {{.status = AIORCH_E_PROVIDER_BUSY, .http_status = 529, .retry_after_ms = 3000}};
  static const scripted_answer no_key[] = {{.status = AIORCH_E_PROVIDER_KEY, .http_status = 401}};
  fixture f;
  fixture_open(&f, NULL, busy, 1, busier, 1);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_E_PROVIDERS_UNAVAILABLE);
  assert_int_equal(aiorch_error_http_status(aiorch_run_error(run)), 503);
  assert_int_equal(aiorch_error_retry_after_ms(aiorch_run_error(run)), 3000);
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_GENERATE), AIORCH_OUTCOME_ERROR);
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_LOG_COST), AIORCH_OUTCOME_OK);
  aiorch_run_free(run);
  assert_int_equal(fixture_counter(&f, AIO__N_COST_ROWS), 1); /* a failure leaves its row */
  fixture_close(&f);
  fixture_open(&f, NULL, no_key, 1, NULL, 0);
  run = fixture_execute(&f, "What?", AIORCH_E_PROVIDERS_UNAVAILABLE);
  assert_int_equal(aiorch_error_http_status(aiorch_run_error(run)), 502);
  assert_int_equal(aiorch_error_retry_after_ms(aiorch_run_error(run)), -1);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_generate__an_empty_answer_is_no_answer(void **state) {
  (void)state;
  static const scripted_answer empty[] = {{.text = NULL}};
  fixture f;
  fixture_open(&f, NULL, empty, 1, good, 1);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_OK);
  aiorch_status outcome;
  assert_int_equal(aiorch_run_attempt(run, 0, NULL, &outcome, NULL, NULL), AIORCH_OK);
  assert_int_equal(outcome, AIORCH_E_RESPONSE);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_generate__bytes_that_are_not_utf8_are_no_answer(void **state) {
  (void)state;
  static const scripted_answer broken[] = {{.text = "caf\xe9 au lait"}, {.text = "cut \xc3"}};
  for (size_t i = 0; i < 2; i++) {
    fixture f;
    fixture_open(&f, NULL, &broken[i], 1, good, 1);
    aiorch_run *run = fixture_execute(&f, "What?", AIORCH_OK);
    assert_string_equal(fixture_answer(run), "A good answer.");
    aiorch_run_free(run);
    fixture_close(&f);
  }
}

static void test_generate__tokens_that_nobody_counted_are_estimated_and_marked(void **state) {
  (void)state;
  static const scripted_answer uncounted[] = {{.text = "Four words are here."}};
  fixture f;
  fixture_open(&f, NULL, uncounted, 1, NULL, 0);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_OK);
  assert_int_equal(aiorch_run_usage_estimated(run), 1);
  assert_true(aiorch_run_usage(run, AIORCH_USAGE_INPUT) > 0);
  assert_true(aiorch_run_usage(run, AIORCH_USAGE_OUTPUT) > 0);
  int64_t cost;
  assert_int_equal(aiorch_run_cost(run, &cost), AIORCH_E_NOT_FOUND); /* nobody knows what scripted-1 costs */
  assert_int_equal(fixture_counter(&f, AIO__N_COST_UNKNOWN_PRICE), 1);
  aiorch_run_free(run);
  fixture_close(&f);
}

static const char leak[] =
    "Here it is: -----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7Zz1mQxXkXbV8l0r3Yt8oR1uN4sTqkGv\n"
    "b1Lw9ZxY2cD3eF4gH5iJ6kL7mN8oP9qR0sT1uV2wX3yZ4A5B\n-----END RSA PRIVATE KEY-----\n";

static void test_generate__a_secret_in_the_answer_is_blocked_and_leaves_a_row(void **state) {
  (void)state;
  const scripted_answer secret[] = {{.text = leak, .input = 3, .output = 90}};
  fixture f;
  fixture_open(&f, NULL, secret, 1, good, 1);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_E_OUTPUT_BLOCKED);
  assert_string_equal(fixture_answer(run), "");
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_GENERATE), AIORCH_OUTCOME_REFUSED);
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_LOG_COST), AIORCH_OUTCOME_OK);
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_CACHE_STORE), AIORCH_OUTCOME_SKIPPED);
  assert_int_equal(aiorch_error_http_status(aiorch_run_error(run)), 422);
  assert_null(strstr(aiorch_error_message(aiorch_run_error(run)), "MIIE"));
  assert_int_equal(f.second.calls, 0);
  assert_int_equal(aiorch_run_usage(run, AIORCH_USAGE_OUTPUT), 90);
  aiorch_run_free(run);
  assert_int_equal(fixture_counter(&f, AIO__N_COST_ROWS), 1);
  assert_int_equal(fixture_counter(&f, AIO__N_OUTPUT_BLOCKED), 1);
  fixture_close(&f);
}

static void test_generate__with_the_check_off_or_flagging_it_passes(void **state) {
  (void)state;
  const scripted_answer secret[] = {{.text = leak}};
  fixture f;
  fixture_open(&f, "{\"output.check\": \"off\"}", secret, 1, NULL, 0);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_OK);
  assert_string_equal(fixture_answer(run), leak);
  aiorch_run_free(run);
  fixture_close(&f);
  fixture_open(&f, "{\"output.check\": \"flag\"}", secret, 1, NULL, 0);
  run = fixture_execute(&f, "What?", AIORCH_OK);
  assert_int_equal(fixture_counter(&f, AIO__N_OUTPUT_FLAGGED), 1);
  assert_int_equal(fixture_counter(&f, AIO__N_CACHE_STORED), 0); /* what was flagged is not kept */
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_generate__the_context_stands_between_two_fences_that_change(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"cache.mode\": \"off\"}", good, 1, NULL, 0);
  fixture_add(&f, "acme", "guide.md", "# Zebra guide\n\nA zebra has black and white stripes on its coat.\n");
  aiorch_run_free(fixture_execute(&f, "Which stripes has a zebra?", AIORCH_OK));
  const char *fence = strstr(f.first.last_system, "\n=====-"); /* the template's sentence names it before */
  assert_non_null(fence);
  fence++;
  char mark[31];
  memcpy(mark, fence, 30);
  mark[30] = '\0';
  const char *second = strstr(fence + 30, mark);
  assert_non_null(second);
  const char *text = strstr(fence, "black and white stripes");
  assert_true(text && text < second);
  assert_non_null(strstr(fence, "[1] Zebra guide (guide.md)"));
  aiorch_run_free(fixture_execute(&f, "Which stripes has a zebra?", AIORCH_OK));
  assert_null(strstr(f.first.last_system, mark));
  fixture_close(&f);
}

static void test_generate__a_model_for_the_run_is_asked_for(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, good, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_set_option(run, "generate.model", "bigger-2", 8), AIORCH_OK);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_string_equal(f.first.last_model, "bigger-2");
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_generate__an_unknown_provider_in_the_chain_is_named(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, good, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_set_option(run, "generate.chain", "first,nobody", 12), AIORCH_OK);
  assert_int_equal(aiorch_run_execute(run), AIORCH_E_CONFIG);
  assert_non_null(strstr(aiorch_error_message(aiorch_run_error(run)), "nobody"));
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_generate__a_refusal_of_the_model_is_an_answer_that_is_not_kept(void **state) {
  (void)state;
  static const scripted_answer refusal[] = {{.text = "I cannot.", .finish_reason = AIORCH_FINISH_REFUSAL}};
  fixture f;
  fixture_open(&f, NULL, refusal, 1, good, 1);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_OK);
  assert_int_equal(aiorch_run_finish_reason(run), AIORCH_FINISH_REFUSAL);
  aiorch_run_free(run);
  assert_int_equal(fixture_counter(&f, AIO__N_CACHE_STORED), 0);
  assert_int_equal(f.second.calls, 0);
  fixture_close(&f);
}

static void test_generate__waits_in_virtual_time_until_the_deadline(void **state) {
  (void)state;
  static const scripted_answer never[] = {{.status = AIORCH_PENDING}};
  fixture f;
  fixture_open(&f, NULL, never, 1, good, 1);
  int64_t before = atomic_load(&f.clock.monotonic_ns);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_E_DEADLINE);
  int64_t waited_ms = (atomic_load(&f.clock.monotonic_ns) - before) / 1000000;
  assert_in_range(waited_ms, 120000, 120001);
  assert_int_equal(aiorch_error_http_status(aiorch_run_error(run)), 504);
  assert_int_equal(run->attempt_count, 1);
  assert_false(run->attempts[0].cost_known); /* it may have been worked on all the time */
  assert_false(run->cost_known);
  aiorch_run_free(run);
  fixture_close(&f);
}

/* An answer that broke off may have cost something; an error that the service gave has not. */
static void test_generate__what_broke_off_has_no_known_cost(void **state) {
  (void)state;
  static const struct {
    scripted_answer answer;
    bool known;
  } rows[] = {
    {{.status = AIORCH_E_NETWORK}, false},
    {{.status = AIORCH_E_NETWORK, .http_status = 299}, false},
    {{.status = AIORCH_E_NETWORK, .http_status = 300}, true},
    {{.status = AIORCH_E_TRUNCATED, .http_status = 200}, false},
    {{.status = AIORCH_E_PROVIDER_BUSY}, true},
    {{.status = AIORCH_E_RESPONSE, .http_status = 200}, true},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fixture f;
    fixture_open(&f, NULL, &rows[i].answer, 1, NULL, 0);
    aiorch_run *run = fixture_execute(&f, "What?", AIORCH_E_PROVIDERS_UNAVAILABLE);
    assert_int_equal(run->attempts[0].cost_known, rows[i].known);
    assert_int_equal(run->cost_known, rows[i].known);
    aiorch_run_free(run);
    fixture_close(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_generate__an_error_that_another_may_not_have_goes_on),
      cmocka_unit_test(test_generate__a_rejected_request_is_given_up),
      cmocka_unit_test(test_generate__a_refusal_is_not_the_requests_where_another_was_passed_over),
      cmocka_unit_test(test_generate__all_failed_says_when_a_new_try_may_succeed),
      cmocka_unit_test(test_generate__an_empty_answer_is_no_answer),
      cmocka_unit_test(test_generate__bytes_that_are_not_utf8_are_no_answer),
      cmocka_unit_test(test_generate__tokens_that_nobody_counted_are_estimated_and_marked),
      cmocka_unit_test(test_generate__a_secret_in_the_answer_is_blocked_and_leaves_a_row),
      cmocka_unit_test(test_generate__with_the_check_off_or_flagging_it_passes),
      cmocka_unit_test(test_generate__the_context_stands_between_two_fences_that_change),
      cmocka_unit_test(test_generate__a_model_for_the_run_is_asked_for),
      cmocka_unit_test(test_generate__an_unknown_provider_in_the_chain_is_named),
      cmocka_unit_test(test_generate__a_refusal_of_the_model_is_an_answer_that_is_not_kept),
      cmocka_unit_test(test_generate__what_broke_off_has_no_known_cost),
      cmocka_unit_test(test_generate__waits_in_virtual_time_until_the_deadline),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
