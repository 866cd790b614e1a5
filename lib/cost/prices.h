/* What tokens cost: nano-USD per million tokens by model, from prices.json (each line with date and source) and the
 * caller's overrides. Unknown is unknown, never 0. Thread-safe after it was made. */
#ifndef AIO_COST_PRICES_H
#define AIO_COST_PRICES_H

#include "core/alloc.h"
#include "core/error.h"
#include "cost/usage.h"

enum { AIO__PRICES_BYTES_MAX = 4 << 20, AIO__PRICES_LINES_MAX = 10000, AIO__PRICES_TEXT_MAX = 1000 };

typedef struct aio__prices aio__prices;

/* `overrides` is JSON of the same form as prices.json, its lines come first; may be empty. AIORCH_OK, AIORCH_E_CONFIG,
 * AIORCH_E_NOMEM. */
aiorch_status aio__prices_new(const aio__alloc *al, aio__str overrides, aio__prices **out, aiorch_error *error);
void aio__prices_free(aio__prices *prices);
/* The cost of one attempt, rounded half up once. False when the price of a class in use is unknown, or the sum passes
 * int64. "extractive" and models of the host's own kind "local" cost 0 by a line of the file, like any other. */
bool aio__prices_cost(const aio__prices *prices, aio__str provider, aio__str model, const aio__usage *usage,
                      int64_t wall_ms, int64_t *nano_usd);

/* A line of the file. The first that matches is the one that counts. Texts live in the table. */
typedef struct aio__price_line {
  aio__str provider, model;     /* patterns, alternatives separated by '|'; provider empty: any */
  uint32_t provider_begins, model_begins; /* a bit for each letter that a name which fits may begin with, modulo 32 */
  int64_t from_ms;              /* the first instant it holds */
  int64_t above_tokens;         /* holds for prompts of more tokens than this; -1: for all */
  int32_t begin_min, end_min;   /* minutes of the UTC day in which it holds: [begin, end) */
  int64_t price[AIORCH_USAGE_COUNT]; /* nano-USD per million tokens; -1: unknown */
  aio__str date, source;
} aio__price_line;

size_t aio__prices_count(const aio__prices *prices);
const aio__price_line *aio__prices_line(const aio__prices *prices, size_t index); /* NULL past the last */
/* NULL when there is none. */
const aio__price_line *aio__prices_find(const aio__prices *prices, aio__str provider, aio__str model,
                                        int64_t prompt_tokens, int64_t wall_ms);
/* '*' stands for any run of bytes, '?' for one; the patterns are separated by '|'. */
bool aio__prices_match(aio__str patterns, aio__str name);

#endif
