/* lib/api/search.c and, through it, pipeline/retrieval.c with its legs */
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
#include "support/test_alloc.h"
#include "support/virtual_clock.h"

enum { TIMEOUT = 30000 };

typedef struct fixture {
  fake_vectors fake;
  virtual_clock clock;
  aiorch *orch;
} fixture;

static void fixture_open(fixture *f, bool with_plugins, const aio__alloc *al) {
  aiorch_config *config = NULL;
  fake_vectors_init(&f->fake);
  virtual_clock_init(&f->clock);
  assert_int_equal(aiorch_config_new_with(al, &config), AIORCH_OK);
  aio__config_set_clock(config, &f->clock.clock);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_f64(config, "retrieve.threshold", 0.3, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "cache.match", "exact", 5, NULL), AIORCH_OK);
  if (with_plugins) fake_vectors_register(&f->fake, config);
  assert_int_equal(aiorch_open(config, &f->orch, NULL), AIORCH_OK);
  aiorch_config_free(config);
}

static void fixture_close(fixture *f) {
  assert_int_equal(aiorch_close(f->orch, TIMEOUT), AIORCH_OK);
  assert_int_equal(aiorch_free(f->orch), AIORCH_OK);
  fake_vectors_free(&f->fake);
}

static void add(fixture *f, const char *tenant, const char *source, const char *lang, const char *text) {
  aiorch_document *d = NULL;
  assert_int_equal(aiorch_document_new(&d), AIORCH_OK);
  assert_int_equal(aiorch_document_set_source(d, source, strlen(source)), AIORCH_OK);
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_MARKDOWN, text, strlen(text)), AIORCH_OK);
  assert_int_equal(aiorch_document_add_metadata(d, "lang", 4, lang, strlen(lang)), AIORCH_OK);
  assert_int_equal(aiorch_document_add_anchor(d, 0, "top", 3), AIORCH_OK);
  assert_int_equal(aiorch_knowledge_add(f->orch, tenant, strlen(tenant), d, TIMEOUT, NULL), AIORCH_OK);
  aiorch_document_free(d);
}

static void add_library(fixture *f) {
  add(f, "t", "birds.md", "en", "# Birds\n\nSwallows migrate south in autumn and return in spring.");
  add(f, "t", "fish.md", "en", "# Fish\n\nSalmon swim up the river where they were born.");
  add(f, "t", "voegel.md", "de",
      "# V\xc3\xb6gel\n\nSchwalben ziehen im Herbst nach S\xc3\xbc"
      "den; in English: swallows.");
  add(f, "other", "secret.md", "en", "# Secret\n\nSwallows of another tenant.");
}

static aiorch_status search(fixture *f, const char *query, const char *filters, size_t limit, aiorch_hits **hits,
                            aiorch_error *error) {
  *hits = NULL;
  return aiorch_knowledge_search(f->orch, "t", 1, query, strlen(query), filters, limit, TIMEOUT, hits, error);
}

static const char *uri(const aiorch_hits *hits, size_t i) {
  const char *text = NULL;
  assert_int_equal(aiorch_hits_uri(hits, i, &text, NULL), AIORCH_OK);
  return text;
}

