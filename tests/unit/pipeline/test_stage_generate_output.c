/* Stage 5: what the output check does to an answer on its way out, and markers of sources that do not exist. */
#include "../support/pipeline_fixture.h"

#include <stdio.h>

static const char leak[] = "The id is AKIAQ3XK7ZPL2MVT5RWN, as in https://evil.test/a, says [1] and [3].";

/* The warnings, a line each, and all deltas behind one another. */
static void collect(aiorch_run *run, char *warnings, char *deltas) {
  const aiorch_event *event = NULL;
  const char *text;
  size_t n;
  while (aiorch_run_next(run, 1000, &event) == AIORCH_OK) {
    int32_t type = aiorch_event_type(event);
    if (type != AIORCH_EVENT_WARNING && type != AIORCH_EVENT_DELTA) continue;
    assert_int_equal(aiorch_event_text(event, &text, &n), AIORCH_OK);
    strncat(type == AIORCH_EVENT_WARNING ? warnings : deltas, text, n);
    if (type == AIORCH_EVENT_WARNING) strcat(warnings, "\n");
  }
}

static bool reports(aiorch_run *run, const char *part) {
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, aio__alloc_default(), 1 << 16);
  aio__jw_init(&w, &buf);
  aio__run_report(run, &w);
  bool there = strstr(aio__buf_cstr(&buf), part) != NULL;
  aio__buf_free(&buf);
  return there;
}

static void test_output__redacted_before_it_is_released(void **state) {
  (void)state;
  const scripted_answer secret[] = {{.text = leak, .input = 1, .output = 1}};
  static const char expected[] = "The id is [redacted:aws_access_key], as in [redacted:host], says [1] and [3].";
  fixture f;
  char warnings[1000] = "", deltas[1000] = "";
  fixture_open(&f, "{\"output.check\": \"redact\", \"output.hosts\": \"example.com\"}", secret, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_add_source(run, "a", 1, "A", 1, "Text.", 5), AIORCH_OK);
  collect(run, warnings, deltas);
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_string_equal(deltas, expected);
  assert_string_equal(fixture_answer(run), expected);
  assert_string_equal(warnings, "the output rule \"aws_access_key\" (secret) has changed the answer\n"
                                "the answer cites [3], but there is 1 source: 1 of its markers lead nowhere\n");
  assert_true(reports(run, "\"citations\":{\"valid\":1,\"unknown\":1}"));
  assert_int_equal(fixture_counter(&f, AIO__N_CACHE_STORED), 0); /* it is not what the model said */
  assert_int_equal(fixture_counter(&f, AIO__N_CITATIONS_UNKNOWN), 1);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_output__a_host_that_is_not_allowed_blocks(void **state) {
  (void)state;
  static const scripted_answer link[] = {{.text = "See https://evil.test/a for more.", .input = 1, .output = 1}};
  fixture f;
  fixture_open(&f, "{\"output.hosts\": \"example.com\"}", link, 1, NULL, 0);
  aiorch_run *run = fixture_execute(&f, "What?", AIORCH_E_OUTPUT_BLOCKED);
  assert_non_null(strstr(aiorch_error_message(aiorch_run_error(run)), "\"host\""));
  assert_string_equal(fixture_answer(run), "");
  aiorch_run_free(run);
  fixture_close(&f);
  fixture_open(&f, "{\"output.hosts\": \"*.test\"}", link, 1, NULL, 0);
  run = fixture_execute(&f, "What?", AIORCH_OK);
  aiorch_run_free(run);
  fixture_close(&f);
}

static void test_output__good_citations_are_silent(void **state) {
  (void)state;
  static const scripted_answer cited[] = {{.text = "Black and white [1].", .input = 1, .output = 1}};
  fixture f;
  char warnings[1000] = "", deltas[1000] = "";
  fixture_open(&f, NULL, cited, 1, NULL, 0);
  aiorch_run *run = fixture_ask(&f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_add_source(run, "a", 1, "A", 1, "Text.", 5), AIORCH_OK);
  collect(run, warnings, deltas);
  assert_string_equal(warnings, "");
  assert_true(reports(run, "\"citations\":{\"valid\":1,\"unknown\":0}"));
  aiorch_run_free(run);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_output__redacted_before_it_is_released),
      cmocka_unit_test(test_output__a_host_that_is_not_allowed_blocks),
      cmocka_unit_test(test_output__good_citations_are_silent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
