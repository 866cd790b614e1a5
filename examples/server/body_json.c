/* See body_json.h. */
#include "body_json.h"

#include <stdlib.h>
#include <string.h>

typedef struct reader {
  body_json *b;
  const char *start, *at, *end;
} reader;

static bool wrong(reader *r, const char *what) {
  if (!r->b->wrong) {
    r->b->wrong = what;
    r->b->where = (size_t)(r->at - r->start);
  }
  return false;
}

static body_node *new_node(reader *r) {
  body_json *b = r->b;
  if (b->count == BODY_NODES_MAX) {
    wrong(r, "more than 200,000 values");
    return NULL;
  }
  if (!b->blocks || b->blocks->used == BODY_NODES_A_BLOCK) {
    body_block *block = malloc(sizeof *block);
    if (!block) {
      wrong(r, "no memory is left for it");
      return NULL;
    }
    block->before = b->blocks;
    block->used = 0;
    b->blocks = block;
  }
  b->count++;
  body_node *node = &b->blocks->nodes[b->blocks->used++];
  memset(node, 0, sizeof *node);
  return node;
}

static void skip_space(reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) r->at++;
}

/* ---- texts ---- */

/* Behind "\u"; what it writes is never longer than what it reads. */
static bool decode_unicode(reader *r, char **to) {
  uint32_t code_point;
  if (!cli_unicode_escape(&r->at, r->end, &code_point)) return wrong(r, "an escape that is none");
  bool half = code_point >= 0xD800 && code_point <= 0xDFFF;
  *to += cli_utf8_put(*to, half ? 0xFFFD : code_point);
  return true;
}

static bool decode_escape(reader *r, char **to) {
  static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
  if (r->at == r->end) return wrong(r, "a text without its end");
  char c = *r->at++;
  if (c == 'u') return decode_unicode(r, to);
  const char *hit = c ? strchr(from, c) : NULL;
  if (!hit) return wrong(r, "an escape that is none");
  *(*to)++ = into[hit - from];
  return true;
}

/* The high bit of each byte that is 0; the lowest that is set is right, those above it may be set for nothing. */
static uint64_t zeros(uint64_t eight) { return (eight - UINT64_C(0x0101010101010101)) & ~eight; }

/* Over eight at a time of ASCII that stands for itself: a picture has megabytes of it. */
static void skip_eights(reader *r) {
  const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
  for (uint64_t eight; r->end - r->at >= (ptrdiff_t)sizeof eight; r->at += sizeof eight) {
    memcpy(&eight, r->at, sizeof eight);
    uint64_t control = (eight - ones * 0x20) & ~eight;
    if ((eight | control | zeros(eight ^ ones * '"') | zeros(eight ^ ones * '\\')) & highs) return;
  }
}

/* Over characters that stand for themselves, to a quote or a backslash. */
static bool skip_plain(reader *r) {
  skip_eights(r);
  while (r->at < r->end) {
    unsigned char c = (unsigned char)*r->at;
    if (c == '"' || c == '\\') return true;
    if (c < 0x20) return wrong(r, "a control character in a text");
    size_t n = c < 0x80 ? 1 : cli_utf8_len(r->at, (size_t)(r->end - r->at));
    if (n == 0) return wrong(r, "bytes that are not UTF-8");
    r->at += n;
  }
  return wrong(r, "a text without its end");
}

static bool read_text(reader *r, const char **text, size_t *len) {
  const char *start = ++r->at;
  if (!skip_plain(r)) return false;
  if (*r->at == '"') {
    *text = start;
    *len = (size_t)(r->at++ - start);
    return true;
  }
  body_json *b = r->b;
  if (!b->decoded) b->decoded = malloc((size_t)(r->end - r->start) + 1);
  if (!b->decoded) return wrong(r, "no memory is left for it");
  char *begin = b->decoded + b->decoded_used, *to = begin;
  const char *from = start;
  for (;;) {
    memcpy(to, from, (size_t)(r->at - from));
    to += r->at - from;
    if (*r->at++ == '"') break;
    if (!decode_escape(r, &to)) return false;
    from = r->at;
    if (!skip_plain(r)) return false;
  }
  *text = begin;
  *len = (size_t)(to - begin);
  b->decoded_used += *len;
  return true;
}

/* ---- values ---- */

static bool read_value(reader *r, body_node *node, int depth);

static bool digits(reader *r) {
  const char *start = r->at;
  while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
  return r->at > start;
}

static bool read_number(reader *r) {
  if (*r->at == '-') r->at++;
  const char *first = r->at;
  if (!digits(r) || (*first == '0' && r->at - first > 1)) return wrong(r, "a number that is none");
  if (r->at < r->end && *r->at == '.') {
    r->at++;
    if (!digits(r)) return wrong(r, "a number that is none");
  }
  if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
    r->at++;
    if (r->at < r->end && (*r->at == '+' || *r->at == '-')) r->at++;
    if (!digits(r)) return wrong(r, "a number that is none");
  }
  return true;
}

static bool read_word(reader *r, const char *word) {
  size_t len = strlen(word);
  if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0) return wrong(r, "a word that is none of true, false, null");
  r->at += len;
  return true;
}

static bool read_name(reader *r, body_node *member) {
  skip_space(r);
  if (r->at == r->end || *r->at != '"') return wrong(r, "no name of a member, which begins with a quote");
  if (!read_text(r, &member->name, &member->name_len)) return false;
  if (memchr(member->name, '\0', member->name_len)) return wrong(r, "a NUL in the name of a member");
  skip_space(r);
  if (r->at == r->end || *r->at != ':') return wrong(r, "no colon behind the name of a member");
  r->at++;
  return true;
}

