/*
 * Reads JSON (RFC 8259) into a tree. Strict about structure; text is handed on as it is, also when its bytes are no
 * UTF-8 or an escape names half a surrogate pair: judging text is the library's task, not this reader's.
 */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_DEPTH_MAX = 64 };

typedef struct reader {
  const char *at, *end;
} reader;

static json_value *read_value(reader *r, int depth);

static void skip_space(reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) r->at++;
}

static bool take(reader *r, char c) {
  skip_space(r);
  if (r->at == r->end || *r->at != c) return false;
  r->at++;
  return true;
}

static bool read_unicode_escape(reader *r, cli_bytes *b) {
  uint32_t code_point;
  char bytes[4];
  if (!cli_unicode_escape(&r->at, r->end, &code_point)) return false;
  cli_add(b, bytes, cli_utf8_put(bytes, code_point));
  return true;
}

static bool read_escape(reader *r, cli_bytes *b) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  if (r->at == r->end) return false;
  char c = *r->at++;
  if (c == 'u') return read_unicode_escape(r, b);
  const char *hit = c ? strchr(from, c) : NULL;
  if (!hit) return false;
  cli_addc(b, to[hit - from]);
  return true;
}

/* After the opening quote. */
static bool read_text(reader *r, cli_bytes *b) {
  for (;;) {
    const char *start = r->at;
    while (r->at < r->end && *r->at != '"' && *r->at != '\\' && (unsigned char)*r->at >= 0x20) r->at++;
    cli_add(b, start, (size_t)(r->at - start));
    if (r->at == r->end) return false;
    char c = *r->at;
    if (c == '"') {
      r->at++;
      return true;
    }
    if (c != '\\') return false;
    r->at++;
    if (!read_escape(r, b)) return false;
  }
}

static size_t digits(reader *r) {
  const char *start = r->at;
  while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
  return (size_t)(r->at - start);
}

static bool read_number(reader *r, json_value *value) {
  const char *start = r->at;
  if (r->at < r->end && *r->at == '-') r->at++;
  const char *first = r->at;
  size_t whole = digits(r);
  if (whole == 0 || (whole > 1 && *first == '0')) return false;
  if (r->at < r->end && *r->at == '.') {
    r->at++;
    if (digits(r) == 0) return false;
  }
  if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
    r->at++;
    if (r->at < r->end && (*r->at == '+' || *r->at == '-')) r->at++;
    if (digits(r) == 0) return false;
  }
  value->type = JSON_NUMBER;
  value->len = (size_t)(r->at - start);
  value->text = cli_copy(start, value->len);
  return true;
}

static bool read_word(reader *r, const char *word) {
  size_t len = strlen(word);
  if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0) return false;
  r->at += len;
  return true;
}

static bool read_member(reader *r, json_value *parent, int depth, json_value ***tail) {
  cli_bytes name = {0};
  if (parent->type == JSON_OBJECT && (!take(r, '"') || !read_text(r, &name) || !take(r, ':'))) {
    cli_release(&name);
    return false;
  }
  json_value *child = read_value(r, depth + 1);
  if (!child) {
    cli_release(&name);
    return false;
  }
  child->name = name.data;
  **tail = child;
  *tail = &child->next;
  return true;
}

static bool read_members(reader *r, json_value *parent, int depth) {
  char close = parent->type == JSON_OBJECT ? '}' : ']';
  json_value **tail = &parent->child;
  if (take(r, close)) return true;
  do {
    if (!read_member(r, parent, depth, &tail)) return false;
  } while (take(r, ','));
  return take(r, close);
}

static bool read_scalar(reader *r, json_value *value) {
  cli_bytes text = {0};
  switch (*r->at) {
    case '"':
      r->at++;
      value->type = JSON_TEXT;
      bool whole = read_text(r, &text);
      value->text = text.data;
      value->len = text.len;
      return whole;
    case 't':
      value->type = JSON_BOOL;
      value->truth = true;
      return read_word(r, "true");
    case 'f':
      value->type = JSON_BOOL;
      return read_word(r, "false");
    case 'n':
      return read_word(r, "null");
    default:
      return read_number(r, value);
  }
}

