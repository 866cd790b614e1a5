/* The knowledge ops of the PostgreSQL store; and documents as they are read. */
#include <string.h>

#include "stores/postgres_rows.h"

#define ROW "id, version, updated_ms, chunk_count, bytes, hash, title, source, format"
enum { ROW_COLUMNS = 9 };

static bool read_row(const aio__pg_rows *rows, size_t row, aio__arena *arena, aio__store_document *out) {
  memset(out, 0, sizeof *out);
  aio__pg_get_uuid(rows, row, 0, out->id);
  out->version = aio__pg_get_i64(rows, row, 1);
  out->updated_ms = aio__pg_get_i64(rows, row, 2);
  out->chunk_count = (uint32_t)aio__pg_get_i64(rows, row, 3);
  out->bytes = (uint64_t)aio__pg_get_i64(rows, row, 4);
  out->format = (int32_t)aio__pg_get_i64(rows, row, 8);
  return aio__pg_copy(rows, row, 5, arena, &out->hash) && aio__pg_copy(rows, row, 6, arena, &out->title) &&
         aio__pg_copy(rows, row, 7, arena, &out->source);
}

/* ---- check ------------------------------------------------------------------------------------------------------------------------- */

typedef struct checked {
  aio__store_document *document;
  bool *unchanged;
  /* found */
  bool same;
  char id[AIO__UUID_LEN + 1];
  int64_t version, updated_ms, chunk_count, bytes;
} checked;

static aiorch_status read_checked(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  checked *c = ctx;
  (void)op;
  c->same = aio__pg_count(rows) > 0;
  if (!c->same) return AIORCH_OK;
  aio__pg_get_uuid(rows, 0, 0, c->id);
  c->version = aio__pg_get_i64(rows, 0, 1);
  c->updated_ms = aio__pg_get_i64(rows, 0, 2);
  c->chunk_count = aio__pg_get_i64(rows, 0, 3);
  c->bytes = aio__pg_get_i64(rows, 0, 4);
  return AIORCH_OK;
}

static aiorch_status give_checked(aio__op *op, void *ctx) {
  const checked *c = ctx;
  (void)op;
  *c->unchanged = c->same;
  if (!c->same) return AIORCH_OK;
  memcpy(c->document->id, c->id, sizeof c->id);
  c->document->version = c->version;
  c->document->updated_ms = c->updated_ms;
  c->document->chunk_count = (uint32_t)c->chunk_count;
  c->document->bytes = (uint64_t)c->bytes;
  return AIORCH_OK;
}

static aiorch_status check(aio__store *store, aio__op *op, aio__str tenant, aio__store_document *document, bool *unchanged) {
  checked c = {.document = document, .unchanged = unchanged};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ, &c, sizeof c, give_checked);
  aio__pg_sql(step,
              "SELECT id, version, updated_ms, chunk_count, bytes FROM documents WHERE tenant_id = " AIO__PG_TENANT
              " AND source = $1 AND hash = $2",
              read_checked);
  aio__pg_text(step, document->source);
  aio__pg_bytea(step, document->hash);
  return aio__pg_step_start(step);
}

/* ---- list -------------------------------------------------------------------------------------------------------------------------- */

typedef struct listed {
  aio__arena *arena;
  aio__store_document **documents;
  size_t *count;
  /* found */
  aio__store_document *rows;
  size_t n;
} listed;

static aiorch_status read_listed(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  listed *l = ctx;
  l->n = aio__pg_count(rows);
  l->rows = aio__arena_alloc(l->arena, (l->n + 1) * sizeof *l->rows);
  if (l->rows == NULL) return aio__pg_nomem(&op->error);
  for (size_t i = 0; i < l->n; i++)
    if (!read_row(rows, i, l->arena, &l->rows[i])) return aio__pg_nomem(&op->error);
  return AIORCH_OK;
}

static aiorch_status give_listed(aio__op *op, void *ctx) {
  const listed *l = ctx;
  (void)op;
  *l->documents = l->rows;
  *l->count = l->n;
  return AIORCH_OK;
}

