/* lib/generate/tier.c: which tier a question belongs to, by rules that are data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "generate/tier.h"
#include "support/test_alloc.h"

static aio__tier_choice choose(const char *rules_text, const char *setting, aio__tier_signals signals) {
  aio__tier_rules *rules = NULL;
  aiorch_error error;
  aio__error_init(&error);
  if (aio__tier_rules_new(aio__alloc_default(), aio__str_z(rules_text), &rules, &error) != AIORCH_OK) fail_msg("%s", error.message);
  aio__tier_choice choice = aio__tier_choose(rules, setting, &signals);
  aio__tier_rules_free(rules);
  return choice;
}

static aio__tier_choice of(const char *question) {
  return choose("", "auto", (aio__tier_signals){.question = aio__str_z(question), .turns = 1});
}

static void test_choose__what_was_asked_for(void **state) {
  (void)state;
  aio__tier_signals any = {.question = AIO__LIT("Prove it step by step."), .turns = 20, .tools = 3};
  assert_int_equal(choose("", "default", any).tier, AIO__TIER_DEFAULT);
  assert_int_equal(choose("", "simple", any).tier, AIO__TIER_SIMPLE);
  assert_int_equal(choose("", "complex", (aio__tier_signals){.question = AIO__LIT("Hi")}).tier, AIO__TIER_COMPLEX);
  assert_false(choose("", "simple", any).by_rules);
  assert_true(choose("", "auto", any).by_rules);
  assert_true(choose("", "default", any).made);
}

static void test_choose__by_the_rules_of_ours(void **state) {
  (void)state;
  static const char *const simple[] = {"", "When does the shop open?", "What does VACUUM do?", "Translate \"good morning\" to German.",
                                       "Compare the two.", "Is this improvement approved? I disapprove; reprove me."};
  static const char *const complex[] = {
      "Prove that the square root of two is irrational.", "Walk me through it STEP BY STEP, please.",
      "Compare the two designs, then explain in detail which one scales.",
      "Why does this fail? Debug it:\n```\nint main(void) { return x; }\n```", "Beweise den Satz von Euklid."};
  for (size_t i = 0; i < sizeof simple / sizeof *simple; i++) {
    if (of(simple[i]).tier != AIO__TIER_SIMPLE) fail_msg("%s: %d points", simple[i], of(simple[i]).points);
  }
  for (size_t i = 0; i < sizeof complex / sizeof *complex; i++) {
    if (of(complex[i]).tier != AIO__TIER_COMPLEX) fail_msg("%s: %d points", complex[i], of(complex[i]).points);
  }
  static char text[4000];
  memset(text, 'a', sizeof text - 1);
  aio__tier_choice long_one = of(text);
  assert_int_equal(long_one.tier, AIO__TIER_COMPLEX);
  assert_string_equal(long_one.because, "long,very_long");
  assert_int_equal(long_one.points, 4);
  aio__tier_choice with_tools =
      choose("", "auto", (aio__tier_signals){.question = AIO__LIT("Weather?"), .turns = 1, .tools = 1, .schema = true});
  assert_int_equal(with_tools.tier, AIO__TIER_COMPLEX);
  assert_string_equal(with_tools.because, "tools,schema");
}

static int points(const char *rule, aio__tier_signals signals) {
  char text[400] = "{\"complex_at\": 1, \"rules\": [{\"name\": \"r\", \"points\": 1, ";
  strcat(text, rule);
  strcat(text, "}]}");
  return choose(text, "auto", signals).points;
}

static void test_choose__each_kind_of_rule(void **state) {
  (void)state;
  const aio__tier_signals s = {.question = AIO__LIT("caf\xc3\xa9? a?;\nb;"), .turns = 3, .tools = 2, .schema = true};
  const aio__tier_signals none = {.question = AIO__LIT("a;")};
  assert_int_equal(points("\"when\": \"chars\", \"at_least\": 12", s), 1); /* characters, not bytes */
  assert_int_equal(points("\"when\": \"chars\", \"at_least\": 13", s), 0);
  assert_int_equal(points("\"when\": \"turns\", \"at_least\": 3", s), 1);
  assert_int_equal(points("\"when\": \"turns\", \"at_least\": 4", s), 0);
  assert_int_equal(points("\"when\": \"question_marks\", \"at_least\": 2", s), 1);
  assert_int_equal(points("\"when\": \"question_marks\", \"at_least\": 3", s), 0);
  assert_int_equal(points("\"when\": \"tools\", \"at_least\": 2", s), 1);
  assert_int_equal(points("\"when\": \"tools\", \"at_least\": 3", s), 0);
  assert_int_equal(points("\"when\": \"schema\"", s), 1);
  assert_int_equal(points("\"when\": \"schema\"", none), 0);
  assert_int_equal(points("\"when\": \"code\"", s), 1);
  assert_int_equal(points("\"when\": \"code\"", none), 0); /* one line alone is a sentence with a slip */
  assert_int_equal(points("\"when\": \"words\", \"any\": [\"zzz\", \"CAF\xc3\xa9\"]", s), 1);
  assert_int_equal(points("\"when\": \"words\", \"any\": [\"caf\"]", s), 0); /* whole words */
  assert_int_equal(points("\"when\": \"words\", \"any\": [\"\xc3\xa9?\"]", s), 0);
  assert_int_equal(points("\"when\": \"words\", \"any\": [\"? a\"]", s), 1);
  assert_int_equal(points("\"when\": \"words\", \"any\": [\"b;\\nb\"]", s), 0);
}

