/* lib/providers/anthropic.c; the usual cases are compared with the service's own SDK in tests/oracle. */
#include "support/codec_rows.h"

#define SSE "200 text/event-stream; charset=utf-8"
#define START "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-x\",\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n"
#define TEXT(text) "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" text "\"}}\n\n"
#define STOP(reason) "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason "\"},\"usage\":{\"output_tokens\":15}}\n\n"
#define END "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

static void test_encode__address_and_key(void **state) {
  (void)state;
  expect_target("anthropic", "\"key\":\"a-secret\"", "", "https://api.anthropic.com/v1/messages", "x-api-key", "a-secret");
  expect_target("anthropic", "\"key\":\"a-secret\",\"bearer\":true", "", "https://api.anthropic.com/v1/messages", "authorization", "Bearer a-secret");
  expect_target("anthropic", "\"base_url\":\"http://h:1/anthropic/v1/\"", "", "http://h:1/anthropic/v1/messages", "x-api-key", "");
  expect_target("anthropic", "", "", "https://api.anthropic.com/v1/messages", "anthropic-version", "2026-10-21");
  expect_target("anthropic", "\"version\":\"2023-06-01\"", "", "https://api.anthropic.com/v1/messages", "anthropic-version", "2023-06-01");
  expect_target("anthropic", "\"headers\":{\"anthropic-beta\":\"a,b\"}", "\"stream\":true", "https://api.anthropic.com/v1/messages", "anthropic-beta", "a,b");
  expect_target("anthropic", "", "\"stream\":true", "https://api.anthropic.com/v1/messages", "accept", "text/event-stream");
}

