/* lib/embedders/local/wordpiece.c: vocab.txt, ids, truncation */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "embedders/local/wordpiece.h"
#include "support/test_alloc.h"

#define SPECIAL "[PAD]\n[UNK]\n[CLS]\n[SEP]\n"

enum { PAD, UNK, CLS, SEP, A, B, CONT_B, SHOP, STOP, OPEN, CLOSE, SEP_WORD, TOKENS_MAX = 64 };

static const char VOCABULARY[] = SPECIAL "a\nb\n##b\nshop\n.\n[\n]\nsep\n";

static aio__wordpiece *open_text(const char *text) {
  aio__wordpiece *tokenizer = NULL;
  aiorch_error error;
  aio__error_init(&error);
  aiorch_status status =
    aio__wordpiece_from_vocabulary(aio__alloc_default(), aio__str_z(text), true, "vocab.txt", &tokenizer, &error);
  if (status != AIORCH_OK) fail_msg("%s", error.message);
  return tokenizer;
}

/* ---- vocab.txt --------------------------------------------------------------------------------------------------- */

static void check_fault_n(aio__str text, const char *says) {
  aio__test_alloc t;
  aio__wordpiece *tokenizer = NULL;
  aiorch_error error;
  aio__error_init(&error);
  aio__test_alloc_init(&t);
  aiorch_status status = aio__wordpiece_from_vocabulary(&t.al, text, true, "m/vocab.txt", &tokenizer, &error);
  assert_int_equal(status, AIORCH_E_MODEL);
  assert_int_equal(error.status, AIORCH_E_MODEL);
  if (strstr(error.message, says) == NULL) fail_msg("\"%s\" does not say \"%s\"", error.message, says);
  assert_non_null(strstr(error.message, "m/vocab.txt"));
  assert_null(tokenizer);
  assert_int_equal(t.live, 0);
}

static void check_fault(const char *text, const char *says) {
  check_fault_n(aio__str_z(text), says);
}

static void test_from_vocabulary__faults_name_file_and_line(void **state) {
  (void)state;
  check_fault("", "no entry [PAD]");
  check_fault_n((aio__str){NULL, 0}, "no entry [PAD]");
  check_fault("[PAD]\n[CLS]\n[SEP]\na\n", "no entry [UNK]");
  check_fault("[PAD]\n[UNK]\n[SEP]\na\n", "no entry [CLS]");
  check_fault("[PAD]\n[UNK]\n[CLS]\na\n", "no entry [SEP]");
  check_fault("<s>\n<pad>\n</s>\n[UNK]\n", "no entry [PAD]");
  check_fault(SPECIAL "a\n\nb\n", "line 6: the entry is empty");
  check_fault(SPECIAL "a\r\n\r\nb\r\n", "line 6: the entry is empty");
  check_fault(SPECIAL "a\n\n", "line 6: the entry is empty");
  check_fault("\n" SPECIAL, "line 1: the entry is empty");
  check_fault(SPECIAL "a\nb\na", "line 7: \"a\" was there before, at line 5");
  check_fault(SPECIAL "##a\na\n##a\n", "line 7: \"##a\" was there before, at line 5");
  check_fault(SPECIAL "[SEP]\n", "line 5: \"[SEP]\" was there before, at line 4");
  check_fault(SPECIAL "a\xFF\n", "line 5: this is not UTF-8");
  check_fault("\xC0\x80\n" SPECIAL, "line 1: this is not UTF-8");
  check_fault(SPECIAL "\xE2\x82", "line 5: this is not UTF-8");
}

