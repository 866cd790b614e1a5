/* Sums of tokens. They stop at 2^53, the largest whole number that every reader of JSON gets right. */
#include "cost/usage.h"

static const int64_t TOKENS_MAX = INT64_C(1) << 53;

void aio__usage_clear(aio__usage *usage) {
  *usage = (aio__usage){.estimated = false};
}

void aio__usage_add(aio__usage *to, const aio__usage *from) {
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) {
    int64_t sum;
    bool over = __builtin_add_overflow(to->n[i], from->n[i], &sum);
    to->n[i] = over || sum > TOKENS_MAX ? TOKENS_MAX : sum;
  }
  to->estimated = to->estimated || from->estimated;
}

bool aio__usage_any(const aio__usage *usage) {
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) {
    if (usage->n[i] != 0) return true;
  }
  return false;
}

const char *aio__usage_name(int usage_class) {
  switch (usage_class) {
    case AIORCH_USAGE_INPUT: return "input";
    case AIORCH_USAGE_CACHE_READ: return "cache_read";
    case AIORCH_USAGE_CACHE_WRITE: return "cache_write";
    case AIORCH_USAGE_CACHE_WRITE_1H: return "cache_write_1h";
    case AIORCH_USAGE_OUTPUT: return "output";
    case AIORCH_USAGE_REASONING: return "reasoning";
    default: return NULL;
  }
}
