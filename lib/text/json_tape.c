/* See json_tape.h. One loop over the text, one node a value and a name; levels that are open lie on a stack of fixed size. */
#include "text/json_tape.h"

#include <aiorch/error.h>

#include <string.h>

enum {
  FIRST_NODES = 32, COMPARE_MAX = 64, DIGITS_MAX = 19, EXPONENT_MAX = 400, REPLACEMENT = 0xFFFD,
  FIRST_IS_LOWEST = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
};

static const uint64_t ONES = UINT64_C(0x0101010101010101);
static const uint64_t HIGH_BITS = UINT64_C(0x8080808080808080);
static const int64_t I64_LIMIT = INT64_C(1) << 53;

void aio__tape_init(aio__tape *tape, const aio__alloc *al) {
  *tape = (aio__tape){.al = al};
}

void aio__tape_free(aio__tape *tape) {
  aio__free(tape->al, tape->nodes);
  tape->nodes = NULL;
  tape->count = tape->cap = 0;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

typedef struct reader {
  aio__tape *tape;
  const char *p, *end;
  uint32_t open[AIO__JSON_MAX_DEPTH]; /* nodes of the levels that are open */
  int depth;
} reader;

static aiorch_status ends_early(const reader *r) {
  return r->p >= r->end ? AIORCH_E_TRUNCATED : AIORCH_E_RESPONSE;
}

static void skip_space(reader *r) {
  while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t')) r->p++;
}

static aiorch_status grow(aio__tape *tape) {
  if (tape->cap >= AIO__TAPE_NODES_MAX) return AIORCH_E_TOO_LARGE;
  size_t cap = tape->cap ? tape->cap * 2 : FIRST_NODES;
  aio__tape_node *nodes = aio__realloc(tape->al, tape->nodes, cap * sizeof *nodes);
  if (!nodes) return AIORCH_E_NOMEM;
  tape->nodes = nodes;
  tape->cap = cap;
  return AIORCH_OK;
}

static aiorch_status add(reader *r, aio__json_type type, const char *from, const char *to, bool escaped) {
  aio__tape *tape = r->tape;
  if (tape->count == tape->cap) {
    aiorch_status st = grow(tape);
    if (st) return st;
  }
  aio__tape_node *node = &tape->nodes[tape->count++];
  *node = (aio__tape_node){.start = (uint32_t)(from - tape->text.p),
                           .len = (uint32_t)(to - from),
                           .next = (uint32_t)tape->count,
                           .type = (uint8_t)type,
                           .escaped = escaped};
  return AIORCH_OK;
}

/* The first byte that ends a run of plain characters: a quote, a backslash or a control character. See json_writer.c for how a
 * word of eight bytes is asked at once; of those that it finds the lowest is one, and only behind it may be others that are none. */
static const char *plain_end(const char *p, const char *end) {
  for (; end - p >= 8; p += 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    uint64_t quote = word ^ ONES * '"', slash = word ^ ONES * '\\';
    uint64_t found = ((word - ONES * 0x20) & ~word) | ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash);
    if (!(found & HIGH_BITS)) continue;
    if (FIRST_IS_LOWEST) return p + (__builtin_ctzll(found & HIGH_BITS) >> 3);
    break;
  }
  while (p < end && (uint8_t)*p >= 0x20 && *p != '"' && *p != '\\') p++;
  return p;
}

/* p is behind the opening quote. */
static aiorch_status read_string(reader *r) {
  const char *start = r->p;
  bool escaped = false;
  for (;;) {
    r->p = plain_end(r->p, r->end);
    if (r->p >= r->end) return AIORCH_E_TRUNCATED;
    if (*r->p == '"') break;
    if (*r->p != '\\') return AIORCH_E_RESPONSE; /* a control character */
    escaped = true;
    if (r->end - r->p < 2) return AIORCH_E_TRUNCATED;
    char c = r->p[1];
    if (c == 'u') {
      if (r->end - r->p < 6) return AIORCH_E_TRUNCATED;
      if (aio__hex4(r->p + 2, r->end) < 0) return AIORCH_E_RESPONSE;
      r->p += 6;
    } else {
      if (c == '\0' || !strchr("\"\\/bfnrt", c)) return AIORCH_E_RESPONSE;
      r->p += 2;
    }
  }
  aiorch_status st = add(r, AIO__JSON_STRING, start, r->p, escaped);
  r->p++;
  return st;
}

