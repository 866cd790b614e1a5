/* See attempt.h; what follows which failure is retry.h's. */
#include "generate/attempt.h"

#include "generate/route.h"

static const aio__target *here(const aio__plan *plan) { return &plan->targets[plan->at]; }

static aio__plan_move move(aio__plan_kind kind, aio__plan_turn turn) {
  return (aio__plan_move){.kind = kind, .turn = turn};
}

static uint32_t lot(const aio__plan *plan) {
  return here(plan)->whom.provider->endpoint_count > 1 ? plan->random(plan->random_ctx) : 0;
}

static bool fits(const aio__plan *plan, const aio__target *target) {
  return plan->window == 0 || target->whom.provider->context_tokens > plan->window;
}

static aio__plan_move go(aio__plan *plan, aio__plan_turn turn, const aio__health_choice *choice) {
  plan->endpoint = choice->endpoint;
  plan->probe = choice->probe;
  plan->out = true;
  plan->total++;
  return move(AIO__PLAN_GO, turn);
}

/* ---- which provider ---- */

/* The first in the chain that was not left yet, fits, and may be asked now. */
static aio__plan_move next_provider(aio__plan *plan, aio__plan_turn turn, int64_t now_ms) {
  for (size_t i = 0; i < plan->count; i++) {
    aio__target *target = &plan->targets[i];
    if (target->left || !fits(plan, target)) continue;
    aio__health_choice choice = {.endpoint = 0};
    plan->at = i;
    plan->tried = 0;
    plan->failures = 0;
    if (target->built_in || aio__health_choose(plan->health, target->whom, 0, lot(plan), now_ms, &choice)) {
      return go(plan, turn, &choice);
    }
    target->left = true;
    target->passed_over_ms = now_ms + choice.wait_ms;
  }
  return move(AIO__PLAN_NOBODY, turn);
}

static bool any_provider(const aio__plan *plan, int64_t now_ms) {
  for (size_t i = 0; i < plan->count; i++) {
    const aio__target *target = &plan->targets[i];
    if (i == plan->at || target->left || !fits(plan, target)) continue;
    if (target->built_in || aio__health_any(plan->health, target->whom, 0, now_ms)) return true;
  }
  return false;
}

static aio__plan_move leave(aio__plan *plan, aio__plan_turn turn, int64_t now_ms) {
  plan->targets[plan->at].left = true;
  return next_provider(plan, turn, now_ms);
}

aio__plan_move aio__plan_begin(aio__plan *plan, int64_t now_ms) { return next_provider(plan, AIO__TURN_FIRST, now_ms); }

/* ---- after a failure ---- */

static bool counts_as_attempt(aiorch_status status) {
  return status != AIORCH_E_PROVIDER_KEY && status != AIORCH_E_PROVIDER_MODEL && status != AIORCH_E_CONTEXT_WINDOW;
}

static aio__plan_move other_key(aio__plan *plan, int64_t now_ms) {
  aio__health_choice choice;
  if (!aio__health_choose(plan->health, here(plan)->whom, plan->tried, lot(plan), now_ms, &choice)) {
    return leave(plan, AIO__TURN_OTHER_PROVIDER, now_ms);
  }
  return go(plan, AIO__TURN_OTHER_KEY, &choice);
}

static aio__retry_decision decide(aio__plan *plan, const aio__retry_failure *failure, bool committed, int64_t remaining_ms,
                                  int64_t now_ms) {
  const aio__target *target = here(plan);
  aio__retry_place place = {.attempts_max = plan->attempts_max,
                            .attempts = plan->failures,
                            .committed = committed,
                            .remaining_ms = remaining_ms,
                            .random = plan->random(plan->random_ctx)};
  place.providers_left = any_provider(plan, now_ms);
  if (target->built_in) return aio__retry_decide(failure, &place); /* without a budget it is not tried again */
  place.keys_left = aio__health_any(plan->health, target->whom, plan->tried, now_ms);
  aio__retry_decision decision = aio__health_decide(plan->health, target->whom.provider, failure, &place);
  /* No wait for an endpoint that may not be asked after it either. */
  uint64_t but = plan->tried & ~(UINT64_C(1) << plan->endpoint);
  if (decision.step == AIO__RETRY_SAME_KEY && !aio__health_any(plan->health, target->whom, but, now_ms + decision.wait_ms)) {
    decision.step = place.providers_left ? AIO__RETRY_NEXT_PROVIDER : AIO__RETRY_GIVE_UP;
  }
  return decision;
}

