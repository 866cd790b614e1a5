/*
 * Registered plug-ins: the import of their structs, and who destroys them.
 *
 * The import rule. A struct says its own size. Smaller than that of version 0.1 is a mistake; larger comes from a newer
 * header, and is fine as long as what this library does not know is all zero: slots that are not in use. What the
 * library knows is copied, slots that an older plug-in lacks stay NULL.
 */
#include "core/plugins.h"

#include <aiorch/error.h>

#include <string.h>

/* Sizes in version 0.1, which never change: up to and with the last slot of that time. */
enum {
  EMBEDDER_0_1 = offsetof(aiorch_embedder_vtbl, destroy) + sizeof(void (*)(void *)),
  VECTOR_STORE_0_1 = offsetof(aiorch_vector_store_vtbl, destroy) + sizeof(void (*)(void *)),
  PROVIDER_0_1 = offsetof(aiorch_provider_vtbl, destroy) + sizeof(void (*)(void *)),
  LOGGER_0_1 = offsetof(aiorch_logger_vtbl, destroy) + sizeof(void (*)(void *))
};

typedef struct import_rule {
  const char *what;
  size_t least, known;  /* sizes: in version 0.1, in this library */
  uint32_t flags;       /* that this library knows */
} import_rule;

static aiorch_status import(const import_rule *rule, void *to, const void *from, aiorch_error *error) {
  if (from == NULL) return aio__error_set(error, AIORCH_E_INVALID, "%s: the struct of slots is NULL", rule->what);
  uint32_t head[2]; /* struct_size and flags, which all four begin with */
  memcpy(head, from, sizeof head[0]);
  if (head[0] < rule->least || head[0] > AIO__PLUGIN_STRUCT_MAX) {
    return aio__error_set(error, AIORCH_E_INVALID,
                          "%s: struct_size is %u; set it to sizeof of the struct, at least %zu", rule->what,
                          (unsigned)head[0], rule->least);
  }
  memcpy(head, from, sizeof head);
  const unsigned char *bytes = from;
  for (size_t i = rule->known; i < head[0]; i++) {
    if (bytes[i] == 0) continue;
    return aio__error_set(error, AIORCH_E_UNSUPPORTED,
                          "%s: a slot at byte %zu is in use that this library does not know; it is older than the "
                          "header the plug-in was made with", rule->what, i);
  }
  if ((head[1] & ~rule->flags) != 0) {
    return aio__error_set(error, AIORCH_E_UNSUPPORTED, "%s: flags has the unknown bits 0x%x", rule->what,
                          (unsigned)(head[1] & ~rule->flags));
  }
  memset(to, 0, rule->known);
  memcpy(to, from, head[0] < rule->known ? head[0] : rule->known);
  return AIORCH_OK;
}

static aiorch_status missing(const import_rule *rule, const char *what, aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_INVALID, "%s: %s is required", rule->what, what);
}

static aiorch_status no_memory(const import_rule *rule, aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_NOMEM, "%s: out of memory", rule->what);
}

/* A model or fingerprint: 1 to AIO__PLUGIN_TEXT_MAX bytes of UTF-8 without control characters, or spaces in one word.
 * */
static aiorch_status check_text(const import_rule *rule, const char *what, const char *text, bool one_word,
                                aiorch_error *error) {
  size_t n = text == NULL ? 0 : strnlen(text, AIO__PLUGIN_TEXT_MAX + 1);
  if (n == 0) return missing(rule, what, error);
  if (n > AIO__PLUGIN_TEXT_MAX) {
    return aio__error_set(error, AIORCH_E_INVALID, "%s: %s has more than %d bytes", rule->what, what,
                          (int)AIO__PLUGIN_TEXT_MAX);
  }
  if (aio__utf8_check(aio__str_n(text, n), NULL) < n) {
    return aio__error_set(error, AIORCH_E_INVALID, "%s: %s is not UTF-8", rule->what, what);
  }
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c >= 0x20 && c != 0x7F && !(one_word && c == ' ')) continue;
    return aio__error_set(error, AIORCH_E_INVALID, "%s: %s has a %s at byte %zu", rule->what, what,
                          c == ' ' ? "space" : "control character", i);
  }
  return AIORCH_OK;
}

