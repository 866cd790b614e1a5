/* lib/core/call_api.c: what comes besides the text of an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/call.h"
#include "support/test_alloc.h"
#include "support/virtual_clock.h"

typedef struct held {
  aio__test_alloc alloc;
  virtual_clock clock;
  aio__counters counters;
  aio__calls *calls;
  aiorch_call *call;
} held;

static aiorch_status pending(void *self, aiorch_call *call) {
  (void)self;
  (void)call;
  return AIORCH_SLOT_PENDING;
}

static void finish_it(void *self, aiorch_call *call) {
  (void)self;
  aiorch_call_finish(call, AIORCH_E_CANCELLED);
}

static void open_kind(held *h, aio__call_kind kind) {
  aio__call_request request = {.temperature = -1};
  aio__test_alloc_init(&h->alloc);
  virtual_clock_init(&h->clock);
  aio__counters_init(&h->counters);
  assert_int_equal(aio__calls_new(&h->alloc.al, &h->clock.clock, NULL, &h->counters, &h->calls), AIORCH_OK);
  assert_int_equal(aio__call_new(h->calls, kind, &request, NULL, AIO__NEVER, 100, &h->call), AIORCH_OK);
  aio__call_start(h->call, pending, finish_it, NULL, 0, NULL);
}

static void close_held(held *h) {
  aio__call_drop(h->call);
  aio__calls_free(h->calls);
  assert_int_equal(h->alloc.live, 0);
}

static void test_put_tool_call__is_kept_in_order(void **state) {
  (void)state;
  held h;
  aio__call_extra e;
  open_kind(&h, AIO__CALL_GENERATE);
  assert_false(aio__call_extra_at(h.call, 0, &e));
  assert_int_equal(aiorch_call_put_tool_call(h.call, "c1", 2, "look", 4, "{\"a\":1}", 7), AIORCH_OK);
  assert_true(aio__call_extra_at(h.call, 0, &e)); /* also before the end */
  assert_int_equal(aiorch_call_put_tool_call(h.call, NULL, 0, "wait", 4, NULL, 0), AIORCH_OK);
  assert_int_equal(aiorch_call_finish(h.call, AIORCH_OK), AIORCH_OK);
  assert_int_equal(e.kind, AIO__EVENT_TOOL_END);
  assert_true(aio__str_eqz(e.id, "c1") && aio__str_eqz(e.name, "look") && aio__str_eqz(e.text, "{\"a\":1}") && e.signature.n == 0);
  assert_true(aio__call_extra_at(h.call, 1, &e));
  assert_true(aio__str_eqz(e.id, "") && aio__str_eqz(e.name, "wait") && aio__str_eqz(e.text, "{}"));
  assert_false(aio__call_extra_at(h.call, 2, &e));
  assert_int_equal(aio__call_result_of(h.call)->finish_reason, AIORCH_FINISH_TOOL_CALLS);
  assert_int_equal(aiorch_call_put_tool_call(h.call, "c", 1, "f", 1, "{}", 2), AIORCH_E_STATE);
  close_held(&h);
}

