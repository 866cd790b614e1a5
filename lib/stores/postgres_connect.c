/* One connection: made, watched and closed by libpq without waiting. See postgres_engine.h. */
#include <libpq-fe.h>
#include <string.h>
#include <sys/epoll.h>

#include "stores/postgres_engine.h"

enum { LIST_MAX = 16384, SAID_MAX = 500, OURS = 3 };

/* libpq would write them to stderr. */
static void no_notice(void *ctx, const PGresult *result) {
  (void)ctx;
  (void)result;
}

/* ---- why it was not made ------------------------------------------------------------------------------------------------------ */

/* libpq gives words alone, and a server may say them in another language: then the first row's status has to do. */
typedef struct reason {
  const char *sign;
  aiorch_status status; /* STORE_DOWN: waiting may help */
  const char *words;
} reason;

static const reason REASONS[] = {
  {"password authentication failed", AIORCH_E_STORE, "check the user of \"store\" and its password (PGPASSFILE, PGPASSWORD, or the URL with ${NAME})"},
  {"no password supplied", AIORCH_E_STORE, "give the password in the file of PGPASSFILE (mode 0600), in PGPASSWORD, or in the URL with ${NAME}"},
  {"authentication failed", AIORCH_E_STORE, "check the user of \"store\", and pg_hba.conf of the server"},
  {"no pg_hba.conf entry", AIORCH_E_STORE, "its pg_hba.conf lets nobody in from here with this user, database and encryption"},
  {"certificate verify failed", AIORCH_E_STORE, "set postgres.ca_file to the PEM file of the authority that signed its certificate"},
  {"does not match host name", AIORCH_E_STORE,
   "name the server in \"store\" as its certificate does; postgres.ca_file says whose certificates count"},
  {"server does not support SSL", AIORCH_E_STORE,
   "switch TLS on there; or, where the network itself can be trusted, set postgres.tls to \"url\" and ?sslmode=disable in \"store\""},
  {"root certificate", AIORCH_E_STORE, "postgres.ca_file, or sslrootcert in \"store\", names no file with certificates"},
  {"no such database", AIORCH_E_STORE, "name another database in \"store\", or make it"}, /* PgBouncer */
  {"does not exist", AIORCH_E_STORE, "name another database or user in \"store\", or make it"},
  {"session is read-only", AIORCH_E_STORE_DOWN, "no host of \"store\" may be written: is there a primary?"},
  {"too many", AIORCH_E_STORE_DOWN,
   "it has no connection left: lower \"postgres.connections_max\" of its clients, raise its max_connections, or put a pooler before it"},
  {"remaining connection slots", AIORCH_E_STORE_DOWN,
   "it has no connection left: lower \"postgres.connections_max\" of its clients, raise its max_connections, or put a pooler before it"},
  {"", AIORCH_E_STORE_DOWN, "is it running, and is this its address?"},
};

static aiorch_status not_made(const aio__pg_conn *conn, aiorch_error *error) {
  const char *said = PQerrorMessage(conn->pg);
  const reason *why = REASONS;
  while (strstr(said, why->sign) == NULL) why++;
  aio__str text = aio__str_trim(aio__str_z(said));
  return aio__error_set(error, why->status, "%s: %.*s: %s", conn->pool->store->target->place, (int)aio__utf8_cut(text, SAID_MAX),
                        text.n > 0 ? text.p : "", why->words);
}

/* ---- beginning ---------------------------------------------------------------------------------------------------------------- */

static void add_item(aio__buf *list, size_t index, const char *item) {
  if (index > 0) aio__buf_char(list, ',');
  aio__buf_z(list, item);
}

static aiorch_status start(aio__pg_conn *conn, const aio__buf lists[OURS], aiorch_error *error) {
  static const char *const names[OURS] = {"host", "hostaddr", "port"};
  const aio__pg_target *t = conn->pool->store->target;
  const char *keywords[AIO__PG_OPTIONS_MAX + OURS + 1], *values[AIO__PG_OPTIONS_MAX + OURS + 1];
  size_t n = 0;
  for (size_t i = 0; i < OURS; i++) {
    keywords[n] = names[i];
    values[n++] = aio__buf_cstr(&lists[i]);
  }
  for (size_t i = 0; i < t->option_count; i++) {
    keywords[n] = t->keywords[i];
    values[n++] = t->values[i];
  }
  keywords[n] = values[n] = NULL;
  PGconn *pg = PQconnectStartParams(keywords, values, 0);
  if (pg == NULL) return aio__pg_nomem(error);
  conn->pg = pg;
  PQsetNoticeReceiver(pg, no_notice, NULL);
  if (PQstatus(pg) == CONNECTION_BAD) return not_made(conn, error);
  return aio__pg_conn_watch(conn, EPOLLOUT) ? AIORCH_OK
                                            : aio__error_set(error, AIORCH_E_SYSTEM, "the system cannot watch one more connection");
}

