/* Kept answers in memory: a table by place, one by id, and a list in the order of use. */
#include <stdlib.h>
#include <string.h>

#include "stores/memory_private.h"
#include "stores/vector_rows.h"

enum { LIST_MAX = 10000, ENTRY_OVERHEAD = 256, SOURCE_OVERHEAD = 48 };

static bool copy_str(aio__arena *arena, aio__str *text) {
  *text = aio__arena_str(arena, *text);
  return text->p != NULL;
}

/* Replaces the texts of `row` by copies in the arena. */
static bool copy_row(aio__arena *arena, aio__cache_entry *row, bool whole) {
  aio__cache_source *sources = aio__arena_alloc(arena, (row->rests_on_count + 1) * sizeof *sources);
  if (sources == NULL) return false;
  if (row->rests_on_count > 0) memcpy(sources, row->rests_on, row->rests_on_count * sizeof *sources);
  row->rests_on = sources;
  if (!whole) row->answer = row->sources = (aio__str){"", 0};
  return copy_str(arena, &row->scope) && copy_str(arena, &row->key) && copy_str(arena, &row->query) &&
         copy_str(arena, &row->answer) && copy_str(arena, &row->sources) && copy_str(arena, &row->chunks) &&
         copy_str(arena, &row->provider) && copy_str(arena, &row->model);
}

static int64_t entry_bytes(const aio__cache_entry *e) {
  return (int64_t)(ENTRY_OVERHEAD + e->query.n + e->answer.n + e->sources.n + e->provider.n + e->model.n +
                   e->rests_on_count * SOURCE_OVERHEAD + (e->vector != NULL ? e->vector->dimensions * sizeof(float) : 0));
}

static void entry_free(const aio__alloc *al, aio__mem_entry *entry) {
  if (entry == NULL) return;
  aio__arena_free(&entry->arena);
  aio__free(al, entry);
}

static aio__str make_place(aio__arena *arena, aio__str scope, aio__str key) {
  char *p = aio__arena_room(arena, scope.n + key.n + 1);
  if (p != NULL && scope.n > 0) memcpy(p, scope.p, scope.n);
  if (p != NULL && key.n > 0) memcpy(p + scope.n, key.p, key.n);
  if (p != NULL) p[scope.n + key.n] = '\0';
  return (aio__str){p, scope.n + key.n};
}

static aio__mem_entry *entry_new(const aio__alloc *al, const aio__cache_entry *row) {
  aio__mem_entry *entry = aio__calloc(al, 1, sizeof *entry);
  if (entry == NULL) return NULL;
  aio__arena_init(&entry->arena, al, AIO__MEM_BLOCK);
  entry->row = *row;
  entry->row.hits = 0;
  entry->row.vector = NULL;
  entry->bytes = entry_bytes(row);
  entry->place = make_place(&entry->arena, row->scope, row->key);
  if (entry->place.p != NULL && copy_row(&entry->arena, &entry->row, true)) return entry;
  entry_free(al, entry);
  return NULL;
}

/* ---- the order of use ------------------------------------------------------------------------------------------- */

static void unlink_use(aio__mem_tenant *tenant, aio__mem_entry *entry) {
  if (entry->older != NULL)
    entry->older->newer = entry->newer;
  else
    tenant->oldest = entry->newer;
  if (entry->newer != NULL)
    entry->newer->older = entry->older;
  else
    tenant->newest = entry->older;
}

static void link_use(aio__mem_tenant *tenant, aio__mem_entry *entry) {
  entry->older = tenant->newest;
  entry->newer = NULL;
  if (tenant->newest != NULL)
    tenant->newest->newer = entry;
  else
    tenant->oldest = entry;
  tenant->newest = entry;
}

/* ---- the answers of one scope ----------------------------------------------------------------------------------- */

/* The scope of an entry that is to be linked in, made when it is new. NULL: out of memory. */
static aio__mem_scope *scope_for(aio__mem_tenant *tenant, aio__str name) {
  aio__mem_scope *scope = aio__map_get(&tenant->scopes, name);
  if (scope != NULL) return scope;
  scope = aio__malloc(tenant->al, sizeof *scope + name.n);
  if (scope == NULL) return NULL;
  *scope = (aio__mem_scope){.name = {scope->bytes, name.n}};
  if (name.n > 0) memcpy(scope->bytes, name.p, name.n);
  if (aio__map_put(&tenant->scopes, scope->name, scope) == AIORCH_OK) return scope;
  aio__free(tenant->al, scope);
  return NULL;
}

