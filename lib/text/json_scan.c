/*
 * The strict scan of a JSON text (RFC 8259): grammar, UTF-8, depth, range of numbers, members that come twice.
 *
 * It keeps no values. It does not recurse: the kind of each open level is a bit of a word, so that the stack it
 * uses does not depend on the text. Member names of all objects go into one hash set under (number of the object,
 * name), so that finding a name that comes twice costs the same in an object of two members and of a million.
 */
#include "text/json_scan.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/uuid.h"

enum {
  NUMBER_MAX = 63,     /* cJSON reads no more characters of a number */
  EXPONENT_MAX = 308,  /* of the first digit, in a double */
  KEY_SHOWN_MAX = 64,  /* bytes of a name in a message */
  FIRST_KEYS = 64,
  KEY_BLOCK = 1024
};

typedef struct scan_key {
  const char *p; /* NULL: empty slot */
  size_t n;
  uint32_t hash, object;
} scan_key;

typedef struct scan {
  const aio__alloc *al;
  aio__str text;
  const aio__json_limits *limits;
  aiorch_error *error;
  size_t pos;
  int depth, max_depth;
  uint64_t is_object;                     /* one bit a level */
  uint32_t object[AIO__JSON_MAX_DEPTH];   /* the number of each level's object */
  uint32_t objects;
  scan_key *keys;
  size_t key_cap, key_count;
  uint64_t hash_key;
  aio__arena decoded;                     /* names that were written with escapes */
} scan;

/* ---- faults ------------------------------------------------------------------------------------------------------ */

static const char *text_name(const scan *s) {
  return s->limits->name == NULL ? "JSON" : s->limits->name;
}

/* Lines end in LF; columns count characters from 1. */
static void find_place(aio__str text, size_t offset, size_t *line, size_t *column) {
  size_t start = 0;
  *line = 1;
  for (size_t i = 0; i < offset; i++) {
    if (text.p[i] != '\n') continue;
    ++*line;
    start = i + 1;
  }
  *column = 1;
  for (size_t pos = start; pos < offset; ++*column) (void)aio__utf8_next(text, &pos);
}

static aiorch_status fault_at(scan *s, size_t offset, const char *what) {
  size_t line, column;
  find_place(s->text, offset, &line, &column);
  return aio__error_set(s->error, s->limits->syntax_status, "%s, line %zu, column %zu: %s", text_name(s), line, column,
                        what);
}

static aiorch_status fault(scan *s, const char *what) {
  return fault_at(s, s->pos, s->pos < s->text.n ? what : "the text ends too early");
}

static aiorch_status out_of_memory(scan *s) {
  return aio__error_set(s->error, AIORCH_E_NOMEM, "%s: out of memory", text_name(s));
}

/* ---- characters -------------------------------------------------------------------------------------------------- */

static int peek(const scan *s) {
  return s->pos < s->text.n ? (uint8_t)s->text.p[s->pos] : -1;
}

static void skip_space(scan *s) {
  for (int c = peek(s); c == ' ' || c == '\n' || c == '\r' || c == '\t'; c = peek(s)) s->pos++;
}

static bool is_digit(int c) {
  return c >= '0' && c <= '9';
}

/* ---- strings ----------------------------------------------------------------------------------------------------- */

