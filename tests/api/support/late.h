/* A provider whose calls are finished by two threads of its own, sooner or later, in no order that anybody could rely
 * on. Public headers only. */
#ifndef TEST_LATE_H
#define TEST_LATE_H

#include <aiorch/aiorch.h>
#include <pthread.h>
#include <stdatomic.h>

enum { LATE_THREADS = 2, LATE_ROOM = 16384 };

typedef struct late {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  aiorch_call *calls[LATE_ROOM]; /* started and not finished */
  size_t count;
  int stopping;
  pthread_t threads[LATE_THREADS];
  atomic_int starts, finishes, destroys;
  char last_request[4096];
} late;

/* Registers it as "late"; `destroy` stops the threads and finishes what is out. */
aiorch_status late_add(aiorch_config *config, late *l);

#endif
