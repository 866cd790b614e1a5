/* The SQLite store: the conformance suite, and what only a store on disk can get wrong. (label: threads) */
#include "stores/conformance.c"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "stores/sqlite_folder.c"

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

/* Another process holds the writer for long: what reads goes on, what writes ends at its deadline, without a trace. */
static void test_calls__beside_a_writer_that_stays(void **state) {
  fixture *f = *state;
  char path[400];
  sqlite3 *db;
  aio__cache_entry e = entry_of(1, "q", "a", NULL), late_entry = entry_of(2, "late", "a", NULL), got, *all;
  aio__store_document d = add_text(f, ACME, "a", "T", "words", 1, T0), shown = d, *list,
                      late = {.source = AIO__LIT("late"), .hash = {hash_of("9"), 32}};
  aio__found_chunk *found;
  aio__unembedded *chunks;
  aio__store_stats stats;
  aio__str *removed;
  size_t n;
  uint64_t count;
  bool yes;
  float row[DIM];
  vector_at(1.0, row);
  mark(f, ACME, MODEL, 100, row);
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  path_in(f, "knowledge.db", path);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
#define SOON aio__clock_after_ms(aio__clock_system(), 3)
#define LATE(...) assert_int_equal(CALL_UNTIL(f, SOON, __VA_ARGS__), AIORCH_E_DEADLINE)
  LATE(knowledge, add, ACME, &late, NULL, 0, T0, &f->arena, &(int){0}, &removed, &n);
  LATE(knowledge, remove, ACME, AIO__LIT("a"), T0, &f->arena, &removed, &n);
  LATE(knowledge, mark_embedded, ACME, &(aio__vectors){.fingerprint = AIO__LIT("m")}, NULL, 0);
  LATE(knowledge, forget_model, ACME, MODEL, 5, &n);
  LATE(cache, mark_embedded, ACME, &(aio__vectors){.fingerprint = AIO__LIT("m")}, NULL, 0);
  LATE(cache, exact_only, ACME, aio__str_z(e.id));
  LATE(cache, put, ACME, &late_entry, &ROOMY, T0, &yes);
  LATE(cache, revalidated, ACME, aio__str_z(e.id), 1);
  LATE(cache, invalidate, ACME, AIO__LIT(""), &count);
  assert_int_equal(search(f, ACME, "words", &found), 1);
  assert_int_equal(nearest(f, ACME, row, 5, &found), 1);
  assert_true(ask(f, ACME, "q", T0, &got));
  assert_int_equal(CALL(f, cache, list, ACME, 9, T0, &f->arena, &all, &n), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, check, ACME, &d, &yes), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, list, ACME, AIO__LIT(""), 9, &f->arena, &list, &n), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, show, ACME, AIO__LIT("a"), &f->arena, &shown), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, unembedded, ACME, AIO__LIT("m"), 9, &f->arena, &chunks, &n, &count), AIORCH_OK);
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_int_equal(stats.documents + stats.cache_entries, 2);
  sqlite3_close(db);
  assert_int_equal(CALL(f, cache, put, ACME, &late_entry, &ROOMY, T0, &yes), AIORCH_OK);
  assert_true(yes);
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
  f.env = (aio__store_env){.al = &f.memory.al, .clock = aio__clock_system(), .options = &f.options};
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
    c.env = (aio__store_env){.al = &c.memory.al, .clock = aio__clock_system(), .options = &c.options};
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
  SQLITE_CASE(test_calls__beside_a_writer_that_stays),
  SQLITE_CASE(test_admit__racing_processes),
  SQLITE_CASE(test_settle__acknowledged_rows_survive_a_kill),
};
enum { OWN = sizeof own / sizeof own[0] };

int main(void) {
  static struct CMUnitTest tests[CONFORMANCE_TESTS + OWN];
  memcpy(tests, own, sizeof own);
  memcpy(tests + OWN, conformance_tests, sizeof conformance_tests);
  for (size_t i = OWN; i < OWN + CONFORMANCE_TESTS; i++) tests[i].teardown_func = teardown_folder;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
