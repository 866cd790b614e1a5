/*
 * Characters: what normalization makes of each one, by the tables of Unicode.
 *
 * The views themselves are built in normalize_views.c; here are the folding of one character, cache keys, the spelling
 * of patterns and the question whether a text has anything to read.
 */
#include "text/normalize.h"

#include <string.h>

#include "text/normalize_parts.h"
#include "text/unicode.h"

enum {
  SORTED_MARKS_MAX = 32, /* the stream-safe bound of UAX 15: longer runs of marks stay as they came */
  FOLD_GROWTH_MAX = 4  /* a character may become at most so many times its bytes; else it stays itself */
};

bool aio__is_invisible(uint32_t c) {
  if (c < 0x200B) {
    return c == 0xAD || c == 0x34F || c == 0x61C || c == 0x115F || c == 0x1160 || c == 0x17B4 || c == 0x17B5 ||
           (c >= 0x180B && c <= 0x180F);
  }
  if (c < 0x2070) return c <= 0x200F || (c >= 0x202A && c <= 0x202E) || c >= 0x2060;
  if (c < 0xFE00) return c == 0x2800 || c == 0x3164;
  return c <= 0xFE0F || c == 0xFEFF || c == 0xFFA0 || (c >= 0xFFF0 && c <= 0xFFFC) || (c >= 0x1D173 && c <= 0x1D17A) ||
         (c >= 0xE0000 && c <= 0xE0FFF);
}

static bool is_dropped_mark(aio__unicode_class class) {
  return class == AIO__UNICODE_NONSPACING || class == AIO__UNICODE_ENCLOSING;
}

/* Typographic punctuation and signs, as ASCII. */
static uint32_t plain_punctuation(uint32_t c) {
  if (c < 0x2010) return c == 0xAB || c == 0xBB ? '"' : c == 0xB4 ? '\'' : c;
  if (c <= 0x2015 || c == 0x2212) return '-';
  if (c <= 0x2017) return c;
  if (c <= 0x201B || c == 0x2032 || c == 0x2039 || c == 0x203A) return '\'';
  if (c <= 0x201F || c == 0x2033) return '"';
  if (c == 0x3001) return ',';
  if (c == 0x3002) return '.';
  if (c >= 0x3008 && c <= 0x3011) return '"';
  return c;
}

/* Scripts that no decomposition or case changes: composed Hangul and the ideographs. */
static bool stays_as_it_is(uint32_t c) {
  return (c >= 0x3400 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0x20000 && c <= 0x2FFFF);
}

static void fold_decomposed(const uint32_t *parts, size_t count, size_t max_bytes, aio__folded *out) {
  for (size_t i = 0; i < count; i++) {
    uint32_t c = parts[i];
    aio__unicode_class class = aio__unicode_classify(c);
    if (is_dropped_mark(class) || class == AIO__UNICODE_CONTROL || aio__is_invisible(c)) continue;
    if (c >= 0x80) c = class == AIO__UNICODE_SPACE ? ' ' : plain_punctuation(c);
    char latin = c >= 0x80 ? aio__latin_lookalike(c) : 0;
    char bytes[4];
    size_t n = latin != 0 ? 1 : aio__utf8_put(c, bytes);
    if (latin != 0) bytes[0] = latin;
    if (out->n + n > max_bytes) {
      out->n = 0;
      return;
    }
    memcpy(out->bytes + out->n, bytes, n);
    out->n = (uint8_t)(out->n + n);
  }
}

static void fold_to_itself(uint32_t code_point, aio__folded *out) {
  out->kind = AIO__FOLD_TEXT;
  out->n = (uint8_t)aio__utf8_put(code_point, out->bytes);
}

