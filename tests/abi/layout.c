/*
 * The first ABI net: sizes, offsets and values that a compiled program or a hand-written binding relies on. A line here
 * is changed only together with docs/abi.md's rules; lines are added for what is new.
 */
#include <assert.h>
#include <limits.h>
#include <stdio.h>

#include <aiorch/aiorch.h>

#define IS(name, value) static_assert((name) == (value), #name " has moved")
#define AT(type, member, words) static_assert(offsetof(type, member) == (words) * sizeof(void *), #type "." #member " has moved")
#define SIZE(type, words) static_assert(sizeof(type) == (words) * sizeof(void *), #type " has another size")
#define HALF(type, member, bytes) static_assert(offsetof(type, member) == (bytes), #type "." #member " has moved")

static_assert(CHAR_BIT == 8 && sizeof(void *) == 8, "the offsets below are those of 64-bit platforms");
static_assert(sizeof(aiorch_status) == 4, "a status is 32 bits");
static_assert((aiorch_status)-1 < 0, "a status is signed");

/* ---- structs that cross the border ---------------------------------------------------------------------------------- */

SIZE(aiorch_allocator, 5);
AT(aiorch_allocator, struct_size, 0);
AT(aiorch_allocator, user_data, 1);
AT(aiorch_allocator, alloc, 2);
AT(aiorch_allocator, realloc, 3);
AT(aiorch_allocator, free, 4);

SIZE(aiorch_embedder_vtbl, 6);
AT(aiorch_embedder_vtbl, struct_size, 0);
HALF(aiorch_embedder_vtbl, flags, 4);
HALF(aiorch_embedder_vtbl, dimensions, 8);
HALF(aiorch_embedder_vtbl, max_tokens, 12);
AT(aiorch_embedder_vtbl, fingerprint, 2);
AT(aiorch_embedder_vtbl, embed, 3);
AT(aiorch_embedder_vtbl, cancel, 4);
AT(aiorch_embedder_vtbl, destroy, 5);

SIZE(aiorch_vector_store_vtbl, 6);
AT(aiorch_vector_store_vtbl, struct_size, 0);
HALF(aiorch_vector_store_vtbl, flags, 4);
AT(aiorch_vector_store_vtbl, upsert, 1);
AT(aiorch_vector_store_vtbl, remove, 2);
AT(aiorch_vector_store_vtbl, search, 3);
AT(aiorch_vector_store_vtbl, cancel, 4);
AT(aiorch_vector_store_vtbl, destroy, 5);

SIZE(aiorch_provider_vtbl, 5);
AT(aiorch_provider_vtbl, struct_size, 0);
HALF(aiorch_provider_vtbl, flags, 4);
AT(aiorch_provider_vtbl, model, 1);
AT(aiorch_provider_vtbl, generate, 2);
AT(aiorch_provider_vtbl, cancel, 3);
AT(aiorch_provider_vtbl, destroy, 4);

SIZE(aiorch_logger_vtbl, 4);
AT(aiorch_logger_vtbl, struct_size, 0);
HALF(aiorch_logger_vtbl, flags, 4);
AT(aiorch_logger_vtbl, min_level, 1);
AT(aiorch_logger_vtbl, log, 2);
AT(aiorch_logger_vtbl, destroy, 3);

/* ---- values --------------------------------------------------------------------------------------------------------- */

IS(AIORCH_STAGE_VALIDATE, 0);
IS(AIORCH_STAGE_RATE_LIMIT, 1);
IS(AIORCH_STAGE_CACHE_LOOKUP, 2);
IS(AIORCH_STAGE_RETRIEVE, 3);
IS(AIORCH_STAGE_GENERATE, 4);
IS(AIORCH_STAGE_LOG_COST, 5);
IS(AIORCH_STAGE_CACHE_STORE, 6);
IS(AIORCH_STAGE_COUNT, 7);

