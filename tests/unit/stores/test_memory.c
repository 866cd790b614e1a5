/* The memory store: the conformance suite. (label: threads) */
#include "stores/conformance.c"

aiorch_status open_store(fixture *f) {
  return aio__store_memory_open(&f->env, &f->store, NULL);
}

static void test_open__names_itself(void **state) {
  const fixture *f = *state;
  assert_string_equal(f->store->kind, "memory");
  assert_string_equal(f->store->place, "memory");
}

int main(void) {
  struct CMUnitTest tests[CONFORMANCE_TESTS + 1] = {CASE(test_open__names_itself)};
  memcpy(tests + 1, conformance_tests, sizeof conformance_tests);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
