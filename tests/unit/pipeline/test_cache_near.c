/* Near hits through a vector store plug-in: found by similarity, judged by the guards, accounted for like any attempt. */
#include "../support/fake_vectors.h"
#include "../support/pipeline_fixture.h"

static const scripted_answer answers[] = {{.text = "First answer."}, {.text = "Second answer."}, {.text = "Third answer."}};
enum { ANSWERS = 3 };

typedef struct near_fixture {
  fixture f;
  fake_vectors vectors;
} near_fixture;

static aiorch_status generate(void *self, aiorch_call *call) {
  scripted_provider *p = self;
  const scripted_answer *a = &p->script[p->at < p->count - 1 ? p->at++ : p->at];
  p->calls++;
  (void)aiorch_call_emit(call, a->text, strlen(a->text));
  (void)aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

static void near_open(near_fixture *n, const char *settings) {
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  memset(n, 0, sizeof *n);
  virtual_clock_init(&n->f.clock);
  fake_vectors_init(&n->vectors);
  n->f.first = (scripted_provider){.script = answers, .count = ANSWERS};
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  aio__config_set_clock(config, &n->f.clock.clock);
  static const char base[] =
      "{\"store\": \"memory\", \"retrieve\": {\"threshold\": 0.5}, \"cache\": {\"threshold\": 0.9}, \"rate_limit.requests\": 0}";
  assert_int_equal(aiorch_config_load_json(config, base, strlen(base), "base", NULL), AIORCH_OK);
  if (settings) assert_int_equal(aiorch_config_load_json(config, settings, strlen(settings), "settings", NULL), AIORCH_OK);
  fake_vectors_register(&n->vectors, config);
  aiorch_provider_vtbl vtbl = {.struct_size = sizeof vtbl, .model = "model-1", .generate = generate};
  assert_int_equal(aiorch_config_add_provider(config, "first", &vtbl, &n->f.first, NULL), AIORCH_OK);
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  if (aiorch_open(config, &n->f.orch, error) != AIORCH_OK) fail_msg("%s", aiorch_error_message(error));
  aiorch_error_free(error);
  aiorch_config_free(config);
}

static void near_close(near_fixture *n) {
  fixture_close(&n->f);
  fake_vectors_free(&n->vectors);
}

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
  (void)state;
  near_fixture n;
  near_open(&n, NULL);
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
  (void)state;
  near_fixture n;
  near_open(&n, NULL);
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
  near_open(&n, "{\"cache.guards\": \"off\"}");
  expect_free(&n, "How do I reset my password in 2 steps?", AIORCH_CACHE_MISS, "First answer.");
  expect_free(&n, "How do I reset my password in 3 steps?", AIORCH_CACHE_SEMANTIC, "First answer.");
  near_close(&n);
}

static void test_near__an_empty_scope_costs_no_embedding(void **state) {
  (void)state;
  near_fixture n;
  near_open(&n, "{\"retrieve.enabled\": false, \"cache.mode\": \"read\"}");
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  assert_int_equal(n.vectors.embed_calls, 0);
  near_close(&n);
  near_open(&n, "{\"retrieve.enabled\": false}");
  aiorch_run *run = expect(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  assert_int_equal(n.vectors.embed_calls, 1); /* to be kept with the answer, before the books were closed */
  assert_int_equal(aiorch_run_attempt_count(run), 2);
  aiorch_run_free(run);
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_EXACT, "First answer.");
  assert_int_equal(n.vectors.embed_calls, 1); /* the same words need none */
  near_close(&n);
}

static void test_near__exact_by_setting(void **state) {
  (void)state;
  near_fixture n;
  near_open(&n, "{\"cache.match\": \"exact\", \"retrieve.enabled\": false}");
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  expect_free(&n, "how do i reset my passwords", AIORCH_CACHE_MISS, "Second answer.");
  assert_int_equal(n.vectors.embed_calls, 0);
  near_close(&n);
}

static void set(aiorch_run *run, const char *key, const char *value) {
  assert_int_equal(aiorch_run_set_option(run, key, value, strlen(value)), AIORCH_OK);
}

static void test_near__a_run_can_ask_for_more_and_for_newer(void **state) {
  (void)state;
  near_fixture n;
  near_open(&n, NULL);
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
  (void)state;
  near_fixture n;
  near_open(&n, NULL);
  expect_free(&n, "How do I reset my password?", AIORCH_CACHE_MISS, "First answer.");
  aiorch_run *run = fixture_ask(&n.f, "other", "u1", "how do i reset my passwords");
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_MISS);
  aiorch_run_free(run);
  near_close(&n);
}

static void test_near__an_embedder_that_fails_is_a_miss_that_is_not_kept(void **state) {
  (void)state;
  near_fixture n;
  near_open(&n, NULL);
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
  (void)state;
  near_fixture n;
  near_open(&n, NULL);
  fixture_add(&n.f, "acme", "zebra.md", "# Zebra\n\nA zebra has black and white stripes on its coat.\n");
  expect_free(&n, "Which stripes has a zebra?", AIORCH_CACHE_MISS, "First answer.");
  fixture_add(&n.f, "acme", "boat.md", "# Boat\n\nA boat floats on water.\n");
  expect_free(&n, "which stripes have a zebra", AIORCH_CACHE_SEMANTIC, "First answer.");
  assert_int_equal(fixture_counter(&n.f, AIO__N_CACHE_REVALIDATED), 1);
  fixture_add(&n.f, "acme", "stripes.md", "# Stripes of a zebra\n\nThe stripes of a zebra differ: which stripes has a zebra?\n");
  expect_free(&n, "which stripes have a zebra", AIORCH_CACHE_MISS, "Second answer.");
  near_close(&n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_near__a_near_question_is_answered_from_the_cache),
    cmocka_unit_test(test_near__the_guards_say_no),
    cmocka_unit_test(test_near__an_empty_scope_costs_no_embedding),
    cmocka_unit_test(test_near__exact_by_setting),
    cmocka_unit_test(test_near__a_run_can_ask_for_more_and_for_newer),
    cmocka_unit_test(test_near__another_tenant_gets_nothing),
    cmocka_unit_test(test_near__an_embedder_that_fails_is_a_miss_that_is_not_kept),
    cmocka_unit_test(test_near__an_added_document_makes_a_near_answer_prove_itself),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
