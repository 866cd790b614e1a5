/*
 * What follows a failed attempt: the same key again, another key, another provider, or the end. Pure decisions over numbers; who
 * waits and who sends is stage_generate.
 *
 *   network, 408, 409, 5xx, 529      same key after a backoff, at most `attempts_max` attempts at a provider; then the next provider
 *   429                              next key at once, then the next provider; with neither, the same key after Retry-After
 *   401, 402, 403, quota exhausted   next key at once, then the next provider
 *   404 (no such model)              next provider
 *   400, 413, 422, content policy    the end: no other will do better
 *   the prompt is too long           the next provider of the chain that has a larger window
 *
 * Nothing is retried after the commit point, when the server says so (x-should-retry: false), when the retry budget of the
 * provider is spent, when the wait would pass the deadline, or when a Retry-After above the cap would be waited out although
 * another provider could answer. Backoff: full jitter over 0.5 s * 2^n, at most 8 s (AWS Architecture
 * Blog, "Exponential Backoff And Jitter"); a Retry-After that is longer takes its place.
 */
#ifndef AIO_GENERATE_RETRY_H
#define AIO_GENERATE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include <aiorch/error.h>

enum {
  AIO__RETRY_ATTEMPTS_MAX = 3,      /* at one provider, over all its keys, for failures that a wait may mend */
  AIO__RETRY_BASE_MS = 500,
  AIO__RETRY_CAP_MS = 8000,
  AIO__RETRY_BUDGET_MILLI = 10000,  /* ten retries; each costs one ... */
  AIO__RETRY_COST_MILLI = 1000,
  AIO__RETRY_REFUND_MILLI = 100     /* ... and each success gives a tenth back: retries stay below a tenth of the traffic */
};

typedef enum aio__retry_step {
  AIO__RETRY_SAME_KEY,
  AIO__RETRY_NEXT_KEY,
  AIO__RETRY_NEXT_PROVIDER,
  AIO__RETRY_LARGER_WINDOW, /* the next provider whose context window is larger */
  AIO__RETRY_GIVE_UP
} aio__retry_step;

/* How an attempt failed. */
typedef struct aio__retry_failure {
  aiorch_status status;    /* AIORCH_E_NETWORK ... AIORCH_E_RESPONSE */
  int64_t retry_after_ms;  /* -1: not said */
  int should_retry;        /* x-should-retry: 1, 0; -1: not said */
  bool not_today;          /* the limit is that of a day or a month, or the money is used up: no wait helps */
} aio__retry_failure;

/* Where the run stands at this provider. */
typedef struct aio__retry_place {
  int attempts_max;        /* 0: AIO__RETRY_ATTEMPTS_MAX */
  int attempts;            /* made at this provider, with the one that failed, for failures that a wait may mend */
  bool committed;          /* text has gone out */
  bool keys_left;          /* another key of this provider has not been tried */
  bool providers_left;     /* another provider follows in the chain */
  int64_t remaining_ms;    /* until the run's deadline */
  int32_t budget_milli;    /* of the provider */
  uint32_t random;         /* uniform: the jitter */
} aio__retry_place;

typedef struct aio__retry_decision {
  aio__retry_step step;
  int64_t wait_ms;         /* before it; 0 at once */
  int32_t budget_milli;    /* what is left of the budget */
} aio__retry_decision;

aio__retry_decision aio__retry_decide(const aio__retry_failure *failure, const aio__retry_place *place);
int32_t aio__retry_refund(int32_t budget_milli, int32_t most_milli); /* after a success */

#endif
