/* lib/vector/index.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "support/test_alloc.h"
#include "support/vector_table.h"
#include "vector/index_private.h"

static aio__index *new_index(const aio__alloc *al, size_t dimensions) {
  aio__index *index = NULL;
  assert_int_equal(aio__index_new(al, dimensions, aio__cpu_best(), &index), AIORCH_OK);
  return index;
}

static aio__index *any_index(size_t dimensions) {
  return new_index(aio__alloc_default(), dimensions);
}

static void table_put(vector_table *table, aio__index *index, size_t i, uint64_t number, uint64_t scope) {
  vector_of_topic(number, 50, table->dimensions, table->rows + i * table->dimensions);
  table->scopes[i] = scope;
  table->there[i] = true;
  assert_int_equal(aio__index_put(index, table->keys[i], scope, table->rows + i * table->dimensions), AIORCH_OK);
}

static void fill(vector_table *table, aio__index *index) {
  for (size_t i = 0; i < table->count; i++) {
    vector_of_topic(i, 50, table->dimensions, table->rows + i * table->dimensions);
    table->scopes[i] = i % 5;
    table->there[i] = true;
  }
  size_t done = 0;
  assert_int_equal(aio__index_put_many(index, table->keys, table->scopes, table->rows, table->count, &done), AIORCH_OK);
  assert_int_equal(done, table->count);
}

static void check(vector_table *table, aio__index *index, uint64_t number) {
  float query[64];
  assert_true(table->dimensions <= 64);
  vector_of_topic(number, 50, table->dimensions, query);
  vector_table_check(table, index, query, 1, NULL, 10, -1);
}

static size_t present(const vector_table *table) {
  size_t n = 0;
  for (size_t i = 0; i < table->count; i++) n += table->there[i];
  return n;
}

/* ---- new, put --------------------------------------------------------------------------------------------------- */

static void test_new__refuses_dimensions_that_are_not_offered(void **state) {
  (void)state;
  aio__index *index = NULL;
  assert_int_equal(aio__index_new(aio__alloc_default(), 0, AIO__CPU_PLAIN, &index), AIORCH_E_INVALID);
  assert_int_equal(aio__index_new(aio__alloc_default(), AIO__INDEX_DIMENSIONS_MAX + 1, AIO__CPU_PLAIN, &index),
                   AIORCH_E_INVALID);
  assert_null(index);
  aio__index_free(NULL);
  index = any_index(AIO__INDEX_DIMENSIONS_MAX);
  aio__index_free(index);
}

static void test_put__refuses_what_is_no_unit_vector(void **state) {
  (void)state;
  static const float wrong[] = {NAN, INFINITY, -INFINITY, 5};
  vector_table table;
  vector_table_init(&table, 33, 40);
  aio__index *index = any_index(33);
  float zero[33] = {0}, row[33];
  assert_int_equal(aio__index_put(index, 1, 0, zero), AIORCH_E_INVALID);
  assert_int_equal(aio__index_count(index), 0);
  fill(&table, index);
  for (size_t i = 0; i < 33; i++) {
    for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++) {
      memcpy(row, table.rows, sizeof row);
      row[i] = wrong[w];
      assert_int_equal(aio__index_put(index, table.keys[0], 0, row), AIORCH_E_INVALID); /* a key that is there */
      assert_int_equal(aio__index_put(index, 5, 0, row), AIORCH_E_INVALID);
    }
  }
  assert_int_equal(aio__index_count(index), 40);
  check(&table, index, 3);
  aio__index_free(index);
  vector_table_free(&table);
}

static void test_put__replaces(void **state) {
  (void)state;
  vector_table table;
  vector_table_init(&table, 24, 300);
  aio__index *index = any_index(24);
  fill(&table, index);
  for (size_t i = 0; i < 300; i += 7) table_put(&table, index, i, i + 10000, 9);
  assert_int_equal(aio__index_count(index), 300);
  for (uint64_t q = 0; q < 20; q++) check(&table, index, q);
  float query[24];
  const uint64_t scope = 9;
  vector_of_topic(10000, 50, 24, query);
  vector_table_check(&table, index, query, 1, &scope, 60, -1);
  aio__index_free(index);
  vector_table_free(&table);
}

