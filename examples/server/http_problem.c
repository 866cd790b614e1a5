/*
 * Problems, and headers of answers.
 */
#include "http_front.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *http_problem_type(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    default: return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

/* Cut at a whole character. */
static void keep_whole(char *text) {
  size_t len = strlen(text), at = 0;
  while (at < len) {
    size_t n = cli_utf8_len(text + at, len - at);
    if (n == 0) break;
    at += n;
  }
  text[at] = '\0';
}

bool http_problem_set(http_problem *why, int status, const char *code, const char *param, const char *format, ...) {
  va_list args;
  *why = (http_problem){.status = status, .type = http_problem_type(status), .code = code, .param = param, .retry_after_ms = -1};
  va_start(args, format);
  vsnprintf(why->message, sizeof why->message, format, args);
  va_end(args);
  keep_whole(why->message);
  return false;
}

/* What OpenAI's clients look for; NULL for what has no name there. */
static const char *code_of(aiorch_status status) {
  switch (status) {
    case AIORCH_E_RATE_LIMITED: return "rate_limit_exceeded";
    case AIORCH_E_BUDGET_EXCEEDED: return "insufficient_quota";
    case AIORCH_E_CONTEXT_WINDOW: return "context_length_exceeded";
    case AIORCH_E_PROVIDER_MODEL: return "model_not_found";
    case AIORCH_E_PROVIDER_REJECTED: return "provider_rejected";
    case AIORCH_E_INJECTION: return "content_policy_violation";
    case AIORCH_E_OUTPUT_BLOCKED: return "content_filter";
    case AIORCH_E_INVALID_INPUT: return "invalid_input";
    case AIORCH_E_PROVIDERS_UNAVAILABLE: return "providers_unavailable";
    case AIORCH_E_DEADLINE: return "timeout";
    case AIORCH_E_CANCELLED: return "cancelled";
    case AIORCH_E_STORE_DOWN: return "store_unavailable";
    case AIORCH_E_TOO_LARGE: return "too_large";
    case AIORCH_E_NOT_FOUND: return "not_found";
    default: return NULL;
  }
}

bool http_problem_of_store(aiorch_status status) { return status <= AIORCH_E_STORE && status > AIORCH_E_STORE - 100; }

bool http_problem_of(http_problem *why, aiorch_status status, const aiorch_error *error) {
  bool told = error && aiorch_error_status(error) == status;
  const char *words = told ? aiorch_error_message(error) : "";
  int http = told ? aiorch_error_http_status(error) : aiorch_status_http(status);
  if (status == AIORCH_E_CONTEXT_WINDOW) http = 400; /* as both families answer it: their clients look for it there */
  bool own = http_problem_of_store(status) || status == AIORCH_E_SYSTEM; /* paths, hosts and the system's words are no matter of callers */
  http_problem_set(why, http < 400 ? 500 : http, code_of(status), NULL, "%s", *words && !own ? words : aiorch_strerror(status));
  if (own) snprintf(why->own, sizeof why->own, "%s", *words ? words : aiorch_strerror(status));
  keep_whole(why->own);
  why->retry_after_ms = told ? aiorch_error_retry_after_ms(error) : -1;
  return false;
}

void http_problem_json(const http_problem *why, cli_bytes *out) {
  json_print p = {.out = *out};
  jp_open(&p, '{');
  jp_key(&p, "error");
  jp_open(&p, '{');
  jp_kz(&p, "message", why->message);
  jp_kz(&p, "type", why->type ? why->type : http_problem_type(why->status));
  jp_kz(&p, "param", why->param);
  jp_kz(&p, "code", why->code);
  jp_close(&p, '}');
  jp_close(&p, '}');
  *out = p.out;
}

/* ---- headers ---- */

static bool is_plain(const char *value) {
  for (const unsigned char *s = (const unsigned char *)value; *s; s++) {
    if (*s < 0x20 || *s == 0x7F) return false;
  }
  return true;
}

static void take_out(cli_bytes *lines, const char *name) {
  for (size_t at = 0; at < lines->len;) {
    size_t name_len = strlen(lines->data + at) + 1, len = name_len + strlen(lines->data + at + name_len) + 1;
    if (strcasecmp(lines->data + at, name) == 0) {
      memmove(lines->data + at, lines->data + at + len, lines->len - at - len);
      lines->len -= len;
      return;
    }
    at += len;
  }
}

void headers_set(http_headers *headers, const char *name, const char *value) {
  if (!is_plain(value)) return;
  take_out(&headers->lines, name);
  cli_add(&headers->lines, name, strlen(name) + 1);
  cli_add(&headers->lines, value, strlen(value) + 1);
}

void headers_setf(http_headers *headers, const char *name, const char *format, ...) {
  char value[512];
  va_list args;
  va_start(args, format);
  vsnprintf(value, sizeof value, format, args);
  va_end(args);
  headers_set(headers, name, value);
}

void headers_seti(http_headers *headers, const char *name, int64_t value) {
  char digits[24], *at = digits + sizeof digits;
  uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  *--at = '\0';
  do *--at = (char)('0' + left % 10);
  while ((left /= 10) > 0);
  if (value < 0) *--at = '-';
  headers_set(headers, name, at);
}

void headers_each(const http_headers *headers, void (*each)(void *context, const char *name, const char *value), void *context) {
  for (size_t at = 0; at < headers->lines.len;) {
    const char *name = headers->lines.data + at, *value = name + strlen(name) + 1;
    each(context, name, value);
    at += strlen(name) + strlen(value) + 2;
  }
}

void headers_free(http_headers *headers) { cli_release(&headers->lines); }
