/* lib/stores/sqlite_at_once.c and sqlite_puts.c: calls that wait for company, and who goes on with them. (label: threads) */
#include "stores/conformance.c"

#include <stdatomic.h>

#include "stores/sqlite_folder.c"
#include "stores/sqlite_private.h"

enum { GROUP = 20 };

/* The disk: takes as long as a test keeps it busy. */
static atomic_int syncs;
static struct {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  bool busy, asked;
} disk = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};

int fdatasync(int fd) {
  (void)fd;
  atomic_fetch_add(&syncs, 1);
  pthread_mutex_lock(&disk.mutex);
  disk.asked = true;
  pthread_cond_broadcast(&disk.cond);
  while (disk.busy) pthread_cond_wait(&disk.cond, &disk.mutex);
  pthread_mutex_unlock(&disk.mutex);
  return 0;
}

static void set_busy(bool busy) {
  pthread_mutex_lock(&disk.mutex);
  disk.busy = busy;
  disk.asked = false;
  pthread_cond_broadcast(&disk.cond);
  pthread_mutex_unlock(&disk.mutex);
}

static void wait_until_asked(void) {
  pthread_mutex_lock(&disk.mutex);
  while (!disk.asked) pthread_cond_wait(&disk.cond, &disk.mutex);
  pthread_mutex_unlock(&disk.mutex);
}

static bool is_done(waiting *w) {
  pthread_mutex_lock(&w->mutex);
  bool done = w->done;
  pthread_mutex_unlock(&w->mutex);
  return done;
}

static void in_company(waiting *w, int64_t deadline_ns) {
  waiting_init(w, deadline_ns);
  w->op.company = true;
}

static aiorch_status admit_later(fixture *f, waiting *w, char id[AIO__UUID_LEN + 1], int number, const aio__constraint *c,
                                 aio__admission *out) {
  return f->store->ledger->admit(f->store, &w->op, ACME, aio__str_z(id_of(id, "runs", number)), c, 1, T0, out);
}

/* Admissions wait for the flush, and then see each other in the order in which they came. */
static void test_flush__admits_in_order(void **state) {
  fixture *f = *state;
  waiting w[4];
  aio__admission out[4];
  char id[4][AIO__UUID_LEN + 1];
  aio__constraint c = runs_limit("u", 3, HOUR);
  for (int i = 0; i < 4; i++) {
    in_company(&w[i], AIO__NEVER);
    assert_int_equal(admit_later(f, &w[i], id[i], i, &c, &out[i]), AIORCH_PENDING);
  }
  f->store->flush(f->store);
  for (int i = 0; i < 4; i++) {
    assert_int_equal(waiting_end(&w[i], AIORCH_PENDING), AIORCH_OK);
    assert_int_equal(out[i].admitted, i < 3);
  }
  assert_int_equal(query_number(f, "ledger.db", "SELECT count(*) FROM admissions"), 3);
}

/* What costs money ends only when it is on the disk; many share that. */
static void test_flush__settlements_come_to_the_disk_together(void **state) {
  fixture *f = *state;
  static waiting w[GROUP];
  static aio__run_row runs[GROUP];
  int before = atomic_load(&syncs);
  for (int i = 0; i < GROUP; i++) {
    runs[i] = run_of(i, 5, T0);
    in_company(&w[i], AIO__NEVER);
    assert_int_equal(f->store->ledger->settle(f->store, &w[i].op, ACME, &runs[i], NULL, 0), AIORCH_PENDING);
  }
  f->store->flush(f->store);
  for (int i = 0; i < GROUP; i++) assert_int_equal(waiting_end(&w[i], AIORCH_PENDING), AIORCH_OK);
  int made = atomic_load(&syncs) - before;
  assert_in_range(made, 1, GROUP - 1);
  assert_int_equal(query_number(f, "ledger.db", "SELECT count(*) FROM ai_api_calls"), GROUP);
}

static void settle_later(fixture *f, waiting *w, aio__run_row *run, int number) {
  *run = run_of(number, 5, T0);
  in_company(w, AIO__NEVER);
  assert_int_equal(f->store->ledger->settle(f->store, &w->op, ACME, run, NULL, 0), AIORCH_PENDING);
}

static int64_t settled(const fixture *f) {
  return query_number(f, "ledger.db", "SELECT count(*) FROM ai_api_calls");
}

/* While the disk is busy, what has to come to it is not committed, nor are answers, unless nearly all wait for it; what needs
 * no disk goes on. */
