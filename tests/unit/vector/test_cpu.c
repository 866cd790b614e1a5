/* lib/vector/cpu.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vector/cpu.h"

static void test_best__is_a_level_with_a_name_and_stays_the_same(void **state) {
  (void)state;
  aio__cpu best = aio__cpu_best();
  assert_in_range(best, AIO__CPU_PLAIN, AIO__CPU_AVX512);
  assert_string_not_equal(aio__cpu_name(best), "unknown");
  assert_int_equal(aio__cpu_best(), best);
}

static void test_from_setting__auto_is_the_best(void **state) {
  (void)state;
  aio__cpu cpu = AIO__CPU_PLAIN;
  assert_int_equal(aio__cpu_from_setting("auto", &cpu, NULL), AIORCH_OK);
  assert_int_equal(cpu, aio__cpu_best());
}

static void test_from_setting__what_the_machine_has_and_what_it_lacks(void **state) {
  (void)state;
  static const char *const names[] = {"plain", "avx2", "avx512"};
  aiorch_error error;
  for (int level = AIO__CPU_PLAIN; level <= AIO__CPU_AVX512; level++) {
    aio__cpu cpu = AIO__CPU_PLAIN;
    aio__error_init(&error);
    assert_string_equal(aio__cpu_name((aio__cpu)level), names[level]);
    aiorch_status status = aio__cpu_from_setting(names[level], &cpu, &error);
    if (level <= (int)aio__cpu_best()) {
      assert_int_equal(status, AIORCH_OK);
      assert_int_equal(cpu, level);
    } else {
      assert_int_equal(status, AIORCH_E_UNSUPPORTED);
      assert_non_null(strstr(aiorch_error_message(&error), names[level]));
      assert_non_null(strstr(aiorch_error_message(&error), aio__cpu_name(aio__cpu_best())));
    }
  }
}

static void test_from_setting__an_unknown_word_names_those_there_are(void **state) {
  (void)state;
  aiorch_error error;
  aio__error_init(&error);
  aio__cpu cpu = AIO__CPU_AVX2;
  assert_int_equal(aio__cpu_from_setting("sse9", &cpu, &error), AIORCH_E_UNSUPPORTED);
  assert_non_null(strstr(aiorch_error_message(&error), "sse9"));
  assert_non_null(strstr(aiorch_error_message(&error), "avx512"));
  assert_int_equal(cpu, AIO__CPU_AVX2);
  assert_string_equal(aio__cpu_name((aio__cpu)77), "unknown");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_best__is_a_level_with_a_name_and_stays_the_same),
    cmocka_unit_test(test_from_setting__auto_is_the_best),
    cmocka_unit_test(test_from_setting__what_the_machine_has_and_what_it_lacks),
    cmocka_unit_test(test_from_setting__an_unknown_word_names_those_there_are),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
