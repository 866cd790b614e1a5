/* Answers that are kept. Uses are counted at once, in transactions that do not wait for the server's disk; storing an answer does not,
 * either: one that is lost is asked for again. */
#include <string.h>

#include "stores/postgres_rows.h"

enum { ENTRY_OVERHEAD = 256, SOURCE_OVERHEAD = 48 };

/* ---- lookup, read ------------------------------------------------------------------------------------------------------------------- */

/* "document version document version": what string_agg put together. */
static aiorch_status read_sources(aio__str text, aio__op *op, aio__arena *arena, aio__cache_entry *out) {
  size_t most = text.n / (AIO__UUID_LEN + 2) + 1, n = 0;
  aio__cache_source *sources = aio__arena_alloc(arena, most * sizeof *sources);
  if (sources == NULL) return aio__pg_nomem(&op->error);
  for (size_t at = 0; text.n - at > AIO__UUID_LEN && n < most; n++) {
    memcpy(sources[n].document_id, text.p + at, AIO__UUID_LEN);
    at += AIO__UUID_LEN + 1;
    for (; at < text.n && text.p[at] >= '0' && text.p[at] <= '9'; at++)
      sources[n].version = (int64_t)((uint64_t)sources[n].version * 10 + (uint64_t)(text.p[at] - '0'));
    if (at < text.n) at++;
  }
  out->rests_on = sources;
  out->rests_on_count = n;
  return AIORCH_OK;
}

aiorch_status aio__pg_taken_read(const aio__pg_rows *rows, size_t row, size_t first, aio__op *op, aio__pg_taken *t) {
  aio__cache_entry *out = &t->row;
  t->hit = aio__pg_get_bool(rows, row, first);
  out->knowledge = aio__pg_get_i64(rows, row, first + 2) + 1;
  out->neighbours = aio__pg_get_bool(rows, row, first + 3);
  if (!t->hit) return AIORCH_OK;
  out->stale = aio__pg_get_bool(rows, row, first + 1);
  aio__pg_get_uuid(rows, row, first + 4, out->id);
  out->created_ms = aio__pg_get_i64(rows, row, first + 5);
  out->expires_ms = aio__pg_get_i64(rows, row, first + 6);
  out->hits = aio__pg_get_i64(rows, row, first + 7);
  out->finish_reason = (int32_t)aio__pg_get_i64(rows, row, first + 8);
  out->exact_only = aio__pg_get_bool(rows, row, first + 9);
  aio__str *const texts[] = {&out->key, &out->chunks, &out->provider, &out->model, &out->query, &out->sources, &out->answer};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    if (!aio__pg_copy(rows, row, first + 10 + i, t->ask.arena, texts[i])) return aio__pg_nomem(&op->error);
  out->scope = aio__arena_str(t->ask.arena, t->ask.scope);
  if (out->scope.p == NULL) return aio__pg_nomem(&op->error);
  return read_sources(aio__pg_get_bytes(rows, row, first + 17), op, t->ask.arena, out);
}

void aio__pg_taken_give(const aio__pg_taken *t) {
  *t->ask.entry = t->row;
  *t->ask.found = t->hit;
}

static aiorch_status read_taken(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  return aio__pg_taken_read(rows, 0, 0, op, ctx);
}

static aiorch_status give_taken(aio__op *op, void *ctx) {
  (void)op;
  aio__pg_taken_give(ctx);
  return AIORCH_OK;
}

/* By key, or by id when `key` is NULL. */
static aiorch_status take(aio__store *store, aio__op *op, aio__str tenant, aio__str scope, const aio__str *key, aio__str id,
                          int64_t now_ms, aio__arena *arena, aio__cache_entry *entry, bool *found) {
  aio__pg_taken t = {.ask = {.scope = scope, .arena = arena, .entry = entry, .found = found}};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_WRITE | AIO__PG_LOOSE, &t, sizeof t, give_taken);
  aio__pg_sql(step, "SELECT " AIO__PG_TAKEN " FROM take_answer($1, $2, $3, $4)", read_taken);
  aio__pg_bytea(step, scope);
  if (key != NULL)
    aio__pg_bytea(step, *key);
  else
    aio__pg_null(step);
  aio__pg_uuid(step, id);
  aio__pg_i64(step, now_ms);
  return aio__pg_step_start(step);
}

