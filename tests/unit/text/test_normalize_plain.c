/* lib/text/normalize_plain.c: PLAIN itself, and the offsets under it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text/normalize_parts.h"

static void assert_plain(const char *text, bool eager, bool expect_disguised, const char *expected) {
  aio__arena arena;
  aio__source in = {aio__str_z(text), NULL}, out;
  bool disguised = !expect_disguised;
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  assert_true(aio__plain_unicode(&arena, &in, NULL, eager, &out, &disguised));
  assert_string_equal(out.text.p, expected);
  assert_int_equal(disguised, expect_disguised);
  aio__arena_free(&arena);
}

static void test_plain_ascii__keeps_offsets_of_its_source(void **state) {
  (void)state;
  static const uint32_t offsets[] = {10, 20, 30, 40, 50, 60};
  aio__arena arena;
  aio__source in = {AIO__LIT("aB  c"), offsets}, out;
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  assert_true(aio__plain_ascii(&arena, &in, &out));
  assert_string_equal(out.text.p, "ab c");
  static const uint32_t expected[] = {10, 20, 30, 50, 60};
  assert_memory_equal(out.offsets, expected, sizeof expected);
  in.text = AIO__LIT("aBcde");
  assert_true(aio__plain_ascii(&arena, &in, &out));
  assert_ptr_equal(out.offsets, offsets);
  aio__arena_free(&arena);
}

/* Both ways make the same of what both can read. */
static void test_plain_unicode__agrees_with_ascii(void **state) {
  (void)state;
  static const char *texts[] = {
    "", " ", "a", "A  b!!\t\n\n--c $$ @@ 12", "\n \n x", "a \r\n b\x01\x7F.", "....", "a' 'b"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    aio__arena arena;
    aio__source in = {aio__str_z(texts[i]), NULL}, ascii, unicode;
    bool disguised;
    aio__arena_init(&arena, aio__alloc_default(), 1024);
    assert_true(aio__plain_ascii(&arena, &in, &ascii));
    assert_true(aio__plain_unicode(&arena, &in, NULL, false, &unicode, &disguised));
    assert_string_equal(ascii.text.p, unicode.text.p);
    for (size_t k = 0; ascii.offsets != NULL && k <= ascii.text.n; k++) {
      assert_int_equal(ascii.offsets[k], unicode.offsets[k]);
    }
    aio__arena_free(&arena);
  }
}

static void test_plain_unicode__words_of_two_scripts(void **state) {
  (void)state;
  assert_plain("\xD0\xB0\xD0\xB1", false, false, "\xD0\xB0\xD0\xB1");   /* Cyrillic */
  assert_plain("x\xD0\xB0", false, false, "xa");
  assert_plain("1\xD0\xB0\xD0\xB6", false, false, "1\xD0\xB0\xD0\xB6"); /* a digit is of no script */
  assert_plain("\xD0\xB0", false, false, "\xD0\xB0");                   /* one letter proves nothing */
  assert_plain("\xD0\xB0", true, false, "a");
  assert_plain("x\xD0\xB0 \xD0\xB0", false, true, "xa \xD0\xB0");
  assert_plain("x\xD0\xB0 \xD0\xB0", true, true, "xa a");
  assert_plain("x\xD0\xB0, \xD0\xBA\xD0\xBE\xD1\x82!", true, true, "xa, kot!");
  assert_plain("x\xCC\x81\xD0\xB0\xE2\x80\x8B\xD0\xB5", false, false, "xae");
}

static void test_plain_unicode__grows_where_folding_does(void **state) {
  (void)state;
  char text[4 * 100 + 1] = "";
  for (int i = 0; i < 100; i++) strcat(text, "\xEF\xAC\x83x"); /* the ligature ffi */
  aio__arena arena;
  aio__source in = {aio__str_z(text), NULL}, out;
  bool disguised;
  aio__arena_init(&arena, aio__alloc_default(), 256);
  assert_true(aio__plain_unicode(&arena, &in, NULL, false, &out, &disguised));
  assert_int_equal(out.text.n, 400);
  assert_memory_equal(out.text.p, "ffixffix", 8);
  assert_int_equal(out.offsets[400], 400);
  /* the Roman number viii: three bytes become four */
  in.text = AIO__LIT("\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7"
                     "\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7"
                     "\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7\xE2\x85\xB7");
  assert_true(aio__plain_unicode(&arena, &in, NULL, false, &out, &disguised));
  assert_int_equal(out.text.n, 80);
  assert_int_equal(out.offsets[79], 57);
  aio__arena_free(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_plain_ascii__keeps_offsets_of_its_source),
    cmocka_unit_test(test_plain_unicode__agrees_with_ascii),
    cmocka_unit_test(test_plain_unicode__words_of_two_scripts),
    cmocka_unit_test(test_plain_unicode__grows_where_folding_does),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
