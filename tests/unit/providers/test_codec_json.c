/* lib/providers/codec_json.c: what is checked once for all codecs, and options of the user's own. */
#include "support/codec_rows.h"

#define PART(role, part) "\"turns\":[{\"role\":\"" role "\",\"parts\":[" part "]}]"

static void test_encode__what_cannot_be_asked(void **state) {
  (void)state;
  static const char *const codecs[] = {"anthropic", "openai", "gemini", "ollama"};
  static const char *const rows[][2] = {
      {"\"model\":\"\"", "!INVALID no model"},
      {"\"turns\":[]", "!INVALID no message"},
      {"\"turns\":[{\"role\":\"user\",\"text\":\"\"}]", "!INVALID turn 0 is empty"},
      {"\"turns\":[{\"role\":\"user\",\"parts\":[]}]", "!INVALID turn 0 is empty"},
      {"\"turns\":[{\"role\":\"system\",\"text\":\"x\"}]", "!INVALID turn 0: its role"},
      {PART("assistant", "{\"kind\":\"image\",\"media_type\":\"image/png\",\"text\":\"AAAA\"}"), "!INVALID images belong to turns of the user"},
      {PART("assistant", "{\"kind\":\"image_url\",\"text\":\"https://h/a\"}"), "!INVALID images belong to turns of the user"},
      {PART("user", "{\"kind\":\"image\",\"media_type\":\"text/html\",\"text\":\"AAAA\"}"), "!INVALID media type"},
      {PART("user", "{\"kind\":\"image\",\"media_type\":\"image/a\\\"b\",\"text\":\"AAAA\"}"), "!INVALID media type"},
      {PART("user", "{\"kind\":\"image\",\"media_type\":\"image/png\",\"text\":\"A\\\"AA\"}"), "!INVALID not base64"},
      {PART("user", "{\"kind\":\"image\",\"media_type\":\"image/png\",\"text\":\"==\"}"), "!INVALID not base64"},
      {PART("user", "{\"kind\":\"image_url\",\"text\":\"file:///etc/passwd\"}"), "!INVALID the URL of an image"},
      {PART("user", "{\"kind\":\"tool_call\",\"name\":\"f\"}"), "!INVALID tool calls belong"},
      {PART("assistant", "{\"kind\":\"tool_call\"}"), "!INVALID names no tool"},
      {PART("user", "{\"kind\":\"tool_result\",\"id\":\"1\"}"), "!INVALID results of tools"},
      {PART("user", "{\"kind\":\"reasoning\",\"text\":\"x\"}"), "!INVALID reasoning belongs"},
      {PART("user", "{\"kind\":\"hologram\"}"), "!INVALID a part of no kind"},
      {"\"tools\":[{\"name\":\"\"}]", "!INVALID tool 0 has no name"},
      {"\"tool_choice\":\"any\"", "!INVALID there is none"},
      {"\"schema\":[1]", "!INVALID the schema of the answer: this is no JSON object"},
      {"\"schema\":\"{\\\"a\\\":\"", "!INVALID (byte 5)"},
      {"\"tools\":[{\"name\":\"f\",\"schema\":\"nope\"}]", "!INVALID the schema of f"},
      {"\"stops\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]", "!TOO_LARGE more than 16 stop"},
      {"\"provider_options\":[]", "!CONFIG provider_options is no JSON object"},
      {"\"provider_options\":{\"a\":1,\"a\":2}", "!CONFIG twice"},
  };
  for (size_t k = 0; k < 4; k++) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) expect_request(codecs[k], "", rows[i][0], rows[i][1], 0);
    expect_request(codecs[k], "\"base_url\":\"ftp://h\"", "", "!CONFIG begins neither", 0);
    expect_request(codecs[k], "\"key\":\"se\\ncret\"", "", "!CONFIG was a line feed copied", 0);
    expect_request(codecs[k], "\"headers\":{\"a b\":\"c\"}", "", "!CONFIG a header's name", 0);
  }
  static const char *const callers[] = {"anthropic", "gemini", "ollama"}; /* to OpenAI the arguments are a text */
  for (size_t k = 0; k < 3; k++) {
    expect_request(callers[k], "", PART("assistant", "{\"kind\":\"tool_call\",\"id\":\"1\",\"name\":\"f\",\"text\":\"[1]\"}"), "!INVALID the arguments of f: this is no JSON object", 0);
  }
}

