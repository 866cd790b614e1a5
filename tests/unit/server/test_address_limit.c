/* examples/server/address_limit.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "address_limit.h"

static net_address address(unsigned number) {
  net_address a = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}};
  for (int i = 0; i < 4; i++) a.bytes[12 + i] = (unsigned char)(number >> (24 - 8 * i));
  return a;
}

static void test_address_limit_take__counts_down_and_comes_back(void **state) {
  address_limit *limit = address_limit_new(3);
  net_address me = address(7), other = address(8);
  (void)state;
  for (int i = 2; i >= 0; i--) {
    address_credit credit = address_limit_take(limit, &me, 1000000);
    assert_true(credit.admitted);
    assert_int_equal(credit.limit, 3);
    assert_int_equal(credit.remaining, i);
    assert_int_equal(credit.reset_ms, 20000 * (3 - i));
  }
  address_credit refused = address_limit_take(limit, &me, 1000000);
  assert_false(refused.admitted);
  assert_int_equal(refused.remaining, 0);
  assert_int_equal(refused.retry_after_ms, 20000);
  assert_true(address_limit_take(limit, &other, 1000000).admitted);
  assert_false(address_limit_take(limit, &me, 1019999).admitted);
  assert_true(address_limit_take(limit, &me, 1020000).admitted);
  assert_false(address_limit_take(limit, &me, 1020000).admitted);
  address_credit rested = address_limit_take(limit, &me, 2000000);
  assert_int_equal(rested.remaining, 2);
  address_limit_free(limit);
}

static void test_address_limit_take__refusals_cost_nothing(void **state) {
  address_limit *limit = address_limit_new(60);
  net_address me = address(1);
  (void)state;
  for (int i = 0; i < 60; i++) assert_true(address_limit_take(limit, &me, 0).admitted);
  for (int i = 0; i < 1000; i++) assert_false(address_limit_take(limit, &me, 0).admitted);
  assert_true(address_limit_take(limit, &me, 1000).admitted);
  address_limit_free(limit);
}

static void test_address_limit_take__many_addresses_refuse_nobody(void **state) {
  address_limit *limit = address_limit_new(1);
  (void)state;
  for (unsigned i = 0; i < 200000; i++) {
    net_address one = address(i);
    assert_true(address_limit_take(limit, &one, 5).admitted);
  }
  address_limit_free(limit);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_address_limit_take__counts_down_and_comes_back),
      cmocka_unit_test(test_address_limit_take__refusals_cost_nothing),
      cmocka_unit_test(test_address_limit_take__many_addresses_refuse_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
