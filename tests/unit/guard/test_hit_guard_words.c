/* lib/guard/hit_guard_words.c, hit_guard_shapes.c and hit_guard_text.c: how a text is cut into tokens */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/hit_lexicon.h"

/* "w:how n:5 c:foo_bar": kind and text of each token. */
static const char *tokens(const char *text) {
  static char line[512];
  static const char kinds[] = "wncdtr";
  aio__hit_text read_text = hit_lexicon_read(text);
  size_t n = 0;
  line[0] = '\0';
  for (uint32_t i = 0; i < read_text.n; i++) {
    const aio__hit_token *t = &read_text.tokens[i];
    n += (size_t)snprintf(line + n, sizeof line - n, "%s%c:%.*s", i > 0 ? " " : "", kinds[t->kind], (int)t->text.n, t->text.p);
  }
  return line;
}

static void test_read__kinds_of_token(void **state) {
  (void)state;
  static const char *const cases[][2] = {
    {"", ""},
    {"How do I?", "w:how w:do w:i"},
    {"Bob's dogs' don't", "w:bob w:dogs w:don't"},
    {"5km 5 km 5%", "n:5 w:km n:5 w:km n:5 w:%"},
    {"1,000.50 1,00", "n:1000.50 n:1 n:00"},
    {"$5 US$5 5$", "w:$ n:5 w:us w:$ n:5 n:5 w:$"},
    {"v2 v1.2.3 2.10.0-rc1", "n:2 c:1.2.3 c:2.10.0-rc1"},
    {"Python3.10 sha256 RTX3080", "w:python n:3.10 w:sha n:256 w:rtx n:3080"},
    {"A1 H2O 4x4 0xFF", "c:a1 c:h2o c:4x4 c:0xff"},
    {"foo_bar fooBar foo() a::b", "c:foo_bar c:foobar c:foo c:a::b"},
    {"--force -x -rf - x", "c:--force c:-x c:-rf w:x"},
    {"/etc/hosts ./a ~/b C:\\x", "c:/etc/hosts c:./a c:~/b c:c:\\x"},
    {"a@b.org www.a.org/x a.txt", "c:a@b.org c:www.a.org/x c:a.txt"},
    {"e.g. A.B.C p.m.", "w:eg w:abc w:p.m"},
    {"end.Next one", "w:end w:next w:one"},
    {"2024-05-03 3/25/2024 12:30 1/2 24/7", "d:2024-05-03 d:3/25/2024 t:12:30 r:1/2 r:24/7"},
    {"2024-05-03T10:00 99/99/2024", "d:2024-05-03 r:99/99 n:2024"},
    {"10-20 twenty-three", "n:10 n:20 w:twenty w:three"},
    {"1st 1990s 5pm", "n:1 n:1990 n:5 w:pm"},
    {"INV-2023-001 i7-9700K COVID-19", "c:inv-2023-001 c:i7-9700k w:covid n:19"},
    {"and/or TCP/IP HTTP/1.1", "w:and w:or w:tcp w:ip w:http n:1.1"},
    {"2+2 2 + 2 -5", "n:2 c:+ n:2 n:2 c:+ n:2 n:-5"},
    {"c++ C# km/h w/o", "w:c++ w:c# w:km/h w:w/o"},
    {"instead of new york", "w:instead of w:new york"},
    {"new. york", "w:new w:york"},
    {"1234567890123456789", "c:1234567890123456789"},
    {"#42 #ff0000", "n:42 c:#ff0000"},
    {"... !? ()", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (strcmp(tokens(cases[i][0]), cases[i][1]) != 0) fail_msg("\"%s\": %s", cases[i][0], tokens(cases[i][0]));
  }
}

static void test_read__sentences_and_case(void **state) {
  (void)state;
  aio__hit_text text = hit_lexicon_read("Dr. Who is here. USA, too: Yes");
  static const uint16_t starts[] = {1, 0, 0, 0, 1, 0, 1};
  assert_int_equal(text.n, 7);
  for (uint32_t i = 0; i < text.n; i++) assert_int_equal(text.tokens[i].flags & AIO__HIT_STARTS, starts[i] ? AIO__HIT_STARTS : 0);
  assert_true((text.tokens[3].flags & AIO__HIT_ENDS) != 0);
  assert_true((text.tokens[4].flags & AIO__HIT_CAPS) != 0);
  assert_true((text.tokens[4].flags & AIO__HIT_COMMA) != 0);
  assert_false(text.flat);
  assert_true(hit_lexicon_read("WHERE IS IT").flat);
  assert_true(hit_lexicon_read("How Do I Reset My Password").flat);
  assert_false(hit_lexicon_read("Is Alice Johnson here").flat);
}

static void test_read__quotes(void **state) {
  (void)state;
  aio__hit_text text = hit_lexicon_read("say \"no\" and `x y` or 'z' but don't \"");
  assert_int_equal(text.quotes_n, 3);
  assert_int_equal(text.quotes[1].end - text.quotes[1].first, 2);
  assert_true(text.quotes[1].code);
  assert_false(text.quotes[2].code);
  assert_int_equal(hit_lexicon_read("\"\" ``").quotes_n, 0);
  char many[4 * AIO__HIT_QUOTES_MAX + 8];
  size_t n = 0;
  for (size_t i = 0; i <= AIO__HIT_QUOTES_MAX; i++) memcpy(many + n, "`x` ", 5), n += 4;
  text = hit_lexicon_read(many);
  assert_int_equal(text.quotes_n, AIO__HIT_QUOTES_MAX);
  assert_true(text.quotes_full);
  /* A phrase that became one token is one in its quote too. */
  text = hit_lexicon_read("the \"new york\" one");
  assert_int_equal(text.quotes[0].end - text.quotes[0].first, 1);
  assert_string_equal(text.tokens[text.quotes[0].first].text.p, "new york");
}

static void test_find__first_of_equals_and_the_next(void **state) {
  (void)state;
  aio__hit_text text = hit_lexicon_read("one two one three one");
  const aio__hit_token *t = aio__hit_text_find(&text, AIO__LIT("one"), aio__hit_hash("one", 3));
  assert_ptr_equal(t, &text.tokens[0]);
  assert_int_equal(t->next, 3);
  assert_int_equal(text.tokens[2].next, 5);
  assert_int_equal(text.tokens[4].next, 0);
  assert_null(aio__hit_text_find(&text, AIO__LIT("four"), aio__hit_hash("four", 4)));
}

static void test_read__split_verbs(void **state) {
  (void)state;
  aio__hit_text text = hit_lexicon_read("turn the alerts off, not on");
  assert_string_equal(text.tokens[0].entry->text.p, "turn off");
  text = hit_lexicon_read("turn left. off we go");
  assert_string_equal(text.tokens[0].entry->text.p, "turn");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_read__kinds_of_token), cmocka_unit_test(test_read__sentences_and_case),
    cmocka_unit_test(test_read__quotes),         cmocka_unit_test(test_find__first_of_equals_and_the_next),
    cmocka_unit_test(test_read__split_verbs),
  };
  return cmocka_run_group_tests(tests, hit_lexicon_load, hit_lexicon_unload);
}
