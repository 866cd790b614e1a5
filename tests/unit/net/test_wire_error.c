/* lib/net/wire_error.c: what a status means, and what of a message may be said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/error.h>

#include "net/wire.h"

static void test_status__each_class(void **state) {
  (void)state;
  static const struct {
    int32_t http;
    aiorch_status status;
  } rows[] = {{200, AIORCH_OK}, {204, AIORCH_OK}, {301, AIORCH_E_RESPONSE}, {307, AIORCH_E_RESPONSE}, {0, AIORCH_E_RESPONSE},
              {400, AIORCH_E_PROVIDER_REJECTED}, {401, AIORCH_E_PROVIDER_KEY}, {402, AIORCH_E_PROVIDER_KEY}, {403, AIORCH_E_PROVIDER_KEY},
              {404, AIORCH_E_PROVIDER_MODEL}, {405, AIORCH_E_PROVIDER_MODEL}, {407, AIORCH_E_NETWORK}, {408, AIORCH_E_PROVIDER_BUSY},
              {409, AIORCH_E_PROVIDER_BUSY}, {410, AIORCH_E_PROVIDER_MODEL}, {413, AIORCH_E_PROVIDER_REJECTED}, {422, AIORCH_E_PROVIDER_REJECTED},
              {425, AIORCH_E_PROVIDER_BUSY}, {429, AIORCH_E_PROVIDER_LIMIT}, {498, AIORCH_E_PROVIDER_BUSY}, {500, AIORCH_E_PROVIDER_BUSY},
              {502, AIORCH_E_PROVIDER_BUSY}, {503, AIORCH_E_PROVIDER_BUSY}, {504, AIORCH_E_PROVIDER_BUSY}, {529, AIORCH_E_PROVIDER_BUSY}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) assert_int_equal(aio__wire_status(rows[i].http), rows[i].status);
}

static void test_begin__headers(void **state) {
  (void)state;
  const aio__wire_header headers[] = {{AIO__LIT("Retry-After"), AIO__LIT(" 7 "), false},
                                      {AIO__LIT("X-SHOULD-RETRY"), AIO__LIT("false"), false},
                                      {AIO__LIT("x-request-id"), AIO__LIT("req_2"), false},
                                      {AIO__LIT("Request-Id"), AIO__LIT("req_1"), false}};
  aio__wire_reply reply = {.http_status = 503, .headers = headers, .header_count = 4};
  aio__wire_error error;
  aio__wire_error_begin(&error, &reply);
  assert_int_equal(error.status, AIORCH_E_PROVIDER_BUSY);
  assert_int_equal(error.http_status, 503);
  assert_int_equal(error.retry_after_ms, 7000);
  assert_int_equal(error.should_retry, 0);
  assert_string_equal(error.request_id, "req_1");
  reply = (aio__wire_reply){.http_status = 200};
  aio__wire_error_begin(&error, &reply);
  assert_int_equal(error.status, AIORCH_OK);
  assert_int_equal(error.retry_after_ms, -1);
  assert_int_equal(error.should_retry, -1);
  assert_string_equal(error.request_id, "");
}

static void expect(const char *said, const char *key, const char *want) {
  aio__wire_error error;
  aio__wire_say(&error, aio__str_z(said), aio__str_z(key));
  assert_string_equal(error.message, want);
}

static void test_say__one_line(void **state) {
  (void)state;
  expect("", "", "");
  expect("  a\r\n\t b\xE2\x80\xA8" "c \x01\x7F d ", "", "a b c d");
  expect("\xC3\xA9\xFF!", "", "\xC3\xA9?!");
}

static void test_say__without_keys(void **state) {
  (void)state;
  expect("Incorrect API key provided: sk-proj-abcdefghijklmnop. See", "", "Incorrect API key provided: [key] See");
  expect("key sk-ab12****wxyz", "", "key [key]");
  expect("bad AIzaSyA-1234567890abcdefghij!", "", "bad [key]!");
  expect("header Authorization: Bearer abcdefgh12345", "", "header Authorization: Bearer [key]");
  expect("GET https://h/v1?key=AbCdEf123456&alt=sse", "", "GET https://h/v1?key=[key]&alt=sse");
  expect("your token hunter2-and-more-of-it is bad", "hunter2-and-more-of-it", "your token [key] is bad");
  expect("begins with 'hunter2-an'", "hunter2-and-more-of-it", "begins with '[key]'");
  expect("ends with \"-of-it-\"", "hunter2-and-more-of-it-", "ends with \"-of-it-\""); /* seven bytes tell nothing */
  expect("the model gpt-6-sol-2026-10-01 of req_011CSHoEeqs5C35K2UUqR7Fy", "key-of-ours", "the model gpt-6-sol-2026-10-01 of req_011CSHoEeqs5C35K2UUqR7Fy");
  expect("sk-short", "", "sk-short");
}

static void test_say__cut_between_characters(void **state) {
  (void)state;
  char words[1500], one[1200];
  for (size_t i = 0; i + 3 <= sizeof words; i += 3) memcpy(words + i, "\xE2\x82\xAC", 3);
  aio__wire_error error;
  aio__wire_say(&error, aio__str_n(words, sizeof words), AIO__LIT(""));
  assert_int_equal(strlen(error.message), 498);
  memset(one, 'x', sizeof one);
  aio__wire_say(&error, aio__str_n(one, sizeof one), AIO__LIT(""));
  assert_int_equal(strlen(error.message), AIO__WIRE_MESSAGE_MAX);
  /* A key that the end cuts through is not shown in part. */
  memset(one, ' ', sizeof one);
  for (size_t i = 0; i < 490; i++) one[i] = i % 2 ? ' ' : 'y';
  memcpy(one + 490, "sk-abcdefghijklmnopqrstuvwxyz", 29);
  aio__wire_say(&error, aio__str_n(one, 519), AIO__LIT(""));
  assert_null(strstr(error.message, "sk-"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_status__each_class),
    cmocka_unit_test(test_begin__headers),
    cmocka_unit_test(test_say__one_line),
    cmocka_unit_test(test_say__without_keys),
    cmocka_unit_test(test_say__cut_between_characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
