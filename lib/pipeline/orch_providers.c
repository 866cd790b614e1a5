/* The providers of an orchestrator: the plug-ins that were registered, then those of the settings, over one transport; and their chain. */
#include <string.h>

#include "generate/route.h"
#include "net/http.h"
#include "pipeline/orch.h"
#include "providers/extractive.h"
#include "providers/http_provider.h"

aiorch_status aio__orch_open_io(aiorch *orch, aiorch_error *error) {
  return orch->io ? AIORCH_OK : aio__io_new(orch->al, orch->clock, &orch->io, error);
}

static aiorch_status open_own(aiorch *orch, aiorch_error *error) {
  const aio__options *o = &orch->options;
  aiorch_status st = aio__orch_open_io(orch, error);
  if (st) return st;
  aio__http_options options = {.ca_file = o->http_ca_file,
                               .connections_max = o->http_connections_max,
                               .connections_per_host = o->http_connections_per_host,
                               .http2 = strcmp(o->http_version, "2") == 0,
                               .io = orch->io};
  return aio__http_open(&options, orch->al, orch->clock, orch->log, &orch->counters, &orch->transport, error);
}

aiorch_status aio__orch_open_transport(aiorch *orch, aiorch_error *error) {
  if (orch->transport) return AIORCH_OK;
  orch->transport = orch->plugins.transport;
  return orch->transport ? AIORCH_OK : open_own(orch, error);
}

static aiorch_status make_providers(aiorch *orch, aio__plugins *plugins, aio__plugins *made, aiorch_error *error) {
  const aio__provider_list *list = &orch->options.providers;
  aiorch_status st = aio__plugins_reserve(plugins, list->count, error);
  if (st == AIORCH_OK) st = aio__orch_open_transport(orch, error);
  aio__http_provider_env env = {
      .al = orch->al, .clock = orch->clock, .transport = orch->transport, .response_max = orch->options.response_max_bytes};
  for (size_t i = 0; i < list->count && st == AIORCH_OK; i++) {
    const char *name = list->items[i]->name;
    if (aio__plugins_provider(plugins, aio__str_z(name))) {
      return aio__error_set(error, AIORCH_E_CONFIG, "\"providers.%s\": a plug-in was registered under this name; choose another", name);
    }
    st = aio__http_provider_add(made, list->items[i], &env, error);
  }
  return st;
}

/* "generate.extractive_last": the chain that an empty one means, with extractive behind it. */
static aiorch_status write_chain(aiorch *orch, const aio__plugins *all, aiorch_error *error) {
  if (!orch->options.generate_extractive_last || all->provider_count == 0) return AIORCH_OK;
  if (aio__str_trim(aio__str_z(orch->options.generate_chain)).n > 0) return AIORCH_OK;
  aio__buf chain;
  aio__buf_init(&chain, orch->al, (AIO__PROVIDERS_MAX + 1) * (AIO__PROVIDER_NAME_MAX + 1));
  for (size_t i = 0; i < all->provider_count; i++) {
    aio__buf_z(&chain, all->providers[i].name);
    aio__buf_char(&chain, ',');
  }
  aiorch_status st = aio__buf_z(&chain, aio__extractive.name);
  if (st == AIORCH_OK) st = aio__options_set_plain(&orch->options, AIO__LIT("generate.chain"), aio__buf_view(&chain), error);
  else aio__error_set(error, st, "out of memory for the chain of providers");
  aio__buf_free(&chain);
  return st;
}

static aiorch_status check_chain(aiorch *orch, const aio__plugins *all, aio__arena *arena, aiorch_error *error) {
  const aio__plugin_provider **chain = NULL;
  size_t count = 0;
  return aio__route_chain(arena, orch->options.generate_chain, all, &aio__extractive, &chain, &count, error);
}

aiorch_status aio__orch_open_providers(aiorch *orch, aio__plugins *plugins, aio__plugins *made, aiorch_error *error) {
  aiorch_status st = orch->options.providers.count > 0 ? make_providers(orch, plugins, made, error) : AIORCH_OK;
  orch->plugins = *plugins; /* the reserve may have moved the records */
  if (st) return st;
  aio__arena arena;
  aio__arena_init(&arena, orch->al, 1024);
  aio__plugins all = *plugins;
  all.provider_count = plugins->provider_count + made->provider_count;
  all.providers = aio__arena_alloc(&arena, (all.provider_count + 1) * sizeof *all.providers);
  if (!all.providers) st = aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the chain of providers");
  for (size_t i = 0; i < all.provider_count && st == AIORCH_OK; i++) {
    all.providers[i] = i < plugins->provider_count ? plugins->providers[i] : made->providers[i - plugins->provider_count];
  }
  if (st == AIORCH_OK) st = write_chain(orch, &all, error);
  if (st == AIORCH_OK) st = check_chain(orch, &all, &arena, error);
  aio__arena_free(&arena);
  return st;
}

/* Providers and embedder have copies of their own; runs, which copy the settings, need none. */
static void forget_secrets(aiorch *orch) {
  char *key = orch->options.embedder_key;
  aio__provider_list_free(orch->al, &orch->options.providers);
  explicit_bzero(key, strlen(key));
}

void aio__orch_take_providers(aiorch *orch, aio__plugins *made) {
  aio__plugins_append(&orch->plugins, made);
  aio__plugins_destroy(made); /* of which only the list is left */
  forget_secrets(orch);
}
