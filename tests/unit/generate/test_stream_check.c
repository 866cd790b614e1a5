/* The hold-back: a secret that is split over any number of deltas is never released. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "generate/stream_check.h"
#include "guard/output_hosts.h"

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

static aio__buf out;

/* All in pieces of `step` bytes; what went out is in `out`. */
static aiorch_status feed(aio__stream_check *check, aio__str text, size_t step) {
  aiorch_status st = AIORCH_OK;
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  for (size_t n = 0; st == AIORCH_OK && n < text.n;) {
    n = n + step < text.n ? n + step : text.n;
    st = aio__stream_check_feed(check, aio__str_n(text.p, n), n == text.n, &out);
  }
  return st;
}

static void test_feed__clean_text_comes_out_whole(void **state) {
  (void)state;
  char text[2000];
  for (size_t i = 0; i < sizeof text; i++) text[i] = i % 7 == 6 ? ' ' : 'a';
  aio__stream_check check = fresh("");
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  for (size_t n = 100; n < sizeof text; n += 100) {
    assert_int_equal(aio__stream_check_feed(&check, aio__str_n(text, n), false, &out), AIORCH_OK);
    assert_true(out.n + 512 <= n || out.n == 0);
  }
  assert_true(out.n >= 1200);
  assert_int_equal(aio__stream_check_feed(&check, aio__str_n(text, sizeof text), true, &out), AIORCH_OK);
  assert_int_equal(out.n, sizeof text);
  assert_memory_equal(out.p, text, sizeof text);
  aio__buf_free(&out);
}

static void test_feed__a_long_word_is_held_up_to_a_bound(void **state) {
  (void)state;
  static char text[3 * AIO__HOLD_WORD_MAX];
  memset(text, 'a', sizeof text);
  aio__stream_check check = fresh("");
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  assert_int_equal(aio__stream_check_feed(&check, aio__str_n(text, AIO__HOLD_WORD_MAX), false, &out), AIORCH_OK);
  assert_int_equal(out.n, 0);
  assert_int_equal(aio__stream_check_feed(&check, aio__str_n(text, 2 * AIO__HOLD_WORD_MAX), false, &out), AIORCH_OK);
  assert_int_equal(out.n, AIO__HOLD_WORD_MAX - 512);
  aio__buf_free(&out);
}

static void test_feed__a_split_canary_is_never_released(void **state) {
  (void)state;
  static const char canary[] = "=====-0123456789abcdef01234567";
  char text[1600];
  memset(text, ' ', sizeof text);
  memcpy(text + 700, canary, sizeof canary - 1);
  static const size_t steps[] = {1, 2, 3, 7, 31, 64, 500, 1600};
  for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
    for (int mode = AIO__CHECK_BLOCK; mode <= AIO__CHECK_REDACT; mode += 2) { /* a leak is blocked where others are replaced */
      aio__stream_check check = fresh(canary);
      check.mode = (aio__check_mode)mode;
      assert_int_equal(feed(&check, aio__str_n(text, sizeof text), steps[s]), AIORCH_E_OUTPUT_BLOCKED);
      assert_true(out.n <= 700);
      assert_string_equal(check.finding.rule, "prompt_canary");
      aio__buf_free(&out);
    }
  }
}

/* ---- secrets of each class ---- */

#define R20 "aK3xQ9zLm2Vt7Rp5Wn8Y"
#define R40 R20 "bJ4yS0cNk6Ud1Hf3Xe9G"
#define R80 R40 "Zq8wE5rT2yU7iO1pA4sDfG6hJ9kL3zX0cV2bN7mQ"

static const struct {
  const char *rule, *before, *secret, *after;
  bool flag;
} secrets[] = {
    {"private_key", "Here: ", "-----BEGIN RSA PRIVATE KEY-----\n" R40 "\n" R40 "\n-----END RSA PRIVATE KEY-----", "\nthat was it.", false},
    {"aws_access_key", "The id is ", "AKIAQ3XK7ZPL2MVT5RWN", ", use it.", false},
    {"aws_secret_key", "Set ", "aws_secret_access_key = " R40, " in the file.", false},
    {"anthropic_key", "key ", "sk-ant-api03-" R80, " ok", false},
    {"openai_key", "key ", "sk-proj-" R40 R20 "T3BlbkFJ" R40, " ok", false},
    {"openai_key", "key ", "sk-" R40, " ok", false},
    {"github_token", "token ", "ghp_" R40, " ok", false},
    {"gitlab_token", "token ", "glpat-" R20, " ok", false},
    {"slack_token", "token ", "xoxb-123456789012-" R20, " ok", false},
    {"google_api_key", "key ", "AIzaSyD3xQ9zLm2Vt7Rp5Wn8YbJ4yS0cNk6Ud1H", " ok", false},
    {"google_oauth", "secret ", "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", " ok", false},
    {"stripe_key", "key ", "sk_live_" R40, " ok", false},
    {"hugging_face_token", "token ", "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", " ok", false},
    {"package_token", "token ", "npm_aK3xQ9zLm2Vt7Rp5Wn8YbJ4yS0cNk6Ud1Hf3", " ok", false},
    {"sendgrid_key", "key ", "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", " ok", false},
    {"telegram_token", "token ", "123456789:AAaK3xQ9zLm2Vt7Rp5Wn8YbJ4yS0cNk6Ud1", " ok", false},
    {"azure_storage_key", "it is ", "AccountKey=" R40 R40 "aK3xQ9==", " ok", false},
    {"url_password", "at ", "postgres://admin:hunter2secret@db.example.com", " ok", true},
    {"assigned_secret", "with ", "api_key = \"aK3xQ9zLm2Vt7Rp5Wn8YbJ4yS0cN", "\" ok", true},
};

