/*
 * Where keys come from. The library is given settings from several places, each over those before: the file of $AIORCH_CONFIG, keys in
 * the environment under their usual names where that file has none, --config, --set. Here the last of them that says
 * "providers.NAME.key" is looked for again, for its place and for the variables (${NAME}) in it.
 */
#include "key_origin.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 4 << 20 };

static const struct {
  const char *provider, *variables[2];
} usual[] = {
    {"anthropic", {"ANTHROPIC_API_KEY", NULL}},
    {"openai", {"OPENAI_API_KEY", NULL}},
    {"gemini", {"GEMINI_API_KEY", "GOOGLE_API_KEY"}},
    {"ollama", {"OLLAMA_API_KEY", NULL}},
};

/* The variables of "${A} *3, ${B}"; "$${" is none. */
static bool add_variables(const char *value, const char *place, cli_bytes *out) {
  bool any = false;
  for (const char *at = value; (at = strstr(at, "${")) != NULL; at += 2) {
    size_t len = strcspn(at + 2, "}");
    if ((at > value && at[-1] == '$') || at[2 + len] != '}') continue;
    if (any) cli_addz(out, ", ");
    cli_add(out, at + 2, len);
    any = true;
  }
  if (any) cli_addf(out, " in %s", place);
  return any;
}

static void add_place(const char *value, const char *place, cli_bytes *out) {
  if (!*value || add_variables(value, place, out)) return;
  cli_addz(out, place);
}

/* The member "providers.NAME.key", however it is nested; of two the last. */
static const char *find(const json_value *object, const char *path) {
  const char *found = NULL;
  if (!object || object->type != JSON_OBJECT) return NULL;
  for (const json_value *m = object->child; m; m = m->next) {
    size_t len = strlen(m->name);
    if (strncmp(m->name, path, len) != 0) continue;
    if (path[len] == '\0' && m->type == JSON_TEXT) found = m->text;
    if (path[len] == '.') {
      const char *inner = find(m, path + len + 1);
      found = inner ? inner : found;
    }
  }
  return found;
}

static json_value *read_file(const char *file) {
  cli_bytes text = {0};
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  json_value *root = cli_read_all(fd, FILE_MAX_BYTES, &text) == 0 ? json_parse(cli_z(&text), text.len, NULL) : NULL;
  close(fd);
  cli_release(&text);
  return root;
}

/* Whether the file sets it; *out is then what it was before, replaced. */
static bool from_file(const char *file, const char *path, cli_bytes *out) {
  json_value *root = read_file(file);
  const char *value = find(root, path);
  if (value) {
    cli_clear(out);
    add_place(value, file, out);
  }
  json_free(root);
  return value != NULL;
}

static void from_environment(const char *provider, cli_bytes *out) {
  for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
    if (strcmp(usual[i].provider, provider) != 0) continue;
    for (size_t v = 0; v < 2 && usual[i].variables[v]; v++) {
      const char *value = getenv(usual[i].variables[v]);
      if (!value || !*value) continue;
      cli_addz(out, usual[i].variables[v]);
      return;
    }
  }
}

static void from_sets(const cli *c, const char *path, cli_bytes *out) {
  size_t len = strlen(path);
  for (size_t i = 0; i < c->opt.set.count; i++) {
    const char *set = c->opt.set.items[i];
    if (strncmp(set, path, len) != 0 || set[len] != '=') continue;
    cli_clear(out);
    add_place(set + len + 1, "--set", out);
  }
}

void key_origin(const cli *c, const char *provider, cli_bytes *out) {
  cli_bytes path = {0};
  const char *file = getenv("AIORCH_CONFIG");
  cli_addf(&path, "providers.%s.key", provider);
  bool filed = file && *file && from_file(file, cli_z(&path), out);
  if (!filed) from_environment(provider, out);
  if (c->opt.config) from_file(c->opt.config, cli_z(&path), out);
  from_sets(c, cli_z(&path), out);
  cli_release(&path);
}

/* ---- a key goes where it was meant to go ---- */

static bool is_set(const cli *c, const char *path) {
  aiorch_text *text;
  const char *value = "";
  if (aiorch_config_get(c->config, path, &text, NULL) != AIORCH_OK) return false;
  aiorch_text_get(text, &value, NULL);
  bool set = *value != '\0';
  aiorch_text_free(text);
  return set;
}

static aiorch_status guard_one(cli *c, const json_value *file, const char *name) {
  cli_bytes address = {0}, key = {0};
  aiorch_status status = AIORCH_OK;
  cli_addf(&address, "providers.%s.base_url", name);
  cli_addf(&key, "providers.%s.key", name);
  if (find(file, cli_z(&address)) && !find(file, cli_z(&key)) && is_set(c, cli_z(&key))) {
    status = aiorch_config_set_str(c->config, cli_z(&key), "", 0, c->error);
    if (!c->opt.quiet) {
      cli_warn(c, "%s names an address for %s, so that the key from elsewhere is not sent there; set '%s' in it, too, if it should be",
               c->opt.config, name, cli_z(&key));
    }
  }
  cli_release(&address);
  cli_release(&key);
  return status;
}

aiorch_status key_origin_guard(cli *c) {
  aiorch_text *text;
  const char *names = "";
  aiorch_status status = aiorch_config_get(c->config, "providers", &text, c->error);
  if (status != AIORCH_OK) return status;
  json_value *file = read_file(c->opt.config);
  aiorch_text_get(text, &names, NULL);
  while (*names && status == AIORCH_OK) {
    size_t len = strcspn(names, ", ");
    char *name = cli_copy(names, len);
    if (len > 0) status = guard_one(c, file, name);
    free(name);
    names += len + strspn(names + len, ", ");
  }
  json_free(file);
  aiorch_text_free(text);
  return status;
}
