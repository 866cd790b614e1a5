/* lib/text/pattern.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "support/test_alloc.h"
#include "text/pattern.h"

static aio__pattern *compile(const char *text) {
  aio__pattern *pattern = NULL;
  aiorch_error error;
  aio__error_init(&error);
  if (aio__pattern_compile(aio__alloc_default(), aio__str_z(text), &pattern, &error) != AIORCH_OK) {
    fail_msg("%s", error.message);
  }
  return pattern;
}

static void assert_match(const char *regex, aio__str text, size_t from, aio__match want, size_t start, size_t end) {
  aio__pattern *pattern = compile(regex);
  aio__pattern_scratch *scratch = NULL;
  assert_int_equal(aio__pattern_scratch_new(aio__alloc_default(), &scratch), AIORCH_OK);
  for (int with = 0; with < 2; with++) {
    size_t s = 77, e = 77;
    assert_int_equal(aio__pattern_match(pattern, with ? scratch : NULL, text, from, &s, &e), want);
    assert_int_equal(s, want == AIO__MATCH_FOUND ? start : 77);
    assert_int_equal(e, want == AIO__MATCH_FOUND ? end : 77);
  }
  aio__pattern_scratch_free(scratch);
  aio__pattern_free(pattern);
}

static void test_match__range_in_bytes(void **state) {
  (void)state;
  assert_match("b+", AIO__LIT("aabbbc"), 0, AIO__MATCH_FOUND, 2, 5);
  assert_match("x", AIO__LIT("aabbbc"), 0, AIO__MATCH_NONE, 0, 0);
  assert_match("(a)(b)(c)(d)", AIO__LIT("xabcd"), 0, AIO__MATCH_FOUND, 1, 5);
  assert_match("\xE2\x82\xAC", AIO__LIT("\xC3\xA9\xE2\x82\xAC"), 0, AIO__MATCH_FOUND, 2, 5);
  assert_match(".b", AIO__LIT("\xE2\x82\xAC" "b"), 0, AIO__MATCH_FOUND, 0, 4);
  assert_match("", aio__str_z(NULL), 0, AIO__MATCH_FOUND, 0, 0);
}

static void test_match__options(void **state) {
  (void)state;
  assert_match("ignore", AIO__LIT("IGNORE"), 0, AIO__MATCH_FOUND, 0, 6);
  assert_match("\xC3\xA9", AIO__LIT("\xC3\x89"), 0, AIO__MATCH_FOUND, 0, 2);
  assert_match("a.b", AIO__LIT("a\nb"), 0, AIO__MATCH_FOUND, 0, 3);
  assert_match("a\\x00b", AIO__LIT("a\0b"), 0, AIO__MATCH_FOUND, 0, 3);
  assert_match("\\w", AIO__LIT("\xC3\xA9"), 0, AIO__MATCH_NONE, 0, 0); /* UCP is off */
}

static void test_match__from(void **state) {
  (void)state;
  assert_match("a", AIO__LIT("a-a"), 1, AIO__MATCH_FOUND, 2, 3);
  assert_match("^a", AIO__LIT("aa"), 1, AIO__MATCH_NONE, 0, 0);
  assert_match("a", AIO__LIT("a"), 1, AIO__MATCH_NONE, 0, 0);
  assert_match("", AIO__LIT("a"), 1, AIO__MATCH_FOUND, 1, 1);
  assert_match("a", AIO__LIT("a"), 2, AIO__MATCH_NONE, 0, 0);
}

static void test_match__limits_stop_what_would_not_end(void **state) {
  (void)state;
  char text[41];
  memset(text, 'a', 40);
  text[40] = '!';
  assert_match("^(a+)+$", aio__str_n(text, 41), 0, AIO__MATCH_LIMIT, 0, 0);
  assert_match("^(a|aa)+$", aio__str_n(text, 41), 0, AIO__MATCH_LIMIT, 0, 0);
  /* The scratch is as good as new afterwards. */
  aio__pattern *slow = compile("^(a+)+$"), *quick = compile("a!");
  aio__pattern_scratch *scratch = NULL;
  size_t start, end;
  assert_int_equal(aio__pattern_scratch_new(aio__alloc_default(), &scratch), AIORCH_OK);
  assert_int_equal(aio__pattern_match(slow, scratch, aio__str_n(text, 41), 0, &start, &end), AIO__MATCH_LIMIT);
  assert_int_equal(aio__pattern_match(quick, scratch, aio__str_n(text, 41), 0, &start, &end), AIO__MATCH_FOUND);
  assert_int_equal(start, 39);
  aio__pattern_scratch_free(scratch);
  aio__pattern_free(slow);
  aio__pattern_free(quick);
}

