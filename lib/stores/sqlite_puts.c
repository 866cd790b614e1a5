/*
 * Answers that are kept together. Most of what a transaction costs is the pages that it writes, and two answers share most
 * of theirs; so those in company (core/op.h) wait until whoever drives the runs has nothing else to do, and are committed
 * as one. When that fails they are tried one by one: what one of them met is not the others' fault.
 */
#include "stores/sqlite_private.h"

enum { TOGETHER_MAX = 256, HELD_MAX = 128 };

struct aio__sq_put {
  aio__sq_put *next;
  aio__op *op;
  aio__str tenant;
  const aio__cache_entry *entry;
  const aio__cache_limits *limits;
  int64_t now_ms;
  bool *stored;
  bool done; /* would be stored, if the transaction stood */
};

static aiorch_status put_row(aio__sq_keeping *keeping, aio__sq_put *put) {
  put->done = false;
  return aio__sq_cache_put_row(keeping, &put->op->error, put->tenant, put->entry, put->limits, put->now_ms, &put->done);
}

/* In a transaction that has begun. */
static aiorch_status put_now(aio__sq_put *put, aio__sq_conn *conn) {
  aio__sq_keeping keeping = {.conn = conn};
  aiorch_status status = aio__sq_touches_write(conn, &put->op->error);
  if (status == AIORCH_OK) status = put_row(&keeping, put);
  if (status == AIORCH_OK) status = aio__sq_cache_put_end(&keeping, &put->op->error);
  status = aio__sq_write_end(conn, put->op, status);
  if (status == AIORCH_OK) *put->stored = put->done;
  return status;
}

static aiorch_status put_alone(aio__sq_store *store, aio__sq_put *put) {
  aio__sq_conn *conn = NULL;
  aiorch_status status = aio__sq_write(&store->knowledge, put->op, &conn);
  return status == AIORCH_OK ? put_now(put, conn) : status;
}

/* AIORCH_AGAIN: others write, and to wait for them is the thread's part. */
static aiorch_status put_at_once(aio__sq_store *store, aio__sq_put *put) {
  aio__sq_conn *conn = NULL;
  if (put->op->deadline_ns != AIO__NEVER && aio__clock_now(store->env.clock) >= put->op->deadline_ns) return put_alone(store, put); /* says so */
  bool taken = aio__sq_take_writer(&store->knowledge, aio__clock_now(store->env.clock), &conn, &put->op->error) == AIORCH_OK;
  aiorch_status status = taken ? aio__sq_try_begin(conn, &put->op->error) : AIORCH_AGAIN;
  if (status == AIORCH_OK) return put_now(put, conn);
  if (taken) aio__sq_give_writer(conn);
  if (status == AIORCH_AGAIN) aio__error_clear(&put->op->error);
  return status;
}

/* ---- together --------------------------------------------------------------------------------------------------- */

static aio__sq_put *take_put(aio__sq_store *store) {
  aio__sq_puts *puts = &store->puts;
  aio__sq_put *put = puts->idle;
  if (put == NULL) return aio__malloc(store->env.al, sizeof *put);
  puts->idle = put->next;
  return put;
}

aiorch_status aio__sq_put_entry(aio__sq_store *store, aio__op *op, aio__str tenant, const aio__cache_entry *entry,
                                const aio__cache_limits *limits, int64_t now_ms, bool *stored) {
  aio__sq_puts *puts = &store->puts;
  aio__sq_put put = {.op = op, .tenant = tenant, .entry = entry, .limits = limits, .now_ms = now_ms, .stored = stored};
  /* The last of many runs has no company any more, but the answers of those before it wait still. */
  bool company = op->company || atomic_load(&puts->n) > 0;
  aiorch_status status = company || op->done == NULL ? AIORCH_AGAIN : put_at_once(store, &put);
  if (status != AIORCH_AGAIN) return status;
  if ((!company && op->done == NULL) || !aio__sq_writer_watch(store->writer, &op->error)) {
    aio__error_clear(&op->error);
    return put_alone(store, &put);
  }
  pthread_mutex_lock(&puts->mutex);
  aio__sq_put *waits = take_put(store);
  if (waits != NULL) {
    *waits = put;
    if (puts->last != NULL)
      puts->last->next = waits;
    else
      puts->first = waits, puts->syncs = aio__sq_writer_syncs(store->writer);
    puts->last = waits;
    atomic_fetch_add(&puts->n, 1);
  }
  pthread_mutex_unlock(&puts->mutex);
  if (waits != NULL && !company) aio__sq_writer_call_for_puts(store->writer);
  if (waits != NULL) return AIORCH_PENDING;
  aio__sq_writer_watched(store->writer, 1);
  return put_alone(store, &put);
}

