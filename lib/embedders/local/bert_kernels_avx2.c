/* The kernels for AVX2 with FMA. The build compiles this file for such processors; elsewhere it is empty. */
#include "embedders/local/bert_kernels.h"

#if defined(__AVX2__) && defined(__FMA__)

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { LANES = 8, F32_ROWS = 6, I8_ROWS = 8 };
#define TILES(X) X(1) X(2) X(3) X(4) X(5) X(6)
typedef __m256 V;

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
  x = _mm256_fmadd_ps(x, _mm256_setr_ps(1, -1, 1, -1, 1, -1, 1, -1), _mm256_permute_ps(x, 0xB1));
  x = _mm256_fmadd_ps(x, _mm256_setr_ps(1, 1, -1, -1, 1, 1, -1, -1), _mm256_permute_ps(x, 0x4E));
  return _mm256_fmadd_ps(x, _mm256_setr_ps(1, 1, 1, 1, -1, -1, -1, -1), _mm256_permute2f128_ps(x, x, 0x01));
}

/* Of 32 terms: those of l, l + 16, l + 8, l + 24 together, l from 0 on. */
INLINE __m256i four_codes(const float *x, V by) {
  __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), by));
  __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 16), by));
  __m256i c = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), by));
  __m256i d = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 24), by));
  const __m256i turned = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6,
                                          10, 14, 3, 7, 11, 15);
  return _mm256_shuffle_epi8(_mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d)), turned);
}

INLINE void v_prefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }

#include "embedders/local/bert_kernels_vector.h"

/* ---- products of codes ----
 * Products of bytes, two at a time, and four such pairs are added up in 16 bits, where the bounds of codes keep them exact: the
 * weights are there with 128 added, and what that makes too much is the number behind the row (modulo 2^16 like the sums).
 * Then they are widened. A register has eight columns. */

enum { I8_COLUMNS = 8 };
typedef int32_t __attribute__((may_alias, aligned(4))) four_bytes;

/* sum += 16 codes times 16 weights a column. Left to itself, gcc has not registers enough. */
INLINE __m256i add_products(__m256i sum, const four_bytes *codes, const four_bytes *correction, const __m256i w[4],
                            __m256i ones) {
  __m256i t, u;
  __asm__(
    "vpbroadcastd %[a0], %[u]\n\t"
    "vpmaddubsw %[u], %[w0], %[t]\n\t"
    "vpbroadcastd %[c], %[u]\n\t"
    "vpaddw %[u], %[t], %[t]\n\t"
    "vpbroadcastd %[a1], %[u]\n\t"
    "vpmaddubsw %[u], %[w1], %[u]\n\t"
    "vpaddw %[u], %[t], %[t]\n\t"
    "vpbroadcastd %[a2], %[u]\n\t"
    "vpmaddubsw %[u], %[w2], %[u]\n\t"
    "vpaddw %[u], %[t], %[t]\n\t"
    "vpbroadcastd %[a3], %[u]\n\t"
    "vpmaddubsw %[u], %[w3], %[u]\n\t"
    "vpaddw %[u], %[t], %[t]\n\t"
    "vpmaddwd %[ones], %[t], %[t]\n\t"
    "vpaddd %[t], %[sum], %[sum]"
    : [sum] "+x"(sum), [t] "=&x"(t), [u] "=&x"(u)
    : [a0] "m"(codes[0]), [a1] "m"(codes[1]), [a2] "m"(codes[2]), [a3] "m"(codes[3]), [c] "m"(*correction), [w0] "x"(w[0]),
      [w1] "x"(w[1]), [w2] "x"(w[2]), [w3] "x"(w[3]), [ones] "x"(ones));
  return sum;
}

