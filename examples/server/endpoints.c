/*
 * What is served.
 */
#include "anthropic_messages.h"
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
    {"POST", "/v1/messages/count_tokens", ENDPOINT_WORKER, false, 0, &wire_anthropic_messages, anthropic_count_tokens},
    {"POST", "/v1/embeddings", ENDPOINT_LOOKUP, false, 0, NULL, embeddings_serve},
    {"GET", "/v1/models", ENDPOINT_INLINE, false, 1, NULL, models_list},
    {"GET", "/v1/models/{id}", ENDPOINT_INLINE, false, 1, NULL, models_one},
    {"GET", "/v1/models/{provider}/{name}", ENDPOINT_INLINE, false, 1, NULL, models_one},
    {"GET", "/healthz", ENDPOINT_INLINE, true, 1, NULL, endpoint_healthz},
    {"GET", "/readyz", ENDPOINT_WORKER, true, 1, NULL, endpoint_readyz},
    {"GET", "/metrics", ENDPOINT_INLINE, false, 1, NULL, endpoint_metrics},
    {"POST", "/v1/documents", ENDPOINT_CHANGE, false, 0, NULL, endpoint_documents_add},
    {"GET", "/v1/documents", ENDPOINT_WORKER, false, 1, NULL, endpoint_documents_list},
    {"DELETE", "/v1/documents", ENDPOINT_CHANGE, false, 1, NULL, endpoint_documents_delete_by_uri},
    {"GET", "/v1/documents/{id}", ENDPOINT_WORKER, false, 1, NULL, endpoint_documents_show},
    {"DELETE", "/v1/documents/{id}", ENDPOINT_CHANGE, false, 1, NULL, endpoint_documents_delete},
    {"POST", "/v1/search", ENDPOINT_LOOKUP, false, 0, NULL, endpoint_search},
    {"GET", "/openapi.json", ENDPOINT_INLINE, true, 1, NULL, endpoint_openapi},
};

enum { COUNT = sizeof table / sizeof table[0] };

const endpoint *endpoint_at(size_t index) { return index < COUNT ? &table[index] : NULL; }

/* A piece of the path, decoded; false when it is too long, empty, or an escape is none. */
static bool decode(const char *from, size_t len, char out[ENDPOINT_PART_MAX + 1]) {
  size_t n = 0;
  for (size_t i = 0; i < len; i++) {
    char c = from[i];
    if (n == ENDPOINT_PART_MAX) return false;
    if (c == '%') {
      int high = len - i > 2 ? cli_hex(from[i + 1]) : -1, low = len - i > 2 ? cli_hex(from[i + 2]) : -1;
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

static bool is_served(const char *path) {
  for (size_t i = 0; i < COUNT; i++) {
    if (match(table[i].path, path, NULL)) return true;
  }
  return false;
}

/* What clients look for that have the wrong base URL, or speak another language of theirs. */
static const char *instead_of(const char *path) {
  char longer[ENDPOINT_PART_MAX];
  if (strcmp(path, "/v1/responses") == 0) return "; POST /v1/chat/completions is what this server has in its place";
  if (strcmp(path, "/v1/completions") == 0) return "; POST /v1/chat/completions takes messages in place of a prompt";
  if (strncmp(path, "/v1/v1/", 7) == 0 && is_served(path + 3)) return "; the client adds \"/v1\" itself: leave it out of its base URL";
  int len = snprintf(longer, sizeof longer, "/v1%s", path);
  if (len > 0 && (size_t)len < sizeof longer && is_served(longer)) return "; the client's base URL should end in \"/v1\"";
  return "";
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
  else http_problem_set(why, 404, "not_found", NULL, "nothing is served at %.200s%s", path, instead_of(path));
  return NULL;
}

void endpoint_problem(endpoint_call *call, const http_problem *why) {
  if (call->server) server_trouble(call->server, why);
  call->status = why->status;
  call->content_type = "application/json";
  cli_clear(&call->out);
  if (call->wire) {
    exchange x = {.request = call->request, .out = call->out, .headers = call->headers};
    call->wire->problem(&x, why);
    call->out = x.out;
    call->headers = x.headers;
  } else {
    http_problem_json(why, &call->out);
  }
  retry_headers(&call->headers, why);
}
