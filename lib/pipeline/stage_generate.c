/*
 * Stage 5: an answer, from the first provider of the chain that gives one.
 *
 *   START -> NEXT -> [RECORD: the attempt's row is written before a byte leaves] -> STREAM -> done, or NEXT again
 *
 * The first delta is the commit point: an error before it goes to the next provider, one after it ends the run.
 */
#include <string.h>

#include "generate/route.h"
#include "pipeline/run_content.h"
#include "pipeline/stages.h"
#include "providers/extractive.h"
#include "text/tokens.h"

enum { START = 0, RECORD, STREAM };

static const aio__plugin_provider extractive = {.name = "extractive", .model = "extractive"};

const char *aio__run_model_for(const aiorch_run *run, const aio__plugin_provider *provider) {
  if (provider == &extractive || run->options->generate_model[0] == '\0') return provider->model;
  return run->options->generate_model;
}

aiorch_status aio__run_find_chain(aiorch_run *run, aiorch_error *why) {
  if (run->chain) return AIORCH_OK;
  return aio__route_chain(&run->arena, run->options->generate_chain, &run->orch->plugins, &extractive, &run->chain,
                          &run->chain_count, why);
}

aiorch_status aio__run_chain(aiorch_run *run) {
  aiorch_error why;
  aio__error_init(&why);
  aiorch_status st = aio__run_find_chain(run, &why);
  return st ? aio__run_fail(run, AIORCH_STAGE_GENERATE, st, "%s", why.message) : AIORCH_OK;
}

/* ---- the request ---- */

static aiorch_status make_call(aiorch_run *run, const aio__attempt *attempt) {
  aio__call_message *messages = aio__arena_alloc(&run->arena, run->message_count * sizeof *messages);
  size_t room = run->source_count ? run->source_count : 1;
  aio__call_source *sources = aio__arena_alloc(&run->arena, room * sizeof *sources);
  if (!messages || !sources) return AIORCH_E_NOMEM;
  aio__call_request request;
  memset(&request, 0, sizeof request);
  request.tenant = run->tenant;
  request.run_id = aio__str_n(run->id, AIO__UUID_LEN);
  request.model = aio__str_z(attempt->model);
  request.system = run->system;
  request.provider_options = aio__str_z(run->options->generate_provider_options);
  if (run->question != SIZE_MAX) request.question = run->messages[run->question].text;
  request.messages = messages;
  for (size_t i = 0; i < run->message_count; i++) {
    if (run->messages[i].role == AIORCH_ROLE_SYSTEM) continue;
    messages[request.message_count++] =
        (aio__call_message){.role = run->messages[i].role,
                            .text = run->messages[i].text,
                            .parts = run->messages[i].parts,
                            .part_count = run->messages[i].part_count};
  }
  aio__run_wishes(run, &request.wishes);
  request.sources = sources;
  request.source_count = run->source_count;
  for (size_t i = 0; i < run->source_count; i++) {
    sources[i] = (aio__call_source){
        .title = run->sources[i].title, .uri = run->sources[i].uri, .text = run->sources[i].text};
  }
  request.max_tokens = run->options->generate_max_tokens;
  request.temperature = run->options->generate_temperature;
  return aio__call_new(run->orch->calls, AIO__CALL_GENERATE, &request, run->waker, run->deadline_ns,
                       (size_t)run->options->response_max_bytes, &run->call);
}

static aio__attempt *current(aiorch_run *run) { return &run->attempts[run->attempt_count - 1]; }

/* ---- the end of an attempt ---- */

/* Tokens that the provider did not count are estimated, and marked so. */
static void take_usage(aiorch_run *run, aio__attempt *attempt, const aio__call_result *result) {
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) attempt->usage.n[i] = result->usage[i];
  if (result->has_usage || run->chain[run->chain_at] == &extractive || run->answer.n == 0) return;
  attempt->usage.n[AIORCH_USAGE_INPUT] = aio__prompt_tokens(run);
  attempt->usage.n[AIORCH_USAGE_OUTPUT] = (int64_t)aio__tokens_estimate(aio__buf_view(&run->answer));
  attempt->usage.estimated = true;
}

