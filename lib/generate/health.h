/*
 * What this handle knows of the providers: a breaker for each provider, model and endpoint, and a retry budget for each provider.
 * Shared by all runs; any thread. Memory is bounded: beyond AIO__HEALTH_MAX breakers the one that was used longest ago goes, a
 * closed one before others.
 *
 * Times are monotonic milliseconds. A breaker that finds no memory is one that is always closed.
 */
#ifndef AIO_GENERATE_HEALTH_H
#define AIO_GENERATE_HEALTH_H

#include "core/json_writer.h"
#include "core/plugins.h"
#include "generate/breaker.h"
#include "generate/retry.h"

enum { AIO__HEALTH_MAX = 512 };

typedef struct aio__health_limits {
  int32_t budget_milli;    /* of each provider: AIO__RETRY_BUDGET_MILLI */
  int failures;            /* AIO__BREAKER_FAILURES */
  int64_t open_ms;         /* AIO__BREAKER_OPEN_MS */
} aio__health_limits;

/* Whom an attempt is for: a provider of the handle, and the model that it is asked for. */
typedef struct aio__health_whom {
  const aio__plugin_provider *provider;
  const char *model;
} aio__health_whom;

typedef struct aio__health_choice {
  uint32_t endpoint;
  bool probe;
  int64_t wait_ms;         /* when there is none to choose: the shortest wait of those that were asked; -1: none was asked */
} aio__health_choice;

typedef struct aio__health aio__health;

aiorch_status aio__health_new(const aio__alloc *al, const aio__health_limits *limits, aio__health **out);
void aio__health_free(aio__health *health); /* takes NULL */

/* Draws one of the endpoints that are not in the set `but` (a bit each) and whose breaker allows an attempt, by weight; `lot` is
 * uniform. From then on that attempt is out: it ends with _report or _nothing. */
bool aio__health_choose(aio__health *health, aio__health_whom whom, uint64_t but, uint32_t lot, int64_t now_ms,
                        aio__health_choice *out);
/* The same for one endpoint. */
bool aio__health_take(aio__health *health, aio__health_whom whom, uint32_t endpoint, int64_t now_ms, aio__health_choice *out);
/* Would aio__health_choose find one? Takes nothing. */
bool aio__health_any(aio__health *health, aio__health_whom whom, uint64_t but, int64_t now_ms);
/* The first text of a probe has come: it has shown what it was to show, however long the answer takes. */
void aio__health_alive(aio__health *health, aio__health_whom whom, uint32_t endpoint);
/* How an attempt ended; `status` AIORCH_OK refunds the budget. True when the breaker has opened by it. */
bool aio__health_report(aio__health *health, aio__health_whom whom, uint32_t endpoint, aiorch_status status,
                        int64_t retry_after_ms, int64_t now_ms);
/* It ended without saying anything of the provider. */
void aio__health_nothing(aio__health *health, aio__health_whom whom, uint32_t endpoint, bool probe, int64_t now_ms);
/* aio__retry_decide with the provider's budget, which it spends from. */
aio__retry_decision aio__health_decide(aio__health *health, const aio__plugin_provider *provider,
                                       const aio__retry_failure *failure, const aio__retry_place *place);

/* An array: {"provider", "model", "endpoint", "address", "state", "failures", "opened", "wait_ms", "retry_budget"} each. */
void aio__health_json(aio__health *health, int64_t now_ms, aio__json_writer *w);

#endif
