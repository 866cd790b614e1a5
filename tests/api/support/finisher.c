#include "finisher.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
  finisher *f;
  aiorch_call *call;
} job;

static void finish(finisher *f, aiorch_call *call) {
  atomic_fetch_add(&f->finishes, 1);
  atomic_store(&f->finish_status, aiorch_call_finish(call, AIORCH_OK));
}

static void wait_released(finisher *f) {
  pthread_mutex_lock(&f->mutex);
  while (!f->released) pthread_cond_wait(&f->cond, &f->mutex);
  pthread_mutex_unlock(&f->mutex);
}

static void *work(void *arg) {
  job *j = arg;
  finisher *f = j->f;
  bool fails = f->mode == FINISH_FAIL_AFTER_TEXT;
  if (f->mode == FINISH_ON_RELEASE || f->mode == FINISH_AFTER_CANCEL || fails) wait_released(f);
  if (fails) {
    aiorch_call_finish(j->call, AIORCH_E_NETWORK);
    free(j);
    return NULL;
  }
  aiorch_status st = AIORCH_OK;
  for (int i = 0; i < 8; i++) st = aiorch_call_emit(j->call, "piece ", 6);
  if (f->mode == FINISH_AFTER_CANCEL) atomic_store(&f->emit_after_cancel, st);
  aiorch_call_put_usage(j->call, AIORCH_USAGE_INPUT, 10);
  aiorch_call_put_usage(j->call, AIORCH_USAGE_OUTPUT, 8);
  finish(f, j->call);
  free(j);
  return NULL;
}

static aiorch_status start_thread(finisher *f, aiorch_call *call) {
  job *j = malloc(sizeof *j);
  if (!j) return AIORCH_E_NOMEM;
  j->f = f;
  j->call = call;
  int at = atomic_fetch_add(&f->thread_count, 1);
  if (pthread_create(&f->threads[at], NULL, work, j) != 0) abort();
  return AIORCH_SLOT_PENDING;
}

static aiorch_status reenter(finisher *f, aiorch_call *call) {
  const aiorch_event *event = NULL;
  atomic_store(&f->reenter_next, aiorch_run_next(f->run, 0, &event));
  atomic_store(&f->reenter_free, aiorch_free(f->orch));
  atomic_store(&f->reenter_close, aiorch_close(f->orch, 0));
  aiorch_call_emit(call, "answer", 6);
  finish(f, call);
  return AIORCH_SLOT_OK;
}

static aiorch_status generate(void *self, aiorch_call *call) {
  finisher *f = self;
  atomic_fetch_add(&f->starts, 1);
  switch (f->mode) {
    case FINISH_INLINE:
    case FINISH_TWICE:
      aiorch_call_emit(call, "answer", 6);
      finish(f, call);
      if (f->mode == FINISH_TWICE) atomic_store(&f->second_status, aiorch_call_finish(call, AIORCH_OK));
      return AIORCH_SLOT_OK;
    case FINISH_THREAD:
    case FINISH_ON_RELEASE:
    case FINISH_AFTER_CANCEL: return start_thread(f, call);
    case FINISH_NEVER:
    case FINISH_ON_CANCEL: return AIORCH_SLOT_PENDING;
    case FINISH_OK_WITHOUT: return AIORCH_SLOT_OK;
    case FINISH_RETURN_ERROR: return AIORCH_E_PROVIDER_BUSY;
    case FINISH_FAIL_AFTER_TEXT: {
      char text[4000];
      for (size_t i = 0; i < sizeof text; i++) text[i] = i % 8 == 7 ? ' ' : 'x'; /* words: an endless one would be held back */
      aiorch_call_emit(call, text, sizeof text);
      return start_thread(f, call);
    }
    case FINISH_REENTER: return reenter(f, call);
    case FINISH_RETURN_ZERO: break;
  }
  return 0;
}

static void cancel(void *self, aiorch_call *call) {
  finisher *f = self;
  atomic_fetch_add(&f->cancels, 1);
  if (f->mode == FINISH_ON_CANCEL) finish(f, call);
  if (f->mode == FINISH_AFTER_CANCEL) finisher_release(f);
}

static void destroy(void *self) {
  finisher *f = self;
  finisher_release(f);
  for (int i = 0; i < atomic_load(&f->thread_count); i++) pthread_join(f->threads[i], NULL);
  atomic_fetch_add(&f->destroys, 1);
}

void finisher_init(finisher *f, enum finisher_mode mode) {
  memset(f, 0, sizeof *f);
  f->mode = mode;
  pthread_mutex_init(&f->mutex, NULL);
  pthread_cond_init(&f->cond, NULL);
}

void finisher_release(finisher *f) {
  pthread_mutex_lock(&f->mutex);
  f->released = 1;
  pthread_cond_broadcast(&f->cond);
  pthread_mutex_unlock(&f->mutex);
}

aiorch_status finisher_add(aiorch_config *config, const char *name, finisher *f) {
  aiorch_provider_vtbl vtbl;
  memset(&vtbl, 0, sizeof vtbl);
  vtbl.struct_size = sizeof vtbl;
  vtbl.model = "test-model";
  vtbl.generate = generate;
  vtbl.cancel = cancel;
  vtbl.destroy = destroy;
  return aiorch_config_add_provider(config, name, &vtbl, f, NULL);
}
