/* What can go wrong between the PostgreSQL store and its server: right status, right words, and afterwards all is well again.
 * (label: threads) */
#include "stores/conformance.c"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "stores/postgres_private.h"
#include "stores/postgres_store.c"
#include "support/cut_proxy.h"

static cut_proxy proxy;

static int port_of(const char *url) {
  const char *colon = strrchr(url, ':');
  return colon != NULL ? atoi(colon + 1) : 0;
}

/* The URL of a login, through the proxy. */
static const char *through(const char *login) {
  static char url[128];
  snprintf(url, sizeof url, "postgresql://%s@127.0.0.1:%d/aiorch", login, proxy.port);
  return url;
}

aiorch_status open_store(fixture *f) {
  empty_tables();
  set_text(f, "postgres.clock", "caller");
  return open_url(f, through("app"));
}

static int setup_proxied(void **state) {
  cut_proxy_start(&proxy, port_of(variable("AIORCH_TEST_POSTGRES")), "COMMIT");
  return setup(state);
}

static int teardown_proxied(void **state) {
  int code = teardown(state);
  cut_proxy_stop(&proxy);
  return code;
}

static void expect(const fixture *f, const char *words) {
  if (strstr(f->call.op.error.message, words) == NULL) fail_msg("\"%s\" is not in: %s", words, f->call.op.error.message);
}

static aiorch_status settle_one(fixture *f, int number, int64_t deadline_ns) {
  aio__run_row run = run_of(number, 7, T0);
  aio__attempt_row a = attempt_of(number, number, AIO__ATTEMPT_SETTLED, T0);
  return CALL_UNTIL(f, deadline_ns, ledger, settle, ACME, &run, &a, 1);
}

static int64_t soon(void) {
  return aio__clock_after_ms(aio__clock_system(), 300);
}

static int64_t runs_of(fixture *f) {
  aio__store_stats stats;
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  return stats.runs;
}

/* ---- connections that break ----------------------------------------------------------------------------------------------------- */

static void test_settle__cut_before_the_commit(void **state) {
  fixture *f = *state;
  assert_int_equal(settle_one(f, 1, AIO__NEVER), AIORCH_OK);
  cut_proxy_set(&proxy, CUT_BEFORE);
  assert_int_equal(settle_one(f, 2, AIO__NEVER), AIORCH_OK);
  assert_int_equal(atomic_load(&proxy.cuts), 1);
  assert_int_equal(runs_of(f), 2);
}

/* It was committed, and nobody was told: it is tried again, and is there once. */
static void test_settle__cut_after_the_commit(void **state) {
  fixture *f = *state;
  aio__constraint c = money_limit("m", 1000, 500);
  assert_true(admit(f, ACME, 1, &c, 1, T0).admitted);
  cut_proxy_set(&proxy, CUT_AFTER);
  assert_int_equal(settle_one(f, 1, AIO__NEVER), AIORCH_OK);
  assert_int_equal(atomic_load(&proxy.cuts), 1);
  assert_int_equal(runs_of(f), 1);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.ai_attempts"), 1);
  assert_int_equal(admin_number("SELECT sum(amount) FROM aiorch.admissions"), 7);
}

static void test_admit__cut_after_the_commit_counts_once(void **state) {
  fixture *f = *state;
  aio__constraint c = runs_limit("u", 2, HOUR);
  cut_proxy_set(&proxy, CUT_AFTER);
  aio__admission a = admit(f, ACME, 1, &c, 1, T0);
  assert_true(a.admitted);
  assert_int_equal(a.used, 1);
  assert_int_equal(atomic_load(&proxy.cuts), 1);
  assert_true(admit(f, ACME, 2, &c, 1, T0).admitted);
  assert_false(admit(f, ACME, 3, &c, 1, T0).admitted);
}

static void test_settle__silence_ends_at_the_deadline(void **state) {
  fixture *f = *state;
  assert_int_equal(settle_one(f, 1, AIO__NEVER), AIORCH_OK);
  cut_proxy_set(&proxy, CUT_SILENCE);
  assert_int_equal(settle_one(f, 2, soon()), AIORCH_E_DEADLINE);
  expect(f, "127.0.0.1");
  cut_proxy_set(&proxy, CUT_NOTHING);
  assert_int_equal(settle_one(f, 2, AIO__NEVER), AIORCH_OK);
  assert_int_equal(runs_of(f), 2);
}

