/* Kept answers from outside a run: listed, removed by tag, removed all. */
#include <aiorch/knowledge.h>

#include "core/text_handle.h"
#include "pipeline/orch.h"

enum { CACHE_LIST_MAX = 10000, CACHE_LIST_BYTES = 256 << 20 };

static aiorch_status enter(aiorch *orch, aio__str tenant_in, aio__str *tenant, aiorch_error *error) {
  aiorch_status st = aio__orch_enter(orch, tenant_in, tenant, error);
  if (st == AIORCH_OK && aio__calls_inside(orch->calls)) {
    st = aio__error_set(error, AIORCH_E_REENTRANT, "a plug-in's slot must not call this");
  }
  return st;
}

static void put_entry(aio__json_writer *w, const aio__cache_entry *entry) {
  aio__jw_object(w);
  aio__jw_kz(w, "id", entry->id);
  aio__jw_kstr(w, "query", entry->query);
  aio__jw_kstr(w, "provider", entry->provider);
  aio__jw_kstr(w, "model", entry->model);
  aio__jw_ki64(w, "created_ms", entry->created_ms);
  aio__jw_ki64(w, "expires_ms", entry->expires_ms);
  aio__jw_ki64(w, "hits", entry->hits);
  aio__jw_ki64(w, "bytes", entry->bytes);
  aio__jw_key(w, "tags");
  aio__jw_array(w);
  for (size_t i = 0; i < entry->rests_on_count; i++) aio__jw_z(w, entry->rests_on[i].document_id);
  aio__jw_array_end(w);
  aio__jw_object_end(w);
}

static aiorch_status write_list(const aiorch *orch, const aio__cache_entry *entries, size_t count, aiorch_text **out,
                                aiorch_error *error) {
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, orch->al, CACHE_LIST_BYTES);
  aio__jw_init(&w, &buf);
  aio__jw_array(&w);
  for (size_t i = 0; i < count; i++) put_entry(&w, &entries[i]);
  aio__jw_array_end(&w);
  aiorch_status st = aio__text_from_buf(&buf, out);
  aio__buf_free(&buf);
  if (st == AIORCH_E_TOO_LARGE) {
    return aio__error_set(error, st, "the list is above %d bytes: ask for fewer answers", CACHE_LIST_BYTES);
  }
  return st ? aio__error_set(error, st, "out of memory for the list of kept answers") : AIORCH_OK;
}

aiorch_status aiorch_cache_list(aiorch *orch, const char *tenant_in, size_t tenant_len, size_t limit,
                                int64_t timeout_ms, aiorch_text **out, aiorch_error *error) {
  aio__str tenant;
  aio__sync sync;
  aio__error_clear(error);
  if (!out || (!tenant_in && tenant_len > 0) || limit == 0 || limit > CACHE_LIST_MAX) {
    return aio__error_set(error, AIORCH_E_INVALID, "a list has 1 to %d answers of one tenant", CACHE_LIST_MAX);
  }
  aiorch_status st = enter(orch, aio__str_n(tenant_in, tenant_len), &tenant, error);
  if (st == AIORCH_OK) st = aio__sync_begin(&sync, orch, timeout_ms, error);
  if (st) return st;
  aio__arena arena;
  aio__cache_entry *entries = NULL;
  size_t count = 0;
  aio__arena_init(&arena, orch->al, 16384);
  aio__store *store = orch->store;
  st = aio__sync_end(&sync, store->cache->list(store, &sync.op, tenant, limit, aio__clock_wall_ms(orch->clock), &arena,
                                               &entries, &count), error);
  aio__sync_free(&sync);
  if (st == AIORCH_OK) st = write_list(orch, entries, count, out, error);
  aio__arena_free(&arena);
  aio__log_flush(orch->log);
  return st;
}

/* An empty tag is all of the tenant's. */
static aiorch_status drop(aiorch *orch, aio__str tenant_in, aio__str tag, int64_t timeout_ms, uint64_t *removed,
                          aiorch_error *error) {
  aio__str tenant;
  aio__sync sync;
  uint64_t count = 0;
  aiorch_status st = enter(orch, tenant_in, &tenant, error);
  if (st == AIORCH_OK) st = aio__sync_begin(&sync, orch, timeout_ms, error);
  if (st) return st;
  aio__store *store = orch->store;
  st = aio__sync_end(&sync, store->cache->invalidate(store, &sync.op, tenant, tag, &count), error);
  aio__sync_free(&sync);
  aio__log_flush(orch->log);
  if (st == AIORCH_OK && removed) *removed = count;
  return st;
}

aiorch_status aiorch_cache_purge(aiorch *orch, const char *tenant, size_t tenant_len, int64_t timeout_ms,
                                 uint64_t *removed, aiorch_error *error) {
  aio__error_clear(error);
  if (!tenant && tenant_len > 0) return aio__error_set(error, AIORCH_E_INVALID, "a tenant is needed");
  return drop(orch, aio__str_n(tenant, tenant_len), AIO__LIT(""), timeout_ms, removed, error);
}

aiorch_status aiorch_cache_invalidate(aiorch *orch, const char *tenant, size_t tenant_len, const char *tag,
                                      size_t tag_len, int64_t timeout_ms, uint64_t *removed, aiorch_error *error) {
  aio__error_clear(error);
  if ((!tenant && tenant_len > 0) || !tag || tag_len == 0) {
    return aio__error_set(error, AIORCH_E_INVALID,
                          "a tag is needed: an answer's id, or the id or source of a document that it rests on");
  }
  return drop(orch, aio__str_n(tenant, tenant_len), aio__str_n(tag, tag_len), timeout_ms, removed, error);
}
