/* Scores, and the best of many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "stores/fts_rank.h"

static const aio__fts_term TERM = {.weight = 1.0};

static void test_worth__rare_words_are_worth_more(void **state) {
  (void)state;
  double rare = aio__fts_worth(&TERM, 1000, 1), common = aio__fts_worth(&TERM, 1000, 500),
         all = aio__fts_worth(&TERM, 1000, 1000);
  assert_true(rare > common);
  assert_true(common > all);
  assert_true(all > 0.0); /* a word that all have still says a little */
  assert_true(aio__fts_worth(&TERM, 0, 3) > 0.0);
}

static double score_of(uint32_t title, uint32_t heading, uint32_t body, double words) {
  aio__fts_rank rank = {.worth = {2.0}, .n = 1, .average_words = 100.0};
  aio__fts_counts counts;
  memset(&counts, 0, sizeof counts);
  counts.n[0][AIO__FTS_TITLE] = title;
  counts.n[0][AIO__FTS_HEADING] = heading;
  counts.n[0][AIO__FTS_BODY] = body;
  return aio__fts_score(&rank, &counts, words);
}

static void test_score__by_field_and_length(void **state) {
  (void)state;
  assert_true(score_of(1, 0, 0, 100) > score_of(0, 1, 0, 100));
  assert_true(score_of(0, 1, 0, 100) > score_of(0, 0, 1, 100));
  assert_true(score_of(0, 0, 2, 100) > score_of(0, 0, 1, 100));
  assert_true(score_of(0, 0, 1, 50) > score_of(0, 0, 1, 200));
  assert_true(score_of(0, 0, 0, 100) <= 0.0);
}

static void test_top__keeps_the_best_in_order(void **state) {
  (void)state;
  aio__fts_hit hits[5];
  aio__fts_top top = {hits, 0, 5};
  for (int64_t i = 0; i < 100; i++) aio__fts_top_offer(&top, (aio__fts_hit){(double)(i * 37 % 100), i, NULL});
  aio__fts_top_sort(&top);
  assert_int_equal(top.n, 5);
  for (int i = 0; i < 5; i++) assert_int_equal((int)top.hits[i].score, 99 - i);
}

static void test_top__lower_key_wins_a_tie(void **state) {
  (void)state;
  aio__fts_hit hits[2];
  aio__fts_top top = {hits, 0, 2}, none = {hits, 0, 0};
  for (int64_t i = 9; i >= 0; i--) aio__fts_top_offer(&top, (aio__fts_hit){1.0, i, NULL});
  aio__fts_top_sort(&top);
  assert_int_equal(top.hits[0].key, 0);
  assert_int_equal(top.hits[1].key, 1);
  aio__fts_top_offer(&none, (aio__fts_hit){1.0, 1, NULL});
  assert_int_equal(none.n, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_worth__rare_words_are_worth_more),
    cmocka_unit_test(test_score__by_field_and_length),
    cmocka_unit_test(test_top__keeps_the_best_in_order),
    cmocka_unit_test(test_top__lower_key_wins_a_tie),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