static void test_settle__silence_ends_by_the_setting(void **state) {
  fixture *f = *state;
  cut_proxy_set(&proxy, CUT_SILENCE);
  f->options.postgres_timeout_ms = 200;
  assert_int_equal(settle_one(f, 1, AIO__NEVER), AIORCH_E_STORE_DOWN);
  expect(f, "postgres.timeout_ms");
}

/* Steps wait through a gap, and then fail at once until the server is back. */
static void test_settle__server_away(void **state) {
  fixture *f = *state;
  f->options.postgres_connect_timeout_ms = 100;
  cut_proxy_set(&proxy, CUT_REFUSE);
  assert_int_equal(settle_one(f, 1, AIO__NEVER), AIORCH_E_STORE_DOWN);
  expect(f, "127.0.0.1");
  int before = atomic_load(&proxy.connections);
  for (int i = 0; i < 200; i++) assert_int_equal(settle_one(f, 1, AIO__NEVER), AIORCH_E_STORE_DOWN);
  assert_true(atomic_load(&proxy.connections) - before < 100); /* most failed without a try */
  cut_proxy_set(&proxy, CUT_NOTHING);
  while (settle_one(f, 1, AIO__NEVER) != AIORCH_OK) continue; /* when the pause between tries is over */
  assert_int_equal(runs_of(f), 1);
}

/* Known to be down, and by now it hangs: who asks is told so while the attempt to connect goes on. */
static void test_stats__server_away_that_hangs(void **state) {
  enum { CONNECT_MS = 1000, ENOUGH_MS = 700 };
  fixture *f = *state;
  aio__store_stats stats;
  waiting w;
  f->options.postgres_connect_timeout_ms = CONNECT_MS;
  cut_proxy_set(&proxy, CUT_REFUSE);
  assert_int_equal(settle_one(f, 1, AIO__NEVER), AIORCH_E_STORE_DOWN);
  cut_proxy_set(&proxy, CUT_SILENCE);
  aiorch_status status = AIORCH_E_STORE_DOWN;
  for (int before = atomic_load(&proxy.connections); atomic_load(&proxy.connections) == before && status == AIORCH_E_STORE_DOWN;) {
    waiting_init(&w, aio__clock_after_ms(aio__clock_system(), ENOUGH_MS));
    status = waiting_end(&w, f->store->ledger->stats(f->store, &w.op, ACME, T0, &stats));
  }
  assert_int_equal(status, AIORCH_E_STORE_DOWN);
}

static void test_open__server_away(void **state) {
  fixture *f = *state;
  close_store(f);
  cut_proxy_set(&proxy, CUT_REFUSE);
  f->options.postgres_connect_timeout_ms = 100;
  assert_int_equal(open_url(f, through("app")), AIORCH_E_STORE_DOWN);
  expect(f, "is it running");
  set_text(f, "rate_limit.on_store_down", "open");
  assert_int_equal(open_url(f, through("app")), AIORCH_OK);
  assert_int_equal(settle_one(f, 1, AIO__NEVER), AIORCH_E_STORE_DOWN);
  cut_proxy_set(&proxy, CUT_NOTHING);
  while (settle_one(f, 1, AIO__NEVER) != AIORCH_OK) continue;
}

static void test_open__nothing_listens(void **state) {
  fixture *f = *state;
  close_store(f);
  f->options.postgres_connect_timeout_ms = 100;
  assert_int_equal(open_url(f, "postgresql://app@127.0.0.1:1/aiorch"), AIORCH_E_STORE_DOWN);
  expect(f, "postgresql://app@127.0.0.1:1/aiorch");
  expect(f, "refused");
}

static void test_open__the_second_host_is_there(void **state) {
  fixture *f = *state;
  char url[160];
  close_store(f);
  snprintf(url, sizeof url, "postgresql://app@127.0.0.1:1,127.0.0.1:%d/aiorch", proxy.port);
  assert_int_equal(open_url(f, url), AIORCH_OK);
  assert_int_equal(settle_one(f, 1, AIO__NEVER), AIORCH_OK);
}

