/* The inverted index of one tenant, and the search over it. */
#include <stdlib.h>
#include <string.h>

#include "stores/memory_private.h"

enum { SEARCH_LIMIT_MAX = 1000, LONGER_MAX = 8 };

/* ---- words of a document ---------------------------------------------------------------------------------------- */

static size_t index_form(aio__fts_word *word) {
  return word->compound ? word->n : aio__fts_stem(word->text, word->n);
}

static bool count_word(aio__map *seen, aio__mem_chunk *chunk, aio__fts_word *word, int field) {
  aio__str text = {word->text, index_form(word)};
  aio__arena *arena = &chunk->document->arena;
  aio__mem_count *count = aio__map_get(seen, text);
  if (count == NULL) {
    count = aio__arena_alloc(arena, sizeof *count);
    if (count == NULL || (count->text = aio__arena_str(arena, text)).p == NULL) return false;
    if (aio__map_put(seen, count->text, count) != AIORCH_OK) return false;
    count->next = chunk->words;
    chunk->words = count;
  }
  count->n[field]++;
  if (!word->compound) chunk->word_count++;
  return true;
}

static bool count_field(aio__map *seen, aio__mem_chunk *chunk, aio__str text, int field) {
  aio__fts_words words;
  aio__fts_word word;
  aio__fts_words_init(&words, text);
  while (aio__fts_words_next(&words, &word))
    if (!count_word(seen, chunk, &word, field)) return false;
  return true;
}

bool aio__mem_words_prepare(const aio__alloc *al, aio__mem_document *document) {
  bool ok = true;
  for (size_t i = 0; i < document->count && ok; i++) {
    aio__mem_chunk *chunk = &document->chunks[i];
    aio__str body = {document->row.text.p + chunk->row.start, chunk->row.end - chunk->row.start};
    aio__map seen;
    aio__map_init(&seen, al);
    ok = count_field(&seen, chunk, document->row.title, AIO__FTS_TITLE) &&
         count_field(&seen, chunk, chunk->row.heading, AIO__FTS_HEADING) &&
         count_field(&seen, chunk, body, AIO__FTS_BODY);
    aio__map_free(&seen);
    document->words += chunk->word_count;
  }
  return ok;
}

/* ---- the index -------------------------------------------------------------------------------------------------- */

/* That under which a word is in `starts`; empty when it is not: too short, or several words. */
static aio__str start_of(aio__str text) {
  if (text.n < AIO__FTS_PREFIX_MIN || memchr(text.p, ' ', text.n) != NULL) return (aio__str){NULL, 0};
  return (aio__str){text.p, AIO__FTS_PREFIX_MIN};
}

static bool add_start(aio__mem_tenant *tenant, aio__mem_word *word) {
  aio__str start = start_of(word->text);
  aio__mem_word *first = start.n > 0 ? aio__map_get(&tenant->starts, start) : NULL;
  if (first == NULL) return start.n == 0 || aio__map_put(&tenant->starts, start, word) == AIORCH_OK;
  word->alike = first->alike;
  first->alike = word;
  return true;
}

static void remove_start(aio__mem_tenant *tenant, const aio__mem_word *word) {
  aio__str start = start_of(word->text);
  if (start.n == 0) return;
  aio__mem_word *before = aio__map_get(&tenant->starts, start);
  if (before == word) {
    aio__map_remove(&tenant->starts, start);
    /* Cannot fail: there is the room that it had. */
    if (word->alike != NULL) (void)aio__map_put(&tenant->starts, start_of(word->alike->text), word->alike);
    return;
  }
  while (before->alike != word) before = before->alike;
  before->alike = word->alike;
}

static void drop_if_empty(aio__mem_tenant *tenant, aio__mem_word *word) {
  if (word->n > 0 || word->reserved > 0) return;
  remove_start(tenant, word);
  aio__map_remove(&tenant->words, word->text);
  aio__free(tenant->al, word->postings);
  aio__free(tenant->al, word);
}

static aio__mem_word *word_make(aio__mem_tenant *tenant, aio__str text) {
  aio__mem_word *word = aio__map_get(&tenant->words, text);
  if (word != NULL) return word;
  word = aio__calloc(tenant->al, 1, sizeof *word + text.n + 1);
  if (word == NULL) return NULL;
  memcpy(word->bytes, text.p, text.n);
  word->text = (aio__str){word->bytes, text.n};
  if (aio__map_put(&tenant->words, word->text, word) == AIORCH_OK) {
    if (add_start(tenant, word)) return word;
    aio__map_remove(&tenant->words, word->text);
  }
  aio__free(tenant->al, word);
  return NULL;
}

