/*
 * The arithmetic of the encoder, once in plain C and once a level of vector/cpu.h. A level is a table of functions; all have
 * the same contract:
 *
 * - Row by row: what comes out of a row depends on that row alone, never on how many there are or where they stand.
 * - f32 results of two levels differ by rounding (relative error of a product of k terms: below k * 2^-24). The integers
 *   that `quantize` makes of the same floats, and the integer part of `matmul_i8`, are equal at all levels.
 * - No level reads or writes outside of what it is given; pointers need no alignment beyond that of their type.
 *
 * A packed matrix [n][k] (n columns of the result, k terms each) lies in panels of AIO__PANEL columns: f32 as
 * [n / 32][k][32], bytes as [n / 32][k / 4][32][4], so that both are read from front to back. Bytes and codes have their terms
 * in the order of aio__code_place.
 *
 * Codes are bounded so that AVX2, which adds products of bytes in 16 bits, is exact: two codes that are multiplied by one
 * instruction (terms i and i + 16) add up to no more than 128 (times a weight of at most 255: below 2^15), and eight that are
 * added up before they are widened, the group of those of 128 terms that are equal modulo 16, have bounded squares, as the
 * weights of the group have: their product is below 2^15 (Cauchy and Schwarz).
 */
#ifndef AIO_EMBEDDERS_KERNELS_H
#define AIO_EMBEDDERS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "vector/cpu.h"

enum {
  AIO__PANEL = 32,           /* columns; sizes of a model are multiples of it */
  AIO__STEP = 16,            /* columns of `matmul_f32` are a multiple of this */
  AIO__ROTATION_MAX = 128,   /* terms that `quantize` mixes at once */
  AIO__CURVE_TERMS = 17,
  AIO__CURVE_ROUGH_TERMS = 10,
  AIO__CODE_MAX = 127,       /* of a quantized activation; weights have the same, stored + 128 */
  AIO__CODE_TRIES = 8,       /* at a number that bounds the squares: two are enough for finite terms */
  AIO__CODE_GROUPS = 16,     /* of AIO__ROTATION_MAX terms */
  AIO__CODE_SQUARES = 32400, /* sum of the squares of a group's codes, */
  AIO__WEIGHT_SQUARES = 33138 /* and of its weights: their product is below (2^15 - 1)^2 */
};

#define AIO__CODE_LEAST 1e-30f /* a row without a greater number has codes of 0 */

/* An activation function f with f(x) = max(x, 0) - t(|x|): t as a polynomial in 2 |x| / end - 1, highest power first, and as at
 * the end beyond it. The absolute error of f is below 5e-7; that of the rough one, for what is rounded to codes, below 2e-4. */
typedef struct aio__curve {
  float end;
  float terms[AIO__CURVE_TERMS];
  float rough_end;
  float rough[AIO__CURVE_ROUGH_TERMS];
} aio__curve;

extern const aio__curve aio__curve_gelu;      /* x * (1 + erf(x / sqrt 2)) / 2 */
extern const aio__curve aio__curve_gelu_tanh; /* its approximation by tanh, as GPT-2 has it */

/* out[r][j] = (sum over i of a[r][i] * b[i][j]) * row_scale[r] + bias[j]; either may be NULL. Column j of b begins at
 * b + j / 32 * panel + j % 32, its terms are `ldb` apart. n is a multiple of AIO__STEP. */
typedef struct aio__matmul_f32 {
  const float *a, *b, *bias, *row_scale;
  float *out;
  size_t lda, ldb, panel, ldo, rows, k, n;
} aio__matmul_f32;

/* Rows of codes as `quantize` makes them, times a packed matrix of bytes: out[r][j] =
 * (sum over i of codes[r][i] * (b[j][i] - 128)) * scale[r] * column_scale[j] + bias[j]. k and n are multiples of AIO__PANEL. */
