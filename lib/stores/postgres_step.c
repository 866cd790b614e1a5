/* A step on its way: everything is sent at once, the results are read as they come. See postgres_engine.h. */
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "stores/postgres_engine.h"

enum { NUMBER_TEXT = 24, BEFORE = 2 /* BEGIN and the settings */, AROUND = 3 /* and COMMIT */, SETTINGS_MAX = 5, SETTINGS_SQL_MAX = 256, BINARY = 1 };

/* ---- sending ------------------------------------------------------------------------------------------------------------------ */

static bool send_statement(PGconn *pg, const aio__pg_statement *s) {
  Oid types[AIO__PG_PARAMETERS_MAX];
  const char *values[AIO__PG_PARAMETERS_MAX];
  int lengths[AIO__PG_PARAMETERS_MAX], formats[AIO__PG_PARAMETERS_MAX];
  for (size_t i = 0; i < s->count; i++) {
    types[i] = s->params[i].type;
    values[i] = s->params[i].value;
    lengths[i] = s->params[i].length;
    formats[i] = BINARY;
  }
  return PQsendQueryParams(pg, s->sql, (int)s->count, types, values, lengths, formats, BINARY) == 1;
}

static bool send_plain(PGconn *pg, const char *sql) {
  return PQsendQueryParams(pg, sql, 0, NULL, NULL, NULL, NULL, BINARY) == 1;
}

/* What is left until the deadline, rounded up, at least 1; "0", which is for ever, without one. */
static void timeout_text(const aio__pg_conn *conn, const aio__pg_step *step, char out[NUMBER_TEXT]) {
  int64_t left = step->deadline_ns - aio__clock_now(aio__io_clock(conn->pool->io));
  int64_t ms = left > 0 ? (left - 1) / 1000000 + 1 : 1;
  if (step->deadline_ns == AIO__NEVER || ms > INT32_MAX) ms = 0;
  snprintf(out, NUMBER_TEXT, "%lld", (long long)ms);
}

/* SELECT set_config($1, $2, true), ...: one statement for all that holds for this transaction alone. */
static bool send_settings(const aio__pg_conn *conn, const aio__pg_step *step) {
  const char *values[2 * SETTINGS_MAX];
  char sql[SETTINGS_SQL_MAX], timeout[NUMBER_TEXT], tenant[256];
  size_t n = 0, at = 0;
  if (step->tenant.n >= sizeof tenant) return false;
  if (step->tenant.n > 0) memcpy(tenant, step->tenant.p, step->tenant.n);
  tenant[step->tenant.n] = '\0';
  timeout_text(conn, step, timeout);
  if (!(step->flags & AIO__PG_OWN)) {
    values[n++] = "role";
    values[n++] = conn->pool->store->role;
    values[n++] = "aiorch.tenant";
    values[n++] = tenant;
  }
  values[n++] = "search_path";
  values[n++] = conn->pool->store->search_path;
  values[n++] = "statement_timeout";
  values[n++] = timeout;
  if (step->flags & AIO__PG_LOOSE) {
    values[n++] = "synchronous_commit";
    values[n++] = "off";
  }
  for (size_t i = 0; i < n; i += 2) {
    int written = snprintf(sql + at, sizeof sql - at, "%s set_config($%zu, $%zu, true)", i == 0 ? "SELECT" : ",", i + 1, i + 2);
    if (written < 0 || (size_t)written >= sizeof sql - at) return false;
    at += (size_t)written;
  }
  return PQsendQueryParams(conn->pg, sql, (int)n, NULL, values, NULL, NULL, BINARY) == 1;
}

static aio__pg_progress lost(const aio__pg_conn *conn, aiorch_error *error) {
  aio__str said = aio__str_trim(aio__str_z(PQerrorMessage(conn->pg)));
  aio__pg_report report = {.state = "08006", .message = said.n > 0 ? said : AIO__LIT("the connection was lost")};
  (void)aio__pg_fail(conn->pool->store, &report, error);
  return AIO__PG_LOST;
}

