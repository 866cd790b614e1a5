/* See anthropic_messages.h. From the body of a request to a run. */
#include "anthropic_messages.h"

#include <stdlib.h>
#include <string.h>

enum { M_MODEL, M_MESSAGES, M_MAX_TOKENS, M_SYSTEM, M_STREAM, M_STOP, M_TEMPERATURE, M_TOOLS, M_TOOL_CHOICE, M_THINKING, M_OUTPUT, M_FORMAT,
       M_CACHE, M_OWN, M_REST };

static const member_spec MEMBERS[] = {
    [M_MODEL] = {"model", MEMBER_TAKEN, NULL, NULL},
    [M_MESSAGES] = {"messages", MEMBER_TAKEN, NULL, NULL},
    [M_MAX_TOKENS] = {"max_tokens", MEMBER_TAKEN, NULL, NULL},
    [M_SYSTEM] = {"system", MEMBER_TAKEN, "\"\"|[]", NULL},
    [M_STREAM] = {"stream", MEMBER_TAKEN, NULL, NULL},
    [M_STOP] = {"stop_sequences", MEMBER_TAKEN, NULL, NULL},
    [M_TEMPERATURE] = {"temperature", MEMBER_TAKEN, NULL, NULL},
    [M_TOOLS] = {"tools", MEMBER_TAKEN, "[]", NULL},
    [M_TOOL_CHOICE] = {"tool_choice", MEMBER_TAKEN, NULL, NULL},
    [M_THINKING] = {"thinking", MEMBER_TAKEN, NULL, NULL},
    [M_OUTPUT] = {"output_config", MEMBER_TAKEN, "{}", NULL},
    [M_FORMAT] = {"output_format", MEMBER_TAKEN, NULL, NULL},
    [M_CACHE] = {"cache_control", MEMBER_TAKEN, NULL, NULL},
    [M_OWN] = {"aiorch", MEMBER_TAKEN, NULL, NULL},
    [M_REST] = {"top_p", MEMBER_PASSED, "1|1.0", NULL},
    {"top_k", MEMBER_PASSED, NULL, NULL},
    {"metadata", MEMBER_IGNORED, NULL, NULL},
    {"service_tier", MEMBER_IGNORED, NULL, NULL},
    {"inference_geo", MEMBER_IGNORED, NULL, NULL},
    {"container", MEMBER_REFUSED, NULL, "code is not run here"},
    {"mcp_servers", MEMBER_REFUSED, "[]", "call tools of yours instead"},
    {"context_management", MEMBER_REFUSED, NULL, "send the conversation as it is to be"},
};
enum { MEMBER_COUNT = sizeof MEMBERS / sizeof MEMBERS[0] };

/* ---- tools ---- */

static bool take_tool(making *m, const body_node *tool) {
  const body_node *type = body_get(tool, "type"), *name = body_get_text(tool, "name"), *words = body_get_text(tool, "description");
  const body_node *schema = body_get(tool, "input_schema");
  if (type && !body_is(type, "custom")) return making_refuse(m, "type", "tools that Anthropic runs itself are not served here");
  if (!name) return making_refuse(m, "name", "a tool has a name");
  if (!schema || schema->type != BODY_OBJECT) return making_refuse(m, "input_schema", "must be a JSON schema, an object");
  return making_check(m, aiorch_run_add_tool(m->x->run, name->text, name->len, words ? words->text : NULL, words ? words->len : 0,
                                             schema->raw, schema->raw_len), "name");
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
  } words[] = {{"auto", AIORCH_TOOLS_AUTO}, {"none", AIORCH_TOOLS_NONE}, {"any", AIORCH_TOOLS_ANY}, {"tool", AIORCH_TOOLS_ONE}};
  if (!choice) return true;
  const body_node *type = body_get(choice, "type"), *name = body_get_text(choice, "name"), *alone = body_get(choice, "disable_parallel_tool_use");
  size_t i = 0, count = sizeof words / sizeof words[0];
  while (i < count && !body_is(type, words[i].name)) i++;
  if (i == count || (words[i].choice == AIORCH_TOOLS_ONE && !name)) {
    return making_refuse(m, "tool_choice", "must be {\"type\": \"auto\"}, \"any\", \"none\", or \"tool\" with a \"name\"");
  }
  aiorch_status status = aiorch_run_set_tool_choice(m->x->run, words[i].choice, name ? name->text : NULL, name ? name->len : 0);
  if (!making_check(m, status, "tool_choice")) return false;
  if (!alone || alone->type != BODY_BOOL || !alone->truth) return true;
  return making_option(m, "generate.parallel_tools", "false", 5, "tool_choice");
}

