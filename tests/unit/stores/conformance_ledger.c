/* Admissions, attempts, runs, and calls from several threads. A part of conformance.c. */
#include "stores/conformance.h"

static aio__constraint runs_limit(const char *key, int64_t limit, int64_t window_ms) {
  aio__constraint c = {.kind = AIO__LIMIT_RUNS, .window_ms = window_ms, .limit = limit, .amount = 1};
  snprintf(c.key, sizeof c.key, "%s", key);
  return c;
}

static aio__constraint money_limit(const char *key, int64_t limit, int64_t amount) {
  aio__constraint c = {.kind = AIO__LIMIT_MONEY, .window_ms = HOUR, .limit = limit, .amount = amount};
  snprintf(c.key, sizeof c.key, "%s", key);
  return c;
}

static aio__admission admit(fixture *f, aio__str tenant, int run, const aio__constraint *c, size_t count,
                            int64_t now_ms) {
  aio__admission out = {.violated = 77};
  char id[AIO__UUID_LEN + 1];
  assert_int_equal(CALL(f, ledger, admit, tenant, aio__str_z(id_of(id, "runs", run)), c, count, now_ms, &out),
                   AIORCH_OK);
  return out;
}

static void test_admit__exactly_the_limit(void **state) {
  fixture *f = *state;
  aio__constraint c = runs_limit("u1", 3, HOUR);
  for (int i = 0; i < 3; i++) {
    aio__admission a = admit(f, ACME, i, &c, 1, T0 + i * 1000);
    assert_true(a.admitted);
    assert_int_equal(a.violated, -1);
    assert_int_equal(a.used, i + 1);
  }
  aio__admission a = admit(f, ACME, 3, &c, 1, T0 + 5000);
  assert_false(a.admitted);
  assert_int_equal(a.violated, 0);
  assert_int_equal(a.used, 3);
  assert_int_equal(a.retry_after_ms, HOUR - 5000);
  aio__constraint other = runs_limit("u2", 3, HOUR);
  assert_true(admit(f, ACME, 4, &other, 1, T0 + 5000).admitted);
}

static void test_admit__without_constraints(void **state) {
  fixture *f = *state;
  assert_true(admit(f, ACME, 1, NULL, 0, T0).admitted);
}

/* A refusal writes nothing: any number of them does not move the moment at which the next one passes. */
static void test_admit__waiting_as_told_succeeds(void **state) {
  fixture *f = *state;
  aio__constraint c = runs_limit("u", 5, HOUR);
  int run = 0;
  for (int i = 0; i < 5; i++) assert_true(admit(f, ACME, run++, &c, 1, T0 + i * 777).admitted);
  int64_t now = T0 + 10000;
  for (int i = 0; i < 20; i++) {
    aio__admission a = admit(f, ACME, run++, &c, 1, now);
    assert_false(a.admitted);
    assert_true(a.retry_after_ms > 0);
    assert_false(admit(f, ACME, run++, &c, 1, now + a.retry_after_ms - 1).admitted);
    now += a.retry_after_ms;
    assert_true(admit(f, ACME, run++, &c, 1, now).admitted);
  }
}

/* A fixed window would let twice the limit through around its boundary. */
static void test_admit__boundary_bursts(void **state) {
  fixture *f = *state;
  aio__constraint c = runs_limit("u", 10, HOUR);
  int admitted = 0, run = 0;
  for (int i = 0; i < 20; i++) admitted += admit(f, ACME, run++, &c, 1, T0 + HOUR - 1).admitted;
  for (int i = 0; i < 20; i++) admitted += admit(f, ACME, run++, &c, 1, T0 + HOUR + 1).admitted;
  assert_int_equal(admitted, 10);
  assert_false(admit(f, ACME, run++, &c, 1, T0 + 2 * HOUR - 2).admitted);
  assert_true(admit(f, ACME, run++, &c, 1, T0 + 2 * HOUR - 1).admitted);
}

static void test_admit__limit_lowered_in_mid_window(void **state) {
  fixture *f = *state;
  aio__constraint c = runs_limit("u", 5, HOUR);
  for (int i = 0; i < 5; i++) assert_true(admit(f, ACME, i, &c, 1, T0 + i * 1000).admitted);
  c.limit = 2;
  aio__admission a = admit(f, ACME, 10, &c, 1, T0 + 10000);
  assert_false(a.admitted);
  assert_int_equal(a.used, 5);
  assert_int_equal(a.retry_after_ms, HOUR + 3000 - 10000);
  assert_false(admit(f, ACME, 11, &c, 1, T0 + HOUR + 2999).admitted);
  assert_true(admit(f, ACME, 12, &c, 1, T0 + HOUR + 3000).admitted);
}

