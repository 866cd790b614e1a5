/* lib/text/json_merge.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/error.h>

#include "support/test_alloc.h"
#include "text/json_merge.h"

static aiorch_status merge(const aio__alloc *al, const char *body, const char *over, char out[512], aiorch_error *error) {
  aio__buf buf;
  aio__buf_init(&buf, al, 1 << 16);
  aiorch_status st = aio__buf_z(&buf, body);
  if (st == AIORCH_OK) st = aio__json_merge(&buf, aio__str_z(over), "provider_options", error);
  if (buf.n > 0) snprintf(out, 512, "%s", buf.p); /* after a failure the body is as it was */
  aio__buf_free(&buf);
  return st;
}

static void test_merge__members_win_and_objects_are_merged(void **state) {
  (void)state;
  static const char *const rows[][3] = {
      {"{\"a\":1}", "", "{\"a\":1}"},
      {"{\"a\":1}", "{}", "{\"a\":1}"},
      {"{}", "{\"a\":1}", "{\"a\":1}"},
      {"{\"a\":1,\"b\":2}", "{\"b\":3,\"c\":4}", "{\"a\":1,\"b\":3,\"c\":4}"},
      {"{\"o\":{\"x\":1,\"y\":[1]},\"z\":0}", " {\"o\":{\"y\":[2],\"w\":null}} ", "{\"o\":{\"x\":1,\"y\":[2],\"w\":null},\"z\":0}"},
      {"{\"o\":{\"x\":1}}", "{\"o\":7}", "{\"o\":7}"},
      {"{\"o\":7}", "{\"o\":{\"x\":{\"y\":1}}}", "{\"o\":{\"x\":{\"y\":1}}}"},
      {"{\"a\":1}", "{\"n\":12345678901234567890.12345678901234567890}", "{\"a\":1,\"n\":12345678901234567890.12345678901234567890}"},
      {"{\"a\":\"\\u00e9\"}", "{\"b\\n\":\"\\ud83d\\ude00\"}", "{\"a\":\"\\u00e9\",\"b\\n\":\"\\ud83d\\ude00\"}"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char out[512];
    assert_int_equal(merge(aio__alloc_default(), rows[i][0], rows[i][1], out, NULL), AIORCH_OK);
    assert_string_equal(out, rows[i][2]);
  }
}

static void test_merge__what_is_refused_changes_nothing(void **state) {
  (void)state;
  static const char *const overs[] = {"[1]", "7", "{\"a\":1,\"a\":2}", "{\"a\":}", "{", "nope"};
  for (size_t i = 0; i < sizeof overs / sizeof overs[0]; i++) {
    char out[512];
    aiorch_error *error = NULL;
    assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
    assert_int_equal(merge(aio__alloc_default(), "{\"k\":1}", overs[i], out, error), AIORCH_E_CONFIG);
    assert_string_equal(out, "{\"k\":1}");
    assert_non_null(strstr(aiorch_error_message(error), "provider_options"));
    aiorch_error_free(error);
  }
}

static void test_merge__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    char out[512] = "";
    aio__test_alloc_next(&t);
    aiorch_status st = merge(&t.al, "{\"a\":{\"b\":1}}", "{\"a\":{\"c\":2}}", out, NULL);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_merge__members_win_and_objects_are_merged),
    cmocka_unit_test(test_merge__what_is_refused_changes_nothing),
    cmocka_unit_test(test_merge__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
