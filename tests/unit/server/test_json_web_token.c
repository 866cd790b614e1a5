/* examples/server/json_web_token.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "json_web_token.h"

#include <stdlib.h>

#include "support/made_tokens.h"

enum { NOW = 1700000000 };

#define SECRET "0123456789abcdef0123456789abcdef"
#define GOOD_CLAIMS                                                                                              \
  "{\"iss\":\"https://id.example\",\"aud\":\"api\",\"exp\":1700000100,\"sub\":\"u-1\",\"role\":\"authenticated\","  \
  "\"app_metadata\":{\"tenant_id\":\"acme\"},\"user_metadata\":{\"tenant_id\":\"evil\"},"                          \
  "\"https://app.example/tenant\":\"acme-2\",\"app.dotted\":\"flat\"}"

typedef struct scene {
  jwt_rules rules;
  jwt_key_set *secret, *keys;
} scene;

static char *audiences[] = {"other", "api"};
static char *roles[] = {"authenticated"};

static scene set_up(unsigned algorithms, const char *set) {
  char why[JWT_WHY_MAX];
  scene s = {.rules = {.algorithms = algorithms, .issuer = "https://id.example", .audiences = {audiences, 2, 2}, .leeway_s = 10,
                       .tenant_claim = "app_metadata.tenant_id", .tenant = "", .user_claim = "sub", .role_claim = "role",
                       .roles = {roles, 1, 1}}};
  char *text = made_set(set);
  s.secret = jwt_keys_secret(SECRET, strlen(SECRET), why);
  s.keys = jwt_keys_parse(text, strlen(text), why);
  assert_non_null(s.secret);
  assert_non_null(s.keys);
  free(text);
  return s;
}

static void tear_down(scene *s) {
  jwt_keys_free(s->secret);
  jwt_keys_free(s->keys);
}

static jwt_verdict check_text(const scene *s, const char *token, jwt_claims *out) {
  char why[JWT_WHY_MAX] = "";
  jwt_verdict verdict = jwt_check(&s->rules, s->secret, s->keys, token, strlen(token), NOW, out, why);
  assert_true(verdict == JWT_GOOD || why[0] != '\0');
  return verdict;
}

/* Takes the token. */
static jwt_verdict check(const scene *s, char *token) {
  jwt_claims claims;
  jwt_verdict verdict = check_text(s, token, &claims);
  free(token);
  return verdict;
}

static jwt_verdict check_claims(const scene *s, const char *claims) {
  return check(s, made_token("HS256", SECRET, "{}", claims));
}

static void test_jwt_check__good_of_each_algorithm(void **state) {
  scene s = set_up(JWT_HS256 | JWT_RS256 | JWT_ES256, "rsa ec");
  const char *const made[][3] = {{"HS256", SECRET, "{\"typ\":\"JWT\"}"}, {"RS256", "rsa", "{\"kid\":\"rsa\"}"}, {"ES256", "ec", "{\"kid\":\"ec\"}"}};
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    jwt_claims claims;
    char *token = made_token(made[i][0], made[i][1], made[i][2], GOOD_CLAIMS);
    assert_int_equal(check_text(&s, token, &claims), JWT_GOOD);
    assert_string_equal(claims.tenant, "acme");
    assert_string_equal(claims.user, "u-1");
    assert_int_equal(claims.expires_s, 1700000100);
    free(token);
  }
  tear_down(&s);
}

static void test_jwt_check__algorithm_is_pinned(void **state) {
  scene s = set_up(JWT_RS256, "rsa ec");
  char *public_text = made_public_text("rsa");
  (void)state;
  assert_int_equal(check(&s, made_token("ES256", "ec", "{\"kid\":\"ec\"}", GOOD_CLAIMS)), JWT_ALGORITHM);
  assert_int_equal(check(&s, made_token("HS256", SECRET, "{}", GOOD_CLAIMS)), JWT_ALGORITHM);
  assert_int_equal(check(&s, made_token("HS256", public_text, "{\"kid\":\"rsa\"}", GOOD_CLAIMS)), JWT_ALGORITHM);
  assert_int_equal(check(&s, made_parts("{\"alg\":\"none\"}", GOOD_CLAIMS, "")), JWT_MALFORMED);
  assert_int_equal(check(&s, made_parts("{\"alg\":\"none\"}", GOOD_CLAIMS, "AA")), JWT_ALGORITHM);
  assert_int_equal(check(&s, made_parts("{\"alg\":\"nOnE\"}", GOOD_CLAIMS, "AA")), JWT_ALGORITHM);
  assert_int_equal(check(&s, made_parts("{\"alg\":[\"RS256\"]}", GOOD_CLAIMS, "AA")), JWT_ALGORITHM);
  assert_int_equal(check(&s, made_parts("{\"kid\":\"rsa\"}", GOOD_CLAIMS, "AA")), JWT_ALGORITHM);
  free(public_text);
  tear_down(&s);
}

