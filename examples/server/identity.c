/* Who is calling: a key, a token, or nobody in particular. */
#include "identity.h"

#include "address_limit.h"
#include "api_keys.h"
#include "cors.h"
#include "host_names.h"
#include "jwks_source.h"
#include "key_text.h"
#include "server_settings.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TOKENS_KEPT = 512, WHY_MAX = 512 };

/* A token that was good: the same one need not be checked again until it ends, or the keys change. */
typedef struct kept_token {
  unsigned char hash[SHA256_BYTES];
  uint64_t generation; /* 0: nothing is kept here */
  int64_t good_until_s;
  caller who;
} kept_token;

struct identity {
  int fd;               /* an eventfd: a look at keys, or a fetch, that somebody waits for has ended */
  api_keys *keys;       /* NULL: there is no place for keys */
  jwt_key_set *secret;  /* of HS256 */
  jwks_source *jwks;
  jwt_rules rules;      /* algorithms 0: no tokens */
  char *texts[6];       /* that `rules` lends */
  char jwks_said[JWT_WHY_MAX]; /* why there was no key set at the start */
  kept_token *kept;
  bool anonymous, anonymous_documents;
  char anonymous_tenant[CALLER_NAME_MAX + 1];
  address_limit *limit; /* NULL: none */
  net_list proxies;
  host_names hosts;
  bool hosts_told; /* then they hold for callers with a key, too */
  cors cors;
};

/* ---- settings ---- */

static void split(const char *list, cli_list *out) {
  while (*(list += strspn(list, ", "))) {
    size_t len = strcspn(list, ",");
    while (len > 0 && list[len - 1] == ' ') len--;
    cli_list_add(out, list, len);
    list += len;
  }
}

static bool fail(char why[WHY_MAX], const char *setting, const char *words) {
  snprintf(why, WHY_MAX, "server.%s: %s", setting, words);
  return false;
}

static void take_rules(identity *ids, const server_settings *s) {
  const char *from[] = {s->jwt_issuer, s->jwt_tenant_claim, s->jwt_tenant, s->jwt_user_claim, s->jwt_role_claim};
  for (int i = 0; i < 5; i++) ids->texts[i] = cli_copy(from[i], strlen(from[i]));
  ids->rules = (jwt_rules){.algorithms = jwt_algorithms_of(s->jwt_algorithms), .issuer = ids->texts[0], .leeway_s = s->jwt_leeway_s,
                           .tenant_claim = ids->texts[1], .tenant = ids->texts[2], .user_claim = ids->texts[3],
                           .role_claim = ids->texts[4]};
  split(s->jwt_audience, &ids->rules.audiences);
  split(s->jwt_roles, &ids->rules.roles);
}

static bool check_rules(const server_settings *s, char why[WHY_MAX]) {
  unsigned algorithms = jwt_algorithms_of(s->jwt_algorithms);
  if (algorithms == 0) return fail(why, "jwt.algorithms", "HS256, RS256 and ES256 are known, separated by commas");
  if (!s->jwt_issuer[0]) return fail(why, "jwt.issuer", "say whose tokens are accepted, as their \"iss\" does");
  if (!s->jwt_audience[0]) {
    return fail(why, "jwt.audience", "say what tokens must be meant for (\"aud\"); else those for other services were good here");
  }
  if (!s->jwt_tenant_claim[0] == !s->jwt_tenant[0]) {
    return fail(why, "jwt.tenant_claim", "set this, or jwt.tenant when all tokens are of one tenant, and not both");
  }
  if (!s->jwt_user_claim[0]) return fail(why, "jwt.user_claim", "say which claim names the user");
  if (!s->jwt_role_claim[0] != !s->jwt_roles[0]) return fail(why, "jwt.roles", "set jwt.role_claim and jwt.roles together");
  if (jwt_claim_is_users_own(s->jwt_tenant_claim)) return fail(why, "jwt.tenant_claim", "users can change this claim themselves");
  if (jwt_claim_is_users_own(s->jwt_user_claim)) return fail(why, "jwt.user_claim", "users can change this claim themselves");
  if (jwt_claim_is_users_own(s->jwt_role_claim)) return fail(why, "jwt.role_claim", "users can change this claim themselves");
  if ((algorithms & JWT_HS256) && !s->jwt_secret[0]) return fail(why, "jwt.secret", "HS256 needs it; better from ${NAME}");
  if ((algorithms & ~(unsigned)JWT_HS256) && !s->jwt_jwks[0]) return fail(why, "jwt.jwks", "RS256 and ES256 need a key set");
  return true;
}

