/* lib/text/unicode.c: categories, decompositions and lower case of characters */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/str.h"
#include "text/unicode.h"

enum { LAST = 0x10FFFF };

static void test_classify__one_of_each(void **state) {
  (void)state;
  static const struct {
    uint32_t code_point;
    aio__unicode_class class;
  } cases[] = {
    {'a', AIO__UNICODE_LETTER},         {'A', AIO__UNICODE_LETTER},         {0x1C5, AIO__UNICODE_LETTER},
    {0x2B0, AIO__UNICODE_LETTER},       {0x4E00, AIO__UNICODE_LETTER},      {0x301, AIO__UNICODE_NONSPACING},
    {0x903, AIO__UNICODE_SPACING},      {0x20DD, AIO__UNICODE_ENCLOSING},   {'7', AIO__UNICODE_NUMBER},
    {0x2160, AIO__UNICODE_NUMBER},      {0xBD, AIO__UNICODE_NUMBER},        {'_', AIO__UNICODE_PUNCTUATION},
    {0x2014, AIO__UNICODE_PUNCTUATION}, {'(', AIO__UNICODE_PUNCTUATION},    {')', AIO__UNICODE_PUNCTUATION},
    {0xAB, AIO__UNICODE_PUNCTUATION},   {0xBB, AIO__UNICODE_PUNCTUATION},   {'!', AIO__UNICODE_PUNCTUATION},
    {'+', AIO__UNICODE_SYMBOL},         {0x20AC, AIO__UNICODE_SYMBOL},      {'^', AIO__UNICODE_SYMBOL},
    {0x1F600, AIO__UNICODE_SYMBOL},     {0xA0, AIO__UNICODE_SPACE},         {0x2028, AIO__UNICODE_SPACE},
    {0x2029, AIO__UNICODE_SPACE},       {0, AIO__UNICODE_CONTROL},          {0x85, AIO__UNICODE_CONTROL},
    {0x200B, AIO__UNICODE_FORMAT},      {0xE000, AIO__UNICODE_PRIVATE},     {0x10FFFD, AIO__UNICODE_PRIVATE},
    {0xD800, AIO__UNICODE_UNASSIGNED},  {0x378, AIO__UNICODE_UNASSIGNED},   {0xFFFF, AIO__UNICODE_UNASSIGNED},
    {0x110000, AIO__UNICODE_UNASSIGNED}, {UINT32_MAX, AIO__UNICODE_UNASSIGNED},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (aio__unicode_classify(cases[i].code_point) != cases[i].class) fail_msg("U+%04X", (unsigned)cases[i].code_point);
  }
}

static void check_decomposition(uint32_t c, size_t n, const uint32_t *expected) {
  uint32_t out[AIO__UNICODE_NFD_MAX];
  assert_int_equal(aio__unicode_decompose(c, out), n);
  assert_memory_equal(out, expected, n * sizeof *expected);
}

static void test_decompose__examples(void **state) {
  (void)state;
  check_decomposition('a', 1, (uint32_t[]){'a'});
  check_decomposition(0xE9, 2, (uint32_t[]){'e', 0x301});
  check_decomposition(0x1ED9, 3, (uint32_t[]){'o', 0x323, 0x302});
  check_decomposition(0x1F82, 4, (uint32_t[]){0x3B1, 0x313, 0x300, 0x345});
  check_decomposition(0x212A, 1, (uint32_t[]){'K'});
  check_decomposition(0xF900, 1, (uint32_t[]){0x8C48});
  check_decomposition(0xFB01, 1, (uint32_t[]){0xFB01}); /* a ligature is only compatible */
  check_decomposition(0x110000, 1, (uint32_t[]){0x110000});
  check_decomposition(UINT32_MAX, 1, (uint32_t[]){UINT32_MAX});
}

static void test_decompose__hangul(void **state) {
  (void)state;
  check_decomposition(0xABFF, 1, (uint32_t[]){0xABFF});
  check_decomposition(0xAC00, 2, (uint32_t[]){0x1100, 0x1161});
  check_decomposition(0xAC01, 3, (uint32_t[]){0x1100, 0x1161, 0x11A8});
  check_decomposition(0xD4DB, 3, (uint32_t[]){0x1111, 0x1171, 0x11B6}); /* the example of the standard */
  check_decomposition(0xD7A3, 3, (uint32_t[]){0x1112, 0x1175, 0x11C2});
  check_decomposition(0xD7A4, 1, (uint32_t[]){0xD7A4});
}

