/* lib/providers/ollama.c; the usual cases are compared with Ollama's own SDK in tests/oracle. */
#include "support/codec_rows.h"

#define LINES "200 application/x-ndjson"
#define LINE(message, more) "{\"model\":\"m\",\"message\":{" message "},\"done\":false" more "}\n"
#define END(more) "{\"model\":\"m\",\"message\":{\"content\":\"\"},\"done\":true" more "}\n"

static void test_encode(void **state) {
  (void)state;
#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
  expect_target("ollama", "", "", "http://localhost:11434/api/chat", "authorization", "");
  expect_target("ollama", "\"key\":\"a-secret\",\"base_url\":\"https://ollama.com/api\"", "", "https://ollama.com/api/chat", "authorization", "Bearer a-secret");
  expect_request("ollama", "", "", "{\"model\":\"m\"," HI ",\"stream\":false}", 0);
  expect_request("ollama", "", "\"stream\":true,\"effort\":\"max\"", "{\"model\":\"m\"," HI ",\"think\":true,\"stream\":true}", 0);
  expect_request("ollama", "", "\"model\":\"gpt-oss\",\"effort\":\"max\"", "{\"model\":\"gpt-oss\"," HI ",\"think\":\"high\",\"stream\":false}", 0);
  expect_request("ollama", "", "\"tools\":[{\"name\":\"f\"}],\"tool_choice\":\"none\"", "{\"model\":\"m\"," HI ",\"stream\":false}", 0);
  expect_request("ollama", "", "\"tools\":[{\"name\":\"f\"}],\"tool_choice\":\"any\"", "{\"model\":\"m\"," HI ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}],\"stream\":false}", 1);
  expect_request("ollama", "", "\"turns\":[{\"role\":\"user\",\"parts\":[{\"kind\":\"image_url\",\"text\":\"https://h/a.png\"}]}]", "!UNSUPPORTED images by URL", 0);
  expect_request("ollama", "", "\"turns\":[{\"role\":\"assistant\",\"parts\":[{\"kind\":\"reasoning\",\"text\":\"R\"},{\"kind\":\"text\",\"text\":\"a\"}]}]", "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"thinking\":\"R\"}],\"stream\":false}", 0);
}

static void test_decode__streams(void **state) {
  (void)state;
  EXPECT_ANSWER("ollama", "", LINES, LINE("\"content\":\"a\\ud83d\"", "") LINE("\"content\":\"\\ude00b\"", "") END(",\"done_reason\":\"stop\",\"prompt_eval_count\":9,\"eval_count\":2") LINE("\"content\":\"no\"", "") "garbage\n",
                "OK stop [a\xF0\x9F\x98\x80" "b] {} <9,0,0,0,2,0>");
  EXPECT_ANSWER("ollama", "", LINES, "\r\n" LINE("\"content\":\"a\"", "") "{\"message\":{\"content\":\"b\"},\"done\":true}", "OK stop [ab] {} -"); /* no line end, no tokens */
  EXPECT_ANSWER("ollama", "", LINES, LINE("\"thinking\":\"R\",\"content\":\"\"", "") LINE("\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":[1.50]}}}]", "") END(""), "OK tool_calls [] {R} f({\"a\":[1.50]}) -");
  EXPECT_ANSWER("ollama", "", LINES, LINE("\"content\":\"a\"", "") END(",\"done_reason\":\"length\""), "OK length [a] {} -");
  EXPECT_ANSWER("ollama", "", LINES, LINE("\"content\":\"a\"", "") END(",\"done_reason\":\"unload\""), "OK stop [a] {} - ~1");
  EXPECT_ANSWER("ollama", "", LINES, LINE("\"content\":\"a\"", ""), "TRUNCATED none [a] {} -");
  EXPECT_ANSWER("ollama", "", LINES, LINE("\"content\":\"a\"", "") "{\"model\":\"m\",\"mess", "TRUNCATED none [a] {} -");
  EXPECT_ANSWER("ollama", "", LINES, LINE("\"content\":\"a\"", "") "{\"model\":,}\n" END(""), "RESPONSE none [a] {} -");
  EXPECT_ANSWER("ollama", "", LINES, LINE("\"content\":\"a\"", "") "{\"error\":\"CUDA error\"}\n" END(""), "PROVIDER_BUSY none [a] {} -");
  EXPECT_ANSWER("ollama", "", LINES, "", "TRUNCATED none [] {} -");
  EXPECT_FAILURE("ollama", "", LINES, "{\"error\":\"the input length exceeds the context length\"}\n", "CONTEXT_WINDOW 200 -1 -1 0 the input length exceeds the context length");
}

