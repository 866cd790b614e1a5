/*
 * The thread that writes the ledger. It takes all calls that wait, up to a limit, and commits them as one transaction,
 * so that many runs share one fsync. The fsync comes after the commit and without the connection: what needs no disk goes
 * on meanwhile, carried out by who asks for it, and the next settlements gather. A transaction that is lost, be it by one
 * of its calls, takes nothing with it: its calls are tried again one by one. A call whose deadline has passed is ended without
 * having been applied, except a settlement: money that was spent is written down however late it is.
 *
 * A settlement for which there is no memory, or no thread, is carried out by its caller (carry_out_here).
 *
 * An admission waits for no disk, nor does an attempt that is about to be made. When nothing else waits, or only for the
 * disk, their caller carries them out: to wake the thread and to be woken by it takes longer.
 *
 * Calls in company (core/op.h) stay in the queue, and nobody is woken for them. Who drives the runs commits them together
 * when no run is left that can go on (aio__sq_writer_flush), and leaves to the thread what has to come to the disk. While
 * the disk is busy with those before them, settlements stay in the queue: to commit them earlier would only make more and
 * smaller transactions. The thread looks now and then whether somebody has forgotten a call.
 */
#include <string.h>

#include "core/thread.h"
#include "stores/sqlite_writer.h"

enum {
  STACK_BYTES = 1 << 19,
  GATHER_PART = 4,
  CROWD_PART = 16, /* how fast it is forgotten how many waited at once */
  FRUITLESS_PAUSE = 8,
  SYNC_MAX_NS = 20000000,
  LINGER_NS = 10000000 /* how often the thread looks for calls in company that nobody commits */
};

static void finish_batch(aio__sq_writer *w, aiorch_status durable, const aiorch_error *error) {
  for (size_t i = 0; i < w->n; i++) {
    aio__sq_job *job = w->batch[i];
    if (durable != AIORCH_OK && job->status == AIORCH_OK) job->status = aio__error_copy(&job->op->error, error);
    aio__sq_writer_finish(w, job, job->status);
  }
}

/* ---- the thread ------------------------------------------------------------------------------------------------- */

