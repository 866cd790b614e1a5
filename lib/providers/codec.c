/* See codec.h: the decoder, but for what each service says in its own way. */
#include "providers/codec.h"

#include <string.h>

enum { SCRATCH_MAX = 32 << 20 };

const aio__codec *aio__codec_find(aio__str name) {
  static const aio__codec *const codecs[] = {&aio__codec_anthropic, &aio__codec_openai, &aio__codec_gemini, &aio__codec_ollama};
  for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
    if (aio__str_eqz(name, codecs[i]->name)) return codecs[i];
  }
  return NULL;
}

void aio__decoder_init(aio__decoder *d, const aio__codec *codec, const aio__codec_target *target, const aio__codec_sink *sink,
                       const aio__alloc *al) {
  memset(d, 0, sizeof *d);
  d->codec = codec;
  d->target = target;
  d->sink = sink;
  d->al = al;
  aio__sse_init(&d->sse, al, AIO__SSE_EVENT_MAX);
  aio__ndjson_init(&d->lines, al, AIO__NDJSON_LINE_MAX);
  aio__buf_init(&d->body, al, AIO__CODEC_BODY_MAX);
  aio__buf_init(&d->scratch, al, SCRATCH_MAX);
  aio__buf_init(&d->memory, al, AIO__CODEC_ERROR_BODY_MAX);
  aio__tape_init(&d->tape, al);
  const aio__wire_reply none = {.http_status = 200};
  aio__wire_error_begin(&d->error, &none);
}

void aio__decoder_free(aio__decoder *d) {
  aio__sse_free(&d->sse);
  aio__ndjson_free(&d->lines);
  aio__buf_free(&d->body);
  aio__buf_free(&d->scratch);
  aio__buf_free(&d->memory);
  aio__tape_free(&d->tape);
  aio__free(d->al, d->tools);
  d->tools = NULL;
}

/* ---- failing ----------------------------------------------------------------------------------------------------- */

static aiorch_status stop(aio__decoder *d, aiorch_status status) {
  d->stopped = true;
  d->error.status = status;
  return status;
}

static aiorch_status fail(aio__decoder *d, aiorch_status status, const char *message) {
  aio__wire_say(&d->error, aio__str_z(message), d->target->key);
  return stop(d, status);
}

aiorch_status aio__dec_response_error(aio__decoder *d, const char *what) {
  return fail(d, AIORCH_E_RESPONSE, what);
}

/* Words by which services say that a prompt is too long. Only asked where the request itself was refused. */
static bool says_too_long(aio__str text) {
  static const char *const phrases[] = {
      "context_length_exceeded", "context length", "context window", "context size", "maximum context", "exceed_context_size",
      "prompt is too long", "input is too long", "too large for model", "exceed context limit", "reduce the length of the messages",
      "maximum number of tokens allowed", "`inputs` tokens + `max_new_tokens`", "model_max_prompt_tokens_exceeded"};
  for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
    if (aio__wire_has(text, phrases[i])) return true;
  }
  return false;
}

/* `vague`: no status came with it, so that its words alone tell. */
static void sharpen(aio__decoder *d, const aio__error_body *body, bool vague) {
  aio__wire_error *e = &d->error;
  d->codec->fail(d, body, e);
  bool refused = e->status == AIORCH_E_PROVIDER_REJECTED || (vague && e->status == AIORCH_E_PROVIDER_BUSY);
  if (refused && (says_too_long(body->code) || says_too_long(body->type) || says_too_long(body->message))) {
    e->status = AIORCH_E_CONTEXT_WINDOW;
  }
  aio__str text = body->message.n ? body->message : body->code.n ? body->code : body->type;
  aio__wire_say(e, text, d->target->key);
  if (!e->message[0]) aio__wire_say(e, AIO__LIT("without a word"), d->target->key); /* also where all of it is blank */
}

aiorch_status aio__dec_error(aio__decoder *d, aio__tape_value root) {
  aio__error_body body;
  if (aio__error_body_of(&d->tape, root, &d->memory, &body)) return fail(d, AIORCH_E_NOMEM, "out of memory");
  /* What the status line said was written before it went wrong. Numbers in the body mean HTTP statuses where they can be one. */
  bool numbered = body.number >= 400 && body.number < 600;
  if (numbered) d->error.http_status = (int32_t)body.number;
  d->error.status = numbered ? aio__wire_status(d->error.http_status) : AIORCH_E_PROVIDER_BUSY;
  sharpen(d, &body, !numbered);
  return stop(d, d->error.status);
}

