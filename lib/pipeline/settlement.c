/* Settlement: see settlement.h. */
#include "pipeline/settlement.h"

struct aio__settlement {
  aio__op op;
  atomic_int refs;      /* the run's and, until it has ended, the ledger's */
  atomic_bool ended;
  aiorch *orch;
  aio__waker *waker;
  aio__arena arena;
  aio__run_row run;
  aio__attempt_row *attempts;
};

/* The place that the last reference leaves. The orchestrator is not held: it waits for `settling` to be 0 before it goes,
 * and the run that started this holds it until then. */
void aio__settlement_release(aio__settlement *s) {
  if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
  const aio__alloc *al = s->arena.al;
  aio__waker_release(s->waker);
  aio__arena_free(&s->arena);
  aio__free(al, s);
}

static void ended(aio__settlement *s) {
  aiorch *orch = s->orch;
  aio__count(&orch->counters, s->op.status == AIORCH_OK ? AIO__N_COST_ROWS : AIO__N_STORE_ERRORS);
  atomic_store_explicit(&s->ended, true, memory_order_release);
  if (s->waker) aio__waker_signal(s->waker);
  aio__settlement_release(s);
  pthread_mutex_lock(&orch->mutex);
  orch->settling--;
  pthread_cond_broadcast(&orch->cond);
  pthread_mutex_unlock(&orch->mutex);
}

static void done(aio__op *op, void *ctx) {
  (void)op;
  ended(ctx);
}

static bool keep(aio__arena *arena, aio__str *text) {
  if (text->n == 0) {
    *text = AIO__LIT("");
    return true;
  }
  *text = aio__arena_str(arena, *text);
  return text->p != NULL;
}

static bool keep_rows(aio__settlement *s, const aio__attempt_row *attempts, size_t count) {
  if (!keep(&s->arena, &s->run.user) || !keep(&s->arena, &s->run.provider) || !keep(&s->arena, &s->run.model)) {
    return false;
  }
  s->attempts = aio__arena_alloc(&s->arena, (count ? count : 1) * sizeof *s->attempts);
  if (!s->attempts) return false;
  for (size_t i = 0; i < count; i++) {
    aio__attempt_row *row = &s->attempts[i];
    *row = attempts[i];
    if (!keep(&s->arena, &row->provider) || !keep(&s->arena, &row->model) || !keep(&s->arena, &row->request_id)) {
      return false;
    }
  }
  return true;
}

aiorch_status aio__settlement_start(aiorch *orch, aio__str tenant, const aio__run_row *run,
                                    const aio__attempt_row *attempts, size_t count, aio__waker *waker,
                                    aio__settlement **out) {
  aio__settlement *s = aio__calloc(orch->al, 1, sizeof *s);
  if (!s) return AIORCH_E_NOMEM;
  atomic_init(&s->refs, 2);
  s->orch = orch;
  s->run = *run;
  aio__arena_init(&s->arena, orch->al, 1024);
  if (!keep(&s->arena, &tenant) || !keep_rows(s, attempts, count)) {
    aio__arena_free(&s->arena);
    aio__free(orch->al, s);
    return AIORCH_E_NOMEM;
  }
  s->waker = waker ? aio__waker_retain(waker) : NULL;
  pthread_mutex_lock(&orch->mutex);
  orch->settling++;
  pthread_mutex_unlock(&orch->mutex);
  aio__op_init(&s->op, aio__clock_after_ms(orch->clock, AIO__SETTLE_GRACE_MS), done, s);
  aiorch_status st = orch->store->ledger->settle(orch->store, &s->op, tenant, &s->run, s->attempts, count);
  *out = s;
  if (st != AIORCH_PENDING) {
    s->op.status = st;
    ended(s);
  }
  return AIORCH_OK;
}

aiorch_status aio__settlement_poll(aio__settlement *s, aiorch_error *error) {
  if (!atomic_load_explicit(&s->ended, memory_order_acquire)) return AIORCH_PENDING;
  if (s->op.status < 0 && error) aio__error_copy(error, &s->op.error);
  return s->op.status;
}
