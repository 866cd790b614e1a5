/*
 * Stage 5: an answer, from the first provider of the chain that gives one.
 *
 *   START -> [RECORD: the attempt's row is written before a byte leaves] -> STREAM -> done, or WAIT, or RECORD of the next
 *
 * Whom to ask next, and when, is the plan's to say (generate/attempt.h). The first delta is the commit point: an error before it
 * goes on with the plan, one after it ends the run. Text that is first seen together with the error after it is not given out.
 */
#include <string.h>

#include "pipeline/run_content.h"
#include "pipeline/run_extras.h"
#include "pipeline/shared_call.h"
#include "pipeline/stages.h"

/* Steps that go on at once say AIORCH_AGAIN, so that a long chain of failures is a loop, not a recursion. */
enum { START = 0, FLIGHT, ATTEMPT, RECORD, STREAM, WAIT };

enum { REASON_MAX = 160 /* bytes of what a provider said, in a warning */ };

bool aio__generate_drop(aiorch_run *run) {
  aio__plan_dropped(&run->plan, aio__run_now(run) / 1000000);
  if (run->seat.flight && run->call && aio__call_ended(run->call)) {
    aiorch_status st = aio__call_result_of(run->call)->status;
    aio__shared_call_done(run, st);
    (void)aio__attempt_end(run, st, NULL); /* it was whole, only this run did not see it any more */
  }
  if (aio__shared_call_leave(run)) return true; /* what is out goes on for others */
  if (!run->call) return false;
  (void)aio__call_poll(run->call); /* for its last word: bytes leave without waking whoever drives */
  if (aio__call_result_of(run->call)->sent) aio__attempt_dropped(run, run->error.status < 0 ? run->error.status : AIORCH_E_CANCELLED);
  aio__call_drop(run->call);
  run->call = NULL;
  return false;
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
  request.endpoint = run->plan.endpoint;
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
        .title = run->sources[i].title, .uri = run->sources[i].uri, .text = run->sources[i].text,
        .similarity = run->sources[i].similarity};
  }
  /* What speaks HTTP has written its request when its slot returns. */
  request.borrowed = run->plan.targets[run->plan.at].whom.provider->api != NULL;
  request.company = aio__orch_has_company(run->orch);
  if (run->plan.targets[run->plan.at].built_in) request.meaning = aio__run_meaning(run);
  request.max_tokens = run->options->generate_max_tokens;
  request.temperature = run->options->generate_temperature;
  bool shared = run->seat.flight != NULL;
  return aio__call_new(run->orch->calls, AIO__CALL_GENERATE, &request, shared ? aio__shared_call_waker(run) : run->waker,
                       shared ? aio__shared_call_deadline(run) : run->deadline_ns, (size_t)run->options->response_max_bytes,
                       &run->call);
}

static aio__attempt *current(aiorch_run *run) { return &run->attempts[run->attempt_count - 1]; }

static aiorch_status out_of_memory(aiorch_run *run) {
  aio__plan_dropped(&run->plan, aio__run_now(run) / 1000000);
  return aio__run_fail(run, AIORCH_STAGE_GENERATE, AIORCH_E_NOMEM, "out of memory while the answer was made");
}

/* ---- the stream ---- */

/* What the answer has grown by since `before`; all of it at its end where it is wanted whole. */
static aiorch_status give_out(aiorch_run *run, size_t before, bool all_there) {
  if (run->whole && !all_there) return AIORCH_OK;
  if (run->whole) before = 0;
  if (run->answer.n <= before) return AIORCH_OK;
  run->committed = true;
  /* A copy: the answer's buffer may move before the event is read. */
  aio__str more = aio__str_n(run->answer.p + before, run->answer.n - before);
  struct aiorch_event *event = aio__run_event_text(run, AIORCH_EVENT_DELTA, AIORCH_STAGE_GENERATE, more);
  return run->events_wanted && !event ? AIORCH_E_NOMEM : AIORCH_OK; /* a stream has no holes */
}

