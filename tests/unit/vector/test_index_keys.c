/* lib/vector/index_keys.c: keys that are alike, and keys that are not; through the index, which holds them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/test_alloc.h"
#include "vector/index_private.h"

static const float unit[2] = {0, 1};

static uint64_t key_of(int kind, uint64_t i) {
  switch (kind) {
    case 0: return i;
    case 1: return i << 32;
    case 2: return i << 56 | i >> 8;
    case 3: return UINT64_MAX - i * 4096;
    default: return i * UINT64_C(0x9e3779b97f4a7c15);
  }
}

static uint64_t key_at(const aio__index *index, uint32_t place) {
  return aio__block_keys(aio__index_block(index, place / AIO__BLOCK_ROWS))[place % AIO__BLOCK_ROWS];
}

static void test_keys__each_is_found(void **state) {
  (void)state;
  enum { N = 4000 };
  for (int kind = 0; kind < 5; kind++) {
    aio__index *index = NULL;
    assert_int_equal(aio__index_new(aio__alloc_default(), 2, AIO__CPU_PLAIN, &index), AIORCH_OK);
    assert_int_equal(aio__keys_find(index, 0), AIO__NO_PLACE);
    aio__keys_expect(index, 7);
    for (uint64_t i = 0; i < N; i++) {
      assert_int_equal(aio__keys_find(index, key_of(kind, i)), AIO__NO_PLACE);
      assert_int_equal(aio__index_put(index, key_of(kind, i), 0, unit), AIORCH_OK);
      assert_true(index->keys.n < index->keys.cap);
    }
    for (uint64_t i = 0; i < N; i += 3) assert_true(aio__index_remove(index, key_of(kind, i)));
    for (uint64_t i = 0; i < N; i++) {
      uint32_t place = aio__keys_find(index, key_of(kind, i));
      if (i % 3 == 0) assert_int_equal(place, AIO__NO_PLACE);
      else assert_true(key_at(index, place) == key_of(kind, i));
    }
    aio__index_free(index);
  }
}

static void test_reserve__what_is_reserved_needs_no_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__index *index = NULL;
  aio__test_alloc_init(&t);
  assert_int_equal(aio__index_new(&t.al, 2, AIO__CPU_PLAIN, &index), AIORCH_OK);
  assert_true(aio__keys_reserve(index, 1000));
  size_t cap = index->keys.cap;
  long count = t.count;
  assert_true(aio__keys_reserve(index, 1000));
  for (uint32_t i = 0; i < 1000; i++) aio__keys_add(index, i, i); /* their rows are not looked at */
  assert_int_equal(index->keys.cap, cap);
  assert_int_equal(t.count, count);
  assert_false(aio__keys_reserve(index, SIZE_MAX));
  index->keys.n = 0;
  memset(index->keys.tags, 0, cap);
  aio__keys_fit(index);
  assert_true(index->keys.cap < 100);
  t.fail_at = t.count + 1;
  assert_false(aio__keys_reserve(index, 1000));
  aio__index_free(index);
  assert_int_equal(t.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_keys__each_is_found),
    cmocka_unit_test(test_reserve__what_is_reserved_needs_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
