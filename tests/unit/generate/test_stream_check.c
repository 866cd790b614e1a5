/* The hold-back: a secret that is split over any number of deltas is never released. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "generate/stream_check.h"

static aio__output_guard *guard;

static int make_guard(void **state) {
  (void)state;
  return aio__output_guard_new(aio__alloc_default(), &guard, NULL);
}

static int free_guard(void **state) {
  (void)state;
  aio__output_guard_free(guard);
  return 0;
}

static aio__stream_check fresh(const char *canary) {
  aio__stream_check check;
  memset(&check, 0, sizeof check);
  check.guard = guard;
  check.hold_back = 512;
  check.canary = aio__str_z(canary);
  return check;
}

static void test_feed__clean_text_comes_out_whole(void **state) {
  (void)state;
  char text[2000];
  memset(text, 'a', sizeof text);
  aio__stream_check check = fresh("");
  size_t release = 0;
  for (size_t n = 100; n < sizeof text; n += 100) {
    assert_int_equal(aio__stream_check_feed(&check, aio__str_n(text, n), false, &release), AIORCH_OK);
    assert_true(release + 512 <= n || release == 0);
  }
  assert_true(release >= 1200);
  assert_int_equal(aio__stream_check_feed(&check, aio__str_n(text, sizeof text), true, &release), AIORCH_OK);
  assert_int_equal(release, sizeof text);
}

static void test_feed__a_split_canary_is_never_released(void **state) {
  (void)state;
  static const char canary[] = "=====-0123456789abcdef01234567";
  char text[1600];
  memset(text, 'b', sizeof text);
  memcpy(text + 700, canary, sizeof canary - 1);
  static const size_t steps[] = {1, 2, 3, 7, 31, 64, 500};
  for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
    aio__stream_check check = fresh(canary);
    size_t release = 0, n = 0;
    aiorch_status st = AIORCH_OK;
    while (st == AIORCH_OK && n < sizeof text) {
      n = n + steps[s] < sizeof text ? n + steps[s] : sizeof text;
      st = aio__stream_check_feed(&check, aio__str_n(text, n), n == sizeof text, &release);
    }
    assert_int_equal(st, AIORCH_E_OUTPUT_BLOCKED);
    assert_true(release <= 700);
  }
}

static void test_feed__streamed_and_whole_agree(void **state) {
  (void)state;
  static const char *const texts[] = {"Nothing here.", "Key: AKIAIOSFODNN7EXAMPLE and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                      "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    size_t len = strlen(texts[i]), release = 0;
    aio__stream_check whole = fresh(""), streamed = fresh("");
    aiorch_status a = aio__stream_check_feed(&whole, aio__str_n(texts[i], len), true, &release), b = AIORCH_OK;
    release = 0;
    for (size_t n = 1; n <= len && b == AIORCH_OK; n++) {
      b = aio__stream_check_feed(&streamed, aio__str_n(texts[i], n), n == len, &release);
    }
    assert_int_equal(a, b);
  }
}

static void test_feed__flagging_releases_and_remembers(void **state) {
  (void)state;
  static const char canary[] = "=====-0123456789abcdef01234567";
  aio__stream_check check = fresh(canary);
  check.only_flag = true;
  size_t release = 0;
  assert_int_equal(aio__stream_check_feed(&check, aio__str_z(canary), true, &release), AIORCH_OK);
  assert_int_equal(release, strlen(canary));
  assert_int_equal(check.finding.verdict, AIO__VERDICT_BLOCK);
}

static void test_feed__characters_are_not_split(void **state) {
  (void)state;
  static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1, 2, 3, 4, 1 bytes */
  aio__stream_check check = fresh("");
  check.guard = NULL;
  static const size_t whole_to[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
  for (size_t n = 1; n <= 11; n++) {
    size_t release = 0;
    aio__stream_check one = check;
    assert_int_equal(aio__stream_check_feed(&one, aio__str_n(text, n), false, &release), AIORCH_OK);
    assert_int_equal(release, whole_to[n]);
  }
}

static void test_feed__what_is_not_utf8_is_refused_at_once_or_at_the_end(void **state) {
  (void)state;
  static const char *const bad[] = {"a\xff", "a\xc3(", "a\xed\xa0\x80", "a\x80", "a\xc0\xaf", "a\xf5\x80\x80\x80"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    aio__stream_check check = fresh("");
    check.guard = NULL;
    size_t release = 0;
    assert_int_equal(aio__stream_check_feed(&check, aio__str_z(bad[i]), true, &release), AIORCH_E_RESPONSE);
  }
  aio__stream_check check = fresh("");
  size_t release = 0;
  assert_int_equal(aio__stream_check_feed(&check, aio__str_z("a\xe2\x82"), false, &release), AIORCH_OK);
  assert_int_equal(aio__stream_check_feed(&check, aio__str_z("a\xe2\x82"), true, &release), AIORCH_E_RESPONSE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_feed__clean_text_comes_out_whole),
      cmocka_unit_test(test_feed__a_split_canary_is_never_released),
      cmocka_unit_test(test_feed__streamed_and_whole_agree),
      cmocka_unit_test(test_feed__flagging_releases_and_remembers),
      cmocka_unit_test(test_feed__characters_are_not_split),
      cmocka_unit_test(test_feed__what_is_not_utf8_is_refused_at_once_or_at_the_end),
  };
  return cmocka_run_group_tests(tests, make_guard, free_guard);
}
