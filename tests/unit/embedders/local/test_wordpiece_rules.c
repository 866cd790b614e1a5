/* lib/embedders/local/wordpiece_rules.c: what becomes a word */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "embedders/local/wordpiece_private.h"

static const char TOO_LONG[] = "(too long)";

/* All words of a text, each followed by "|". */
static void check_words_n(aio__word_rules *rules, aio__str text, const char *expected) {
  aio__words words = {.rules = rules, .text = text};
  aio__word word;
  char all[4096];
  size_t n = 0;
  while (aio__words_next(&words, &word)) {
    aio__str w = word.chars > AIO__WORDPIECE_WORD_MAX ? aio__str_z(TOO_LONG) : aio__str_n(word.bytes, word.n);
    assert_true(n + w.n + 2 < sizeof all);
    memcpy(all + n, w.p, w.n);
    n += w.n;
    all[n++] = '|';
  }
  all[n] = '\0';
  assert_string_equal(all, expected);
  assert_int_equal(words.pos, text.n);
  assert_false(aio__words_next(&words, &word));
}

static void check_words(const char *text, const char *expected) {
  aio__word_rules rules;
  aio__word_rules_init(&rules, true, true, true);
  check_words_n(&rules, aio__str_z(text), expected);
}

static void check_cased(const char *text, const char *expected) {
  aio__word_rules rules;
  aio__word_rules_init(&rules, false, false, true);
  check_words_n(&rules, aio__str_z(text), expected);
}

static void test_words__ascii(void **state) {
  (void)state;
  check_words("", "");
  check_words(" \t\r\n ", "");
  check_words("Hello, World!", "hello|,|world|!|");
  check_words("don't [SEP] a_b", "don|'|t|[|sep|]|a|_|b|");
  check_words("...x", ".|.|.|x|");
  check_words("a+b=$5^2`|~<>", "a|+|b|=|$|5|^|2|`|||~|<|>|");
  check_words("x", "x|");
}

static void test_words__controls_vanish_and_join(void **state) {
  (void)state;
  check_words("a\x01" "b\x0B" "c\x0C" "d\x7F" "e", "abcde|");
  check_words("\x01\x02\x1F\x7F", "");
  check_words("a\xC2\x85" "b", "ab|");                 /* U+0085 */
  check_words("so\xC2\xAD" "ft \xE2\x80\x8B" "x\xEF\xBB\xBF" "y", "soft|xy|");
  check_words("a\xEE\x80\x80" "b\xEF\xBF\xBD" "c", "abc|"); /* private use, U+FFFD */
  aio__word_rules rules;
  aio__word_rules_init(&rules, true, true, true);
  check_words_n(&rules, aio__str_n("a\0b", 3), "ab|");
}

static void test_words__spaces(void **state) {
  (void)state;
  check_words("a\xC2\xA0" "b\xE3\x80\x80" "c\xE2\x80\xA8" "d\xE2\x80\xA9" "e\xE1\x9A\x80" "f", "a|b|c|d|e|f|");
}

static void test_words__bad_utf8_vanishes(void **state) {
  (void)state;
  check_words("a\x80" "b\xFF" "c\xC0\xAF" "d\xED\xA0\x80" "e\xF4\x90\x80\x80" "f", "abcdef|");
  check_words("a\xE2\x82", "a|");
  check_words("\xE2(\xA1", "(|");
}

static void test_words__accents_and_case(void **state) {
  (void)state;
  check_words("\xC3\x89t\xC3\xA9 e\xCC\x81", "ete|e|");
  check_words("\xC4\xB0stanbul \xE1\xBA\x9E", "istanbul|\xC3\x9F|");
  check_words("\xE2\x84\xAA", "k|");                   /* the kelvin sign is a K */
  check_words("a\xCD\xBE" "b", "a|;|b|");              /* the Greek question mark is a semicolon */
  check_words("\xE2\x89\xA0", "=|");                   /* a struck equals sign */
  check_words("\xCC\x81\xCC\x82", "");                 /* marks alone */
  check_words("\xEA\xB0\x81", "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8|"); /* a syllable of Hangul */
  check_words("\xEF\xAC\x81", "\xEF\xAC\x81|");        /* a ligature stays */
  check_words("\xEF\xBC\xA1", "\xEF\xBD\x81|");        /* a full-width letter is made lower, but stays full-width */
}

static void test_words__cased(void **state) {
  (void)state;
  check_cased("\xC3\x89t\xC3\xA9, A", "\xC3\x89t\xC3\xA9|,|A|");
  check_cased("e\xCC\x81", "e\xCC\x81|");
  check_cased("\xEA\xB0\x81", "\xEA\xB0\x81|");
  aio__word_rules rules;
  aio__word_rules_init(&rules, true, false, true);
  check_words_n(&rules, AIO__LIT("\xC4\xB0\xC3\x89"), "i\xCC\x87\xC3\xA9|");
  aio__word_rules_init(&rules, false, true, true);
  check_words_n(&rules, AIO__LIT("\xC4\xB0\xC3\x89"), "IE|");
}

static void test_words__punctuation_beyond_ascii(void **state) {
  (void)state;
  check_words("a\xE2\x80\x94" "b\xC2\xBF" "c", "a|\xE2\x80\x94|b|\xC2\xBF|c|");
  check_words("5\xE2\x82\xAC \xE2\x86\x92x", "5\xE2\x82\xAC|\xE2\x86\x92x|"); /* symbols are not split off */
}

