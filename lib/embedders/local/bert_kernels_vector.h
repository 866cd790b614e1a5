/*
 * The kernels for processors with vector registers, once for all: kernels_avx2.c and kernels_avx512.c say what a vector is
 * (V, LANES, and functions v_...), how many rows a tile has, and include this file.
 */
#include <math.h>
#include <string.h>

#include "embedders/local/bert_kernels.h"

/* Bytes of weights that are asked for before they are needed: with few rows a product is as fast as they come. */
enum { AHEAD = 8192 };

/* As few tiles as there can be, all of about the same size. */
static size_t rows_of_tile(size_t left, size_t most) {
  if (left >= 2 * most) return most;
  return left > most ? (left + 1) / 2 : left;
}

/* ---- products of f32 ---- */

/* What follows the sums, which lie in `out` already: a tile that did this itself would be twice as long. */
static void finish_f32(const aio__matmul_f32 *m, size_t row, size_t rows, size_t j, size_t columns) {
  for (size_t r = row; r < row + rows; r++) {
    V scale = v_set(m->row_scale != NULL ? m->row_scale[r] : 1);
    float *out = m->out + r * m->ldo + j;
    for (size_t c = 0; c < columns; c += LANES) {
      V bias = m->bias != NULL ? v_load(m->bias + j + c) : v_zero();
      v_store(out + c, v_add(v_mul(v_load(out + c), scale), bias));
    }
  }
}

/* R rows, C vectors of columns from `b` on, which belong to column j. */
INLINE void tile_f32(const aio__matmul_f32 *m, const float *b, size_t row, size_t j, const size_t R, const size_t C) {
  V sum[F32_ROWS][2];
  const float *a = m->a + row * m->lda;
  const size_t lda = m->lda, ldb = m->ldb;
  UNROLL for (size_t r = 0; r < R; r++) UNROLL for (size_t c = 0; c < C; c++) sum[r][c] = v_zero();
  for (size_t i = 0; i < m->k; i++, b += ldb) {
    V w[2];
    UNROLL for (size_t c = 0; c < C; c += 16 / LANES) v_prefetch(b + AHEAD / sizeof *b + c * LANES);
    UNROLL for (size_t c = 0; c < C; c++) w[c] = v_load(b + c * LANES);
    UNROLL for (size_t r = 0; r < R; r++) {
      V x = v_set(a[r * lda + i]);
      UNROLL for (size_t c = 0; c < C; c++) sum[r][c] = v_fma(x, w[c], sum[r][c]);
    }
  }
  float *out = m->out + row * m->ldo + j;
  UNROLL for (size_t r = 0; r < R; r++, out += m->ldo) {
    UNROLL for (size_t c = 0; c < C; c++) v_store(out + c * LANES, sum[r][c]);
  }
}

INLINE void rows_f32(const aio__matmul_f32 *m, size_t j, const size_t C) {
  const float *b = m->b + j / AIO__PANEL * m->panel + j % AIO__PANEL;
  for (size_t row = 0, take; row < m->rows; row += take) {
    take = rows_of_tile(m->rows - row, F32_ROWS);
    switch (take) {
#define TILE(R)                         \
  case R:                               \
    tile_f32(m, b, row, j, R, C);       \
    break;
      TILES(TILE)
#undef TILE
    }
    finish_f32(m, row, take, j, C * LANES);
  }
}

static void matmul_f32(const aio__matmul_f32 *m) {
  size_t j = 0;
  for (; j + 2 * LANES <= m->n; j += 2 * LANES) rows_f32(m, j, 2);
  if (AIO__STEP < 2 * LANES && j < m->n) rows_f32(m, j, 1);
}

/* ---- activation functions ---- */

INLINE V v_curve(const float *terms, const int count, float end, V x) {
  V a = v_min(v_abs(x), v_set(end));
  V t = v_fma(a, v_set(2 / end), v_set(-1)), sum = v_set(terms[0]);
  UNROLL for (int i = 1; i < count; i++) sum = v_fma(sum, t, v_set(terms[i]));
  return v_sub(v_max(x, v_zero()), sum);
}

