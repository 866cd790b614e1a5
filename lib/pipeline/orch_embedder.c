/* Which embedder an orchestrator has: the plug-in that was registered, else the service that was named, else a local model on disk, else
 * none; and which cosines count as near for it. */
#include <stdlib.h>
#include <string.h>

#include "core/weighted_list.h"
#include "embedders/http_embedder.h"
#include "embedders/known_models.h"
#include "embedders/local/local.h"
#include "pipeline/orch.h"
#include "pipeline/store_place.h"

/* embedder.local.path + "/" + embedder.local.model. AIORCH_E_NOT_FOUND: nothing says where models are. */
static aiorch_status model_folder(const aio__options *o, aio__buf *out, aiorch_error *error) {
  if (strchr(o->embedder_local_model, '/') || o->embedder_local_model[0] == '.') {
    return aio__error_set(error, AIORCH_E_CONFIG_RANGE,
                          "embedder.local.model is the name of a folder in embedder.local.path, not \"%s\"",
                          o->embedder_local_model);
  }
  if (o->embedder_local_path[0] != '\0') {
    aio__buf_z(out, o->embedder_local_path);
  } else {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool use_cache = cache && cache[0] == '/';
    if (!use_cache && (!home || home[0] != '/')) {
      return aio__error_set(error, AIORCH_E_NOT_FOUND,
                            "embedder.local.path is not set and neither XDG_CACHE_HOME nor HOME says where models are");
    }
    aio__buf_z(out, use_cache ? cache : home);
    aio__buf_z(out, use_cache ? "/aiorch/models" : "/.cache/aiorch/models");
  }
  aio__buf_z(out, "/");
  if (aio__buf_z(out, o->embedder_local_model) == AIORCH_OK) return AIORCH_OK;
  return aio__error_set(error, out->failed, "embedder.local.path is too long, or memory ran out");
}

static aiorch_status open_local(aiorch *orch, aio__plugin_embedder *out, aiorch_error *error) {
  const aio__options *o = &orch->options;
  aio__local_args args = {.log = orch->log,
                          .precision = strcmp(o->embedder_local_precision, "f32") == 0 ? AIO__LOCAL_F32 : AIO__LOCAL_INT8};
  aio__local *local = NULL;
  aio__buf folder;
  aio__buf_init(&folder, orch->al, AIO__STORE_PLACE_MAX);
  aiorch_status st = model_folder(o, &folder, error);
  if (st == AIORCH_OK) st = aio__cpu_from_setting(o->cpu, &args.cpu, error);
  if (st == AIORCH_OK) {
    args.folder = aio__buf_cstr(&folder);
    st = aio__local_open(orch->al, &args, &local, error);
  }
  aio__buf_free(&folder);
  if (st) return st;
  aio__local_plugin(local, out);
  out->fingerprint = aio__strndup(orch->al, aio__local_fingerprint(local), strlen(aio__local_fingerprint(local)));
  out->vtbl.fingerprint = out->fingerprint;
  return out->fingerprint ? AIORCH_OK : aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the local embedder");
}

/* Where nothing was said of a service's address and key: those of the provider of that name, the first of each. */
static aiorch_status borrow(const aiorch *orch, aio__http_embedder_args *args, aio__arena *memory, aiorch_error *error) {
  const aio__provider_settings *of = aio__provider_list_find(&orch->options.providers, aio__str_z(args->api));
  aio__weighted_list urls, keys;
  if (args->base_url[0] != '\0' || !of) return AIORCH_OK;
  aiorch_status st = aio__weighted_list_parse(aio__str_z(of->base_url), "base_url", &urls, error);
  if (st == AIORCH_OK) st = aio__weighted_list_parse(aio__str_z(of->key), "key", &keys, error);
  if (st) return st;
  bool use_key = keys.count > 0 && args->key[0] == '\0';
  if (urls.count > 0) args->base_url = aio__arena_strn(memory, urls.items[0].text.p, urls.items[0].text.n);
  if (use_key) args->key = aio__arena_strn(memory, keys.items[0].text.p, keys.items[0].text.n);
  return args->base_url && args->key ? AIORCH_OK : aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the embedder");
}

