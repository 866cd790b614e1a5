/*
 * The digest itself. Entries outlive the process, so that what is in the scope, and its order, is a format: the test
 * writes it down a second time. Who changes cache_scope.c changes this, and SCOPE_VERSION, knowing that older entries miss.
 */
#include "../support/pipeline_fixture.h"

#include "support/test_alloc.h"
#include "text/normalize.h"

static const scripted_answer answer[] = {{.text = "An answer."}};

static void z(aio__sha256 *h, const char *text) { aio__sha256_str(h, aio__str_z(text)); }

static void f64(aio__sha256 *h, double value) { aio__sha256_add(h, &value, sizeof value); }

static void expected_scope(const aiorch_run *run, const char *user, size_t host_sources,
                           uint8_t out[AIO__SHA256_SIZE]) {
  aio__sha256 h;
  aio__sha256_init(&h);
  aio__sha256_u64(&h, 2);
  z(&h, "acme");
  z(&h, user);
  aio__sha256_u64(&h, 4); /* turns: role, and text unless it is the question */
  aio__sha256_u64(&h, AIORCH_ROLE_SYSTEM);
  z(&h, "Be brief.");
  aio__sha256_u64(&h, AIORCH_ROLE_USER);
  z(&h, "Hello?");
  aio__sha256_u64(&h, AIORCH_ROLE_ASSISTANT);
  z(&h, "Yes?");
  aio__sha256_u64(&h, AIORCH_ROLE_USER);
  z(&h, "A prompt.");
  z(&h, run->options->prompt_context_template);
  z(&h, "second,first");
  z(&h, "m-9");
  aio__sha256_u64(&h, AIO__TIER_DEFAULT);
  aio__sha256_u64(&h, 77);
  f64(&h, 0.25);
  z(&h, "{\"a\":1}");
  aio__sha256_u64(&h, 2);
  z(&h, "first");
  z(&h, "scripted-1");
  z(&h, ""); /* the models for the tiers, the address, the options */
  z(&h, "");
  z(&h, "");
  z(&h, "");
  z(&h, "second");
  z(&h, "scripted-1");
  z(&h, "");
  z(&h, "");
  z(&h, "");
  z(&h, "");
  aio__sha256_u64(&h, 1);
  aio__sha256_u64(&h, 6);
  aio__sha256_u64(&h, 900);
  f64(&h, 0.5);
  z(&h, "rrf");
  f64(&h, 1);
  f64(&h, 2.5);
  aio__sha256_u64(&h, user[0] ? 2 : 0);
  for (int i = 0; i < 2 && user[0]; i++) {
    z(&h, "team");
    aio__sha256_u64(&h, 1); /* an equal value: kind 0, with the first text, without the second */
    z(&h, i == 0 ? "red" : "blue");
    z(&h, "");
  }
  aio__sha256_u64(&h, host_sources);
  if (host_sources) {
    z(&h, "u-1");
    z(&h, "T-1");
    z(&h, "Text one.");
    z(&h, "");
    z(&h, "");
    z(&h, "Text two.");
  }
  z(&h, aio__input_guard_version(run->orch->input_guard));
  z(&h, "flag");
  z(&h, "on");
  z(&h, "");
  aio__sha256_end(&h, out);
}

static void add(aiorch_run *run, int32_t role, const char *text) {
  assert_int_equal(aiorch_run_add_message(run, role, text, strlen(text)), AIORCH_OK);
}

static aiorch_run *full_run(fixture *f, bool filters, bool sources) {
  aiorch_run *run = fixture_ask(f, "acme", "u1", NULL);
  add(run, AIORCH_ROLE_SYSTEM, "Be brief.");
  add(run, AIORCH_ROLE_USER, "Hello?");
  add(run, AIORCH_ROLE_ASSISTANT, "Yes?");
  add(run, AIORCH_ROLE_USER, "The question is no part of it");
  if (filters) {
    assert_int_equal(aiorch_run_add_filter(run, "team", 4, "red", 3), AIORCH_OK);
    assert_int_equal(aiorch_run_add_filter(run, "team", 4, "blue", 4), AIORCH_OK);
  }
  if (sources) {
    assert_int_equal(aiorch_run_add_source(run, "u-1", 3, "T-1", 3, "Text one.", 9), AIORCH_OK);
    assert_int_equal(aiorch_run_add_source(run, "", 0, "", 0, "Text two.", 9), AIORCH_OK);
  }
  return run;
}

static const char settings[] =
    "{\"prompt.system\": \"A prompt.\","
    " \"generate\": {\"chain\": \"second,first\", \"model\": \"m-9\", \"max_tokens\": 77,"
    " \"temperature\": 0.25, \"provider_options\": \"{\\\"a\\\":1}\"}, \"retrieve\": {\"enabled\": true, \"top_k\": 6,"
    " \"context_tokens\": 900, \"threshold\": 0.5, \"fusion\": \"rrf\", \"weight_vector\": 2.5}, \"validate.rules\": \"flag\", \"output.check\": \"on\"}";

static void test_scope__is_the_format_that_it_was(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, settings, answer, 1, answer, 1);
  for (int i = 0; i < 4; i++) {
    bool filters = (i & 1) != 0, sources = (i & 2) != 0;
    uint8_t scope[AIO__SHA256_SIZE], wanted[AIO__SHA256_SIZE];
    aiorch_run *run = full_run(&f, filters, sources);
    aio__cache_scope(run, scope);
    expected_scope(run, filters ? "u1" : "", sources ? 2 : 0, wanted);
    assert_memory_equal(scope, wanted, sizeof scope);
    aiorch_run_free(run);
  }
  fixture_close(&f);
}

