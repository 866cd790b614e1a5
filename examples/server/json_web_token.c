/* Checks JSON web tokens. The order: form, algorithm, key, signature, and only then what it says. */
#include "json_web_token.h"

#include <stdlib.h>
#include <string.h>

#include <cjose/cjose.h>

enum { KID_MAX = 255, HEADER_MAX = 2048, RSA_BITS_MIN = 2048, SECONDS_DIGITS = 15, NUMBER_MAX = 1400 /* RSA of 8,192 bits */ };

typedef struct set_key {
  unsigned algorithm; /* the one of its kind */
  char *kid;          /* NULL: it has none */
  cjose_jwk_t *key;
} set_key;

struct jwt_key_set {
  size_t count;
  set_key keys[JWT_SET_MAX_KEYS];
};

static jwt_verdict refuse(char why[JWT_WHY_MAX], jwt_verdict verdict, const char *text) {
  snprintf(why, JWT_WHY_MAX, "%s", text);
  return verdict;
}

static bool text_is(const json_value *v, const char *text) {
  return v && v->type == JSON_TEXT && v->len == strlen(text) && memcmp(v->text, text, v->len) == 0;
}

/* Which of two counts is what readers differ in: an object that names a member twice is none. */
static bool has_twins(const json_value *object) {
  for (const json_value *a = object->child; a; a = a->next) {
    for (const json_value *b = a->next; b; b = b->next) {
      if (strcmp(a->name, b->name) == 0) return true;
    }
  }
  return false;
}

/* Letters of base64url without padding, as many as can be. cjose ends the program (assert) on some texts that are none. */
static bool is_base64url(const char *text, size_t len) {
  if (len == 0 || len % 4 == 1) return false;
  for (size_t i = 0; i < len; i++) {
    char c = text[i];
    bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!letter) return false;
  }
  return true;
}

/* ---- key sets ---- */

static bool is_for_signing(const json_value *key) {
  const json_value *use = json_get(key, "use"), *ops = json_get(key, "key_ops");
  if (use && !text_is(use, "sig")) return false;
  if (!ops) return true;
  for (const json_value *op = ops->child; op; op = op->next) {
    if (text_is(op, "verify")) return true;
  }
  return false;
}

static unsigned algorithm_of_key(const json_value *key) {
  const json_value *alg = json_get(key, "alg");
  if (text_is(json_get(key, "kty"), "RSA")) return !alg || text_is(alg, "RS256") ? JWT_RS256 : 0;
  bool curve = text_is(json_get(key, "kty"), "EC") && text_is(json_get(key, "crv"), "P-256");
  return curve && (!alg || text_is(alg, "ES256")) ? JWT_ES256 : 0;
}

static bool is_number(const json_value *key, const char *name) {
  const json_value *v = json_get(key, name);
  return v && v->type == JSON_TEXT && v->len <= NUMBER_MAX && is_base64url(v->text, v->len);
}

/* Only the public members are handed on: a private key that somebody put into the set by mistake is of no use here. */
static cjose_jwk_t *import_key(const json_value *key, unsigned algorithm) {
  static const char *const rsa[] = {"kty", "n", "e", NULL};
  static const char *const curve[] = {"kty", "crv", "x", "y", NULL};
  json_print p = {0};
  cjose_err error;
  bool numbers = algorithm == JWT_RS256 ? is_number(key, "n") && is_number(key, "e") : is_number(key, "x") && is_number(key, "y");
  if (!numbers) return NULL;
  jp_open(&p, '{');
  for (const char *const *name = algorithm == JWT_RS256 ? rsa : curve; *name; name++) jp_kz(&p, *name, json_text(key, *name));
  jp_close(&p, '}');
  cjose_jwk_t *made = cjose_jwk_import(p.out.data, p.out.len, &error);
  cli_release(&p.out);
  if (made && algorithm == JWT_RS256 && cjose_jwk_get_keysize(made, &error) < RSA_BITS_MIN) {
    cjose_jwk_release(made);
    made = NULL;
  }
  return made;
}