static void test_decompose__is_complete_and_in_canonical_order(void **state) {
  (void)state;
  for (uint32_t c = 0; c <= LAST; c++) {
    uint32_t out[AIO__UNICODE_NFD_MAX], again[AIO__UNICODE_NFD_MAX];
    size_t n = aio__unicode_decompose(c, out);
    assert_in_range(n, 1, AIO__UNICODE_NFD_MAX);
    for (size_t i = 0; i < n; i++) {
      if (n > 1 || out[0] != c) {
        assert_int_equal(aio__unicode_decompose(out[i], again), 1);
        assert_int_equal(again[0], out[i]);
      }
      if (i == 0 || aio__unicode_combining_class(out[i]) == 0) continue;
      assert_true(aio__unicode_combining_class(out[i - 1]) <= aio__unicode_combining_class(out[i]));
    }
  }
}

static void test_combining_class__of_marks_alone(void **state) {
  (void)state;
  assert_int_equal(aio__unicode_combining_class(0x301), 230);
  assert_int_equal(aio__unicode_combining_class(0x323), 220);
  assert_int_equal(aio__unicode_combining_class(0x302E), 224);
  for (uint32_t c = 0; c <= LAST; c++) {
    if (aio__unicode_combining_class(c) == 0) continue;
    aio__unicode_class class = aio__unicode_classify(c);
    assert_true(class == AIO__UNICODE_NONSPACING || class == AIO__UNICODE_SPACING);
  }
}

static void test_compat__keeps_the_case(void **state) {
  (void)state;
  uint32_t out[AIO__UNICODE_FOLD_MAX];
  assert_int_equal(aio__unicode_compat('A', out), 1);
  assert_int_equal(out[0], 'A');
  assert_int_equal(aio__unicode_compat(0xFB01, out), 2); /* fi */
  assert_int_equal(out[0], 'f');
  assert_int_equal(aio__unicode_compat(0xFF21, out), 1); /* full-width A */
  assert_int_equal(out[0], 'A');
  assert_int_equal(aio__unicode_compat(0x110000, out), 0);
}

static void test_fold__examples(void **state) {
  (void)state;
  uint32_t out[AIO__UNICODE_FOLD_MAX];
  assert_int_equal(aio__unicode_fold(0xFB01, out), 2);
  assert_int_equal(out[0], 'f');
  assert_int_equal(out[1], 'i');
  assert_int_equal(aio__unicode_fold(0xDF, out), 2);
  assert_int_equal(out[1], 's');
  assert_int_equal(aio__unicode_fold(0xFDFA, out), AIO__UNICODE_FOLD_MAX);
  assert_int_equal(aio__unicode_fold(0x110000, out), 0);
}

static void test_lower__examples(void **state) {
  (void)state;
  uint32_t out[AIO__UNICODE_LOWER_MAX];
  static const uint32_t cases[][2] = {{'A', 'a'},       {'z', 'z'},     {0xC9, 0xE9},     {0x3A3, 0x3C3},
                                      {0x1E9E, 0xDF},   {0x10A0, 0x2D00}, {0x10400, 0x10428}, {0x4E00, 0x4E00},
                                      {0x2160, 0x2170}, {0x24B6, 0x24D0}, {0x110000, 0x110000}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(aio__unicode_lower(cases[i][0], out), 1);
    assert_int_equal(out[0], cases[i][1]);
  }
  assert_int_equal(aio__unicode_lower(0x130, out), 2);
  assert_int_equal(out[0], 'i');
  assert_int_equal(out[1], 0x307);
}

static void test_compose__writes_utf8_in_place(void **state) {
  (void)state;
  uint32_t text[4] = {'e', 0x301, 'x'};
  assert_int_equal(aio__unicode_compose(text, 3), 3);
  assert_memory_equal(text, "\xC3\xA9x", 4);
  assert_int_equal(aio__unicode_compose(text, 0), 0);
  uint32_t bad[3] = {0x110000, 'a'};
  assert_int_equal(aio__unicode_compose(bad, 2), 1);
  assert_memory_equal(bad, "a", 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_classify__one_of_each),
    cmocka_unit_test(test_decompose__examples),
    cmocka_unit_test(test_decompose__hangul),
    cmocka_unit_test(test_decompose__is_complete_and_in_canonical_order),
    cmocka_unit_test(test_combining_class__of_marks_alone),
    cmocka_unit_test(test_compat__keeps_the_case),
    cmocka_unit_test(test_fold__examples),
    cmocka_unit_test(test_lower__examples),
    cmocka_unit_test(test_compose__writes_utf8_in_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
