/* lib/providers/param_rules.c: a few lines of the table, and how it is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "providers/param_rules.h"

static bool refused(const char *where, const char *model, const char *version, const char *param, const char *value) {
  return aio__param_refused(aio__str_z(where), aio__str_z(model), aio__str_z(version), param, aio__str_z(value));
}

static void test_refused__the_first_line_that_is_about_it_decides(void **state) {
  (void)state;
  assert_true(refused("openai", "gpt-5.5", "", "temperature", "0.5"));
  assert_false(refused("openai", "gpt-5.5", "", "temperature", "1"));
  assert_false(refused("openai", "gpt-5.3-chat-latest", "", "temperature", "0.5")); /* the line before it lets it pass */
  assert_false(refused("openai", "gpt-4o", "", "temperature", "0.5"));
  assert_true(refused("openrouter", "openai/o3", "", "temperature", "0.5"));
  assert_true(refused("openrouter", "anthropic/claude-opus-5", "", "temperature", "0.5"));
  assert_false(refused("vllm", "gpt-5.5", "", "temperature", "0.5")); /* a name says nothing on a server of one's own */
}

static void test_refused__by_version(void **state) {
  (void)state;
  assert_true(refused("anthropic", "claude-3-haiku", "2026-10-21", "temperature", "1"));
  assert_true(refused("anthropic", "claude-3-haiku", "2027-01-01", "temperature", "1"));
  assert_false(refused("anthropic", "claude-3-haiku", "2023-06-01", "temperature", "0.5"));
  assert_true(refused("anthropic", "claude-opus-4-8-20260101", "2023-06-01", "temperature", "0.5"));
}

static void test_refused__by_value(void **state) {
  (void)state;
  assert_true(refused("anthropic", "claude-opus-5-5", "2026-10-21", "tool_choice", "any"));
  assert_true(refused("anthropic", "claude-opus-5-5", "2026-10-21", "tool_choice", "tool"));
  assert_false(refused("anthropic", "claude-opus-5-5", "2026-10-21", "tool_choice", "auto"));
  assert_false(refused("anthropic", "claude-sonnet-5-5", "2026-10-21", "tool_choice", "any"));
  assert_true(refused("ollama", "qwen3", "", "tool_choice", "any"));
  assert_false(refused("ollama", "qwen3", "", "tool_choice", "auto"));
  assert_false(refused("anthropic", "claude-opus-5-5", "2026-10-21", "unheard_of", "x"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_refused__the_first_line_that_is_about_it_decides),
    cmocka_unit_test(test_refused__by_version),
    cmocka_unit_test(test_refused__by_value),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
