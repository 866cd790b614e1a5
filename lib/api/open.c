/* aiorch_open, aiorch_close, aiorch_free, aiorch_cancel, aiorch_wait, aiorch_fd: the orchestrator from outside. */
#include "api/config.h"
#include "pipeline/run_state.h"

aiorch_status aiorch_open(aiorch_config *config, aiorch **out, aiorch_error *error) {
  aio__error_clear(error);
  if (!out) {
    return aio__error_set(error, AIORCH_E_INVALID, "aiorch_open needs a place for the handle");
  }
  if (aio__config_check(config) != AIORCH_OK) {
    return aio__error_set(error, AIORCH_E_INVALID, "aiorch_open needs a configuration");
  }
  if (config->plugins.taken) {
    return aio__error_set(error, AIORCH_E_STATE,
                          "the plug-ins of this configuration belong to an orchestrator already: make a new one");
  }
  const aio__plugins *plugins = &config->plugins;
  bool any = plugins->has_embedder || plugins->has_vector_store || plugins->has_logger || plugins->provider_count > 0 ||
             plugins->transport;
  aiorch_status st = aio__orch_open(&config->options, &config->al, config->clock, &config->plugins, out, error);
  if (st == AIORCH_OK) config->plugins.taken = any;
  return st;
}

/* ---- close ---- */

aiorch_status aiorch_close(aiorch *orch, int64_t timeout_ms) {
  aiorch_status st = aio__orch_check(orch);
  if (st) return st;
  if (aio__calls_inside(orch->calls)) return AIORCH_E_REENTRANT;
  int64_t deadline = aio__clock_after_ms(orch->clock, timeout_ms < 0 ? 0 : timeout_ms);
  pthread_mutex_lock(&orch->mutex);
  orch->closing = true;
  pthread_mutex_unlock(&orch->mutex);
  aio__runs_close(orch);
  aio__sched_close(orch->sched);
  aio__orch_flush(orch);
  pthread_mutex_lock(&orch->mutex);
  while (orch->settling > 0 || orch->runs.n > 0) {
    if (aio__clock_now(orch->clock) >= deadline) break;
    (void)aio__clock_wait(orch->clock, &orch->cond, &orch->mutex, deadline);
  }
  st = orch->settling > 0 || orch->runs.n > 0 ? AIORCH_AGAIN : AIORCH_OK;
  pthread_mutex_unlock(&orch->mutex);
  aio__log_flush(orch->log);
  return st;
}

aiorch_status aiorch_free(aiorch *orch) {
  if (!orch) return AIORCH_OK;
  aiorch_status st = aio__orch_check(orch);
  if (st == AIORCH_E_FORKED) return AIORCH_OK; /* the parent's: nothing here is ours to free */
  if (st) return st;
  if (aio__calls_inside(orch->calls)) return AIORCH_E_REENTRANT;
  aio__orch_release(orch);
  return AIORCH_OK;
}

/* ---- many runs ---- */

aiorch_status aiorch_cancel(aiorch *orch, const char *run_id, size_t len) {
  aiorch_status st = aio__orch_check(orch);
  if (st) return st;
  if (!run_id) return AIORCH_E_INVALID;
  pthread_mutex_lock(&orch->mutex);
  aiorch_run *run = aio__map_get(&orch->runs, aio__str_n(run_id, len));
  if (run) aio__run_cancel(run);
  pthread_mutex_unlock(&orch->mutex);
  return run ? AIORCH_OK : AIORCH_E_NOT_FOUND;
}

aiorch_status aiorch_wait(aiorch *orch, int64_t timeout_ms, aiorch_run **run) {
  aiorch_status st = aio__orch_check(orch);
  if (st) return st;
  if (!run) return AIORCH_E_INVALID;
  aio__sched_node *node = NULL;
  if (!aio__sched_has_ready(orch->sched)) aio__orch_flush(orch);
  st = aio__sched_wait(orch->sched, aio__clock_after_ms(orch->clock, timeout_ms), &node);
  if (st == AIORCH_OK) *run = node->run;
  return st;
}

aiorch_status aiorch_fd(aiorch *orch, int32_t *out) {
  aiorch_status st = aio__orch_check(orch);
  if (st) return st;
  if (!out) return AIORCH_E_INVALID;
  int fd = -1;
  st = aio__sched_fd(orch->sched, &fd);
  if (st == AIORCH_OK) *out = fd;
  return st;
}
