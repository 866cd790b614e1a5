/*
 * A store before another one that may be away: the conformance suite through it, and what becomes of rows while the other one fails.
 * (label: threads)
 */
#include "stores/conformance.c"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stores/spool_rows.h"
#include "stores/spooled_private.h"
#include "support/failing_store.h"

static const int64_t MINUTE_NS = INT64_C(60) * 1000000000;

static failing_store failing;
static aio__counters counters;
static aiorch_status at_first; /* how calls of the memory store fail from the beginning */
static aio__store *behind; /* the memory store, with the failing one before it */

static const char *folder_of(fixture *f) {
  static int number;
  const char *base = getenv("AIORCH_TEST_TMP");
  if (f->folder[0] == '\0')
    (void)snprintf(f->folder, sizeof f->folder, "%.200s/spooled-%d-%d", base != NULL ? base : "/tmp", (int)getpid(), number++);
  return f->folder;
}

/* The rows in the memory store outlive a store that is closed before it. */
static aiorch_status put_before(fixture *f, aio__store *inner) {
  return aio__store_spooled_open(&f->env, folder_of(f), inner, &f->store, &f->call.op.error);
}

aiorch_status open_store(fixture *f) {
  aio__counters_init(&counters);
  f->env.counters = &counters;
  aiorch_status status = aio__store_memory_open(&f->env, &behind, NULL);
  if (status != AIORCH_OK) return status;
  failing_store_stand_before_store(&failing, behind);
  failing.fails[FAILING_ATTEMPT] = failing.fails[FAILING_SETTLE] = at_first;
  status = put_before(f, behind);
  if (status != AIORCH_OK) behind->close(behind);
  return status;
}

static int end(void **state) {
  fixture *f = *state;
  aio__spool_files files;
  char folder[256], path[400];
  (void)snprintf(folder, sizeof folder, "%s", f->folder);
  int code = teardown(state);
  if (aio__spool_list(aio__alloc_default(), folder, &files, NULL) == AIORCH_OK) {
    for (size_t i = 0; i < files.n; i++) {
      (void)snprintf(path, sizeof path, "%.250s/%s", folder, files.file[i].name);
      (void)unlink(path);
    }
    aio__spool_files_free(&files);
  }
  (void)rmdir(folder);
  return code;
}

static void expect_words(const fixture *f, const char *part) {
  assert_non_null(strstr(f->call.op.error.message, part));
}

/* ---- what the tests say --------------------------------------------------------------------------------------------- */

static void fail_all(aiorch_status status) {
  failing.fails[FAILING_ATTEMPT] = failing.fails[FAILING_SETTLE] = failing.fails[FAILING_ADMIT] = status;
}

static aiorch_status settle_sample(fixture *f, int number) {
  sample s;
  sample_fill(&s, number);
  return CALL(f, ledger, settle, ACME, &s.run, s.attempt, SAMPLE_ATTEMPTS);
}

static aiorch_status pend_sample(fixture *f, int number) {
  sample s;
  sample_fill(&s, number);
  s.attempt[0].state = AIO__ATTEMPT_PENDING;
  return CALL(f, ledger, attempt, ACME, &s.attempt[0]);
}

/* What the memory store has, asked past all that stands before it. */
static int64_t runs_there(fixture *f) {
  aio__store_stats stats = {0};
  aio__op op;
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  assert_int_equal(failing.was.ledger->stats(behind, &op, ACME, T0, &stats), AIORCH_OK);
  (void)f;
  return stats.runs;
}

static size_t attempts_there(fixture *f, int number, aio__attempt_row **rows) {
  sample s;
  aio__op op;
  size_t n = 0;
  sample_fill(&s, number);
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  assert_int_equal(
    failing.was.ledger->attempts(behind, &op, ACME, aio__str_z(s.run.id), &f->arena, rows, &n), AIORCH_OK);
  return n;
}

static aiorch_status replay_what(fixture *f, int what, aio__spool_report *report) {
  return aio__spooled_replay(f->store, what, aio__clock_now(f->env.clock) + MINUTE_NS, report, &f->call.op.error);
}

