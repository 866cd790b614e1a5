/* The kernels for AVX-512 with VNNI. */
#include "vector/kernels.h"

#if defined(AIO__KERNELS_X86)

#include <immintrin.h>

#define LEVEL __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")))
#define INLINE LEVEL __attribute__((always_inline)) static inline

enum { WIDTH = 64, LANES = 16, ROWS_AT_ONCE = 4, ROWS_BY_MANY = 2, QUERIES_AT_ONCE = 8 };

INLINE __m512i low_bits(__m512i v) {
  return _mm512_and_si512(v, _mm512_set1_epi8(15));
}

INLINE __m512i high_bits(__m512i v) {
  return low_bits(_mm512_srli_epi16(v, 4));
}

/* Up to 64 of `left` bytes, and nothing behind them. */
INLINE __mmask64 bytes_of(size_t left) {
  return left >= WIDTH ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1;
}

INLINE __m512i load_some(__mmask64 bytes, const void *from) {
  return bytes == ~(__mmask64)0 ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi8(bytes, from);
}

/* ---- encode, split ---------------------------------------------------------------------------------------------- */

/* Each sum is two, so that an addition need not wait for the one before. */
typedef struct squares {
  __m512 row[2], code[2], rest[2];
  __m512i high, low;
} squares;

/* Four vectors of a step of 64; what is beyond the row is 0. */
INLINE void load_step(const float *row, size_t left, __m512 x[4]) {
  __mmask64 lanes = bytes_of(left);
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) x[i] = _mm512_maskz_loadu_ps((__mmask16)(lanes >> (LANES * i)), row + LANES * i);
}

/* Adds the squares of numbers from 0 to 15 less 8. */
INLINE __m512i add_squares(__m512i to, __m512i half) {
  __m512i size = _mm512_abs_epi8(_mm512_sub_epi8(half, _mm512_set1_epi8(AIO__HALF_ZERO)));
  return _mm512_dpbusd_epi32(to, size, size);
}

/* The next 64 bytes of code, in the order of the row. */
INLINE __m512i round_step(const __m512 x[4], __m512 factor, __m512 size, squares *s) {
  __m512i whole[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    whole[i] = _mm512_cvtps_epi32(_mm512_mul_ps(x[i], factor));
    __m512 rounded = _mm512_cvtepi32_ps(whole[i]), rest = _mm512_fnmadd_ps(rounded, size, x[i]);
    s->code[i % 2] = _mm512_fmadd_ps(rounded, rounded, s->code[i % 2]);
    s->rest[i % 2] = _mm512_fmadd_ps(rest, rest, s->rest[i % 2]);
  }
  __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(whole[0], whole[1]), _mm512_packs_epi32(whole[2], whole[3]));
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  bytes = _mm512_add_epi8(_mm512_permutexvar_epi32(order, bytes), _mm512_set1_epi8((char)AIO__CODE_ZERO));
  s->high = add_squares(s->high, high_bits(bytes));
  s->low = add_squares(s->low, low_bits(bytes));
  return bytes;
}

INLINE double sum_of(const __m512 sums[2]) {
  return (double)_mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1]));
}

LEVEL static bool encode(const float *row, size_t dimensions, size_t stride, uint8_t *code, aio__code_fit *fit) {
  const __m512 zero = _mm512_setzero_ps();
  const __m512i none = _mm512_setzero_si512();
  squares s = {{zero, zero}, {zero, zero}, {zero, zero}, none, none};
  __m512 most = zero, x[4];
  (void)stride; /* a multiple of the step */
  for (size_t i = 0; i < dimensions; i += WIDTH) {
    load_step(row + i, dimensions - i, x);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
      most = _mm512_max_ps(most, _mm512_abs_ps(x[j]));
      s.row[j % 2] = _mm512_fmadd_ps(x[j], x[j], s.row[j % 2]);
    }
  }
  /* A NaN may hide from `most`, but not from the squares. */
  aio__code_sums of = {.row = sum_of(s.row)};
  if (!(of.row > 0.5 && of.row < 2)) return false;
  float max = _mm512_reduce_max_ps(most), size = max / (float)AIO__CODE_MAX;
  __m512 factor = _mm512_set1_ps((float)AIO__CODE_MAX / max), sizes = _mm512_set1_ps(size);
  for (size_t i = 0; i < dimensions; i += WIDTH) {
    load_step(row + i, dimensions - i, x);
    _mm512_storeu_si512(code + i, round_step(x, factor, sizes, &s));
  }
  of.code = sum_of(s.code);
  of.rest = sum_of(s.rest);
  of.high = _mm512_reduce_add_epi32(s.high);
  of.low = _mm512_reduce_add_epi32(s.low);
  of.size = (double)size;
  return aio__code_fit_of(&of, fit);
}