static bool skip_digits(reader *r) {
  const char *start = r->p;
  while (r->p < r->end && *r->p >= '0' && *r->p <= '9') r->p++;
  return r->p > start;
}

static aiorch_status read_number(reader *r) {
  const char *start = r->p;
  if (*r->p == '-') r->p++;
  if (r->p < r->end && *r->p == '0') r->p++;
  else if (!skip_digits(r)) return ends_early(r);
  if (r->p < r->end && *r->p == '.') {
    r->p++;
    if (!skip_digits(r)) return ends_early(r);
  }
  if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
    r->p++;
    if (r->p < r->end && (*r->p == '+' || *r->p == '-')) r->p++;
    if (!skip_digits(r)) return ends_early(r);
  }
  return add(r, AIO__JSON_NUMBER, start, r->p, false);
}

static aiorch_status read_literal(reader *r) {
  static const struct {
    const char *text;
    size_t n;
    aio__json_type type;
  } literals[] = {{"true", 4, AIO__JSON_BOOL}, {"false", 5, AIO__JSON_BOOL}, {"null", 4, AIO__JSON_NULL}};
  size_t left = (size_t)(r->end - r->p);
  for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++) {
    size_t n = literals[i].n < left ? literals[i].n : left;
    if (n == 0 || memcmp(r->p, literals[i].text, n) != 0) continue;
    if (n < literals[i].n) return AIORCH_E_TRUNCATED;
    const char *start = r->p;
    r->p += n;
    return add(r, literals[i].type, start, r->p, false);
  }
  return ends_early(r);
}

static aiorch_status read_name(reader *r) {
  if (r->p >= r->end || *r->p != '"') return ends_early(r);
  r->p++;
  aiorch_status st = read_string(r);
  if (st) return st;
  skip_space(r);
  if (r->p >= r->end || *r->p != ':') return ends_early(r);
  r->p++;
  skip_space(r);
  return AIORCH_OK;
}

/* Reads a value down to the first that is no container with content; afterwards a value has ended. */
static aiorch_status read_value(reader *r) {
  for (;;) {
    if (r->p >= r->end) return AIORCH_E_TRUNCATED;
    char c = *r->p;
    if (c == '"') {
      r->p++;
      return read_string(r);
    }
    if (c == '-' || (c >= '0' && c <= '9')) return read_number(r);
    if (c != '{' && c != '[') return read_literal(r);
    if (r->depth == AIO__JSON_MAX_DEPTH) return AIORCH_E_TOO_LARGE;
    r->open[r->depth++] = (uint32_t)r->tape->count;
    aiorch_status st = add(r, c == '{' ? AIO__JSON_OBJECT : AIO__JSON_ARRAY, r->p, r->p + 1, false);
    if (st) return st;
    r->p++;
    skip_space(r);
    if (r->p < r->end && *r->p == (c == '{' ? '}' : ']')) return AIORCH_OK; /* read_rest closes it */
    if (c == '{') st = read_name(r);
    if (st) return st;
  }
}

/* After a value: closes levels, or goes on with the next value. */
static aiorch_status read_rest(reader *r) {
  while (r->depth > 0) {
    aio__tape_node *level = &r->tape->nodes[r->open[r->depth - 1]];
    bool object = level->type == AIO__JSON_OBJECT;
    skip_space(r);
    if (r->p >= r->end) return AIORCH_E_TRUNCATED;
    if (*r->p == (object ? '}' : ']')) {
      r->p++;
      level->next = (uint32_t)r->tape->count;
      level->len = (uint32_t)(r->p - r->tape->text.p) - level->start;
      r->depth--;
      continue;
    }
    if (*r->p != ',') return AIORCH_E_RESPONSE;
    r->p++;
    skip_space(r);
    aiorch_status st = object ? read_name(r) : AIORCH_OK;
    if (st == AIORCH_OK) st = read_value(r);
    if (st) return st;
  }
  return AIORCH_OK;
}

