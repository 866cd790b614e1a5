/* Setting a value: type, range, text. A value that is refused leaves what was there. */
#include "core/options_private.h"

#include <aiorch/error.h>

#include <math.h>
#include <string.h>

enum { SHOWN_MAX = 60 };

static const char *type_words(int type) {
  switch (type) {
    case AIORCH_TYPE_STR: return "a text";
    case AIORCH_TYPE_I64: return "a whole number";
    case AIORCH_TYPE_F64: return "a number";
    default: return "true or false";
  }
}

static aiorch_status wrong_type(const aio__option *option, const char *given, aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_CONFIG_TYPE, "\"%s\" takes %s, not %s", option->key, type_words(option->type),
                        given);
}

static aiorch_status find(aio__str key, int type, bool per_run, aio__option_place *place, aiorch_error *error) {
  aiorch_status status = aio__option_locate(key, per_run, place, error);
  if (status != AIORCH_OK) return status;
  return place->option.type == type ? AIORCH_OK : wrong_type(&place->option, type_words(type), error);
}

/* ---- text ---- */

static bool is_allowed(const char *values, aio__str value) {
  for (const char *at = values;;) {
    size_t len = strcspn(at, "|");
    if (aio__str_eq(aio__str_n(at, len), value)) return true;
    if (at[len] == '\0') return false;
    at += len + 1;
  }
}

static aiorch_status check_text(const aio__option *option, aio__str value, aio__str given, aiorch_error *error) {
  if (value.n > AIO__OPTION_TEXT_MAX) {
    return aio__error_set(error, AIORCH_E_CONFIG_RANGE, "\"%s\" has %zu bytes; at most %d are allowed", option->key,
                          value.n, (int)AIO__OPTION_TEXT_MAX);
  }
  size_t valid = aio__utf8_check(value, NULL);
  if (valid < value.n) {
    return aio__error_set(error, AIORCH_E_INVALID, "\"%s\" is not UTF-8 at byte %zu", option->key, valid);
  }
  const char *nul = value.n == 0 ? NULL : memchr(value.p, '\0', value.n);
  if (nul != NULL) {
    return aio__error_set(error, AIORCH_E_INVALID, "\"%s\" has a NUL at byte %zu", option->key,
                          (size_t)(nul - value.p));
  }
  if (option->values == NULL || is_allowed(option->values, value)) return AIORCH_OK;
  /* The value as it was written: what a variable holds may be a secret. */
  int shown = (int)aio__utf8_cut(given, SHOWN_MAX);
  return aio__error_set(error, AIORCH_E_CONFIG_RANGE, "\"%s\" takes one of %s, not \"%.*s\"", option->key,
                        option->values, shown, shown == 0 ? "" : given.p);
}

static aiorch_status store_text(aio__options *options, const aio__option_place *place, aio__str value, aio__str given,
                                aiorch_error *error) {
  const aio__option *option = &place->option;
  void *base = NULL;
  aiorch_status status = check_text(option, value, given, error);
  if (status != AIORCH_OK) return status;
  char *copy = aio__strndup(options->al, value.p, value.n);
  if (copy == NULL) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for \"%s\"", option->key);
  status = aio__option_base(options, place, &base, error);
  if (status != AIORCH_OK) {
    aio__free(options->al, copy);
    return status;
  }
  aio__option_free_text(options->al, base, option);
  *aio__option_str(base, option) = copy;
  return AIORCH_OK;
}

static aiorch_status expand_and_store(aio__options *options, const aio__option_place *place, aio__str value,
                                      aiorch_error *error) {
  aio__buf text;
  aio__buf_init(&text, options->al, AIO__OPTION_TEXT_MAX);
  aiorch_status status = aio__option_expand(&place->option, value, &text, error);
  if (status == AIORCH_OK) status = store_text(options, place, aio__buf_view(&text), value, error);
  if (text.p != NULL) explicit_bzero(text.p, text.n); /* what a variable holds may be a secret */
  aio__buf_free(&text);
  return status;
}

aiorch_status aio__options_set_str(aio__options *options, aio__str key, aio__str value, bool per_run,
                                   aiorch_error *error) {
  aio__option_place place;
  aiorch_status status = find(key, AIORCH_TYPE_STR, per_run, &place, error);
  if (status != AIORCH_OK) return status;
  bool plain = per_run || value.n < 3 || value.n > AIO__OPTION_TEXT_MAX || memmem(value.p, value.n, "${", 2) == NULL;
  return plain ? store_text(options, &place, value, value, error) : expand_and_store(options, &place, value, error);
}

/* ---- numbers, yes and no ---- */