static void curve(const aio__curve *curve, float *x, size_t n) {
  for (size_t i = 0; i < n; i += AIO__STEP) {
    UNROLL for (size_t c = 0; c < AIO__STEP; c += LANES)
      v_store(x + i + c, v_curve(curve->terms, AIO__CURVE_TERMS, curve->end, v_load(x + i + c)));
  }
}

/* ---- activations to codes ---- */

static void rough_curve(const aio__curve *curve, const float *from, float *to, size_t n) {
  for (size_t i = 0; i < n; i += AIO__STEP) {
    UNROLL for (size_t c = 0; c < AIO__STEP; c += LANES)
      v_store(to + i + c, v_curve(curve->rough, AIO__CURVE_ROUGH_TERMS, curve->rough_end, v_load(from + i + c)));
  }
}

/* One group of G terms. Additions in the order of aio__rotate. `most`: of terms, and of the sums of those 16 apart. */
INLINE V rotate_group(const float *from, float *to, V most, const size_t G) {
  V v[AIO__ROTATION_MAX / LANES];
  const size_t count = G / LANES;
  UNROLL for (size_t i = 0; i < count; i++) v[i] = v_rotate_inside(v_load(from + i * LANES));
  UNROLL for (size_t half = 1; half < count; half *= 2) {
    UNROLL for (size_t i = 0; i < count; i++) {
      if ((i & half) != 0) continue;
      V a = v[i], b = v[i + half];
      v[i] = v_add(a, b);
      v[i + half] = v_sub(a, b);
    }
  }
  UNROLL for (size_t i = 0; i < count; i++) {
    most = v_max(most, v_abs(v[i]));
    if ((i * LANES & 16) == 0) most = v_max(most, v_abs(v_add(v[i], v[i + 16 / LANES])));
    v_store(to + i * LANES, v[i]);
  }
  return most;
}

static V rotate_row(const aio__quantize *q, const float *from) {
  V most = v_zero();
  float *to = q->scratch;
  if (q->curve != NULL) {
    rough_curve(q->curve, from, to, q->n);
    from = to;
  }
  for (size_t i = 0; i < q->n; i += q->rotation) {
    if (q->rotation == 128) most = rotate_group(from + i, to + i, most, 128);
    else if (q->rotation == 64) most = rotate_group(from + i, to + i, most, 64);
    else most = rotate_group(from + i, to + i, most, 32);
  }
  return most;
}

/* Of 8 groups and their neighbours: squares (unsigned, up to 65535) and sums of the codes. */
typedef struct code_sums {
  __m256i squares, sums;
} code_sums;