static aiorch_status end_attempt(aiorch_run *run, aiorch_status status, const char *message) {
  aio__attempt *attempt = current(run);
  const aio__call_result *result = aio__call_result_of(run->call);
  attempt->status = status;
  attempt->duration_us = (aio__run_now(run) - attempt->started_ns) / 1000;
  bool ended = aio__call_ended(run->call);
  if (ended) {
    attempt->http_status = result->http_status;
    attempt->retry_after_ms = result->retry_after_ms;
    take_usage(run, attempt, result);
    if (result->model[0]) attempt->model = aio__arena_strn(&run->arena, result->model, strlen(result->model));
    attempt->request_id = aio__arena_strn(&run->arena, result->request_id, strlen(result->request_id));
    if (!message) message = aio__arena_strn(&run->arena, result->message, strlen(result->message));
  }
  attempt->message = message ? message : "";
  aio__call_drop(run->call);
  run->call = NULL;
  if (!attempt->model || !attempt->request_id) {
    run->cost_known = false;
    return AIORCH_E_NOMEM;
  }
  aio__attempt_price(run, attempt);
  if (!ended && run->chain[run->chain_at] != &extractive) { /* sent and cut off: what it has cost nobody knows */
    attempt->cost_known = run->cost_known = false;
  }
  if (status < 0) aio__count(&run->orch->counters, AIO__N_ATTEMPTS_FAILED);
  return AIORCH_OK;
}

static aiorch_status out_of_memory(aiorch_run *run) {
  return aio__run_fail(run, AIORCH_STAGE_GENERATE, AIORCH_E_NOMEM, "out of memory while the answer was made");
}

static aiorch_status all_failed(aiorch_run *run) {
  bool retryable = false;
  int64_t retry_after = -1;
  for (size_t i = 0; i < run->attempt_count; i++) {
    const aio__attempt *a = &run->attempts[i];
    if (a->kind != AIORCH_ATTEMPT_GENERATE || !aio__route_retryable(a->status)) continue;
    retryable = true;
    if (a->retry_after_ms >= 0 && (retry_after < 0 || a->retry_after_ms < retry_after)) retry_after = a->retry_after_ms;
  }
  const aio__attempt *last = current(run);
  aio__run_fail(run, AIORCH_STAGE_GENERATE, AIORCH_E_PROVIDERS_UNAVAILABLE,
                "none of %zu provider%s could answer; the last, %s, said: %s%s%s", run->chain_count,
                run->chain_count == 1 ? "" : "s", last->provider, aiorch_strerror(last->status),
                last->message[0] ? ": " : "", last->message);
  run->error.http_status = retryable ? 503 : 502;
  run->error.retry_after_ms = retry_after;
  (void)strncpy(run->error.provider, last->provider, sizeof run->error.provider - 1);
  return AIORCH_E_PROVIDERS_UNAVAILABLE;
}

/* ---- the stream ---- */

static aiorch_status give_out(aiorch_run *run, size_t release) {
  if (release <= run->released) return AIORCH_OK;
  struct aiorch_event *event = aio__run_event(run, AIORCH_EVENT_DELTA, AIORCH_STAGE_GENERATE);
  if (event) {
    /* A copy: the answer's buffer may move before the event is read. */
    event->text = aio__arena_str(&run->arena, aio__str_n(run->answer.p + run->released, release - run->released));
  }
  if (run->events_wanted && (!event || !event->text.p)) return AIORCH_E_NOMEM; /* a stream has no holes */
  run->released = release;
  return AIORCH_OK;
}

