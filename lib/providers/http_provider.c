/* See http_provider.h: a provider made of its settings. */
#include "providers/http_provider_private.h"

#include <string.h>

#include "core/weighted_list.h"
#include "providers/openai_servers.h"
#include "providers/provider_names.h"
#include "text/json.h"
#include "text/json_merge.h"

enum { OPTIONS_MAX = AIO__MERGE_BYTES_MAX, KEY_WORDS_MAX = AIO__PROVIDER_SETTINGS_NAME_MAX + 40 };

/* "providers.NAME.KEY" */
static const char *full_key(const aio__http_provider *p, const char *key, char out[KEY_WORDS_MAX]) {
  const char *name = aio__http_provider_settings(p)->name;
  size_t n = strlen(name), k = strlen(key);
  memcpy(out, "providers.", 10);
  memcpy(out + 10, name, n);
  out[10 + n] = '.';
  memcpy(out + 11 + n, key, k + 1);
  return out;
}

static aiorch_status bad(const aio__http_provider *p, const char *key, const char *what, aiorch_error *error) {
  char words[KEY_WORDS_MAX];
  return aio__error_set(error, AIORCH_E_CONFIG, "\"%s\" %s", full_key(p, key, words), what);
}

static aiorch_status no_memory(const aio__http_provider *p, aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the provider \"%s\"", aio__http_provider_settings(p)->name);
}

static const char *or_else(const char *set, const char *other) { return set[0] != '\0' ? set : other; }

/* ---- interface, dialect and models ---- */

static aiorch_status find_codec(aio__http_provider *p, const aio__provider_name *known, aiorch_error *error) {
  const aio__provider_settings *s = aio__http_provider_settings(p);
  const char *api = or_else(s->api, known ? known->api : "");
  if (api[0] == '\0') {
    return bad(p, "api", "must be set to anthropic, openai, gemini or ollama: the provider's name does not say which it speaks", error);
  }
  p->codec = aio__codec_find(aio__str_z(api));
  if (p->codec == NULL) return bad(p, "api", "is no interface that is known", error);
  p->refuse = strcmp(s->unsupported, "refuse") == 0;
  p->server = aio__str_z(s->server);
  if (p->codec != &aio__codec_openai) return AIORCH_OK;
  if (p->server.n == 0 && known) p->server = aio__str_z(known->server);
  const aio__openai_server *server = aio__openai_server_find(p->server, AIO__LIT(""));
  if (server == NULL) return bad(p, "server", "is no server that is known; leave it empty to go by the base URL", error);
  bool elsewhere = p->server.n == 0 && known == NULL; /* a name of the user's own: is it OpenAI itself? */
  if (s->base_url[0] == '\0' && (server->base_url == NULL || elsewhere)) return bad(p, "base_url", "must be set: where is it?", error);
  return AIORCH_OK;
}

/* The defaults of a name hold for its own interface; another speaks of other models. */
static const aio__provider_name *models_of(const aio__http_provider *p, const aio__provider_name *known) {
  const aio__provider_settings *s = aio__http_provider_settings(p);
  if (known && strcmp(known->api, p->codec->name) == 0) return known;
  return s->base_url[0] == '\0' ? aio__provider_name_find(aio__str_z(p->codec->name)) : NULL;
}

/* ---- addresses and keys ---- */

static const char *own_address(const aio__http_provider *p) {
  if (p->codec != &aio__codec_openai) return p->codec->base_url;
  const aio__openai_server *server = aio__openai_server_find(p->server, AIO__LIT(""));
  return server && server->base_url ? server->base_url : "";
}

static aiorch_status add_endpoint(aio__http_provider *p, aio__str base_url, aio__str key, uint64_t weight, aiorch_error *error) {
  if (p->endpoint_count == AIO__ENDPOINTS_MAX) return bad(p, "key", "has too many entries: at most 64 keys and addresses together", error);
  aio__str host = aio__wire_host(base_url.n ? base_url : aio__str_z(own_address(p)));
  const aio__openai_server *server = p->codec == &aio__codec_openai ? aio__openai_server_find(p->server, base_url) : NULL;
  p->endpoints[p->endpoint_count] = (aio__http_endpoint){base_url, aio__str_trim(key), server ? aio__str_z(server->name) : p->server};
  p->weights[p->endpoint_count] = (uint32_t)weight; /* at most 1000 * 1000 */
  p->names[p->endpoint_count] = aio__arena_strn(&p->memory, host.p, host.n);
  return p->names[p->endpoint_count++] ? AIORCH_OK : no_memory(p, error);
}

