/* See openai_answer.h. Only the choice with index 0 counts: more than one is asked for by provider_options alone. */
#include "providers/openai_answer.h"

#include "providers/openai_servers.h"

static const aio__openai_server *server_of(const aio__decoder *d) {
  const aio__openai_server *server = aio__openai_server_find(d->target->server, d->target->base_url);
  return server ? server : aio__openai_server_find((aio__str){"", 0}, (aio__str){"", 0});
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

static int64_t less(int64_t from, int64_t what) {
  return from > what ? from - what : 0;
}

/* Running totals or one at the end: the last that came counts. */
static void take_usage(aio__decoder *d, aio__tape_value usage) {
  const aio__tape *t = &d->tape;
  if (aio__tape_typeof(t, usage) != AIO__JSON_OBJECT) return;
  aio__tape_value input = AIO__TAPE_GET(t, usage, "prompt_tokens_details"), output = AIO__TAPE_GET(t, usage, "completion_tokens_details");
  int64_t prompt = aio__dec_count(d, AIO__TAPE_GET(t, usage, "prompt_tokens"));
  int64_t completion = aio__dec_count(d, AIO__TAPE_GET(t, usage, "completion_tokens"));
  int64_t total = aio__dec_count(d, AIO__TAPE_GET(t, usage, "total_tokens"));
  int64_t read = aio__dec_count(d, AIO__TAPE_GET(t, input, "cached_tokens"));
  if (read == 0) read = aio__dec_count(d, AIO__TAPE_GET(t, usage, "prompt_cache_hit_tokens")); /* DeepSeek */
  int64_t written = aio__dec_count(d, AIO__TAPE_GET(t, input, "cache_write_tokens"));
  int64_t longer = aio__dec_count(d, AIO__TAPE_GET(t, AIO__TAPE_GET(t, input, "cache_write_tokens_details"), "ttl_12h_tokens"));
  int64_t thought = aio__dec_count(d, AIO__TAPE_GET(t, output, "reasoning_tokens"));
  if (AIO__TAPE_GET(t, usage, "prompt_tokens") == AIO__TAPE_NONE && AIO__TAPE_GET(t, usage, "completion_tokens") == AIO__TAPE_NONE) return;
  /* Where the sum has room for them beside the completion, they are beside it. */
  bool outside = thought > 0 && (thought > completion || (total > 0 && total == prompt + completion + thought));
  int64_t *n = d->result.usage.n;
  n[AIORCH_USAGE_CACHE_READ] = read < prompt ? read : prompt;
  n[AIORCH_USAGE_CACHE_WRITE] = written < prompt - n[AIORCH_USAGE_CACHE_READ] ? written : prompt - n[AIORCH_USAGE_CACHE_READ];
  n[AIORCH_USAGE_CACHE_WRITE_1H] = longer < n[AIORCH_USAGE_CACHE_WRITE] ? longer : n[AIORCH_USAGE_CACHE_WRITE];
  n[AIORCH_USAGE_INPUT] = prompt - n[AIORCH_USAGE_CACHE_READ] - n[AIORCH_USAGE_CACHE_WRITE];
  n[AIORCH_USAGE_REASONING] = thought;
  n[AIORCH_USAGE_OUTPUT] = outside || (server_of(d)->flags & AIO__OPENAI_REASONING_OUTSIDE) ? completion : less(completion, thought);
  d->result.has_usage = true;
}

/* ---- the end of an answer ---------------------------------------------------------------------------------------- */

static aiorch_status take_finish(aio__decoder *d, aio__tape_value choice) {
  static const struct {
    const char *name;
    int32_t finish;
  } reasons[] = {{"stop", AIORCH_FINISH_STOP},
                 {"length", AIORCH_FINISH_LENGTH},
                 {"model_length", AIORCH_FINISH_LENGTH}, /* Mistral */
                 {"tool_calls", AIORCH_FINISH_TOOL_CALLS},
                 {"function_call", AIORCH_FINISH_TOOL_CALLS},
                 {"content_filter", AIORCH_FINISH_CONTENT_FILTER},
                 {"insufficient_system_resource", AIORCH_FINISH_ERROR}, /* DeepSeek */
                 {"error", AIORCH_FINISH_ERROR},                        /* OpenRouter, Mistral */
                 {"eos", AIORCH_FINISH_STOP}};                          /* Together */
  aio__tape_value reason = AIO__TAPE_GET(&d->tape, choice, "finish_reason");
  if (aio__tape_raw(&d->tape, reason).n <= 2 || aio__tape_typeof(&d->tape, reason) != AIO__JSON_STRING) return AIORCH_OK; /* not yet */
  int32_t finish = AIORCH_FINISH_NONE;
  for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
    if (aio__tape_is(&d->tape, reason, reasons[i].name)) finish = reasons[i].finish;
  }
  d->terminal = true;
  aiorch_status st = AIORCH_OK;
  if (finish == AIORCH_FINISH_NONE) {
    finish = AIORCH_FINISH_STOP;
    st = aio__dec_warn(d, "unknown finish_reason ", aio__tape_raw(&d->tape, reason));
  }
  if (finish == AIORCH_FINISH_STOP && d->result.tool_calls > 0) finish = AIORCH_FINISH_TOOL_CALLS; /* some servers say "stop" */
  if (finish == AIORCH_FINISH_STOP && d->refused) finish = AIORCH_FINISH_REFUSAL;
  d->result.finish_reason = finish;
  if (st == AIORCH_OK) st = aio__dec_stop(d, AIO__TAPE_GET(&d->tape, choice, "stop_reason")); /* vLLM; a token's number says nothing */
  return st ? st : aio__dec_tool_end(d, -1);
}

