/* lib/embedders/local/safetensors.c */
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "embedders/local/safetensors.h"
#include "support/test_alloc.h"
#include "support/tiny_bert.h"

static char folder[4096], path[4200];
static aiorch_error error;

/* ---- files ---- */

static size_t make_file(uint64_t length, const char *header, const void *data, size_t n, uint8_t *out) {
  size_t h = strlen(header);
  for (int i = 0; i < 8; i++) out[i] = (uint8_t)(length >> (8 * i));
  memcpy(out + 8, header, h);
  if (n > 0) memcpy(out + 8 + h, data, n);
  return 8 + h + n;
}

static void write_model(const char *header, const void *data, size_t n) {
  static uint8_t bytes[1 << 16];
  size_t len = make_file(strlen(header), header, data, n, bytes);
  tiny_write_file(folder, "x.safetensors", bytes, len);
}

static aiorch_status open_it(aio__safetensors **out) {
  aio__error_init(&error);
  return aio__safetensors_open(aio__alloc_default(), path, out, &error);
}

static void refused(const char *header, size_t data, const char *words) {
  static const uint8_t zeros[4096];
  aio__safetensors *file = NULL;
  write_model(header, zeros, data);
  aiorch_status status = open_it(&file);
  if (status != AIORCH_E_MODEL || file != NULL) fail_msg("%s: %d", header, (int)status);
  if (strstr(error.message, words) == NULL) fail_msg("%s: %s", header, error.message);
  assert_non_null(strstr(error.message, path));
}

/* ---- what is good ---- */

static const char GOOD[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                           "\"b\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[12,20]},"
                           "\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]},"
                           "\"c\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[20,22]},"
                           "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[22,22]},"
                           "\"ids\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[22,30]}}";
static const uint8_t GOOD_DATA[30] = {0, 0, 128, 63, 0, 0, 0, 192, 1, 0, 0, 0,          /* 1, -2, 2^-149 */
                                      0, 60, 0, 0x80, 0xFF, 0x7B, 1, 0,                 /* 1, -0, 65504, 2^-24 */
                                      0x40, 0x40,                                       /* 3 */
                                      9, 0, 0, 0, 0, 0, 0, 0};

static void test_open__finds_tensors_and_reads_each_type(void **state) {
  (void)state;
  aio__safetensors *file = NULL;
  float x[4];
  write_model(GOOD, GOOD_DATA, sizeof GOOD_DATA);
  assert_int_equal(open_it(&file), AIORCH_OK);
  assert_string_equal(aio__safetensors_path(file), path);
  assert_null(aio__safetensors_find(file, "d"));
  assert_null(aio__safetensors_find(file, "__metadata__"));
  const aio__tensor *a = aio__safetensors_find(file, "a"), *b = aio__safetensors_find(file, "b");
  const aio__tensor *c = aio__safetensors_find(file, "c"), *ids = aio__safetensors_find(file, "ids");
  assert_true(a != NULL && b != NULL && c != NULL && ids != NULL);
  assert_int_equal(a->rank, 1);
  assert_int_equal(b->rank, 2);
  assert_int_equal(c->rank, 0);
  assert_int_equal(b->shape[1], 2);
  assert_string_equal(c->type, "BF16");
  assert_int_equal(aio__safetensors_read(file, a, 0, 3, x, NULL, &error), AIORCH_OK);
  assert_true(x[0] == 1.0f && x[1] == -2.0f && x[2] == ldexpf(1, -149));
  assert_int_equal(aio__safetensors_read(file, b, 0, 4, x, NULL, &error), AIORCH_OK);
  assert_true(x[0] == 1.0f && x[1] == 0.0f && signbit(x[1]) && x[2] == 65504.0f && x[3] == ldexpf(1, -24));
  assert_int_equal(aio__safetensors_read(file, b, 2, 1, x, NULL, &error), AIORCH_OK);
  assert_true(x[0] == 65504.0f);
  assert_int_equal(aio__safetensors_read(file, c, 0, 1, x, NULL, &error), AIORCH_OK);
  assert_true(x[0] == 3.0f);
  assert_int_equal(aio__safetensors_read(file, ids, 0, 1, x, NULL, &error), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "I64"));
  assert_int_equal(aio__safetensors_unchanged(file, &error), AIORCH_OK);
  aio__safetensors_free(file);
  aio__safetensors_free(NULL);
}