static aiorch_status lookup(aio__store *store, aio__op *op, aio__str tenant, aio__str scope, aio__str key, int64_t now_ms,
                            aio__arena *arena, aio__cache_entry *entry, bool *found) {
  return take(store, op, tenant, scope, &key, AIO__LIT(""), now_ms, arena, entry, found);
}

static aiorch_status read_by_id(aio__store *store, aio__op *op, aio__str tenant, aio__str scope, aio__str id, int64_t now_ms,
                                aio__arena *arena, aio__cache_entry *entry, bool *found) {
  return take(store, op, tenant, scope, NULL, id, now_ms, arena, entry, found);
}

/* ---- list --------------------------------------------------------------------------------------------------------------------------- */

typedef struct listed {
  aio__arena *arena;
  aio__cache_entry **entries;
  size_t *count;
  /* found */
  aio__cache_entry *rows;
  size_t n;
} listed;

static aiorch_status read_listed_row(const aio__pg_rows *rows, size_t row, aio__op *op, const listed *l, aio__cache_entry *out) {
  aio__pg_get_uuid(rows, row, 0, out->id);
  out->created_ms = aio__pg_get_i64(rows, row, 1);
  out->expires_ms = aio__pg_get_i64(rows, row, 2);
  out->hits = aio__pg_get_i64(rows, row, 3);
  out->stale = aio__pg_get_bool(rows, row, 4);
  out->knowledge = aio__pg_get_i64(rows, row, 5) + 1;
  out->finish_reason = (int32_t)aio__pg_get_i64(rows, row, 6);
  out->exact_only = aio__pg_get_bool(rows, row, 7);
  out->bytes = aio__pg_get_i64(rows, row, 8);
  aio__str *const texts[] = {&out->scope, &out->key, &out->chunks, &out->provider, &out->model, &out->query};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    if (!aio__pg_copy(rows, row, 9 + i, l->arena, texts[i])) return aio__pg_nomem(&op->error);
  return read_sources(aio__pg_get_bytes(rows, row, 15), op, l->arena, out);
}

static aiorch_status read_listed(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  listed *l = ctx;
  aiorch_status status = AIORCH_OK;
  l->n = aio__pg_count(rows);
  l->rows = aio__arena_alloc(l->arena, (l->n + 1) * sizeof *l->rows);
  if (l->rows == NULL) return aio__pg_nomem(&op->error);
  for (size_t i = 0; i < l->n && status == AIORCH_OK; i++) status = read_listed_row(rows, i, op, l, &l->rows[i]);
  return status;
}

static aiorch_status give_listed(aio__op *op, void *ctx) {
  const listed *l = ctx;
  (void)op;
  *l->entries = l->rows;
  *l->count = l->n;
  return AIORCH_OK;
}

static aiorch_status list(aio__store *store, aio__op *op, aio__str tenant, size_t limit, int64_t now_ms, aio__arena *arena,
                          aio__cache_entry **entries, size_t *count) {
  listed l = {.arena = arena, .entries = entries, .count = count};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ, &l, sizeof l, give_listed);
  aio__pg_sql(step,
              "SELECT e.id, least(e.created_ms, $1), e.expires_ms, e.hits, e.knowledge < t.knowledge, t.knowledge, e.finish_reason,"
              " e.exact_only, e.bytes, e.scope, e.key, e.chunks, e.provider, e.model, e.query,"
              " (SELECT string_agg(s.document_id || ' ' || s.version, ' ' ORDER BY s.document_id) FROM cache_sources s"
              "  WHERE s.tenant_id = e.tenant_id AND s.entry_id = e.id)"
              " FROM semantic_cache e JOIN tenants t ON t.tenant_id = e.tenant_id"
              " WHERE e.tenant_id = " AIO__PG_TENANT " AND e.expires_ms > $1 ORDER BY e.created_ms DESC, e.id DESC LIMIT $2",
              read_listed);
  aio__pg_i64(step, now_ms);
  aio__pg_i64(step, limit < AIO__PG_ROWS_MAX ? (int64_t)limit : AIO__PG_ROWS_MAX);
  return aio__pg_step_start(step);
}

