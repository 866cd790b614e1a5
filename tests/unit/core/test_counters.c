/* lib/core/counters.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include <aiorch/error.h>

#include "core/counters.h"

static void assert_contains(aio__counters *counters, const char *want) {
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, aio__alloc_default(), 1 << 16);
  aio__jw_init(&w, &buf);
  aio__jw_object(&w);
  aio__counters_json(counters, &w);
  aio__jw_object_end(&w);
  assert_int_equal(buf.failed, AIORCH_OK);
  if (strstr(aio__buf_cstr(&buf), want) == NULL) fail_msg("no %s in %s", want, aio__buf_cstr(&buf));
  aio__buf_free(&buf);
}

static void test_json__fresh_counters_are_all_there_and_zero(void **state) {
  (void)state;
  aio__counters counters;
  memset(&counters, 0xFF, sizeof counters);
  aio__counters_init(&counters);
  assert_contains(&counters, "{\"counters\":{\"runs_started\":0,");
  assert_contains(&counters, "\"spool_damaged\":0},\"stages\":{\"validate\":{\"count\":0,\"sum_us\":0,\"buckets\":[");
  assert_contains(&counters, "\"cache_store\":{\"count\":0");
}

static void test_count__its_own_only(void **state) {
  (void)state;
  aio__counters counters;
  aio__counters_init(&counters);
  aio__count(&counters, AIO__N_REFUSED_INJECTION);
  aio__count(&counters, AIO__N_REFUSED_INJECTION);
  assert_contains(&counters, "\"refused_invalid_input\":0,\"refused_injection\":2,\"flagged_input\":0");
}

static void test_count_stage__buckets_are_cumulative(void **state) {
  (void)state;
  aio__counters counters;
  aio__counters_init(&counters);
  static const int64_t times[] = {-5, 0, 10, 11, 3000000, 3000001, 900000000};
  for (size_t i = 0; i < 7; i++) aio__count_stage(&counters, AIORCH_STAGE_RETRIEVE, times[i]);
  assert_contains(&counters, "\"retrieve\":{\"count\":7,\"sum_us\":906000022,\"buckets\":[{\"le_us\":10,\"count\":3},"
                             "{\"le_us\":30,\"count\":4},{\"le_us\":100,\"count\":4}");
  assert_contains(&counters, "{\"le_us\":1000000,\"count\":4},{\"le_us\":3000000,\"count\":5},"
                             "{\"le_us\":null,\"count\":7}]},\"generate\":{\"count\":0");
}

static void *count_many(void *arg) {
  for (int i = 0; i < 5000; i++) {
    aio__count(arg, AIO__N_ATTEMPTS);
    aio__count_stage(arg, AIORCH_STAGE_GENERATE, 2);
  }
  return NULL;
}

static void test_count__no_thread_is_lost(void **state) {
  (void)state;
  aio__counters counters;
  pthread_t threads[4];
  aio__counters_init(&counters);
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, count_many, &counters), 0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  assert_contains(&counters, "\"attempts\":20000,");
  assert_contains(&counters, "\"generate\":{\"count\":20000,\"sum_us\":40000,");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_json__fresh_counters_are_all_there_and_zero),
    cmocka_unit_test(test_count__its_own_only),
    cmocka_unit_test(test_count_stage__buckets_are_cumulative),
    cmocka_unit_test(test_count__no_thread_is_lost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