static void test_decode__whole_and_errors(void **state) {
  (void)state;
  EXPECT_ANSWER("ollama", "", "200 application/json", "{\"message\":{\"content\":\"a\"},\"done\":false}", "RESPONSE none [a] {} -");
  EXPECT_FAILURE("ollama", "", "404 application/json", "{\"error\":\"model 'x' not found\"}", "PROVIDER_MODEL 404 -1 -1 0 model 'x' not found");
  EXPECT_FAILURE("ollama", "", "400 application/json", "{\"error\":\"model 'x' not found, try pulling it first\"}", "PROVIDER_MODEL 400 -1 -1 0 model 'x' not found, try pulling it first");
  EXPECT_FAILURE("ollama", "", "503 application/json", "{\"error\":\"server busy\"}", "PROVIDER_BUSY 503 -1 -1 0 server busy");
}

static void test_out_of_memory(void **state) {
  (void)state;
  expect_request_without_memory("ollama", "", "\"system\":\"S\",\"schema\":{\"a\":1},\"tools\":[{\"name\":\"f\"}],\"temperature\":0.5,\"turns\":[{\"role\":\"user\",\"parts\":[{\"kind\":\"text\",\"text\":\"a\"},{\"kind\":\"text\",\"text\":\"b\"}]}]");
  expect_answer_without_memory("ollama", LINES, LINE("\"thinking\":\"\\n\",\"content\":\"\\n\",\"tool_calls\":[{\"function\":{\"name\":\"f\\n\",\"arguments\":{}}}]", "") END(""));
}

#define TURNS \
  "[{\"role\":\"user\",\"parts\":[{\"kind\":\"text\",\"text\":\"Q\"},{\"kind\":\"image\",\"media_type\":\"image/png\",\"text\":\"iVBO" \
  "Rw0=\"}]},{\"role\":\"assistant\",\"parts\":[{\"kind\":\"reasoning\",\"text\":\"R\",\"signature\":\"s1\"},{\"kind\":\"reasoning\"," \
  "\"redacted\":true,\"signature\":\"s2\"},{\"kind\":\"reasoning\",\"text\":\"unsigned\"},{\"kind\":\"text\",\"text\":\"A\"},{\"kind" \
  "\":\"tool_call\",\"id\":\"c1\",\"name\":\"f\",\"text\":\"{\\\"a\\\": 1}\",\"signature\":\"s3\"},{\"kind\":\"tool_call\",\"id\":\"c" \
  "2\",\"name\":\"g\"}]},{\"role\":\"tool\",\"parts\":[{\"kind\":\"tool_result\",\"id\":\"c1\",\"name\":\"f\",\"text\":\"{\\\"b\\\":2" \
  "}\"},{\"kind\":\"tool_result\",\"id\":\"c2\",\"name\":\"g\",\"text\":\"bad\",\"is_error\":true},{\"kind\":\"text\",\"text\":\"note" \
  "d\",\"cache\":true}]}]"
static void test_encode__all_there_is(void **state) {
  (void)state;
  expect_request("ollama", "", EVERYTHING ",\"turns\":" TURNS,
                 "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"S \\\"q\\\"\"},{\"role\":\"user\",\"content\":\"Q\",\"images\":["
                 "\"iVBORw0=\"]},{\"role\":\"assistant\",\"content\":\"A\",\"thinking\":\"R\\n\\nunsigned\",\"tool_calls\":[{\"function\":{\"name\":"
                 "\"f\",\"arguments\":{\"a\": 1}}},{\"function\":{\"name\":\"g\",\"arguments\":{}}}]},{\"role\":\"tool\",\"content\":\"{\\\"b\\\":2}"
                 "\",\"tool_name\":\"f\"},{\"role\":\"tool\",\"content\":\"bad\",\"tool_name\":\"g\"},{\"role\":\"user\",\"content\":\"noted\"}],\"t"
                 "ools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"D\",\"parameters\":{\"type\":\"object\"}}},{\"type"
                 "\":\"function\",\"function\":{\"name\":\"g\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}],\"format\":{\"type\":\"obj"
                 "ect\"},\"think\":true,\"options\":{\"temperature\":0.5,\"num_predict\":9,\"stop\":[\"x\"]},\"stream\":true}", 0);
  expect_request_without_memory("ollama", "", EVERYTHING ",\"turns\":" TURNS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_encode__all_there_is),
    cmocka_unit_test(test_encode),
    cmocka_unit_test(test_decode__streams),
    cmocka_unit_test(test_decode__whole_and_errors),
    cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
