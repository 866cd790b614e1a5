/*
 * Where the server is: the URL of "store", the settings, and the environment as libpq reads it, once. Nothing that could be a password ever
 * gets into words: of libpq's own about a URL only what stands before the piece that it quotes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stores/postgres_engine.h"

enum { PLACE_MAX = 1024, PATH_MAX_BYTES = 4096, SAID_MAX = 80 };

/* What is set here and nowhere else. */
static bool is_ours(const char *keyword) {
  static const char *const ours[] = {"host", "hostaddr", "port", "sslmode", "sslrootcert", "gssencmode", "client_encoding",
                                     "fallback_application_name", "tcp_user_timeout", "target_session_attrs", "replication", "passfile"};
  for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
    if (strcmp(keyword, ours[i]) == 0) return true;
  return false;
}

static const char *value_of(const PQconninfoOption *list, const char *keyword) {
  for (; list->keyword != NULL; list++)
    if (strcmp(list->keyword, keyword) == 0) return list->val != NULL && list->val[0] != '\0' ? list->val : NULL;
  return NULL;
}

/* From the URL, else from the environment and libpq's defaults. */
static const char *either(const PQconninfoOption *url, const PQconninfoOption *defaults, const char *keyword) {
  const char *value = value_of(url, keyword);
  return value != NULL ? value : value_of(defaults, keyword);
}

static bool add(aio__pg_target *t, const char *keyword, const char *value) {
  if (value == NULL) return true;
  if (t->option_count == AIO__PG_OPTIONS_MAX) return false;
  size_t at = t->option_count++;
  t->keywords[at] = aio__strndup(t->al, keyword, strlen(keyword));
  t->values[at] = aio__strndup(t->al, value, strlen(value));
  return t->keywords[at] != NULL && t->values[at] != NULL;
}

/* ---- hosts -------------------------------------------------------------------------------------------------------------------- */