static void test_open__names_are_looked_up(void **state) {
  fixture *f = *state;
  char url[160];
  close_store(f);
  snprintf(url, sizeof url, "postgresql://app@localhost:%d/aiorch", proxy.port);
  assert_int_equal(open_url(f, url), AIORCH_OK);
  close_store(f);
  f->options.postgres_connect_timeout_ms = 5000;
  f->options.postgres_timeout_ms = 1;
  set_text(f, "postgres.tls", "url");
  assert_true(open_url(f, "postgresql://app@no-such-host.invalid/aiorch?sslmode=disable") == AIORCH_E_STORE_DOWN);
}

/* ---- the server's own doing ------------------------------------------------------------------------------------------------------- */

static void test_settle__backends_are_killed(void **state) {
  fixture *f = *state;
  for (int i = 1; i <= 5; i++) {
    assert_int_equal(settle_one(f, i, AIO__NEVER), AIORCH_OK);
    admin("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'app'", NULL);
  }
  assert_int_equal(runs_of(f), 5);
}

static void test_settle__a_backend_is_stopped(void **state) {
  fixture *f = *state;
  assert_int_equal(settle_one(f, 1, AIO__NEVER), AIORCH_OK);
  pid_t backend = (pid_t)admin_number("SELECT pid FROM pg_stat_activity WHERE usename = 'app'");
  assert_int_equal(kill(backend, SIGSTOP), 0);
  aiorch_status status = settle_one(f, 2, soon());
  aiorch_status next = settle_one(f, 3, AIO__NEVER);
  assert_int_equal(kill(backend, SIGCONT), 0);
  assert_int_equal(status, AIORCH_E_DEADLINE);
  assert_int_equal(next, AIORCH_OK);
  assert_int_equal(settle_one(f, 2, AIO__NEVER), AIORCH_OK);
  assert_int_equal(runs_of(f), 3);
}

static void test_settle__a_table_is_locked(void **state) {
  fixture *f = *state;
  PGconn *other = PQconnectdb(variable("AIORCH_TEST_POSTGRES_ADMIN"));
  PQclear(PQexec(other, "BEGIN; LOCK TABLE aiorch.ai_api_calls"));
  assert_int_equal(settle_one(f, 1, soon()), AIORCH_E_DEADLINE);
  PQclear(PQexec(other, "COMMIT"));
  PQfinish(other);
  assert_int_equal(settle_one(f, 1, AIO__NEVER), AIORCH_OK);
  assert_int_equal(runs_of(f), 1);
}

static void test_open__no_connection_left(void **state) {
  fixture *f = *state;
  close_store(f);
  f->options.postgres_connect_timeout_ms = 100;
  admin("ALTER ROLE app CONNECTION LIMIT 0", NULL);
  aiorch_status status = open_url(f, through("app"));
  admin("ALTER ROLE app CONNECTION LIMIT -1", NULL);
  assert_int_equal(status, AIORCH_E_STORE_DOWN);
  expect(f, "too many connections");
  expect(f, "postgres.connections_max");
}

/* Fewer connections than the pool would have: those that there are serve all. */
static void test_settle__fewer_connections_than_wanted(void **state) {
  fixture *f = *state;
  waiting all[20];
  aio__run_row runs[20];
  admin("ALTER ROLE app CONNECTION LIMIT 2", NULL);
  for (int i = 0; i < 20; i++) {
    runs[i] = run_of(i, 7, T0);
    waiting_init(&all[i], AIO__NEVER);
    assert_int_equal(f->store->ledger->settle(f->store, &all[i].op, ACME, &runs[i], NULL, 0), AIORCH_PENDING);
  }
  int good = 0;
  for (int i = 0; i < 20; i++) good += waiting_end(&all[i], AIORCH_PENDING) == AIORCH_OK;
  admin("ALTER ROLE app CONNECTION LIMIT -1", NULL);
  assert_int_equal(good, 20);
  assert_int_equal(runs_of(f), 20);
}

static void test_settle__read_only_server(void **state) {
  fixture *f = *state;
  close_store(f);
  admin("ALTER ROLE app SET default_transaction_read_only = on", NULL);
  aiorch_status opened = open_url(f, through("app")), status = settle_one(f, 1, AIO__NEVER);
  admin("ALTER ROLE app RESET default_transaction_read_only", NULL);
  assert_int_equal(opened, AIORCH_OK);
  assert_int_equal(status, AIORCH_E_STORE_READ_ONLY);
  expect(f, "target_session_attrs");
  assert_int_equal(settle_one(f, 1, AIO__NEVER), AIORCH_OK); /* on a new connection */
}

