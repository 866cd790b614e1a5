/* The kernels for AVX2 with FMA. */
#include "vector/kernels.h"

#if defined(AIO__KERNELS_X86)

#include <immintrin.h>

#define LEVEL __attribute__((target("avx2,fma")))
#define INLINE LEVEL __attribute__((always_inline)) static inline

enum { WIDTH = 32, ROWS_AT_ONCE = 4, QUERIES_AT_ONCE = 4 };

INLINE float sum_floats(__m256 v) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}

INLINE float max_floats(__m256 v) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

INLINE int32_t sum_ints(__m256i v) {
  __m128i x = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  x = _mm_hadd_epi32(x, x);
  return _mm_cvtsi128_si32(_mm_hadd_epi32(x, x));
}

INLINE __m256i load(const uint8_t *bytes) {
  return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

INLINE void store(uint8_t *bytes, __m256i v) {
  _mm256_storeu_si256((__m256i *)(void *)bytes, v);
}

INLINE __m256i low_bits(__m256i v) {
  return _mm256_and_si256(v, _mm256_set1_epi8(15));
}

INLINE __m256i high_bits(__m256i v) {
  return low_bits(_mm256_srli_epi16(v, 4));
}

/* ---- encode, split ---------------------------------------------------------------------------------------------- */

/* Each sum is two, so that an addition need not wait for the one before. */
typedef struct sums {
  __m256 max, row[2], code[2], rest[2];
  __m256i high, low;
} sums;

INLINE double sum_both(const __m256 sums_of[2]) {
  return (double)sum_floats(_mm256_add_ps(sums_of[0], sums_of[1]));
}

INLINE void measure(const float *step, sums *s) {
  const __m256 no_sign = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    __m256 x = _mm256_loadu_ps(step + 8 * i);
    s->max = _mm256_max_ps(s->max, _mm256_and_ps(x, no_sign));
    s->row[i % 2] = _mm256_fmadd_ps(x, x, s->row[i % 2]);
  }
}

/* The squares of numbers from 0 to 15 less 8. */
INLINE __m256i squares_of(__m256i half) {
  __m256i size = _mm256_abs_epi8(_mm256_sub_epi8(half, _mm256_set1_epi8(AIO__HALF_ZERO)));
  return _mm256_madd_epi16(_mm256_maddubs_epi16(size, size), _mm256_set1_epi16(1));
}

INLINE void round_step(const float *step, __m256 factor, __m256 size, uint8_t *code, sums *s) {
  __m256i whole[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    __m256 x = _mm256_loadu_ps(step + 8 * i);
    whole[i] = _mm256_cvtps_epi32(_mm256_mul_ps(x, factor));
    __m256 rounded = _mm256_cvtepi32_ps(whole[i]), rest = _mm256_fnmadd_ps(rounded, size, x);
    s->code[i % 2] = _mm256_fmadd_ps(rounded, rounded, s->code[i % 2]);
    s->rest[i % 2] = _mm256_fmadd_ps(rest, rest, s->rest[i % 2]);
  }
  __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(whole[0], whole[1]), _mm256_packs_epi32(whole[2], whole[3]));
  bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  bytes = _mm256_add_epi8(bytes, _mm256_set1_epi8((char)AIO__CODE_ZERO));
  s->high = _mm256_add_epi32(s->high, squares_of(high_bits(bytes)));
  s->low = _mm256_add_epi32(s->low, squares_of(low_bits(bytes)));
  store(code, bytes);
}

LEVEL static bool encode(const float *row, size_t dimensions, size_t stride, uint8_t *code, aio__code_fit *fit) {
  const __m256 zero = _mm256_setzero_ps();
  const __m256i none = _mm256_setzero_si256();
  float last[WIDTH] = {0};
  size_t whole = dimensions / WIDTH * WIDTH, end = whole;
  sums s = {zero, {zero, zero}, {zero, zero}, {zero, zero}, none, none};
  memcpy(last, row + whole, (dimensions - whole) * sizeof *row);
  for (size_t i = 0; i < whole; i += WIDTH) measure(row + i, &s);
  measure(last, &s);
  /* A NaN may hide from `max`, but not from the squares. */
  aio__code_sums of = {.row = sum_both(s.row)};
  if (!(of.row > 0.5 && of.row < 2)) return false;
  float max = max_floats(s.max), size = max / (float)AIO__CODE_MAX;
  __m256 factor = _mm256_set1_ps((float)AIO__CODE_MAX / max), sizes = _mm256_set1_ps(size);
  for (size_t i = 0; i < whole; i += WIDTH) round_step(row + i, factor, sizes, code + i, &s);
  if (whole < dimensions) round_step(last, factor, sizes, code + whole, &s), end += WIDTH;
  memset(code + end, AIO__CODE_ZERO, stride - end);
  of.code = sum_both(s.code);
  of.rest = sum_both(s.rest);
  of.high = sum_ints(s.high);
  of.low = sum_ints(s.low);
  of.size = (double)size;
  return aio__code_fit_of(&of, fit);
}

