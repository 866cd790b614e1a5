/*
 * aiorch screen: what the validate stage thinks of texts, one JSON line in, one verdict out.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

static int screen_text(cli *c, const char *text, size_t len) {
  aiorch_text *verdict;
  const char *json = "";
  size_t json_len = 0;
  if (aiorch_screen(c->orch, text, len, &verdict, c->error) != AIORCH_OK) return cli_fail(c);
  aiorch_text_get(verdict, &json, &json_len);
  fwrite(json, 1, json_len, stdout);
  putchar('\n');
  fflush(stdout); /* a program at the other end may wait for this very line */
  aiorch_text_free(verdict);
  return CLI_EXIT_OK;
}

static int screen_line(cli *c, const char *line, size_t len, size_t number) {
  size_t where = 0;
  json_value *value = json_parse(line, len, &where);
  const json_value *text = json_get(value, "text");
  int code;
  if (!value) {
    code = cli_error(c, CLI_EXIT_USAGE, AIORCH_E_INVALID,
                     "screen: line %zu is no JSON (byte %zu); each line is an object: {\"text\": \"...\"}", number,
                     where);
  } else if (!text || text->type != JSON_TEXT) {
    code = cli_error(c, CLI_EXIT_USAGE, AIORCH_E_INVALID,
                     "screen: line %zu has no text in the member \"text\"; write {\"text\": \"...\"}", number);
  } else {
    code = screen_text(c, text->text ? text->text : "", text->len);
  }
  json_free(value);
  return code;
}

static bool is_blank_line(const char *line, size_t len) { return strspn(line, " \t\r\n") >= len; }

static int screen_stdin(cli *c) {
  char *line = NULL;
  size_t cap = 0, number = 0;
  ssize_t len;
  int code = CLI_EXIT_OK;
  while (code == CLI_EXIT_OK && !cli_interrupted() && (len = getline(&line, &cap, stdin)) >= 0) {
    number++;
    if (!is_blank_line(line, (size_t)len)) code = screen_line(c, line, (size_t)len, number);
  }
  free(line);
  if (code == CLI_EXIT_OK && cli_interrupted()) return CLI_EXIT_INTERRUPTED;
  if (code == CLI_EXIT_OK && ferror(stdin)) {
    return cli_error(c, CLI_EXIT_INTERNAL, AIORCH_E_SYSTEM, "screen: stdin cannot be read any further");
  }
  return code;
}

int command_screen(cli *c) {
  cli_bytes text = {0};
  bool lines = c->arg_count == 1 && strcmp(c->args[0], "-") == 0;
  c->opt.store = "memory"; /* screening needs no store */
  int code = cli_open(c);
  if (code != CLI_EXIT_OK) return code;
  if (lines) return screen_stdin(c);
  code = cli_text_argument(c, 0, &text);
  if (code == CLI_EXIT_OK) code = screen_text(c, cli_z(&text), text.len);
  cli_release(&text);
  return code;
}
