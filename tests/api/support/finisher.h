/* A provider plug-in that ends its calls in every way that the contract allows and several that it does not: see the modes.
 * Public headers only. */
#ifndef TEST_FINISHER_H
#define TEST_FINISHER_H

#include <aiorch/aiorch.h>
#include <pthread.h>
#include <stdatomic.h>

enum finisher_mode {
  FINISH_INLINE,          /* before the slot returns */
  FINISH_THREAD,          /* from another thread, in pieces */
  FINISH_ON_RELEASE,      /* from another thread, when finisher_release says so */
  FINISH_TWICE,           /* inline, and once more at once */
  FINISH_NEVER,           /* not even after cancel */
  FINISH_ON_CANCEL,       /* from the cancel slot */
  FINISH_AFTER_CANCEL,    /* from another thread, after its cancel slot ran */
  FINISH_OK_WITHOUT,      /* returns SLOT_OK and has not finished */
  FINISH_RETURN_ZERO,     /* what a callback returns that died in another language */
  FINISH_RETURN_ERROR,    /* AIORCH_E_PROVIDER_BUSY */
  FINISH_FAIL_AFTER_TEXT, /* emits 4,000 bytes, and fails from another thread when finisher_release says so */
  FINISH_REENTER          /* calls back into the run and the orchestrator */
};

typedef struct finisher {
  enum finisher_mode mode;
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  int released;
  atomic_int starts, finishes, cancels, destroys;
  atomic_int finish_status;     /* what aiorch_call_finish said last */
  atomic_int second_status;     /* what the second finish said */
  atomic_int emit_after_cancel; /* what emit said after cancel */
  atomic_int reenter_next, reenter_free, reenter_close;
  pthread_t threads[4096];
  atomic_int thread_count;
  aiorch *orch;                 /* for FINISH_REENTER */
  aiorch_run *run;
} finisher;

void finisher_init(finisher *f, enum finisher_mode mode);
void finisher_release(finisher *f);
aiorch_status finisher_add(aiorch_config *config, const char *name, finisher *f);

#endif
