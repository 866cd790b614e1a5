/* lib/cost/price_lines.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include <aiorch/error.h>

#include "cost/price_lines.h"

typedef struct fixture {
  aio__arena arena;
  aio__price_line *lines;
  size_t count;
  aiorch_error error;
} fixture;

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  aio__arena_init(&f->arena, aio__alloc_default(), 1024);
  aio__error_init(&f->error);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  aio__arena_free(&f->arena);
  free(f);
  return 0;
}

static aiorch_status read_text(fixture *f, const char *json) {
  return aio__price_lines_read(&f->arena, aio__str_z(json), "file", &f->lines, &f->count, &f->error);
}

/* Reads one line with these members besides its model. */
static aiorch_status read_one(fixture *f, const char *members) {
  char json[4096];
  snprintf(json, sizeof json, "{\"prices\": [{\"model\": \"m\"%s%s}]}", members[0] == '\0' ? "" : ", ", members);
  return read_text(f, json);
}

static void expect_bad(fixture *f, const char *json, const char *words) {
  assert_int_equal(read_text(f, json), AIORCH_E_CONFIG);
  if (strstr(aiorch_error_message(&f->error), words) == NULL) fail_msg("%s", aiorch_error_message(&f->error));
}

static void test_read__all_members(void **state) {
  fixture *f = *state;
  assert_int_equal(read_one(f, "\"provider\": \"p*\", \"from\": \"1970-01-02\", \"above_tokens\": 5, \"utc\": "
                               "\"00:01-23:59\","
                               "\"input\": 1, \"cache_read\": 2, \"cache_write\": 3, \"cache_write_1h\": 4, "
                               "\"output\": 5,"
                               "\"reasoning\": 6, \"date\": \"2026-11-24\", \"source\": \"a page\""), AIORCH_OK);
  assert_int_equal(f->count, 1);
  const aio__price_line *line = f->lines;
  assert_true(aio__str_eqz(line->provider, "p*") && aio__str_eqz(line->model, "m"));
  assert_true(aio__str_eqz(line->date, "2026-11-24") && aio__str_eqz(line->source, "a page"));
  assert_int_equal(line->from_ms, 86400000);
  assert_int_equal(line->above_tokens, 5);
  assert_int_equal(line->begin_min, 1);
  assert_int_equal(line->end_min, 1439);
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) assert_int_equal(line->price[i], i + 1);
}

static void test_read__what_is_left_out(void **state) {
  fixture *f = *state;
  assert_int_equal(read_one(f, ""), AIORCH_OK);
  const aio__price_line *line = f->lines;
  assert_int_equal(line->provider.n, 0);
  assert_true(line->from_ms == INT64_MIN);
  assert_int_equal(line->above_tokens, -1);
  assert_int_equal(line->begin_min, 0);
  assert_int_equal(line->end_min, 1440);
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) assert_int_equal(line->price[i], -1);
  assert_int_equal(read_one(f, "\"output\": 8"), AIORCH_OK);
  assert_int_equal(f->lines->price[AIORCH_USAGE_REASONING], 8);
  assert_int_equal(read_text(f, "{\"prices\": []}"), AIORCH_OK);
  assert_int_equal(f->count, 0);
}

static void test_read__dates(void **state) {
  fixture *f = *state;
  static const struct {
    const char *date;
    int64_t days;
  } good[] = {{"1970-01-01", 0}, {"1970-12-31", 364}, {"1971-01-01", 365}, {"1972-02-29", 789}, {"1972-03-01", 790},
              {"1973-01-01", 1096}, {"2000-02-29", 11016}, {"2000-03-01", 11017}, {"2026-11-24", 20781},
              {"2024-12-31", 20088}, {"2100-03-01", 47541}, {"9999-12-31", 2932896}, {"1970-01-31", 30},
              {"1970-04-30", 119}};
  static const char *const bad[] = {"1969-12-31", "2026-02-29", "2100-02-29", "2026-00-10", "2026-13-10", "2026-01-00",
                                    "2026-01-32", "2026-04-31", "2026-1-01", "2026-01-1", "2026-01-011", "2026/01/01",
                                    "2026-01/01", "2026 01-01", "20a6-01-01", "", "-026-01-01", "2026-0a-01",
                                        "2026-01-0a",
                                    "2026-06-31", "2026-09-31", "2026-11-31"};
  char member[64];
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    snprintf(member, sizeof member, "\"from\": \"%s\"", good[i].date);
    assert_int_equal(read_one(f, member), AIORCH_OK);
    if (f->lines->from_ms != good[i].days * 86400000) fail_msg("%s", good[i].date);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    snprintf(member, sizeof member, "\"from\": \"%s\"", bad[i]);
    if (read_one(f, member) != AIORCH_E_CONFIG) fail_msg("%s", bad[i]);
    assert_non_null(strstr(aiorch_error_message(&f->error), "file: price number 1: \"from\" must be a date"));
    snprintf(member, sizeof member, "\"date\": \"%s\"", bad[i]);
    assert_int_equal(read_one(f, member), AIORCH_E_CONFIG);
  }
  assert_int_equal(read_one(f, "\"from\": 20260101"), AIORCH_E_CONFIG);
}