static void test_put_many__goes_up_to_what_cannot_be_put(void **state) {
  (void)state;
  vector_table table;
  vector_table_init(&table, 16, 100);
  aio__index *index = any_index(16);
  for (size_t i = 0; i < 100; i++) vector_random(i, 16, table.rows + i * 16);
  table.rows[70 * 16 + 3] = NAN;
  size_t done = 0;
  assert_int_equal(aio__index_put_many(index, table.keys, NULL, table.rows, 100, &done), AIORCH_E_INVALID);
  assert_int_equal(done, 70);
  assert_int_equal(aio__index_count(index), 70);
  assert_int_equal(aio__index_put_many(index, table.keys + 71, NULL, table.rows + 71 * 16, 29, &done), AIORCH_OK);
  assert_int_equal(done, 29);
  for (size_t i = 0; i < 100; i++) table.there[i] = i != 70;
  check(&table, index, 1);
  assert_int_equal(aio__index_put_many(index, NULL, NULL, NULL, 0, NULL), AIORCH_OK);
  aio__index_free(index);
  vector_table_free(&table);
}

static void test_put_many__the_last_of_a_key_counts(void **state) {
  (void)state;
  enum { N = 400, KEYS = 90 };
  vector_table table;
  vector_table_init(&table, 8, KEYS);
  aio__index *index = any_index(8);
  uint64_t keys[N], scopes[N];
  float *rows = malloc(N * 8 * sizeof *rows);
  for (int round = 0; round < 3; round++) {
    for (size_t i = 0; i < N; i++) {
      size_t k = (i * 37 + (size_t)round) % KEYS;
      keys[i] = FIRST_KEY + k;
      scopes[i] = i % 3;
      vector_random(i + (size_t)round * 1000, 8, rows + i * 8);
      memcpy(table.rows + k * 8, rows + i * 8, 8 * sizeof *rows);
      table.scopes[k] = scopes[i];
      table.there[k] = true;
    }
    assert_int_equal(aio__index_put_many(index, keys, scopes, rows, N, NULL), AIORCH_OK);
    assert_int_equal(aio__index_count(index), KEYS);
    for (uint64_t q = 0; q < 10; q++) check(&table, index, q);
  }
  free(rows);
  aio__index_free(index);
  vector_table_free(&table);
}

/* ---- remove ----------------------------------------------------------------------------------------------------- */

static void test_remove__is_gone(void **state) {
  (void)state;
  vector_table table;
  vector_table_init(&table, 20, 200);
  aio__index *index = any_index(20);
  assert_false(aio__index_remove(index, FIRST_KEY));
  fill(&table, index);
  for (size_t i = 0; i < 200; i++) {
    size_t at = (i * 83) % 200;
    assert_true(aio__index_remove(index, table.keys[at]));
    assert_false(aio__index_remove(index, table.keys[at]));
    table.there[at] = false;
    assert_int_equal(aio__index_count(index), 199 - i);
    if (i % 20 == 19) check(&table, index, i);
  }
  check(&table, index, 0);
  fill(&table, index);
  check(&table, index, 0);
  aio__index_free(index);
  vector_table_free(&table);
}

static void test_remove_range__both_ends_included(void **state) {
  (void)state;
  vector_table table;
  vector_table_init(&table, 12, 1000);
  aio__index *index = any_index(12);
  static const struct { uint64_t first, last; size_t gone; } ranges[] = {
    {0, FIRST_KEY - 1, 0}, {FIRST_KEY + 1000, UINT64_MAX, 0}, {5, 4, 0}, {FIRST_KEY + 10, FIRST_KEY + 10, 1},
    {FIRST_KEY + 5, FIRST_KEY + 14, 9}, {0, FIRST_KEY + 2, 3}, {FIRST_KEY + 990, UINT64_MAX, 10},
    {FIRST_KEY + 300, FIRST_KEY + 899, 600}, {0, UINT64_MAX, 377}, {0, UINT64_MAX, 0}, {UINT64_MAX, UINT64_MAX, 0},
  };
  assert_int_equal(aio__index_remove_range(index, 0, UINT64_MAX), 0);
  fill(&table, index);
  for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++) {
    assert_int_equal(aio__index_remove_range(index, ranges[r].first, ranges[r].last), ranges[r].gone);
    for (size_t i = 0; i < 1000; i++)
      if (table.keys[i] >= ranges[r].first && table.keys[i] <= ranges[r].last) table.there[i] = false;
    assert_int_equal(aio__index_count(index), present(&table));
    check(&table, index, r);
  }
  aio__index_free(index);
  vector_table_free(&table);
}

