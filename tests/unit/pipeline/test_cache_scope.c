/* Each field of the scope, changed alone, must miss; and nothing else may. */
#include "../support/pipeline_fixture.h"

static const scripted_answer answer[] = {{.text = "An answer.", .input = 5, .output = 3}};

typedef struct request {
  const char *tenant, *user, *system, *before, *filter, *option, *value, *source;
} request;

static const request base = {.tenant = "acme", .user = "u1"};

static int32_t outcome_of(fixture *f, const request *r) {
  aiorch_run *run = fixture_ask(f, r->tenant, r->user, NULL);
  if (r->system) assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_SYSTEM, r->system, strlen(r->system)), 0);
  if (r->before) {
    assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, r->before, strlen(r->before)), 0);
    assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_ASSISTANT, "Yes.", 4), 0);
  }
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, "What is it?", 11), 0);
  if (r->filter) assert_int_equal(aiorch_run_add_filter(run, "team", 4, r->filter, strlen(r->filter)), 0);
  if (r->option) assert_int_equal(aiorch_run_set_option(run, r->option, r->value, strlen(r->value)), 0);
  if (r->source) assert_int_equal(aiorch_run_add_source(run, "", 0, "", 0, r->source, strlen(r->source)), 0);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  int32_t outcome = aiorch_run_cache_outcome(run);
  aiorch_run_free(run);
  return outcome;
}

/* The request misses once in its own scope, then hits there. */
static void is_a_scope_of_its_own(fixture *f, request r) {
  assert_int_equal(outcome_of(f, &r), AIORCH_CACHE_MISS);
  assert_int_equal(outcome_of(f, &r), AIORCH_CACHE_EXACT);
}

static void test_cache_scope__each_field_alone_misses(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"rate_limit.requests\": 0}", answer, 1, answer, 1);
  assert_int_equal(outcome_of(&f, &base), AIORCH_CACHE_MISS);
  assert_int_equal(outcome_of(&f, &base), AIORCH_CACHE_EXACT);
  is_a_scope_of_its_own(&f, (request){.tenant = "acme2", .user = "u1"});
  is_a_scope_of_its_own(&f, (request){.tenant = "acme", .user = "u1", .system = "Be brief."});
  is_a_scope_of_its_own(&f, (request){.tenant = "acme", .user = "u1", .system = "Be long."});
  is_a_scope_of_its_own(&f, (request){.tenant = "acme", .user = "u1", .before = "Hello?"});
  is_a_scope_of_its_own(&f, (request){.tenant = "acme", .user = "u1", .before = "Hallo?"});
  is_a_scope_of_its_own(&f, (request){.tenant = "acme", .user = "u1", .filter = "red"});
  is_a_scope_of_its_own(&f, (request){.tenant = "acme", .user = "u1", .filter = "blue"});
  is_a_scope_of_its_own(&f, (request){.tenant = "acme", .user = "u2", .filter = "red"});
  is_a_scope_of_its_own(&f, (request){.tenant = "acme", .user = "u1", .source = "A source."});
  is_a_scope_of_its_own(&f, (request){.tenant = "acme", .user = "u1", .source = "Another."});
  static const char *const options[][2] = {
      {"prompt.system", "Other."},
      {"prompt.context_template", "{fence} {sources} {fence}"},
      {"generate.chain", "second"},
      {"generate.chain", "first, second"},
      {"generate.model", "other-model"},
      {"generate.max_tokens", "99"},
      {"generate.temperature", "0.5"},
      {"generate.provider_options", "{\"a\":1}"},
      {"retrieve.enabled", "false"},
      {"retrieve.top_k", "3"},
      {"retrieve.context_tokens", "500"},
      {"retrieve.threshold", "0.4"},
  };
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    request r = base;
    r.option = options[i][0];
    r.value = options[i][1];
    is_a_scope_of_its_own(&f, r);
  }
  assert_int_equal(outcome_of(&f, &base), AIORCH_CACHE_EXACT);
  fixture_close(&f);
}

static void scope_with(fixture *f, const char *prefix, const char *from, const char *to, uint8_t scope[]) {
  aiorch_run *run = fixture_ask(f, "acme", "u1", "What is it?");
  size_t from_len = from ? strlen(from) : 0, to_len = to ? strlen(to) : 0;
  aiorch_status st = prefix ? aiorch_run_add_filter_prefix(run, "a", 1, prefix, strlen(prefix))
                            : aiorch_run_add_filter_range(run, "a", 1, from, from_len, to, to_len);
  assert_int_equal(st, AIORCH_OK);
  aio__cache_scope(run, scope);
  aiorch_run_free(run);
}

static void test_cache_scope__each_kind_of_filter(void **state) {
  (void)state;
  fixture f;
  uint8_t scope[7][AIO__SHA256_SIZE];
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What is it?");
  assert_int_equal(aiorch_run_add_filter(run, "a", 1, "b", 1), AIORCH_OK);
  aio__cache_scope(run, scope[0]);
  aiorch_run_free(run);
  scope_with(&f, "b", NULL, NULL, scope[1]);
  scope_with(&f, NULL, "b", NULL, scope[2]);
  scope_with(&f, NULL, "b", "", scope[3]);
  scope_with(&f, NULL, NULL, "b", scope[4]);
  scope_with(&f, NULL, "", "b", scope[5]);
  scope_with(&f, NULL, "b", "b", scope[6]);
  for (size_t i = 0; i < 7; i++) {
    for (size_t k = 0; k < i; k++) assert_memory_not_equal(scope[i], scope[k], sizeof scope[i]);
  }
  fixture_close(&f);
}

static void test_cache_scope__another_user_shares_without_filters(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  assert_int_equal(outcome_of(&f, &base), AIORCH_CACHE_MISS);
  assert_int_equal(outcome_of(&f, &(request){.tenant = "acme", .user = "u2"}), AIORCH_CACHE_EXACT);
  fixture_close(&f);
}

static void test_cache_scope__deadline_and_ttl_are_no_part_of_it(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  assert_int_equal(outcome_of(&f, &base), AIORCH_CACHE_MISS);
  request r = base;
  r.option = "deadline_ms";
  r.value = "5000";
  assert_int_equal(outcome_of(&f, &r), AIORCH_CACHE_EXACT);
  r.option = "cache.ttl_s";
  assert_int_equal(outcome_of(&f, &r), AIORCH_CACHE_EXACT);
  fixture_close(&f);
}

static void test_cache_key__case_and_space_do_not_matter_but_words_do(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run_free(fixture_execute(&f, "What is  it?", AIORCH_OK));
  aiorch_run *run = fixture_execute(&f, " what is it? ", AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_EXACT);
  aiorch_run_free(run);
  run = fixture_execute(&f, "What is in it?", AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_MISS);
  aiorch_run_free(run);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cache_scope__each_field_alone_misses),
      cmocka_unit_test(test_cache_scope__each_kind_of_filter),
      cmocka_unit_test(test_cache_scope__another_user_shares_without_filters),
      cmocka_unit_test(test_cache_scope__deadline_and_ttl_are_no_part_of_it),
      cmocka_unit_test(test_cache_key__case_and_space_do_not_matter_but_words_do),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
