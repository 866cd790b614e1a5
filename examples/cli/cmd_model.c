/*
 * aiorch model: the local models. Which there are, where they are, whether they are whole; getting one, taking one away.
 */
#include "commands.h"
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME_WIDTH = 20 };

static bool wants_json(const cli *c) { return c->opt.json || c->opt.stream_json; }

/* ---- list ---- */

static uint64_t known_bytes(const known_model *known) {
  uint64_t bytes = 0;
  for (const model_file *file = known->files; file->name; file++) bytes += file->bytes;
  return bytes;
}

static void list_files_json(json_print *p, const known_model *known) {
  jp_key(p, "files");
  jp_open(p, '[');
  for (const model_file *file = known->files; file->name; file++) {
    jp_open(p, '{');
    jp_kz(p, "name", file->name);
    jp_ki64(p, "bytes", (int64_t)file->bytes);
    jp_kz(p, "sha256", file->sha256);
    jp_close(p, '}');
  }
  jp_close(p, ']');
}

static void list_one_json(json_print *p, const char *name, bool here, bool current) {
  const known_model *known = model_known(name);
  jp_open(p, '{');
  jp_kz(p, "name", name);
  jp_key(p, "here");
  jp_bool(p, here);
  jp_key(p, "current");
  jp_bool(p, current);
  jp_key(p, "known");
  jp_bool(p, known != NULL);
  if (known) {
    jp_kz(p, "about", known->about);
    jp_kz(p, "licence", known->licence);
    jp_ki64(p, "bytes", (int64_t)known_bytes(known));
    jp_kz(p, "hub", known->hub);
    jp_kz(p, "revision", known->revision);
    jp_kz(p, "package", known->package);
    jp_kz(p, "hashes", known->hashes);
    list_files_json(p, known);
  }
  jp_close(p, '}');
}

static void list_one_plain(const cli *c, const char *name, bool here, bool current) {
  const known_model *known = model_known(name);
  char size[32] = "";
  if (known) cli_size_text(known_bytes(known), size);
  printf("%s", here ? cli_on(c, STYLE_GREEN) : "");
  cli_putz(c, name);
  printf("%s%*s %8s  %s%s\n", here ? cli_off(c) : "", (int)(strlen(name) < NAME_WIDTH ? NAME_WIDTH - strlen(name) : 0), "",
         size, here ? "here" : "not here", current ? ", the one in use (embedder.local.model)" : "");
  printf("  %s", cli_on(c, STYLE_DIM));
  if (known) {
    printf("%s\n  licence %s; from %s%s%s%s\n  hashes %s", known->about, known->licence, known->hub,
           known->package ? " (hub) or " : " (hub)", known->package ? known->package : "", known->package ? " (pypi)" : "",
           known->hashes);
  } else {
    printf("not a known one: what it means that two texts are near has to be set (cache.threshold, retrieve.threshold)");
  }
  printf("%s\n", cli_off(c));
}

static int list_models(cli *c, const char *folder) {
  char *current = model_setting(c, "embedder.local.model");
  cli_list here = {0};
  json_print p = {0};
  bool json = wants_json(c);
  model_names(folder, &here);
  jp_open(&p, '{');
  jp_kz(&p, "folder", folder);
  jp_key(&p, "models");
  jp_open(&p, '[');
  if (!json && !c->opt.quiet) printf("models in %s\n\n", folder);
  for (const known_model *known = known_models; known->name; known++) {
    bool is_here = model_is_there(folder, known->name), is_current = strcmp(known->name, current) == 0;
    if (json) list_one_json(&p, known->name, is_here, is_current);
    else list_one_plain(c, known->name, is_here, is_current);
  }
  for (size_t i = 0; i < here.count; i++) {
    bool is_current = strcmp(here.items[i], current) == 0;
    if (model_known(here.items[i])) continue;
    if (json) list_one_json(&p, here.items[i], true, is_current);
    else list_one_plain(c, here.items[i], true, is_current);
  }
  jp_close(&p, ']');
  jp_close(&p, '}');
  if (json) jp_finish(&p);
  cli_release(&p.out);
  if (!json && !c->opt.quiet && here.count == 0) printf("\nget one: aiorch model pull %s\n", known_models[0].name);
  cli_list_free(&here);
  free(current);
  return CLI_EXIT_OK;
}

/* ---- path ---- */

