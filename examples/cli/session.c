/*
 * From options to an open orchestrator and back, and from a status to an exit code.
 */
#include "cli.h"
#include "key_origin.h"

#include <stdlib.h>
#include <string.h>

enum { CLOSE_STEP_MS = 1000, CLOSE_STEPS = 10 };

/* Statuses that do not go by their block. */
static const struct {
  aiorch_status status;
  cli_exit code;
} exit_codes[] = {
    {AIORCH_E_INVALID, CLI_EXIT_USAGE},
    {AIORCH_E_NOMEM, CLI_EXIT_INTERNAL},
    {AIORCH_E_STATE, CLI_EXIT_USAGE}, /* a stage without its input */
    {AIORCH_E_CANCELLED, CLI_EXIT_INTERRUPTED},
    {AIORCH_E_DEADLINE, CLI_EXIT_DEADLINE},
    {AIORCH_E_REENTRANT, CLI_EXIT_INTERNAL},
    {AIORCH_E_NOT_FOUND, CLI_EXIT_NOT_FOUND},
    {AIORCH_E_CLOSED, CLI_EXIT_INTERNAL},
    {AIORCH_E_UNSUPPORTED, CLI_EXIT_CONFIG},
    {AIORCH_E_TOO_LARGE, CLI_EXIT_USAGE},
    {AIORCH_E_INTERNAL, CLI_EXIT_INTERNAL},
    {AIORCH_E_FORKED, CLI_EXIT_INTERNAL},
    {AIORCH_E_SYSTEM, CLI_EXIT_INTERNAL},
    {AIORCH_E_INVALID_INPUT, CLI_EXIT_REFUSED},
    {AIORCH_E_INJECTION, CLI_EXIT_REFUSED},
    {AIORCH_E_RATE_LIMITED, CLI_EXIT_LIMITED},
    {AIORCH_E_BUDGET_EXCEEDED, CLI_EXIT_LIMITED},
    {AIORCH_E_DOCUMENT, CLI_EXIT_USAGE},
    {AIORCH_E_EMBEDDER_MISMATCH, CLI_EXIT_CONFIG}, /* another model is set than the one that embedded what is there */
    {AIORCH_E_MODEL, CLI_EXIT_CONFIG},
    {AIORCH_E_OUTPUT_BLOCKED, CLI_EXIT_REFUSED},
};

/* What the table does not name goes by its block of a hundred. */
cli_exit cli_exit_of(aiorch_status status) {
  if (status >= 0) return CLI_EXIT_OK;
  for (size_t i = 0; i < sizeof exit_codes / sizeof exit_codes[0]; i++) {
    if (exit_codes[i].status == status) return exit_codes[i].code;
  }
  switch (status / 100) {
    case -1: return CLI_EXIT_CONFIG;
    case -2: return CLI_EXIT_REFUSED;
    case -3: return CLI_EXIT_LIMITED;
    case -5: return CLI_EXIT_PROVIDERS;
    case -6: return CLI_EXIT_STORE;
    default: return CLI_EXIT_INTERNAL;
  }
}

int cli_fail_error(cli *c, const aiorch_error *error) {
  cli_error_line(c, aiorch_error_message(error));
  if (c->opt.json || c->opt.stream_json) {
    json_print p = {0};
    jp_open(&p, '{');
    if (c->opt.stream_json) jp_kz(&p, "type", "error");
    jp_key(&p, "error");
    jp_error(&p, error);
    jp_close(&p, '}');
    jp_finish(&p);
  }
  return (int)cli_exit_of(aiorch_error_status(error));
}

int cli_fail(cli *c) { return cli_fail_error(c, c->error); }

size_t cli_tenant_len(const cli *c) { return strlen(c->opt.tenant); }

/* Settings of a provider are described once, as "providers.NAME.KEY". */
static bool is_setting(const char *described, const char *key) {
  static const char any[] = "providers.NAME.";
  const char *last = strrchr(key, '.');
  if (strncmp(described, any, sizeof any - 1) != 0) return strcmp(described, key) == 0;
  return last && strncmp(key, any, 10) == 0 && last > key + 10 && strcmp(described + sizeof any - 1, last + 1) == 0;
}

int cli_setting_type(const char *key) {
  static const struct {
    const char *name;
    int type;
  } types[] = {{"str", AIORCH_TYPE_STR}, {"i64", AIORCH_TYPE_I64}, {"f64", AIORCH_TYPE_F64},
               {"bool", AIORCH_TYPE_BOOL}};
  aiorch_text *text;
  for (size_t i = 0; aiorch_config_describe(i, &text) == AIORCH_OK; i++) {
    json_value *setting = json_take(text);
    bool found = is_setting(json_text(setting, "key"), key);
    int type = 0;
    for (size_t t = 0; found && t < sizeof types / sizeof types[0]; t++) {
      if (strcmp(json_text(setting, "type"), types[t].name) == 0) type = types[t].type;
    }
    json_free(setting);
    if (found) return type;
  }
  return 0;
}

