/*
 * Full-text search. A list is read for each word of the question, of where it stands in the tenant's range of chunk
 * numbers; words that no chunk has stand for longer ones or are left out. What a word is worth comes from the length of
 * its list, and the lists are ranked by fts_lists.c: nothing of another tenant weighs in, as it would with FTS5's own
 * bm25().
 */
#include <stdlib.h>
#include <string.h>

#include "stores/sqlite_filter.h"

enum { SEARCH_LIMIT_MAX = 1000 };

/* ---- one chunk -------------------------------------------------------------------------------------------------- */

aiorch_status aio__sq_found_row(aiorch_error *error, sqlite3_stmt *stmt, aio__arena *arena, aio__found_chunk *out) {
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
  return copied ? AIORCH_OK : aio__sq_nomem(error);
}

aiorch_status aio__sq_found_chunk(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, sqlite3_stmt *stmt,
                                  aio__arena *arena, aio__found_chunk *out) {
  aiorch_status status = aio__sq_found_row(error, stmt, arena, out);
  if (status != AIORCH_OK) return status;
  return aio__sq_document_text(conn, error, tenant, sqlite3_column_int64(stmt, 8), out->start, out->end, arena,
                               &out->text);
}

/* ---- search ----------------------------------------------------------------------------------------------------- */

typedef struct search {
  aio__sq_conn *conn;
  aiorch_error *error;
  aio__str tenant;
  aio__sq_tenant row;
  aio__fts_query parsed;
  const aio__fts_query *query;
  aio__fts_lists lists;
  size_t term[AIO__FTS_TERMS_MAX]; /* of a list: which one of the query */
  bool longer[AIO__FTS_TERMS_MAX];
  aio__sq_ranges allowed;
  aio__fts_top top;
  bool lean;
} search;

static aiorch_status words_of(void *ctx, uint64_t chunk, uint32_t *out) {
  search *s = ctx;
  return aio__sq_postings_words(s->conn, s->error, aio__sq_first_no(&s->row) + (int64_t)chunk, out);
}

static bool is_allowed(void *ctx, uint64_t chunk) {
  const search *s = ctx;
  return aio__sq_ranges_pass(&s->allowed, aio__sq_first_no(&s->row) + (int64_t)chunk);
}

/* Finds the lists of the terms that the tenant's chunks have, and what those are worth. */
static aiorch_status find_lists(search *s) {
  aio__fts_lists *lists = &s->lists;
  for (size_t i = 0; i < s->query->n; i++) {
    const aio__fts_term *term = &s->query->term[i];
    aio__fts_list list;
    aiorch_status status = aio__sq_postings_find(s->conn, s->error, &s->row, term, false, &list);
    bool longer = status == AIORCH_OK && list.n == 0 && aio__fts_has_longer(&term->word);
    if (longer) status = aio__sq_postings_find(s->conn, s->error, &s->row, term, true, &list);
    if (status != AIORCH_OK) return status;
    if (list.n == 0) continue;
    size_t n = lists->rank.n++;
    lists->rank.worth[n] = aio__fts_worth(term, (uint64_t)s->row.chunks, list.n);
    lists->list[n] = list;
    s->term[n] = i;
    s->longer[n] = longer;
  }
  lists->rank.average_words = s->row.chunks > 0 ? (double)s->row.words / (double)s->row.chunks : 0.0;
  lists->words = words_of;
  lists->passes = is_allowed;
  lists->ctx = s;
  return AIORCH_OK;
}

static int by_key(const void *a, const void *b) {
  const aio__fts_hit *x = a, *y = b;
  return x->key < y->key ? -1 : x->key > y->key ? 1 : 0;
}

/* Leaves with each hit how often it has each term of the query, and after that its words. A compound counts as two words
 * anywhere beside each other, which says less than the chunk's text does: then nothing is left. */
static aiorch_status note_often(search *s, aio__arena *arena) {
  size_t n = s->query->n;
  for (size_t i = 0; i < n; i++)
    if (s->query->term[i].word.compound) return AIORCH_OK;
  uint32_t *rows = aio__arena_alloc(arena, s->top.n * (n + 1) * sizeof *rows);
  if (rows == NULL) return aio__sq_nomem(s->error);
  if (s->top.n > 1) qsort(s->top.hits, s->top.n, sizeof *s->top.hits, by_key);
  for (size_t h = 0; h < s->top.n; h++) {
    uint32_t *row = s->top.hits[h].chunk = &rows[h * (n + 1)];
    aiorch_status status = words_of(s, (uint64_t)s->top.hits[h].key, &row[n]);
    if (status != AIORCH_OK) return status;
  }
  for (size_t i = 0; i < s->lists.rank.n; i++) {
    const aio__fts_list *list = &s->lists.list[i];
    for (size_t h = 0, at = 0; h < s->top.n && !s->longer[i]; h++) {
      uint64_t chunk = (uint64_t)s->top.hits[h].key;
      at = aio__fts_list_seek(list, at, chunk);
      if (at == list->n) break;
      uint32_t *row = s->top.hits[h].chunk;
      if (aio__fts_posting_chunk(list->posting[at]) == chunk)
        row[s->term[i]] = aio__fts_posting_often(list->posting[at]);
    }
  }
  return AIORCH_OK;
}

