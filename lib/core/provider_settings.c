/* The settings of providers behind HTTP: their table as data, and the list of them that is part of aio__options. */
#include "core/options_private.h"

#include <string.h>

#define STR_ROW(member, key_, default_, values_, secret_, help_) \
  {.key = key_, .type = AIORCH_TYPE_STR, .offset = offsetof(aio__provider_settings, member), \
   .text = default_, .values = values_, .help = help_, .secret = secret_},
#define I64_ROW(member, key_, default_, min_, max_, help_) \
  {.key = key_, .type = AIORCH_TYPE_I64, .offset = offsetof(aio__provider_settings, member), \
   .i64 = default_, .i64_min = min_, .i64_max = max_, .help = help_},
#define BOOL_ROW(member, key_, default_, help_) \
  {.key = key_, .type = AIORCH_TYPE_BOOL, .offset = offsetof(aio__provider_settings, member), .i64 = default_, .help = help_},

static const aio__option OPTIONS[] = {AIO__PROVIDER_SETTINGS(STR_ROW, I64_ROW, BOOL_ROW)};

enum { OPTION_COUNT = sizeof OPTIONS / sizeof OPTIONS[0] };

const aio__option *aio__provider_option_at(size_t index) {
  return index < OPTION_COUNT ? &OPTIONS[index] : NULL;
}

const aio__option *aio__provider_option_find(aio__str last) {
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (aio__str_eqz(last, OPTIONS[i].key)) return &OPTIONS[i];
  }
  return NULL;
}

bool aio__provider_settings_name(aio__str name) {
  if (name.n == 0 || name.n > AIO__PROVIDER_SETTINGS_NAME_MAX || aio__str_eqz(name, "extractive")) return false;
  for (size_t i = 0; i < name.n; i++) {
    char c = name.p[i];
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) return false;
  }
  return true;
}

bool aio__provider_key_split(aio__str key, aio__str *name, aio__str *last) {
  aio__str prefix = AIO__LIT(AIO__PROVIDERS_SECTION ".");
  if (!aio__str_starts(key, prefix)) return false;
  size_t at = prefix.n, end = at;
  while (end < key.n && key.p[end] != '.') end++;
  *name = aio__str_n(key.p + at, end - at);
  *last = end < key.n ? aio__str_n(key.p + end + 1, key.n - end - 1) : AIO__LIT("");
  return true;
}

/* ---- one provider ---- */

static void free_settings(const aio__alloc *al, aio__provider_settings *settings) {
  if (settings == NULL) return;
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (OPTIONS[i].type == AIORCH_TYPE_STR) aio__option_free_text(al, settings, &OPTIONS[i]);
  }
  aio__free(al, settings->name);
  aio__free(al, settings);
}

static aio__provider_settings *make_settings(const aio__alloc *al, aio__str name) {
  aio__provider_settings *settings = aio__calloc(al, 1, sizeof *settings);
  if (settings == NULL) return NULL;
  settings->name = aio__strndup(al, name.p, name.n);
  bool good = settings->name != NULL;
  for (size_t i = 0; i < OPTION_COUNT && good; i++) good = aio__option_set_default(al, settings, &OPTIONS[i]) == AIORCH_OK;
  if (good) return settings;
  free_settings(al, settings);
  return NULL;
}

static aio__provider_settings *copy_settings(const aio__alloc *al, aio__provider_settings *from) {
  aio__provider_settings *settings = aio__calloc(al, 1, sizeof *settings);
  if (settings == NULL) return NULL;
  *settings = *from;
  settings->name = aio__strndup(al, from->name, strlen(from->name));
  bool good = settings->name != NULL;
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (OPTIONS[i].type != AIORCH_TYPE_STR) continue;
    const char *text = *aio__option_str(from, &OPTIONS[i]);
    char *copy = good ? aio__strndup(al, text, strlen(text)) : NULL;
    *aio__option_str(settings, &OPTIONS[i]) = copy;
    good = good && copy != NULL;
  }
  if (good) return settings;
  free_settings(al, settings);
  return NULL;
}

/* ---- the list ---- */

aio__provider_settings *aio__provider_list_find(const aio__provider_list *list, aio__str name) {
  for (size_t i = 0; i < list->count; i++) {
    if (aio__str_eqz(name, list->items[i]->name)) return list->items[i];
  }
  return NULL;
}

static aiorch_status make_room(const aio__alloc *al, aio__provider_list *list) {
  if (list->count < list->cap) return AIORCH_OK;
  size_t cap = list->cap == 0 ? 4 : list->cap * 2;
  aio__provider_settings **more = aio__realloc(al, list->items, cap * sizeof *more);
  if (more == NULL) return AIORCH_E_NOMEM;
  list->items = more;
  list->cap = cap;
  return AIORCH_OK;
}

aiorch_status aio__provider_list_add(const aio__alloc *al, aio__provider_list *list, aio__str name, aio__provider_settings **out,
                                     aiorch_error *error) {
  *out = aio__provider_list_find(list, name);
  if (*out != NULL) return AIORCH_OK;
  int shown = name.n > AIO__PROVIDER_SETTINGS_NAME_MAX ? AIO__PROVIDER_SETTINGS_NAME_MAX : (int)name.n;
  if (!aio__provider_settings_name(name)) {
    return aio__error_set(error, AIORCH_E_CONFIG_KEY,
                          "\"%.*s\" is no name of a provider: 1 to %d of a-z, 0-9, '_' and '-', and not \"extractive\"", shown,
                          shown == 0 ? "" : name.p, AIO__PROVIDER_SETTINGS_NAME_MAX);
  }
  if (list->count == AIO__PROVIDER_SETTINGS_MAX) {
    return aio__error_set(error, AIORCH_E_TOO_LARGE, "\"providers\" has more than %d names", AIO__PROVIDER_SETTINGS_MAX);
  }
  aio__provider_settings *made = make_settings(al, name);
  if (made == NULL || make_room(al, list) != AIORCH_OK) {
    free_settings(al, made);
    return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the settings of \"%.*s\"", shown, name.p);
  }
  list->items[list->count++] = *out = made;
  return AIORCH_OK;
}

aiorch_status aio__provider_list_copy(const aio__alloc *al, aio__provider_list *to, const aio__provider_list *from) {
  *to = (aio__provider_list){NULL, 0, 0};
  if (from->count == 0) return AIORCH_OK;
  to->items = aio__calloc(al, from->count, sizeof *to->items);
  if (to->items == NULL) return AIORCH_E_NOMEM;
  to->cap = from->count;
  for (size_t i = 0; i < from->count; i++) {
    to->items[i] = copy_settings(al, from->items[i]);
    if (to->items[i] == NULL) {
      aio__provider_list_free(al, to);
      return AIORCH_E_NOMEM;
    }
    to->count++;
  }
  return AIORCH_OK;
}

void aio__provider_list_free(const aio__alloc *al, aio__provider_list *list) {
  for (size_t i = 0; i < list->count; i++) free_settings(al, list->items[i]);
  aio__free(al, list->items);
  *list = (aio__provider_list){NULL, 0, 0};
}
