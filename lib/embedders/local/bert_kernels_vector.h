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

/* The same after products of codes. */
static void finish_i8(const aio__matmul_i8 *m, size_t row, size_t rows, size_t j, size_t columns) {
  for (size_t r = row; r < row + rows; r++) {
    V scale = v_set(m->scale[r]);
    float *out = m->out + r * m->ldo + j;
    for (size_t c = 0; c < columns; c += LANES) {
      V by = v_mul(scale, v_load(m->column_scale + j + c));
      v_store(out + c, v_add(v_mul(v_load(out + c), by), v_load(m->bias + j + c)));
    }
  }
}

/* ---- activation functions ---- */

INLINE V v_curve(const aio__curve *curve, V x) {
  V a = v_min(v_abs(x), v_set(curve->end));
  V t = v_fma(a, v_set(2 / curve->end), v_set(-1)), sum = v_set(curve->terms[0]);
  UNROLL for (int i = 1; i < AIO__CURVE_TERMS; i++) sum = v_fma(sum, t, v_set(curve->terms[i]));
  return v_sub(v_max(x, v_zero()), sum);
}

static void curve(const aio__curve *curve, float *x, size_t n) {
  for (size_t i = 0; i < n; i += AIO__STEP) {
    UNROLL for (size_t c = 0; c < AIO__STEP; c += LANES) v_store(x + i + c, v_curve(curve, v_load(x + i + c)));
  }
}

/* ---- activations to codes ---- */

/* One group of G terms in place. Additions in the order of aio__rotate. */
INLINE V rotate_group(float *x, V most, const size_t G) {
  V v[AIO__ROTATION_MAX / LANES];
  const size_t count = G / LANES;
  UNROLL for (size_t i = 0; i < count; i++) v[i] = v_rotate_inside(v_load(x + i * LANES));
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
    v_store(x + i * LANES, v[i]);
  }
  return most;
}

static V rotate_row(const aio__quantize *q, const float *from) {
  V most = v_zero();
  float *x = q->scratch;
  memcpy(x, from, q->n * sizeof *x);
  if (q->curve != NULL) curve(q->curve, x, q->n);
  for (size_t i = 0; i < q->n; i += q->rotation) {
    if (q->rotation == 128) most = rotate_group(x + i, most, 128);
    else if (q->rotation == 64) most = rotate_group(x + i, most, 64);
    else most = rotate_group(x + i, most, 32);
  }
  return most;
}

static void quantize(const aio__quantize *q) {
  for (size_t r = 0; r < q->rows; r++) {
    float most = v_greatest(rotate_row(q, q->x + r * q->ldx));
    float by = most > 1e-30f ? AIO__CODE_MAX / most : 0;
    q->scale[r] = most * (1.0f / AIO__CODE_MAX);
    q->sum[r] = 128 * store_codes(q->scratch, by, (code_type *)q->codes + r * q->n, q->n);
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
