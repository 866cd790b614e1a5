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
  return aio__error_set(error, AIORCH_E_CONFIG_KEY, "there is no setting \"%.*s\"; the nearest is \"%s\"", shown,
                        shown == 0 ? "" : key.p, nearest(key, per_run));
}

aiorch_status aio__options_find(aio__str key, bool per_run, size_t *index, aiorch_error *error) {
  const aio__option *option;
  for (size_t i = 0; (option = aio__option_at(i)) != NULL; i++) {
    if (!aio__str_eqz(key, option->key)) continue;
    if (per_run && !option->per_run) {
      return aio__error_set(error, AIORCH_E_CONFIG_KEY,
                            "\"%s\" cannot be set for one run; set it in the configuration; a run may set \"%s\"",
                            option->key, nearest(key, true));
    }
    *index = i;
    return AIORCH_OK;
  }
  return error == NULL ? AIORCH_E_CONFIG_KEY : unknown(key, per_run, error);
}

bool aio__options_has_section(aio__str section) {
  const aio__option *option;
  for (size_t i = 0; (option = aio__option_at(i)) != NULL; i++) {
    aio__str key = aio__str_z(option->key);
    if (section.n < key.n && key.p[section.n] == '.' && aio__str_starts(key, section)) return true;
  }
  return false;
}
