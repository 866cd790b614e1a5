/* lib/providers/http_provider.c and http_attempt.c: settings become a provider, a call becomes an exchange, bytes become an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/call.h"
#include "core/options.h"
#include "providers/http_provider.h"
#include "support/scripted_transport.h"
#include "support/test_alloc.h"

typedef struct held {
  aio__test_alloc alloc;
  virtual_clock time;
  scripted_transport wire;
  aio__counters counters;
  aio__options options;
  aio__plugins plugins;
  aio__calls *calls;
  aio__waker *waker;
  aiorch_call *call;
  aiorch_error error;
  aio__buf text;
} held;

static void open_held(held *h) {
  memset(h, 0, sizeof *h);
  aio__test_alloc_init(&h->alloc);
  virtual_clock_init(&h->time);
  scripted_transport_init(&h->wire, &h->time);
  aio__counters_init(&h->counters);
  aio__error_init(&h->error);
  assert_int_equal(aio__options_init(&h->options, &h->alloc.al), AIORCH_OK);
  aio__plugins_init(&h->plugins, &h->alloc.al);
  assert_int_equal(aio__calls_new(&h->alloc.al, &h->wire.clock, NULL, &h->counters, &h->calls), AIORCH_OK);
  assert_int_equal(aio__waker_new(&h->alloc.al, &h->wire.clock, &h->waker), AIORCH_OK);
  aio__buf_init(&h->text, aio__alloc_default(), 1 << 24);
}

static void set(held *h, const char *key, const char *value) {
  if (aio__options_set_text(&h->options, aio__str_z(key), aio__str_z(value), false, &h->error)) fail_msg("%s", h->error.message);
}

static aiorch_status add(held *h) {
  aio__http_provider_env env = {&h->alloc.al, &h->wire.clock, &h->wire.transport, 1 << 20};
  aiorch_status st = AIORCH_OK;
  for (size_t i = 0; i < h->options.providers.count && st == AIORCH_OK; i++) {
    st = aio__http_provider_add(&h->plugins, h->options.providers.items[i], &env, &h->error);
  }
  return st;
}

static void drop_call(held *h) {
  aio__call_drop(h->call);
  h->call = NULL;
  aio__buf_reset(&h->text);
}

static void close_held(held *h) {
  drop_call(h);
  aio__plugins_destroy(&h->plugins);
  aio__waker_release(h->waker);
  aio__calls_free(h->calls);
  aio__options_free(&h->options);
  scripted_transport_free(&h->wire);
  aio__buf_free(&h->text);
  assert_int_equal(h->alloc.live, 0);
}

static aio__call_request question(void) {
  static const aio__call_message messages[] = {{.role = AIORCH_ROLE_USER, .text = {"Hi", 2}}};
  return (aio__call_request){
      .model = AIO__LIT("m-1"), .system = AIO__LIT("Be brief."), .messages = messages, .message_count = 1, .max_tokens = 9, .temperature = -1};
}

static aiorch_status start(held *h, const aio__call_request *request) {
  aiorch_status st = aio__call_new(h->calls, AIO__CALL_GENERATE, request, h->waker, aio__clock_after_ms(&h->wire.clock, 120000), 1 << 20, &h->call);
  if (st) return st;
  const aio__plugin_provider *p = &h->plugins.providers[0];
  aio__call_start(h->call, p->vtbl.generate, p->vtbl.cancel, p->self, p->vtbl.flags, p->serial);
  return AIORCH_OK;
}

/* As the engine does: poll, take, wait for the waker or the time that the call names. */
static const aio__call_result *drive(held *h) {
  while (!aio__call_poll(h->call)) {
    (void)aio__waker_wait(h->waker, aio__call_wakes_at(h->call));
    aio__waker_clear(h->waker);
  }
  (void)aio__call_take_text(h->call, &h->text);
  return aio__call_result_of(h->call);
}

static const aio__call_result *ask(held *h) {
  aio__call_request request = question();
  drop_call(h);
  assert_int_equal(start(h, &request), AIORCH_OK);
  return drive(h);
}

static int64_t now_ms(const held *h) { return atomic_load(&h->time.monotonic_ns) / 1000000; }

#define SSE "data: "
#define DELTA(text) SSE "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}]}\n\n"
#define STOPPED SSE "{\"id\":\"c\",\"model\":\"m-1-full\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define USAGE SSE "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n"
#define DONE SSE "[DONE]\n\n"
#define STREAM HEAD(200, "content-type: text/event-stream|x-request-id: req-7")

static void use_openai(held *h) {
  set(h, "providers.openai.key", "sk-secret-of-ours");
  assert_int_equal(add(h), AIORCH_OK);
}

/* ---- an answer ---- */

