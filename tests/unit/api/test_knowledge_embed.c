/* lib/api/knowledge_embed.c and blocking_call.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/config.h"
#include "support/fake_vectors.h"
#include "support/virtual_clock.h"

enum { TIMEOUT = 30000, DOCUMENTS = 120, THREADS = 4 };

typedef struct fixture {
  fake_vectors fake;
  virtual_clock clock;
  aiorch *orch;
} fixture;

static void fixture_open_by(fixture *f, bool with_plugins, const aio__clock *clock) {
  aiorch_config *config = NULL;
  fake_vectors_init(&f->fake);
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  aio__config_set_clock(config, clock);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_f64(config, "retrieve.threshold", 0.5, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_f64(config, "cache.threshold", 0.9, NULL), AIORCH_OK);
  if (with_plugins) fake_vectors_register(&f->fake, config);
  assert_int_equal(aiorch_open(config, &f->orch, NULL), AIORCH_OK);
  aiorch_config_free(config);
}

static void fixture_open(fixture *f, bool with_plugins) {
  virtual_clock_init(&f->clock);
  fixture_open_by(f, with_plugins, &f->clock.clock);
}

static void fixture_close(fixture *f) {
  assert_int_equal(aiorch_close(f->orch, TIMEOUT), AIORCH_OK);
  assert_int_equal(aiorch_free(f->orch), AIORCH_OK);
  fake_vectors_free(&f->fake);
}

static void add(fixture *f, const char *tenant, const char *source, const char *text) {
  aiorch_document *d = NULL;
  assert_int_equal(aiorch_document_new(&d), AIORCH_OK);
  assert_int_equal(aiorch_document_set_source(d, source, strlen(source)), AIORCH_OK);
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, text, strlen(text)), AIORCH_OK);
  assert_int_equal(aiorch_knowledge_add(f->orch, tenant, strlen(tenant), d, TIMEOUT, NULL), AIORCH_OK);
  aiorch_document_free(d);
}

static void add_many(fixture *f, const char *tenant, int count) {
  for (int i = 0; i < count; i++) {
    char source[32], text[64];
    snprintf(source, sizeof source, "doc-%03d", i);
    snprintf(text, sizeof text, "the text of document number %d", i);
    add(f, tenant, source, text);
  }
}

static void test_embed__all_of_one_tenant(void **state) {
  (void)state;
  fixture f;
  uint64_t done = 9, left = 9;
  fixture_open(&f, true);
  add_many(&f, "t", DOCUMENTS);
  add_many(&f, "other", 3);
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, &done, &left, NULL), AIORCH_OK);
  assert_int_equal(done, DOCUMENTS);
  assert_int_equal(left, 0);
  assert_int_equal(f.fake.count, DOCUMENTS);
  assert_int_equal(f.fake.embedded_texts, DOCUMENTS);
  for (size_t i = 0; i < f.fake.count; i++) {
    double sum = 0;
    assert_string_equal(f.fake.stored[i].tenant, "t");
    for (size_t k = 0; k < FAKE_DIMENSIONS; k++)
      sum += (double)f.fake.stored[i].row[k] * (double)f.fake.stored[i].row[k];
    assert_true(fabs(sum - 1) < 1e-5);
  }
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, &done, NULL, NULL), AIORCH_OK);
  assert_int_equal(done, 0);
  fixture_close(&f);
}

static void test_embed__again_when_the_time_is_up(void **state) {
  (void)state;
  fixture f;
  uint64_t done = 9, left = 0;
  fixture_open(&f, true);
  add_many(&f, "t", 3);
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, 0, &done, &left, NULL), AIORCH_AGAIN);
  assert_int_equal(done, 0);
  assert_int_equal(left, 3);
  f.fake.embed_status = AIORCH_PENDING; /* an embedder that never answers: the virtual clock goes to the deadline */
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, 1000, &done, &left, NULL), AIORCH_AGAIN);
  assert_int_equal(done, 0);
  assert_int_equal(left, 3);
  f.fake.embed_status = AIORCH_OK;
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, 1000, &done, &left, NULL), AIORCH_OK);
  assert_int_equal(done, 3);
  fixture_close(&f);
}

