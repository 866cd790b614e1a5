/* Vectors of kept answers: what is near to a question within a scope, and which are missing. */
#include <string.h>

#include "stores/sqlite_vectors.h"

enum { NEAR_LIMIT_MAX = 1000, SCOPE_LOOK_MAX = 64 };

/* ---- near -------------------------------------------------------------------------------------------------------- */

typedef struct near_args {
  aio__str tenant, scope;
  int64_t now_ms;
  size_t limit;
  aio__index_hit *hits;
  aio__arena *arena;
  aio__cache_near *out;
  size_t n;
} near_args;

static aiorch_status has_vector(aio__sq_conn *conn, aiorch_error *error, const aio__sq_model *model, int64_t item,
                                bool *out) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_VECTOR, &stmt, "i", aio__sq_vector_no(model, item));
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  *out = status == AIORCH_OK;
  if (status == AIORCH_OK) aio__sq_reset(stmt);
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

/* The first live answers of the scope that a near question may be given. */
static aiorch_status look_at_scope(aio__sq_near *near, const near_args *n, int64_t items[SCOPE_LOOK_MAX],
                                   size_t *count) {
  sqlite3_stmt *stmt = NULL;
  aiorch_error *error = &near->op->error;
  *count = 0;
  aiorch_status status =
    aio__sq_query(near->conn, error, AIO__SQ_CACHE_SCOPE, &stmt, "sbd", n->tenant, n->scope, (int)SCOPE_LOOK_MAX);
  while (status == AIORCH_OK && (status = aio__sq_step(near->conn, error, stmt)) == AIORCH_OK)
    if (sqlite3_column_int64(stmt, 2) > n->now_ms && sqlite3_column_int64(stmt, 3) == 0)
      items[(*count)++] = sqlite3_column_int64(stmt, 0);
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

/* Nothing was found. Is it that the answers of this scope are embedded by other models only? */
static aiorch_status check_models(aio__sq_near *near, const near_args *n) {
  aio__sq_model models[2 * AIO__SQ_MODELS_OF_TENANT_MAX];
  int64_t items[SCOPE_LOOK_MAX];
  aiorch_error *error = &near->op->error;
  size_t count = 0, item_count = 0;
  bool ours = false, theirs = false;
  aiorch_status status =
    aio__sq_models_of(near->conn, error, n->tenant, AIO__SQ_ENTRIES, AIO__SQ_ENTRIES, NULL, models, &count);
  if (status == AIORCH_OK && count > 0) status = look_at_scope(near, n, items, &item_count);
  for (size_t i = 0; i < item_count && !ours && status == AIORCH_OK; i++) {
    if (near->model.no != 0) status = has_vector(near->conn, error, &near->model, items[i], &ours);
    for (size_t m = 0; m < count && !ours && !theirs && status == AIORCH_OK; m++)
      if (models[m].no != near->model.no) status = has_vector(near->conn, error, &models[m], items[i], &theirs);
  }
  if (status != AIORCH_OK || ours || !theirs) return status;
  return aio__sq_others(near->conn, error, n->tenant, AIO__SQ_ENTRIES, near->args->fingerprint,
                        near->store->env.al);
}

/* *fits false: it is gone, has expired, belongs to another scope or to its own question only. */
static aiorch_status read_entry(aio__sq_near *near, const near_args *n, const aio__index_hit *hit,
                                aio__cache_near *out, bool *fits) {
  sqlite3_stmt *stmt = NULL;
  aiorch_error *error = &near->op->error;
  *fits = false;
  aiorch_status status =
    aio__sq_query(near->conn, error, AIO__SQ_CACHE_NEAR, &stmt, "si", n->tenant, (int64_t)hit->key);
  if (status == AIORCH_OK) status = aio__sq_step(near->conn, error, stmt);
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_OK : status;
  *fits = aio__str_eq(aio__sq_text(stmt, 2), n->scope) && sqlite3_column_int64(stmt, 3) > n->now_ms &&
          sqlite3_column_int64(stmt, 4) == 0;
  if (*fits) {
    aio__sq_id(stmt, 0, out->id);
    out->similarity = (double)hit->similarity;
    if (!aio__sq_copy(stmt, 1, n->arena, &out->query)) status = aio__sq_nomem(error);
  }
  aio__sq_reset(stmt);
  return status;
}

static aiorch_status read_hits(aio__sq_near *near, near_args *n, size_t count) {
  aiorch_status status = AIORCH_OK;
  n->n = 0;
  for (size_t i = 0; i < count && n->n < n->limit && status == AIORCH_OK; i++) {
    bool fits = false;
    status = read_entry(near, n, &n->hits[i], &n->out[n->n], &fits);
    n->n += fits;
  }
  return status;
}

/* Those that do not fit take the place of others in what the index finds: it is asked for more then. */
static aiorch_status search_enough(aio__sq_near *near, near_args *n) {
  const aio__alloc *al = near->store->env.al;
  uint64_t scope = aio__vector_scope(n->scope);
  for (size_t ask = n->limit;; ask *= 4) {
    if (ask > AIO__INDEX_LIMIT_MAX) ask = AIO__INDEX_LIMIT_MAX;
    aio__index_hit *hits = aio__realloc(al, n->hits, ask * sizeof *hits);
    if (hits == NULL) return aio__sq_nomem(&near->op->error);
    n->hits = hits;
    size_t count = 0;
    aiorch_status status = aio__sq_near_search(near, &scope, ask, hits, &count);
    if (status == AIORCH_OK) status = read_hits(near, n, count);
    if (status != AIORCH_OK || n->n == n->limit || count < ask || ask == AIO__INDEX_LIMIT_MAX) return status;
  }
}

static aiorch_status near_rows(aio__sq_near *near, void *ctx) {
  near_args *n = ctx;
  aio__str fingerprint = near->args->fingerprint;
  aiorch_error *error = &near->op->error;
  n->n = 0;
  aiorch_status status =
    aio__sq_model_get(near->conn, error, n->tenant, AIO__SQ_ENTRIES, fingerprint, &near->model);
  if (status != AIORCH_OK || n->limit == 0) return status;
  if (near->model.marks > 0 && near->model.dimensions == 0) return aio__vector_other_place(fingerprint, 0, error);
  if (near->model.marks > 0) {
    status = aio__sq_near_ready(near);
    if (status == AIORCH_OK) status = search_enough(near, n);
  }
  return status == AIORCH_OK && n->n == 0 ? check_models(near, n) : status;
}

aiorch_status aio__sq_cache_near(aio__store *base, aio__op *op, aio__str tenant, aio__str scope,
                                 const aio__nearest_args *args, int64_t now_ms, aio__arena *arena,
                                 aio__cache_near **entries, size_t *count) {
  aio__sq_store *store = (aio__sq_store *)base;
  near_args n = {.tenant = tenant,
                 .scope = scope,
                 .now_ms = now_ms,
                 .limit = args->limit < NEAR_LIMIT_MAX ? args->limit : NEAR_LIMIT_MAX,
                 .arena = arena};
  aio__sq_near near = {.store = store, .op = op, .args = args, .rows = near_rows, .ctx = &n};
  aiorch_status status = aio__nearest_check(args, &op->error);
  if (status != AIORCH_OK) return status;
  n.out = aio__arena_alloc(arena, (n.limit + 1) * sizeof *n.out);
  status = n.out != NULL ? aio__sq_near_run(&near) : aio__sq_nomem(&op->error);
  aio__free(store->env.al, n.hits);
  if (status != AIORCH_OK) return status;
  *entries = n.out;
  *count = n.n;
  return AIORCH_OK;
}

/* With many that have expired it is not looked at all of them: there may be one, then. */
aiorch_status aio__sq_cache_neighbours(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__str scope,
                                       aio__str key, int64_t now_ms, bool *out) {
  sqlite3_stmt *stmt = NULL;
  int seen = 0;
  *out = false;
  aiorch_status status =
    aio__sq_query(conn, error, AIO__SQ_CACHE_SCOPE, &stmt, "sbd", tenant, scope, (int)SCOPE_LOOK_MAX);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, error, stmt)) == AIORCH_OK) {
    bool serves_others = sqlite3_column_int64(stmt, 3) == 0 && !aio__str_eq(aio__sq_text(stmt, 1), key);
    *out = ++seen == SCOPE_LOOK_MAX || (serves_others && sqlite3_column_int64(stmt, 2) > now_ms);
    if (!*out) continue;
    aio__sq_reset(stmt);
    return AIORCH_OK;
  }
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

