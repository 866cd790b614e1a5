/* What a plug-in may do with a call, and what the library makes of a plug-in that overlooks an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/call.h"
#include "support/test_alloc.h"

typedef struct calls_fixture {
  aio__test_alloc alloc;
  aio__counters counters;
  aio__calls *calls;
  aiorch_call *call;
} calls_fixture;

static void set_up(calls_fixture *f, aio__call_kind kind, size_t max_text) {
  aio__call_request request = {.vector_count = kind == AIO__CALL_SEARCH ? 1 : 0};
  aio__test_alloc_init(&f->alloc);
  aio__counters_init(&f->counters);
  assert_int_equal(aio__calls_new(&f->alloc.al, aio__clock_system(), NULL, &f->counters, &f->calls), AIORCH_OK);
  assert_int_equal(aio__call_new(f->calls, kind, &request, NULL, AIO__NEVER, max_text, &f->call), AIORCH_OK);
}

static void tear_down(calls_fixture *f) {
  aio__call_drop(f->call);
  aio__calls_free(f->calls);
  assert_int_equal(f->alloc.live, 0);
}

static void test_finish__after_text_that_had_no_room_is_too_large(void **state) {
  (void)state;
  calls_fixture f;
  set_up(&f, AIO__CALL_GENERATE, 4);
  assert_int_equal(aiorch_call_emit(f.call, "four", 4), AIORCH_OK);
  assert_int_equal(aiorch_call_emit(f.call, "!", 1), AIORCH_E_TOO_LARGE);
  assert_int_equal(aiorch_call_finish(f.call, AIORCH_OK), AIORCH_OK);
  assert_int_equal(aio__call_result_of(f.call)->status, AIORCH_E_TOO_LARGE);
  tear_down(&f);
}

static void test_finish__with_an_error_keeps_it(void **state) {
  (void)state;
  calls_fixture f;
  set_up(&f, AIO__CALL_GENERATE, 4);
  assert_int_equal(aiorch_call_emit(f.call, "five!", 5), AIORCH_E_TOO_LARGE);
  assert_int_equal(aiorch_call_finish(f.call, AIORCH_E_NETWORK), AIORCH_OK);
  assert_int_equal(aio__call_result_of(f.call)->status, AIORCH_E_NETWORK);
  assert_int_equal(aiorch_call_finish(f.call, AIORCH_OK), AIORCH_E_STATE);
  assert_int_equal(aio__call_result_of(f.call)->status, AIORCH_E_NETWORK);
  tear_down(&f);
}

static void test_request_json__of_a_call_that_is_gone_is_refused(void **state) {
  (void)state;
  calls_fixture f;
  set_up(&f, AIO__CALL_GENERATE, 4);
  aiorch_call *gone = f.call;
  assert_int_equal(aiorch_call_finish(gone, AIORCH_OK), AIORCH_OK);
  aio__call_drop(f.call);
  f.call = NULL;
  const char *json;
  assert_int_equal(aiorch_call_request_json(gone, &json, NULL), AIORCH_E_STATE);
  assert_int_equal(aiorch_call_finish(gone, AIORCH_OK), AIORCH_E_STATE);
  assert_null(aiorch_call_retain(gone));
  tear_down(&f);
}

static int cancels;

static aiorch_status stay_out(void *self, aiorch_call *call) {
  (void)self;
  return aiorch_call_retain(call) ? AIORCH_SLOT_PENDING : AIORCH_SLOT_OK;
}

/* Ends the call as a plug-in does that has counted what it used until now. */
static void end_with_tokens(void *self, aiorch_call *call) {
  (void)self;
  cancels++;
  assert_int_equal(aiorch_call_emit(call, "x", 1), AIORCH_E_CANCELLED);
  assert_int_equal(aiorch_call_put_usage(call, AIORCH_USAGE_OUTPUT, 12), AIORCH_E_CANCELLED);
  assert_int_equal(aiorch_call_finish(call, AIORCH_E_CANCELLED), AIORCH_E_CANCELLED);
  assert_int_equal(aiorch_call_put_usage(call, AIORCH_USAGE_OUTPUT, 99), AIORCH_E_STATE);
  aiorch_call_release(call);
}

static void test_cancel__what_was_used_counts_all_the_same(void **state) {
  (void)state;
  calls_fixture f;
  cancels = 0;
  set_up(&f, AIO__CALL_GENERATE, 4);
  aio__call_start(f.call, stay_out, end_with_tokens, NULL, 0, NULL);
  assert_true(aio__call_cancel(f.call));
  assert_true(aio__call_result_of(f.call)->has_usage);
  assert_int_equal(aio__call_result_of(f.call)->usage[AIORCH_USAGE_OUTPUT], 12);
  assert_true(aio__call_cancel(f.call)); /* the slot hears of it once */
  tear_down(&f);
  assert_int_equal(cancels, 1);
}

static void test_cancel__of_a_plug_in_that_takes_its_time(void **state) {
  (void)state;
  calls_fixture f;
  set_up(&f, AIO__CALL_GENERATE, 4);
  aio__call_start(f.call, stay_out, NULL, NULL, 0, NULL);
  assert_false(aio__call_cancel(f.call));
  assert_int_equal(aiorch_call_finish(f.call, AIORCH_OK), AIORCH_E_CANCELLED);
  aiorch_call_release(f.call);
  tear_down(&f);
}

static void test_put__of_another_kind_is_refused(void **state) {
  (void)state;
  calls_fixture f;
  set_up(&f, AIO__CALL_SEARCH, 0);
  float vector[1] = {1.0f};
  assert_int_equal(aiorch_call_emit(f.call, "x", 1), AIORCH_E_STATE);
  assert_int_equal(aiorch_call_put_vectors(f.call, vector, 1, 1, 0), AIORCH_E_STATE);
  assert_int_equal(aiorch_call_put_hit(f.call, 1, "id", 2, 0.5), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_hit(f.call, 0, "id", 2, 0.5), AIORCH_OK);
  assert_int_equal(aiorch_call_finish(f.call, 1), AIORCH_OK);
  assert_int_equal(aio__call_result_of(f.call)->status, AIORCH_E_PLUGIN_CONTRACT);
  tear_down(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_finish__after_text_that_had_no_room_is_too_large),
      cmocka_unit_test(test_finish__with_an_error_keeps_it),
      cmocka_unit_test(test_request_json__of_a_call_that_is_gone_is_refused),
      cmocka_unit_test(test_cancel__what_was_used_counts_all_the_same),
      cmocka_unit_test(test_cancel__of_a_plug_in_that_takes_its_time),
      cmocka_unit_test(test_put__of_another_kind_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
