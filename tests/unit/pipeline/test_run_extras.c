/* Tool calls, reasoning and warnings of an answer: when they become the run's, and what the output check does to them. */
#include "../support/pipeline_fixture.h"

#include <stdio.h>

#include "core/call.h"
#include "support/test_alloc.h"

#define SECRET "AKIAQ3XK7ZPL2MVT5RWN"

typedef struct speaker {
  const char *text, *arguments, *thought, *warning;
  int thoughts; /* how often; 0: once */
  int32_t finish_reason;
  aiorch_status status;
  const char *stop;
} speaker;

static void put(aiorch_call *call, aio__event_kind kind, const char *text, const char *signature) {
  aio__call_extra extra = {.kind = kind, .text = aio__str_z(text), .signature = aio__str_z(signature)};
  assert_int_equal(aio__call_put_extra(call, &extra), AIORCH_OK);
}

static aiorch_status speak(void *self, aiorch_call *call) {
  const speaker *s = self;
  if (s->warning) put(call, AIO__EVENT_WARNING, s->warning, "");
  for (int i = 0; s->thought && (i == 0 || i < s->thoughts); i++) {
    put(call, AIO__EVENT_REASONING, s->thought, "signed");
    put(call, AIO__EVENT_REDACTED, "", "hidden");
  }
  if (s->arguments) {
    assert_int_equal(aiorch_call_put_tool_call(call, "c1", 2, "weather", 7, s->arguments, strlen(s->arguments)), AIORCH_OK);
  }
  if (s->text) assert_int_equal(aiorch_call_emit(call, s->text, strlen(s->text)), AIORCH_OK);
  if (s->stop) put(call, AIO__EVENT_STOP, s->stop, "");
  if (s->finish_reason) aiorch_call_put_finish_reason(call, s->finish_reason);
  aiorch_call_finish(call, s->status);
  return AIORCH_SLOT_OK;
}

static const char *hosts = ""; /* "output.hosts" of what is opened next */

static aiorch *open_speakers(virtual_clock *clock, const char *check, speaker *first, speaker *second) {
  aiorch_config *config = NULL;
  aiorch *orch = NULL;
  aiorch_provider_vtbl vtbl = {.struct_size = sizeof vtbl, .model = "m", .generate = speak};
  virtual_clock_init(clock);
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  aio__config_set_clock(config, &clock->clock);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "output.check", check, strlen(check), NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "output.hosts", hosts, strlen(hosts), NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_add_provider(config, "first", &vtbl, first, NULL), AIORCH_OK);
  if (second) assert_int_equal(aiorch_config_add_provider(config, "second", &vtbl, second, NULL), AIORCH_OK);
  assert_int_equal(aiorch_open(config, &orch, NULL), AIORCH_OK);
  aiorch_config_free(config);
  return orch;
}

static void close_speakers(aiorch *orch) {
  assert_int_equal(aiorch_close(orch, 30000), AIORCH_OK);
  assert_int_equal(aiorch_free(orch), AIORCH_OK);
}

/* The events that tell of the answer, as a line: "W:words D:text T0 ". */
static aiorch_run *ask(aiorch *orch, char *line, size_t room) {
  aiorch_run *run = NULL;
  assert_int_equal(aiorch_run_new(orch, "acme", 4, "u1", 2, &run), AIORCH_OK);
  assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, "Is it raining?", 14), AIORCH_OK);
  const aiorch_event *event;
  const char *text;
  size_t n = 0;
  line[0] = '\0';
  while (aiorch_run_next(run, 1000, &event) == AIORCH_OK) {
    int32_t type = aiorch_event_type(event);
    char c = type == AIORCH_EVENT_WARNING ? 'W' : type == AIORCH_EVENT_DELTA ? 'D' : 0;
    if (type == AIORCH_EVENT_TOOL_CALL) n += (size_t)snprintf(line + n, room - n, "T%zu ", aiorch_event_index(event));
    if (c && aiorch_event_text(event, &text, NULL) == AIORCH_OK) n += (size_t)snprintf(line + n, room - n, "%c:%s ", c, text);
  }
  return run;
}