aiorch_status aio__pg_conn_begin(aio__pg_conn *conn, const aio__pg_address *addresses, size_t count, aiorch_error *error) {
  aio__buf lists[OURS];
  bool numeric = false;
  for (size_t i = 0; i < OURS; i++) aio__buf_init(&lists[i], conn->pool->store->env.al, LIST_MAX);
  for (size_t i = 0; i < count; i++) {
    const aio__pg_address *a = &addresses[(i + conn->pool->first_address) % count];
    add_item(&lists[0], i, a->name);
    add_item(&lists[1], i, a->address);
    add_item(&lists[2], i, a->port);
    numeric |= a->address[0] != '\0';
  }
  if (!numeric) aio__buf_reset(&lists[1]);
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; i < OURS && status == AIORCH_OK; i++) status = lists[i].failed;
  if (status == AIORCH_OK)
    status = start(conn, lists, error);
  else
    aio__error_set(error, status, "out of memory for the addresses of the store, or they are too long");
  for (size_t i = 0; i < OURS; i++) aio__buf_free(&lists[i]);
  return status;
}

/* Into pipeline mode, for good. */
static aio__pg_progress made(aio__pg_conn *conn, aiorch_error *error) {
  bool good = PQsetnonblocking(conn->pg, 1) == 0 && PQenterPipelineMode(conn->pg) == 1;
  if (good && aio__pg_conn_watch(conn, EPOLLIN)) return AIO__PG_DONE;
  (void)aio__error_set(error, AIORCH_E_SYSTEM, "a new connection of the store cannot be used");
  return AIO__PG_LOST;
}

aio__pg_progress aio__pg_conn_poll(aio__pg_conn *conn, aiorch_error *error) {
  uint32_t events = 0;
  switch (PQconnectPoll(conn->pg)) {
  case PGRES_POLLING_OK:
    conn->events = 0;
    return made(conn, error);
  case PGRES_POLLING_READING:
    events = EPOLLIN;
    break;
  case PGRES_POLLING_WRITING:
    events = EPOLLOUT;
    break;
  default:
    (void)not_made(conn, error);
    return AIO__PG_LOST;
  }
  conn->events = 0; /* it may be another socket now, with the same number */
  if (aio__pg_conn_watch(conn, events)) return AIO__PG_WAIT;
  (void)aio__error_set(error, AIORCH_E_SYSTEM, "the system cannot watch one more connection");
  return AIO__PG_LOST;
}

/* ---- living ------------------------------------------------------------------------------------------------------------------- */

bool aio__pg_conn_watch(aio__pg_conn *conn, uint32_t events) {
  int fd = PQsocket(conn->pg);
  if (fd < 0) return false;
  if (fd == conn->fd && events == conn->events) return true;
  conn->fd = fd;
  conn->events = events;
  return aio__io_watch(conn->pool->io, conn->pool->source, fd, events) == 0;
}

bool aio__pg_conn_alive(aio__pg_conn *conn) {
  PGnotify *notice;
  if (PQconsumeInput(conn->pg) == 0 || PQstatus(conn->pg) != CONNECTION_OK) return false;
  while ((notice = PQnotifies(conn->pg)) != NULL) PQfreemem(notice);
  return true;
}

void aio__pg_conn_end(aio__pg_conn *conn) {
  if (conn->pg == NULL) return;
  if (conn->fd >= 0 && PQsocket(conn->pg) == conn->fd) aio__io_watch(conn->pool->io, conn->pool->source, conn->fd, 0);
  PQfinish(conn->pg);
  conn->pg = NULL;
  conn->fd = -1;
  conn->events = 0;
}

bool aio__pg_conn_needs_rollback(const aio__pg_conn *conn) {
  return PQtransactionStatus(conn->pg) != PQTRANS_IDLE;
}
