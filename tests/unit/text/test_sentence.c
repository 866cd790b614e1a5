/* lib/text/sentence.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text/sentence.h"

static void check(const char *text, const char *first) {
  size_t end = aio__sentence_end(aio__str_z(text), 0);
  if (end != aio__str_z(first).n) print_message("\"%s\": ends at %zu\n", text, end);
  assert_int_equal(end, aio__str_z(first).n);
}

static void test_sentence_end__stops(void **state) {
  (void)state;
  check("One. Two.", "One. ");
  check("Really? Yes!", "Really? ");
  check("He said \"go.\" Then he went.", "He said \"go.\" ");
  check("No stop at all", "No stop at all");
  check("Last.", "Last.");
  check("", "");
  check("One.\n\nTwo", "One.\n\n");
}

static void test_sentence_end__what_is_no_end(void **state) {
  (void)state;
  check("Use e.g. this one. Then", "Use e.g. this one. ");
  check("Version 1.2 is out. Then", "Version 1.2 is out. ");
  check("J. Smith came. Then", "J. Smith came. ");
  check("See pg_hba.conf for it. Then", "See pg_hba.conf for it. ");
}

static void test_sentence_end__empty_line_and_wide_stops(void **state) {
  (void)state;
  check("A heading\n\nText", "A heading\n\n");
  check("A heading\n  \nText", "A heading\n  \n");
  check("a line\nthat goes on. End", "a line\nthat goes on. ");
  check("\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82\xe4\xb8\x96", "\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82");
}

static void test_sentence_end__walks_to_the_end(void **state) {
  (void)state;
  aio__str text = AIO__LIT("A. B? c! D.\n\n\nE \xff. F...   g. ");
  size_t pos = 0;
  while (pos < text.n) {
    size_t next = aio__sentence_end(text, pos);
    assert_true(next > pos && next <= text.n);
    pos = next;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sentence_end__stops),
    cmocka_unit_test(test_sentence_end__what_is_no_end),
    cmocka_unit_test(test_sentence_end__empty_line_and_wide_stops),
    cmocka_unit_test(test_sentence_end__walks_to_the_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