static void test_run_take_extras__all_in_their_order(void **state) {
  (void)state;
  virtual_clock clock;
  char line[512];
  speaker s = {.text = "Let me look.", .arguments = "{\"city\":\"Oslo\"}", .thought = "I need the weather.",
               .warning = "temperature was left out", .finish_reason = AIORCH_FINISH_TOOL_CALLS};
  aiorch *orch = open_speakers(&clock, "on", &s, NULL);
  aiorch_run *run = ask(orch, line, sizeof line);
  assert_string_equal(line, "W:temperature was left out D:Let me look. T0 ");
  assert_int_equal(aiorch_run_finish_reason(run), AIORCH_FINISH_TOOL_CALLS);
  const char *id, *name, *arguments, *signature;
  assert_int_equal(aiorch_run_tool_call_count(run), 1);
  assert_int_equal(aiorch_run_tool_call(run, 0, &id, &name, &arguments, NULL), AIORCH_OK);
  assert_string_equal(id, "c1");
  assert_string_equal(name, "weather");
  assert_string_equal(arguments, "{\"city\":\"Oslo\"}");
  assert_int_equal(aiorch_run_reasoning_count(run), 2);
  assert_int_equal(aiorch_run_reasoning(run, 0, &name, NULL, &signature, NULL), AIORCH_OK);
  assert_string_equal(name, "I need the weather.");
  assert_string_equal(signature, "signed");
  assert_int_equal(aiorch_run_reasoning(run, 1, &name, NULL, &signature, NULL), AIORCH_OK);
  assert_string_equal(name, "");
  assert_string_equal(signature, "hidden");
  assert_int_equal(run->stages[AIORCH_STAGE_CACHE_STORE].outcome, AIORCH_OUTCOME_SKIPPED); /* a call for a tool is not kept */
  aiorch_run_free(run);
  close_speakers(orch);
}

static void test_run_take_extras__the_stop_sequence_that_was_asked_for(void **state) {
  (void)state;
  virtual_clock clock;
  static const char *const said[] = {"END", "\n\n", "secret", NULL}, *const want[] = {"END", "\n\n", "", ""};
  for (size_t i = 0; i < 4; i++) {
    speaker s = {.text = "Yes.", .stop = said[i]};
    aiorch *orch = open_speakers(&clock, "on", &s, NULL);
    aiorch_run *run = NULL;
    const char *text, *json;
    size_t len = 99;
    assert_int_equal(aiorch_run_new(orch, "acme", 4, "u1", 2, &run), AIORCH_OK);
    assert_int_equal(aiorch_run_add_message(run, AIORCH_ROLE_USER, "Is it raining?", 14), AIORCH_OK);
    assert_int_equal(aiorch_run_add_stop(run, "END", 3), AIORCH_OK);
    assert_int_equal(aiorch_run_add_stop(run, "\n\n", 2), AIORCH_OK);
    assert_int_equal(aiorch_run_stop_sequence(run, &text, &len), AIORCH_OK);
    assert_int_equal(len, 0);
    assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
    assert_int_equal(aiorch_run_stop_sequence(run, &text, &len), AIORCH_OK);
    assert_string_equal(text, want[i]);
    assert_int_equal(len, strlen(want[i]));
    assert_int_equal(aiorch_run_to_json(run, &json, NULL), AIORCH_OK);
    assert_non_null(strstr(json, i == 0 ? "\"stop_sequence\":\"END\"" : i == 1 ? "\"stop_sequence\":\"\\n\\n\"" : "\"stop_sequence\":null"));
    assert_int_equal(aiorch_run_stop_sequence(run, NULL, &len), AIORCH_E_INVALID);
    assert_int_equal(aiorch_run_stop_sequence(NULL, &text, &len), AIORCH_E_INVALID);
    aiorch_run_free(run);
    close_speakers(orch);
  }
}

