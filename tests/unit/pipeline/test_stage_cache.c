/* Stages 3 and 7 together: what is kept, for how long, and what makes it go. */
#include <math.h>

#include "../support/pipeline_fixture.h"

static const scripted_answer answers[] = {
    {.text = "First answer."}, {.text = "Second answer."}, {.text = "Third answer."}, {.text = "Fourth answer."}};
enum { ANSWERS = 4 };

static void expect(fixture *f, const char *question, int32_t outcome, const char *answer) {
  aiorch_run *run = fixture_execute(f, question, AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), outcome);
  assert_string_equal(fixture_answer(run), answer);
  aiorch_run_free(run);
}

static void test_cache__a_hit_asks_nobody_and_costs_nothing(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answers, ANSWERS, NULL, 0);
  expect(&f, "What?", AIORCH_CACHE_MISS, "First answer.");
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_EXACT);
  assert_string_equal(fixture_answer(run), "First answer.");
  int64_t cost = -1;
  assert_int_equal(aiorch_run_cost(run, &cost), AIORCH_OK);
  assert_int_equal(cost, 0);
  assert_int_equal(aiorch_run_attempt_count(run), 0);
  assert_int_equal(aiorch_run_usage(run, AIORCH_USAGE_INPUT), 0);
  const char *text;
  assert_int_equal(aiorch_run_provider(run, &text, NULL), AIORCH_OK);
  assert_string_equal(text, "first"); /* who wrote it */
  static const int32_t outcomes[] = {AIORCH_OUTCOME_OK,      AIORCH_OUTCOME_OK,      AIORCH_OUTCOME_HIT,
                                     AIORCH_OUTCOME_SKIPPED, AIORCH_OUTCOME_SKIPPED, AIORCH_OUTCOME_OK,
                                     AIORCH_OUTCOME_SKIPPED};
  for (int s = 0; s < AIORCH_STAGE_COUNT; s++) assert_int_equal(aiorch_run_stage_outcome(run, s), outcomes[s]);
  aiorch_run_free(run);
  assert_int_equal(f.first.calls, 1);
  assert_int_equal(fixture_counter(&f, AIO__N_COST_ROWS), 2); /* a hit leaves its row */
  fixture_close(&f);
}

static void expect_stopped(fixture *f, int32_t outcome, const char *asked, const char *said) {
  const char *text, *json;
  size_t len = 99;
  aiorch_run *run = fixture_ask(f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_add_stop(run, "###", 3), AIORCH_OK);
  assert_int_equal(aiorch_run_add_stop(run, asked, strlen(asked)), AIORCH_OK);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), outcome);
  assert_string_equal(fixture_answer(run), "First answer.");
  assert_int_equal(aiorch_run_stop_sequence(run, &text, &len), AIORCH_OK);
  assert_string_equal(text, said);
  assert_int_equal(len, strlen(said));
  assert_int_equal(aiorch_run_to_json(run, &json, NULL), AIORCH_OK);
  assert_int_equal(strstr(json, "\"stop_sequence\":null") == NULL, len > 0);
  aiorch_run_free(run);
}

static void test_cache__a_hit_says_which_stop_sequence_ended_it(void **state) {
  (void)state;
  static const scripted_answer stopped[] = {{.text = "First answer.", .stop = "\n\"E\\ND\xE2\x82\xAC"}};
  fixture f;
  fixture_open(&f, NULL, stopped, 1, NULL, 0);
  fixture_add(&f, "acme", "what.md", "# What?\n\nWhat is it?\n"); /* an answer with sources */
  for (int i = 0; i < 3; i++) expect_stopped(&f, i ? AIORCH_CACHE_EXACT : AIORCH_CACHE_MISS, stopped[0].stop, stopped[0].stop);
  for (int i = 0; i < 2; i++) expect_stopped(&f, i ? AIORCH_CACHE_EXACT : AIORCH_CACHE_MISS, "END", ""); /* one that nobody asked for */
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_OK); /* who asks for none is given another answer */
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_MISS);
  aiorch_run_free(run);
  assert_int_equal(f.first.calls, 3);
  fixture_close(&f);
}

