/* Near hits: found by similarity, judged by the guards, accounted for like any attempt; with vectors in the library's store and
 * in a vector store plug-in. */
#include "../support/near_fixture.h"

#include <stdio.h>

static aiorch_run *expect(near_fixture *n, const char *question, int32_t outcome, const char *answer) {
  aiorch_run *run = fixture_execute(&n->f, question, AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), outcome);
  assert_string_equal(fixture_answer(run), answer);
  return run;
}

static void expect_free(near_fixture *n, const char *question, int32_t outcome, const char *answer) {
  aiorch_run_free(expect(n, question, outcome, answer));
}

static void test_near__a_near_question_is_answered_from_the_cache(void **state) {
  near_fixture n;
  near_open(&n, *state != NULL, NULL);
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  aiorch_run *run = expect(&n, "how do i reset my passwords", AIORCH_CACHE_SEMANTIC, "First answer.");
  const char *json = NULL;
  assert_int_equal(aiorch_run_to_json(run, &json, NULL), AIORCH_OK);
  assert_non_null(strstr(json, "\"outcome\":\"semantic\""));
  assert_int_equal(aiorch_run_attempt_count(run), 1); /* the embedding: it is a plug-in's, and accounted for */
  aiorch_run_free(run);
  assert_int_equal(fixture_counter(&n.f, AIO__N_CACHE_HITS_SEMANTIC), 1);
  expect_free(&n, "What is the weather in Paris?", AIORCH_CACHE_MISS, "Second answer.");
  near_close(&n);
}

static void test_near__the_guards_say_no(void **state) {
  near_fixture n;
  near_open(&n, *state != NULL, NULL);
  expect_free(&n, "How do I reset my password in 2 steps?", AIORCH_CACHE_MISS, "First answer.");
  aiorch_run *run = expect(&n, "How do I reset my password in 3 steps?", AIORCH_CACHE_MISS, "Second answer.");
  const char *guard = NULL, *detail = NULL;
  assert_int_equal(aiorch_run_cache_refused(run, &guard, &detail), AIORCH_OK);
  assert_string_equal(guard, "numbers");
  assert_true(detail[0] != '\0');
  aiorch_run_free(run);
  assert_int_equal(fixture_counter(&n.f, AIO__N_CACHE_REFUSED_NUMBERS), 1);
  near_close(&n);
  /* Off by option, and unsafe. */
  near_open(&n, *state != NULL, "{\"cache.guards\": \"off\"}");
  expect_free(&n, "How do I reset my password in 2 steps?", AIORCH_CACHE_MISS, "First answer.");
  expect_free(&n, "How do I reset my password in 3 steps?", AIORCH_CACHE_SEMANTIC, "First answer.");
  near_close(&n);
}

static void test_near__an_empty_scope_costs_no_embedding(void **state) {
  near_fixture n;
  near_open(&n, *state != NULL, "{\"retrieve.enabled\": false, \"cache.mode\": \"read\"}");
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  assert_int_equal(n.vectors.embed_calls, 0);
  near_close(&n);
  near_open(&n, *state != NULL, "{\"retrieve.enabled\": false}");
  aiorch_run *run = expect(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  assert_int_equal(n.vectors.embed_calls, 1); /* to be kept with the answer, before the books were closed */
  assert_int_equal(aiorch_run_attempt_count(run), 2);
  aiorch_run_free(run);
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_EXACT, "First answer.");
  assert_int_equal(n.vectors.embed_calls, 1); /* the same words need none */
  near_close(&n);
}

static void test_near__exact_by_setting(void **state) {
  near_fixture n;
  near_open(&n, *state != NULL, "{\"cache.match\": \"exact\", \"retrieve.enabled\": false}");
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  expect_free(&n, "how do i reset my passwords", AIORCH_CACHE_MISS, "Second answer.");
  assert_int_equal(n.vectors.embed_calls, 0);
  near_close(&n);
}

static void set(aiorch_run *run, const char *key, const char *value) {
  assert_int_equal(aiorch_run_set_option(run, key, value, strlen(value)), AIORCH_OK);
}