/* Hands libpq's bytes to the system; what does not fit goes when the socket takes more. */
static aio__pg_progress flush(aio__pg_conn *conn, aiorch_error *error) {
  int left = PQflush(conn->pg);
  if (left < 0) return lost(conn, error);
  return aio__pg_conn_watch(conn, left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN) ? AIO__PG_WAIT : lost(conn, error);
}

aio__pg_progress aio__pg_send(aio__pg_conn *conn, aio__pg_step *step, aiorch_error *error) {
  PGconn *pg = conn->pg;
  bool ok;
  step->at = 0;
  step->reading = step->first;
  step->status = AIORCH_OK;
  step->bad = false;
  step->state[0] = '\0';
  aio__error_clear(&step->op->error);
  if (step->ctx_size > 0) memcpy(step->ctx, step->ctx_given, step->ctx_size);
  if (step->script) {
    ok = PQexitPipelineMode(pg) == 1 && PQsendQuery(pg, step->first->sql) == 1;
    return ok ? flush(conn, error) : lost(conn, error);
  }
  ok = send_plain(pg, step->flags & AIO__PG_READ ? "BEGIN READ ONLY" : "BEGIN") && send_settings(conn, step);
  for (const aio__pg_statement *s = step->first; s != NULL && ok; s = s->next) ok = send_statement(pg, s);
  ok = ok && send_plain(pg, "COMMIT") && PQpipelineSync(pg) == 1;
  return ok ? flush(conn, error) : lost(conn, error);
}

aio__pg_progress aio__pg_send_rollback(aio__pg_conn *conn, aiorch_error *error) {
  bool ok = send_plain(conn->pg, "ROLLBACK") && PQpipelineSync(conn->pg) == 1;
  return ok ? flush(conn, error) : lost(conn, error);
}

/* ---- receiving ---------------------------------------------------------------------------------------------------------------- */

static aio__str field(const PGresult *result, int which) {
  return aio__str_z(PQresultErrorField(result, which));
}

static void refused(const aio__pg_conn *conn, aio__pg_step *step, const PGresult *result) {
  aio__str state = field(result, PG_DIAG_SQLSTATE), message = field(result, PG_DIAG_MESSAGE_PRIMARY);
  aio__pg_report report = {.message = message.n > 0 ? message : aio__str_trim(aio__str_z(PQresultErrorMessage(result))),
                           .detail = field(result, PG_DIAG_MESSAGE_DETAIL),
                           .hint = field(result, PG_DIAG_MESSAGE_HINT),
                           .table = field(result, PG_DIAG_TABLE_NAME),
                           .constraint = field(result, PG_DIAG_CONSTRAINT_NAME)};
  if (state.n == 0) state = AIO__LIT("08006"); /* libpq's own: the connection */
  memcpy(report.state, state.p, state.n < 5 ? state.n : 5);
  if (step->state[0] != '\0') return;
  memcpy(step->state, report.state, sizeof step->state);
  step->refused_at = step->at;
  step->status = aio__pg_fail(conn->pool->store, &report, &step->op->error);
}

static void decode(aio__pg_step *step, PGresult *result) {
  const aio__pg_statement *s = step->at >= BEFORE ? step->reading : NULL;
  if (s == NULL || s->decode == NULL || step->status != AIORCH_OK) return;
  if (PQresultMemorySize(result) > AIO__PG_RESULT_BYTES_MAX) {
    step->status = aio__error_set(&step->op->error, AIORCH_E_TOO_LARGE, "more than %d bytes came from the store for one statement",
                                  AIO__PG_RESULT_BYTES_MAX);
    return;
  }
  aio__pg_rows rows = {result, step};
  void *ctx = s->part > 0 ? aio__pg_part_ctx(&rows, (int64_t)s->part - 1) : step->ctx;
  if (s->part > 0 && ctx == NULL) return;
  step->status = s->decode(&rows, step->op, ctx);
  if (!step->bad || step->status != AIORCH_OK) return;
  step->status = aio__error_set(&step->op->error, AIORCH_E_INTERNAL, "the store did not give what was expected by: %.300s", s->sql);
}