/* Every finite half, beside arithmetic. */
static void test_read__all_halves(void **state) {
  (void)state;
  enum { N = 63488 };
  uint8_t *data = malloc(2 * N);
  float *x = malloc(N * sizeof *x);
  char header[128];
  for (size_t i = 0; i < N; i++) {
    size_t half = i < N / 2 ? i : 0x8000 + (i - N / 2);
    data[2 * i] = (uint8_t)half;
    data[2 * i + 1] = (uint8_t)(half >> 8);
  }
  (void)snprintf(header, sizeof header, "{\"x\":{\"dtype\":\"F16\",\"shape\":[%d],\"data_offsets\":[0,%d]}}", N, 2 * N);
  uint8_t *bytes = malloc(2 * N + 256);
  tiny_write_file(folder, "x.safetensors", bytes, make_file(strlen(header), header, data, 2 * N, bytes));
  aio__safetensors *file = NULL;
  assert_int_equal(open_it(&file), AIORCH_OK);
  assert_int_equal(aio__safetensors_read(file, aio__safetensors_find(file, "x"), 0, N, x, NULL, &error), AIORCH_OK);
  for (size_t i = 0; i < N; i++) {
    size_t half = i % (N / 2), exponent = half >> 10, fraction = half & 0x3FF;
    float want = exponent == 0 ? ldexpf((float)fraction, -24) : ldexpf((float)(1024 + fraction), (int)exponent - 25);
    if (i >= N / 2) want = -want;
    if (memcmp(&x[i], &want, sizeof want) != 0) fail_msg("half %zu", i);
  }
  aio__safetensors_free(file);
  free(data), free(x), free(bytes);
}

/* ---- what is bad ---- */

static void test_open__hostile_lengths(void **state) {
  (void)state;
  static const uint64_t lengths[] = {0, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 7, 1000000, (4 << 20) + 1};
  uint8_t bytes[256];
  aio__safetensors *file = NULL;
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    size_t n = make_file(lengths[i], "{}", NULL, 0, bytes);
    tiny_write_file(folder, "x.safetensors", bytes, n);
    assert_int_equal(open_it(&file), AIORCH_E_MODEL);
    assert_non_null(strstr(error.message, "header"));
  }
  tiny_write_file(folder, "x.safetensors", bytes, 7);
  assert_int_equal(open_it(&file), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "too short"));
}

static void test_open__cut_at_every_byte(void **state) {
  (void)state;
  uint8_t bytes[1024];
  aio__safetensors *file = NULL;
  size_t n = make_file(sizeof GOOD - 1, GOOD, GOOD_DATA, sizeof GOOD_DATA, bytes);
  for (size_t cut = 0; cut < n; cut++) {
    tiny_write_file(folder, "x.safetensors", bytes, cut);
    assert_int_equal(open_it(&file), AIORCH_E_MODEL);
    assert_non_null(strstr(error.message, path));
  }
  bytes[n] = 0; /* and with a byte too much */
  tiny_write_file(folder, "x.safetensors", bytes, n + 1);
  assert_int_equal(open_it(&file), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "get the file anew"));
}

static void test_parse__every_bit_of_the_header_flipped_never_harms(void **state) {
  (void)state;
  char header[sizeof GOOD];
  memcpy(header, GOOD, sizeof GOOD);
  for (size_t bit = 0; bit < 8 * (sizeof GOOD - 1); bit++) {
    aio__safetensors *file = NULL;
    header[bit / 8] = (char)(header[bit / 8] ^ 1 << bit % 8);
    aio__error_init(&error);
    aiorch_status status = aio__safetensors_parse(aio__alloc_default(), "h", aio__str_n(header, sizeof GOOD - 1),
                                                  8 + sizeof GOOD - 1 + sizeof GOOD_DATA, &file, &error);
    assert_true(status == AIORCH_OK || (status == AIORCH_E_MODEL && error.message[0] != '\0'));
    aio__safetensors_free(file);
    header[bit / 8] = (char)(header[bit / 8] ^ 1 << bit % 8);
  }
}

