/* Which provider is tried, and what an error of one means for the next: pure decisions. */
#ifndef AIO_GENERATE_ROUTE_H
#define AIO_GENERATE_ROUTE_H

#include "core/arena.h"
#include "core/error.h"
#include "core/plugins.h"

typedef enum aio__route_verdict {
  AIO__ROUTE_NEXT,    /* the next provider may do better */
  AIO__ROUTE_GIVE_UP  /* no provider will: the request itself was refused, or the run is over */
} aio__route_verdict;

/* What an attempt that ended with `status` before its first delta means. */
aio__route_verdict aio__route_after(aiorch_status status);
/* Whether the same attempt might succeed later: decides between 503 and 502 when all have failed. */
bool aio__route_retryable(aiorch_status status);
/* The providers of "generate.chain" in order; with an empty chain all that are registered, or `fallback` when there is
 * none. AIORCH_E_CONFIG names a provider that is not registered; AIORCH_E_NOMEM. */
aiorch_status aio__route_chain(aio__arena *arena, const char *chain, const aio__plugins *plugins,
                               const aio__plugin_provider *fallback, const aio__plugin_provider ***out, size_t *count,
                               aiorch_error *error);

#endif
