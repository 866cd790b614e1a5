/*
 * The step engine: drives a run through the table of stages, one step at a time, for all three forms of running.
 *
 *   begin    the deadline starts to count
 *   advance  steps the stage that the run is at until it ends, then the next, until a step is PENDING or the run has ended
 *   end      settles what was spent and not yet logged, queues the final event, leaves the orchestrator's table
 *
 * A failure of a stage does not end the walk: the stages after it are passed over, but for log_cost, which records it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/stages.h"

int64_t aio__run_now(const aiorch_run *run) { return aio__clock_now(run->orch->clock); }

void aio__run_wake_at(aiorch_run *run, int64_t at_ns) {
  if (at_ns < run->wake_ns) run->wake_ns = at_ns;
}

int64_t aio__run_waits_until(const aiorch_run *run) {
  return run->wake_ns < run->deadline_ns ? run->wake_ns : run->deadline_ns;
}

/* ---- store ops ---- */

static void op_done(aio__op *op, void *ctx) {
  (void)op;
  aiorch_run *run = ctx;
  aio__waker *waker = aio__waker_retain(run->waker); /* the run may be freed as soon as op_done is true */
  atomic_store_explicit(&run->op_done, true, memory_order_release);
  aio__waker_signal(waker);
  aio__waker_release(waker);
}

aio__op *aio__run_op_begin(aiorch_run *run, int64_t deadline_ns) {
  atomic_store_explicit(&run->op_done, false, memory_order_relaxed);
  run->op_out = true;
  aio__op_init(&run->op, deadline_ns, op_done, run);
  run->op.company = aio__orch_has_company(run->orch);
  return &run->op;
}

aiorch_status aio__run_op(aiorch_run *run, aiorch_status started) {
  if (started != AIORCH_PENDING) run->op_out = false;
  if (started < 0) run->op.status = started;
  return started;
}

aiorch_status aio__run_op_poll(aiorch_run *run) {
  if (run->op_out && !atomic_load_explicit(&run->op_done, memory_order_acquire)) return AIORCH_PENDING;
  run->op_out = false;
  return run->op.status;
}

/* ---- events and failure ---- */

struct aiorch_event *aio__run_event_text(aiorch_run *run, int32_t type, int stage, aio__str text) {
  if (!run->events_wanted) return NULL;
  struct aiorch_event *event;
  if (text.n == 0) { /* there are few of these, and small ones */
    event = aio__arena_alloc(&run->arena, sizeof *event);
    if (!event) return NULL;
    event->in_arena = true;
    event->text = AIO__LIT("");
  } else {
    event = aio__malloc(run->al, sizeof *event + text.n + 1);
    if (!event) return NULL;
    memset(event, 0, sizeof *event);
    char *copy = (char *)(event + 1);
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    event->text = aio__str_n(copy, text.n);
  }
  event->type = type;
  event->stage = stage;
  event->run = run;
  if (run->events_last) run->events_last->next = event;
  else run->events = event;
  run->events_last = event;
  return event;
}

struct aiorch_event *aio__run_event(aiorch_run *run, int32_t type, int stage) {
  return aio__run_event_text(run, type, stage, AIO__LIT(""));
}

void aio__run_free_event(aiorch_run *run, struct aiorch_event *event) {
  if (event && event != &run->final_event && !event->in_arena) aio__free(run->al, event);
}

__attribute__((format(printf, 2, 0))) static aio__str format_text(aiorch_run *run, const char *format, va_list args) {
  char text[AIO__ERROR_MESSAGE_MAX];
  int n = vsnprintf(text, sizeof text, format, args);
  size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
  /* What was cut may end inside a character. */
  return aio__arena_str(&run->arena, aio__str_n(text, aio__utf8_check(aio__str_n(text, len), NULL)));
}

aiorch_status aio__run_fail(aiorch_run *run, int stage, aiorch_status status, const char *format, ...) {
  if (run->error.status < 0 && run->error.stage >= 0) return status; /* the first failure stays */
  va_list args;
  va_start(args, format);
  char text[AIO__ERROR_MESSAGE_MAX];
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  aio__error_set(&run->error, status, "%s", text);
  run->error.stage = stage;
  if (run->whole && !run->committed && !run->answered) aio__buf_reset(&run->answer); /* what came of it was not given out */
  return status;
}

void aio__run_warn(aiorch_run *run, int stage, aiorch_status status, const char *format, ...) {
  struct aiorch_event *event = aio__run_event(run, AIORCH_EVENT_WARNING, stage);
  if (!event) return;
  va_list args;
  va_start(args, format);
  event->text = format_text(run, format, args);
  va_end(args);
  event->status = status;
}

/* ---- stages ---- */

