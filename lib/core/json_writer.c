/* JSON into a buffer. One bit a level says that a comma is due; a key clears it for its value, which sets it again. */
#include "core/json_writer.h"

#include <aiorch/error.h>

#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

static const uint64_t ONES = UINT64_C(0x0101010101010101);
static const uint64_t HIGH_BITS = UINT64_C(0x8080808080808080);

void aio__jw_init(aio__json_writer *w, aio__buf *buf) {
  *w = (aio__json_writer){.buf = buf};
}

static uint64_t level_bit(const aio__json_writer *w) {
  return w->depth == 0 ? 0 : UINT64_C(1) << (w->depth - 1);
}

static void begin_item(aio__json_writer *w) {
  uint64_t bit = level_bit(w);
  if ((w->has_member & bit) != 0) aio__buf_char(w->buf, ',');
  w->has_member |= bit;
}

static void open_level(aio__json_writer *w, char bracket) {
  begin_item(w);
  if (w->depth == AIO__JSON_DEPTH_MAX) {
    (void)aio__buf_reserve(w->buf, SIZE_MAX); /* fails the buffer: TOO_LARGE */
    return;
  }
  aio__buf_char(w->buf, bracket);
  w->depth++;
  w->has_member &= ~level_bit(w);
}

static void close_level(aio__json_writer *w, char bracket) {
  if (w->depth == 0) return;
  aio__buf_char(w->buf, bracket);
  w->depth--;
}

void aio__jw_object(aio__json_writer *w) {
  open_level(w, '{');
}

void aio__jw_object_end(aio__json_writer *w) {
  close_level(w, '}');
}

void aio__jw_array(aio__json_writer *w) {
  open_level(w, '[');
}

void aio__jw_array_end(aio__json_writer *w) {
  close_level(w, ']');
}

static bool is_plain(char c) {
  return (uint8_t)c >= 0x20 && c != '"' && c != '\\';
}

#if defined(__SSE2__)
/* Which of 16 bytes need an escape, or are no ASCII when that is wanted, a bit a byte. */
static inline unsigned others_in(const char *p, bool ascii) {
  __m128i bytes, control;
  memcpy(&bytes, p, sizeof bytes);
  control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
  __m128i signs = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
  __m128i found = _mm_or_si128(control, signs);
  return (unsigned)_mm_movemask_epi8(ascii ? _mm_or_si128(found, bytes) : found);
}
#endif

/* The length of the run at p that needs no escape, and is ASCII when that is wanted. In a word of 8 bytes, (w - n * ONES) & ~w & HIGH_BITS
 * is not 0 just when some byte is below n (n <= 128); a byte equals c when the word xor c has a byte below 1. */
static inline size_t plain_run(const char *p, size_t n, bool ascii) {
  size_t i = 0;
#if defined(__SSE2__)
  for (; i + 16 <= n; i += 16) {
    unsigned others = others_in(p + i, ascii);
    if (others != 0) return i + (size_t)__builtin_ctz(others);
  }
#endif
  for (; i + 8 <= n; i += 8) {
    uint64_t word;
    memcpy(&word, p + i, 8);
    uint64_t quote = word ^ ONES * '"', slash = word ^ ONES * '\\';
    uint64_t found = ((word - ONES * 0x20) & ~word) | ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash) | (ascii ? word : 0);
    if ((found & HIGH_BITS) != 0) break;
  }
  while (i < n && is_plain(p[i]) && (!ascii || (uint8_t)p[i] < 0x80)) i++;
  return i;
}

static void put_escape(aio__buf *buf, char c) {
  static const char digits[] = "0123456789abcdef";
  char text[6] = {'\\', c, '0', '0', digits[(uint8_t)c >> 4 & 0xF], digits[(uint8_t)c & 0xF]};
  size_t len = 2;
  switch (c) {
    case '"':
    case '\\': break;
    case '\n': text[1] = 'n'; break;
    case '\r': text[1] = 'r'; break;
    case '\t': text[1] = 't'; break;
    case '\b': text[1] = 'b'; break;
    case '\f': text[1] = 'f'; break;
    default: text[1] = 'u'; len = 6; break;
  }
  aio__buf_add(buf, text, len);
}

static void put_valid(aio__buf *buf, const char *p, size_t n) {
  size_t i = 0;
  while (i < n) {
    size_t run = plain_run(p + i, n - i, false);
    if (run > 0) aio__buf_add(buf, p + i, run);
    i += run;
    if (i < n) put_escape(buf, p[i++]);
  }
}

