/* The kernels in plain C: what runs everywhere, and what the others are compared with. */
#include "vector/kernels.h"

#include <math.h>
#include <string.h>

enum { LANES = 8 };

/* Adding 1.5 * 2^23 leaves no room for digits behind the point: rounds to the nearest, halves to even, as the vector
 * instructions do. */
static inline float round_to_even(float value) {
  const float big = 12582912.0f;
  return value + big - big;
}

/* Loops over LANES are unrolled, so that sums stay in registers and become vector instructions where there are any. */
typedef struct measures {
  float max;
  double squares;
} measures;

static measures measure(const float *row, size_t n) {
  float max[LANES] = {0}, squares[LANES] = {0};
  measures of = {0, 0};
  for (size_t i = 0; i < n; i += LANES) {
#pragma GCC unroll 8
    for (size_t l = 0; l < LANES; l++) {
      float size = fabsf(row[i + l]);
      max[l] = size > max[l] ? size : max[l];
      squares[l] += size * size;
    }
  }
  for (size_t l = 0; l < LANES; l++) {
    of.max = max[l] > of.max ? max[l] : of.max;
    of.squares += (double)squares[l];
  }
  return of;
}

static void round_row(const float *row, size_t n, float factor, float size, uint8_t *code, aio__code_sums *sums) {
  float code_squares[LANES] = {0}, rest_squares[LANES] = {0}, whole[LANES];
  for (size_t i = 0; i < n; i += LANES) {
#pragma GCC unroll 8
    for (size_t l = 0; l < LANES; l++) {
      float rounded = round_to_even(row[i + l] * factor), rest = row[i + l] - rounded * size;
      whole[l] = rounded;
      code_squares[l] += rounded * rounded;
      rest_squares[l] += rest * rest;
    }
    for (size_t l = 0; l < LANES; l++) code[i + l] = (uint8_t)((int)whole[l] + AIO__CODE_ZERO);
  }
  for (size_t l = 0; l < LANES; l++) {
    sums->code += (double)code_squares[l];
    sums->rest += (double)rest_squares[l];
  }
}

static void add_halves(const uint8_t *code, size_t stride, aio__code_sums *sums) {
  int32_t high = 0, low = 0;
  for (size_t i = 0; i < stride; i++) {
    int32_t h = (code[i] >> 4) - AIO__HALF_ZERO, l = (code[i] & 15) - AIO__HALF_ZERO;
    high += h * h;
    low += l * l;
  }
  sums->high = high;
  sums->low = low;
}

static bool encode(const float *row, size_t dimensions, size_t stride, uint8_t *code, aio__code_fit *fit) {
  float last[LANES] = {0};
  size_t whole = dimensions / LANES * LANES, end = whole + (dimensions > whole ? LANES : 0);
  memcpy(last, row + whole, (dimensions - whole) * sizeof *row);
  measures first = measure(row, whole), then = measure(last, LANES);
  aio__code_sums sums = {.row = first.squares + then.squares};
  /* A NaN may hide from `max`, but not from the squares. */
  if (!(sums.row > 0.5 && sums.row < 2)) return false;
  float max = first.max > then.max ? first.max : then.max;
  float factor = (float)AIO__CODE_MAX / max, size = max / (float)AIO__CODE_MAX;
  round_row(row, whole, factor, size, code, &sums);
  round_row(last, end - whole, factor, size, code + whole, &sums);
  memset(code + end, AIO__CODE_ZERO, stride - end);
  add_halves(code, stride, &sums);
  sums.size = (double)size;
  return aio__code_fit_of(&sums, fit);
}

static void split(const uint8_t *code, size_t stride, uint8_t *high, uint8_t *low) {
  size_t half = stride / 2;
  for (size_t i = 0; i < half; i++) {
    high[i] = (uint8_t)(code[i] >> 4 | (code[half + i] & 0xf0));
    low[i] = (uint8_t)((code[i] & 15) | code[half + i] << 4);
  }
}

static int32_t dot(const uint8_t *code, const int8_t *query, size_t half) {
  int32_t sum = 0;
  for (size_t i = 0; i < half; i++) sum += (code[i] & 15) * query[i] + (code[i] >> 4) * query[half + i];
  return sum;
}

static void dots(const uint8_t *halves, size_t half, uint32_t rows, const int8_t *queries, size_t query_count,
                 int32_t *out, const uint8_t *next) {
  (void)next;
  for (size_t r = 0; r < AIO__BLOCK_ROWS; r++) {
    if ((rows >> r & 1) == 0) continue;
    for (size_t q = 0; q < query_count; q++)
      out[q * AIO__BLOCK_ROWS + r] = dot(halves + r * half, queries + q * 2 * half, half);
  }
}

static uint32_t pass(const int32_t *of, const uint16_t *units, const uint16_t *errors, const aio__code_cut *cut) {
  uint32_t rows = 0;
  for (size_t r = 0; r < AIO__BLOCK_ROWS; r++)
    rows |= (uint32_t)aio__code_passes(of[r], aio__short_value(units[r]), aio__short_value(errors[r]), cut) << r;
  return rows;
}

static uint32_t same(const uint64_t *numbers, uint64_t number) {
  uint32_t rows = 0;
  for (size_t r = 0; r < AIO__BLOCK_ROWS; r++) rows |= (uint32_t)(numbers[r] == number) << r;
  return rows;
}

static float mixed(const uint8_t *high, const uint8_t *low, const float *query, size_t half) {
  float lanes[LANES] = {0}, sum = 0;
  for (size_t i = 0; i < half; i += LANES) {
    for (size_t l = 0; l < LANES; l++) {
      int first = (high[i + l] & 15) << 4 | (low[i + l] & 15), second = (high[i + l] & 0xf0) | low[i + l] >> 4;
      lanes[l] += (float)(first - AIO__CODE_ZERO) * query[i + l];
      lanes[l] += (float)(second - AIO__CODE_ZERO) * query[half + i + l];
    }
  }
  for (size_t l = 0; l < LANES; l++) sum += lanes[l];
  return sum;
}

const aio__kernels aio__kernels_plain = {encode, split, dots, pass, same, mixed};
