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
  headers_setf(out, "x-ratelimit-limit-requests", "%" PRId64, left->limit);
  headers_setf(out, "x-ratelimit-remaining-requests", "%" PRId64, left->remaining < 0 ? 0 : left->remaining);
  headers_set(out, "x-ratelimit-reset-requests", reset);
}

void retry_headers(http_headers *out, int64_t retry_after_ms) {
  if (retry_after_ms < 0) return;
  int64_t seconds = (retry_after_ms + 999) / 1000;
  headers_setf(out, "Retry-After", "%" PRId64, seconds < 1 ? 1 : seconds);
}