static void test_admit__never(void **state) {
  fixture *f = *state;
  aio__constraint none = runs_limit("u", 0, HOUR), money = money_limit("m", 100, 101),
                  huge = money_limit("m", INT64_MAX, INT64_MAX);
  aio__admission a = admit(f, ACME, 1, &none, 1, T0);
  assert_false(a.admitted);
  assert_int_equal(a.retry_after_ms, -1);
  a = admit(f, ACME, 2, &money, 1, T0);
  assert_false(a.admitted);
  assert_int_equal(a.retry_after_ms, -1);
  assert_true(admit(f, ACME, 3, &huge, 1, T0).admitted);
  a = admit(f, ACME, 4, &huge, 1, T0 + 1);
  assert_false(a.admitted);
  assert_int_equal(a.retry_after_ms, HOUR - 1);
}

static void test_admit__all_constraints_or_none(void **state) {
  fixture *f = *state;
  aio__constraint c[] = {runs_limit("u", 2, HOUR), money_limit("m", 100, 60)}, runs = c[0];
  assert_true(admit(f, ACME, 1, c, 2, T0).admitted);
  aio__admission a = admit(f, ACME, 2, c, 2, T0 + 1);
  assert_false(a.admitted);
  assert_int_equal(a.violated, 1);
  assert_int_equal(a.used, 60);
  assert_true(admit(f, ACME, 3, &runs, 1, T0 + 2).admitted); /* the refusal did not count against it */
  c[0].window_ms = 2 * HOUR;
  a = admit(f, ACME, 4, c, 2, T0 + 3);
  assert_int_equal(a.violated, 0); /* both refuse; this one refuses longer */
  assert_int_equal(a.retry_after_ms, 2 * HOUR - 3);
}

static void test_admit__repeated_for_the_same_run(void **state) {
  fixture *f = *state;
  aio__constraint c = runs_limit("u", 2, HOUR);
  for (int i = 0; i < 5; i++) assert_true(admit(f, ACME, 1, &c, 1, T0 + i).admitted);
  assert_int_equal(admit(f, ACME, 1, &c, 1, T0).used, 1);
  assert_true(admit(f, ACME, 2, &c, 1, T0).admitted);
  assert_true(admit(f, ACME, 1, &c, 1, T0).admitted);
  assert_false(admit(f, ACME, 3, &c, 1, T0).admitted);
}

/* The clock was a day ahead when runs were admitted: from then on they count as of now, and waiting helps. */
static void test_admit__clock_goes_back(void **state) {
  fixture *f = *state;
  aio__constraint c = runs_limit("u", 2, HOUR);
  assert_true(admit(f, ACME, 1, &c, 1, T0 + 24 * HOUR).admitted);
  assert_true(admit(f, ACME, 2, &c, 1, T0 + 24 * HOUR).admitted);
  aio__admission a = admit(f, ACME, 3, &c, 1, T0);
  assert_false(a.admitted);
  assert_int_equal(a.retry_after_ms, HOUR);
  assert_false(admit(f, ACME, 4, &c, 1, T0 + HOUR - 1).admitted);
  assert_true(admit(f, ACME, 5, &c, 1, T0 + HOUR).admitted);
}

static aio__run_row run_of(int run, int64_t cost, int64_t now_ms) {
  aio__run_row r = {.user = AIO__LIT("u1"),
                    .provider = AIO__LIT("p"),
                    .model = AIO__LIT("m"),
                    .status = AIORCH_OK,
                    .cache = AIORCH_CACHE_MISS,
                    .cost_known = cost >= 0,
                    .cost_nano_usd = cost >= 0 ? cost : 0,
                    .created_ms = now_ms,
                    .duration_us = 5};
  r.usage.n[AIORCH_USAGE_INPUT] = 10;
  r.usage.n[AIORCH_USAGE_OUTPUT] = 3;
  id_of(r.id, "runs", run);
  return r;
}

static aio__attempt_row attempt_of(int number, int run, aio__attempt_state state, int64_t now_ms) {
  aio__attempt_row a = {.state = state,
                        .kind = AIORCH_ATTEMPT_GENERATE,
                        .provider = AIO__LIT("p"),
                        .model = AIO__LIT("m"),
                        .request_id = AIO__LIT(""),
                        .created_ms = now_ms,
                        .lease_until_ms = now_ms + HOUR};
  id_of(a.id, "atmp", number);
  id_of(a.run_id, "runs", run);
  return a;
}

