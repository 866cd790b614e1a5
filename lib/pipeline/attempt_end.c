/* How attempts of the generate stage end: what they have used and cost, and what the run says when none has answered. */
#include <string.h>

#include "generate/route.h"
#include "pipeline/shared_call.h"
#include "pipeline/stages.h"
#include "text/tokens.h"

static aio__attempt *current(aiorch_run *run) { return &run->attempts[run->attempt_count - 1]; }

static bool built_in(const aiorch_run *run) { return run->plan.targets[run->plan.at].built_in; }

/* Whoever was given up while it worked has read the prompt, whether or not anything had come. */
static bool is_estimated(const aio__call_result *result, aio__str text, bool given_up) {
  if (result && result->has_usage && !result->usage_partial) return false;
  return given_up || text.n > 0 || (result && (result->status >= 0 || result->has_usage));
}

bool aio__attempt_given_up(const aiorch_call *call, aiorch_status status) {
  if (!aio__call_result_of(call)->sent) return false;
  return !aio__call_ended(call) || status == AIORCH_E_CANCELLED || status == AIORCH_E_DEADLINE;
}

void aio__attempt_usage(aio__usage *usage, const aio__call_result *result, aio__str text, bool given_up, int64_t prompt_tokens) {
  bool has_usage = result && result->has_usage;
  for (int i = 0; i < AIORCH_USAGE_COUNT && result; i++) usage->n[i] = result->usage[i];
  if (!is_estimated(result, text, given_up)) return;
  int64_t output = (int64_t)aio__tokens_estimate(text);
  if (!has_usage) usage->n[AIORCH_USAGE_INPUT] = prompt_tokens;
  if (usage->n[AIORCH_USAGE_OUTPUT] < output) usage->n[AIORCH_USAGE_OUTPUT] = output;
  usage->estimated = true;
}

/* Of the provider inside the library there is nothing to count. */
static void take_usage(aiorch_run *run, aio__attempt *attempt, const aio__call_result *result, bool given_up) {
  if (built_in(run)) return;
  aio__str text = aio__buf_view(&run->raw);
  int64_t prompt_tokens = is_estimated(result, text, given_up) ? aio__prompt_tokens(run) : 0;
  aio__attempt_usage(&attempt->usage, result, text, given_up, prompt_tokens);
}

/* What was cut off costs what its tokens cost, as far as they are known: the mark on them says that they are estimated. When nothing is
 * known of it (it broke off before anything had come) nobody can say. */
static void price(aiorch_run *run, aio__attempt *attempt, bool cut_off) {
  aio__attempt_price(run, attempt);
  if (cut_off && !aio__usage_any(&attempt->usage)) attempt->cost_known = run->cost_known = false;
}

void aio__attempt_dropped(aiorch_run *run, aiorch_status status) {
  aio__attempt *attempt = current(run);
  bool cut_off = !built_in(run) && aio__call_cut_off(run->call, status);
  bool given_up = aio__attempt_given_up(run->call, status), told = aio__call_cancel(run->call);
  (void)aio__call_take_text(run->call, &run->raw); /* what came is counted, though nobody sees it */
  take_usage(run, attempt, told ? aio__call_result_of(run->call) : NULL, given_up);
  attempt->status = status;
  attempt->duration_us = (aio__run_now(run) - attempt->started_ns) / 1000;
  price(run, attempt, cut_off);
}

aiorch_status aio__attempt_end(aiorch_run *run, aiorch_status status, const char *message) {
  aio__attempt *attempt = current(run);
  const aio__call_result *result = aio__call_result_of(run->call);
  attempt->status = status;
  attempt->duration_us = (aio__run_now(run) - attempt->started_ns) / 1000;
  bool ended = aio__call_ended(run->call);
  bool cut_off = !built_in(run) && aio__call_cut_off(run->call, status), given_up = aio__attempt_given_up(run->call, status);
  if (ended) {
    attempt->http_status = result->http_status;
    attempt->retry_after_ms = result->retry_after_ms;
    attempt->not_today = result->not_today;
    if (result->sent) take_usage(run, attempt, result, given_up);
    if (result->model[0]) attempt->model = aio__arena_strn(&run->arena, result->model, strlen(result->model));
    attempt->request_id = aio__arena_strn(&run->arena, result->request_id, strlen(result->request_id));
    if (!message) message = aio__arena_strn(&run->arena, result->message, strlen(result->message));
  } else if (result->sent) { /* given up while it was out: what it had used until then */
    take_usage(run, attempt, aio__call_cancel(run->call) ? result : NULL, given_up);
  }
  attempt->message = message ? message : "";
  aio__call_drop(run->call);
  run->call = NULL;
  if (!attempt->model || !attempt->request_id) {
    run->cost_known = false;
    return AIORCH_E_NOMEM;
  }
  price(run, attempt, cut_off);
  if (status < 0) aio__count(&run->orch->counters, AIO__N_ATTEMPTS_FAILED);
  return AIORCH_OK;
}