/* ---- the lock of a plug-in that is called by one thread at a time ---- */

static aiorch_status make_serial(const import_rule *rule, const aio__alloc *al, uint32_t flags, pthread_mutex_t **out,
                                 aiorch_error *error) {
  *out = NULL;
  if ((flags & AIORCH_PLUGIN_SERIAL) == 0) return AIORCH_OK;
  pthread_mutex_t *mutex = aio__malloc(al, sizeof *mutex);
  if (mutex == NULL) return no_memory(rule, error);
  if (pthread_mutex_init(mutex, NULL) != 0) {
    aio__free(al, mutex);
    return aio__error_set(error, AIORCH_E_SYSTEM, "%s: the system gave no lock", rule->what);
  }
  *out = mutex;
  return AIORCH_OK;
}

static void free_serial(const aio__alloc *al, pthread_mutex_t *mutex) {
  if (mutex == NULL) return;
  pthread_mutex_destroy(mutex);
  aio__free(al, mutex);
}

static void destroy_self(void (*destroy)(void *self), void *self) {
  if (destroy != NULL) destroy(self);
}

/* ---- embedder ---- */

static void destroy_embedder(const aio__alloc *al, aio__plugin_embedder *embedder) {
  destroy_self(embedder->vtbl.destroy, embedder->self);
  free_serial(al, embedder->serial);
  aio__free(al, embedder->fingerprint);
}

static aiorch_status check_embedder(const import_rule *rule, const aiorch_embedder_vtbl *vtbl, aiorch_error *error) {
  if (vtbl->embed == NULL) return missing(rule, "embed", error);
  if (vtbl->dimensions < 1 || vtbl->dimensions > AIO__PLUGIN_DIMENSIONS_MAX) {
    return aio__error_set(error, AIORCH_E_INVALID, "%s: dimensions is %u, not 1 to %d", rule->what,
                          (unsigned)vtbl->dimensions, (int)AIO__PLUGIN_DIMENSIONS_MAX);
  }
  return check_text(rule, "fingerprint", vtbl->fingerprint, true, error);
}

aiorch_status aio__plugins_set_embedder(aio__plugins *plugins, const aiorch_embedder_vtbl *vtbl, void *self,
                                        aiorch_error *error) {
  static const import_rule rule = {"embedder", EMBEDDER_0_1, sizeof(aiorch_embedder_vtbl),
                                   AIORCH_PLUGIN_SERIAL | AIORCH_PLUGIN_ONE_PURPOSE};
  aio__plugin_embedder made = {.self = self};
  aiorch_status status = import(&rule, &made.vtbl, vtbl, error);
  if (status == AIORCH_OK) status = check_embedder(&rule, &made.vtbl, error);
  if (status == AIORCH_OK) status = make_serial(&rule, &plugins->al, made.vtbl.flags, &made.serial, error);
  if (status != AIORCH_OK) return status;
  made.fingerprint = aio__strndup(&plugins->al, made.vtbl.fingerprint, strlen(made.vtbl.fingerprint));
  if (made.fingerprint == NULL) {
    free_serial(&plugins->al, made.serial);
    return no_memory(&rule, error);
  }
  made.vtbl.fingerprint = made.fingerprint;
  aio__plugin_embedder old = plugins->embedder;
  bool had = plugins->has_embedder;
  plugins->embedder = made;
  plugins->has_embedder = true;
  if (had) destroy_embedder(&plugins->al, &old);
  return AIORCH_OK;
}

/* ---- vector store ---- */

static void destroy_vector_store(const aio__alloc *al, aio__plugin_vector_store *store) {
  destroy_self(store->vtbl.destroy, store->self);
  free_serial(al, store->serial);
}

