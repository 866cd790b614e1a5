/* A caller that waits for its step on its own thread. */
#include "stores/postgres_engine.h"

aiorch_status aio__pg_wait_init(aio__pg_wait *wait, aiorch_error *error) {
  if (pthread_mutex_init(&wait->mutex, NULL) != 0) return aio__pg_nomem(error);
  if (aio__cond_init(&wait->cond) == 0) return AIORCH_OK;
  pthread_mutex_destroy(&wait->mutex);
  return aio__pg_nomem(error);
}

void aio__pg_wait_free(aio__pg_wait *wait) {
  pthread_cond_destroy(&wait->cond);
  pthread_mutex_destroy(&wait->mutex);
}

static void ended(aio__op *op, void *ctx) {
  aio__pg_wait *wait = ctx;
  (void)op;
  pthread_mutex_lock(&wait->mutex);
  wait->done = true;
  pthread_cond_signal(&wait->cond);
  pthread_mutex_unlock(&wait->mutex);
}

void aio__pg_wait_again(aio__pg_wait *wait, int64_t deadline_ns) {
  wait->done = false;
  aio__op_init(&wait->op, deadline_ns, ended, wait);
}

aiorch_status aio__pg_wait_for(aio__pg_wait *wait, aio__pg_step *step, aiorch_error *error) {
  aiorch_status status = aio__pg_step_start(step);
  pthread_mutex_lock(&wait->mutex);
  while (status == AIORCH_PENDING && !wait->done) pthread_cond_wait(&wait->cond, &wait->mutex);
  pthread_mutex_unlock(&wait->mutex);
  if (status == AIORCH_PENDING) status = wait->op.status;
  if (status != AIORCH_OK) aio__error_copy(error, &wait->op.error);
  return status;
}