static void settle(fixture *f, aio__str tenant, const aio__run_row *run, const aio__attempt_row *attempts,
                   size_t count) {
  assert_int_equal(CALL(f, ledger, settle, tenant, run, attempts, count), AIORCH_OK);
}

static void test_settle__money_counts_as_it_was_spent(void **state) {
  fixture *f = *state;
  aio__constraint c = money_limit("m", 100, 80);
  aio__run_row cheap = run_of(1, 10, T0), unknown = run_of(2, -1, T0), dear = run_of(3, 500, T0);
  assert_true(admit(f, ACME, 1, &c, 1, T0).admitted);
  assert_false(admit(f, ACME, 2, &c, 1, T0 + 1).admitted);
  settle(f, ACME, &cheap, NULL, 0);
  aio__admission a = admit(f, ACME, 2, &c, 1, T0 + 2);
  assert_true(a.admitted);
  assert_int_equal(a.used, 90);
  settle(f, ACME, &unknown, NULL, 0); /* what it cost is not known: what was reserved stays */
  c.amount = 20;
  assert_false(admit(f, ACME, 3, &c, 1, T0 + 3).admitted);
  c.amount = 10;
  assert_true(admit(f, ACME, 3, &c, 1, T0 + 3).admitted);
  settle(f, ACME, &dear, NULL, 0);
  c.amount = 0;
  a = admit(f, ACME, 4, &c, 1, T0 + 4);
  assert_false(a.admitted);
  assert_int_equal(a.used, 590);
  assert_int_equal(a.retry_after_ms, HOUR - 1);
}

/* Whoever cancels all calls spends no more than others: of one that broke off the budget keeps what was reserved. */
static void test_settle__what_broke_off_counts_at_least_as_reserved(void **state) {
  fixture *f = *state;
  static const struct {
    aiorch_status status;
    bool estimated;
    int64_t cost, counts;
  } rows[] = {{AIORCH_E_CANCELLED, true, 10, 80},  {AIORCH_E_CANCELLED, true, 95, 95},   {AIORCH_E_CANCELLED, true, -1, 80},
              {AIORCH_E_CANCELLED, false, 10, 10}, {AIORCH_E_PROVIDER_BUSY, false, 0, 0}, {AIORCH_OK, true, 10, 10}};
  for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
    char key[2] = {(char)('a' + i), '\0'};
    aio__constraint c = money_limit(key, 100, 80);
    aio__run_row run = run_of(i, rows[i].cost, T0);
    aio__attempt_row attempts[] = {attempt_of(10 + i, i, AIO__ATTEMPT_SETTLED, T0), attempt_of(20 + i, i, AIO__ATTEMPT_SETTLED, T0)};
    attempts[1].status = rows[i].status;
    run.usage.estimated = attempts[1].usage.estimated = rows[i].estimated;
    assert_true(admit(f, ACME, i, &c, 1, T0).admitted);
    settle(f, ACME, &run, attempts, 2);
    settle(f, ACME, &run, attempts, 2); /* again counts no more */
    c.amount = 101;
    aio__admission a = admit(f, ACME, 100 + i, &c, 1, T0 + 1);
    assert_false(a.admitted);
    assert_int_equal(a.used, rows[i].counts);
  }
}

static void test_settle__runs_are_not_money(void **state) {
  fixture *f = *state;
  aio__constraint c = runs_limit("u", 2, HOUR);
  aio__run_row run = run_of(1, 0, T0);
  assert_true(admit(f, ACME, 1, &c, 1, T0).admitted);
  settle(f, ACME, &run, NULL, 0);
  assert_true(admit(f, ACME, 2, &c, 1, T0).admitted);
  assert_false(admit(f, ACME, 3, &c, 1, T0).admitted);
}

static void test_settle__repeated_counts_once(void **state) {
  fixture *f = *state;
  aio__run_row run = run_of(1, 7, T0);
  aio__attempt_row a = attempt_of(1, 1, AIO__ATTEMPT_SETTLED, T0);
  aio__store_stats stats;
  aio__attempt_row *rows;
  size_t n = 0;
  for (int i = 0; i < 3; i++) settle(f, ACME, &run, &a, 1);
  run.cost_nano_usd = 9;
  settle(f, ACME, &run, &a, 1);
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_int_equal(stats.runs, 1);
  assert_int_equal(stats.cost_nano_usd, 7);
  assert_int_equal(CALL(f, ledger, attempts, ACME, aio__str_z(run.id), &f->arena, &rows, &n), AIORCH_OK);
  assert_int_equal(n, 1);
}

