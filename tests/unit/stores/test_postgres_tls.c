/* The PostgreSQL store over TLS: who answers is made sure of, or the error says which setting to look at. (label: threads) */
#include "stores/conformance.c"

#include "stores/postgres_store.c"

aiorch_status open_store(fixture *f) {
  f->store = NULL;
  return AIORCH_OK;
}

/* The server by this name, as the setting says or not. */
static aiorch_status open_by_name(fixture *f, const char *host, const char *options) {
  char url[256];
  snprintf(url, sizeof url, "postgresql://app@%s:%s%s", host, strrchr(variable("AIORCH_TEST_POSTGRES"), ':') + 1, options);
  return open_url(f, url);
}

static void expect(const fixture *f, const char *words) {
  if (strstr(f->call.op.error.message, words) == NULL) fail_msg("\"%s\" is not in: %s", words, f->call.op.error.message);
}

static void test_open__certificate_of_a_known_authority(void **state) {
  fixture *f = *state;
  aio__store_stats stats;
  set_text(f, "postgres.ca_file", variable("AIORCH_TEST_POSTGRES_CA"));
  aiorch_status status = open_by_name(f, "localhost", "?sslmode=verify-full");
  if (status != AIORCH_OK) fail_msg("%s", f->call.op.error.message);
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_int_equal(admin_number("SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'app' AND ssl"), 1);
}

static void test_open__certificate_of_an_unknown_authority(void **state) {
  fixture *f = *state;
  assert_int_equal(open_by_name(f, "localhost", "?sslmode=verify-full"), AIORCH_E_STORE);
  expect(f, "postgres.ca_file");
  expect(f, "certificate verify failed");
}

static void test_open__certificate_of_another_name(void **state) {
  fixture *f = *state;
  set_text(f, "postgres.ca_file", variable("AIORCH_TEST_POSTGRES_CA"));
  assert_int_equal(open_by_name(f, "127.0.0.1", "?sslmode=verify-full"), AIORCH_E_STORE);
  expect(f, "127.0.0.1");
  expect(f, "postgres.ca_file");
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
    CASE(test_open__certificate_of_a_known_authority),
    CASE(test_open__certificate_of_an_unknown_authority),
    CASE(test_open__certificate_of_another_name),
  };
  need_server_with(argv, "--tls");
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  (void)conformance_tests;
  (void)close_store;
  (void)empty_tables;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
