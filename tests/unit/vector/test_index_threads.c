/*
 * The index from several threads at once: nobody sees half a vector, and nobody misses one that is there.
 *
 * A vector is made from its key and its scope, which stands for a version, so that whoever meets a row can tell
 * whether all of it belongs together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>

#include "support/vector_table.h"
#include "vector/index_private.h"

enum {
  DIMENSIONS = 40,
  STRIDE = 64,
  HALF = STRIDE / 2,
  VOLATILE = 900, /* keys that come and go, of each of two writers */
  ANCHORS = 70,   /* keys from ANCHOR on that stay as they are; where they lie changes */
  CHANGING = 50,  /* keys from CHANGE on that stay, in one version or another */
  ANCHOR = 1000000,
  CHANGE = 2000000,
  ROUNDS = 10,
  SEARCHES = 40, /* of all threads, in each round */
  LIMIT = 5
};

typedef struct shared {
  aio__index *index;
  atomic_int writers;
  atomic_long wrong, searches;
} shared;

static void make(uint64_t key, uint64_t version, float *out) {
  vector_random(key * 64 + version, DIMENSIONS, out);
}

static void put(shared *s, uint64_t key, uint64_t version) {
  float unit[DIMENSIONS];
  make(key, version, unit);
  if (aio__index_put(s->index, key, version, unit) != AIORCH_OK) atomic_fetch_add(&s->wrong, 1);
}

/* ---- who changes ------------------------------------------------------------------------------------------------ */

/* Takes out what was put in at the start, in no order, so that the last blocks are emptied into the first; changes the
 * others; and puts some in again. Goes on until others had their turns, too. */
static void write_all(shared *s, uint64_t first) {
  for (uint64_t i = 0; i < VOLATILE || (i < 100 * VOLATILE && atomic_load(&s->searches) < SEARCHES); i++) {
    uint64_t key = first + i * 389 % VOLATILE;
    (void)aio__index_remove(s->index, key);
    if (i % 4 == 0) put(s, CHANGE + (first + i * 31) % CHANGING, i % 8);
    if (i % 9 == 0 || i >= VOLATILE) put(s, key, i % 4);
    if (i % 100 == 99) (void)aio__index_remove_range(s->index, first, first + i % VOLATILE / 20);
  }
  (void)aio__index_remove_range(s->index, first, first + VOLATILE - 1);
  float rows[20 * DIMENSIONS];
  uint64_t keys[20], versions[20];
  for (uint64_t i = 0; i < 20; i++) {
    keys[i] = CHANGE + i % 12;
    versions[i] = i % 8;
    make(keys[i], versions[i], rows + i * DIMENSIONS);
  }
  if (aio__index_put_many(s->index, keys, versions, rows, 20, NULL) != AIORCH_OK) atomic_fetch_add(&s->wrong, 1);
}

static void *write_first(void *shared_with) {
  shared *s = shared_with;
  write_all(s, 1);
  atomic_fetch_sub(&s->writers, 1);
  return NULL;
}

static void *write_second(void *shared_with) {
  shared *s = shared_with;
  write_all(s, 1 + VOLATILE);
  atomic_fetch_sub(&s->writers, 1);
  return NULL;
}

/* ---- who looks -------------------------------------------------------------------------------------------------- */

static bool whole(const aio__index *index, const aio__block *block, size_t row) {
  float unit[DIMENSIONS];
  uint8_t code[STRIDE], high[HALF], low[HALF];
  aio__code_fit fit;
  make(aio__block_keys(block)[row], aio__block_scopes(block)[row], unit);
  if (!index->kernels->encode(unit, DIMENSIONS, STRIDE, code, &fit)) return false;
  index->kernels->split(code, STRIDE, high, low);
  return memcmp(high, block->high + row * HALF, HALF) == 0 && memcmp(low, block->low + row * HALF, HALF) == 0 &&
         memcmp(&fit.unit, &aio__block_units(block)[row], sizeof fit.unit) == 0 &&
         aio__short_of(fit.error) == aio__block_errors(block)[row] &&
         aio__short_of(fit.coarse_unit) == aio__block_coarse_units(block)[row] &&
         aio__short_of(fit.coarse_error) == aio__block_coarse_errors(block)[row];
}

/* Walks as a search does. */
static void *walk(void *shared_with) {
  shared *s = shared_with;
  while (atomic_load(&s->writers) > 0) {
    bool anchors[ANCHORS] = {false}, changing[CHANGING] = {false};
    size_t slot = aio__gate_enter(s->index), found = 0;
    for (size_t at = atomic_load(&s->index->blocks); at-- > 0;) {
      const aio__block *block = atomic_load_explicit(aio__index_entry(s->index, at), memory_order_acquire);
      for (uint32_t live = block == NULL ? 0 : aio__block_live(block); live != 0; live &= live - 1) {
        size_t row = (size_t)__builtin_ctz(live);
        uint64_t key = aio__block_keys(block)[row];
        if (!whole(s->index, block, row)) atomic_fetch_add(&s->wrong, 1);
        bool *seen = key >= CHANGE ? &changing[key - CHANGE] : key >= ANCHOR ? &anchors[key - ANCHOR] : NULL;
        if (seen != NULL && !*seen) found++;
        if (seen != NULL) *seen = true;
      }
    }
    aio__gate_leave(s->index, slot);
    if (found != ANCHORS + CHANGING) atomic_fetch_add(&s->wrong, 1);
    atomic_fetch_add(&s->searches, 1);
  }
  return NULL;
}

