/* Nothing of a request is dropped without a word: what has no effect is told, what is wrong is refused with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_scene.h"

#define CHAT(more) "{\"model\":\"aiorch\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello?\"}]" more "}"
#define CHAT_SAYS(messages) "{\"model\":\"aiorch\",\"messages\":[" messages "]}"
#define MESSAGE(more) "{\"model\":\"aiorch\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"Hello?\"}]" more "}"
#define MESSAGE_SAYS(messages) "{\"model\":\"aiorch\",\"max_tokens\":9,\"messages\":[" messages "]}"
#define PIXEL "data:image/png;base64,iVBORw0="

static wire_scene s;

static void open_wire(const wire *w) {
  scene_open(&s, w, NULL, NULL);
  s.pieces[0] = "Hello.";
}

typedef struct row {
  const char *body;
  const char *words; /* of the one warning; NULL: there is none */
} row;

static void expect_warnings(const wire *w, const row *rows, size_t count) {
  char want[256];
  open_wire(w);
  for (size_t i = 0; i < count; i++) {
    const char *out = scene_ask(&s, rows[i].body);
    if (!rows[i].words) {
      assert_has_not(out, "\"warnings\"");
      continue;
    }
    snprintf(want, sizeof want, "\"warnings\":[\"%s\"]", rows[i].words);
    assert_has(out, want);
  }
  scene_close(&s);
}

#define EXPECT_WARNINGS(wire, rows) expect_warnings(wire, rows, sizeof(rows) / sizeof(rows)[0])

static void test_chat__what_has_no_effect_is_told(void **state) {
  (void)state;
  static const row rows[] = {
      {CHAT(",\"user\":\"eve\""), "\\\"user\\\" has no effect here: who calls is known by the key"},
      {CHAT(",\"store\":true"), "\\\"store\\\" has no effect here"},
      {CHAT(",\"metadata\":{\"a\":\"b\"}"), "\\\"metadata\\\" has no effect here"},
      {CHAT(",\"service_tier\":\"priority\""), "\\\"service_tier\\\" has no effect here"},
      {CHAT(",\"prediction\":{\"type\":\"content\"}"), "\\\"prediction\\\" has no effect here"},
      {CHAT(",\"max_tokens\":5,\"max_completion_tokens\":6"), "\\\"max_tokens\\\" has no effect beside \\\"max_completion_tokens\\\""},
      {CHAT(",\"user\":\"\",\"store\":false,\"metadata\":{},\"service_tier\":\"auto\",\"n\":1,\"logprobs\":false,\"prediction\":null"), NULL},
      {CHAT(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":true}}]"), "\\\"tools[].function.strict\\\" has no effect here"},
      {CHAT(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":false,\"parameters\":{\"type\":\"object\",\"x\":1}}}]"), NULL},
      {CHAT(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{},\"strict\":true}}"), NULL},
      {CHAT(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{},\"strict\":false}}"),
       "\\\"response_format.json_schema.strict\\\" has no effect here"},
      {CHAT_SAYS("{\"role\":\"user\",\"content\":\"a\",\"name\":\"eve\"},{\"role\":\"user\",\"content\":\"b\",\"name\":\"bob\"}"),
       "\\\"messages[].name\\\" has no effect here"},
      {CHAT_SAYS("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"" PIXEL
                 "\",\"detail\":\"high\"}}]}"), "\\\"messages[].content[].image_url.detail\\\" has no effect here"},
      {CHAT_SAYS("{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\",\"annotations\":[],\"refusal\":null,\"audio\":null},"
                 "{\"role\":\"user\",\"content\":\"c\"}"), NULL},
      {CHAT_SAYS("{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\",\"thinking_blocks\":[1]},"
                 "{\"role\":\"user\",\"content\":\"c\"}"), "\\\"messages[].thinking_blocks\\\" has no effect here"},
  };
  EXPECT_WARNINGS(&wire_openai_chat, rows);
}

