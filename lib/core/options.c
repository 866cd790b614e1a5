/*
 * The settings as data: the table of options_table.h with each key's place in aio__options, and what is made from it:
 * defaults, copies, descriptions. Setting a value is options_set.c, finding a key options_find.c.
 */
#include "core/options_private.h"

#include <aiorch/error.h>

#include <string.h>

#define STR_ROW(member, key_, default_, values_, per_run_, help_) \
  {.key = key_, .type = AIORCH_TYPE_STR, .per_run = per_run_, .offset = offsetof(aio__options, member), \
   .text = default_, .values = values_, .help = help_},
#define I64_ROW(member, key_, default_, min_, max_, per_run_, help_) \
  {.key = key_, .type = AIORCH_TYPE_I64, .per_run = per_run_, .offset = offsetof(aio__options, member), \
   .i64 = default_, .i64_min = min_, .i64_max = max_, .help = help_},
#define F64_ROW(member, key_, default_, min_, max_, per_run_, help_) \
  {.key = key_, .type = AIORCH_TYPE_F64, .per_run = per_run_, .offset = offsetof(aio__options, member), \
   .f64 = default_, .f64_min = min_, .f64_max = max_, .help = help_},
#define BOOL_ROW(member, key_, default_, per_run_, help_) \
  {.key = key_, .type = AIORCH_TYPE_BOOL, .per_run = per_run_, .offset = offsetof(aio__options, member), \
   .i64 = default_, .help = help_},

static const aio__option OPTIONS[] = {AIO__OPTIONS(STR_ROW, I64_ROW, F64_ROW, BOOL_ROW)};

enum { OPTION_COUNT = sizeof OPTIONS / sizeof OPTIONS[0] };

const aio__option *aio__option_at(size_t index) {
  return index < OPTION_COUNT ? &OPTIONS[index] : NULL;
}

static void *place(void *base, const aio__option *option) {
  return (char *)base + option->offset;
}

char **aio__option_str(void *base, const aio__option *option) {
  return place(base, option);
}

int64_t *aio__option_i64(void *base, const aio__option *option) {
  return place(base, option);
}

double *aio__option_f64(void *base, const aio__option *option) {
  return place(base, option);
}

int32_t *aio__option_bool(void *base, const aio__option *option) {
  return place(base, option);
}

bool aio__option_secret(const aio__option *option) {
  size_t n = strlen(option->key);
  return option->secret || (n > 4 && strcmp(option->key + n - 4, ".key") == 0);
}

void aio__option_free_text(const aio__alloc *al, void *base, const aio__option *option) {
  char **text = aio__option_str(base, option);
  if (*text != NULL && (aio__option_secret(option) || strncmp(*text, "postgres", 8) == 0)) explicit_bzero(*text, strlen(*text));
  aio__free(al, *text);
  *text = NULL;
}

/* Reading through a copy of the pointer-free part of a member needs no cast that drops const. */
static const char *read_str(const void *base, const aio__option *option) {
  const char *text;
  memcpy(&text, (const char *)base + option->offset, sizeof text);
  return text;
}

aiorch_status aio__option_set_default(const aio__alloc *al, void *base, const aio__option *option) {
  switch (option->type) {
    case AIORCH_TYPE_STR: {
      char *copy = aio__strndup(al, option->text, strlen(option->text));
      if (copy == NULL) return AIORCH_E_NOMEM;
      *aio__option_str(base, option) = copy;
      break;
    }
    case AIORCH_TYPE_I64: *aio__option_i64(base, option) = option->i64; break;
    case AIORCH_TYPE_F64: *aio__option_f64(base, option) = option->f64; break;
    default: *aio__option_bool(base, option) = (int32_t)option->i64; break;
  }
  return AIORCH_OK;
}

aiorch_status aio__options_init(aio__options *options, const aio__alloc *al) {
  *options = (aio__options){.al = al};
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (aio__option_set_default(al, options, &OPTIONS[i]) == AIORCH_OK) continue;
    aio__options_free(options);
    return AIORCH_E_NOMEM;
  }
  return AIORCH_OK;
}

aiorch_status aio__options_copy(aio__options *to, const aio__options *from) {
  *to = *from;
  to->providers = (aio__provider_list){NULL, 0, 0};
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (OPTIONS[i].type == AIORCH_TYPE_STR) *aio__option_str(to, &OPTIONS[i]) = NULL;
  }
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (OPTIONS[i].type != AIORCH_TYPE_STR) continue;
    const char *text = read_str(from, &OPTIONS[i]);
    char *copy = aio__strndup(to->al, text, strlen(text));
    if (copy == NULL) {
      aio__options_free(to);
      return AIORCH_E_NOMEM;
    }
    *aio__option_str(to, &OPTIONS[i]) = copy;
  }
  if (aio__provider_list_copy(to->al, &to->providers, &from->providers) == AIORCH_OK) return AIORCH_OK;
  aio__options_free(to);
  return AIORCH_E_NOMEM;
}

void aio__options_free(aio__options *options) {
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (OPTIONS[i].type == AIORCH_TYPE_STR) aio__option_free_text(options->al, options, &OPTIONS[i]);
  }
  aio__provider_list_free(options->al, &options->providers);
}

/* ---- reading ---- */

