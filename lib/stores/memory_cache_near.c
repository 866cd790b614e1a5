/* Vectors of kept answers in memory: what is near to a question within a scope, and which are missing. */
#include <stdlib.h>
#include <string.h>

#include "stores/memory_private.h"
#include "stores/vector_rows.h"

/* ---- near -------------------------------------------------------------------------------------------------------- */

typedef struct wanted {
  aio__str scope;
  int64_t now_ms;
} wanted;

bool aio__mem_serves_others(const aio__mem_entry *entry, int64_t now_ms) {
  return entry->row.expires_ms > now_ms && !entry->row.exact_only;
}

static bool fits(const aio__mem_near *near, const void *owner) {
  const wanted *w = near->ctx;
  return aio__str_eq(((const aio__mem_entry *)owner)->row.scope, w->scope) && aio__mem_serves_others(owner, w->now_ms);
}

/* Nothing was found. Is it that the answers of this scope are embedded by other models only? */
static aiorch_status check_models(const aio__mem_tenant *tenant, aio__op *op, const wanted *w, aio__str fingerprint) {
  uint64_t ours = aio__mem_model_bit(tenant, fingerprint);
  bool theirs = false;
  const aio__mem_scope *scope = aio__map_get(&tenant->scopes, w->scope);
  for (const aio__mem_entry *entry = scope != NULL ? scope->newest : NULL; entry != NULL; entry = entry->scope_older) {
    if (!aio__mem_serves_others(entry, w->now_ms)) continue;
    if ((entry->marks.bits & ours) != 0) return AIORCH_OK;
    theirs |= entry->marks.bits != 0;
  }
  return theirs ? aio__mem_others(tenant, op, AIO__MEM_ENTRIES, fingerprint) : AIORCH_OK;
}

static aiorch_status near_of(aio__mem_tenant *tenant, aio__op *op, const aio__nearest_args *args, const wanted *w,
                             aio__arena *arena, aio__cache_near **entries, size_t *count) {
  int which = aio__mem_model_find(tenant, args->fingerprint);
  uint64_t scope = aio__vector_scope(w->scope);
  aiorch_status status = AIORCH_OK;
  aio__mem_near near = {.tenant = tenant, .fits = fits, .ctx = w};
  if (args->limit == 0) return AIORCH_OK;
  if (which >= 0) near.set = &tenant->models[which].set[AIO__MEM_ENTRIES];
  if (which >= 0 && near.set->marks > 0) status = aio__mem_near_search(&near, op, args, &scope);
  aio__cache_near *out = aio__arena_alloc(arena, (near.n + 1) * sizeof *out);
  if (status == AIORCH_OK && out == NULL) status = aio__mem_nomem(op);
  for (size_t i = 0; i < near.n && status == AIORCH_OK; i++) {
    const aio__mem_entry *entry = near.found[i].owner;
    memcpy(out[i].id, entry->row.id, sizeof out[i].id);
    out[i].query = aio__arena_str(arena, entry->row.query);
    out[i].similarity = near.found[i].similarity;
    if (out[i].query.p == NULL) status = aio__mem_nomem(op);
  }
  if (status == AIORCH_OK && near.n == 0) status = check_models(tenant, op, w, args->fingerprint);
  if (status == AIORCH_OK) {
    *entries = out;
    *count = near.n;
  }
  aio__mem_near_free(&near);
  return status;
}

aiorch_status aio__mem_cache_near(aio__store *base, aio__op *op, aio__str tenant_name, aio__str scope,
                                  const aio__nearest_args *args, int64_t now_ms, aio__arena *arena,
                                  aio__cache_near **entries, size_t *count) {
  aio__mem_store *store = (aio__mem_store *)base;
  wanted w = {scope, now_ms};
  aio__cache_near *out = NULL;
  size_t n = 0;
  aiorch_status status = aio__nearest_check(args, &op->error);
  if (status == AIORCH_OK) status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  if (tenant != NULL) status = near_of(tenant, op, args, &w, arena, &out, &n);
  if (status == AIORCH_OK) {
    *entries = out;
    *count = n;
  }
  return aio__mem_leave(store, status);
}

/* ---- vectors to be made, and kept --------------------------------------------------------------------------------- */

static int oldest_first(const void *a, const void *b) {
  return -aio__mem_newest_first(a, b);
}