static int fail_not_here(cli *c, const char *folder, const char *name) {
  return cli_error(c, CLI_EXIT_NOT_FOUND, AIORCH_E_NOT_FOUND, "model: %s is not in %s; get it: aiorch model pull %s", name,
                   folder, name);
}

static int print_path(cli *c, const char *folder) {
  char *path = c->arg_count > 1 ? model_path(folder, c->args[1]) : cli_copy(folder, strlen(folder));
  int code = CLI_EXIT_OK;
  if (c->arg_count > 1 && !model_is_there(folder, c->args[1])) {
    code = fail_not_here(c, folder, c->args[1]);
  } else if (wants_json(c)) {
    json_print p = {0};
    jp_open(&p, '{');
    jp_kz(&p, "path", path);
    jp_close(&p, '}');
    jp_finish(&p);
  } else {
    puts(path);
  }
  free(path);
  return code;
}

/* ---- verify ---- */

static const char *state_name(model_state state) {
  return state == MODEL_GOOD ? "good" : state == MODEL_BAD ? "bad" : "unknown";
}

static void verify_json(json_print *p, const char *name, const model_check *check) {
  jp_open(p, '{');
  jp_kz(p, "name", name);
  jp_kz(p, "state", state_name(check->state));
  jp_key(p, "files");
  jp_open(p, '[');
  for (size_t i = 0; i < check->count; i++) {
    jp_open(p, '{');
    jp_kz(p, "name", check->files[i].name);
    jp_kz(p, "state", state_name(check->files[i].state));
    jp_kz(p, "what", check->files[i].what.len ? cli_z(&check->files[i].what) : NULL);
    jp_close(p, '}');
  }
  jp_close(p, ']');
  jp_close(p, '}');
}

static void verify_plain(const cli *c, const char *name, const model_check *check) {
  if (c->opt.quiet) return;
  cli_style style = check->state == MODEL_GOOD ? STYLE_GREEN : check->state == MODEL_BAD ? STYLE_RED : STYLE_YELLOW;
  printf("%s", cli_on(c, style));
  cli_putz(c, name);
  printf("%s: %s\n", cli_off(c), check->state == MODEL_GOOD  ? "all files are as they should be"
                                 : check->state == MODEL_BAD ? "not as it should be"
                                                             : "whole as far as it can be told: not all hashes are known");
  for (size_t i = 0; i < check->count; i++) {
    if (check->files[i].what.len > 0) printf("  %s: %s\n", check->files[i].name, cli_z(&check->files[i].what));
  }
}

static int verify_names(cli *c, const char *folder, const cli_list *names) {
  json_print p = {0};
  cli_bytes bad = {0};
  jp_open(&p, '{');
  jp_key(&p, "models");
  jp_open(&p, '[');
  for (size_t i = 0; i < names->count && !cli_interrupted(); i++) {
    model_check check;
    model_check_all(folder, names->items[i], &check);
    if (cli_interrupted()) {
      model_check_free(&check);
      break;
    }
    if (check.state == MODEL_BAD) cli_addf(&bad, "%s%s", bad.len ? ", " : "", names->items[i]);
    if (wants_json(c)) verify_json(&p, names->items[i], &check);
    else verify_plain(c, names->items[i], &check);
    model_check_free(&check);
  }
  jp_close(&p, ']');
  jp_close(&p, '}');
  if (wants_json(c)) jp_finish(&p);
  cli_release(&p.out);
  int code = cli_interrupted() ? CLI_EXIT_INTERRUPTED : CLI_EXIT_OK;
  if (code == CLI_EXIT_OK && bad.len > 0) {
    cli_bytes line = {0};
    cli_addf(&line, "model: not as it should be: %s; 'aiorch model remove' it, then pull it again", cli_z(&bad));
    cli_error_line(c, cli_z(&line));
    cli_release(&line);
    code = CLI_EXIT_REFUSED;
  }
  cli_release(&bad);
  return code;
}

static int verify(cli *c, const char *folder) {
  cli_list names = {0};
  int code = CLI_EXIT_OK;
  for (size_t i = 1; i < c->arg_count && code == CLI_EXIT_OK; i++) {
    if (!model_is_there(folder, c->args[i])) code = fail_not_here(c, folder, c->args[i]);
    cli_list_add(&names, c->args[i], strlen(c->args[i]));
  }
  if (c->arg_count == 1) model_names(folder, &names);
  if (code == CLI_EXIT_OK && names.count == 0) {
    code = cli_error(c, CLI_EXIT_NOT_FOUND, AIORCH_E_NOT_FOUND, "model: there is none in %s; get one: aiorch model pull %s",
                     folder, known_models[0].name);
  }
  if (code == CLI_EXIT_OK) code = verify_names(c, folder, &names);
  cli_list_free(&names);
  return code;
}

