/* lib/net/exchange.c: a head, a body and the limits of time, without a socket and in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/exchange.h"
#include "support/test_alloc.h"
#include "support/virtual_clock.h"

static virtual_clock clock_;

static aio__exchange *open_exchange(const aio__alloc *al, aio__exchange_limits limits) {
  aio__wire_request wire;
  aio__exchange_request *request;
  aio__exchange *e;
  virtual_clock_init(&clock_);
  aio__wire_request_init(&wire, aio__alloc_default());
  assert_int_equal(aio__buf_z(&wire.url, "https://api.example.test:8443/v1?key=hidden"), AIORCH_OK);
  assert_int_equal(aio__buf_z(&wire.body, "{}"), AIORCH_OK);
  assert_int_equal(aio__wire_add_key(&wire, AIO__LIT("x-api-key"), AIO__LIT(""), AIO__LIT("sk-ant-0123456789"), NULL), AIORCH_OK);
  assert_int_equal(aio__exchange_copy_request(al, &wire, &request, NULL), AIORCH_OK);
  aio__wire_request_free(&wire);
  if (limits.deadline_ns > 0) limits.deadline_ns += clock_.monotonic_ns;
  assert_int_equal(aio__exchange_new(al, &clock_.clock, request, &limits, NULL, &e), AIORCH_OK);
  return e;
}

static void close_exchange(aio__exchange *e) {
  aio__exchange_release(e);
  aio__exchange_release(e);
}

static bool add_head(aio__exchange *e, const char *head) {
  bool well = true;
  while (well && *head) {
    const char *end = strchr(head, '\n') + 1;
    well = aio__exchange_add_line(e, aio__str_n(head, (size_t)(end - head)));
    head = end;
  }
  return well;
}

static void test_copy_request__what_the_library_is_given(void **state) {
  (void)state;
  aio__exchange *e = open_exchange(aio__alloc_default(), (aio__exchange_limits){0});
  assert_true(aio__str_eqz(e->request->origin, "https://api.example.test:8443"));
  assert_true(aio__str_eqz(e->request->host, "api.example.test:8443"));
  assert_string_equal(e->request->method, "POST");
  assert_string_equal(e->request->lines[0], "x-api-key: sk-ant-0123456789");
  assert_string_equal(e->request->lines[1], "Expect:");
  assert_string_equal(e->request->lines[2], "Content-Type:");
  assert_int_equal(e->request->line_count, 3);
  assert_string_equal(e->request->body, "{}");
  close_exchange(e);
}

static void test_add_line__a_head_is_there_when_it_is_whole(void **state) {
  (void)state;
  aio__exchange *e = open_exchange(aio__alloc_default(), (aio__exchange_limits){0});
  assert_true(add_head(e, "HTTP/1.1 100 Continue\r\nX-Not: this\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\nno header\r\n: none\r\nB:2  \r\n"));
  assert_null(aio__exchange_head(e));
  assert_true(add_head(e, "\r\n"));
  const aio__wire_reply *reply = aio__exchange_head(e);
  assert_non_null(reply);
  assert_int_equal(reply->http_status, 200);
  assert_int_equal(reply->header_count, 2);
  assert_true(aio__str_eqz(aio__wire_get(reply, "b"), "2"));
  assert_true(aio__str_eqz(aio__wire_get(reply, "x-not"), ""));
  assert_true(add_head(e, "Trailer: later\r\n\r\n"));
  assert_int_equal(reply->header_count, 2);
  close_exchange(e);
}

static void test_add_line__what_is_no_head(void **state) {
  (void)state;
  static const char *const heads[] = {"HTTP/1.1 OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "\r\n", "HTTP/1.1 2x0 OK\r\n\r\n"};
  for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
    aio__exchange *e = open_exchange(aio__alloc_default(), (aio__exchange_limits){0});
    assert_false(add_head(e, heads[i]));
    assert_int_equal(e->failed, AIORCH_E_RESPONSE);
    close_exchange(e);
  }
}

static void test_add_line__limits(void **state) {
  (void)state;
  aio__exchange *e = open_exchange(aio__alloc_default(), (aio__exchange_limits){0});
  assert_true(add_head(e, "HTTP/1.1 200 OK\r\n"));
  for (int i = 0; i < AIO__EXCHANGE_HEADERS_MAX; i++) assert_true(add_head(e, "A: 1\r\n"));
  assert_true(add_head(e, "B: 1\r\n"));
  assert_false(add_head(e, "\r\n"));
  assert_int_equal(e->failed, AIORCH_E_TOO_LARGE);
  close_exchange(e);
  e = open_exchange(aio__alloc_default(), (aio__exchange_limits){0});
  for (size_t i = 0; i < AIO__EXCHANGE_HEAD_MAX / 16; i++) assert_true(add_head(e, "A: 34567890123\r\n"));
  assert_false(add_head(e, "A\n"));
  assert_int_equal(e->failed, AIORCH_E_TOO_LARGE);
  assert_non_null(strstr(e->why, "AIO__EXCHANGE_HEAD_MAX"));
  close_exchange(e);
}

static void test_add_body__pauses_when_the_buffer_is_full_and_fails_above_the_limit(void **state) {
  (void)state;
  aio__exchange *e = open_exchange(aio__alloc_default(), (aio__exchange_limits){.response_max = 10, .buffer_max = 4});
  aio__buf body;
  aio__wire_error error;
  aio__buf_init(&body, aio__alloc_default(), 100);
  assert_true(add_head(e, "HTTP/1.1 200 OK\r\n\r\n"));
  assert_true(aio__exchange_add_body(e, AIO__LIT("123")));
  assert_false(aio__exchange_pauses(e));
  assert_true(aio__exchange_add_body(e, AIO__LIT("4567")));
  assert_true(aio__exchange_pauses(e));
  assert_false(aio__exchange_pauses(e));
  assert_false(aio__exchange_resumes(e));
  assert_int_equal(aio__exchange_take(e, &body), AIORCH_OK);
  assert_true(aio__exchange_resumes(e));
  assert_false(aio__exchange_resumes(e));
  assert_true(aio__exchange_add_body(e, AIO__LIT("890")));
  assert_false(aio__exchange_add_body(e, AIO__LIT("1")));
  assert_int_equal(e->failed, AIORCH_E_TOO_LARGE);
  aio__exchange_end(e, e->failed, e->why);
  assert_int_equal(aio__exchange_state(e, &error), AIORCH_PENDING); /* something is left to take */
  assert_int_equal(aio__exchange_take(e, &body), AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&body), "1234567890");
  assert_int_equal(aio__exchange_state(e, &error), AIORCH_E_TOO_LARGE);
  assert_int_equal(error.http_status, 200);
  aio__buf_free(&body);
  close_exchange(e);
}

