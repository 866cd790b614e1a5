/* What kind each of 64 bytes is, a bit a byte: so runs of a kind are found and counted without looking at each byte. */
#ifndef AIO_TEXT_BYTE_CLASSES_H
#define AIO_TEXT_BYTE_CLASSES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

enum { AIO__CLASSED = 64 };

typedef struct aio__byte_classes {
  uint64_t letters, digits, lines; /* of ASCII */
  uint64_t signs;                  /* the rest of ASCII that is printed, spaces not */
  uint64_t beyond;                 /* of 128 and above */
} aio__byte_classes;

#if defined(__SSE2__)
static inline uint64_t aio__bits(__m128i which) { return (uint32_t)_mm_movemask_epi8(which); }

/* Bytes from `first` on, `count` values: a comparison of signed bytes, moved so that the lowest is the first. */
static inline __m128i aio__within(__m128i bytes, int first, int count) {
  return _mm_cmplt_epi8(_mm_add_epi8(bytes, _mm_set1_epi8((char)(128 - first))), _mm_set1_epi8((char)(count - 128)));
}

static inline aio__byte_classes aio__classify(const unsigned char bytes[AIO__CLASSED]) {
  aio__byte_classes c = {0, 0, 0, 0, 0};
  for (int i = 0; i < AIO__CLASSED; i += 16) {
    __m128i b;
    memcpy(&b, bytes + i, sizeof b);
    c.letters |= aio__bits(aio__within(_mm_or_si128(b, _mm_set1_epi8(0x20)), 'a', 26)) << i;
    c.digits |= aio__bits(aio__within(b, '0', 10)) << i;
    c.lines |= aio__bits(_mm_cmpeq_epi8(b, _mm_set1_epi8('\n'))) << i;
    c.signs |= aio__bits(aio__within(b, '!', 94)) << i;
    c.beyond |= aio__bits(b) << i;
  }
  c.signs &= ~(c.letters | c.digits);
  return c;
}
#if defined(__GNUC__)
/* The same in halves of 32, for processors that have them. */
__attribute__((target("avx2"))) static inline __m256i aio__within_32(__m256i bytes, int first, int count) {
  return _mm256_cmpgt_epi8(_mm256_set1_epi8((char)(count - 128)), _mm256_add_epi8(bytes, _mm256_set1_epi8((char)(128 - first))));
}

__attribute__((target("avx2"))) static inline uint64_t aio__bits_32(__m256i which) { return (uint32_t)_mm256_movemask_epi8(which); }

__attribute__((target("avx2"))) static inline aio__byte_classes aio__classify_32(const unsigned char bytes[AIO__CLASSED]) {
  aio__byte_classes c = {0, 0, 0, 0, 0};
  for (int i = 0; i < AIO__CLASSED; i += 32) {
    __m256i b;
    memcpy(&b, bytes + i, sizeof b);
    c.letters |= aio__bits_32(aio__within_32(_mm256_or_si256(b, _mm256_set1_epi8(0x20)), 'a', 26)) << i;
    c.digits |= aio__bits_32(aio__within_32(b, '0', 10)) << i;
    c.lines |= aio__bits_32(_mm256_cmpeq_epi8(b, _mm256_set1_epi8('\n'))) << i;
    c.signs |= aio__bits_32(aio__within_32(b, '!', 94)) << i;
    c.beyond |= aio__bits_32(b) << i;
  }
  c.signs &= ~(c.letters | c.digits);
  return c;
}
#endif
#else
static inline aio__byte_classes aio__classify(const unsigned char bytes[AIO__CLASSED]) {
  aio__byte_classes c = {0, 0, 0, 0, 0};
  for (int i = 0; i < AIO__CLASSED; i++) {
    unsigned char b = bytes[i];
    uint64_t bit = UINT64_C(1) << i;
    if ((unsigned char)((b | 0x20) - 'a') < 26) c.letters |= bit;
    else if ((unsigned char)(b - '0') < 10) c.digits |= bit;
    else if (b == '\n') c.lines |= bit;
    else if (b >= 128) c.beyond |= bit;
    else if (b > ' ' && b < 127) c.signs |= bit;
  }
  return c;
}
#endif

/* Letters, digits, and what is beyond ASCII: what words are made of. */
static inline uint64_t aio__word_bits(const unsigned char bytes[AIO__CLASSED]) {
#if defined(__SSE2__)
  uint64_t word = 0;
  for (int i = 0; i < AIO__CLASSED; i += 16) {
    __m128i b;
    memcpy(&b, bytes + i, sizeof b);
    __m128i letter = aio__within(_mm_or_si128(b, _mm_set1_epi8(0x20)), 'a', 26), digit = aio__within(b, '0', 10);
    word |= aio__bits(_mm_or_si128(b, _mm_or_si128(letter, digit))) << i;
  }
  return word;
#else
  aio__byte_classes c = aio__classify(bytes);
  return c.letters | c.digits | c.beyond;
#endif
}

/* The same of the bytes at p, of which `left` are there; what is behind them counts as spaces. */
static inline uint64_t aio__word_bytes(const unsigned char *p, size_t left) {
  unsigned char part[AIO__CLASSED];
  if (left >= AIO__CLASSED) return aio__word_bits(p);
  memset(part, 0, sizeof part);
  memcpy(part, p, left);
  return aio__word_bits(part);
}

static inline unsigned aio__count_bits(uint64_t x) {
#if defined(__POPCNT__)
  return (unsigned)__builtin_popcountll(x);
#else
  x -= x >> 1 & UINT64_C(0x5555555555555555);
  x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
  x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
  return (unsigned)((x * UINT64_C(0x0101010101010101)) >> 56);
#endif
}

#endif
