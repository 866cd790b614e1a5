/* Errors in words, and the short way to a statement: query, step, run. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "stores/sqlite_private.h"

const char *const aio__sq_knowledge_statements[] = {
#define X(name, sql) sql,
  AIO__SQ_COMMON_SQL(X) AIO__SQ_KNOWLEDGE_SQL(X)};

const char *const aio__sq_ledger_statements[] = {AIO__SQ_COMMON_SQL(X) AIO__SQ_LEDGER_SQL(X)
#undef X
};

aiorch_status aio__sq_nomem(aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_NOMEM, "out of memory");
}

/* What the system said. SQLite does not keep it when a commit fails; aio__sq_step has cleared errno before. */
static int system_code(sqlite3 *db) {
  int code = db != NULL ? sqlite3_system_errno(db) : 0;
  return code != 0 ? code : errno;
}

static bool no_room(int code) {
  return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

static bool no_leave(int code) {
  return code == EROFS || code == EACCES || code == EPERM;
}

/* SQLite calls a page that the disk does not give a damaged one. */
static bool could_not_read(sqlite3 *db) {
  int code = 0;
  sqlite3_file *wal = NULL;
  if (db == NULL) return false;
  if (sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &code) == SQLITE_OK && code == EIO) return true;
  if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) != SQLITE_OK) return false;
  code = 0;
  return wal != NULL && wal->pMethods != NULL &&
         wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &code) == SQLITE_OK && code == EIO;
}

aiorch_status aio__sq_fail_code(const char *path, sqlite3 *db, int code, aiorch_error *error) {
  int system = system_code(db);
  const char *words = db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  switch (code & 0xff) {
  case SQLITE_NOMEM:
    return aio__sq_nomem(error);
  case SQLITE_INTERRUPT:
    return aio__error_set(error, AIORCH_E_DEADLINE, "the deadline passed while %s was used; nothing was changed", path);
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
  case SQLITE_PROTOCOL:
    return aio__error_set(error, AIORCH_E_STORE_DOWN,
                          "%s is busy: another process holds it; try again, or raise store.busy_ms", path);
  case SQLITE_FULL:
    return aio__error_set(error, AIORCH_E_STORE_FULL, "no room to write %s: make room on its disk, then try again",
                          path);
  case SQLITE_READONLY:
  case SQLITE_PERM:
    return aio__error_set(error, AIORCH_E_STORE_READ_ONLY,
                          "%s may not be written: check the permissions of the file and its folder, and how its disk"
                          " is mounted",
                          path);
  case SQLITE_NOTADB:
  case SQLITE_CORRUPT:
    if (could_not_read(db))
      return aio__error_set(error, AIORCH_E_STORE, "reading %s failed (%s): check its disk", path, strerror(EIO));
    return aio__error_set(error, AIORCH_E_STORE_CORRUPT,
                          "%s is not a store, or damaged (%s): choose another folder, or restore it from a backup",
                          path, words);
  case SQLITE_IOERR:
    if (code == SQLITE_IOERR_NOMEM) return aio__sq_nomem(error);
    if (no_room(system)) return aio__sq_fail_code(path, NULL, SQLITE_FULL, error);
    if (no_leave(system)) return aio__sq_fail_code(path, NULL, SQLITE_READONLY, error);
    return aio__error_set(error, AIORCH_E_STORE, "reading or writing %s failed (%s, %s): check its disk", path, words,
                          strerror(system != 0 ? system : EIO));
  case SQLITE_TOOBIG:
    return aio__error_set(error, AIORCH_E_TOO_LARGE, "%s takes no value above SQLite's limit (1,000,000,000 bytes)",
                          path);
  case SQLITE_CONSTRAINT:
    return aio__error_set(error, AIORCH_E_STORE, "%s refused a row (%s): an id is in use by something else", path,
                          words);
  case SQLITE_CANTOPEN:
    if (no_leave(system)) return aio__sq_fail_code(path, NULL, SQLITE_READONLY, error);
    if (no_room(system)) return aio__sq_fail_code(path, NULL, SQLITE_FULL, error);
    return aio__error_set(error, AIORCH_E_STORE, "%s cannot be opened (%s): check that its folder is there", path,
                          words);
  default:
    return aio__error_set(error, AIORCH_E_STORE, "%s failed (%s, SQLite %d)", path, words, code);
  }
}

aiorch_status aio__sq_fail(aio__sq_conn *conn, aiorch_error *error) {
  return aio__sq_fail_code(conn->owner->path, conn->db, sqlite3_extended_errcode(conn->db), error);
}

static aiorch_status prepare(aio__sq_conn *conn, aiorch_error *error, int id) {
  if (conn->statements[id] != NULL) return AIORCH_OK;
  int code =
    sqlite3_prepare_v3(conn->db, conn->owner->sql[id], -1, SQLITE_PREPARE_PERSISTENT, &conn->statements[id], NULL);
  return code == SQLITE_OK ? AIORCH_OK : aio__sq_fail(conn, error);
}

