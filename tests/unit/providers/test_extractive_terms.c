/* What a question asks for: words, stems, terms, its form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "providers/extractive_private.h"

static uint64_t stem_of(const char *text) {
  aio__word word;
  size_t pos = 0;
  assert_true(aio__word_next(aio__str_z(text), &pos, &word));
  return word.stem;
}

static void check_words(const char *text, const char *const *expected) {
  aio__word word;
  size_t pos = 0;
  for (; *expected; expected++) {
    assert_true(aio__word_next(aio__str_z(text), &pos, &word));
    assert_int_equal(word.n, strlen(*expected));
    assert_memory_equal(word.folded, *expected, word.n);
  }
  assert_false(aio__word_next(aio__str_z(text), &pos, &word));
}

#define WORDS(text, ...) check_words((text), (const char *const[]){__VA_ARGS__, NULL})

static void test_word_next__words_of_many_scripts(void **state) {
  (void)state;
  WORDS("The max_connections, isn't 100!", "the", "max", "connections", "isn", "t", "100");
  WORDS("\xC3\x84rger \xCE\x91\xCE\x92 \xD0\x9F\xD0\xA0", "\xC3\xA4rger", "\xCE\xB1\xCE\xB2", "\xD0\xBF\xD1\x80");
  WORDS("a\xE2\x80\x94z", "a", "z"); /* an em dash parts words */
}

static void test_word_next__cjk_in_pairs(void **state) {
  (void)state;
  WORDS("\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", "\xE6\x97\xA5\xE6\x9C\xAC", "\xE6\x9C\xAC\xE8\xAA\x9E");
  WORDS("\xE6\x97\xA5", "\xE6\x97\xA5");
  WORDS("SQL\xE6\x97\xA5\xE6\x9C\xAC x", "sql", "\xE6\x97\xA5\xE6\x9C\xAC", "x");
}

static void test_word_next__long_words_and_bytes_that_are_no_text(void **state) {
  (void)state;
  char text[400];
  memset(text, 'x', sizeof text);
  aio__word word;
  size_t pos = 0;
  assert_true(aio__word_next(aio__str_n(text, sizeof text), &pos, &word));
  assert_int_equal(word.n, AIO__WORD_MAX);
  assert_int_equal(word.end, sizeof text);
  WORDS("a\xFF\xFEz\xC3", "a", "z");
}

static void test_word_next__stems(void **state) {
  (void)state;
  static const char *const same[][2] = {
      {"replicate", "replication"}, {"replicating", "replicated"}, {"index", "indexes"}, {"query", "queries"},
      {"run", "running"},           {"create", "creation"},        {"lock", "locked"},   {"configure", "configuration"},
      {"match", "matches"},         {"class", "classes"},          {"stop", "stopped"},  {"Backups", "backup"},
      {"optimize", "optimization"}, {"trigger", "triggered"},      {"delete", "deleting"}};
  for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
    assert_int_equal(stem_of(same[i][0]), stem_of(same[i][1]));
  }
  static const char *const apart[][2] = {{"user", "use"}, {"status", "state"}, {"this", "thing"}, {"15", "16"},
                                         {"lock", "log"}, {"row", "role"},     {"port", "part"},  {"server", "serve"}};
  for (size_t i = 0; i < sizeof apart / sizeof apart[0]; i++) {
    assert_int_not_equal(stem_of(apart[i][0]), stem_of(apart[i][1]));
  }
}

static void test_terms_of_question__words_that_say_nothing_are_left_out(void **state) {
  (void)state;
  aio__terms terms;
  aio__terms_of_question(&terms, AIO__LIT("How do I restore the backup of a database?"), AIO__LIT(""));
  assert_int_equal(terms.n, 3);
  assert_int_equal(terms.strong, 3);
  assert_true(aio__terms_find(&terms, stem_of("restore")) >= 0);
  assert_true(aio__terms_find(&terms, stem_of("backups")) >= 0);
  assert_true(aio__terms_find(&terms, stem_of("databases")) >= 0);
  assert_int_equal(aio__terms_find(&terms, stem_of("how")), -1);
}

