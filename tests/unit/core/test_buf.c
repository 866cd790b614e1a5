/* lib/core/buf.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <aiorch/error.h>

#include "core/buf.h"
#include "support/test_alloc.h"

static void test_add__grows_and_ends_with_nul(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__buf buf;
  aio__buf_init(&buf, &t.al, 100000);
  assert_string_equal(aio__buf_cstr(&buf), "");
  for (int i = 0; i < 10000; i++) {
    assert_int_equal(aio__buf_char(&buf, (char)('a' + i % 26)), AIORCH_OK);
    assert_int_equal(buf.p[buf.n], 0);
  }
  assert_int_equal(buf.n, 10000);
  for (size_t i = 0; i < buf.n; i++) assert_int_equal(buf.p[i], 'a' + (int)(i % 26));
  assert_true(t.count < 20);
  aio__buf_free(&buf);
  assert_int_equal(t.live, 0);
}

static void test_add__up_to_the_limit_and_not_beyond(void **state) {
  (void)state;
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), 10);
  assert_int_equal(aio__buf_z(&buf, "0123456789"), AIORCH_OK);
  assert_int_equal(aio__buf_add(&buf, "", 0), AIORCH_OK);
  assert_int_equal(aio__buf_char(&buf, 'x'), AIORCH_E_TOO_LARGE);
  assert_int_equal(buf.n, 0);
  assert_string_equal(aio__buf_cstr(&buf), "");
  assert_int_equal(aio__buf_z(&buf, "a"), AIORCH_E_TOO_LARGE);
  assert_null(aio__buf_take(&buf, NULL));
  aio__buf_reset(&buf);
  assert_int_equal(aio__buf_z(&buf, "a"), AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&buf), "a");
  aio__buf_free(&buf);
}

static void test_reserve__size_that_overflows_is_too_large(void **state) {
  (void)state;
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), SIZE_MAX);
  assert_int_equal(aio__buf_z(&buf, "abc"), AIORCH_OK);
  assert_int_equal(aio__buf_reserve(&buf, SIZE_MAX - 1), AIORCH_E_TOO_LARGE);
  aio__buf_free(&buf);
}

static void test_add__out_of_memory_stays_failed(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  t.fail_at = 2;
  aio__buf buf;
  aio__buf_init(&buf, &t.al, 1000);
  assert_int_equal(aio__buf_z(&buf, "abc"), AIORCH_OK);
  assert_int_equal(aio__buf_add(&buf, (char[200]){0}, 200), AIORCH_E_NOMEM);
  assert_int_equal(aio__buf_z(&buf, "abc"), AIORCH_E_NOMEM);
  assert_int_equal(aio__buf_view(&buf).n, 0);
  aio__buf_free(&buf);
  assert_int_equal(t.live, 0);
}

static void test_take__hands_over_and_starts_again(void **state) {
  (void)state;
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), 100);
  assert_null(aio__buf_take(&buf, NULL));
  aio__buf_z(&buf, "abc");
  size_t len = 0;
  char *text = aio__buf_take(&buf, &len);
  assert_string_equal(text, "abc");
  assert_int_equal(len, 3);
  assert_int_equal(buf.n, 0);
  aio__buf_z(&buf, "de");
  assert_string_equal(aio__buf_cstr(&buf), "de");
  aio__free(aio__alloc_default(), text);
  aio__buf_free(&buf);
}

static void test_integers__extremes(void **state) {
  (void)state;
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), 200);
  aio__buf_i64(&buf, INT64_MIN);
  aio__buf_char(&buf, ' ');
  aio__buf_i64(&buf, INT64_MAX);
  aio__buf_char(&buf, ' ');
  aio__buf_i64(&buf, 0);
  aio__buf_char(&buf, ' ');
  aio__buf_i64(&buf, -7);
  aio__buf_char(&buf, ' ');
  aio__buf_u64(&buf, UINT64_MAX);
  assert_string_equal(aio__buf_cstr(&buf), "-9223372036854775808 9223372036854775807 0 -7 18446744073709551615");
  aio__buf_free(&buf);
}

static void assert_number(double value, const char *want) {
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), 64);
  assert_int_equal(aio__buf_f64(&buf, value), AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&buf), want);
  aio__buf_free(&buf);
}

static void test_f64__is_short_and_exact(void **state) {
  (void)state;
  assert_number(0.1, "0.1");
  assert_number(1.0, "1");
  assert_number(-2.5, "-2.5");
  assert_number(1.0 / 3, "0.3333333333333333");
  assert_number(0.1 + 0.2, "0.30000000000000004");
  assert_number(1e300, "1e+300");
  assert_number(5e-324, "4.94065645841247e-324");
  assert_number(1.7976931348623157e308, "1.7976931348623157e+308");
  assert_number((double)NAN, "null");
  assert_number((double)INFINITY, "null");
  assert_number(-(double)INFINITY, "null");
}

static void test_f64__reads_back_as_the_same_value(void **state) {
  (void)state;
  uint64_t bits = UINT64_C(0x9E3779B97F4A7C15);
  for (int i = 0; i < 20000; i++) {
    bits = bits * UINT64_C(6364136223846793005) + 1442695040888963407u;
    double value, back;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) continue;
    aio__buf buf;
    aio__buf_init(&buf, aio__alloc_default(), 64);
    aio__buf_f64(&buf, value);
    back = strtod(aio__buf_cstr(&buf), NULL);
    assert_memory_equal(&back, &value, sizeof value);
    aio__buf_free(&buf);
  }
}

static void assert_shortest(double value) {
  char want[40];
  for (int digits = 15; digits <= 17; digits++) {
    double back;
    snprintf(want, sizeof want, "%.*g", digits, value);
    back = strtod(want, NULL);
    if (memcmp(&back, &value, sizeof value) == 0) break;
  }
  assert_number(value, want);
}

/* Those of the size of scores are written without the C library. */
static void test_f64__is_written_as_the_c_library_does(void **state) {
  (void)state;
  static const double edges[] = {0.001, 0.01, 0.1, 1, 0.0078125, 1.0 / 122, 10, 100, 1000, 0.5, 0.25, 2, 256, 99.5, 0.015, 0.3, 999.999, 1024.0 / 1000};
  uint64_t bits = UINT64_C(0x9E3779B97F4A7C15);
  for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
    double value = nextafter(nextafter(edges[i], 0), 0);
    for (int step = 0; step < 5; step++, value = nextafter(value, (double)INFINITY)) {
      assert_shortest(value);
      assert_shortest(-value);
    }
  }
  for (int i = 0; i < 50000; i++) {
    bits = bits * UINT64_C(6364136223846793005) + 1442695040888963407u;
    double share = (double)(bits >> 11) / 9007199254740992.0;
    double scaled = share * (i % 4 == 0 ? 1000 : i % 4 == 1 ? 10 : i % 4 == 2 ? 0.01 : 1), few = floor(scaled * 1000) / 1000;
    assert_shortest(scaled);
    assert_shortest(i % 2 ? few : -few);
  }
}

