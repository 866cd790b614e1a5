/*
 * The table of the server's settings, and how they are read.
 */
#include "server_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 4 << 20, KIB = 1024, MIB = 1 << 20, HOUR_MS = 3600000 };

#define TEXT(field, standard, help) {#field, 's', offsetof(server_settings, field), standard, 0, 0, help}
#define YES_NO(field, standard, help) {#field, 'b', offsetof(server_settings, field), standard, 0, 0, help}
#define NUMBER(field, standard, min, max, help) {#field, 'i', offsetof(server_settings, field), standard, min, max, help}

static const server_setting rows[] = {
    TEXT(listen, "127.0.0.1:8484", "address and port to listen on; [::1]:8484 for IPv6, several separated by commas, port 0 for any"),
    YES_NO(anonymous, "false", "serve callers who do not say who they are"),
    TEXT(anonymous_tenant, "default", "the tenant of callers who do not say who they are"),
    {"tls.certificate", 's', offsetof(server_settings, tls_certificate), "", 0, 0, "file of the certificate and those above it, PEM; with it HTTPS alone is spoken"},
    {"tls.key", 's', offsetof(server_settings, tls_key), "", 0, 0, "file of the certificate's private key, PEM"},
    TEXT(models, "", "models beyond the providers' own that clients may name: PROVIDER/MODEL, PROVIDER/* or *, separated by commas"),
    NUMBER(body_max_bytes, "16777216", KIB, 1024LL * MIB, "the most bytes of a request's body"),
    NUMBER(bodies_max_bytes, "268435456", KIB, 65536LL * MIB, "the most bytes of all bodies that are here at once, of one tenant's three quarters of it; beyond it 503"),
    NUMBER(head_max_bytes, "16384", KIB, MIB, "the most bytes of a request's line and headers"),
    NUMBER(uri_max_bytes, "4096", 64, 65536, "the most bytes of a request's address"),
    NUMBER(connections_max, "12000", 1, 1000000, "connections at once; more are told to come back"),
    NUMBER(connections_per_address, "4096", 0, 1000000, "connections at once from one address, a proxy's for one; 0: no such limit"),
    NUMBER(calls_max, "4096", 1, 1000000, "requests at once that wait for an answer, of one tenant three quarters as many; beyond it 503"),
    NUMBER(head_timeout_ms, "10000", 100, HOUR_MS, "from a request's first byte to the end of its headers"),
    NUMBER(body_timeout_ms, "15000", 100, HOUR_MS, "time of grace for a body, after which body_bytes_per_s holds"),
    NUMBER(body_bytes_per_s, "4096", 0, 1024LL * MIB, "how fast a body has to come"),
    NUMBER(idle_ms, "75000", 100, 24LL * HOUR_MS, "how long a connection may stay open between two requests"),
    NUMBER(write_timeout_ms, "30000", 100, HOUR_MS, "a client that takes nothing of its answer for so long is cut off"),
    NUMBER(heartbeat_ms, "15000", 50, HOUR_MS, "a stream in which nothing happens says so that often"),
    NUMBER(first_byte_ms, "30000", 0, HOUR_MS, "a stream whose answer has not begun by then begins without it, so that proxies keep it; 0: never"),
    NUMBER(stream_buffer_bytes, "65536", KIB, 64LL * MIB, "what may wait for a client that reads slowly; then its run stands still"),
    NUMBER(workers, "4", 1, 64, "threads for documents, search and embeddings"),
    NUMBER(worker_queue, "64", 1, 65536, "requests that may wait for one of them, of one tenant three quarters as many; beyond it 503"),
    NUMBER(drain_ms, "30000", 0, HOUR_MS, "how long SIGTERM waits for what is under way"),
    YES_NO(access_log, "false", "one line of JSON a request on stderr"),
    YES_NO(half_closed, "false", "go on for a client that has closed its sending side; false: it counts as gone"),
    TEXT(keys, "", "where keys of callers are: a SQLite file, or postgresql://...; empty: beside the store"),
    NUMBER(anonymous_per_minute, "60", 0, 1000000, "requests a minute from one address of callers who do not say who they are; 0: no such limit"),
    YES_NO(anonymous_documents, "false", "let callers who do not say who they are add and remove documents"),
    YES_NO(limit_search, "true", "searches and embeddings count as runs of their user: rate_limit.requests, budget.*"),
    YES_NO(limit_documents, "false", "adding or removing a document counts as a run of its user"),
    TEXT(trusted_proxies, "", "addresses or networks whose X-Forwarded-For is believed, separated by commas: 127.0.0.1, 10.0.0.0/8"),
    TEXT(hosts, "", "names that the server goes by, ai.example.org, *.example.org, separated by commas; * for any; empty: for callers without a key none but addresses and localhost"),
    {"cors.origins", 's', offsetof(server_settings, cors_origins), "", 0, 0, "pages that browsers may let use the server, https://app.example.org, separated by commas; * for all"},
    {"cors.max_age_s", 'i', offsetof(server_settings, cors_max_age_s), "600", 0, 86400, "for how long a browser need not ask again whether it may"},
    {"jwt.algorithms", 's', offsetof(server_settings, jwt_algorithms), "", 0, 0, "JSON web tokens are accepted when signed so: HS256, RS256, ES256, separated by commas; empty: none are"},
    {"jwt.secret", 's', offsetof(server_settings, jwt_secret), "", 0, 0, "the secret of HS256, 32 bytes or more; better as ${NAME}"},
    {"jwt.jwks", 's', offsetof(server_settings, jwt_jwks), "", 0, 0, "the key set of RS256 and ES256: an https URL, or a file"},
    {"jwt.jwks_ca", 's', offsetof(server_settings, jwt_jwks_ca), "", 0, 0, "certificates to trust when the key set is fetched, PEM; empty: the system's"},
    {"jwt.jwks_max_age_s", 'i', offsetof(server_settings, jwt_jwks_max_age_s), "600", 10, 86400, "after how long the key set is fetched again"},
    {"jwt.jwks_stale_s", 'i', offsetof(server_settings, jwt_jwks_stale_s), "86400", 0, 2592000, "for how long the last key set serves on while none can be had"},
    {"jwt.issuer", 's', offsetof(server_settings, jwt_issuer), "", 0, 0, "what \"iss\" of a token must be"},
    {"jwt.audience", 's', offsetof(server_settings, jwt_audience), "", 0, 0, "one of which \"aud\" of a token must name, separated by commas"},
    {"jwt.leeway_s", 'i', offsetof(server_settings, jwt_leeway_s), "30", 0, 300, "by how many seconds the clocks of issuer and server may differ"},
    {"jwt.tenant_claim", 's', offsetof(server_settings, jwt_tenant_claim), "", 0, 0, "the claim that names the tenant: app_metadata.tenant_id, https://app.example/tenant"},
    {"jwt.tenant", 's', offsetof(server_settings, jwt_tenant), "", 0, 0, "the tenant of all tokens, in place of a claim"},
    {"jwt.user_claim", 's', offsetof(server_settings, jwt_user_claim), "sub", 0, 0, "the claim that names the user"},
    {"jwt.role_claim", 's', offsetof(server_settings, jwt_role_claim), "", 0, 0, "a claim that must have one of jwt.roles"},
    {"jwt.roles", 's', offsetof(server_settings, jwt_roles), "", 0, 0, "the values of jwt.role_claim that are let in, separated by commas"},
    {"metrics_tenant", 's', offsetof(server_settings, metrics_tenant), "default", 0, 0, "the tenant whose callers may GET /metrics: that of whoever runs the server; empty: no tenant's"},
    YES_NO(metrics_open, "false", "GET /metrics for everybody"),
};

