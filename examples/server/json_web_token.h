/*
 * JSON web tokens (RFC 7519, signed in the compact form of RFC 7515): is this one good, and whom does it name?
 *
 * Which algorithm is tried is said by the settings, never by the token: a secret serves HS256 alone, keys of a set (JWKS) serve
 * RS256 and ES256 alone, each for the algorithm of its own kind. So the old tricks (alg none, HS256 made with a public RSA key)
 * meet no key. Signatures are cjose's work (OpenSSL); json_web_token.c alone includes it.
 */
#ifndef JSON_WEB_TOKEN_H
#define JSON_WEB_TOKEN_H

#include "cli.h"

enum { JWT_HS256 = 1, JWT_RS256 = 2, JWT_ES256 = 4 };

enum {
  JWT_MAX_BYTES = 8192,       /* of a token */
  JWT_NAME_MAX = 255,         /* of a tenant, a user, a kid */
  JWT_SET_MAX_BYTES = 262144, /* of a key set as JSON */
  JWT_SET_MAX_KEYS = 64,
  JWT_SECRET_MIN = 32,        /* RFC 7518: a key of HS256 is as long as its hash, or longer */
  JWT_WHY_MAX = 256
};

/* Keys that tokens are checked with. Never changed once made; any thread. */
typedef struct jwt_key_set jwt_key_set;

/* The RSA keys of 2,048 bits and more and the P-256 keys of a JWKS; other keys are passed over. NULL after `why` when
 * it is no such set; one without any key of use is a set of 0, and `why` says so. */
jwt_key_set *jwt_keys_parse(const char *json, size_t len, char why[JWT_WHY_MAX]);
/* The one key of HS256. NULL when it is too short. */
jwt_key_set *jwt_keys_secret(const char *secret, size_t len, char why[JWT_WHY_MAX]);
void jwt_keys_free(jwt_key_set *keys);
size_t jwt_keys_count(const jwt_key_set *keys);

/* What a token must be. Texts are lent. */
typedef struct jwt_rules {
  unsigned algorithms;      /* JWT_* that are accepted */
  const char *issuer;       /* "iss" must be this */
  cli_list audiences;       /* "aud" must have one of these */
  int64_t leeway_s;         /* by how much clocks may differ */
  const char *tenant_claim; /* where the tenant stands; "": `tenant` for all */
  const char *tenant;
  const char *user_claim;
  const char *role_claim;   /* "": no role is asked for */
  cli_list roles;           /* one of which it must be */
} jwt_rules;

typedef enum jwt_verdict {
  JWT_GOOD,
  JWT_MALFORMED,   /* no token, or one that says something twice, or too long */
  JWT_ALGORITHM,   /* signed with what is not accepted here */
  JWT_UNKNOWN_KEY, /* no key has its kid; a set that is fetched again may have */
  JWT_SIGNATURE,
  JWT_EXPIRED,
  JWT_NOT_YET,
  JWT_ISSUER,
  JWT_AUDIENCE,
  JWT_CLAIM        /* the tenant, the user or the role is missing, or not what it may be */
} jwt_verdict;

typedef struct jwt_claims {
  char tenant[JWT_NAME_MAX + 1], user[JWT_NAME_MAX + 1], kid[64]; /* kid: cut, printable, for logs */
  size_t tenant_len, user_len;
  int64_t expires_s;
  unsigned algorithm; /* what it says it is signed with, when that is accepted; else 0 */
} jwt_claims;

/*
 * Checks a token. `secret` and `keys` may be NULL: then what needs them is JWT_UNKNOWN_KEY. `why` says what is wrong in words fit
 * for the client: nothing of the token or the keys is in it. Never waits; some 5 (HS256), 25 (RS256) or 85 (ES256) microseconds.
 */
jwt_verdict jwt_check(const jwt_rules *rules, const jwt_key_set *secret, const jwt_key_set *keys, const char *token, size_t len,
                      int64_t now_s, jwt_claims *out, char why[JWT_WHY_MAX]);

/* The claim at `path`: a claim of that very name (a name with "://" is never cut), else member by member at each '.'. */
const json_value *jwt_claim_at(const json_value *claims, const char *path);
/* Whether a claim of this name is one that users of known services can change themselves ("user_metadata"). */
bool jwt_claim_is_users_own(const char *path);
/* "HS256, ES256" as a set of JWT_*; 0 when one of them is none. */
unsigned jwt_algorithms_of(const char *list);

#endif
