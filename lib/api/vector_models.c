/* Which models a tenant's rows are embedded under, and how one of them is forgotten. */
#include <aiorch/knowledge.h>

#include <string.h>

#include "core/text_handle.h"
#include "pipeline/orch.h"

enum { JSON_MAX = 1 << 20, FORGET_BATCH = 2000, ARENA_BLOCK = 4096 };

static aiorch_status enter(aiorch *orch, const char *tenant_in, size_t len, aio__str *tenant, aiorch_error *error) {
  if (!tenant_in && len > 0) return aio__error_set(error, AIORCH_E_INVALID, "the tenant is NULL");
  aiorch_status st = aio__orch_enter(orch, aio__str_n(tenant_in, len), tenant, error);
  if (st == AIORCH_OK && aio__calls_inside(orch->calls)) {
    st = aio__error_set(error, AIORCH_E_REENTRANT, "a plug-in's slot must not call this");
  }
  return st;
}

static bool is_current(const aiorch *orch, aio__str model) {
  return orch->plugins.has_embedder && aio__str_eqz(model, orch->plugins.embedder.fingerprint);
}

static aiorch_status write_models(const aiorch *orch, const aio__vector_model *models, size_t count, aiorch_text **out) {
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, orch->al, JSON_MAX);
  aio__jw_init(&w, &buf);
  aio__jw_array(&w);
  for (size_t i = 0; i < count; i++) {
    aio__jw_object(&w);
    aio__jw_kstr(&w, "model", models[i].fingerprint);
    aio__jw_ki64(&w, "chunks", models[i].chunks);
    aio__jw_ki64(&w, "entries", models[i].entries);
    aio__jw_kbool(&w, "current", is_current(orch, models[i].fingerprint));
    aio__jw_kbool(&w, "stored", models[i].stored);
    aio__jw_object_end(&w);
  }
  aio__jw_array_end(&w);
  aiorch_status st = aio__text_from_buf(&buf, out);
  aio__buf_free(&buf);
  return st;
}

aiorch_status aiorch_knowledge_models(aiorch *orch, const char *tenant_in, size_t tenant_len, int64_t timeout_ms,
                                      aiorch_text **out, aiorch_error *error) {
  aio__str tenant;
  aio__sync sync;
  aio__arena arena;
  aio__vector_model *models = NULL;
  size_t count = 0;
  aiorch_status st = enter(orch, tenant_in, tenant_len, &tenant, error);
  if (st == AIORCH_OK && !out) st = aio__error_set(error, AIORCH_E_INVALID, "a place for the list is needed");
  if (st == AIORCH_OK) st = aio__sync_begin(&sync, orch, timeout_ms, error);
  if (st) return st;
  aio__arena_init(&arena, orch->al, ARENA_BLOCK);
  aio__store *store = orch->store;
  st = aio__sync_end(&sync, store->knowledge->models(store, &sync.op, tenant, &arena, &models, &count), error);
  aio__sync_free(&sync);
  if (st == AIORCH_OK && write_models(orch, models, count, out) != AIORCH_OK) {
    st = aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the list of models");
  }
  aio__arena_free(&arena);
  aio__log_flush(orch->log);
  return st;
}

aiorch_status aiorch_knowledge_forget_model(aiorch *orch, const char *tenant_in, size_t tenant_len, const char *model,
                                            size_t model_len, int64_t timeout_ms, uint64_t *removed,
                                            aiorch_error *error) {
  aio__str tenant, fingerprint = aio__str_n(model, model_len);
  aio__sync sync;
  uint64_t all = 0;
  size_t part = FORGET_BATCH;
  aiorch_status st = enter(orch, tenant_in, tenant_len, &tenant, error);
  if (st == AIORCH_OK && (!model || model_len == 0)) {
    st = aio__error_set(error, AIORCH_E_INVALID, "a model is needed, as aiorch_knowledge_models names it");
  }
  if (st == AIORCH_OK && is_current(orch, fingerprint)) {
    st = aio__error_set(error, AIORCH_E_STATE, "\"%.*s\" is what this orchestrator embeds with: it is not forgotten",
                        (int)(model_len < 200 ? model_len : 200), model);
  }
  if (st == AIORCH_OK) st = aio__sync_begin(&sync, orch, timeout_ms, error);
  if (st) return st;
  aio__store *store = orch->store;
  while (st == AIORCH_OK && part == FORGET_BATCH) {
    part = 0;
    st = aio__sync_end(
      &sync, store->knowledge->forget_model(store, &sync.op, tenant, fingerprint, FORGET_BATCH, &part), error);
    if (st == AIORCH_OK) all += part;
  }
  aio__sync_free(&sync);
  if (removed) *removed = all;
  aio__log_flush(orch->log);
  return st;
}
