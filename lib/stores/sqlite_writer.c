/*
 * The thread that writes the ledger. It takes all calls that wait, up to a limit, and commits them as one transaction,
 * so that many runs share one fsync. The fsync comes after the commit and without the connection: what needs no disk goes
 * on meanwhile, carried out by who asks for it, and the next settlements gather. Each call has a savepoint: one that fails takes nothing else with it; and when the
 * transaction itself is lost, its calls are tried again one by one. A call whose deadline has passed is ended without
 * having been applied, except a settlement: money that was spent is written down however late it is.
 *
 * A settlement for which there is no memory, or no thread, is carried out by its caller (carry_out_here).
 *
 * An admission waits for no disk, nor does an attempt that is about to be made. When nothing else waits, or only for the
 * disk, their caller carries them out: to wake the thread and to be woken by it takes longer.
 */
#include <signal.h>
#include <string.h>

#include "stores/sqlite_private.h"

enum {
  STACK_BYTES = 1 << 19,
  WAIT_MIN_NS = 500000,
  WAIT_MAX_NS = 10000000,
  GATHER_PART = 4,
  FRUITLESS_PAUSE = 8,
  SYNC_MAX_NS = 20000000,
  WAITING_MAX = 16 /* callers that wait for the connection; who comes then goes into the queue */
};

typedef struct block {
  struct block *next;
  aio__sq_job job[AIO__SQ_QUEUE_BLOCK];
} block;

struct aio__sq_writer {
  aio__sq_store *store;
  pthread_mutex_t mutex; /* guards all but batch, n, fruitless and sync_ns */
  pthread_cond_t cond;
  pthread_t thread;
  bool started, stopping;
  bool unsure; /* a sync has failed, and no checkpoint has made up for it yet */
  bool busy; /* the thread, or a caller, is at the connection */
  bool slow; /* and waits there for another process or the disk */
  aio__sq_job *first, *last, *idle;
  block *blocks;
  size_t waiting; /* callers that wait for the connection */
  size_t queued, crowd; /* calls that have not ended; the most there were at once since the last fsync */
  aio__sq_job *batch[AIO__SQ_BATCH_MAX]; /* the thread's alone */
  size_t n;
  size_t fruitless; /* how often nothing came while it was waited for, in a row */
  int64_t sync_ns; /* how long the last transaction took that went to the disk */
};

static const aio__clock *clock_of(const aio__sq_writer *w) {
  return w->store->env.clock;
}

/* ---- one transaction -------------------------------------------------------------------------------------------- */

static bool is_late(const aio__sq_writer *w, const aio__sq_job *job) {
  return job->kind != AIO__SQ_SETTLE && job->op->deadline_ns != AIO__NEVER &&
         aio__clock_now(clock_of(w)) >= job->op->deadline_ns;
}

static aiorch_status late(const aio__sq_writer *w, aio__op *op) {
  return aio__error_set(&op->error, AIORCH_E_DEADLINE, "the deadline passed while waiting for %s; nothing was changed",
                        w->store->ledger.path);
}

/* The thread; and whoever waits with it. */
static void wake(aio__sq_writer *w) {
  if (w->waiting > 0)
    pthread_cond_broadcast(&w->cond);
  else
    pthread_cond_signal(&w->cond);
}

/* Hands the results over, gives the job's memory back, and tells who waits. */
static void finish(aio__sq_writer *w, aio__sq_job *job, aiorch_status status) {
  aio__op *op = job->op;
  if (status == AIORCH_OK && job->kind == AIO__SQ_ADMIT) *job->admission = job->admission_result;
  if (status == AIORCH_OK && job->kind == AIO__SQ_EXPIRE) *job->expired = job->expired_result;
  op->status = status;
  pthread_mutex_lock(&w->mutex);
  job->next = w->idle;
  w->idle = job;
  w->queued--;
  pthread_mutex_unlock(&w->mutex);
  op->done(op, op->ctx);
}

