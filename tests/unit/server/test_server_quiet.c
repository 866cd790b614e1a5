/* examples/server/server_quiet.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_quiet.h"

/* Looks, each `step` ms after the one before, until it may end, and at most a hundred; how many that were. */
static int looks_until_end(server_quiet *quiet, int64_t *now, int64_t step, bool came) {
  for (int looks = 1; looks <= 100; looks++) {
    *now += step;
    if (quiet_look(quiet, *now, false, came)) return looks;
  }
  return 0;
}

static void test_quiet_look__ends_when_nothing_comes(void **state) {
  server_quiet quiet;
  int64_t now = 1000000;
  (void)state;
  quiet_begin(&quiet, now);
  assert_int_equal(quiet_wait_ms(&quiet), QUIET_STEP_MS);
  assert_int_equal(looks_until_end(&quiet, &now, QUIET_STEP_MS, false), QUIET_MS / QUIET_STEP_MS + 1);
}

static void test_quiet_look__counts_short_rounds_by_their_time(void **state) {
  server_quiet quiet;
  int64_t now = 5;
  (void)state;
  quiet_begin(&quiet, now);
  assert_int_equal(looks_until_end(&quiet, &now, 10, false), QUIET_MS / 10 + 1);
}

static void test_quiet_look__a_stall_is_no_quiet(void **state) {
  server_quiet quiet;
  int64_t now = 0;
  (void)state;
  quiet_begin(&quiet, now);
  assert_int_equal(looks_until_end(&quiet, &now, 3600000, false), QUIET_MS / QUIET_STEP_MS + 1);
}

static void test_quiet_look__a_stall_before_the_end_has_one_more_look(void **state) {
  server_quiet quiet;
  int64_t now = 0;
  (void)state;
  quiet_begin(&quiet, now);
  for (int i = 1; i < QUIET_MS / QUIET_STEP_MS; i++) assert_false(quiet_look(&quiet, now += QUIET_STEP_MS, false, false));
  assert_false(quiet_look(&quiet, now += 60000, false, false));
  assert_int_equal(quiet_wait_ms(&quiet), 0);
  assert_false(quiet_look(&quiet, now, true, true)); /* it was there all the time */
  assert_int_equal(quiet_wait_ms(&quiet), QUIET_STEP_MS);
}

static void test_quiet_look__what_is_under_way_begins_it_anew(void **state) {
  server_quiet quiet;
  int64_t now = 0;
  (void)state;
  quiet_begin(&quiet, now);
  for (int i = 0; i < 50; i++) {
    assert_false(quiet_look(&quiet, now += QUIET_STEP_MS, false, false));
    assert_false(quiet_look(&quiet, now += QUIET_STEP_MS, true, false));
  }
  assert_int_equal(looks_until_end(&quiet, &now, QUIET_STEP_MS, false), QUIET_MS / QUIET_STEP_MS + 1);
}

static void test_quiet_look__waits_for_nobody_who_comes_again_and_again(void **state) {
  server_quiet quiet;
  int64_t now = 0;
  (void)state;
  quiet_begin(&quiet, now);
  assert_int_equal(looks_until_end(&quiet, &now, QUIET_STEP_MS, true), QUIET_MS / QUIET_STEP_MS + QUIET_LOOKS);
}

static void test_quiet_cut__has_its_time_in_looks(void **state) {
  server_quiet quiet;
  int64_t now = 0;
  int looks = 0;
  (void)state;
  quiet_begin(&quiet, now);
  for (bool over = false; !over && looks < 100; looks++) {
    assert_false(quiet_look(&quiet, now += 60000, true, false));
    over = quiet_cut(&quiet);
  }
  assert_int_equal(looks, CUT_MS / CUT_STEP_MS + 1);
}

static void test_quiet_cut__goes_by_the_clock_where_nothing_stands_still(void **state) {
  server_quiet quiet;
  int64_t now = 0;
  (void)state;
  quiet_begin(&quiet, now);
  assert_false(quiet_look(&quiet, now, true, false));
  assert_false(quiet_cut(&quiet));
  while (now < CUT_MS - 10) {
    assert_false(quiet_look(&quiet, now += 10, true, true));
    assert_false(quiet_cut(&quiet));
  }
  assert_false(quiet_look(&quiet, now + 10, true, true));
  assert_true(quiet_cut(&quiet));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_quiet_look__ends_when_nothing_comes),
      cmocka_unit_test(test_quiet_look__counts_short_rounds_by_their_time),
      cmocka_unit_test(test_quiet_look__a_stall_is_no_quiet),
      cmocka_unit_test(test_quiet_look__a_stall_before_the_end_has_one_more_look),
      cmocka_unit_test(test_quiet_look__what_is_under_way_begins_it_anew),
      cmocka_unit_test(test_quiet_look__waits_for_nobody_who_comes_again_and_again),
      cmocka_unit_test(test_quiet_cut__has_its_time_in_looks),
      cmocka_unit_test(test_quiet_cut__goes_by_the_clock_where_nothing_stands_still),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
