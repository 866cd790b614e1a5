/* Documents in memory. */
#include <stdlib.h>
#include <string.h>

#include "stores/embed_text.h"
#include "stores/memory_private.h"
#include "stores/vector_rows.h"

enum { LIST_MAX = 10000, BLOCK_MAX = 262144 };

bool aio__mem_find_source(const aio__mem_tenant *tenant, aio__str source, size_t *at) {
  size_t low = 0, high = tenant->document_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = aio__str_cmp(tenant->documents[middle]->row.source, source);
    if (order == 0) {
      *at = middle;
      return true;
    }
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  *at = low;
  return false;
}

static void document_free(const aio__alloc *al, aio__mem_document *document) {
  if (document == NULL) return;
  aio__arena_free(&document->arena);
  aio__free(al, document);
}

static void unmark_chunks(aio__mem_tenant *tenant, aio__mem_document *document) {
  for (size_t i = 0; i < document->count; i++)
    aio__mem_unmark_all(tenant, AIO__MEM_CHUNKS, &document->chunks[i].marks);
}

void aio__mem_knowledge_free(aio__mem_tenant *tenant) {
  for (size_t i = 0; i < tenant->document_count; i++) {
    unmark_chunks(tenant, tenant->documents[i]);
    document_free(tenant->al, tenant->documents[i]);
  }
  aio__free(tenant->al, tenant->documents);
  aio__map_free(&tenant->documents_by_id);
  aio__map_free(&tenant->chunks_by_id);
  aio__mem_words_free(tenant);
}

/* ---- a copy of a document, ready to be linked in ---------------------------------------------------------------- */

static bool copy_str(aio__arena *arena, aio__str *text) {
  *text = aio__arena_str(arena, *text);
  return text->p != NULL;
}

/* The texts, metadata and anchors of `row` are replaced by copies in the arena. */
static bool copy_row(aio__arena *arena, aio__store_document *row, bool whole) {
  if (!copy_str(arena, &row->source) || !copy_str(arena, &row->title) || !copy_str(arena, &row->hash)) return false;
  if (!whole) {
    row->text = (aio__str){"", 0};
    row->metadata = NULL;
    row->anchors = NULL;
    row->metadata_count = row->anchor_count = 0;
    return true;
  }
  aio__pair *pairs = aio__arena_alloc(arena, (row->metadata_count + 1) * sizeof *pairs);
  aio__anchor *anchors = aio__arena_alloc(arena, (row->anchor_count + 1) * sizeof *anchors);
  bool ok = copy_str(arena, &row->text) && pairs != NULL && anchors != NULL;
  for (size_t i = 0; i < row->metadata_count && ok; i++) {
    pairs[i] = row->metadata[i];
    ok = copy_str(arena, &pairs[i].name) && copy_str(arena, &pairs[i].value);
  }
  for (size_t i = 0; i < row->anchor_count && ok; i++) {
    anchors[i] = row->anchors[i];
    ok = copy_str(arena, &anchors[i].name);
  }
  row->metadata = pairs;
  row->anchors = anchors;
  return ok;
}

static bool copy_chunks(aio__mem_document *d, const aio__store_chunk *chunks, size_t count) {
  size_t anchor = 0;
  d->chunks = aio__arena_alloc(&d->arena, (count + 1) * sizeof *d->chunks);
  d->count = count;
  bool ok = d->chunks != NULL;
  for (size_t i = 0; i < count && ok; i++) {
    aio__mem_chunk *chunk = &d->chunks[i];
    chunk->row = chunks[i];
    chunk->row.ordinal = (uint32_t)i;
    chunk->row.search = (aio__str){NULL, 0};
    chunk->document = d;
    ok = copy_str(&d->arena, &chunk->row.heading) && copy_str(&d->arena, &chunk->row.hash);
    while (anchor < d->row.anchor_count && d->row.anchors[anchor].offset <= chunk->row.start) anchor++;
    if (anchor > 0) chunk->anchor = d->row.anchors[anchor - 1].name;
  }
  return ok;
}

static aio__mem_document *document_new(const aio__alloc *al, const aio__store_document *row,
                                       const aio__store_chunk *chunks, size_t count) {
  aio__mem_document *d = aio__calloc(al, 1, sizeof *d);
  if (d == NULL) return NULL;
  aio__arena_init(&d->arena, al, row->text.n < BLOCK_MAX ? row->text.n + AIO__MEM_BLOCK : BLOCK_MAX);
  d->row = *row;
  d->row.bytes = row->text.n;
  d->row.chunk_count = (uint32_t)count;
  if (copy_row(&d->arena, &d->row, true) && copy_chunks(d, chunks, count) && aio__mem_words_prepare(al, d)) return d;
  document_free(al, d);
  return NULL;
}

