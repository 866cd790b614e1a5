/* lib/generate/flight.c, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "generate/flight.h"

static void test_flight__the_first_leads_the_others_follow(void **state) {
  (void)state;
  aio__flight f = {0};
  uint64_t a = aio__flight_join(&f), b = aio__flight_join(&f);
  assert_true(a != 0 && a != b);
  assert_int_equal(aio__flight_ask(&f, a, 0), AIO__FLIGHT_LEADS);
  assert_true(aio__flight_lead(&f, a, 100, 0));
  assert_int_equal(aio__flight_ask(&f, a, 50), AIO__FLIGHT_LEADS);
  assert_int_equal(aio__flight_ask(&f, b, 50), AIO__FLIGHT_WAITS);
  assert_false(aio__flight_lead(&f, b, 200, 50));
  assert_false(aio__flight_launch(&f, b));
  assert_true(aio__flight_launch(&f, a));
  assert_int_equal(f.round, 1);
  assert_int_equal(aio__flight_ask(&f, a, 50), AIO__FLIGHT_READS);
  assert_int_equal(aio__flight_ask(&f, b, 1000000), AIO__FLIGHT_READS);
  assert_false(aio__flight_lead(&f, b, 2000000, 1000000)); /* what is out goes on */
  assert_true(aio__flight_open(&f));
  aio__flight_landed(&f);
  assert_false(aio__flight_open(&f));
  assert_int_equal(aio__flight_ask(&f, a, 0), AIO__FLIGHT_TAKES);
  assert_int_equal(aio__flight_ask(&f, b, 0), AIO__FLIGHT_TAKES);
  assert_int_equal(aio__flight_leave(&f, a), AIO__FLIGHT_GOES_ON);
  assert_int_equal(aio__flight_leave(&f, b), AIO__FLIGHT_EMPTY);
}

static void test_flight__a_leader_that_is_not_driven_loses_its_place(void **state) {
  (void)state;
  aio__flight f = {0};
  uint64_t a = aio__flight_join(&f), b = aio__flight_join(&f);
  assert_true(aio__flight_lead(&f, a, 100, 0));
  assert_int_equal(aio__flight_ask(&f, b, 99), AIO__FLIGHT_WAITS);
  assert_int_equal(aio__flight_ask(&f, b, 100), AIO__FLIGHT_LEADS);
  assert_true(aio__flight_lead(&f, b, 200, 100));
  assert_false(aio__flight_launch(&f, a)); /* it comes back: its attempt is not made */
  assert_int_equal(aio__flight_ask(&f, a, 150), AIO__FLIGHT_WAITS);
  aio__flight_gave_up(&f, a, true); /* nor does it end what another leads */
  assert_int_equal(f.state, AIO__FLIGHT_LED);
  assert_true(aio__flight_launch(&f, b));
  assert_int_equal(aio__flight_leave(&f, a), AIO__FLIGHT_GOES_ON);
  assert_int_equal(aio__flight_leave(&f, b), AIO__FLIGHT_ABORTED);
}

static void test_flight__a_leader_keeps_its_place_as_long_as_it_says_so(void **state) {
  (void)state;
  aio__flight f = {0};
  uint64_t a = aio__flight_join(&f), b = aio__flight_join(&f);
  assert_true(aio__flight_lead(&f, a, 100, 0));
  assert_true(aio__flight_lead(&f, a, 9000, 90));
  assert_int_equal(aio__flight_ask(&f, b, 5000), AIO__FLIGHT_WAITS);
  assert_true(aio__flight_lead(&f, a, 9100, 9050)); /* late, but nobody else came */
  assert_true(aio__flight_launch(&f, a));
}

static void test_flight__leaving_while_it_is_out(void **state) {
  (void)state;
  aio__flight f = {0};
  uint64_t a = aio__flight_join(&f), b = aio__flight_join(&f), c = aio__flight_join(&f);
  assert_true(aio__flight_lead(&f, a, 100, 0));
  assert_true(aio__flight_launch(&f, a));
  assert_int_equal(aio__flight_leave(&f, c), AIO__FLIGHT_GOES_ON);
  assert_int_equal(aio__flight_leave(&f, a), AIO__FLIGHT_ORPHANED);
  assert_int_equal(aio__flight_ask(&f, b, 0), AIO__FLIGHT_READS);
  uint64_t d = aio__flight_join(&f); /* whoever comes now reads from the begin */
  assert_int_equal(aio__flight_ask(&f, d, 0), AIO__FLIGHT_READS);
  assert_int_equal(aio__flight_leave(&f, b), AIO__FLIGHT_GOES_ON); /* the starter alone leaves an orphan */
  assert_int_equal(aio__flight_leave(&f, d), AIO__FLIGHT_ABORTED);
}

