/*
 * The limiter over processes: 16 threads in each of 4 processes ask for admission at once, on one store.
 *
 *   quiet   of a limit of N exactly N are admitted
 *   killed  processes are ended by SIGKILL among them and others take their place: never more than N, and at least N
 * less those that were in flight at the kills
 *
 *   limiter_processes [--limit N] [--rounds N] [--seed N]
 */
#include <sqlite3.h>
#include <stdio.h>

#include "limiter_race.h"
#include "scenario.h"

enum { LIMIT = 300, ROUNDS = 3, SECONDS = 120 };

static int limit;

/* How many admissions the store holds. */
static int64_t stored(const char *folder) {
  char path[PATH_MAX + 16];
  sqlite3 *db = NULL;
  sqlite3_stmt *stmt = NULL;
  int64_t n = -1;
  (void)snprintf(path, sizeof path, "%s/ledger.db", folder);
  if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
      sqlite3_prepare_v2(
        db, "SELECT count(*) FROM admissions WHERE (SELECT integrity_check FROM pragma_integrity_check) = 'ok'", -1,
        &stmt, NULL) == SQLITE_OK &&
      sqlite3_step(stmt) == SQLITE_ROW)
    n = sqlite3_column_int64(stmt, 0);
  (void)sqlite3_finalize(stmt);
  (void)sqlite3_close(db);
  return n;
}

static bool round_of(bool kill_some, const char *folder) {
  char settings[160];
  const race_place place = {.store = folder, .settings = settings, .seconds = SECONDS};
  int kills = 0;
  (void)snprintf(settings, sizeof settings,
                 "{\"rate_limit.requests\": %d, \"rate_limit.window_s\": 3600, \"deadline_ms\": 110000, \"store.busy_ms\": 30000}", limit);
  scenario_remove(folder);
  race *r = race_begin(&place);
  for (; kill_some && kills < RACE_KILLS && atomic_load(&r->admitted) + r->lost < limit; kills++) {
    race_wait(r, limit / (2 * RACE_KILLS));
    race_kill(r);
  }
  race_join(r);
  return race_end(r, kill_some ? "killed" : "quiet ", limit, stored(folder), kills, false);
}

int main(int argc, char **argv) {
  race_options options = {.limit = LIMIT, .rounds = ROUNDS};
  char base[PATH_MAX], folder[PATH_MAX];
  bool good = true;
  race_arguments(&options, argc, argv);
  limit = options.limit;
  scenario_temp(base);
  (void)snprintf(folder, sizeof folder, "%.4000s/store", base);
  for (int i = 0; i < options.rounds; i++) {
    if (!round_of(false, folder)) good = false;
    if (!round_of(true, folder)) good = false;
  }
  scenario_remove(base);
  return !good;
}