LEVEL static void split(const uint8_t *code, size_t stride, uint8_t *high, uint8_t *low) {
  size_t half = stride / 2;
  for (size_t i = 0; i < half; i += WIDTH) {
    __m256i a = load(code + i), b = load(code + half + i);
    store(high + i, _mm256_or_si256(high_bits(a), _mm256_andnot_si256(_mm256_set1_epi8(15), b)));
    store(low + i, _mm256_or_si256(low_bits(a), _mm256_slli_epi16(low_bits(b), 4)));
  }
}

/* ---- dots ------------------------------------------------------------------------------------------------------- */

/* The sums of four vectors, side by side. */
INLINE __m128i sum_each(__m256i a, __m256i b, __m256i c, __m256i d) {
  __m256i x = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
  return _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
}

INLINE __m256i load_query(const int8_t *bytes) {
  return _mm256_load_si256((const __m256i *)(const void *)bytes);
}

/* Memory sends what is asked for a block ahead faster than what is waited for. */
INLINE void expect(const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i += 64) __builtin_prefetch(bytes + i);
}

/* Four rows by one query, or one row by four queries: both counts are constants wherever this is called. A product of
 * halves takes at most 15 * 127 and comes as a sum of two: eight of those fit into 16 bits. */
INLINE __m128i dots_of_four(const uint8_t *const *rows, int row_count, const int8_t *queries, int query_count,
                            size_t half, const uint8_t *next) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[4], part[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) sum[i] = _mm256_setzero_si256();
  for (size_t i = 0; i < half; i += 4 * WIDTH) {
    size_t end = half - i < 4 * WIDTH ? half : i + 4 * WIDTH;
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) part[k] = _mm256_setzero_si256();
    for (size_t j = i; j < end; j += WIDTH) {
#pragma GCC unroll 4
      for (int r = 0; r < row_count; r++) {
        __m256i code = load(rows[r] + j), low = low_bits(code), high = high_bits(code);
#pragma GCC unroll 4
        for (int q = 0; q < query_count; q++) {
          const int8_t *query = queries + (size_t)q * 2 * half + j;
          __m256i *to = &part[row_count > 1 ? r : q];
          *to = _mm256_add_epi16(*to, _mm256_maddubs_epi16(low, load_query(query)));
          *to = _mm256_add_epi16(*to, _mm256_maddubs_epi16(high, load_query(query + half)));
        }
      }
      if (next != NULL) expect(next + ROWS_AT_ONCE * j, ROWS_AT_ONCE * WIDTH);
    }
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) sum[k] = _mm256_add_epi32(sum[k], _mm256_madd_epi16(part[k], ones));
  }
  return sum_each(sum[0], sum[1], sum[2], sum[3]);
}

LEVEL static void dots(const uint8_t *halves, size_t half, uint32_t rows, const int8_t *queries, size_t query_count,
                       int32_t *out, const uint8_t *next) {
  size_t by_four = query_count / QUERIES_AT_ONCE * QUERIES_AT_ONCE;
  while (rows != 0) {
    const uint8_t *row[ROWS_AT_ONCE], *soon = next == NULL ? NULL : next + (size_t)__builtin_ctz(rows) * half;
    unsigned at[ROWS_AT_ONCE];
    int32_t four[4];
    for (int i = 0; i < ROWS_AT_ONCE; i++) { /* fewer are left: the last once more */
      at[i] = rows != 0 ? (unsigned)__builtin_ctz(rows) : at[i - 1];
      row[i] = halves + at[i] * half;
      rows &= rows - 1;
    }
    for (size_t q = 0; q < by_four; q += QUERIES_AT_ONCE) {
      for (int r = 0; r < ROWS_AT_ONCE; r++) {
        __m128i sums_of = dots_of_four(&row[r], 1, queries + q * 2 * half, QUERIES_AT_ONCE, half, NULL);
        _mm_storeu_si128((__m128i *)(void *)four, sums_of);
        for (size_t i = 0; i < QUERIES_AT_ONCE; i++) out[(q + i) * AIO__BLOCK_ROWS + at[r]] = four[i];
      }
    }
    for (size_t q = by_four; q < query_count; q++) {
      __m128i sums_of = dots_of_four(row, ROWS_AT_ONCE, queries + q * 2 * half, 1, half, soon);
      _mm_storeu_si128((__m128i *)(void *)four, sums_of);
      for (int r = 0; r < ROWS_AT_ONCE; r++) out[q * AIO__BLOCK_ROWS + at[r]] = four[r];
      soon = NULL;
    }
  }
}