static void test_encode__parameters_by_model_and_version(void **state) {
  (void)state;
  static const struct {
    const char *target, *model, *request, *more;
    int warnings;
  } rows[] = {
      {"", "claude-sonnet-4-5", "\"temperature\":0.5", "", 1},
      {"\"version\":\"2023-06-01\"", "claude-sonnet-4-5", "\"temperature\":0.5", ",\"temperature\":0.5", 0},
      {"\"version\":\"2023-06-01\"", "claude-opus-4-7", "\"temperature\":0.5", "", 1},
      {"\"version\":\"2023-06-01\"", "claude-opus-4-7", "\"temperature\":1", ",\"temperature\":1", 0},
      {"\"refuse\":true", "claude-opus-4-7", "\"temperature\":0.5", "!UNSUPPORTED claude-opus-4-7 does not take temperature \"0.5\"", 0},
      {"", "claude-opus-4-5", "\"effort\":\"medium\"", ",\"output_config\":{\"effort\":\"medium\"}", 0},
      {"", "claude-opus-4-5", "\"effort\":\"max\"", "", 1},
      {"", "claude-opus-4-6", "\"effort\":\"max\"", ",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"max\"}", 0},
      {"", "claude-opus-4-6", "\"effort\":\"xhigh\"", "", 1},
      {"", "claude-haiku-4-5", "\"effort\":\"low\"", "", 1},
      {"", "claude-haiku-4-5", "\"effort\":\"none\"", ",\"thinking\":{\"type\":\"disabled\"}", 0},
      {"", "claude-opus-5-5", "\"effort\":\"none\"", "", 1},
      {"", "claude-sonnet-5", "\"effort\":\"minimal\"", ",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"low\"}", 0},
      {"", "claude-sonnet-5", "\"stops\":[]", "", 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char request[500], want[500];
    snprintf(request, sizeof request, "\"model\":\"%s\",%s", rows[i].model, rows[i].request);
    if (rows[i].more[0] == '!') snprintf(want, sizeof want, "%s", rows[i].more);
    else snprintf(want, sizeof want, "{\"model\":\"%s\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]%s}", rows[i].model, rows[i].more);
    expect_request("anthropic", rows[i].target, request, want, rows[i].warnings);
  }
}

static void test_encode__a_forced_tool_where_it_is_refused(void **state) {
  (void)state;
  expect_request("anthropic", "", "\"model\":\"claude-opus-5-5\",\"max_tokens\":9,\"tool_choice\":\"any\",\"tools\":[{\"name\":\"t\"}]",
                 "{\"model\":\"claude-opus-5-5\",\"max_tokens\":9,\"tools\":[{\"name\":\"t\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],"
                 "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}", 1);
}

static void test_encode__four_cache_markers(void **state) {
  (void)state;
#define MARKED(text) "{\"kind\":\"text\",\"text\":\"" text "\",\"cache\":true}"
#define BLOCK(text) "{\"type\":\"text\",\"text\":\"" text "\",\"cache_control\":{\"type\":\"ephemeral\"}}"
  expect_request("anthropic", "", "\"max_tokens\":9,\"system\":\"S\",\"cache_system\":true,\"turns\":[{\"role\":\"user\",\"parts\":[" MARKED("a") "," MARKED("b") "," MARKED("c") "," MARKED("d") "," MARKED("e") "]}]",
                 "{\"model\":\"m\",\"max_tokens\":9,\"system\":[" BLOCK("S") "],\"messages\":[{\"role\":\"user\",\"content\":[" BLOCK("a") "," BLOCK("b") "," BLOCK("c") ",{\"type\":\"text\",\"text\":\"d\"},{\"type\":\"text\",\"text\":\"e\"}]}]}", 1);
}

static void test_decode__streams(void **state) {
  (void)state;
  EXPECT_ANSWER("anthropic", "", SSE, START TEXT("Hel") "event: ping\ndata: {\"type\": \"ping\"}\n\n" TEXT("lo") STOP("end_turn") END, "OK stop [Hello] {} <25,0,0,0,15,0>");
  /* fields in another order, no names of events, CRLF, and what is yet to come */
  EXPECT_ANSWER("anthropic", "", SSE, "data: {\"message\":{\"usage\":{\"output_tokens\":1,\"input_tokens\":3},\"new\":[[]]},\"type\":\"message_start\"}\r\n\r\ndata: {\"x\":1,\"type\":\"later_event\"}\r\n\r\n"
                "data: {\"delta\":{\"text\":\"Hi\",\"type\":\"text_delta\"},\"index\":0,\"type\":\"content_block_delta\"}\r\n\r\ndata: {\"usage\":null,\"delta\":{\"stop_reason\":\"max_tokens\"},\"type\":\"message_delta\"}\r\n\r\n"
                "data: {\"type\":\"message_stop\"}\r\n\r\ndata: garbage\r\n\r\n", "OK length [Hi] {} <3,0,0,0,1,0>");
  EXPECT_ANSWER("anthropic", "", SSE, START TEXT("a\\ud83d") TEXT("\\ude00b") TEXT("c\\ud83d") STOP("end_turn") END, "OK stop [a\xF0\x9F\x98\x80" "bc\xEF\xBF\xBD] {} <25,0,0,0,15,0>");
  EXPECT_ANSWER("anthropic", "", SSE, START TEXT("\\u0000\xFF") STOP("brand_new") END, "OK stop [\xEF\xBF\xBD\xEF\xBF\xBD] {} <25,0,0,0,15,0> ~1");
  EXPECT_ANSWER("anthropic", "", SSE, START TEXT("a") STOP("stop_sequence\",\"stop_sequence\":\"E\\u004eD") END, "OK stop [a] {} <25,0,0,0,15,0> =END");
  EXPECT_ANSWER("anthropic", "", SSE, START TEXT("a") STOP("end_turn\",\"stop_sequence\":null,\"x\":\"") END, "OK stop [a] {} <25,0,0,0,15,0>");
  EXPECT_ANSWER("anthropic", "", SSE, START STOP("refusal") END, "OK refusal [] {} <25,0,0,0,15,0>");
  /* the blank line behind the last event is missing */
  EXPECT_ANSWER("anthropic", "", SSE, START TEXT("x") STOP("end_turn") "event: message_stop\ndata: {\"type\":\"message_stop\"}", "OK stop [x] {} <25,0,0,0,15,0>");
}

static void test_decode__tools_in_a_stream(void **state) {
  (void)state;
  EXPECT_ANSWER("anthropic", "", SSE, START
                "data: {\"type\":\"content_block_start\",\"index\":3,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{}}}\n\n"
                "data: {\"type\":\"content_block_delta\",\"index\":3,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\\\"\\ud83d\"}}\n\n"
                "data: {\"type\":\"content_block_delta\",\"index\":3,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\\ude00\\\"}\"}}\n\n"
                "data: {\"type\":\"content_block_delta\",\"index\":9,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"of no tool\"}}\n\n"
                "data: {\"type\":\"content_block_start\",\"index\":4,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"g\",\"input\":{}}}\n\n"
                "data: {\"type\":\"content_block_stop\",\"index\":3}\n\n" STOP("tool_use") END,
                "OK tool_calls [] {} f({\"a\":\"\xF0\x9F\x98\x80\"})g({}) <25,0,0,0,15,0>");
}

static void test_decode__what_breaks_off(void **state) {
  (void)state;
  EXPECT_ANSWER("anthropic", "", SSE, START TEXT("Hel") STOP("end_turn"), "TRUNCATED stop [Hel] {} <25,0,0,0,15,0>");
  EXPECT_ANSWER("anthropic", "", SSE, START "data: {\"type\":\"content_blo", "TRUNCATED none [] {} <25,0,0,0,1,0>");
  EXPECT_ANSWER("anthropic", "", SSE, "", "TRUNCATED none [] {} -");
  EXPECT_ANSWER("anthropic", "", SSE, START "data: {\"type\":\n\n" END, "RESPONSE none [] {} <25,0,0,0,1,0>");
  EXPECT_ANSWER("anthropic", "", SSE, START TEXT("x") "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n" END, "PROVIDER_BUSY none [x] {} <25,0,0,0,1,0>");
  EXPECT_FAILURE("anthropic", "", SSE, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":\"invalid x-api-key\"}}\n\n", "PROVIDER_KEY 200 -1 -1 0 invalid x-api-key");
  EXPECT_FAILURE("anthropic", "", SSE, "data: {\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too long: 5 tokens > 4 maximum\"}}\n\n", "CONTEXT_WINDOW 200 -1 -1 0 prompt is too long: 5 tokens > 4 maximum");
  /* a stream was asked for, and something else came */
  EXPECT_FAILURE("anthropic", "", "200 text/plain", "\xEF\xBB\xBF {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Oops\"}}", "PROVIDER_BUSY 200 -1 -1 0 Oops");
  EXPECT_ANSWER("anthropic", "", "200 text/plain", "\n\xEF\xBB\xBF" START TEXT("x") STOP("end_turn") END, "OK stop [x] {} <25,0,0,0,15,0>");
  EXPECT_FAILURE("anthropic", "", "200 text/html", "<html><title>Sign in to the hotel</title>", "RESPONSE 200 -1 -1 0 the answer is not JSON as it should be; it begins: Sign in to the hotel");
}

static void test_decode__whole(void **state) {
  (void)state;
  EXPECT_ANSWER("anthropic", "", "200 application/json", "{\"content\":[{\"type\":\"text\",\"text\":\"a\"},null,7,{\"type\":\"later\"},{\"type\":\"text\"}],\"stop_reason\":null,\"usage\":{\"input_tokens\":-1,\"output_tokens\":1e99,\"cache_read_input_tokens\":\"7\"}}", "OK stop [a] {} -");
  EXPECT_ANSWER("anthropic", "", "200 application/json", "{\"content\":[{\"type\":\"thinking\",\"thinking\":\"R\",\"signature\":\"s\"},{\"type\":\"redacted_thinking\",\"data\":\"d\"}],\"stop_reason\":\"pause_turn\",\"usage\":{\"input_tokens\":1,\"output_tokens\":5,\"output_tokens_details\":{\"thinking_tokens\":9}}}", "OK length [] {R} <1,0,0,0,0,5>");
  EXPECT_ANSWER("anthropic", "", "200 application/json", "{\"content\":[{\"type\":\"text\",\"text\":\"a\"}],\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"\\n\\n\"}", "OK stop [a] {} - =\n\n");
  EXPECT_ANSWER("anthropic", "", "200 application/json", "{\"content\":[{\"type\":\"text\",\"text\":\"a\"}],\"stop_reason\":\"stop_sequence\",\"stop_sequence\":7}", "OK stop [a] {} -");
  EXPECT_ANSWER("anthropic", "", "200 application/json", "{\"content\":\"text\"}", "RESPONSE none [] {} -");
  EXPECT_ANSWER("anthropic", "", "200 application/json", "[]", "RESPONSE none [] {} -");
  EXPECT_ANSWER("anthropic", "", "200 application/json", "{\"content\":[{\"type\":\"text\",\"te", "TRUNCATED none [] {} -");
  EXPECT_ANSWER("anthropic", "", "200 application/json", " \r\n", "TRUNCATED none [] {} -");
}

static void test_decode__errors(void **state) {
  (void)state;
  EXPECT_FAILURE("anthropic", "", "429 application/json|retry-after: 7|x-should-retry: true", "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\",\"details\":{\"error_code\":\"ramp_limit_exceeded\"}}}", "PROVIDER_LIMIT 429 7000 1 0 m");
  EXPECT_FAILURE("anthropic", "", "429 application/json", "{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\",\"details\":{\"error_code\":\"contract_spend_limit_reached\"}}}", "PROVIDER_KEY 429 -1 -1 1 m");
  EXPECT_FAILURE("anthropic", "", "400 application/json", "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"You have reached your specified API usage limits.\"}}", "PROVIDER_KEY 400 -1 -1 1 You have reached your specified API usage limits.");
  EXPECT_FAILURE("anthropic", "\"key\":\"a-very-secret-key\"", "401 application/json", "{\"error\":{\"message\":\"the key a-very-secret-key is bad\"}}", "PROVIDER_KEY 401 -1 -1 0 the key [key] is bad");
  EXPECT_FAILURE("anthropic", "", "503 text/html", "", "PROVIDER_BUSY 503 -1 -1 0 without a word");
  EXPECT_FAILURE("anthropic", "", "302 text/html", "<title>Moved</title>", "RESPONSE 302 -1 -1 0 Moved");
}

static void test_out_of_memory(void **state) {
  (void)state;
  expect_request_without_memory("anthropic", "\"key\":\"a-secret\",\"headers\":{\"x-a\":\"b\"}",
                                "\"system\":\"S\",\"cache_system\":true,\"temperature\":0.5,\"stops\":[\"a\"],\"schema\":{\"type\":\"object\"},\"effort\":\"high\",\"provider_options\":{\"a\":{\"b\":1}},"
                                "\"tools\":[{\"name\":\"t\",\"schema\":{\"a\":1}}],\"tool_choice\":\"any\"");
  expect_answer_without_memory("anthropic", SSE, START TEXT("a\\n") "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"\",\"name\":\"f\"}}\n\n" STOP("x") END);
  expect_answer_without_memory("anthropic", "200 application/json", "{\"content\":[{\"type\":\"text\",\"text\":\"a\\n\"},{\"type\":\"tool_use\",\"name\":\"\\n\",\"input\":{\"a\":1}}],\"stop_reason\":\"end_turn\"}");
  expect_answer_without_memory("anthropic", "400 application/json", "{\"error\":{\"message\":\"a\\n\",\"type\":\"t\"}}");
}

static void test_encode__all_there_is(void **state) {
  (void)state;
  expect_request("anthropic", "\"version\":\"2023-06-01\"", EVERYTHING ",\"tool_choice\":\"one\",\"tool_name\":\"f\"",
                 "{\"model\":\"m\",\"max_tokens\":9,\"tools\":[{\"name\":\"f\",\"description\":\"D\",\"input_schema\":{\"type\":\"object\"},\"cache"
                 "_control\":{\"type\":\"ephemeral\"}},{\"name\":\"g\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],\"tool_choice\":{"
                 "\"type\":\"tool\",\"name\":\"f\"},\"system\":\"S \\\"q\\\"\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"te"
                 "xt\":\"Q\"},{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"iVBORw0=\"}},{\"type\":\"i"
                 "mage\",\"source\":{\"type\":\"url\",\"url\":\"https://h/a.webp\"}}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\","
                 "\"thinking\":\"R\",\"signature\":\"s1\"},{\"type\":\"redacted_thinking\",\"data\":\"s2\"},{\"type\":\"text\",\"text\":\"A\"},{\"ty"
                 "pe\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"a\": 1}},{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"g\",\"input\""
                 ":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":\"{\\\"b\\\":2}\"},{\"type\":"
                 "\"tool_result\",\"tool_use_id\":\"c2\",\"content\":[{\"type\":\"text\",\"text\":\"bad\"},{\"type\":\"text\",\"text\":\"noted\",\"cache_contro"
                 "l\":{\"type\":\"ephemeral\"}}],\"is_error\":true}]}],\"stop_sequences\":[\"x\"],\"temperature\":0.5,\"thinking\":{\"type\":\"adaptive\"},\"output_conf"
                 "ig\":{\"effort\":\"high\",\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}},\"stream\":true}", 0);
  expect_request_without_memory("anthropic", "\"version\":\"2023-06-01\"", EVERYTHING ",\"tool_choice\":\"one\",\"tool_name\":\"f\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_encode__all_there_is),
    cmocka_unit_test(test_encode__address_and_key),
    cmocka_unit_test(test_encode__parameters_by_model_and_version),
    cmocka_unit_test(test_encode__a_forced_tool_where_it_is_refused),
    cmocka_unit_test(test_encode__four_cache_markers),
    cmocka_unit_test(test_decode__streams),
    cmocka_unit_test(test_decode__tools_in_a_stream),
    cmocka_unit_test(test_decode__what_breaks_off),
    cmocka_unit_test(test_decode__whole),
    cmocka_unit_test(test_decode__errors),
    cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