/* ---- put ---------------------------------------------------------------------------------------------------------------------------- */

typedef struct kept {
  const aio__cache_entry *entry;
  const aio__cache_limits *limits;
  int64_t now_ms;
  bool *stored;
  /* found */
  bool done;
  int64_t code, size;
} kept;

static aiorch_status read_kept(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  kept *k = ctx;
  (void)op;
  k->done = aio__pg_get_bool(rows, 0, 0);
  k->code = aio__pg_get_i64(rows, 0, 1);
  k->size = aio__pg_get_i64(rows, 0, 2);
  return AIORCH_OK;
}

static aiorch_status give_kept(aio__op *op, void *ctx) {
  const kept *k = ctx;
  aiorch_status status = k->code != 0 ? aio__pg_model_code(k->code, k->size, k->entry->vector, &op->error) : AIORCH_OK;
  if (status == AIORCH_OK) *k->stored = k->done;
  return status;
}

/* As the other stores count, without the vector. */
static int64_t entry_bytes(const aio__cache_entry *e) {
  return (int64_t)(ENTRY_OVERHEAD + e->query.n + e->answer.n + e->sources.n + e->provider.n + e->model.n +
                   e->rests_on_count * SOURCE_OVERHEAD);
}

static void put_entry(aio__pg_step *step, const aio__cache_entry *e) {
  aio__pg_uuid(step, aio__str_z(e->id));
  aio__pg_bytea(step, e->scope);
  aio__pg_bytea(step, e->key);
  aio__pg_i64(step, e->created_ms);
  aio__pg_i64(step, e->expires_ms);
  aio__pg_i64(step, entry_bytes(e));
  aio__pg_i64(step, e->knowledge);
  aio__pg_i32(step, e->finish_reason);
  aio__pg_bool(step, e->exact_only);
  aio__pg_bytea(step, e->chunks);
  aio__pg_text(step, e->provider);
  aio__pg_text(step, e->model);
  aio__pg_text(step, e->query);
  aio__pg_text(step, e->sources);
  aio__pg_text(step, e->answer);
  aio__pg_array(step, AIO__PG_UUID, e->rests_on_count);
  for (size_t i = 0; i < e->rests_on_count; i++) aio__pg_uuid(step, aio__str_z(e->rests_on[i].document_id));
  aio__pg_array(step, AIO__PG_INT8, e->rests_on_count);
  for (size_t i = 0; i < e->rests_on_count; i++) aio__pg_i64(step, e->rests_on[i].version);
}

static void put_vector(aio__pg_step *step, const aio__vectors *vector) {
  aio__pg_text(step, vector != NULL ? vector->fingerprint : AIO__LIT(""));
  if (vector != NULL)
    aio__pg_i32(step, (int32_t)vector->dimensions);
  else
    aio__pg_null(step);
  aio__pg_floats(step, vector != NULL ? vector->rows : NULL, vector != NULL ? vector->dimensions : 0);
}

static void put_keep(aio__pg_step *step, const kept *k) {
  aio__pg_sql(step,
              "SELECT kept, code, stored FROM keep_answer($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,"
              "$23,$24)",
              read_kept);
  put_entry(step, k->entry);
  put_vector(step, k->entry->vector);
  aio__pg_i64(step, k->limits->max_rows);
  aio__pg_i64(step, k->limits->max_bytes);
  aio__pg_bool(step, k->limits->replace != 0);
  aio__pg_i64(step, k->now_ms);
}

/* They wait for the lock of the tenant's row. */
static void gather_kept(aio__pg_step *whole, aio__pg_step *const *parts, size_t count) {
  for (size_t i = 0; i < count; i++) {
    aio__pg_step_part(whole, i);
    put_keep(whole, aio__pg_step_ctx(parts[i]));
  }
}

