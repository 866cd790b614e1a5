/* lib/pipeline/retrieval_fuse.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/retrieval_private.h"
#include "support/test_alloc.h"

enum { MOST = 300 };

typedef struct legs {
  aio__arena arena;
  aio__options options;
  aio__retrieval r;
  aio__retrieval_work w;
  aio__found_chunk text[MOST], fetched[MOST];
  aio__vector_hit hits[MOST];
  char ids[MOST][16];
  aio__candidate *c;
  size_t n;
} legs;

static legs *legs_new(size_t limit) {
  legs *l = calloc(1, sizeof *l);
  assert_non_null(l);
  aio__arena_init(&l->arena, aio__alloc_default(), 4096);
  l->options.retrieve_weight_text = l->options.retrieve_weight_vector = 1;
  l->options.retrieve_fusion = "scores";
  l->r.options = &l->options;
  l->r.arena = &l->arena;
  l->r.limit = limit;
  l->r.work = &l->w;
  l->w.text = l->text;
  l->w.hits = l->hits;
  l->w.fetched = l->fetched;
  return l;
}

static void legs_free(legs *l) {
  aio__arena_free(&l->arena);
  free(l);
}

static aio__found_chunk chunk(const char *id, const char *document, double score) {
  aio__found_chunk c;
  memset(&c, 0, sizeof c);
  snprintf(c.chunk_id, sizeof c.chunk_id, "%s", id);
  snprintf(c.document_id, sizeof c.document_id, "%s", document);
  c.score = score;
  c.similarity = (double)NAN;
  return c;
}

static void found(legs *l, const char *id, const char *document, double score) {
  l->text[l->w.text_count++] = chunk(id, document, score);
}

static void hit(legs *l, const char *id, double similarity) {
  l->hits[l->w.hit_count++] = (aio__vector_hit){aio__str_z(id), similarity};
}

/* A hit that full text did not find. */
static void near(legs *l, const char *id, const char *document, double similarity) {
  char *own = l->ids[l->w.missing_count];
  snprintf(own, sizeof l->ids[0], "%s", id);
  l->fetched[l->w.missing_count++] = chunk(id, document, 0);
  hit(l, own, similarity);
}

static void fuse(legs *l) { assert_int_equal(aio__retrieval_fuse(&l->r, &l->c, &l->n), AIORCH_OK); }

static void expect_order(legs *l, const char *ids) {
  char got[256] = "";
  fuse(l);
  for (size_t i = 0; i < l->n && i < 8; i++) {
    strcat(got, i > 0 ? " " : "");
    strcat(got, l->c[i].chunk->chunk_id);
  }
  assert_string_equal(got, ids);
}

static void expect_score(const legs *l, size_t i, double score) {
  if (!(fabs(l->c[i].score - score) < 1e-9)) fail_msg("%s scores %f, not %f", l->c[i].chunk->chunk_id, l->c[i].score, score);
}

static void test_fuse__nothing(void **state) {
  (void)state;
  legs *l = legs_new(5);
  l->n = 9;
  fuse(l);
  assert_int_equal(l->n, 0);
  legs_free(l);
}

static void test_fuse__one_leg_keeps_its_order(void **state) {
  (void)state;
  legs *l = legs_new(5);
  found(l, "1", "a", 4);
  found(l, "2", "a", 3); /* its documents were looked at already */
  found(l, "3", "b", 1);
  expect_order(l, "1 2 3");
  expect_score(l, 0, 1);
  expect_score(l, 1, 0.75);
  assert_true(isnan(l->c[0].similarity));
  legs_free(l);
  l = legs_new(5);
  near(l, "1", "a", 0.8);
  near(l, "2", "b", 0.4);
  expect_order(l, "1 2");
  expect_score(l, 1, 0.5);
  assert_int_equal(l->c[1].vector_rank, 2);
  legs_free(l);
}

static void test_fuse__both_legs_beat_one(void **state) {
  (void)state;
  legs *l = legs_new(5);
  found(l, "1", "a", 4);
  found(l, "2", "b", 3);
  hit(l, "2", 0.8);
  hit(l, "gone", 0.7);
  near(l, "9", "c", 0.6);
  hit(l, "9", 0.6); /* a store that says it twice */
  expect_order(l, "2 1 9");
  expect_score(l, 0, 0.5 * 0.75 + 0.5);
  expect_score(l, 1, 0.5);
  expect_score(l, 2, 0.5 * 0.75);
  assert_int_equal(l->c[2].vector_rank, 2); /* what is gone takes no rank */
  legs_free(l);
}

