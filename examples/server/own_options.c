/*
 * The member `aiorch` of a request: what this server can do and the languages of others have no word for. Clients put it beside their own
 * members (extra_body of OpenAI's SDK in Python).
 *
 *   {"filters": {"lang": "en", "version": {"from": "15", "to": "17"}, "path": [{"prefix": "docs/"}, "faq.md"]},
 *    "cache": "off" | {"mode", "match", "threshold", "ttl_s", "max_age_s"},
 *    "retrieve": false | {"enabled", "top_k", "context_tokens", "threshold"},
 *    "tier": "simple", "provider": "openai" | ["openai", "anthropic"]}
 */
#include "run_making.h"

#include <string.h>

static bool unknown(making *m, const body_node *member, const char *of, const char *known) {
  return making_refuse(m, of, "no member \"%.*s\"; it has %s", member->name_len < 64 ? (int)member->name_len : 64, member->name, known);
}

/* ---- filters ---- */

static bool add_filter(making *m, const body_node *name, const body_node *value) {
  aiorch_run *run = m->x->run;
  if (value->type == BODY_TEXT) {
    return making_check(m, aiorch_run_add_filter(run, name->name, name->name_len, value->text, value->len), "aiorch.filters");
  }
  const body_node *prefix = body_get_text(value, "prefix"), *from = body_get_text(value, "from"), *to = body_get_text(value, "to");
  size_t known = (prefix ? 1u : 0u) + (from ? 1u : 0u) + (to ? 1u : 0u);
  if (value->type != BODY_OBJECT || known == 0 || known != body_count(value) || (prefix && known > 1)) {
    return making_refuse(m, "aiorch.filters", "\"%.*s\" must be a text, {\"prefix\"}, {\"from\", \"to\"}, or a list of these",
                         name->name_len < 64 ? (int)name->name_len : 64, name->name);
  }
  aiorch_status status =
      prefix ? aiorch_run_add_filter_prefix(run, name->name, name->name_len, prefix->text, prefix->len)
             : aiorch_run_add_filter_range(run, name->name, name->name_len, from ? from->text : NULL, from ? from->len : 0,
                                           to ? to->text : NULL, to ? to->len : 0);
  return making_check(m, status, "aiorch.filters");
}

static bool take_filters(making *m, const body_node *filters) {
  if (filters->type != BODY_OBJECT) return making_refuse(m, "aiorch.filters", "must be an object: {\"lang\": \"en\"}");
  for (const body_node *f = filters->child; f; f = f->next) {
    if (f->type != BODY_ARRAY) {
      if (!add_filter(m, f, f)) return false;
      continue;
    }
    if (!f->child) return making_refuse(m, "aiorch.filters", "a list without a value finds nothing");
    for (const body_node *one = f->child; one; one = one->next) {
      if (!add_filter(m, f, one)) return false;
    }
  }
  return true;
}

/* ---- settings of the library ---- */

typedef struct own_setting {
  const char *name, *key;
  body_type type;
} own_setting;

static const own_setting CACHE[] = {{"mode", "cache.mode", BODY_TEXT},
                                    {"match", "cache.match", BODY_TEXT},
                                    {"threshold", "cache.threshold", BODY_NUMBER},
                                    {"ttl_s", "cache.ttl_s", BODY_NUMBER},
                                    {"max_age_s", "cache.max_age_s", BODY_NUMBER}};
static const own_setting RETRIEVE[] = {{"enabled", "retrieve.enabled", BODY_BOOL},
                                       {"top_k", "retrieve.top_k", BODY_NUMBER},
                                       {"context_tokens", "retrieve.context_tokens", BODY_NUMBER},
                                       {"threshold", "retrieve.threshold", BODY_NUMBER}};

static bool take_setting(making *m, const own_setting *s, const body_node *value, const char *member) {
  if (value->type != s->type) {
    const char *wanted = s->type == BODY_TEXT ? "a text" : s->type == BODY_BOOL ? "true or false" : "a number";
    return making_refuse(m, member, "\"%s\" must be %s", s->name, wanted);
  }
  if (s->type == BODY_TEXT) return making_option(m, s->key, value->text, value->len, member);
  return s->type == BODY_NUMBER ? making_number(m, s->key, value, member) : making_option(m, s->key, value->raw, value->raw_len, member);
}

