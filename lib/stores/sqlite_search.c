/*
 * Full-text search. How many of the tenant's chunks have each word is asked first, within the tenant's range of
 * numbers; words that none has stand for longer ones or are left out; then each chunk that has any of them is scored by
 * aio_score, which is given what a word is worth, so that nothing of another tenant weighs in as it would with FTS5's
 * own bm25().
 */
#include <stdlib.h>
#include <string.h>

#include "stores/fts_rank.h"
#include "stores/sqlite_private.h"

enum { SEARCH_LIMIT_MAX = 1000, EXPRESSION_MAX = 16384, FILTERS_MAX = 64 };

static const char RANK_TYPE[] = "aio__fts_rank";

/* ---- the ranking function --------------------------------------------------------------------------------------- */

static void score(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *context, int argc,
                  sqlite3_value **argv) {
  const aio__fts_rank *rank = argc == 1 ? sqlite3_value_pointer(argv[0], RANK_TYPE) : NULL;
  aio__fts_counts counts;
  int hits = 0, words = 0;
  if (rank == NULL) {
    sqlite3_result_error(context, "aio_score is for libaiorch's own use", -1);
    return;
  }
  memset(&counts, 0, sizeof counts);
  int code = api->xInstCount(fts, &hits);
  for (int i = 0; i < hits && code == SQLITE_OK; i++) {
    int term = 0, field = 0, offset = 0;
    code = api->xInst(fts, i, &term, &field, &offset);
    if (code == SQLITE_OK && term < AIO__FTS_TERMS_MAX && field < AIO__FTS_FIELDS) counts.n[term][field]++;
  }
  if (code == SQLITE_OK) code = api->xColumnSize(fts, -1, &words);
  if (code == SQLITE_OK)
    sqlite3_result_double(context, aio__fts_score(rank, &counts, (double)words));
  else
    sqlite3_result_error_code(context, code);
}

aiorch_status aio__sq_score_register(aio__sq_conn *conn, aiorch_error *error) {
  fts5_api *api = NULL;
  sqlite3_stmt *stmt = NULL;
  int code = sqlite3_prepare_v2(conn->db, "SELECT fts5(?1)", -1, &stmt, NULL);
  if (code == SQLITE_OK) code = sqlite3_bind_pointer(stmt, 1, (void *)&api, "fts5_api_ptr", NULL);
  if (code == SQLITE_OK) sqlite3_step(stmt);
  sqlite3_finalize(stmt);
  if (code != SQLITE_OK && (code & 0xff) == SQLITE_NOMEM) return aio__sq_nomem(error);
  if (api == NULL)
    return aio__error_set(error, AIORCH_E_UNSUPPORTED, "this SQLite was built without FTS5: use another build of it");
  code = api->xCreateFunction(api, "aio_score", NULL, score, NULL);
  return code == SQLITE_OK ? AIORCH_OK : aio__sq_fail_code(conn->owner->path, conn->db, code, error);
}

/* ---- filters ---------------------------------------------------------------------------------------------------- */

/* The chunks of one document, and which of the filters' names it fits. */
typedef struct range {
  int64_t first, count;
  uint64_t fits;
} range;

typedef struct ranges {
  range *range;
  size_t n, cap;
  const aio__alloc *al;
  bool active;
} ranges;

static aiorch_status add_range(ranges *all, int64_t first, int64_t count, uint64_t fits, aiorch_error *error) {
  if (all->n == all->cap) {
    size_t cap = all->cap > 0 ? all->cap * 2 : 64;
    range *more = aio__realloc(all->al, all->range, cap * sizeof *more);
    if (more == NULL) return aio__sq_nomem(error);
    all->range = more;
    all->cap = cap;
  }
  all->range[all->n++] = (range){first, count, fits};
  return AIORCH_OK;
}

static int by_first(const void *a, const void *b) {
  const range *x = a, *y = b;
  return x->first < y->first ? -1 : x->first > y->first ? 1 : 0;
}

