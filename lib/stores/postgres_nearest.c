/* Vectors of chunks: which are missing, keeping them, and what is nearest. */
#include <string.h>

#include "stores/embed_text.h"
#include "stores/postgres_rows.h"
#include "stores/vector_rows.h"

/* ---- what is refused --------------------------------------------------------------------------------------------------------------- */

static aiorch_status check_size(size_t dimensions, aiorch_error *error) {
  if (dimensions <= AIO__PG_VECTOR_MAX) return AIORCH_OK;
  return aio__error_set(error, AIORCH_E_INVALID, "a vector of %zu numbers: pgvector keeps at most %d", dimensions, AIO__PG_VECTOR_MAX);
}

aiorch_status aio__pg_vectors_check(const aio__vectors *vectors, size_t count, aiorch_error *error) {
  aiorch_status status = aio__vectors_check(vectors, count, error);
  return status == AIORCH_OK ? check_size(vectors->dimensions, error) : status;
}

aiorch_status aio__pg_nearest_check(const aio__nearest_args *args, aiorch_error *error) {
  aiorch_status status = aio__nearest_check(args, error);
  return status == AIORCH_OK ? check_size(args->dimensions, error) : status;
}

aiorch_status aio__pg_model_code(int64_t code, int64_t stored, const aio__vectors *vectors, aiorch_error *error) {
  if (code == 0) return AIORCH_OK;
  if (code == 1) return aio__vector_other_size(vectors->fingerprint, (size_t)stored, vectors->dimensions, error);
  if (code == 2) return aio__vector_other_place(vectors->fingerprint, (size_t)stored, error);
  return aio__error_set(error, AIORCH_E_TOO_LARGE,
                        "the tenant has as many embedding models as it can have: remove the vectors of some (`aiorch reembed`)");
}

bool aio__pg_others_read(const aio__pg_rows *rows, size_t size_column, size_t name_column, aio__arena *arena, aio__pg_others *out) {
  size_t n = aio__pg_count(rows);
  for (size_t i = 0; i < n; i++) {
    int64_t kind = aio__pg_get_i64(rows, i, 0);
    if (kind < 2 || kind > 4) continue;
    out->kind = kind;
    out->size = aio__pg_get_i64(rows, i, size_column);
    if (out->names == NULL) out->names = aio__arena_alloc(arena, n * sizeof *out->names);
    if (out->names == NULL || !aio__pg_copy(rows, i, name_column, arena, &out->names[out->count])) return false;
    out->count++;
  }
  return true;
}

aiorch_status aio__pg_others_end(const aio__pg_others *others, const char *what, const aio__nearest_args *args, aiorch_error *error) {
  if (others->kind == 2) return aio__vector_mismatch(what, args->fingerprint, others->names, others->count, error);
  if (others->kind == 3) return aio__vector_other_place(args->fingerprint, 0, error);
  if (others->kind == 4) return aio__vector_other_size(args->fingerprint, (size_t)others->size, args->dimensions, error);
  return AIORCH_OK;
}

/* ---- vectors to be made ------------------------------------------------------------------------------------------------------------ */

typedef struct missing {
  aio__pg_embed_text text;
  aio__arena *arena;
  aio__unembedded **list;
  size_t *count;
  uint64_t *left;
  /* found */
  aio__unembedded *rows;
  size_t n;
  int64_t all;
} missing;

/* The first row has the number alone. */
static aiorch_status read_missing(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  missing *m = ctx;
  size_t n = aio__pg_count(rows);
  m->rows = aio__arena_alloc(m->arena, (n + 1) * sizeof *m->rows);
  if (m->rows == NULL) return aio__pg_nomem(&op->error);
  m->all = aio__pg_get_i64(rows, 0, 0);
  for (size_t i = 1; i < n; i++) {
    aio__unembedded *out = &m->rows[m->n++];
    aio__pg_get_uuid(rows, i, 1, out->chunk_id);
    if (!m->text(rows, i, m->arena, &out->text)) return aio__pg_nomem(&op->error);
  }
  return AIORCH_OK;
}

