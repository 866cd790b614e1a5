/* The providers of an orchestrator as JSON: aiorch_providers. Of keys it knows nothing but how many there are. */
#include <string.h>

#include <aiorch/metrics.h>

#include "core/text_handle.h"
#include "generate/route.h"
#include "pipeline/orch.h"
#include "providers/extractive.h"

enum { REPORT_MAX = 4 << 20 };

typedef struct chain {
  const aio__plugin_provider **items;
  size_t count;
} chain;

/* Its place in the chain of a run that names none, from 1; null when it is not in it. */
static void put_place(aio__json_writer *w, const chain *in, const aio__plugin_provider *provider) {
  for (size_t i = 0; i < in->count; i++) {
    if (in->items[i] != provider) continue;
    aio__jw_ki64(w, "chain", (int64_t)i + 1);
    return;
  }
  aio__jw_knull(w, "chain");
}

static void put_hosts(aio__json_writer *w, const aio__plugin_provider *provider) {
  aio__jw_key(w, "hosts");
  aio__jw_array(w);
  for (uint32_t i = 0; provider->endpoint_names && i < provider->endpoint_count; i++) {
    bool seen = false;
    for (uint32_t k = 0; k < i && !seen; k++) seen = strcmp(provider->endpoint_names[i], provider->endpoint_names[k]) == 0;
    if (!seen) aio__jw_z(w, provider->endpoint_names[i]);
  }
  aio__jw_array_end(w);
}

static void put_provider(aio__json_writer *w, const aio__plugin_provider *provider, const chain *in) {
  aio__jw_object(w);
  aio__jw_kz(w, "name", provider->name);
  aio__jw_kz(w, "model", provider->model && provider->model[0] ? provider->model : NULL);
  aio__jw_kz(w, "kind", provider->api ? "http" : provider == &aio__extractive ? "builtin" : "plugin");
  aio__jw_kz(w, "api", provider->api);
  put_hosts(w, provider);
  aio__jw_ki64(w, "keys", provider->key_count);
  if (provider->context_tokens > 0) aio__jw_ki64(w, "context_tokens", provider->context_tokens);
  else aio__jw_knull(w, "context_tokens");
  put_place(w, in, provider);
  aio__jw_object_end(w);
}

static aiorch_status write_report(const aiorch *orch, aio__arena *arena, aio__buf *buf) {
  aio__json_writer w;
  chain in = {0};
  aiorch_error why;
  aio__error_init(&why);
  aiorch_status st =
      aio__route_chain(arena, orch->options.generate_chain, &orch->plugins, &aio__extractive, &in.items, &in.count, &why);
  if (st) return st;
  aio__jw_init(&w, buf);
  aio__jw_array(&w);
  for (size_t i = 0; i < orch->plugins.provider_count; i++) put_provider(&w, &orch->plugins.providers[i], &in);
  put_provider(&w, &aio__extractive, &in);
  aio__jw_array_end(&w);
  return buf->failed;
}

aiorch_status aiorch_providers(aiorch *orch, aiorch_text **out) {
  aiorch_status st = aio__orch_check(orch);
  if (st == AIORCH_OK && !out) st = AIORCH_E_INVALID;
  if (st) return st;
  aio__arena arena;
  aio__buf buf;
  aio__arena_init(&arena, orch->al, 1024);
  aio__buf_init(&buf, orch->al, REPORT_MAX);
  st = write_report(orch, &arena, &buf);
  if (st == AIORCH_OK) st = aio__text_from_buf(&buf, out);
  aio__buf_free(&buf);
  aio__arena_free(&arena);
  return st;
}
