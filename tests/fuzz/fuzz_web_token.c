/* What callers of the server send to be known by: tokens, what a signed one says, key sets, addresses that proxies write. */
#include <stdlib.h>
#include <string.h>

#include "client_address.h"
#include "fuzz.h"
#include "json_web_token.h"

#include "support/made_tokens.h"

#define SECRET "0123456789abcdef0123456789abcdef"

enum { NOW = 1700000000, INPUT_MAX = 16384 };

static char *audiences[] = {"api"};
static const jwt_rules rules = {.algorithms = JWT_HS256 | JWT_RS256 | JWT_ES256, .issuer = "me", .audiences = {audiences, 1, 1}, .leeway_s = 10,
                                .tenant_claim = "org.id", .tenant = "", .user_claim = "sub", .role_claim = ""};

/* Whoever comes through has names that the library takes. */
static void check(const jwt_key_set *secret, const jwt_key_set *keys, const char *token, size_t len) {
  jwt_claims claims;
  char why[JWT_WHY_MAX] = "";
  jwt_verdict verdict = jwt_check(&rules, secret, keys, token, len, NOW, &claims, why);
  if (verdict != JWT_GOOD) {
    FUZZ_CHECK(why[0] != '\0' && memchr(why, '\0', sizeof why) != NULL);
    return;
  }
  FUZZ_CHECK(claims.tenant_len >= 1 && claims.tenant_len <= JWT_NAME_MAX && strlen(claims.tenant) == claims.tenant_len);
  FUZZ_CHECK(claims.user_len >= 1 && strlen(claims.user) == claims.user_len && claims.expires_s + rules.leeway_s > NOW);
}

static void check_addresses(char *text) {
  net_list list;
  net_address found;
  const char *wrong;
  char *rest = strchr(text, '\n');
  if (!rest) return;
  *rest++ = '\0';
  if (!net_list_read(text, &list, &wrong)) return;
  if (client_address_of(&list, "10.0.0.1", rest, &found)) {
    char out[ADDRESS_TEXT_MAX];
    net_address again;
    net_address_text(&found, out);
    FUZZ_CHECK(net_address_read(out, strlen(out), &again) && memcmp(&again, &found, sizeof found) == 0);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char why[JWT_WHY_MAX];
  if (size < 1 || size > INPUT_MAX) return 0;
  jwt_key_set *secret = jwt_keys_secret(SECRET, strlen(SECRET), why), *keys = NULL;
  char *text = malloc(size), *token = NULL;
  FUZZ_CHECK(text && secret);
  memcpy(text, data + 1, size - 1);
  text[size - 1] = '\0';
  if (data[0] == 't') {
    check(secret, NULL, text, size - 1);
  } else if (data[0] == 'c') {
    token = made_token("HS256", SECRET, "{}", text);
    check(secret, NULL, token, strlen(token));
  } else if (data[0] == 'k') {
    keys = jwt_keys_parse(text, size - 1, why);
    check(secret, keys, "eyJhbGciOiJSUzI1NiJ9.e30.AAAA", 29);
  } else {
    check_addresses(text);
  }
  jwt_keys_free(secret);
  jwt_keys_free(keys);
  free(text);
  free(token);
  return 0;
}
