/* lib/guard/rule_set.c: literals to windows to matches */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "guard/rule_set.h"
#include "support/test_alloc.h"

#define RULES(pattern, needs, more) \
  "{\"rules\": [{\"id\": \"r\", \"category\": \"c\", \"language\": \"en\", \"why\": \"w\", \"severity\": \"block\", " \
  "\"pattern\": \"" pattern "\", \"needs\": " needs more "}]}"

static aio__rule_set *make(const char *text) {
  aio__rule_set *set = NULL;
  aiorch_error error;
  aio__rule_file file = {"test.json", aio__str_z(text)};
  aio__error_init(&error);
  if (aio__rule_set_new(aio__alloc_default(), &file, 1, true, &set, &error) != AIORCH_OK) fail_msg("%s", error.message);
  return set;
}

static aio__match match_in(const aio__rule_set *set, aio__str text, size_t after, size_t *start, size_t *end) {
  aio__rule_scan *scan = aio__rule_scan_get(set);
  assert_non_null(scan);
  aio__rule_scan_text(scan, text);
  aio__match match = aio__rule_scan_match(scan, 0, 0, after, start, end);
  aio__rule_scan_put(set, scan);
  return match;
}

static void test_match__needs_every_group_nearby(void **state) {
  (void)state;
  size_t a = 0, b = 0;
  aio__rule_set *set = make(RULES("forget.{0,40}rules", "[[\"forget\"], [\"rules\"]]", ", \"reach\": 64"));
  assert_int_equal(match_in(set, AIO__LIT("now forget the rules"), 0, &a, &b), AIO__MATCH_FOUND);
  assert_int_equal(a, 4);
  assert_int_equal(b, 20);
  assert_int_equal(match_in(set, AIO__LIT("forget it"), 0, &a, &b), AIO__MATCH_NONE);
  assert_int_equal(match_in(set, AIO__LIT("rules, forget"), 0, &a, &b), AIO__MATCH_NONE);
  assert_int_equal(match_in(set, AIO__LIT(""), 0, &a, &b), AIO__MATCH_NONE);
  char text[400];
  memset(text, 'x', sizeof text);
  memset(text + 10, ' ', 1);
  memcpy(text + 11, "forget ", 7);
  memcpy(text + 300, " rules ", 7);
  assert_int_equal(match_in(set, aio__str_n(text, sizeof text), 0, &a, &b), AIO__MATCH_NONE);
  memcpy(text + 290, " forget ", 8);
  assert_int_equal(match_in(set, aio__str_n(text, sizeof text), 0, &a, &b), AIO__MATCH_FOUND);
  assert_int_equal(a, 291);
  aio__rule_set_free(set);
}

static void test_match__window_ends_are_no_word_ends(void **state) {
  (void)state;
  size_t a = 0, b = 0;
  aio__rule_set *set = make(RULES("go.{0,20}stop\\\\b", "[[\"goo\"]]", ", \"reach\": 10"));
  assert_int_equal(match_in(set, AIO__LIT("goo 34stopping"), 0, &a, &b), AIO__MATCH_NONE);
  assert_int_equal(match_in(set, AIO__LIT("goo 34stop."), 0, &a, &b), AIO__MATCH_FOUND);
  aio__rule_set_free(set);
}

static void test_match__windows_end_between_characters(void **state) {
  (void)state;
  size_t a = 0, b = 0;
  aio__rule_set *set = make(RULES("key.*end", "[[\"key\"]]", ", \"reach\": 5"));
  for (size_t shift = 0; shift < 6; shift++) {
    char text[64] = "";
    memset(text, 'x', shift);
    strcat(text, " \xE4\xB8\xAD\xE4\xB8\xAD key \xF0\x9F\x98\x80\xF0\x9F\x98\x80 end");
    assert_int_equal(match_in(set, aio__str_z(text), 0, &a, &b), AIO__MATCH_NONE);
  }
  aio__rule_set_free(set);
}

static void test_match__without_needs_the_whole_text(void **state) {
  (void)state;
  size_t a = 0, b = 0;
  aio__rule_set *set = make(RULES("x{3}", "[]", ""));
  assert_int_equal(match_in(set, AIO__LIT("aaaa xxx"), 0, &a, &b), AIO__MATCH_FOUND);
  assert_int_equal(a, 5);
  aio__rule_set_free(set);
}

static void test_match__after_passes_over_what_ended_before(void **state) {
  (void)state;
  size_t a = 0, b = 0;
  aio__rule_set *set = make(RULES("key[0-9]", "[[\"key\"]]", ""));
  aio__str text = AIO__LIT("key1 key2");
  assert_int_equal(match_in(set, text, 3, &a, &b), AIO__MATCH_FOUND);
  assert_int_equal(a, 0);
  assert_int_equal(match_in(set, text, 4, &a, &b), AIO__MATCH_FOUND);
  assert_int_equal(a, 5);
  assert_int_equal(match_in(set, text, 9, &a, &b), AIO__MATCH_NONE);
  aio__rule_set_free(set);
}