aiorch_status aio__options_set_i64(aio__options *options, aio__str key, int64_t value, bool per_run,
                                   aiorch_error *error) {
  aio__option_place place;
  const aio__option *option = &place.option;
  void *base = NULL;
  aiorch_status status = find(key, AIORCH_TYPE_I64, per_run, &place, error);
  if (status != AIORCH_OK) return status;
  if (value < option->i64_min || value > option->i64_max) {
    return aio__error_set(error, AIORCH_E_CONFIG_RANGE, "\"%s\" takes %lld to %lld, not %lld", option->key,
                          (long long)option->i64_min, (long long)option->i64_max, (long long)value);
  }
  status = aio__option_base(options, &place, &base, error);
  if (status == AIORCH_OK) *aio__option_i64(base, option) = value;
  return status;
}

static aiorch_status f64_range(const aio__options *options, const aio__option *option, double value,
                               aiorch_error *error) {
  aio__buf words;
  aio__buf_init(&words, options->al, 256);
  aio__buf_fmt(&words, "\"%s\" takes ", option->key);
  aio__buf_f64(&words, option->f64_min);
  aio__buf_z(&words, " to ");
  aio__buf_f64(&words, option->f64_max);
  aio__buf_z(&words, ", not ");
  if (isfinite(value)) aio__buf_f64(&words, value);
  else aio__buf_z(&words, isnan(value) ? "NaN" : "an infinity");
  aiorch_status status = words.failed == AIORCH_E_NOMEM ? AIORCH_E_NOMEM : AIORCH_E_CONFIG_RANGE;
  aio__error_set(error, status, "%s", status == AIORCH_E_NOMEM ? "out of memory" : aio__buf_cstr(&words));
  aio__buf_free(&words);
  return status;
}

aiorch_status aio__options_set_f64(aio__options *options, aio__str key, double value, bool per_run,
                                   aiorch_error *error) {
  aio__option_place place;
  const aio__option *option = &place.option;
  aiorch_status status = find(key, AIORCH_TYPE_F64, per_run, &place, error);
  if (status != AIORCH_OK) return status;
  if (!(value >= option->f64_min && value <= option->f64_max)) return f64_range(options, option, value, error);
  *aio__option_f64(options, option) = value; /* no provider has such a setting */
  return AIORCH_OK;
}

aiorch_status aio__options_set_bool(aio__options *options, aio__str key, bool value, bool per_run,
                                    aiorch_error *error) {
  aio__option_place place;
  void *base = NULL;
  aiorch_status status = find(key, AIORCH_TYPE_BOOL, per_run, &place, error);
  if (status == AIORCH_OK) status = aio__option_base(options, &place, &base, error);
  if (status == AIORCH_OK) *aio__option_bool(base, &place.option) = value ? 1 : 0;
  return status;
}

/* ---- any type from text ---- */

static aiorch_status not_of_type(const aio__option *option, aio__str value, aiorch_error *error) {
  int shown = (int)aio__utf8_cut(value, SHOWN_MAX);
  return aio__error_set(error, AIORCH_E_CONFIG_TYPE, "\"%s\" takes %s, not \"%.*s\"", option->key,
                        type_words(option->type), shown, shown == 0 ? "" : value.p);
}

static aiorch_status set_from_text(aio__options *options, const aio__option *option, aio__str value, bool per_run,
                                   aiorch_error *error) {
  aio__str key = aio__str_z(option->key), text = aio__str_trim(value);
  int64_t i64;
  double f64;
  switch (option->type) {
    case AIORCH_TYPE_I64:
      if (aio__parse_i64(text, &i64)) return aio__options_set_i64(options, key, i64, per_run, error);
      break;
    case AIORCH_TYPE_F64:
      if (aio__parse_f64(text, &f64)) return aio__options_set_f64(options, key, f64, per_run, error);
      break;
    default:
      if (aio__str_eqz(text, "true")) return aio__options_set_bool(options, key, true, per_run, error);
      if (aio__str_eqz(text, "false")) return aio__options_set_bool(options, key, false, per_run, error);
      break;
  }
  return not_of_type(option, value, error);
}

aiorch_status aio__options_set_text(aio__options *options, aio__str key, aio__str value, bool per_run,
                                    aiorch_error *error) {
  aio__option_place place;
  aiorch_status status = aio__option_locate(key, per_run, &place, error);
  if (status != AIORCH_OK) return status;
  if (place.option.type == AIORCH_TYPE_STR) return aio__options_set_str(options, key, value, per_run, error);
  return set_from_text(options, &place.option, value, per_run, error);
}

aiorch_status aio__options_set_plain(aio__options *options, aio__str key, aio__str value, aiorch_error *error) {
  aio__option_place place;
  aiorch_status status = aio__option_locate(key, false, &place, error);
  if (status != AIORCH_OK) return status;
  if (place.option.type == AIORCH_TYPE_STR) return store_text(options, &place, value, value, error);
  return set_from_text(options, &place.option, value, false, error);
}