/* ---- remove ---- */

static bool is_there(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0;
}

static int remove_one(cli *c, const char *folder, const char *name) {
  cli_bytes gathering = {0}, what = {0};
  char *path = model_path(folder, name);
  int error = 0, code = CLI_EXIT_OK;
  cli_addf(&gathering, "%s/.%s.pull", folder, name);
  bool half = is_there(cli_z(&gathering)), whole = is_there(path);
  if (half) error = model_remove_folder(cli_z(&gathering), &what);
  if (whole && !error) error = model_remove_folder(path, &what);
  if (!half && !whole) {
    code = fail_not_here(c, folder, name);
  } else if (error == ENOTEMPTY) {
    code = cli_error(c, CLI_EXIT_USAGE, AIORCH_E_STATE, "model: %s is no file of a model; move it away, then remove %s again",
                     cli_z(&what), name);
  } else if (error) {
    code = cli_error(c, CLI_EXIT_INTERNAL, AIORCH_E_SYSTEM, "model: %s: %s", cli_z(&what), strerror(error));
  } else if (!c->opt.quiet && !wants_json(c)) {
    printf("removed %s\n", path);
  }
  cli_release(&gathering);
  cli_release(&what);
  free(path);
  return code;
}

static int remove_models(cli *c, const char *folder) {
  int code = CLI_EXIT_OK;
  for (size_t i = 1; i < c->arg_count && code == CLI_EXIT_OK; i++) code = remove_one(c, folder, c->args[i]);
  if (code == CLI_EXIT_OK && wants_json(c)) {
    json_print p = {0};
    jp_open(&p, '{');
    jp_ki64(&p, "removed", (int64_t)c->arg_count - 1);
    jp_close(&p, '}');
    jp_finish(&p);
  }
  return code;
}

/* ---- which of them ---- */

static const char *model_name_at(size_t index, void *context) {
  (void)context;
  return known_models[index].name;
}

static int check_names(cli *c) {
  for (size_t i = 1; i < c->arg_count; i++) {
    if (!model_name_good(c->args[i])) {
      return cli_usage(c, "'%s' is no name of a model: a folder's name of at most %d bytes", c->args[i], MODEL_NAME_MAX);
    }
  }
  return CLI_EXIT_OK;
}

/* A slip in the name of a known model, before it is looked for anywhere. */
static int check_pull(cli *c) {
  if (c->arg_count != 2) return cli_usage(c, "'model pull' needs one NAME");
  const char *near = model_known(c->args[1]) ? NULL : cli_nearest(c->args[1], model_name_at, NULL);
  if (near && !c->opt.source) return cli_usage(c, "no model '%s' is known; did you mean '%s'?", c->args[1], near);
  return CLI_EXIT_OK;
}

static int run_verb(cli *c, int verb, const char *folder) {
  switch (verb) {
    case 0: return list_models(c, folder);
    case 1: return model_pull(c, folder, c->args[1]);
    case 2: return print_path(c, folder);
    case 3: return verify(c, folder);
    default: return remove_models(c, folder);
  }
}

int command_model(cli *c) {
  int verb = command_verb(c, "list pull path verify remove");
  if (verb < 0) return CLI_EXIT_USAGE;
  if (verb == 0 && c->arg_count > 1) return cli_usage(c, "'model list' takes no argument: '%s'", c->args[1]);
  if (verb == 2 && c->arg_count > 2) return cli_usage(c, "'model path' takes one NAME at most");
  if (verb == 4 && c->arg_count < 2) return cli_usage(c, "'model remove' needs a NAME");
  int code = check_names(c);
  if (code == CLI_EXIT_OK && verb == 1) code = check_pull(c);
  if (code == CLI_EXIT_OK) code = cli_configure(c);
  if (code != CLI_EXIT_OK) return code;
  char *folder = model_folder(c);
  code = folder ? run_verb(c, verb, folder)
                : cli_error(c, CLI_EXIT_CONFIG, AIORCH_E_CONFIG,
                            "model: embedder.local.path is not set, and neither XDG_CACHE_HOME nor HOME says where models are");
  free(folder);
  return code;
}