static void test_generate__streams_an_answer(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM, PAUSE(100), BYTES(DELTA("Hel")), PAUSE(300), BYTES(DELTA("lo") STOPPED USAGE DONE), END};
  held h;
  open_held(&h);
  use_openai(&h);
  scripted_transport_add(&h.wire, "https://api.openai.com/v1/chat/completions", answer, COUNT(answer));
  int64_t begun = now_ms(&h);
  const aio__call_result *r = ask(&h);
  assert_int_equal(r->status, AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&h.text), "Hello");
  assert_int_equal(now_ms(&h) - begun, 400);
  assert_int_equal(r->finish_reason, AIORCH_FINISH_STOP);
  assert_int_equal(r->usage[AIORCH_USAGE_INPUT], 7);
  assert_int_equal(r->usage[AIORCH_USAGE_OUTPUT], 3);
  assert_string_equal(r->model, "m-1-full");
  assert_string_equal(r->request_id, "req-7");
  assert_true(r->sent);
  assert_int_equal(h.wire.request_count, 1);
  assert_string_equal(h.wire.requests[0].body, "{\"model\":\"m-1\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"Hi\"}],"
                                               "\"max_completion_tokens\":9,\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
  assert_non_null(strstr(h.wire.requests[0].headers, "authorization: Bearer sk-secret-of-ours\n"));
  close_held(&h);
}

/* The head may come between the look for it and the taking of bytes: none of them is lost. */
static int heads_asked;
static const aio__wire_reply *(*real_head)(aio__exchange *exchange);

static const aio__wire_reply *head_that_comes_late(aio__exchange *exchange) {
  return heads_asked++ == 0 ? NULL : real_head(exchange);
}

static void test_generate__a_head_that_comes_with_the_first_bytes(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM, BYTES(DELTA("Hel")), PAUSE(300), BYTES(DELTA("lo") STOPPED USAGE DONE), END};
  held h;
  open_held(&h);
  use_openai(&h);
  heads_asked = 0;
  real_head = h.wire.transport.head;
  h.wire.transport.head = head_that_comes_late;
  scripted_transport_add(&h.wire, "", answer, COUNT(answer));
  const aio__call_result *r = ask(&h);
  assert_int_equal(r->status, AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&h.text), "Hello");
  close_held(&h);
}

static void test_generate__is_the_same_in_pieces_of_any_size(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM, BYTES(DELTA("Gr\\u00fc\\u00df") DELTA("e \xF0\x9F\x98\x80") STOPPED USAGE DONE), END};
  for (size_t piece = 1; piece < 40; piece += 3) {
    held h;
    open_held(&h);
    use_openai(&h);
    h.wire.piece = piece;
    scripted_transport_add(&h.wire, "", answer, COUNT(answer));
    const aio__call_result *r = ask(&h);
    assert_int_equal(r->status, AIORCH_OK);
    assert_string_equal(aio__buf_cstr(&h.text), "Gr\xC3\xBC\xC3\x9F" "e \xF0\x9F\x98\x80");
    assert_int_equal(r->usage[AIORCH_USAGE_INPUT], 7);
    close_held(&h);
  }
}

static void test_generate__a_connection_that_stays_open_behind_the_last_event(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM, BYTES(DELTA("Hello") STOPPED USAGE DONE), PAUSE(60000), END};
  held h;
  open_held(&h);
  use_openai(&h);
  scripted_transport_add(&h.wire, "", answer, COUNT(answer));
  int64_t begun = now_ms(&h);
  assert_int_equal(ask(&h)->status, AIORCH_OK);
  assert_int_equal(now_ms(&h) - begun, AIO__HTTP_PROVIDER_LINGER_MS);
  assert_int_equal(h.wire.live, 0);
  close_held(&h);
}

static void test_generate__a_cut_behind_the_last_event_is_none(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM, BYTES(DELTA("Hello") STOPPED), FAIL(AIORCH_E_NETWORK, "connection reset")};
  held h;
  open_held(&h);
  use_openai(&h);
  scripted_transport_add(&h.wire, "", answer, COUNT(answer));
  assert_int_equal(ask(&h)->status, AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&h.text), "Hello");
  close_held(&h);
}

static void test_generate__an_answer_that_comes_whole(void **state) {
  (void)state;
  static const script_event answer[] = {PAUSE(70000), HEAD(200, "content-type: application/json"),
                                        BYTES("{\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hello\"},\"finish_reason\":\"length\"}],"
                                              "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}"),
                                        END};
  held h;
  open_held(&h);
  set(&h, "providers.openai.stream", "false");
  use_openai(&h);
  scripted_transport_add(&h.wire, "", answer, COUNT(answer));
  const aio__call_result *r = ask(&h);
  assert_int_equal(r->status, AIORCH_OK);
  assert_int_equal(r->finish_reason, AIORCH_FINISH_LENGTH);
  assert_string_equal(aio__buf_cstr(&h.text), "Hello");
  assert_int_equal(h.wire.requests[0].limits.first_byte_ms, 120000); /* its head comes when all of it was thought */
  assert_null(strstr(h.wire.requests[0].body, "stream"));
  close_held(&h);
}

/* ---- what comes besides the text ---- */

static void expect_extra(held *h, size_t index, aio__event_kind kind, const char *id, const char *name, const char *text, const char *signature) {
  aio__call_extra e;
  assert_true(aio__call_extra_at(h->call, index, &e));
  assert_int_equal(e.kind, kind);
  assert_true(aio__str_eqz(e.id, id) && aio__str_eqz(e.name, name) && aio__str_eqz(e.text, text) && aio__str_eqz(e.signature, signature));
}

