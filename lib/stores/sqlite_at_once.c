/* What callers of the ledger's writer carry out on their own threads: a call that need not wait, those in company together,
 * and a settlement that finds no room. */
#include "stores/sqlite_writer.h"

enum { WAITING_MAX = 16 /* callers that wait for the connection; who comes then goes into the queue */ };

/* ---- on the caller's thread ------------------------------------------------------------------------------------- */

static bool needs_no_disk(const aio__sq_job *job) {
  return job->kind == AIO__SQ_ADMIT || (job->kind == AIO__SQ_ATTEMPT && !aio__sq_job_is_durable(job));
}

/* Waits for the connection, but not when too many do, for whom the thread makes one transaction, nor when it will be long.
 * A checkpoint waits for the disk, so when one is due it is the thread's turn. */
static bool may_go_at_once(aio__sq_writer *w, const aio__sq_job *job) {
  const aio__sq_conn *conn = w->store->ledger.writer;
  bool in_time = true;
  if (!needs_no_disk(job) || job->op->company || w->waiting >= WAITING_MAX) return false;
  w->waiting++;
  while (w->busy && !w->slow && !w->stopping && in_time)
    in_time = aio__clock_wait(aio__sq_writer_clock(w), &w->cond, &w->mutex, job->op->deadline_ns);
  w->waiting--;
  return !w->busy && !w->stopping && !aio__sq_checkpoint_is_due(conn);
}

/* AIORCH_AGAIN: another process writes, and to wait for it is the thread's part. */
static aiorch_status go_at_once(aio__sq_writer *w, const aio__sq_job *asked) {
  aio__sq_conn *conn = w->store->ledger.writer;
  aio__sq_job job = *asked, *jobs[] = {&job};
  aiorch_error error;
  aio__error_init(&error);
  aiorch_status status = aio__sq_try_begin(conn, &error);
  if (status == AIORCH_OK) status = aio__sq_jobs_apply(conn, jobs, 1, &error);
  if (status == AIORCH_AGAIN) return status;
  if (status != AIORCH_OK) return aio__error_copy(&job.op->error, &error);
  if (job.status == AIORCH_OK && job.kind == AIO__SQ_ADMIT) *job.admission = job.admission_result;
  return job.status;
}

/* A settlement for which there is no room in the queue, or no thread: rather than lose it, its caller waits for the disk.
 */
static aiorch_status carry_out_here(aio__sq_writer *w, const aio__sq_job *asked) {
  aio__sq_job job = *asked, *jobs[] = {&job};
  size_t count = 1;
  aiorch_error error;
  aio__error_init(&error);
  aio__error_clear(&job.op->error);
  aio__sq_writer_take(w);
  pthread_mutex_unlock(&w->mutex);
  aiorch_status status = aio__sq_writer_transact(w, w->store->ledger.writer, jobs, &count, &error);
  pthread_mutex_lock(&w->mutex);
  aio__sq_writer_give(w);
  pthread_mutex_unlock(&w->mutex);
  if (status == AIORCH_OK) status = job.status;
  if (status == AIORCH_OK) status = aio__sq_writer_sync(w, &error);
  if (status == error.status) aio__error_copy(&job.op->error, &error);
  pthread_mutex_lock(&w->mutex);
  return status;
}

aiorch_status aio__sq_writer_put(aio__sq_writer *w, const aio__sq_job *job) {
  aiorch_status status = AIORCH_AGAIN;
  if (aio__sq_job_is_late(w, job)) return aio__sq_job_late(w, job->op);
  pthread_mutex_lock(&w->mutex);
  /* The last of many runs has no company any more, but those before it are still in the queue. */
  if (needs_no_disk(job) && w->first != NULL && atomic_load(&w->lingering)) job->op->company = true;
  if (may_go_at_once(w, job)) {
    w->busy = true;
    pthread_mutex_unlock(&w->mutex);
    status = go_at_once(w, job);
    pthread_mutex_lock(&w->mutex);
    aio__sq_writer_give(w);
  }
  if (status == AIORCH_AGAIN) status = aio__sq_writer_enqueue(w, job);
  bool no_room = status == AIORCH_E_NOMEM || status == AIORCH_E_SYSTEM;
  if (no_room && job->kind == AIO__SQ_SETTLE) status = carry_out_here(w, job);
  pthread_mutex_unlock(&w->mutex);
  return status;
}