static void expect_limit(aio__exchange *e, int64_t ms, aiorch_status want, const char *words) {
  aio__wire_error error;
  assert_int_equal(aio__exchange_due(e), clock_.monotonic_ns + ms * 1000000);
  virtual_clock_advance_ms(&clock_, ms - 1);
  assert_false(aio__exchange_overdue(e));
  virtual_clock_advance_ms(&clock_, 1);
  assert_true(aio__exchange_overdue(e));
  assert_false(aio__exchange_overdue(e));
  assert_int_equal(aio__exchange_due(e), AIO__NEVER);
  assert_int_equal(aio__exchange_state(e, &error), want);
  assert_non_null(strstr(error.message, words));
  assert_non_null(strstr(error.message, "api.example.test:8443: "));
  assert_null(strstr(error.message, "hidden"));
  close_exchange(e);
}

static const aio__exchange_limits ALL = {.connect_ms = 10, .first_byte_ms = 20, .idle_ms = 30};
static const aio__exchange_limits LAST = {.deadline_ns = 5000000, .connect_ms = 10, .first_byte_ms = 20, .idle_ms = 30};

static aio__exchange *in_phase(aio__exchange_limits limits, aio__exchange_phase phase) {
  aio__exchange *e = open_exchange(aio__alloc_default(), limits);
  e->phase = phase;
  e->turn_ns = clock_.monotonic_ns;
  if (phase == AIO__EXCHANGE_SENDING) aio__exchange_connected(e);
  if (phase == AIO__EXCHANGE_AWAITING) e->sent_ns = clock_.monotonic_ns;
  if (phase == AIO__EXCHANGE_READING) assert_true(add_head((e->phase = AIO__EXCHANGE_AWAITING, e), "HTTP/1.1 200 OK\r\n\r\n"));
  return e;
}

