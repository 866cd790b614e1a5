/* lib/text/normalize.c: characters, keys, spelling, blank texts */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/test_alloc.h"
#include "text/normalize.h"
#include "text/normalize_parts.h"

static aio__str z(const char *text) {
  return aio__str_z(text);
}

static void assert_key(const char *text, const char *expected) {
  aio__arena arena;
  aio__str key;
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  assert_int_equal(aio__normalize_key(&arena, z(text), &key), AIORCH_OK);
  assert_int_equal(key.n, strlen(expected));
  assert_memory_equal(key.p, expected, key.n);
  aio__arena_free(&arena);
}

static void test_normalize_key__ascii(void **state) {
  (void)state;
  assert_key("", "");
  assert_key("  \t\n ", "");
  assert_key("  What IS\t\n it?  ", "what is it?");
  assert_key("a", "a");
}

static void test_normalize_key__nfkc_and_case(void **state) {
  (void)state;
  assert_key("Cafe\xCC\x81", "caf\xC3\xA9");                      /* composed */
  assert_key("CAF\xC3\x89", "caf\xC3\xA9");
  assert_key("\xEF\xBC\xA1\xE3\x80\x80\xEF\xBD\x82", "a b");      /* full-width, ideographic space */
  assert_key("Stra\xC3\x9F" "e", "strasse");
  assert_key("\xEF\xAC\x81n", "fin");                             /* ligature */
  assert_key("\xC2\xA0 x \xE2\x80\x83", "x");                     /* no-break and em space */
  assert_key("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "\xED\x95\x9C"); /* Hangul */
  assert_key("\xE6\x97\xA5\xE6\x9C\xAC", "\xE6\x97\xA5\xE6\x9C\xAC");
}

static void test_normalize_key__order_of_marks_does_not_matter(void **state) {
  (void)state;
  assert_key("q\xCC\xA3\xCC\x87", "q\xCC\xA3\xCC\x87");
  assert_key("q\xCC\x87\xCC\xA3", "q\xCC\xA3\xCC\x87");
}

static void test_normalize_key__long_run_of_marks_is_kept(void **state) {
  (void)state;
  char text[1 + 2 * 100 + 1] = "q";
  for (int i = 0; i < 100; i++) memcpy(text + 1 + 2 * i, i % 2 == 0 ? "\xCC\x87" : "\xCC\xA3", 2);
  aio__arena arena;
  aio__str key;
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  assert_int_equal(aio__normalize_key(&arena, z(text), &key), AIORCH_OK);
  assert_int_equal(key.n, 201);
  aio__arena_free(&arena);
}

static void test_normalize_key__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__test_alloc_next(&t);
    aio__arena arena;
    aio__str key;
    aio__arena_init(&arena, &t.al, 256);
    aiorch_status status = aio__normalize_key(&arena, z("\xC3\x84pfel und Birnen"), &key);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__arena_free(&arena);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

static void assert_fold(uint32_t code_point, int kind, const char *bytes) {
  aio__folded folded;
  aio__fold_character(code_point, &folded);
  assert_int_equal(folded.kind, kind);
  assert_int_equal(folded.n, strlen(bytes));
  assert_memory_equal(folded.bytes, bytes, folded.n);
}

static void test_fold_character__kinds(void **state) {
  (void)state;
  assert_fold(0xE9, AIO__FOLD_TEXT, "e");
  assert_fold(0x1E9E, AIO__FOLD_TEXT, "ss");
  assert_fold(0xFF21, AIO__FOLD_TEXT, "a");
  assert_fold(0x1D400, AIO__FOLD_TEXT, "a");  /* mathematical bold */
  assert_fold(0x24B6, AIO__FOLD_TEXT, "a");   /* circled */
  assert_fold(0x1F170, AIO__FOLD_TEXT, "a");  /* in a black square */
  assert_fold(0x1F1E6, AIO__FOLD_TEXT, "a");  /* regional indicator */
  assert_fold(0xF8, AIO__FOLD_TEXT, "o");
  assert_fold(0x2019, AIO__FOLD_TEXT, "'");
  assert_fold(0x201C, AIO__FOLD_TEXT, "\"");
  assert_fold(0x2014, AIO__FOLD_TEXT, "-");
  assert_fold(0x4E2D, AIO__FOLD_TEXT, "\xE4\xB8\xAD");
  assert_fold(0xD55C, AIO__FOLD_TEXT, "\xED\x95\x9C");
  assert_fold(0x430, AIO__FOLD_TEXT, "\xD0\xB0");
  assert_fold(0x410, AIO__FOLD_TEXT, "\xD0\xB0");
  assert_fold(0x3000, AIO__FOLD_SPACE, "");
  assert_fold(0x85, AIO__FOLD_SPACE, "");
  assert_fold(0x301, AIO__FOLD_MARK, "");
  assert_fold(0x489, AIO__FOLD_MARK, "");
  assert_fold(0x200B, AIO__FOLD_INVISIBLE, "");
  assert_fold(0xE0041, AIO__FOLD_INVISIBLE, "");
  assert_fold(0x9F, AIO__FOLD_INVISIBLE, "");
}

static void test_fold_character__every_one_is_bounded_utf8(void **state) {
  (void)state;
  for (uint32_t c = 0x80; c < 0x110000; c++) {
    if (c >= 0xD800 && c < 0xE000) continue;
    aio__folded folded;
    aio__fold_character(c, &folded);
    if (folded.n > AIO__FOLD_BYTES || aio__utf8_check(aio__str_n(folded.bytes, folded.n), NULL) != folded.n) {
      fail_msg("U+%04X", (unsigned)c);
    }
  }
}

static void test_normalize_spelling__only_what_is_not_ascii(void **state) {
  (void)state;
  aio__arena arena;
  aio__str out;
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  assert_int_equal(aio__normalize_spelling(&arena, z("\\Bf\xC3\xBCr  [\xC3\xA4" "A]\\W"), &out), AIORCH_OK);
  assert_true(aio__str_eqz(out, "\\Bfur  [aA]\\W"));
  assert_int_equal(aio__normalize_spelling(&arena, z("\xD0\xB9"), &out), AIORCH_OK); /* short i: its mark goes */
  assert_true(aio__str_eqz(out, "\xD0\xB8"));
  aio__arena_free(&arena);
}

static void test_normalize_is_blank__kinds(void **state) {
  (void)state;
  assert_true(aio__normalize_is_blank(z("")));
  assert_true(aio__normalize_is_blank(z(" \t\r\n\x7F\x01")));
  assert_true(aio__normalize_is_blank(z("\xCC\x81\xCC\x82")));          /* marks */
  assert_true(aio__normalize_is_blank(z("\xEF\xBB\xBF")));              /* BOM */
  assert_true(aio__normalize_is_blank(z("\xE2\x80\x8B\xC2\xA0\xE3\x80\x80")));
  assert_true(aio__normalize_is_blank(z("\xE3\x85\xA4")));              /* Hangul filler */
  assert_false(aio__normalize_is_blank(z("  .")));
  assert_false(aio__normalize_is_blank(z("\xEF\xBB\xBF" "a")));
  assert_false(aio__normalize_is_blank(z("\xE4\xB8\xAD")));
  assert_false(aio__normalize_is_blank(z("\xF0\x9F\x98\x80")));         /* emoji */
}

static void assert_written(const char *text, const char *expected) {
  aio__arena arena;
  aio__str written;
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  assert_int_equal(aio__normalize_written(&arena, z(text), &written), AIORCH_OK);
  assert_int_equal(written.n, strlen(expected));
  assert_memory_equal(written.p, expected, written.n);
  aio__arena_free(&arena);
}

static void test_normalize_written__case_stays_and_typography_goes(void **state) {
  (void)state;
  assert_written("", "");
  assert_written("Plain  ASCII\n", "Plain  ASCII\n");
  assert_written("Don\xE2\x80\x99t \xE2\x80\x9C" "ask\xE2\x80\x9D \xE2\x80\x94 3\xE2\x80\x93" "7\xE2\x80\xA6", "Don't \"ask\" - 3-7...");
  assert_written("\xEF\xBC\xA1\xE3\x80\x80\xEF\xBD\x82\xC2\xA0" "c", "A b c"); /* full width, wide and hard spaces */
  assert_written("Caf\xC3\xA9 M\x75\xCC\x88nchen", "Cafe Munchen");
  assert_written("1\xC2\xBD m\xC2\xB2", "1 1/2 m^2");
  assert_written("a\xE2\x80\x8B" "b\xC2\xAD" "c\xC2\x85", "abc ");
  assert_written("\xE2\x82\xAC" "5 20\xC2\xB0", "\xE2\x82\xAC" "5 20\xC2\xB0");
  assert_written("\xE6\x97\xA5\xE6\x9C\xAC", "\xE6\x97\xA5\xE6\x9C\xAC");
  assert_written("x\xEF\xB7\xBAy", "xy"); /* what would become far longer is left out */
}

static void test_normalize_written__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__arena arena;
    aio__str written;
    aio__test_alloc_next(&t);
    aio__arena_init(&arena, &t.al, 256);
    aiorch_status status = aio__normalize_written(&arena, z("caf\xC3\xA9"), &written);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__arena_free(&arena);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_normalize_written__case_stays_and_typography_goes),
    cmocka_unit_test(test_normalize_written__out_of_memory),
    cmocka_unit_test(test_normalize_key__ascii),
    cmocka_unit_test(test_normalize_key__nfkc_and_case),
    cmocka_unit_test(test_normalize_key__order_of_marks_does_not_matter),
    cmocka_unit_test(test_normalize_key__long_run_of_marks_is_kept),
    cmocka_unit_test(test_normalize_key__out_of_memory),
    cmocka_unit_test(test_fold_character__kinds),
    cmocka_unit_test(test_fold_character__every_one_is_bounded_utf8),
    cmocka_unit_test(test_normalize_spelling__only_what_is_not_ascii),
    cmocka_unit_test(test_normalize_is_blank__kinds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
