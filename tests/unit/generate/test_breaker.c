/* lib/generate/breaker.c, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "generate/breaker.h"

static void break_it(aio__breaker *b, int times, int64_t now_ms) {
  for (int i = 0; i < times; i++) aio__breaker_failure(b, AIORCH_E_NETWORK, -1, now_ms);
}

static void test_breaker__opens_after_failures_in_a_row(void **state) {
  (void)state;
  aio__breaker b = {0};
  bool probe = true;
  break_it(&b, 4, 1000);
  assert_true(aio__breaker_allows(&b, 1000, &probe));
  assert_false(probe);
  aio__breaker_success(&b);
  break_it(&b, 4, 1000); /* the row was broken */
  assert_true(aio__breaker_allows(&b, 1000, &probe));
  break_it(&b, 1, 1000);
  assert_false(aio__breaker_allows(&b, 1000, &probe));
  assert_int_equal(aio__breaker_wait_ms(&b, 1000), 30000);
  assert_false(aio__breaker_allows(&b, 30999, &probe));
  assert_int_equal(b.opened, 1);
}

static void test_breaker__one_probe_decides(void **state) {
  (void)state;
  aio__breaker b = {0};
  bool probe = false;
  break_it(&b, 5, 0);
  assert_true(aio__breaker_allows(&b, 30000, &probe));
  assert_true(probe);
  assert_false(aio__breaker_allows(&b, 30001, &probe)); /* one at a time */
  break_it(&b, 1, 30500);
  assert_false(aio__breaker_allows(&b, 60499, &probe));
  assert_true(aio__breaker_allows(&b, 60500, &probe));
  assert_true(probe);
  aio__breaker_success(&b);
  assert_true(aio__breaker_allows(&b, 60501, &probe));
  assert_false(probe);
  break_it(&b, 4, 60502); /* closed, it counts from the begin */
  assert_true(aio__breaker_allows(&b, 60503, &probe));
  assert_int_equal(b.opened, 2);
}

static void test_breaker__a_probe_that_is_lost_expires(void **state) {
  (void)state;
  aio__breaker b = {0};
  bool probe = false;
  break_it(&b, 5, 0);
  assert_true(aio__breaker_allows(&b, 30000, &probe));
  assert_false(aio__breaker_allows(&b, 89999, &probe));
  assert_true(aio__breaker_allows(&b, 90000, &probe));
  assert_true(probe);
  aio__breaker_nothing(&b, probe, 90001); /* cancelled: the next one probes */
  assert_true(aio__breaker_allows(&b, 90001, &probe));
  assert_true(probe);
}

static void test_breaker__a_server_that_names_a_time_is_left_alone(void **state) {
  (void)state;
  aio__breaker b = {0};
  bool probe = false;
  aio__breaker_failure(&b, AIORCH_E_PROVIDER_LIMIT, 2000, 0);
  assert_false(aio__breaker_allows(&b, 1999, &probe));
  assert_true(aio__breaker_allows(&b, 2000, &probe));
  assert_true(probe);
  aio__breaker_failure(&b, AIORCH_E_PROVIDER_LIMIT, 90000, 2000);
  assert_int_equal(aio__breaker_wait_ms(&b, 2000), 90000);
  aio__breaker_failure(&b, AIORCH_E_PROVIDER_LIMIT, 1000, 2001); /* an older attempt: the longer time stays */
  assert_int_equal(aio__breaker_wait_ms(&b, 2001), 89999);
  aio__breaker_failure(&b, AIORCH_E_PROVIDER_LIMIT, INT64_MAX / 4, 3000);
  assert_int_equal(aio__breaker_wait_ms(&b, 3000), AIO__BREAKER_OPEN_MAX_MS);
}

/* Two failures with a Retry-After are two failures, not a broken provider. */
static void test_breaker__a_probe_after_a_named_time_is_one_failure_more(void **state) {
  (void)state;
  aio__breaker b = {0};
  bool probe = false;
  aio__breaker_failure(&b, AIORCH_E_PROVIDER_BUSY, 2000, 0);
  assert_true(aio__breaker_allows(&b, 2000, &probe));
  aio__breaker_failure(&b, AIORCH_E_PROVIDER_BUSY, 3000, 2000);
  assert_int_equal(aio__breaker_wait_ms(&b, 2000), 3000);
  assert_true(aio__breaker_allows(&b, 5000, &probe));
  assert_true(probe);
  aio__breaker_failure(&b, AIORCH_E_PROVIDER_BUSY, -1, 5000);
  assert_true(aio__breaker_allows(&b, 5000, &probe));
  assert_false(probe);
  aio__breaker_failure(&b, AIORCH_E_PROVIDER_BUSY, -1, 5000);
  aio__breaker_failure(&b, AIORCH_E_PROVIDER_BUSY, 100, 5000); /* the fifth: now it is the longer time of the two */
  assert_int_equal(aio__breaker_wait_ms(&b, 5000), 30000);
  assert_int_equal(b.opened, 3);
}

static void test_breaker__limits_of_its_own(void **state) {
  (void)state;
  aio__breaker b = {.failures_most = 2, .open_ms = 100};
  bool probe = false;
  break_it(&b, 1, 0);
  assert_true(aio__breaker_allows(&b, 0, &probe));
  break_it(&b, 1, 0);
  assert_false(aio__breaker_allows(&b, 99, &probe));
  aio__breaker_success(&b); /* of an attempt from before: it stays open */
  assert_false(aio__breaker_allows(&b, 99, &probe));
  assert_true(aio__breaker_allows(&b, 100, &probe));
}

