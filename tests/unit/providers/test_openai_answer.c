/* lib/providers/openai_answer.c: the odd cases of each server; the usual ones are compared with the SDK in tests/oracle. */
#include "support/codec_rows.h"

#define SSE "200 text/event-stream"
#define JSON "200 application/json"
#define CHUNK(delta, finish) "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":" delta ",\"finish_reason\":" finish "}]}\n\n"
#define DONE "data: [DONE]\n\n"

static void test_stream__ends(void **state) {
  (void)state;
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"content\":\"Hi\"}", "null") CHUNK("{}", "\"stop\"") DONE, "OK stop [Hi] {} -");
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"content\":\"Hi\"}", "null") CHUNK("{}", "\"stop\""), "OK stop [Hi] {} -"); /* no [DONE] */
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"content\":\"Hi\"}", "null") CHUNK("{}", "\"stop\",\"stop_reason\":\"END\"") DONE, "OK stop [Hi] {} - =END"); /* vLLM */
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"content\":\"Hi\"}", "null") CHUNK("{}", "\"stop\",\"stop_reason\":128001") DONE, "OK stop [Hi] {} -");
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"content\":\"Hi\"}", "null") "data:[DONE]", "OK stop [Hi] {} -");            /* no reason */
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"content\":\"Hi\"}", "\"\"") CHUNK("{\"content\":\"!\"}", "\"\""), "TRUNCATED none [Hi!] {} -");
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"content\":\"Hi\"}", "\"eos\"") DONE "data: garbage\n\n" CHUNK("{\"content\":\"no\"}", "null"), "OK stop [Hi] {} -");
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"content\":\"Hi\"}", "\"model_length\"") DONE, "OK length [Hi] {} -");
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"content\":\"Hi\"}", "\"new_reason\"") DONE, "OK stop [Hi] {} - ~1");
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"content\":\"Hi\"}", "\"insufficient_system_resource\"") DONE, "OK error [Hi] {} -");
  EXPECT_ANSWER("openai", "", SSE, ": keep-alive\n\n: keep-alive\n\n" CHUNK("{\"content\":\"Hi\"}", "\"stop\"") ":\n\n", "OK stop [Hi] {} -");
  EXPECT_ANSWER("openai", "", SSE, "data: \n\n" CHUNK("{\"content\":\"Hi\"}", "\"stop\"") "data: {\"choices\":[{\"del", "OK stop [Hi] {} -");
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"content\":\"Hi\"}", "null") "data: {\"choices\":[{\"del", "TRUNCATED none [Hi] {} -");
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"content\":\"Hi\"}", "null") "data: nonsense\n\n" DONE, "RESPONSE none [Hi] {} -");
}

static void test_stream__of_several_choices_the_first_counts(void **state) {
  (void)state;
#define AT(index, text, finish) "data: {\"choices\":[{\"index\":" index ",\"delta\":{\"content\":\"" text "\"},\"finish_reason\":" finish "}]}\n\n"
  EXPECT_ANSWER("openai", "", SSE, AT("1", "x", "null") AT("0", "a", "null") AT("1", "y", "\"length\"") AT("0", "b", "\"stop\"") DONE, "OK stop [ab] {} -");
  EXPECT_ANSWER("openai", "", JSON, "{\"choices\":[{\"index\":1,\"message\":{\"content\":\"x\"}},{\"index\":0,\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}", "OK stop [a] {} -");
}

static void test_stream__tokens(void **state) {
  (void)state;
#define USAGE(usage) CHUNK("{\"content\":\"a\"}", "\"stop\"") "data: {\"choices\":[],\"usage\":" usage "}\n\n" DONE
  EXPECT_ANSWER("openai", "", SSE, USAGE("{\"prompt_tokens\":100,\"completion_tokens\":20,\"prompt_tokens_details\":{\"cached_tokens\":60,\"cache_write_tokens\":30,\"cache_write_tokens_details\":{\"ttl_30m_tokens\":10,\"ttl_12h_tokens\":20}},\"completion_tokens_details\":{\"reasoning_tokens\":15}}"),
                "OK stop [a] {} <10,60,30,20,5,15>");
  EXPECT_ANSWER("openai", "", SSE, USAGE("{\"prompt_tokens\":5,\"completion_tokens\":1,\"prompt_tokens_details\":null,\"completion_tokens_details\":{}}"), "OK stop [a] {} <5,0,0,0,1,0>");
  /* more cached than there was, more thought than was written: nothing is counted twice, nothing is below zero */
  EXPECT_ANSWER("openai", "", SSE, USAGE("{\"prompt_tokens\":5,\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":9,\"cache_write_tokens\":9},\"completion_tokens_details\":{\"reasoning_tokens\":7}}"), "OK stop [a] {} <0,5,0,0,3,7>");
  /* xAI counts thinking beside the completion; so does a sum that has room for it */
  EXPECT_ANSWER("openai", "\"server\":\"xai\"", SSE, USAGE("{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":45,\"completion_tokens_details\":{\"reasoning_tokens\":15}}"), "OK stop [a] {} <10,0,0,0,20,15>");
  EXPECT_ANSWER("openai", "", SSE, USAGE("{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":45,\"completion_tokens_details\":{\"reasoning_tokens\":15}}"), "OK stop [a] {} <10,0,0,0,20,15>");
  EXPECT_ANSWER("openai", "", SSE, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"x_groq\":{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}}\n\n" DONE, "OK stop [a] {} <3,0,0,0,1,0>");
  EXPECT_ANSWER("openai", "", SSE, USAGE("{\"prompt_tokens\":1e999,\"completion_tokens\":\"many\"}"), "OK stop [a] {} <0,0,0,0,0,0>");
  EXPECT_ANSWER("openai", "", SSE, USAGE("[]"), "OK stop [a] {} -");
}

