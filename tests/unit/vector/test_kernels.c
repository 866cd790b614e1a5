/* lib/vector/kernels.c, kernels_plain.c, kernels_avx2.c, kernels_avx512.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "support/vector_table.h"
#include "vector/kernels.h"

static const size_t dimensions[] = {1,  2,  3,   15,  16,  17,  31,  32,   33,   63,
                                    64, 65, 96, 383, 384, 385, 768, 1024, 4096, 65536};
enum { DIMENSIONS = sizeof dimensions / sizeof dimensions[0] };

static uint32_t state = 1;

static uint32_t next_bits(void) {
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

/* Memory that ends where it ends, so that the address sanitizer sees a byte too many; aligned for queries. */
static void *take(size_t size) {
  void *memory = aligned_alloc(AIO__QUERY_ALIGN, (size + AIO__QUERY_ALIGN - 1) / AIO__QUERY_ALIGN * AIO__QUERY_ALIGN);
  assert_non_null(memory);
  return memory;
}

static float *row_of(size_t n, uint64_t number) {
  float *row = malloc(n * sizeof *row);
  assert_non_null(row);
  vector_random(number, n, row);
  return row;
}

static void test_kernels_of__plain_for_what_there_is_not(void **unused) {
  (void)unused;
  assert_ptr_equal(aio__kernels_of(AIO__CPU_PLAIN), &aio__kernels_plain);
  assert_ptr_equal(aio__kernels_of((aio__cpu)99), &aio__kernels_plain);
}

static void test_encode__same_code_at_every_level(void **unused) {
  (void)unused;
  for (size_t d = 0; d < DIMENSIONS; d++) {
    size_t n = dimensions[d], stride = aio__code_stride(n);
    for (uint64_t number = 0; number < (n > 2000 ? 2 : 20); number++) {
      float *row = row_of(n, number);
      uint8_t *first = malloc(stride), *code = malloc(stride);
      for (int level = 0; level <= (int)aio__cpu_best(); level++) {
        aio__code_fit fit;
        memset(code, 0xEE, stride);
        assert_true(aio__kernels_of((aio__cpu)level)->encode(row, n, stride, code, &fit));
        if (level == 0) memcpy(first, code, stride);
        assert_memory_equal(code, first, stride);
      }
      for (size_t i = n; i < stride; i++) assert_int_equal(first[i], AIO__CODE_ZERO);
      free(row);
      free(first);
      free(code);
    }
  }
}

/* Of the angle between a row and a direction made of its code. */
static double sine_of(const float *row, const double *of, size_t n) {
  double dot = 0, rr = 0, cc = 0, rest = 0;
  for (size_t i = 0; i < n; i++) {
    dot += of[i] * (double)row[i];
    rr += (double)row[i] * (double)row[i];
    cc += of[i] * of[i];
  }
  for (size_t i = 0; i < n; i++) {
    double off = (double)row[i] / sqrt(rr) - of[i] * dot / (cc * sqrt(rr));
    rest += off * off;
  }
  return sqrt(rest);
}

static double length_of(const double *of, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += of[i] * of[i];
  return sqrt(sum);
}

/* The promise that all bounds stand on. */
static void test_encode__error_is_not_below_the_angle(void **unused) {
  (void)unused;
  for (size_t d = 0; d < DIMENSIONS; d++) {
    size_t n = dimensions[d], stride = aio__code_stride(n);
    double *fine = malloc(n * sizeof *fine), *coarse = malloc(n * sizeof *coarse);
    uint8_t *code = malloc(stride);
    for (uint64_t number = 0; number < (n > 2000 ? 2 : 20); number++) {
      float *row = row_of(n, number);
      for (int level = 0; level <= (int)aio__cpu_best(); level++) {
        aio__code_fit fit;
        assert_true(aio__kernels_of((aio__cpu)level)->encode(row, n, stride, code, &fit));
        for (size_t i = 0; i < n; i++) {
          fine[i] = code[i] - AIO__CODE_ZERO;
          coarse[i] = (code[i] >> 4) - AIO__HALF_ZERO;
        }
        double sine = sine_of(row, fine, n), rough = sine_of(row, coarse, n);
        assert_true((double)fit.error >= sine);
        assert_true((double)fit.coarse_error >= rough);
        if (n >= 64) assert_true((double)fit.error <= sine * 1.05 + 2e-6); /* and not far above it */
        if (n >= 64) assert_true((double)fit.coarse_error <= rough * 1.15 + 2e-6);
        assert_true(fabs((double)fit.unit * length_of(fine, n) - 1) <= (double)AIO__CODE_ROUNDING(stride));
        assert_true(fabs((double)fit.coarse_unit * length_of(coarse, n) - 1) <= (double)AIO__CODE_ROUNDING(stride));
      }
      free(row);
    }
    free(fine);
    free(coarse);
    free(code);
  }
}

