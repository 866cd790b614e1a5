/* See anthropic_messages.h. From the body of a request to a run. */
#include "anthropic_messages.h"

#include <stdlib.h>
#include <string.h>

enum { M_MODEL, M_MESSAGES, M_MAX_TOKENS, M_SYSTEM, M_STREAM, M_STOP, M_TEMPERATURE, M_TOOLS, M_TOOL_CHOICE, M_THINKING, M_OUTPUT, M_FORMAT,
       M_CACHE, M_OWN, M_REST };

static const member_spec MEMBERS[] = {
    [M_MODEL] = {"model", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
    [M_MESSAGES] = {"messages", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
    [M_MAX_TOKENS] = {"max_tokens", MEMBER_TAKEN, BODY_NUMBER, NULL, NULL},
    [M_SYSTEM] = {"system", MEMBER_TAKEN, BODY_NULL, "\"\"|[]", NULL},
    [M_STREAM] = {"stream", MEMBER_TAKEN, BODY_BOOL, NULL, NULL},
    [M_STOP] = {"stop_sequences", MEMBER_TAKEN, BODY_ARRAY, NULL, NULL},
    [M_TEMPERATURE] = {"temperature", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
    [M_TOOLS] = {"tools", MEMBER_TAKEN, BODY_ARRAY, "[]", NULL},
    [M_TOOL_CHOICE] = {"tool_choice", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
    [M_THINKING] = {"thinking", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
    [M_OUTPUT] = {"output_config", MEMBER_TAKEN, BODY_OBJECT, "{}", NULL},
    [M_FORMAT] = {"output_format", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
    [M_CACHE] = {"cache_control", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
    [M_OWN] = {"aiorch", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
    [M_REST] = {"top_p", MEMBER_PASSED, BODY_NUMBER, "1|1.0", NULL},
    {"top_k", MEMBER_PASSED, BODY_NUMBER, NULL, NULL},
    {"inference_geo", MEMBER_PASSED, BODY_TEXT, NULL, NULL}, /* where it may be computed: not to be passed over */
    {"metadata", MEMBER_IGNORED, BODY_NULL, "{}", "who calls is known by the key"},
    {"service_tier", MEMBER_IGNORED, BODY_NULL, "\"auto\"|\"standard_only\"", NULL},
    {"speed", MEMBER_IGNORED, BODY_NULL, "\"standard\"", "name a faster model"},
    {"diagnostics", MEMBER_IGNORED, BODY_NULL, "{}", NULL},
    {"container", MEMBER_REFUSED, BODY_NULL, NULL, "code is not run here"},
    {"mcp_servers", MEMBER_REFUSED, BODY_NULL, "[]", "call tools of yours instead"},
    {"context_management", MEMBER_REFUSED, BODY_NULL, NULL, "send the conversation as it is to be"},
    {"compaction", MEMBER_REFUSED, BODY_NULL, NULL, "send the conversation as it is to be"},
    {"thread", MEMBER_REFUSED, BODY_NULL, NULL, "no conversation is kept; send it whole"},
    {"fallbacks", MEMBER_REFUSED, BODY_NULL, NULL, "name providers in \"aiorch.provider\", in the order in which to try them"},
    {"fallback_credit_token", MEMBER_REFUSED, BODY_NULL, NULL, "it is of use at Anthropic alone"},
    {"billing_policy", MEMBER_REFUSED, BODY_NULL, NULL, "who calls is known by the key, and pays"},
};
enum { MEMBER_COUNT = sizeof MEMBERS / sizeof MEMBERS[0] };


/* ---- tools ---- */

static const member_spec TOOL[] = {{"type", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                   {"name", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                   {"description", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                   {"input_schema", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
                                   {"cache_control", MEMBER_IGNORED, BODY_OBJECT, NULL, NULL},
                                   {"strict", MEMBER_IGNORED, BODY_BOOL, "false", NULL}};
static const member_spec CHOICE[] = {{"type", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                     {"name", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                     {"disable_parallel_tool_use", MEMBER_TAKEN, BODY_BOOL, NULL, NULL}};

static bool take_tool(making *m, const body_node *tool) {
  const body_node *type = body_get(tool, "type"), *name = body_get_text(tool, "name"), *words = body_get_text(tool, "description");
  const body_node *schema = body_get(tool, "input_schema");
  if (type && !body_is(type, "custom")) return making_refuse(m, "type", "tools that Anthropic runs itself are not served here");
  if (!making_parts(m, tool, "tools[]", SPECS(TOOL))) return false;
  if (!name) return making_refuse(m, "name", "a tool has a name");
  if (!schema) return making_refuse(m, "input_schema", "must be a JSON schema, an object");
  return making_check(m, aiorch_run_add_tool(m->x->run, name->text, name->len, words ? words->text : NULL, words ? words->len : 0,
                                             schema->raw, schema->raw_len), "name");
}

static bool take_tools(making *m, const body_node *tools) {
  return !tools || making_each(m, "tools", tools, take_tool);
}

static bool take_tool_choice(making *m, const body_node *choice, const body_node *tools) {
  static const struct {
    const char *name;
    int32_t choice;
  } words[] = {{"auto", AIORCH_TOOLS_AUTO}, {"none", AIORCH_TOOLS_NONE}, {"any", AIORCH_TOOLS_ANY}, {"tool", AIORCH_TOOLS_ONE}};
  if (!choice) return true;
  const body_node *type = body_get(choice, "type"), *name = body_get_text(choice, "name"), *alone = body_get(choice, "disable_parallel_tool_use");
  size_t i = 0, count = sizeof words / sizeof words[0];
  making_in(m, "tool_choice");
  if (!making_parts(m, choice, "tool_choice", SPECS(CHOICE))) return false;
  making_in(m, NULL);
  while (i < count && !body_is(type, words[i].name)) i++;
  if (i == count || (words[i].choice == AIORCH_TOOLS_ONE && !name)) {
    return making_refuse(m, "tool_choice", "must be {\"type\": \"auto\"}, \"any\", \"none\", or \"tool\" with a \"name\"");
  }
  if (!tools && words[i].choice != AIORCH_TOOLS_AUTO && words[i].choice != AIORCH_TOOLS_NONE) {
    return making_refuse(m, "tool_choice", "\"tools\" has none to choose from");
  }
  aiorch_status status = aiorch_run_set_tool_choice(m->x->run, words[i].choice, name ? name->text : NULL, name ? name->len : 0);
  if (!making_check(m, status, "tool_choice")) return false;
  if (!alone || !alone->truth) return true;
  return making_option(m, "generate.parallel_tools", "false", 5, "tool_choice");
}

/* ---- how it is to answer ---- */

static const member_spec THINKING[] = {{"type", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                       {"budget_tokens", MEMBER_TAKEN, BODY_NUMBER, NULL, NULL},
                                       {"display", MEMBER_IGNORED, BODY_TEXT, NULL, NULL}};
static const member_spec FORMAT[] = {{"type", MEMBER_TAKEN, BODY_TEXT, NULL, NULL}, {"schema", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL}};
static const member_spec OUTPUT[] = {{"effort", MEMBER_TAKEN, BODY_TEXT, NULL, NULL}, {"format", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL}};

/* A budget of tokens becomes an effort, which is what all providers know. */
static bool take_thinking(making *m, const body_node *thinking) {
  enum { LOW_BUDGET = 2048, MEDIUM_BUDGET = 16384 };
  int64_t budget = 0;
  if (!thinking) return true;
  making_in(m, "thinking");
  if (!making_parts(m, thinking, "thinking", SPECS(THINKING))) return false;
  making_in(m, NULL);
  if (body_is(body_get(thinking, "type"), "adaptive")) return true;
  if (body_is(body_get(thinking, "type"), "disabled")) return making_option(m, "generate.effort", "none", 4, "thinking");
  if (!body_is(body_get(thinking, "type"), "enabled") || !body_i64(body_get(thinking, "budget_tokens"), &budget) || budget < 1) {
    return making_refuse(m, "thinking", "must be {\"type\": \"adaptive\"}, \"disabled\", or \"enabled\" with \"budget_tokens\"");
  }
  const char *effort = budget <= LOW_BUDGET ? "low" : budget <= MEDIUM_BUDGET ? "medium" : "high";
  return making_option(m, "generate.effort", effort, strlen(effort), "thinking");
}

static bool take_format(making *m, const body_node *format, const char *member) {
  if (!format) return true;
  const body_node *schema = body_get(format, "schema");
  making_in(m, member);
  if (!making_parts(m, format, member, SPECS(FORMAT))) return false;
  making_in(m, NULL);
  if (!body_is(body_get(format, "type"), "json_schema") || !schema) {
    return making_refuse(m, member, "must be {\"type\": \"json_schema\", \"schema\": {...}}");
  }
  return making_check(m, aiorch_run_set_schema(m->x->run, schema->raw, schema->raw_len, NULL, 0), member);
}

static bool take_output(making *m, const body_node *output) {
  if (!output) return true;
  making_in(m, "output_config");
  if (!making_parts(m, output, "output_config", SPECS(OUTPUT))) return false;
  making_in(m, NULL);
  if (!making_value(m, "generate.effort", body_get(output, "effort"), "output_config.effort")) return false;
  return take_format(m, body_get(output, "format"), "output_config.format");
}

/* What a beta adds to the body is looked at there, member by member; the rest of it is nothing that happens here. */
static void note_headers(making *m) {
  const char *betas = request_header(m->x->request, "anthropic-beta"), *profile = request_header(m->x->request, "anthropic-user-profile-id");
  if (betas && *betas) making_note(m, "the header \"anthropic-beta\" has no effect here");
  if (profile && *profile) making_note(m, "the header \"anthropic-user-profile-id\" has no effect here: who calls is known by the key");
}

static bool take_all(making *m, bool counting) {
  const body_node *f[MEMBER_COUNT] = {0};
  note_headers(m);
  if (!making_members(m, MEMBERS, MEMBER_COUNT, f)) return false;
  m->x->streamed = f[M_STREAM] && f[M_STREAM]->truth;
  if (!f[M_MAX_TOKENS] && !counting) return making_refuse(m, "max_tokens", "needed: the most tokens of the answer");
  if (!making_model(m, f[M_MODEL])) return false;
  return exchange_run_new(m->x, m->why) && making_own_options(m, f[M_OWN]) && anthropic_system(m, f[M_SYSTEM]) &&
         anthropic_conversation(m, f[M_MESSAGES]) && making_number(m, "generate.temperature", f[M_TEMPERATURE], "temperature") &&
         making_number(m, "generate.max_tokens", f[M_MAX_TOKENS], "max_tokens") && making_stop(m, f[M_STOP], "stop_sequences") &&
         take_tools(m, f[M_TOOLS]) && take_tool_choice(m, f[M_TOOL_CHOICE], f[M_TOOLS]) && take_thinking(m, f[M_THINKING]) &&
         take_output(m, f[M_OUTPUT]) && take_format(m, f[M_FORMAT], "output_format") && making_cache(m, f[M_CACHE], AIORCH_ROLE_SYSTEM, "cache_control") && making_finish(m);
}

bool anthropic_messages_read(exchange *x, const char *body, size_t len, bool counting, http_problem *why) {
  body_json json;
  bool good = body_parse(&json, body, len);
  headers_set(&x->headers, "request-id", x->request->id); /* where Anthropic's clients look for it */
  making m = {.x = x, .root = json.root, .why = why, .state = wire_state_of(x), .language = "anthropic"};
  if (!good) {
    http_problem_set(why, 400, "invalid_json", NULL, "the body is no JSON: %s, at byte %zu", json.wrong, json.where);
  } else {
    good = take_all(&m, counting);
  }
  making_end(&m);
  body_free(&json);
  return good;
}

bool anthropic_messages_begin(exchange *x, const char *body, size_t len, http_problem *why) {
  return anthropic_messages_read(x, body, len, false, why);
}