void aio__fold_character(uint32_t code_point, aio__folded *out) {
  *out = (aio__folded){.code_point = code_point, .kind = AIO__FOLD_TEXT};
  if (stays_as_it_is(code_point)) {
    fold_to_itself(code_point, out);
    out->letter = true;
    return;
  }
  aio__unicode_class class = aio__unicode_classify(code_point);
  if (aio__is_invisible(code_point) || class == AIO__UNICODE_CONTROL) {
    out->kind = code_point == 0x85 ? AIO__FOLD_SPACE : AIO__FOLD_INVISIBLE;
    return;
  }
  if (class == AIO__UNICODE_SPACE || is_dropped_mark(class)) {
    out->kind = class == AIO__UNICODE_SPACE ? AIO__FOLD_SPACE : AIO__FOLD_MARK;
    return;
  }
  char latin = aio__latin_lookalike(code_point);
  if (latin != 0) {
    out->bytes[0] = latin;
    out->n = 1;
    out->letter = true;
    return;
  }
  uint32_t parts[AIO__UNICODE_FOLD_MAX];
  size_t count = aio__unicode_fold(code_point, parts);
  char own[4];
  size_t max_bytes = FOLD_GROWTH_MAX * aio__utf8_put(code_point, own);
  if (max_bytes > AIO__FOLD_BYTES) max_bytes = AIO__FOLD_BYTES;
  fold_decomposed(parts, count, max_bytes, out);
  if (out->n == 0) fold_to_itself(code_point, out);
  out->letter = class == AIO__UNICODE_LETTER || aio__is_alnum(out->bytes[0]);
  if (class == AIO__UNICODE_LETTER) out->looks = aio__confusable(code_point, &out->weak);
}

aiorch_status aio__normalize_spelling(aio__arena *arena, aio__str text, aio__str *out) {
  char *p = aio__arena_alloc(arena, text.n * FOLD_GROWTH_MAX + 1);
  if (p == NULL) return AIORCH_E_NOMEM;
  size_t n = 0;
  for (size_t pos = 0; pos < text.n;) {
    uint32_t c = aio__next_valid(text.p, &pos);
    if (c < 0x80) {
      p[n++] = (char)c;
      continue;
    }
    aio__folded folded;
    aio__fold_character(c, &folded);
    if (folded.kind == AIO__FOLD_SPACE) p[n++] = ' ';
    if (folded.kind == AIO__FOLD_TEXT) memcpy(p + n, folded.bytes, folded.n);
    n += folded.n;
  }
  *out = aio__str_n(p, n);
  return AIORCH_OK;
}

bool aio__normalize_is_blank(aio__str text) {
  for (size_t pos = 0; pos < text.n;) {
    uint32_t c = aio__next_valid(text.p, &pos);
    if (c > 0x20 && c < 0x7F) return false;
    if (c < 0x80) continue;
    aio__unicode_class class = aio__unicode_classify(c);
    bool blank = class == AIO__UNICODE_SPACE || class == AIO__UNICODE_CONTROL || class == AIO__UNICODE_SPACING ||
                 is_dropped_mark(class) || aio__is_invisible(c);
    if (!blank) return false;
  }
  return true;
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static bool is_key_space(uint32_t c) {
  return c == ' ' || (c >= 9 && c <= 13) ||
         (c >= 0x80 && (c == 0x85 || aio__unicode_classify(c) == AIO__UNICODE_SPACE));
}

static bool key_ascii(aio__str text, char *out, size_t *out_len) {
  size_t n = 0;
  for (size_t i = 0; i < text.n; i++) {
    unsigned char c = (unsigned char)text.p[i];
    if (c >= 0x80) return false;
    if (c == ' ' || (c >= 9 && c <= 13)) {
      if (n > 0 && out[n - 1] != ' ') out[n++] = ' ';
      continue;
    }
    out[n++] = (char)((unsigned char)(c - 'A') < 26 ? c | 0x20 : c);
  }
  if (n > 0 && out[n - 1] == ' ') n--;
  out[n] = '\0';
  *out_len = n;
  return true;
}

/* Canonical order by insertion, run by run. utf8proc's own sort is quadratic in the length of a run of marks, which a
 * sender chooses; beyond the stream-safe bound a run keeps its order (equal texts still get equal keys). */
static void sort_marks(uint32_t *cps, size_t n) {
  for (size_t start = 0; start < n;) {
    size_t end = start;
    while (end < n && cps[end] >= 0x300 && aio__unicode_combining_class(cps[end]) != 0) end++;
    size_t sorted = end - start > SORTED_MARKS_MAX ? start : end;
    for (size_t i = start + 1; i < sorted; i++) {
      uint32_t c = cps[i];
      uint8_t class = aio__unicode_combining_class(c);
      size_t k = i;
      for (; k > start && aio__unicode_combining_class(cps[k - 1]) > class; k--) cps[k] = cps[k - 1];
      cps[k] = c;
    }
    start = end + 1;
  }
}

static size_t decompose_all(aio__str text, uint32_t *out, size_t cap) {
  size_t n = 0;
  for (size_t pos = 0; pos < text.n;) {
    uint32_t c = aio__next_valid(text.p, &pos);
    uint32_t parts[AIO__UNICODE_FOLD_MAX];
    size_t count = 1;
    if (c >= 0x80) count = aio__unicode_fold(c, parts);
    else parts[0] = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
    for (size_t i = 0; i < count; i++, n++) {
      if (n < cap) out[n] = parts[i];
    }
  }
  return n;
}

static size_t trim_code_points(uint32_t *cps, size_t n) {
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    if (!is_key_space(cps[i])) {
      cps[kept++] = cps[i];
    } else if (kept > 0 && cps[kept - 1] != ' ') {
      cps[kept++] = ' ';
    }
  }
  return kept > 0 && cps[kept - 1] == ' ' ? kept - 1 : kept;
}

