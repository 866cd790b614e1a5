/* lib/net/ndjson.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/error.h>

#include "net/ndjson.h"
#include "support/test_alloc.h"

static aiorch_status note(void *ctx, aio__str line) {
  aio__buf *out = ctx;
  aio__buf_str(out, line);
  return aio__buf_char(out, '|');
}

static void expect_step(const char *stream, size_t step, const char *want) {
  aio__ndjson lines;
  aio__buf out;
  size_t n = strlen(stream);
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  aio__ndjson_init(&lines, aio__alloc_default(), 1 << 16);
  for (size_t at = 0; at < n; at += step) {
    size_t part = n - at < step ? n - at : step;
    assert_int_equal(aio__ndjson_feed(&lines, aio__str_n(stream + at, part), note, &out), AIORCH_OK);
  }
  assert_int_equal(aio__ndjson_end(&lines, note, &out), AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&out), want);
  aio__ndjson_free(&lines);
  aio__buf_free(&out);
}

static void test_feed__lines_however_they_are_cut(void **state) {
  (void)state;
  for (size_t step = 1; step < 30; step++) {
    expect_step("{\"a\":1}\n{\"b\":2}\n", step, "{\"a\":1}|{\"b\":2}|");
    expect_step("{\"a\":1}\r\n\r\n\n  \n{\"b\":\"\xE2\x82\xAC\"}", step, "{\"a\":1}|{\"b\":\"\xE2\x82\xAC\"}|");
    expect_step("1\n2", step, "1|2|");
    expect_step("", step, "");
  }
}

static void test_end__gives_the_last_line_once(void **state) {
  (void)state;
  aio__ndjson lines;
  aio__buf out;
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  aio__ndjson_init(&lines, aio__alloc_default(), 1 << 16);
  assert_int_equal(aio__ndjson_feed(&lines, aio__str_z("{}"), note, &out), AIORCH_OK);
  for (int i = 0; i < 2; i++) assert_int_equal(aio__ndjson_end(&lines, note, &out), AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&out), "{}|");
  aio__ndjson_free(&lines);
  aio__buf_free(&out);
}

static void test_feed__limit(void **state) {
  (void)state;
  aio__ndjson lines;
  aio__buf out;
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  aio__ndjson_init(&lines, aio__alloc_default(), 8);
  assert_int_equal(aio__ndjson_feed(&lines, aio__str_z("12345678\n"), note, &out), AIORCH_OK);
  assert_int_equal(aio__ndjson_feed(&lines, aio__str_z("12345"), note, &out), AIORCH_OK);
  assert_int_equal(aio__ndjson_feed(&lines, aio__str_z("6789"), note, &out), AIORCH_E_TOO_LARGE);
  aio__ndjson_free(&lines);
  aio__ndjson_init(&lines, aio__alloc_default(), 8);
  assert_int_equal(aio__ndjson_feed(&lines, aio__str_z("123456789\n"), note, &out), AIORCH_E_TOO_LARGE);
  aio__ndjson_free(&lines);
  aio__buf_free(&out);
}

static aiorch_status refuse(void *ctx, aio__str line) {
  (void)ctx;
  return line.p[0] == 'x' ? AIORCH_E_RESPONSE : AIORCH_OK;
}

static void test_feed__what_take_returns_ends_it(void **state) {
  (void)state;
  aio__ndjson lines;
  aio__ndjson_init(&lines, aio__alloc_default(), 100);
  assert_int_equal(aio__ndjson_feed(&lines, aio__str_z("a\nx\nb\n"), refuse, NULL), AIORCH_E_RESPONSE);
  aio__ndjson_free(&lines);
}

static void test_feed__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__buf out;
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  aio__test_alloc_init(&t);
  do {
    aio__ndjson lines;
    aio__test_alloc_next(&t);
    aio__ndjson_init(&lines, &t.al, 1 << 16);
    aiorch_status st = aio__ndjson_feed(&lines, aio__str_z("{\"a\":1}\n{\"b\""), note, &out);
    if (st == AIORCH_OK) st = aio__ndjson_end(&lines, note, &out);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__ndjson_free(&lines);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
  aio__buf_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_feed__lines_however_they_are_cut),
    cmocka_unit_test(test_end__gives_the_last_line_once),
    cmocka_unit_test(test_feed__limit),
    cmocka_unit_test(test_feed__what_take_returns_ends_it),
    cmocka_unit_test(test_feed__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
