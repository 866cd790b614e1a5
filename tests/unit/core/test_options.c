/* lib/core/options.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include <aiorch/error.h>

#include "core/options_private.h"
#include "support/test_alloc.h"

/* The keys once more, straight from the table, to see that none was lost on the way. */
#define S(member, key, default_, values, per_run, help) key,
#define I(member, key, default_, min, max, per_run, help) key,
#define F(member, key, default_, min, max, per_run, help) key,
#define B(member, key, default_, per_run, help) key,
static const char *const KEYS[] = {AIO__OPTIONS(S, I, F, B)};
#undef S
#undef I
#undef F
#undef B

static const char *get(const aio__options *o, const char *key, char out[256]) {
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), 255);
  assert_int_equal(aio__options_get(o, aio__str_z(key), &buf, NULL), AIORCH_OK);
  memcpy(out, aio__buf_cstr(&buf), buf.n + 1);
  aio__buf_free(&buf);
  return out;
}

static void test_init__sets_the_defaults(void **state) {
  (void)state;
  aio__options o;
  char text[256];
  assert_int_equal(aio__options_init(&o, aio__alloc_default()), AIORCH_OK);
  assert_string_equal(o.tenancy, "multi");
  assert_int_equal(o.rate_requests, 20);
  assert_int_equal(o.rate_window_s, 3600);
  assert_int_equal(o.deadline_ms, 120000);
  assert_int_equal(o.validate_user_chars, 10000);
  assert_int_equal(o.retrieve_enabled, 1);
  assert_int_equal(o.anonymous, 0);
  assert_true(o.generate_temperature < -0.99 && o.generate_temperature > -1.01);
  assert_string_equal(get(&o, "cache.mode", text), "on");
  assert_string_equal(get(&o, "cache.ttl_s", text), "86400");
  assert_string_equal(get(&o, "generate.temperature", text), "-1");
  assert_string_equal(get(&o, "retrieve.enabled", text), "true");
  assert_string_equal(get(&o, "anonymous", text), "false");
  aio__options_free(&o);
  aio__options_free(&o);
}

static void test_table__every_default_is_allowed_and_every_key_is_one(void **state) {
  (void)state;
  aio__options o;
  assert_int_equal(aio__options_init(&o, aio__alloc_default()), AIORCH_OK);
  for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
    const aio__option *option = aio__option_at(i);
    assert_non_null(option);
    assert_string_equal(option->key, KEYS[i]);
    aio__buf value;
    size_t found = SIZE_MAX;
    aio__buf_init(&value, aio__alloc_default(), 4096);
    assert_int_equal(aio__options_get(&o, aio__str_z(option->key), &value, NULL), AIORCH_OK);
    assert_int_equal(aio__options_set_plain(&o, aio__str_z(option->key), aio__buf_view(&value), NULL), AIORCH_OK);
    assert_int_equal(aio__options_find(aio__str_z(option->key), false, &found, NULL), AIORCH_OK);
    assert_int_equal(found, i); /* a key that came twice would be found at the first */
    assert_true(strlen(option->help) > 5);
    aio__buf_free(&value);
  }
  assert_null(aio__option_at(sizeof KEYS / sizeof KEYS[0]));
  aio__options_free(&o);
}

static void test_copy__is_deep_and_equal(void **state) {
  (void)state;
  aio__options a, b;
  char text[256];
  assert_int_equal(aio__options_init(&a, aio__alloc_default()), AIORCH_OK);
  assert_int_equal(aio__options_set_text(&a, AIO__LIT("generate.model"), AIO__LIT("m1"), false, NULL), AIORCH_OK);
  assert_int_equal(aio__options_set_i64(&a, AIO__LIT("cache.ttl_s"), 7, false, NULL), AIORCH_OK);
  assert_int_equal(aio__options_copy(&b, &a), AIORCH_OK);
  const aio__option *option;
  for (size_t i = 0; (option = aio__option_at(i)) != NULL; i++) {
    if (option->type != AIORCH_TYPE_STR) continue;
    assert_string_equal(*aio__option_str(&b, option), *aio__option_str(&a, option));
    assert_ptr_not_equal(*aio__option_str(&b, option), *aio__option_str(&a, option));
  }
  assert_int_equal(aio__options_set_text(&a, AIO__LIT("generate.model"), AIO__LIT("m2"), false, NULL), AIORCH_OK);
  assert_string_equal(get(&b, "generate.model", text), "m1");
  assert_string_equal(get(&b, "cache.ttl_s", text), "7");
  aio__options_free(&a);
  assert_string_equal(b.generate_model, "m1");
  aio__options_free(&b);
}

