/* What OpenAI's clients send becomes a run, and the run what they read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "openai_chat.h"
#include "support/wire_scene.h"

#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"Hello?\"}]"
#define ASK(more) "{\"model\":\"aiorch\"," HELLO more "}"
#define SAY(messages) "{\"model\":\"aiorch\",\"messages\":[" messages "]}"

static wire_scene s;

static int set_up(void **state) {
  (void)state;
  scene_hello(&s, &wire_openai_chat);
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
  body_json b;
  assert_true(body_parse(&b, out, strlen(out)));
  assert_has(out, "{\"id\":\"chatcmpl-");
  assert_has(out, "\"object\":\"chat.completion\",\"created\":");
  assert_has(out, "\"model\":\"fake-1\"");
  assert_has(out, "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello.\",\"refusal\":null},\"logprobs\":null,"
                  "\"finish_reason\":\"stop\"}");
  assert_has(out, "\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120,"
                  "\"prompt_tokens_details\":{\"cached_tokens\":40},\"completion_tokens_details\":{\"reasoning_tokens\":5}}");
  const body_node *own = body_get(b.root, "aiorch");
  assert_true(body_is(body_get(own, "provider"), "fake"));
  assert_true(body_is(body_get(own, "cache"), "miss"));
  body_free(&b);
}

static void test_whole__a_hit_has_spent_nothing(void **state) {
  (void)state;
  (void)scene_ask(&s, ASK(""));
  const char *out = scene_ask(&s, ASK(""));
  assert_has(out, "\"content\":\"Hello.\"");
  assert_has(out, "\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0,");
  assert_has(out, "\"cache\":\"hit\"");
}

static void test_whole__finish_reasons(void **state) {
  static const struct {
    int32_t finish;
    const char *name;
  } rows[] = {{AIORCH_FINISH_LENGTH, "length"}, {AIORCH_FINISH_CONTENT_FILTER, "content_filter"}, {AIORCH_FINISH_STOP, "stop"}};
  char want[64];
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    s.finish = rows[i].finish;
    snprintf(want, sizeof want, "\"finish_reason\":\"%s\"", rows[i].name);
    assert_has(scene_ask(&s, ASK(",\"aiorch\":{\"cache\":\"off\"}")), want);
  }
}

static void test_whole__a_refusal_is_no_content(void **state) {
  (void)state;
  s.finish = AIORCH_FINISH_REFUSAL;
  assert_has(scene_ask(&s, ASK("")), "\"content\":null,\"refusal\":\"Hello.\"");
}

static void test_whole__tool_calls(void **state) {
  (void)state;
  s.pieces[0] = NULL;
  s.calls[0] = (scene_call){"call_1", "weather", "{\"city\":\"Ulm\"}"};
  s.calls[1] = (scene_call){"call_2", "time", "{}"};
  const char *out = scene_ask(&s, ASK(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"description\":\"d\",\"parameters\":"
                                      "{\"type\":\"object\", \"properties\":{}}}},{\"type\":\"function\",\"function\":{\"name\":\"time\"}}]"));
  assert_has(out, "\"content\":null");
  assert_has(out, "\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"weather\",\"arguments\":"
                  "\"{\\\"city\\\":\\\"Ulm\\\"}\"}},{\"id\":\"call_2\"");
  assert_has(out, "\"finish_reason\":\"tool_calls\"");
  assert_has(cli_z(&s.asked), "\"weather\"");
}

/* ---- streams ---- */

