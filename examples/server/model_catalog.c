/* See model_catalog.h. */
#include "model_catalog.h"

#include "body_json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char OURS[] = "aiorch";
static const char *const TIERS[] = {"simple", "complex", "auto"};
enum { TIER_COUNT = sizeof TIERS / sizeof TIERS[0] };

static char *copy_member(const body_node *object, const char *name) {
  const body_node *text = body_get_text(object, name);
  return cli_copy(text ? text->text : "", text ? text->len : 0);
}

static bool read_providers(model_catalog *c, const char *json, size_t len) {
  body_json body;
  bool good = body_parse(&body, json, len) && body.root->type == BODY_ARRAY;
  if (good) {
    c->entries = cli_alloc((body_count(body.root) + 1) * sizeof *c->entries);
    for (const body_node *p = body.root->child; p; p = p->next) {
      model_entry *e = &c->entries[c->count++];
      *e = (model_entry){copy_member(p, "name"), copy_member(p, "model"), copy_member(p, "api"), copy_member(p, "kind"), 0};
      (void)body_i64(body_get(p, "chain"), &e->chain);
    }
  }
  body_free(&body);
  return good;
}

static void read_allowed(model_catalog *c, const char *list) {
  while (*list) {
    size_t len = strcspn(list, ",");
    const char *from = list, *end = list + len;
    while (from < end && *from == ' ') from++;
    while (end > from && end[-1] == ' ') end--;
    if (end > from) cli_list_add(&c->allowed, from, (size_t)(end - from));
    list += len;
    if (*list == ',') list++;
  }
}

model_catalog *model_catalog_make(aiorch *orch, const aiorch_config *config, const char *allowed) {
  aiorch_text *text = NULL;
  const char *json = "";
  size_t len = 0;
  if (aiorch_providers(orch, &text) != AIORCH_OK) return NULL;
  model_catalog *c = cli_alloc(sizeof *c);
  c->created_s = (int64_t)time(NULL);
  aiorch_text_get(text, &json, &len);
  bool good = read_providers(c, json, len);
  aiorch_text_free(text);
  read_allowed(c, allowed ? allowed : "");
  if (good && config && aiorch_config_get(config, "generate.provider_options", &text, NULL) == AIORCH_OK) {
    aiorch_text_get(text, &json, &len);
    c->provider_options = cli_copy(json, len);
    aiorch_text_free(text);
  } else {
    c->provider_options = cli_copy("", 0);
  }
  if (good) return c;
  model_catalog_free(c);
  return NULL;
}

void model_catalog_free(model_catalog *c) {
  if (!c) return;
  for (size_t i = 0; i < c->count; i++) {
    free(c->entries[i].provider);
    free(c->entries[i].model);
    free(c->entries[i].api);
    free(c->entries[i].kind);
  }
  free(c->entries);
  free(c->provider_options);
  cli_list_free(&c->allowed);
  free(c);
}

static bool equals(const char *text, const char *name, size_t len) { return strlen(text) == len && memcmp(text, name, len) == 0; }

const model_entry *model_catalog_provider(const model_catalog *c, const char *name, size_t len) {
  for (size_t i = 0; i < c->count; i++) {
    if (equals(c->entries[i].provider, name, len)) return &c->entries[i];
  }
  return NULL;
}

/* By the operator's list: the whole name, all of a provider, all. */
static bool is_allowed(const model_catalog *c, const char *name, size_t len, size_t provider_len) {
  for (size_t i = 0; i < c->allowed.count; i++) {
    const char *one = c->allowed.items[i];
    size_t n = strlen(one);
    bool all_of_it = n == provider_len + 2 && one[n - 1] == '*' && one[n - 2] == '/' && memcmp(one, name, provider_len) == 0;
    if (strcmp(one, "*") == 0 || all_of_it || equals(one, name, len)) return true;
  }
  return false;
}

static bool choose(model_choice *out, const char *provider, const char *model, size_t model_len) {
  size_t provider_len = strlen(provider);
  if (provider_len > MODEL_NAME_MAX || model_len > MODEL_NAME_MAX) return false;
  memcpy(out->provider, provider, provider_len);
  memcpy(out->model, model, model_len);
  return true;
}

