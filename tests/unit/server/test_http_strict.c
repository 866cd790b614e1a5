/* examples/server/http_strict.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http_front_private.h"

#include <stdlib.h>

static const http_limits limits = {.head_bytes = 1024, .uri_bytes = 256};

static strict_verdict look(const char *data, size_t len, http_problem *why) {
  char *copy = malloc(len + 1); /* of its own size: a byte too far is seen by a sanitizer */
  assert_non_null(copy);
  memcpy(copy, data, len);
  char *exact = realloc(copy, len ? len : 1);
  strict_verdict verdict = strict_first(exact, len, &limits, why);
  free(exact);
  return verdict;
}

#define HOST "Host: x\r\n"

static void test_strict_first__good_however_much_is_here(void **state) {
  static const char *const heads[] = {
      "GET / HTTP/1.1\r\n" HOST "\r\n",
      "GET /a?b=c%20d HTTP/1.1\r\nHost:x\r\nX-A: \t b c \r\nX-B:\r\n\r\n",
      "POST /ask HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n",
      "POST /ask HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
      "GET / HTTP/1.1\n" "Host: x\n" "\n",
      "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n",
      "M-SEARCH / HTTP/1.1\r\n" HOST "\r\n",
  };
  (void)state;
  for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
    size_t len = strlen(heads[i]);
    http_problem why;
    for (size_t n = 0; n < len; n++) {
      if (look(heads[i], n, &why) != STRICT_MORE) fail_msg("%zu bytes of %s", n, heads[i]);
    }
    assert_int_equal(look(heads[i], len, &why), STRICT_GOOD);
  }
}

static void refused(const char *data, size_t len, int status) {
  http_problem why;
  bool bad = false;
  for (size_t n = 0; n <= len; n++) { /* what is bad stays so */
    strict_verdict verdict = look(data, n, &why);
    if (verdict == STRICT_GOOD || (bad && verdict != STRICT_BAD)) fail_msg("%zu bytes of %s", n, data);
    if (verdict == STRICT_BAD) bad = true;
  }
  if (!bad || why.status != status) fail_msg("%d, not %d: %s", bad ? why.status : 0, status, data);
}

static void test_strict_first__bad_and_why(void **state) {
  static const struct {
    const char *data;
    int status;
  } heads[] = {
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
      {"GET / HTTP/1.1\r\n" HOST "X-A: b\r\n c\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" HOST "X-A\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" HOST "X A: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" HOST "X-A: b\x01\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" HOST "X-A: b\rc\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"GET /\r\n" HOST "\r\n", 400},
      {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
      {"GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
      {" GET / HTTP/1.1\r\n" HOST "\r\n", 400},
      {"GET\r\n\r\n", 400},
      {"\r\n\r\n\r\n\r\n\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
      {"GET / HTTP/0.9\r\n" HOST "\r\n", 505},
  };
  (void)state;
  for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) refused(heads[i].data, strlen(heads[i].data), heads[i].status);
  refused("GET / HTTP/1.1\r\n" HOST "X-A: b\0c\r\n\r\n", sizeof "GET / HTTP/1.1\r\n" HOST "X-A: b\0c\r\n\r\n" - 1, 400);
  refused("\x16\x03\x01", 3, 400);
}

static void test_strict_first__too_much(void **state) {
  cli_bytes head = {0};
  (void)state;
  cli_addf(&head, "GET /%0300d HTTP/1.1\r\n" HOST "\r\n", 0);
  refused(head.data, head.len, 414);
  cli_clear(&head);
  cli_addf(&head, "GET /%02000d", 0);
  refused(head.data, head.len, 414);
  cli_clear(&head);
  cli_addf(&head, "GET / HTTP/1.1\r\n" HOST "X-A: %02000d", 0);
  refused(head.data, head.len, 431);
  cli_clear(&head);
  cli_addz(&head, "GET / HTTP/1.1\r\n" HOST); /* what each header costs the library */
  for (int i = 0; i < 100; i++) cli_addz(&head, "a: b\r\n");
  cli_addz(&head, "\r\n");
  refused(head.data, head.len, 431);
  cli_release(&head);
}

/* As the library lays out what it has read. */
static const char *place(const char *data, size_t len, size_t second_name) {
  strict_head head = {0};
  const char *name = data + 2;
  strict_place(&head, data, 1, name, strlen(name));
  const char *other = data + second_name;
  strict_place(&head, other, 1, other + 2, strlen(other + 2));
  head.hosts = 1;
  (void)len;
  strict_end(&head, true);
  return head.bad;
}

static void test_strict_place__what_hides_behind_a_nul(void **state) {
  (void)state;
  static const char good[] = "A\0b\0\0C\0d\0\0\0\0", line_feed[] = "A\0b\0C\0d\0\0", hidden[] = "A\0b\0hid\0\0C\0d\0\0\0\0", last[] = "A\0b\0\0C\0d\0h\0\0\0\0";
  assert_null(place(good, sizeof good, 5));
  assert_null(place(line_feed, sizeof line_feed, 4));
  assert_non_null(place(hidden, sizeof hidden, 9));
  assert_non_null(place(last, sizeof last, 5));
}

static void test_strict_place__a_line_that_goes_on(void **state) {
  static const char buffer[] = "Host\0x\0\0A\0b\0\0\0\0Afolded"; /* such a name is put behind all that was read */
  const char *elsewhere = buffer + 16;
  strict_head head = {.hosts = 1};
  (void)state;
  strict_place(&head, buffer, 4, buffer + 5, 1);
  strict_place(&head, elsewhere, 7, buffer + 10, 1);
  strict_end(&head, true);
  assert_non_null(head.bad);
  head = (strict_head){.hosts = 1}; /* a library that keeps all names elsewhere */
  strict_place(&head, elsewhere, 7, buffer + 10, 1);
  strict_end(&head, true);
  assert_null(head.bad);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_strict_first__good_however_much_is_here),
      cmocka_unit_test(test_strict_first__bad_and_why),
      cmocka_unit_test(test_strict_first__too_much),
      cmocka_unit_test(test_strict_place__what_hides_behind_a_nul),
      cmocka_unit_test(test_strict_place__a_line_that_goes_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
