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

static int64_t at(const char *date, int64_t now_ms) {
  return aio__retry_after_ms(aio__str_z(date), AIO__LIT(""), now_ms);
}

static void test_retry_after__milliseconds_that_say_nothing_leave_it_to_the_other(void **state) {
  (void)state;
  assert_int_equal(parse("9", "0"), 0);
  assert_int_equal(parse("9", "86400000"), 86400000);
  assert_int_equal(parse("9", "86400001"), 9000);
  assert_int_equal(parse("", "86400001"), -1);
  assert_int_equal(parse("9", ""), 9000);
  assert_int_equal(parse("9/", ""), -1);
  assert_int_equal(parse("9:", ""), -1);
  assert_int_equal(parse("0.9", ""), 900);
  assert_int_equal(parse("5.", ""), 5000);
}

/* The seconds are those of `date -u -d DATE +%s`. */
static void test_retry_after__every_month_and_the_odd_years(void **state) {
  (void)state;
  static const struct {
    const char *date;
    int64_t seconds;
  } rows[] = {
    {"Thu, 01 Jan 1970 00:00:10 GMT", 10},          {"Wed, 31 Jan 2024 23:59:59 GMT", 1706745599},
    {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},  {"Fri, 01 Mar 2024 00:00:00 GMT", 1709251200},
    {"Tue, 30 Apr 2024 01:02:03 GMT", 1714438923},  {"Fri, 31 May 2024 20:10:59 GMT", 1717186259},
    {"Sun, 30 Jun 2024 00:59:00 GMT", 1719709140},  {"Mon, 01 Jul 2024 09:00:00 GMT", 1719824400},
    {"Sat, 31 Aug 2024 10:20:30 GMT", 1725099630},  {"Mon, 30 Sep 2024 11:11:11 GMT", 1727694671},
    {"Thu, 31 Oct 2024 19:29:39 GMT", 1730402979},  {"Fri, 29 Nov 2024 08:49:37 GMT", 1732870177},
    {"Tue, 31 Dec 2024 23:59:59 GMT", 1735689599},  {"Sat, 01 Jan 2000 00:00:00 GMT", 946684800},
    {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},   {"Wed, 01 Mar 2000 00:00:00 GMT", 951868800},
    {"Sun, 28 Feb 2100 00:00:00 GMT", 4107456000},  {"Mon, 01 Mar 2100 00:00:00 GMT", 4107542400},
    {"Fri, 31 Dec 2399 00:00:00 GMT", 13569379200}, {"Tue, 29 Feb 2400 00:00:00 GMT", 13574563200},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(at(rows[i].date, rows[i].seconds * 1000 - 4321), 4321);
    assert_int_equal(at(rows[i].date, rows[i].seconds * 1000), 0);
  }
  assert_int_equal(at("Thu, 01 Jan 1970 00:00:00 GMT", -1000), 1000);
  assert_int_equal(at("Tue, 31 Dec 2024 23:59:60 GMT", INT64_C(1735689599000)), 1000); /* a leap second */
}

/* Each is one step from a date that would be read: one at or after 00:00:00 of its day, which is not long ago. */
static void test_retry_after__what_is_no_date(void **state) {
  (void)state;
  static const char *const rows[] = {
    "Sun; 06 Nov 1994 08:50:07 GMT",  "Sun, 06 Nov 1994 08-50:07 GMT", "Sun, 06 Nov 1994 08:50-07 GMT",
    "Sun, 06 Nov 1994 08:50:07 GMT+1", "Sun, 06 Nov 1994 08:50:07 gmt", "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:60:00 GMT",  "Sun, 06 Nov 1994 08:50:61 GMT", "Sun, 06 Nov 1994 /9:50:07 GMT",
    "Sun, 06 Nov 1994 0::50:07 GMT",  "Sun, 06 Nov 1994 09:/0:07 GMT", "Sun, 06 Nov 1994 09:0::07 GMT",
    "Sun, 06 Nov 1994 09:00:/7 GMT",  "Sun, 06 Nov 1994 09:00:x0 GMT", "Sun, 0: Nov 1994 08:50:07 GMT",
    "Sun, 0x Nov 1994 08:50:07 GMT",  "Sun, 06 Nov 199: 08:50:07 GMT", "Sun, 06 nov 1994 08:50:07 GMT",
    "Sunday, 06-Nov-94 08:50:07 GMT", "Sun Nov  6 08:50:07 1994",
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(parse(rows[i], ""), -1);
    assert_int_equal(at(rows[i], 0), -1); /* nor is it a time of the first second of all */
  }
  /* Day 0 and day 32 would be the last of one month and the first of the next; a month that is none, any of them. */
  assert_int_equal(at("Mon, 00 Nov 1994 00:00:10 GMT", INT64_C(783561600000)), -1);
  assert_int_equal(at("Fri, 32 Dec 1993 00:00:10 GMT", INT64_C(757382400000)), -1);
  assert_int_equal(at("Thu, 06 Xyz 1994 00:00:10 GMT", INT64_C(757814400000)), -1); /* now: 6 January */
  assert_int_equal(at("Wed, 06 Xyz 1993 00:00:10 GMT", INT64_C(723600000000)), -1); /* now: 6 December, the month before */
  assert_int_equal(at("Wed, 31 Dec 1969 23:59:59 GMT", -2000), -1);
  assert_int_equal(at("Sat, xx Jan 1994 00:00:10 GMT", INT64_C(757209600000)), -1); /* now: 30 December */
  assert_int_equal(at("Sat, xx Jan 1994 00:00:10 GMT", INT64_C(757382400000)), -1); /* now: 1 January */
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
    cmocka_unit_test(test_retry_after__milliseconds_that_say_nothing_leave_it_to_the_other),
    cmocka_unit_test(test_retry_after__every_month_and_the_odd_years),
    cmocka_unit_test(test_retry_after__what_is_no_date),
    cmocka_unit_test(test_retry_duration__as_protobuf_writes_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
