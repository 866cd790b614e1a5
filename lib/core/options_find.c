/* Finds a key in the table of settings, and for one that is not there the key that was meant. */
#include "core/options_private.h"

#include <aiorch/error.h>

#include <string.h>

enum { SHOWN_MAX = 80 };

static size_t min3(size_t a, size_t b, size_t c) {
  size_t least = a < b ? a : b;
  return least < c ? least : c;
}

/*
 * The optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours, each at 1. Three
 * rows of the table are enough: a swap looks back two.
 */
size_t aio__option_distance(aio__str a, aio__str b) {
  size_t rows[3][AIO__OPTION_KEY_MAX + 1];
  size_t *before = rows[0], *above = rows[1], *row = rows[2];
  for (size_t j = 0; j <= b.n; j++) above[j] = before[j] = j;
  for (size_t i = 1; i <= a.n; i++) {
    row[0] = i;
    for (size_t j = 1; j <= b.n; j++) {
      size_t change = a.p[i - 1] == b.p[j - 1] ? 0 : 1;
      row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + change);
      bool swapped = i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1];
      if (swapped && before[j - 2] + 1 < row[j]) row[j] = before[j - 2] + 1;
    }
    size_t *spare = before;
    before = above;
    above = row;
    row = spare;
  }
  return above[b.n];
}

static aio__str last_part(aio__str key) {
  size_t at = key.n;
  if (at == 0) return key;
  while (at > 0 && key.p[at - 1] != '.') at--;
  return aio__str_n(key.p + at, key.n - at);
}

/* How far apart two keys are; one whose section was left out or mistaken, but whose last part agrees, is near. Among
 * those that are equally near the one that is nearer as a whole comes first. */
static size_t apart(aio__str key, aio__str candidate) {
  size_t whole = aio__option_distance(key, candidate);
  size_t part = aio__option_distance(last_part(key), last_part(candidate)) + 2;
  return (whole < part ? whole : part) * (AIO__OPTION_KEY_MAX + 1) + whole;
}

static const char *nearest(aio__str key, bool per_run) {
  if (key.n > AIO__OPTION_KEY_MAX) key.n = AIO__OPTION_KEY_MAX;
  const char *best = NULL;
  size_t least = SIZE_MAX;
  const aio__option *option;
  for (size_t i = 0; (option = aio__option_at(i)) != NULL; i++) {
    if (per_run && !option->per_run) continue;
    size_t d = apart(key, aio__str_z(option->key));
    if (d >= least) continue;
    least = d;
    best = option->key;
  }
  return best;
}

static aiorch_status unknown(aio__str key, bool per_run, aiorch_error *error) {
  int shown = key.n > SHOWN_MAX ? SHOWN_MAX : (int)key.n;
  size_t dots = 0, first = 0;
  while (first < key.n && key.p[first] != '.') first++;
  for (size_t i = 0; i < key.n; i++) dots += key.p[i] == '.' ? 1 : 0;
  aio__str section = AIO__LIT(AIO__PROVIDERS_SECTION);
  if (!per_run && dots >= 2 && first <= AIO__OPTION_KEY_MAX && aio__option_distance(aio__str_n(key.p, first), section) <= 2) {
    return aio__error_set(error, AIORCH_E_CONFIG_KEY, "there is no setting \"%.*s\"; the nearest is \"" AIO__PROVIDERS_SECTION "%.*s\"",
                          shown, key.p, shown > (int)first ? shown - (int)first : 0, key.p + first);
  }
  return aio__error_set(error, AIORCH_E_CONFIG_KEY, "there is no setting \"%.*s\"; the nearest is \"%s\"", shown,
                        shown == 0 ? "" : key.p, nearest(key, per_run));
}

/* ---- keys of providers ---- */

static const char *nearest_of_provider(aio__str last) {
  if (last.n > AIO__OPTION_KEY_MAX) last.n = AIO__OPTION_KEY_MAX;
  const char *best = NULL;
  size_t least = SIZE_MAX;
  const aio__option *option;
  for (size_t i = 0; (option = aio__provider_option_at(i)) != NULL; i++) {
    size_t d = aio__option_distance(last, aio__str_z(option->key));
    if (d >= least) continue;
    least = d;
    best = option->key;
  }
  return best;
}