static void test_fuse__a_leg_that_is_sure_decides(void **state) {
  (void)state;
  legs *l = legs_new(5);
  found(l, "so so", "a", 2.1);
  found(l, "as well", "b", 2.0);
  near(l, "sure", "c", 0.8);
  hit(l, "as well", 0.3);
  hit(l, "so so", 0.2);
  expect_order(l, "as well so so sure");
  legs_free(l);
  l = legs_new(5); /* the same ranks */
  found(l, "so so", "a", 2.1);
  found(l, "as well", "b", 0.3);
  near(l, "sure", "c", 0.8);
  hit(l, "as well", 0.3);
  hit(l, "so so", 0.1);
  expect_order(l, "so so sure as well");
  legs_free(l);
}

static void test_fuse__similarity_counts_from_the_threshold(void **state) {
  (void)state;
  legs *l = legs_new(5);
  l->w.threshold = 0.6;
  found(l, "1", "a", 4);
  near(l, "2", "b", 0.8);
  hit(l, "1", 0.65);
  fuse(l);
  expect_score(l, 0, 0.5 + 0.5 * (0.65 - 0.5) / (0.8 - 0.5)); /* the scale begins 0.1 below */
  legs_free(l);
  l = legs_new(5);
  l->w.threshold = -1; /* none */
  near(l, "1", "a", 0.8);
  near(l, "2", "b", -0.4);
  expect_order(l, "1 2");
  expect_score(l, 1, 0);
  legs_free(l);
}

static void test_fuse__by_the_weights_of_the_legs(void **state) {
  (void)state;
  legs *l = legs_new(1);
  l->options.retrieve_weight_text = 3;
  found(l, "text", "a", 4);
  near(l, "vector", "b", 0.8);
  expect_order(l, "text vector");
  expect_score(l, 0, 0.75);
  expect_score(l, 1, 0.25);
  legs_free(l);
}

/* Full text found it, and the store says how near it is: below what the vector leg gives. */
static void test_fuse__what_full_text_found_has_its_own_similarity(void **state) {
  (void)state;
  legs *l = legs_new(5);
  l->w.threshold = 0.5;
  found(l, "far", "a", 4);
  found(l, "nearer", "b", 3.9);
  near(l, "near", "c", 0.8);
  l->text[0].similarity = 0.2;
  l->text[1].similarity = 0.48;
  expect_order(l, "nearer far near");
  expect_score(l, 0, 0.5 * 3.9 / 4 + 0.5 * (0.48 - 0.4) / (0.8 - 0.4));
  expect_score(l, 1, 0.5);
  assert_true(l->c[1].similarity > 0.19 && l->c[1].similarity < 0.21);
  assert_int_equal(l->c[0].vector_rank, 0);
  legs_free(l);
}

static void test_fuse__by_ranks(void **state) {
  (void)state;
  legs *l = legs_new(5);
  l->options.retrieve_fusion = "rrf";
  found(l, "1", "a", 100);
  found(l, "2", "b", 1);
  hit(l, "2", 0.9);
  near(l, "9", "c", 0.89);
  near(l, "8", "c", 0.88);
  expect_order(l, "2 1 9 8");
  expect_score(l, 0, 1.0 / 62 + 1.0 / 61);
  expect_score(l, 1, 1.0 / 61);
  expect_score(l, 3, 1.0 / 63);
  l->options.retrieve_weight_vector = 3;
  expect_order(l, "2 9 8 1");
  expect_score(l, 1, 3.0 / 62);
  legs_free(l);
}

/* With full legs, what one did not find may lie right behind its last. */
static void test_fuse__what_a_full_leg_did_not_find(void **state) {
  (void)state;
  static char ids[MOST][16];
  legs *l = legs_new(5);
  for (int i = 0; i < AIO__LEG_MIN; i++) {
    snprintf(ids[i], sizeof ids[i], "t%d", i);
    found(l, ids[i], ids[i], i == 0 ? 10 : 5);
  }
  near(l, "near", "n", 0.8);
  fuse(l);
  assert_string_equal(l->c[0].chunk->chunk_id, "near");
  expect_score(l, 0, 0.5 * 0.5 + 0.5);
  assert_string_equal(l->c[1].chunk->chunk_id, "t0");
  expect_score(l, 1, 0.5);
  legs_free(l);
  l = legs_new(5);
  found(l, "text", "a", 10);
  for (int i = 0; i < AIO__LEG_MIN; i++) {
    snprintf(ids[i], sizeof ids[i], "v%d", i);
    near(l, ids[i], ids[i], i == 0 ? 0.8 : 0.6);
  }
  fuse(l);
  assert_string_equal(l->c[0].chunk->chunk_id, "text");
  expect_score(l, 0, 0.5 + 0.5 * 0.75);
  legs_free(l);
}

