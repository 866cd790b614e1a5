/* Stage 1: limits by role, the rules' three modes, what is logged, and that refusals are counted. */
#include "../support/pipeline_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/failing_store.h"
#include "support/test_alloc.h"

static const scripted_answer answer[] = {{.text = "An answer.", .input = 10, .output = 5}};

static aiorch_run *run_of(fixture *f) { return fixture_ask(f, "acme", "u1", NULL); }

static void add(aiorch_run *run, int32_t role, const char *text) {
  assert_int_equal(aiorch_run_add_message(run, role, text, strlen(text)), AIORCH_OK);
}

static void expect(aiorch_run *run, aiorch_status expected, const char *words) {
  aiorch_status st = aiorch_stage_validate(run);
  const char *message = aiorch_error_message(aiorch_run_error(run));
  if (st != expected) fail_msg("%s, not %s: %s", aiorch_status_name(st), aiorch_status_name(expected), message);
  if (words && !strstr(message, words)) fail_msg("\"%s\" is not in \"%s\"", words, message);
  if (expected < 0) assert_int_equal(aiorch_error_stage(aiorch_run_error(run)), AIORCH_STAGE_VALIDATE);
}

/* One turn of `role` beside a user's good one. */
static void check_turn(fixture *f, int32_t role, const char *text, aiorch_status expected, const char *words) {
  aiorch_run *run = run_of(f);
  add(run, role, text);
  if (role != AIORCH_ROLE_USER) add(run, AIORCH_ROLE_USER, "Why?");
  expect(run, expected, words);
  aiorch_run_free(run);
}

static void test_validate__each_role_has_its_limit(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"validate\": {\"user_chars\": 5, \"tool_chars\": 7, \"total_chars\": 12}}", answer, 1, NULL, 0);
  check_turn(&f, AIORCH_ROLE_USER, "12345", AIORCH_OK, NULL);
  check_turn(&f, AIORCH_ROLE_USER, "123456", AIORCH_E_INVALID_INPUT, "message 1 (user): ");
  check_turn(&f, AIORCH_ROLE_TOOL, "1234567", AIORCH_OK, NULL);
  check_turn(&f, AIORCH_ROLE_TOOL, "12345678", AIORCH_E_INVALID_INPUT, "message 1 (tool): ");
  check_turn(&f, AIORCH_ROLE_ASSISTANT, "12345678", AIORCH_OK, NULL);
  check_turn(&f, AIORCH_ROLE_ASSISTANT, "1234567890123", AIORCH_E_INVALID_INPUT, "message 1 (assistant): ");
  check_turn(&f, AIORCH_ROLE_SYSTEM, "1234567890123", AIORCH_E_INVALID_INPUT, "message 1 (system): ");
  fixture_close(&f);
}

static void test_validate__the_conversation_has_a_limit_in_characters(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"validate\": {\"user_chars\": 6, \"total_chars\": 10}}", answer, 1, NULL, 0);
  aiorch_run *run = run_of(&f);
  add(run, AIORCH_ROLE_USER, "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F\xC3\xA9\xC3\xA8"); /* 6 characters in 12 bytes */
  add(run, AIORCH_ROLE_USER, "1234");
  expect(run, AIORCH_OK, NULL);
  aiorch_run_free(run);
  run = run_of(&f);
  add(run, AIORCH_ROLE_USER, "123456");
  add(run, AIORCH_ROLE_USER, "12345");
  expect(run, AIORCH_E_INVALID_INPUT, "more than 10 characters; \"validate.total_chars\"");
  aiorch_run_free(run);
  assert_int_equal(fixture_counter(&f, AIO__N_REFUSED_INVALID_INPUT), 1);
  assert_int_equal(fixture_counter(&f, AIO__N_REFUSED_INJECTION), 0);
  fixture_close(&f);
}