static void test_generate__tool_calls_and_reasoning(void **state) {
  (void)state;
#define A(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
  static const script_event answer[] = {
      HEAD(200, "content-type: text/event-stream"),
      BYTES(A("message_start", ",\"message\":{\"id\":\"m\",\"model\":\"claude\",\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}")
            A("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}")
            A("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"Let me \"}")
            A("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"see.\"}")
            A("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"sig==\"}")
            A("content_block_stop", ",\"index\":0")
            A("content_block_start", ",\"index\":1,\"content_block\":{\"type\":\"redacted_thinking\",\"data\":\"opaque\"}")
            A("content_block_start", ",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"look\",\"input\":{}}")
            A("content_block_delta", ",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"q\\\":\"}")),
      PAUSE(10),
      BYTES(A("content_block_delta", ",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}")
            A("content_block_stop", ",\"index\":2")
            A("content_block_start", ",\"index\":3,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"wait\",\"input\":{}}")
            A("content_block_stop", ",\"index\":3")
            A("message_delta", ",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":9}") A("message_stop", "")),
      END};
  held h;
  open_held(&h);
  set(&h, "providers.anthropic.key", "sk-ant-secret");
  assert_int_equal(add(&h), AIORCH_OK);
  scripted_transport_add(&h.wire, "https://api.anthropic.com/v1/messages", answer, COUNT(answer));
  const aio__call_result *r = ask(&h);
  assert_int_equal(r->status, AIORCH_OK);
  assert_int_equal(r->finish_reason, AIORCH_FINISH_TOOL_CALLS);
  expect_extra(&h, 0, AIO__EVENT_REASONING, "", "", "Let me see.", "sig==");
  expect_extra(&h, 1, AIO__EVENT_REDACTED, "", "", "", "opaque");
  expect_extra(&h, 2, AIO__EVENT_TOOL_END, "t1", "look", "{\"q\":1}", "");
  expect_extra(&h, 3, AIO__EVENT_TOOL_END, "t2", "wait", "{}", "");
  assert_false(aio__call_extra_at(h.call, 4, &(aio__call_extra){.kind = 0}));
  close_held(&h);
}

static void test_generate__reasoning_without_a_signature_ends_where_text_begins(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM,
                                        BYTES(SSE "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"Hm\"}}]}\n\n"
                                              SSE "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"m.\"}}]}\n\n" DELTA("Yes.") STOPPED DONE),
                                        END};
  held h;
  open_held(&h);
  set(&h, "providers.deepseek.key", "k-1");
  set(&h, "providers.deepseek.model", "deepseek-v4-flash");
  assert_int_equal(add(&h), AIORCH_OK);
  scripted_transport_add(&h.wire, "https://api.deepseek.com/chat/completions", answer, COUNT(answer));
  assert_int_equal(ask(&h)->status, AIORCH_OK);
  expect_extra(&h, 0, AIO__EVENT_REASONING, "", "", "Hmm.", "");
  assert_string_equal(aio__buf_cstr(&h.text), "Yes.");
  close_held(&h);
}

static void test_generate__a_parameter_that_is_left_out_is_a_warning(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM, BYTES(DELTA("Hi") STOPPED DONE), END};
  held h;
  open_held(&h);
  use_openai(&h);
  scripted_transport_add(&h.wire, "", answer, COUNT(answer));
  aio__call_request request = question();
  request.model = AIO__LIT("gpt-6-sol");
  request.temperature = 0.3;
  assert_int_equal(start(&h, &request), AIORCH_OK);
  assert_int_equal(drive(&h)->status, AIORCH_OK);
  aio__call_extra e;
  assert_true(aio__call_extra_at(h.call, 0, &e));
  assert_int_equal(e.kind, AIO__EVENT_WARNING);
  assert_true(aio__wire_has(e.text, "temperature"));
  close_held(&h);
}

static void test_generate__refused_parameters_send_nothing(void **state) {
  (void)state;
  held h;
  open_held(&h);
  set(&h, "providers.openai.unsupported", "refuse");
  use_openai(&h);
  aio__call_request request = question();
  request.model = AIO__LIT("gpt-6-sol");
  request.temperature = 0.3;
  assert_int_equal(start(&h, &request), AIORCH_OK);
  const aio__call_result *r = drive(&h);
  assert_int_equal(r->status, AIORCH_E_UNSUPPORTED);
  assert_false(r->sent);
  assert_non_null(strstr(r->message, "temperature"));
  assert_int_equal(h.wire.request_count, 0);
  close_held(&h);
}

/* ---- what is said ---- */

static void test_generate__options_of_the_provider_lie_below_those_of_the_run(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM, BYTES(DELTA("Hi") STOPPED DONE), END};
  held h;
  open_held(&h);
  set(&h, "providers.openai.options", "{\"a\":1,\"o\":{\"x\":1,\"y\":1}}");
  set(&h, "providers.openai.headers", "{\"OpenAI-Organization\":\"org-1\"}");
  use_openai(&h);
  scripted_transport_always(&h.wire, "", answer, COUNT(answer));
  aio__call_request request = question();
  request.provider_options = AIO__LIT("{\"o\":{\"y\":2},\"b\":12345678901234567890}");
  assert_int_equal(start(&h, &request), AIORCH_OK);
  assert_int_equal(drive(&h)->status, AIORCH_OK);
  assert_non_null(strstr(h.wire.requests[0].body, "\"a\":1,\"o\":{\"x\":1,\"y\":2},\"b\":12345678901234567890}"));
  assert_non_null(strstr(h.wire.requests[0].headers, "OpenAI-Organization: org-1\n"));
  drop_call(&h);
  request.provider_options = AIO__LIT("[1]");
  assert_int_equal(start(&h, &request), AIORCH_OK);
  assert_int_equal(drive(&h)->status, AIORCH_E_CONFIG);
  assert_false(aio__call_result_of(h.call)->sent);
  close_held(&h);
}