static bool find_tier(const char *name, size_t len, model_choice *out) {
  for (size_t i = 0; i < TIER_COUNT; i++) {
    if (equals(TIERS[i], name, len)) out->tier = TIERS[i];
  }
  return out->tier != NULL;
}

/* The first of the chain whose own model it is, else the first of all. */
static const model_entry *find_by_model(const model_catalog *c, const char *name, size_t len) {
  const model_entry *found = NULL;
  for (size_t i = 0; i < c->count; i++) {
    const model_entry *e = &c->entries[i];
    if (!equals(e->model, name, len)) continue;
    if (!found || (e->chain > 0 && (found->chain == 0 || e->chain < found->chain))) found = e;
  }
  return found;
}

bool model_catalog_find(const model_catalog *c, const char *name, size_t len, model_choice *out) {
  *out = (model_choice){.tier = NULL};
  size_t ours = sizeof OURS - 1;
  if (len == 0 || len > (size_t)MODEL_NAME_MAX * 2 || memchr(name, '\0', len)) return false;
  if (len == ours && memcmp(name, OURS, ours) == 0) return true;
  if (len > ours && memcmp(name, OURS, ours) == 0 && name[ours] == '/') return find_tier(name + ours + 1, len - ours - 1, out);
  const model_entry *e = model_catalog_provider(c, name, len);
  if (e) return choose(out, e->provider, "", 0);
  e = find_by_model(c, name, len);
  if (e) return choose(out, e->provider, name, len);
  const char *slash = memchr(name, '/', len);
  if (!slash) return false;
  size_t provider_len = (size_t)(slash - name), model_len = len - provider_len - 1;
  e = model_catalog_provider(c, name, provider_len);
  if (!e || model_len == 0) return false;
  if (!equals(e->model, slash + 1, model_len) && !is_allowed(c, name, len, provider_len)) return false;
  return choose(out, e->provider, slash + 1, model_len);
}

/* What is built in takes nothing and minds nothing. */
static bool speaks(const model_entry *e, const char *language) { return strcmp(e->api, language) == 0 || strcmp(e->kind, "builtin") == 0; }

bool model_catalog_speaks(const model_catalog *c, const char *provider, const char *language) {
  bool good = true;
  for (size_t i = 0; *provider == '\0' && i < c->count; i++) {
    good = good && (c->entries[i].chain == 0 || speaks(&c->entries[i], language));
  }
  while (*provider) {
    size_t len = strcspn(provider, ",");
    const model_entry *e = model_catalog_provider(c, provider, len);
    good = good && e && speaks(e, language);
    provider += len;
    if (*provider == ',') provider++;
  }
  return good;
}

static bool is_listed(const model_catalog *c, size_t i) { return strcmp(c->entries[i].kind, "builtin") != 0; }

bool model_catalog_listed(const model_catalog *c, size_t index, cli_bytes *out, const char **owner) {
  cli_clear(out);
  *owner = OURS;
  if (index <= TIER_COUNT) {
    cli_addz(out, OURS);
    if (index > 0) cli_addf(out, "/%s", TIERS[index - 1]);
    return true;
  }
  index -= TIER_COUNT + 1;
  for (size_t i = 0; i < c->count; i++) {
    if (!is_listed(c, i)) continue;
    if (index-- > 0) continue;
    *owner = c->entries[i].provider;
    cli_addz(out, *owner);
    if (*c->entries[i].model) cli_addf(out, "/%s", c->entries[i].model);
    return true;
  }
  for (size_t i = 0; i < c->allowed.count; i++) {
    const char *slash = strchr(c->allowed.items[i], '/');
    if (!slash || slash[1] == '*') continue;
    const model_entry *e = model_catalog_provider(c, c->allowed.items[i], (size_t)(slash - c->allowed.items[i]));
    if (!e || strcmp(e->model, slash + 1) == 0) continue; /* of nobody, or listed above */
    if (index-- > 0) continue;
    *owner = e->provider;
    cli_addz(out, c->allowed.items[i]);
    return true;
  }
  return false;
}
