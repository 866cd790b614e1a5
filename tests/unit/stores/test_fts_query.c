/* Words, and the terms of questions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "stores/fts_query.h"

/* The words of a text joined by '|', compounds in brackets. */
static const char *words_of(const char *text, size_t n) {
  static char out[4096];
  aio__fts_words words;
  aio__fts_word word;
  size_t at = 0;
  aio__fts_words_init(&words, (aio__str){text, n});
  while (aio__fts_words_next(&words, &word) && at + word.n + 4 < sizeof out) {
    if (at > 0) out[at++] = '|';
    if (word.compound) out[at++] = '[';
    memcpy(out + at, word.text, word.n);
    at += word.n;
    if (word.compound) out[at++] = ']';
  }
  out[at] = '\0';
  return out;
}

static void expect_words(const char *text, const char *expected) {
  assert_string_equal(words_of(text, strlen(text)), expected);
}

static void test_words__fold_and_cut(void **state) {
  (void)state;
  expect_words("", "");
  expect_words("  ,.;  ", "");
  expect_words("The QUICK brown-fox", "the|quick|brown|fox|[brown fox]");
  expect_words("pg_dump, postgresql.conf.", "pg|dump|[pg dump]|postgresql|conf|[postgresql conf]");
  expect_words("don't stop", "don|t|stop");
  expect_words("\xc3\x84pfel CAF\xc3\x89 e\xcc\x81t\xc3\xa9", "apfel|cafe|ete");
  expect_words("\xd0\x9c\xd0\x9e\xd0\xa1\xd0\x9a\xd0\x92\xd0\x90", "\xd0\xbc\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2\xd0\xb0");
  expect_words("\xe2\x80\x9cquoted\xe2\x80\x9d \xe2\x86\x92 arrow", "quoted|arrow");
  expect_words("a--b -x- _y_", "a|b|x|y");
}

static void test_words__runs_are_taken_apart(void **state) {
  (void)state;
  expect_words("東", "東");
  expect_words("東京都", "東|東京|京|京都|都");
  expect_words("東京、都", "東|東京|京|都");
  expect_words("iPhone手機で x", "iphone|手|手機|機|機で|で|x");
  expect_words("a-東京 b_c", "a|東|東京|京|b|c|[b c]");
  expect_words("a_b東", "a|b|[a b]|東");
  expect_words("データ・ベース", "デ|デー|ー|ータ|タ|ベ|ベー|ー|ース|ス");
  expect_words("ＳＱＬ　５", "sql|5");
  expect_words("양심을", "양|양심|심|심을|을");
}

static void test_words__bytes_that_are_not_utf8_separate(void **state) {
  (void)state;
  expect_words("left\xffright\xc3", "left|right");
  assert_string_equal(words_of("a\0b", 3), "a|b");
}

static void test_words__long_ones_are_cut(void **state) {
  (void)state;
  char text[1000];
  aio__fts_words words;
  aio__fts_word word;
  memset(text, 'x', sizeof text);
  for (size_t i = 50; i < sizeof text; i += 51) text[i] = '_';
  aio__fts_words_init(&words, (aio__str){text, sizeof text});
  size_t n = 0;
  while (aio__fts_words_next(&words, &word)) {
    assert_false(word.compound);
    assert_true(word.n <= 50);
    n++;
  }
  assert_int_equal(n, 20);
  memset(text, 'x', sizeof text);
  aio__fts_words_init(&words, (aio__str){text, sizeof text});
  assert_true(aio__fts_words_next(&words, &word));
  assert_int_equal(word.n, AIO__FTS_WORD_MAX);
  assert_false(aio__fts_words_next(&words, &word));
}

static void test_count_words__without_compounds(void **state) {
  (void)state;
  assert_int_equal(aio__fts_count_words(AIO__LIT("one two_three four-five.six")), 6);
}

/* The terms that a question names itself, joined by '|'; words that may be meant weigh less than 1. */
static const char *terms_of(const char *question) {
  static char out[4096];
  aio__fts_query query;
  size_t at = 0;
  aio__fts_query_parse(aio__str_z(question), &query);
  for (size_t i = 0; i < query.n; i++) {
    if (query.term[i].weight < 1.0) continue;
    if (at > 0) out[at++] = '|';
    memcpy(out + at, query.term[i].word.text, query.term[i].word.n);
    at += query.term[i].word.n;
  }
  out[at] = '\0';
  return out;
}

static void test_query__leaves_stop_words_out(void **state) {
  (void)state;
  assert_string_equal(terms_of("How do I make a backup of the database?"), "make|backup|database");
  assert_string_equal(terms_of("what is this?"), "what|is|this");
  assert_string_equal(terms_of(""), "");
  assert_string_equal(terms_of("?!"), "");
}

static void test_query__names_each_word_once(void **state) {
  (void)state;
  assert_string_equal(terms_of("backup backups Backing BACKUP"), "backup|backing");
}

static void test_query__of_runs_asks_for_pairs(void **state) {
  (void)state;
  assert_string_equal(terms_of("東京都"), "東京|京都");
  assert_string_equal(terms_of("犬"), "犬");
  assert_string_equal(terms_of("猫と犬の VACUUM 東京東京"), "猫と|と犬|犬の|vacuum|東京|京東");
  assert_string_equal(terms_of("a 犬、猫"), "犬|猫");
}

static void test_query__has_a_limit(void **state) {
  (void)state;
  char question[4000] = "";
  for (int i = 0; i < 300; i++) {
    const char word[] = {' ', (char)('b' + i / 20), (char)('b' + i % 20), 'q', 'z', '\0'};
    strcat(question, word);
  }
  aio__fts_query query;
  aio__fts_query_parse(aio__str_z(question), &query);
  assert_int_equal(query.n, AIO__FTS_TERMS_MAX);
}

static void test_term_write__is_quoted(void **state) {
  (void)state;
  aio__fts_query query;
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), 1000);
  aio__fts_query_parse(AIO__LIT("NEAR \"x\" OR col:y*"), &query);
  for (size_t i = 0; i < query.n; i++)
    if (query.term[i].weight >= 1.0) aio__fts_term_write(&query.term[i], i == 1, &buf);
  assert_string_equal(aio__buf_cstr(&buf), "\"near\"\"x\"*\"col\"\"y\"");
  aio__buf_free(&buf);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_words__fold_and_cut),          cmocka_unit_test(test_words__bytes_that_are_not_utf8_separate),
    cmocka_unit_test(test_words__long_ones_are_cut),     cmocka_unit_test(test_count_words__without_compounds),
    cmocka_unit_test(test_query__leaves_stop_words_out), cmocka_unit_test(test_query__names_each_word_once),
    cmocka_unit_test(test_words__runs_are_taken_apart),  cmocka_unit_test(test_query__of_runs_asks_for_pairs),
    cmocka_unit_test(test_query__has_a_limit),           cmocka_unit_test(test_term_write__is_quoted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
