/* What the ledger's writer does in one transaction, and how that comes to the disk. */
#include "stores/sqlite_writer.h"

enum { WAIT_MIN_NS = 500000, WAIT_MAX_NS = 10000000 };

/* ---- one transaction -------------------------------------------------------------------------------------------- */

bool aio__sq_job_is_late(const aio__sq_writer *w, const aio__sq_job *job) {
  return job->kind != AIO__SQ_SETTLE && job->op->deadline_ns != AIO__NEVER &&
         aio__clock_now(aio__sq_writer_clock(w)) >= job->op->deadline_ns;
}

aiorch_status aio__sq_job_late(const aio__sq_writer *w, aio__op *op) {
  return aio__error_set(&op->error, AIORCH_E_DEADLINE, "the deadline passed while waiting for %s; nothing was changed",
                        w->store->ledger.path);
}

void aio__sq_writer_wake(aio__sq_writer *w) {
  if (w->waiting > 0)
    pthread_cond_broadcast(&w->cond);
  else
    pthread_cond_signal(&w->cond);
}

void aio__sq_writer_finish(aio__sq_writer *w, aio__sq_job *job, aiorch_status status) {
  aio__op *op = job->op;
  if (status == AIORCH_OK && job->kind == AIO__SQ_ADMIT) *job->admission = job->admission_result;
  if (status == AIORCH_OK && job->kind == AIO__SQ_EXPIRE) *job->expired = job->expired_result;
  if (status == AIORCH_OK && job->kind == AIO__SQ_PRUNE) *job->pruned = job->pruned_result;
  op->status = status;
  pthread_mutex_lock(&w->mutex);
  job->next = w->idle;
  w->idle = job;
  w->queued--;
  pthread_mutex_unlock(&w->mutex);
  op->done(op, op->ctx);
}

void aio__sq_writer_drop_late(aio__sq_writer *w, aio__sq_job **jobs, size_t *count) {
  size_t n = 0;
  for (size_t i = 0; i < *count; i++) {
    if (aio__sq_job_is_late(w, jobs[i]))
      aio__sq_writer_finish(w, jobs[i], aio__sq_job_late(w, jobs[i]->op));
    else
      jobs[n++] = jobs[i];
  }
  *count = n;
}

static void fail_all(aio__sq_writer *w, aio__sq_job **jobs, size_t *count, const aiorch_error *error) {
  for (size_t i = 0; i < *count; i++) aio__sq_writer_finish(w, jobs[i], aio__error_copy(&jobs[i]->op->error, error));
  *count = 0;
}

/* While whoever is at the connection has to wait there, nobody waits for the connection. */
static void set_slow(aio__sq_writer *w, bool slow) {
  pthread_mutex_lock(&w->mutex);
  w->slow = slow;
  if (slow && w->waiting > 0) aio__sq_writer_wake(w);
  pthread_mutex_unlock(&w->mutex);
}

/* Until the write transaction stands, or nobody waits for it any more. */
static aiorch_status begin(aio__sq_writer *w, aio__sq_conn *conn, aio__sq_job **jobs, size_t *count,
                           aiorch_error *error) {
  int64_t give_up = aio__clock_after_ms(aio__sq_writer_clock(w), w->store->env.options->store_busy_ms), wait = WAIT_MIN_NS;
  bool slow = false;
  aiorch_status status;
  for (;;) {
    aio__sq_writer_drop_late(w, jobs, count);
    status = *count == 0 ? AIORCH_DONE : aio__sq_try_begin(conn, error);
    if (status != AIORCH_AGAIN) break;
    int64_t now = aio__clock_now(aio__sq_writer_clock(w));
    if (now >= give_up) {
      status = aio__sq_fail_code(conn->owner->path, NULL, SQLITE_BUSY, error);
      break;
    }
    if (!slow) set_slow(w, slow = true);
    pthread_mutex_lock(&w->mutex);
    aio__clock_wait(aio__sq_writer_clock(w), &w->cond, &w->mutex, now + wait);
    pthread_mutex_unlock(&w->mutex);
    wait = wait * 2 < WAIT_MAX_NS ? wait * 2 : WAIT_MAX_NS;
  }
  if (slow) set_slow(w, false);
  return status;
}