/* The first two tries meet a serialization failure. */
static void test_settle__serialization_failures_are_tried_again(void **state) {
  fixture *f = *state;
  admin("CREATE SEQUENCE aiorch.test_tries MINVALUE -1000 START 1;"
        "GRANT USAGE ON SEQUENCE aiorch.test_tries TO PUBLIC;"
        "CREATE OR REPLACE FUNCTION aiorch.test_fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF nextval('aiorch.test_tries') < 3 THEN RAISE 'again' USING ERRCODE = '40001'; END IF; RETURN NEW; END $$;"
        "CREATE TRIGGER test_fails BEFORE INSERT ON aiorch.ai_api_calls FOR EACH ROW EXECUTE FUNCTION aiorch.test_fails()",
        NULL);
  aiorch_status status = settle_one(f, 1, AIO__NEVER);
  int64_t tries = admin_number("SELECT last_value FROM aiorch.test_tries");
  admin("ALTER SEQUENCE aiorch.test_tries RESTART WITH -100", NULL);
  aiorch_status never = settle_one(f, 2, AIO__NEVER);
  bool told = strstr(f->call.op.error.message, "40001") != NULL;
  admin("DROP TRIGGER test_fails ON aiorch.ai_api_calls", NULL);
  admin("DROP FUNCTION aiorch.test_fails; DROP SEQUENCE aiorch.test_tries", NULL);
  assert_int_equal(status, AIORCH_OK);
  assert_int_equal(tries, 3);
  assert_int_equal(never, AIORCH_E_STORE_DOWN);
  assert_true(told);
  assert_int_equal(runs_of(f), 1);
}

/* ---- logins and schemas ----------------------------------------------------------------------------------------------------------- */

static void reload_hba(const char *first_line) {
  char path[512], old[8192];
  snprintf(path, sizeof path, "%s/pg_hba.conf", variable("AIORCH_TEST_POSTGRES_DATA"));
  FILE *file = fopen(path, "r+");
  assert_non_null(file);
  size_t n = fread(old, 1, sizeof old - 1, file);
  old[n] = '\0';
  const char *rest = strncmp(old, "# test\n", 7) == 0 ? strstr(old, "# end\n") + 6 : old;
  rewind(file);
  fprintf(file, "# test\n%s\n# end\n%s", first_line, rest);
  assert_int_equal(ftruncate(fileno(file), ftell(file)), 0);
  fclose(file);
  admin("SELECT pg_reload_conf()", NULL);
}

static void test_open__wrong_password(void **state) {
  fixture *f = *state;
  char url[160];
  close_store(f);
  admin("CREATE ROLE keyed LOGIN PASSWORD 'r1ght' IN ROLE aiorch_app", NULL);
  reload_hba("host all keyed 127.0.0.1/32 scram-sha-256");
  snprintf(url, sizeof url, "postgresql://keyed:wr0ng@127.0.0.1:%d/aiorch", proxy.port);
  aiorch_status wrong = AIORCH_OK;
  while ((wrong = open_url(f, url)) == AIORCH_OK) close_store(f); /* until the server has read its file again */
  assert_int_equal(wrong, AIORCH_E_STORE);
  expect(f, "PGPASSFILE");
  assert_null(strstr(f->call.op.error.message, "wr0ng"));
  snprintf(url, sizeof url, "postgresql://keyed@127.0.0.1:%d/aiorch", proxy.port);
  assert_int_equal(open_url(f, url), AIORCH_E_STORE);
  expect(f, "PGPASSFILE");
  snprintf(url, sizeof url, "postgresql://keyed:r1ght@127.0.0.1:%d/aiorch", proxy.port);
  assert_int_equal(open_url(f, url), AIORCH_OK);
  assert_null(strstr(f->store->place, "r1ght"));
  close_store(f);
  reload_hba("");
  admin("DROP ROLE keyed", NULL);
}

