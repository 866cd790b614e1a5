/* lib/pipeline/retrieval.c: the step machine over a store whose answers come late. The plug-in legs: api/test_search.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/retrieval.h"
#include "stores/fts_query.h"
#include "support/virtual_clock.h"

typedef struct late_store {
  aio__store store;
  aio__knowledge_ops knowledge;
  aio__op *op; /* the one that is out */
  aio__found_chunk **chunks;
  size_t *count;
  aiorch_status at_once; /* what a start returns */
  aio__search_args args;
  aio__arena *arena;
  aio__found_chunk *fetched;
  const aio__str *ids;
  size_t id_count;
  int fetches;
} late_store;

static aiorch_status start_search(aio__store *store, aio__op *op, aio__str tenant, const aio__search_args *args,
                                  aio__arena *arena, aio__found_chunk **chunks, size_t *count) {
  late_store *s = (late_store *)store;
  (void)tenant;
  s->op = op;
  s->chunks = chunks;
  s->count = count;
  s->args = *args;
  s->arena = arena;
  if (s->at_once < 0) aio__error_set(&op->error, s->at_once, "no disk");
  return s->at_once;
}

/* The texts of what was found lean. */
static aiorch_status start_fetch(aio__store *store, aio__op *op, aio__str tenant, const aio__str *ids, size_t count,
                                 const aio__filter *filters, size_t filter_count, aio__arena *arena,
                                 aio__found_chunk *chunks) {
  late_store *s = (late_store *)store;
  (void)tenant, (void)filters, (void)filter_count, (void)arena;
  s->op = op;
  s->fetches++;
  s->fetched = chunks;
  s->ids = ids;
  s->id_count = count;
  return AIORCH_PENDING;
}

static void answer_fetch(late_store *s, aiorch_status status, const char *gone) {
  for (size_t i = 0; i < s->id_count && status == AIORCH_OK; i++) {
    if (aio__str_eqz(s->ids[i], gone)) continue;
    aio__found_chunk *c = &s->fetched[i];
    memset(c, 0, sizeof *c);
    snprintf(c->chunk_id, sizeof c->chunk_id, "%.*s", (int)s->ids[i].n, s->ids[i].p);
    snprintf(c->document_id, sizeof c->document_id, "doc%.20s", c->chunk_id);
    c->text = aio__arena_str(s->arena, aio__str_z(c->chunk_id));
    c->end = c->text.n;
  }
  if (status < 0) aio__error_set(&s->op->error, status, "no disk");
  s->op->status = status;
  s->op->done(s->op, s->op->ctx);
}

/* `count` chunks of a document each, without texts. */
static void answer_lean(late_store *s, size_t count) {
  static const uint32_t often[AIO__FTS_TERMS_MAX] = {1, 1, 1};
  aio__found_chunk *c = aio__arena_alloc(s->arena, count * sizeof *c);
  assert_non_null(c);
  for (size_t i = 0; i < count; i++) {
    snprintf(c[i].chunk_id, sizeof c[i].chunk_id, "c%02zu", i);
    snprintf(c[i].document_id, sizeof c[i].document_id, "docc%02zu", i);
    c[i].score = (double)(count - i);
    c[i].often = often;
    c[i].words = 3;
  }
  *s->chunks = c;
  *s->count = count;
  s->op->status = AIORCH_OK;
  s->op->done(s->op, s->op->ctx);
}

static void answer(late_store *s, aiorch_status status) {
  if (status == AIORCH_OK) {
    aio__found_chunk *c = aio__arena_alloc(s->arena, sizeof *c);
    assert_non_null(c);
    strcpy(c->chunk_id, "chunk");
    strcpy(c->document_id, "document");
    c->text = AIO__LIT("The answer. ");
    c->end = c->text.n;
    c->source = AIO__LIT("s");
    c->score = 1;
    *s->chunks = c;
    *s->count = 1;
  } else {
    aio__error_set(&s->op->error, status, "no disk");
  }
  s->op->status = status;
  s->op->done(s->op, s->op->ctx);
}

typedef struct fixture {
  virtual_clock clock;
  late_store store;
  aiorch orch;
  aio__options options;
  aio__arena arena;
  aio__waker *waker;
  aio__retrieval r;
} fixture;

static void fixture_open(fixture *f, aiorch_status at_once) {
  memset(f, 0, sizeof *f);
  virtual_clock_init(&f->clock);
  f->store.knowledge.search = start_search;
  f->store.knowledge.fetch = start_fetch;
  f->store.store.knowledge = &f->store.knowledge;
  f->store.at_once = at_once;
  f->orch.clock = &f->clock.clock;
  f->orch.store = &f->store.store;
  assert_int_equal(aio__options_init(&f->options, aio__alloc_default()), AIORCH_OK);
  assert_int_equal(aio__waker_new(aio__alloc_default(), &f->clock.clock, &f->waker), AIORCH_OK);
  aio__arena_init(&f->arena, aio__alloc_default(), 4096);
  aio__retrieval_init(&f->r);
  f->r.orch = &f->orch;
  f->r.arena = &f->arena;
  f->r.waker = f->waker;
  f->r.options = &f->options;
  f->r.tenant = AIO__LIT("t");
  f->r.query = AIO__LIT(" question ");
  f->r.limit = 5;
  f->r.deadline_ns = aio__clock_after_ms(&f->clock.clock, 1000);
}

