/* lib/embedders/local/bert_kernels*.c: every level that this machine has, beside plain arithmetic in double precision. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "embedders/local/bert_kernels.h"

enum { ROWS_MAX = 21, K_MAX = 384, N_MAX = 96, GUARD = 64 };

static uint32_t seed = 1;

static float random_float(float spread) {
  seed = seed * 1664525u + 1013904223u;
  return ((float)(seed >> 8) / (float)(1 << 24) - 0.5f) * 2 * spread;
}

static float *random_floats(size_t n, float spread) {
  float *x = malloc(n * sizeof *x);
  assert_non_null(x);
  for (size_t i = 0; i < n; i++) x[i] = random_float(spread);
  return x;
}

/* The levels that can run here, the best first. */
static size_t levels(const aio__bert_kernels *out[3]) {
  size_t n = 0;
  for (int cpu = (int)aio__cpu_best(); cpu >= AIO__CPU_PLAIN; cpu--) out[n++] = aio__bert_kernels_for((aio__cpu)cpu);
  return n;
}

#define each_level(k)                                                                      \
  const aio__bert_kernels *list_[3], *k;                                                        \
  for (size_t i_ = 0, n_ = levels(list_); i_ < n_ && (k = list_[i_]) != NULL; i_++)

static void test_kernels_for__gives_what_the_build_has(void **state) {
  (void)state;
  assert_ptr_equal(aio__bert_kernels_for(AIO__CPU_PLAIN), aio__bert_kernels_plain);
  assert_non_null(aio__bert_kernels_for(AIO__CPU_AVX512));
#if defined(__x86_64__)
  assert_ptr_equal(aio__bert_kernels_for(AIO__CPU_AVX2), aio__bert_kernels_avx2);
  assert_ptr_equal(aio__bert_kernels_for(AIO__CPU_AVX512), aio__bert_kernels_avx512);
  assert_true(aio__bert_kernels_avx2 != NULL && aio__bert_kernels_avx512 != NULL);
#endif
}

/* ---- products of f32 ---- */

static void check_f32(const aio__bert_kernels *k, size_t rows, size_t terms, size_t n) {
  const size_t panels = (n + AIO__PANEL - 1) / AIO__PANEL, ldo = n + 5;
  float *a = random_floats(rows * terms, 1), *w = random_floats(panels * AIO__PANEL * terms, 1);
  float *packed = malloc(panels * AIO__PANEL * terms * sizeof *packed), *bias = random_floats(n, 1);
  float *scale = random_floats(rows, 1), *out = malloc(((rows - 1) * ldo + n + GUARD) * sizeof *out);
  for (size_t i = 0; i < (rows - 1) * ldo + n + GUARD; i++) out[i] = 77;
  aio__pack_f32(w, 0, panels * AIO__PANEL, terms, packed);
  const aio__matmul_f32 m = {.a = a, .b = packed, .bias = bias, .row_scale = scale, .out = out, .lda = terms,
                             .ldb = AIO__PANEL, .panel = AIO__PANEL * terms, .ldo = ldo, .rows = rows, .k = terms, .n = n};
  k->matmul_f32(&m);
  for (size_t r = 0; r < rows; r++) {
    for (size_t j = 0; j < n; j++) {
      double sum = 0, size = 0;
      for (size_t i = 0; i < terms; i++) {
        sum += (double)a[r * terms + i] * (double)w[j * terms + i];
        size += fabs((double)a[r * terms + i] * (double)w[j * terms + i]);
      }
      double want = sum * (double)scale[r] + (double)bias[j], most = ldexp(size + 1, -23) * 4;
      if (fabs((double)out[r * ldo + j] - want) > most) fail_msg("row %zu column %zu", r, j);
    }
    for (size_t j = n; r + 1 < rows && j < ldo; j++) assert_true(out[r * ldo + j] >= 77 && out[r * ldo + j] <= 77);
  }
  for (size_t i = 0; i < GUARD; i++) assert_true(out[(rows - 1) * ldo + n + i] >= 77 && out[(rows - 1) * ldo + n + i] <= 77);
  free(a), free(w), free(packed), free(bias), free(scale), free(out);
}