static size_t make(char *text, size_t room, const char *before, const char *secret, const char *after, size_t *start) {
  memset(text, 0, room);
  for (size_t i = 0; i < 60; i++) strcat(text, "Some words of an answer. ");
  strcat(text, before);
  *start = strlen(text);
  strcat(text, secret);
  strcat(text, after);
  for (size_t i = 0; i < 30; i++) strcat(text, " And more of them.");
  return strlen(text);
}

/* A JSON web token that is longer than any hold-back. */
static const char *web_token(void) {
  static char token[4600];
  strcpy(token, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ");
  uint32_t seed = 7;
  for (size_t i = strlen(token); i < 4000; i++) {
    seed = seed * 1664525u + 1013904223u;
    token[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[seed >> 26];
  }
  strcpy(token + 4000, "." R80);
  return token;
}

static void one_secret(const char *rule, const char *before, const char *secret, const char *after, bool flag, size_t step) {
  static char text[16384], expected[16384], mark[64];
  size_t start, n = make(text, sizeof text, before, secret, after, &start);
  aio__stream_check check = fresh("");
  check.hold_back = 64; /* the least that may be set */
  aiorch_status st = feed(&check, aio__str_n(text, n), step);
  if (st != (flag ? AIORCH_OK : AIORCH_E_OUTPUT_BLOCKED)) fail_msg("%s by %zu: %s", rule, step, aiorch_status_name(st));
  assert_string_equal(check.finding.rule, rule);
  if (!flag && out.n > start) fail_msg("%s by %zu: %zu bytes of it went out", rule, step, out.n - start);
  aio__buf_free(&out);
  strcpy(mark, "[redacted:");
  strcat(mark, rule);
  strcat(mark, "]");
  (void)make(expected, sizeof expected, before, mark, after, &start);
  check = fresh("");
  check.mode = AIO__CHECK_REDACT;
  check.hold_back = 64;
  assert_int_equal(feed(&check, aio__str_n(text, n), step), AIORCH_OK);
  if (strcmp(aio__buf_cstr(&out), expected) != 0) fail_msg("%s by %zu: %s", rule, step, aio__buf_cstr(&out) + start);
  assert_int_equal(check.redacted, 1);
  aio__buf_free(&out);
}

static void test_feed__no_secret_goes_out_however_it_is_split(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
    size_t len = strlen(secrets[i].secret) + 3;
    for (size_t step = 1; step <= len; step++) {
      one_secret(secrets[i].rule, secrets[i].before, secrets[i].secret, secrets[i].after, secrets[i].flag, step);
    }
    one_secret(secrets[i].rule, secrets[i].before, secrets[i].secret, secrets[i].after, secrets[i].flag, 100000);
  }
  static const size_t steps[] = {1, 17, 100, 511, 4000, 100000};
  for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
    one_secret("json_web_token", "token ", web_token(), " ok", false, steps[s]);
  }
}

/* Two deltas and every place between them: all of the secret's own bytes, with the hold-back long used up. */
static void test_feed__no_secret_goes_out_at_any_cut(void **state) {
  (void)state;
  static char text[16384];
  for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
    if (secrets[i].flag) continue;
    size_t start, n = make(text, sizeof text, secrets[i].before, secrets[i].secret, secrets[i].after, &start);
    for (size_t cut = start; cut <= start + strlen(secrets[i].secret) + 1; cut++) {
      aio__stream_check check = fresh("");
      check.hold_back = 64;
      aio__buf_init(&out, aio__alloc_default(), 1 << 20);
      aiorch_status st = aio__stream_check_feed(&check, aio__str_n(text, cut), false, &out);
      assert_true(out.n <= start);
      if (st == AIORCH_OK) st = aio__stream_check_feed(&check, aio__str_n(text, n), true, &out);
      assert_int_equal(st, AIORCH_E_OUTPUT_BLOCKED);
      assert_true(out.n <= start);
      aio__buf_free(&out);
    }
  }
}

/* What looks like a secret until its next character comes is none, streamed as whole. */
static void test_feed__the_verdict_waits_for_what_follows(void **state) {
  (void)state;
  static const char *const harmless[] = {"AKIAQ3XK7ZPL2MVT5RWNaaaaaaaaaaaaa and so on", "AIzaSyD3xQ9zLm2Vt7Rp5Wn8YbJ4yS0cNk6Ud1HHH and so on",
                                         "hf_aKdxQgzLmbVtcRpeWnfYbJgyShcNkiUjHklmn and so on", "-----BEGIN PRIVATE KEYS----- and so on"};
  for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
    size_t n = strlen(harmless[i]);
    for (size_t step = 1; step <= n; step++) {
      aio__stream_check check = fresh("");
      check.hold_back = 4;
      aiorch_status st = feed(&check, aio__str_n(harmless[i], n), step);
      if (st != AIORCH_OK) fail_msg("%s by %zu: %s", harmless[i], step, check.finding.rule);
      assert_string_equal(aio__buf_cstr(&out), harmless[i]);
      aio__buf_free(&out);
    }
  }
}

