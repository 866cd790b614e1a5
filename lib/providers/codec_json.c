/* See codec_json.h, and aio__codec_encode in codec.h. */
#include "providers/codec_json.h"

#include <stdio.h>
#include <string.h>

#include "providers/param_rules.h"
#include "text/json_merge.h"

enum { WORDS_MAX = 400, BODY_FRAME = 400, SPARE_MAX = 1 << 16, EXPECTED_MAX = 32 << 20 };

void aio__enc_fail(aio__encoder *e, aiorch_status status, const char *format, ...) {
  char text[WORDS_MAX];
  va_list args;
  if (e->status) return;
  e->status = status;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  aio__error_set(e->error, status, "%s: %s", e->codec->name, text);
}

void aio__enc_warn(aio__encoder *e, const char *format, ...) {
  char text[WORDS_MAX];
  va_list args;
  if (e->status || !e->sink) return;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
  len = aio__utf8_check(aio__str_n(text, len), NULL); /* the cut may have split a character */
  aio__codec_event event = {.kind = AIO__EVENT_WARNING, .tool = -1, .text = aio__str_n(text, len)};
  aiorch_status st = e->sink->take(e->sink->ctx, &event);
  if (st) aio__enc_fail(e, st, "the caller ended it");
}

bool aio__enc_drops(aio__encoder *e, const char *param, aio__str value) {
  const aio__codec_request *r = e->request;
  aio__str version = e->target->version.n ? e->target->version : AIO__LIT(AIO__ANTHROPIC_VERSION);
  if (!aio__param_refused(e->rules, r->model, version, param, value)) return false;
  if (e->target->refuse) {
    aio__enc_fail(e, AIORCH_E_UNSUPPORTED, "the model %.*s does not take %s \"%.*s\"", (int)r->model.n, r->model.p, param, (int)value.n,
                  value.p);
  } else {
    aio__enc_warn(e, "%s \"%.*s\" was left out: the model %.*s does not take it", param, (int)value.n, value.p, (int)r->model.n,
                  r->model.p);
  }
  return true;
}

void aio__enc_cannot(aio__encoder *e, const char *what) {
  if (e->target->refuse) aio__enc_fail(e, AIORCH_E_UNSUPPORTED, "%s", what);
  else aio__enc_warn(e, "%s", what);
}

/* ---- where to ---------------------------------------------------------------------------------------------------- */

void aio__enc_url(aio__encoder *e, aio__str path) {
  if (e->status) return;
  aio__str base = e->target->base_url.n ? e->target->base_url : aio__str_z(e->codec->base_url);
  aio__buf_reset(&e->out->url);
  aiorch_status st = aio__wire_url(&e->out->url, base, path, e->error);
  if (st) e->status = st;
}

void aio__enc_header(aio__encoder *e, const char *name, aio__str value) {
  if (e->status) return;
  e->status = aio__wire_add_header(e->out, aio__str_z(name), value, false, e->error);
}

