/*
 * What several commands share.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool command_print_json(const cli *c, const aiorch_text *text) {
  const char *json;
  size_t len;
  if (!c->opt.json && !c->opt.stream_json) return false;
  if (aiorch_text_get(text, &json, &len) == AIORCH_OK) {
    fwrite(json, 1, len, stdout);
    putchar('\n');
  }
  return true;
}

char *command_source(const char *given) {
  char *path = realpath(given, NULL);
  return path ? path : cli_copy(given, strlen(given));
}

int command_verb(cli *c, const char *words) {
  const char *verb = c->args[0];
  int index = 0;
  for (const char *at = words; *at; index++) {
    size_t len = strcspn(at, " ");
    if (strlen(verb) == len && strncmp(at, verb, len) == 0) return index;
    at += len + (at[len] == ' ');
  }
  cli_usage(c, "'%s %s': the second word is one of: %s", c->command->name, verb, words);
  return -1;
}

size_t command_threads(const cli *c) {
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  if (c->opt.threads) return (size_t)c->opt.threads;
  return processors < 1 ? 1 : processors > 256 ? 256 : (size_t)processors;
}

static aiorch_status set_text(cli *c, const char *key, const char *value) {
  return value ? aiorch_config_set_str(c->config, key, value, strlen(value), c->error) : AIORCH_OK;
}

/* A model that was never measured needs its thresholds set, but not by who compares nothing. */
static aiorch_status set_no_thresholds(cli *c) {
  aiorch_status status = aiorch_config_set_f64(c->config, "retrieve.threshold", 1, c->error);
  return status == AIORCH_OK ? aiorch_config_set_f64(c->config, "cache.threshold", 1, c->error) : status;
}

int command_open_model(cli *c, bool compares) {
  int code = cli_configure(c);
  if (code != CLI_EXIT_OK) return code;
  if (!compares && set_no_thresholds(c) != AIORCH_OK) return cli_fail(c);
  bool named = c->opt.model || c->opt.precision;
  if (set_text(c, "embedder", named ? "local" : NULL) != AIORCH_OK ||
      set_text(c, "embedder.local.model", c->opt.model) != AIORCH_OK ||
      set_text(c, "embedder.local.precision", c->opt.precision) != AIORCH_OK) {
    return cli_fail(c);
  }
  return aiorch_open(c->config, &c->orch, c->error) == AIORCH_OK ? CLI_EXIT_OK : cli_fail(c);
}

int command_no_server(cli *c) {
  return cli_error(c, CLI_EXIT_CONFIG, AIORCH_E_UNSUPPORTED,
                   "this build has no server; install libmicrohttpd-dev (sh scripts/install-deps.sh), then build again with -DAIORCH_WITH_SERVER=ON");
}