static aiorch_status look_once(aio__stream_check *check, const char *text, bool whole) {
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  return aio__stream_check_feed(check, aio__str_z(text), whole, &out);
}

/* A key is judged when it is whole, at the very end of the answer too; what leaks the prompt at once. */
static void test_feed__what_is_found_at_the_very_end(void **state) {
  (void)state;
  static const char key[] = "It is AKIAQ3XK7ZPL2MVT5RWN";
  aio__stream_check check = fresh("");
  check.hold_back = 4; /* so that a look is worth it */
  assert_int_equal(look_once(&check, key, false), AIORCH_OK);
  assert_int_equal(out.n, 0);
  assert_int_equal(aio__stream_check_feed(&check, aio__str_z(key), true, &out), AIORCH_E_OUTPUT_BLOCKED);
  aio__buf_free(&out);
  check = fresh("canary-7d41f0");
  check.hold_back = 4;
  assert_int_equal(look_once(&check, "It says canary-7d41f0", false), AIORCH_E_OUTPUT_BLOCKED);
  aio__buf_free(&out);
}

/* What is not decided yet at the end hides nothing before it, whichever of the two is looked for first. */
static void test_redact__one_is_whole_and_another_at_the_end(void **state) {
  (void)state;
  static const char *const keys[] = {"AKIAQ3XK7ZPL2MVT5RWN", "-----BEGIN PRIVATE KEY-----", "ghp_aKdxQgzLmbVtcRpeWnfYbJgyShcNkiUjHklm",
                                     "AIzaSyD3xQ9zLm2Vt7Rp5Wn8YbJ4yS0cNk6Ud1H"};
  for (size_t a = 0; a < 4; a++) {
    for (size_t b = 0; b < 4; b++) {
      char text[1500] = "It is ";
      if (a == 1) continue; /* it has no end */
      strcat(text, keys[a]);
      for (int i = 0; i < 250; i++) strcat(text, " and");
      strcat(strcat(text, " "), keys[b]);
      aio__stream_check check = fresh("");
      check.mode = AIO__CHECK_REDACT;
      assert_int_equal(look_once(&check, text, false), AIORCH_OK);
      assert_true(out.n > 50);
      assert_memory_equal(aio__buf_cstr(&out), "It is [redacted:", 16);
      assert_null(strstr(aio__buf_cstr(&out), keys[b]));
      aio__buf_free(&out);
    }
  }
}

static void test_feed__a_word_far_into_the_text_is_held_as_well(void **state) {
  (void)state;
  static char text[11000];
  strcpy(text, "Well");
  while (strlen(text) < 10000) strcat(text, " and");
  size_t word = strlen(text) + 1;
  strcat(text, " ");
  memset(text + word, 'x', 700);
  aio__stream_check check = fresh("");
  assert_int_equal(look_once(&check, text, false), AIORCH_OK);
  assert_int_equal(out.n, word - 512);
  aio__buf_free(&out);
}

static void test_redact__a_key_without_an_end_takes_all_that_follows(void **state) {
  (void)state;
  static char text[6000];
  strcpy(text, "Here it is: -----BEGIN PRIVATE KEY-----\n");
  while (strlen(text) < 5000) strcat(text, R40 "\n");
  static const size_t steps[] = {1, 50, 999, 6000};
  for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
    aio__stream_check check = fresh("");
    check.mode = AIO__CHECK_REDACT;
    assert_int_equal(feed(&check, aio__str_z(text), steps[s]), AIORCH_OK);
    assert_string_equal(aio__buf_cstr(&out), "Here it is: [redacted:private_key]");
    aio__buf_free(&out);
  }
  strcat(text, "-----END PRIVATE KEY-----\nAnd then AKIAQ3XK7ZPL2MVT5RWN, too.");
  for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
    aio__stream_check check = fresh("");
    check.mode = AIO__CHECK_REDACT;
    assert_int_equal(feed(&check, aio__str_z(text), steps[s]), AIORCH_OK);
    assert_string_equal(aio__buf_cstr(&out), "Here it is: [redacted:private_key]\nAnd then [redacted:aws_access_key], too.");
    assert_int_equal(check.redacted, 2);
    aio__buf_free(&out);
  }
}

/* What hides in a private key that is replaced is not passed over: the prompt has leaked. */
static void test_redact__a_leak_inside_a_key_blocks(void **state) {
  (void)state;
  static const char canary[] = "=====-0123456789abcdef01234567";
  static char text[4000];
  static const char *const ends[] = {"", "\n-----END PRIVATE KEY-----\nand more"};
  for (size_t e = 0; e < 2; e++) {
    strcpy(text, "Here it is: -----BEGIN PRIVATE KEY-----\n");
    while (strlen(text) < 1500) strcat(text, R40 "\n");
    strcat(strcat(text, canary), ends[e]);
    static const size_t steps[] = {1, 50, 999, 6000};
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
      aio__stream_check check = fresh(canary);
      check.mode = AIO__CHECK_REDACT;
      assert_int_equal(feed(&check, aio__str_z(text), steps[s]), AIORCH_E_OUTPUT_BLOCKED);
      assert_string_equal(check.finding.category, "prompt_leak");
      aio__buf_free(&out);
    }
  }
}