static bool open_tokens(identity *ids, const server_settings *s, char why[WHY_MAX]) {
  char said[JWT_WHY_MAX] = "";
  if (!s->jwt_algorithms[0]) return true;
  if (!check_rules(s, why)) return false;
  take_rules(ids, s);
  if (ids->rules.algorithms & JWT_HS256) {
    ids->secret = jwt_keys_secret(s->jwt_secret, strlen(s->jwt_secret), said);
    if (!ids->secret) return fail(why, "jwt.secret", said);
  }
  if (ids->rules.algorithms & ~(unsigned)JWT_HS256) {
    jwks_options options = {s->jwt_jwks, s->jwt_jwks_ca, s->jwt_jwks_max_age_s, s->jwt_jwks_stale_s, ids->fd};
    ids->jwks = jwks_source_open(&options, said);
    if (!ids->jwks) return fail(why, "jwt.jwks", said);
    memcpy(ids->jwks_said, said, sizeof said);
  }
  ids->kept = cli_alloc(TOKENS_KEPT * sizeof *ids->kept);
  return true;
}

/* A store in memory leaves no place for keys: then tokens or nobody in particular must do. */
static bool open_keys(identity *ids, const server_settings *s, const aiorch_config *config, char why[WHY_MAX]) {
  key_place place;
  cli_bytes said = {0};
  bool found = key_place_find(s->keys, config, &place, &said), opened = found;
  if (found && (place.place[0] || (!ids->anonymous && ids->rules.algorithms == 0))) {
    key_store *store = key_store_new(&place, &said);
    ids->keys = store ? api_keys_open(store, ids->fd, &said) : NULL;
    opened = ids->keys != NULL;
  }
  if (found) key_place_free(&place);
  if (!opened) snprintf(why, WHY_MAX, "%s", cli_z(&said));
  cli_release(&said);
  return opened;
}

static bool open_rest(identity *ids, const server_settings *s, char why[WHY_MAX]) {
  const char *wrong = "";
  char said[256];
  ids->anonymous = s->anonymous;
  ids->anonymous_documents = s->anonymous_documents;
  if (ids->anonymous && (!s->anonymous_tenant[0] || strlen(s->anonymous_tenant) > CALLER_NAME_MAX)) {
    return fail(why, "anonymous_tenant", "a name of 1 to 255 bytes: whose documents callers without a key ask");
  }
  snprintf(ids->anonymous_tenant, sizeof ids->anonymous_tenant, "%s", s->anonymous_tenant);
  if (ids->anonymous && s->anonymous_per_minute > 0) ids->limit = address_limit_new(s->anonymous_per_minute);
  if (!net_list_read(s->trusted_proxies, &ids->proxies, &wrong)) {
    snprintf(why, WHY_MAX, "server.trusted_proxies: no address or network begins at \"%.60s\"; at most %d of them, as 10.0.0.0/8", wrong,
             NETWORKS_MAX);
    return false;
  }
  if (!host_names_read(&ids->hosts, s->hosts, said)) return fail(why, "hosts", said);
  ids->hosts_told = ids->hosts.any || ids->hosts.names.count > 0;
  if (!cors_read(&ids->cors, s->cors_origins, s->cors_max_age_s, said)) return fail(why, "cors.origins", said);
  return true;
}

identity *identity_open(const server_settings *settings, const aiorch_config *config, char why[WHY_MAX]) {
  identity *ids = cli_alloc(sizeof *ids);
  ids->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); /* without one nobody waits */
  if (open_rest(ids, settings, why) && open_tokens(ids, settings, why) && open_keys(ids, settings, config, why)) return ids;
  identity_close(ids);
  return NULL;
}

void identity_close(identity *ids) {
  if (!ids) return;
  api_keys_close(ids->keys);
  jwks_source_close(ids->jwks);
  jwt_keys_free(ids->secret);
  for (size_t i = 0; i < sizeof ids->texts / sizeof ids->texts[0]; i++) free(ids->texts[i]);
  cli_list_free(&ids->rules.audiences);
  cli_list_free(&ids->rules.roles);
  free(ids->kept);
  address_limit_free(ids->limit);
  host_names_free(&ids->hosts);
  cors_free(&ids->cors);
  if (ids->fd >= 0) close(ids->fd);
  free(ids);
}

void identity_describe(const identity *ids, cli_bytes *out) {
  size_t keys = ids->keys ? api_keys_count(ids->keys) : 0;
  if (ids->keys) cli_addf(out, "keys (%zu known%s)", keys, keys ? "" : "; 'aiorch keys create' makes one");
  if (ids->rules.algorithms) cli_addf(out, "%stokens of %s", out->len ? ", " : "", ids->rules.issuer);
  if (ids->jwks_said[0]) cli_addf(out, " (the key set cannot be had yet: %s)", ids->jwks_said);
  if (ids->anonymous) cli_addf(out, "%sanybody without a key, as tenant \"%s\"", out->len ? ", " : "", ids->anonymous_tenant);
}

