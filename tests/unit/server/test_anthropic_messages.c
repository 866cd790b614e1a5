/* What Anthropic's clients send becomes a run, and the run what they read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "anthropic_messages.h"
#include "support/wire_scene.h"

#define HEAD "{\"model\":\"aiorch\",\"max_tokens\":99,"
#define ASK(more) HEAD "\"messages\":[{\"role\":\"user\",\"content\":\"Hello?\"}]" more "}"
#define SAY(messages) HEAD "\"messages\":[" messages "]}"

static wire_scene s;

static int set_up(void **state) {
  (void)state;
  scene_hello(&s, &wire_anthropic_messages);
  s.usage[AIORCH_USAGE_CACHE_WRITE] = 10;
  s.usage[AIORCH_USAGE_CACHE_WRITE_1H] = 4;
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  scene_close(&s);
  return 0;
}

/* ---- whole answers ---- */

static void test_whole__has_what_clients_read(void **state) {
  (void)state;
  const char *out = scene_ask(&s, ASK(""));
  assert_int_equal(strncmp(out, "{\"id\":\"msg_", 11), 0);
  assert_has(out, "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"fake-1\",\"content\":[{\"type\":\"text\",\"text\":\"Hello.\"}],"
                  "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,");
  assert_has(out, "\"usage\":{\"input_tokens\":60,\"cache_creation_input_tokens\":10,\"cache_read_input_tokens\":40,\"output_tokens\":20,"
                  "\"cache_creation\":{\"ephemeral_5m_input_tokens\":6,\"ephemeral_1h_input_tokens\":4},"
                  "\"output_tokens_details\":{\"thinking_tokens\":5}}");
  assert_has(out, "\"aiorch\":{");
  assert_has(cli_z(&s.asked), "\"max_tokens\":99");
}

/* What we kept has cost nobody a token; message_delta has all of a stream's. */
static void test_usage__of_a_hit_and_of_a_stream(void **state) {
  static const char none[] = "\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":0,";
  (void)state;
  (void)scene_ask(&s, ASK(""));
  const char *out = scene_ask(&s, ASK(""));
  assert_has(out, "\"cache\":\"hit\"");
  assert_has(out, none);
  out = scene_ask(&s, ASK(",\"stream\":true"));
  assert_has(out, "\"cache\":\"hit\"");
  assert_has_not(out, "\"input_tokens\":60");
  out = scene_ask(&s, ASK(",\"stream\":true,\"aiorch\":{\"cache\":\"off\"}"));
  const char *delta = strstr(out, "event: message_delta");
  assert_non_null(delta);
  assert_has(delta, "\"usage\":{\"input_tokens\":60,\"cache_creation_input_tokens\":10,\"cache_read_input_tokens\":40,\"output_tokens\":20,");
  assert_has(delta, "\"thinking_tokens\":5");
}

static void test_whole__stop_reasons(void **state) {
  static const struct {
    int32_t finish;
    const char *name;
  } rows[] = {{AIORCH_FINISH_LENGTH, "max_tokens"}, {AIORCH_FINISH_CONTENT_FILTER, "refusal"}, {AIORCH_FINISH_REFUSAL, "refusal"}};
  char want[64];
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    s.finish = rows[i].finish;
    snprintf(want, sizeof want, "\"stop_reason\":\"%s\"", rows[i].name);
    assert_has(scene_ask(&s, ASK(",\"aiorch\":{\"cache\":\"off\"}")), want);
  }
}

static void test_stop_sequence__is_said_where_it_is_known(void **state) {
  (void)state;
  s.stop = "END";
  assert_has(scene_ask(&s, ASK(",\"stop_sequences\":[\"X\",\"END\"]")), "\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"END\",");
  const char *kept = scene_ask(&s, ASK(",\"stop_sequences\":[\"X\",\"END\"]"));
  assert_has(kept, "\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"END\",");
  assert_has(kept, "\"cache\":\"hit\"");
  kept = scene_ask(&s, ASK(",\"stream\":true,\"stop_sequences\":[\"X\",\"END\"]"));
  assert_has(kept, "\"delta\":{\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"END\"}");
  assert_has(kept, "\"cache\":\"hit\"");
  assert_has(scene_ask(&s, ASK(",\"stream\":true,\"aiorch\":{\"cache\":\"off\"},\"stop_sequences\":[\"X\",\"END\"]")),
             "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"END\"}");
  assert_has(scene_ask(&s, ASK(",\"stop_sequences\":[\"X\"]")), "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,"); /* not asked for */
}

static void test_whole__tools(void **state) {
  (void)state;
  s.calls[0] = (scene_call){"call_1", "weather", "{\"city\":\"Ulm\"}"};
  const char *out = scene_ask(&s, ASK(",\"tools\":[{\"name\":\"weather\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\"}}],"
                                      "\"tool_choice\":{\"type\":\"tool\",\"name\":\"weather\",\"disable_parallel_tool_use\":true}"));
  assert_has(out, "{\"type\":\"tool_use\",\"id\":\"call_1\",\"name\":\"weather\",\"input\":{\"city\":\"Ulm\"}}]");
  assert_has(out, "\"stop_reason\":\"tool_use\"");
}