static bool reserve_word(aio__mem_tenant *tenant, aio__mem_count *count) {
  aio__mem_word *word = word_make(tenant, count->text);
  if (word == NULL) return false;
  void *postings = word->postings;
  bool ok = aio__mem_reserve(tenant->al, &postings, &word->cap, word->n + word->reserved + 1, sizeof *word->postings);
  word->postings = postings;
  if (!ok) {
    drop_if_empty(tenant, word);
    return false;
  }
  word->reserved++;
  count->word = word;
  return true;
}

void aio__mem_words_unreserve(aio__mem_tenant *tenant, aio__mem_document *document) {
  for (size_t i = 0; i < document->count; i++) {
    for (aio__mem_count *count = document->chunks[i].words; count != NULL; count = count->next) {
      if (count->word == NULL) continue;
      count->word->reserved--;
      drop_if_empty(tenant, count->word);
      count->word = NULL;
    }
  }
}

bool aio__mem_words_reserve(aio__mem_tenant *tenant, aio__mem_document *document) {
  for (size_t i = 0; i < document->count; i++) {
    for (aio__mem_count *count = document->chunks[i].words; count != NULL; count = count->next) {
      if (reserve_word(tenant, count)) continue;
      aio__mem_words_unreserve(tenant, document);
      return false;
    }
  }
  return true;
}

void aio__mem_words_link(aio__mem_document *document) {
  for (size_t i = 0; i < document->count; i++) {
    for (aio__mem_count *count = document->chunks[i].words; count != NULL; count = count->next) {
      aio__mem_posting *posting = &count->word->postings[count->word->n++];
      posting->chunk = &document->chunks[i];
      memcpy(posting->n, count->n, sizeof posting->n);
      count->word->reserved--;
    }
  }
}

/* The first posting of [low, high) whose chunk's number is not lower; `high` when there is none. */
static size_t lower_bound(const aio__mem_word *word, size_t low, size_t high, int64_t no) {
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (word->postings[middle].chunk->no < no)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void remove_posting(aio__mem_word *word, int64_t no) {
  size_t low = lower_bound(word, 0, word->n, no);
  memmove(&word->postings[low], &word->postings[low + 1], (word->n - low - 1) * sizeof *word->postings);
  word->n--;
}

void aio__mem_words_unlink(aio__mem_tenant *tenant, aio__mem_document *document) {
  for (size_t i = 0; i < document->count; i++) {
    for (aio__mem_count *count = document->chunks[i].words; count != NULL; count = count->next) {
      remove_posting(count->word, document->chunks[i].no);
      drop_if_empty(tenant, count->word);
    }
  }
}

void aio__mem_words_free(aio__mem_tenant *tenant) {
  size_t pos = 0;
  for (aio__mem_word *word; (word = aio__map_next(&tenant->words, &pos)) != NULL;) {
    aio__free(tenant->al, word->postings);
    aio__free(tenant->al, word);
  }
  aio__map_free(&tenant->words);
  aio__map_free(&tenant->starts);
}

/* ---- search ----------------------------------------------------------------------------------------------------- */

/* Where each term of the query is in its list: all lists are walked together in the order of the chunks' numbers. */
typedef struct cursor {
  const aio__mem_word *word;
  size_t at;
} cursor;

typedef struct search {
  const aio__mem_tenant *tenant;
  const aio__search_args *args;
  aio__fts_query parsed;
  const aio__fts_query *query;
  cursor cursor[AIO__FTS_TERMS_MAX];
  size_t term[AIO__FTS_TERMS_MAX]; /* of a cursor: which one of the query; SIZE_MAX: a longer word in its stead */
  aio__fts_rank rank;
  aio__fts_top top;
} search;

static void add_word(search *s, const aio__fts_term *term, size_t of_term, const aio__mem_word *word) {
  if (word == NULL || s->rank.n == AIO__FTS_TERMS_MAX) return;
  s->rank.worth[s->rank.n] = aio__fts_worth(term, (uint64_t)s->tenant->chunks, word->n);
  s->term[s->rank.n] = of_term;
  s->cursor[s->rank.n++] = (cursor){word, 0};
}

/* Words that begin with a term that no chunk has. */
static void add_longer(search *s, const aio__fts_term *term, aio__str prefix) {
  size_t pos = 0, found = 0;
  aio__str start = start_of(prefix);
  /* A stem may be shorter than the word was: then all words are looked at. */
  aio__mem_word *word = start.n > 0 ? aio__map_get(&s->tenant->starts, start) : aio__map_next(&s->tenant->words, &pos);
  for (; found < LONGER_MAX && word != NULL; word = start.n > 0 ? word->alike : aio__map_next(&s->tenant->words, &pos)) {
    if (!aio__str_starts(word->text, prefix) || memchr(word->text.p, ' ', word->text.n) != NULL) continue;
    add_word(s, term, SIZE_MAX, word);
    found++;
  }
}

static void find_words(search *s) {
  s->query = aio__search_terms(s->args, &s->parsed);
  for (size_t i = 0; i < s->query->n; i++) {
    const aio__fts_term *term = &s->query->term[i];
    char form[AIO__FTS_WORD_MAX];
    aio__str text = {form, aio__fts_term_form(term, form)};
    const aio__mem_word *found = aio__map_get(&s->tenant->words, text);
    if (found != NULL)
      add_word(s, term, i, found);
    else if (aio__fts_has_longer(&term->word))
      add_longer(s, term, text);
  }
  s->rank.average_words = s->tenant->chunks > 0 ? (double)s->tenant->word_total / (double)s->tenant->chunks : 0.0;
}

static bool has_value(const aio__store_document *d, const aio__filter *filters, size_t count, aio__str name) {
  for (size_t i = 0; i < count; i++) {
    if (!aio__str_eq(filters[i].name, name)) continue;
    for (size_t m = 0; m < d->metadata_count; m++)
      if (aio__str_eq(d->metadata[m].name, name) && aio__filter_fits(&filters[i], d->metadata[m].value)) return true;
  }
  return false;
}

bool aio__mem_passes(const aio__mem_chunk *chunk, const aio__filter *filters, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!has_value(&chunk->document->row, filters, count, filters[i].name)) return false;
  return true;
}

