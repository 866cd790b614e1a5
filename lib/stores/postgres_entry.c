/* The door of the pool: what runs on the threads of those who call. See postgres_engine.h. */
#include <unistd.h>

#include "stores/postgres_engine.h"

static void set_deadline(const aio__pg_pool *pool, aio__pg_step *step) {
  int64_t cap = step->flags & AIO__PG_LONG ? AIO__NEVER : aio__clock_after_ms(aio__io_clock(pool->io), pool->store->env.options->postgres_timeout_ms);
  bool late = (step->flags & AIO__PG_MONEY) && step->op->deadline_ns <= aio__clock_now(aio__io_clock(pool->io));
  step->capped = cap < step->op->deadline_ns || late;
  step->deadline_ns = step->capped ? cap : step->op->deadline_ns;
}

aiorch_status aio__pg_pool_put(aio__pg_pool *pool, aio__pg_step *step) {
  aiorch_error *error = &step->op->error;
  aiorch_status status = AIORCH_OK;
  if (pool->pid != getpid())
    return aio__error_set(error, AIORCH_E_FORKED, "the handle was made before fork(); open a new one in the child");
  set_deadline(pool, step);
  step->task.run = aio__pg_pool_on_put;
  aio__io_timer_init(&step->timer, aio__pg_pool_on_step_timer);
  pthread_mutex_lock(&pool->mutex);
  if (pool->closing)
    status = aio__error_set(error, AIORCH_E_CLOSED, "the store is closed");
  else if (pool->inside >= AIO__PG_WAITING_MAX)
    status = aio__error_set(error, AIORCH_E_STORE_DOWN, "%d calls wait for the store already", AIO__PG_WAITING_MAX);
  else if (!pool->started)
    status = aio__io_start(pool->io, error);
  if (status == AIORCH_OK) {
    if (!pool->started) aio__io_post(pool->io, &pool->open_task);
    pool->started = true;
    pool->inside++;
    aio__io_post(pool->io, &step->task);
  }
  pthread_mutex_unlock(&pool->mutex);
  return status;
}

aiorch_status aio__pg_pool_open(aio__pg_store *store, aio__io_thread *io, aiorch_error *error) {
  aio__pg_pool *pool = &store->pool;
  pool->store = store;
  pool->pid = getpid();
  pool->max = (size_t)store->env.options->postgres_connections_max;
  aio__error_init(&pool->why);
  aio__io_timer_init(&pool->again, aio__pg_pool_on_again);
  pool->open_task.run = aio__pg_pool_on_open;
  pool->close_task.run = aio__pg_pool_on_close;
  if (pthread_mutex_init(&pool->mutex, NULL) != 0) return aio__pg_nomem(error);
  if (aio__cond_init(&pool->cond) != 0) {
    pthread_mutex_destroy(&pool->mutex);
    return aio__pg_nomem(error);
  }
  pool->io = io;
  if (io == NULL) {
    aiorch_status status = aio__io_new(store->env.al, store->env.clock, &pool->io, error);
    if (status != AIORCH_OK) {
      pthread_cond_destroy(&pool->cond);
      pthread_mutex_destroy(&pool->mutex);
      return status;
    }
    pool->own_io = true;
  }
  store->has_pool = true;
  return AIORCH_OK;
}

void aio__pg_pool_close(aio__pg_store *store) {
  aio__pg_pool *pool = &store->pool;
  if (!store->has_pool) return;
  pthread_mutex_lock(&pool->mutex);
  pool->closing = true;
  if (pool->started) {
    aio__io_post(pool->io, &pool->close_task);
    while (!pool->closed) pthread_cond_wait(&pool->cond, &pool->mutex);
  }
  pthread_mutex_unlock(&pool->mutex);
  if (pool->own_io) aio__io_free(pool->io);
  pthread_cond_destroy(&pool->cond);
  pthread_mutex_destroy(&pool->mutex);
  store->has_pool = false;
}
