/* aiorch_knowledge_add, _remove, _list, _show: documents in and out of the store. */
#include <aiorch/knowledge.h>

#include <string.h>

#include "api/blocking_call.h"
#include "api/document.h"
#include "core/hash.h"
#include "text/chunk.h"

enum { ARENA_BLOCK = 64 << 10, LIST_MAX = 10000 };

#define DOCUMENT_HASH_VERSION "aiorch document 1"

/* What every call here begins with. */
static aiorch_status enter(aiorch *orch, const char *tenant, size_t tenant_len, aio__str *who, aiorch_error *error) {
  if (!tenant && tenant_len > 0) return aio__error_set(error, AIORCH_E_INVALID, "the tenant is NULL");
  aiorch_status st = aio__orch_enter(orch, aio__str_n(tenant, tenant_len), who, error);
  if (st == AIORCH_OK && aio__calls_inside(orch->calls)) {
    st = aio__error_set(error, AIORCH_E_REENTRANT, "a plug-in's slot must not call this");
  }
  return st;
}

/* ---- add -------------------------------------------------------------------------------------------------------- */

typedef struct adding {
  aiorch *orch;
  aio__str tenant;
  aio__arena arena;
  aio__sync sync;
  aio__store_document document;
  aio__store_chunk *chunks;
  size_t count;
  uint8_t hash[AIO__SHA256_SIZE];
} adding;

static aiorch_status check_document(const aiorch *orch, const aiorch_document *d, aiorch_error *error) {
  if (d->source.n == 0) {
    return aio__error_set(error, AIORCH_E_DOCUMENT,
                          "the document has no source: set one with aiorch_document_set_source");
  }
  const char *source = aio__buf_cstr(&d->source);
  if (d->binary) {
    return aio__error_set(error, AIORCH_E_DOCUMENT, "%s: this is no text: more than 1 in %d characters are not UTF-8",
                          source, (int)AIO__BAD_CHARACTERS_IN);
  }
  if (!d->has_text || aio__str_trim(aio__buf_view(&d->text)).n == 0) {
    return aio__error_set(error, AIORCH_E_DOCUMENT, "%s: the document is empty", source);
  }
  if (d->text.n > (size_t)orch->options.document_max_bytes) {
    return aio__error_set(error, AIORCH_E_DOCUMENT,
                          "%s: the document has %zu bytes, above \"knowledge.document_max_bytes\" (%lld)", source,
                          d->text.n, (long long)orch->options.document_max_bytes);
  }
  return AIORCH_OK;
}

static aio__str title_of(const aiorch_document *d) {
  if (d->title.n > 0) return aio__buf_view(&d->title);
  aio__str heading = aio__chunk_first_heading(aio__buf_view(&d->text), d->format);
  return heading.n > 0 ? heading : aio__buf_view(&d->source);
}

/* Everything that makes the stored document what it is, so that an equal hash means nothing is to be done. */
static void hash_document(adding *a) {
  const aio__store_document *d = &a->document;
  aio__sha256 h;
  aio__sha256_init(&h);
  aio__sha256_str(&h, AIO__LIT(DOCUMENT_HASH_VERSION));
  aio__sha256_str(&h, AIO__LIT(AIO__CHUNKER_VERSION));
  aio__sha256_u64(&h, (uint64_t)a->orch->options.chunk_target_tokens);
  aio__sha256_u64(&h, (uint64_t)a->orch->options.chunk_max_tokens);
  aio__sha256_u64(&h, (uint64_t)d->format);
  aio__sha256_str(&h, d->title);
  aio__sha256_u64(&h, d->metadata_count);
  for (size_t i = 0; i < d->metadata_count; i++) {
    aio__sha256_str(&h, d->metadata[i].name);
    aio__sha256_str(&h, d->metadata[i].value);
  }
  aio__sha256_u64(&h, d->anchor_count);
  for (size_t i = 0; i < d->anchor_count; i++) {
    aio__sha256_u64(&h, d->anchors[i].offset);
    aio__sha256_str(&h, d->anchors[i].name);
  }
  aio__sha256_str(&h, d->text);
  aio__sha256_end(&h, a->hash);
}

static aiorch_status describe(adding *a, const aiorch_document *d) {
  aio__store_document *to = &a->document;
  to->source = aio__buf_view(&d->source);
  to->text = aio__buf_view(&d->text);
  to->title = title_of(d);
  to->format = d->format;
  to->bytes = d->text.n;
  to->metadata = d->metadata;
  to->metadata_count = d->metadata_count;
  to->anchor_count = d->anchor_count;
  if (aio__document_anchors(d, &a->arena, &to->anchors)) return AIORCH_E_NOMEM;
  hash_document(a);
  to->hash = aio__str_n((const char *)a->hash, sizeof a->hash);
  return AIORCH_OK;
}