/* Ends the jobs whose deadline has passed. */
static void drop_late(aio__sq_writer *w, aio__sq_job **jobs, size_t *count) {
  size_t n = 0;
  for (size_t i = 0; i < *count; i++) {
    if (is_late(w, jobs[i]))
      finish(w, jobs[i], late(w, jobs[i]->op));
    else
      jobs[n++] = jobs[i];
  }
  *count = n;
}

static void fail_all(aio__sq_writer *w, aio__sq_job **jobs, size_t *count, const aiorch_error *error) {
  for (size_t i = 0; i < *count; i++) finish(w, jobs[i], aio__error_copy(&jobs[i]->op->error, error));
  *count = 0;
}

/* While whoever is at the connection has to wait there, nobody waits for the connection. */
static void set_slow(aio__sq_writer *w, bool slow) {
  pthread_mutex_lock(&w->mutex);
  w->slow = slow;
  if (slow && w->waiting > 0) wake(w);
  pthread_mutex_unlock(&w->mutex);
}

/* Until the write transaction stands, or nobody waits for it any more. */
static aiorch_status begin(aio__sq_writer *w, aio__sq_conn *conn, aio__sq_job **jobs, size_t *count,
                           aiorch_error *error) {
  int64_t give_up = aio__clock_after_ms(clock_of(w), w->store->env.options->store_busy_ms), wait = WAIT_MIN_NS;
  bool slow = false;
  aiorch_status status;
  for (;;) {
    drop_late(w, jobs, count);
    status = *count == 0 ? AIORCH_DONE : aio__sq_try_begin(conn, error);
    if (status != AIORCH_AGAIN) break;
    int64_t now = aio__clock_now(clock_of(w));
    if (now >= give_up) {
      status = aio__sq_fail_code(conn->owner->path, NULL, SQLITE_BUSY, error);
      break;
    }
    if (!slow) set_slow(w, slow = true);
    pthread_mutex_lock(&w->mutex);
    aio__clock_wait(clock_of(w), &w->cond, &w->mutex, now + wait);
    pthread_mutex_unlock(&w->mutex);
    wait = wait * 2 < WAIT_MAX_NS ? wait * 2 : WAIT_MAX_NS;
  }
  if (slow) set_slow(w, false);
  return status;
}

/* What has cost money is on the disk before its call ends; what only counts survives the process. */
static bool is_durable(const aio__sq_job *job) {
  return job->kind == AIO__SQ_SETTLE ||
         (job->kind == AIO__SQ_ATTEMPT && job->attempts->state != AIO__ATTEMPT_PENDING);
}

/* False when the transaction was lost. */
static bool apply_one(aio__sq_conn *conn, aio__sq_job *job) {
  aiorch_error *error = &job->op->error;
  job->status = aio__sq_run(conn, error, AIO__SQ_SAVEPOINT, "");
  if (job->status == AIORCH_OK) {
    job->status = aio__sq_ledger_apply(conn, job);
    if (job->status != AIORCH_OK && !sqlite3_get_autocommit(conn->db) &&
        aio__sq_run(conn, NULL, AIO__SQ_ROLLBACK_TO, "") != AIORCH_OK)
      return false;
    if (!sqlite3_get_autocommit(conn->db) && aio__sq_run(conn, NULL, AIO__SQ_RELEASE, "") != AIORCH_OK) return false;
  }
  return !sqlite3_get_autocommit(conn->db);
}

/* Inside the transaction, which stands afterwards (AIORCH_OK) or nothing of it does. */
static aiorch_status apply_all(aio__sq_conn *conn, aio__sq_job **jobs, size_t count, aiorch_error *error) {
  for (size_t i = 0; i < count; i++) {
    if (apply_one(conn, jobs[i])) continue;
    aiorch_status status =
      jobs[i]->status != AIORCH_OK ? aio__error_copy(error, &jobs[i]->op->error) : aio__sq_fail(conn, error);
    aio__sq_rollback(conn);
    return status;
  }
  return aio__sq_commit(conn, error);
}

