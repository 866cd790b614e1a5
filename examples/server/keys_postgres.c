/*
 * Keys in PostgreSQL, in a schema of the server's own: aiorch_server.server_keys, and one row that says how often it was changed. The
 * login of `aiorch keys` makes them; the server itself only reads.
 */
#include "key_store.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* SILENT_MS: for so long nothing comes of one that was asked; it ends what it is asked itself before (statement_timeout). */
enum { PARAMS_MAX = 8, NUMBER_TEXT = 24, HASH_TEXT = 2 + 2 * SHA256_BYTES + 1, SILENT_MS = 10000 };

typedef struct keys_postgres {
  key_store base;
  key_place place; /* lent texts are copies of its own */
  PGconn *pg;
} keys_postgres;

static const char schema[] =
    "CREATE SCHEMA IF NOT EXISTS aiorch_server;"
    "CREATE TABLE IF NOT EXISTS aiorch_server.server_keys (id text PRIMARY KEY, hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),"
    " tenant text NOT NULL, user_id text NOT NULL, name text NOT NULL, last4 text NOT NULL, created_ms bigint NOT NULL,"
    " expires_ms bigint NOT NULL DEFAULT 0, revoked_ms bigint NOT NULL DEFAULT 0);"
    "CREATE TABLE IF NOT EXISTS aiorch_server.server_keys_version (one boolean PRIMARY KEY DEFAULT true CHECK (one), version bigint NOT NULL);"
    "INSERT INTO aiorch_server.server_keys_version (version) VALUES (1) ON CONFLICT DO NOTHING;"
    "CREATE OR REPLACE FUNCTION aiorch_server.server_keys_changed() RETURNS trigger LANGUAGE plpgsql"
    " SET search_path = pg_catalog, pg_temp AS $$ BEGIN UPDATE aiorch_server.server_keys_version SET version = version + 1; RETURN NULL; END $$;"
    "CREATE OR REPLACE TRIGGER server_keys_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON aiorch_server.server_keys"
    " FOR EACH STATEMENT EXECUTE FUNCTION aiorch_server.server_keys_changed();";

/* libpq would write them to stderr. */
static void no_notice(void *context, const PGresult *result) {
  (void)context;
  (void)result;
}

static key_status failed(keys_postgres *s, const char *said, cli_bytes *why) {
  cli_addz(why, "keys: ");
  key_place_text(&s->place, why);
  cli_addf(why, ": %.*s", (int)strcspn(said, "\n"), said);
  return KEY_FAILED;
}

static bool is_here(const char *host) {
  return host[0] == '/' || host[0] == '@' || strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* Whether any host of the URL, or of the environment when it names none, is another machine. */
static bool is_elsewhere(const PQconninfoOption *options) {
  for (const PQconninfoOption *o = options; o->keyword; o++) {
    if (strcmp(o->keyword, "host") != 0 && strcmp(o->keyword, "hostaddr") != 0) continue;
    const char *list = o->val && o->val[0] ? o->val : getenv(strcmp(o->keyword, "host") == 0 ? "PGHOST" : "PGHOSTADDR");
    while (list && *list) {
      size_t len = strcspn(list, ",");
      char *host = cli_copy(list, len);
      bool here = len == 0 || is_here(host);
      free(host);
      if (!here) return true;
      list += len + (list[len] == ',');
    }
  }
  return false;
}

static const char *system_certificates(void) {
  static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                       "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    if (access(places[i], R_OK) == 0) return places[i];
  }
  return NULL;
}

static bool has_value(const PQconninfoOption *options, const char *keyword) {
  for (const PQconninfoOption *o = options; o->keyword; o++) {
    if (strcmp(o->keyword, keyword) == 0) return o->val && o->val[0];
  }
  return false;
}

static void start(keys_postgres *s, const PQconninfoOption *options) {
  char seconds[NUMBER_TEXT];
  const char *keywords[8], *values[8];
  int n = 0;
  snprintf(seconds, sizeof seconds, "%lld", (long long)((s->place.connect_timeout_ms + 1999) / 1000)); /* libpq takes 1 for 2 */
  keywords[n] = "dbname", values[n++] = s->place.place;
  keywords[n] = "connect_timeout", values[n++] = seconds;
  keywords[n] = "fallback_application_name", values[n++] = "aiorch server keys";
  keywords[n] = "client_encoding", values[n++] = "UTF8";
  if (strcmp(s->place.tls, "verify") == 0 && is_elsewhere(options)) {
    const char *ca = s->place.ca_file[0] ? s->place.ca_file : has_value(options, "sslrootcert") ? NULL : system_certificates();
    keywords[n] = "sslmode", values[n++] = "verify-full";
    if (ca) keywords[n] = "sslrootcert", values[n++] = ca;
  }
  keywords[n] = values[n] = NULL;
  s->pg = PQconnectdbParams(keywords, values, 1);
}

