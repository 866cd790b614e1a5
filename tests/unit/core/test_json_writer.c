/* lib/core/json_writer.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include <aiorch/error.h>

#include "core/json_writer.h"
#include "support/test_alloc.h"

typedef struct fixture {
  aio__buf buf;
  aio__json_writer w;
} fixture;

static void start(fixture *f) {
  aio__buf_init(&f->buf, aio__alloc_default(), 1 << 20);
  aio__jw_init(&f->w, &f->buf);
}

static void assert_json(fixture *f, const char *want) {
  assert_int_equal(f->buf.failed, AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&f->buf), want);
  aio__buf_free(&f->buf);
}

static void test_writer__commas_at_every_level(void **state) {
  (void)state;
  fixture f;
  start(&f);
  aio__jw_object(&f.w);
  aio__jw_ki64(&f.w, "a", -1);
  aio__jw_key(&f.w, "b");
  aio__jw_array(&f.w);
  aio__jw_object(&f.w);
  aio__jw_object_end(&f.w);
  aio__jw_array(&f.w);
  aio__jw_array_end(&f.w);
  aio__jw_z(&f.w, "x");
  aio__jw_null(&f.w);
  aio__jw_array_end(&f.w);
  aio__jw_kbool(&f.w, "c", true);
  aio__jw_kbool(&f.w, "d", false);
  aio__jw_kz(&f.w, "e", NULL);
  aio__jw_knull(&f.w, "f");
  aio__jw_kf64(&f.w, "g", 0.5);
  aio__jw_kf64(&f.w, "h", (double)NAN);
  aio__jw_key(&f.w, "i");
  aio__jw_raw(&f.w, AIO__LIT("{\"z\":1}"));
  aio__jw_key(&f.w, "j");
  aio__jw_raw(&f.w, aio__str_z(NULL));
  aio__jw_object_end(&f.w);
  assert_json(&f, "{\"a\":-1,\"b\":[{},[],\"x\",null],\"c\":true,\"d\":false,\"e\":null,\"f\":null,\"g\":0.5,"
                  "\"h\":null,\"i\":{\"z\":1},\"j\":null}");
}

static void assert_escaped(aio__str text, const char *want) {
  fixture f;
  start(&f);
  aio__jw_str(&f.w, text);
  assert_json(&f, want);
}

static void test_str__escapes(void **state) {
  (void)state;
  assert_escaped(aio__str_z(NULL), "\"\"");
  assert_escaped(AIO__LIT("\"\\/\b\f\n\r\t\0\x1f\x7f"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\"");
  assert_escaped(AIO__LIT("caf\xC3\xA9 \xF0\x9F\x98\x80"), "\"caf\xC3\xA9 \xF0\x9F\x98\x80\"");
}

static void test_str__an_escape_at_every_place_of_a_word(void **state) {
  (void)state;
  static const char special[] = {'"', '\\', '\n', '\x01', '\x1f'};
  static const char *const written[] = {"\\\"", "\\\\", "\\n", "\\u0001", "\\u001f"};
  for (size_t kind = 0; kind < sizeof special; kind++) {
    for (size_t at = 0; at < 20; at++) {
      char text[21] = "!#[]~ \x7f" "aaaaaaaaaaaaa", want[64] = "\"";
      text[at] = special[kind];
      memcpy(want + 1, text, at);
      strcpy(want + 1 + at, written[kind]);
      strcat(want, text + at + 1);
      strcat(want, "\"");
      assert_escaped(aio__str_n(text, 20), want);
    }
  }
}

static void test_str__what_is_no_utf8_becomes_a_replacement(void **state) {
  (void)state;
  assert_escaped(AIO__LIT("a\xFF" "b\xC3"), "\"a\xEF\xBF\xBD" "b\xEF\xBF\xBD\"");
  assert_escaped(AIO__LIT("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void test_key__is_escaped(void **state) {
  (void)state;
  fixture f;
  start(&f);
  aio__jw_object(&f.w);
  aio__jw_kstr(&f.w, "a\"b", AIO__LIT("c"));
  aio__jw_object_end(&f.w);
  assert_json(&f, "{\"a\\\"b\":\"c\"}");
}

static void test_writer__depth_is_bounded(void **state) {
  (void)state;
  fixture f;
  start(&f);
  for (int i = 0; i < AIO__JSON_DEPTH_MAX; i++) {
    aio__jw_array(&f.w);
    aio__jw_i64(&f.w, i);
  }
  assert_int_equal(f.buf.failed, AIORCH_OK);
  for (int i = 0; i < AIO__JSON_DEPTH_MAX; i++) aio__jw_array_end(&f.w);
  assert_memory_equal(f.buf.p, "[0,[1,[2,", 9);
  aio__buf_reset(&f.buf);
  aio__jw_init(&f.w, &f.buf);
  for (int i = 0; i <= AIO__JSON_DEPTH_MAX; i++) aio__jw_array(&f.w);
  assert_int_equal(f.buf.failed, AIORCH_E_TOO_LARGE);
  aio__buf_free(&f.buf);
}

static void test_writer__out_of_memory_shows_at_the_end(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aiorch_status status;
  do {
    aio__test_alloc_next(&t);
    fixture f;
    aio__buf_init(&f.buf, &t.al, 1 << 20);
    aio__jw_init(&f.w, &f.buf);
    aio__jw_object(&f.w);
    for (int i = 0; i < 100; i++) aio__jw_kz(&f.w, "key", "some value");
    aio__jw_object_end(&f.w);
    status = f.buf.failed;
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__buf_free(&f.buf);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
  assert_true(t.fail_at > 2);
}

static void test_usd_text__is_exact(void **state) {
  (void)state;
  static const struct {
    int64_t nano;
    const char *want;
  } rows[] = {
    {0, "0"}, {1, "0.000000001"}, {-1, "-0.000000001"}, {1500000000, "1.5"}, {1000000000, "1"}, {10000000000, "10"},
    {123456789, "0.123456789"}, {999999999, "0.999999999"}, {100, "0.0000001"}, {-2050000000, "-2.05"},
    {INT64_MAX, "9223372036.854775807"}, {INT64_MIN, "-9223372036.854775808"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char text[32];
    aio__usd_text(rows[i].nano, text);
    assert_string_equal(text, rows[i].want);
  }
  fixture f;
  start(&f);
  aio__jw_object(&f.w);
  aio__jw_kusd(&f.w, "cost_usd", 2500000);
  aio__jw_object_end(&f.w);
  assert_json(&f, "{\"cost_usd\":\"0.0025\"}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_writer__commas_at_every_level),
    cmocka_unit_test(test_str__escapes),
    cmocka_unit_test(test_str__an_escape_at_every_place_of_a_word),
    cmocka_unit_test(test_str__what_is_no_utf8_becomes_a_replacement),
    cmocka_unit_test(test_key__is_escaped),
    cmocka_unit_test(test_writer__depth_is_bounded),
    cmocka_unit_test(test_writer__out_of_memory_shows_at_the_end),
    cmocka_unit_test(test_usd_text__is_exact),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
