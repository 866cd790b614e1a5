/* The PostgreSQL store: the conformance suite, direct and through PgBouncer, and what only a store behind a socket can get wrong.
 * (label: threads) */
#include "stores/conformance.c"

#include "stores/postgres_store.c"

static const char *url_variable = "AIORCH_TEST_POSTGRES";

aiorch_status open_store(fixture *f) {
  empty_tables();
  aiorch_status status = aio__options_set_plain(&f->options, AIO__LIT("postgres.clock"), AIO__LIT("caller"), &f->call.op.error);
  if (status != AIORCH_OK) return status;
  return open_url(f, variable(url_variable));
}

static void test_open__names_itself_without_a_password(void **state) {
  const fixture *f = *state;
  assert_string_equal(f->store->kind, "postgres");
  assert_non_null(strstr(f->store->place, "postgresql://app@127.0.0.1:"));
}

/* Two stores of one database: what waits in the spool for one must not go to the other. */
static void test_open__names_its_schema(void **state) {
  fixture *f = *state;
  aio__store *first = f->store;
  assert_non_null(strstr(first->place, "/aiorch (schema aiorch)"));
  admin("DROP SCHEMA IF EXISTS other CASCADE; CREATE SCHEMA other; GRANT USAGE ON SCHEMA other TO PUBLIC;"
        "CREATE TABLE other.schema_version AS TABLE aiorch.schema_version; GRANT SELECT ON other.schema_version TO PUBLIC",
        NULL);
  set_text(f, "postgres.schema", "other");
  aiorch_status status = open_url(f, variable(url_variable));
  admin("DROP SCHEMA other CASCADE", NULL);
  if (status != AIORCH_OK) fail_msg("%s", f->call.op.error.message);
  assert_non_null(strstr(f->store->place, "/aiorch (schema other)"));
  assert_string_not_equal(first->place, f->store->place);
  first->close(first);
}

static void test_open__wrong_password_in_no_word(void **state) {
  fixture *f = *state;
  close_store(f);
  assert_int_equal(admin_number("SELECT 41 + 1"), 42);
  assert_int_equal(open_url(f, "postgresql://app:s3cr3t@127.0.0.1:1/x?nonsense=s3cr3t"), AIORCH_E_CONFIG);
  assert_null(strstr(f->call.op.error.message, "s3cr3t"));
}

int main(int argc, char **argv) {
  static struct CMUnitTest tests[CONFORMANCE_TESTS + 3] = {CASE(test_open__names_itself_without_a_password),
                                                           CASE(test_open__names_its_schema),
                                                           CASE(test_open__wrong_password_in_no_word)};
  need_server_with(argv, "--schema=aiorch");
  memcpy(tests + 3, conformance_tests, sizeof conformance_tests);
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  url_variable = "AIORCH_TEST_POSTGRES_PGBOUNCER";
  return failed + cmocka_run_group_tests_name("through PgBouncer", tests, NULL, NULL);
}