static void test_hosts__others_are_blocked_flagged_or_replaced(void **state) {
  (void)state;
  static const char text[] = "See https://docs.example.com/a and https://evil.test/x?d=1 for more.";
  for (size_t step = 1; step < sizeof text; step++) {
    aio__stream_check check = fresh("");
    check.hosts = AIO__LIT("example.com, *.example.com");
    assert_int_equal(feed(&check, aio__str_n(text, sizeof text - 1), step), AIORCH_E_OUTPUT_BLOCKED);
    assert_string_equal(check.finding.rule, "host");
    aio__buf_free(&out);
    check = fresh("");
    check.hosts = AIO__LIT("*.example.com");
    check.mode = AIO__CHECK_REDACT;
    assert_int_equal(feed(&check, aio__str_n(text, sizeof text - 1), step), AIORCH_OK);
    assert_string_equal(aio__buf_cstr(&out), "See https://docs.example.com/a and [redacted:host] for more.");
    aio__buf_free(&out);
  }
  aio__stream_check check = fresh("");
  check.hosts = AIO__LIT("*.example.com");
  check.mode = AIO__CHECK_FLAG;
  assert_int_equal(feed(&check, aio__str_n(text, sizeof text - 1), 5), AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&out), text);
  assert_int_equal(check.finding.verdict, AIO__VERDICT_BLOCK);
  aio__buf_free(&out);
}

/* A dot behind a host may be the end of a sentence, or go on. */
static void test_hosts__are_judged_when_they_are_whole(void **state) {
  (void)state;
  static const char text[] = "See https://evil.example.com/a. It is https://example.com.";
  for (size_t step = 1; step < sizeof text; step++) {
    aio__stream_check check = fresh("");
    check.hosts = AIO__LIT("evil.example.com, example.com");
    check.hold_back = 4; /* so that each piece is looked at */
    assert_int_equal(feed(&check, aio__str_n(text, sizeof text - 1), step), AIORCH_OK);
    assert_string_equal(aio__buf_cstr(&out), text);
    aio__buf_free(&out);
  }
}

/* ---- what touches the end ---- */

static aiorch_status look_close(aio__stream_check *check, const char *text, bool whole) {
  check->hold_back = 4;
  return look_once(check, text, whole);
}

/* The begin of a private key is one as soon as something follows it: its end is not waited for. */
static void test_undecided__a_private_key_needs_no_end(void **state) {
  (void)state;
  static const struct {
    const char *text;
    aiorch_status status;
  } rows[] = {{"It is -----BEGIN PRIVATE KEY-----", AIORCH_OK},
              {"It is -----BEGIN PRIVATE KEY-----\n", AIORCH_E_OUTPUT_BLOCKED},
              {"It is -----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq", AIORCH_E_OUTPUT_BLOCKED},
              {"It is -----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----", AIORCH_E_OUTPUT_BLOCKED}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    aio__stream_check check = fresh("");
    assert_int_equal(look_close(&check, rows[i].text, false), rows[i].status);
    assert_int_equal(out.n, 0);
    aio__buf_free(&out);
  }
}

/* A URL is judged when something has ended it; until then it is held, whatever its host is so far. */
static void test_undecided__a_url_that_may_go_on(void **state) {
  (void)state;
  static const char *const open[] = {"https://evil", "https://evil.", "https://evil.test", "https://evil.test.", "https://evil.test/a!", "//evil.test,"};
  static const char *const over[] = {"https://evil.test ", "https://evil.test. ", "https://evil.test\n", "'//evil.test' "};
  char text[64];
  for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
    aio__stream_check check = fresh("");
    check.hosts = AIO__LIT("example.com");
    (void)snprintf(text, sizeof text, "So (%s", open[i]);
    assert_int_equal(look_close(&check, text, false), AIORCH_OK);
    assert_int_equal(check.finding.verdict, AIO__VERDICT_PASS);
    assert_int_equal(aio__stream_check_feed(&check, aio__str_z(text), true, &out), AIORCH_E_OUTPUT_BLOCKED);
    aio__buf_free(&out);
  }
  for (size_t i = 0; i < sizeof over / sizeof *over; i++) {
    aio__stream_check check = fresh("");
    check.hosts = AIO__LIT("example.com");
    (void)snprintf(text, sizeof text, "So %s", over[i]);
    assert_int_equal(look_close(&check, text, false), AIORCH_E_OUTPUT_BLOCKED);
    aio__buf_free(&out);
  }
}

