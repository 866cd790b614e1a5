/* Vectors as stores take and keep them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "stores/vector_rows.h"

static aiorch_error error;

static int setup(void **state) {
  (void)state;
  aio__error_init(&error);
  return 0;
}

static void expect_words(const char *words) {
  if (strstr(error.message, words) == NULL) fail_msg("\"%s\" lacks \"%s\"", error.message, words);
}

static void test_vector_check__length(void **state) {
  (void)state;
  const float good[] = {0.6f, 0.8f}, near_one[] = {0.6f, 0.8005f}, longer[] = {0.6f, 0.802f}, shorter[] = {0.6f, 0.798f},
              zero[] = {0.0f, 0.0f}, huge[] = {3e38f, 3e38f};
  assert_int_equal(aio__vector_check(good, 2, &error), AIORCH_OK);
  assert_int_equal(aio__vector_check(near_one, 2, &error), AIORCH_OK);
  assert_int_equal(aio__vector_check(longer, 2, &error), AIORCH_E_INVALID);
  assert_int_equal(aio__vector_check(shorter, 2, &error), AIORCH_E_INVALID);
  expect_words("0.99");
  assert_int_equal(aio__vector_check(zero, 2, &error), AIORCH_E_INVALID);
  expect_words("zeros");
  assert_int_equal(aio__vector_check(huge, 2, &error), AIORCH_E_INVALID);
}

static void test_vector_check__no_number(void **state) {
  (void)state;
  const float bad[] = {NAN, INFINITY, -INFINITY};
  for (size_t i = 0; i < 3; i++) {
    const float row[] = {1.0f, bad[i]};
    assert_int_equal(aio__vector_check(row, 2, &error), AIORCH_E_INVALID);
    expect_words("number 1");
  }
}

static void test_vector_check__count(void **state) {
  (void)state;
  static float row[65537] = {1.0f};
  assert_int_equal(aio__vector_check(row, 0, &error), AIORCH_E_INVALID);
  assert_int_equal(aio__vector_check(NULL, 2, &error), AIORCH_E_INVALID);
  assert_int_equal(aio__vector_check(row, 65536, &error), AIORCH_OK);
  assert_int_equal(aio__vector_check(row, 65537, &error), AIORCH_E_INVALID);
  expect_words("65537");
}

static void test_vectors_check__each_row(void **state) {
  (void)state;
  const float rows[] = {1.0f, 0.0f, 0.0f, 1.0f, 0.5f, 0.0f};
  aio__vectors vectors = {AIO__LIT("m"), 2, rows};
  assert_int_equal(aio__vectors_check(&vectors, 2, &error), AIORCH_OK);
  assert_int_equal(aio__vectors_check(&vectors, 3, &error), AIORCH_E_INVALID);
  assert_int_equal(aio__vectors_check(&vectors, 0, &error), AIORCH_OK);
  vectors.dimensions = 0;
  assert_int_equal(aio__vectors_check(&vectors, 3, &error), AIORCH_OK);
  vectors.fingerprint.n = 0;
  assert_int_equal(aio__vectors_check(&vectors, 1, &error), AIORCH_E_INVALID);
  expect_words("fingerprint");
}

static void test_nearest_check__threshold(void **state) {
  (void)state;
  const float row[] = {1.0f};
  aio__nearest_args args = {.fingerprint = AIO__LIT("m"), .dimensions = 1, .query = row, .threshold = -5.0, .limit = 1};
  assert_int_equal(aio__nearest_check(&args, &error), AIORCH_OK);
  args.threshold = (double)NAN;
  assert_int_equal(aio__nearest_check(&args, &error), AIORCH_E_INVALID);
  expect_words("threshold");
}

static void test_vector_cosine__of_unit_vectors(void **state) {
  (void)state;
  const float a[] = {0.6f, 0.8f}, b[] = {1.0f, 0.0f};
  assert_true(fabs(aio__vector_cosine(a, b, 2) - 0.6) < 1e-6);
  assert_true(fabs(aio__vector_cosine(a, a, 2) - 1.0) < 1e-6);
}

static void test_vector_threshold__any(void **state) {
  (void)state;
  assert_true(aio__vector_threshold(0.25) == 0.25f);
  assert_true(aio__vector_threshold(-1.0) == -1.0f);
  assert_true(aio__vector_threshold(1e300) > 1.0f);
  assert_true(aio__vector_threshold(-1e300) < -1.0f);
}

static void test_vector_to_bytes__little_endian(void **state) {
  (void)state;
  const float row[] = {1.0f, -2.5f};
  float back[2];
  char bytes[9] = "xxxxxxxxx";
  aio__vector_to_bytes(row, 2, bytes);
  assert_memory_equal(bytes, "\x00\x00\x80\x3f\x00\x00\x20\xc0x", 9);
  aio__vector_from_bytes(bytes, 2, back);
  assert_memory_equal(row, back, sizeof row);
}

static void test_vector_scope__first_eight_bytes(void **state) {
  (void)state;
  assert_true(aio__vector_scope(AIO__LIT("\x01\x02\x03\x04\x05\x06\x07\xf8more")) == UINT64_C(0xf807060504030201));
  assert_true(aio__vector_scope(AIO__LIT("\x01\x02")) == 0x0201);
  assert_true(aio__vector_scope(AIO__LIT("")) == 0);
}

static void test_vector_mismatch__names_some(void **state) {
  (void)state;
  static char name[400];
  memset(name, 'n', sizeof name);
  aio__str names[5];
  for (size_t i = 0; i < 5; i++) names[i] = (aio__str){name, sizeof name};
  assert_int_equal(aio__vector_mismatch("chunks", AIO__LIT("wanted"), names, 5, &error), AIORCH_E_EMBEDDER_MISMATCH);
  expect_words("\"wanted\"");
  expect_words("and others");
  expect_words("aiorch reembed");
  names[0] = AIO__LIT("a");
  assert_int_equal(aio__vector_mismatch("chunks", AIO__LIT("wanted"), names, 1, &error), AIORCH_E_EMBEDDER_MISMATCH);
  assert_string_equal(error.message, "the chunks are embedded by \"a\", not by \"wanted\": run `aiorch reembed`, or use that"
                                     " model again");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(test_vector_check__length, setup),
    cmocka_unit_test_setup(test_vector_check__no_number, setup),
    cmocka_unit_test_setup(test_vector_check__count, setup),
    cmocka_unit_test_setup(test_vectors_check__each_row, setup),
    cmocka_unit_test_setup(test_vector_cosine__of_unit_vectors, setup),
    cmocka_unit_test_setup(test_nearest_check__threshold, setup),
    cmocka_unit_test_setup(test_vector_threshold__any, setup),
    cmocka_unit_test_setup(test_vector_to_bytes__little_endian, setup),
    cmocka_unit_test_setup(test_vector_scope__first_eight_bytes, setup),
    cmocka_unit_test_setup(test_vector_mismatch__names_some, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
