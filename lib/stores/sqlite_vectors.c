/* The rows of vectors and of their models, as they are written. Each change of a model is noted in the same transaction
 * (`changes`), for the indexes in memory. */
#include "stores/sqlite_vectors.h"

#include <string.h>

enum { UNEMBEDDED_MAX = 10000 };
static const int64_t COUNT_MAX = INT64_MAX / 4;

/* ---- models ------------------------------------------------------------------------------------------------------ */

static aiorch_status damaged(aio__sq_conn *conn, aiorch_error *error) {
  return aio__sq_fail_code(conn->owner->path, NULL, SQLITE_CORRUPT, error);
}

/* The columns of MODEL and MODELS, but for the fingerprint. What a damaged file says is checked before it is shifted,
 * added to or used as a size. */
static aiorch_status read_model(aio__sq_conn *conn, aiorch_error *error, sqlite3_stmt *stmt, aio__sq_model *out) {
  int64_t dimensions = sqlite3_column_int64(stmt, 2);
  *out = (aio__sq_model){.no = sqlite3_column_int64(stmt, 0),
                         .kind = sqlite3_column_int64(stmt, 1) == AIO__SQ_ENTRIES ? AIO__SQ_ENTRIES : AIO__SQ_CHUNKS,
                         .marks = sqlite3_column_int64(stmt, 3),
                         .missing_from = sqlite3_column_int64(stmt, 4),
                         .changed = sqlite3_column_int64(stmt, 5)};
  bool sane = out->no > 0 && out->no < AIO__SQ_MODELS_MAX && dimensions >= 0 &&
              dimensions <= AIO__INDEX_DIMENSIONS_MAX && out->marks >= 0 && out->marks <= COUNT_MAX &&
              out->changed >= 0 && out->changed <= COUNT_MAX;
  out->dimensions = sane ? (size_t)dimensions : 0;
  return sane ? AIORCH_OK : damaged(conn, error);
}

aiorch_status aio__sq_model_get(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_kind kind,
                                aio__str fingerprint, aio__sq_model *out) {
  sqlite3_stmt *stmt = NULL;
  *out = (aio__sq_model){.kind = kind, .fingerprint = fingerprint};
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_MODEL, &stmt, "sds", tenant, (int)kind, fingerprint);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_OK : status;
  status = read_model(conn, error, stmt, out);
  aio__sq_reset(stmt);
  out->kind = kind;
  out->fingerprint = fingerprint;
  return status;
}

aiorch_status aio__sq_models_of(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_kind first,
                                aio__sq_kind last, aio__arena *arena,
                                aio__sq_model out[2 * AIO__SQ_MODELS_OF_TENANT_MAX], size_t *count) {
  sqlite3_stmt *stmt = NULL;
  *count = 0;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_MODELS, &stmt, "sddd", tenant, (int)first, (int)last,
                                       2 * AIO__SQ_MODELS_OF_TENANT_MAX);
  while (status == AIORCH_OK && (status = aio__sq_step(conn, error, stmt)) == AIORCH_OK) {
    aio__sq_model *model = &out[(*count)++];
    status = read_model(conn, error, stmt, model);
    if (status == AIORCH_OK && arena != NULL && !aio__sq_copy(stmt, 6, arena, &model->fingerprint))
      status = aio__sq_nomem(error);
    if (status != AIORCH_OK) aio__sq_reset(stmt);
  }
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

aiorch_status aio__sq_model_set(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__sq_model *model) {
  return aio__sq_run(conn, error, AIO__SQ_MODEL_SET, "siiiii", tenant, model->no, (int64_t)model->dimensions,
                     model->marks, model->missing_from, model->changed);
}

