/* Documents: what the caller says of one, and what the store has of one. */
#include "api/document.h"

#include <string.h>

#define DOCUMENT_MAGIC UINT64_C(0x61696f2d646f6375)

enum { STRINGS_BLOCK = 1024 };

struct aiorch_documents {
  uint64_t magic;
  aio__alloc allocator;
  aiorch_document **items;
  size_t count;
};

#define DOCUMENTS_MAGIC UINT64_C(0x61696f2d646f6373)

bool aio__document_check(const aiorch_document *document) {
  return document && document->magic == DOCUMENT_MAGIC;
}

aiorch_status aio__document_new(const aio__alloc *al, aiorch_document **out) {
  aiorch_document *d = aio__calloc(al, 1, sizeof *d);
  if (!d) return AIORCH_E_NOMEM;
  d->magic = DOCUMENT_MAGIC;
  d->allocator = *al;
  d->al = al = &d->allocator;
  d->format = AIORCH_FORMAT_PLAIN;
  aio__buf_init(&d->source, al, AIO__SOURCE_MAX);
  aio__buf_init(&d->title, al, AIO__TITLE_MAX);
  aio__buf_init(&d->shown_title, al, AIO__TITLE_MAX);
  aio__buf_init(&d->text, al, AIO__DOCUMENT_TEXT_MAX);
  aio__buf_init(&d->moves, al, AIO__DOCUMENT_TEXT_MAX);
  aio__arena_init(&d->strings, al, STRINGS_BLOCK);
  *out = d;
  return AIORCH_OK;
}

aiorch_status aiorch_document_new(aiorch_document **out) {
  return out ? aio__document_new(aio__alloc_default(), out) : AIORCH_E_INVALID;
}

void aiorch_document_free(aiorch_document *document) {
  if (!aio__document_check(document)) return;
  document->magic = 0;
  aio__buf_free(&document->source);
  aio__buf_free(&document->title);
  aio__buf_free(&document->shown_title);
  aio__buf_free(&document->text);
  aio__buf_free(&document->moves);
  aio__arena_free(&document->strings);
  aio__free(document->al, document->metadata);
  aio__free(document->al, document->anchors);
  aio__alloc al = document->allocator;
  aio__free(&al, document);
}

/* ---- what the caller says --------------------------------------------------------------------------------------- */

static bool is_name(const char *text, size_t len, size_t min, size_t max) {
  if ((!text && len > 0) || len < min || len > max) return false;
  return !(len > 0 && memchr(text, '\0', len)) && aio__utf8_check(aio__str_n(text, len), NULL) == len;
}

/* Replaces what a buffer holds; on failure it keeps it. */
static aiorch_status set(aio__buf *buf, const char *text, size_t len) {
  aio__buf fresh;
  aio__buf_init(&fresh, buf->al, buf->max);
  aiorch_status st = len > 0 ? aio__buf_add(&fresh, text, len) : AIORCH_OK;
  if (st) {
    aio__buf_free(&fresh);
    return st;
  }
  aio__buf_free(buf);
  *buf = fresh;
  return AIORCH_OK;
}

aiorch_status aiorch_document_set_source(aiorch_document *document, const char *source, size_t len) {
  if (!aio__document_check(document) || !is_name(source, len, 1, AIO__SOURCE_MAX)) return AIORCH_E_INVALID;
  return set(&document->source, source, len);
}

aiorch_status aiorch_document_set_title(aiorch_document *document, const char *title, size_t len) {
  if (!aio__document_check(document) || !is_name(title, len, 0, AIO__TITLE_MAX)) return AIORCH_E_INVALID;
  return set(&document->title, title, len);
}

aiorch_status aiorch_document_set_text(aiorch_document *document, int32_t format, const char *text, size_t len) {
  if (!aio__document_check(document) || (!text && len > 0)) return AIORCH_E_INVALID;
  if (format != AIORCH_FORMAT_PLAIN && format != AIORCH_FORMAT_MARKDOWN) return AIORCH_E_INVALID;
  if (len > AIO__DOCUMENT_TEXT_MAX) return AIORCH_E_TOO_LARGE;
  aio__clean_text clean;
  aio__buf_init(&clean.text, document->al, AIO__DOCUMENT_TEXT_MAX);
  aio__buf_init(&clean.moves, document->al, AIO__DOCUMENT_TEXT_MAX);
  aiorch_status st = len > 0 ? aio__buf_reserve(&clean.text, len) : AIORCH_OK;
  if (st == AIORCH_OK) st = aio__clean(aio__str_n(text, len), &clean);
  bool binary = st != AIORCH_E_NOMEM && len > 0 && clean.bad > clean.characters / AIO__BAD_CHARACTERS_IN;
  if (st != AIORCH_OK || binary) {
    aio__buf_free(&clean.text);
    aio__buf_free(&clean.moves);
    if (!binary) return st;
  }
  aio__buf_free(&document->text);
  aio__buf_free(&document->moves);
  document->text = clean.text;
  document->moves = clean.moves;
  document->format = format;
  document->has_text = true;
  document->binary = binary;
  document->bytes = document->text.n;
  return AIORCH_OK;
}

