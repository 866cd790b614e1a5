/*
 * libaiorch - for who runs it: what is old goes, and what another program has is taken over.
 */
#ifndef AIORCH_OPERATE_H
#define AIORCH_OPERATE_H

#include <aiorch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What aiorch_prune is to do. */
enum {
  AIORCH_PRUNE_REMOVE = 0,
  AIORCH_PRUNE_COUNT = 1 /**< says how much there is to remove, and removes nothing */
};

/**
 * Removes what nobody asks for any more, of all tenants: admissions whose window has passed, kept answers that have expired, and, when asked
 * to, the rows of old runs with their attempts; what these have cost stays in the sums of aiorch_stats, and is gone from aiorch_costs.
 * A call is one part, of at most 1,000 rows a kind: runs that go on meanwhile wait no longer than that takes. What is left goes with
 * the next calls. Nothing depends on it but the store's size.
 *
 * @param runs_before_ms  runs from before this wall time (milliseconds since 1970) go, too; 0: all of them stay.
 * @param mode            AIORCH_PRUNE_*.
 * @param out             {"admissions", "answers", "runs"}: rows removed by this call, or with AIORCH_PRUNE_COUNT to remove in all. May be
 *                        NULL. Members are only ever added.
 * @return AIORCH_OK: nothing is left that is old; AIORCH_AGAIN: call again, there is more; AIORCH_E_UNSUPPORTED when runs are to go from a
 *         store in memory; AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_DEADLINE, AIORCH_E_CLOSED, AIORCH_E_FORKED, AIORCH_E_REENTRANT,
 *         AIORCH_E_STORE and its kind. `*out` is set with AIORCH_OK and AIORCH_AGAIN alone.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: any, several at once; blocks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_prune(aiorch *orch, int64_t runs_before_ms, int32_t mode, int64_t timeout_ms, aiorch_text **out,
                                      aiorch_error *error);

/**
 * One step of taking over what a program on Supabase has in the database that is to be its store: tables documents, semantic_cache and
 * ai_api_calls, functions find_cached_response and match_documents. The login has to be one that may migrate, and own the tables. Each step is a
 * transaction and may be repeated; `aiorch import supabase` takes them all, and adds what the step "documents" gives with
 * aiorch_knowledge_add. No row is removed: what was there is there under another name.
 *
 * @param request_json  {"step", "tenant", "schema" (where they are; "public")} and what comes on top:
 *   "plan"       -> {"taken", "documents" {"table", "found", "with_vector", "imported"}, "calls" {"table", "found", "cost_usd", "rounded" (costs with
 *                more than nine decimals), "without_cost", "imported"}, "answers" {"table", "found"}, "functions" [...], "problems" [...]}
 *   "take"       "roles" [...] (who uses the tables from now on): renames, copies what it has cost, makes the stand-ins
 *                -> {"calls" (copied now), "renamed" [...]}
 *   "documents"  "page" (0, then "next_page" while it is below "pages") -> {"pages", "next_page", "rows": [{"source", "title", "text",
 *                "metadata" {...}}]}: those that are no documents of the tenant yet
 *   "sample"     -> {"rows": [{"text", "vector" [...]}]}: to see whether the vectors are of the model in use
 *   "vectors"    "page", "model" (as aiorch_knowledge_models names it): keeps the vectors of those that are one chunk
 *                -> {"pages", "next_page", "vectors"}
 * @return AIORCH_OK; AIORCH_E_UNSUPPORTED when the store is no PostgreSQL, or this library was built without; AIORCH_E_INVALID,
 *         AIORCH_E_CONFIG, AIORCH_E_NOMEM, AIORCH_E_DEADLINE, AIORCH_E_STORE and its kind.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: one at a time a configuration; blocks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_import(const aiorch_config *config, const char *request_json, size_t len, int64_t timeout_ms,
                                       aiorch_text **out, aiorch_error *error);

#ifdef __cplusplus
}
#endif
#endif
