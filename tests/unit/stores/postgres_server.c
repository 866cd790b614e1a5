/*
 * A PostgreSQL for the tests of its store, in a temporary cluster of tests/postgres/cluster.py: it is included, not compiled by itself.
 * Each test has the tables to itself, empty.
 */
#include "stores/conformance.h"

#include <libpq-fe.h>
#include <string.h>
#include <unistd.h>

/* Runs this program again inside a cluster made with this option of cluster.py, unless it is in one. */
static void need_server_with(char **argv, const char *option) {
  const char *root = getenv("AIORCH_ROOT"), *python = getenv("AIORCH_PYTHON");
  char script[4096];
  if (getenv("AIORCH_TEST_POSTGRES") != NULL) return;
  snprintf(script, sizeof script, "%s/tests/postgres/cluster.py", root != NULL ? root : ".");
  execlp(python != NULL ? python : "python3", "python3", script, option, "--", argv[0], argv[1], (char *)NULL);
  perror(script);
  exit(1);
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  if (value == NULL) fail_msg("%s is not set", name);
  return value;
}

/* The first column of the first row, "" when there is none; as the superuser. */
static void admin(const char *sql, char out[256]) {
  PGconn *pg = PQconnectdb(variable("AIORCH_TEST_POSTGRES_ADMIN"));
  PGresult *answer = PQexec(pg, sql);
  ExecStatusType status = PQresultStatus(answer);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) fail_msg("%s: %s", sql, PQerrorMessage(pg));
  if (out != NULL) snprintf(out, 256, "%s", PQntuples(answer) > 0 ? PQgetvalue(answer, 0, 0) : "");
  PQclear(answer);
  PQfinish(pg);
}

static int64_t admin_number(const char *sql) {
  char text[256];
  admin(sql, text);
  return strtoll(text, NULL, 10);
}

/* Transactions whose client has gone may still be at work: of two that wait for each other one begins again. */
__attribute__((unused))
static void empty_tables(void) {
  admin("SET client_min_messages = error; DO $$ DECLARE names text; BEGIN"
        " SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ') INTO names FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'aiorch' AND c.relkind = 'r'"
        " AND c.relname NOT IN ('schema_version', 'settings');"
        " FOR i IN 1 .. 5 LOOP"
        "  BEGIN EXECUTE 'TRUNCATE ' || names; RETURN; EXCEPTION WHEN deadlock_detected THEN NULL; END;"
        " END LOOP;"
        " EXECUTE 'TRUNCATE ' || names; END $$",
        NULL);
}
