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

static void *place(aio__options *options, const aio__option *option) {
  return (char *)options + option->offset;
}

char **aio__option_str(aio__options *options, const aio__option *option) {
  return place(options, option);
}

int64_t *aio__option_i64(aio__options *options, const aio__option *option) {
  return place(options, option);
}

double *aio__option_f64(aio__options *options, const aio__option *option) {
  return place(options, option);
}

int32_t *aio__option_bool(aio__options *options, const aio__option *option) {
  return place(options, option);
}

/* Reading through a copy of the pointer-free part of a member needs no cast that drops const. */
static const char *read_str(const aio__options *options, const aio__option *option) {
  const char *text;
  memcpy(&text, (const char *)options + option->offset, sizeof text);
  return text;
}

static aiorch_status set_default(aio__options *options, const aio__option *option) {
  switch (option->type) {
    case AIORCH_TYPE_STR: {
      char *copy = aio__strndup(options->al, option->text, strlen(option->text));
      if (copy == NULL) return AIORCH_E_NOMEM;
      *aio__option_str(options, option) = copy;
      break;
    }
    case AIORCH_TYPE_I64: *aio__option_i64(options, option) = option->i64; break;
    case AIORCH_TYPE_F64: *aio__option_f64(options, option) = option->f64; break;
    default: *aio__option_bool(options, option) = (int32_t)option->i64; break;
  }
  return AIORCH_OK;
}

aiorch_status aio__options_init(aio__options *options, const aio__alloc *al) {
  *options = (aio__options){.al = al};
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (set_default(options, &OPTIONS[i]) == AIORCH_OK) continue;
    aio__options_free(options);
    return AIORCH_E_NOMEM;
  }
  return AIORCH_OK;
}

aiorch_status aio__options_copy(aio__options *to, const aio__options *from) {
  *to = *from;
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
  return AIORCH_OK;
}

void aio__options_free(aio__options *options) {
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (OPTIONS[i].type != AIORCH_TYPE_STR) continue;
    char **text = aio__option_str(options, &OPTIONS[i]);
    if (*text != NULL) aio__free(options->al, *text);
    *text = NULL;
  }
}

aiorch_status aio__options_get(const aio__options *options, aio__str key, aio__buf *out, aiorch_error *error) {
  size_t index;
  aiorch_status status = aio__options_find(key, false, &index, error);
  if (status != AIORCH_OK) return status;
  const aio__option *option = &OPTIONS[index];
  const char *member = (const char *)options + option->offset;
  int64_t i64;
  double f64;
  int32_t yes;
  switch (option->type) {
    case AIORCH_TYPE_STR: status = aio__buf_z(out, read_str(options, option)); break;
    case AIORCH_TYPE_I64:
      memcpy(&i64, member, sizeof i64);
      status = aio__buf_i64(out, i64);
      break;
    case AIORCH_TYPE_F64:
      memcpy(&f64, member, sizeof f64);
      status = aio__buf_f64(out, f64);
      break;
    default:
      memcpy(&yes, member, sizeof yes);
      status = aio__buf_z(out, yes != 0 ? "true" : "false");
      break;
  }
  if (status == AIORCH_OK) return status;
  return aio__error_set(error, status, "out of memory for the value of \"%s\"", option->key);
}

int aio__options_type(aio__str key) {
  size_t index;
  return aio__options_find(key, false, &index, NULL) == AIORCH_OK ? OPTIONS[index].type : 0;
}

size_t aio__options_count(void) {
  return OPTION_COUNT;
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
  if (index >= OPTION_COUNT) {
    aio__jw_null(w);
    return;
  }
  const aio__option *option = &OPTIONS[index];
  aio__jw_object(w);
  aio__jw_kz(w, "key", option->key);
  describe_type(option, w);
  aio__jw_kbool(w, "per_run", option->per_run);
  aio__jw_kz(w, "help", option->help);
  aio__jw_object_end(w);
}