static aiorch_status fill_chunk(adding *a, const aio__chunk *from, aio__store_chunk *to) {
  aio__sha256 h;
  char *hash = aio__arena_alloc(&a->arena, AIO__SHA256_SIZE);
  aiorch_status st = aio__uuid_v7(aio__clock_wall_ms(a->orch->clock), to->id);
  if (!hash || st) return hash ? st : AIORCH_E_NOMEM;
  to->ordinal = from->ordinal;
  to->tokens = from->tokens;
  to->start = from->start;
  to->end = from->end;
  to->heading = from->heading;
  aio__sha256_init(&h);
  aio__sha256_str(&h, AIO__LIT(AIO__CHUNKER_VERSION));
  aio__sha256_u64(&h, (uint64_t)a->orch->options.chunk_target_tokens);
  aio__sha256_u64(&h, (uint64_t)a->orch->options.chunk_max_tokens);
  aio__sha256_str(&h, a->document.title);
  aio__sha256_str(&h, from->heading);
  aio__sha256_str(&h, aio__str_n(a->document.text.p + from->start, (size_t)(from->end - from->start)));
  aio__sha256_end(&h, (uint8_t *)hash);
  to->hash = aio__str_n(hash, AIO__SHA256_SIZE);
  return AIORCH_OK;
}

static aiorch_status cut(adding *a) {
  const aio__options *o = &a->orch->options;
  aio__chunk_options options = {a->document.format, (size_t)o->chunk_target_tokens, (size_t)o->chunk_max_tokens};
  aio__chunk *chunks = NULL;
  aiorch_status st = aio__chunk_text(&a->arena, a->document.text, &options, &chunks, &a->count);
  if (st) return st;
  a->chunks = aio__arena_alloc(&a->arena, (a->count + 1) * sizeof *a->chunks);
  if (!a->chunks) return AIORCH_E_NOMEM;
  for (size_t i = 0; st == AIORCH_OK && i < a->count; i++) st = fill_chunk(a, &chunks[i], &a->chunks[i]);
  a->document.chunk_count = (uint32_t)a->count;
  return st;
}

static aiorch_status store_document(adding *a, int *what, aiorch_error *error) {
  aio__store *store = a->orch->store;
  aio__str *removed = NULL;
  size_t removed_count = 0;
  aiorch_status st = aio__uuid_v7(aio__clock_wall_ms(a->orch->clock), a->document.id);
  if (st == AIORCH_OK) st = cut(a);
  if (st) return aio__error_set(error, st, "%s", aiorch_strerror(st));
  st =
    aio__sync_end(&a->sync,
                  store->knowledge->add(store, &a->sync.op, a->tenant, &a->document, a->chunks, a->count,
                                        aio__clock_wall_ms(a->orch->clock), &a->arena, what, &removed, &removed_count),
                  error);
  if (st) return st;
  aio__forget_vectors(a->orch, a->tenant, removed, removed_count, a->sync.op.deadline_ns);
  if (*what != AIORCH_DOCUMENT_UNCHANGED) aio__count(&a->orch->counters, AIO__N_DOCUMENTS_ADDED);
  return AIORCH_OK;
}

static aiorch_status add(adding *a, aiorch_document *d, aiorch_error *error) {
  aio__store *store = a->orch->store;
  bool unchanged = false;
  int what = AIORCH_DOCUMENT_UNCHANGED;
  aio__buf title;
  aio__buf_init(&title, d->al, AIO__TITLE_MAX);
  aiorch_status st = describe(a, d);
  if (st == AIORCH_OK) st = aio__buf_str(&title, a->document.title);
  if (st) {
    aio__error_set(error, st, "%s", aiorch_strerror(st));
    goto out;
  }
  st = aio__sync_end(&a->sync, store->knowledge->check(store, &a->sync.op, a->tenant, &a->document, &unchanged), error);
  if (st == AIORCH_OK && !unchanged) st = store_document(a, &what, error);
  if (st) goto out;
  memcpy(d->id, a->document.id, sizeof d->id);
  d->outcome = what;
  d->chunks = a->document.chunk_count;
  d->updated_ms = a->document.updated_ms;
  aio__buf_free(&d->shown_title);
  d->shown_title = title;
  return AIORCH_OK;
out:
  aio__buf_free(&title);
  return st;
}

aiorch_status aiorch_knowledge_add(aiorch *orch, const char *tenant, size_t tenant_len, aiorch_document *document,
                                   int64_t timeout_ms, aiorch_error *error) {
  adding a;
  memset(&a, 0, sizeof a);
  aiorch_status st = enter(orch, tenant, tenant_len, &a.tenant, error);
  if (st) return st;
  if (!aio__document_check(document)) return aio__error_set(error, AIORCH_E_INVALID, "this is no document");
  st = check_document(orch, document, error);
  if (st) return st;
  a.orch = orch;
  aio__arena_init(&a.arena, orch->al, ARENA_BLOCK);
  st = aio__sync_begin(&a.sync, orch, timeout_ms, error);
  if (st == AIORCH_OK) {
    st = add(&a, document, error);
    aio__sync_free(&a.sync);
  }
  aio__arena_free(&a.arena);
  aio__log_flush(orch->log);
  return st;
}