static void test_from_vocabulary__limits(void **state) {
  (void)state;
  enum { LONG = 403, MANY = AIO__WORDPIECE_VOCABULARY_MAX + 1 };
  char text[sizeof SPECIAL + LONG + 1] = SPECIAL;
  memset(text + sizeof SPECIAL - 1, 'x', LONG);
  check_fault_n(aio__str_n(text, sizeof SPECIAL - 1 + LONG), "line 5: the entry is longer than any word");
  size_t n = (size_t)MANY * 2;
  char *many = malloc(n);
  assert_non_null(many);
  for (size_t i = 0; i < n; i++) many[i] = i % 2 == 0 ? 'x' : '\n';
  check_fault_n(aio__str_n(many, n), "has 1048577 entries; at most 1048576 are accepted");
  check_fault_n(aio__str_n(many, n - 2), "line 2: \"x\" was there before, at line 1");
  check_fault_n(aio__str_n(many, AIO__WORDPIECE_FILE_MAX + (size_t)1), "bytes; at most 33554432 are accepted");
  free(many);
}

static void test_from_vocabulary__line_ends(void **state) {
  (void)state;
  static const char *const texts[] = {SPECIAL "a\nb", SPECIAL "a\nb\n",
                                      "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\nb\r\n",
                                      "[PAD]\r\n[UNK]\n[CLS]\r\n[SEP]\na\r\nb"};
  uint8_t first[32], digest[32];
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    aio__wordpiece *tokenizer = open_text(texts[i]);
    assert_int_equal(aio__wordpiece_size(tokenizer), 6);
    aio__wordpiece_digest(tokenizer, i == 0 ? first : digest);
    if (i > 0) assert_memory_equal(digest, first, sizeof first);
    aio__wordpiece_free(tokenizer);
  }
}

static void test_from_vocabulary__text_may_go(void **state) {
  (void)state;
  char *text = strdup(VOCABULARY);
  aio__wordpiece *tokenizer = open_text(text);
  memset(text, 'z', sizeof VOCABULARY);
  free(text);
  int32_t ids[TOKENS_MAX];
  size_t n;
  bool truncated;
  assert_int_equal(aio__wordpiece_encode(tokenizer, AIO__LIT("Shop"), TOKENS_MAX, ids, &n, &truncated), AIORCH_OK);
  assert_int_equal(ids[1], SHOP);
  aio__wordpiece_free(tokenizer);
}

static void test_from_vocabulary__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__wordpiece *tokenizer = NULL;
    aiorch_error error;
    aio__error_init(&error);
    aio__test_alloc_next(&t);
    aiorch_status status =
      aio__wordpiece_from_vocabulary(&t.al, aio__str_z(VOCABULARY), true, "vocab.txt", &tokenizer, &error);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(error.status, status);
    assert_true((tokenizer != NULL) == (status == AIORCH_OK));
    aio__wordpiece_free(tokenizer);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
  assert_true(t.count >= 4);
  aio__wordpiece_free(NULL);
}

/* ---- digest ------------------------------------------------------------------------------------------------------ */

static void test_digest__changes_with_entries_and_rules(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool lower;
  } cases[] = {{SPECIAL "ab\nc\n", true},
               {SPECIAL "ab\nc\n", false},
               {SPECIAL "a\nbc\n", true},
               {SPECIAL "c\nab\n", true},
               {SPECIAL "ab\nc\nd\n", true}};
  enum { COUNT = sizeof cases / sizeof cases[0] };
  uint8_t digest[COUNT][32];
  for (size_t i = 0; i < COUNT; i++) {
    aio__wordpiece *tokenizer = NULL;
    aio__str text = aio__str_z(cases[i].text);
    aiorch_status status =
      aio__wordpiece_from_vocabulary(aio__alloc_default(), text, cases[i].lower, "v", &tokenizer, NULL);
    assert_int_equal(status, AIORCH_OK);
    aio__wordpiece_digest(tokenizer, digest[i]);
    for (size_t k = 0; k < i; k++) assert_memory_not_equal(digest[i], digest[k], 32);
    aio__wordpiece_free(tokenizer);
  }
}