static aiorch_status model_new(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_model *model) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_MODEL_COUNT, &stmt, "sd", tenant, (int)model->kind);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status;
  bool full = sqlite3_column_int64(stmt, 0) >= AIO__SQ_MODELS_OF_TENANT_MAX;
  aio__sq_reset(stmt);
  if (full)
    return aio__error_set(error, AIORCH_E_TOO_LARGE,
                          "more than %d embedding models of a tenant: remove the vectors of some (`aiorch reembed`)",
                          AIO__SQ_MODELS_OF_TENANT_MAX);
  status = aio__sq_run(conn, error, AIO__SQ_MODEL_NEW, "sdsi", tenant, (int)model->kind, model->fingerprint,
                       (int64_t)model->dimensions);
  model->no = sqlite3_last_insert_rowid(conn->db);
  if (status == AIORCH_OK && model->no >= AIO__SQ_MODELS_MAX)
    return aio__error_set(error, AIORCH_E_TOO_LARGE, "%s has numbered all embedding models that it can have (%d): use"
                          " another store", conn->owner->path, AIO__SQ_MODELS_MAX);
  return status;
}

aiorch_status aio__sq_others(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_kind kind,
                             aio__str fingerprint, const aio__alloc *al) {
  aio__sq_model models[2 * AIO__SQ_MODELS_OF_TENANT_MAX];
  aio__str names[2 * AIO__SQ_MODELS_OF_TENANT_MAX];
  size_t count = 0, n = 0;
  aio__arena arena;
  aio__arena_init(&arena, al, 1024);
  aiorch_status status = aio__sq_models_of(conn, error, tenant, kind, kind, &arena, models, &count);
  for (size_t i = 0; i < count && status == AIORCH_OK; i++)
    if (!aio__str_eq(models[i].fingerprint, fingerprint)) names[n++] = models[i].fingerprint;
  if (status == AIORCH_OK && n > 0)
    status = aio__vector_mismatch(kind == AIO__SQ_CHUNKS ? "chunks" : "kept answers", fingerprint, names, n, error);
  aio__arena_free(&arena);
  return status;
}

/* ---- what is missing ---------------------------------------------------------------------------------------------- */