static void take_five_seconds(void *context) {
  virtual_clock_advance_ms(context, 5000);
}

/* The local embedder asks between texts whether it should stop, and then calls itself cancelled. */
static void test_embed__again_when_the_embedder_stops_because_of_the_time(void **state) {
  (void)state;
  fixture f;
  uint64_t done = 9, left = 0;
  fixture_open(&f, true);
  add_many(&f, "t", 3);
  f.fake.embed_status = AIORCH_E_CANCELLED;
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, 1000, &done, &left, NULL), AIORCH_E_CANCELLED);
  f.fake.on_embed = take_five_seconds;
  f.fake.context = &f.clock;
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, 1000, &done, &left, NULL), AIORCH_AGAIN);
  assert_int_equal(done, 0);
  assert_int_equal(left, 3);
  fixture_close(&f);
}

static void test_embed__failures_mark_nothing(void **state) {
  (void)state;
  fixture f;
  uint64_t done = 9, left = 9;
  aiorch_error *error = NULL;
  fixture_open(&f, true);
  add_many(&f, "t", 3);
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  f.fake.embed_status = AIORCH_E_NETWORK;
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, &done, &left, error), AIORCH_E_NETWORK);
  assert_non_null(strstr(aiorch_error_message(error), "embedder"));
  assert_int_equal(done, 9); /* outputs are written on success only */
  f.fake.embed_status = AIORCH_OK;
  f.fake.upsert_status = AIORCH_E_NETWORK;
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, &done, &left, error), AIORCH_E_NETWORK);
  assert_non_null(strstr(aiorch_error_message(error), "vector store"));
  f.fake.upsert_status = AIORCH_OK;
  f.fake.short_by = 1;
  assert_true(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, &done, &left, error) < 0);
  f.fake.short_by = 0;
  assert_int_equal(f.fake.count, 0);
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, &done, &left, error), AIORCH_OK);
  assert_int_equal(done, 3);
  aiorch_error_free(error);
  fixture_close(&f);
}

static void test_embed__needs_an_embedder(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, false);
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, NULL, NULL, NULL), AIORCH_E_UNSUPPORTED);
  assert_int_equal(aiorch_knowledge_embed(f.orch, "", 0, TIMEOUT, NULL, NULL, NULL), AIORCH_E_INVALID);
  fixture_close(&f);
}

static void test_embed__vectors_go_with_their_chunks(void **state) {
  (void)state;
  fixture f;
  uint64_t done = 0;
  fixture_open(&f, true);
  add(&f, "t", "a", "the first text");
  add(&f, "t", "b", "the second text");
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, &done, NULL, NULL), AIORCH_OK);
  add(&f, "t", "a", "quite another text"); /* its old chunk goes, the new one has no vector yet */
  assert_int_equal(f.fake.count, 1);
  assert_int_equal(aiorch_knowledge_remove(f.orch, "t", 1, "b", 1, TIMEOUT, NULL), AIORCH_OK);
  assert_int_equal(f.fake.count, 0);
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, &done, NULL, NULL), AIORCH_OK);
  assert_int_equal(done, 1);
  assert_int_equal(f.fake.count, 1);
  fixture_close(&f);
}

static void *embed_on_thread(void *arg) {
  fixture *f = arg;
  aiorch_status st;
  do st = aiorch_knowledge_embed(f->orch, "t", 1, TIMEOUT, NULL, NULL, NULL);
  while (st == AIORCH_AGAIN);
  return st == AIORCH_OK ? NULL : f;
}