/* The next chunk that has any of the terms, with how often it has each. */
static aio__mem_chunk *next_chunk(search *s, aio__fts_counts *counts) {
  aio__mem_chunk *lowest = NULL;
  for (size_t i = 0; i < s->rank.n; i++) {
    const cursor *c = &s->cursor[i];
    if (c->at == c->word->n) continue;
    aio__mem_chunk *chunk = c->word->postings[c->at].chunk;
    if (lowest == NULL || chunk->no < lowest->no) lowest = chunk;
  }
  for (size_t i = 0; i < s->rank.n && lowest != NULL; i++) {
    cursor *c = &s->cursor[i];
    bool has = c->at < c->word->n && c->word->postings[c->at].chunk == lowest;
    if (has)
      memcpy(counts->n[i], c->word->postings[c->at++].n, sizeof counts->n[i]);
    else
      memset(counts->n[i], 0, sizeof counts->n[i]);
  }
  return lowest;
}

static void score_all(search *s) {
  aio__fts_counts counts;
  for (aio__mem_chunk *chunk; (chunk = next_chunk(s, &counts)) != NULL;) {
    if (!aio__mem_passes(chunk, s->args->filters, s->args->filter_count)) continue;
    double score = aio__fts_score(&s->rank, &counts, (double)chunk->word_count);
    aio__fts_top_offer(&s->top, (aio__fts_hit){score, chunk->no, chunk});
  }
}

/* The first posting from `from` on whose chunk's number is not lower: in steps that double, then by halves. */
static size_t seek(const aio__mem_word *word, size_t from, int64_t no) {
  size_t low = from, step = 1;
  while (step < word->n - low && word->postings[low + step].chunk->no < no) {
    low += step;
    step *= 2;
  }
  return lower_bound(word, low, step < word->n - low ? low + step : word->n, no);
}

static int by_key(const void *a, const void *b) {
  const aio__fts_hit *x = a, *y = b;
  return x->key < y->key ? -1 : x->key > y->key;
}

/* How often each hit has each term of the query, a row a hit in the order of the hits by their keys; NULL: no memory. Leaves
 * them in that order. */
static uint32_t *count_often(search *s, aio__arena *arena) {
  size_t columns = s->query->n;
  uint32_t *rows = aio__arena_alloc(arena, s->top.n * columns * sizeof *rows);
  if (rows == NULL) return NULL;
  if (s->top.n > 1) qsort(s->top.hits, s->top.n, sizeof *s->top.hits, by_key);
  for (size_t i = 0; i < s->rank.n; i++) {
    const aio__mem_word *word = s->cursor[i].word;
    if (s->term[i] == SIZE_MAX) continue;
    for (size_t h = 0, at = 0; h < s->top.n; h++) {
      at = seek(word, at, s->top.hits[h].key);
      if (at == word->n) break;
      const aio__mem_posting *posting = &word->postings[at];
      uint32_t *often = &rows[h * columns + s->term[i]];
      if (posting->chunk->no != s->top.hits[h].key) continue;
      for (size_t f = 0; f < AIO__FTS_FIELDS; f++) *often += aio__fts_field_weight(f) * posting->n[f];
    }
  }
  return rows;
}