static void test_cache__an_entry_lives_as_long_as_its_ttl(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"cache.ttl_s\": 60}", answers, ANSWERS, NULL, 0);
  expect(&f, "What?", AIORCH_CACHE_MISS, "First answer.");
  virtual_clock_advance_ms(&f.clock, 59999);
  expect(&f, "What?", AIORCH_CACHE_EXACT, "First answer.");
  virtual_clock_advance_ms(&f.clock, 1);
  expect(&f, "What?", AIORCH_CACHE_MISS, "Second answer.");
  fixture_close(&f);
}

static void mode(aiorch_run *run, const char *value) {
  assert_int_equal(aiorch_run_set_option(run, "cache.mode", value, strlen(value)), AIORCH_OK);
}

static void expect_in_mode(fixture *f, const char *value, int32_t outcome, const char *answer) {
  aiorch_run *run = fixture_ask(f, "acme", "u1", "What?");
  mode(run, value);
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), outcome);
  assert_string_equal(fixture_answer(run), answer);
  aiorch_run_free(run);
}

static void test_cache__modes(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answers, ANSWERS, NULL, 0);
  expect_in_mode(&f, "read", AIORCH_CACHE_MISS, "First answer.");    /* stores nothing */
  expect_in_mode(&f, "off", AIORCH_CACHE_OFF, "Second answer.");     /* neither */
  expect_in_mode(&f, "write", AIORCH_CACHE_MISS, "Third answer.");   /* stores */
  expect_in_mode(&f, "read", AIORCH_CACHE_EXACT, "Third answer.");
  expect_in_mode(&f, "refresh", AIORCH_CACHE_MISS, "Fourth answer.");
  expect_in_mode(&f, "on", AIORCH_CACHE_EXACT, "Fourth answer.");
  fixture_close(&f);
}

static const char zebra[] = "# Zebra\n\nA zebra has black and white stripes on its coat.\n";
static const char question[] = "Which stripes has a zebra?";

static void test_cache__a_changed_document_takes_its_answers_with_it(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answers, ANSWERS, NULL, 0);
  fixture_add(&f, "acme", "zebra.md", zebra);
  expect(&f, question, AIORCH_CACHE_MISS, "First answer.");
  expect(&f, question, AIORCH_CACHE_EXACT, "First answer.");
  fixture_add(&f, "acme", "zebra.md", zebra); /* unchanged */
  expect(&f, question, AIORCH_CACHE_EXACT, "First answer.");
  fixture_add(&f, "acme", "zebra.md", "# Zebra\n\nA zebra has stripes of brown.\n");
  expect(&f, question, AIORCH_CACHE_MISS, "Second answer.");
  fixture_remove(&f, "acme", "zebra.md");
  expect(&f, question, AIORCH_CACHE_MISS, "Third answer.");
  fixture_close(&f);
}

static void test_cache__another_tenants_documents_touch_nothing(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answers, ANSWERS, NULL, 0);
  fixture_add(&f, "acme", "zebra.md", zebra);
  expect(&f, question, AIORCH_CACHE_MISS, "First answer.");
  fixture_add(&f, "acme2", "zebra.md", "# Zebra\n\nAnother tenant's zebra has no stripes.\n");
  expect(&f, question, AIORCH_CACHE_EXACT, "First answer.");
  fixture_remove(&f, "acme2", "zebra.md");
  expect(&f, question, AIORCH_CACHE_EXACT, "First answer.");
  fixture_close(&f);
}

static void test_cache__an_added_document_makes_answers_prove_themselves(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answers, ANSWERS, NULL, 0);
  fixture_add(&f, "acme", "zebra.md", zebra);
  expect(&f, question, AIORCH_CACHE_MISS, "First answer.");
  fixture_add(&f, "acme", "boat.md", "# Boat\n\nA boat floats on water.\n"); /* does not change what is found */
  expect(&f, question, AIORCH_CACHE_EXACT, "First answer.");
  assert_int_equal(fixture_counter(&f, AIO__N_CACHE_REVALIDATED), 1);
  expect(&f, question, AIORCH_CACHE_EXACT, "First answer.");
  assert_int_equal(fixture_counter(&f, AIO__N_CACHE_REVALIDATED), 1); /* once is enough */
  fixture_add(&f, "acme", "stripes.md", "# Stripes of a zebra\n\nWhich stripes has a zebra? Black ones.\n");
  expect(&f, question, AIORCH_CACHE_MISS, "Second answer.");
  fixture_close(&f);
}