/* The same with fewer than 16. */
INLINE __m256i add_few(__m256i sum, const four_bytes *codes, const four_bytes *correction, const uint8_t *b, size_t parts,
                       __m256i ones) {
  __m256i t = _mm256_set1_epi32(*correction);
  for (size_t i = 0; i < parts; i++, b += 4 * AIO__PANEL) {
    __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)b);
    t = _mm256_add_epi16(t, _mm256_maddubs_epi16(w, _mm256_set1_epi32(codes[i])));
  }
  return _mm256_add_epi32(sum, _mm256_madd_epi16(t, ones));
}

/* The end of each row, where it is no multiple of 128: few models have one, so that it is no part of every tile. */
static __attribute__((noinline)) void add_ends(const aio__matmul_i8 *m, const int8_t *a, const int8_t *c, const uint8_t *b, size_t rows,
                                               __m256i *sum) {
  const size_t next = aio__code_row(m->k), parts = m->k % AIO__ROTATION_MAX / 32;
  const __m256i ones = _mm256_set1_epi16(1);
  for (size_t i = 0; i < 8; i++, b += 4 * AIO__PANEL * parts, a += 4 * parts, c += 4) {
    for (size_t r = 0; r < rows; r++)
      sum[r] = add_few(sum[r], (const four_bytes *)(const void *)(a + r * next), (const four_bytes *)(const void *)(c + r * next), b,
                       parts, ones);
  }
}

INLINE void tile_i8(const aio__matmul_i8 *m, size_t row, size_t j, const size_t R) {
  const size_t k = m->k, next = aio__code_row(k), blocks = k / AIO__ROTATION_MAX * 8;
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[I8_ROWS];
  const uint8_t *b = m->b + j / AIO__PANEL * AIO__PANEL * k + j % AIO__PANEL * 4;
  const int8_t *a = m->codes + row * next, *c = a + k;
  UNROLL for (size_t r = 0; r < R; r++) sum[r] = _mm256_setzero_si256();
  for (size_t i = 0; i < blocks; i++, b += 16 * AIO__PANEL, a += 16, c += 4) {
    __m256i w[4];
    UNROLL for (size_t p = 0; p < 4; p++) {
      v_prefetch(b + 4 * AIO__PANEL * p + AHEAD);
      w[p] = _mm256_loadu_si256((const __m256i *)(const void *)(b + 4 * AIO__PANEL * p));
    }
    UNROLL for (size_t r = 0; r < R; r++)
      sum[r] = add_products(sum[r], (const four_bytes *)(const void *)(a + r * next),
                            (const four_bytes *)(const void *)(c + r * next), w, ones);
  }
  if (k % AIO__ROTATION_MAX != 0) {
    __m256i kept[I8_ROWS]; /* the sums themselves stay in registers */
    UNROLL for (size_t r = 0; r < R; r++) kept[r] = sum[r];
    add_ends(m, a, c, b, R, kept);
    UNROLL for (size_t r = 0; r < R; r++) sum[r] = kept[r];
  }
  float *out = m->out + row * m->ldo + j;
  const V scale = v_load(m->column_scale + j), bias = v_load(m->bias + j);
  UNROLL for (size_t r = 0; r < R; r++, out += m->ldo) {
    V by = v_mul(v_set(m->scale[row + r]), scale);
    v_store(out, v_add(v_mul(_mm256_cvtepi32_ps(sum[r]), by), bias));
  }
}

static void matmul_i8(const aio__matmul_i8 *m) {
  for (size_t j = 0; j < m->n; j += I8_COLUMNS) {
    for (size_t row = 0, take; row < m->rows; row += take) {
      take = rows_of_tile(m->rows - row, I8_ROWS);
      switch (take) {
#define TILE(R)               \
  case R:                     \
    tile_i8(m, row, j, R);    \
    break;
        TILES(TILE) TILE(7) TILE(8)
#undef TILE
      }
    }
  }
}

static const aio__bert_kernels table = {matmul_f32, matmul_i8, quantize, curve, turn, norm, softmax};
const aio__bert_kernels *const aio__bert_kernels_avx2 = &table;

#else
const aio__bert_kernels *const aio__bert_kernels_avx2 = NULL;
#endif