aiorch_status aio__tape_read(aio__tape *tape, aio__str text) {
  if (!text.p) text = (aio__str){"", 0};
  tape->text = text;
  tape->count = 0;
  tape->fault = 0;
  if (text.n > AIO__TAPE_BYTES_MAX) return AIORCH_E_TOO_LARGE;
  reader r = {.tape = tape, .p = text.p, .end = text.p + text.n};
  skip_space(&r);
  aiorch_status st = read_value(&r);
  if (st == AIORCH_OK) st = read_rest(&r);
  if (st == AIORCH_OK) {
    skip_space(&r);
    if (r.p < r.end) st = AIORCH_E_RESPONSE;
  }
  tape->fault = (size_t)(r.p - text.p);
  if (st) tape->count = 0;
  return st;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static const aio__tape_node *node_of(const aio__tape *tape, aio__tape_value value) {
  return value < tape->count ? &tape->nodes[value] : NULL;
}

static const aio__tape_node *string_of(const aio__tape *tape, aio__tape_value value) {
  const aio__tape_node *node = node_of(tape, value);
  return node && node->type == AIO__JSON_STRING ? node : NULL;
}

static aio__str text_of(const aio__tape *tape, const aio__tape_node *node) {
  return aio__str_n(tape->text.p + node->start, node->len);
}

aio__json_type aio__tape_typeof(const aio__tape *tape, aio__tape_value value) {
  const aio__tape_node *node = node_of(tape, value);
  return node ? (aio__json_type)node->type : AIO__JSON_NULL;
}

aio__tape_value aio__tape_first(const aio__tape *tape, aio__tape_value container) {
  const aio__tape_node *node = node_of(tape, container);
  if (!node || node->next == container + 1) return AIO__TAPE_NONE;
  return container + (node->type == AIO__JSON_OBJECT ? 2 : 1);
}

aio__tape_value aio__tape_next(const aio__tape *tape, aio__tape_value container, aio__tape_value child) {
  const aio__tape_node *node = node_of(tape, container), *last = node_of(tape, child);
  if (!node || !last || last->next >= node->next) return AIO__TAPE_NONE;
  return last->next + (node->type == AIO__JSON_OBJECT ? 1 : 0);
}

size_t aio__tape_size(const aio__tape *tape, aio__tape_value container) {
  size_t n = 0;
  for (aio__tape_value v = aio__tape_first(tape, container); v != AIO__TAPE_NONE; v = aio__tape_next(tape, container, v)) n++;
  return n;
}

aio__str aio__tape_name(const aio__tape *tape, aio__tape_value member) {
  return text_of(tape, &tape->nodes[member - 1]);
}

aio__str aio__tape_raw(const aio__tape *tape, aio__tape_value value) {
  const aio__tape_node *node = node_of(tape, value);
  if (!node) return (aio__str){"", 0};
  aio__str text = text_of(tape, node);
  return node->type == AIO__JSON_STRING ? aio__str_n(text.p - 1, text.n + 2) : text;
}

/* ---- strings ----------------------------------------------------------------------------------------------------- */

static void put(aio__buf *out, uint32_t code_point) {
  char bytes[4];
  size_t n = aio__utf8_put(code_point == 0 ? REPLACEMENT : code_point, bytes);
  if (n == 0) n = aio__utf8_put(REPLACEMENT, bytes);
  aio__buf_add(out, bytes, n);
}

/* A run without escapes; bytes that are not UTF-8 are replaced one by one. */
static void put_run(aio__buf *out, aio__str run) {
  while (run.n > 0 && out->failed == AIORCH_OK) {
    size_t valid = aio__utf8_check(run, NULL);
    aio__buf_add(out, run.p, valid);
    if (valid == run.n) return;
    put(out, REPLACEMENT);
    run = aio__str_n(run.p + valid + 1, run.n - valid - 1);
  }
}

static uint32_t simple_escape(char c) {
  switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return (uint8_t)c;
  }
}