/* The codes of `parts` times 32 terms, 4 a part and l, to their places, and what lies behind the row. */
INLINE code_sums place_codes(const float *x, V by, int8_t *out, void *rest, const size_t parts) {
  const __m256i ones = _mm256_set1_epi8(1);
  __m256i d[4];
  code_sums s = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  UNROLL for (size_t i = 0; i < parts; i++) {
    d[i] = four_codes(x + 32 * i, by);
    __m256i size = _mm256_abs_epi8(d[i]);
    s.squares = _mm256_adds_epu16(s.squares, _mm256_maddubs_epi16(size, size));
    s.sums = _mm256_add_epi16(s.sums, _mm256_maddubs_epi16(ones, d[i]));
  }
  _mm256_storeu_si256(rest, _mm256_sub_epi16(_mm256_setzero_si256(), _mm256_slli_epi16(s.sums, 7)));
  if (parts < 4) {
    int32_t rows[4][8];
    UNROLL for (size_t i = 0; i < parts; i++) _mm256_storeu_si256((__m256i *)(void *)rows[i], d[i]);
    for (size_t l = 0; l < 8; l++) {
      for (size_t i = 0; i < parts; i++, out += 4) memcpy(out, &rows[i][l], 4);
    }
    return s;
  }
  __m256i a = _mm256_unpacklo_epi32(d[0], d[1]), b = _mm256_unpacklo_epi32(d[2], d[3]);
  __m256i c = _mm256_unpackhi_epi32(d[0], d[1]), e = _mm256_unpackhi_epi32(d[2], d[3]);
  d[0] = _mm256_unpacklo_epi64(a, b);
  d[1] = _mm256_unpackhi_epi64(a, b);
  d[2] = _mm256_unpacklo_epi64(c, e);
  d[3] = _mm256_unpackhi_epi64(c, e);
  __m256i *to = (__m256i *)(void *)out;
  _mm256_storeu_si256(to, _mm256_permute2x128_si256(d[0], d[1], 0x20));
  _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(d[2], d[3], 0x20));
  _mm256_storeu_si256(to + 2, _mm256_permute2x128_si256(d[0], d[1], 0x31));
  _mm256_storeu_si256(to + 3, _mm256_permute2x128_si256(d[2], d[3], 0x31));
  return s;
}