/* An empty text is bound as '' and an empty blob as x'', never as NULL. */
static int bind_bytes(sqlite3_stmt *stmt, int at, aio__str bytes, bool text) {
  const char *p = bytes.n > 0 ? bytes.p : "";
  if (text) return sqlite3_bind_text64(stmt, at, p, bytes.n, SQLITE_STATIC, SQLITE_UTF8);
  return sqlite3_bind_blob64(stmt, at, p, bytes.n, SQLITE_STATIC);
}

static int bind_all(sqlite3_stmt *stmt, const char *format, va_list values) {
  int code = SQLITE_OK;
  for (int at = 1; format[at - 1] != '\0' && code == SQLITE_OK; at++) {
    switch (format[at - 1]) {
    case 's':
      code = bind_bytes(stmt, at, va_arg(values, aio__str), true);
      break;
    case 'b':
      code = bind_bytes(stmt, at, va_arg(values, aio__str), false);
      break;
    case 'z':
      code = bind_bytes(stmt, at, aio__str_z(va_arg(values, const char *)), true);
      break;
    case 'i':
      code = sqlite3_bind_int64(stmt, at, va_arg(values, int64_t));
      break;
    case 'd':
      code = sqlite3_bind_int64(stmt, at, va_arg(values, int));
      break;
    default:
      (void)va_arg(values, int64_t);
      code = sqlite3_bind_null(stmt, at);
      break;
    }
  }
  return code;
}

static aiorch_status query_list(aio__sq_conn *conn, aiorch_error *error, int id, sqlite3_stmt **out, const char *format,
                                va_list values) {
  aiorch_status status = prepare(conn, error, id);
  if (status != AIORCH_OK) return status;
  if (bind_all(conn->statements[id], format, values) != SQLITE_OK) {
    status = aio__sq_fail(conn, error);
    aio__sq_reset(conn->statements[id]);
    return status;
  }
  *out = conn->statements[id];
  return AIORCH_OK;
}

aiorch_status aio__sq_query(aio__sq_conn *conn, aiorch_error *error, int id, sqlite3_stmt **out, const char *format,
                            ...) {
  va_list values;
  va_start(values, format);
  aiorch_status status = query_list(conn, error, id, out, format, values);
  va_end(values);
  return status;
}

aiorch_status aio__sq_step(aio__sq_conn *conn, aiorch_error *error, sqlite3_stmt *stmt) {
  errno = 0;
  int code = sqlite3_step(stmt);
  if (code == SQLITE_ROW) return AIORCH_OK;
  aiorch_status status = code == SQLITE_DONE ? AIORCH_DONE : aio__sq_fail(conn, error);
  aio__sq_reset(stmt);
  return status;
}

void aio__sq_reset(sqlite3_stmt *stmt) {
  sqlite3_reset(stmt);
  sqlite3_clear_bindings(stmt);
}

aiorch_status aio__sq_run(aio__sq_conn *conn, aiorch_error *error, int id, const char *format, ...) {
  sqlite3_stmt *stmt = NULL;
  va_list values;
  va_start(values, format);
  aiorch_status status = query_list(conn, error, id, &stmt, format, values);
  va_end(values);
  while (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

int64_t aio__sq_data_version(aio__sq_conn *conn) {
  sqlite3_stmt *stmt = NULL;
  int64_t version = -1;
  if (aio__sq_query(conn, NULL, AIO__SQ_DATA_VERSION, &stmt, "") == AIORCH_OK &&
      aio__sq_step(conn, NULL, stmt) == AIORCH_OK) {
    version = sqlite3_column_int64(stmt, 0);
    aio__sq_reset(stmt);
  }
  return version;
}

int64_t aio__sq_money(sqlite3_stmt *stmt, int column) {
  int64_t sum;
  if (__builtin_mul_overflow(sqlite3_column_int64(stmt, column), INT64_C(1000000000), &sum)) return INT64_MAX;
  return __builtin_add_overflow(sum, sqlite3_column_int64(stmt, column + 1), &sum) ? INT64_MAX : sum;
}

aio__str aio__sq_text(sqlite3_stmt *stmt, int column) {
  const void *p = sqlite3_column_blob(stmt, column);
  size_t n = (size_t)sqlite3_column_bytes(stmt, column);
  return (aio__str){p, p != NULL ? n : 0};
}

bool aio__sq_copy(sqlite3_stmt *stmt, int column, aio__arena *arena, aio__str *out) {
  *out = aio__arena_str(arena, aio__sq_text(stmt, column));
  return out->p != NULL;
}

void aio__sq_id(sqlite3_stmt *stmt, int column, char out[AIO__UUID_LEN + 1]) {
  aio__str text = aio__sq_text(stmt, column);
  size_t n = text.n < AIO__UUID_LEN ? text.n : AIO__UUID_LEN;
  if (n > 0) memcpy(out, text.p, n);
  out[n] = '\0';
}
