/* What is old goes: answers from knowledge.db on the caller's thread, admissions and runs from the ledger in its queue. */
#include "stores/sqlite_private.h"

static const int64_t PART_NS = 50000000; /* after which the writer is given to others */

/* ---- counting --------------------------------------------------------------------------------------------------- */

static aiorch_status count_rows(aio__sq_db *db, aio__op *op, int id, int64_t before_ms, int64_t *out) {
  aio__sq_conn *conn = NULL;
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_read(db, op, &conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_query(conn, &op->error, id, &stmt, "i", before_ms);
  if (status == AIORCH_OK) status = aio__sq_step(conn, &op->error, stmt);
  if (status == AIORCH_OK) {
    *out = sqlite3_column_int64(stmt, 0);
    aio__sq_reset(stmt);
  }
  aio__sq_read_end(conn);
  return status;
}

static aiorch_status count(aio__sq_store *store, aio__op *op, const aio__prune_args *args, aio__pruned *out) {
  aio__pruned found = {0};
  aiorch_status status = count_rows(&store->ledger, op, AIO__SQ_ADMISSIONS_OLD, args->now_ms, &found.admissions);
  if (status == AIORCH_OK) status = count_rows(&store->knowledge, op, AIO__SQ_CACHE_EXPIRED, args->now_ms, &found.answers);
  if (status == AIORCH_OK && args->runs_before_ms > 0)
    status = count_rows(&store->ledger, op, AIO__SQ_RUNS_OLD, args->runs_before_ms, &found.runs);
  if (status == AIORCH_OK) *out = found;
  return status;
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static aiorch_status next_tenant(aio__sq_conn *conn, aio__op *op, int64_t now_ms, aio__arena *arena, aio__str *out) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, &op->error, AIO__SQ_CACHE_EXPIRED_TENANT, &stmt, "i", now_ms);
  if (status == AIORCH_OK) status = aio__sq_step(conn, &op->error, stmt);
  if (status != AIORCH_OK) return status;
  bool copied = aio__sq_copy(stmt, 0, arena, out);
  aio__sq_reset(stmt);
  return copied ? AIORCH_OK : aio__sq_nomem(&op->error);
}

/* One tenant after the other, until there is none that has any, or the part is as long as it may be. */
static aiorch_status drop_answers(aio__sq_store *store, aio__op *op, const aio__prune_args *args, aio__pruned *out) {
  aio__sq_conn *conn = NULL;
  aio__arena arena;
  size_t dropped = 0;
  aiorch_status status = aio__sq_write(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  int64_t end_ns = aio__clock_now(store->env.clock) + PART_NS;
  aio__arena_init(&arena, store->env.al, 1024);
  while (status == AIORCH_OK) {
    aio__str tenant;
    bool full = dropped >= args->limit || aio__clock_now(store->env.clock) >= end_ns;
    if (full) out->more = true;
    status = full ? AIORCH_DONE : next_tenant(conn, op, args->now_ms, &arena, &tenant);
    if (status == AIORCH_OK)
      status = aio__sq_cache_drop_expired(conn, &op->error, tenant, args->now_ms, args->limit - dropped, end_ns, &dropped);
  }
  aio__arena_free(&arena);
  out->answers = (int64_t)dropped;
  return aio__sq_write_end(conn, op, status == AIORCH_DONE ? AIORCH_OK : status);
}

/* ---- the ledger ------------------------------------------------------------------------------------------------- */

/* Attempts first, while the runs say which; both take the same runs, since they come in one order. */
static aiorch_status drop_runs(aio__sq_conn *conn, aio__sq_job *job) {
  aiorch_error *error = &job->op->error;
  int64_t limit = (int64_t)job->prune->limit;
  aiorch_status status = aio__sq_run(conn, error, AIO__SQ_ATTEMPTS_PRUNE, "ii", job->prune->runs_before_ms, limit);
  if (status == AIORCH_OK) status = aio__sq_run(conn, error, AIO__SQ_RUNS_PRUNE, "ii", job->prune->runs_before_ms, limit);
  if (status == AIORCH_OK) job->pruned_result.runs = sqlite3_changes(conn->db);
  return status;
}

aiorch_status aio__sq_prune_rows(aio__sq_conn *conn, aio__sq_job *job) {
  aio__pruned *out = &job->pruned_result;
  int limit = (int)job->prune->limit;
  aiorch_status status = aio__sq_admissions_prune(conn, &job->op->error, job->prune->now_ms, limit, &out->admissions);
  if (status != AIORCH_OK) return status;
  out->runs = 0;
  if (job->prune->runs_before_ms > 0) status = drop_runs(conn, job);
  out->more = out->more || out->admissions >= limit || out->runs >= limit;
  return status;
}

aiorch_status aio__sq_prune(aio__store *base, aio__op *op, const aio__prune_args *args, aio__pruned *out) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__pruned pruned = {0};
  if (args->count_only) return count(store, op, args, out);
  aio__sq_touches_flush(store);
  aiorch_status status = drop_answers(store, op, args, &pruned);
  if (status != AIORCH_OK) return status;
  aio__sq_job job = {.kind = AIO__SQ_PRUNE, .op = op, .prune = args, .pruned = out, .pruned_result = pruned};
  return aio__sq_writer_put(store->writer, &job);
}
