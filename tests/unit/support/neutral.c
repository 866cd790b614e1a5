/* See neutral.h. */
#include "support/neutral.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static aio__tape_value get(const neutral *n, aio__tape_value object, const char *key) {
  return aio__tape_member(&n->tape, object, key, strlen(key));
}

static aio__str text_of(neutral *n, aio__tape_value value) {
  aio__buf scratch;
  aio__str text;
  aio__buf_init(&scratch, aio__alloc_default(), 64 << 20);
  if (aio__tape_str(&n->tape, value, NULL, &scratch, &text)) abort();
  if (text.n > 0) text = aio__arena_str(&n->memory, text);
  aio__buf_free(&scratch);
  return text;
}

static aio__str text_at(neutral *n, aio__tape_value object, const char *key) {
  return text_of(n, get(n, object, key));
}

/* A member that is JSON itself; a string stands for what it says, so that a test can pass what is no JSON. */
static aio__str json_at(neutral *n, aio__tape_value object, const char *key) {
  aio__tape_value value = get(n, object, key);
  return aio__tape_typeof(&n->tape, value) == AIO__JSON_STRING ? text_of(n, value) : aio__tape_raw(&n->tape, value);
}

static bool true_at(const neutral *n, aio__tape_value object, const char *key) {
  return aio__tape_true(&n->tape, get(n, object, key));
}

static int index_of(const char *const *names, aio__str name) {
  for (int i = 0; names[i]; i++) {
    if (aio__str_eqz(name, names[i])) return i;
  }
  return -1;
}

static aio__part read_part(neutral *n, aio__tape_value v) {
  static const char *const kinds[] = {"text", "image", "image_url", "tool_call", "tool_result", "reasoning", NULL};
  int kind = index_of(kinds, text_at(n, v, "kind"));
  return (aio__part){.kind = (aio__part_kind)(kind < 0 ? 99 : kind),
                     .text = text_at(n, v, "text"),
                     .media_type = text_at(n, v, "media_type"),
                     .id = text_at(n, v, "id"),
                     .name = text_at(n, v, "name"),
                     .signature = text_at(n, v, "signature"),
                     .redacted = true_at(n, v, "redacted"),
                     .is_error = true_at(n, v, "is_error"),
                     .cache = true_at(n, v, "cache")};
}

static aio__turn read_turn(neutral *n, aio__tape_value v) {
  static const char *const roles[] = {"", "system", "user", "assistant", "tool", NULL};
  aio__tape_value list = get(n, v, "parts");
  aio__turn turn = {.role = index_of(roles, text_at(n, v, "role")), .part_count = aio__tape_size(&n->tape, list)};
  if (list == AIO__TAPE_NONE) turn.part_count = 1;
  aio__part *parts = aio__arena_alloc(&n->memory, (turn.part_count + 1) * sizeof *parts);
  if (list == AIO__TAPE_NONE) parts[0] = (aio__part){.kind = AIO__PART_TEXT, .text = text_at(n, v, "text")};
  size_t i = 0;
  for (aio__tape_value p = aio__tape_first(&n->tape, list); p != AIO__TAPE_NONE; p = aio__tape_next(&n->tape, list, p)) {
    parts[i++] = read_part(n, p);
  }
  turn.parts = parts;
  return turn;
}