static void scope_free_if_empty(aio__mem_tenant *tenant, aio__mem_scope *scope) {
  if (scope == NULL || scope->newest != NULL) return;
  aio__map_remove(&tenant->scopes, scope->name);
  aio__free(tenant->al, scope);
}

static void link_scope(aio__mem_scope *scope, aio__mem_entry *entry) {
  entry->scope = scope;
  entry->scope_older = scope->newest;
  entry->scope_newer = NULL;
  if (scope->newest != NULL) scope->newest->scope_newer = entry;
  scope->newest = entry;
}

static void unlink_scope(aio__mem_tenant *tenant, aio__mem_entry *entry) {
  if (entry->scope_older != NULL) entry->scope_older->scope_newer = entry->scope_newer;
  if (entry->scope_newer != NULL)
    entry->scope_newer->scope_older = entry->scope_older;
  else
    entry->scope->newest = entry->scope_older;
  scope_free_if_empty(tenant, entry->scope);
}

static void drop(aio__mem_tenant *tenant, aio__mem_entry *entry) {
  unlink_use(tenant, entry);
  unlink_scope(tenant, entry);
  aio__mem_unmark_all(tenant, AIO__MEM_ENTRIES, &entry->marks);
  aio__map_remove(&tenant->entries_by_place, entry->place);
  aio__map_remove(&tenant->entries_by_id, aio__str_z(entry->row.id));
  tenant->entry_count--;
  tenant->entry_bytes -= entry->bytes;
  entry_free(tenant->al, entry);
}

void aio__mem_cache_free(aio__mem_tenant *tenant) {
  while (tenant->oldest != NULL) drop(tenant, tenant->oldest);
  aio__map_free(&tenant->entries_by_place);
  aio__map_free(&tenant->entries_by_id);
  aio__map_free(&tenant->scopes);
}

static bool rests_on(const aio__mem_entry *entry, aio__str document_id) {
  for (size_t i = 0; i < entry->row.rests_on_count; i++)
    if (aio__str_eqz(document_id, entry->row.rests_on[i].document_id)) return true;
  return false;
}

void aio__mem_cache_drop_for_document(aio__mem_tenant *tenant, aio__str document_id) {
  for (aio__mem_entry *entry = tenant->oldest, *next; entry != NULL; entry = next) {
    next = entry->newer;
    if (rests_on(entry, document_id)) drop(tenant, entry);
  }
}

void aio__mem_cache_live(const aio__mem_tenant *tenant, int64_t now_ms, int64_t *entries, int64_t *bytes) {
  for (const aio__mem_entry *entry = tenant->oldest; entry != NULL; entry = entry->newer) {
    if (entry->row.expires_ms <= now_ms) continue;
    *entries += 1;
    *bytes += entry->bytes;
  }
}

/* ---- lookup, list ----------------------------------------------------------------------------------------------- */

static bool give(const aio__mem_tenant *tenant, const aio__mem_entry *entry, int64_t now_ms, bool whole,
                 aio__arena *arena, aio__cache_entry *out) {
  *out = entry->row;
  if (out->created_ms > now_ms) out->created_ms = now_ms;
  out->stale = entry->stood < tenant->knowledge;
  out->knowledge = tenant->knowledge + 1;
  return copy_row(arena, out, whole);
}

/* Made ahead of now, it counts as made now, and is made so: otherwise it would live until the clock has caught up. */
static void age_from(aio__mem_tenant *tenant, aio__mem_entry *entry, int64_t now_ms) {
  if (entry->row.created_ms <= now_ms) return;
  entry->row.expires_ms -= entry->row.created_ms - now_ms;
  entry->row.created_ms = now_ms;
  if (entry->row.expires_ms < tenant->first_expiry) tenant->first_expiry = entry->row.expires_ms;
}