/* Applies the jobs in one transaction. */
static aiorch_status transact(aio__sq_writer *w, aio__sq_conn *conn, aio__sq_job **jobs, size_t *count,
                              aiorch_error *error) {
  aiorch_status status = begin(w, conn, jobs, count, error);
  return status == AIORCH_OK ? apply_all(conn, jobs, *count, error) : status;
}

/* Commits the batch, or as many of it as can be, and ends the others. */
static void commit_batch(aio__sq_writer *w) {
  aio__sq_conn *conn = w->store->ledger.writer;
  size_t all = w->n;
  aiorch_error error;
  aio__error_init(&error);
  aiorch_status status = transact(w, conn, w->batch, &w->n, &error);
  if (status != AIORCH_OK && (all == 1 || status == AIORCH_E_STORE_DOWN)) {
    fail_all(w, w->batch, &w->n, &error);
  } else if (status != AIORCH_OK) {
    size_t n = w->n;
    w->n = 0;
    for (size_t i = 0; i < n; i++) {
      size_t one = 1;
      aio__error_clear(&w->batch[i]->op->error);
      status = transact(w, conn, &w->batch[i], &one, &error);
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

/* Both with the mutex held. */
static void take_connection(aio__sq_writer *w) {
  w->waiting++;
  while (w->busy) pthread_cond_wait(&w->cond, &w->mutex);
  w->waiting--;
  w->busy = true;
}

static void give_connection(aio__sq_writer *w) {
  w->busy = false;
  wake(w);
}

/* What was committed comes to the disk. After a sync that failed only a checkpoint makes sure that nothing of the log is
 * missing, and until one has succeeded each settlement asks for it. */
static aiorch_status make_durable(aio__sq_writer *w, aiorch_error *error) {
  aio__sq_db *db = &w->store->ledger;
  aiorch_status status = aio__sq_sync(db, error);
  pthread_mutex_lock(&w->mutex);
  if (status != AIORCH_OK) w->unsure = true;
  if (w->unsure) {
    take_connection(w);
    w->slow = true;
    pthread_mutex_unlock(&w->mutex);
    aiorch_status again = aio__sq_sync_again(db->writer);
    pthread_mutex_lock(&w->mutex);
    w->slow = false;
    give_connection(w);
    w->unsure = again != AIORCH_OK;
    if (w->unsure && status == AIORCH_OK) /* of one before this, so that there are no words any more */
      aio__sq_fail_code(db->path, NULL, SQLITE_IOERR_FSYNC, error);
    status = again == AIORCH_OK ? AIORCH_OK : error->status;
  }
  pthread_mutex_unlock(&w->mutex);
  return status;
}

static void finish_batch(aio__sq_writer *w, aiorch_status durable, const aiorch_error *error) {
  for (size_t i = 0; i < w->n; i++) {
    aio__sq_job *job = w->batch[i];
    if (durable != AIORCH_OK && job->status == AIORCH_OK) job->status = aio__error_copy(&job->op->error, error);
    finish(w, job, job->status);
  }
}

/* ---- the thread ------------------------------------------------------------------------------------------------- */

/* Moves the jobs that are durable, or those that are not, from the queue to the batch. */
static void take_batch(aio__sq_writer *w, bool durable) {
  aio__sq_job **at = &w->first, *last = NULL;
  for (w->n = 0; *at != NULL;) {
    if (is_durable(*at) == durable && w->n < AIO__SQ_BATCH_MAX) {
      w->batch[w->n++] = *at;
      *at = (*at)->next;
    } else {
      last = *at;
      at = &last->next;
    }
  }
  w->last = last;
}

static bool has_durable(const aio__sq_writer *w) {
  const aio__sq_job *job = w->first;
  while (job != NULL && !is_durable(job)) job = job->next;
  return job != NULL;
}

static void carry_out_batch(aio__sq_writer *w, bool durable) {
  aiorch_error error;
  aiorch_status status = AIORCH_OK;
  aio__error_init(&error);
  take_connection(w);
  pthread_mutex_unlock(&w->mutex);
  commit_batch(w);
  pthread_mutex_lock(&w->mutex);
  give_connection(w);
  pthread_mutex_unlock(&w->mutex);
  if (durable && w->n > 0) status = make_durable(w, &error);
  finish_batch(w, status, &error);
  pthread_mutex_lock(&w->mutex);
}

/* Gives those that are about to settle a fraction of the time that the disk will take. Runs that take longer than that
 * between two settlements bring nothing along: then it is tried but now and then. */
static void gather(aio__sq_writer *w) {
  const aio__clock *clock = clock_of(w);
  int64_t until = aio__clock_now(clock) + w->sync_ns / GATHER_PART;
  size_t before = w->queued;
  if (w->fruitless++ > 0 && w->fruitless % FRUITLESS_PAUSE != 0) return;
  for (size_t i = 0; i < AIO__SQ_BATCH_MAX; i++) {
    if (w->queued >= w->crowd || w->stopping || !aio__clock_wait(clock, &w->cond, &w->mutex, until)) break;
    take_batch(w, false);
    if (w->n > 0) carry_out_batch(w, false);
    if (aio__clock_now(clock) >= until) break;
  }
  if (w->queued > before) w->fruitless = 0;
}

/* When several runs are under way, they share an fsync. */
static void settle_together(aio__sq_writer *w) {
  const aio__clock *clock = clock_of(w);
  if (w->queued < w->crowd) gather(w);
  w->crowd = w->queued;
  take_batch(w, true);
  if (w->n == 0) return;
  int64_t begun = aio__clock_now(clock);
  carry_out_batch(w, true);
  int64_t took = aio__clock_now(clock) - begun;
  w->sync_ns = took < 0 ? 0 : took < SYNC_MAX_NS ? took : SYNC_MAX_NS;
}

static void *run(void *ctx) {
  aio__sq_writer *w = ctx;
  pthread_mutex_lock(&w->mutex);
  for (;;) {
    while (w->first == NULL && !w->stopping) pthread_cond_wait(&w->cond, &w->mutex);
    if (w->first == NULL) break;
    take_batch(w, false);
    if (w->n > 0) carry_out_batch(w, false);
    if (has_durable(w)) settle_together(w);
  }
  pthread_mutex_unlock(&w->mutex);
  return NULL;
}

/* With all signals blocked: they are the host's. */
static aiorch_status start_thread(aio__sq_writer *w, aiorch_error *error) {
  pthread_attr_t attr;
  sigset_t all, before;
  if (w->started) return AIORCH_OK;
  int code = pthread_attr_init(&attr);
  if (code == 0) {
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&w->thread, &attr, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
  }
  w->started = code == 0;
  if (w->started) return AIORCH_OK;
  return aio__error_set(error, AIORCH_E_SYSTEM, "no thread can be started to write %s: %s", w->store->ledger.path,
                        strerror(code));
}

static aio__sq_job *take_job(aio__sq_writer *w) {
  if (w->idle == NULL) {
    block *more = aio__calloc(w->store->env.al, 1, sizeof *more);
    if (more == NULL) return NULL;
    more->next = w->blocks;
    w->blocks = more;
    for (size_t i = 0; i < AIO__SQ_QUEUE_BLOCK; i++) {
      more->job[i].next = w->idle;
      w->idle = &more->job[i];
    }
  }
  aio__sq_job *job = w->idle;
  w->idle = job->next;
  return job;
}

static aiorch_status enqueue(aio__sq_writer *w, const aio__sq_job *job) {
  aiorch_error *error = &job->op->error;
  if (w->stopping) return aio__error_set(error, AIORCH_E_CLOSED, "the store is closing");
  if (w->queued >= AIO__SQ_QUEUE_MAX)
    return aio__error_set(error, AIORCH_E_STORE_DOWN, "%d calls wait for %s already: its disk is too slow for them",
                          AIO__SQ_QUEUE_MAX, w->store->ledger.path);
  aiorch_status status = start_thread(w, error);
  if (status != AIORCH_OK) return status;
  aio__sq_job *copy = take_job(w);
  if (copy == NULL) return aio__sq_nomem(error);
  *copy = *job;
  copy->next = NULL;
  if (w->last != NULL)
    w->last->next = copy;
  else
    w->first = copy;
  w->last = copy;
  w->queued++;
  if (w->queued > w->crowd) w->crowd = w->queued;
  wake(w);
  return AIORCH_PENDING;
}

/* ---- on the caller's thread ------------------------------------------------------------------------------------- */

static bool needs_no_disk(const aio__sq_job *job) {
  return job->kind == AIO__SQ_ADMIT || (job->kind == AIO__SQ_ATTEMPT && !is_durable(job));
}

/* Waits for the connection, but not when too many do, for whom the thread makes one transaction, nor when it will be long.
 * A checkpoint waits for the disk, so when one is due it is the thread's turn. */
static bool may_go_at_once(aio__sq_writer *w, const aio__sq_job *job) {
  const aio__sq_conn *conn = w->store->ledger.writer;
  bool in_time = true;
  if (!needs_no_disk(job) || w->waiting >= WAITING_MAX) return false;
  w->waiting++;
  while (w->busy && !w->slow && !w->stopping && in_time)
    in_time = aio__clock_wait(clock_of(w), &w->cond, &w->mutex, job->op->deadline_ns);
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
  if (status == AIORCH_OK) status = apply_all(conn, jobs, 1, &error);
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
  take_connection(w);
  pthread_mutex_unlock(&w->mutex);
  aiorch_status status = transact(w, w->store->ledger.writer, jobs, &count, &error);
  pthread_mutex_lock(&w->mutex);
  give_connection(w);
  pthread_mutex_unlock(&w->mutex);
  if (status == AIORCH_OK) status = job.status;
  if (status == AIORCH_OK) status = make_durable(w, &error);
  if (status == error.status) aio__error_copy(&job.op->error, &error);
  pthread_mutex_lock(&w->mutex);
  return status;
}

aiorch_status aio__sq_writer_put(aio__sq_writer *w, const aio__sq_job *job) {
  aiorch_status status = AIORCH_AGAIN;
  if (is_late(w, job)) return late(w, job->op);
  pthread_mutex_lock(&w->mutex);
  if (may_go_at_once(w, job)) {
    w->busy = true;
    pthread_mutex_unlock(&w->mutex);
    status = go_at_once(w, job);
    pthread_mutex_lock(&w->mutex);
    give_connection(w);
  }
  if (status == AIORCH_AGAIN) status = enqueue(w, job);
  bool no_room = status == AIORCH_E_NOMEM || status == AIORCH_E_SYSTEM;
  if (no_room && job->kind == AIO__SQ_SETTLE) status = carry_out_here(w, job);
  pthread_mutex_unlock(&w->mutex);
  return status;
}

aiorch_status aio__sq_writer_new(aio__sq_store *store, aio__sq_writer **out) {
  aio__sq_writer *w = aio__calloc(store->env.al, 1, sizeof *w);
  if (w == NULL) return AIORCH_E_NOMEM;
  w->store = store;
  if (pthread_mutex_init(&w->mutex, NULL) != 0) {
    aio__free(store->env.al, w);
    return AIORCH_E_NOMEM;
  }
  if (aio__cond_init(&w->cond) != 0) {
    pthread_mutex_destroy(&w->mutex);
    aio__free(store->env.al, w);
    return AIORCH_E_NOMEM;
  }
  *out = w;
  return AIORCH_OK;
}

void aio__sq_writer_free(aio__sq_writer *w) {
  if (w == NULL) return;
  pthread_mutex_lock(&w->mutex);
  w->stopping = true;
  wake(w);
  pthread_mutex_unlock(&w->mutex);
  if (w->started) pthread_join(w->thread, NULL);
  while (w->blocks != NULL) {
    block *next = w->blocks->next;
    aio__free(w->store->env.al, w->blocks);
    w->blocks = next;
  }
  pthread_cond_destroy(&w->cond);
  pthread_mutex_destroy(&w->mutex);
  aio__free(w->store->env.al, w);
}
