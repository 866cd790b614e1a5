/* What only a look from inside shows of migrations: they find no memory at every place in turn, and a deadline that is over.
 * tests/cli/test_migrate.py has the rest. (label: threads) */
#include "stores/postgres_server.c"

#include "core/data.h"
#include "support/test_alloc.h"

typedef struct scene {
  aio__test_alloc memory;
  aio__options options;
  aio__log *log;
  aiorch_error error;
  aio__buf report;
} scene;

static aiorch_status migrate(scene *s, int64_t to, int32_t mode, int64_t timeout_ms) {
  aio__json_writer w;
  const aio__clock *clock = aio__clock_system();
  aio__store_env env = {.al = &s->memory.al, .clock = clock, .log = s->log, .options = &s->options};
  aio__buf_free(&s->report);
  aio__buf_init(&s->report, &s->memory.al, 1 << 24);
  aio__jw_init(&w, &s->report);
  aio__jw_object(&w);
  aiorch_status status = aio__store_postgres_migrate(&env, variable("AIORCH_TEST_POSTGRES_OWNER"), to, mode,
                                                     aio__clock_after_ms(clock, timeout_ms), &w, &s->error);
  aio__jw_object_end(&w);
  return status;
}

static void scene_init(scene *s, const char *schema) {
  memset(s, 0, sizeof *s);
  aio__test_alloc_init(&s->memory);
  aio__error_init(&s->error);
  aio__buf_init(&s->report, &s->memory.al, 1);
  assert_int_equal(aio__options_init(&s->options, &s->memory.al), AIORCH_OK);
  assert_int_equal(aio__options_set_plain(&s->options, AIO__LIT("postgres.schema"), aio__str_z(schema), &s->error), AIORCH_OK);
  assert_int_equal(aio__log_new(&s->memory.al, aio__clock_system(), NULL, NULL, &s->log), AIORCH_OK);
}

static void scene_free(scene *s) {
  aio__buf_free(&s->report);
  aio__log_free(s->log);
  aio__options_free(&s->options);
  assert_int_equal(s->memory.live, 0);
}

static void out_of_memory(int32_t mode, const char *schema) {
  scene s;
  scene_init(&s, schema);
  long live = s.memory.live;
  aiorch_status status;
  int rounds = 0;
  do {
    aio__test_alloc_next(&s.memory);
    status = migrate(&s, 0, mode, 60000);
    if (status != AIORCH_OK) {
      assert_int_equal(status, AIORCH_E_NOMEM);
      assert_true(s.error.message[0] != '\0');
    }
    aio__buf_free(&s.report);
    assert_int_equal(s.memory.live, live);
    rounds++;
  } while (s.memory.failed > 0);
  assert_int_equal(status, AIORCH_OK);
  assert_true(rounds > 10);
  s.memory.fail_at = 0;
  scene_free(&s);
}

static void test_migrate__out_of_memory(void **state) {
  (void)state;
  out_of_memory(AIORCH_MIGRATE_STATUS, "aiorch");
  out_of_memory(AIORCH_MIGRATE_DRY_RUN, "nowhere");
  out_of_memory(AIORCH_MIGRATE_APPLY, "without_memory");
  admin("SET client_min_messages = error; DROP SCHEMA without_memory CASCADE", NULL);
}

static void test_migrate__a_deadline_that_is_over_changes_nothing(void **state) {
  (void)state;
  scene s;
  scene_init(&s, "late");
  aiorch_status status = migrate(&s, 0, AIORCH_MIGRATE_APPLY, 0);
  assert_int_equal(status, AIORCH_E_DEADLINE);
  assert_int_equal(admin_number("SELECT count(*) FROM pg_namespace WHERE nspname = 'late'"), 0);
  scene_free(&s);
}

