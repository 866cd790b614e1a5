/*
 * libaiorch - figures: what this process has done (metrics), what the store holds (stats), what it has cost (costs).
 */
#ifndef AIORCH_METRICS_H
#define AIORCH_METRICS_H

#include <aiorch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The counters of this process since aiorch_open, at one moment, as a JSON object: {"counters": {name: number},
 * "stages": {name: {"count", "sum_us", "buckets": [{"le_us", "count"}]}}, "health": [...]}. Names are listed in
 * docs/operations.md and only ever added to. "health" has an object for each provider, model and endpoint (address and key) that
 * was asked: {"provider", "model", "endpoint", "address", "state" closed|open|probing, "failures" in a row, "opened" (how often),
 * "wait_ms" until it may be asked, "retry_budget" of the provider}.
 *
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_FORKED.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_metrics_snapshot(aiorch *orch, aiorch_text **out, aiorch_error *error);

/**
 * What the store holds for a tenant and how this orchestrator works, as a JSON object: {"store", "documents", "chunks",
 * "text_bytes", "cache_entries", "cache_bytes", "runs", "cost_nano_usd", "embedder", "vector_store", "search"
 * full_text|hybrid, "vector_search" exact (all vectors are compared)|index|plug-in (null without an embedder), "cache"
 * exact|semantic|off, "providers" [...], "spool" {"path", "bytes", "max_bytes", "store_down"} (null when this store has none:
 * spool.h), "health" [...] (see aiorch_metrics_snapshot), "notes" [...]}.
 *
 * @return AIORCH_OK and the errors that knowledge.h calls common.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: any; blocks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_stats(aiorch *orch, const char *tenant, size_t tenant_len, int64_t timeout_ms,
                                      aiorch_text **out, aiorch_error *error);

/**
 * The providers of this orchestrator, as a JSON array: those of plug-ins and of the configuration in the order of their registration, then
 * the one that is always there: [{"name", "model" (asked for when a run names none), "kind" plugin|http|builtin, "api"
 * anthropic|openai|gemini|ollama (null but for http), "hosts" [where it is asked, without ports], "keys" (how many; never what they are),
 * "context_tokens" (what its model reads; null when not known), "chain" (its place, from 1, among those that a run tries that names none;
 * null when it is none of them)}]. Members are only ever added. Whether one can be reached is found by asking it.
 *
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_FORKED.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: any; nothing is sent.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_providers(aiorch *orch, aiorch_text **out);

/**
 * What a tenant has spent, as a JSON object: {"since_ms", "until_ms", "runs", "cost_nano_usd", "cost_usd",
 * "unknown_price_runs", "rows": [{"day" (UTC) or "provider" or "model" or "user", "runs", "hits", "failures", token
 * classes, "cost_nano_usd"}]}.
 *
 * @param since_ms, until_ms  milliseconds since 1970, [since, until); until 0 means now.
 * @param by  "day", "provider", "model" or "user"; NULL means "day".
 * @return AIORCH_OK and the errors that knowledge.h calls common; AIORCH_E_INVALID for another `by`.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: any; blocks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_costs(aiorch *orch, const char *tenant, size_t tenant_len, int64_t since_ms,
                                      int64_t until_ms, const char *by, int64_t timeout_ms, aiorch_text **out,
                                      aiorch_error *error);

/**
 * Screens one text as the validate stage does, without a run or a row.
 *
 * @param out  {"verdict" pass|flag|block, "rule", "category", "start", "end"}: the rule's id and category and the byte
 *             range in `text`, null where none matched; for a text that is no valid input, rule is "invalid_input".
 * @return AIORCH_OK for any verdict; AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_FORKED.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_screen(aiorch *orch, const char *text, size_t len, aiorch_text **out,
                                       aiorch_error *error);

#ifdef __cplusplus
}
#endif
#endif
