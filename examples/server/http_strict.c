/*
 * What a head may look like. Where two programs in a row can read a request in two ways, one of them is deceived: whatever is not plain is
 * refused, and the connection closed.
 */
#include "http_front_private.h"

#include <string.h>
#include <strings.h>

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

void strict_end(strict_head *head, bool http_1_1) {
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
