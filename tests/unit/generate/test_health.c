/* lib/generate/health.c: what the handle remembers of its providers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "generate/health.h"
#include "support/test_alloc.h"

static const aio__health_limits LIMITS = {.budget_milli = 2000, .failures = 2, .open_ms = 1000};
static const uint32_t weights[] = {3, 1, 0};
static const char *const names[] = {"https://a.example #1", "https://a.example #2", "https://b.example"};
static const aio__plugin_provider three = {.name = "three", .endpoint_count = 3, .endpoint_weights = weights, .endpoint_names = names};
static const aio__plugin_provider one = {.name = "one"};
static const aio__health_whom three_m = {&three, "m"}, one_m = {&one, "m"}, one_n = {&one, "n"};

static aio__health *fresh(const aio__alloc *al) {
  aio__health *health = NULL;
  assert_int_equal(aio__health_new(al, &LIMITS, &health), AIORCH_OK);
  return health;
}

static void fail_often(aio__health *health, aio__health_whom whom, uint32_t endpoint, int times, int64_t now_ms) {
  for (int i = 0; i < times; i++) (void)aio__health_report(health, whom, endpoint, AIORCH_E_NETWORK, -1, now_ms);
}

static void test_choose__by_weight(void **state) {
  (void)state;
  aio__health *health = fresh(aio__alloc_default());
  int drawn[3] = {0, 0, 0};
  for (uint32_t i = 0; i < 1000; i++) {
    aio__health_choice choice;
    assert_true(aio__health_choose(health, three_m, 0, i * (UINT32_MAX / 1000), 0, &choice));
    assert_false(choice.probe);
    drawn[choice.endpoint]++;
  }
  assert_in_range(drawn[0], 749, 751);
  assert_in_range(drawn[1], 249, 251);
  assert_int_equal(drawn[2], 0); /* without weight: only when no other is left */
  aio__health_choice choice;
  assert_true(aio__health_choose(health, three_m, 3, UINT32_MAX, 0, &choice));
  assert_int_equal(choice.endpoint, 2);
  assert_true(aio__health_choose(health, three_m, 1, UINT32_MAX, 0, &choice));
  assert_int_equal(choice.endpoint, 1);
  assert_false(aio__health_choose(health, three_m, 7, 0, 0, &choice));
  assert_int_equal(choice.wait_ms, -1);
  aio__health_free(health);
}

static void test_choose__large_weights_do_not_overflow(void **state) {
  (void)state;
  static uint32_t heavy[AIO__ENDPOINTS_MAX];
  for (size_t i = 0; i < AIO__ENDPOINTS_MAX; i++) heavy[i] = UINT32_MAX;
  aio__plugin_provider many = {.name = "many", .endpoint_count = 1000, .endpoint_weights = heavy};
  aio__health *health = fresh(aio__alloc_default());
  aio__health_choice choice;
  assert_true(aio__health_choose(health, (aio__health_whom){&many, "m"}, 0, UINT32_MAX, 0, &choice));
  assert_int_equal(choice.endpoint, 63); /* those beyond AIO__ENDPOINTS_MAX are not asked */
  assert_true(aio__health_choose(health, (aio__health_whom){&many, "m"}, 0, UINT32_MAX / 2, 0, &choice));
  assert_int_equal(choice.endpoint, 31);
  aio__health_free(health);
}

static void test_breakers__are_of_provider_model_and_endpoint(void **state) {
  (void)state;
  aio__health *health = fresh(aio__alloc_default());
  aio__health_choice choice;
  fail_often(health, three_m, 0, 2, 100);
  fail_often(health, one_m, 0, 2, 300);
  assert_true(aio__health_choose(health, three_m, 0, 0, 100, &choice));
  assert_int_equal(choice.endpoint, 1); /* its neighbour has nothing to do with it */
  assert_false(aio__health_any(health, one_m, 0, 300));
  assert_true(aio__health_any(health, one_n, 0, 300));
  assert_false(aio__health_take(health, three_m, 0, 1099, &choice));
  assert_int_equal(choice.wait_ms, 1);
  fail_often(health, three_m, 1, 2, 200);
  fail_often(health, three_m, 2, 2, 300);
  assert_false(aio__health_choose(health, three_m, 0, 0, 1000, &choice));
  assert_int_equal(choice.wait_ms, 100); /* the shortest */
  assert_true(aio__health_choose(health, three_m, 0, UINT32_MAX, 1100, &choice));
  assert_int_equal(choice.endpoint, 0);
  assert_true(choice.probe);
  assert_false(aio__health_choose(health, three_m, 0, 0, 1101, &choice)); /* one probe at a time */
  aio__health_free(health);
}

static void test_probe__first_text_closes_and_nothing_hands_on(void **state) {
  (void)state;
  aio__health *health = fresh(aio__alloc_default());
  aio__health_choice choice;
  fail_often(health, one_m, 0, 2, 0);
  assert_true(aio__health_take(health, one_m, 0, 1000, &choice));
  aio__health_nothing(health, one_m, 0, choice.probe, 1001);
  assert_true(aio__health_take(health, one_m, 0, 1001, &choice));
  assert_true(choice.probe);
  aio__health_alive(health, one_m, 0);
  assert_true(aio__health_take(health, one_m, 0, 1002, &choice));
  assert_false(choice.probe);
  aio__health_free(health);
}