static void test_matmul_f32__any_number_of_rows_terms_and_columns(void **state) {
  (void)state;
  each_level(k) {
    for (size_t rows = 1; rows <= ROWS_MAX; rows++) {
      check_f32(k, rows, 1 + rows * 3 % 40, 16);
      check_f32(k, rows, 32, 32);
      check_f32(k, rows, 40, 80);
    }
    check_f32(k, 9, K_MAX, N_MAX);
  }
}

/* As attention uses it: columns that lie in rows of something wider, neither bias nor scale. */
static void test_matmul_f32__columns_inside_of_wider_rows(void **state) {
  (void)state;
  enum { TERMS = 37, WIDE = 100, N = 48 };
  float *values = random_floats(TERMS * WIDE, 1), *a = random_floats(5 * TERMS, 1), out[5 * N];
  each_level(k) {
    const aio__matmul_f32 m = {.a = a, .b = values + 3, .out = out, .lda = TERMS, .ldb = WIDE, .panel = AIO__PANEL,
                               .ldo = N, .rows = 5, .k = TERMS, .n = N};
    k->matmul_f32(&m);
    for (size_t r = 0; r < 5; r++) {
      for (size_t j = 0; j < N; j++) {
        double sum = 0;
        for (size_t i = 0; i < TERMS; i++) sum += (double)a[r * TERMS + i] * (double)values[i * WIDE + 3 + j];
        assert_true(fabs((double)out[r * N + j] - sum) < 1e-5);
      }
    }
  }
  free(values), free(a);
}

/* ---- activations ---- */

static double gelu(double x) {
  return x * (1 + erf(x / sqrt(2))) / 2;
}

static double gelu_tanh(double x) {
  return x * (1 + tanh(sqrt(2 / 3.14159265358979) * (x + 0.044715 * x * x * x))) / 2;
}

static void check_curve(const aio__bert_kernels *k, const aio__curve *curve, double (*exact)(double)) {
  enum { COUNT = 160000 };
  float *x = malloc(COUNT * sizeof *x);
  for (int i = 0; i < COUNT; i++) x[i] = (float)(i - COUNT / 2) * 1e-4f;
  k->curve(curve, x, COUNT);
  for (int i = 0; i < COUNT; i++) {
    double at = (double)((float)(i - COUNT / 2) * 1e-4f), most = 5e-7 + fabs(at) * 1.2e-7;
    if (fabs((double)x[i] - exact(at)) > most) fail_msg("at %d: %.9g", i, (double)x[i]);
  }
  float far[16] = {1e30f, -1e30f, 100, -100, 0, -0.0f, 5.5f, -5.5f};
  k->curve(curve, far, 16);
  assert_true(far[0] >= 1e30f && fabsf(far[1]) < 5e-7f && fabsf(far[2] - 100) < 1e-5f && fabsf(far[3]) < 5e-7f);
  assert_true(fabsf(far[4]) < 5e-7f && fabsf(far[5]) < 5e-7f);
  free(x);
}

static void test_curve__is_gelu_within_5e_7(void **state) {
  (void)state;
  each_level(k) {
    check_curve(k, &aio__curve_gelu, gelu);
    check_curve(k, &aio__curve_gelu_tanh, gelu_tanh);
  }
}

/* ---- codes ---- */

typedef struct coded {
  int32_t codes[ROWS_MAX * K_MAX], sum[ROWS_MAX];
  float scale[ROWS_MAX];
  int8_t rows[ROWS_MAX * (K_MAX + K_MAX / 4)]; /* as they lie in memory */
} coded;

