/* Vectors of chunks: which are missing, keeping them, and what is nearest. */
#include <string.h>

#include "stores/embed_text.h"
#include "stores/sqlite_vectors.h"

enum { NEAREST_LIMIT_MAX = 1000 };

/* ---- vectors to be made ------------------------------------------------------------------------------------------ */

static int64_t missing_from(const aio__sq_tenant *row, const aio__sq_model *model) {
  int64_t first = aio__sq_first_no(row);
  return model->no != 0 && model->missing_from > first ? model->missing_from : first;
}

static aiorch_status read_unembedded(aio__sq_conn *conn, aiorch_error *error, aio__sq_missing *missing, const aio__sq_model *model,
                                     const aio__sq_tenant *row) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_UNEMBEDDED, &stmt, "siiii", missing->tenant, missing_from(row, model),
                                       aio__sq_last_no(row), aio__sq_vector_no(model, 0), (int64_t)missing->limit);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, error, stmt)) == AIORCH_OK) {
    aio__found_chunk chunk;
    status = aio__sq_found_chunk(conn, error, missing->tenant, stmt, missing->arena, &chunk);
    if (status == AIORCH_OK) {
      aio__unembedded *one = &missing->out[missing->count++];
      memcpy(one->chunk_id, chunk.chunk_id, sizeof chunk.chunk_id);
      one->text = aio__embed_text(missing->arena, chunk.title, chunk.heading, chunk.text);
      if (one->text.p == NULL) status = aio__sq_nomem(error);
    }
    if (status != AIORCH_OK) aio__sq_reset(stmt);
  }
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

aiorch_status aio__sq_unembedded(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit,
                                 aio__arena *arena, aio__unembedded **chunks, size_t *count, uint64_t *left) {
  aio__sq_missing missing = {.tenant = tenant, .fingerprint = fingerprint, .kind = AIO__SQ_CHUNKS, .limit = limit, .arena = arena};
  aiorch_status status = aio__sq_missing_find(store, op, &missing, read_unembedded);
  if (status != AIORCH_OK) return status;
  *chunks = missing.out;
  *count = missing.count;
  *left = missing.left;
  return AIORCH_OK;
}

/* ---- keeping them ------------------------------------------------------------------------------------------------ */

/* *no is 0 for a chunk that is gone. */
static aiorch_status chunk_no(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__str id, int64_t *no) {
  sqlite3_stmt *stmt = NULL;
  *no = 0;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_CHUNK_NO, &stmt, "ss", tenant, id);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_OK : status;
  *no = sqlite3_column_int64(stmt, 0);
  aio__sq_reset(stmt);
  return AIORCH_OK;
}

/* So that the next look at what is still to do begins there, and not with all that is done. */
static aiorch_status move_missing_from(aio__sq_batch *batch, const aio__sq_tenant *row) {
  sqlite3_stmt *stmt = NULL;
  aio__sq_model *model = &batch->model;
  aiorch_status status =
    aio__sq_query(batch->conn, batch->error, AIO__SQ_CHUNK_MISSING, &stmt, "siii", batch->tenant, missing_from(row, model),
                  aio__sq_last_no(row), aio__sq_vector_no(model, 0));
  if (status == AIORCH_OK) status = aio__sq_step(batch->conn, batch->error, stmt);
  if (status == AIORCH_DONE) model->missing_from = aio__sq_first_no(row) + row->next_chunk;
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_OK : status;
  model->missing_from = sqlite3_column_int64(stmt, 0);
  aio__sq_reset(stmt);
  return AIORCH_OK;
}

static aiorch_status mark_rows(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__vectors *vectors,
                               const aio__str *ids, size_t count) {
  aio__sq_tenant row;
  aio__sq_batch batch;
  aiorch_status status = aio__sq_tenant_get(conn, error, tenant, &row);
  if (status != AIORCH_OK || row.chunks == 0 || count == 0) return status;
  status = aio__sq_batch_begin(&batch, conn, error, tenant, AIO__SQ_CHUNKS, vectors);
  for (size_t i = 0; i < count && status == AIORCH_OK; i++) {
    int64_t no = 0;
    bool is_new = false;
    status = chunk_no(conn, error, tenant, ids[i], &no);
    const float *vector = vectors->dimensions > 0 ? vectors->rows + i * vectors->dimensions : NULL;
    if (status == AIORCH_OK && no != 0) status = aio__sq_batch_put(&batch, no, NULL, vector, &is_new);
  }
  if (status == AIORCH_OK) status = move_missing_from(&batch, &row);
  return aio__sq_batch_end(&batch, status);
}

