/* A run, an error and an event as JSON: the members of schema/run.json and schema/event.json, only ever added to. */
#include <string.h>

#include "pipeline/run_state.h"

/* ---- parts ---- */

/* null for the empty text: a name that is not known. */
static void put_name(aio__json_writer *w, const char *key, const char *name) {
  aio__jw_kz(w, key, name && name[0] ? name : NULL);
}

static void put_ms(aio__json_writer *w, const char *key, int64_t us) {
  aio__jw_kf64(w, key, (double)us / 1000.0);
}

static void put_usage(aio__json_writer *w, const aio__usage *usage) {
  aio__jw_key(w, "usage");
  aio__jw_object(w);
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) aio__jw_ki64(w, aio__usage_name(i), usage->n[i]);
  aio__jw_kbool(w, "estimated", usage->estimated);
  aio__jw_object_end(w);
}

static void put_cost(aio__json_writer *w, bool known, int64_t nano_usd) {
  if (known) aio__jw_ki64(w, "cost_nano_usd", nano_usd);
  else aio__jw_knull(w, "cost_nano_usd");
}

static const char *cache_name(int32_t outcome) {
  switch (outcome) {
    case AIORCH_CACHE_MISS: return "miss";
    case AIORCH_CACHE_EXACT: return "exact";
    case AIORCH_CACHE_SEMANTIC: return "semantic";
    default: return "off";
  }
}

static void put_cache(aio__json_writer *w, const aiorch_run *run) {
  bool compared = run->cache_outcome == AIORCH_CACHE_EXACT || run->cache_outcome == AIORCH_CACHE_SEMANTIC ||
                  (run->cache_refused_by && run->cache_refused_by[0]);
  aio__jw_key(w, "cache");
  aio__jw_object(w);
  aio__jw_kz(w, "outcome", cache_name(run->cache_outcome));
  put_name(w, "entry_id", run->entry_id);
  if (compared) aio__jw_kf64(w, "similarity", run->cache_similarity);
  else aio__jw_knull(w, "similarity");
  put_name(w, "refused_by", run->cache_refused_by);
  put_name(w, "refused_detail", run->cache_refused_detail);
  aio__jw_object_end(w);
}

static void put_tier(aio__json_writer *w, const aiorch_run *run) {
  const aio__tier_choice *tier = &run->tier;
  aio__jw_key(w, "tier");
  if (!tier->made) {
    aio__jw_null(w);
    return;
  }
  aio__jw_object(w);
  aio__jw_kz(w, "name", aio__tier_name(tier->tier));
  aio__jw_kz(w, "asked", run->options->generate_tier);
  if (tier->by_rules) aio__jw_ki64(w, "points", tier->points);
  else aio__jw_knull(w, "points");
  put_name(w, "because", tier->because);
  aio__jw_object_end(w);
}

static void put_citations(aio__json_writer *w, const aiorch_run *run) {
  aio__jw_key(w, "citations");
  aio__jw_object(w);
  aio__jw_ki64(w, "valid", run->citations.valid);
  aio__jw_ki64(w, "unknown", run->citations.unknown);
  aio__jw_object_end(w);
}

static void put_sources(aio__json_writer *w, const aiorch_run *run) {
  aio__jw_key(w, "sources");
  aio__jw_array(w);
  for (size_t i = 0; i < run->source_count; i++) aio__source_json(w, &run->sources[i], i + 1);
  aio__jw_array_end(w);
}

static void put_tool_call(aio__json_writer *w, const aio__run_tool_call *call) {
  aio__jw_object(w);
  aio__jw_kz(w, "id", call->id);
  aio__jw_kz(w, "name", call->name);
  aio__jw_kstr(w, "arguments", call->arguments);
  put_name(w, "signature", call->signature.p);
  aio__jw_object_end(w);
}