static aiorch_status failed_answer(aio__decoder *d) {
  aio__error_body body;
  if (aio__error_body_read(&d->tape, aio__buf_view(&d->body), &d->memory, &body)) return fail(d, AIORCH_E_NOMEM, "out of memory");
  sharpen(d, &body, false);
  return stop(d, d->error.status);
}

/* ---- handing over ------------------------------------------------------------------------------------------------ */

static aiorch_status give(aio__decoder *d, const aio__codec_event *event) {
  if (event->kind != AIO__EVENT_WARNING && event->kind != AIO__EVENT_STOP) d->has_output = true;
  aiorch_status st = d->sink->take(d->sink->ctx, event);
  return st ? stop(d, st) : AIORCH_OK;
}

static aiorch_status give_string(aio__decoder *d, aio__event_kind kind, int32_t tool, aio__tape_value value, uint16_t *half) {
  aio__codec_event event = {.kind = kind, .tool = tool};
  aiorch_status st = aio__tape_str(&d->tape, value, half, &d->scratch, &event.text);
  if (st) return fail(d, st, st == AIORCH_E_NOMEM ? "out of memory" : "a text of the answer is longer than 32 MiB");
  return event.text.n > 0 ? give(d, &event) : AIORCH_OK;
}

aiorch_status aio__dec_text(aio__decoder *d, aio__tape_value value) {
  return give_string(d, AIO__EVENT_TEXT, -1, value, &d->text_half);
}

aiorch_status aio__dec_reasoning(aio__decoder *d, aio__tape_value value) {
  return give_string(d, AIO__EVENT_REASONING, -1, value, &d->reasoning_half);
}

aiorch_status aio__dec_signature(aio__decoder *d, int32_t tool, aio__tape_value value, bool redacted) {
  return give_string(d, redacted ? AIO__EVENT_REDACTED : AIO__EVENT_SIGNATURE, tool, value, NULL);
}

aiorch_status aio__dec_stop(aio__decoder *d, aio__tape_value value) {
  return give_string(d, AIO__EVENT_STOP, -1, value, NULL);
}

aiorch_status aio__dec_warn(aio__decoder *d, const char *text, aio__str detail) {
  aio__wire_error line = {.status = AIORCH_OK}; /* cleaned as the message of an error is */
  char joined[AIO__WIRE_MESSAGE_MAX];
  size_t n = strlen(text), more = aio__utf8_cut(detail, sizeof joined - n);
  memcpy(joined, text, n);
  if (more > 0) memcpy(joined + n, detail.p, more);
  aio__wire_say(&line, aio__str_n(joined, n + more), d->target->key);
  return give(d, &(aio__codec_event){.kind = AIO__EVENT_WARNING, .tool = -1, .text = aio__str_z(line.message)});
}

/* ---- tool calls -------------------------------------------------------------------------------------------------- */

aiorch_status aio__dec_tool_start(aio__decoder *d, int64_t key, aio__tape_value id, aio__tape_value name, int32_t *tool) {
  size_t n = d->result.tool_calls;
  if (n == AIO__TOOLS_MAX) return fail(d, AIORCH_E_TOO_LARGE, "more than 128 tool calls in one answer");
  if (!d->tools) d->tools = aio__calloc(d->al, AIO__TOOLS_MAX, sizeof *d->tools);
  if (!d->tools) return fail(d, AIORCH_E_NOMEM, "out of memory");
  d->tools[n] = (aio__decoder_tool){.key = key, .open = true};
  d->result.tool_calls++;
  *tool = (int32_t)n;
  aio__codec_event event = {.kind = AIO__EVENT_TOOL_START, .tool = *tool};
  aiorch_status st = aio__tape_str(&d->tape, name, NULL, &d->scratch, &event.name);
  if (st == AIORCH_OK) st = aio__tape_str(&d->tape, id, NULL, &d->memory, &event.id);
  if (st) return fail(d, st, "the name of a tool is too long, or memory is out");
  if (event.id.n == 0) {
    aio__buf_reset(&d->memory);
    if (aio__buf_fmt(&d->memory, AIO__CODEC_OWN_ID "%zu", d->target->calls_before + n)) return fail(d, AIORCH_E_NOMEM, "out of memory");
    event.id = aio__buf_view(&d->memory);
  }
  return give(d, &event);
}

