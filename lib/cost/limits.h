/* Who may spend what: policy only. Yields constraints; the ledger answers them atomically. */
#ifndef AIO_COST_LIMITS_H
#define AIO_COST_LIMITS_H

#include "core/options.h"
#include "core/str.h"

typedef enum aio__limit_kind { AIO__LIMIT_RUNS, AIO__LIMIT_MONEY } aio__limit_kind;

/* Over the last window_ms, the amounts admitted under `key` plus `amount` must not pass `limit`. */
typedef struct aio__constraint {
  aio__limit_kind kind;
  char key[96];            /* "runs:user:<hex of the SHA-256 of the length-prefixed user>", "money:tenant", ... */
  int64_t window_ms, limit, amount;
  const char *setting;     /* the configuration key that a refusal names */
} aio__constraint;

enum { AIO__CONSTRAINTS_MAX = 4 };

/* For an accepted message: requests by user (none for an anonymous run), money by user and tenant (amount: the highest
 * price of this run, or 0 when unknown). For a refused one: its own key. Returns how many it wrote. */
size_t aio__limits_for_run(const aio__options *options, aio__str user, int64_t amount_nano_usd,
                           aio__constraint out[AIO__CONSTRAINTS_MAX]);
size_t aio__limits_for_refusal(const aio__options *options, aio__str user, aio__constraint out[AIO__CONSTRAINTS_MAX]);

#endif
