#include "late.h"

#include <stdlib.h>
#include <string.h>

static void finish(late *l, aiorch_call *call) {
  (void)aiorch_call_emit(call, "A late answer.", 14);
  (void)aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, 5);
  (void)aiorch_call_put_usage(call, AIORCH_USAGE_OUTPUT, 3);
  (void)aiorch_call_finish(call, AIORCH_OK);
  atomic_fetch_add(&l->finishes, 1);
}

static void *work(void *arg) {
  late *l = arg;
  unsigned state = 1;
  pthread_mutex_lock(&l->mutex);
  for (;;) {
    while (l->count == 0 && !l->stopping) pthread_cond_wait(&l->cond, &l->mutex);
    if (l->count == 0) break;
    state = state * 1103515245u + 12345u;
    size_t at = state % l->count;
    aiorch_call *call = l->calls[at];
    l->calls[at] = l->calls[--l->count];
    pthread_mutex_unlock(&l->mutex);
    finish(l, call);
    pthread_mutex_lock(&l->mutex);
  }
  pthread_mutex_unlock(&l->mutex);
  return NULL;
}

static aiorch_status generate(void *self, aiorch_call *call) {
  late *l = self;
  atomic_fetch_add(&l->starts, 1);
  const char *json = NULL;
  size_t len = 0;
  if (aiorch_call_request_json(call, &json, &len) != AIORCH_OK) return AIORCH_E_NOMEM;
  pthread_mutex_lock(&l->mutex);
  if (l->count == LATE_ROOM) abort();
  if (len < sizeof l->last_request) memcpy(l->last_request, json, len + 1);
  l->calls[l->count++] = call;
  pthread_cond_signal(&l->cond);
  pthread_mutex_unlock(&l->mutex);
  return AIORCH_SLOT_PENDING;
}

static void destroy(void *self) {
  late *l = self;
  pthread_mutex_lock(&l->mutex);
  l->stopping = 1;
  pthread_cond_broadcast(&l->cond);
  pthread_mutex_unlock(&l->mutex);
  for (int i = 0; i < LATE_THREADS; i++) pthread_join(l->threads[i], NULL);
  pthread_cond_destroy(&l->cond);
  pthread_mutex_destroy(&l->mutex);
  atomic_fetch_add(&l->destroys, 1);
}

aiorch_status late_add(aiorch_config *config, late *l) {
  memset(l, 0, sizeof *l);
  pthread_mutex_init(&l->mutex, NULL);
  pthread_cond_init(&l->cond, NULL);
  for (int i = 0; i < LATE_THREADS; i++) {
    if (pthread_create(&l->threads[i], NULL, work, l) != 0) abort();
  }
  aiorch_provider_vtbl vtbl;
  memset(&vtbl, 0, sizeof vtbl);
  vtbl.struct_size = sizeof vtbl;
  vtbl.model = "late-1";
  vtbl.generate = generate;
  vtbl.destroy = destroy;
  return aiorch_config_add_provider(config, "late", &vtbl, l, NULL);
}
