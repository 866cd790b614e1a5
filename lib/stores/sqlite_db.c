/* One database file: its connections, who may write, and checkpoints. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stores/sqlite_private.h"

enum { BUSY_WAIT_MIN_NS = 500000, BUSY_WAIT_MAX_NS = 10000000, CHECKPOINT_WAIT_MS = 20, NS_PER_MS = 1000000 };

static const aio__clock *clock_of(const aio__sq_db *db) {
  return db->store->env.clock;
}
static const aio__alloc *alloc_of(const aio__sq_db *db) {
  return db->store->env.al;
}

/* ---- connections ------------------------------------------------------------------------------------------------ */

static int on_progress(void *ctx) {
  aio__sq_conn *conn = ctx;
  return conn->deadline_ns != AIO__NEVER && aio__clock_now(clock_of(conn->owner)) >= conn->deadline_ns;
}

static int checkpoint_pages(const aio__sq_conn *conn) {
  return AIO__SQ_CHECKPOINT_BYTES / conn->owner->page_size;
}

static int on_commit(void *ctx, sqlite3 *db, const char *name, int pages) {
  (void)db;
  (void)name;
  aio__sq_conn *conn = ctx;
  if (pages < conn->wal_pages) conn->checkpoint_at = checkpoint_pages(conn); /* the WAL has begun anew */
  conn->wal_pages = pages;
  return SQLITE_OK;
}

static void conn_free(aio__sq_conn *conn) {
  if (conn == NULL) return;
  const aio__sq_db *db = conn->owner;
  aio__sq_postings_free(conn);
  aio__sq_known_free(conn);
  aio__sq_windows_free(conn);
  for (int i = 0; conn->statements != NULL && i < db->statements; i++) sqlite3_finalize(conn->statements[i]);
  sqlite3_close(conn->db);
  aio__sq_wal_io_free(conn);
  aio__free(alloc_of(db), conn->statements);
  aio__free(alloc_of(db), conn);
}

static int64_t busy_ms(const aio__sq_db *db, int64_t deadline_ns) {
  int64_t most = db->store->env.options->store_busy_ms;
  if (deadline_ns == AIO__NEVER) return most;
  int64_t left = (deadline_ns - aio__clock_now(clock_of(db))) / NS_PER_MS;
  return left < 0 ? 0 : left < most ? left : most;
}

/* Of a database that is there the size of its pages does not change. */
static int set_pages(aio__sq_conn *conn) {
  char sql[96];
  sqlite3_snprintf((int)sizeof sql, sql, "PRAGMA page_size = %d; PRAGMA cache_size = -%d", conn->owner->page_size,
                   AIO__SQ_WRITER_PAGES_KIB);
  return sqlite3_exec(conn->db, sql, NULL, NULL, NULL);
}

static aiorch_status configure(aio__sq_conn *conn, bool writes, aiorch_error *error) {
  sqlite3 *db = conn->db;
  int no_checkpoint = 0;
  sqlite3_extended_result_codes(db, 1);
  int code = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &no_checkpoint);
  if (code == SQLITE_OK) code = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  if (code == SQLITE_OK) code = sqlite3_busy_timeout(db, (int)busy_ms(conn->owner, conn->deadline_ns));
  if (code == SQLITE_OK)
    code = sqlite3_exec(db,
                        "PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
                        " PRAGMA cell_size_check = ON;",
                        NULL, NULL, NULL);
  if (code == SQLITE_OK && !writes) code = sqlite3_exec(db, "PRAGMA query_only = ON", NULL, NULL, NULL);
  if (code == SQLITE_OK && writes) code = set_pages(conn);
  if (code != SQLITE_OK) return aio__sq_fail(conn, error);
  sqlite3_wal_hook(db, on_commit, conn);
  sqlite3_progress_handler(db, AIO__SQ_PROGRESS_STEPS, on_progress, conn);
  return AIORCH_OK;
}

/* Opens the file, and makes a new one the owner's alone: it holds what people ask. Its journals take the mode over.
 * Where a file system knows no modes, the folder's has to do. */
static int open_file(aio__sq_conn *conn, bool writes) {
  const char *path = conn->owner->path;
  struct stat info;
  bool is_new = writes && stat(path, &info) != 0;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writes ? SQLITE_OPEN_CREATE : 0);
  int code = sqlite3_open_v2(path, &conn->db, flags, NULL);
  if (code == SQLITE_OK && is_new) (void)!chmod(path, 0600);
  return code;
}