static aiorch_status put_value(const aio__option *option, const void *base, aio__buf *out) {
  const char *member = (const char *)base + option->offset;
  int64_t i64;
  double f64;
  int32_t yes;
  switch (option->type) {
    case AIORCH_TYPE_STR: {
      const char *text = read_str(base, option);
      if (aio__option_secret(option) && text[0] != '\0') return aio__buf_z(out, "(set)");
      size_t before = out->n;
      aiorch_status status = aio__buf_z(out, text);
      if (status != AIORCH_OK || strstr(text, "://") == NULL) return status;
      aio__url_hide_password(out->p + before);
      out->n = before + strlen(out->p + before);
      return status;
    }
    case AIORCH_TYPE_I64: memcpy(&i64, member, sizeof i64); return aio__buf_i64(out, i64);
    case AIORCH_TYPE_F64: memcpy(&f64, member, sizeof f64); return aio__buf_f64(out, f64);
    default: memcpy(&yes, member, sizeof yes); return aio__buf_z(out, yes != 0 ? "true" : "false");
  }
}

/* Of no provider in particular. */
static aiorch_status put_default(const aio__option *option, aio__buf *out) {
  if (option->type == AIORCH_TYPE_STR) return aio__buf_z(out, option->text);
  if (option->type == AIORCH_TYPE_I64) return aio__buf_i64(out, option->i64);
  return aio__buf_z(out, option->i64 != 0 ? "true" : "false");
}

static aiorch_status put_names(const aio__options *options, aio__buf *out) {
  for (size_t i = 0; i < options->providers.count; i++) {
    if (i > 0) aio__buf_char(out, ',');
    aio__buf_z(out, options->providers.items[i]->name);
  }
  return out->failed;
}

aiorch_status aio__options_get(const aio__options *options, aio__str key, aio__buf *out, aiorch_error *error) {
  aiorch_status status;
  aio__str name, last;
  aio__option_place place;
  if (aio__str_eqz(key, AIO__PROVIDERS_SECTION)) {
    status = put_names(options, out);
  } else if (aio__provider_key_split(key, &name, &last) && aio__str_eqz(name, "NAME")) {
    const aio__option *option = aio__provider_option_find(last);
    if (option == NULL) return aio__option_locate(key, false, &place, error);
    status = put_default(option, out);
  } else {
    status = aio__option_locate(key, false, &place, error);
    if (status != AIORCH_OK) return status;
    const void *base = place.provider.n == 0 ? (const void *)options : aio__provider_list_find(&options->providers, place.provider);
    if (base == NULL) {
      return aio__error_set(error, AIORCH_E_CONFIG_KEY, "nothing is set of a provider \"%.*s\"", (int)place.provider.n,
                            place.provider.p);
    }
    status = put_value(&place.option, base, out);
  }
  if (status == AIORCH_OK) return status;
  return aio__error_set(error, status, "out of memory for the value of \"%.*s\"", (int)(key.n > 80 ? 80 : key.n), key.p);
}

int aio__options_type(aio__str key) {
  aio__option_place place;
  return aio__option_locate(key, false, &place, NULL) == AIORCH_OK ? place.option.type : 0;
}

size_t aio__options_described(void) {
  size_t count = OPTION_COUNT;
  while (aio__provider_option_at(count - OPTION_COUNT) != NULL) count++;
  return count;
}

static void describe_values(const char *values, aio__json_writer *w) {
  aio__jw_key(w, "values");
  aio__jw_array(w);
  for (const char *at = values;;) {
    size_t len = strcspn(at, "|");
    aio__jw_str(w, aio__str_n(at, len));
    if (at[len] == '\0') break;
    at += len + 1;
  }
  aio__jw_array_end(w);
}

static void describe_type(const aio__option *option, aio__json_writer *w) {
  switch (option->type) {
    case AIORCH_TYPE_STR:
      aio__jw_kz(w, "type", "str");
      aio__jw_kz(w, "default", option->text);
      if (option->values != NULL) describe_values(option->values, w);
      break;
    case AIORCH_TYPE_I64:
      aio__jw_kz(w, "type", "i64");
      aio__jw_ki64(w, "default", option->i64);
      aio__jw_ki64(w, "min", option->i64_min);
      aio__jw_ki64(w, "max", option->i64_max);
      break;
    case AIORCH_TYPE_F64:
      aio__jw_kz(w, "type", "f64");
      aio__jw_kf64(w, "default", option->f64);
      aio__jw_kf64(w, "min", option->f64_min);
      aio__jw_kf64(w, "max", option->f64_max);
      break;
    default:
      aio__jw_kz(w, "type", "bool");
      aio__jw_kbool(w, "default", option->i64 != 0);
      break;
  }
}

void aio__options_describe(size_t index, aio__json_writer *w) {
  const aio__option *option = aio__option_at(index);
  const char *section = "";
  if (option == NULL) {
    option = aio__provider_option_at(index - OPTION_COUNT);
    section = AIO__PROVIDERS_SECTION ".NAME.";
  }
  if (option == NULL) {
    aio__jw_null(w);
    return;
  }
  char key[AIO__OPTION_KEY_MAX + sizeof AIO__PROVIDERS_SECTION ".NAME."];
  size_t n = strlen(section);
  memcpy(key, section, n);
  memcpy(key + n, option->key, strlen(option->key) + 1);
  aio__jw_object(w);
  aio__jw_kz(w, "key", key);
  describe_type(option, w);
  aio__jw_kbool(w, "per_run", option->per_run);
  if (aio__option_secret(option)) aio__jw_kbool(w, "secret", true);
  aio__jw_kz(w, "help", option->help);
  aio__jw_object_end(w);
}
