/* Vectors of kept answers: what is near to a question within a scope, and which are missing. */
#include <string.h>

#include "stores/postgres_rows.h"

/* ---- near -------------------------------------------------------------------------------------------------------------------------- */

typedef struct near {
  const aio__nearest_args *args;
  aio__arena *arena;
  aio__cache_near **entries;
  size_t *count;
  /* found */
  aio__pg_others others;
  aio__cache_near *rows;
  size_t n;
} near;

/* Columns: kind, entry_id, similarity, size, fingerprint, question. */
static aiorch_status read_near(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  near *n = ctx;
  size_t all = aio__pg_count(rows);
  n->rows = aio__arena_alloc(n->arena, (all + 1) * sizeof *n->rows);
  if (n->rows == NULL || !aio__pg_others_read(rows, 3, 4, n->arena, &n->others)) return aio__pg_nomem(&op->error);
  for (size_t i = 0; i < all; i++) {
    if (aio__pg_get_i64(rows, i, 0) != 0) continue;
    aio__cache_near *out = &n->rows[n->n++];
    aio__pg_get_uuid(rows, i, 1, out->id);
    out->similarity = aio__pg_get_f64(rows, i, 2);
    if (!aio__pg_copy(rows, i, 5, n->arena, &out->query)) return aio__pg_nomem(&op->error);
  }
  return AIORCH_OK;
}

static aiorch_status give_near(aio__op *op, void *ctx) {
  const near *n = ctx;
  aiorch_status status = aio__pg_others_end(&n->others, "kept answers", n->args, &op->error);
  if (status != AIORCH_OK) return status;
  *n->entries = n->rows;
  *n->count = n->n;
  return AIORCH_OK;
}

aiorch_status aio__pg_near(aio__store *store, aio__op *op, aio__str tenant, aio__str scope, const aio__nearest_args *args, int64_t now_ms,
                           aio__arena *arena, aio__cache_near **entries, size_t *count) {
  near n = {.args = args, .arena = arena, .entries = entries, .count = count};
  aiorch_status status = aio__pg_nearest_check(args, &op->error);
  if (status != AIORCH_OK) return status;
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ, &n, sizeof n, give_near);
  aio__pg_sql(step, "SELECT * FROM near_answers($1, $2, $3, $4, $5, $6)", read_near);
  aio__pg_text(step, args->fingerprint);
  aio__pg_bytea(step, scope);
  aio__pg_floats(step, args->query, args->dimensions);
  aio__pg_f64(step, args->threshold);
  aio__pg_i32(step, args->limit < AIO__PG_HITS_MAX ? (int32_t)args->limit : AIO__PG_HITS_MAX);
  aio__pg_i64(step, now_ms);
  return aio__pg_step_start(step);
}

/* ---- vectors to be made, and kept --------------------------------------------------------------------------------------------------- */

static bool text_of_answer(const aio__pg_rows *rows, size_t row, aio__arena *arena, aio__str *out) {
  return aio__pg_copy(rows, row, 2, arena, out);
}

aiorch_status aio__pg_answers_unembedded(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit,
                                         aio__arena *arena, aio__unembedded **entries, size_t *count, uint64_t *left) {
  return aio__pg_list_unembedded(store, op, tenant, "SELECT * FROM answers_without_vector($1, $2)", text_of_answer, fingerprint, limit,
                                 arena, entries, count, left);
}

aiorch_status aio__pg_answers_mark(aio__store *store, aio__op *op, aio__str tenant, const aio__vectors *vectors, const aio__str *ids,
                                   size_t count) {
  return aio__pg_mark(store, op, tenant, "SELECT code, stored FROM keep_answer_vectors($1, $2, $3, $4)", vectors, ids, count);
}