aiorch_status aio__plugins_set_vector_store(aio__plugins *plugins, const aiorch_vector_store_vtbl *vtbl, void *self,
                                            aiorch_error *error) {
  static const import_rule rule = {"vector store", VECTOR_STORE_0_1, sizeof(aiorch_vector_store_vtbl),
                                   AIORCH_PLUGIN_SERIAL};
  aio__plugin_vector_store made = {.self = self};
  aiorch_status status = import(&rule, &made.vtbl, vtbl, error);
  if (status != AIORCH_OK) return status;
  if (made.vtbl.upsert == NULL) return missing(&rule, "upsert", error);
  if (made.vtbl.remove == NULL) return missing(&rule, "remove", error);
  if (made.vtbl.search == NULL) return missing(&rule, "search", error);
  status = make_serial(&rule, &plugins->al, made.vtbl.flags, &made.serial, error);
  if (status != AIORCH_OK) return status;
  aio__plugin_vector_store old = plugins->vector_store;
  bool had = plugins->has_vector_store;
  plugins->vector_store = made;
  plugins->has_vector_store = true;
  if (had) destroy_vector_store(&plugins->al, &old);
  return AIORCH_OK;
}

/* ---- providers ---- */

static const import_rule PROVIDER = {"provider", PROVIDER_0_1, sizeof(aiorch_provider_vtbl), AIORCH_PLUGIN_SERIAL};

static bool is_name(const char *name) {
  size_t n = strnlen(name, AIO__PROVIDER_NAME_MAX + 1);
  if (n == 0 || n > AIO__PROVIDER_NAME_MAX) return false;
  for (size_t i = 0; i < n; i++) {
    char c = name[i];
    bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
    if (!good) return false;
  }
  return true;
}

static aiorch_status check_name(const aio__plugins *plugins, const char *name, aiorch_error *error) {
  if (name == NULL || !is_name(name)) {
    return aio__error_set(error, AIORCH_E_INVALID, "provider: a name has 1 to %d of a-z, 0-9, '_', '.' and '-'",
                          (int)AIO__PROVIDER_NAME_MAX);
  }
  if (strcmp(name, "extractive") == 0) {
    return aio__error_set(error, AIORCH_E_INVALID, "provider: the name \"extractive\" is built in; choose another");
  }
  if (aio__plugins_provider(plugins, aio__str_z(name)) != NULL) {
    return aio__error_set(error, AIORCH_E_INVALID, "provider: the name \"%s\" is taken already", name);
  }
  if (plugins->provider_count < AIO__PROVIDERS_MAX) return AIORCH_OK;
  return aio__error_set(error, AIORCH_E_TOO_LARGE, "provider: at most %d can be registered", (int)AIO__PROVIDERS_MAX);
}

static aiorch_status grow_providers(aio__plugins *plugins, size_t more_count) {
  if (more_count <= plugins->provider_cap - plugins->provider_count) return AIORCH_OK;
  size_t cap = plugins->provider_cap == 0 ? 4 : plugins->provider_cap * 2;
  while (cap - plugins->provider_count < more_count) cap *= 2;
  aio__plugin_provider *more = aio__realloc(&plugins->al, plugins->providers, cap * sizeof *more);
  if (more == NULL) return AIORCH_E_NOMEM;
  plugins->providers = more;
  plugins->provider_cap = cap;
  return AIORCH_OK;
}

/* Name and model lie behind one another in one block, which the name begins. */
static char *copy_texts(const aio__alloc *al, const char *name, const char *model, const char **model_copy) {
  size_t name_size = strlen(name) + 1, model_size = strlen(model) + 1;
  char *block = aio__malloc(al, name_size + model_size);
  if (block == NULL) return NULL;
  memcpy(block, name, name_size);
  memcpy(block + name_size, model, model_size);
  *model_copy = block + name_size;
  return block;
}

static void free_texts(const aio__alloc *al, const char *name) {
  void *block;
  memcpy(&block, &name, sizeof block); /* ours, and only lent out as const */
  aio__free(al, block);
}

