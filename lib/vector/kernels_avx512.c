/* The kernels for AVX-512 with VNNI. */
#include "vector/kernels.h"

#if defined(AIO__KERNELS_X86)

#include <immintrin.h>

#define LEVEL __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")))
#define INLINE LEVEL __attribute__((always_inline)) static inline

enum { WIDTH = 64, LANES = 16, ROWS_AT_ONCE = 4, QUERIES_AT_ONCE = 4 };

/* ---- encode ----------------------------------------------------------------------------------------------------- */

/* Each sum is two, so that an addition need not wait for the one before. */
typedef struct squares {
  __m512 row[2], code[2], rest[2];
} squares;

/* Four vectors of a step of 64; what is beyond the row is 0. */
INLINE void load_step(const float *row, size_t left, __m512 x[4]) {
  __mmask64 lanes = left >= WIDTH ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1;
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) x[i] = _mm512_maskz_loadu_ps((__mmask16)(lanes >> (LANES * i)), row + LANES * i);
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
  return _mm512_xor_si512(_mm512_permutexvar_epi32(order, bytes), _mm512_set1_epi8((char)AIO__CODE_ZERO));
}

INLINE double sum_of(const __m512 sums[2]) {
  return (double)_mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1]));
}

LEVEL static bool encode(const float *row, size_t dimensions, size_t stride, uint8_t *code, aio__code_fit *fit) {
  const __m512 zero = _mm512_setzero_ps();
  squares s = {{zero, zero}, {zero, zero}, {zero, zero}};
  __m512 most = zero, x[4];
  for (size_t i = 0; i < dimensions; i += WIDTH) {
    load_step(row + i, dimensions - i, x);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
      most = _mm512_max_ps(most, _mm512_abs_ps(x[j]));
      s.row[j % 2] = _mm512_fmadd_ps(x[j], x[j], s.row[j % 2]);
    }
  }
  /* A NaN may hide from `most`, but not from the squares. */
  double row_squares = sum_of(s.row);
  if (!(row_squares > 0.5 && row_squares < 2)) return false;
  float max = _mm512_reduce_max_ps(most);
  __m512 factor = _mm512_set1_ps((float)AIO__CODE_MAX / max), size = _mm512_set1_ps(max / (float)AIO__CODE_MAX);
  for (size_t i = 0; i < dimensions; i += WIDTH) {
    load_step(row + i, dimensions - i, x);
    __m512i bytes = round_step(x, factor, size, &s);
    if (stride - i >= WIDTH) _mm512_storeu_si512(code + i, bytes);
    else _mm256_storeu_si256((__m256i *)(void *)(code + i), _mm512_castsi512_si256(bytes));
  }
  return aio__code_fit_of(row_squares, sum_of(s.code), sum_of(s.rest), fit);
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

typedef struct sums {
  __m512i of[QUERIES_AT_ONCE][ROWS_AT_ONCE];
} sums;

INLINE void add_step(const uint8_t *const rows[ROWS_AT_ONCE], const int8_t *queries, size_t query_stride, size_t i,
                     __mmask64 bytes, int count, sums *s) {
  __m512i code[ROWS_AT_ONCE];
#pragma GCC unroll 4
  for (int r = 0; r < ROWS_AT_ONCE; r++)
    code[r] = bytes == ~(__mmask64)0 ? _mm512_loadu_si512(rows[r] + i) : _mm512_maskz_loadu_epi8(bytes, rows[r] + i);
#pragma GCC unroll 4
  for (int q = 0; q < count; q++) {
    __m512i query = _mm512_load_si512(queries + (size_t)q * query_stride + i);
#pragma GCC unroll 4
    for (int r = 0; r < ROWS_AT_ONCE; r++) s->of[q][r] = _mm512_dpbusd_epi32(s->of[q][r], code[r], query);
  }
}

/* Four lines. Memory sends what is asked for a block ahead faster than what is waited for. */
static inline void expect(const uint8_t *bytes) {
  for (int i = 0; i < ROWS_AT_ONCE; i++) __builtin_prefetch(bytes + WIDTH * i);
}