/* Joins the ranges of each document and keeps those that fit all names. */
static void merge(ranges *all, uint64_t names) {
  size_t n = 0;
  if (all->n > 1) qsort(all->range, all->n, sizeof *all->range, by_first);
  for (size_t i = 0; i < all->n;) {
    range one = all->range[i++];
    while (i < all->n && all->range[i].first == one.first) one.fits |= all->range[i++].fits;
    if (one.fits == names) all->range[n++] = one;
  }
  all->n = n;
}

static aiorch_status match_filter(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__filter *filter,
                                  uint64_t bit, ranges *all) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status =
    aio__sq_query(conn, error, AIO__SQ_METADATA_FROM, &stmt, "sss", tenant, filter->name, aio__filter_first(filter));
  while (status == AIORCH_OK && (status = aio__sq_step(conn, error, stmt)) == AIORCH_OK) {
    int64_t first = sqlite3_column_int64(stmt, 0), count = sqlite3_column_int64(stmt, 1);
    aio__str value = aio__sq_text(stmt, 2);
    if (aio__filter_beyond(filter, value)) {
      aio__sq_reset(stmt);
      return AIORCH_OK;
    }
    if (count == 0 || !aio__filter_fits(filter, value)) continue;
    bool sane = count > 0 && count <= AIO__SQ_DOCUMENT_BYTES_MAX && first >= 0 && first < INT64_MAX / 2;
    status = sane ? add_range(all, first, count, bit, error)
                  : aio__sq_fail_code(conn->owner->path, NULL, SQLITE_CORRUPT, error);
    if (status != AIORCH_OK) aio__sq_reset(stmt);
  }
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

static aiorch_status match_filters(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__filter *filters,
                                   size_t count, ranges *all) {
  uint64_t names = 0;
  aiorch_status status = AIORCH_OK;
  if (count > FILTERS_MAX)
    return aio__error_set(error, AIORCH_E_TOO_LARGE, "%zu filters: at most %d can be used", count, FILTERS_MAX);
  all->active = count > 0;
  for (size_t i = 0; i < count && status == AIORCH_OK; i++) {
    size_t same = 0;
    while (!aio__str_eq(filters[same].name, filters[i].name)) same++;
    uint64_t bit = (uint64_t)1 << same;
    names |= bit;
    status = match_filter(conn, error, tenant, &filters[i], bit, all);
  }
  if (status == AIORCH_OK) merge(all, names);
  return status;
}

static bool passes(const ranges *all, int64_t no) {
  if (!all->active) return true;
  size_t low = 0, high = all->n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const range *one = &all->range[middle];
    if (no < one->first)
      high = middle;
    else if (no >= one->first + one->count)
      low = middle + 1;
    else
      return true;
  }
  return false;
}

/* ---- one chunk -------------------------------------------------------------------------------------------------- */

aiorch_status aio__sq_found_chunk(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, sqlite3_stmt *stmt,
                                  aio__arena *arena, aio__found_chunk *out) {
  memset(out, 0, sizeof *out);
  aio__sq_id(stmt, 1, out->chunk_id);
  out->ordinal = (uint32_t)sqlite3_column_int64(stmt, 2);
  out->tokens = (uint32_t)sqlite3_column_int64(stmt, 3);
  out->start = (uint64_t)sqlite3_column_int64(stmt, 4);
  out->end = (uint64_t)sqlite3_column_int64(stmt, 5);
  aio__sq_id(stmt, 9, out->document_id);
  out->document_version = sqlite3_column_int64(stmt, 10);
  bool copied = aio__sq_copy(stmt, 6, arena, &out->heading) && aio__sq_copy(stmt, 7, arena, &out->anchor) &&
                aio__sq_copy(stmt, 11, arena, &out->source) && aio__sq_copy(stmt, 12, arena, &out->title);
  if (!copied) return aio__sq_nomem(error);
  return aio__sq_document_text(conn, error, tenant, sqlite3_column_int64(stmt, 8), out->start, out->end, arena,
                               &out->text);
}

/* AIORCH_DONE: not there. */
static aiorch_status fetch_one(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, sqlite3_stmt *stmt,
                               const ranges *allowed, aio__arena *arena, aio__found_chunk *out) {
  aiorch_status status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status;
  if (passes(allowed, sqlite3_column_int64(stmt, 0)))
    status = aio__sq_found_chunk(conn, error, tenant, stmt, arena, out);
  else
    status = AIORCH_DONE;
  aio__sq_reset(stmt);
  return status;
}