aiorch_status aio__sq_missing_find(aio__store *base, aio__op *op, aio__sq_missing *missing, aio__sq_missing_read read) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  aio__sq_tenant row = {0};
  aio__sq_model model;
  int64_t all = 0;
  if (missing->limit > UNEMBEDDED_MAX) missing->limit = UNEMBEDDED_MAX;
  aiorch_status status = aio__sq_read(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  missing->out = aio__arena_alloc(missing->arena, (missing->limit + 1) * sizeof *missing->out);
  if (missing->out == NULL) status = aio__sq_nomem(&op->error);
  if (status == AIORCH_OK) status = aio__sq_tenant_get(conn, &op->error, missing->tenant, &row);
  if (status == AIORCH_OK) status = aio__sq_model_get(conn, &op->error, missing->tenant, missing->kind, missing->fingerprint, &model);
  if (status == AIORCH_OK) {
    all = missing->kind == AIO__SQ_CHUNKS ? row.chunks : row.cache_rows;
    missing->left = all > model.marks ? (uint64_t)(all - model.marks) : 0;
    if (missing->left > 0) status = read(conn, &op->error, missing, &model, &row);
  }
  aio__sq_read_end(conn);
  return status;
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

/* The caller writes the model down afterwards. */
static aiorch_status note(aio__sq_conn *conn, aiorch_error *error, aio__sq_model *model, int64_t first, int64_t last) {
  model->changed++;
  aiorch_status status = aio__sq_run(conn, error, AIO__SQ_CHANGE_NEW, "iiii", model->no, model->changed,
                                     first & AIO__SQ_ITEM_MASK, last & AIO__SQ_ITEM_MASK);
  if (status != AIORCH_OK || model->changed <= AIO__SQ_CHANGES_KEPT) return status;
  return aio__sq_run(conn, error, AIO__SQ_CHANGES_DROP, "ii", model->no, model->changed - AIO__SQ_CHANGES_KEPT);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

aiorch_status aio__sq_batch_begin(aio__sq_batch *batch, aio__sq_conn *conn, aiorch_error *error, aio__str tenant,
                                  aio__sq_kind kind, const aio__vectors *vectors) {
  *batch = (aio__sq_batch){.conn = conn, .error = error, .tenant = tenant, .first = 1, .last = 0};
  aio__sq_model *model = &batch->model;
  aiorch_status status = aio__sq_model_get(conn, error, tenant, kind, vectors->fingerprint, model);
  if (status != AIORCH_OK) return status;
  if (model->no != 0 && model->marks > 0 && model->dimensions != vectors->dimensions) {
    if (model->dimensions == 0 || vectors->dimensions == 0)
      return aio__vector_other_place(vectors->fingerprint, model->dimensions, error);
    return aio__vector_other_size(vectors->fingerprint, model->dimensions, vectors->dimensions, error);
  }
  model->dimensions = vectors->dimensions;
  if (vectors->dimensions > 0) {
    batch->bytes = aio__malloc(conn->owner->store->env.al, vectors->dimensions * sizeof(float));
    if (batch->bytes == NULL) return aio__sq_nomem(error);
  }
  return model->no == 0 ? model_new(conn, error, tenant, model) : AIORCH_OK;
}

static aiorch_status touch(aio__sq_batch *batch, int64_t item) {
  aiorch_status status = AIORCH_OK;
  if (batch->first <= batch->last && item == batch->last + 1) {
    batch->last = item;
    return status;
  }
  if (batch->first <= batch->last) status = note(batch->conn, batch->error, &batch->model, batch->first, batch->last);
  batch->first = batch->last = item;
  return status;
}

aiorch_status aio__sq_batch_put(aio__sq_batch *batch, int64_t item, const uint64_t *scope, const float *row,
                                bool *is_new) {
  aio__sq_model *model = &batch->model;
  int64_t no = aio__sq_vector_no(model, item);
  aiorch_status status;
  if (model->dimensions == 0) {
    status = aio__sq_run(batch->conn, batch->error, AIO__SQ_VECTOR_MARK, "i", no);
  } else {
    aio__vector_to_bytes(row, model->dimensions, batch->bytes);
    aio__str bytes = {batch->bytes, model->dimensions * sizeof *row};
    status = aio__sq_run(batch->conn, batch->error, AIO__SQ_VECTOR_NEW, scope != NULL ? "iib" : "inb", no,
                         scope != NULL ? (int64_t)*scope : 0, bytes);
  }
  *is_new = status == AIORCH_OK && sqlite3_changes(batch->conn->db) > 0;
  if (!*is_new) return status;
  model->marks++;
  return touch(batch, item);
}

aiorch_status aio__sq_batch_end(aio__sq_batch *batch, aiorch_status status) {
  if (status == AIORCH_OK && batch->first <= batch->last)
    status = note(batch->conn, batch->error, &batch->model, batch->first, batch->last);
  if (status == AIORCH_OK) status = aio__sq_model_set(batch->conn, batch->error, batch->tenant, &batch->model);
  aio__free(batch->conn->owner->store->env.al, batch->bytes);
  batch->bytes = NULL;
  return status;
}

/* ---- removing ---------------------------------------------------------------------------------------------------- */

/* *removed: how many of this model there were. */
static aiorch_status drop_range(aio__sq_conn *conn, aiorch_error *error, aio__sq_model *model, int64_t first,
                                int64_t last, int64_t *removed) {
  aiorch_status status = aio__sq_run(conn, error, AIO__SQ_VECTORS_DROP, "ii", aio__sq_vector_no(model, first),
                                     aio__sq_vector_no(model, last));
  *removed = status == AIORCH_OK ? sqlite3_changes(conn->db) : 0;
  model->marks = *removed < model->marks ? model->marks - *removed : 0;
  return status;
}

aiorch_status aio__sq_vectors_drop(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_kind kind,
                                   int64_t first, int64_t last) {
  aio__sq_model models[2 * AIO__SQ_MODELS_OF_TENANT_MAX];
  size_t count = 0;
  aiorch_status status = first <= last ? aio__sq_models_of(conn, error, tenant, kind, kind, NULL, models, &count)
                                       : AIORCH_OK;
  for (size_t i = 0; i < count && status == AIORCH_OK; i++) {
    int64_t removed = 0;
    status = drop_range(conn, error, &models[i], first, last, &removed);
    if (status != AIORCH_OK || removed == 0) continue;
    status = note(conn, error, &models[i], first, last);
    if (status == AIORCH_OK) status = aio__sq_model_set(conn, error, tenant, &models[i]);
  }
  return status;
}

/* The number of the last of the first `limit` vectors. */
static aiorch_status last_of(aio__sq_conn *conn, aiorch_error *error, const aio__sq_model *model, size_t limit,
                             int64_t *last, int64_t *count) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status =
    aio__sq_query(conn, error, AIO__SQ_VECTORS_LAST_OF, &stmt, "iii", aio__sq_vector_no(model, 0),
                  aio__sq_vector_no(model, AIO__SQ_ITEM_MASK), (int64_t)limit);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status;
  *last = sqlite3_column_int64(stmt, 0);
  *count = sqlite3_column_int64(stmt, 1);
  aio__sq_reset(stmt);
  return AIORCH_OK;
}

aiorch_status aio__sq_vectors_forget(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_model *model,
                                     size_t limit, int64_t *removed, int64_t *bytes) {
  int64_t last = 0, count = 0;
  *removed = *bytes = 0;
  aiorch_status status = last_of(conn, error, model, limit, &last, &count);
  if (status != AIORCH_OK) return status;
  int64_t each = model->kind == AIO__SQ_ENTRIES ? (int64_t)(model->dimensions * sizeof(float)) : 0;
  if (count > 0 && each > 0) {
    status = aio__sq_run(conn, error, AIO__SQ_CACHE_SHRINK, "siii", tenant, aio__sq_vector_no(model, 0), last, each);
    *bytes = status == AIORCH_OK ? sqlite3_changes(conn->db) * each : 0;
  }
  if (status == AIORCH_OK && count > 0) status = drop_range(conn, error, model, 0, last, removed);
  if (status == AIORCH_OK && count > 0) status = note(conn, error, model, 0, last);
  if (status != AIORCH_OK) return status;
  model->missing_from = 0;
  if (*removed == (int64_t)limit) return aio__sq_model_set(conn, error, tenant, model);
  status = aio__sq_run(conn, error, AIO__SQ_CHANGES_DROP, "ii", model->no, model->changed);
  return status == AIORCH_OK ? aio__sq_run(conn, error, AIO__SQ_MODEL_DROP, "si", tenant, model->no) : status;
}

/* ---- a document is replaced --------------------------------------------------------------------------------------- */

aiorch_status aio__sq_moves_begin(aio__sq_moves *moves, aio__sq_conn *conn, aiorch_error *error, aio__str tenant) {
  memset(moves, 0, sizeof *moves);
  return aio__sq_models_of(conn, error, tenant, AIO__SQ_CHUNKS, AIO__SQ_CHUNKS, NULL, moves->model, &moves->count);
}

aiorch_status aio__sq_moves_one(aio__sq_moves *moves, aio__sq_conn *conn, aiorch_error *error, int64_t from,
                                int64_t to) {
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; i < moves->count && status == AIORCH_OK; i++) {
    const aio__sq_model *model = &moves->model[i];
    status = aio__sq_run(conn, error, AIO__SQ_VECTOR_MOVE, "ii", aio__sq_vector_no(model, from),
                         aio__sq_vector_no(model, to));
    moves->moved[i] |= status == AIORCH_OK && sqlite3_changes(conn->db) > 0;
  }
  return status;
}

aiorch_status aio__sq_moves_end(aio__sq_moves *moves, aio__sq_conn *conn, aiorch_error *error, aio__str tenant,
                                int64_t from, int64_t from_count, int64_t to, int64_t to_count) {
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; i < moves->count && status == AIORCH_OK; i++) {
    aio__sq_model *model = &moves->model[i];
    int64_t removed = 0;
    bool moved = moves->moved[i];
    if (from_count > 0) status = drop_range(conn, error, model, from, from + from_count - 1, &removed);
    if (status == AIORCH_OK && (moved || removed > 0)) status = note(conn, error, model, from, from + from_count - 1);
    if (status == AIORCH_OK && moved) status = note(conn, error, model, to, to + to_count - 1);
    if (status == AIORCH_OK && (moved || removed > 0)) status = aio__sq_model_set(conn, error, tenant, model);
  }
  return status;
}