static void test_search__full_text(void **state) {
  (void)state;
  fixture f;
  aiorch_hits *hits;
  fixture_open(&f, false, NULL);
  add_library(&f);
  assert_int_equal(search(&f, "when do swallows migrate?", NULL, 5, &hits, NULL), AIORCH_OK);
  assert_int_equal(aiorch_hits_count(hits), 2);
  assert_string_equal(uri(hits, 0), "birds.md#top");
  const char *text = NULL, *json = NULL;
  uint64_t start = 9, end = 9;
  double score = 0, similarity = 0;
  size_t len = 0;
  assert_int_equal(aiorch_hits_text(hits, 0, &text, &len), AIORCH_OK);
  assert_string_equal(text, "# Birds\n\nSwallows migrate south in autumn and return in spring.");
  assert_int_equal(aiorch_hits_range(hits, 0, &start, &end), AIORCH_OK);
  assert_int_equal(start, 0);
  assert_int_equal(end, len);
  assert_int_equal(aiorch_hits_score(hits, 0, &score, &similarity), AIORCH_OK);
  assert_true(score > 0 && isnan(similarity));
  assert_int_equal(aiorch_hits_title(hits, 0, &text, NULL), AIORCH_OK);
  assert_string_equal(text, "Birds");
  assert_int_equal(aiorch_hits_document_id(hits, 0, &text, &len), AIORCH_OK);
  assert_int_equal(len, 36);
  assert_int_equal(aiorch_hits_json(hits, &json, &len), AIORCH_OK);
  assert_non_null(strstr(json, "\"similarity\":null"));
  assert_int_equal(aiorch_hits_uri(hits, 2, &text, NULL), AIORCH_E_INVALID);
  fixture_close(&f);
  assert_string_equal(uri(hits, 0), "birds.md#top"); /* hits outlive the orchestrator */
  aiorch_hits_free(hits);
}

static void test_search__nothing_and_bad_arguments(void **state) {
  (void)state;
  fixture f;
  aiorch_hits *hits;
  fixture_open(&f, false, NULL);
  add_library(&f);
  assert_int_equal(search(&f, "zebras", NULL, 5, &hits, NULL), AIORCH_OK);
  assert_int_equal(aiorch_hits_count(hits), 0);
  const char *json = NULL;
  assert_int_equal(aiorch_hits_json(hits, &json, NULL), AIORCH_OK);
  assert_string_equal(json, "[]");
  aiorch_hits_free(hits);
  assert_int_equal(search(&f, "  ", NULL, 5, &hits, NULL), AIORCH_OK);
  assert_int_equal(aiorch_hits_count(hits), 0);
  aiorch_hits_free(hits);
  assert_int_equal(search(&f, "x", NULL, 0, &hits, NULL), AIORCH_E_INVALID);
  assert_int_equal(search(&f, "x", NULL, 101, &hits, NULL), AIORCH_E_INVALID);
  assert_int_equal(search(&f, "\xff", NULL, 5, &hits, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_knowledge_search(f.orch, "t", 1, NULL, 4, NULL, 5, TIMEOUT, &hits, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_knowledge_search(f.orch, "t", 1, "x", 1, NULL, 5, TIMEOUT, NULL, NULL), AIORCH_E_INVALID);
  assert_null(hits);
  assert_int_equal(aiorch_hits_count(NULL), 0);
  aiorch_hits_free(NULL);
  fixture_close(&f);
}

static void test_search__filters(void **state) {
  (void)state;
  fixture f;
  aiorch_hits *hits;
  fixture_open(&f, true, NULL);
  add_library(&f);
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, NULL, NULL, NULL), AIORCH_OK);
  assert_int_equal(search(&f, "swallows", "{\"lang\": \"de\"}", 5, &hits, NULL), AIORCH_OK);
  assert_int_equal(aiorch_hits_count(hits), 1);
  assert_string_equal(uri(hits, 0), "voegel.md#top");
  aiorch_hits_free(hits);
  assert_int_equal(search(&f, "swallows", "{\"lang\": [\"de\", \"en\"]}", 5, &hits, NULL), AIORCH_OK);
  assert_true(aiorch_hits_count(hits) >= 2);
  aiorch_hits_free(hits);
  assert_int_equal(search(&f, "swallows", "{\"lang\": {\"prefix\": \"d\"}}", 5, &hits, NULL), AIORCH_OK);
  assert_int_equal(aiorch_hits_count(hits), 1);
  aiorch_hits_free(hits);
  assert_int_equal(search(&f, "swallows", "{\"lang\": {\"from\": \"df\"}}", 5, &hits, NULL), AIORCH_OK);
  assert_true(aiorch_hits_count(hits) >= 1);
  assert_string_not_equal(uri(hits, 0), "voegel.md#top");
  aiorch_hits_free(hits);
  static const char *const bad[] = {"[]", "{\"lang\": 1}",          "{\"lang\": []}", "{\"lang\": [1]}",
                                    "{",  "{\"a\": {\"b\": \"c\"}}", "{\"\": \"x\"}", "{\"a\": {\"to\": 1}}"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(search(&f, "swallows", bad[i], 5, &hits, NULL), AIORCH_E_INVALID);
  }
  fixture_close(&f);
}

