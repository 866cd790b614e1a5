/*
 * POST /ask: {"message"} in; response, provider, latency and what else is known out. With Accept: text/event-stream or "stream": true the
 * answer comes as it is written: `data: {"delta": "..."}`, then one `event: done` with all that the whole answer has beside the text.
 */
#include "client_wire.h"

#include <stdlib.h>
#include <string.h>

/* A member that has to be of a type where it is there. */
static bool check_type(const json_value *root, const char *name, json_type type, const char *words, http_problem *why) {
  const json_value *value = json_get(root, name);
  if (!value || value->type == JSON_NULL || value->type == type) return true;
  return http_problem_set(why, 400, "invalid_type", NULL, "\"%s\" takes %s", name, words);
}

static bool wants_stream(const http_request *request, const json_value *root) {
  const json_value *stream = json_get(root, "stream");
  const char *accept = request_header(request, "accept");
  if (stream && stream->type == JSON_BOOL) return stream->truth;
  return accept && strstr(accept, "text/event-stream") != NULL;
}

static bool fill(exchange *x, const json_value *root, http_problem *why) {
  const json_value *message = json_get(root, "message"), *system = json_get(root, "system");
  aiorch_status status = AIORCH_OK;
  if (!exchange_run_new(x, why)) return false;
  if (system && system->type == JSON_TEXT) {
    status = aiorch_run_add_message(x->run, AIORCH_ROLE_SYSTEM, system->text ? system->text : "", system->len);
    if (status != AIORCH_OK) return exchange_refused(x, status, "system", why);
  }
  status = aiorch_run_add_message(x->run, AIORCH_ROLE_USER, message->text ? message->text : "", message->len);
  return status == AIORCH_OK ? true : exchange_refused(x, status, "message", why);
}

static bool begin(exchange *x, const char *body, size_t len, http_problem *why) {
  size_t where = 0;
  json_value *root = json_parse(body, len, &where);
  bool good = false;
  if (!root) {
    http_problem_set(why, 400, "invalid_json", NULL, "the body is no JSON at byte %zu; send {\"message\": \"...\"}", where);
  } else if (root->type != JSON_OBJECT) {
    http_problem_set(why, 400, "invalid_json", NULL, "the body is no object; send {\"message\": \"...\"}");
  } else if (!json_get(root, "message") || json_get(root, "message")->type != JSON_TEXT) {
    http_problem_set(why, 400, "missing_required_parameter", "message", "\"message\" is missing, or no text");
  } else if (check_type(root, "stream", JSON_BOOL, "true or false", why) && check_type(root, "system", JSON_TEXT, "a text", why)) {
    x->streamed = wants_stream(x->request, root);
    good = fill(x, root, why);
  }
  json_free(root);
  return good;
}

/* `latency` is milliseconds, as such clients know it. */
static void write_rest(const exchange *x, json_print *p) {
  const char *provider = "none";
  size_t len = 4;
  aiorch_run_provider(x->run, &provider, &len);
  jp_key(p, "provider");
  jp_str(p, provider, len);
  jp_ki64(p, "latency", (aiorch_run_duration_us(x->run) + 500) / 1000);
  jp_key(p, "cached");
  int32_t cache = aiorch_run_cache_outcome(x->run);
  jp_bool(p, cache == AIORCH_CACHE_EXACT || cache == AIORCH_CACHE_SEMANTIC);
  jp_kz(p, "finish_reason", aiorch_finish_reason_name(aiorch_run_finish_reason(x->run)));
  jp_key(p, "aiorch");
  jp_open(p, '{');
  exchange_aiorch_members(x, p);
  jp_close(p, '}');
}

static void whole(exchange *x) {
  json_print p = {.out = x->out};
  const char *answer = "";
  size_t len = 0;
  aiorch_run_answer(x->run, &answer, &len);
  jp_open(&p, '{');
  jp_key(&p, "response");
  jp_str(&p, answer, len);
  write_rest(x, &p);
  jp_close(&p, '}');
  x->out = p.out;
}

static void event(exchange *x, const aiorch_event *event) {
  json_print p = {0};
  const char *text, *name = NULL;
  size_t len;
  int32_t type = aiorch_event_type(event);
  if (type != AIORCH_EVENT_DELTA && type != AIORCH_EVENT_FINAL) return;
  jp_open(&p, '{');
  if (type == AIORCH_EVENT_FINAL) {
    name = "done";
    write_rest(x, &p);
  } else if (aiorch_event_text(event, &text, &len) == AIORCH_OK) {
    jp_key(&p, "delta");
    jp_str(&p, text, len);
  }
  jp_close(&p, '}');
  sse_event(&x->out, name, p.out.data, p.out.len);
  cli_release(&p.out);
}

static void problem(exchange *x, const http_problem *why) {
  cli_bytes json = {0};
  if (!x->started) {
    http_problem_json(why, &x->out);
    return;
  }
  http_problem_json(why, &json);
  sse_event(&x->out, "error", json.data, json.len);
  cli_release(&json);
}

static void heartbeat(exchange *x) { cli_addz(&x->out, ": still here\n\n"); }

static void end(exchange *x) { (void)x; }

const wire wire_ask = {"text/event-stream", begin, event, whole, problem, heartbeat, end};
