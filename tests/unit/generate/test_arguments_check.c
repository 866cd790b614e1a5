/* Arguments of tool calls: what they hide, and that they stay JSON when something in them is replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "generate/arguments_check.h"
#include "support/test_alloc.h"
#include "text/json.h"

#define SECRET "AKIAQ3XK7ZPL2MVT5RWN"
#define GITHUB "ghp_a8F3kQ9zL2xV7bN4mR6tY1wP5cD0sH8jK3gE"
#define CANARY "=====-0123456789abcdef01234567"

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

static aio__stream_check fresh(aio__check_mode mode) {
  aio__stream_check check;
  memset(&check, 0, sizeof check);
  check.guard = guard;
  check.mode = mode;
  check.hold_back = 512;
  check.canary = AIO__LIT(CANARY);
  check.hosts = AIO__LIT("docs.example.com");
  return check;
}

static const char *const modes[] = {"block", "flag", "redact"};

static void is_json(aio__str text) {
  static const aio__json_limits limits = {1 << 20, AIO__JSON_MAX_DEPTH, AIORCH_E_INVALID, "arguments"};
  aio__json *json = NULL;
  aiorch_error error;
  aio__error_init(&error);
  if (aio__json_parse(aio__alloc_default(), text, &limits, &json, &error) != AIORCH_OK) fail_msg("%s in %.*s", error.message, (int)text.n, text.p);
  aio__json_free(json);
}

/* `redacted`: what the mode redact makes of it; NULL: that mode blocks. `rule` is found in each mode. */
static void finds(const char *arguments, const char *rule, const char *redacted) {
  for (int mode = AIO__CHECK_BLOCK; mode <= AIO__CHECK_REDACT; mode++) {
    aio__stream_check check = fresh((aio__check_mode)mode);
    aio__buf out;
    aio__buf_init(&out, aio__alloc_default(), 1 << 20);
    aiorch_status st = aio__arguments_check(&check, aio__str_z(arguments), &out);
    if (!check.finding.rule || strcmp(check.finding.rule, rule) != 0) {
      fail_msg("%s: %s instead of %s in %s", modes[mode], check.finding.rule ? check.finding.rule : "nothing", rule, arguments);
    }
    bool grave = check.finding.verdict == AIO__VERDICT_BLOCK;
    bool blocks = mode == AIO__CHECK_BLOCK ? grave : mode == AIO__CHECK_REDACT && !redacted;
    if (st != (blocks ? AIORCH_E_OUTPUT_BLOCKED : AIORCH_OK)) fail_msg("%s: status %d of %s", modes[mode], st, arguments);
    if (mode == AIO__CHECK_REDACT && redacted) {
      assert_string_equal(aio__buf_cstr(&out), redacted);
      assert_true(check.redacted > 0);
      is_json(aio__buf_view(&out));
    } else {
      assert_int_equal(out.n, 0);
      assert_int_equal(check.redacted, 0);
    }
    aio__buf_free(&out);
  }
}

static void finds_nothing(const char *arguments) {
  for (int mode = AIO__CHECK_BLOCK; mode <= AIO__CHECK_REDACT; mode++) {
    aio__stream_check check = fresh((aio__check_mode)mode);
    aio__buf out;
    aio__buf_init(&out, aio__alloc_default(), 1 << 20);
    if (aio__arguments_check(&check, aio__str_z(arguments), &out) != AIORCH_OK || check.finding.verdict != AIO__VERDICT_PASS || out.n > 0) {
      fail_msg("%s: %s in %s", modes[mode], check.finding.rule ? check.finding.rule : "changed", arguments);
    }
    aio__buf_free(&out);
  }
}

