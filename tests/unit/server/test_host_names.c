/* examples/server/host_names.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host_names.h"

#include <strings.h>

static const char *sent_host;

static const char *find(const http_request *request, const char *name) {
  (void)request;
  if (strcasecmp(name, "x-forwarded-host") == 0) return "localhost";
  return strcasecmp(name, "host") == 0 ? sent_host : NULL;
}

static bool allows(const char *list, const char *host, http_problem *why) {
  http_request request = {.method = "POST", .path = "/ask", .find_header = find};
  host_names names;
  char said[256];
  assert_true(host_names_read(&names, list, said));
  sent_host = host;
  bool allowed = host_names_allow(&names, &request, why);
  host_names_free(&names);
  return allowed;
}

static void test_host_names_read__what_is_no_name(void **state) {
  const char *const bad[] = {"https://ai.example.org", "ai.example.org:443", "ai.example.org/", ".example.org", "a..b", "*.", "**.example.org", "a b/c", "[::1]"};
  host_names names;
  char why[256];
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(host_names_read(&names, bad[i], why));
  assert_false(host_names_read(&names, "ai.example.org, http://b", why));
  assert_non_null(strstr(why, "http://b"));
  assert_true(host_names_read(&names, "", why));
  assert_false(names.any || names.names.count > 0);
}

static void test_host_names_allow__names_of_nobody(void **state) {
  const char *const good[] = {"127.0.0.1", "127.0.0.1:8484", "203.0.113.7:80", "[::1]", "[::1]:8484", "[2001:db8::1]:8484", "localhost", "LocalHost:8484",
                              "localhost.", "localhost.:8484", "app.localhost", "a.b.localhost:1"};
  http_problem why;
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) assert_true(allows("", good[i], &why));
  assert_true(allows("", NULL, &why));
}

static void test_host_names_allow__names_of_strangers(void **state) {
  const char *const bad[] = {"evil.example", "evil.example:8484", "", ":8484", ".", "localhost.evil.example", "evillocalhost", ".localhost", "127.0.0.1.evil.example",
                             "127.1", "0x7f000001", "2130706433", "[evil.example]", "[::1].evil.example", "[::1", "::1%evil", "localhost@evil.example", "xn--evil"};
  http_problem why;
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    if (allows("", bad[i], &why)) fail_msg("\"%s\" was let through", bad[i]);
    assert_int_equal(why.status, 403);
    assert_string_equal(why.code, "host_not_allowed");
    assert_non_null(strstr(why.message, "server.hosts"));
  }
  assert_false(allows("", "evil.example:8484", &why));
  assert_non_null(strstr(why.message, "\"evil.example:8484\""));
}

static void test_host_names_allow__listed(void **state) {
  static const char list[] = "ai.example.org,*.ts.example, dotted.example.";
  http_problem why;
  (void)state;
  assert_true(allows(list, "AI.example.org", &why));
  assert_true(allows(list, "ai.example.org.:443", &why));
  assert_true(allows(list, "box.ts.example", &why));
  assert_true(allows(list, "a.box.ts.example:8484", &why));
  assert_true(allows(list, "dotted.example", &why));
  assert_true(allows(list, "127.0.0.1", &why));
  assert_false(allows(list, "ts.example", &why));
  assert_false(allows(list, ".ts.example", &why));
  assert_false(allows(list, "evilts.example", &why));
  assert_false(allows(list, "b.ai.example.org", &why));
  assert_true(allows("ai.example.org, *", "evil.example", &why));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_host_names_read__what_is_no_name),
      cmocka_unit_test(test_host_names_allow__names_of_nobody),
      cmocka_unit_test(test_host_names_allow__names_of_strangers),
      cmocka_unit_test(test_host_names_allow__listed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
