/* The ledger: what its thread does with each call inside a transaction, and what is read. */
#include <string.h>

#include "stores/sqlite_private.h"

enum { TEXT_SHOWN_MAX = 64 };

/* ---- admission -------------------------------------------------------------------------------------------------- */

/* What is known of one constraint of an admission under way. */
typedef struct asked {
  bool counted; /* this run stands under the key already */
  int64_t used;
} asked;

/* A stored time ahead of now counts as now, and is made so: otherwise it would count as now for ever. A little ahead is
 * another call that was faster; its time stays, or it would leave its window too early. */
static aiorch_status look(aio__sq_conn *conn, const aio__sq_job *job, const aio__constraint *c, asked *out) {
  aiorch_error *error = &job->op->error;
  sqlite3_stmt *stmt = NULL;
  int64_t latest_ms = 0;
  aiorch_status status = aio__sq_windows_sum(conn, error, job->tenant, c, job->now_ms, &out->used, &latest_ms);
  if (status == AIORCH_OK && latest_ms > job->now_ms + AIO__SQ_RACE_MS) {
    status = aio__sq_run(conn, error, AIO__SQ_ADMISSION_CLAMP, "szid", job->tenant, c->key, job->now_ms,
                         (int)AIO__SQ_RACE_MS);
    aio__sq_windows_drop(conn, job->tenant, aio__str_z(c->key));
    if (status == AIORCH_OK) status = aio__sq_windows_sum(conn, error, job->tenant, c, job->now_ms, &out->used, &latest_ms);
  }
  if (status == AIORCH_OK)
    status = aio__sq_query(conn, error, AIO__SQ_ADMITTED, &stmt, "ssz", job->tenant, job->run_id, c->key);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  out->counted = status == AIORCH_OK;
  if (status == AIORCH_OK) aio__sq_reset(stmt);
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

static bool holds(const aio__constraint *c, int64_t used) {
  int64_t sum;
  return !__builtin_add_overflow(used, c->amount, &sum) && sum <= c->limit;
}

/* When enough of what stands under the key will have left its window; -1: never. From the newest back: the first that
 * leaves no room beside those after it has to go, and with it all before it. */
static aiorch_status retry_after(aio__sq_conn *conn, const aio__sq_job *job, const aio__constraint *c, int64_t *out) {
  sqlite3_stmt *stmt = NULL;
  int64_t stay = 0;
  *out = -1;
  if (!holds(c, 0)) return AIORCH_OK;
  aiorch_status status = aio__sq_query(conn, &job->op->error, AIO__SQ_ADMISSIONS_NEWEST, &stmt, "szi", job->tenant,
                                       c->key, job->now_ms - c->window_ms);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, &job->op->error, stmt)) == AIORCH_OK) {
    int64_t amount = sqlite3_column_int64(stmt, 1);
    if (!__builtin_add_overflow(stay, amount, &stay) && holds(c, stay)) continue;
    *out = sqlite3_column_int64(stmt, 0) + c->window_ms - job->now_ms;
    aio__sq_reset(stmt);
    return AIORCH_OK;
  }
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

/* Of several constraints that refuse, the one that refuses longest is named. */
static aiorch_status find_violation(aio__sq_conn *conn, aio__sq_job *job, const asked *all) {
  aio__admission *out = &job->admission_result;
  for (size_t i = 0; i < job->count; i++) {
    if (all[i].counted || holds(&job->constraints[i], all[i].used)) continue;
    int64_t wait = 0;
    aiorch_status status = retry_after(conn, job, &job->constraints[i], &wait);
    if (status != AIORCH_OK) return status;
    bool longer = out->violated < 0 || (out->retry_after_ms >= 0 && (wait < 0 || wait > out->retry_after_ms));
    if (!longer) continue;
    out->violated = (int)i;
    out->used = all[i].used;
    out->retry_after_ms = wait;
  }
  return AIORCH_OK;
}

