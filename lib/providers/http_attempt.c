/*
 * One attempt at a provider behind HTTP: see http_provider.h.
 *
 *   start: the call's request -> codec -> transport        (what cannot be said ends the call here: nothing was sent)
 *   step:  head -> decoder; bytes -> decoder -> text, tool calls, reasoning, warnings of the call; until the answer is whole or failed
 *   cancel: the exchange is dropped at once
 */
#include <string.h>

#include "providers/http_provider_private.h"
#include "text/json_merge.h"

enum { NS_PER_MS = 1000000, KEEP_BYTES = 1 << 10, TOOL_BYTES_MAX = 16 << 20 };

/* A tool call on its way. Texts of id, name and signature are the attempt's arena's. */
typedef struct open_tool {
  aio__str id, name, signature;
  aio__buf arguments;
  bool open;
} open_tool;

typedef struct attempt {
  aio__http_provider *provider;
  aiorch_call *call;
  aio__exchange *exchange;
  aio__arena memory;
  aio__codec_target target;
  aio__codec_sink sink;
  aio__decoder decoder;
  aio__wire_framing framing;
  aio__buf bytes, reasoning;
  open_tool *tools;       /* of AIO__TOOLS_MAX; NULL while there are none */
  bool has_head;
  int64_t head_ns, token_ns, closed_ns; /* when the head came, the last token, the last event; 0: not yet */
  size_t taken;           /* bytes of the body */
} attempt;

static int64_t ms(int64_t value) { return value * NS_PER_MS; }

static void free_attempt(attempt *a) {
  const aio__alloc *al = a->provider->al;
  a->provider->transport->drop(a->exchange);
  aio__decoder_free(&a->decoder);
  aio__buf_free(&a->bytes);
  aio__buf_free(&a->reasoning);
  for (size_t i = 0; a->tools && i < AIO__TOOLS_MAX; i++) aio__buf_free(&a->tools[i].arguments);
  aio__arena_free(&a->memory);
  aio__free(al, a);
}

/* ---- what comes out of the codec goes to the call ---- */

static aiorch_status put_warning(attempt *a, aio__str text) {
  aio__wire_error line;
  aio__wire_say(&line, text, a->target.key);
  for (size_t i = 0; i < a->target.header_count; i++) aio__wire_say_without(&line, a->target.headers[i].value);
  return aio__call_put_extra(a->call, &(aio__call_extra){.kind = AIO__EVENT_WARNING, .text = aio__str_z(line.message)});
}

static aiorch_status end_reasoning(attempt *a, aio__str signature) {
  if (a->reasoning.n == 0 && signature.n == 0) return AIORCH_OK;
  aiorch_status st = aio__call_put_extra(
      a->call,
      &(aio__call_extra){.kind = AIO__EVENT_REASONING, .text = aio__buf_view(&a->reasoning), .signature = signature});
  aio__buf_reset(&a->reasoning);
  return st;
}

static aiorch_status start_tool(attempt *a, const aio__codec_event *event) {
  if (!a->tools) {
    a->tools = aio__arena_alloc(&a->memory, AIO__TOOLS_MAX * sizeof *a->tools);
    if (!a->tools) return AIORCH_E_NOMEM;
    for (size_t i = 0; i < AIO__TOOLS_MAX; i++) aio__buf_init(&a->tools[i].arguments, a->provider->al, TOOL_BYTES_MAX);
  }
  open_tool *tool = &a->tools[event->tool];
  tool->open = true;
  tool->id = aio__arena_str(&a->memory, event->id.p ? event->id : AIO__LIT(""));
  tool->name = aio__arena_str(&a->memory, event->name.p ? event->name : AIO__LIT(""));
  return tool->id.p && tool->name.p ? AIORCH_OK : AIORCH_E_NOMEM;
}

static aiorch_status end_tool(attempt *a, int32_t number) {
  open_tool *tool = &a->tools[number];
  tool->open = false;
  aiorch_status st = aio__call_put_extra(a->call, &(aio__call_extra){.kind = AIO__EVENT_TOOL_END,
                                                                     .id = tool->id,
                                                                     .name = tool->name,
                                                                     .text = aio__buf_view(&tool->arguments),
                                                                     .signature = tool->signature});
  aio__buf_free(&tool->arguments);
  return st;
}