#define ONE(dtype, shape, offsets) "{\"t\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void test_open__what_a_header_may_not_say(void **state) {
  (void)state;
  refused("[]", 0, "no JSON object");
  refused("{}", 0, "0 tensors");
  refused("{\"t\":1}", 0, "not described by an object");
  refused("{\"\":{}}", 0, "name has 0 bytes");
  refused("{\"t\":{", 0, "line 1");
  refused("{\"t\":{},\"t\":{}}", 0, "twice");
  refused(ONE("\"F31\"", "[1]", "[0,4]"), 4, "dtype");
  refused(ONE("32", "[1]", "[0,4]"), 4, "dtype");
  refused("{\"t\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype");
  refused(ONE("\"F32\"", "1", "[0,4]"), 4, "shape");
  refused(ONE("\"F32\"", "[-1]", "[0,4]"), 4, "shape");
  refused(ONE("\"F32\"", "[1.5]", "[0,4]"), 4, "shape");
  refused(ONE("\"F32\"", "[\"1\"]", "[0,4]"), 4, "shape");
  refused(ONE("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "shape");
  refused(ONE("\"F32\"", "[4294967296,4294967296]", "[0,4]"), 4, "shape");
  refused(ONE("\"F32\"", "[9007199254740992]", "[0,4]"), 4, "shape");
  refused("{\"t\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape");
  refused(ONE("\"F32\"", "[1]", "[0]"), 4, "data_offsets");
  refused(ONE("\"F32\"", "[1]", "[0,4,8]"), 4, "data_offsets");
  refused(ONE("\"F32\"", "[1]", "[4,0]"), 4, "data_offsets");
  refused(ONE("\"F32\"", "[1]", "[-4,0]"), 4, "data_offsets");
  refused(ONE("\"F32\"", "[1]", "{\"a\":0}"), 4, "data_offsets");
  refused(ONE("\"F32\"", "[1]", "[0,18446744073709551615]"), 4, "data_offsets");
  refused(ONE("\"F32\"", "[1]", "[9007199254740988,9007199254740992]"), 4, "cut short");
  refused(ONE("\"F32\"", "[1]", "[4,8]"), 4, "cut short");
  refused(ONE("\"F32\"", "[2]", "[0,4]"), 4, "its shape and type need 8");
  refused(ONE("\"F32\"", "[1]", "[4,8]"), 8, "belong to no tensor");
  refused(ONE("\"F32\"", "[1]", "[0,4]"), 8, "its header describes");
}

static void test_open__tensors_that_overlap(void **state) {
  (void)state;
  refused("{\"one\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
          "\"two\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
          12, "\"one\" and \"two\" overlap");
  refused("{\"one\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
          "\"two\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
          8, "overlap");
  refused("{\"one\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
          "\"two\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
          12, "\"two\": before it are bytes");
}

static void test_open__what_is_no_file(void **state) {
  (void)state;
  char other[4300];
  aio__safetensors *file = NULL;
  aio__error_init(&error);
  (void)snprintf(other, sizeof other, "%s/none", folder);
  assert_int_equal(aio__safetensors_open(aio__alloc_default(), other, &file, &error), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "is not there"));
  assert_int_equal(aio__safetensors_open(aio__alloc_default(), folder, &file, &error), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "no regular file"));
  (void)snprintf(other, sizeof other, "%s/pipe", folder);
  assert_int_equal(mkfifo(other, 0600), 0);
  assert_int_equal(aio__safetensors_open(aio__alloc_default(), other, &file, &error), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "no regular file"));
  assert_int_equal(unlink(other), 0);
}

static void test_read__refuses_what_is_no_number(void **state) {
  (void)state;
  static const struct {
    const char *dtype;
    uint8_t bytes[4];
    int width;
  } bad[] = {{"F32", {0, 0, 0x80, 0x7F}, 4}, {"F32", {0, 0, 0x80, 0xFF}, 4}, {"F32", {1, 0, 0x80, 0x7F}, 4},
             {"F16", {0, 0x7C}, 2},          {"F16", {0, 0xFC}, 2},          {"F16", {1, 0x7E}, 2},
             {"BF16", {0x80, 0x7F}, 2},      {"BF16", {0xC0, 0xFF}, 2}};
  float x;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char header[128];
    aio__safetensors *file = NULL;
    (void)snprintf(header, sizeof header, "{\"x\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,%d]}}", bad[i].dtype, bad[i].width);
    write_model(header, bad[i].bytes, (size_t)bad[i].width);
    assert_int_equal(open_it(&file), AIORCH_OK);
    assert_int_equal(aio__safetensors_read(file, aio__safetensors_find(file, "x"), 0, 1, &x, NULL, &error), AIORCH_E_MODEL);
    assert_non_null(strstr(error.message, "NaN or infinite"));
    aio__safetensors_free(file);
  }
}