static void test_arguments_check__what_is_harmless_passes_as_it_is(void **state) {
  (void)state;
  static const char *const harmless[] = {
      "",
      "{}",
      "{\"city\":\"Oslo\",\"days\":3,\"deep\":[{\"a\":null},true,-1.5e3]}",
      "{\"path\":\"C:\\\\new\\\\u0041\\/x\\u00e9\\ud83d\\ude00\"}",
      "{\"lone\":\"\\ud800 \\udc00\",\"nul\":\"\\u0000\"}",
      "{\"url\":\"https:\\/\\/docs.example.com\\/a?b=c\",\"comment\":\"// no address\"}",
      "{\"json\":\"{\\\"url\\\":\\\"https:\\\\/\\\\/docs.example.com\\\"}\"}",
  };
  for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) finds_nothing(harmless[i]);
}

static void test_arguments_check__a_secret_in_a_string(void **state) {
  (void)state;
  finds("{\"key\":\"" SECRET "\"}", "aws_access_key", "{\"key\":\"[redacted:aws_access_key]\"}");
  finds("{\"a\": [1, \"use " SECRET " now\"], \"b\" : \"\\u00e9\"}", "aws_access_key",
        "{\"a\": [1, \"use [redacted:aws_access_key] now\"], \"b\" : \"\\u00e9\"}");
  finds("{\"a\":\"" SECRET "\",\"b\":\"" GITHUB "\",\"c\":\"" SECRET " " SECRET "\"}", "aws_access_key",
        "{\"a\":\"[redacted:aws_access_key]\",\"b\":\"[redacted:github_token]\","
        "\"c\":\"[redacted:aws_access_key] [redacted:aws_access_key]\"}");
}

static void test_arguments_check__escapes_hide_nothing(void **state) {
  (void)state;
  finds("{\"key\":\"\\u0041KIAQ3XK7ZPL2MVT5RW\\u004e\"}", "aws_access_key", "{\"key\":\"[redacted:aws_access_key]\"}");
  finds("{\"key\":\"\\n\\u0041KIA\\u00513XK7ZPL2MVT5RW\\u004E\\n\\\"\"}", "aws_access_key", "{\"key\":\"\\n[redacted:aws_access_key]\\n\\\"\"}");
  finds("{\"key\":\"a\\u00e9\\ud83d\\ude00 " SECRET "\\ud83d\\ude00b\"}", "aws_access_key",
        "{\"key\":\"a\\u00e9\\ud83d\\ude00 [redacted:aws_access_key]\\ud83d\\ude00b\"}");
  finds("{\"url\":\"see https:\\/\\/evil.example\\/?q=1.\"}", "host", "{\"url\":\"see [redacted:host].\"}");
  finds("{\"url\":\"\\u002f\\u002fevil.example\"}", "host", "{\"url\":\"[redacted:host]\"}");
}

/* JSON in a string of JSON: escaped twice, and more often. */
static void test_arguments_check__escapes_in_escapes(void **state) {
  (void)state;
  finds("{\"body\":\"{\\\"url\\\":\\\"https:\\\\/\\\\/evil.example\\\\/x\\\"}\"}", "host", "{\"body\":\"{\\\"url\\\":\\\"[redacted:host]\\\"}\"}");
  finds("{\"body\":\"{\\\"k\\\":\\\"\\\\u0041KIAQ3XK7ZPL2MVT5RWN\\\"}\"}", "aws_access_key",
        "{\"body\":\"{\\\"k\\\":\\\"[redacted:aws_access_key]\\\"}\"}");
  finds("{\"body\":\"\\\\\\\\u0041KIAQ3XK7ZPL2MVT5RWN\"}", "aws_access_key", "{\"body\":\"[redacted:aws_access_key]\"}");
}

static void test_arguments_check__a_value_beside_its_name(void **state) {
  (void)state;
  finds("{\"secret_access_key\": \"wJalrXUtnFEMIq3XK7MDENGbPxRfiCYzQ8sT4vKe\"}", "aws_secret_key",
        "{\"secret_access_key\": \"[redacted:aws_secret_key]\"}");
  finds("{\"n\":{\"password\":\"q7Zk3xV9bN4mR6tY1wP5cD0s\"},\"x\":1}", "assigned_secret",
        "{\"n\":{\"password\":\"[redacted:assigned_secret]\"},\"x\":1}");
}