static void encode(const aio__bert_kernels *k, const float *x, const aio__curve *curve, size_t rows, size_t n, coded *out) {
  float scratch[K_MAX];
  memset(out->rows, 0, sizeof out->rows);
  const aio__quantize q = {.x = x, .curve = curve, .codes = out->rows, .scale = out->scale, .sum = out->sum,
                           .scratch = scratch, .ldx = n, .rows = rows, .n = n, .rotation = aio__rotation_of(n)};
  k->quantize(&q);
  for (size_t i = 0; i < rows * n; i++)
    out->codes[i] = out->rows[i / n * aio__code_row(n) + aio__code_place(i % n, n)];
}

/* What lies behind the codes of a row, and their sum times 128. */
static int32_t finish_row(int8_t *row, size_t n) {
  int32_t total = 0;
  for (size_t first = 0, block = 0; first < n; first += 128, block++) {
    for (size_t group = 0; group < 16; group++) {
      int32_t sum = 0;
      for (size_t i = first + group; i < n && i < first + 128; i += 16) sum += row[aio__code_place(i, n)];
      int16_t behind = (int16_t)(-128 * sum);
      memcpy(row + n + 32 * block + group % 8 * 4 + group / 8 * 2, &behind, sizeof behind);
      total += sum;
    }
  }
  return 128 * total;
}

/* The bounds that keep AVX2 exact; gives whether one of them is reached, or nearly. */
static bool check_bounds(const int32_t *codes, size_t n, int32_t squares_max) {
  bool full = false;
  for (size_t i = 0; i < n; i++) {
    assert_in_range(codes[i] + 127, 0, 254);
    full = full || abs(codes[i]) == 127;
    if (i % 32 >= 16) continue;
    assert_in_range(codes[i] + codes[i + 16] + 128, 0, 256);
    full = full || abs(codes[i] + codes[i + 16]) >= 126;
  }
  for (size_t first = 0; first < n; first += 128) {
    for (size_t group = 0; group < 16; group++) {
      int32_t sum = 0;
      for (size_t i = first + group; i < n && i < first + 128; i += 16) sum += codes[i] * codes[i];
      assert_in_range(sum, 0, squares_max);
      full = full || sum >= squares_max * 9 / 10;
    }
  }
  return full;
}

static void test_code_place__keeps_together_what_is_multiplied_at_once(void **state) {
  (void)state;
  static const size_t sizes[] = {32, 96, 128, 192, 384};
  for (size_t s = 0; s < 5; s++) {
    const size_t n = sizes[s];
    bool seen[K_MAX] = {false};
    for (size_t i = 0; i < n; i++) {
      size_t place = aio__code_place(i, n);
      assert_true(place < n && !seen[place]);
      seen[place] = true;
      if (i % 32 < 16) assert_int_equal(aio__code_place(i + 16, n), place + 1);
      if (i % 16 < 8) assert_int_equal(aio__code_place(i + 8, n), place + 2);
    }
  }
  /* Term 200 of 384: of the second 128, part 2, l = 0, the third. Term 130 of 192, which ends with two parts: l = 2. */
  assert_int_equal(aio__code_place(200, 384), 128 + 0 * 16 + 2 * 4 + 2);
  assert_int_equal(aio__code_place(130, 192), 128 + 2 * 8);
}

static void test_rotate__keeps_lengths_and_undoes_itself(void **state) {
  (void)state;
  static const size_t sizes[] = {32, 64, 96, 128, 384};
  static const size_t groups[] = {32, 64, 32, 128, 128};
  for (size_t s = 0; s < 5; s++) {
    float *x = random_floats(sizes[s], 1), *y = malloc(sizes[s] * sizeof *y);
    double before = 0, after = 0;
    assert_int_equal(aio__rotation_of(sizes[s]), groups[s]);
    memcpy(y, x, sizes[s] * sizeof *y);
    aio__rotate(y, sizes[s], groups[s]);
    for (size_t i = 0; i < sizes[s]; i++) {
      before += (double)x[i] * (double)x[i];
      after += (double)y[i] * (double)y[i];
    }
    assert_true(fabs(after / before - (double)groups[s]) < 1e-3);
    aio__rotate(y, sizes[s], groups[s]);
    for (size_t i = 0; i < sizes[s]; i++) assert_true(fabsf(y[i] / (float)groups[s] - x[i]) < 1e-5f);
    free(x), free(y);
  }
}

