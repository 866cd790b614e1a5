/*
 * What is served.
 */
#include "embeddings_page.h"
#include "endpoint_documents.h"
#include "endpoints.h"
#include "models_page.h"
#include "server.h"

#include <string.h>

/* What a browser asks before a request: the headers of the answer are CORS's matter (identity_headers). */
static void answer_preflight(endpoint_call *call) { call->status = 204; }

static const endpoint preflight = {"OPTIONS", "*", ENDPOINT_INLINE, true, 1, NULL, answer_preflight};

static const endpoint table[] = {
    {"POST", "/ask", ENDPOINT_ANSWER, false, 0, &wire_ask, NULL},
    {"POST", "/v1/chat/completions", ENDPOINT_ANSWER, false, 0, &wire_openai_chat, NULL},
    {"POST", "/v1/messages", ENDPOINT_ANSWER, false, 0, &wire_anthropic_messages, NULL},
    {"POST", "/v1/embeddings", ENDPOINT_WORKER, false, 0, NULL, embeddings_serve},
    {"GET", "/v1/models", ENDPOINT_INLINE, false, 1, NULL, models_list},
    {"GET", "/v1/models/{id}", ENDPOINT_INLINE, false, 1, NULL, models_one},
    {"GET", "/v1/models/{provider}/{name}", ENDPOINT_INLINE, false, 1, NULL, models_one},
    {"GET", "/healthz", ENDPOINT_INLINE, true, 1, NULL, endpoint_healthz},
    {"GET", "/readyz", ENDPOINT_WORKER, true, 1, NULL, endpoint_readyz},
    {"GET", "/metrics", ENDPOINT_INLINE, false, 1, NULL, endpoint_metrics},
    {"POST", "/v1/documents", ENDPOINT_WORKER, false, 0, NULL, endpoint_documents_add},
    {"GET", "/v1/documents", ENDPOINT_WORKER, false, 1, NULL, endpoint_documents_list},
    {"DELETE", "/v1/documents", ENDPOINT_WORKER, false, 1, NULL, endpoint_documents_delete_by_uri},
    {"GET", "/v1/documents/{id}", ENDPOINT_WORKER, false, 1, NULL, endpoint_documents_show},
    {"DELETE", "/v1/documents/{id}", ENDPOINT_WORKER, false, 1, NULL, endpoint_documents_delete},
    {"POST", "/v1/search", ENDPOINT_WORKER, false, 0, NULL, endpoint_search},
    {"GET", "/openapi.json", ENDPOINT_INLINE, true, 1, NULL, endpoint_openapi},
};

enum { COUNT = sizeof table / sizeof table[0] };

const endpoint *endpoint_at(size_t index) { return index < COUNT ? &table[index] : NULL; }

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A piece of the path, decoded; false when it is too long, empty, or an escape is none. */
static bool decode(const char *from, size_t len, char out[ENDPOINT_PART_MAX + 1]) {
  size_t n = 0;
  for (size_t i = 0; i < len; i++) {
    char c = from[i];
    if (n == ENDPOINT_PART_MAX) return false;
    if (c == '%') {
      int high = len - i > 2 ? hex(from[i + 1]) : -1, low = len - i > 2 ? hex(from[i + 2]) : -1;
      if (high < 0 || low < 0) return false;
      c = (char)(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return false;
    out[n++] = c;
  }
  out[n] = '\0';
  return n > 0;
}

static bool match(const char *pattern, const char *path, char parts[ENDPOINT_PARTS_MAX][ENDPOINT_PART_MAX + 1]) {
  size_t part = 0;
  char thrown_away[ENDPOINT_PART_MAX + 1];
  while (*pattern && *path) {
    if (*pattern != '{') {
      if (*pattern++ != *path++) return false;
      continue;
    }
    size_t len = strcspn(path, "/");
    if (part == ENDPOINT_PARTS_MAX || !decode(path, len, parts ? parts[part] : thrown_away)) return false;
    part++;
    path += len;
    pattern += strcspn(pattern, "}") + 1;
  }
  return !*pattern && !*path;
}

const endpoint *endpoint_find(const char *method, const char *path, char parts[ENDPOINT_PARTS_MAX][ENDPOINT_PART_MAX + 1],
                              char allow[64], http_problem *why) {
  allow[0] = '\0';
  for (size_t i = 0; i < COUNT; i++) {
    const endpoint *e = &table[i];
    if (!match(e->path, path, parts)) continue;
    bool head = strcmp(method, "HEAD") == 0 && strcmp(e->method, "GET") == 0;
    if (head || strcmp(e->method, method) == 0) return e;
    size_t len = strlen(allow);
    snprintf(allow + len, 64 - len, "%s%s", len ? ", " : "", e->method);
  }
  if (allow[0] && strcmp(method, "OPTIONS") == 0) return &preflight;
  if (allow[0]) http_problem_set(why, 405, "method_not_allowed", NULL, "%.16s is not served here, but %s", method, allow);
  else http_problem_set(why, 404, "not_found", NULL, "nothing is served at %.200s", path);
  return NULL;
}

void endpoint_problem(endpoint_call *call, const http_problem *why) {
  call->status = why->status;
  call->content_type = "application/json";
  cli_clear(&call->out);
  http_problem_json(why, &call->out);
  if (why->retry_after_ms >= 0) headers_setf(&call->headers, "Retry-After", "%lld", (long long)(why->retry_after_ms + 999) / 1000);
}
