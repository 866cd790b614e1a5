/* lib/core/weighted_list.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/weighted_list.h"

static aio__weighted_list list;
static aiorch_error error;

static aiorch_status parse(const char *text) {
  aio__error_init(&error);
  return aio__weighted_list_parse(aio__str_z(text), "the.key", &list, &error);
}

static void test_parse__items_and_weights(void **state) {
  (void)state;
  assert_int_equal(parse("https://a.example/v1 *3,https://b.example , c\t* 10"), AIORCH_OK);
  assert_int_equal(list.count, 3);
  assert_true(aio__str_eqz(list.items[0].text, "https://a.example/v1"));
  assert_int_equal(list.items[0].weight, 3);
  assert_true(aio__str_eqz(list.items[1].text, "https://b.example"));
  assert_int_equal(list.items[1].weight, 1);
  assert_true(aio__str_eqz(list.items[2].text, "c"));
  assert_int_equal(list.items[2].weight, 10);
}

static void test_parse__nothing_is_an_empty_list(void **state) {
  (void)state;
  assert_int_equal(parse(""), AIORCH_OK);
  assert_int_equal(list.count, 0);
  assert_int_equal(parse(" \n "), AIORCH_OK);
  assert_int_equal(list.count, 0);
}

static void test_parse__a_star_inside_an_item_is_its_own(void **state) {
  (void)state;
  assert_int_equal(parse("a*3"), AIORCH_OK);
  assert_true(aio__str_eqz(list.items[0].text, "a*3"));
  assert_int_equal(list.items[0].weight, 1);
}

static void test_parse__faults_name_key_and_number_but_no_item(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"secret,,b", "number 2 of the list is empty"},     {"secret,", "number 2 of the list is empty"},
      {"a, secret b", "number 2 of the list has white"},  {"secret *0", "number 1 of the list has a weight"},
      {"secret *1001", "number 1 of the list has a wei"}, {"secret *x", "number 1 of the list has a weight"},
      {"secret *", "number 1 of the list has a weight"},  {"secret *-1", "number 1 of the list has a weight"},
      {"secret *99999999999999999999", "has a weight"},   {" *3", "\"the.key\""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    aiorch_status st = parse(rows[i][0]);
    if (i == 9) { /* an item that is called "*3" */
      assert_int_equal(st, AIORCH_OK);
      continue;
    }
    assert_int_equal(st, AIORCH_E_CONFIG_RANGE);
    assert_non_null(strstr(error.message, rows[i][1]));
    assert_non_null(strstr(error.message, "\"the.key\""));
    assert_null(strstr(error.message, "secret"));
  }
}

static void test_parse__at_most_64(void **state) {
  (void)state;
  char text[200];
  for (size_t i = 0; i < sizeof text; i++) text[i] = i % 2 ? ',' : 'k';
  text[127] = '\0';
  assert_int_equal(parse(text), AIORCH_OK);
  assert_int_equal(list.count, AIO__WEIGHTED_ITEMS_MAX);
  text[127] = ',';
  text[129] = '\0';
  assert_int_equal(parse(text), AIORCH_E_CONFIG_RANGE);
  assert_non_null(strstr(error.message, "more than 64"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parse__items_and_weights),
      cmocka_unit_test(test_parse__nothing_is_an_empty_list),
      cmocka_unit_test(test_parse__a_star_inside_an_item_is_its_own),
      cmocka_unit_test(test_parse__faults_name_key_and_number_but_no_item),
      cmocka_unit_test(test_parse__at_most_64),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
