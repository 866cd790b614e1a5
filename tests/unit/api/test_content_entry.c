/* content.h from outside: each function takes its texts, refuses NULL, and says what is wrong on the run. */
#include "support/pipeline_fixture.h"

#include <aiorch/content.h>

#include "pipeline/run_content.h"
#include "support/test_alloc.h"

static void test_aiorch_run_add__all_that_there_is(void **state) {
  aiorch_run *run = fixture_ask(*state, "acme", "u1", "What is this?");
  assert_int_equal(aiorch_run_add_image(run, "image/png", "aGk=", 4), AIORCH_OK);
  assert_int_equal(aiorch_run_add_image_url(run, "https://a", 9), AIORCH_OK);
  assert_int_equal(aiorch_run_add_text(run, "More", 4), AIORCH_OK);
  assert_int_equal(aiorch_run_add_cache_marker(run), AIORCH_OK);
  assert_int_equal(aiorch_run_add_reasoning(run, "hm", 2, "sig", 3), AIORCH_OK);
  assert_int_equal(aiorch_run_add_tool_call(run, "c", 1, "f", 1, NULL, 0), AIORCH_OK);
  assert_int_equal(aiorch_run_add_signature(run, "x", 1), AIORCH_OK);
  assert_int_equal(aiorch_run_add_tool_result(run, "c", 1, "f", 1, "r", 1, 7), AIORCH_OK);
  assert_int_equal(aiorch_run_add_tool(run, "f", 1, "d", 1, "{}", 2), AIORCH_OK);
  assert_int_equal(aiorch_run_set_tool_choice(run, AIORCH_TOOLS_ONE, "f", 1), AIORCH_OK);
  assert_int_equal(aiorch_run_set_schema(run, "{}", 2, "n", 1), AIORCH_OK);
  assert_int_equal(aiorch_run_add_stop(run, "END", 3), AIORCH_OK);
  assert_int_equal(run->message_count, 3);
  assert_int_equal(run->messages[0].part_count, 4);
  assert_true(run->messages[0].parts[3].cache);
  assert_int_equal(run->messages[1].part_count, 2);
  assert_string_equal(run->messages[1].parts[1].signature.p, "x");
  assert_true(run->messages[2].parts[0].is_error);
  assert_int_equal(run->tool_count + run->stop_count, 2);
  aiorch_run_free(run);
}

static void test_aiorch_run_add__null(void **state) {
  aiorch_run *run = fixture_ask(*state, "acme", "u1", "?");
  assert_int_equal(aiorch_run_add_text(NULL, "a", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_text(run, NULL, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_image(run, NULL, "aGk=", 4), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_image(run, "image/png", NULL, 4), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_image(NULL, "image/png", "aGk=", 4), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_image_url(run, NULL, 4), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_image_url(NULL, "https://a", 9), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_tool_call(run, NULL, 1, "f", 1, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_tool_call(run, "c", 1, NULL, 1, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_tool_call(run, "c", 1, "f", 1, NULL, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_tool_call(NULL, "c", 1, "f", 1, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_tool_result(run, "c", 1, "f", 1, NULL, 1, 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_tool_result(NULL, "c", 1, "f", 1, "r", 1, 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_reasoning(run, NULL, 1, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_reasoning(NULL, "a", 1, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_signature(run, NULL, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_signature(NULL, "a", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_cache_marker(NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_tool(run, NULL, 1, "", 0, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_tool(NULL, "f", 1, "", 0, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_tool_choice(run, AIORCH_TOOLS_ONE, NULL, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_tool_choice(NULL, AIORCH_TOOLS_ANY, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_schema(run, NULL, 1, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_set_schema(NULL, "{}", 2, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_stop(run, NULL, 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_add_stop(NULL, "a", 1), AIORCH_E_INVALID);
  assert_int_equal(run->message_count, 1);
  aiorch_run_free(run);
}

static void test_aiorch_run_tool_call__reads_what_came(void **state) {
  aiorch_run *run = fixture_ask(*state, "acme", "u1", "?");
  aio__run_tool_call calls[] = {{"c1", "f", AIO__LIT("{}"), AIO__LIT("")}, {"c2", "g", AIO__LIT("{\"a\":1}"), AIO__LIT("s")}};
  run->tool_calls = calls;
  run->tool_call_count = 2;
  aio__run_reasoning pieces[] = {{AIO__LIT("hm"), AIO__LIT("")}, {AIO__LIT(""), AIO__LIT("sig")}};
  run->reasoning = pieces;
  run->reasoning_count = 2;
  const char *id, *name, *arguments, *text;
  size_t len;
  assert_int_equal(aiorch_run_tool_call_count(run), 2);
  assert_int_equal(aiorch_run_tool_call(run, 1, &id, &name, &arguments, &len), AIORCH_OK);
  assert_string_equal(id, "c2");
  assert_string_equal(name, "g");
  assert_string_equal(arguments, "{\"a\":1}");
  assert_int_equal(len, 7);
  assert_int_equal(aiorch_run_tool_call(run, 0, NULL, NULL, NULL, NULL), AIORCH_OK);
  assert_int_equal(aiorch_run_tool_call(run, 2, &id, &name, &arguments, &len), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_tool_call_signature(run, 1, &text, &len), AIORCH_OK);
  assert_string_equal(text, "s");
  assert_int_equal(aiorch_run_tool_call_signature(run, 2, &text, &len), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_reasoning_count(run), 2);
  assert_int_equal(aiorch_run_reasoning(run, 0, &text, &len, NULL, NULL), AIORCH_OK);
  assert_string_equal(text, "hm");
  assert_int_equal(aiorch_run_reasoning(run, 1, &text, NULL, &name, &len), AIORCH_OK);
  assert_string_equal(text, "");
  assert_string_equal(name, "sig");
  assert_int_equal(len, 3);
  assert_int_equal(aiorch_run_reasoning(run, 2, &text, &len, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_reasoning(NULL, 0, &text, &len, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_reasoning(run, 0, NULL, NULL, NULL, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_run_reasoning_count(NULL), 0);
  assert_int_equal(aiorch_run_tool_call_count(NULL), 0);
  const char *json;
  assert_int_equal(aiorch_run_to_json(run, &json, &len), AIORCH_OK);
  assert_non_null(strstr(json, "\"tool_calls\":[{\"id\":\"c1\",\"name\":\"f\",\"arguments\":\"{}\",\"signature\":null},"
                               "{\"id\":\"c2\",\"name\":\"g\",\"arguments\":\"{\\\"a\\\":1}\",\"signature\":\"s\"}]"));
  assert_non_null(strstr(json, "\"reasoning\":[{\"text\":\"hm\",\"signature\":null},{\"text\":\"\",\"signature\":\"sig\"}]"));
  aiorch_run_free(run);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_aiorch_run_add__all_that_there_is, fixture_set_up, fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_aiorch_run_add__null, fixture_set_up, fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_aiorch_run_tool_call__reads_what_came, fixture_set_up, fixture_tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