/* ---- remove ----------------------------------------------------------------------------------------------------- */

static aiorch_status check_source(const char *source, size_t len, const char *what, aiorch_error *error) {
  if (source && len > 0 && len <= AIO__SOURCE_MAX) return AIORCH_OK;
  return aio__error_set(error, AIORCH_E_INVALID, "%s needs a source of 1 to %d bytes", what, (int)AIO__SOURCE_MAX);
}

aiorch_status aiorch_knowledge_remove(aiorch *orch, const char *tenant, size_t tenant_len, const char *source,
                                      size_t source_len, int64_t timeout_ms, aiorch_error *error) {
  aio__str who, *removed = NULL;
  size_t count = 0;
  aio__arena arena;
  aio__sync sync;
  aiorch_status st = enter(orch, tenant, tenant_len, &who, error);
  if (st == AIORCH_OK) st = check_source(source, source_len, "aiorch_knowledge_remove", error);
  if (st == AIORCH_OK) st = aio__sync_begin(&sync, orch, timeout_ms, error);
  if (st) return st;
  aio__arena_init(&arena, orch->al, ARENA_BLOCK);
  st = aio__sync_end(&sync,
                     orch->store->knowledge->remove(orch->store, &sync.op, who, aio__str_n(source, source_len),
                                                    aio__clock_wall_ms(orch->clock), &arena, &removed, &count),
                     error);
  if (st == AIORCH_OK) {
    aio__forget_vectors(orch, who, removed, count, sync.op.deadline_ns);
    aio__count(&orch->counters, AIO__N_DOCUMENTS_REMOVED);
  }
  aio__sync_free(&sync);
  aio__arena_free(&arena);
  aio__log_flush(orch->log);
  return st;
}

/* ---- list, show ------------------------------------------------------------------------------------------------- */

aiorch_status aiorch_knowledge_list(aiorch *orch, const char *tenant, size_t tenant_len, const char *after,
                                    size_t after_len, size_t limit, int64_t timeout_ms, aiorch_documents **out,
                                    aiorch_error *error) {
  aio__str who;
  aio__store_document *documents = NULL;
  size_t count = 0;
  aio__arena arena;
  aio__sync sync;
  aiorch_status st = enter(orch, tenant, tenant_len, &who, error);
  if (st) return st;
  if (!out || (!after && after_len > 0) || limit < 1 || limit > LIST_MAX) {
    return aio__error_set(error, AIORCH_E_INVALID,
                          "aiorch_knowledge_list needs a limit of 1 to %d and a place for the list", (int)LIST_MAX);
  }
  st = aio__sync_begin(&sync, orch, timeout_ms, error);
  if (st) return st;
  aio__arena_init(&arena, orch->al, ARENA_BLOCK);
  st = aio__sync_end(&sync,
                     orch->store->knowledge->list(orch->store, &sync.op, who, aio__str_n(after, after_len), limit,
                                                  &arena, &documents, &count),
                     error);
  if (st == AIORCH_OK) {
    st = aio__documents_from_store(orch->al, documents, count, out);
    if (st) aio__error_set(error, st, "out of memory for the list");
  }
  aio__sync_free(&sync);
  aio__arena_free(&arena);
  aio__log_flush(orch->log);
  return st;
}

aiorch_status aiorch_knowledge_show(aiorch *orch, const char *tenant, size_t tenant_len, const char *source_or_id,
                                    size_t len, int64_t timeout_ms, aiorch_document **out, aiorch_error *error) {
  aio__str who;
  aio__store_document document;
  aio__arena arena;
  aio__sync sync;
  memset(&document, 0, sizeof document);
  aiorch_status st = enter(orch, tenant, tenant_len, &who, error);
  if (st == AIORCH_OK) st = check_source(source_or_id, len, "aiorch_knowledge_show", error);
  if (st == AIORCH_OK && !out) st = aio__error_set(error, AIORCH_E_INVALID, "no place for the document");
  if (st == AIORCH_OK) st = aio__sync_begin(&sync, orch, timeout_ms, error);
  if (st) return st;
  aio__arena_init(&arena, orch->al, ARENA_BLOCK);
  st = aio__sync_end(
    &sync, orch->store->knowledge->show(orch->store, &sync.op, who, aio__str_n(source_or_id, len), &arena, &document),
    error);
  if (st == AIORCH_OK) {
    st = aio__document_from_store(orch->al, &document, out);
    if (st) aio__error_set(error, st, "out of memory for the document");
  } else if (st == AIORCH_E_NOT_FOUND) {
    aio__error_set(error, st, "there is no document with this source or id");
  }
  aio__sync_free(&sync);
  aio__arena_free(&arena);
  aio__log_flush(orch->log);
  return st;
}