/* After the rotation one group has all there is, 1 and -1 in turns: only the bound of its squares can hold it. */
static void make_heavy_group(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = i % 16 != 3 || i >= 128 ? 0 : i % 32 < 16 ? 1 : -1;
  aio__rotate(x, n, aio__rotation_of(n));
}

static void test_quantize__rounds_what_is_rotated_and_is_equal_at_all_levels(void **state) {
  (void)state;
  static const size_t sizes[] = {32, 64, 96, 128, 192, 384};
  static coded plain, other;
  for (size_t s = 0; s < 6; s++) {
    const size_t n = sizes[s];
    float *x = random_floats(ROWS_MAX * n, 3);
    for (size_t i = 0; i < n; i++) x[i] = 0;                  /* a row of zeros */
    for (size_t i = n; i < 2 * n; i++) x[i] = i == n ? 1e-38f : 0;
    make_heavy_group(x + 2 * n, n);
    encode(aio__bert_kernels_plain, x, NULL, ROWS_MAX, n, &plain);
    for (size_t r = 0; r < ROWS_MAX; r++) {
      float y[K_MAX];
      int32_t sum = 0;
      memcpy(y, x + r * n, n * sizeof *y);
      aio__rotate(y, n, aio__rotation_of(n));
      for (size_t i = 0; i < n; i++) {
        int32_t code = plain.codes[r * n + i];
        sum += code;
        assert_true(fabs((double)code * (double)plain.scale[r] - (double)y[i]) <= (double)plain.scale[r] * 0.5001 + 1e-30);
      }
      assert_int_equal(plain.sum[r], 128 * sum);
      assert_int_equal(check_bounds(plain.codes + r * n, n, AIO__CODE_SQUARES), r >= 2);
      int8_t row[K_MAX + K_MAX / 4];
      memcpy(row, plain.rows + r * aio__code_row(n), aio__code_row(n));
      assert_int_equal(finish_row(row, n), plain.sum[r]);
      assert_memory_equal(row, plain.rows + r * aio__code_row(n), aio__code_row(n));
    }
    each_level(k) {
      encode(k, x, NULL, ROWS_MAX, n, &other);
      assert_memory_equal(other.rows, plain.rows, ROWS_MAX * aio__code_row(n));
      assert_memory_equal(other.sum, plain.sum, sizeof plain.sum);
      assert_memory_equal(other.scale, plain.scale, sizeof plain.scale);
    }
    free(x);
  }
}

static void test_code_most__bounds_the_squares_of_weights(void **state) {
  (void)state;
  static int32_t codes[K_MAX];
  for (size_t n = 32; n <= K_MAX; n += 32) {
    float *x = random_floats(n, 1), most = 0;
    for (int heavy = 0; heavy < 2; heavy++) {
      for (size_t i = 0; i < n; i++) x[i] = heavy && i % 16 == 5 ? (i % 32 < 16 ? 3 : -3) : x[i];
      for (size_t i = 0; i < n; i++) most = fmaxf(most, fabsf(x[i]));
      float by = AIO__CODE_MAX / aio__code_most(x, n, most, AIO__WEIGHT_SQUARES);
      for (size_t i = 0; i < n; i++) {
        codes[i] = (int32_t)lrintf(x[i] * by);
        if (i % 32 >= 16) codes[i] = -abs(codes[i]), codes[i - 16] = abs(codes[i - 16]); /* sums of weights are not bounded */
      }
      assert_true(check_bounds(codes, n, AIO__WEIGHT_SQUARES));
    }
    free(x);
  }
  /* What is no number comes to an end. */
  float odd[32] = {INFINITY, NAN, 1};
  assert_false(aio__code_most(odd, 32, INFINITY, AIO__WEIGHT_SQUARES) < INFINITY);
}

