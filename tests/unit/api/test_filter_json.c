/* Filters out of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/filter_json.h"
#include "support/test_alloc.h"

typedef struct kept {
  aio__filter filter[8];
  char names[8][16];
  size_t count, refuse_at;
} kept;

static aiorch_status keep(void *ctx, const aio__filter *filter) {
  kept *k = ctx;
  if (k->count == k->refuse_at) return AIORCH_E_TOO_LARGE;
  k->filter[k->count] = *filter;
  snprintf(k->names[k->count++], 16, "%.*s", (int)filter->name.n, filter->name.p);
  return AIORCH_OK;
}

static aiorch_status read(const char *text, kept *k, const char *words) {
  static const aio__json_limits limits = {4096, 8, AIORCH_E_INVALID, "filters"};
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__json *json = NULL;
  aiorch_error error;
  aio__error_init(&error);
  assert_int_equal(aio__json_parse(&t.al, aio__str_z(text), &limits, &json, NULL), AIORCH_OK);
  aiorch_status st = aio__filters_read(aio__json_root(json), "filters", keep, k, &error);
  if (words) assert_non_null(strstr(error.message, words));
  for (size_t i = 0; i < k->count; i++) k->filter[i].value.p = k->filter[i].value.p ? "" : NULL; /* borrowed no more */
  aio__json_free(json);
  return st;
}

static void test_filters_read__each_form(void **state) {
  (void)state;
  kept k = {.refuse_at = 8};
  assert_int_equal(read("{\"a\":\"x\",\"b\":[\"yy\",{\"prefix\":\"\"}],\"c\":{\"from\":\"1\"},\"d\":{\"to\":\"\"}}", &k, NULL),
                   AIORCH_OK);
  assert_int_equal(k.count, 5);
  assert_string_equal(k.names[0], "a");
  assert_int_equal(k.filter[0].kind, AIO__FILTER_IS);
  assert_int_equal(k.filter[0].value.n, 1);
  assert_string_equal(k.names[2], "b");
  assert_int_equal(k.filter[1].value.n, 2);
  assert_int_equal(k.filter[2].kind, AIO__FILTER_PREFIX);
  assert_int_equal(k.filter[2].value.n, 0);
  assert_int_equal(k.filter[3].kind, AIO__FILTER_RANGE);
  assert_null(k.filter[3].to.p);
  assert_int_equal(k.filter[4].kind, AIO__FILTER_RANGE);
  assert_null(k.filter[4].value.p);
  assert_non_null(k.filter[4].to.p);
  k.count = 0;
  assert_int_equal(read("{}", &k, NULL), AIORCH_OK);
  assert_int_equal(k.count, 0);
}

static void test_filters_read__says_what_is_wrong(void **state) {
  (void)state;
  kept k = {.refuse_at = 8};
  assert_int_equal(read("[]", &k, "filters must be an object"), AIORCH_E_INVALID);
  assert_int_equal(read("{\"a\":1}", &k, "filters.a needs a text"), AIORCH_E_INVALID);
  assert_int_equal(read("{\"a\":null}", &k, "filters.a needs a text"), AIORCH_E_INVALID);
  assert_int_equal(read("{\"a\":[]}", &k, "filters.a has no value"), AIORCH_E_INVALID);
  assert_int_equal(read("{\"a\":[[\"x\"]]}", &k, "filters.a needs a text"), AIORCH_E_INVALID);
  assert_int_equal(read("{\"a\":{}}", &k, "one of the two bounds"), AIORCH_E_INVALID);
  assert_int_equal(read("{\"a\":{\"prefix\":\"x\",\"to\":\"y\"}}", &k, "filters.a needs"), AIORCH_E_INVALID);
  assert_int_equal(read("{\"a\":{\"prefix\":[\"x\"]}}", &k, "filters.a needs"), AIORCH_E_INVALID);
  assert_int_equal(read("{\"a\":{\"gt\":\"x\"}}", &k, "filters.a needs"), AIORCH_E_INVALID);
  assert_int_equal(k.count, 0);
  k.refuse_at = 1;
  assert_int_equal(read("{\"a\":[\"x\",\"y\",\"z\"]}", &k, NULL), AIORCH_E_TOO_LARGE);
  assert_int_equal(k.count, 1);
}

static void test_filter_fault__lengths_bounds_and_utf_8(void **state) {
  (void)state;
  static char text[1025];
  memset(text, 'v', sizeof text);
  aio__filter f = {.name = {text, 63}, .kind = AIO__FILTER_RANGE, .value = {text, 1024}, .to = {text, 1024}};
  assert_null(aio__filter_fault(&f));
  f.to.n = 1025;
  assert_non_null(aio__filter_fault(&f));
  f.to = (aio__str){"\xC3", 1};
  assert_non_null(aio__filter_fault(&f));
  f.to = (aio__str){"a\0b", 3}; /* a store on PostgreSQL would fail over it */
  assert_non_null(aio__filter_fault(&f));
  f.to = (aio__str){NULL, 0};
  f.name = (aio__str){"a\0", 2};
  assert_non_null(aio__filter_fault(&f));
  f.name = (aio__str){"\xC3", 1};
  assert_non_null(aio__filter_fault(&f));
  f.name = (aio__str){text, 63};
  assert_null(aio__filter_fault(&f));
  f.value = f.to;
  assert_non_null(aio__filter_fault(&f));
  f.kind = AIO__FILTER_PREFIX;
  assert_null(aio__filter_fault(&f));
  f.name.n = 64;
  assert_non_null(aio__filter_fault(&f));
  f.name.n = 0;
  assert_non_null(aio__filter_fault(&f));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_filters_read__each_form),
    cmocka_unit_test(test_filters_read__says_what_is_wrong),
    cmocka_unit_test(test_filter_fault__lengths_bounds_and_utf_8),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