/* ---- what an answer says ----------------------------------------------------------------------------------------- */

/* Of a stream, or whole: a call without an index is a new one when it has an id or is whole, else the one before goes on. */
static aiorch_status take_tool_call(aio__decoder *d, aio__tape_value call, bool in_stream, int64_t place) {
  const aio__tape *t = &d->tape;
  aio__tape_value function = AIO__TAPE_GET(t, call, "function"), id = AIO__TAPE_GET(t, call, "id");
  aio__tape_value name = AIO__TAPE_GET(t, function, "name"), arguments = AIO__TAPE_GET(t, function, "arguments");
  int64_t index = place;
  int32_t tool = -1;
  bool indexed = aio__tape_i64(t, AIO__TAPE_GET(t, call, "index"), &index);
  bool named = aio__tape_typeof(t, name) == AIO__JSON_STRING && aio__tape_raw(t, name).n > 2;
  if (in_stream && indexed) {
    tool = aio__dec_tool_find(d, index);
  } else if (in_stream && !named) {
    tool = (int32_t)d->result.tool_calls - 1;
  }
  if (tool < 0) {
    aiorch_status st = in_stream ? aio__dec_tool_end(d, -1) : AIORCH_OK;
    if (st == AIORCH_OK) st = aio__dec_tool_start(d, in_stream && !indexed ? -1 : index, id, name, &tool);
    if (st) return st;
  }
  return aio__dec_tool_arguments(d, tool, arguments);
}

static aiorch_status take_tool_calls(aio__decoder *d, aio__tape_value calls, bool in_stream) {
  aiorch_status st = AIORCH_OK;
  int64_t place = 0;
  for (aio__tape_value v = aio__tape_first(&d->tape, calls); v != AIO__TAPE_NONE && st == AIORCH_OK; v = aio__tape_next(&d->tape, calls, v)) {
    st = take_tool_call(d, v, in_stream, place++);
  }
  return st;
}

/* Text, or a list of parts as Mistral's reasoning models send it: {"type": "thinking", "thinking": [{"text"}]}, {"type": "text"}. */
static aiorch_status take_content(aio__decoder *d, aio__tape_value content, bool thought) {
  const aio__tape *t = &d->tape;
  if (aio__tape_typeof(t, content) != AIO__JSON_ARRAY) return thought ? aio__dec_reasoning(d, content) : aio__dec_text(d, content);
  aiorch_status st = AIORCH_OK;
  for (aio__tape_value v = aio__tape_first(t, content); v != AIO__TAPE_NONE && st == AIORCH_OK; v = aio__tape_next(t, content, v)) {
    aio__tape_value inner = AIO__TAPE_GET(t, v, "thinking"), text = AIO__TAPE_GET(t, v, "text");
    if (inner != AIO__TAPE_NONE && !thought) st = take_content(d, inner, true);
    else st = thought ? aio__dec_reasoning(d, text) : aio__dec_text(d, text);
  }
  return st;
}