static void replay_all(fixture *f) {
  aio__spool_report report;
  assert_int_equal(replay_what(f, 0, &report), AIORCH_OK);
}

static uint64_t counted(int which) { return atomic_load(&counters.n[which]); }

static size_t count_files(fixture *f, aio__spool_state state) {
  aio__spool_files files;
  size_t n = 0;
  assert_int_equal(aio__spool_list(&f->memory.al, folder_of(f), &files, NULL), AIORCH_OK);
  for (size_t i = 0; i < files.n; i++) n += files.file[i].state == state;
  aio__spool_files_free(&files);
  return n;
}

/* ---- away and back -------------------------------------------------------------------------------------------------- */

static void test_open__is_the_other_store_to_all(void **state) {
  fixture *f = *state;
  assert_string_equal(f->store->kind, "memory");
  assert_string_equal(f->store->place, "memory");
  assert_int_equal(settle_sample(f, 1), AIORCH_OK);
  assert_int_equal(runs_there(f), 1);
  assert_int_equal(count_files(f, AIO__SPOOL_ROWS), 0);
  assert_int_equal(counted(AIO__N_COST_SPOOLED), 0);
}

static void test_settle__each_way_of_being_away(void **state) {
  fixture *f = *state;
  static const aiorch_status away[] = {AIORCH_E_STORE_DOWN,  AIORCH_E_STORE_FULL,    AIORCH_E_STORE_READ_ONLY,
                                       AIORCH_E_STORE_NEWER, AIORCH_E_STORE_CORRUPT, AIORCH_E_DEADLINE,
                                       AIORCH_E_NOMEM,       AIORCH_E_SYSTEM,        AIORCH_E_CLOSED};
  for (size_t i = 0; i < sizeof away / sizeof away[0]; i++) {
    fail_all(away[i]);
    assert_int_equal(settle_sample(f, (int)i), AIORCH_OK);
    assert_int_equal(runs_there(f), i);
    assert_int_equal(counted(AIO__N_COST_SPOOLED), i + 1);
    fail_all(AIORCH_OK);
    replay_all(f);
    assert_int_equal(runs_there(f), i + 1);
    assert_int_equal(counted(AIO__N_SPOOL_REPLAYED), i + 1);
    assert_int_equal(count_files(f, AIO__SPOOL_ROWS), 0);
    assert_false(aio__spooled_is_down(f->store));
  }
}

static void test_settle__a_refused_row_is_its_callers(void **state) {
  fixture *f = *state;
  static const aiorch_status refused[] = {AIORCH_E_UNSUPPORTED, AIORCH_E_INVALID, AIORCH_E_TOO_LARGE, AIORCH_E_INTERNAL};
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    fail_all(refused[i]);
    assert_int_equal(settle_sample(f, (int)i), refused[i]);
    expect_words(f, "the disk is gone");
    assert_false(aio__spooled_is_down(f->store));
  }
  assert_int_equal(count_files(f, AIO__SPOOL_ROWS), 0);
}

/* An attempt that is about to be made has a run behind it that knows what to do when time or memory is out. */
static void test_attempt__goes_into_the_spool_when_the_store_is_away(void **state) {
  fixture *f = *state;
  fail_all(AIORCH_E_DEADLINE);
  assert_int_equal(pend_sample(f, 1), AIORCH_E_DEADLINE);
  fail_all(AIORCH_E_NOMEM);
  assert_int_equal(pend_sample(f, 1), AIORCH_E_NOMEM);
  assert_int_equal(counted(AIO__N_COST_SPOOLED), 0);
  fail_all(AIORCH_E_STORE_DOWN);
  assert_int_equal(pend_sample(f, 1), AIORCH_OK);
  assert_int_equal(settle_sample(f, 1), AIORCH_OK);
  assert_int_equal(pend_sample(f, 2), AIORCH_OK);
  assert_int_equal(counted(AIO__N_COST_SPOOLED), 3);
  fail_all(AIORCH_OK);
  replay_all(f);
  aio__attempt_row *rows;
  assert_int_equal(attempts_there(f, 1, &rows), 2);
  assert_int_equal(rows[0].state, AIO__ATTEMPT_SETTLED);
  assert_int_equal(attempts_there(f, 2, &rows), 1);
  assert_int_equal(rows[0].state, AIO__ATTEMPT_PENDING);
}