static aiorch_status admit(aio__sq_conn *conn, aio__sq_job *job) {
  asked all[AIO__CONSTRAINTS_MAX];
  aio__admission *out = &job->admission_result;
  aiorch_error *error = &job->op->error;
  *out = (aio__admission){.violated = -1};
  for (size_t i = 0; i < job->count; i++) {
    aiorch_status status = look(conn, job, &job->constraints[i], &all[i]);
    if (status != AIORCH_OK) return status;
  }
  aiorch_status status = find_violation(conn, job, all);
  if (status != AIORCH_OK || out->violated >= 0) return status;
  out->admitted = true;
  for (size_t i = 0; i < job->count && status == AIORCH_OK; i++) {
    const aio__constraint *c = &job->constraints[i];
    if (!all[i].counted) {
      all[i].used += c->amount;
      status = aio__sq_run(conn, error, AIO__SQ_ADMISSION_NEW, "sziidsi", job->tenant, c->key, job->now_ms, c->amount,
                           (int)c->kind, job->run_id, job->now_ms + c->window_ms);
      if (status == AIORCH_OK) aio__sq_windows_add(conn, job->tenant, c, job->now_ms);
    }
    if (i == 0) out->used = all[0].used;
  }
  return status;
}

aiorch_status aio__sq_admissions_prune(aio__sq_conn *conn, aiorch_error *error, int64_t now_ms, int64_t most, int64_t *count) {
  sqlite3_stmt *stmt = NULL;
  int64_t n = 0;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_ADMISSIONS_PRUNE, &stmt, "ii", now_ms, most);
  for (; status == AIORCH_OK && (status = aio__sq_step(conn, error, stmt)) == AIORCH_OK; n++)
    aio__sq_windows_take(conn, aio__sq_text(stmt, 0), aio__sq_text(stmt, 1), sqlite3_column_int64(stmt, 2),
                         sqlite3_column_int64(stmt, 3));
  if (count != NULL) *count = n;
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

static aiorch_status prune(aio__sq_conn *conn, aiorch_error *error, aio__sq_job *const *jobs, size_t count) {
  int64_t now_ms = INT64_MAX, most = 0;
  for (size_t i = 0; i < count; i++) {
    if (jobs[i]->kind != AIO__SQ_ADMIT || !jobs[i]->admission_result.admitted) continue;
    if (jobs[i]->now_ms < now_ms) now_ms = jobs[i]->now_ms;
    most += AIO__SQ_PRUNE_MAX;
  }
  return most > 0 ? aio__sq_admissions_prune(conn, error, now_ms, most, NULL) : AIORCH_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static aiorch_status put_attempt(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__attempt_row *a) {
  const int64_t *n = a->usage.n;
  return aio__sq_run(conn, error, AIO__SQ_ATTEMPT_PUT,
                     a->cost_known ? "szzddddsssiiiiiidiiii" : "szzddddsssiiiiiidniii", tenant, a->run_id, a->id,
                     (int)a->state, (int)a->kind, (int)a->status, (int)a->http_status, a->provider, a->model,
                     a->request_id, n[AIORCH_USAGE_INPUT], n[AIORCH_USAGE_CACHE_READ], n[AIORCH_USAGE_CACHE_WRITE],
                     n[AIORCH_USAGE_CACHE_WRITE_1H], n[AIORCH_USAGE_OUTPUT], n[AIORCH_USAGE_REASONING],
                     (int)a->usage.estimated, a->cost_nano_usd, a->created_ms, a->duration_us, a->lease_until_ms);
}

static aiorch_status write_totals(aio__sq_conn *conn, aiorch_error *error) {
  aio__sq_totals all = conn->totals;
  conn->totals.runs = 0;
  if (all.runs == 0) return AIORCH_OK;
  return aio__sq_run(conn, error, AIO__SQ_TOTALS_ADD, "sii", all.tenant, all.cost_nano_usd, all.runs);
}

static aiorch_status add_to_totals(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, int64_t cost_nano_usd) {
  aio__sq_totals *all = &conn->totals;
  int64_t sum;
  bool other = all->runs > 0 && !aio__str_eq(all->tenant, tenant);
  aiorch_status status = other ? write_totals(conn, error) : AIORCH_OK;
  if (all->runs == 0) *all = (aio__sq_totals){.tenant = tenant};
  all->runs++;
  all->cost_nano_usd = __builtin_add_overflow(all->cost_nano_usd, cost_nano_usd, &sum) ? INT64_MAX : sum;
  return status;
}

/* What the run has cost takes the place of what was expected. */
static aiorch_status settle_admissions(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__run_row *r, bool at_least) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_run(conn, error, AIO__SQ_ADMISSION_SETTLE, "szid", tenant, r->id, r->cost_nano_usd, (int)at_least);
  if (status != AIORCH_OK || sqlite3_changes(conn->db) == 0) return status;
  status = aio__sq_query(conn, error, AIO__SQ_ADMISSIONS_OF_RUN, &stmt, "sz", tenant, r->id);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, error, stmt)) == AIORCH_OK)
    aio__sq_windows_drop(conn, tenant, aio__sq_text(stmt, 0));
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

