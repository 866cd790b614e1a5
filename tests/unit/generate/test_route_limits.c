/* lib/generate/route.c at its limits: how many names, how long a name, room for all of them, out of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "generate/route.h"
#include "support/test_alloc.h"

static aio__plugin_provider registered[] = {{.name = "one"}, {.name = "two"}};
static const aio__plugin_provider fallback = {.name = "extractive"};

static aio__plugins two_plugins(void) {
  aio__plugins plugins;
  memset(&plugins, 0, sizeof plugins);
  plugins.providers = registered;
  plugins.provider_count = 2;
  return plugins;
}

static void repeat(char *out, const char *name, size_t count) {
  out[0] = '\0';
  for (size_t i = 0; i < count; i++) strcat(strcat(out, i ? "," : ""), name);
}

static void test_chain__as_many_names_as_there_may_be(void **state) {
  (void)state;
  aio__plugins plugins = two_plugins();
  const aio__plugin_provider **list = NULL;
  size_t count = 0;
  char text[2000], words[100];
  aio__arena arena;
  aiorch_error error;
  aio__error_init(&error);
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  repeat(text, "two", AIO__PROVIDERS_MAX + 1);
  assert_int_equal(aio__route_chain(&arena, text, &plugins, &fallback, &list, &count, &error), AIORCH_OK);
  assert_int_equal(count, AIO__PROVIDERS_MAX + 1);
  /* What is allocated next lies behind the list, not in it. */
  void *behind = aio__arena_alloc(&arena, 512);
  assert_non_null(behind);
  memset(behind, 0xA5, 512);
  for (size_t i = 0; i < count; i++) assert_ptr_equal(list[i], &registered[1]);
  repeat(text, "two", AIO__PROVIDERS_MAX + 2);
  assert_int_equal(aio__route_chain(&arena, text, &plugins, &fallback, &list, &count, &error), AIORCH_E_CONFIG);
  (void)snprintf(words, sizeof words, "generate.chain: more than %d names", AIO__PROVIDERS_MAX + 1);
  assert_string_equal(error.message, words);
  aio__arena_free(&arena);
}

static void test_chain__an_unknown_name_is_shown_up_to_its_limit(void **state) {
  (void)state;
  aio__plugins plugins = two_plugins();
  const aio__plugin_provider **list = NULL;
  size_t count = 0;
  aio__arena arena;
  aiorch_error error;
  aio__error_init(&error);
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  for (size_t n = 62; n <= 65; n++) {
    char name[70], words[200];
    memset(name, 'n', n);
    name[n] = '\0';
    assert_int_equal(aio__route_chain(&arena, name, &plugins, &fallback, &list, &count, &error), AIORCH_E_CONFIG);
    (void)snprintf(words, sizeof words,
                   "generate.chain: no provider \"%.63s\" is registered; \"extractive\" always is", name);
    assert_string_equal(error.message, words);
  }
  aio__arena_free(&arena);
}

static void test_chain__without_a_fallback_it_may_be_empty(void **state) {
  (void)state;
  aio__plugins plugins;
  memset(&plugins, 0, sizeof plugins);
  const aio__plugin_provider **list = NULL;
  size_t count = 9;
  aio__arena arena;
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  assert_int_equal(aio__route_chain(&arena, "", &plugins, NULL, &list, &count, NULL), AIORCH_OK);
  assert_int_equal(count, 0);
  assert_int_equal(aio__route_chain(&arena, "extractive", &plugins, NULL, &list, &count, NULL), AIORCH_E_CONFIG);
  aio__arena_free(&arena);
}

static void test_chain__out_of_memory(void **state) {
  (void)state;
  aio__plugins plugins = two_plugins();
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  t.fail_at = 1;
  const aio__plugin_provider **list = NULL;
  size_t count = 0;
  aio__arena arena;
  aiorch_error error;
  aio__error_init(&error);
  aio__arena_init(&arena, &t.al, 64);
  assert_int_equal(aio__route_chain(&arena, "one", &plugins, &fallback, &list, &count, &error), AIORCH_E_NOMEM);
  assert_string_equal(error.message, "out of memory for the chain of providers");
  aio__arena_free(&arena);
  assert_int_equal(t.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_chain__as_many_names_as_there_may_be),
      cmocka_unit_test(test_chain__an_unknown_name_is_shown_up_to_its_limit),
      cmocka_unit_test(test_chain__without_a_fallback_it_may_be_empty),
      cmocka_unit_test(test_chain__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
