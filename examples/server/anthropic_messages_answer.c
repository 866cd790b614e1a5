/*
 * See anthropic_messages.h. From a run to what Anthropic's clients read: one message, or the events message_start, blocks with their
 * deltas, message_delta, message_stop. What the library says beyond their language stands in the member `aiorch`.
 */
#include "anthropic_messages.h"

#include <inttypes.h>
#include <string.h>

/* The sequence that ended it; NULL when none did, or nobody said which. */
static const char *sequence_of(const aiorch_run *run) {
  const char *sequence = "";
  aiorch_run_stop_sequence(run, &sequence, NULL);
  return *sequence ? sequence : NULL;
}

static const char *stop_of(const aiorch_run *run) {
  switch (aiorch_run_finish_reason(run)) {
    case AIORCH_FINISH_LENGTH: return "max_tokens";
    case AIORCH_FINISH_TOOL_CALLS: return "tool_use";
    case AIORCH_FINISH_CONTENT_FILTER:
    case AIORCH_FINISH_REFUSAL: return "refusal";
    default: return sequence_of(run) ? "stop_sequence" : "end_turn";
  }
}

/* "msg_" and the run's id without its dashes; the model that writes, or what was asked for. */
static void put_names(const exchange *x, json_print *p) {
  const wire_state *state = x->state;
  const char *id = "", *model = "";
  size_t len = 0, model_len = 0;
  char text[64] = "msg_";
  size_t used = strlen(text);
  aiorch_run_id(x->run, &id, &len);
  aiorch_run_model(x->run, &model, &model_len);
  for (size_t i = 0; i < len && used + 1 < sizeof text; i++) {
    if (id[i] != '-') text[used++] = id[i];
  }
  jp_key(p, "id");
  jp_str(p, text, used);
  jp_kz(p, "type", "message");
  jp_kz(p, "role", "assistant");
  jp_key(p, "model");
  if (model_len) {
    jp_str(p, model, model_len);
  } else {
    jp_z(p, state->model);
  }
}

/* Anthropic's input_tokens are those that no cache had a part in. */
static void put_usage(const aiorch_run *run, json_print *p) {
  int64_t write = aiorch_run_usage(run, AIORCH_USAGE_CACHE_WRITE), hour = aiorch_run_usage(run, AIORCH_USAGE_CACHE_WRITE_1H);
  jp_key(p, "usage");
  jp_open(p, '{');
  jp_ki64(p, "input_tokens", aiorch_run_usage(run, AIORCH_USAGE_INPUT));
  jp_ki64(p, "cache_creation_input_tokens", write);
  jp_ki64(p, "cache_read_input_tokens", aiorch_run_usage(run, AIORCH_USAGE_CACHE_READ));
  jp_ki64(p, "output_tokens", aiorch_run_usage(run, AIORCH_USAGE_OUTPUT) + aiorch_run_usage(run, AIORCH_USAGE_REASONING));
  jp_key(p, "cache_creation");
  jp_open(p, '{');
  jp_ki64(p, "ephemeral_5m_input_tokens", write > hour ? write - hour : 0);
  jp_ki64(p, "ephemeral_1h_input_tokens", hour);
  jp_close(p, '}');
  jp_key(p, "output_tokens_details"); /* part of output_tokens */
  jp_open(p, '{');
  jp_ki64(p, "thinking_tokens", aiorch_run_usage(run, AIORCH_USAGE_REASONING));
  jp_close(p, '}');
  jp_close(p, '}');
}

static void put_own(const exchange *x, json_print *p) {
  jp_key(p, "aiorch");
  jp_open(p, '{');
  exchange_aiorch_members(x, p);
  jp_close(p, '}');
}

/* ---- whole ---- */

static void put_text_block(json_print *p, const char *text, size_t len) {
  jp_open(p, '{');
  jp_kz(p, "type", "text");
  jp_key(p, "text");
  jp_str(p, text, len);
  jp_close(p, '}');
}