/* ---- on the thread of who drives the runs ----------------------------------------------------------------------- */

static bool may_take(const aio__sq_writer *w, const aio__sq_job *job) {
  return !aio__sq_job_is_durable(job) || !aio__sq_writer_is_holding(w);
}

/* Is there anything to commit now? */
static bool any_to_take(aio__sq_writer *w) {
  const aio__sq_job *job = w->first;
  while (job != NULL && !may_take(w, job)) job = job->next;
  if (job == NULL && w->first != NULL) w->held = true;
  return job != NULL;
}

/* All that is in the queue and may be taken, up to a limit. */
static size_t take_all(aio__sq_writer *w, aio__sq_job *out[AIO__SQ_BATCH_MAX]) {
  aio__sq_job **at = &w->first, *last = NULL;
  size_t n = 0;
  while (*at != NULL) {
    if (n < AIO__SQ_BATCH_MAX && may_take(w, *at)) {
      w->taken += (*at)->op->company;
      out[n++] = *at;
      *at = (*at)->next;
    } else {
      w->held |= aio__sq_job_is_durable(*at);
      last = *at;
      at = &last->next;
    }
  }
  w->last = last;
  if (w->first == NULL) atomic_store(&w->lingering, false);
  return n;
}

/* To the thread, which tries them one by one. */
static void put_back(aio__sq_writer *w, aio__sq_job **jobs, size_t count) {
  for (size_t i = count; i-- > 0;) {
    aio__error_clear(&jobs[i]->op->error);
    jobs[i]->next = w->first;
    if (w->first == NULL) w->last = jobs[i];
    w->first = jobs[i];
    w->taken -= jobs[i]->op->company;
  }
  if (count > 0) aio__sq_writer_call(w);
}

/* Leaves to the thread what waits for the disk, and ends the others. True: there are any. */
static bool end_flushed(aio__sq_writer *w, aio__sq_job **jobs, size_t count) {
  size_t n = 0;
  aio__sq_job *first = NULL, **end = &first;
  for (size_t i = 0; i < count; i++) {
    if (aio__sq_job_is_durable(jobs[i])) {
      *end = jobs[i];
      end = &jobs[i]->next;
    } else {
      jobs[n++] = jobs[i];
    }
  }
  if (first != NULL) {
    pthread_mutex_lock(&w->mutex);
    *end = w->unsynced;
    w->unsynced = first;
    aio__sq_writer_wake(w);
    pthread_mutex_unlock(&w->mutex);
  }
  for (size_t i = 0; i < n; i++) aio__sq_writer_finish(w, jobs[i], AIORCH_OK);
  return n > 0;
}

bool aio__sq_writer_flush(aio__sq_writer *w) {
  aio__sq_conn *conn = w->store->ledger.writer;
  aio__sq_job *jobs[AIO__SQ_BATCH_MAX];
  size_t n = 0;
  aiorch_error error;
  if (!atomic_load(&w->lingering)) return false;
  aio__error_init(&error);
  pthread_mutex_lock(&w->mutex);
  w->waiting++;
  while (w->busy && !w->slow && !w->stopping) pthread_cond_wait(&w->cond, &w->mutex);
  w->waiting--;
  bool due = !w->busy && aio__sq_checkpoint_is_due(conn), any = any_to_take(w);
  bool here = any && !due && !w->busy && !w->stopping;
  if (here)
    w->busy = true;
  else if (any)
    aio__sq_writer_call(w);
  pthread_mutex_unlock(&w->mutex);
  if (!here) return false;
  aiorch_status status = aio__sq_try_begin(conn, &error);
  bool begun = status == AIORCH_OK;
  pthread_mutex_lock(&w->mutex);
  if (begun)
    n = take_all(w, jobs);
  else if (w->first != NULL)
    aio__sq_writer_call(w); /* another process writes, and to wait for it is the thread's part */
  pthread_mutex_unlock(&w->mutex);
  if (begun) {
    aio__sq_writer_drop_late(w, jobs, &n);
    status = aio__sq_jobs_apply(conn, jobs, n, &error);
  }
  pthread_mutex_lock(&w->mutex);
  aio__sq_writer_give(w);
  if (begun && status != AIORCH_OK) put_back(w, jobs, n);
  pthread_mutex_unlock(&w->mutex);
  return status == AIORCH_OK && end_flushed(w, jobs, n);
}