static aiorch_status blocked(aiorch_run *run) {
  const aio__output_finding *finding = &run->check.finding;
  run->refused = true;
  aio__count(&run->orch->counters, AIO__N_OUTPUT_BLOCKED);
  run->finish_reason = AIORCH_FINISH_CONTENT_FILTER;
  aio__buf_reset(&run->answer);
  aio__run_drop_extras(run);
  return aio__run_fail(run, AIORCH_STAGE_GENERATE, AIORCH_E_OUTPUT_BLOCKED,
                       "the answer was stopped by the output rule \"%s\" (%s); \"output.check\" sets what it does",
                       finding->rule, finding->category);
}

/* Markers of sources that do not exist are never passed on in silence. */
static void check_citations(aiorch_run *run) {
  run->citations = aio__citations_count(aio__buf_view(&run->answer), run->source_count);
  if (run->citations.unknown == 0) return;
  aio__count(&run->orch->counters, AIO__N_CITATIONS_UNKNOWN);
  aio__run_warn(run, AIORCH_STAGE_GENERATE, AIORCH_E_RESPONSE,
                "the answer cites [%lld], but there %s %zu source%s: %lld of its markers lead nowhere",
                (long long)run->citations.first_unknown, run->source_count == 1 ? "is" : "are", run->source_count,
                run->source_count == 1 ? "" : "s", (long long)run->citations.unknown);
}

static aiorch_status succeed(aiorch_run *run, const char *provider, const char *model) {
  const aio__output_finding *finding = &run->check.finding;
  run->provider = provider;
  run->model = model;
  run->answered = true;
  if (finding->verdict != AIO__VERDICT_PASS) {
    aio__count(&run->orch->counters, AIO__N_OUTPUT_FLAGGED);
    aio__run_warn(run, AIORCH_STAGE_GENERATE, AIORCH_E_OUTPUT_BLOCKED, "the output rule \"%s\" (%s) %s the answer", finding->rule,
                  finding->category, run->check.redacted > 0 ? "has changed" : "flags");
  }
  check_citations(run);
  return AIORCH_OK;
}

/* ---- what follows ---- */

/* The time for waits: whole milliseconds of the run's clock. */
static int64_t now_ms(const aiorch_run *run) { return aio__run_now(run) / 1000000; }

static int64_t remaining_ms(const aiorch_run *run) {
  return run->deadline_ns == AIO__NEVER ? INT64_MAX : (run->deadline_ns - aio__run_now(run)) / 1000000;
}

/* What the last attempt said of its failure, as far as it goes into a line. */
static aio__str reason(aiorch_run *run) {
  aio__str message = aio__str_z(current(run)->message);
  message.n = aio__utf8_cut(message, REASON_MAX);
  return message;
}

/* "openai failed (the provider is busy: overloaded); it is tried again in 300 ms" */
static void say_what_follows(aiorch_run *run, aio__plan_move move, const char *failed, aiorch_status status) {
  const char *next = run->plan.targets[run->plan.at].whom.provider->name, *words = aiorch_strerror(status);
  aio__str why = reason(run);
  const char *colon = why.n ? ": " : "";
  if (move.kind == AIO__PLAN_WAIT) {
    aio__shared_call_warn(run, status, "%s failed (%s%s%.*s); it is tried again in %lld ms", failed, words, colon,
                  (int)why.n, why.p, (long long)move.wait_ms);
  } else if (move.turn == AIO__TURN_OTHER_KEY) {
    aio__shared_call_warn(run, status, "%s failed (%s%s%.*s); another of its keys is tried", failed, words, colon,
                  (int)why.n, why.p);
  } else {
    aio__shared_call_warn(run, status, "%s failed (%s%s%.*s); %s%s is tried next", failed, words, colon, (int)why.n,
                  why.p, next, move.turn == AIO__TURN_LARGER_WINDOW ? ", which reads more," : "");
  }
}

