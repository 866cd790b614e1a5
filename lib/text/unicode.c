/* Characters by the tables of utf8proc. The only file that includes it. */
#include "text/unicode.h"

#include <utf8proc.h>

enum {
  HANGUL_FIRST = 0xAC00, HANGUL_COUNT = 11172,
  LEAD_FIRST = 0x1100, VOWEL_FIRST = 0x1161, TAIL_BEFORE = 0x11A7,
  VOWELS = 21, TAILS = 28
};

aio__unicode_class aio__unicode_classify(uint32_t code_point) {
  static const uint8_t classes[] = {
    [UTF8PROC_CATEGORY_CN] = AIO__UNICODE_UNASSIGNED,  [UTF8PROC_CATEGORY_LU] = AIO__UNICODE_LETTER,
    [UTF8PROC_CATEGORY_LL] = AIO__UNICODE_LETTER,      [UTF8PROC_CATEGORY_LT] = AIO__UNICODE_LETTER,
    [UTF8PROC_CATEGORY_LM] = AIO__UNICODE_LETTER,      [UTF8PROC_CATEGORY_LO] = AIO__UNICODE_LETTER,
    [UTF8PROC_CATEGORY_MN] = AIO__UNICODE_NONSPACING,  [UTF8PROC_CATEGORY_MC] = AIO__UNICODE_SPACING,
    [UTF8PROC_CATEGORY_ME] = AIO__UNICODE_ENCLOSING,   [UTF8PROC_CATEGORY_ND] = AIO__UNICODE_NUMBER,
    [UTF8PROC_CATEGORY_NL] = AIO__UNICODE_NUMBER,      [UTF8PROC_CATEGORY_NO] = AIO__UNICODE_NUMBER,
    [UTF8PROC_CATEGORY_PC] = AIO__UNICODE_PUNCTUATION, [UTF8PROC_CATEGORY_PD] = AIO__UNICODE_PUNCTUATION,
    [UTF8PROC_CATEGORY_PS] = AIO__UNICODE_PUNCTUATION, [UTF8PROC_CATEGORY_PE] = AIO__UNICODE_PUNCTUATION,
    [UTF8PROC_CATEGORY_PI] = AIO__UNICODE_PUNCTUATION, [UTF8PROC_CATEGORY_PF] = AIO__UNICODE_PUNCTUATION,
    [UTF8PROC_CATEGORY_PO] = AIO__UNICODE_PUNCTUATION, [UTF8PROC_CATEGORY_SM] = AIO__UNICODE_SYMBOL,
    [UTF8PROC_CATEGORY_SC] = AIO__UNICODE_SYMBOL,      [UTF8PROC_CATEGORY_SK] = AIO__UNICODE_SYMBOL,
    [UTF8PROC_CATEGORY_SO] = AIO__UNICODE_SYMBOL,      [UTF8PROC_CATEGORY_ZS] = AIO__UNICODE_SPACE,
    [UTF8PROC_CATEGORY_ZL] = AIO__UNICODE_SPACE,       [UTF8PROC_CATEGORY_ZP] = AIO__UNICODE_SPACE,
    [UTF8PROC_CATEGORY_CC] = AIO__UNICODE_CONTROL,     [UTF8PROC_CATEGORY_CF] = AIO__UNICODE_FORMAT,
    [UTF8PROC_CATEGORY_CS] = AIO__UNICODE_UNASSIGNED,  [UTF8PROC_CATEGORY_CO] = AIO__UNICODE_PRIVATE,
  };
  return (aio__unicode_class)classes[utf8proc_get_property((utf8proc_int32_t)code_point)->category];
}

uint8_t aio__unicode_combining_class(uint32_t code_point) {
  return (uint8_t)utf8proc_get_property((utf8proc_int32_t)code_point)->combining_class;
}

static size_t decompose_hangul(uint32_t syllable, uint32_t *out) {
  uint32_t tail = syllable % TAILS;
  out[0] = LEAD_FIRST + syllable / (VOWELS * TAILS);
  out[1] = VOWEL_FIRST + syllable / TAILS % VOWELS;
  out[2] = TAIL_BEFORE + tail;
  return tail == 0 ? 2 : 3;
}

/* What utf8proc refuses (no code point, a list longer than any of today's tables) stays itself. */
static size_t decompose(uint32_t code_point, unsigned how, uint32_t *out, size_t max) {
  int last_class = 0;
  utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)code_point, (utf8proc_int32_t *)out,
                                               (utf8proc_ssize_t)max, (utf8proc_option_t)how, &last_class);
  return n < 0 || (size_t)n > max ? 0 : (size_t)n;
}

size_t aio__unicode_decompose(uint32_t code_point, uint32_t out[AIO__UNICODE_NFD_MAX]) {
  uint32_t syllable = code_point - HANGUL_FIRST;
  if (syllable < HANGUL_COUNT) return decompose_hangul(syllable, out);
  if (utf8proc_get_property((utf8proc_int32_t)code_point)->decomp_seqindex != UINT16_MAX) {
    size_t n = decompose(code_point, UTF8PROC_DECOMPOSE, out, AIO__UNICODE_NFD_MAX);
    if (n > 0) return n;
  }
  out[0] = code_point;
  return 1;
}

size_t aio__unicode_fold(uint32_t code_point, uint32_t out[AIO__UNICODE_FOLD_MAX]) {
  return decompose(code_point, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD, out, AIO__UNICODE_FOLD_MAX);
}

size_t aio__unicode_compat(uint32_t code_point, uint32_t out[AIO__UNICODE_FOLD_MAX]) {
  return decompose(code_point, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, out, AIO__UNICODE_FOLD_MAX);
}

/* utf8proc has the simple mapping, from which the full one differs for one character. */
size_t aio__unicode_lower(uint32_t code_point, uint32_t out[AIO__UNICODE_LOWER_MAX]) {
  out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)code_point);
  if (code_point != 0x130) return 1;
  out[0] = 'i';
  out[1] = 0x307;
  return 2;
}

size_t aio__unicode_compose(uint32_t *code_points, size_t n) {
  utf8proc_ssize_t len = utf8proc_reencode((utf8proc_int32_t *)code_points, (utf8proc_ssize_t)n,
                                           (utf8proc_option_t)(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  return len < 0 ? 0 : (size_t)len;
}