static void test_messages__what_has_no_effect_is_told(void **state) {
  (void)state;
  static const row rows[] = {
      {MESSAGE(",\"metadata\":{\"user_id\":\"eve\"}"), "\\\"metadata\\\" has no effect here: who calls is known by the key"},
      {MESSAGE(",\"service_tier\":\"standard_only\",\"metadata\":{}"), NULL},
      {MESSAGE(",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024,\"display\":\"omitted\"}"), "\\\"thinking.display\\\" has no effect here"},
      {MESSAGE(",\"tools\":[{\"name\":\"f\",\"input_schema\":{},\"cache_control\":{\"type\":\"ephemeral\"}}]"),
       "\\\"tools[].cache_control\\\" has no effect here"},
      {MESSAGE(",\"system\":[{\"type\":\"text\",\"text\":\"x\",\"citations\":{\"enabled\":true}}]"), "\\\"system[].citations\\\" has no effect here"},
      {MESSAGE_SAYS("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}]}"),
       "\\\"ttl\\\" of a mark in a message has no effect: that of the system text holds for all"},
      {MESSAGE_SAYS("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":{\"type\":\"ephemeral\"}}]}"), NULL},
      {MESSAGE_SAYS("{\"role\":\"user\",\"content\":\"a\",\"id\":\"m1\"}"), "\\\"messages[].id\\\" has no effect here"},
  };
  EXPECT_WARNINGS(&wire_anthropic_messages, rows);
}

static void test_ask__other_members_are_told(void **state) {
  (void)state;
  static const row rows[] = {
      {"{\"message\":\"Hello?\",\"user_id\":\"eve\"}", "\\\"user_id\\\" has no effect here"},
      {"{\"message\":\"Hello?\",\"system\":\"Be brief.\",\"stream\":null,\"aiorch\":{\"cache\":\"off\"}}", NULL},
      {"{\"message\":\"Hello?\",\"b\\\"\\n\":1}", "\\\"b\\\"\\n\\\" has no effect here"},
  };
  EXPECT_WARNINGS(&wire_ask, rows);
  open_wire(&wire_ask);
  scene_refused(&s, "{\"message\":\"a\",\"message\":\"b\"}", 400, "message", "twice");
  scene_refused(&s, "{\"message\":\"a\",\"stream\":1}", 400, "stream", "true or false");
  scene_refused(&s, "{\"message\":\"a\",\"system\":1}", 400, "system", "a text");
  scene_refused(&s, "{\"message\":1}", 400, "message", "no text");
  scene_refused(&s, "{\"message\":\"a\",\"aiorch\":{\"tenant\":\"x\"}}", 400, "aiorch", "\"tenant\"");
  assert_has(scene_ask(&s, "{\"message\":\"a\",\"stream\":true,\"tenant\":\"x\"}"), "\"warnings\":[\"\\\"tenant\\\" has no effect here\"]");
  scene_close(&s);
}

/* The last word of two is another reader's first. */
static void test_members__that_come_twice_are_refused(void **state) {
  (void)state;
  open_wire(&wire_openai_chat);
  scene_refused(&s, CHAT(",\"stream\":false,\"stream\":false"), 400, "stream", "twice");
  scene_refused(&s, CHAT_SAYS("{\"role\":\"user\",\"role\":\"system\",\"content\":\"a\"}"), 400, "messages[0].role", "twice");
  scene_refused(&s, CHAT_SAYS("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"text\":\"b\"}]}"), 400, "messages[0].content[0].text", "twice");
  scene_refused(&s, CHAT(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"name\":\"g\"}}]"), 400, "tools[0].function.name", "twice");
  scene_refused(&s, CHAT(",\"aiorch\":{\"cache\":\"off\",\"cache\":\"on\"}"), 400, "aiorch", "twice");
  scene_refused(&s, CHAT(",\"aiorch\":{\"cache\":{\"mode\":\"off\",\"mode\":\"on\"}}"), 400, "aiorch.cache", "twice");
  scene_close(&s);
  open_wire(&wire_anthropic_messages);
  scene_refused(&s, MESSAGE_SAYS("{\"role\":\"user\",\"content\":\"a\",\"content\":\"b\"}"), 400, "messages[0].content", "twice");
  scene_refused(&s, MESSAGE(",\"thinking\":{\"type\":\"disabled\",\"type\":\"adaptive\"}"), 400, "thinking.type", "twice");
  scene_close(&s);
}

static void test_members__of_another_type_are_refused(void **state) {
  (void)state;
  open_wire(&wire_openai_chat);
  scene_refused(&s, CHAT(",\"tools\":{}"), 400, "tools", "a list");
  scene_refused(&s, CHAT(",\"seed\":\"5\""), 400, "seed", "a number");
  scene_refused(&s, CHAT(",\"parallel_tool_calls\":\"no\""), 400, "parallel_tool_calls", "true or false");
  scene_refused(&s, CHAT(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":5}}]"), 400, "tools[0].function.description", "a text");
  scene_refused(&s, CHAT(",\"tools\":[{\"type\":\"function\",\"function\":{\"description\":\"x\"}}]"), 400, "tools[0].function.name", "has a name");
  scene_refused(&s, CHAT(",\"tools\":[7]"), 400, "tools[0].type", "function");
  scene_refused(&s, CHAT_SAYS("7"), 400, "messages[0].role", "must be");
  scene_refused(&s, CHAT_SAYS("{\"role\":\"user\",\"content\":[7]}"), 400, "messages[0].content[0]", "object");
  scene_refused(&s, CHAT_SAYS("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{}}]}"), 400, "messages[0].content[0].type", "not served");
  scene_refused(&s, CHAT_SAYS("{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{}}]}"), 400, "messages[0].content[0].type", "not served");
  scene_refused(&s, CHAT_SAYS("{\"role\":\"assistant\",\"content\":\"a\",\"function_call\":{}}"), 400, "messages[0].function_call", "tool_calls");
  assert_string_equal(s.why.code, "unsupported_parameter");
  scene_close(&s);
  open_wire(&wire_anthropic_messages);
  scene_refused(&s, MESSAGE(",\"stream\":\"yes\""), 400, "stream", "true or false");
  scene_refused(&s, MESSAGE(",\"tool_choice\":\"auto\""), 400, "tool_choice", "an object");
  scene_refused(&s, MESSAGE(",\"inference_geo\":\"eu\""), 400, "inference_geo", "anthropic");
  scene_refused(&s, MESSAGE(",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"2h\"}"), 400, "cache_control", "\"1h\"");
  scene_refused(&s, MESSAGE_SAYS("{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"is_error\":\"yes\"}]}"), 400,
                "messages[0].content[0].is_error", "true or false");
  scene_close(&s);
}

static void test_warnings__are_64_at_most(void **state) {
  cli_bytes body = {0};
  (void)state;
  open_wire(&wire_openai_chat);
  cli_addz(&body, "{\"model\":\"aiorch\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello?\"");
  for (int i = 0; i < 300; i++) cli_addf(&body, ",\"x%d\":%d", i, i);
  cli_addz(&body, "}]}");
  const char *out = scene_ask(&s, cli_z(&body));
  assert_has(out, "messages[].x63");
  assert_has_not(out, "messages[].x64");
  cli_release(&body);
  scene_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_chat__what_has_no_effect_is_told),     cmocka_unit_test(test_messages__what_has_no_effect_is_told),
      cmocka_unit_test(test_ask__other_members_are_told),          cmocka_unit_test(test_members__that_come_twice_are_refused),
      cmocka_unit_test(test_members__of_another_type_are_refused), cmocka_unit_test(test_warnings__are_64_at_most),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
