/* What fits a filter, and how far a walk over values has to go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stores/filter.h"

static aio__filter filter_of(int kind, const char *value, const char *to) {
  aio__filter filter = {.name = AIO__LIT("n"), .kind = kind};
  if (value) filter.value = aio__str_z(value);
  if (to) filter.to = aio__str_z(to);
  return filter;
}

static bool fits(int kind, const char *value, const char *to, const char *own) {
  aio__filter filter = filter_of(kind, value, to);
  return aio__filter_fits(&filter, aio__str_z(own));
}

static bool between(const char *from, const char *to, const char *own) {
  return fits(AIO__FILTER_RANGE, from, to, own);
}

static void test_filter_fits__value_and_prefix(void **state) {
  (void)state;
  assert_true(fits(AIO__FILTER_IS, "en", NULL, "en"));
  assert_false(fits(AIO__FILTER_IS, "en", NULL, "en-GB"));
  assert_false(fits(AIO__FILTER_IS, "en", NULL, "EN"));
  assert_true(fits(AIO__FILTER_IS, "", NULL, ""));
  assert_true(fits(AIO__FILTER_PREFIX, "en", NULL, "en-GB"));
  assert_true(fits(AIO__FILTER_PREFIX, "en", NULL, "en"));
  assert_false(fits(AIO__FILTER_PREFIX, "en", NULL, "e"));
  assert_true(fits(AIO__FILTER_PREFIX, "", NULL, "whatever"));
}

static void test_filter_fits__bytes_with_both_bounds_included(void **state) {
  (void)state;
  assert_true(between("a", "c", "a"));
  assert_true(between("a", "c", "b1"));
  assert_true(between("a", "c", "c"));
  assert_false(between("a", "c", "c1"));
  assert_false(between("a", "c", "C"));
  assert_true(between("a", NULL, "z"));
  assert_false(between("a", NULL, ""));
  assert_true(between(NULL, "a", ""));
  assert_true(between("", NULL, ""));
  assert_false(between(NULL, "", "a"));
  assert_true(between("2024-01-01", "2024-12-31", "2024-06-30"));
  assert_false(between("2024-01-01", "2024-12-31", "2024-12-31T10:00"));
  assert_true(between("y", NULL, "\xC3\xA9"));
}

static void test_filter_fits__numbers_as_numbers(void **state) {
  (void)state;
  assert_true(between("9", "11", "10"));
  assert_true(between("9", NULL, "10"));
  assert_false(between(NULL, "9", "10"));
  assert_true(between("-5", "5", "-4.99"));
  assert_false(between("-5", "5", "-5.01"));
  assert_true(between("-5", "5", "0"));
  assert_true(between("-0", "0.0", "000"));
  assert_true(between("007", "7.000", "7"));
  assert_true(between("0.1", "0.2", "0.15"));
  assert_false(between("0.1", "0.2", "0.05"));
  assert_true(between("99999999999999999999999999999998", "100000000000000000000000000000000",
                      "99999999999999999999999999999999"));
  assert_false(between("1.0000000000000000000000001", NULL, "1"));
}

static void test_filter_fits__what_is_no_number_is_compared_by_bytes(void **state) {
  (void)state;
  static const char *const odd[] = {"1e3", "+1", "1.", ".5", "-", "", "1,5", "1 ", "--1", "1.2.3", "0x10"};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    bool by_bytes = strcmp(odd[i], "00") >= 0 && strcmp(odd[i], "1.2") <= 0;
    assert_int_equal(between("00", "1.2", odd[i]), by_bytes);
    assert_int_equal(between(odd[i], NULL, "10"), strcmp(odd[i], "10") <= 0);
  }
  assert_true(between("10", NULL, "9x"));
  assert_false(between("10", "20", "9x"));
}

/* Every value that fits lies at or behind the first and before what is beyond, whatever the filter. */
static void test_filter_first_and_beyond__leave_out_nothing_that_fits(void **state) {
  (void)state;
  static const char *const values[] = {"",  "-1", "-2", "0",  "1",   "10", "1a",  "2",   "9",  "a",
                                       "A", "aa", "ab", "ab\x7F", "b", "ba", "\xC3\xA9", "\xF0\x9F\x98\x80"};
  enum { VALUES = sizeof values / sizeof *values };
  size_t seen = 0, skipped = 0;
  for (int kind = AIO__FILTER_IS; kind <= AIO__FILTER_RANGE; kind++) {
    for (size_t a = 0; a < VALUES + 1; a++) {
      for (size_t b = 0; b < VALUES + 1; b++) {
        if (a == VALUES && (kind != AIO__FILTER_RANGE || b == VALUES)) continue;
        aio__filter filter = filter_of(kind, a < VALUES ? values[a] : NULL, b < VALUES ? values[b] : NULL);
        bool ended[VALUES] = {false};
        for (size_t v = 0; v < VALUES; v++) {
          aio__str own = aio__str_z(values[v]);
          bool before = aio__str_cmp(own, aio__filter_first(&filter)) < 0, beyond = aio__filter_beyond(&filter, own);
          ended[v] = beyond;
          seen += aio__filter_fits(&filter, own);
          skipped += before || beyond;
          if (aio__filter_fits(&filter, own)) assert_false(before || beyond);
        }
        for (size_t v = 0; v < VALUES; v++) {
          for (size_t w = 0; w < VALUES; w++) {
            if (ended[v] && strcmp(values[w], values[v]) > 0) assert_false(aio__filter_fits(&filter, aio__str_z(values[w])));
          }
        }
      }
    }
  }
  assert_true(seen > 1000 && skipped > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_filter_fits__value_and_prefix),
    cmocka_unit_test(test_filter_fits__bytes_with_both_bounds_included),
    cmocka_unit_test(test_filter_fits__numbers_as_numbers),
    cmocka_unit_test(test_filter_fits__what_is_no_number_is_compared_by_bytes),
    cmocka_unit_test(test_filter_first_and_beyond__leave_out_nothing_that_fits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
