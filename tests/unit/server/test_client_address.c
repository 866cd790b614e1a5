/* examples/server/client_address.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client_address.h"

static net_list networks(const char *text) {
  net_list list;
  const char *wrong;
  assert_true(net_list_read(text, &list, &wrong));
  return list;
}

static void check_client(const char *trusted, const char *peer, const char *forwarded, const char *expected) {
  net_list list = networks(trusted);
  net_address found;
  char text[ADDRESS_TEXT_MAX];
  assert_true(client_address_of(&list, peer, forwarded, &found));
  net_address_text(&found, text);
  assert_string_equal(text, expected);
}

static void test_client_address_of__no_trusted_proxy(void **state) {
  (void)state;
  check_client("", "203.0.113.7", "198.51.100.1", "203.0.113.7");
  check_client("10.0.0.0/8", "203.0.113.7", "198.51.100.1", "203.0.113.7");
  check_client("10.0.0.0/8", "203.0.113.7", NULL, "203.0.113.7");
}

static void test_client_address_of__last_that_is_no_proxy(void **state) {
  (void)state;
  check_client("10.0.0.0/8", "10.0.0.1", "198.51.100.1", "198.51.100.1");
  check_client("10.0.0.0/8", "10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1");
  check_client("10.0.0.0/8", "10.0.0.1", "6.6.6.6, 198.51.100.1, 10.9.9.9", "198.51.100.1");
  check_client("10.0.0.0/8", "10.0.0.1", "198.51.100.1:5512,10.2.2.2", "198.51.100.1");
  check_client("::1, 10.0.0.0/8", "::1", "[2001:db8::7]:443", "2001:db8::7");
  check_client("127.0.0.1", "::ffff:127.0.0.1", "2001:db8::7", "2001:db8::7");
  check_client("127.0.0.1", "", "192.0.2.4", "192.0.2.4");
}

static void test_client_address_of__nonsense_is_the_proxys(void **state) {
  (void)state;
  check_client("10.0.0.0/8", "10.0.0.1", "unknown", "10.0.0.1");
  check_client("10.0.0.0/8", "10.0.0.1", "", "10.0.0.1");
  check_client("10.0.0.0/8", "10.0.0.1", "1.2.3.4, ;;;, 10.0.0.3", "10.0.0.3");
  check_client("10.0.0.0/8", "10.0.0.1", ",,,", "10.0.0.1");
  check_client("0.0.0.0/0", "10.0.0.1", "1.2.3.4, 5.6.7.8", "1.2.3.4");
}

static void test_client_address_of__no_address(void **state) {
  net_list list = networks("");
  net_address found;
  (void)state;
  assert_false(client_address_of(&list, "somewhere", NULL, &found));
}

static void test_net_list_read__networks(void **state) {
  net_list list = networks(" 192.0.2.0/25 ,2001:db8::/33, 10.1.2.3");
  net_address a;
  (void)state;
  const struct {
    const char *text;
    bool in;
  } cases[] = {{"192.0.2.127", true}, {"192.0.2.128", false}, {"::ffff:192.0.2.1", true}, {"2001:db8:7fff::1", true},
               {"2001:db8:8000::1", false}, {"10.1.2.3", true}, {"10.1.2.4", false}, {"fe80::1%eth0", false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_true(net_address_read(cases[i].text, strlen(cases[i].text), &a));
    assert_int_equal(net_list_has(&list, &a), cases[i].in);
  }
}

static void test_net_list_read__what_is_none(void **state) {
  const char *const bad[] = {"10.0.0.0/33", "::/129", "10.0.0", "example.org", "10.0.0.0/", "10.0.0.0/8x", "1.2.3.4 5.6.7.8"};
  net_list list;
  const char *wrong;
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(net_list_read(bad[i], &list, &wrong));
  assert_false(net_list_read("10.0.0.0/8, oops", &list, &wrong));
  assert_string_equal(wrong, "oops");
}

static void test_client_address_group__ipv6_household(void **state) {
  net_address a, b, group_a, group_b;
  char text[ADDRESS_TEXT_MAX];
  (void)state;
  assert_true(net_address_read("2001:db8:1:2:3:4:5:6", 20, &a));
  assert_true(net_address_read("2001:db8:1:2:ffff::1", 20, &b));
  client_address_group(&a, &group_a);
  client_address_group(&b, &group_b);
  assert_memory_equal(&group_a, &group_b, sizeof group_a);
  net_address_text(&group_a, text);
  assert_string_equal(text, "2001:db8:1:2::");
  assert_true(net_address_read("192.0.2.200", 11, &a));
  client_address_group(&a, &group_a);
  assert_memory_equal(&a, &group_a, sizeof a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_client_address_of__no_trusted_proxy),
      cmocka_unit_test(test_client_address_of__last_that_is_no_proxy),
      cmocka_unit_test(test_client_address_of__nonsense_is_the_proxys),
      cmocka_unit_test(test_client_address_of__no_address),
      cmocka_unit_test(test_net_list_read__networks),
      cmocka_unit_test(test_net_list_read__what_is_none),
      cmocka_unit_test(test_client_address_group__ipv6_household),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
