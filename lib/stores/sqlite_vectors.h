/*
 * Vectors in the SQLite store. sqlite_vectors.c writes the rows (sql/sqlite/knowledge/0002_vectors.sql says how they are
 * numbered) inside the transaction of whoever changes a chunk or an answer; sqlite_resident.c brings the index in memory
 * up to what a read transaction sees and searches it; sqlite_nearest.c and sqlite_cache_near.c are the calls.
 */
#ifndef AIO_STORES_SQLITE_VECTORS_H
#define AIO_STORES_SQLITE_VECTORS_H

#include "stores/sqlite_filter.h"
#include "stores/vector_rows.h"

enum {
  AIO__SQ_MODELS_OF_TENANT_MAX = 64, /* of one kind */
  AIO__SQ_MODELS_MAX = 1 << 23,      /* a vector's number has 63 bits */
  AIO__SQ_CHANGES_KEPT = 10000,      /* a model */
  AIO__SQ_VECTOR_SHIFT = 40
};
#define AIO__SQ_ITEM_MASK (((int64_t)1 << AIO__SQ_VECTOR_SHIFT) - 1)

typedef enum aio__sq_kind { AIO__SQ_CHUNKS = 1, AIO__SQ_ENTRIES = 2 } aio__sq_kind;

/* A row of vector_models; `no` is 0 when there is none. */
typedef struct aio__sq_model {
  int64_t no, marks, missing_from, changed;
  aio__sq_kind kind;
  size_t dimensions;
  aio__str fingerprint; /* as asked for, or in the arena of aio__sq_models_of */
} aio__sq_model;

/* The number of the vector of a chunk or an answer. What is damaged stays within the model. */
static inline int64_t aio__sq_vector_no(const aio__sq_model *model, int64_t item) {
  return (model->no << AIO__SQ_VECTOR_SHIFT) | (item & AIO__SQ_ITEM_MASK);
}

/* ---- sqlite_vectors.c -------------------------------------------------------------------------------------------- */

aiorch_status aio__sq_model_get(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_kind kind,
                                aio__str fingerprint, aio__sq_model *out);
/* Those of the kinds from `first` to `last` that have vectors. `arena` NULL: without fingerprints. */
aiorch_status aio__sq_models_of(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_kind first,
                                aio__sq_kind last, aio__arena *arena,
                                aio__sq_model out[2 * AIO__SQ_MODELS_OF_TENANT_MAX], size_t *count);
aiorch_status aio__sq_model_set(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__sq_model *model);
/* AIORCH_E_EMBEDDER_MISMATCH that names up to all other models of the kind, when there are any; AIORCH_OK otherwise. */
aiorch_status aio__sq_others(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_kind kind,
                             aio__str fingerprint, const aio__alloc *al);

/* What has no vector yet of a model: what is looked for, and what was found. */
typedef struct aio__sq_missing {
  aio__str tenant, fingerprint;
  aio__sq_kind kind;
  size_t limit;
  aio__arena *arena;
  aio__unembedded *out;
  size_t count;
  uint64_t left;
} aio__sq_missing;

/* `read` puts up to `limit` of them into `out`; it is not called where nothing is missing. In a read transaction of its own. */
typedef aiorch_status (*aio__sq_missing_read)(aio__sq_conn *conn, aiorch_error *error, aio__sq_missing *missing, const aio__sq_model *model,
                                              const aio__sq_tenant *row);
aiorch_status aio__sq_missing_find(aio__store *store, aio__op *op, aio__sq_missing *missing, aio__sq_missing_read read);

/* Vectors of one model being written: the ranges that they touch are joined where they follow each other. */
typedef struct aio__sq_batch {
  aio__sq_conn *conn;
  aiorch_error *error;
  aio__str tenant;
  aio__sq_model model;
  int64_t first, last; /* touched and not yet written down; first > last: nothing */
  char *bytes;         /* of one vector */
} aio__sq_batch;

/* In a write transaction; the model is made when it is new. AIORCH_E_INVALID for other dimensions than it has,
 * AIORCH_E_EMBEDDER_MISMATCH for another place. */
aiorch_status aio__sq_batch_begin(aio__sq_batch *batch, aio__sq_conn *conn, aiorch_error *error, aio__str tenant,
                                  aio__sq_kind kind, const aio__vectors *vectors);
/* `scope` NULL: a chunk. *is_new false: it was there. */
aiorch_status aio__sq_batch_put(aio__sq_batch *batch, int64_t item, const uint64_t *scope, const float *row,
                                bool *is_new);
/* Writes the model down when `status` is AIORCH_OK, and frees what the batch has. Returns how it ended. */
aiorch_status aio__sq_batch_end(aio__sq_batch *batch, aiorch_status status);

/* Removes the vectors of all models of items from `first` to `last`. */
aiorch_status aio__sq_vectors_drop(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_kind kind,
                                   int64_t first, int64_t last);
