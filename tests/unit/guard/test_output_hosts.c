/* lib/guard/output_hosts.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "guard/output_hosts.h"

static void test_find__hosts_that_are_not_allowed(void **state) {
  (void)state;
  static const struct {
    const char *allowed, *text, *found;
  } rows[] = {
      {"", "https://evil.test/", NULL},
      {" ", "https://evil.test/", NULL},
      {"example.com", "https://example.com/a?b#c and HTTP://EXAMPLE.COM:8080.", NULL},
      {"example.com", "https://evil.test/x y", "https://evil.test/x"},
      {"example.com", "see (http://evil.test) now", "http://evil.test"},
      {"example.com", "https://example.com.evil.test/", "https://example.com.evil.test/"},
      {"example.com", "https://example.com@evil.test/", "https://example.com@evil.test/"},
      {"example.com", "https://user:pw@example.com/", NULL},
      {"example.com", "https://evil.test\\@example.com/", "https://evil.test\\@example.com/"},
      {"example.com", "https://www.example.com/", "https://www.example.com/"},
      {"*.example.com", "https://www.example.com/ https://a.b.example.com", NULL},
      {"*.example.com", "https://example.com/", "https://example.com/"},
      {"*.example.com", "https://evilexample.com/", "https://evilexample.com/"},
      {"a.test, b.test", "https://b.test https://a.test https://c.test", "https://c.test"},
      {"a.test", "<img src=\"//evil.test/i.png\">", "//evil.test/i.png"},
      {"a.test", "// a comment; a//b; file:///etc/passwd", NULL},
      {"a.test", "wss://evil.test and ftp://evil.test", "wss://evil.test"},
      {"a.test", "It is at https://a.test. Or https://", NULL},
      {"a.test", "It is at https://b.test/c.d, and", "https://b.test/c.d"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    aio__output_finding f = {0};
    bool found = aio__output_hosts_find(aio__str_z(rows[i].allowed), aio__str_z(rows[i].text), 0, &f);
    if (found != (rows[i].found != NULL)) fail_msg("%s: %d", rows[i].text, found);
    if (!found) continue;
    assert_int_equal(f.end - f.start, strlen(rows[i].found));
    assert_memory_equal(rows[i].text + f.start, rows[i].found, f.end - f.start);
    assert_int_equal(f.verdict, AIO__VERDICT_BLOCK);
    assert_string_equal(f.rule, "host");
  }
}

static void test_find__after(void **state) {
  (void)state;
  aio__output_finding f = {0};
  aio__str text = AIO__LIT("http://x.test http://y.test");
  assert_true(aio__output_hosts_find(AIO__LIT("a"), text, 12, &f));
  assert_int_equal(f.start, 0);
  assert_true(aio__output_hosts_find(AIO__LIT("a"), text, 13, &f));
  assert_int_equal(f.start, 14);
  assert_false(aio__output_hosts_find(AIO__LIT("a"), text, text.n, &f));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_find__hosts_that_are_not_allowed), cmocka_unit_test(test_find__after)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
