/* lib/core/names.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/types.h>

static void test_stage_name__all_and_none(void **state) {
  (void)state;
  static const char *const want[] = {"validate", "rate_limit", "cache_lookup", "retrieve",
                                     "generate", "log_cost",   "cache_store"};
  for (int32_t i = 0; i < AIORCH_STAGE_COUNT; i++) assert_string_equal(aiorch_stage_name(i), want[i]);
  assert_null(aiorch_stage_name(-1));
  assert_null(aiorch_stage_name(AIORCH_STAGE_COUNT));
  assert_null(aiorch_stage_name(INT32_MIN));
}

static void test_outcome_name__all_and_none(void **state) {
  (void)state;
  static const char *const want[] = {"skipped", "ok", "hit", "miss", "refused", "degraded", "error"};
  for (int32_t i = 0; i < 7; i++) assert_string_equal(aiorch_outcome_name(i), want[i]);
  assert_null(aiorch_outcome_name(7));
  assert_null(aiorch_outcome_name(-1));
}

static void test_finish_reason_name__all_and_none(void **state) {
  (void)state;
  static const char *const want[] = {"none", "stop", "length", "tool_calls", "content_filter", "refusal", "error"};
  for (int32_t i = 0; i < 7; i++) assert_string_equal(aiorch_finish_reason_name(i), want[i]);
  assert_null(aiorch_finish_reason_name(7));
  assert_null(aiorch_finish_reason_name(-1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_stage_name__all_and_none),
    cmocka_unit_test(test_outcome_name__all_and_none),
    cmocka_unit_test(test_finish_reason_name__all_and_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
