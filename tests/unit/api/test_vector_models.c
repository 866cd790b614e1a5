/* lib/api/vector_models.c, and aiorch_knowledge_embed on vectors in the library's store. */
#include "../support/near_fixture.h"

enum { TIMEOUT = 30000 };

static void expect_models(near_fixture *n, const char *tenant, const char *want) {
  aiorch_text *out = NULL;
  const char *json = "";
  assert_int_equal(aiorch_knowledge_models(n->f.orch, tenant, strlen(tenant), TIMEOUT, &out, NULL), AIORCH_OK);
  assert_int_equal(aiorch_text_get(out, &json, NULL), AIORCH_OK);
  assert_string_equal(json, want);
  aiorch_text_free(out);
}

static void embed_all(near_fixture *n, const char *tenant, uint64_t want) {
  uint64_t done = 0, left = 9;
  assert_int_equal(aiorch_knowledge_embed(n->f.orch, tenant, strlen(tenant), TIMEOUT, &done, &left, NULL), AIORCH_OK);
  assert_int_equal(done, want);
  assert_int_equal(left, 0);
}

static void test_models__counts_what_is_embedded(void **state) {
  (void)state;
  near_fixture n;
  near_open(&n, false, NULL);
  expect_models(&n, "acme", "[]");
  fixture_add(&n.f, "acme", "zebra.md", "# Zebra\n\nA zebra has black and white stripes on its coat.\n");
  embed_all(&n, "acme", 1);
  expect_models(&n, "acme",
                "[{\"model\":\"fake\",\"chunks\":1,\"entries\":0,\"current\":true,\"stored\":true}]");
  expect_models(&n, "other", "[]");
  near_close(&n);
}

static void test_embed__found_by_meaning_with_the_librarys_own_vectors(void **state) {
  (void)state;
  near_fixture n;
  near_open(&n, false, "{\"retrieve.threshold\": 0.2}");
  fixture_add(&n.f, "acme", "zebra.md", "# Zebra\n\nA zebra has black and white stripes.\n");
  embed_all(&n, "acme", 1);
  aiorch_hits *hits = NULL;
  double similarity = 0;
  static const char query[] = "zebrastripes"; /* no word of it is in the text */
  assert_int_equal(aiorch_knowledge_search(n.f.orch, "acme", 4, query, sizeof query - 1, NULL, 5, TIMEOUT, &hits, NULL),
                   AIORCH_OK);
  assert_int_equal(aiorch_hits_count(hits), 1);
  assert_int_equal(aiorch_hits_score(hits, 0, NULL, &similarity), AIORCH_OK);
  assert_true(similarity >= 0.2);
  aiorch_hits_free(hits);
  /* Removed, it is found by nothing. */
  fixture_remove(&n.f, "acme", "zebra.md");
  assert_int_equal(aiorch_knowledge_search(n.f.orch, "acme", 4, query, sizeof query - 1, NULL, 5, TIMEOUT, &hits, NULL),
                   AIORCH_OK);
  assert_int_equal(aiorch_hits_count(hits), 0);
  aiorch_hits_free(hits);
  near_close(&n);
}

static void test_forget__not_the_current_model(void **state) {
  (void)state;
  near_fixture n;
  uint64_t removed = 9;
  near_open(&n, false, NULL);
  assert_int_equal(aiorch_knowledge_forget_model(n.f.orch, "acme", 4, "fake", 4, TIMEOUT, &removed, NULL), AIORCH_E_STATE);
  assert_int_equal(removed, 9);
  assert_int_equal(aiorch_knowledge_forget_model(n.f.orch, "acme", 4, NULL, 0, TIMEOUT, &removed, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_knowledge_forget_model(n.f.orch, "acme", 4, "gone", 4, TIMEOUT, &removed, NULL), AIORCH_OK);
  assert_int_equal(removed, 0);
  near_close(&n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_models__counts_what_is_embedded),
    cmocka_unit_test(test_embed__found_by_meaning_with_the_librarys_own_vectors),
    cmocka_unit_test(test_forget__not_the_current_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