static aiorch_status put_run(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__run_row *r, bool at_least) {
  const int64_t *n = r->usage.n;
  aiorch_status status = aio__sq_run(
    conn, error, AIO__SQ_RUN_NEW, r->cost_known ? "szsssddiiiiiidiii" : "szsssddiiiiiidnii", tenant, r->id, r->user,
    r->provider, r->model, (int)r->status, (int)r->cache, n[AIORCH_USAGE_INPUT], n[AIORCH_USAGE_CACHE_READ],
    n[AIORCH_USAGE_CACHE_WRITE], n[AIORCH_USAGE_CACHE_WRITE_1H], n[AIORCH_USAGE_OUTPUT], n[AIORCH_USAGE_REASONING],
    (int)r->usage.estimated, r->cost_nano_usd, r->created_ms, r->duration_us);
  bool is_new = status == AIORCH_OK && sqlite3_changes(conn->db) == 1;
  if (is_new)
    status = add_to_totals(conn, error, tenant, r->cost_known ? r->cost_nano_usd : 0);
  if (is_new && status == AIORCH_OK && r->cost_known)
    status = settle_admissions(conn, error, tenant, r, at_least);
  return status;
}

static aiorch_status settle(aio__sq_conn *conn, const aio__sq_job *job) {
  aiorch_status status = put_run(conn, &job->op->error, job->tenant, job->run, aio__settles_at_least(job->attempts, job->count));
  for (size_t i = 0; i < job->count && status == AIORCH_OK; i++)
    status = put_attempt(conn, &job->op->error, job->tenant, &job->attempts[i]);
  return status;
}

aiorch_status aio__sq_ledger_apply(aio__sq_conn *conn, aio__sq_job *job) {
  aiorch_error *error = &job->op->error;
  aiorch_status status;
  switch (job->kind) {
  case AIO__SQ_ADMIT:
    return admit(conn, job);
  case AIO__SQ_ATTEMPT:
    return put_attempt(conn, error, job->tenant, job->attempts);
  case AIO__SQ_SETTLE:
    return settle(conn, job);
  case AIO__SQ_PRUNE:
    return aio__sq_prune_rows(conn, job);
  default:
    break;
  }
  status = aio__sq_run(conn, error, AIO__SQ_ATTEMPTS_EXPIRE, "i", job->now_ms);
  job->expired_result = (uint64_t)sqlite3_changes(conn->db);
  return status;
}

void aio__sq_ledger_begin(aio__sq_conn *conn) {
  conn->totals.runs = 0;
  aio__sq_windows_begin(conn);
}

aiorch_status aio__sq_ledger_end(aio__sq_conn *conn, aiorch_error *error, aio__sq_job *const *jobs, size_t count) {
  aiorch_status status = write_totals(conn, error);
  return status == AIORCH_OK ? prune(conn, error, jobs, count) : status;
}

/* ---- calls that the thread carries out -------------------------------------------------------------------------- */

static aiorch_status start(aio__store *base, const aio__sq_job *job) {
  return aio__sq_writer_put(((aio__sq_store *)base)->writer, job);
}

static aiorch_status op_admit(aio__store *base, aio__op *op, aio__str tenant, aio__str run_id,
                              const aio__constraint *constraints, size_t count, int64_t now_ms, aio__admission *out) {
  if (count > AIO__CONSTRAINTS_MAX)
    return aio__error_set(&op->error, AIORCH_E_TOO_LARGE, "%zu constraints: at most %d", count, AIO__CONSTRAINTS_MAX);
  aio__sq_job job = {.kind = AIO__SQ_ADMIT,
                     .op = op,
                     .tenant = tenant,
                     .run_id = run_id,
                     .constraints = constraints,
                     .count = count,
                     .now_ms = now_ms,
                     .admission = out};
  return start(base, &job);
}