static aiorch_status conn_new(aio__sq_db *db, bool writes, int64_t deadline_ns, aio__sq_conn **out,
                              aiorch_error *error) {
  aio__sq_conn *conn = aio__calloc(alloc_of(db), 1, sizeof *conn);
  if (conn == NULL) return aio__sq_nomem(error);
  conn->owner = db;
  conn->deadline_ns = deadline_ns;
  conn->checkpoint_at = checkpoint_pages(conn);
  aiorch_status status = AIORCH_OK;
  conn->statements = aio__calloc(alloc_of(db), (size_t)db->statements, sizeof *conn->statements);
  if (conn->statements == NULL) status = aio__sq_nomem(error);
  if (status == AIORCH_OK) {
    int code = open_file(conn, writes);
    if (code != SQLITE_OK) status = aio__sq_fail_code(db->path, conn->db, code, error);
  }
  if (status == AIORCH_OK && sqlite3_db_readonly(conn->db, "main") == 1)
    status = aio__sq_fail_code(db->path, NULL, SQLITE_READONLY, error);
  if (status == AIORCH_OK) status = configure(conn, writes, error);
  if (status == AIORCH_OK && db->sql == aio__sq_knowledge_statements) status = aio__sq_take_register(conn, error);
  /* What ends a transaction is made ready now: later there may be no memory for it. */
  sqlite3_stmt *stmt = NULL;
  if (status == AIORCH_OK) status = aio__sq_query(conn, error, AIO__SQ_COMMIT, &stmt, "");
  if (status == AIORCH_OK) status = aio__sq_query(conn, error, AIO__SQ_ROLLBACK, &stmt, "");
  if (status == AIORCH_OK)
    *out = conn;
  else
    conn_free(conn);
  return status;
}