static void test_stream__chunks_and_done(void **state) {
  (void)state;
  const char *out = scene_ask(&s, ASK(",\"stream\":true"));
  assert_int_equal(strncmp(out, "data: {\"id\":\"chatcmpl-", 22), 0);
  assert_has(out, "\"object\":\"chat.completion.chunk\"");
  assert_has(out, "\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
  assert_has(out, "\"delta\":{\"content\":\"");
  assert_has(out, "\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"aiorch\":{");
  assert_has_not(out, "\"usage\"");
  assert_string_equal(out + strlen(out) - 14, "data: [DONE]\n\n");
}

static void test_stream__every_line_is_an_event_of_json(void **state) {
  (void)state;
  s.pieces[0] = "line\none \"quoted\" \\ ";
  const char *at = scene_ask(&s, ASK(",\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
  size_t events = 0;
  while (*at) {
    const char *end = strstr(at, "\n\n");
    assert_non_null(end);
    assert_int_equal(strncmp(at, "data: ", 6), 0);
    if (strncmp(at + 6, "[DONE]", 6) != 0) {
      body_json b;
      if (!body_parse(&b, at + 6, (size_t)(end - at) - 6)) fail_msg("%s: %s", b.wrong, at);
      body_free(&b);
    }
    events++;
    at = end + 2;
  }
  assert_true(events >= 4);
}

static void test_stream__usage_in_a_last_chunk_on_request(void **state) {
  (void)state;
  const char *out = scene_ask(&s, ASK(",\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
  assert_has(out, "\"finish_reason\":null}],\"usage\":null}\n\n");
  assert_has(out, "\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120,"
                  "\"prompt_tokens_details\":{\"cached_tokens\":40},\"completion_tokens_details\":{\"reasoning_tokens\":5}}}");
  const char *once = strstr(out, "\"usage\":{");
  assert_true(once && !strstr(once + 1, "\"usage\":{"));
  const char *usage = strstr(out, "\"choices\":[]"), *done = strstr(out, "data: [DONE]");
  assert_true(usage && done && done > usage);
}

static void test_stream__tool_calls_have_an_index(void **state) {
  (void)state;
  s.pieces[0] = NULL;
  s.calls[0] = (scene_call){"call_1", "weather", "{}"};
  s.calls[1] = (scene_call){"call_2", "weather", "{\"a\":1}"};
  const char *out = scene_ask(&s, ASK(",\"stream\":true,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\"}}]"));
  assert_has(out, "\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\"");
  assert_has(out, "{\"index\":1,\"id\":\"call_2\"");
  assert_has(out, "\"finish_reason\":\"tool_calls\"");
}

static void test_stream__an_error_after_a_token_has_no_done(void **state) {
  (void)state;
  char text[2048];
  for (size_t i = 0; i < sizeof text; i++) text[i] = i % 4 == 3 ? ' ' : 'a'; /* more than the output check holds back */
  text[sizeof text - 1] = '\0';
  s.pieces[0] = text;
  s.fails = AIORCH_E_PROVIDER_BUSY;
  const char *out = scene_ask(&s, ASK(",\"stream\":true"));
  assert_has(out, "\"delta\":{\"content\":\"aaa");
  assert_has(out, "data: {\"error\":{\"message\":\"");
  assert_has_not(out, "[DONE]");
  assert_has_not(out, "\"finish_reason\":\"");
}

static void test_stream__an_error_before_is_a_plain_body(void **state) {
  (void)state;
  s.pieces[0] = NULL;
  s.fails = AIORCH_E_PROVIDER_REJECTED;
  const char *out = scene_ask(&s, ASK(",\"stream\":true"));
  assert_int_equal(strncmp(out, "{\"error\":{\"message\":\"", 21), 0);
  assert_has(out, "\"param\":null");
}

/* ---- what the provider is asked ---- */

static void test_messages__roles_and_parts(void **state) {
  (void)state;
  (void)scene_ask(&s, SAY("{\"role\":\"developer\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"One?\"},"
                          "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"Two.\"}]},"
                          "{\"role\":\"user\",\"name\":\"bob\",\"content\":[{\"type\":\"text\",\"text\":\"See\"},{\"type\":\"image_url\","
                          "\"image_url\":{\"url\":\"data:image/png;base64,iVBORw0KGgo=\",\"detail\":\"low\"}},"
                          "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://example.com/a.png\"}}]}"));
  const char *asked = cli_z(&s.asked);
  assert_has(asked, "Be brief.");
  assert_has(asked, "One?");
  assert_has(asked, "Two.");
  assert_has(asked, "iVBORw0KGgo=");
  assert_has(asked, "image/png");
  assert_has(asked, "https://example.com/a.png");
}

static void test_messages__a_round_of_tools(void **state) {
  (void)state;
  (void)scene_ask(&s, SAY("{\"role\":\"user\",\"content\":\"Weather?\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\","
                          "\"type\":\"function\",\"function\":{\"name\":\"weather\",\"arguments\":\"{\\\"city\\\":\\\"Ulm\\\"}\"},\"extra_content\":"
                          "{\"google\":{\"thought_signature\":\"sig-1\"}}}]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"rain\"}"));
  const char *asked = cli_z(&s.asked);
  assert_has(asked, "c1");
  assert_has(asked, "weather");
  assert_has(asked, "rain");
  assert_has(asked, "sig-1");
}

/* Of a model that was cut off: OpenAI takes it back as it is, and agents send it back. */
static void test_messages__arguments_that_are_no_object_are_sent_in_one(void **state) {
  (void)state;
  const char *out = scene_ask(&s, SAY("{\"role\":\"user\",\"content\":\"Weather?\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\","
                                      "\"type\":\"function\",\"function\":{\"name\":\"weather\",\"arguments\":\"{\\\"city\\\":\\\"Ul\"}},{\"id\":\"c2\","
                                      "\"type\":\"function\",\"function\":{\"name\":\"time\",\"arguments\":\"\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c1\","
                                      "\"content\":\"That is no JSON.\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"noon\"}"));
  assert_has(out, "INVALID_JSON");
  assert_has(out, "\"warnings\":[\"the arguments of a tool call are no JSON object");
  assert_has(cli_z(&s.asked), "INVALID_JSON");
  assert_has(cli_z(&s.asked), "That is no JSON.");
}

static void test_messages__what_is_moved_or_left_out_is_said(void **state) {
  (void)state;
  const char *out = scene_ask(&s, SAY("{\"role\":\"system\",\"content\":\"A\"},{\"role\":\"developer\",\"content\":\"B\"},{\"role\":\"user\",\"content\":\"x\"}"));
  assert_has_not(out, "\"warnings\"");
  out = scene_ask(&s, SAY("{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"system\",\"content\":\"In French.\"},{\"role\":\"user\",\"content\":\"y\"}"));
  assert_has(out, "a message of the system that comes after others");
  out = scene_ask(&s, SAY("{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":\"\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\","
                           "\"text\":\"\"}]},{\"role\":\"user\",\"content\":\"z\"}"));
  assert_has(out, "\"warnings\":[\"a message of the assistant without content is left out\"]");
  assert_has_not(cli_z(&s.asked), "assistant");
}

static void test_messages__what_is_wrong_is_named(void **state) {
  (void)state;
  scene_refused(&s, SAY(""), 400, "messages", "needed");
  scene_refused(&s, SAY("{\"role\":\"user\"}"), 400, "messages[0].content", "must be a text");
  scene_refused(&s, SAY("{\"role\":\"robot\",\"content\":\"x\"}"), 400, "messages[0].role", "must be system");
  scene_refused(&s, SAY("{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}"), 400,
                "messages[1].content[0].type", "not served");
  scene_refused(&s, SAY("{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"tool\",\"tool_call_id\":\"c9\",\"content\":\"y\"}"), 400, "messages[1]",
                "\"c9\"");
  scene_refused(&s, SAY("{\"role\":\"system\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a\"}}]}"), 400,
                "messages[0].content[0].type", "picture");
  scene_refused(&s, SAY("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/tiff;base64,AA==\"}}]}"), 400,
                "messages[0].content[0].image", "image/png");
  scene_refused(&s, SAY("{\"role\":\"assistant\",\"content\":null}"), 400, "messages[0].content", "tool_calls");
}

static void test_members__options_reach_the_provider(void **state) {
  (void)state;
  (void)scene_ask(&s, ASK(",\"temperature\":0.5,\"max_tokens\":7,\"max_completion_tokens\":77,\"stop\":[\"END\",\"FIN\"],\"reasoning_effort\":"
                          "\"low\",\"parallel_tool_calls\":true,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"colour\","
                          "\"strict\":true,\"schema\":{\"type\":\"object\",\"properties\":{\"c\":{\"type\":\"string\"}}}}}"));
  const char *asked = cli_z(&s.asked);
  assert_has(asked, "\"max_tokens\":77");
  assert_has(asked, "\"temperature\":0.5");
  assert_has(asked, "FIN");
  assert_has(asked, "colour");
}

static void test_members__neutral_and_ignored_ones_pass(void **state) {
  (void)state;
  (void)scene_ask(&s, ASK(",\"n\":1,\"top_p\":1.0,\"seed\":null,\"frequency_penalty\":0,\"presence_penalty\":0.0,\"logit_bias\":{},\"user\":\"eve\","
                          "\"metadata\":{\"a\":\"b\"},\"store\":true,\"logprobs\":false,\"functions\":null,\"tools\":[],\"service_tier\":\"auto\""));
  assert_has_not(cli_z(&s.asked), "eve");
}

static void test_members__what_cannot_be_done_is_refused(void **state) {
  (void)state;
  scene_refused(&s, "[]", 400, NULL, "object");
  scene_refused(&s, "{", 400, NULL, "at byte 1");
  scene_refused(&s, ASK(",\"n\":2"), 400, "n", "one answer");
  scene_refused(&s, ASK(",\"logprobs\":true"), 400, "logprobs", "not served");
  scene_refused(&s, ASK(",\"tempertaure\":1"), 400, "tempertaure", "\"temperature\"?");
  scene_refused(&s, ASK(",\"model\":\"x\""), 400, "model", "twice");
  scene_refused(&s, ASK(",\"temperature\":-1"), 400, "temperature", "0 or above");
  scene_refused(&s, ASK(",\"temperature\":3"), 400, "temperature", "");
  scene_refused(&s, ASK(",\"max_tokens\":\"7\""), 400, "max_tokens", "number");
  scene_refused(&s, ASK(",\"stream\":1"), 400, "stream", "true or false");
  scene_refused(&s, ASK(",\"stream_options\":{\"include_usage\":true}"), 400, "stream_options", "\"stream\": true");
  scene_refused(&s, ASK(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"w\"}}],"
                        "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"x\"}}"), 400, "tool_choice", "offered first");
  scene_refused(&s, ASK(",\"tool_choice\":\"required\""), 400, "tool_choice", "none to choose from");
  scene_refused(&s, ASK(",\"max_completion_tokens\":0"), 400, "max_completion_tokens", "max_completion_tokens: ");
  scene_refused(&s, ASK(",\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]"), 400,
                "stop", "at most 16");
  scene_refused(&s, ASK(",\"tools\":[{\"type\":\"web_search\"}]"), 400, "tools[0].type", "function");
  scene_refused(&s, ASK(",\"response_format\":{\"type\":\"xml\"}"), 400, "response_format", "json_schema");
  scene_refused(&s, ASK(",\"seed\":5"), 400, "seed", "leave it out");
  assert_string_equal(s.why.code, "unsupported_parameter");
}

/* ---- names of models ---- */

static void test_model__what_each_name_stands_for(void **state) {
  (void)state;
  assert_has(scene_ask(&s, "{\"model\":\"fake\"," HELLO "}"), "\"provider\":\"fake\"");
  assert_has(scene_ask(&s, "{\"model\":\"fake-1\"," HELLO "}"), "\"provider\":\"fake\"");
  assert_has(scene_ask(&s, "{\"model\":\"fake/fake-1\"," HELLO "}"), "\"provider\":\"fake\"");
  assert_has(scene_ask(&s, "{\"model\":\"aiorch/complex\"," HELLO "}"), "\"provider\":\"fake\"");
  scene_refused(&s, "{\"model\":\"fake/other\"," HELLO "}", 404, "model", "\"fake/other\" is none");
  assert_string_equal(s.why.code, "model_not_found");
  scene_refused(&s, "{\"model\":\"gpt-99\"," HELLO "}", 404, "model", "GET /v1/models");
  scene_refused(&s, "{\"model\":\"\"," HELLO "}", 400, "model", "needed");
  scene_refused(&s, "{" HELLO "}", 400, "model", "needed");
}

static void test_model__the_operator_may_allow_more(void **state) {
  (void)state;
  scene_close(&s);
  scene_open(&s, &wire_openai_chat, NULL, " fake/other , nobody/x");
  s.pieces[0] = "Yes.";
  (void)scene_ask(&s, "{\"model\":\"fake/other\"," HELLO "}");
  assert_has(cli_z(&s.asked), "\"model\":\"other\"");
  scene_refused(&s, "{\"model\":\"fake/more\"," HELLO "}", 404, "model", "none");
  scene_refused(&s, "{\"model\":\"nobody/x\"," HELLO "}", 404, "model", "none");
  scene_close(&s);
  scene_open(&s, &wire_openai_chat, NULL, "fake/" "*");
  s.pieces[0] = "Yes.";
  (void)scene_ask(&s, "{\"model\":\"fake/meta/llama\"," HELLO "}");
  assert_has(cli_z(&s.asked), "\"model\":\"meta/llama\"");
}

/* ---- members for the provider alone ---- */

static void test_passed__go_with_the_operators_own(void **state) {
  (void)state;
  scene_close(&s);
  scene_open(&s, &wire_openai_chat,
             "{\"generate.provider_options\":\"{\\\"seed\\\": 1, \\\"x\\\": {}}\",\"generate.chain\":\"extractive\"}", NULL);
  assert_true(scene_begin(&s, ASK(",\"seed\":5,\"top_p\":0.5")));
  assert_true(model_catalog_speaks(s.models, "", "openai"));
  assert_false(model_catalog_speaks(s.models, "fake", "openai"));
}

/* ---- our own member ---- */

static void test_own__filters_cache_tier_provider(void **state) {
  (void)state;
  (void)scene_ask(&s, ASK(",\"aiorch\":{\"filters\":{\"lang\":[\"en\",{\"prefix\":\"d\"}],\"version\":{\"from\":\"1\",\"to\":\"2\"}},\"cache\":"
                          "{\"mode\":\"off\",\"ttl_s\":60},\"retrieve\":{\"top_k\":3},\"tier\":\"simple\",\"provider\":[\"fake\"]}"));
  assert_has(cli_z(&s.x.out), "\"cache\":\"off\"");
  scene_refused(&s, ASK(",\"aiorch\":{\"chache\":1}"), 400, "aiorch", "\"chache\"");
  scene_refused(&s, ASK(",\"aiorch\":{\"cache\":{\"mode\":\"sometimes\"}}"), 400, "aiorch.cache", "sometimes");
  scene_refused(&s, ASK(",\"aiorch\":{\"filters\":{\"a\":{\"gt\":\"1\"}}}"), 400, "aiorch.filters", "prefix");
  scene_refused(&s, ASK(",\"aiorch\":{\"provider\":\"nobody\"}"), 400, "aiorch.provider", "name of a provider");
  scene_refused(&s, "{\"model\":\"fake\",\"aiorch\":{\"provider\":\"fake\"}," HELLO "}", 400, "aiorch.provider", "named one already");
  scene_refused(&s, ASK(",\"aiorch\":[]"), 400, "aiorch", "object");
}

static void test_caller__never_from_the_body(void **state) {
  (void)state;
  scene_refused(&s, ASK(",\"tenant\":\"other\""), 400, "tenant", "no member");
  scene_refused(&s, ASK(",\"aiorch\":{\"tenant\":\"other\"}"), 400, "aiorch", "\"tenant\"");
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      T(test_whole__has_what_clients_read), T(test_whole__a_hit_has_spent_nothing), T(test_whole__finish_reasons),
      T(test_whole__a_refusal_is_no_content), T(test_whole__tool_calls), T(test_stream__chunks_and_done),
      T(test_stream__every_line_is_an_event_of_json), T(test_stream__usage_in_a_last_chunk_on_request),
      T(test_stream__tool_calls_have_an_index), T(test_stream__an_error_after_a_token_has_no_done),
      T(test_stream__an_error_before_is_a_plain_body), T(test_messages__roles_and_parts), T(test_messages__a_round_of_tools),
      T(test_messages__arguments_that_are_no_object_are_sent_in_one),
      T(test_messages__what_is_moved_or_left_out_is_said), T(test_messages__what_is_wrong_is_named), T(test_members__options_reach_the_provider),
      T(test_members__neutral_and_ignored_ones_pass), T(test_members__what_cannot_be_done_is_refused),
      T(test_model__what_each_name_stands_for), T(test_model__the_operator_may_allow_more), T(test_passed__go_with_the_operators_own),
      T(test_own__filters_cache_tier_provider), T(test_caller__never_from_the_body),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