/* Whoever has started it: what it leaves behind is an orphan once, and nobody else's. */
static void test_flight__an_orphan_has_no_leader(void **state) {
  (void)state;
  aio__flight f = {0};
  uint64_t a = aio__flight_join(&f), b = aio__flight_join(&f), c = aio__flight_join(&f);
  assert_true(aio__flight_lead(&f, b, 100, 0));
  assert_true(aio__flight_launch(&f, b));
  assert_int_equal(aio__flight_leave(&f, b), AIO__FLIGHT_ORPHANED);
  assert_int_equal(aio__flight_leave(&f, a), AIO__FLIGHT_GOES_ON);
  assert_int_equal(aio__flight_leave(&f, c), AIO__FLIGHT_ABORTED);
}

static void test_flight__a_failed_attempt_frees_the_lead(void **state) {
  (void)state;
  aio__flight f = {0};
  uint64_t a = aio__flight_join(&f), b = aio__flight_join(&f);
  assert_true(aio__flight_lead(&f, a, 100, 0));
  assert_true(aio__flight_launch(&f, a));
  aio__flight_attempt_failed(&f);
  assert_int_equal(aio__flight_ask(&f, a, 0), AIO__FLIGHT_LEADS);
  assert_int_equal(aio__flight_ask(&f, b, 0), AIO__FLIGHT_LEADS);
  assert_true(aio__flight_lead(&f, b, 100, 0));
  assert_true(aio__flight_launch(&f, b));
  assert_int_equal(f.round, 2);
  assert_int_equal(aio__flight_leave(&f, a), AIO__FLIGHT_GOES_ON); /* the first round was its own, this one is not */
  aio__flight_attempt_failed(&f);
  aio__flight_attempt_failed(&f); /* told twice */
  aio__flight_landed(&f);         /* nothing is out that could land */
  assert_int_equal(f.state, AIO__FLIGHT_FREE);
}

static void test_flight__only_what_is_everybodys_failure_is_shared(void **state) {
  (void)state;
  aio__flight f = {0};
  uint64_t a = aio__flight_join(&f), b = aio__flight_join(&f);
  assert_true(aio__flight_lead(&f, a, 100, 0));
  aio__flight_gave_up(&f, a, false); /* its store, its memory */
  assert_int_equal(aio__flight_ask(&f, b, 0), AIO__FLIGHT_LEADS);
  assert_true(aio__flight_lead(&f, b, 100, 0));
  aio__flight_gave_up(&f, b, true);
  assert_int_equal(aio__flight_ask(&f, a, 0), AIO__FLIGHT_SHARES);
  assert_false(aio__flight_open(&f));
  assert_false(aio__flight_lead(&f, a, 100, 0));
}

static void test_flight__a_leader_that_leaves_between_attempts(void **state) {
  (void)state;
  aio__flight f = {0};
  uint64_t a = aio__flight_join(&f), b = aio__flight_join(&f);
  assert_true(aio__flight_lead(&f, a, 1000000, 0));
  assert_int_equal(aio__flight_leave(&f, a), AIO__FLIGHT_GOES_ON);
  assert_int_equal(aio__flight_ask(&f, b, 1), AIO__FLIGHT_LEADS);
  assert_int_equal(aio__flight_leave(&f, b), AIO__FLIGHT_EMPTY);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_flight__the_first_leads_the_others_follow),
      cmocka_unit_test(test_flight__a_leader_that_is_not_driven_loses_its_place),
      cmocka_unit_test(test_flight__a_leader_keeps_its_place_as_long_as_it_says_so),
      cmocka_unit_test(test_flight__leaving_while_it_is_out),
      cmocka_unit_test(test_flight__an_orphan_has_no_leader),
    cmocka_unit_test(test_flight__a_failed_attempt_frees_the_lead),
      cmocka_unit_test(test_flight__only_what_is_everybodys_failure_is_shared),
      cmocka_unit_test(test_flight__a_leader_that_leaves_between_attempts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
