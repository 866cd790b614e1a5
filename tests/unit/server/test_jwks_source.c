/* examples/server/jwks_source.c, with files; jwks_fetch.c's rules. label: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "jwks_source.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/made_tokens.h"

enum { NOW = 1700000000 };

#define CLAIMS "{\"iss\":\"me\",\"aud\":\"api\",\"exp\":1700000100,\"sub\":\"u\"}"

static char *audiences[] = {"api"};
static const jwt_rules rules = {.algorithms = JWT_HS256 | JWT_ES256, .issuer = "me", .audiences = {audiences, 1, 1}, .tenant_claim = "",
                                .tenant = "t", .user_claim = "sub", .role_claim = ""};

static char *path_of(const char *name) {
  const char *folder = getenv("AIORCH_TEST_TMP");
  cli_bytes path = {0};
  cli_addf(&path, "%s/%s-%d.json", folder ? folder : "/tmp", name, (int)getpid());
  return path.data;
}

/* Whole at once, as who rotates keys should do it. */
static void put(const char *path, const char *text) {
  cli_bytes part = {0};
  cli_addf(&part, "%s.part", path);
  int fd = open(part.data, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
  assert_int_equal(rename(part.data, path), 0);
  cli_release(&part);
}

static void put_keys(const char *path, const char *names) {
  char *set = made_set(names);
  put(path, set);
  free(set);
}

static jwt_verdict check(jwks_source *source, const char *token, int64_t *retry_ms) {
  char why[JWT_WHY_MAX];
  jwt_claims claims;
  jwks_wait wait = {.ticket = JWKS_NO_WAIT};
  jwt_verdict verdict = jwks_source_check(source, &rules, NULL, token, strlen(token), NOW, &claims, &wait, why);
  assert_false(wait.later);
  *retry_ms = wait.retry_ms;
  return verdict;
}

static jwt_verdict check_until(jwks_source *source, const char *token, jwt_verdict expected) {
  int64_t retry_ms;
  jwt_verdict verdict = check(source, token, &retry_ms);
  for (int i = 0; verdict != expected && i < 3000; i++) {
    usleep(10000);
    verdict = check(source, token, &retry_ms);
  }
  return verdict;
}

static void test_jwks_source_check__a_file_that_changes(void **state) {
  char *path = path_of("set"), why[JWT_WHY_MAX];
  char *old = made_token("ES256", "ec", "{\"kid\":\"ec\"}", CLAIMS), *new = made_token("ES256", "ec2", "{\"kid\":\"ec2\"}", CLAIMS);
  jwks_options options = {path, "", 600, 86400, -1};
  int64_t retry_ms;
  (void)state;
  put_keys(path, "ec");
  jwks_source *source = jwks_source_open(&options, why);
  assert_non_null(source);
  assert_int_equal(check(source, old, &retry_ms), JWT_GOOD);
  assert_int_equal(check(source, new, &retry_ms), JWT_UNKNOWN_KEY);
  assert_int_equal(retry_ms, 0);
  uint64_t before = jwks_source_generation(source);
  put_keys(path, "ec2");
  assert_int_equal(check_until(source, new, JWT_GOOD), JWT_GOOD);
  assert_int_equal(check(source, old, &retry_ms), JWT_UNKNOWN_KEY);
  assert_true(jwks_source_generation(source) > before);
  put(path, "{broken"); /* the set from before serves on */
  usleep(3 * JWKS_FILE_LOOK_MS * 1000);
  assert_int_equal(check(source, new, &retry_ms), JWT_GOOD);
  unlink(path);
  usleep(3 * JWKS_FILE_LOOK_MS * 1000);
  assert_int_equal(check(source, new, &retry_ms), JWT_GOOD);
  jwks_source_close(source);
  free(old);
  free(new);
  free(path);
}

/* What is there and is no key set does not become one by staying there. */
static void test_jwks_source_check__a_file_that_stays_broken(void **state) {
  char *path = path_of("broken"), why[JWT_WHY_MAX], *token = made_token("ES256", "ec", "{\"kid\":\"ec\"}", CLAIMS);
  jwks_options options = {path, "", 600, 1, -1};
  (void)state;
  put_keys(path, "ec");
  jwks_source *source = jwks_source_open(&options, why);
  assert_non_null(source);
  assert_int_equal(check_until(source, token, JWT_GOOD), JWT_GOOD);
  put(path, "{broken"); /* a second later the set from before is too old */
  assert_int_equal(check_until(source, token, JWT_UNKNOWN_KEY), JWT_UNKNOWN_KEY);
  put_keys(path, "ec");
  assert_int_equal(check_until(source, token, JWT_GOOD), JWT_GOOD);
  unlink(path);
  jwks_source_close(source);
  free(token);
  free(path);
}

/* Who takes the last key out of a set wants it to be good no longer. */
static void test_jwks_source_check__a_set_without_keys(void **state) {
  char *path = path_of("empty"), why[JWT_WHY_MAX], *token = made_token("ES256", "ec", "{\"kid\":\"ec\"}", CLAIMS);
  jwks_options options = {path, "", 600, 86400, -1};
  (void)state;
  put_keys(path, "ec");
  jwks_source *source = jwks_source_open(&options, why);
  assert_non_null(source);
  assert_int_equal(check_until(source, token, JWT_GOOD), JWT_GOOD);
  put(path, "{\"keys\":[]}");
  assert_int_equal(check_until(source, token, JWT_UNKNOWN_KEY), JWT_UNKNOWN_KEY);
  unlink(path);
  jwks_source_close(source);
  free(token);
  free(path);
}

static void test_jwks_source_open__what_is_none(void **state) {
  char *path = path_of("none"), why[JWT_WHY_MAX] = "";
  jwks_options options = {path, "", 600, 86400, -1};
  (void)state;
  assert_null(jwks_source_open(&options, why));
  assert_true(why[0] != '\0');
  put(path, "{\"keys\":[]}");
  assert_null(jwks_source_open(&options, why));
  options.place = "http://keys.example/jwks.json";
  assert_null(jwks_source_open(&options, why));
  options.place = "file:///etc/passwd";
  assert_null(jwks_source_open(&options, why));
  free(path);
}

/* A set that cannot be had is no reason to refuse for good: who asks is told to come back. */
static void test_jwks_source_check__a_url_that_is_away(void **state) {
  char why[JWT_WHY_MAX] = "", *token = made_token("ES256", "ec", "{\"kid\":\"ec\"}", CLAIMS);
  char *secret = made_token("HS256", "0123456789abcdef0123456789abcdef", "{}", CLAIMS);
  jwks_options options = {"http://127.0.0.1:1/jwks.json", "", 600, 86400, -1};
  int64_t retry_ms;
  (void)state;
  jwks_source *source = jwks_source_open(&options, why);
  assert_non_null(source);
  assert_true(why[0] != '\0');
  assert_int_equal(check(source, token, &retry_ms), JWT_UNKNOWN_KEY);
  assert_true(retry_ms > 0);
  assert_int_equal(check(source, secret, &retry_ms), JWT_SIGNATURE); /* no set is waited for */
  assert_int_equal(retry_ms, 0);
  assert_int_equal(check(source, "a.b.c", &retry_ms), JWT_MALFORMED);
  assert_int_equal(retry_ms, 0);
  jwks_source_close(source);
  free(token);
  free(secret);
}

static void test_jwks_fetch_allows__https_or_here(void **state) {
  (void)state;
  assert_true(jwks_fetch_allows("https://id.example/jwks"));
  assert_true(jwks_fetch_allows("http://127.0.0.1:80/jwks"));
  assert_true(jwks_fetch_allows("http://localhost/jwks"));
  assert_true(jwks_fetch_allows("http://[::1]:80/jwks"));
  assert_false(jwks_fetch_allows("http://localhost.evil.example/jwks"));
  assert_false(jwks_fetch_allows("http://127.0.0.1@evil.example/jwks"));
  assert_false(jwks_fetch_allows("ftp://id.example/jwks"));
}

static int forget(void **state) {
  (void)state;
  made_forget();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_jwks_source_check__a_file_that_changes),
      cmocka_unit_test(test_jwks_source_check__a_file_that_stays_broken),
      cmocka_unit_test(test_jwks_source_check__a_set_without_keys),
      cmocka_unit_test(test_jwks_source_open__what_is_none),
      cmocka_unit_test(test_jwks_source_check__a_url_that_is_away),
      cmocka_unit_test(test_jwks_fetch_allows__https_or_here),
  };
  return cmocka_run_group_tests(tests, NULL, forget);
}
