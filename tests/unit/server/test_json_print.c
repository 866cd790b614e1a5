/* Texts in JSON: what must be escaped is, wherever it stands among the eight bytes that are looked at together. */
#include "cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { LEN = 21 };

static void check(const char *text, size_t len, const char *expected) {
  json_print p = {0};
  jp_str(&p, text, len);
  assert_string_equal(cli_z(&p.out), expected);
  assert_int_equal(p.out.len, strlen(expected));
  cli_release(&p.out);
}

static void expect_one(char out[16], unsigned char c) {
  if (c == '"' || c == '\\') snprintf(out, 16, "\\%c", c);
  else if (c == '\n') snprintf(out, 16, "\\n");
  else if (c < 0x20 || c == 0x7F) snprintf(out, 16, "\\u%04x", c);
  else if (c >= 0x80) snprintf(out, 16, "\xEF\xBF\xBD");
  else snprintf(out, 16, "%c", c);
}

static void test_jp_str__each_byte_at_each_place(void **state) {
  (void)state;
  for (unsigned c = 0; c < 256; c++) {
    for (int at = 0; at < LEN; at++) {
      char text[LEN + 1], one[16], expected[64];
      memset(text, 'a', LEN);
      text[LEN] = '\0';
      text[at] = (char)c;
      expect_one(one, (unsigned char)c);
      snprintf(expected, sizeof expected, "\"%.*s%s%.*s\"", at, text, one, LEN - at - 1, text + at + 1);
      check(text, LEN, expected);
    }
  }
}

static void test_jp_str__every_two_neighbours(void **state) {
  (void)state;
  for (unsigned c = 1; c < 0x80; c++) {
    for (unsigned d = 1; d < 0x80; d++) {
      char text[LEN] = {'b', 'b', 'b', (char)c, (char)d, 'b', 'b', 'b', 'b', '\0'}, one[16], two[16], expected[64];
      expect_one(one, (unsigned char)c);
      expect_one(two, (unsigned char)d);
      snprintf(expected, sizeof expected, "\"bbb%s%sbbbb\"", one, two);
      check(text, 9, expected);
    }
  }
}

static void test_jp_str__characters_beyond_ascii(void **state) {
  (void)state;
  check("", 0, "\"\"");
  check("abcdefgh\xC3\xA4" "abcdefgh", 18, "\"abcdefgh\xC3\xA4" "abcdefgh\"");
  check("\xE2\x82\xAC\xF0\x9F\x98\x80xxxxxxxx\"", 16, "\"\xE2\x82\xAC\xF0\x9F\x98\x80xxxxxxxx\\\"\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_jp_str__each_byte_at_each_place),
      cmocka_unit_test(test_jp_str__every_two_neighbours),
      cmocka_unit_test(test_jp_str__characters_beyond_ascii),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