static aiorch_status list(aio__store *store, aio__op *op, aio__str tenant, aio__str after, size_t limit, aio__arena *arena,
                          aio__store_document **documents, size_t *count) {
  listed l = {.arena = arena, .documents = documents, .count = count};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ, &l, sizeof l, give_listed);
  aio__pg_sql(step, "SELECT " ROW " FROM documents WHERE tenant_id = " AIO__PG_TENANT " AND source > $1 ORDER BY source LIMIT $2",
              read_listed);
  aio__pg_text(step, after);
  aio__pg_i64(step, limit < AIO__PG_ROWS_MAX ? (int64_t)limit : AIO__PG_ROWS_MAX);
  return aio__pg_step_start(step);
}

/* ---- show -------------------------------------------------------------------------------------------------------------------------- */

typedef struct shown {
  aio__str wanted;
  aio__arena *arena;
  aio__store_document *document;
  /* found */
  bool found;
  aio__store_document row;
} shown;

#define WANTED \
  "(SELECT coalesce((SELECT id FROM documents WHERE tenant_id = " AIO__PG_TENANT " AND source = $1), $2::uuid))"

static aiorch_status read_shown(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  shown *s = ctx;
  s->found = aio__pg_count(rows) > 0;
  if (!s->found) return AIORCH_OK;
  bool copied = read_row(rows, 0, s->arena, &s->row) && aio__pg_copy(rows, 0, ROW_COLUMNS, s->arena, &s->row.text);
  return copied ? AIORCH_OK : aio__pg_nomem(&op->error);
}

static aiorch_status read_metadata(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  shown *s = ctx;
  size_t n = aio__pg_count(rows);
  aio__pair *pairs = aio__arena_alloc(s->arena, (n + 1) * sizeof *pairs);
  bool copied = pairs != NULL;
  for (size_t i = 0; i < n && copied; i++)
    copied = aio__pg_copy(rows, i, 0, s->arena, &pairs[i].name) && aio__pg_copy(rows, i, 1, s->arena, &pairs[i].value);
  s->row.metadata = pairs;
  s->row.metadata_count = n;
  return copied ? AIORCH_OK : aio__pg_nomem(&op->error);
}

static aiorch_status read_anchors(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  shown *s = ctx;
  size_t n = aio__pg_count(rows);
  aio__anchor *anchors = aio__arena_alloc(s->arena, (n + 1) * sizeof *anchors);
  bool copied = anchors != NULL;
  for (size_t i = 0; i < n && copied; i++) {
    anchors[i].offset = (uint64_t)aio__pg_get_i64(rows, i, 0);
    copied = aio__pg_copy(rows, i, 1, s->arena, &anchors[i].name);
  }
  s->row.anchors = anchors;
  s->row.anchor_count = n;
  return copied ? AIORCH_OK : aio__pg_nomem(&op->error);
}

static aiorch_status give_shown(aio__op *op, void *ctx) {
  const shown *s = ctx;
  if (!s->found)
    return aio__error_set(&op->error, AIORCH_E_NOT_FOUND, "no document with the source or id \"%.*s\"",
                          (int)(s->wanted.n < 200 ? s->wanted.n : 200), s->wanted.p);
  *s->document = s->row;
  return AIORCH_OK;
}

static aiorch_status show(aio__store *store, aio__op *op, aio__str tenant, aio__str source_or_id, aio__arena *arena,
                          aio__store_document *document) {
  static const struct {
    const char *sql;
    aio__pg_decode decode;
  } parts[] = {
    {"SELECT " ROW ", text FROM documents WHERE tenant_id = " AIO__PG_TENANT " AND id = " WANTED, read_shown},
    {"SELECT name, value FROM document_metadata WHERE tenant_id = " AIO__PG_TENANT " AND document_id = " WANTED " ORDER BY position",
     read_metadata},
    {"SELECT a.at, a.name FROM documents d, unnest(d.anchor_offsets, d.anchor_names) WITH ORDINALITY a(at, name, nth)"
     " WHERE d.tenant_id = " AIO__PG_TENANT " AND d.id = " WANTED " ORDER BY a.nth",
     read_anchors},
  };
  shown s = {.wanted = source_or_id, .arena = arena, .document = document};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ, &s, sizeof s, give_shown);
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    aio__pg_sql(step, parts[i].sql, parts[i].decode);
    aio__pg_text(step, source_or_id);
    aio__pg_uuid(step, source_or_id);
  }
  return aio__pg_step_start(step);
}

