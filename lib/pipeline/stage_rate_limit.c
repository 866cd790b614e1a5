/* Stage 2: may this user and tenant spend one more run? cost/limits.c says what must hold, the ledger answers at once for all
 * of it. */
#include <string.h>

#include "pipeline/stages.h"

enum { START = 0, WAIT = 1 };

/* Money is reserved before it is spent: the most that this run can cost, or 1 when nobody knows. */
static int64_t reserve(aiorch_run *run) {
  if (run->options->budget_user == 0 && run->options->budget_tenant == 0) return 0;
  int64_t tokens = aio__prompt_bound(run), most = 0;
  return aio__run_highest_price(run, tokens, &most) && most > 0 ? most : 1;
}

static aiorch_status refuse(aiorch_run *run) {
  const aio__constraint *c = &run->constraints[run->admission.violated];
  bool money = c->kind == AIO__LIMIT_MONEY;
  run->refused = true;
  run->limit_setting = c->setting;
  aio__count(&run->orch->counters, money ? AIO__N_REFUSED_BUDGET : AIO__N_REFUSED_RATE_LIMIT);
  aiorch_status st = money ? AIORCH_E_BUDGET_EXCEEDED : AIORCH_E_RATE_LIMITED;
  char next[64] = "waiting does not help";
  if (run->admission.retry_after_ms >= 0) {
    aio__buf text;
    aio__buf_init(&text, run->al, sizeof next - 1);
    if (aio__buf_fmt(&text, "next in %lld s", (long long)((run->admission.retry_after_ms + 999) / 1000)) == AIORCH_OK) {
      memcpy(next, text.p, text.n + 1);
    }
    aio__buf_free(&text);
  }
  if (money) {
    char used[32], limit[32];
    aio__usd_text(run->admission.used, used);
    aio__usd_text(c->limit, limit);
    aio__run_fail(run, AIORCH_STAGE_RATE_LIMIT, st, "the budget is spent: %s of %s USD in %lld s; %s; \"%s\" sets it", used,
                  limit, (long long)(c->window_ms / 1000), next, c->setting);
  } else {
    aio__run_fail(run, AIORCH_STAGE_RATE_LIMIT, st, "too many runs: %lld of %lld in %lld s; %s; \"%s\" sets the limit",
                  (long long)run->admission.used, (long long)c->limit, (long long)(c->window_ms / 1000), next, c->setting);
  }
  run->error.retry_after_ms = run->admission.retry_after_ms;
  return st;
}

/* "open" and "local" let the run through when the store cannot be asked; local's own count is kept by the orchestrator. */
static aiorch_status store_down(aiorch_run *run, aiorch_status st) {
  aio__count(&run->orch->counters, AIO__N_STORE_ERRORS);
  if (st == AIORCH_E_NOMEM || strcmp(run->options->rate_on_store_down, "closed") == 0) {
    return aio__run_fail(run, AIORCH_STAGE_RATE_LIMIT, st, "%s", run->op.error.message);
  }
  if (strcmp(run->options->rate_on_store_down, "local") == 0) {
    aiorch_status local = aio__orch_admit_local(run->orch, run->tenant, run->constraints, run->constraint_count,
                                                &run->admission);
    if (local < 0) return aio__run_fail(run, AIORCH_STAGE_RATE_LIMIT, local, "out of memory in the local limiter");
    if (!run->admission.admitted) return refuse(run);
  }
  run->admitted = true;
  run->stages[AIORCH_STAGE_RATE_LIMIT].outcome = AIORCH_OUTCOME_DEGRADED;
  aio__run_warn(run, AIORCH_STAGE_RATE_LIMIT, st, "the limiter's store is down; admitted as "
                "\"rate_limit.on_store_down\" says: %s", run->op.error.message);
  return AIORCH_OK;
}

static aiorch_status admitted(aiorch_run *run, aiorch_status st) {
  if (st == AIORCH_PENDING) return st;
  if (st < 0) {
    run->asked = false;
    return store_down(run, st);
  }
  if (!run->admission.admitted) return refuse(run);
  run->admitted = true;
  return AIORCH_OK;
}

/* Where a call of the store is a journey, the lookup that comes next goes along. */
static aiorch_status ask_store(aiorch_run *run) {
  aio__store *store = run->orch->store;
  aio__cache_ask ask = {.arena = &run->arena, .entry = &run->entry, .found = &run->entry_found};
  aio__str id = aio__str_n(run->id, AIO__UUID_LEN);
  run->asked = store->ledger->enter && run->walks && aio__cache_ask_place(run, &ask.scope, &ask.key) == AIORCH_OK;
  int64_t now_ms = aio__clock_wall_ms(run->orch->clock);
  aio__op *op = aio__run_op_begin(run, run->deadline_ns);
  if (!run->asked) {
    return aio__run_op(run, store->ledger->admit(store, op, run->tenant, id, run->constraints, run->constraint_count, now_ms,
                                                 &run->admission));
  }
  memcpy(run->asked_scope, run->scope, sizeof run->asked_scope);
  memcpy(run->asked_key, run->key, sizeof run->asked_key);
  return aio__run_op(run, store->ledger->enter(store, op, run->tenant, id, run->constraints, run->constraint_count, &ask, run->lookup_ms,
                                               &run->admission));
}

aiorch_status aio__stage_rate_limit(aiorch_run *run) {
  if (run->step == WAIT) return admitted(run, aio__run_op_poll(run));
  run->constraint_count = aio__limits_for_run(run->options, run->user, reserve(run), run->constraints);
  if (run->constraint_count == 0) {
    run->admitted = true;
    run->admission.admitted = true;
    return AIORCH_OK;
  }
  run->step = WAIT;
  return admitted(run, ask_store(run));
}
