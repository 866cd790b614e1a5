/* How a text is cut into units: sentences, items, rows, code, headings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "providers/extractive_private.h"

/* Checks that `text` has exactly these units, each as "K:words" with K of S I R C H. */
static void check_units(const char *text, const char *const *expected) {
  static const char kinds[] = "SIRCH";
  aio__unit_reader reader;
  aio__unit unit;
  aio__units_begin(&reader, aio__str_z(text));
  for (; *expected; expected++) {
    assert_true(aio__units_next(&reader, &unit));
    aio__str words = aio__unit_text(&reader, &unit);
    char got[600];
    assert_true(words.n < sizeof got - 3);
    got[0] = kinds[unit.kind];
    got[1] = ':';
    memcpy(got + 2, words.p, words.n);
    got[words.n + 2] = '\0';
    assert_string_equal(got, *expected);
  }
  assert_false(aio__units_next(&reader, &unit));
}

#define CHECK(text, ...) check_units((text), (const char *const[]){__VA_ARGS__, NULL})

static void test_units_next__sentences(void **state) {
  (void)state;
  CHECK("One is here. Two is there! Is three? Four", "S:One is here.", "S:Two is there!", "S:Is three?", "S:Four");
  CHECK("A line\nthat goes on. And ends.\n\nNext paragraph.", "S:A line\nthat goes on.", "S:And ends.",
        "S:Next paragraph.");
  CHECK("He said \"stop.\" Then (it ended.) Here.", "S:He said \"stop.\"", "S:Then (it ended.)", "S:Here.");
}

static void test_units_next__abbreviations_and_names_do_not_end_a_sentence(void **state) {
  (void)state;
  CHECK("Use a view, e.g. Sales or so. Done.", "S:Use a view, e.g. Sales or so.", "S:Done.");
  CHECK("Dr. Smith wrote postgresql.conf and 3.14 in vol. 2 of it. Fine.",
        "S:Dr. Smith wrote postgresql.conf and 3.14 in vol. 2 of it.", "S:Fine.");
  CHECK("By J. R. Doe for it. Yes.", "S:By J. R. Doe for it.", "S:Yes.");
  CHECK("Apples, pears, etc. Then more.", "S:Apples, pears, etc.", "S:Then more.");
  CHECK("Run `a. B. C` now. Next.", "S:Run `a. B. C` now.", "S:Next.");
}

static void test_units_next__a_lower_case_name_may_begin_a_sentence(void **state) {
  (void)state;
  CHECK("It stops the server. psql is a client.", "S:It stops the server.", "S:psql is a client.");
  CHECK("About incr. values of it.", "S:About incr.", "S:values of it.");
  CHECK("The no. of rows.", "S:The no. of rows.");
}

static void test_units_next__ideographic_stops(void **state) {
  (void)state;
  CHECK("\xE6\x97\xA5\xE6\x9C\xAC\xE3\x80\x82\xE8\xAA\x9E\xEF\xBC\x9F", "S:\xE6\x97\xA5\xE6\x9C\xAC\xE3\x80\x82",
        "S:\xE8\xAA\x9E\xEF\xBC\x9F");
}

static void test_units_next__headings(void **state) {
  (void)state;
  CHECK("# First\n\nText.\n### Deep one\nMore.", "H:First", "S:Text.", "H:Deep one", "S:More.");
  CHECK("Title\n=====\n\nText.", "H:Title", "S:Text.");
  CHECK("#include is no heading.", "S:#include is no heading.");
}

static void test_units_next__lists(void **state) {
  (void)state;
  CHECK("There are two:\n- One. It counts.\n- Two\n  goes on.\n\nEnd.", "S:There are two:", "I:One.", "I:It counts.",
        "I:Two\n  goes on.", "S:End.");
  CHECK("1. First step.\n2) Second step.", "I:First step.", "I:Second step.");
  CHECK("- 5 - 3 is 2.", "I:5 - 3 is 2.");
}

static void test_units_next__tables(void **state) {
  (void)state;
  CHECK("| a | b |\n|---|---|\n| 1 | 2. |\nText.", "R:| a | b |", "R:| 1 | 2. |", "S:Text.");
}

