/* lib/stores/sqlite_wal_io.c: a commit goes into the log at once, and whole or not at all. (label: threads) */
#include "stores/conformance.c"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "stores/sqlite_folder.c"
#include "stores/sqlite_private.h"

/* What SQLite writes with. */
static atomic_int writes, fail_at = -1;

/* What came in which order, from write_rows on: w for a write, s for a sync. */
static char order[16];

static void note(char what) {
  size_t n = strlen(order);
  if (n + 1 < sizeof order) order[n] = what;
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
  note('w');
  int number = atomic_fetch_add(&writes, 1);
  if (number != atomic_load(&fail_at)) return (ssize_t)syscall(SYS_pwrite64, fd, bytes, n, at);
  errno = ENOSPC;
  return -1;
}

int fdatasync(int fd) {
  note('s');
  return (int)syscall(SYS_fdatasync, fd);
}

enum { ROWS = 400 };

static aiorch_status write_rows(fixture *f, int first, size_t bytes) {
  aio__sq_db *db = &((aio__sq_store *)f->store)->knowledge;
  aio__sq_conn *conn = NULL;
  aio__op op;
  aiorch_status status;
  char *text = calloc(1, bytes);
  assert_non_null(text);
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  assert_int_equal(aio__sq_write(db, &op, &conn), AIORCH_OK);
  status = AIORCH_OK;
  for (int i = 0; i < ROWS && status == AIORCH_OK; i++)
    status = aio__sq_run(conn, &op.error, AIO__SQ_PART_NEW, "siib", ACME, (int64_t)(first + i), INT64_C(0), aio__str_n(text, bytes));
  atomic_store(&writes, 0);
  memset(order, 0, sizeof order);
  status = aio__sq_write_end(conn, &op, status);
  free(text);
  return status;
}

static int64_t rows(const fixture *f) {
  assert_int_equal(query_number(f, "knowledge.db", "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
  return query_number(f, "knowledge.db", "SELECT count(*) FROM document_parts");
}

/* More than has room: a write for each time that it is full, and never two a page. */
static void test_commit__takes_few_writes(void **state) {
  fixture *f = *state;
  assert_int_equal(write_rows(f, 0, 10), AIORCH_OK);
  assert_true(atomic_load(&writes) <= 3); /* the head of the log, and the frames */
  assert_int_equal(rows(f), ROWS);
  assert_int_equal(write_rows(f, ROWS, 3000), AIORCH_OK);
  assert_true(atomic_load(&writes) > 3);
  assert_true(atomic_load(&writes) < ROWS / 8);
  assert_int_equal(rows(f), 2 * ROWS);
}

/* A log that begins anew over an old one: its head is on the disk before a frame is, or the old head would stand before new frames after
 * the power went, and what of the old frames is left would count (SQLite's ticket ff5be73dee). */
static void test_commit__head_of_the_log_is_synced_first(void **state) {
  fixture *f = *state;
  assert_int_equal(write_rows(f, 0, 10), AIORCH_OK);
  aio__sq_conn *conn = ((aio__sq_store *)f->store)->knowledge.writer;
  assert_int_equal(sqlite3_wal_checkpoint_v2(conn->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL), SQLITE_OK);
  assert_int_equal(write_rows(f, ROWS, 10), AIORCH_OK);
  assert_memory_equal(order, "wsw", 3);
  assert_int_equal(rows(f), 2 * ROWS);
}

/* Pages that are larger than the room of a connection went into the log before the commit. */
static void test_commit__after_pages_that_had_no_room(void **state) {
  fixture *f = *state;
  assert_int_equal(write_rows(f, 0, 60000), AIORCH_OK);
  assert_int_equal(rows(f), ROWS);
  close_store(f);
  assert_int_equal(open_store(f), AIORCH_OK);
  assert_int_equal(rows(f), ROWS);
}

/* Each write of a commit fails once: nothing of it stands, and what another connection writes next stays. */
static void test_commit__that_fails(void **state) {
  fixture *f = *state;
  assert_int_equal(write_rows(f, 0, 10), AIORCH_OK);
  int64_t stored = ROWS, failures = 0;
  for (int at = 0; at < 40; at++) {
    atomic_store(&fail_at, at);
    aiorch_status status = write_rows(f, 1000 * (at + 1), 3000);
    atomic_store(&fail_at, -1);
    if (status == AIORCH_OK) stored += ROWS;
    failures += status != AIORCH_OK;
    if (status != AIORCH_OK) assert_int_equal(status, AIORCH_E_STORE_FULL);
    char sql[200];
    snprintf(sql, sizeof sql, "INSERT INTO document_parts (tenant_id, document, part, text) VALUES ('outside', %d, 0, zeroblob(9000))", at);
    execute(f, "knowledge.db", sql);
    stored++;
    assert_int_equal(rows(f), stored);
    if (status == AIORCH_OK) break;
  }
  assert_true(failures > 3);
  assert_int_equal(write_rows(f, 100000, 10), AIORCH_OK);
  close_store(f);
  assert_int_equal(open_store(f), AIORCH_OK);
  assert_int_equal(rows(f), stored + ROWS);
}

#define SQLITE_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown_folder)

int main(void) {
  static const struct CMUnitTest tests[] = {
    SQLITE_CASE(test_commit__takes_few_writes),
    SQLITE_CASE(test_commit__head_of_the_log_is_synced_first),
    SQLITE_CASE(test_commit__after_pages_that_had_no_room),
    SQLITE_CASE(test_commit__that_fails),
  };
  (void)expect_words;
  (void)conformance_tests; /* the suite itself runs in test_sqlite.c */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
