/* lib/providers/gemini.c; the usual cases are compared with the service's own SDK in tests/oracle. */
#include "support/codec_rows.h"

#define SSE "200 text/event-stream"
#define JSON "200 application/json"
#define PARTS(parts, more) "{\"candidates\":[{\"content\":{\"parts\":[" parts "]}" more "}]}"
#define STOP ",\"finishReason\":\"STOP\""

static void test_encode__address_and_key(void **state) {
  (void)state;
#define HOST "https://generativelanguage.googleapis.com"
  expect_target("gemini", "\"key\":\"a-secret\"", "\"model\":\"gemini-3-flash\"", HOST "/v1/models/gemini-3-flash:generateContent", "x-goog-api-key", "a-secret");
  expect_target("gemini", "\"version\":\"v1beta\"", "\"stream\":true", HOST "/v1beta/models/m:streamGenerateContent?alt=sse", "accept", "text/event-stream");
  expect_target("gemini", "\"base_url\":\"http://h/v1beta/\"", "\"model\":\"models/x\"", "http://h/v1beta/models/x:generateContent", NULL, NULL);
  expect_target("gemini", "\"base_url\":\"http://h/proxy\"", "\"model\":\"tunedModels/x\"", "http://h/proxy/v1/tunedModels/x:generateContent", NULL, NULL);
  expect_target("gemini", "", "\"model\":\"../../x?y\"", HOST "/v1/models/..%2F..%2Fx%3Fy:generateContent", NULL, NULL);
}

static void test_encode__thinking_by_model(void **state) {
  (void)state;
  static const struct {
    const char *model, *effort, *config;
    int warnings;
  } rows[] = {{"gemini-3-flash", "minimal", "{\"thinkingConfig\":{\"thinkingLevel\":\"MINIMAL\"}}", 0},
              {"gemini-3-flash", "max", "{\"thinkingConfig\":{\"thinkingLevel\":\"XHIGH\"}}", 0},
              {"gemini-3-pro", "minimal", "{}", 1},
              {"gemini-3.1-pro-preview", "none", "{}", 1},
              {"gemini-2.5-flash", "low", "{\"thinkingConfig\":{\"thinkingBudget\":1024}}", 0},
              {"gemini-2.5-flash", "none", "{\"thinkingConfig\":{\"thinkingBudget\":0}}", 0},
              {"gemini-2.5-pro", "none", "{}", 1},
              {"gemini-2.0-flash", "high", "{}", 1},
              {"gemini-2.0-flash", "none", "{}", 0}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char request[200], want[300];
    snprintf(request, sizeof request, "\"model\":\"%s\",\"effort\":\"%s\"", rows[i].model, rows[i].effort);
    snprintf(want, sizeof want, "{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}],\"role\":\"user\"}],\"generationConfig\":%s}", rows[i].config);
    expect_request("gemini", "", request, want, rows[i].warnings);
  }
}

static void test_encode__what_cannot_be_said(void **state) {
  (void)state;
  expect_request("gemini", "", "\"one_tool_at_a_time\":true,\"tools\":[{\"name\":\"f\"}]",
                 "{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}],\"role\":\"user\"}],\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]}],\"generationConfig\":{}}", 1);
  expect_request("gemini", "\"refuse\":true", "\"one_tool_at_a_time\":true,\"tools\":[{\"name\":\"f\"}]", "!UNSUPPORTED one at a time", 0);
}

static void test_decode__streams(void **state) {
  (void)state;
  EXPECT_ANSWER("gemini", "", SSE, "data: " PARTS("{\"text\":\"a\\ud83d\"}", "") "\r\n\r\ndata: " PARTS("{\"text\":\"\\ude00b\"}", STOP) "\r\n\r\n"
                "data: {\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":2}}\r\n\r\n", "OK stop [a\xF0\x9F\x98\x80" "b] {} <5,0,0,0,2,0>");
  EXPECT_ANSWER("gemini", "", SSE, "data: " PARTS("{\"text\":\"a\"}", "") "\n\n", "TRUNCATED none [a] {} -");
  EXPECT_ANSWER("gemini", "", SSE, "data: " PARTS("{\"text\":\"a\"}", ",\"finishReason\":\"FINISH_REASON_UNSPECIFIED\"") "\n\n", "TRUNCATED none [a] {} -");
  EXPECT_ANSWER("gemini", "", SSE, "data: " PARTS("{\"text\":\"a\"}", "") "\n\ndata: {\"error\":{\"code\":499,\"message\":\"Cancelled\"}}\n\n", "PROVIDER_BUSY none [a] {} -");
  EXPECT_ANSWER("gemini", "", SSE, "data: " PARTS("{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\": 1}}},{\"functionCall\":{\"name\":\"g\"}}", STOP) "\n\n", "OK tool_calls [] {} f({\"a\": 1})g({}) -");
  EXPECT_ANSWER("gemini", "", SSE, "data: " PARTS("{\"text\":\"R\",\"thought\":true},{\"later\":{}},{\"text\":\"a\"},null", STOP) "\n\n", "OK stop [a] {R} -");
}