static void test_stream__tools(void **state) {
  (void)state;
#define CALLS(calls, finish) CHUNK("{\"tool_calls\":[" calls "]}", finish)
  EXPECT_ANSWER("openai", "", SSE, CALLS("{\"index\":0,\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\"\"}}", "null") CALLS("{\"index\":0,\"function\":{\"arguments\":\":1}\"}}", "null")
                CALLS("{\"index\":1,\"id\":\"2\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}", "null") CHUNK("{}", "\"tool_calls\"") DONE, "OK tool_calls [] {} f({\"a\":1})g({}) -");
  /* no index: an id begins a call, a piece without one goes on with the last */
  EXPECT_ANSWER("openai", "", SSE, CALLS("{\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}", "null") CALLS("{\"function\":{\"arguments\":\"}\"}}", "null")
                CALLS("{\"id\":\"2\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}},{\"id\":\"3\",\"function\":{\"name\":\"h\",\"arguments\":\"{}\"}}", "\"stop\"") DONE, "OK tool_calls [] {} f({})g({})h({}) -");
  /* arguments that are an object; a name that is empty in later pieces */
  EXPECT_ANSWER("openai", "", SSE, CALLS("{\"index\":0,\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":[1, 2]}}}", "null") CALLS("{\"index\":0,\"id\":\"\",\"function\":{\"name\":\"\",\"arguments\":null}}", "\"tool_calls\"") DONE,
                "OK tool_calls [] {} f({\"a\":[1, 2]}) -");
  EXPECT_ANSWER("openai", "", SSE, CALLS("{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"\\\"\\ud83d\"}}", "null") CALLS("{\"index\":0,\"function\":{\"arguments\":\"\\ude00\\\"\"}}", "\"tool_calls\"") DONE,
                "OK tool_calls [] {} f(\"\xF0\x9F\x98\x80\") -");
}

static void test_stream__reasoning_and_lists_of_parts(void **state) {
  (void)state;
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"reasoning\":\"R\"}", "null") CHUNK("{\"content\":\"a\",\"reasoning\":null}", "\"stop\"") DONE, "OK stop [a] {R} -");
  EXPECT_ANSWER("openai", "", SSE, CHUNK("{\"reasoning_content\":\"R\\ud83d\",\"reasoning\":\"not twice\"}", "null") CHUNK("{\"reasoning_content\":\"\\ude00\"}", "\"stop\"") DONE, "OK stop [] {R\xF0\x9F\x98\x80} -");
  EXPECT_ANSWER("openai", "\"server\":\"mistral\"", JSON, "{\"choices\":[{\"message\":{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"R\"}]},{\"type\":\"text\",\"text\":\"a\"}]},\"finish_reason\":\"stop\"}]}", "OK stop [a] {R} -");
}

static void test_whole__odd_ones(void **state) {
  (void)state;
  EXPECT_ANSWER("openai", "", JSON, "\n\n\n {\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}", "OK stop [a] {} -"); /* DeepSeek's blank lines */
  EXPECT_ANSWER("openai", "", JSON, "{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"No.\"},\"finish_reason\":\"stop\"}]}", "OK refusal [No.] {} -");
  EXPECT_ANSWER("openai", "", JSON, "{\"choices\":[{\"message\":{\"content\":\"a\",\"tool_calls\":null,\"refusal\":\"\"},\"finish_reason\":null}]}", "OK stop [a] {} -");
  EXPECT_ANSWER("openai", "", JSON, "{\"choices\":[]}", "RESPONSE none [] {} -");
  EXPECT_ANSWER("openai", "", JSON, "{\"choices\":null,\"error\":null}", "RESPONSE none [] {} -");
  EXPECT_FAILURE("openai", "", JSON, "{\"error\":\"boom\"}", "PROVIDER_BUSY 200 -1 -1 0 boom");
  EXPECT_FAILURE("openai", "", JSON, "{\"object\":\"error\",\"message\":\"m\",\"code\":400}", "PROVIDER_REJECTED 400 -1 -1 0 m");
  EXPECT_FAILURE("openai", "", JSON, "{\"detail\":\"Not Found\"}", "PROVIDER_BUSY 200 -1 -1 0 Not Found");
  EXPECT_FAILURE("openai", "\"server\":\"openrouter\"", JSON, "{\"choices\":[{\"error\":{\"code\":429,\"message\":\"slow\"}}]}", "PROVIDER_LIMIT 429 -1 -1 0 slow");
  EXPECT_FAILURE("openai", "", "200 text/event-stream", "event: error\ndata: {\"message\":\"died\"}\n\n", "PROVIDER_BUSY 200 -1 -1 0 died");
}

static void test_out_of_memory(void **state) {
  (void)state;
  expect_answer_without_memory("openai", SSE, CHUNK("{\"content\":\"a\\n\",\"reasoning\":\"\\n\"}", "null") CALLS("{\"index\":0,\"id\":\"1\\n\",\"function\":{\"name\":\"f\\n\",\"arguments\":\"\\n\"}}", "null") CHUNK("{}", "\"x\"") DONE);
  expect_answer_without_memory("openai", "429 application/json", "{\"error\":{\"message\":\"m\\n\",\"code\":\"insufficient_quota\"}}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_stream__ends),
    cmocka_unit_test(test_stream__of_several_choices_the_first_counts),
    cmocka_unit_test(test_stream__tokens),
    cmocka_unit_test(test_stream__tools),
    cmocka_unit_test(test_stream__reasoning_and_lists_of_parts),
    cmocka_unit_test(test_whole__odd_ones),
    cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