/* A file of passwords serves, and one that others may read does not, without a word on stderr. */
static void test_open__file_of_passwords(void **state) {
  fixture *f = *state;
  char url[160], path[] = "/tmp/aiorch-passwords-XXXXXX", said[256] = "";
  close_store(f);
  admin("CREATE ROLE filed LOGIN PASSWORD 'r1ght' IN ROLE aiorch_app", NULL);
  reload_hba("host all filed 127.0.0.1/32 scram-sha-256");
  int fd = mkstemp(path);
  assert_true(fd >= 0 && dprintf(fd, "*:*:*:filed:r1ght\n") > 0);
  close(fd);
  snprintf(url, sizeof url, "postgresql://filed@127.0.0.1:%d/aiorch", proxy.port);
  while (open_url(f, url) == AIORCH_OK) close_store(f); /* until the server has read its file again */
  assert_int_equal(setenv("PGPASSFILE", path, 1), 0);
  assert_int_equal(open_url(f, url), AIORCH_OK);
  close_store(f);
  int pipes[2], before = dup(2);
  assert_int_equal(chmod(path, 0644), 0);
  assert_int_equal(pipe(pipes), 0);
  dup2(pipes[1], 2);
  aiorch_status status = open_url(f, url);
  dup2(before, 2);
  close(before);
  close(pipes[1]);
  ssize_t n = read(pipes[0], said, sizeof said - 1);
  close(pipes[0]);
  unsetenv("PGPASSFILE");
  unlink(path);
  reload_hba("");
  admin("DROP ROLE filed", NULL);
  assert_int_equal(status, AIORCH_E_STORE);
  expect(f, "0600");
  assert_int_equal(n, 0);
}

static void test_open__no_such_database(void **state) {
  fixture *f = *state;
  char url[160];
  close_store(f);
  snprintf(url, sizeof url, "postgresql://app@127.0.0.1:%d/nowhere", proxy.port);
  assert_int_equal(open_url(f, url), AIORCH_E_STORE);
  expect(f, "nowhere");
}

static void test_open__no_schema(void **state) {
  fixture *f = *state;
  close_store(f);
  set_text(f, "postgres.schema", "no\"where");
  assert_int_equal(open_url(f, through("app")), AIORCH_E_STORE_CORRUPT);
  expect(f, "aiorch migrate");
  expect(f, "no\"where");
}

static void test_open__schema_of_another_version(void **state) {
  fixture *f = *state;
  close_store(f);
  admin("INSERT INTO aiorch.schema_version (version, name) VALUES (999, 'later')", NULL);
  aiorch_status newer = open_url(f, through("app"));
  expect(f, "version 999");
  admin("DELETE FROM aiorch.schema_version WHERE version = 999", NULL);
  admin("UPDATE aiorch.schema_version SET version = version - 100", NULL);
  aiorch_status older = open_url(f, through("app"));
  expect(f, "aiorch migrate");
  admin("UPDATE aiorch.schema_version SET version = version + 100", NULL);
  assert_int_equal(newer, AIORCH_E_STORE_NEWER);
  assert_int_equal(older, AIORCH_E_STORE);
  assert_int_equal(open_url(f, through("app")), AIORCH_OK);
}

static void test_open__role_that_is_not_granted(void **state) {
  fixture *f = *state;
  close_store(f);
  assert_int_equal(open_url(f, through("reader")), AIORCH_E_STORE);
  expect(f, "GRANT aiorch_app TO reader");
  set_text(f, "postgres.role", "nobody_knows_me");
  assert_int_equal(open_url(f, through("app")), AIORCH_E_STORE);
  expect(f, "nobody_knows_me");
}

static void test_open__role_that_sees_past_row_level_security(void **state) {
  fixture *f = *state;
  close_store(f);
  assert_int_equal(open_url(f, through("bypass")), AIORCH_OK); /* the login may, the role that it takes may not */
  close_store(f);
  set_text(f, "postgres.role", "bypass");
  assert_int_equal(open_url(f, through("bypass")), AIORCH_E_STORE);
  expect(f, "row-level security");
}

static void test_open__tls_off_loopback(void **state) {
  fixture *f = *state;
  close_store(f);
  assert_int_equal(open_url(f, "postgresql://app:s3cr3t@192.0.2.1/x?sslmode=require"), AIORCH_E_CONFIG);
  expect(f, "postgres.tls");
  set_text(f, "postgres.ca_file", "/no/such/file");
  assert_int_equal(open_url(f, "postgresql://app:s3cr3t@192.0.2.1/x"), AIORCH_E_CONFIG);
  expect(f, "postgres.ca_file");
  assert_null(strstr(f->call.op.error.message, "s3cr3t"));
}