static void add_key(jwt_key_set *set, const json_value *key) {
  if (key->type != JSON_OBJECT || has_twins(key) || !is_for_signing(key)) return;
  unsigned algorithm = algorithm_of_key(key);
  const json_value *kid = json_get(key, "kid");
  if (algorithm == 0 || (kid && (kid->type != JSON_TEXT || kid->len > KID_MAX || strlen(kid->text) != kid->len))) return;
  cjose_jwk_t *made = import_key(key, algorithm);
  if (!made) return;
  set->keys[set->count++] = (set_key){algorithm, kid ? cli_copy(kid->text, kid->len) : NULL, made};
}

jwt_key_set *jwt_keys_parse(const char *json, size_t len, char why[JWT_WHY_MAX]) {
  size_t where = 0;
  json_value *top = len <= JWT_SET_MAX_BYTES ? json_parse(json, len, &where) : NULL;
  const json_value *keys = top && top->type == JSON_OBJECT ? json_get(top, "keys") : NULL;
  jwt_key_set *set = NULL;
  if (!top && len > JWT_SET_MAX_BYTES) {
    snprintf(why, JWT_WHY_MAX, "the key set has more than %d bytes", JWT_SET_MAX_BYTES);
  } else if (!top) {
    snprintf(why, JWT_WHY_MAX, "the key set is no JSON: it goes wrong at byte %zu", where);
  } else if (!keys || keys->type != JSON_ARRAY) {
    snprintf(why, JWT_WHY_MAX, "the key set has no member \"keys\" that is a list (RFC 7517)");
  } else {
    set = cli_alloc(sizeof *set);
    for (const json_value *key = keys->child; key && set->count < JWT_SET_MAX_KEYS; key = key->next) add_key(set, key);
    if (set->count == 0) snprintf(why, JWT_WHY_MAX, "the key set has no key for RS256 (RSA of 2,048 bits or more) or ES256 (P-256)");
  }
  json_free(top);
  return set;
}

jwt_key_set *jwt_keys_secret(const char *secret, size_t len, char why[JWT_WHY_MAX]) {
  cjose_err error;
  if (len < JWT_SECRET_MIN) {
    snprintf(why, JWT_WHY_MAX, "the secret has %zu bytes; HS256 needs %d or more", len, JWT_SECRET_MIN);
    return NULL;
  }
  cjose_jwk_t *key = cjose_jwk_create_oct_spec((const uint8_t *)secret, len, &error);
  if (!key) {
    snprintf(why, JWT_WHY_MAX, "the secret cannot be used as a key");
    return NULL;
  }
  jwt_key_set *set = cli_alloc(sizeof *set);
  set->keys[set->count++] = (set_key){JWT_HS256, NULL, key};
  return set;
}

void jwt_keys_free(jwt_key_set *keys) {
  if (!keys) return;
  for (size_t i = 0; i < keys->count; i++) {
    cjose_jwk_release(keys->keys[i].key);
    free(keys->keys[i].kid);
  }
  free(keys);
}

size_t jwt_keys_count(const jwt_key_set *keys) { return keys ? keys->count : 0; }

/* A token without a kid is for the one key there is of its algorithm; with two, nobody says which. */
static const set_key *find_key(const jwt_key_set *set, unsigned algorithm, const json_value *kid) {
  const set_key *found = NULL;
  for (size_t i = 0; set && i < set->count; i++) {
    const set_key *key = &set->keys[i];
    if (key->algorithm != algorithm) continue;
    if (kid && algorithm != JWT_HS256) {
      if (key->kid && strlen(key->kid) == kid->len && memcmp(key->kid, kid->text, kid->len) == 0) return key;
      continue;
    }
    if (found) return NULL;
    found = key;
  }
  return found;
}

/* ---- the header ---- */

