/* A store in memory, for tests, scripts and hosts that want no file: opening, closing, tenants. */
#include <string.h>

#include "stores/memory_private.h"

aiorch_status aio__mem_nomem(aio__op *op) {
  return aio__error_set(&op->error, AIORCH_E_NOMEM, "out of memory");
}

aiorch_status aio__mem_enter(aio__mem_store *store, aio__op *op) {
  if (op->deadline_ns != AIO__NEVER && aio__clock_now(store->env.clock) >= op->deadline_ns)
    return aio__error_set(&op->error, AIORCH_E_DEADLINE, "the deadline passed before the store was asked");
  pthread_mutex_lock(&store->mutex);
  return AIORCH_OK;
}

aiorch_status aio__mem_leave(aio__mem_store *store, aiorch_status status) {
  pthread_mutex_unlock(&store->mutex);
  return status;
}

bool aio__mem_reserve(const aio__alloc *al, void **items, size_t *cap, size_t want, size_t size) {
  if (want <= *cap) return true;
  size_t more = *cap > 0 ? *cap * 2 : 4;
  if (more < want) more = want;
  void *grown = aio__realloc(al, *items, more * size);
  if (grown == NULL) return false;
  *items = grown;
  *cap = more;
  return true;
}

static void tenant_free(aio__mem_tenant *tenant) {
  const aio__alloc *al = tenant->al;
  aio__mem_knowledge_free(tenant);
  aio__mem_cache_free(tenant);
  aio__mem_models_free(tenant);
  aio__mem_ledger_free(tenant);
  aio__free(al, (void *)(uintptr_t)tenant->name.p);
  aio__free(al, tenant);
}

aio__mem_tenant *aio__mem_tenant_get(const aio__mem_store *store, aio__str name) {
  return aio__map_get(&store->tenants, name);
}

aio__mem_tenant *aio__mem_tenant_make(aio__mem_store *store, aio__str name) {
  const aio__alloc *al = store->env.al;
  aio__mem_tenant *tenant = aio__mem_tenant_get(store, name);
  if (tenant != NULL) return tenant;
  tenant = aio__calloc(al, 1, sizeof *tenant);
  if (tenant == NULL) return NULL;
  tenant->al = al;
  tenant->cpu = store->cpu;
  tenant->name = (aio__str){aio__strndup(al, name.p, name.n), name.n};
  tenant->first_expiry = INT64_MAX;
  aio__map *const maps[] = {&tenant->documents_by_id,  &tenant->chunks_by_id,  &tenant->words, &tenant->starts,
                            &tenant->entries_by_place, &tenant->entries_by_id, &tenant->logs,
                            &tenant->grants,           &tenant->runs,          &tenant->attempts, &tenant->scopes};
  for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) aio__map_init(maps[i], al);
  if (tenant->name.p != NULL && aio__map_put(&store->tenants, tenant->name, tenant) == AIORCH_OK) return tenant;
  tenant_free(tenant);
  return NULL;
}

static void store_close(aio__store *base) {
  aio__mem_store *store = (aio__mem_store *)base;
  size_t pos = 0;
  for (aio__mem_tenant *tenant; (tenant = aio__map_next(&store->tenants, &pos)) != NULL;) tenant_free(tenant);
  aio__map_free(&store->tenants);
  pthread_mutex_destroy(&store->mutex);
  aio__free(store->env.al, store);
}

aiorch_status aio__store_memory_open(const aio__store_env *env, aio__store **out, aiorch_error *error) {
  aio__error_clear(error);
  aio__mem_store *store = aio__calloc(env->al, 1, sizeof *store);
  if (store == NULL || pthread_mutex_init(&store->mutex, NULL) != 0) {
    aio__free(env->al, store);
    return aio__error_set(error, AIORCH_E_NOMEM, "out of memory");
  }
  store->env = *env;
  aiorch_status status = aio__cpu_from_setting(env->options->cpu, &store->cpu, error);
  if (status != AIORCH_OK) {
    pthread_mutex_destroy(&store->mutex);
    aio__free(env->al, store);
    return status;
  }
  aio__map_init(&store->tenants, env->al);
  store->head.kind = "memory";
  store->head.place = "memory";
  store->head.knowledge = &aio__mem_knowledge_ops;
  store->head.cache = &aio__mem_cache_ops;
  store->head.ledger = &aio__mem_ledger_ops;
  store->head.close = store_close;
  *out = &store->head;
  return AIORCH_OK;
}
