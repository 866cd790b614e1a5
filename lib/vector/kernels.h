/*
 * The inner loops of the index: making codes of rows, and dot products of codes. Written once in plain C and once a
 * level of instructions (cpu.h). Codes and integer dot products are the same at every level; what is added up in f32
 * differs between levels in its last digits, by less than the room that each bound leaves (AIO__CODE_ROUNDING).
 *
 * The code of a row is a byte a dimension: round(component * 119 / the largest component) + 136, so 17 to 255. It is
 * padded to a multiple of AIO__CODE_STEP with what a zero becomes. The upper four bits of a byte are a coarse code of
 * their own (component * 7.4 / the largest, rounded, + 8), and the lower four what is missing to the fine one. They are
 * kept apart, as two halves of the code, so that a search reads the lower half only where the upper one leaves doubt.
 * Byte j of a half has dimension j in its lower bits and dimension j + stride / 2 in its upper ones.
 *
 * The code of a query is signed and not shifted; its padding is zero, so that what stands in the padding of a row does
 * not matter.
 */
#ifndef AIO_VECTOR_KERNELS_H
#define AIO_VECTOR_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vector/cpu.h"

enum {
  AIO__BLOCK_ROWS = 32,
  AIO__CODE_STEP = 64,
  AIO__CODE_MAX = 119,
  AIO__CODE_ZERO = 136,
  AIO__HALF_ZERO = 8,
  AIO__QUERY_MAX = 127,
  AIO__QUERY_ALIGN = 64 /* where a query's code begins */
};

/* How a row lies to its codes, taken as directions. */
typedef struct aio__code_fit {
  float unit;         /* 1 / |code| */
  float error;        /* not below the sine of the angle between the row and the code */
  float coarse_unit;  /* the same of the coarse code */
  float coarse_error;
} aio__code_fit;

/* What a level has added up of a row. */
typedef struct aio__code_sums {
  double row, rest;   /* squares of the row, and of the row less its code */
  double code;        /* squares of the code, */
  double high, low;   /* of the coarse code, and of 16 times the coarse less the fine one */
  double size;        /* of a step of the code */
} aio__code_sums;

/* Which rows may be as similar to a query as `floor`. */
typedef struct aio__code_cut {
  int32_t shift; /* what the shift of the rows' codes adds to each dot product */
  float unit;    /* 1 / |the query's code| */
  float error;   /* not below the sine of the angle between the query and its code */
  float floor;   /* below -1: all may */
  float slope;   /* not below sqrt(1 - floor * floor) */
} aio__code_cut;

typedef struct aio__kernels {
  /* Writes `stride` bytes of code. False when the row's length is not 1 within AIO__UNIT_SLACK, or not finite. */
  bool (*encode)(const float *row, size_t dimensions, size_t stride, uint8_t *code, aio__code_fit *fit);
  /* The halves of a code: stride / 2 bytes each. */
  void (*split)(const uint8_t *code, size_t stride, uint8_t *high, uint8_t *low);
  /* dots[q * AIO__BLOCK_ROWS + r] for each bit r of `rows` and each query, of either half; those of rows are `half`
   * bytes apart, codes of queries twice as many. Touches no row but those. `next` (NULL: nothing): what will be asked
   * for next, so that its memory is on its way meanwhile. */
  void (*dots)(const uint8_t *halves, size_t half, uint32_t rows, const int8_t *queries, size_t query_count,
               int32_t *dots, const uint8_t *next);
  /* All of a block's rows: bit r when dots[r] may be at or above the cut's floor. Units and errors: aio__short_of. */
  uint32_t (*pass)(const int32_t *dots, const uint16_t *units, const uint16_t *errors, const aio__code_cut *cut);
  /* All of a block's rows: bit r when numbers[r] is `number`. */
  uint32_t (*same)(const uint64_t *numbers, uint64_t number);
  /* Of a row's code (not shifted) and a query in f32, of which twice `half` components are there. */
  float (*mixed)(const uint8_t *high, const uint8_t *low, const float *query, size_t half);
} aio__kernels;

/* How far from 1 the length of a vector may be. */
#define AIO__UNIT_SLACK 1e-3

/* Not below the error of a sum of `n` f32 products at any level, as a share of the product of the factors' lengths:
 * each level adds at least eight sums side by side. */
#define AIO__CODE_ROUNDING(n) ((float)((n) / 8 + 32) * 6e-8f)

/* Not below the error of a similarity by a unit of 16 bits. */
#define AIO__SHORT_ROUNDING (1.0f / 256)

static inline size_t aio__code_stride(size_t dimensions) {
  return (dimensions + AIO__CODE_STEP - 1) / AIO__CODE_STEP * AIO__CODE_STEP;
}

/* The upper 16 bits of a positive f32, rounded up. */
static inline uint16_t aio__short_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (uint16_t)((bits + 0xffff) >> 16);
}

static inline float aio__short_value(uint16_t rounded) {
  uint32_t bits = (uint32_t)rounded << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* The angle from the code of a row to that of the query, less what both codes may be off, is what the floor is compared
 * with: cos(a - b - c) <= cos a + E (sin f + E) wherever it reaches cos f, with E = sin b + sin c. */
static inline bool aio__code_passes(int32_t dot, float unit, float error, const aio__code_cut *cut) {
  float off = error + cut->error;
  return (float)(dot - cut->shift) * (unit * cut->unit) + off * (cut->slope + off) >= cut->floor;
}

/* The kernels of a level that this machine has (aio__cpu_best); those of plain C for a level that this build lacks. */
const aio__kernels *aio__kernels_of(aio__cpu cpu);

/* False when the row's length is not 1. */
bool aio__code_fit_of(const aio__code_sums *sums, aio__code_fit *fit);

#if defined(__x86_64__) && defined(__GNUC__)
#define AIO__KERNELS_X86 1
extern const aio__kernels aio__kernels_avx2, aio__kernels_avx512;
#endif
extern const aio__kernels aio__kernels_plain;

#endif
