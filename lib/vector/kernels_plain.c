/* The kernels in plain C: what runs everywhere, and what the others are compared with. */
#include "vector/kernels.h"

#include <math.h>

enum { LANES = 8 };

/* Adding 1.5 * 2^23 leaves no room for digits behind the point: rounds to the nearest, halves to even, as the vector
 * instructions do. */
static inline float round_to_even(float value) {
  const float big = 12582912.0f;
  return value + big - big;
}

static bool encode(const float *row, size_t dimensions, size_t stride, uint8_t *code, aio__code_fit *fit) {
  float max = 0, squares[LANES] = {0}, code_squares[LANES] = {0}, rest_squares[LANES] = {0};
  for (size_t i = 0; i < dimensions; i++) {
    float size = fabsf(row[i]);
    max = size > max ? size : max;
    squares[i % LANES] += row[i] * row[i];
  }
  /* A NaN hides from `max`, but not from the squares. */
  double row_squares = 0, code_sum = 0, rest_sum = 0;
  for (int l = 0; l < LANES; l++) row_squares += (double)squares[l];
  if (!(row_squares > 0.5 && row_squares < 2)) return false;
  float factor = (float)AIO__CODE_MAX / max, step = max / (float)AIO__CODE_MAX;
  for (size_t i = 0; i < dimensions; i++) {
    float rounded = round_to_even(row[i] * factor), rest = row[i] - rounded * step;
    code[i] = (uint8_t)((int)rounded + AIO__CODE_ZERO);
    code_squares[i % LANES] += rounded * rounded;
    rest_squares[i % LANES] += rest * rest;
  }
  for (size_t i = dimensions; i < stride; i++) code[i] = AIO__CODE_ZERO;
  for (int l = 0; l < LANES; l++) {
    code_sum += (double)code_squares[l];
    rest_sum += (double)rest_squares[l];
  }
  return aio__code_fit_of(row_squares, code_sum, rest_sum, fit);
}

static int32_t dot(const uint8_t *code, const int8_t *query, size_t stride) {
  int32_t sum = 0;
  for (size_t i = 0; i < stride; i++) sum += code[i] * query[i];
  return sum;
}

static void dots(const uint8_t *codes, size_t stride, uint32_t rows, const int8_t *queries, size_t query_count,
                 int32_t *out) {
  size_t query_stride = aio__query_stride(stride);
  for (size_t r = 0; r < AIO__BLOCK_ROWS; r++) {
    if ((rows >> r & 1) == 0) continue;
    for (size_t q = 0; q < query_count; q++)
      out[q * AIO__BLOCK_ROWS + r] = dot(codes + r * stride, queries + q * query_stride, stride);
  }
}

static uint32_t pass(const int32_t *of, const float *units, const float *errors, const aio__code_cut *cut) {
  uint32_t rows = 0;
  for (size_t r = 0; r < AIO__BLOCK_ROWS; r++)
    rows |= (uint32_t)aio__code_passes(of[r], units[r], errors[r], cut) << r;
  return rows;
}

static float mixed(const uint8_t *code, const float *query, size_t stride) {
  float sums[LANES] = {0}, sum = 0;
  for (size_t i = 0; i < stride; i += LANES)
    for (size_t l = 0; l < LANES; l++) sums[l] += (float)(code[i + l] - AIO__CODE_ZERO) * query[i + l];
  for (size_t l = 0; l < LANES; l++) sum += sums[l];
  return sum;
}

const aio__kernels aio__kernels_plain = {AIO__CODE_MAX, encode, dots, pass, mixed};