aiorch_status aiorch_document_add_metadata(aiorch_document *document, const char *name, size_t name_len,
                                           const char *value, size_t value_len) {
  if (!aio__document_check(document) || !is_name(name, name_len, 1, AIO__METADATA_NAME_MAX)) return AIORCH_E_INVALID;
  if (value_len > AIO__METADATA_VALUE_MAX) return AIORCH_E_TOO_LARGE;
  if (!is_name(value, value_len, 0, AIO__METADATA_VALUE_MAX)) return AIORCH_E_INVALID;
  if (document->metadata_count == AIO__METADATA_MAX) return AIORCH_E_TOO_LARGE;
  if (!document->metadata)
    document->metadata = aio__calloc(document->al, AIO__METADATA_MAX, sizeof *document->metadata);
  if (!document->metadata) return AIORCH_E_NOMEM;
  aio__pair pair = {aio__arena_str(&document->strings, aio__str_n(name, name_len)),
                    aio__arena_str(&document->strings, aio__str_n(value, value_len))};
  if (!pair.name.p || !pair.value.p) return AIORCH_E_NOMEM;
  document->metadata[document->metadata_count++] = pair;
  return AIORCH_OK;
}

static aiorch_status room_for_anchor(aiorch_document *document) {
  if (document->anchor_count < document->anchor_cap) return AIORCH_OK;
  size_t cap = document->anchor_cap ? document->anchor_cap * 2 : 16;
  aio__anchor *anchors = aio__realloc(document->al, document->anchors, cap * sizeof *anchors);
  if (!anchors) return AIORCH_E_NOMEM;
  document->anchors = anchors;
  document->anchor_cap = cap;
  return AIORCH_OK;
}

aiorch_status aiorch_document_add_anchor(aiorch_document *document, uint64_t offset, const char *name, size_t len) {
  if (!aio__document_check(document) || !is_name(name, len, 1, AIO__ANCHOR_NAME_MAX)) return AIORCH_E_INVALID;
  size_t count = document->anchor_count;
  if (count > 0 && document->anchors[count - 1].offset > offset) return AIORCH_E_INVALID;
  if (count == AIO__ANCHORS_MAX) return AIORCH_E_TOO_LARGE;
  if (room_for_anchor(document)) return AIORCH_E_NOMEM;
  aio__str copy = aio__arena_str(&document->strings, aio__str_n(name, len));
  if (!copy.p) return AIORCH_E_NOMEM;
  document->anchors[document->anchor_count++] = (aio__anchor){offset, copy};
  return AIORCH_OK;
}

/* ---- what is asked of it ---------------------------------------------------------------------------------------- */

static aiorch_status give(const aiorch_document *document, aio__str text, const char **out, size_t *out_len) {
  if (!aio__document_check(document) || !out) return AIORCH_E_INVALID;
  *out = text.n > 0 ? text.p : "";
  if (out_len) *out_len = text.n;
  return AIORCH_OK;
}

static aio__str part(const aiorch_document *document, const aio__buf *buf) {
  return aio__document_check(document) ? aio__buf_view(buf) : aio__str_n("", 0);
}

aiorch_status aiorch_document_id(const aiorch_document *document, const char **out, size_t *out_len) {
  return give(document, aio__str_z(aio__document_check(document) ? document->id : ""), out, out_len);
}

aiorch_status aiorch_document_source(const aiorch_document *document, const char **out, size_t *out_len) {
  return give(document, part(document, document ? &document->source : NULL), out, out_len);
}

aiorch_status aiorch_document_title(const aiorch_document *document, const char **out, size_t *out_len) {
  bool own = aio__document_check(document) && document->title.n > 0;
  const aio__buf *title = document ? (own ? &document->title : &document->shown_title) : NULL;
  return give(document, part(document, title), out, out_len);
}

aiorch_status aiorch_document_text(const aiorch_document *document, const char **out, size_t *out_len) {
  return give(document, part(document, document ? &document->text : NULL), out, out_len);
}

int32_t aiorch_document_outcome(const aiorch_document *document) {
  return aio__document_check(document) ? document->outcome : 0;
}