/* Makes the plan's move. After a failure `failed` names the provider and `status` says how; else both are empty. */
static aiorch_status follow(aiorch_run *run, aio__plan_move move, const char *failed, aiorch_status status) {
  aio__counters *counters = &run->orch->counters;
  bool passed_over = aio__attempts_passed_over(run) > 0;
  if (move.kind == AIO__PLAN_NOBODY) {
    aiorch_status st = aio__attempts_all_failed(run);
    /* With little time left a wait was not possible that others may have time for. */
    if (remaining_ms(run) > AIO__RETRY_CAP_MS) aio__shared_call_gave_up(run);
    return st;
  }
  if (run->seat.flight && !aio__shared_call_lead(run, move.kind == AIO__PLAN_WAIT ? move.wait_ms : 0)) {
    aio__plan_dropped(&run->plan, now_ms(run)); /* another leads meanwhile */
    run->step = FLIGHT;
    return AIORCH_AGAIN;
  }
  bool other = move.turn == AIO__TURN_OTHER_PROVIDER || move.turn == AIO__TURN_LARGER_WINDOW;
  if (move.kind == AIO__PLAN_GO && (other || passed_over)) aio__count(counters, AIO__N_FALLBACKS);
  if (move.kind == AIO__PLAN_WAIT || move.turn == AIO__TURN_OTHER_KEY) aio__count(counters, AIO__N_RETRIES);
  if (failed) say_what_follows(run, move, failed, status);
  run->step = move.kind == AIO__PLAN_GO ? ATTEMPT : WAIT;
  run->retry_at_ns = aio__run_now(run) + move.wait_ms * 1000000;
  return AIORCH_AGAIN;
}

static aiorch_status waiting(aiorch_run *run) {
  if (aio__run_now(run) >= run->retry_at_ns) return follow(run, aio__plan_waited(&run->plan, now_ms(run)), NULL, AIORCH_OK);
  aio__run_wake_at(run, run->retry_at_ns);
  return AIORCH_PENDING;
}

/* A plug-in may say by itself that it was cancelled or late, or that an answer was blocked: it is an attempt that
 * failed, not the end of the run. */
static bool is_runs_own(const aiorch_run *run, aiorch_status status) {
  if (status == AIORCH_E_CANCELLED) return atomic_load_explicit(&run->cancelled, memory_order_acquire);
  if (status == AIORCH_E_DEADLINE) return aio__run_now(run) >= run->deadline_ns;
  return true;
}

/* In band after the commit point, or such that no other provider would do better. */
static aiorch_status give_up(aiorch_run *run, aiorch_status status, bool own) {
  const aio__attempt *attempt = current(run);
  if (run->committed && (!own || status == AIORCH_E_OUTPUT_BLOCKED)) status = AIORCH_E_TRUNCATED;
  run->finish_reason = run->committed ? AIORCH_FINISH_ERROR : AIORCH_FINISH_NONE;
  aio__run_fail(run, AIORCH_STAGE_GENERATE, status, "%s: %s%s%s%s", attempt->provider, aiorch_strerror(status),
                attempt->message[0] ? ": " : "", attempt->message,
                run->committed ? " (after the answer had begun: what was given out stands)" : "");
  (void)strncpy(run->error.provider, attempt->provider, sizeof run->error.provider - 1);
  if (aio__attempts_all_refused(run)) run->error.http_status = aio__error_http_of_refusal(status, attempt->http_status);
  bool everybodys = status == AIORCH_E_PROVIDER_REJECTED || status == AIORCH_E_CONTEXT_WINDOW;
  if (everybodys && !run->committed) aio__shared_call_gave_up(run);
  return status;
}

/* Ends the attempt for a reason that is this run's alone: for others it goes on. */
static aiorch_status end_own(aiorch_run *run, aiorch_status status) {
  if (!aio__call_ended(run->call) && aio__shared_call_leave(run)) {
    aio__attempt *attempt = current(run);
    attempt->status = status;
    attempt->duration_us = (aio__run_now(run) - attempt->started_ns) / 1000;
    attempt->cost_known = run->cost_known = false;
    return AIORCH_OK;
  }
  aio__shared_call_done(run, AIORCH_OK);
  return aio__attempt_end(run, status, NULL);
}

