/* The reader of bodies: what it takes, what it refuses and where, and that it lends. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "body_json.h"

static body_json read_text(const char *text) {
  body_json b;
  if (!body_parse(&b, text, strlen(text))) fail_msg("%s at %zu: %s", b.wrong, b.where, text);
  return b;
}

static void refuse(const char *text, size_t len, size_t where, const char *words) {
  body_json b;
  assert_false(body_parse(&b, text, len));
  assert_null(b.root);
  assert_non_null(strstr(b.wrong, words));
  assert_int_equal(b.where, where);
  body_free(&b);
}

static void refuse_z(const char *text, size_t where, const char *words) { refuse(text, strlen(text), where, words); }

static void test_body_parse__lends_what_has_no_escape(void **state) {
  static const char text[] = " {\"a\": \"plain\", \"b\": [1, -2.5e3, true, null], \"c\": {\"x\": {}}} ";
  (void)state;
  body_json b = read_text(text);
  const body_node *a = body_get(b.root, "a"), *c = body_get(b.root, "c");
  assert_ptr_equal(a->text, strstr(text, "plain"));
  assert_null(b.decoded);
  assert_int_equal(body_count(body_get(b.root, "b")), 4);
  assert_memory_equal(c->raw, "{\"x\": {}}", c->raw_len);
  assert_int_equal(c->raw_len, 9);
  assert_null(body_get(b.root, "none"));
  body_free(&b);
}

static void test_body_parse__decodes_escapes(void **state) {
  (void)state;
  body_json b = read_text("[\"a\\n\\u00e4\\ud83d\\ude00\\\\\\/\\\"z\", \"\\ud800x\", \"\\u0000\", \"\"]");
  const body_node *one = b.root->child;
  assert_int_equal(one->len, 12);
  assert_memory_equal(one->text, "a\n\xC3\xA4\xF0\x9F\x98\x80\\/\"z", 12);
  one = one->next;
  assert_int_equal(one->len, 4);
  assert_memory_equal(one->text, "\xEF\xBF\xBDx", 4);
  one = one->next;
  assert_int_equal(one->len, 1);
  assert_int_equal(one->text[0], '\0');
  assert_int_equal(one->next->len, 0);
  body_free(&b);
}

/* What ends a run of plain characters is found wherever it stands in the eight that are looked at together, and nothing else is. */
static void test_body_parse__every_byte_at_every_place_of_a_text(void **state) {
  char text[64];
  (void)state;
  for (size_t len = 1; len <= 24; len++) {
    for (size_t at = 0; at < len; at++) {
      for (int c = 1; c < 128; c++) {
        memset(text, 'x', len + 2);
        text[0] = text[len + 1] = '"';
        text[at + 1] = (char)c;
        if (c == '"') {
          refuse(text, len + 2, at + 2, "something behind its end");
        } else if (c == '\\') {
          refuse(text, len + 2, at + 1 == len ? len + 2 : at + 3, at + 1 == len ? "a text without its end" : "an escape that is none");
        } else if (c < 0x20) {
          refuse(text, len + 2, at + 1, "a control character");
        } else {
          body_json b;
          assert_true(body_parse(&b, text, len + 2));
          assert_ptr_equal(b.root->text, text + 1);
          assert_int_equal(b.root->len, len);
          body_free(&b);
        }
      }
      memset(text, 'x', len + 3);
      memcpy(text + at + 1, "\xC3\xA9", 2);
      text[0] = text[len + 2] = '"';
      body_json b;
      assert_true(body_parse(&b, text, len + 3));
      assert_int_equal(b.root->len, len + 1);
      body_free(&b);
      text[at + 2] = 'x';
      refuse(text, len + 3, at + 1, "not UTF-8");
    }
  }
}

static void test_body_parse__names_with_escapes_are_names(void **state) {
  (void)state;
  body_json b = read_text("{\"mod\\u0065l\": 1, \"model\": 2}");
  int64_t value = 0;
  assert_true(body_i64(body_get(b.root, "model"), &value)); /* of two the last */
  assert_int_equal(value, 2);
  assert_true(body_named(b.root->child, "model"));
  body_free(&b);
}

