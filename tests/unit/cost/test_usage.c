/* lib/cost/usage.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cost/usage.h"

static const int64_t MAX = INT64_C(9007199254740992); /* 2^53 */

static void test_clear__zeroes_all(void **state) {
  (void)state;
  aio__usage u;
  memset(&u, 0x7F, sizeof u);
  aio__usage_clear(&u);
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) assert_int_equal(u.n[i], 0);
  assert_false(u.estimated);
  assert_false(aio__usage_any(&u));
}

static void test_add__each_class_apart(void **state) {
  (void)state;
  aio__usage a = {.n = {1, 2, 3, 4, 5, 6}}, b = {.n = {10, 20, 30, 40, 50, 60}};
  aio__usage_add(&a, &b);
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) {
    assert_int_equal(a.n[i], 11 * (i + 1));
    assert_int_equal(b.n[i], 10 * (i + 1));
  }
  assert_false(a.estimated);
}

static void test_add__stops_at_2_to_the_53(void **state) {
  (void)state;
  aio__usage a = {.n = {MAX - 1, MAX, INT64_MAX, 0, 5, MAX - 6}}, b = {.n = {1, 1, INT64_MAX, MAX, MAX - 6, 5}};
  aio__usage_add(&a, &b);
  assert_true(a.n[0] == MAX);
  assert_true(a.n[1] == MAX);
  assert_true(a.n[2] == MAX);
  assert_true(a.n[3] == MAX);
  assert_true(a.n[4] == MAX - 1);
  assert_true(a.n[5] == MAX - 1);
}

static void test_add__is_estimated_if_either_is(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) {
    aio__usage a = {.estimated = (i & 1) != 0}, b = {.estimated = (i & 2) != 0};
    aio__usage_add(&a, &b);
    assert_int_equal(a.estimated, i != 0);
  }
}

static void test_any__sees_every_class(void **state) {
  (void)state;
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) {
    aio__usage u = {.estimated = true};
    assert_false(aio__usage_any(&u));
    u.n[i] = 1;
    assert_true(aio__usage_any(&u));
  }
}

static void test_name__as_in_json(void **state) {
  (void)state;
  static const char *const names[] = {"input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning"};
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) assert_string_equal(aio__usage_name(i), names[i]);
  assert_null(aio__usage_name(-1));
  assert_null(aio__usage_name(AIORCH_USAGE_COUNT));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_clear__zeroes_all),
      cmocka_unit_test(test_add__each_class_apart),
      cmocka_unit_test(test_add__stops_at_2_to_the_53),
      cmocka_unit_test(test_add__is_estimated_if_either_is),
      cmocka_unit_test(test_any__sees_every_class),
      cmocka_unit_test(test_name__as_in_json),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
