/*
 * What Unicode's tables say of one character: its category, what it decomposes into, its lower case. The tables are
 * those of utf8proc, which unicode.c alone knows.
 */
#ifndef AIO_TEXT_UNICODE_H
#define AIO_TEXT_UNICODE_H

#include <stddef.h>
#include <stdint.h>

/* General categories, as far as anybody asks. */
typedef enum aio__unicode_class {
  AIO__UNICODE_UNASSIGNED, /* Cn, Cs, and what is no code point */
  AIO__UNICODE_LETTER,     /* L* */
  AIO__UNICODE_NUMBER,     /* N* */
  AIO__UNICODE_SYMBOL,     /* S* */
  AIO__UNICODE_PUNCTUATION,/* P* */
  AIO__UNICODE_SPACE,      /* Zs, Zl, Zp */
  AIO__UNICODE_NONSPACING, /* Mn */
  AIO__UNICODE_SPACING,    /* Mc */
  AIO__UNICODE_ENCLOSING,  /* Me */
  AIO__UNICODE_CONTROL,    /* Cc */
  AIO__UNICODE_FORMAT,     /* Cf */
  AIO__UNICODE_PRIVATE     /* Co */
} aio__unicode_class;

enum {
  AIO__UNICODE_NFD_MAX = 4,   /* U+1F82 and its like are the longest */
  AIO__UNICODE_FOLD_MAX = 18, /* U+FDFA is the longest */
  AIO__UNICODE_LOWER_MAX = 2  /* U+0130 */
};

aio__unicode_class aio__unicode_classify(uint32_t code_point);
uint8_t aio__unicode_combining_class(uint32_t code_point); /* 0: a starter */
/* NFD of one character, in canonical order, Hangul as Jamo. How many there are: one, the character itself, when there
 * is nothing to decompose. */
size_t aio__unicode_decompose(uint32_t code_point, uint32_t out[AIO__UNICODE_NFD_MAX]);
/* NFKD with case folding of one character; 0 when it is no code point. */
size_t aio__unicode_fold(uint32_t code_point, uint32_t out[AIO__UNICODE_FOLD_MAX]);
/* NFKD of one character: as aio__unicode_fold, but the case stays. */
size_t aio__unicode_compat(uint32_t code_point, uint32_t out[AIO__UNICODE_FOLD_MAX]);
/* The full mapping, without what depends on language or neighbours. */
size_t aio__unicode_lower(uint32_t code_point, uint32_t out[AIO__UNICODE_LOWER_MAX]);
/* Composes a text in canonical order (NFC) and writes it, as UTF-8 with a NUL behind it, over the code points, which
 * must have room for n + 1. Its length in bytes; what is no code point is left out. */
size_t aio__unicode_compose(uint32_t *code_points, size_t n);

#endif