/* ---- add -------------------------------------------------------------------------------------------------------- */

/* Chunks of the same hash under the same title keep their id and marks. */
static bool keep_same(const aio__alloc *al, aio__mem_document *d, aio__mem_document *old) {
  aio__map by_hash;
  bool ok = true;
  if (!aio__str_eq(d->row.title, old->row.title)) return true;
  aio__map_init(&by_hash, al);
  for (size_t i = old->count; i-- > 0 && ok;) {
    aio__mem_chunk *chunk = &old->chunks[i];
    chunk->kept = false;
    chunk->same = aio__map_remove(&by_hash, chunk->row.hash);
    ok = aio__map_put(&by_hash, chunk->row.hash, chunk) == AIORCH_OK;
  }
  for (size_t i = 0; i < d->count && ok; i++) {
    aio__mem_chunk *chunk = &d->chunks[i], *same = aio__map_get(&by_hash, chunk->row.hash);
    while (same != NULL && same->kept) same = same->same;
    if (same == NULL) continue;
    same->kept = true;
    chunk->kept = true;
    chunk->same = same;
    memcpy(chunk->row.id, same->row.id, sizeof chunk->row.id);
  }
  aio__map_free(&by_hash);
  return ok;
}

static bool list_removed(const aio__mem_document *old, aio__arena *arena, aio__str **out, size_t *count) {
  *count = 0;
  *out = aio__arena_alloc(arena, (old->count + 1) * sizeof **out);
  for (size_t i = 0; *out != NULL && i < old->count; i++) {
    if (old->chunks[i].kept) continue;
    aio__str id = aio__arena_str(arena, aio__str_z(old->chunks[i].row.id));
    if (id.p == NULL) return false;
    (*out)[(*count)++] = id;
  }
  return *out != NULL;
}

static void unkeep(aio__mem_document *old) {
  for (size_t i = 0; old != NULL && i < old->count; i++) old->chunks[i].kept = false;
}

static void forget_ids(aio__mem_tenant *tenant, aio__mem_document *d, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!d->chunks[i].kept) aio__map_remove(&tenant->chunks_by_id, aio__str_z(d->chunks[i].row.id));
}

/* The ids of new chunks; those that are kept are moved over when nothing can fail any more. */
static aiorch_status reserve_ids(aio__mem_tenant *tenant, aio__mem_document *d, aio__op *op) {
  for (size_t i = 0; i < d->count; i++) {
    aio__mem_chunk *chunk = &d->chunks[i];
    if (chunk->kept) continue;
    aiorch_status status = AIORCH_OK;
    if (aio__map_get(&tenant->chunks_by_id, aio__str_z(chunk->row.id)) != NULL)
      status = aio__error_set(&op->error, AIORCH_E_STORE, "the chunk id %s is in use by something else", chunk->row.id);
    else if (aio__map_put(&tenant->chunks_by_id, aio__str_z(chunk->row.id), chunk) != AIORCH_OK)
      status = aio__mem_nomem(op);
    if (status == AIORCH_OK) continue;
    forget_ids(tenant, d, i);
    return status;
  }
  return AIORCH_OK;
}

static void add_totals(aio__mem_tenant *tenant, const aio__mem_document *d, int sign) {
  tenant->chunks += sign * (int64_t)d->count;
  tenant->word_total += sign * (int64_t)d->words;
  tenant->text_bytes += sign * (int64_t)d->row.bytes;
}

/* Takes the place of `old`, whose kept chunks have given their ids away. Cannot fail. */
static void replace(aio__mem_tenant *tenant, size_t at, aio__mem_document *d, aio__mem_document *old) {
  aio__mem_cache_drop_for_document(tenant, aio__str_z(old->row.id));
  aio__mem_words_unlink(tenant, old);
  add_totals(tenant, old, -1);
  forget_ids(tenant, old, old->count);
  for (size_t i = 0; i < d->count; i++) {
    if (!d->chunks[i].kept) continue;
    aio__map_remove(&tenant->chunks_by_id, aio__str_z(d->chunks[i].row.id));
    (void)aio__map_put(&tenant->chunks_by_id, aio__str_z(d->chunks[i].row.id), &d->chunks[i]);
    aio__mem_marks_move(&d->chunks[i].marks, &d->chunks[i].same->marks, &d->chunks[i]);
  }
  unmark_chunks(tenant, old);
  aio__map_remove(&tenant->documents_by_id, aio__str_z(old->row.id));
  (void)aio__map_put(&tenant->documents_by_id, aio__str_z(d->row.id), d);
  tenant->documents[at] = d;
  document_free(tenant->al, old);
}

