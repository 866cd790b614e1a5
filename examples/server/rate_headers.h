/* How much of a limit is left, in the headers that OpenAI's clients know. */
#ifndef RATE_HEADERS_H
#define RATE_HEADERS_H

#include "http_front.h"

typedef struct rate_left {
  int64_t limit;     /* requests in the window; 0: there is no limit, and no header */
  int64_t remaining;
  int64_t reset_ms;  /* until all of it is there again */
} rate_left;

/* x-ratelimit-limit-requests, -remaining-requests, -reset-requests ("6m0s", "20ms"). */
void rate_headers(http_headers *out, const rate_left *left);
/*
 * When to come back, for a problem: Retry-After in whole seconds, rounded up, and retry-after-ms, where it is known; and x-should-retry, which
 * the SDKs of OpenAI and Anthropic obey. Without it they ask again after each 409, 429 and 5xx, also where that cannot help, or only after
 * longer than RETRY_SOON_MS, which most of them do not wait.
 */
enum { RETRY_SOON_MS = 60000 };
void retry_headers(http_headers *out, const http_problem *why);
/* A duration as OpenAI writes it: "1h0m5s", "1m30s", "7.5s", "20ms". */
void rate_duration(int64_t ms, char out[48]);

#endif
