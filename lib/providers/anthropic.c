/*
 * Anthropic Messages. Request and answer: platform.claude.com/docs/en/api/messages; stream: .../build-with-claude/streaming; errors:
 * .../api/errors. What is particular here: max_tokens is required; the cached parts of a prompt are not in input_tokens; usage in a
 * stream is cumulative; the names of events are in the data, too, so that servers which leave them out are understood.
 */
#include "providers/codec_json.h"

#include <string.h>

enum { MAX_TOKENS_DEFAULT = 4096, CACHE_MARKERS_MAX = 4 };

/* ---- the request ------------------------------------------------------------------------------------------------- */

typedef struct markers {
  int used, left_out;
} markers;

static void put_marker(aio__encoder *e, markers *m) {
  if (++m->used > CACHE_MARKERS_MAX) {
    m->left_out++;
    return;
  }
  aio__jw_key(&e->w, "cache_control");
  aio__jw_object(&e->w);
  aio__jw_kz(&e->w, "type", "ephemeral");
  if (e->request->wishes.cache_long) aio__jw_kz(&e->w, "ttl", "1h");
  aio__jw_object_end(&e->w);
}

static void put_image(aio__encoder *e, const aio__part *part) {
  aio__json_writer *w = &e->w;
  aio__jw_kz(w, "type", "image");
  aio__jw_key(w, "source");
  aio__jw_object(w);
  if (part->kind == AIO__PART_IMAGE_URL) {
    aio__jw_kz(w, "type", "url");
    aio__jw_kstr(w, "url", part->text);
  } else {
    aio__jw_kz(w, "type", "base64");
    aio__jw_kstr(w, "media_type", part->media_type);
    aio__jw_kstr(w, "data", part->text);
  }
  aio__jw_object_end(w);
}

static void put_content(aio__encoder *e, const aio__part *part) {
  aio__json_writer *w = &e->w;
  switch (part->kind) {
    case AIO__PART_TEXT:
      aio__jw_kz(w, "type", "text");
      aio__jw_kstr(w, "text", part->text);
      break;
    case AIO__PART_IMAGE:
    case AIO__PART_IMAGE_URL: put_image(e, part); break;
    case AIO__PART_TOOL_CALL:
      aio__jw_kz(w, "type", "tool_use");
      aio__jw_kstr(w, "id", part->id);
      aio__jw_kstr(w, "name", part->name);
      aio__jw_key(w, "input");
      aio__enc_json_object(e, part->text, "the arguments", part->name);
      break;
    case AIO__PART_TOOL_RESULT: break; /* put_result */
    case AIO__PART_REASONING:
      aio__jw_kz(w, "type", part->redacted ? "redacted_thinking" : "thinking");
      if (part->redacted) aio__jw_kstr(w, "data", part->signature);
      else aio__jw_kstr(w, "thinking", part->text);
      if (!part->redacted) aio__jw_kstr(w, "signature", part->signature);
      break;
  }
}

/* Empty text and reasoning without a signature are refused, and say nothing. */
static bool is_sent(const aio__part *part) {
  if (part->kind == AIO__PART_TEXT) return part->text.n > 0;
  return part->kind != AIO__PART_REASONING || part->signature.n > 0;
}

/* What follows a result in its turn, to the next one: pictures and texts that are part of it. */
static size_t parts_of_result(const aio__turn *turn, size_t at, size_t *sent) {
  size_t i = at + 1;
  *sent = 0;
  for (; i < turn->part_count && turn->parts[i].kind != AIO__PART_TOOL_RESULT; i++) *sent += is_sent(&turn->parts[i]) ? 1 : 0;
  return i - at - 1;
}

static void put_block(aio__encoder *e, const aio__part *part, markers *m) {
  aio__jw_object(&e->w);
  put_content(e, part);
  if (part->cache && part->kind != AIO__PART_REASONING) put_marker(e, m);
  aio__jw_object_end(&e->w);
}

