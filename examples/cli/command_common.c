/*
 * What several commands share.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

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
