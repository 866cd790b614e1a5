/* Whom a run asks, for which model, by which tier. */
#include "generate/route.h"
#include "pipeline/stages.h"
#include "providers/extractive.h"

static void log_tier(const aiorch_run *run) {
  aio__log *log = run->orch->log;
  if (!run->tier.by_rules || !aio__log_wants(log, AIORCH_LOG_DEBUG)) return;
  aio__buf members;
  aio__buf_init(&members, run->al, AIO__LOG_EVENT_MAX);
  aio__buf_fmt(&members, "\"run_id\":\"%s\",\"tier\":\"%s\",\"points\":%d,\"because\":\"", run->id, aio__tier_name(run->tier.tier),
               run->tier.points);
  for (const char *p = run->tier.because; *p; p++) aio__buf_char(&members, *p == '"' || *p == '\\' || (unsigned char)*p < 0x20 ? '_' : *p);
  aio__buf_char(&members, '"');
  if (members.failed == AIORCH_OK) aio__log_event(log, AIORCH_LOG_DEBUG, "tier_chosen", aio__buf_view(&members));
  aio__buf_free(&members);
}

const aio__tier_choice *aio__run_tier(aiorch_run *run) {
  if (run->tier.made) return &run->tier;
  aio__tier_signals signals = {.question = AIO__LIT(""), .tools = run->tool_count, .schema = run->wishes.schema.n > 0};
  if (run->question != SIZE_MAX) signals.question = run->messages[run->question].text;
  for (size_t i = 0; i < run->message_count; i++) {
    signals.turns += run->messages[i].role == AIORCH_ROLE_USER || run->messages[i].role == AIORCH_ROLE_ASSISTANT;
  }
  run->tier = aio__tier_choose(run->orch->tier_rules, run->options->generate_tier, &signals);
  log_tier(run);
  return &run->tier;
}

const char *aio__run_model_for(aiorch_run *run, const aio__plugin_provider *provider) {
  if (provider == &aio__extractive) return provider->model;
  if (run->options->generate_model[0]) return run->options->generate_model;
  const char *model = NULL;
  aio__tier tier = aio__run_tier(run)->tier;
  if (tier == AIO__TIER_SIMPLE) model = provider->model_simple;
  if (tier == AIO__TIER_COMPLEX) model = provider->model_complex;
  return model && model[0] ? model : provider->model;
}

/* Sentences of documents are no JSON and call no tool: who asked for either is better told that nobody could. */
static aiorch_status leave_out_prose(aiorch_run *run, aiorch_error *why) {
  bool shaped = run->wishes.schema.n > 0, forced = run->wishes.tool_choice == AIO__TOOLS_ANY || run->wishes.tool_choice == AIO__TOOLS_ONE;
  size_t kept = 0;
  if (!shaped && !forced) return AIORCH_OK;
  for (size_t i = 0; i < run->chain_count; i++) {
    if (run->chain[i] != &aio__extractive) run->chain[kept++] = run->chain[i];
  }
  if (kept == 0) {
    run->chain = NULL;
    run->chain_count = 0;
    return aio__error_set(why, AIORCH_E_INVALID, "%s: register a provider that does, or leave it out",
                          shaped ? "extractive, which alone may be asked, answers with sentences and keeps to no schema"
                                 : "extractive, which alone may be asked, calls no tool");
  }
  run->chain_count = kept;
  return AIORCH_OK;
}

aiorch_status aio__run_find_chain(aiorch_run *run, aiorch_error *why) {
  if (run->chain) return AIORCH_OK;
  aiorch_status st = aio__route_chain(&run->arena, run->options->generate_chain, &run->orch->plugins, &aio__extractive, &run->chain,
                                      &run->chain_count, why);
  return st ? st : leave_out_prose(run, why);
}

aiorch_status aio__run_chain(aiorch_run *run) {
  aiorch_error why;
  aio__error_init(&why);
  aiorch_status st = aio__run_find_chain(run, &why);
  return st ? aio__run_fail(run, AIORCH_STAGE_GENERATE, st, "%s", why.message) : AIORCH_OK;
}

aiorch_status aio__run_plan(aiorch_run *run) {
  aio__target *targets = aio__arena_alloc(&run->arena, run->chain_count * sizeof *targets);
  if (!targets) return AIORCH_E_NOMEM;
  for (size_t i = 0; i < run->chain_count; i++) {
    targets[i] = (aio__target){.whom = {run->chain[i], aio__run_model_for(run, run->chain[i])},
                               .built_in = run->chain[i] == &aio__extractive};
  }
  run->plan = (aio__plan){.health = run->orch->health,
                          .targets = targets,
                          .count = run->chain_count,
                          .attempts_max = (int)run->options->generate_attempts,
                          .random = run->orch->random,
                          .random_ctx = run->orch->random_ctx};
  return AIORCH_OK;
}