/* ---- how it is to answer ---- */

/* A budget of tokens becomes an effort, which is what all providers know. */
static bool take_thinking(making *m, const body_node *thinking) {
  enum { LOW_BUDGET = 2048, MEDIUM_BUDGET = 16384 };
  int64_t budget = 0;
  if (!thinking || body_is(body_get(thinking, "type"), "adaptive")) return true;
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
  if (!body_is(body_get(format, "type"), "json_schema") || !schema || schema->type != BODY_OBJECT) {
    return making_refuse(m, member, "must be {\"type\": \"json_schema\", \"schema\": {...}}");
  }
  return making_check(m, aiorch_run_set_schema(m->x->run, schema->raw, schema->raw_len, NULL, 0), member);
}

static bool take_output(making *m, const body_node *output) {
  if (!output) return true;
  if (output->type != BODY_OBJECT) return making_refuse(m, "output_config", "must be an object");
  for (const body_node *member = output->child; member; member = member->next) {
    if (!body_named(member, "effort") && !body_named(member, "format")) {
      return making_refuse(m, "output_config", "has \"effort\" and \"format\" here");
    }
  }
  const body_node *effort = body_get(output, "effort");
  if (effort && effort->type != BODY_TEXT) return making_refuse(m, "output_config.effort", "must be a text");
  if (effort && !making_option(m, "generate.effort", effort->text, effort->len, "output_config.effort")) return false;
  return take_format(m, body_get(output, "format"), "output_config.format");
}

static bool take_all(making *m) {
  const body_node *f[MEMBER_COUNT] = {0};
  if (m->root->type != BODY_OBJECT) return making_refuse(m, NULL, "the body must be a JSON object");
  if (!making_members(m, MEMBERS, MEMBER_COUNT, f)) return false;
  if (f[M_STREAM] && f[M_STREAM]->type != BODY_BOOL) return making_refuse(m, "stream", "must be true or false");
  m->x->streamed = f[M_STREAM] && f[M_STREAM]->truth;
  if (!f[M_MAX_TOKENS]) return making_refuse(m, "max_tokens", "needed: the most tokens of the answer");
  if (!making_model(m, f[M_MODEL])) return false;
  if (f[M_STOP] && f[M_STOP]->type != BODY_ARRAY) return making_refuse(m, "stop_sequences", "must be a list of texts");
  return exchange_run_new(m->x, m->why) && making_own_options(m, f[M_OWN]) && anthropic_system(m, f[M_SYSTEM]) &&
         anthropic_conversation(m, f[M_MESSAGES]) && making_number(m, "generate.temperature", f[M_TEMPERATURE], "temperature") &&
         making_number(m, "generate.max_tokens", f[M_MAX_TOKENS], "max_tokens") && making_stop(m, f[M_STOP], "stop_sequences") &&
         take_tools(m, f[M_TOOLS]) && take_tool_choice(m, f[M_TOOL_CHOICE]) && take_thinking(m, f[M_THINKING]) &&
         take_output(m, f[M_OUTPUT]) && take_format(m, f[M_FORMAT], "output_format") && making_cache(m, f[M_CACHE], AIORCH_ROLE_SYSTEM, "cache_control") && making_finish(m);
}

bool anthropic_messages_begin(exchange *x, const char *body, size_t len, http_problem *why) {
  body_json json;
  bool good = body_parse(&json, body, len);
  headers_set(&x->headers, "request-id", x->request->id); /* where Anthropic's clients look for it */
  making m = {.x = x, .root = json.root, .why = why, .state = wire_state_of(x), .language = "anthropic"};
  if (!good) {
    http_problem_set(why, 400, "invalid_json", NULL, "the body is no JSON: %s, at byte %zu", json.wrong, json.where);
  } else {
    good = take_all(&m);
  }
  making_end(&m);
  body_free(&json);
  return good;
}