/* ---- what changes ---- */

static void test_read__a_file_that_became_shorter(void **state) {
  (void)state;
  float x[4];
  aio__safetensors *file = NULL;
  write_model(GOOD, GOOD_DATA, sizeof GOOD_DATA);
  assert_int_equal(open_it(&file), AIORCH_OK);
  assert_int_equal(truncate(path, 8 + (off_t)sizeof GOOD + 3), 0);
  assert_int_equal(aio__safetensors_read(file, aio__safetensors_find(file, "a"), 0, 3, x, NULL, &error), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "ends at byte"));
  assert_int_equal(aio__safetensors_unchanged(file, &error), AIORCH_E_MODEL);
  assert_non_null(strstr(error.message, "try again"));
  aio__safetensors_free(file);
}

static void test_unchanged__tells_a_file_that_was_replaced_or_written_to(void **state) {
  (void)state;
  char other[4300];
  aio__safetensors *file = NULL;
  write_model(GOOD, GOOD_DATA, sizeof GOOD_DATA);
  assert_int_equal(open_it(&file), AIORCH_OK);
  tiny_write_file(folder, "other", "x", 1);
  (void)snprintf(other, sizeof other, "%s/other", folder);
  assert_int_equal(rename(other, path), 0);
  assert_int_equal(aio__safetensors_unchanged(file, &error), AIORCH_E_MODEL);
  aio__safetensors_free(file);
  write_model(GOOD, GOOD_DATA, sizeof GOOD_DATA);
  assert_int_equal(open_it(&file), AIORCH_OK);
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};
  assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
  assert_int_equal(aio__safetensors_unchanged(file, &error), AIORCH_E_MODEL);
  aio__safetensors_free(file);
}

/* ---- memory ---- */

static void test_open__out_of_memory_anywhere(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  write_model(GOOD, GOOD_DATA, sizeof GOOD_DATA);
  do {
    aio__safetensors *file = NULL;
    aio__error_init(&error);
    aio__test_alloc_next(&t);
    aiorch_status status = aio__safetensors_open(&t.al, path, &file, &error);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__safetensors_free(file);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

static void test_parse__of_a_header_alone(void **state) {
  (void)state;
  aio__safetensors *file = NULL;
  aio__str header = aio__str_z(GOOD);
  aio__error_init(&error);
  assert_int_equal(aio__safetensors_parse(aio__alloc_default(), "h", header, 8 + header.n + 30, &file, &error), AIORCH_OK);
  assert_non_null(aio__safetensors_find(file, "ids"));
  aio__safetensors_free(file);
  assert_int_equal(aio__safetensors_parse(aio__alloc_default(), "h", header, 5, &file, &error), AIORCH_E_MODEL);
  assert_int_equal(aio__safetensors_parse(aio__alloc_default(), "h", header, 8 + header.n + 31, &file, &error), AIORCH_E_MODEL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_open__finds_tensors_and_reads_each_type),
    cmocka_unit_test(test_read__all_halves),
    cmocka_unit_test(test_open__hostile_lengths),
    cmocka_unit_test(test_open__cut_at_every_byte),
    cmocka_unit_test(test_parse__every_bit_of_the_header_flipped_never_harms),
    cmocka_unit_test(test_open__what_a_header_may_not_say),
    cmocka_unit_test(test_open__tensors_that_overlap),
    cmocka_unit_test(test_open__what_is_no_file),
    cmocka_unit_test(test_read__refuses_what_is_no_number),
    cmocka_unit_test(test_read__a_file_that_became_shorter),
    cmocka_unit_test(test_unchanged__tells_a_file_that_was_replaced_or_written_to),
    cmocka_unit_test(test_open__out_of_memory_anywhere),
    cmocka_unit_test(test_parse__of_a_header_alone),
  };
  tiny_path(".", folder, sizeof folder);
  (void)snprintf(path, sizeof path, "%s/x.safetensors", folder);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
