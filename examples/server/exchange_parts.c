/*
 * What several wires do.
 */
#include "client_wire.h"

#include "body_json.h"

#include <stdlib.h>
#include <string.h>

bool exchange_run_new(exchange *x, http_problem *why) {
  aiorch_status status = aiorch_run_new(x->orch, x->who->tenant, x->who->tenant_len, x->who->user, x->who->user_len, &x->run);
  return status == AIORCH_OK ? true : http_problem_of(why, status, NULL);
}

bool exchange_refused(exchange *x, aiorch_status status, const char *param, http_problem *why) {
  char words[sizeof why->message];
  http_problem_of(why, status, aiorch_run_error(x->run));
  why->param = param;
  if (!param || strstr(why->message, param)) return false; /* it speaks of a setting of ours; the client knows its member */
  snprintf(words, sizeof words, "%s", why->message);
  snprintf(why->message, sizeof why->message, "%s: %.*s", param, (int)(sizeof words - strlen(param) - 3), words);
  return false;
}

void exchange_event(exchange *x, const wire *w, const aiorch_event *event) {
  const char *text = "";
  size_t len = 0;
  int32_t type = aiorch_event_type(event);
  aiorch_event_text(event, &text, &len);
  if (type == AIORCH_EVENT_WARNING && x->warnings.count < EXCHANGE_WARNINGS_MAX) cli_list_add(&x->warnings, text, len);
  if (!x->streamed) return;
  if (type == AIORCH_EVENT_DELTA && len) w->delta(x, text, len);
  else if (type == AIORCH_EVENT_TOOL_CALL && w->tool_call) w->tool_call(x, aiorch_event_index(event));
  else if (type == AIORCH_EVENT_FINAL && aiorch_event_status(event) == AIORCH_OK) w->finish(x);
}

void sse_event(cli_bytes *out, const char *name, const char *json, size_t len) {
  if (name) {
    cli_add(out, "event: ", 7);
    cli_addz(out, name);
    cli_addc(out, '\n');
  }
  cli_add(out, "data: ", 6);
  cli_add(out, json, len);
  cli_add(out, "\n\n", 2);
}

bool exchange_arguments(json_print *p, const char *text, size_t len) {
  body_json json;
  bool good = body_parse(&json, text, len) && json.root->type == BODY_OBJECT;
  if (good) {
    jp_raw(p, json.root->raw, json.root->raw_len);
  } else {
    jp_open(p, '{');
    jp_key(p, "INVALID_JSON");
    jp_str(p, text, len);
    jp_close(p, '}');
  }
  body_free(&json);
  return good;
}

static const char *cache_word(const aiorch_run *run) {
  switch (aiorch_run_cache_outcome(run)) {
    case AIORCH_CACHE_EXACT: return "hit";
    case AIORCH_CACHE_SEMANTIC: return "near";
    case AIORCH_CACHE_MISS: return "miss";
    default: return "off";
  }
}

const char *exchange_cache(const exchange *x) { return cache_word(x->run); }

static void member_text(json_print *p, const char *name, aiorch_status (*read)(const aiorch_run *, const char **, size_t *), const aiorch_run *run) {
  const char *text = "";
  size_t len = 0;
  if (read(run, &text, &len) != AIORCH_OK || len == 0) return;
  jp_key(p, name);
  jp_str(p, text, len);
}

static void source_member(json_print *p, const char *name, aiorch_status (*read)(const aiorch_run *, size_t, const char **, size_t *),
                          const aiorch_run *run, size_t index) {
  const char *text = "";
  size_t len = 0;
  if (read(run, index, &text, &len) != AIORCH_OK || len == 0) return;
  jp_key(p, name);
  jp_str(p, text, len);
}

static void members_of_sources(json_print *p, const aiorch_run *run) {
  size_t count = aiorch_run_source_count(run);
  jp_key(p, "sources");
  jp_open(p, '[');
  for (size_t i = 0; i < count; i++) {
    jp_open(p, '{');
    jp_ki64(p, "index", (int64_t)i + 1);
    source_member(p, "title", aiorch_run_source_title, run, i);
    source_member(p, "uri", aiorch_run_source_uri, run, i);
    source_member(p, "document_id", aiorch_run_source_document_id, run, i);
    jp_close(p, '}');
  }
  jp_close(p, ']');
}

bool exchange_cost(const exchange *x, char out[40]) {
  int64_t nano;
  char usd[40];
  if (aiorch_run_cost(x->run, &nano) != AIORCH_OK) return false;
  cli_usd_text(nano, usd);
  memmove(out, usd + (usd[0] == '$'), strlen(usd) + (usd[0] != '$'));
  return true;
}

/* Who was asked, one after the other; the questions' vectors are none of the client's business. */
static void members_of_attempts(json_print *p, const aiorch_run *run) {
  size_t count = aiorch_run_attempt_count(run);
  jp_key(p, "attempts");
  jp_open(p, '[');
  for (size_t i = 0; i < count; i++) {
    const char *provider = "", *model = "", *request_id = "";
    aiorch_status outcome = AIORCH_OK;
    int32_t kind = 0, http_status = 0;
    int64_t duration_us = 0;
    if (aiorch_run_attempt(run, i, &kind, &outcome, &http_status, &duration_us) != AIORCH_OK || kind != AIORCH_ATTEMPT_GENERATE) continue;
    aiorch_run_attempt_names(run, i, &provider, &model, &request_id);
    jp_open(p, '{');
    jp_kz(p, "provider", provider);
    jp_kz(p, "model", model);
    jp_kz(p, "outcome", aiorch_status_name(outcome));
    if (http_status) jp_ki64(p, "http_status", http_status);
    jp_ki64(p, "duration_us", duration_us);
    jp_close(p, '}');
  }
  jp_close(p, ']');
}

void exchange_warnings_member(const cli_list *warnings, json_print *p) {
  if (warnings->count == 0) return;
  jp_key(p, "warnings");
  jp_open(p, '[');
  for (size_t i = 0; i < warnings->count; i++) jp_z(p, warnings->items[i]);
  jp_close(p, ']');
}

void exchange_aiorch_members(const exchange *x, json_print *p) {
  char cost[40];
  member_text(p, "run_id", aiorch_run_id, x->run);
  member_text(p, "provider", aiorch_run_provider, x->run);
  member_text(p, "model", aiorch_run_model, x->run);
  jp_kz(p, "cache", cache_word(x->run));
  if (exchange_cost(x, cost)) {
    jp_key(p, "cost_usd");
    jp_raw(p, cost, strlen(cost));
  }
  if (aiorch_run_usage_estimated(x->run)) {
    jp_key(p, "usage_estimated");
    jp_bool(p, true);
  }
  jp_ki64(p, "duration_us", aiorch_run_duration_us(x->run));
  members_of_sources(p, x->run);
  members_of_attempts(p, x->run);
  exchange_warnings_member(&x->warnings, p);
}
