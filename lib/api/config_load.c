/*
 * Settings from JSON, from a file and from the environment (config_env.c). Everything is set on a copy of the settings, which takes
 * the place of the old ones only when all of it was right.
 */
#include "api/config.h"

#include <aiorch/error.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KEY_MAX = 256, PIECE = 4096, SEEN_MAX = 256, SEEN_BYTES_MAX = 1 << 20, NAME_SHOWN_MAX = 200 };

/* Where the walk through the object stands. */
typedef struct loader {
  aio__options *options;
  const char *name;
  aio__str text;
  bool per_run;
  aiorch_error *error;
  bool seen[SEEN_MAX];                      /* by number of the key in the table */
  aio__buf seen_of_providers;               /* keys, each between line feeds */
  size_t path[AIO__JSON_MAX_DEPTH + 1], depth;
  char key[KEY_MAX];                        /* the members' names up to here, joined by dots */
} loader;

/* "name, line N: words" */
static aiorch_status at_place(const loader *l, aiorch_status status, const char *words) {
  size_t line = aio__config_json_line(l->text, l->path, l->depth);
  if (line == 0) return aio__error_set(l->error, status, "%.*s: %s", NAME_SHOWN_MAX, l->name, words);
  return aio__error_set(l->error, status, "%.*s, line %zu: %s", NAME_SHOWN_MAX, l->name, line, words);
}

static aiorch_status add_place(const loader *l, aiorch_status status) {
  if (status == AIORCH_OK || l->error == NULL) return status;
  return at_place(l, status, aiorch_error_message(l->error));
}

static aiorch_status wrong_type(const loader *l, const char *wanted, const aio__json_value *value) {
  aio__error_set(l->error, AIORCH_E_CONFIG_TYPE, "\"%s\" takes %s, not %s", l->key, wanted,
                 aio__json_type_name(aio__json_typeof(value)));
  return AIORCH_E_CONFIG_TYPE;
}

static aiorch_status set_str(const loader *l, aio__str key, const aio__json_value *value) {
  aio__str text;
  if (!aio__json_str(value, &text)) return wrong_type(l, "a text", value);
  return aio__options_set_str(l->options, key, text, l->per_run, l->error);
}

static aiorch_status set_i64(const loader *l, aio__str key, const aio__json_value *value) {
  int64_t number;
  double any;
  if (aio__json_i64(value, &number)) return aio__options_set_i64(l->options, key, number, l->per_run, l->error);
  if (!aio__json_f64(value, &any)) return wrong_type(l, "a whole number", value);
  if (any > -1e15 && any < 1e15) {
    return aio__error_set(l->error, AIORCH_E_CONFIG_TYPE, "\"%s\" takes a whole number, not a fraction", l->key);
  }
  /* Beyond what JSON's numbers hold exactly, and so beyond every range of the table. */
  return aio__options_set_i64(l->options, key, any < 0 ? INT64_MIN : INT64_MAX, l->per_run, l->error);
}

static aiorch_status set_f64(const loader *l, aio__str key, const aio__json_value *value) {
  double number;
  if (!aio__json_f64(value, &number)) return wrong_type(l, "a number", value);
  return aio__options_set_f64(l->options, key, number, l->per_run, l->error);
}

static aiorch_status set_bool(const loader *l, aio__str key, const aio__json_value *value) {
  bool yes;
  if (!aio__json_bool(value, &yes)) return wrong_type(l, "true or false", value);
  return aio__options_set_bool(l->options, key, yes, l->per_run, l->error);
}

/* Notes the key; false when it came before. */
static bool comes_first(loader *l, size_t index, aio__str key) {
  if (index != SIZE_MAX) {
    bool first = !l->seen[index];
    l->seen[index] = true;
    return first;
  }
  char line[KEY_MAX + 2];
  line[0] = line[key.n + 1] = '\n';
  memcpy(line + 1, key.p, key.n);
  aio__buf *seen = &l->seen_of_providers;
  if (seen->n > 0 && memmem(seen->p, seen->n, line, key.n + 2) != NULL) return false;
  aio__buf_add(seen, line, key.n + 2);
  return true;
}

