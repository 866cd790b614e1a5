/* lib/text/json_tape.c: what is read, what is refused, and what strings and numbers say. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/error.h>

#include "support/test_alloc.h"
#include "text/json_tape.h"

static aiorch_status status_of(const char *text, size_t n) {
  aio__tape tape;
  aio__tape_init(&tape, aio__alloc_default());
  char *copy = malloc(n ? n : 1); /* its end is the end of what may be read */
  assert_non_null(copy);
  memcpy(copy, text, n);
  aiorch_status st = aio__tape_read(&tape, aio__str_n(copy, n));
  assert_true(st == AIORCH_OK || tape.count == 0);
  assert_true(tape.fault <= n);
  free(copy);
  aio__tape_free(&tape);
  return st;
}

#define STATUS(text) status_of(text, sizeof(text) - 1)

static void test_read__what_is_json(void **state) {
  (void)state;
  static const char *const texts[] = {"null", " true ", "false", "0", "-0", "12", "-1.5e+10", "1E5", "\"\"", "\"\\u00e9\\n\\/\"", "[]", "{}",
                                      "[ ]", "{ }", "[1,[2,{\"a\":[]}],3]", "{\"a\":1,\"a\":2}", "\t{\r\n\"a\" : [ 1 , 2 ] }\n"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) assert_int_equal(status_of(texts[i], strlen(texts[i])), AIORCH_OK);
}

static void test_read__what_is_not(void **state) {
  (void)state;
  static const char *const texts[] = {"nul1", "tru e", "01", "1.x", "+1", ".5", "1ex", "'a'", "[1,]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "[1 2]",
                                      "{} x", "[1]]", "\"a\nb\"", "\"\\x\"", "\"\\u12g4\"", "}", "]", ",", "NaN", "[,1]", "{,}", "\xEF\xBB\xBF{}"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    if (status_of(texts[i], strlen(texts[i])) != AIORCH_E_RESPONSE) fail_msg("%s", texts[i]);
  }
}

static void test_read__every_cut_is_told_from_a_fault(void **state) {
  (void)state;
  static const char text[] = "{\"a\":[1.5e3,true,null,\"x\\u00e9\\n\"],\"b\":{\"c\":false}}";
  for (size_t n = 0; n < sizeof text - 1; n++) assert_int_equal(status_of(text, n), AIORCH_E_TRUNCATED);
  assert_int_equal(STATUS(text), AIORCH_OK);
  assert_int_equal(STATUS("-"), AIORCH_E_TRUNCATED);
  assert_int_equal(STATUS(""), AIORCH_E_TRUNCATED);
}

/* Eight bytes are asked at once: what ends a run is found at each of their places, behind any others, and before any. */
static void test_read__a_string_ends_at_any_place(void **state) {
  (void)state;
  static const char fillers[] = {'x', '!', '#', '[', ']', ' ', '\x7F', '\x80', '\xA2', '\xDC', '\xFF'};
  char text[32], want[32];
  for (size_t f = 0; f < sizeof fillers; f++) {
    for (size_t n = 0; n < 24; n++) {
      memset(text, fillers[f], sizeof text);
      text[0] = text[n + 1] = '"';
      assert_int_equal(status_of(text, n + 2), AIORCH_OK);
      assert_int_equal(status_of(text, n + 3), fillers[f] == ' ' ? AIORCH_OK : AIORCH_E_RESPONSE);
      memcpy(want, text, sizeof want);
      want[n + 1] = '\x1F';
      assert_int_equal(status_of(want, sizeof want), AIORCH_E_RESPONSE);
      want[n + 1] = '\\';
      want[n + 2] = 'n';
      want[n + 3] = '"';
      assert_int_equal(status_of(want, n + 4), AIORCH_OK);
      want[n + 2] = '"';
      assert_int_equal(status_of(want, n + 3), AIORCH_E_TRUNCATED);
    }
  }
}

static void test_read__depth_is_bounded(void **state) {
  (void)state;
  char text[4 * AIO__JSON_MAX_DEPTH];
  for (int deep = AIO__JSON_MAX_DEPTH; deep <= AIO__JSON_MAX_DEPTH + 1; deep++) {
    memset(text, '[', (size_t)deep);
    memset(text + deep, ']', (size_t)deep);
    assert_int_equal(status_of(text, 2 * (size_t)deep), deep > AIO__JSON_MAX_DEPTH ? AIORCH_E_TOO_LARGE : AIORCH_OK);
  }
}