aiorch_status aio__mem_cache_unembedded(aio__store *base, aio__op *op, aio__str tenant_name, aio__str fingerprint,
                                        size_t limit, aio__arena *arena, aio__unembedded **entries, size_t *count,
                                        uint64_t *left) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  const aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  size_t most = tenant != NULL ? (size_t)tenant->entry_count : 0, all = 0, n = 0;
  uint64_t bit = tenant != NULL ? aio__mem_model_bit(tenant, fingerprint) : 0;
  aio__mem_entry **missing = aio__malloc(store->env.al, (most + 1) * sizeof(aio__mem_entry *));
  for (aio__mem_entry *entry = missing != NULL && tenant != NULL ? tenant->oldest : NULL; entry != NULL;
       entry = entry->newer)
    if ((entry->marks.bits & bit) == 0) missing[all++] = entry;
  if (all > 1) qsort(missing, all, sizeof(aio__mem_entry *), oldest_first);
  if (limit > all) limit = all;
  aio__unembedded *out = aio__arena_alloc(arena, (limit + 1) * sizeof *out);
  bool ok = missing != NULL && out != NULL;
  for (; n < limit && ok; n++) {
    memcpy(out[n].chunk_id, missing[n]->row.id, sizeof out[n].chunk_id);
    out[n].text = aio__arena_str(arena, missing[n]->row.query);
    ok = out[n].text.p != NULL;
  }
  aio__free(store->env.al, missing);
  if (ok) {
    *entries = out;
    *count = n;
    *left = all;
  }
  return aio__mem_leave(store, ok ? AIORCH_OK : aio__mem_nomem(op));
}

static aiorch_status mark_entries(aio__mem_tenant *tenant, aio__op *op, const aio__vectors *vectors,
                                  const aio__str *ids, size_t count) {
  int which = 0;
  aio__mem_entry *done = NULL; /* what was marked, to be unmarked when one fails */
  aiorch_status status = aio__mem_model_for(tenant, op, AIO__MEM_ENTRIES, vectors, &which);
  for (size_t i = 0; i < count && status == AIORCH_OK; i++) {
    aio__mem_entry *entry = aio__map_get(&tenant->entries_by_id, ids[i]);
    if (entry == NULL || (entry->marks.bits & (uint64_t)1 << which) != 0) continue;
    const float *row = vectors->dimensions > 0 ? vectors->rows + i * vectors->dimensions : NULL;
    status = aio__mem_mark(tenant, op, AIO__MEM_ENTRIES, which, &entry->marks, entry,
                           aio__vector_scope(entry->row.scope), row);
    if (status != AIORCH_OK) continue;
    entry->marked_before = done;
    done = entry;
  }
  for (; done != NULL; done = done->marked_before) {
    int64_t bytes = aio__mem_vector_bytes(tenant, AIO__MEM_ENTRIES, which);
    if (status != AIORCH_OK) {
      aio__mem_unmark(tenant, AIO__MEM_ENTRIES, which, &done->marks);
      continue;
    }
    done->bytes += bytes;
    tenant->entry_bytes += bytes;
  }
  return status;
}

aiorch_status aio__mem_cache_mark_embedded(aio__store *base, aio__op *op, aio__str tenant_name,
                                           const aio__vectors *vectors, const aio__str *ids, size_t count) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__vectors_check(vectors, count, &op->error);
  if (status == AIORCH_OK) status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  if (tenant != NULL && tenant->entry_count > 0 && count > 0) status = mark_entries(tenant, op, vectors, ids, count);
  return aio__mem_leave(store, status);
}

/* ---- feedback ---------------------------------------------------------------------------------------------------- */

aiorch_status aio__mem_cache_exact_only(aio__store *base, aio__op *op, aio__str tenant_name, aio__str id) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  const aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  aio__mem_entry *entry = tenant != NULL ? aio__map_get(&tenant->entries_by_id, id) : NULL;
  if (entry != NULL)
    entry->row.exact_only = true;
  else
    status = aio__error_set(&op->error, AIORCH_E_NOT_FOUND, "no kept answer with the id \"%.*s\"",
                            (int)(id.n < 64 ? id.n : 64), id.p != NULL ? id.p : "");
  return aio__mem_leave(store, status);
}