aiorch_status aio__plugins_add_provider(aio__plugins *plugins, const char *name, const aiorch_provider_vtbl *vtbl,
                                        void *self, aiorch_error *error) {
  aio__plugin_provider made = {.self = self};
  aiorch_status status = import(&PROVIDER, &made.vtbl, vtbl, error);
  if (status == AIORCH_OK) status = check_name(plugins, name, error);
  if (status != AIORCH_OK) return status;
  if (made.vtbl.generate == NULL) return missing(&PROVIDER, "generate", error);
  status = check_text(&PROVIDER, "model", made.vtbl.model, false, error);
  if (status == AIORCH_OK) status = make_serial(&PROVIDER, &plugins->al, made.vtbl.flags, &made.serial, error);
  if (status != AIORCH_OK) return status;
  if (grow_providers(plugins, 1) == AIORCH_OK) made.name = copy_texts(&plugins->al, name, made.vtbl.model, &made.model);
  if (made.name == NULL) {
    free_serial(&plugins->al, made.serial);
    return no_memory(&PROVIDER, error);
  }
  made.vtbl.model = made.model;
  plugins->providers[plugins->provider_count++] = made;
  return AIORCH_OK;
}

aiorch_status aio__plugins_reserve(aio__plugins *plugins, size_t more, aiorch_error *error) {
  if (more > AIO__PROVIDERS_MAX - plugins->provider_count) {
    return aio__error_set(error, AIORCH_E_TOO_LARGE, "provider: at most %d can be registered, plug-ins and settings together",
                          (int)AIO__PROVIDERS_MAX);
  }
  return grow_providers(plugins, more) == AIORCH_OK ? AIORCH_OK : no_memory(&PROVIDER, error);
}

void aio__plugins_append(aio__plugins *to, aio__plugins *from) {
  for (size_t i = 0; i < from->provider_count; i++) to->providers[to->provider_count++] = from->providers[i];
  from->provider_count = 0;
}

static void destroy_providers(aio__plugins *plugins) {
  while (plugins->provider_count > 0) {
    aio__plugin_provider *provider = &plugins->providers[--plugins->provider_count];
    destroy_self(provider->vtbl.destroy, provider->self);
    free_serial(&plugins->al, provider->serial);
    free_texts(&plugins->al, provider->name);
  }
  if (plugins->providers != NULL) aio__free(&plugins->al, plugins->providers);
  plugins->providers = NULL;
  plugins->provider_cap = 0;
}

const aio__plugin_provider *aio__plugins_provider(const aio__plugins *plugins, aio__str name) {
  for (size_t i = 0; i < plugins->provider_count; i++) {
    if (aio__str_eqz(name, plugins->providers[i].name)) return &plugins->providers[i];
  }
  return NULL;
}

/* ---- logger ---- */

aiorch_status aio__plugins_set_logger(aio__plugins *plugins, const aiorch_logger_vtbl *vtbl, void *self,
                                      aiorch_error *error) {
  static const import_rule rule = {"logger", LOGGER_0_1, sizeof(aiorch_logger_vtbl), AIORCH_PLUGIN_SERIAL};
  aio__plugin_logger made = {.self = self};
  aiorch_status status = import(&rule, &made.vtbl, vtbl, error);
  if (status != AIORCH_OK) return status;
  if (made.vtbl.log == NULL) return missing(&rule, "log", error);
  made.vtbl.struct_size = (uint32_t)sizeof made.vtbl; /* of the copy: aio__log_new copies it once more */
  aio__plugin_logger old = plugins->logger;
  bool had = plugins->has_logger;
  plugins->logger = made;
  plugins->has_logger = true;
  if (had) destroy_self(old.vtbl.destroy, old.self);
  return AIORCH_OK;
}

/* ---- all of them ---- */

void aio__plugins_init(aio__plugins *plugins, const aio__alloc *al) {
  *plugins = (aio__plugins){.al = *al};
}

void aio__plugins_move(aio__plugins *to, aio__plugins *from) {
  *to = *from;
  to->has_logger = to->taken = false;
  to->logger = (aio__plugin_logger){.self = NULL};
  *from = (aio__plugins){.al = to->al, .taken = true};
}

void aio__plugins_destroy(aio__plugins *plugins) {
  destroy_providers(plugins);
  if (plugins->has_vector_store) destroy_vector_store(&plugins->al, &plugins->vector_store);
  if (plugins->has_embedder) destroy_embedder(&plugins->al, &plugins->embedder);
  if (plugins->has_logger) destroy_self(plugins->logger.vtbl.destroy, plugins->logger.self);
  plugins->has_vector_store = plugins->has_embedder = plugins->has_logger = false;
}