/* The store knows the anchors, and what is there of others in their first version only. */
static aiorch_status row(void *ctx, uint64_t key, float *out) {
  (void)ctx;
  if (key < ANCHOR && key % 5 == 0) return AIORCH_E_NOT_FOUND;
  make(key, 0, out);
  return AIORCH_OK;
}

static bool only_changing(void *ctx, uint64_t key) {
  (void)ctx;
  return key >= CHANGE;
}

/* Two anchors at a time: each must be the nearest to itself. */
static bool finds_anchors(aio__index *index, uint64_t number) {
  float queries[2 * DIMENSIONS];
  aio__index_hit hits[2 * LIMIT];
  size_t counts[2];
  uint64_t keys[2] = {ANCHOR + number % ANCHORS, ANCHOR + number * 7 % ANCHORS};
  for (size_t i = 0; i < 2; i++) make(keys[i], 0, queries + i * DIMENSIONS);
  aio__index_search search = {.queries = queries, .query_count = 2, .limit = LIMIT, .threshold = -1, .row = row};
  if (aio__index_search_run(index, &search, hits, counts) != AIORCH_OK) return false;
  for (size_t i = 0; i < 2; i++)
    if (counts[i] != LIMIT || hits[i * LIMIT].key != keys[i] || hits[i * LIMIT].similarity < 0.999f) return false;
  return true;
}

/* Each of those that change, once. */
static bool finds_changing(aio__index *index) {
  float query[DIMENSIONS];
  aio__index_hit hits[CHANGING + 20];
  size_t count;
  bool seen[CHANGING] = {false};
  make(3, 3, query);
  aio__index_search search = {.queries = query, .query_count = 1, .limit = CHANGING + 20, .threshold = -1,
                              .allow = only_changing, .row = row};
  if (aio__index_search_run(index, &search, hits, &count) != AIORCH_OK || count != CHANGING) return false;
  for (size_t i = 0; i < count; i++) {
    if (hits[i].key < CHANGE || hits[i].key >= CHANGE + CHANGING || seen[hits[i].key - CHANGE]) return false;
    seen[hits[i].key - CHANGE] = true;
  }
  return true;
}

static void *find(void *shared_with) {
  shared *s = shared_with;
  for (uint64_t i = 0; atomic_load(&s->writers) > 0; i++) {
    bool right = i % 3 == 0 ? finds_changing(s->index) : finds_anchors(s->index, i);
    if (!right) atomic_fetch_add(&s->wrong, 1);
    if (aio__index_count(s->index) < ANCHORS + CHANGING) atomic_fetch_add(&s->wrong, 1);
    atomic_fetch_add(&s->searches, 1);
  }
  return NULL;
}

/* ---- all -------------------------------------------------------------------------------------------------------- */

static void test_index__changes_and_searches_at_once(void **state) {
  (void)state;
  for (int round = 0; round < ROUNDS; round++) {
    shared s = {.index = NULL};
    void *(*const work[])(void *) = {write_first, write_second, walk, find, find};
    pthread_t threads[5];
    aio__cpu cpu = round % 2 == 0 ? aio__cpu_best() : AIO__CPU_PLAIN;
    atomic_init(&s.writers, 2);
    assert_int_equal(aio__index_new(aio__alloc_default(), DIMENSIONS, cpu, &s.index), AIORCH_OK);
    for (uint64_t i = 0; i < 2 * VOLATILE; i++) put(&s, 1 + i, i % 4);
    for (uint64_t i = 0; i < ANCHORS; i++) put(&s, ANCHOR + i, 0);
    for (uint64_t i = 0; i < CHANGING; i++) put(&s, CHANGE + i, 1);
    size_t blocks = atomic_load(&s.index->blocks), bytes = aio__index_bytes(s.index);
    for (int i = 0; i < 5; i++) assert_int_equal(pthread_create(&threads[i], NULL, work[i], &s), 0);
    for (int i = 0; i < 5; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&s.wrong), 0);
    assert_int_equal(aio__index_count(s.index), ANCHORS + CHANGING);
    assert_true(aio__index_remove(s.index, ANCHOR)); /* whoever changes last cleans up */
    assert_int_equal(atomic_load(&s.index->waiting), 0);
    assert_true(atomic_load(&s.index->blocks) < blocks / 4);
    assert_true(aio__index_bytes(s.index) < bytes / 3);
    aio__index_free(s.index);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_index__changes_and_searches_at_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
