/*
 * The limiter over processes on PostgreSQL: 16 threads in each of 4 processes ask for admission at once, under one key; by the log, and
 * by rate.
 *
 *   quiet     of a limit of N exactly N are admitted
 *   clients   processes are ended by SIGKILL among them, and others take their place
 *   backends  backends of the server are ended among them
 *   both      either, at random
 *   crash     a backend is ended by SIGKILL: the server ends all others and recovers
 *
 * Never more than N are admitted, and at least N less those that were in flight at the kills. The log holds each admission once. A server
 * that crashes forgets what it has not yet put on its disk, so after a crash as many more may be: they are counted.
 *
 *   limiter_postgres [--limit N] [--rounds N] [--seed N]      starts the server itself (tests/postgres/cluster.py)
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster.h"
#include "limiter_race.h"

enum { LIMIT = 600, ROUNDS = 1, SECONDS = 150, CRASHES = 2, SQL_MAX = 400, YEAR_S = 31536000 };

typedef enum kills { NONE, CLIENTS, BACKENDS, BOTH, CRASH, KILLS_COUNT } kills;

static const char *const KILLS_NAMES[] = {"quiet", "clients", "backends", "both", "crash"};
static const char *const FORMS[] = {"log", "rate"};

static int limit;

/* ---- the server ------------------------------------------------------------------------------------------------------------ */

static int64_t admin(PGconn *pg, const char *sql) {
  PGresult *result = PQexec(pg, sql);
  ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) cluster_die(sql, PQerrorMessage(pg));
  int64_t n = PQntuples(result) > 0 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
  PQclear(result);
  return n;
}

/* Those in the middle of something first. How many it were. */
static int end_backends(PGconn *pg) {
  return (int)admin(pg, "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE usename = 'app'"
                        " ORDER BY state = 'active' DESC, random() LIMIT 3) victims");
}

/* Its end takes the superuser's connection along; waits until the server is back. */
static void crash_backend(PGconn *pg) {
  pid_t victim;
  do { /* one that ends by itself just now is none */
    victim = (pid_t)admin(pg, "SELECT pid FROM pg_stat_activity WHERE usename = 'app' ORDER BY state = 'active' DESC LIMIT 1");
  } while (victim > 1 && kill(victim, SIGKILL) != 0 && errno == ESRCH);
  bool was_lost = victim <= 1;
  for (int i = 0; i < SECONDS * 100; i++) { /* it is still there for a moment */
    (void)usleep(10000);
    if (PQstatus(pg) == CONNECTION_OK) PQclear(PQexec(pg, "SELECT 1"));
    if (PQstatus(pg) == CONNECTION_OK && was_lost) return;
    was_lost = was_lost || PQstatus(pg) != CONNECTION_OK;
    if (PQstatus(pg) != CONNECTION_OK) PQreset(pg);
  }
  cluster_die("the server", "is not back");
}

/* What stands under the key: rows of the log, or what the one row holds. */
static int64_t stored(PGconn *pg, const char *form) {
  char sql[SQL_MAX];
  if (strcmp(form, "log") == 0) return admin(pg, "SELECT count(*) FROM aiorch.admissions WHERE tenant_id = 'acme'");
  (void)snprintf(sql, sizeof sql,
                 "SELECT ceil((empty_us - extract(epoch FROM clock_timestamp()) * 1000000) * %d / (%d * 1000000.0)) FROM aiorch.admission_rates"
                 " WHERE tenant_id = 'acme'",
                 limit, YEAR_S);
  return admin(pg, sql);
}

/* ---- a round --------------------------------------------------------------------------------------------------------------- */

static bool round_of(PGconn *pg, kills how, const char *form) {
  char settings[300], name[32];
  const race_place place = {.store = cluster_variable("AIORCH_TEST_POSTGRES"), .settings = settings, .seconds = SECONDS, .goes_away = true};
  int count = 0;
  (void)snprintf(settings, sizeof settings,
                 "{\"rate_limit.requests\": %d, \"rate_limit.window_s\": %d, \"deadline_ms\": 140000, \"postgres.timeout_ms\": 30000,"
                 " \"postgres.limiter\": \"%s\", \"spool.mode\": \"off\"}",
                 limit, YEAR_S, form);
  (void)admin(pg, "TRUNCATE aiorch.admissions, aiorch.admission_rates");
  race *r = race_begin(&place);
  for (; how != NONE && count < (how == CRASH ? CRASHES : RACE_KILLS) && !race_is_over(r); count++) {
    race_wait(r, limit / (2 * RACE_KILLS));
    if (how == BACKENDS || (how == BOTH && random() % 2 == 0)) {
      r->lost += end_backends(pg);
    } else if (how == CRASH) {
      crash_backend(pg);
      r->lost += RACE_PROCESSES * RACE_THREADS;
    } else {
      race_kill(r);
    }
  }
  race_join(r);
  (void)snprintf(name, sizeof name, "%s, %s", form, KILLS_NAMES[how]);
  return race_end(r, name, limit, stored(pg, form), count, how == CRASH);
}

int main(int argc, char **argv) {
  race_options options = {.limit = LIMIT, .rounds = ROUNDS};
  bool good = true;
  cluster_enter(argv, (const char *const[]){"--no-bouncer", NULL});
  setvbuf(stdout, NULL, _IOLBF, 0);
  race_arguments(&options, argc, argv);
  limit = options.limit;
  PGconn *pg = cluster_admin();
  for (int i = 0; i < options.rounds; i++)
    for (int form = 0; form < 2; form++)
      for (int how = NONE; how < KILLS_COUNT; how++) good = round_of(pg, (kills)how, FORMS[form]) && good;
  PQfinish(pg);
  return !good;
}
