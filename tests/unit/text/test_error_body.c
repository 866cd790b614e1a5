/* lib/text/error_body.c: bodies of every shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/error.h>

#include "support/test_alloc.h"
#include "text/error_body.h"

typedef struct row {
  const char *body, *message, *type, *code;
  int64_t number;
} row;

static const row ROWS[] = {
    {"{\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":\"c\"}}", "m", "t", "c", 0},
    {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", "Overloaded", "overloaded_error", "", 0},
    {"{\"error\":{\"message\":\"m\",\"code\":402}}", "m", "", "", 402},
    {"[{\"error\":{\"code\":503,\"message\":\"m\",\"status\":\"UNAVAILABLE\"}}]", "m", "", "", 503},
    {"{\"error\":\"text\"}", "text", "", "", 0},
    {"{\"error\":[\"first\",\"second\"]}", "first", "", "", 0},
    {"{\"error\":\"text\",\"error_type\":\"Overloaded\"}", "text", "Overloaded", "", 0},
    {"{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\",\"type\":\"missing\"}]}", "field required", "", "", 0},
    {"{\"detail\":\"Not Found\"}", "Not Found", "", "", 0},
    {"{\"object\":\"error\",\"message\":{\"detail\":[{\"msg\":\"extra\"}]},\"type\":\"invalid\",\"code\":null}", "extra", "invalid", "", 0},
    {"{\"message\":\"m\",\"code\":1000}", "m", "", "", 1000},
    {"{\"status\":500,\"title\":\"Internal\"}", "Internal", "", "", 500},
    {"\"just a text\"", "just a text", "", "", 0},
    {"{\"error\":{\"message\":\"a\\u00e9\\nb\\u0000\"}}", "a\xC3\xA9\nb\xEF\xBF\xBD", "", "", 0},
    {"<html><head><title> 502 Bad Gateway </title></head></html>", "502 Bad Gateway", "", "", 0},
    {"<!doctype html><p>no title", "a page of HTML", "", "", 0},
    {"<html><title></title><h1>Oops</h1>", "Oops", "", "", 0},
    {"  plain words\n", "plain words", "", "", 0},
    {"{\"error\":{\"message\":\"cut in the mid", "{\"error\":{\"message\":\"cut in the mid", "", "", 0},
    {"", "", "", "", 0},
    {"{}", "", "", "", 0},
    {"[]", "", "", "", 0},
    {"null", "", "", "", 0},
    {"{\"error\":{\"error\":{\"error\":{\"error\":{\"error\":{\"error\":\"too deep\"}}}}}}", "", "", "", 0},
};

static void test_read__every_shape(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
    aio__tape tape;
    aio__buf memory;
    aio__error_body body;
    aio__tape_init(&tape, aio__alloc_default());
    aio__buf_init(&memory, aio__alloc_default(), 1 << 16);
    assert_int_equal(aio__error_body_read(&tape, aio__str_z(ROWS[i].body), &memory, &body), AIORCH_OK);
    bool same = aio__str_eqz(body.message, ROWS[i].message) && aio__str_eqz(body.type, ROWS[i].type) &&
                aio__str_eqz(body.code, ROWS[i].code) && body.number == ROWS[i].number;
    if (!same) fail_msg("%s: %.*s", ROWS[i].body, (int)body.message.n, body.message.p);
    aio__tape_free(&tape);
    aio__buf_free(&memory);
  }
}

static void test_read__long_words_are_shown_in_part(void **state) {
  (void)state;
  char words[2000];
  for (size_t i = 0; i + 2 < sizeof words; i += 2) memcpy(words + i, "\xC3\xA9", 2);
  aio__tape tape;
  aio__buf memory;
  aio__error_body body;
  aio__tape_init(&tape, aio__alloc_default());
  aio__buf_init(&memory, aio__alloc_default(), 1 << 16);
  assert_int_equal(aio__error_body_read(&tape, aio__str_n(words, 1501), &memory, &body), AIORCH_OK);
  assert_int_equal(body.message.n, AIO__ERROR_BODY_SHOWN_MAX);
  assert_int_equal(aio__utf8_check(body.message, NULL), body.message.n);
  aio__tape_free(&tape);
  aio__buf_free(&memory);
}

static void test_read__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__tape tape;
    aio__buf memory;
    aio__error_body body;
    aio__test_alloc_next(&t);
    aio__tape_init(&tape, &t.al);
    aio__buf_init(&memory, &t.al, 1 << 16);
    aiorch_status st = aio__error_body_read(&tape, aio__str_z("{\"error\":{\"message\":\"\\u00e9\",\"type\":\"\\u00e9\",\"code\":\"c\"}}"), &memory, &body);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__tape_free(&tape);
    aio__buf_free(&memory);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_read__every_shape),
    cmocka_unit_test(test_read__long_words_are_shown_in_part),
    cmocka_unit_test(test_read__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
