/* CORS: origins by list, and the question before the request. */
#include "cors.h"

#include <string.h>
#include <strings.h>

enum { ORIGIN_MAX = 512, ASKED_MAX = 1024 };

/* Headers that a page may read beside the few that it always may. */
static const char exposed[] =
    "x-request-id, x-aiorch-run-id, x-aiorch-provider, x-aiorch-model, x-aiorch-cache, x-aiorch-cost-usd, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, retry-after, retry-after-ms, x-should-retry";

/* scheme://host, perhaps with a port; no path, as browsers write it. */
static bool is_origin(const char *text, size_t len) {
  const char *colon = memchr(text, ':', len);
  if (!colon || len > ORIGIN_MAX || colon == text || len < (size_t)(colon - text) + 4 || memcmp(colon, "://", 3) != 0) return false;
  for (const char *at = text; at < text + len; at++) {
    if (*at <= ' ' || *at >= 0x7F || *at == '*' || (at >= colon + 3 && *at == '/')) return false;
  }
  return true;
}

bool cors_read(cors *out, const char *list, int64_t max_age_s, char why[256]) {
  *out = (cors){.max_age_s = max_age_s};
  while (*(list += strspn(list, ", "))) {
    size_t len = strcspn(list, ", ");
    if (len == 1 && *list == '*') {
      out->any = true;
    } else if (is_origin(list, len)) {
      cli_list_add(&out->origins, list, len);
    } else {
      snprintf(why, 256, "\"%.*s\" is no origin: write it as https://app.example.org, without a path; or * for all",
               len < 100 ? (int)len : 100, list);
      cors_free(out);
      return false;
    }
    list += len;
  }
  return true;
}

void cors_free(cors *c) { cli_list_free(&c->origins); }

static bool is_listed(const cors *c, const char *origin) {
  for (size_t i = 0; i < c->origins.count; i++) {
    if (strcasecmp(c->origins.items[i], origin) == 0) return true;
  }
  return c->any;
}

/* A page that came from here, as far as the browser and the proxies before us tell. */
static bool is_own(const http_request *request, const char *origin) {
  const char *host = request_header(request, "host"), *at = strstr(origin, "://");
  return host && at && strcasecmp(at + 3, host) == 0;
}

bool cors_allows(const cors *c, const http_request *request, http_problem *why) {
  const char *origin = request_header(request, "origin");
  if (!origin || is_own(request, origin) || (is_listed(c, origin) && strlen(origin) <= ORIGIN_MAX)) return true;
  return http_problem_set(why, 403, "origin_not_allowed", NULL,
                          "pages of this origin may not use the server; server.cors.origins lists those that may");
}

static bool is_preflight(const http_request *request) {
  return strcmp(request->method, "OPTIONS") == 0 && request_header(request, "access-control-request-method");
}

/* Names of headers and nothing else: they are given back as they came. */
static bool is_name_list(const char *text) {
  size_t len = strlen(text);
  return len > 0 && len <= ASKED_MAX &&
         strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, ") == len;
}

static void answer_preflight(const cors *c, const http_request *request, http_headers *out) {
  const char *asked = request_header(request, "access-control-request-headers");
  headers_set(out, "Access-Control-Allow-Methods", "GET, POST, DELETE");
  /* Any header may be sent by a page that may send at all: keys come in headers, and there are no cookies here. */
  if (asked && is_name_list(asked)) headers_set(out, "Access-Control-Allow-Headers", asked);
  headers_setf(out, "Access-Control-Max-Age", "%lld", (long long)c->max_age_s);
  headers_set(out, "Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
}

void cors_headers(const cors *c, const http_request *request, http_headers *out) {
  const char *origin = request_header(request, "origin");
  if (!c->any && c->origins.count == 0) return;
  headers_set(out, "Vary", "Origin");
  if (!origin || !is_listed(c, origin) || strlen(origin) > ORIGIN_MAX) return;
  headers_set(out, "Access-Control-Allow-Origin", origin);
  if (is_preflight(request)) answer_preflight(c, request, out);
  else headers_set(out, "Access-Control-Expose-Headers", exposed);
}