static void test_attempt__pending_then_settled(void **state) {
  fixture *f = *state;
  aio__attempt_row first = attempt_of(1, 1, AIO__ATTEMPT_PENDING, T0),
                   second = attempt_of(2, 1, AIO__ATTEMPT_PENDING, T0 + 1), done = first;
  aio__run_row run = run_of(1, 5, T0);
  aio__attempt_row *rows;
  size_t n = 0;
  assert_int_equal(CALL(f, ledger, attempt, ACME, &second), AIORCH_OK);
  assert_int_equal(CALL(f, ledger, attempt, ACME, &first), AIORCH_OK);
  done.state = AIO__ATTEMPT_SETTLED;
  done.status = AIORCH_E_PROVIDER_BUSY;
  done.http_status = 503;
  done.request_id = AIO__LIT("req-1");
  done.usage.n[AIORCH_USAGE_REASONING] = 12;
  done.usage.estimated = true;
  done.cost_known = true;
  done.cost_nano_usd = 44;
  done.duration_us = 99;
  settle(f, ACME, &run, &done, 1);
  assert_int_equal(CALL(f, ledger, attempt, ACME, &first), AIORCH_OK); /* late: changes nothing */
  assert_int_equal(CALL(f, ledger, attempts, ACME, aio__str_z(run.id), &f->arena, &rows, &n), AIORCH_OK);
  assert_int_equal(n, 2);
  assert_string_equal(rows[0].id, first.id);
  assert_string_equal(rows[0].run_id, run.id);
  assert_int_equal(rows[0].state, AIO__ATTEMPT_SETTLED);
  assert_int_equal(rows[0].kind, AIORCH_ATTEMPT_GENERATE);
  assert_int_equal(rows[0].status, AIORCH_E_PROVIDER_BUSY);
  assert_int_equal(rows[0].http_status, 503);
  expect_str(rows[0].request_id, "req-1");
  expect_str(rows[0].provider, "p");
  assert_int_equal(rows[0].usage.n[AIORCH_USAGE_REASONING], 12);
  assert_true(rows[0].usage.estimated);
  assert_true(rows[0].cost_known);
  assert_int_equal(rows[0].cost_nano_usd, 44);
  assert_int_equal(rows[0].duration_us, 99);
  assert_int_equal(rows[1].state, AIO__ATTEMPT_PENDING);
  assert_false(rows[1].cost_known);
}

static void test_expire__unknown_may_still_be_settled(void **state) {
  fixture *f = *state;
  aio__attempt_row a = attempt_of(1, 1, AIO__ATTEMPT_PENDING, T0), b = attempt_of(2, 2, AIO__ATTEMPT_PENDING, T0 + 10),
                   *rows;
  uint64_t expired = 0;
  size_t n = 0;
  assert_int_equal(CALL(f, ledger, attempt, ACME, &a), AIORCH_OK);
  assert_int_equal(CALL(f, ledger, attempt, AIO__LIT("other"), &b), AIORCH_OK);
  assert_int_equal(CALL(f, ledger, expire, T0 + HOUR - 1, &expired), AIORCH_OK);
  assert_int_equal(expired, 0);
  assert_int_equal(CALL(f, ledger, expire, T0 + HOUR, &expired), AIORCH_OK);
  assert_int_equal(expired, 1);
  assert_int_equal(CALL(f, ledger, attempts, ACME, aio__str_z(a.run_id), &f->arena, &rows, &n), AIORCH_OK);
  assert_int_equal(rows[0].state, AIO__ATTEMPT_UNKNOWN);
  assert_int_equal(CALL(f, ledger, attempt, ACME, &a), AIORCH_OK);
  a.state = AIO__ATTEMPT_SETTLED;
  assert_int_equal(CALL(f, ledger, attempts, ACME, aio__str_z(a.run_id), &f->arena, &rows, &n), AIORCH_OK);
  assert_int_equal(rows[0].state, AIO__ATTEMPT_UNKNOWN);
  assert_int_equal(CALL(f, ledger, attempt, ACME, &a), AIORCH_OK);
  assert_int_equal(CALL(f, ledger, attempts, ACME, aio__str_z(a.run_id), &f->arena, &rows, &n), AIORCH_OK);
  assert_int_equal(rows[0].state, AIO__ATTEMPT_SETTLED);
  assert_int_equal(CALL(f, ledger, expire, T0 + 2 * HOUR, &expired), AIORCH_OK);
  assert_int_equal(expired, 1);
}