/* Of a tool call, or of the reasoning before it. */
static aiorch_status take_signature(attempt *a, const aio__codec_event *event) {
  bool of_tool = event->tool >= 0 && event->tool < AIO__TOOLS_MAX && a->tools && a->tools[event->tool].open;
  if (!of_tool) return end_reasoning(a, event->text);
  a->tools[event->tool].signature = aio__arena_str(&a->memory, event->text);
  return a->tools[event->tool].signature.p ? AIORCH_OK : AIORCH_E_NOMEM;
}

static aiorch_status take_event(void *ctx, const aio__codec_event *event) {
  attempt *a = ctx;
  aiorch_status st = AIORCH_OK;
  bool ends_reasoning = event->kind == AIO__EVENT_TEXT || event->kind == AIO__EVENT_TOOL_START || event->kind == AIO__EVENT_REDACTED;
  if (event->kind != AIO__EVENT_WARNING) a->token_ns = aio__clock_now(a->provider->clock);
  if (ends_reasoning) st = end_reasoning(a, AIO__LIT(""));
  if (st) return st;
  switch (event->kind) {
    case AIO__EVENT_TEXT: return aiorch_call_emit(a->call, event->text.p, event->text.n);
    case AIO__EVENT_REASONING: return aio__buf_str(&a->reasoning, event->text);
    case AIO__EVENT_SIGNATURE: return take_signature(a, event);
    case AIO__EVENT_REDACTED:
      return aio__call_put_extra(a->call, &(aio__call_extra){.kind = AIO__EVENT_REDACTED, .signature = event->text});
    case AIO__EVENT_TOOL_START: return start_tool(a, event);
    case AIO__EVENT_TOOL_ARGUMENTS: return aio__buf_str(&a->tools[event->tool].arguments, event->text);
    case AIO__EVENT_TOOL_END: return end_tool(a, event->tool);
    case AIO__EVENT_WARNING: return put_warning(a, event->text);
    case AIO__EVENT_STOP: return aio__call_put_extra(a->call, &(aio__call_extra){.kind = AIO__EVENT_STOP, .text = event->text});
    default: return AIORCH_OK;
  }
}

/* ---- the end ---- */

/* Services, and what stands before them, send back what they were sent. */
static bool is_secret(const attempt *a, aio__str text) {
  if (aio__wire_shows(text, a->target.key)) return true;
  for (size_t i = 0; i < a->target.header_count; i++) {
    if (aio__wire_shows(text, a->target.headers[i].value)) return true;
  }
  return false;
}

static void put_request_id(const attempt *a, const char *id) {
  if (id[0] && !is_secret(a, aio__str_z(id))) aiorch_call_put_request_id(a->call, id, strlen(id));
}

static void put_facts(const attempt *a) {
  const aio__codec_result *r = &a->decoder.result;
  if (!a->decoder.terminal) aio__call_put_usage_partial(a->call);
  for (int i = 0; i < AIORCH_USAGE_COUNT && r->has_usage; i++) {
    int64_t tokens = r->usage.n[i];
    if (tokens > 0) aiorch_call_put_usage(a->call, i, tokens);
  }
  if (r->model[0] && !is_secret(a, aio__str_z(r->model))) aiorch_call_put_model(a->call, r->model, strlen(r->model));
  put_request_id(a, r->request_id);
}

/* The exchange goes before the call is finished: whoever waits for the end finds nothing of ours. */
static void finish(attempt *a, aiorch_status status) {
  aiorch_call *call = a->call;
  put_facts(a);
  free_attempt(a);
  aiorch_call_finish(call, status);
}

static void finish_failed(attempt *a, aio__wire_error *error) {
  aiorch_status status = error->status < 0 ? error->status : AIORCH_E_RESPONSE;
  for (size_t i = 0; i < a->target.header_count; i++) aio__wire_say_without(error, a->target.headers[i].value);
  aiorch_call_put_error(a->call, error->message, strlen(error->message), error->http_status, error->retry_after_ms);
  aio__call_put_retry(a->call, error->should_retry, error->not_today);
  aio__call_put_sent(a->call, a->exchange && a->provider->transport->sent(a->exchange));
  if (!a->decoder.result.request_id[0]) put_request_id(a, error->request_id);
  finish(a, status);
}