static void test_quantize__ends_with_what_is_no_number(void **state) {
  (void)state;
  static coded got;
  float x[128] = {INFINITY, 1, -INFINITY, NAN};
  each_level(k) encode(k, x, NULL, 1, 128, &got);
}

static void test_quantize__applies_the_curve_first(void **state) {
  (void)state;
  static coded with, without;
  float *x = random_floats(7 * 128, 4), *y = malloc(7 * 128 * sizeof *y);
  each_level(k) {
    memcpy(y, x, 7 * 128 * sizeof *y);
    k->curve(&aio__curve_gelu, y, 7 * 128);
    encode(k, y, NULL, 7, 128, &without);
    encode(k, x, &aio__curve_gelu, 7, 128, &with);
    /* A term of a rotated row is the sum of 128 numbers, each wrong by 2e-4 at most. */
    for (size_t i = 0; i < 7 * 128; i++) {
      double exact = (double)without.codes[i] * (double)without.scale[i / 128];
      double got = (double)with.codes[i] * (double)with.scale[i / 128];
      double rounding = ((double)with.scale[i / 128] + (double)without.scale[i / 128]) * 0.5001;
      assert_true(fabs(got - exact) <= rounding + 128 * 2e-4);
    }
    assert_true(fabsf(with.scale[0] / without.scale[0] - 1) < 1e-3f);
  }
  free(x), free(y);
}

/* Codes and weights at the ends of what their bounds allow, or anything inside of them. */
typedef enum filling { RANDOM, EVEN, PAIRS } filling;

static int8_t number_at(filling how, size_t i, int8_t even) {
  if (how == EVEN) return i % 7 == 0 ? (int8_t)-even : even;
  if (how == PAIRS) return i % 128 >= 32 ? 0 : i % 32 < 16 ? 127 : -127;
  return (int8_t)random_float((float)even + 0.9f);
}

/* The integers are exact: all levels, all numbers of rows. */
static void check_i8(const aio__bert_kernels *k, size_t rows, size_t terms, size_t n, filling how) {
  const size_t next = aio__code_row(terms);
  int8_t *w = malloc(n * terms), *a = malloc(rows * terms), *codes = malloc(rows * next);
  uint8_t *packed = malloc(n * terms);
  float *scale = random_floats(rows, 1), *column = random_floats(n, 1), *bias = random_floats(n, 1);
  float *out = malloc((rows * n + GUARD) * sizeof *out);
  int32_t sum[ROWS_MAX] = {0};
  for (size_t i = 0; i < n * terms; i++) w[i] = number_at(how, i % terms, 64);
  for (size_t i = 0; i < rows * terms; i++) {
    a[i] = number_at(how, i % terms, 63);
    codes[i / terms * next + aio__code_place(i % terms, terms)] = a[i];
  }
  for (size_t r = 0; r < rows; r++) sum[r] = finish_row(codes + r * next, terms);
  for (size_t i = 0; i < GUARD; i++) out[rows * n + i] = 77;
  aio__pack_i8(w, 0, n, terms, packed);
  const aio__matmul_i8 m = {.codes = codes, .scale = scale, .sum = sum, .b = packed, .column_scale = column, .bias = bias,
                            .out = out, .ldo = n, .rows = rows, .k = terms, .n = n};
  k->matmul_i8(&m);
  for (size_t r = 0; r < rows; r++) {
    for (size_t j = 0; j < n; j++) {
      int32_t total = 0;
      for (size_t i = 0; i < terms; i++) total += a[r * terms + i] * w[j * terms + i];
      float by = scale[r] * column[j], product = (float)total * by, want = product + bias[j];
      if (fabsf(out[r * n + j] - want) > fabsf(product) * 1.2e-7f) fail_msg("row %zu column %zu", r, j);
    }
  }
  for (size_t i = 0; i < GUARD; i++) assert_true(out[rows * n + i] >= 77 && out[rows * n + i] <= 77);
  free(w), free(a), free(codes), free(packed), free(scale), free(column), free(bias), free(out);
}

