/* lib/pipeline/retrieval_rank.c */
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
#include "stores/fts_query.h"
#include "support/test_alloc.h"

typedef struct legs {
  aio__arena arena;
  aio__retrieval r;
  aio__retrieval_work w;
  aio__found_chunk text[8];
} legs;

static void legs_init(legs *l, const char *query, size_t limit) {
  memset(l, 0, sizeof *l);
  aio__arena_init(&l->arena, aio__alloc_default(), 4096);
  l->r.arena = &l->arena;
  l->r.query = aio__str_z(query);
  l->r.limit = limit;
  l->r.work = &l->w;
  aio__fts_query_parse(l->r.query, &l->w.query);
  l->w.text = l->text;
}

static aio__found_chunk chunk(const char *id, const char *document, const char *title, const char *text, double score) {
  aio__found_chunk c;
  memset(&c, 0, sizeof c);
  snprintf(c.chunk_id, sizeof c.chunk_id, "%s", id);
  snprintf(c.document_id, sizeof c.document_id, "%s", document);
  c.title = aio__str_z(title);
  c.text = aio__str_z(text);
  c.score = score;
  return c;
}

static void found(legs *l, const char *id, const char *document, const char *title, const char *text, double score) {
  l->text[l->w.text_count++] = chunk(id, document, title, text, score);
}

static void test_rank_text__title_decides_between_equals(void **state) {
  (void)state;
  legs l;
  legs_init(&l, "vacuum a table", 5);
  found(&l, "1", "a", "Tables and rows", "one may vacuum a table", 5.0);
  found(&l, "2", "b", "7.1. VACUUM", "one may vacuum a table", 5.0);
  assert_int_equal(aio__retrieval_rank_text(&l.r), AIORCH_OK);
  assert_string_equal(l.w.text[0].chunk_id, "2");
  aio__arena_free(&l.arena);
}

static void test_rank_text__a_document_that_has_all_words_wins(void **state) {
  (void)state;
  legs l;
  legs_init(&l, "undo changes halfway", 5);
  found(&l, "1", "a", "A", "changes and changes of the format", 5.0);
  found(&l, "2", "b", "B", "changes are grouped", 4.8);
  found(&l, "3", "b", "B", "you can undo them halfway", 4.0);
  assert_int_equal(aio__retrieval_rank_text(&l.r), AIORCH_OK);
  assert_string_equal(l.w.text[0].chunk_id, "2");
  assert_string_equal(l.w.text[1].chunk_id, "1");
  aio__arena_free(&l.arena);
}

/* What a store tells of its hits and what their texts say come to the same. */
static void test_rank_text__counts_of_the_store_do_as_well(void **state) {
  (void)state;
  legs a, b;
  const uint32_t often[][AIO__FTS_TERMS_MAX] = {{0, 2, 0}, {0, 1, 0}, {1, 5, 1}}; /* undo, changes, halfway; no kin */
  const uint32_t words[] = {7, 4, 6};
  legs_init(&a, "undo changes halfway", 5);
  legs_init(&b, "undo changes halfway", 5);
  found(&a, "1", "a", "A", "changes and changes of the format", 5.0);
  found(&a, "2", "b", "B", "changes are grouped", 4.8);
  found(&a, "3", "b", "Changes", "you can undo them halfway", 4.0);
  for (size_t i = 0; i < 3; i++) {
    b.text[i] = a.text[i];
    b.text[i].text = (aio__str){NULL, 0};
    b.text[i].often = often[i];
    b.text[i].words = words[i];
  }
  b.w.text_count = 3;
  assert_int_equal(aio__retrieval_rank_text(&a.r), AIORCH_OK);
  assert_int_equal(aio__retrieval_rank_text(&b.r), AIORCH_OK);
  for (size_t i = 0; i < 3; i++) assert_string_equal(a.w.text[i].chunk_id, b.w.text[i].chunk_id);
  aio__arena_free(&a.arena);
  aio__arena_free(&b.arena);
}

static void test_rank_text__is_stable_without_any_word(void **state) {
  (void)state;
  legs l;
  legs_init(&l, "?!", 5);
  found(&l, "1", "a", "", "", 2.0);
  found(&l, "2", "b", "", "", 2.0);
  found(&l, "3", "c", "", "", 1.0);
  assert_int_equal(aio__retrieval_rank_text(&l.r), AIORCH_OK);
  assert_string_equal(l.w.text[0].chunk_id, "1");
  assert_string_equal(l.w.text[2].chunk_id, "3");
  aio__arena_free(&l.arena);
}

static void test_unit__length_one_or_none(void **state) {
  (void)state;
  float row[3] = {3, 0, 4}, zero[3] = {0, 0, 0}, huge[3] = {INFINITY, 0, 0}, out[3];
  assert_true(aio__unit_vector(row, 3, out));
  assert_true(fabs((double)out[0] - 0.6) < 1e-6 && fabs((double)out[2] - 0.8) < 1e-6);
  assert_false(aio__unit_vector(zero, 3, out));
  assert_false(aio__unit_vector(huge, 3, out));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_rank_text__title_decides_between_equals),
    cmocka_unit_test(test_rank_text__a_document_that_has_all_words_wins),
    cmocka_unit_test(test_rank_text__counts_of_the_store_do_as_well),
    cmocka_unit_test(test_rank_text__is_stable_without_any_word),
    cmocka_unit_test(test_unit__length_one_or_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