static void test_open__urls_that_are_not_understood(void **state) {
  fixture *f = *state;
  static const char *const urls[] = {"postgresql://app:s3cr3t@[::1/x",      "postgresql://app:s3cr3t%@h/x",
                                     "postgresql://app:s3cr3t@h/x?y=s3cr3t", "postgresql://app:s3cr3t@h/x?password",
                                     "postgresql://s3cr3t:%zz@h/",           "postgresql://app:s3cr3t@h/x?service=s3cr3t"};
  close_store(f);
  for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
    assert_int_equal(open_url(f, urls[i]), AIORCH_E_CONFIG);
    assert_null(strstr(f->call.op.error.message, "s3cr3t"));
    assert_null(f->store);
  }
}

/* ---- threads and processes -------------------------------------------------------------------------------------------------------- */

static void test_calls__in_a_forked_child(void **state) {
  fixture *f = *state;
  int code = 0;
  assert_int_equal(settle_one(f, 1, AIO__NEVER), AIORCH_OK);
  pid_t child = fork();
  if (child == 0) {
    aio__op op;
    aio__run_row run = run_of(2, 7, T0);
    aio__op_init(&op, AIO__NEVER, NULL, NULL);
    _exit(f->store->ledger->settle(f->store, &op, ACME, &run, NULL, 0) == AIORCH_E_FORKED ? 0 : 1);
  }
  assert_int_equal(waitpid(child, &code, 0), child);
  assert_int_equal(code, 0);
  assert_int_equal(settle_one(f, 2, AIO__NEVER), AIORCH_OK);
}

typedef struct in_line {
  waiting w;
  int *next, number, place;
} in_line;

static void take_number(aio__op *op, void *ctx) {
  in_line *one = ctx;
  one->place = (*one->next)++;
  on_done(op, &one->w);
}

/* One connection: who came first is served first. */
static void test_settle__first_come_first_served(void **state) {
  fixture *f = *state;
  enum { LINE = 50 };
  static in_line all[LINE];
  static aio__run_row runs[LINE];
  int next = 0;
  close_store(f);
  f->options.postgres_connections_max = 1;
  assert_int_equal(open_url(f, through("app")), AIORCH_OK);
  for (int i = 0; i < LINE; i++) {
    runs[i] = run_of(i, 7, T0);
    all[i] = (in_line){.next = &next, .number = i};
    waiting_init(&all[i].w, AIO__NEVER);
    all[i].w.op.done = take_number;
    all[i].w.op.ctx = &all[i];
    assert_int_equal(f->store->ledger->settle(f->store, &all[i].w.op, ACME, &runs[i], NULL, 0), AIORCH_PENDING);
  }
  for (int i = 0; i < LINE; i++) assert_int_equal(waiting_end(&all[i].w, AIORCH_PENDING), AIORCH_OK);
  for (int i = 0; i < LINE; i++) assert_int_equal(all[i].place, i);
  assert_int_equal(runs_of(f), LINE);
}

/* What waits and what is out ends, with words. */
static void test_close__with_calls_under_way(void **state) {
  fixture *f = *state;
  static waiting all[30];
  static aio__run_row runs[30];
  cut_proxy_set(&proxy, CUT_SILENCE);
  for (int i = 0; i < 30; i++) {
    runs[i] = run_of(i, 7, T0);
    waiting_init(&all[i], AIO__NEVER);
    assert_int_equal(f->store->ledger->settle(f->store, &all[i].op, ACME, &runs[i], NULL, 0), AIORCH_PENDING);
  }
  close_store(f);
  for (int i = 0; i < 30; i++) assert_int_equal(waiting_end(&all[i], AIORCH_PENDING), AIORCH_E_CLOSED);
}

/* ---- what is told ------------------------------------------------------------------------------------------------------------------ */

static char told[16384];

static void keep_event(void *self, int32_t level, const char *json, size_t len) {
  size_t n = strlen(told);
  (void)self;
  (void)level;
  if (n + len + 2 < sizeof told) snprintf(told + n, sizeof told - n, "%.*s\n", (int)len, json);
}

static int times_told(const char *words) {
  int n = 0;
  for (const char *at = told; (at = strstr(at, words)) != NULL; at++) n++;
  return n;
}

