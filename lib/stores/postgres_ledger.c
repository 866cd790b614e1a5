/* The ledger ops of the PostgreSQL store but admission. Pending attempts commit without waiting for the server's disk; what has cost money
 * never does. */
#include <string.h>

#include "stores/postgres_rows.h"

enum { TEXT_SHOWN_MAX = 64, PRUNE_MAX = 2000 };

/* As the columns stand. */
static const int USAGE_ORDER[] = {AIORCH_USAGE_INPUT,          AIORCH_USAGE_CACHE_READ, AIORCH_USAGE_CACHE_WRITE,
                                  AIORCH_USAGE_CACHE_WRITE_1H, AIORCH_USAGE_OUTPUT,     AIORCH_USAGE_REASONING};
enum { USAGES = sizeof USAGE_ORDER / sizeof USAGE_ORDER[0] };

/* Names of providers and their ids come from outside, and money must be written down whatever they are: what is no UTF-8 becomes '?'. */
static void put_text(aio__pg_step *step, aio__str text) {
  if (aio__utf8_check(text, NULL) == text.n && (text.n == 0 || memchr(text.p, '\0', text.n) == NULL)) {
    aio__pg_text(step, text);
    return;
  }
  char *copy = aio__pg_step_alloc(step, text.n);
  if (copy == NULL) return;
  for (size_t i = 0; i < text.n; i++) copy[i] = text.p[i] > 0 ? text.p[i] : '?';
  aio__pg_text(step, aio__str_n(copy, text.n));
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------- */

static void put_usage(aio__pg_step *step, const aio__usage *usage) {
  for (size_t i = 0; i < USAGES; i++) aio__pg_i64(step, usage->n[USAGE_ORDER[i]]);
}

static void put_cost(aio__pg_step *step, bool known, int64_t cost) {
  if (known)
    aio__pg_i64(step, cost);
  else
    aio__pg_null(step);
}

/* One item of each attempt: an array of integers. */
#define INTEGERS(step, type, put, value)                              \
  do {                                                                \
    aio__pg_array(step, type, count);                                 \
    for (size_t i = 0; i < count; i++) put(step, attempts[i].value);  \
  } while (0)
#define TEXTS(step, value)                                                \
  do {                                                                    \
    aio__pg_array(step, AIO__PG_TEXT, count);                             \
    for (size_t i = 0; i < count; i++) put_text(step, attempts[i].value); \
  } while (0)

static void put_attempts(aio__pg_step *step, const aio__attempt_row *attempts, size_t count) {
  aio__pg_array(step, AIO__PG_UUID, count);
  for (size_t i = 0; i < count; i++) aio__pg_uuid(step, aio__str_z(attempts[i].id));
  aio__pg_array(step, AIO__PG_INT4, count);
  for (size_t i = 0; i < count; i++) aio__pg_i32(step, (int32_t)attempts[i].state);
  INTEGERS(step, AIO__PG_INT4, aio__pg_i32, kind);
  INTEGERS(step, AIO__PG_INT4, aio__pg_i32, status);
  INTEGERS(step, AIO__PG_INT4, aio__pg_i32, http_status);
  TEXTS(step, provider);
  TEXTS(step, model);
  TEXTS(step, request_id);
  aio__pg_array(step, AIO__PG_INT8, count * USAGES);
  for (size_t i = 0; i < count; i++) put_usage(step, &attempts[i].usage);
  INTEGERS(step, AIO__PG_BOOL, aio__pg_bool, usage.estimated);
  aio__pg_array(step, AIO__PG_INT8, count);
  for (size_t i = 0; i < count; i++) put_cost(step, attempts[i].cost_known, attempts[i].cost_nano_usd);
  INTEGERS(step, AIO__PG_INT8, aio__pg_i64, created_ms);
  INTEGERS(step, AIO__PG_INT8, aio__pg_i64, duration_us);
  INTEGERS(step, AIO__PG_INT8, aio__pg_i64, lease_until_ms);
}

/* The run's row, what was reserved for it at what it has cost, and its attempts; without `run` (NULL) attempts of one run alone. */
static void put_call(aio__pg_step *step, const aio__run_row *run, const aio__attempt_row *attempts, size_t count) {
  static const aio__run_row none;
  const aio__run_row *r = run != NULL ? run : &none;
  const aio__str names[] = {r->user, r->provider, r->model};
  size_t n = run != NULL ? sizeof names / sizeof names[0] : 0;
  aio__pg_sql(step, "SELECT FROM log_call($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23)", NULL);
  aio__pg_uuid(step, aio__str_z(run != NULL ? run->id : attempts[0].run_id));
  aio__pg_array(step, AIO__PG_TEXT, n);
  for (size_t i = 0; i < n; i++) put_text(step, names[i]);
  aio__pg_i32(step, r->status);
  aio__pg_i32(step, r->cache);
  aio__pg_array(step, AIO__PG_INT8, USAGES);
  put_usage(step, &r->usage);
  aio__pg_bool(step, r->usage.estimated);
  put_cost(step, r->cost_known, r->cost_nano_usd);
  aio__pg_i64(step, r->created_ms);
  aio__pg_i64(step, r->duration_us);
  put_attempts(step, attempts, count);
}

/* What is to be written; the rows are their caller's, who waits. */
typedef struct logging {
  const aio__run_row *run;
  const aio__attempt_row *attempts;
  size_t count;
} logging;

static const char *run_of_rows(const logging *l) {
  return l->run != NULL ? l->run->id : l->attempts[0].run_id;
}

/* Rows of several runs are one transaction: the server's disk is waited for once. By the order of their runs, so that of two transactions with
 * rows of the same runs (what is played again, and what had been under way) none holds what the other waits for. */
static void gather_calls(aio__pg_step *whole, aio__pg_step *const *parts, size_t count) {
  size_t order[AIO__PG_TOGETHER_MAX];
  for (size_t i = 0; i < count; i++) {
    const char *run = run_of_rows(aio__pg_step_ctx(parts[i]));
    size_t at = i;
    for (; at > 0 && strcmp(run_of_rows(aio__pg_step_ctx(parts[order[at - 1]])), run) > 0; at--) order[at] = order[at - 1];
    order[at] = i;
  }
  for (size_t i = 0; i < count; i++) {
    const logging *l = aio__pg_step_ctx(parts[order[i]]);
    aio__pg_step_part(whole, order[i]);
    put_call(whole, l->run, l->attempts, l->count);
  }
}

static aiorch_status attempt(aio__store *store, aio__op *op, aio__str tenant, const aio__attempt_row *row) {
  bool pending = row->state == AIO__ATTEMPT_PENDING;
  logging l = {.attempts = row, .count = 1};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, pending ? AIO__PG_WRITE | AIO__PG_LOOSE : AIO__PG_WRITE, &l, sizeof l, NULL);
  put_call(step, NULL, row, 1);
  aio__pg_step_gathers(step, gather_calls);
  return aio__pg_step_start(step);
}

