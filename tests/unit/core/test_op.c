/* lib/core/op.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/op.h"

static void count_done(aio__op *op, void *ctx) {
  (void)op;
  ++*(int *)ctx;
}

static void test_init__ready_to_start(void **state) {
  (void)state;
  aio__op op;
  int done = 0;
  memset(&op, 0xFF, sizeof op);
  aio__op_init(&op, 123, count_done, &done);
  assert_int_equal(op.deadline_ns, 123);
  assert_int_equal(op.status, AIORCH_OK);
  assert_int_equal(aiorch_error_status(&op.error), AIORCH_OK);
  assert_string_equal(aiorch_error_message(&op.error), "");
  op.status = aio__error_set(&op.error, AIORCH_E_STORE, "full");
  op.done(&op, op.ctx);
  assert_int_equal(done, 1);
  assert_string_equal(aiorch_error_message(&op.error), "full");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_init__ready_to_start)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
