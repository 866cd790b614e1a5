/* The kernels for AVX2 with FMA. The build compiles this file for such processors; elsewhere it is empty. */
#include "embedders/local/bert_kernels.h"

#if defined(__AVX2__) && defined(__FMA__)

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { LANES = 8, F32_ROWS = 6, I8_ROWS = 6 };
#define TILES(X) X(1) X(2) X(3) X(4) X(5) X(6)
typedef __m256 V;
typedef int16_t code_type;

INLINE V v_zero(void) { return _mm256_setzero_ps(); }
INLINE V v_set(float x) { return _mm256_set1_ps(x); }
INLINE V v_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void v_store(float *p, V x) { _mm256_storeu_ps(p, x); }
INLINE V v_add(V a, V b) { return _mm256_add_ps(a, b); }
INLINE V v_sub(V a, V b) { return _mm256_sub_ps(a, b); }
INLINE V v_mul(V a, V b) { return _mm256_mul_ps(a, b); }
INLINE V v_fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
INLINE V v_max(V a, V b) { return _mm256_max_ps(a, b); }
INLINE V v_min(V a, V b) { return _mm256_min_ps(a, b); }
INLINE V v_abs(V a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
INLINE V v_round(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

/* The power goes into the exponent; what would be smaller than a normal number is 0. */
INLINE V v_scale_by_power(V a, V power) {
  V in_range = _mm256_cmp_ps(power, _mm256_set1_ps(-126), _CMP_GE_OQ);
  __m256i shift = _mm256_slli_epi32(_mm256_cvtps_epi32(_mm256_max_ps(power, _mm256_set1_ps(-126))), 23);
  return _mm256_and_ps(in_range, _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), shift)));
}

INLINE float v_total(V a) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}

INLINE float v_greatest(V a) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

/* Sums and differences of neighbours 1, 2 and 4 apart: other + x in the first of a pair, other - x in the second. */
INLINE V v_rotate_inside(V x) {
  const float m = -0.0f;
  V y = _mm256_permute_ps(x, 0xB1);
  x = _mm256_add_ps(y, _mm256_xor_ps(x, _mm256_setr_ps(0, m, 0, m, 0, m, 0, m)));
  y = _mm256_permute_ps(x, 0x4E);
  x = _mm256_add_ps(y, _mm256_xor_ps(x, _mm256_setr_ps(0, 0, m, m, 0, 0, m, m)));
  y = _mm256_permute2f128_ps(x, x, 0x01);
  return _mm256_add_ps(y, _mm256_xor_ps(x, _mm256_setr_ps(0, 0, 0, 0, m, m, m, m)));
}

INLINE int32_t store_codes(const float *x, float by, code_type *out, size_t n) {
  __m256i sum = _mm256_setzero_si256();
  for (size_t i = 0; i < n; i += 2 * LANES) {
    __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(by)));
    __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + LANES), _mm256_set1_ps(by)));
    sum = _mm256_add_epi32(sum, _mm256_add_epi32(a, b));
    __m256i codes = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xD8);
    _mm256_storeu_si256((__m256i *)(void *)(out + i), codes);
  }
  __m128i x4 = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  x4 = _mm_add_epi32(x4, _mm_shuffle_epi32(x4, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(x4, _mm_shuffle_epi32(x4, 0xB1)));
}

INLINE void v_prefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }

#include "embedders/local/bert_kernels_vector.h"

/* ---- products of codes ----
 * 8-bit products in pairs would overflow 16 bits, so that both sides are widened to 16 bits: exact. A vector of sums holds two
 * parts of each of four columns. */

/* _mm256_add_epi32(sum, _mm256_madd_epi16(bytes, codes)); left to itself, gcc does all products first and has no registers
 * left for the sums. */
INLINE __m256i add_products(__m256i sum, __m256i bytes, __m256i codes) {
  __m256i products;
  __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(products) : "x"(bytes), "x"(codes));
  return sum;
}

INLINE void tile_i8(const aio__matmul_i8 *m, size_t row, size_t j, const size_t R) {
  __m256i sum[I8_ROWS][2];
  const size_t k = m->k;
  const uint8_t *b = m->b + j / AIO__PANEL * AIO__PANEL * k + j % AIO__PANEL * 4;
  const code_type *a = (const code_type *)m->codes + row * k;
  UNROLL for (size_t r = 0; r < R; r++) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  for (size_t i = 0; i < k; i += 4, b += 4 * AIO__PANEL) {
    v_prefetch(b + AHEAD);
    __m256i w0 = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)b));
    __m256i w1 = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(b + 16)));
    UNROLL for (size_t r = 0; r < R; r++) {
      int64_t four;
      memcpy(&four, a + r * k + i, sizeof four);
      __m256i x = _mm256_set1_epi64x(four);
      sum[r][0] = add_products(sum[r][0], w0, x);
      sum[r][1] = add_products(sum[r][1], w1, x);
    }
  }
  float *out = m->out + row * m->ldo + j;
  UNROLL for (size_t r = 0; r < R; r++, out += m->ldo) {
    __m256i total = _mm256_permute4x64_epi64(_mm256_hadd_epi32(sum[r][0], sum[r][1]), 0xD8);
    v_store(out, _mm256_cvtepi32_ps(_mm256_sub_epi32(total, _mm256_set1_epi32(m->sum[row + r]))));
  }
}

static void matmul_i8(const aio__matmul_i8 *m) {
  for (size_t j = 0; j < m->n; j += LANES) {
    for (size_t row = 0, take; row < m->rows; row += take) {
      take = rows_of_tile(m->rows - row, I8_ROWS);
      switch (take) {
#define TILE(R)               \
  case R:                     \
    tile_i8(m, row, j, R);    \
    break;
        TILES(TILE)
#undef TILE
      }
      finish_i8(m, row, take, j, LANES);
    }
  }
}

static const aio__bert_kernels table = {sizeof(code_type), matmul_f32, matmul_i8, quantize, curve, norm, softmax};
const aio__bert_kernels *const aio__bert_kernels_avx2 = &table;

#else
const aio__bert_kernels *const aio__bert_kernels_avx2 = NULL;
#endif
