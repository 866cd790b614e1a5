/* The SQLite store: the conformance suite, and what only a store on disk can get wrong. (label: threads) */
#include "stores/conformance.c"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stores/sqlite_private.h"

/* ---- folders ---------------------------------------------------------------------------------------------------- */

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

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static void test_open__makes_a_private_folder(void **state) {
  fixture *f = *state;
  struct stat info;
  assert_string_equal(f->store->kind, "sqlite");
  assert_int_equal(stat(f->store->place, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0700);
  static const char *const files[] = {"knowledge.db", "knowledge.db-wal", "ledger.db", "ledger.lock"};
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    char path[400];
    path_in(f, files[i], path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
  }
  assert_int_equal(query_number(f, "knowledge.db", "PRAGMA application_id"), 0x41494f4b);
  assert_int_equal(query_number(f, "ledger.db", "PRAGMA application_id"), 0x41494f4c);
  assert_int_equal(query_number(f, "knowledge.db", "SELECT max(version) FROM schema_version"),
                   query_number(f, "knowledge.db", "PRAGMA user_version"));
}

static void test_open__again_keeps_everything(void **state) {
  fixture *f = *state;
  for (int i = 0; i < TENANT_COUNT; i++) fill_tenant(f, i);
  close_store(f);
  assert_int_equal(
    query_number(f, "knowledge.db", "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
  assert_int_equal(
    query_number(f, "ledger.db", "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
  assert_int_equal(open_store(f), AIORCH_OK);
  for (int i = 0; i < TENANT_COUNT; i++) look_for_canaries(f, i);
}

static void test_open__full_text_index_agrees_with_the_rows(void **state) {
  fixture *f = *state;
  for (int i = 0; i < 40; i++) {
    char source[16], text[64];
    snprintf(source, sizeof source, "s%d", i % 7);
    snprintf(text, sizeof text, "version %d of the words", i);
    add_text(f, ACME, source, i % 2 ? "Title" : "Other", text, i, T0 + i);
  }
  close_store(f);
  execute(f, "knowledge.db",
          "CREATE VIRTUAL TABLE temp.v USING fts5vocab(main, chunk_words, instance);"
          "CREATE TEMP TABLE d AS SELECT DISTINCT doc FROM v;"
          "CREATE TEMP TABLE bad(x CHECK (x = 0));"
          "INSERT INTO bad SELECT count(*) FROM d WHERE doc NOT IN (SELECT no FROM chunks);"
          "INSERT INTO bad SELECT count(*) FROM chunks WHERE no NOT IN (SELECT doc FROM d);"
          "INSERT INTO bad SELECT count(*) - 7 FROM d;");
  assert_int_equal(open_store(f), AIORCH_OK);
}

static void test_open__two_handles_on_one_folder(void **state) {
  fixture *f = *state;
  fixture other = *f;
  aio__found_chunk *found;
  aio__constraint c = runs_limit("u", 3, HOUR);
  assert_int_equal(open_store(&other), AIORCH_OK);
  add_text(f, ACME, "a", "T", "from the first", 1, T0);
  add_text(&other, ACME, "b", "T", "from the second", 2, T0);
  assert_int_equal(search(f, ACME, "second", &found), 1);
  assert_int_equal(search(&other, ACME, "first", &found), 1);
  assert_true(admit(f, ACME, 1, &c, 1, T0).admitted);
  assert_true(admit(&other, ACME, 2, &c, 1, T0).admitted);
  assert_true(admit(f, ACME, 3, &c, 1, T0).admitted);
  assert_false(admit(&other, ACME, 4, &c, 1, T0).admitted);
  other.store->close(other.store);
  aio__arena_free(&other.arena);
}

static void test_open__missing_parent(void **state) {
  fixture *f = *state;
  aio__store *store;
  assert_int_equal(aio__store_sqlite_open(&f->env, "/no/such/parent/store", &store, &f->call.op.error), AIORCH_E_STORE);
  expect_words(f, "parent");
}

static void test_open__file_in_place_of_the_folder(void **state) {
  fixture *f = *state;
  aio__store *store;
  char path[400];
  path_in(f, "ledger.db", path);
  assert_int_equal(aio__store_sqlite_open(&f->env, path, &store, &f->call.op.error), AIORCH_E_STORE_CORRUPT);
  expect_words(f, path);
}

static void test_open__newer_schema(void **state) {
  fixture *f = *state;
  close_store(f);
  execute(f, "ledger.db", "PRAGMA user_version = 99");
  assert_int_equal(open_store(f), AIORCH_E_STORE_NEWER);
  expect_words(f, "ledger.db");
  expect_words(f, "newer");
  assert_null(f->store);
  execute(f, "ledger.db", "PRAGMA user_version = 1");
  assert_int_equal(open_store(f), AIORCH_OK);
}

static void write_file(const fixture *f, const char *name, const char *text) {
  char path[400];
  path_in(f, name, path);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static void test_open__not_a_database(void **state) {
  fixture *f = *state;
  char text[9000];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  close_store(f);
  write_file(f, "knowledge.db", text);
  assert_int_equal(open_store(f), AIORCH_E_STORE_CORRUPT);
  expect_words(f, "knowledge.db");
}

static void test_open__database_of_another_program(void **state) {
  fixture *f = *state;
  char path[400];
  close_store(f);
  path_in(f, "knowledge.db", path);
  assert_int_equal(unlink(path), 0);
  execute(f, "knowledge.db", "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (42)");
  assert_int_equal(open_store(f), AIORCH_E_STORE_CORRUPT);
  expect_words(f, "another program");
  assert_int_equal(query_number(f, "knowledge.db", "SELECT x FROM theirs"), 42);
}

/* Empty files, as a process leaves them that died while it opened, are no obstacle. */
static void test_open__empty_files(void **state) {
  fixture *f = *state;
  aio__found_chunk *found;
  close_store(f);
  write_file(f, "knowledge.db", "");
  write_file(f, "ledger.db", "");
  assert_int_equal(open_store(f), AIORCH_OK);
  add_text(f, ACME, "a", "T", "words", 1, T0);
  assert_int_equal(search(f, ACME, "words", &found), 1);
}

/* ---- places that cannot be written ------------------------------------------------------------------------------ */

static bool try_mount(const char *source, const char *path, const char *type, unsigned long flags, const char *data) {
  return mount(source, path, type, flags, data) == 0;
}

static void test_open__read_only(void **state) {
  fixture *f = *state;
  char place[300];
  snprintf(place, sizeof place, "%s/store", f->folder);
  close_store(f);
  bool mounted = try_mount(place, place, NULL, MS_BIND, NULL) &&
                 try_mount(NULL, place, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
  if (!mounted) {
    umount(place);
    if (geteuid() == 0) skip(); /* root may write everywhere else */
    assert_int_equal(chmod(place, 0500), 0);
    char path[400];
    path_in(f, "ledger.lock", path);
    assert_int_equal(chmod(path, 0400), 0);
  }
  aiorch_status status = open_store(f);
  if (mounted)
    umount(place);
  else
    chmod(place, 0700);
  assert_int_equal(status, AIORCH_E_STORE_READ_ONLY);
  expect_words(f, "store/ledger");
}

/* A disk of its own that is full: what is there stays, and with room again everything works. */
static void test_add__disk_full(void **state) {
  fixture *f = *state;
  static char big[400001];
  char place[300], ballast[400];
  aio__found_chunk *found;
  aio__str *removed;
  size_t n;
  snprintf(place, sizeof place, "%s/store", f->folder);
  close_store(f);
  if (!try_mount("tmpfs", place, "tmpfs", 0, "size=4m,mode=0700")) skip();
  assert_int_equal(open_store(f), AIORCH_OK);
  add_text(f, ACME, "small", "T", "the words that stay", 1, T0);
  for (size_t i = 0; i < sizeof big - 1; i++) big[i] = (char)('a' + (i * i / 7 + i) % 26);
  path_in(f, "ballast", ballast);
  int fd = open(ballast, O_CREAT | O_WRONLY, 0600);
  while (write(fd, big, 65536) == 65536) continue;
  close(fd);
  aio__store_document d = {.source = AIO__LIT("big"), .hash = {hash_of("big"), 32}};
  piece one = {"", big};
  result r;
  aiorch_status full = add_full(f, ACME, &d, &one, 1, 2, T0, &r);
  bool told = strstr(f->call.op.error.message, "knowledge.db") != NULL;
  aio__run_row run = run_of(1, 5, T0);
  aiorch_status settled = AIORCH_OK;
  for (int i = 1; i < 3000 && settled == AIORCH_OK; i++) {
    run = run_of(i, 5, T0);
    settled = CALL(f, ledger, settle, ACME, &run, NULL, 0);
  }
  size_t found_full = search(f, ACME, "words stay", &found);
  unlink(ballast);
  aiorch_status room = add_full(f, ACME, &d, &one, 1, 3, T0, &r);
  aiorch_status again = CALL(f, ledger, settle, ACME, &run, NULL, 0);
  aiorch_status gone = CALL(f, knowledge, remove, ACME, AIO__LIT("small"), T0, &f->arena, &removed, &n);
  close_store(f);
  int64_t whole =
    query_number(f, "knowledge.db", "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'");
  umount(place);
  assert_int_equal(full, AIORCH_E_STORE_FULL);
  assert_true(told);
  assert_int_equal(settled, AIORCH_E_STORE_FULL);
  assert_int_equal(found_full, 1);
  assert_int_equal(room, AIORCH_OK);
  assert_int_equal(again, AIORCH_OK);
  assert_int_equal(gone, AIORCH_OK);
  assert_int_equal(whole, 1);
}

/* The same where nothing may be mounted: files may not grow. */
static void test_settle__files_may_not_grow(void **state) {
  fixture *f = *state;
  struct rlimit before, small;
  aiorch_status status = AIORCH_OK;
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 300000;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  int done = 0;
  for (; done < 3000 && status == AIORCH_OK; done++) {
    aio__run_row run = run_of(done, 5, T0);
    status = CALL(f, ledger, settle, ACME, &run, NULL, 0);
  }
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  assert_int_equal(status, AIORCH_E_STORE_FULL);
  expect_words(f, "ledger.db");
  aio__run_row run = run_of(done + 1, 5, T0);
  aio__store_stats stats;
  settle(f, ACME, &run, NULL, 0);
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_int_equal(stats.runs, done);
}

/* ---- other processes -------------------------------------------------------------------------------------------- */

static void test_add__another_process_holds_the_writer(void **state) {
  fixture *f = *state;
  char path[400];
  sqlite3 *db;
  aio__store_document d = {.source = AIO__LIT("a"), .hash = {hash_of("1"), 32}};
  aio__run_row run = run_of(1, 5, T0);
  piece one = {"", "words"};
  result r;
  close_store(f);
  f->options.store_busy_ms = 30;
  assert_int_equal(open_store(f), AIORCH_OK);
  path_in(f, "knowledge.db", path);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(add_full(f, ACME, &d, &one, 1, 1, T0, &r), AIORCH_E_STORE_DOWN);
  expect_words(f, "store.busy_ms");
  settle(f, ACME, &run, NULL, 0); /* the ledger is another file */
  sqlite3_close(db);
  assert_int_equal(add_full(f, ACME, &d, &one, 1, 1, T0, &r), AIORCH_OK);
  path_in(f, "ledger.db", path);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  run = run_of(2, 5, T0);
  assert_int_equal(CALL(f, ledger, settle, ACME, &run, NULL, 0), AIORCH_E_STORE_DOWN);
  aio__admission admission;
  aio__constraint c = runs_limit("u", 1, HOUR);
  int64_t soon = aio__clock_after_ms(aio__clock_system(), 5);
  assert_int_equal(CALL_UNTIL(f, soon, ledger, admit, ACME, aio__str_z(run.id), &c, 1, T0, &admission),
                   AIORCH_E_DEADLINE);
  sqlite3_close(db);
  settle(f, ACME, &run, NULL, 0);
  assert_true(admit(f, ACME, 2, &c, 1, T0).admitted);
}

/* In a child: opens the same folder and asks for admission; its exit code is how often it got it. */
static int child_race(const char *folder, int number) {
  fixture f = {.folder = ""};
  int admitted = 0;
  aio__constraint c = runs_limit("hot", 40, HOUR);
  snprintf(f.folder, sizeof f.folder, "%s", folder);
  aio__test_alloc_init(&f.memory);
  if (aio__options_init(&f.options, &f.memory.al) != AIORCH_OK) return 255;
  aio__arena_init(&f.arena, &f.memory.al, 4096);
  f.env = (aio__store_env){&f.memory.al, aio__clock_system(), NULL, &f.options};
  if (open_store(&f) != AIORCH_OK) return 254;
  for (int i = 0; i < 50; i++) admitted += admit(&f, ACME, number * 1000 + i, &c, 1, T0 + i).admitted;
  f.store->close(f.store);
  return admitted;
}

static void test_admit__racing_processes(void **state) {
  fixture *f = *state;
  enum { CHILDREN = 3 };
  pid_t children[CHILDREN];
  int admitted = 0;
  close_store(f); /* no handle is carried across a fork */
  for (int i = 0; i < CHILDREN; i++) {
    children[i] = fork();
    assert_true(children[i] >= 0);
    if (children[i] == 0) _exit(child_race(f->folder, i + 1));
  }
  for (int i = 0; i < CHILDREN; i++) {
    int status = 0;
    assert_int_equal(waitpid(children[i], &status, 0), children[i]);
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), 0, 50);
    admitted += WEXITSTATUS(status);
  }
  assert_int_equal(admitted, 40);
  assert_int_equal(open_store(f), AIORCH_OK);
  aio__constraint c = runs_limit("hot", 40, HOUR);
  assert_int_equal(admit(f, ACME, 9999, &c, 1, T0 + 100).used, 40);
}

/* What was acknowledged is there after kill -9, and what was not is there whole or not at all. */
static void test_settle__acknowledged_rows_survive_a_kill(void **state) {
  fixture *f = *state;
  int pipes[2];
  char byte;
  int acknowledged = 0;
  close_store(f);
  assert_int_equal(pipe(pipes), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    fixture c = {.folder = ""};
    snprintf(c.folder, sizeof c.folder, "%s", f->folder);
    aio__test_alloc_init(&c.memory);
    if (aio__options_init(&c.options, &c.memory.al) != AIORCH_OK) _exit(1);
    aio__arena_init(&c.arena, &c.memory.al, 4096);
    c.env = (aio__store_env){&c.memory.al, aio__clock_system(), NULL, &c.options};
    if (open_store(&c) != AIORCH_OK) _exit(1);
    for (int i = 0;; i++) {
      aio__run_row run = run_of(i, 1, T0);
      aio__attempt_row a = attempt_of(i, i, AIO__ATTEMPT_SETTLED, T0);
      settle(&c, ACME, &run, &a, 1);
      if (write(pipes[1], "x", 1) != 1) _exit(1);
    }
  }
  close(pipes[1]);
  while (acknowledged < 50 && read(pipes[0], &byte, 1) == 1) acknowledged++;
  assert_int_equal(acknowledged, 50);
  assert_int_equal(kill(child, SIGKILL), 0);
  assert_int_equal(waitpid(child, NULL, 0), child);
  while (read(pipes[0], &byte, 1) == 1) acknowledged++;
  close(pipes[0]);
  assert_int_equal(open_store(f), AIORCH_OK);
  aio__store_stats stats;
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_true(stats.runs == acknowledged || stats.runs == acknowledged + 1);
  close_store(f);
  assert_int_equal(query_number(f, "ledger.db", "SELECT count(*) FROM ai_attempts"), stats.runs);
  assert_int_equal(
    query_number(f, "ledger.db", "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
  assert_int_equal(open_store(f), AIORCH_OK);
}

/* ---- the writer and the WAL ------------------------------------------------------------------------------------- */

enum { GROUP = 200 };

/* Many calls at once, one of them impossible: the others are done all the same. */
static void test_writer__a_failing_call_takes_no_other_with_it(void **state) {
  fixture *f = *state;
  static waiting w[GROUP];
  static aio__admission out[GROUP];
  static char ids[GROUP][AIO__UUID_LEN + 1];
  aio__constraint c = runs_limit("u", GROUP, HOUR), bad = money_limit("bad", INT64_MAX, INT64_MAX);
  execute(f, "ledger.db",
          "CREATE TRIGGER poison BEFORE INSERT ON admissions WHEN new.key = 'bad'"
          " BEGIN SELECT raise(ABORT, 'poison'); END");
  for (int i = 0; i < GROUP; i++) {
    waiting_init(&w[i], AIO__NEVER);
    assert_int_equal(f->store->ledger->admit(f->store, &w[i].op, ACME, aio__str_z(id_of(ids[i], "runs", i)),
                                             i % 10 == 3 ? &bad : &c, 1, T0, &out[i]),
                     AIORCH_PENDING);
  }
  for (int i = 0; i < GROUP; i++) {
    aiorch_status status = waiting_end(&w[i], AIORCH_PENDING);
    assert_int_equal(status, i % 10 == 3 ? AIORCH_E_STORE : AIORCH_OK);
    if (status == AIORCH_OK) assert_true(out[i].admitted);
  }
  execute(f, "ledger.db", "DROP TRIGGER poison");
  assert_int_equal(query_number(f, "ledger.db", "SELECT count(*) FROM admissions"), GROUP - GROUP / 10);
}

/* A failure that takes the whole transaction along: the calls are tried again one by one. */
static void test_writer__a_lost_transaction_is_done_again(void **state) {
  fixture *f = *state;
  static waiting w[GROUP];
  static aio__admission out[GROUP];
  static char ids[GROUP][AIO__UUID_LEN + 1];
  aio__constraint c = runs_limit("u", GROUP, HOUR), bad = runs_limit("bad", 5, HOUR);
  int failed = 0;
  execute(f, "ledger.db",
          "CREATE TRIGGER poison BEFORE INSERT ON admissions WHEN new.key = 'bad'"
          " BEGIN SELECT raise(ROLLBACK, 'poison'); END");
  for (int i = 0; i < GROUP; i++) {
    waiting_init(&w[i], AIO__NEVER);
    assert_int_equal(f->store->ledger->admit(f->store, &w[i].op, ACME, aio__str_z(id_of(ids[i], "runs", i)),
                                             i == 150 ? &bad : &c, 1, T0, &out[i]),
                     AIORCH_PENDING);
  }
  for (int i = 0; i < GROUP; i++) failed += waiting_end(&w[i], AIORCH_PENDING) != AIORCH_OK;
  assert_int_equal(failed, 1);
  execute(f, "ledger.db", "DROP TRIGGER poison");
  assert_int_equal(query_number(f, "ledger.db", "SELECT count(*) FROM admissions"), GROUP - 1);
}

static void test_close__does_what_waits(void **state) {
  fixture *f = *state;
  static waiting w[GROUP];
  static aio__run_row rows[GROUP];
  for (int i = 0; i < GROUP; i++) {
    rows[i] = run_of(i, 1, T0);
    waiting_init(&w[i], AIO__NEVER);
    assert_int_equal(f->store->ledger->settle(f->store, &w[i].op, ACME, &rows[i], NULL, 0), AIORCH_PENDING);
  }
  close_store(f);
  for (int i = 0; i < GROUP; i++) assert_int_equal(waiting_end(&w[i], AIORCH_PENDING), AIORCH_OK);
  assert_int_equal(query_number(f, "ledger.db", "SELECT count(*) FROM ai_api_calls"), GROUP);
}

static int64_t size_of(const fixture *f, const char *name) {
  char path[400];
  struct stat info;
  path_in(f, name, path);
  return stat(path, &info) == 0 ? (int64_t)info.st_size : 0;
}

/* The WAL is brought back into the database as it grows, and at the end. */
static void test_checkpoint__keeps_the_wal_small(void **state) {
  fixture *f = *state;
  static char text[150001];
  char source[16], label[32];
  for (int i = 0; i < 100; i++) {
    for (size_t c = 0; c < sizeof text - 1; c++) text[c] = (char)('a' + (c * 31 + (size_t)i * 17) % 25);
    snprintf(source, sizeof source, "s%d", i % 5);
    memcpy(text, label, (size_t)snprintf(label, sizeof label, "number %d of many ", i));
    add_text(f, ACME, source, "T", text, i, T0 + i);
  }
  assert_true(size_of(f, "knowledge.db-wal") < 12 * 1024 * 1024);
  assert_true(size_of(f, "knowledge.db") > 500000);
  close_store(f);
  assert_int_equal(size_of(f, "knowledge.db-wal"), 0);
  assert_int_equal(open_store(f), AIORCH_OK);
}

/* Writes a megabyte to the knowledge database. */
static void write_much(fixture *f) {
  aio__sq_store *store = (aio__sq_store *)f->store;
  aio__sq_conn *conn;
  aio__op op;
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  assert_int_equal(aio__sq_write(&store->knowledge, &op, &conn), AIORCH_OK);
  assert_int_equal(sqlite3_exec(conn->db,
                                "CREATE TABLE IF NOT EXISTS pad (x); DELETE FROM pad;"
                                "INSERT INTO pad VALUES (randomblob(1000000))",
                                NULL, NULL, NULL),
                   SQLITE_OK);
  assert_int_equal(aio__sq_write_end(conn, &op, AIORCH_OK), AIORCH_OK);
}

static aio__sq_conn *begin_reading(aio__sq_store *store) {
  aio__sq_conn *conn;
  aio__op op;
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  if (aio__sq_read(&store->knowledge, &op, &conn) != AIORCH_OK) return NULL;
  sqlite3_exec(conn->db, "SELECT count(*) FROM tenants", NULL, NULL, NULL); /* from here on it sees one state */
  return conn;
}

typedef struct relay {
  aio__sq_store *store;
  atomic_bool stop;
} relay;

/* Each begins to read before the one before it has ended: there is never a moment without a reader. */
static void *read_in_turns(void *ctx) {
  relay *r = ctx;
  aio__sq_conn *conn = begin_reading(r->store);
  while (conn != NULL && !atomic_load(&r->stop)) {
    aio__sq_conn *next = begin_reading(r->store);
    aio__sq_read_end(conn);
    conn = next;
  }
  if (conn != NULL) aio__sq_read_end(conn);
  return NULL;
}

static void test_checkpoint__readers_without_a_gap(void **state) {
  fixture *f = *state;
  pthread_t threads[2];
  relay r = {.store = (aio__sq_store *)f->store};
  for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, read_in_turns, &r), 0);
  for (int i = 0; i < 100; i++) write_much(f);
  atomic_store(&r.stop, true);
  for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_in_range(size_of(f, "knowledge.db-wal"), 1, 48 << 20);
}

/* One that reads on and on holds the WAL, but not the writers: each checkpoint moves what it can, and the next is due
 * only when more has come. */
static void test_checkpoint__a_reader_that_stays(void **state) {
  fixture *f = *state;
  aio__sq_store *store = (aio__sq_store *)f->store;
  aio__sq_conn *reader = begin_reading(store);
  assert_non_null(reader);
  for (int i = 0; i < 30; i++) {
    write_much(f);
    assert_true(store->knowledge.writer->checkpoint_at > store->knowledge.writer->wal_pages);
  }
  aio__sq_read_end(reader);
  for (int i = 0; i < 12; i++) write_much(f);
  assert_in_range(store->knowledge.writer->wal_pages, 1, 3 * AIO__SQ_CHECKPOINT_PAGES);
}

static int lock(const fixture *f, const char *name, short kind, int fd) {
  char path[400];
  struct flock l = {.l_type = kind, .l_whence = SEEK_SET};
  path_in(f, name, path);
  if (fd < 0) fd = open(path, O_RDWR);
  assert_true(fd >= 0);
  if (fcntl(fd, F_OFD_SETLK, &l) == 0) return fd;
  close(fd);
  return -1;
}

/* While another holds the lock of a checkpoint nobody writes; while another writes nobody checkpoints. */
static void test_checkpoint__never_beside_a_writer(void **state) {
  fixture *f = *state;
  aio__store_document d = {.source = AIO__LIT("a"), .hash = {hash_of("1"), 32}};
  piece one = {"", "words"};
  result r;
  close_store(f);
  f->options.store_busy_ms = 20;
  assert_int_equal(open_store(f), AIORCH_OK);
  int fd = lock(f, "knowledge.lock", F_WRLCK, -1);
  assert_true(fd >= 0);
  assert_int_equal(add_full(f, ACME, &d, &one, 1, 1, T0, &r), AIORCH_E_STORE_DOWN);
  assert_true(lock(f, "knowledge.lock", F_RDLCK, fd) >= 0);
  assert_int_equal(add_full(f, ACME, &d, &one, 1, 1, T0, &r), AIORCH_OK);
  assert_true(size_of(f, "knowledge.db-wal") > 0);
  close_store(f);
  assert_true(size_of(f, "knowledge.db-wal") > 0);
  close(fd);
  assert_int_equal(open_store(f), AIORCH_OK);
  aio__found_chunk *found;
  assert_int_equal(search(f, ACME, "words", &found), 1);
  close_store(f);
  assert_int_equal(size_of(f, "knowledge.db-wal"), 0);
}

/* A call that took its time before another's but was let in after it: the other's stays where it was. */
static void test_admit__a_slower_call_moves_no_time(void **state) {
  fixture *f = *state;
  aio__constraint c = runs_limit("u", 2, HOUR);
  assert_true(admit(f, ACME, 1, &c, 1, T0 + 5000).admitted);
  assert_true(admit(f, ACME, 2, &c, 1, T0).admitted);
  assert_true(admit(f, ACME, 3, &c, 1, T0 + HOUR).admitted);
  aio__admission a = admit(f, ACME, 4, &c, 1, T0 + HOUR + 4999);
  assert_false(a.admitted);
  assert_int_equal(a.retry_after_ms, 1);
  assert_true(admit(f, ACME, 4, &c, 1, T0 + HOUR + 5000).admitted);
}

static void test_fail__what_the_system_said(void **state) {
  fixture *f = *state;
  static const struct {
    int code, system;
    aiorch_status status;
  } cases[] = {{SQLITE_IOERR_WRITE, ENOSPC, AIORCH_E_STORE_FULL},    {SQLITE_IOERR_WRITE, EDQUOT, AIORCH_E_STORE_FULL},
               {SQLITE_IOERR_WRITE, EROFS, AIORCH_E_STORE_READ_ONLY}, {SQLITE_IOERR_LOCK, EACCES, AIORCH_E_STORE_READ_ONLY},
               {SQLITE_IOERR_READ, EIO, AIORCH_E_STORE},             {SQLITE_IOERR_FSYNC, EIO, AIORCH_E_STORE},
               {SQLITE_IOERR_NOMEM, ENOMEM, AIORCH_E_NOMEM},         {SQLITE_CANTOPEN, EROFS, AIORCH_E_STORE_READ_ONLY},
               {SQLITE_CANTOPEN, ENOENT, AIORCH_E_STORE},            {SQLITE_PERM, 0, AIORCH_E_STORE_READ_ONLY},
               {SQLITE_PROTOCOL, 0, AIORCH_E_STORE_DOWN},            {SQLITE_BUSY_SNAPSHOT, 0, AIORCH_E_STORE_DOWN},
               {SQLITE_TOOBIG, 0, AIORCH_E_TOO_LARGE},               {SQLITE_CORRUPT_VTAB, 0, AIORCH_E_STORE_CORRUPT},
               {SQLITE_INTERRUPT, 0, AIORCH_E_DEADLINE}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    errno = cases[i].system;
    assert_int_equal(aio__sq_fail_code("the/place", NULL, cases[i].code, &f->call.op.error), cases[i].status);
    if (cases[i].status != AIORCH_E_NOMEM) expect_words(f, "the/place");
  }
}

#define SQLITE_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown_folder)

static const struct CMUnitTest own[] = {
  SQLITE_CASE(test_open__makes_a_private_folder),
  SQLITE_CASE(test_open__again_keeps_everything),
  SQLITE_CASE(test_open__full_text_index_agrees_with_the_rows),
  SQLITE_CASE(test_open__two_handles_on_one_folder),
  SQLITE_CASE(test_open__missing_parent),
  SQLITE_CASE(test_open__file_in_place_of_the_folder),
  SQLITE_CASE(test_open__newer_schema),
  SQLITE_CASE(test_open__not_a_database),
  SQLITE_CASE(test_open__database_of_another_program),
  SQLITE_CASE(test_open__empty_files),
  SQLITE_CASE(test_open__read_only),
  SQLITE_CASE(test_add__disk_full),
  SQLITE_CASE(test_settle__files_may_not_grow),
  SQLITE_CASE(test_add__another_process_holds_the_writer),
  SQLITE_CASE(test_admit__racing_processes),
  SQLITE_CASE(test_settle__acknowledged_rows_survive_a_kill),
  SQLITE_CASE(test_writer__a_failing_call_takes_no_other_with_it),
  SQLITE_CASE(test_writer__a_lost_transaction_is_done_again),
  SQLITE_CASE(test_close__does_what_waits),
  SQLITE_CASE(test_checkpoint__keeps_the_wal_small),
  SQLITE_CASE(test_checkpoint__readers_without_a_gap),
  SQLITE_CASE(test_checkpoint__a_reader_that_stays),
  SQLITE_CASE(test_checkpoint__never_beside_a_writer),
  SQLITE_CASE(test_admit__a_slower_call_moves_no_time),
  SQLITE_CASE(test_fail__what_the_system_said),
};
enum { OWN = sizeof own / sizeof own[0] };

int main(void) {
  static struct CMUnitTest tests[CONFORMANCE_TESTS + OWN];
  memcpy(tests, own, sizeof own);
  memcpy(tests + OWN, conformance_tests, sizeof conformance_tests);
  for (size_t i = OWN; i < OWN + CONFORMANCE_TESTS; i++) tests[i].teardown_func = teardown_folder;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