static aiorch_status op_attempt(aio__store *base, aio__op *op, aio__str tenant, const aio__attempt_row *row) {
  aio__sq_job job = {.kind = AIO__SQ_ATTEMPT, .op = op, .tenant = tenant, .attempts = row, .count = 1};
  return start(base, &job);
}

static aiorch_status op_settle(aio__store *base, aio__op *op, aio__str tenant, const aio__run_row *run,
                               const aio__attempt_row *attempts, size_t count) {
  aio__sq_job job = {
    .kind = AIO__SQ_SETTLE, .op = op, .tenant = tenant, .run = run, .attempts = attempts, .count = count};
  return start(base, &job);
}

static aiorch_status op_expire(aio__store *base, aio__op *op, int64_t now_ms, uint64_t *expired) {
  aio__sq_job job = {.kind = AIO__SQ_EXPIRE, .op = op, .now_ms = now_ms, .expired = expired};
  return start(base, &job);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static int costs_statement(aio__str by) {
  static const struct {
    const char *name;
    int id;
  } ways[] = {{"day", AIO__SQ_COSTS_BY_DAY},
              {"provider", AIO__SQ_COSTS_BY_PROVIDER},
              {"model", AIO__SQ_COSTS_BY_MODEL},
              {"user", AIO__SQ_COSTS_BY_USER}};
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
    if (aio__str_eqz(by, ways[i].name)) return ways[i].id;
  return -1;
}

static bool read_cost(sqlite3_stmt *stmt, aio__arena *arena, aio__cost_row *out) {
  out->runs = sqlite3_column_int64(stmt, 1);
  out->hits = sqlite3_column_int64(stmt, 2);
  out->failures = sqlite3_column_int64(stmt, 3);
  out->unknown_price = sqlite3_column_int64(stmt, 4);
  out->cost_nano_usd = aio__sq_money(stmt, 5);
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) out->usage.n[i] = sqlite3_column_int64(stmt, 7 + i);
  out->usage.estimated = sqlite3_column_int(stmt, 7 + AIORCH_USAGE_COUNT) != 0;
  return aio__sq_copy(stmt, 0, arena, &out->group);
}

/* Room for one more row in an arena, twice as much each time. NULL: out of memory. */
static void *grow(aio__arena *arena, void *rows, size_t n, size_t *cap, size_t size) {
  if (n < *cap) return rows;
  size_t more = *cap > 0 ? *cap * 2 : 8;
  void *out = aio__arena_alloc(arena, more * size);
  if (out != NULL && n > 0) memcpy(out, rows, n * size);
  if (out != NULL) *cap = more;
  return out;
}

static aiorch_status costs(aio__store *base, aio__op *op, aio__str tenant, int64_t since_ms, int64_t until_ms,
                           aio__str by, aio__arena *arena, aio__cost_row **rows, size_t *count) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  sqlite3_stmt *stmt = NULL;
  aio__cost_row *out = NULL;
  size_t n = 0, cap = 0;
  int id = costs_statement(by);
  if (id < 0)
    return aio__error_set(&op->error, AIORCH_E_INVALID, "costs by \"%.*s\": use day, provider, model or user",
                          (int)(by.n < TEXT_SHOWN_MAX ? by.n : TEXT_SHOWN_MAX), by.p != NULL ? by.p : "");
  aiorch_status status = aio__sq_read(&store->ledger, op, &conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_query(conn, &op->error, id, &stmt, "sii", tenant, since_ms, until_ms);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, &op->error, stmt)) == AIORCH_OK) {
    out = grow(arena, out, n, &cap, sizeof *out);
    if (out != NULL && read_cost(stmt, arena, &out[n++])) continue;
    aio__sq_reset(stmt);
    status = aio__sq_nomem(&op->error);
  }
  aio__sq_read_end(conn);
  if (status != AIORCH_DONE) return status;
  *rows = out;
  *count = n;
  return AIORCH_OK;
}