/* Inside of the result, since results come first in a message, all of them. Returns how many parts behind it are in it. */
static size_t put_result(aio__encoder *e, const aio__turn *turn, size_t at, markers *m) {
  aio__json_writer *w = &e->w;
  const aio__part *result = &turn->parts[at];
  size_t sent, count = parts_of_result(turn, at, &sent);
  aio__jw_object(w);
  aio__jw_kz(w, "type", "tool_result");
  aio__jw_kstr(w, "tool_use_id", result->id);
  aio__jw_key(w, "content");
  if (sent == 0) {
    aio__jw_str(w, result->text);
  } else {
    const aio__part lead = {.kind = AIO__PART_TEXT, .text = result->text};
    aio__jw_array(w);
    if (is_sent(&lead)) put_block(e, &lead, m);
    for (size_t i = at + 1; i <= at + count; i++) {
      if (is_sent(&turn->parts[i])) put_block(e, &turn->parts[i], m);
    }
    aio__jw_array_end(w);
  }
  if (result->is_error) aio__jw_kbool(w, "is_error", true);
  if (result->cache) put_marker(e, m);
  aio__jw_object_end(w);
  return count;
}

static void put_turn(aio__encoder *e, const aio__turn *turn, markers *m) {
  aio__json_writer *w = &e->w;
  size_t sent = 0;
  for (size_t i = 0; i < turn->part_count; i++) sent += is_sent(&turn->parts[i]) ? 1 : 0;
  if (sent == 0) return;
  aio__jw_object(w);
  aio__jw_kz(w, "role", turn->role == AIORCH_ROLE_ASSISTANT ? "assistant" : "user");
  aio__jw_key(w, "content");
  const aio__part *only = aio__enc_single_text(turn);
  if (only) {
    aio__jw_str(w, only->text);
  } else {
    aio__jw_array(w);
    for (size_t i = 0; i < turn->part_count; i++) {
      const aio__part *part = &turn->parts[i];
      if (part->kind == AIO__PART_TOOL_RESULT) i += put_result(e, turn, i, m);
      else if (is_sent(part)) put_block(e, part, m);
    }
    aio__jw_array_end(w);
  }
  aio__jw_object_end(w);
}

