/* lib/core/str.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/str.h"

static void test_eq_and_cmp__are_bytewise(void **state) {
  (void)state;
  assert_true(aio__str_eq(aio__str_z(NULL), AIO__LIT("")));
  assert_true(aio__str_eq(aio__str_n("a\0b", 3), AIO__LIT("a\0b")));
  assert_false(aio__str_eq(AIO__LIT("a\0b"), AIO__LIT("a\0c")));
  assert_true(aio__str_eqz(AIO__LIT("abc"), "abc"));
  assert_false(aio__str_eqz(AIO__LIT("abc"), "abcd"));
  assert_true(aio__str_cmp(AIO__LIT("a"), AIO__LIT("b")) < 0);
  assert_true(aio__str_cmp(AIO__LIT("ab"), AIO__LIT("a")) > 0);
  assert_true(aio__str_cmp(AIO__LIT("\x7f"), AIO__LIT("\x80")) < 0);
  assert_int_equal(aio__str_cmp(aio__str_z(""), aio__str_z(NULL)), 0);
}

static void test_n__null_is_empty(void **state) {
  (void)state;
  assert_int_equal(aio__str_n(NULL, 5).n, 0);
}

static void test_starts__prefix(void **state) {
  (void)state;
  assert_true(aio__str_starts(AIO__LIT("abc"), AIO__LIT("ab")));
  assert_true(aio__str_starts(AIO__LIT(""), aio__str_z(NULL)));
  assert_false(aio__str_starts(AIO__LIT("ab"), AIO__LIT("abc")));
  assert_false(aio__str_starts(AIO__LIT("xbc"), AIO__LIT("ab")));
}

static void test_trim__both_ends(void **state) {
  (void)state;
  assert_true(aio__str_eqz(aio__str_trim(AIO__LIT(" \t\r\n\v\fa b \n")), "a b"));
  assert_int_equal(aio__str_trim(AIO__LIT(" \n ")).n, 0);
  assert_int_equal(aio__str_trim(aio__str_z(NULL)).n, 0);
}

static void test_hex__digits_in_both_cases(void **state) {
  (void)state;
  static const char digits[] = "0123456789abcdefABCDEF";
  int known = 0;
  for (int c = 0; c < 256; c++) known += aio__hex_value((char)c) >= 0;
  assert_int_equal(known, sizeof digits - 1);
  for (int i = 0; digits[i]; i++) assert_int_equal(aio__hex_value(digits[i]), i < 16 ? i : i - 6);
  static const char text[] = "00fFBeEf";
  const char *end = text + strlen(text);
  assert_int_equal(aio__hex4(text, end), 0xff);
  assert_int_equal(aio__hex4(text + 4, end), 0xbeef);
  assert_int_equal(aio__hex4(text + 5, end), -1); /* too short */
  static const char none[] = "12g4";
  assert_int_equal(aio__hex4(none, none + 4), -1);
}

static void test_utf8_put__then_next_gives_every_scalar_back(void **state) {
  (void)state;
  for (uint32_t c = 0; c <= 0x10FFFF; c++) {
    char bytes[4];
    size_t n = aio__utf8_put(c, bytes), pos = 0, count = 0;
    if (c >= 0xD800 && c <= 0xDFFF) {
      assert_int_equal(n, 0);
      continue;
    }
    aio__str text = aio__str_n(bytes, n);
    if (aio__utf8_next(text, &pos) != c || pos != n || aio__utf8_check(text, &count) != n || count != 1) {
      fail_msg("U+%04X does not survive", (unsigned)c);
    }
  }
  char bytes[4];
  assert_int_equal(aio__utf8_put(0x110000, bytes), 0);
  assert_int_equal(aio__utf8_put(UINT32_MAX, bytes), 0);
}

/* Decodes by the definition of UTF-8, slowly: the yardstick for all sequences of up to 3 bytes, and some of 4. */
static size_t yardstick(const uint8_t *p, size_t n) {
  size_t len = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
  if (len == 0 || len > n) return 0;
  uint32_t c = len == 1 ? p[0] : p[0] & (0xFFu >> (len + 1));
  for (size_t i = 1; i < len; i++) {
    if (p[i] >> 6 != 2) return 0;
    c = c << 6 | (p[i] & 0x3F);
  }
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  return c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) ? 0 : len;
}