static void test_run_take_extras__a_call_without_text_is_an_answer(void **state) {
  (void)state;
  virtual_clock clock;
  char line[512];
  speaker s = {.arguments = "{}", .finish_reason = AIORCH_FINISH_TOOL_CALLS};
  aiorch *orch = open_speakers(&clock, "on", &s, NULL);
  aiorch_run *run = ask(orch, line, sizeof line);
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_string_equal(line, "T0 ");
  aiorch_run_free(run);
  close_speakers(orch);
}

static void test_run_take_extras__a_secret_in_arguments_blocks(void **state) {
  (void)state;
  virtual_clock clock;
  char line[512];
  speaker s = {.text = "Calling.", .arguments = "{\"key\":\"" SECRET "\"}", .finish_reason = AIORCH_FINISH_TOOL_CALLS};
  aiorch *orch = open_speakers(&clock, "on", &s, NULL);
  aiorch_run *run = ask(orch, line, sizeof line);
  assert_int_equal(aiorch_run_status(run), AIORCH_E_OUTPUT_BLOCKED);
  assert_int_equal(aiorch_run_tool_call_count(run), 0);
  assert_null(strstr(line, "T0"));
  assert_null(strstr(line, SECRET));
  aiorch_run_free(run);
  close_speakers(orch);
}

/* As text is: replaced, reported, and the answer is not kept. */
static void test_run_take_extras__a_secret_in_arguments_is_replaced(void **state) {
  (void)state;
  virtual_clock clock;
  char line[512];
  const char *arguments;
  size_t n;
  speaker s = {.text = "Calling.", .arguments = "{\"key\":\"\\u0041KIAQ3XK7ZPL2MVT5RWN\",\"n\":1}", .finish_reason = AIORCH_FINISH_TOOL_CALLS};
  aiorch *orch = open_speakers(&clock, "redact", &s, NULL);
  aiorch_run *run = ask(orch, line, sizeof line);
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_int_equal(aiorch_run_tool_call(run, 0, NULL, NULL, &arguments, &n), AIORCH_OK);
  assert_string_equal(arguments, "{\"key\":\"[redacted:aws_access_key]\",\"n\":1}");
  assert_int_equal(n, strlen(arguments));
  assert_non_null(strstr(line, "D:Calling. "));
  assert_non_null(strstr(line, "T0 "));
  assert_non_null(strstr(line, "has changed"));
  aiorch_run_free(run);
  close_speakers(orch);
}

/* output.hosts in each mode: blocked, flagged, replaced; also in reasoning, which is left out. */
static void test_run_take_extras__a_foreign_host_in_arguments(void **state) {
  (void)state;
  static const char *const modes[] = {"on", "flag", "redact", "off"};
  static const char *const expected[] = {NULL, "{\"u\":\"https:\\/\\/evil.example\"}", "{\"u\":\"[redacted:host]\"}",
                                         "{\"u\":\"https:\\/\\/evil.example\"}"};
  for (size_t i = 0; i < 4; i++) {
    virtual_clock clock;
    char line[512];
    const char *arguments;
    speaker s = {.arguments = "{\"u\":\"https:\\/\\/evil.example\"}", .thought = "At http://evil.example it is.",
                 .finish_reason = AIORCH_FINISH_TOOL_CALLS};
    hosts = "docs.example.com";
    aiorch *orch = open_speakers(&clock, modes[i], &s, NULL);
    hosts = "";
    aiorch_run *run = ask(orch, line, sizeof line);
    assert_int_equal(aiorch_run_status(run), expected[i] ? AIORCH_OK : AIORCH_E_OUTPUT_BLOCKED);
    if (expected[i]) {
      assert_int_equal(aiorch_run_tool_call(run, 0, NULL, NULL, &arguments, NULL), AIORCH_OK);
      assert_string_equal(arguments, expected[i]);
      assert_int_equal(aiorch_run_reasoning_count(run), strcmp(modes[i], "redact") == 0 ? 1 : 2);
    } else {
      assert_int_equal(aiorch_run_tool_call_count(run) + aiorch_run_reasoning_count(run), 0);
    }
    assert_int_equal(strstr(line, "\"host\"") != NULL, i < 3); /* what is found is said */
    aiorch_run_free(run);
    close_speakers(orch);
  }
}