/* A thought that the provider keeps to itself has no text, and goes back as it came. */
static void put_thought_block(const aiorch_run *run, size_t index, json_print *p) {
  const char *text = "", *signature = "";
  size_t len = 0, signature_len = 0;
  aiorch_run_reasoning(run, index, &text, &len, &signature, &signature_len);
  jp_open(p, '{');
  jp_kz(p, "type", len ? "thinking" : "redacted_thinking");
  if (len) {
    jp_key(p, "thinking");
    jp_str(p, text, len);
  }
  jp_key(p, len ? "signature" : "data");
  jp_str(p, signature, signature_len);
  jp_close(p, '}');
}

/* `whole`: with the input; else with an empty one, which events fill. */
static void put_call_block(const aiorch_run *run, size_t index, bool whole, json_print *p) {
  const char *id = "", *name = "", *arguments = "{}", *signature = "";
  size_t len = 2, signature_len = 0;
  aiorch_run_tool_call(run, index, &id, &name, &arguments, &len);
  aiorch_run_tool_call_signature(run, index, &signature, &signature_len);
  jp_open(p, '{');
  jp_kz(p, "type", "tool_use");
  jp_kz(p, "id", id);
  jp_kz(p, "name", name);
  jp_key(p, "input");
  exchange_arguments(p, whole && len ? arguments : "{}", whole && len ? len : 2);
  if (signature_len) {
    jp_key(p, "signature");
    jp_str(p, signature, signature_len);
  }
  jp_close(p, '}');
}

static void put_content(const aiorch_run *run, json_print *p) {
  const char *answer = "";
  size_t len = 0, thoughts = aiorch_run_reasoning_count(run), calls = aiorch_run_tool_call_count(run);
  aiorch_run_answer(run, &answer, &len);
  jp_key(p, "content");
  jp_open(p, '[');
  for (size_t i = 0; i < thoughts; i++) put_thought_block(run, i, p);
  if (len) put_text_block(p, answer, len);
  for (size_t i = 0; i < calls; i++) put_call_block(run, i, true, p);
  jp_close(p, ']');
}

void anthropic_messages_whole(exchange *x) {
  json_print p = {.out = x->out};
  (void)wire_state_of(x);
  jp_open(&p, '{');
  put_names(x, &p);
  put_content(x->run, &p);
  jp_kz(&p, "stop_reason", stop_of(x->run));
  jp_kz(&p, "stop_sequence", sequence_of(x->run));
  put_usage(x->run, &p);
  put_own(x, &p);
  jp_close(&p, '}');
  x->out = p.out;
}

/* ---- streamed ---- */

/* An event from its head to behind its type. */
static json_print event_open(exchange *x, const char *name) {
  json_print p = {.out = x->out};
  cli_addz(&p.out, "event: ");
  cli_addz(&p.out, name);
  cli_addz(&p.out, "\ndata: ");
  jp_open(&p, '{');
  jp_kz(&p, "type", name);
  return p;
}

static void event_close(exchange *x, json_print *p) {
  jp_close(p, '}');
  cli_addz(&p->out, "\n\n");
  x->out = p->out;
}

static void begin_stream(exchange *x) {
  wire_state *state = wire_state_of(x);
  if (state->head.len) return;
  cli_addc(&state->head, '.'); /* it has begun */
  json_print p = event_open(x, "message_start");
  jp_key(&p, "message");
  jp_open(&p, '{');
  put_names(x, &p);
  jp_key(&p, "content");
  jp_open(&p, '[');
  jp_close(&p, ']');
  jp_kz(&p, "stop_reason", NULL);
  jp_kz(&p, "stop_sequence", NULL);
  put_usage(x->run, &p);
  jp_close(&p, '}');
  event_close(x, &p);
}

static void end_block(exchange *x) {
  wire_state *state = wire_state_of(x);
  if (!state->block_open) return;
  json_print p = event_open(x, "content_block_stop");
  jp_ki64(&p, "index", state->block++);
  event_close(x, &p);
  state->block_open = false;
}

/* Up to the block itself. */
static json_print open_block(exchange *x) {
  wire_state *state = wire_state_of(x);
  begin_stream(x);
  end_block(x);
  state->block_open = true;
  json_print p = event_open(x, "content_block_start");
  jp_ki64(&p, "index", state->block);
  jp_key(&p, "content_block");
  return p;
}

