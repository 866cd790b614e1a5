/* lib/api/config.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include <aiorch/error.h>

#include "api/config.h"
#include "support/test_alloc.h"

static void expect_setting(const aiorch_config *config, const char *key, const char *value) {
  aiorch_text *text;
  const char *p;
  size_t n;
  assert_int_equal(aiorch_config_get(config, key, &text, NULL), AIORCH_OK);
  assert_int_equal(aiorch_text_get(text, &p, &n), AIORCH_OK);
  assert_string_equal(p, value);
  assert_int_equal(n, strlen(value));
  aiorch_text_free(text);
}

static void test_new__has_defaults_and_the_system_clock(void **state) {
  (void)state;
  aiorch_config *config;
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_ptr_equal(config->clock, aio__clock_system());
  expect_setting(config, "rate_limit.requests", "20");
  expect_setting(config, "store", "");
  expect_setting(config, "generate.temperature", "-1");
  expect_setting(config, "retrieve.enabled", "true");
  aiorch_config_free(config);
  aiorch_config_free(NULL);
  assert_int_equal(aiorch_config_new(NULL), AIORCH_E_INVALID);
}

static void test_new_with__checks_the_allocator(void **state) {
  (void)state;
  aio__test_alloc t;
  aiorch_config *config;
  aio__test_alloc_init(&t);
  aiorch_allocator a = t.al;
  a.struct_size = sizeof a - 1;
  assert_int_equal(aiorch_config_new_with(&a, &config), AIORCH_E_INVALID);
  a.struct_size = 0;
  assert_int_equal(aiorch_config_new_with(&a, &config), AIORCH_E_INVALID);
  a = t.al;
  a.alloc = NULL;
  assert_int_equal(aiorch_config_new_with(&a, &config), AIORCH_E_INVALID);
  a = t.al;
  a.realloc = NULL;
  assert_int_equal(aiorch_config_new_with(&a, &config), AIORCH_E_INVALID);
  a = t.al;
  a.free = NULL;
  assert_int_equal(aiorch_config_new_with(&a, &config), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_new_with(&t.al, NULL), AIORCH_E_INVALID);
  assert_int_equal(t.count, 0);
}

static void test_new_with__a_newer_allocator_may_have_a_zero_tail(void **state) {
  (void)state;
  aio__test_alloc t;
  aiorch_config *config;
  struct {
    aiorch_allocator known;
    unsigned char tail[AIO__PLUGIN_STRUCT_MAX];
  } newer;
  aio__test_alloc_init(&t);
  memset(&newer, 0, sizeof newer);
  newer.known = t.al;
  newer.known.struct_size = sizeof newer.known + 8;
  assert_int_equal(aiorch_config_new_with(&newer.known, &config), AIORCH_OK);
  assert_int_equal(config->al.struct_size, sizeof(aiorch_allocator));
  aiorch_config_free(config);
  newer.tail[7] = 1;
  assert_int_equal(aiorch_config_new_with(&newer.known, &config), AIORCH_E_INVALID);
  newer.tail[7] = 0;
  newer.tail[8] = 1;
  assert_int_equal(aiorch_config_new_with(&newer.known, &config), AIORCH_OK);
  aiorch_config_free(config);
  newer.known.struct_size = AIO__PLUGIN_STRUCT_MAX + 1;
  newer.tail[8] = 0;
  assert_int_equal(aiorch_config_new_with(&newer.known, &config), AIORCH_E_INVALID);
  assert_int_equal(t.live, 0);
}

static void test_new_with__out_of_memory_leaks_nothing(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__test_alloc_next(&t);
    aiorch_config *config = NULL;
    aiorch_status status = aiorch_config_new_with(&t.al, &config);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    if (t.failed > 0) assert_null(config);
    else assert_int_equal(config->options.deadline_ms, 120000);
    aiorch_config_free(config);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

static void test_setters__set_what_get_gives(void **state) {
  (void)state;
  aiorch_config *config;
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_i64(config, "cache.ttl_s", 60, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_f64(config, "generate.temperature", 0.7, NULL), AIORCH_OK);
  assert_int_equal(aiorch_config_set_bool(config, "anonymous", -5, NULL), AIORCH_OK);
  expect_setting(config, "store", "memory");
  expect_setting(config, "cache.ttl_s", "60");
  expect_setting(config, "generate.temperature", "0.7");
  expect_setting(config, "anonymous", "true");
  assert_int_equal(aiorch_config_set_bool(config, "anonymous", 0, NULL), AIORCH_OK);
  expect_setting(config, "anonymous", "false");
  assert_int_equal(aiorch_config_set_str(config, "store", NULL, 0, NULL), AIORCH_OK);
  expect_setting(config, "store", "");
  assert_int_equal(aiorch_config_set_str(config, "prompt.system", "abcdef", 3, NULL), AIORCH_OK);
  expect_setting(config, "prompt.system", "abc");
  aiorch_config_free(config);
}

static void test_setters__errors_fill_and_success_clears_the_detail(void **state) {
  (void)state;
  aiorch_config *config;
  aiorch_error *error;
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_config_set_i64(config, "cache.ttl", 5, error), AIORCH_E_CONFIG_KEY);
  assert_int_equal(aiorch_error_status(error), AIORCH_E_CONFIG_KEY);
  assert_non_null(strstr(aiorch_error_message(error), "\"cache.ttl\""));
  assert_non_null(strstr(aiorch_error_message(error), "\"cache.ttl_s\""));
  assert_int_equal(aiorch_config_set_i64(config, "cache.ttl_s", 5, error), AIORCH_OK);
  assert_int_equal(aiorch_error_status(error), AIORCH_OK);
  assert_int_equal(aiorch_config_set_i64(config, "cache.ttl_s", 0, error), AIORCH_E_CONFIG_RANGE);
  assert_int_equal(aiorch_config_set_f64(config, "cache.ttl_s", 5.0, error), AIORCH_E_CONFIG_TYPE);
  assert_int_equal(aiorch_config_set_f64(config, "generate.temperature", (double)NAN, error), AIORCH_E_CONFIG_RANGE);
  assert_int_equal(aiorch_config_set_bool(config, "store", 1, error), AIORCH_E_CONFIG_TYPE);
  unsetenv("AIO_NOT_THERE");
  assert_int_equal(aiorch_config_set_str(config, "store", "${AIO_NOT_THERE}", 16, error), AIORCH_E_CONFIG_ENV);
  assert_non_null(strstr(aiorch_error_message(error), "AIO_NOT_THERE"));
  expect_setting(config, "cache.ttl_s", "5");
  aiorch_error_free(error);
  aiorch_config_free(config);
}

static void test_entry_points__null_and_foreign_arguments(void **state) {
  (void)state;
  aiorch_config *config, foreign;
  aiorch_error *error;
  aiorch_text *text = NULL;
  memset(&foreign, 0x5A, sizeof foreign);
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(NULL, "store", "x", 1, error), AIORCH_E_INVALID);
  assert_non_null(strstr(aiorch_error_message(error), "no configuration"));
  assert_int_equal(aiorch_config_set_str(config, NULL, "x", 1, error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_set_str(config, "store", NULL, 1, error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_set_i64(&foreign, "deadline_ms", 1, error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_set_i64(config, NULL, 1, error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_set_f64(NULL, "generate.temperature", 1, error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_set_bool(NULL, "anonymous", 1, error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_get(NULL, "store", &text, error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_get(config, NULL, &text, error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_get(config, "store", NULL, error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_config_get(config, "stor", &text, error), AIORCH_E_CONFIG_KEY);
  assert_int_equal(aiorch_config_describe(0, NULL), AIORCH_E_INVALID);
  assert_null(text);
  assert_int_equal(aio__config_check(NULL), AIORCH_E_INVALID);
  assert_int_equal(aio__config_check(&foreign), AIORCH_E_INVALID);
  assert_int_equal(aio__config_check(config), AIORCH_OK);
  aiorch_config_free(&foreign);
  aiorch_error_free(error);
  aiorch_config_free(config);
}

static void test_get__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aiorch_config *config;
  aio__test_alloc_init(&t);
  assert_int_equal(aiorch_config_new_with(&t.al, &config), AIORCH_OK);
  aio__test_alloc_init(&t);
  do {
    aiorch_text *text = NULL;
    aio__test_alloc_next(&t);
    aiorch_status status = aiorch_config_get(config, "prompt.system", &text, NULL);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aiorch_text_free(text);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
  aiorch_config_free(config);
}

static void test_get__a_text_outlives_its_configuration(void **state) {
  (void)state;
  aiorch_config *config;
  aiorch_text *text;
  const char *p;
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_config_get(config, "tenancy", &text, NULL), AIORCH_OK);
  aiorch_config_free(config);
  assert_int_equal(aiorch_text_get(text, &p, NULL), AIORCH_OK);
  assert_string_equal(p, "multi");
  aiorch_text_free(text);
}

static void test_describe__every_setting_then_done(void **state) {
  (void)state;
  size_t n = 0;
  aiorch_text *text;
  for (; aiorch_config_describe(n, &text) == AIORCH_OK; n++) {
    const char *p;
    assert_int_equal(aiorch_text_get(text, &p, NULL), AIORCH_OK);
    assert_memory_equal(p, "{\"key\":\"", 8);
    assert_non_null(strstr(p, "\"help\":\""));
    aiorch_text_free(text);
  }
  assert_int_equal(n, aio__options_described());
  assert_int_equal(aiorch_config_describe(n, &text), AIORCH_DONE);
  assert_int_equal(aiorch_config_describe(SIZE_MAX, &text), AIORCH_DONE);
}

static void test_set_clock__replaces_it(void **state) {
  (void)state;
  aiorch_config *config;
  static const aio__clock other = {.self = NULL};
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  aio__config_set_clock(config, &other);
  assert_ptr_equal(config->clock, &other);
  aiorch_config_free(config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_new__has_defaults_and_the_system_clock),
      cmocka_unit_test(test_new_with__checks_the_allocator),
      cmocka_unit_test(test_new_with__a_newer_allocator_may_have_a_zero_tail),
      cmocka_unit_test(test_new_with__out_of_memory_leaks_nothing),
      cmocka_unit_test(test_setters__set_what_get_gives),
      cmocka_unit_test(test_setters__errors_fill_and_success_clears_the_detail),
      cmocka_unit_test(test_entry_points__null_and_foreign_arguments),
      cmocka_unit_test(test_get__out_of_memory),
      cmocka_unit_test(test_get__a_text_outlives_its_configuration),
      cmocka_unit_test(test_describe__every_setting_then_done),
      cmocka_unit_test(test_set_clock__replaces_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
