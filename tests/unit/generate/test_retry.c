/* lib/generate/retry.c: the table of design section 9, and what bounds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "generate/retry.h"

static const aio__retry_place PLACE = {.attempts = 1, .keys_left = true, .providers_left = true, .remaining_ms = 60000,
                                       .budget_milli = AIO__RETRY_BUDGET_MILLI, .random = UINT32_MAX};

static aio__retry_decision after(aiorch_status status, aio__retry_place place) {
  aio__retry_failure failure = {.status = status, .retry_after_ms = -1, .should_retry = -1};
  return aio__retry_decide(&failure, &place);
}

/* Only the same key is waited for, and only a wait spends of the budget. */
static void expect_step(aiorch_status status, aio__retry_place place, aio__retry_step step) {
  aio__retry_decision d = after(status, place);
  assert_int_equal(d.step, step);
  if (step == AIO__RETRY_SAME_KEY) return;
  assert_int_equal(d.wait_ms, 0);
  assert_int_equal(d.budget_milli, place.budget_milli);
}

static void test_decide__each_class_of_error(void **state) {
  (void)state;
  static const struct {
    aiorch_status status;
    aio__retry_step all, no_keys, last;
  } rows[] = {
    {AIORCH_E_NETWORK, AIO__RETRY_SAME_KEY, AIO__RETRY_SAME_KEY, AIO__RETRY_SAME_KEY},
    {AIORCH_E_PROVIDER_BUSY, AIO__RETRY_SAME_KEY, AIO__RETRY_SAME_KEY, AIO__RETRY_SAME_KEY},
    {AIORCH_E_TRUNCATED, AIO__RETRY_SAME_KEY, AIO__RETRY_SAME_KEY, AIO__RETRY_SAME_KEY},
    {AIORCH_E_RESPONSE, AIO__RETRY_SAME_KEY, AIO__RETRY_SAME_KEY, AIO__RETRY_SAME_KEY},
    {AIORCH_E_PROVIDER_LIMIT, AIO__RETRY_NEXT_KEY, AIO__RETRY_NEXT_PROVIDER, AIO__RETRY_SAME_KEY},
    {AIORCH_E_PROVIDER_KEY, AIO__RETRY_NEXT_KEY, AIO__RETRY_NEXT_PROVIDER, AIO__RETRY_GIVE_UP},
    {AIORCH_E_PROVIDER_MODEL, AIO__RETRY_NEXT_PROVIDER, AIO__RETRY_NEXT_PROVIDER, AIO__RETRY_GIVE_UP},
    {AIORCH_E_PROVIDER_REJECTED, AIO__RETRY_GIVE_UP, AIO__RETRY_GIVE_UP, AIO__RETRY_GIVE_UP},
    {AIORCH_E_CONTEXT_WINDOW, AIO__RETRY_LARGER_WINDOW, AIO__RETRY_LARGER_WINDOW, AIO__RETRY_GIVE_UP},
    {AIORCH_E_CANCELLED, AIO__RETRY_GIVE_UP, AIO__RETRY_GIVE_UP, AIO__RETRY_GIVE_UP},
    {AIORCH_E_DEADLINE, AIO__RETRY_GIVE_UP, AIO__RETRY_GIVE_UP, AIO__RETRY_GIVE_UP},
    {AIORCH_E_NOMEM, AIO__RETRY_GIVE_UP, AIO__RETRY_GIVE_UP, AIO__RETRY_GIVE_UP},
    {AIORCH_E_PLUGIN, AIO__RETRY_NEXT_PROVIDER, AIO__RETRY_NEXT_PROVIDER, AIO__RETRY_GIVE_UP},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    aio__retry_place place = PLACE;
    expect_step(rows[i].status, place, rows[i].all);
    place.keys_left = false;
    expect_step(rows[i].status, place, rows[i].no_keys);
    place.providers_left = false;
    expect_step(rows[i].status, place, rows[i].last);
    place.committed = true; /* never after the commit point */
    expect_step(rows[i].status, place, AIO__RETRY_GIVE_UP);
  }
}

static void test_decide__backoff_has_full_jitter_and_a_cap(void **state) {
  (void)state;
  aio__retry_place place = PLACE;
  place.random = 0;
  assert_int_equal(after(AIORCH_E_NETWORK, place).wait_ms, 0);
  place.random = UINT32_MAX;
  assert_int_equal(after(AIORCH_E_NETWORK, place).wait_ms, 500);
  place.random = UINT32_MAX / 2;
  assert_int_equal(after(AIORCH_E_NETWORK, place).wait_ms, 250);
  place.random = UINT32_MAX;
  place.attempts = 2;
  assert_int_equal(after(AIORCH_E_NETWORK, place).wait_ms, 1000);
  place.attempts = 3;
  assert_int_equal(after(AIORCH_E_NETWORK, place).step, AIO__RETRY_NEXT_PROVIDER);
}

