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

/* A backend of ours: the one that was killed for as long as the server has it in its list, which is until the server ends all; 0: none. */
static pid_t find_backend(PGconn *pg, pid_t killed) {
  char sql[SQL_MAX];
  (void)snprintf(sql, sizeof sql, "SELECT pid FROM pg_stat_activity WHERE usename = 'app' ORDER BY pid = %d DESC, state = 'active' DESC LIMIT 1",
                 (int)killed);
  PGresult *result = PQexec(pg, sql);
  pid_t found = PQntuples(result) > 0 ? (pid_t)strtol(PQgetvalue(result, 0, 0), NULL, 10) : 0;
  if (PQresultStatus(result) != PGRES_TUPLES_OK && PQstatus(pg) == CONNECTION_OK) cluster_die(sql, PQerrorMessage(pg));
  PQclear(result);
  return found;
}

/* Its end takes the superuser's connection along; waits until the server is back. One that ends by itself just now is gone, or takes the signal
 * and nothing comes of it: then it is another. */
static void crash_backend(PGconn *pg) {
  pid_t victim = 0;
  bool was_lost = false;
  for (int i = 0; i < SECONDS * 100; i++) {
    pid_t found = find_backend(pg, victim);
    if (PQstatus(pg) != CONNECTION_OK) {
      was_lost = true;
      PQreset(pg);
    } else if (was_lost || found <= 1) {
      return;
    } else if (found != victim) {
      victim = found;
      if (kill(victim, SIGKILL) != 0 && errno != ESRCH) cluster_die("a backend", strerror(errno));
    }
    (void)usleep(10000);
  }
  cluster_die("the server", "is not back");
}

/* What the server still does for clients that were killed comes after the emptying, else, and takes of the limit of the next round. */
static void end_sessions(PGconn *pg) {
  for (int i = 0; i < SECONDS * 1000; i++) {
    if (admin(pg, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'app'") == 0) return;
    (void)usleep(1000);
  }
  cluster_die("sessions of the round before", "do not end");
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
  end_sessions(pg);
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