/* An attempt has failed: in band after the commit point, else as the plan says. */
static aiorch_status attempt_failed(aiorch_run *run, aiorch_status status, const char *message) {
  const aio__call_result *result = aio__call_result_of(run->call);
  aio__retry_failure failure = {.status = status, .retry_after_ms = -1, .should_retry = -1};
  if (aio__call_ended(run->call) && result->status == status) {
    failure.retry_after_ms = result->retry_after_ms;
    failure.should_retry = result->should_retry;
    failure.not_today = result->not_today;
  }
  if (status == AIORCH_E_NOMEM) {
    (void)out_of_memory(run);
    (void)end_own(run, status);
    return status;
  }
  aio__shared_call_done(run, status);
  if (aio__attempt_end(run, status, message) != AIORCH_OK) return out_of_memory(run);
  const char *provider = current(run)->provider;
  bool own = is_runs_own(run, status);
  if (!own) failure.status = AIORCH_E_PLUGIN;
  if (status == AIORCH_E_CONTEXT_WINDOW) run->plan.prompt_tokens = aio__prompt_tokens(run);
  aio__plan_move move = aio__plan_failed(&run->plan, &failure, run->committed, remaining_ms(run), now_ms(run));
  if (run->plan.opened) aio__count(&run->orch->counters, AIO__N_BREAKERS_OPENED);
  if (move.kind == AIO__PLAN_GIVE_UP) return give_up(run, status, own);
  aio__buf_reset(&run->answer);
  return follow(run, move, provider, status);
}

/* Appends what has come to run->raw. AIORCH_OK, AIORCH_PENDING, or why it is no answer. */
static aiorch_status take_text(aiorch_run *run, bool *ended) {
  if (!run->seat.flight) {
    *ended = aio__call_poll(run->call); /* before the text is taken, so that none is missed */
    aiorch_status st = aio__call_take_text(run->call, &run->raw);
    return st == AIORCH_OK || st == AIORCH_E_NOMEM ? st : AIORCH_E_TOO_LARGE;
  }
  aiorch_status round = AIORCH_OK, st = aio__shared_call_pump(run, ended, &round);
  if (st == AIORCH_AGAIN) {
    *ended = true;
    return aio__call_ended(run->call) ? AIORCH_OK : AIORCH_E_TOO_LARGE; /* what its own call said counts */
  }
  if (st == AIORCH_OK && *ended && (round == AIORCH_E_NOMEM || round == AIORCH_E_TOO_LARGE)) st = round;
  return st;
}

static aiorch_status stream(aiorch_run *run) {
  bool ended = false;
  aiorch_status taken = take_text(run, &ended);
  if (taken == AIORCH_PENDING) return taken;
  if (taken) {
    return attempt_failed(run, taken, "the answer is longer than \"generate.response_max_bytes\"");
  }
  const aio__call_result *result = aio__call_result_of(run->call);
  bool whole = ended && result->status == AIORCH_OK;
  size_t before = run->answer.n;
  aio__run_take_warnings(run);
  if (run->raw.n > 0) aio__plan_alive(&run->plan);
  if (ended && result->status < 0 && !run->committed) return attempt_failed(run, result->status, NULL);
  aiorch_status st = aio__stream_check_feed(&run->check, aio__buf_view(&run->raw), whole, &run->answer);
  if (st == AIORCH_OK && whole) st = aio__run_take_extras(run);
  if (st == AIORCH_E_OUTPUT_BLOCKED) {
    aio__plan_succeeded(&run->plan, now_ms(run)); /* it did what it was asked to */
    (void)blocked(run); /* first: what the run leaves to others says how it ended */
    return end_own(run, st) == AIORCH_OK ? st : out_of_memory(run);
  }
  if (st) return attempt_failed(run, st, st == AIORCH_E_RESPONSE ? "the answer is not UTF-8" : NULL);
  if (give_out(run, before, whole) != AIORCH_OK || (whole && aio__run_announce_extras(run) != AIORCH_OK)) return attempt_failed(run, AIORCH_E_NOMEM, NULL);
  if (!ended) {
    if (!run->seat.flight) aio__run_wake_at(run, aio__call_wakes_at(run->call));
    return AIORCH_PENDING;
  }
  if (result->status < 0) return attempt_failed(run, result->status, NULL);
  if (run->raw.n == 0 && result->finish_reason == AIORCH_FINISH_STOP) {
    return attempt_failed(run, AIORCH_E_RESPONSE, "the answer is empty");
  }
  run->finish_reason = result->finish_reason;
  aio__plan_succeeded(&run->plan, now_ms(run));
  aio__shared_call_done(run, AIORCH_OK);
  if (aio__attempt_end(run, AIORCH_OK, NULL) != AIORCH_OK) return out_of_memory(run);
  return succeed(run, current(run)->provider, current(run)->model);
}