static void test_validate__only_what_the_host_wrote_may_be_empty(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  check_turn(&f, AIORCH_ROLE_SYSTEM, "", AIORCH_OK, NULL);
  check_turn(&f, AIORCH_ROLE_ASSISTANT, "", AIORCH_OK, NULL);
  check_turn(&f, AIORCH_ROLE_TOOL, "", AIORCH_E_INVALID_INPUT, "message 1 (tool)");
  check_turn(&f, AIORCH_ROLE_USER, "", AIORCH_E_INVALID_INPUT, "message 1 (user)");
  check_turn(&f, AIORCH_ROLE_ASSISTANT, "caf\xE9", AIORCH_E_INVALID_INPUT, "message 1 (assistant)");
  fixture_close(&f);
}

static void test_validate__the_place_of_the_message_is_told(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = run_of(&f);
  add(run, AIORCH_ROLE_SYSTEM, "Be brief.");
  add(run, AIORCH_ROLE_USER, "Hello?");
  add(run, AIORCH_ROLE_ASSISTANT, "Yes?");
  add(run, AIORCH_ROLE_USER, "\xFF");
  expect(run, AIORCH_E_INVALID_INPUT, "message 4 (user): byte 0 (0xFF) is not valid UTF-8");
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_validate__without_a_user_turn_there_is_no_question(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, NULL, answer, 1, NULL, 0);
  aiorch_run *run = run_of(&f);
  add(run, AIORCH_ROLE_SYSTEM, "Be brief.");
  assert_int_equal(aiorch_run_execute(run), AIORCH_E_INVALID_INPUT);
  assert_non_null(strstr(aiorch_error_message(aiorch_run_error(run)), "no user message"));
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_VALIDATE), AIORCH_OUTCOME_REFUSED);
  assert_int_equal(f.first.calls, 0);
  assert_int_equal(fixture_counter(&f, AIO__N_REFUSED_INVALID_INPUT), 1);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_validate__empty_turns_of_the_host_count_nothing(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"validate\": {\"user_chars\": 10, \"total_chars\": 10}}", answer, 1, NULL, 0);
  aiorch_run *run = run_of(&f);
  for (int i = 0; i < 7; i++) add(run, AIORCH_ROLE_ASSISTANT, "");
  add(run, AIORCH_ROLE_USER, "1234567890"); /* the eighth: the room for turns is full */
  expect(run, AIORCH_OK, NULL);
  aiorch_run_free(run);
  fixture_close(&f);
}

/* Every allocation of the stage fails once: the run says so, and neither calls the input good nor refuses it. */
static void test_validate__out_of_memory_is_no_verdict(void **state) {
  (void)state;
  aio__test_alloc t;
  aiorch *orch = fixture_plain(&t, NULL);
  static const char text[] = "Please decode aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29ybGQ= for me, "
                             "\xC3\xA4\xE2\x80\x8B";
  int failures = 0;
  long failed;
  do {
    aiorch_run *run = NULL;
    long at = t.fail_at;
    t.fail_at = 0;
    assert_int_equal(aiorch_run_new(orch, "acme", 4, "u1", 2, &run), AIORCH_OK);
    assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, text, sizeof text - 1), AIORCH_OK);
    t.fail_at = at;
    aio__test_alloc_next(&t);
    aiorch_status st = aiorch_stage_validate(run);
    failed = t.failed;
    if (failed > 0) {
      if (st != AIORCH_E_NOMEM && st != AIORCH_OK) fail_msg("allocation %ld: %s", t.fail_at, aiorch_status_name(st));
      if (st == AIORCH_E_NOMEM) {
        failures++;
        assert_string_equal(aiorch_error_message(aiorch_run_error(run)), "out of memory while the input was screened");
      }
    } else {
      assert_int_equal(st, AIORCH_OK);
    }
    at = t.fail_at;
    t.fail_at = 0;
    aiorch_run_free(run);
    t.fail_at = at;
  } while (failed > 0);
  assert_true(failures > 0);
  t.fail_at = 0;
  assert_int_equal(aiorch_close(orch, 1000), AIORCH_OK);
  assert_int_equal(aiorch_free(orch), AIORCH_OK);
  assert_int_equal(t.live, 0);
}

