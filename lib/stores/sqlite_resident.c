/*
 * The index in memory of a model, brought up to what a read transaction sees. A new one is filled in the order of the
 * rows; later ones read what has changed: each change is a range, in which what has a row is put into the index, and
 * what has none is taken out. What was read stays when the deadline comes, so that the next search goes on from there.
 */
#include <string.h>

#include "stores/sqlite_vectors.h"

enum { ROWS_MAX = 256, ROWS_BYTES_MAX = 1 << 20 };

/* Rows on their way from the table into the index. */
typedef struct batch {
  uint64_t keys[ROWS_MAX], scopes[ROWS_MAX];
  float *rows;
  size_t n, cap;
} batch;

typedef struct filling {
  aio__sq_conn *conn;
  aiorch_error *error;
  const aio__sq_model *model;
  aio__resident *resident;
  batch batch;
  bool in_order; /* resident->filled goes along, and what comes after it is not in the index yet */
  int64_t next;  /* what the index is to have below it is there */
} filling;

static aiorch_status damaged(aio__sq_conn *conn, const aio__sq_model *model, aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_STORE_CORRUPT,
                        "%s has a damaged vector of \"%.*s\": make them anew (`aiorch reembed`)", conn->owner->path,
                        (int)(model->fingerprint.n < 120 ? model->fingerprint.n : 120), model->fingerprint.p);
}

/* ---- filling ----------------------------------------------------------------------------------------------------- */

static void take_out(filling *f, int64_t first, int64_t last) {
  if (f->in_order || first > last) return;
  if (first == last)
    (void)aio__index_remove(f->resident->index, (uint64_t)first);
  else
    (void)aio__index_remove_range(f->resident->index, (uint64_t)first, (uint64_t)last);
}

static aiorch_status flush(filling *f) {
  batch *b = &f->batch;
  size_t done = 0;
  if (b->n == 0) return AIORCH_OK;
  aiorch_status status = aio__index_put_many(f->resident->index, b->keys, b->scopes, b->rows, b->n, &done);
  for (size_t i = 0; i < done; i++) {
    take_out(f, f->next, (int64_t)b->keys[i] - 1);
    f->next = (int64_t)b->keys[i] + 1;
  }
  if (f->in_order) f->resident->filled = f->next - 1;
  b->n = 0;
  if (status == AIORCH_E_INVALID) return damaged(f->conn, f->model, f->error);
  if (status == AIORCH_E_TOO_LARGE)
    return aio__error_set(f->error, status, "a tenant has more vectors than an index in memory can hold");
  return status == AIORCH_OK ? status : aio__sq_nomem(f->error);
}

static aiorch_status add_row(filling *f, sqlite3_stmt *stmt) {
  batch *b = &f->batch;
  aio__str bytes = aio__sq_text(stmt, 2);
  if (bytes.n != f->model->dimensions * sizeof(float)) return damaged(f->conn, f->model, f->error);
  b->keys[b->n] = (uint64_t)(sqlite3_column_int64(stmt, 0) & AIO__SQ_ITEM_MASK);
  b->scopes[b->n] = (uint64_t)sqlite3_column_int64(stmt, 1);
  aio__vector_from_bytes(bytes.p, f->model->dimensions, b->rows + b->n * f->model->dimensions);
  return ++b->n == b->cap ? flush(f) : AIORCH_OK;
}

/* Items from `first` to `last`, both included, are in the index as they are in the table. */
static aiorch_status fill_range(filling *f, int64_t first, int64_t last) {
  sqlite3_stmt *stmt = NULL;
  if (first > last) return AIORCH_OK;
  f->next = first;
  f->batch.n = 0;
  aiorch_status status = aio__sq_query(f->conn, f->error, AIO__SQ_VECTORS, &stmt, "ii",
                                       aio__sq_vector_no(f->model, first), aio__sq_vector_no(f->model, last));
  while (status == AIORCH_OK && (status = aio__sq_step(f->conn, f->error, stmt)) == AIORCH_OK) {
    status = add_row(f, stmt);
    if (status != AIORCH_OK) aio__sq_reset(stmt);
  }
  if (status == AIORCH_DONE) status = flush(f);
  if (status == AIORCH_OK) take_out(f, f->next, last);
  return status;
}

