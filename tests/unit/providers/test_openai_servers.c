/* lib/providers/openai_servers.c: who is who, and what errors without a code of OpenAI's mean. */
#include "providers/openai_servers.h"
#include "support/codec_rows.h"

static const char *name_of(const char *name, const char *base_url) {
  const aio__openai_server *server = aio__openai_server_find(aio__str_z(name), aio__str_z(base_url));
  return server ? server->name : "none";
}

static void test_find__by_name_and_host(void **state) {
  (void)state;
  static const char *const rows[][3] = {{"", "", "openai"},
                                        {"", "https://api.openai.com/v1", "openai"},
                                        {"", "https://eu.api.openai.com/v1", "openai"},
                                        {"", "https://res.openai.azure.com/openai/v1/", "azure"},
                                        {"", "https://openrouter.ai/api/v1", "openrouter"},
                                        {"", "https://api.groq.com/openai/v1", "groq"},
                                        {"", "https://api.mistral.ai/v1", "mistral"},
                                        {"", "https://api.deepseek.com", "deepseek"},
                                        {"", "https://api.together.xyz/v1", "together"},
                                        {"", "https://api.x.ai/v1", "xai"},
                                        {"", "https://generativelanguage.googleapis.com/v1beta/openai/", "gemini"},
                                        {"", "http://127.0.0.1:8000/v1", "compatible"},
                                        {"", "https://api.openai.com.evil.example/v1", "compatible"},
                                        {"", "nonsense", "compatible"},
                                        {"llama.cpp", "https://api.openai.com/v1", "llama.cpp"},
                                        {"nope", "", "none"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) assert_string_equal(name_of(rows[i][0], rows[i][1]), rows[i][2]);
}

static void test_fail__codes_and_words(void **state) {
  (void)state;
#define ERROR(head, server, error, want) EXPECT_FAILURE("openai", "\"server\":\"" server "\"", head, "{\"error\":" error "}", want)
  ERROR("429 application/json", "openai", "{\"message\":\"m\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}", "PROVIDER_KEY 429 -1 -1 1 m");
  ERROR("429 application/json", "openai", "{\"message\":\"m\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}", "PROVIDER_LIMIT 429 -1 -1 0 m");
  ERROR("429 application/json", "openai", "{\"message\":\"Limit 200 requests per day (RPD)\",\"code\":\"rate_limit_exceeded\"}", "PROVIDER_LIMIT 429 -1 -1 1 Limit 200 requests per day (RPD)");
  ERROR("429 application/json", "openrouter", "{\"message\":\"Rate limit exceeded: free-models-per-day\",\"code\":429}", "PROVIDER_LIMIT 429 -1 -1 1 Rate limit exceeded: free-models-per-day");
  ERROR("400 application/json", "azure", "{\"message\":\"m\",\"code\":\"content_filter\"}", "PROVIDER_REJECTED 400 -1 -1 0 m");
  ERROR("404 application/json", "azure", "{\"message\":\"m\",\"code\":\"DeploymentNotFound\"}", "PROVIDER_MODEL 404 -1 -1 0 m");
  ERROR("403 application/json", "openai", "{\"message\":\"Country not supported\",\"code\":\"unsupported_country_region_territory\"}", "PROVIDER_KEY 403 -1 -1 0 Country not supported");
  ERROR("403 application/json", "openrouter", "{\"message\":\"flagged\",\"code\":403,\"metadata\":{\"flagged_input\":\"x\"}}", "PROVIDER_REJECTED 403 -1 -1 0 flagged");
  ERROR("403 application/json", "together", "{\"message\":\"inputs tokens exceed\"}", "CONTEXT_WINDOW 403 -1 -1 0 inputs tokens exceed");
  ERROR("403 application/json", "together", "{\"message\":\"no access\"}", "PROVIDER_KEY 403 -1 -1 0 no access");
  ERROR("413 application/json", "groq", "{\"message\":\"m\",\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}", "PROVIDER_LIMIT 413 -1 0 0 m");
  ERROR("400 application/json", "groq", "{\"message\":\"Please reduce the length of the messages or completion.\",\"code\":\"context_length_exceeded\"}", "CONTEXT_WINDOW 400 -1 -1 0 Please reduce the length of the messages or completion.");
  ERROR("400 application/json", "openrouter", "{\"message\":\"This endpoint's maximum context length is 128000 tokens.\",\"code\":400}", "CONTEXT_WINDOW 400 -1 -1 0 This endpoint's maximum context length is 128000 tokens.");
  ERROR("429 application/json", "openai", "{\"message\":\"tokens per min, reduce the context length\"}", "PROVIDER_LIMIT 429 -1 -1 0 tokens per min, reduce the context length");
  ERROR("400 application/json", "xai", "\"Incorrect API key provided: xa***yz. You can obtain one.\"", "PROVIDER_KEY 400 -1 -1 0 Incorrect API key provided: [key] You can obtain one.");
  ERROR("400 application/json", "deepseek", "{\"message\":\"Model Not Exist\",\"type\":\"invalid_request_error\"}", "PROVIDER_MODEL 400 -1 -1 0 Model Not Exist");
  ERROR("400 application/json", "openrouter", "{\"message\":\"a/b is not a valid model ID\",\"code\":400}", "PROVIDER_MODEL 400 -1 -1 0 a/b is not a valid model ID");
  ERROR("400 application/json", "openai", "{\"message\":\"tools[0].name: 'Incorrect API key provided' is none\"}", "PROVIDER_REJECTED 400 -1 -1 0 tools[0].name: 'Incorrect API key provided' is none");
  ERROR("400 application/json", "openai", "{\"message\":\"'x is not a valid model ID' has no schema\"}", "PROVIDER_REJECTED 400 -1 -1 0 'x is not a valid model ID' has no schema");
  ERROR("401 application/json", "vllm", "\"Unauthorized\"", "PROVIDER_KEY 401 -1 -1 0 Unauthorized");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_find__by_name_and_host),
    cmocka_unit_test(test_fail__codes_and_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