/* ---- rules ---- */

/* Two rules of our own, so that the built-in ones may change: "qqblock" blocks, "qqflag" flags. */
static const char rules[] =
    "{\"rules\": ["
    "{\"id\": \"t_block\", \"category\": \"house\", \"language\": \"en\", \"severity\": \"block\","
    " \"pattern\": \"\\\\bqqblock\\\\b\", \"needs\": [[\"qqblock\"]], \"why\": \"blocks for the test\"},"
    "{\"id\": \"t_flag\", \"category\": \"manners\", \"language\": \"en\", \"severity\": \"flag\","
    " \"pattern\": \"\\\\bqqflag\\\\b\", \"needs\": [[\"qqflag\"]], \"why\": \"flags for the test\"}]}";

typedef struct heard {
  char text[8192];
  int events;
} heard;

static void hear(void *self, int32_t level, const char *json, size_t len) {
  heard *h = self;
  (void)level;
  size_t n = strlen(h->text);
  (void)snprintf(h->text + n, sizeof h->text - n, "%.*s\n", (int)len, json);
  h->events++;
}

typedef struct ruled {
  fixture f;
  aio__test_alloc alloc;
  heard heard;
  int64_t min_level;
  char path[4200];
} ruled;

static void ruled_open(ruled *r, const char *mode) {
  const char *folder = getenv("AIORCH_TEST_TMP");
  (void)snprintf(r->path, sizeof r->path, "%s/own_rules.json", folder ? folder : ".");
  FILE *file = fopen(r->path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(rules, 1, sizeof rules - 1, file), sizeof rules - 1);
  assert_int_equal(fclose(file), 0);
  memset(&r->f, 0, sizeof r->f);
  memset(&r->heard, 0, sizeof r->heard);
  virtual_clock_init(&r->f.clock);
  aio__test_alloc_init(&r->alloc);
  aiorch_config *config = NULL;
  assert_int_equal(aiorch_config_new_with(&r->alloc.al, &config), AIORCH_OK);
  aio__config_set_clock(config, &r->f.clock.clock);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "validate.rules", mode, strlen(mode), NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "validate.rules_file", r->path, strlen(r->path), NULL), AIORCH_OK);
  aiorch_logger_vtbl vtbl;
  memset(&vtbl, 0, sizeof vtbl);
  vtbl.struct_size = sizeof vtbl;
  vtbl.min_level = r->min_level;
  vtbl.log = hear;
  assert_int_equal(aiorch_config_set_logger(config, &vtbl, &r->heard, NULL), AIORCH_OK);
  aiorch_error *error = NULL;
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  if (aiorch_open(config, &r->f.orch, error) != AIORCH_OK) fail_msg("%s", aiorch_error_message(error));
  aiorch_error_free(error);
  aiorch_config_free(config);
}

static void ruled_close(ruled *r) {
  fixture_close(&r->f);
  assert_int_equal(r->alloc.live, 0);
  assert_int_equal(remove(r->path), 0);
}

static void test_rules__block_says_which_rule_and_where(void **state) {
  (void)state;
  ruled r = {.min_level = AIORCH_LOG_WARN};
  ruled_open(&r, "on");
  aiorch_run *run = run_of(&r.f);
  add(run, AIORCH_ROLE_USER, "Hello?");
  add(run, AIORCH_ROLE_USER, "Secret qqblock word");
  expect(run, AIORCH_E_INJECTION, "message 2: rule \"t_block\" (house) matches bytes 7 to 14: blocks for the test");
  assert_int_equal(run->input_finding.verdict, AIO__VERDICT_BLOCK);
  assert_int_equal(run->finding_message, 1);
  assert_int_equal(aiorch_error_http_status(aiorch_run_error(run)), aiorch_status_http(AIORCH_E_INJECTION));
  assert_int_equal(fixture_counter(&r.f, AIO__N_REFUSED_INJECTION), 1);
  assert_int_equal(fixture_counter(&r.f, AIO__N_REFUSED_INVALID_INPUT), 0);
  assert_int_equal(fixture_counter(&r.f, AIO__N_FLAGGED_INPUT), 0);
  assert_int_equal(r.heard.events, 1);
  assert_non_null(strstr(r.heard.text, "\"event\":\"input_blocked\""));
  assert_non_null(strstr(r.heard.text, "\"rule\":\"t_block\",\"category\":\"house\",\"message\":2,"
                                       "\"start\":7,\"end\":14"));
  assert_null(strstr(r.heard.text, "Secret")); /* nothing that the user wrote */
  aiorch_run_free(run);
  ruled_close(&r);
}