static bool has_neighbours(const aio__mem_tenant *tenant, aio__str scope_name, aio__str key, int64_t now_ms) {
  const aio__mem_scope *scope = aio__map_get(&tenant->scopes, scope_name);
  for (const aio__mem_entry *entry = scope != NULL ? scope->newest : NULL; entry != NULL; entry = entry->scope_older)
    if (aio__mem_serves_others(entry, now_ms) && !aio__str_eq(entry->row.key, key)) return true;
  return false;
}

/* `hit` NULL: nothing is there. */
static aiorch_status answer(aio__mem_tenant *tenant, aio__op *op, aio__mem_entry *hit, int64_t now_ms,
                            aio__arena *arena, aio__cache_entry *out) {
  if (hit == NULL) return AIORCH_OK;
  if (!give(tenant, hit, now_ms, true, arena, out)) return aio__mem_nomem(op);
  age_from(tenant, hit, now_ms);
  out->hits = ++hit->row.hits;
  unlink_use(tenant, hit);
  link_use(tenant, hit);
  return AIORCH_OK;
}

/* The entry, when it is one of the scope and not too old; else NULL. */
static aio__mem_entry *serving(aio__mem_entry *entry, aio__str scope, int64_t now_ms) {
  return entry != NULL && entry->row.expires_ms > now_ms && aio__str_eq(entry->row.scope, scope) ? entry : NULL;
}

static aiorch_status lookup(aio__store *base, aio__op *op, aio__str tenant_name, aio__str scope, aio__str key,
                            int64_t now_ms, aio__arena *arena, aio__cache_entry *entry, bool *found) {
  aio__mem_store *store = (aio__mem_store *)base;
  aio__cache_entry out = {.knowledge = 1};
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  aio__mem_entry *hit = NULL;
  if (tenant != NULL) {
    aio__str place = make_place(arena, scope, key);
    if (place.p == NULL) return aio__mem_leave(store, aio__mem_nomem(op));
    hit = serving(aio__map_get(&tenant->entries_by_place, place), scope, now_ms);
    out.knowledge = tenant->knowledge + 1;
    status = answer(tenant, op, hit, now_ms, arena, &out);
    if (hit == NULL || out.stale) out.neighbours = has_neighbours(tenant, scope, key, now_ms);
  }
  if (status == AIORCH_OK) {
    *entry = out;
    *found = hit != NULL;
  }
  return aio__mem_leave(store, status);
}

static aiorch_status read_by_id(aio__store *base, aio__op *op, aio__str tenant_name, aio__str scope, aio__str id,
                                int64_t now_ms, aio__arena *arena, aio__cache_entry *entry, bool *found) {
  aio__mem_store *store = (aio__mem_store *)base;
  aio__cache_entry out = {.knowledge = 1};
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  aio__mem_entry *hit = tenant != NULL ? serving(aio__map_get(&tenant->entries_by_id, id), scope, now_ms) : NULL;
  if (tenant != NULL) {
    out.knowledge = tenant->knowledge + 1;
    status = answer(tenant, op, hit, now_ms, arena, &out);
  }
  if (status == AIORCH_OK) {
    *entry = out;
    *found = hit != NULL;
  }
  return aio__mem_leave(store, status);
}

int aio__mem_newest_first(const void *a, const void *b) {
  const aio__mem_entry *x = *(aio__mem_entry *const *)a, *y = *(aio__mem_entry *const *)b;
  if (x->row.created_ms != y->row.created_ms) return x->row.created_ms > y->row.created_ms ? -1 : 1;
  return -strcmp(x->row.id, y->row.id); /* ids are sorted by time, too */
}

static aiorch_status list(aio__store *base, aio__op *op, aio__str tenant_name, size_t limit, int64_t now_ms,
                          aio__arena *arena, aio__cache_entry **entries, size_t *count) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  const aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  size_t most = tenant != NULL ? (size_t)tenant->entry_count : 0, all = 0, n = 0;
  aio__mem_entry **live = aio__malloc(store->env.al, (most + 1) * sizeof(aio__mem_entry *));
  for (aio__mem_entry *entry = live != NULL && tenant != NULL ? tenant->oldest : NULL; entry != NULL;
       entry = entry->newer)
    if (entry->row.expires_ms > now_ms) live[all++] = entry;
  if (all > 1) qsort(live, all, sizeof(aio__mem_entry *), aio__mem_newest_first);
  if (limit > LIST_MAX) limit = LIST_MAX;
  if (limit > all) limit = all;
  aio__cache_entry *out = aio__arena_alloc(arena, (limit + 1) * sizeof *out);
  bool ok = live != NULL && out != NULL;
  for (; n < limit && ok; n++) {
    ok = give(tenant, live[n], now_ms, false, arena, &out[n]);
    out[n].bytes = live[n]->bytes;
  }
  aio__free(store->env.al, live);
  if (ok) {
    *entries = out;
    *count = n;
  }
  return aio__mem_leave(store, ok ? AIORCH_OK : aio__mem_nomem(op));
}