/* At most `limit` of one model. *bytes: what entries have become smaller by. */
aiorch_status aio__sq_vectors_forget(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_model *model,
                                     size_t limit, int64_t *removed, int64_t *bytes);

/* A document is replaced: chunks that stay take their vectors along to their new number, the others' go. */
typedef struct aio__sq_moves {
  aio__sq_model model[2 * AIO__SQ_MODELS_OF_TENANT_MAX];
  bool moved[2 * AIO__SQ_MODELS_OF_TENANT_MAX];
  size_t count;
} aio__sq_moves;

aiorch_status aio__sq_moves_begin(aio__sq_moves *moves, aio__sq_conn *conn, aiorch_error *error, aio__str tenant);
aiorch_status aio__sq_moves_one(aio__sq_moves *moves, aio__sq_conn *conn, aiorch_error *error, int64_t from,
                                int64_t to);
/* [from, from + from_count) are the old numbers, [to, to + to_count) the new ones. */
aiorch_status aio__sq_moves_end(aio__sq_moves *moves, aio__sq_conn *conn, aiorch_error *error, aio__str tenant,
                                int64_t from, int64_t from_count, int64_t to, int64_t to_count);

/* ---- sqlite_resident.c ------------------------------------------------------------------------------------------- */

/* One search in the index of a model. */
typedef struct aio__sq_near aio__sq_near;
struct aio__sq_near {
  aio__sq_store *store;
  aio__op *op;
  const aio__nearest_args *args;
  /* Reads the model, calls aio__sq_near_ready, aio__sq_near_search and what else it needs; called anew, in another read
   * transaction, when it returns AIORCH_AGAIN. */
  aiorch_status (*rows)(aio__sq_near *near, void *ctx);
  void *ctx;
  /* of the read transaction: */
  aio__sq_conn *conn;
  aio__sq_model model;
  aio__resident *resident;
  const aio__sq_ranges *allowed; /* of chunk numbers; NULL: all */
  int64_t first_no;              /* where the tenant's chunk numbers begin */
  size_t at;
};

aiorch_status aio__sq_near_run(aio__sq_near *near);
/* The index of near->model as it is in the transaction. AIORCH_AGAIN: another thread is at it. */
aiorch_status aio__sq_near_ready(aio__sq_near *near);
/* `hits` has room for `limit`; their keys are items. `scope` NULL: of any. */
aiorch_status aio__sq_near_search(aio__sq_near *near, const uint64_t *scope, size_t limit, aio__index_hit *hits,
                                  size_t *count);
/* The vector of one item, `dimensions` of the model. AIORCH_E_NOT_FOUND (without words): it has none. */
aiorch_status aio__sq_near_row(aio__sq_near *near, int64_t item, float *out);

/* ---- sqlite_nearest.c -------------------------------------------------------------------------------------------- */

aiorch_status aio__sq_unembedded(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit,
                                 aio__arena *arena, aio__unembedded **chunks, size_t *count, uint64_t *left);
aiorch_status aio__sq_mark_embedded(aio__store *store, aio__op *op, aio__str tenant, const aio__vectors *vectors,
                                    const aio__str *chunk_ids, size_t count);
aiorch_status aio__sq_nearest(aio__store *store, aio__op *op, aio__str tenant, const aio__nearest_args *args,
                              const aio__filter *filters, size_t filter_count, aio__arena *arena,
                              aio__found_chunk **chunks, size_t *count);
aiorch_status aio__sq_models(aio__store *store, aio__op *op, aio__str tenant, aio__arena *arena,
                             aio__vector_model **models, size_t *count);
aiorch_status aio__sq_forget_model(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit,
                                   size_t *removed);

/* ---- sqlite_cache_near.c ----------------------------------------------------------------------------------------- */

aiorch_status aio__sq_cache_near(aio__store *store, aio__op *op, aio__str tenant, aio__str scope,
                                 const aio__nearest_args *args, int64_t now_ms, aio__arena *arena,
                                 aio__cache_near **entries, size_t *count);
aiorch_status aio__sq_cache_unembedded(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint,
                                       size_t limit, aio__arena *arena, aio__unembedded **entries, size_t *count,
                                       uint64_t *left);
aiorch_status aio__sq_cache_mark_embedded(aio__store *store, aio__op *op, aio__str tenant, const aio__vectors *vectors,
                                          const aio__str *ids, size_t count);
aiorch_status aio__sq_cache_exact_only(aio__store *store, aio__op *op, aio__str tenant, aio__str id);
/* The vector of an answer that is being stored. */
aiorch_status aio__sq_cache_put_vector(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, int64_t no,
                                       const aio__cache_entry *entry);
/* Is there a live answer of the scope to another question, that a near one may be given? */
aiorch_status aio__sq_cache_neighbours(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__str scope,
                                       aio__str key, int64_t now_ms, bool *out);

#endif
