/* lib/providers/openai.c: what each server is sent; the usual cases are compared with the SDK in tests/oracle. */
#include "support/codec_rows.h"

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"

static void test_encode__address_and_key(void **state) {
  (void)state;
  expect_target("openai", "\"key\":\"a-secret\"", "", "https://api.openai.com/v1/chat/completions", "authorization", "Bearer a-secret");
  expect_target("openai", "\"server\":\"groq\"", "", "https://api.groq.com/openai/v1/chat/completions", "authorization", "");
  expect_target("openai", "\"server\":\"deepseek\"", "", "https://api.deepseek.com/chat/completions", NULL, NULL);
  expect_target("openai", "\"base_url\":\"http://localhost:8000/v1\"", "", "http://localhost:8000/v1/chat/completions", NULL, NULL);
  expect_target("openai", "\"key\":\"a-secret\",\"base_url\":\"https://r.openai.azure.com/openai/deployments/d?api-version=1\"", "",
                "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", "api-key", "a-secret");
  expect_target("openai", "\"headers\":{\"OpenAI-Organization\":\"org\"}", "", "https://api.openai.com/v1/chat/completions", "openai-organization", "org");
  expect_request("openai", "\"server\":\"nope\"", "", "!CONFIG \"nope\" is no server that is known", 0);
  expect_request("openai", "\"server\":\"azure\"", "", "!CONFIG the server \"azure\" needs a base URL", 0);
}