static bool take_settings(making *m, const body_node *object, const own_setting *table, size_t count, const char *member,
                          const char *names) {
  unsigned seen = 0;
  if (object->type != BODY_OBJECT) return making_refuse(m, member, "must be an object with %s", names);
  for (const body_node *value = object->child; value; value = value->next) {
    size_t i = 0;
    if (value->type == BODY_NULL) continue;
    while (i < count && !body_named(value, table[i].name)) i++;
    if (i == count) return unknown(m, value, member, names);
    if (seen & 1u << i) return making_refuse(m, member, "\"%s\" is given twice", table[i].name);
    seen |= 1u << i;
    if (!take_setting(m, &table[i], value, member)) return false;
  }
  return true;
}

static bool take_cache(making *m, const body_node *cache) {
  if (cache->type == BODY_TEXT) return making_option(m, "cache.mode", cache->text, cache->len, "aiorch.cache");
  return take_settings(m, cache, CACHE, sizeof CACHE / sizeof CACHE[0], "aiorch.cache", "mode, match, threshold, ttl_s, max_age_s");
}

static bool take_retrieve(making *m, const body_node *retrieve) {
  if (retrieve->type == BODY_BOOL) return making_option(m, "retrieve.enabled", retrieve->raw, retrieve->raw_len, "aiorch.retrieve");
  return take_settings(m, retrieve, RETRIEVE, sizeof RETRIEVE / sizeof RETRIEVE[0], "aiorch.retrieve",
                       "enabled, top_k, context_tokens, threshold");
}

/* ---- whom to ask ---- */

static bool add_provider(making *m, const body_node *name) {
  const model_entry *e = name->type == BODY_TEXT ? model_catalog_provider(m->x->models, name->text, name->len) : NULL;
  if (!e) return making_refuse(m, "aiorch.provider", "must be the name of a provider of this server, or a list of names");
  if (m->provider.len) cli_addc(&m->provider, ',');
  cli_addz(&m->provider, e->provider);
  return true;
}

static bool take_provider(making *m, const body_node *provider) {
  if (m->provider.len) return making_refuse(m, "aiorch.provider", "\"model\" has named one already; leave one of the two out");
  if (provider->type != BODY_ARRAY) return add_provider(m, provider);
  if (!provider->child) return making_refuse(m, "aiorch.provider", "a list without a name");
  for (const body_node *one = provider->child; one; one = one->next) {
    if (!add_provider(m, one)) return false;
  }
  return true;
}

static bool take_tier(making *m, const body_node *tier) {
  if (tier->type != BODY_TEXT) return making_refuse(m, "aiorch.tier", "must be default, simple, complex or auto");
  if (m->choice.tier) return making_refuse(m, "aiorch.tier", "\"model\" has named one already; leave one of the two out");
  return making_option(m, "generate.tier", tier->text, tier->len, "aiorch.tier");
}

static const struct {
  const char *name;
  bool (*take)(making *m, const body_node *value);
} MEMBERS[] = {{"filters", take_filters},
               {"cache", take_cache},
               {"retrieve", take_retrieve},
               {"provider", take_provider},
               {"tier", take_tier}};

bool making_own_options(making *m, const body_node *own) {
  unsigned seen = 0;
  if (!own) return true;
  if (own->type != BODY_OBJECT) return making_refuse(m, "aiorch", "must be an object");
  for (const body_node *value = own->child; value; value = value->next) {
    size_t i = 0, count = sizeof MEMBERS / sizeof MEMBERS[0];
    if (value->type == BODY_NULL) continue;
    while (i < count && !body_named(value, MEMBERS[i].name)) i++;
    if (i == count) return unknown(m, value, "aiorch", "filters, cache, retrieve, provider, tier");
    if (seen & 1u << i) return making_refuse(m, "aiorch", "\"%s\" is given twice", MEMBERS[i].name);
    seen |= 1u << i;
    if (!MEMBERS[i].take(m, value)) return false;
  }
  return true;
}
