/* lib/cost/limits.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"
#include "cost/limits.h"

static aio__options options(void) {
  aio__options o;
  memset(&o, 0, sizeof o);
  o.rate_requests = 20;
  o.rate_window_s = 3600;
  o.rate_refused = 100;
  o.budget_window_s = 86400;
  return o;
}

/* "kind" followed by the digest of the length-prefixed user */
static void expect_key(const char *key, const char *kind, const char *user) {
  aio__sha256 hash;
  uint8_t digest[AIO__SHA256_SIZE];
  char hex[65];
  aio__sha256_init(&hash);
  aio__sha256_str(&hash, aio__str_z(user));
  aio__sha256_end(&hash, digest);
  aio__hex(digest, sizeof digest, hex);
  assert_memory_equal(key, kind, strlen(kind));
  assert_string_equal(key + strlen(kind), hex);
}

static void test_for_run__requests_of_a_user(void **state) {
  (void)state;
  aio__options o = options();
  aio__constraint c[AIO__CONSTRAINTS_MAX];
  assert_int_equal(aio__limits_for_run(&o, AIO__LIT("u1"), 12345, c), 1);
  assert_int_equal(c[0].kind, AIO__LIMIT_RUNS);
  assert_int_equal(c[0].limit, 20);
  assert_int_equal(c[0].window_ms, 3600000);
  assert_int_equal(c[0].amount, 1);
  assert_string_equal(c[0].setting, "rate_limit.requests");
  expect_key(c[0].key, "runs:user:", "u1");
}

static void test_for_run__all_three(void **state) {
  (void)state;
  aio__options o = options();
  aio__constraint c[AIO__CONSTRAINTS_MAX];
  o.budget_user = 1000;
  o.budget_tenant = 5000;
  assert_int_equal(aio__limits_for_run(&o, AIO__LIT("u1"), 12, c), 3);
  expect_key(c[1].key, "money:user:", "u1");
  assert_string_equal(c[2].key, "money:tenant");
  assert_string_equal(c[1].setting, "budget.user_nano_usd");
  assert_string_equal(c[2].setting, "budget.tenant_nano_usd");
  assert_int_equal(c[1].limit, 1000);
  assert_int_equal(c[2].limit, 5000);
  for (int i = 1; i < 3; i++) {
    assert_int_equal(c[i].kind, AIO__LIMIT_MONEY);
    assert_int_equal(c[i].window_ms, 86400000);
    assert_int_equal(c[i].amount, 12);
  }
}

static void test_for_run__zero_is_no_limit_and_one_is(void **state) {
  (void)state;
  aio__options o = options();
  aio__constraint c[AIO__CONSTRAINTS_MAX];
  o.rate_requests = 0;
  assert_int_equal(aio__limits_for_run(&o, AIO__LIT("u1"), 1, c), 0);
  o.rate_requests = 1;
  assert_int_equal(aio__limits_for_run(&o, AIO__LIT("u1"), 1, c), 1);
  o.rate_requests = 0;
  o.budget_user = 1;
  assert_int_equal(aio__limits_for_run(&o, AIO__LIT("u"), 1, c), 1);
  assert_string_equal(c[0].setting, "budget.user_nano_usd");
  o.budget_user = 0;
  o.budget_tenant = 1;
  assert_int_equal(aio__limits_for_run(&o, AIO__LIT("u1"), 1, c), 1);
  assert_string_equal(c[0].key, "money:tenant");
}

static void test_for_run__anonymous_has_the_tenants_budget_alone(void **state) {
  (void)state;
  aio__options o = options();
  aio__constraint c[AIO__CONSTRAINTS_MAX];
  o.budget_user = 1000;
  assert_int_equal(aio__limits_for_run(&o, AIO__LIT(""), 1, c), 0);
  o.budget_tenant = 5000;
  assert_int_equal(aio__limits_for_run(&o, AIO__LIT(""), 1, c), 1);
  assert_string_equal(c[0].key, "money:tenant");
}

