/* lib/cost/prices.c where two sources of lines meet, and where a pattern ends inside a longer text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cost/prices.h"

static aio__prices *make(const char *overrides) {
  aio__prices *prices = NULL;
  assert_int_equal(aio__prices_new(aio__alloc_default(), aio__str_z(overrides), &prices, NULL), AIORCH_OK);
  return prices;
}

static void test_line__overrides_then_ours_then_none(void **state) {
  (void)state;
  aio__prices *ours = make("");
  aio__prices *both = make("{\"prices\": ["
                           "{\"model\": \"x-1\", \"input\": 1, \"date\": \"2026-01-01\", \"source\": \"s\"},"
                           "{\"model\": \"x-2\", \"input\": 2, \"date\": \"2026-01-01\", \"source\": \"s\"}]}");
  size_t count = aio__prices_count(ours);
  assert_true(count > 2);
  assert_int_equal(aio__prices_count(both), count + 2);
  assert_true(aio__str_eqz(aio__prices_line(both, 0)->model, "x-1"));
  assert_true(aio__str_eqz(aio__prices_line(both, 1)->model, "x-2"));
  for (size_t i = 0; i < count; i++) {
    const aio__price_line *a = aio__prices_line(ours, i), *b = aio__prices_line(both, i + 2);
    assert_int_equal(a->model.n, b->model.n);
    assert_memory_equal(a->model.p, b->model.p, a->model.n);
    assert_memory_equal(a->price, b->price, sizeof a->price);
  }
  assert_null(aio__prices_line(ours, count));
  assert_null(aio__prices_line(both, count + 2));
  aio__prices_free(both);
  aio__prices_free(ours);
}

/* The byte behind a pattern belongs to somebody else. */
static void test_match__a_pattern_ends_where_it_says(void **state) {
  (void)state;
  static const char *const longer[] = {"ab*", "ab?", "abc"};
  for (size_t i = 0; i < 3; i++) {
    aio__str pattern = aio__str_n(longer[i], 2);
    assert_true(aio__prices_match(pattern, AIO__LIT("ab")));
    assert_false(aio__prices_match(pattern, AIO__LIT("abc")));
  }
  /* Going back to the star must not go by what is behind, either. */
  assert_true(aio__prices_match(aio__str_n("*b*", 2), AIO__LIT("abcb")));
  assert_true(aio__prices_match(aio__str_n("*b?", 2), AIO__LIT("bb")));
}

static void test_find__before_1970_is_the_first_minute_of_a_day(void **state) {
  (void)state;
  aio__prices *prices = make("{\"prices\": [{\"model\": \"x-1\", \"input\": 1, \"utc\": \"00:00-00:01\","
                             " \"date\": \"2026-01-01\", \"source\": \"s\"}]}");
  static const int64_t walls[] = {-1, -59999, -60000, -86400000, INT64_C(-100000000000)};
  for (size_t i = 0; i < sizeof walls / sizeof *walls; i++) {
    assert_non_null(aio__prices_find(prices, AIO__LIT("p"), AIO__LIT("x-1"), 1, walls[i]));
  }
  assert_non_null(aio__prices_find(prices, AIO__LIT("p"), AIO__LIT("x-1"), 1, 59999));
  assert_null(aio__prices_find(prices, AIO__LIT("p"), AIO__LIT("x-1"), 1, 60000));
  aio__prices_free(prices);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_line__overrides_then_ours_then_none),
      cmocka_unit_test(test_match__a_pattern_ends_where_it_says),
      cmocka_unit_test(test_find__before_1970_is_the_first_minute_of_a_day),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