static void test_generate__parts_tools_and_wishes_reach_the_codec(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM, BYTES(DELTA("Hi") STOPPED DONE), END};
  static const aio__part said[] = {{.kind = AIO__PART_TEXT, .text = {"See", 3}}, {.kind = AIO__PART_IMAGE_URL, .text = {"https://e.example/i.png", 23}}};
  static const aio__part called[] = {{.kind = AIO__PART_TOOL_CALL, .id = {"c1", 2}, .name = {"f", 1}, .text = {"{\"a\":1}", 7}}};
  static const aio__part result[] = {{.kind = AIO__PART_TOOL_RESULT, .id = {"c1", 2}, .name = {"f", 1}, .text = {"42", 2}}};
  static const aio__call_message messages[] = {{AIORCH_ROLE_USER, {"See", 3}, said, 2}, {AIORCH_ROLE_ASSISTANT, {"", 0}, called, 1}, {AIORCH_ROLE_TOOL, {"", 0}, result, 1}};
  static const aio__tool tools[] = {{.name = {"f", 1}, .description = {"does", 4}, .schema = {"{\"type\":\"object\"}", 17}}};
  static const aio__str stops[] = {{"END", 3}};
  held h;
  open_held(&h);
  use_openai(&h);
  scripted_transport_add(&h.wire, "", answer, COUNT(answer));
  aio__call_request request = question();
  request.messages = messages;
  request.message_count = 3;
  request.temperature = 0.5;
  request.wishes = (aio__wishes){.tools = tools, .tool_count = 1, .tool_choice = AIO__TOOLS_ONE, .tool_name = AIO__LIT("f"), .one_tool_at_a_time = true,
                                 .schema = AIO__LIT("{\"type\":\"object\"}"), .stops = stops, .stop_count = 1, .effort = AIO__EFFORT_LOW};
  assert_int_equal(start(&h, &request), AIORCH_OK);
  assert_int_equal(drive(&h)->status, AIORCH_OK);
  const char *body = h.wire.requests[0].body;
  static const char *const parts[] = {"{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://e.example/i.png\"}}", "\"tool_calls\":[{\"id\":\"c1\"",
                                      "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"42\"}", "\"temperature\":0.5", "\"stop\":[\"END\"]",
                                      "\"reasoning_effort\":\"low\"", "\"parallel_tool_calls\":false", "\"json_schema\"", "\"tool_choice\":{"};
  for (size_t i = 0; i < COUNT(parts); i++) {
    if (!strstr(body, parts[i])) fail_msg("no %s in %s", parts[i], body);
  }
  close_held(&h);
}

/* Each is a message of its own; services want all results behind the calls, before the pictures that came with them. */
static void test_generate__results_that_follow_one_another_are_one_turn(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM, BYTES(DELTA("Hi") STOPPED DONE), END};
  static const aio__part called[] = {{.kind = AIO__PART_TOOL_CALL, .id = {"c1", 2}, .name = {"f", 1}}, {.kind = AIO__PART_TOOL_CALL, .id = {"c2", 2}, .name = {"f", 1}}};
  static const aio__part one[] = {{.kind = AIO__PART_TOOL_RESULT, .id = {"c1", 2}, .name = {"f", 1}, .text = {"1", 1}}, {.kind = AIO__PART_IMAGE_URL, .text = {"https://e.example/i.png", 23}}};
  static const aio__part two[] = {{.kind = AIO__PART_TOOL_RESULT, .id = {"c2", 2}, .name = {"f", 1}, .text = {"2", 1}}};
  static const aio__call_message messages[] = {{AIORCH_ROLE_USER, {"Q", 1}, NULL, 0}, {AIORCH_ROLE_ASSISTANT, {"", 0}, called, 2}, {AIORCH_ROLE_TOOL, {"", 0}, one, 2},
                                               {AIORCH_ROLE_TOOL, {"", 0}, two, 1}, {AIORCH_ROLE_USER, {"So?", 3}, NULL, 0}};
  held h;
  open_held(&h);
  use_openai(&h);
  scripted_transport_add(&h.wire, "", answer, COUNT(answer));
  aio__call_request request = question();
  request.messages = messages;
  request.message_count = COUNT(messages);
  assert_int_equal(start(&h, &request), AIORCH_OK);
  assert_int_equal(drive(&h)->status, AIORCH_OK);
  const char *body = h.wire.requests[0].body;
  static const char want[] = "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"1\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"2\"},"
                             "{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://e.example/i.png\"}}]},"
                             "{\"role\":\"user\",\"content\":\"So?\"}]";
  if (!strstr(body, want)) fail_msg("no %s in %s", want, body);
  close_held(&h);
}