static aiorch_status settle(aio__store *store, aio__op *op, aio__str tenant, const aio__run_row *run, const aio__attempt_row *attempts,
                            size_t count) {
  logging l = {.run = run, .attempts = attempts, .count = count};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_WRITE | AIO__PG_MONEY, &l, sizeof l, NULL);
  put_call(step, run, attempts, count);
  aio__pg_step_gathers(step, gather_calls);
  return aio__pg_step_start(step);
}

/* ---- over all tenants --------------------------------------------------------------------------------------------------------- */

typedef struct expiring {
  uint64_t *out, expired;
} expiring;

static aiorch_status read_expired(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  (void)op;
  ((expiring *)ctx)->expired = (uint64_t)aio__pg_get_i64(rows, 0, 0);
  return AIORCH_OK;
}

static aiorch_status give_expired(aio__op *op, void *ctx) {
  const expiring *e = ctx;
  (void)op;
  *e->out = e->expired;
  return AIORCH_OK;
}

/* What nobody asks for any more goes on this occasion. */
static aiorch_status expire(aio__store *store, aio__op *op, int64_t now_ms, uint64_t *expired) {
  expiring e = {.out = expired};
  aio__pg_step *step = aio__pg_step_new(store, op, AIO__LIT(""), AIO__PG_WRITE | AIO__PG_LONG, &e, sizeof e, give_expired);
  aio__pg_sql(step, "SELECT expire_attempts($1::bigint)", read_expired);
  aio__pg_now(step, store, now_ms);
  aio__pg_sql(step, "SELECT FROM prune(NULL, $1, $2::bigint)", NULL);
  aio__pg_i32(step, PRUNE_MAX);
  aio__pg_now(step, store, now_ms);
  return aio__pg_step_start(step);
}