void aio__generate_begin_check(aiorch_run *run, aio__str canary) {
  const char *mode = run->options->output_check;
  run->check = (aio__stream_check){.guard = strcmp(mode, "off") == 0 ? NULL : run->orch->output_guard,
                                   .mode = strcmp(mode, "flag") == 0     ? AIO__CHECK_FLAG
                                           : strcmp(mode, "redact") == 0 ? AIO__CHECK_REDACT
                                                                         : AIO__CHECK_BLOCK,
                                   .canary = canary,
                                   .hosts = aio__str_z(run->options->output_hosts),
                                   .hold_back = (size_t)run->options->output_hold_back};
  aio__buf_reset(&run->raw);
  run->extras_seen = 0;
  if (!run->committed) aio__buf_reset(&run->answer);
}

static void start_call(aiorch_run *run) {
  const aio__plugin_provider *provider = run->plan.targets[run->plan.at].whom.provider;
  if (!provider->api) aio__io_wake(run->orch->io); /* a plug-in may take its time */
  aio__call_start(run->call, provider->vtbl.generate, provider->vtbl.cancel, provider->self, provider->vtbl.flags,
                  provider->serial);
}

/* Another run leads the flight meanwhile: this attempt is not made. */
static aiorch_status not_made(aiorch_run *run) {
  aio__attempt *attempt = current(run);
  aio__plan_dropped(&run->plan, now_ms(run));
  aio__call_drop(run->call);
  run->call = NULL;
  attempt->status = AIORCH_E_CANCELLED;
  attempt->cost_known = true;
  attempt->message = "not sent: another run asks the same";
  run->step = FLIGHT;
  return AIORCH_AGAIN;
}

static aiorch_status start_stream(aiorch_run *run) {
  run->step = STREAM;
  aio__generate_begin_check(run, run->canary);
  if (make_call(run, current(run)) != AIORCH_OK) {
    current(run)->status = AIORCH_E_NOMEM; /* nothing was sent: its row is not left pending */
    return out_of_memory(run);
  }
  if (!run->seat.flight) start_call(run);
  else if (!aio__shared_call_launch(run, start_call)) return not_made(run);
  return stream(run);
}

static aiorch_status recorded(aiorch_run *run, aiorch_status st) {
  if (st == AIORCH_PENDING) return st;
  if (st < 0) {
    /* Nothing was sent. Without a row there would be spending that nobody knows of. */
    aio__plan_dropped(&run->plan, now_ms(run));
    current(run)->status = st;
    current(run)->cost_known = true;
    current(run)->message = "its row could not be written before it was sent";
    return aio__run_fail(run, AIORCH_STAGE_GENERATE, st, "%s", run->op.error.message);
  }
  return start_stream(run);
}

static aiorch_status begin_attempt(aiorch_run *run) {
  const aio__target *target = &run->plan.targets[run->plan.at];
  aio__attempt *attempt = aio__run_attempt(run, AIORCH_ATTEMPT_GENERATE);
  if (!attempt) return out_of_memory(run);
  attempt->provider = target->whom.provider->name;
  attempt->model = target->whom.model;
  if (target->built_in) return start_stream(run); /* inside the library and free: nothing to record first */
  run->step = RECORD;
  aio__attempt_to_row(run, attempt, &run->attempt_row);
  aio__store *store = run->orch->store;
  aio__op *op = aio__run_op_begin(run, run->deadline_ns);
  return recorded(run, aio__run_op(run, store->ledger->attempt(store, op, run->tenant, &run->attempt_row)));
}

/* ---- in a flight that others fly in, too ---- */

static aiorch_status go_alone(aiorch_run *run) {
  (void)aio__shared_call_leave(run);
  return follow(run, aio__plan_begin(&run->plan, now_ms(run)), NULL, AIORCH_OK);
}

static aiorch_status broken_off(aiorch_run *run) {
  run->finish_reason = AIORCH_FINISH_ERROR;
  return aio__run_fail(run, AIORCH_STAGE_GENERATE, AIORCH_E_TRUNCATED,
                       "the answer that is shared with another run broke off (after it had begun: what was given out stands)");
}