static void test_cache__something_unanswerable_is_asked_again_after_its_document_came(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answers, ANSWERS, NULL, 0);
  expect(&f, question, AIORCH_CACHE_MISS, "First answer.");
  expect(&f, question, AIORCH_CACHE_EXACT, "First answer.");
  fixture_add(&f, "acme", "zebra.md", zebra);
  expect(&f, question, AIORCH_CACHE_MISS, "Second answer.");
  fixture_close(&f);
}

static void test_cache__on_add_keep_and_flush(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"cache.on_add\": \"keep\"}", answers, ANSWERS, NULL, 0);
  expect(&f, question, AIORCH_CACHE_MISS, "First answer.");
  fixture_add(&f, "acme", "zebra.md", zebra);
  expect(&f, question, AIORCH_CACHE_EXACT, "First answer.");
  fixture_close(&f);
  fixture_open(&f, "{\"cache.on_add\": \"flush\"}", answers, ANSWERS, NULL, 0);
  expect(&f, question, AIORCH_CACHE_MISS, "First answer.");
  fixture_add(&f, "acme", "boat.md", "# Boat\n\nA boat floats.\n");
  expect(&f, question, AIORCH_CACHE_MISS, "Second answer.");
  fixture_close(&f);
}

/* As far as the answer, in a mode that looks nothing up. */
static aiorch_run *answer_in_mode(fixture *f, const char *value) {
  aiorch_run *run = fixture_ask(f, "acme", "u1", question);
  mode(run, value);
  assert_int_equal(aiorch_stage_validate(run), AIORCH_OK);
  assert_int_equal(aiorch_stage_rate_limit(run), AIORCH_OK);
  assert_int_equal(aiorch_stage_cache_lookup(run), AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(run), AIORCH_CACHE_MISS);
  assert_int_equal(aiorch_stage_retrieve(run), AIORCH_OK);
  assert_int_equal(aiorch_stage_generate(run), AIORCH_OK);
  return run;
}

static void test_cache__write_and_refresh_know_what_came_meanwhile(void **state) {
  (void)state;
  static const char *const modes[] = {"write", "refresh"};
  for (size_t i = 0; i < 2; i++) {
    fixture f;
    fixture_open(&f, "{\"cache.on_add\": \"flush\"}", answers, ANSWERS, NULL, 0);
    fixture_add(&f, "acme", "zebra.md", zebra);
    aiorch_run *run = answer_in_mode(&f, modes[i]);
    f.clock.wall_ms -= 3600000; /* by the clock the next document is older than the answer */
    fixture_add(&f, "acme", "horse.md", "# Horse\n\nA horse has no stripes.\n");
    assert_int_equal(aiorch_stage_log_cost(run), AIORCH_OK);
    assert_int_equal(aiorch_stage_cache_store(run), AIORCH_OK);
    aiorch_run_free(run);
    expect(&f, question, AIORCH_CACHE_MISS, "Second answer.");
    run = answer_in_mode(&f, modes[i]); /* in the very millisecond of the last document */
    assert_int_equal(aiorch_stage_log_cost(run), AIORCH_OK);
    assert_int_equal(aiorch_stage_cache_store(run), AIORCH_OK);
    aiorch_run_free(run);
    expect(&f, question, AIORCH_CACHE_EXACT, i == 0 ? "Second answer." : "Third answer.");
    fixture_close(&f);
  }
}

static void expect_same_source(const aiorch_run *miss, const aiorch_run *hit) {
  aiorch_status (*const texts[])(const aiorch_run *, size_t, const char **, size_t *) = {
      aiorch_run_source_title, aiorch_run_source_uri, aiorch_run_source_text, aiorch_run_source_document_id};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    const char *a = NULL, *b = NULL;
    size_t a_len = 0, b_len = 0;
    assert_int_equal(texts[i](miss, 0, &a, &a_len), AIORCH_OK);
    assert_int_equal(texts[i](hit, 0, &b, &b_len), AIORCH_OK);
    assert_int_equal(a_len, b_len);
    assert_string_equal(a, b);
  }
  uint64_t start[2], end[2];
  assert_int_equal(aiorch_run_source_range(miss, 0, &start[0], &end[0]), AIORCH_OK);
  assert_int_equal(aiorch_run_source_range(hit, 0, &start[1], &end[1]), AIORCH_OK);
  assert_int_equal(start[0], start[1]);
  assert_int_equal(end[0], end[1]);
  double score[2], similarity[2];
  assert_int_equal(aiorch_run_source_score(miss, 0, &score[0], &similarity[0]), AIORCH_OK);
  assert_int_equal(aiorch_run_source_score(hit, 0, &score[1], &similarity[1]), AIORCH_OK);
  assert_true(score[0] > 0);
  assert_true(score[1] >= nextafter(score[0], -HUGE_VAL) && score[1] <= nextafter(score[0], HUGE_VAL));
  assert_int_equal(isnan(similarity[0]), isnan(similarity[1]));
}