typedef struct pruning {
  aio__pruned *out, sum;
  int64_t limit;
} pruning;

static aiorch_status read_pruned(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  pruning *p = ctx;
  (void)op;
  p->sum.admissions = aio__pg_get_i64(rows, 0, 0);
  p->sum.answers = aio__pg_get_i64(rows, 0, 1);
  p->sum.runs = aio__pg_get_i64(rows, 0, 2);
  p->sum.more = p->sum.admissions >= p->limit || p->sum.answers >= p->limit || p->sum.runs >= p->limit;
  return AIORCH_OK;
}

static aiorch_status read_pruned_stand_in(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  pruning *p = ctx;
  int64_t n = aio__pg_get_i64(rows, 0, 0);
  (void)op;
  p->sum.answers += n;
  p->sum.more = p->sum.more || n >= p->limit;
  return AIORCH_OK;
}

static aiorch_status give_pruned(aio__op *op, void *ctx) {
  const pruning *p = ctx;
  (void)op;
  *p->out = p->sum;
  return AIORCH_OK;
}

static void put_before(aio__pg_step *step, const aio__prune_args *args) {
  if (args->runs_before_ms > 0)
    aio__pg_i64(step, args->runs_before_ms);
  else
    aio__pg_null(step);
}

static aiorch_status prune(aio__store *store, aio__op *op, const aio__prune_args *args, aio__pruned *out) {
  pruning p = {.out = out, .limit = args->count_only ? INT64_MAX : (int64_t)args->limit};
  int flags = args->count_only ? AIO__PG_READ : AIO__PG_WRITE;
  aio__pg_step *step = aio__pg_step_new(store, op, AIO__LIT(""), flags | AIO__PG_LONG, &p, sizeof p, give_pruned);
  aio__pg_sql(step,
              args->count_only ? "SELECT admissions, answers, calls FROM prune_counts($1::bigint, $2::bigint)"
                               : "SELECT admissions, answers, calls FROM prune($1::bigint, $3, $2::bigint)",
              read_pruned);
  put_before(step, args);
  aio__pg_now(step, store, args->now_ms);
  if (args->count_only) return aio__pg_step_start(step);
  aio__pg_i32(step, (int32_t)args->limit);
  aio__pg_sql(step, "SELECT prune_stand_in($1, $2::bigint)", read_pruned_stand_in);
  aio__pg_i32(step, (int32_t)args->limit);
  aio__pg_now(step, store, args->now_ms);
  return aio__pg_step_start(step);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

/* Tokens end at 2^53 as in aio__usage_add, money at the largest number there is. */
#define TOKENS(name) "least(coalesce(sum(" name "_tokens), 0), 9007199254740992)::bigint"
#define MONEY "least(coalesce(sum(cost_nano_usd), 0), 9223372036854775807)::bigint"
#define COSTS(by)                                                                                                                     \
  "SELECT (" by ") COLLATE \"C\", count(*), count(*) FILTER (WHERE cache >= 2), count(*) FILTER (WHERE status < 0),"                             \
  " count(*) FILTER (WHERE cost_nano_usd IS NULL), " MONEY ", " TOKENS("input") ", " TOKENS("cache_read") ", "                        \
  TOKENS("cache_write") ", " TOKENS("cache_write_1h") ", " TOKENS("output") ", " TOKENS("reasoning") ", bool_or(estimated)"           \
  " FROM ai_api_calls WHERE tenant_id = $1 AND created_ms >= $2 AND created_ms < $3 GROUP BY 1 ORDER BY 1"

static void get_usage(const aio__pg_rows *rows, size_t row, size_t column, aio__usage *out) {
  for (size_t i = 0; i < USAGES; i++) out->n[USAGE_ORDER[i]] = aio__pg_get_i64(rows, row, column + i);
  out->estimated = aio__pg_get_bool(rows, row, column + USAGES);
}

typedef struct reading {
  aio__arena *arena;
  void **out;
  size_t *out_count;
  void *rows;
  size_t count;
  aio__str run_id;
} reading;

static aiorch_status give_rows(aio__op *op, void *ctx) {
  const reading *r = ctx;
  (void)op;
  *r->out = r->rows;
  *r->out_count = r->count;
  return AIORCH_OK;
}

/* Room for all rows. False: none, with words. */
static bool make_room(const aio__pg_rows *rows, aio__op *op, reading *r, size_t size) {
  r->count = aio__pg_count(rows);
  r->rows = r->count > 0 ? aio__arena_alloc(r->arena, r->count * size) : NULL;
  if (r->count == 0 || r->rows != NULL) return true;
  (void)aio__pg_nomem(&op->error);
  return false;
}

static aiorch_status read_costs(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  reading *r = ctx;
  if (!make_room(rows, op, r, sizeof(aio__cost_row))) return AIORCH_E_NOMEM;
  for (size_t i = 0; i < r->count; i++) {
    aio__cost_row *out = &((aio__cost_row *)r->rows)[i];
    if (!aio__pg_copy(rows, i, 0, r->arena, &out->group)) return AIORCH_E_NOMEM;
    out->runs = aio__pg_get_i64(rows, i, 1);
    out->hits = aio__pg_get_i64(rows, i, 2);
    out->failures = aio__pg_get_i64(rows, i, 3);
    out->unknown_price = aio__pg_get_i64(rows, i, 4);
    out->cost_nano_usd = aio__pg_get_i64(rows, i, 5);
    get_usage(rows, i, 6, &out->usage);
  }
  return AIORCH_OK;
}

static const char *costs_statement(aio__str by) {
  static const struct {
    const char *name, *sql;
  } ways[] = {{"day", COSTS("to_char(to_timestamp(created_ms / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')")},
              {"provider", COSTS("provider")},
              {"model", COSTS("model")},
              {"user", COSTS("user_id")}};
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
    if (aio__str_eqz(by, ways[i].name)) return ways[i].sql;
  return NULL;
}

static aiorch_status costs(aio__store *store, aio__op *op, aio__str tenant, int64_t since_ms, int64_t until_ms, aio__str by,
                           aio__arena *arena, aio__cost_row **rows, size_t *count) {
  reading r = {.arena = arena, .out = (void **)rows, .out_count = count};
  const char *sql = costs_statement(by);
  if (sql == NULL)
    return aio__error_set(&op->error, AIORCH_E_INVALID, "costs by \"%.*s\": use day, provider, model or user",
                          (int)(by.n < TEXT_SHOWN_MAX ? by.n : TEXT_SHOWN_MAX), by.p != NULL ? by.p : "");
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ | AIO__PG_LONG, &r, sizeof r, give_rows);
  aio__pg_sql(step, sql, read_costs);
  aio__pg_text(step, tenant);
  aio__pg_i64(step, since_ms);
  aio__pg_i64(step, until_ms);
  return aio__pg_step_start(step);
}