static void test_flush__while_the_disk_is_busy(void **state) {
  enum { CROWD = 4 * GROUP };
  fixture *f = *state;
  static waiting w[CROWD];
  static aio__run_row runs[CROWD];
  waiting admit, put;
  aio__admission out;
  char id[AIO__UUID_LEN + 1];
  aio__constraint c = runs_limit("u", 3, HOUR);
  aio__cache_entry e = entry_of(1, "one", "a1", NULL);
  bool stored = false;
  for (int i = 0; i < CROWD; i++) settle_later(f, &w[i], &runs[i], 1000 + i);
  f->store->flush(f->store);
  for (int i = 0; i < CROWD; i++) assert_int_equal(waiting_end(&w[i], AIORCH_PENDING), AIORCH_OK);
  set_busy(true);
  settle_later(f, &w[0], &runs[0], 0);
  f->store->flush(f->store);
  wait_until_asked();
  int before = atomic_load(&syncs);
  for (int i = 1; i < GROUP; i++) settle_later(f, &w[i], &runs[i], i);
  in_company(&admit, AIO__NEVER);
  in_company(&put, AIO__NEVER);
  assert_int_equal(admit_later(f, &admit, id, 77, &c, &out), AIORCH_PENDING);
  assert_int_equal(f->store->cache->put(f->store, &put.op, ACME, &e, &ROOMY, T0, &stored), AIORCH_PENDING);
  f->store->flush(f->store);
  assert_int_equal(waiting_end(&admit, AIORCH_PENDING), AIORCH_OK);
  f->store->flush(f->store);
  assert_int_equal(settled(f), CROWD + 1);
  assert_int_equal(query_number(f, "knowledge.db", "SELECT count(*) FROM semantic_cache"), 0);
  for (int i = GROUP; i < CROWD; i++) settle_later(f, &w[i], &runs[i], i);
  f->store->flush(f->store);
  assert_int_equal(settled(f), 2 * CROWD);
  f->store->flush(f->store);
  assert_int_equal(waiting_end(&put, AIORCH_PENDING), AIORCH_OK);
  assert_true(stored);
  assert_false(is_done(&w[0]) || is_done(&w[1]) || is_done(&w[CROWD - 1]));
  set_busy(false);
  for (int i = 0; i < CROWD; i++) assert_int_equal(waiting_end(&w[i], AIORCH_PENDING), AIORCH_OK);
  assert_int_equal(atomic_load(&syncs) - before, 1);
}

/* Those that were left in the queue are committed together when the disk is free again. */
static void test_flush__after_the_disk_was_busy(void **state) {
  enum { CROWD = 2 * GROUP };
  fixture *f = *state;
  static waiting w[CROWD];
  static aio__run_row runs[CROWD];
  for (int i = 0; i < CROWD; i++) settle_later(f, &w[i], &runs[i], 1000 + i);
  f->store->flush(f->store);
  for (int i = 0; i < CROWD; i++) assert_int_equal(waiting_end(&w[i], AIORCH_PENDING), AIORCH_OK);
  set_busy(true);
  settle_later(f, &w[0], &runs[0], 0);
  f->store->flush(f->store);
  wait_until_asked();
  int before = atomic_load(&syncs);
  for (int i = 1; i < GROUP; i++) {
    settle_later(f, &w[i], &runs[i], i);
    f->store->flush(f->store);
  }
  assert_int_equal(settled(f), CROWD + 1);
  set_busy(false);
  for (int i = 0; i < GROUP; i++) assert_int_equal(waiting_end(&w[i], AIORCH_PENDING), AIORCH_OK);
  assert_int_equal(atomic_load(&syncs) - before, 1);
  assert_int_equal(settled(f), CROWD + GROUP);
}

/* One that fails takes no other with it. */
static void test_flush__a_failing_call_takes_no_other_with_it(void **state) {
  fixture *f = *state;
  static waiting w[GROUP];
  static aio__admission out[GROUP];
  static char id[GROUP][AIO__UUID_LEN + 1];
  aio__constraint c = runs_limit("u", GROUP, HOUR), bad = money_limit("bad", INT64_MAX, INT64_MAX);
  execute(f, "ledger.db",
          "CREATE TRIGGER poison BEFORE INSERT ON admissions WHEN new.key = 'bad'"
          " BEGIN SELECT raise(ABORT, 'poison'); END");
  for (int i = 0; i < GROUP; i++) {
    in_company(&w[i], AIO__NEVER);
    assert_int_equal(admit_later(f, &w[i], id[i], i, i == 7 ? &bad : &c, &out[i]), AIORCH_PENDING);
  }
  f->store->flush(f->store);
  for (int i = 0; i < GROUP; i++) {
    assert_int_equal(waiting_end(&w[i], AIORCH_PENDING), i == 7 ? AIORCH_E_STORE : AIORCH_OK);
    if (i != 7) assert_true(out[i].admitted);
  }
  assert_int_equal(query_number(f, "ledger.db", "SELECT count(*) FROM admissions"), GROUP - 1);
}

