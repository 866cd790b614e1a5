/*
 * libaiorch - from a user's message to a good, cheap, safe answer in seven stages:
 *
 *   validate -> rate_limit -> cache_lookup -> retrieve -> generate -> log_cost -> cache_store
 *
 * This header includes all the others. Start with config.h (open and close) and run.h (a run and its stages).
 */
#ifndef AIORCH_AIORCH_H
#define AIORCH_AIORCH_H

#include <aiorch/version.h>
#include <aiorch/types.h>
#include <aiorch/error.h>
#include <aiorch/plugin.h>
#include <aiorch/config.h>
#include <aiorch/run.h>
#include <aiorch/content.h>
#include <aiorch/knowledge.h>
#include <aiorch/metrics.h>
#include <aiorch/operate.h>
#include <aiorch/spool.h>

#endif
