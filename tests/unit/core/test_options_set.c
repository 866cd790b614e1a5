/* lib/core/options_set.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include <aiorch/error.h>

#include "core/options.h"
#include "support/test_alloc.h"

typedef struct fixture {
  aio__options o;
  aiorch_error error;
} fixture;

static int set_up(void **state) {
  fixture *f = malloc(sizeof *f);
  assert_non_null(f);
  aio__error_init(&f->error);
  assert_int_equal(aio__options_init(&f->o, aio__alloc_default()), AIORCH_OK);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  aio__options_free(&f->o);
  free(f);
  return 0;
}

static void expect_words(const fixture *f, const char *words) {
  if (strstr(aiorch_error_message(&f->error), words) == NULL) {
    fail_msg("\"%s\" is not in \"%s\"", words, aiorch_error_message(&f->error));
  }
}

static void test_set_i64__range_ends_are_in_and_beyond_is_out(void **state) {
  fixture *f = *state;
  assert_int_equal(aio__options_set_i64(&f->o, AIO__LIT("deadline_ms"), 1, false, &f->error), AIORCH_OK);
  assert_int_equal(f->o.deadline_ms, 1);
  assert_int_equal(aio__options_set_i64(&f->o, AIO__LIT("deadline_ms"), 86400000, false, &f->error), AIORCH_OK);
  assert_int_equal(aio__options_set_i64(&f->o, AIO__LIT("deadline_ms"), 0, false, &f->error), AIORCH_E_CONFIG_RANGE);
  expect_words(f, "\"deadline_ms\" takes 1 to 86400000, not 0");
  assert_int_equal(aio__options_set_i64(&f->o, AIO__LIT("deadline_ms"), 86400001, false, &f->error),
                   AIORCH_E_CONFIG_RANGE);
  assert_int_equal(aio__options_set_i64(&f->o, AIO__LIT("deadline_ms"), INT64_MIN, false, NULL), AIORCH_E_CONFIG_RANGE);
  assert_int_equal(f->o.deadline_ms, 86400000);
}

static void test_set_f64__range_ends_are_in_and_beyond_is_out(void **state) {
  fixture *f = *state;
  aio__str key = AIO__LIT("retrieve.threshold");
  assert_int_equal(aio__options_set_f64(&f->o, key, -1.0, false, &f->error), AIORCH_OK);
  assert_int_equal(aio__options_set_f64(&f->o, key, 1.0, false, &f->error), AIORCH_OK);
  assert_int_equal(aio__options_set_f64(&f->o, key, nextafter(1.0, 2.0), false, &f->error), AIORCH_E_CONFIG_RANGE);
  expect_words(f, "\"retrieve.threshold\" takes -1 to 1, not 1.0000000000000002");
  assert_int_equal(aio__options_set_f64(&f->o, key, nextafter(-1.0, -2.0), false, &f->error), AIORCH_E_CONFIG_RANGE);
  assert_int_equal(aio__options_set_f64(&f->o, key, (double)NAN, false, &f->error), AIORCH_E_CONFIG_RANGE);
  expect_words(f, "not NaN");
  assert_int_equal(aio__options_set_f64(&f->o, key, (double)INFINITY, false, &f->error), AIORCH_E_CONFIG_RANGE);
  expect_words(f, "not an infinity");
  assert_true(f->o.retrieve_threshold > 0.999);
}

static void test_setters__refuse_another_type(void **state) {
  fixture *f = *state;
  assert_int_equal(aio__options_set_str(&f->o, AIO__LIT("deadline_ms"), AIO__LIT("5"), false, &f->error),
                   AIORCH_E_CONFIG_TYPE);
  expect_words(f, "\"deadline_ms\" takes a whole number, not a text");
  assert_int_equal(aio__options_set_i64(&f->o, AIO__LIT("anonymous"), 1, false, &f->error), AIORCH_E_CONFIG_TYPE);
  expect_words(f, "takes true or false, not a whole number");
  assert_int_equal(aio__options_set_f64(&f->o, AIO__LIT("store"), 1.0, false, &f->error), AIORCH_E_CONFIG_TYPE);
  assert_int_equal(aio__options_set_bool(&f->o, AIO__LIT("retrieve.threshold"), true, false, &f->error),
                   AIORCH_E_CONFIG_TYPE);
  expect_words(f, "takes a number, not true or false");
}

static void test_set_bool__sets_and_clears(void **state) {
  fixture *f = *state;
  assert_int_equal(aio__options_set_bool(&f->o, AIO__LIT("anonymous"), true, false, &f->error), AIORCH_OK);
  assert_int_equal(f->o.anonymous, 1);
  assert_int_equal(aio__options_set_bool(&f->o, AIO__LIT("anonymous"), false, false, &f->error), AIORCH_OK);
  assert_int_equal(f->o.anonymous, 0);
}

static void test_set_str__one_of_the_values(void **state) {
  fixture *f = *state;
  const char *good[] = {"on", "off", "read", "write", "refresh"};
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(aio__options_set_str(&f->o, AIO__LIT("cache.mode"), aio__str_z(good[i]), false, NULL), AIORCH_OK);
    assert_string_equal(f->o.cache_mode, good[i]);
  }
  const char *bad[] = {"", "o", "onn", "ON", "on|off", "fresh", " on"};
  for (size_t i = 0; i < 7; i++) {
    assert_int_equal(aio__options_set_str(&f->o, AIO__LIT("cache.mode"), aio__str_z(bad[i]), false, &f->error),
                     AIORCH_E_CONFIG_RANGE);
    expect_words(f, "\"cache.mode\" takes one of on|off|read|write|refresh, not \"");
  }
  assert_string_equal(f->o.cache_mode, "refresh");
}

static void test_set_str__length_utf8_and_nul(void **state) {
  fixture *f = *state;
  char *big = malloc(AIO__OPTION_TEXT_MAX + 1);
  assert_non_null(big);
  memset(big, 'a', AIO__OPTION_TEXT_MAX + 1);
  aio__str key = AIO__LIT("prompt.system");
  assert_int_equal(aio__options_set_str(&f->o, key, aio__str_n(big, AIO__OPTION_TEXT_MAX + 1), false, &f->error),
                   AIORCH_E_CONFIG_RANGE);
  expect_words(f, "1048577 bytes; at most 1048576");
  assert_int_equal(aio__options_set_str(&f->o, key, aio__str_n(big, AIO__OPTION_TEXT_MAX), false, NULL), AIORCH_OK);
  assert_int_equal(strlen(f->o.prompt_system), AIO__OPTION_TEXT_MAX);
  assert_int_equal(aio__options_set_str(&f->o, key, AIO__LIT("ab\xff"), false, &f->error), AIORCH_E_INVALID);
  expect_words(f, "\"prompt.system\" is not UTF-8 at byte 2");
  assert_int_equal(aio__options_set_str(&f->o, key, AIO__LIT("a\0b"), false, &f->error), AIORCH_E_INVALID);
  expect_words(f, "a NUL at byte 1");
  assert_int_equal(strlen(f->o.prompt_system), AIO__OPTION_TEXT_MAX);
  assert_int_equal(aio__options_set_str(&f->o, key, aio__str_n(NULL, 0), false, NULL), AIORCH_OK);
  assert_string_equal(f->o.prompt_system, "");
  free(big);
}

static void test_set_str__variables_are_expanded_but_not_for_a_run(void **state) {
  fixture *f = *state;
  assert_int_equal(setenv("AIO_TEST_VALUE", "from env", 1), 0);
  assert_int_equal(aio__options_set_str(&f->o, AIO__LIT("prompt.system"), AIO__LIT("<${AIO_TEST_VALUE}>"), false, NULL),
                   AIORCH_OK);
  assert_string_equal(f->o.prompt_system, "<from env>");
  assert_int_equal(aio__options_set_str(&f->o, AIO__LIT("prompt.system"), AIO__LIT("<${AIO_TEST_VALUE}>"), true, NULL),
                   AIORCH_OK);
  assert_string_equal(f->o.prompt_system, "<${AIO_TEST_VALUE}>");
  assert_int_equal(aio__options_set_text(&f->o, AIO__LIT("store"), AIO__LIT("${AIO_TEST_VALUE}"), false, NULL),
                   AIORCH_OK);
  assert_string_equal(f->o.store, "from env");
  assert_int_equal(aio__options_set_plain(&f->o, AIO__LIT("store"), AIO__LIT("${AIO_TEST_VALUE}"), NULL), AIORCH_OK);
  assert_string_equal(f->o.store, "${AIO_TEST_VALUE}");
}

static void test_set_str__the_value_of_a_variable_is_not_in_the_message(void **state) {
  fixture *f = *state;
  assert_int_equal(setenv("AIO_TEST_VALUE", "s3cret", 1), 0);
  assert_int_equal(aio__options_set_str(&f->o, AIO__LIT("cache.mode"), AIO__LIT("${AIO_TEST_VALUE}"), false, &f->error),
                   AIORCH_E_CONFIG_RANGE);
  expect_words(f, "not \"${AIO_TEST_VALUE}\"");
  assert_null(strstr(aiorch_error_message(&f->error), "s3cret"));
  assert_string_equal(f->o.cache_mode, "on");
}

static void test_set_text__every_type(void **state) {
  fixture *f = *state;
  assert_int_equal(aio__options_set_text(&f->o, AIO__LIT("deadline_ms"), AIO__LIT(" 60 "), true, NULL), AIORCH_OK);
  assert_int_equal(f->o.deadline_ms, 60);
  assert_int_equal(aio__options_set_text(&f->o, AIO__LIT("retrieve.threshold"), AIO__LIT("0.25"), true, NULL),
                   AIORCH_OK);
  assert_true(f->o.retrieve_threshold > 0.2499 && f->o.retrieve_threshold < 0.2501);
  assert_int_equal(aio__options_set_text(&f->o, AIO__LIT("retrieve.enabled"), AIO__LIT("false"), true, NULL),
                   AIORCH_OK);
  assert_int_equal(f->o.retrieve_enabled, 0);
  assert_int_equal(aio__options_set_text(&f->o, AIO__LIT("retrieve.enabled"), AIO__LIT("true"), true, NULL), AIORCH_OK);
  assert_int_equal(f->o.retrieve_enabled, 1);
  assert_int_equal(aio__options_set_text(&f->o, AIO__LIT("generate.model"), AIO__LIT(" m "), true, NULL), AIORCH_OK);
  assert_string_equal(f->o.generate_model, " m ");
}

static void test_set_text__wrong_forms(void **state) {
  fixture *f = *state;
  assert_int_equal(aio__options_set_text(&f->o, AIO__LIT("deadline_ms"), AIO__LIT("6O"), true, &f->error),
                   AIORCH_E_CONFIG_TYPE);
  expect_words(f, "\"deadline_ms\" takes a whole number, not \"6O\"");
  assert_int_equal(aio__options_set_text(&f->o, AIO__LIT("deadline_ms"), AIO__LIT("0"), true, &f->error),
                   AIORCH_E_CONFIG_RANGE);
  assert_int_equal(aio__options_set_text(&f->o, AIO__LIT("retrieve.threshold"), AIO__LIT("0,5"), true, NULL),
                   AIORCH_E_CONFIG_TYPE);
  assert_int_equal(aio__options_set_text(&f->o, AIO__LIT("retrieve.enabled"), AIO__LIT("1"), true, NULL),
                   AIORCH_E_CONFIG_TYPE);
  assert_int_equal(aio__options_set_text(&f->o, AIO__LIT("anonymous"), AIO__LIT("true"), true, NULL),
                   AIORCH_E_CONFIG_KEY);
  assert_int_equal(aio__options_set_text(&f->o, AIO__LIT("nope"), AIO__LIT("x"), false, NULL), AIORCH_E_CONFIG_KEY);
  assert_int_equal(aio__options_set_plain(&f->o, AIO__LIT("nope"), AIO__LIT("x"), NULL), AIORCH_E_CONFIG_KEY);
  assert_int_equal(aio__options_set_plain(&f->o, AIO__LIT("deadline_ms"), AIO__LIT(""), NULL), AIORCH_E_CONFIG_TYPE);
}

static void test_set__out_of_memory_changes_nothing(void **state) {
  (void)state;
  aio__test_alloc t;
  aiorch_error error;
  aio__options o;
  aio__test_alloc_init(&t);
  aio__error_init(&error);
  assert_int_equal(setenv("AIO_TEST_VALUE", "v", 1), 0);
  assert_int_equal(aio__options_init(&o, &t.al), AIORCH_OK);
  long failures = 0;
  aiorch_status status;
  do {
    aio__test_alloc_next(&t);
    status = aio__options_set_str(&o, AIO__LIT("store"), AIO__LIT("x${AIO_TEST_VALUE}"), false, &error);
    assert_string_equal(o.store, t.failed > 0 ? "" : "xv");
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    failures += t.failed;
  } while (t.failed > 0);
  assert_true(failures >= 2);
  aio__test_alloc_init(&t);
  aio__test_alloc_next(&t);
  o.al = &t.al;
  assert_int_equal(aio__options_set_f64(&o, AIO__LIT("retrieve.threshold"), 5.0, false, &error), AIORCH_E_NOMEM);
  t.fail_at = 0;
  aio__options_free(&o);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      CASE(test_set_i64__range_ends_are_in_and_beyond_is_out),
      CASE(test_set_f64__range_ends_are_in_and_beyond_is_out),
      CASE(test_setters__refuse_another_type),
      CASE(test_set_bool__sets_and_clears),
      CASE(test_set_str__one_of_the_values),
      CASE(test_set_str__length_utf8_and_nul),
      CASE(test_set_str__variables_are_expanded_but_not_for_a_run),
      CASE(test_set_str__the_value_of_a_variable_is_not_in_the_message),
      CASE(test_set_text__every_type),
      CASE(test_set_text__wrong_forms),
      cmocka_unit_test(test_set__out_of_memory_changes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