static void test_arguments_check__a_key_of_many_lines(void **state) {
  (void)state;
  finds("{\"pem\":\"-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\n-----END PRIVATE KEY-----\\nrest\"}", "private_key",
        "{\"pem\":\"[redacted:private_key]\\nrest\"}");
  finds("{\"pem\":[\"-----BEGIN PRIVATE KEY-----\",\"MIIEvQ\",\"-----END PRIVATE KEY-----\",\"rest\"]}", "private_key",
        "{\"pem\":[\"[redacted:private_key]\",\"[redacted:private_key]\",\"[redacted:private_key]\",\"rest\"]}");
  /* Its end is not there: what follows it in its string is a part of it. */
  finds("{\"pem\":\"a -----BEGIN PRIVATE KEY-----\\nMIIEvQ\\nb\",\"x\":\"y\"}", "private_key",
        "{\"pem\":\"a [redacted:private_key]\",\"x\":\"y\"}");
}

static void test_arguments_check__hosts(void **state) {
  (void)state;
  finds("{\"url\":\"https://evil.example/?d=1\"}", "host", "{\"url\":\"[redacted:host]\"}");
  finds("{\"url\":\"//evil.example\",\"ok\":\"https://docs.example.com\"}", "host",
        "{\"url\":\"[redacted:host]\",\"ok\":\"https://docs.example.com\"}");
  finds("{\"a\":\"http://x.example\",\"b\":\"http://y.example http://z.example\"}", "host",
        "{\"a\":\"[redacted:host]\",\"b\":\"[redacted:host] [redacted:host]\"}");
}

static void test_arguments_check__the_canary_always_blocks(void **state) {
  (void)state;
  finds("{\"note\":\"" CANARY "\"}", "prompt_canary", NULL);
  finds("{\"note\":\"0123456789\\u0061bcdef01234567\"}", "prompt_canary", NULL);
  finds("{\"note\":[\"0123456789ab\",\"cdef01234567\"]}", "prompt_canary", NULL); /* spread over strings */
}

/* What a tool is called with must keep its names: two that were replaced would be the same. */
static void test_arguments_check__a_name_is_not_replaced(void **state) {
  (void)state;
  finds("{\"" SECRET "\":1}", "aws_access_key", NULL);
  finds("{\"x\":[{\"https:\\/\\/evil.example\" : []}]}", "host", NULL);
}

static void test_arguments_check__numbers_become_strings(void **state) {
  (void)state;
  /* No rule of today is one of digits alone: what is found spans the name and a number. */
  finds("{\"note\":\"-----BEGIN PRIVATE KEY-----\",\"d\":123,\"e\":[true,null],\"f\":\"-----END PRIVATE KEY-----\",\"g\":4}", "private_key",
        "{\"note\":\"[redacted:private_key]\",\"d\":\"[redacted:private_key]\",\"e\":[\"[redacted:private_key]\",\"[redacted:private_key]\"],"
        "\"f\":\"[redacted:private_key]\",\"g\":4}");
}

static void test_arguments_check__no_guard_and_no_hosts_look_for_nothing(void **state) {
  (void)state;
  aio__buf out;
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  aio__stream_check check = fresh(AIO__CHECK_BLOCK);
  check.guard = NULL;
  assert_int_equal(aio__arguments_check(&check, AIO__LIT("{\"a\":\"" SECRET " https://evil.example\"}"), &out), AIORCH_OK);
  assert_int_equal(check.finding.verdict, AIO__VERDICT_PASS);
  check = fresh(AIO__CHECK_BLOCK);
  check.hosts = AIO__LIT("");
  assert_int_equal(aio__arguments_check(&check, AIO__LIT("{\"a\":\"https://evil.example\"}"), &out), AIORCH_OK);
  aio__buf_free(&out);
}