static void test_generate__the_endpoint_chooses_address_and_key(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM, BYTES(DELTA("Hi") STOPPED DONE), END};
  held h;
  open_held(&h);
  set(&h, "providers.mine.api", "openai");
  set(&h, "providers.mine.model", "m");
  set(&h, "providers.mine.base_url", "https://a.example/v1 *3, https://b.example/v1");
  set(&h, "providers.mine.key", "key-of-a, key-of-b *2");
  assert_int_equal(add(&h), AIORCH_OK);
  scripted_transport_always(&h.wire, "", answer, COUNT(answer));
  const aio__plugin_provider *p = &h.plugins.providers[0];
  assert_int_equal(p->endpoint_count, 2);
  assert_int_equal(p->endpoint_weights[0], 3);
  assert_int_equal(p->endpoint_weights[1], 2);
  assert_string_equal(p->endpoint_names[1], "b.example");
  for (uint32_t i = 0; i < 3; i++) { /* one that is none is the first */
    aio__call_request request = question();
    request.endpoint = i;
    assert_int_equal(start(&h, &request), AIORCH_OK);
    assert_int_equal(drive(&h)->status, AIORCH_OK);
    assert_string_equal(h.wire.requests[i].url, i == 1 ? "https://b.example/v1/chat/completions" : "https://a.example/v1/chat/completions");
    assert_non_null(strstr(h.wire.requests[i].headers, i == 1 ? "Bearer key-of-b\n" : "Bearer key-of-a\n"));
    drop_call(&h);
  }
  close_held(&h);
}

/* ---- what a service sends back of what it was sent ---- */

static void test_generate__secrets_that_come_back(void **state) {
  (void)state;
  static const script_event named[] = {HEAD(200, "content-type: text/event-stream|x-request-id: sk-secret-of-ours"),
                                       BYTES("data: {\"model\":\"sk-secret-of-ours\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n" STOPPED DONE),
                                       END};
  static const script_event failed[] = {HEAD(400, "x-request-id: org-hidden-here"),
                                        BYTES("{\"error\":{\"message\":\"bad header org-hidden-here with sk-secret-of-ours\"}}"), END};
  held h;
  open_held(&h);
  set(&h, "providers.openai.headers", "{\"X-Org\":\"org-hidden-here\"}");
  use_openai(&h);
  scripted_transport_add(&h.wire, "", named, COUNT(named));
  scripted_transport_add(&h.wire, "", failed, COUNT(failed));
  const aio__call_result *r = ask(&h);
  assert_int_equal(r->status, AIORCH_OK);
  assert_string_equal(r->model, "");
  assert_string_equal(r->request_id, "");
  drop_call(&h);
  r = ask(&h);
  assert_int_equal(r->status, AIORCH_E_PROVIDER_REJECTED);
  assert_string_equal(r->message, "bad header [key] with [key]");
  assert_string_equal(r->request_id, "");
  close_held(&h);
}

/* Anthropic counts in its first event, and again in its last: of an answer that broke off the count is not the whole. */
static void test_generate__counts_of_what_broke_off_are_partial(void **state) {
  (void)state;
  static const script_event cut[] = {STREAM, BYTES(DELTA("Hi") USAGE), FAIL(AIORCH_E_NETWORK, "reset")};
  static const script_event whole[] = {STREAM, BYTES(DELTA("Hi") STOPPED USAGE DONE), END};
  held h;
  open_held(&h);
  use_openai(&h);
  scripted_transport_add(&h.wire, "", cut, COUNT(cut));
  scripted_transport_add(&h.wire, "", whole, COUNT(whole));
  const aio__call_result *r = ask(&h);
  assert_int_equal(r->status, AIORCH_E_NETWORK);
  assert_true(r->has_usage && r->usage_partial);
  drop_call(&h);
  r = ask(&h);
  assert_int_equal(r->status, AIORCH_OK);
  assert_true(r->has_usage && !r->usage_partial);
  close_held(&h);
}

/* ---- failures ---- */

typedef struct failure_row {
  script_event events[6];
  size_t count;
  aiorch_status status;
  int32_t http_status;
  int64_t retry_after_ms, took_ms;
  int should_retry;
  bool not_today, sent;
  const char *message, *text;
} failure_row;

static void expect_failure_row(const failure_row *row) {
  held h;
  open_held(&h);
  use_openai(&h);
  scripted_transport_add(&h.wire, "", row->events, row->count);
  int64_t begun = now_ms(&h);
  const aio__call_result *r = ask(&h);
  assert_int_equal(r->status, row->status);
  assert_int_equal(r->http_status, row->http_status);
  assert_int_equal(r->retry_after_ms, row->retry_after_ms);
  assert_int_equal(r->should_retry, row->should_retry);
  assert_int_equal(r->not_today, row->not_today);
  assert_int_equal(r->sent, row->sent);
  assert_int_equal(now_ms(&h) - begun, row->took_ms);
  if (!strstr(r->message, row->message)) fail_msg("\"%s\" is not in \"%s\"", row->message, r->message);
  assert_null(strstr(r->message, "sk-secret"));
  assert_string_equal(aio__buf_cstr(&h.text), row->text);
  assert_int_equal(h.wire.live, 0);
  close_held(&h);
}