static void test_decode__a_list_without_alt_sse(void **state) {
  (void)state;
  EXPECT_ANSWER("gemini", "", "200 text/plain", "[" PARTS("{\"text\":\"a\"}", "") ",\n" PARTS("{\"text\":\"b\"}", STOP) "]", "OK stop [ab] {} -");
  EXPECT_ANSWER("gemini", "", "200 text/plain", "[" PARTS("{\"text\":\"a\"}", "") "]", "RESPONSE none [a] {} -");
  EXPECT_ANSWER("gemini", "", "200 text/plain", "[" PARTS("{\"text\":\"a\"}", "") ",{\"error\":{\"code\":500,\"message\":\"m\"}}]", "PROVIDER_BUSY none [a] {} -");
  EXPECT_ANSWER("gemini", "", "200 text/plain", "{\"error\":{\"code\":401,\"message\":\"m\"}}", "PROVIDER_KEY none [] {} -");
}

static void test_decode__reasons_to_end(void **state) {
  (void)state;
  static const char *const rows[][2] = {{"MAX_TOKENS", "OK length [a] {} -"}, {"SAFETY", "OK content_filter [a] {} - ~1"}, {"SPII", "OK content_filter [a] {} - ~1"},
                                        {"IMAGE_RECITATION", "OK content_filter [a] {} - ~1"}, {"MALFORMED_FUNCTION_CALL", "OK error [a] {} - ~1"}, {"OTHER", "OK error [a] {} - ~1"},
                                        {"A_REASON_THAT_IS_YET_TO_COME_AND_HAS_A_NAME_LONGER_THAN_ALL_OF_THE_OTHERS", "OK error [a] {} - ~1"}, {"SAFET", "OK error [a] {} - ~1"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char body[400];
    int n = snprintf(body, sizeof body, PARTS("{\"text\":\"a\"}", ",\"finishReason\":\"%s\""), rows[i][0]);
    expect_answer("gemini", "", JSON, body, (size_t)n, rows[i][1]);
  }
  EXPECT_ANSWER("gemini", "", JSON, "{\"promptFeedback\":{\"blockReason\":\"JAILBREAK\"},\"usageMetadata\":{\"promptTokenCount\":3}}", "OK content_filter [] {} <3,0,0,0,0,0> ~1");
  EXPECT_ANSWER("gemini", "", JSON, "{\"candidates\":[{\"index\":1,\"finishReason\":\"STOP\"},{\"index\":0,\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\"}]}", "OK stop [a] {} -");
  EXPECT_ANSWER("gemini", "", JSON, "{\"candidates\":[]}", "RESPONSE none [] {} -");
  EXPECT_ANSWER("gemini", "", JSON, "7", "RESPONSE none [] {} -");
}

static void test_decode__errors(void **state) {
  (void)state;
#define DETAIL(type, more) "{\"@type\":\"type.googleapis.com/google.rpc." type "\"," more "}"
  EXPECT_FAILURE("gemini", "", "429 application/json", "{\"error\":{\"code\":429,\"message\":\"m\",\"details\":[" DETAIL("RetryInfo", "\"retryDelay\":\"1.5s\"") "," DETAIL("QuotaFailure", "\"violations\":[{\"quotaId\":\"A\"},{\"quotaId\":\"XPerDayY\"}]") "]}}", "PROVIDER_LIMIT 429 1500 -1 1 m");
  EXPECT_FAILURE("gemini", "", "429 application/json", "{\"error\":{\"message\":\"m\",\"details\":[" DETAIL("RetryInfo", "\"retryDelay\":\"soon\"") ",7,null]}}", "PROVIDER_LIMIT 429 -1 -1 0 m");
  EXPECT_FAILURE("gemini", "", "400 application/json", "{\"error\":{\"message\":\"m\",\"status\":\"INVALID_ARGUMENT\",\"details\":[" DETAIL("ErrorInfo", "\"reason\":\"API_KEY_INVALID\"") "]}}", "PROVIDER_KEY 400 -1 -1 0 m");
  EXPECT_FAILURE("gemini", "", "400 application/json", "{\"error\":{\"message\":\"User location is not supported\",\"status\":\"FAILED_PRECONDITION\"}}", "PROVIDER_KEY 400 -1 -1 0 User location is not supported");
  EXPECT_FAILURE("gemini", "", "400 application/json", "{\"error\":{\"message\":\"bad field\",\"status\":\"INVALID_ARGUMENT\"}}", "PROVIDER_REJECTED 400 -1 -1 0 bad field");
  EXPECT_FAILURE("gemini", "", "400 application/json", "{\"error\":{\"message\":\"The input token count (9) exceeds the maximum number of tokens allowed (8).\"}}", "CONTEXT_WINDOW 400 -1 -1 0 The input token count (9) exceeds the maximum number of tokens allowed (8).");
  EXPECT_FAILURE("gemini", "", "404 text/html", "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>", "PROVIDER_MODEL 404 -1 -1 0 Error 404 (Not Found)!!1");
}

static void test_out_of_memory(void **state) {
  (void)state;
  expect_request_without_memory("gemini", "\"key\":\"a-secret\"", "\"system\":\"S\",\"schema\":{\"a\":1},\"tools\":[{\"name\":\"f\",\"schema\":{}}],\"temperature\":0.5,\"stops\":[\"x\"],"
                                "\"turns\":[{\"role\":\"tool\",\"parts\":[{\"kind\":\"tool_result\",\"name\":\"f\",\"text\":\"{}\"}]}]");
  expect_answer_without_memory("gemini", SSE, "data: " PARTS("{\"text\":\"\\n\"},{\"functionCall\":{\"name\":\"f\\n\",\"args\":{}},\"thoughtSignature\":\"\\n\"}", ",\"finishReason\":\"OTHER\"") "\n\n");
  expect_answer_without_memory("gemini", "429 application/json", "{\"error\":{\"message\":\"m\\n\",\"details\":[{}]}}");
}

static void test_encode__all_there_is(void **state) {
  (void)state;
  expect_request("gemini", "", EVERYTHING ",\"tool_choice\":\"one\",\"tool_name\":\"f\"",
                 "{\"contents\":[{\"parts\":[{\"text\":\"Q\"},{\"inlineData\":{\"data\":\"iVBORw0=\",\"mimeType\":\"image/png\"}},{\"fileData\":{\"f"
                 "ileUri\":\"https://h/a.webp\",\"mimeType\":\"image/webp\"}}],\"role\":\"user\"},{\"parts\":[{\"text\":\"R\",\"thought\":true,\"tho"
                 "ughtSignature\":\"s1\"},{\"text\":\"unsigned\",\"thought\":true},{\"text\":\"A\"},{\"functionCall\":{\"id\":\"c1\",\"name\":\"f\","
                 "\"args\":{\"a\": 1}},\"thoughtSignature\":\"s3\"},{\"functionCall\":{\"id\":\"c2\",\"name\":\"g\",\"args\":{}}}],\"role\":\"model"
                 "\"},{\"parts\":[{\"functionResponse\":{\"id\":\"c1\",\"name\":\"f\",\"response\":{\"b\":2}}},{\"functionResponse\":{\"id\":\"c2\","
                 "\"name\":\"g\",\"response\":{\"error\":\"bad\"}}},{\"text\":\"noted\"}],\"role\":\"user\"}],\"systemInstruction\":{\"parts\":[{\"t"
                 "ext\":\"S \\\"q\\\"\"}],\"role\":\"user\"},\"tools\":[{\"functionDeclarations\":[{\"description\":\"D\",\"name\":\"f\",\"parameter"
                 "sJsonSchema\":{\"type\":\"object\"}},{\"name\":\"g\"}]}],\"toolConfig\":{\"functionCallingConfig\":{\"allowedFunctionNames\":[\"f"
                 "\"],\"mode\":\"ANY\"}},\"generationConfig\":{\"temperature\":0.5,\"maxOutputTokens\":9,\"stopSequences\":[\"x\"],\"responseMimeTyp"
                 "e\":\"application/json\",\"responseJsonSchema\":{\"type\":\"object\"},\"thinkingConfig\":{\"thinkingLevel\":\"HIGH\"}}}", 0);
  expect_request_without_memory("gemini", "", EVERYTHING ",\"tool_choice\":\"one\",\"tool_name\":\"f\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_encode__all_there_is),
    cmocka_unit_test(test_encode__address_and_key),
    cmocka_unit_test(test_encode__thinking_by_model),
    cmocka_unit_test(test_encode__what_cannot_be_said),
    cmocka_unit_test(test_decode__streams),
    cmocka_unit_test(test_decode__a_list_without_alt_sse),
    cmocka_unit_test(test_decode__reasons_to_end),
    cmocka_unit_test(test_decode__errors),
    cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