static void put_delta(exchange *x, const char *type, const char *member, const char *text, size_t len) {
  json_print p = event_open(x, "content_block_delta");
  jp_ki64(&p, "index", wire_state_of(x)->block);
  jp_key(&p, "delta");
  jp_open(&p, '{');
  jp_kz(&p, "type", type);
  jp_key(&p, member);
  jp_str(&p, text, len);
  jp_close(&p, '}');
  event_close(x, &p);
}

static void put_text(exchange *x, const char *text, size_t len) {
  if (!wire_state_of(x)->block_open) {
    json_print p = open_block(x);
    put_text_block(&p, "", 0);
    event_close(x, &p);
  }
  put_delta(x, "text_delta", "text", text, len);
}

/* Thoughts that are known by now and not told yet. */
static void put_thoughts(exchange *x) {
  wire_state *state = wire_state_of(x);
  size_t count = aiorch_run_reasoning_count(x->run);
  for (; state->thoughts < count; state->thoughts++) {
    const char *text = "", *signature = "";
    size_t len = 0, signature_len = 0;
    aiorch_run_reasoning(x->run, state->thoughts, &text, &len, &signature, &signature_len);
    json_print p = open_block(x);
    if (len == 0) {
      put_thought_block(x->run, state->thoughts, &p);
      event_close(x, &p);
    } else {
      static const char empty[] = "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}";
      jp_raw(&p, empty, sizeof empty - 1);
      event_close(x, &p);
      put_delta(x, "thinking_delta", "thinking", text, len);
      if (signature_len) put_delta(x, "signature_delta", "signature", signature, signature_len);
    }
    end_block(x);
  }
}

static void put_call(exchange *x, size_t index) {
  const char *arguments = "{}";
  size_t len = 2;
  put_thoughts(x);
  aiorch_run_tool_call(x->run, index, NULL, NULL, &arguments, &len);
  json_print p = open_block(x);
  put_call_block(x->run, index, false, &p);
  event_close(x, &p);
  put_delta(x, "input_json_delta", "partial_json", arguments, len);
  end_block(x);
}

static void put_end(exchange *x) {
  begin_stream(x);
  put_thoughts(x);
  end_block(x);
  json_print p = event_open(x, "message_delta");
  jp_key(&p, "delta");
  jp_open(&p, '{');
  jp_kz(&p, "stop_reason", stop_of(x->run));
  jp_kz(&p, "stop_sequence", sequence_of(x->run));
  jp_close(&p, '}');
  put_usage(x->run, &p);
  put_own(x, &p);
  event_close(x, &p);
  p = event_open(x, "message_stop");
  event_close(x, &p);
}

/* ---- problems ---- */

static const char *error_type(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 503: return "overloaded_error";
    case 504: return "timeout_error";
    default: return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

void anthropic_problem_json(const http_problem *why, const char *request_id, cli_bytes *out) {
  json_print p = {.out = *out};
  jp_open(&p, '{');
  jp_kz(&p, "type", "error");
  jp_key(&p, "error");
  jp_open(&p, '{');
  jp_kz(&p, "type", error_type(why->status));
  jp_kz(&p, "message", why->message);
  jp_close(&p, '}');
  jp_kz(&p, "request_id", request_id);
  jp_close(&p, '}');
  *out = p.out;
}

void anthropic_messages_problem(exchange *x, const http_problem *why) {
  if (x->started) cli_addz(&x->out, "event: error\ndata: ");
  else headers_set(&x->headers, "request-id", x->request->id); /* where their clients look for it */
  anthropic_problem_json(why, x->request ? x->request->id : NULL, &x->out);
  if (x->started) cli_addz(&x->out, "\n\n");
}

static void put_heartbeat(exchange *x) {
  json_print p = event_open(x, "ping");
  event_close(x, &p);
}

const wire wire_anthropic_messages = {"text/event-stream",      anthropic_messages_begin,   put_text,      put_call, put_end,
                                      anthropic_messages_whole, anthropic_messages_problem, put_heartbeat, wire_state_free};