static void test_encode__dialects(void **state) {
  (void)state;
  static const struct {
    const char *target, *request, *want;
    int warnings;
  } rows[] = {
      {"", "\"max_tokens\":5,\"stream\":true", "{\"model\":\"m\"," MESSAGES ",\"max_completion_tokens\":5,\"stream\":true,\"stream_options\":{\"include_usage\":true}}", 0},
      {"\"base_url\":\"http://localhost:8080\"", "\"max_tokens\":5,\"stream\":true", "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":5,\"stream\":true,\"stream_options\":{\"include_usage\":true}}", 0},
      {"\"base_url\":\"https://api.mistral.ai/v1\"", "\"max_tokens\":5,\"stream\":true,\"effort\":\"high\"", "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":5,\"stream\":true}", 1},
      {"\"server\":\"groq\"", "\"max_tokens\":5,\"effort\":\"high\"", "{\"model\":\"m\"," MESSAGES ",\"max_completion_tokens\":5,\"reasoning_effort\":\"high\"}", 0},
      {"\"server\":\"groq\"", "\"effort\":\"max\"", "{\"model\":\"m\"," MESSAGES "}", 1},
      {"\"base_url\":\"https://openrouter.ai/api/v1\"", "\"max_tokens\":5,\"effort\":\"low\"", "{\"model\":\"m\"," MESSAGES ",\"max_tokens\":5,\"reasoning\":{\"effort\":\"low\"}}", 0},
      {"\"server\":\"openrouter\"", "\"system\":\"S\",\"cache_system\":true", "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"S\",\"cache_control\":{\"type\":\"ephemeral\"}}]},{\"role\":\"user\",\"content\":\"Hi\"}]}", 0},
      {"\"server\":\"deepseek\"", "\"schema\":{\"type\":\"object\"}", "{\"model\":\"m\"," MESSAGES ",\"response_format\":{\"type\":\"json_object\"}}", 1},
      {"\"server\":\"deepseek\",\"refuse\":true", "\"schema\":{\"type\":\"object\"}", "!UNSUPPORTED takes no schema", 0},
      {"", "\"stops\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "{\"model\":\"m\"," MESSAGES ",\"stop\":[\"a\",\"b\",\"c\",\"d\"]}", 1},
      {"\"server\":\"vllm\"", "\"stops\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "{\"model\":\"m\"," MESSAGES ",\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}", 0},
      {"", "\"model\":\"gpt-6-sol\",\"temperature\":0.5", "{\"model\":\"gpt-6-sol\"," MESSAGES "}", 1},
      {"", "\"model\":\"gpt-6-sol\",\"temperature\":1", "{\"model\":\"gpt-6-sol\"," MESSAGES ",\"temperature\":1}", 0},
      {"\"server\":\"openrouter\"", "\"model\":\"openai/gpt-6-sol\",\"temperature\":0.5", "{\"model\":\"openai/gpt-6-sol\"," MESSAGES "}", 1},
      {"\"server\":\"vllm\"", "\"model\":\"gpt-6-sol\",\"temperature\":0.5", "{\"model\":\"gpt-6-sol\"," MESSAGES ",\"temperature\":0.5}", 0},
      {"", "\"model\":\"gpt-5.3-chat-latest\",\"temperature\":0.5", "{\"model\":\"gpt-5.3-chat-latest\"," MESSAGES ",\"temperature\":0.5}", 0},
      {"", "\"model\":\"gpt-4.1\",\"effort\":\"low\"", "{\"model\":\"gpt-4.1\"," MESSAGES "}", 1},
      {"", "\"model\":\"o3\",\"stops\":[\"x\"]", "{\"model\":\"o3\"," MESSAGES "}", 1},
      {"", "\"model\":\"gpt-6-astra\",\"effort\":\"none\"", "{\"model\":\"gpt-6-astra\"," MESSAGES "}", 1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) expect_request("openai", rows[i].target, rows[i].request, rows[i].want, rows[i].warnings);
}

static void test_encode__turns_that_servers_take_differently(void **state) {
  (void)state;
#define CALLED "\"turns\":[{\"role\":\"user\",\"text\":\"Q\"},{\"role\":\"assistant\",\"parts\":[{\"kind\":\"reasoning\",\"text\":\"R\",\"signature\":\"s\"},{\"kind\":\"tool_call\",\"id\":\"c1\",\"name\":\"f\"}]}," \
  "{\"role\":\"tool\",\"parts\":[{\"kind\":\"tool_result\",\"id\":\"c1\",\"name\":\"f\",\"text\":\"1\"},{\"kind\":\"text\",\"text\":\"noted\"}]}]"
#define CALL "\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]"
  expect_request("openai", "", CALLED, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":null," CALL "},"
                 "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"1\"},{\"role\":\"user\",\"content\":\"noted\"}]}", 0);
  expect_request("openai", "\"server\":\"deepseek\"", CALLED, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":null," CALL ",\"reasoning_content\":\"R\"},"
                 "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"1\"},{\"role\":\"user\",\"content\":\"noted\"}]}", 0);
  expect_request("openai", "\"server\":\"mistral\"", CALLED, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":null," CALL "},"
                 "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"name\":\"f\",\"content\":\"1\"},{\"role\":\"user\",\"content\":\"noted\"}]}", 0);
}

static void test_out_of_memory(void **state) {
  (void)state;
  expect_request_without_memory("openai", "\"key\":\"a-secret\"", CALLED ",\"system\":\"S\",\"schema\":{\"a\":1},\"tools\":[{\"name\":\"f\"}],\"temperature\":0.5,\"stops\":[\"x\"],\"provider_options\":{\"a\":1}");
}

static void test_encode__all_there_is(void **state) {
  (void)state;
  expect_request("openai", "", EVERYTHING ",\"tool_choice\":\"one\",\"tool_name\":\"f\"",
                 "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"S \\\"q\\\"\"},{\"role\":\"user\",\"content\":[{\"type\":\"text"
                 "\",\"text\":\"Q\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBORw0=\"}},{\"type\":\"image_url\",\"i"
                 "mage_url\":{\"url\":\"https://h/a.webp\"}}]},{\"role\":\"assistant\",\"content\":\"A\",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"f"
                 "unction\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\": 1}\"}},{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"nam"
                 "e\":\"g\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"{\\\"b\\\":2}\"},{\"role\":\"tool\",\""
                 "tool_call_id\":\"c2\",\"content\":\"bad\"},{\"role\":\"user\",\"content\":\"noted\"}],\"tools\":[{\"type\":\"function\",\"function"
                 "\":{\"name\":\"f\",\"description\":\"D\",\"parameters\":{\"type\":\"object\"}}},{\"type\":\"function\",\"function\":{\"name\":\"g"
                 "\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}"
                 ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{\"type\":\"object\"},\"strict\":true}}"
                 ",\"max_completion_tokens\":9,\"temperature\":0.5,\"stop\":[\"x\"],\"reasoning_effort\":\"high\",\"stream\":true,\"stream_options\""
                 ":{\"include_usage\":true}}", 0);
  expect_request_without_memory("openai", "", EVERYTHING ",\"tool_choice\":\"one\",\"tool_name\":\"f\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_encode__all_there_is),
    cmocka_unit_test(test_encode__address_and_key),
    cmocka_unit_test(test_encode__dialects),
    cmocka_unit_test(test_encode__turns_that_servers_take_differently),
    cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