static void test_matmul_i8__the_integers_are_exact(void **state) {
  (void)state;
  each_level(k) {
    for (size_t rows = 1; rows <= ROWS_MAX; rows++) {
      check_i8(k, rows, 128, 64, (filling)(rows % 3));
      check_i8(k, rows, 32 * rows, 64, (filling)(rows / 3 % 3));
    }
    check_i8(k, 3, 4096, 32, EVEN);
    check_i8(k, 3, 4096, 32, PAIRS);
    check_i8(k, 13, K_MAX, N_MAX, RANDOM);
  }
}

static void test_pack__in_parts_is_as_at_once(void **state) {
  (void)state;
  enum { N = 64, K = 32 };
  float *rows = random_floats(N * K, 1), whole[N * K], parts[N * K];
  int8_t codes[N * K];
  uint8_t whole8[N * K], parts8[N * K];
  for (size_t i = 0; i < (size_t)N * K; i++) codes[i] = (int8_t)(i * 37 % 255 - 127);
  aio__pack_f32(rows, 0, N, K, whole);
  aio__pack_i8(codes, 0, N, K, whole8);
  for (size_t at = 0, step; at < N; at += step) {
    step = at < 60 ? 5 : N - at;
    aio__pack_f32(rows + at * K, at, step, K, parts);
    aio__pack_i8(codes + at * K, at, step, K, parts8);
  }
  assert_memory_equal(whole, parts, sizeof whole);
  assert_memory_equal(whole8, parts8, sizeof whole8);
  /* Column 33: the second panel, the second column. Term 9 lies with 1, 17 and 25: the second step, the third byte. */
  assert_int_equal(whole8[32 * K + 128 + 4 + 2], codes[33 * K + 9] + 128);
  assert_memory_equal(&whole[32 * K + 6 * 32 + 1], &rows[33 * K + 6], sizeof(float));
  free(rows);
}

/* ---- turning, norm and softmax ---- */

static void test_turn__any_number_of_rows(void **state) {
  (void)state;
  enum { N = 24, STRIDE = 30 };
  float *x = random_floats(ROWS_MAX * STRIDE, 1), got[N * 32 + 1];
  each_level(k) {
    for (size_t rows = 1; rows <= ROWS_MAX; rows++) {
      const size_t span = (rows + 15) / 16 * 16;
      got[N * span] = 77;
      k->turn(x, STRIDE, rows, N, span, got);
      for (size_t j = 0; j < N; j++) {
        for (size_t i = 0; i < span; i++) {
          float want = i < rows ? x[i * STRIDE + j] : 0;
          assert_memory_equal(&got[j * span + i], &want, sizeof want);
        }
      }
      assert_true(got[N * span] >= 77 && got[N * span] <= 77);
    }
  }
  free(x);
}


static void test_norm__with_and_without_what_is_added(void **state) {
  (void)state;
  enum { N = 96, ROWS = 5 };
  float *x = random_floats(ROWS * N, 2), *y = random_floats(ROWS * N, 2), *gamma = random_floats(N, 1), *beta = random_floats(N, 1);
  each_level(k) {
    for (int with = 0; with < 2; with++) {
      float got[ROWS * N];
      memcpy(got, x, sizeof got);
      k->norm(got, with ? y : NULL, gamma, beta, 1e-12f, ROWS, N);
      for (size_t r = 0; r < ROWS; r++) {
        double mean = 0, squares = 0, v[N];
        for (size_t i = 0; i < N; i++) {
          v[i] = (double)x[r * N + i] + (with ? (double)y[r * N + i] : 0);
          mean += v[i] / N;
        }
        for (size_t i = 0; i < N; i++) squares += (v[i] - mean) * (v[i] - mean) / N;
        for (size_t i = 0; i < N; i++) {
          double want = (v[i] - mean) / sqrt(squares + 1e-12) * (double)gamma[i] + (double)beta[i];
          assert_true(fabs((double)got[r * N + i] - want) < 3e-6);
        }
      }
    }
    float same[N];
    for (size_t i = 0; i < N; i++) same[i] = 3;
    k->norm(same, NULL, gamma, beta, 1e-12f, 1, N);
    for (size_t i = 0; i < N; i++) assert_true(fabsf(same[i] - beta[i]) < 1e-3f);
  }
  free(x), free(y), free(gamma), free(beta);
}