static void test_report__says_when_it_opens(void **state) {
  (void)state;
  aio__health *health = fresh(aio__alloc_default());
  assert_false(aio__health_report(health, one_m, 0, AIORCH_E_NETWORK, -1, 0));
  assert_false(aio__health_report(health, one_m, 0, AIORCH_OK, -1, 0));
  assert_false(aio__health_report(health, one_m, 0, AIORCH_E_NETWORK, -1, 0));
  assert_true(aio__health_report(health, one_m, 0, AIORCH_E_NETWORK, -1, 0));
  assert_false(aio__health_report(health, one_m, 0, AIORCH_E_NETWORK, -1, 0)); /* it is open */
  assert_false(aio__health_report(health, one_m, 0, AIORCH_OK, -1, 1)); /* of an attempt from before: it stays so */
  assert_false(aio__health_any(health, one_m, 0, 1));
  aio__health_free(health);
}

static void test_decide__the_budget_is_of_the_provider(void **state) {
  (void)state;
  aio__health *health = fresh(aio__alloc_default());
  const aio__retry_failure failure = {.status = AIORCH_E_NETWORK, .retry_after_ms = -1, .should_retry = -1};
  const aio__retry_place place = {.attempts = 1, .remaining_ms = 60000};
  for (int i = 0; i < 2; i++) assert_int_equal(aio__health_decide(health, &one, &failure, &place).step, AIO__RETRY_SAME_KEY);
  assert_int_equal(aio__health_decide(health, &one, &failure, &place).step, AIO__RETRY_GIVE_UP);
  assert_int_equal(aio__health_decide(health, &three, &failure, &place).step, AIO__RETRY_SAME_KEY);
  for (int i = 0; i < 9; i++) (void)aio__health_report(health, one_m, 0, AIORCH_OK, -1, 0);
  assert_int_equal(aio__health_decide(health, &one, &failure, &place).step, AIO__RETRY_GIVE_UP);
  (void)aio__health_report(health, one_n, 0, AIORCH_OK, -1, 0);
  assert_int_equal(aio__health_decide(health, &one, &failure, &place).step, AIO__RETRY_SAME_KEY);
  aio__health_free(health);
}

static void test_json__each_line(void **state) {
  (void)state;
  aio__health *health = fresh(aio__alloc_default());
  aio__health_choice choice;
  fail_often(health, three_m, 1, 2, 100);
  assert_true(aio__health_choose(health, one_m, 0, 0, 100, &choice));
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, aio__alloc_default(), 4096);
  aio__jw_init(&w, &buf);
  aio__health_json(health, 600, &w);
  assert_string_equal(aio__buf_cstr(&buf),
                      "[{\"provider\":\"three\",\"model\":\"m\",\"endpoint\":1,\"address\":\"https://a.example #2\","
                      "\"state\":\"open\",\"failures\":2,\"opened\":1,\"wait_ms\":500,\"retry_budget\":2},"
                      "{\"provider\":\"one\",\"model\":\"m\",\"endpoint\":0,\"address\":null,\"state\":\"closed\",\"failures\":0,"
                      "\"opened\":0,\"wait_ms\":0,\"retry_budget\":2}]");
  aio__buf_free(&buf);
  aio__health_free(health);
}

/* Models that users make up do not fill the memory, and do not push out a breaker that is open. */
static void test_lines__are_bounded(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__health *health = fresh(&t.al);
  char model[32];
  aio__health_choice choice;
  fail_often(health, one_m, 0, 2, 0);
  for (int i = 0; i < 3 * AIO__HEALTH_MAX; i++) {
    (void)snprintf(model, sizeof model, "made-up-%d", i);
    assert_true(aio__health_take(health, (aio__health_whom){&one, model}, 0, 0, &choice));
  }
  assert_false(aio__health_any(health, one_m, 0, 1));
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, aio__alloc_default(), 1 << 20);
  aio__jw_init(&w, &buf);
  aio__health_json(health, 0, &w);
  assert_non_null(strstr(aio__buf_cstr(&buf), model)); /* the newest is there */
  assert_null(strstr(aio__buf_cstr(&buf), "\"made-up-0\""));
  size_t lines = 0;
  for (const char *p = aio__buf_cstr(&buf); (p = strstr(p, "\"provider\"")) != NULL; p++) lines++;
  assert_int_equal(lines, AIO__HEALTH_MAX);
  aio__buf_free(&buf);
  aio__health_free(health);
  assert_int_equal(t.live, 0);
}

static void test_lines__without_memory_all_is_allowed(void **state) {
  (void)state;
  for (long fail_at = 1; fail_at <= 2; fail_at++) { /* the model's copy, then the list */
    aio__test_alloc t;
    aio__test_alloc_init(&t);
    aio__health *health = fresh(&t.al);
    t.fail_at = t.count + fail_at;
    aio__health_choice choice;
    assert_true(aio__health_take(health, one_m, 0, 0, &choice));
    assert_false(choice.probe);
    aio__health_nothing(health, one_m, 0, false, 0);
    aio__health_free(health);
    assert_int_equal(t.live, 0);
  }
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  t.fail_at = 1;
  aio__health *health = NULL;
  assert_int_equal(aio__health_new(&t.al, &LIMITS, &health), AIORCH_E_NOMEM);
  aio__health_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_choose__by_weight),
      cmocka_unit_test(test_choose__large_weights_do_not_overflow),
      cmocka_unit_test(test_breakers__are_of_provider_model_and_endpoint),
      cmocka_unit_test(test_probe__first_text_closes_and_nothing_hands_on),
      cmocka_unit_test(test_report__says_when_it_opens),
      cmocka_unit_test(test_decide__the_budget_is_of_the_provider),
      cmocka_unit_test(test_json__each_line),
      cmocka_unit_test(test_lines__are_bounded),
      cmocka_unit_test(test_lines__without_memory_all_is_allowed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