static void test_search__by_meaning_too(void **state) {
  (void)state;
  fixture f;
  aiorch_hits *hits;
  double similarity = 0;
  fixture_open(&f, true, NULL);
  add_library(&f);
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, NULL, NULL, NULL), AIORCH_OK);
  /* No word of it is in the document: only the letters are alike. */
  assert_int_equal(search(&f, "Swallo migrat soutth autum retur sprin", NULL, 3, &hits, NULL), AIORCH_OK);
  assert_true(aiorch_hits_count(hits) >= 1);
  assert_string_equal(uri(hits, 0), "birds.md#top");
  assert_int_equal(aiorch_hits_score(hits, 0, NULL, &similarity), AIORCH_OK);
  assert_true(similarity >= 0.3 && similarity <= 1.001);
  for (size_t i = 0; i < aiorch_hits_count(hits); i++) assert_null(strstr(uri(hits, i), "secret"));
  aiorch_hits_free(hits);
  assert_int_equal(f.fake.query_calls, 1);
  fixture_close(&f);
}

static void test_search__a_failing_leg_leaves_the_other(void **state) {
  (void)state;
  fixture f;
  aiorch_hits *hits;
  fixture_open(&f, true, NULL);
  add_library(&f);
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, NULL, NULL, NULL), AIORCH_OK);
  f.fake.embed_status = AIORCH_E_NETWORK;
  assert_int_equal(search(&f, "when do swallows migrate?", NULL, 5, &hits, NULL), AIORCH_OK);
  assert_string_equal(uri(hits, 0), "birds.md#top");
  aiorch_hits_free(hits);
  f.fake.embed_status = AIORCH_OK;
  f.fake.search_status = AIORCH_E_NETWORK;
  assert_int_equal(search(&f, "when do swallows migrate?", NULL, 5, &hits, NULL), AIORCH_OK);
  assert_string_equal(uri(hits, 0), "birds.md#top");
  aiorch_hits_free(hits);
  fixture_close(&f);
}

static void test_search__an_embedder_that_never_answers(void **state) {
  (void)state;
  fixture f;
  aiorch_hits *hits;
  fixture_open(&f, true, NULL);
  add_library(&f);
  f.fake.embed_status = AIORCH_PENDING;
  assert_int_equal(search(&f, "swallows", NULL, 5, &hits, NULL), AIORCH_E_DEADLINE);
  assert_null(hits);
  fixture_close(&f);
}

static void test_search__out_of_memory(void **state) {
  (void)state;
  fixture f;
  aio__test_alloc t;
  aiorch_hits *hits;
  aio__test_alloc_init(&t);
  fixture_open(&f, true, &t.al);
  add_library(&f);
  assert_int_equal(aiorch_knowledge_embed(f.orch, "t", 1, TIMEOUT, NULL, NULL, NULL), AIORCH_OK);
  for (long at = 1;; at++) {
    t.count = t.failed = 0;
    t.fail_at = at;
    aiorch_status st = search(&f, "swallows in autumn", "{\"lang\": \"en\"}", 5, &hits, NULL);
    t.fail_at = 0;
    if (t.failed == 0) {
      assert_int_equal(st, AIORCH_OK);
      assert_true(aiorch_hits_count(hits) > 0);
      aiorch_hits_free(hits);
      break;
    }
    assert_true(st == AIORCH_OK || st == AIORCH_E_NOMEM);
    aiorch_hits_free(hits);
  }
  fixture_close(&f);
  assert_int_equal(t.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_search__full_text),
    cmocka_unit_test(test_search__nothing_and_bad_arguments),
    cmocka_unit_test(test_search__filters),
    cmocka_unit_test(test_search__by_meaning_too),
    cmocka_unit_test(test_search__a_failing_leg_leaves_the_other),
    cmocka_unit_test(test_search__an_embedder_that_never_answers),
    cmocka_unit_test(test_search__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