static void test_open__events_once_each(void **state) {
  fixture *f = *state;
  const aiorch_logger_vtbl vtbl = {.struct_size = sizeof vtbl, .log = keep_event};
  aio__log *log = NULL;
  waiting all[4];
  aio__run_row runs[4];
  close_store(f);
  told[0] = '\0';
  assert_int_equal(aio__log_new(&f->memory.al, aio__clock_system(), &vtbl, NULL, &log), AIORCH_OK);
  f->env.log = log;
  f->options.postgres_connect_timeout_ms = 100;
  assert_int_equal(open_url(f, through("app")), AIORCH_OK);
  for (int i = 0; i < 4; i++) {
    runs[i] = run_of(i, 7, T0);
    waiting_init(&all[i], AIO__NEVER);
    assert_int_equal(f->store->ledger->settle(f->store, &all[i].op, ACME, &runs[i], NULL, 0), AIORCH_PENDING);
  }
  for (int i = 0; i < 4; i++) assert_int_equal(waiting_end(&all[i], AIORCH_PENDING), AIORCH_OK);
  cut_proxy_set(&proxy, CUT_REFUSE);
  assert_int_equal(settle_one(f, 5, AIO__NEVER), AIORCH_E_STORE_DOWN);
  cut_proxy_set(&proxy, CUT_NOTHING);
  while (settle_one(f, 5, AIO__NEVER) != AIORCH_OK) continue;
  int64_t old = admin_number("SELECT ((string_to_array(regexp_replace(extversion, '[^0-9.].*', ''), '.')::int[])[1:3] < ARRAY[0, 8, 4])::int"
                             " FROM pg_extension WHERE extname = 'vector'");
  close_store(f);
  aio__log_flush(log);
  aio__log_free(log);
  f->env.log = NULL;
  assert_int_equal(times_told("pgvector_old"), old);
  assert_int_equal(times_told("0.8.4"), old);
  assert_int_equal(times_told("store_down"), 1);
  assert_int_equal(times_told("store_up"), 1);
}

/* ---- texts that PostgreSQL does not take ------------------------------------------------------------------------------------------- */

static void test_settle__whatever_a_provider_calls_itself(void **state) {
  fixture *f = *state;
  aio__run_row run = run_of(1, 7, T0);
  aio__attempt_row a = attempt_of(1, 1, AIO__ATTEMPT_SETTLED, T0);
  a.request_id = AIO__LIT("id \xff\0\xc3");
  run.model = AIO__LIT("\xe2\x28\xa1");
  assert_int_equal(CALL(f, ledger, settle, ACME, &run, &a, 1), AIORCH_OK);
  char text[256];
  admin("SELECT request_id FROM aiorch.ai_attempts", text);
  assert_string_equal(text, "id ???");
}

#define PROXIED(name) cmocka_unit_test_setup_teardown(name, setup_proxied, teardown_proxied)

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
    PROXIED(test_settle__cut_before_the_commit),
    PROXIED(test_settle__cut_after_the_commit),
    PROXIED(test_admit__cut_after_the_commit_counts_once),
    PROXIED(test_settle__silence_ends_at_the_deadline),
    PROXIED(test_settle__silence_ends_by_the_setting),
    PROXIED(test_settle__server_away),
    PROXIED(test_stats__server_away_that_hangs),
    PROXIED(test_open__server_away),
    PROXIED(test_open__nothing_listens),
    PROXIED(test_open__the_second_host_is_there),
    PROXIED(test_open__names_are_looked_up),
    PROXIED(test_settle__backends_are_killed),
    PROXIED(test_settle__a_backend_is_stopped),
    PROXIED(test_settle__a_table_is_locked),
    PROXIED(test_open__no_connection_left),
    PROXIED(test_settle__fewer_connections_than_wanted),
    PROXIED(test_settle__read_only_server),
    PROXIED(test_settle__serialization_failures_are_tried_again),
    PROXIED(test_open__wrong_password),
    PROXIED(test_open__file_of_passwords),
    PROXIED(test_open__no_such_database),
    PROXIED(test_open__no_schema),
    PROXIED(test_open__schema_of_another_version),
    PROXIED(test_open__role_that_is_not_granted),
    PROXIED(test_open__role_that_sees_past_row_level_security),
    PROXIED(test_open__tls_off_loopback),
    PROXIED(test_open__urls_that_are_not_understood),
    PROXIED(test_calls__in_a_forked_child),
    PROXIED(test_settle__first_come_first_served),
    PROXIED(test_close__with_calls_under_way),
    PROXIED(test_open__events_once_each),
    PROXIED(test_settle__whatever_a_provider_calls_itself),
  };
  need_server_with(argv, "--no-bouncer");
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  (void)conformance_tests;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
