#include "store_call.h"

#include "figures.h"

static void on_done(aio__op *op, void *ctx) {
  store_call *c = ctx;
  (void)op;
  pthread_mutex_lock(&c->mutex);
  c->done = true;
  pthread_cond_signal(&c->cond);
  pthread_mutex_unlock(&c->mutex);
}

void store_call_init(store_call *c) {
  pthread_mutex_init(&c->mutex, NULL);
  pthread_cond_init(&c->cond, NULL);
}

aio__op *store_call_begin(store_call *c) {
  c->done = false;
  aio__op_init(&c->op, AIO__NEVER, on_done, c);
  return &c->op;
}

void store_call_end(store_call *c, aiorch_status status) {
  pthread_mutex_lock(&c->mutex);
  while (status == AIORCH_PENDING && !c->done) pthread_cond_wait(&c->cond, &c->mutex);
  pthread_mutex_unlock(&c->mutex);
  if (status == AIORCH_PENDING) status = c->op.status;
  if (status != AIORCH_OK) die("a call", c->op.error.message);
}