typedef struct place {
  aio__tape tape;
  aio__buf scratch;
} place;

static void open_place(place *p, const char *text) {
  aio__tape_init(&p->tape, aio__alloc_default());
  aio__buf_init(&p->scratch, aio__alloc_default(), 1 << 20);
  assert_int_equal(aio__tape_read(&p->tape, aio__str_z(text)), AIORCH_OK);
}

static void close_place(place *p) {
  aio__tape_free(&p->tape);
  aio__buf_free(&p->scratch);
}

static void test_member__the_last_of_a_name_counts(void **state) {
  (void)state;
  place p;
  int64_t n = 0;
  open_place(&p, "{\"a\":1,\"b\":{\"a\":9},\"\\u0061\":2,\"\":3,\"long name of a member, longer than most\":4}");
  assert_true(aio__tape_i64(&p.tape, AIO__TAPE_GET(&p.tape, AIO__TAPE_ROOT, "a"), &n));
  assert_int_equal(n, 2);
  assert_true(aio__tape_i64(&p.tape, AIO__TAPE_GET(&p.tape, AIO__TAPE_GET(&p.tape, AIO__TAPE_ROOT, "b"), "a"), &n));
  assert_int_equal(n, 9);
  assert_true(aio__tape_i64(&p.tape, AIO__TAPE_GET(&p.tape, AIO__TAPE_ROOT, ""), &n));
  assert_int_equal(n, 3);
  assert_int_equal(AIO__TAPE_GET(&p.tape, AIO__TAPE_ROOT, "c"), AIO__TAPE_NONE);
  assert_int_equal(AIO__TAPE_GET(&p.tape, AIO__TAPE_NONE, "c"), AIO__TAPE_NONE);
  assert_int_equal(AIO__TAPE_GET(&p.tape, AIO__TAPE_GET(&p.tape, AIO__TAPE_ROOT, "a"), "c"), AIO__TAPE_NONE);
  assert_int_equal(aio__tape_size(&p.tape, AIO__TAPE_ROOT), 5);
  close_place(&p);
}

static void test_first_next__children_in_order(void **state) {
  (void)state;
  place p;
  open_place(&p, "[[1,2],{\"a\":[],\"b\":{}},\"x\",[]]");
  aio__tape_value v = aio__tape_first(&p.tape, AIO__TAPE_ROOT);
  assert_int_equal(aio__tape_size(&p.tape, v), 2);
  v = aio__tape_next(&p.tape, AIO__TAPE_ROOT, v);
  aio__tape_value a = aio__tape_first(&p.tape, v), b = aio__tape_next(&p.tape, v, a);
  assert_true(aio__str_eqz(aio__tape_name(&p.tape, a), "a"));
  assert_true(aio__str_eqz(aio__tape_name(&p.tape, b), "b"));
  assert_int_equal(aio__tape_next(&p.tape, v, b), AIO__TAPE_NONE);
  assert_true(aio__str_eqz(aio__tape_raw(&p.tape, v), "{\"a\":[],\"b\":{}}"));
  v = aio__tape_next(&p.tape, AIO__TAPE_ROOT, v);
  assert_true(aio__str_eqz(aio__tape_raw(&p.tape, v), "\"x\""));
  v = aio__tape_next(&p.tape, AIO__TAPE_ROOT, v);
  assert_int_equal(aio__tape_first(&p.tape, v), AIO__TAPE_NONE);
  assert_int_equal(aio__tape_next(&p.tape, AIO__TAPE_ROOT, v), AIO__TAPE_NONE);
  assert_int_equal(aio__tape_first(&p.tape, AIO__TAPE_NONE), AIO__TAPE_NONE);
  close_place(&p);
}

static void expect_text(const char *json, const char *want) {
  place p;
  aio__str text;
  open_place(&p, json);
  assert_int_equal(aio__tape_str(&p.tape, AIO__TAPE_ROOT, NULL, &p.scratch, &text), AIORCH_OK);
  if (!aio__str_eqz(text, want)) fail_msg("%s is %.*s, not %s", json, (int)text.n, text.p, want);
  close_place(&p);
}