IS(AIORCH_OUTCOME_SKIPPED, 0);
IS(AIORCH_OUTCOME_OK, 1);
IS(AIORCH_OUTCOME_HIT, 2);
IS(AIORCH_OUTCOME_MISS, 3);
IS(AIORCH_OUTCOME_REFUSED, 4);
IS(AIORCH_OUTCOME_DEGRADED, 5);
IS(AIORCH_OUTCOME_ERROR, 6);

IS(AIORCH_ROLE_SYSTEM, 1);
IS(AIORCH_ROLE_USER, 2);
IS(AIORCH_ROLE_ASSISTANT, 3);
IS(AIORCH_ROLE_TOOL, 4);

IS(AIORCH_FINISH_NONE, 0);
IS(AIORCH_FINISH_STOP, 1);
IS(AIORCH_FINISH_LENGTH, 2);
IS(AIORCH_FINISH_TOOL_CALLS, 3);
IS(AIORCH_FINISH_CONTENT_FILTER, 4);
IS(AIORCH_FINISH_REFUSAL, 5);
IS(AIORCH_FINISH_ERROR, 6);

IS(AIORCH_TOOLS_DEFAULT, 0);
IS(AIORCH_TOOLS_AUTO, 1);
IS(AIORCH_TOOLS_NONE, 2);
IS(AIORCH_TOOLS_ANY, 3);
IS(AIORCH_TOOLS_ONE, 4);

IS(AIORCH_MIGRATE_APPLY, 0);
IS(AIORCH_MIGRATE_DRY_RUN, 1);
IS(AIORCH_MIGRATE_STATUS, 2);
IS(AIORCH_INDEXES_STATUS, 0);
IS(AIORCH_INDEXES_MAKE, 1);

IS(AIORCH_PRUNE_REMOVE, 0);
IS(AIORCH_PRUNE_COUNT, 1);

IS(AIORCH_CACHE_OFF, 0);
IS(AIORCH_CACHE_MISS, 1);
IS(AIORCH_CACHE_EXACT, 2);
IS(AIORCH_CACHE_SEMANTIC, 3);

IS(AIORCH_OK, 0);
IS(AIORCH_DONE, 3);
IS(AIORCH_AGAIN, 4);
IS(AIORCH_PENDING, 5);
IS(AIORCH_PASS, 6);
IS(AIORCH_E_INVALID, -1);
IS(AIORCH_E_NOMEM, -2);
IS(AIORCH_E_STATE, -3);
IS(AIORCH_E_CANCELLED, -4);
IS(AIORCH_E_DEADLINE, -5);
IS(AIORCH_E_REENTRANT, -6);
IS(AIORCH_E_NOT_FOUND, -7);
IS(AIORCH_E_CLOSED, -8);
IS(AIORCH_E_UNSUPPORTED, -9);
IS(AIORCH_E_TOO_LARGE, -10);
IS(AIORCH_E_INTERNAL, -11);
IS(AIORCH_E_FORKED, -12);
IS(AIORCH_E_SYSTEM, -13);
IS(AIORCH_E_CONFIG, -100);
IS(AIORCH_E_CONFIG_KEY, -101);
IS(AIORCH_E_CONFIG_TYPE, -102);
IS(AIORCH_E_CONFIG_RANGE, -103);
IS(AIORCH_E_CONFIG_SYNTAX, -104);
IS(AIORCH_E_CONFIG_ENV, -105);
IS(AIORCH_E_INVALID_INPUT, -200);
IS(AIORCH_E_INJECTION, -201);
IS(AIORCH_E_RATE_LIMITED, -300);
IS(AIORCH_E_BUDGET_EXCEEDED, -301);
IS(AIORCH_E_DOCUMENT, -400);
IS(AIORCH_E_EMBEDDER_MISMATCH, -401);
IS(AIORCH_E_MODEL, -402);
IS(AIORCH_E_PROVIDERS_UNAVAILABLE, -500);
IS(AIORCH_E_OUTPUT_BLOCKED, -501);
IS(AIORCH_E_NETWORK, -502);
IS(AIORCH_E_PROVIDER_BUSY, -503);
IS(AIORCH_E_PROVIDER_LIMIT, -504);
IS(AIORCH_E_PROVIDER_KEY, -505);
IS(AIORCH_E_PROVIDER_MODEL, -506);
IS(AIORCH_E_PROVIDER_REJECTED, -507);
IS(AIORCH_E_CONTEXT_WINDOW, -508);
IS(AIORCH_E_TRUNCATED, -509);
IS(AIORCH_E_RESPONSE, -510);
IS(AIORCH_E_STORE, -600);
IS(AIORCH_E_STORE_DOWN, -601);
IS(AIORCH_E_STORE_FULL, -602);
IS(AIORCH_E_STORE_READ_ONLY, -603);
IS(AIORCH_E_STORE_NEWER, -604);
IS(AIORCH_E_STORE_CORRUPT, -605);
IS(AIORCH_E_PLUGIN, -700);
IS(AIORCH_E_PLUGIN_CONTRACT, -701);