enum { ROWS = sizeof rows / sizeof rows[0] };

const server_setting *server_settings_row(size_t index) { return index < ROWS ? &rows[index] : NULL; }

static void *field(server_settings *settings, const server_setting *row) { return (char *)settings + row->offset; }

static const char *row_name(size_t index, void *context) {
  (void)context;
  return index < ROWS ? rows[index].name : NULL;
}

static bool set_number(server_settings *settings, const server_setting *row, const char *value, char why[256]) {
  char *end = NULL;
  errno = 0;
  long long number = strtoll(value, &end, 10);
  if (end == value || *end || errno || number < row->min || number > row->max) {
    snprintf(why, 256, "server.%s takes a whole number from %lld to %lld, not '%.40s'", row->name, (long long)row->min, (long long)row->max, value);
    return false;
  }
  *(int64_t *)field(settings, row) = number;
  return true;
}

static bool set_row(server_settings *settings, const server_setting *row, const char *value, char why[256]) {
  if (row->type == 'i') return set_number(settings, row, value, why);
  if (row->type == 'b') {
    bool yes = strcmp(value, "true") == 0;
    if (!yes && strcmp(value, "false") != 0) {
      snprintf(why, 256, "server.%s is true or false, not '%.40s'", row->name, value);
      return false;
    }
    *(bool *)field(settings, row) = yes;
    return true;
  }
  char **text = field(settings, row);
  free(*text);
  *text = cli_copy(value, strlen(value));
  return true;
}