/* While it is away nobody waits for it. */
static void test_settle__goes_past_a_store_that_is_away(void **state) {
  fixture *f = *state;
  fail_all(AIORCH_E_STORE_READ_ONLY);
  assert_int_equal(settle_sample(f, 0), AIORCH_OK);
  assert_true(aio__spooled_is_down(f->store));
  int calls = failing.calls[FAILING_SETTLE];
  for (int i = 1; i < 20; i++) assert_int_equal(settle_sample(f, i), AIORCH_OK);
  assert_in_range(failing.calls[FAILING_SETTLE], calls, calls + 10); /* now and then the oldest is tried */
  fail_all(AIORCH_OK);
  replay_all(f);
  assert_int_equal(runs_there(f), 20);
}

/* The connection broke at COMMIT: what was committed comes once more, and is there once. */
static void test_settle__of_unknown_outcome(void **state) {
  fixture *f = *state;
  sample s;
  sample_fill(&s, 7);
  waiting_init(&f->call, AIO__NEVER);
  failing.fails[FAILING_SETTLE] = AIORCH_PENDING;
  assert_int_equal(f->store->ledger->settle(f->store, &f->call.op, ACME, &s.run, s.attempt, SAMPLE_ATTEMPTS), AIORCH_PENDING);
  assert_int_equal(runs_there(f), 1);
  failing.fails[FAILING_SETTLE] = AIORCH_OK;
  failing_store_answer(&failing, AIORCH_E_STORE_DOWN);
  assert_int_equal(waiting_end(&f->call, AIORCH_PENDING), AIORCH_OK);
  replay_all(f);
  assert_int_equal(counted(AIO__N_SPOOL_REPLAYED), 1);
  assert_int_equal(runs_there(f), 1);
  aio__attempt_row *rows;
  assert_int_equal(attempts_there(f, 7, &rows), 2);
  assert_int_equal(count_files(f, AIO__SPOOL_ROWS), 0);
}

/* ---- replay by itself ----------------------------------------------------------------------------------------------- */

/* With a deadline of the test's own (SIGALRM), so that a hang is a failure. */
static void await_replayed(uint64_t n) {
  (void)alarm(60);
  while (counted(AIO__N_SPOOL_REPLAYED) < n) (void)sched_yield();
  (void)alarm(0);
}

static void test_replay__begins_by_itself(void **state) {
  fixture *f = *state;
  fail_all(AIORCH_E_STORE_DOWN);
  for (int i = 0; i < 100; i++) assert_int_equal(settle_sample(f, i), AIORCH_OK);
  fail_all(AIORCH_OK);
  await_replayed(100);
  replay_all(f);
  assert_int_equal(runs_there(f), 100);
  assert_int_equal(counted(AIO__N_SPOOL_REPLAYED), 100);
  assert_int_equal(count_files(f, AIO__SPOOL_ROWS), 0);
}

static void test_replay__soon_after_any_success(void **state) {
  fixture *f = *state;
  aio__admission admission;
  aio__constraint c = runs_limit("u", 5, HOUR);
  aio__spool_report report;
  fail_all(AIORCH_E_STORE_DOWN);
  assert_int_equal(settle_sample(f, 1), AIORCH_OK);
  for (int i = 0; i < 8; i++) assert_int_equal(replay_what(f, 0, &report), AIORCH_E_STORE_DOWN); /* the pause has grown */
  expect_words(f, "the disk is gone");
  fail_all(AIORCH_OK);
  char id[AIO__UUID_LEN + 1];
  sample_id(id, 9, 1);
  assert_int_equal(CALL(f, ledger, admit, ACME, aio__str_z(id), &c, 1, T0, &admission), AIORCH_OK);
  await_replayed(1);
}

static void test_replay__of_a_process_that_has_ended(void **state) {
  fixture *f = *state;
  fail_all(AIORCH_E_STORE_DOWN);
  for (int i = 0; i < 10; i++) assert_int_equal(settle_sample(f, i), AIORCH_OK);
  f->store->close(f->store); /* the memory store with it */
  f->store = NULL;
  assert_true(count_files(f, AIO__SPOOL_ROWS) >= 1);
  assert_int_equal(open_store(f), AIORCH_OK);
  await_replayed(10);
  assert_int_equal(runs_there(f), 10);
}