static void test_migrate__waits_for_another_that_migrates(void **state) {
  (void)state;
  scene s;
  scene_init(&s, "second");
  PGconn *other = PQconnectdb(variable("AIORCH_TEST_POSTGRES_ADMIN"));
  PQclear(PQexec(other, "BEGIN"));
  PQclear(PQexec(other, "SELECT pg_advisory_xact_lock(hashtextextended('aiorch migrate', 0))"));
  aiorch_status status = migrate(&s, 0, AIORCH_MIGRATE_APPLY, 200);
  assert_true(status == AIORCH_E_DEADLINE || status == AIORCH_E_STORE_DOWN); /* who gives up first, this side or the server */
  while (admin_number("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0) continue;
  PQclear(PQexec(other, "COMMIT"));
  PQfinish(other);
  assert_int_equal(admin_number("SELECT count(*) FROM pg_namespace WHERE nspname = 'second'"), 0);
  assert_int_equal(migrate(&s, 1, AIORCH_MIGRATE_APPLY, 60000), AIORCH_OK);
  assert_int_equal(admin_number("SELECT count(*) FROM second.schema_version"), 1);
  admin("SET client_min_messages = error; DROP SCHEMA second CASCADE", NULL);
  scene_free(&s);
}

/* ---- other things of who owns the schema ----------------------------------------------------------------------------------------- */

static aiorch_status owns(scene *s, const char *request) {
  aio__json_writer w;
  const aio__clock *clock = aio__clock_system();
  aio__store_env env = {.al = &s->memory.al, .clock = clock, .log = s->log, .options = &s->options};
  const char *url = variable("AIORCH_TEST_POSTGRES_OWNER");
  int64_t deadline_ns = aio__clock_after_ms(clock, 60000);
  aio__buf_free(&s->report);
  aio__buf_init(&s->report, &s->memory.al, 1 << 24);
  aio__jw_init(&w, &s->report);
  if (request != NULL) return aio__store_postgres_import(&env, url, aio__str_z(request), deadline_ns, &w, &s->error);
  aio__jw_object(&w);
  aiorch_status status = aio__store_postgres_indexes(&env, url, AIORCH_INDEXES_MAKE, deadline_ns, &w, &s->error);
  aio__jw_object_end(&w);
  return status;
}

static void owner_is_out_of_memory(const char *request) {
  scene s;
  scene_init(&s, "aiorch");
  long live = s.memory.live;
  aiorch_status status;
  do {
    aio__test_alloc_next(&s.memory);
    status = owns(&s, request);
    if (status != AIORCH_OK) {
      assert_int_equal(status, AIORCH_E_NOMEM);
      assert_true(s.error.message[0] != '\0');
    }
    aio__buf_free(&s.report);
    assert_int_equal(s.memory.live, live);
  } while (s.memory.failed > 0);
  assert_int_equal(status, AIORCH_OK);
  s.memory.fail_at = 0;
  scene_free(&s);
}

static void test_indexes__out_of_memory(void **state) {
  (void)state;
  admin("ALTER DATABASE aiorch SET aiorch.exact_up_to = '0'", NULL);
  admin("SET search_path = aiorch, extensions, public; SELECT embedding_model('m', 3);"
        " INSERT INTO tenant_models (tenant_id, model, chunks) VALUES ('acme', 1, 5)",
        NULL);
  owner_is_out_of_memory(NULL);
  assert_int_equal(admin_number("SELECT count(*) FROM pg_indexes WHERE indexname = 'chunk_vectors_near_1'"), 1);
}

static void test_import__out_of_memory(void **state) {
  (void)state;
  owner_is_out_of_memory("{\"step\": \"plan\", \"tenant\": \"acme\"}");
}

static void test_import__what_is_no_request(void **state) {
  (void)state;
  scene s;
  scene_init(&s, "aiorch");
  assert_int_equal(owns(&s, "{\"step\": \"leap\", \"tenant\": \"acme\"}"), AIORCH_E_INVALID);
  assert_non_null(strstr(s.error.message, "there is no step \"leap\""));
  assert_int_equal(owns(&s, "no json"), AIORCH_E_INVALID);
  scene_free(&s);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_migrate__out_of_memory),
                                     cmocka_unit_test(test_migrate__a_deadline_that_is_over_changes_nothing),
                                     cmocka_unit_test(test_migrate__waits_for_another_that_migrates),
                                     cmocka_unit_test(test_indexes__out_of_memory),
                                     cmocka_unit_test(test_import__out_of_memory),
                                     cmocka_unit_test(test_import__what_is_no_request)};
  need_server_with(argv, "--no-bouncer");
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
