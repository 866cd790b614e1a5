/* The kernels for AVX-512 with VNNI. The build compiles this file for such processors; elsewhere it is empty. */
#include "embedders/local/bert_kernels.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && \
  defined(__AVX512VNNI__)

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { LANES = 16, F32_ROWS = 8, I8_ROWS = 8 };
#define TILES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
typedef __m512 V;

INLINE V v_zero(void) { return _mm512_setzero_ps(); }
INLINE V v_set(float x) { return _mm512_set1_ps(x); }
INLINE V v_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void v_store(float *p, V x) { _mm512_storeu_ps(p, x); }
INLINE V v_add(V a, V b) { return _mm512_add_ps(a, b); }
INLINE V v_sub(V a, V b) { return _mm512_sub_ps(a, b); }
INLINE V v_mul(V a, V b) { return _mm512_mul_ps(a, b); }
INLINE V v_fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
INLINE V v_max(V a, V b) { return _mm512_max_ps(a, b); }
INLINE V v_min(V a, V b) { return _mm512_min_ps(a, b); }
INLINE V v_abs(V a) { return _mm512_abs_ps(a); }
INLINE V v_round(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE V v_scale_by_power(V a, V power) { return _mm512_scalef_ps(a, power); }
INLINE float v_total(V a) { return _mm512_reduce_add_ps(a); }
INLINE float v_greatest(V a) { return _mm512_reduce_max_ps(a); }

/* Sums and differences of neighbours 1, 2, 4 and 8 apart: other + x in the first of a pair, other - x in the second. */
INLINE V v_rotate_inside(V x) {
  V y = _mm512_permute_ps(x, 0xB1);
  x = _mm512_mask_sub_ps(_mm512_add_ps(y, x), 0xAAAA, y, x);
  y = _mm512_permute_ps(x, 0x4E);
  x = _mm512_mask_sub_ps(_mm512_add_ps(y, x), 0xCCCC, y, x);
  y = _mm512_shuffle_f32x4(x, x, 0xB1);
  x = _mm512_mask_sub_ps(_mm512_add_ps(y, x), 0xF0F0, y, x);
  y = _mm512_shuffle_f32x4(x, x, 0x4E);
  return _mm512_mask_sub_ps(_mm512_add_ps(y, x), 0xFF00, y, x);
}

/* Of 32 terms: those of l, l + 16, l + 8, l + 24 together, l from 0 on. */
INLINE __m256i four_codes(const float *x, V by) {
  __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), by));
  __m512i high = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + LANES), by));
  __m256i a = _mm512_castsi512_si256(low), b = _mm512_castsi512_si256(high);
  __m256i c = _mm512_extracti64x4_epi64(low, 1), d = _mm512_extracti64x4_epi64(high, 1);
  const __m256i turned = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6,
                                          10, 14, 3, 7, 11, 15);
  return _mm256_shuffle_epi8(_mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d)), turned);
}

INLINE void v_prefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }

#include "embedders/local/bert_kernels_vector.h"

/* ---- products of codes ---- */

/* _mm512_dpbusd_epi32, which gcc wraps in two moves of a register each. */
INLINE __m512i add_products(__m512i sum, __m512i bytes, __m512i codes) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(bytes), "v"(codes));
  return sum;
}

/* What follows the sums, which lie in `out` already. */
static void finish_i8(const aio__matmul_i8 *m, size_t row, size_t rows, size_t j) {
  for (size_t r = row; r < row + rows; r++) {
    V scale = v_set(m->scale[r]);
    float *out = m->out + r * m->ldo + j;
    for (size_t c = 0; c < AIO__PANEL; c += LANES) {
      V by = v_mul(scale, v_load(m->column_scale + j + c));
      v_store(out + c, v_add(v_mul(v_load(out + c), by), v_load(m->bias + j + c)));
    }
  }
}

INLINE void tile_i8(const aio__matmul_i8 *m, size_t row, size_t j, const size_t R) {
  __m512i sum[I8_ROWS][2];
  const size_t k = m->k;
  const uint8_t *b = m->b + j * k;
  const size_t next = aio__code_row(k);
  const int8_t *a = m->codes + row * next;
  UNROLL for (size_t r = 0; r < R; r++) sum[r][0] = sum[r][1] = _mm512_set1_epi32(-m->sum[row + r]);
  for (size_t i = 0; i < k; i += 4, b += 4 * AIO__PANEL) {
    v_prefetch(b + AHEAD);
    v_prefetch(b + AHEAD + 64);
    __m512i w0 = _mm512_loadu_si512(b), w1 = _mm512_loadu_si512(b + 64);
    UNROLL for (size_t r = 0; r < R; r++) {
      int32_t four;
      memcpy(&four, a + r * next + i, sizeof four);
      __m512i x = _mm512_set1_epi32(four);
      sum[r][0] = add_products(sum[r][0], w0, x);
      sum[r][1] = add_products(sum[r][1], w1, x);
    }
  }
  float *out = m->out + row * m->ldo + j;
  UNROLL for (size_t r = 0; r < R; r++, out += m->ldo) {
    UNROLL for (size_t c = 0; c < 2; c++) v_store(out + c * LANES, _mm512_cvtepi32_ps(sum[r][c]));
  }
}

static void matmul_i8(const aio__matmul_i8 *m) {
  for (size_t j = 0; j < m->n; j += AIO__PANEL) {
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
      finish_i8(m, row, take, j);
    }
  }
}

static const aio__bert_kernels table = {matmul_f32, matmul_i8, quantize, curve, turn, norm, softmax};
const aio__bert_kernels *const aio__bert_kernels_avx512 = &table;

#else
const aio__bert_kernels *const aio__bert_kernels_avx512 = NULL;
#endif
