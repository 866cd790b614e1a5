/*
 * Answers that are kept together. Most of what a transaction costs is the pages that it writes, and two answers share most
 * of theirs; so those in company (core/op.h) wait until whoever drives the runs has nothing else to do, and are committed
 * as one. When that fails they are tried one by one: what one of them met is not the others' fault.
 */
#include "stores/sqlite_private.h"

enum { TOGETHER_MAX = 256 };

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

static aiorch_status put_row(aio__sq_conn *conn, aio__sq_put *put) {
  put->done = false;
  return aio__sq_cache_put_row(conn, &put->op->error, put->tenant, put->entry, put->limits, put->now_ms, &put->done);
}

static aiorch_status put_alone(aio__sq_store *store, aio__sq_put *put) {
  aio__sq_conn *conn = NULL;
  aiorch_status status = aio__sq_write(&store->knowledge, put->op, &conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_touches_write(conn, &put->op->error);
  if (status == AIORCH_OK) status = put_row(conn, put);
  status = aio__sq_write_end(conn, put->op, status);
  if (status == AIORCH_OK) *put->stored = put->done;
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
  if (!op->company || !aio__sq_writer_watch(store->writer, &op->error)) {
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
      puts->first = waits;
    puts->last = waits;
    atomic_fetch_add(&puts->n, 1);
  }
  pthread_mutex_unlock(&puts->mutex);
  if (waits != NULL) return AIORCH_PENDING;
  aio__sq_writer_watched(store->writer, 1);
  return put_alone(store, &put);
}

/* Up to the limit. */
static aio__sq_put *take_all(aio__sq_puts *puts, size_t *count) {
  pthread_mutex_lock(&puts->mutex);
  aio__sq_put *first = puts->first, **end = &puts->first;
  size_t n = 0;
  for (; *end != NULL && n < TOGETHER_MAX; n++) end = &(*end)->next;
  puts->first = *end;
  if (puts->first == NULL) puts->last = NULL;
  if (n > 0) *end = NULL;
  atomic_fetch_sub(&puts->n, n);
  pthread_mutex_unlock(&puts->mutex);
  *count = n;
  return n > 0 ? first : NULL;
}

/* AIORCH_OK: all stand. */
static aiorch_status put_together(aio__sq_store *store, aio__sq_put *first) {
  aio__sq_conn *conn = NULL;
  aio__op op;
  int64_t deadline_ns = AIO__NEVER;
  for (aio__sq_put *put = first; put != NULL; put = put->next)
    if (put->op->deadline_ns < deadline_ns) deadline_ns = put->op->deadline_ns;
  aio__op_init(&op, deadline_ns, NULL, NULL);
  aiorch_status status = aio__sq_write(&store->knowledge, &op, &conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_touches_write(conn, &op.error);
  for (aio__sq_put *put = first; put != NULL && status == AIORCH_OK; put = put->next) status = put_row(conn, put);
  return aio__sq_write_end(conn, &op, status);
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

void aio__sq_puts_flush(aio__sq_store *store) {
  size_t count = 0;
  if (atomic_load(&store->puts.n) == 0) return;
  aio__sq_put *first = take_all(&store->puts, &count);
  if (count == 0) return;
  aio__sq_writer_watched(store->writer, count);
  bool together = count > 1 && put_together(store, first) == AIORCH_OK;
  for (aio__sq_put *put = first, *next; put != NULL; put = next) {
    next = put->next;
    if (together) *put->stored = put->done;
    aio__error_clear(&put->op->error);
    end_put(store, put, together ? AIORCH_OK : put_alone(store, put));
  }
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