/* ---- what has changed -------------------------------------------------------------------------------------------- */

typedef struct change {
  int64_t first, last;
} change;

/* *whole false: some of the changes are no longer there. */
static aiorch_status read_changes(filling *f, change **out, size_t *count, bool *whole) {
  const aio__alloc *al = f->conn->owner->store->env.al;
  int64_t seen = f->resident->seen, want = f->model->changed - seen;
  sqlite3_stmt *stmt = NULL;
  *whole = want <= AIO__SQ_CHANGES_KEPT;
  if (!*whole) return AIORCH_OK;
  *out = aio__malloc(al, (size_t)want * sizeof **out);
  if (*out == NULL) return aio__sq_nomem(f->error);
  aiorch_status status = aio__sq_query(f->conn, f->error, AIO__SQ_CHANGES, &stmt, "ii", f->model->no, seen);
  while (status == AIORCH_OK && (status = aio__sq_step(f->conn, f->error, stmt)) == AIORCH_OK) {
    bool next = sqlite3_column_int64(stmt, 0) == seen + 1 && (int64_t)*count < want;
    if (next) {
      (*out)[(*count)++] = (change){sqlite3_column_int64(stmt, 1) & AIO__SQ_ITEM_MASK,
                                    sqlite3_column_int64(stmt, 2) & AIO__SQ_ITEM_MASK};
      seen++;
    } else {
      *whole = false;
      aio__sq_reset(stmt);
      return AIORCH_OK;
    }
  }
  *whole = (int64_t)*count == want;
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

/* AIORCH_DONE: it cannot be told what has changed. */
static aiorch_status apply_changes(filling *f) {
  change *changes = NULL;
  size_t count = 0;
  bool whole = false;
  f->in_order = false;
  aiorch_status status = read_changes(f, &changes, &count, &whole);
  for (size_t i = 0; i < count && whole && status == AIORCH_OK; i++) {
    int64_t last = changes[i].last < f->resident->filled ? changes[i].last : f->resident->filled;
    status = fill_range(f, changes[i].first, last);
  }
  aio__free(f->conn->owner->store->env.al, changes);
  return status == AIORCH_OK && !whole ? AIORCH_DONE : status;
}

static aiorch_status bring_up(aio__sq_near *near, filling *f) {
  aio__resident *r = near->resident;
  aiorch_status status = aio__resident_reserve(&near->store->residents, r, near->model.marks, f->error);
  if (status == AIORCH_OK && r->filled >= 0 && r->seen < near->model.changed) status = apply_changes(f);
  if (status != AIORCH_OK) return status;
  r->seen = near->model.changed;
  if (r->filled == AIO__RESIDENT_FULL) return AIORCH_OK;
  f->in_order = true;
  status = fill_range(f, r->filled + 1, AIO__SQ_ITEM_MASK);
  if (status == AIORCH_OK) r->filled = AIO__RESIDENT_FULL;
  return status;
}

/* In this thread's turn. */
static aiorch_status take_turn(aio__sq_near *near) {
  aio__sq_store *store = near->store;
  filling f = {.conn = near->conn, .error = &near->op->error, .model = &near->model, .resident = near->resident};
  size_t fit = ROWS_BYTES_MAX / (near->model.dimensions * sizeof(float));
  f.batch.cap = fit > ROWS_MAX ? ROWS_MAX : fit > 0 ? fit : 1;
  f.batch.rows = aio__malloc(store->env.al, f.batch.cap * near->model.dimensions * sizeof(float));
  aiorch_status status = f.batch.rows != NULL ? bring_up(near, &f) : aio__sq_nomem(f.error);
  aio__free(store->env.al, f.batch.rows);
  aiorch_error *error = status == AIORCH_OK ? f.error : NULL;
  aiorch_status ended = aio__resident_done(&store->residents, near->resident, error);
  if (status == AIORCH_DONE) { /* a new one begins from the rows */
    aio__resident_leave(&store->residents, near->resident);
    return AIORCH_AGAIN;
  }
  return status == AIORCH_OK ? ended : status;
}

/* ---- searching --------------------------------------------------------------------------------------------------- */

aiorch_status aio__sq_near_ready(aio__sq_near *near) {
  aio__residents *set = &near->store->residents;
  if (near->args->dimensions != near->model.dimensions)
    return aio__vector_other_size(near->model.fingerprint, near->model.dimensions, near->args->dimensions,
                                  &near->op->error);
  aiorch_status status =
    aio__resident_take(set, (uint64_t)near->model.no, near->model.dimensions, &near->resident);
  if (status != AIORCH_OK) return aio__sq_nomem(&near->op->error);
  status = aio__resident_claim(set, near->resident, near->model.changed);
  return status == AIORCH_PENDING ? take_turn(near) : status;
}

static bool allow(void *ctx, uint64_t key) {
  aio__sq_near *near = ctx;
  return aio__sq_ranges_pass_next(near->allowed, near->first_no | (int64_t)key, &near->at);
}

aiorch_status aio__sq_near_row(aio__sq_near *near, int64_t item, float *out) {
  aiorch_error *error = &near->op->error;
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(near->conn, error, AIO__SQ_VECTOR, &stmt, "i",
                                       aio__sq_vector_no(&near->model, item));
  if (status == AIORCH_OK) status = aio__sq_step(near->conn, error, stmt);
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_E_NOT_FOUND : status;
  aio__str bytes = aio__sq_text(stmt, 0);
  if (bytes.n == near->model.dimensions * sizeof *out)
    aio__vector_from_bytes(bytes.p, near->model.dimensions, out);
  else
    status = damaged(near->conn, &near->model, error);
  aio__sq_reset(stmt);
  return status;
}

static aiorch_status read_row(void *ctx, uint64_t key, float *out) {
  return aio__sq_near_row(ctx, (int64_t)key, out);
}

aiorch_status aio__sq_near_search(aio__sq_near *near, const uint64_t *scope, size_t limit, aio__index_hit *hits,
                                  size_t *count) {
  aio__index_search search = {.queries = near->args->query,
                              .query_count = 1,
                              .scopes = scope,
                              .limit = limit,
                              .threshold = aio__vector_threshold(near->args->threshold),
                              .allow = near->allowed != NULL && near->allowed->active ? allow : NULL,
                              .row = read_row,
                              .ctx = near};
  near->at = 0;
  aiorch_status status = aio__index_search_run(near->resident->index, &search, hits, count);
  if (status == AIORCH_E_NOMEM) return aio__sq_nomem(&near->op->error);
  if (status < 0 && near->op->error.status != status)
    return aio__error_set(&near->op->error, status, "the vectors cannot be searched: the query or its limit is none");
  return status;
}

aiorch_status aio__sq_near_run(aio__sq_near *near) {
  aio__sq_store *store = near->store;
  for (;;) {
    near->resident = NULL;
    aiorch_status status = aio__sq_read(&store->knowledge, near->op, &near->conn);
    if (status != AIORCH_OK) return status;
    status = near->rows(near, near->ctx);
    aio__sq_read_end(near->conn);
    /* Without a connection: they are few, and other tenants need them. */
    bool late = status == AIORCH_AGAIN &&
                !aio__resident_wait(&store->residents, near->resident, near->op->deadline_ns);
    aio__resident_give(&store->residents, near->resident);
    if (late)
      return aio__error_set(&near->op->error, AIORCH_E_DEADLINE,
                            "the deadline passed while another search read the vectors of %s", store->knowledge.path);
    if (status != AIORCH_AGAIN) return status;
  }
}