static void test_rules__a_flag_lets_through_and_is_told(void **state) {
  (void)state;
  ruled r = {.min_level = AIORCH_LOG_WARN};
  ruled_open(&r, "on");
  aiorch_run *run = run_of(&r.f);
  add(run, AIORCH_ROLE_USER, "Good.");
  add(run, AIORCH_ROLE_USER, "A qqflag word");
  add(run, AIORCH_ROLE_USER, "and one more: qqflag");
  const aiorch_event *event = NULL;
  char warned[600] = "";
  int warnings = 0;
  while (aiorch_run_next(run, 1000, &event) == AIORCH_OK) {
    if (aiorch_event_type(event) != AIORCH_EVENT_WARNING) continue;
    if (aiorch_event_stage(event) != AIORCH_STAGE_VALIDATE) continue;
    const char *text;
    size_t n;
    assert_int_equal(aiorch_event_text(event, &text, &n), AIORCH_OK);
    if (warnings++ == 0) (void)snprintf(warned, sizeof warned, "%.*s", (int)n, text);
    assert_int_equal(aiorch_event_status(event), AIORCH_E_INJECTION);
  }
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_int_equal(warnings, 2);
  assert_string_equal(warned, "message 2: rule \"t_flag\" (manners) flags bytes 2 to 8");
  assert_int_equal(run->input_finding.verdict, AIO__VERDICT_FLAG);
  assert_int_equal(run->finding_message, 1); /* the first of equals stays */
  assert_int_equal(fixture_counter(&r.f, AIO__N_FLAGGED_INPUT), 2);
  assert_int_equal(fixture_counter(&r.f, AIO__N_REFUSED_INJECTION), 0);
  assert_int_equal(r.heard.events, 2);
  assert_non_null(strstr(r.heard.text, "\"event\":\"input_flagged\""));
  aiorch_run_free(run);
  ruled_close(&r);
}

static void test_rules__flag_mode_blocks_nothing_and_keeps_the_gravest(void **state) {
  (void)state;
  ruled r = {.min_level = AIORCH_LOG_WARN};
  ruled_open(&r, "flag");
  aiorch_run *run = run_of(&r.f);
  add(run, AIORCH_ROLE_USER, "A qqflag word");
  add(run, AIORCH_ROLE_TOOL, "A qqblock word");
  add(run, AIORCH_ROLE_USER, "Another qqflag");
  expect(run, AIORCH_OK, NULL);
  assert_int_equal(run->input_finding.verdict, AIO__VERDICT_BLOCK);
  assert_int_equal(run->finding_message, 1);
  assert_int_equal(fixture_counter(&r.f, AIO__N_FLAGGED_INPUT), 3);
  assert_int_equal(fixture_counter(&r.f, AIO__N_REFUSED_INJECTION), 0);
  aiorch_run_free(run);
  ruled_close(&r);
}

static void test_rules__off_looks_at_nothing(void **state) {
  (void)state;
  ruled r = {.min_level = AIORCH_LOG_WARN};
  ruled_open(&r, "off");
  aiorch_run *run = run_of(&r.f);
  add(run, AIORCH_ROLE_USER, "A qqblock word");
  expect(run, AIORCH_OK, NULL);
  assert_int_equal(run->input_finding.verdict, AIO__VERDICT_PASS);
  assert_int_equal(fixture_counter(&r.f, AIO__N_FLAGGED_INPUT), 0);
  assert_int_equal(r.heard.events, 0);
  aiorch_run_free(run);
  ruled_close(&r);
}