static aiorch_status give_missing(aio__op *op, void *ctx) {
  const missing *m = ctx;
  (void)op;
  *m->list = m->rows;
  *m->count = m->n;
  *m->left = m->all > 0 ? (uint64_t)m->all : 0;
  return AIORCH_OK;
}

aiorch_status aio__pg_list_unembedded(aio__store *store, aio__op *op, aio__str tenant, const char *sql, aio__pg_embed_text text,
                                      aio__str fingerprint, size_t limit, aio__arena *arena, aio__unembedded **list, size_t *count,
                                      uint64_t *left) {
  missing m = {.text = text, .arena = arena, .list = list, .count = count, .left = left};
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ | AIO__PG_LONG, &m, sizeof m, give_missing);
  aio__pg_sql(step, sql, read_missing);
  aio__pg_text(step, fingerprint);
  aio__pg_i32(step, limit < AIO__PG_ROWS_MAX ? (int32_t)limit : AIO__PG_ROWS_MAX);
  return aio__pg_step_start(step);
}

static bool text_of_chunk(const aio__pg_rows *rows, size_t row, aio__arena *arena, aio__str *out) {
  *out = aio__embed_text(arena, aio__pg_get_bytes(rows, row, 2), aio__pg_get_bytes(rows, row, 3), aio__pg_get_bytes(rows, row, 4));
  return out->p != NULL;
}

aiorch_status aio__pg_unembedded(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit, aio__arena *arena,
                                 aio__unembedded **chunks, size_t *count, uint64_t *left) {
  return aio__pg_list_unembedded(store, op, tenant, "SELECT * FROM chunks_without_vector($1, $2)", text_of_chunk, fingerprint, limit, arena,
                                 chunks, count, left);
}

/* ---- keeping them ------------------------------------------------------------------------------------------------------------------ */

typedef struct marked {
  const aio__vectors *vectors;
  int64_t code, stored;
} marked;

static aiorch_status read_marked(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  marked *m = ctx;
  (void)op;
  m->code = aio__pg_get_i64(rows, 0, 0);
  m->stored = aio__pg_get_i64(rows, 0, 1);
  return AIORCH_OK;
}

static aiorch_status give_marked(aio__op *op, void *ctx) {
  const marked *m = ctx;
  return aio__pg_model_code(m->code, m->stored, m->vectors, &op->error);
}

aiorch_status aio__pg_mark(aio__store *store, aio__op *op, aio__str tenant, const char *sql, const aio__vectors *vectors,
                           const aio__str *ids, size_t count) {
  marked m = {.vectors = vectors};
  aiorch_status status = aio__pg_vectors_check(vectors, count, &op->error);
  if (status != AIORCH_OK || count == 0) return status;
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_WRITE | AIO__PG_LONG, &m, sizeof m, give_marked);
  aio__pg_sql(step, sql, read_marked);
  aio__pg_text(step, vectors->fingerprint);
  aio__pg_i32(step, (int32_t)vectors->dimensions);
  aio__pg_uuids(step, ids, count);
  aio__pg_floats(step, vectors->rows, count * vectors->dimensions);
  return aio__pg_step_start(step);
}

aiorch_status aio__pg_mark_embedded(aio__store *store, aio__op *op, aio__str tenant, const aio__vectors *vectors, const aio__str *ids,
                                    size_t count) {
  return aio__pg_mark(store, op, tenant, "SELECT code, stored FROM keep_chunk_vectors($1, $2, $3, $4)", vectors, ids, count);
}

/* ---- nearest ----------------------------------------------------------------------------------------------------------------------- */

typedef struct nearest {
  const aio__nearest_args *args;
  aio__arena *arena;
  aio__found_chunk **chunks;
  size_t *count;
  /* found */
  aio__pg_others others;
  aio__found_chunk *rows;
  size_t n;
  bool *has;
  double *also;
} nearest;

/* Columns: kind, similarity, size, fingerprint, chunk_id, then those of a chunk. */
enum { SIMILARITY = 1, SIZE, FINGERPRINT, CHUNK_ID, CHUNK };