static void test_utf8_check__agrees_with_the_definition(void **state) {
  (void)state;
  static const uint8_t fourth[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0};
  for (uint32_t bits = 0; bits < 1u << 24; bits += (bits >> 16) < 0xC0 ? 0x333 : 1) {
    uint8_t bytes[4] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits, fourth[bits % 5]};
    size_t want = yardstick(bytes, 4), pos = 0;
    aio__str text = aio__str_n((const char *)bytes, 4);
    uint32_t c = aio__utf8_next(text, &pos);
    bool same = want == 0 ? c == UINT32_MAX && pos == 1 : c != UINT32_MAX && pos == want;
    size_t checked = aio__utf8_check(text, NULL);
    if (!same || (want == 0) != (checked == 0)) fail_msg("bytes %06X %02X", (unsigned)bits, bytes[3]);
  }
}

static void test_utf8_check__names_the_first_bad_byte_at_every_position(void **state) {
  (void)state;
  char text[64];
  static const char bad[][5] = {"\x80", "\xC0\x80", "\xC3", "\xED\xA0\x80", "\xF5\x80\x80", "\xE2\x82", "\xFF"};
  for (size_t kind = 0; kind < sizeof bad / sizeof bad[0]; kind++) {
    for (size_t at = 0; at + 4 < 40; at++) {
      memset(text, 'a', sizeof text);
      memcpy(text + at, bad[kind], strlen(bad[kind]));
      size_t count = 0;
      assert_int_equal(aio__utf8_check(aio__str_n(text, 40), &count), at);
      assert_int_equal(count, at);
    }
  }
}

static void test_utf8_check__counts_code_points(void **state) {
  (void)state;
  size_t count = 99;
  assert_int_equal(aio__utf8_check(aio__str_z(NULL), &count), 0);
  assert_int_equal(count, 0);
  aio__str text = AIO__LIT("abcdefgh\xC3\xA9ijklmnopq\xE2\x82\xACr\xF0\x9F\x98\x80");
  assert_int_equal(aio__utf8_check(text, &count), text.n);
  assert_int_equal(count, 21);
}

static void test_utf8_next__past_the_end(void **state) {
  (void)state;
  size_t pos = 1;
  assert_int_equal(aio__utf8_next(AIO__LIT("a"), &pos), UINT32_MAX);
  assert_int_equal(pos, 1);
}

static void test_utf8_cut__splits_no_character(void **state) {
  (void)state;
  aio__str text = AIO__LIT("a\xE2\x82\xAC" "b");
  static const size_t want[] = {0, 1, 1, 1, 4, 5, 5};
  for (size_t max = 0; max < 7; max++) assert_int_equal(aio__utf8_cut(text, max), want[max]);
}

static void test_str_base64__every_byte_at_every_place(void **state) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char text[64];
  (void)state;
  assert_true(aio__str_base64(AIO__LIT("")));
  for (size_t len = 1; len <= sizeof text; len++) {
    for (size_t at = 0; at < len; at++) {
      memcpy(text, digits, sizeof text);
      for (int c = 0; c < 256; c++) {
        text[at] = (char)c;
        bool digit = c != 0 && strchr(digits, c) != NULL;
        if (aio__str_base64(aio__str_n(text, len)) != digit) fail_msg("byte %d at %zu of %zu", c, at, len);
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_str_base64__every_byte_at_every_place),
    cmocka_unit_test(test_eq_and_cmp__are_bytewise),
    cmocka_unit_test(test_n__null_is_empty),
    cmocka_unit_test(test_starts__prefix),
    cmocka_unit_test(test_trim__both_ends),
    cmocka_unit_test(test_hex__digits_in_both_cases),
      cmocka_unit_test(test_utf8_put__then_next_gives_every_scalar_back),
    cmocka_unit_test(test_utf8_check__agrees_with_the_definition),
    cmocka_unit_test(test_utf8_check__names_the_first_bad_byte_at_every_position),
    cmocka_unit_test(test_utf8_check__counts_code_points),
    cmocka_unit_test(test_utf8_next__past_the_end),
    cmocka_unit_test(test_utf8_cut__splits_no_character),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
