/* Borrowed text and UTF-8. Only well-formed sequences of the Unicode standard (table 3-7) count as UTF-8. */
#include "core/str.h"

#include <string.h>

static const uint64_t HIGH_BITS = UINT64_C(0x8080808080808080);

aio__str aio__str_z(const char *text) {
  return text == NULL ? (aio__str){NULL, 0} : (aio__str){text, strlen(text)};
}

aio__str aio__str_n(const char *text, size_t len) {
  return (aio__str){text, text == NULL ? 0 : len};
}

bool aio__str_eq(aio__str a, aio__str b) {
  return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool aio__str_eqz(aio__str a, const char *b) {
  return aio__str_eq(a, aio__str_z(b));
}

int aio__str_cmp(aio__str a, aio__str b) {
  size_t n = a.n < b.n ? a.n : b.n;
  int order = n == 0 ? 0 : memcmp(a.p, b.p, n);
  if (order != 0) return order;
  return (a.n > b.n) - (a.n < b.n);
}

bool aio__str_starts(aio__str text, aio__str prefix) {
  return text.n >= prefix.n && (prefix.n == 0 || memcmp(text.p, prefix.p, prefix.n) == 0);
}

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

aio__str aio__str_trim(aio__str text) {
  while (text.n > 0 && is_space(text.p[0])) {
    text.p++;
    text.n--;
  }
  while (text.n > 0 && is_space(text.p[text.n - 1])) text.n--;
  return text;
}

int aio__hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int32_t aio__hex4(const char *p, const char *end) {
  if (end - p < 4) return -1;
  int32_t value = 0;
  for (int i = 0; i < 4; i++) {
    int digit = aio__hex_value(p[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

static bool is_tail(uint8_t byte) {
  return (byte & 0xC0) == 0x80;
}

/* The length of the well-formed sequence that p begins with, 0 when it begins with none. The range of the second byte
 * shuts out overlong forms (E0, F0), surrogates (ED) and what is above U+10FFFF (F4). */
static size_t sequence_length(const uint8_t *p, size_t left) {
  uint8_t lead = p[0];
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4 || left < 2) return 0;
  if (lead < 0xE0) return is_tail(p[1]) ? 2 : 0;
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (p[1] < low || p[1] > high || left < 3 || !is_tail(p[2])) return 0;
  if (lead < 0xF0) return 3;
  return left >= 4 && is_tail(p[3]) ? 4 : 0;
}

/* Eight bytes; sums of seven bits each, so that none carries into the next. */
static bool base64_eight(uint64_t eight) {
  const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
  uint64_t low = eight & ~highs, lower = low | ones * 0x20;
  uint64_t letters = (lower + ones * (0x80 - 'a')) & ~(lower + ones * (0x7F - 'z'));
  uint64_t digits = (low + ones * (0x80 - '/')) & ~(low + ones * (0x7F - '9')); /* '/' stands before '0' */
  uint64_t pluses = ~((low ^ ones * '+') + ones * 0x7F);
  return ((letters | digits | pluses) & ~eight & highs) == highs;
}

bool aio__str_base64(aio__str text) {
  uint64_t eight;
  size_t at = 0;
  for (; text.n - at >= sizeof eight; at += sizeof eight) {
    memcpy(&eight, text.p + at, sizeof eight);
    if (!base64_eight(eight)) return false;
  }
  if (at == text.n) return true;
  memset(&eight, 'A', sizeof eight);
  memcpy(&eight, text.p + at, text.n - at);
  return base64_eight(eight);
}

uint32_t aio__utf8_next(aio__str text, size_t *pos) {
  if (*pos >= text.n) return UINT32_MAX;
  const uint8_t *p = (const uint8_t *)text.p + *pos;
  size_t len = sequence_length(p, text.n - *pos);
  *pos += len == 0 ? 1 : len;
  switch (len) {
    case 1: return p[0];
    case 2: return (uint32_t)(p[0] & 0x1F) << 6 | (uint32_t)(p[1] & 0x3F);
    case 3: return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (uint32_t)(p[2] & 0x3F);
    case 4:
      return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 | (uint32_t)(p[2] & 0x3F) << 6 |
             (uint32_t)(p[3] & 0x3F);
    default: return UINT32_MAX;
  }
}

size_t aio__utf8_put(uint32_t code_point, char out[4]) {
  if (code_point < 0x80) {
    out[0] = (char)code_point;
    return 1;
  }
  if (code_point < 0x800) {
    out[0] = (char)(0xC0 | code_point >> 6);
    out[1] = (char)(0x80 | (code_point & 0x3F));
    return 2;
  }
  if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) return 0;
  if (code_point < 0x10000) {
    out[0] = (char)(0xE0 | code_point >> 12);
    out[1] = (char)(0x80 | (code_point >> 6 & 0x3F));
    out[2] = (char)(0x80 | (code_point & 0x3F));
    return 3;
  }
  out[0] = (char)(0xF0 | code_point >> 18);
  out[1] = (char)(0x80 | (code_point >> 12 & 0x3F));
  out[2] = (char)(0x80 | (code_point >> 6 & 0x3F));
  out[3] = (char)(0x80 | (code_point & 0x3F));
  return 4;
}

/* The length of the ASCII run at p, rounded down to words of 8 bytes. */
static size_t ascii_words(const uint8_t *p, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    uint64_t word;
    memcpy(&word, p + i, 8);
    if ((word & HIGH_BITS) != 0) break;
  }
  return i;
}

size_t aio__utf8_check(aio__str text, size_t *code_points) {
  const uint8_t *p = (const uint8_t *)text.p;
  size_t i = 0, count = 0;
  while (i < text.n) {
    size_t len = p[i] < 0x80 ? ascii_words(p + i, text.n - i) : 0;
    if (len > 0) {
      i += len;
      count += len;
      continue;
    }
    len = sequence_length(p + i, text.n - i);
    if (len == 0) break;
    i += len;
    count++;
  }
  if (code_points != NULL) *code_points = count;
  return i;
}

size_t aio__utf8_cut(aio__str text, size_t max) {
  if (max >= text.n) return text.n;
  size_t cut = max;
  while (cut > 0 && is_tail((uint8_t)text.p[cut])) cut--;
  return cut;
}