/* ---- put -------------------------------------------------------------------------------------------------------- */

static bool versions_hold(const aio__mem_tenant *tenant, const aio__cache_entry *row) {
  for (size_t i = 0; i < row->rests_on_count; i++) {
    const aio__mem_document *d = aio__map_get(&tenant->documents_by_id, aio__str_z(row->rests_on[i].document_id));
    if (d == NULL || d->row.version != row->rests_on[i].version) return false;
  }
  return true;
}

static void drop_expired(aio__mem_tenant *tenant, int64_t now_ms) {
  if (tenant->first_expiry > now_ms) return;
  tenant->first_expiry = INT64_MAX;
  for (aio__mem_entry *entry = tenant->oldest, *next; entry != NULL; entry = next) {
    next = entry->newer;
    if (entry->row.expires_ms <= now_ms)
      drop(tenant, entry);
    else if (entry->row.expires_ms < tenant->first_expiry)
      tenant->first_expiry = entry->row.expires_ms;
  }
}

static void link_entry(aio__mem_tenant *tenant, aio__mem_entry *entry, const aio__cache_limits *limits,
                       int64_t now_ms) {
  int64_t grown_ms = tenant->knowledge_ms < now_ms ? tenant->knowledge_ms : now_ms;
  bool later = tenant->knowledge > 0 && entry->row.created_ms <= grown_ms;
  entry->stood = entry->row.knowledge > 0 ? entry->row.knowledge - 1 : tenant->knowledge - (later ? 1 : 0);
  if (entry->stood > tenant->knowledge) entry->stood = tenant->knowledge;
  drop_expired(tenant, now_ms);
  while (tenant->oldest != NULL &&
         (tenant->entry_count + 1 > limits->max_rows || tenant->entry_bytes + entry->bytes > limits->max_bytes))
    drop(tenant, tenant->oldest);
  link_use(tenant, entry);
  tenant->entry_count++;
  tenant->entry_bytes += entry->bytes;
  if (entry->row.expires_ms < tenant->first_expiry) tenant->first_expiry = entry->row.expires_ms;
}

/* Its vector, before it is linked in. */
static aiorch_status mark_new(aio__mem_tenant *tenant, aio__op *op, aio__mem_entry *entry,
                              const aio__vectors *vector) {
  int which = 0;
  if (vector == NULL) return AIORCH_OK;
  aiorch_status status = aio__mem_model_for(tenant, op, AIO__MEM_ENTRIES, vector, &which);
  if (status != AIORCH_OK) return status;
  return aio__mem_mark(tenant, op, AIO__MEM_ENTRIES, which, &entry->marks, entry, aio__vector_scope(entry->row.scope),
                       vector->rows);
}

