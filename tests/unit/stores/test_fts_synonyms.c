/* lib/stores/fts_synonyms.c, and what fts_query.c makes of it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stores/fts_query.h"
#include "stores/fts_synonyms.h"

static const aio__fts_term *find(const aio__fts_query *query, const char *word) {
  for (size_t i = 0; i < query->n; i++) {
    if (aio__str_eqz((aio__str){query->term[i].word.text, query->term[i].word.n}, word)) return &query->term[i];
  }
  return NULL;
}

static void test_kin_table__in_order_and_plain(void **state) {
  (void)state;
  size_t count = 0;
  const aio__fts_kin *table = aio__fts_kin_table(&count);
  assert_true(count > 100);
  for (size_t i = 0; i < count; i++) {
    assert_true(strlen(table[i].word) < AIO__FTS_WORD_MAX);
    assert_int_equal(strspn(table[i].word, "abcdefghijklmnopqrstuvwxyz-"), strlen(table[i].word));
    assert_int_equal(strspn(table[i].kin, "abcdefghijklmnopqrstuvwxyz "), strlen(table[i].kin));
    assert_true(table[i].kin[0] != '\0');
    if (i > 0) assert_true(strcmp(table[i - 1].word, table[i].word) < 0);
  }
}

static void test_kin_table__stems_are_those_of_the_words(void **state) {
  (void)state;
  size_t count = 0;
  const aio__fts_kin *table = aio__fts_kin_table(&count);
  for (size_t i = 0; i < count; i++) {
    char stem[AIO__FTS_WORD_MAX];
    memcpy(stem, table[i].word, strlen(table[i].word));
    aio__str made = {stem, aio__fts_stem(stem, strlen(table[i].word))};
    assert_true(aio__str_eqz(made, table[i].stem));
  }
}

static void test_query_parse__kin_weigh_less(void **state) {
  (void)state;
  aio__fts_query query;
  aio__fts_query_parse(AIO__LIT("How do I undo my changes?"), &query);
  assert_non_null(find(&query, "undo"));
  assert_true(find(&query, "undo")->weight > 0.99);
  assert_non_null(find(&query, "rollback"));
  assert_true(find(&query, "rollback")->weight < 0.5);
  aio__fts_query_parse(AIO__LIT("undo or rollback"), &query); /* what was asked for keeps its weight */
  assert_true(find(&query, "rollback")->weight > 0.99);
}

static void test_query_parse__kin_do_not_breed(void **state) {
  (void)state;
  aio__fts_query query;
  aio__fts_query_parse(AIO__LIT("zebra"), &query);
  assert_int_equal(query.n, 1);
  aio__fts_query_parse(AIO__LIT("undo"), &query);
  assert_non_null(find(&query, "revert"));
  assert_null(find(&query, "restore")); /* kin of revert alone */
}

static void test_query_parse__never_above_the_limit(void **state) {
  (void)state;
  aio__fts_query query;
  aio__fts_query_parse(
    AIO__LIT("add account admin allow application backup begin big boot build cancel change check clean "
             "code config copy crash create date deny disk divide duplicate edit encrypt error exit"),
    &query);
  assert_int_equal(query.n, AIO__FTS_TERMS_MAX);
  assert_true(find(&query, "add")->weight > 0.99);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_kin_table__in_order_and_plain), cmocka_unit_test(test_kin_table__stems_are_those_of_the_words), cmocka_unit_test(test_query_parse__kin_weigh_less),
    cmocka_unit_test(test_query_parse__kin_do_not_breed), cmocka_unit_test(test_query_parse__never_above_the_limit)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