static aiorch_status put(aio__store *store, aio__op *op, aio__str tenant, const aio__cache_entry *entry, const aio__cache_limits *limits,
                         int64_t now_ms, bool *stored) {
  kept k = {.entry = entry, .limits = limits, .now_ms = now_ms, .stored = stored};
  aiorch_status status = entry->vector != NULL ? aio__pg_vectors_check(entry->vector, 1, &op->error) : AIORCH_OK;
  if (status != AIORCH_OK) return status;
  int64_t whole = entry_bytes(entry) + (entry->vector != NULL ? (int64_t)(entry->vector->dimensions * sizeof(float)) : 0);
  if (whole > limits->max_bytes || limits->max_rows < 1) {
    *stored = false;
    return AIORCH_OK;
  }
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_WRITE | AIO__PG_LOOSE, &k, sizeof k, give_kept);
  put_keep(step, &k);
  aio__pg_step_gathers(step, gather_kept);
  return aio__pg_step_start(step);
}

/* ---- changes of one answer ------------------------------------------------------------------------------------------------------------ */

typedef struct changed {
  aio__str id;
  int64_t n;
} changed;

static aiorch_status read_changed(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  (void)op;
  ((changed *)ctx)->n = aio__pg_changed(rows);
  return AIORCH_OK;
}

static aiorch_status give_changed(aio__op *op, void *ctx) {
  const changed *c = ctx;
  if (c->n > 0) return AIORCH_OK;
  return aio__error_set(&op->error, AIORCH_E_NOT_FOUND, "no kept answer with the id \"%.*s\"", (int)(c->id.n < 64 ? c->id.n : 64),
                        c->id.p != NULL ? c->id.p : "");
}

static aiorch_status exact_only(aio__store *store, aio__op *op, aio__str tenant, aio__str id) {
  changed c = {.id = id};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_WRITE, &c, sizeof c, give_changed);
  aio__pg_sql(step, "UPDATE semantic_cache SET exact_only = true WHERE tenant_id = " AIO__PG_TENANT " AND id = $1", read_changed);
  aio__pg_uuid(step, id);
  return aio__pg_step_start(step);
}

static aiorch_status revalidated(aio__store *store, aio__op *op, aio__str tenant, aio__str id, int64_t knowledge) {
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_WRITE | AIO__PG_LOOSE, NULL, 0, NULL);
  aio__pg_sql(step,
              "UPDATE semantic_cache e SET knowledge = greatest(e.knowledge, least($2 - 1, t.knowledge)) FROM tenants t"
              " WHERE t.tenant_id = " AIO__PG_TENANT " AND e.tenant_id = " AIO__PG_TENANT " AND e.id = $1",
              NULL);
  aio__pg_uuid(step, id);
  aio__pg_i64(step, knowledge);
  return aio__pg_step_start(step);
}

typedef struct dropped {
  uint64_t *removed;
  int64_t n;
} dropped;

static aiorch_status read_dropped(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  (void)op;
  ((dropped *)ctx)->n = aio__pg_get_i64(rows, 0, 0);
  return AIORCH_OK;
}

static aiorch_status give_dropped(aio__op *op, void *ctx) {
  const dropped *d = ctx;
  (void)op;
  *d->removed = (uint64_t)d->n;
  return AIORCH_OK;
}

static aiorch_status invalidate(aio__store *store, aio__op *op, aio__str tenant, aio__str tag, uint64_t *removed) {
  dropped d = {.removed = removed};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_WRITE | AIO__PG_LONG, &d, sizeof d, give_dropped);
  aio__pg_sql(step, "SELECT drop_answers($1, $2)", read_dropped);
  aio__pg_text(step, tag);
  aio__pg_uuid(step, tag);
  return aio__pg_step_start(step);
}

const aio__cache_ops aio__pg_cache_ops = {
  .lookup = lookup,
  .put = put,
  .near = aio__pg_near,
  .read = read_by_id,
  .unembedded = aio__pg_answers_unembedded,
  .mark_embedded = aio__pg_answers_mark,
  .exact_only = exact_only,
  .revalidated = revalidated,
  .list = list,
  .invalidate = invalidate,
};