static bool is_numeric(const char *text) {
  unsigned char address[sizeof(struct in6_addr)];
  return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static bool is_loopback(const char *text) {
  struct in_addr v4;
  struct in6_addr v6;
  if (inet_pton(AF_INET, text, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool is_socket(const char *name) {
  return name[0] == '/' || name[0] == '@' || name[0] == '\0';
}

/* The item at `index` of a list with commas; the whole of one item serves all when `spread`. False: there is none. */
static bool item_of(const char *list, size_t index, bool spread, aio__str *out) {
  *out = AIO__LIT("");
  if (list == NULL) return false;
  if (spread && strchr(list, ',') == NULL) index = 0;
  for (; index > 0; index--) {
    list = strchr(list, ',');
    if (list == NULL) return false;
    list++;
  }
  const char *end = strchr(list, ',');
  *out = aio__str_n(list, end != NULL ? (size_t)(end - list) : strlen(list));
  return true;
}

static aiorch_status add_host(aio__pg_target *t, aio__str name, aio__str address, aio__str port, aiorch_error *error) {
  if (t->host_count == AIO__PG_HOSTS_MAX)
    return aio__error_set(error, AIORCH_E_CONFIG, "store: more than %d hosts in the URL", AIO__PG_HOSTS_MAX);
  aio__pg_host *host = &t->hosts[t->host_count++];
  if (name.n == 0 && address.n == 0) name = AIO__LIT("/var/run/postgresql");
  if (port.n == 0) port = AIO__LIT("5432");
  host->name = aio__strndup(t->al, name.n > 0 ? name.p : address.p, name.n > 0 ? name.n : address.n);
  host->port = aio__strndup(t->al, port.p, port.n);
  if (host->name == NULL || host->port == NULL) return aio__pg_nomem(error);
  if (address.n > 0 || is_numeric(host->name)) {
    aio__str numeric = address.n > 0 ? address : name;
    host->address = aio__strndup(t->al, numeric.p, numeric.n);
    if (host->address == NULL) return aio__pg_nomem(error);
  }
  bool by_name = strcmp(host->name, "localhost") == 0 && host->address == NULL;
  host->local = host->address != NULL ? is_loopback(host->address) : is_socket(host->name) || by_name;
  host->lookup = host->address == NULL && !is_socket(host->name);
  return AIORCH_OK;
}

static aiorch_status add_hosts(aio__pg_target *t, const char *names, const char *addresses, const char *ports, aiorch_error *error) {
  aio__str name, address, port;
  for (size_t i = 0;; i++) {
    bool has_name = item_of(names, i, false, &name), has_address = item_of(addresses, i, false, &address);
    (void)item_of(ports, i, true, &port);
    if (i > 0 && !has_name && !has_address) return AIORCH_OK;
    aiorch_status status = add_host(t, name, address, port, error);
    if (status != AIORCH_OK) return status;
  }
}

static bool all_local(const aio__pg_target *t) {
  for (size_t i = 0; i < t->host_count; i++)
    if (!t->hosts[i].local) return false;
  return true;
}

/* ---- TLS ---------------------------------------------------------------------------------------------------------------------- */

/* The certificates that the system trusts; libpq knows them by itself from 16 on. */
static const char *system_bundle(void) {
  static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                       "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
    if (access(places[i], R_OK) == 0) return places[i];
  return PQlibVersion() >= 160000 ? "system" : NULL;
}

/* libpq's own place, where there is such a file. */
static bool has_own_bundle(void) {
  char path[PATH_MAX_BYTES];
  const char *home = getenv("HOME"), *name = "/.postgresql/root.crt";
  size_t n = home != NULL ? strlen(home) : 0;
  if (n == 0 || n + strlen(name) >= sizeof path) return false;
  memcpy(path, home, n);
  memcpy(path + n, name, strlen(name) + 1);
  return access(path, R_OK) == 0;
}

static aiorch_status add_bundle(aio__pg_target *t, const char *ca_file, const char *url_file, aiorch_error *error) {
  const char *file = ca_file[0] != '\0' ? ca_file : url_file;
  if (ca_file[0] != '\0' && access(ca_file, R_OK) != 0)
    return aio__error_set(error, AIORCH_E_CONFIG, "postgres.ca_file: %s cannot be read: %s", ca_file, strerror(errno));
  if (file == NULL && !has_own_bundle()) {
    file = system_bundle();
    if (file == NULL)
      return aio__error_set(error, AIORCH_E_CONFIG,
                            "the system has no bundle of certificates that are trusted: set postgres.ca_file to the PEM file of the"
                            " authority that signed the server's");
  }
  return add(t, "sslrootcert", file) ? AIORCH_OK : aio__pg_nomem(error);
}

static aiorch_status add_tls(aio__pg_target *t, const char *wanted, const char *url_file, const aio__options *o, aiorch_error *error) {
  bool local = all_local(t), as_url = strcmp(o->postgres_tls, "url") == 0;
  const char *mode = wanted != NULL ? wanted : local ? "prefer" : "verify-full";
  if (!local && !as_url && strcmp(mode, "verify-full") != 0) {
    return aio__error_set(error, AIORCH_E_CONFIG,
                          "store: sslmode=%.20s would not make sure who answers; leave it out, or set postgres.tls to \"url\" where the"
                          " network itself can be trusted",
                          mode);
  }
  if (!add(t, "sslmode", mode)) return aio__pg_nomem(error);
  if (strcmp(mode, "verify-full") == 0 || strcmp(mode, "verify-ca") == 0) return add_bundle(t, o->postgres_ca_file, url_file, error);
  return add(t, "sslrootcert", url_file) ? AIORCH_OK : aio__pg_nomem(error);
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------------- */

/* "postgresql://user@host:port,host:port/database" */
static aiorch_status write_place(aio__pg_target *t, const char *database, aiorch_error *error) {
  aio__buf place;
  aio__buf_init(&place, t->al, PLACE_MAX);
  aio__buf_fmt(&place, "postgresql://%s@", t->user);
  for (size_t i = 0; i < t->host_count; i++) {
    const aio__pg_host *h = &t->hosts[i];
    bool v6 = strchr(h->name, ':') != NULL;
    aio__buf_fmt(&place, "%s%s%s%s:%s", i > 0 ? "," : "", v6 ? "[" : "", h->name, v6 ? "]" : "", h->port);
  }
  aio__buf_fmt(&place, "/%s", database);
  bool large = place.failed == AIORCH_E_TOO_LARGE;
  t->place = aio__buf_take(&place, NULL);
  aio__buf_free(&place);
  if (t->place != NULL) return AIORCH_OK;
  return large ? aio__error_set(error, AIORCH_E_CONFIG, "store: the names in the URL are too long") : aio__pg_nomem(error);
}

/* A file of passwords that others may read is not read by libpq, which says so on stderr; a library must not. So then it is named another,
 * that is not there. */
static bool add_passfile(aio__pg_target *t, const char *named) {
  char path[PATH_MAX_BYTES];
  struct stat info;
  const char *home = getenv("HOME"), *name = "/.pgpass";
  size_t n = home != NULL ? strlen(home) : 0;
  if (named == NULL && (n == 0 || n + strlen(name) >= sizeof path)) return true;
  if (named == NULL) {
    memcpy(path, home, n);
    memcpy(path + n, name, strlen(name) + 1);
  }
  bool usable = stat(named != NULL ? named : path, &info) != 0 || (S_ISREG(info.st_mode) && (info.st_mode & 077) == 0);
  return add(t, "passfile", usable ? named : "/dev/null/none");
}

static aiorch_status add_options(aio__pg_target *t, const PQconninfoOption *url, const PQconninfoOption *defaults, aiorch_error *error) {
  bool ok = true;
  for (const PQconninfoOption *one = defaults; one->keyword != NULL && ok; one++)
    if (!is_ours(one->keyword)) ok = add(t, one->keyword, either(url, defaults, one->keyword));
  ok = ok && add_passfile(t, either(url, defaults, "passfile"));
  const char *attrs = either(url, defaults, "target_session_attrs");
  bool several = t->host_count > 1 && value_of(url, "target_session_attrs") == NULL && getenv("PGTARGETSESSIONATTRS") == NULL;
  ok = ok && add(t, "target_session_attrs", several ? "read-write" : attrs);
  ok = ok && add(t, "client_encoding", "UTF8");
  ok = ok && add(t, "fallback_application_name", "aiorch");
  const char *gss = value_of(url, "gssencmode");
  ok = ok && add(t, "gssencmode", gss != NULL ? gss : "disable"); /* its libraries wait for their servers */
  const char *timeout = value_of(url, "tcp_user_timeout");
  ok = ok && add(t, "tcp_user_timeout", timeout != NULL ? timeout : "15000");
  return ok ? AIORCH_OK : aio__pg_nomem(error);
}

static aiorch_status fill(aio__pg_target *t, const PQconninfoOption *url, const PQconninfoOption *defaults, const aio__options *o,
                          aiorch_error *error) {
  const char *user = either(url, defaults, "user"), *database = either(url, defaults, "dbname");
  const char *mode = value_of(url, "sslmode"), *environment = getenv("PGSSLMODE"), *bundle = either(url, defaults, "sslrootcert");
  if (value_of(url, "service") != NULL)
    return aio__error_set(error, AIORCH_E_CONFIG, "store: a URL with ?service= is not understood; name the service in PGSERVICE");
  if (value_of(url, "options") != NULL)
    return aio__error_set(error, AIORCH_E_CONFIG, "store: ?options= in the URL would be lost behind a pooler: set them for the role in the"
                                                  " database (ALTER ROLE ... SET ...)");
  if (user == NULL) return aio__error_set(error, AIORCH_E_CONFIG, "store: the URL names no user: postgresql://USER@HOST/DATABASE");
  t->user = aio__strndup(t->al, user, strlen(user));
  if (t->user == NULL) return aio__pg_nomem(error);
  aiorch_status status = add_hosts(t, either(url, defaults, "host"), either(url, defaults, "hostaddr"), either(url, defaults, "port"), error);
  if (status == AIORCH_OK) status = add_options(t, url, defaults, error);
  if (status == AIORCH_OK && mode == NULL && environment != NULL && environment[0] != '\0') mode = environment;
  if (status == AIORCH_OK) status = add_tls(t, mode, bundle, o, error);
  return status == AIORCH_OK ? write_place(t, database != NULL ? database : user, error) : status;
}

/* libpq's words up to where it begins to quote the URL. */
static aiorch_status not_understood(const char *said, aiorch_error *error) {
  size_t n = said != NULL ? strcspn(said, "\":\n") : 0;
  while (n > 0 && said[n - 1] == ' ') n--;
  return aio__error_set(error, AIORCH_E_CONFIG,
                        "store: the URL is not understood (%.*s): postgresql://USER@HOST:PORT/DATABASE?NAME=VALUE, with other characters than"
                        " letters, digits and -._~ written as %%XX",
                        (int)(n < SAID_MAX ? n : SAID_MAX), n > 0 ? said : "");
}

aiorch_status aio__pg_target_new(const aio__alloc *al, const char *url, const aio__options *options, aio__pg_target **out,
                                 aiorch_error *error) {
  char *said = NULL;
  aiorch_status status;
  PQconninfoOption *defaults = PQconndefaults(), *list = PQconninfoParse(url, &said);
  aio__pg_target *target = aio__calloc(al, 1, sizeof *target);
  if (target != NULL) target->al = al;
  if (target == NULL || defaults == NULL || (list == NULL && said == NULL))
    status = aio__pg_nomem(error);
  else if (list == NULL)
    status = not_understood(said, error);
  else
    status = fill(target, list, defaults, options, error);
  PQfreemem(said);
  if (list != NULL) PQconninfoFree(list);
  if (defaults != NULL) PQconninfoFree(defaults);
  if (status == AIORCH_OK) {
    *out = target;
    return status;
  }
  aio__pg_target_free(target);
  return status;
}

void aio__pg_target_free(aio__pg_target *t) {
  if (t == NULL) return;
  for (size_t i = 0; i < t->option_count; i++) {
    aio__free(t->al, t->keywords[i]);
    if (t->values[i] != NULL) explicit_bzero(t->values[i], strlen(t->values[i]));
    aio__free(t->al, t->values[i]);
  }
  for (size_t i = 0; i < t->host_count; i++) {
    aio__free(t->al, t->hosts[i].name);
    aio__free(t->al, t->hosts[i].address);
    aio__free(t->al, t->hosts[i].port);
  }
  aio__free(t->al, t->place);
  aio__free(t->al, t->user);
  aio__free(t->al, t);
}

bool aio__pg_target_needs_lookup(const aio__pg_target *target) {
  for (size_t i = 0; i < target->host_count; i++)
    if (target->hosts[i].lookup) return true;
  return false;
}
