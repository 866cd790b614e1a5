/* lib/core/alloc.c, and the allocator that the other tests use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/test_alloc.h"

static void test_malloc__of_nothing_is_null(void **state) {
  (void)state;
  assert_null(aio__malloc(aio__alloc_default(), 0));
  assert_null(aio__realloc(aio__alloc_default(), NULL, 0));
}

static void test_calloc__is_zeroed(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  char *memory = aio__calloc(&t.al, 3, 5);
  assert_non_null(memory);
  for (size_t i = 0; i < 15; i++) assert_int_equal(memory[i], 0);
  aio__free(&t.al, memory);
  assert_int_equal(t.live, 0);
}

static void test_calloc__overflow_is_null(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  assert_null(aio__calloc(&t.al, SIZE_MAX / 2, 3));
  assert_int_equal(t.count, 0);
}

static void test_strndup__copies_nul_and_ends_with_nul(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  char *copy = aio__strndup(&t.al, "a\0bc", 3);
  assert_memory_equal(copy, "a\0b", 4);
  aio__free(&t.al, copy);
  copy = aio__strndup(&t.al, NULL, 0);
  assert_string_equal(copy, "");
  aio__free(&t.al, copy);
  assert_null(aio__strndup(&t.al, "x", SIZE_MAX));
  assert_int_equal(t.live, 0);
}

static void test_default__works_like_the_c_library(void **state) {
  (void)state;
  const aio__alloc *al = aio__alloc_default();
  assert_int_equal(al->struct_size, sizeof(aiorch_allocator));
  char *memory = aio__realloc(al, aio__strndup(al, "abc", 3), 100);
  assert_string_equal(memory, "abc");
  aio__free(al, memory);
  aio__free(al, NULL);
}

static void test_test_alloc__fails_the_nth_and_counts(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  t.fail_at = 2;
  void *first = aio__malloc(&t.al, 1), *second = aio__malloc(&t.al, 1), *third = aio__malloc(&t.al, 1);
  assert_non_null(first);
  assert_null(second);
  assert_non_null(third);
  assert_int_equal(t.count, 3);
  assert_int_equal(t.failed, 1);
  t.fail_on = true;
  assert_null(aio__realloc(&t.al, first, 10));
  assert_int_equal(t.live, 2);
  aio__free(&t.al, first);
  aio__free(&t.al, third);
  assert_int_equal(t.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_malloc__of_nothing_is_null),
    cmocka_unit_test(test_calloc__is_zeroed),
    cmocka_unit_test(test_calloc__overflow_is_null),
    cmocka_unit_test(test_strndup__copies_nul_and_ends_with_nul),
    cmocka_unit_test(test_default__works_like_the_c_library),
    cmocka_unit_test(test_test_alloc__fails_the_nth_and_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