static void fixture_close(fixture *f) {
  aio__retrieval_drop(&f->r);
  aio__arena_free(&f->arena);
  aio__waker_release(f->waker);
  aio__options_free(&f->options);
}

static void test_step__waits_for_a_late_store(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, AIORCH_PENDING);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_PENDING);
  assert_true(f.r.op_out);
  assert_true(aio__str_eqz(f.store.args.query, "question"));
  assert_true(f.store.args.limit >= 5);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_PENDING);
  answer(&f.store, AIORCH_OK);
  assert_true(f.waker->signalled);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_OK);
  assert_int_equal(f.r.source_count, 1);
  assert_true(aio__str_eqz(f.r.sources[0].text, "The answer."));
  assert_false(f.r.degraded || f.r.all_failed || f.r.op_out || f.r.vector.attempt.made);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_OK); /* once ended, it stays so */
  assert_int_equal(f.r.source_count, 1);
  fixture_close(&f);
}

static void test_step__reads_texts_only_of_what_is_looked_at(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, AIORCH_PENDING);
  f.r.limit = 2;
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_PENDING);
  assert_true(f.store.args.lean);
  answer_lean(&f.store, 9);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_PENDING);
  assert_int_equal(f.store.id_count, 4);
  assert_true(aio__str_eqz(f.store.ids[0], "c00"));
  answer_fetch(&f.store, AIORCH_OK, "");
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_OK);
  assert_int_equal(f.store.fetches, 1);
  assert_int_equal(f.r.source_count, 2);
  assert_true(aio__str_eqz(f.r.sources[1].text, "c01"));
  fixture_close(&f);
}

/* Chunks that went between search and fetch: the next ones take their place. */
static void test_step__a_chunk_that_has_gone_meanwhile(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, AIORCH_PENDING);
  f.r.limit = 1;
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_PENDING);
  answer_lean(&f.store, 3);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_PENDING);
  assert_int_equal(f.store.id_count, 2);
  answer_fetch(&f.store, AIORCH_OK, "c00");
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_PENDING); /* c01 is there; c02 is looked at, too */
  assert_int_equal(f.store.id_count, 1);
  answer_fetch(&f.store, AIORCH_OK, "c02");
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_OK);
  assert_int_equal(f.r.source_count, 1);
  assert_true(aio__str_eqz(f.r.sources[0].text, "c01"));
  assert_false(f.r.degraded);
  fixture_close(&f);
}

static void test_step__texts_that_cannot_be_read_degrade(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, AIORCH_PENDING);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_PENDING);
  answer_lean(&f.store, 3);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_PENDING);
  answer_fetch(&f.store, AIORCH_E_STORE, "");
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_OK);
  assert_int_equal(f.r.source_count, 0);
  assert_true(f.r.degraded && f.r.all_failed);
  assert_non_null(strstr(f.r.why.message, "full-text search: no disk"));
  fixture_close(&f);
  fixture_open(&f, AIORCH_PENDING);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_PENDING);
  answer_lean(&f.store, 3);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_PENDING);
  answer_fetch(&f.store, AIORCH_E_NOMEM, "");
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_E_NOMEM);
  fixture_close(&f);
}

static void check_degraded(fixture *f) {
  assert_int_equal(aio__retrieval_step(&f->r), AIORCH_OK);
  assert_int_equal(f->r.source_count, 0);
  assert_true(f->r.degraded && f->r.all_failed);
  assert_int_equal(f->r.why.status, AIORCH_E_STORE);
  assert_non_null(strstr(f->r.why.message, "full-text search: no disk"));
}

static void test_step__a_store_that_fails_degrades(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, AIORCH_E_STORE);
  check_degraded(&f);
  fixture_close(&f);
  fixture_open(&f, AIORCH_PENDING);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_PENDING);
  answer(&f.store, AIORCH_E_STORE);
  check_degraded(&f);
  fixture_close(&f);
}

static void test_step__out_of_memory_is_no_empty_result(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, AIORCH_E_NOMEM);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_E_NOMEM);
  fixture_close(&f);
}

static void test_step__deadline_leaves_the_op_to_its_owner(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, AIORCH_PENDING);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_PENDING);
  virtual_clock_advance_ms(&f.clock, 1000);
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_E_DEADLINE);
  assert_true(f.r.op_out && !f.r.op_done);
  answer(&f.store, AIORCH_E_DEADLINE);
  assert_true(f.r.op_done);
  fixture_close(&f);
}

static void test_step__nothing_is_asked_for_an_empty_question(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, AIORCH_PENDING);
  f.r.query = AIO__LIT(" \n ");
  assert_int_equal(aio__retrieval_step(&f.r), AIORCH_OK);
  assert_null(f.store.op);
  assert_int_equal(f.r.source_count, 0);
  assert_false(f.r.degraded || f.r.all_failed);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_step__waits_for_a_late_store),
    cmocka_unit_test(test_step__reads_texts_only_of_what_is_looked_at),
    cmocka_unit_test(test_step__a_chunk_that_has_gone_meanwhile),
    cmocka_unit_test(test_step__texts_that_cannot_be_read_degrade),
    cmocka_unit_test(test_step__a_store_that_fails_degrades),
    cmocka_unit_test(test_step__out_of_memory_is_no_empty_result),
    cmocka_unit_test(test_step__deadline_leaves_the_op_to_its_owner),
    cmocka_unit_test(test_step__nothing_is_asked_for_an_empty_question),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