static void test_generate__failures(void **state) {
  (void)state;
  static const failure_row rows[] = {
      {{REFUSED}, 1, AIORCH_E_NETWORK, 0, -1, 0, -1, false, false, "connection refused", ""},
      {{PAUSE(50), FAIL(AIORCH_E_NETWORK, "reset")}, 2, AIORCH_E_NETWORK, 0, -1, 50, -1, false, true, "reset", ""},
      {{STREAM, BYTES(DELTA("Hel")), PAUSE(5), FAIL(AIORCH_E_NETWORK, "reset")}, 4, AIORCH_E_NETWORK, 200, -1, 5, -1, false, true, "reset", "Hel"},
      {{STREAM, BYTES(DELTA("Hel")), END}, 3, AIORCH_E_TRUNCATED, 200, -1, 0, -1, false, true, "last event", "Hel"},
      {{HEAD(429, "content-type: application/json|retry-after: 7"), BYTES("{\"error\":{\"message\":\"slow down sk-secret-of-ours\"}}"), END}, 3,
       AIORCH_E_PROVIDER_LIMIT, 429, 7000, 0, -1, false, true, "slow down [key]", ""},
      {{HEAD(429, ""), BYTES("{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"pay\"}}"), END}, 3, AIORCH_E_PROVIDER_KEY, 429, -1, 0, -1, true, true,
       "pay", ""},
      {{HEAD(503, "x-should-retry: false"), BYTES("<html><title>Down</title>"), END}, 3, AIORCH_E_PROVIDER_BUSY, 503, -1, 0, 0, false, true, "Down", ""},
      {{HEAD(500, ""), BYTES("{\"error\":"), PAUSE(1), FAIL(AIORCH_E_NETWORK, "reset")}, 4, AIORCH_E_PROVIDER_BUSY, 500, -1, 1, -1, false, true, "", ""},
      {{HEAD(500, ""), PAUSE(100000), END}, 3, AIORCH_E_PROVIDER_BUSY, 500, -1, 20000, -1, false, true, "", ""},
      {{STREAM, PAUSE(100000), END}, 3, AIORCH_E_NETWORK, 200, -1, 60000, -1, false, true, "no token came within 60000 ms", ""},
      {{STREAM, PAUSE(59000), BYTES(": ping\n\n"), PAUSE(40000), END}, 5, AIORCH_E_NETWORK, 200, -1, 60000, -1, false, true, "no token", ""},
      {{STREAM, BYTES(DELTA("Hel")), PAUSE(19000), BYTES(": ping\n\n"), PAUSE(19000), END}, 6, AIORCH_E_NETWORK, 200, -1, 20000, -1, false, true,
       "no further token came within 20000 ms", "Hel"},
      {{STREAM, BYTES(DELTA("Hel") SSE "{\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n"), END}, 3, AIORCH_E_PROVIDER_BUSY, 503, -1, 0, -1, false, true,
       "overloaded", "Hel"},
      {{STREAM, BYTES("data: {nonsense\n\n" DELTA("x")), PAUSE(5), END}, 4, AIORCH_E_RESPONSE, 200, -1, 0, -1, false, true, "not JSON", ""},
      {{STREAM, PAUSE(1), FAIL(AIORCH_E_TOO_LARGE, "too much")}, 3, AIORCH_E_TOO_LARGE, 200, -1, 1, -1, false, true, "too much", ""},
  };
  for (size_t i = 0; i < COUNT(rows); i++) expect_failure_row(&rows[i]);
}

static void test_generate__tokens_may_be_slow_as_long_as_they_come(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM,       PAUSE(59000), BYTES(DELTA("a")), PAUSE(19000), BYTES(DELTA("b")),
                                        PAUSE(19000), BYTES(DELTA("c") STOPPED), PAUSE(30000), END};
  held h;
  open_held(&h);
  use_openai(&h);
  scripted_transport_add(&h.wire, "", answer, COUNT(answer));
  int64_t begun = now_ms(&h);
  assert_int_equal(ask(&h)->status, AIORCH_OK); /* its last event never came, but its finish reason did */
  assert_string_equal(aio__buf_cstr(&h.text), "abc");
  assert_int_equal(now_ms(&h) - begun, 97000 + 20000);
  close_held(&h);
}

static void test_generate__an_endless_error_page_is_not_waited_for(void **state) {
  (void)state;
  static char page[100000];
  memset(page, 'x', sizeof page);
  const script_event answer[] = {HEAD(502, "content-type: text/html"), {.kind = SCRIPT_BYTES, .text = page, .len = sizeof page}, PAUSE(1000), END};
  held h;
  open_held(&h);
  use_openai(&h);
  scripted_transport_add(&h.wire, "", answer, COUNT(answer));
  int64_t begun = now_ms(&h);
  assert_int_equal(ask(&h)->status, AIORCH_E_PROVIDER_BUSY);
  assert_int_equal(now_ms(&h) - begun, 0);
  close_held(&h);
}

static void test_generate__a_start_that_fails_has_sent_nothing(void **state) {
  (void)state;
  held h;
  open_held(&h);
  use_openai(&h);
  h.wire.fail_start = AIORCH_E_SYSTEM;
  const aio__call_result *r = ask(&h);
  assert_int_equal(r->status, AIORCH_E_SYSTEM);
  assert_false(r->sent);
  assert_non_null(strstr(r->message, "nothing can be started"));
  close_held(&h);
}