/* ---- vectors to be made ------------------------------------------------------------------------------------------ */

static aiorch_status read_unembedded(aio__sq_conn *conn, aiorch_error *error, aio__sq_missing *missing, const aio__sq_model *model,
                                     const aio__sq_tenant *row) {
  sqlite3_stmt *stmt = NULL;
  (void)row;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_CACHE_UNEMBEDDED, &stmt, "sii", missing->tenant,
                                       aio__sq_vector_no(model, 0), (int64_t)missing->limit);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, error, stmt)) == AIORCH_OK) {
    aio__unembedded *one = &missing->out[missing->count++];
    aio__sq_id(stmt, 0, one->chunk_id);
    if (aio__sq_copy(stmt, 1, missing->arena, &one->text)) continue;
    aio__sq_reset(stmt);
    return aio__sq_nomem(error);
  }
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

aiorch_status aio__sq_cache_unembedded(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint,
                                       size_t limit, aio__arena *arena, aio__unembedded **entries, size_t *count,
                                       uint64_t *left) {
  aio__sq_missing missing = {.tenant = tenant, .fingerprint = fingerprint, .kind = AIO__SQ_ENTRIES, .limit = limit, .arena = arena};
  aiorch_status status = aio__sq_missing_find(store, op, &missing, read_unembedded);
  if (status != AIORCH_OK) return status;
  *entries = missing.out;
  *count = missing.count;
  *left = missing.left;
  return AIORCH_OK;
}