static aiorch_status share_answer(aiorch_run *run) {
  aio__shared_answer answer;
  if (aio__shared_call_answer(run, &answer) != AIORCH_OK) return out_of_memory(run);
  run->finish_reason = answer.finish_reason;
  aiorch_status st = aio__run_take_extras(run); /* its reasoning: an answer that calls tools is not shared */
  if (st) return st == AIORCH_E_OUTPUT_BLOCKED ? blocked(run) : out_of_memory(run);
  run->shared = true;
  aio__count(&run->orch->counters, AIO__N_RUNS_SHARED);
  return succeed(run, answer.provider, answer.model);
}

static aiorch_status read_along(aiorch_run *run) {
  bool ended = false;
  aiorch_status round = AIORCH_PENDING, st = aio__shared_call_pump(run, &ended, &round);
  if (st == AIORCH_PENDING) return st;
  if (st == AIORCH_E_TRUNCATED) return broken_off(run);
  if (st) return out_of_memory(run);
  if (ended && round < 0 && !run->committed) return AIORCH_AGAIN;
  size_t before = run->answer.n;
  st = aio__stream_check_feed(&run->check, aio__buf_view(&run->raw), ended && round == AIORCH_OK, &run->answer);
  if (st == AIORCH_E_OUTPUT_BLOCKED) return blocked(run);
  if (st == AIORCH_E_RESPONSE) aio__shared_call_spoilt(run, st);
  if (st == AIORCH_E_RESPONSE) return run->committed ? broken_off(run) : AIORCH_AGAIN;
  if (st || give_out(run, before, ended && round == AIORCH_OK) != AIORCH_OK) return out_of_memory(run);
  if (!ended) return AIORCH_PENDING;
  if (round == AIORCH_OK) return share_answer(run);
  return run->committed ? broken_off(run) : AIORCH_AGAIN;
}

static aiorch_status share_error(aiorch_run *run) {
  aiorch_error error;
  aio__error_init(&error);
  aio__shared_call_error(run, &error);
  if (error.status == AIORCH_OK) return go_alone(run);
  run->shared = true;
  aio__count(&run->orch->counters, AIO__N_RUNS_SHARED);
  aio__run_fail(run, AIORCH_STAGE_GENERATE, error.status, "%s", error.message);
  run->error.http_status = error.http_status;
  run->error.retry_after_ms = error.retry_after_ms;
  memcpy(run->error.provider, error.provider, sizeof run->error.provider);
  return error.status;
}

static aiorch_status in_flight(aiorch_run *run) {
  switch (aio__shared_call_role(run)) {
    case AIO__FLIGHT_LEADS:
      if (run->committed) return broken_off(run);
      if (!aio__shared_call_lead(run, 0)) return AIORCH_AGAIN;
      return follow(run, aio__plan_begin(&run->plan, now_ms(run)), NULL, AIORCH_OK);
    case AIO__FLIGHT_WAITS: return run->committed ? broken_off(run) : AIORCH_PENDING;
    case AIO__FLIGHT_SHARES: return run->committed ? broken_off(run) : share_error(run);
    default: return read_along(run);
  }
}

static aiorch_status start(aiorch_run *run) {
  aiorch_status st = aio__run_chain(run);
  if (st) return st;
  st = aio__prompt_compose(run);
  if (st == AIORCH_E_SYSTEM) {
    return aio__run_fail(run, AIORCH_STAGE_GENERATE, st, "the system gave no random bytes for the context's fence");
  }
  if (st == AIORCH_OK) st = aio__run_plan(run);
  if (st) return out_of_memory(run);
  aio__shared_call_join(run);
  run->step = FLIGHT;
  return run->seat.flight ? AIORCH_AGAIN : follow(run, aio__plan_begin(&run->plan, now_ms(run)), NULL, AIORCH_OK);
}

static aiorch_status step(aiorch_run *run) {
  switch (run->step) {
    case FLIGHT: return in_flight(run);
    case ATTEMPT: return begin_attempt(run);
    case RECORD: return recorded(run, aio__run_op_poll(run));
    case STREAM: return stream(run);
    case WAIT: return waiting(run);
    default: return start(run);
  }
}

aiorch_status aio__stage_generate(aiorch_run *run) {
  aiorch_status st;
  do st = step(run);
  while (st == AIORCH_AGAIN);
  if (st != AIORCH_PENDING && !run->call) (void)aio__shared_call_leave(run); /* its own part is over */
  return st;
}