/* True when that was the last of it. */
static bool take(const aio__pg_conn *conn, PGresult *result) {
  aio__pg_step *step = conn->step;
  switch (PQresultStatus(result)) {
  case PGRES_PIPELINE_SYNC:
    return true;
  case PGRES_COMMAND_OK:
  case PGRES_TUPLES_OK:
    if (step != NULL) decode(step, result);
    break;
  case PGRES_PIPELINE_ABORTED:
    break;
  default:
    if (step != NULL) refused(conn, step, result);
    break;
  }
  return false;
}

/* The results of a statement have come. True after a script: without a pipeline there is no mark at the end. */
static bool next_statement(PGconn *pg, aio__pg_step *step) {
  if (step->script) return PQenterPipelineMode(pg) == 1;
  if (step->at++ >= BEFORE && step->reading != NULL) step->reading = step->reading->next;
  return false;
}

aio__pg_progress aio__pg_receive(aio__pg_conn *conn, aiorch_error *error) {
  PGconn *pg = conn->pg;
  aio__pg_step *step = conn->step;
  bool readable = PQconsumeInput(pg) == 1;
  while (PQisBusy(pg) == 0) {
    PGresult *result = PQgetResult(pg);
    bool last = result != NULL && take(conn, result);
    PQclear(result);
    if (PQstatus(pg) == CONNECTION_BAD) return lost(conn, error);
    if (result == NULL && step != NULL) last = next_statement(pg, step);
    if (last) return AIO__PG_DONE;
    if (step != NULL && step->at > step->count + AROUND) return lost(conn, error);
  }
  if (!readable) return lost(conn, error);
  return flush(conn, error);
}

/* ---- what came ---------------------------------------------------------------------------------------------------------------- */

static bool has(const aio__pg_rows *rows, size_t row, size_t column) {
  if (row < (size_t)PQntuples(rows->result) && column < (size_t)PQnfields(rows->result)) return true;
  rows->step->bad = true;
  return false;
}

/* The bytes of a value; false for NULL, and for what is not there. */
static bool bytes_of(const aio__pg_rows *rows, size_t row, size_t column, aio__str *out) {
  *out = AIO__LIT("");
  if (!has(rows, row, column) || PQgetisnull(rows->result, (int)row, (int)column)) return false;
  *out = aio__str_n(PQgetvalue(rows->result, (int)row, (int)column), (size_t)PQgetlength(rows->result, (int)row, (int)column));
  return true;
}

static uint64_t number_of(aio__str bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.n; i++) value = value << 8 | (unsigned char)bytes.p[i];
  return value;
}

