/* The names of stages, outcomes and finish reasons, as they stand in JSON, logs and rows. */
#include <aiorch/types.h>

#define COUNT(table) ((int32_t)(sizeof(table) / sizeof(table)[0]))

const char *aiorch_stage_name(int32_t stage) {
  static const char *const names[] = {
    [AIORCH_STAGE_VALIDATE] = "validate",
    [AIORCH_STAGE_RATE_LIMIT] = "rate_limit",
    [AIORCH_STAGE_CACHE_LOOKUP] = "cache_lookup",
    [AIORCH_STAGE_RETRIEVE] = "retrieve",
    [AIORCH_STAGE_GENERATE] = "generate",
    [AIORCH_STAGE_LOG_COST] = "log_cost",
    [AIORCH_STAGE_CACHE_STORE] = "cache_store",
  };
  return stage >= 0 && stage < COUNT(names) ? names[stage] : NULL;
}

const char *aiorch_outcome_name(int32_t outcome) {
  static const char *const names[] = {
    [AIORCH_OUTCOME_SKIPPED] = "skipped",   [AIORCH_OUTCOME_OK] = "ok",
    [AIORCH_OUTCOME_HIT] = "hit",           [AIORCH_OUTCOME_MISS] = "miss",
    [AIORCH_OUTCOME_REFUSED] = "refused",   [AIORCH_OUTCOME_DEGRADED] = "degraded",
    [AIORCH_OUTCOME_ERROR] = "error",
  };
  return outcome >= 0 && outcome < COUNT(names) ? names[outcome] : NULL;
}

const char *aiorch_finish_reason_name(int32_t finish_reason) {
  static const char *const names[] = {
    [AIORCH_FINISH_NONE] = "none",
    [AIORCH_FINISH_STOP] = "stop",
    [AIORCH_FINISH_LENGTH] = "length",
    [AIORCH_FINISH_TOOL_CALLS] = "tool_calls",
    [AIORCH_FINISH_CONTENT_FILTER] = "content_filter",
    [AIORCH_FINISH_REFUSAL] = "refusal",
    [AIORCH_FINISH_ERROR] = "error",
  };
  return finish_reason >= 0 && finish_reason < COUNT(names) ? names[finish_reason] : NULL;
}