static const char *last_words(const keys_postgres *s) { return s->pg ? PQerrorMessage(s->pg) : "it does not answer"; }

/* Whether a result is here. libpq itself would wait for ever for a machine that has gone without a word, and with it the end of this
 * process: such a connection is given up. */
static bool result_comes(keys_postgres *s) {
  while (PQisBusy(s->pg)) {
    struct pollfd one = {.fd = PQsocket(s->pg), .events = POLLIN};
    int n = poll(&one, 1, SILENT_MS);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      PQfinish(s->pg);
      s->pg = NULL;
      return false;
    }
    if (!PQconsumeInput(s->pg)) return true; /* the result says so */
  }
  return true;
}

/* The last of what was asked for; NULL when nothing was sent, or nothing came. */
static PGresult *result_of(keys_postgres *s, int sent) {
  PGresult *last = NULL, *next;
  while (sent && result_comes(s) && (next = PQgetResult(s->pg)) != NULL) {
    PQclear(last);
    last = next;
  }
  if (s->pg) return last;
  PQclear(last);
  return NULL;
}

static key_status reach(keys_postgres *s, cli_bytes *why) {
  if (s->pg && PQstatus(s->pg) == CONNECTION_OK) return KEY_OK;
  if (s->pg) PQfinish(s->pg);
  s->pg = NULL;
  PQconninfoOption *options = PQconninfoParse(s->place.place, NULL);
  if (!options) return failed(s, "the URL cannot be read", why);
  start(s, options);
  PQconninfoFree(options);
  if (!s->pg) return failed(s, "out of memory", why);
  PQsetNoticeReceiver(s->pg, no_notice, NULL);
  if (PQstatus(s->pg) != CONNECTION_OK) return failed(s, PQerrorMessage(s->pg), why);
  PGresult *r = result_of(s, PQsendQuery(s->pg, "SET statement_timeout = 5000; SET search_path = pg_catalog, pg_temp"));
  bool set = PQresultStatus(r) == PGRES_COMMAND_OK;
  PQclear(r);
  return set ? KEY_OK : failed(s, last_words(s), why);
}

static PGresult *query(keys_postgres *s, const char *sql, int count, const char *const *values) {
  return result_of(s, PQsendQueryParams(s->pg, sql, count, NULL, values, NULL, NULL, 0));
}