static void test_arguments_check__too_many_findings_block(void **state) {
  (void)state;
  aio__buf json, out;
  aio__buf_init(&json, aio__alloc_default(), 1 << 20);
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  aio__buf_z(&json, "{\"a\":[");
  for (int i = 0; i <= AIO__FINDINGS_MAX; i++) aio__buf_z(&json, i ? ",\"" SECRET "\"" : "\"" SECRET "\"");
  aio__buf_z(&json, "]}");
  aio__stream_check check = fresh(AIO__CHECK_REDACT);
  assert_int_equal(aio__arguments_check(&check, aio__buf_view(&json), &out), AIORCH_E_OUTPUT_BLOCKED);
  aio__buf_free(&json);
  aio__buf_free(&out);
}

/* What is no JSON is looked at as well; what comes of it need not be JSON. */
static void test_arguments_check__broken_text_does_no_harm(void **state) {
  (void)state;
  static const char *const broken[] = {"{\"a\":\"" SECRET, "{\"a\":\"" SECRET "\\", "{\"a\":\"" SECRET "\\u00", SECRET, "\"\\u12", "]\"" SECRET "\"}"};
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    for (int mode = AIO__CHECK_BLOCK; mode <= AIO__CHECK_REDACT; mode++) {
      aio__stream_check check = fresh((aio__check_mode)mode);
      aio__buf out;
      aio__buf_init(&out, aio__alloc_default(), 1 << 20);
      aiorch_status st = aio__arguments_check(&check, aio__str_z(broken[i]), &out);
      assert_true(st == AIORCH_OK || st == AIORCH_E_OUTPUT_BLOCKED);
      if (mode == AIO__CHECK_REDACT && st == AIORCH_OK) assert_null(strstr(aio__buf_cstr(&out), SECRET));
      aio__buf_free(&out);
    }
  }
}

static void test_arguments_check__out_of_memory(void **state) {
  (void)state;
  static const char json[] = "{\"a\":\"\\u0041KIAQ3XK7ZPL2MVT5RWN\",\"b\":\"\\\\u0041KIAQ3XK7ZPL2MVT5RWN\"}";
  aio__test_alloc t;
  aiorch_status st;
  aio__test_alloc_init(&t);
  do {
    aio__stream_check check = fresh(AIO__CHECK_REDACT);
    aio__buf out;
    aio__test_alloc_next(&t);
    aio__buf_init(&out, &t.al, 1 << 20);
    st = aio__arguments_check(&check, AIO__LIT(json), &out);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    if (st == AIORCH_OK) assert_string_equal(aio__buf_cstr(&out), "{\"a\":\"[redacted:aws_access_key]\",\"b\":\"[redacted:aws_access_key]\"}");
    aio__buf_free(&out);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

static void test_arguments_check__a_result_that_is_too_large(void **state) {
  (void)state;
  aio__stream_check check = fresh(AIO__CHECK_REDACT);
  aio__buf out;
  aio__buf_init(&out, aio__alloc_default(), 8);
  assert_int_equal(aio__arguments_check(&check, AIO__LIT("{\"a\":\"" SECRET "\"}"), &out), AIORCH_E_TOO_LARGE);
  aio__buf_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_arguments_check__what_is_harmless_passes_as_it_is),
      cmocka_unit_test(test_arguments_check__a_secret_in_a_string),
      cmocka_unit_test(test_arguments_check__escapes_hide_nothing),
      cmocka_unit_test(test_arguments_check__escapes_in_escapes),
      cmocka_unit_test(test_arguments_check__a_value_beside_its_name),
      cmocka_unit_test(test_arguments_check__a_key_of_many_lines),
      cmocka_unit_test(test_arguments_check__hosts),
      cmocka_unit_test(test_arguments_check__the_canary_always_blocks),
      cmocka_unit_test(test_arguments_check__a_name_is_not_replaced),
      cmocka_unit_test(test_arguments_check__numbers_become_strings),
      cmocka_unit_test(test_arguments_check__no_guard_and_no_hosts_look_for_nothing),
      cmocka_unit_test(test_arguments_check__too_many_findings_block),
      cmocka_unit_test(test_arguments_check__broken_text_does_no_harm),
      cmocka_unit_test(test_arguments_check__out_of_memory),
      cmocka_unit_test(test_arguments_check__a_result_that_is_too_large),
  };
  return cmocka_run_group_tests(tests, make_guard, free_guard);
}