typedef struct aio__matmul_i8 {
  const int8_t *codes; /* rows, aio__code_row(k) apart */
  const float *scale;
  const int32_t *sum;
  const uint8_t *b;
  const float *column_scale, *bias;
  float *out;
  size_t ldo, rows, k, n;
} aio__matmul_i8;

/* For each row: applies `curve` (its rough form; NULL: nothing), mixes each `rotation` terms by a Hadamard matrix of +1 and -1 (32, 64 or
 * 128 divides n), and rounds to codes: x' = code * scale. `sum` is that of a row's codes, times 128. Behind the codes of a row
 * lie numbers of 16 bits, for each 128 terms one a group: its codes' sum times -128, modulo 2^16; groups l and l + 8 are
 * neighbours. */
typedef struct aio__quantize {
  const float *x;
  const aio__curve *curve;
  int8_t *codes;
  float *scale;
  int32_t *sum;
  float *scratch; /* n of them */
  size_t ldx, rows, n, rotation;
} aio__quantize;

typedef struct aio__bert_kernels {
  void (*matmul_f32)(const aio__matmul_f32 *m);
  void (*matmul_i8)(const aio__matmul_i8 *m);
  void (*quantize)(const aio__quantize *q);
  void (*curve)(const aio__curve *curve, float *x, size_t n); /* in place; n is a multiple of AIO__STEP */
  /* Rows of n numbers, `stride` apart, to columns: to[j][i] = from[i][j], 0 beyond the rows. n is a multiple of 8, span one of
   * AIO__STEP. */
  void (*turn)(const float *from, size_t stride, size_t rows, size_t n, size_t span, float *to);
  /* x[r] = (x[r] + y[r] - mean) / sqrt(variance + eps) * gamma + beta, in place; y may be NULL. n is a
   * multiple of AIO__PANEL. */
  void (*norm)(float *x, const float *y, const float *gamma, const float *beta, float eps, size_t rows, size_t n);
  /* x[r][i] = 2 ^ (factor * (x[r][i] - greatest of the row)), in place, and inverse[r] = 1 / their sum. The rows are
   * `ld` apart, a multiple of AIO__STEP; what lies between n and ld is used as room and is 0 afterwards. */
  void (*softmax)(float *x, float *inverse, float factor, size_t rows, size_t n, size_t ld);
} aio__bert_kernels;

/* What `cpu` names, or the best below it that is in this build. */
const aio__bert_kernels *aio__bert_kernels_for(aio__cpu cpu);

/* The levels; those that this build lacks are NULL. */
extern const aio__bert_kernels *const aio__bert_kernels_plain, *const aio__bert_kernels_avx2, *const aio__bert_kernels_avx512;

/* Where in a row of n codes the one of term i is: of each 32 terms l, l + 16, l + 8 and l + 24 are together (l < 8), and of 128
 * those of one l. What is left at the end of a row is as if there were no more to a group. */
size_t aio__code_place(size_t i, size_t n);
/* Bytes from row to row. */
size_t aio__code_row(size_t n);
/* `most` or a greater number: that which becomes AIO__CODE_MAX when x is rounded to codes none of whose groups has more squares
 * than the limit. */
float aio__code_most(const float *x, size_t n, float most, int32_t limit);
/* A step of it: the next number to try, after codes of which a group has so many squares (counted up to 65535). */
float aio__code_most_next(float most, int32_t squares, int32_t limit);
/* [n][k] row by row, as a model file has it, to panels; k and n are multiples of AIO__PANEL. */
void aio__pack_f32(const float *rows, size_t first, size_t count, size_t k, float *panels);
/* The same for codes of -127 .. 127. */
void aio__pack_i8(const int8_t *rows, size_t first, size_t count, size_t k, uint8_t *panels);
/* Mixes `rotation` terms at a time, in place, as `quantize` does. */
void aio__rotate(float *x, size_t n, size_t rotation);
/* The largest of 128, 64, 32 that divides n, a multiple of 32. */
size_t aio__rotation_of(size_t n);

#endif
