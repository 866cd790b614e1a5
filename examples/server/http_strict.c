/*
 * What a head may look like. Where two programs in a row can read a request in two ways, one of them is deceived: whatever is not plain is
 * refused, and the connection closed.
 */
#include "http_front_private.h"

#include <string.h>
#include <strings.h>

enum { PLACE_MAX = 1 << 20 };

static bool is_token(unsigned char c) {
  if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return true;
  return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool named(const char *name, size_t len, const char *wanted) {
  return strlen(wanted) == len && strncasecmp(name, wanted, len) == 0;
}

/* Digits alone, and no more than fit. */
static bool read_length(const char *value, size_t len, uint64_t *out) {
  uint64_t n = 0;
  if (len == 0 || len > 18) return false;
  for (size_t i = 0; i < len; i++) {
    if (value[i] < '0' || value[i] > '9') return false;
    n = n * 10 + (uint64_t)(value[i] - '0');
  }
  *out = n;
  return true;
}

static void note(strict_head *head, const char *what) {
  if (!head->bad) head->bad = what;
}

static void note_framing(strict_head *head, const char *name, size_t name_len, const char *value, size_t value_len) {
  if (named(name, name_len, "content-length")) {
    head->lengths++;
    if (!read_length(value, value_len, &head->length)) note(head, "Content-Length is no plain number");
  } else if (named(name, name_len, "transfer-encoding")) {
    head->encodings++;
    head->chunked = named(value, value_len, "chunked");
    if (!head->chunked) note(head, "the only Transfer-Encoding taken here is chunked");
  } else if (named(name, name_len, "host")) {
    head->hosts++;
  } else if (named(name, name_len, "content-type")) {
    head->types++;
  } else if (named(name, name_len, "authorization")) {
    head->authorizations++;
  } else if (named(name, name_len, "x-api-key")) {
    head->api_keys++;
  } else if (named(name, name_len, "origin")) {
    head->origins++;
  } else if (named(name, name_len, "x-request-id")) {
    head->request_ids++;
  }
}

void strict_header(strict_head *head, const char *name, size_t name_len, const char *value, size_t value_len) {
  if (name_len == 0) note(head, "a header has no name");
  for (size_t i = 0; i < name_len; i++) {
    if (!is_token((unsigned char)name[i])) note(head, "the name of a header has characters that none has");
  }
  for (size_t i = 0; i < value_len; i++) {
    unsigned char c = (unsigned char)value[i];
    if ((c < 0x20 && c != '\t') || c == 0x7F) note(head, "the value of a header has control characters");
  }
  note_framing(head, name, name_len, value, value_len);
}

/* Looks at no byte that is not between a name and a value near behind it. */
static bool in_place(const char *name, size_t name_len, const char *value) {
  uintptr_t from = (uintptr_t)name + name_len, to = (uintptr_t)value;
  if (!value || to <= from || to - from > PLACE_MAX) return false;
  const char *at = name + name_len + 1;
  while (at < value && (*at == ' ' || *at == '\t')) at++;
  return at == value;
}

void strict_place(strict_head *head, const char *name, size_t name_len, const char *value, size_t value_len) {
  if (!in_place(name, name_len, value)) {
    head->apart++;
    head->value_end = NULL;
    return;
  }
  head->in_place++;
  uintptr_t gap = (uintptr_t)name - (uintptr_t)head->value_end; /* the end of a line: two bytes, or one */
  if (head->value_end && gap > 2 && gap <= PLACE_MAX) note(head, "the value of a header has control characters");
  head->value_end = value + value_len;
}

void strict_end(strict_head *head, bool http_1_1) {
  if (head->in_place > 0 && head->apart > 0) note(head, "a header goes on in a second line");
  if (head->value_end && head->value_end[1] != '\0') note(head, "the value of a header has control characters");
  if (head->hosts > 1 || (http_1_1 && head->hosts == 0)) note(head, "a request has exactly one Host");
  if (head->lengths > 1) note(head, "Content-Length comes more than once");
  if (head->encodings > 1) note(head, "Transfer-Encoding comes more than once");
  if (head->lengths > 0 && head->encodings > 0) note(head, "Content-Length and Transfer-Encoding exclude each other");
  if (head->encodings > 0 && !http_1_1) note(head, "HTTP/1.0 knows no Transfer-Encoding");
  if (head->types > 1) note(head, "Content-Type comes more than once");
  if (head->authorizations > 1) note(head, "Authorization comes more than once");
  if (head->api_keys > 1) note(head, "x-api-key comes more than once");
  if (head->origins > 1) note(head, "Origin comes more than once");
  if (head->request_ids > 1) note(head, "X-Request-Id comes more than once");
}

/* Visible ASCII alone; an escape of a control character, above all of NUL, is none of a name that anything here has. */
bool strict_uri(const char *uri) {
  if (*uri != '/') return false;
  for (const unsigned char *s = (const unsigned char *)uri; *s; s++) {
    if (*s <= 0x20 || *s >= 0x7F || *s == '#') return false;
    if (*s == '%' && (s[1] == '0' || s[1] == '1' || (s[1] == '7' && (s[2] == 'f' || s[2] == 'F')))) return false;
  }
  return true;
}

/* ---- a first head ---- */

enum { METHOD_MAX = 32, HEADER_COST = 72, ANSWER_ROOM = 2048, EMPTY_LINES_MAX = 4 };

static strict_verdict bad(http_problem *why, int status, const char *code, const char *words) {
  http_problem_set(why, status, code, NULL, "%s", words);
  return STRICT_BAD;
}

/* The line from *at on, without its end, and what follows as the next *at; NULL when its end is not here. */
static const char *next_line(const char *data, size_t len, size_t *at, size_t *line_len) {
  const char *line = data + *at, *end = memchr(line, '\n', len - *at);
  if (!end) return NULL;
  *at += (size_t)(end - line) + 1;
  *line_len = (size_t)(end - line) - (end > line && end[-1] == '\r');
  return line;
}

/* What of a request line is here, if it be only its first byte. */
static strict_verdict look_at_method(const char *line, size_t len, size_t *method_len, http_problem *why) {
  static const char words[] = "this is no request of HTTP/1.1";
  size_t n = 0;
  while (n < len && is_token((unsigned char)line[n])) n++;
  *method_len = n;
  if (n > METHOD_MAX || (n < len && (line[n] != ' ' || n == 0))) return bad(why, 400, "bad_request", words);
  return n < len ? STRICT_GOOD : STRICT_MORE;
}

static strict_verdict look_at_request_line(const char *line, size_t len, const http_limits *limits, bool *http_1_1, http_problem *why) {
  size_t method_len;
  strict_verdict verdict = look_at_method(line, len, &method_len, why);
  if (verdict != STRICT_GOOD) return verdict == STRICT_BAD ? STRICT_BAD : bad(why, 400, "bad_request", "the request has no address");
  const char *uri = line + method_len + 1, *end = line + len, *space = memchr(uri, ' ', (size_t)(end - uri)), *version = space ? space + 1 : end;
  size_t version_len = (size_t)(end - version);
  bool named_well = version_len == 8 && memcmp(version, "HTTP/", 5) == 0 && version[6] == '.';
  if (!named_well) return bad(why, 400, "bad_request", "the first line of a request is METHOD ADDRESS HTTP/1.1, with one space between them");
  if (version[5] != '1') return bad(why, 505, "http_version_not_supported", "this server speaks HTTP/1.1");
  if ((size_t)(space - uri) > limits->uri_bytes) {
    http_problem_set(why, 414, "uri_too_long", NULL, "the address has more than %zu bytes", limits->uri_bytes);
    return STRICT_BAD;
  }
  *http_1_1 = version[7] == '1';
  return STRICT_GOOD;
}

static strict_verdict too_large(const http_limits *limits, http_problem *why) {
  http_problem_set(why, 431, "headers_too_large", NULL, "the head of the request has more than %zu bytes, or too many lines", limits->head_bytes);
  return STRICT_BAD;
}

/* What a header takes of the room that the library has for a head: its bytes, an entry, and cookies a second time. */
static size_t cost_of(const char *line, size_t len, size_t name_len) {
  return HEADER_COST + (named(line, name_len, "cookie") ? len : 0);
}

static strict_verdict look_at_headers(const char *data, size_t len, size_t at, bool http_1_1, const http_limits *limits, http_problem *why) {
  strict_head head = {0};
  size_t line_len, cost = 0;
  const char *line;
  while ((line = next_line(data, len, &at, &line_len)) != NULL && line_len > 0) {
    const char *colon = memchr(line, ':', line_len), *value = colon ? colon + 1 : NULL, *end = line + line_len;
    if (*line == ' ' || *line == '\t') return bad(why, 400, "bad_request", "a header goes on in a second line");
    if (!colon) return bad(why, 400, "bad_request", "a line of the head has no colon");
    while (value < end && (*value == ' ' || *value == '\t')) value++;
    strict_header(&head, line, (size_t)(colon - line), value, (size_t)(end - value));
    cost += cost_of(line, line_len, (size_t)(colon - line));
  }
  if (line) strict_end(&head, http_1_1);
  if (head.bad) return bad(why, 400, "bad_request", head.bad);
  if ((line ? at : len) > limits->head_bytes || at + cost + ANSWER_ROOM > limits->head_bytes + STRICT_POOL_EXTRA) return too_large(limits, why);
  return line ? STRICT_GOOD : STRICT_MORE;
}

strict_verdict strict_first(const char *data, size_t len, const http_limits *limits, http_problem *why) {
  size_t at = 0, line_len = 0, method_len;
  bool http_1_1 = false;
  const char *line = NULL;
  for (int empty = 0; empty <= EMPTY_LINES_MAX && line_len == 0; empty++) { /* after a body some clients send one that nobody asked for */
    size_t before = at;
    line = next_line(data, len, &at, &line_len);
    if (!line && before < len && data[before] == '\r' && len - before == 1) return STRICT_MORE;
    if (!line && before < len && look_at_method(data + before, len - before, &method_len, why) == STRICT_BAD) return STRICT_BAD;
    if (!line && len - before > limits->head_bytes) {
      http_problem_set(why, 414, "uri_too_long", NULL, "the address has more than %zu bytes", limits->uri_bytes);
      return STRICT_BAD;
    }
    if (!line) return STRICT_MORE;
  }
  if (line_len == 0) return bad(why, 400, "bad_request", "nothing but empty lines came");
  if (look_at_request_line(line, line_len, limits, &http_1_1, why) == STRICT_BAD) return STRICT_BAD;
  return look_at_headers(data, len, at, http_1_1, limits, why);
}

bool strict_id(const char *id) {
  size_t len = strlen(id);
  if (len < 1 || len > HTTP_ID_MAX) return false;
  for (size_t i = 0; i < len; i++) {
    if (!((id[i] >= '0' && id[i] <= '9') || (id[i] >= 'A' && id[i] <= 'Z') || (id[i] >= 'a' && id[i] <= 'z') || (id[i] && strchr("._-", id[i])))) {
      return false;
    }
  }
  return true;
}
