/*
 * Ollama's own interface (github.com/ollama/ollama, docs/api.md): /api/chat, and a stream of JSON lines that ends with "done": true. What
 * is particular here: a stream is the default and has to be switched off; options of the model lie in an object of their own; arguments
 * of tools are objects; images are base64 only; an error in the middle is a line of its own under status 200.
 */
#include "providers/codec_json.h"

/* ---- the request ------------------------------------------------------------------------------------------------- */

static void put_images(aio__encoder *e, const aio__turn *turn) {
  aio__json_writer *w = &e->w;
  bool any = false;
  for (size_t i = 0; i < turn->part_count; i++) {
    const aio__part *part = &turn->parts[i];
    if (part->kind == AIO__PART_IMAGE_URL) {
      aio__enc_fail(e, AIORCH_E_UNSUPPORTED, "images by URL are not fetched by Ollama; send the image itself");
    }
    if (part->kind != AIO__PART_IMAGE) continue;
    if (!any) {
      aio__jw_key(w, "images");
      aio__jw_array(w);
      any = true;
    }
    aio__jw_str(w, part->text);
  }
  if (any) aio__jw_array_end(w);
}

static void put_tool_calls(aio__encoder *e, const aio__turn *turn) {
  aio__json_writer *w = &e->w;
  bool any = false;
  for (size_t i = 0; i < turn->part_count; i++) {
    const aio__part *part = &turn->parts[i];
    if (part->kind != AIO__PART_TOOL_CALL) continue;
    if (!any) {
      aio__jw_key(w, "tool_calls");
      aio__jw_array(w);
      any = true;
    }
    aio__jw_object(w);
    aio__jw_key(w, "function");
    aio__jw_object(w);
    aio__jw_kstr(w, "name", part->name);
    aio__jw_key(w, "arguments");
    aio__enc_json_object(e, part->text, "the arguments", part->name);
    aio__jw_object_end(w);
    aio__jw_object_end(w);
  }
  if (any) aio__jw_array_end(w);
}

static void put_message(aio__encoder *e, const aio__turn *turn, const char *role) {
  aio__jw_object(&e->w);
  aio__jw_kz(&e->w, "role", role);
  bool says = false;
  for (size_t i = 0; i < turn->part_count; i++) says = says || (turn->parts[i].kind == AIO__PART_TEXT && turn->parts[i].text.n > 0);
  if (says) aio__enc_joined(e, "content", turn, AIO__PART_TEXT);
  else aio__jw_kz(&e->w, "content", "");
  put_images(e, turn);
  aio__enc_joined(e, "thinking", turn, AIO__PART_REASONING);
  put_tool_calls(e, turn);
  aio__jw_object_end(&e->w);
}

static void put_turn(aio__encoder *e, const aio__turn *turn) {
  bool rest = false;
  if (turn->role != AIORCH_ROLE_TOOL) {
    put_message(e, turn, turn->role == AIORCH_ROLE_ASSISTANT ? "assistant" : "user");
    return;
  }
  for (size_t i = 0; i < turn->part_count; i++) {
    const aio__part *part = &turn->parts[i];
    rest = rest || (part->kind == AIO__PART_TEXT && part->text.n > 0) || part->kind == AIO__PART_IMAGE || part->kind == AIO__PART_IMAGE_URL;
    if (part->kind != AIO__PART_TOOL_RESULT) continue;
    aio__jw_object(&e->w);
    aio__jw_kz(&e->w, "role", "tool");
    aio__jw_kstr(&e->w, "content", part->text);
    if (part->name.n) aio__jw_kstr(&e->w, "tool_name", part->name);
    aio__jw_object_end(&e->w);
  }
  if (rest) put_message(e, turn, "user");
}

static void put_tools(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  static const char *const choices[] = {NULL, "auto", "none", "any", "tool"};
  if (choices[r->wishes.tool_choice]) (void)aio__enc_drops(e, "tool_choice", aio__str_z(choices[r->wishes.tool_choice]));
  if (r->wishes.tool_count == 0 || r->wishes.tool_choice == AIO__TOOLS_NONE) return; /* not offered is not called */
  aio__enc_functions(e);
}

/* Levels are known to gpt-oss only; other models think or do not. */
static void put_effort(aio__encoder *e) {
  static const char *const levels[] = {NULL, NULL, "low", "low", "medium", "high", "high", "high"};
  aio__effort effort = e->request->wishes.effort;
  if (effort == AIO__EFFORT_DEFAULT) return;
  if (levels[effort] && aio__wire_has(e->request->model, "gpt-oss")) aio__jw_kz(&e->w, "think", levels[effort]);
  else aio__jw_kbool(&e->w, "think", effort != AIO__EFFORT_NONE);
}