/* No more than so much is held for it. */
static void test_undecided__not_for_ever(void **state) {
  (void)state;
  static char text[AIO__HOLD_WORD_MAX + 100];
  for (int more = -1; more <= 1; more++) {
    strcpy(text, "So https://evil.test/");
    size_t n = 3 + AIO__HOLD_WORD_MAX + (size_t)more;
    memset(text + strlen(text), 'x', n - strlen(text));
    text[n] = '\0';
    aio__stream_check check = fresh("");
    check.hosts = AIO__LIT("example.com");
    check.hold_back = 4;
    assert_int_equal(look_once(&check, text, false), more < 0 ? AIORCH_OK : AIORCH_E_OUTPUT_BLOCKED);
    aio__buf_free(&out);
  }
}

/* What is not decided holds itself back, and all before it that is clean goes out. */
static void test_undecided__holds_from_its_begin(void **state) {
  (void)state;
  static char text[2000];
  strcpy(text, "Well");
  while (strlen(text) < 1000) strcat(text, " and");
  size_t start = strlen(text) + 1;
  strcat(text, " password = \"");
  while (strlen(text) < 1300) strcat(text, " ");
  strcat(text, R40);
  aio__stream_check check = fresh("");
  assert_int_equal(look_once(&check, text, false), AIORCH_OK);
  assert_true(out.n <= start + 300);
  aio__buf_free(&out);
  /* Of a key of several words the begin is further back than the last word. */
  strcpy(text, "Well");
  while (strlen(text) < 1000) strcat(text, " and");
  start = strlen(text) + 1;
  strcat(text, " aws_secret_access_key = " R40);
  check = fresh("");
  check.hold_back = 4;
  assert_int_equal(look_once(&check, text, false), AIORCH_OK);
  assert_true(out.n > 600 && out.n <= start);
  assert_int_equal(check.finding.verdict, AIO__VERDICT_PASS);
  aio__buf_free(&out);
}

/* ---- several in one look ---- */

static void test_take__the_first_that_blocks_is_told(void **state) {
  (void)state;
  aio__stream_check check = fresh("");
  assert_int_equal(look_once(&check, "AKIAQ3XK7ZPL2MVT5RWN and ghp_" R40 " and xoxb-123456789012-" R20 " end", true), AIORCH_E_OUTPUT_BLOCKED);
  assert_string_equal(check.finding.rule, "aws_access_key");
  aio__buf_free(&out);
}

/* What is open at the end does not hide what is whole before it, whichever rule comes first. */
static void test_take__goes_on_after_what_is_undecided(void **state) {
  (void)state;
  static const char *const keys[] = {"AKIAQ3XK7ZPL2MVT5RWN", "ghp_" R40, "https://evil.test"};
  for (size_t a = 0; a < 3; a++) {
    for (size_t b = 0; b < 3; b++) {
      char text[2000] = "It is ";
      strcat(text, keys[a]);
      for (int i = 0; i < 60; i++) strcat(text, " and"); /* all of it is one look */
      strcat(strcat(text, " "), keys[b]);
      aio__stream_check check = fresh("");
      check.hosts = AIO__LIT("example.com");
      assert_int_equal(look_once(&check, text, false), AIORCH_E_OUTPUT_BLOCKED);
      assert_int_equal(out.n, 0);
      aio__buf_free(&out);
    }
  }
}

/* The gravest is kept, not the last. */
static void test_take__a_graver_finding_is_not_forgotten(void **state) {
  (void)state;
  aio__stream_check check = fresh("");
  check.mode = AIO__CHECK_FLAG;
  assert_int_equal(look_once(&check, "AKIAQ3XK7ZPL2MVT5RWN and postgres://admin:hunter2secret@db.example.com end", true), AIORCH_OK);
  assert_string_equal(check.finding.rule, "aws_access_key");
  aio__buf_free(&out);
  check = fresh("");
  assert_int_equal(look_once(&check, "Take postgres://admin:hunter2secret@db.example.com end", true), AIORCH_OK);
  assert_string_equal(check.finding.rule, "url_password");
  assert_int_equal(check.finding.verdict, AIO__VERDICT_FLAG);
  aio__buf_free(&out);
}

static void redacts(const char *text, const char *expected, int64_t count) {
  static const size_t steps[] = {1, 5, 40, 10000};
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    aio__stream_check check = fresh("");
    check.mode = AIO__CHECK_REDACT;
    check.hold_back = 4;
    check.hosts = AIO__LIT("example.com");
    assert_int_equal(feed(&check, aio__str_z(text), steps[i]), AIORCH_OK);
    assert_string_equal(aio__buf_cstr(&out), expected);
    assert_int_equal(check.redacted, count);
    aio__buf_free(&out);
  }
}

static void test_redact__findings_inside_of_others(void **state) {
  (void)state;
  redacts("Take https://admin:hunter2secret@evil.test/db now.", "Take [redacted:url_password] now.", 1);
  redacts("A https://evil.test/?k=AKIAQ3XK7ZPL2MVT5RWN or AKIAQ3XK7ZPL2MVT5RWN.", "A [redacted:host] or [redacted:aws_access_key].", 2);
  redacts("-----BEGIN PRIVATE KEY-----\nAKIAQ3XK7ZPL2MVT5RWN\n-----END PRIVATE KEY-----https://evil.test/", "[redacted:private_key][redacted:host]", 2);
  redacts("-----BEGIN PRIVATE KEY-----\n-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----.", "[redacted:private_key].", 1);
}