static aiorch_status insert(aio__mem_tenant *tenant, size_t at, aio__mem_document *d, aio__op *op) {
  void *documents = tenant->documents;
  bool room = aio__mem_reserve(tenant->al, &documents, &tenant->document_cap, tenant->document_count + 1,
                               sizeof *tenant->documents);
  tenant->documents = documents;
  if (!room) return aio__mem_nomem(op);
  if (aio__map_get(&tenant->documents_by_id, aio__str_z(d->row.id)) != NULL)
    return aio__error_set(&op->error, AIORCH_E_STORE, "the document id %s is in use by something else", d->row.id);
  if (aio__map_put(&tenant->documents_by_id, aio__str_z(d->row.id), d) != AIORCH_OK) return aio__mem_nomem(op);
  memmove(&tenant->documents[at + 1], &tenant->documents[at],
          (tenant->document_count - at) * sizeof *tenant->documents);
  tenant->documents[at] = d;
  tenant->document_count++;
  return AIORCH_OK;
}

static aiorch_status link_document(aio__mem_tenant *tenant, size_t at, aio__mem_document *d, aio__mem_document *old,
                                   int64_t now_ms, aio__op *op) {
  aiorch_status status = reserve_ids(tenant, d, op);
  if (status != AIORCH_OK) return status;
  if (!aio__mem_words_reserve(tenant, d)) status = aio__mem_nomem(op);
  if (status == AIORCH_OK && old == NULL) {
    status = insert(tenant, at, d, op);
    if (status != AIORCH_OK) aio__mem_words_unreserve(tenant, d);
  }
  if (status != AIORCH_OK) {
    forget_ids(tenant, d, d->count);
    return status;
  }
  for (size_t i = 0; i < d->count; i++) d->chunks[i].no = ++tenant->next_chunk;
  if (old != NULL) replace(tenant, at, d, old);
  aio__mem_words_link(d);
  unkeep(d);
  add_totals(tenant, d, 1);
  tenant->knowledge++;
  tenant->knowledge_ms = now_ms;
  return AIORCH_OK;
}

static aiorch_status put(aio__mem_store *store, aio__op *op, aio__mem_tenant *tenant, size_t at, aio__mem_document *old,
                         const aio__store_document *row, const aio__store_chunk *chunks, size_t count, int64_t now_ms,
                         aio__arena *arena, aio__str **removed, size_t *removed_count) {
  aio__mem_document *d = document_new(store->env.al, row, chunks, count);
  if (d == NULL) return aio__mem_nomem(op);
  d->row.version = old != NULL ? old->row.version + 1 : 1;
  d->row.updated_ms = now_ms;
  if (old != NULL) memcpy(d->row.id, old->row.id, sizeof d->row.id);
  bool ok = old == NULL || (keep_same(store->env.al, d, old) && list_removed(old, arena, removed, removed_count));
  aiorch_status status = ok ? link_document(tenant, at, d, old, now_ms, op) : aio__mem_nomem(op);
  if (status == AIORCH_OK) return status;
  unkeep(old);
  document_free(store->env.al, d);
  return status;
}

static aiorch_status check_ranges(const aio__store_document *d, const aio__store_chunk *chunks, size_t count,
                                  aio__op *op) {
  for (size_t i = 0; i < count; i++)
    if (chunks[i].start > chunks[i].end || chunks[i].end > d->text.n)
      return aio__error_set(&op->error, AIORCH_E_INVALID, "chunk %zu reaches beyond the text of its document", i);
  return AIORCH_OK;
}

/* What a store tells of a document that it was given. */
static void tell_stored(const aio__store_document *stored, aio__store_document *document) {
  memcpy(document->id, stored->id, sizeof document->id);
  document->version = stored->version;
  document->updated_ms = stored->updated_ms;
  document->chunk_count = stored->chunk_count;
  document->bytes = stored->bytes;
}