/* Moves the jobs that are durable, or those that are not, from the queue to the batch. */
static void take_batch(aio__sq_writer *w, bool durable) {
  aio__sq_job **at = &w->first, *last = NULL;
  for (w->n = 0; *at != NULL;) {
    if (aio__sq_job_is_durable(*at) == durable && w->n < AIO__SQ_BATCH_MAX) {
      w->taken += (*at)->op->company;
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
  while (job != NULL && !aio__sq_job_is_durable(job)) job = job->next;
  return job != NULL;
}

static aiorch_status sync_batch(aio__sq_writer *w, aiorch_error *error) {
  pthread_mutex_lock(&w->mutex);
  size_t less = w->crowd - w->crowd / CROWD_PART;
  w->crowd = w->queued > less ? w->queued : less;
  atomic_fetch_add(&w->syncs, 1);
  pthread_mutex_unlock(&w->mutex);
  aiorch_status status = aio__sq_writer_sync(w, error);
  atomic_fetch_add(&w->syncs, 1);
  return status;
}

static void carry_out_batch(aio__sq_writer *w, bool durable) {
  aiorch_error error;
  aiorch_status status = AIORCH_OK;
  aio__error_init(&error);
  aio__sq_writer_take(w);
  pthread_mutex_unlock(&w->mutex);
  aio__sq_writer_commit_batch(w);
  pthread_mutex_lock(&w->mutex);
  aio__sq_writer_give(w);
  pthread_mutex_unlock(&w->mutex);
  if (durable && w->n > 0) status = sync_batch(w, &error);
  finish_batch(w, status, &error);
  pthread_mutex_lock(&w->mutex);
}

/* Gives those that are about to settle a fraction of the time that the disk will take. Runs that take longer than that
 * between two settlements bring nothing along: then it is tried but now and then. */
static void gather(aio__sq_writer *w) {
  const aio__clock *clock = aio__sq_writer_clock(w);
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
  const aio__clock *clock = aio__sq_writer_clock(w);
  if (w->queued < w->crowd) gather(w);
  w->crowd = w->queued;
  take_batch(w, true);
  if (w->n == 0) return;
  int64_t begun = aio__clock_now(clock);
  carry_out_batch(w, true);
  int64_t took = aio__clock_now(clock) - begun;
  w->sync_ns = took < 0 ? 0 : took < SYNC_MAX_NS ? took : SYNC_MAX_NS;
}

/* Brings to the disk what others have committed, and ends it. */
static void sync_flushed(aio__sq_writer *w) {
  aiorch_error error;
  aio__sq_job *job = w->unsynced;
  aio__error_init(&error);
  w->unsynced = NULL;
  pthread_mutex_unlock(&w->mutex);
  aiorch_status status = sync_batch(w, &error);
  for (aio__sq_job *next; job != NULL; job = next) {
    next = job->next;
    aio__sq_writer_finish(w, job, status == AIORCH_OK ? status : aio__error_copy(&job->op->error, &error));
  }
  pthread_mutex_lock(&w->mutex);
}

/* What came while the disk was busy. */
static void settle_held(aio__sq_writer *w) {
  w->held = false;
  take_batch(w, true);
  if (w->n > 0) carry_out_batch(w, true);
  if (w->first == NULL) atomic_store(&w->lingering, false);
}

static void carry_out_puts(aio__sq_writer *w) {
  w->puts_due = false;
  pthread_mutex_unlock(&w->mutex);
  aio__sq_puts_carry_out(w->store);
  pthread_mutex_lock(&w->mutex);
}

static bool has_work(const aio__sq_writer *w) {
  return w->called || w->held || w->puts_due || w->unsynced != NULL || w->stopping;
}

/* Has nobody come for what was there when the wait began? */
static bool has_waited_in_vain(aio__sq_writer *w) {
  uint64_t before = w->entered;
  int64_t until = aio__clock_now(aio__sq_writer_clock(w)) + LINGER_NS;
  while (!has_work(w) && aio__clock_wait(aio__sq_writer_clock(w), &w->cond, &w->mutex, until)) continue;
  if (has_work(w)) return false;
  w->watching = w->entered != before || w->taken != before;
  return w->taken < before;
}

static void wait_for_work(aio__sq_writer *w) {
  while (!has_work(w)) {
    if (!w->watching) {
      pthread_cond_wait(&w->cond, &w->mutex);
    } else if (has_waited_in_vain(w)) {
      w->called = w->puts_due = true;
    }
  }
}

static void *run(void *ctx) {
  aio__sq_writer *w = ctx;
  pthread_mutex_lock(&w->mutex);
  for (;;) {
    wait_for_work(w);
    if (w->unsynced != NULL) sync_flushed(w);
    if (w->held) settle_held(w);
    if (w->puts_due) carry_out_puts(w);
    if (!w->called && !w->stopping) continue;
    take_batch(w, false);
    if (w->n > 0) carry_out_batch(w, false);
    if (has_durable(w)) settle_together(w);
    if (w->first != NULL) continue;
    w->called = false;
    atomic_store(&w->lingering, false);
    if (w->stopping && w->unsynced == NULL) break;
  }
  pthread_mutex_unlock(&w->mutex);
  return NULL;
}

static aiorch_status start_thread(aio__sq_writer *w, aiorch_error *error) {
  if (w->started) return AIORCH_OK;
  int code = aio__thread_start(&w->thread, STACK_BYTES, run, w);
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
void aio__sq_writer_call(aio__sq_writer *w) {
  w->called = true;
  aio__sq_writer_wake(w);
}

static void watch(aio__sq_writer *w) {
  w->entered++;
  if (w->watching) return;
  w->watching = true;
  aio__sq_writer_wake(w);
}

static void linger(aio__sq_writer *w) {
  atomic_store(&w->lingering, true);
  watch(w);
}

aiorch_status aio__sq_writer_enqueue(aio__sq_writer *w, const aio__sq_job *job) {
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
  if (job->op->company)
    linger(w);
  else
    aio__sq_writer_call(w);
  return AIORCH_PENDING;
}
bool aio__sq_writer_watch(aio__sq_writer *w, aiorch_error *error) {
  pthread_mutex_lock(&w->mutex);
  bool ok = !w->stopping && start_thread(w, error) == AIORCH_OK;
  if (ok) watch(w);
  pthread_mutex_unlock(&w->mutex);
  return ok;
}

void aio__sq_writer_call_for_puts(aio__sq_writer *w) {
  pthread_mutex_lock(&w->mutex);
  w->puts_due = true;
  aio__sq_writer_wake(w);
  pthread_mutex_unlock(&w->mutex);
}

size_t aio__sq_writer_syncs(const aio__sq_writer *w) {
  return atomic_load(&w->syncs);
}

bool aio__sq_writer_holds(aio__sq_writer *w) {
  pthread_mutex_lock(&w->mutex);
  bool holds = aio__sq_writer_is_holding(w);
  pthread_mutex_unlock(&w->mutex);
  return holds;
}

void aio__sq_writer_watched(aio__sq_writer *w, size_t count) {
  pthread_mutex_lock(&w->mutex);
  w->taken += count;
  pthread_mutex_unlock(&w->mutex);
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
  aio__sq_writer_wake(w);
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
