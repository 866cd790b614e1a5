/* lib/vector/index_best.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "support/test_alloc.h"
#include "vector/index_private.h"

static uint32_t bits = 3;

static uint32_t next_bits(void) {
  bits = bits * 1664525u + 1013904223u;
  return bits >> 8;
}

/* Few different values, so that equals are the rule. */
static aio__near make(size_t i) {
  float high = (float)(next_bits() % 50) / 50;
  return (aio__near){.key = i * 37 % 1009, .high = high, .low = high - (float)(next_bits() % 10) / 100};
}

static int best_first(const void *a, const void *b) {
  const aio__near *x = a, *y = b;
  if (x->high > y->high || x->high < y->high) return x->high > y->high ? -1 : 1;
  return x->key < y->key ? -1 : x->key > y->key;
}

static void assert_same(const aio__near *a, const aio__near *b, size_t n) {
  for (size_t i = 0; i < n; i++) assert_true(a[i].key == b[i].key && best_first(&a[i], &b[i]) == 0);
}

static void test_sort__best_first(void **state) {
  (void)state;
  aio__near all[200], sorted[200];
  for (size_t n = 0; n <= 200; n++) {
    for (size_t i = 0; i < n; i++) all[i] = sorted[i] = make(i);
    aio__near_sort(all, n, aio__near_lower);
    qsort(sorted, n, sizeof *sorted, best_first);
    assert_same(all, sorted, n);
  }
}

static void test_offer__keeps_the_best(void **state) {
  (void)state;
  enum { N = 500 };
  aio__near all[N], heap[40];
  for (size_t most = 1; most <= 40; most++) {
    size_t n = 0;
    for (size_t i = 0; i < N; i++) {
      all[i] = make(i);
      aio__near_offer(heap, &n, most, all[i], aio__near_lower);
      assert_int_equal(n, i + 1 < most ? i + 1 : most);
    }
    qsort(all, N, sizeof *all, best_first);
    aio__near_sort(heap, n, aio__near_lower);
    assert_same(heap, all, most);
  }
}

static aio__nearest start(const aio__alloc *al, size_t wanted, size_t most, size_t room) {
  aio__nearest nearest = {.room = room, .wanted = wanted, .most = most, .floor = -2};
  nearest.at = aio__malloc(al, room * sizeof *nearest.at);
  assert_non_null(nearest.at);
  return nearest;
}

static void test_prune__keeps_all_that_may_be_among_the_wanted(void **state) {
  (void)state;
  const aio__alloc *al = aio__alloc_default();
  aio__near best[4];
  aio__nearest nearest = start(al, 4, 1000, 8);
  static const aio__near eight[] = {{1, .9f, .8f}, {2, .85f, .7f}, {3, .75f, .6f}, {4, .65f, .5f},
                                    {5, .5f, .2f}, {6, .49f, .48f}, {7, .3f, .2f}, {8, .51f, .1f}};
  memcpy(nearest.at, eight, sizeof eight);
  nearest.n = 8;
  assert_int_equal(aio__nearest_prune(&nearest, al, best, false), AIORCH_OK);
  assert_float_equal(nearest.floor, .5, 0); /* four reach it surely: 6 and 7 can't be among them */
  assert_int_equal(nearest.n, 6);
  for (size_t i = 0; i < nearest.n; i++) assert_true(nearest.at[i].key != 6 && nearest.at[i].key != 7);
  assert_int_equal(nearest.room, 16); /* more than half is left */
  aio__free(al, nearest.at);
}

static void test_prune__fewer_than_wanted_raise_no_floor(void **state) {
  (void)state;
  const aio__alloc *al = aio__alloc_default();
  aio__near best[10];
  aio__nearest nearest = start(al, 10, 1000, 40);
  for (size_t i = 0; i < 9; i++) nearest.at[nearest.n++] = make(i);
  assert_int_equal(aio__nearest_prune(&nearest, al, best, false), AIORCH_OK);
  assert_int_equal(nearest.n, 9);
  assert_float_equal(nearest.floor, -2, 0);
  aio__free(al, nearest.at);
}

/* A key met twice is one: or two of three would hold the floor of three. */
static void test_prune__repeats_count_once(void **state) {
  (void)state;
  const aio__alloc *al = aio__alloc_default();
  aio__near best[3];
  aio__nearest nearest = start(al, 3, 1000, 20);
  static const aio__near six[] = {{1, .9f, .8f}, {2, .8f, .7f}, {1, .9f, .8f},
                                  {3, .3f, .2f}, {2, .5f, .4f}, {4, .1f, .05f}};
  memcpy(nearest.at, six, sizeof six);
  nearest.n = 6;
  assert_int_equal(aio__nearest_prune(&nearest, al, best, true), AIORCH_OK);
  assert_float_equal(nearest.floor, .2, 1e-7);
  assert_int_equal(nearest.n, 3);
  aio__near_sort(nearest.at, nearest.n, aio__near_lower);
  assert_same(nearest.at, (aio__near[]){{1, .9f, .8f}, {2, .8f, .7f}, {3, .3f, .2f}}, 3);
  aio__free(al, nearest.at);
}

static void test_prune__no_more_than_most(void **state) {
  (void)state;
  enum { MOST = 100, WANTED = 5 };
  const aio__alloc *al = aio__alloc_default();
  aio__near best[WANTED];
  aio__nearest nearest = start(al, WANTED, MOST, 16);
  for (uint64_t key = 5000; key > 0; key--) {
    nearest.at[nearest.n++] = (aio__near){key, .7f, .6f};
    if (nearest.n == nearest.room) assert_int_equal(aio__nearest_prune(&nearest, al, best, false), AIORCH_OK);
    assert_true(nearest.room <= 4 * MOST);
  }
  assert_int_equal(aio__nearest_prune(&nearest, al, best, false), AIORCH_OK);
  assert_int_equal(nearest.n, MOST);
  assert_float_equal(nearest.floor, .7, 1e-7);
  aio__near_sort(nearest.at, nearest.n, aio__near_lower);
  for (size_t i = 0; i < MOST; i++) assert_int_equal(nearest.at[i].key, i + 1);
  aio__free(al, nearest.at);
}

static void test_prune__out_of_memory_loses_nothing(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__near best[4];
  aio__test_alloc_init(&t);
  aio__nearest nearest = start(&t.al, 4, 1000, 8);
  for (size_t i = 0; i < 8; i++) nearest.at[nearest.n++] = (aio__near){i, .9f, -1};
  t.fail_at = t.count + 1;
  assert_int_equal(aio__nearest_prune(&nearest, &t.al, best, false), AIORCH_E_NOMEM);
  assert_int_equal(nearest.n, 8);
  assert_int_equal(nearest.room, 8);
  aio__free(&t.al, nearest.at);
  assert_int_equal(t.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sort__best_first),
    cmocka_unit_test(test_offer__keeps_the_best),
    cmocka_unit_test(test_prune__keeps_all_that_may_be_among_the_wanted),
    cmocka_unit_test(test_prune__fewer_than_wanted_raise_no_floor),
    cmocka_unit_test(test_prune__repeats_count_once),
    cmocka_unit_test(test_prune__no_more_than_most),
    cmocka_unit_test(test_prune__out_of_memory_loses_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