/* Fingerprints are in stores: that of a vocabulary must never change by itself. Of more than one block of entries. */
static void test_digest__stays_what_it_was(void **state) {
  (void)state;
  char text[sizeof SPECIAL + 1000] = SPECIAL;
  uint8_t digest[32];
  static const uint8_t expected[32] = {0xb4, 0xbb, 0x93, 0x02, 0x14, 0x65, 0xc8, 0x39, 0xd0, 0xde, 0xb2, 0x89,
                                       0xc9, 0x78, 0xe1, 0x10, 0x6e, 0x8e, 0x1b, 0xb1, 0xd9, 0xd3, 0xec, 0x8b,
                                       0x22, 0xff, 0x22, 0x10, 0xc7, 0x2f, 0x04, 0xd9};
  size_t n = strlen(text);
  for (int i = 0; i < 150; i++) n += (size_t)snprintf(text + n, sizeof text - n, "%d\n", i);
  aio__wordpiece *tokenizer = open_text(text);
  aio__wordpiece_digest(tokenizer, digest);
  assert_memory_equal(digest, expected, sizeof digest);
  aio__wordpiece_free(tokenizer);
}

/* ---- encode ------------------------------------------------------------------------------------------------------ */

static void check_ids(aio__str text, size_t max, bool cut, size_t n, const int32_t *expected) {
  aio__wordpiece *tokenizer = open_text(VOCABULARY);
  int32_t ids[TOKENS_MAX + 1];
  size_t count = 0;
  bool truncated = !cut;
  for (size_t i = 0; i <= TOKENS_MAX; i++) ids[i] = -7;
  assert_int_equal(aio__wordpiece_encode(tokenizer, text, max, ids, &count, &truncated), AIORCH_OK);
  assert_int_equal(count, n);
  assert_memory_equal(ids, expected, n * sizeof *ids);
  assert_int_equal(ids[max], -7);
  assert_int_equal(truncated, cut);
  aio__wordpiece_free(tokenizer);
}

#define IDS(...) (sizeof(int32_t[]){__VA_ARGS__} / sizeof(int32_t)), (int32_t[]){__VA_ARGS__}

static void test_encode__words_pieces_and_unknown(void **state) {
  (void)state;
  check_ids(AIO__LIT(""), TOKENS_MAX, false, IDS(CLS, SEP));
  check_ids((aio__str){NULL, 0}, TOKENS_MAX, false, IDS(CLS, SEP));
  check_ids(AIO__LIT(" \n\x01 \xCC\x81 \xEF\xBF\xBD \x80 "), TOKENS_MAX, false, IDS(CLS, SEP));
  check_ids(AIO__LIT("A SHOP."), TOKENS_MAX, false, IDS(CLS, A, SHOP, STOP, SEP));
  check_ids(AIO__LIT("bbb b\xCC\x81"), TOKENS_MAX, false, IDS(CLS, B, CONT_B, CONT_B, B, SEP));
  check_ids(AIO__LIT("ac a"), TOKENS_MAX, false, IDS(CLS, UNK, A, SEP)); /* a word comes out as a whole or not at all */
  check_ids(AIO__LIT("\xE4\xB8\xAD"), TOKENS_MAX, false, IDS(CLS, UNK, SEP));
}

static void test_encode__special_tokens_stay_text(void **state) {
  (void)state;
  check_ids(AIO__LIT("[SEP]"), TOKENS_MAX, false, IDS(CLS, OPEN, SEP_WORD, CLOSE, SEP));
  check_ids(AIO__LIT("[CLS] [PAD]"), TOKENS_MAX, false, IDS(CLS, OPEN, UNK, CLOSE, OPEN, UNK, CLOSE, SEP));
}