static void test_breaker__what_says_nothing_of_the_provider_does_not_count(void **state) {
  (void)state;
  static const aiorch_status nothing[] = {AIORCH_E_PROVIDER_REJECTED, AIORCH_E_CONTEXT_WINDOW, AIORCH_E_CANCELLED,
                                          AIORCH_E_DEADLINE, AIORCH_E_NOMEM, AIORCH_E_PROVIDER_MODEL};
  aio__breaker b = {0};
  bool probe = false;
  for (int n = 0; n < 10; n++) {
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) aio__breaker_failure(&b, nothing[i], -1, 0);
  }
  assert_true(aio__breaker_allows(&b, 0, &probe));
  aio__breaker_nothing(&b, false, 0);
  assert_int_equal(b.state, AIO__BREAKER_CLOSED);
}

static void test_breaker__each_failure_of_the_provider_counts(void **state) {
  (void)state;
  static const aiorch_status each[] = {AIORCH_E_NETWORK,      AIORCH_E_PROVIDER_BUSY, AIORCH_E_PROVIDER_LIMIT,
                                       AIORCH_E_PROVIDER_KEY, AIORCH_E_TRUNCATED,     AIORCH_E_RESPONSE};
  for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
    aio__breaker b = {.failures_most = 1, .open_ms = 1};
    bool probe = true;
    aio__breaker_failure(&b, each[i], -1, 0);
    assert_false(aio__breaker_allows(&b, 0, &probe));
    assert_false(probe);
    assert_int_equal(aio__breaker_wait_ms(&b, 0), 1);
    assert_true(aio__breaker_allows(&b, 1, &probe));
  }
  aio__breaker b = {0};
  break_it(&b, 7, 0);
  assert_int_equal(b.failures, AIO__BREAKER_FAILURES); /* no count without end */
  assert_int_equal(b.opened, 1);
}

static void test_breaker__there_is_no_wait_when_it_would_let_through(void **state) {
  (void)state;
  aio__breaker b = {0};
  bool probe = false;
  assert_int_equal(aio__breaker_wait_ms(&b, 0), 0);
  break_it(&b, 5, 0);
  assert_int_equal(aio__breaker_wait_ms(&b, 29999), 1);
  assert_int_equal(aio__breaker_wait_ms(&b, 30000), 0);
  assert_int_equal(aio__breaker_wait_ms(&b, 40000), 0);
  assert_true(aio__breaker_allows(&b, 30000, &probe));
  assert_int_equal(aio__breaker_wait_ms(&b, 30000), AIO__BREAKER_PROBE_MS);
  aio__breaker_success(&b);
  assert_int_equal(aio__breaker_wait_ms(&b, 30001), 0); /* what the probe had is no time to wait any more */
  aio__breaker_failure(&b, AIORCH_E_PROVIDER_LIMIT, 1000, 30001);
  assert_int_equal(aio__breaker_wait_ms(&b, 30001), 1000); /* nor what it is left alone for */
}

static void test_breaker__the_least_time_that_a_server_names(void **state) {
  (void)state;
  aio__breaker b = {0};
  bool probe = true;
  aio__breaker_failure(&b, AIORCH_E_PROVIDER_BUSY, 0, 0); /* 0 is none */
  assert_true(aio__breaker_allows(&b, 0, &probe));
  assert_false(probe);
  aio__breaker_failure(&b, AIORCH_E_PROVIDER_BUSY, 1, 0);
  assert_false(aio__breaker_allows(&b, 0, &probe));
  assert_true(aio__breaker_allows(&b, 1, &probe));
  aio__breaker c = {0};
  break_it(&c, 4, 0);
  aio__breaker_failure(&c, AIORCH_E_PROVIDER_BUSY, 90000, 0); /* longer than its own */
  assert_int_equal(aio__breaker_wait_ms(&c, 0), 90000);
}

static void test_breaker__an_attempt_without_a_verdict_changes_it_only_as_the_probe(void **state) {
  (void)state;
  aio__breaker b = {0};
  bool probe = false;
  break_it(&b, 5, 0);
  aio__breaker_nothing(&b, true, 5); /* a probe of before, which another failure has closed the door behind */
  assert_int_equal(aio__breaker_wait_ms(&b, 5), 29995);
  assert_true(aio__breaker_allows(&b, 30000, &probe));
  aio__breaker_nothing(&b, false, 30001);
  assert_false(aio__breaker_allows(&b, 30001, &probe));
  assert_int_equal(b.state, AIO__BREAKER_PROBING);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_breaker__opens_after_failures_in_a_row),
    cmocka_unit_test(test_breaker__one_probe_decides),
    cmocka_unit_test(test_breaker__a_probe_that_is_lost_expires),
    cmocka_unit_test(test_breaker__a_server_that_names_a_time_is_left_alone),
    cmocka_unit_test(test_breaker__a_probe_after_a_named_time_is_one_failure_more),
    cmocka_unit_test(test_breaker__limits_of_its_own),
    cmocka_unit_test(test_breaker__what_says_nothing_of_the_provider_does_not_count),
    cmocka_unit_test(test_breaker__each_failure_of_the_provider_counts),
    cmocka_unit_test(test_breaker__there_is_no_wait_when_it_would_let_through),
    cmocka_unit_test(test_breaker__the_least_time_that_a_server_names),
    cmocka_unit_test(test_breaker__an_attempt_without_a_verdict_changes_it_only_as_the_probe),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
