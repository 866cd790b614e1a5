/* How an operation starts out. */
#include "core/op.h"

void aio__op_init(aio__op *op, int64_t deadline_ns, void (*done)(aio__op *, void *), void *ctx) {
  op->deadline_ns = deadline_ns;
  op->done = done;
  op->ctx = ctx;
  op->company = false;
  op->status = AIORCH_OK;
  aio__error_init(&op->error);
}
