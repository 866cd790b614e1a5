/* lib/providers/provider_names.c: what the table says must be true of the codecs, the dialects and the prices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cost/prices.h"
#include "providers/codec.h"
#include "providers/openai_servers.h"
#include "providers/provider_names.h"

static const char *const NAMES[] = {"anthropic", "openai",   "gemini", "ollama", "azure",       "openrouter", "groq",
                                    "mistral",   "deepseek", "together", "xai",  "huggingface", "vllm",       "llamacpp"};

static void test_find__every_name_has_an_interface_and_a_dialect(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
    const aio__provider_name *n = aio__provider_name_find(aio__str_z(NAMES[i]));
    assert_non_null(n);
    assert_non_null(aio__codec_find(aio__str_z(n->api)));
    assert_non_null(aio__openai_server_find(aio__str_z(n->server), AIO__LIT("")));
  }
  assert_null(aio__provider_name_find(AIO__LIT("nobody")));
  assert_null(aio__provider_name_find(AIO__LIT("")));
}

static void test_models__that_cost_money_have_a_price(void **state) {
  (void)state;
  aio__prices *prices = NULL;
  const aio__usage usage = {.n = {[AIORCH_USAGE_INPUT] = 1000, [AIORCH_USAGE_OUTPUT] = 1000}};
  assert_int_equal(aio__prices_new(aio__alloc_default(), AIO__LIT(""), &prices, NULL), AIORCH_OK);
  for (size_t i = 0; i < 4; i++) {
    const aio__provider_name *n = aio__provider_name_find(aio__str_z(NAMES[i]));
    const char *const models[] = {n->model_simple, n->model, n->model_complex};
    int64_t before = -1, cost;
    for (size_t k = 0; k < 3; k++) {
      if (models[k][0] == '\0') continue;
      assert_true(aio__prices_cost(prices, aio__str_z(n->name), aio__str_z(models[k]), &usage, INT64_C(1795000000000), &cost));
      assert_true(cost > before); /* simple is cheaper than complex */
      before = cost;
    }
  }
  aio__prices_free(prices);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_find__every_name_has_an_interface_and_a_dialect),
      cmocka_unit_test(test_models__that_cost_money_have_a_price),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
