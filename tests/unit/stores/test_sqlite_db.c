/* The SQLite store below its calls: the ledger's thread, the WAL and its checkpoints, errors. (label: threads) */
#include "stores/conformance.c"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "stores/sqlite_folder.c"
#include "stores/sqlite_private.h"

/* ---- a disk that fails, before the C library's own: for SQLite, too ------------------------------------------------ */

static atomic_int syncs, failing_fd = -1; /* the descriptor whose syncs fail; ALL_FAIL: each */
enum { ALL_FAIL = -2 };

int fdatasync(int fd) {
  atomic_fetch_add(&syncs, 1);
  if (atomic_load(&failing_fd) != ALL_FAIL && atomic_load(&failing_fd) != fd) return 0;
  errno = EIO;
  return -1;
}

/* ---- the writer and the WAL ------------------------------------------------------------------------------------- */

enum { GROUP = 200 };

/* Until it is closed nothing is written, so that calls gather for the thread. */
static sqlite3 *hold_ledger(const fixture *f) {
  char path[400];
  sqlite3 *db;
  path_in(f, "ledger.db", path);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  return db;
}

/* Many calls at once, one of them impossible: the others are done all the same. */
static void test_writer__a_failing_call_takes_no_other_with_it(void **state) {
  fixture *f = *state;
  static waiting w[GROUP];
  static aio__admission out[GROUP];
  aiorch_status started[GROUP];
  static char ids[GROUP][AIO__UUID_LEN + 1];
  aio__constraint c = runs_limit("u", GROUP, HOUR), bad = money_limit("bad", INT64_MAX, INT64_MAX);
  execute(f, "ledger.db",
          "CREATE TRIGGER poison BEFORE INSERT ON admissions WHEN new.key = 'bad'"
          " BEGIN SELECT raise(ABORT, 'poison'); END");
  sqlite3 *held = hold_ledger(f);
  for (int i = 0; i < GROUP; i++) {
    waiting_init(&w[i], AIO__NEVER);
    started[i] = f->store->ledger->admit(f->store, &w[i].op, ACME, aio__str_z(id_of(ids[i], "runs", i)),
                                         i % 10 == 3 ? &bad : &c, 1, T0, &out[i]);
  }
  sqlite3_close(held);
  for (int i = 0; i < GROUP; i++) {
    aiorch_status status = waiting_end(&w[i], started[i]);
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
  aiorch_status started[GROUP];
  static char ids[GROUP][AIO__UUID_LEN + 1];
  aio__constraint c = runs_limit("u", GROUP, HOUR), bad = runs_limit("bad", 5, HOUR);
  int failed = 0;
  execute(f, "ledger.db",
          "CREATE TRIGGER poison BEFORE INSERT ON admissions WHEN new.key = 'bad'"
          " BEGIN SELECT raise(ROLLBACK, 'poison'); END");
  sqlite3 *held = hold_ledger(f);
  for (int i = 0; i < GROUP; i++) {
    waiting_init(&w[i], AIO__NEVER);
    started[i] = f->store->ledger->admit(f->store, &w[i].op, ACME, aio__str_z(id_of(ids[i], "runs", i)),
                                         i == 150 ? &bad : &c, 1, T0, &out[i]);
  }
  sqlite3_close(held);
  for (int i = 0; i < GROUP; i++) failed += waiting_end(&w[i], started[i]) != AIORCH_OK;
  assert_int_equal(failed, 1);
  execute(f, "ledger.db", "DROP TRIGGER poison");
  assert_int_equal(query_number(f, "ledger.db", "SELECT count(*) FROM admissions"), GROUP - 1);
}

/* Nothing waits and nobody writes: the caller has its answer when the call returns, and it stands in the file. */
static void test_admit__at_once(void **state) {
  fixture *f = *state;
  waiting w;
  aio__admission out = {.violated = 77};
  char id[AIO__UUID_LEN + 1];
  aio__constraint c = runs_limit("u", 1, HOUR);
  for (int i = 0; i < 2; i++) {
    waiting_init(&w, AIO__NEVER);
    aiorch_status status =
      f->store->ledger->admit(f->store, &w.op, ACME, aio__str_z(id_of(id, "runs", i)), &c, 1, T0, &out);
    assert_int_equal(status, AIORCH_OK);
    assert_int_equal(waiting_end(&w, status), AIORCH_OK);
    assert_int_equal(out.admitted, i == 0);
  }
  assert_int_equal(query_number(f, "ledger.db", "SELECT count(*) FROM admissions"), 1);
}

/* What fails at once says why, and leaves the store as it was. */
static void test_admit__fails_at_once(void **state) {
  fixture *f = *state;
  waiting w;
  aio__admission out = {.violated = 77};
  char id[AIO__UUID_LEN + 1];
  aio__constraint c = runs_limit("bad", 5, HOUR);
  static const char *const ways[] = {"ABORT", "ROLLBACK"};
  for (int i = 0; i < 2; i++) {
    char sql[200];
    snprintf(sql, sizeof sql,
             "CREATE TRIGGER poison BEFORE INSERT ON admissions BEGIN SELECT raise(%s, 'poison'); END", ways[i]);
    execute(f, "ledger.db", sql);
    waiting_init(&w, AIO__NEVER);
    aiorch_status status =
      f->store->ledger->admit(f->store, &w.op, ACME, aio__str_z(id_of(id, "runs", i)), &c, 1, T0, &out);
    assert_int_equal(waiting_end(&w, status), AIORCH_E_STORE);
    assert_int_equal(out.violated, 77);
    execute(f, "ledger.db", "DROP TRIGGER poison");
  }
  assert_true(admit(f, ACME, 9, &c, 1, T0).admitted);
  assert_int_equal(query_number(f, "ledger.db", "SELECT count(*) FROM admissions"), 1);
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
  for (int i = 0; i < 200; i++) {
    for (size_t c = 0; c < sizeof text - 1; c++) text[c] = (char)('a' + (c * 31 + (size_t)i * 17) % 25);
    snprintf(source, sizeof source, "s%d", i % 5);
    memcpy(text, label, (size_t)snprintf(label, sizeof label, "number %d of many ", i));
    add_text(f, ACME, source, "T", text, i, T0 + i);
  }
  assert_true(size_of(f, "knowledge.db-wal") < 3 * AIO__SQ_CHECKPOINT_BYTES / 2);
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
  for (int i = 0; i < 200; i++) write_much(f);
  atomic_store(&r.stop, true);
  for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_in_range(size_of(f, "knowledge.db-wal"), 1, 5 * (int64_t)AIO__SQ_CHECKPOINT_BYTES);
}

/* One that reads on and on holds the WAL, but not the writers: each checkpoint moves what it can, and the next is due
 * only when more has come. */
static void test_checkpoint__a_reader_that_stays(void **state) {
  fixture *f = *state;
  aio__sq_store *store = (aio__sq_store *)f->store;
  aio__sq_conn *reader = begin_reading(store);
  assert_non_null(reader);
  for (int i = 0; i < 80; i++) {
    write_much(f);
    assert_true(store->knowledge.writer->checkpoint_at > store->knowledge.writer->wal_pages);
  }
  aio__sq_read_end(reader);
  for (int i = 0; i < 80; i++) write_much(f);
  assert_in_range(store->knowledge.writer->wal_pages, 1, 3 * AIO__SQ_CHECKPOINT_BYTES / store->knowledge.page_size);
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

static void *settle_one(void *ctx) {
  fixture *f = ctx;
  waiting w;
  aio__run_row run = run_of(AIO__SQ_QUEUE_BLOCK + 1, 5, T0);
  waiting_init(&w, AIO__NEVER);
  aiorch_status status = f->store->ledger->settle(f->store, &w.op, ACME, &run, NULL, 0);
  return waiting_end(&w, status) == AIORCH_OK && status == AIORCH_OK ? f : NULL;
}

/* The queue is full and there is no memory for more of it: who comes next waits for its turn and settles by itself. */
static void test_settle__without_memory_behind_a_full_queue(void **state) {
  fixture *f = *state;
  static waiting w[AIO__SQ_QUEUE_BLOCK];
  static aio__run_row runs[AIO__SQ_QUEUE_BLOCK];
  aio__store_stats stats;
  pthread_t thread;
  void *settled;
  sqlite3 *held = hold_ledger(f);
  for (int i = 0; i < AIO__SQ_QUEUE_BLOCK; i++) {
    runs[i] = run_of(i, 5, T0);
    waiting_init(&w[i], AIO__NEVER);
    assert_int_equal(f->store->ledger->settle(f->store, &w[i].op, ACME, &runs[i], NULL, 0), AIORCH_PENDING);
  }
  f->memory.fail_on = true;
  f->memory.fail_at = f->memory.count + 1;
  assert_int_equal(pthread_create(&thread, NULL, settle_one, f), 0);
  sqlite3_close(held);
  for (int i = 0; i < AIO__SQ_QUEUE_BLOCK; i++) assert_int_equal(waiting_end(&w[i], AIORCH_PENDING), AIORCH_OK);
  assert_int_equal(pthread_join(thread, &settled), 0);
  f->memory.fail_at = 0;
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_int_equal(stats.runs, AIO__SQ_QUEUE_BLOCK + 1);
  (void)settled; /* it was in the queue when it came after the others had gone */
}

/* With no memory for a queue and the ledger held by another: an error, as it would be with one. */
static void test_settle__without_memory_or_ledger(void **state) {
  fixture *f = *state;
  aio__run_row run = run_of(1, 5, T0);
  sqlite3 *held = hold_ledger(f);
  f->options.store_busy_ms = 5;
  f->memory.fail_on = true;
  f->memory.fail_at = f->memory.count + 1;
  assert_int_equal(CALL(f, ledger, settle, ACME, &run, NULL, 0), AIORCH_E_STORE_DOWN);
  sqlite3_close(held);
  assert_int_equal(CALL(f, ledger, settle, ACME, &run, NULL, 0), AIORCH_OK);
  f->memory.fail_at = 0;
}

/* As a fault may leave it while it is made: without the log. */
static void test_open__brings_back_the_log(void **state) {
  fixture *f = *state;
  aio__run_row run = run_of(1, 5, T0);
  close_store(f);
  execute(f, "ledger.db", "PRAGMA journal_mode = DELETE");
  execute(f, "knowledge.db", "PRAGMA journal_mode = DELETE");
  assert_int_equal(size_of(f, "ledger.db-wal"), 0);
  assert_int_equal(open_store(f), AIORCH_OK);
  assert_int_equal(CALL(f, ledger, settle, ACME, &run, NULL, 0), AIORCH_OK);
  assert_true(size_of(f, "ledger.db-wal") > 0);
}

static int64_t runs_there(fixture *f) {
  aio__store_stats stats;
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  return stats.runs;
}

/* What the disk did not take of the log comes into the database by a checkpoint. */
static void test_settle__after_a_sync_that_failed(void **state) {
  fixture *f = *state;
  aio__sq_store *store = (aio__sq_store *)f->store;
  aio__run_row run = run_of(1, 5, T0), more = run_of(2, 5, T0), last = run_of(3, 5, T0), between = run_of(4, 5, T0);
  failing_fd = store->ledger.wal_fd;
  assert_int_equal(CALL(f, ledger, settle, ACME, &run, NULL, 0), AIORCH_OK);
  assert_int_equal(query_number(f, "ledger.db", "SELECT count(*) FROM ai_api_calls"), 1);
  failing_fd = -1;
  assert_int_equal(CALL(f, ledger, settle, ACME, &between, NULL, 0), AIORCH_OK);
  failing_fd = ALL_FAIL;
  assert_int_equal(CALL(f, ledger, settle, ACME, &more, NULL, 0), AIORCH_E_STORE);
  expect_words(f, "check its disk");
  sqlite3 *reader = NULL; /* under which no checkpoint can begin the log anew */
  char path[400];
  path_in(f, "ledger.db", path);
  assert_int_equal(sqlite3_open(path, &reader), SQLITE_OK);
  assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM ai_api_calls", NULL, NULL, NULL), SQLITE_OK);
  failing_fd = -1;
  assert_int_equal(CALL(f, ledger, settle, ACME, &more, NULL, 0), AIORCH_E_STORE); /* it syncs now, but who knows */
  expect_words(f, "check its disk");
  sqlite3_close(reader);
  assert_int_equal(CALL(f, ledger, settle, ACME, &more, NULL, 0), AIORCH_OK);
  assert_int_equal(CALL(f, ledger, settle, ACME, &last, NULL, 0), AIORCH_OK); /* syncs the head of the new log, too */
  int before = atomic_load(&syncs);
  last = run_of(5, 5, T0);
  assert_int_equal(CALL(f, ledger, settle, ACME, &last, NULL, 0), AIORCH_OK);
  assert_int_equal(atomic_load(&syncs), before + 1);
  assert_int_equal(runs_there(f), 5);
}

/* What needs no disk does not wait for it. */
static void test_attempt__pending_is_written_at_once(void **state) {
  fixture *f = *state;
  aio__sq_store *store = (aio__sq_store *)f->store;
  aio__constraint c = runs_limit("u", 9, HOUR);
  aio__attempt_row pending = attempt_of(1, 1, AIO__ATTEMPT_PENDING, T0);
  aio__admission out;
  waiting w;
  int before = atomic_load(&syncs);
  waiting_init(&w, AIO__NEVER);
  aiorch_status status = store->head.ledger->attempt(f->store, &w.op, ACME, &pending);
  assert_int_equal(status, AIORCH_OK);
  assert_int_equal(waiting_end(&w, status), AIORCH_OK);
  waiting_init(&w, AIO__NEVER);
  char id[AIO__UUID_LEN + 1];
  status = store->head.ledger->admit(f->store, &w.op, ACME, aio__str_z(id_of(id, "runs", 1)), &c, 1, T0, &out);
  assert_int_equal(waiting_end(&w, status), AIORCH_OK);
  assert_true(out.admitted);
  assert_int_equal(atomic_load(&syncs), before);
}

/* Who waits for the writer of another process is the loop that looks at deadlines, never SQLite. */
static void test_admit__never_waits_inside_sqlite(void **state) {
  fixture *f = *state;
  aio__sq_store *store = (aio__sq_store *)f->store;
  aio__constraint c = runs_limit("u", 9, HOUR);
  assert_true(admit(f, ACME, 1, &c, 1, T0).admitted);
  aio__run_row run = run_of(1, 5, T0);
  settle(f, ACME, &run, NULL, 0);
  sqlite3_stmt *stmt = NULL;
  assert_int_equal(sqlite3_prepare_v2(store->ledger.writer->db, "PRAGMA busy_timeout", -1, &stmt, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
  assert_int_equal(sqlite3_column_int(stmt, 0), 0);
  sqlite3_finalize(stmt);
}

/* Whose pages stay as they are reads first; who comes while it writes or reads takes another. */
static void test_read_short__on_the_writer_when_it_is_idle(void **state) {
  fixture *f = *state;
  aio__sq_db *db = &((aio__sq_store *)f->store)->knowledge;
  aio__sq_conn *first = NULL, *second = NULL, *writer = NULL;
  aio__op op, other;
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  aio__op_init(&other, AIO__NEVER, NULL, NULL);
  assert_int_equal(aio__sq_read_short(db, &op, &first), AIORCH_OK);
  assert_ptr_equal(first, db->writer);
  assert_int_equal(aio__sq_read_short(db, &other, &second), AIORCH_OK);
  assert_ptr_not_equal(second, db->writer);
  assert_int_equal(aio__sq_take_writer(db, aio__clock_now(f->env.clock), &writer, &other.error), AIORCH_E_DEADLINE);
  aio__sq_read_end(second);
  aio__sq_read_end(first);
  assert_int_equal(aio__sq_write(db, &op, &writer), AIORCH_OK);
  assert_ptr_equal(writer, db->writer);
  assert_int_equal(aio__sq_read_short(db, &other, &second), AIORCH_OK);
  assert_ptr_not_equal(second, db->writer);
  aio__sq_read_end(second);
  assert_int_equal(aio__sq_write_end(writer, &op, AIORCH_OK), AIORCH_OK);
  aio__op_init(&op, aio__clock_now(f->env.clock), NULL, NULL);
  assert_int_equal(aio__sq_read_short(db, &op, &first), AIORCH_E_DEADLINE);
}

static void test_fail__what_the_system_said(void **state) {
  fixture *f = *state;
  static const struct {
    int code, system;
    aiorch_status status;
  } cases[] = {{SQLITE_IOERR_WRITE, ENOSPC, AIORCH_E_STORE_FULL},    {SQLITE_IOERR_WRITE, EDQUOT, AIORCH_E_STORE_FULL},
               {SQLITE_IOERR_WRITE, EROFS, AIORCH_E_STORE_READ_ONLY},
               {SQLITE_IOERR_LOCK, EACCES, AIORCH_E_STORE_READ_ONLY},
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

int main(void) {
  static const struct CMUnitTest tests[] = {
    SQLITE_CASE(test_writer__a_failing_call_takes_no_other_with_it),
    SQLITE_CASE(test_writer__a_lost_transaction_is_done_again),
    SQLITE_CASE(test_admit__at_once),
    SQLITE_CASE(test_admit__fails_at_once),
    SQLITE_CASE(test_close__does_what_waits),
    SQLITE_CASE(test_checkpoint__keeps_the_wal_small),
    SQLITE_CASE(test_checkpoint__readers_without_a_gap),
    SQLITE_CASE(test_checkpoint__a_reader_that_stays),
    SQLITE_CASE(test_checkpoint__never_beside_a_writer),
    SQLITE_CASE(test_admit__a_slower_call_moves_no_time),
    SQLITE_CASE(test_settle__without_memory_behind_a_full_queue),
    SQLITE_CASE(test_settle__without_memory_or_ledger),
    SQLITE_CASE(test_open__brings_back_the_log),
    SQLITE_CASE(test_settle__after_a_sync_that_failed),
    SQLITE_CASE(test_attempt__pending_is_written_at_once),
    SQLITE_CASE(test_admit__never_waits_inside_sqlite),
    SQLITE_CASE(test_read_short__on_the_writer_when_it_is_idle),
    SQLITE_CASE(test_fail__what_the_system_said),
  };
  (void)conformance_tests; /* the suite itself runs in test_sqlite.c */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
