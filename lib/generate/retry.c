/* See retry.h. */
#include "generate/retry.h"

#include <string.h>

enum { DAY_MS = 86400000 };

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
  bool allowed = place->attempts < AIO__RETRY_ATTEMPTS_MAX && place->budget_milli >= AIO__RETRY_COST_MILLI &&
                 wait_ms < place->remaining_ms;
  if (!allowed) return leave(place);
  return decide(AIO__RETRY_SAME_KEY, wait_ms, place->budget_milli - AIO__RETRY_COST_MILLI);
}

aio__retry_decision aio__retry_decide(const aio__retry_failure *failure, const aio__retry_place *place) {
  if (place->committed) return decide(AIO__RETRY_GIVE_UP, 0, place->budget_milli);
  switch (failure->status) {
    case AIORCH_E_PROVIDER_LIMIT:
      /* Another provider answers sooner than a wait would end; with none left the wait is all there is. */
      if (place->keys_left || place->providers_left || failure->should_retry == 0) return other_key(place);
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

int32_t aio__retry_refund(int32_t budget_milli) {
  int32_t more = budget_milli + AIO__RETRY_REFUND_MILLI;
  return more < AIO__RETRY_BUDGET_MILLI ? more : AIO__RETRY_BUDGET_MILLI;
}

/* ---- Retry-After ------------------------------------------------------------------------------------------------ */

/* Decimal digits, and a fraction that is cut to milliseconds; -1 for anything else. In thousandths. */
static int64_t read_thousandths(aio__str text) {
  int64_t value = 0, scale = 0;
  size_t digits = 0;
  for (size_t i = 0; i < text.n; i++) {
    char c = text.p[i];
    if (c == '.' && scale == 0 && digits > 0) {
      scale = 1000;
      continue;
    }
    if (c < '0' || c > '9') return -1;
    if (scale == 0) {
      if (value > DAY_MS) return -1;
      value = value * 10 + (c - '0');
      digits++;
    } else if (scale > 1) {
      scale /= 10;
      value = value * 10 + (c - '0');
    }
  }
  if (digits == 0) return -1;
  for (int64_t s = scale == 0 ? 1000 : scale; s > 1; s /= 10) value *= 10;
  return value;
}

static int month_of(const char *p) {
  static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  for (int m = 0; m < 12; m++) {
    if (memcmp(p, names + 3 * m, 3) == 0) return m + 1;
  }
  return 0;
}

static int number_at(const char *p, int n) {
  int value = 0;
  for (int i = 0; i < n; i++) {
    if (p[i] < '0' || p[i] > '9') return -1;
    value = value * 10 + (p[i] - '0');
  }
  return value;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static int64_t days_from_civil(int64_t y, int m, int d) {
  y -= m <= 2;
  int64_t era = (y >= 0 ? y : y - 399) / 400;
  int64_t yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that RFC 9110 lets servers send. Seconds since 1970; -1. */
static int64_t read_http_date(aio__str text) {
  if (text.n != 29 || text.p[3] != ',' || memcmp(text.p + 25, " GMT", 4) != 0) return -1;
  if (text.p[19] != ':' || text.p[22] != ':') return -1;
  int day = number_at(text.p + 5, 2), month = month_of(text.p + 8), year = number_at(text.p + 12, 4);
  int hour = number_at(text.p + 17, 2), minute = number_at(text.p + 20, 2), second = number_at(text.p + 23, 2);
  bool sane = day >= 1 && day <= 31 && month > 0 && year >= 1970 && hour >= 0 && hour < 24 && minute >= 0 && minute < 60 &&
              second >= 0 && second <= 60;
  return sane ? days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second : -1;
}

static int64_t sane(int64_t ms) {
  return ms >= 0 && ms <= DAY_MS ? ms : -1;
}

int64_t aio__retry_after_ms(aio__str retry_after, aio__str retry_after_ms, int64_t now_ms) {
  aio__str ms = aio__str_trim(retry_after_ms), text = aio__str_trim(retry_after);
  if (ms.n > 0) {
    int64_t thousandths = read_thousandths(ms);
    if (thousandths >= 0 && sane(thousandths / 1000) >= 0) return thousandths / 1000;
  }
  int64_t value = read_thousandths(text);
  if (value >= 0) return sane(value);
  int64_t at = read_http_date(text);
  return at < 0 ? -1 : sane(at * 1000 - now_ms);
}