static void test_replay__processes_beside_this_one(void **state) {
  fixture *f = *state;
  enum { PROCESSES = 3, EACH = 40 };
  int ready[2], go[2];
  char byte = 0;
  pid_t child[PROCESSES];
  assert_int_equal(pipe(ready), 0);
  assert_int_equal(pipe(go), 0);
  f->store->close(f->store);
  f->store = NULL;
  for (int p = 0; p < PROCESSES; p++) {
    child[p] = fork();
    assert_true(child[p] >= 0);
    if (child[p] > 0) continue;
    close(go[1]); /* so that the end of the parent ends it, too */
    at_first = AIORCH_E_STORE_DOWN;
    if (open_store(f) != AIORCH_OK) _exit(1);
    for (int i = 0; i < EACH; i++)
      if (settle_sample(f, p * EACH + i) != AIORCH_OK) _exit(2);
    if (write(ready[1], "r", 1) != 1) _exit(3);
    if (p == 0) (void)read(go[0], &byte, 1); /* this one lives on */
    _exit(0);
  }
  for (int p = 0; p < PROCESSES; p++) assert_int_equal(read(ready[0], &byte, 1), 1);
  for (int p = 1; p < PROCESSES; p++) assert_int_equal(waitpid(child[p], NULL, 0), child[p]);
  assert_int_equal(open_store(f), AIORCH_OK);
  aio__spool_report report;
  (void)alarm(60);
  while (runs_there(f) < (PROCESSES - 1) * EACH) /* the one that lives tries them, too */
    assert_int_equal(replay_what(f, 0, &report), AIORCH_OK);
  (void)alarm(0);
  assert_int_equal(write(go[1], "g", 1), 1);
  assert_int_equal(waitpid(child[0], NULL, 0), child[0]);
  assert_int_equal(replay_what(f, 0, &report), AIORCH_OK);
  assert_int_equal(runs_there(f), PROCESSES * EACH);
  assert_int_equal(count_files(f, AIO__SPOOL_ROWS), 0);
  for (int i = 0; i < 2; i++) {
    close(ready[i]);
    close(go[i]);
  }
}

static void test_replay__leaves_rows_of_another_store(void **state) {
  fixture *f = *state;
  aio__spool_report report;
  fail_all(AIORCH_E_STORE_DOWN);
  assert_int_equal(settle_sample(f, 1), AIORCH_OK);
  f->store->close(f->store);
  f->store = NULL;
  assert_int_equal(aio__store_memory_open(&f->env, &behind, NULL), AIORCH_OK);
  behind->place = "elsewhere";
  failing_store_stand_before_store(&failing, behind);
  assert_int_equal(put_before(f, behind), AIORCH_OK);
  assert_int_equal(replay_what(f, 0, &report), AIORCH_OK);
  assert_int_equal(report.replayed, 0);
  assert_int_equal(runs_there(f), 0);
  assert_true(count_files(f, AIO__SPOOL_ROWS) == 1);
  assert_int_equal(replay_what(f, AIO__REPLAY_ANY_STORE, &report), AIORCH_OK);
  assert_int_equal(runs_there(f), 1);
  assert_int_equal(count_files(f, AIO__SPOOL_ROWS), 0);
}

static void test_replay__is_bounded(void **state) {
  fixture *f = *state;
  aio__spool_report report;
  f->options.spool_replay_rate = 100;
  fail_all(AIORCH_E_STORE_DOWN);
  for (int i = 0; i < 200; i++) assert_int_equal(settle_sample(f, i), AIORCH_OK);
  fail_all(AIORCH_OK);
  /* At once a first row, and one batch; then it has to wait. */
  assert_int_equal(aio__spooled_replay(f->store, 0, aio__clock_now(f->env.clock) + 200000000, &report, NULL), AIORCH_AGAIN);
  assert_in_range(counted(AIO__N_SPOOL_REPLAYED), 0, 70);
  f->options.spool_replay_rate = 1000000;
  replay_all(f);
  replay_all(f);
  assert_int_equal(runs_there(f), 200);
}

