/* aiorch_providers: who is asked, where, with how many keys, and never with which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/aiorch.h>

#include "api/config.h"
#include "support/scripted_transport.h"
#include "support/test_alloc.h"
#include "text/json.h"

typedef struct held {
  aio__test_alloc alloc;
  virtual_clock time;
  scripted_transport wire;
  aiorch *orch;
} held;

static aiorch_status never(void *self, aiorch_call *call) {
  (void)self;
  (void)call;
  return AIORCH_E_INTERNAL;
}

static void open_orch(held *h, const char *settings, const char *plugin) {
  static const aiorch_provider_vtbl vtbl = {.struct_size = sizeof vtbl, .model = "theirs", .generate = never};
  aiorch_config *config = NULL;
  aiorch_error error;
  memset(h, 0, sizeof *h);
  aio__test_alloc_init(&h->alloc);
  virtual_clock_init(&h->time);
  scripted_transport_init(&h->wire, &h->time);
  aio__error_init(&error);
  assert_int_equal(aiorch_config_new_with(&h->alloc.al, &config), AIORCH_OK);
  aio__config_set_clock(config, &h->wire.clock);
  if (aiorch_config_load_json(config, settings, strlen(settings), "settings", &error)) fail_msg("%s", error.message);
  config->plugins.transport = &h->wire.transport;
  if (plugin) assert_int_equal(aiorch_config_add_provider(config, plugin, &vtbl, NULL, &error), AIORCH_OK);
  if (aiorch_open(config, &h->orch, &error)) fail_msg("%s", error.message);
  aiorch_config_free(config);
}

static void close_held(held *h) {
  assert_int_equal(aiorch_close(h->orch, 30000), AIORCH_OK);
  assert_int_equal(aiorch_free(h->orch), AIORCH_OK);
  scripted_transport_free(&h->wire);
  assert_int_equal(h->alloc.live, 0);
}

static void assert_report(held *h, const char *wanted) {
  aiorch_text *text = NULL;
  const char *json = NULL;
  size_t len = 0;
  assert_int_equal(aiorch_providers(h->orch, &text), AIORCH_OK);
  assert_int_equal(aiorch_text_get(text, &json, &len), AIORCH_OK);
  assert_string_equal(json, wanted);
  assert_int_equal(len, strlen(wanted));
  aiorch_text_free(text);
}

#define EXTRACTIVE(place)                                                                                    \
  "{\"name\":\"extractive\",\"model\":\"extractive\",\"kind\":\"builtin\",\"api\":null,\"hosts\":[],\"keys\":0," \
  "\"context_tokens\":null,\"chain\":" place "}"

static void test_providers__alone(void **state) {
  (void)state;
  held h;
  open_orch(&h, "{\"store\":\"memory\"}", NULL);
  assert_report(&h, "[" EXTRACTIVE("1") "]");
  close_held(&h);
}

static void test_providers__all_kinds_in_order_and_no_key(void **state) {
  (void)state;
  held h;
  open_orch(&h,
            "{\"store\":\"memory\",\"providers\":{"
            "\"anthropic\":{\"key\":\"sk-secret-one *2, sk-secret-two\",\"model\":\"claude-sonnet-5-5\",\"context_tokens\":200000},"
            "\"mine\":{\"api\":\"openai\",\"base_url\":\"http://a.example:8080/v1, https://b.example/v1 *2, https://b.example/v2\","
            "\"model\":\"small\"}}}",
            "theirs");
  assert_report(&h,
                "[{\"name\":\"theirs\",\"model\":\"theirs\",\"kind\":\"plugin\",\"api\":null,\"hosts\":[],\"keys\":0,"
                "\"context_tokens\":null,\"chain\":1},"
                "{\"name\":\"anthropic\",\"model\":\"claude-sonnet-5-5\",\"kind\":\"http\",\"api\":\"anthropic\","
                "\"hosts\":[\"api.anthropic.com\"],\"keys\":2,\"context_tokens\":200000,\"chain\":2},"
                "{\"name\":\"mine\",\"model\":\"small\",\"kind\":\"http\",\"api\":\"openai\",\"hosts\":[\"a.example\",\"b.example\"],"
                "\"keys\":0,\"context_tokens\":null,\"chain\":3}," EXTRACTIVE("null") "]");
  close_held(&h);
}

static void test_providers__places_are_those_of_the_chain(void **state) {
  (void)state;
  held h;
  open_orch(&h,
            "{\"store\":\"memory\",\"generate.chain\":\"extractive, gemini\",\"providers\":{"
            "\"openai\":{\"key\":\"k\",\"model\":\"m\"},\"gemini\":{\"key\":\"k\",\"model\":\"m\"}}}",
            NULL);
  assert_report(&h,
                "[{\"name\":\"openai\",\"model\":\"m\",\"kind\":\"http\",\"api\":\"openai\",\"hosts\":[\"api.openai.com\"],\"keys\":1,"
                "\"context_tokens\":null,\"chain\":null},"
                "{\"name\":\"gemini\",\"model\":\"m\",\"kind\":\"http\",\"api\":\"gemini\","
                "\"hosts\":[\"generativelanguage.googleapis.com\"],\"keys\":1,\"context_tokens\":null,\"chain\":2}," EXTRACTIVE("1") "]");
  close_held(&h);
}

static void test_providers__arguments_and_memory(void **state) {
  (void)state;
  held h;
  aiorch_text *text = NULL;
  open_orch(&h, "{\"store\":\"memory\",\"providers\":{\"openai\":{\"key\":\"k\",\"model\":\"m\"}}}", NULL);
  assert_int_equal(aiorch_providers(NULL, &text), AIORCH_E_INVALID);
  assert_int_equal(aiorch_providers(h.orch, NULL), AIORCH_E_INVALID);
  aiorch_status st;
  long live = h.alloc.live;
  h.alloc.fail_at = 0;
  do {
    aio__test_alloc_next(&h.alloc);
    st = aiorch_providers(h.orch, &text);
    assert_int_equal(st, h.alloc.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    if (st) assert_int_equal(h.alloc.live, live);
  } while (h.alloc.failed > 0);
  h.alloc.fail_at = 0;
  aiorch_text_free(text);
  close_held(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_providers__alone),
      cmocka_unit_test(test_providers__all_kinds_in_order_and_no_key),
      cmocka_unit_test(test_providers__places_are_those_of_the_chain),
      cmocka_unit_test(test_providers__arguments_and_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