static void test_fuse__a_document_with_several_near_chunks_is_lifted(void **state) {
  (void)state;
  legs *l = legs_new(5);
  near(l, "alone", "a", 0.8);
  near(l, "1", "b", 0.78);
  near(l, "2", "b", 0.7);
  near(l, "3", "b", 0.6);
  expect_order(l, "1 alone 2 3");
  double second = (0.7 / 0.8 - 0.2) / 0.8, third = (0.6 / 0.8 - 0.2) / 0.8;
  expect_score(l, 0, 0.78 / 0.8 + 0.15 * (second / 2 + third / 3));
  expect_score(l, 2, 0.8 * 0.7 / 0.8);
  legs_free(l);
}

static void test_fuse__far_chunks_lift_nothing(void **state) {
  (void)state;
  legs *l = legs_new(5);
  near(l, "alone", "a", 0.8);
  near(l, "1", "b", 0.79);
  for (int i = 0; i < 20; i++) {
    char id[16];
    snprintf(id, sizeof id, "far%d", i);
    near(l, id, "b", 0.15);
  }
  fuse(l);
  assert_string_equal(l->c[0].chunk->chunk_id, "alone");
  assert_string_equal(l->c[1].chunk->chunk_id, "1");
  expect_score(l, 1, 0.79 / 0.8);
  legs_free(l);
}

static void test_fuse__the_best_of_each_leg_keeps_a_seat(void **state) {
  (void)state;
  legs *l = legs_new(2);
  static const char *const ids[] = {"a", "b", "c", "d"};
  found(l, "first", "f", 9);
  for (size_t i = 0; i < 4; i++) found(l, ids[i], ids[i], 8);
  near(l, "near", "n", 0.99);
  for (size_t i = 0; i < 4; i++) hit(l, ids[i], 0.9);
  fuse(l);
  assert_int_equal(l->n, 6);
  assert_string_equal(l->c[0].chunk->chunk_id, "first");
  assert_string_equal(l->c[1].chunk->chunk_id, "near");
  legs_free(l);
}

static void test_fuse__equal_scores_have_an_order(void **state) {
  (void)state;
  legs *l = legs_new(9);
  near(l, "d", "d", 0.5);
  near(l, "c", "c", 0.5);
  found(l, "b", "b", 0);
  found(l, "a", "a", 0);
  expect_order(l, "b d a c");
  legs_free(l);
}

static void test_fuse__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  legs *l = legs_new(5);
  aio__arena arena;
  aio__arena_init(&arena, &t.al, 64);
  l->r.arena = &arena;
  near(l, "d", "d", 0.5);
  t.fail_at = 1;
  assert_int_equal(aio__retrieval_fuse(&l->r, &l->c, &l->n), AIORCH_E_NOMEM);
  assert_int_equal(l->n, 0);
  aio__arena_free(&arena);
  assert_int_equal(t.live, 0);
  legs_free(l);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_fuse__nothing),
    cmocka_unit_test(test_fuse__one_leg_keeps_its_order),
    cmocka_unit_test(test_fuse__both_legs_beat_one),
    cmocka_unit_test(test_fuse__a_leg_that_is_sure_decides),
    cmocka_unit_test(test_fuse__similarity_counts_from_the_threshold),
    cmocka_unit_test(test_fuse__by_the_weights_of_the_legs),
    cmocka_unit_test(test_fuse__what_full_text_found_has_its_own_similarity),
    cmocka_unit_test(test_fuse__by_ranks),
    cmocka_unit_test(test_fuse__what_a_full_leg_did_not_find),
    cmocka_unit_test(test_fuse__a_document_with_several_near_chunks_is_lifted),
    cmocka_unit_test(test_fuse__far_chunks_lift_nothing),
    cmocka_unit_test(test_fuse__the_best_of_each_leg_keeps_a_seat),
    cmocka_unit_test(test_fuse__equal_scores_have_an_order),
    cmocka_unit_test(test_fuse__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
