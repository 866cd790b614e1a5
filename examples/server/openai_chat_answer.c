/*
 * See openai_chat.h. From a run to what OpenAI's clients read: one object, or a stream of chunks that ends with [DONE]. What the library
 * says beyond their language stands in the member `aiorch`, which they pass over.
 */
#include "openai_chat.h"

#include <inttypes.h>
#include <string.h>

static const char *finish_of(const aiorch_run *run) {
  switch (aiorch_run_finish_reason(run)) {
    case AIORCH_FINISH_LENGTH: return "length";
    case AIORCH_FINISH_TOOL_CALLS: return "tool_calls";
    case AIORCH_FINISH_CONTENT_FILTER: return "content_filter";
    case AIORCH_FINISH_ERROR: return "error";
    default: return "stop";
  }
}

/* "chatcmpl-" and the run's id without its dashes. */
static void put_id(const exchange *x, json_print *p) {
  const char *id = "";
  size_t len = 0;
  char text[64] = "chatcmpl-";
  size_t used = strlen(text);
  aiorch_run_id(x->run, &id, &len);
  for (size_t i = 0; i < len && used + 1 < sizeof text; i++) {
    if (id[i] != '-') text[used++] = id[i];
  }
  jp_key(p, "id");
  jp_str(p, text, used);
}

/* The model that wrote it; what was asked for where nobody did. */
static void put_model(const exchange *x, json_print *p) {
  const wire_state *state = x->state;
  const char *model = "";
  size_t len = 0;
  aiorch_run_model(x->run, &model, &len);
  jp_key(p, "model");
  if (len) {
    jp_str(p, model, len);
  } else {
    jp_z(p, state->model);
  }
}

void openai_chat_usage(const aiorch_run *run, json_print *p) {
  int64_t read = aiorch_run_usage(run, AIORCH_USAGE_CACHE_READ), thought = aiorch_run_usage(run, AIORCH_USAGE_REASONING);
  int64_t prompt = aiorch_run_usage(run, AIORCH_USAGE_INPUT) + read + aiorch_run_usage(run, AIORCH_USAGE_CACHE_WRITE);
  int64_t completion = aiorch_run_usage(run, AIORCH_USAGE_OUTPUT) + thought;
  jp_open(p, '{');
  jp_ki64(p, "prompt_tokens", prompt);
  jp_ki64(p, "completion_tokens", completion);
  jp_ki64(p, "total_tokens", prompt + completion);
  jp_key(p, "prompt_tokens_details");
  jp_open(p, '{');
  jp_ki64(p, "cached_tokens", read);
  jp_close(p, '}');
  jp_key(p, "completion_tokens_details");
  jp_open(p, '{');
  jp_ki64(p, "reasoning_tokens", thought);
  jp_close(p, '}');
  jp_close(p, '}');
}

/* One call; `place` is its index in a stream, below 0 in a whole answer, which has none. */
static void put_tool_call(const aiorch_run *run, size_t index, int64_t place, json_print *p) {
  const char *id = "", *name = "", *arguments = "{}", *signature = "";
  size_t len = 2, signature_len = 0;
  aiorch_run_tool_call(run, index, &id, &name, &arguments, &len);
  aiorch_run_tool_call_signature(run, index, &signature, &signature_len);
  jp_open(p, '{');
  if (place >= 0) jp_ki64(p, "index", place);
  jp_kz(p, "id", id);
  jp_kz(p, "type", "function");
  jp_key(p, "function");
  jp_open(p, '{');
  jp_kz(p, "name", name);
  jp_key(p, "arguments");
  jp_str(p, arguments, len);
  jp_close(p, '}');
  if (signature_len) { /* where Google's own OpenAI endpoint has it, and clients bring it back from */
    jp_key(p, "extra_content");
    jp_open(p, '{');
    jp_key(p, "google");
    jp_open(p, '{');
    jp_key(p, "thought_signature");
    jp_str(p, signature, signature_len);
    jp_close(p, '}');
    jp_close(p, '}');
  }
  jp_close(p, '}');
}