bool identity_trouble(identity *ids, char why[WHY_MAX]) {
  char said[JWT_WHY_MAX] = "";
  bool keys = ids->keys && api_keys_trouble(ids->keys, said), tokens = !keys && ids->jwks && jwks_source_trouble(ids->jwks, said);
  if (keys || tokens) snprintf(why, WHY_MAX, "%s%s", keys ? "" : "server.jwt.jwks: ", said);
  return keys || tokens;
}

/* ---- finding out ---- */

static bool refuse(http_problem *why, const char *code, const char *words) {
  return http_problem_set(why, 401, code, NULL, "%s", words);
}

static void name_caller(caller *out, const char *tenant, const char *user) {
  out->tenant_len = strlen(tenant);
  out->user_len = strlen(user);
  memcpy(out->tenant, tenant, out->tenant_len + 1);
  memcpy(out->user, user, out->user_len + 1);
}

static http_verdict by_key(identity *ids, const char *text, size_t len, int64_t now_s, uint64_t *ticket, caller *out, http_problem *why) {
  api_key_owner owner;
  if (!ids->keys) return refuse(why, "invalid_api_key", "keys are not used here");
  switch (api_keys_find(ids->keys, text, len, now_s * 1000, ticket, &owner)) {
    case API_KEY_GOOD:
      name_caller(out, owner.tenant, owner.user);
      cli_fit(out->credential, sizeof out->credential, owner.id);
      return HTTP_TAKEN;
    case API_KEY_ASKED: return HTTP_LATER;
    case API_KEY_EXPIRED: return refuse(why, "invalid_api_key", "the key has expired");
    case API_KEY_REVOKED: return refuse(why, "invalid_api_key", "the key was revoked");
    case API_KEY_UNAVAILABLE:
      http_problem_set(why, 503, "keys_unavailable", NULL, "keys cannot be checked now; try again");
      why->retry_after_ms = 5000;
      return HTTP_REFUSED;
    default: break;
  }
  if (!key_text_valid(text, len)) return refuse(why, "invalid_api_key", "the key is not written as keys are: is a part of it missing?");
  return refuse(why, "invalid_api_key", "the key is not known");
}

static uint64_t generation_of(identity *ids) { return ids->jwks ? jwks_source_generation(ids->jwks) + 1 : 1; }

static http_verdict check_token(identity *ids, const char *text, size_t len, int64_t now_s, uint64_t *ticket, jwt_claims *claims, http_problem *why) {
  char said[JWT_WHY_MAX] = "";
  jwks_wait wait = {.ticket = *ticket};
  jwt_verdict verdict = ids->jwks ? jwks_source_check(ids->jwks, &ids->rules, ids->secret, text, len, now_s, claims, &wait, said)
                                  : jwt_check(&ids->rules, ids->secret, NULL, text, len, now_s, claims, said);
  *ticket = wait.ticket;
  if (verdict == JWT_GOOD) return HTTP_TAKEN;
  if (wait.later) return HTTP_LATER;
  if (wait.retry_ms > 0) {
    http_problem_set(why, 503, "keys_unavailable", NULL, "%s", said);
    why->retry_after_ms = wait.retry_ms;
    return HTTP_REFUSED;
  }
  return refuse(why, verdict == JWT_EXPIRED ? "token_expired" : "invalid_token", said);
}

static http_verdict by_token(identity *ids, const char *text, size_t len, int64_t now_s, uint64_t *ticket, caller *out, http_problem *why) {
  unsigned char hash[SHA256_BYTES];
  uint64_t generation = generation_of(ids);
  if (len > JWT_MAX_BYTES || !crypto_sha256(text, len, hash)) return refuse(why, "invalid_token", "the token is too long");
  kept_token *kept = &ids->kept[(hash[0] | hash[1] << 8) % TOKENS_KEPT];
  if (kept->generation == generation && now_s < kept->good_until_s && crypto_same(kept->hash, hash, SHA256_BYTES)) {
    *out = kept->who;
    return HTTP_TAKEN;
  }
  jwt_claims claims;
  http_verdict verdict = check_token(ids, text, len, now_s, ticket, &claims, why);
  if (verdict != HTTP_TAKEN) return verdict;
  name_caller(out, claims.tenant, claims.user);
  snprintf(out->credential, sizeof out->credential, "jwt:%.59s", claims.kid);
  *kept = (kept_token){.generation = generation, .good_until_s = claims.expires_s + ids->rules.leeway_s, .who = *out};
  memcpy(kept->hash, hash, SHA256_BYTES);
  return HTTP_TAKEN;
}

