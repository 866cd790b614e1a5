/* Headers about limits. */
#include "rate_headers.h"

#include <inttypes.h>

void rate_duration(int64_t ms, char out[48]) {
  int64_t seconds = ms / 1000, rest = ms % 1000;
  if (ms < 1000) {
    snprintf(out, 48, "%" PRId64 "ms", ms < 0 ? 0 : ms);
  } else if (seconds < 60 && rest != 0) {
    int digits = rest % 100 == 0 ? 1 : rest % 10 == 0 ? 2 : 3;
    int64_t shown = digits == 1 ? rest / 100 : digits == 2 ? rest / 10 : rest;
    snprintf(out, 48, "%" PRId64 ".%0*" PRId64 "s", seconds, digits, shown);
  } else {
    if (rest != 0) seconds++;
    if (seconds >= 3600) snprintf(out, 48, "%" PRId64 "h%" PRId64 "m%" PRId64 "s", seconds / 3600, seconds / 60 % 60, seconds % 60);
    else if (seconds >= 60) snprintf(out, 48, "%" PRId64 "m%" PRId64 "s", seconds / 60, seconds % 60);
    else snprintf(out, 48, "%" PRId64 "s", seconds);
  }
}

void rate_headers(http_headers *out, const rate_left *left) {
  char reset[48];
  if (left->limit <= 0) return;
  rate_duration(left->reset_ms, reset);
  headers_seti(out, "x-ratelimit-limit-requests", left->limit);
  headers_seti(out, "x-ratelimit-remaining-requests", left->remaining < 0 ? 0 : left->remaining);
  headers_set(out, "x-ratelimit-reset-requests", reset);
}

/* NULL: nobody knows, and the client does as it does. */
static const char *should_retry(const http_problem *why) {
  if (why->retry_after_ms >= 0) return why->retry_after_ms <= RETRY_SOON_MS ? "true" : "false";
  if (why->status == 409 || why->status == 429 || why->status == 502) return "false"; /* 502: no provider would do better */
  return why->status == 503 ? "true" : NULL;
}

void retry_headers(http_headers *out, const http_problem *why) {
  const char *again = should_retry(why);
  if (again) headers_set(out, "x-should-retry", again);
  if (why->retry_after_ms < 0) return;
  int64_t ms = why->retry_after_ms > 0 ? why->retry_after_ms : 1;
  headers_setf(out, "Retry-After", "%" PRId64, (ms + 999) / 1000);
  headers_setf(out, "retry-after-ms", "%" PRId64, ms);
}