/* The decoder has the last word, on what came. */
static void finish_decoded(attempt *a) {
  aiorch_status st = aio__decoder_end(&a->decoder);
  if (st == AIORCH_OK) st = end_reasoning(a, AIO__LIT(""));
  if (st) {
    if (a->decoder.error.status == AIORCH_OK) a->decoder.error.status = st;
    finish_failed(a, &a->decoder.error);
    return;
  }
  aio__call_put_sent(a->call, true);
  aiorch_call_put_finish_reason(a->call, a->decoder.result.finish_reason);
  finish(a, AIORCH_OK);
}

static void finish_late(attempt *a, const char *what, int64_t limit_ms) {
  aio__wire_error error = {.status = AIORCH_E_NETWORK, .http_status = a->decoder.error.http_status, .retry_after_ms = -1, .should_retry = -1};
  aio__buf words;
  aio__buf_init(&words, a->provider->al, AIO__WIRE_MESSAGE_MAX);
  aio__buf_fmt(&words, "%s within %lld ms", what, (long long)limit_ms);
  aio__wire_say(&error, aio__buf_view(&words), a->target.key);
  aio__buf_free(&words);
  finish_failed(a, &error);
}

/* The connection failed. What it says itself counts, but for an answer that is whole, or has said already how it failed. */
static void finish_broken(attempt *a, aio__wire_error *error) {
  if (a->has_head && (a->decoder.terminal || a->decoder.mode == AIO__DECODER_ERROR)) {
    finish_decoded(a);
    return;
  }
  if (a->has_head && error->http_status == 0) error->http_status = a->decoder.error.http_status;
  finish_failed(a, error);
}

/* ---- time ---- */

/* True when a limit has passed, and the call was ended. Pings are no tokens. */
static bool judge_time(attempt *a) {
  const aio__provider_settings *s = aio__http_provider_settings(a->provider);
  int64_t now = aio__clock_now(a->provider->clock), until;
  if (!a->has_head) return false; /* the transport watches */
  if (a->closed_ns) {
    until = a->closed_ns + ms(AIO__HTTP_PROVIDER_LINGER_MS);
  } else if (a->token_ns || a->decoder.mode == AIO__DECODER_ERROR) {
    until = (a->token_ns ? a->token_ns : a->head_ns) + ms(s->idle_ms);
  } else {
    until = a->head_ns + ms(s->first_token_ms);
  }
  if (now < until) {
    aio__call_wake_at(a->call, until);
    return false;
  }
  if (a->decoder.terminal || a->decoder.mode == AIO__DECODER_ERROR) finish_decoded(a);
  else if (a->token_ns) finish_late(a, "no further token came", s->idle_ms);
  else finish_late(a, "no token came", s->first_token_ms);
  return true;
}

/* ---- the step ---- */

static void take_head(attempt *a) {
  const aio__wire_reply *reply = a->has_head ? NULL : a->provider->transport->head(a->exchange);
  if (!reply) return;
  a->has_head = true;
  a->head_ns = aio__clock_now(a->provider->clock);
  aio__decoder_head(&a->decoder, reply, a->framing);
}

/* False when the call was ended. */
static bool take_bytes(attempt *a) {
  aio__buf_reset(&a->bytes);
  aiorch_status st = a->provider->transport->take(a->exchange, &a->bytes);
  take_head(a); /* it may have come since it was looked for, and these bytes with it */
  if (st == AIORCH_OK && a->has_head && a->bytes.n > 0) {
    a->taken += a->bytes.n;
    st = aio__decoder_feed(&a->decoder, aio__buf_view(&a->bytes));
  }
  if (a->bytes.cap > KEEP_BYTES) aio__buf_free(&a->bytes);
  if (st == AIORCH_OK) {
    if (a->decoder.closed && !a->closed_ns) a->closed_ns = aio__clock_now(a->provider->clock);
    return true;
  }
  if (a->decoder.error.status == AIORCH_OK) a->decoder.error.status = st;
  finish_failed(a, &a->decoder.error);
  return false;
}

