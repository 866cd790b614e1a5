/* lib/stores/fts_match.c: no word is turned away that stemming would have made a term. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stores/fts_match.h"

static const char *const BEGINNINGS[] = {"relat", "condit", "val", "hesit", "digit", "conform", "radic", "differ",
                                         "vil",   "operat", "t",   "s",     "abil",  "by",      "gener", "str",
                                         "ago",   "bab",    "plan", "cre",  "sky",   "ag",      "tr",    "o"};
static const char *const ENDINGS[] = {
  "",       "s",     "es",     "ies",    "sses",   "eed",     "ed",      "ing",    "ated",    "bled",   "izing",
  "ational", "tional", "enci",  "anci",   "izer",   "logi",    "bli",     "alli",   "entli",   "eli",    "ousli",
  "ization", "ation", "ator",  "alism",  "iveness", "fulness", "ousness", "aliti",  "iviti",   "biliti", "icate",
  "ative",  "alize", "iciti",  "ical",   "ful",    "ness",    "ement",   "ance",   "ence",    "able",   "ible",
  "ment",   "ant",   "ent",    "ism",    "ate",    "iti",     "ous",     "ive",    "ize",     "al",     "er",
  "ic",     "ou",    "ion",    "sion",   "e",      "ll",      "y",       "ly",     "edly",    "ingly",  "logies"};

enum { BEGINNING_COUNT = sizeof BEGINNINGS / sizeof BEGINNINGS[0], ENDING_COUNT = sizeof ENDINGS / sizeof ENDINGS[0] };

static aio__fts_word word_of(const char *text) {
  aio__fts_word word = {.n = strlen(text)};
  memcpy(word.text, text, word.n);
  return word;
}

static aio__fts_word make_word(size_t beginning, size_t ending, size_t ending2) {
  char text[64] = "";
  strcat(text, BEGINNINGS[beginning]);
  strcat(text, ENDINGS[ending]);
  strcat(text, ENDINGS[ending2]);
  return word_of(text);
}

static void test_stem__keeps_all_but_its_last_letters(void **state) {
  (void)state;
  for (size_t b = 0; b < BEGINNING_COUNT; b++) {
    for (size_t e = 0; e < ENDING_COUNT * ENDING_COUNT; e++) {
      aio__fts_word word = make_word(b, e / ENDING_COUNT, e % ENDING_COUNT), stem = word;
      stem.n = aio__fts_stem(stem.text, stem.n);
      size_t same = stem.n > AIO__FTS_STEM_CHANGES ? stem.n - AIO__FTS_STEM_CHANGES : 1;
      if (stem.n > word.n + 1 || memcmp(stem.text, word.text, same) != 0)
        fail_msg("%.*s became %.*s", (int)word.n, word.text, (int)stem.n, stem.text);
    }
  }
}

static size_t by_stemming(const aio__fts_query *query, aio__fts_word word) {
  if (!word.compound) word.n = aio__fts_stem(word.text, word.n);
  for (size_t i = 0; i < query->n; i++) {
    aio__fts_word term = query->term[i].word;
    if (!term.compound) term.n = aio__fts_stem(term.text, term.n);
    if (term.n == word.n && memcmp(term.text, word.text, term.n) == 0) return i;
  }
  return SIZE_MAX;
}

static void test_match__as_stemming_each_word_would(void **state) {
  (void)state;
  aio__fts_query query;
  aio__fts_match match;
  aio__fts_query_parse(AIO__LIT("relational operators, differently abilities of pg_dump generate Stra\xC3\x9F"
                                "en and c\xC3\xB4te in skies"),
                       &query);
  aio__fts_match_init(&match, &query);
  size_t found = 0;
  for (size_t b = 0; b < BEGINNING_COUNT; b++) {
    for (size_t e = 0; e < ENDING_COUNT; e++) {
      aio__fts_word word = make_word(b, e, 0);
      assert_int_equal(aio__fts_match_word(&match, &word), by_stemming(&query, word));
      found += aio__fts_match_word(&match, &word) != SIZE_MAX;
    }
  }
  assert_true(found > 10);
}

static void test_match__compounds_and_other_scripts(void **state) {
  (void)state;
  aio__fts_query query;
  aio__fts_match match;
  aio__fts_words words;
  aio__fts_word word;
  size_t found = 0;
  aio__fts_query_parse(AIO__LIT("pg_dump \xD0\xBA\xD0\xB0\xD0\xBA c\xC3\xB4te"), &query);
  aio__fts_match_init(&match, &query);
  aio__fts_words_init(&words, AIO__LIT("pg_dump of the \xD0\x9A\xD0\xB0\xD0\xBA cote pgs_dump \xD0\xBA\xD0\xB0"));
  while (aio__fts_words_next(&words, &word)) {
    assert_int_equal(aio__fts_match_word(&match, &word), by_stemming(&query, word));
    found += aio__fts_match_word(&match, &word) != SIZE_MAX;
  }
  assert_true(found >= 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_stem__keeps_all_but_its_last_letters),
    cmocka_unit_test(test_match__as_stemming_each_word_would),
    cmocka_unit_test(test_match__compounds_and_other_scripts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