static bool read_children(reader *r, body_node *node, int depth) {
  char close = *r->at == '{' ? '}' : ']';
  const body_node **link = &node->child;
  if (depth == BODY_DEPTH_MAX) return wrong(r, "more than 64 levels");
  r->at++;
  skip_space(r);
  if (r->at < r->end && *r->at == close) {
    r->at++;
    return true;
  }
  for (;;) {
    body_node *child = new_node(r);
    if (!child || (close == '}' && !read_name(r, child)) || !read_value(r, child, depth + 1)) return false;
    *link = child;
    link = &child->next;
    skip_space(r);
    if (r->at == r->end || (*r->at != ',' && *r->at != close)) return wrong(r, "no comma and no end behind a value");
    if (*r->at++ == close) return true;
  }
}

static bool read_value(reader *r, body_node *node, int depth) {
  skip_space(r);
  if (r->at == r->end) return wrong(r, "an end too early");
  node->raw = r->at;
  char c = *r->at;
  bool good;
  if (c == '"') {
    node->type = BODY_TEXT;
    good = read_text(r, &node->text, &node->len);
  } else if (c == '{' || c == '[') {
    node->type = c == '{' ? BODY_OBJECT : BODY_ARRAY;
    good = read_children(r, node, depth);
  } else if (c == 't' || c == 'f') {
    node->type = BODY_BOOL;
    node->truth = c == 't';
    good = read_word(r, c == 't' ? "true" : "false");
  } else if (c == 'n') {
    node->type = BODY_NULL;
    good = read_word(r, "null");
  } else if (c == '-' || (c >= '0' && c <= '9')) {
    node->type = BODY_NUMBER;
    good = read_number(r);
  } else { /* of bodies in UTF-16, with a byte order mark, or packed the first byte shows it */
    good = wrong(r, (unsigned char)c < 0x80 && c >= ' ' ? "no value begins so" : "no value begins so; it is UTF-8 without a byte order mark, and not packed");
  }
  node->raw_len = (size_t)(r->at - node->raw);
  return good;
}

bool body_parse(body_json *b, const char *text, size_t len) {
  *b = (body_json){0};
  reader r = {b, text ? text : "", text ? text : "", text ? text + len : ""};
  if (len > BODY_BYTES_MAX) return wrong(&r, "more than 256 MiB");
  body_node *root = new_node(&r);
  if (!root || !read_value(&r, root, 0)) return false;
  skip_space(&r);
  if (r.at != r.end) return wrong(&r, "something behind its end");
  b->root = root;
  return true;
}

void body_free(body_json *b) {
  while (b->blocks) {
    body_block *before = b->blocks->before;
    free(b->blocks);
    b->blocks = before;
  }
  free(b->decoded);
  *b = (body_json){0};
}

/* ---- looking ---- */

bool body_named(const body_node *member, const char *name) {
  size_t len = strlen(name);
  return member->name_len == len && memcmp(member->name, name, len) == 0;
}

const body_node *body_get(const body_node *object, const char *name) {
  const body_node *found = NULL;
  if (!object || object->type != BODY_OBJECT) return NULL;
  for (const body_node *m = object->child; m; m = m->next) {
    if (body_named(m, name)) found = m;
  }
  return found && found->type != BODY_NULL ? found : NULL;
}

const body_node *body_get_text(const body_node *object, const char *name) {
  const body_node *found = body_get(object, name);
  return found && found->type == BODY_TEXT ? found : NULL;
}

bool body_is(const body_node *node, const char *text) {
  size_t len = strlen(text);
  return node && node->type == BODY_TEXT && node->len == len && memcmp(node->text, text, len) == 0;
}

bool body_i64(const body_node *node, int64_t *out) {
  if (!node || node->type != BODY_NUMBER) return false;
  const char *at = node->raw, *end = node->raw + node->raw_len;
  bool negative = *at == '-';
  uint64_t value = 0, most = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
  if (negative) at++;
  for (; at < end && *at >= '0' && *at <= '9'; at++) {
    uint64_t digit = (uint64_t)(*at - '0');
    if (value > (most - digit) / 10) return false;
    value = value * 10 + digit;
  }
  if (at < end && *at == '.') {
    at++;
    while (at < end && *at == '0') at++;
  }
  if (at < end) return false;
  *out = negative ? (value ? -(int64_t)(value - 1) - 1 : 0) : (int64_t)value;
  return true;
}

bool body_f64(const body_node *node, double *out) {
  if (!node || node->type != BODY_NUMBER) return false;
  const char *at = node->raw, *end = node->raw + node->raw_len;
  double value = 0, scale = 1;
  int exponent = 0, shift = 0;
  bool negative = *at == '-';
  if (negative) at++;
  for (; at < end && *at >= '0' && *at <= '9'; at++) value = value * 10 + (*at - '0');
  if (at < end && *at == '.') {
    for (at++; at < end && *at >= '0' && *at <= '9' && shift > -18; at++, shift--) value = value * 10 + (*at - '0');
    while (at < end && *at >= '0' && *at <= '9') at++;
  }
  if (at < end) {
    bool down = at[1] == '-';
    for (at += at[1] == '-' || at[1] == '+' ? 2 : 1; at < end && exponent < 1000; at++) exponent = exponent * 10 + (*at - '0');
    if (down) exponent = -exponent;
  }
  exponent += shift;
  if (exponent > 300 || exponent < -300) return false;
  for (int i = exponent < 0 ? -exponent : exponent; i > 0; i--) scale *= 10;
  value = exponent < 0 ? value / scale : value * scale;
  *out = negative ? -value : value;
  return value <= 1e300;
}

size_t body_count(const body_node *node) {
  size_t count = 0;
  for (const body_node *child = node ? node->child : NULL; child; child = child->next) count++;
  return count;
}