static void test_put_stop_sequence__is_kept_or_refused(void **state) {
  (void)state;
  char longer[257];
  held h;
  aio__call_extra e;
  memset(longer, 'x', sizeof longer);
  open_kind(&h, AIO__CALL_GENERATE);
  assert_int_equal(aiorch_call_put_stop_sequence(NULL, "END", 3), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_stop_sequence(h.call, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_stop_sequence(h.call, NULL, 3), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_stop_sequence(h.call, "\xFF", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_stop_sequence(h.call, longer, 256), AIORCH_E_TOO_LARGE);
  assert_false(aio__call_extra_at(h.call, 0, &e));
  assert_int_equal(aiorch_call_put_stop_sequence(h.call, "END", 3), AIORCH_OK);
  assert_true(aio__call_extra_at(h.call, 0, &e));
  assert_int_equal(e.kind, AIO__EVENT_STOP);
  assert_true(aio__str_eqz(e.text, "END"));
  assert_int_equal(aiorch_call_finish(h.call, AIORCH_OK), AIORCH_OK);
  assert_int_equal(aio__call_result_of(h.call)->status, AIORCH_OK);
  assert_int_equal(aiorch_call_put_stop_sequence(h.call, "END", 3), AIORCH_E_STATE);
  close_held(&h);
}

static void test_put_tool_call__the_reason_that_was_put_counts(void **state) {
  (void)state;
  held h;
  open_kind(&h, AIO__CALL_GENERATE);
  assert_int_equal(aiorch_call_put_finish_reason(h.call, AIORCH_FINISH_LENGTH), AIORCH_OK);
  assert_int_equal(aiorch_call_put_tool_call(h.call, "c", 1, "f", 1, "{}", 2), AIORCH_OK);
  assert_int_equal(aio__call_result_of(h.call)->finish_reason, AIORCH_FINISH_LENGTH);
  aiorch_call_finish(h.call, AIORCH_OK);
  close_held(&h);
}

static void test_put_tool_call__refuses_what_is_none(void **state) {
  (void)state;
  char longer[257];
  held h;
  memset(longer, 'x', sizeof longer);
  open_kind(&h, AIO__CALL_GENERATE);
  assert_int_equal(aiorch_call_put_tool_call(NULL, "c", 1, "f", 1, "{}", 2), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_tool_call(h.call, "c", 1, "", 0, "{}", 2), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_tool_call(h.call, "c", 1, NULL, 3, "{}", 2), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_tool_call(h.call, "c\0", 2, "f", 1, "{}", 2), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_tool_call(h.call, "c", 1, "\xFF", 1, "{}", 2), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_tool_call(h.call, "c", 1, "f", 1, "\xFF", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_call_put_tool_call(h.call, longer, 256, "f", 1, "{}", 2), AIORCH_E_TOO_LARGE);
  assert_int_equal(aiorch_call_put_tool_call(h.call, "c", 1, longer, 256, "{}", 2), AIORCH_E_TOO_LARGE);
  assert_int_equal(aiorch_call_finish(h.call, AIORCH_OK), AIORCH_OK);
  assert_int_equal(aio__call_result_of(h.call)->status, AIORCH_OK);
  close_held(&h);
  open_kind(&h, AIO__CALL_EMBED);
  assert_int_equal(aiorch_call_put_tool_call(h.call, "c", 1, "f", 1, "{}", 2), AIORCH_E_STATE);
  close_held(&h);
}

static void test_put_tool_call__at_most_128_and_the_answer_is_then_not_whole(void **state) {
  (void)state;
  held h;
  open_kind(&h, AIO__CALL_GENERATE);
  for (int i = 0; i < AIO__TOOLS_MAX; i++) assert_int_equal(aiorch_call_put_tool_call(h.call, "c", 1, "f", 1, "", 0), AIORCH_OK);
  assert_int_equal(aiorch_call_put_tool_call(h.call, "c", 1, "f", 1, "", 0), AIORCH_E_TOO_LARGE);
  aiorch_call_finish(h.call, AIORCH_OK);
  assert_int_equal(aio__call_result_of(h.call)->status, AIORCH_E_TOO_LARGE);
  close_held(&h);
}

static void test_put_extra__limits(void **state) {
  (void)state;
  static char big[AIO__CALL_EXTRAS_BYTES_MAX / 2 + 1];
  held h;
  memset(big, 'x', sizeof big);
  open_kind(&h, AIO__CALL_GENERATE);
  aio__call_extra half = {.kind = AIO__EVENT_REASONING, .text = {big, sizeof big}};
  aio__call_extra warning = {.kind = AIO__EVENT_WARNING, .text = {big, sizeof big}};
  assert_int_equal(aio__call_put_extra(h.call, &half), AIORCH_OK);
  assert_int_equal(aio__call_put_extra(h.call, &warning), AIORCH_OK); /* of no weight: passed over */
  assert_false(aio__call_extra_at(h.call, 1, &warning));
  assert_int_equal(aio__call_put_extra(h.call, &half), AIORCH_E_TOO_LARGE);
  aiorch_call_finish(h.call, AIORCH_OK);
  assert_int_equal(aio__call_result_of(h.call)->status, AIORCH_E_TOO_LARGE);
  close_held(&h);
  open_kind(&h, AIO__CALL_GENERATE);
  aio__call_extra small = {.kind = AIO__EVENT_WARNING, .text = AIO__LIT("w")};
  for (int i = 0; i <= AIO__CALL_EXTRAS_MAX; i++) assert_int_equal(aio__call_put_extra(h.call, &small), AIORCH_OK);
  assert_true(aio__call_extra_at(h.call, AIO__CALL_EXTRAS_MAX - 1, &small));
  assert_false(aio__call_extra_at(h.call, AIO__CALL_EXTRAS_MAX, &small));
  aiorch_call_finish(h.call, AIORCH_OK);
  assert_int_equal(aio__call_result_of(h.call)->status, AIORCH_OK);
  close_held(&h);
}

static void test_put_extra__out_of_memory_is_no_success(void **state) {
  (void)state;
  held h;
  open_kind(&h, AIO__CALL_GENERATE);
  aio__call_extra extra = {.kind = AIO__EVENT_REASONING, .text = AIO__LIT("because")};
  aio__test_alloc_next(&h.alloc);
  h.alloc.fail_on = true;
  assert_int_equal(aio__call_put_extra(h.call, &extra), AIORCH_E_NOMEM);
  h.alloc.fail_at = 0;
  h.alloc.fail_on = false;
  aiorch_call_finish(h.call, AIORCH_OK);
  assert_int_equal(aio__call_result_of(h.call)->status, AIORCH_E_NOMEM);
  close_held(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_put_tool_call__is_kept_in_order),
      cmocka_unit_test(test_put_stop_sequence__is_kept_or_refused),
      cmocka_unit_test(test_put_tool_call__the_reason_that_was_put_counts),
      cmocka_unit_test(test_put_tool_call__refuses_what_is_none),
      cmocka_unit_test(test_put_tool_call__at_most_128_and_the_answer_is_then_not_whole),
      cmocka_unit_test(test_put_extra__limits),
      cmocka_unit_test(test_put_extra__out_of_memory_is_no_success),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