static void test_embed__several_threads(void **state) {
  (void)state;
  fixture f;
  pthread_t threads[THREADS];
  uint64_t left = 9;
  fixture_open_by(&f, true, aio__clock_system());
  add_many(&f, "t", DOCUMENTS);
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, embed_on_thread, &f), 0);
  for (int i = 0; i < THREADS; i++) {
    void *failed = &f;
    assert_int_equal(pthread_join(threads[i], &failed), 0);
    assert_null(failed);
  }
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, NULL, &left, NULL), AIORCH_OK);
  assert_int_equal(left, 0);
  assert_int_equal(f.fake.count, DOCUMENTS);
  assert_int_equal(f.fake.embedded_texts, DOCUMENTS); /* a service is paid for each */
  fixture_close(&f);
}

/* A second caller that comes while the first one's batch is with the embedder. */
typedef struct second_caller {
  fixture *f;
  const char *tenant;
  bool came;
  aiorch_status status;
  uint64_t done, left;
} second_caller;

static void *embed_beside(void *arg) {
  second_caller *s = arg;
  s->status = aiorch_knowledge_embed(s->f->orch, s->tenant, strlen(s->tenant), 1000, &s->done, &s->left, NULL);
  return NULL;
}

static void come_once(void *context) {
  second_caller *s = context;
  pthread_t thread;
  if (s->came) return;
  s->came = true;
  if (pthread_create(&thread, NULL, embed_beside, s) == 0) pthread_join(thread, NULL);
}

static void meet(second_caller *s, fixture *f, int documents, const char *tenant) {
  uint64_t done = 0, left = 9;
  *s = (second_caller){.f = f, .tenant = tenant, .status = AIORCH_E_INVALID};
  fixture_open(f, true);
  add_many(f, "t", documents);
  add_many(f, "other", 3);
  f->fake.on_embed = come_once;
  f->fake.context = s;
  assert_int_equal(aiorch_knowledge_embed(f->orch, "t", 1, TIMEOUT, &done, &left, NULL), AIORCH_OK);
  assert_true(s->came);
  assert_int_equal(left, 0);
}

static void test_embed__what_another_caller_has_in_hand_is_waited_for(void **state) {
  (void)state;
  fixture f;
  second_caller s;
  meet(&s, &f, 3, "t");
  assert_int_equal(s.status, AIORCH_AGAIN);
  assert_int_equal(s.done, 0);
  assert_int_equal(s.left, 3);
  assert_int_equal(f.fake.embed_calls, 1);
  assert_int_equal(f.fake.embedded_texts, 3);
  fixture_close(&f);
}

static void test_embed__another_caller_takes_the_rest(void **state) {
  (void)state;
  fixture f;
  second_caller s;
  meet(&s, &f, 300, "t"); /* more than what one look shows */
  assert_int_equal(s.status, AIORCH_AGAIN);
  assert_true(s.done > 0 && s.done < 300);
  assert_int_equal(s.left, 300 - s.done);
  assert_int_equal(f.fake.embedded_texts, 300);
  assert_int_equal(f.fake.count, 300);
  fixture_close(&f);
}

static void test_embed__another_tenant_is_not_waited_for(void **state) {
  (void)state;
  fixture f;
  second_caller s;
  meet(&s, &f, 3, "other");
  assert_int_equal(s.status, AIORCH_OK);
  assert_int_equal(s.done, 3);
  assert_int_equal(f.fake.embedded_texts, 6);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_embed__all_of_one_tenant),
    cmocka_unit_test(test_embed__again_when_the_time_is_up),
    cmocka_unit_test(test_embed__again_when_the_embedder_stops_because_of_the_time),
    cmocka_unit_test(test_embed__failures_mark_nothing),
    cmocka_unit_test(test_embed__needs_an_embedder),
    cmocka_unit_test(test_embed__vectors_go_with_their_chunks),
    cmocka_unit_test(test_embed__several_threads),
    cmocka_unit_test(test_embed__what_another_caller_has_in_hand_is_waited_for),
    cmocka_unit_test(test_embed__another_caller_takes_the_rest),
    cmocka_unit_test(test_embed__another_tenant_is_not_waited_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