/* One whose time has passed is not applied; a settlement is, however late. */
static void test_flush__late_calls(void **state) {
  fixture *f = *state;
  waiting late, settled;
  aio__admission out;
  char id[AIO__UUID_LEN + 1];
  aio__constraint c = runs_limit("u", 3, HOUR);
  aio__run_row run = run_of(1, 5, T0);
  in_company(&late, aio__clock_now(f->env.clock) + 2000000);
  in_company(&settled, aio__clock_now(f->env.clock) + 2000000);
  assert_int_equal(f->store->ledger->settle(f->store, &settled.op, ACME, &run, NULL, 0), AIORCH_PENDING);
  aiorch_status status = admit_later(f, &late, id, 1, &c, &out);
  while (aio__clock_now(f->env.clock) < late.op.deadline_ns) continue;
  f->store->flush(f->store);
  assert_int_equal(waiting_end(&late, status), AIORCH_E_DEADLINE);
  assert_int_equal(waiting_end(&settled, AIORCH_PENDING), AIORCH_OK);
  assert_int_equal(query_number(f, "ledger.db", "SELECT count(*) FROM admissions"), 0);
}

/* Another process writes: nobody waits in the flush for it, and the calls are done when it has ended. */
static void test_flush__waits_for_no_other_process(void **state) {
  fixture *f = *state;
  waiting w;
  aio__admission out;
  char path[400], id[AIO__UUID_LEN + 1];
  sqlite3 *db;
  aio__constraint c = runs_limit("u", 3, HOUR);
  path_in(f, "ledger.db", path);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  in_company(&w, AIO__NEVER);
  assert_int_equal(admit_later(f, &w, id, 1, &c, &out), AIORCH_PENDING);
  f->store->flush(f->store);
  assert_false(is_done(&w));
  sqlite3_close(db);
  assert_int_equal(waiting_end(&w, AIORCH_PENDING), AIORCH_OK);
  assert_true(out.admitted);
}

/* Nobody flushes: the thread finds them. */
static void test_flush__forgotten_calls_end(void **state) {
  fixture *f = *state;
  waiting w, kept;
  aio__admission out;
  char id[AIO__UUID_LEN + 1];
  bool stored = false;
  aio__constraint c = runs_limit("u", 3, HOUR);
  aio__cache_entry e = entry_of(1, "q", "a", NULL);
  in_company(&w, AIO__NEVER);
  in_company(&kept, AIO__NEVER);
  assert_int_equal(admit_later(f, &w, id, 1, &c, &out), AIORCH_PENDING);
  assert_int_equal(f->store->cache->put(f->store, &kept.op, ACME, &e, &ROOMY, T0, &stored), AIORCH_PENDING);
  assert_int_equal(waiting_end(&w, AIORCH_PENDING), AIORCH_OK);
  assert_int_equal(waiting_end(&kept, AIORCH_PENDING), AIORCH_OK);
  assert_true(out.admitted);
  assert_true(stored);
}

static void test_close__does_what_waits_for_company(void **state) {
  fixture *f = *state;
  waiting w, kept;
  aio__run_row run = run_of(1, 5, T0);
  bool stored = false;
  aio__cache_entry e = entry_of(1, "q", "a", NULL), got;
  in_company(&w, AIO__NEVER);
  in_company(&kept, AIO__NEVER);
  assert_int_equal(f->store->ledger->settle(f->store, &w.op, ACME, &run, NULL, 0), AIORCH_PENDING);
  assert_int_equal(f->store->cache->put(f->store, &kept.op, ACME, &e, &ROOMY, T0, &stored), AIORCH_PENDING);
  close_store(f);
  assert_true(is_done(&w));
  assert_true(is_done(&kept));
  assert_int_equal(waiting_end(&w, AIORCH_PENDING), AIORCH_OK);
  assert_int_equal(waiting_end(&kept, AIORCH_PENDING), AIORCH_OK);
  assert_int_equal(open_store(f), AIORCH_OK);
  assert_true(ask(f, ACME, "q", T0, &got));
  assert_int_equal(query_number(f, "ledger.db", "SELECT count(*) FROM ai_api_calls"), 1);
}