/* Plain, and full of what JSON writes with a backslash. */
static void test_cache__a_hit_gives_the_sources_again(void **state) {
  (void)state;
  static const char *const documents[] = {
      zebra, "# Zebra \"Z\\1\"\n\nA zebra has \"stripes\", \\ and \tblack \xE2\x80\xA8 and \xF0\x9F\xA6\x93 white: what does a zebra have?\n"};
  for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
    fixture f;
    fixture_open(&f, NULL, answers, ANSWERS, NULL, 0);
    fixture_add(&f, "acme", "zebra.md", documents[i]);
    aiorch_run *miss = fixture_execute(&f, question, AIORCH_OK), *hit = fixture_execute(&f, question, AIORCH_OK);
    assert_int_equal(aiorch_run_cache_outcome(hit), AIORCH_CACHE_EXACT);
    assert_int_equal(aiorch_run_source_count(miss), 1);
    assert_int_equal(aiorch_run_source_count(hit), 1);
    expect_same_source(miss, hit);
    aiorch_run_free(miss);
    aiorch_run_free(hit);
    fixture_close(&f);
  }
}

static void test_cache__the_oldest_unused_go_when_rows_run_out(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"cache.max_rows\": 2, \"rate_limit.requests\": 0}", answers, 1, NULL, 0);
  expect(&f, "One?", AIORCH_CACHE_MISS, "First answer.");
  virtual_clock_advance_ms(&f.clock, 10);
  expect(&f, "Two?", AIORCH_CACHE_MISS, "First answer.");
  virtual_clock_advance_ms(&f.clock, 10);
  expect(&f, "One?", AIORCH_CACHE_EXACT, "First answer.");
  virtual_clock_advance_ms(&f.clock, 10);
  expect(&f, "Three?", AIORCH_CACHE_MISS, "First answer.");
  expect(&f, "One?", AIORCH_CACHE_EXACT, "First answer.");
  expect(&f, "Two?", AIORCH_CACHE_MISS, "First answer.");
  fixture_close(&f);
}

static void test_cache_store__alone_keeps_an_answer_of_the_host(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answers, ANSWERS, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_set_answer(run, "Mine.", 5, AIORCH_FINISH_STOP, NULL, NULL), AIORCH_OK);
  assert_int_equal(aiorch_stage_cache_store(run), AIORCH_OK);
  aiorch_run_free(run);
  expect(&f, "What?", AIORCH_CACHE_EXACT, "Mine.");
  assert_int_equal(f.first.calls, 0);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cache__a_hit_asks_nobody_and_costs_nothing),
      cmocka_unit_test(test_cache__a_hit_says_which_stop_sequence_ended_it),
      cmocka_unit_test(test_cache__an_entry_lives_as_long_as_its_ttl),
      cmocka_unit_test(test_cache__modes),
      cmocka_unit_test(test_cache__a_changed_document_takes_its_answers_with_it),
      cmocka_unit_test(test_cache__another_tenants_documents_touch_nothing),
      cmocka_unit_test(test_cache__an_added_document_makes_answers_prove_themselves),
      cmocka_unit_test(test_cache__something_unanswerable_is_asked_again_after_its_document_came),
      cmocka_unit_test(test_cache__on_add_keep_and_flush),
      cmocka_unit_test(test_cache__write_and_refresh_know_what_came_meanwhile),
    cmocka_unit_test(test_cache__a_hit_gives_the_sources_again),
      cmocka_unit_test(test_cache__the_oldest_unused_go_when_rows_run_out),
      cmocka_unit_test(test_cache_store__alone_keeps_an_answer_of_the_host),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
