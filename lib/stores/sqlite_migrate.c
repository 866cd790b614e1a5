/* Brings a database to the schema of this library, in one transaction, or says why it cannot. */
#include <string.h>

#include "stores/sqlite_private.h"
#include "text/unpack.h"

enum { RETRY_NS = 1000000 };

static aiorch_status number(aio__sq_conn *conn, aiorch_error *error, const char *sql, int64_t *out) {
  sqlite3_stmt *stmt = NULL;
  int code = sqlite3_prepare_v2(conn->db, sql, -1, &stmt, NULL);
  if (code == SQLITE_OK) code = sqlite3_step(stmt);
  aiorch_status status = AIORCH_OK;
  if (code == SQLITE_ROW)
    *out = sqlite3_column_int64(stmt, 0);
  else
    status = aio__sq_fail(conn, error);
  sqlite3_finalize(stmt);
  return status;
}

static int64_t known_versions(const aio__sq_db *db) {
  int64_t n = 0;
  while (db->migrations[n].name != NULL) n++;
  return n;
}

/* *version is 0 for a database that is still empty. */
static aiorch_status inspect(aio__sq_conn *conn, aiorch_error *error, int64_t *version) {
  int64_t id = 0, tables = 0;
  aiorch_status status = number(conn, error, "PRAGMA application_id", &id);
  if (status == AIORCH_OK) status = number(conn, error, "PRAGMA user_version", version);
  if (status == AIORCH_OK) status = number(conn, error, "SELECT count(*) FROM sqlite_master", &tables);
  if (status != AIORCH_OK) return status;
  const aio__sq_db *db = conn->owner;
  if (id != db->application_id && (id != 0 || tables != 0))
    return aio__error_set(error, AIORCH_E_STORE_CORRUPT,
                          "%s is the database of another program: choose another folder for the store", db->path);
  if (*version < 0) return aio__sq_fail_code(db->path, NULL, SQLITE_CORRUPT, error);
  if (*version > known_versions(db))
    return aio__error_set(error, AIORCH_E_STORE_NEWER,
                          "%s was written by a newer libaiorch (schema %lld, this one knows %lld): update libaiorch",
                          db->path, (long long)*version, (long long)known_versions(db));
  return AIORCH_OK;
}

static aiorch_status execute(aio__sq_conn *conn, aiorch_error *error, const char *sql) {
  return sqlite3_exec(conn->db, sql, NULL, NULL, NULL) == SQLITE_OK ? AIORCH_OK : aio__sq_fail(conn, error);
}

static aiorch_status execute_packed(aio__sq_conn *conn, aiorch_error *error, const aio__packed *sql) {
  const aio__alloc *al = conn->owner->store->env.al;
  char *text = aio__unpack(sql, al);
  if (text == NULL) return aio__sq_nomem(error);
  aiorch_status status = execute(conn, error, text);
  aio__free(al, text);
  return status;
}

static aiorch_status set_pragma(aio__sq_conn *conn, aiorch_error *error, const char *name, int64_t value) {
  char sql[96] = "PRAGMA ";
  sqlite3_snprintf((int)sizeof sql, sql, "PRAGMA %s = %lld", name, (long long)value);
  return execute(conn, error, sql);
}

static aiorch_status note(aio__sq_conn *conn, aiorch_error *error, int64_t version, const char *name) {
  sqlite3_stmt *stmt = NULL;
  int code = sqlite3_prepare_v2(conn->db, "INSERT INTO schema_version (version, name, applied_ms) VALUES (?1, ?2, ?3)",
                                -1, &stmt, NULL);
  if (code == SQLITE_OK) code = sqlite3_bind_int64(stmt, 1, version);
  if (code == SQLITE_OK) code = sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
  if (code == SQLITE_OK) code = sqlite3_bind_int64(stmt, 3, aio__clock_wall_ms(conn->owner->store->env.clock));
  if (code == SQLITE_OK) code = sqlite3_step(stmt);
  aiorch_status status = code == SQLITE_DONE ? AIORCH_OK : aio__sq_fail(conn, error);
  sqlite3_finalize(stmt);
  return status;
}

