/* lib/text/json.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <locale.h>

#include "support/test_alloc.h"
#include "text/json.h"

static const aio__json_limits LIMITS = {1 << 20, 32, AIORCH_E_INVALID, "request"};

static aio__json *parse(const char *text) {
  aiorch_error error;
  aio__json *json = NULL;
  aio__error_init(&error);
  if (aio__json_parse(aio__alloc_default(), aio__str_z(text), &LIMITS, &json, &error) != AIORCH_OK) {
    fail_msg("%s", error.message);
  }
  return json;
}

static void test_parse__types(void **state) {
  (void)state;
  aio__json *json = parse("{\"n\":null,\"t\":true,\"f\":false,\"i\":7,\"s\":\"x\",\"a\":[],\"o\":{}}");
  static const aio__json_type want[] = {AIO__JSON_NULL,   AIO__JSON_BOOL,  AIO__JSON_BOOL,  AIO__JSON_NUMBER,
                                        AIO__JSON_STRING, AIO__JSON_ARRAY, AIO__JSON_OBJECT};
  static const char names[] = "ntfisao";
  const aio__json_value *root = aio__json_root(json), *child = aio__json_first(root);
  assert_int_equal(aio__json_typeof(root), AIO__JSON_OBJECT);
  assert_int_equal(aio__json_size(root), 7);
  for (size_t i = 0; i < 7; i++, child = aio__json_next(child)) {
    assert_int_equal(aio__json_typeof(child), want[i]);
    assert_int_equal(aio__json_key(child).n, 1);
    assert_int_equal(aio__json_key(child).p[0], names[i]);
    const char key[2] = {names[i], 0};
    assert_ptr_equal(aio__json_get(root, key), child);
    assert_non_null(aio__json_type_name(want[i]));
  }
  assert_null(child);
  aio__json_free(json);
}

static void test_accessors__of_another_type_or_nothing(void **state) {
  (void)state;
  aio__json *json = parse("[1,\"x\"]");
  const aio__json_value *root = aio__json_root(json), *one = aio__json_first(root), *text = aio__json_next(one);
  aio__str s = AIO__LIT("kept");
  int64_t i = 42;
  double d = 42;
  bool b = true;
  assert_false(aio__json_str(one, &s));
  assert_false(aio__json_i64(text, &i));
  assert_false(aio__json_f64(text, &d));
  assert_false(aio__json_bool(one, &b));
  assert_false(aio__json_str(NULL, &s));
  assert_false(aio__json_i64(NULL, &i));
  assert_true(aio__str_eqz(s, "kept") && i == 42 && b);
  assert_null(aio__json_get(root, "a"));
  assert_null(aio__json_get(NULL, "a"));
  assert_null(aio__json_first(one));
  assert_null(aio__json_next(NULL));
  assert_int_equal(aio__json_size(text), 0);
  assert_int_equal(aio__json_typeof(NULL), AIO__JSON_NULL);
  assert_int_equal(aio__json_key(one).n, 0);
  assert_int_equal(aio__json_key(NULL).n, 0);
  aio__json_free(json);
}

static void test_bool__both(void **state) {
  (void)state;
  aio__json *json = parse("[true,false]");
  const aio__json_value *yes = aio__json_first(aio__json_root(json));
  bool value = false;
  assert_true(aio__json_bool(yes, &value) && value);
  assert_true(aio__json_bool(aio__json_next(yes), &value) && !value);
  aio__json_free(json);
}

static void test_get__tells_case_apart(void **state) {
  (void)state;
  aio__json *json = parse("{\"Key\":1}");
  assert_null(aio__json_get(aio__json_root(json), "key"));
  assert_non_null(aio__json_get(aio__json_root(json), "Key"));
  aio__json_free(json);
}

static void test_str__decodes(void **state) {
  (void)state;
  aio__json *json = parse("\"a\\n\\u00e9\\uD83D\\uDE00\\/\"");
  aio__str s;
  assert_true(aio__json_str(aio__json_root(json), &s));
  assert_true(aio__str_eqz(s, "a\n\xC3\xA9\xF0\x9F\x98\x80/"));
  aio__json_free(json);
}

static void test_i64__up_to_2_to_the_53_and_whole(void **state) {
  (void)state;
  aio__json *json = parse("[0,-0,-7,1e3,9007199254740992,-9007199254740992]");
  static const int64_t want[] = {0, 0, -7, 1000, INT64_C(9007199254740992), INT64_C(-9007199254740992)};
  const aio__json_value *child = aio__json_first(aio__json_root(json));
  for (size_t i = 0; i < 6; i++, child = aio__json_next(child)) {
    int64_t value = 99;
    assert_true(aio__json_i64(child, &value));
    assert_true(value == want[i]);
  }
  aio__json_free(json);
  json = parse("[0.5,-1.25,9007199254740994,1e300,1e-300]");
  child = aio__json_first(aio__json_root(json));
  for (size_t i = 0; i < 5; i++, child = aio__json_next(child)) {
    int64_t value;
    assert_false(aio__json_i64(child, &value));
  }
  aio__json_free(json);
}

static void assert_f64(const char *text, double want) {
  aio__json *json = parse(text);
  double value = 0;
  assert_true(aio__json_f64(aio__json_root(json), &value));
  assert_memory_equal(&value, &want, sizeof want);
  aio__json_free(json);
}

static void test_f64__exact(void **state) {
  (void)state;
  assert_f64("0.1", 0.1);
  assert_f64("-2.5e-3", -0.0025);
  assert_f64("1.7976931348623157e308", 1.7976931348623157e308);
  assert_f64("5e-324", 5e-324);
  aio__json *json = parse("1.8e308");
  double value;
  assert_false(aio__json_f64(aio__json_root(json), &value));
  aio__json_free(json);
}

static void test_f64__in_a_locale_with_a_decimal_comma(void **state) {
  (void)state;
  static const char *const names[] = {"de_DE", "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "es_ES.UTF-8"};
  const char *found = NULL;
  for (size_t i = 0; found == NULL && i < sizeof names / sizeof names[0]; i++) found = setlocale(LC_NUMERIC, names[i]);
  if (found == NULL) skip();
  assert_f64("1234.5", 1234.5);
  setlocale(LC_NUMERIC, "C");
}

static void test_parse__fault_is_the_callers_status(void **state) {
  (void)state;
  aiorch_error error;
  aio__json *json = NULL;
  aio__error_init(&error);
  assert_int_equal(aio__json_parse(aio__alloc_default(), AIO__LIT("[1,]"), &LIMITS, &json, &error), AIORCH_E_INVALID);
  assert_null(json);
  assert_string_equal(error.message, "request, line 1, column 3: a trailing comma is not allowed");
}

static void test_parse__reads_no_byte_beyond_the_length(void **state) {
  (void)state;
  static const char *const texts[] = {"12", "true", "\"x\"", "[1]", "{\"a\":2}", "1.5e3"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    size_t n = strlen(texts[i]);
    char *exact = aio__malloc(aio__alloc_default(), n);
    memcpy(exact, texts[i], n);
    aio__json *json = NULL;
    assert_int_equal(aio__json_parse(aio__alloc_default(), aio__str_n(exact, n), &LIMITS, &json, NULL), AIORCH_OK);
    aio__json_free(json);
    aio__free(aio__alloc_default(), exact);
  }
}

static void test_parse__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aiorch_error error;
    aio__json *json = NULL;
    aio__error_init(&error);
    aio__test_alloc_next(&t);
    aiorch_status status = aio__json_parse(&t.al, AIO__LIT("{\"a\":{\"\\u0062\":[1]}}"), &LIMITS, &json, &error);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(error.status, status);
    aio__json_free(json);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
  aio__json_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_parse__types),
    cmocka_unit_test(test_accessors__of_another_type_or_nothing),
    cmocka_unit_test(test_bool__both),
    cmocka_unit_test(test_get__tells_case_apart),
    cmocka_unit_test(test_str__decodes),
    cmocka_unit_test(test_i64__up_to_2_to_the_53_and_whole),
    cmocka_unit_test(test_f64__exact),
    cmocka_unit_test(test_f64__in_a_locale_with_a_decimal_comma),
    cmocka_unit_test(test_parse__fault_is_the_callers_status),
    cmocka_unit_test(test_parse__reads_no_byte_beyond_the_length),
    cmocka_unit_test(test_parse__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