static void read_also(const aio__pg_rows *rows, size_t row, const nearest *n) {
  char id[AIO__UUID_LEN + 1];
  aio__pg_get_uuid(rows, row, CHUNK_ID, id);
  for (size_t i = 0; i < n->args->also_count; i++) {
    if (!aio__str_eqz(n->args->also[i], id)) continue;
    n->has[i] = true;
    n->also[i] = aio__pg_get_f64(rows, row, SIMILARITY);
  }
}

static aiorch_status read_nearest(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  nearest *n = ctx;
  size_t all = aio__pg_count(rows);
  n->rows = aio__arena_alloc(n->arena, (all + 1) * sizeof *n->rows);
  n->has = aio__arena_alloc(n->arena, (n->args->also_count + 1) * sizeof *n->has);
  n->also = aio__arena_alloc(n->arena, (n->args->also_count + 1) * sizeof *n->also);
  if (n->rows == NULL || n->has == NULL || n->also == NULL) return aio__pg_nomem(&op->error);
  if (!aio__pg_others_read(rows, SIZE, FINGERPRINT, n->arena, &n->others)) return aio__pg_nomem(&op->error);
  for (size_t i = 0; i < all; i++) {
    int64_t kind = aio__pg_get_i64(rows, i, 0);
    if (kind == 1) read_also(rows, i, n);
    if (kind != 0 || aio__pg_is_null(rows, i, CHUNK)) continue;
    if (!aio__pg_found(rows, i, CHUNK, n->arena, &n->rows[n->n])) return aio__pg_nomem(&op->error);
    n->rows[n->n++].similarity = aio__pg_get_f64(rows, i, SIMILARITY);
  }
  return AIORCH_OK;
}

static aiorch_status give_nearest(aio__op *op, void *ctx) {
  const nearest *n = ctx;
  aiorch_status status = aio__pg_others_end(&n->others, "chunks", n->args, &op->error);
  if (status != AIORCH_OK) return status;
  for (size_t i = 0; i < n->args->also_count; i++)
    if (n->has[i]) n->args->also_similarity[i] = n->also[i];
  *n->chunks = n->rows;
  *n->count = n->n;
  return AIORCH_OK;
}

aiorch_status aio__pg_nearest(aio__store *store, aio__op *op, aio__str tenant, const aio__nearest_args *args, const aio__filter *filters,
                              size_t filter_count, aio__arena *arena, aio__found_chunk **chunks, size_t *count) {
  nearest n = {.args = args, .arena = arena, .chunks = chunks, .count = count};
  aiorch_status status = aio__pg_nearest_check(args, &op->error);
  if (status != AIORCH_OK) return status;
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ, &n, sizeof n, give_nearest);
  aio__pg_sql(step,
              "SELECT n.kind, n.similarity, n.size, n.fingerprint, n.chunk_id, "
              AIO__PG_CHUNK("CASE WHEN n.nth <= $10 THEN c.text END")
              " FROM nearest_chunks($1,$2,$3,$4,$5,$6,$7,$8,$9) WITH ORDINALITY n(kind, chunk_id, similarity, size, fingerprint, nth)"
              " LEFT JOIN chunks c ON n.kind = 0 AND c.tenant_id = " AIO__PG_TENANT " AND c.id = n.chunk_id"
              " LEFT JOIN documents d ON d.tenant_id = " AIO__PG_TENANT " AND d.id = c.document_id ORDER BY n.nth",
              read_nearest);
  aio__pg_text(step, args->fingerprint);
  aio__pg_floats(step, args->query, args->dimensions);
  aio__pg_f64(step, args->threshold);
  aio__pg_i32(step, args->limit < AIO__PG_HITS_MAX ? (int32_t)args->limit : AIO__PG_HITS_MAX);
  aio__pg_uuids(step, args->also, args->also_count);
  aio__pg_filters(step, filters, filter_count);
  aio__pg_i32(step, args->lean ? (int32_t)args->also_count + AIO__PG_TEXTS_WITH_LEAN : INT32_MAX); /* `also` comes first */
  return aio__pg_step_start(step);
}