/* Four rows by one or four queries. `count` is a constant wherever this is called. */
INLINE void dots_of_four(const uint8_t *const rows[ROWS_AT_ONCE], size_t stride, const int8_t *queries,
                         size_t query_stride, int count, const uint8_t *next, __m128i out[QUERIES_AT_ONCE]) {
  sums s;
  size_t i = 0;
#pragma GCC unroll 4
  for (int q = 0; q < count; q++)
#pragma GCC unroll 4
    for (int r = 0; r < ROWS_AT_ONCE; r++) s.of[q][r] = _mm512_setzero_si512();
  for (; i + WIDTH <= stride; i += WIDTH) {
    add_step(rows, queries, query_stride, i, ~(__mmask64)0, count, &s);
    if (next != NULL) expect(next + ROWS_AT_ONCE * i);
  }
  if (i < stride) add_step(rows, queries, query_stride, i, (__mmask64)0xffffffff, count, &s);
#pragma GCC unroll 4
  for (int q = 0; q < count; q++) out[q] = sum_each(s.of[q][0], s.of[q][1], s.of[q][2], s.of[q][3]);
}

INLINE void put_dots(int32_t *to, const unsigned at[ROWS_AT_ONCE], __m128i four) {
  to[at[0]] = _mm_extract_epi32(four, 0);
  to[at[1]] = _mm_extract_epi32(four, 1);
  to[at[2]] = _mm_extract_epi32(four, 2);
  to[at[3]] = _mm_extract_epi32(four, 3);
}

LEVEL static void dots(const uint8_t *codes, size_t stride, uint32_t rows, const int8_t *queries, size_t query_count,
                       int32_t *out, const uint8_t *next) {
  size_t query_stride = aio__query_stride(stride);
  while (rows != 0) {
    const uint8_t *row[ROWS_AT_ONCE];
    unsigned at[ROWS_AT_ONCE];
    __m128i four[QUERIES_AT_ONCE];
    size_t q = 0;
    const uint8_t *soon = next == NULL ? NULL : next + (size_t)__builtin_ctz(rows) * stride;
    for (int i = 0; i < ROWS_AT_ONCE; i++) { /* fewer are left: the last once more */
      at[i] = rows != 0 ? (unsigned)__builtin_ctz(rows) : at[i - 1];
      row[i] = codes + at[i] * stride;
      rows &= rows - 1;
    }
    for (; q + QUERIES_AT_ONCE <= query_count; q += QUERIES_AT_ONCE) {
      dots_of_four(row, stride, queries + q * query_stride, query_stride, QUERIES_AT_ONCE, soon, four);
      soon = NULL;
      for (size_t j = 0; j < QUERIES_AT_ONCE; j++) put_dots(out + (q + j) * AIO__BLOCK_ROWS, at, four[j]);
    }
    for (; q < query_count; q++) {
      dots_of_four(row, stride, queries + q * query_stride, query_stride, 1, soon, four);
      soon = NULL;
      put_dots(out + q * AIO__BLOCK_ROWS, at, four[0]);
    }
  }
}

/* ---- pass, same, mixed ------------------------------------------------------------------------------------------ */

LEVEL static uint32_t pass(const int32_t *of, const float *units, const float *errors, const aio__code_cut *cut) {
  const __m512i shift = _mm512_set1_epi32(cut->shift);
  const __m512 unit = _mm512_set1_ps(cut->unit), error = _mm512_set1_ps(cut->error);
  const __m512 slope = _mm512_set1_ps(cut->slope), floor = _mm512_set1_ps(cut->floor);
  uint32_t rows = 0;
  for (int i = 0; i < AIO__BLOCK_ROWS; i += LANES) {
    __m512i dot = _mm512_sub_epi32(_mm512_loadu_si512(of + i), shift);
    __m512 near = _mm512_mul_ps(_mm512_cvtepi32_ps(dot), _mm512_mul_ps(_mm512_loadu_ps(units + i), unit));
    __m512 off = _mm512_add_ps(_mm512_loadu_ps(errors + i), error);
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

LEVEL static float mixed(const uint8_t *code, const float *query, size_t stride) {
  const __m128i shift = _mm_set1_epi8((char)AIO__CODE_ZERO);
  __m512 even = _mm512_setzero_ps(), odd = even;
  for (size_t i = 0; i < stride; i += AIO__CODE_STEP) {
    __m128i a = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)(code + i)), shift);
    __m128i b = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)(code + i + LANES)), shift);
    even = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(a)), _mm512_loadu_ps(query + i), even);
    odd = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(b)), _mm512_loadu_ps(query + i + LANES), odd);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(even, odd));
}

const aio__kernels aio__kernels_avx512 = {AIO__CODE_MAX, encode, dots, pass, same, mixed};

#endif
