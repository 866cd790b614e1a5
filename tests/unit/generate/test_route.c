/* Routing: what an error means for the next provider, and which providers there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "generate/route.h"

static void test_after__every_error_of_a_provider(void **state) {
  (void)state;
  static const struct {
    aiorch_status status;
    aio__route_verdict verdict;
    bool retryable;
  } rows[] = {
      {AIORCH_E_NETWORK, AIO__ROUTE_NEXT, true},
      {AIORCH_E_PROVIDER_BUSY, AIO__ROUTE_NEXT, true},
      {AIORCH_E_PROVIDER_LIMIT, AIO__ROUTE_NEXT, true},
      {AIORCH_E_PROVIDER_KEY, AIO__ROUTE_NEXT, false},
      {AIORCH_E_PROVIDER_MODEL, AIO__ROUTE_NEXT, false},
      {AIORCH_E_PROVIDER_REJECTED, AIO__ROUTE_GIVE_UP, false},
      {AIORCH_E_CONTEXT_WINDOW, AIO__ROUTE_GIVE_UP, false},
      {AIORCH_E_TRUNCATED, AIO__ROUTE_NEXT, true},
      {AIORCH_E_RESPONSE, AIO__ROUTE_NEXT, true},
      {AIORCH_E_PLUGIN, AIO__ROUTE_NEXT, false},
      {AIORCH_E_PLUGIN_CONTRACT, AIO__ROUTE_NEXT, false},
      {AIORCH_E_CANCELLED, AIO__ROUTE_GIVE_UP, false},
      {AIORCH_E_DEADLINE, AIO__ROUTE_GIVE_UP, false},
      {AIORCH_E_NOMEM, AIO__ROUTE_GIVE_UP, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(aio__route_after(rows[i].status), rows[i].verdict);
    assert_int_equal(aio__route_retryable(rows[i].status), rows[i].retryable);
  }
}

static aio__plugin_provider registered[] = {{.name = "one"}, {.name = "two"}};
static const aio__plugin_provider fallback = {.name = "extractive"};

static aiorch_status chain(const char *text, size_t known, const char *expected) {
  aio__plugins plugins;
  memset(&plugins, 0, sizeof plugins);
  plugins.providers = registered;
  plugins.provider_count = known;
  aio__arena arena;
  aio__arena_init(&arena, aio__alloc_default(), 512);
  const aio__plugin_provider **list = NULL;
  size_t count = 0;
  aiorch_status st = aio__route_chain(&arena, text, &plugins, &fallback, &list, &count, NULL);
  char names[200] = "";
  for (size_t i = 0; st == AIORCH_OK && i < count; i++) {
    strcat(names, list[i]->name);
    strcat(names, " ");
  }
  if (st == AIORCH_OK) assert_string_equal(names, expected);
  aio__arena_free(&arena);
  return st;
}

static void test_chain__empty_is_all_in_order_or_the_fallback(void **state) {
  (void)state;
  assert_int_equal(chain("", 2, "one two "), AIORCH_OK);
  assert_int_equal(chain("  ", 1, "one "), AIORCH_OK);
  assert_int_equal(chain("", 0, "extractive "), AIORCH_OK);
  assert_int_equal(chain(",,", 0, "extractive "), AIORCH_OK);
}

static void test_chain__named(void **state) {
  (void)state;
  assert_int_equal(chain("two", 2, "two "), AIORCH_OK);
  assert_int_equal(chain(" two , one,extractive", 2, "two one extractive "), AIORCH_OK);
  assert_int_equal(chain("one,one", 2, "one one "), AIORCH_OK);
}

static void test_chain__unknown_is_an_error(void **state) {
  (void)state;
  assert_int_equal(chain("three", 2, ""), AIORCH_E_CONFIG);
  assert_int_equal(chain("one,tw", 2, ""), AIORCH_E_CONFIG);
  assert_int_equal(chain("two", 1, ""), AIORCH_E_CONFIG);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_after__every_error_of_a_provider),
      cmocka_unit_test(test_chain__empty_is_all_in_order_or_the_fallback),
      cmocka_unit_test(test_chain__named),
      cmocka_unit_test(test_chain__unknown_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