static aiorch_status add(aio__store *base, aio__op *op, aio__str tenant_name, aio__store_document *document,
                         const aio__store_chunk *chunks, size_t count, int64_t now_ms, aio__arena *arena, int *what,
                         aio__str **removed_chunks, size_t *removed_count) {
  aio__mem_store *store = (aio__mem_store *)base;
  aio__str *removed = NULL;
  size_t at = 0, gone = 0;
  aiorch_status status = check_ranges(document, chunks, count, op);
  if (status == AIORCH_OK) status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  aio__mem_tenant *tenant = aio__mem_tenant_make(store, tenant_name);
  if (tenant == NULL) return aio__mem_leave(store, aio__mem_nomem(op));
  aio__mem_document *old = aio__mem_find_source(tenant, document->source, &at) ? tenant->documents[at] : NULL;
  bool same = old != NULL && aio__str_eq(old->row.hash, document->hash);
  if (!same) status = put(store, op, tenant, at, old, document, chunks, count, now_ms, arena, &removed, &gone);
  if (status == AIORCH_OK) {
    tell_stored(&tenant->documents[at]->row, document);
    *what = same ? AIORCH_DOCUMENT_UNCHANGED : old != NULL ? AIORCH_DOCUMENT_UPDATED : AIORCH_DOCUMENT_ADDED;
    *removed_chunks = removed;
    *removed_count = gone;
  }
  return aio__mem_leave(store, status);
}

/* ---- the rest --------------------------------------------------------------------------------------------------- */

static aiorch_status check(aio__store *base, aio__op *op, aio__str tenant_name, aio__store_document *document,
                           bool *unchanged) {
  aio__mem_store *store = (aio__mem_store *)base;
  size_t at = 0;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  const aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  bool there = tenant != NULL && aio__mem_find_source(tenant, document->source, &at);
  *unchanged = there && aio__str_eq(tenant->documents[at]->row.hash, document->hash);
  if (*unchanged) tell_stored(&tenant->documents[at]->row, document);
  return aio__mem_leave(store, AIORCH_OK);
}

static aiorch_status not_found(aio__op *op, aio__str name) {
  return aio__error_set(&op->error, AIORCH_E_NOT_FOUND, "no document with the source or id \"%.*s\"",
                        (int)(name.n < 200 ? name.n : 200), name.p != NULL ? name.p : "");
}

static aiorch_status remove_document(aio__store *base, aio__op *op, aio__str tenant_name, aio__str source,
                                     int64_t now_ms, aio__arena *arena, aio__str **removed_chunks,
                                     size_t *removed_count) {
  aio__mem_store *store = (aio__mem_store *)base;
  aio__str *removed = NULL;
  size_t at = 0, gone = 0;
  (void)now_ms;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  if (tenant == NULL || !aio__mem_find_source(tenant, source, &at)) return aio__mem_leave(store, not_found(op, source));
  aio__mem_document *d = tenant->documents[at];
  if (!list_removed(d, arena, &removed, &gone)) return aio__mem_leave(store, aio__mem_nomem(op));
  aio__mem_cache_drop_for_document(tenant, aio__str_z(d->row.id));
  aio__mem_words_unlink(tenant, d);
  add_totals(tenant, d, -1);
  unmark_chunks(tenant, d);
  forget_ids(tenant, d, d->count);
  aio__map_remove(&tenant->documents_by_id, aio__str_z(d->row.id));
  tenant->document_count--;
  memmove(&tenant->documents[at], &tenant->documents[at + 1],
          (tenant->document_count - at) * sizeof *tenant->documents);
  document_free(store->env.al, d);
  *removed_chunks = removed;
  *removed_count = gone;
  return aio__mem_leave(store, AIORCH_OK);
}

static aiorch_status list(aio__store *base, aio__op *op, aio__str tenant_name, aio__str after, size_t limit,
                          aio__arena *arena, aio__store_document **documents, size_t *count) {
  aio__mem_store *store = (aio__mem_store *)base;
  size_t at = 0, n = 0;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  const aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  if (tenant != NULL && aio__mem_find_source(tenant, after, &at)) at++;
  size_t all = tenant != NULL ? tenant->document_count - at : 0;
  if (limit > LIST_MAX) limit = LIST_MAX;
  if (all > limit) all = limit;
  aio__store_document *rows = aio__arena_alloc(arena, (all + 1) * sizeof *rows);
  bool ok = rows != NULL;
  for (; n < all && ok; n++) {
    rows[n] = tenant->documents[at + n]->row;
    ok = copy_row(arena, &rows[n], false);
  }
  if (ok) {
    *documents = rows;
    *count = n;
  }
  return aio__mem_leave(store, ok ? AIORCH_OK : aio__mem_nomem(op));
}