static void test_near__a_run_can_ask_for_more_and_for_newer(void **state) {
  near_fixture n;
  near_open(&n, *state != NULL, NULL);
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  virtual_clock_advance_ms(&n.f.clock, 60000);
  aiorch_run *run = fixture_ask(&n.f, "acme", "u1", "how do i reset my passwords");
  set(run, "cache.threshold", "0.9999");
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_MISS);
  aiorch_run_free(run);
  run = fixture_ask(&n.f, "acme", "u1", "How do I reset my password?");
  set(run, "cache.max_age_s", "59");
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_MISS);
  aiorch_run_free(run);
  near_close(&n);
}

static void test_near__another_tenant_gets_nothing(void **state) {
  near_fixture n;
  near_open(&n, *state != NULL, NULL);
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  aiorch_run *run = fixture_ask(&n.f, "other", "u1", "how do i reset my passwords");
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_MISS);
  aiorch_run_free(run);
  near_close(&n);
}

static void test_near__an_embedder_that_fails_is_a_miss_that_is_not_kept(void **state) {
  near_fixture n;
  near_open(&n, *state != NULL, NULL);
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  n.vectors.embed_status = AIORCH_E_NETWORK;
  aiorch_run *run = expect(&n, "how do i reset my passwords", AIORCH_CACHE_MISS, "Second answer.");
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_CACHE_LOOKUP), AIORCH_OUTCOME_DEGRADED);
  aiorch_run_free(run);
  n.vectors.embed_status = AIORCH_OK;
  expect_free(&n, "how do i reset my passwords", AIORCH_CACHE_SEMANTIC, "First answer.");
  near_close(&n);
}

static void test_near__an_added_document_makes_a_near_answer_prove_itself(void **state) {
  near_fixture n;
  near_open(&n, *state != NULL, NULL);
  fixture_add(&n.f, "acme", "zebra.md", "# Zebra\n\nA zebra has black and white stripes on its coat.\n");
  expect_free(&n, "Which stripes has a zebra?", AIORCH_CACHE_MISS, "First answer.");
  fixture_add(&n.f, "acme", "boat.md", "# Boat\n\nA boat floats on water.\n");
  expect_free(&n, "which stripes have a zebra", AIORCH_CACHE_SEMANTIC, "First answer.");
  assert_int_equal(fixture_counter(&n.f, AIO__N_CACHE_REVALIDATED), 1);
  fixture_add(&n.f, "acme", "stripes.md", "# Stripes of a zebra\n\nThe stripes of a zebra differ: which stripes has a zebra?\n");
  expect_free(&n, "which stripes have a zebra", AIORCH_CACHE_MISS, "Second answer.");
  near_close(&n);
}

/* Drives the run to its end, which is a miss; `warning` gets the last warning. */
static void miss_with_warning(aiorch_run *run, char warning[300]) {
  const aiorch_event *event = NULL;
  const char *text = NULL;
  size_t n = 0;
  warning[0] = '\0';
  while (aiorch_run_next(run, 0, &event) == AIORCH_OK) {
    if (aiorch_event_type(event) != AIORCH_EVENT_WARNING) continue;
    assert_int_equal(aiorch_event_text(event, &text, &n), AIORCH_OK);
    (void)snprintf(warning, 300, "%.*s", (int)n, text);
  }
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_MISS);
}

/* In the plug-in alone: the library's own store forgets a vector with its entry. */
static void test_near__a_vector_without_its_entry_is_forgotten(void **state) {
  near_fixture n;
  near_open(&n, *state != NULL, "{\"cache.ttl_s\": 60}");
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  virtual_clock_advance_ms(&n.f.clock, 40000);
  expect_free(&n, "What is the weather in Paris?", AIORCH_CACHE_MISS, "Second answer.");
  assert_int_equal(n.vectors.count, 2);
  virtual_clock_advance_ms(&n.f.clock, 30000);
  expect_free(&n, "how do i reset my passwords", AIORCH_CACHE_MISS, "Third answer.");
  assert_int_equal(n.vectors.removed, 1);
  assert_int_equal(n.vectors.count, 2); /* the weather, and what was just asked */
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_SEMANTIC, "Third answer.");
  assert_int_equal(n.vectors.removed, 1);
  near_close(&n);
}

