/* examples/server/rate_headers.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rate_headers.h"

static void check_duration(int64_t ms, const char *expected) {
  char out[48];
  rate_duration(ms, out);
  assert_string_equal(out, expected);
}

static void test_rate_duration__as_openai_writes_it(void **state) {
  (void)state;
  check_duration(0, "0ms");
  check_duration(20, "20ms");
  check_duration(999, "999ms");
  check_duration(1000, "1s");
  check_duration(7500, "7.5s");
  check_duration(7250, "7.25s");
  check_duration(7003, "7.003s");
  check_duration(60000, "1m0s");
  check_duration(90001, "1m31s");
  check_duration(3600000, "1h0m0s");
  check_duration(3665000, "1h1m5s");
}

static bool has_line(const http_headers *headers, const char *name, const char *value) {
  const char *at = headers->lines.data, *end = at ? at + headers->lines.len : NULL;
  while (at < end) {
    const char *found = at + strlen(at) + 1;
    if (strcmp(at, name) == 0) return strcmp(found, value) == 0;
    at = found + strlen(found) + 1;
  }
  return false;
}

static void test_rate_headers__limit_and_none(void **state) {
  http_headers out = {0};
  rate_left left = {20, 19, 180000}, none = {0};
  (void)state;
  rate_headers(&out, &none);
  assert_int_equal(out.lines.len, 0);
  rate_headers(&out, &left);
  assert_true(has_line(&out, "x-ratelimit-limit-requests", "20"));
  assert_true(has_line(&out, "x-ratelimit-remaining-requests", "19"));
  assert_true(has_line(&out, "x-ratelimit-reset-requests", "3m0s"));
  headers_free(&out);
}

static void test_retry_headers__rounded_up(void **state) {
  const struct {
    int64_t ms;
    const char *seconds;
  } cases[] = {{0, "1"}, {1, "1"}, {1000, "1"}, {1001, "2"}, {59999, "60"}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    http_headers out = {0};
    retry_headers(&out, cases[i].ms);
    assert_true(has_line(&out, "Retry-After", cases[i].seconds));
    headers_free(&out);
  }
  http_headers out = {0};
  retry_headers(&out, -1);
  assert_int_equal(out.lines.len, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rate_duration__as_openai_writes_it),
      cmocka_unit_test(test_rate_headers__limit_and_none),
      cmocka_unit_test(test_retry_headers__rounded_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