static void test_str__escapes_and_what_is_no_text(void **state) {
  (void)state;
  expect_text("\"plain\"", "plain");
  expect_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
  expect_text("\"a\\u00e9\\u20ac\\ud83d\\ude00b\"", "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80" "b");
  expect_text("\"\\ud83d\"", "\xEF\xBF\xBD");
  expect_text("\"\\ude00x\"", "\xEF\xBF\xBDx");
  expect_text("\"\\ud83dx\"", "\xEF\xBF\xBDx");
  expect_text("\"\\ud83d\\ud83d\\ude00\"", "\xEF\xBF\xBD\xF0\x9F\x98\x80");
  expect_text("\"\\ud83d\\n\"", "\xEF\xBF\xBD\n");
  expect_text("\"a\\u0000b\"", "a\xEF\xBF\xBD" "b");
  expect_text("\"a\xFF" "b\xC3\"", "a\xEF\xBF\xBD" "b\xEF\xBF\xBD");
  expect_text("\"\xED\xA0\xBD\"", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* a surrogate in UTF-8 is none */
  expect_text("\"\"", "");
  expect_text("17", "");
  expect_text("[\"x\"]", "");
}

static void test_str__a_pair_over_two_texts(void **state) {
  (void)state;
  static const struct {
    const char *first, *second, *want;
  } rows[] = {{"\"a\\ud83d\"", "\"\\ude00b\"", "a\xF0\x9F\x98\x80" "b"},
              {"\"a\\ud83d\"", "\"b\"", "a\xEF\xBF\xBD" "b"},
              {"\"a\\ud83d\"", "\"\\n\"", "a\xEF\xBF\xBD\n"},
              {"\"a\\ud83d\"", "\"\\ud83d\\ude00\"", "a\xEF\xBF\xBD\xF0\x9F\x98\x80"},
              {"\"a\"", "\"\\ude00\"", "a\xEF\xBF\xBD"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    place p;
    aio__str text;
    aio__buf all;
    uint16_t half = 0;
    aio__buf_init(&all, aio__alloc_default(), 100);
    open_place(&p, rows[i].first);
    assert_int_equal(aio__tape_str(&p.tape, AIO__TAPE_ROOT, &half, &p.scratch, &text), AIORCH_OK);
    aio__buf_str(&all, text);
    assert_int_equal(aio__tape_read(&p.tape, aio__str_z("\"\"")), AIORCH_OK); /* an empty text leaves it pending */
    uint16_t before = half;
    assert_int_equal(aio__tape_str(&p.tape, AIO__TAPE_ROOT, &half, &p.scratch, &text), AIORCH_OK);
    assert_int_equal(half, before);
    assert_int_equal(aio__tape_read(&p.tape, aio__str_z(rows[i].second)), AIORCH_OK);
    assert_int_equal(aio__tape_str(&p.tape, AIO__TAPE_ROOT, &half, &p.scratch, &text), AIORCH_OK);
    aio__buf_str(&all, text);
    assert_string_equal(aio__buf_cstr(&all), rows[i].want);
    assert_int_equal(half, 0);
    aio__buf_free(&all);
    close_place(&p);
  }
}

static void test_is__names_with_escapes(void **state) {
  (void)state;
  place p;
  open_place(&p, "[\"text\",\"t\\u0065xt\",\"te\\/t\",\"t\\u00e9xt\",\"texts\",\"tex\",1]");
  static const bool want[] = {true, true, false, false, false, false, false};
  size_t i = 0;
  for (aio__tape_value v = aio__tape_first(&p.tape, AIO__TAPE_ROOT); v != AIO__TAPE_NONE; v = aio__tape_next(&p.tape, AIO__TAPE_ROOT, v)) {
    assert_int_equal(aio__tape_is(&p.tape, v, "text"), want[i++]);
  }
  close_place(&p);
}

static void test_i64__whole_numbers_up_to_2_53(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool whole;
    int64_t value;
  } rows[] = {{"0", true, 0},       {"-0", true, 0},          {"17", true, 17},       {"-17", true, -17},
              {"1e3", true, 1000},  {"1.5e1", true, 15},      {"12.000", true, 12},   {"1200e-2", true, 12},
              {"1.5", false, 0},    {"1e-1", false, 0},       {"9007199254740992", true, INT64_C(9007199254740992)},
              {"9007199254740993", false, 0}, {"1e400", false, 0}, {"1e99999999999", false, 0}, {"0e99999999999", true, 0},
              {"99999999999999999999999999", false, 0}, {"\"17\"", false, 0}, {"null", false, 0}, {"true", false, 0}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    place p;
    int64_t value = 0;
    open_place(&p, rows[i].text);
    if (aio__tape_i64(&p.tape, AIO__TAPE_ROOT, &value) != rows[i].whole) fail_msg("%s", rows[i].text);
    assert_int_equal(value, rows[i].value);
    close_place(&p);
  }
}

/* In the C locale strtod is what is to be met. */
static void test_f32__as_strtod_rounds(void **state) {
  (void)state;
  static const char *const texts[] = {"0", "-0.0", "1", "-0.25", "0.1", "0.123456789012345678901234567890", "-0.0213214078", "3.4028234663852886e38",
                                      "1e-45", "1.17549435e-38", "123456789.123", "0.000000000000000000000000000000000000001", "1e-400", "7.0064923216240854e-46",
                                      "9999999999999999999999e-22", "16777217", "0.3333333333333333", "-7.5e-8"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    place p;
    float value = 0;
    open_place(&p, texts[i]);
    assert_true(aio__tape_f32(&p.tape, AIO__TAPE_ROOT, &value));
    float want = strtof(texts[i], NULL);
    if (value < want || value > want) fail_msg("%s", texts[i]);
    close_place(&p);
  }
  static const char *const none[] = {"1e39", "-1e400", "\"1\"", "null", "[1]"};
  for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
    place p;
    float value = 7;
    open_place(&p, none[i]);
    assert_false(aio__tape_f32(&p.tape, AIO__TAPE_ROOT, &value));
    close_place(&p);
  }
}

