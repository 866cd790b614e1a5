/* lib/guard/hit_guard_numbers.c and hit_guard_dates.c: what a text counts and when */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/hit_lexicon.h"

static bool same(const aio__hit_fact *a, const aio__hit_fact *b) {
  return a->a == b->a && a->b == b->b;
}

/* Each has one number, and it is the same. */
static void test_numbers__one_value(void **state) {
  (void)state;
  static const char *const cases[][2] = {
    {"1000", "1,000"}, {"1000", "one thousand"}, {"1000", "a thousand"}, {"1000", "1k"}, {"1500", "1.5k"}, {"1500000", "1.5 million"}, {"2500000", "two and a half million"},
    {"105", "one hundred and five"}, {"105", "one hundred five"}, {"2005", "two thousand and five"}, {"1999", "nineteen ninety-nine"}, {"2024", "twenty twenty-four"},
    {"21", "twenty-first"}, {"1/2", "one half"}, {"0.5", "1/2"}, {"0.75", "three quarters"}, {"2/3", "two thirds"}, {"24", "two dozen"}, {"6", "half a dozen"}, {"500000", "half a million"},
    {"1000000000000", "a trillion"}, {"2.5", "two and a half"}, {"2", "twice"}, {"11000", "eleven thousand"}, {"0", "zero"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aio__hit_text a = hit_lexicon_read(cases[i][0]), b = hit_lexicon_read(cases[i][1]);
    if (a.numbers.n != 1 || b.numbers.n != 1 || !same(&a.numbers.fact[0], &b.numbers.fact[0])) {
      fail_msg("%s (%zu) / %s (%zu)", cases[i][0], a.numbers.n, cases[i][1], b.numbers.n);
    }
  }
}

static void test_numbers__how_many(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t n;
  } cases[] = {
    {"", 0}, {"no numbers here", 0}, {"one two three", 3}, {"one, two", 2}, {"twenty thirty", 1}, {"5 10", 2}, {"at 5 pm", 0}, {"at 12:30", 0}, {"the 1990s", 0}, {"2024-05-03", 2}, {"May 3, 2024", 2},
    {"1. Boil 2 eggs. 2. Eat.", 1}, {"192.168.0.1", 0}, {"a day", 1}, {"a $5 day", 1}, {"2/20", 1}, {"hundreds of people", 0}, {"three million and five", 1}, {"one hundred. five", 2},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t n = hit_lexicon_read(cases[i].text).numbers.n;
    if (n != cases[i].n) fail_msg("\"%s\": %zu", cases[i].text, n);
  }
}

static void test_numbers__different_values(void **state) {
  (void)state;
  static const char *const cases[][2] = {{"3.1", "3.10"}, {"007", "7"}, {"-5", "5"}, {"2/20", "1/10"}, {"1/3", "0.33"}, {"10", "100"}, {"1e3", "1000"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aio__hit_text a = hit_lexicon_read(cases[i][0]), b = hit_lexicon_read(cases[i][1]);
    bool equal = a.numbers.n == 1 && b.numbers.n == 1 && same(&a.numbers.fact[0], &b.numbers.fact[0]);
    if (equal) fail_msg("%s is %s", cases[i][0], cases[i][1]);
  }
}

static void test_numbers__what_overflows_stays_bounded(void **state) {
  (void)state;
  static const char *const cases[] = {
    "999999999999999999 trillion trillion", "one trillion trillion trillion trillion trillion trillion", "nine hundred hundred hundred hundred hundred hundred hundred",
    "999999999999999999 and a half", "999999999999999999 1/2", "99999999999999999999/99999999999999999999", "0/0", "1/0", "00000000000000000000001", "12.000000000000000001 million",
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) assert_true(hit_lexicon_read(cases[i]).numbers.n <= 3);
}

static void test_numbers__units(void **state) {
  (void)state;
  static const struct {
    const char *text, *unit; /* NULL: none */
  } cases[] = {
    {"5 km", "km"}, {"5km", "km"}, {"5-km", "km"}, {"$5", "$"}, {"USD 5", "$"}, {"5 US dollars", "$"}, {"5 m", "m"}, {"6 in", "in"}, {"6 in stock", NULL}, {"5 a", NULL}, {"5, km", NULL},
    {"5 degrees celsius", "celsius"}, {"12 m^2", "m^2"}, {"5 percent", "%"}, {"5 rooms", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aio__hit_text text = hit_lexicon_read(cases[i].text);
    const aio__hit_entry *e = cases[i].unit != NULL ? aio__hit_lexicon_find_written(hit_lexicon(), aio__str_z(cases[i].unit)) : NULL;
    assert_int_equal(text.numbers.n, 1);
    if (text.numbers.fact[0].unit != (e != NULL ? e->unit : 0)) fail_msg("\"%s\": %d", cases[i].text, (int)text.numbers.fact[0].unit);
  }
}

static void test_dates__how_many(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t n;
  } cases[] = {
    {"may I", 0}, {"in may", 1}, {"may 3", 1}, {"3 may", 1}, {"they march on", 0}, {"in march", 1}, {"in the sun", 0}, {"on sun", 1}, {"see May there", 1}, {"Monday", 1},
    {"last week", 1}, {"last one", 0}, {"next Monday", 2}, {"this Monday", 1}, {"today", 1}, {"day after tomorrow", 1}, {"noon", 1}, {"12 noon", 1}, {"25 pm", 0}, {"5.5 pm", 0}, {"five pm", 1}, {"12:75", 0},
    {"1990s", 1}, {"2024-05-03", 1}, {"03/04/2024", 1}, {"the 50s", 1}, {"i am 5 am i", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t n = hit_lexicon_read(cases[i].text).dates.n;
    if (n != cases[i].n) fail_msg("\"%s\": %zu", cases[i].text, n);
  }
}

static void test_date_parts(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool ok;
    unsigned year, month, day;
  } cases[] = {
    {"2024-05-03", true, 2024, 5, 3}, {"3/25/2024", true, 2024, 3, 25}, {"25/3/2024", true, 2024, 3, 25}, {"3.5.2024", true, 2024, 5, 3}, {"3/25/24", true, 2024, 3, 25}, {"5/5/2024", true, 2024, 5, 5},
    {"3/4/2024", true, 2024, 0, 3 * 32 + 4}, {"2024-13-01", false, 0, 0, 0}, {"2024-00-01", false, 0, 0, 0}, {"2024-05-32", false, 0, 0, 0}, {"31.13.2024", false, 0, 0, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    unsigned year = 0, month = 0, day = 0;
    bool ok = aio__hit_date_parts(aio__str_z(cases[i].text), &year, &month, &day);
    if (ok != cases[i].ok) fail_msg("%s", cases[i].text);
    if (ok && (year != cases[i].year || month != cases[i].month || day != cases[i].day)) fail_msg("%s: %u %u %u", cases[i].text, year, month, day);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_numbers__one_value),        cmocka_unit_test(test_numbers__how_many),
    cmocka_unit_test(test_numbers__different_values), cmocka_unit_test(test_numbers__what_overflows_stays_bounded),
    cmocka_unit_test(test_numbers__units),            cmocka_unit_test(test_dates__how_many),
    cmocka_unit_test(test_date_parts),
  };
  return cmocka_run_group_tests(tests, hit_lexicon_load, hit_lexicon_unload);
}