/* Reads the escape whose backslash is at *pos and moves *pos past it. NULL, or what is wrong with it. */
static const char *read_escape(aio__str text, size_t *pos, uint32_t *code_point) {
  static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  int c = *pos + 1 < text.n ? text.p[*pos + 1] : 0;
  const char *letter = c == 0 ? NULL : strchr(letters, c);
  if (letter != NULL) {
    *code_point = (uint8_t)values[letter - letters];
    *pos += 2;
    return NULL;
  }
  if (c != 'u') return "this is no escape; one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX is";
  int32_t unit = aio__hex4(text.p + *pos + 2, text.p + text.n);
  if (unit < 0) return "\\u needs four hexadecimal digits";
  if (unit == 0) return "a NUL character (\\u0000) is not accepted";
  *pos += 6;
  *code_point = (uint32_t)unit;
  if (unit < 0xD800 || unit > 0xDFFF) return NULL;
  bool paired = unit < 0xDC00 && text.n - *pos >= 6 && text.p[*pos] == '\\' && text.p[*pos + 1] == 'u';
  int32_t low = paired ? aio__hex4(text.p + *pos + 2, text.p + text.n) : -1;
  if (low < 0xDC00 || low > 0xDFFF) return "half of a surrogate pair; write the character itself, or both halves";
  *code_point = 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
  *pos += 6;
  return NULL;
}

/* Scans the string that begins here; `*raw` is what stands between its quotes. */
static aiorch_status scan_string(scan *s, aio__str *raw, bool *escaped) {
  size_t start = ++s->pos;
  *escaped = false;
  for (;;) {
    int c = peek(s);
    if (c == '"') break;
    if (c == '\\') {
      uint32_t code_point;
      size_t at = s->pos;
      const char *what = read_escape(s->text, &s->pos, &code_point);
      if (what != NULL) return fault_at(s, at, what);
      *escaped = true;
    } else if (c < 0x20) {
      return fault(s, "a control character in a text; write it as an escape, such as \\n");
    } else {
      s->pos++;
    }
  }
  *raw = aio__str_n(s->text.p + start, s->pos - start);
  s->pos++;
  return AIORCH_OK;
}

/* ---- member names ------------------------------------------------------------------------------------------------ */

/* The name as it reads without escapes; .p NULL when out of memory. */
static aio__str decode_name(scan *s, aio__str raw) {
  char *out = aio__arena_strn(&s->decoded, raw.p, raw.n); /* no escape is shorter than what it stands for */
  if (out == NULL) return (aio__str){NULL, 0};
  size_t n = 0;
  for (size_t pos = 0; pos < raw.n;) {
    if (raw.p[pos] != '\\') {
      out[n++] = raw.p[pos++];
      continue;
    }
    uint32_t code_point = 0;
    (void)read_escape(raw, &pos, &code_point);
    n += aio__utf8_put(code_point, out + n);
  }
  return aio__str_n(out, n);
}

static scan_key *find_key(scan_key *keys, size_t cap, const scan_key *key) {
  for (size_t i = key->hash & (cap - 1);; i = (i + 1) & (cap - 1)) {
    scan_key *slot = &keys[i];
    if (slot->p == NULL) return slot;
    if (slot->hash != key->hash || slot->object != key->object || slot->n != key->n) continue;
    if (memcmp(slot->p, key->p, key->n) == 0) return slot;
  }
}

static aiorch_status grow_keys(scan *s) {
  size_t cap = s->key_cap == 0 ? FIRST_KEYS : s->key_cap * 2;
  scan_key *keys = aio__calloc(s->al, cap, sizeof *keys);
  if (keys == NULL) return out_of_memory(s);
  if (s->key_cap == 0 && aio__random(&s->hash_key, sizeof s->hash_key) != AIORCH_OK) s->hash_key = (uintptr_t)keys;
  for (size_t i = 0; i < s->key_cap; i++) {
    if (s->keys[i].p != NULL) *find_key(keys, cap, &s->keys[i]) = s->keys[i];
  }
  aio__free(s->al, s->keys);
  s->keys = keys;
  s->key_cap = cap;
  return AIORCH_OK;
}

static aiorch_status fault_twice(scan *s, size_t offset, aio__str name) {
  char what[KEY_SHOWN_MAX + 64];
  size_t shown = aio__utf8_cut(name, KEY_SHOWN_MAX);
  snprintf(what, sizeof what, "\"%.*s%s\" comes twice in this object", (int)shown, name.p, shown < name.n ? "..." : "");
  return fault_at(s, offset, what);
}

