/*
 * The frames of a commit go into the log together. SQLite writes each of them in two parts, a head of 24 bytes and a page, and
 * each part is a call of the system that looks for its pages anew. Between aio__sq_wal_io_begin and _end, which is
 * the COMMIT of the connection that writes, the parts are put beside each other and written when there is no room left, or
 * with the frame that ends the transaction: its head says so (SQLite's file format). What SQLite does after that, it does with all
 * of them in the file: only then does it tell other connections of them. An error comes from the write of the last part at the latest, and SQLite
 * undoes the transaction as it would without this.
 *
 * No file system of our own is registered for it, which would be one for the whole process: the log's file of this one connection
 * is given other functions to read, write, sync and close it with.
 */
#include <string.h>

#include "stores/sqlite_private.h"

enum { HEAD_BYTES = 24, COMMIT_AT = 4, COMMIT_BYTES = 4, ROOM_BYTES = 1 << 17 };

struct aio__sq_wal_io {
  sqlite3_io_methods methods; /* the first member: what the file names as its functions is this */
  const sqlite3_io_methods *real;
  bool gathers, ends; /* ends: the page of the last frame is next */
  sqlite3_int64 at;   /* in the file, of bytes[0] */
  size_t n;
  char bytes[ROOM_BYTES];
};

static aio__sq_wal_io *io_of(const sqlite3_file *file) {
  return (aio__sq_wal_io *)(uintptr_t)file->pMethods;
}

static int write_gathered(aio__sq_wal_io *io, sqlite3_file *file) {
  size_t n = io->n;
  io->n = 0;
  return n > 0 ? io->real->xWrite(file, io->bytes, (int)n, io->at) : SQLITE_OK;
}

static bool is_last_head(const unsigned char *part, int size) {
  static const unsigned char none[COMMIT_BYTES];
  return size == HEAD_BYTES && memcmp(part + COMMIT_AT, none, COMMIT_BYTES) != 0;
}

static int write_part(sqlite3_file *file, const void *part, int size, sqlite3_int64 at) {
  aio__sq_wal_io *io = io_of(file);
  int code = SQLITE_OK;
  if (!io->gathers) return io->real->xWrite(file, part, size, at);
  bool follows = at == io->at + (sqlite3_int64)io->n, fits = (size_t)size <= ROOM_BYTES - io->n;
  if (!follows || !fits) code = write_gathered(io, file);
  if (code == SQLITE_OK && (size_t)size > ROOM_BYTES) {
    code = io->real->xWrite(file, part, size, at);
  } else if (code == SQLITE_OK) {
    if (io->n == 0) io->at = at;
    memcpy(io->bytes + io->n, part, (size_t)size);
    io->n += (size_t)size;
  }
  bool ended = io->ends;
  io->ends = !ended && is_last_head(part, size);
  if (ended || code != SQLITE_OK) io->gathers = false;
  return ended && code == SQLITE_OK ? write_gathered(io, file) : code;
}

static int read_part(sqlite3_file *file, void *out, int size, sqlite3_int64 at) {
  aio__sq_wal_io *io = io_of(file);
  int code = write_gathered(io, file);
  return code == SQLITE_OK ? io->real->xRead(file, out, size, at) : code;
}

/* The head of a log that begins anew is synced before a frame follows: what stands here must be in the file by then. */
static int sync_file(sqlite3_file *file, int flags) {
  aio__sq_wal_io *io = io_of(file);
  int code = write_gathered(io, file);
  return code == SQLITE_OK ? io->real->xSync(file, flags) : code;
}

static int close_file(sqlite3_file *file) {
  file->pMethods = io_of(file)->real;
  return file->pMethods->xClose(file);
}

static sqlite3_file *log_of(const aio__sq_conn *conn) {
  sqlite3_file *file = NULL;
  if (sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&file) != SQLITE_OK) return NULL;
  return file != NULL && file->pMethods != NULL ? file : NULL;
}

aiorch_status aio__sq_wal_io_new(aio__sq_conn *conn, aiorch_error *error) {
  sqlite3_file *file = log_of(conn);
  if (file == NULL) return AIORCH_OK; /* it goes without */
  aio__sq_wal_io *io = aio__malloc(conn->owner->store->env.al, sizeof *io);
  if (io == NULL) return aio__sq_nomem(error);
  io->real = file->pMethods;
  io->methods = *file->pMethods;
  io->methods.xWrite = write_part;
  io->methods.xRead = read_part;
  io->methods.xSync = sync_file;
  io->methods.xClose = close_file;
  io->gathers = io->ends = false;
  io->n = 0;
  io->at = 0;
  file->pMethods = &io->methods;
  conn->wal_io = io;
  return AIORCH_OK;
}

void aio__sq_wal_io_begin(aio__sq_conn *conn) {
  if (conn->wal_io == NULL) return;
  conn->wal_io->gathers = true;
  conn->wal_io->ends = false;
}

/* What is left is of a transaction that SQLite has undone: it must not come into the file, where another connection may write
 * by now. */
void aio__sq_wal_io_end(aio__sq_conn *conn) {
  if (conn->wal_io == NULL) return;
  conn->wal_io->gathers = false;
  conn->wal_io->n = 0;
}

void aio__sq_wal_io_free(aio__sq_conn *conn) {
  aio__free(conn->owner->store->env.al, conn->wal_io);
  conn->wal_io = NULL;
}