static double as_f64(const char *text) {
  place p;
  double value = 0;
  open_place(&p, text);
  if (!aio__tape_f64(&p.tape, AIO__TAPE_ROOT, &value)) fail_msg("%s", text);
  close_place(&p);
  return value;
}

/* What a double was written as comes back as that double or its neighbour. */
static void test_f64__as_written(void **state) {
  (void)state;
  static const char *const texts[] = {"0", "-0.25", "0.1", "0.30000000000000004", "1.7976931348623157e308", "-2.2250738585072014e-308",
                                      "0.016393442622950821", "0.8414709848078965", "5e-324", "123456789.12345679", "-1e22"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    double want = strtod(texts[i], NULL), got = as_f64(texts[i]);
    if (got < nextafter(want, -HUGE_VAL) || got > nextafter(want, HUGE_VAL)) fail_msg("%s: %.17g", texts[i], got);
  }
  static const char *const none[] = {"1e309", "-1e400", "\"1\"", "null", "[1]"};
  for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
    place p;
    double value = 7;
    open_place(&p, none[i]);
    assert_false(aio__tape_f64(&p.tape, AIO__TAPE_ROOT, &value));
    close_place(&p);
  }
}

static void test_read__out_of_memory_and_used_again(void **state) {
  (void)state;
  aio__test_alloc t;
  char text[4096] = "[";
  for (int i = 0; i < 200; i++) strcat(text, "\"\\u00e9\",");
  strcat(text, "1]");
  aio__test_alloc_init(&t);
  do {
    aio__tape tape;
    aio__buf scratch;
    aio__str out;
    aio__test_alloc_next(&t);
    aio__tape_init(&tape, &t.al);
    aio__buf_init(&scratch, &t.al, 100);
    aiorch_status st = aio__tape_read(&tape, aio__str_z(text));
    if (st == AIORCH_OK) st = aio__tape_str(&tape, 1, NULL, &scratch, &out);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    long before = t.count;
    if (st == AIORCH_OK) assert_int_equal(aio__tape_read(&tape, aio__str_z(text)), AIORCH_OK);
    assert_int_equal(t.count, before); /* the second text costs no memory */
    aio__tape_free(&tape);
    aio__buf_free(&scratch);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_read__what_is_json),
    cmocka_unit_test(test_read__what_is_not),
    cmocka_unit_test(test_read__every_cut_is_told_from_a_fault),
    cmocka_unit_test(test_read__a_string_ends_at_any_place),
    cmocka_unit_test(test_read__depth_is_bounded),
    cmocka_unit_test(test_member__the_last_of_a_name_counts),
    cmocka_unit_test(test_first_next__children_in_order),
    cmocka_unit_test(test_str__escapes_and_what_is_no_text),
    cmocka_unit_test(test_str__a_pair_over_two_texts),
    cmocka_unit_test(test_is__names_with_escapes),
    cmocka_unit_test(test_i64__whole_numbers_up_to_2_53),
    cmocka_unit_test(test_f32__as_strtod_rounds),
    cmocka_unit_test(test_f64__as_written),
      cmocka_unit_test(test_f64__as_written),
    cmocka_unit_test(test_read__out_of_memory_and_used_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