static aiorch_status init_copy_get(const aio__alloc *al) {
  aio__options a, b;
  aiorch_status status = aio__options_init(&a, al);
  if (status != AIORCH_OK) return status;
  status = aio__options_copy(&b, &a);
  if (status == AIORCH_OK) {
    aio__buf buf;
    aio__buf_init(&buf, al, 4096);
    status = aio__options_get(&b, AIO__LIT("prompt.system"), &buf, NULL);
    aio__buf_free(&buf);
    aio__options_free(&b);
  }
  aio__options_free(&a);
  return status;
}

static void test_init_and_copy__out_of_memory_leaks_nothing(void **state) {
  (void)state;
  aio__test_alloc t;
  aiorch_status status;
  aio__test_alloc_init(&t);
  do {
    aio__test_alloc_next(&t);
    status = init_copy_get(&t.al);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

static void test_get__unknown_key_is_an_error(void **state) {
  (void)state;
  aio__options o;
  aio__buf buf;
  aiorch_error error;
  aio__error_init(&error);
  aio__buf_init(&buf, aio__alloc_default(), 100);
  assert_int_equal(aio__options_init(&o, aio__alloc_default()), AIORCH_OK);
  assert_int_equal(aio__options_get(&o, AIO__LIT("cache.tll_s"), &buf, &error), AIORCH_E_CONFIG_KEY);
  assert_non_null(strstr(aiorch_error_message(&error), "\"cache.ttl_s\""));
  aio__options_free(&o);
  aio__buf_free(&buf);
}

static void test_type__of_each_kind(void **state) {
  (void)state;
  assert_int_equal(aio__options_type(AIO__LIT("store")), AIORCH_TYPE_STR);
  assert_int_equal(aio__options_type(AIO__LIT("deadline_ms")), AIORCH_TYPE_I64);
  assert_int_equal(aio__options_type(AIO__LIT("retrieve.threshold")), AIORCH_TYPE_F64);
  assert_int_equal(aio__options_type(AIO__LIT("anonymous")), AIORCH_TYPE_BOOL);
  assert_int_equal(aio__options_type(AIO__LIT("nonsense")), 0);
}

static void describe(const char *key, char out[2048]) {
  size_t index;
  aio__buf buf;
  aio__json_writer w;
  assert_int_equal(aio__options_find(aio__str_z(key), false, &index, NULL), AIORCH_OK);
  aio__buf_init(&buf, aio__alloc_default(), 2047);
  aio__jw_init(&w, &buf);
  aio__options_describe(index, &w);
  assert_int_equal(buf.failed, AIORCH_OK);
  memcpy(out, aio__buf_cstr(&buf), buf.n + 1);
  aio__buf_free(&buf);
}

static void test_describe__has_what_applies_to_the_type(void **state) {
  (void)state;
  char text[2048];
  describe("deadline_ms", text);
  assert_string_equal(text, "{\"key\":\"deadline_ms\",\"type\":\"i64\",\"default\":120000,\"min\":1,\"max\":86400000,"
                            "\"per_run\":true,\"help\":\"How long a run may take, over all its stages.\"}");
  describe("tenancy", text);
  assert_non_null(strstr(text, "\"type\":\"str\",\"default\":\"multi\",\"values\":[\"multi\",\"single\"],"
                               "\"per_run\":false"));
  describe("anonymous", text);
  assert_non_null(strstr(text, "\"type\":\"bool\",\"default\":false,\"per_run\":false"));
  describe("generate.temperature", text);
  assert_non_null(strstr(text, "\"type\":\"f64\",\"default\":-1,\"min\":-1,\"max\":2,\"per_run\":true"));
  describe("store", text);
  assert_null(strstr(text, "values"));
  assert_null(strstr(text, "min"));
}

static void test_describe__past_the_end_is_null(void **state) {
  (void)state;
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, aio__alloc_default(), 100);
  aio__jw_init(&w, &buf);
  aio__options_describe(aio__options_described(), &w);
  assert_string_equal(aio__buf_cstr(&buf), "null");
  aio__buf_free(&buf);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_init__sets_the_defaults),
      cmocka_unit_test(test_table__every_default_is_allowed_and_every_key_is_one),
      cmocka_unit_test(test_copy__is_deep_and_equal),
      cmocka_unit_test(test_init_and_copy__out_of_memory_leaks_nothing),
      cmocka_unit_test(test_get__unknown_key_is_an_error),
      cmocka_unit_test(test_type__of_each_kind),
      cmocka_unit_test(test_describe__has_what_applies_to_the_type),
      cmocka_unit_test(test_describe__past_the_end_is_null),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