static void check_softmax(const aio__bert_kernels *k, size_t n, size_t ld, float spread) {
  enum { ROWS = 3 };
  float *x = random_floats(ROWS * ld, spread), *got = malloc(ROWS * ld * sizeof *got), inverse[ROWS];
  memcpy(got, x, ROWS * ld * sizeof *got);
  k->softmax(got, inverse, 0.25f, ROWS, n, ld);
  for (size_t r = 0; r < ROWS; r++) {
    double most = -1e300, sum = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, (double)x[r * ld + i]);
    for (size_t i = 0; i < n; i++) {
      double want = exp2(0.25 * ((double)x[r * ld + i] - most));
      sum += want;
      if (fabs((double)got[r * ld + i] - want) > want * (3e-7 + (double)spread * 2e-7) + 1e-37)
        fail_msg("n %zu, %zu: %.9g, want %.9g", n, i, (double)got[r * ld + i], want);
    }
    for (size_t i = n; i < ld; i++) assert_true(fabsf(got[r * ld + i]) <= 0);
    assert_true(fabs((double)inverse[r] * sum - 1) < 2e-6);
  }
  free(x), free(got);
}

static void test_softmax__any_length(void **state) {
  (void)state;
  each_level(k) {
    for (size_t n = 1; n <= 70; n++) {
      check_softmax(k, n, (n + 15) / 16 * 16, 1);
      check_softmax(k, n, (n + 15) / 16 * 16 + 16, 40);
    }
    check_softmax(k, 500, 512, 2000); /* most are 0 */
  }
}

/* ---- a row is the same whatever is around it ---- */

static void test_rows__do_not_depend_on_each_other(void **state) {
  (void)state;
  enum { K = 64, N = 64 };
  float *a = random_floats(ROWS_MAX * K, 1), *w = random_floats(N * K, 1), packed[N * K], all[ROWS_MAX * N], one[N];
  aio__pack_f32(w, 0, N, K, packed);
  each_level(k) {
    aio__matmul_f32 m = {.a = a, .b = packed, .out = all, .lda = K, .ldb = AIO__PANEL, .panel = AIO__PANEL * K,
                         .ldo = N, .rows = ROWS_MAX, .k = K, .n = N};
    k->matmul_f32(&m);
    for (size_t r = 0; r < ROWS_MAX; r++) {
      m.a = a + r * K, m.out = one, m.rows = 1;
      k->matmul_f32(&m);
      assert_memory_equal(one, all + r * N, sizeof one);
    }
  }
  free(a), free(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_kernels_for__gives_what_the_build_has),
    cmocka_unit_test(test_matmul_f32__any_number_of_rows_terms_and_columns),
    cmocka_unit_test(test_matmul_f32__columns_inside_of_wider_rows),
    cmocka_unit_test(test_curve__is_gelu_within_5e_7),
    cmocka_unit_test(test_code_place__keeps_together_what_is_multiplied_at_once),
    cmocka_unit_test(test_rotate__keeps_lengths_and_undoes_itself),
    cmocka_unit_test(test_quantize__rounds_what_is_rotated_and_is_equal_at_all_levels),
    cmocka_unit_test(test_code_most__bounds_the_squares_of_weights),
    cmocka_unit_test(test_quantize__ends_with_what_is_no_number),
    cmocka_unit_test(test_quantize__applies_the_curve_first),
    cmocka_unit_test(test_matmul_i8__the_integers_are_exact),
    cmocka_unit_test(test_pack__in_parts_is_as_at_once),
    cmocka_unit_test(test_turn__any_number_of_rows),
    cmocka_unit_test(test_norm__with_and_without_what_is_added),
    cmocka_unit_test(test_softmax__any_length),
    cmocka_unit_test(test_rows__do_not_depend_on_each_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
