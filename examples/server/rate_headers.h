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
/* Retry-After in whole seconds, rounded up, at least 1; nothing below 0. */
void retry_headers(http_headers *out, int64_t retry_after_ms);
/* A duration as OpenAI writes it: "1h0m5s", "1m30s", "7.5s", "20ms". */
void rate_duration(int64_t ms, char out[48]);

#endif
