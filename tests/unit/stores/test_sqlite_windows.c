/* lib/stores/sqlite_windows.c: the sums that are kept are those of the file, whoever has changed it. (label: threads) */
#include "stores/conformance.c"

#include "stores/sqlite_folder.c"
#include "stores/sqlite_private.h"

enum { STEPS = 4000, KEYS = 3, WINDOW = 5000 };

static uint32_t next(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

/* What the file says stands in the window. */
static int64_t used_in_file(const fixture *f, aio__str tenant, const char *key, int64_t after_ms) {
  char sql[200];
  snprintf(sql, sizeof sql, "SELECT coalesce(sum(amount), 0) FROM admissions WHERE tenant_id = '%.*s' AND key = '%s' AND at_ms > %lld",
           (int)tenant.n, tenant.p, key, (long long)after_ms);
  return query_number(f, "ledger.db", sql);
}

static void expect_as_in_file(fixture *f, aio__str tenant, int run, const aio__constraint *c, int64_t now_ms) {
  int64_t before = used_in_file(f, tenant, c->key, now_ms - c->window_ms);
  aio__admission a = admit(f, tenant, run, c, 1, now_ms);
  assert_int_equal(a.admitted, before + c->amount <= c->limit);
  assert_int_equal(a.used, a.admitted ? before + c->amount : before);
}

static void settle_run(fixture *f, int run, int64_t now_ms) {
  aio__run_row row = run_of(run, 7, now_ms);
  assert_int_equal(CALL(f, ledger, settle, ACME, &row, NULL, 0), AIORCH_OK);
}

/* As another process would. */
static void change_from_outside(const fixture *f, uint32_t how, int64_t now_ms) {
  char sql[300];
  if (how % 2 == 0)
    snprintf(sql, sizeof sql,
             "INSERT INTO admissions (tenant_id, key, at_ms, amount, kind, run_id, expires_ms) VALUES ('acme', 'k%u', %lld, 1, 0, 'r', %lld)",
             how / 2 % KEYS, (long long)now_ms, (long long)now_ms + WINDOW);
  else
    snprintf(sql, sizeof sql, "DELETE FROM admissions WHERE no IN (SELECT no FROM admissions ORDER BY no DESC LIMIT 2)");
  execute(f, "ledger.db", sql);
}

static void fail_once(fixture *f, const char *key, int run, int64_t now_ms) {
  aio__constraint c = runs_limit(key, INT32_MAX, WINDOW);
  aio__admission out;
  char id[AIO__UUID_LEN + 1];
  execute(f, "ledger.db", "CREATE TRIGGER poison AFTER INSERT ON admissions BEGIN SELECT raise(ABORT, 'poison'); END");
  assert_int_equal(CALL(f, ledger, admit, ACME, aio__str_z(id_of(id, "runs", run)), &c, 1, now_ms, &out), AIORCH_E_STORE);
  expect_words(f, "poison");
  execute(f, "ledger.db", "DROP TRIGGER poison");
}

/* Clocks that go back, windows of several lengths and kinds under a key, other processes, failures, and what is let go. */
static void test_sum__is_that_of_the_file(void **state) {
  fixture *f = *state;
  uint32_t seed = 7;
  int64_t now_ms = T0;
  for (int run = 0; run < STEPS; run++) {
    char key[8];
    uint32_t what = next(&seed) % 100;
    now_ms += next(&seed) % 200;
    if (what == 0) now_ms -= next(&seed) % 3000;
    if (what == 1) now_ms -= AIO__SQ_RACE_MS + next(&seed) % 3000;
    if (what == 2) now_ms += WINDOW;
    snprintf(key, sizeof key, "k%u", next(&seed) % KEYS);
    aio__constraint c = runs_limit(key, 10 + next(&seed) % 30, what == 3 ? WINDOW / 2 : WINDOW);
    if (what >= 4 && what < 8) change_from_outside(f, next(&seed), now_ms);
    if (what == 8) fail_once(f, key, run, now_ms);
    if (what == 9) (void)prune(f, now_ms, 0, 100, false);
    if (what == 14) {
      close_store(f);
      assert_int_equal(open_store(f), AIORCH_OK);
    }
    if (what >= 10 && what < 14) {
      c.kind = AIO__LIMIT_MONEY;
      c.amount = 3;
    }
    expect_as_in_file(f, what >= 90 ? AIO__LIT("other") : ACME, run, &c, now_ms);
    if (c.kind == AIO__LIMIT_MONEY) settle_run(f, run, now_ms);
  }
  assert_true(query_number(f, "ledger.db", "SELECT count(*) FROM admissions") > 0);
}

/* The admissions of one transaction see each other, and what one of them lets go. */
static void test_sum__within_one_transaction(void **state) {
  fixture *f = *state;
  waiting w[8];
  aio__admission out[8];
  char id[8][AIO__UUID_LEN + 1];
  aio__constraint c = runs_limit("u", 5, WINDOW);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 8; i++) {
      waiting_init(&w[i], AIO__NEVER);
      w[i].op.company = true;
      assert_int_equal(f->store->ledger->admit(f->store, &w[i].op, ACME, aio__str_z(id_of(id[i], "runs", round * 8 + i)), &c, 1,
                                               T0 + round * WINDOW, &out[i]),
                       AIORCH_PENDING);
    }
    f->store->flush(f->store);
    for (int i = 0; i < 8; i++) {
      assert_int_equal(waiting_end(&w[i], AIORCH_PENDING), AIORCH_OK);
      assert_int_equal(out[i].admitted, i < 5);
      assert_int_equal(out[i].used, i < 5 ? i + 1 : 5);
    }
  }
}

/* Sums that SQLite cannot take apart again are not kept. */
static void test_sum__of_amounts_without_end(void **state) {
  fixture *f = *state;
  aio__constraint huge = runs_limit("u", INT64_MAX, WINDOW), one = runs_limit("u", INT64_MAX, WINDOW);
  huge.amount = INT64_MAX - 10;
  assert_true(admit(f, ACME, 1, &one, 1, T0).admitted);
  assert_true(admit(f, ACME, 2, &huge, 1, T0 + 1).admitted);
  assert_false(admit(f, ACME, 3, &huge, 1, T0 + 2).admitted);
  assert_int_equal(admit(f, ACME, 4, &one, 1, T0 + 3).used, INT64_MAX - 8);
  assert_int_equal(admit(f, ACME, 5, &one, 1, T0 + WINDOW + 1).used, 2);
}

#define SQLITE_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown_folder)

int main(void) {
  static const struct CMUnitTest tests[] = {
    SQLITE_CASE(test_sum__is_that_of_the_file),
    SQLITE_CASE(test_sum__within_one_transaction),
    SQLITE_CASE(test_sum__of_amounts_without_end),
  };
  (void)conformance_tests; /* the suite itself runs in test_sqlite.c */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
