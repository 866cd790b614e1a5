/* Full-text search, and chunks by id. The words are ours, candidates and ranks the server's: ranked_chunks does BM25 as fts_rank.h does. */
#include <string.h>

#include "stores/postgres_rows.h"

bool aio__pg_found(const aio__pg_rows *rows, size_t row, size_t first, aio__arena *arena, aio__found_chunk *out) {
  memset(out, 0, sizeof *out);
  aio__pg_get_uuid(rows, row, first, out->chunk_id);
  aio__pg_get_uuid(rows, row, first + 1, out->document_id);
  out->document_version = aio__pg_get_i64(rows, row, first + 2);
  out->ordinal = (uint32_t)aio__pg_get_i64(rows, row, first + 3);
  out->tokens = (uint32_t)aio__pg_get_i64(rows, row, first + 4);
  out->start = (uint64_t)aio__pg_get_i64(rows, row, first + 5);
  out->end = (uint64_t)aio__pg_get_i64(rows, row, first + 6);
  bool copied = aio__pg_copy(rows, row, first + 7, arena, &out->source) && aio__pg_copy(rows, row, first + 8, arena, &out->title) &&
                aio__pg_copy(rows, row, first + 9, arena, &out->anchor) && aio__pg_copy(rows, row, first + 10, arena, &out->heading);
  if (!copied || aio__pg_is_null(rows, row, first + 11)) return copied;
  return aio__pg_copy(rows, row, first + 11, arena, &out->text);
}

/* A bound without text is open. */
static void put_bound(aio__pg_step *step, aio__str text) {
  if (text.p != NULL)
    aio__pg_text(step, text);
  else
    aio__pg_null(step);
}

void aio__pg_filters(aio__pg_step *step, const aio__filter *filters, size_t count) {
  aio__pg_array(step, AIO__PG_TEXT, count);
  for (size_t i = 0; i < count; i++) aio__pg_text(step, filters[i].name);
  aio__pg_array(step, AIO__PG_INT4, count);
  for (size_t i = 0; i < count; i++)
    aio__pg_i32(step, filters[i].kind == AIO__FILTER_RANGE ? 2 : filters[i].kind == AIO__FILTER_PREFIX ? 1 : 0);
  aio__pg_array(step, AIO__PG_TEXT, count);
  for (size_t i = 0; i < count; i++)
    put_bound(step, filters[i].value.p != NULL || filters[i].kind == AIO__FILTER_RANGE ? filters[i].value : AIO__LIT(""));
  aio__pg_array(step, AIO__PG_TEXT, count);
  for (size_t i = 0; i < count; i++) put_bound(step, filters[i].to);
}

/* ---- search ------------------------------------------------------------------------------------------------------------------------ */

typedef struct searched {
  aio__arena *arena;
  aio__found_chunk **chunks;
  size_t *count;
  size_t terms;
  /* found */
  aio__found_chunk *rows;
  size_t n;
} searched;

/* Of what is often, each item: 256 times the term's place and how often the chunk has it; 0 for a term that stood for longer words. */
aiorch_status aio__pg_score(const aio__pg_rows *rows, size_t row, size_t first, aio__op *op, aio__arena *arena, size_t terms,
                            aio__found_chunk *out) {
  float *notes = NULL;
  size_t n = 0;
  uint32_t *often = aio__arena_alloc(arena, (terms + 1) * sizeof *often);
  if (often == NULL || !aio__pg_get_floats(rows, row, first + 2, arena, &notes, &n)) return aio__pg_nomem(&op->error);
  for (size_t i = 0; i < n; i++) {
    uint32_t note = (uint32_t)notes[i];
    if (note >> 8 < terms && (note & 255) != 0) often[note >> 8] = note & 255;
  }
  out->score = aio__pg_get_f64(rows, row, first);
  out->words = (uint32_t)aio__pg_get_i64(rows, row, first + 1);
  out->often = often;
  return AIORCH_OK;
}

static aiorch_status read_searched(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  searched *s = ctx;
  aiorch_status status = AIORCH_OK;
  s->n = aio__pg_count(rows);
  s->rows = aio__arena_alloc(s->arena, (s->n + 1) * sizeof *s->rows);
  if (s->rows == NULL) return aio__pg_nomem(&op->error);
  for (size_t i = 0; i < s->n && status == AIORCH_OK; i++) {
    if (!aio__pg_found(rows, i, 0, s->arena, &s->rows[i])) return aio__pg_nomem(&op->error);
    status = aio__pg_score(rows, i, AIO__PG_CHUNK_COLUMNS, op, s->arena, s->terms, &s->rows[i]);
  }
  return status;
}

static aiorch_status give_searched(aio__op *op, void *ctx) {
  const searched *s = ctx;
  (void)op;
  *s->chunks = s->rows;
  *s->count = s->n;
  return AIORCH_OK;
}

