/* lib/net/sse.c: every stream is fed whole, byte by byte, and split at every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/error.h>

#include "net/sse.h"
#include "support/test_alloc.h"

/* Events as text: "type|data\n" each. */
static aiorch_status note(void *ctx, const aio__sse_event *event) {
  aio__buf *out = ctx;
  aio__buf_str(out, event->type);
  aio__buf_char(out, '|');
  aio__buf_str(out, event->data);
  return aio__buf_char(out, '\n');
}

static void expect_split(const char *stream, size_t n, size_t at, const char *want) {
  aio__sse sse;
  aio__buf out;
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  aio__sse_init(&sse, aio__alloc_default(), 1 << 16);
  if (at == SIZE_MAX) {
    for (size_t i = 0; i < n; i++) {
      char byte = stream[i]; /* gone after the call, as a network's buffer */
      assert_int_equal(aio__sse_feed(&sse, aio__str_n(&byte, 1), note, &out), AIORCH_OK);
    }
  } else {
    char *head = malloc(at + 1), *tail = malloc(n - at + 1);
    assert_true(head && tail);
    memcpy(head, stream, at);
    memcpy(tail, stream + at, n - at);
    assert_int_equal(aio__sse_feed(&sse, aio__str_n(head, at), note, &out), AIORCH_OK);
    free(head);
    assert_int_equal(aio__sse_feed(&sse, aio__str_n(tail, n - at), note, &out), AIORCH_OK);
    free(tail);
  }
  assert_int_equal(aio__sse_end(&sse, note, &out), AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&out), want);
  aio__sse_free(&sse);
  aio__buf_free(&out);
}

static void expect(const char *stream, size_t n, const char *want) {
  expect_split(stream, n, SIZE_MAX, want);
  for (size_t at = 0; at <= n; at++) expect_split(stream, n, at, want);
}

#define EXPECT(stream, want) expect(stream, sizeof(stream) - 1, want)

static void test_feed__events_split_at_every_byte(void **state) {
  (void)state;
  EXPECT("data: one\n\ndata: two\n\n", "|one\n|two\n");
  EXPECT("event: ping\ndata: {}\n\n", "ping|{}\n");
  EXPECT("data: {}\nevent: late\n\n", "late|{}\n");
  EXPECT("data: a\ndata: b\ndata:c\n\n", "|a\nb\nc\n");
  EXPECT("data:  two spaces keep one\n\n", "| two spaces keep one\n");
  EXPECT("data\n\n", "|\n");          /* a field without a colon, and an event with an empty line of data */
  EXPECT("data:\ndata:\n\n", "|\n\n");
  EXPECT("event: nothing\n\ndata: x\n\n", "|x\n"); /* an event without data is none, and takes its type along */
  EXPECT("event: a\ndata: x\n\ndata: y\n\n", "a|x\n|y\n"); /* nothing of an event is left for the next, however short */
  EXPECT("event: first\nevent: b\ndata: x\n\n", "b|x\n"); /* the last one names it */
  EXPECT("data: \n\n", "|\n");
  EXPECT("\n\n\n", "");
}

/* A line that came in two pieces, and behind it one that is cut again: what is kept of the first is not the second's. */
static void test_feed__cut_in_three(void **state) {
  (void)state;
  static const char stream[] = "data: x\nevent: late\ndata: y\n\n";
  size_t n = sizeof stream - 1;
  for (size_t first = 0; first <= n; first++) {
    for (size_t second = first; second <= n; second++) {
      aio__sse sse;
      aio__buf out;
      aio__buf_init(&out, aio__alloc_default(), 1 << 20);
      aio__sse_init(&sse, aio__alloc_default(), 1 << 16);
      assert_int_equal(aio__sse_feed(&sse, aio__str_n(stream, first), note, &out), AIORCH_OK);
      assert_int_equal(aio__sse_feed(&sse, aio__str_n(stream + first, second - first), note, &out), AIORCH_OK);
      assert_int_equal(aio__sse_feed(&sse, aio__str_n(stream + second, n - second), note, &out), AIORCH_OK);
      assert_string_equal(aio__buf_cstr(&out), "late|x\ny\n");
      aio__sse_free(&sse);
      aio__buf_free(&out);
    }
  }
}

