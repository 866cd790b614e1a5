/* Stage 6: what did it cost? One row for the run and one for each attempt. The rows are the orchestrator's to bring home
 * (settlement.c): this stage waits for them, a run that ends early does not. */
#include <string.h>

#include "pipeline/stages.h"

enum { START = 0, EMBED, WAIT };

/* The run's row names who wrote the answer; without an answer, who was asked for one last and has taken something for it. */
static void name_who_was_paid(const aiorch_run *run, aio__run_row *row) {
  for (size_t i = run->attempt_count; i-- > 0 && row->provider.n == 0;) {
    const aio__attempt *attempt = &run->attempts[i];
    if (attempt->kind != AIORCH_ATTEMPT_GENERATE || (attempt->cost_known && !aio__usage_any(&attempt->usage))) continue;
    row->provider = aio__str_z(attempt->provider);
    row->model = aio__str_z(attempt->model);
  }
}

void aio__log_cost_run_row(const aiorch_run *run, aio__run_row *row) {
  memset(row, 0, sizeof *row);
  memcpy(row->id, run->id, sizeof row->id);
  row->user = run->user;
  row->provider = aio__str_z(run->provider);
  row->model = aio__str_z(run->model);
  name_who_was_paid(run, row);
  row->status = run->error.stage >= 0 && run->error.status < 0 ? run->error.status : AIORCH_OK;
  row->cache = run->cache_outcome;
  row->usage = run->usage;
  row->cost_known = run->cost_known;
  row->cost_nano_usd = run->cost_nano_usd;
  row->created_ms = run->created_ms;
  row->duration_us = (aio__run_now(run) - run->started_ns) / 1000;
}

static void hand_over(aiorch_run *run, aio__waker *waker) {
  aio__run_row row;
  aio__log_cost_run_row(run, &row);
  for (size_t i = 0; i < run->attempt_count; i++) {
    aio__attempt_row attempt;
    aio__attempt_to_row(run, &run->attempts[i], &attempt);
    aio__settlement_add(run->settlement, &attempt);
  }
  aio__settlement_start(run->settlement, &row, waker);
}

static aiorch_status settled(aiorch_run *run) {
  aiorch_error why;
  aio__error_init(&why);
  aiorch_status st = aio__settlement_poll(run->settlement, &why);
  if (st == AIORCH_PENDING || st == AIORCH_OK) return st;
  return aio__run_fail(run, AIORCH_STAGE_LOG_COST, st, "the cost of this run could not be written: %s", why.message);
}

static aiorch_status start(aiorch_run *run) {
  if (!run->settlement) return AIORCH_OK; /* an attempt of its goes on for others: the flight settles it (shared_call.c) */
  run->step = WAIT;
  hand_over(run, run->waker);
  return settled(run);
}

/* What cache_store will need is embedded before the books are closed. That it failed keeps no run from them. */
static aiorch_status embed(aiorch_run *run) {
  run->step = EMBED;
  return aio__run_question_vector(run) == AIORCH_PENDING ? AIORCH_PENDING : start(run);
}

aiorch_status aio__stage_log_cost(aiorch_run *run) {
  switch (run->step) {
    case EMBED: return embed(run);
    case WAIT: return settled(run);
    default: return aio__cache_store_wants_vector(run) ? embed(run) : start(run);
  }
}

bool aio__log_cost_waits(const aiorch_run *run) {
  return run->settlement && aio__settlement_started(run->settlement) && run->stages[AIORCH_STAGE_LOG_COST].begun &&
         !run->stages[AIORCH_STAGE_LOG_COST].done;
}

void aio__log_cost_hand_over(aiorch_run *run) {
  if (!run->settlement || aio__settlement_started(run->settlement) || run->preview) return;
  /* An admission that is still out may be granted when nobody waits for it any more: its money must be given back. */
  bool admitting = run->op_out && run->stages[AIORCH_STAGE_RATE_LIMIT].begun && !run->stages[AIORCH_STAGE_RATE_LIMIT].done;
  if (!admitting && !aio__run_has_spending(run)) return;
  aio__stage_record *record = &run->stages[AIORCH_STAGE_LOG_COST];
  record->done = true;
  record->outcome = AIORCH_OUTCOME_OK;
  hand_over(run, NULL);
}