static aiorch_status read_hit(search *s, const aio__fts_hit *hit, aio__arena *arena, aio__found_chunk *out) {
  int64_t no = aio__sq_first_no(&s->row) + hit->key;
  bool lean = s->lean && hit->chunk != NULL;
  sqlite3_stmt *stmt = NULL;
  aiorch_status status;
  if (lean) {
    status = aio__sq_postings_row(s->conn, s->error, s->tenant, no, arena, out);
  } else {
    status = aio__sq_query(s->conn, s->error, AIO__SQ_CHUNK_BY_NO, &stmt, "si", s->tenant, no);
    if (status == AIORCH_OK) status = aio__sq_step(s->conn, s->error, stmt);
    if (status != AIORCH_OK) return status;
    status = aio__sq_found_chunk(s->conn, s->error, s->tenant, stmt, arena, out);
    aio__sq_reset(stmt);
  }
  if (status != AIORCH_OK) return status;
  out->score = hit->score;
  out->often = hit->chunk;
  if (out->often != NULL) out->words = out->often[s->query->n];
  return AIORCH_OK;
}

static aiorch_status read_hits(search *s, aio__arena *arena, aio__found_chunk **chunks, size_t *count) {
  aiorch_status status = AIORCH_OK;
  aio__found_chunk *out = aio__arena_alloc(arena, (s->top.n + 1) * sizeof *out);
  if (out == NULL) return aio__sq_nomem(s->error);
  *chunks = out;
  for (size_t i = 0; i < s->top.n && status == AIORCH_OK; i++) {
    status = read_hit(s, &s->top.hits[i], arena, &out[*count]);
    if (status == AIORCH_OK)
      (*count)++;
    else if (status == AIORCH_DONE)
      status = AIORCH_OK;
  }
  return status;
}

static aiorch_status search_rows(search *s, const aio__search_args *args, aio__arena *arena,
                                 aio__found_chunk **out, size_t *count) {
  aiorch_status status = aio__sq_tenant_get(s->conn, s->error, s->tenant, &s->row);
  if (status != AIORCH_OK || s->row.chunks == 0) return status;
  status = aio__sq_filters_match(s->conn, s->error, s->tenant, args->filters, args->filter_count, &s->allowed);
  if (status != AIORCH_OK || (s->allowed.active && s->allowed.n == 0)) return status;
  s->query = aio__search_terms(args, &s->parsed);
  status = aio__sq_postings_begin(s->conn, s->error);
  if (status == AIORCH_OK) status = find_lists(s);
  if (status == AIORCH_OK) status = aio__fts_lists_rank(&s->lists, &s->top);
  if (status == AIORCH_OK) status = note_often(s, arena);
  aio__fts_top_sort(&s->top);
  if (status == AIORCH_OK) status = read_hits(s, arena, out, count);
  aio__sq_postings_end(s->conn);
  return status;
}

aiorch_status aio__sq_search(aio__store *base, aio__op *op, aio__str tenant, const aio__search_args *args,
                             aio__arena *arena, aio__found_chunk **chunks, size_t *count) {
  aio__sq_store *store = (aio__sq_store *)base;
  size_t limit = args->limit < SEARCH_LIMIT_MAX ? args->limit : SEARCH_LIMIT_MAX, n = 0;
  search s = {.error = &op->error, .tenant = tenant, .allowed.al = store->env.al, .lean = args->lean};
  s.top.cap = limit;
  s.top.hits = aio__malloc(store->env.al, (limit + 1) * sizeof *s.top.hits);
  aio__found_chunk *out = NULL;
  aiorch_status status = s.top.hits != NULL ? AIORCH_OK : aio__sq_nomem(&op->error);
  if (status == AIORCH_OK) status = aio__sq_read_short(&store->knowledge, op, &s.conn);
  if (status == AIORCH_OK) {
    status = search_rows(&s, args, arena, &out, &n);
    aio__sq_read_end(s.conn);
  }
  if (status == AIORCH_OK) {
    *chunks = out;
    *count = n;
  }
  aio__free(store->env.al, s.top.hits);
  aio__sq_ranges_free(&s.allowed);
  return status;
}

static aiorch_status fetch_all(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__str *ids,
                               size_t count, const aio__sq_ranges *allowed, aio__arena *arena, aio__found_chunk *out) {
  aio__sq_tenant row;
  aiorch_status status = aio__sq_tenant_get(conn, error, tenant, &row);
  if (status == AIORCH_OK) status = aio__sq_postings_begin(conn, error);
  for (size_t i = 0; i < count && status == AIORCH_OK; i++) {
    int64_t no = 0;
    status = aio__sq_postings_chunk(conn, error, &row, tenant, ids[i], arena, &no, &out[i]);
    if (status == AIORCH_OK && !aio__sq_ranges_pass(allowed, no)) memset(&out[i], 0, sizeof out[i]);
    if (status == AIORCH_DONE) status = AIORCH_OK;
  }
  aio__sq_postings_end(conn);
  return status;
}

aiorch_status aio__sq_fetch(aio__store *base, aio__op *op, aio__str tenant, const aio__str *ids, size_t count,
                            const aio__filter *filters, size_t filter_count, aio__arena *arena,
                            aio__found_chunk *chunks) {
  aio__sq_store *store = (aio__sq_store *)base;
  aio__sq_conn *conn = NULL;
  aio__sq_ranges allowed = {.al = store->env.al};
  aio__found_chunk *out = aio__arena_alloc(arena, (count + 1) * sizeof *out);
  if (out == NULL) return aio__sq_nomem(&op->error);
  aiorch_status status = aio__sq_read_short(&store->knowledge, op, &conn);
  if (status != AIORCH_OK) return status;
  status = aio__sq_filters_match(conn, &op->error, tenant, filters, filter_count, &allowed);
  if (status == AIORCH_OK) status = fetch_all(conn, &op->error, tenant, ids, count, &allowed, arena, out);
  aio__sq_read_end(conn);
  if (status == AIORCH_OK && count > 0) memcpy(chunks, out, count * sizeof *chunks);
  aio__sq_ranges_free(&allowed);
  return status;
}