static aiorch_status set_key(loader *l, aio__str key, const aio__json_value *value) {
  size_t index;
  aiorch_status status = aio__options_find(key, l->per_run, &index, l->error);
  if (status != AIORCH_OK) return status;
  if (!comes_first(l, index, key)) {
    return aio__error_set(l->error, AIORCH_E_CONFIG_SYNTAX, "\"%s\" comes twice (flat and nested are one key)", l->key);
  }
  if (l->seen_of_providers.failed) return aio__error_set(l->error, AIORCH_E_NOMEM, "out of memory for \"%s\"", l->key);
  switch (aio__options_type(key)) {
    case AIORCH_TYPE_STR: return set_str(l, key, value);
    case AIORCH_TYPE_I64: return set_i64(l, key, value);
    case AIORCH_TYPE_F64: return set_f64(l, key, value);
    default: return set_bool(l, key, value);
  }
}

/* Appends ".name" to the key of this level. Names too long for any key stay cut: no key is like them. */
static size_t join_key(loader *l, size_t len, aio__str name) {
  size_t room = KEY_MAX - 1 - len;
  if (len > 0 && room > 0) {
    l->key[len++] = '.';
    room--;
  }
  size_t n = name.n < room ? name.n : aio__utf8_cut(name, room);
  if (n > 0) memcpy(l->key + len, name.p, n);
  l->key[len + n] = '\0';
  return len + n;
}

static aiorch_status empty_section(const loader *l, aio__str key) {
  size_t index;
  if (!l->per_run && aio__options_is_provider(key)) return aio__options_add_provider(l->options, key, l->error);
  return aio__options_has_section(key) ? AIORCH_OK : aio__options_find(key, l->per_run, &index, l->error);
}

/* "server" and "server.NAME" are a host's own settings, in the same file as the library's. */
static bool is_of_host(aio__str key) {
  static const char name[] = "server";
  return key.n >= sizeof name - 1 && memcmp(key.p, name, sizeof name - 1) == 0 && (key.n == sizeof name - 1 || key.p[sizeof name - 1] == '.');
}

/* One member after another, nested objects by recursion: the parser has bounded their depth. */
static aiorch_status walk(loader *l, const aio__json_value *object, size_t key_len) {
  size_t number = 0;
  size_t level = l->depth++;
  for (const aio__json_value *member = aio__json_first(object); member != NULL; member = aio__json_next(member)) {
    l->path[level] = number++;
    size_t len = join_key(l, key_len, aio__json_key(member));
    aio__str key = aio__str_n(l->key, len);
    if (level == 0 && !l->per_run && is_of_host(key)) continue;
    /* A setting may be the beginning of others' keys: "embedder" and "embedder.local.path". */
    bool nested = aio__json_typeof(member) == AIO__JSON_OBJECT &&
                  (aio__options_type(key) == 0 || aio__options_has_section(key));
    if (nested && aio__json_first(member) != NULL) {
      aiorch_status status = walk(l, member, len);
      if (status != AIORCH_OK) return status; /* it has its place already */
      continue;
    }
    aiorch_status status = add_place(l, nested ? empty_section(l, key) : set_key(l, key, member));
    if (status != AIORCH_OK) return status;
  }
  l->depth--;
  return AIORCH_OK;
}

aiorch_status aio__config_apply_json(aio__options *options, const aio__json_value *object, const char *name,
                                     aio__str text, bool per_run, aiorch_error *error) {
  _Static_assert(sizeof(aio__options) / sizeof(int32_t) <= SEEN_MAX, "a mark for each key");
  loader l = {.options = options, .name = name, .text = text, .per_run = per_run, .error = error};
  if (aio__json_typeof(object) != AIO__JSON_OBJECT) {
    return aio__error_set(error, AIORCH_E_CONFIG_SYNTAX, "%.*s: an object of settings is needed, this is %s",
                          NAME_SHOWN_MAX, name, aio__json_type_name(aio__json_typeof(object)));
  }
  aio__buf_init(&l.seen_of_providers, options->al, SEEN_BYTES_MAX);
  aiorch_status status = walk(&l, object, 0);
  aio__buf_free(&l.seen_of_providers);
  return status;
}

