/*
 * Admission on the PostgreSQL store, with and without the cache's lookup. Limits are judged by functions of the schema, by the server's clock:
 * machines need not agree about the time. Admissions commit without waiting for the server's disk, and those of a tenant that wait at the same
 * time are judged together.
 */
#include "stores/postgres_rows.h"

void aio__pg_now(aio__pg_step *step, const aio__store *store, int64_t now_ms) {
  if (aio__pg_caller_clock(store))
    aio__pg_i64(step, now_ms);
  else
    aio__pg_null(step);
}

typedef struct admitting {
  aio__admission *out, result;
  aio__str run_id;
  const aio__constraint *constraints;
  size_t count;
  int64_t now_ms;      /* of a lookup: */
  aio__pg_taken taken;
} admitting;

static void read_answer(const aio__pg_rows *rows, size_t row, size_t column, aio__admission *out) {
  out->admitted = aio__pg_get_bool(rows, row, column);
  out->violated = (int)aio__pg_get_i64(rows, row, column + 1);
  out->used = aio__pg_get_i64(rows, row, column + 2);
  out->retry_after_ms = aio__pg_get_i64(rows, row, column + 3);
}

static aiorch_status read_admission(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  (void)op;
  read_answer(rows, 0, 0, &((admitting *)ctx)->result);
  return AIORCH_OK;
}

static aiorch_status give_admission(aio__op *op, void *ctx) {
  const admitting *a = ctx;
  (void)op;
  *a->out = a->result;
  return AIORCH_OK;
}

/* The constraints of several calls, column by column. */
static void put_constraints(aio__pg_step *step, const admitting *const *calls, size_t n, bool by_rate) {
  size_t all = 0;
  for (size_t i = 0; i < n; i++) all += calls[i]->count;
  if (!by_rate) {
    aio__pg_array(step, AIO__PG_INT4, all);
    for (size_t i = 0; i < n; i++)
      for (size_t c = 0; c < calls[i]->count; c++) aio__pg_i32(step, (int32_t)calls[i]->constraints[c].kind);
  }
  aio__pg_array(step, AIO__PG_TEXT, all);
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < calls[i]->count; c++) aio__pg_text(step, aio__str_z(calls[i]->constraints[c].key));
  aio__pg_array(step, AIO__PG_INT8, all);
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < calls[i]->count; c++) aio__pg_i64(step, calls[i]->constraints[c].window_ms);
  aio__pg_array(step, AIO__PG_INT8, all);
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < calls[i]->count; c++) aio__pg_i64(step, calls[i]->constraints[c].limit);
  aio__pg_array(step, AIO__PG_INT8, all);
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < calls[i]->count; c++) aio__pg_i64(step, calls[i]->constraints[c].amount);
}

/* Of calls that travel together: each row names its call. */
static aiorch_status read_admissions(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  size_t n = aio__pg_count(rows);
  (void)ctx;
  for (size_t i = 0; i < n; i++) {
    admitting *a = aio__pg_part_ctx(rows, aio__pg_get_i64(rows, i, 0) - 1);
    if (a != NULL) read_answer(rows, i, 1, &a->result);
  }
  if (n == aio__pg_parts(rows)) return AIORCH_OK;
  return aio__error_set(&op->error, AIORCH_E_INTERNAL, "the store did not answer each of %zu admissions", aio__pg_parts(rows));
}

#define ADMISSION "admitted, violated, used, retry_after_ms FROM "
static const char BY_LOG[] = "SELECT " ADMISSION "admit_call($1, $2, $3, $4, $5, $6, $7::bigint)";
static const char BY_RATE[] = "SELECT " ADMISSION "admit_call_by_rate($1, $2, $3, $4, $5, $6::bigint)";
static const char ALL_BY_LOG[] = "SELECT call, " ADMISSION "admit_calls($1, $2, $3, $4, $5, $6, $7, $8::bigint)";
static const char ALL_BY_RATE[] = "SELECT call, " ADMISSION "admit_calls_by_rate($1, $2, $3, $4, $5, $6, $7::bigint)";

/* Runs, and where the constraints of each begin. */
static void put_calls(aio__pg_step *step, const admitting *const *calls, size_t count) {
  int32_t first = 1;
  aio__pg_array(step, AIO__PG_UUID, count);
  for (size_t i = 0; i < count; i++) aio__pg_uuid(step, calls[i]->run_id);
  aio__pg_array(step, AIO__PG_INT4, count);
  for (size_t i = 0; i < count; i++) {
    aio__pg_i32(step, first);
    first += (int32_t)calls[i]->count;
  }
}

static void gather(aio__pg_step *whole, aio__pg_step *const *parts, size_t count, bool by_rate) {
  const admitting *calls[AIO__PG_TOGETHER_MAX];
  for (size_t i = 0; i < count; i++) calls[i] = aio__pg_step_ctx(parts[i]);
  aio__pg_sql(whole, by_rate ? ALL_BY_RATE : ALL_BY_LOG, read_admissions);
  put_calls(whole, calls, count);
  put_constraints(whole, calls, count, by_rate);
  aio__pg_null(whole);
}

static void gather_logged(aio__pg_step *whole, aio__pg_step *const *parts, size_t count) {
  gather(whole, parts, count, false);
}

static void gather_rates(aio__pg_step *whole, aio__pg_step *const *parts, size_t count) {
  gather(whole, parts, count, true);
}

/* Money is set right when a run has ended, which the log alone can do; runs under such a limit are counted there along with it. */
static bool goes_by_rate(const aio__store *store, const aio__constraint *constraints, size_t count) {
  if (!aio__pg_counts_by_rate(store)) return false;
  for (size_t i = 0; i < count; i++)
    if (constraints[i].kind != AIO__LIMIT_RUNS) return false;
  return true;
}