static json_value *read_value(reader *r, int depth) {
  skip_space(r);
  if (r->at == r->end || depth > JSON_DEPTH_MAX) return NULL;
  json_value *value = cli_alloc(sizeof *value);
  bool good;
  if (*r->at == '{' || *r->at == '[') {
    value->type = *r->at == '{' ? JSON_OBJECT : JSON_ARRAY;
    r->at++;
    good = read_members(r, value, depth);
  } else {
    good = read_scalar(r, value);
  }
  if (good) return value;
  json_free(value);
  return NULL;
}

json_value *json_parse(const char *text, size_t len, size_t *where) {
  reader r = {text, text + len};
  json_value *value = read_value(&r, 0);
  skip_space(&r);
  if (value && r.at != r.end) {
    json_free(value);
    value = NULL;
  }
  if (where) *where = (size_t)(r.at - text);
  return value;
}

json_value *json_take(aiorch_text *text) {
  const char *json = "";
  size_t len = 0;
  if (!text) return NULL;
  aiorch_text_get(text, &json, &len);
  json_value *value = json_parse(json, len, NULL);
  aiorch_text_free(text);
  return value;
}

void json_free(json_value *value) {
  while (value) {
    json_value *next = value->next;
    json_free(value->child);
    free(value->text);
    free(value->name);
    free(value);
    value = next;
  }
}

const json_value *json_get(const json_value *object, const char *name) {
  if (!object || object->type != JSON_OBJECT) return NULL;
  for (const json_value *member = object->child; member; member = member->next) {
    if (member->name && strcmp(member->name, name) == 0) return member;
  }
  return NULL;
}

const char *json_text(const json_value *object, const char *name) {
  const json_value *value = json_get(object, name);
  return value && value->text ? value->text : "";
}

int64_t json_i64(const json_value *object, const char *name) {
  const json_value *value = json_get(object, name);
  return value && value->type == JSON_NUMBER ? strtoll(value->text, NULL, 10) : 0;
}

bool json_is_null(const json_value *object, const char *name) {
  const json_value *value = json_get(object, name);
  return !value || value->type == JSON_NULL;
}

double json_f64(const json_value *object, const char *name) {
  const json_value *value = json_get(object, name);
  return value && value->type == JSON_NUMBER ? strtod(value->text, NULL) : (double)NAN;
}

bool json_truth(const json_value *object, const char *name) {
  const json_value *value = json_get(object, name);
  return value && value->type == JSON_BOOL && value->truth;
}

/* ---- pieces of a text that is known to be JSON ---- */

static const char *skip_blanks(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r' || *at == ',' || *at == ':')) at++;
  return at;
}

/* Past the value that begins at `at`. */
static const char *skip_value(const char *at, const char *end) {
  int depth = 0;
  bool in_text = false;
  for (; at < end; at++) {
    if (in_text) {
      if (*at == '\\') {
        at++;
      } else if (*at == '"') {
        in_text = false;
        if (depth == 0) return at + 1;
      }
    } else if (*at == '"') {
      in_text = true;
    } else if (*at == '{' || *at == '[') {
      depth++;
    } else if (*at == '}' || *at == ']') {
      if (--depth <= 0) return depth == 0 ? at + 1 : at;
    } else if (depth == 0 && (*at == ',' || *at == ' ' || *at == '\n')) {
      return at;
    }
  }
  return end;
}

bool json_raw_next(const char **at, const char *end, const char **element, size_t *len) {
  const char *start = skip_blanks(*at, end);
  if (start >= end || *start == ']' || *start == '}') return false;
  *at = skip_value(start, end);
  *element = start;
  *len = (size_t)(*at - start);
  return true;
}

const char *json_raw_member(const char *json, size_t len, const char *name) {
  const char *end = json + len, *at = skip_blanks(json, end), *element;
  size_t element_len, name_len = strlen(name);
  if (at >= end || *at != '{') return NULL;
  at++;
  while (json_raw_next(&at, end, &element, &element_len)) {
    bool found = element_len == name_len + 2 && element[0] == '"' && memcmp(element + 1, name, name_len) == 0;
    if (!json_raw_next(&at, end, &element, &element_len)) return NULL;
    if (found) return *element == '[' || *element == '{' ? element + 1 : NULL;
  }
  return NULL;
}