/* Scans a member's name and the colon behind it. */
static aiorch_status scan_name(scan *s) {
  aio__str name;
  bool escaped;
  size_t offset = s->pos;
  if (peek(s) != '"') return fault(s, "a member's name in double quotes is expected here");
  aiorch_status status = scan_string(s, &name, &escaped);
  if (status != AIORCH_OK) return status;
  if (escaped) name = decode_name(s, name);
  if (name.p == NULL) return out_of_memory(s);
  if (s->key_count >= s->key_cap / 4 * 3) {
    status = grow_keys(s);
    if (status != AIORCH_OK) return status;
  }
  uint32_t object = s->object[s->depth - 1];
  uint32_t hash = (uint32_t)aio__hash64(s->hash_key ^ (uint64_t)object << 32, name.p, name.n);
  scan_key key = {name.p, name.n, hash, object};
  scan_key *slot = find_key(s->keys, s->key_cap, &key);
  if (slot->p != NULL) return fault_twice(s, offset, name);
  *slot = key;
  s->key_count++;
  skip_space(s);
  if (peek(s) != ':') return fault(s, "a colon is expected here");
  s->pos++;
  skip_space(s);
  return AIORCH_OK;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static size_t skip_digits(scan *s) {
  size_t start = s->pos;
  while (is_digit(peek(s))) s->pos++;
  return s->pos - start;
}

/* The power of ten of the first digit that is not 0; INT64_MIN for zero. The grammar has been checked. */
static int64_t magnitude(aio__str number) {
  int64_t power = 0, exponent = 0;
  bool found = false, in_fraction = false;
  size_t i = 0;
  for (; i < number.n && number.p[i] != 'e' && number.p[i] != 'E'; i++) {
    char c = number.p[i];
    if (c == '.') in_fraction = true;
    if (!is_digit((uint8_t)c)) continue;
    if (found) {
      power += in_fraction ? 0 : 1;
    } else {
      power -= in_fraction ? 1 : 0;
      found = c != '0';
    }
  }
  if (!found) return INT64_MIN;
  bool negative = i + 1 < number.n && number.p[i + 1] == '-';
  for (; i < number.n; i++) {
    if (is_digit((uint8_t)number.p[i]) && exponent < 100000) exponent = exponent * 10 + (number.p[i] - '0');
  }
  return power + (negative ? -exponent : exponent);
}

static aiorch_status scan_number(scan *s) {
  size_t start = s->pos;
  if (peek(s) == '-') s->pos++;
  if (peek(s) == '0') s->pos++;
  else if (skip_digits(s) == 0) return fault(s, "a digit is expected here");
  if (is_digit(peek(s))) return fault_at(s, start, "a number has no leading zeros");
  if (peek(s) == '.') {
    s->pos++;
    if (skip_digits(s) == 0) return fault(s, "a digit is expected here");
  }
  if (peek(s) == 'e' || peek(s) == 'E') {
    s->pos++;
    if (peek(s) == '+' || peek(s) == '-') s->pos++;
    if (skip_digits(s) == 0) return fault(s, "a digit is expected here");
  }
  aio__str number = aio__str_n(s->text.p + start, s->pos - start);
  if (number.n > NUMBER_MAX) return fault_at(s, start, "a number has at most 63 characters");
  if (magnitude(number) > EXPONENT_MAX) return fault_at(s, start, "the number is out of range");
  return AIORCH_OK;
}

static aiorch_status scan_literal(scan *s) {
  static const char *const literals[] = {"true", "false", "null"};
  aio__str rest = aio__str_n(s->text.p + s->pos, s->text.n - s->pos);
  for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++) {
    aio__str literal = aio__str_z(literals[i]);
    if (!aio__str_starts(rest, literal)) continue;
    s->pos += literal.n;
    return AIORCH_OK;
  }
  return fault(s, "a value is expected here: object, array, text in double quotes, number, true, false or null");
}

