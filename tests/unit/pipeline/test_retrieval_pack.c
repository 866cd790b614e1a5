/* lib/pipeline/retrieval_pack.c */
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
#include "text/tokens.h"

enum { CHUNKS = 6 };

/* A document of six chunks, each of ten sentences. */
typedef struct document {
  char text[8000];
  aio__found_chunk chunks[CHUNKS];
  const char *id;
} document;

static void make_document(document *d, const char *id, const char *word) {
  size_t n = 0;
  memset(d, 0, sizeof *d);
  for (uint32_t i = 0; i < CHUNKS; i++) {
    aio__found_chunk *c = &d->chunks[i];
    c->start = n;
    for (int k = 0; k < 10; k++)
      n += (size_t)snprintf(d->text + n, sizeof d->text - n, "Sentence %d of part %u on %s. ", k, i, word);
    d->text[n - 1] = '\n';
    c->end = n;
    c->ordinal = i;
    c->document_version = 1;
    snprintf(c->document_id, sizeof c->document_id, "%s", id);
    snprintf(c->chunk_id, sizeof c->chunk_id, "%s-%u", id, i);
    c->text = aio__str_n(d->text + c->start, (size_t)(c->end - c->start));
    c->tokens = (uint32_t)aio__tokens_estimate(c->text);
    c->source = AIO__LIT("doc.md");
    c->title = AIO__LIT("Title");
  }
}

typedef struct packed {
  aio__arena arena;
  aio__retrieval r;
} packed;

static void pack(packed *p, const aio__candidate *candidates, size_t count, size_t limit, int64_t budget) {
  aio__arena_init(&p->arena, aio__alloc_default(), 4096);
  aio__retrieval_init(&p->r);
  p->r.arena = &p->arena;
  p->r.limit = limit;
  p->r.token_budget = budget;
  size_t needed = 0;
  assert_int_equal(aio__retrieval_pack(&p->r, candidates, count, &needed), AIORCH_OK);
}

static aio__candidate candidate(const document *d, size_t chunk, double score) {
  return (aio__candidate){.chunk = &d->chunks[chunk], .score = score, .similarity = (double)NAN};
}

static void check_ranges(const packed *p, const document *d) {
  for (size_t i = 0; i < p->r.source_count; i++) {
    const aio__source *s = &p->r.sources[i];
    assert_int_equal(s->end - s->start, s->text.n);
    assert_memory_equal(s->text.p, d->text + s->start, s->text.n);
    assert_true(s->text.p[s->text.n - 1] != '\n' && s->text.p[s->text.n - 1] != ' ');
    assert_int_equal(s->tokens, aio__tokens_estimate(s->text));
  }
}

static void test_pack__neighbours_become_one(void **state) {
  (void)state;
  static document d;
  packed p;
  make_document(&d, "a", "birds");
  aio__candidate c[] = {candidate(&d, 2, 5), candidate(&d, 5, 4), candidate(&d, 1, 3), candidate(&d, 4, 2)};
  c[2].similarity = 0.5;
  pack(&p, c, 4, 5, 0);
  assert_int_equal(p.r.source_count, 2);
  assert_int_equal(p.r.sources[0].start, d.chunks[1].start);
  assert_int_equal(p.r.sources[0].end, d.chunks[2].end - 1);
  assert_true(p.r.sources[0].similarity > 0.4 && p.r.sources[0].score > 4.5);
  assert_int_equal(p.r.sources[1].start, d.chunks[4].start);
  assert_true(isnan(p.r.sources[1].similarity));
  check_ranges(&p, &d);
  aio__arena_free(&p.arena);
}

static void test_pack__two_sources_that_meet_become_one(void **state) {
  (void)state;
  static document d;
  packed p;
  make_document(&d, "a", "birds");
  aio__candidate c[] = {candidate(&d, 0, 5), candidate(&d, 2, 4), candidate(&d, 1, 3)};
  pack(&p, c, 3, 5, 0);
  assert_int_equal(p.r.source_count, 1);
  assert_int_equal(p.r.sources[0].start, 0);
  assert_int_equal(p.r.sources[0].end, d.chunks[2].end - 1);
  check_ranges(&p, &d);
  aio__arena_free(&p.arena);
}