aio__plan_move aio__plan_failed(aio__plan *plan, const aio__retry_failure *failure, bool committed, int64_t remaining_ms,
                                int64_t now_ms) {
  const aio__target *target = here(plan);
  plan->out = plan->opened = false;
  if (!target->built_in) {
    plan->opened = aio__health_report(plan->health, target->whom, plan->endpoint, failure->status, failure->retry_after_ms, now_ms);
    /* What its status does not hold against the provider is no verdict of a probe either. */
    aio__health_nothing(plan->health, target->whom, plan->endpoint, plan->probe, now_ms);
  }
  if (failure->status == AIORCH_E_PROVIDER_KEY || failure->status == AIORCH_E_PROVIDER_LIMIT) {
    plan->tried |= UINT64_C(1) << plan->endpoint;
  }
  if (failure->status == AIORCH_E_CONTEXT_WINDOW) {
    int64_t own = target->whom.provider->context_tokens;
    if (plan->window < own) plan->window = own;
    if (plan->window < plan->prompt_tokens) plan->window = plan->prompt_tokens;
    if (plan->window < 1) plan->window = 1; /* one of which nothing is known is no larger one */
  }
  if (counts_as_attempt(failure->status)) plan->failures++;
  aio__retry_decision decision = decide(plan, failure, committed, remaining_ms, now_ms);
  if (decision.step != AIO__RETRY_GIVE_UP && plan->total >= AIO__PLAN_ATTEMPTS_MAX) return move(AIO__PLAN_NOBODY, AIO__TURN_AGAIN);
  switch (decision.step) {
    case AIO__RETRY_SAME_KEY:
      return (aio__plan_move){.kind = AIO__PLAN_WAIT, .turn = AIO__TURN_AGAIN, .wait_ms = decision.wait_ms};
    case AIO__RETRY_NEXT_KEY: return other_key(plan, now_ms);
    case AIO__RETRY_NEXT_PROVIDER: return leave(plan, AIO__TURN_OTHER_PROVIDER, now_ms);
    case AIO__RETRY_LARGER_WINDOW: return leave(plan, AIO__TURN_LARGER_WINDOW, now_ms);
    default: break;
  }
  bool hard = committed || aio__route_after(failure->status) == AIO__ROUTE_GIVE_UP;
  if (hard) return move(AIO__PLAN_GIVE_UP, AIO__TURN_AGAIN);
  return leave(plan, AIO__TURN_OTHER_PROVIDER, now_ms); /* notes who is passed over, and that nobody is left */
}

aio__plan_move aio__plan_waited(aio__plan *plan, int64_t now_ms) {
  aio__health_choice choice;
  aio__health_whom whom = here(plan)->whom;
  /* Meanwhile another run may have found out that this endpoint is down. */
  if (aio__health_take(plan->health, whom, plan->endpoint, now_ms, &choice) ||
      aio__health_choose(plan->health, whom, plan->tried, lot(plan), now_ms, &choice)) {
    return go(plan, AIO__TURN_AGAIN, &choice);
  }
  plan->targets[plan->at].passed_over_ms = now_ms + (choice.wait_ms < 0 ? 0 : choice.wait_ms);
  return leave(plan, AIO__TURN_OTHER_PROVIDER, now_ms);
}

/* ---- other ends ---- */

void aio__plan_alive(aio__plan *plan) {
  if (!plan->out || !plan->probe) return;
  aio__health_alive(plan->health, here(plan)->whom, plan->endpoint);
  plan->probe = false;
}

void aio__plan_succeeded(aio__plan *plan, int64_t now_ms) {
  const aio__target *target = here(plan);
  plan->out = false;
  if (!target->built_in) (void)aio__health_report(plan->health, target->whom, plan->endpoint, AIORCH_OK, -1, now_ms);
}

void aio__plan_dropped(aio__plan *plan, int64_t now_ms) {
  if (!plan->out) return;
  const aio__target *target = here(plan);
  plan->out = false;
  if (!target->built_in) aio__health_nothing(plan->health, target->whom, plan->endpoint, plan->probe, now_ms);
}

int64_t aio__plan_shortest_ms(const aio__plan *plan, int64_t now_ms) {
  int64_t shortest = -1;
  for (size_t i = 0; i < plan->count; i++) {
    if (plan->targets[i].passed_over_ms == 0) continue;
    int64_t wait = plan->targets[i].passed_over_ms - now_ms;
    if (wait < 0) wait = 0;
    if (shortest < 0 || wait < shortest) shortest = wait;
  }
  return shortest;
}