static aiorch_status apply_text(aio__options *options, aio__str json, const char *name, aiorch_error *error) {
  aio__json_limits limits = {AIO__CONFIG_TEXT_MAX, AIO__JSON_MAX_DEPTH_CONFIG, AIORCH_E_CONFIG_SYNTAX, name};
  aio__json *parsed;
  aiorch_status status = aio__json_parse(options->al, json, &limits, &parsed, error);
  if (status != AIORCH_OK) return status;
  status = aio__config_apply_json(options, aio__json_root(parsed), name, json, false, error);
  aio__json_free(parsed);
  return status;
}

/* ---- files ---- */

static aiorch_status cannot_read(const char *path, int code, aiorch_error *error) {
  const char *why = strerrordesc_np(code);
  return aio__error_set(error, code == ENOENT || code == ENOTDIR ? AIORCH_E_NOT_FOUND : AIORCH_E_SYSTEM,
                        "the configuration file %s cannot be read: %s", path, why == NULL ? "unknown error" : why);
}

static int read_all(int fd, aio__buf *out) {
  while (out->failed == AIORCH_OK) {
    char piece[PIECE];
    ssize_t n = read(fd, piece, sizeof piece);
    if (n == 0) return 0;
    if (n < 0 && errno != EINTR) return errno;
    if (n > 0) aio__buf_add(out, piece, (size_t)n);
  }
  return 0;
}

static aiorch_status read_file(const char *path, aio__buf *out, aiorch_error *error) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return cannot_read(path, errno, error);
  int code = read_all(fd, out);
  (void)close(fd);
  if (code != 0) return cannot_read(path, code, error);
  if (out->failed == AIORCH_E_TOO_LARGE) {
    return aio__error_set(error, AIORCH_E_TOO_LARGE, "the configuration file %s has more than %d bytes", path,
                          (int)AIO__CONFIG_TEXT_MAX);
  }
  return out->failed == AIORCH_OK ? AIORCH_OK
                                  : aio__error_set(error, out->failed, "out of memory for the configuration file %s",
                                                   path);
}

aiorch_status aio__config_apply_file(aio__options *options, const char *path, aiorch_error *error) {
  aio__buf text;
  aio__buf_init(&text, options->al, AIO__CONFIG_TEXT_MAX);
  aiorch_status status = read_file(path, &text, error);
  if (status == AIORCH_OK) status = apply_text(options, aio__buf_view(&text), path, error);
  aio__buf_free(&text);
  return status;
}

/* ---- all or nothing ---- */

static aiorch_status begin(const aiorch_config *config, aio__options *work, aiorch_error *error) {
  aio__error_clear(error);
  if (aio__config_check(config) != AIORCH_OK) {
    return aio__error_set(error, AIORCH_E_INVALID, "this is no configuration, or one that was freed");
  }
  aiorch_status status = aio__options_copy(work, &config->options);
  return status == AIORCH_OK ? status : aio__error_set(error, status, "out of memory for a configuration");
}

static aiorch_status commit(aiorch_config *config, aio__options *work, aiorch_status status) {
  if (status != AIORCH_OK) {
    aio__options_free(work);
    return status;
  }
  aio__options_free(&config->options);
  config->options = *work;
  return AIORCH_OK;
}

aiorch_status aiorch_config_load_json(aiorch_config *config, const char *json, size_t len, const char *name,
                                      aiorch_error *error) {
  aio__options work;
  aiorch_status status = begin(config, &work, error);
  if (status != AIORCH_OK) return status;
  if (json == NULL) status = aio__error_set(error, AIORCH_E_INVALID, "the JSON text is NULL");
  else status = apply_text(&work, aio__str_n(json, len), name == NULL ? "configuration" : name, error);
  return commit(config, &work, status);
}

aiorch_status aiorch_config_load_file(aiorch_config *config, const char *path, aiorch_error *error) {
  aio__options work;
  aiorch_status status = begin(config, &work, error);
  if (status != AIORCH_OK) return status;
  if (path == NULL) status = aio__error_set(error, AIORCH_E_INVALID, "the path of the configuration file is NULL");
  else status = aio__config_apply_file(&work, path, error);
  return commit(config, &work, status);
}

aiorch_status aiorch_config_from_env(aiorch_config *config, aiorch_error *error) {
  aio__options work;
  aiorch_status status = begin(config, &work, error);
  if (status != AIORCH_OK) return status;
  return commit(config, &work, aio__config_apply_env(&work, error));
}