/* What SQL alone cannot do, by the name behind the number. */
static aiorch_status step_of(aio__sq_conn *conn, aiorch_error *error, const char *name) {
  const char *what = strchr(name, '_');
  return what != NULL && strcmp(what, "_words.sql") == 0 ? aio__sq_words_rebuild(conn, error) : AIORCH_OK;
}

/* Inside a write transaction: another process may have been faster. */
static aiorch_status apply(aio__sq_conn *conn, aiorch_error *error) {
  int64_t version = 0;
  aiorch_status status = inspect(conn, error, &version);
  if (status == AIORCH_OK && version == 0)
    status = execute(conn, error,
                     "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY,"
                     " name TEXT NOT NULL, applied_ms INTEGER NOT NULL)");
  const aio__packed *migration = &conn->owner->migrations[version];
  for (; status == AIORCH_OK && migration->name != NULL; migration++) {
    status = execute_packed(conn, error, migration);
    if (status == AIORCH_OK) status = step_of(conn, error, migration->name);
    if (status == AIORCH_OK) status = note(conn, error, ++version, migration->name);
  }
  if (status == AIORCH_OK) status = set_pragma(conn, error, "application_id", conn->owner->application_id);
  if (status == AIORCH_OK) status = set_pragma(conn, error, "user_version", version);
  return status;
}

/* SQLite says "wal" also when it has not got there; the log itself it makes with the next look at the database. */
aiorch_status aio__sq_use_wal(aio__sq_conn *conn, aiorch_error *error) {
  sqlite3_stmt *stmt = NULL;
  int code = sqlite3_prepare_v2(conn->db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL);
  if (code == SQLITE_OK) code = sqlite3_step(stmt);
  aiorch_status status = AIORCH_OK;
  if (code != SQLITE_ROW)
    status = aio__sq_fail(conn, error);
  else if (!aio__str_eqz(aio__sq_text(stmt, 0), "wal"))
    status = aio__error_set(error, AIORCH_E_STORE,
                            "%s cannot be used: its file system has no shared memory (a network share?); choose a local"
                            " folder",
                            conn->owner->path);
  sqlite3_finalize(stmt);
  return status == AIORCH_OK ? execute(conn, error, "SELECT count(*) FROM sqlite_master") : status;
}

/* One view of all that is inspected: another process may be making the schema right now. */
static aiorch_status look(aio__sq_conn *conn, aiorch_error *error, int64_t *version) {
  aiorch_status status = execute(conn, error, "BEGIN");
  if (status != AIORCH_OK) return status;
  status = inspect(conn, error, version);
  (void)execute(conn, NULL, "ROLLBACK");
  return status == AIORCH_OK ? aio__sq_use_wal(conn, error) : status;
}

static void pause_a_little(aio__sq_db *db) {
  const aio__clock *clock = db->store->env.clock;
  pthread_mutex_lock(&db->mutex);
  (void)aio__clock_wait(clock, &db->cond, &db->mutex, aio__clock_now(clock) + RETRY_NS);
  pthread_mutex_unlock(&db->mutex);
}

/* SQLite does not wait for a lock where two that wait could block each other, as when both change to WAL. */
aiorch_status aio__sq_migrate(aio__sq_conn *conn, aiorch_error *error) {
  int64_t version = 0;
  const aio__store_env *env = &conn->owner->store->env;
  int64_t deadline = aio__clock_after_ms(env->clock, env->options->store_busy_ms);
  aiorch_status status;
  while ((status = look(conn, error, &version)) == AIORCH_E_STORE_DOWN && aio__clock_now(env->clock) < deadline)
    pause_a_little(conn->owner);
  if (status == AIORCH_OK) aio__error_clear(error);
  if (status != AIORCH_OK || version == known_versions(conn->owner)) return status;
  while ((status = aio__sq_try_begin(conn, error)) == AIORCH_AGAIN) {
    if (aio__clock_now(env->clock) >= deadline) return aio__sq_fail_code(conn->owner->path, NULL, SQLITE_BUSY, error);
    pause_a_little(conn->owner);
  }
  if (status != AIORCH_OK) return status;
  aio__error_clear(error);
  status = apply(conn, error);
  if (status == AIORCH_OK) return aio__sq_commit(conn, error);
  aio__sq_rollback(conn);
  return status;
}