static aiorch_status open_service(aiorch *orch, aio__plugin_embedder *out, aiorch_error *error) {
  const aio__options *o = &orch->options;
  aio__http_embedder_args args = {.api = o->embedder,
                                  .base_url = o->embedder_base_url,
                                  .key = o->embedder_key,
                                  .model = o->embedder_model,
                                  .options = o->embedder_options,
                                  .dimensions = o->embedder_dimensions,
                                  .max_tokens = o->embedder_max_tokens,
                                  .timeout_ms = o->embedder_timeout_ms};
  aio__arena memory;
  aio__arena_init(&memory, orch->al, 512);
  aiorch_status st = borrow(orch, &args, &memory, error);
  if (st == AIORCH_OK) st = aio__orch_open_transport(orch, error);
  if (st == AIORCH_OK) st = aio__http_embedder_open(orch->al, orch->clock, orch->transport, &args, out, error);
  if (args.key && args.key != o->embedder_key) { /* a copy, and a secret */
    char *copy;
    memcpy(&copy, &args.key, sizeof copy);
    explicit_bzero(copy, strlen(copy));
  }
  aio__arena_free(&memory);
  return st;
}

/* A setting of the host's comes before what was measured; an unknown model has no default that would be right. */
static aiorch_status find_thresholds(aiorch *orch, const char *fingerprint, aiorch_error *error) {
  const aio__options *o = &orch->options;
  const aio__known_model *known = aio__known_model_find(aio__str_z(fingerprint));
  bool retrieve_set = o->retrieve_threshold < 0 || o->retrieve_threshold > 0;
  if (!known && !retrieve_set) {
    return aio__error_set(error, AIORCH_E_CONFIG,
                          "retrieve.threshold must be set for the embedder \"%s\": no measured default is known",
                          fingerprint);
  }
  if (!known && !(o->cache_threshold > 0) && strcmp(o->cache_match, "exact") != 0) {
    return aio__error_set(error, AIORCH_E_CONFIG,
                          "cache.threshold must be set for the embedder \"%s\" (no measured default is known), or "
                          "cache.match to \"exact\"",
                          fingerprint);
  }
  orch->retrieve_threshold = retrieve_set ? o->retrieve_threshold : known->retrieve_threshold;
  orch->cache_threshold = o->cache_threshold > 0 ? o->cache_threshold : known ? known->cache_threshold : 0;
  return AIORCH_OK;
}

aiorch_status aio__orch_open_embedder(aiorch *orch, aio__plugin_embedder *local, aiorch_error *error) {
  const char *setting = orch->options.embedder;
  orch->embedder_name = "embedder";
  if (orch->plugins.has_embedder) return find_thresholds(orch, orch->plugins.embedder.fingerprint, error);
  if (strcmp(setting, "none") == 0) return AIORCH_OK;
  bool here = strcmp(setting, "auto") == 0 || strcmp(setting, "local") == 0;
  if (!here) orch->embedder_name = orch->options.embedder;
  aiorch_status st = here ? open_local(orch, local, error) : open_service(orch, local, error);
  orch->embedder_is_local = here && st == AIORCH_OK;
  if (st == AIORCH_E_NOT_FOUND && strcmp(setting, "auto") == 0) {
    aio__error_clear(error);
    return AIORCH_OK;
  }
  if (st) return st;
  return find_thresholds(orch, local->fingerprint, error);
}

void aio__orch_drop_embedder(const aiorch *orch, aio__plugin_embedder *local) {
  if (local->vtbl.destroy) local->vtbl.destroy(local->self);
  aio__free(orch->al, local->fingerprint);
  memset(local, 0, sizeof *local);
}

void aio__orch_take_embedder(aiorch *orch, const aio__plugin_embedder *local) {
  if (!local->vtbl.embed) return;
  orch->plugins.embedder = *local;
  orch->plugins.has_embedder = true;
}