/* ---- pass, same, mixed ------------------------------------------------------------------------------------------ */

INLINE __m256 load_shorts(const uint16_t *shorts) {
  __m128i x = _mm_loadu_si128((const __m128i *)(const void *)shorts);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}

LEVEL static uint32_t pass(const int32_t *of, const uint16_t *units, const uint16_t *errors,
                           const aio__code_cut *cut) {
  const __m256i shift = _mm256_set1_epi32(cut->shift);
  const __m256 unit = _mm256_set1_ps(cut->unit), error = _mm256_set1_ps(cut->error);
  const __m256 slope = _mm256_set1_ps(cut->slope), floor = _mm256_set1_ps(cut->floor);
  uint32_t rows = 0;
  for (int i = 0; i < AIO__BLOCK_ROWS; i += 8) {
    __m256i dot = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(of + i)), shift);
    __m256 near = _mm256_mul_ps(_mm256_cvtepi32_ps(dot), _mm256_mul_ps(load_shorts(units + i), unit));
    __m256 off = _mm256_add_ps(load_shorts(errors + i), error);
    near = _mm256_fmadd_ps(off, _mm256_add_ps(slope, off), near);
    rows |= (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(near, floor, _CMP_GE_OQ)) << i;
  }
  return rows;
}

LEVEL static uint32_t same(const uint64_t *numbers, uint64_t number) {
  const __m256i one = _mm256_set1_epi64x((long long)number);
  uint32_t rows = 0;
  for (int i = 0; i < AIO__BLOCK_ROWS; i += 4) {
    __m256i equal = _mm256_cmpeq_epi64(_mm256_loadu_si256((const __m256i *)(const void *)(numbers + i)), one);
    rows |= (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(equal)) << i;
  }
  return rows;
}

/* Eight bytes of code, not shifted any more. */
INLINE __m256 floats_of(__m128i bytes) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}

LEVEL static float mixed(const uint8_t *high, const uint8_t *low, const float *query, size_t half) {
  const __m256i shift = _mm256_set1_epi8((char)AIO__CODE_ZERO);
  __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (size_t i = 0; i < half; i += WIDTH) {
    __m256i h = load(high + i), l = load(low + i);
    __m256i first = _mm256_sub_epi8(_mm256_or_si256(_mm256_slli_epi16(low_bits(h), 4), low_bits(l)), shift);
    __m256i upper = _mm256_andnot_si256(_mm256_set1_epi8(15), h);
    __m256i second = _mm256_sub_epi8(_mm256_or_si256(upper, high_bits(l)), shift);
#pragma GCC unroll 2
    for (int part = 0; part < 2; part++) {
      __m256i bytes = part == 0 ? first : second;
      const float *of = query + (part == 0 ? i : half + i);
      __m128i a = _mm256_castsi256_si128(bytes), b = _mm256_extracti128_si256(bytes, 1);
      sum[0] = _mm256_fmadd_ps(floats_of(a), _mm256_load_ps(of), sum[0]);
      sum[1] = _mm256_fmadd_ps(floats_of(_mm_srli_si128(a, 8)), _mm256_load_ps(of + 8), sum[1]);
      sum[0] = _mm256_fmadd_ps(floats_of(b), _mm256_load_ps(of + 16), sum[0]);
      sum[1] = _mm256_fmadd_ps(floats_of(_mm_srli_si128(b, 8)), _mm256_load_ps(of + 24), sum[1]);
    }
  }
  return sum_floats(_mm256_add_ps(sum[0], sum[1]));
}

const aio__kernels aio__kernels_avx2 = {encode, split, dots, pass, same, mixed};

#endif