static float float_of(const char *bytes) {
  uint32_t bits = (uint32_t)number_of(aio__str_n(bytes, 4));
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

size_t aio__pg_count(const aio__pg_rows *rows) {
  return (size_t)PQntuples(rows->result);
}

int64_t aio__pg_changed(const aio__pg_rows *rows) {
  const char *text = PQcmdTuples(rows->result);
  int64_t value = 0;
  for (; *text >= '0' && *text <= '9'; text++) value = value * 10 + (*text - '0');
  return value;
}

bool aio__pg_is_null(const aio__pg_rows *rows, size_t row, size_t column) {
  return has(rows, row, column) && PQgetisnull(rows->result, (int)row, (int)column) == 1;
}

int64_t aio__pg_get_i64(const aio__pg_rows *rows, size_t row, size_t column) {
  aio__str bytes;
  if (!bytes_of(rows, row, column, &bytes)) return 0;
  uint64_t value = number_of(bytes);
  switch (PQftype(rows->result, (int)column)) {
  case 21: /* int2 */
    if (bytes.n == 2) return (int16_t)value;
    break;
  case AIO__PG_INT4:
    if (bytes.n == 4) return (int32_t)value;
    break;
  case AIO__PG_INT8:
    if (bytes.n == 8) return (int64_t)value;
    break;
  default:
    break;
  }
  rows->step->bad = true;
  return 0;
}

double aio__pg_get_f64(const aio__pg_rows *rows, size_t row, size_t column) {
  aio__str bytes;
  double value = 0;
  if (!bytes_of(rows, row, column, &bytes)) return 0;
  Oid type = PQftype(rows->result, (int)column);
  if (type == AIO__PG_FLOAT4 && bytes.n == 4) return (double)float_of(bytes.p);
  uint64_t bits = number_of(bytes);
  if (type == AIO__PG_FLOAT8 && bytes.n == 8)
    memcpy(&value, &bits, sizeof value);
  else
    rows->step->bad = true;
  return value;
}

bool aio__pg_get_bool(const aio__pg_rows *rows, size_t row, size_t column) {
  aio__str bytes;
  if (!bytes_of(rows, row, column, &bytes)) return false;
  if (PQftype(rows->result, (int)column) != AIO__PG_BOOL || bytes.n != 1) rows->step->bad = true;
  return bytes.n == 1 && bytes.p[0] != 0;
}

aio__str aio__pg_get_bytes(const aio__pg_rows *rows, size_t row, size_t column) {
  aio__str bytes;
  if (!bytes_of(rows, row, column, &bytes)) return bytes;
  switch (PQftype(rows->result, (int)column)) {
  case AIO__PG_TEXT:
  case AIO__PG_BYTEA:
  case 19:   /* name */
  case 114:  /* json */
  case 705:  /* unknown */
  case 1042: /* char(n) */
  case 1043: /* varchar */
    return bytes;
  default:
    rows->step->bad = true;
    return AIO__LIT("");
  }
}

bool aio__pg_copy(const aio__pg_rows *rows, size_t row, size_t column, aio__arena *arena, aio__str *out) {
  *out = aio__arena_str(arena, aio__pg_get_bytes(rows, row, column));
  if (out->p == NULL) (void)aio__pg_nomem(&rows->step->op->error);
  return out->p != NULL;
}

void aio__pg_get_uuid(const aio__pg_rows *rows, size_t row, size_t column, char out[AIO__UUID_LEN + 1]) {
  static const char digits[] = "0123456789abcdef";
  aio__str bytes;
  out[0] = '\0';
  if (!bytes_of(rows, row, column, &bytes)) return;
  if (PQftype(rows->result, (int)column) != AIO__PG_UUID || bytes.n != 16) {
    rows->step->bad = true;
    return;
  }
  size_t at = 0;
  for (size_t i = 0; i < bytes.n; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out[at++] = '-';
    out[at++] = digits[(unsigned char)bytes.p[i] >> 4];
    out[at++] = digits[(unsigned char)bytes.p[i] & 15];
  }
  out[at] = '\0';
}

bool aio__pg_get_floats(const aio__pg_rows *rows, size_t row, size_t column, aio__arena *arena, float **out, size_t *count) {
  aio__str bytes;
  *out = NULL;
  *count = 0;
  if (!bytes_of(rows, row, column, &bytes)) return true;
  bool good = PQftype(rows->result, (int)column) == 1021 && bytes.n >= 12;
  if (good && number_of(aio__str_n(bytes.p, 4)) == 0) return true; /* no dimension: no items */
  size_t n = bytes.n >= 20 ? (bytes.n - 20) / 8 : 0;
  good = good && bytes.n == 20 + n * 8 && number_of(aio__str_n(bytes.p, 4)) == 1 && number_of(aio__str_n(bytes.p + 12, 4)) == n;
  for (size_t i = 0; i < n && good; i++) good = number_of(aio__str_n(bytes.p + 20 + i * 8, 4)) == 4;
  if (!good) {
    rows->step->bad = true;
    return true;
  }
  float *values = aio__arena_alloc(arena, n * sizeof *values);
  if (values == NULL) {
    (void)aio__pg_nomem(&rows->step->op->error);
    return false;
  }
  for (size_t i = 0; i < n; i++) values[i] = float_of(bytes.p + 24 + i * 8);
  *out = values;
  *count = n;
  return true;
}
