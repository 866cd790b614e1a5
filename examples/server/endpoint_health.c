/*
 * GET /healthz: the process answers. GET /readyz: it can do its work, too: the store, a provider that is not known to be broken, no drain.
 */
#include "server.h"

#include <string.h>

enum { STORE_TIMEOUT_MS = 2000 };

void endpoint_healthz(endpoint_call *call) { cli_addz(&call->out, "{\"status\":\"ok\"}\n"); }

/* Every endpoint of it that was asked is open, and one was. */
static bool is_broken(const json_value *health, const char *provider) {
  bool asked = false;
  for (const json_value *h = health ? health->child : NULL; h; h = h->next) {
    if (strcmp(json_text(h, "provider"), provider) != 0) continue;
    if (strcmp(json_text(h, "state"), "open") != 0) return false;
    asked = true;
  }
  return asked;
}

/* Of those that a run tries which names none. */
static size_t usable_providers(aiorch *orch, size_t *all) {
  aiorch_text *text;
  size_t usable = 0;
  *all = 0;
  if (aiorch_providers(orch, &text) != AIORCH_OK) return 0;
  json_value *providers = json_take(text), *figures = NULL;
  if (aiorch_metrics_snapshot(orch, &text, NULL) == AIORCH_OK) figures = json_take(text);
  for (const json_value *p = providers ? providers->child : NULL; p; p = p->next) {
    if (json_is_null(p, "chain")) continue;
    ++*all;
    usable += !is_broken(json_get(figures, "health"), json_text(p, "name"));
  }
  json_free(figures);
  json_free(providers);
  return usable;
}

void endpoint_readyz(endpoint_call *call) {
  aiorch_error *error = NULL;
  aiorch_text *text = NULL;
  json_print p = {0};
  size_t providers, usable = usable_providers(call->orch, &providers);
  (void)aiorch_error_new(&error);
  aiorch_status status = aiorch_stats(call->orch, call->who->tenant_len ? call->who->tenant : "default",
                                      call->who->tenant_len ? call->who->tenant_len : 7, STORE_TIMEOUT_MS, &text, error);
  if (status == AIORCH_OK) status = call->store_failed;
  bool ready = status == AIORCH_OK && usable > 0;
  jp_open(&p, '{');
  jp_kz(&p, "status", ready ? "ready" : "not ready");
  jp_kz(&p, "store", status == AIORCH_OK ? "ok" : aiorch_status_name(status));
  jp_ki64(&p, "providers", (int64_t)providers);
  jp_ki64(&p, "providers_usable", (int64_t)usable);
  jp_close(&p, '}');
  cli_addc(&p.out, '\n');
  call->out = p.out;
  call->status = ready ? 200 : 503;
  if (!ready) headers_set(&call->headers, "Retry-After", "5");
  aiorch_text_free(text);
  aiorch_error_free(error);
}
