/* See openai_chat.h. From the body of a request to a run. */
#include "openai_chat.h"

#include <stdlib.h>
#include <string.h>

enum { M_MODEL, M_MESSAGES, M_STREAM, M_STREAM_OPTIONS, M_TEMPERATURE, M_MAX_TOKENS, M_MAX_COMPLETION, M_STOP, M_TOOLS, M_TOOL_CHOICE,
       M_PARALLEL, M_FORMAT, M_EFFORT, M_OWN, M_REST };

static const member_spec MEMBERS[] = {
    [M_MODEL] = {"model", MEMBER_TAKEN, NULL, NULL},
    [M_MESSAGES] = {"messages", MEMBER_TAKEN, NULL, NULL},
    [M_STREAM] = {"stream", MEMBER_TAKEN, NULL, NULL},
    [M_STREAM_OPTIONS] = {"stream_options", MEMBER_TAKEN, NULL, NULL},
    [M_TEMPERATURE] = {"temperature", MEMBER_TAKEN, NULL, NULL},
    [M_MAX_TOKENS] = {"max_tokens", MEMBER_TAKEN, NULL, NULL},
    [M_MAX_COMPLETION] = {"max_completion_tokens", MEMBER_TAKEN, NULL, NULL},
    [M_STOP] = {"stop", MEMBER_TAKEN, NULL, NULL},
    [M_TOOLS] = {"tools", MEMBER_TAKEN, "[]", NULL},
    [M_TOOL_CHOICE] = {"tool_choice", MEMBER_TAKEN, NULL, NULL},
    [M_PARALLEL] = {"parallel_tool_calls", MEMBER_TAKEN, NULL, NULL},
    [M_FORMAT] = {"response_format", MEMBER_TAKEN, NULL, NULL},
    [M_EFFORT] = {"reasoning_effort", MEMBER_TAKEN, NULL, NULL},
    [M_OWN] = {"aiorch", MEMBER_TAKEN, NULL, NULL},
    [M_REST] = {"top_p", MEMBER_PASSED, "1|1.0", NULL},
    {"seed", MEMBER_PASSED, NULL, NULL},
    {"frequency_penalty", MEMBER_PASSED, "0|0.0", NULL},
    {"presence_penalty", MEMBER_PASSED, "0|0.0", NULL},
    {"logit_bias", MEMBER_PASSED, "{}", NULL},
    {"verbosity", MEMBER_PASSED, NULL, NULL},
    {"user", MEMBER_IGNORED, NULL, NULL},
    {"safety_identifier", MEMBER_IGNORED, NULL, NULL},
    {"metadata", MEMBER_IGNORED, NULL, NULL},
    {"store", MEMBER_IGNORED, NULL, NULL},
    {"service_tier", MEMBER_IGNORED, NULL, NULL},
    {"prompt_cache_key", MEMBER_IGNORED, NULL, NULL},
    {"prompt_cache_retention", MEMBER_IGNORED, NULL, NULL},
    {"prediction", MEMBER_IGNORED, NULL, NULL},
    {"n", MEMBER_REFUSED, "1", "one answer is given; ask several times"},
    {"logprobs", MEMBER_REFUSED, "false", "leave it out"},
    {"top_logprobs", MEMBER_REFUSED, "0", "leave it out"},
    {"modalities", MEMBER_REFUSED, "[\"text\"]|[ \"text\" ]", "answers are text"},
    {"audio", MEMBER_REFUSED, NULL, "answers are text"},
    {"web_search_options", MEMBER_REFUSED, NULL, "leave it out; documents are searched by themselves"},
    {"functions", MEMBER_REFUSED, "[]", "use \"tools\""},
    {"function_call", MEMBER_REFUSED, "\"none\"", "use \"tool_choice\""},
};
enum { MEMBER_COUNT = sizeof MEMBERS / sizeof MEMBERS[0] };

static bool take_stream(making *m, const body_node *stream, const body_node *options) {
  if (stream && stream->type != BODY_BOOL) return making_refuse(m, "stream", "must be true or false");
  m->x->streamed = stream && stream->truth;
  if (!options) return true;
  const body_node *usage = body_get(options, "include_usage");
  if (options->type != BODY_OBJECT || (usage && usage->type != BODY_BOOL)) {
    return making_refuse(m, "stream_options", "must be an object: {\"include_usage\": true}");
  }
  if (!m->x->streamed) return making_refuse(m, "stream_options", "is for \"stream\": true alone");
  m->state->include_usage = usage && usage->truth;
  return true;
}

/* ---- tools ---- */

static bool take_tool(making *m, const body_node *tool) {
  if (!body_is(body_get(tool, "type"), "function")) return making_refuse(m, "type", "must be \"function\"; other tools are not served here");
  const body_node *f = body_get(tool, "function"), *name = body_get_text(f, "name"), *words = body_get_text(f, "description");
  const body_node *schema = body_get(f, "parameters");
  if (!name) return making_refuse(m, "function", "a tool has a name");
  if (schema && schema->type != BODY_OBJECT) return making_refuse(m, "function.parameters", "must be a JSON schema, an object");
  return making_check(m, aiorch_run_add_tool(m->x->run, name->text, name->len, words ? words->text : NULL, words ? words->len : 0,
                                             schema ? schema->raw : NULL, schema ? schema->raw_len : 0), "function");
}