static void test_split__both_halves(void **unused) {
  (void)unused;
  for (size_t stride = AIO__CODE_STEP; stride <= 640; stride += AIO__CODE_STEP) {
    size_t half = stride / 2;
    uint8_t *code = malloc(stride), *high = malloc(half), *low = malloc(half);
    for (size_t i = 0; i < stride; i++) code[i] = (uint8_t)next_bits();
    for (int level = 0; level <= (int)aio__cpu_best(); level++) {
      aio__kernels_of((aio__cpu)level)->split(code, stride, high, low);
      for (size_t i = 0; i < half; i++) {
        assert_int_equal(code[i], (high[i] & 15) << 4 | (low[i] & 15));
        assert_int_equal(code[half + i], (high[i] & 0xf0) | low[i] >> 4);
      }
    }
    free(code);
    free(high);
    free(low);
  }
}

static void test_short_of__never_below(void **unused) {
  (void)unused;
  for (int i = 0; i < 1000; i++) {
    float value = (float)(next_bits() % 100000 + 1) / 70000, rounded = aio__short_value(aio__short_of(value));
    assert_true(rounded >= value && rounded <= value * (1 + 2 * AIO__SHORT_ROUNDING));
  }
  assert_float_equal(aio__short_value(aio__short_of(0.25f)), 0.25, 0);
}

static void test_encode__refuses_what_is_no_unit_vector(void **unused) {
  (void)unused;
  static const float wrong[] = {NAN, -NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 2};
  enum { N = 100 };
  uint8_t code[128];
  aio__code_fit fit;
  for (int level = 0; level <= (int)aio__cpu_best(); level++) {
    const aio__kernels *k = aio__kernels_of((aio__cpu)level);
    float zero[N] = {0};
    assert_false(k->encode(zero, N, sizeof code, code, &fit));
    for (size_t at = 0; at < N; at++) {
      float *row = row_of(N, at);
      for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++) {
        float right = row[at];
        row[at] = wrong[w];
        assert_false(k->encode(row, N, sizeof code, code, &fit));
        row[at] = right;
      }
      assert_true(k->encode(row, N, sizeof code, code, &fit));
      free(row);
    }
    const float lengths[] = {0.5f, 0.998f, 0.9991f, 1.0009f, 1.002f, 2};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
      float *row = row_of(N, i);
      for (size_t j = 0; j < N; j++) row[j] *= lengths[i];
      assert_int_equal(k->encode(row, N, sizeof code, code, &fit), fabsf(lengths[i] - 1) < 1e-3f);
      free(row);
    }
  }
}

/* One component that is the whole length, and others that vanish beside it. */
static void test_encode__all_in_one_component(void **unused) {
  (void)unused;
  uint8_t code[64];
  aio__code_fit fit;
  for (int level = 0; level <= (int)aio__cpu_best(); level++) {
    for (size_t at = 0; at < 40; at++) {
      float row[40] = {0};
      row[at] = at % 2 == 0 ? 1 : -1;
      row[(at + 1) % 40] = 1e-40f;
      assert_true(aio__kernels_of((aio__cpu)level)->encode(row, 40, sizeof code, code, &fit));
      for (size_t i = 0; i < 64; i++)
        assert_int_equal(code[i], AIO__CODE_ZERO + (i != at ? 0 : at % 2 == 0 ? AIO__CODE_MAX : -AIO__CODE_MAX));
      assert_true(fit.error < 1e-5f);
    }
  }
}

static int32_t plain_dot(const uint8_t *code, const int8_t *query, size_t half) {
  int64_t sum = 0;
  for (size_t i = 0; i < half; i++) sum += (code[i] & 15) * query[i] + (code[i] >> 4) * query[half + i];
  assert_true(sum == (int32_t)sum);
  return (int32_t)sum;
}

enum { NOTHING = 0x5EED5EED };

static void check_dots(const aio__kernels *k, const uint8_t *codes, size_t half, const int8_t *queries, size_t count,
                       uint32_t rows) {
  int32_t *dots = malloc(count * AIO__BLOCK_ROWS * sizeof *dots);
  for (size_t i = 0; i < count * AIO__BLOCK_ROWS; i++) dots[i] = NOTHING;
  k->dots(codes, half, rows, queries, count, dots, rows % 2 == 0 ? NULL : codes);
  for (size_t q = 0; q < count; q++) {
    for (size_t r = 0; r < AIO__BLOCK_ROWS; r++) {
      int32_t dot = dots[q * AIO__BLOCK_ROWS + r];
      if ((rows >> r & 1) == 0) assert_int_equal(dot, NOTHING);
      else assert_int_equal(dot, plain_dot(codes + r * half, queries + q * 2 * half, half));
    }
  }
  free(dots);
}