static void step(void *ctx, aiorch_call *call) {
  attempt *a = ctx;
  (void)call;
  aio__wire_error error = {.retry_after_ms = -1, .should_retry = -1};
  take_head(a);
  if (!take_bytes(a)) return;
  aiorch_status st = a->provider->transport->state(a->exchange, &error);
  if (st == AIORCH_OK) {
    take_head(a);
    if (take_bytes(a)) finish_decoded(a);
  } else if (st < 0) {
    if (error.status == AIORCH_OK) error.status = st;
    finish_broken(a, &error);
  } else if (a->decoder.mode == AIO__DECODER_ERROR && a->taken >= AIO__CODEC_ERROR_BODY_MAX) {
    finish_decoded(a);
  } else {
    aio__call_put_sent(a->call, a->provider->transport->sent(a->exchange));
    (void)judge_time(a);
  }
}

/* ---- the start ---- */

static bool is_result(const aio__call_message *m) { return m->role == AIORCH_ROLE_TOOL && m->parts; }

/* Results that follow one another answer one turn's calls: one turn, too. Services want them together, before what else comes with them. */
static size_t join_results(attempt *a, const aio__call_request *from, size_t at, aio__turn *out) {
  size_t end = at + 1, count = from->messages[at].part_count, n = 0;
  for (; end < from->message_count && is_result(&from->messages[end]); end++) count += from->messages[end].part_count;
  if (end == at + 1) {
    *out = (aio__turn){AIORCH_ROLE_TOOL, from->messages[at].parts, count};
    return 1;
  }
  aio__part *parts = aio__arena_alloc(&a->memory, count * sizeof *parts);
  if (!parts) return 0;
  for (size_t i = at; i < end; i++) {
    const aio__call_message *m = &from->messages[i];
    for (size_t k = 0; k < m->part_count; k++) parts[n++] = m->parts[k];
  }
  *out = (aio__turn){AIORCH_ROLE_TOOL, parts, n};
  return end - at;
}

/* What the run asks for, as the codec wants it. A turn that is plain text is one part. */
static aiorch_status make_turns(attempt *a, const aio__call_request *from, aio__codec_request *to) {
  aio__turn *turns = aio__arena_alloc(&a->memory, (from->message_count + 1) * sizeof *turns);
  aio__part *texts = aio__arena_alloc(&a->memory, (from->message_count + 1) * sizeof *texts);
  if (!turns || !texts) return AIORCH_E_NOMEM;
  uint32_t calls = 0;
  size_t count = 0;
  for (size_t i = 0, taken = 1; i < from->message_count; i += taken, count++) {
    const aio__call_message *m = &from->messages[i];
    taken = 1;
    if (is_result(m)) {
      taken = join_results(a, from, i, &turns[count]);
      if (taken == 0) return AIORCH_E_NOMEM;
      continue;
    }
    texts[i] = (aio__part){.kind = AIO__PART_TEXT, .text = m->text};
    turns[count] = m->parts ? (aio__turn){m->role, m->parts, m->part_count} : (aio__turn){m->role, &texts[i], 1};
    for (size_t k = 0; k < m->part_count; k++) calls += m->parts[k].kind == AIO__PART_TOOL_CALL ? 1 : 0;
  }
  a->target.calls_before = calls;
  to->turns = turns;
  to->turn_count = count;
  return AIORCH_OK;
}

/* The provider's options with the run's own laid over them, in `merged` where there are both. */
static aiorch_status merge_options(const attempt *a, aio__str of_run, aio__buf *merged, aio__str *out, aiorch_error *error) {
  aio__str own = a->provider->options;
  *out = own.n == 0 ? of_run : own;
  if (own.n == 0 || of_run.n == 0) return AIORCH_OK;
  aiorch_status st = aio__buf_str(merged, own);
  if (st) return aio__error_set(error, st, "out of memory for the options of the provider");
  st = aio__json_merge(merged, of_run, "provider_options", error);
  *out = aio__buf_view(merged);
  return st;
}

