/*
 * Gemini's generateContent (the Developer API). Request and answer: ai.google.dev/api/generate-content; stream: the same objects as
 * server-sent events with ?alt=sse, or as one list without it; it ends with its last byte, so that a finishReason is what tells a whole
 * answer from one that was cut. What is particular here: arguments and results of tools are objects; calls have no ids but in newer
 * models; thoughtsTokenCount stands beside candidatesTokenCount; a bad key is a 400; the time to wait is in the body of an error.
 */
#include "providers/codec_json.h"

#include <string.h>

#include "net/retry_after.h"

/* ---- the request ------------------------------------------------------------------------------------------------- */

static const char *image_type(aio__str url) {
  static const char *const types[][2] = {{".png", "image/png"}, {".webp", "image/webp"}, {".gif", "image/gif"}, {".heic", "image/heic"}};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (aio__wire_has(url, types[i][0])) return types[i][1];
  }
  return "image/jpeg";
}

/* An object as it is, anything else as {"output": text}. */
static void put_result(aio__encoder *e, const aio__part *part) {
  aio__json_writer *w = &e->w;
  aio__str text = aio__str_trim(part->text);
  bool object = !part->is_error && text.n > 0 && text.p[0] == '{' && aio__utf8_check(text, NULL) == text.n;
  if (object) {
    aiorch_status st = aio__tape_read(&e->tape, text);
    if (st == AIORCH_E_NOMEM) aio__enc_fail(e, st, "out of memory");
    object = st == AIORCH_OK;
  }
  aio__jw_key(w, "response");
  if (object) {
    aio__jw_raw(w, text);
    return;
  }
  aio__jw_object(w);
  aio__jw_kstr(w, part->is_error ? "error" : "output", part->text);
  aio__jw_object_end(w);
}

/* Ids that the library made up are not the service's to see. */
static void put_call_head(aio__encoder *e, const aio__part *part) {
  if (part->id.n && !aio__str_starts(part->id, AIO__LIT(AIO__CODEC_OWN_ID))) aio__jw_kstr(&e->w, "id", part->id);
  aio__jw_kstr(&e->w, "name", part->name);
}

static void put_part(aio__encoder *e, const aio__part *part) {
  aio__json_writer *w = &e->w;
  aio__jw_object(w);
  switch (part->kind) {
    case AIO__PART_TEXT: aio__jw_kstr(w, "text", part->text); break;
    case AIO__PART_IMAGE:
      aio__jw_key(w, "inlineData");
      aio__jw_object(w);
      aio__jw_kstr(w, "data", part->text);
      aio__jw_kstr(w, "mimeType", part->media_type);
      aio__jw_object_end(w);
      break;
    case AIO__PART_IMAGE_URL:
      aio__jw_key(w, "fileData");
      aio__jw_object(w);
      aio__jw_kstr(w, "fileUri", part->text);
      aio__jw_kstr(w, "mimeType", part->media_type.n ? part->media_type : aio__str_z(image_type(part->text)));
      aio__jw_object_end(w);
      break;
    case AIO__PART_TOOL_CALL:
      aio__jw_key(w, "functionCall");
      aio__jw_object(w);
      put_call_head(e, part);
      aio__jw_key(w, "args");
      aio__enc_json_object(e, part->text, "the arguments", part->name);
      aio__jw_object_end(w);
      break;
    case AIO__PART_TOOL_RESULT:
      aio__jw_key(w, "functionResponse");
      aio__jw_object(w);
      put_call_head(e, part);
      put_result(e, part);
      aio__jw_object_end(w);
      break;
    case AIO__PART_REASONING:
      aio__jw_kstr(w, "text", part->text);
      aio__jw_kbool(w, "thought", true);
      break;
  }
  if (part->signature.n) aio__jw_kstr(w, "thoughtSignature", part->signature);
  aio__jw_object_end(w);
}

static bool is_sent(const aio__part *part) {
  if (part->kind == AIO__PART_TEXT) return part->text.n > 0 || part->signature.n > 0;
  return part->kind != AIO__PART_REASONING || (part->text.n > 0 && !part->redacted);
}