static void test_encode__truncated_only_when_something_was_cut(void **state) {
  (void)state;
  check_ids(AIO__LIT("a"), 3, false, IDS(CLS, A, SEP));
  check_ids(AIO__LIT("a  \n"), 3, false, IDS(CLS, A, SEP));
  check_ids(AIO__LIT("a \x01\x02 \xEF\xBF\xBD\xCC\x81\xE2\x80\x8B\xFF "), 3, false, IDS(CLS, A, SEP));
  check_ids(AIO__LIT("a b"), 3, true, IDS(CLS, A, SEP));
  check_ids(AIO__LIT("a."), 3, true, IDS(CLS, A, SEP));
  check_ids(AIO__LIT("a \xE4\xB8\xAD"), 3, true, IDS(CLS, A, SEP));
  check_ids(AIO__LIT("abb"), 5, false, IDS(CLS, A, CONT_B, CONT_B, SEP));
  check_ids(AIO__LIT("abb"), 4, true, IDS(CLS, A, CONT_B, SEP)); /* inside a word, as the reference does */
  check_ids(AIO__LIT("abb"), 3, true, IDS(CLS, A, SEP));
  check_ids(AIO__LIT("a abb"), 5, true, IDS(CLS, A, A, CONT_B, SEP));
  check_ids(AIO__LIT("a b ac"), 4, true, IDS(CLS, A, B, SEP));
  check_ids(AIO__LIT("a b ac"), 5, false, IDS(CLS, A, B, UNK, SEP));
}

/* ---- large texts: what is quadratic in them would not end within the test's time limit --------------------------- */

enum { LARGE = 10 << 20 };

static char *large_of(const char *unit) {
  size_t n = strlen(unit);
  char *text = malloc(LARGE + n);
  assert_non_null(text);
  for (size_t i = 0; i < LARGE; i += n) memcpy(text + i, unit, n);
  return text;
}

static void check_large(const char *unit, bool cut, size_t n, const int32_t *expected) {
  char *text = large_of(unit);
  size_t len = strlen(unit);
  check_ids(aio__str_n(text, LARGE / len * len), 4, cut, n, expected);
  free(text);
}

static void test_encode__large_texts(void **state) {
  (void)state;
  check_large("a", false, IDS(CLS, UNK, SEP));               /* one word */
  check_large("\xD0\xB6", false, IDS(CLS, UNK, SEP));
  check_large("\xE3\x80\xAE\xE1\xAD\x84", false, IDS(CLS, UNK, SEP)); /* marks that are out of order */
  check_large("\xCC\x81", false, IDS(CLS, SEP));
  check_large("\x01", false, IDS(CLS, SEP));
  check_large("\xFF", false, IDS(CLS, SEP));
  check_large(" ", false, IDS(CLS, SEP));
  check_large("a ", true, IDS(CLS, A, A, SEP));
  check_large(".", true, IDS(CLS, STOP, STOP, SEP));
  check_large("\xE4\xB8\xAD", true, IDS(CLS, UNK, UNK, SEP));
}

static void test_encode__every_word_of_a_large_text(void **state) {
  (void)state;
  enum { MAX = LARGE / 2 + 2 };
  aio__wordpiece *tokenizer = open_text(VOCABULARY);
  char *text = large_of("b ");
  int32_t *ids = malloc(MAX * sizeof *ids);
  size_t n = 0;
  bool truncated = true;
  assert_non_null(ids);
  assert_int_equal(aio__wordpiece_encode(tokenizer, aio__str_n(text, LARGE), MAX, ids, &n, &truncated), AIORCH_OK);
  assert_int_equal(n, MAX);
  assert_false(truncated);
  assert_int_equal(ids[MAX - 2], B);
  free(ids);
  free(text);
  aio__wordpiece_free(tokenizer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_from_vocabulary__faults_name_file_and_line),
    cmocka_unit_test(test_from_vocabulary__limits),
    cmocka_unit_test(test_from_vocabulary__line_ends),
    cmocka_unit_test(test_from_vocabulary__text_may_go),
    cmocka_unit_test(test_from_vocabulary__out_of_memory),
    cmocka_unit_test(test_digest__changes_with_entries_and_rules),
    cmocka_unit_test(test_digest__stays_what_it_was),
    cmocka_unit_test(test_encode__words_pieces_and_unknown),
    cmocka_unit_test(test_encode__special_tokens_stay_text),
    cmocka_unit_test(test_encode__truncated_only_when_something_was_cut),
    cmocka_unit_test(test_encode__large_texts),
    cmocka_unit_test(test_encode__every_word_of_a_large_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