/* All that it thought, as one text: `reasoning_content`, as DeepSeek, vLLM and others call it. */
static void put_reasoning(const aiorch_run *run, json_print *p) {
  cli_bytes all = {0};
  size_t count = aiorch_run_reasoning_count(run);
  for (size_t i = 0; i < count; i++) {
    const char *text = "";
    size_t len = 0;
    aiorch_run_reasoning(run, i, &text, &len, NULL, NULL);
    cli_add(&all, text, len);
  }
  if (all.len) {
    jp_key(p, "reasoning_content");
    jp_str(p, cli_z(&all), all.len);
  }
  cli_release(&all);
}

static void put_signed_reasoning(const aiorch_run *run, json_print *p) {
  size_t count = aiorch_run_reasoning_count(run);
  if (count == 0) return;
  jp_key(p, "reasoning");
  jp_open(p, '[');
  for (size_t i = 0; i < count; i++) {
    const char *text = "", *signature = "";
    size_t len = 0, signature_len = 0;
    aiorch_run_reasoning(run, i, &text, &len, &signature, &signature_len);
    jp_open(p, '{');
    jp_key(p, "text");
    jp_str(p, text, len);
    jp_key(p, "signature");
    jp_str(p, signature, signature_len);
    jp_close(p, '}');
  }
  jp_close(p, ']');
}

static void put_own(const exchange *x, json_print *p) {
  jp_key(p, "aiorch");
  jp_open(p, '{');
  exchange_aiorch_members(x, p);
  put_signed_reasoning(x->run, p);
  jp_close(p, '}');
}

/* ---- whole ---- */

static void put_message(const exchange *x, json_print *p) {
  const char *answer = "";
  size_t len = 0, calls = aiorch_run_tool_call_count(x->run);
  bool refused = aiorch_run_finish_reason(x->run) == AIORCH_FINISH_REFUSAL;
  aiorch_run_answer(x->run, &answer, &len);
  jp_open(p, '{');
  jp_kz(p, "role", "assistant");
  jp_key(p, "content");
  if (refused || (len == 0 && calls)) {
    jp_z(p, NULL);
  } else {
    jp_str(p, answer, len);
  }
  jp_key(p, "refusal");
  if (refused) {
    jp_str(p, answer, len);
  } else {
    jp_z(p, NULL);
  }
  put_reasoning(x->run, p);
  if (calls) {
    jp_key(p, "tool_calls");
    jp_open(p, '[');
    for (size_t i = 0; i < calls; i++) put_tool_call(x->run, i, -1, p);
    jp_close(p, ']');
  }
  jp_close(p, '}');
}

void openai_chat_whole(exchange *x) {
  const wire_state *state = wire_state_of(x);
  json_print p = {.out = x->out};
  jp_open(&p, '{');
  put_id(x, &p);
  jp_kz(&p, "object", "chat.completion");
  jp_ki64(&p, "created", state->created_s);
  put_model(x, &p);
  jp_key(&p, "choices");
  jp_open(&p, '[');
  jp_open(&p, '{');
  jp_ki64(&p, "index", 0);
  jp_key(&p, "message");
  put_message(x, &p);
  jp_key(&p, "logprobs");
  jp_z(&p, NULL);
  jp_kz(&p, "finish_reason", finish_of(x->run));
  jp_close(&p, '}');
  jp_close(&p, ']');
  jp_key(&p, "usage");
  openai_chat_usage(x->run, &p);
  put_own(x, &p);
  jp_close(&p, '}');
  x->out = p.out;
}

/* ---- streamed ---- */

/* What all chunks have in common is made once: data: {"id", ..., "choices": */
static void make_head(exchange *x) {
  wire_state *state = wire_state_of(x);
  json_print p = {0};
  jp_open(&p, '{');
  put_id(x, &p);
  jp_kz(&p, "object", "chat.completion.chunk");
  jp_ki64(&p, "created", state->created_s);
  put_model(x, &p);
  jp_key(&p, "choices");
  cli_addz(&state->head, "data: ");
  cli_add(&state->head, cli_z(&p.out), p.out.len);
  cli_release(&p.out);
  if (state->include_usage) cli_addz(&state->tail, ",\"usage\":null");
  cli_addz(&state->tail, "}\n\n");
}

