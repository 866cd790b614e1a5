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

static void settled_one(aiorch *orch) {
  pthread_mutex_lock(&orch->mutex);
  orch->settling--;
  pthread_cond_broadcast(&orch->cond);
  pthread_mutex_unlock(&orch->mutex);
}

static void ended(aio__settlement *s) {
  aiorch *orch = s->orch;
  aio__count(&orch->counters, s->op.status == AIORCH_OK ? AIO__N_COST_ROWS : AIO__N_STORE_ERRORS);
  atomic_store_explicit(&s->ended, true, memory_order_release);
  if (s->waker) aio__waker_signal(s->waker);
  aio__settlement_release(s);
  settled_one(orch);
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

/* ---- attempts of processes that died ---- */

typedef struct expiry {
  aio__op op;
  aiorch *orch;
  uint64_t expired;
} expiry;

static void expiry_ended(expiry *e) {
  aiorch *orch = e->orch;
  if (e->op.status < 0) aio__count(&orch->counters, AIO__N_STORE_ERRORS);
  if (e->expired > 0 && aio__log_wants(orch->log, AIORCH_LOG_WARN)) {
    aio__buf members;
    aio__buf_init(&members, orch->al, AIO__LOG_EVENT_MAX);
    aio__buf_z(&members, "\"count\":");
    if (aio__buf_u64(&members, e->expired) == AIORCH_OK) {
      aio__log_event(orch->log, AIORCH_LOG_WARN, "attempts_unknown", aio__buf_view(&members));
    }
    aio__buf_free(&members);
  }
  aio__free(orch->al, e);
  settled_one(orch);
}

static void expiry_done(aio__op *op, void *ctx) {
  (void)op;
  expiry_ended(ctx);
}

/* Pending attempts whose lease ran out are those of a process that died: with the first settlement of this orchestrator and
 * then once in a while they become unknown. */
static void expire_attempts(aiorch *orch) {
  int64_t now_ms = aio__clock_wall_ms(orch->clock), due_ms = atomic_load(&orch->expire_due_ms);
  if (now_ms < due_ms || !atomic_compare_exchange_strong(&orch->expire_due_ms, &due_ms, now_ms + AIO__EXPIRE_EVERY_MS)) {
    return;
  }
  expiry *e = aio__calloc(orch->al, 1, sizeof *e);
  if (!e) return; /* the next turn will do */
  e->orch = orch;
  pthread_mutex_lock(&orch->mutex);
  orch->settling++;
  pthread_mutex_unlock(&orch->mutex);
  aio__op_init(&e->op, aio__clock_after_ms(orch->clock, AIO__SETTLE_GRACE_MS), expiry_done, e);
  aiorch_status st = orch->store->ledger->expire(orch->store, &e->op, now_ms, &e->expired);
  if (st == AIORCH_PENDING) return;
  e->op.status = st;
  expiry_ended(e);
}

/* ---- start ---- */

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
  expire_attempts(orch);
  return AIORCH_OK;
}

aiorch_status aio__settlement_poll(aio__settlement *s, aiorch_error *error) {
  if (!atomic_load_explicit(&s->ended, memory_order_acquire)) return AIORCH_PENDING;
  if (s->op.status < 0 && error) aio__error_copy(error, &s->op.error);
  return s->op.status;
}