/* What retrieve has found is no part of the scope: entries are bound to it by their documents. */
static void test_scope__what_was_retrieved_is_no_part_of_it(void **state) {
  (void)state;
  fixture f;
  uint8_t before[AIO__SHA256_SIZE], after[AIO__SHA256_SIZE];
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  fixture_add(&f, "acme", "zebra.md", "# Zebra\n\nA zebra has black and white stripes on its coat.\n");
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "Which stripes has a zebra?");
  aio__cache_scope(run, before);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_int_equal(aiorch_run_source_count(run), 1);
  aio__cache_scope(run, after);
  assert_memory_equal(before, after, sizeof before);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_key__is_the_digest_of_the_normalized_question(void **state) {
  (void)state;
  fixture f;
  uint8_t key[AIO__SHA256_SIZE], wanted[AIO__SHA256_SIZE];
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "  What IS  it?");
  assert_int_equal(aio__cache_key(run, key), AIORCH_OK);
  aio__str normal;
  aio__sha256 h;
  assert_int_equal(aio__normalize_key(&run->arena, AIO__LIT("what is it?"), &normal), AIORCH_OK);
  aio__sha256_init(&h);
  aio__sha256_str(&h, normal);
  aio__sha256_end(&h, wanted);
  assert_memory_equal(key, wanted, sizeof key);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_key__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  static aio__message message = {.role = AIORCH_ROLE_USER, .text = {"What is it?", 11}};
  static aiorch_run run; /* the key reads the question and the arena alone */
  run.messages = &message;
  run.message_count = 1;
  aio__arena_init(&run.arena, &t.al, 64);
  t.fail_at = 1;
  uint8_t key[AIO__SHA256_SIZE];
  assert_int_equal(aio__cache_key(&run, key), AIORCH_E_NOMEM);
  aio__arena_free(&run.arena);
  assert_int_equal(t.live, 0);
}

static void test_scope_hex__each_byte_has_its_two_digits(void **state) {
  (void)state;
  uint8_t scope[AIO__SHA256_SIZE];
  char hex[2 * AIO__SHA256_SIZE + 2];
  memset(hex, '!', sizeof hex);
  for (size_t i = 0; i < sizeof scope; i++) scope[i] = (uint8_t)(0x0f + 8 * i);
  aio__cache_scope_hex(scope, hex);
  assert_string_equal(hex, "0f171f272f373f474f575f676f777f878f979fa7afb7bfc7cfd7dfe7eff7ff07");
  assert_int_equal(hex[2 * AIO__SHA256_SIZE + 1], '!'); /* nothing behind it is written */
}

/* Nothing is looked up, nor kept, for filters that nobody has, or with the cache off; else the place and its time are known. */
static void test_place__without_a_place_there_is_no_key(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"anonymous\": true}", answer, 1, NULL, 0);
  for (int i = 0; i < 5; i++) {
    bool filtered = i == 1 || i == 2, user = i != 1 && i != 4, off = i == 3;
    aiorch_run *run = fixture_ask(&f, "acme", user ? "u1" : "", "What is it?");
    if (filtered) assert_int_equal(aiorch_run_add_filter(run, "team", 4, "red", 3), AIORCH_OK);
    if (off) assert_int_equal(aiorch_run_set_option(run, "cache.mode", "off", 3), AIORCH_OK);
    bool placed = !off && (user || !filtered);
    uint8_t scope[AIO__SHA256_SIZE] = {0}, key[AIO__SHA256_SIZE] = {0};
    assert_int_equal(aio__cache_place(run), placed ? AIORCH_OK : AIORCH_PASS);
    assert_int_equal(run->keyed, placed);
    if (placed) {
      aio__cache_scope(run, scope);
      assert_int_equal(aio__cache_key(run, key), AIORCH_OK);
    }
    assert_int_equal(run->lookup_ms, placed ? f.clock.wall_ms : 0);
    assert_memory_equal(run->scope, scope, sizeof scope);
    assert_memory_equal(run->key, key, sizeof key);
    aiorch_run_free(run);
  }
  fixture_close(&f);
}

static void test_place__out_of_memory(void **state) {
  (void)state;
  fixture f;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What is it?");
  aio__arena own = run->arena;
  aio__arena_init(&run->arena, &t.al, 64);
  t.fail_at = 1;
  assert_int_equal(aio__cache_place(run), AIORCH_E_NOMEM);
  assert_false(run->keyed);
  aio__arena_free(&run->arena);
  run->arena = own;
  aiorch_run_free(run);
  assert_int_equal(t.live, 0);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scope__is_the_format_that_it_was),
      cmocka_unit_test(test_scope__what_was_retrieved_is_no_part_of_it),
      cmocka_unit_test(test_key__is_the_digest_of_the_normalized_question),
      cmocka_unit_test(test_key__out_of_memory),
      cmocka_unit_test(test_scope_hex__each_byte_has_its_two_digits),
      cmocka_unit_test(test_place__out_of_memory),
      cmocka_unit_test(test_place__without_a_place_there_is_no_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