/* ---- when none has answered ---- */

bool aio__attempts_all_refused(const aiorch_run *run) {
  const char *last = run->attempts[run->attempt_count - 1].provider;
  for (size_t i = 0; i < run->attempt_count; i++) {
    const aio__attempt *a = &run->attempts[i];
    bool refused = a->status == AIORCH_E_PROVIDER_REJECTED || a->status == AIORCH_E_CONTEXT_WINDOW;
    if (a->kind == AIORCH_ATTEMPT_GENERATE && !refused && strcmp(a->provider, last) != 0) return false;
  }
  for (size_t i = 0; i < run->plan.count; i++) {
    if (run->plan.targets[i].passed_over_ms != 0) return false;
  }
  return true;
}

/* The last that was made; NULL when all providers were passed over. */
static const aio__attempt *last_attempt(const aiorch_run *run) {
  if (run->attempt_count == 0) return NULL;
  const aio__attempt *last = &run->attempts[run->attempt_count - 1];
  return last->kind == AIORCH_ATTEMPT_GENERATE ? last : NULL;
}

static void say_all_failed(aiorch_run *run, const aio__attempt *last, int64_t retry_after) {
  if (!last) {
    aio__run_fail(run, AIORCH_STAGE_GENERATE, AIORCH_E_PROVIDERS_UNAVAILABLE,
                  "none of %zu provider%s may be asked now: their last attempts have failed; the first may be asked in %lld ms",
                  run->chain_count, run->chain_count == 1 ? "" : "s", (long long)retry_after);
    return;
  }
  aio__run_fail(run, AIORCH_STAGE_GENERATE, AIORCH_E_PROVIDERS_UNAVAILABLE,
                "none of %zu provider%s could answer; the last, %s, said: %s%s%s", run->chain_count,
                run->chain_count == 1 ? "" : "s", last->provider, aiorch_strerror(last->status),
                last->message[0] ? ": " : "", last->message);
}

aiorch_status aio__attempts_all_failed(aiorch_run *run) {
  int64_t retry_after = aio__plan_shortest_ms(&run->plan, aio__run_now(run) / 1000000);
  bool retryable = retry_after >= 0;
  for (size_t i = 0; i < run->attempt_count; i++) {
    const aio__attempt *a = &run->attempts[i];
    if (a->kind != AIORCH_ATTEMPT_GENERATE || a->not_today || !aio__route_retryable(a->status)) continue;
    retryable = true;
    if (a->retry_after_ms >= 0 && (retry_after < 0 || a->retry_after_ms < retry_after)) retry_after = a->retry_after_ms;
  }
  const aio__attempt *last = last_attempt(run);
  say_all_failed(run, last, retry_after);
  run->error.http_status = retryable ? 503 : 502;
  run->error.retry_after_ms = retry_after;
  const char *provider = last ? last->provider : run->chain[run->chain_count - 1]->name;
  (void)strncpy(run->error.provider, provider, sizeof run->error.provider - 1);
  return AIORCH_E_PROVIDERS_UNAVAILABLE;
}

size_t aio__attempts_passed_over(aiorch_run *run) {
  size_t count = 0;
  int64_t now_ms = aio__run_now(run) / 1000000;
  for (size_t i = 0; i < run->plan.count; i++) {
    aio__target *target = &run->plan.targets[i];
    if (target->passed_over_ms == 0 || target->told) continue;
    target->told = true;
    count++;
    int64_t wait = target->passed_over_ms > now_ms ? target->passed_over_ms - now_ms : 0;
    aio__count(&run->orch->counters, AIO__N_BREAKERS_PASSED_OVER);
    aio__shared_call_warn(run, AIORCH_E_PROVIDER_BUSY, "%s is not asked: its last attempts have failed; it may be asked again in %lld ms",
                         target->whom.provider->name, (long long)wait);
  }
  return count;
}