/* Up to the limit; NULL: there is none. */
static aio__sq_put *take_all(aio__sq_store *store) {
  aio__sq_puts *puts = &store->puts;
  pthread_mutex_lock(&puts->mutex);
  aio__sq_put *first = puts->first, **end = &puts->first;
  size_t n = 0;
  for (; *end != NULL && n < TOGETHER_MAX; n++) end = &(*end)->next;
  puts->first = *end;
  if (puts->first == NULL) puts->last = NULL;
  if (n > 0) *end = NULL;
  atomic_fetch_sub(&puts->n, n);
  pthread_mutex_unlock(&puts->mutex);
  if (n == 0) return NULL;
  aio__sq_writer_watched(store->writer, n);
  return first;
}

static aiorch_status put_rows(aio__sq_conn *conn, aio__sq_put *first, aiorch_error *error) {
  aio__sq_keeping keeping = {.conn = conn};
  aiorch_status status = aio__sq_touches_write(conn, error);
  for (aio__sq_put *put = first; put != NULL && status == AIORCH_OK; put = put->next) status = put_row(&keeping, put);
  return status == AIORCH_OK ? aio__sq_cache_put_end(&keeping, error) : status;
}

static void end_put(aio__sq_store *store, aio__sq_put *put, aiorch_status status) {
  aio__op *op = put->op;
  pthread_mutex_lock(&store->puts.mutex);
  put->next = store->puts.idle;
  store->puts.idle = put;
  pthread_mutex_unlock(&store->puts.mutex);
  op->status = status;
  op->done(op, op->ctx);
}

/* When they do not stand together, each is tried alone. */
static void end_puts(aio__sq_store *store, aio__sq_put *first, bool together) {
  for (aio__sq_put *put = first, *next; put != NULL; put = next) {
    next = put->next;
    if (together) *put->stored = put->done;
    aio__error_clear(&put->op->error);
    end_put(store, put, together ? AIORCH_OK : put_alone(store, put));
  }
}

/* A run that keeps its answer waits for the disk to take its cost row besides. While the disk is still busy with those before
 * it, its answer may wait for more of them to come. */
static bool may_wait(aio__sq_store *store) {
  aio__sq_puts *puts = &store->puts;
  if (!aio__sq_writer_holds(store->writer)) return false;
  pthread_mutex_lock(&puts->mutex);
  bool may = puts->syncs == aio__sq_writer_syncs(store->writer) && atomic_load(&puts->n) < HELD_MAX;
  pthread_mutex_unlock(&puts->mutex);
  return may;
}

/* Whoever drives the runs waits neither for another that writes nor for the disk: both are the thread's part. */
void aio__sq_puts_flush(aio__sq_store *store) {
  aio__sq_db *db = &store->knowledge;
  aio__sq_conn *conn = NULL;
  aio__sq_put *first = NULL;
  aiorch_error error;
  if (atomic_load(&store->puts.n) == 0 || may_wait(store)) return;
  aio__error_init(&error);
  bool taken = aio__sq_take_writer(db, aio__clock_now(store->env.clock), &conn, &error) == AIORCH_OK;
  aiorch_status status = taken ? aio__sq_try_begin(conn, &error) : AIORCH_AGAIN;
  bool begun = status == AIORCH_OK;
  if (begun) {
    first = take_all(store);
    status = put_rows(conn, first, &error);
    if (status == AIORCH_OK)
      status = aio__sq_commit(conn, &error);
    else
      aio__sq_rollback(conn);
  }
  bool due = !begun || aio__sq_checkpoint_is_due(conn);
  if (taken) aio__sq_give_writer(conn);
  if (due) aio__sq_writer_call_for_puts(store->writer);
  end_puts(store, first, status == AIORCH_OK);
}

void aio__sq_puts_carry_out(aio__sq_store *store) {
  aio__sq_conn *conn = NULL;
  aiorch_error error;
  aio__error_init(&error);
  if (aio__sq_take_writer(&store->knowledge, AIO__NEVER, &conn, &error) == AIORCH_OK) {
    aio__sq_checkpoint_if_due(conn);
    aio__sq_give_writer(conn);
  }
  for (aio__sq_put *first; (first = take_all(store)) != NULL;) {
    aio__op op;
    aio__op_init(&op, AIO__NEVER, NULL, NULL);
    aiorch_status status = aio__sq_write(&store->knowledge, &op, &conn);
    if (status == AIORCH_OK) status = aio__sq_write_end(conn, &op, put_rows(conn, first, &op.error));
    end_puts(store, first, status == AIORCH_OK);
  }
  aio__sq_merge_step(store);
}

void aio__sq_puts_free(aio__sq_store *store) {
  aio__sq_puts *puts = &store->puts;
  if (!puts->synced) return;
  for (aio__sq_put *put = puts->idle, *next; put != NULL; put = next) {
    next = put->next;
    aio__free(store->env.al, put);
  }
  pthread_mutex_destroy(&puts->mutex);
  puts->synced = false;
}