/* The public key is no secret, so that it must not be one here, even where both algorithms are accepted. */
static void test_jwt_check__hs256_with_the_public_key(void **state) {
  scene s = set_up(JWT_HS256 | JWT_RS256, "rsa");
  char *public_text = made_public_text("rsa");
  (void)state;
  assert_int_equal(check(&s, made_token("HS256", public_text, "{\"kid\":\"rsa\"}", GOOD_CLAIMS)), JWT_SIGNATURE);
  jwt_keys_free(s.secret);
  s.secret = NULL;
  assert_int_equal(check(&s, made_token("HS256", public_text, "{\"kid\":\"rsa\"}", GOOD_CLAIMS)), JWT_UNKNOWN_KEY);
  free(public_text);
  tear_down(&s);
}

static void test_jwt_check__keys(void **state) {
  scene s = set_up(JWT_RS256 | JWT_ES256, "rsa rsa2 ec");
  (void)state;
  assert_int_equal(check(&s, made_token("RS256", "rsa2", "{\"kid\":\"rsa\"}", GOOD_CLAIMS)), JWT_SIGNATURE);
  assert_int_equal(check(&s, made_token("RS256", "rsa", "{\"kid\":\"gone\"}", GOOD_CLAIMS)), JWT_UNKNOWN_KEY);
  assert_int_equal(check(&s, made_token("RS256", "rsa", "{\"kid\":\"ec\"}", GOOD_CLAIMS)), JWT_UNKNOWN_KEY);
  assert_int_equal(check(&s, made_token("RS256", "rsa", "{}", GOOD_CLAIMS)), JWT_SIGNATURE); /* two could be meant */
  assert_int_equal(check(&s, made_token("ES256", "ec", "{}", GOOD_CLAIMS)), JWT_GOOD);       /* one */
  assert_int_equal(check(&s, made_token("ES256", "ec2", "{\"kid\":\"ec\"}", GOOD_CLAIMS)), JWT_SIGNATURE);
  tear_down(&s);
}

static void test_jwt_check__one_byte_changed(void **state) {
  scene s = set_up(JWT_ES256, "ec");
  char *token = made_token("ES256", "ec", "{\"kid\":\"ec\"}", GOOD_CLAIMS);
  size_t len = strlen(token);
  jwt_claims claims;
  (void)state;
  for (size_t i = 0; i + 1 < len; i += 7) { /* the last letter has bits that say nothing */
    char was = token[i];
    token[i] = was == 'A' ? 'B' : 'A';
    assert_int_not_equal(check_text(&s, token, &claims), JWT_GOOD);
    token[i] = was;
  }
  assert_int_equal(check_text(&s, token, &claims), JWT_GOOD);
  free(token);
  tear_down(&s);
}

static void test_jwt_check__forms(void **state) {
  scene s = set_up(JWT_HS256, "ec");
  const char *const bad[] = {"", ".", "..", "a.b", "a.b.c", "a.b.c.d", "a..c", "a.b.", " a.b.c", "e30.e30.e30", "e30.e30.e30="};
  jwt_claims claims;
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_int_not_equal(check_text(&s, bad[i], &claims), JWT_GOOD);
  assert_int_equal(check(&s, made_token("HS256", SECRET, "{\"crit\":[\"exp\"]}", GOOD_CLAIMS)), JWT_MALFORMED);
  assert_int_equal(check(&s, made_token("HS256", SECRET, "{\"typ\":\"secevent+jwt\"}", GOOD_CLAIMS)), JWT_MALFORMED);
  assert_int_equal(check(&s, made_token("HS256", SECRET, "{\"typ\":\"at+jwt\"}", GOOD_CLAIMS)), JWT_GOOD);
  assert_int_equal(check(&s, made_parts("{\"alg\":\"HS256\",\"alg\":\"none\"}", GOOD_CLAIMS, "AA")), JWT_MALFORMED);
  assert_int_equal(check_claims(&s, "[]"), JWT_MALFORMED);
  assert_int_equal(check_claims(&s, "{\"exp\":1,\"exp\":1700000100}"), JWT_MALFORMED);
  char *huge = malloc(JWT_MAX_BYTES + 2);
  memset(huge, 'a', JWT_MAX_BYTES + 1);
  huge[JWT_MAX_BYTES + 1] = '\0';
  assert_int_equal(check(&s, huge), JWT_MALFORMED);
  tear_down(&s);
}

static char *claims_with(const char *times) {
  cli_bytes text = {0};
  cli_addf(&text, "{\"iss\":\"https://id.example\",\"aud\":[\"x\",\"api\"],\"sub\":\"u\",\"role\":\"authenticated\","
                  "\"app_metadata\":{\"tenant_id\":\"acme\"}%s}", times);
  return text.data;
}

