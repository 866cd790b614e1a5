/*
 * See param_rules.h. Sources: Anthropic, "Migrating to 2026-10-21", "Effort" and the pages of its models; OpenAI, "Reasoning models"
 * and the pages of its models; Google, "Gemini thinking"; Ollama, docs/openai-compatibility; xAI, "Reasoning"; what the services
 * answered to others (issues of their SDKs). State: November 2026. What is not here is sent, and the service decides.
 */
#include "providers/param_rules.h"

#include <string.h>

#include "cost/prices.h"

#define CLAUDE_WITHOUT_SAMPLING \
  "claude-opus-4-7*|claude-opus-4-8*|claude-opus-5*|claude-sonnet-5*|claude-haiku-5*|claude-fable-*|claude-mythos-*"
#define CLAUDE_WITHOUT_EFFORT \
  "claude-2*|claude-3*|claude-instant*|claude-opus-4|claude-opus-4-0|claude-opus-4-1*|claude-opus-4-20*|claude-sonnet-4|claude-sonnet-4-0" \
  "|claude-sonnet-4-5*|claude-sonnet-4-20*|claude-haiku-4*"
#define OPENAI "openai|azure|openrouter"
#define OPENAI_REASONING "o1*|o3*|o4*|gpt-5*|gpt-6*"

static const aio__param_rule RULES[] = {
    /* Anthropic: the newest version of the interface has no sampling parameters; under older ones newer models refuse them. */
    {"anthropic", "*", "temperature", "2026-10-21", "*", NULL},
    {"anthropic|openrouter", CLAUDE_WITHOUT_SAMPLING, "temperature", NULL, "*", "1"},
    {"anthropic", "claude-opus-5-5*|claude-fable-5-1*|claude-mythos-5-1*", "tool_choice", NULL, "any|tool", NULL},
    {"anthropic", "claude-opus-5-5*|claude-fable-5*|claude-mythos-5*", "effort", NULL, "none", NULL},
    {"anthropic", CLAUDE_WITHOUT_EFFORT, "effort", NULL, "*", "none"},
    {"anthropic", "claude-opus-4-5*", "effort", NULL, "xhigh|max", NULL},
    {"anthropic", "claude-opus-4-6*|claude-sonnet-4-6*", "effort", NULL, "xhigh", NULL},

    /* OpenAI: models that reason. Those called chat do not. */
    {OPENAI, "gpt-5*-chat*|gpt-6*-chat*", "temperature", NULL, "", NULL},
    {OPENAI, OPENAI_REASONING, "temperature", NULL, "*", "1"},
    {OPENAI, "o3*|o4-mini*|gpt-5|gpt-5-mini*|gpt-5-nano*|gpt-5-20*", "stop", NULL, "*", NULL},
    {OPENAI, "gpt-4*|gpt-3*|chatgpt-*|gpt-5*-chat*", "effort", NULL, "*", NULL},
    {OPENAI, "o1*|o3*|o4*", "effort", NULL, "none|minimal|xhigh|max", NULL},
    {OPENAI, "gpt-5|gpt-5-mini*|gpt-5-nano*|gpt-5-20*", "effort", NULL, "none|xhigh|max", NULL},
    {OPENAI, "gpt-6-astra*|gpt-6.1-sol*|gpt-6.2-sol*", "effort", NULL, "none", NULL},

    /* Servers that speak OpenAI's language. */
    {"groq", "*", "effort", NULL, "minimal|xhigh|max", NULL},
    {"mistral|deepseek", "*", "effort", NULL, "*", NULL}, /* they refuse, or have their own member for it */
    {"xai", "grok-4*", "stop", NULL, "*", NULL},
    {"xai", "grok-4*", "effort", NULL, "*", NULL},
    {"ollama", "*", "tool_choice", NULL, "*", "auto|none"}, /* none: no tool is offered */

    {"gemini", "gemini-1*|gemini-2.0*", "effort", NULL, "*", "none"},
    {"gemini", "gemini-2.5-pro*", "effort", NULL, "none", NULL},
    {"gemini", "gemini-3-pro*|gemini-3.?-pro*", "effort", NULL, "none|minimal", NULL},
};

static bool matches(const char *patterns, aio__str name) {
  return aio__prices_match(aio__str_z(patterns), name);
}

bool aio__param_refused(aio__str where, aio__str model, aio__str version, const char *param, aio__str value) {
  for (size_t i = model.n; i > 0; i--) {
    if (model.p[i - 1] != '/') continue;
    model = aio__str_n(model.p + i, model.n - i);
    break;
  }
  for (size_t i = 0; i < sizeof RULES / sizeof RULES[0]; i++) {
    const aio__param_rule *rule = &RULES[i];
    if (strcmp(rule->param, param) != 0 || !matches(rule->where, where) || !matches(rule->models, model)) continue;
    if (rule->since && aio__str_cmp(version, aio__str_z(rule->since)) < 0) continue;
    return matches(rule->values, value) && !(rule->except && matches(rule->except, value));
  }
  return false;
}