static void test_decide__retry_after_is_honoured_within_the_deadline(void **state) {
  (void)state;
  aio__retry_failure failure = {.status = AIORCH_E_PROVIDER_BUSY, .retry_after_ms = 7000, .should_retry = -1};
  aio__retry_place place = PLACE;
  assert_int_equal(aio__retry_decide(&failure, &place).wait_ms, 7000);
  place.remaining_ms = 7000; /* it would be over then */
  assert_int_equal(aio__retry_decide(&failure, &place).step, AIO__RETRY_NEXT_PROVIDER);
  place.remaining_ms = 7001;
  assert_int_equal(aio__retry_decide(&failure, &place).step, AIO__RETRY_SAME_KEY);
  failure.retry_after_ms = 1; /* shorter than the backoff */
  assert_int_equal(aio__retry_decide(&failure, &place).wait_ms, 500);
}

static void test_decide__what_no_wait_mends_and_who_is_sooner(void **state) {
  (void)state;
  aio__retry_place place = PLACE;
  aio__retry_failure failure = {.status = AIORCH_E_PROVIDER_BUSY, .retry_after_ms = AIO__RETRY_CAP_MS + 1, .should_retry = -1};
  assert_int_equal(aio__retry_decide(&failure, &place).step, AIO__RETRY_NEXT_PROVIDER);
  assert_int_equal(aio__retry_decide(&failure, &place).budget_milli, AIO__RETRY_BUDGET_MILLI); /* and nothing is spent */
  place.providers_left = false;
  assert_int_equal(aio__retry_decide(&failure, &place).wait_ms, AIO__RETRY_CAP_MS + 1);
  failure = (aio__retry_failure){.status = AIORCH_E_PROVIDER_LIMIT, .retry_after_ms = 5, .should_retry = -1, .not_today = true};
  assert_int_equal(aio__retry_decide(&failure, &place).step, AIO__RETRY_NEXT_KEY);
  place.keys_left = false;
  assert_int_equal(aio__retry_decide(&failure, &place).step, AIO__RETRY_GIVE_UP);
  place = PLACE;
  place.attempts_max = 1;
  assert_int_equal(after(AIORCH_E_NETWORK, place).step, AIO__RETRY_NEXT_PROVIDER);
  place.attempts_max = place.attempts = 9;
  assert_int_equal(after(AIORCH_E_NETWORK, place).step, AIO__RETRY_NEXT_PROVIDER);
  place.attempts = 8;
  assert_int_equal(after(AIORCH_E_NETWORK, place).step, AIO__RETRY_SAME_KEY);
  assert_int_equal(after(AIORCH_E_NETWORK, place).wait_ms, AIO__RETRY_CAP_MS);
}

static void test_decide__the_server_has_a_say(void **state) {
  (void)state;
  aio__retry_failure failure = {.status = AIORCH_E_PROVIDER_BUSY, .retry_after_ms = -1, .should_retry = 0};
  aio__retry_place place = PLACE;
  assert_int_equal(aio__retry_decide(&failure, &place).step, AIO__RETRY_NEXT_PROVIDER);
  failure = (aio__retry_failure){.status = AIORCH_E_PROVIDER_MODEL, .retry_after_ms = -1, .should_retry = 1};
  assert_int_equal(aio__retry_decide(&failure, &place).step, AIO__RETRY_SAME_KEY);
  failure = (aio__retry_failure){.status = AIORCH_E_PROVIDER_LIMIT, .retry_after_ms = 5, .should_retry = 0};
  place.keys_left = place.providers_left = false;
  assert_int_equal(aio__retry_decide(&failure, &place).step, AIO__RETRY_GIVE_UP);
}

static void test_decide__a_storm_ends_with_the_budget(void **state) {
  (void)state;
  int32_t budget = AIO__RETRY_BUDGET_MILLI;
  int retries = 0;
  for (int request = 0; request < 1000; request++) { /* every one fails for good */
    aio__retry_place place = PLACE;
    for (place.attempts = 1;; place.attempts++) {
      place.budget_milli = budget;
      aio__retry_decision d = after(AIORCH_E_PROVIDER_BUSY, place);
      budget = d.budget_milli;
      if (d.step != AIO__RETRY_SAME_KEY) break;
      retries++;
    }
  }
  assert_int_equal(retries, 10);
  for (int i = 0; i < 9; i++) budget = aio__retry_refund(budget, AIO__RETRY_BUDGET_MILLI);
  assert_int_equal(budget, 900);
  aio__retry_place place = PLACE;
  place.budget_milli = budget;
  assert_int_equal(after(AIORCH_E_NETWORK, place).step, AIO__RETRY_NEXT_PROVIDER);
  place.budget_milli = aio__retry_refund(budget, AIO__RETRY_BUDGET_MILLI);
  assert_int_equal(after(AIORCH_E_NETWORK, place).step, AIO__RETRY_SAME_KEY);
  for (int i = 0; i < 1000; i++) budget = aio__retry_refund(budget, AIO__RETRY_BUDGET_MILLI);
  assert_int_equal(budget, AIO__RETRY_BUDGET_MILLI);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_decide__each_class_of_error),
    cmocka_unit_test(test_decide__backoff_has_full_jitter_and_a_cap),
    cmocka_unit_test(test_decide__retry_after_is_honoured_within_the_deadline),
    cmocka_unit_test(test_decide__what_no_wait_mends_and_who_is_sooner),
    cmocka_unit_test(test_decide__the_server_has_a_say),
    cmocka_unit_test(test_decide__a_storm_ends_with_the_budget),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