static void read_lists(neutral *n, aio__tape_value v) {
  aio__codec_request *r = &n->request;
  aio__tape_value turns = get(n, v, "turns"), tools = get(n, v, "tools"), stops = get(n, v, "stops");
  r->turn_count = aio__tape_size(&n->tape, turns);
  r->wishes.tool_count = aio__tape_size(&n->tape, tools);
  r->wishes.stop_count = aio__tape_size(&n->tape, stops);
  aio__turn *turn = aio__arena_alloc(&n->memory, (r->turn_count + 1) * sizeof *turn);
  aio__tool *tool = aio__arena_alloc(&n->memory, (r->wishes.tool_count + 1) * sizeof *tool);
  aio__str *stop = aio__arena_alloc(&n->memory, (r->wishes.stop_count + 1) * sizeof *stop);
  r->turns = turn;
  r->wishes.tools = tool;
  r->wishes.stops = stop;
  for (aio__tape_value t = aio__tape_first(&n->tape, turns); t != AIO__TAPE_NONE; t = aio__tape_next(&n->tape, turns, t)) {
    *turn++ = read_turn(n, t);
  }
  for (aio__tape_value t = aio__tape_first(&n->tape, tools); t != AIO__TAPE_NONE; t = aio__tape_next(&n->tape, tools, t)) {
    *tool++ = (aio__tool){.name = text_at(n, t, "name"),
                          .description = text_at(n, t, "description"),
                          .schema = json_at(n, t, "schema"),
                          .cache = true_at(n, t, "cache")};
  }
  for (aio__tape_value t = aio__tape_first(&n->tape, stops); t != AIO__TAPE_NONE; t = aio__tape_next(&n->tape, stops, t)) {
    *stop++ = text_of(n, t);
  }
}

static void read_request(neutral *n, aio__tape_value v) {
  static const char *const choices[] = {"", "auto", "none", "any", "one", NULL};
  static const char *const efforts[] = {"", "none", "minimal", "low", "medium", "high", "xhigh", "max", NULL};
  aio__codec_request *r = &n->request;
  float temperature = -1;
  (void)aio__tape_f32(&n->tape, get(n, v, "temperature"), &temperature);
  (void)aio__tape_i64(&n->tape, get(n, v, "max_tokens"), &r->max_tokens);
  r->model = text_at(n, v, "model");
  r->system = text_at(n, v, "system");
  r->wishes.cache_system = true_at(n, v, "cache_system");
  r->wishes.cache_long = true_at(n, v, "cache_long");
  int choice = index_of(choices, text_at(n, v, "tool_choice")), effort = index_of(efforts, text_at(n, v, "effort"));
  r->wishes.tool_choice = (aio__tool_choice)(choice < 0 ? 0 : choice);
  r->wishes.tool_name = text_at(n, v, "tool_name");
  r->wishes.one_tool_at_a_time = true_at(n, v, "one_tool_at_a_time");
  r->wishes.schema = json_at(n, v, "schema");
  r->wishes.schema_name = text_at(n, v, "schema_name");
  r->temperature = (double)temperature; /* tests use values that a float has */
  r->wishes.effort = (aio__effort)(effort < 0 ? 0 : effort);
  r->stream = true_at(n, v, "stream");
  r->provider_options = json_at(n, v, "provider_options");
  read_lists(n, v);
}

static void read_target(neutral *n, aio__tape_value v) {
  aio__codec_target *t = &n->target;
  t->base_url = text_at(n, v, "base_url");
  t->key = text_at(n, v, "key");
  t->server = text_at(n, v, "server");
  t->version = text_at(n, v, "version");
  t->bearer = true_at(n, v, "bearer");
  t->refuse = true_at(n, v, "refuse");
  aio__tape_value headers = get(n, v, "headers");
  aio__wire_header *h = aio__arena_alloc(&n->memory, (aio__tape_size(&n->tape, headers) + 1) * sizeof *h);
  t->headers = h;
  for (aio__tape_value m = aio__tape_first(&n->tape, headers); m != AIO__TAPE_NONE; m = aio__tape_next(&n->tape, headers, m)) {
    h[t->header_count++] = (aio__wire_header){.name = aio__tape_name(&n->tape, m), .value = text_of(n, m)};
  }
}

bool neutral_read_any(neutral *n, aio__str json) {
  memset(n, 0, sizeof *n);
  aio__arena_init(&n->memory, aio__alloc_default(), 4096);
  aio__tape_init(&n->tape, aio__alloc_default());
  if (aio__tape_read(&n->tape, json)) {
    fprintf(stderr, "neutral: no JSON at byte %zu\n", n->tape.fault);
    return false;
  }
  n->codec = aio__codec_find(text_at(n, AIO__TAPE_ROOT, "codec"));
  read_request(n, get(n, AIO__TAPE_ROOT, "request"));
  read_target(n, get(n, AIO__TAPE_ROOT, "target"));
  return true;
}

