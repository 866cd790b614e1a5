/* Ranges of chunk numbers; what matches a filter is tested through the stores (conformance). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stores/sqlite_filter.h"

static aio__sq_range some[] = {{5, 3, 0}, {10, 1, 0}, {11, 2, 0}, {40, 10, 0}};

static bool is_in(const aio__sq_ranges *ranges, int64_t no) {
  for (size_t i = 0; i < ranges->n; i++)
    if (no >= ranges->range[i].first && no < ranges->range[i].first + ranges->range[i].count) return true;
  return !ranges->active;
}

static void test_ranges_pass__each_number(void **state) {
  (void)state;
  for (size_t n = 0; n <= 4; n++) {
    aio__sq_ranges ranges = {.range = some, .n = n, .active = true};
    for (int64_t no = 0; no < 60; no++) assert_int_equal(aio__sq_ranges_pass(&ranges, no), is_in(&ranges, no));
  }
}

/* In order, in steps, backwards and in no order at all. */
static void test_ranges_pass_next__as_pass(void **state) {
  (void)state;
  uint32_t seed = 5;
  for (size_t n = 0; n <= 4; n++) {
    aio__sq_ranges ranges = {.range = some, .n = n, .active = true};
    for (int64_t step = -7; step <= 7; step++) {
      size_t at = 0;
      for (int64_t i = 0; i < 60; i++) {
        seed = seed * 1664525u + 1013904223u;
        int64_t no = step == 0 ? (int64_t)(seed >> 16) % 60 : step > 0 ? i * step % 60 : 59 + i * step % 60;
        assert_int_equal(aio__sq_ranges_pass_next(&ranges, no, &at), is_in(&ranges, no));
      }
    }
  }
}

static void test_ranges_pass__without_filters(void **state) {
  (void)state;
  aio__sq_ranges ranges = {.al = aio__alloc_default()};
  size_t at = 0;
  assert_true(aio__sq_ranges_pass(&ranges, 5));
  assert_true(aio__sq_ranges_pass_next(&ranges, 5, &at));
  aio__sq_ranges_free(&ranges);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_ranges_pass__each_number),
    cmocka_unit_test(test_ranges_pass_next__as_pass),
    cmocka_unit_test(test_ranges_pass__without_filters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