static void test_jwt_check__times(void **state) {
  scene s = set_up(JWT_HS256, "ec");
  const struct {
    const char *times;
    jwt_verdict verdict;
  } cases[] = {
      {",\"exp\":1700000100", JWT_GOOD},
      {",\"exp\":1699999991", JWT_GOOD}, /* by the leeway of 10 */
      {",\"exp\":1699999990", JWT_EXPIRED},
      {",\"exp\":1700000000.9", JWT_GOOD},
      {"", JWT_EXPIRED},
      {",\"exp\":\"1700000100\"", JWT_EXPIRED},
      {",\"exp\":1e12", JWT_EXPIRED},
      {",\"exp\":-1", JWT_EXPIRED},
      {",\"exp\":99999999999999999999", JWT_EXPIRED},
      {",\"exp\":null", JWT_EXPIRED},
      {",\"exp\":1700000100,\"nbf\":1700000010", JWT_GOOD},
      {",\"exp\":1700000100,\"nbf\":1700000011", JWT_NOT_YET},
      {",\"exp\":1700000100,\"nbf\":\"soon\"", JWT_NOT_YET},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char *claims = claims_with(cases[i].times);
    assert_int_equal(check_claims(&s, claims), cases[i].verdict);
    free(claims);
  }
  tear_down(&s);
}

static void test_jwt_check__issuer_and_audience(void **state) {
  scene s = set_up(JWT_HS256, "ec");
  (void)state;
  assert_int_equal(check_claims(&s, "{\"exp\":1700000100,\"iss\":\"https://id.example/\",\"aud\":\"api\"}"), JWT_ISSUER);
  assert_int_equal(check_claims(&s, "{\"exp\":1700000100,\"aud\":\"api\"}"), JWT_ISSUER);
  assert_int_equal(check_claims(&s, "{\"exp\":1700000100,\"iss\":\"https://id.example\",\"aud\":\"ap\"}"), JWT_AUDIENCE);
  assert_int_equal(check_claims(&s, "{\"exp\":1700000100,\"iss\":\"https://id.example\",\"aud\":[\"a\",[\"api\"]]}"), JWT_AUDIENCE);
  assert_int_equal(check_claims(&s, "{\"exp\":1700000100,\"iss\":\"https://id.example\"}"), JWT_AUDIENCE);
  tear_down(&s);
}

static jwt_verdict check_names(scene *s, const char *rest) {
  cli_bytes text = {0};
  cli_addf(&text, "{\"iss\":\"https://id.example\",\"aud\":\"api\",\"exp\":1700000100,%s}", rest);
  jwt_verdict verdict = check_claims(s, text.data);
  cli_release(&text);
  return verdict;
}

static void test_jwt_check__names_and_roles(void **state) {
  scene s = set_up(JWT_HS256, "ec");
  (void)state;
#define TENANT(value) "\"sub\":\"u\",\"role\":\"authenticated\",\"app_metadata\":{\"tenant_id\":" value "}"
  assert_int_equal(check_names(&s, TENANT("\"a\"")), JWT_GOOD);
  assert_int_equal(check_names(&s, TENANT("42")), JWT_GOOD);
  assert_int_equal(check_names(&s, TENANT("\"\"")), JWT_CLAIM);
  assert_int_equal(check_names(&s, TENANT("null")), JWT_CLAIM);
  assert_int_equal(check_names(&s, TENANT("4.5")), JWT_CLAIM);
  assert_int_equal(check_names(&s, TENANT("true")), JWT_CLAIM);
  assert_int_equal(check_names(&s, TENANT("[\"a\"]")), JWT_CLAIM);
  assert_int_equal(check_names(&s, TENANT("\"a\\nb\"")), JWT_CLAIM);
  assert_int_equal(check_names(&s, TENANT("\"a\\u0000b\"")), JWT_CLAIM);
  assert_int_equal(check_names(&s, TENANT("\"a\\u0085b\"")), JWT_CLAIM);
  assert_int_equal(check_names(&s, TENANT("\"a\\ud800b\"")), JWT_CLAIM);
  assert_int_equal(check_names(&s, "\"sub\":\"u\",\"role\":\"authenticated\",\"user_metadata\":{\"tenant_id\":\"a\"}"), JWT_CLAIM);
  assert_int_equal(check_names(&s, "\"role\":\"authenticated\",\"app_metadata\":{\"tenant_id\":\"a\"}"), JWT_CLAIM);
  assert_int_equal(check_names(&s, "\"sub\":\"u\",\"role\":\"anon\",\"app_metadata\":{\"tenant_id\":\"a\"}"), JWT_CLAIM);
  assert_int_equal(check_names(&s, "\"sub\":\"u\",\"role\":[\"x\",\"authenticated\"],\"app_metadata\":{\"tenant_id\":\"a\"}"), JWT_GOOD);
  assert_int_equal(check_names(&s, "\"sub\":\"u\",\"app_metadata\":{\"tenant_id\":\"a\"}"), JWT_CLAIM);
  s.rules.role_claim = "";
  s.rules.tenant_claim = "";
  s.rules.tenant = "everybody";
  assert_int_equal(check_names(&s, "\"sub\":\"u\""), JWT_GOOD);
  tear_down(&s);
}

