/*
 * Who holds a run, and how it goes: taken by an entry point, ended by aiorch_close, freed.
 *
 * `hold` is IDLE, DRIVEN (a thread is inside an entry point) or ENDING (aiorch_close ends it on its own thread), with
 * FREED added when the owner let go meanwhile: whoever holds the run then frees it when it gives the run back. An owner that
 * comes while the run is ENDING waits, so that closing is never seen as a run that is busy.
 */
#include "pipeline/stages.h"

enum { IDLE = 0, DRIVEN = 1, ENDING = 2, FREED = 4 };

/* False when it was not `*from`: then that is what it is. */
static bool change_hold(aiorch_run *run, int *from, int to) {
  return atomic_compare_exchange_strong_explicit(&run->hold, from, to, memory_order_acq_rel, memory_order_acquire);
}

/* Frees zombies whose store op has ended meanwhile. Under the orchestrator's mutex; returns them as a list. */
static aiorch_run *unlink_ended_zombies(aiorch *orch) {
  aiorch_run *ended = NULL;
  for (aiorch_run **link = &orch->zombies; *link;) {
    aiorch_run *run = *link;
    bool op_out = run->op_out && !atomic_load_explicit(&run->op_done, memory_order_acquire);
    bool search_out = run->retrieval.op_out && !atomic_load_explicit(&run->retrieval.op_done, memory_order_acquire);
    if (op_out || search_out) {
      link = &run->next_zombie;
      continue;
    }
    *link = run->next_zombie;
    run->next_zombie = ended;
    ended = run;
  }
  return ended;
}

static void fail_unended(aiorch_run *run) {
  bool complete = true;
  for (int i = 0; i < AIORCH_STAGE_COUNT; i++) complete = complete && run->stages[i].done;
  if (complete || run->answered || run->error.stage >= 0) return;
  (void)aio__run_fail(run, run->current, AIORCH_E_CANCELLED, "the run was freed before it had ended");
}

static void free_held(aiorch_run *run) {
  aiorch *orch = run->orch;
  atomic_store_explicit(&run->cancelled, true, memory_order_release);
  if (run->phase == AIO__RUN_ACTIVE) fail_unended(run);
  aio__waker_on_ready(run->waker, NULL, NULL);
  aio__sched_remove(orch->sched, &run->sched);
  if (!aio__orch_has_company(orch)) aio__io_wake(orch->io); /* it may have been the company that others wait for */
  if (run->phase != AIO__RUN_NEW) aio__run_end(run);
  pthread_mutex_lock(&orch->mutex);
  if (run->phase == AIO__RUN_NEW) {
    (void)aio__map_remove(&orch->runs, aio__str_n(run->id, AIO__UUID_LEN));
    pthread_cond_broadcast(&orch->cond);
  }
  /* What the store still writes into must stay: the run waits in the orchestrator until the op has ended. */
  run->next_zombie = orch->zombies;
  orch->zombies = run;
  aiorch_run *ended = unlink_ended_zombies(orch);
  pthread_mutex_unlock(&orch->mutex);
  for (aiorch_run *next; ended; ended = next) {
    next = ended->next_zombie;
    aio__run_destroy(ended);
  }
  aio__orch_release(orch);
}

/* ---- entry points ---- */

/* Until aiorch_close has ended the run. Its owner is this thread, so that nobody frees it meanwhile. */
static void wait_for_closer(aiorch_run *run) {
  aiorch *orch = run->orch;
  pthread_mutex_lock(&orch->mutex);
  while (atomic_load_explicit(&run->hold, memory_order_relaxed) & ENDING) {
    (void)aio__clock_wait(orch->clock, &orch->cond, &orch->mutex, AIO__NEVER);
  }
  pthread_mutex_unlock(&orch->mutex);
}

aiorch_status aio__run_take(aiorch_run *run) {
  aiorch_status st = aio__run_check(run);
  if (st) return st;
  for (;;) {
    int hold = IDLE;
    if (change_hold(run, &hold, DRIVEN)) return AIORCH_OK;
    if (!(hold & ENDING) || aio__calls_inside(run->orch->calls)) return AIORCH_E_REENTRANT;
    wait_for_closer(run);
  }
}

bool aio__run_give_back(aiorch_run *run) {
  aio__log_flush(run->orch->log);
  int hold = DRIVEN;
  if (change_hold(run, &hold, IDLE)) return true;
  free_held(run); /* freed inside a callback of its own */
  return false;
}

void aio__run_free(aiorch_run *run) {
  if (aio__run_check(run) != AIORCH_OK) return; /* NULL, no run, or a child of the process that made it */
  for (int hold = atomic_load_explicit(&run->hold, memory_order_relaxed);;) {
    int want = hold == IDLE ? DRIVEN : hold | FREED;
    if (want & FREED) atomic_store_explicit(&run->cancelled, true, memory_order_release);
    if (!change_hold(run, &hold, want)) continue;
    if (want == DRIVEN) free_held(run);
    return;
  }
}

/* ---- cancel, close ---- */

void aio__run_cancel(aiorch_run *run) {
  atomic_store_explicit(&run->cancelled, true, memory_order_release);
  aio__waker_signal(run->waker);
}

/* Cancels all, and takes those that nobody drives, as a list. A run of the list is no zombie yet. */
static aiorch_run *take_idle_runs(aiorch *orch) {
  aiorch_run *list = NULL;
  size_t pos = 0;
  pthread_mutex_lock(&orch->mutex);
  for (aiorch_run *run; (run = aio__map_next(&orch->runs, &pos)) != NULL;) {
    aio__run_cancel(run);
    int hold = IDLE;
    if (!change_hold(run, &hold, ENDING)) continue; /* its driver sees that it is cancelled */
    run->next_zombie = list;
    list = run;
  }
  pthread_mutex_unlock(&orch->mutex);
  return list;
}

/* Gives the run to its owner, or frees it when the owner let go meanwhile. */
static void give_to_owner(aiorch_run *run) {
  aiorch *orch = run->orch;
  int hold = ENDING;
  pthread_mutex_lock(&orch->mutex);
  bool given = change_hold(run, &hold, IDLE);
  pthread_cond_broadcast(&orch->cond);
  pthread_mutex_unlock(&orch->mutex);
  if (!given) free_held(run);
}

void aio__runs_close(aiorch *orch) {
  for (aiorch_run *run = take_idle_runs(orch), *next; run; run = next) {
    next = run->next_zombie;
    aio__run_begin(run);
    (void)aio__run_fail(run, run->current, AIORCH_E_CANCELLED, "the orchestrator was closed");
    aio__run_end(run);
    give_to_owner(run);
  }
}