int32_t aio__dec_tool_find(const aio__decoder *d, int64_t key) {
  for (size_t n = d->result.tool_calls; n > 0; n--) {
    if (d->tools[n - 1].key == key) return (int32_t)(n - 1);
  }
  return -1;
}

static aiorch_status give_arguments(aio__decoder *d, int32_t tool, aio__str text) {
  if (text.n > 0) d->tools[tool].has_arguments = true;
  return give(d, &(aio__codec_event){.kind = AIO__EVENT_TOOL_ARGUMENTS, .tool = tool, .text = text});
}

aiorch_status aio__dec_tool_arguments(aio__decoder *d, int32_t tool, aio__tape_value value) {
  aio__json_type type = aio__tape_typeof(&d->tape, value);
  if (tool < 0 || type == AIO__JSON_NULL) return AIORCH_OK;
  aio__decoder_tool *t = &d->tools[tool];
  if (type == AIO__JSON_STRING) {
    aio__str text;
    aiorch_status st = aio__tape_str(&d->tape, value, &t->half, &d->scratch, &text);
    if (st) return fail(d, st, "the arguments of a tool are too long, or memory is out");
    return text.n > 0 ? give_arguments(d, tool, text) : AIORCH_OK;
  }
  aio__str raw = aio__tape_raw(&d->tape, value);
  if (aio__utf8_check(raw, NULL) < raw.n) return aio__dec_response_error(d, "the arguments of a tool are not UTF-8");
  return give_arguments(d, tool, raw);
}

static aiorch_status end_tool(aio__decoder *d, int32_t tool) {
  aio__decoder_tool *t = &d->tools[tool];
  if (!t->open) return AIORCH_OK;
  t->open = false;
  aiorch_status st = AIORCH_OK;
  if (t->half) st = give_arguments(d, tool, AIO__LIT("\xEF\xBF\xBD"));
  if (st == AIORCH_OK && !t->has_arguments) st = give_arguments(d, tool, AIO__LIT("{}"));
  return st ? st : give(d, &(aio__codec_event){.kind = AIO__EVENT_TOOL_END, .tool = tool});
}

aiorch_status aio__dec_tool_end(aio__decoder *d, int32_t tool) {
  if (tool >= 0) return end_tool(d, tool);
  aiorch_status st = AIORCH_OK;
  for (size_t i = 0; i < d->result.tool_calls && st == AIORCH_OK; i++) st = end_tool(d, (int32_t)i);
  return st;
}

/* ---- facts ------------------------------------------------------------------------------------------------------- */

static void copy_id(aio__decoder *d, aio__tape_value value, char out[AIO__WIRE_ID_MAX + 1]) {
  aio__str text;
  if (aio__tape_str(&d->tape, value, NULL, &d->scratch, &text) || text.n == 0) return;
  size_t n = aio__utf8_cut(text, AIO__WIRE_ID_MAX);
  for (size_t i = 0; i < n; i++) out[i] = (uint8_t)text.p[i] < 0x20 ? ' ' : text.p[i];
  out[n] = '\0';
}

void aio__dec_model(aio__decoder *d, aio__tape_value value) {
  copy_id(d, value, d->result.model);
}

void aio__dec_request_id(aio__decoder *d, aio__tape_value value) {
  if (d->result.request_id[0] == '\0') copy_id(d, value, d->result.request_id);
}

int64_t aio__dec_count(const aio__decoder *d, aio__tape_value value) {
  int64_t n;
  return aio__tape_i64(&d->tape, value, &n) && n > 0 ? n : 0;
}

aio__tape_value aio__dec_choice(const aio__decoder *d, aio__tape_value list) {
  for (aio__tape_value v = aio__tape_first(&d->tape, list); v != AIO__TAPE_NONE; v = aio__tape_next(&d->tape, list, v)) {
    int64_t index = 0;
    (void)aio__tape_i64(&d->tape, AIO__TAPE_GET(&d->tape, v, "index"), &index);
    if (index == 0) return v;
  }
  return AIO__TAPE_NONE;
}