bool neutral_read(neutral *n, aio__str json) {
  if (!neutral_read_any(n, json)) return false;
  if (!n->codec) fprintf(stderr, "neutral: no such codec\n");
  return n->codec != NULL;
}

void neutral_free(neutral *n) {
  aio__arena_free(&n->memory);
  aio__tape_free(&n->tape);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

void neutral_write_request(aio__json_writer *w, const aio__wire_request *wire) {
  static const char *const framings[] = {"whole", "sse", "lines"};
  aio__jw_object(w);
  aio__jw_kz(w, "method", wire->method);
  aio__jw_kstr(w, "url", aio__buf_view(&wire->url));
  aio__jw_key(w, "headers");
  aio__jw_object(w);
  for (size_t i = 0; i < wire->header_count; i++) {
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)wire->headers[i].name.n, wire->headers[i].name.p);
    aio__jw_kstr(w, name, wire->headers[i].value);
  }
  aio__jw_object_end(w);
  aio__jw_kz(w, "framing", framings[wire->framing]);
  aio__jw_key(w, "body");
  aio__jw_raw(w, aio__buf_view(&wire->body));
  aio__jw_object_end(w);
}

/* ---- the collector ----------------------------------------------------------------------------------------------- */

static aiorch_status collect(void *ctx, const aio__codec_event *event) {
  collector *c = ctx;
  c->events++;
  if (c->fail_at && c->events >= c->fail_at) return c->fail_with;
  const aio__str texts[] = {event->text, event->id, event->name};
  for (size_t i = 0; i < 3; i++) {
    if (texts[i].n == 0) continue;
    if (aio__utf8_check(texts[i], NULL) < texts[i].n || memchr(texts[i].p, '\0', texts[i].n)) c->bad = true;
  }
  bool of_tool = event->kind >= AIO__EVENT_TOOL_START && event->kind <= AIO__EVENT_TOOL_END;
  size_t tool = event->tool < 0 ? 0 : (size_t)event->tool;
  if (of_tool && (event->tool < 0 || tool != (event->kind == AIO__EVENT_TOOL_START ? c->tool_count : tool))) c->bad = true;
  if (event->kind == AIO__EVENT_TOOL_START) c->tool_count++;
  if (of_tool && tool >= c->tool_count) c->bad = true;
  if (event->kind == AIO__EVENT_TOOL_END) c->tools_ended++;
  if ((of_tool || event->tool >= 0) && tool >= 8) return AIORCH_OK; /* counted, not kept */
  switch (event->kind) {
    case AIO__EVENT_TEXT: return aio__buf_str(&c->text, event->text);
    case AIO__EVENT_REASONING: return aio__buf_str(&c->reasoning, event->text);
    case AIO__EVENT_REDACTED:
    case AIO__EVENT_SIGNATURE: return aio__buf_str(event->tool < 0 ? &c->signature : &c->tools[tool][3], event->text);
    case AIO__EVENT_TOOL_START:
      aio__buf_str(&c->tools[tool][0], event->id);
      return aio__buf_str(&c->tools[tool][1], event->name);
    case AIO__EVENT_TOOL_ARGUMENTS: return aio__buf_str(&c->tools[tool][2], event->text);
    case AIO__EVENT_TOOL_END: return AIORCH_OK;
    case AIO__EVENT_STOP: return aio__buf_str(&c->stop, event->text);
    case AIO__EVENT_WARNING:
      aio__buf_str(&c->warnings, event->text);
      return aio__buf_char(&c->warnings, '\n');
  }
  return AIORCH_OK;
}

void collector_init(collector *c) {
  memset(c, 0, sizeof *c);
  c->sink = (aio__codec_sink){.ctx = c, .take = collect};
  aio__buf *all[] = {&c->text, &c->reasoning, &c->signature, &c->warnings, &c->stop};
  for (size_t i = 0; i < 5; i++) aio__buf_init(all[i], aio__alloc_default(), 64 << 20);
  for (size_t i = 0; i < 32; i++) aio__buf_init(&c->tools[i / 4][i % 4], aio__alloc_default(), 64 << 20);
}

