/* lib/core/arena.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdalign.h>

#include "core/arena.h"
#include "support/test_alloc.h"

static void test_alloc__zeroed_aligned_and_apart(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__arena arena;
  aio__arena_init(&arena, &t.al, 1024);
  unsigned char *all[200];
  for (size_t i = 0; i < 200; i++) {
    if (i % 3 == 0) assert_non_null(aio__arena_strn(&arena, "odd", i % 7 % 4));
    all[i] = aio__arena_alloc(&arena, i * 3);
    assert_non_null(all[i]);
    assert_int_equal((uintptr_t)all[i] % alignof(max_align_t), 0);
    for (size_t k = 0; k < i * 3; k++) assert_int_equal(all[i][k], 0);
    memset(all[i], (int)i, i * 3);
  }
  for (size_t i = 0; i < 200; i++) {
    for (size_t k = 0; k < i * 3; k++) assert_int_equal(all[i][k], i);
  }
  assert_true(t.count < 150);
  aio__arena_free(&arena);
  assert_int_equal(t.live, 0);
}

static void test_alloc__large_piece_does_not_lose_the_block(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__arena arena;
  aio__arena_init(&arena, &t.al, 4096);
  char *a = aio__arena_alloc(&arena, 16);
  assert_non_null(aio__arena_alloc(&arena, 100000));
  char *b = aio__arena_alloc(&arena, 16);
  assert_ptr_equal(b, a + 16);
  assert_int_equal(t.count, 2);
  aio__arena_free(&arena);
  assert_int_equal(t.live, 0);
}

static void test_free__may_be_used_again(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__arena arena;
  aio__arena_init(&arena, &t.al, 0);
  aio__arena_free(&arena);
  assert_string_equal(aio__arena_strn(&arena, "abc", 3), "abc");
  aio__arena_free(&arena);
  assert_string_equal(aio__arena_strn(&arena, "def", 3), "def");
  aio__arena_free(&arena);
  aio__arena_free(&arena);
  assert_int_equal(t.live, 0);
}

static void test_str__copies_and_tells_empty_from_failed(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__arena arena;
  aio__arena_init(&arena, &t.al, 256);
  aio__str empty = aio__arena_str(&arena, aio__str_z(NULL));
  assert_non_null(empty.p);
  assert_int_equal(empty.n, 0);
  aio__str text = aio__arena_str(&arena, AIO__LIT("a\0b"));
  assert_true(aio__str_eq(text, AIO__LIT("a\0b")));
  assert_int_equal(text.p[3], 0);
  assert_non_null(aio__arena_alloc(&arena, 0));
  aio__arena_free(&arena);
  t.fail_at = t.count + 1;
  assert_null(aio__arena_str(&arena, AIO__LIT("abc")).p);
  aio__arena_free(&arena);
  assert_int_equal(t.live, 0);
}

static void test_grow__doubles_and_keeps_what_is_there(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__arena arena;
  aio__arena_init(&arena, &t.al, 256);
  int *items = NULL;
  size_t cap = 0;
  for (int i = 0; i < 1000; i++) {
    int *before = items;
    bool full = (size_t)i == cap;
    items = aio__arena_grow(&arena, items, (size_t)i, &cap, 3, sizeof *items);
    assert_non_null(items);
    assert_int_equal(items != before, full);
    assert_true(cap > (size_t)i);
    items[i] = i;
  }
  assert_int_equal(cap, 3 * 512);
  for (int i = 0; i < 1000; i++) assert_int_equal(items[i], i);
  for (size_t i = 1000; i < cap; i++) assert_int_equal(items[i], 0);
  t.fail_at = t.count + 1;
  assert_null(aio__arena_grow(&arena, items, cap, &cap, 3, sizeof *items));
  assert_int_equal(cap, 3 * 512);
  size_t huge = SIZE_MAX / sizeof *items;
  assert_null(aio__arena_grow(&arena, items, huge, &huge, 3, sizeof *items));
  aio__arena_free(&arena);
  assert_int_equal(t.live, 0);
}

static void test_alloc__size_that_overflows_is_null(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__arena arena;
  aio__arena_init(&arena, &t.al, 256);
  assert_non_null(aio__arena_alloc(&arena, 1));
  assert_null(aio__arena_alloc(&arena, SIZE_MAX));
  assert_null(aio__arena_alloc(&arena, SIZE_MAX - 8));
  assert_null(aio__arena_strn(&arena, "", SIZE_MAX));
  aio__arena_free(&arena);
  assert_int_equal(t.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_alloc__zeroed_aligned_and_apart),
    cmocka_unit_test(test_alloc__large_piece_does_not_lose_the_block),
    cmocka_unit_test(test_free__may_be_used_again),
    cmocka_unit_test(test_str__copies_and_tells_empty_from_failed),
    cmocka_unit_test(test_grow__doubles_and_keeps_what_is_there),
    cmocka_unit_test(test_alloc__size_that_overflows_is_null),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