/* Answers: each is judged as if it had come alone, the later one after the earlier. */
static void test_put__together(void **state) {
  fixture *f = *state;
  waiting w[4];
  bool stored[4] = {false};
  aio__store_document d = add_text(f, ACME, "a", "T", "text", 1, T0 - 5);
  aio__cache_source gone = source_of(&d);
  gone.version++;
  aio__cache_entry e[4] = {entry_of(1, "one", "a1", NULL), entry_of(2, "two", "a2", NULL), entry_of(3, "one", "a3", NULL),
                           entry_of(4, "four", "a4", &gone)},
                   got;
  for (int i = 0; i < 4; i++) {
    in_company(&w[i], AIO__NEVER);
    w[i].op.company = i < 3; /* the last has none any more, but it has theirs */
    assert_int_equal(f->store->cache->put(f->store, &w[i].op, ACME, &e[i], &ROOMY, T0, &stored[i]), AIORCH_PENDING);
  }
  f->store->flush(f->store);
  for (int i = 0; i < 4; i++) assert_int_equal(waiting_end(&w[i], AIORCH_PENDING), AIORCH_OK);
  assert_true(stored[0] && stored[1]);
  assert_false(stored[2]); /* the place is taken */
  assert_false(stored[3]); /* it rests on a version that is not there */
  assert_true(ask(f, ACME, "one", T0, &got));
  expect_str(got.answer, "a1");
  assert_true(ask(f, ACME, "two", T0, &got));
  assert_false(ask(f, ACME, "four", T0, &got));
}

static void test_put__a_failing_one_takes_no_other_with_it(void **state) {
  fixture *f = *state;
  waiting w[3];
  bool stored[3] = {false};
  aio__cache_entry e[3] = {entry_of(1, "one", "a1", NULL), entry_of(2, "bad", "a2", NULL), entry_of(3, "three", "a3", NULL)};
  execute(f, "knowledge.db",
          "CREATE TRIGGER poison BEFORE INSERT ON semantic_cache WHEN new.query = 'bad'"
          " BEGIN SELECT raise(ABORT, 'poison'); END");
  for (int i = 0; i < 3; i++) {
    in_company(&w[i], AIO__NEVER);
    assert_int_equal(f->store->cache->put(f->store, &w[i].op, ACME, &e[i], &ROOMY, T0, &stored[i]), AIORCH_PENDING);
  }
  f->store->flush(f->store);
  for (int i = 0; i < 3; i++)
    assert_int_equal(waiting_end(&w[i], AIORCH_PENDING), i == 1 ? AIORCH_E_STORE : AIORCH_OK);
  assert_true(stored[0] && stored[2]);
  assert_false(stored[1]);
  assert_int_equal(query_number(f, "knowledge.db", "SELECT count(*) FROM semantic_cache"), 2);
}

/* Another process writes, and nobody else is here that the answer could wait with. */
static void test_put__waits_for_no_other_process(void **state) {
  fixture *f = *state;
  waiting w;
  char path[400];
  sqlite3 *db;
  bool stored = false;
  aio__cache_entry e = entry_of(1, "q", "a", NULL);
  path_in(f, "knowledge.db", path);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  waiting_init(&w, AIO__NEVER);
  assert_int_equal(f->store->cache->put(f->store, &w.op, ACME, &e, &ROOMY, T0, &stored), AIORCH_PENDING);
  assert_false(is_done(&w));
  sqlite3_close(db);
  assert_int_equal(waiting_end(&w, AIORCH_PENDING), AIORCH_OK);
  assert_true(stored);
}

#define SQLITE_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown_folder)

int main(void) {
  static const struct CMUnitTest tests[] = {
    SQLITE_CASE(test_flush__admits_in_order),
    SQLITE_CASE(test_flush__settlements_come_to_the_disk_together),
    SQLITE_CASE(test_flush__while_the_disk_is_busy),
    SQLITE_CASE(test_flush__after_the_disk_was_busy),
    SQLITE_CASE(test_flush__a_failing_call_takes_no_other_with_it),
    SQLITE_CASE(test_flush__late_calls),
    SQLITE_CASE(test_flush__waits_for_no_other_process),
    SQLITE_CASE(test_flush__forgotten_calls_end),
    SQLITE_CASE(test_close__does_what_waits_for_company),
    SQLITE_CASE(test_put__together),
    SQLITE_CASE(test_put__a_failing_one_takes_no_other_with_it),
    SQLITE_CASE(test_put__waits_for_no_other_process),
  };
  (void)expect_words;
  (void)conformance_tests; /* the suite itself runs in test_sqlite.c */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
