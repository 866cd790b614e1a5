/*
 * What the fault tests do to the library: open it over a SQLite store in a folder, ask, ingest, read, close; and what
 * must hold of the store afterwards, whatever went wrong.
 *
 * What a child process learned is in memory that it shares with its parent, so that it outlives the child.
 */
#ifndef AIO_TESTS_FAULT_SCENARIO_H
#define AIO_TESTS_FAULT_SCENARIO_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <aiorch/aiorch.h>

#include "wrap.h"

enum { SCENARIO_ID = 36, SCENARIO_IDS_MAX = 64, SCENARIO_SAID_MAX = 4000, SCENARIO_STATUS_MAX = 48, SCENARIO_ASKS_MAX = 8 };

/* Ids of runs, appended one by one; complete up to `n`. */
typedef struct scenario_ids {
  atomic_int n;
  char id[SCENARIO_IDS_MAX][SCENARIO_ID + 1];
} scenario_ids;

typedef struct scenario_ledger {
  scenario_ids acknowledged; /* runs whose cost rows the library said were written */
  scenario_ids called;       /* runs for which the provider was asked */
  atomic_int added;          /* documents that aiorch_knowledge_add acknowledged */
  atomic_int removed;
  atomic_int embedded; /* chunks of guide-9.md of which mark_embedded acknowledged the vectors */
  atomic_int asked[SCENARIO_ASKS_MAX]; /* questions that have come to the HTTP server */
  atomic_long live; /* allocations that were not freed */
  atomic_int statuses;
  aiorch_status status[SCENARIO_STATUS_MAX]; /* what calls returned, in their order */
  char last[200];                            /* words of the last error */
  long counts[WRAP_CALLS], matched, injected;
  atomic_int said; /* bytes of `words`: what does not hold */
  char words[SCENARIO_SAID_MAX];
} scenario_ledger;

typedef enum scenario_kind {
  SCENARIO_CREATE,
  SCENARIO_RUN,
  SCENARIO_INGEST,
  SCENARIO_EMBED,
  SCENARIO_SUBMIT,
  SCENARIO_CROWD, /* several that one thread drives: they share transactions */
  SCENARIO_HTTP,
  SCENARIO_HTTP_OPEN, /* the same, with the handle opened under the fault */
  SCENARIO_KINDS
} scenario_kind;
const char *scenario_name(scenario_kind kind);

scenario_ledger *scenario_ledger_new(void); /* shared, zeroed */
void scenario_ledger_clear(scenario_ledger *ledger);
/* Notes what a call returned, and says so when no caller should ever see it or an error has no words. */
void scenario_note(scenario_ledger *ledger, const char *what, aiorch_status status, const aiorch_error *error);
/* Adds a sentence about what does not hold. */
void scenario_say(scenario_ledger *ledger, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Plays a scenario on the store in `folder`. `plan` is armed where the scenario begins (CREATE: before anything;
 * others: after the store was opened) and in force until all is freed, but for one run in between, which must succeed
 * because the fault is over; without it (`steady` false) everything happens under the plan. Errors are checked for
 * their words. */
void scenario_play(scenario_kind kind, const char *folder, const wrap_plan *plan, bool steady, scenario_ledger *ledger);

/* One run and nothing else: true when it ended well. */
bool scenario_ask(aiorch *orch, const char *question, scenario_ledger *ledger);
bool scenario_add(aiorch *orch, int number, int version, scenario_ledger *ledger);
/* An ingest with vectors, beside what is there: scenario_vectors.c. */
bool scenario_embed(aiorch *orch, scenario_ledger *ledger);
/* What a run that has ended says about itself; true when it ended well. */
bool scenario_judge(aiorch_run *run, aiorch_status status, scenario_ledger *ledger);
/* Notes that a provider was asked for this run. */
void scenario_called(scenario_ledger *ledger, const aiorch_run *run);

/* Runs over HTTP: scenario_http.c. `begin` starts the server, a process of its own, before the first of them. */
void scenario_http_begin(scenario_ledger *ledger);
void scenario_http_end(void);
aiorch_status scenario_http_set(aiorch_config *config, aiorch_error *error);
void scenario_http_play(aiorch *orch, scenario_ledger *ledger);
bool scenario_http_ask(aiorch *orch, scenario_ledger *ledger);
/* NULL when it failed; the status and words are in the ledger. The library's memory is counted in the ledger. */
aiorch *scenario_open(const char *folder, scenario_ledger *ledger);
void scenario_close(aiorch *orch, scenario_ledger *ledger);

/* Reads the databases without the library and says what does not hold: integrity, cost rows, attempts, whole documents.
 */
void scenario_check_store(const char *folder, scenario_ledger *ledger);

/* Runs `body` in a child; its exit status as waitpid gives it. SIGALRM ends it after `seconds`. */
int scenario_in_child(void (*body)(void *ctx), void *ctx, unsigned seconds);
/* What a wait status means when it is bad: words, or NULL when the child ended with 0. */
const char *scenario_fate(int wait_status, char words[80]);

/* ---- arguments of the programs ----------------------------------------------------------------------------------- */

typedef struct scenario_choice {
  bool all, verbose;
  unsigned long seed; /* of the clock, unless it is given */
  size_t points;
  const char *scenario;
} scenario_choice;

/* Reads --all, --verbose, --points N, --seed N or --scenario NAME at *i, and moves *i to the last of it. False: it is none of them. */
bool scenario_argument(scenario_choice *choice, int argc, char **argv, int *i);

/* ---- folders ----------------------------------------------------------------------------------------------------- */

void scenario_temp(char out[PATH_MAX]);               /* a fresh folder below $TMPDIR */
void scenario_copy(const char *from, const char *to); /* plain files; `to` is emptied or made first */
void scenario_remove(const char *folder);             /* with all plain files and folders in it */
/* A store with a few documents and one cached answer. */
void scenario_make_template(const char *folder);

#endif