static void put_tools(aio__encoder *e, markers *m) {
  const aio__codec_request *r = e->request;
  aio__json_writer *w = &e->w;
  static const char *const choices[] = {NULL, "auto", "none", "any", "tool"};
  if (r->wishes.tool_count == 0) return;
  aio__jw_key(w, "tools");
  aio__jw_array(w);
  for (size_t i = 0; i < r->wishes.tool_count; i++) {
    const aio__tool *tool = &r->wishes.tools[i];
    aio__jw_object(w);
    aio__jw_kstr(w, "name", tool->name);
    if (tool->description.n) aio__jw_kstr(w, "description", tool->description);
    aio__jw_key(w, "input_schema");
    aio__enc_json_object(e, tool->schema.n ? tool->schema : AIO__LIT("{\"type\":\"object\",\"properties\":{}}"), "the schema", tool->name);
    if (tool->cache) put_marker(e, m);
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
  const char *choice = choices[r->wishes.tool_choice];
  if (choice && aio__enc_drops(e, "tool_choice", aio__str_z(choice))) choice = NULL;
  if (!choice && !r->wishes.one_tool_at_a_time) return;
  if (!choice) choice = "auto";
  aio__jw_key(w, "tool_choice");
  aio__jw_object(w);
  aio__jw_kz(w, "type", choice);
  if (strcmp(choice, "tool") == 0) aio__jw_kstr(w, "name", r->wishes.tool_name);
  if (r->wishes.one_tool_at_a_time && strcmp(choice, "none") != 0) aio__jw_kbool(w, "disable_parallel_tool_use", true);
  aio__jw_object_end(w);
}

/* The effort asked for, or DEFAULT where the model does not know it. There is no "minimal": "low" is the least. */
static aio__effort effort_of(aio__encoder *e) {
  aio__effort effort = e->request->wishes.effort == AIO__EFFORT_MINIMAL ? AIO__EFFORT_LOW : e->request->wishes.effort;
  if (effort == AIO__EFFORT_DEFAULT || aio__enc_drops(e, "effort", aio__str_z(aio__enc_effort_name(effort)))) return AIO__EFFORT_DEFAULT;
  return effort;
}

static void put_output(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  aio__json_writer *w = &e->w;
  aio__effort effort = effort_of(e);
  bool older = aio__str_starts(r->model, AIO__LIT("claude-opus-4-5")); /* knows effort, but no adaptive thinking */
  if (effort != AIO__EFFORT_DEFAULT && !(older && effort != AIO__EFFORT_NONE)) {
    aio__jw_key(w, "thinking");
    aio__jw_object(w);
    aio__jw_kz(w, "type", effort == AIO__EFFORT_NONE ? "disabled" : "adaptive");
    aio__jw_object_end(w);
  }
  bool named = effort > AIO__EFFORT_NONE;
  if (!named && r->wishes.schema.n == 0) return;
  aio__jw_key(w, "output_config");
  aio__jw_object(w);
  if (named) aio__jw_kz(w, "effort", aio__enc_effort_name(effort));
  if (r->wishes.schema.n) {
    aio__jw_key(w, "format");
    aio__jw_object(w);
    aio__jw_kz(w, "type", "json_schema");
    aio__jw_key(w, "schema");
    aio__enc_json_object(e, r->wishes.schema, "the schema of the answer", (aio__str){"", 0});
    aio__jw_object_end(w);
  }
  aio__jw_object_end(w);
}

static void put_system(aio__encoder *e, markers *m) {
  const aio__codec_request *r = e->request;
  if (r->system.n == 0) return;
  aio__jw_key(&e->w, "system");
  if (!r->wishes.cache_system) {
    aio__jw_str(&e->w, r->system);
    return;
  }
  aio__jw_array(&e->w);
  aio__jw_object(&e->w);
  aio__jw_kz(&e->w, "type", "text");
  aio__jw_kstr(&e->w, "text", r->system);
  put_marker(e, m);
  aio__jw_object_end(&e->w);
  aio__jw_array_end(&e->w);
}

static void write_request(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  const aio__codec_target *t = e->target;
  markers m = {0, 0};
  aio__enc_url(e, AIO__LIT("/v1/messages"));
  aio__enc_header(e, "anthropic-version", t->version.n ? t->version : AIO__LIT(AIO__ANTHROPIC_VERSION));
  aio__enc_key(e, t->bearer ? "authorization" : "x-api-key", t->bearer ? "Bearer " : "");
  aio__jw_kstr(&e->w, "model", r->model);
  aio__jw_ki64(&e->w, "max_tokens", r->max_tokens > 0 ? r->max_tokens : MAX_TOKENS_DEFAULT);
  put_tools(e, &m); /* in the order in which the service reads them for its cache: tools, system, messages */
  put_system(e, &m);
  aio__jw_key(&e->w, "messages");
  aio__jw_array(&e->w);
  for (size_t i = 0; i < r->turn_count; i++) put_turn(e, &r->turns[i], &m);
  aio__jw_array_end(&e->w);
  aio__enc_strings(e, "stop_sequences", r->wishes.stops, r->wishes.stop_count);
  aio__enc_temperature(e, "temperature");
  put_output(e);
  if (r->stream) aio__jw_kbool(&e->w, "stream", true);
  if (m.left_out > 0) aio__enc_warn(e, "%d cache markers were left out: a request has at most %d", m.left_out, CACHE_MARKERS_MAX);
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

/* Cumulative: what is there replaces what was there. */
static void take_usage(aio__decoder *d, aio__tape_value usage) {
  const aio__tape *t = &d->tape;
  aio__dec_usage(d, AIORCH_USAGE_INPUT, AIO__TAPE_GET(t, usage, "input_tokens"));
  aio__dec_usage(d, AIORCH_USAGE_CACHE_READ, AIO__TAPE_GET(t, usage, "cache_read_input_tokens"));
  aio__dec_usage(d, AIORCH_USAGE_CACHE_WRITE, AIO__TAPE_GET(t, usage, "cache_creation_input_tokens"));
  aio__tape_value made = AIO__TAPE_GET(t, usage, "cache_creation");
  aio__dec_usage(d, AIORCH_USAGE_CACHE_WRITE_1H, AIO__TAPE_GET(t, made, "ephemeral_1h_input_tokens"));
  aio__tape_value output = AIO__TAPE_GET(t, usage, "output_tokens");
  if (output == AIO__TAPE_NONE) return;
  aio__dec_usage(d, AIORCH_USAGE_OUTPUT, output);
  int64_t thought = aio__dec_count(d, AIO__TAPE_GET(t, AIO__TAPE_GET(t, usage, "output_tokens_details"), "thinking_tokens"));
  int64_t *n = d->result.usage.n;
  n[AIORCH_USAGE_REASONING] = thought < n[AIORCH_USAGE_OUTPUT] ? thought : n[AIORCH_USAGE_OUTPUT];
  n[AIORCH_USAGE_OUTPUT] -= n[AIORCH_USAGE_REASONING];
}

/* `of`: the object that says why the answer ended. */
static aiorch_status take_stop(aio__decoder *d, aio__tape_value of) {
  static const struct {
    const char *name;
    int32_t finish;
  } reasons[] = {{"end_turn", AIORCH_FINISH_STOP},
                 {"stop_sequence", AIORCH_FINISH_STOP},
                 {"max_tokens", AIORCH_FINISH_LENGTH},
                 {"tool_use", AIORCH_FINISH_TOOL_CALLS},
                 {"refusal", AIORCH_FINISH_REFUSAL},
                 {"pause_turn", AIORCH_FINISH_LENGTH}, /* it wants to be asked to go on: not a whole answer */
                 {"model_context_window_exceeded", AIORCH_FINISH_LENGTH}};
  aio__tape_value reason = AIO__TAPE_GET(&d->tape, of, "stop_reason");
  if (aio__tape_typeof(&d->tape, reason) != AIO__JSON_STRING) return AIORCH_OK;
  for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
    if (!aio__tape_is(&d->tape, reason, reasons[i].name)) continue;
    d->result.finish_reason = reasons[i].finish;
    return aio__dec_stop(d, AIO__TAPE_GET(&d->tape, of, "stop_sequence"));
  }
  d->result.finish_reason = AIORCH_FINISH_STOP;
  return aio__dec_warn(d, "unknown stop_reason ", aio__tape_raw(&d->tape, reason));
}

static aiorch_status take_block(aio__decoder *d, int64_t index, aio__tape_value block) {
  const aio__tape *t = &d->tape;
  aio__tape_value type = AIO__TAPE_GET(t, block, "type");
  aiorch_status st = AIORCH_OK;
  if (aio__tape_is(t, type, "text")) return aio__dec_text(d, AIO__TAPE_GET(t, block, "text"));
  if (aio__tape_is(t, type, "thinking")) {
    st = aio__dec_reasoning(d, AIO__TAPE_GET(t, block, "thinking"));
    return st ? st : aio__dec_signature(d, -1, AIO__TAPE_GET(t, block, "signature"), false);
  }
  if (aio__tape_is(t, type, "redacted_thinking")) return aio__dec_signature(d, -1, AIO__TAPE_GET(t, block, "data"), true);
  if (!aio__tape_is(t, type, "tool_use")) return AIORCH_OK; /* tools that the service runs itself, and what is yet to come */
  int32_t tool;
  st = aio__dec_tool_start(d, index, AIO__TAPE_GET(t, block, "id"), AIO__TAPE_GET(t, block, "name"), &tool);
  aio__tape_value input = AIO__TAPE_GET(t, block, "input");
  if (st == AIORCH_OK && aio__tape_size(t, input) > 0) st = aio__dec_tool_arguments(d, tool, input);
  return st;
}

static aiorch_status take_delta(aio__decoder *d, aio__tape_value root) {
  const aio__tape *t = &d->tape;
  aio__tape_value delta = AIO__TAPE_GET(t, root, "delta"), type = AIO__TAPE_GET(t, delta, "type");
  if (aio__tape_is(t, type, "text_delta")) return aio__dec_text(d, AIO__TAPE_GET(t, delta, "text"));
  if (aio__tape_is(t, type, "thinking_delta")) return aio__dec_reasoning(d, AIO__TAPE_GET(t, delta, "thinking"));
  if (aio__tape_is(t, type, "signature_delta")) return aio__dec_signature(d, -1, AIO__TAPE_GET(t, delta, "signature"), false);
  if (!aio__tape_is(t, type, "input_json_delta")) return AIORCH_OK;
  int64_t index = -1;
  (void)aio__tape_i64(t, AIO__TAPE_GET(t, root, "index"), &index);
  return aio__dec_tool_arguments(d, aio__dec_tool_find(d, index), AIO__TAPE_GET(t, delta, "partial_json"));
}

static void take_head(aio__decoder *d, aio__tape_value message) {
  const aio__tape *t = &d->tape;
  aio__dec_model(d, AIO__TAPE_GET(t, message, "model"));
  aio__dec_request_id(d, AIO__TAPE_GET(t, message, "id"));
  take_usage(d, AIO__TAPE_GET(t, message, "usage"));
}

static aiorch_status whole(aio__decoder *d) {
  const aio__tape *t = &d->tape;
  if (aio__tape_is(t, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "type"), "error")) return aio__dec_error(d, AIO__TAPE_ROOT);
  if (aio__tape_typeof(t, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "error")) != AIO__JSON_NULL) return aio__dec_error(d, AIO__TAPE_ROOT);
  aio__tape_value content = AIO__TAPE_GET(t, AIO__TAPE_ROOT, "content");
  if (aio__tape_typeof(t, content) != AIO__JSON_ARRAY) return aio__dec_response_error(d, "the answer has no content");
  take_head(d, AIO__TAPE_ROOT);
  aiorch_status st = AIORCH_OK;
  int64_t index = 0;
  for (aio__tape_value v = aio__tape_first(t, content); v != AIO__TAPE_NONE && st == AIORCH_OK; v = aio__tape_next(t, content, v)) {
    st = take_block(d, index++, v);
  }
  d->terminal = true;
  return st ? st : take_stop(d, AIO__TAPE_ROOT);
}