static aiorch_status show(aio__store *base, aio__op *op, aio__str tenant_name, aio__str source_or_id, aio__arena *arena,
                          aio__store_document *document) {
  aio__mem_store *store = (aio__mem_store *)base;
  size_t at = 0;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  const aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  const aio__mem_document *d = NULL;
  if (tenant != NULL && aio__mem_find_source(tenant, source_or_id, &at))
    d = tenant->documents[at];
  else if (tenant != NULL)
    d = aio__map_get(&tenant->documents_by_id, source_or_id);
  if (d == NULL) return aio__mem_leave(store, not_found(op, source_or_id));
  aio__store_document row = d->row;
  bool ok = copy_row(arena, &row, true);
  if (ok) *document = row;
  return aio__mem_leave(store, ok ? AIORCH_OK : aio__mem_nomem(op));
}

/* ---- marks of chunks that have vectors -------------------------------------------------------------------------- */

static int by_age(const void *a, const void *b) {
  const aio__mem_chunk *x = *(aio__mem_chunk *const *)a, *y = *(aio__mem_chunk *const *)b;
  return x->no < y->no ? -1 : x->no > y->no ? 1 : 0;
}

static size_t gather_unmarked(const aio__mem_tenant *tenant, uint64_t bit, aio__mem_chunk **out) {
  size_t n = 0;
  for (size_t i = 0; i < tenant->document_count; i++) {
    aio__mem_document *d = tenant->documents[i];
    for (size_t c = 0; c < d->count; c++)
      if ((d->chunks[c].marks.bits & bit) == 0) out[n++] = &d->chunks[c];
  }
  if (n > 1) qsort(out, n, sizeof(aio__mem_chunk *), by_age);
  return n;
}

static aiorch_status unembedded(aio__store *base, aio__op *op, aio__str tenant_name, aio__str fingerprint, size_t limit,
                                aio__arena *arena, aio__unembedded **chunks, size_t *count, uint64_t *left) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  const aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  size_t most = tenant != NULL ? (size_t)tenant->chunks : 0, all = 0, n = 0;
  aio__mem_chunk **unmarked = aio__malloc(store->env.al, (most + 1) * sizeof(aio__mem_chunk *));
  if (unmarked != NULL && tenant != NULL) all = gather_unmarked(tenant, aio__mem_model_bit(tenant, fingerprint), unmarked);
  if (limit > all) limit = all;
  aio__unembedded *out = aio__arena_alloc(arena, (limit + 1) * sizeof *out);
  bool ok = unmarked != NULL && out != NULL;
  for (; n < limit && ok; n++) {
    const aio__store_chunk *row = &unmarked[n]->row;
    const aio__store_document *d = &unmarked[n]->document->row;
    memcpy(out[n].chunk_id, row->id, sizeof out[n].chunk_id);
    out[n].text = aio__embed_text(arena, d->title, row->heading, aio__str_n(d->text.p + row->start, row->end - row->start));
    ok = out[n].text.p != NULL;
  }
  aio__free(store->env.al, unmarked);
  if (ok) {
    *chunks = out;
    *count = n;
    *left = all;
  }
  return aio__mem_leave(store, ok ? AIORCH_OK : aio__mem_nomem(op));
}

static aiorch_status mark_chunks(aio__mem_tenant *tenant, aio__op *op, const aio__vectors *vectors,
                                 const aio__str *ids, size_t count) {
  int which = 0;
  aio__mem_chunk *done = NULL; /* what was marked, to be unmarked when one fails */
  aiorch_status status = aio__mem_model_for(tenant, op, AIO__MEM_CHUNKS, vectors, &which);
  for (size_t i = 0; i < count && status == AIORCH_OK; i++) {
    aio__mem_chunk *chunk = aio__map_get(&tenant->chunks_by_id, ids[i]);
    if (chunk == NULL || (chunk->marks.bits & (uint64_t)1 << which) != 0) continue;
    const float *row = vectors->dimensions > 0 ? vectors->rows + i * vectors->dimensions : NULL;
    status = aio__mem_mark(tenant, op, AIO__MEM_CHUNKS, which, &chunk->marks, chunk, 0, row);
    if (status != AIORCH_OK) continue;
    chunk->same = done;
    done = chunk;
  }
  while (status != AIORCH_OK && done != NULL) {
    aio__mem_unmark(tenant, AIO__MEM_CHUNKS, which, &done->marks);
    done = done->same;
  }
  return status;
}