static void test_feed__ends_of_lines(void **state) {
  (void)state;
  EXPECT("data: one\r\n\r\ndata: two\r\n\r\n", "|one\n|two\n");
  EXPECT("data: one\r\rdata: two\r\r", "|one\n|two\n");
  EXPECT("data: one\n\rdata: two\r\n\n", "|one\n|two\n");
  EXPECT("data: a\r\ndata: b\r\n\r\n", "|a\nb\n"); /* a CRLF is no empty line */
  EXPECT("data: one\r\rdata: two\n\ndata: three\n\n", "|one\n|two\n|three\n");
  EXPECT("data: \xE2\x82\xAC\n\n", "|\xE2\x82\xAC\n"); /* a character split over two reads */
}

static void test_feed__comments_and_unknown_fields(void **state) {
  (void)state;
  EXPECT(": OPENROUTER PROCESSING\n\n:\n\ndata: x\n\n", "|x\n");
  EXPECT("id: 7\nretry: 10\nfoo: bar\nDATA: no\n data: no\ndata: yes\n\n", "|yes\n");
  aio__sse sse;
  aio__sse_init(&sse, aio__alloc_default(), 100);
  assert_int_equal(aio__sse_feed(&sse, aio__str_z(": a\n: b\ndata: x\n"), note, NULL), AIORCH_OK);
  assert_int_equal(sse.comments, 2);
  aio__sse_free(&sse);
}

static void test_feed__byte_order_mark(void **state) {
  (void)state;
  EXPECT("\xEF\xBB\xBF" "data: x\n\n", "|x\n");
  EXPECT("\xEF\xBB\xBF\xEF\xBB\xBF" "data: x\n\ndata: y\n\n", "|y\n"); /* the second belongs to the line, which is then unknown */
  EXPECT("\xEF" "data: x\n\ndata: y\n\n", "|y\n");
  EXPECT("\xEF\xBB" "data: x\n\ndata: y\n\n", "|y\n");
}

static void test_end__an_event_without_its_blank_line(void **state) {
  (void)state;
  EXPECT("data: [DONE]", "|[DONE]\n");
  EXPECT("data: a\n", "|a\n");
  EXPECT("data: a\n\nevent: x", "|a\n");
}

static aiorch_status refuse(void *ctx, const aio__sse_event *event) {
  int *seen = ctx;
  (void)event;
  return ++*seen == 2 ? AIORCH_E_RESPONSE : AIORCH_OK;
}

static void test_feed__what_take_returns_ends_it(void **state) {
  (void)state;
  aio__sse sse;
  int seen = 0;
  aio__sse_init(&sse, aio__alloc_default(), 100);
  assert_int_equal(aio__sse_feed(&sse, aio__str_z("data: a\n\ndata: b\n\ndata: c\n\n"), refuse, &seen), AIORCH_E_RESPONSE);
  assert_int_equal(seen, 2);
  aio__sse_free(&sse);
}

static void test_feed__limits(void **state) {
  (void)state;
  aio__sse sse;
  aio__buf out;
  char line[64];
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  memset(line, 'a', sizeof line);
  aio__sse_init(&sse, aio__alloc_default(), 32);
  assert_int_equal(aio__sse_feed(&sse, aio__str_n(line, 20), note, &out), AIORCH_OK);
  assert_int_equal(aio__sse_feed(&sse, aio__str_n(line, 20), note, &out), AIORCH_E_TOO_LARGE); /* a line that never ends */
  aio__sse_free(&sse);
  aio__sse_init(&sse, aio__alloc_default(), 32);
  line[63] = '\n';
  assert_int_equal(aio__sse_feed(&sse, aio__str_n(line, 64), note, &out), AIORCH_E_TOO_LARGE);
  aio__sse_free(&sse);
  aio__sse_init(&sse, aio__alloc_default(), 32);
  aiorch_status st = AIORCH_OK;
  for (int i = 0; i < 10 && st == AIORCH_OK; i++) st = aio__sse_feed(&sse, aio__str_z("data: 0123456789\n"), note, &out);
  assert_int_equal(st, AIORCH_E_TOO_LARGE); /* lines without end */
  aio__sse_free(&sse);
  assert_int_equal(out.n, 0);
  aio__buf_free(&out);
}