/* ---- search ----------------------------------------------------------------------------------------------------- */

typedef struct search {
  aio__sq_conn *conn;
  aiorch_error *error;
  aio__str tenant;
  aio__sq_tenant row;
  aio__fts_query query;
  aio__fts_rank rank;
  aio__buf expression;
  ranges allowed;
  aio__fts_top top;
} search;

static aiorch_status count_term(search *s, const aio__fts_term *term, bool prefix, int64_t *out) {
  sqlite3_stmt *stmt = NULL;
  aio__buf_reset(&s->expression);
  aio__fts_term_write(term, prefix, &s->expression);
  if (s->expression.failed != AIORCH_OK) return aio__sq_nomem(s->error);
  aiorch_status status =
    aio__sq_query(s->conn, s->error, AIO__SQ_WORDS_COUNT, &stmt, "sii", aio__buf_view(&s->expression),
                  aio__sq_first_no(&s->row), aio__sq_last_no(&s->row));
  if (status == AIORCH_OK) status = aio__sq_step(s->conn, s->error, stmt);
  if (status != AIORCH_OK) return status;
  *out = sqlite3_column_int64(stmt, 0);
  aio__sq_reset(stmt);
  return AIORCH_OK;
}

/* Leaves in s->expression the terms that the tenant's chunks have, and in s->rank what they are worth. */
static aiorch_status weigh_terms(search *s) {
  bool prefix[AIO__FTS_TERMS_MAX] = {false};
  size_t n = 0;
  for (size_t i = 0; i < s->query.n; i++) {
    const aio__fts_term *term = &s->query.term[i];
    int64_t with = 0;
    aiorch_status status = count_term(s, term, false, &with);
    bool longer = with == 0 && !term->word.compound && term->word.n >= AIO__FTS_PREFIX_MIN;
    if (status == AIORCH_OK && longer) status = count_term(s, term, true, &with);
    if (status != AIORCH_OK) return status;
    if (with == 0) continue;
    s->rank.worth[n] = aio__fts_worth(term, (uint64_t)s->row.chunks, (uint64_t)with);
    prefix[n] = longer;
    s->query.term[n++] = *term;
  }
  s->query.n = s->rank.n = n;
  s->rank.average_words = s->row.chunks > 0 ? (double)s->row.words / (double)s->row.chunks : 0.0;
  aio__buf_reset(&s->expression);
  for (size_t i = 0; i < n; i++) {
    if (i > 0) aio__buf_z(&s->expression, " OR ");
    aio__fts_term_write(&s->query.term[i], prefix[i], &s->expression);
  }
  return s->expression.failed == AIORCH_OK ? AIORCH_OK : aio__sq_nomem(s->error);
}

static aiorch_status score_all(search *s) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status =
    aio__sq_query(s->conn, s->error, AIO__SQ_WORDS_SCORE, &stmt, "sii", aio__buf_view(&s->expression),
                  aio__sq_first_no(&s->row), aio__sq_last_no(&s->row));
  if (status == AIORCH_OK && sqlite3_bind_pointer(stmt, 4, &s->rank, RANK_TYPE, NULL) != SQLITE_OK) {
    status = aio__sq_fail(s->conn, s->error);
    aio__sq_reset(stmt);
  }
  while (status == AIORCH_OK && (status = aio__sq_step(s->conn, s->error, stmt)) == AIORCH_OK) {
    int64_t no = sqlite3_column_int64(stmt, 0);
    if (!passes(&s->allowed, no)) continue;
    aio__fts_top_offer(&s->top, (aio__fts_hit){sqlite3_column_double(stmt, 1), no, NULL});
  }
  if (status == AIORCH_DONE) aio__fts_top_sort(&s->top);
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

