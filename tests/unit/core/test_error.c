/* lib/core/error.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/error.h"

static void test_new__is_empty(void **state) {
  (void)state;
  aiorch_error *error = NULL;
  assert_int_equal(aiorch_error_new(NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_error_status(error), AIORCH_OK);
  assert_string_equal(aiorch_error_message(error), "");
  assert_string_equal(aiorch_error_provider(error), "");
  assert_int_equal(aiorch_error_stage(error), -1);
  assert_int_equal(aiorch_error_http_status(error), 200);
  assert_int_equal(aiorch_error_retry_after_ms(error), -1);
  aiorch_error_free(error);
}

static void test_accessors__null_and_foreign(void **state) {
  (void)state;
  aiorch_error foreign;
  memset(&foreign, 0x41, sizeof foreign);
  assert_int_equal(aiorch_error_status(NULL), AIORCH_OK);
  assert_int_equal(aiorch_error_status(&foreign), AIORCH_E_INVALID);
  const aiorch_error *both[] = {NULL, &foreign};
  for (int i = 0; i < 2; i++) {
    assert_string_equal(aiorch_error_message(both[i]), "");
    assert_string_equal(aiorch_error_provider(both[i]), "");
    assert_int_equal(aiorch_error_stage(both[i]), -1);
    assert_int_equal(aiorch_error_retry_after_ms(both[i]), -1);
  }
  aiorch_error_free(NULL);
  aiorch_error_free(&foreign);
  aiorch_error copy = foreign;
  assert_int_equal(aio__error_set(&foreign, AIORCH_E_STATE, "x"), AIORCH_E_STATE);
  aio__error_clear(&foreign);
  assert_memory_equal(&copy, &foreign, sizeof copy);
}

static void test_free__leaves_an_embedded_one_alone(void **state) {
  (void)state;
  aiorch_error error;
  aio__error_init(&error);
  aio__error_set(&error, AIORCH_E_STATE, "kept");
  aiorch_error_free(&error);
  assert_string_equal(aiorch_error_message(&error), "kept");
}

static void test_set__returns_the_status_and_takes_null(void **state) {
  (void)state;
  assert_int_equal(aio__error_set(NULL, AIORCH_E_NOMEM, "%d", 1), AIORCH_E_NOMEM);
  aiorch_error error;
  aio__error_init(&error);
  error.stage = AIORCH_STAGE_GENERATE;
  assert_int_equal(aio__error_set(&error, AIORCH_E_DEADLINE, "after %d ms", 5), AIORCH_E_DEADLINE);
  assert_int_equal(aiorch_error_status(&error), AIORCH_E_DEADLINE);
  assert_string_equal(aiorch_error_message(&error), "after 5 ms");
  assert_int_equal(aiorch_error_http_status(&error), 504);
  assert_int_equal(aiorch_error_stage(&error), AIORCH_STAGE_GENERATE);
  error.http_status = 503;
  assert_int_equal(aiorch_error_http_status(&error), 503);
  aio__error_clear(&error);
  assert_int_equal(aiorch_error_status(&error), AIORCH_OK);
  assert_int_equal(aiorch_error_stage(&error), -1);
  assert_int_equal(aiorch_error_http_status(&error), 200);
  aio__error_clear(NULL);
}

static void test_set__one_clean_line(void **state) {
  (void)state;
  aiorch_error error;
  aio__error_init(&error);
  aio__error_set(&error, AIORCH_E_INVALID, "a\nb\tc\x7f" "d\xC2\x85" "e \xFFz \xC3\xA9 \xE2\x82");
  assert_string_equal(aiorch_error_message(&error), "a b c d e ?z \xC3\xA9 ??");
}

static void test_set__may_quote_its_own_message(void **state) {
  (void)state;
  aiorch_error error;
  aio__error_init(&error);
  aio__error_set(&error, AIORCH_E_STORE, "inner");
  aio__error_set(&error, AIORCH_E_STORE, "outer: %s", error.message);
  assert_string_equal(aiorch_error_message(&error), "outer: inner");
}

static void test_set__cuts_between_characters(void **state) {
  (void)state;
  for (size_t lead = 990; lead <= 1003; lead++) {
    char text[1024];
    memset(text, 'a', lead);
    strcpy(text + lead, "\xF0\x9F\x98\x80\xF0\x9F\x98\x80");
    aiorch_error error;
    aio__error_init(&error);
    aio__error_set(&error, AIORCH_E_INVALID, "%s", text);
    size_t want = lead + 8 <= 1000 ? lead + 8 : lead + 4 <= 1000 ? lead + 4 : lead < 1000 ? lead : 1000;
    assert_int_equal(strlen(error.message), want);
    assert_memory_equal(error.message, text, want);
  }
}

static void test_copy__keeps_what_the_target_is(void **state) {
  (void)state;
  aiorch_error from, *to = NULL;
  aio__error_init(&from);
  assert_int_equal(aiorch_error_new(&to), AIORCH_OK);
  aio__error_set(&from, AIORCH_E_PROVIDER_LIMIT, "slow down");
  from.retry_after_ms = 1500;
  strcpy(from.provider, "p1");
  assert_int_equal(aio__error_copy(to, &from), AIORCH_E_PROVIDER_LIMIT);
  assert_int_equal(aiorch_error_retry_after_ms(to), 1500);
  assert_string_equal(aiorch_error_provider(to), "p1");
  assert_string_equal(aiorch_error_message(to), "slow down");
  assert_int_equal(aio__error_copy(NULL, &from), AIORCH_E_PROVIDER_LIMIT);
  assert_int_equal(aio__error_copy(to, NULL), AIORCH_OK);
  assert_int_equal(aiorch_error_status(to), AIORCH_OK);
  aiorch_error_free(to); /* leaks under the sanitizer if the copy made it an embedded one */
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_new__is_empty),
    cmocka_unit_test(test_accessors__null_and_foreign),
    cmocka_unit_test(test_free__leaves_an_embedded_one_alone),
    cmocka_unit_test(test_set__returns_the_status_and_takes_null),
    cmocka_unit_test(test_set__one_clean_line),
    cmocka_unit_test(test_set__may_quote_its_own_message),
    cmocka_unit_test(test_set__cuts_between_characters),
    cmocka_unit_test(test_copy__keeps_what_the_target_is),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