static void test_jwt_claim_at__paths(void **state) {
  size_t where;
  json_value *claims = json_parse(GOOD_CLAIMS, strlen(GOOD_CLAIMS), &where);
  (void)state;
  assert_string_equal(jwt_claim_at(claims, "app_metadata.tenant_id")->text, "acme");
  assert_string_equal(jwt_claim_at(claims, "https://app.example/tenant")->text, "acme-2");
  assert_string_equal(jwt_claim_at(claims, "app.dotted")->text, "flat");
  assert_null(jwt_claim_at(claims, "app_metadata.tenant_id.more"));
  assert_null(jwt_claim_at(claims, "app_metadata."));
  assert_null(jwt_claim_at(claims, ""));
  assert_null(jwt_claim_at(claims, "https://other.example/tenant"));
  assert_null(jwt_claim_at(NULL, "sub"));
  json_free(claims);
  assert_true(jwt_claim_is_users_own("user_metadata.tenant"));
  assert_true(jwt_claim_is_users_own("user_metadata"));
  assert_false(jwt_claim_is_users_own("user_metadata_of_ours"));
  assert_false(jwt_claim_is_users_own("app_metadata.user_metadata"));
}

/* A set it is, and says why nobody can be checked with it. */
static void assert_no_keys(const char *set) {
  char why[JWT_WHY_MAX] = "";
  jwt_key_set *keys = jwt_keys_parse(set, strlen(set), why);
  assert_non_null(keys);
  assert_int_equal(jwt_keys_count(keys), 0);
  assert_non_null(strstr(why, "has no key for RS256"));
  jwt_keys_free(keys);
}

static void test_jwt_keys_parse__what_counts(void **state) {
  char why[JWT_WHY_MAX], *rsa = made_public_text("rsa"), *small = made_public_text("small");
  cli_bytes set = {0};
  (void)state;
  assert_null(jwt_keys_parse("{", 1, why));
  assert_null(jwt_keys_parse("{\"keys\":{}}", 11, why));
  assert_no_keys("{\"keys\":[]}");
  cli_addf(&set, "{\"keys\":[1,{\"kty\":\"oct\",\"k\":\"AAAA\"},%s]}", small);
  assert_no_keys(set.data);
  cli_clear(&set);
  cli_addf(&set, "{\"keys\":[%s,%s,{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AA\",\"y\":\"AA\"},{\"use\":\"enc\",%s,{\"alg\":\"PS256\",%s]}", rsa,
           made_key("ec"), rsa + 1, rsa + 1);
  jwt_key_set *keys = jwt_keys_parse(set.data, set.len, why);
  assert_int_equal(jwt_keys_count(keys), 2);
  jwt_keys_free(keys);
  cli_clear(&set); /* what is no base64url: cjose would end the program */
  cli_addz(&set, "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"AA=BAAAA\"},{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"\"},"
                 "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"AAAAA\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"A===\",\"y\":\"=AAA\"}]}");
  assert_no_keys(set.data);
  assert_null(jwt_keys_secret("short", 5, why));
  assert_int_equal(jwt_algorithms_of("RS256, ES256"), JWT_RS256 | JWT_ES256);
  assert_int_equal(jwt_algorithms_of("HS256"), JWT_HS256);
  assert_int_equal(jwt_algorithms_of("RS256,none"), 0);
  assert_int_equal(jwt_algorithms_of(""), 0);
  cli_release(&set);
  free(rsa);
  free(small);
}

static int forget(void **state) {
  (void)state;
  made_forget();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_jwt_check__good_of_each_algorithm),
      cmocka_unit_test(test_jwt_check__algorithm_is_pinned),
      cmocka_unit_test(test_jwt_check__hs256_with_the_public_key),
      cmocka_unit_test(test_jwt_check__keys),
      cmocka_unit_test(test_jwt_check__one_byte_changed),
      cmocka_unit_test(test_jwt_check__forms),
      cmocka_unit_test(test_jwt_check__times),
      cmocka_unit_test(test_jwt_check__issuer_and_audience),
      cmocka_unit_test(test_jwt_check__names_and_roles),
      cmocka_unit_test(test_jwt_claim_at__paths),
      cmocka_unit_test(test_jwt_keys_parse__what_counts),
  };
  return cmocka_run_group_tests(tests, NULL, forget);
}