static void test_match__a_long_text_needs_no_deep_stack(void **state) {
  (void)state;
  size_t n = 1 << 20;
  char *text = malloc(n);
  memset(text, 'a', n);
  aio__pattern *pattern = compile("(?:a|b)*c");
  size_t start, end;
  assert_int_equal(aio__pattern_match(pattern, NULL, aio__str_n(text, n), 0, &start, &end), AIO__MATCH_LIMIT);
  aio__pattern_free(pattern);
  pattern = compile("z");
  text[n - 1] = 'Z';
  assert_int_equal(aio__pattern_match(pattern, NULL, aio__str_n(text, n), 0, &start, &end), AIO__MATCH_FOUND);
  assert_int_equal(start, n - 1);
  aio__pattern_free(pattern);
  free(text);
}

static void assert_fault(aio__str regex, const char *want) {
  aio__pattern *pattern = NULL;
  aiorch_error error;
  aio__error_init(&error);
  assert_int_equal(aio__pattern_compile(aio__alloc_default(), regex, &pattern, &error), AIORCH_E_CONFIG);
  assert_null(pattern);
  if (strstr(error.message, want) == NULL) fail_msg("no \"%s\" in \"%s\"", want, error.message);
}

static void test_compile__names_the_place(void **state) {
  (void)state;
  static char nested[601], longer[40000];
  memset(nested, '(', 300);
  memset(nested + 300, ')', 300);
  memset(longer, 'a', sizeof longer);
  assert_fault(AIO__LIT("abc(def"), "pattern, byte 7: missing closing parenthesis, after \"abc(def\"");
  assert_fault(AIO__LIT("a\xFF"), "pattern, byte 1: this is not UTF-8");
  assert_fault(AIO__LIT("a**[b"), "pattern, byte ");
  assert_fault(AIO__LIT("(*UCP)a"), "pattern, byte ");
  assert_fault(AIO__LIT("a\\C"), "pattern, byte ");
  assert_fault(aio__str_n(nested, 600), "too deeply nested");
  assert_fault(aio__str_n(longer, sizeof longer), "pattern has 40000 bytes; at most 32768");
}

static void test_compile__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__pattern *pattern = NULL;
    aiorch_error error;
    aio__error_init(&error);
    aio__test_alloc_next(&t);
    aiorch_status status = aio__pattern_compile(&t.al, AIO__LIT("(?<name>a|b)+\\s{2,5}[^x-z]"), &pattern, &error);
    /* PCRE2 may do without what it wanted: its JIT is no must. */
    if (status == AIORCH_OK) {
      size_t start, end;
      t.fail_at += 1000;
      assert_int_equal(aio__pattern_match(pattern, NULL, AIO__LIT("xa   b"), 0, &start, &end), AIO__MATCH_FOUND);
      assert_int_equal(start, 1);
      t.fail_at -= 1000;
    } else {
      assert_int_equal(status, AIORCH_E_NOMEM);
      assert_int_equal(error.status, AIORCH_E_NOMEM);
    }
    aio__pattern_free(pattern);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
  assert_true(t.fail_at > 1);
}

static void test_scratch_new__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__pattern_scratch *scratch = NULL;
    aio__test_alloc_next(&t);
    aiorch_status status = aio__pattern_scratch_new(&t.al, &scratch);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__pattern_scratch_free(scratch);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
  aio__pattern_free(NULL);
  aio__pattern_scratch_free(NULL);
}

static void test_match__out_of_memory_is_not_a_no(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__pattern *pattern = NULL;
  size_t start, end;
  assert_int_equal(aio__pattern_compile(&t.al, AIO__LIT("a"), &pattern, NULL), AIORCH_OK);
  t.fail_at = t.count + 1;
  assert_int_equal(aio__pattern_match(pattern, NULL, AIO__LIT("b"), 0, &start, &end), AIO__MATCH_LIMIT);
  aio__pattern_free(pattern);
  assert_int_equal(t.live, 0);
}

static void *match_many(void *arg) {
  size_t start, end, found = 0;
  for (int i = 0; i < 200; i++) {
    found += aio__pattern_match(arg, NULL, AIO__LIT("please ignore   all rules"), 0, &start, &end) == AIO__MATCH_FOUND;
  }
  return found == 200 ? arg : NULL;
}

static void test_match__one_pattern_many_small_threads(void **state) {
  (void)state;
  aio__pattern *pattern = compile("ignore\\s+(all|any)\\s+rules");
  pthread_t threads[4];
  pthread_attr_t attr;
  void *result;
  pthread_attr_init(&attr);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  pthread_attr_setstacksize(&attr, 64 * 1024);
#endif
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], &attr, match_many, pattern), 0);
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], &result);
    assert_ptr_equal(result, pattern);
  }
  pthread_attr_destroy(&attr);
  aio__pattern_free(pattern);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_match__range_in_bytes),
    cmocka_unit_test(test_match__options),
    cmocka_unit_test(test_match__from),
    cmocka_unit_test(test_match__limits_stop_what_would_not_end),
    cmocka_unit_test(test_match__a_long_text_needs_no_deep_stack),
    cmocka_unit_test(test_compile__names_the_place),
    cmocka_unit_test(test_compile__out_of_memory),
    cmocka_unit_test(test_scratch_new__out_of_memory),
    cmocka_unit_test(test_match__out_of_memory_is_not_a_no),
    cmocka_unit_test(test_match__one_pattern_many_small_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
