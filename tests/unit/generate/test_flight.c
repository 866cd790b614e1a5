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

static void fail_at(aio__flight *f, uint64_t leader, int64_t now_ms, int64_t retry_after_ms) {
  assert_true(aio__flight_lead(f, leader, now_ms + 100, now_ms));
  assert_true(aio__flight_launch(f, leader));
  aio__flight_attempt_failed(f, retry_after_ms, now_ms);
}

static void test_flight__after_a_failure_its_starter_says_what_follows(void **state) {
  (void)state;
  aio__flight f = {0};
  uint64_t a = aio__flight_join(&f), b = aio__flight_join(&f);
  fail_at(&f, a, 1000, -1);
  assert_int_equal(f.state, AIO__FLIGHT_LED);
  assert_int_equal(aio__flight_ask(&f, a, 1000), AIO__FLIGHT_LEADS);
  assert_int_equal(aio__flight_ask(&f, b, 1000), AIO__FLIGHT_WAITS);
  assert_int_equal(aio__flight_waits_until(&f, 1000), 1000 + AIO__FLIGHT_LEASE_MS);
  assert_false(aio__flight_lead(&f, b, 9000, 1000 + AIO__FLIGHT_LEASE_MS - 1));
  assert_true(aio__flight_lead(&f, a, 1100, 1000)); /* at once, if its plan says so */
  assert_true(aio__flight_launch(&f, a));
  assert_int_equal(f.round, 2);
  aio__flight_attempt_failed(&f, -1, 2000);
  assert_true(aio__flight_lead(&f, b, 9000, 2000 + AIO__FLIGHT_LEASE_MS)); /* it is not driven: its place is lost */
  assert_int_equal(aio__flight_ask(&f, a, 4000), AIO__FLIGHT_WAITS);
  assert_true(aio__flight_launch(&f, b));
  assert_int_equal(aio__flight_leave(&f, a), AIO__FLIGHT_GOES_ON); /* the first rounds were its own, this one is not */
  aio__flight_attempt_failed(&f, -1, 5000);
  aio__flight_attempt_failed(&f, -1, 7000); /* told twice */
  assert_int_equal(f.failed, 3);
  assert_int_equal(f.led_until_ms, 5000 + AIO__FLIGHT_LEASE_MS);
  aio__flight_landed(&f);         /* nothing is out that could land */
  assert_int_equal(f.state, AIO__FLIGHT_LED);
}

/* Its starter has left: the others wait, longer each time, up to the cap. */
static void test_flight__a_pause_follows_each_failure(void **state) {
  (void)state;
  static const int64_t pauses[] = {500, 1000, 2000, 4000, 8000, 8000, 8000};
  aio__flight f = {0};
  uint64_t rest = aio__flight_join(&f);
  int64_t now = 10;
  for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
    uint64_t a = aio__flight_join(&f);
    fail_at(&f, a, now, -1);
    assert_int_equal(aio__flight_leave(&f, a), AIO__FLIGHT_GOES_ON);
    assert_int_equal(f.state, AIO__FLIGHT_FREE);
    assert_int_equal(aio__flight_ask(&f, rest, now + pauses[i] - 1), AIO__FLIGHT_WAITS);
    assert_int_equal(aio__flight_waits_until(&f, now), now + pauses[i]);
    assert_false(aio__flight_lead(&f, rest, now + 9000, now + pauses[i] - 1));
    now += pauses[i];
    assert_int_equal(aio__flight_ask(&f, rest, now), AIO__FLIGHT_LEADS);
  }
}

static void test_flight__an_orphan_that_fails_is_followed_by_a_pause(void **state) {
  (void)state;
  aio__flight f = {0};
  uint64_t a = aio__flight_join(&f), b = aio__flight_join(&f);
  assert_true(aio__flight_lead(&f, a, 100, 0));
  assert_true(aio__flight_launch(&f, a));
  assert_int_equal(aio__flight_leave(&f, a), AIO__FLIGHT_ORPHANED);
  aio__flight_attempt_failed(&f, -1, 50);
  assert_int_equal(f.state, AIO__FLIGHT_FREE);
  assert_int_equal(aio__flight_ask(&f, b, 549), AIO__FLIGHT_WAITS);
  assert_int_equal(aio__flight_waits_until(&f, 50), 550);
  assert_int_equal(aio__flight_ask(&f, b, 550), AIO__FLIGHT_LEADS);
}

/* A Retry-After that is longer takes the place of the pause, up to the cap. */
static void test_flight__the_pause_that_was_named(void **state) {
  (void)state;
  static const int64_t named[][2] = {{0, 500}, {500, 500}, {501, 501}, {8000, 8000}, {8001, 8000}, {3600000, 8000}};
  for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
    aio__flight f = {0};
    uint64_t a = aio__flight_join(&f), b = aio__flight_join(&f);
    fail_at(&f, a, 0, named[i][0]);
    assert_int_equal(aio__flight_leave(&f, a), AIO__FLIGHT_GOES_ON);
    assert_int_equal(aio__flight_waits_until(&f, 0), named[i][1]);
    assert_int_equal(aio__flight_ask(&f, b, named[i][1]), AIO__FLIGHT_LEADS);
  }
}

/* A leader that was lost before its attempt has said nothing of the upstream. */
static void test_flight__no_pause_without_a_failure(void **state) {
  (void)state;
  aio__flight f = {0};
  uint64_t a = aio__flight_join(&f), b = aio__flight_join(&f);
  assert_true(aio__flight_lead(&f, a, 100, 0));
  assert_int_equal(aio__flight_waits_until(&f, 0), 100);
  assert_int_equal(aio__flight_leave(&f, a), AIO__FLIGHT_GOES_ON);
  assert_int_equal(aio__flight_ask(&f, b, 0), AIO__FLIGHT_LEADS);
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
      cmocka_unit_test(test_flight__after_a_failure_its_starter_says_what_follows),
      cmocka_unit_test(test_flight__a_pause_follows_each_failure),
      cmocka_unit_test(test_flight__an_orphan_that_fails_is_followed_by_a_pause),
      cmocka_unit_test(test_flight__the_pause_that_was_named),
      cmocka_unit_test(test_flight__no_pause_without_a_failure),
      cmocka_unit_test(test_flight__only_what_is_everybodys_failure_is_shared),
      cmocka_unit_test(test_flight__a_leader_that_leaves_between_attempts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