static void test_generate__text_above_the_limit_of_the_call(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM, BYTES(DELTA("0123456789")), PAUSE(5), BYTES(STOPPED DONE), END};
  held h;
  open_held(&h);
  use_openai(&h);
  scripted_transport_add(&h.wire, "", answer, COUNT(answer));
  aio__call_request request = question();
  assert_int_equal(aio__call_new(h.calls, AIO__CALL_GENERATE, &request, h.waker, AIO__NEVER, 5, &h.call), AIORCH_OK);
  const aio__plugin_provider *p = &h.plugins.providers[0];
  aio__call_start(h.call, p->vtbl.generate, p->vtbl.cancel, p->self, 0, NULL);
  assert_int_equal(drive(&h)->status, AIORCH_E_TOO_LARGE);
  close_held(&h);
}

static void test_cancel__drops_the_exchange_at_once(void **state) {
  (void)state;
  static const script_event answer[] = {STREAM, BYTES(DELTA("Hel")), PAUSE(5000), END};
  held h;
  open_held(&h);
  use_openai(&h);
  scripted_transport_always(&h.wire, "", answer, COUNT(answer));
  aio__call_request request = question();
  for (int polls = 0; polls < 3; polls++) {
    assert_int_equal(start(&h, &request), AIORCH_OK);
    for (int i = 0; i < polls; i++) assert_false(aio__call_poll(h.call));
    assert_int_equal(h.wire.live, 1);
    drop_call(&h);
    assert_int_equal(h.wire.live, 0);
  }
  close_held(&h);
}

static aiorch_status whole_answer(held *h) {
  aio__call_request request = question();
  aiorch_status st = start(h, &request);
  return st ? st : drive(h)->status;
}

static void test_generate__out_of_memory_leaks_nothing(void **state) {
  (void)state;
  static const script_event answer[] = {
      STREAM, BYTES(SSE "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"Hm\"}}]}\n\n" DELTA("Hel")),
      BYTES(SSE "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n" STOPPED DONE), END};
  held h;
  open_held(&h);
  set(&h, "providers.openai.options", "{\"a\":1}");
  use_openai(&h);
  scripted_transport_always(&h.wire, "", answer, COUNT(answer));
  aiorch_status st;
  do {
    aio__test_alloc_next(&h.alloc);
    st = whole_answer(&h);
    assert_true(st == AIORCH_OK || h.alloc.failed > 0);
    if (st != AIORCH_OK) assert_int_equal(st, AIORCH_E_NOMEM);
    drop_call(&h);
    assert_int_equal(h.wire.live, 0);
    scripted_transport_free(&h.wire);
  } while (h.alloc.failed > 0);
  h.alloc.fail_at = 0;
  close_held(&h);
}

/* ---- settings ---- */

typedef struct setting_row {
  const char *json[4][2]; /* keys behind "providers." and values */
  const char *error;      /* part of the message; NULL: they are good */
} setting_row;