static void test_whole__arguments_that_are_no_object(void **state) {
  static const char *const bad[][2] = {{"{\"city\":\"Ul", "{\\\"city\\\":\\\"Ul"}, {"[1]", "[1]"}, {"{},\"role\":\"user\"", "{},\\\"role\\\":\\\"user\\\""}};
  char wanted[128];
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    s.calls[0] = (scene_call){"call_1", "weather", bad[i][0]};
    snprintf(wanted, sizeof wanted, "\"name\":\"weather\",\"input\":{\"INVALID_JSON\":\"%s\"}}]", bad[i][1]);
    assert_has(scene_ask(&s, ASK(",\"tools\":[{\"name\":\"weather\",\"input_schema\":{\"type\":\"object\"}}]")), wanted);
  }
}

/* ---- streams ---- */

static void test_stream__events_in_their_order(void **state) {
  static const char *const order[] = {"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_",
                                      "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
                                      "{\"type\":\"text\",\"text\":\"\"}}\n\n",
                                      "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
                                      "{\"type\":\"text_delta\",\"text\":\"",
                                      "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
                                      "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
                                      "\"stop_sequence\":null},\"usage\":{\"input_tokens\":60,",
                                      "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"};
  (void)state;
  const char *at = scene_ask(&s, ASK(",\"stream\":true"));
  for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
    const char *found = strstr(at, order[i]);
    if (!found) fail_msg("%s\nis not in\n%s", order[i], at);
    at = found + 1;
  }
}

static void test_stream__a_block_for_each_tool(void **state) {
  (void)state;
  s.calls[0] = (scene_call){"call_1", "weather", "{\"city\":\"Ulm\"}"};
  s.calls[1] = (scene_call){"call_2", "weather", "{}"};
  const char *out = scene_ask(&s, ASK(",\"stream\":true,\"tools\":[{\"name\":\"weather\",\"input_schema\":{\"type\":\"object\"}}]"));
  assert_has(out, "\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"call_1\",\"name\":\"weather\",\"input\":{}}}");
  assert_has(out, "\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"city\\\":\\\"Ulm\\\"}\"}}");
  assert_has(out, "{\"type\":\"content_block_stop\",\"index\":1}");
  assert_has(out, "\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"call_2\"");
  assert_has(out, "\"stop_reason\":\"tool_use\"");
}

static void test_stream__an_error_after_a_token(void **state) {
  char text[2048];
  (void)state;
  for (size_t i = 0; i < sizeof text; i++) text[i] = i % 4 == 3 ? ' ' : 'a'; /* more than the output check holds back */
  text[sizeof text - 1] = '\0';
  s.pieces[0] = text;
  s.fails = AIORCH_E_PROVIDER_BUSY;
  const char *out = scene_ask(&s, ASK(",\"stream\":true"));
  assert_has(out, "text_delta");
  assert_has(out, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"");
  assert_has(out, "\"request_id\":\"req-1\"}");
  assert_has_not(out, "message_stop");
}

static void test_problem__types_by_status(void **state) {
  static const struct {
    int status;
    const char *type;
  } rows[] = {{400, "invalid_request_error"}, {401, "authentication_error"}, {403, "permission_error"}, {404, "not_found_error"},
              {413, "request_too_large"},     {429, "rate_limit_error"},     {500, "api_error"},        {503, "overloaded_error"},
              {504, "timeout_error"}};
  char want[160];
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    cli_bytes out = {0};
    http_problem why;
    http_problem_set(&why, rows[i].status, NULL, NULL, "words");
    anthropic_problem_json(&why, "req-9", &out);
    snprintf(want, sizeof want, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"words\"},\"request_id\":\"req-9\"}", rows[i].type);
    assert_string_equal(cli_z(&out), want);
    cli_release(&out);
  }
}

/* ---- what the provider is asked ---- */