static void test_near__a_vector_store_that_fails_is_a_miss_that_says_so(void **state) {
  near_fixture n;
  near_open(&n, *state != NULL, "{\"retrieve.enabled\": false}");
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  n.vectors.search_status = AIORCH_E_NETWORK;
  char warning[300];
  aiorch_run *run = fixture_ask(&n.f, "acme", "u1", "how do i reset my passwords");
  miss_with_warning(run, warning);
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_CACHE_LOOKUP), AIORCH_OUTCOME_DEGRADED);
  assert_non_null(strstr(warning, "the vector store: "));
  assert_string_equal(fixture_answer(run), "Second answer.");
  aiorch_run_free(run);
  n.vectors.search_status = AIORCH_OK;
  near_close(&n);
}

static void test_near__an_answer_whose_vector_is_not_taken_is_kept_for_its_question(void **state) {
  near_fixture n;
  near_open(&n, *state != NULL, "{\"retrieve.enabled\": false}");
  n.vectors.upsert_status = AIORCH_E_NETWORK;
  char warning[300];
  aiorch_run *run = fixture_ask(&n.f, "acme", "u1", "How do I reset my password?");
  miss_with_warning(run, warning);
  assert_non_null(strstr(warning, "the answer is kept for its own question only: "));
  aiorch_run_free(run);
  assert_int_equal(n.vectors.count, 0);
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_EXACT, "First answer.");
  expect_free(&n, "how do i reset my passwords", AIORCH_CACHE_MISS, "Second answer.");
  near_close(&n);
}

static void test_near__a_run_cannot_ask_for_less(void **state) {
  near_fixture n;
  near_open(&n, *state != NULL, NULL);
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  aiorch_run *run = fixture_ask(&n.f, "acme", "u1", "What is the weather in Paris?");
  set(run, "cache.threshold", "0.1");
  char warning[300];
  miss_with_warning(run, warning);
  assert_string_equal(warning, "a run can only raise \"cache.threshold\": 0.900 counts");
  aiorch_run_free(run);
  near_close(&n);
}

static void test_near__a_question_that_the_guards_cannot_read_has_exact_hits_only(void **state) {
  near_fixture n;
  near_open(&n, *state != NULL, NULL);
  const char *guard = NULL, *detail = NULL;
  expect_free(&n, "Wie setze ich mein Passwort auf dem neuen Server zur\xc3\xbc""ck?", AIORCH_CACHE_MISS, "First answer.");
  aiorch_run *run = expect(&n, "Wie setze ich mein Passwort auf den neuen Servern zur\xc3\xbc""ck?", AIORCH_CACHE_MISS,
                           "Second answer.");
  assert_int_equal(aiorch_run_cache_refused(run, &guard, &detail), AIORCH_OK);
  assert_string_equal(guard, "language");
  aiorch_run_free(run);
  expect_free(&n, "Wie setze ich mein Passwort auf dem neuen Server zur\xc3\xbc""ck?", AIORCH_CACHE_EXACT, "First answer.");
  near_close(&n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    NEAR_BOTH(test_near__a_near_question_is_answered_from_the_cache),
    NEAR_BOTH(test_near__the_guards_say_no),
    NEAR_BOTH(test_near__an_empty_scope_costs_no_embedding),
    NEAR_BOTH(test_near__exact_by_setting),
    NEAR_BOTH(test_near__a_run_can_ask_for_more_and_for_newer),
    NEAR_BOTH(test_near__another_tenant_gets_nothing),
    NEAR_BOTH(test_near__an_embedder_that_fails_is_a_miss_that_is_not_kept),
    NEAR_BOTH(test_near__an_added_document_makes_a_near_answer_prove_itself),
    cmocka_unit_test_setup(test_near__a_vector_without_its_entry_is_forgotten, near_in_plugin),
    cmocka_unit_test_setup(test_near__a_vector_store_that_fails_is_a_miss_that_says_so, near_in_plugin),
    cmocka_unit_test_setup(test_near__an_answer_whose_vector_is_not_taken_is_kept_for_its_question, near_in_plugin),
    NEAR_BOTH(test_near__a_run_cannot_ask_for_less),
    NEAR_BOTH(test_near__a_question_that_the_guards_cannot_read_has_exact_hits_only),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