static bool copy_chunk(const aio__mem_chunk *chunk, bool lean, aio__arena *arena, aio__found_chunk *out) {
  const aio__store_document *d = &chunk->document->row;
  memcpy(out->chunk_id, chunk->row.id, sizeof out->chunk_id);
  memcpy(out->document_id, d->id, sizeof out->document_id);
  out->document_version = d->version;
  out->ordinal = chunk->row.ordinal;
  out->tokens = chunk->row.tokens;
  out->start = chunk->row.start;
  out->end = chunk->row.end;
  out->source = aio__arena_str(arena, d->source);
  out->title = aio__arena_str(arena, d->title);
  out->anchor = aio__arena_str(arena, chunk->anchor);
  out->heading = aio__arena_str(arena, chunk->row.heading);
  if (!lean) out->text = aio__arena_str(arena, (aio__str){d->text.p + out->start, out->end - out->start});
  return out->source.p != NULL && out->title.p != NULL && out->anchor.p != NULL && out->heading.p != NULL &&
         (lean || out->text.p != NULL);
}

bool aio__mem_copy_chunk(const aio__mem_chunk *chunk, aio__arena *arena, aio__found_chunk *out) {
  return copy_chunk(chunk, false, arena, out);
}

/* The hits as they are given, best first. False: no memory. */
static bool copy_hits(search *s, aio__arena *arena, aio__found_chunk *out) {
  uint32_t *rows = count_often(s, arena);
  if (rows == NULL) return false;
  for (size_t h = 0; h < s->top.n; h++) {
    aio__mem_chunk *chunk = s->top.hits[h].chunk;
    chunk->often = &rows[h * s->query->n];
  }
  aio__fts_top_sort(&s->top);
  for (size_t i = 0; i < s->top.n; i++) {
    const aio__mem_chunk *chunk = s->top.hits[i].chunk;
    if (!copy_chunk(chunk, s->args->lean, arena, &out[i])) return false;
    out[i].score = s->top.hits[i].score;
    out[i].often = chunk->often;
    out[i].words = (uint32_t)chunk->word_count;
  }
  return true;
}

aiorch_status aio__mem_search(aio__store *base, aio__op *op, aio__str tenant, const aio__search_args *args,
                              aio__arena *arena, aio__found_chunk **chunks, size_t *count) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  search s = {.tenant = aio__mem_tenant_get(store, tenant), .args = args};
  s.top.cap = args->limit < SEARCH_LIMIT_MAX ? args->limit : SEARCH_LIMIT_MAX;
  size_t most = s.tenant != NULL ? (size_t)s.tenant->chunks : 0;
  if (s.top.cap > most) s.top.cap = most;
  s.top.hits = aio__malloc(store->env.al, (s.top.cap + 1) * sizeof *s.top.hits);
  if (s.tenant != NULL && s.tenant->words.n > 0 && s.top.hits != NULL) {
    find_words(&s);
    score_all(&s);
  }
  aio__found_chunk *out = aio__arena_alloc(arena, (s.top.n + 1) * sizeof *out);
  bool ok = out != NULL && s.top.hits != NULL && (s.top.n == 0 || copy_hits(&s, arena, out));
  aio__free(store->env.al, s.top.hits);
  if (ok) {
    *chunks = out;
    *count = s.top.n;
  }
  return aio__mem_leave(store, ok ? AIORCH_OK : aio__mem_nomem(op));
}

aiorch_status aio__mem_fetch(aio__store *base, aio__op *op, aio__str tenant, const aio__str *ids, size_t count,
                             const aio__filter *filters, size_t filter_count, aio__arena *arena,
                             aio__found_chunk *chunks) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  const aio__mem_tenant *owner = aio__mem_tenant_get(store, tenant);
  aio__found_chunk *out = aio__arena_alloc(arena, (count + 1) * sizeof *out);
  bool ok = out != NULL;
  for (size_t i = 0; i < count && ok && owner != NULL; i++) {
    const aio__mem_chunk *chunk = aio__map_get(&owner->chunks_by_id, ids[i]);
    if (chunk != NULL && aio__mem_passes(chunk, filters, filter_count)) ok = aio__mem_copy_chunk(chunk, arena, &out[i]);
  }
  if (ok && count > 0) memcpy(chunks, out, count * sizeof *chunks);
  return aio__mem_leave(store, ok ? AIORCH_OK : aio__mem_nomem(op));
}
