/* lib/core/options_text.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <math.h>
#include <stdlib.h>

#include <aiorch/error.h>

#include "core/options_private.h"

static aiorch_status expand(const char *value, size_t max, char out[512], aiorch_error *error) {
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), max);
  aiorch_status status = aio__option_expand(aio__option_at(0), aio__str_z(value), &buf, error);
  strcpy(out, aio__buf_cstr(&buf));
  aio__buf_free(&buf);
  return status;
}

static void test_expand__replaces_names(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"${A1}", "one"},          {"x${A1}y", "xoney"},      {"${A1}${_b}", "onetwo"}, {"${EMPTY}", ""},
      {"$${A1}", "${A1}"},       {"a$${", "a${"},           {"$", "$"},               {"$$", "$$"},
      {"$5 {A1}", "$5 {A1}"},    {"$$${A1}", "$${A1}"},     {"${A1}$", "one$"},       {"no", "no"},
      {"${AZaz_09}", "edge"},
      {"$x${A1}", "$xone"},      {"${NESTED}", "${A1}"},    {"{${A1}}", "{one}"},     {"", ""},
  };
  assert_int_equal(setenv("A1", "one", 1) | setenv("_b", "two", 1) | setenv("EMPTY", "", 1), 0);
  assert_int_equal(setenv("AZaz_09", "edge", 1), 0);
  assert_int_equal(setenv("NESTED", "${A1}", 1), 0);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char out[512];
    assert_int_equal(expand(cases[i][0], 500, out, NULL), AIORCH_OK);
    assert_string_equal(out, cases[i][1]);
  }
}

static void test_expand__missing_and_malformed_names(void **state) {
  (void)state;
  static const char *const malformed[] = {"${", "${}", "${A", "${1A}", "${A B}", "x${A-B}", "${\xc3\xa9}", "${A1$}",
                                          "${@}", "${[}", "${`}", "${{}", "${A/}", "${A:}"};
  aiorch_error error;
  char out[512];
  aio__error_init(&error);
  unsetenv("AIO_NOT_THERE");
  assert_int_equal(expand("${AIO_NOT_THERE}", 500, out, &error), AIORCH_E_CONFIG_ENV);
  assert_non_null(strstr(aiorch_error_message(&error), "\"store\" names ${AIO_NOT_THERE}"));
  for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
    assert_int_equal(expand(malformed[i], 500, out, &error), AIORCH_E_CONFIG_ENV);
    assert_non_null(strstr(aiorch_error_message(&error), "without a name"));
  }
}

static void test_expand__names_up_to_255_bytes(void **state) {
  (void)state;
  char name[300], text[300], out[512];
  aiorch_error error;
  aio__error_init(&error);
  memset(name, 'N', 256);
  name[255] = '\0';
  assert_int_equal(setenv(name, "long", 1), 0);
  strcat(strcat(strcpy(text, "${"), name), "}");
  assert_int_equal(expand(text, 500, out, &error), AIORCH_OK);
  assert_string_equal(out, "long");
  strcat(strcpy(text, "${"), name);
  strcat(text, "N}");
  assert_int_equal(expand(text, 500, out, &error), AIORCH_E_CONFIG_ENV);
  assert_non_null(strstr(aiorch_error_message(&error), "without a name"));
}

static void test_expand__too_much_is_out_of_range(void **state) {
  (void)state;
  char out[512];
  aiorch_error error;
  aio__error_init(&error);
  assert_int_equal(setenv("A1", "one", 1), 0);
  assert_int_equal(expand("${A1}${A1}", 6, out, &error), AIORCH_OK);
  assert_int_equal(expand("${A1}${A1}", 5, out, &error), AIORCH_E_CONFIG_RANGE);
  assert_non_null(strstr(aiorch_error_message(&error), "more than 5 bytes"));
}

static void test_parse_i64__whole_range_and_no_more(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t value;
  } good[] = {{"0", 0}, {"-0", 0}, {"7", 7}, {"-1", -1}, {"10", 10}, {"9223372036854775807", INT64_MAX},
              {"-9223372036854775808", INT64_MIN}, {"-9223372036854775807", -INT64_MAX}};
  static const char *const bad[] = {"", "-", "+1", "01", "-01", "1.0", "1e3", " 1", "1 ", "0x1", "9223372036854775808",
                                    "-9223372036854775809", "92233720368547758070", "1a", "--1", "00"};
  int64_t value = 0;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_true(aio__parse_i64(aio__str_z(good[i].text), &value));
    assert_true(value == good[i].value);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(aio__parse_i64(aio__str_z(bad[i]), &value));
}

static void parse_numbers(void) {
  static const char *const good[] = {"0", "-0", "0.5", "-1.25", "1e3", "1E-2", "1.5e+2", "123456789.125", "1e308"};
  static const double values[] = {0, 0, 0.5, -1.25, 1000, 0.01, 150, 123456789.125, 1e308};
  static const char *const bad[] = {"", "-", ".5", "5.", "0,5", "1e", "1e+", "nan", "inf", "0x1p3", "1.2.3", "1e999",
                                    "+1", "01.5", " 1", "1 ", "1_0", "1.e3"};
  double value;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_true(aio__parse_f64(aio__str_z(good[i]), &value));
    assert_false(value < values[i] || value > values[i]);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(aio__parse_f64(aio__str_z(bad[i]), &value));
}

static void test_parse_f64__forms_of_json(void **state) {
  (void)state;
  parse_numbers();
}

static void test_parse_f64__is_the_same_in_another_locale(void **state) {
  (void)state;
  if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL && setlocale(LC_NUMERIC, "fr_FR.UTF-8") == NULL) skip();
  parse_numbers();
  setlocale(LC_NUMERIC, "C");
}

static void test_parse_f64__at_most_64_bytes(void **state) {
  (void)state;
  double value;
  char text[80] = "0.";
  memset(text + 2, '1', 63);
  assert_true(aio__parse_f64(aio__str_n(text, 64), &value));
  assert_false(aio__parse_f64(aio__str_n(text, 65), &value));
}

static void test_url_hide_password__wherever_it_stands(void **state) {
  (void)state;
  static const char *const urls[][2] = {
      {"postgresql://u:p@h:5432/d", "postgresql://u@h:5432/d"},
      {"postgresql://u:p@w:/@h/d", "postgresql://u@h/d"},
      {"postgresql://h/d?password=p&sslmode=x", "postgresql://h/d?password=&sslmode=x"},
      {"postgresql://u:p@h/d?sslpassword=a&password=b", "postgresql://u@h/d?sslpassword=&password="},
      {"postgresql://u@h:1/d", "postgresql://u@h:1/d"},
      {"postgres://[::1]:5432/d", "postgres://[::1]:5432/d"},
      {"/srv/u:p@x", "/srv/u:p@x"},
      {"postgresql://u:@h", "postgresql://u@h"},
      {"", ""},
  };
  for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
    char url[100];
    snprintf(url, sizeof url, "%s", urls[i][0]);
    aio__url_hide_password(url);
    assert_string_equal(url, urls[i][1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_expand__replaces_names),
      cmocka_unit_test(test_expand__missing_and_malformed_names),
      cmocka_unit_test(test_expand__names_up_to_255_bytes),
      cmocka_unit_test(test_expand__too_much_is_out_of_range),
      cmocka_unit_test(test_parse_i64__whole_range_and_no_more),
      cmocka_unit_test(test_parse_f64__forms_of_json),
      cmocka_unit_test(test_parse_f64__is_the_same_in_another_locale),
      cmocka_unit_test(test_parse_f64__at_most_64_bytes),
      cmocka_unit_test(test_url_hide_password__wherever_it_stands),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