static void put_options(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  if (r->temperature < 0 && r->max_tokens <= 0 && r->wishes.stop_count == 0) return;
  aio__jw_key(&e->w, "options");
  aio__jw_object(&e->w);
  aio__enc_temperature(e, "temperature");
  if (r->max_tokens > 0) aio__jw_ki64(&e->w, "num_predict", r->max_tokens);
  aio__enc_strings(e, "stop", r->wishes.stops, r->wishes.stop_count);
  aio__jw_object_end(&e->w);
}

static void write_request(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  aio__json_writer *w = &e->w;
  aio__enc_url(e, AIO__LIT("/api/chat"));
  aio__enc_key(e, "authorization", "Bearer ");
  aio__jw_kstr(w, "model", r->model);
  aio__jw_key(w, "messages");
  aio__jw_array(w);
  if (r->system.n) {
    aio__jw_object(w);
    aio__jw_kz(w, "role", "system");
    aio__jw_kstr(w, "content", r->system);
    aio__jw_object_end(w);
  }
  for (size_t i = 0; i < r->turn_count; i++) put_turn(e, &r->turns[i]);
  aio__jw_array_end(w);
  put_tools(e);
  if (r->wishes.schema.n) {
    aio__jw_key(w, "format");
    aio__enc_json_object(e, r->wishes.schema, "the schema of the answer", (aio__str){"", 0});
  }
  put_effort(e);
  put_options(e);
  aio__jw_kbool(w, "stream", r->stream);
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

static aiorch_status take_calls(aio__decoder *d, aio__tape_value calls) {
  const aio__tape *t = &d->tape;
  aiorch_status st = AIORCH_OK;
  for (aio__tape_value v = aio__tape_first(t, calls); v != AIO__TAPE_NONE && st == AIORCH_OK; v = aio__tape_next(t, calls, v)) {
    aio__tape_value function = AIO__TAPE_GET(t, v, "function");
    int32_t tool;
    st = aio__dec_tool_start(d, -1, AIO__TAPE_GET(t, v, "id"), AIO__TAPE_GET(t, function, "name"), &tool);
    if (st == AIORCH_OK) st = aio__dec_tool_arguments(d, tool, AIO__TAPE_GET(t, function, "arguments"));
    if (st == AIORCH_OK) st = aio__dec_tool_end(d, tool);
  }
  return st;
}

static aiorch_status take_done(aio__decoder *d) {
  const aio__tape *t = &d->tape;
  aio__tape_value reason = AIO__TAPE_GET(t, AIO__TAPE_ROOT, "done_reason");
  d->terminal = d->closed = true;
  aio__dec_usage(d, AIORCH_USAGE_INPUT, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "prompt_eval_count"));
  aio__dec_usage(d, AIORCH_USAGE_OUTPUT, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "eval_count"));
  d->result.finish_reason = d->result.tool_calls > 0 ? AIORCH_FINISH_TOOL_CALLS : AIORCH_FINISH_STOP;
  if (aio__tape_is(t, reason, "length")) d->result.finish_reason = AIORCH_FINISH_LENGTH;
  bool known = aio__tape_typeof(t, reason) == AIO__JSON_NULL || aio__tape_is(t, reason, "length") || aio__tape_is(t, reason, "stop");
  return known ? AIORCH_OK : aio__dec_warn(d, "unknown done_reason ", aio__tape_raw(t, reason));
}

static aiorch_status take_answer(aio__decoder *d) {
  const aio__tape *t = &d->tape;
  if (aio__tape_typeof(t, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "error")) != AIO__JSON_NULL) return aio__dec_error(d, AIO__TAPE_ROOT);
  aio__tape_value message = AIO__TAPE_GET(t, AIO__TAPE_ROOT, "message");
  if (d->result.model[0] == '\0') aio__dec_model(d, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "model"));
  aiorch_status st = aio__dec_reasoning(d, AIO__TAPE_GET(t, message, "thinking"));
  if (st == AIORCH_OK) st = aio__dec_text(d, AIO__TAPE_GET(t, message, "content"));
  if (st == AIORCH_OK) st = take_calls(d, AIO__TAPE_GET(t, message, "tool_calls"));
  if (st || !aio__tape_true(t, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "done"))) return st;
  return take_done(d);
}

static aiorch_status whole(aio__decoder *d) {
  aiorch_status st = take_answer(d);
  if (st == AIORCH_OK && !d->terminal) return aio__dec_response_error(d, "the answer does not say that it is done");
  return st;
}

static aiorch_status event(aio__decoder *d, aio__str type) {
  (void)type;
  return take_answer(d);
}

static void fail(const aio__decoder *d, const aio__error_body *body, aio__wire_error *error) {
  (void)d;
  if (error->http_status == 400 && aio__wire_has(body->message, "not found")) error->status = AIORCH_E_PROVIDER_MODEL; /* not pulled */
}

const aio__codec aio__codec_ollama = {
    .name = "ollama",
    .base_url = "http://localhost:11434",
    .stream_framing = AIO__WIRE_LINES,
    .write = write_request,
    .whole = whole,
    .event = event,
    .fail = fail,
};