static void test_new__faults_are_named(void **state) {
  (void)state;
  static const struct {
    const char *text, *words;
    aiorch_status status;
  } rows[] = {
      {"{", "line 1", AIORCH_E_CONFIG_SYNTAX},
      {"{}", "complex_at", AIORCH_E_CONFIG},
      {"{\"complex_at\": 1}", "\"rules\"", AIORCH_E_CONFIG},
      {"{\"complex_at\": 1001, \"rules\": []}", "complex_at", AIORCH_E_CONFIG},
      {"{\"complex_at\": 1, \"rules\": [{}]}", "rule 1: \"name\"", AIORCH_E_CONFIG},
      {"{\"complex_at\": 1, \"rules\": [{\"name\": \"a\"}]}", "\"when\"", AIORCH_E_CONFIG},
      {"{\"complex_at\": 1, \"rules\": [{\"name\": \"a\", \"when\": \"moon\"}]}", "\"when\"", AIORCH_E_CONFIG},
      {"{\"complex_at\": 1, \"rules\": [{\"name\": \"a\", \"when\": \"code\"}]}", "\"points\"", AIORCH_E_CONFIG},
      {"{\"complex_at\": 1, \"rules\": [{\"name\": \"a\", \"when\": \"chars\", \"points\": 1}]}", "\"at_least\"", AIORCH_E_CONFIG},
      {"{\"complex_at\": 1, \"rules\": [{\"name\": \"a\", \"when\": \"words\", \"points\": 1}]}", "\"any\"", AIORCH_E_CONFIG},
      {"{\"complex_at\": 1, \"rules\": [{\"name\": \"a\", \"when\": \"words\", \"points\": 1, \"any\": [\"\"]}]}", "\"any\"", AIORCH_E_CONFIG},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    aio__tier_rules *rules = NULL;
    aiorch_error error;
    aio__error_init(&error);
    assert_int_equal(aio__tier_rules_new(aio__alloc_default(), aio__str_z(rows[i].text), &rules, &error), rows[i].status);
    if (!strstr(error.message, rows[i].words)) fail_msg("no %s in %s", rows[i].words, error.message);
    assert_null(rules);
  }
}

static void test_new__out_of_memory(void **state) {
  (void)state;
  for (long fail_at = 1;; fail_at++) {
    aio__test_alloc t;
    aio__test_alloc_init(&t);
    t.fail_at = fail_at;
    aio__tier_rules *rules = NULL;
    aiorch_status st = aio__tier_rules_new(&t.al, AIO__LIT(""), &rules, NULL);
    aio__tier_rules_free(rules);
    assert_int_equal(t.live, 0);
    if (st == AIORCH_OK) break;
    assert_int_equal(st, AIORCH_E_NOMEM);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_choose__what_was_asked_for),
      cmocka_unit_test(test_choose__by_the_rules_of_ours),
      cmocka_unit_test(test_choose__each_kind_of_rule),
      cmocka_unit_test(test_new__faults_are_named),
      cmocka_unit_test(test_new__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
