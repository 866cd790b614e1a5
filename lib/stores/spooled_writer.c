/* The thread that writes rows into the spool: all that wait share a sync. See spooled_private.h. */
#include <string.h>

#include "core/thread.h"
#include "stores/spooled_private.h"

enum { STACK_BYTES = 1 << 18 };

/* ---- one group ------------------------------------------------------------------------------------------------------ */

/* The row is in the spool, or it is lost: then the words of both are told. */
static aiorch_status written(aio__spooled_job *job, aiorch_status status, const aiorch_error *error) {
  aio__spooled *s = job->store;
  aiorch_error *to = &job->outer->error;
  if (status == AIORCH_OK) {
    aio__error_clear(to);
    aio__spooled_count(s, AIO__N_COST_SPOOLED);
    return AIORCH_OK;
  }
  aio__spooled_count(s, AIO__N_SPOOL_FAILED);
  const char *why = job->op.error.message;
  return aio__error_set(to, status, "%.600s%s%.300s", error->message, why[0] != '\0' ? "; the store: " : "", why);
}

static void finish(aio__spooled_job *job, aiorch_status status, const aiorch_error *error) {
  aio__op *outer = job->outer;
  outer->status = written(job, status, error);
  if (job->on_heap) aio__free(job->store->env.al, job);
  outer->done(outer, outer->ctx);
}

static void write_batch(aio__spooled *s, aio__spooled_job **jobs, size_t n) {
  const aio__spool_row *rows[AIO__SPOOLED_BATCH];
  aiorch_error error;
  bool sync = false;
  for (size_t i = 0; i < n; i++) {
    rows[i] = &jobs[i]->row;
    sync = sync || jobs[i]->sync;
  }
  aio__error_init(&error);
  aiorch_status status = aio__spool_append(s->spool, rows, n, sync, &error);
  for (size_t i = 0; i < n; i++) {
    if (status != AIORCH_OK && n > 1) {
      aio__error_clear(&error);
      finish(jobs[i], aio__spool_append(s->spool, &rows[i], 1, jobs[i]->sync, &error), &error);
    } else {
      finish(jobs[i], status, &error);
    }
  }
}

static size_t take_batch(aio__spooled *s, aio__spooled_job **jobs) {
  size_t n = 0;
  while (s->first != NULL && n < AIO__SPOOLED_BATCH) {
    jobs[n++] = s->first;
    s->first = s->first->next;
  }
  if (s->first == NULL) s->last = NULL;
  return n;
}

/* ---- the thread ----------------------------------------------------------------------------------------------------- */

static void *run(void *ctx) {
  aio__spooled *s = ctx;
  aio__spooled_job *jobs[AIO__SPOOLED_BATCH];
  pthread_mutex_lock(&s->mutex);
  for (;;) {
    size_t n = take_batch(s, jobs);
    if (n > 0) {
      pthread_mutex_unlock(&s->mutex);
      write_batch(s, jobs, n);
      pthread_mutex_lock(&s->mutex);
      aio__replay_want(s);
      continue;
    }
    if (s->stopping && s->out == 0) break;
    int64_t due = s->stopping ? AIO__NEVER : aio__replay_turn(s);
    if (s->first != NULL || due == 0) continue;
    if (due == AIO__NEVER)
      pthread_cond_wait(&s->cond, &s->mutex);
    else
      aio__clock_wait(s->env.clock, &s->cond, &s->mutex, due);
  }
  pthread_mutex_unlock(&s->mutex);
  aio__replay_end(s);
  return NULL;
}

aiorch_status aio__spooled_start(aio__spooled *s) {
  if (!s->started) s->started = aio__thread_start(&s->thread, STACK_BYTES, run, s) == 0;
  return s->started ? AIORCH_OK : AIORCH_E_SYSTEM;
}

/* ---- on the caller's thread ----------------------------------------------------------------------------------------- */

/* Rather than lose a row its caller waits for the disk. */
static aiorch_status write_here(aio__spooled_job *job) {
  aio__spooled *s = job->store;
  const aio__spool_row *row = &job->row;
  aiorch_error error;
  aio__error_init(&error);
  aiorch_status status = aio__spool_append(s->spool, &row, 1, job->sync, &error);
  status = written(job, status, &error);
  pthread_mutex_lock(&s->mutex);
  aio__replay_want(s);
  if (!s->stopping) (void)aio__spooled_start(s); /* without it, the next row or the next process replays this one */
  pthread_cond_broadcast(&s->cond);
  pthread_mutex_unlock(&s->mutex);
  if (job->on_heap) aio__free(s->env.al, job);
  return status;
}

aiorch_status aio__spooled_write(aio__spooled_job *job) {
  aio__spooled *s = job->store;
  job->next = NULL;
  pthread_mutex_lock(&s->mutex);
  bool taken = job->on_heap && !s->stopping && aio__spooled_start(s) == AIORCH_OK;
  if (taken) {
    if (s->last != NULL)
      s->last->next = job;
    else
      s->first = job;
    s->last = job;
    pthread_cond_broadcast(&s->cond);
  }
  pthread_mutex_unlock(&s->mutex);
  return taken ? AIORCH_PENDING : write_here(job);
}
