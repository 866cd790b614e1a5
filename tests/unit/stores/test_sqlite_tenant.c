/* lib/stores/sqlite_tenant.c: the row that a connection keeps is that of the file. (label: threads) */
#include "stores/conformance.c"

#include "stores/sqlite_folder.c"
#include "stores/sqlite_private.h"

static aio__sq_db *db_of(fixture *f) { return &((aio__sq_store *)f->store)->knowledge; }

static int64_t clock_of_tenant(aio__sq_conn *conn, aio__str tenant) {
  aio__sq_tenant row;
  assert_int_equal(aio__sq_tenant_get(conn, NULL, tenant, &row), AIORCH_OK);
  return row.no == 0 ? -1 : row.cache_clock;
}

static void set_clock(aio__sq_conn *conn, aio__str tenant, int64_t to) {
  assert_int_equal(aio__sq_run(conn, NULL, AIO__SQ_TENANT_SET_CACHE, "siii", tenant, INT64_C(0), INT64_C(0), to), AIORCH_OK);
}

static int64_t read_clock(fixture *f, aio__str tenant) {
  aio__sq_conn *conn = NULL;
  aio__op op;
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  assert_int_equal(aio__sq_read_short(db_of(f), &op, &conn), AIORCH_OK);
  int64_t clock = clock_of_tenant(conn, tenant);
  aio__sq_read_end(conn);
  return clock;
}

/* Written by the same connection, undone by it, and written by another. */
static void test_get__after_each_change(void **state) {
  fixture *f = *state;
  aio__sq_conn *conn = NULL;
  aio__sq_tenant row;
  aio__op op;
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  assert_int_equal(read_clock(f, ACME), -1);
  assert_int_equal(aio__sq_write(db_of(f), &op, &conn), AIORCH_OK);
  assert_int_equal(aio__sq_tenant_make(conn, NULL, ACME, &row), AIORCH_OK);
  assert_int_equal(clock_of_tenant(conn, ACME), 0);
  set_clock(conn, ACME, 5);
  assert_int_equal(clock_of_tenant(conn, ACME), 5);
  assert_int_equal(aio__sq_write_end(conn, &op, AIORCH_OK), AIORCH_OK);
  assert_int_equal(read_clock(f, ACME), 5);
  assert_int_equal(read_clock(f, AIO__LIT("other")), -1);
  assert_int_equal(read_clock(f, ACME), 5);
  assert_int_equal(aio__sq_write(db_of(f), &op, &conn), AIORCH_OK);
  set_clock(conn, ACME, 6);
  assert_int_equal(clock_of_tenant(conn, ACME), 6);
  aio__sq_write_end(conn, &op, AIORCH_E_STORE);
  assert_int_equal(read_clock(f, ACME), 5);
  execute(f, "knowledge.db", "UPDATE tenants SET cache_clock = 9");
  assert_int_equal(read_clock(f, ACME), 9);
  assert_int_equal(read_clock(f, ACME), 9);
}

static void test_get__of_a_tenant_with_a_long_name(void **state) {
  fixture *f = *state;
  char name[AIO__SQ_KEPT_TENANT_BYTES + 1];
  aio__sq_conn *conn = NULL;
  aio__sq_tenant row;
  aio__op op;
  memset(name, 'n', sizeof name);
  for (size_t less = 0; less < 2; less++) {
    aio__str tenant = aio__str_n(name, sizeof name - less);
    aio__op_init(&op, AIO__NEVER, NULL, NULL);
    assert_int_equal(aio__sq_write(db_of(f), &op, &conn), AIORCH_OK);
    assert_int_equal(aio__sq_tenant_make(conn, NULL, tenant, &row), AIORCH_OK);
    set_clock(conn, tenant, 7 + (int64_t)less);
    assert_int_equal(aio__sq_write_end(conn, &op, AIORCH_OK), AIORCH_OK);
    assert_int_equal(read_clock(f, tenant), 7 + (int64_t)less);
    assert_int_equal(read_clock(f, tenant), 7 + (int64_t)less);
  }
}

#define SQLITE_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown_folder)

int main(void) {
  static const struct CMUnitTest tests[] = {
    SQLITE_CASE(test_get__after_each_change),
    SQLITE_CASE(test_get__of_a_tenant_with_a_long_name),
  };
  (void)expect_words;
  (void)close_store;
  (void)query_number;
  (void)conformance_tests; /* the suite itself runs in test_sqlite.c */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