/* `pending`: the half of a pair that came before, 0 for none. */
static void put_unit(aio__buf *out, uint32_t unit, uint32_t *pending) {
  bool low = unit >= 0xDC00 && unit <= 0xDFFF;
  if (*pending && low) {
    put(out, 0x10000 + ((*pending - 0xD800) << 10) + (unit - 0xDC00));
    *pending = 0;
    return;
  }
  if (*pending) put(out, REPLACEMENT);
  *pending = 0;
  if (unit >= 0xD800 && unit <= 0xDBFF) *pending = unit;
  else put(out, low ? REPLACEMENT : unit);
}

static void decode(aio__str raw, uint32_t *pending, aio__buf *out) {
  const char *p = raw.p, *end = raw.p + raw.n;
  while (p < end && out->failed == AIORCH_OK) {
    const char *slash = memchr(p, '\\', (size_t)(end - p));
    const char *run_end = slash ? slash : end;
    if (run_end > p && *pending) {
      put(out, REPLACEMENT);
      *pending = 0;
    }
    put_run(out, aio__str_n(p, (size_t)(run_end - p)));
    if (!slash) return;
    if (slash[1] == 'u') {
      put_unit(out, (uint32_t)aio__hex4(slash + 2, end), pending);
      p = slash + 6;
    } else {
      put_unit(out, simple_escape(slash[1]), pending);
      p = slash + 2;
    }
  }
}

aiorch_status aio__tape_str(const aio__tape *tape, aio__tape_value value, uint16_t *half, aio__buf *scratch, aio__str *out) {
  const aio__tape_node *node = string_of(tape, value);
  *out = (aio__str){"", 0};
  if (!node || node->len == 0) return AIORCH_OK;
  aio__str raw = text_of(tape, node);
  uint32_t pending = half ? *half : 0;
  if (!node->escaped && !pending && aio__utf8_check(raw, NULL) == raw.n) {
    *out = raw;
    return AIORCH_OK;
  }
  aio__buf_reset(scratch);
  decode(raw, &pending, scratch);
  if (half) *half = (uint16_t)pending;
  else if (pending) put(scratch, REPLACEMENT);
  if (scratch->failed) return scratch->failed;
  if (scratch->n > 0) *out = aio__buf_view(scratch);
  return AIORCH_OK;
}

/* Names are hardly ever written with escapes; those that are, are compared character by character. */
static bool says(const aio__tape *tape, const aio__tape_node *node, const char *text, size_t n) {
  if (!node->escaped) return node->len == n && memcmp(tape->text.p + node->start, text, n) == 0;
  if (n > COMPARE_MAX || node->len > 6 * COMPARE_MAX) return false;
  const char *p = tape->text.p + node->start, *end = p + node->len;
  size_t i = 0;
  while (p < end && i < n) {
    uint32_t unit = (uint8_t)*p;
    size_t step = 1;
    if (*p == '\\') {
      unit = p[1] == 'u' ? (uint32_t)aio__hex4(p + 2, end) : simple_escape(p[1]);
      step = p[1] == 'u' ? 6 : 2;
      if (unit > 0x7F) return false; /* what is compared with is ASCII */
    }
    if (unit != (uint8_t)text[i++]) return false;
    p += step;
  }
  return p == end && i == n;
}

aio__tape_value aio__tape_member(const aio__tape *tape, aio__tape_value object, const char *key, size_t key_len) {
  aio__tape_value found = AIO__TAPE_NONE;
  if (aio__tape_typeof(tape, object) != AIO__JSON_OBJECT) return found;
  const aio__tape_node *nodes = tape->nodes;
  for (uint32_t name = object + 1, end = nodes[object].next; name < end; name = nodes[name + 1].next) {
    bool other = nodes[name].len != key_len && !nodes[name].escaped; /* as most are */
    if (!other && says(tape, &nodes[name], key, key_len)) found = name + 1;
  }
  return found;
}