static bool in_object(const scan *s) {
  return s->depth > 0 && (s->is_object >> (s->depth - 1) & 1) != 0;
}

static aiorch_status open_level(scan *s, bool object) {
  if (s->depth == s->max_depth) {
    char what[64];
    snprintf(what, sizeof what, "nested deeper than %d levels", s->max_depth);
    return fault(s, what);
  }
  uint64_t bit = UINT64_C(1) << s->depth;
  s->is_object = object ? s->is_object | bit : s->is_object & ~bit;
  s->object[s->depth++] = object ? s->objects++ : 0;
  s->pos++;
  skip_space(s);
  return AIORCH_OK;
}

/* Scans up to the first value that is no container with content; afterwards a value has ended. */
static aiorch_status scan_value(scan *s) {
  for (;;) {
    int c = peek(s);
    aio__str raw;
    bool escaped;
    if (c == '"') return scan_string(s, &raw, &escaped);
    if (c == '-' || is_digit(c)) return scan_number(s);
    if (c != '{' && c != '[') return scan_literal(s);
    aiorch_status status = open_level(s, c == '{');
    if (status != AIORCH_OK) return status;
    if (peek(s) == (c == '{' ? '}' : ']')) {
      s->depth--;
      s->pos++;
      return AIORCH_OK;
    }
    status = c == '{' ? scan_name(s) : AIORCH_OK;
    if (status != AIORCH_OK) return status;
  }
}

/* After a value: closes levels, or goes on to the next value. */
static aiorch_status scan_rest(scan *s) {
  while (s->depth > 0) {
    bool object = in_object(s);
    skip_space(s);
    int c = peek(s);
    if (c == (object ? '}' : ']')) {
      s->depth--;
      s->pos++;
      continue;
    }
    if (c != ',') return fault(s, object ? "a comma or } is expected here" : "a comma or ] is expected here");
    size_t comma = s->pos++;
    skip_space(s);
    c = peek(s);
    if (c == '}' || c == ']') return fault_at(s, comma, "a trailing comma is not allowed");
    aiorch_status status = object ? scan_name(s) : AIORCH_OK;
    if (status == AIORCH_OK) status = scan_value(s);
    if (status != AIORCH_OK) return status;
  }
  return AIORCH_OK;
}

static aiorch_status scan_text(scan *s) {
  size_t valid = aio__utf8_check(s->text, NULL);
  if (valid < s->text.n) return fault_at(s, valid, "this is not UTF-8");
  if (aio__str_starts(s->text, AIO__LIT("\xEF\xBB\xBF"))) {
    return fault_at(s, 0, "a byte order mark is not accepted; save it as UTF-8 without one");
  }
  skip_space(s);
  if (s->pos == s->text.n) return fault_at(s, s->pos, "the text is empty");
  aiorch_status status = scan_value(s);
  if (status == AIORCH_OK) status = scan_rest(s);
  if (status != AIORCH_OK) return status;
  skip_space(s);
  return s->pos == s->text.n ? AIORCH_OK : fault(s, "there is more text after the value");
}

aiorch_status aio__json_scan(const aio__alloc *al, aio__str text, const aio__json_limits *limits, aiorch_error *error) {
  scan s = {.al = al, .text = text, .limits = limits, .error = error};
  s.max_depth = limits->max_depth < AIO__JSON_MAX_DEPTH ? limits->max_depth : AIO__JSON_MAX_DEPTH;
  if (text.n > limits->max_bytes) {
    return aio__error_set(error, AIORCH_E_TOO_LARGE, "%s has %zu bytes; at most %zu are accepted", text_name(&s),
                          text.n, limits->max_bytes);
  }
  aio__arena_init(&s.decoded, al, KEY_BLOCK);
  aiorch_status status = scan_text(&s);
  aio__arena_free(&s.decoded);
  aio__free(al, s.keys);
  return status;
}
