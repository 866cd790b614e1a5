/*
 * Keys in a file of SQLite. The connection is opened when it is needed, and anew when the file is another one than before.
 */
#include "key_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 2000 };

typedef struct keys_sqlite {
  key_store base;
  char *path;
  sqlite3 *db;
  ino_t inode;
  dev_t device;
  int64_t opened; /* how often: part of the version, since data_version belongs to one connection */
} keys_sqlite;

static const char table[] =
    "CREATE TABLE IF NOT EXISTS server_keys (id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),"
    " tenant TEXT NOT NULL, user_id TEXT NOT NULL, name TEXT NOT NULL, last4 TEXT NOT NULL, created_ms INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL DEFAULT 0, revoked_ms INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID";

static key_status failed(keys_sqlite *s, cli_bytes *why) {
  cli_addf(why, "keys: %s: %s", s->path, s->db ? sqlite3_errmsg(s->db) : "out of memory");
  return KEY_FAILED;
}

static void let_go(keys_sqlite *s) {
  sqlite3_close(s->db);
  s->db = NULL;
}

/* The folders above it: keys may be made before the store is. */
static void make_folders(const char *path) {
  char *copy = cli_copy(path, strlen(path));
  for (char *at = strchr(copy + 1, '/'); at; at = strchr(at + 1, '/')) {
    *at = '\0';
    mkdir(copy, 0700); /* whatever goes wrong the opening of the file says */
    *at = '/';
  }
  free(copy);
}

/* Nobody but the owner may read it, though what it has are hashes. */
static bool make_file(keys_sqlite *s, bool there, cli_bytes *why) {
  if (!there) make_folders(s->path);
  int fd = there ? -1 : open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) close(fd);
  int rc = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
  bool made = rc == SQLITE_OK && sqlite3_busy_timeout(s->db, BUSY_MS) == SQLITE_OK &&
              sqlite3_exec(s->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;", NULL, NULL, NULL) == SQLITE_OK &&
              sqlite3_exec(s->db, table, NULL, NULL, NULL) == SQLITE_OK;
  if (!made) {
    failed(s, why);
    let_go(s);
  }
  return made;
}

/* An open connection, or none when there is no file and `make` is false. */
static key_status reach(keys_sqlite *s, bool make, cli_bytes *why) {
  struct stat now;
  bool there = stat(s->path, &now) == 0;
  if (s->db && there && now.st_ino == s->inode && now.st_dev == s->device) return KEY_OK;
  let_go(s);
  if (!there && !make) {
    if (errno == ENOENT) return KEY_NOT_FOUND;
    cli_addf(why, "keys: %s: %s", s->path, strerror(errno));
    return KEY_FAILED;
  }
  if (!make_file(s, there, why)) return KEY_FAILED;
  if (stat(s->path, &now) != 0) {
    cli_addf(why, "keys: %s: %s", s->path, strerror(errno));
    return KEY_FAILED;
  }
  s->inode = now.st_ino;
  s->device = now.st_dev;
  s->opened++;
  return KEY_OK;
}

static key_status prepare_file(key_store *store, cli_bytes *why) { return reach((keys_sqlite *)store, true, why); }

static key_status add_key(key_store *store, const server_key *key, cli_bytes *why) {
  keys_sqlite *s = (keys_sqlite *)store;
  sqlite3_stmt *q = NULL;
  if (reach(s, true, why) != KEY_OK) return KEY_FAILED;
  static const char sql[] = "INSERT INTO server_keys (id, hash, tenant, user_id, name, last4, created_ms, expires_ms)"
                            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
  if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK) return failed(s, why);
  const char *texts[] = {key->tenant, key->user, key->name, key->last4};
  sqlite3_bind_text(q, 1, key->id, -1, SQLITE_STATIC);
  sqlite3_bind_blob(q, 2, key->hash, SHA256_BYTES, SQLITE_STATIC);
  for (int i = 0; i < 4; i++) sqlite3_bind_text(q, 3 + i, texts[i], -1, SQLITE_STATIC);
  sqlite3_bind_int64(q, 7, key->created_ms);
  sqlite3_bind_int64(q, 8, key->expires_ms);
  key_status status = sqlite3_step(q) == SQLITE_DONE ? KEY_OK : failed(s, why);
  sqlite3_finalize(q);
  return status;
}

