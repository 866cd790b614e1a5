/* A value that was read, written again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "text/json_write.h"

static void check(const char *in, const char *out) {
  static const aio__json_limits limits = {
      .max_bytes = 4096, .max_depth = 16, .syntax_status = AIORCH_E_INVALID, .name = "test"};
  aio__json *json = NULL;
  assert_int_equal(aio__json_parse(aio__alloc_default(), aio__str_z(in), &limits, &json, NULL), AIORCH_OK);
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, aio__alloc_default(), 4096);
  aio__jw_init(&w, &buf);
  aio__json_write(&w, aio__json_root(json));
  assert_string_equal(aio__buf_cstr(&buf), out);
  aio__buf_free(&buf);
  aio__json_free(json);
}

static void test_json_write__every_type_in_its_order(void **state) {
  (void)state;
  check("{ \"b\": [1, -2, 0.5, 1e300, 9007199254740992], \"a\": {\"x\": null, \"y\": [true, false, {}, []]}, \"c\": \"\\u00e9\\n\\\"\" }",
        "{\"b\":[1,-2,0.5,1e+300,9007199254740992],\"a\":{\"x\":null,\"y\":[true,false,{},[]]},\"c\":\"\xc3\xa9\\n\\\"\"}");
  check("\"text\"", "\"text\"");
  check("null", "null");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_json_write__every_type_in_its_order)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