static void test_add__settings_that_do_not_go_together(void **state) {
  (void)state;
  static const setting_row rows[] = {
      {{{"openai.key", "k"}}, NULL},
      {{{"ollama.model", "m"}}, NULL},
      {{{"llamacpp.connect_ms", "5"}}, NULL},
      {{{"gemini.base_url", "https://g.example/v1beta"}}, NULL},
      {{{"mine.key", "k"}}, "\"providers.mine.api\" must be set"},
      {{{"mine.api", "openai"}, {"mine.model", "m"}}, "\"providers.mine.base_url\" must be set"},
      {{{"mine.api", "openai"}, {"mine.base_url", "http://h/v1"}}, "\"providers.mine.model\" must be set"},
      {{{"mine.api", "anthropic"}, {"mine.key", "k"}}, NULL},
      {{{"azure.key", "k"}, {"azure.model", "m"}}, "\"providers.azure.base_url\" must be set"},
      {{{"groq.key", "k"}}, "\"providers.groq.model\" must be set"},
      {{{"groq.key", "k"}, {"groq.model", "m"}, {"groq.server", "nope"}}, "\"providers.groq.server\" is no server"},
      {{{"openai.base_url", "ftp://h"}}, "\"providers.openai.base_url\""},
      {{{"openai.base_url", "https://u:p@h/"}}, "\"providers.openai.base_url\""},
      {{{"openai.key", "a, b"}, {"openai.base_url", "https://a.example, https://b.example, https://c.example"}}, "one for all the addresses"},
      {{{"openai.key", "a,,b"}}, "\"providers.openai.key\": number 2 of the list is empty"},
      {{{"openai.key", "se\xC3\xA9"}}, "number 1 of the list has a byte"},
      {{{"openai.headers", "[1]"}}, "\"providers.openai.headers\" must be a JSON object"},
      {{{"openai.headers", "{\"a\":1}"}}, "\"providers.openai.headers\" must be a JSON object"},
      {{{"openai.headers", "{\"a b\":\"x\"}"}}, "\"providers.openai.headers\": a header"},
      {{{"openai.options", "{"}}, "providers.openai.options"},
      {{{"openai.options", "3"}}, "providers.openai.options"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    held h;
    open_held(&h);
    for (size_t k = 0; k < 4 && rows[i].json[k][0]; k++) {
      char key[128];
      (void)snprintf(key, sizeof key, "providers.%s", rows[i].json[k][0]);
      set(&h, key, rows[i].json[k][1]);
    }
    aiorch_status st = add(&h);
    if (rows[i].error == NULL) {
      if (st) fail_msg("row %zu: %s", i, h.error.message);
    } else {
      assert_int_not_equal(st, AIORCH_OK);
      if (!strstr(h.error.message, rows[i].error)) fail_msg("row %zu: \"%s\" is not in \"%s\"", i, rows[i].error, h.error.message);
    }
    close_held(&h);
  }
}

static void test_add__models_by_the_name(void **state) {
  (void)state;
  held h;
  open_held(&h);
  set(&h, "providers.anthropic.key", "k");
  set(&h, "providers.openai.model", "own");
  set(&h, "providers.gemini.model_simple", "small");
  set(&h, "providers.gemini.context_tokens", "1000");
  assert_int_equal(add(&h), AIORCH_OK);
  const aio__plugin_provider *p = h.plugins.providers;
  assert_string_equal(p[0].name, "anthropic");
  assert_string_equal(p[0].model, "claude-sonnet-5-5");
  assert_true(p[0].model_simple[0] != '\0' && p[0].model_complex[0] != '\0');
  assert_string_equal(p[1].model, "own");
  assert_string_equal(p[1].model_simple, "");
  assert_string_equal(p[1].model_complex, "");
  assert_string_equal(p[2].model_simple, "small");
  assert_int_equal(p[2].context_tokens, 1000);
  assert_int_equal(p[0].endpoint_count, 1);
  assert_string_equal(p[0].endpoint_names[0], "api.anthropic.com");
  close_held(&h);
}

static void test_add__out_of_memory_leaks_nothing(void **state) {
  (void)state;
  held h;
  open_held(&h);
  set(&h, "providers.openai.key", "a, b");
  set(&h, "providers.openai.headers", "{\"x\":\"y\"}");
  set(&h, "providers.openai.options", "{\"x\":\"y\"}");
  long live = h.alloc.live;
  do {
    aio__test_alloc_next(&h.alloc);
    aiorch_status st = add(&h);
    assert_int_equal(st, h.alloc.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__plugins_destroy(&h.plugins);
    assert_int_equal(h.alloc.live, live);
  } while (h.alloc.failed > 0);
  h.alloc.fail_at = 0;
  close_held(&h);
}

/* A late driver delays its own run and nothing else: a stream of HTTP/2 is never paused, so all of it may wait. */
static void test_generate__much_waits_for_a_late_driver(void **state) {
  (void)state;
  static char body[3 << 20];
  size_t n = 0;
  int words = 0;
  for (; n < sizeof body - 4096; words++) n += (size_t)snprintf(body + n, sizeof body - n, "%s", DELTA("word "));
  n += (size_t)snprintf(body + n, sizeof body - n, "%s", STOPPED USAGE DONE);
  const script_event answer[] = {STREAM, {.kind = SCRIPT_BYTES, .text = body, .len = n}, END};
  held h;
  open_held(&h);
  use_openai(&h);
  scripted_transport_add(&h.wire, "", answer, COUNT(answer));
  const aio__call_result *r = ask(&h);
  assert_int_equal(r->status, AIORCH_OK);
  assert_int_equal(h.text.n, (size_t)words * 5);
  close_held(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_generate__streams_an_answer),
      cmocka_unit_test(test_generate__much_waits_for_a_late_driver),
      cmocka_unit_test(test_generate__a_head_that_comes_with_the_first_bytes),
      cmocka_unit_test(test_generate__is_the_same_in_pieces_of_any_size),
      cmocka_unit_test(test_generate__a_connection_that_stays_open_behind_the_last_event),
      cmocka_unit_test(test_generate__a_cut_behind_the_last_event_is_none),
      cmocka_unit_test(test_generate__an_answer_that_comes_whole),
      cmocka_unit_test(test_generate__tool_calls_and_reasoning),
      cmocka_unit_test(test_generate__reasoning_without_a_signature_ends_where_text_begins),
      cmocka_unit_test(test_generate__a_parameter_that_is_left_out_is_a_warning),
      cmocka_unit_test(test_generate__refused_parameters_send_nothing),
      cmocka_unit_test(test_generate__options_of_the_provider_lie_below_those_of_the_run),
      cmocka_unit_test(test_generate__parts_tools_and_wishes_reach_the_codec),
      cmocka_unit_test(test_generate__results_that_follow_one_another_are_one_turn),
      cmocka_unit_test(test_generate__the_endpoint_chooses_address_and_key),
      cmocka_unit_test(test_generate__secrets_that_come_back),
      cmocka_unit_test(test_generate__counts_of_what_broke_off_are_partial),
      cmocka_unit_test(test_generate__failures),
      cmocka_unit_test(test_generate__tokens_may_be_slow_as_long_as_they_come),
      cmocka_unit_test(test_generate__an_endless_error_page_is_not_waited_for),
      cmocka_unit_test(test_generate__a_start_that_fails_has_sent_nothing),
      cmocka_unit_test(test_generate__text_above_the_limit_of_the_call),
      cmocka_unit_test(test_cancel__drops_the_exchange_at_once),
      cmocka_unit_test(test_generate__out_of_memory_leaks_nothing),
      cmocka_unit_test(test_add__settings_that_do_not_go_together),
      cmocka_unit_test(test_add__models_by_the_name),
      cmocka_unit_test(test_add__out_of_memory_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