static void test_words__ideographs(void **state) {
  (void)state;
  check_words("a\xE4\xB8\xAD\xE6\x96\x87" "b", "a|\xE4\xB8\xAD|\xE6\x96\x87|b|");
  check_words("\xE3\x81\x82\xE3\x82\xA2", "\xE3\x81\x82\xE3\x82\xA2|"); /* kana are not */
  check_words("\xEF\xA4\x80x", "\xE8\xB1\x88|x|");                      /* a compatibility ideograph */
  check_words("x\xF0\xA0\x80\x80y", "x|\xF0\xA0\x80\x80|y|");
  check_words("x\xF0\xAB\xA0\xA0y", "x\xF0\xAB\xA0\xA0y|");             /* U+2B820: the reference leaves it out */
  aio__word_rules rules;
  aio__word_rules_init(&rules, true, true, false);
  check_words_n(&rules, AIO__LIT("a\xE4\xB8\xAD\xE6\x96\x87"), "a\xE4\xB8\xAD\xE6\x96\x87|");
}

/* U+302E (class 224) and U+1B44 (class 9) take space, so that they stay, in canonical order. */
static void test_words__marks_are_put_in_order(void **state) {
  (void)state;
  check_words("a\xE3\x80\xAE\xE1\xAD\x84" "b", "a\xE1\xAD\x84\xE3\x80\xAE" "b|");
  check_words("a\xE1\xAD\x84\xE3\x80\xAE", "a\xE1\xAD\x84\xE3\x80\xAE|");
  check_words("a\xE3\x80\xAE\xCC\x81\xE1\xAD\x84", "a\xE1\xAD\x84\xE3\x80\xAE|"); /* a mark that goes blocks nothing */
  check_words("a\xE3\x80\xAE" "b\xE1\xAD\x84", "a\xE3\x80\xAE" "b\xE1\xAD\x84|");   /* a letter does */
  check_words("\xE3\x80\xAE\xE1\xAD\x84", "\xE1\xAD\x84\xE3\x80\xAE|");
  check_words("!\xE3\x80\xAE", "!|\xE3\x80\xAE|");
  check_cased("a\xE3\x80\xAE\xE1\xAD\x84", "a\xE3\x80\xAE\xE1\xAD\x84|"); /* no NFD, no order */
}

/* `n` times `unit`, then `tail`. */
static char *repeat(const char *unit, size_t n, const char *tail) {
  size_t len = strlen(unit), tail_len = strlen(tail);
  char *text = malloc(n * len + tail_len + 1);
  assert_non_null(text);
  for (size_t i = 0; i < n; i++) memcpy(text + i * len, unit, len);
  memcpy(text + n * len, tail, tail_len + 1);
  return text;
}

static void check_long(const char *unit, size_t n, const char *tail, const char *expected) {
  char *text = repeat(unit, n, tail), *whole = NULL;
  if (expected == NULL) whole = repeat(unit, n, "|");
  check_words(text, expected != NULL ? expected : whole);
  free(whole);
  free(text);
}

static void test_words__longest_word(void **state) {
  (void)state;
  check_long("x", 100, "", NULL);
  check_long("x", 101, "", "(too long)|");
  check_long("x", 101, " y", "(too long)|y|");
  check_long("x", 101, "!y", "(too long)|!|y|");
  check_long("x", 5000, "y z", "(too long)|z|");
  check_long("x", 101, "\xC3\xA9\xE4\xB8\xAD" "x", "(too long)|\xE4\xB8\xAD|x|");
  check_long("\xD0\xB6", 100, "", NULL);
  check_long("\xD0\xB6", 101, "", "(too long)|");
  check_long("\xD0\xB6", 500, "x\xC2\xA0z", "(too long)|z|");
  check_long("\xF0\x90\x90\xA8", 100, "", NULL);       /* the most bytes that a word can have */
  check_long("\xF0\x90\x90\xA8", 101, "", "(too long)|");
  check_long("e\xCC\x81", 101, "", "(too long)|");
  check_long("\xEA\xB0\x81", 34, "", "(too long)|");   /* 102 Jamo */
  check_long("\xE3\x80\xAE\xE1\xAD\x84", 60, " a", "(too long)|a|");
  check_long("x\xC2\xAD", 101, "", "(too long)|");
}

static void test_words__a_long_word_is_not_read_to_its_end(void **state) {
  (void)state;
  char *text = repeat("x", 1000, " y");
  aio__word_rules rules;
  aio__word_rules_init(&rules, true, true, true);
  aio__words words = {.rules = &rules, .text = aio__str_z(text)};
  aio__word word;
  assert_true(aio__words_next(&words, &word));
  assert_int_equal(words.pos, AIO__WORDPIECE_WORD_MAX + 1);
  assert_true(aio__words_next(&words, &word));
  assert_int_equal(word.n, 1);
  assert_false(aio__words_next(&words, &word));
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_words__ascii),
    cmocka_unit_test(test_words__controls_vanish_and_join),
    cmocka_unit_test(test_words__spaces),
    cmocka_unit_test(test_words__bad_utf8_vanishes),
    cmocka_unit_test(test_words__accents_and_case),
    cmocka_unit_test(test_words__cased),
    cmocka_unit_test(test_words__punctuation_beyond_ascii),
    cmocka_unit_test(test_words__ideographs),
    cmocka_unit_test(test_words__marks_are_put_in_order),
    cmocka_unit_test(test_words__longest_word),
    cmocka_unit_test(test_words__a_long_word_is_not_read_to_its_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