LEVEL static void split(const uint8_t *code, size_t stride, uint8_t *high, uint8_t *low) {
  size_t half = stride / 2;
  for (size_t i = 0; i < half; i += WIDTH) {
    __mmask64 bytes = bytes_of(half - i);
    __m512i a = load_some(bytes, code + i), b = load_some(bytes, code + half + i);
    __m512i upper = _mm512_andnot_si512(_mm512_set1_epi8(15), b);
    _mm512_mask_storeu_epi8(high + i, bytes, _mm512_or_si512(high_bits(a), upper));
    _mm512_mask_storeu_epi8(low + i, bytes, _mm512_or_si512(low_bits(a), _mm512_slli_epi16(low_bits(b), 4)));
  }
}

/* ---- dots ------------------------------------------------------------------------------------------------------- */

/* The sums of four vectors, side by side. */
INLINE __m128i sum_each(__m512i a, __m512i b, __m512i c, __m512i d) {
  __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  __m512i x = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  __m256i y = _mm256_add_epi32(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1));
}

typedef struct dot_sums {
  __m512i of[ROWS_AT_ONCE][QUERIES_AT_ONCE];
} dot_sums;

/* The halves of 64 or fewer bytes of each row; of what is behind them nothing is read. */
INLINE void add_step(const uint8_t *const *rows, int row_count, const int8_t *queries, int query_count, size_t half,
                     size_t i, __mmask64 bytes, dot_sums *s) {
  __m512i low[ROWS_AT_ONCE], high[ROWS_AT_ONCE];
#pragma GCC unroll 4
  for (int r = 0; r < row_count; r++) {
    __m512i code = load_some(bytes, rows[r] + i);
    low[r] = low_bits(code);
    high[r] = high_bits(code);
  }
#pragma GCC unroll 8
  for (int q = 0; q < query_count; q++) {
    const int8_t *query = queries + (size_t)q * 2 * half + i;
    __m512i first = load_some(bytes, query), second = load_some(bytes, query + half);
#pragma GCC unroll 4
    for (int r = 0; r < row_count; r++) {
      s->of[r][q] = _mm512_dpbusd_epi32(s->of[r][q], low[r], first);
      s->of[r][q] = _mm512_dpbusd_epi32(s->of[r][q], high[r], second);
    }
  }
}

/* Memory sends what is asked for a block ahead faster than what is waited for. */
INLINE void expect(const uint8_t *bytes) {
#pragma GCC unroll 4
  for (int i = 0; i < ROWS_AT_ONCE; i++) __builtin_prefetch(bytes + WIDTH * i);
}

/* Both counts are constants wherever this is called. */
INLINE void dots_of(const uint8_t *const *rows, int row_count, const int8_t *queries, int query_count, size_t half,
                    const uint8_t *next, dot_sums *s) {
  size_t i = 0;
#pragma GCC unroll 4
  for (int r = 0; r < row_count; r++)
#pragma GCC unroll 8
    for (int q = 0; q < query_count; q++) s->of[r][q] = _mm512_setzero_si512();
  for (; i + WIDTH <= half; i += WIDTH) {
    add_step(rows, row_count, queries, query_count, half, i, ~(__mmask64)0, s);
    if (next != NULL) expect(next + ROWS_AT_ONCE * i);
  }
  if (i < half) add_step(rows, row_count, queries, query_count, half, i, bytes_of(half - i), s);
}

/* Eight queries by two rows. */
LEVEL static void dots_by_many(const uint8_t *const *rows, const unsigned *at, const int8_t *queries, size_t half,
                               int32_t *out) {
  dot_sums s;
  int32_t four[4];
  dots_of(rows, ROWS_BY_MANY, queries, QUERIES_AT_ONCE, half, NULL, &s);
#pragma GCC unroll 2
  for (int r = 0; r < ROWS_BY_MANY; r++) {
#pragma GCC unroll 2
    for (int q = 0; q < QUERIES_AT_ONCE; q += 4) {
      __m128i sums = sum_each(s.of[r][q], s.of[r][q + 1], s.of[r][q + 2], s.of[r][q + 3]);
      _mm_storeu_si128((__m128i *)(void *)four, sums);
      for (int i = 0; i < 4; i++) out[(q + i) * AIO__BLOCK_ROWS + (int)at[r]] = four[i];
    }
  }
}