static void test_dots__integers_as_in_plain_c(void **unused) {
  (void)unused;
  static const uint32_t rows[] = {UINT32_MAX, 1, 0x80000000, 0x7, 0x10101, 0x7fffffff, 0x0ff0ff00, 0};
  for (size_t half = 32; half <= 512; half += half < 320 ? 32 : 192) {
    uint8_t *codes = malloc(AIO__BLOCK_ROWS * half);
    for (size_t i = 0; i < AIO__BLOCK_ROWS * half; i++) codes[i] = (uint8_t)next_bits();
    for (size_t count = 1; count <= 18; count += count < 10 ? 1 : 4) {
      int8_t *queries = take(count * 2 * half);
      for (size_t i = 0; i < count * 2 * half; i++)
        queries[i] = (int8_t)((int32_t)(next_bits() % (2 * AIO__QUERY_MAX + 1)) - AIO__QUERY_MAX);
      for (int level = 0; level <= (int)aio__cpu_best(); level++)
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
          check_dots(aio__kernels_of((aio__cpu)level), codes, half, queries, count, rows[i]);
      free(queries);
    }
    free(codes);
  }
}

/* The largest sums there can be: they fit. */
static void test_dots__the_largest_fit(void **unused) {
  (void)unused;
  enum { HALF = AIO__INDEX_DIMENSIONS_MAX / 2, QUERIES = 9 };
  uint8_t *codes = malloc(HALF);
  int8_t *queries = take(QUERIES * 2 * HALF);
  memset(codes, 255, HALF);
  for (int sign = -1; sign <= 1; sign += 2) {
    memset(queries, sign * AIO__QUERY_MAX, QUERIES * 2 * HALF);
    for (int level = 0; level <= (int)aio__cpu_best(); level++)
      check_dots(aio__kernels_of((aio__cpu)level), codes, HALF, queries, QUERIES, 1);
    int64_t dot = plain_dot(codes, queries, HALF), whole = 16 * dot + dot;
    assert_true(whole == (int32_t)whole);
  }
  free(codes);
  free(queries);
}

/* A block ends with its last row that is written: others may not be touched. The address sanitizer watches. */
static void test_dots__touches_no_other_row(void **unused) {
  (void)unused;
  for (uint32_t rows = 1; rows <= 5; rows++) {
    for (size_t half = 32; half <= 160; half += 32) {
      uint8_t *codes = malloc(rows * half);
      int8_t *queries = take(8 * 2 * half);
      memset(codes, 7, rows * half);
      memset(queries, 3, 8 * 2 * half);
      for (int level = 0; level <= (int)aio__cpu_best(); level++) {
        check_dots(aio__kernels_of((aio__cpu)level), codes, half, queries, 1, (1u << rows) - 1);
        check_dots(aio__kernels_of((aio__cpu)level), codes, half, queries, 8, (1u << rows) - 1);
      }
      free(codes);
      free(queries);
    }
  }
}

static void test_pass__as_the_rule_says(void **unused) {
  (void)unused;
  for (int round = 0; round < 200; round++) {
    int32_t dots[AIO__BLOCK_ROWS];
    uint16_t units[AIO__BLOCK_ROWS], errors[AIO__BLOCK_ROWS];
    aio__code_cut cut = {.shift = (int32_t)(next_bits() % 2000) - 1000, .unit = 1.0f / 900, .error = 0.004f};
    cut.floor = (float)(next_bits() % 2000) / 1000 - 1;
    cut.slope = sqrtf(1 - cut.floor * cut.floor);
    for (size_t r = 0; r < AIO__BLOCK_ROWS; r++) {
      dots[r] = (int32_t)(next_bits() % 1800001) - 900000;
      units[r] = aio__short_of(1.0f / (float)(900 + next_bits() % 100));
      errors[r] = aio__short_of((float)(next_bits() % 100 + 1) / 10000);
    }
    for (int level = 0; level <= (int)aio__cpu_best(); level++) {
      uint32_t passed = aio__kernels_of((aio__cpu)level)->pass(dots, units, errors, &cut);
      for (size_t r = 0; r < AIO__BLOCK_ROWS; r++) {
        float unit = aio__short_value(units[r]), error = aio__short_value(errors[r]);
        double off = (double)error + (double)cut.error;
        double near = ((double)dots[r] - cut.shift) * (double)unit * (double)cut.unit;
        double least = near + off * ((double)cut.slope + off);
        if (fabs(least - (double)cut.floor) < 1e-5) continue; /* either is right */
        assert_int_equal(passed >> r & 1, least >= (double)cut.floor);
        assert_int_equal(aio__code_passes(dots[r], unit, error, &cut), least >= (double)cut.floor);
      }
    }
  }
}

