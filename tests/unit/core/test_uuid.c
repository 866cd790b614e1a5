/* lib/core/uuid.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdbool.h>

#include "core/uuid.h"

static void test_uuid_v7__form(void **state) {
  (void)state;
  char id[AIO__UUID_LEN + 1];
  assert_int_equal(aio__uuid_v7(INT64_C(0x017F22E279B0), id), AIORCH_OK); /* the time in the example of RFC 9562 */
  assert_int_equal(strlen(id), AIO__UUID_LEN);
  assert_memory_equal(id, "017f22e2-79b0-7", 15);
  assert_non_null(strchr("89ab", id[19]));
  for (int i = 0; i < AIO__UUID_LEN; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    assert_true(dash ? id[i] == '-' : strchr("0123456789abcdef", id[i]) != NULL);
  }
}

static void test_uuid_v7__distinct_and_sorted_by_time(void **state) {
  (void)state;
  char last[AIO__UUID_LEN + 1] = "", id[AIO__UUID_LEN + 1], twin[AIO__UUID_LEN + 1];
  for (int64_t ms = 1; ms < 2000; ms++) {
    assert_int_equal(aio__uuid_v7(INT64_C(1700000000000) + ms, id), AIORCH_OK);
    assert_int_equal(aio__uuid_v7(INT64_C(1700000000000) + ms, twin), AIORCH_OK);
    assert_true(strcmp(last, id) < 0);
    assert_string_not_equal(id, twin);
    strcpy(last, strcmp(id, twin) > 0 ? id : twin);
  }
}

static void test_uuid_v7__time_before_1970_is_zero(void **state) {
  (void)state;
  char id[AIO__UUID_LEN + 1];
  assert_int_equal(aio__uuid_v7(-1, id), AIORCH_OK);
  assert_memory_equal(id, "00000000-0000-7", 15);
}

static void test_random__fills_all_of_it(void **state) {
  (void)state;
  unsigned char bytes[1000] = {0};
  assert_int_equal(aio__random(bytes, sizeof bytes), AIORCH_OK);
  size_t zeros = 0;
  for (size_t i = 0; i < sizeof bytes; i++) zeros += bytes[i] == 0;
  assert_true(zeros < 50);
  assert_int_equal(aio__random(bytes, 0), AIORCH_OK);
}

static void test_random_take__gives_each_byte_once(void **state) {
  (void)state;
  aio__random_pool pool = {.left = 0};
  unsigned char got[64][8], many[sizeof pool.bytes + 1] = {0};
  for (int i = 0; i < 64; i++) {
    assert_int_equal(aio__random_take(&pool, got[i], sizeof got[i]), AIORCH_OK);
    for (int k = 0; k < i; k++) assert_memory_not_equal(got[k], got[i], sizeof got[i]);
    for (size_t b = pool.left; b < sizeof pool.bytes; b++) assert_int_equal(pool.bytes[b], 0); /* what was given is not kept */
  }
  assert_int_equal(aio__random_take(&pool, many, sizeof many), AIORCH_OK); /* more than it has room for */
  size_t zeros = 0;
  for (size_t i = 0; i < sizeof many; i++) zeros += many[i] == 0;
  assert_true(zeros < sizeof many / 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_uuid_v7__form),
    cmocka_unit_test(test_uuid_v7__distinct_and_sorted_by_time),
    cmocka_unit_test(test_uuid_v7__time_before_1970_is_zero),
    cmocka_unit_test(test_random__fills_all_of_it),
    cmocka_unit_test(test_random_take__gives_each_byte_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
