/*
 * Who is calling, without keys and tokens: nobody, or everybody where the settings say so.
 */
#include "identity.h"
#include "server_settings.h"

#include <stdlib.h>
#include <string.h>

struct identity {
  bool anonymous;
  char tenant[CALLER_NAME_MAX + 1];
};

identity *identity_open(const server_settings *settings, char why[512]) {
  identity *ids = cli_alloc(sizeof *ids);
  ids->anonymous = settings->anonymous;
  snprintf(ids->tenant, sizeof ids->tenant, "%s", settings->anonymous_tenant);
  if (ids->anonymous) return ids;
  snprintf(why, 512, "nobody could call: there are no keys; say server.anonymous=true to serve everybody");
  free(ids);
  return NULL;
}

bool identity_find(identity *ids, const http_request *request, int64_t now_s, caller *out, http_problem *why) {
  (void)now_s;
  *out = (caller){.anonymous = true};
  if (!ids->anonymous) return http_problem_set(why, 401, "invalid_api_key", NULL, "who are you? Send Authorization: Bearer and a key");
  out->tenant_len = strlen(ids->tenant);
  memcpy(out->tenant, ids->tenant, out->tenant_len);
  (void)request;
  return true;
}

void identity_headers(const identity *ids, const http_request *request, http_headers *out) { (void)ids, (void)request, (void)out; }

void identity_describe(const identity *ids, cli_bytes *out) {
  cli_addf(out, "everybody may call, as tenant '%s'", ids->tenant);
}

void identity_refresh(identity *ids, int64_t now_s) { (void)ids, (void)now_s; }

void identity_close(identity *ids) { free(ids); }