static void test_run_take_extras__flagged_arguments_pass(void **state) {
  (void)state;
  virtual_clock clock;
  char line[512];
  speaker s = {.arguments = "{\"key\":\"" SECRET "\"}", .finish_reason = AIORCH_FINISH_TOOL_CALLS};
  aiorch *orch = open_speakers(&clock, "flag", &s, NULL);
  aiorch_run *run = ask(orch, line, sizeof line);
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_int_equal(aiorch_run_tool_call_count(run), 1);
  assert_non_null(strstr(line, "aws_access_key"));
  aiorch_run_free(run);
  close_speakers(orch);
}

static void test_run_take_extras__reasoning_with_a_secret_is_left_out(void **state) {
  (void)state;
  virtual_clock clock;
  char line[512];
  speaker s = {.text = "Yes.", .thought = "The key is " SECRET};
  aiorch *orch = open_speakers(&clock, "on", &s, NULL);
  aiorch_run *run = ask(orch, line, sizeof line);
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_int_equal(aiorch_run_reasoning_count(run), 1); /* what has no text stays */
  assert_non_null(strstr(line, "reasoning was left out"));
  aiorch_run_free(run);
  close_speakers(orch);
}

/* More than is kept is said once. */
static void test_run_take_extras__what_is_too_much_is_left_out(void **state) {
  (void)state;
  virtual_clock clock;
  char line[4096];
  speaker s = {.text = "Yes.", .thought = "hm", .thoughts = AIO__REASONING_MAX};
  aiorch *orch = open_speakers(&clock, "on", &s, NULL);
  aiorch_run *run = ask(orch, line, sizeof line);
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_int_equal(aiorch_run_reasoning_count(run), AIO__REASONING_MAX);
  const char *first = strstr(line, "were left out");
  assert_non_null(first);
  assert_non_null(strstr(line, "W:256 of the answer's"));
  assert_null(strstr(first + 1, "were left out"));
  aiorch_run_free(run);
  close_speakers(orch);
}

static void test_run_take_extras__a_failed_attempt_leaves_none(void **state) {
  (void)state;
  virtual_clock clock;
  char line[512];
  speaker first = {.arguments = "{}", .thought = "hm", .status = AIORCH_E_PROVIDER_MODEL}, second = {.text = "Yes."};
  aiorch *orch = open_speakers(&clock, "on", &first, &second);
  aiorch_run *run = ask(orch, line, sizeof line);
  assert_int_equal(aiorch_run_status(run), AIORCH_OK);
  assert_int_equal(aiorch_run_tool_call_count(run), 0);
  assert_int_equal(aiorch_run_reasoning_count(run), 0);
  assert_null(strstr(line, "T0"));
  aiorch_run_free(run);
  close_speakers(orch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_run_take_extras__all_in_their_order),
      cmocka_unit_test(test_run_take_extras__the_stop_sequence_that_was_asked_for),
      cmocka_unit_test(test_run_take_extras__a_call_without_text_is_an_answer),
      cmocka_unit_test(test_run_take_extras__a_secret_in_arguments_blocks),
      cmocka_unit_test(test_run_take_extras__a_secret_in_arguments_is_replaced),
      cmocka_unit_test(test_run_take_extras__a_foreign_host_in_arguments),
      cmocka_unit_test(test_run_take_extras__flagged_arguments_pass),
      cmocka_unit_test(test_run_take_extras__reasoning_with_a_secret_is_left_out),
      cmocka_unit_test(test_run_take_extras__what_is_too_much_is_left_out),
      cmocka_unit_test(test_run_take_extras__a_failed_attempt_leaves_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