void aio__dec_usage(aio__decoder *d, int usage_class, aio__tape_value value) {
  int64_t n;
  if (!aio__tape_i64(&d->tape, value, &n) || n < 0) return;
  d->result.usage.n[usage_class] = n;
  d->result.has_usage = true;
}

/* ---- the body ---------------------------------------------------------------------------------------------------- */

void aio__decoder_head(aio__decoder *d, const aio__wire_reply *reply, aio__wire_framing asked) {
  aio__wire_error_begin(&d->error, reply);
  memcpy(d->result.request_id, d->error.request_id, sizeof d->result.request_id);
  d->asked = asked;
  aio__str type = aio__wire_get(reply, "content-type");
  if (d->error.status) {
    d->mode = AIO__DECODER_ERROR;
    aio__buf_free(&d->body);
    aio__buf_init(&d->body, d->al, AIO__CODEC_ERROR_BODY_MAX);
  } else if (asked == AIO__WIRE_WHOLE && !aio__wire_has(type, "event-stream")) {
    d->mode = AIO__DECODER_WHOLE;
  } else if (asked == AIO__WIRE_LINES && aio__wire_has(type, "text/html")) {
    d->mode = AIO__DECODER_WHOLE; /* a page, of which the title is worth more than its first line */
  } else if (asked == AIO__WIRE_LINES) {
    d->mode = AIO__DECODER_LINES; /* whatever it is called: an answer in one line is a line, too */
  } else if (aio__wire_has(type, "event-stream")) {
    d->mode = AIO__DECODER_SSE;
  } else {
    d->mode = AIO__DECODER_SNIFF; /* a stream was asked for, and this is called something else */
  }
}

/* Reads the JSON of an event, and gives it to the codec. */
static aiorch_status take_json(aio__decoder *d, aio__str type, aio__str data) {
  aiorch_status st = aio__tape_read(&d->tape, data);
  if (st == AIORCH_E_NOMEM) return fail(d, st, "out of memory");
  if (st && d->ending) return AIORCH_OK; /* cut off in the middle: the last event is missing, and that is what will be said */
  if (st == AIORCH_E_TOO_LARGE) return fail(d, AIORCH_E_RESPONSE, "an event of the stream is too large or too deeply nested");
  if (st) return fail(d, AIORCH_E_RESPONSE, "an event of the stream is not JSON");
  return d->codec->event(d, type);
}

static aiorch_status take_event(void *ctx, const aio__sse_event *event) {
  aio__decoder *d = ctx;
  if (d->closed) return AIORCH_OK;
  if (d->codec->mark && d->codec->mark(d, event->data)) return AIORCH_OK;
  if (aio__str_trim(event->data).n == 0) return AIORCH_OK; /* a sign of life */
  return take_json(d, event->type, event->data);
}

static aiorch_status take_line(void *ctx, aio__str line) {
  aio__decoder *d = ctx;
  return d->closed ? AIORCH_OK : take_json(d, AIO__LIT(""), line);
}

/* A limit of the readers themselves, or memory; what the decoder says itself is said already. */
static aiorch_status feeding_failed(aio__decoder *d, aiorch_status st) {
  if (st == AIORCH_OK || d->stopped) return st;
  return fail(d, st, st == AIORCH_E_NOMEM ? "out of memory" : "an event of the stream is longer than 16 MiB");
}

static aiorch_status collect(aio__decoder *d, aio__str bytes) {
  if (d->mode == AIO__DECODER_ERROR) { /* the begin is enough */
    size_t room = d->body.max - d->body.n;
    bytes.n = bytes.n < room ? bytes.n : room;
  }
  aiorch_status st = aio__buf_str(&d->body, bytes);
  if (st == AIORCH_OK) return st;
  return fail(d, st, st == AIORCH_E_NOMEM ? "out of memory" : "the answer is longer than 32 MiB");
}