aiorch_status aio__normalize_key(aio__arena *arena, aio__str text, aio__str *out) {
  char *ascii = aio__arena_alloc(arena, text.n + 1);
  size_t n = 0;
  if (ascii == NULL) return AIORCH_E_NOMEM;
  if (key_ascii(text, ascii, &n)) {
    *out = aio__str_n(ascii, n);
    return AIORCH_OK;
  }
  size_t needed = decompose_all(text, NULL, 0);
  uint32_t *cps = aio__arena_alloc(arena, (needed + 1) * sizeof *cps);
  if (cps == NULL) return AIORCH_E_NOMEM;
  decompose_all(text, cps, needed);
  n = trim_code_points(cps, needed);
  sort_marks(cps, n);
  size_t len = aio__unicode_compose(cps, n);
  *out = aio__str_n((const char *)cps, len);
  return AIORCH_OK;
}

/* ---- written forms ----------------------------------------------------------------------------------------------- */

enum { WRITTEN_GROWTH_MAX = 4 }; /* a character may become at most so many times its bytes; else it goes */

static bool is_ascii(aio__str text) {
  for (size_t i = 0; i < text.n; i++) {
    if ((unsigned char)text.p[i] >= 0x80) return false;
  }
  return true;
}

static bool is_superscript(uint32_t c) {
  return c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079);
}

static bool is_vulgar_fraction(uint32_t c) {
  return (c >= 0xBC && c <= 0xBE) || (c >= 0x2150 && c <= 0x215E);
}

/* What one character is written as; at most `room` bytes. */
static size_t write_plainly(uint32_t c, char *out, size_t room) {
  if (plain_punctuation(c) < 0x80) {
    out[0] = (char)plain_punctuation(c);
    return 1;
  }
  uint32_t parts[AIO__UNICODE_FOLD_MAX];
  size_t n = 0, count = stays_as_it_is(c) ? 0 : aio__unicode_compat(c, parts);
  if (count == 0) return aio__utf8_put(c, out);
  if (is_superscript(c)) out[n++] = '^';
  if (is_vulgar_fraction(c)) out[n++] = ' ';
  for (size_t i = 0; i < count; i++) {
    uint32_t part = parts[i] == 0x2044 ? '/' : plain_punctuation(parts[i]);
    if (part >= 0x80 && is_dropped_mark(aio__unicode_classify(part))) continue;
    char bytes[4];
    size_t len = aio__utf8_put(part, bytes);
    if (n + len > room) return 0;
    memcpy(out + n, bytes, len);
    n += len;
  }
  return n;
}

aiorch_status aio__normalize_written(aio__arena *arena, aio__str text, aio__str *out) {
  *out = text;
  if (is_ascii(text)) return AIORCH_OK;
  char *p = aio__arena_alloc(arena, text.n * WRITTEN_GROWTH_MAX + 1);
  if (p == NULL) return AIORCH_E_NOMEM;
  size_t n = 0;
  for (size_t pos = 0; pos < text.n;) {
    size_t start = pos;
    uint32_t c = aio__next_valid(text.p, &pos);
    aio__unicode_class class = c < 0x80 ? AIO__UNICODE_LETTER : aio__unicode_classify(c);
    if (c < 0x80) {
      p[n++] = (char)c;
    } else if (class == AIO__UNICODE_SPACE || c == 0x85) {
      p[n++] = ' ';
    } else if (!is_dropped_mark(class) && class != AIO__UNICODE_CONTROL && !aio__is_invisible(c)) {
      n += write_plainly(c, p + n, WRITTEN_GROWTH_MAX * (pos - start));
    }
  }
  *out = aio__str_n(p, n);
  return AIORCH_OK;
}