static void test_match__entropy(void **state) {
  (void)state;
  size_t a = 0, b = 0;
  aio__rule_set *set = make(RULES("key[a-z0-9]{16}", "[[\"key\"]]", ", \"min_entropy\": 350"));
  assert_int_equal(match_in(set, AIO__LIT("keyaaaaaaaaaaaaaaaa"), 0, &a, &b), AIO__MATCH_NONE);
  assert_int_equal(match_in(set, AIO__LIT("keyaaaaaaaaaaaaaaaa keya8f3k2q9z7x1m5w4"), 0, &a, &b), AIO__MATCH_FOUND);
  assert_int_equal(a, 20);
  aio__rule_set_free(set);
}

/* 16 different bytes have four bits each: the threshold is exact. */
static void test_match__entropy_is_exact_for_powers_of_two(void **state) {
  (void)state;
  size_t a = 0, b = 0;
  aio__rule_set *set = make(RULES("[a-z]{16}", "[[\"abc\"]]", ", \"min_entropy\": 400"));
  assert_int_equal(match_in(set, AIO__LIT("abcdefghijklmnop"), 0, &a, &b), AIO__MATCH_FOUND);
  aio__rule_set_free(set);
  set = make(RULES("[a-z]{16}", "[[\"abc\"]]", ", \"min_entropy\": 401"));
  assert_int_equal(match_in(set, AIO__LIT("abcdefghijklmnop"), 0, &a, &b), AIO__MATCH_NONE);
  aio__rule_set_free(set);
}

static void test_match__more_places_than_windows(void **state) {
  (void)state;
  enum { N = 2000, STEP = 64 };
  size_t a = 0, b = 0;
  aio__rule_set *set = make(RULES("key!", "[[\"key\"]]", ", \"reach\": 8"));
  char *text = malloc(N * STEP);
  assert_non_null(text);
  memset(text, '.', N * STEP);
  for (size_t i = 0; i < N; i++) memcpy(text + i * STEP, "key.", 4);
  assert_int_equal(match_in(set, aio__str_n(text, N * STEP), 0, &a, &b), AIO__MATCH_NONE);
  memcpy(text + (N - 1) * STEP, "key!", 4);
  assert_int_equal(match_in(set, aio__str_n(text, N * STEP), 0, &a, &b), AIO__MATCH_FOUND);
  assert_int_equal(a, (N - 1) * STEP);
  free(text);
  aio__rule_set_free(set);
}

static void test_scan_get__pool_holds_and_overflows(void **state) {
  (void)state;
  aio__rule_set *set = make(RULES("x", "[[\"xxx\"]]", ""));
  aio__rule_scan *scans[12];
  for (size_t i = 0; i < 12; i++) {
    scans[i] = aio__rule_scan_get(set);
    assert_non_null(scans[i]);
    for (size_t k = 0; k < i; k++) assert_ptr_not_equal(scans[i], scans[k]);
  }
  for (size_t i = 0; i < 12; i++) aio__rule_scan_put(set, scans[i]);
  aio__rule_scan_put(set, NULL);
  aio__rule_scan *again = aio__rule_scan_get(set);
  assert_ptr_equal(again, scans[0]);
  aio__rule_scan_put(set, again);
  aio__rule_set_free(set);
}

static void test_version__is_of_the_rules(void **state) {
  (void)state;
  aio__rule_set *one = make(RULES("x", "[]", "")), *two = make(RULES("x", "[]", ""));
  aio__rule_set *other = make(RULES("y", "[]", ""));
  assert_int_equal(strlen(aio__rule_set_version(one)), 64);
  assert_string_equal(aio__rule_set_version(one), aio__rule_set_version(two));
  assert_string_not_equal(aio__rule_set_version(one), aio__rule_set_version(other));
  aio__rule_set_free(one);
  aio__rule_set_free(two);
  aio__rule_set_free(other);
  aio__rule_set_free(NULL);
}

static void test_new__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__rule_file file = {"test.json", aio__str_z(RULES("x", "[[\"xxx\"], [\"yyy\", \"xxx\"]]", ""))};
  do {
    aio__test_alloc_next(&t);
    aio__rule_set *set = NULL;
    aiorch_status status = aio__rule_set_new(&t.al, &file, 1, true, &set, NULL);
    aio__rule_scan *scan = status == AIORCH_OK ? aio__rule_scan_get(set) : NULL;
    assert_true((scan != NULL) == (t.failed == 0));
    assert_true(status == AIORCH_OK || status == AIORCH_E_NOMEM);
    if (scan != NULL) aio__rule_scan_put(set, scan);
    aio__rule_set_free(set);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_match__needs_every_group_nearby),
    cmocka_unit_test(test_match__window_ends_are_no_word_ends),
    cmocka_unit_test(test_match__windows_end_between_characters),
    cmocka_unit_test(test_match__without_needs_the_whole_text),
    cmocka_unit_test(test_match__after_passes_over_what_ended_before),
    cmocka_unit_test(test_match__entropy),
    cmocka_unit_test(test_match__entropy_is_exact_for_powers_of_two),
    cmocka_unit_test(test_match__more_places_than_windows),
    cmocka_unit_test(test_scan_get__pool_holds_and_overflows),
    cmocka_unit_test(test_version__is_of_the_rules),
    cmocka_unit_test(test_new__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
