/* lib/embedders/local/wordpiece_vocabulary.c: entries, and words into pieces */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "embedders/local/wordpiece_private.h"
#include "support/test_alloc.h"

static void fill(aio__vocabulary *v, const char *const *entries, size_t count) {
  size_t bytes = 0, n = 0;
  for (size_t i = 0; i < count; i++) bytes += strlen(entries[i]);
  assert_int_equal(aio__vocabulary_init(v, aio__alloc_default(), count, bytes), AIORCH_OK);
  for (size_t i = 0; i < count; i++) {
    memcpy(v->text + n, entries[i], strlen(entries[i]));
    n += strlen(entries[i]);
    v->starts[i + 1] = (uint32_t)n;
  }
}

static void check_split(const aio__vocabulary *v, const char *text, size_t n, const int32_t *expected) {
  aio__word word = {.n = strlen(text)};
  int32_t pieces[AIO__WORDPIECE_WORD_MAX];
  memcpy(word.bytes, text, word.n);
  size_t got = aio__vocabulary_split(v, &word, pieces);
  if (got != n) fail_msg("%s: %zu pieces", text, got);
  if (n > 0) assert_memory_equal(pieces, expected, n * sizeof *pieces);
}

static void test_split__longest_piece_first(void **state) {
  (void)state;
  static const char *const entries[] = {"un", "##aff", "##able", "unaff", "##a", "##b", "a", "##ffa", "\xC3\xA9",
                                        "##\xC3\xA9\xC3\xA9", "##\xC3\xA9", "\xE4\xB8\xAD", "##l", "##", "ab"};
  aio__vocabulary v;
  int32_t earlier, later;
  fill(&v, entries, sizeof entries / sizeof entries[0]);
  assert_true(aio__vocabulary_index(&v, &earlier, &later));
  check_split(&v, "unaffable", 2, (int32_t[]){3, 2});
  check_split(&v, "un", 1, (int32_t[]){0});
  check_split(&v, "unab", 3, (int32_t[]){0, 4, 5});
  check_split(&v, "aff", 0, NULL);                      /* "##aff" only continues a word */
  check_split(&v, "aaffa", 3, (int32_t[]){6, 1, 4});   /* greedy: not a ##a ##ffa */
  check_split(&v, "aaaff", 3, (int32_t[]){6, 4, 1});
  check_split(&v, "abx", 0, NULL);
  check_split(&v, "x", 0, NULL);
  check_split(&v, "", 0, NULL);
  check_split(&v, "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 3, (int32_t[]){8, 9, 10});
  check_split(&v, "\xE4\xB8\xAD", 1, (int32_t[]){11});
  check_split(&v, "\xE4\xB8\xAE", 0, NULL);
  aio__vocabulary_free(&v, aio__alloc_default());
}

static void test_split__as_many_pieces_as_characters(void **state) {
  (void)state;
  static const char *const entries[] = {"\xF0\x90\x90\xA8", "##\xF0\x90\x90\xA8"};
  aio__vocabulary v;
  aio__word word = {.n = AIO__WORD_BYTES_MAX};
  int32_t pieces[AIO__WORDPIECE_WORD_MAX], earlier, later;
  fill(&v, entries, 2);
  assert_true(aio__vocabulary_index(&v, &earlier, &later));
  for (size_t i = 0; i < AIO__WORD_BYTES_MAX; i += 4) memcpy(word.bytes + i, entries[0], 4);
  assert_int_equal(aio__vocabulary_split(&v, &word, pieces), AIO__WORDPIECE_WORD_MAX);
  assert_int_equal(pieces[0], 0);
  for (size_t i = 1; i < AIO__WORDPIECE_WORD_MAX; i++) assert_int_equal(pieces[i], 1);
  aio__vocabulary_free(&v, aio__alloc_default());
}

static void test_split__longest_entry(void **state) {
  (void)state;
  char first[AIO__WORD_BYTES_MAX + 1], next[AIO__ENTRY_BYTES_MAX + 1] = "##";
  memset(first, 'x', sizeof first - 1);
  memset(next + 2, 'x', sizeof next - 3);
  first[sizeof first - 1] = next[sizeof next - 1] = '\0';
  const char *entries[] = {next, first};
  aio__vocabulary v;
  int32_t earlier, later;
  fill(&v, entries, 2);
  assert_true(aio__vocabulary_index(&v, &earlier, &later));
  assert_int_equal(v.longest, AIO__WORD_BYTES_MAX);
  check_split(&v, first, 1, (int32_t[]){1});
  assert_int_equal(aio__vocabulary_find(&v, aio__str_z(next)), 0);
  aio__vocabulary_free(&v, aio__alloc_default());
}

static void test_find__entries_as_they_are_written(void **state) {
  (void)state;
  static const char *const entries[] = {"a", "##a", "[UNK]", "#", "##", "###"};
  aio__vocabulary v;
  int32_t earlier, later;
  fill(&v, entries, 6);
  assert_true(aio__vocabulary_index(&v, &earlier, &later));
  for (int32_t i = 0; i < 6; i++) {
    assert_int_equal(aio__vocabulary_find(&v, aio__str_z(entries[i])), i);
    assert_true(aio__str_eqz(aio__vocabulary_entry(&v, (size_t)i), entries[i]));
  }
  assert_int_equal(aio__vocabulary_find(&v, AIO__LIT("b")), AIO__NO_ENTRY);
  assert_int_equal(aio__vocabulary_find(&v, AIO__LIT("[CLS]")), AIO__NO_ENTRY);
  assert_int_equal(aio__vocabulary_find(&v, AIO__LIT("longer than all of them")), AIO__NO_ENTRY);
  aio__vocabulary_free(&v, aio__alloc_default());
}

static void test_index__names_what_comes_twice(void **state) {
  (void)state;
  static const char *const entries[] = {"a", "##b", "c", "##b", "c"};
  aio__vocabulary v;
  int32_t earlier = -1, later = -1;
  fill(&v, entries, 5);
  assert_false(aio__vocabulary_index(&v, &earlier, &later));
  assert_int_equal(earlier, 1);
  assert_int_equal(later, 3);
  aio__vocabulary_free(&v, aio__alloc_default());
}

static void test_index__a_full_vocabulary(void **state) {
  (void)state;
  enum { COUNT = AIO__WORDPIECE_VOCABULARY_MAX, DIGITS = 6 };
  aio__vocabulary v;
  int32_t earlier, later;
  char entry[16];
  assert_int_equal(aio__vocabulary_init(&v, aio__alloc_default(), COUNT, (size_t)COUNT * DIGITS), AIORCH_OK);
  for (uint32_t i = 0; i < COUNT; i++) {
    (void)snprintf(entry, sizeof entry, "%06x", (unsigned)i);
    memcpy(v.text + (size_t)i * DIGITS, entry, DIGITS);
    v.starts[i + 1] = (i + 1) * DIGITS;
  }
  assert_true(aio__vocabulary_index(&v, &earlier, &later));
  assert_int_equal(aio__vocabulary_find(&v, AIO__LIT("000000")), 0);
  assert_int_equal(aio__vocabulary_find(&v, AIO__LIT("0fffff")), COUNT - 1);
  assert_int_equal(aio__vocabulary_find(&v, AIO__LIT("100000")), AIO__NO_ENTRY);
  aio__vocabulary_free(&v, aio__alloc_default());
}

static void test_init__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__vocabulary v;
    aio__test_alloc_next(&t);
    aiorch_status status = aio__vocabulary_init(&v, &t.al, 100, 1000);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    if (status == AIORCH_OK) aio__vocabulary_free(&v, &t.al);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_split__longest_piece_first),
    cmocka_unit_test(test_split__as_many_pieces_as_characters),
    cmocka_unit_test(test_split__longest_entry),
    cmocka_unit_test(test_find__entries_as_they_are_written),
    cmocka_unit_test(test_index__names_what_comes_twice),
    cmocka_unit_test(test_index__a_full_vocabulary),
    cmocka_unit_test(test_init__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
