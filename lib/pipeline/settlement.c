/* Settlement: see settlement.h. */
#include "pipeline/settlement.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 255, RUN_TEXTS = 2, ATTEMPT_TEXTS = 3, ROOM = TEXT_MAX + 1 };

struct aio__settlement {
  aio__op op;
  atomic_int refs;      /* the run's and, until it has ended, the ledger's */
  atomic_bool ended;
  bool started;
  aiorch *orch;
  const aio__alloc *al;
  aio__waker *waker;
  aio__str tenant;
  aio__run_row run;
  aio__attempt_row *attempts; /* room for `cap` of them: `first` until more are needed */
  char *attempt_texts;        /* of each its ATTEMPT_TEXTS rooms */
  size_t attempt_count, cap;
  char texts[RUN_TEXTS * ROOM];
  struct {
    aio__attempt_row row;
    char texts[ATTEMPT_TEXTS * ROOM];
  } first; /* most runs make one attempt */
  char names[]; /* tenant and user */
};

/* The place that the last reference leaves. The orchestrator is not held: it waits for `settling` to be 0 before it goes,
 * and the run that started this holds it until then. */
void aio__settlement_release(aio__settlement *s) {
  if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
  aio__waker_release(s->waker);
  if (s->attempts != &s->first.row) aio__free(s->al, s->attempts);
  aio__free(s->al, s);
}

static void settled_one(aiorch *orch) {
  pthread_mutex_lock(&orch->mutex);
  orch->settling--;
  pthread_cond_broadcast(&orch->cond);
  pthread_mutex_unlock(&orch->mutex);
}

static void log_lost(const aiorch *orch, aiorch_status status) {
  char members[64];
  int n = snprintf(members, sizeof members, "\"reason\":\"%s\"", aiorch_status_name(status));
  if (n > 0 && (size_t)n < sizeof members)
    aio__log_event(orch->log, AIORCH_LOG_ERROR, "cost_rows_lost", aio__str_n(members, (size_t)n));
}

static void ended(aio__settlement *s) {
  aiorch *orch = s->orch;
  aio__count(&orch->counters, s->op.status == AIORCH_OK ? AIO__N_COST_ROWS : AIO__N_STORE_ERRORS);
  if (s->op.status < 0) log_lost(orch, s->op.status);
  atomic_store_explicit(&s->ended, true, memory_order_release);
  if (s->waker) aio__waker_signal(s->waker);
  aio__settlement_release(s);
  settled_one(orch);
}

static void done(aio__op *op, void *ctx) {
  (void)op;
  ended(ctx);
}

/* Into the next room; a name that is too long for it is cut. */
static void keep(char **room, aio__str *text) {
  size_t n = aio__utf8_cut(*text, TEXT_MAX);
  if (n > 0) memcpy(*room, text->p, n);
  (*room)[n] = '\0';
  *text = aio__str_n(*room, n);
  *room += ROOM;
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

/* ---- rows ---- */

aio__settlement *aio__settlement_new(aiorch *orch, aio__str tenant, aio__str user) {
  aio__settlement *s = aio__calloc(orch->al, 1, sizeof *s + tenant.n + user.n + 2);
  if (!s) return NULL;
  atomic_init(&s->refs, 1);
  s->orch = orch;
  s->al = orch->al;
  if (tenant.n > 0) memcpy(s->names, tenant.p, tenant.n);
  s->tenant = aio__str_n(s->names, tenant.n);
  char *second = s->names + tenant.n + 1;
  if (user.n > 0) memcpy(second, user.p, user.n);
  s->run.user = aio__str_n(second, user.n);
  s->attempts = &s->first.row;
  s->attempt_texts = s->first.texts;
  s->cap = 1;
  return s;
}

bool aio__settlement_reserve(aio__settlement *s, size_t count) {
  if (count <= s->cap) return true;
  size_t cap = s->cap * 2 > count ? s->cap * 2 : count;
  aio__attempt_row *more = aio__malloc(s->al, cap * (sizeof *more + ATTEMPT_TEXTS * ROOM));
  if (!more) return false;
  if (s->attempts != &s->first.row) aio__free(s->al, s->attempts); /* rows come only when all have their room */
  s->attempts = more;
  s->attempt_texts = (char *)(more + cap);
  s->cap = cap;
  return true;
}

void aio__settlement_add(aio__settlement *s, const aio__attempt_row *attempt) {
  aio__attempt_row *row = &s->attempts[s->attempt_count];
  char *room = s->attempt_texts + s->attempt_count++ * ATTEMPT_TEXTS * ROOM;
  *row = *attempt;
  keep(&room, &row->provider);
  keep(&room, &row->model);
  keep(&room, &row->request_id);
}

/* ---- start ---- */

bool aio__settlement_started(const aio__settlement *s) {
  return s->started;
}

void aio__settlement_start(aio__settlement *s, const aio__run_row *run, aio__waker *waker) {
  aiorch *orch = s->orch;
  aio__str user = s->run.user;
  char *room = s->texts;
  s->started = true;
  s->run = *run;
  s->run.user = user;
  keep(&room, &s->run.provider);
  keep(&room, &s->run.model);
  atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
  s->waker = waker ? aio__waker_retain(waker) : NULL;
  pthread_mutex_lock(&orch->mutex);
  orch->settling++;
  pthread_mutex_unlock(&orch->mutex);
  aio__op_init(&s->op, aio__clock_after_ms(orch->clock, AIO__SETTLE_GRACE_MS), done, s);
  s->op.company = aio__orch_has_company(orch);
  aiorch_status st =
    orch->store->ledger->settle(orch->store, &s->op, s->tenant, &s->run, s->attempts, s->attempt_count);
  if (st != AIORCH_PENDING) {
    s->op.status = st;
    ended(s);
  }
  expire_attempts(orch);
}

aiorch_status aio__settlement_poll(aio__settlement *s, aiorch_error *error) {
  if (!atomic_load_explicit(&s->ended, memory_order_acquire)) return AIORCH_PENDING;
  if (s->op.status < 0 && error) aio__error_copy(error, &s->op.error);
  return s->op.status;
}