unsigned jwt_algorithms_of(const char *list) {
  static const char *const names[] = {"HS256", "RS256", "ES256"};
  unsigned all = 0;
  while (*(list += strspn(list, ", "))) {
    size_t len = strcspn(list, ", ");
    unsigned one = 0;
    for (int i = 0; i < 3; i++) {
      if (strlen(names[i]) == len && memcmp(names[i], list, len) == 0) one = 1U << i;
    }
    if (!one) return 0;
    all |= one;
    list += len;
  }
  return all;
}

static unsigned algorithm_of_token(const json_value *header) {
  const json_value *alg = json_get(header, "alg");
  return text_is(alg, "HS256") ? JWT_HS256 : text_is(alg, "RS256") ? JWT_RS256 : text_is(alg, "ES256") ? JWT_ES256 : 0;
}

/* Tokens of other kinds (of logout, of proof of possession) may be signed with the same key. */
static bool is_right_type(const json_value *typ) {
  static const char *const types[] = {"JWT", "jwt", "at+jwt", "application/at+jwt", NULL};
  if (!typ) return true;
  for (const char *const *type = types; *type; type++) {
    if (text_is(typ, *type)) return true;
  }
  return false;
}

/* Three parts of letters of base64url, no part empty. */
static bool is_compact(const char *token, size_t len, size_t *header_len) {
  const char *first = memchr(token, '.', len), *end = token + len;
  const char *second = first ? memchr(first + 1, '.', (size_t)(end - first) - 1) : NULL;
  if (!second) return false;
  *header_len = (size_t)(first - token);
  return is_base64url(token, *header_len) && is_base64url(first + 1, (size_t)(second - first) - 1) &&
         is_base64url(second + 1, (size_t)(end - second) - 1);
}

static json_value *parse_object(const char *text, size_t len) {
  size_t where;
  json_value *value = json_parse(text, len, &where);
  if (value && (value->type != JSON_OBJECT || has_twins(value))) {
    json_free(value);
    value = NULL;
  }
  return value;
}

static json_value *parse_header(const char *token, size_t len) {
  uint8_t *text = NULL;
  size_t text_len = 0;
  cjose_err error;
  if (len > HEADER_MAX || !cjose_base64url_decode(token, len, &text, &text_len, &error)) return NULL;
  json_value *header = parse_object((const char *)text, text_len);
  free(text);
  return header;
}

/* ---- what it says ---- */

bool jwt_claim_is_users_own(const char *path) {
  static const char *const own[] = {"user_metadata", "raw_user_meta_data", "unsafe_metadata", NULL};
  for (const char *const *name = own; *name; name++) {
    size_t len = strlen(*name);
    if (strncmp(path, *name, len) == 0 && (path[len] == '\0' || path[len] == '.')) return true;
  }
  return false;
}

const json_value *jwt_claim_at(const json_value *claims, const char *path) {
  const json_value *at = claims;
  if (!at || at->type != JSON_OBJECT) return NULL;
  const json_value *whole = json_get(at, path);
  if (whole || strstr(path, "://")) return whole;
  while (at && at->type == JSON_OBJECT && *path) {
    size_t len = strcspn(path, ".");
    char *name = cli_copy(path, len);
    at = json_get(at, name);
    free(name);
    path += len;
    if (*path == '.') path++;
    else return at;
  }
  return NULL;
}

/* Seconds since 1970; a fraction is cut off. False for what is no plain number: a time that nobody can read has passed. */
static bool read_seconds(const json_value *v, int64_t *out) {
  if (!v || v->type != JSON_NUMBER) return false;
  const char *at = v->text;
  int64_t value = 0;
  int digits = 0;
  for (; *at >= '0' && *at <= '9'; at++) {
    if (++digits > SECONDS_DIGITS) return false;
    value = value * 10 + (*at - '0');
  }
  if (digits == 0) return false;
  if (*at == '.') at += 1 + strspn(at + 1, "0123456789");
  *out = value;
  return *at == '\0';
}