bool aio__sq_job_is_durable(const aio__sq_job *job) {
  return job->kind == AIO__SQ_SETTLE ||
         (job->kind == AIO__SQ_ATTEMPT && job->attempts->state != AIO__ATTEMPT_PENDING);
}

aiorch_status aio__sq_jobs_apply(aio__sq_conn *conn, aio__sq_job **jobs, size_t count, aiorch_error *error) {
  aio__sq_ledger_begin(conn);
  for (size_t i = 0; i < count; i++) {
    aio__sq_job *job = jobs[i];
    job->status = aio__sq_ledger_apply(conn, job);
    if (job->status == AIORCH_OK && !sqlite3_get_autocommit(conn->db)) continue;
    aiorch_status status =
      job->status != AIORCH_OK ? aio__error_copy(error, &job->op->error) : aio__sq_fail(conn, error);
    aio__sq_rollback(conn);
    return status;
  }
  aiorch_status status = aio__sq_ledger_end(conn, error, jobs, count);
  if (status == AIORCH_OK) return aio__sq_commit(conn, error);
  aio__sq_rollback(conn);
  return status;
}

aiorch_status aio__sq_writer_transact(aio__sq_writer *w, aio__sq_conn *conn, aio__sq_job **jobs, size_t *count,
                              aiorch_error *error) {
  aiorch_status status = begin(w, conn, jobs, count, error);
  return status == AIORCH_OK ? aio__sq_jobs_apply(conn, jobs, *count, error) : status;
}

void aio__sq_writer_commit_batch(aio__sq_writer *w) {
  aio__sq_conn *conn = w->store->ledger.writer;
  size_t all = w->n;
  aiorch_error error;
  aio__error_init(&error);
  aiorch_status status = aio__sq_writer_transact(w, conn, w->batch, &w->n, &error);
  if (status != AIORCH_OK && (all == 1 || status == AIORCH_E_STORE_DOWN)) {
    fail_all(w, w->batch, &w->n, &error);
  } else if (status != AIORCH_OK) {
    size_t n = w->n;
    w->n = 0;
    for (size_t i = 0; i < n; i++) {
      size_t one = 1;
      aio__error_clear(&w->batch[i]->op->error);
      status = aio__sq_writer_transact(w, conn, &w->batch[i], &one, &error);
      if (status == AIORCH_OK)
        w->batch[w->n++] = w->batch[i];
      else
        fail_all(w, &w->batch[i], &one, &error);
    }
  }
  if (!aio__sq_checkpoint_is_due(conn)) return;
  set_slow(w, true);
  aio__sq_checkpoint_if_due(conn);
  set_slow(w, false);
}

/* ---- the disk --------------------------------------------------------------------------------------------------- */

void aio__sq_writer_take(aio__sq_writer *w) {
  w->waiting++;
  while (w->busy) pthread_cond_wait(&w->cond, &w->mutex);
  w->waiting--;
  w->busy = true;
}

void aio__sq_writer_give(aio__sq_writer *w) {
  w->busy = false;
  if (w->waiting > 0) aio__sq_writer_wake(w);
}

/* After a sync that failed only a checkpoint makes sure that nothing of the log is
 * missing, and until one has succeeded each settlement asks for it. */
aiorch_status aio__sq_writer_sync(aio__sq_writer *w, aiorch_error *error) {
  aio__sq_db *db = &w->store->ledger;
  aiorch_status status = aio__sq_sync(db, error);
  pthread_mutex_lock(&w->mutex);
  if (status != AIORCH_OK) w->unsure = true;
  if (w->unsure) {
    aio__sq_writer_take(w);
    w->slow = true;
    pthread_mutex_unlock(&w->mutex);
    aiorch_status again = aio__sq_sync_again(db->writer);
    pthread_mutex_lock(&w->mutex);
    w->slow = false;
    aio__sq_writer_give(w);
    w->unsure = again != AIORCH_OK;
    if (w->unsure && status == AIORCH_OK) /* of one before this, so that there are no words any more */
      aio__sq_fail_code(db->path, NULL, SQLITE_IOERR_FSYNC, error);
    status = again == AIORCH_OK ? AIORCH_OK : error->status;
  }
  pthread_mutex_unlock(&w->mutex);
  return status;
}
