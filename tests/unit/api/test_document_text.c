/* lib/api/document_text.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/document.h"

static void clean(aio__clean_text *c, aio__str raw) {
  aio__buf_init(&c->text, aio__alloc_default(), 1 << 20);
  aio__buf_init(&c->moves, aio__alloc_default(), 1 << 20);
  assert_int_equal(aio__clean(raw, c), AIORCH_OK);
}

static void clean_free(aio__clean_text *c) {
  aio__buf_free(&c->text);
  aio__buf_free(&c->moves);
}

static void check(const char *raw, size_t len, const char *want, size_t bad) {
  aio__clean_text c;
  clean(&c, aio__str_n(raw, len));
  assert_true(aio__str_eqz(aio__buf_view(&c.text), want));
  if (c.bad != bad) fail_msg("%zu bad characters, not %zu", c.bad, bad);
  clean_free(&c);
}

#define CHECK(raw, want) check(raw, sizeof(raw) - 1, want, 0)

static void test_clean__good_text_is_left(void **state) {
  (void)state;
  CHECK("", "");
  CHECK("plain\ntext\t", "plain\ntext\t");
  CHECK("caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80");
  CHECK("in the \xef\xbb\xbfmiddle", "in the \xef\xbb\xbfmiddle");
}

static void test_clean__mark_and_line_ends(void **state) {
  (void)state;
  CHECK("\xef\xbb\xbftext", "text");
  CHECK("a\r\nb\r\n\r\nc\r", "a\nb\n\nc\n");
  CHECK("old\rmac", "old\nmac");
  CHECK("\r\r\n", "\n\n");
}

/* Where each byte of the cleaned text came from, by the moves, for a text of single bytes. */
static void test_clean_moved__follows_every_kind_of_move(void **state) {
  (void)state;
  static const char head[] = "\xef\xbb\xbf"
                             "0\r\n3\xff"
                             "5\r\n8\0x";
  static char raw[4000]; /* so much that two bad bytes are borne */
  aio__clean_text c;
  memset(raw, '.', sizeof raw);
  memcpy(raw, head, sizeof head - 1);
  clean(&c, aio__str_n(raw, sizeof raw));
  assert_true(aio__str_starts(aio__buf_view(&c.text), AIO__LIT("0\n3\xef\xbf\xbd"
                                                               "5\n8\xef\xbf\xbdx...")));
  assert_int_equal(c.text.n, sizeof raw - 3 - 2 + 2 * 2);
  /*                the mark    0  \r \n  3  ff  5  \r  \n   8  NUL  x   .  far beyond */
  uint64_t at[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 99999};
  const uint64_t want[] = {0, 0, 0, 0, 1, 1, 2, 3, 6, 7, 7, 8, 9, 12, 13, c.text.n};
  aio__clean_moved(aio__buf_view(&c.moves), c.text.n, at, 16);
  for (size_t i = 0; i < 16; i++) {
    if (at[i] != want[i])
      fail_msg("offset %zu went to %llu, not %llu", i, (unsigned long long)at[i], (unsigned long long)want[i]);
  }
  clean_free(&c);
}

static void test_clean_moved__without_moves(void **state) {
  (void)state;
  uint64_t at[] = {0, 5, 9, 10, 11};
  aio__clean_moved(AIO__LIT(""), 10, at, 5);
  assert_int_equal(at[1], 5);
  assert_int_equal(at[3], 10);
  assert_int_equal(at[4], 10);
}

static void test_clean__bad_bytes(void **state) {
  (void)state;
  char text[3000];
  memset(text, 'a', sizeof text);
  text[1500] = '\xff';
  text[1501] = '\0';
  aio__clean_text c;
  clean(&c, aio__str_n(text, sizeof text));
  assert_int_equal(c.bad, 2);
  assert_int_equal(c.characters, 3000);
  assert_int_equal(c.text.n, 3000 + 4);
  assert_int_equal(aio__utf8_check(aio__buf_view(&c.text), NULL), c.text.n);
  clean_free(&c);
}

static void test_clean__any_bytes_become_utf_8(void **state) {
  (void)state;
  uint32_t seed = 1;
  for (int round = 0; round < 500; round++) {
    char raw[4000];
    memset(raw, 'x', sizeof raw);
    for (int k = 0; k < 6; k++) {
      seed = seed * 1664525u + 1013904223u;
      raw[(seed >> 8) % sizeof raw] = (char)(seed >> 24);
    }
    aio__clean_text c;
    clean(&c, aio__str_n(raw, sizeof raw));
    if (c.bad <= c.characters / AIO__BAD_CHARACTERS_IN) {
      assert_int_equal(aio__utf8_check(aio__buf_view(&c.text), NULL), c.text.n);
      assert_true(c.text.n == 0 || !memchr(c.text.p, '\r', c.text.n));
      assert_true(c.text.n == 0 || !memchr(c.text.p, '\0', c.text.n));
    }
    clean_free(&c);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_clean__good_text_is_left),
    cmocka_unit_test(test_clean__mark_and_line_ends),
    cmocka_unit_test(test_clean_moved__follows_every_kind_of_move),
    cmocka_unit_test(test_clean_moved__without_moves),
    cmocka_unit_test(test_clean__bad_bytes),
    cmocka_unit_test(test_clean__any_bytes_become_utf_8),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