static aiorch_status open_lock(aio__sq_db *db, aiorch_error *error) {
  db->lock_fd = open(db->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (db->lock_fd >= 0) return AIORCH_OK;
  int code = errno;
  if (code == EACCES || code == EROFS || code == EPERM)
    return aio__sq_fail_code(db->lock_path, NULL, SQLITE_READONLY, error);
  if (code == ENOSPC || code == EDQUOT) return aio__sq_fail_code(db->lock_path, NULL, SQLITE_FULL, error);
  return aio__error_set(error, AIORCH_E_STORE, "%s cannot be opened: %s", db->lock_path, strerror(code));
}

/* SQLite holds no lock on it that closing a descriptor would drop. It is not there when something has failed while the
 * database was made: without it each write would go the slow way, and no reader beside it. */
static aiorch_status open_wal(aio__sq_db *db, aiorch_error *error) {
  const char *path = sqlite3_filename_wal(sqlite3_db_filename(db->writer->db, "main"));
  db->wal_fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (db->wal_fd < 0 && errno == ENOENT) {
    aiorch_status status = aio__sq_use_wal(db->writer, error);
    if (status != AIORCH_OK) return status;
    db->wal_fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  }
  if (db->wal_fd >= 0) return AIORCH_OK;
  return aio__error_set(error, AIORCH_E_STORE, "%s cannot be opened: %s", path, strerror(errno));
}

aiorch_status aio__sq_db_open(aio__sq_db *db, aiorch_error *error) {
  db->lock_fd = db->wal_fd = -1;
  if (pthread_mutex_init(&db->mutex, NULL) != 0) return aio__sq_nomem(error);
  if (aio__cond_init(&db->cond) != 0) {
    pthread_mutex_destroy(&db->mutex);
    return aio__sq_nomem(error);
  }
  db->synced = true;
  aiorch_status status = open_lock(db, error);
  if (status == AIORCH_OK) status = conn_new(db, true, AIO__NEVER, &db->writer, error);
  if (status == AIORCH_OK) status = aio__sq_migrate(db->writer, error);
  if (status == AIORCH_OK && sqlite3_exec(db->writer->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL) != SQLITE_OK)
    status = aio__sq_fail(db->writer, error);
  if (status == AIORCH_OK) status = open_wal(db, error);
  if (status == AIORCH_OK) status = aio__sq_wal_io_new(db->writer, error);
  if (status == AIORCH_OK) sqlite3_busy_timeout(db->writer->db, 0);
  return status;
}

/* ---- the lock beside the database ------------------------------------------------------------------------------- */

/* AIORCH_AGAIN when another holds it. A lock of an open file description: it belongs to this database handle, not to
 * the process, so that two handles in one process keep each other out as two processes do. */
static aiorch_status set_lock(aio__sq_db *db, short kind) {
  struct flock lock = {.l_type = kind, .l_whence = SEEK_SET};
  int code;
  do code = fcntl(db->lock_fd, F_OFD_SETLK, &lock);
  while (code != 0 && errno == EINTR);
  if (code == 0) return AIORCH_OK;
  return errno == EAGAIN || errno == EACCES ? AIORCH_AGAIN : AIORCH_E_STORE;
}

static void pause_ms(aio__sq_db *db, int64_t ns) {
  pthread_mutex_lock(&db->mutex);
  int64_t until = aio__clock_now(clock_of(db)) + ns;
  aio__clock_wait(clock_of(db), &db->cond, &db->mutex, until);
  pthread_mutex_unlock(&db->mutex);
}

static aiorch_status lock_alone(aio__sq_db *db, int wait_ms) {
  aiorch_status status = set_lock(db, F_WRLCK);
  for (int tries = wait_ms; status == AIORCH_AGAIN && tries > 0; tries--) {
    pause_ms(db, NS_PER_MS);
    status = set_lock(db, F_WRLCK);
  }
  return status;
}

/* SQLite's own code, or SQLITE_BUSY. */
static int checkpoint(aio__sq_conn *conn, int mode, int wait_ms) {
  aio__sq_db *db = conn->owner;
  if (lock_alone(db, wait_ms) != AIORCH_OK) {
    conn->checkpoint_at = conn->wal_pages + checkpoint_pages(conn) / 16;
    return SQLITE_BUSY;
  }
  int in_wal = 0, done = 0;
  conn->deadline_ns = AIO__NEVER;
  sqlite3_busy_timeout(conn->db, wait_ms);
  int code = sqlite3_wal_checkpoint_v2(conn->db, NULL, mode, &in_wal, &done);
  sqlite3_busy_timeout(conn->db, 0);
  /* One that readers kept from beginning the WAL anew is tried again soon. */
  int more = mode == SQLITE_CHECKPOINT_RESTART && code == SQLITE_BUSY ? checkpoint_pages(conn) / 8 : checkpoint_pages(conn);
  conn->checkpoint_at = more + (in_wal > 0 ? in_wal : conn->wal_pages);
  set_lock(db, F_UNLCK);
  return code;
}

/* A WAL begins anew only at a moment at which nobody reads from it. Where readers follow each other without a gap there
 * is none, so a large one makes it: who reads now is waited for, who comes now reads the database itself. */
void aio__sq_checkpoint_if_due(aio__sq_conn *conn) {
  if (!aio__sq_checkpoint_is_due(conn)) return;
  bool large = conn->wal_pages >= checkpoint_pages(conn) * AIO__SQ_WAL_LARGE;
  checkpoint(conn, large ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, large ? CHECKPOINT_WAIT_MS : 0);
}

aiorch_status aio__sq_sync(aio__sq_db *db, aiorch_error *error) {
  int code;
  do code = fdatasync(db->wal_fd);
  while (code != 0 && errno == EINTR);
  return code == 0 ? AIORCH_OK : aio__sq_fail_code(db->path, NULL, SQLITE_IOERR_FSYNC, error);
}

aiorch_status aio__sq_sync_again(aio__sq_conn *conn) {
  return checkpoint(conn, SQLITE_CHECKPOINT_RESTART, CHECKPOINT_WAIT_MS) == SQLITE_OK ? AIORCH_OK : AIORCH_E_STORE;
}

void aio__sq_db_close(aio__sq_db *db) {
  if (!db->synced) return;
  while (db->readers != NULL) {
    aio__sq_conn *conn = db->readers;
    db->readers = conn->next;
    conn_free(conn);
  }
  if (db->writer != NULL && db->lock_fd >= 0) checkpoint(db->writer, SQLITE_CHECKPOINT_TRUNCATE, 0);
  conn_free(db->writer);
  db->writer = NULL;
  if (db->lock_fd >= 0) close(db->lock_fd);
  if (db->wal_fd >= 0) close(db->wal_fd);
  pthread_cond_destroy(&db->cond);
  pthread_mutex_destroy(&db->mutex);
  db->synced = false;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static aiorch_status deadline_passed(const aio__sq_db *db, aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_DEADLINE, "the deadline passed while waiting for %s; nothing was changed",
                        db->path);
}

/* An idle connection, or leave to make one (*out NULL). */
static aiorch_status take_reader(aio__sq_db *db, aio__op *op, aio__sq_conn **out) {
  aiorch_status status = AIORCH_OK;
  *out = NULL;
  pthread_mutex_lock(&db->mutex);
  while (db->readers == NULL && db->reader_count >= AIO__SQ_READERS_MAX && status == AIORCH_OK)
    if (!aio__clock_wait(clock_of(db), &db->cond, &db->mutex, op->deadline_ns) && db->readers == NULL)
      status = AIORCH_E_DEADLINE;
  if (status == AIORCH_OK && db->readers != NULL) {
    *out = db->readers;
    db->readers = (*out)->next;
  } else if (status == AIORCH_OK) {
    db->reader_count++;
  }
  pthread_mutex_unlock(&db->mutex);
  return status == AIORCH_OK ? status : deadline_passed(db, &op->error);
}

static void reader_lost(aio__sq_db *db) {
  pthread_mutex_lock(&db->mutex);
  db->reader_count--;
  pthread_cond_broadcast(&db->cond);
  pthread_mutex_unlock(&db->mutex);
}

static aiorch_status begin_read(aio__sq_conn *conn, aio__op *op, aio__sq_conn **out) {
  conn->deadline_ns = op->deadline_ns;
  sqlite3_busy_timeout(conn->db, (int)busy_ms(conn->owner, op->deadline_ns));
  aiorch_status status = aio__sq_run(conn, &op->error, AIO__SQ_BEGIN_READ, "");
  if (status == AIORCH_OK)
    *out = conn;
  else
    aio__sq_read_end(conn);
  return status;
}

static aio__sq_conn *take_idle_writer(aio__sq_db *db) {
  pthread_mutex_lock(&db->mutex);
  bool idle = !db->writer_busy && db->first == NULL;
  if (idle) db->writer_busy = true;
  pthread_mutex_unlock(&db->mutex);
  return idle ? db->writer : NULL;
}

aiorch_status aio__sq_read_short(aio__sq_db *db, aio__op *op, aio__sq_conn **out) {
  if (op->deadline_ns != AIO__NEVER && aio__clock_now(clock_of(db)) >= op->deadline_ns)
    return deadline_passed(db, &op->error);
  aio__sq_conn *conn = take_idle_writer(db);
  return conn != NULL ? begin_read(conn, op, out) : aio__sq_read(db, op, out);
}

aiorch_status aio__sq_read(aio__sq_db *db, aio__op *op, aio__sq_conn **out) {
  aio__sq_conn *conn = NULL;
  if (op->deadline_ns != AIO__NEVER && aio__clock_now(clock_of(db)) >= op->deadline_ns)
    return deadline_passed(db, &op->error);
  aiorch_status status = take_reader(db, op, &conn);
  if (status != AIORCH_OK) return status;
  if (conn == NULL) {
    status = conn_new(db, false, op->deadline_ns, &conn, &op->error);
    if (status != AIORCH_OK) {
      reader_lost(db);
      return status;
    }
  }
  return begin_read(conn, op, out);
}

void aio__sq_read_end(aio__sq_conn *conn) {
  aio__sq_db *db = conn->owner;
  conn->deadline_ns = AIO__NEVER;
  if (!sqlite3_get_autocommit(conn->db)) aio__sq_run(conn, NULL, AIO__SQ_COMMIT, "");
  if (!sqlite3_get_autocommit(conn->db)) aio__sq_run(conn, NULL, AIO__SQ_ROLLBACK, "");
  if (conn == db->writer) {
    sqlite3_busy_timeout(conn->db, 0);
    aio__sq_give_writer(conn);
    return;
  }
  pthread_mutex_lock(&db->mutex);
  conn->next = db->readers;
  db->readers = conn;
  pthread_cond_broadcast(&db->cond);
  pthread_mutex_unlock(&db->mutex);
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void leave_queue(aio__sq_db *db, aio__sq_waiter *waiter) {
  aio__sq_waiter **at = &db->first, *before = NULL;
  while (*at != waiter) {
    before = *at;
    at = &(*at)->next;
  }
  *at = waiter->next;
  if (db->last == waiter) db->last = before;
}

/* First come, first served: without the queue a thread that adds many documents would take the writer back before any
 * other had woken up. */
aiorch_status aio__sq_take_writer(aio__sq_db *db, int64_t deadline_ns, aio__sq_conn **out, aiorch_error *error) {
  aio__sq_waiter self = {NULL};
  bool late = false;
  pthread_mutex_lock(&db->mutex);
  if (db->last != NULL)
    db->last->next = &self;
  else
    db->first = &self;
  db->last = &self;
  while ((db->writer_busy || db->first != &self) && !late)
    late = !aio__clock_wait(clock_of(db), &db->cond, &db->mutex, deadline_ns);
  late = db->writer_busy || db->first != &self;
  leave_queue(db, &self);
  if (!late)
    db->writer_busy = true;
  else
    pthread_cond_broadcast(&db->cond);
  pthread_mutex_unlock(&db->mutex);
  if (late) return deadline_passed(db, error);
  *out = db->writer;
  return AIORCH_OK;
}

void aio__sq_give_writer(aio__sq_conn *conn) {
  aio__sq_db *db = conn->owner;
  conn->deadline_ns = AIO__NEVER;
  pthread_mutex_lock(&db->mutex);
  db->writer_busy = false;
  pthread_cond_broadcast(&db->cond);
  pthread_mutex_unlock(&db->mutex);
}

aiorch_status aio__sq_try_begin(aio__sq_conn *conn, aiorch_error *error) {
  aio__sq_db *db = conn->owner;
  aiorch_status status = set_lock(db, F_RDLCK);
  if (status == AIORCH_AGAIN) return status;
  if (status != AIORCH_OK)
    return aio__error_set(error, status, "%s cannot be locked: %s", db->lock_path, strerror(errno));
  status = aio__sq_run(conn, error, AIO__SQ_BEGIN, "");
  if (status == AIORCH_OK) return status;
  bool busy = (sqlite3_extended_errcode(conn->db) & 0xff) == SQLITE_BUSY;
  set_lock(db, F_UNLCK);
  return busy ? AIORCH_AGAIN : status;
}

aiorch_status aio__sq_commit(aio__sq_conn *conn, aiorch_error *error) {
  conn->deadline_ns = AIO__NEVER; /* past this point it is done or undone, not given up half-way */
  aio__sq_wal_io_begin(conn);
  aiorch_status status = aio__sq_run(conn, error, AIO__SQ_COMMIT, "");
  aio__sq_wal_io_end(conn);
  if (status != AIORCH_OK)
    aio__sq_rollback(conn);
  else
    set_lock(conn->owner, F_UNLCK);
  return status;
}

void aio__sq_rollback(aio__sq_conn *conn) {
  aio__sq_windows_forget(conn);
  conn->tenant.known = false;
  conn->deadline_ns = AIO__NEVER;
  if (!sqlite3_get_autocommit(conn->db)) aio__sq_run(conn, NULL, AIO__SQ_ROLLBACK, "");
  set_lock(conn->owner, F_UNLCK);
}

static aiorch_status begin(aio__sq_conn *conn, aio__op *op) {
  aio__sq_db *db = conn->owner;
  int64_t give_up = aio__clock_after_ms(clock_of(db), db->store->env.options->store_busy_ms);
  int64_t wait = BUSY_WAIT_MIN_NS;
  aiorch_status status;
  while ((status = aio__sq_try_begin(conn, &op->error)) == AIORCH_AGAIN) {
    int64_t now = aio__clock_now(clock_of(db));
    if (now >= op->deadline_ns) return deadline_passed(db, &op->error);
    if (now >= give_up) return aio__sq_fail_code(db->path, NULL, SQLITE_BUSY, &op->error);
    pause_ms(db, wait);
    wait = wait * 2 < BUSY_WAIT_MAX_NS ? wait * 2 : BUSY_WAIT_MAX_NS;
  }
  return status;
}

aiorch_status aio__sq_write(aio__sq_db *db, aio__op *op, aio__sq_conn **out) {
  aio__sq_conn *conn = NULL;
  if (op->deadline_ns != AIO__NEVER && aio__clock_now(clock_of(db)) >= op->deadline_ns)
    return deadline_passed(db, &op->error);
  aiorch_status status = aio__sq_take_writer(db, op->deadline_ns, &conn, &op->error);
  if (status != AIORCH_OK) return status;
  conn->deadline_ns = op->deadline_ns;
  status = begin(conn, op);
  if (status == AIORCH_OK)
    *out = conn;
  else
    aio__sq_give_writer(conn);
  return status;
}

aiorch_status aio__sq_write_end(aio__sq_conn *conn, aio__op *op, aiorch_status status) {
  if (status == AIORCH_OK)
    status = aio__sq_commit(conn, &op->error);
  else
    aio__sq_rollback(conn);
  if (status == AIORCH_OK) aio__sq_checkpoint_if_due(conn);
  aio__sq_give_writer(conn);
  return status;
}
