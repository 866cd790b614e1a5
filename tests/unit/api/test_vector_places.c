/* What holds of vectors wherever they are: in the library's store, and in a vector store plug-in on the public interface. */
#include <math.h>
#include <stdio.h>

#include "../support/near_fixture.h"

enum { TIMEOUT = 30000, MANY = 60 };

static void open_at(near_fixture *n, void **state) {
  near_open(n, *state != NULL, "{\"retrieve.threshold\": -1, \"retrieve.weight_text\": 0}");
}

static void embed(near_fixture *n, const char *tenant) {
  uint64_t left = 9;
  assert_int_equal(aiorch_knowledge_embed(n->f.orch, tenant, strlen(tenant), TIMEOUT, NULL, &left, NULL), AIORCH_OK);
  assert_int_equal(left, 0);
}

static aiorch_hits *find(near_fixture *n, const char *tenant, const char *query, const char *filters, size_t limit) {
  aiorch_hits *hits = NULL;
  assert_int_equal(aiorch_knowledge_search(n->f.orch, tenant, strlen(tenant), query, strlen(query), filters, limit, TIMEOUT,
                                           &hits, NULL),
                   AIORCH_OK);
  return hits;
}

static void expect_first(near_fixture *n, const char *tenant, const char *query, const char *want) {
  aiorch_hits *hits = find(n, tenant, query, NULL, 5);
  const char *uri = "";
  assert_true(aiorch_hits_count(hits) > 0);
  assert_int_equal(aiorch_hits_uri(hits, 0, &uri, NULL), AIORCH_OK);
  assert_string_equal(uri, want);
  aiorch_hits_free(hits);
}

static size_t count(near_fixture *n, const char *tenant, const char *query, const char *filters, size_t limit) {
  aiorch_hits *hits = find(n, tenant, query, filters, limit);
  size_t found = aiorch_hits_count(hits);
  aiorch_hits_free(hits);
  return found;
}

static void test_vectors__nearest_first_and_no_more_than_there_are(void **state) {
  near_fixture n;
  open_at(&n, state);
  fixture_add(&n.f, "acme", "zebra", "zebra zebra zebra");
  fixture_add(&n.f, "acme", "boat", "boat boat boat");
  fixture_add(&n.f, "acme", "quiz", "quiz quiz quiz");
  assert_int_equal(count(&n, "acme", "zebrazebra", NULL, 5), 0); /* not embedded yet */
  embed(&n, "acme");
  expect_first(&n, "acme", "zebrazebra", "zebra");
  expect_first(&n, "acme", "boatboat", "boat");
  assert_int_equal(count(&n, "acme", "quizquiz", NULL, 100), 3);
  assert_int_equal(count(&n, "acme", "quizquiz", NULL, 1), 1);
  near_close(&n);
}

static void test_vectors__equals_are_all_found(void **state) {
  near_fixture n;
  open_at(&n, state);
  char source[16], text[64];
  for (int i = 0; i < MANY; i++) { /* digits weigh nothing for the fake embedder: the vectors are the same */
    (void)snprintf(source, sizeof source, "d%d", i);
    (void)snprintf(text, sizeof text, "zebra %d %d %d %d", i, i * 7 + 1, i * 13 + 5, i * 29 + 3);
    fixture_add(&n.f, "acme", source, text);
  }
  embed(&n, "acme");
  assert_int_equal(count(&n, "acme", "zebrazebra", NULL, 100), MANY);
  near_close(&n);
}

static void test_vectors__go_with_what_they_are_of(void **state) {
  near_fixture n;
  open_at(&n, state);
  fixture_add(&n.f, "acme", "zebra", "zebra zebra zebra");
  fixture_add(&n.f, "acme", "boat", "boat boat boat");
  embed(&n, "acme");
  int embedded = n.vectors.embedded_texts;
  fixture_add(&n.f, "acme", "boat", "boat boat boat"); /* unchanged: nothing is embedded again */
  embed(&n, "acme");
  assert_int_equal(n.vectors.embedded_texts, embedded);
  fixture_add(&n.f, "acme", "boat", "quiz quiz quiz");
  embed(&n, "acme");
  assert_int_equal(n.vectors.embedded_texts, embedded + 1);
  expect_first(&n, "acme", "quizquiz", "boat");
  fixture_remove(&n.f, "acme", "zebra");
  assert_int_equal(count(&n, "acme", "zebrazebra", NULL, 5), 1);
  fixture_remove(&n.f, "acme", "boat");
  assert_int_equal(count(&n, "acme", "zebrazebra", NULL, 5), 0);
  near_close(&n);
}

