/* See openai_chat.h. From the body of a request to a run. */
#include "openai_chat.h"

#include <stdlib.h>
#include <string.h>

enum { M_MODEL, M_MESSAGES, M_STREAM, M_STREAM_OPTIONS, M_TEMPERATURE, M_MAX_TOKENS, M_MAX_COMPLETION, M_STOP, M_TOOLS, M_TOOL_CHOICE,
       M_PARALLEL, M_FORMAT, M_EFFORT, M_OWN, M_REST };

static const char KNOWN_BY_KEY[] = "who calls is known by the key";

static const member_spec MEMBERS[] = {
    [M_MODEL] = {"model", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
    [M_MESSAGES] = {"messages", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
    [M_STREAM] = {"stream", MEMBER_TAKEN, BODY_BOOL, NULL, NULL},
    [M_STREAM_OPTIONS] = {"stream_options", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
    [M_TEMPERATURE] = {"temperature", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
    [M_MAX_TOKENS] = {"max_tokens", MEMBER_TAKEN, BODY_NUMBER, NULL, NULL},
    [M_MAX_COMPLETION] = {"max_completion_tokens", MEMBER_TAKEN, BODY_NUMBER, NULL, NULL},
    [M_STOP] = {"stop", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
    [M_TOOLS] = {"tools", MEMBER_TAKEN, BODY_ARRAY, "[]", NULL},
    [M_TOOL_CHOICE] = {"tool_choice", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
    [M_PARALLEL] = {"parallel_tool_calls", MEMBER_TAKEN, BODY_BOOL, NULL, NULL},
    [M_FORMAT] = {"response_format", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
    [M_EFFORT] = {"reasoning_effort", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
    [M_OWN] = {"aiorch", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
    [M_REST] = {"top_p", MEMBER_PASSED, BODY_NUMBER, "1|1.0", NULL},
    {"seed", MEMBER_PASSED, BODY_NUMBER, NULL, NULL},
    {"frequency_penalty", MEMBER_PASSED, BODY_NUMBER, "0|0.0", NULL},
    {"presence_penalty", MEMBER_PASSED, BODY_NUMBER, "0|0.0", NULL},
    {"logit_bias", MEMBER_PASSED, BODY_OBJECT, "{}", NULL},
    {"verbosity", MEMBER_PASSED, BODY_TEXT, NULL, NULL},
    {"user", MEMBER_IGNORED, BODY_NULL, "\"\"", KNOWN_BY_KEY},
    {"safety_identifier", MEMBER_IGNORED, BODY_NULL, "\"\"", KNOWN_BY_KEY},
    {"metadata", MEMBER_IGNORED, BODY_NULL, "{}", NULL},
    {"store", MEMBER_IGNORED, BODY_NULL, "false", NULL},
    {"service_tier", MEMBER_IGNORED, BODY_NULL, "\"auto\"|\"default\"", NULL},
    {"prompt_cache_key", MEMBER_IGNORED, BODY_NULL, "\"\"", NULL},
    {"prompt_cache_retention", MEMBER_IGNORED, BODY_NULL, NULL, NULL},
    {"prompt_cache_options", MEMBER_IGNORED, BODY_NULL, "{}", NULL},
    {"prediction", MEMBER_IGNORED, BODY_NULL, NULL, NULL},
    {"n", MEMBER_REFUSED, BODY_NULL, "1|1.0", "one answer is given; ask several times"},
    {"logprobs", MEMBER_REFUSED, BODY_NULL, "false", "leave it out"},
    {"top_logprobs", MEMBER_REFUSED, BODY_NULL, "0", "leave it out"},
    {"modalities", MEMBER_REFUSED, BODY_NULL, "[\"text\"]|[ \"text\" ]", "answers are text"},
    {"audio", MEMBER_REFUSED, BODY_NULL, NULL, "answers are text"},
    {"moderation", MEMBER_REFUSED, BODY_NULL, NULL, "leave it out; rules of the operator look at questions and answers"},
    {"web_search_options", MEMBER_REFUSED, BODY_NULL, NULL, "leave it out; documents are searched by themselves"},
    {"functions", MEMBER_REFUSED, BODY_NULL, "[]", "use \"tools\""},
    {"function_call", MEMBER_REFUSED, BODY_NULL, "\"none\"", "use \"tool_choice\""},
};
enum { MEMBER_COUNT = sizeof MEMBERS / sizeof MEMBERS[0] };

static const member_spec STREAM_OPTIONS[] = {{"include_usage", MEMBER_TAKEN, BODY_BOOL, NULL, NULL},
                                             {"include_obfuscation", MEMBER_IGNORED, BODY_NULL, "false", NULL}};

static bool take_stream(making *m, const body_node *stream, const body_node *options) {
  m->x->streamed = stream && stream->truth;
  if (!options) return true;
  if (!m->x->streamed) return making_refuse(m, "stream_options", "is for \"stream\": true alone");
  making_in(m, "stream_options");
  if (!making_parts(m, options, "stream_options", SPECS(STREAM_OPTIONS))) return false;
  making_in(m, NULL);
  const body_node *usage = body_get(options, "include_usage");
  m->state->include_usage = usage && usage->truth;
  return true;
}

/* ---- tools ---- */

static const member_spec TOOL[] = {{"type", MEMBER_TAKEN, BODY_TEXT, NULL, NULL}, {"function", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL}};
static const member_spec FUNCTION[] = {{"name", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                       {"description", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                       {"parameters", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
                                       {"strict", MEMBER_IGNORED, BODY_BOOL, "false", NULL}};

static bool take_tool(making *m, const body_node *tool) {
  const body_node *f = body_get(tool, "function");
  if (!body_is(body_get(tool, "type"), "function")) return making_refuse(m, "type", "must be \"function\"; other tools are not served here");
  if (!making_parts(m, tool, "tools[]", SPECS(TOOL))) return false;
  making_in(m, "function");
  if (!making_parts(m, f, "tools[].function", SPECS(FUNCTION))) return false;
  const body_node *name = body_get_text(f, "name"), *words = body_get_text(f, "description"), *schema = body_get(f, "parameters");
  if (!name) return making_refuse(m, "name", "a tool has a name");
  making_in(m, NULL);
  return making_check(m, aiorch_run_add_tool(m->x->run, name->text, name->len, words ? words->text : NULL, words ? words->len : 0,
                                             schema ? schema->raw : NULL, schema ? schema->raw_len : 0), "function");
}

static bool take_tools(making *m, const body_node *tools) {
  return !tools || making_each(m, "tools", tools, take_tool);
}

static bool take_tool_choice(making *m, const body_node *choice, const body_node *tools) {
  static const struct {
    const char *name;
    int32_t choice;
  } words[] = {{"auto", AIORCH_TOOLS_AUTO}, {"none", AIORCH_TOOLS_NONE}, {"required", AIORCH_TOOLS_ANY}};
  if (!choice) return true;
  if (!tools && !body_is(choice, "auto") && !body_is(choice, "none")) return making_refuse(m, "tool_choice", "\"tools\" has none to choose from");
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

static const member_spec FORMAT[] = {{"type", MEMBER_TAKEN, BODY_TEXT, NULL, NULL}, {"json_schema", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL}};
static const member_spec SCHEMA[] = {{"name", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                     {"schema", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
                                     {"description", MEMBER_IGNORED, BODY_TEXT, NULL, NULL},
                                     {"strict", MEMBER_IGNORED, BODY_BOOL, "true", NULL}}; /* as providers are asked for it */

static bool take_format(making *m, const body_node *format) {
  static const char json_object[] = "{\"type\":\"json_object\"}";
  if (!format) return true;
  const body_node *type = body_get(format, "type"), *spec = body_get(format, "json_schema"), *schema = body_get(spec, "schema");
  const body_node *name = body_get_text(spec, "name");
  making_in(m, "response_format");
  if (!making_parts(m, format, "response_format", SPECS(FORMAT))) return false;
  if (spec && !making_parts(m, spec, "response_format.json_schema", SPECS(SCHEMA))) return false;
  making_in(m, NULL);
  if (body_is(type, "text")) return true;
  if (body_is(type, "json_object")) {
    making_pass_on(m, "response_format", json_object, sizeof json_object - 1);
    return true;
  }
  if (!body_is(type, "json_schema") || !schema) {
    return making_refuse(m, "response_format", "must be {\"type\": \"text\"}, {\"type\": \"json_object\"} or {\"type\": \"json_schema\", "
                                               "\"json_schema\": {\"name\", \"schema\"}}");
  }
  return making_check(m, aiorch_run_set_schema(m->x->run, schema->raw, schema->raw_len, name ? name->text : NULL, name ? name->len : 0),
                      "response_format");
}

/* Of two ways to say how long it may be the newer one counts. */
static bool take_most(making *m, const body_node *most, const body_node *older) {
  if (most && older) making_note(m, "\"max_tokens\" has no effect beside \"max_completion_tokens\"");
  return making_number(m, "generate.max_tokens", most ? most : older, most ? "max_completion_tokens" : "max_tokens");
}

static bool take_all(making *m) {
  const body_node *f[MEMBER_COUNT] = {0};
  if (!making_members(m, MEMBERS, MEMBER_COUNT, f) || !take_stream(m, f[M_STREAM], f[M_STREAM_OPTIONS]) || !making_model(m, f[M_MODEL])) {
    return false;
  }
  return exchange_run_new(m->x, m->why) && making_own_options(m, f[M_OWN]) && openai_chat_messages(m, f[M_MESSAGES]) &&
         making_number(m, "generate.temperature", f[M_TEMPERATURE], "temperature") &&
         take_most(m, f[M_MAX_COMPLETION], f[M_MAX_TOKENS]) && making_stop(m, f[M_STOP], "stop") && take_tools(m, f[M_TOOLS]) &&
         take_tool_choice(m, f[M_TOOL_CHOICE], f[M_TOOLS]) && making_value(m, "generate.parallel_tools", f[M_PARALLEL], "parallel_tool_calls") &&
         take_format(m, f[M_FORMAT]) && making_value(m, "generate.effort", f[M_EFFORT], "reasoning_effort") && making_finish(m);
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