void collector_free(collector *c) {
  aio__buf *all[] = {&c->text, &c->reasoning, &c->signature, &c->warnings, &c->stop};
  for (size_t i = 0; i < 5; i++) aio__buf_free(all[i]);
  for (size_t i = 0; i < 32; i++) aio__buf_free(&c->tools[i / 4][i % 4]);
}

static void write_lists(aio__json_writer *w, const collector *c) {
  static const char *const names[] = {"id", "name", "arguments", "signature"};
  aio__jw_key(w, "tools");
  aio__jw_array(w);
  for (size_t i = 0; i < c->tool_count && i < 8; i++) {
    aio__jw_object(w);
    for (size_t k = 0; k < 4; k++) aio__jw_kstr(w, names[k], aio__buf_view(&c->tools[i][k]));
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
  aio__jw_key(w, "warnings");
  aio__jw_array(w);
  aio__str rest = aio__buf_view(&c->warnings);
  while (rest.n > 0) {
    size_t n = (size_t)((const char *)memchr(rest.p, '\n', rest.n) - rest.p);
    aio__jw_str(w, aio__str_n(rest.p, n));
    rest = aio__str_n(rest.p + n + 1, rest.n - n - 1);
  }
  aio__jw_array_end(w);
}

static void write_cost(aio__json_writer *w, const aio__decoder *d, const aio__prices *prices) {
  static const int64_t when_ms = INT64_C(1795435200000); /* 2026-11-23 12:00 UTC */
  int64_t cost = 0;
  aio__str model = aio__str_z(d->result.model), provider = aio__str_z(d->codec->name);
  bool known = d->result.has_usage && aio__prices_cost(prices, provider, model, &d->result.usage, when_ms, &cost);
  if (known) aio__jw_ki64(w, "cost_nano_usd", cost);
  else aio__jw_knull(w, "cost_nano_usd");
}

void collector_write(aio__json_writer *w, const collector *c, const aio__decoder *d, aiorch_status status, const aio__prices *prices) {
  aio__jw_object(w);
  aio__jw_kz(w, "status", aiorch_status_name(status));
  aio__jw_kstr(w, "text", aio__buf_view(&c->text));
  aio__jw_kstr(w, "reasoning", aio__buf_view(&c->reasoning));
  aio__jw_kstr(w, "signature", aio__buf_view(&c->signature));
  write_lists(w, c);
  aio__jw_kz(w, "finish", aiorch_finish_reason_name(d->result.finish_reason));
  aio__jw_key(w, "usage");
  if (!d->result.has_usage) aio__jw_null(w);
  else aio__jw_object(w);
  for (int i = 0; i < AIORCH_USAGE_COUNT && d->result.has_usage; i++) aio__jw_ki64(w, aio__usage_name(i), d->result.usage.n[i]);
  if (d->result.has_usage) aio__jw_object_end(w);
  aio__jw_kz(w, "model", d->result.model);
  aio__jw_kz(w, "request_id", d->result.request_id);
  if (prices) write_cost(w, d, prices);
  if (status) {
    aio__jw_key(w, "error");
    aio__jw_object(w);
    aio__jw_ki64(w, "http_status", d->error.http_status);
    aio__jw_ki64(w, "retry_after_ms", d->error.retry_after_ms);
    aio__jw_ki64(w, "should_retry", d->error.should_retry);
    aio__jw_kbool(w, "not_today", d->error.not_today);
    aio__jw_kz(w, "message", d->error.message);
    aio__jw_object_end(w);
  }
  aio__jw_object_end(w);
}

aiorch_status neutral_decode(aio__decoder *d, const aio__wire_reply *reply, aio__wire_framing asked, aio__str body, size_t step) {
  aio__decoder_head(d, reply, asked);
  aiorch_status st = AIORCH_OK;
  size_t pos = 0;
  while (pos < body.n && st == AIORCH_OK) {
    size_t n = step == 0 || step > body.n - pos ? body.n - pos : step;
    char *piece = malloc(n); /* its end is the end of what may be read */
    if (!piece) abort();
    memcpy(piece, body.p + pos, n);
    st = aio__decoder_feed(d, aio__str_n(piece, n));
    free(piece);
    pos += n;
  }
  return st ? st : aio__decoder_end(d);
}
