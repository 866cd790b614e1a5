/* The kernels for AVX2 with FMA. */
#include "vector/kernels.h"

#if defined(AIO__KERNELS_X86)

#include <immintrin.h>
#include <string.h>

#define LEVEL __attribute__((target("avx2,fma")))
#define INLINE LEVEL __attribute__((always_inline)) static inline

/* _mm256_maddubs_epi16 adds two products of an unsigned and a signed byte within 16 bits: 2 * 255 * 64 just fits. */
enum { QUERY_MAX = 64, ROWS_AT_ONCE = 4, QUERIES_AT_ONCE = 2 };

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

/* ---- encode ----------------------------------------------------------------------------------------------------- */

/* Each sum is two, so that an addition need not wait for the one before. */
typedef struct sums {
  __m256 max, row[2], code[2], rest[2];
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
  _mm256_storeu_si256((__m256i *)(void *)code, _mm256_xor_si256(bytes, _mm256_set1_epi8((char)AIO__CODE_ZERO)));
}

LEVEL static bool encode(const float *row, size_t dimensions, size_t stride, uint8_t *code, aio__code_fit *fit) {
  float last[AIO__CODE_STEP] = {0};
  size_t whole = dimensions / AIO__CODE_STEP * AIO__CODE_STEP;
  const __m256 zero = _mm256_setzero_ps();
  sums s = {zero, {zero, zero}, {zero, zero}, {zero, zero}};
  memcpy(last, row + whole, (dimensions - whole) * sizeof *row);
  for (size_t i = 0; i < whole; i += AIO__CODE_STEP) measure(row + i, &s);
  if (whole < stride) measure(last, &s);
  /* A NaN may hide from `max`, but not from the squares. */
  double row_squares = sum_both(s.row);
  if (!(row_squares > 0.5 && row_squares < 2)) return false;
  float max = max_floats(s.max);
  __m256 factor = _mm256_set1_ps((float)AIO__CODE_MAX / max), size = _mm256_set1_ps(max / (float)AIO__CODE_MAX);
  for (size_t i = 0; i < whole; i += AIO__CODE_STEP) round_step(row + i, factor, size, code + i, &s);
  if (whole < stride) round_step(last, factor, size, code + whole, &s);
  return aio__code_fit_of(row_squares, sum_both(s.code), sum_both(s.rest), fit);
}

/* ---- dots ------------------------------------------------------------------------------------------------------- */

/* The sums of four vectors, side by side. */
INLINE __m128i sum_each(__m256i a, __m256i b, __m256i c, __m256i d) {
  __m256i x = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
  return _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
}

/* Two lines. Memory sends what is asked for a block ahead faster than what is waited for. */
static inline void expect(const uint8_t *bytes) {
  __builtin_prefetch(bytes);
  __builtin_prefetch(bytes + 64);
}

/* Four rows by one or two queries. `count` is a constant wherever this is called. */
INLINE void dots_of_four(const uint8_t *const rows[ROWS_AT_ONCE], size_t stride, const int8_t *queries,
                         size_t query_stride, int count, const uint8_t *next, __m128i out[QUERIES_AT_ONCE]) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[QUERIES_AT_ONCE][ROWS_AT_ONCE];
#pragma GCC unroll 2
  for (int q = 0; q < count; q++)
#pragma GCC unroll 4
    for (int r = 0; r < ROWS_AT_ONCE; r++) sum[q][r] = _mm256_setzero_si256();
  for (size_t i = 0; i < stride; i += AIO__CODE_STEP) {
    __m256i query[QUERIES_AT_ONCE];
    if (next != NULL) expect(next + ROWS_AT_ONCE * i);
#pragma GCC unroll 2
    for (int q = 0; q < count; q++)
      query[q] = _mm256_load_si256((const __m256i *)(const void *)(queries + (size_t)q * query_stride + i));
#pragma GCC unroll 4
    for (int r = 0; r < ROWS_AT_ONCE; r++) {
      __m256i code = _mm256_loadu_si256((const __m256i *)(const void *)(rows[r] + i));
#pragma GCC unroll 2
      for (int q = 0; q < count; q++) {
        __m256i pairs = _mm256_maddubs_epi16(code, query[q]);
        sum[q][r] = _mm256_add_epi32(sum[q][r], _mm256_madd_epi16(pairs, ones));
      }
    }
  }