/* ---- rows that nobody takes ----------------------------------------------------------------------------------------- */

static void test_replay__sets_aside_what_is_refused(void **state) {
  fixture *f = *state;
  aio__spool_report report;
  aio__attempt_row *rows;
  fail_all(AIORCH_E_STORE_DOWN);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(pend_sample(f, i), AIORCH_OK);
    assert_int_equal(settle_sample(f, i), AIORCH_OK);
  }
  int before = failing.calls[FAILING_SETTLE];
  failing.fails[FAILING_ATTEMPT] = AIORCH_OK;
  failing.fails[FAILING_SETTLE] = AIORCH_E_STORE;
  assert_int_equal(replay_what(f, 0, &report), AIORCH_OK);
  assert_true(counted(AIO__N_SPOOL_POISON) == 5);
  assert_true(failing.calls[FAILING_SETTLE] >= before + 10); /* each once more by itself */
  assert_int_equal(runs_there(f), 0);
  for (int i = 0; i < 5; i++) assert_int_equal(attempts_there(f, i, &rows), 1);
  assert_int_equal(count_files(f, AIO__SPOOL_ROWS), 0);
  assert_int_equal(count_files(f, AIO__SPOOL_POISON), 1);
  failing.fails[FAILING_SETTLE] = AIORCH_OK;
  assert_int_equal(replay_what(f, 0, &report), AIORCH_OK);
  assert_int_equal(runs_there(f), 0);
  assert_int_equal(replay_what(f, AIO__REPLAY_POISON, &report), AIORCH_OK);
  assert_int_equal(report.replayed, 5);
  assert_int_equal(runs_there(f), 5);
  assert_int_equal(count_files(f, AIO__SPOOL_POISON), 0);
}

/* Nobody knows whether a right is missing or the row is wrong, until the store takes another one. */
static void test_replay__keeps_what_may_be_the_stores_own_fault(void **state) {
  fixture *f = *state;
  aio__spool_report report;
  fail_all(AIORCH_E_STORE);
  for (int i = 0; i < 5; i++) assert_int_equal(settle_sample(f, i), AIORCH_OK);
  assert_false(aio__spooled_is_down(f->store));
  for (int i = 0; i < 3; i++) {
    assert_int_equal(replay_what(f, 0, &report), AIORCH_E_STORE);
    expect_words(f, "the disk is gone");
  }
  assert_int_equal(counted(AIO__N_SPOOL_POISON), 0);
  assert_int_equal(count_files(f, AIO__SPOOL_POISON), 0);
  fail_all(AIORCH_OK); /* the right is given */
  replay_all(f);
  assert_int_equal(runs_there(f), 5);
  fail_all(AIORCH_E_STORE);
  assert_int_equal(settle_sample(f, 6), AIORCH_OK);
  assert_int_equal(replay_what(f, 0, &report), AIORCH_E_STORE);
  failing.fails[FAILING_ATTEMPT] = AIORCH_OK;
  assert_int_equal(pend_sample(f, 7), AIORCH_OK); /* taken, so that the other one is wrong */
  replay_all(f);
  replay_all(f);
  assert_int_equal(counted(AIO__N_SPOOL_POISON), 1);
  assert_int_equal(count_files(f, AIO__SPOOL_ROWS), 0);
  assert_int_equal(count_files(f, AIO__SPOOL_POISON), 1);
}