static aiorch_status put_entry(aio__mem_tenant *tenant, aio__op *op, const aio__cache_entry *row,
                               const aio__cache_limits *limits, int64_t now_ms, bool *stored) {
  *stored = aio__map_get(&tenant->entries_by_id, aio__str_z(row->id)) != NULL;
  if (*stored || !versions_hold(tenant, row)) return AIORCH_OK;
  aio__mem_entry *entry = entry_new(tenant->al, row);
  if (entry == NULL) return aio__mem_nomem(op);
  aio__mem_scope *scope = NULL;
  aio__mem_entry *old = aio__map_get(&tenant->entries_by_place, entry->place);
  if (old != NULL && !limits->replace && old->row.expires_ms > now_ms && old->stood >= tenant->knowledge) {
    entry_free(tenant->al, entry);
    return AIORCH_OK;
  }
  aiorch_status status = mark_new(tenant, op, entry, row->vector);
  if (status == AIORCH_OK && (scope = scope_for(tenant, entry->row.scope)) == NULL) status = aio__mem_nomem(op);
  if (status == AIORCH_OK && aio__map_put(&tenant->entries_by_id, aio__str_z(entry->row.id), entry) != AIORCH_OK)
    status = aio__mem_nomem(op);
  if (status == AIORCH_OK && old == NULL &&
      aio__map_put(&tenant->entries_by_place, entry->place, entry) != AIORCH_OK)
    status = aio__mem_nomem(op);
  if (status != AIORCH_OK) {
    aio__map_remove(&tenant->entries_by_id, aio__str_z(entry->row.id));
    aio__mem_unmark_all(tenant, AIO__MEM_ENTRIES, &entry->marks);
    scope_free_if_empty(tenant, scope);
    entry_free(tenant->al, entry);
    return status;
  }
  link_scope(scope, entry);
  if (old != NULL) {
    drop(tenant, old);
    (void)aio__map_put(&tenant->entries_by_place, entry->place, entry); /* takes the room that `old` left */
  }
  link_entry(tenant, entry, limits, now_ms);
  *stored = true;
  return AIORCH_OK;
}

static aiorch_status put(aio__store *base, aio__op *op, aio__str tenant_name, const aio__cache_entry *entry,
                         const aio__cache_limits *limits, int64_t now_ms, bool *stored) {
  aio__mem_store *store = (aio__mem_store *)base;
  bool done = false;
  aiorch_status status = entry->vector != NULL ? aio__vectors_check(entry->vector, 1, &op->error) : AIORCH_OK;
  if (status != AIORCH_OK) return status;
  if (entry_bytes(entry) > limits->max_bytes || limits->max_rows < 1) {
    *stored = false;
    return AIORCH_OK;
  }
  status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  aio__mem_tenant *tenant = aio__mem_tenant_make(store, tenant_name);
  if (tenant == NULL)
    status = aio__mem_nomem(op);
  else
    status = put_entry(tenant, op, entry, limits, now_ms, &done);
  if (status == AIORCH_OK) *stored = done;
  return aio__mem_leave(store, status);
}

static aiorch_status revalidated(aio__store *base, aio__op *op, aio__str tenant_name, aio__str id, int64_t knowledge) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  const aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  aio__mem_entry *entry = tenant != NULL ? aio__map_get(&tenant->entries_by_id, id) : NULL;
  if (entry != NULL) {
    int64_t stood = knowledge - 1 < tenant->knowledge ? knowledge - 1 : tenant->knowledge;
    if (stood > entry->stood) entry->stood = stood;
  }
  return aio__mem_leave(store, AIORCH_OK);
}

static void invalidate_tag(aio__mem_tenant *tenant, aio__str tag) {
  size_t at = 0;
  if (tag.n == 0) {
    while (tenant->oldest != NULL) drop(tenant, tenant->oldest);
    return;
  }
  aio__mem_entry *entry = aio__map_get(&tenant->entries_by_id, tag);
  if (entry != NULL) drop(tenant, entry);
  aio__mem_cache_drop_for_document(tenant, tag);
  if (aio__mem_find_source(tenant, tag, &at))
    aio__mem_cache_drop_for_document(tenant, aio__str_z(tenant->documents[at]->row.id));
}

static aiorch_status invalidate(aio__store *base, aio__op *op, aio__str tenant_name, aio__str tag, uint64_t *removed) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  int64_t before = tenant != NULL ? tenant->entry_count : 0;
  if (tenant != NULL) invalidate_tag(tenant, tag);
  *removed = tenant != NULL ? (uint64_t)(before - tenant->entry_count) : 0;
  return aio__mem_leave(store, AIORCH_OK);
}

const aio__cache_ops aio__mem_cache_ops = {
  .lookup = lookup,
  .put = put,
  .near = aio__mem_cache_near,
  .read = read_by_id,
  .unembedded = aio__mem_cache_unembedded,
  .mark_embedded = aio__mem_cache_mark_embedded,
  .exact_only = aio__mem_cache_exact_only,
  .revalidated = revalidated,
  .list = list,
  .invalidate = invalidate,
};
