/* lib/providers/codec.c: what all decoders have in common. */
#include "support/codec_rows.h"
#include "support/test_alloc.h"

static void test_find(void **state) {
  (void)state;
  assert_ptr_equal(aio__codec_find(AIO__LIT("anthropic")), &aio__codec_anthropic);
  assert_ptr_equal(aio__codec_find(AIO__LIT("ollama")), &aio__codec_ollama);
  assert_null(aio__codec_find(AIO__LIT("extractive")));
  assert_null(aio__codec_find(AIO__LIT("")));
}

static const char STREAM[] = "data: {\"choices\":[{\"delta\":{\"content\":\"a\",\"tool_calls\":[{\"index\":0,\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n"
                             "data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"odd\"}]}\n\ndata: [DONE]\n\n";

/* What the caller returns ends the decoding, and is what comes back, at whatever event. */
static void test_feed__the_sink_may_end_it(void **state) {
  (void)state;
  const aio__codec_target target = {.key = {"", 0}};
  const aio__wire_header type = {AIO__LIT("content-type"), AIO__LIT("text/event-stream"), false};
  const aio__wire_reply reply = {.http_status = 200, .headers = &type, .header_count = 1};
  size_t events = 0;
  for (size_t at = 1; at == 1 || at <= events; at++) {
    collector c;
    aio__decoder d;
    collector_init(&c);
    c.fail_at = at == 1 && events == 0 ? 0 : at;
    c.fail_with = AIORCH_E_CANCELLED;
    aio__decoder_init(&d, &aio__codec_openai, &target, &c.sink, aio__alloc_default());
    aiorch_status st = neutral_decode(&d, &reply, AIO__WIRE_SSE, aio__str_z(STREAM), 11);
    if (events == 0) {
      events = c.events;
      assert_int_equal(st, AIORCH_OK);
      assert_int_equal(events, 6); /* text, start, arguments, text, a warning, end */
      at = 0;
    } else {
      assert_int_equal(st, AIORCH_E_CANCELLED);
      assert_int_equal(c.events, at); /* and none after it */
      assert_int_equal(aio__decoder_end(&d), AIORCH_E_CANCELLED);
    }
    aio__decoder_free(&d);
    collector_free(&c);
  }
}

static void test_has_output(void **state) {
  (void)state;
  const aio__codec_target target = {.key = {"", 0}};
  const aio__wire_reply reply = {.http_status = 200};
  collector c;
  aio__decoder d;
  collector_init(&c);
  aio__decoder_init(&d, &aio__codec_openai, &target, &c.sink, aio__alloc_default());
  aio__decoder_head(&d, &reply, AIO__WIRE_SSE);
  assert_int_equal(aio__decoder_feed(&d, AIO__LIT("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n")), AIORCH_OK);
  assert_false(d.has_output);
  assert_int_equal(aio__decoder_feed(&d, AIO__LIT("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n")), AIORCH_OK);
  assert_true(d.has_output);
  aio__decoder_free(&d);
  collector_free(&c);
}

static void test_end__an_error_body_is_read_up_to_its_limit(void **state) {
  (void)state;
  const aio__codec_target target = {.key = {"", 0}};
  const aio__wire_reply reply = {.http_status = 500};
  collector c;
  aio__decoder d;
  char page[1000];
  memset(page, 'x', sizeof page);
  collector_init(&c);
  aio__decoder_init(&d, &aio__codec_anthropic, &target, &c.sink, aio__alloc_default());
  aio__decoder_head(&d, &reply, AIO__WIRE_SSE);
  for (int i = 0; i < 1000; i++) assert_int_equal(aio__decoder_feed(&d, aio__str_n(page, sizeof page)), AIORCH_OK);
  assert_true(d.body.cap <= AIO__CODEC_ERROR_BODY_MAX + 1);
  assert_int_equal(aio__decoder_end(&d), AIORCH_E_PROVIDER_BUSY);
  assert_int_equal(strlen(d.error.message), AIO__WIRE_MESSAGE_MAX);
  aio__decoder_free(&d);
  collector_free(&c);
}