static void test_pack__other_version_or_gap_is_no_neighbour(void **state) {
  (void)state;
  static document d;
  packed p;
  make_document(&d, "a", "birds");
  d.chunks[1].document_version = 2;
  d.chunks[4].start += 1;
  d.chunks[4].text = aio__str_n(d.chunks[4].text.p + 1, d.chunks[4].text.n - 1);
  aio__candidate c[] = {candidate(&d, 0, 5), candidate(&d, 1, 4), candidate(&d, 3, 3), candidate(&d, 4, 2)};
  pack(&p, c, 4, 5, 0);
  assert_int_equal(p.r.source_count, 4);
  aio__arena_free(&p.arena);
}

static void test_pack__near_duplicates_go(void **state) {
  (void)state;
  static document a, b, other;
  packed p;
  make_document(&a, "a", "birds");
  make_document(&b, "b", "birds");
  make_document(&other, "c", "fishes and whales");
  aio__candidate c[] = {candidate(&a, 0, 5), candidate(&b, 0, 4), candidate(&other, 0, 3)};
  pack(&p, c, 3, 5, 0);
  assert_int_equal(p.r.source_count, 2);
  assert_string_equal(p.r.sources[0].document_id, "a");
  assert_string_equal(p.r.sources[1].document_id, "c");
  aio__arena_free(&p.arena);
}

static void test_pack__limit_and_budget(void **state) {
  (void)state;
  static document d;
  packed p;
  make_document(&d, "a", "birds");
  aio__candidate c[] = {candidate(&d, 0, 5), candidate(&d, 2, 4), candidate(&d, 4, 3)};
  pack(&p, c, 3, 2, 0);
  assert_int_equal(p.r.source_count, 2);
  aio__arena_free(&p.arena);
  int64_t whole = (int64_t)d.chunks[0].tokens;
  pack(&p, c, 3, 3, whole + 30);
  assert_int_equal(p.r.source_count, 1);
  aio__arena_free(&p.arena);
  pack(&p, c, 3, 3, whole + 110); /* the second is cut, at a sentence's end */
  assert_int_equal(p.r.source_count, 2);
  assert_true(p.r.sources[1].end < d.chunks[2].end - 1);
  assert_int_equal(p.r.sources[1].text.p[p.r.sources[1].text.n - 1], '.');
  check_ranges(&p, &d);
  aio__arena_free(&p.arena);
}

static void test_pack__the_first_source_is_cut_not_dropped(void **state) {
  (void)state;
  static document d;
  packed p;
  make_document(&d, "a", "birds");
  aio__candidate c = candidate(&d, 0, 5);
  pack(&p, &c, 1, 3, 50);
  assert_int_equal(p.r.source_count, 1);
  assert_true(p.r.sources[0].tokens <= 50 && p.r.sources[0].text.n > 0);
  assert_int_equal(p.r.sources[0].text.p[p.r.sources[0].text.n - 1], '.');
  check_ranges(&p, &d);
  aio__arena_free(&p.arena);
  pack(&p, &c, 1, 3, 1);
  assert_int_equal(p.r.source_count, 1);
  aio__arena_free(&p.arena);
}

static void test_pack__uri_and_digest(void **state) {
  (void)state;
  static document d;
  packed p, q;
  make_document(&d, "a", "birds");
  d.chunks[2].anchor = AIO__LIT("part-two");
  aio__candidate c[] = {candidate(&d, 0, 5), candidate(&d, 2, 4)};
  pack(&p, c, 2, 5, 0);
  assert_true(aio__str_eqz(p.r.sources[0].uri, "doc.md"));
  assert_true(aio__str_eqz(p.r.sources[1].uri, "doc.md#part-two"));
  pack(&q, c, 2, 5, 0);
  assert_memory_equal(p.r.digest, q.r.digest, 32);
  aio__arena_free(&q.arena);
  d.chunks[2].document_version = 2;
  pack(&q, c, 2, 5, 0);
  assert_memory_not_equal(p.r.digest, q.r.digest, 32);
  aio__arena_free(&q.arena);
  pack(&q, c, 0, 5, 0);
  assert_int_equal(q.r.source_count, 0);
  aio__arena_free(&q.arena);
  aio__arena_free(&p.arena);
}

