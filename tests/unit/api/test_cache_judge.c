/* lib/api/cache_judge.c: compare, explain, feedback. */
#include "../support/near_fixture.h"

enum { TIMEOUT = 30000 };

static void contains(aiorch_text *text, const char *want) {
  const char *json = "";
  assert_int_equal(aiorch_text_get(text, &json, NULL), AIORCH_OK);
  if (!strstr(json, want)) fail_msg("no %s in %s", want, json);
}

static aiorch_status compare(near_fixture *n, const char *a, const char *b, aiorch_text **out) {
  return aiorch_cache_compare(n->f.orch, a, strlen(a), b, strlen(b), TIMEOUT, out, NULL);
}

static void expect_compare(near_fixture *n, const char *a, const char *b, const char *want, const char *also) {
  aiorch_text *out = NULL;
  assert_int_equal(compare(n, a, b, &out), AIORCH_OK);
  contains(out, want);
  contains(out, also);
  aiorch_text_free(out);
}

static void test_compare__as_the_cache_would(void **state) {
  (void)state;
  near_fixture n;
  near_open(&n, false, NULL);
  expect_compare(&n, "How do I reset my password?", "how do i reset my passwords", "\"hit\":true", "\"refused_by\":null");
  expect_compare(&n, "Keep 2 copies of it", "Keep 3 copies of it", "\"hit\":false", "\"refused_by\":\"numbers\"");
  expect_compare(&n, "Keep 2 copies", "What is the weather in Paris?", "\"hit\":false", "\"threshold\":0.9");
  expect_compare(&n, "KEEP 2 copies", "keep 2  copies", "\"hit\":true", "\"similarity\":");
  near_close(&n);
}

static void test_compare__what_cannot_be(void **state) {
  (void)state;
  near_fixture n;
  aiorch_text *out = NULL;
  near_open(&n, false, NULL);
  assert_int_equal(compare(&n, "\xff", "b", &out), AIORCH_E_INVALID);
  assert_int_equal(aiorch_cache_compare(n.f.orch, NULL, 1, "b", 1, TIMEOUT, &out, NULL), AIORCH_E_INVALID);
  n.vectors.embed_status = AIORCH_E_NETWORK;
  assert_int_equal(compare(&n, "a b", "b c", &out), AIORCH_E_NETWORK);
  near_close(&n);
  fixture f;
  fixture_open(&f, NULL, NULL, 0, NULL, 0);
  assert_int_equal(aiorch_cache_compare(f.orch, "a", 1, "b", 1, TIMEOUT, &out, NULL), AIORCH_E_UNSUPPORTED);
  fixture_close(&f);
  assert_null(out);
}

static void keep(near_fixture *n, const char *question, char id[64]) {
  aiorch_run *run = fixture_execute(&n->f, question, AIORCH_OK);
  const char *entry = "";
  assert_int_equal(aiorch_run_cache_entry(run, &entry, NULL), AIORCH_OK);
  strncpy(id, entry, 63);
  aiorch_run_free(run);
}

static void test_explain__the_nearest_and_what_the_guards_say(void **state) {
  (void)state;
  near_fixture n;
  char first[64] = "", second[64] = "";
  near_open(&n, false, NULL);
  keep(&n, "How do I reset my password in 2 steps?", first);
  keep(&n, "What is the weather in Paris?", second);
  aiorch_run *run = fixture_ask(&n.f, "acme", "u1", "How do I reset my password in 3 steps?");
  aiorch_text *out = NULL;
  assert_int_equal(aiorch_run_cache_explain(run, 10, &out), AIORCH_OK);
  const char *json = "";
  assert_int_equal(aiorch_text_get(out, &json, NULL), AIORCH_OK);
  const char *a = strstr(json, first), *b = strstr(json, second);
  assert_non_null(a);
  assert_non_null(b);
  assert_true(a < b); /* nearest first */
  contains(out, "\"readable\":true");
  contains(out, "\"refused_by\":\"numbers\"");
  contains(out, "{\"guard\":\"numbers\",\"pass\":false,");
  contains(out, "{\"guard\":\"negation\",\"pass\":true,");
  aiorch_text_free(out);
  assert_int_equal(aiorch_run_execute(run), AIORCH_E_STATE); /* used up */
  aiorch_run_free(run);
  assert_int_equal(n.f.first.calls, 2); /* nobody was asked for an answer */
  /* The same words. */
  run = fixture_ask(&n.f, "acme", "u1", "what is the weather  in paris?");
  assert_int_equal(aiorch_run_cache_explain(run, 1, &out), AIORCH_OK);
  contains(out, "\"exact\":true");
  aiorch_text_free(out);
  aiorch_run_free(run);
  /* Another tenant has nothing that is near. */
  run = fixture_ask(&n.f, "other", "u1", "What is the weather in Paris?");
  assert_int_equal(aiorch_run_cache_explain(run, 1, &out), AIORCH_OK);
  contains(out, "\"entries\":[]");
  aiorch_text_free(out);
  aiorch_run_free(run);
  near_close(&n);
}