static int32_t outcome_of(const aiorch_run *run, int stage, aiorch_status st) {
  if (st == AIORCH_PASS) return AIORCH_OUTCOME_SKIPPED;
  if (st < 0) {
    bool refusal = st == AIORCH_E_INVALID_INPUT || st == AIORCH_E_INJECTION || st == AIORCH_E_RATE_LIMITED ||
                   st == AIORCH_E_BUDGET_EXCEEDED || st == AIORCH_E_OUTPUT_BLOCKED;
    return refusal ? AIORCH_OUTCOME_REFUSED : AIORCH_OUTCOME_ERROR;
  }
  if (run->stages[stage].outcome != AIORCH_OUTCOME_SKIPPED) return run->stages[stage].outcome; /* hit, miss, degraded */
  return AIORCH_OUTCOME_OK;
}

/* A stage ends when the next begins: the clock is read once for both. */
static void finish_stage(aiorch_run *run, int stage, aiorch_status st, int64_t *now_ns) {
  aio__stage_record *record = &run->stages[stage];
  record->done = true;
  record->status = st;
  record->outcome = outcome_of(run, stage, st);
  if (record->begun) *now_ns = aio__run_now(run);
  record->us = record->begun ? (*now_ns - record->started_ns) / 1000 : 0;
  if (record->outcome == AIORCH_OUTCOME_DEGRADED) run->degraded = true;
  if (st != AIORCH_PASS) aio__count_stage(&run->orch->counters, stage, record->us);
  struct aiorch_event *event = aio__run_event(run, AIORCH_EVENT_STAGE, stage);
  if (event) {
    event->outcome = record->outcome;
    event->us = record->us;
    event->status = st;
  }
}

static bool is_over(const aiorch_run *run) {
  return atomic_load_explicit(&run->cancelled, memory_order_acquire) || aio__run_now(run) >= run->deadline_ns;
}

/* The run's own end comes before any step: cancelled, or past its deadline. */
static aiorch_status interrupted(aiorch_run *run, int stage, int64_t now_ns) {
  if (atomic_load_explicit(&run->cancelled, memory_order_acquire)) {
    return aio__run_fail(run, stage, AIORCH_E_CANCELLED, "the run was cancelled");
  }
  if (now_ns < run->deadline_ns) return AIORCH_OK;
  return aio__run_fail(run, stage, AIORCH_E_DEADLINE,
                       "the deadline of %lld ms passed in stage %s; \"deadline_ms\" sets it",
                       (long long)run->options->deadline_ms, aio__stages[stage].name);
}

/* While log_cost waits for the ledger alone, cache_store goes on: both then take one round trip to a store behind a socket. It is
 * finished in its turn. */
static void step_beside(aiorch_run *run) {
  const aio__stage *def = &aio__stages[AIORCH_STAGE_CACHE_STORE];
  aio__stage_record *record = &run->stages[AIORCH_STAGE_CACHE_STORE];
  if (!aio__log_cost_waits(run) || record->done || run->beside.ended || is_over(run)) return;
  if (!record->begun) {
    if (def->passes(run)) return;
    record->begun = run->beside.begun = true;
    record->started_ns = aio__run_now(run);
  }
  int step = run->step;
  run->step = run->beside.step;
  run->beside.status = def->step(run);
  run->beside.ended = run->beside.status != AIORCH_PENDING;
  run->beside.step = run->step;
  run->step = step;
}

/* Steps one stage as far as it goes at once. *now_ns: a moment ago, and when the stage has ended. */
static aiorch_status step_stage(aiorch_run *run, int stage, int64_t *now_ns) {
  const aio__stage *def = &aio__stages[stage];
  aio__stage_record *record = &run->stages[stage];
  if (stage == AIORCH_STAGE_CACHE_STORE && run->beside.begun) {
    run->step = run->beside.step;
    run->beside.begun = false;
    if (run->beside.ended) {
      finish_stage(run, stage, run->beside.status, now_ns);
      return run->beside.status;
    }
  }
  if (!record->begun) {
    if (def->passes(run)) {
      finish_stage(run, stage, AIORCH_PASS, now_ns);
      return AIORCH_PASS;
    }
    record->begun = true;
    record->started_ns = *now_ns;
    run->step = 0;
  }
  run->current = stage;
  /* What was spent is handed over first: only the wait for it can be interrupted. */
  bool must_begin = stage == AIORCH_STAGE_LOG_COST && run->step == 0;
  aiorch_status st = must_begin ? AIORCH_OK : interrupted(run, stage, *now_ns);
  run->wake_ns = AIO__NEVER;
  if (st == AIORCH_OK) st = def->step(run);
  if (st == AIORCH_PENDING && must_begin && is_over(run)) st = AIORCH_OK;
  if (st == AIORCH_PENDING) return st;
  finish_stage(run, stage, st, now_ns);
  return st;
}

void aio__run_begin(aiorch_run *run) {
  if (run->phase != AIO__RUN_NEW) return;
  run->phase = AIO__RUN_ACTIVE;
  run->started_ns = aio__run_now(run);
  run->deadline_ns = aio__clock_after_ms(run->orch->clock, run->options->deadline_ms);
  aio__error_clear(&run->error);
  aio__count(&run->orch->counters, AIO__N_RUNS_STARTED);
}