static void test_conversation__blocks(void **state) {
  (void)state;
  (void)scene_ask(&s, HEAD "\"system\":[{\"type\":\"text\",\"text\":\"Be brief.\",\"cache_control\":{\"type\":\"ephemeral\"}}],\"messages\":["
                           "{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/jpeg\","
                           "\"data\":\"/9j/4A==\"}},{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://example.com/b.png\"}},"
                           "{\"type\":\"text\",\"text\":\"What is it?\"}]},"
                           "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"sig-2\"},"
                           "{\"type\":\"redacted_thinking\",\"data\":\"secret-3\"},{\"type\":\"text\",\"text\":\"I look.\"},"
                           "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"look\",\"input\":{\"at\":1}}]},"
                           "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":[{\"type\":\"text\","
                           "\"text\":\"a cat\"}],\"is_error\":false},{\"type\":\"text\",\"text\":\"Sure?\"}]}]}");
  static const char *const want[] = {"Be brief.", "/9j/4A==", "image/jpeg", "https://example.com/b.png", "What is it?", "sig-2", "secret-3",
                                     "I look.",   "\"t1\"",   "look",       "a cat",                     "Sure?"};
  for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) assert_has(cli_z(&s.asked), want[i]);
}

static void test_conversation__what_is_wrong_is_named(void **state) {
  (void)state;
  scene_refused(&s, SAY(""), 400, "messages", "needed");
  scene_refused(&s, SAY("{\"role\":\"system\",\"content\":\"x\"}"), 400, "messages[0].role", "\"system\"");
  scene_refused(&s, SAY("{\"role\":\"user\",\"content\":[]}"), 400, "messages[0].content", "list of blocks");
  scene_refused(&s, SAY("{\"role\":\"user\",\"content\":[{\"type\":\"document\"}]}"), 400, "messages[0].content[0].type", "not served");
  scene_refused(&s, SAY("{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t9\"}]}"), 400, "messages[0].content[0]",
                "\"t9\"");
  scene_refused(&s, SAY("{\"role\":\"user\",\"content\":[{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"b\"}]}"), 400,
                "messages[0].content[0].type", "assistant");
  scene_refused(&s, SAY("{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"file\"}}]}"), 400,
                "messages[0].content[0].source", "base64");
}

static void test_members__taken_ignored_refused(void **state) {
  (void)state;
  (void)scene_ask(&s, ASK(",\"temperature\":1,\"stop_sequences\":[\"END\"],\"metadata\":{\"user_id\":\"eve\"},\"thinking\":{\"type\":\"enabled\","
                          "\"budget_tokens\":2048},\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}},"
                          "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"},\"top_p\":1"));
  assert_has(cli_z(&s.asked), "END");
  assert_has_not(cli_z(&s.asked), "eve");
  scene_refused(&s, "{\"model\":\"aiorch\",\"messages\":[]}", 400, "max_tokens", "needed");
  scene_refused(&s, ASK(",\"top_k\":5"), 400, "top_k", "anthropic");
  scene_refused(&s, ASK(",\"mcp_servers\":[{}]"), 400, "mcp_servers", "not served");
  scene_refused(&s, ASK(",\"tool_choice\":{\"type\":\"tool\"}"), 400, "tool_choice", "\"name\"");
  scene_refused(&s, ASK(",\"tool_choice\":{\"type\":\"any\"}"), 400, "tool_choice", "none to choose from");
  scene_refused(&s, ASK(",\"fallbacks\":[{\"model\":\"x\"}]"), 400, "fallbacks", "aiorch.provider");
  scene_refused(&s, ASK(",\"thinking\":{\"type\":\"enabled\"}"), 400, "thinking", "budget_tokens");
  scene_refused(&s, ASK(",\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"bash\"}]"), 400, "tools[0].type", "Anthropic runs");
  scene_refused(&s, ASK(",\"stop\":\"x\""), 400, "stop", "no member");
  scene_refused(&s, "{\"model\":\"claude-x\",\"max_tokens\":1,\"messages\":[]}", 404, "model", "GET /v1/models");
}

static const char *betas(const http_request *request, const char *name) {
  (void)request;
  return strcmp(name, "anthropic-beta") == 0 ? "context-1m-2025-08-07" : NULL;
}

static void test_headers__a_beta_has_no_effect_and_is_told_so(void **state) {
  (void)state;
  s.request.find_header = betas;
  assert_has(scene_ask(&s, ASK(",\"speed\":\"standard\"")), "\"warnings\":[\"the header \\\"anthropic-beta\\\" has no effect here\"]");
}

static void test_conversation__an_empty_answer_is_left_out(void **state) {
  (void)state;
  const char *out = scene_ask(&s, SAY("{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"\"}]},"
                                      "{\"role\":\"user\",\"content\":\"z\"}"));
  assert_has(out, "without content is left out");
  assert_has_not(cli_z(&s.asked), "assistant");
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      T(test_whole__has_what_clients_read), T(test_usage__of_a_hit_and_of_a_stream), T(test_whole__stop_reasons),
      T(test_stop_sequence__is_said_where_it_is_known), T(test_whole__tools), T(test_whole__arguments_that_are_no_object),
      T(test_stream__events_in_their_order),
      T(test_stream__a_block_for_each_tool), T(test_stream__an_error_after_a_token), T(test_problem__types_by_status), T(test_conversation__blocks),
      T(test_conversation__what_is_wrong_is_named), T(test_members__taken_ignored_refused),
      T(test_headers__a_beta_has_no_effect_and_is_told_so), T(test_conversation__an_empty_answer_is_left_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
