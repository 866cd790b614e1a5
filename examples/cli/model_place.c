/*
 * The folder of local models: where it is, what is in it, whether that is what it should be, and taking it away.
 */
#include "model.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECORD_MAX = 1 << 20, FOLDER_MODE = 0755, DEPTH_MAX = 3, NAMES_MAX = 10000 };

/* ---- where ---- */

char *model_setting(const cli *c, const char *key) {
  aiorch_text *text;
  const char *value = "";
  size_t len = 0;
  if (aiorch_config_get(c->config, key, &text, NULL) != AIORCH_OK) return cli_copy("", 0);
  aiorch_text_get(text, &value, &len);
  char *copy = cli_copy(value, len);
  aiorch_text_free(text);
  return copy;
}

char *model_path(const char *folder, const char *name) {
  cli_bytes path = {0};
  cli_addf(&path, "%s/%s", folder, name);
  return path.data;
}

char *model_folder(const cli *c) {
  char *set = model_setting(c, "embedder.local.path");
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (*set) return set;
  free(set);
  if (cache && *cache == '/') return model_path(cache, "aiorch/models");
  return home && *home == '/' ? model_path(home, ".cache/aiorch/models") : NULL;
}

int model_make_parents(const char *path) {
  char *copy = cli_copy(path, strlen(path));
  int error = 0;
  for (char *slash = strchr(copy + 1, '/'); slash && !error; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(copy, FOLDER_MODE) != 0 && errno != EEXIST) error = errno;
    *slash = '/';
  }
  free(copy);
  return error;
}

/* ---- is it there ---- */

static const model_file *files_of(const char *name) {
  const known_model *known = model_known(name);
  return known ? known->files : model_usual_files;
}

static bool file_is_there(const char *path, uint64_t bytes) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (bytes == 0 || (uint64_t)st.st_size == bytes);
}