static aiorch_status check_address(const aio__http_provider *p, aio__str base_url, aiorch_error *error) {
  aio__buf url;
  aiorch_error why;
  char key[KEY_WORDS_MAX];
  aio__error_init(&why);
  aio__buf_init(&url, p->al, AIO__WIRE_URL_MAX);
  aiorch_status st = aio__wire_url(&url, base_url, AIO__LIT("/"), &why);
  aio__buf_free(&url);
  return st ? aio__error_set(error, st, "\"%s\": %s", full_key(p, "base_url", key), why.message) : AIORCH_OK;
}

static aiorch_status check_key(const aio__http_provider *p, aio__str key, size_t number, aiorch_error *error) {
  char words[KEY_WORDS_MAX];
  for (size_t i = 0; i < key.n; i++) {
    if (key.p[i] > 0x20 && key.p[i] < 0x7F) continue;
    return aio__error_set(error, AIORCH_E_CONFIG, "\"%s\": number %zu of the list has a byte that no key has", full_key(p, "key", words),
                          number);
  }
  return AIORCH_OK;
}

/* A key never goes to an address that it was not meant for: with several addresses there is one key for all, or one for each. */
static aiorch_status set_endpoints(aio__http_provider *p, aiorch_error *error) {
  const aio__provider_settings *s = aio__http_provider_settings(p);
  aio__weighted_list urls, keys;
  char words[KEY_WORDS_MAX];
  aiorch_status st = aio__weighted_list_parse(aio__str_z(s->base_url), full_key(p, "base_url", words), &urls, error);
  if (st == AIORCH_OK) st = aio__weighted_list_parse(aio__str_z(s->key), full_key(p, "key", words), &keys, error);
  if (st) return st;
  if (urls.count > 1 && keys.count > 1 && urls.count != keys.count) {
    return bad(p, "key", "must be one for all the addresses, or one for each", error);
  }
  for (size_t i = 0; i < urls.count && st == AIORCH_OK; i++) st = check_address(p, urls.items[i].text, error);
  for (size_t i = 0; i < keys.count && st == AIORCH_OK; i++) st = check_key(p, keys.items[i].text, i + 1, error);
  p->key_count = keys.count;
  size_t count = urls.count > keys.count ? urls.count : keys.count;
  for (size_t i = 0; i < (count ? count : 1) && st == AIORCH_OK; i++) {
    const aio__weighted_item none = {{"", 0}, 1};
    const aio__weighted_item *url = urls.count == 0 ? &none : &urls.items[urls.count == 1 ? 0 : i];
    const aio__weighted_item *key = keys.count == 0 ? &none : &keys.items[keys.count == 1 ? 0 : i];
    st = add_endpoint(p, url->text, key->text, (uint64_t)url->weight * key->weight, error);
  }
  return st;
}

/* ---- headers and options ---- */

/* Tries a header as it will be sent. */
static aiorch_status try_header(const aio__http_provider *p, aio__wire_request *trial, const aio__wire_header *h, aiorch_error *error) {
  aiorch_error why;
  char words[KEY_WORDS_MAX];
  if (!h->name.p || !h->value.p) return no_memory(p, error);
  aio__error_init(&why);
  aiorch_status st = aio__wire_add_header(trial, h->name, h->value, true, &why);
  return st ? aio__error_set(error, st, "\"%s\": %s", full_key(p, "headers", words), why.message) : AIORCH_OK;
}

static aiorch_status take_headers(aio__http_provider *p, const aio__json_value *object, aiorch_error *error) {
  aio__wire_request trial;
  aiorch_status st = AIORCH_OK;
  if (aio__json_typeof(object) != AIO__JSON_OBJECT) return bad(p, "headers", "must be a JSON object of texts", error);
  if (aio__json_size(object) > AIO__HTTP_PROVIDER_HEADERS_MAX) return bad(p, "headers", "has more than 16 headers", error);
  aio__wire_request_init(&trial, p->al);
  for (const aio__json_value *m = aio__json_first(object); m && st == AIORCH_OK; m = aio__json_next(m)) {
    aio__str value;
    if (!aio__json_str(m, &value)) {
      st = bad(p, "headers", "must be a JSON object of texts", error);
      break;
    }
    aio__wire_header *h = &p->headers[p->header_count++];
    *h = (aio__wire_header){aio__arena_str(&p->memory, aio__json_key(m)), aio__arena_str(&p->memory, value), true};
    st = try_header(p, &trial, h, error);
  }
  aio__wire_request_free(&trial);
  return st;
}

