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
  bool any = plugins->has_embedder || plugins->has_vector_store || plugins->has_logger || plugins->provider_count > 0;
  aiorch_status st = aio__orch_open(&config->options, &config->al, config->clock, &config->plugins, out, error);
  if (st == AIORCH_OK) config->plugins.taken = any;
  return st;
}

/* ---- close ---- */

/* A run that nobody drives is ended here; one that is being driven sees that it is cancelled and ends itself. */
static void cancel_run(aiorch_run *run) {
  atomic_store_explicit(&run->cancelled, true, memory_order_release);
  aio__waker_signal(run->waker);
}

static aiorch_run *next_idle_run(aiorch *orch) {
  size_t pos = 0;
  pthread_mutex_lock(&orch->mutex);
  aiorch_run *run = aio__map_next(&orch->runs, &pos);
  for (; run; run = aio__map_next(&orch->runs, &pos)) {
    cancel_run(run);
    bool idle = false;
    /* Ending it takes it out of the map, so the search starts again each time. */
    if (atomic_compare_exchange_strong(&run->busy, &idle, true)) break;
  }
  pthread_mutex_unlock(&orch->mutex);
  return run;
}

static void end_idle_runs(aiorch *orch) {
  for (aiorch_run *run; (run = next_idle_run(orch)) != NULL;) {
    aio__run_begin(run);
    (void)aio__run_fail(run, run->stage < AIORCH_STAGE_COUNT ? run->stage : 0, AIORCH_E_CANCELLED,
                        "the orchestrator was closed");
    aio__run_end(run);
    atomic_store_explicit(&run->busy, false, memory_order_release);
  }
}

aiorch_status aiorch_close(aiorch *orch, int64_t timeout_ms) {
  aiorch_status st = aio__orch_check(orch);
  if (st) return st;
  if (aio__calls_inside(orch->calls)) return AIORCH_E_REENTRANT;
  int64_t deadline = aio__clock_after_ms(orch->clock, timeout_ms < 0 ? 0 : timeout_ms);
  pthread_mutex_lock(&orch->mutex);
  orch->closing = true;
  pthread_mutex_unlock(&orch->mutex);
  end_idle_runs(orch);
  aio__sched_close(orch->sched);
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
  if (run) cancel_run(run);
  pthread_mutex_unlock(&orch->mutex);
  return run ? AIORCH_OK : AIORCH_E_NOT_FOUND;
}

aiorch_status aiorch_wait(aiorch *orch, int64_t timeout_ms, aiorch_run **run) {
  aiorch_status st = aio__orch_check(orch);
  if (st) return st;
  if (!run) return AIORCH_E_INVALID;
  aio__sched_node *node = NULL;
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