static aiorch_status mark_embedded(aio__store *base, aio__op *op, aio__str tenant_name, const aio__vectors *vectors,
                                   const aio__str *chunk_ids, size_t count) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__vectors_check(vectors, count, &op->error);
  if (status == AIORCH_OK) status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  if (tenant != NULL && tenant->chunks > 0 && count > 0) status = mark_chunks(tenant, op, vectors, chunk_ids, count);
  return aio__mem_leave(store, status);
}

/* ---- nearest ----------------------------------------------------------------------------------------------------- */

typedef struct wanted {
  const aio__filter *filters;
  size_t count;
} wanted;

static bool fits(const aio__mem_near *near, const void *owner) {
  const wanted *w = near->ctx;
  return aio__mem_passes(owner, w->filters, w->count);
}

/* The cosines that were asked for by id. */
static void similarities_of(const aio__mem_tenant *tenant, int which, const aio__nearest_args *args) {
  for (size_t i = 0; i < args->also_count; i++) {
    const aio__mem_chunk *chunk = aio__map_get(&tenant->chunks_by_id, args->also[i]);
    const aio__mem_vector *vector = chunk != NULL ? chunk->marks.vectors : NULL;
    while (vector != NULL && vector->model != which) vector = vector->next;
    if (vector != NULL) args->also_similarity[i] = aio__vector_cosine(args->query, vector->row, args->dimensions);
  }
}

static aiorch_status nearest_of(aio__mem_tenant *tenant, aio__op *op, const aio__nearest_args *args, const wanted *w,
                                aio__arena *arena, aio__found_chunk **chunks, size_t *count) {
  int which = aio__mem_model_find(tenant, args->fingerprint);
  const aio__mem_set *set = which >= 0 ? &tenant->models[which].set[AIO__MEM_CHUNKS] : NULL;
  if (set == NULL || set->marks == 0) return aio__mem_others(tenant, op, AIO__MEM_CHUNKS, args->fingerprint);
  aio__mem_near near = {.tenant = tenant, .set = set, .fits = w->count > 0 ? fits : NULL, .ctx = w};
  aiorch_status status = aio__mem_near_search(&near, op, args, NULL);
  aio__found_chunk *out = status == AIORCH_OK ? aio__arena_alloc(arena, (near.n + 1) * sizeof *out) : NULL;
  if (status == AIORCH_OK && out == NULL) status = aio__mem_nomem(op);
  for (size_t i = 0; i < near.n && status == AIORCH_OK; i++) {
    if (!aio__mem_copy_chunk(near.found[i].owner, arena, &out[i])) status = aio__mem_nomem(op);
    out[i].similarity = near.found[i].similarity;
  }
  if (status == AIORCH_OK) {
    similarities_of(tenant, which, args);
    *chunks = out;
    *count = near.n;
  }
  aio__mem_near_free(&near);
  return status;
}

static aiorch_status nearest(aio__store *base, aio__op *op, aio__str tenant_name, const aio__nearest_args *args,
                             const aio__filter *filters, size_t filter_count, aio__arena *arena,
                             aio__found_chunk **chunks, size_t *count) {
  aio__mem_store *store = (aio__mem_store *)base;
  wanted w = {filters, filter_count};
  aiorch_status status = aio__nearest_check(args, &op->error);
  if (status == AIORCH_OK) status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  aio__found_chunk *out = NULL;
  size_t n = 0;
  if (tenant != NULL) status = nearest_of(tenant, op, args, &w, arena, &out, &n);
  if (status == AIORCH_OK) {
    *chunks = out;
    *count = n;
  }
  return aio__mem_leave(store, status);
}

const aio__knowledge_ops aio__mem_knowledge_ops = {
  .add = add,
  .check = check,
  .remove = remove_document,
  .list = list,
  .show = show,
  .search = aio__mem_search,
  .fetch = aio__mem_fetch,
  .unembedded = unembedded,
  .mark_embedded = mark_embedded,
  .nearest = nearest,
  .models = aio__mem_models,
  .forget_model = aio__mem_forget_model,
};