bool aio__tape_is(const aio__tape *tape, aio__tape_value value, const char *text) {
  const aio__tape_node *node = string_of(tape, value);
  return node && says(tape, node, text, strlen(text));
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

bool aio__tape_true(const aio__tape *tape, aio__tape_value value) {
  const aio__tape_node *node = node_of(tape, value);
  return node && node->type == AIO__JSON_BOOL && tape->text.p[node->start] == 't';
}

/* sign * mantissa * 10^exponent; digits past the nineteenth are dropped. */
typedef struct decimal {
  uint64_t mantissa;
  int64_t exponent;
  bool negative;
} decimal;

static bool read_decimal(const aio__tape *tape, aio__tape_value value, decimal *out) {
  const aio__tape_node *node = node_of(tape, value);
  if (!node || node->type != AIO__JSON_NUMBER) return false;
  aio__str text = text_of(tape, node);
  *out = (decimal){.negative = text.p[0] == '-'};
  int digits = 0;
  bool fraction = false;
  size_t i = out->negative ? 1 : 0;
  for (; i < text.n && text.p[i] != 'e' && text.p[i] != 'E'; i++) {
    if (text.p[i] == '.') {
      fraction = true;
      continue;
    }
    if (digits < DIGITS_MAX) {
      out->mantissa = out->mantissa * 10 + (uint64_t)(text.p[i] - '0');
      if (out->mantissa) digits++;
      out->exponent -= fraction ? 1 : 0;
    } else {
      out->exponent += fraction ? 0 : 1;
    }
  }
  int64_t exponent = 0;
  bool below = i + 1 < text.n && text.p[i + 1] == '-';
  for (; i < text.n; i++) {
    if (text.p[i] >= '0' && text.p[i] <= '9' && exponent < INT32_MAX) exponent = exponent * 10 + (text.p[i] - '0');
  }
  out->exponent += below ? -exponent : exponent;
  return true;
}

bool aio__tape_i64(const aio__tape *tape, aio__tape_value value, int64_t *out) {
  decimal d;
  if (!read_decimal(tape, value, &d)) return false;
  while (d.exponent < 0 && d.mantissa && d.mantissa % 10 == 0) {
    d.mantissa /= 10;
    d.exponent++;
  }
  if (d.mantissa == 0) d.exponent = 0;
  for (; d.exponent > 0 && d.mantissa <= (uint64_t)I64_LIMIT; d.exponent--) d.mantissa *= 10;
  if (d.exponent != 0 || d.mantissa > (uint64_t)I64_LIMIT) return false;
  *out = d.negative ? -(int64_t)d.mantissa : (int64_t)d.mantissa;
  return true;
}

/* No strtod: it reads by the locale. Up to nineteen digits times a power of ten in extended precision is off by less than a float
 * shows, and by one unit in the last place of a double at most. */
static bool read_real(const aio__tape *tape, aio__tape_value value, long double too_large, long double *out) {
  decimal d;
  if (!read_decimal(tape, value, &d)) return false;
  if (d.exponent > EXPONENT_MAX && d.mantissa) return false;
  long double number = (long double)d.mantissa, scale = 1, base = 10;
  int64_t power = d.exponent < 0 ? -d.exponent : d.exponent;
  if (power > 2 * EXPONENT_MAX || d.mantissa == 0) {
    number = 0;
    power = 0;
  }
  for (; power > 0; power >>= 1, base *= base) {
    if (power & 1) scale *= base;
  }
  number = d.exponent < 0 ? number / scale : number * scale;
  *out = d.negative ? -number : number;
  return number < too_large;
}

bool aio__tape_f32(const aio__tape *tape, aio__tape_value value, float *out) {
  long double number;
  if (!read_real(tape, value, 3.4028235677973366e38L, &number)) return false; /* from there on none rounds to a float */
  *out = (float)number;
  return true;
}

bool aio__tape_f64(const aio__tape *tape, aio__tape_value value, double *out) {
  long double number;
  if (!read_real(tape, value, 1.7976931348623158079e308L, &number)) return false; /* the same */
  *out = (double)number;
  return true;
}
