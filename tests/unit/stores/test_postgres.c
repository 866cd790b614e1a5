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

static void test_open__wrong_password_in_no_word(void **state) {
  fixture *f = *state;
  close_store(f);
  assert_int_equal(admin_number("SELECT 41 + 1"), 42);
  assert_int_equal(open_url(f, "postgresql://app:s3cr3t@127.0.0.1:1/x?nonsense=s3cr3t"), AIORCH_E_CONFIG);
  assert_null(strstr(f->call.op.error.message, "s3cr3t"));
}

int main(int argc, char **argv) {
  static struct CMUnitTest tests[CONFORMANCE_TESTS + 2] = {CASE(test_open__names_itself_without_a_password),
                                                           CASE(test_open__wrong_password_in_no_word)};
  need_server_with(argv, "--schema=aiorch");
  memcpy(tests + 2, conformance_tests, sizeof conformance_tests);
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  url_variable = "AIORCH_TEST_POSTGRES_PGBOUNCER";
  return failed + cmocka_run_group_tests_name("through PgBouncer", tests, NULL, NULL);
}