static void test_remove_range__keys_at_the_end_of_what_a_key_can_be(void **state) {
  (void)state;
  aio__index *index = any_index(4);
  float unit[4] = {0, 1, 0, 0};
  for (uint64_t i = 0; i < 100; i++) {
    assert_int_equal(aio__index_put(index, UINT64_MAX - i, 0, unit), AIORCH_OK);
    assert_int_equal(aio__index_put(index, i, 0, unit), AIORCH_OK);
  }
  assert_int_equal(aio__index_remove_range(index, UINT64_MAX - 9, UINT64_MAX), 10);
  assert_int_equal(aio__index_remove_range(index, 0, 9), 10);
  assert_int_equal(aio__index_remove_range(index, 50, UINT64_MAX - 50), 100);
  assert_int_equal(aio__index_count(index), 80);
  aio__index_free(index);
}

/* ---- all together ----------------------------------------------------------------------------------------------- */

static uint32_t bits = 5;

static uint32_t next_bits(void) {
  bits = bits * 1664525u + 1013904223u;
  return bits >> 8;
}

/* What a writer must be able to rely on. */
static void check_inside(const aio__index *index) {
  size_t blocks = atomic_load(&index->blocks), rows = 0, slots = 0;
  assert_null(index->draft);
  assert_int_equal(atomic_load(&index->waiting), 0);
  for (size_t at = 0; at < blocks; at++) {
    const aio__block *block = aio__index_block(index, at);
    bool spare = (index->spare[at / 64] >> at % 64 & 1) != 0;
    if (block == NULL) assert_true(spare && at + 1 < blocks);
    if (block == NULL) continue;
    uint32_t live = aio__block_live(block);
    assert_true(live != 0);
    assert_int_equal(spare, live != UINT32_MAX);
    slots += block->room;
    for (; live != 0; live &= live - 1, rows++) {
      size_t row = (size_t)__builtin_ctz(live);
      assert_int_equal(aio__keys_find(index, aio__block_keys(block)[row]), at * AIO__BLOCK_ROWS + row);
    }
  }
  for (size_t at = blocks; at < index->spare_words * 64; at++)
    assert_int_equal(index->spare[at / 64] >> at % 64 & 1, 0);
  assert_int_equal(rows, aio__index_count(index));
  assert_int_equal(rows, index->keys.n);
  assert_int_equal(slots, index->slots);
}

static void random_change(vector_table *table, aio__index *index) {
  size_t i = next_bits() % table->count, n = next_bits() % 40;
  switch (next_bits() % 8) {
    case 0: {
      uint64_t last = table->keys[i] + n;
      size_t before = present(table);
      size_t gone = aio__index_remove_range(index, table->keys[i], last);
      for (size_t j = i; j < table->count && table->keys[j] <= last; j++) table->there[j] = false;
      assert_int_equal(before - present(table), gone);
      break;
    }
    case 1:
    case 2:
    case 3:
      assert_int_equal(aio__index_remove(index, table->keys[i]), table->there[i]);
      table->there[i] = false;
      break;
    default:
      for (size_t j = i; j < table->count && j < i + n / 8 + 1; j++)
        table_put(table, index, j, next_bits(), next_bits() % 3);
  }
}