size_t aiorch_document_chunks(const aiorch_document *document) {
  return aio__document_check(document) ? document->chunks : 0;
}

uint64_t aiorch_document_bytes(const aiorch_document *document) {
  return aio__document_check(document) ? document->bytes : 0;
}

int64_t aiorch_document_updated_ms(const aiorch_document *document) {
  return aio__document_check(document) ? document->updated_ms : 0;
}

/* ---- to and from stores ----------------------------------------------------------------------------------------- */

aiorch_status aio__document_anchors(const aiorch_document *document, aio__arena *arena, const aio__anchor **out) {
  *out = NULL;
  size_t count = document->anchor_count;
  if (count == 0) return AIORCH_OK;
  aio__anchor *anchors = aio__arena_alloc(arena, count * sizeof *anchors);
  uint64_t *offsets = aio__malloc(document->al, count * sizeof *offsets);
  if (!anchors || !offsets) {
    aio__free(document->al, offsets);
    return AIORCH_E_NOMEM;
  }
  for (size_t i = 0; i < count; i++) offsets[i] = document->anchors[i].offset;
  aio__clean_moved(aio__buf_view(&document->moves), document->text.n, offsets, count);
  for (size_t i = 0; i < count; i++) {
    anchors[i].offset = offsets[i];
    anchors[i].name = document->anchors[i].name;
  }
  aio__free(document->al, offsets);
  *out = anchors;
  return AIORCH_OK;
}

static aiorch_status fill(aiorch_document *d, const aio__store_document *from) {
  memcpy(d->id, from->id, sizeof d->id);
  d->format = from->format;
  d->chunks = from->chunk_count;
  d->bytes = from->bytes;
  d->updated_ms = from->updated_ms;
  d->has_text = from->text.n > 0;
  aiorch_status st = aio__buf_str(&d->source, from->source);
  if (st == AIORCH_OK && from->title.n > 0) st = aio__buf_str(&d->title, from->title);
  if (st == AIORCH_OK && from->text.n > 0) st = aio__buf_str(&d->text, from->text);
  for (size_t i = 0; st == AIORCH_OK && i < from->metadata_count; i++) {
    aio__str name = from->metadata[i].name, value = from->metadata[i].value;
    st = aiorch_document_add_metadata(d, name.p, name.n, value.p, value.n);
  }
  for (size_t i = 0; st == AIORCH_OK && i < from->anchor_count; i++) {
    st = aiorch_document_add_anchor(d, from->anchors[i].offset, from->anchors[i].name.p, from->anchors[i].name.n);
  }
  return st;
}

aiorch_status aio__document_from_store(const aio__alloc *al, const aio__store_document *from, aiorch_document **out) {
  aiorch_document *d = NULL;
  aiorch_status st = aio__document_new(al, &d);
  if (st == AIORCH_OK) st = fill(d, from);
  if (st) {
    aiorch_document_free(d);
    return st;
  }
  *out = d;
  return AIORCH_OK;
}

/* ---- lists ------------------------------------------------------------------------------------------------------ */

static bool is_list(const aiorch_documents *documents) {
  return documents && documents->magic == DOCUMENTS_MAGIC;
}

aiorch_status aio__documents_from_store(const aio__alloc *al, const aio__store_document *from, size_t count,
                                        aiorch_documents **out) {
  aiorch_documents *list = aio__calloc(al, 1, sizeof *list);
  if (!list) return AIORCH_E_NOMEM;
  list->magic = DOCUMENTS_MAGIC;
  list->allocator = *al;
  if (count > 0) list->items = aio__calloc(al, count, sizeof *list->items);
  aiorch_status st = count > 0 && !list->items ? AIORCH_E_NOMEM : AIORCH_OK;
  for (size_t i = 0; st == AIORCH_OK && i < count; i++) {
    st = aio__document_from_store(al, &from[i], &list->items[i]);
    if (st == AIORCH_OK) list->count++;
  }
  if (st) {
    aiorch_documents_free(list);
    return st;
  }
  *out = list;
  return AIORCH_OK;
}

size_t aiorch_documents_count(const aiorch_documents *documents) {
  return is_list(documents) ? documents->count : 0;
}

const aiorch_document *aiorch_documents_get(const aiorch_documents *documents, size_t index) {
  return is_list(documents) && index < documents->count ? documents->items[index] : NULL;
}

void aiorch_documents_free(aiorch_documents *documents) {
  if (!is_list(documents)) return;
  documents->magic = 0;
  for (size_t i = 0; i < documents->count; i++) aiorch_document_free(documents->items[i]);
  aio__alloc al = documents->allocator;
  aio__free(&al, documents->items);
  aio__free(&al, documents);
}