static void test_units_next__code(void **state) {
  (void)state;
  CHECK("So:\n```sql\nSELECT 1. AS x;\n\nSELECT 2;\n```\nDone.", "S:So:", "C:```sql\nSELECT 1. AS x;\n\nSELECT 2;\n```",
        "S:Done.");
  CHECK("So:\n\n    a = 1\n\n    b = 2\n\nDone.", "S:So:", "C:    a = 1\n\n    b = 2", "S:Done.");
  CHECK("~~~\nx\n~~~", "C:~~~\nx\n~~~");
}

static void test_units_next__the_end_of_code_that_began_before(void **state) {
  (void)state;
  CHECK("x = 1;\n```\nThis is prose. More.", "S:x = 1;", "C:```", "S:This is prose.", "S:More.");
  CHECK("See:\n```sql\nSELECT 1;", "S:See:", "C:```sql\nSELECT 1;");
}

static void test_units_next__empty_texts(void **state) {
  (void)state;
  aio__unit_reader reader;
  aio__unit unit;
  static const char *const empty[] = {"", "\n", "   \n\t\n", "-----\n=====\n"};
  for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
    aio__units_begin(&reader, aio__str_z(empty[i]));
    assert_false(aio__units_next(&reader, &unit));
  }
}

static void test_units_next__first_and_last_of_a_paragraph(void **state) {
  (void)state;
  aio__unit_reader reader;
  aio__unit unit;
  aio__units_begin(&reader, AIO__LIT("One. Two. Three.\n\nFour."));
  static const bool first[] = {true, false, false, true}, last[] = {false, false, true, true};
  for (size_t i = 0; i < 4; i++) {
    assert_true(aio__units_next(&reader, &unit));
    assert_int_equal(unit.first, first[i]);
    assert_int_equal(unit.last, last[i]);
  }
}

static void test_units_next__a_sentence_without_end_is_cut_at_a_word(void **state) {
  (void)state;
  size_t n = 10000;
  char *text = malloc(n);
  assert_non_null(text);
  for (size_t i = 0; i < n; i++) text[i] = i % 7 == 6 ? ' ' : 'a';
  aio__unit_reader reader;
  aio__unit unit;
  size_t units = 0, covered = 0;
  for (aio__units_begin(&reader, aio__str_n(text, n)); aio__units_next(&reader, &unit); units++) {
    assert_true(unit.end - unit.start <= AIO__UNIT_BYTES_MAX);
    assert_true(unit.start >= covered);
    covered = unit.end;
  }
  assert_true(units >= 10);
  assert_true(covered >= n - 7);
  free(text);
}

/* Whatever the bytes: units come in order, do not overlap, lie in the text, and come to an end. */
static void test_units_next__any_bytes(void **state) {
  (void)state;
  static const char alphabet[] = "a. A\n`#-|*~1)!?\"  \t\xE3\x80\x82\xFF:[]";
  uint32_t seed = 12345;
  for (int round = 0; round < 3000; round++) {
    char text[120];
    size_t n = seed % sizeof text;
    for (size_t i = 0; i < n; i++) {
      seed = seed * 1664525u + 1013904223u;
      text[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
    }
    seed = seed * 1664525u + 1013904223u;
    char *exact = malloc(n + 1); /* so that a sanitizer sees a read behind the end */
    assert_non_null(exact);
    memcpy(exact, text, n);
    aio__unit_reader reader;
    aio__unit unit;
    size_t at = 0, units = 0;
    for (aio__units_begin(&reader, aio__str_n(exact, n)); aio__units_next(&reader, &unit); units++) {
      assert_true(unit.start >= at && unit.end >= unit.start && unit.end <= n);
      assert_true(units <= n);
      at = unit.end;
    }
    free(exact);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_units_next__sentences),
      cmocka_unit_test(test_units_next__abbreviations_and_names_do_not_end_a_sentence),
      cmocka_unit_test(test_units_next__a_lower_case_name_may_begin_a_sentence),
      cmocka_unit_test(test_units_next__ideographic_stops),
      cmocka_unit_test(test_units_next__headings),
      cmocka_unit_test(test_units_next__lists),
      cmocka_unit_test(test_units_next__tables),
      cmocka_unit_test(test_units_next__code),
      cmocka_unit_test(test_units_next__the_end_of_code_that_began_before),
      cmocka_unit_test(test_units_next__empty_texts),
      cmocka_unit_test(test_units_next__first_and_last_of_a_paragraph),
      cmocka_unit_test(test_units_next__a_sentence_without_end_is_cut_at_a_word),
      cmocka_unit_test(test_units_next__any_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