static void test_feed__too_many_tool_calls(void **state) {
  (void)state;
  static char body[64 * 1024];
  size_t n = (size_t)snprintf(body, sizeof body, "{\"choices\":[{\"message\":{\"tool_calls\":[{}");
  for (int i = 1; i < AIO__TOOLS_MAX; i++) n += (size_t)snprintf(body + n, sizeof body - n, ",{\"function\":{\"name\":\"f%d\"}}", i);
  size_t most = n;
  snprintf(body + n, sizeof body - n, "]},\"finish_reason\":\"stop\"}]}");
  const aio__codec_target target = {.calls_before = 3};
  const aio__wire_reply reply = {.http_status = 200};
  for (int more = 0; more <= 1; more++) {
    collector c;
    aio__decoder d;
    if (more) snprintf(body + most, sizeof body - most, ",{}]},\"finish_reason\":\"stop\"}]}");
    collector_init(&c);
    aio__decoder_init(&d, &aio__codec_openai, &target, &c.sink, aio__alloc_default());
    aiorch_status st = neutral_decode(&d, &reply, AIO__WIRE_WHOLE, aio__str_z(body), 0);
    assert_int_equal(st, more ? AIORCH_E_TOO_LARGE : AIORCH_OK);
    assert_int_equal(c.tool_count, AIO__TOOLS_MAX);
    assert_string_equal(aio__buf_cstr(&c.tools[0][0]), "aiorch_call_3");
    assert_string_equal(aio__buf_cstr(&c.tools[1][1]), "f1");
    aio__decoder_free(&d);
    collector_free(&c);
  }
}

static void test_decode__deep_and_long(void **state) {
  (void)state;
  char body[400];
  size_t n = (size_t)snprintf(body, sizeof body, "data: {\"choices\":");
  memset(body + n, '[', 100);
  memset(body + n + 100, ']', 100);
  snprintf(body + n + 200, sizeof body - n - 200, "}\n\n");
  expect_answer("openai", "", "200 text/event-stream", body, strlen(body), "RESPONSE none [] {} -");
  expect_failure("openai", "", "200 text/event-stream", body, strlen(body), "RESPONSE 200 -1 -1 0 an event of the stream is too large or too deeply nested");
}

/* After the first events a stream costs no memory. */
static void test_feed__a_long_stream_allocates_nothing(void **state) {
  (void)state;
  static const aio__codec *const codecs[] = {&aio__codec_anthropic, &aio__codec_openai, &aio__codec_gemini};
  static const char *const events[] = {
      "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"caf\\u00e9\"}}\n\n",
      "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"caf\\u00e9\"},\"finish_reason\":null}]}\n\n",
      "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"caf\\u00e9\"}]}}],\"usageMetadata\":{\"promptTokenCount\":1}}\r\n\r\n"};
  const aio__codec_target target = {.key = {"", 0}};
  const aio__wire_header type = {AIO__LIT("content-type"), AIO__LIT("text/event-stream"), false};
  const aio__wire_reply reply = {.http_status = 200, .headers = &type, .header_count = 1};
  for (size_t k = 0; k < 3; k++) {
    collector c;
    aio__decoder d;
    aio__test_alloc t;
    aio__test_alloc_init(&t);
    collector_init(&c);
    aio__decoder_init(&d, codecs[k], &target, &c.sink, &t.al);
    aio__decoder_head(&d, &reply, AIO__WIRE_SSE);
    aio__str event = aio__str_z(events[k]), head = aio__str_n(event.p, 40), tail = aio__str_n(event.p + 40, event.n - 40);
    long before = 0;
    for (int i = 0; i < 1000; i++) {
      assert_int_equal(aio__decoder_feed(&d, head), AIORCH_OK); /* cut in the middle, as a network does */
      assert_int_equal(aio__decoder_feed(&d, tail), AIORCH_OK);
      if (i == 0) before = t.count;
    }
    assert_int_equal(t.count, before);
    assert_int_equal(c.text.n, 5000);
    aio__decoder_free(&d);
    assert_int_equal(t.live, 0);
    collector_free(&c);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_find),
    cmocka_unit_test(test_feed__the_sink_may_end_it),
    cmocka_unit_test(test_has_output),
    cmocka_unit_test(test_end__an_error_body_is_read_up_to_its_limit),
    cmocka_unit_test(test_feed__too_many_tool_calls),
    cmocka_unit_test(test_decode__deep_and_long),
    cmocka_unit_test(test_feed__a_long_stream_allocates_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
