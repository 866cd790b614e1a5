/* See retry.h. */
#include "generate/retry.h"

static bool may_pass(aiorch_status status) {
  return status == AIORCH_E_NETWORK || status == AIORCH_E_PROVIDER_BUSY || status == AIORCH_E_TRUNCATED ||
         status == AIORCH_E_RESPONSE;
}

static int64_t backoff_ms(int attempts, uint32_t random) {
  int64_t most = AIO__RETRY_BASE_MS;
  for (int i = 1; i < attempts && most < AIO__RETRY_CAP_MS; i++) most *= 2;
  if (most > AIO__RETRY_CAP_MS) most = AIO__RETRY_CAP_MS;
  return (int64_t)(((uint64_t)random * (uint64_t)(most + 1)) >> 32);
}

static aio__retry_decision decide(aio__retry_step step, int64_t wait_ms, int32_t budget_milli) {
  return (aio__retry_decision){.step = step, .wait_ms = wait_ms, .budget_milli = budget_milli};
}

static aio__retry_decision leave(const aio__retry_place *place) {
  return decide(place->providers_left ? AIO__RETRY_NEXT_PROVIDER : AIO__RETRY_GIVE_UP, 0, place->budget_milli);
}

static aio__retry_decision other_key(const aio__retry_place *place) {
  if (!place->keys_left) return leave(place);
  return decide(AIO__RETRY_NEXT_KEY, 0, place->budget_milli);
}

/* The same key again, after a wait, as long as attempts, budget and deadline allow it. */
static aio__retry_decision wait_and_try(const aio__retry_failure *failure, const aio__retry_place *place) {
  int64_t wait_ms = backoff_ms(place->attempts, place->random);
  if (failure->retry_after_ms > wait_ms) wait_ms = failure->retry_after_ms;
  if (wait_ms > AIO__RETRY_CAP_MS && place->providers_left) return leave(place);
  int most = place->attempts_max > 0 ? place->attempts_max : AIO__RETRY_ATTEMPTS_MAX;
  bool allowed = place->attempts < most && place->budget_milli >= AIO__RETRY_COST_MILLI &&
                 wait_ms < place->remaining_ms;
  if (!allowed) return leave(place);
  return decide(AIO__RETRY_SAME_KEY, wait_ms, place->budget_milli - AIO__RETRY_COST_MILLI);
}

aio__retry_decision aio__retry_decide(const aio__retry_failure *failure, const aio__retry_place *place) {
  if (place->committed) return decide(AIO__RETRY_GIVE_UP, 0, place->budget_milli);
  switch (failure->status) {
    case AIORCH_E_PROVIDER_LIMIT:
      /* Another provider answers sooner than a wait would end; with none left the wait is all there is. */
      if (place->keys_left || place->providers_left || failure->should_retry == 0 || failure->not_today) return other_key(place);
      return wait_and_try(failure, place);
    case AIORCH_E_PROVIDER_KEY: return other_key(place);
    case AIORCH_E_PROVIDER_REJECTED:
    case AIORCH_E_CANCELLED:
    case AIORCH_E_DEADLINE:
    case AIORCH_E_NOMEM: return decide(AIO__RETRY_GIVE_UP, 0, place->budget_milli);
    case AIORCH_E_CONTEXT_WINDOW:
      return decide(place->providers_left ? AIO__RETRY_LARGER_WINDOW : AIO__RETRY_GIVE_UP, 0, place->budget_milli);
    default: break;
  }
  bool again = failure->should_retry < 0 ? may_pass(failure->status) : failure->should_retry == 1;
  return again ? wait_and_try(failure, place) : leave(place);
}

int32_t aio__retry_refund(int32_t budget_milli, int32_t most_milli) {
  int32_t more = budget_milli + AIO__RETRY_REFUND_MILLI;
  return more < most_milli ? more : most_milli;
}