typedef struct chunk {
  json_print p;
  const wire_state *state;
} chunk;

/* Up to the members of its delta. */
static chunk chunk_open(exchange *x) {
  wire_state *state = wire_state_of(x);
  if (state->head.len == 0) make_head(x);
  chunk c = {{.out = x->out}, state};
  cli_add(&c.p.out, cli_z(&state->head), state->head.len);
  jp_open(&c.p, '[');
  jp_open(&c.p, '{');
  jp_ki64(&c.p, "index", 0);
  jp_key(&c.p, "delta");
  jp_open(&c.p, '{');
  return c;
}

/* Behind the delta. */
static void chunk_finish(chunk *c, const char *finish) {
  jp_close(&c->p, '}');
  jp_key(&c->p, "logprobs");
  jp_z(&c->p, NULL);
  jp_kz(&c->p, "finish_reason", finish);
  jp_close(&c->p, '}');
  jp_close(&c->p, ']');
}

static void chunk_close(exchange *x, chunk *c) {
  cli_add(&c->p.out, cli_z(&c->state->tail), c->state->tail.len);
  x->out = c->p.out;
}

/* The role stands in the first chunk alone. */
static void begin_stream(exchange *x) {
  wire_state *state = wire_state_of(x);
  if (state->block_open) return;
  state->block_open = true;
  chunk c = chunk_open(x);
  jp_kz(&c.p, "role", "assistant");
  jp_kz(&c.p, "content", "");
  jp_key(&c.p, "refusal");
  jp_z(&c.p, NULL);
  chunk_finish(&c, NULL);
  chunk_close(x, &c);
}

static void put_delta(exchange *x, const char *text, size_t len) {
  begin_stream(x);
  chunk c = chunk_open(x);
  jp_key(&c.p, "content");
  jp_str(&c.p, text, len);
  chunk_finish(&c, NULL);
  chunk_close(x, &c);
}

static void put_call_delta(exchange *x, size_t index) {
  wire_state *state = wire_state_of(x);
  begin_stream(x);
  chunk c = chunk_open(x);
  jp_key(&c.p, "tool_calls");
  jp_open(&c.p, '[');
  put_tool_call(x->run, index, (int64_t)state->calls++, &c.p);
  jp_close(&c.p, ']');
  chunk_finish(&c, NULL);
  chunk_close(x, &c);
}

static void put_end(exchange *x) {
  wire_state *state = wire_state_of(x);
  begin_stream(x);
  if (aiorch_run_reasoning_count(x->run)) {
    chunk thoughts = chunk_open(x);
    put_reasoning(x->run, &thoughts.p);
    chunk_finish(&thoughts, NULL);
    chunk_close(x, &thoughts);
  }
  chunk last = chunk_open(x);
  chunk_finish(&last, finish_of(x->run));
  put_own(x, &last.p);
  chunk_close(x, &last);
  if (state->include_usage) {
    json_print p = {.out = x->out};
    cli_add(&p.out, cli_z(&state->head), state->head.len);
    jp_raw(&p, "[]", 2);
    jp_key(&p, "usage");
    openai_chat_usage(x->run, &p);
    cli_addz(&p.out, "}\n\n");
    x->out = p.out;
  }
  cli_addz(&x->out, "data: [DONE]\n\n");
}

void openai_chat_problem(exchange *x, const http_problem *why) {
  if (x->started) cli_addz(&x->out, "data: ");
  http_problem_json(why, &x->out);
  if (x->started) cli_addz(&x->out, "\n\n");
}

static void put_heartbeat(exchange *x) { cli_addz(&x->out, ": still here\n\n"); }

const wire wire_openai_chat = {"text/event-stream", openai_chat_begin,   put_delta,     put_call_delta, put_end,
                               openai_chat_whole,   openai_chat_problem, put_heartbeat, wire_state_free};
