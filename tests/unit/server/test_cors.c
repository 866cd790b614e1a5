/* examples/server/cors.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cors.h"

#include <strings.h>

static const char *const *sent; /* name, value, ..., NULL */

static const char *find(const http_request *request, const char *name) {
  (void)request;
  for (const char *const *at = sent; at && *at; at += 2) {
    if (strcasecmp(at[0], name) == 0) return at[1];
  }
  return NULL;
}

static http_request request_of(const char *method, const char *const *headers) {
  http_request request = {.path = "/v1/models", .find_header = find};
  snprintf(request.method, sizeof request.method, "%s", method);
  sent = headers;
  return request;
}

static const char *value_of(const http_headers *headers, const char *name) {
  const char *at = headers->lines.data, *end = at ? at + headers->lines.len : NULL;
  while (at < end) {
    const char *value = at + strlen(at) + 1;
    if (strcasecmp(at, name) == 0) return value;
    at = value + strlen(value) + 1;
  }
  return NULL;
}

static cors made(const char *list) {
  cors c;
  char why[256];
  assert_true(cors_read(&c, list, 600, why));
  return c;
}

static void test_cors_read__what_is_no_origin(void **state) {
  const char *const bad[] = {"app.example.org", "https://", "https://a.example/", "https://*.example.org", "null"};
  cors c;
  char why[256];
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(cors_read(&c, bad[i], 600, why));
  assert_false(cors_read(&c, "https://good.example, nonsense", 600, why));
  assert_non_null(strstr(why, "nonsense"));
}

static void test_cors_headers__listed_origin(void **state) {
  const char *const headers[] = {"Origin", "https://app.example", NULL};
  cors c = made("https://other.example, https://app.example");
  http_request request = request_of("GET", headers);
  http_headers out = {0};
  http_problem why;
  (void)state;
  assert_true(cors_allows(&c, &request, &why));
  cors_headers(&c, &request, &out);
  assert_string_equal(value_of(&out, "Access-Control-Allow-Origin"), "https://app.example");
  assert_string_equal(value_of(&out, "Vary"), "Origin");
  assert_non_null(strstr(value_of(&out, "Access-Control-Expose-Headers"), "x-ratelimit-remaining-requests"));
  assert_null(value_of(&out, "Access-Control-Allow-Credentials"));
  headers_free(&out);
  cors_free(&c);
}

static void test_cors_allows__foreign_pages_are_refused(void **state) {
  const char *const foreign[] = {"Origin", "https://evil.example", "Host", "api.example", NULL};
  const char *const nobody[] = {"Origin", "null", "Host", "api.example", NULL};
  const char *const own[] = {"Origin", "http://api.example", "Host", "api.example", NULL};
  const char *const longer[] = {"Origin", "https://app.example.evil.example", "Host", "api.example", NULL};
  cors c = made("https://app.example"), none = made("");
  http_headers out = {0};
  http_problem why;
  (void)state;
  http_request request = request_of("POST", foreign);
  assert_false(cors_allows(&c, &request, &why));
  assert_int_equal(why.status, 403);
  assert_false(cors_allows(&none, &request, &why));
  cors_headers(&c, &request, &out);
  assert_null(value_of(&out, "Access-Control-Allow-Origin"));
  assert_string_equal(value_of(&out, "Vary"), "Origin");
  request = request_of("POST", nobody);
  assert_false(cors_allows(&c, &request, &why));
  request = request_of("POST", longer);
  assert_false(cors_allows(&c, &request, &why));
  request = request_of("POST", own);
  assert_true(cors_allows(&c, &request, &why));
  cors_headers(&c, &request, &out);
  assert_null(value_of(&out, "Access-Control-Allow-Origin"));
  request = request_of("POST", NULL);
  assert_true(cors_allows(&none, &request, &why));
  headers_free(&out);
  cors_free(&c);
  cors_free(&none);
}

static void test_cors_headers__preflight_gives_back_names_alone(void **state) {
  const char *const good[] = {"Origin", "https://app.example", "Access-Control-Request-Method", "POST",
                              "Access-Control-Request-Headers", "authorization, x-stainless-os", NULL};
  const char *const bad[] = {"Origin", "https://app.example", "Access-Control-Request-Method", "POST",
                             "Access-Control-Request-Headers", "a\"b;c", NULL};
  const char *const foreign[] = {"Origin", "https://evil.example", "Access-Control-Request-Method", "POST", NULL};
  cors c = made("*"), listed = made("https://app.example");
  http_headers out = {0}, none = {0}, refused = {0};
  (void)state;
  http_request request = request_of("OPTIONS", good);
  cors_headers(&c, &request, &out);
  assert_string_equal(value_of(&out, "Access-Control-Allow-Origin"), "https://app.example");
  assert_string_equal(value_of(&out, "Access-Control-Allow-Headers"), "authorization, x-stainless-os");
  assert_string_equal(value_of(&out, "Access-Control-Allow-Methods"), "GET, POST, DELETE");
  assert_string_equal(value_of(&out, "Access-Control-Max-Age"), "600");
  request = request_of("OPTIONS", bad);
  cors_headers(&c, &request, &none);
  assert_null(value_of(&none, "Access-Control-Allow-Headers"));
  request = request_of("OPTIONS", foreign);
  cors_headers(&listed, &request, &refused);
  assert_null(value_of(&refused, "Access-Control-Allow-Origin"));
  assert_null(value_of(&refused, "Access-Control-Allow-Methods"));
  headers_free(&out);
  headers_free(&none);
  headers_free(&refused);
  cors_free(&c);
  cors_free(&listed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cors_read__what_is_no_origin),
      cmocka_unit_test(test_cors_headers__listed_origin),
      cmocka_unit_test(test_cors_allows__foreign_pages_are_refused),
      cmocka_unit_test(test_cors_headers__preflight_gives_back_names_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
