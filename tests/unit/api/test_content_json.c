/* Content of a request as JSON onto a run. */
#include "support/pipeline_fixture.h"

#include <stdio.h>

#include "pipeline/run_content.h"
#include "support/test_alloc.h"

static void refused(fixture *f, const char *request, const char *words) {
  aiorch_error error;
  aiorch_run *run = NULL;
  aio__error_init(&error);
  aiorch_status st = aiorch_run_from_json(f->orch, request, strlen(request), &run, &error);
  if (st != AIORCH_E_INVALID || !strstr(error.message, words)) fail_msg("%s: %s, \"%s\"", request, aiorch_status_name(st), error.message);
  assert_null(run);
}

static void test_content_read_parts__a_conversation_with_a_tool(void **state) {
  aiorch_run *run = fixture_from_json(*state,
      "{\"tenant\":\"a\",\"user\":\"u\",\"messages\":["
      "{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"aGk=\"},"
      "{\"type\":\"text\",\"text\":\"What is this?\",\"cache\":true},{\"type\":\"image\",\"url\":\"https://a.example/b\"}]},"
      "{\"role\":\"assistant\",\"content\":[{\"type\":\"reasoning\",\"text\":\"Hm.\",\"signature\":\"s1\"},{\"type\":\"text\",\"text\":\"I look.\"},"
      "{\"type\":\"tool_call\",\"id\":\"c1\",\"name\":\"look\",\"arguments\":{\"at\":1.5},\"signature\":\"s2\"},"
      "{\"type\":\"tool_call\",\"id\":\"c2\",\"name\":\"look\",\"arguments\":\"{\\\"at\\\": 12345678901234567890}\"}]},"
      "{\"role\":\"tool\",\"content\":[{\"type\":\"tool_result\",\"id\":\"c1\",\"name\":\"look\",\"text\":\"a cat\"},"
      "{\"type\":\"tool_result\",\"id\":\"c2\",\"name\":\"look\",\"text\":\"no\",\"is_error\":true}]}]}");
  assert_int_equal(run->message_count, 4);
  const aio__message *u = &run->messages[0], *a = &run->messages[1];
  assert_int_equal(u->part_count, 3);
  assert_string_equal(u->text.p, "What is this?");
  assert_true(u->parts[1].cache);
  assert_string_equal(u->parts[2].text.p, "https://a.example/b");
  assert_int_equal(a->part_count, 4);
  assert_string_equal(a->text.p, "I look.");
  assert_string_equal(a->parts[0].signature.p, "s1");
  assert_string_equal(a->parts[2].text.p, "{\"at\":1.5}");
  assert_string_equal(a->parts[2].signature.p, "s2");
  assert_string_equal(a->parts[3].text.p, "{\"at\": 12345678901234567890}");
  assert_string_equal(run->messages[2].parts[0].text.p, "a cat");
  assert_true(run->messages[3].parts[0].is_error);
  assert_int_equal(run->question, 0);
  aiorch_run_free(run);
}

static void test_content_read_parts__plain_parts_are_plain_text(void **state) {
  aiorch_run *run = fixture_from_json(*state, "{\"tenant\":\"a\",\"user\":\"u\",\"messages\":[{\"role\":\"user\",\"content\":["
                                 "{\"type\":\"text\",\"text\":\"One\"},{\"type\":\"text\",\"text\":\"two\"}]}]}");
  assert_int_equal(run->messages[0].part_count, 0);
  assert_string_equal(run->messages[0].text.p, "One\n\ntwo");
  aiorch_run_free(run);
}

static void test_content_read_wishes__all_of_them(void **state) {
  aiorch_run *run = fixture_from_json(*state,
      "{\"tenant\":\"a\",\"user\":\"u\",\"messages\":[{\"role\":\"user\",\"content\":\"?\"}],"
      "\"tools\":[{\"name\":\"f\",\"description\":\"Does.\",\"schema\":{\"type\":\"object\",\"n\":3}},{\"name\":\"g\"}],"
      "\"tool_choice\":{\"name\":\"g\"},\"schema\":{\"type\":\"object\"},\"schema_name\":\"out\",\"stop\":[\"A\",\"B\"]}");
  aio__wishes w;
  aio__run_wishes(run, &w);
  assert_int_equal(w.tool_count, 2);
  assert_string_equal(w.tools[0].schema.p, "{\"type\":\"object\",\"n\":3}");
  assert_int_equal(w.tools[1].schema.n, 0);
  assert_int_equal(w.tool_choice, AIO__TOOLS_ONE);
  assert_string_equal(w.tool_name.p, "g");
  assert_string_equal(w.schema.p, "{\"type\":\"object\"}");
  assert_string_equal(w.schema_name.p, "out");
  assert_int_equal(w.stop_count, 2);
  aiorch_run_free(run);
  run = fixture_from_json(*state, "{\"tenant\":\"a\",\"user\":\"u\",\"tool_choice\":\"any\",\"stop\":\"E\",\"tools\":null,\"schema\":null}");
  aio__run_wishes(run, &w);
  assert_int_equal(w.tool_choice, AIO__TOOLS_ANY);
  assert_int_equal(w.stop_count, 1);
  assert_int_equal(w.schema.n, 0);
  aiorch_run_free(run);
}

static void test_content_read__what_is_wrong_is_said(void **state) {
  static const char *const rows[][2] = {
      {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"sound\"}]}]", "messages[0]: a part's \"type\""},
      {"\"messages\":[{\"role\":\"user\",\"content\":[7]}]", "messages[0]: a part's \"type\""},
      {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":1}]}]", "\"text\" must be a text"},
      {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_call\",\"id\":\"a\",\"name\":\"b\"}]}]", "an assistant's message only"},
      {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"id\":\"a\",\"name\":\"b\",\"text\":\"\"}]}]", "a tool's message only"},
      {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"data\":\"aGk=\"}]}]", "media type"},
      {"\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_call\",\"id\":\"a\",\"name\":\"b\",\"arguments\":[1]}]}]", "JSON object"},
      {"\"messages\":[{\"role\":\"user\",\"content\":{}}]", "a text or a list of parts"},
      {"\"tools\":{}", "\"tools\" must be a list"},
      {"\"tools\":[{\"name\":1}]", "must be texts"},
      {"\"tools\":[{\"name\":\"a b\"}]", "A-Z"},
      {"\"tools\":[{\"name\":\"a\"},{\"name\":\"a\"}]", "twice"},
      {"\"tool_choice\":\"some\"", "\"tool_choice\" must be"},
      {"\"tool_choice\":{\"name\":\"f\"}", "offered first"},
      {"\"schema\":\"x\"", "schema of the answer"},
      {"\"schema\":[1]", "JSON object"},
      {"\"stop\":[1]", "\"stop\" must be"},
      {"\"stop\":5", "\"stop\" must be"},
      {"\"stop\":{\"a\":\"b\"}", "\"stop\" must be"},
      {"\"stop\":\"\"", "1 to 255"},
  };
  char request[512];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    (void)snprintf(request, sizeof request, "{\"tenant\":\"a\",\"user\":\"u\",%s}", rows[i][0]);
    refused(*state, request, rows[i][1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_content_read_parts__a_conversation_with_a_tool, fixture_set_up, fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_content_read_parts__plain_parts_are_plain_text, fixture_set_up, fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_content_read_wishes__all_of_them, fixture_set_up, fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_content_read__what_is_wrong_is_said, fixture_set_up, fixture_tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