static void test_vectors__tenants_never_mix(void **state) {
  near_fixture n;
  open_at(&n, state);
  fixture_add(&n.f, "acme", "zebra", "zebra zebra zebra");
  fixture_add(&n.f, "other", "boat", "boat boat boat");
  embed(&n, "acme");
  embed(&n, "other");
  expect_first(&n, "acme", "boatboat", "zebra");
  expect_first(&n, "other", "zebrazebra", "boat");
  assert_int_equal(count(&n, "nobody", "zebrazebra", NULL, 5), 0);
  near_close(&n);
}

static void add_with(near_fixture *n, const char *source, const char *text, const char *lang) {
  aiorch_document *d = NULL;
  assert_int_equal(aiorch_document_new(&d), AIORCH_OK);
  assert_int_equal(aiorch_document_set_source(d, source, strlen(source)), AIORCH_OK);
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, text, strlen(text)), AIORCH_OK);
  assert_int_equal(aiorch_document_add_metadata(d, "lang", 4, lang, strlen(lang)), AIORCH_OK);
  assert_int_equal(aiorch_knowledge_add(n->f.orch, "acme", 4, d, TIMEOUT, NULL), AIORCH_OK);
  aiorch_document_free(d);
}

static void test_vectors__filters_hold(void **state) {
  near_fixture n;
  open_at(&n, state);
  char source[16], text[64];
  for (int i = 0; i < MANY; i++) {
    (void)snprintf(source, sizeof source, "d%d", i);
    (void)snprintf(text, sizeof text, "zebra %d %d %d %d", i, i * 7 + 1, i * 13 + 5, i * 29 + 3);
    add_with(&n, source, text, i % 20 == 0 ? "de" : "en");
  }
  add_with(&n, "far", "quiz quiz", "de"); /* the furthest of all that passes */
  embed(&n, "acme");
  assert_int_equal(count(&n, "acme", "zebrazebra", "{\"lang\": \"de\"}", 10), MANY / 20 + 1);
  assert_int_equal(count(&n, "acme", "zebrazebra", "{\"lang\": \"fr\"}", 10), 0);
  near_close(&n);
}

static void expect_refused(near_fixture *n, aiorch_status want) {
  uint64_t done = 77;
  aiorch_error *error = NULL;
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  aiorch_status st = aiorch_knowledge_embed(n->f.orch, "acme", 4, TIMEOUT, &done, NULL, error);
  if (st != want) fail_msg("%d: %s", st, aiorch_error_message(error));
  assert_int_equal(done, 77);
  assert_true(aiorch_error_message(error)[0] != '\0');
  aiorch_error_free(error);
}

static void test_vectors__what_is_no_vector_is_refused(void **state) {
  near_fixture n;
  open_at(&n, state);
  fixture_add(&n.f, "acme", "zebra", "zebra zebra zebra");
  n.vectors.first = (float)NAN;
  expect_refused(&n, AIORCH_E_INVALID);
  n.vectors.first = (float)INFINITY;
  expect_refused(&n, AIORCH_E_INVALID);
  n.vectors.first = 0;
  n.vectors.zero = true;
  expect_refused(&n, AIORCH_E_INVALID);
  n.vectors.zero = false;
  assert_int_equal(count(&n, "acme", "zebrazebra", NULL, 5), 0); /* nothing of it was kept */
  embed(&n, "acme");
  expect_first(&n, "acme", "zebrazebra", "zebra");
  near_close(&n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    NEAR_BOTH(test_vectors__nearest_first_and_no_more_than_there_are),
    NEAR_BOTH(test_vectors__equals_are_all_found),
    NEAR_BOTH(test_vectors__go_with_what_they_are_of),
    NEAR_BOTH(test_vectors__tenants_never_mix),
    NEAR_BOTH(test_vectors__filters_hold),
    NEAR_BOTH(test_vectors__what_is_no_vector_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