static void test_terms_of_question__weak_words_count_less_unless_there_are_no_others(void **state) {
  (void)state;
  aio__terms terms;
  aio__terms_of_question(&terms, AIO__LIT("What is the best way to use partitions?"), AIO__LIT(""));
  int use = aio__terms_find(&terms, stem_of("use")), partitions = aio__terms_find(&terms, stem_of("partition"));
  assert_true(use >= 0 && partitions >= 0);
  assert_true(terms.term[use].weight < terms.term[partitions].weight);
  aio__terms_of_question(&terms, AIO__LIT("What does it mean?"), AIO__LIT(""));
  assert_int_equal(terms.n, 1);
  assert_int_equal(terms.strong, 1);
}

static void test_terms_of_question__other_languages(void **state) {
  (void)state;
  aio__terms terms;
  aio__terms_of_question(&terms, AIO__LIT("Wie kann ich eine Sicherung der Datenbank machen?"), AIO__LIT(""));
  assert_true(aio__terms_find(&terms, stem_of("sicherung")) >= 0);
  assert_int_equal(aio__terms_find(&terms, stem_of("eine")), -1);
  assert_int_equal(aio__terms_find(&terms, stem_of("ich")), -1);
  assert_int_equal(terms.form, AIO__FORM_HOW);
}

static void test_terms_of_question__a_short_follow_up_takes_terms_of_the_turn_before(void **state) {
  (void)state;
  aio__terms terms;
  aio__terms_of_question(&terms, AIO__LIT("And how do I disable it?"), AIO__LIT("What is autovacuum?"));
  int own = aio__terms_find(&terms, stem_of("disable")), before = aio__terms_find(&terms, stem_of("autovacuum"));
  assert_true(own >= 0 && before >= 0);
  assert_true(terms.term[before].weight < terms.term[own].weight);
  aio__terms_of_question(&terms, AIO__LIT("Which indexes speed up text search?"), AIO__LIT("What is autovacuum?"));
  assert_int_equal(aio__terms_find(&terms, stem_of("autovacuum")), -1);
}

static void test_terms_of_question__forms(void **state) {
  (void)state;
  static const struct {
    const char *question;
    aio__question_form form;
  } cases[] = {{"What is a view?", AIO__FORM_WHAT},        {"How can I drop it?", AIO__FORM_HOW},
               {"Why is it slow?", AIO__FORM_WHY},         {"Where is the log file?", AIO__FORM_ANY},
               {"Please tell me how to log", AIO__FORM_HOW}, {"rows per page", AIO__FORM_ANY},
               {"How many rows fit?", AIO__FORM_HOW_MUCH}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aio__terms terms;
    aio__terms_of_question(&terms, aio__str_z(cases[i].question), AIO__LIT(""));
    assert_int_equal(terms.form, cases[i].form);
  }
}

static void test_terms_of_question__bounded(void **state) {
  (void)state;
  char text[4000];
  size_t n = 0;
  for (unsigned i = 0; n + 8 < sizeof text; i++) {
    text[n++] = (char)('a' + i % 26);
    text[n++] = (char)('a' + i / 26 % 26);
    text[n++] = 'q';
    text[n++] = ' ';
  }
  aio__terms terms;
  aio__terms_of_question(&terms, aio__str_n(text, n), AIO__LIT(""));
  assert_int_equal(terms.n, AIO__TERMS_MAX);
  aio__terms_of_question(&terms, AIO__LIT(""), AIO__LIT(""));
  assert_int_equal(terms.n, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_word_next__words_of_many_scripts),
      cmocka_unit_test(test_word_next__cjk_in_pairs),
      cmocka_unit_test(test_word_next__long_words_and_bytes_that_are_no_text),
      cmocka_unit_test(test_word_next__stems),
      cmocka_unit_test(test_terms_of_question__words_that_say_nothing_are_left_out),
      cmocka_unit_test(test_terms_of_question__weak_words_count_less_unless_there_are_no_others),
      cmocka_unit_test(test_terms_of_question__other_languages),
      cmocka_unit_test(test_terms_of_question__a_short_follow_up_takes_terms_of_the_turn_before),
      cmocka_unit_test(test_terms_of_question__forms),
      cmocka_unit_test(test_terms_of_question__bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