static aiorch_status encode(attempt *a, aio__wire_request *wire, aiorch_error *error) {
  const aio__http_provider *p = a->provider;
  const aio__call_request *from = aio__call_request_of(a->call);
  aio__codec_request request = {
      .model = from->model,
      .system = from->system,
      .wishes = from->wishes,
      .temperature = from->temperature,
      .max_tokens = from->max_tokens,
      .stream = aio__http_provider_settings(p)->stream != 0,
  };
  aio__buf merged;
  aio__buf_init(&merged, p->al, 2 * AIO__MERGE_BYTES_MAX);
  aiorch_status st = make_turns(a, from, &request);
  if (st) aio__error_set(error, st, "out of memory for the request");
  if (st == AIORCH_OK) st = merge_options(a, from->provider_options, &merged, &request.provider_options, error);
  if (st == AIORCH_OK) st = aio__codec_encode(p->codec, &request, &a->target, &a->sink, wire, error);
  aio__buf_free(&merged);
  return st;
}

static aiorch_status send(attempt *a, aiorch_error *error) {
  const aio__http_provider *p = a->provider;
  const aio__provider_settings *s = aio__http_provider_settings(p);
  aio__wire_request wire;
  aio__wire_request_init(&wire, p->al);
  aiorch_status st = encode(a, &wire, error);
  if (st == AIORCH_OK) {
    bool whole = wire.framing == AIO__WIRE_WHOLE; /* its head comes when all of it was thought */
    aio__exchange_limits limits = {.deadline_ns = aio__call_deadline(a->call),
                                   .company = aio__call_request_of(a->call)->company,
                                   .connect_ms = s->connect_ms,
                                   .first_byte_ms = s->first_byte_ms + (whole ? s->first_token_ms : 0),
                                   .idle_ms = s->idle_ms > s->first_token_ms ? s->idle_ms : s->first_token_ms,
                                   .response_max = p->response_max,
                                   .buffer_max = AIO__EXCHANGE_BUFFER_MAX};
    a->framing = wire.framing;
    st = p->transport->start(p->transport, &wire, &limits, aio__call_waker(a->call), &a->exchange, error);
  }
  aio__wire_request_free(&wire);
  return st;
}

static attempt *make_attempt(aio__http_provider *p, aiorch_call *call) {
  attempt *a = aio__calloc(p->al, 1, sizeof *a);
  if (!a) return NULL;
  uint32_t endpoint = aio__call_request_of(call)->endpoint;
  const aio__http_endpoint *e = &p->endpoints[endpoint < p->endpoint_count ? endpoint : 0];
  const aio__provider_settings *s = aio__http_provider_settings(p);
  a->provider = p;
  a->call = call;
  a->sink = (aio__codec_sink){a, take_event};
  a->target = (aio__codec_target){.base_url = e->base_url,
                                  .key = e->key,
                                  .server = e->server,
                                  .version = aio__str_z(s->version),
                                  .bearer = s->bearer != 0,
                                  .refuse = p->refuse,
                                  .headers = p->headers,
                                  .header_count = p->header_count};
  aio__arena_init(&a->memory, p->al, 256);
  aio__buf_init(&a->bytes, p->al, p->response_max); /* where a transfer does not pause, all of it may wait */
  aio__buf_init(&a->reasoning, p->al, AIO__CALL_EXTRAS_BYTES_MAX);
  aio__decoder_init(&a->decoder, p->codec, &a->target, &a->sink, p->al);
  return a;
}

aiorch_status aio__http_attempt_start(void *self, aiorch_call *call) {
  attempt *a = make_attempt(self, call);
  aiorch_error error;
  aio__error_init(&error);
  aio__call_put_sent(call, false);
  if (!a) return AIORCH_E_NOMEM;
  aiorch_status st = send(a, &error);
  if (st) {
    aio__wire_error why = {.status = st, .retry_after_ms = -1, .should_retry = -1};
    aio__wire_say(&why, aio__str_z(error.message), a->target.key);
    finish_failed(a, &why);
    return AIORCH_SLOT_OK;
  }
  aio__call_set_step(call, step, a);
  return AIORCH_SLOT_PENDING;
}

void aio__http_attempt_cancel(void *self, aiorch_call *call) {
  attempt *a = aio__call_step_ctx(call);
  (void)self;
  if (a) finish(a, AIORCH_E_CANCELLED);
}
