/* The whole program in one table. */
#include "pipeline/stages.h"

static bool has_question(const aiorch_run *run) { return run->question != SIZE_MAX; }

static bool has_message(const aiorch_run *run) { return run->message_count > 0; }

bool aio__run_has_spending(const aiorch_run *run) {
  return run->admitted || run->attempt_count > 0 || run->stages[AIORCH_STAGE_GENERATE].by_host;
}

static bool has_answer(const aiorch_run *run) { return run->answered; }

static bool failed(const aiorch_run *run) { return run->error.stage >= 0 && run->error.status < 0; }

static bool hit(const aiorch_run *run) {
  return run->cache_outcome == AIORCH_CACHE_EXACT || run->cache_outcome == AIORCH_CACHE_SEMANTIC;
}

static bool pass_after_failure(const aiorch_run *run) { return failed(run); }

static bool pass_retrieve(const aiorch_run *run) {
  return failed(run) || hit(run) || run->host_sources || run->stages[AIORCH_STAGE_GENERATE].by_host ||
         !run->options->retrieve_enabled || (run->question != SIZE_MAX && run->messages[run->question].text.n == 0);
}

static bool pass_generate(const aiorch_run *run) {
  return failed(run) || hit(run) || run->stages[AIORCH_STAGE_GENERATE].by_host;
}

/* A refusal by stage 1 or 2 leaves no row, only a counter. */
static bool pass_log_cost(const aiorch_run *run) { return failed(run) && !aio__run_has_spending(run); }

static bool pass_cache_store(const aiorch_run *run) { return failed(run) || hit(run); }

const aio__stage aio__stages[AIORCH_STAGE_COUNT] = {
    /* name           needs                               leaves                                         ready         passes              step */
    {"validate",     "a user message",                   "a verdict on every turn",                     has_question, pass_after_failure, aio__stage_validate},
    {"rate_limit",   "a user message",                   "an admission in the ledger",                  has_question, pass_after_failure, aio__stage_rate_limit},
    {"cache_lookup", "a user message",                   "scope and key; on a hit the answer",          has_question, pass_after_failure, aio__stage_cache_lookup},
    {"retrieve",     "a user message",                   "numbered sources within the token budget",    has_question, pass_retrieve,      aio__stage_retrieve},
    {"generate",     "a message",                        "a checked answer, and every attempt",         has_message,  pass_generate,      aio__stage_generate},
    {"log_cost",     "an admission or an attempt",       "a row for the run and one for each attempt",  aio__run_has_spending, pass_log_cost,      aio__stage_log_cost},
    {"cache_store",  "a complete answer",                "the answer in the cache, with what it rests on", has_answer, pass_cache_store,  aio__stage_cache_store},
};