/* Longer than its rule reaches: the letters that go on belong to it. */
static void test_redact__all_of_a_long_token(void **state) {
  (void)state;
  char text[2000] = "key sk-proj-";
  for (int i = 0; i < 15; i++) strcat(text, R40);
  redacts(strcat(text, " ok"), "key [redacted:openai_key] ok", 1);
}

/* ---- how much is held ---- */

static void test_hold__of_a_text_that_is_one_word(void **state) {
  (void)state;
  static char room[1200];
  memset(room, 'x', sizeof room); /* what stands before the text is none of it */
  for (size_t n = 1; n < 1000; n += 37) {
    aio__stream_check check = fresh("");
    check.hold_back = 4;
    aio__buf_init(&out, aio__alloc_default(), 1 << 20);
    assert_int_equal(aio__stream_check_feed(&check, aio__str_n(room + 100, n), false, &out), AIORCH_OK);
    assert_int_equal(out.n, 0);
    aio__buf_free(&out);
  }
}

/* Visible ASCII is a word, from '!' to '~'. */
static void test_hold__what_a_word_is(void **state) {
  (void)state;
  static const char letters[] = {'!', 'x', '~', ' ', '\n', '\x7f'};
  for (size_t i = 0; i < sizeof letters; i++) {
    char text[1501];
    memset(text, ' ', 800);
    memset(text + 800, letters[i], 700);
    text[1500] = '\0';
    aio__stream_check check = fresh("");
    assert_int_equal(look_once(&check, text, false), AIORCH_OK);
    assert_int_equal(out.n, i < 3 ? 800 - 512 : 1500 - 512);
    aio__buf_free(&out);
  }
}

static void test_hold__the_least_and_the_wish(void **state) {
  (void)state;
  static const size_t wished[][2] = {{4, AIO__HOLD_LEAST}, {AIO__HOLD_LEAST, AIO__HOLD_LEAST}, {AIO__HOLD_LEAST + 1, AIO__HOLD_LEAST + 1}, {900, 900}};
  char text[2001];
  memset(text, ' ', 2000);
  text[2000] = '\0';
  for (size_t i = 0; i < 4; i++) {
    aio__stream_check check = fresh("");
    check.hold_back = wished[i][0];
    assert_int_equal(look_once(&check, text, false), AIORCH_OK);
    assert_int_equal(out.n, 2000 - wished[i][1]);
    assert_int_equal(aio__stream_check_feed(&check, aio__str_z(text), true, &out), AIORCH_OK);
    assert_int_equal(out.n, 2000);
    aio__buf_free(&out);
  }
}

/* Not each byte is a reason to look: a quarter of what is held is. */
static void test_hold__looks_are_rare(void **state) {
  (void)state;
  static char text[9000];
  memset(text, ' ', sizeof text);
  aio__stream_check check = fresh("");
  check.hold_back = 4096;
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  static const size_t rows[][2] = {{1023, 0}, {6000, 6000 - 4096}, {7023, 6000 - 4096}, {7024, 7024 - 4096}, {8047, 7024 - 4096}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(aio__stream_check_feed(&check, aio__str_n(text, rows[i][0]), false, &out), AIORCH_OK);
    assert_int_equal(out.n, rows[i][1]);
  }
  assert_int_equal(aio__stream_check_feed(&check, aio__str_n(text, 8047), true, &out), AIORCH_OK);
  assert_int_equal(out.n, 8047);
  aio__buf_free(&out);
}

/* Without a text there is nothing to do, and a full buffer is told. */
static void test_feed__nothing_and_too_much(void **state) {
  (void)state;
  aio__stream_check check = fresh("");
  aio__buf_init(&out, aio__alloc_default(), 10);
  assert_int_equal(aio__stream_check_feed(&check, AIO__LIT(""), true, &out), AIORCH_OK);
  assert_int_equal(aio__stream_check_feed(&check, AIO__LIT("eleven byte"), true, &out), AIORCH_E_TOO_LARGE);
  aio__buf_free(&out);
  check = fresh("");
  check.guard = NULL;
  aio__buf_init(&out, aio__alloc_default(), 10);
  assert_int_equal(aio__stream_check_feed(&check, AIO__LIT("eleven byte"), true, &out), AIORCH_E_TOO_LARGE);
  aio__buf_free(&out);
}

/* ---- streamed as whole, whatever stands beside whatever ---- */

static const char *const pieces[] = {
    "Some words of an answer. ", "and so on, ", " ", "\n", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 ", "AKIAQ3XK7ZPL2MVT5RWN", ("(ghp_" R40 ")"),
    ("-----BEGIN PRIVATE KEY-----\n" R40 "\n-----END PRIVATE KEY-----"), ("-----BEGIN PRIVATE KEY-----\n" R40 "\n"), "https://evil.test/x?d=1",
    "https://docs.example.com/a", "'//evil.test'", "https://evil.test.", ".", "x", "/", "=", "postgres://admin:hunter2secret@evil.test/db ",
    "password=q7Zk3xV9bN4mR6tY1wP5cD0s", ("xoxb-123456789012-" R20), "Well, 0123456789abcdef01234567 ",
};