/* As many bytes as the limit pass, in a line that is whole and in one that comes in pieces; with one more they do not. */
static void test_feed__a_line_of_just_the_limit(void **state) {
  (void)state;
  static const char line[] = "data: 0123456789012345678901234\n\n"; /* 31 bytes, and the ends of two lines */
  for (size_t cut = 0; cut < 2; cut++) {
    for (size_t max = 30; max <= 32; max++) {
      aio__sse sse;
      aio__buf out;
      aio__buf_init(&out, aio__alloc_default(), 1 << 20);
      aio__sse_init(&sse, aio__alloc_default(), max);
      aiorch_status st = aio__sse_feed(&sse, aio__str_n(line, 5 * cut), note, &out);
      assert_int_equal(st, AIORCH_OK);
      st = aio__sse_feed(&sse, aio__str_z(line + 5 * cut), note, &out);
      assert_int_equal(st, max < 31 ? AIORCH_E_TOO_LARGE : AIORCH_OK);
      assert_string_equal(aio__buf_cstr(&out), max < 31 ? "" : "|0123456789012345678901234\n");
      aio__sse_free(&sse);
      aio__buf_free(&out);
    }
  }
}

/* No limit of the caller's is above that of all. */
static void test_init__the_limit_of_all(void **state) {
  (void)state;
  aio__sse sse;
  aio__sse_init(&sse, aio__alloc_default(), SIZE_MAX);
  assert_int_equal(sse.max, AIO__SSE_EVENT_MAX);
  aio__sse_free(&sse);
}

/* In two parts, so that lines and data are kept between them. */
static void fail_each_allocation(const char *stream, size_t at, const char *want) {
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__sse sse;
    aio__buf out;
    aio__buf_init(&out, aio__alloc_default(), 1 << 20);
    aio__test_alloc_next(&t);
    aio__sse_init(&sse, &t.al, 1 << 16);
    aiorch_status st = aio__sse_feed(&sse, aio__str_n(stream, at), note, &out);
    if (st == AIORCH_OK) st = aio__sse_feed(&sse, aio__str_z(stream + at), note, &out);
    if (st == AIORCH_OK) st = aio__sse_end(&sse, note, &out);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    if (t.failed == 0) assert_string_equal(aio__buf_cstr(&out), want);
    aio__sse_free(&sse);
    aio__buf_free(&out);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

static void test_feed__out_of_memory(void **state) {
  (void)state;
  static const struct {
    const char *stream, *want;
  } rows[] = {
    {"event: a\ndata: x\ndata: y\n\ndata: z", "a|x\ny\n|z\n"},
    {"data: x\n\ndata: y\n\n", "|x\n|y\n"},
    {"\xEF\xBB!\n\ndata: y\n\n", "|y\n"},
    {"data: x\n: comment\n\n", "|x\n"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    for (size_t at = 0; at <= strlen(rows[i].stream); at++) fail_each_allocation(rows[i].stream, at, rows[i].want);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_feed__events_split_at_every_byte),
    cmocka_unit_test(test_feed__cut_in_three),
    cmocka_unit_test(test_feed__ends_of_lines),
    cmocka_unit_test(test_feed__comments_and_unknown_fields),
    cmocka_unit_test(test_feed__byte_order_mark),
    cmocka_unit_test(test_end__an_event_without_its_blank_line),
    cmocka_unit_test(test_feed__what_take_returns_ends_it),
    cmocka_unit_test(test_feed__limits),
    cmocka_unit_test(test_feed__a_line_of_just_the_limit),
    cmocka_unit_test(test_init__the_limit_of_all),
    cmocka_unit_test(test_feed__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