void aio__enc_key(aio__encoder *e, const char *name, const char *prefix) {
  aio__str key = aio__str_trim(e->target->key);
  if (e->status || key.n == 0) return;
  e->status = aio__wire_add_key(e->out, aio__str_z(name), aio__str_z(prefix), key, e->error);
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

void aio__enc_json_object(aio__encoder *e, aio__str json, const char *what, aio__str name) {
  if (e->status) return;
  json = aio__str_trim(json);
  if (json.n == 0) json = AIO__LIT("{}");
  aiorch_status st = aio__tape_read(&e->tape, json);
  if (st == AIORCH_E_NOMEM) {
    aio__enc_fail(e, st, "out of memory");
  } else if (st || aio__tape_typeof(&e->tape, AIO__TAPE_ROOT) != AIO__JSON_OBJECT || aio__utf8_check(json, NULL) < json.n) {
    aio__enc_fail(e, AIORCH_E_INVALID, "%s%s%.*s: this is no JSON object (byte %zu)", what, name.n ? " of " : "", (int)name.n,
                  name.n ? name.p : "", e->tape.fault);
  } else {
    aio__jw_raw(&e->w, json);
  }
}

void aio__enc_data_url(aio__encoder *e, const aio__part *image) {
  aio__jw_raw(&e->w, AIO__LIT("\"data:")); /* type and data are plain ASCII: check_image saw to that */
  aio__buf_str(e->w.buf, image->media_type);
  aio__buf_z(e->w.buf, ";base64,");
  aio__buf_str(e->w.buf, image->text);
  aio__buf_char(e->w.buf, '"');
}

void aio__enc_strings(aio__encoder *e, const char *key, const aio__str *texts, size_t count) {
  if (count == 0) return;
  aio__jw_key(&e->w, key);
  aio__jw_array(&e->w);
  for (size_t i = 0; i < count; i++) aio__jw_str(&e->w, texts[i]);
  aio__jw_array_end(&e->w);
}

void aio__enc_temperature(aio__encoder *e, const char *key) {
  double t = e->request->temperature;
  if (t < 0) return;
  aio__buf text;
  aio__buf_init(&text, e->tape.al, 64);
  if (aio__buf_f64(&text, t)) aio__enc_fail(e, AIORCH_E_NOMEM, "out of memory");
  else if (!aio__enc_drops(e, "temperature", aio__buf_view(&text))) aio__jw_kf64(&e->w, key, t);
  aio__buf_free(&text);
}

void aio__enc_joined(aio__encoder *e, const char *key, const aio__turn *turn, aio__part_kind kind) {
  const aio__part *only = NULL;
  size_t count = 0;
  for (size_t i = 0; i < turn->part_count; i++) {
    if (turn->parts[i].kind != kind || turn->parts[i].text.n == 0) continue;
    only = &turn->parts[i];
    count++;
  }
  if (count == 0) return;
  if (count == 1) {
    aio__jw_kstr(&e->w, key, only->text);
    return;
  }
  aio__buf joined;
  aio__buf_init(&joined, e->tape.al, AIO__WIRE_BODY_MAX);
  for (size_t i = 0; i < turn->part_count; i++) {
    if (turn->parts[i].kind != kind || turn->parts[i].text.n == 0) continue;
    if (joined.n > 0) aio__buf_z(&joined, "\n\n");
    aio__buf_str(&joined, turn->parts[i].text);
  }
  if (joined.failed) aio__enc_fail(e, joined.failed, "out of memory, or a turn of more than 64 MiB");
  else aio__jw_kstr(&e->w, key, aio__buf_view(&joined));
  aio__buf_free(&joined);
}

void aio__enc_functions(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  aio__json_writer *w = &e->w;
  aio__jw_key(w, "tools");
  aio__jw_array(w);
  for (size_t i = 0; i < r->wishes.tool_count; i++) {
    const aio__tool *tool = &r->wishes.tools[i];
    aio__jw_object(w);
    aio__jw_kz(w, "type", "function");
    aio__jw_key(w, "function");
    aio__jw_object(w);
    aio__jw_kstr(w, "name", tool->name);
    if (tool->description.n) aio__jw_kstr(w, "description", tool->description);
    aio__jw_key(w, "parameters");
    aio__enc_json_object(e, tool->schema.n ? tool->schema : AIO__LIT("{\"type\":\"object\",\"properties\":{}}"), "the schema", tool->name);
    aio__jw_object_end(w);
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
}

const char *aio__enc_effort_name(aio__effort effort) {
  static const char *const names[] = {"", "none", "minimal", "low", "medium", "high", "xhigh", "max"};
  return names[effort];
}

const aio__part *aio__enc_single_text(const aio__turn *turn) {
  const aio__part *only = NULL;
  for (size_t i = 0; i < turn->part_count; i++) {
    const aio__part *part = &turn->parts[i];
    if (part->kind == AIO__PART_TEXT && part->text.n == 0) continue;
    if (only || part->kind != AIO__PART_TEXT || part->cache) return NULL;
    only = part;
  }
  return only;
}

/* ---- what is asked, checked once for all ------------------------------------------------------------------------- */

static bool is_base64(aio__str text) {
  size_t end = text.n;
  while (end > 0 && text.n - end < 2 && text.p[end - 1] == '=') end--;
  return end > 0 && aio__str_base64(aio__str_n(text.p, end));
}

static bool is_media_type(aio__str text) {
  if (!aio__str_starts(text, AIO__LIT("image/")) || text.n < 7 || text.n > 40) return false;
  for (size_t i = 6; i < text.n; i++) {
    char c = text.p[i];
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')) return false;
  }
  return true;
}

static const char *part_fault(const aio__part *part, int32_t role) {
  bool assistant = role == AIORCH_ROLE_ASSISTANT;
  switch (part->kind) {
    case AIO__PART_TEXT: return NULL;
    case AIO__PART_IMAGE:
      if (assistant) return "images belong to turns of the user and of tools";
      if (!is_media_type(part->media_type)) return "an image needs a media type such as image/png";
      return is_base64(part->text) ? NULL : "an image is not base64";
    case AIO__PART_IMAGE_URL:
      if (assistant) return "images belong to turns of the user and of tools";
      return aio__wire_host(part->text).n ? NULL : "the URL of an image begins neither with https:// nor with http://";
    case AIO__PART_TOOL_CALL:
      if (!assistant) return "tool calls belong to the assistant's turns";
      return part->name.n ? NULL : "a tool call names no tool";
    case AIO__PART_TOOL_RESULT: return role == AIORCH_ROLE_TOOL ? NULL : "results of tools belong to turns of the role tool";
    case AIO__PART_REASONING: return assistant ? NULL : "reasoning belongs to the assistant's turns";
  }
  return "a part of no kind";
}

static void check_turn(aio__encoder *e, size_t index) {
  const aio__turn *turn = &e->request->turns[index];
  bool role = turn->role == AIORCH_ROLE_USER || turn->role == AIORCH_ROLE_ASSISTANT || turn->role == AIORCH_ROLE_TOOL;
  if (!role) aio__enc_fail(e, AIORCH_E_INVALID, "turn %zu: its role is none of user, assistant, tool", index);
  bool says = false;
  for (size_t i = 0; i < turn->part_count; i++) {
    const char *fault = part_fault(&turn->parts[i], turn->role);
    if (fault) aio__enc_fail(e, AIORCH_E_INVALID, "turn %zu: %s", index, fault);
    says = says || turn->parts[i].kind != AIO__PART_TEXT || turn->parts[i].text.n > 0;
  }
  if (!says) aio__enc_fail(e, AIORCH_E_INVALID, "turn %zu is empty", index);
}

static void check(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  if (r->model.n == 0) aio__enc_fail(e, AIORCH_E_INVALID, "no model is named");
  if (r->turn_count == 0) aio__enc_fail(e, AIORCH_E_INVALID, "there is no message");
  if (r->wishes.tool_count > AIO__TOOLS_MAX) aio__enc_fail(e, AIORCH_E_TOO_LARGE, "more than 128 tools");
  if (r->wishes.stop_count > AIO__STOPS_MAX) aio__enc_fail(e, AIORCH_E_TOO_LARGE, "more than 16 stop sequences");
  for (size_t i = 0; i < r->turn_count; i++) check_turn(e, i);
  for (size_t i = 0; i < r->wishes.tool_count; i++) {
    if (r->wishes.tools[i].name.n == 0) aio__enc_fail(e, AIORCH_E_INVALID, "tool %zu has no name", i);
  }
  bool forces = r->wishes.tool_choice == AIO__TOOLS_ANY || r->wishes.tool_choice == AIO__TOOLS_ONE;
  if (forces && r->wishes.tool_count == 0) aio__enc_fail(e, AIORCH_E_INVALID, "a tool must be called, but there is none");
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

/* About as long as the body will be: so it is not moved again and again while it grows. */
static size_t expected_bytes(const aio__codec_request *request) {
  size_t n = BODY_FRAME + request->system.n;
  for (size_t i = 0; i < request->turn_count; i++) {
    for (size_t k = 0; k < request->turns[i].part_count; k++) n += request->turns[i].parts[k].text.n;
  }
  return n > EXPECTED_MAX ? 0 : n + (n / 16 < SPARE_MAX ? n / 16 : SPARE_MAX); /* what is large is a picture, which has no escapes */
}

aiorch_status aio__codec_encode(const aio__codec *codec, const aio__codec_request *request, const aio__codec_target *target,
                                const aio__codec_sink *sink, aio__wire_request *out, aiorch_error *error) {
  aio__encoder e = {.codec = codec, .request = request, .target = target, .sink = sink, .out = out, .error = error};
  e.rules = aio__str_z(codec->name);
  aio__tape_init(&e.tape, out->body.al);
  aio__jw_init(&e.w, &out->body);
  (void)aio__buf_reserve(&out->body, expected_bytes(request));
  check(&e);
  if (e.status == AIORCH_OK) {
    out->framing = request->stream ? codec->stream_framing : AIO__WIRE_WHOLE;
    aio__enc_header(&e, "content-type", AIO__LIT("application/json"));
    aio__jw_object(&e.w);
    codec->write(&e);
    aio__jw_object_end(&e.w);
    aio__enc_header(&e, "accept", out->framing == AIO__WIRE_SSE ? AIO__LIT("text/event-stream") : AIO__LIT("application/json"));
  }
  for (size_t i = 0; i < target->header_count && e.status == AIORCH_OK; i++) {
    const aio__wire_header *h = &target->headers[i];
    e.status = aio__wire_add_header(out, h->name, h->value, h->secret, error);
  }
  if (out->body.failed) aio__enc_fail(&e, out->body.failed, "out of memory, or a body of more than 64 MiB");
  if (e.status == AIORCH_OK) e.status = aio__json_merge(&out->body, request->provider_options, "provider_options", error);
  aio__tape_free(&e.tape);
  return e.status;
}
