/* See wire.h: requests, URLs and headers. */
#include "net/wire.h"

#include <string.h>

enum { MEMORY_BLOCK = 512, OVERLAP_MAX = 16 /* segments */ };

void aio__wire_request_init(aio__wire_request *request, const aio__alloc *al) {
  request->method = "POST";
  request->header_count = 0;
  request->framing = AIO__WIRE_WHOLE;
  aio__buf_init(&request->url, al, AIO__WIRE_URL_MAX);
  aio__buf_init(&request->body, al, AIO__WIRE_BODY_MAX);
  aio__arena_init(&request->memory, al, MEMORY_BLOCK);
}

static void wipe(aio__str text) {
  volatile char *p = (volatile char *)(uintptr_t)text.p; /* volatile: a compiler may not leave it out */
  for (size_t i = 0; i < text.n; i++) p[i] = 0;
}

void aio__wire_request_free(aio__wire_request *request) {
  for (size_t i = 0; i < request->header_count; i++) {
    if (request->headers[i].secret) wipe(request->headers[i].value);
  }
  request->header_count = 0;
  aio__buf_free(&request->url);
  aio__buf_free(&request->body);
  aio__arena_free(&request->memory);
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool same_bytes(const char *a, const char *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool aio__wire_same_name(aio__str a, const char *b) {
  return a.n == strlen(b) && same_bytes(a.p, b, a.n);
}

bool aio__wire_has(aio__str text, const char *part) {
  size_t n = strlen(part);
  for (size_t i = 0; i + n <= text.n; i++) {
    if (same_bytes(text.p + i, part, n)) return true;
  }
  return false;
}

aio__str aio__wire_get(const aio__wire_reply *reply, const char *name) {
  for (size_t i = 0; i < reply->header_count; i++) {
    if (aio__wire_same_name(reply->headers[i].name, name)) return aio__str_trim(reply->headers[i].value);
  }
  return (aio__str){"", 0};
}

/* ---- URLs -------------------------------------------------------------------------------------------------------- */

typedef struct url_parts {
  aio__str head, path, query; /* scheme and host; "/..." or empty; without '?' */
} url_parts;

static const char *find_fault(aio__str base, url_parts *parts) {
  size_t scheme = 0;
  if (base.n >= 8 && same_bytes(base.p, "https://", 8)) scheme = 8;
  else if (base.n >= 7 && same_bytes(base.p, "http://", 7)) scheme = 7;
  if (!scheme) return "it begins neither with https:// nor with http://";
  for (size_t i = 0; i < base.n; i++) {
    uint8_t c = (uint8_t)base.p[i];
    if (c <= 0x20 || c >= 0x7F || c == '"' || c == '<' || c == '>' || c == '\\' || c == '^' || c == '`') {
      return "it has a character that no URL has; write it as %XX";
    }
    if (c == '#') return "it has a fragment (#); leave that out";
  }
  size_t host_end = scheme;
  while (host_end < base.n && base.p[host_end] != '/' && base.p[host_end] != '?') host_end++;
  if (memchr(base.p + scheme, '@', host_end - scheme)) return "it has a user or password in it; keys have a setting of their own";
  if (host_end == scheme || base.p[scheme] == ':') return "it names no host";
  size_t path_end = host_end;
  while (path_end < base.n && base.p[path_end] != '?') path_end++;
  parts->head = aio__str_n(base.p, host_end);
  parts->path = aio__str_n(base.p + host_end, path_end - host_end);
  parts->query = path_end < base.n ? aio__str_n(base.p + path_end + 1, base.n - path_end - 1) : (aio__str){"", 0};
  return NULL;
}

/* How much of the begin of `path` the end of `base` already says, in whole segments. */
static size_t overlap(aio__str base, aio__str path) {
  size_t best = 0, segments = 0;
  for (size_t i = 1; i <= path.n && segments < OVERLAP_MAX; i++) {
    if (i < path.n && path.p[i] != '/') continue;
    segments++;
    if (i <= base.n && memcmp(base.p + base.n - i, path.p, i) == 0) best = i;
  }
  return best;
}

aiorch_status aio__wire_url(aio__buf *out, aio__str base, aio__str path, aiorch_error *error) {
  url_parts parts = {.head = {"", 0}};
  base = aio__str_trim(base);
  const char *fault = find_fault(base, &parts);
  if (fault) {
    size_t shown = aio__utf8_cut(base, 100);
    bool hidden = memchr(base.p ? base.p : "", '@', base.n) != NULL; /* it may be a password */
    return aio__error_set(error, AIORCH_E_CONFIG, "base URL \"%.*s\": %s", hidden ? 0 : (int)shown, base.p ? base.p : "", fault);
  }
  while (parts.path.n > 0 && parts.path.p[parts.path.n - 1] == '/') parts.path.n--;
  size_t query_at = 0;
  while (query_at < path.n && path.p[query_at] != '?') query_at++;
  aio__str tail = aio__str_n(path.p, query_at);
  size_t skip = overlap(parts.path, tail);
  aio__buf_str(out, parts.head);
  aio__buf_str(out, parts.path);
  aio__buf_add(out, tail.p + skip, tail.n - skip);
  aio__str more = query_at < path.n ? aio__str_n(path.p + query_at + 1, path.n - query_at - 1) : (aio__str){"", 0};
  if (parts.query.n + more.n > 0) aio__buf_char(out, '?');
  aio__buf_str(out, parts.query);
  if (parts.query.n > 0 && more.n > 0) aio__buf_char(out, '&');
  aio__buf_str(out, more);
  if (out->failed == AIORCH_E_TOO_LARGE) {
    return aio__error_set(error, AIORCH_E_TOO_LARGE, "base URL: together with its path it is longer than %d bytes", AIO__WIRE_URL_MAX);
  }
  return out->failed;
}

aiorch_status aio__wire_segment(aio__buf *out, aio__str text) {
  static const char digits[] = "0123456789ABCDEF";
  bool dots = text.n > 0; /* "." and ".." are no segments */
  for (size_t i = 0; i < text.n; i++) dots = dots && text.p[i] == '.';
  for (size_t i = 0; i < text.n; i++) {
    char c = text.p[i];
    bool plain = (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '~' ||
                 (c == '.' && !dots);
    char coded[3] = {'%', digits[(uint8_t)c >> 4], digits[(uint8_t)c & 0xF]};
    aio__buf_add(out, plain ? &c : coded, plain ? 1 : 3);
  }
  return out->failed;
}

aio__str aio__wire_host(aio__str url) {
  url_parts parts;
  url = aio__str_trim(url);
  if (find_fault(url, &parts)) return (aio__str){"", 0};
  size_t start = 0;
  while (parts.head.p[start] != '/') start++;
  aio__str host = aio__str_n(parts.head.p + start + 2, parts.head.n - start - 2);
  const char *colon = host.p[0] == '[' ? NULL : memchr(host.p, ':', host.n);
  return colon ? aio__str_n(host.p, (size_t)(colon - host.p)) : host;
}

/* ---- headers ----------------------------------------------------------------------------------------------------- */

static bool is_name(aio__str name) {
  for (size_t i = 0; i < name.n; i++) {
    uint8_t c = (uint8_t)name.p[i];
    if (c <= 0x20 || c >= 0x7F || strchr("\"(),/:;<=>?@[\\]{}", c)) return false;
  }
  return name.n > 0 && name.n <= 100;
}

static bool is_value(aio__str value, bool secret) {
  for (size_t i = 0; i < value.n; i++) {
    uint8_t c = (uint8_t)value.p[i];
    if ((c < 0x20 && c != '\t') || c == 0x7F) return false;
    if (secret && c >= 0x7F) return false;
  }
  return true;
}

static aio__wire_header *place_for(aio__wire_request *request, aio__str name) {
  for (size_t i = 0; i < request->header_count; i++) {
    aio__str other = request->headers[i].name;
    if (other.n == name.n && same_bytes(other.p, name.p, name.n)) return &request->headers[i];
  }
  return request->header_count < AIO__WIRE_HEADERS_MAX ? &request->headers[request->header_count] : NULL;
}

/* `prefix` and `value` make the value. */
static aiorch_status add_header(aio__wire_request *request, aio__str name, aio__str prefix, aio__str value, bool secret,
                                aiorch_error *error) {
  if (!is_name(name)) return aio__error_set(error, AIORCH_E_CONFIG, "a header's name is not one");
  if (!is_value(value, secret)) {
    return aio__error_set(error, AIORCH_E_CONFIG, "header %.*s: its value has characters that no header has%s", (int)name.n,
                          name.p, secret ? "; was a line feed copied with the key?" : "");
  }
  aio__wire_header *header = place_for(request, name);
  if (!header || prefix.n + value.n > AIO__WIRE_HEADER_BYTES_MAX) {
    return aio__error_set(error, AIORCH_E_TOO_LARGE, "header %.*s: %s", (int)name.n, name.p,
                          header ? "its value is longer than 8,192 bytes" : "more than 24 headers");
  }
  aio__str name_copy = aio__arena_str(&request->memory, name);
  char *copy = aio__arena_alloc(&request->memory, prefix.n + value.n + 1);
  if (!name_copy.p || !copy) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory");
  if (prefix.n > 0) memcpy(copy, prefix.p, prefix.n);
  if (value.n > 0) memcpy(copy + prefix.n, value.p, value.n);
  if (header == &request->headers[request->header_count]) request->header_count++;
  else if (header->secret) wipe(header->value);
  *header = (aio__wire_header){.name = name_copy, .value = aio__str_n(copy, prefix.n + value.n), .secret = secret};
  return AIORCH_OK;
}

aiorch_status aio__wire_add_header(aio__wire_request *request, aio__str name, aio__str value, bool secret, aiorch_error *error) {
  return add_header(request, name, (aio__str){"", 0}, value, secret, error);
}

aiorch_status aio__wire_add_key(aio__wire_request *request, aio__str name, aio__str prefix, aio__str key, aiorch_error *error) {
  return add_header(request, name, prefix, key, true, error);
}