static void test_for_run__a_budget_admits_by_at_least_one(void **state) {
  (void)state;
  static const int64_t given[] = {INT64_MIN, -1, 0, 1, 2, INT64_MAX}, wanted[] = {1, 1, 1, 1, 2, INT64_MAX};
  aio__options o = options();
  aio__constraint c[AIO__CONSTRAINTS_MAX];
  o.rate_requests = 0;
  o.budget_tenant = 5;
  for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
    assert_int_equal(aio__limits_for_run(&o, AIO__LIT("u"), given[i], c), 1);
    assert_true(c[0].amount == wanted[i]);
  }
}

static void test_for_run__the_longest_windows(void **state) {
  (void)state;
  aio__options o = options();
  aio__constraint c[AIO__CONSTRAINTS_MAX];
  o.rate_window_s = o.budget_window_s = 31536000;
  o.budget_tenant = 5;
  assert_int_equal(aio__limits_for_run(&o, AIO__LIT("u"), 1, c), 2);
  assert_true(c[0].window_ms == INT64_C(31536000000));
  assert_true(c[1].window_ms == INT64_C(31536000000));
}

static void test_keys__differ_by_user_and_kind(void **state) {
  (void)state;
  aio__options o = options();
  aio__constraint a[AIO__CONSTRAINTS_MAX], b[AIO__CONSTRAINTS_MAX];
  char longest[256];
  memset(longest, 'u', sizeof longest);
  o.budget_user = 1;
  assert_int_equal(aio__limits_for_run(&o, AIO__LIT("u1"), 1, a), 2);
  assert_int_equal(aio__limits_for_run(&o, AIO__LIT("u2"), 1, b), 2);
  assert_string_not_equal(a[0].key, b[0].key);
  assert_string_not_equal(a[0].key, a[1].key);
  assert_int_equal(aio__limits_for_refusal(&o, AIO__LIT("u1"), b), 1);
  assert_string_not_equal(a[0].key, b[0].key);
  assert_int_equal(aio__limits_for_run(&o, aio__str_n(longest, 255), 1, a), 2);
  assert_int_equal(aio__limits_for_run(&o, aio__str_n(longest, 256), 1, b), 2);
  assert_string_not_equal(a[0].key, b[0].key);
  assert_true(strlen(a[1].key) < sizeof a[1].key);
}

static void test_for_refusal__its_own_key_and_hour(void **state) {
  (void)state;
  aio__options o = options();
  aio__constraint c[AIO__CONSTRAINTS_MAX];
  o.rate_window_s = 5; /* of accepted messages alone */
  assert_int_equal(aio__limits_for_refusal(&o, AIO__LIT("u1"), c), 1);
  assert_int_equal(c[0].kind, AIO__LIMIT_RUNS);
  assert_int_equal(c[0].limit, 100);
  assert_int_equal(c[0].window_ms, 3600000);
  assert_int_equal(c[0].amount, 1);
  assert_string_equal(c[0].setting, "rate_limit.refused");
  expect_key(c[0].key, "refused:user:", "u1");
}

static void test_for_refusal__none_without_a_user_or_a_limit(void **state) {
  (void)state;
  aio__options o = options();
  aio__constraint c[AIO__CONSTRAINTS_MAX];
  assert_int_equal(aio__limits_for_refusal(&o, AIO__LIT(""), c), 0);
  o.rate_refused = 0;
  assert_int_equal(aio__limits_for_refusal(&o, AIO__LIT("u1"), c), 0);
  o.rate_refused = 1;
  assert_int_equal(aio__limits_for_refusal(&o, AIO__LIT("u1"), c), 1);
  assert_int_equal(c[0].limit, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_for_run__requests_of_a_user),
      cmocka_unit_test(test_for_run__all_three),
      cmocka_unit_test(test_for_run__zero_is_no_limit_and_one_is),
      cmocka_unit_test(test_for_run__anonymous_has_the_tenants_budget_alone),
      cmocka_unit_test(test_for_run__a_budget_admits_by_at_least_one),
      cmocka_unit_test(test_for_run__the_longest_windows),
      cmocka_unit_test(test_keys__differ_by_user_and_kind),
      cmocka_unit_test(test_for_refusal__its_own_key_and_hour),
      cmocka_unit_test(test_for_refusal__none_without_a_user_or_a_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
