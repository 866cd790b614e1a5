/* lib/vector/index_blocks.c: places, copies, and when what was taken out is freed */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/test_alloc.h"
#include "vector/index_private.h"

static aio__test_alloc t;

static aio__index *new_index(size_t dimensions) {
  aio__index *index = NULL;
  aio__test_alloc_init(&t);
  assert_int_equal(aio__index_new(&t.al, dimensions, AIO__CPU_PLAIN, &index), AIORCH_OK);
  return index;
}

static void test_reach__each_place_has_a_home_of_its_own(void **state) {
  (void)state;
  enum { PLACES = 1000 };
  aio__index *index = new_index(8);
  aio__entry *homes[PLACES];
  for (size_t at = 0; at < PLACES; at++) {
    assert_int_equal(aio__index_reach(index, at), AIORCH_OK);
    homes[at] = aio__index_entry(index, at);
    assert_null(atomic_load(homes[at]));
    for (size_t i = 0; i < at; i++) assert_ptr_not_equal(homes[i], homes[at]);
    assert_true(index->spare_words * 64 > at);
  }
  for (size_t at = 0; at < PLACES; at++) assert_ptr_equal(aio__index_entry(index, at), homes[at]); /* for good */
  assert_int_equal(aio__index_reach(index, AIO__PLACES_MAX / AIO__BLOCK_ROWS), AIORCH_E_TOO_LARGE);
  assert_int_equal(aio__index_reach(index, SIZE_MAX / 2), AIORCH_E_TOO_LARGE);
  aio__index_free(index);
  assert_int_equal(t.live, 0);
}

static void test_block__arrays_do_not_overlap(void **state) {
  (void)state;
  for (size_t dimensions = 1; dimensions <= 100; dimensions += 33) {
    aio__index *index = new_index(dimensions);
    for (size_t room = 4; room <= AIO__BLOCK_ROWS; room += 4) {
      aio__block *block = aio__block_new(index, room);
      assert_non_null(block);
      assert_int_equal((uintptr_t)block->high % AIO__BLOCK_ALIGN, 0);
      assert_int_equal((uintptr_t)block->low % AIO__BLOCK_ALIGN, 0);
      memset(block->high, 1, room * index->half);
      memset(block->low, 2, room * index->half);
      for (size_t i = 0; i < room; i++) {
        aio__block_keys(block)[i] = i;
        aio__block_scopes(block)[i] = 100 + i;
        aio__block_units(block)[i] = (float)(200 + i);
        aio__block_errors(block)[i] = (uint16_t)(300 + i);
        aio__block_coarse_units(block)[i] = (uint16_t)(400 + i);
        aio__block_coarse_errors(block)[i] = (uint16_t)(500 + i);
      }
      assert_int_equal(block->room, room);
      assert_int_equal(aio__block_live(block), 0);
      atomic_store(&block->rows, (uint32_t)room);
      atomic_store(&block->dead, 5);
      assert_int_equal(aio__block_live(block), (room == 32 ? UINT32_MAX : (1u << room) - 1) & ~5u);
      aio__block *copy = aio__block_copy(index, block, AIO__BLOCK_ROWS);
      assert_non_null(copy);
      assert_int_equal(aio__block_live(copy), aio__block_live(block));
      for (size_t i = 0; i < room; i++) {
        assert_int_equal(aio__block_keys(copy)[i], i);
        assert_int_equal(aio__block_scopes(copy)[i], 100 + i);
        assert_float_equal(aio__block_units(copy)[i], (float)(200 + i), 0);
        assert_int_equal(aio__block_errors(copy)[i], 300 + i);
        assert_int_equal(aio__block_coarse_units(copy)[i], 400 + i);
        assert_int_equal(aio__block_coarse_errors(copy)[i], 500 + i);
      }
      for (size_t i = 0; i < room * index->half; i++) assert_true(copy->high[i] == 1 && copy->low[i] == 2);
      aio__block_free(index, block);
      aio__block_free(index, copy);
    }
    aio__block_free(index, NULL);
    aio__index_free(index);
    assert_int_equal(t.live, 0);
  }
}

/* Takes a new block out and tells how many blocks wait now. */
static size_t retire_one(aio__index *index) {
  aio__gate_retire(index, aio__block_new(index, 4));
  aio__gate_settle(index);
  return atomic_load(&index->waiting);
}

static void test_gate__nobody_searches(void **state) {
  (void)state;
  aio__index *index = new_index(8);
  long live = t.live;
  aio__gate_retire(index, NULL);
  for (int i = 0; i < 10; i++) assert_int_equal(retire_one(index), 0);
  assert_int_equal(t.live, live);
  aio__index_free(index);
}

static void test_gate__waits_for_those_that_may_have_seen_it(void **state) {
  (void)state;
  aio__index *index = new_index(8);
  long live = t.live;
  size_t first = aio__gate_enter(index);
  assert_int_equal(retire_one(index), 1);
  assert_int_equal(retire_one(index), 2);
  size_t second = aio__gate_enter(index); /* saw neither, but may see the next */
  assert_int_equal(retire_one(index), 3);
  aio__gate_leave(index, first); /* the last to leave takes care */
  assert_in_range(atomic_load(&index->waiting), 1, 3);
  assert_in_range(retire_one(index), 2, 4);
  aio__gate_leave(index, second);
  assert_int_equal(atomic_load(&index->waiting), 0);
  assert_int_equal(t.live, live);
  aio__index_free(index);
}

/* Searches that follow each other without a gap hold nothing up for good. */
static void test_gate__an_endless_chain_of_searches(void **state) {
  (void)state;
  aio__index *index = new_index(8);
  size_t last = aio__gate_enter(index);
  for (int i = 0; i < 100; i++) {
    size_t next = aio__gate_enter(index);
    assert_true(retire_one(index) <= 4);
    aio__gate_leave(index, last);
    last = next;
  }
  aio__gate_leave(index, last);
  assert_int_equal(retire_one(index), 0);
  aio__index_free(index);
  assert_int_equal(t.live, 0);
}

static void test_free__what_still_waits(void **state) {
  (void)state;
  aio__index *index = new_index(8);
  for (int i = 0; i < 3; i++) {
    size_t slot = aio__gate_enter(index);
    aio__gate_retire(index, aio__block_new(index, 8));
    aio__gate_settle(index);
    atomic_fetch_sub(&index->readers[slot], 1); /* leaves without a look at what waits */
  }
  assert_true(atomic_load(&index->waiting) > 0);
  aio__index_free(index);
  assert_int_equal(t.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_reach__each_place_has_a_home_of_its_own),
    cmocka_unit_test(test_block__arrays_do_not_overlap),
    cmocka_unit_test(test_gate__nobody_searches),
    cmocka_unit_test(test_gate__waits_for_those_that_may_have_seen_it),
    cmocka_unit_test(test_gate__an_endless_chain_of_searches),
    cmocka_unit_test(test_free__what_still_waits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