/* A value that does not read as its type is set as text, so that the library's own message says what is wrong. */
static aiorch_status set_setting(cli *c, const char *key, const char *value) {
  char *end = NULL;
  switch (cli_setting_type(key)) {
    case AIORCH_TYPE_I64: {
      long long number = strtoll(value, &end, 10);
      if (end != value && !*end) return aiorch_config_set_i64(c->config, key, number, c->error);
      break;
    }
    case AIORCH_TYPE_F64: {
      double number = strtod(value, &end);
      if (end != value && !*end) return aiorch_config_set_f64(c->config, key, number, c->error);
      break;
    }
    case AIORCH_TYPE_BOOL:
      if (strcmp(value, "true") == 0) return aiorch_config_set_bool(c->config, key, 1, c->error);
      if (strcmp(value, "false") == 0) return aiorch_config_set_bool(c->config, key, 0, c->error);
      break;
    default:
      break;
  }
  return aiorch_config_set_str(c->config, key, value, strlen(value), c->error);
}

/* Whoever is on this machine sees the arguments of its programs. */
static void warn_of_key(const cli *c, const char *key, const char *value) {
  size_t len = strlen(key);
  if (len < 4 || strcmp(key + len - 4, ".key") != 0 || !*value || strstr(value, "${") || c->opt.quiet) return;
  cli_warn(c, "%s stands on the command line, where others on this machine can read it; write '%s=${NAME}' with the name of a variable",
           key, key);
}

static void warn_of_password(const cli *c, const char *store) {
  const char *names = strstr(store, "://"), *at = names ? strrchr(names, '@') : NULL, *colon = names ? strchr(names + 3, ':') : NULL;
  bool has = (at && colon && colon < at) || (names && strstr(names, "password="));
  if (!has || strstr(store, "${") || c->opt.quiet) return;
  cli_warn(c, "a password stands on the command line, where others on this machine can read it; put it in the file that PGPASSFILE names,"
              " or write '${NAME}' in its place, with the name of a variable");
}

/* "serve" and "keys" have settings of their own. */
static bool serves(const cli *c) {
  return c->command && (strcmp(c->command->name, "serve") == 0 || strcmp(c->command->name, "keys") == 0);
}

static aiorch_status apply_sets(cli *c) {
  for (size_t i = 0; i < c->opt.set.count; i++) {
    const char *value = NULL;
    size_t name_len = 0;
    cli_pair(c->opt.set.items[i], &value, &name_len);
    if (serves(c) && strncmp(c->opt.set.items[i], "server.", 7) == 0) continue; /* read by the server itself */
    char *key = cli_copy(c->opt.set.items[i], name_len);
    warn_of_key(c, key, value);
    if (strcmp(key, "store") == 0) warn_of_password(c, value);
    aiorch_status status = set_setting(c, key, value);
    free(key);
    if (status != AIORCH_OK) return status;
  }
  return AIORCH_OK;
}

static void read_timeout(cli *c) {
  aiorch_text *text;
  const char *value = "";
  c->timeout_ms = 120000;
  if (aiorch_config_get(c->config, "deadline_ms", &text, NULL) != AIORCH_OK) return;
  if (aiorch_text_get(text, &value, NULL) == AIORCH_OK) c->timeout_ms = strtoll(value, NULL, 10);
  aiorch_text_free(text);
}

/* Whatever is wrong with a configuration is 7: one that is a folder or too long too. One that is not there stays 9. */
static int fail_configuration(cli *c) {
  int code = cli_fail(c);
  return code == CLI_EXIT_NOT_FOUND || aiorch_error_status(c->error) == AIORCH_E_NOMEM ? code : CLI_EXIT_CONFIG;
}

int cli_configure(cli *c) {
  if (aiorch_error_new(&c->error) != AIORCH_OK || aiorch_config_new(&c->config) != AIORCH_OK) {
    return cli_error(c, CLI_EXIT_INTERNAL, AIORCH_E_NOMEM, "out of memory; free some and try again");
  }
  if (aiorch_config_from_env(c->config, c->error) != AIORCH_OK) return fail_configuration(c);
  if (c->opt.config && (aiorch_config_load_file(c->config, c->opt.config, c->error) != AIORCH_OK ||
                        key_origin_guard(c) != AIORCH_OK)) {
    return fail_configuration(c);
  }
  if (c->opt.store) warn_of_password(c, c->opt.store);
  if (c->opt.store &&
      aiorch_config_set_str(c->config, "store", c->opt.store, strlen(c->opt.store), c->error) != AIORCH_OK) {
    return fail_configuration(c);
  }
  if (!c->opt.user && aiorch_config_set_bool(c->config, "anonymous", 1, c->error) != AIORCH_OK) return cli_fail(c);
  if (apply_sets(c) != AIORCH_OK) return fail_configuration(c);
  read_timeout(c);
  return CLI_EXIT_OK;
}

int cli_open(cli *c) {
  int code = cli_configure(c);
  if (code != CLI_EXIT_OK) return code;
  return aiorch_open(c->config, &c->orch, c->error) == AIORCH_OK ? CLI_EXIT_OK : cli_fail(c);
}

void cli_close(cli *c) {
  if (c->orch) {
    int steps = 0;
    while (aiorch_close(c->orch, CLOSE_STEP_MS) == AIORCH_AGAIN && ++steps < CLOSE_STEPS) continue;
    aiorch_free(c->orch);
  }
  aiorch_config_free(c->config);
  aiorch_error_free(c->error);
}
