/*
 * See openai_servers.h. Sources: the pages of each service about its interface and its errors; docs/providers.md names them with
 * what follows from each line.
 */
#include "providers/openai_servers.h"

#include <string.h>

#include "cost/prices.h"

static const aio__openai_server SERVERS[] = {
    {"openai", "api.openai.com|*.api.openai.com", "https://api.openai.com/v1", 4, 0},
    {"azure", "*.openai.azure.com|*.services.ai.azure.com|*.cognitiveservices.azure.com", NULL, 4, AIO__OPENAI_API_KEY_HEADER},
    {"openrouter", "openrouter.ai", "https://openrouter.ai/api/v1", 0,
     AIO__OPENAI_MAX_TOKENS | AIO__OPENAI_EFFORT_OBJECT | AIO__OPENAI_CACHE_MARKERS},
    {"groq", "api.groq.com", "https://api.groq.com/openai/v1", 4, 0},
    {"mistral", "api.mistral.ai", "https://api.mistral.ai/v1", 0,
     AIO__OPENAI_MAX_TOKENS | AIO__OPENAI_NO_STREAM_OPTIONS | AIO__OPENAI_TOOL_NAMES},
    {"deepseek", "api.deepseek.com", "https://api.deepseek.com", 16,
     AIO__OPENAI_MAX_TOKENS | AIO__OPENAI_NO_SCHEMA | AIO__OPENAI_REASONING_BACK},
    {"together", "api.together.xyz|api.together.ai", "https://api.together.xyz/v1", 0,
     AIO__OPENAI_MAX_TOKENS | AIO__OPENAI_FORBIDDEN_IS_TOO_LONG},
    {"xai", "api.x.ai", "https://api.x.ai/v1", 4, AIO__OPENAI_REASONING_OUTSIDE},
    {"gemini", "generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com/v1beta/openai", 0, AIO__OPENAI_MAX_TOKENS},
    {"vllm", NULL, "http://localhost:8000/v1", 0, AIO__OPENAI_MAX_TOKENS},
    {"llama.cpp", NULL, "http://localhost:8080/v1", 0, AIO__OPENAI_MAX_TOKENS | AIO__OPENAI_REASONING_BACK},
    {"ollama", NULL, "http://localhost:11434/v1", 0, AIO__OPENAI_MAX_TOKENS},
    {"huggingface", "router.huggingface.co", "https://router.huggingface.co/v1", 0, AIO__OPENAI_MAX_TOKENS},
    {"compatible", NULL, NULL, 0, AIO__OPENAI_MAX_TOKENS}, /* the last: all others */
};
enum { SERVERS_COUNT = sizeof SERVERS / sizeof SERVERS[0] };

const aio__openai_server *aio__openai_server_find(aio__str name, aio__str base_url) {
  for (size_t i = 0; i < SERVERS_COUNT && name.n > 0; i++) {
    if (aio__str_eqz(name, SERVERS[i].name)) return &SERVERS[i];
  }
  if (name.n > 0) return NULL;
  if (base_url.n == 0) return &SERVERS[0];
  aio__str host = aio__wire_host(base_url);
  for (size_t i = 0; i < SERVERS_COUNT; i++) {
    if (SERVERS[i].hosts && aio__prices_match(aio__str_z(SERVERS[i].hosts), host)) return &SERVERS[i];
  }
  return &SERVERS[SERVERS_COUNT - 1];
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

typedef struct error_code {
  const char *code; /* or type */
  aiorch_status status;
  bool not_today;
} error_code;

static const error_code CODES[] = {
    {"insufficient_quota", AIORCH_E_PROVIDER_KEY, true},
    {"billing_hard_limit_reached", AIORCH_E_PROVIDER_KEY, true},
    {"billing_not_active", AIORCH_E_PROVIDER_KEY, true},
    {"access_terminated", AIORCH_E_PROVIDER_KEY, true},
    {"invalid_api_key", AIORCH_E_PROVIDER_KEY, false},
    {"account_deactivated", AIORCH_E_PROVIDER_KEY, false},
    {"context_length_exceeded", AIORCH_E_CONTEXT_WINDOW, false},
    {"exceed_context_size_error", AIORCH_E_CONTEXT_WINDOW, false},
    {"content_filter", AIORCH_E_PROVIDER_REJECTED, false},
    {"content_policy_violation", AIORCH_E_PROVIDER_REJECTED, false},
    {"model_not_found", AIORCH_E_PROVIDER_MODEL, false},
    {"DeploymentNotFound", AIORCH_E_PROVIDER_MODEL, false},
    {"rate_limit_exceeded", AIORCH_E_PROVIDER_LIMIT, false},
    {"server_error", AIORCH_E_PROVIDER_BUSY, false},
    {"overloaded_error", AIORCH_E_PROVIDER_BUSY, false},
};

static const error_code *find_code(aio__str text) {
  for (size_t i = 0; i < sizeof CODES / sizeof CODES[0] && text.n > 0; i++) {
    if (aio__str_eqz(text, CODES[i].code)) return &CODES[i];
  }
  return NULL;
}

/* OpenRouter moderates what it hands on, and says so with 403. */
static bool was_moderated(const aio__error_body *body) {
  const aio__tape *t = body->tape;
  aio__tape_value metadata = AIO__TAPE_GET(t, body->error, "metadata");
  return AIO__TAPE_GET(t, metadata, "flagged_input") != AIO__TAPE_NONE || aio__wire_has(body->message, "requires moderation");
}

/* What is wrong with the configuration, said with the status of a request that is wrong: a key (xAI), the name of a model (DeepSeek,
 * OpenRouter). Only whole messages, or how one begins and ends: words of the request may stand in them. */
static aiorch_status misconfigured(aio__str message) {
  static const char end[] = " is not a valid model ID";
  size_t n = sizeof end - 1;
  if (aio__str_starts(message, AIO__LIT("Incorrect API key provided"))) return AIORCH_E_PROVIDER_KEY;
  bool no_model = aio__str_eqz(message, "Model Not Exist") || (message.n > n && memcmp(message.p + message.n - n, end, n) == 0);
  return no_model ? AIORCH_E_PROVIDER_MODEL : AIORCH_E_PROVIDER_REJECTED;
}

void aio__openai_server_fail(const aio__openai_server *server, const aio__error_body *body, aio__wire_error *error) {
  const error_code *code = find_code(body->code);
  if (!code) code = find_code(body->type);
  if (error->status == AIORCH_E_PROVIDER_KEY && was_moderated(body)) {
    error->status = AIORCH_E_PROVIDER_REJECTED;
  } else if (error->http_status == 413 && code && code->status == AIORCH_E_PROVIDER_LIMIT) {
    error->status = code->status; /* Groq: one request of more tokens than a minute allows; asking again is of no use */
    error->should_retry = 0;
  } else if (error->http_status == 403 && (server->flags & AIO__OPENAI_FORBIDDEN_IS_TOO_LONG) && aio__wire_has(body->message, "token")) {
    error->status = AIORCH_E_CONTEXT_WINDOW;
  } else if (code) {
    error->status = code->status;
    error->not_today = code->not_today;
  }
  /* Words of those that have no codes. */
  if (error->status == AIORCH_E_PROVIDER_REJECTED && error->http_status == 400) error->status = misconfigured(body->message);
  if (error->status == AIORCH_E_PROVIDER_LIMIT) {
    error->not_today = aio__wire_has(body->message, "per day") || aio__wire_has(body->message, "(RPD)") ||
                       aio__wire_has(body->message, "(TPD)") || aio__wire_has(body->message, "free-models-per-day");
  }
}