static void test_same__every_row(void **unused) {
  (void)unused;
  for (int round = 0; round < 100; round++) {
    uint64_t numbers[AIO__BLOCK_ROWS], number = (uint64_t)(next_bits() % 2) << 60 | 5;
    uint32_t rows = 0;
    for (size_t r = 0; r < AIO__BLOCK_ROWS; r++) {
      numbers[r] = (uint64_t)(next_bits() % 2) << 60 | (4 + next_bits() % 2);
      rows |= (uint32_t)(numbers[r] == number) << r;
    }
    for (int level = 0; level <= (int)aio__cpu_best(); level++)
      assert_int_equal(aio__kernels_of((aio__cpu)level)->same(numbers, number), rows);
  }
}

/* Whatever the vectors, what is as near as the floor passes: the geometry of the rule. */
static void test_code_passes__all_that_reach_the_floor(void **unused) {
  (void)unused;
  enum { N = 8 };
  size_t refused = 0;
  for (uint64_t number = 0; number < 4000; number++) {
    float a[N], b[N];
    uint8_t code[64], other[64];
    aio__code_fit row, query;
    vector_random(number, N, a);
    vector_random(number * 31 + 5, N, b);
    for (size_t i = 0; i < N; i++) b[i] = a[i] + b[i] * (float)(number % 40) / 10;
    double length = 0, similarity = 0;
    for (size_t i = 0; i < N; i++) length += (double)b[i] * (double)b[i];
    for (size_t i = 0; i < N; i++) b[i] = (float)((double)b[i] / sqrt(length));
    for (size_t i = 0; i < N; i++) similarity += (double)a[i] * (double)b[i];
    assert_true(aio__kernels_plain.encode(a, N, 64, code, &row));
    assert_true(aio__kernels_plain.encode(b, N, 64, other, &query));
    int32_t dot = 0, coarse = 0;
    for (size_t i = 0; i < N; i++) {
      dot += (code[i] - AIO__CODE_ZERO) * (other[i] - AIO__CODE_ZERO);
      coarse += ((code[i] >> 4) - AIO__HALF_ZERO) * (other[i] - AIO__CODE_ZERO);
    }
    for (int step = -4; step <= 4; step++) {
      float floor = (float)similarity + (float)step * 0.01f;
      aio__code_cut cut = {.unit = query.unit, .error = query.error, .floor = floor - 1e-6f,
                           .slope = fabsf(floor) < 1 ? sqrtf(1 - floor * floor) : 0};
      bool passes = aio__code_passes(dot, row.unit, row.error, &cut);
      if (step <= 0) assert_true(passes);
      if (step <= 0) assert_true(aio__code_passes(coarse, row.coarse_unit, row.coarse_error, &cut));
      refused += !passes;
    }
  }
  assert_true(refused > 4000); /* and it is good for something */
}

static void test_mixed__as_in_f64(void **unused) {
  (void)unused;
  for (size_t d = 0; d < DIMENSIONS; d++) {
    size_t n = dimensions[d], stride = aio__code_stride(n), half = stride / 2;
    float *row = row_of(n, d), *query = take(stride * sizeof *query);
    uint8_t *code = malloc(stride), *high = malloc(half), *low = malloc(half);
    aio__code_fit fit;
    memset(query, 0, stride * sizeof *query);
    vector_random(d + 100, n, query);
    for (int level = 0; level <= (int)aio__cpu_best(); level++) {
      const aio__kernels *k = aio__kernels_of((aio__cpu)level);
      double sum = 0;
      assert_true(k->encode(row, n, stride, code, &fit));
      k->split(code, stride, high, low);
      for (size_t i = 0; i < n; i++) sum += (code[i] - AIO__CODE_ZERO) * (double)query[i];
      double off = fabs((double)k->mixed(high, low, query, half) - sum) * (double)fit.unit;
      assert_true(off <= (double)AIO__CODE_ROUNDING(stride));
    }
    free(row);
    free(query);
    free(code);
    free(high);
    free(low);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_kernels_of__plain_for_what_there_is_not),
    cmocka_unit_test(test_encode__same_code_at_every_level),
    cmocka_unit_test(test_encode__error_is_not_below_the_angle),
    cmocka_unit_test(test_encode__refuses_what_is_no_unit_vector),
    cmocka_unit_test(test_encode__all_in_one_component),
    cmocka_unit_test(test_split__both_halves),
    cmocka_unit_test(test_short_of__never_below),
    cmocka_unit_test(test_dots__integers_as_in_plain_c),
    cmocka_unit_test(test_dots__the_largest_fit),
    cmocka_unit_test(test_dots__touches_no_other_row),
    cmocka_unit_test(test_pass__as_the_rule_says),
    cmocka_unit_test(test_same__every_row),
    cmocka_unit_test(test_code_passes__all_that_reach_the_floor),
    cmocka_unit_test(test_mixed__as_in_f64),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