aiorch_status aio__pg_admit(aio__store *store, aio__op *op, aio__str tenant, aio__str run_id, const aio__constraint *constraints,
                            size_t count, int64_t now_ms, aio__admission *out) {
  admitting a = {.out = out, .run_id = run_id, .constraints = constraints, .count = count};
  const admitting *const one = &a;
  if (count > AIO__CONSTRAINTS_MAX)
    return aio__error_set(&op->error, AIORCH_E_TOO_LARGE, "%zu constraints: at most %d", count, AIO__CONSTRAINTS_MAX);
  if (count == 0) {
    *out = (aio__admission){.admitted = true, .violated = -1};
    return AIORCH_OK;
  }
  bool by_rate = goes_by_rate(store, constraints, count);
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_WRITE | AIO__PG_LOOSE, &a, sizeof a, give_admission);
  aio__pg_sql(step, by_rate ? BY_RATE : BY_LOG, read_admission);
  aio__pg_uuid(step, run_id);
  put_constraints(step, &one, 1, by_rate);
  aio__pg_now(step, store, now_ms);
  /* By the callers' own clocks each has a time of its own. */
  if (!aio__pg_caller_clock(store)) aio__pg_step_gathers(step, by_rate ? gather_rates : gather_logged);
  return aio__pg_step_start(step);
}

/* ---- admission with a lookup ---------------------------------------------------------------------------------------------------- */

static aiorch_status read_entered_row(const aio__pg_rows *rows, size_t row, aio__op *op, admitting *a) {
  read_answer(rows, row, 1, &a->result);
  return a->result.admitted ? aio__pg_taken_read(rows, row, 5, op, &a->taken) : AIORCH_OK;
}

static aiorch_status read_entered(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  return read_entered_row(rows, 0, op, ctx);
}

static aiorch_status read_all_entered(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  aiorch_status status = AIORCH_OK;
  size_t n = aio__pg_count(rows);
  (void)ctx;
  for (size_t i = 0; i < n && status == AIORCH_OK; i++) {
    admitting *a = aio__pg_part_ctx(rows, aio__pg_get_i64(rows, i, 0) - 1);
    if (a != NULL) status = read_entered_row(rows, i, op, a);
  }
  if (status != AIORCH_OK || n == aio__pg_parts(rows)) return status;
  return aio__error_set(&op->error, AIORCH_E_INTERNAL, "the store did not answer each of %zu admissions", aio__pg_parts(rows));
}

static aiorch_status give_entered(aio__op *op, void *ctx) {
  const admitting *a = ctx;
  if (a->result.admitted) aio__pg_taken_give(&a->taken);
  return give_admission(op, ctx);
}

static void put_entering(aio__pg_step *step, const admitting *const *calls, size_t n, bool by_rate, aio__pg_decode decode) {
  aio__pg_sql(step,
              "SELECT call, admitted, violated, used, retry_after_ms, " AIO__PG_TAKEN
              " FROM enter_calls($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::bigint)",
              decode);
  put_calls(step, calls, n);
  put_constraints(step, calls, n, false);
  aio__pg_bool(step, by_rate);
  aio__pg_array(step, AIO__PG_BYTEA, n);
  for (size_t i = 0; i < n; i++) aio__pg_bytea(step, calls[i]->taken.ask.scope);
  aio__pg_array(step, AIO__PG_BYTEA, n);
  for (size_t i = 0; i < n; i++) aio__pg_bytea(step, calls[i]->taken.ask.key);
  aio__pg_array(step, AIO__PG_INT8, n);
  for (size_t i = 0; i < n; i++) aio__pg_i64(step, calls[i]->now_ms);
}

static void gather_entering(aio__pg_step *whole, aio__pg_step *const *parts, size_t count, bool by_rate) {
  const admitting *calls[AIO__PG_TOGETHER_MAX];
  for (size_t i = 0; i < count; i++) calls[i] = aio__pg_step_ctx(parts[i]);
  put_entering(whole, calls, count, by_rate, read_all_entered);
  aio__pg_null(whole);
}

static void gather_entering_logged(aio__pg_step *whole, aio__pg_step *const *parts, size_t count) {
  gather_entering(whole, parts, count, false);
}

static void gather_entering_by_rate(aio__pg_step *whole, aio__pg_step *const *parts, size_t count) {
  gather_entering(whole, parts, count, true);
}

aiorch_status aio__pg_enter(aio__store *store, aio__op *op, aio__str tenant, aio__str run_id, const aio__constraint *constraints, size_t count,
                            const aio__cache_ask *ask, int64_t now_ms, aio__admission *out) {
  admitting a = {.out = out, .run_id = run_id, .constraints = constraints, .count = count, .now_ms = now_ms, .taken = {.ask = *ask}};
  const admitting *const one = &a;
  if (count == 0 || count > AIO__CONSTRAINTS_MAX)
    return aio__error_set(&op->error, AIORCH_E_INVALID, "%zu constraints: 1 to %d", count, AIO__CONSTRAINTS_MAX);
  bool by_rate = goes_by_rate(store, constraints, count);
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_WRITE | AIO__PG_LOOSE, &a, sizeof a, give_entered);
  put_entering(step, &one, 1, by_rate, read_entered);
  aio__pg_now(step, store, now_ms);
  if (!aio__pg_caller_clock(store)) aio__pg_step_gathers(step, by_rate ? gather_entering_by_rate : gather_entering_logged);
  return aio__pg_step_start(step);
}
