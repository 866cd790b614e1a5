/* What the extractive provider writes: cleaned prose, markers, rows, and what follows a ':'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "providers/extractive_private.h"
#include "support/virtual_clock.h"

typedef struct fixture {
  virtual_clock clock;
  aio__counters counters;
  aio__log *log;
  aio__calls *calls;
  aiorch_call *call;
  aio__buf out;
  aio__answer_writer w;
} fixture;

static aiorch_status wait_slot(void *self, aiorch_call *call) {
  (void)self;
  (void)call;
  return AIORCH_SLOT_PENDING;
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  aio__call_request request;
  if (!f) return -1;
  memset(&request, 0, sizeof request);
  virtual_clock_init(&f->clock);
  const aio__alloc *al = aio__alloc_default();
  if (aio__log_new(al, &f->clock.clock, NULL, NULL, &f->log) != AIORCH_OK) return -1;
  if (aio__calls_new(al, &f->clock.clock, f->log, &f->counters, &f->calls) != AIORCH_OK) return -1;
  if (aio__call_new(f->calls, AIO__CALL_GENERATE, &request, NULL, AIO__NEVER, 1 << 20, &f->call)) return -1;
  aio__call_start(f->call, wait_slot, NULL, NULL, 0, NULL);
  aio__buf_init(&f->out, al, 1 << 20);
  aio__answer_begin(&f->w, f->call, 1 << 16);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  aiorch_call_finish(f->call, AIORCH_OK);
  aio__call_drop(f->call);
  aio__buf_free(&f->out);
  aio__calls_free(f->calls);
  aio__log_free(f->log);
  free(f);
  return 0;
}

static const char *written(fixture *f) {
  aio__answer_flush(&f->w);
  assert_int_equal(f->w.status, AIORCH_OK);
  aio__buf_reset(&f->out);
  assert_int_equal(aio__call_take_text(f->call, &f->out), AIORCH_OK);
  return aio__buf_cstr(&f->out);
}

static void test_answer_prose__cleans(void **state) {
  fixture *f = *state;
  static const char *const cases[][2] = {
      {"Two\n  lines\tbecome   one. ", "Two lines become one."},
      {"A **strong** word and 2**3 stay apart.", "A strong word and 2**3 stay apart."},
      {"See [the page](http://x/y(z) now.", "See the page now."},
      {"An [open bracket and a [pair] stay.", "An [open bracket and a [pair] stay."},
      {"Known [12]. Also [3], but a[1] and [1234] stay.", "Known. Also, but a[1] and [1234] stay."},
      {"Code `a  [1] **b**` is kept.", "Code `a  [1] **b**` is kept."},
      {"An odd ` mark.", "An odd ` mark."},
      {"A term\n: what it is.", "A term: what it is."},
      {"[", "["},
      {"**", "**"},
      {"", ""}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aio__answer_prose(&f->w, AIO__UNIT_SENTENCE, aio__str_z(cases[i][0]));
    assert_string_equal(written(f), cases[i][1]);
  }
}

static void test_answer_prose__rows(void **state) {
  fixture *f = *state;
  static const char *const cases[][2] = {
      {"| a | b | c |", "a: b; c"}, {"|a|", "a"}, {"| a | | c |", "a: c"}, {"||", ""}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aio__answer_prose(&f->w, AIO__UNIT_ROW, aio__str_z(cases[i][0]));
    assert_string_equal(written(f), cases[i][1]);
  }
}

static void test_answer_prose__a_long_one_is_cut(void **state) {
  fixture *f = *state;
  char text[5000];
  for (size_t i = 0; i < sizeof text; i += 2) memcpy(text + i, "\xC3\xA4", 2);
  aio__answer_prose(&f->w, AIO__UNIT_SENTENCE, aio__str_n(text, sizeof text));
  const char *out = written(f);
  assert_int_equal(strlen(out), AIO__UNIT_BYTES_MAX);
  assert_int_equal(aio__utf8_check(aio__str_z(out), NULL), AIO__UNIT_BYTES_MAX);
}

static void test_answer_marker__numbers(void **state) {
  fixture *f = *state;
  aio__answer_marker(&f->w, 1);
  aio__answer_marker(&f->w, 100);
  assert_string_equal(written(f), " [1] [100]");
}

static void test_answer_begin__the_limit_splits_no_character(void **state) {
  fixture *f = *state;
  aio__answer_begin(&f->w, f->call, 3);
  aio__answer_z(&f->w, "ab\xE2\x82\xAC" "cd");
  assert_true(f->w.full);
  assert_string_equal(written(f), "ab\xE2\x82\xAC");
}

static void test_answer_flush__pieces_of_any_length_arrive_whole(void **state) {
  fixture *f = *state;
  for (int i = 0; i < 300; i++) aio__answer_z(&f->w, "0123456789");
  const char *out = written(f);
  assert_int_equal(strlen(out), 3000);
  for (size_t i = 0; i < 3000; i++) assert_int_equal(out[i], '0' + (int)(i % 10));
}

static const char *follow(fixture *f, const char *text) {
  const char *colon = strchr(text, ':');
  aio__answer_follow(&f->w, aio__str_z(text), (size_t)(colon - text) + 1);
  return written(f);
}

static void test_answer_follow__code(void **state) {
  fixture *f = *state;
  assert_string_equal(follow(f, "So:\n\n```sql\n\nSELECT 1;\n  -- x\n```\nMore."), "\n\n```\nSELECT 1;\n  -- x\n```");
  assert_string_equal(follow(f, "So:\n\n    a\n      b\n\nMore."), "\n\n```\na\n  b\n```");
  assert_string_equal(follow(f, "So:\n\n```\n```\nMore."), "");
}

static void test_answer_follow__long_code_is_cut_at_a_line(void **state) {
  fixture *f = *state;
  char text[2000] = "So:\n```\n";
  for (int i = 0; i < 60; i++) strcat(text, "line of code\n");
  strcat(text, "```\n");
  const char *out = follow(f, text);
  assert_non_null(strstr(out, "line of code\n...\n```"));
  size_t lines = 0;
  for (const char *at = out; (at = strstr(at, "line of code\n")) != NULL; at++) lines++;
  assert_true(lines > 5 && lines < 60);
}

static void test_answer_follow__a_list_and_its_end(void **state) {
  fixture *f = *state;
  assert_string_equal(follow(f, "So:\n- One. More of one.\n- Two\n\nText."), "\n- One. More of one.\n- Two");
  const char *out = follow(f, "So:\n- 1\n- 2\n- 3\n- 4\n- 5\n- 6\n- 7\n- 8\n");
  assert_non_null(strstr(out, "- 6"));
  assert_null(strstr(out, "- 7"));
}

static void test_answer_follow__nothing_to_follow(void **state) {
  fixture *f = *state;
  assert_string_equal(follow(f, "So:"), "");
  assert_string_equal(follow(f, "So:\n\nA paragraph.\n"), "");
  assert_string_equal(follow(f, "So:\n# Heading\n"), "");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_answer_prose__cleans),
      TEST(test_answer_prose__rows),
      TEST(test_answer_prose__a_long_one_is_cut),
      TEST(test_answer_marker__numbers),
      TEST(test_answer_begin__the_limit_splits_no_character),
      TEST(test_answer_flush__pieces_of_any_length_arrive_whole),
      TEST(test_answer_follow__code),
      TEST(test_answer_follow__long_code_is_cut_at_a_line),
      TEST(test_answer_follow__a_list_and_its_end),
      TEST(test_answer_follow__nothing_to_follow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