static void test_f64__in_a_locale_with_a_decimal_comma(void **state) {
  (void)state;
  static const char *const names[] = {"de_DE", "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "es_ES.UTF-8"};
  const char *found = NULL;
  for (size_t i = 0; found == NULL && i < sizeof names / sizeof names[0]; i++) found = setlocale(LC_NUMERIC, names[i]);
  if (found == NULL) skip();
  assert_string_equal(localeconv()->decimal_point, ",");
  assert_number(1234567.25, "1234567.25");
  assert_number(-1.5e-7, "-1.5e-07");
  setlocale(LC_NUMERIC, "C");
}

static void test_fmt__grows_to_fit(void **state) {
  (void)state;
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), 1000);
  assert_int_equal(aio__buf_fmt(&buf, "%s-%d", "abc", 42), AIORCH_OK);
  char text[301] = {0};
  memset(text, 'y', 300);
  assert_int_equal(aio__buf_fmt(&buf, "[%s]", text), AIORCH_OK);
  assert_int_equal(buf.n, 308);
  assert_memory_equal(buf.p, "abc-42[yyy", 10);
  assert_string_equal(buf.p + 305, "yy]");
  aio__buf_free(&buf);
}

static void test_fmt__at_the_limit(void **state) {
  (void)state;
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), 10);
  assert_int_equal(aio__buf_fmt(&buf, "%s", "0123456789"), AIORCH_OK);
  assert_int_equal(aio__buf_fmt(&buf, "%s", ""), AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&buf), "0123456789");
  aio__buf_reset(&buf);
  assert_int_equal(aio__buf_fmt(&buf, "%s", "0123456789a"), AIORCH_E_TOO_LARGE);
  assert_int_equal(aio__buf_fmt(&buf, "%s", "a"), AIORCH_E_TOO_LARGE);
  assert_int_equal(buf.n, 0);
  aio__buf_free(&buf);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_add__grows_and_ends_with_nul),
    cmocka_unit_test(test_add__up_to_the_limit_and_not_beyond),
    cmocka_unit_test(test_reserve__size_that_overflows_is_too_large),
    cmocka_unit_test(test_add__out_of_memory_stays_failed),
    cmocka_unit_test(test_take__hands_over_and_starts_again),
    cmocka_unit_test(test_integers__extremes),
    cmocka_unit_test(test_f64__is_short_and_exact),
    cmocka_unit_test(test_f64__reads_back_as_the_same_value),
    cmocka_unit_test(test_f64__is_written_as_the_c_library_does),
    cmocka_unit_test(test_f64__in_a_locale_with_a_decimal_comma),
    cmocka_unit_test(test_fmt__grows_to_fit),
    cmocka_unit_test(test_fmt__at_the_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