static void test_explain__what_cannot_be(void **state) {
  (void)state;
  near_fixture n;
  aiorch_text *out = NULL;
  near_open(&n, true, NULL);
  aiorch_run *run = fixture_ask(&n.f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_cache_explain(run, 0, &out), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_cache_explain(run, 101, &out), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_cache_explain(run, 1, &out), AIORCH_E_UNSUPPORTED); /* a plug-in's vectors */
  aiorch_run_free(run);
  near_close(&n);
  near_open(&n, false, NULL);
  run = fixture_execute(&n.f, "What?", AIORCH_OK);
  assert_int_equal(aiorch_run_cache_explain(run, 1, &out), AIORCH_E_STATE);
  aiorch_run_free(run);
  near_close(&n);
  assert_null(out);
}

static aiorch_status verdict(near_fixture *n, const char *tenant, const char *id, int32_t verdict_) {
  return aiorch_cache_feedback(n->f.orch, tenant, strlen(tenant), id, strlen(id), verdict_, TIMEOUT, NULL);
}

static void expect(near_fixture *n, const char *question, int32_t outcome) {
  aiorch_run *run = fixture_execute(&n->f, question, AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), outcome);
  aiorch_run_free(run);
}

static void test_feedback__bad_goes_not_same_serves_its_own_question_only(void **state) {
  (void)state;
  near_fixture n;
  char id[64] = "";
  near_open(&n, false, NULL);
  keep(&n, "How do I reset my password?", id);
  assert_int_equal(verdict(&n, "acme", id, AIORCH_VERDICT_GOOD), AIORCH_OK);
  expect(&n, "how do i reset my passwords", AIORCH_CACHE_SEMANTIC);
  assert_int_equal(verdict(&n, "acme", id, AIORCH_VERDICT_NOT_SAME), AIORCH_OK);
  expect(&n, "How do I reset my password?", AIORCH_CACHE_EXACT);
  expect(&n, "how do i reset my passwordz", AIORCH_CACHE_MISS);
  assert_int_equal(verdict(&n, "other", id, AIORCH_VERDICT_BAD), AIORCH_E_NOT_FOUND); /* another's */
  assert_int_equal(verdict(&n, "acme", id, AIORCH_VERDICT_BAD), AIORCH_OK);
  assert_int_equal(verdict(&n, "acme", id, AIORCH_VERDICT_BAD), AIORCH_E_NOT_FOUND);
  assert_int_equal(verdict(&n, "acme", id, AIORCH_VERDICT_NOT_SAME), AIORCH_E_NOT_FOUND);
  assert_int_equal(verdict(&n, "acme", id, 4), AIORCH_E_INVALID);
  assert_int_equal(verdict(&n, "acme", "short", 1), AIORCH_E_INVALID);
  assert_int_equal(fixture_counter(&n.f, AIO__N_CACHE_FEEDBACK_GOOD), 1);
  assert_int_equal(fixture_counter(&n.f, AIO__N_CACHE_FEEDBACK_BAD), 1);
  assert_int_equal(fixture_counter(&n.f, AIO__N_CACHE_FEEDBACK_NOT_SAME), 1);
  near_close(&n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_compare__as_the_cache_would),
    cmocka_unit_test(test_compare__what_cannot_be),
    cmocka_unit_test(test_explain__the_nearest_and_what_the_guards_say),
    cmocka_unit_test(test_explain__what_cannot_be),
    cmocka_unit_test(test_feedback__bad_goes_not_same_serves_its_own_question_only),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