/* ---- keeping them ------------------------------------------------------------------------------------------------ */

static aiorch_status put_vector(aio__sq_batch *batch, int64_t no, uint64_t scope, const float *row, bool *is_new) {
  if (no >= 0 && no <= AIO__SQ_ITEM_MASK) return aio__sq_batch_put(batch, no, &scope, row, is_new);
  return aio__error_set(batch->error, AIORCH_E_TOO_LARGE, "%s has numbered all kept answers that can have vectors",
                        batch->conn->owner->path);
}

aiorch_status aio__sq_cache_put_vector(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, int64_t no,
                                       const aio__cache_entry *entry) {
  aio__sq_batch batch;
  bool is_new = false;
  aiorch_status status = aio__sq_batch_begin(&batch, conn, error, tenant, AIO__SQ_ENTRIES, entry->vector);
  if (status == AIORCH_OK)
    status = put_vector(&batch, no, aio__vector_scope(entry->scope), entry->vector->rows, &is_new);
  return aio__sq_batch_end(&batch, status);
}

/* The vector counts among the bytes of its answer. An answer that is gone is passed over. */
static aiorch_status mark_entry(aio__sq_batch *batch, aio__str id, const float *row, int64_t *bytes) {
  sqlite3_stmt *stmt = NULL;
  bool is_new = false;
  aiorch_status status = aio__sq_query(batch->conn, batch->error, AIO__SQ_CACHE_OF_ID, &stmt, "ss", batch->tenant, id);
  if (status == AIORCH_OK) status = aio__sq_step(batch->conn, batch->error, stmt);
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_OK : status;
  int64_t no = sqlite3_column_int64(stmt, 0), more = (int64_t)(batch->model.dimensions * sizeof *row);
  uint64_t scope = aio__vector_scope(aio__sq_text(stmt, 1));
  aio__sq_reset(stmt);
  status = put_vector(batch, no, scope, row, &is_new);
  if (status != AIORCH_OK || !is_new || more == 0) return status;
  *bytes += more;
  return aio__sq_run(batch->conn, batch->error, AIO__SQ_CACHE_GROW, "sii", batch->tenant, no, more);
}

static aiorch_status mark_rows(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__vectors *vectors,
                               const aio__str *ids, size_t count) {
  aio__sq_tenant row;
  aio__sq_batch batch;
  int64_t bytes = 0;
  aiorch_status status = aio__sq_tenant_get(conn, error, tenant, &row);
  if (status != AIORCH_OK || row.cache_rows == 0 || count == 0) return status;
  status = aio__sq_batch_begin(&batch, conn, error, tenant, AIO__SQ_ENTRIES, vectors);
  for (size_t i = 0; i < count && status == AIORCH_OK; i++)
    status = mark_entry(&batch, ids[i], vectors->dimensions > 0 ? vectors->rows + i * vectors->dimensions : NULL,
                        &bytes);
  status = aio__sq_batch_end(&batch, status);
  if (status != AIORCH_OK || bytes == 0) return status;
  return aio__sq_run(conn, error, AIO__SQ_TENANT_SET_CACHE, "siii", tenant, row.cache_rows, row.cache_bytes + bytes,
                     row.cache_clock);
}

aiorch_status aio__sq_cache_mark_embedded(aio__store *base, aio__op *op, aio__str tenant, const aio__vectors *vectors,
                                          const aio__str *ids, size_t count) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  aiorch_status status = aio__vectors_check(vectors, count, &op->error);
  if (status == AIORCH_OK) status = aio__sq_write(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  return aio__sq_write_end(conn, op, mark_rows(conn, &op->error, tenant, vectors, ids, count));
}

/* ---- feedback ---------------------------------------------------------------------------------------------------- */

aiorch_status aio__sq_cache_exact_only(aio__store *base, aio__op *op, aio__str tenant, aio__str id) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  aiorch_status status = aio__sq_write(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_run(conn, &op->error, AIO__SQ_CACHE_EXACT_ONLY, "ss", tenant, id);
  if (status == AIORCH_OK && sqlite3_changes(conn->db) == 0)
    status = aio__error_set(&op->error, AIORCH_E_NOT_FOUND, "no kept answer with the id \"%.*s\"",
                            (int)(id.n < 64 ? id.n : 64), id.p != NULL ? id.p : "");
  return aio__sq_write_end(conn, op, status);
}