static bool take_tools(making *m, const body_node *tools) {
  if (!tools) return true;
  if (tools->type != BODY_ARRAY) return making_refuse(m, "tools", "must be a list");
  return making_each(m, "tools", tools, take_tool);
}

static bool take_tool_choice(making *m, const body_node *choice) {
  static const struct {
    const char *name;
    int32_t choice;
  } words[] = {{"auto", AIORCH_TOOLS_AUTO}, {"none", AIORCH_TOOLS_NONE}, {"required", AIORCH_TOOLS_ANY}};
  if (!choice) return true;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (body_is(choice, words[i].name)) return making_check(m, aiorch_run_set_tool_choice(m->x->run, words[i].choice, NULL, 0), "tool_choice");
  }
  const body_node *name = body_get_text(body_get(choice, "function"), "name");
  if (!name || !body_is(body_get(choice, "type"), "function")) {
    return making_refuse(m, "tool_choice", "must be \"auto\", \"none\", \"required\" or {\"type\": \"function\", \"function\": {\"name\"}}");
  }
  return making_check(m, aiorch_run_set_tool_choice(m->x->run, AIORCH_TOOLS_ONE, name->text, name->len), "tool_choice");
}

/* ---- the rest ---- */

static bool take_format(making *m, const body_node *format) {
  static const char json_object[] = "\"response_format\":{\"type\":\"json_object\"}";
  if (!format || body_is(body_get(format, "type"), "text")) return true;
  if (body_is(body_get(format, "type"), "json_object")) {
    cli_addf(&m->passed, "%s%s", m->passed.len ? "," : "", json_object);
    return true;
  }
  const body_node *spec = body_get(format, "json_schema"), *schema = body_get(spec, "schema"), *name = body_get_text(spec, "name");
  if (!body_is(body_get(format, "type"), "json_schema") || !schema || schema->type != BODY_OBJECT) {
    return making_refuse(m, "response_format", "must be {\"type\": \"text\"}, {\"type\": \"json_object\"} or {\"type\": \"json_schema\", "
                                               "\"json_schema\": {\"name\", \"schema\"}}");
  }
  return making_check(m, aiorch_run_set_schema(m->x->run, schema->raw, schema->raw_len, name ? name->text : NULL, name ? name->len : 0),
                      "response_format");
}

static bool take_effort(making *m, const body_node *effort) {
  if (!effort) return true;
  if (effort->type != BODY_TEXT) return making_refuse(m, "reasoning_effort", "must be a text: none, minimal, low, medium, high or xhigh");
  return making_option(m, "generate.effort", effort->text, effort->len, "reasoning_effort");
}

static bool take_parallel(making *m, const body_node *parallel) {
  if (!parallel) return true;
  if (parallel->type != BODY_BOOL) return making_refuse(m, "parallel_tool_calls", "must be true or false");
  return making_option(m, "generate.parallel_tools", parallel->raw, parallel->raw_len, "parallel_tool_calls");
}

static bool take_all(making *m) {
  const body_node *f[MEMBER_COUNT] = {0};
  if (m->root->type != BODY_OBJECT) return making_refuse(m, NULL, "the body must be a JSON object");
  if (!making_members(m, MEMBERS, MEMBER_COUNT, f) || !take_stream(m, f[M_STREAM], f[M_STREAM_OPTIONS]) || !making_model(m, f[M_MODEL])) {
    return false;
  }
  const body_node *most = f[M_MAX_COMPLETION] ? f[M_MAX_COMPLETION] : f[M_MAX_TOKENS];
  const char *most_name = f[M_MAX_COMPLETION] ? "max_completion_tokens" : "max_tokens";
  return exchange_run_new(m->x, m->why) && making_own_options(m, f[M_OWN]) && openai_chat_messages(m, f[M_MESSAGES]) &&
         making_number(m, "generate.temperature", f[M_TEMPERATURE], "temperature") &&
         making_number(m, "generate.max_tokens", most, most_name) && making_stop(m, f[M_STOP], "stop") && take_tools(m, f[M_TOOLS]) &&
         take_tool_choice(m, f[M_TOOL_CHOICE]) && take_parallel(m, f[M_PARALLEL]) && take_format(m, f[M_FORMAT]) &&
         take_effort(m, f[M_EFFORT]) && making_finish(m);
}

bool openai_chat_begin(exchange *x, const char *body, size_t len, http_problem *why) {
  body_json json;
  bool good = body_parse(&json, body, len);
  making m = {.x = x, .root = json.root, .why = why, .state = wire_state_of(x), .language = "openai"};
  if (!good) {
    http_problem_set(why, 400, "invalid_json", NULL, "the body is no JSON: %s, at byte %zu", json.wrong, json.where);
  } else {
    good = take_all(&m);
  }
  making_end(&m);
  body_free(&json);
  return good;
}