static aiorch_status blocked(aiorch_run *run) {
  const aio__output_finding *finding = &run->check.finding;
  run->refused = true;
  aio__count(&run->orch->counters, AIO__N_OUTPUT_BLOCKED);
  run->finish_reason = AIORCH_FINISH_CONTENT_FILTER;
  aio__buf_reset(&run->answer);
  run->released = 0;
  return aio__run_fail(run, AIORCH_STAGE_GENERATE, AIORCH_E_OUTPUT_BLOCKED,
                       "the answer was stopped by the output rule \"%s\" (%s); \"output.check\" sets what it does",
                       finding->rule, finding->category);
}

static aiorch_status succeed(aiorch_run *run) {
  const aio__attempt *attempt = current(run);
  run->provider = attempt->provider;
  run->model = attempt->model;
  run->answered = true;
  if (run->check.finding.verdict != AIO__VERDICT_PASS) {
    aio__count(&run->orch->counters, AIO__N_OUTPUT_FLAGGED);
    aio__run_warn(run, AIORCH_STAGE_GENERATE, AIORCH_E_OUTPUT_BLOCKED, "the output rule \"%s\" (%s) flags the answer",
                  run->check.finding.rule, run->check.finding.category);
  }
  return AIORCH_OK;
}

static aiorch_status next_provider(aiorch_run *run);

/* A plug-in may say by itself that it was cancelled or late, or that an answer was blocked: it is an attempt that
 * failed, not the end of the run. */
static bool is_runs_own(const aiorch_run *run, aiorch_status status) {
  if (status == AIORCH_E_CANCELLED) return atomic_load_explicit(&run->cancelled, memory_order_acquire);
  if (status == AIORCH_E_DEADLINE) return aio__run_now(run) >= run->deadline_ns;
  return true;
}

/* An attempt has failed: in band after the commit point, else by the next provider. */
static aiorch_status attempt_failed(aiorch_run *run, aiorch_status status, const char *message) {
  if (end_attempt(run, status, message) != AIORCH_OK) return out_of_memory(run);
  const aio__attempt *attempt = current(run);
  if (status == AIORCH_E_NOMEM) return out_of_memory(run);
  bool own = is_runs_own(run, status);
  if (run->committed && (!own || status == AIORCH_E_OUTPUT_BLOCKED)) status = AIORCH_E_TRUNCATED;
  if (run->committed || (own && aio__route_after(status) == AIO__ROUTE_GIVE_UP)) {
    run->finish_reason = run->committed ? AIORCH_FINISH_ERROR : AIORCH_FINISH_NONE;
    aio__run_fail(run, AIORCH_STAGE_GENERATE, status, "%s: %s%s%s%s", attempt->provider, aiorch_strerror(status),
                  attempt->message[0] ? ": " : "", attempt->message,
                  run->committed ? " (after the answer had begun: what was given out stands)" : "");
    (void)strncpy(run->error.provider, attempt->provider, sizeof run->error.provider - 1);
    return status;
  }
  aio__buf_reset(&run->answer);
  run->released = 0;
  run->chain_at++;
  if (run->chain_at >= run->chain_count) return all_failed(run);
  aio__count(&run->orch->counters, AIO__N_FALLBACKS);
  aio__run_warn(run, AIORCH_STAGE_GENERATE, status, "%s failed (%s); %s is tried next", attempt->provider,
                aiorch_strerror(status), run->chain[run->chain_at]->name);
  return next_provider(run);
}

