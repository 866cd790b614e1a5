/* lib/text/tokens.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text/byte_classes.h"
#include "text/tokens.h"

static size_t tokens(const char *text) {
  return aio__tokens_estimate(aio__str_z(text));
}

static void test_estimate__near_real_counts(void **state) {
  (void)state;
  /* What the WordPiece vocabulary of BERT gives, without the two special tokens. */
  static const struct {
    const char *text;
    size_t real;
  } cases[] = {
    {"The cat sits outside.", 5},
    {"How do I reset my password?", 7},
    {"A man is playing guitar in front of a small crowd.", 12},
    {"What is the capital of France?", 7},
    {"My card has not arrived yet, and it has been two weeks.", 14},
    {"Photosynthesis converts light energy into chemical energy that is stored in the bonds.", 15},
    {"set an alarm for 7 30 tomorrow morning please", 9},
    {"SELECT id, embedding <=> $1 AS d FROM chunks WHERE tenant = $2 ORDER BY d LIMIT 10;", 26},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t estimate = tokens(cases[i].text), slack = cases[i].real / 4 + 1;
    assert_in_range(estimate, cases[i].real - slack, cases[i].real + slack);
  }
}

static void test_estimate__empty_and_blank(void **state) {
  (void)state;
  assert_int_equal(tokens(""), 0);
  assert_int_equal(tokens("   \t \r "), 0);
  assert_int_equal(tokens("a"), 1);
}

static void test_estimate__other_scripts_and_signs(void **state) {
  (void)state;
  assert_in_range(tokens("\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c"), 4, 6); /* four Han characters */
  assert_in_range(tokens("\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"), 3, 6); /* six Cyrillic letters */
  assert_in_range(tokens("\xf0\x9f\x98\x80"), 1, 3);                                 /* an emoji */
  assert_true(tokens("\xff\xfe\xff") >= 1);                                          /* no UTF-8 */
  assert_true(tokens("kJh3Gf7sQpLmZx9vBnTy2WcRdEa5Ui8Oo1") > 8);                     /* a key is no word */
}

static void test_estimate__adds_up_at_white_space(void **state) {
  (void)state;
  const char *a = "One sentence of a few words, and 1234 numbers. ", *b = "Another \"quoted\" one follows it.";
  char both[200];
  strcpy(both, a);
  strcat(both, b);
  assert_true(tokens(both) <= tokens(a) + tokens(b));
  assert_true(tokens(both) + 1 >= tokens(a) + tokens(b));
}

static void test_cut__never_above_and_at_words(void **state) {
  (void)state;
  aio__str text =
    AIO__LIT("alpha beta gamma, delta epsilon 42 zeta; caf\xc3\xa9 na\xc3\xafve \xe4\xbd\xa0\xe5\xa5\xbd end");
  for (size_t max = 0; max < 24; max++) {
    size_t cut = aio__tokens_cut(text, max);
    assert_true(aio__tokens_estimate(aio__str_n(text.p, cut)) <= max);
    assert_int_equal(aio__utf8_cut(text, cut), cut);
    bool at_word = cut == 0 || cut == text.n || text.p[cut - 1] == ' ' || (unsigned char)text.p[cut - 1] >= 128;
    assert_true(at_word || max < 2);
  }
  assert_int_equal(aio__tokens_cut(text, 1000), text.n);
}

static void test_cut__one_long_word(void **state) {
  (void)state;
  char word[5000];
  memset(word, 'x', sizeof word);
  size_t cut = aio__tokens_cut(aio__str_n(word, sizeof word), 50);
  assert_in_range(cut, 1, sizeof word - 1);
  assert_true(aio__tokens_estimate(aio__str_n(word, cut)) <= 50);
  assert_int_equal(aio__tokens_cut(aio__str_n(word, sizeof word), 0), 0);
}

/* One goes character by character, the other takes 64 bytes at once: wherever runs begin and end, they count the same. */
static void test_estimate__counts_as_cut_does(void **state) {
  (void)state;
  static const char *const pieces[] = {"a", "letters", "Internationalization", "7", "2026", ".", "--", "{\"", " ", "\n", "\n\n", "\t", "\x7f", "\xc3\xa9", "\xe4\xb8\xad", "\xff"};
  uint32_t random = 1;
  char text[400];
  for (int round = 0; round < 3000; round++) {
    size_t n = 0, kinds = 1 + (size_t)round % 16;
    for (size_t wanted = (size_t)round % 300; n < wanted;) {
      random = random * 1664525 + 1013904223;
      const char *piece = pieces[(random >> 16) % kinds];
      memcpy(text + n, piece, strlen(piece));
      n += strlen(piece);
    }
    size_t estimate = aio__tokens_estimate(aio__str_n(text, n));
    assert_int_equal(aio__tokens_cut(aio__str_n(text, n), estimate), n);
    if (estimate > 0) assert_true(aio__tokens_cut(aio__str_n(text, n), estimate - 1) < n);
  }
}

/* What the processor of this machine is not asked for must count the same. */
static void test_classify__by_16_bytes_and_by_32(void **state) {
  (void)state;
#if defined(__x86_64__) && defined(__GNUC__)
  if (!__builtin_cpu_supports("avx2")) skip();
  uint64_t bits = UINT64_C(0x9E3779B97F4A7C15);
  for (int i = 0; i < 2000; i++) {
    unsigned char bytes[AIO__CLASSED];
    for (size_t k = 0; k < sizeof bytes; k++) {
      bits = bits * UINT64_C(6364136223846793005) + 1442695040888963407u;
      bytes[k] = (unsigned char)(i < 4 ? (size_t)i * AIO__CLASSED + k : bits >> 40);
    }
    aio__byte_classes a = aio__classify(bytes), b = aio__classify_32(bytes);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(aio__word_bits(bytes), a.letters | a.digits | a.beyond);
    assert_int_equal(aio__count_bits(a.letters), __builtin_popcountll(a.letters));
  }
#else
  skip();
#endif
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_estimate__near_real_counts),        cmocka_unit_test(test_estimate__empty_and_blank),
    cmocka_unit_test(test_estimate__other_scripts_and_signs), cmocka_unit_test(test_estimate__adds_up_at_white_space),
    cmocka_unit_test(test_estimate__counts_as_cut_does),      cmocka_unit_test(test_classify__by_16_bytes_and_by_32),
    cmocka_unit_test(test_cut__never_above_and_at_words),     cmocka_unit_test(test_cut__one_long_word),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