#pragma GCC unroll 2
  for (int q = 0; q < count; q++) out[q] = sum_each(sum[q][0], sum[q][1], sum[q][2], sum[q][3]);
}

LEVEL static void dots(const uint8_t *codes, size_t stride, uint32_t rows, const int8_t *queries, size_t query_count,
                       int32_t *out, const uint8_t *next) {
  size_t query_stride = aio__query_stride(stride);
  while (rows != 0) {
    const uint8_t *row[ROWS_AT_ONCE];
    unsigned at[ROWS_AT_ONCE];
    const uint8_t *soon = next == NULL ? NULL : next + (size_t)__builtin_ctz(rows) * stride;
    for (int i = 0; i < ROWS_AT_ONCE; i++) { /* fewer are left: the last once more */
      at[i] = rows != 0 ? (unsigned)__builtin_ctz(rows) : at[i - 1];
      row[i] = codes + at[i] * stride;
      rows &= rows - 1;
    }
    for (size_t q = 0; q < query_count; q += QUERIES_AT_ONCE) {
      __m128i sums_of[QUERIES_AT_ONCE];
      const int8_t *query = queries + q * query_stride;
      size_t count = query_count - q < QUERIES_AT_ONCE ? query_count - q : QUERIES_AT_ONCE;
      if (count == 1) dots_of_four(row, stride, query, query_stride, 1, soon, sums_of);
      else dots_of_four(row, stride, query, query_stride, QUERIES_AT_ONCE, soon, sums_of);
      soon = NULL;
      for (size_t j = 0; j < count; j++) {
        int32_t *to = out + (q + j) * AIO__BLOCK_ROWS;
        to[at[0]] = _mm_extract_epi32(sums_of[j], 0);
        to[at[1]] = _mm_extract_epi32(sums_of[j], 1);
        to[at[2]] = _mm_extract_epi32(sums_of[j], 2);
        to[at[3]] = _mm_extract_epi32(sums_of[j], 3);
      }
    }
  }
}

/* ---- pass, same, mixed ------------------------------------------------------------------------------------------ */

LEVEL static uint32_t pass(const int32_t *of, const float *units, const float *errors, const aio__code_cut *cut) {
  const __m256i shift = _mm256_set1_epi32(cut->shift);
  const __m256 unit = _mm256_set1_ps(cut->unit), error = _mm256_set1_ps(cut->error);
  const __m256 slope = _mm256_set1_ps(cut->slope), floor = _mm256_set1_ps(cut->floor);
  uint32_t rows = 0;
  for (int i = 0; i < AIO__BLOCK_ROWS; i += 8) {
    __m256i dot = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(of + i)), shift);
    __m256 near = _mm256_mul_ps(_mm256_cvtepi32_ps(dot), _mm256_mul_ps(_mm256_loadu_ps(units + i), unit));
    __m256 off = _mm256_add_ps(_mm256_loadu_ps(errors + i), error);
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

LEVEL static float mixed(const uint8_t *code, const float *query, size_t stride) {
  const __m128i shift = _mm_set1_epi8((char)AIO__CODE_ZERO);
  __m256 sum[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
  for (size_t i = 0; i < stride; i += AIO__CODE_STEP) {
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; j++) {
      __m128i bytes = _mm_xor_si128(_mm_loadl_epi64((const __m128i *)(const void *)(code + i + 8 * j)), shift);
      __m256 c = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
      sum[j] = _mm256_fmadd_ps(c, _mm256_load_ps(query + i + 8 * j), sum[j]);
    }
  }
  return sum_floats(_mm256_add_ps(_mm256_add_ps(sum[0], sum[1]), _mm256_add_ps(sum[2], sum[3])));
}

const aio__kernels aio__kernels_avx2 = {QUERY_MAX, encode, dots, pass, same, mixed};

#endif
