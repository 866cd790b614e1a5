/* examples/server/identity.c label: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "identity.h"
#include "server_settings.h"

#include <stdlib.h>
#include <strings.h>

#include "support/made_tokens.h"

enum { NOW = 1700000000 };

#define SECRET "0123456789abcdef0123456789abcdef"
#define CLAIMS "{\"iss\":\"me\",\"aud\":\"api\",\"exp\":1700000100,\"sub\":\"u\",\"org\":{\"id\":\"acme\"}}"

static const char *sent[16]; /* name, value, ... */

static const char *find(const http_request *request, const char *name) {
  (void)request;
  for (size_t i = 0; sent[i]; i += 2) {
    if (strcasecmp(sent[i], name) == 0) return sent[i + 1];
  }
  return NULL;
}

static http_request request_with(const char *name, const char *value, const char *other, const char *other_value) {
  http_request request = {.method = "POST", .path = "/ask", .address = "203.0.113.7", .find_header = find};
  const char *const all[] = {name, value, other, other_value, NULL};
  memcpy(sent, all, sizeof all);
  return request;
}

static const char *const tokens[] = {"jwt.algorithms", "HS256", "jwt.secret", SECRET, "jwt.issuer", "me", "jwt.audience", "api",
                                     "jwt.tenant_claim", "org.id", NULL};
static const char *const nobody[] = {"anonymous", "true", "anonymous_per_minute", "2", "trusted_proxies", "203.0.113.7", NULL};

/* With the store in memory; `change` sets more. */
static identity *open_with(const char *const *settings, const char *name, const char *value, char why[512]) {
  server_settings s;
  aiorch_config *config;
  char said[256];
  server_settings_init(&s);
  for (; *settings; settings += 2) assert_true(server_settings_set(&s, settings[0], settings[1], said));
  if (name) assert_true(server_settings_set(&s, name, value, said));
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_config_set_str(config, "store", "memory", 6, NULL), AIORCH_OK);
  identity *ids = identity_open(&s, config, why);
  aiorch_config_free(config);
  server_settings_free(&s);
  return ids;
}

static char *bearer(const char *token) {
  cli_bytes text = {0};
  cli_addf(&text, "Bearer %s", token);
  return text.data;
}

static void test_identity_find__by_token(void **state) {
  char why[512], *token = made_token("HS256", SECRET, "{\"kid\":\"one\"}", CLAIMS), *header = bearer(token);
  identity *ids = open_with(tokens, NULL, NULL, why);
  caller who;
  http_problem problem;
  (void)state;
  assert_non_null(ids);
  for (int i = 0; i < 2; i++) { /* the second time it is known */
    http_request request = request_with("authorization", header, "x-tenant", "evil");
    assert_true(identity_find(ids, &request, NOW, &who, &problem));
    assert_string_equal(who.tenant, "acme");
    assert_string_equal(who.user, "u");
    assert_string_equal(who.credential, "jwt:one");
    assert_false(who.anonymous || who.read_only);
  }
  http_request request = request_with("x-api-key", token, NULL, NULL);
  assert_true(identity_find(ids, &request, NOW, &who, &problem));
  assert_true(identity_find(ids, &request, NOW + 129, &who, &problem)); /* 100, and the leeway of 30 */
  assert_false(identity_find(ids, &request, NOW + 130, &who, &problem));
  assert_int_equal(problem.status, 401);
  assert_string_equal(problem.code, "token_expired");
  identity_close(ids);
  free(token);
  free(header);
}

static void check_refused(identity *ids, const http_request *request, int status, const char *code) {
  caller who;
  http_problem problem;
  assert_false(identity_find(ids, request, NOW, &who, &problem));
  assert_int_equal(problem.status, status);
  assert_string_equal(problem.code, code);
}

static void test_identity_find__what_is_refused(void **state) {
  char why[512], *token = made_token("HS256", SECRET, "{}", CLAIMS), *header = bearer(token);
  char *forged = made_token("HS256", SECRET "x", "{}", CLAIMS);
  identity *ids = open_with(tokens, NULL, NULL, why);
  (void)state;
  http_request request = request_with(NULL, NULL, NULL, NULL);
  check_refused(ids, &request, 401, "missing_api_key");
  request = request_with("authorization", "Basic dTpw", NULL, NULL);
  check_refused(ids, &request, 401, "invalid_api_key");
  request = request_with("authorization", "Bearer ", NULL, NULL);
  check_refused(ids, &request, 401, "invalid_api_key");
  request = request_with("authorization", "Bearer sk-something", NULL, NULL);
  check_refused(ids, &request, 401, "invalid_api_key");
  request = request_with("authorization", "Bearer aik_something", NULL, NULL); /* there is no place for keys */
  check_refused(ids, &request, 401, "invalid_api_key");
  request = request_with("x-api-key", forged, NULL, NULL);
  check_refused(ids, &request, 401, "invalid_token");
  request = request_with("authorization", header, "x-api-key", forged);
  check_refused(ids, &request, 401, "invalid_api_key");
  request = request_with("authorization", header, "origin", "https://evil.example");
  check_refused(ids, &request, 403, "origin_not_allowed");
  identity_close(ids);
  free(token);
  free(header);
  free(forged);
}

