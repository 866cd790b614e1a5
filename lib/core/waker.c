/* Wakers: see call.h. */
#include "core/call.h"

aiorch_status aio__waker_new(const aio__alloc *al, const aio__clock *clock, aio__waker **out) {
  aio__waker *waker = aio__calloc(al, 1, sizeof *waker);
  if (!waker) return AIORCH_E_NOMEM;
  atomic_init(&waker->refs, 1);
  waker->al = al;
  waker->clock = clock;
  if (pthread_mutex_init(&waker->mutex, NULL) != 0) goto no_mutex;
  if (aio__cond_init(&waker->cond) != 0) goto no_cond;
  *out = waker;
  return AIORCH_OK;

no_cond:
  pthread_mutex_destroy(&waker->mutex);
no_mutex:
  aio__free(al, waker);
  return AIORCH_E_NOMEM;
}

aio__waker *aio__waker_retain(aio__waker *waker) {
  atomic_fetch_add_explicit(&waker->refs, 1, memory_order_relaxed);
  return waker;
}

void aio__waker_release(aio__waker *waker) {
  if (!waker || atomic_fetch_sub_explicit(&waker->refs, 1, memory_order_acq_rel) != 1) return;
  pthread_cond_destroy(&waker->cond);
  pthread_mutex_destroy(&waker->mutex);
  aio__free(waker->al, waker);
}

void aio__waker_on_ready(aio__waker *waker, void (*ready)(void *ctx), void *ctx) {
  pthread_mutex_lock(&waker->mutex);
  waker->ready = ready;
  waker->ctx = ctx;
  /* What came before anybody listened must not be lost. */
  if (ready && waker->signalled) ready(ctx);
  pthread_mutex_unlock(&waker->mutex);
}

void aio__waker_signal(aio__waker *waker) {
  pthread_mutex_lock(&waker->mutex);
  if (!atomic_load_explicit(&waker->signalled, memory_order_relaxed)) {
    atomic_store_explicit(&waker->signalled, true, memory_order_relaxed);
    pthread_cond_broadcast(&waker->cond);
    if (waker->ready) waker->ready(waker->ctx);
  }
  pthread_mutex_unlock(&waker->mutex);
}

/* What is signalled after this was looked at is not cleared, as if it had come after the lock was let go. */
void aio__waker_clear(aio__waker *waker) {
  if (!atomic_load_explicit(&waker->signalled, memory_order_relaxed)) return;
  pthread_mutex_lock(&waker->mutex);
  atomic_store_explicit(&waker->signalled, false, memory_order_relaxed);
  pthread_mutex_unlock(&waker->mutex);
}

bool aio__waker_wait(aio__waker *waker, int64_t deadline_ns) {
  pthread_mutex_lock(&waker->mutex);
  while (!waker->signalled && aio__clock_wait(waker->clock, &waker->cond, &waker->mutex, deadline_ns)) {
  }
  bool signalled = waker->signalled;
  pthread_mutex_unlock(&waker->mutex);
  return signalled;
}