static void test_rules__tools_are_screened_and_the_host_is_not(void **state) {
  (void)state;
  ruled r = {.min_level = AIORCH_LOG_WARN};
  ruled_open(&r, "on");
  check_turn(&r.f, AIORCH_ROLE_TOOL, "A qqblock word", AIORCH_E_INJECTION, "message 1: rule \"t_block\"");
  check_turn(&r.f, AIORCH_ROLE_SYSTEM, "A qqblock word", AIORCH_OK, NULL);
  check_turn(&r.f, AIORCH_ROLE_ASSISTANT, "A qqblock word", AIORCH_OK, NULL);
  ruled_close(&r);
}

static void test_rules__a_logger_that_wants_errors_only_hears_nothing(void **state) {
  (void)state;
  ruled r = {.min_level = AIORCH_LOG_ERROR};
  ruled_open(&r, "on");
  check_turn(&r.f, AIORCH_ROLE_USER, "A qqblock word", AIORCH_E_INJECTION, NULL);
  assert_int_equal(r.heard.events, 0);
  ruled_close(&r);
}

/* ---- refusals are counted ---- */

static void test_refusal__beyond_its_limit_is_rate_limited(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, "{\"rate_limit.refused\": 2}", answer, 1, NULL, 0);
  check_turn(&f, AIORCH_ROLE_USER, " ", AIORCH_E_INVALID_INPUT, NULL);
  check_turn(&f, AIORCH_ROLE_USER, " ", AIORCH_E_INVALID_INPUT, NULL);
  aiorch_run *run = run_of(&f);
  add(run, AIORCH_ROLE_USER, " ");
  assert_int_equal(aiorch_run_execute(run), AIORCH_E_RATE_LIMITED);
  const aiorch_error *error = aiorch_run_error(run);
  assert_string_equal(aiorch_error_message(error),
                      "too many refused messages: 2 of 2 in an hour; \"rate_limit.refused\" sets the limit");
  assert_int_equal(aiorch_error_stage(error), AIORCH_STAGE_VALIDATE);
  assert_int_equal(aiorch_error_status(error), AIORCH_E_RATE_LIMITED);
  assert_int_equal(aiorch_error_http_status(error), 429);
  assert_in_range(aiorch_error_retry_after_ms(error), 3599000, 3600001);
  assert_string_equal(run->limit_setting, "rate_limit.refused");
  assert_int_equal(aiorch_run_stage_outcome(run, AIORCH_STAGE_VALIDATE), AIORCH_OUTCOME_REFUSED);
  assert_int_equal(fixture_counter(&f, AIO__N_REFUSED_RATE_LIMIT), 1);
  assert_int_equal(fixture_counter(&f, AIO__N_REFUSED_INVALID_INPUT), 3);
  assert_int_equal(fixture_counter(&f, AIO__N_COST_ROWS), 0);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_refusal__without_a_limit_asks_nobody(void **state) {
  (void)state;
  fixture f;
  failing_store store;
  fixture_open(&f, "{\"rate_limit.refused\": 0}", answer, 1, NULL, 0);
  failing_store_stand_before(&store, f.orch);
  check_turn(&f, AIORCH_ROLE_USER, " ", AIORCH_E_INVALID_INPUT, NULL);
  assert_int_equal(store.calls[FAILING_ADMIT], 0);
  fixture_close(&f);
}

