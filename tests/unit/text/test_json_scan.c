/* lib/text/json_scan.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "support/test_alloc.h"
#include "text/json_scan.h"

static const aio__json_limits LIMITS = {1 << 20, 32, AIORCH_E_CONFIG_SYNTAX, "file.json"};

static aiorch_status scan(aio__str text, aiorch_error *error) {
  aio__error_init(error);
  return aio__json_scan(aio__alloc_default(), text, &LIMITS, error);
}

static void assert_good(aio__str text) {
  aiorch_error error;
  if (scan(text, &error) != AIORCH_OK) fail_msg("%.*s: %s", (int)text.n, text.p, error.message);
}

static void assert_fault(aio__str text, const char *want) {
  aiorch_error error;
  assert_int_equal(scan(text, &error), AIORCH_E_CONFIG_SYNTAX);
  assert_int_equal(error.status, AIORCH_E_CONFIG_SYNTAX);
  if (strncmp(error.message, want, strlen(want)) != 0) {
    fail_msg("%.*s: \"%s\" is not \"%s\"", (int)text.n, text.p, error.message, want);
  }
}

static void test_scan__accepts(void **state) {
  (void)state;
  static const char *const texts[] = {
    "0", "-0", "1.5", "-12.5e+10", "1E-5", "1e308", "0.0e999", "1e-999", "true", "false", "null", "\"\"", "[]", "{}",
    " \t\r\n{ \"a\" : [ 1 , { } , [ ] , \"x\" ] , \"b\" : null } \n", "[[[[1]]],2]", "{\"\":{\"\":1}}",
    "\"\\u0001\\uD83D\\uDE00\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "{\"a\":{\"a\":1},\"b\":{\"a\":2}}", "[{\"a\":1},{\"a\":1}]",
    "{\"a\":1,\"A\":2}", "\"caf\xC3\xA9 \xF0\x9F\x98\x80 \x7f\"",
    "123456789012345678901234567890123456789012345678901234567890123",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) assert_good(aio__str_z(texts[i]));
}

static void test_scan__names_the_place_and_the_fault(void **state) {
  (void)state;
  static const char *const rows[][2] = {
    {"", "file.json, line 1, column 1: the text is empty"},
    {" \n ", "file.json, line 2, column 2: the text is empty"},
    {"{\"a\":1,}", "file.json, line 1, column 7: a trailing comma"},
    {"[1,\n2,\n]", "file.json, line 2, column 2: a trailing comma"},
    {"{\n  \"a\": 1\n  \"b\": 2\n}", "file.json, line 3, column 3: a comma or } is expected"},
    {"[1 2]", "file.json, line 1, column 4: a comma or ] is expected"},
    {"[1}", "file.json, line 1, column 3: a comma or ] is expected"},
    {"{\"a\" 1}", "file.json, line 1, column 6: a colon"},
    {"{a:1}", "file.json, line 1, column 2: a member's name in double quotes"},
    {"{1:1}", "file.json, line 1, column 2: a member's name"},
    {"{,}", "file.json, line 1, column 2: a member's name"},
    {"[,1]", "file.json, line 1, column 2: a value is expected"},
    {"{\"a\":}", "file.json, line 1, column 6: a value is expected"},
    {"{\"a\":'b'}", "file.json, line 1, column 6: a value is expected"},
    {"tru", "file.json, line 1, column 1: a value is expected"},
    {"True", "file.json, line 1, column 1: a value is expected"},
    {"NaN", "file.json, line 1, column 1: a value is expected"},
    {"truex", "file.json, line 1, column 5: there is more text"},
    {"1 2", "file.json, line 1, column 3: there is more text"},
    {"{} // note", "file.json, line 1, column 4: there is more text"},
    {"]", "file.json, line 1, column 1: a value is expected"},
    {"{\"a\":[1,2", "file.json, line 1, column 10: the text ends too early"},
    {"\"abc", "file.json, line 1, column 5: the text ends too early"},
    {"\"abc\\", "file.json, line 1, column 5: this is no escape"},
    {"{", "file.json, line 1, column 2: the text ends too early"},
    {"[\"\xC3\xA9\xE2\x82\xAC\", x]", "file.json, line 1, column 8: a value is expected"},
    {"01", "file.json, line 1, column 1: a number has no leading zeros"},
    {"-", "file.json, line 1, column 2: the text ends too early"},
    {"-a", "file.json, line 1, column 2: a digit"},
    {"1.", "file.json, line 1, column 3: the text ends too early"},
    {"[.5]", "file.json, line 1, column 2: a value is expected"},
    {"[1.e5]", "file.json, line 1, column 4: a digit"},
    {"[1e+]", "file.json, line 1, column 5: a digit"},
    {"+1", "file.json, line 1, column 1: a value is expected"},
    {"[1e309]", "file.json, line 1, column 2: the number is out of range"},
    {"[-0.001e400]", "file.json, line 1, column 2: the number is out of range"},
    {"[10e308]", "file.json, line 1, column 2: the number is out of range"},
    {"1e99999999999999999999999999", "file.json, line 1, column 1: the number is out of range"},
    {"1234567890123456789012345678901234567890123456789012345678901234", "file.json, line 1, column 1: a number has"},
    {"\"a\nb\"", "file.json, line 1, column 3: a control character"},
    {"\"\\x\"", "file.json, line 1, column 2: this is no escape"},
    {"\"\\u12G4\"", "file.json, line 1, column 2: \\u needs four"},
    {"\"\\u12", "file.json, line 1, column 2: \\u needs four"},
    {"\"\\u0000\"", "file.json, line 1, column 2: a NUL character"},
    {"\"\\uD800\"", "file.json, line 1, column 2: half of a surrogate"},
    {"\"\\uDC00\\uD800\"", "file.json, line 1, column 2: half of a surrogate"},
    {"\"\\uD800\\u0041\"", "file.json, line 1, column 2: half of a surrogate"},
    {"[\"a\xFF\"]", "file.json, line 1, column 4: this is not UTF-8"},
    {"\xEF\xBB\xBF{}", "file.json, line 1, column 1: a byte order mark"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) assert_fault(aio__str_z(rows[i][0]), rows[i][1]);
  assert_fault(AIO__LIT("{\"a\":\"x\0y\"}"), "file.json, line 1, column 8: a control character");
  assert_fault(AIO__LIT("{}\0"), "file.json, line 1, column 3: there is more text");
}

static void test_scan__names_that_come_twice(void **state) {
  (void)state;
  assert_fault(AIO__LIT("{\"a\":1,\n \"b\":2,\n \"a\":3}"),
               "file.json, line 3, column 2: \"a\" comes twice in this object");
  assert_fault(AIO__LIT("{\"a\":{\"a\":1},\"a\":2}"), "file.json, line 1, column 14: \"a\" comes twice");
  assert_fault(AIO__LIT("{\"key\":1,\"\\u006bey\":2}"), "file.json, line 1, column 10: \"key\" comes twice");
  assert_fault(AIO__LIT("{\"\\uD83D\\uDE00\":1,\"\xF0\x9F\x98\x80\":2}"), "file.json, line 1, column 19: ");
  assert_fault(AIO__LIT("{\"\":1,\"\":2}"), "file.json, line 1, column 7: \"\" comes twice");
}

static void test_scan__a_twin_among_thousands(void **state) {
  (void)state;
  static char text[200000];
  size_t n = 0;
  text[n++] = '{';
  for (int i = 0; i < 9000; i++) n += (size_t)snprintf(text + n, 32, "\"member%d\":%d,", i, i);
  size_t unique = n;
  n += (size_t)snprintf(text + n, 32, "\"x\":0}");
  assert_good(aio__str_n(text, n));
  n = unique + (size_t)snprintf(text + unique, 32, "\"member4711\":0}");
  char want[64];
  snprintf(want, sizeof want, "file.json, line 1, column %zu: \"member4711\" comes twice", unique + 1);
  assert_fault(aio__str_n(text, n), want);
}

static void test_scan__depth(void **state) {
  (void)state;
  static char text[20000];
  memset(text, '[', 10000);
  memset(text + 10000, ']', 10000);
  assert_good(aio__str_n(text + 10000 - 32, 64));
  assert_fault(aio__str_n(text + 10000 - 33, 66), "file.json, line 1, column 33: nested deeper than 32 levels");
  assert_fault(aio__str_n(text, 20000), "file.json, line 1, column 33: nested deeper than 32 levels");
  aio__json_limits deep = LIMITS;
  aiorch_error error;
  deep.max_depth = 100000;
  aio__error_init(&error);
  assert_int_equal(aio__json_scan(aio__alloc_default(), aio__str_n(text + 10000 - 64, 128), &deep, &error), AIORCH_OK);
  assert_int_equal(aio__json_scan(aio__alloc_default(), aio__str_n(text, 20000), &deep, &error),
                   AIORCH_E_CONFIG_SYNTAX);
  assert_non_null(strstr(error.message, "column 65: nested deeper than 64 levels"));
}

static void test_scan__kinds_of_levels_are_kept_apart(void **state) {
  (void)state;
  assert_good(AIO__LIT("[{\"a\":[{\"b\":[]},1]},{\"c\":{\"d\":[1,{}]}}]"));
  assert_fault(AIO__LIT("[{\"a\":[1}]"), "file.json, line 1, column 9: a comma or ] is expected");
  assert_fault(AIO__LIT("{\"a\":[1],2}"), "file.json, line 1, column 10: a member's name");
}

static void test_scan__size(void **state) {
  (void)state;
  aio__json_limits limits = {4, 32, AIORCH_E_INVALID, NULL};
  aiorch_error error;
  aio__error_init(&error);
  assert_int_equal(aio__json_scan(aio__alloc_default(), AIO__LIT("1234"), &limits, &error), AIORCH_OK);
  assert_int_equal(aio__json_scan(aio__alloc_default(), AIO__LIT("12345"), &limits, &error), AIORCH_E_TOO_LARGE);
  assert_string_equal(error.message, "JSON has 5 bytes; at most 4 are accepted");
  assert_int_equal(aio__json_scan(aio__alloc_default(), AIO__LIT("x"), &limits, NULL), AIORCH_E_INVALID);
}

static void test_scan__every_cut_of_a_text_is_a_fault(void **state) {
  (void)state;
  static const char text[] = "{\"a\":[1.5e3,true,{\"b\\n\":\"\\u00e9\xC3\xA9\"}],\"c\":null}";
  assert_good(AIO__LIT(text));
  for (size_t n = 0; n < sizeof text - 1; n++) {
    aiorch_error error;
    char *exact = aio__strndup(aio__alloc_default(), text, n); /* so that the sanitizer sees a read too far */
    assert_int_equal(scan(aio__str_n(exact, n), &error), AIORCH_E_CONFIG_SYNTAX);
    aio__free(aio__alloc_default(), exact);
  }
}

static void test_scan__out_of_memory(void **state) {
  (void)state;
  static char text[4000];
  size_t n = 0;
  text[n++] = '{';
  for (int i = 0; i < 100; i++) n += (size_t)snprintf(text + n, 32, "\"\\u0041%d\":%d,", i, i);
  n += (size_t)snprintf(text + n, 32, "\"x\":0}");
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aiorch_error error;
  aio__error_init(&error);
  do {
    aio__test_alloc_next(&t);
    aiorch_status status = aio__json_scan(&t.al, aio__str_n(text, n), &LIMITS, &error);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
  assert_true(t.fail_at > 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_scan__accepts),
    cmocka_unit_test(test_scan__names_the_place_and_the_fault),
    cmocka_unit_test(test_scan__names_that_come_twice),
    cmocka_unit_test(test_scan__a_twin_among_thousands),
    cmocka_unit_test(test_scan__depth),
    cmocka_unit_test(test_scan__kinds_of_levels_are_kept_apart),
    cmocka_unit_test(test_scan__size),
    cmocka_unit_test(test_scan__every_cut_of_a_text_is_a_fault),
    cmocka_unit_test(test_scan__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