static aio__stream_check mixed(int mode, size_t hold_back, bool canary) {
  aio__stream_check check = fresh(canary ? "=====-0123456789abcdef01234567" : "");
  check.mode = (aio__check_mode)mode;
  check.hold_back = hold_back;
  check.hosts = AIO__LIT("example.com, *.example.com");
  return check;
}

static bool keep_first(void *ctx, const aio__output_finding *finding) {
  size_t *first = ctx;
  if (finding->verdict == AIO__VERDICT_BLOCK && finding->start < *first) *first = finding->start;
  return true;
}

/* How much stands before the first that blocks. */
static size_t clean_part(const aio__stream_check *check, aio__str text) {
  size_t first = text.n;
  aio__output_finding host;
  assert_int_equal(aio__output_guard_each(check->guard, text, 0, check->canary, NULL, keep_first, &first), AIORCH_OK);
  if (aio__output_hosts_find(check->hosts, text, 0, &host) && host.start < first) first = host.start;
  return first;
}

static void same_in_pieces(const char *text, size_t n, int mode, size_t hold_back, bool canary) {
  static const size_t steps[] = {1, 2, 3, 7, 16, 33, 100, 257, 1000};
  aio__stream_check whole = mixed(mode, hold_back, canary);
  aiorch_status st = look_once(&whole, text, true);
  aio__buf expected = out;
  size_t clean = clean_part(&whole, aio__str_n(text, n));
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    aio__stream_check check = mixed(mode, hold_back, canary);
    aiorch_status in_pieces = feed(&check, aio__str_n(text, n), steps[i]);
    if (in_pieces != st) { /* which of several findings is the first to block may differ */
      fail_msg("mode %d by %zu: %d (%s) instead of %d (%s) in %s", mode, steps[i], in_pieces, check.finding.rule, st, whole.finding.rule, text);
    }
    if (st == AIORCH_OK && (out.n != expected.n || memcmp(aio__buf_cstr(&out), aio__buf_cstr(&expected), out.n) != 0)) {
      fail_msg("mode %d by %zu: %s\ninstead of\n%s\nof\n%s", mode, steps[i], aio__buf_cstr(&out), aio__buf_cstr(&expected), text);
    }
    if (mode != AIO__CHECK_REDACT && memcmp(aio__buf_cstr(&out), text, out.n) != 0) fail_msg("changed: %s", aio__buf_cstr(&out));
    if (mode == AIO__CHECK_BLOCK && out.n > clean) fail_msg("by %zu: %s", steps[i], aio__buf_cstr(&out));
    assert_int_equal(check.redacted, st == AIORCH_OK ? whole.redacted : check.redacted);
    assert_int_equal(check.finding.verdict, whole.finding.verdict);
    aio__buf_free(&out);
  }
  aio__buf_free(&expected);
}

static void test_feed__any_mixture_streamed_is_as_whole(void **state) {
  (void)state;
  static char text[8192];
  uint32_t seed = 4;
  for (int round = 0; round < 200; round++) {
    text[0] = '\0';
    seed = seed * 1664525u + 1013904223u;
    int count = 1 + (int)(seed >> 28);
    for (int i = 0; i < count; i++) {
      seed = seed * 1664525u + 1013904223u;
      strcat(text, pieces[(seed >> 16) % (sizeof pieces / sizeof *pieces)]);
    }
    int mode = round % 3;
    same_in_pieces(text, strlen(text), mode, round % 2 ? 64 : 300, round % 5 == 0);
  }
}

static void test_feed__too_many_findings_in_one_look_are_blocked(void **state) {
  (void)state;
  static char text[40000];
  text[0] = '\0';
  size_t n = 0;
  while (n < 8000) {
    memcpy(text + n, "//a.b\"//c.d'", 12);
    n += 12;
  }
  aio__stream_check check = fresh("");
  check.hosts = AIO__LIT("example.com");
  check.mode = AIO__CHECK_REDACT;
  check.hold_back = 65536;
  assert_int_equal(feed(&check, aio__str_n(text, n), n), AIORCH_E_OUTPUT_BLOCKED);
  aio__buf_free(&out);
}

static void test_feed__flagging_releases_and_remembers(void **state) {
  (void)state;
  static const char canary[] = "=====-0123456789abcdef01234567";
  aio__stream_check check = fresh(canary);
  check.mode = AIO__CHECK_FLAG;
  assert_int_equal(feed(&check, aio__str_z(canary), 100), AIORCH_OK);
  assert_int_equal(out.n, strlen(canary));
  assert_int_equal(check.finding.verdict, AIO__VERDICT_BLOCK);
  aio__buf_free(&out);
}