/* Up to the first byte that is no ASCII, where it returns. */
static size_t put_ascii(aio__buf *buf, const char *p, size_t n) {
  size_t i = 0;
  while (i < n && buf->failed == AIORCH_OK) {
    size_t run = plain_run(p + i, n - i, true);
    if (run > 0) aio__buf_add(buf, p + i, run);
    i += run;
    if (i == n || (uint8_t)p[i] >= 0x80) break;
    put_escape(buf, p[i++]);
  }
  return i;
}

enum { SHORT = 256 }; /* bytes of text that are looked at twice when they need an escape: most keys and names need none */

static void put_quoted(aio__buf *buf, aio__str text) {
  if (text.n < SIZE_MAX / 2) (void)aio__buf_reserve(buf, text.n + 2);
  if (buf->failed == AIORCH_OK && text.n <= SHORT && plain_run(text.p, text.n, true) == text.n) {
    char *p = buf->p + buf->n;
    p[0] = '"';
    if (text.n > 0) memcpy(p + 1, text.p, text.n);
    p[text.n + 1] = '"';
    p[text.n + 2] = '\0';
    buf->n += text.n + 2;
    return;
  }
  aio__buf_char(buf, '"');
  size_t ascii = put_ascii(buf, text.p, text.n);
  if (ascii > 0) text = aio__str_n(text.p + ascii, text.n - ascii);
  while (text.n > 0 && buf->failed == AIORCH_OK) {
    size_t valid = aio__utf8_check(text, NULL);
    put_valid(buf, text.p, valid);
    if (valid == text.n) break;
    aio__buf_add(buf, "\xEF\xBF\xBD", 3);
    text = aio__str_n(text.p + valid + 1, text.n - valid - 1);
  }
  aio__buf_char(buf, '"');
}

void aio__jw_key(aio__json_writer *w, const char *key) {
  begin_item(w);
  put_quoted(w->buf, aio__str_z(key));
  aio__buf_char(w->buf, ':');
  w->has_member &= ~level_bit(w);
}

void aio__jw_str(aio__json_writer *w, aio__str text) {
  begin_item(w);
  put_quoted(w->buf, text);
}

void aio__jw_z(aio__json_writer *w, const char *text) {
  if (text == NULL) aio__jw_null(w);
  else aio__jw_str(w, aio__str_z(text));
}

void aio__jw_i64(aio__json_writer *w, int64_t value) {
  begin_item(w);
  aio__buf_i64(w->buf, value);
}

void aio__jw_f64(aio__json_writer *w, double value) {
  begin_item(w);
  aio__buf_f64(w->buf, value);
}

void aio__jw_bool(aio__json_writer *w, bool value) {
  begin_item(w);
  aio__buf_z(w->buf, value ? "true" : "false");
}

void aio__jw_null(aio__json_writer *w) {
  begin_item(w);
  aio__buf_str(w->buf, AIO__LIT("null"));
}

void aio__jw_raw(aio__json_writer *w, aio__str json) {
  begin_item(w);
  aio__buf_str(w->buf, json.n == 0 ? AIO__LIT("null") : json);
}

void aio__jw_kstr(aio__json_writer *w, const char *key, aio__str text) {
  aio__jw_key(w, key);
  aio__jw_str(w, text);
}

void aio__jw_kz(aio__json_writer *w, const char *key, const char *text) {
  aio__jw_key(w, key);
  aio__jw_z(w, text);
}

void aio__jw_ki64(aio__json_writer *w, const char *key, int64_t value) {
  aio__jw_key(w, key);
  aio__jw_i64(w, value);
}

void aio__jw_kf64(aio__json_writer *w, const char *key, double value) {
  aio__jw_key(w, key);
  aio__jw_f64(w, value);
}

void aio__jw_kbool(aio__json_writer *w, const char *key, bool value) {
  aio__jw_key(w, key);
  aio__jw_bool(w, value);
}

void aio__jw_knull(aio__json_writer *w, const char *key) {
  aio__jw_key(w, key);
  aio__jw_null(w);
}

void aio__jw_kusd(aio__json_writer *w, const char *key, int64_t nano_usd) {
  char text[32];
  aio__usd_text(nano_usd, text);
  aio__jw_kz(w, key, text);
}

void aio__usd_text(int64_t nano_usd, char out[32]) {
  uint64_t value = nano_usd < 0 ? 0 - (uint64_t)nano_usd : (uint64_t)nano_usd;
  char digits[24];
  size_t n = 0, point = 9;
  while (value != 0 || n <= point) {
    digits[n++] = (char)('0' + value % 10);
    value /= 10;
  }
  size_t last = 0;
  while (last < point && digits[last] == '0') last++;
  size_t at = 0;
  if (nano_usd < 0) out[at++] = '-';
  while (n > point) out[at++] = digits[--n];
  if (last < point) out[at++] = '.';
  while (n > last) out[at++] = digits[--n];
  out[at] = '\0';
}