static aiorch_status stream(aiorch_run *run) {
  bool ended = aio__call_poll(run->call); /* before the text is taken, so that none is missed */
  aio__run_answer_back(run);
  if (aio__call_take_text(run->call, &run->answer) != AIORCH_OK) {
    return attempt_failed(run, run->answer.failed == AIORCH_E_NOMEM ? AIORCH_E_NOMEM : AIORCH_E_TOO_LARGE,
                          "the answer is longer than \"generate.response_max_bytes\"");
  }
  const aio__call_result *result = aio__call_result_of(run->call);
  bool whole = ended && result->status == AIORCH_OK;
  size_t release = run->released;
  aiorch_status st = aio__stream_check_feed(&run->check, aio__buf_view(&run->answer), whole, &release);
  if (st == AIORCH_E_OUTPUT_BLOCKED) return end_attempt(run, st, NULL) == AIORCH_OK ? blocked(run) : out_of_memory(run);
  if (st) return attempt_failed(run, st, st == AIORCH_E_RESPONSE ? "the answer is not UTF-8" : NULL);
  if (release > 0) run->committed = true;
  if (give_out(run, release) != AIORCH_OK) return attempt_failed(run, AIORCH_E_NOMEM, NULL);
  if (!ended) {
    aio__run_wake_at(run, aio__call_wakes_at(run->call));
    return AIORCH_PENDING;
  }
  if (result->status < 0) return attempt_failed(run, result->status, NULL);
  if (run->answer.n == 0 && result->finish_reason == AIORCH_FINISH_STOP) {
    return attempt_failed(run, AIORCH_E_RESPONSE, "the answer is empty");
  }
  run->finish_reason = result->finish_reason;
  if (end_attempt(run, AIORCH_OK, NULL) != AIORCH_OK) return out_of_memory(run);
  return succeed(run);
}

static aiorch_status start_stream(aiorch_run *run) {
  run->step = STREAM;
  memset(&run->check, 0, sizeof run->check);
  const char *mode = run->options->output_check;
  run->check.guard = strcmp(mode, "off") == 0 ? NULL : run->orch->output_guard;
  run->check.only_flag = strcmp(mode, "flag") == 0;
  run->check.canary = run->canary;
  run->check.hold_back = (size_t)run->options->output_hold_back;
  const aio__plugin_provider *provider = run->chain[run->chain_at];
  if (make_call(run, current(run)) != AIORCH_OK) {
    current(run)->status = AIORCH_E_NOMEM; /* nothing was sent: its row is not left pending */
    return out_of_memory(run);
  }
  if (provider == &extractive) {
    aio__call_start(run->call, aio__extractive_generate, NULL, NULL, 0, NULL);
  } else {
    aio__call_start(run->call, provider->vtbl.generate, provider->vtbl.cancel, provider->self, provider->vtbl.flags,
                    provider->serial);
  }
  return stream(run);
}

static aiorch_status recorded(aiorch_run *run, aiorch_status st) {
  if (st == AIORCH_PENDING) return st;
  if (st < 0) {
    /* Nothing was sent. Without a row there would be spending that nobody knows of. */
    current(run)->status = st;
    current(run)->cost_known = true;
    current(run)->message = "its row could not be written before it was sent";
    return aio__run_fail(run, AIORCH_STAGE_GENERATE, st, "%s", run->op.error.message);
  }
  return start_stream(run);
}

static aiorch_status next_provider(aiorch_run *run) {
  const aio__plugin_provider *provider = run->chain[run->chain_at];
  aio__attempt *attempt = aio__run_attempt(run, AIORCH_ATTEMPT_GENERATE);
  if (!attempt) return out_of_memory(run);
  attempt->provider = provider->name;
  attempt->model = aio__run_model_for(run, provider);
  if (provider == &extractive) return start_stream(run); /* inside the library and free: nothing to record first */
  run->step = RECORD;
  aio__attempt_to_row(run, attempt, &run->attempt_row);
  aio__store *store = run->orch->store;
  aio__op *op = aio__run_op_begin(run, run->deadline_ns);
  return recorded(run, aio__run_op(run, store->ledger->attempt(store, op, run->tenant, &run->attempt_row)));
}

static aiorch_status start(aiorch_run *run) {
  aiorch_status st = aio__run_chain(run);
  if (st) return st;
  st = aio__prompt_compose(run);
  if (st == AIORCH_E_SYSTEM) {
    return aio__run_fail(run, AIORCH_STAGE_GENERATE, st, "the system gave no random bytes for the context's fence");
  }
  return st ? out_of_memory(run) : next_provider(run);
}

aiorch_status aio__stage_generate(aiorch_run *run) {
  switch (run->step) {
    case RECORD: return recorded(run, aio__run_op_poll(run));
    case STREAM: return stream(run);
    default: return start(run);
  }
}