static void test_replay__passes_over_damage(void **state) {
  fixture *f = *state;
  aio__spool_files files;
  char path[400];
  fail_all(AIORCH_E_STORE_DOWN);
  for (int i = 0; i < 5; i++) assert_int_equal(settle_sample(f, i), AIORCH_OK);
  f->store->close(f->store);
  f->store = NULL;
  assert_int_equal(aio__spool_list(&f->memory.al, f->folder, &files, NULL), AIORCH_OK);
  assert_true(files.n >= 1);
  (void)snprintf(path, sizeof path, "%.250s/%s", f->folder, files.file[0].name);
  FILE *file = fopen(path, "r+");
  assert_non_null(file);
  assert_int_equal(fseek(file, AIO__SPOOL_FILE_HEAD + 100, SEEK_SET), 0);
  assert_int_equal(fputc('?', file), '?');
  assert_int_equal(fclose(file), 0);
  aio__spool_files_free(&files);
  assert_int_equal(open_store(f), AIORCH_OK);
  await_replayed(4);
  replay_all(f);
  assert_int_equal(runs_there(f), 4);
  assert_int_equal(counted(AIO__N_SPOOL_DAMAGED), 1);
  assert_int_equal(count_files(f, AIO__SPOOL_ROWS), 0);
  assert_int_equal(count_files(f, AIO__SPOOL_DAMAGED), 1);
}

static void test_settle__the_spool_is_full(void **state) {
  fixture *f = *state;
  int n = 0;
  f->store->close(f->store);
  f->options.spool_max_bytes = 8192;
  assert_int_equal(open_store(f), AIORCH_OK);
  fail_all(AIORCH_E_STORE_DOWN);
  aiorch_status status;
  while ((status = settle_sample(f, n)) == AIORCH_OK) assert_in_range(++n, 0, 20);
  assert_int_equal(status, AIORCH_E_STORE_FULL);
  expect_words(f, "spool.max_bytes");
  assert_int_equal(counted(AIO__N_SPOOL_FAILED), 1);
  fail_all(AIORCH_OK);
  replay_all(f);
  assert_int_equal(runs_there(f), n);
  assert_int_equal(settle_sample(f, n), AIORCH_OK);
}

static void test_settle__no_room_for_the_folder(void **state) {
  fixture *f = *state;
  aio__store *spooled;
  assert_int_equal(aio__store_spooled_open(&f->env, "/no/such/place", behind, &spooled, &f->call.op.error), AIORCH_E_STORE);
  expect_words(f, "spool.path");
}

/* ---- memory and threads --------------------------------------------------------------------------------------------- */

/* Acknowledged or not, but never acknowledged and lost. */
static void test_settle__out_of_memory(void **state) {
  fixture *f = *state;
  int n = 0, acknowledged = 0;
  do {
    aio__test_alloc_next(&f->memory);
    fail_all(AIORCH_E_STORE_DOWN);
    acknowledged += settle_sample(f, n++) == AIORCH_OK;
    fail_all(AIORCH_OK);
    aio__spool_report report;
    (void)replay_what(f, 0, &report);
  } while (f->memory.failed > 0);
  f->memory.fail_at = 0;
  replay_all(f);
  assert_int_equal(acknowledged, n);
  assert_int_equal(runs_there(f), n);
}

static void test_settle__no_memory_at_all(void **state) {
  fixture *f = *state;
  sample s;
  sample_fill(&s, 1);
  f->memory.fail_at = f->memory.count + 1;
  f->memory.fail_on = true;
  aiorch_status status = settle_sample(f, 1);
  f->memory.fail_at = 0;
  f->memory.fail_on = false;
  assert_int_equal(status, AIORCH_OK);
  replay_all(f);
  assert_int_equal(runs_there(f), 1);
}

enum { THREADS = 4, EACH_THREAD = 150 };

typedef struct crowd {
  fixture *f;
  int number;
  atomic_int *failed;
} crowd;

static void *settle_many(void *ctx) {
  crowd *c = ctx;
  for (int i = 0; i < EACH_THREAD; i++) {
    sample s;
    waiting w;
    sample_fill(&s, c->number * EACH_THREAD + i);
    aio__error_init(&w.op.error);
    (void)pthread_mutex_init(&w.mutex, NULL);
    (void)pthread_cond_init(&w.cond, NULL);
    w.done = false;
    aio__op_init(&w.op, AIO__NEVER, on_done, &w);
    aiorch_status status =
      c->f->store->ledger->settle(c->f->store, &w.op, ACME, &s.run, s.attempt, SAMPLE_ATTEMPTS);
    pthread_mutex_lock(&w.mutex);
    while (status == AIORCH_PENDING && !w.done) pthread_cond_wait(&w.cond, &w.mutex);
    pthread_mutex_unlock(&w.mutex);
    if (status == AIORCH_PENDING) status = w.op.status;
    if (status != AIORCH_OK) atomic_fetch_add(c->failed, 1);
    pthread_cond_destroy(&w.cond);
    pthread_mutex_destroy(&w.mutex);
  }
  return NULL;
}