static void test_identity_find__nobody_in_particular(void **state) {
  char why[512];
  identity *ids = open_with(nobody, NULL, NULL, why);
  caller who;
  http_problem problem;
  (void)state;
  assert_non_null(ids);
  http_request request = request_with("x-forwarded-for", "6.6.6.6, 198.51.100.9", NULL, NULL);
  assert_true(identity_find(ids, &request, NOW, &who, &problem));
  assert_string_equal(who.tenant, "default");
  assert_string_equal(who.user, "ip:198.51.100.9");
  assert_true(who.anonymous && who.read_only);
  assert_int_equal(who.left.limit, 2);
  assert_int_equal(who.left.remaining, 1);
  assert_true(identity_find(ids, &request, NOW, &who, &problem));
  assert_false(identity_find(ids, &request, NOW, &who, &problem));
  assert_int_equal(problem.status, 429);
  assert_true(problem.retry_after_ms > 0);
  request = request_with("x-forwarded-for", "2001:db8:1:2::9", NULL, NULL);
  assert_true(identity_find(ids, &request, NOW, &who, &problem));
  assert_string_equal(who.user, "ip:2001:db8:1:2::/64");
  request = request_with("authorization", "Bearer wrong", NULL, NULL); /* who says a name must have it */
  check_refused(ids, &request, 401, "invalid_api_key");
  identity_close(ids);
}

static void test_identity_find__by_another_name(void **state) {
  char why[512], *token = made_token("HS256", SECRET, "{}", CLAIMS), *header = bearer(token);
  const struct {
    const char *const *base;
    const char *hosts, *host;
    bool with_token, let_in;
  } cases[] = {
      {nobody, NULL, "evil.example:8484", false, false},
      {nobody, NULL, "127.0.0.1:8484", false, true},
      {nobody, "ai.example", "ai.example", false, true},
      {nobody, "ai.example", "evil.example", false, false},
      {nobody, "*", "evil.example", false, true},
      {tokens, NULL, "evil.example", true, true}, /* no page has the token */
      {tokens, "ai.example", "ai.example", true, true},
      {tokens, "ai.example", "evil.example", true, false},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    identity *ids = open_with(cases[i].base, cases[i].hosts ? "hosts" : NULL, cases[i].hosts, why);
    http_request request = request_with("host", cases[i].host, cases[i].with_token ? "authorization" : NULL, header);
    caller who;
    http_problem problem;
    bool let_in = identity_find(ids, &request, NOW, &who, &problem);
    if (let_in != cases[i].let_in) fail_msg("case %zu", i);
    if (!let_in) assert_string_equal(problem.code, "host_not_allowed");
    bool open_to = identity_open_to(ids, &request, &problem);
    assert_int_equal(open_to, cases[i].let_in);
    identity_close(ids);
  }
  free(token);
  free(header);
}

static void test_identity_open__settings_that_do_not_go_together(void **state) {
  const char *const none[] = {NULL};
  const struct {
    const char *const *base;
    const char *name, *value, *words;
  } cases[] = {
      {none, NULL, NULL, "server.keys"},
      {tokens, "jwt.algorithms", "HS512", "jwt.algorithms"},
      {tokens, "jwt.algorithms", "HS256,RS256", "jwt.jwks"},
      {tokens, "jwt.secret", "short", "jwt.secret"},
      {tokens, "jwt.issuer", "", "jwt.issuer"},
      {tokens, "jwt.audience", "", "jwt.audience"},
      {tokens, "jwt.tenant", "both", "jwt.tenant_claim"},
      {tokens, "jwt.tenant_claim", "", "jwt.tenant_claim"},
      {tokens, "jwt.tenant_claim", "user_metadata.tenant", "jwt.tenant_claim"},
      {tokens, "jwt.role_claim", "role", "jwt.roles"},
      {tokens, "jwt.user_claim", "", "jwt.user_claim"},
      {nobody, "trusted_proxies", "10.0.0.0/8, nonsense", "nonsense"},
      {nobody, "cors.origins", "app.example", "cors.origins"},
      {nobody, "anonymous_tenant", "", "anonymous_tenant"},
      {nobody, "hosts", "ai.example:443", "server.hosts"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char why[512] = "";
    assert_null(open_with(cases[i].base, cases[i].name, cases[i].value, why));
    if (!strstr(why, cases[i].words)) print_message("%zu: %s\n", i, why);
    assert_non_null(strstr(why, cases[i].words));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_identity_find__by_token),
      cmocka_unit_test(test_identity_find__what_is_refused),
      cmocka_unit_test(test_identity_find__nobody_in_particular),
      cmocka_unit_test(test_identity_find__by_another_name),
      cmocka_unit_test(test_identity_open__settings_that_do_not_go_together),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