static void test_feed__characters_are_not_split(void **state) {
  (void)state;
  static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1, 2, 3, 4, 1 bytes */
  static const size_t whole_to[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
  for (size_t n = 1; n <= 11; n++) {
    aio__stream_check check = fresh("");
    check.guard = NULL;
    aio__buf_init(&out, aio__alloc_default(), 100);
    assert_int_equal(aio__stream_check_feed(&check, aio__str_n(text, n), false, &out), AIORCH_OK);
    assert_int_equal(out.n, whole_to[n]);
    aio__buf_free(&out);
  }
}

static void test_feed__what_is_not_utf8_is_refused_at_once_or_at_the_end(void **state) {
  (void)state;
  static const char *const bad[] = {"a\xff", "a\xc3(", "a\xed\xa0\x80", "a\x80", "a\xc0\xaf", "a\xf5\x80\x80\x80"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    aio__stream_check check = fresh("");
    check.guard = NULL;
    assert_int_equal(feed(&check, aio__str_z(bad[i]), 100), AIORCH_E_RESPONSE);
    aio__buf_free(&out);
  }
  aio__stream_check check = fresh("");
  aio__buf_init(&out, aio__alloc_default(), 100);
  assert_int_equal(aio__stream_check_feed(&check, aio__str_z("a\xe2\x82"), false, &out), AIORCH_OK);
  assert_int_equal(aio__stream_check_feed(&check, aio__str_z("a\xe2\x82"), true, &out), AIORCH_E_RESPONSE);
  aio__buf_free(&out);
}

/* While more may come: only what may be the begin of a character is waited for. */
static void test_feed__the_begin_of_a_character_is_waited_for(void **state) {
  (void)state;
  static const struct {
    const char *text;
    aiorch_status status;
  } rows[] = {
    {"a\xc2", AIORCH_OK},           {"a\xdf", AIORCH_OK},           {"a\xe0", AIORCH_OK},
    {"a\xef\xbf", AIORCH_OK},       {"a\xf0", AIORCH_OK},           {"a\xf4\x8f\xbf", AIORCH_OK},
    {"a\xc1", AIORCH_E_RESPONSE},   {"a\xf5", AIORCH_E_RESPONSE},   {"a\xff", AIORCH_E_RESPONSE},
    {"a\x80", AIORCH_E_RESPONSE},   {"a\xc3(", AIORCH_E_RESPONSE},  {"a\xe2(", AIORCH_E_RESPONSE},
    {"a\xe0\x80\x80", AIORCH_E_RESPONSE}, {"a\xf0\x80\x80\x80", AIORCH_E_RESPONSE}, /* whole, and no character */
    {"a\xf0\x9f(", AIORCH_E_RESPONSE}, {"a\xf0(", AIORCH_E_RESPONSE}, {"a\xe2\x82(", AIORCH_E_RESPONSE},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    aio__stream_check check = fresh("");
    check.guard = NULL;
    aio__buf_init(&out, aio__alloc_default(), 100);
    assert_int_equal(aio__stream_check_feed(&check, aio__str_z(rows[i].text), false, &out), rows[i].status);
    aio__buf_free(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_feed__clean_text_comes_out_whole),
      cmocka_unit_test(test_feed__a_long_word_is_held_up_to_a_bound),
      cmocka_unit_test(test_feed__a_split_canary_is_never_released),
      cmocka_unit_test(test_feed__no_secret_goes_out_however_it_is_split),
      cmocka_unit_test(test_feed__no_secret_goes_out_at_any_cut),
      cmocka_unit_test(test_feed__the_verdict_waits_for_what_follows),
      cmocka_unit_test(test_feed__what_is_found_at_the_very_end),
      cmocka_unit_test(test_redact__one_is_whole_and_another_at_the_end),
      cmocka_unit_test(test_feed__a_word_far_into_the_text_is_held_as_well),
      cmocka_unit_test(test_redact__a_key_without_an_end_takes_all_that_follows),
      cmocka_unit_test(test_redact__a_leak_inside_a_key_blocks),
      cmocka_unit_test(test_hosts__others_are_blocked_flagged_or_replaced),
      cmocka_unit_test(test_hosts__are_judged_when_they_are_whole),
      cmocka_unit_test(test_undecided__a_private_key_needs_no_end),
      cmocka_unit_test(test_undecided__a_url_that_may_go_on),
      cmocka_unit_test(test_undecided__not_for_ever),
      cmocka_unit_test(test_undecided__holds_from_its_begin),
      cmocka_unit_test(test_take__the_first_that_blocks_is_told),
      cmocka_unit_test(test_take__goes_on_after_what_is_undecided),
      cmocka_unit_test(test_take__a_graver_finding_is_not_forgotten),
      cmocka_unit_test(test_redact__findings_inside_of_others),
      cmocka_unit_test(test_redact__all_of_a_long_token),
      cmocka_unit_test(test_hold__of_a_text_that_is_one_word),
      cmocka_unit_test(test_hold__what_a_word_is),
      cmocka_unit_test(test_hold__the_least_and_the_wish),
      cmocka_unit_test(test_hold__looks_are_rare),
      cmocka_unit_test(test_feed__nothing_and_too_much),
      cmocka_unit_test(test_feed__any_mixture_streamed_is_as_whole),
      cmocka_unit_test(test_feed__too_many_findings_in_one_look_are_blocked),
      cmocka_unit_test(test_feed__flagging_releases_and_remembers),
      cmocka_unit_test(test_feed__characters_are_not_split),
      cmocka_unit_test(test_feed__the_begin_of_a_character_is_waited_for),
      cmocka_unit_test(test_feed__what_is_not_utf8_is_refused_at_once_or_at_the_end),
  };
  return cmocka_run_group_tests(tests, make_guard, free_guard);
}