static void put_contents(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  aio__json_writer *w = &e->w;
  aio__jw_key(w, "contents");
  aio__jw_array(w);
  for (size_t i = 0; i < r->turn_count; i++) {
    const aio__turn *turn = &r->turns[i];
    aio__jw_object(w);
    aio__jw_key(w, "parts");
    aio__jw_array(w);
    for (size_t k = 0; k < turn->part_count; k++) {
      if (is_sent(&turn->parts[k])) put_part(e, &turn->parts[k]);
    }
    aio__jw_array_end(w);
    aio__jw_kz(w, "role", turn->role == AIORCH_ROLE_ASSISTANT ? "model" : "user");
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
}

static void put_tools(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  aio__json_writer *w = &e->w;
  static const char *const modes[] = {NULL, "AUTO", "NONE", "ANY", "ANY"};
  if (r->wishes.tool_count == 0) return;
  aio__jw_key(w, "tools");
  aio__jw_array(w);
  aio__jw_object(w);
  aio__jw_key(w, "functionDeclarations");
  aio__jw_array(w);
  for (size_t i = 0; i < r->wishes.tool_count; i++) {
    const aio__tool *tool = &r->wishes.tools[i];
    aio__jw_object(w);
    if (tool->description.n) aio__jw_kstr(w, "description", tool->description);
    aio__jw_kstr(w, "name", tool->name);
    if (tool->schema.n) {
      aio__jw_key(w, "parametersJsonSchema");
      aio__enc_json_object(e, tool->schema, "the schema", tool->name);
    }
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
  aio__jw_object_end(w);
  aio__jw_array_end(w);
  if (r->wishes.one_tool_at_a_time) aio__enc_cannot(e, "calls one at a time cannot be asked for: the model may call several tools at once");
  if (!modes[r->wishes.tool_choice]) return;
  aio__jw_key(w, "toolConfig");
  aio__jw_object(w);
  aio__jw_key(w, "functionCallingConfig");
  aio__jw_object(w);
  if (r->wishes.tool_choice == AIO__TOOLS_ONE) aio__enc_strings(e, "allowedFunctionNames", &r->wishes.tool_name, 1);
  aio__jw_kz(w, "mode", modes[r->wishes.tool_choice]);
  aio__jw_object_end(w);
  aio__jw_object_end(w);
}

/* Models before the third think by a budget of tokens, later ones by a level. */
static void put_effort(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  static const char *const levels[] = {NULL, "MINIMAL", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH", "XHIGH"};
  static const int budgets[] = {0, 0, 512, 1024, 8192, 24576, 24576, 24576};
  if (r->wishes.effort == AIO__EFFORT_DEFAULT || aio__enc_drops(e, "effort", aio__str_z(aio__enc_effort_name(r->wishes.effort)))) return;
  if (aio__wire_has(r->model, "gemini-1") || aio__wire_has(r->model, "gemini-2.0")) return; /* they do not think */
  aio__jw_key(&e->w, "thinkingConfig");
  aio__jw_object(&e->w);
  if (aio__wire_has(r->model, "gemini-2.5")) aio__jw_ki64(&e->w, "thinkingBudget", budgets[r->wishes.effort]);
  else aio__jw_kz(&e->w, "thinkingLevel", levels[r->wishes.effort]);
  aio__jw_object_end(&e->w);
}

static void put_config(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  aio__json_writer *w = &e->w;
  aio__jw_key(w, "generationConfig");
  aio__jw_object(w);
  aio__enc_temperature(e, "temperature");
  if (r->max_tokens > 0) aio__jw_ki64(w, "maxOutputTokens", r->max_tokens);
  aio__enc_strings(e, "stopSequences", r->wishes.stops, r->wishes.stop_count);
  if (r->wishes.schema.n) {
    aio__jw_kz(w, "responseMimeType", "application/json");
    aio__jw_key(w, "responseJsonSchema");
    aio__enc_json_object(e, r->wishes.schema, "the schema of the answer", (aio__str){"", 0});
  }
  put_effort(e);
  aio__jw_object_end(w);
}

/* Whether a base URL says the version itself: ".../v1beta". */
static bool has_version(aio__str base_url) {
  while (base_url.n > 0 && base_url.p[base_url.n - 1] == '/') base_url.n--;
  size_t start = base_url.n;
  while (start > 0 && base_url.p[start - 1] != '/') start--;
  return aio__str_starts(aio__str_n(base_url.p + start, base_url.n - start), AIO__LIT("v1"));
}

/* "/v1/models/NAME:generateContent"; names of other kinds ("tunedModels/...") keep their first segment. */
static void put_url(aio__encoder *e) {
  aio__str model = e->request->model, base_url = aio__str_trim(e->target->base_url);
  aio__buf path;
  aio__buf_init(&path, e->tape.al, AIO__WIRE_URL_MAX);
  if (!has_version(base_url)) {
    aio__buf_char(&path, '/');
    if (e->target->version.n) aio__wire_segment(&path, e->target->version);
    else aio__buf_z(&path, "v1");
  }
  bool tuned = aio__str_starts(model, AIO__LIT("tunedModels/"));
  size_t skip = tuned ? 12 : aio__str_starts(model, AIO__LIT("models/")) ? 7 : 0;
  aio__buf_z(&path, tuned ? "/tunedModels/" : "/models/");
  aio__wire_segment(&path, aio__str_n(model.p + skip, model.n - skip));
  aio__buf_z(&path, e->request->stream ? ":streamGenerateContent?alt=sse" : ":generateContent");
  if (path.failed) aio__enc_fail(e, path.failed, "the model's name is too long, or memory is out");
  else aio__enc_url(e, aio__buf_view(&path));
  aio__buf_free(&path);
}

static void write_request(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  put_url(e);
  aio__enc_key(e, "x-goog-api-key", "");
  put_contents(e);
  if (r->system.n) {
    aio__jw_key(&e->w, "systemInstruction");
    aio__jw_object(&e->w);
    aio__jw_key(&e->w, "parts");
    aio__jw_array(&e->w);
    aio__jw_object(&e->w);
    aio__jw_kstr(&e->w, "text", r->system);
    aio__jw_object_end(&e->w);
    aio__jw_array_end(&e->w);
    aio__jw_kz(&e->w, "role", "user");
    aio__jw_object_end(&e->w);
  }
  put_tools(e);
  put_config(e);
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

/* Cumulative: the last that came counts. */
static void take_usage(aio__decoder *d, aio__tape_value usage) {
  const aio__tape *t = &d->tape;
  if (aio__tape_typeof(t, usage) != AIO__JSON_OBJECT || AIO__TAPE_GET(t, usage, "promptTokenCount") == AIO__TAPE_NONE) return;
  int64_t prompt = aio__dec_count(d, AIO__TAPE_GET(t, usage, "promptTokenCount"));
  int64_t cached = aio__dec_count(d, AIO__TAPE_GET(t, usage, "cachedContentTokenCount"));
  int64_t tools = aio__dec_count(d, AIO__TAPE_GET(t, usage, "toolUsePromptTokenCount"));
  int64_t *n = d->result.usage.n;
  n[AIORCH_USAGE_CACHE_READ] = cached < prompt ? cached : prompt;
  n[AIORCH_USAGE_INPUT] = prompt - n[AIORCH_USAGE_CACHE_READ];
  if (tools <= (INT64_C(1) << 53) - n[AIORCH_USAGE_INPUT]) n[AIORCH_USAGE_INPUT] += tools;
  n[AIORCH_USAGE_OUTPUT] = aio__dec_count(d, AIO__TAPE_GET(t, usage, "candidatesTokenCount"));
  n[AIORCH_USAGE_REASONING] = aio__dec_count(d, AIO__TAPE_GET(t, usage, "thoughtsTokenCount"));
  d->result.has_usage = true;
}

static aiorch_status take_finish(aio__decoder *d, aio__tape_value reason) {
  static const char filtered[] = "|SAFETY|RECITATION|BLOCKLIST|PROHIBITED_CONTENT|SPII|IMAGE_SAFETY|IMAGE_PROHIBITED_CONTENT|IMAGE_RECITATION|";
  const aio__tape *t = &d->tape;
  if (aio__tape_typeof(t, reason) != AIO__JSON_STRING || aio__tape_is(t, reason, "FINISH_REASON_UNSPECIFIED")) return AIORCH_OK;
  d->terminal = true;
  if (aio__tape_is(t, reason, "STOP")) {
    d->result.finish_reason = d->result.tool_calls > 0 ? AIORCH_FINISH_TOOL_CALLS : AIORCH_FINISH_STOP;
    return AIORCH_OK;
  }
  if (aio__tape_is(t, reason, "MAX_TOKENS") || aio__tape_is(t, reason, "CONTINUATION")) {
    d->result.finish_reason = AIORCH_FINISH_LENGTH;
    return AIORCH_OK;
  }
  char word[64] = "|";
  aio__str raw = aio__tape_raw(t, reason);
  size_t n = raw.n - 2 < sizeof word - 3 ? raw.n - 2 : sizeof word - 3;
  memcpy(word + 1, raw.p + 1, n);
  memcpy(word + 1 + n, "|", 2);
  d->result.finish_reason = strstr(filtered, word) ? AIORCH_FINISH_CONTENT_FILTER : AIORCH_FINISH_ERROR;
  return aio__dec_warn(d, "the answer ended with ", raw);
}

static aiorch_status take_call(aio__decoder *d, aio__tape_value call, aio__tape_value signature) {
  const aio__tape *t = &d->tape;
  int32_t tool;
  aiorch_status st = aio__dec_tool_start(d, -1, AIO__TAPE_GET(t, call, "id"), AIO__TAPE_GET(t, call, "name"), &tool);
  if (st == AIORCH_OK) st = aio__dec_tool_arguments(d, tool, AIO__TAPE_GET(t, call, "args"));
  if (st == AIORCH_OK) st = aio__dec_signature(d, tool, signature, false);
  return st ? st : aio__dec_tool_end(d, tool);
}

static aiorch_status take_part(aio__decoder *d, aio__tape_value part) {
  const aio__tape *t = &d->tape;
  aio__tape_value call = AIO__TAPE_GET(t, part, "functionCall"), text = AIO__TAPE_GET(t, part, "text");
  aio__tape_value signature = AIO__TAPE_GET(t, part, "thoughtSignature");
  if (aio__tape_typeof(t, call) == AIO__JSON_OBJECT) return take_call(d, call, signature);
  aiorch_status st = AIORCH_OK;
  if (aio__tape_true(t, AIO__TAPE_GET(t, part, "thought"))) st = aio__dec_reasoning(d, text);
  else st = aio__dec_text(d, text);
  return st ? st : aio__dec_signature(d, -1, signature, false);
}

static aiorch_status take_answer(aio__decoder *d, aio__tape_value root) {
  const aio__tape *t = &d->tape;
  if (aio__tape_typeof(t, AIO__TAPE_GET(t, root, "error")) != AIO__JSON_NULL) return aio__dec_error(d, root);
  aio__dec_model(d, AIO__TAPE_GET(t, root, "modelVersion"));
  aio__dec_request_id(d, AIO__TAPE_GET(t, root, "responseId"));
  take_usage(d, AIO__TAPE_GET(t, root, "usageMetadata"));
  aio__tape_value blocked = AIO__TAPE_GET(t, AIO__TAPE_GET(t, root, "promptFeedback"), "blockReason");
  if (aio__tape_typeof(t, blocked) == AIO__JSON_STRING && !aio__tape_is(t, blocked, "BLOCKED_REASON_UNSPECIFIED")) {
    d->terminal = true;
    d->result.finish_reason = AIORCH_FINISH_CONTENT_FILTER;
    return aio__dec_warn(d, "the prompt was blocked: ", aio__tape_raw(t, blocked));
  }
  aio__tape_value candidate = aio__dec_choice(d, AIO__TAPE_GET(t, root, "candidates"));
  aio__tape_value parts = AIO__TAPE_GET(t, AIO__TAPE_GET(t, candidate, "content"), "parts");
  aiorch_status st = AIORCH_OK;
  for (aio__tape_value v = aio__tape_first(t, parts); v != AIO__TAPE_NONE && st == AIORCH_OK; v = aio__tape_next(t, parts, v)) {
    st = take_part(d, v);
  }
  return st ? st : take_finish(d, AIO__TAPE_GET(t, candidate, "finishReason"));
}

/* One answer, or the list of all chunks of a stream that was asked for without alt=sse. */
static aiorch_status whole(aio__decoder *d) {
  const aio__tape *t = &d->tape;
  aiorch_status st = AIORCH_OK;
  if (aio__tape_typeof(t, AIO__TAPE_ROOT) != AIO__JSON_ARRAY) {
    st = take_answer(d, AIO__TAPE_ROOT);
  } else {
    for (aio__tape_value v = aio__tape_first(t, AIO__TAPE_ROOT); v != AIO__TAPE_NONE && st == AIORCH_OK; v = aio__tape_next(t, AIO__TAPE_ROOT, v)) {
      st = take_answer(d, v);
    }
  }
  if (st == AIORCH_OK && !d->terminal) return aio__dec_response_error(d, "the answer has no candidate that has ended");
  return st;
}

static aiorch_status event(aio__decoder *d, aio__str type) {
  (void)type;
  return take_answer(d, AIO__TAPE_ROOT);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static void read_detail(const aio__tape *t, aio__tape_value detail, aio__wire_error *error) {
  aio__tape_value type = AIO__TAPE_GET(t, detail, "@type");
  if (aio__tape_is(t, type, "type.googleapis.com/google.rpc.RetryInfo")) {
    aio__str raw = aio__tape_raw(t, AIO__TAPE_GET(t, detail, "retryDelay"));
    int64_t ms = raw.n > 2 ? aio__retry_duration_ms(aio__str_n(raw.p + 1, raw.n - 2)) : -1;
    if (ms >= 0) error->retry_after_ms = ms;
  } else if (aio__tape_is(t, type, "type.googleapis.com/google.rpc.QuotaFailure")) {
    aio__tape_value list = AIO__TAPE_GET(t, detail, "violations");
    for (aio__tape_value v = aio__tape_first(t, list); v != AIO__TAPE_NONE; v = aio__tape_next(t, list, v)) {
      if (aio__wire_has(aio__tape_raw(t, AIO__TAPE_GET(t, v, "quotaId")), "PerDay")) error->not_today = true;
    }
  } else if (aio__tape_is(t, type, "type.googleapis.com/google.rpc.ErrorInfo")) {
    aio__tape_value reason = AIO__TAPE_GET(t, detail, "reason");
    if (aio__wire_has(aio__tape_raw(t, reason), "API_KEY")) error->status = AIORCH_E_PROVIDER_KEY;
  }
}

static void fail(const aio__decoder *d, const aio__error_body *body, aio__wire_error *error) {
  const aio__tape *t = body->tape;
  aio__tape_value details = AIO__TAPE_GET(t, body->error, "details"), status = AIO__TAPE_GET(t, body->error, "status");
  if (aio__tape_is(t, status, "FAILED_PRECONDITION")) error->status = AIORCH_E_PROVIDER_KEY; /* no billing, or not in this country */
  for (aio__tape_value v = aio__tape_first(t, details); v != AIO__TAPE_NONE; v = aio__tape_next(t, details, v)) read_detail(t, v, error);
  bool input_too_long = aio__wire_has(body->message, "input token count") && aio__wire_has(body->message, "exceeds the maximum");
  if (error->status == AIORCH_E_PROVIDER_REJECTED && input_too_long) error->status = AIORCH_E_CONTEXT_WINDOW;
  (void)d;
}

const aio__codec aio__codec_gemini = {
    .name = "gemini",
    .base_url = "https://generativelanguage.googleapis.com",
    .stream_framing = AIO__WIRE_SSE,
    .write = write_request,
    .whole = whole,
    .event = event,
    .fail = fail,
};
