/* Settings from the environment: see aiorch_config_from_env. Values are taken as they are; nothing is probed. */
#include "api/config.h"

#include <aiorch/error.h>

#include <stdlib.h>
#include <string.h>

enum { ADDRESS_MAX = 1024 };

#define OLLAMA_PORT "11434"

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value == NULL || value[0] == '\0' ? NULL : value;
}

/* The first of the two that is there. */
static const char *either(const char *name, const char *other, const char **found) {
  *found = name;
  const char *value = variable(name);
  if (value != NULL || other == NULL) return value;
  *found = other;
  return variable(other);
}

static aiorch_status set(aio__options *options, const char *from, const char *key, const char *value, aiorch_error *error) {
  aiorch_error why;
  aio__error_init(&why);
  aiorch_status status = aio__options_set_plain(options, aio__str_z(key), aio__str_z(value), &why);
  return status == AIORCH_OK ? status : aio__error_set(error, status, "%s in the environment: %s", from, why.message);
}

/* ---- providers ---- */

/* A key from here goes to no address that was meant for another, and the other way round: the file has both, or neither. */
static bool is_taken(const aio__options *options, const char *name) {
  const aio__provider_settings *settings = aio__provider_list_find(&options->providers, aio__str_z(name));
  return settings != NULL && (settings->base_url[0] != '\0' || settings->key[0] != '\0');
}

static aiorch_status fill(aio__options *options, const char *from, const char *name, const char *key, const char *value,
                          aiorch_error *error) {
  char full[AIO__PROVIDER_SETTINGS_NAME_MAX + 64];
  aio__buf text;
  if (value == NULL) return AIORCH_OK;
  aio__buf_init(&text, options->al, sizeof full);
  aio__buf_fmt(&text, "providers.%s.%s", name, key);
  memcpy(full, aio__buf_cstr(&text), text.n + 1);
  aiorch_status status = text.failed;
  aio__buf_free(&text);
  if (status) return aio__error_set(error, status, "out of memory for what the environment says");
  return set(options, from, full, value, error);
}

static aiorch_status add_keyed(aio__options *options, const char *name, const char *key_variable, const char *other,
                               const char *address_variable, bool address_alone, aiorch_error *error) {
  const char *from, *key = either(key_variable, other, &from), *address = variable(address_variable);
  if (is_taken(options, name) || (key == NULL && !(address_alone && address != NULL))) return AIORCH_OK;
  aiorch_status status = fill(options, from, name, "key", key, error);
  return status != AIORCH_OK ? status : fill(options, address_variable, name, "base_url", address, error);
}

/* "127.0.0.1", ":11434", "0.0.0.0:11434", "http://host": what ollama itself takes; where it listens on all, it is here. */
static aiorch_status add_ollama(aio__options *options, aiorch_error *error) {
  const char *host = variable("OLLAMA_HOST");
  if (host == NULL || is_taken(options, "ollama")) return AIORCH_OK;
  if (strlen(host) > ADDRESS_MAX) {
    return aio__error_set(error, AIORCH_E_CONFIG_RANGE, "OLLAMA_HOST in the environment: more than %d bytes", ADDRESS_MAX);
  }
  aio__buf url;
  aio__buf_init(&url, options->al, 2 * ADDRESS_MAX);
  const char *rest = strstr(host, "://");
  bool plain = rest == NULL;
  rest = plain ? host : rest + 3;
  if (plain) aio__buf_z(&url, "http://");
  else aio__buf_add(&url, host, (size_t)(rest - host));
  size_t n = strcspn(rest, ":/");
  if (rest[0] == '[') n = strcspn(rest, "]") + (strchr(rest, ']') != NULL ? 1 : 0);
  aio__str name = aio__str_n(rest, n);
  if (n == 0 || aio__str_eqz(name, "0.0.0.0")) aio__buf_z(&url, "127.0.0.1");
  else if (aio__str_eqz(name, "[::]")) aio__buf_z(&url, "[::1]");
  else aio__buf_str(&url, name);
  if (plain && rest[n] != ':') aio__buf_z(&url, ":" OLLAMA_PORT);
  aio__buf_z(&url, rest + n);
  aiorch_status status = url.failed ? aio__error_set(error, url.failed, "out of memory for what the environment says")
                                    : fill(options, "OLLAMA_HOST", "ollama", "base_url", aio__buf_cstr(&url), error);
  aio__buf_free(&url);
  return status != AIORCH_OK ? status : fill(options, "OLLAMA_API_KEY", "ollama", "key", variable("OLLAMA_API_KEY"), error);
}

static aiorch_status add_providers(aio__options *options, aiorch_error *error) {
  aiorch_status status = add_keyed(options, "anthropic", "ANTHROPIC_API_KEY", NULL, "ANTHROPIC_BASE_URL", false, error);
  if (status == AIORCH_OK) status = add_keyed(options, "openai", "OPENAI_API_KEY", NULL, "OPENAI_BASE_URL", true, error);
  if (status == AIORCH_OK) {
    status = add_keyed(options, "gemini", "GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL", false, error);
  }
  return status == AIORCH_OK ? add_ollama(options, error) : status;
}

/* Only for the service that was named, and only where it has no address of its own: a key goes to whom it belongs. */
static aiorch_status add_embedder_key(aio__options *options, aiorch_error *error) {
  static const char *const keys[][2] = {
      {"huggingface", "HF_TOKEN"}, {"openai", "OPENAI_API_KEY"}, {"ollama", "OLLAMA_API_KEY"}};
  if (options->embedder_key[0] != '\0' || options->embedder_base_url[0] != '\0') return AIORCH_OK;
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    if (strcmp(options->embedder, keys[i][0]) != 0) continue;
    /* With a provider of that name its address and key go together. */
    if (aio__provider_list_find(&options->providers, aio__str_z(keys[i][0])) != NULL) return AIORCH_OK;
    const char *value = variable(keys[i][1]);
    return value == NULL ? AIORCH_OK : set(options, keys[i][1], "embedder.key", value, error);
  }
  return AIORCH_OK;
}

aiorch_status aio__config_apply_env(aio__options *options, aiorch_error *error) {
  static const char *const settings[][2] = {{"AIORCH_STORE", "store"},
                                            {"AIORCH_TENANCY", "tenancy"},
                                            {"AIORCH_DEADLINE_MS", "deadline_ms"},
                                            {"AIORCH_EMBEDDER", "embedder"},
                                            {"AIORCH_EMBEDDER_MODEL", "embedder.model"}};
  options->generate_extractive_last = 1;
  const char *file = variable("AIORCH_CONFIG");
  aiorch_status status = file == NULL ? AIORCH_OK : aio__config_apply_file(options, file, error);
  for (size_t i = 0; i < sizeof settings / sizeof settings[0] && status == AIORCH_OK; i++) {
    const char *value = variable(settings[i][0]);
    if (value != NULL) status = set(options, settings[i][0], settings[i][1], value, error);
  }
  if (status == AIORCH_OK) status = add_providers(options, error);
  return status == AIORCH_OK ? add_embedder_key(options, error) : status;
}