IS(AIORCH_SLOT_OK, 1);
IS(AIORCH_SLOT_PENDING, 2);

IS(AIORCH_PLUGIN_SERIAL, 1);
IS(AIORCH_PLUGIN_ONE_PURPOSE, 2);

IS(AIORCH_PURPOSE_QUERY, 1);
IS(AIORCH_PURPOSE_PASSAGE, 2);
IS(AIORCH_PURPOSE_SIMILARITY, 3);

IS(AIORCH_USAGE_INPUT, 0);
IS(AIORCH_USAGE_CACHE_READ, 1);
IS(AIORCH_USAGE_CACHE_WRITE, 2);
IS(AIORCH_USAGE_CACHE_WRITE_1H, 3);
IS(AIORCH_USAGE_OUTPUT, 4);
IS(AIORCH_USAGE_REASONING, 5);
IS(AIORCH_USAGE_COUNT, 6);

IS(AIORCH_LOG_DEBUG, 1);
IS(AIORCH_LOG_INFO, 2);
IS(AIORCH_LOG_WARN, 3);
IS(AIORCH_LOG_ERROR, 4);

IS(AIORCH_TYPE_STR, 1);
IS(AIORCH_TYPE_I64, 2);
IS(AIORCH_TYPE_F64, 3);
IS(AIORCH_TYPE_BOOL, 4);

IS(AIORCH_EVENT_STAGE, 1);
IS(AIORCH_EVENT_DELTA, 2);
IS(AIORCH_EVENT_SOURCE, 3);
IS(AIORCH_EVENT_WARNING, 4);
IS(AIORCH_EVENT_ERROR, 5);
IS(AIORCH_EVENT_FINAL, 6);
IS(AIORCH_EVENT_TOOL_CALL, 7);

IS(AIORCH_ATTEMPT_GENERATE, 1);
IS(AIORCH_ATTEMPT_EMBED, 2);
IS(AIORCH_VERDICT_GOOD, 1);
IS(AIORCH_VERDICT_BAD, 2);
IS(AIORCH_VERDICT_NOT_SAME, 3);

IS(AIORCH_FORMAT_PLAIN, 1);
IS(AIORCH_FORMAT_MARKDOWN, 2);

IS(AIORCH_SPOOL_ANY_STORE, 1);
IS(AIORCH_SPOOL_POISON, 2);
IS(AIORCH_DOCUMENT_ADDED, 1);
IS(AIORCH_DOCUMENT_UPDATED, 2);
IS(AIORCH_DOCUMENT_UNCHANGED, 3);

/* All of it is checked when this file is compiled; what is left for run time is that the library is the headers'. */
int main(void) {
  if (aiorch_version() != AIORCH_VERSION) {
    fprintf(stderr, "the library says %d, the headers say %d\n", (int)aiorch_version(), AIORCH_VERSION);
    return 1;
  }
  return 0;
}
