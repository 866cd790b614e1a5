/* lib/net/proxy.c. A real proxy is in tests/fault/proxy_faults.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/proxy.h"
#include "support/test_alloc.h"

static const char *const names[] = {"aio_test_proxy", "AIO_TEST_PROXY", NULL};

static void expect_words(const char *value, const char *through, const char *login) {
  aio__proxy proxy;
  setenv("aio_test_proxy", value, 1);
  assert_int_equal(aio__proxy_read(aio__alloc_default(), names, &proxy), AIORCH_OK);
  unsetenv("aio_test_proxy");
  assert_string_equal(proxy.url, value);
  assert_string_equal(proxy.through, through);
  assert_int_equal(proxy.login.n, strlen(login));
  assert_memory_equal(proxy.login.p, login, strlen(login));
  aio__proxy_free(aio__alloc_default(), &proxy);
}

static void test_proxy_read__words_without_the_login(void **state) {
  (void)state;
  expect_words("http://10.1.2.3:8080", "through the proxy http://10.1.2.3:8080 (aio_test_proxy)", "");
  expect_words("http://kim:s3cret@proxy:8080", "through the proxy http://proxy:8080 (aio_test_proxy)", "kim:s3cret");
  expect_words("kim:s3cret@proxy:8080", "through the proxy proxy:8080 (aio_test_proxy)", "kim:s3cret");
  expect_words("http://kim:a@b@proxy", "through the proxy http://proxy (aio_test_proxy)", "kim:a@b");
  expect_words("http://kim:a/b@proxy", "through the proxy http://proxy (aio_test_proxy)", "kim:a/b");
  expect_words("socks5h://kim@[::1]:1080/", "through the proxy socks5h://[::1]:1080/ (aio_test_proxy)", "kim");
  expect_words("http://@proxy", "through the proxy http://proxy (aio_test_proxy)", "");
}

static void test_proxy_read__the_first_that_is_not_empty(void **state) {
  (void)state;
  aio__proxy proxy;
  setenv("aio_test_proxy", "", 1);
  assert_int_equal(aio__proxy_read(aio__alloc_default(), names, &proxy), AIORCH_OK);
  assert_null(proxy.url);
  aio__proxy_free(aio__alloc_default(), &proxy);
  setenv("AIO_TEST_PROXY", "http://second", 1);
  assert_int_equal(aio__proxy_read(aio__alloc_default(), names, &proxy), AIORCH_OK);
  assert_string_equal(proxy.through, "through the proxy http://second (AIO_TEST_PROXY)");
  aio__proxy_free(aio__alloc_default(), &proxy);
  unsetenv("aio_test_proxy");
  unsetenv("AIO_TEST_PROXY");
}

static void test_proxy_read__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__proxy proxy;
  size_t rounds = 0;
  aiorch_status status;
  aio__test_alloc_init(&t);
  setenv("aio_test_proxy", "http://kim:s3cret@proxy", 1);
  do {
    aio__test_alloc_next(&t);
    status = aio__proxy_read(&t.al, names, &proxy);
    if (status == AIORCH_OK) aio__proxy_free(&t.al, &proxy);
    else assert_int_equal(status, AIORCH_E_NOMEM);
    assert_int_equal(t.live, 0);
    assert_true(++rounds < 10);
  } while (status != AIORCH_OK);
  assert_int_equal(rounds, 3);
  unsetenv("aio_test_proxy");
}

static void test_proxy_shows__name_or_password(void **state) {
  (void)state;
  aio__proxy proxy;
  setenv("aio_test_proxy", "http://kim:s3cret@proxy", 1);
  assert_int_equal(aio__proxy_read(aio__alloc_default(), names, &proxy), AIORCH_OK);
  unsetenv("aio_test_proxy");
  assert_true(aio__proxy_shows(&proxy, "Unsupported proxy 'http://kim:s3cret@proxy'"));
  assert_true(aio__proxy_shows(&proxy, "password s3cret"));
  assert_false(aio__proxy_shows(&proxy, "Failed to connect to proxy port 80"));
  aio__proxy_free(aio__alloc_default(), &proxy);
}

static void test_proxy_spares__hosts(void **state) {
  (void)state;
  static const struct {
    const char *list, *host;
    bool spared;
  } rows[] = {
      {NULL, "a.test", false},           {"", "a.test", false},                {"*", "a.test:443", true},
      {"a.test", "a.test", true},        {"a.test", "A.Test:443", true},       {"a.test", "b.a.test", true},
      {".a.test", "a.test", true},       {".a.test", "b.a.test:1", true},      {"a.test", "ba.test", false},
      {"b.a.test", "a.test", false},     {"x, a.test", "a.test", true},        {"x a.test,y", "a.test.", true},
      {"a.test.", "a.test", true},       {",, ,", "a.test", false},            {".", "a.test", false},
      {"127.0.0.1", "127.0.0.1:8080", true}, {"0.0.1", "127.0.0.1", false},    {"127.0.0.0/8", "127.9.9.9", true},
      {"10.0.0.0/9", "10.128.0.1", false}, {"10.0.0.0/9", "10.127.0.1:1", true}, {"10.0.0.0/33", "10.0.0.0", false},
      {"10.0.0.0/", "10.0.0.0", false},  {"10.0.0.0/x", "10.0.0.0", false},    {"0.0.0.0/0", "9.9.9.9", true},
      {"::1", "[::1]:443", true},        {"[::1]", "[::1]", true},             {"fd00::/8", "[fd12::1]:1", true},
      {"fd00::/8", "[fe80::1]", false},  {"::/0", "10.0.0.0", false},          {"a.test", "", false},
      {"a.test", "[::1", false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_int_equal(aio__proxy_spares(rows[i].list, aio__str_z(rows[i].host)), rows[i].spared);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_proxy_read__words_without_the_login),
      cmocka_unit_test(test_proxy_read__the_first_that_is_not_empty),
      cmocka_unit_test(test_proxy_read__out_of_memory),
      cmocka_unit_test(test_proxy_shows__name_or_password),
      cmocka_unit_test(test_proxy_spares__hosts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
