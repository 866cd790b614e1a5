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

/* NULL: there is no such line. */
static void expect_line(const http_headers *headers, const char *name, const char *value) {
  const char *at = headers->lines.data, *end = at ? at + headers->lines.len : NULL;
  while (at < end && strcmp(at, name) != 0) {
    at += strlen(at) + 1;
    at += strlen(at) + 1;
  }
  assert_int_equal(at < end, value != NULL);
  if (value) assert_string_equal(at + strlen(at) + 1, value);
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

static void test_retry_headers__when_and_whether(void **state) {
  const struct {
    int status;
    int64_t ms;
    const char *seconds, *exactly, *again; /* NULL: is not there */
  } cases[] = {{429, 0, "1", "1", "true"},        {429, 1, "1", "1", "true"},           {429, 1000, "1", "1000", "true"},
               {503, 1001, "2", "1001", "true"},  {429, 60000, "60", "60000", "true"},  {429, 60001, "61", "60001", "false"},
               {429, -1, NULL, NULL, "false"},    {503, -1, NULL, NULL, "true"},        {502, -1, NULL, NULL, "false"},
               {409, -1, NULL, NULL, "false"},    {504, -1, NULL, NULL, NULL},          {500, -1, NULL, NULL, NULL},
               {400, -1, NULL, NULL, NULL}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    http_headers out = {0};
    http_problem why = {.status = cases[i].status, .retry_after_ms = cases[i].ms};
    retry_headers(&out, &why);
    expect_line(&out, "Retry-After", cases[i].seconds);
    expect_line(&out, "retry-after-ms", cases[i].exactly);
    expect_line(&out, "x-should-retry", cases[i].again);
    headers_free(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rate_duration__as_openai_writes_it),
      cmocka_unit_test(test_rate_headers__limit_and_none),
      cmocka_unit_test(test_retry_headers__when_and_whether),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