static bool read_attempt(sqlite3_stmt *stmt, aio__str run_id, aio__arena *arena, aio__attempt_row *out) {
  aio__sq_id(stmt, 0, out->id);
  memcpy(out->run_id, run_id.p, run_id.n < AIO__UUID_LEN ? run_id.n : AIO__UUID_LEN);
  out->state = (aio__attempt_state)sqlite3_column_int(stmt, 1);
  out->kind = sqlite3_column_int(stmt, 2);
  out->status = sqlite3_column_int(stmt, 3);
  out->http_status = sqlite3_column_int(stmt, 4);
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) out->usage.n[i] = sqlite3_column_int64(stmt, 8 + i);
  int at = 8 + AIORCH_USAGE_COUNT;
  out->usage.estimated = sqlite3_column_int(stmt, at) != 0;
  out->cost_known = sqlite3_column_type(stmt, at + 1) != SQLITE_NULL;
  out->cost_nano_usd = sqlite3_column_int64(stmt, at + 1);
  out->created_ms = sqlite3_column_int64(stmt, at + 2);
  out->duration_us = sqlite3_column_int64(stmt, at + 3);
  out->lease_until_ms = sqlite3_column_int64(stmt, at + 4);
  return aio__sq_copy(stmt, 5, arena, &out->provider) && aio__sq_copy(stmt, 6, arena, &out->model) &&
         aio__sq_copy(stmt, 7, arena, &out->request_id);
}

static aiorch_status attempts(aio__store *base, aio__op *op, aio__str tenant, aio__str run_id, aio__arena *arena,
                              aio__attempt_row **rows, size_t *count) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  sqlite3_stmt *stmt = NULL;
  aio__attempt_row *out = NULL;
  size_t n = 0, cap = 0;
  aiorch_status status = aio__sq_read(&store->ledger, op, &conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_query(conn, &op->error, AIO__SQ_ATTEMPTS, &stmt, "ss", tenant, run_id);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, &op->error, stmt)) == AIORCH_OK) {
    out = grow(arena, out, n, &cap, sizeof *out);
    if (out != NULL && read_attempt(stmt, run_id, arena, &out[n++])) continue;
    aio__sq_reset(stmt);
    status = aio__sq_nomem(&op->error);
  }
  aio__sq_read_end(conn);
  if (status != AIORCH_DONE) return status;
  *rows = out;
  *count = n;
  return AIORCH_OK;
}

static aiorch_status two_numbers(aio__sq_conn *conn, aiorch_error *error, sqlite3_stmt *stmt, int64_t *a, int64_t *b) {
  aiorch_status status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_OK : status;
  *a = sqlite3_column_int64(stmt, 0);
  *b = sqlite3_column_int64(stmt, 1);
  aio__sq_reset(stmt);
  return AIORCH_OK;
}

static aiorch_status stats(aio__store *base, aio__op *op, aio__str tenant, int64_t now_ms, aio__store_stats *out) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  sqlite3_stmt *stmt = NULL;
  aio__store_stats all = {0};
  aio__sq_tenant row;
  aiorch_status status = aio__sq_read(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_tenant_get(conn, &op->error, tenant, &row);
  if (status == AIORCH_OK) status = aio__sq_query(conn, &op->error, AIO__SQ_CACHE_LIVE, &stmt, "si", tenant, now_ms);
  if (status == AIORCH_OK) status = two_numbers(conn, &op->error, stmt, &all.cache_entries, &all.cache_bytes);
  aio__sq_read_end(conn);
  if (status == AIORCH_OK) status = aio__sq_read(&store->ledger, op, &conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_query(conn, &op->error, AIO__SQ_TOTALS, &stmt, "s", tenant);
  if (status == AIORCH_OK) status = two_numbers(conn, &op->error, stmt, &all.runs, &all.cost_nano_usd);
  aio__sq_read_end(conn);
  if (status != AIORCH_OK) return status;
  all.documents = row.documents;
  all.chunks = row.chunks;
  all.text_bytes = row.text_bytes;
  *out = all;
  return AIORCH_OK;
}

const aio__ledger_ops aio__sq_ledger_ops = {.admit = op_admit,
                                            .attempt = op_attempt,
                                            .settle = op_settle,
                                            .expire = op_expire,
                                            .costs = costs,
                                            .attempts = attempts,
                                            .stats = stats,
                                            .prune = aio__sq_prune};
