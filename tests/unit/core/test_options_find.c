/* lib/core/options_find.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include <aiorch/error.h>

#include "core/options_private.h"

static void expect_nearest(const char *key, const char *nearest) {
  aiorch_error error;
  size_t index = 77;
  char quoted[128] = "nearest is \"";
  aio__error_init(&error);
  assert_int_equal(aio__options_find(aio__str_z(key), false, &index, &error), AIORCH_E_CONFIG_KEY);
  assert_int_equal(index, 77);
  strcat(strcat(quoted, nearest), "\"");
  if (strstr(aiorch_error_message(&error), quoted) == NULL) fail_msg("%s: %s", key, aiorch_error_message(&error));
}

static void test_distance__counts_steps(void **state) {
  (void)state;
  static const struct {
    const char *a, *b;
    size_t wanted;
  } cases[] = {{"", "", 0}, {"a", "a", 0}, {"a", "", 1}, {"a", "b", 1}, {"ab", "ba", 1}, {"abc", "acb", 1},
               {"abc", "cab", 2}, {"abcd", "badc", 2}, {"abc", "abc1", 1}, {"abc", "bc", 1}, {"ab", "cd", 2},
               {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"ca", "abc", 3}, {"aab", "aba", 1}, {"aaaa", "aa", 2},
               {"xaby", "xbay", 1}, {"abcdef", "abcdfe", 1}, {"ab", "bca", 3}, {"abab", "baba", 2}, {"abxy", "baxz",
                                                                                                     2}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t there = aio__option_distance(aio__str_z(cases[i].a), aio__str_z(cases[i].b));
    size_t back = aio__option_distance(aio__str_z(cases[i].b), aio__str_z(cases[i].a));
    if (there != cases[i].wanted || back != there) fail_msg("%s %s: %zu %zu", cases[i].a, cases[i].b, there, back);
  }
  char a[AIO__OPTION_KEY_MAX], b[AIO__OPTION_KEY_MAX];
  memset(a, 'a', sizeof a);
  memset(b, 'b', sizeof b);
  assert_int_equal(aio__option_distance(aio__str_n(a, sizeof a), aio__str_n(b, sizeof b)), AIO__OPTION_KEY_MAX);
}

static void test_find__names_the_nearest_key(void **state) {
  (void)state;
  expect_nearest("cache.ttl", "cache.ttl_s");            /* insertion */
  expect_nearest("cache.ttl_ss", "cache.ttl_s");         /* deletion */
  expect_nearest("cache.ttl_x", "cache.ttl_s");          /* substitution */
  expect_nearest("cache.tlt_s", "cache.ttl_s");          /* swap */
  expect_nearest("deadline", "deadline_ms");
  expect_nearest("rate_limit.request", "rate_limit.requests");
  expect_nearest("retreive.top_k", "retrieve.top_k");
  expect_nearest("output.holdback", "output.hold_back");
}

static void test_find__a_missing_or_wrong_section_is_no_obstacle(void **state) {
  (void)state;
  expect_nearest("ttl_s", "cache.ttl_s");
  expect_nearest("top_k", "retrieve.top_k");
  expect_nearest("limits.requests", "rate_limit.requests");
  expect_nearest("generation.model", "generate.model");
}

static void test_find__swap_is_one_step_not_two(void **state) {
  (void)state;
  /* "stroe" is one swap from "store" */
  expect_nearest("stroe", "store");
}

static void test_find__long_and_empty_and_odd_keys(void **state) {
  (void)state;
  aiorch_error error;
  size_t index;
  char *big = malloc(100001);
  assert_non_null(big);
  memset(big, 'x', 100000);
  big[100000] = '\0';
  aio__error_init(&error);
  assert_int_equal(aio__options_find(aio__str_z(big), false, &index, &error), AIORCH_E_CONFIG_KEY);
  assert_true(strlen(aiorch_error_message(&error)) < 200);
  assert_int_equal(aio__options_find(aio__str_z(""), false, &index, &error), AIORCH_E_CONFIG_KEY);
  assert_non_null(strstr(aiorch_error_message(&error), "setting \"\""));
  assert_int_equal(aio__options_find(aio__str_n(NULL, 0), false, &index, &error), AIORCH_E_CONFIG_KEY);
  assert_int_equal(aio__options_find(AIO__LIT("store\0"), false, &index, &error), AIORCH_E_CONFIG_KEY);
  assert_int_equal(aio__options_find(AIO__LIT("Store"), false, &index, NULL), AIORCH_E_CONFIG_KEY);
  assert_int_equal(aio__options_find(AIO__LIT("...."), false, &index, &error), AIORCH_E_CONFIG_KEY);
  free(big);
}

static void test_find__per_run_refuses_and_names_only_what_a_run_may_set(void **state) {
  (void)state;
  aiorch_error error;
  size_t index;
  aio__error_init(&error);
  assert_int_equal(aio__options_find(AIO__LIT("cache.ttl_s"), true, &index, &error), AIORCH_OK);
  assert_string_equal(aio__option_at(index)->key, "cache.ttl_s");
  assert_int_equal(aio__options_find(AIO__LIT("cache.max_rows"), true, &index, &error), AIORCH_E_CONFIG_KEY);
  assert_non_null(strstr(aiorch_error_message(&error), "cannot be set for one run"));
  assert_int_equal(aio__options_find(AIO__LIT("cache.max_row"), true, &index, &error), AIORCH_E_CONFIG_KEY);
  assert_null(strstr(aiorch_error_message(&error), "cache.max_rows"));
}

static void test_has_section__only_for_whole_sections(void **state) {
  (void)state;
  assert_true(aio__options_has_section(AIO__LIT("cache")));
  assert_false(aio__options_has_section(AIO__LIT("cach")));
  assert_false(aio__options_has_section(AIO__LIT("cache.ttl_s")));
  assert_false(aio__options_has_section(AIO__LIT("store_")));
  assert_true(aio__options_has_section(AIO__LIT("store")));
  assert_false(aio__options_has_section(AIO__LIT("tenancy")));
  assert_false(aio__options_has_section(AIO__LIT("")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_distance__counts_steps),
      cmocka_unit_test(test_find__names_the_nearest_key),
      cmocka_unit_test(test_find__a_missing_or_wrong_section_is_no_obstacle),
      cmocka_unit_test(test_find__swap_is_one_step_not_two),
      cmocka_unit_test(test_find__long_and_empty_and_odd_keys),
      cmocka_unit_test(test_find__per_run_refuses_and_names_only_what_a_run_may_set),
      cmocka_unit_test(test_has_section__only_for_whole_sections),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