static void test_body_parse__refuses_and_says_where(void **state) {
  (void)state;
  refuse_z("", 0, "too early");
  refuse_z("{", 1, "begins with a quote");
  refuse_z("{\"a\"}", 4, "colon");
  refuse_z("{\"a\":1,}", 7, "begins with a quote");
  refuse_z("[1,]", 3, "no value begins so");
  refuse_z("'a'", 0, "no value begins so");
  refuse_z("\xEF\xBB\xBF{}", 0, "byte order mark");
  refuse_z("\x1F\x8B\x08", 0, "not packed");
  refuse_z("[1 2]", 3, "comma");
  refuse_z("[01]", 3, "number");
  refuse_z("[1.]", 3, "number");
  refuse_z("[-]", 2, "number");
  refuse_z("[1e]", 3, "number");
  refuse_z("[nul]", 1, "word");
  refuse_z("[\"a]", 4, "without its end");
  refuse_z("[\"\\x\"]", 4, "escape");
  refuse_z("{\"a\\u0000\":1}", 10, "NUL in the name");
  refuse_z("[\"\\u12g4\"]", 4, "escape");
  refuse_z("[\"\n\"]", 2, "control character");
  refuse_z("[\"\xC3\"]", 2, "UTF-8");
  refuse_z("[\"\xED\xA0\x80\"]", 2, "UTF-8");
  refuse_z("{} x", 3, "behind");
  refuse("[1]\0", 4, 3, "behind");
}

static void test_body_parse__depth_and_count_have_limits(void **state) {
  char deep[2 * BODY_DEPTH_MAX + 3];
  cli_bytes many = {0};
  body_json b;
  (void)state;
  memset(deep, '[', BODY_DEPTH_MAX);
  memset(deep + BODY_DEPTH_MAX, ']', BODY_DEPTH_MAX);
  assert_true(body_parse(&b, deep, 2 * BODY_DEPTH_MAX));
  body_free(&b);
  memset(deep, '[', BODY_DEPTH_MAX + 1);
  memset(deep + BODY_DEPTH_MAX + 1, ']', BODY_DEPTH_MAX + 1);
  refuse(deep, 2 * BODY_DEPTH_MAX + 2, BODY_DEPTH_MAX, "64 levels");
  cli_addc(&many, '[');
  for (int i = 0; i < BODY_NODES_MAX; i++) cli_addz(&many, i ? ",1" : "1");
  cli_addc(&many, ']');
  assert_false(body_parse(&b, cli_z(&many), many.len));
  assert_non_null(strstr(b.wrong, "200,000"));
  body_free(&b);
  cli_release(&many);
}

static void test_body_i64__whole_numbers_alone(void **state) {
  (void)state;
  body_json b = read_text("[5, -7, 5.0, 9223372036854775807, -9223372036854775808, 9223372036854775808, 5.5, 1e3, \"5\", -0]");
  static const struct {
    bool good;
    int64_t value;
  } want[] = {{true, 5}, {true, -7}, {true, 5}, {true, INT64_MAX}, {true, INT64_MIN}, {false, 0}, {false, 0}, {false, 0}, {false, 0}, {true, 0}};
  const body_node *one = b.root->child;
  for (size_t i = 0; one; one = one->next, i++) {
    int64_t value = 0;
    assert_int_equal(body_i64(one, &value), want[i].good);
    if (want[i].good) assert_true(value == want[i].value);
  }
  body_free(&b);
}

static void test_body_f64__as_written(void **state) {
  (void)state;
  body_json b = read_text("[0.25, -1.5e-3, 12345678, 1E+2, 1e999]");
  static const double want[] = {0.25, -0.0015, 12345678, 100};
  const body_node *one = b.root->child;
  double value;
  for (size_t i = 0; i < 4; i++, one = one->next) {
    assert_true(body_f64(one, &value));
    assert_true(fabs(value - want[i]) <= 1e-15 * fabs(want[i]));
  }
  assert_false(body_f64(one, &value));
  body_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_body_parse__every_byte_at_every_place_of_a_text),
      cmocka_unit_test(test_body_parse__lends_what_has_no_escape), cmocka_unit_test(test_body_parse__decodes_escapes),
      cmocka_unit_test(test_body_parse__names_with_escapes_are_names), cmocka_unit_test(test_body_parse__refuses_and_says_where),
      cmocka_unit_test(test_body_parse__depth_and_count_have_limits), cmocka_unit_test(test_body_i64__whole_numbers_alone),
      cmocka_unit_test(test_body_f64__as_written),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