static jwt_verdict check_times(const jwt_rules *rules, const json_value *claims, int64_t now_s, int64_t *expires_s,
                               char why[JWT_WHY_MAX]) {
  int64_t from = 0;
  const json_value *nbf = json_get(claims, "nbf");
  if (!read_seconds(json_get(claims, "exp"), expires_s)) {
    return refuse(why, JWT_EXPIRED, "the token says no time at which it ends (exp)");
  }
  if (now_s >= *expires_s + rules->leeway_s) return refuse(why, JWT_EXPIRED, "the token has expired");
  if (nbf && (!read_seconds(nbf, &from) || now_s + rules->leeway_s < from)) {
    return refuse(why, JWT_NOT_YET, "the token is not valid yet (nbf)");
  }
  return JWT_GOOD;
}

static bool is_in(const cli_list *list, const json_value *v) {
  for (size_t i = 0; i < list->count; i++) {
    if (text_is(v, list->items[i])) return true;
  }
  return false;
}

static jwt_verdict check_origin(const jwt_rules *rules, const json_value *claims, char why[JWT_WHY_MAX]) {
  const json_value *aud = json_get(claims, "aud");
  bool ours = is_in(&rules->audiences, aud);
  if (!text_is(json_get(claims, "iss"), rules->issuer)) {
    return refuse(why, JWT_ISSUER, "the token comes from another issuer (iss) than the one that is accepted here");
  }
  for (const json_value *one = aud && aud->type == JSON_ARRAY ? aud->child : NULL; one && !ours; one = one->next) {
    ours = is_in(&rules->audiences, one);
  }
  if (!ours) return refuse(why, JWT_AUDIENCE, "the token is meant for another service (aud)");
  return JWT_GOOD;
}

/* A tenant or a user: text, or a whole number as some write ids; nothing that could not be one in the library. */
static bool read_name(const json_value *v, char out[JWT_NAME_MAX + 1], size_t *len) {
  if (!v || (v->type != JSON_TEXT && v->type != JSON_NUMBER) || v->len < 1 || v->len > JWT_NAME_MAX) return false;
  if (v->type == JSON_NUMBER && strspn(v->text, "0123456789") != v->len) return false;
  if (!cli_utf8_valid(v->text, v->len)) return false;
  for (size_t i = 0; i < v->len; i++) {
    unsigned char c = (unsigned char)v->text[i];
    if (c < 0x20 || c == 0x7F || (c == 0xC2 && (unsigned char)v->text[i + 1] < 0xA0)) return false;
  }
  memcpy(out, v->text, v->len);
  out[v->len] = '\0';
  *len = v->len;
  return true;
}

static bool has_role(const jwt_rules *rules, const json_value *role) {
  if (is_in(&rules->roles, role)) return true;
  for (const json_value *one = role && role->type == JSON_ARRAY ? role->child : NULL; one; one = one->next) {
    if (is_in(&rules->roles, one)) return true;
  }
  return false;
}

static jwt_verdict read_claims(const jwt_rules *rules, const json_value *claims, jwt_claims *out, char why[JWT_WHY_MAX]) {
  json_value fixed = {.type = JSON_TEXT, .text = (char *)(uintptr_t)rules->tenant, .len = strlen(rules->tenant)};
  const json_value *tenant = rules->tenant_claim[0] ? jwt_claim_at(claims, rules->tenant_claim) : &fixed;
  if (!read_name(tenant, out->tenant, &out->tenant_len)) {
    return refuse(why, JWT_CLAIM, "the token names no tenant where it is looked for");
  }
  if (!read_name(jwt_claim_at(claims, rules->user_claim), out->user, &out->user_len)) {
    return refuse(why, JWT_CLAIM, "the token names no user where one is looked for");
  }
  if (rules->role_claim[0] && !has_role(rules, jwt_claim_at(claims, rules->role_claim))) {
    return refuse(why, JWT_CLAIM, "the token's role may not use this service");
  }
  return JWT_GOOD;
}

