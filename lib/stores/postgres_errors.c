/* What the server says went wrong, as a status and in words that say what to do. See postgres_private.h. */
#include <string.h>

#include "stores/postgres_engine.h"

enum { SHOWN_MAX = 300 };

aiorch_status aio__pg_nomem(aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_NOMEM, "out of memory");
}

static bool is(const char state[6], const char *code) {
  return strncmp(state, code, strlen(code)) == 0;
}

bool aio__pg_may_retry(const char state[6]) {
  static const char *const codes[] = {"40001", "40P01", "55P03", "08", "57P01", "57P02", "57P03", "57P05", "25P03"};
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
    if (is(state, codes[i])) return true;
  return false;
}

/* One row a kind of SQLSTATE; the first that fits counts. */
typedef struct kind {
  const char *code;
  aiorch_status status;
  const char *words; /* what to do */
} kind;

static const kind KINDS[] = {
  {"40", AIORCH_E_STORE_DOWN, "others write the same rows all the time; try again"},
  {"55P03", AIORCH_E_STORE_DOWN, "somebody holds a lock on a table; try again, or find who does in pg_locks"},
  {"53300", AIORCH_E_STORE_DOWN,
   "it has no connection left: lower \"postgres.connections_max\" of its clients, raise its max_connections, or put a pooler before it"},
  {"53100", AIORCH_E_STORE_FULL, "its disk is full: make room there, then try again"},
  {"53200", AIORCH_E_STORE, "it has no memory left"},
  {"53", AIORCH_E_STORE_DOWN, "it lacks something that it needs; try again"},
  {"54", AIORCH_E_TOO_LARGE, "a limit of PostgreSQL was passed"},
  {"57014", AIORCH_E_STORE_DOWN, "it took too long; raise \"postgres.timeout_ms\", or find out what it waits for in pg_stat_activity"},
  {"57P", AIORCH_E_STORE_DOWN, "it is shutting down, starting or has ended the connection; try again"},
  {"08", AIORCH_E_STORE_DOWN, "the connection was lost; try again"},
  {"25006", AIORCH_E_STORE_READ_ONLY,
   "it may only be read there: name the primary in \"store\", or all hosts with ?target_session_attrs=read-write"},
  {"28", AIORCH_E_STORE,
   "check the user of \"store\" and the password (in PGPASSFILE, PGPASSWORD or the URL, there best as ${NAME}), and pg_hba.conf"},
  {"3D000", AIORCH_E_STORE, "there is no such database: name another in \"store\", or make it"},
  {"42501", AIORCH_E_STORE, "a right is missing: grant \"postgres.role\" to the login of \"store\", and run `aiorch migrate` as the owner"},
  {"3F000", AIORCH_E_STORE_CORRUPT, "run `aiorch migrate`, or set \"postgres.schema\" to where it was run"},
  {"42P01", AIORCH_E_STORE_CORRUPT, "run `aiorch migrate`, or set \"postgres.schema\" to where it was run"},
  {"42883", AIORCH_E_STORE_CORRUPT, "run `aiorch migrate`: a function of the store is missing, or pgvector is"},
  {"42704", AIORCH_E_STORE_CORRUPT, "run `aiorch migrate`: something of the store is missing, or pgvector is"},
  {"42703", AIORCH_E_STORE_CORRUPT, "run `aiorch migrate`: a table of the store is another than this libaiorch knows"},
  {"22", AIORCH_E_INVALID, "PostgreSQL does not take a value of this call"},
  {"XX001", AIORCH_E_STORE_CORRUPT, "the database is damaged: restore it from a backup"},
  {"XX002", AIORCH_E_STORE_CORRUPT, "an index is damaged: REINDEX it"},
};

aiorch_status aio__pg_fail(const aio__pg_store *store, const aio__pg_report *report, aiorch_error *error) {
  aio__str said = report->message;
  kind found = {"", AIORCH_E_STORE, ""};
  for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
    if (!is(report->state, KINDS[i].code)) continue;
    found = KINDS[i];
    break;
  }
  int n = (int)aio__utf8_cut(said, SHOWN_MAX), t = (int)aio__utf8_cut(report->table, AIO__PG_NAME_MAX);
  int c = (int)aio__utf8_cut(report->constraint, AIO__PG_NAME_MAX);
  return aio__error_set(error, found.status, "%s: %.*s%s%.*s%s%.*s (%s)%s%s", store->target->place, n, n > 0 ? said.p : "",
                        t > 0 ? ", table " : "", t, t > 0 ? report->table.p : "", c > 0 ? ", constraint " : "", c,
                        c > 0 ? report->constraint.p : "", report->state, found.words[0] != '\0' ? ": " : "", found.words);
}