/* The weights may have been made by a converter of the user's: what counts is that the library can try them. */
bool model_is_there(const char *folder, const char *name) {
  static const char *const needed[] = {"config.json", "model.safetensors"};
  char *model = model_path(folder, name);
  bool there = true;
  for (size_t i = 0; i < sizeof needed / sizeof needed[0] && there; i++) {
    char *path = model_path(model, needed[i]);
    there = file_is_there(path, 0);
    free(path);
  }
  free(model);
  return there;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void model_names(const char *folder, cli_list *out) {
  DIR *dir = opendir(folder);
  struct dirent *entry;
  if (!dir) return;
  while ((entry = readdir(dir)) != NULL && out->count < NAMES_MAX) {
    if (model_name_good(entry->d_name) && model_is_there(folder, entry->d_name)) {
      cli_list_add(out, entry->d_name, strlen(entry->d_name));
    }
  }
  closedir(dir);
  if (out->count > 0) qsort(out->items, out->count, sizeof *out->items, by_name);
}

/* ---- is it what it should be ---- */

/* The record that a pull left, NULL when there is none that can be read. */
static json_value *read_record(const char *model) {
  char *path = model_path(model, MODEL_RECORD);
  FILE *file = fopen(path, "re");
  cli_bytes text = {0};
  json_value *record = NULL;
  if (file && cli_read_all(fileno(file), RECORD_MAX, &text) == 0) record = json_parse(cli_z(&text), text.len, NULL);
  if (file) fclose(file);
  cli_release(&text);
  free(path);
  return record;
}

/* By the table; else by the record, which says what came when it was pulled without a known hash. */
static const char *wanted_hash(const model_file *file, const json_value *record, const char **by) {
  *by = "as it is known";
  if (file->sha256) return file->sha256;
  *by = "as it was when it was pulled";
  const char *recorded = json_text(json_get(json_get(record, "files"), file->name), "sha256");
  return *recorded ? recorded : NULL;
}

static void check_file(const char *model, const model_file *file, const json_value *record, model_check *out) {
  char hex[MODEL_HEX + 1];
  const char *by;
  const char *wanted = wanted_hash(file, record, &by);
  uint64_t bytes = 0;
  char *path = model_path(model, file->name);
  int error = digest_file(path, hex, &bytes);
  free(path);
  if (error == ENOENT && file->optional && !wanted) return;
  size_t at = out->count++;
  cli_bytes *what = &out->files[at].what;
  out->files[at].name = cli_copy(file->name, strlen(file->name));
  out->files[at].state = error || (wanted && strcmp(hex, wanted) != 0) ? MODEL_BAD : wanted ? MODEL_GOOD : MODEL_UNCHECKED;
  if (error) {
    cli_addf(what, "%s", error == ENOENT ? "is not there" : strerror(error));
  } else if (out->files[at].state == MODEL_BAD && file->bytes && bytes != file->bytes) {
    cli_addf(what, "has %llu bytes, not %llu", (unsigned long long)bytes, (unsigned long long)file->bytes);
  } else if (out->files[at].state == MODEL_BAD) {
    cli_addf(what, "SHA-256 is %s, not %s %s", hex, wanted, by);
  } else if (!wanted) {
    cli_addf(what, "no hash is known; it is %s", hex);
  }
}

void model_check_all(const char *folder, const char *name, model_check *out) {
  char *model = model_path(folder, name);
  json_value *record = read_record(model);
  *out = (model_check){.state = MODEL_GOOD};
  for (const model_file *file = files_of(name); file->name; file++) check_file(model, file, record, out);
  for (size_t i = 0; i < out->count; i++) {
    if (out->files[i].state == MODEL_BAD) out->state = MODEL_BAD;
    if (out->files[i].state == MODEL_UNCHECKED && out->state == MODEL_GOOD) out->state = MODEL_UNCHECKED;
  }
  json_free(record);
  free(model);
}

void model_check_free(model_check *check) {
  for (size_t i = 0; i < check->count; i++) {
    free(check->files[i].name);
    cli_release(&check->files[i].what);
  }
  *check = (model_check){0};
}

/* ---- taking it away ---- */

static bool ends_with(const char *text, const char *end) {
  size_t len = strlen(text), end_len = strlen(end);
  return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* What a pull or the library (the int8 weights, which it makes once) put into the folder of a model. */
static bool is_ours(const char *name) {
  static const char *const ends[] = {".part", ".part.from", ".whl", "pip.log", ".aiorch-int8"};
  for (const known_model *known = known_models; known->name; known++) {
    for (const model_file *file = known->files; file->name; file++) {
      if (strcmp(name, file->name) == 0) return true;
    }
  }
  for (const model_file *file = model_usual_files; file->name; file++) {
    if (strcmp(name, file->name) == 0) return true;
  }
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    if (ends_with(name, ends[i])) return true;
  }
  return strcmp(name, MODEL_RECORD) == 0;
}

/* Looks at everything below `path`, or (`removing`) takes it away. `below` is the name from the model's folder on. */
static int sweep(const char *path, const char *below, int depth, bool removing, cli_bytes *what) {
  struct dirent *entry;
  int error = 0;
  DIR *dir = depth < DEPTH_MAX ? opendir(path) : NULL;
  if (!dir) {
    cli_addz(what, path);
    return depth < DEPTH_MAX ? errno : ENOTEMPTY;
  }
  while (!error && (entry = readdir(dir)) != NULL) {
    struct stat st;
    cli_bytes name = {0};
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    cli_addf(&name, "%s%s%s", below, *below ? "/" : "", entry->d_name);
    char *child = model_path(path, entry->d_name);
    if (lstat(child, &st) == 0 && S_ISDIR(st.st_mode)) {
      error = sweep(child, cli_z(&name), depth + 1, removing, what);
      if (!error && removing && rmdir(child) != 0) error = errno;
    } else if (removing) {
      if (unlink(child) != 0) error = errno;
    } else if (!is_ours(cli_z(&name))) {
      error = ENOTEMPTY;
    }
    if (error && what->len == 0) cli_addz(what, child);
    free(child);
    cli_release(&name);
  }
  closedir(dir);
  return error;
}

int model_remove_folder(const char *path, cli_bytes *what) {
  int error = sweep(path, "", 0, false, what);
  if (!error) error = sweep(path, "", 0, true, what);
  if (!error && rmdir(path) != 0) {
    error = errno;
    cli_addz(what, path);
  }
  return error;
}
