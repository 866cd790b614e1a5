/*
 * The inner loops of the index: making codes of rows, and dot products of codes. Written once in plain C and once a
 * level of instructions (cpu.h). Codes and integer dot products are the same at every level; what is added up in f32
 * differs between levels in its last digits, by less than the room that each bound leaves (AIO__CODE_ROUNDING).
 *
 * The code of a row is a byte a dimension: round(component * 127 / the largest component) + 128, so 1 to 255. It is
 * padded to a multiple of AIO__CODE_STEP with what a zero becomes. The code of a query is signed and not shifted; its
 * padding is zero, so that what stands in the padding of a row does not matter.
 */
#ifndef AIO_VECTOR_KERNELS_H
#define AIO_VECTOR_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vector/cpu.h"

enum {
  AIO__BLOCK_ROWS = 32,
  AIO__CODE_STEP = 32,
  AIO__CODE_ZERO = 128,
  AIO__CODE_MAX = 127,
  AIO__QUERY_ALIGN = 64 /* where a query's code begins, and what its length in memory is a multiple of */
};

/* How a row lies to its code c, taken as a direction. */
typedef struct aio__code_fit {
  float unit;  /* 1 / |c| */
  float error; /* not below the sine of the angle between the row and c */
} aio__code_fit;

/* Which of a block's rows may be as similar to a query as `floor`. */
typedef struct aio__code_cut {
  int32_t shift; /* 128 times the sum of the query's code: what the shift of the rows' codes adds to each dot product */
  float unit;    /* 1 / |the query's code| */
  float error;   /* not below the sine of the angle between the query and its code; rounding included */
  float floor;   /* below -1: all may */
  float slope;   /* not below sqrt(1 - floor * floor) */
} aio__code_cut;

typedef struct aio__kernels {
  /* The largest component of a query's code: the dot products of what is larger would not fit. */
  int32_t query_max;
  /* Writes `stride` bytes of code. False when the row's length is not 1 within AIO__UNIT_SLACK, or not finite. */
  bool (*encode)(const float *row, size_t dimensions, size_t stride, uint8_t *code, aio__code_fit *fit);
  /* dots[q * AIO__BLOCK_ROWS + r] for each bit r of `rows` and each query; codes of rows are `stride` bytes apart,
   * those of queries aio__query_stride(stride). Touches no row but those. `next` (NULL: nothing): codes that will be
   * asked for next, so that their memory is on its way meanwhile. */
  void (*dots)(const uint8_t *codes, size_t stride, uint32_t rows, const int8_t *queries, size_t query_count,
               int32_t *dots, const uint8_t *next);
  /* All of a block's rows: bit r when dots[r] may be at or above the cut's floor. */
  uint32_t (*pass)(const int32_t *dots, const float *units, const float *errors, const aio__code_cut *cut);
  /* All of a block's rows: bit r when numbers[r] is `number`. */
  uint32_t (*same)(const uint64_t *numbers, uint64_t number);
  /* Of a row's code (not shifted) and a query in f32, of which `stride` components are there. */
  float (*mixed)(const uint8_t *code, const float *query, size_t stride);
} aio__kernels;

/* How far from 1 the length of a vector may be. */
#define AIO__UNIT_SLACK 1e-3

/* Not below the error of a sum of `n` f32 products at any level, as a share of the product of the factors' lengths:
 * each level adds at least eight sums side by side. */
#define AIO__CODE_ROUNDING(n) ((float)((n) / 8 + 32) * 6e-8f)

static inline size_t aio__code_stride(size_t dimensions) {
  return (dimensions + AIO__CODE_STEP - 1) / AIO__CODE_STEP * AIO__CODE_STEP;
}

static inline size_t aio__query_stride(size_t code_stride) {
  return (code_stride + AIO__QUERY_ALIGN - 1) / AIO__QUERY_ALIGN * AIO__QUERY_ALIGN;
}

/* The angle from the code of a row to that of the query, less what both codes may be off, is what the floor is compared
 * with: cos(a - b - c) <= cos a + E (sin f + E) wherever it reaches cos f, with E = sin b + sin c. */
static inline bool aio__code_passes(int32_t dot, float unit, float error, const aio__code_cut *cut) {
  float off = error + cut->error;
  return (float)(dot - cut->shift) * (unit * cut->unit) + off * (cut->slope + off) >= cut->floor;
}

/* The kernels of a level that this machine has (aio__cpu_best); those of plain C for a level that this build lacks. */
const aio__kernels *aio__kernels_of(aio__cpu cpu);

/* The fit from what a level has added up: the squares of the code, and of the row less its code. */
bool aio__code_fit_of(double row_squares, double code_squares, double rest_squares, aio__code_fit *fit);

#if defined(__x86_64__) && defined(__GNUC__)
#define AIO__KERNELS_X86 1
extern const aio__kernels aio__kernels_avx2, aio__kernels_avx512;
#endif
extern const aio__kernels aio__kernels_plain;

#endif
