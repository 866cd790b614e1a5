/* See thread.h. */
#include "core/thread.h"

#include <signal.h>

int aio__thread_start(pthread_t *thread, size_t stack_bytes, void *(*run)(void *ctx), void *ctx) {
  pthread_attr_t attr;
  sigset_t all, before;
  int code = pthread_attr_init(&attr);
  if (code != 0) return code;
  pthread_attr_setstacksize(&attr, stack_bytes);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* a new thread has the mask of who makes it */
  code = pthread_create(thread, &attr, run, ctx);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
  return code;
}