static key_status revoke_key(key_store *store, const char *id, int64_t now_ms, cli_bytes *why) {
  keys_sqlite *s = (keys_sqlite *)store;
  sqlite3_stmt *q = NULL;
  key_status status = reach(s, false, why);
  if (status != KEY_OK) return status;
  static const char sql[] = "UPDATE server_keys SET revoked_ms = CASE revoked_ms WHEN 0 THEN ? ELSE revoked_ms END WHERE id = ?";
  if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK) return failed(s, why);
  sqlite3_bind_int64(q, 1, now_ms);
  sqlite3_bind_text(q, 2, id, -1, SQLITE_STATIC);
  if (sqlite3_step(q) != SQLITE_DONE) status = failed(s, why);
  else if (sqlite3_changes(s->db) == 0) status = KEY_NOT_FOUND;
  sqlite3_finalize(q);
  return status;
}

static char *column(sqlite3_stmt *q, int index) {
  const void *text = sqlite3_column_text(q, index);
  return (char *)(uintptr_t)(text ? text : "");
}

static key_status list_keys(key_store *store, server_keys *out, cli_bytes *why) {
  keys_sqlite *s = (keys_sqlite *)store;
  sqlite3_stmt *q = NULL;
  key_status status = reach(s, false, why);
  if (status != KEY_OK) return status == KEY_NOT_FOUND ? KEY_OK : status;
  static const char sql[] = "SELECT id, tenant, user_id, name, last4, hash, created_ms, expires_ms, revoked_ms FROM server_keys"
                            " ORDER BY created_ms, id LIMIT ?";
  if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK) return failed(s, why);
  sqlite3_bind_int(q, 1, KEY_STORE_MAX);
  int rc;
  while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
    server_key key = {column(q, 0), column(q, 1), column(q, 2), column(q, 3), column(q, 4), {0}, sqlite3_column_int64(q, 6),
                      sqlite3_column_int64(q, 7), sqlite3_column_int64(q, 8)};
    const void *hash = sqlite3_column_blob(q, 5);
    if (!hash || sqlite3_column_bytes(q, 5) != SHA256_BYTES) continue;
    memcpy(key.hash, hash, SHA256_BYTES);
    server_keys_add(out, &key);
  }
  if (rc != SQLITE_DONE) status = failed(s, why);
  sqlite3_finalize(q);
  return status;
}

static key_status find_version(key_store *store, int64_t *out, cli_bytes *why) {
  keys_sqlite *s = (keys_sqlite *)store;
  sqlite3_stmt *q = NULL;
  key_status status = reach(s, false, why);
  *out = 0;
  if (status != KEY_OK) return status == KEY_NOT_FOUND ? KEY_OK : status;
  if (sqlite3_prepare_v2(s->db, "PRAGMA data_version", -1, &q, NULL) != SQLITE_OK) return failed(s, why);
  if (sqlite3_step(q) == SQLITE_ROW) *out = (s->opened << 40) + sqlite3_column_int64(q, 0);
  else status = failed(s, why);
  sqlite3_finalize(q);
  return status;
}

static void close_file(key_store *store) {
  keys_sqlite *s = (keys_sqlite *)store;
  let_go(s);
  free(s->path);
  free(s);
}

key_store *keys_sqlite_new(const char *path) {
  keys_sqlite *s = cli_alloc(sizeof *s);
  s->base = (key_store){prepare_file, add_key, revoke_key, list_keys, find_version, close_file};
  s->path = cli_copy(path, strlen(path));
  return &s->base;
}
