/* examples/server/tenant_share.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenant_share.h"

static void test_tenant_share_allows__three_quarters_alone(void **state) {
  int64_t has = 0;
  (void)state;
  while (tenant_share_allows(has, 1, 64 - has)) has++;
  assert_int_equal(has, 48);
}

/* Of two or three there is no quarter to keep. */
static void test_tenant_share_allows__few(void **state) {
  (void)state;
  for (int64_t few = 1; few <= 3; few++) {
    int64_t has = 0;
    while (tenant_share_allows(has, 1, few - has)) has++;
    assert_int_equal(has, few);
  }
}

/* However many take all that they get, who comes next gets something, until there is nothing. */
static void test_tenant_share_allows__who_comes_next(void **state) {
  int64_t room = 256;
  (void)state;
  for (int tenant = 0; tenant < 4; tenant++) {
    int64_t has = 0;
    for (; tenant_share_allows(has, 1, room); room--) has++;
    assert_true(has > 0);
  }
  assert_true(room > 0);
  assert_true(tenant_share_allows(0, room, room));
  assert_false(tenant_share_allows(0, room + 1, room));
  assert_false(tenant_share_allows(0, 1, 0));
}

static void test_tenant_share_enter__one_of_each_tenant(void **state) {
  tenant_shares shares = {{0}};
  (void)state;
  tenant_share *acme = tenant_share_enter(&shares, "acme"), *globex = tenant_share_enter(&shares, "globex");
  assert_ptr_not_equal(acme, globex);
  assert_ptr_equal(tenant_share_enter(&shares, "acme"), acme);
  assert_int_equal(acme->calls, 2);
  assert_int_equal(globex->calls, 1);
  tenant_share_leave(&shares, acme);
  assert_int_equal(acme->calls, 1);
  tenant_share_leave(&shares, acme);
  tenant_share_leave(&shares, globex);
  tenant_share_leave(&shares, NULL);
  for (size_t i = 0; i < TENANT_SHARE_BUCKETS; i++) assert_null(shares.buckets[i]);
}

/* More than there are buckets: some share one. */
static void test_tenant_share_enter__many(void **state) {
  enum { MANY = 3000 };
  static tenant_share *entered[MANY];
  static tenant_shares shares;
  char name[16];
  (void)state;
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof name, "t%d", i);
    entered[i] = tenant_share_enter(&shares, name);
    assert_int_equal(entered[i]->calls, 1);
  }
  for (int i = 0; i < MANY; i++) tenant_share_leave(&shares, entered[(i * 7) % MANY]);
  for (size_t i = 0; i < TENANT_SHARE_BUCKETS; i++) assert_null(shares.buckets[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tenant_share_allows__three_quarters_alone),
      cmocka_unit_test(test_tenant_share_allows__few),
      cmocka_unit_test(test_tenant_share_allows__who_comes_next),
      cmocka_unit_test(test_tenant_share_enter__one_of_each_tenant),
      cmocka_unit_test(test_tenant_share_enter__many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