void identity_address(const identity *ids, const http_request *request, char out[HTTP_ADDRESS_MAX]) {
  net_address from;
  char text[ADDRESS_TEXT_MAX];
  bool known = client_address_of(&ids->proxies, request->address, request_header(request, "x-forwarded-for"), &from);
  if (known) net_address_text(&from, text);
  snprintf(out, HTTP_ADDRESS_MAX, "%s", known ? text : request->address);
}

static bool anonymously(identity *ids, const http_request *request, caller *out, http_problem *why) {
  net_address from, group;
  char text[ADDRESS_TEXT_MAX], user[ADDRESS_TEXT_MAX + 16];
  if (!client_address_of(&ids->proxies, request->address, request_header(request, "x-forwarded-for"), &from)) {
    return refuse(why, "missing_api_key", "no address is known to call you by; send a key");
  }
  client_address_group(&from, &group);
  net_address_text(&group, text);
  snprintf(user, sizeof user, "ip:%s%s", text, memcmp(&from, &group, sizeof from) == 0 ? "" : "/64");
  name_caller(out, ids->anonymous_tenant, user);
  out->anonymous = true;
  out->read_only = !ids->anonymous_documents;
  snprintf(out->credential, sizeof out->credential, "anonymous");
  if (!ids->limit) return true;
  address_credit credit = address_limit_take(ids->limit, &group, cli_mono_ms());
  out->left = (rate_left){credit.limit, credit.remaining, credit.reset_ms};
  if (credit.admitted) return true;
  http_problem_set(why, 429, "rate_limit_exceeded", NULL, "too many requests without a key from your address: %lld a minute are let through",
                   (long long)credit.limit);
  why->retry_after_ms = credit.retry_after_ms;
  return false;
}

/* The one thing that was sent to be known by. *len 0: nothing was. */
static bool find_credential(const http_request *request, const char **text, size_t *len, http_problem *why) {
  const char *bearer = request_header(request, "authorization"), *key = request_header(request, "x-api-key");
  *len = 0;
  if (bearer) {
    if (strncasecmp(bearer, "bearer ", 7) != 0) {
      return refuse(why, "invalid_api_key", "Authorization has another form than \"Bearer KEY\"");
    }
    bearer += 7;
    bearer += strspn(bearer, " ");
  }
  if (bearer && key && strcmp(bearer, key) != 0) {
    return refuse(why, "invalid_api_key", "Authorization and x-api-key name two different keys; send one");
  }
  *text = bearer ? bearer : key;
  if (!*text) return true;
  *len = strlen(*text);
  while (*len > 0 && (*text)[*len - 1] == ' ') --*len;
  if (*len == 0) return refuse(why, "invalid_api_key", "the key is empty");
  if (*len == 4 && memcmp(*text, "none", 4) == 0) *len = 0; /* of clients that cannot send nothing */
  return true;
}

http_verdict identity_ask(identity *ids, const http_request *request, int64_t now_s, uint64_t *ticket, caller *out, http_problem *why) {
  const char *text = NULL;
  size_t len;
  *out = (caller){0};
  if (ids->hosts_told && !host_names_allow(&ids->hosts, request, why)) return HTTP_REFUSED;
  if (!cors_allows(&ids->cors, request, why) || !find_credential(request, &text, &len, why)) return HTTP_REFUSED;
  if (len == 0 && ids->anonymous) {
    return host_names_allow(&ids->hosts, request, why) && anonymously(ids, request, out, why) ? HTTP_TAKEN : HTTP_REFUSED;
  }
  if (len == 0) return refuse(why, "missing_api_key", "no key was sent: put one into the header Authorization: Bearer KEY");
  if (key_text_claims(text, len)) return by_key(ids, text, len, now_s, ticket, out, why);
  if (ids->rules.algorithms && memchr(text, '.', len)) return by_token(ids, text, len, now_s, ticket, out, why);
  return refuse(why, "invalid_api_key", "this is no key of this server");
}

bool identity_find(identity *ids, const http_request *request, int64_t now_s, caller *out, http_problem *why) {
  uint64_t ticket = API_KEYS_NO_WAIT;
  return identity_ask(ids, request, now_s, &ticket, out, why) == HTTP_TAKEN;
}

bool identity_open_to(const identity *ids, const http_request *request, http_problem *why) {
  return (!ids->anonymous && !ids->hosts_told) || host_names_allow(&ids->hosts, request, why);
}

int identity_fd(const identity *ids) { return ids->fd; }

void identity_headers(const identity *ids, const http_request *request, http_headers *out) { cors_headers(&ids->cors, request, out); }