static void test_overdue__each_limit_by_its_name(void **state) {
  (void)state;
  expect_limit(in_phase(ALL, AIO__EXCHANGE_CONNECTING), 10, AIORCH_E_NETWORK, "no connection within 10 ms (connect limit)");
  expect_limit(in_phase(ALL, AIO__EXCHANGE_SENDING), 30, AIORCH_E_NETWORK, "took nothing of the request for 30 ms (idle limit)");
  expect_limit(in_phase(ALL, AIO__EXCHANGE_AWAITING), 20, AIORCH_E_NETWORK, "within 20 ms after the request (first byte limit)");
  expect_limit(in_phase(ALL, AIO__EXCHANGE_READING), 30, AIORCH_E_NETWORK, "for 30 ms in the midst of the reply (idle limit)");
}

static void test_overdue__the_deadline_in_each_phase(void **state) {
  (void)state;
  expect_limit(in_phase(LAST, AIO__EXCHANGE_WAITING), 5, AIORCH_E_DEADLINE, "http.connections_max");
  expect_limit(in_phase(LAST, AIO__EXCHANGE_CONNECTING), 5, AIORCH_E_DEADLINE, "while connecting");
  expect_limit(in_phase(LAST, AIO__EXCHANGE_SENDING), 5, AIORCH_E_DEADLINE, "while the request was being sent");
  expect_limit(in_phase(LAST, AIO__EXCHANGE_AWAITING), 5, AIORCH_E_DEADLINE, "while waiting for the reply");
  expect_limit(in_phase(LAST, AIO__EXCHANGE_READING), 5, AIORCH_E_DEADLINE, "in the midst of the reply");
}

static void test_due__a_paused_transfer_is_not_idle(void **state) {
  (void)state;
  aio__exchange *e = in_phase((aio__exchange_limits){.idle_ms = 30, .buffer_max = 1}, AIO__EXCHANGE_READING);
  aio__buf body;
  aio__buf_init(&body, aio__alloc_default(), 100);
  assert_true(aio__exchange_add_body(e, AIO__LIT("xx")));
  assert_true(aio__exchange_pauses(e));
  assert_int_equal(aio__exchange_due(e), AIO__NEVER);
  virtual_clock_advance_ms(&clock_, 1000);
  assert_int_equal(aio__exchange_take(e, &body), AIORCH_OK);
  assert_true(aio__exchange_resumes(e));
  assert_int_equal(aio__exchange_due(e), clock_.monotonic_ns + 30 * INT64_C(1000000));
  aio__buf_free(&body);
  close_exchange(e);
}

/* Whatever the library below says, and whatever the service did: no key comes out. */
static void test_end__no_key_in_the_words(void **state) {
  (void)state;
  aio__exchange *e = open_exchange(aio__alloc_default(), (aio__exchange_limits){0});
  aio__wire_error error;
  aio__exchange_end(e, AIORCH_E_NETWORK, "the connection broke: at sk-ant-0123456789 it was");
  assert_int_equal(aio__exchange_state(e, &error), AIORCH_E_NETWORK);
  assert_null(strstr(error.message, "0123456789"));
  assert_non_null(strstr(error.message, "the connection broke"));
  assert_int_equal(error.retry_after_ms, -1);
  close_exchange(e);
}

static void test_all__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__test_alloc_next(&t);
    aio__wire_request wire;
    aio__exchange_request *request = NULL;
    aio__exchange *e = NULL;
    aio__wire_request_init(&wire, aio__alloc_default());
    aio__buf_z(&wire.url, "http://h/");
    aiorch_status status = aio__exchange_copy_request(&t.al, &wire, &request, NULL);
    if (status == AIORCH_OK) status = aio__exchange_new(&t.al, &clock_.clock, request, &ALL, NULL, &e);
    if (status == AIORCH_OK) {
      if (!add_head(e, "HTTP/1.1 200 OK\r\nA: 1\r\n\r\n") || !aio__exchange_add_body(e, AIO__LIT("x"))) status = e->failed;
      close_exchange(e);
    }
    aio__wire_request_free(&wire);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_copy_request__what_the_library_is_given),
    cmocka_unit_test(test_add_line__a_head_is_there_when_it_is_whole),
    cmocka_unit_test(test_add_line__what_is_no_head),
    cmocka_unit_test(test_add_line__limits),
    cmocka_unit_test(test_add_body__pauses_when_the_buffer_is_full_and_fails_above_the_limit),
    cmocka_unit_test(test_overdue__each_limit_by_its_name),
    cmocka_unit_test(test_overdue__the_deadline_in_each_phase),
    cmocka_unit_test(test_due__a_paused_transfer_is_not_idle),
    cmocka_unit_test(test_end__no_key_in_the_words),
    cmocka_unit_test(test_all__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
