/* The kernels in plain C: what every processor runs, and what the others are compared with. */
#include <math.h>
#include <string.h>

#include "embedders/local/bert_kernels.h"

static void matmul_f32(const aio__matmul_f32 *m) {
  for (size_t j = 0; j < m->n; j += AIO__STEP) {
    const float *panel = m->b + j / AIO__PANEL * m->panel + j % AIO__PANEL;
    for (size_t r = 0; r < m->rows; r++) {
      float sum[AIO__STEP] = {0};
      const float *a = m->a + r * m->lda;
      for (size_t i = 0; i < m->k; i++) {
        for (size_t c = 0; c < AIO__STEP; c++) sum[c] += a[i] * panel[i * m->ldb + c];
      }
      float scale = m->row_scale != NULL ? m->row_scale[r] : 1;
      float *out = m->out + r * m->ldo + j;
      for (size_t c = 0; c < AIO__STEP; c++) out[c] = sum[c] * scale + (m->bias != NULL ? m->bias[j + c] : 0);
    }
  }
}

static void matmul_i8(const aio__matmul_i8 *m) {
  for (size_t j = 0; j < m->n; j += AIO__PANEL) {
    const uint8_t *panel = m->b + j * m->k;
    for (size_t r = 0; r < m->rows; r++) {
      int32_t sum[AIO__PANEL] = {0};
      const int8_t *a = m->codes + r * aio__code_row(m->k);
      for (size_t i = 0; i < m->k; i += 4) {
        const uint8_t *b = panel + i * AIO__PANEL;
        for (size_t c = 0; c < AIO__PANEL; c++) {
          sum[c] += a[i] * b[4 * c] + a[i + 1] * b[4 * c + 1] + a[i + 2] * b[4 * c + 2] + a[i + 3] * b[4 * c + 3];
        }
      }
      for (size_t c = 0; c < AIO__PANEL; c++) {
        float scale = m->scale[r] * m->column_scale[j + c];
        m->out[r * m->ldo + j + c] = (float)(sum[c] - m->sum[r]) * scale + m->bias[j + c];
      }
    }
  }
}

static float curve_at(const float *terms, int count, float end, float x) {
  float a = fminf(fabsf(x), end);
  float t = a * (2 / end) - 1, sum = terms[0];
  for (int i = 1; i < count; i++) sum = sum * t + terms[i];
  return fmaxf(x, 0) - sum;
}

static void curve(const aio__curve *curve, float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = curve_at(curve->terms, AIO__CURVE_TERMS, curve->end, x[i]);
}

/* Codes and what is behind them; gives the sum of the codes. */
static int32_t put_codes(const float *x, float by, int8_t *row, size_t n) {
  int32_t total = 0;
  for (size_t i = 0; i < n; i++) row[aio__code_place(i, n)] = (int8_t)lrintf(x[i] * by);
  int8_t *rest = row + n;
  for (size_t first = 0; first < n; first += AIO__ROTATION_MAX) {
    const size_t end = n - first < AIO__ROTATION_MAX ? n : first + AIO__ROTATION_MAX;
    for (size_t group = 0; group < AIO__CODE_GROUPS; group++) {
      int32_t sum = 0;
      for (size_t i = first + group; i < end; i += AIO__CODE_GROUPS) sum += row[aio__code_place(i, n)];
      int16_t correction = (int16_t)(sum * -128);
      memcpy(rest + (group % 8 * 2 + group / 8) * sizeof correction, &correction, sizeof correction);
      total += sum;
    }
    rest += AIO__CODE_GROUPS * sizeof(int16_t);
  }
  return total;
}

static void quantize_row(const aio__quantize *q, size_t r) {
  float *x = q->scratch, most = 0;
  memcpy(x, q->x + r * q->ldx, q->n * sizeof *x);
  for (size_t i = 0; i < q->n && q->curve != NULL; i++)
    x[i] = curve_at(q->curve->rough, AIO__CURVE_ROUGH_TERMS, q->curve->rough_end, x[i]);
  aio__rotate(x, q->n, q->rotation);
  for (size_t i = 0; i < q->n; i++) {
    most = fmaxf(most, fabsf(x[i]));
    if (i % 32 < 16) most = fmaxf(most, fabsf(x[i] + x[i + 16]));
  }
  most = aio__code_most(x, q->n, most, AIO__CODE_SQUARES);
  q->scale[r] = most * (1.0f / AIO__CODE_MAX);
  q->sum[r] = 128 * put_codes(x, most > AIO__CODE_LEAST ? AIO__CODE_MAX / most : 0, q->codes + r * aio__code_row(q->n), q->n);
}

static void quantize(const aio__quantize *q) {
  for (size_t r = 0; r < q->rows; r++) quantize_row(q, r);
}

static void turn(const float *from, size_t stride, size_t rows, size_t n, size_t span, float *to) {
  for (size_t j = 0; j < n; j++) {
    for (size_t i = 0; i < span; i++) to[j * span + i] = i < rows ? from[i * stride + j] : 0;
  }
}

static void norm(float *x, const float *y, const float *gamma, const float *beta, float eps, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, x += n) {
    float sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
      if (y != NULL) x[i] += y[r * n + i];
      sum += x[i];
    }
    float mean = sum / (float)n;
    for (size_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    float by = 1 / sqrtf(squares / (float)n + eps);
    for (size_t i = 0; i < n; i++) x[i] = (x[i] - mean) * by * gamma[i] + beta[i];
  }
}

static void softmax(float *x, float *inverse, float factor, size_t rows, size_t n, size_t ld) {
  for (size_t r = 0; r < rows; r++, x += ld) {
    float most = x[0], sum = 0;
    for (size_t i = 1; i < n; i++) most = fmaxf(most, x[i]);
    for (size_t i = 0; i < n; i++) {
      x[i] = exp2f(factor * (x[i] - most));
      sum += x[i];
    }
    for (size_t i = n; i < ld; i++) x[i] = 0;
    inverse[r] = 1 / sum;
  }
}

static const aio__bert_kernels table = {matmul_f32, matmul_i8, quantize, curve, turn, norm, softmax};
const aio__bert_kernels *const aio__bert_kernels_plain = &table;