static bool get_attempt(const aio__pg_rows *rows, size_t i, const reading *r, aio__attempt_row *out) {
  size_t at = 8;
  aio__pg_get_uuid(rows, i, 0, out->id);
  memcpy(out->run_id, r->run_id.p, r->run_id.n < AIO__UUID_LEN ? r->run_id.n : AIO__UUID_LEN);
  out->state = (aio__attempt_state)aio__pg_get_i64(rows, i, 1);
  out->kind = (int32_t)aio__pg_get_i64(rows, i, 2);
  out->status = (int32_t)aio__pg_get_i64(rows, i, 3);
  out->http_status = (int32_t)aio__pg_get_i64(rows, i, 4);
  get_usage(rows, i, at, &out->usage);
  at += USAGES + 1;
  out->cost_known = !aio__pg_is_null(rows, i, at);
  out->cost_nano_usd = aio__pg_get_i64(rows, i, at);
  out->created_ms = aio__pg_get_i64(rows, i, at + 1);
  out->duration_us = aio__pg_get_i64(rows, i, at + 2);
  out->lease_until_ms = aio__pg_get_i64(rows, i, at + 3);
  return aio__pg_copy(rows, i, 5, r->arena, &out->provider) && aio__pg_copy(rows, i, 6, r->arena, &out->model) &&
         aio__pg_copy(rows, i, 7, r->arena, &out->request_id);
}

static aiorch_status read_attempts(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  reading *r = ctx;
  if (!make_room(rows, op, r, sizeof(aio__attempt_row))) return AIORCH_E_NOMEM;
  for (size_t i = 0; i < r->count; i++)
    if (!get_attempt(rows, i, r, &((aio__attempt_row *)r->rows)[i])) return AIORCH_E_NOMEM;
  return AIORCH_OK;
}