bool server_settings_set(server_settings *settings, const char *name, const char *value, char why[256]) {
  for (size_t i = 0; i < ROWS; i++) {
    if (strcmp(rows[i].name, name) == 0) return set_row(settings, &rows[i], value, why);
  }
  const char *near = cli_nearest(name, row_name, NULL);
  snprintf(why, 256, "there is no setting server.%.60s%s%s; 'aiorch serve --settings' lists them", name, near ? "; did you mean server." : "",
           near ? near : "");
  return false;
}

void server_settings_init(server_settings *settings) {
  char why[256];
  *settings = (server_settings){0};
  for (size_t i = 0; i < ROWS; i++) set_row(settings, &rows[i], rows[i].standard, why);
}

void server_settings_free(server_settings *settings) {
  for (size_t i = 0; i < ROWS; i++) {
    if (rows[i].type == 's') free(*(char **)field(settings, &rows[i]));
  }
  *settings = (server_settings){0};
}

/* "${NAME}" whole as a value stands for the variable, as everywhere in the file. */
static bool set_value(server_settings *settings, const char *name, const json_value *value, const char *path, char why[256]) {
  char words[256] = "";
  bool good = false;
  const char *text = value->text ? value->text : "";
  size_t len = strlen(text);
  if (value->type == JSON_BOOL) {
    good = server_settings_set(settings, name, value->truth ? "true" : "false", words);
  } else if (value->type == JSON_TEXT && len > 3 && strncmp(text, "${", 2) == 0 && text[len - 1] == '}') {
    char *variable = cli_copy(text + 2, len - 3);
    const char *found = getenv(variable);
    if (found) good = server_settings_set(settings, name, found, words);
    else snprintf(words, sizeof words, "server.%.60s: ${%.60s} is not in the environment", name, variable);
    free(variable);
  } else if (value->type == JSON_TEXT || value->type == JSON_NUMBER) {
    good = server_settings_set(settings, name, text, words);
  } else {
    snprintf(words, sizeof words, "server.%.60s takes a text, a number, true or false", name);
  }
  if (!good) snprintf(why, 256, "%.80s: %.170s", path, words);
  return good;
}

static bool set_members(server_settings *settings, const json_value *object, const char *prefix, const char *path, int depth, char why[256]) {
  for (const json_value *member = object->child; member; member = member->next) {
    cli_bytes name = {0};
    cli_addf(&name, "%s%s%s", prefix, *prefix ? "." : "", member->name ? member->name : "");
    bool good = member->type == JSON_OBJECT && depth < 2 ? set_members(settings, member, cli_z(&name), path, depth + 1, why)
                                                         : set_value(settings, cli_z(&name), member, path, why);
    cli_release(&name);
    if (!good) return false;
  }
  return true;
}

static bool set_file(server_settings *settings, const json_value *root, const char *path, char why[256]) {
  static const char flat[] = "server.";
  if (root->type != JSON_OBJECT) return true; /* the library says what is wrong with it */
  for (const json_value *member = root->child; member; member = member->next) {
    const char *name = member->name ? member->name : "";
    if (strcmp(name, "server") == 0 && member->type != JSON_OBJECT) {
      snprintf(why, 256, "%.80s: \"server\" takes an object", path);
      return false;
    }
    bool nested = strcmp(name, "server") == 0;
    if (nested && !set_members(settings, member, "", path, 0, why)) return false;
    if (!nested && strncmp(name, flat, sizeof flat - 1) == 0 && !set_value(settings, name + sizeof flat - 1, member, path, why)) return false;
  }
  return true;
}

bool server_settings_file(server_settings *settings, const char *path, char why[256]) {
  cli_bytes text = {0};
  size_t where = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  int error = fd < 0 ? errno : cli_read_all(fd, FILE_MAX_BYTES, &text);
  if (fd >= 0) close(fd);
  json_value *root = error ? NULL : json_parse(cli_z(&text), text.len, &where);
  bool good = root && set_file(settings, root, path, why);
  if (error) snprintf(why, 256, "%.120s: %s", path, strerror(error));
  else if (!root) snprintf(why, 256, "%.120s: no JSON at byte %zu", path, where);
  json_free(root);
  cli_release(&text);
  return good;
}