static void test_source_json__fields(void **state) {
  (void)state;
  aio__buf buf;
  aio__json_writer w;
  aio__source s = {.document_id = "id",
                   .title = AIO__LIT("T"),
                   .uri = AIO__LIT("u#a"),
                   .text = AIO__LIT("x"),
                   .start = 3,
                   .end = 4,
                   .score = 0.5,
                   .similarity = (double)NAN};
  aio__buf_init(&buf, aio__alloc_default(), 1 << 16);
  aio__jw_init(&w, &buf);
  aio__source_json(&w, &s, 1);
  assert_string_equal(aio__buf_cstr(&buf),
                      "{\"n\":1,\"document_id\":\"id\",\"title\":\"T\",\"uri\":\"u#a\",\"score\":0.5,"
                      "\"similarity\":null,\"start\":3,\"end\":4,\"text\":\"x\"}");
  aio__buf_free(&buf);
}

static void test_pack__out_of_memory(void **state) {
  (void)state;
  static document d;
  aio__test_alloc t;
  make_document(&d, "a", "birds");
  d.chunks[0].anchor = AIO__LIT("x");
  aio__candidate c[] = {candidate(&d, 0, 5), candidate(&d, 2, 4), candidate(&d, 1, 3), candidate(&d, 5, 2)};
  aio__test_alloc_init(&t);
  do {
    aio__retrieval r;
    aio__arena arena;
    aio__test_alloc_next(&t);
    aio__arena_init(&arena, &t.al, 256);
    aio__retrieval_init(&r);
    r.arena = &arena;
    r.limit = 5;
    size_t needed = 0;
    aiorch_status st = aio__retrieval_pack(&r, c, 4, &needed);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__arena_free(&arena);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

static void test_pack__asks_for_a_text_that_was_left_out(void **state) {
  (void)state;
  static document d;
  aio__arena arena;
  aio__retrieval r;
  size_t needed = 0;
  make_document(&d, "a", "birds");
  d.chunks[2].text = (aio__str){NULL, 0};
  aio__candidate c[] = {candidate(&d, 0, 5), candidate(&d, 2, 4), candidate(&d, 5, 3)};
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  aio__retrieval_init(&r);
  r.arena = &arena;
  r.limit = 3;
  assert_int_equal(aio__retrieval_pack(&r, c, 3, &needed), AIORCH_AGAIN);
  assert_int_equal(needed, 1);
  assert_int_equal(r.source_count, 0);
  d.chunks[5].text = (aio__str){NULL, 0};
  r.limit = 1;
  c[1] = candidate(&d, 4, 4);
  assert_int_equal(aio__retrieval_pack(&r, c, 3, &needed), AIORCH_OK); /* the third is not looked at */
  assert_int_equal(r.source_count, 1);
  aio__arena_free(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_pack__asks_for_a_text_that_was_left_out),
    cmocka_unit_test(test_pack__neighbours_become_one),
    cmocka_unit_test(test_pack__two_sources_that_meet_become_one),
    cmocka_unit_test(test_pack__other_version_or_gap_is_no_neighbour),
    cmocka_unit_test(test_pack__near_duplicates_go),
    cmocka_unit_test(test_pack__limit_and_budget),
    cmocka_unit_test(test_pack__the_first_source_is_cut_not_dropped),
    cmocka_unit_test(test_pack__uri_and_digest),
    cmocka_unit_test(test_source_json__fields),
    cmocka_unit_test(test_pack__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
