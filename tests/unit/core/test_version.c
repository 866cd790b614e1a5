/* lib/core/version.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include <aiorch/version.h>

static void test_version__number_and_text_agree_with_the_header(void **state) {
  (void)state;
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", AIORCH_VERSION_MAJOR, AIORCH_VERSION_MINOR, AIORCH_VERSION_PATCH);
  assert_string_equal(aiorch_version_string(), text);
  assert_int_equal(aiorch_version(),
                   AIORCH_VERSION_MAJOR * 1000000 + AIORCH_VERSION_MINOR * 1000 + AIORCH_VERSION_PATCH);
}

static void test_has_feature__known_and_unknown(void **state) {
  (void)state;
  static const char *const known[] = {"sqlite", "memory", "extractive", "fts5", "full_text"};
  for (size_t i = 0; i < 5; i++) assert_int_equal(aiorch_has_feature(known[i]), 1);
  assert_int_equal(aiorch_has_feature("sqlit"), 0);
  assert_int_equal(aiorch_has_feature("SQLITE"), 0);
  assert_int_equal(aiorch_has_feature(""), 0);
  assert_int_equal(aiorch_has_feature(NULL), 0);
}

static void test_feature_name__lists_what_has_feature_knows(void **state) {
  (void)state;
  size_t n = 0;
  for (; aiorch_feature_name(n) != NULL; n++) assert_int_equal(aiorch_has_feature(aiorch_feature_name(n)), 1);
  assert_true(n >= 5);
  assert_null(aiorch_feature_name(SIZE_MAX));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_version__number_and_text_agree_with_the_header),
    cmocka_unit_test(test_has_feature__known_and_unknown),
    cmocka_unit_test(test_feature_name__lists_what_has_feature_knows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