/* A picture is part of the result that it came with, where a service has room for that; else it follows all results. */
static void test_encode__pictures_of_tools(void **state) {
  (void)state;
#define PICTURE "{\"kind\":\"image\",\"media_type\":\"image/png\",\"text\":\"AAAA\"}"
  static const char request[] =
      "\"max_tokens\":9,\"turns\":[{\"role\":\"user\",\"text\":\"Q\"},{\"role\":\"assistant\",\"parts\":[{\"kind\":\"tool_call\",\"id\":\"c1\",\"name\":\"f\"},{\"kind\":"
      "\"tool_call\",\"id\":\"c2\",\"name\":\"f\"}]},{\"role\":\"tool\",\"parts\":[{\"kind\":\"tool_result\",\"id\":\"c1\",\"name\":\"f\",\"text\":\"A\"}," PICTURE
      ",{\"kind\":\"tool_result\",\"id\":\"c2\",\"name\":\"f\",\"text\":\"\"}," PICTURE "]}]";
#define BLOCK "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"AAAA\"}}"
  expect_request("anthropic", "", request,
                 "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c1\","
                 "\"name\":\"f\",\"input\":{}},{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"f\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
                 "\"tool_use_id\":\"c1\",\"content\":[{\"type\":\"text\",\"text\":\"A\"}," BLOCK "]},{\"type\":\"tool_result\",\"tool_use_id\":\"c2\",\"content\":[" BLOCK "]}]}]}", 0);
#define URL "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}"
#define CALL(id) "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"
  expect_request("openai", "", request,
                 "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" CALL("c1") "," CALL("c2") "]},"
                 "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"A\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"\"},"
                 "{\"role\":\"user\",\"content\":[" URL "," URL "]}],\"max_completion_tokens\":9}", 0);
  expect_request("ollama", "", request,
                 "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\","
                 "\"arguments\":{}}},{\"function\":{\"name\":\"f\",\"arguments\":{}}}]},{\"role\":\"tool\",\"content\":\"A\",\"tool_name\":\"f\"},{\"role\":\"tool\",\"content\":\"\","
                 "\"tool_name\":\"f\"},{\"role\":\"user\",\"content\":\"\",\"images\":[\"AAAA\",\"AAAA\"]}],\"options\":{\"num_predict\":9},\"stream\":false}", 0);
#define INLINE "{\"inlineData\":{\"data\":\"AAAA\",\"mimeType\":\"image/png\"}}"
  expect_request("gemini", "", request,
                 "{\"contents\":[{\"parts\":[{\"text\":\"Q\"}],\"role\":\"user\"},{\"parts\":[{\"functionCall\":{\"id\":\"c1\",\"name\":\"f\",\"args\":{}}},{\"functionCall\":"
                 "{\"id\":\"c2\",\"name\":\"f\",\"args\":{}}}],\"role\":\"model\"},{\"parts\":[{\"functionResponse\":{\"id\":\"c1\",\"name\":\"f\",\"response\":{\"output\":\"A\"}}}," INLINE
                 ",{\"functionResponse\":{\"id\":\"c2\",\"name\":\"f\",\"response\":{\"output\":\"\"}}}," INLINE "],\"role\":\"user\"}],\"generationConfig\":{\"maxOutputTokens\":9}}", 0);
}

static void test_encode__options_win(void **state) {
  (void)state;
  expect_request("ollama", "", "\"max_tokens\":5,\"provider_options\":{\"stream\":true,\"options\":{\"num_ctx\":8192,\"num_predict\":6},\"keep_alive\":-1}",
                 "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"options\":{\"num_predict\":6,\"num_ctx\":8192},\"stream\":true,\"keep_alive\":-1}", 0);
}

static void test_encode__text_that_is_no_utf8(void **state) {
  (void)state;
  aio__codec_request r = {.model = AIO__LIT("m"), .temperature = -1};
  const aio__part part = {.kind = AIO__PART_TEXT, .text = AIO__LIT("a\xFF\0b")};
  const aio__turn turn = {.role = AIORCH_ROLE_USER, .parts = &part, .part_count = 1};
  const aio__codec_target target = {.key = {"", 0}};
  r.turns = &turn;
  r.turn_count = 1;
  collector c;
  aio__wire_request wire;
  collector_init(&c);
  aio__wire_request_init(&wire, aio__alloc_default());
  assert_int_equal(aio__codec_encode(&aio__codec_ollama, &r, &target, &c.sink, &wire, NULL), AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&wire.body), "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\xEF\xBF\xBD\\u0000b\"}],\"stream\":false}");
  aio__wire_request_free(&wire);
  collector_free(&c);
}

static void test_encode__the_caller_may_end_it_at_a_warning(void **state) {
  (void)state;
  neutral n;
  collector c;
  aio__wire_request wire;
  static const char json[] = "{\"codec\":\"openai\",\"request\":{\"model\":\"gpt-6-sol\",\"temperature\":0.5,\"turns\":[{\"role\":\"user\",\"text\":\"Hi\"}]}}";
  assert_true(neutral_read(&n, aio__str_z(json)));
  collector_init(&c);
  c.fail_at = 1;
  c.fail_with = AIORCH_E_CANCELLED;
  aio__wire_request_init(&wire, aio__alloc_default());
  assert_int_equal(aio__codec_encode(n.codec, &n.request, &n.target, &c.sink, &wire, NULL), AIORCH_E_CANCELLED);
  aio__wire_request_free(&wire);
  collector_free(&c);
  neutral_free(&n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_encode__what_cannot_be_asked),
    cmocka_unit_test(test_encode__pictures_of_tools),
    cmocka_unit_test(test_encode__options_win),
    cmocka_unit_test(test_encode__text_that_is_no_utf8),
    cmocka_unit_test(test_encode__the_caller_may_end_it_at_a_warning),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