static void test_settle__from_several_threads(void **state) {
  fixture *f = *state;
  pthread_t thread[THREADS];
  crowd crowds[THREADS];
  atomic_int failed = 0;
  f->options.spool_replay_rate = 1000000;
  for (int i = 0; i < THREADS; i++) {
    crowds[i] = (crowd){f, i, &failed};
    assert_int_equal(pthread_create(&thread[i], NULL, settle_many, &crowds[i]), 0);
  }
  for (int i = 0; i < 40; i++) {
    fail_all(i % 2 == 0 ? AIORCH_E_STORE_DOWN : AIORCH_OK);
    aio__spool_report report;
    (void)replay_what(f, 0, &report);
  }
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(thread[i], NULL), 0);
  fail_all(AIORCH_OK);
  replay_all(f);
  replay_all(f);
  assert_int_equal(failed, 0);
  assert_int_equal(runs_there(f), THREADS * EACH_THREAD);
  assert_int_equal(count_files(f, AIO__SPOOL_ROWS), 0);
}

/* Rows that are under way to the store when it is closed stay for the next one. */
static void test_close__in_mid_replay(void **state) {
  fixture *f = *state;
  f->options.spool_replay_rate = 100;
  fail_all(AIORCH_E_STORE_DOWN);
  for (int i = 0; i < 100; i++) assert_int_equal(settle_sample(f, i), AIORCH_OK);
  fail_all(AIORCH_OK);
  aio__spool_report report;
  (void)aio__spooled_replay(f->store, 0, aio__clock_now(f->env.clock) + 1000000, &report, NULL);
  f->store->close(f->store);
  f->store = NULL;
  int64_t gone = (int64_t)counted(AIO__N_SPOOL_REPLAYED); /* at most; the memory store took them with it */
  f->options.spool_replay_rate = 1000000;
  assert_int_equal(open_store(f), AIORCH_OK);
  replay_all(f);
  assert_in_range(runs_there(f), 100 - gone, 100);
  assert_int_equal(count_files(f, AIO__SPOOL_ROWS), 0);
}

#define OWN(name) cmocka_unit_test_setup_teardown(name, setup, end)

int main(void) {
  static const struct CMUnitTest own[] = {
    OWN(test_open__is_the_other_store_to_all),
    OWN(test_settle__each_way_of_being_away),
    OWN(test_settle__a_refused_row_is_its_callers),
    OWN(test_attempt__goes_into_the_spool_when_the_store_is_away),
    OWN(test_settle__goes_past_a_store_that_is_away),
    OWN(test_settle__of_unknown_outcome),
    OWN(test_replay__begins_by_itself),
    OWN(test_replay__soon_after_any_success),
    OWN(test_replay__of_a_process_that_has_ended),
    OWN(test_replay__processes_beside_this_one),
    OWN(test_replay__leaves_rows_of_another_store),
    OWN(test_replay__is_bounded),
    OWN(test_replay__sets_aside_what_is_refused),
    OWN(test_replay__keeps_what_may_be_the_stores_own_fault),
    OWN(test_replay__passes_over_damage),
    OWN(test_settle__the_spool_is_full),
    OWN(test_settle__no_room_for_the_folder),
    OWN(test_settle__out_of_memory),
    OWN(test_settle__no_memory_at_all),
    OWN(test_settle__from_several_threads),
    OWN(test_close__in_mid_replay),
  };
  enum { OWN_TESTS = sizeof own / sizeof own[0] };
  struct CMUnitTest tests[CONFORMANCE_TESTS + OWN_TESTS];
  memcpy(tests, own, sizeof own);
  memcpy(tests + OWN_TESTS, conformance_tests, sizeof conformance_tests);
  for (size_t i = OWN_TESTS; i < OWN_TESTS + CONFORMANCE_TESTS; i++) tests[i].teardown_func = end;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