static aiorch_status attempts(aio__store *store, aio__op *op, aio__str tenant, aio__str run_id, aio__arena *arena,
                              aio__attempt_row **rows, size_t *count) {
  reading r = {.arena = arena, .out = (void **)rows, .out_count = count, .run_id = run_id};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ, &r, sizeof r, give_rows);
  aio__pg_sql(step,
              "SELECT id, state, kind, status, http_status, provider, model, request_id, input_tokens, cache_read_tokens,"
              " cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, estimated, cost_nano_usd, created_ms,"
              " duration_us, lease_until_ms FROM ai_attempts WHERE tenant_id = $1 AND run_id = $2 ORDER BY created_ms, id",
              read_attempts);
  aio__pg_text(step, tenant);
  aio__pg_uuid(step, run_id);
  return aio__pg_step_start(step);
}

/* ---- stats -------------------------------------------------------------------------------------------------------------------- */

typedef struct counting {
  aio__store_stats *out, all;
} counting;

static aiorch_status read_tenant(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  aio__store_stats *all = &((counting *)ctx)->all;
  (void)op;
  if (aio__pg_count(rows) == 0) return AIORCH_OK;
  all->documents = aio__pg_get_i64(rows, 0, 0);
  all->chunks = aio__pg_get_i64(rows, 0, 1);
  all->text_bytes = aio__pg_get_i64(rows, 0, 2);
  return AIORCH_OK;
}

static aiorch_status read_live(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  aio__store_stats *all = &((counting *)ctx)->all;
  (void)op;
  all->cache_entries = aio__pg_get_i64(rows, 0, 0);
  all->cache_bytes = aio__pg_get_i64(rows, 0, 1);
  return AIORCH_OK;
}

static aiorch_status read_totals(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  aio__store_stats *all = &((counting *)ctx)->all;
  (void)op;
  all->runs = aio__pg_get_i64(rows, 0, 0);
  all->cost_nano_usd = aio__pg_get_i64(rows, 0, 1);
  return AIORCH_OK;
}

static aiorch_status read_index(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  (void)op;
  ((counting *)ctx)->all.by_index = aio__pg_get_bool(rows, 0, 0);
  return AIORCH_OK;
}

static aiorch_status give_stats(aio__op *op, void *ctx) {
  const counting *c = ctx;
  (void)op;
  *c->out = c->all;
  return AIORCH_OK;
}

static aiorch_status stats(aio__store *store, aio__op *op, aio__str tenant, int64_t now_ms, aio__store_stats *out) {
  counting c = {.out = out};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ | AIO__PG_LONG, &c, sizeof c, give_stats);
  aio__pg_sql(step, "SELECT documents, chunks, text_bytes FROM tenants WHERE tenant_id = $1", read_tenant);
  aio__pg_text(step, tenant);
  aio__pg_sql(step,
              "SELECT count(*), least(coalesce(sum(bytes), 0), 9223372036854775807)::bigint FROM semantic_cache"
              " WHERE tenant_id = $1 AND expires_ms > $2",
              read_live);
  aio__pg_text(step, tenant);
  aio__pg_i64(step, now_ms);
  aio__pg_sql(step,
              "SELECT (r.n + coalesce(t.runs, 0))::bigint, least(r.cost + coalesce(t.cost_nano_usd, 0), 9223372036854775807)::bigint"
              " FROM (SELECT count(*) AS n, coalesce(sum(cost_nano_usd), 0) AS cost FROM ai_api_calls WHERE tenant_id = $1) r"
              " LEFT JOIN run_totals t ON t.tenant_id = $1",
              read_totals);
  aio__pg_text(step, tenant);
  aio__pg_sql(step,
              "SELECT coalesce(bool_or(t.chunks > exact_up_to() AND i.indisvalid), false) FROM tenant_models t"
              " JOIN pg_index i ON i.indexrelid = to_regclass(format('chunk_vectors_near_%s', t.model)) WHERE t.tenant_id = $1",
              read_index);
  aio__pg_text(step, tenant);
  return aio__pg_step_start(step);
}

const aio__ledger_ops aio__pg_ledger_ops = {.admit = aio__pg_admit,
                                            .enter = aio__pg_enter,
                                            .attempt = attempt,
                                            .settle = settle,
                                            .expire = expire,
                                            .costs = costs,
                                            .attempts = attempts,
                                            .stats = stats,
                                            .prune = prune};