static aiorch_status event(aio__decoder *d, aio__str name) {
  const aio__tape *t = &d->tape;
  const aio__tape_value root = AIO__TAPE_ROOT;
  aio__tape_value type = AIO__TAPE_GET(t, root, "type");
  int64_t index = -1;
  if (aio__tape_is(t, type, "content_block_delta")) return take_delta(d, root);
  (void)aio__tape_i64(t, AIO__TAPE_GET(t, root, "index"), &index);
  if (aio__tape_is(t, type, "content_block_start")) return take_block(d, index, AIO__TAPE_GET(t, root, "content_block"));
  if (aio__tape_is(t, type, "content_block_stop")) {
    int32_t tool = aio__dec_tool_find(d, index);
    return tool < 0 ? AIORCH_OK : aio__dec_tool_end(d, tool);
  }
  if (aio__tape_is(t, type, "message_start")) {
    take_head(d, AIO__TAPE_GET(t, root, "message"));
  } else if (aio__tape_is(t, type, "message_delta")) {
    take_usage(d, AIO__TAPE_GET(t, root, "usage"));
    return take_stop(d, AIO__TAPE_GET(t, root, "delta"));
  } else if (aio__tape_is(t, type, "message_stop")) {
    d->terminal = d->closed = true;
  } else if (aio__tape_is(t, type, "error") || aio__str_eqz(name, "error") ||
             (type == AIO__TAPE_NONE && AIO__TAPE_GET(t, root, "error") != AIO__TAPE_NONE)) {
    return aio__dec_error(d, root);
  }
  return AIORCH_OK; /* pings, and what is yet to come */
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static void fail(const aio__decoder *d, const aio__error_body *body, aio__wire_error *error) {
  static const struct {
    const char *type;
    aiorch_status status;
  } types[] = {{"invalid_request_error", AIORCH_E_PROVIDER_REJECTED}, {"authentication_error", AIORCH_E_PROVIDER_KEY},
               {"billing_error", AIORCH_E_PROVIDER_KEY},              {"permission_error", AIORCH_E_PROVIDER_KEY},
               {"not_found_error", AIORCH_E_PROVIDER_MODEL},          {"conflict_error", AIORCH_E_PROVIDER_BUSY},
               {"request_too_large", AIORCH_E_PROVIDER_REJECTED},     {"rate_limit_error", AIORCH_E_PROVIDER_LIMIT},
               {"api_error", AIORCH_E_PROVIDER_BUSY},                 {"timeout_error", AIORCH_E_PROVIDER_BUSY},
               {"overloaded_error", AIORCH_E_PROVIDER_BUSY}};
  const aio__tape *t = body->tape;
  for (size_t i = 0; i < sizeof types / sizeof types[0] && error->http_status < 300; i++) {
    if (aio__str_eqz(body->type, types[i].type)) error->status = types[i].status; /* after a status line of success */
  }
  aio__tape_value code = AIO__TAPE_GET(t, AIO__TAPE_GET(t, body->error, "details"), "error_code");
  bool spent = aio__tape_is(t, code, "enforced_spend_limit_reached") || aio__tape_is(t, code, "contract_spend_limit_reached");
  bool customers_limit = error->status == AIORCH_E_PROVIDER_REJECTED &&
                         (aio__wire_has(body->message, "credit balance is too low") || aio__wire_has(body->message, "usage limits"));
  if (spent || customers_limit) {
    error->status = AIORCH_E_PROVIDER_KEY;
    error->not_today = true;
  }
  (void)d;
}

const aio__codec aio__codec_anthropic = {
    .name = "anthropic",
    .base_url = "https://api.anthropic.com",
    .stream_framing = AIO__WIRE_SSE,
    .write = write_request,
    .whole = whole,
    .event = event,
    .fail = fail,
};
