/* lib/net/retry_after.c: seconds, milliseconds, dates and durations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/retry_after.h"

static int64_t parse(const char *retry_after, const char *ms) {
  return aio__retry_after_ms(aio__str_z(retry_after), aio__str_z(ms), INT64_C(784111777000)); /* 1994-11-06 08:49:37 */
}

static void test_retry_after__seconds_dates_and_milliseconds(void **state) {
  (void)state;
  assert_int_equal(parse("7", ""), 7000);
  assert_int_equal(parse(" 7 ", ""), 7000);
  assert_int_equal(parse("0.25", ""), 250);
  assert_int_equal(parse("1.5555", ""), 1555);
  assert_int_equal(parse("0", ""), 0);
  assert_int_equal(parse("86400", ""), 86400000);
  assert_int_equal(parse("86401", ""), -1);
  assert_int_equal(parse("99999999999999999999", ""), -1);
  assert_int_equal(parse("-1", ""), -1);
  assert_int_equal(parse(".5", ""), -1);
  assert_int_equal(parse("1.2.3", ""), -1);
  assert_int_equal(parse("soon", ""), -1);
  assert_int_equal(parse("", ""), -1);
  assert_int_equal(parse("7", "1500"), 1500);
  assert_int_equal(parse("7", "1500.75"), 1500);
  assert_int_equal(parse("7", "nonsense"), 7000);
  assert_int_equal(parse("Sun, 06 Nov 1994 08:50:07 GMT", ""), 30000);
  assert_int_equal(parse("Sun, 06 Nov 1994 08:49:37 GMT", ""), 0);
  assert_int_equal(parse("Sun, 06 Nov 1994 08:49:36 GMT", ""), -1); /* it has passed */
  assert_int_equal(parse("Mon, 07 Nov 1994 08:49:37 GMT", ""), 86400000);
  assert_int_equal(parse("Sun, 06 Xyz 1994 08:50:07 GMT", ""), -1);
  assert_int_equal(parse("Sun, 06 Nov 1994 25:50:07 GMT", ""), -1);
  assert_int_equal(parse("Sun, 06 Nov 1994 08:50:07 CET", ""), -1);
  assert_int_equal(aio__retry_after_ms(aio__str_z("Tue, 29 Feb 2028 00:00:01 GMT"), AIO__LIT(""), INT64_C(1835395200000)), 1000);
}

static int64_t duration(const char *text) {
  return aio__retry_duration_ms(aio__str_z(text));
}

static void test_retry_duration__as_protobuf_writes_it(void **state) {
  (void)state;
  assert_int_equal(duration("34s"), 34000);
  assert_int_equal(duration("34.074824224s"), 34074);
  assert_int_equal(duration("0s"), 0);
  assert_int_equal(duration("86401s"), -1);
  assert_int_equal(duration("34"), -1);
  assert_int_equal(duration("s"), -1);
  assert_int_equal(duration("-1s"), -1);
  assert_int_equal(duration("1m"), -1);
  assert_int_equal(duration(""), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_retry_after__seconds_dates_and_milliseconds),
    cmocka_unit_test(test_retry_duration__as_protobuf_writes_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
