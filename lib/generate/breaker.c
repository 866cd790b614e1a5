/* See breaker.h. */
#include "generate/breaker.h"

bool aio__breaker_allows(aio__breaker *breaker, int64_t now_ms, bool *probe) {
  *probe = false;
  if (breaker->state == AIO__BREAKER_CLOSED) return true;
  if (now_ms < breaker->until_ms) return false;
  breaker->state = AIO__BREAKER_PROBING;
  breaker->until_ms = now_ms + AIO__BREAKER_PROBE_MS;
  *probe = true;
  return true;
}

int64_t aio__breaker_wait_ms(const aio__breaker *breaker, int64_t now_ms) {
  if (breaker->state == AIO__BREAKER_CLOSED || now_ms >= breaker->until_ms) return 0;
  return breaker->until_ms - now_ms;
}

void aio__breaker_success(aio__breaker *breaker) {
  if (breaker->state == AIO__BREAKER_OPEN) return;
  breaker->state = AIO__BREAKER_CLOSED;
  breaker->failures = 0;
}

static int failures_most(const aio__breaker *breaker) {
  return breaker->failures_most > 0 ? breaker->failures_most : AIO__BREAKER_FAILURES;
}

static int64_t open_ms(const aio__breaker *breaker) {
  return breaker->open_ms > 0 ? breaker->open_ms : AIO__BREAKER_OPEN_MS;
}

static void open_for(aio__breaker *breaker, int64_t ms, int64_t now_ms) {
  if (ms > AIO__BREAKER_OPEN_MAX_MS) ms = AIO__BREAKER_OPEN_MAX_MS;
  int64_t until_ms = now_ms + ms;
  if (breaker->state == AIO__BREAKER_OPEN && breaker->until_ms > until_ms) return; /* another said longer */
  if (breaker->state != AIO__BREAKER_OPEN) breaker->opened++;
  breaker->state = AIO__BREAKER_OPEN;
  breaker->until_ms = until_ms;
}

static bool counts(aiorch_status status) {
  switch (status) {
    case AIORCH_E_NETWORK:
    case AIORCH_E_PROVIDER_BUSY:
    case AIORCH_E_PROVIDER_LIMIT:
    case AIORCH_E_PROVIDER_KEY:
    case AIORCH_E_TRUNCATED:
    case AIORCH_E_RESPONSE: return true;
    default: return false;
  }
}

void aio__breaker_failure(aio__breaker *breaker, aiorch_status status, int64_t retry_after_ms, int64_t now_ms) {
  if (!counts(status)) return;
  if (breaker->failures < failures_most(breaker)) breaker->failures++;
  bool enough = breaker->failures >= failures_most(breaker); /* as they still are when a probe fails */
  if (retry_after_ms > 0) {
    open_for(breaker, enough && retry_after_ms < open_ms(breaker) ? open_ms(breaker) : retry_after_ms, now_ms);
  } else if (enough) {
    open_for(breaker, open_ms(breaker), now_ms);
  } else if (breaker->state == AIO__BREAKER_PROBING) {
    breaker->state = AIO__BREAKER_CLOSED; /* it was open for a Retry-After alone */
  }
}

void aio__breaker_nothing(aio__breaker *breaker, bool probe, int64_t now_ms) {
  if (!probe || breaker->state != AIO__BREAKER_PROBING) return;
  breaker->state = AIO__BREAKER_OPEN; /* the next attempt probes at once */
  breaker->until_ms = now_ms;
}
