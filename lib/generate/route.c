/* Routing: see route.h; the classes of errors are design section 9's. */
#include "generate/route.h"

aio__route_verdict aio__route_after(aiorch_status status) {
  switch (status) {
    case AIORCH_E_PROVIDER_REJECTED:
    case AIORCH_E_CONTEXT_WINDOW:
    case AIORCH_E_CANCELLED:
    case AIORCH_E_DEADLINE:
    case AIORCH_E_NOMEM: return AIO__ROUTE_GIVE_UP;
    default: return AIO__ROUTE_NEXT;
  }
}

bool aio__route_retryable(aiorch_status status) {
  switch (status) {
    case AIORCH_E_NETWORK:
    case AIORCH_E_PROVIDER_BUSY:
    case AIORCH_E_PROVIDER_LIMIT:
    case AIORCH_E_TRUNCATED:
    case AIORCH_E_RESPONSE: return true;
    default: return false;
  }
}

static const aio__plugin_provider *find(const aio__plugins *plugins, const aio__plugin_provider *fallback,
                                        aio__str name) {
  for (size_t i = 0; i < plugins->provider_count; i++) {
    if (aio__str_eqz(name, plugins->providers[i].name)) return &plugins->providers[i];
  }
  return fallback && aio__str_eqz(name, fallback->name) ? fallback : NULL;
}

static aiorch_status named_chain(aio__str chain, const aio__plugins *plugins, const aio__plugin_provider *fallback,
                                 const aio__plugin_provider **list, size_t *count, aiorch_error *error) {
  for (size_t at = 0; at <= chain.n;) {
    size_t end = at;
    while (end < chain.n && chain.p[end] != ',') end++;
    aio__str name = aio__str_trim(aio__str_n(chain.p + at, end - at));
    at = end + 1;
    if (name.n == 0) continue;
    if (*count > AIO__PROVIDERS_MAX) {
      return aio__error_set(error, AIORCH_E_CONFIG, "generate.chain: more than %d names", AIO__PROVIDERS_MAX + 1);
    }
    const aio__plugin_provider *provider = find(plugins, fallback, name);
    if (!provider) {
      return aio__error_set(error, AIORCH_E_CONFIG,
                            "generate.chain: no provider \"%.*s\" is registered; \"extractive\" always is",
                            (int)(name.n > 63 ? 63 : name.n), name.p);
    }
    list[(*count)++] = provider;
  }
  return AIORCH_OK;
}

aiorch_status aio__route_chain(aio__arena *arena, const char *chain, const aio__plugins *plugins,
                               const aio__plugin_provider *fallback, const aio__plugin_provider ***out, size_t *count,
                               aiorch_error *error) {
  aio__str text = aio__str_trim(aio__str_z(chain));
  size_t most = plugins->provider_count + 1;
  for (size_t i = 0; i < text.n; i++) most += text.p[i] == ',';
  const aio__plugin_provider **list = aio__arena_alloc(arena, most * sizeof *list);
  if (!list) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the chain of providers");
  size_t n = 0;
  aiorch_status st = named_chain(text, plugins, fallback, list, &n, error);
  if (st) return st;
  if (n == 0) {
    for (size_t i = 0; i < plugins->provider_count; i++) list[n++] = &plugins->providers[i];
    if (n == 0 && fallback) list[n++] = fallback;
  }
  *out = list;
  *count = n;
  return AIORCH_OK;
}
