/* lib/stores/fts_lists.c: what is found with bounds is what is found without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stores/fts_lists.h"

enum { CHUNKS = 3000, TERMS = 12, BEST = 40, ROUNDS = 60 };

typedef struct world {
  uint64_t postings[TERMS][CHUNKS];
  uint32_t words[CHUNKS];
  uint32_t often[CHUNKS][TERMS];
  aio__fts_lists lists;
  size_t asked; /* chunks whose words were asked for */
  uint64_t only_even;
  aiorch_status fails;
} world;

static uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static aiorch_status words_of(void *ctx, uint64_t chunk, uint32_t *out) {
  world *w = ctx;
  w->asked++;
  *out = w->words[chunk];
  return w->fails;
}

static bool passes(void *ctx, uint64_t chunk) {
  const world *w = ctx;
  return w->only_even == 0 || chunk % 2 == 0;
}

/* Term t stands in about one chunk of 2^(t % 8). */
static void make_world(world *w, uint64_t *state, size_t terms) {
  memset(w, 0, sizeof *w);
  w->lists.words = words_of;
  w->lists.passes = passes;
  w->lists.ctx = w;
  w->lists.rank.n = terms;
  w->lists.rank.average_words = 120;
  for (size_t c = 0; c < CHUNKS; c++) w->words[c] = (uint32_t)(next_random(state) % 300 + 1);
  for (size_t t = 0; t < terms; t++) {
    aio__fts_list *list = &w->lists.list[t];
    for (size_t c = 0; c < CHUNKS; c++) {
      if (next_random(state) % (1u << t % 8) != 0) continue;
      uint32_t often = (uint32_t)(next_random(state) % 7 + 1);
      w->often[c][t] = often;
      w->postings[t][list->n++] = aio__fts_posting(c, often);
      if (often > list->most) list->most = often;
    }
    list->posting = w->postings[t];
    aio__fts_term term = {.weight = t % 3 == 2 ? 0.35 : 1.0};
    w->lists.rank.worth[t] = aio__fts_worth(&term, CHUNKS, list->n);
  }
}

static void rank_all(const world *w, aio__fts_top *top) {
  const aio__fts_rank *rank = &w->lists.rank;
  for (size_t c = 0; c < CHUNKS; c++) {
    double norm = aio__fts_norm(rank, (double)w->words[c]), score = 0.0;
    bool any = false;
    for (size_t t = 0; t < rank->n; t++) {
      any |= w->often[c][t] > 0;
      score += aio__fts_part(rank->worth[t], (double)w->often[c][t], norm);
    }
    if (any && (w->only_even == 0 || c % 2 == 0)) aio__fts_top_offer(top, (aio__fts_hit){score, (int64_t)c, NULL});
  }
  aio__fts_top_sort(top);
}

static void expect_same(world *w, size_t best) {
  aio__fts_hit hits[BEST], all[BEST];
  aio__fts_top top = {hits, 0, best}, expected = {all, 0, best};
  assert_int_equal(aio__fts_lists_rank(&w->lists, &top), AIORCH_OK);
  aio__fts_top_sort(&top);
  rank_all(w, &expected);
  assert_int_equal(top.n, expected.n);
  for (size_t i = 0; i < top.n; i++) {
    assert_int_equal(hits[i].key, all[i].key);
    assert_memory_equal(&hits[i].score, &all[i].score, sizeof hits[i].score); /* to the last bit */
  }
}

static void test_rank__finds_what_scoring_all_finds(void **state) {
  (void)state;
  static world w;
  uint64_t seed = UINT64_C(0x9E3779B97F4A7C15);
  for (size_t round = 0; round < ROUNDS; round++) {
    make_world(&w, &seed, round % TERMS + 1);
    w.only_even = round % 2;
    expect_same(&w, round % 3 == 0 ? 1 : round % 3 == 1 ? 10 : BEST);
  }
}

static void test_rank__skips_what_cannot_lead(void **state) {
  (void)state;
  static world w;
  uint64_t seed = 88172645463325252u;
  make_world(&w, &seed, TERMS);
  expect_same(&w, 10);
  assert_true(w.asked < CHUNKS / 2);
}

static void test_rank__equal_scores_keep_the_lower_numbers(void **state) {
  (void)state;
  static world w;
  uint64_t seed = 1;
  make_world(&w, &seed, 1);
  for (size_t c = 0; c < CHUNKS; c++) {
    w.words[c] = 100;
    w.often[c][0] = 2;
    w.postings[0][c] = aio__fts_posting(c, 2);
  }
  w.lists.list[0] = (aio__fts_list){w.postings[0], CHUNKS, 2};
  expect_same(&w, 10);
}

static void test_rank__none_wanted_or_there(void **state) {
  (void)state;
  static world w;
  uint64_t seed = 1;
  aio__fts_hit hit;
  aio__fts_top none = {&hit, 0, 0}, one = {&hit, 0, 1};
  make_world(&w, &seed, 3);
  assert_int_equal(aio__fts_lists_rank(&w.lists, &none), AIORCH_OK);
  assert_int_equal(w.asked, 0);
  w.lists.rank.n = 0;
  assert_int_equal(aio__fts_lists_rank(&w.lists, &one), AIORCH_OK);
  assert_int_equal(one.n, 0);
}

static void test_rank__fails_as_the_lengths_do(void **state) {
  (void)state;
  static world w;
  uint64_t seed = 1;
  aio__fts_hit hit;
  aio__fts_top one = {&hit, 0, 1};
  make_world(&w, &seed, 3);
  w.fails = AIORCH_E_STORE;
  assert_int_equal(aio__fts_lists_rank(&w.lists, &one), AIORCH_E_STORE);
  assert_int_equal(w.asked, 1);
}

static void test_list_seek__as_a_walk_would(void **state) {
  (void)state;
  static world w;
  uint64_t seed = 7;
  make_world(&w, &seed, 4);
  const aio__fts_list *list = &w.lists.list[3], empty = {NULL, 0, 0};
  for (size_t from = 0; from <= list->n; from += 7) {
    for (uint64_t chunk = 0; chunk < CHUNKS + 5; chunk += 3) {
      size_t at = from;
      while (at < list->n && aio__fts_posting_chunk(list->posting[at]) < chunk) at++;
      assert_int_equal(aio__fts_list_seek(list, from, chunk), at);
    }
  }
  assert_int_equal(aio__fts_list_seek(&empty, 0, 5), 0);
}

static void test_posting__often_has_an_end(void **state) {
  (void)state;
  uint64_t posting = aio__fts_posting((UINT64_C(1) << 40) - 2, UINT64_C(1) << 30);
  assert_int_equal(aio__fts_posting_chunk(posting), (UINT64_C(1) << 40) - 2);
  assert_int_equal(aio__fts_posting_often(posting), AIO__FTS_OFTEN_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_rank__finds_what_scoring_all_finds),
    cmocka_unit_test(test_rank__skips_what_cannot_lead),
    cmocka_unit_test(test_rank__equal_scores_keep_the_lower_numbers),
    cmocka_unit_test(test_rank__none_wanted_or_there),
    cmocka_unit_test(test_rank__fails_as_the_lengths_do),
    cmocka_unit_test(test_list_seek__as_a_walk_would),
    cmocka_unit_test(test_posting__often_has_an_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