static void test_read__hours(void **state) {
  fixture *f = *state;
  static const char *const bad[] = {"01:00-01:00", "02:00-01:00", "24:00-24:00", "00:00-24:01", "00:00-25:00",
                                    "1:00-2:00",
                                    "00:60-02:00", "00:00-01:60", "00:00 01:00", "00-00-01:00", "00:00-01-00", "",
                                    "00:00-01:000", "a0:00-01:00", "00:a0-01:00", "00:00-0a:00", "00:00-00:0a"};
  char member[64];
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    snprintf(member, sizeof member, "\"utc\": \"%s\"", bad[i]);
    if (read_one(f, member) != AIORCH_E_CONFIG) fail_msg("%s", bad[i]);
  }
  assert_int_equal(read_one(f, "\"utc\": \"00:00-24:00\""), AIORCH_OK);
  assert_int_equal(f->lines->end_min, 1440);
  assert_int_equal(read_one(f, "\"utc\": \"23:59-24:00\""), AIORCH_OK);
  assert_int_equal(f->lines->begin_min, 1439);
  assert_int_equal(read_one(f, "\"utc\": \"00:00-00:01\""), AIORCH_OK);
  assert_int_equal(read_one(f, "\"utc\": 5"), AIORCH_E_CONFIG);
}

static void test_read__numbers(void **state) {
  fixture *f = *state;
  static const char *const bad[] = {"\"input\": -1", "\"input\": 0.5", "\"input\": \"1\"", "\"input\": null",
                                    "\"input\": 9007199254740994", "\"above_tokens\": -1", "\"above_tokens\": true"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(read_one(f, bad[i]), AIORCH_E_CONFIG);
    assert_non_null(strstr(aiorch_error_message(&f->error), "must be a whole number from 0 to 2^53"));
  }
  assert_int_equal(read_one(f, "\"input\": 9007199254740992, \"above_tokens\": 0"), AIORCH_OK);
  assert_int_equal(f->lines->above_tokens, 0);
}

static void test_read__texts(void **state) {
  fixture *f = *state;
  char member[AIO__PRICES_TEXT_MAX + 64];
  assert_int_equal(read_one(f, "\"provider\": \"\""), AIORCH_E_CONFIG);
  assert_int_equal(read_one(f, "\"source\": 5"), AIORCH_E_CONFIG);
  size_t n = (size_t)sprintf(member, "\"source\": \"");
  memset(member + n, 's', AIO__PRICES_TEXT_MAX + 1);
  strcpy(member + n + AIO__PRICES_TEXT_MAX, "\"");
  assert_int_equal(read_one(f, member), AIORCH_OK);
  member[n + AIO__PRICES_TEXT_MAX] = 's';
  strcpy(member + n + AIO__PRICES_TEXT_MAX + 1, "\"");
  assert_int_equal(read_one(f, member), AIORCH_E_CONFIG);
}

static void test_read__files_of_another_shape(void **state) {
  fixture *f = *state;
  expect_bad(f, "[]", "{\"prices\": [...]} is needed");
  expect_bad(f, "{}", "{\"prices\": [...]} is needed");
  expect_bad(f, "{\"prices\": {}}", "{\"prices\": [...]} is needed");
  expect_bad(f, "{\"prices\": [], \"x\": 1}", "{\"prices\": [...]} is needed");
  expect_bad(f, "{\"prices\": [", "file");
  expect_bad(f, "", "file");
  expect_bad(f, "{\"prices\": [7]}", "file: price number 1 is a number, not an object");
  expect_bad(f, "{\"prices\": [{\"model\": \"m\"}, {\"input\": 1}]}", "file: price number 2: \"model\" must be there");
  expect_bad(f, "{\"prices\": [{\"model\": \"m\", \"inputs\": 1}]}", "there is no member \"inputs\"");
  expect_bad(f, "{\"prices\": [{\"model\": \"\"}]}", "\"model\" must be a text");
}

static void test_read__too_many_lines(void **state) {
  fixture *f = *state;
  char *json = malloc(AIO__PRICES_LINES_MAX * 20 + 100);
  assert_non_null(json);
  for (int extra = 0; extra < 2; extra++) {
    char *p = json + sprintf(json, "{\"prices\": [{\"model\":\"m\"}");
    for (int i = 1; i < AIO__PRICES_LINES_MAX + extra; i++) p += sprintf(p, ",{\"model\":\"m\"}");
    strcpy(p, "]}");
    assert_int_equal(read_text(f, json), extra == 0 ? AIORCH_OK : AIORCH_E_CONFIG);
  }
  assert_non_null(strstr(aiorch_error_message(&f->error), "has 10001 prices; at most 10000"));
  free(json);
}

static void test_read__too_many_bytes(void **state) {
  fixture *f = *state;
  char *json = malloc(AIO__PRICES_BYTES_MAX + 2);
  assert_non_null(json);
  memset(json, ' ', AIO__PRICES_BYTES_MAX + 1);
  json[AIO__PRICES_BYTES_MAX + 1] = '\0';
  memcpy(json, "{\"prices\": []}", 14);
  assert_int_equal(read_text(f, json), AIORCH_E_CONFIG);
  json[AIO__PRICES_BYTES_MAX] = '\0';
  assert_int_equal(read_text(f, json), AIORCH_OK);
  free(json);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      CASE(test_read__all_members),
      CASE(test_read__what_is_left_out),
      CASE(test_read__dates),
      CASE(test_read__hours),
      CASE(test_read__numbers),
      CASE(test_read__texts),
      CASE(test_read__files_of_another_shape),
      CASE(test_read__too_many_lines),
      CASE(test_read__too_many_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