LEVEL static void dots(const uint8_t *halves, size_t half, uint32_t rows, const int8_t *queries, size_t query_count,
                       int32_t *out, const uint8_t *next) {
  size_t by_many = query_count / QUERIES_AT_ONCE * QUERIES_AT_ONCE;
  while (rows != 0) {
    const uint8_t *row[ROWS_AT_ONCE], *soon = next == NULL ? NULL : next + (size_t)__builtin_ctz(rows) * half;
    unsigned at[ROWS_AT_ONCE];
    for (int i = 0; i < ROWS_AT_ONCE; i++) { /* fewer are left: the last once more */
      at[i] = rows != 0 ? (unsigned)__builtin_ctz(rows) : at[i - 1];
      row[i] = halves + at[i] * half;
      rows &= rows - 1;
    }
    for (size_t q = 0; q < by_many; q += QUERIES_AT_ONCE)
      for (int r = 0; r < ROWS_AT_ONCE; r += ROWS_BY_MANY)
        dots_by_many(row + r, at + r, queries + q * 2 * half, half, out + q * AIO__BLOCK_ROWS);
    for (size_t q = by_many; q < query_count; q++) {
      dot_sums s;
      int32_t four[4];
      dots_of(row, ROWS_AT_ONCE, queries + q * 2 * half, 1, half, soon, &s);
      _mm_storeu_si128((__m128i *)(void *)four, sum_each(s.of[0][0], s.of[1][0], s.of[2][0], s.of[3][0]));
      for (int r = 0; r < ROWS_AT_ONCE; r++) out[q * AIO__BLOCK_ROWS + at[r]] = four[r];
      soon = NULL;
    }
  }
}

/* ---- pass, same, mixed ------------------------------------------------------------------------------------------ */

INLINE __m512 load_shorts(const uint16_t *shorts) {
  __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)shorts);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

LEVEL static uint32_t pass(const int32_t *of, const uint16_t *units, const uint16_t *errors,
                           const aio__code_cut *cut) {
  const __m512i shift = _mm512_set1_epi32(cut->shift);
  const __m512 unit = _mm512_set1_ps(cut->unit), error = _mm512_set1_ps(cut->error);
  const __m512 slope = _mm512_set1_ps(cut->slope), floor = _mm512_set1_ps(cut->floor);
  uint32_t rows = 0;
  for (int i = 0; i < AIO__BLOCK_ROWS; i += LANES) {
    __m512i dot = _mm512_sub_epi32(_mm512_loadu_si512(of + i), shift);
    __m512 near = _mm512_mul_ps(_mm512_cvtepi32_ps(dot), _mm512_mul_ps(load_shorts(units + i), unit));
    __m512 off = _mm512_add_ps(load_shorts(errors + i), error);
    near = _mm512_fmadd_ps(off, _mm512_add_ps(slope, off), near);
    rows |= (uint32_t)_mm512_cmp_ps_mask(near, floor, _CMP_GE_OQ) << i;
  }
  return rows;
}

LEVEL static uint32_t same(const uint64_t *numbers, uint64_t number) {
  const __m512i one = _mm512_set1_epi64((long long)number);
  uint32_t rows = 0;
  for (int i = 0; i < AIO__BLOCK_ROWS; i += 8)
    rows |= (uint32_t)_mm512_cmpeq_epi64_mask(_mm512_loadu_si512(numbers + i), one) << i;
  return rows;
}

/* Sixteen bytes of code, not shifted any more. */
INLINE __m512 floats_of(__m128i bytes) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}

LEVEL static float mixed(const uint8_t *high, const uint8_t *low, const float *query, size_t half) {
  const __m128i lower = _mm_set1_epi8(15), shift = _mm_set1_epi8((char)AIO__CODE_ZERO);
  __m512 first = _mm512_setzero_ps(), second = first;
  for (size_t i = 0; i < half; i += LANES) {
    __m128i h = _mm_loadu_si128((const __m128i *)(const void *)(high + i));
    __m128i l = _mm_loadu_si128((const __m128i *)(const void *)(low + i));
    __m128i a = _mm_or_si128(_mm_slli_epi16(_mm_and_si128(h, lower), 4), _mm_and_si128(l, lower));
    __m128i b = _mm_or_si128(_mm_andnot_si128(lower, h), _mm_and_si128(_mm_srli_epi16(l, 4), lower));
    first = _mm512_fmadd_ps(floats_of(_mm_sub_epi8(a, shift)), _mm512_loadu_ps(query + i), first);
    second = _mm512_fmadd_ps(floats_of(_mm_sub_epi8(b, shift)), _mm512_loadu_ps(query + half + i), second);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(first, second));
}

const aio__kernels aio__kernels_avx512 = {encode, split, dots, pass, same, mixed};

#endif