static bool went_well(const PGresult *r) {
  ExecStatusType status = PQresultStatus(r);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static bool is_not_there(const PGresult *r) {
  const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
  return state && (strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0);
}

static key_status prepare_schema(key_store *store, cli_bytes *why) {
  keys_postgres *s = (keys_postgres *)store;
  if (reach(s, why) != KEY_OK) return KEY_FAILED;
  PGresult *there = query(s, "SELECT version FROM aiorch_server.server_keys_version", 0, NULL);
  bool made = went_well(there) && PQntuples(there) == 1;
  PQclear(there);
  if (made) return KEY_OK;
  if (!s->pg) return failed(s, last_words(s), why);
  PGresult *r = result_of(s, PQsendQuery(s->pg, schema)); /* several statements at once are one transaction */
  key_status status = went_well(r) ? KEY_OK : failed(s, last_words(s), why);
  PQclear(r);
  return status;
}

static void hash_text(const unsigned char hash[SHA256_BYTES], char out[HASH_TEXT]) {
  static const char digits[] = "0123456789abcdef";
  *out++ = '\\';
  *out++ = 'x';
  for (int i = 0; i < SHA256_BYTES; i++) {
    *out++ = digits[hash[i] >> 4];
    *out++ = digits[hash[i] & 15];
  }
  *out = '\0';
}

static bool hash_read(const char *text, unsigned char hash[SHA256_BYTES]) {
  if (strlen(text) != HASH_TEXT - 1 || memcmp(text, "\\x", 2) != 0) return false;
  for (int i = 0; i < 2 * SHA256_BYTES; i++) {
    int digit = cli_hex(text[2 + i]);
    if (digit < 0) return false;
    hash[i / 2] = (unsigned char)(i % 2 ? hash[i / 2] << 4 | digit : digit);
  }
  return true;
}

static key_status add_key(key_store *store, const server_key *key, cli_bytes *why) {
  keys_postgres *s = (keys_postgres *)store;
  char hash[HASH_TEXT], created[NUMBER_TEXT], expires[NUMBER_TEXT];
  if (prepare_schema(store, why) != KEY_OK) return KEY_FAILED;
  hash_text(key->hash, hash);
  snprintf(created, sizeof created, "%lld", (long long)key->created_ms);
  snprintf(expires, sizeof expires, "%lld", (long long)key->expires_ms);
  const char *values[PARAMS_MAX] = {key->id, hash, key->tenant, key->user, key->name, key->last4, created, expires};
  PGresult *r = query(s, "INSERT INTO aiorch_server.server_keys (id, hash, tenant, user_id, name, last4, created_ms, expires_ms)"
                         " VALUES ($1, $2::bytea, $3, $4, $5, $6, $7::bigint, $8::bigint)", PARAMS_MAX, values);
  key_status status = went_well(r) ? KEY_OK : failed(s, last_words(s), why);
  PQclear(r);
  return status;
}

static key_status revoke_key(key_store *store, const char *id, int64_t now_ms, cli_bytes *why) {
  keys_postgres *s = (keys_postgres *)store;
  char now[NUMBER_TEXT];
  if (reach(s, why) != KEY_OK) return KEY_FAILED;
  snprintf(now, sizeof now, "%lld", (long long)now_ms);
  const char *values[] = {now, id};
  PGresult *r = query(s, "UPDATE aiorch_server.server_keys SET revoked_ms = CASE revoked_ms WHEN 0 THEN $1::bigint ELSE revoked_ms END"
                         " WHERE id = $2", 2, values);
  key_status status = KEY_OK;
  if (is_not_there(r)) status = KEY_NOT_FOUND;
  else if (!went_well(r)) status = failed(s, last_words(s), why);
  else if (strcmp(PQcmdTuples(r), "0") == 0) status = KEY_NOT_FOUND;
  PQclear(r);
  return status;
}

static int64_t number(const PGresult *r, int row, int column) { return strtoll(PQgetvalue(r, row, column), NULL, 10); }

static key_status list_keys(key_store *store, server_keys *out, cli_bytes *why) {
  keys_postgres *s = (keys_postgres *)store;
  if (reach(s, why) != KEY_OK) return KEY_FAILED;
  PGresult *r = query(s, "SELECT id, tenant, user_id, name, last4, hash::text, created_ms, expires_ms, revoked_ms"
                         " FROM aiorch_server.server_keys ORDER BY created_ms, id LIMIT 1000000", 0, NULL);
  key_status status = went_well(r) || is_not_there(r) ? KEY_OK : failed(s, last_words(s), why);
  for (int i = 0; went_well(r) && i < PQntuples(r); i++) {
    server_key key = {PQgetvalue(r, i, 0), PQgetvalue(r, i, 1), PQgetvalue(r, i, 2), PQgetvalue(r, i, 3), PQgetvalue(r, i, 4), {0},
                      number(r, i, 6), number(r, i, 7), number(r, i, 8)};
    if (hash_read(PQgetvalue(r, i, 5), key.hash)) server_keys_add(out, &key);
  }
  PQclear(r);
  return status;
}

static key_status find_version(key_store *store, int64_t *out, cli_bytes *why) {
  keys_postgres *s = (keys_postgres *)store;
  *out = 0;
  if (reach(s, why) != KEY_OK) return KEY_FAILED;
  PGresult *r = query(s, "SELECT version FROM aiorch_server.server_keys_version", 0, NULL);
  key_status status = went_well(r) || is_not_there(r) ? KEY_OK : failed(s, last_words(s), why);
  if (went_well(r) && PQntuples(r) == 1) *out = number(r, 0, 0);
  PQclear(r);
  return status;
}

static void close_connection(key_store *store) {
  keys_postgres *s = (keys_postgres *)store;
  if (s->pg) PQfinish(s->pg);
  key_place_free(&s->place);
  free(s);
}

key_store *keys_postgres_new(const key_place *place) {
  keys_postgres *s = cli_alloc(sizeof *s);
  s->base = (key_store){prepare_schema, add_key, revoke_key, list_keys, find_version, close_connection};
  s->place = (key_place){true, cli_copy(place->place, strlen(place->place)), cli_copy(place->tls, strlen(place->tls)),
                         cli_copy(place->ca_file, strlen(place->ca_file)), place->connect_timeout_ms};
  return &s->base;
}