aiorch_status aio__sq_mark_embedded(aio__store *base, aio__op *op, aio__str tenant, const aio__vectors *vectors,
                                    const aio__str *chunk_ids, size_t count) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  aiorch_status status = aio__vectors_check(vectors, count, &op->error);
  if (status == AIORCH_OK) status = aio__sq_write(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  return aio__sq_write_end(conn, op, mark_rows(conn, &op->error, tenant, vectors, chunk_ids, count));
}

/* ---- nearest ----------------------------------------------------------------------------------------------------- */

typedef struct nearest {
  aio__str tenant;
  const aio__filter *filters;
  size_t filter_count, limit;
  aio__sq_ranges allowed;
  aio__index_hit *hits;
  aio__arena *arena;
  aio__found_chunk *out;
  size_t n;
  float *row; /* of one vector */
} nearest;

static aiorch_status read_hits(aio__sq_near *near, nearest *n, size_t count) {
  aiorch_error *error = &near->op->error;
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; i < count && status == AIORCH_OK; i++) {
    sqlite3_stmt *stmt = NULL;
    status = aio__sq_query(near->conn, error, AIO__SQ_CHUNK_BY_NO, &stmt, "si", n->tenant,
                           near->first_no | (int64_t)n->hits[i].key);
    if (status == AIORCH_OK) status = aio__sq_step(near->conn, error, stmt);
    if (status == AIORCH_OK) {
      aio__found_chunk *out = &n->out[n->n];
      status = near->args->lean ? aio__sq_found_row(error, stmt, n->arena, out)
                                : aio__sq_found_chunk(near->conn, error, n->tenant, stmt, n->arena, out);
      n->out[n->n++].similarity = (double)n->hits[i].similarity;
      aio__sq_reset(stmt);
    } else if (status == AIORCH_DONE) {
      status = AIORCH_OK;
    }
  }
  return status;
}

/* The cosines that were asked for by id. */
static aiorch_status read_also(aio__sq_near *near, const nearest *n) {
  const aio__nearest_args *args = near->args;
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; i < args->also_count && status == AIORCH_OK; i++) {
    int64_t no = 0;
    status = chunk_no(near->conn, &near->op->error, n->tenant, args->also[i], &no);
    if (status != AIORCH_OK || no == 0) continue;
    status = aio__sq_near_row(near, no, n->row);
    if (status == AIORCH_OK) args->also_similarity[i] = aio__vector_cosine(args->query, n->row, args->dimensions);
    if (status == AIORCH_E_NOT_FOUND) status = AIORCH_OK;
  }
  return status;
}

static aiorch_status nearest_rows(aio__sq_near *near, void *ctx) {
  nearest *n = ctx;
  aiorch_error *error = &near->op->error;
  aio__str fingerprint = near->args->fingerprint;
  aio__sq_tenant row;
  size_t count = 0;
  n->n = 0;
  aiorch_status status = aio__sq_tenant_get(near->conn, error, n->tenant, &row);
  if (status != AIORCH_OK || row.no == 0) return status;
  status = aio__sq_model_get(near->conn, error, n->tenant, AIO__SQ_CHUNKS, fingerprint, &near->model);
  if (status != AIORCH_OK) return status;
  if (near->model.marks == 0)
    return aio__sq_others(near->conn, error, n->tenant, AIO__SQ_CHUNKS, fingerprint, near->store->env.al);
  if (near->model.dimensions == 0) return aio__vector_other_place(fingerprint, 0, error);
  aio__sq_ranges_free(&n->allowed);
  status = aio__sq_filters_match(near->conn, error, n->tenant, n->filters, n->filter_count, &n->allowed);
  if (status != AIORCH_OK || n->limit == 0 || (n->allowed.active && n->allowed.n == 0)) return status;
  near->allowed = &n->allowed;
  near->first_no = aio__sq_first_no(&row);
  status = aio__sq_near_ready(near);
  if (status == AIORCH_OK) status = aio__sq_near_search(near, NULL, n->limit, n->hits, &count);
  if (status == AIORCH_OK) status = read_also(near, n);
  return status == AIORCH_OK ? read_hits(near, n, count) : status;
}

