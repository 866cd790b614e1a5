/*
 * aiorch config: check a configuration, show every setting's value, describe settings.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

/* ---- check: everything that aiorch_open checks, on a store in memory, so that nothing is made or changed ---- */

static int check_config(cli *c) {
  if (c->arg_count == 2) c->opt.config = c->args[1];
  int code = cli_configure(c);
  if (code != CLI_EXIT_OK) return code;
  if (aiorch_config_set_str(c->config, "store", "memory", 6, c->error) != AIORCH_OK ||
      aiorch_open(c->config, &c->orch, c->error) != AIORCH_OK) {
    return cli_fail(c);
  }
  if (c->opt.json || c->opt.stream_json) {
    json_print p = {0};
    jp_open(&p, '{');
    jp_key(&p, "ok");
    jp_bool(&p, true);
    jp_close(&p, '}');
    jp_finish(&p);
  } else if (!c->opt.quiet) {
    puts("The configuration is good.");
  }
  return CLI_EXIT_OK;
}

/* ---- show ---- */

static void show_json(json_print *p, const json_value *setting, const char *value, size_t len) {
  bool text = strcmp(json_text(setting, "type"), "str") == 0;
  jp_key(p, json_text(setting, "key"));
  if (text) {
    jp_str(p, value, len);
  } else {
    jp_raw(p, value, len);
  }
}

static void show_plain(const cli *c, const json_value *setting, const char *value, size_t len) {
  const json_value *standard = json_get(setting, "default");
  const char *standard_text = standard && standard->text ? standard->text : "";
  if (standard && standard->type == JSON_BOOL) standard_text = standard->truth ? "true" : "false";
  bool number = standard && standard->type == JSON_NUMBER;
  bool changed = number ? strtod(value, NULL) != strtod(standard_text, NULL) : strcmp(value, standard_text) != 0;
  printf("%s%-30s%s ", changed ? cli_on(c, STYLE_YELLOW) : "", json_text(setting, "key"),
         changed ? cli_off(c) : "");
  if (len == 0) {
    printf("%s(empty)%s", cli_on(c, STYLE_DIM), cli_off(c));
  } else {
    cli_put(c, value, len);
  }
  puts(changed ? "  (changed)" : "");
}

static json_value *describe(size_t index, char **raw) {
  aiorch_text *text;
  const char *json = "";
  size_t len = 0;
  if (aiorch_config_describe(index, &text) != AIORCH_OK) return NULL;
  aiorch_text_get(text, &json, &len);
  json_value *setting = json_parse(json, len, NULL);
  if (raw) *raw = cli_copy(json, len);
  aiorch_text_free(text);
  return setting;
}

static int show_config(cli *c) {
  json_print p = {0};
  json_value *setting;
  int code = cli_configure(c);
  bool json = c->opt.json || c->opt.stream_json;
  jp_open(&p, '{');
  for (size_t i = 0; code == CLI_EXIT_OK && (setting = describe(i, NULL)) != NULL; i++) {
    aiorch_text *text;
    const char *value = "";
    size_t len = 0;
    if (aiorch_config_get(c->config, json_text(setting, "key"), &text, c->error) == AIORCH_OK) {
      aiorch_text_get(text, &value, &len);
      if (json) {
        show_json(&p, setting, value, len);
      } else {
        show_plain(c, setting, value, len);
      }
      aiorch_text_free(text);
    } else {
      code = cli_fail(c);
    }
    json_free(setting);
  }
  jp_close(&p, '}');
  if (json && code == CLI_EXIT_OK) jp_finish(&p);
  cli_release(&p.out);
  return code;
}

/* ---- describe ---- */

static void add_scalar(cli_bytes *out, const json_value *value) {
  if (value->type == JSON_BOOL) {
    cli_addz(out, value->truth ? "true" : "false");
  } else if (value->type == JSON_TEXT && value->len == 0) {
    cli_addz(out, "empty");
  } else {
    cli_addz(out, value->text ? value->text : "null");
  }
}

static void describe_plain(const cli *c, const json_value *setting) {
  static const char *const types[][2] = {{"str", "text"}, {"i64", "whole number"}, {"f64", "number"},
                                         {"bool", "true or false"}};
  const json_value *values = json_get(setting, "values"), *standard = json_get(setting, "default");
  const json_value *min = json_get(setting, "min"), *max = json_get(setting, "max"), *per_run =
      json_get(setting, "per_run");
  const char *type = json_text(setting, "type"), *help = json_text(setting, "help");
  cli_bytes line = {0};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (strcmp(type, types[i][0]) == 0) cli_addz(&line, types[i][1]);
  }
  for (const json_value *v = values ? values->child : NULL; v; v = v->next) {
    cli_addz(&line, v == values->child ? ": " : " | ");
    add_scalar(&line, v);
  }
  if (min && max && min->text && max->text) cli_addf(&line, ", %s to %s", min->text, max->text);
  if (standard) {
    cli_addz(&line, "; default ");
    add_scalar(&line, standard);
  }
  if (per_run && per_run->truth) cli_addz(&line, "; may differ by run");
  printf("%s%s%s\n", cli_on(c, STYLE_BOLD), json_text(setting, "key"), cli_off(c));
  cli_put_wrapped(c, help, strlen(help), 4, 0);
  fputs(cli_on(c, STYLE_DIM), stdout);
  cli_put_wrapped(c, cli_z(&line), line.len, 4, 0);
  fputs(cli_off(c), stdout);
  cli_release(&line);
}

/* Keys are matched whole, or as the first part: "cache" describes all of "cache.*". */
static bool wanted(const char *key, const char *want) {
  size_t len = want ? strlen(want) : 0;
  return !want || (strncmp(key, want, len) == 0 && (key[len] == '\0' || key[len] == '.'));
}

static int describe_config(cli *c) {
  const char *want = c->arg_count == 2 ? c->args[1] : NULL;
  bool json = c->opt.json || c->opt.stream_json;
  json_print p = {0};
  json_value *setting;
  size_t found = 0;
  char *raw;
  jp_open(&p, '{');
  jp_key(&p, "settings");
  jp_open(&p, '[');
  for (size_t i = 0; (setting = describe(i, &raw)) != NULL; i++) {
    bool hit = wanted(json_text(setting, "key"), want);
    found += hit;
    if (hit && json) jp_raw(&p, raw, strlen(raw));
    if (hit && !json) describe_plain(c, setting);
    free(raw);
    json_free(setting);
  }
  jp_close(&p, ']');
  jp_close(&p, '}');
  if (json && found > 0) jp_finish(&p);
  cli_release(&p.out);
  if (found > 0) return CLI_EXIT_OK;
  return cli_error(c, CLI_EXIT_NOT_FOUND, AIORCH_E_NOT_FOUND,
                   "config: no setting '%s'; 'aiorch config describe' lists them all", want);
}

int command_config(cli *c) {
  int verb = command_verb(c, "check show describe");
  if (verb < 0) return CLI_EXIT_USAGE;
  if (verb == 1 && c->arg_count > 1) return cli_usage(c, "'config show' takes no argument: '%s'", c->args[1]);
  return verb == 0 ? check_config(c) : verb == 1 ? show_config(c) : describe_config(c);
}