static void test_costs__grouped(void **state) {
  fixture *f = *state;
  aio__cost_row *rows;
  size_t n = 0;
  aio__run_row r[] = {run_of(1, 100, T0 - 1), run_of(2, 20, T0), run_of(3, -1, T0 + 5), run_of(4, 3, T0 + 26 * HOUR)};
  r[1].model = AIO__LIT("a-model");
  r[1].cache = AIORCH_CACHE_EXACT;
  r[2].status = AIORCH_E_PROVIDERS_UNAVAILABLE;
  r[2].usage.estimated = true;
  r[3].user = AIO__LIT("\xc3\xa9");
  for (int i = 0; i < 4; i++) settle(f, ACME, &r[i], NULL, 0);
  assert_int_equal(CALL(f, ledger, costs, ACME, 0, INT64_MAX, AIO__LIT("day"), &f->arena, &rows, &n), AIORCH_OK);
  assert_int_equal(n, 3);
  expect_str(rows[0].group, "2025-11-23");
  expect_str(rows[1].group, "2025-11-24");
  assert_int_equal(rows[1].runs, 2);
  assert_int_equal(rows[1].hits, 1);
  assert_int_equal(rows[1].failures, 1);
  assert_int_equal(rows[1].unknown_price, 1);
  assert_int_equal(rows[1].cost_nano_usd, 20);
  assert_int_equal(rows[1].usage.n[AIORCH_USAGE_INPUT], 20);
  assert_int_equal(rows[1].usage.n[AIORCH_USAGE_OUTPUT], 6);
  assert_true(rows[1].usage.estimated);
  assert_false(rows[0].usage.estimated);
  expect_str(rows[2].group, "2025-11-25");
  assert_int_equal(CALL(f, ledger, costs, ACME, T0, T0 + 26 * HOUR, AIO__LIT("model"), &f->arena, &rows, &n),
                   AIORCH_OK);
  assert_int_equal(n, 2);
  expect_str(rows[0].group, "a-model");
  assert_int_equal(CALL(f, ledger, costs, ACME, 0, INT64_MAX, AIO__LIT("user"), &f->arena, &rows, &n), AIORCH_OK);
  assert_int_equal(n, 2);
  expect_str(rows[1].group, "\xc3\xa9");
  assert_int_equal(CALL(f, ledger, costs, ACME, 0, INT64_MAX, AIO__LIT("provider"), &f->arena, &rows, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  assert_int_equal(CALL(f, ledger, costs, ACME, 0, INT64_MAX, AIO__LIT("week"), &f->arena, &rows, &n),
                   AIORCH_E_INVALID);
}

/* Sums end at the largest number there is, and nothing fails for it: neither reports nor the next admission. */
static void test_costs__sums_beyond_the_range(void **state) {
  fixture *f = *state;
  aio__constraint c = money_limit("m", 1000, 1);
  aio__store_stats stats;
  aio__cost_row *rows;
  size_t n = 0;
  int64_t huge = INT64_MAX - 5;
  for (int i = 0; i < 3; i++) assert_true(admit(f, ACME, i, &c, 1, T0 + i).admitted);
  for (int i = 0; i < 3; i++) {
    aio__run_row run = run_of(i, huge, T0 + i);
    run.usage.n[AIORCH_USAGE_INPUT] = INT64_C(1) << 53;
    settle(f, ACME, &run, NULL, 0);
  }
  assert_int_equal(CALL(f, ledger, costs, ACME, 0, INT64_MAX, AIO__LIT("model"), &f->arena, &rows, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  assert_int_equal(rows[0].runs, 3);
  assert_int_equal(rows[0].cost_nano_usd, INT64_MAX);
  assert_int_equal(rows[0].usage.n[AIORCH_USAGE_INPUT], INT64_C(1) << 53);
  assert_int_equal(rows[0].usage.n[AIORCH_USAGE_OUTPUT], 9);
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_int_equal(stats.cost_nano_usd, INT64_MAX);
  aio__admission a = admit(f, ACME, 9, &c, 1, T0 + 3);
  assert_false(a.admitted);
  assert_int_equal(a.used, INT64_MAX);
  assert_true(a.retry_after_ms > 0);
  assert_true(admit(f, ACME, 9, &c, 1, T0 + 3 + a.retry_after_ms).admitted);
}

/* Up to the last nano-dollar, also beyond what floating point holds. */
static void test_costs__sums_are_exact(void **state) {
  fixture *f = *state;
  aio__constraint c = money_limit("m", INT64_MAX, 1);
  aio__cost_row *rows;
  size_t n = 0;
  int64_t cost = (INT64_C(1) << 60) + 1, sum = 0;
  for (int i = 0; i < 5; i++, sum += cost++) {
    aio__run_row run = run_of(i, cost, T0 + i);
    assert_true(admit(f, ACME, i, &c, 1, T0 + i).admitted);
    settle(f, ACME, &run, NULL, 0);
  }
  assert_int_equal(CALL(f, ledger, costs, ACME, 0, INT64_MAX, AIO__LIT("user"), &f->arena, &rows, &n), AIORCH_OK);
  assert_int_equal(rows[0].cost_nano_usd, sum);
  assert_int_equal(admit(f, ACME, 9, &c, 1, T0 + 9).used, sum + 1);
}

static void test_stats__count_what_is_there(void **state) {
  fixture *f = *state;
  aio__store_stats stats;
  aio__str *removed;
  size_t n;
  aio__cache_entry e = entry_of(1, "q", "a", NULL);
  aio__run_row run = run_of(1, 7, T0);
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_int_equal(stats.documents + stats.chunks + stats.text_bytes + stats.cache_entries + stats.runs, 0);
  add_text(f, ACME, "a", "T", "12345", 1, T0);
  add_text(f, ACME, "b", "T", "123", 2, T0);
  add_text(f, ACME, "b", "T", "1234", 3, T0);
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  settle(f, ACME, &run, NULL, 0);
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_int_equal(stats.documents, 2);
  assert_int_equal(stats.chunks, 2);
  assert_int_equal(stats.text_bytes, 9);
  assert_int_equal(stats.cache_entries, 1);
  assert_true(stats.cache_bytes > 0);
  assert_int_equal(stats.runs, 1);
  assert_int_equal(stats.cost_nano_usd, 7);
  assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("a"), T0, &f->arena, &removed, &n), AIORCH_OK);
  assert_int_equal(CALL(f, ledger, stats, ACME, e.expires_ms, &stats), AIORCH_OK);
  assert_int_equal(stats.documents, 1);
  assert_int_equal(stats.text_bytes, 4);
  assert_int_equal(stats.cache_entries, 0);
}

/* Where a store has it, it does what admit and lookup would. */
static void test_enter__looks_up_when_it_has_admitted(void **state) {
  fixture *f = *state;
  aio__constraint c = runs_limit("u", 2, HOUR);
  aio__cache_entry e = entry_of(1, "q", "the answer", NULL), got = {.hits = -7};
  aio__admission out;
  bool found = false;
  char id[AIO__UUID_LEN + 1];
  aio__cache_ask wanted = {.scope = e.scope, .key = e.key, .arena = &f->arena, .entry = &got, .found = &found};
  if (f->store->ledger->enter == NULL) return;
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  assert_int_equal(CALL(f, ledger, enter, ACME, aio__str_z(id_of(id, "runs", 1)), &c, 1, &wanted, T0 + 5, &out), AIORCH_OK);
  assert_true(out.admitted && found);
  assert_int_equal(out.used, 1);
  expect_str(got.answer, "the answer");
  assert_int_equal(got.hits, 1);
  wanted.key = (aio__str){hash_of("another"), 32};
  assert_int_equal(CALL(f, ledger, enter, ACME, aio__str_z(id_of(id, "runs", 2)), &c, 1, &wanted, T0 + 6, &out), AIORCH_OK);
  assert_true(out.admitted && !found);
  assert_int_equal(out.used, 2);
  assert_int_equal(got.knowledge, 1);
  assert_true(got.neighbours);
  wanted.key = e.key;
  got.hits = -7;
  assert_int_equal(CALL(f, ledger, enter, ACME, aio__str_z(id_of(id, "runs", 3)), &c, 1, &wanted, T0 + 7, &out), AIORCH_OK);
  assert_false(out.admitted);
  assert_int_equal(out.violated, 0);
  assert_int_equal(got.hits, -7);
  assert_true(ask(f, ACME, "q", T0 + 8, &got));
  assert_int_equal(got.hits, 2); /* the denied one was none */
}

/* ---- what is old ------------------------------------------------------------------------------------------------ */

static aio__pruned prune(fixture *f, int64_t now_ms, int64_t runs_before_ms, size_t limit, bool count_only) {
  const aio__prune_args args = {now_ms, runs_before_ms, limit, count_only};
  aio__pruned out = {-1, -1, -1, false};
  waiting w;
  waiting_init(&w, AIO__NEVER);
  assert_int_equal(waiting_end(&w, f->store->ledger->prune(f->store, &w.op, &args, &out)), AIORCH_OK);
  return out;
}

static void expect_pruned(aio__pruned p, int64_t admissions, int64_t answers, int64_t runs) {
  assert_int_equal(p.admissions, admissions);
  assert_int_equal(p.answers, answers);
  assert_int_equal(p.runs, runs);
}

/* Of all tenants, a part at a time; what is not old stays, and so do the sums. */
static void test_prune__what_is_old_of_all_tenants(void **state) {
  fixture *f = *state;
  aio__constraint c = runs_limit("u", 100, HOUR);
  aio__cache_entry e = entry_of(1, "q", "a", NULL), later = entry_of(2, "r", "a", NULL);
  aio__attempt_row *rows;
  aio__store_stats stats;
  size_t n = 0;
  if (f->store->ledger->prune == NULL) return; /* it sees to it by itself */
  later.expires_ms = e.expires_ms + HOUR;
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  assert_true(keep(f, AIO__LIT("other"), &later, &ROOMY, T0));
  for (int i = 0; i < 3; i++) {
    aio__run_row run = run_of(i, 7, T0 + i * HOUR);
    aio__attempt_row attempt = attempt_of(i, i, AIO__ATTEMPT_SETTLED, 7);
    settle(f, ACME, &run, &attempt, 1);
    settle(f, AIO__LIT("other"), &run, &attempt, 1);
    assert_true(admit(f, ACME, i, &c, 1, T0 + i).admitted);
  }
  expect_pruned(prune(f, T0 + HOUR - 1, 0, 100, false), 0, 0, 0);
  expect_pruned(prune(f, e.expires_ms, T0 + HOUR, 100, true), 3, 1, 2);
  aio__pruned part = prune(f, e.expires_ms, T0 + HOUR, 2, false);
  expect_pruned(part, 2, 1, 2);
  assert_true(part.more);
  part = prune(f, e.expires_ms, T0 + HOUR, 2, false);
  expect_pruned(part, 1, 0, 0);
  assert_false(part.more);
  expect_pruned(prune(f, e.expires_ms, 0, 100, true), 0, 0, 0);
  assert_int_equal(CALL(f, ledger, attempts, ACME, aio__str_z(run_of(0, 7, T0).id), &f->arena, &rows, &n), AIORCH_OK);
  assert_int_equal(n, 0);
  assert_int_equal(CALL(f, ledger, attempts, AIO__LIT("other"), aio__str_z(run_of(1, 7, T0).id), &f->arena, &rows, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_int_equal(stats.runs, 3);
  assert_int_equal(stats.cost_nano_usd, 21);
  assert_int_equal(CALL(f, ledger, stats, AIO__LIT("other"), e.expires_ms, &stats), AIORCH_OK);
  assert_int_equal(stats.cache_entries, 1);
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

enum { RACERS = 8, RACES = 25, RACE_LIMIT = 60 };

typedef struct racer {
  fixture *f;
  int number, admitted;
  bool failed;
} racer;

static void *race(void *ctx) {
  racer *r = ctx;
  aio__constraint c = runs_limit("hot", RACE_LIMIT, HOUR);
  for (int i = 0; i < RACES; i++) {
    waiting w;
    aio__admission out = {0};
    char id[AIO__UUID_LEN + 1];
    waiting_init(&w, AIO__NEVER);
    aiorch_status status = r->f->store->ledger->admit(
      r->f->store, &w.op, ACME, aio__str_z(id_of(id, "runs", r->number * 1000 + i)), &c, 1, T0 + i, &out);
    r->failed |= waiting_end(&w, status) != AIORCH_OK;
    r->admitted += out.admitted;
  }
  return NULL;
}

static void test_admit__racing_threads(void **state) {
  fixture *f = *state;
  pthread_t threads[RACERS];
  racer racers[RACERS];
  int admitted = 0;
  for (int i = 0; i < RACERS; i++) {
    racers[i] = (racer){f, i, 0, false};
    assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
  }
  for (int i = 0; i < RACERS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_false(racers[i].failed);
    admitted += racers[i].admitted;
  }
  assert_int_equal(admitted, RACE_LIMIT);
}

static void *mix(void *ctx) {
  racer *r = ctx;
  aio__str tenant = r->number % 2 ? AIO__LIT("odd") : AIO__LIT("even");
  for (int i = 0; i < RACES; i++) {
    waiting w;
    aio__arena arena;
    aio__arena_init(&arena, &r->f->memory.al, 1024);
    char source[32], text[64];
    snprintf(source, sizeof source, "s%d-%d", r->number, i % 5);
    snprintf(text, sizeof text, "thread %d writes version %d of it", r->number, i);
    aio__store_document d = {
      .source = aio__str_z(source), .text = aio__str_z(text), .hash = aio__str_z(text), .format = 1};
    aio__store_chunk chunk = {.end = d.text.n, .hash = d.hash};
    id_of(d.id, "docu", r->number * 1000 + i);
    id_of(chunk.id, "chnk", r->number * 1000 + i);
    int what;
    aio__str *removed;
    size_t n;
    aio__found_chunk *found;
    waiting_init(&w, AIO__NEVER);
    r->failed |= waiting_end(&w, r->f->store->knowledge->add(r->f->store, &w.op, tenant, &d, &chunk, 1, T0 + i, &arena,
                                                             &what, &removed, &n)) != AIORCH_OK;
    aio__search_args args = {.query = AIO__LIT("version thread"), .limit = 5};
    waiting_init(&w, AIO__NEVER);
    r->failed |= waiting_end(&w, r->f->store->knowledge->search(r->f->store, &w.op, tenant, &args, &arena, &found,
                                                                &n)) != AIORCH_OK;
    r->failed |= n == 0;
    aio__run_row run = run_of(r->number * 1000 + i, 1, T0);
    waiting_init(&w, AIO__NEVER);
    r->failed |= waiting_end(&w, r->f->store->ledger->settle(r->f->store, &w.op, tenant, &run, NULL, 0)) != AIORCH_OK;
    aio__arena_free(&arena);
  }
  return NULL;
}

static void test_calls__from_several_threads(void **state) {
  fixture *f = *state;
  pthread_t threads[RACERS];
  racer racers[RACERS];
  aio__store_stats stats;
  for (int i = 0; i < RACERS; i++) {
    racers[i] = (racer){f, i, 0, false};
    assert_int_equal(pthread_create(&threads[i], NULL, mix, &racers[i]), 0);
  }
  for (int i = 0; i < RACERS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_false(racers[i].failed);
  }
  assert_int_equal(CALL(f, ledger, stats, AIO__LIT("odd"), T0, &stats), AIORCH_OK);
  assert_int_equal(stats.documents, RACERS / 2 * 5);
  assert_int_equal(stats.chunks, RACERS / 2 * 5);
  assert_int_equal(stats.runs, RACERS / 2 * RACES);
  assert_int_equal(stats.cost_nano_usd, RACERS / 2 * RACES);
}

/* ---- deadlines -------------------------------------------------------------------------------------------------- */

static void test_calls__after_the_deadline(void **state) {
  fixture *f = *state;
  aio__store_document d = {.source = AIO__LIT("a"), .text = AIO__LIT("x"), .hash = {hash_of("1"), 32}};
  aio__search_args args = {.query = AIO__LIT("x"), .limit = 1};
  aio__constraint c = runs_limit("u", 1, HOUR);
  aio__run_row run = run_of(1, 5, T0);
  aio__admission admission;
  aio__found_chunk *found;
  aio__store_stats stats;
  result r;
  size_t n;
  id_of(d.id, "docu", 1);
  assert_int_equal(
    CALL_UNTIL(f, 1, knowledge, add, ACME, &d, NULL, 0, T0, &f->arena, &r.what, &r.removed, &r.removed_count),
    AIORCH_E_DEADLINE);
  assert_int_equal(CALL_UNTIL(f, 1, knowledge, search, ACME, &args, &f->arena, &found, &n), AIORCH_E_DEADLINE);
  float row[DIM];
  vector_at(1.0, row);
  aio__nearest_args near_args = {.fingerprint = MODEL, .dimensions = DIM, .query = row, .threshold = 0.0, .limit = 5};
  aio__vectors vectors = {MODEL, DIM, row};
  aio__cache_near *near_ones;
  aio__str scope = {SCOPE, 32}, id = aio__str_z(d.id);
  assert_int_equal(CALL_UNTIL(f, 1, knowledge, nearest, ACME, &near_args, NULL, 0, &f->arena, &found, &n),
                   AIORCH_E_DEADLINE);
  assert_int_equal(CALL_UNTIL(f, 1, knowledge, mark_embedded, ACME, &vectors, &id, 1), AIORCH_E_DEADLINE);
  assert_int_equal(CALL_UNTIL(f, 1, cache, near, ACME, scope, &near_args, T0, &f->arena, &near_ones, &n),
                   AIORCH_E_DEADLINE);
  assert_int_equal(CALL_UNTIL(f, 1, ledger, admit, ACME, aio__str_z(run.id), &c, 1, T0, &admission), AIORCH_E_DEADLINE);
  assert_int_equal(CALL_UNTIL(f, 1, ledger, settle, ACME, &run, NULL, 0),
                   AIORCH_OK); /* money is written down however late */
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_int_equal(stats.documents, 0);
  assert_int_equal(stats.runs, 1);
  assert_true(admit(f, ACME, 1, &c, 1, T0).admitted);
}