void aio__pg_terms(aio__pg_step *step, aio__str tenant, const aio__fts_query *query) {
  char lexeme[AIO__PG_MARK + AIO__FTS_WORD_MAX];
  aio__pg_array(step, AIO__PG_TEXT, query->n);
  for (size_t i = 0; i < query->n; i++) aio__pg_text(step, aio__pg_lexeme(tenant, &query->term[i].word, true, lexeme));
  aio__pg_array(step, AIO__PG_TEXT, query->n);
  for (size_t i = 0; i < query->n; i++) aio__pg_text(step, aio__pg_lexeme(tenant, &query->term[i].word, false, lexeme));
  aio__pg_array(step, AIO__PG_TEXT, query->n);
  for (size_t i = 0; i < query->n; i++) {
    const aio__fts_word *word = &query->term[i].word;
    if (aio__fts_has_longer(word))
      aio__pg_text(step, aio__pg_lexeme(tenant, word, true, lexeme));
    else
      aio__pg_null(step);
  }
  aio__pg_array(step, AIO__PG_FLOAT8, query->n);
  for (size_t i = 0; i < query->n; i++) aio__pg_f64(step, query->term[i].weight);
}

aiorch_status aio__pg_search(aio__store *store, aio__op *op, aio__str tenant, const aio__search_args *args, aio__arena *arena,
                             aio__found_chunk **chunks, size_t *count) {
  searched s = {.arena = arena, .chunks = chunks, .count = count};
  aio__fts_query own = {.n = 0};
  const aio__fts_query *query = aio__search_terms(args, &own);
  s.terms = query->n;
  if (query->n == 0 || args->limit == 0) {
    s.rows = aio__arena_alloc(arena, sizeof *s.rows);
    return s.rows != NULL ? give_searched(op, &s) : aio__pg_nomem(&op->error);
  }
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ, &s, sizeof s, give_searched);
  aio__pg_sql(step, "SELECT * FROM found_chunks($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)", read_searched);
  aio__pg_terms(step, tenant, query);
  aio__pg_filters(step, args->filters, args->filter_count);
  aio__pg_i32(step, args->limit < AIO__PG_HITS_MAX ? (int32_t)args->limit : AIO__PG_HITS_MAX);
  aio__pg_i32(step, args->lean ? AIO__PG_TEXTS_WITH_LEAN : AIO__PG_HITS_MAX);
  return aio__pg_step_start(step);
}

/* ---- fetch ------------------------------------------------------------------------------------------------------------------------- */

typedef struct fetched {
  aio__arena *arena;
  aio__found_chunk *chunks;
  size_t count;
  /* found */
  aio__found_chunk *rows;
} fetched;

static aiorch_status read_fetched(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  fetched *f = ctx;
  f->rows = aio__arena_alloc(f->arena, (f->count + 1) * sizeof *f->rows);
  if (f->rows == NULL) return aio__pg_nomem(&op->error);
  for (size_t i = 0; i < aio__pg_count(rows); i++) {
    int64_t at = aio__pg_get_i64(rows, i, AIO__PG_CHUNK_COLUMNS) - 1;
    if (at < 0 || (uint64_t)at >= f->count) continue;
    if (!aio__pg_found(rows, i, 0, f->arena, &f->rows[at])) return aio__pg_nomem(&op->error);
  }
  return AIORCH_OK;
}

static aiorch_status give_fetched(aio__op *op, void *ctx) {
  const fetched *f = ctx;
  (void)op;
  memcpy(f->chunks, f->rows, f->count * sizeof *f->rows);
  return AIORCH_OK;
}

aiorch_status aio__pg_fetch(aio__store *store, aio__op *op, aio__str tenant, const aio__str *ids, size_t count,
                            const aio__filter *filters, size_t filter_count, aio__arena *arena, aio__found_chunk *chunks) {
  fetched f = {.arena = arena, .chunks = chunks, .count = count};
  if (count == 0) return AIORCH_OK;
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ, &f, sizeof f, give_fetched);
  aio__pg_sql(step,
              "WITH within AS MATERIALIZED (SELECT documents_that_fit($2,$3,$4,$5) AS ids WHERE cardinality($2) > 0)"
              " SELECT " AIO__PG_CHUNK("c.text") ", w.nth FROM unnest($1) WITH ORDINALITY w(id, nth)"
              " JOIN chunks c ON c.tenant_id = " AIO__PG_TENANT " AND c.id = w.id"
              " JOIN documents d ON d.tenant_id = " AIO__PG_TENANT " AND d.id = c.document_id"
              " WHERE cardinality($2) = 0 OR d.id = ANY ((SELECT ids FROM within)::uuid[])",
              read_fetched);
  aio__pg_uuids(step, ids, count);
  aio__pg_filters(step, filters, filter_count);
  return aio__pg_step_start(step);
}