static aiorch_status read_hits(search *s, aio__arena *arena, aio__found_chunk *out, size_t *count) {
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; i < s->top.n && status == AIORCH_OK; i++) {
    sqlite3_stmt *stmt = NULL;
    status = aio__sq_query(s->conn, s->error, AIO__SQ_CHUNK_BY_NO, &stmt, "si", s->tenant, s->top.hits[i].key);
    if (status == AIORCH_OK) status = fetch_one(s->conn, s->error, s->tenant, stmt, &s->allowed, arena, &out[*count]);
    if (status == AIORCH_OK)
      out[(*count)++].score = s->top.hits[i].score;
    else if (status == AIORCH_DONE)
      status = AIORCH_OK;
  }
  return status;
}

static aiorch_status search_rows(search *s, const aio__search_args *args, aio__arena *arena, aio__found_chunk *out,
                                 size_t *count) {
  aiorch_status status = aio__sq_tenant_get(s->conn, s->error, s->tenant, &s->row);
  if (status != AIORCH_OK || s->row.chunks == 0) return status;
  status = match_filters(s->conn, s->error, s->tenant, args->filters, args->filter_count, &s->allowed);
  if (status != AIORCH_OK || (s->allowed.active && s->allowed.n == 0)) return status;
  status = weigh_terms(s);
  if (status != AIORCH_OK || s->query.n == 0) return status;
  status = score_all(s);
  return status == AIORCH_OK ? read_hits(s, arena, out, count) : status;
}

aiorch_status aio__sq_search(aio__store *base, aio__op *op, aio__str tenant, const aio__search_args *args,
                             aio__arena *arena, aio__found_chunk **chunks, size_t *count) {
  aio__sq_store *store = (aio__sq_store *)base;
  size_t limit = args->limit < SEARCH_LIMIT_MAX ? args->limit : SEARCH_LIMIT_MAX, n = 0;
  search s = {.error = &op->error, .tenant = tenant, .allowed.al = store->env.al};
  aio__fts_query_parse(args->query, &s.query);
  aio__buf_init(&s.expression, store->env.al, EXPRESSION_MAX);
  s.top.cap = limit;
  s.top.hits = aio__malloc(store->env.al, (limit + 1) * sizeof *s.top.hits);
  aio__found_chunk *out = aio__arena_alloc(arena, (limit + 1) * sizeof *out);
  aiorch_status status = s.top.hits != NULL && out != NULL ? AIORCH_OK : aio__sq_nomem(&op->error);
  if (status == AIORCH_OK) status = aio__sq_read(&store->knowledge, op, &s.conn);
  if (status == AIORCH_OK) {
    status = search_rows(&s, args, arena, out, &n);
    aio__sq_read_end(s.conn);
  }
  if (status == AIORCH_OK) {
    *chunks = out;
    *count = n;
  }
  aio__free(store->env.al, s.top.hits);
  aio__free(store->env.al, s.allowed.range);
  aio__buf_free(&s.expression);
  return status;
}

aiorch_status aio__sq_fetch(aio__store *base, aio__op *op, aio__str tenant, const aio__str *ids, size_t count,
                            const aio__filter *filters, size_t filter_count, aio__arena *arena,
                            aio__found_chunk *chunks) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  ranges allowed = {.al = store->env.al};
  aio__found_chunk *out = aio__arena_alloc(arena, (count + 1) * sizeof *out);
  if (out == NULL) return aio__sq_nomem(&op->error);
  aiorch_status status = aio__sq_read(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  status = match_filters(conn, &op->error, tenant, filters, filter_count, &allowed);
  for (size_t i = 0; i < count && status == AIORCH_OK; i++) {
    sqlite3_stmt *stmt = NULL;
    status = aio__sq_query(conn, &op->error, AIO__SQ_CHUNK_BY_ID, &stmt, "ss", tenant, ids[i]);
    if (status == AIORCH_OK) status = fetch_one(conn, &op->error, tenant, stmt, &allowed, arena, &out[i]);
    if (status == AIORCH_DONE) status = AIORCH_OK;
  }
  aio__sq_read_end(conn);
  if (status == AIORCH_OK && count > 0) memcpy(chunks, out, count * sizeof *chunks);
  aio__free(store->env.al, allowed.range);
  return status;
}
