/* lib/text/normalize_lookalikes.c: the tables are sorted and say what they should */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text/normalize_parts.h"

static void assert_looks(uint32_t code_point, char ascii, bool is_weak) {
  bool weak = !is_weak;
  assert_int_equal(aio__confusable(code_point, &weak), ascii);
  assert_int_equal(weak, is_weak);
}

static void test_confusable__letters(void **state) {
  (void)state;
  assert_looks(0x430, 'a', true);   /* Cyrillic */
  assert_looks(0x435, 'e', true);
  assert_looks(0x43E, 'o', true);
  assert_looks(0x456, 'i', true);
  assert_looks(0x432, 'b', false);
  assert_looks(0x41D, 'h', false);
  assert_looks(0x3BF, 'o', true);   /* Greek */
  assert_looks(0x39D, 'n', false);
  assert_looks(0x3BD, 'v', true);
  assert_looks(0x397, 'h', false);
  assert_looks(0x13AA, 'a', false); /* Cherokee */
  assert_looks(0x436, 0, false);
  assert_looks('a', 0, false);
  assert_looks(0x4E2D, 0, false);
}

/* A table that is not sorted would lose entries to the binary search: count what is found. */
static void test_confusable__whole_table_is_found(void **state) {
  (void)state;
  size_t foreign = 0, latin = 0;
  for (uint32_t c = 0; c < 0x10000; c++) {
    bool weak;
    char looks = aio__confusable(c, &weak), plain = aio__latin_lookalike(c);
    assert_true(looks == 0 || (looks >= 'a' && looks <= 'z'));
    assert_true(plain == 0 || (plain >= 'a' && plain <= 'z'));
    foreign += looks != 0;
    latin += plain != 0;
  }
  assert_int_equal(foreign, 227);
  assert_int_equal(latin, 138);
}

static void test_latin_lookalike__letters(void **state) {
  (void)state;
  assert_int_equal(aio__latin_lookalike(0xF8), 'o');
  assert_int_equal(aio__latin_lookalike(0x142), 'l');
  assert_int_equal(aio__latin_lookalike(0x1D00), 'a');
  assert_int_equal(aio__latin_lookalike(0x1F150), 'a');
  assert_int_equal(aio__latin_lookalike(0x1F189), 'z');
  assert_int_equal(aio__latin_lookalike(0x1F1FF), 'z');
  assert_int_equal(aio__latin_lookalike(0x1F200), 0);
  assert_int_equal(aio__latin_lookalike('x'), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_confusable__letters),
    cmocka_unit_test(test_confusable__whole_table_is_found),
    cmocka_unit_test(test_latin_lookalike__letters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