static aiorch_status take_message(aio__decoder *d, aio__tape_value message, bool in_stream) {
  const aio__tape *t = &d->tape;
  aio__tape_value reasoning = AIO__TAPE_GET(t, message, "reasoning_content"); /* DeepSeek, llama.cpp, vLLM */
  if (aio__tape_typeof(t, reasoning) != AIO__JSON_STRING) reasoning = AIO__TAPE_GET(t, message, "reasoning"); /* OpenRouter, Groq */
  aio__tape_value refusal = AIO__TAPE_GET(t, message, "refusal");
  aiorch_status st = aio__dec_reasoning(d, reasoning);
  if (st == AIORCH_OK) st = take_content(d, AIO__TAPE_GET(t, message, "content"), false);
  if (st == AIORCH_OK && aio__tape_typeof(t, refusal) == AIO__JSON_STRING && aio__tape_raw(t, refusal).n > 2) {
    d->refused = true; /* the reason to end comes in a later chunk */
    st = aio__dec_text(d, refusal);
  }
  return st ? st : take_tool_calls(d, AIO__TAPE_GET(t, message, "tool_calls"), in_stream);
}

static aiorch_status take_answer(aio__decoder *d, const char *member, bool in_stream) {
  const aio__tape *t = &d->tape;
  const aio__tape_value root = AIO__TAPE_ROOT;
  if (aio__tape_typeof(t, AIO__TAPE_GET(t, root, "error")) != AIO__JSON_NULL) return aio__dec_error(d, root);
  aio__tape_value choices = AIO__TAPE_GET(t, root, "choices"), choice = aio__dec_choice(d, choices);
  if (d->result.model[0] == '\0') aio__dec_model(d, AIO__TAPE_GET(t, root, "model"));
  aio__dec_request_id(d, AIO__TAPE_GET(t, root, "id"));
  aio__tape_value usage = AIO__TAPE_GET(t, root, "usage");
  if (aio__tape_typeof(t, usage) != AIO__JSON_OBJECT) usage = AIO__TAPE_GET(t, AIO__TAPE_GET(t, root, "x_groq"), "usage");
  take_usage(d, usage);
  if (choice == AIO__TAPE_NONE) {
    if (in_stream) return AIORCH_OK; /* tokens, or Azure's verdict over the prompt */
    bool said = aio__tape_is(t, AIO__TAPE_GET(t, root, "object"), "error") || AIO__TAPE_GET(t, root, "detail") != AIO__TAPE_NONE ||
                AIO__TAPE_GET(t, root, "message") != AIO__TAPE_NONE;
    return said ? aio__dec_error(d, root) : aio__dec_response_error(d, "the answer has no choices");
  }
  aio__tape_value error = AIO__TAPE_GET(t, choice, "error"); /* OpenRouter */
  if (aio__tape_typeof(t, error) == AIO__JSON_OBJECT) return aio__dec_error(d, choice);
  aiorch_status st = take_message(d, aio__tape_member(t, choice, member, in_stream ? 5 : 7), in_stream);
  return st ? st : take_finish(d, choice);
}

aiorch_status aio__openai_whole(aio__decoder *d) {
  aiorch_status st = take_answer(d, "message", false);
  d->terminal = true;
  return st;
}

aiorch_status aio__openai_event(aio__decoder *d, aio__str type) {
  if (aio__str_eqz(type, "error")) return aio__dec_error(d, AIO__TAPE_ROOT);
  return take_answer(d, "delta", true);
}

bool aio__openai_mark(aio__decoder *d, aio__str data) {
  if (!aio__str_eqz(aio__str_trim(data), "[DONE]")) return false;
  d->terminal = d->closed = true;
  return true;
}

void aio__openai_fail(const aio__decoder *d, const aio__error_body *body, aio__wire_error *error) {
  aio__openai_server_fail(server_of(d), body, error);
}
