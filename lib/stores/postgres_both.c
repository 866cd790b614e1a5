/* Full text and vectors of one question in one journey. */
#include <math.h>
#include <string.h>

#include "stores/postgres_rows.h"

typedef struct both {
  aio__both_args *args;
  aio__arena *arena;
  size_t terms;
  /* found */
  aio__pg_others others;
  aio__found_chunk *text, *near;
  size_t text_count, near_count;
} both;

/* Columns: kind, similarity, size, fingerprint, chunk_id, those of a chunk, then those of a score. */
enum { SIMILARITY = 1, SIZE, FINGERPRINT, CHUNK = 5, SCORE = CHUNK + AIO__PG_CHUNK_COLUMNS, BY_WORDS = 5 };

static aiorch_status read_row(const aio__pg_rows *rows, size_t row, aio__op *op, both *b) {
  bool by_words = aio__pg_get_i64(rows, row, 0) == BY_WORDS;
  aio__found_chunk *out = by_words ? &b->text[b->text_count++] : &b->near[b->near_count++];
  if (!aio__pg_found(rows, row, CHUNK, b->arena, out)) return aio__pg_nomem(&op->error);
  out->similarity = aio__pg_is_null(rows, row, SIMILARITY) ? (double)NAN : aio__pg_get_f64(rows, row, SIMILARITY);
  return by_words ? aio__pg_score(rows, row, SCORE, op, b->arena, b->terms, out) : AIORCH_OK;
}

static aiorch_status read_both(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  both *b = ctx;
  aiorch_status status = AIORCH_OK;
  size_t n = aio__pg_count(rows), words = 0;
  for (size_t i = 0; i < n; i++) {
    bool by_words = aio__pg_get_i64(rows, i, 0) == BY_WORDS;
    words += by_words ? 1 : 0;
  }
  b->text = aio__arena_alloc(b->arena, (words + 1) * sizeof *b->text);
  b->near = aio__arena_alloc(b->arena, (n - words + 1) * sizeof *b->near);
  if (b->text == NULL || b->near == NULL) return aio__pg_nomem(&op->error);
  for (size_t i = 0; i < n && status == AIORCH_OK; i++)
    if (!aio__pg_is_null(rows, i, CHUNK)) status = read_row(rows, i, op, b);
  if (status != AIORCH_OK) return status;
  return aio__pg_others_read(rows, SIZE, FINGERPRINT, b->arena, &b->others) ? AIORCH_OK : aio__pg_nomem(&op->error);
}

static aiorch_status give_both(aio__op *op, void *ctx) {
  both *b = ctx;
  aio__both_args *args = b->args;
  (void)op;
  aio__error_clear(&args->near_error);
  (void)aio__pg_others_end(&b->others, "chunks", args->nearest, &args->near_error);
  args->text = b->text;
  args->text_count = b->text_count;
  args->near = b->near;
  args->near_count = args->near_error.status < 0 ? 0 : b->near_count;
  return AIORCH_OK;
}

static int32_t at_most(size_t limit) {
  return limit < AIO__PG_HITS_MAX ? (int32_t)limit : AIO__PG_HITS_MAX;
}

aiorch_status aio__pg_both(aio__store *store, aio__op *op, aio__str tenant, aio__both_args *args, aio__arena *arena) {
  both b = {.args = args, .arena = arena};
  const aio__nearest_args *near = args->nearest;
  aio__fts_query own = {.n = 0};
  aiorch_status status = aio__pg_nearest_check(near, &op->error);
  if (status != AIORCH_OK) return status;
  const aio__fts_query *query = aio__search_terms(args->search, &own);
  b.terms = query->n;
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ, &b, sizeof b, give_both);
  aio__pg_sql(step, "SELECT * FROM found_both($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14)", read_both);
  aio__pg_terms(step, tenant, query);
  aio__pg_i32(step, at_most(args->search->limit));
  aio__pg_text(step, near->fingerprint);
  aio__pg_floats(step, near->query, near->dimensions);
  aio__pg_f64(step, near->threshold);
  aio__pg_i32(step, at_most(near->limit));
  aio__pg_filters(step, args->search->filters, args->search->filter_count);
  aio__pg_i32(step, args->search->lean && near->lean ? AIO__PG_TEXTS_WITH_LEAN : AIO__PG_HITS_MAX);
  return aio__pg_step_start(step);
}