static void test_refusal__of_a_preview_is_not_counted_against_the_user(void **state) {
  (void)state;
  fixture f;
  failing_store store;
  fixture_open(&f, "{\"rate_limit.refused\": 1}", answer, 1, NULL, 0);
  failing_store_stand_before(&store, f.orch);
  for (int i = 0; i < 3; i++) {
    aiorch_run *run = run_of(&f);
    add(run, AIORCH_ROLE_USER, " ");
    aiorch_text *text = NULL;
    assert_int_equal(aiorch_run_preview(run, &text), AIORCH_E_INVALID_INPUT);
    aiorch_run_free(run);
  }
  assert_int_equal(store.calls[FAILING_ADMIT], 0);
  fixture_close(&f);
}

static void test_refusal__stands_when_the_store_is_down(void **state) {
  (void)state;
  fixture f;
  failing_store store;
  fixture_open(&f, "{\"rate_limit.refused\": 1}", answer, 1, NULL, 0);
  failing_store_stand_before(&store, f.orch);
  store.fails[FAILING_ADMIT] = AIORCH_E_STORE_DOWN;
  for (int i = 0; i < 3; i++) check_turn(&f, AIORCH_ROLE_USER, " ", AIORCH_E_INVALID_INPUT, "message 1 (user)");
  assert_int_equal(store.calls[FAILING_ADMIT], 3);
  assert_int_equal(fixture_counter(&f, AIO__N_REFUSED_RATE_LIMIT), 0);
  fixture_close(&f);
}

static void test_refusal__waits_for_a_late_store(void **state) {
  (void)state;
  static const struct {
    aiorch_status ends, expected;
  } rows[] = {{AIORCH_OK, AIORCH_E_INVALID_INPUT}, {AIORCH_OK, AIORCH_E_RATE_LIMITED},
              {AIORCH_E_STORE_DOWN, AIORCH_E_INVALID_INPUT}};
  fixture f;
  failing_store store;
  fixture_open(&f, "{\"rate_limit.refused\": 1}", answer, 1, NULL, 0);
  failing_store_stand_before(&store, f.orch);
  store.fails[FAILING_ADMIT] = AIORCH_PENDING;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    aiorch_run *run = run_of(&f);
    add(run, AIORCH_ROLE_USER, " ");
    const aiorch_event *event = NULL;
    assert_int_equal(aiorch_run_next(run, 0, &event), AIORCH_AGAIN);
    assert_int_equal(aiorch_run_next(run, 0, &event), AIORCH_AGAIN);
    failing_store_answer(&store, rows[i].ends);
    while (aiorch_run_next(run, 0, &event) == AIORCH_OK) continue;
    assert_int_equal(aiorch_run_status(run), rows[i].expected);
    aiorch_run_free(run);
  }
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_validate__each_role_has_its_limit),
      cmocka_unit_test(test_validate__the_conversation_has_a_limit_in_characters),
      cmocka_unit_test(test_validate__only_what_the_host_wrote_may_be_empty),
      cmocka_unit_test(test_validate__the_place_of_the_message_is_told),
      cmocka_unit_test(test_validate__without_a_user_turn_there_is_no_question),
      cmocka_unit_test(test_validate__empty_turns_of_the_host_count_nothing),
      cmocka_unit_test(test_validate__out_of_memory_is_no_verdict),
      cmocka_unit_test(test_rules__block_says_which_rule_and_where),
      cmocka_unit_test(test_rules__a_flag_lets_through_and_is_told),
      cmocka_unit_test(test_rules__flag_mode_blocks_nothing_and_keeps_the_gravest),
      cmocka_unit_test(test_rules__off_looks_at_nothing),
      cmocka_unit_test(test_rules__tools_are_screened_and_the_host_is_not),
      cmocka_unit_test(test_rules__a_logger_that_wants_errors_only_hears_nothing),
      cmocka_unit_test(test_refusal__beyond_its_limit_is_rate_limited),
      cmocka_unit_test(test_refusal__without_a_limit_asks_nobody),
      cmocka_unit_test(test_refusal__of_a_preview_is_not_counted_against_the_user),
      cmocka_unit_test(test_refusal__stands_when_the_store_is_down),
      cmocka_unit_test(test_refusal__waits_for_a_late_store),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