static void put_content(aio__json_writer *w, const aiorch_run *run) {
  aio__jw_key(w, "tool_calls");
  aio__jw_array(w);
  for (size_t i = 0; i < run->tool_call_count; i++) put_tool_call(w, &run->tool_calls[i]);
  aio__jw_array_end(w);
  aio__jw_key(w, "reasoning");
  aio__jw_array(w);
  for (size_t i = 0; i < run->reasoning_count; i++) {
    aio__jw_object(w);
    aio__jw_kstr(w, "text", run->reasoning[i].text);
    put_name(w, "signature", run->reasoning[i].signature.p);
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
}

static void put_stages(aio__json_writer *w, const aiorch_run *run) {
  aio__jw_key(w, "stages");
  aio__jw_array(w);
  for (int i = 0; i < AIORCH_STAGE_COUNT; i++) {
    const aio__stage_record *stage = &run->stages[i];
    aio__jw_object(w);
    aio__jw_kz(w, "name", aiorch_stage_name(i));
    aio__jw_kz(w, "outcome", aiorch_outcome_name(stage->outcome));
    put_ms(w, "duration_ms", stage->us);
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
}

/* The status in lower case: "ok", "pending", "network", "provider_limit". */
static void put_attempt_outcome(aio__json_writer *w, aiorch_status status) {
  char text[40];
  const char *name = aiorch_status_name(status);
  size_t n = strnlen(name, sizeof text - 1);
  for (size_t i = 0; i < n; i++) text[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
  aio__jw_kstr(w, "outcome", aio__str_n(text, n));
}

static void put_attempt(aio__json_writer *w, const aio__attempt *attempt) {
  aio__jw_object(w);
  aio__jw_kz(w, "kind", attempt->kind == AIORCH_ATTEMPT_EMBED ? "embed" : "generate");
  put_name(w, "provider", attempt->provider);
  put_name(w, "model", attempt->model);
  put_attempt_outcome(w, attempt->status);
  if (attempt->http_status) aio__jw_ki64(w, "http_status", attempt->http_status);
  else aio__jw_knull(w, "http_status");
  put_name(w, "request_id", attempt->request_id);
  put_usage(w, &attempt->usage);
  put_cost(w, attempt->cost_known, attempt->cost_nano_usd);
  put_ms(w, "duration_ms", attempt->duration_us);
  put_name(w, "message", attempt->message);
  aio__jw_object_end(w);
}

static void put_attempts(aio__json_writer *w, const aiorch_run *run) {
  aio__jw_key(w, "attempts");
  aio__jw_array(w);
  for (size_t i = 0; i < run->attempt_count; i++) put_attempt(w, &run->attempts[i]);
  aio__jw_array_end(w);
}

static int64_t duration_us(const aiorch_run *run) {
  switch (run->phase) {
    case AIO__RUN_ACTIVE: return (aio__run_now(run) - run->started_ns) / 1000;
    case AIO__RUN_ENDED: return (run->ended_ns - run->started_ns) / 1000;
    default: return 0;
  }
}

/* ---- whole ---- */

void aio__error_report(const aiorch_error *error, aio__json_writer *w) {
  aio__jw_object(w);
  aio__jw_ki64(w, "code", error->status);
  aio__jw_kz(w, "name", aiorch_status_name(error->status));
  aio__jw_kz(w, "stage", aiorch_stage_name(error->stage));
  aio__jw_kz(w, "message", error->message[0] ? error->message : aiorch_strerror(error->status));
  if (error->retry_after_ms >= 0) aio__jw_ki64(w, "retry_after_ms", error->retry_after_ms);
  else aio__jw_knull(w, "retry_after_ms");
  aio__jw_ki64(w, "http_status", aiorch_error_http_status(error));
  aio__jw_object_end(w);
}

void aio__run_report(aiorch_run *run, aio__json_writer *w) {
  bool has_answer = run->answered || run->answer.n > 0;
  bool failed = run->error.status < 0 && !(run->phase == AIO__RUN_ENDED && run->status >= 0);
  aio__jw_object(w);
  aio__jw_kstr(w, "run_id", aio__str_n(run->id, AIO__UUID_LEN));
  if (has_answer) aio__jw_kstr(w, "answer", aio__buf_view(&run->answer));
  else aio__jw_knull(w, "answer");
  aio__jw_kz(w, "finish_reason",
             run->finish_reason == AIORCH_FINISH_NONE ? NULL : aiorch_finish_reason_name(run->finish_reason));
  put_name(w, "stop_sequence", run->stopped_by.p);
  put_content(w, run);
  put_cache(w, run);
  put_sources(w, run);
  put_name(w, "provider", run->provider);
  put_name(w, "model", run->model);
  put_tier(w, run);
  aio__jw_kbool(w, "shared", run->shared);
  put_citations(w, run);
  put_usage(w, &run->usage);
  put_cost(w, run->cost_known, run->cost_nano_usd);
  if (run->cost_known) aio__jw_kusd(w, "cost_usd", run->cost_nano_usd);
  else aio__jw_knull(w, "cost_usd");
  put_ms(w, "duration_ms", duration_us(run));
  put_stages(w, run);
  put_attempts(w, run);
  if (failed) {
    aio__jw_key(w, "error");
    aio__error_report(&run->error, w);
  }
  aio__jw_object_end(w);
}

/* ---- events ---- */

static const char *event_name(int32_t type) {
  switch (type) {
    case AIORCH_EVENT_STAGE: return "stage";
    case AIORCH_EVENT_DELTA: return "delta";
    case AIORCH_EVENT_SOURCE: return "source";
    case AIORCH_EVENT_WARNING: return "warning";
    case AIORCH_EVENT_ERROR: return "error";
    case AIORCH_EVENT_TOOL_CALL: return "tool_call";
    default: return "final";
  }
}

static void put_stage_event(aio__json_writer *w, const struct aiorch_event *event) {
  aio__jw_kz(w, "stage", aiorch_stage_name(event->stage));
  aio__jw_kz(w, "outcome", aiorch_outcome_name(event->outcome));
  put_ms(w, "duration_ms", event->us);
}

static void put_source_event(aio__json_writer *w, const struct aiorch_event *event) {
  aio__jw_key(w, "source");
  const aiorch_run *run = event->run;
  if (event->index < run->source_count) aio__source_json(w, &run->sources[event->index], event->index + 1);
  else aio__jw_null(w);
}

static void put_tool_call_event(aio__json_writer *w, const struct aiorch_event *event) {
  aio__jw_key(w, "tool_call");
  const aiorch_run *run = event->run;
  if (event->index < run->tool_call_count) put_tool_call(w, &run->tool_calls[event->index]);
  else aio__jw_null(w);
}

static void put_warning(aio__json_writer *w, const struct aiorch_event *event) {
  aio__jw_kz(w, "stage", aiorch_stage_name(event->stage));
  aio__jw_ki64(w, "code", event->status);
  aio__jw_kz(w, "name", aiorch_status_name(event->status));
  aio__jw_kstr(w, "message", event->text);
}

void aio__event_report(const struct aiorch_event *event, aio__json_writer *w) {
  aio__jw_object(w);
  aio__jw_kz(w, "type", event_name(event->type));
  switch (event->type) {
    case AIORCH_EVENT_STAGE: put_stage_event(w, event); break;
    case AIORCH_EVENT_DELTA: aio__jw_kstr(w, "text", event->text); break;
    case AIORCH_EVENT_SOURCE: put_source_event(w, event); break;
    case AIORCH_EVENT_WARNING: put_warning(w, event); break;
    case AIORCH_EVENT_TOOL_CALL: put_tool_call_event(w, event); break;
    case AIORCH_EVENT_ERROR:
      aio__jw_key(w, "error");
      aio__error_report(&event->run->error, w);
      break;
    default:
      aio__jw_key(w, "run");
      aio__run_report(event->run, w);
  }
  aio__jw_object_end(w);
}
