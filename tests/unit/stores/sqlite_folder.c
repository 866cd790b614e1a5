/* A SQLite store in a folder of its own, for the tests of that store: it is included, not compiled by itself. */
#include "stores/conformance.h"

#include <ftw.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

static void make_folder(char *out, size_t size) {
  const char *tmp = getenv("TMPDIR");
  snprintf(out, size, "%s/aiorch-test-XXXXXX", tmp != NULL && tmp[0] != '\0' ? tmp : P_tmpdir);
  assert_non_null(mkdtemp(out));
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at) {
  (void)info;
  (void)kind;
  (void)at;
  return remove(path);
}

aiorch_status open_store(fixture *f) {
  char place[300];
  if (f->folder[0] == '\0') make_folder(f->folder, sizeof f->folder);
  snprintf(place, sizeof place, "%s/store", f->folder);
  return aio__store_sqlite_open(&f->env, place, &f->store, &f->call.op.error);
}

static int teardown_folder(void **state) {
  fixture f = *(fixture *)*state;
  int code = teardown(state);
  nftw(f.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  return code;
}

static void close_store(fixture *f) {
  f->store->close(f->store);
  f->store = NULL;
}

static void path_in(const fixture *f, const char *name, char out[400]) {
  snprintf(out, 400, "%s/store/%s", f->folder, name);
}

static int64_t query_number(const fixture *f, const char *file, const char *sql) {
  char path[400];
  sqlite3 *db;
  sqlite3_stmt *stmt;
  path_in(f, file, path);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
  int64_t out = sqlite3_column_int64(stmt, 0);
  sqlite3_finalize(stmt);
  sqlite3_close(db);
  return out;
}

static void execute(const fixture *f, const char *file, const char *sql) {
  char path[400];
  sqlite3 *db;
  path_in(f, file, path);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

static void expect_words(const fixture *f, const char *words) {
  if (strstr(f->call.op.error.message, words) == NULL) fail_msg("\"%s\" lacks \"%s\"", f->call.op.error.message, words);
}