aiorch_status aio__sq_nearest(aio__store *base, aio__op *op, aio__str tenant, const aio__nearest_args *args,
                              const aio__filter *filters, size_t filter_count, aio__arena *arena,
                              aio__found_chunk **chunks, size_t *count) {
  aio__sq_store *store = (aio__sq_store *)base;
  nearest n = {.tenant = tenant,
               .filters = filters,
               .filter_count = filter_count,
               .limit = args->limit < NEAREST_LIMIT_MAX ? args->limit : NEAREST_LIMIT_MAX,
               .allowed.al = store->env.al,
               .arena = arena};
  aio__sq_near near = {.store = store, .op = op, .args = args, .rows = nearest_rows, .ctx = &n};
  aiorch_status status = aio__nearest_check(args, &op->error);
  if (status != AIORCH_OK) return status;
  n.hits = aio__malloc(store->env.al, (n.limit + 1) * sizeof *n.hits);
  n.row = aio__malloc(store->env.al, args->dimensions * sizeof *n.row);
  n.out = aio__arena_alloc(arena, (n.limit + 1) * sizeof *n.out);
  bool room = n.hits != NULL && n.row != NULL && n.out != NULL;
  status = room ? aio__sq_near_run(&near) : aio__sq_nomem(&op->error);
  aio__free(store->env.al, n.hits);
  aio__free(store->env.al, n.row);
  aio__sq_ranges_free(&n.allowed);
  if (status != AIORCH_OK) return status;
  *chunks = n.out;
  *count = n.n;
  return AIORCH_OK;
}

/* ---- models ------------------------------------------------------------------------------------------------------ */

/* `rows` are by fingerprint: what a tenant has of chunks and of answers under one follow each other. */
static size_t join(const aio__sq_model *rows, size_t count, aio__vector_model *out) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    bool same = n > 0 && aio__str_eq(out[n - 1].fingerprint, rows[i].fingerprint);
    aio__vector_model *model = same ? &out[n - 1] : &out[n++];
    model->fingerprint = rows[i].fingerprint;
    if (rows[i].kind == AIO__SQ_CHUNKS)
      model->chunks = rows[i].marks;
    else
      model->entries = rows[i].marks;
    model->stored = model->stored || rows[i].dimensions > 0;
  }
  return n;
}

aiorch_status aio__sq_models(aio__store *base, aio__op *op, aio__str tenant, aio__arena *arena,
                             aio__vector_model **models, size_t *count) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  aio__sq_model rows[2 * AIO__SQ_MODELS_OF_TENANT_MAX];
  size_t n = 0;
  aiorch_status status = aio__sq_read(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_models_of(conn, &op->error, tenant, AIO__SQ_CHUNKS, AIO__SQ_ENTRIES, arena, rows, &n);
  aio__sq_read_end(conn);
  if (status != AIORCH_OK) return status;
  aio__vector_model *out = aio__arena_alloc(arena, (n + 1) * sizeof *out);
  if (out == NULL) return aio__sq_nomem(&op->error);
  *count = join(rows, n, out);
  *models = out;
  return AIORCH_OK;
}

static aiorch_status forget_rows(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__str fingerprint,
                                 size_t limit, size_t *removed) {
  static const aio__sq_kind kinds[] = {AIO__SQ_CHUNKS, AIO__SQ_ENTRIES};
  aio__residents *residents = &conn->owner->store->residents;
  int64_t smaller = 0;
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; i < 2 && *removed < limit && status == AIORCH_OK; i++) {
    aio__sq_model model;
    int64_t n = 0, bytes = 0;
    size_t most = limit - *removed;
    status = aio__sq_model_get(conn, error, tenant, kinds[i], fingerprint, &model);
    if (status == AIORCH_OK && model.no != 0)
      status = aio__sq_vectors_forget(conn, error, tenant, &model, most, &n, &bytes);
    if (status == AIORCH_OK && (size_t)n < most) aio__residents_forget(residents, (uint64_t)model.no);
    *removed += (size_t)n;
    smaller += bytes;
  }
  aio__sq_tenant row;
  if (status != AIORCH_OK || smaller == 0) return status;
  status = aio__sq_tenant_get(conn, error, tenant, &row);
  if (status != AIORCH_OK) return status;
  return aio__sq_run(conn, error, AIO__SQ_TENANT_SET_CACHE, "siii", tenant, row.cache_rows, row.cache_bytes - smaller,
                     row.cache_clock);
}

aiorch_status aio__sq_forget_model(aio__store *base, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit,
                                   size_t *removed) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  size_t n = 0;
  aiorch_status status = aio__sq_write(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  status = forget_rows(conn, &op->error, tenant, fingerprint, limit, &n);
  status = aio__sq_write_end(conn, op, status);
  if (status == AIORCH_OK) *removed = n;
  return status;
}