/* ---- models ------------------------------------------------------------------------------------------------------------------------ */

typedef struct modelled {
  aio__arena *arena;
  aio__vector_model **models;
  size_t *count;
  /* found */
  aio__vector_model *rows;
  size_t n;
} modelled;

static aiorch_status read_models(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  modelled *m = ctx;
  m->n = aio__pg_count(rows);
  m->rows = aio__arena_alloc(m->arena, (m->n + 1) * sizeof *m->rows);
  if (m->rows == NULL) return aio__pg_nomem(&op->error);
  for (size_t i = 0; i < m->n; i++) {
    m->rows[i].chunks = aio__pg_get_i64(rows, i, 1);
    m->rows[i].entries = aio__pg_get_i64(rows, i, 2);
    m->rows[i].stored = aio__pg_get_bool(rows, i, 3);
    if (!aio__pg_copy(rows, i, 0, m->arena, &m->rows[i].fingerprint)) return aio__pg_nomem(&op->error);
  }
  return AIORCH_OK;
}

static aiorch_status give_models(aio__op *op, void *ctx) {
  const modelled *m = ctx;
  (void)op;
  *m->models = m->rows;
  *m->count = m->n;
  return AIORCH_OK;
}

static aiorch_status models(aio__store *store, aio__op *op, aio__str tenant, aio__arena *arena, aio__vector_model **out, size_t *count) {
  modelled m = {.arena = arena, .models = out, .count = count};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ, &m, sizeof m, give_models);
  aio__pg_sql(step,
              "SELECT m.fingerprint, sum(t.chunks)::bigint, sum(t.entries)::bigint, bool_or(m.dimensions > 0)"
              " FROM tenant_models t JOIN embedding_models m ON m.no = t.model"
              " WHERE t.tenant_id = " AIO__PG_TENANT " AND t.chunks + t.entries > 0 GROUP BY m.fingerprint ORDER BY m.fingerprint",
              read_models);
  return aio__pg_step_start(step);
}

typedef struct forgotten {
  size_t *removed;
  size_t n;
} forgotten;

static aiorch_status read_forgotten(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  (void)op;
  ((forgotten *)ctx)->n = (size_t)aio__pg_get_i64(rows, 0, 0);
  return AIORCH_OK;
}

static aiorch_status give_forgotten(aio__op *op, void *ctx) {
  const forgotten *f = ctx;
  (void)op;
  *f->removed = f->n;
  return AIORCH_OK;
}

static aiorch_status forget_model(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit, size_t *removed) {
  forgotten f = {.removed = removed};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_WRITE | AIO__PG_LONG, &f, sizeof f, give_forgotten);
  aio__pg_sql(step, "SELECT forget_vectors($1, $2)", read_forgotten);
  aio__pg_text(step, fingerprint);
  aio__pg_i64(step, limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
  return aio__pg_step_start(step);
}

const aio__knowledge_ops aio__pg_knowledge_ops = {
  .add = aio__pg_add,
  .check = check,
  .remove = aio__pg_remove,
  .list = list,
  .show = show,
  .search = aio__pg_search,
  .fetch = aio__pg_fetch,
  .unembedded = aio__pg_unembedded,
  .mark_embedded = aio__pg_mark_embedded,
  .nearest = aio__pg_nearest,
  .both = aio__pg_both,
  .models = models,
  .forget_model = forget_model,
};