/* One row; gives the sum of its codes, and the most squares of a group. */
static int32_t store_codes(const float *x, float by, int8_t *out, size_t n, int32_t *squares) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i most = _mm256_setzero_si256(), sum = _mm256_setzero_si256();
  char *rest = (char *)out + n;
  for (size_t i = 0; i < n; i += AIO__ROTATION_MAX, rest += sizeof sum) {
    code_sums s;
    switch (n - i) {
      case 32: s = place_codes(x + i, v_set(by), out + i, rest, 1); break;
      case 64: s = place_codes(x + i, v_set(by), out + i, rest, 2); break;
      case 96: s = place_codes(x + i, v_set(by), out + i, rest, 3); break;
      default: s = place_codes(x + i, v_set(by), out + i, rest, 4); break;
    }
    most = _mm256_max_epu16(most, s.squares);
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(s.sums, ones));
  }
  /* The least of what is left to 65535 is the most. */
  __m128i rest8 = _mm_max_epu16(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
  *squares = UINT16_MAX - _mm_extract_epi16(_mm_minpos_epu16(_mm_xor_si128(rest8, _mm_set1_epi16(-1))), 0);
  __m128i x4 = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  x4 = _mm_add_epi32(x4, _mm_shuffle_epi32(x4, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(x4, _mm_shuffle_epi32(x4, 0xB1)));
}

static void quantize(const aio__quantize *q) {
  for (size_t r = 0; r < q->rows; r++) {
    float most = v_greatest(rotate_row(q, q->x + r * q->ldx));
    for (int tries = 0;; tries++) {
      int32_t squares;
      float by = most > AIO__CODE_LEAST ? AIO__CODE_MAX / most : 0;
      q->sum[r] = 128 * store_codes(q->scratch, by, q->codes + r * aio__code_row(q->n), q->n, &squares);
      if (squares <= AIO__CODE_SQUARES || tries == AIO__CODE_TRIES) break;
      most = aio__code_most_next(most, squares, AIO__CODE_SQUARES);
    }
    q->scale[r] = most * (1.0f / AIO__CODE_MAX);
  }
}

/* ---- rows to columns ---- */

/* Eight numbers of eight rows. */
INLINE void turn_eight(const float *from, size_t stride, float *to, size_t span) {
  __m256 a[8], b[8];
  UNROLL for (size_t i = 0; i < 8; i++) a[i] = _mm256_loadu_ps(from + i * stride);
  UNROLL for (size_t i = 0; i < 8; i += 2) {
    b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
  }
  UNROLL for (size_t i = 0; i < 8; i += 4) {
    UNROLL for (size_t j = 0; j < 2; j++) {
      a[i + 2 * j] = _mm256_shuffle_ps(b[i + j], b[i + j + 2], 0x44);
      a[i + 2 * j + 1] = _mm256_shuffle_ps(b[i + j], b[i + j + 2], 0xEE);
    }
  }
  UNROLL for (size_t i = 0; i < 4; i++) {
    _mm256_storeu_ps(to + i * span, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
    _mm256_storeu_ps(to + (i + 4) * span, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
  }
}

static void turn(const float *from, size_t stride, size_t rows, size_t n, size_t span, float *to) {
  const size_t eights = rows / 8 * 8;
  for (size_t i = 0; i < eights; i += 8) {
    for (size_t j = 0; j < n; j += 8) turn_eight(from + i * stride + j, stride, to + j * span + i, span);
  }
  for (size_t j = 0; j < n; j++) {
    for (size_t i = eights; i < span; i++) to[j * span + i] = i < rows ? from[i * stride + j] : 0;
  }
}

/* ---- LayerNorm and softmax ---- */

INLINE float sum_with(float *x, const float *y, size_t n) {
  V sum = v_zero(), more = v_zero();
  for (size_t i = 0; i < n; i += 2 * LANES) {
    V a = v_load(x + i), b = v_load(x + i + LANES);
    if (y != NULL) {
      a = v_add(a, v_load(y + i));
      b = v_add(b, v_load(y + i + LANES));
      v_store(x + i, a);
      v_store(x + i + LANES, b);
    }
    sum = v_add(sum, a);
    more = v_add(more, b);
  }
  return v_total(v_add(sum, more));
}

static void norm(float *x, const float *y, const float *gamma, const float *beta, float eps, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, x += n) {
    V mean = v_set(sum_with(x, y != NULL ? y + r * n : NULL, n) / (float)n);
    V squares = v_zero(), more = v_zero();
    for (size_t i = 0; i < n; i += 2 * LANES) {
      V a = v_sub(v_load(x + i), mean), b = v_sub(v_load(x + i + LANES), mean);
      squares = v_fma(a, a, squares);
      more = v_fma(b, b, more);
    }
    V by = v_set(1 / sqrtf(v_total(v_add(squares, more)) / (float)n + eps));
    for (size_t i = 0; i < n; i += LANES) {
      V a = v_mul(v_sub(v_load(x + i), mean), by);
      v_store(x + i, v_fma(a, v_load(gamma + i), v_load(beta + i)));
    }
  }
}

/* 2^x for x <= 0, relative error below 3e-7; 0 below -126. */
INLINE V v_exp2(V x) {
  V whole = v_round(x), f = v_sub(x, whole);
  V sum = v_set(0.00132764691f);
  sum = v_fma(sum, f, v_set(0.00967554131f));
  sum = v_fma(sum, f, v_set(0.0555071328f));
  sum = v_fma(sum, f, v_set(0.240221197f));
  sum = v_fma(sum, f, v_set(0.693146967f));
  sum = v_fma(sum, f, v_set(1.00000007f));
  return v_scale_by_power(sum, whole);
}

static void softmax(float *x, float *inverse, float factor, size_t rows, size_t n, size_t ld) {
  const size_t whole = (n + AIO__STEP - 1) / AIO__STEP * AIO__STEP;
  for (size_t r = 0; r < rows; r++, x += ld) {
    for (size_t i = n; i < whole; i++) x[i] = -1e30f;
    V most = v_load(x), sum = v_zero();
    for (size_t i = LANES; i < whole; i += LANES) most = v_max(most, v_load(x + i));
    V top = v_set(v_greatest(most)), by = v_set(factor);
    for (size_t i = 0; i < whole; i += LANES) {
      V y = v_exp2(v_mul(v_sub(v_load(x + i), top), by));
      sum = v_add(sum, y);
      v_store(x + i, y);
    }
    for (size_t i = whole; i < ld; i++) x[i] = 0;
    inverse[r] = 1 / v_total(sum);
  }
}