static aiorch_status set_headers(aio__http_provider *p, aiorch_error *error) {
  const aio__provider_settings *s = aio__http_provider_settings(p);
  char name[KEY_WORDS_MAX];
  aio__json *parsed;
  if (s->headers[0] == '\0') return AIORCH_OK;
  aio__json_limits limits = {OPTIONS_MAX, 2, AIORCH_E_CONFIG, full_key(p, "headers", name)};
  aiorch_status st = aio__json_parse(p->al, aio__str_z(s->headers), &limits, &parsed, error);
  if (st) return st;
  st = take_headers(p, aio__json_root(parsed), error);
  aio__json_free(parsed);
  return st;
}

static aiorch_status check_options(aio__http_provider *p, aiorch_error *error) {
  aio__buf body;
  char name[KEY_WORDS_MAX];
  p->options = aio__str_trim(aio__str_z(aio__http_provider_settings(p)->options));
  if (p->options.n == 0) return AIORCH_OK;
  aio__buf_init(&body, p->al, OPTIONS_MAX);
  aiorch_status st = aio__buf_z(&body, "{}");
  if (st == AIORCH_OK) st = aio__json_merge(&body, p->options, full_key(p, "options", name), error);
  else no_memory(p, error);
  aio__buf_free(&body);
  return st;
}

/* ---- all together ---- */

static void destroy(void *self) {
  aio__http_provider *p = self;
  const aio__alloc *al = p->al;
  for (size_t i = 0; i < p->header_count; i++) { /* the arena's, and secret */
    aio__str value = p->headers[i].value;
    char *bytes;
    if (value.n == 0) continue;
    memcpy(&bytes, &value.p, sizeof bytes);
    explicit_bzero(bytes, value.n);
  }
  aio__arena_free(&p->memory);
  aio__provider_list_free(al, &p->settings);
  aio__free(al, p);
}

static aiorch_status make(const aio__provider_settings *settings, const aio__http_provider_env *env, aio__http_provider **out,
                          aiorch_error *error) {
  aio__http_provider *p = aio__calloc(env->al, 1, sizeof *p);
  aio__provider_settings copy = *settings, *items[] = {&copy};
  const aio__provider_list one = {items, 1, 1};
  if (p == NULL || aio__provider_list_copy(env->al, &p->settings, &one) != AIORCH_OK) {
    aio__free(env->al, p);
    return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the provider \"%s\"", settings->name);
  }
  p->al = env->al;
  p->clock = env->clock;
  p->transport = env->transport;
  size_t factor = AIO__HTTP_PROVIDER_BODY_FACTOR;
  p->response_max = (size_t)env->response_max * factor + (1 << 20);
  aio__arena_init(&p->memory, p->al, 1024);
  const aio__provider_name *known = aio__provider_name_find(aio__str_z(settings->name));
  aiorch_status st = find_codec(p, known, error);
  if (st == AIORCH_OK) st = set_endpoints(p, error);
  if (st == AIORCH_OK) st = set_headers(p, error);
  if (st == AIORCH_OK) st = check_options(p, error);
  if (st == AIORCH_OK) {
    *out = p;
    return st;
  }
  destroy(p);
  return st;
}

aiorch_status aio__http_provider_add(aio__plugins *plugins, const aio__provider_settings *settings, const aio__http_provider_env *env,
                                     aiorch_error *error) {
  aio__http_provider *p = NULL;
  aiorch_status st = make(settings, env, &p, error);
  if (st) return st;
  const aio__provider_settings *s = aio__http_provider_settings(p);
  const aio__provider_name *models = models_of(p, aio__provider_name_find(aio__str_z(s->name)));
  aiorch_provider_vtbl vtbl = {.struct_size = sizeof vtbl,
                               .model = or_else(s->model, models ? models->model : ""),
                               .generate = aio__http_attempt_start,
                               .cancel = aio__http_attempt_cancel,
                               .destroy = destroy};
  if (vtbl.model[0] == '\0') st = bad(p, "model", "must be set: which model is to be asked?", error);
  if (st == AIORCH_OK) st = aio__plugins_add_provider(plugins, s->name, &vtbl, p, error);
  if (st) {
    destroy(p);
    return st;
  }
  /* With a model of the user's own the tiers are his, too. */
  bool own_models = s->model[0] != '\0' || models == NULL;
  aio__plugin_provider *record = &plugins->providers[plugins->provider_count - 1];
  record->model_simple = or_else(s->model_simple, own_models ? "" : models->model_simple);
  record->model_complex = or_else(s->model_complex, own_models ? "" : models->model_complex);
  record->context_tokens = s->context_tokens;
  record->endpoint_count = (uint32_t)p->endpoint_count;
  record->endpoint_weights = p->weights;
  record->endpoint_names = p->names;
  record->api = p->codec->name;
  record->key_count = (uint32_t)p->key_count;
  record->base_url = s->base_url;
  record->options = s->options;
  return AIORCH_OK;
}