static void count_end(aiorch_run *run) {
  int which = run->status == AIORCH_OK            ? AIO__N_RUNS_OK
              : run->status == AIORCH_E_CANCELLED ? AIO__N_RUNS_CANCELLED
              : run->status == AIORCH_E_DEADLINE  ? AIO__N_RUNS_DEADLINE
                                                  : AIO__N_RUNS_FAILED;
  aio__count(&run->orch->counters, which);
}

void aio__run_end(aiorch_run *run) {
  if (run->phase == AIO__RUN_ENDED) return;
  aiorch *orch = run->orch;
  bool goes_on = aio__generate_drop(run);
  aio__run_embed_end(run);
  aio__buf_free(&run->raw); /* what was held back stays unseen */
  for (size_t i = 0; i < run->attempt_count; i++) {
    aio__attempt *attempt = &run->attempts[i];
    if (attempt->status != AIORCH_PENDING) continue;
    attempt->status = run->error.status < 0 ? run->error.status : AIORCH_E_CANCELLED;
    attempt->duration_us = (aio__run_now(run) - attempt->started_ns) / 1000;
    attempt->cost_known = !goes_on; /* it was not sent, or others will know what it has cost */
    if (goes_on) run->cost_known = false;
  }
  aio__log_cost_hand_over(run);
  run->status = run->error.stage >= 0 && run->error.status < 0 ? run->error.status : AIORCH_OK;
  run->phase = AIO__RUN_ENDED;
  run->ended_ns = aio__run_now(run);
  count_end(run);
  pthread_mutex_lock(&orch->mutex);
  (void)aio__map_remove(&orch->runs, aio__str_n(run->id, AIO__UUID_LEN));
  pthread_cond_broadcast(&orch->cond);
  pthread_mutex_unlock(&orch->mutex);
  if (run->status < 0) {
    struct aiorch_event *event = aio__run_event(run, AIORCH_EVENT_ERROR, run->error.stage);
    if (event) {
      event->status = run->status;
      event->text = aio__arena_str(&run->arena, aio__str_z(run->error.message));
    }
  }
  struct aiorch_event *event = aio__run_event(run, AIORCH_EVENT_FINAL, -1);
  if (event) event->status = run->status;
}

aiorch_status aio__run_advance(aiorch_run *run) {
  if (run->phase == AIO__RUN_ENDED) return AIORCH_DONE;
  int64_t now = aio__run_now(run);
  run->walks = true;
  while (run->stage < AIORCH_STAGE_COUNT) {
    int stage = run->stage;
    if (run->stages[stage].done) {
      run->stage++;
      continue;
    }
    aiorch_status st = step_stage(run, stage, &now);
    if (st == AIORCH_PENDING && stage == AIORCH_STAGE_LOG_COST) step_beside(run);
    if (st == AIORCH_PENDING) return st;
    run->stage++;
    if (st == AIORCH_E_CANCELLED || st == AIORCH_E_DEADLINE) break; /* what was spent is settled by aio__run_end */
  }
  aio__run_end(run);
  return AIORCH_DONE;
}

static bool all_done(const aiorch_run *run) {
  for (int i = 0; i < AIORCH_STAGE_COUNT; i++) {
    if (!run->stages[i].done) return false;
  }
  return true;
}

aiorch_status aio__run_stage(aiorch_run *run, int stage) {
  const aio__stage *def = &aio__stages[stage];
  if (run->phase == AIO__RUN_ENDED) {
    return aio__run_refuse(run, AIORCH_E_STATE, "the run has ended: stage %s cannot run any more", def->name);
  }
  if (run->stages[stage].done) return aio__run_refuse(run, AIORCH_E_STATE, "stage %s has run already", def->name);
  for (int i = 0; i < AIORCH_STAGE_COUNT; i++) {
    if (i == stage || !run->stages[i].begun || run->stages[i].done) continue;
    if (i == AIORCH_STAGE_CACHE_STORE && run->beside.begun) continue; /* it was begun before its turn */
    return aio__run_refuse(run, AIORCH_E_STATE, "stage %s waits for stage %s, which is under way", def->name,
                           aio__stages[i].name);
  }
  if (!def->passes(run) && !def->ready(run)) {
    return aio__run_refuse(run, AIORCH_E_STATE, "stage %s needs %s, which the run does not have", def->name, def->needs);
  }
  aio__run_begin(run);
  if (run->error.stage < 0) aio__error_clear(&run->error);
  for (;;) {
    aio__waker_clear(run->waker);
    int64_t now = aio__run_now(run);
    aiorch_status st = step_stage(run, stage, &now);
    if (st != AIORCH_PENDING) {
      if (all_done(run)) aio__run_end(run);
      return st;
    }
    aio__orch_flush(run->orch);
    (void)aio__waker_wait(run->waker, aio__run_waits_until(run));
  }
}