static aiorch_status unknown_of_provider(aio__str key, aio__str name, aio__str last, aiorch_error *error) {
  int shown = key.n > SHOWN_MAX ? SHOWN_MAX : (int)key.n;
  if (!aio__provider_settings_name(name)) {
    return aio__error_set(error, AIORCH_E_CONFIG_KEY,
                          "there is no setting \"%.*s\": " AIO__PROVIDERS_SECTION
                          ".NAME.KEY needs a name of 1 to %d of a-z, 0-9, '_' and '-' that is not \"extractive\"",
                          shown, key.p, AIO__PROVIDER_SETTINGS_NAME_MAX);
  }
  if (last.n == 0) {
    return aio__error_set(error, AIORCH_E_CONFIG_KEY, "\"%.*s\" is a provider, not a setting; set \"%.*s.key\" and its like", shown,
                          key.p, shown, key.p);
  }
  return aio__error_set(error, AIORCH_E_CONFIG_KEY,
                        "there is no setting \"%.*s\"; the nearest is \"" AIO__PROVIDERS_SECTION ".%.*s.%s\"", shown, key.p,
                        (int)name.n, name.p, nearest_of_provider(last));
}

static aiorch_status locate_of_provider(aio__str key, aio__str name, aio__str last, bool per_run, aio__option_place *place,
                                        aiorch_error *error) {
  const aio__option *option = aio__provider_settings_name(name) ? aio__provider_option_find(last) : NULL;
  if (option == NULL) return error == NULL ? AIORCH_E_CONFIG_KEY : unknown_of_provider(key, name, last, error);
  if (per_run) {
    return aio__error_set(error, AIORCH_E_CONFIG_KEY, "\"%.*s\" cannot be set for one run; set it in the configuration", (int)key.n,
                          key.p);
  }
  /* The name and the key were found to be short. */
  memcpy(place->key, key.p, key.n);
  place->key[key.n] = '\0';
  place->option = *option;
  place->option.key = place->key;
  place->option.secret = aio__option_secret(option);
  place->provider = aio__str_n(place->key + (name.p - key.p), name.n);
  return AIORCH_OK;
}

/* ---- both ---- */

aiorch_status aio__option_locate(aio__str key, bool per_run, aio__option_place *place, aiorch_error *error) {
  aio__str name, last;
  if (aio__provider_key_split(key, &name, &last)) return locate_of_provider(key, name, last, per_run, place, error);
  place->provider = AIO__LIT("");
  const aio__option *option;
  for (size_t i = 0; (option = aio__option_at(i)) != NULL; i++) {
    if (!aio__str_eqz(key, option->key)) continue;
    if (per_run && !option->per_run) {
      return aio__error_set(error, AIORCH_E_CONFIG_KEY,
                            "\"%s\" cannot be set for one run; set it in the configuration; a run may set \"%s\"",
                            option->key, nearest(key, true));
    }
    place->option = *option;
    return AIORCH_OK;
  }
  return error == NULL ? AIORCH_E_CONFIG_KEY : unknown(key, per_run, error);
}

aiorch_status aio__option_base(aio__options *options, const aio__option_place *place, void **base, aiorch_error *error) {
  *base = options;
  if (place->provider.n == 0) return AIORCH_OK;
  aio__provider_settings *settings = NULL;
  aiorch_status status = aio__provider_list_add(options->al, &options->providers, place->provider, &settings, error);
  *base = settings;
  return status;
}

aiorch_status aio__options_find(aio__str key, bool per_run, size_t *index, aiorch_error *error) {
  aio__option_place place;
  aiorch_status status = aio__option_locate(key, per_run, &place, error);
  if (status != AIORCH_OK) return status;
  *index = SIZE_MAX;
  const aio__option *option;
  for (size_t i = 0; (option = aio__option_at(i)) != NULL; i++) {
    if (strcmp(option->key, place.option.key) != 0) continue;
    *index = i;
    break;
  }
  return AIORCH_OK;
}

bool aio__options_is_provider(aio__str section) {
  aio__str name, last;
  bool whole = section.n > 0 && section.p[section.n - 1] != '.';
  return whole && aio__provider_key_split(section, &name, &last) && last.n == 0;
}

aiorch_status aio__options_add_provider(aio__options *options, aio__str section, aiorch_error *error) {
  aio__str name = AIO__LIT(""), last;
  aio__provider_settings *settings;
  (void)aio__provider_key_split(section, &name, &last);
  return aio__provider_list_add(options->al, &options->providers, name, &settings, error);
}

bool aio__options_has_section(aio__str section) {
  if (aio__str_eqz(section, AIO__PROVIDERS_SECTION)) return true;
  const aio__option *option;
  for (size_t i = 0; (option = aio__option_at(i)) != NULL; i++) {
    aio__str key = aio__str_z(option->key);
    if (section.n < key.n && key.p[section.n] == '.' && aio__str_starts(key, section)) return true;
  }
  return false;
}