static jwt_verdict check_payload(const jwt_rules *rules, const char *text, size_t len, int64_t now_s, jwt_claims *out,
                                 char why[JWT_WHY_MAX]) {
  json_value *claims = parse_object(text, len);
  if (!claims) return refuse(why, JWT_MALFORMED, "what the token says is no JSON object, or says something twice");
  jwt_verdict verdict = check_times(rules, claims, now_s, &out->expires_s, why);
  if (verdict == JWT_GOOD) verdict = check_origin(rules, claims, why);
  if (verdict == JWT_GOOD) verdict = read_claims(rules, claims, out, why);
  json_free(claims);
  return verdict;
}

static void note_kid(const json_value *kid, jwt_claims *out) {
  size_t n = 0;
  for (size_t i = 0; kid && i < kid->len && n + 1 < sizeof out->kid; i++) {
    char c = kid->text[i];
    out->kid[n++] = c > ' ' && c < 0x7F ? c : '?';
  }
  out->kid[n] = '\0';
}

/* The key that a token with this header must be signed with. */
static jwt_verdict choose_key(const jwt_rules *rules, const jwt_key_set *secret, const jwt_key_set *keys,
                              const json_value *header, jwt_claims *out, const set_key **key, char why[JWT_WHY_MAX]) {
  unsigned algorithm = algorithm_of_token(header);
  const json_value *kid = json_get(header, "kid");
  if (!(algorithm & rules->algorithms)) {
    return refuse(why, JWT_ALGORITHM, "the token is signed with an algorithm that is not accepted here");
  }
  if (json_get(header, "crit")) return refuse(why, JWT_MALFORMED, "the token asks for an extension (crit) that is not known here");
  if (!is_right_type(json_get(header, "typ"))) return refuse(why, JWT_MALFORMED, "the token is of another type (typ)");
  if (kid && (kid->type != JSON_TEXT || kid->len > KID_MAX)) return refuse(why, JWT_MALFORMED, "the token's kid is no short text");
  note_kid(kid, out);
  out->algorithm = algorithm;
  *key = find_key(algorithm == JWT_HS256 ? secret : keys, algorithm, kid);
  if (!*key && kid) return refuse(why, JWT_UNKNOWN_KEY, "no key is known that the token could be signed with (kid)");
  if (!*key) return refuse(why, JWT_SIGNATURE, "the token does not say which key it is signed with (kid)");
  return JWT_GOOD;
}

jwt_verdict jwt_check(const jwt_rules *rules, const jwt_key_set *secret, const jwt_key_set *keys, const char *token, size_t len,
                      int64_t now_s, jwt_claims *out, char why[JWT_WHY_MAX]) {
  size_t header_len = 0, text_len = 0;
  const set_key *key = NULL;
  uint8_t *text = NULL;
  cjose_err error;
  *out = (jwt_claims){0};
  if (len > JWT_MAX_BYTES) return refuse(why, JWT_MALFORMED, "the token is too long");
  json_value *header = is_compact(token, len, &header_len) ? parse_header(token, header_len) : NULL;
  if (!header) return refuse(why, JWT_MALFORMED, "this is no key and no token of three parts");
  jwt_verdict verdict = choose_key(rules, secret, keys, header, out, &key, why);
  json_free(header);
  if (verdict != JWT_GOOD) return verdict;
  cjose_jws_t *signed_text = cjose_jws_import(token, len, &error);
  if (!signed_text) {
    verdict = refuse(why, JWT_MALFORMED, "this is no key and no token of three parts");
  } else if (!cjose_jws_verify(signed_text, key->key, &error) ||
             !cjose_jws_get_plaintext(signed_text, &text, &text_len, &error)) {
    verdict = refuse(why, JWT_SIGNATURE, "the token's signature is wrong");
  } else {
    verdict = check_payload(rules, (const char *)text, text_len, now_s, out, why);
  }
  if (signed_text) cjose_jws_release(signed_text);
  return verdict;
}