/* By its first character: an object, a list or a page is no stream of events. */
static aiorch_status sniff(aio__decoder *d, aio__str bytes) {
  aiorch_status st = collect(d, bytes);
  aio__str all = aio__buf_view(&d->body), rest = all;
  if (aio__str_starts(rest, AIO__LIT("\xEF\xBB\xBF"))) rest = aio__str_n(rest.p + 3, rest.n - 3);
  rest = aio__str_trim(rest);
  if (st || rest.n == 0 || ((uint8_t)rest.p[0] == 0xEF && rest.n < 3)) return st;
  if (rest.p[0] == '{' || rest.p[0] == '[' || rest.p[0] == '<') {
    d->mode = AIO__DECODER_WHOLE;
    return AIORCH_OK;
  }
  d->mode = AIO__DECODER_SSE;
  st = feeding_failed(d, aio__sse_feed(&d->sse, all, take_event, d));
  aio__buf_reset(&d->body);
  return st;
}

aiorch_status aio__decoder_feed(aio__decoder *d, aio__str bytes) {
  if (d->stopped) return d->error.status;
  if (bytes.n == 0 || d->closed) return AIORCH_OK;
  switch (d->mode) {
    case AIO__DECODER_SSE: return feeding_failed(d, aio__sse_feed(&d->sse, bytes, take_event, d));
    case AIO__DECODER_LINES: return feeding_failed(d, aio__ndjson_feed(&d->lines, bytes, take_line, d));
    case AIO__DECODER_SNIFF: return sniff(d, bytes);
    default: return collect(d, bytes);
  }
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static aiorch_status end_whole(aio__decoder *d) {
  aio__str body = aio__buf_view(&d->body);
  if (aio__str_starts(body, AIO__LIT("\xEF\xBB\xBF"))) body = aio__str_n(body.p + 3, body.n - 3);
  if (aio__str_trim(body).n == 0) return fail(d, AIORCH_E_TRUNCATED, "the answer is empty");
  aiorch_status st = aio__tape_read(&d->tape, body);
  if (st == AIORCH_OK) return d->codec->whole(d);
  if (st == AIORCH_E_NOMEM) return fail(d, st, "out of memory");
  if (st == AIORCH_E_TRUNCATED) return fail(d, st, "the answer ends in the middle of its JSON");
  aio__error_body shown; /* a page of something that stands between us and the service */
  if (aio__error_body_read(&d->tape, body, &d->memory, &shown)) return fail(d, AIORCH_E_NOMEM, "out of memory");
  aio__wire_say(&d->error, shown.message, d->target->key);
  char message[AIO__WIRE_MESSAGE_MAX + 1];
  memcpy(message, d->error.message, sizeof message);
  d->error.message[0] = '\0';
  aio__buf_reset(&d->scratch);
  aio__buf_fmt(&d->scratch, "the answer is not JSON as it should be; it begins: %s", message);
  return fail(d, AIORCH_E_RESPONSE, aio__buf_cstr(&d->scratch));
}

static aiorch_status end_stream(aio__decoder *d) {
  d->ending = true;
  aiorch_status st = AIORCH_OK;
  if (d->mode == AIO__DECODER_SSE) st = aio__sse_end(&d->sse, take_event, d);
  if (d->mode == AIO__DECODER_LINES) st = aio__ndjson_end(&d->lines, take_line, d);
  return feeding_failed(d, st);
}

/* Halves of characters whose other half never came. */
static aiorch_status flush(aio__decoder *d) {
  aio__codec_event event = {.kind = AIO__EVENT_TEXT, .tool = -1, .text = AIO__LIT("\xEF\xBF\xBD")};
  aiorch_status st = AIORCH_OK;
  if (d->text_half) st = give(d, &event);
  event.kind = AIO__EVENT_REASONING;
  if (st == AIORCH_OK && d->reasoning_half) st = give(d, &event);
  d->text_half = d->reasoning_half = 0;
  return st ? st : aio__dec_tool_end(d, -1);
}

aiorch_status aio__decoder_end(aio__decoder *d) {
  if (d->stopped) return d->error.status;
  if (d->mode == AIO__DECODER_ERROR) return failed_answer(d);
  bool stream = d->mode == AIO__DECODER_SSE || d->mode == AIO__DECODER_LINES;
  aiorch_status st = stream ? end_stream(d) : end_whole(d);
  if (st == AIORCH_OK && !d->terminal) return fail(d, AIORCH_E_TRUNCATED, "the stream ended without its last event");
  if (st == AIORCH_OK) st = flush(d);
  if (st == AIORCH_OK && d->result.finish_reason == AIORCH_FINISH_NONE) d->result.finish_reason = AIORCH_FINISH_STOP;
  return st;
}