static void test_index__behaves_like_a_list_of_what_is_in_it(void **state) {
  (void)state;
  vector_table table;
  vector_table_init(&table, 16, 700);
  aio__index *index = any_index(16);
  for (int step = 0; step < 6000; step++) {
    random_change(&table, index);
    assert_int_equal(aio__index_count(index), present(&table));
    if (step % 100 == 0) check_inside(index);
    if (step % 60 == 0) check(&table, index, next_bits());
  }
  aio__index_free(index);
  vector_table_free(&table);
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

/* An allocator that knows how many bytes are out. */
typedef struct tally {
  aio__alloc al;
  size_t bytes;
} tally;

static void *tally_alloc(void *user_data, size_t size) {
  size_t *memory = malloc(size + 16);
  memory[0] = size;
  ((tally *)user_data)->bytes += size;
  return memory + 2;
}

static void tally_free(void *user_data, void *memory) {
  size_t *at = (size_t *)memory - 2;
  ((tally *)user_data)->bytes -= at[0];
  free(at);
}

static void *tally_realloc(void *user_data, void *memory, size_t size) {
  size_t *made = tally_alloc(user_data, size);
  if (memory == NULL) return made;
  size_t old = ((size_t *)memory - 2)[0];
  memcpy(made, memory, old < size ? old : size);
  tally_free(user_data, memory);
  return made;
}

static void tally_init(tally *t) {
  *t = (tally){{sizeof t->al, t, tally_alloc, tally_realloc, tally_free}, 0};
}

static void test_bytes__to_the_byte(void **state) {
  (void)state;
  tally t;
  tally_init(&t);
  vector_table table;
  vector_table_init(&table, 40, 500);
  aio__index *index = new_index(&t.al, 40);
  for (int step = 0; step < 3000; step++) {
    random_change(&table, index);
    if (step % 200 == 0) check(&table, index, 1);
    assert_int_equal(aio__index_bytes(index), t.bytes);
  }
  aio__index_free(index);
  assert_int_equal(t.bytes, 0);
  vector_table_free(&table);
}

/* About the dimensions and 37 bytes for each of many; and no more after any number of changes. */
static void test_bytes__do_not_grow_with_changes(void **state) {
  (void)state;
  enum { N = 5000, DIMENSIONS = 96, ROUNDED = 128 };
  float unit[DIMENSIONS];
  aio__index *index = any_index(DIMENSIONS);
  for (uint64_t i = 0; i < N; i++) {
    vector_random(i, DIMENSIONS, unit);
    assert_int_equal(aio__index_put(index, i, i, unit), AIORCH_OK);
  }
  size_t most = N * (ROUNDED + 40);
  assert_in_range(aio__index_bytes(index), N * (ROUNDED + 24), most);
  for (uint64_t i = 0; i < 20 * N; i++) { /* the oldest goes, a new one comes */
    assert_true(aio__index_remove(index, i));
    assert_int_equal(aio__index_put(index, i + N, 0, unit), AIORCH_OK);
    assert_true(aio__index_bytes(index) <= most);
  }
  for (uint64_t i = 0; i < 10 * N; i++) { /* anyone goes, and comes again */
    uint64_t key = 20 * N + next_bits() % N;
    assert_true(aio__index_remove(index, key));
    assert_int_equal(aio__index_put(index, key, 0, unit), AIORCH_OK);
    assert_int_equal(aio__index_put(index, key, 1, unit), AIORCH_OK);
    assert_true(aio__index_bytes(index) <= most);
  }
  assert_int_equal(aio__index_count(index), N);
  check_inside(index);
  aio__index_free(index);
}

static void test_bytes__given_back_when_much_is_removed(void **state) {
  (void)state;
  enum { N = 8000, LEFT = 400, DIMENSIONS = 64 };
  float unit[DIMENSIONS];
  for (int wide = 0; wide <= 1; wide++) {
    aio__index *index = any_index(DIMENSIONS);
    for (uint64_t i = 0; i < N; i++) {
      vector_random(i, DIMENSIONS, unit);
      assert_int_equal(aio__index_put(index, i, 0, unit), AIORCH_OK);
    }
    for (uint64_t i = 0; i < N; i++) /* all but every twentieth, which is in nearly every block */
      if (i % (N / LEFT) != 0) assert_true(aio__index_remove(index, i));
    assert_int_equal(aio__index_count(index), LEFT);
    check_inside(index);
    assert_true(aio__index_bytes(index) < LEFT * (DIMENSIONS + 37) * 2);
    assert_int_equal(aio__index_remove_range(index, wide ? 0 : 1, wide ? UINT64_MAX : LEFT), wide ? LEFT : LEFT / 20);
    check_inside(index);
    aio__index_free(index);
  }
}

static void test_index__ten_thousand_small_ones(void **state) {
  (void)state;
  enum { INDEXES = 10000, N = 10, DIMENSIONS = 384 };
  aio__index **all = calloc(INDEXES, sizeof *all);
  vector_table table;
  vector_table_init(&table, DIMENSIONS, N);
  size_t bytes = 0;
  for (size_t i = 0; i < N; i++) {
    vector_random(i, DIMENSIONS, table.rows + i * DIMENSIONS);
    table.there[i] = true;
  }
  for (size_t t = 0; t < INDEXES; t++) {
    all[t] = any_index(DIMENSIONS);
    for (size_t i = 0; i < N; i++)
      assert_int_equal(aio__index_put(all[t], table.keys[i], t, table.rows + i * DIMENSIONS), AIORCH_OK);
    bytes += aio__index_bytes(all[t]);
  }
  assert_true(bytes / INDEXES < 7000);
  for (size_t t = 0; t < INDEXES; t += 7)
    vector_table_check(&table, all[t], table.rows + t % N * DIMENSIONS, 1, NULL, 3, -1);
  for (size_t t = 0; t < INDEXES; t++) aio__index_free(all[t]);
  free(all);
  vector_table_free(&table);
}

/* ---- out of memory ---------------------------------------------------------------------------------------------- */

/* Every change that fails leaves all as it was, and succeeds when asked again. */
static void test_put__out_of_memory_changes_nothing(void **state) {
  (void)state;
  enum { N = 300 };
  aio__test_alloc t;
  vector_table table;
  aio__test_alloc_init(&t);
  vector_table_init(&table, 8, N);
  aio__index *index = new_index(&t.al, 8);
  size_t failures = 0;
  for (int step = 0; step < 4000; step++) {
    size_t i = next_bits() % N;
    float unit[8];
    uint64_t number = next_bits(), scope = next_bits() % 2;
    vector_of_topic(number, 50, 8, unit);
    if (next_bits() % 3 == 0) { /* removing needs none */
      t.fail_at = 1;
      t.fail_on = true;
      aio__test_alloc_next(&t);
      t.fail_at = 1;
      assert_int_equal(aio__index_remove(index, table.keys[i]), table.there[i]);
      table.there[i] = false;
      t.fail_on = false;
      t.fail_at = 0;
    } else {
      aiorch_status status;
      size_t count = aio__index_count(index);
      t.fail_at = 0;
      do {
        aio__test_alloc_next(&t);
        status = aio__index_put(index, table.keys[i], scope, unit);
        if (status == AIORCH_OK) break;
        assert_int_equal(status, AIORCH_E_NOMEM);
        assert_int_equal(aio__index_count(index), count);
        failures++;
        if (failures % 16 == 0) {
          long at = t.fail_at;
          t.fail_at = 0;
          check(&table, index, number);
          t.fail_at = at;
        }
      } while (true);
      t.fail_at = 0;
      memcpy(table.rows + i * 8, unit, sizeof unit);
      table.scopes[i] = scope;
      table.there[i] = true;
    }
    assert_int_equal(aio__index_count(index), present(&table));
    if (step % 50 == 0) check_inside(index);
    if (step % 50 == 0) check(&table, index, number);
  }
  assert_true(failures > 100);
  aio__index_free(index);
  assert_int_equal(t.live, 0);
  vector_table_free(&table);
}

static void test_new__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__index *index = NULL;
    aio__test_alloc_next(&t);
    aiorch_status status = aio__index_new(&t.al, 100, AIO__CPU_PLAIN, &index);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(index != NULL, t.failed == 0);
    aio__index_free(index);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

static void test_put_many__out_of_memory_tells_how_far_it_came(void **state) {
  (void)state;
  enum { N = 200 };
  aio__test_alloc t;
  vector_table table;
  aio__test_alloc_init(&t);
  vector_table_init(&table, 8, N);
  for (size_t i = 0; i < N; i++) vector_random(i, 8, table.rows + i * 8);
  do {
    aio__index *index = NULL;
    t.fail_at--;
    aio__test_alloc_next(&t);
    long at = t.fail_at;
    t.fail_at = 0;
    index = new_index(&t.al, 8);
    t.fail_at = at + 2;
    size_t done = N + 1;
    aiorch_status status = aio__index_put_many(index, table.keys, NULL, table.rows, N, &done);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(aio__index_count(index), done);
    for (size_t i = 0; i < N; i++) table.there[i] = i < done;
    t.fail_at = 0;
    check_inside(index);
    check(&table, index, 4);
    aio__index_free(index);
    assert_int_equal(t.live, 0);
    t.fail_at = at + 1;
  } while (t.failed > 0);
  vector_table_free(&table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_new__refuses_dimensions_that_are_not_offered),
    cmocka_unit_test(test_put__refuses_what_is_no_unit_vector),
    cmocka_unit_test(test_put__replaces),
    cmocka_unit_test(test_put_many__goes_up_to_what_cannot_be_put),
    cmocka_unit_test(test_put_many__the_last_of_a_key_counts),
    cmocka_unit_test(test_remove__is_gone),
    cmocka_unit_test(test_remove_range__both_ends_included),
    cmocka_unit_test(test_remove_range__keys_at_the_end_of_what_a_key_can_be),
    cmocka_unit_test(test_index__behaves_like_a_list_of_what_is_in_it),
    cmocka_unit_test(test_bytes__to_the_byte),
    cmocka_unit_test(test_bytes__do_not_grow_with_changes),
    cmocka_unit_test(test_bytes__given_back_when_much_is_removed),
    cmocka_unit_test(test_index__ten_thousand_small_ones),
    cmocka_unit_test(test_put__out_of_memory_changes_nothing),
    cmocka_unit_test(test_new__out_of_memory),
    cmocka_unit_test(test_put_many__out_of_memory_tells_how_far_it_came),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
