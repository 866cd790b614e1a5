/*
 * The spool under kills and failing calls. In a first life the store is away and rows go into the spool; the process dies at the n-th call
 * that changes a file, before it or half-way through what it writes, or one call (or all from one on) fails. In a second life the store is
 * back, and the process dies while it replays. In the last life everything is replayed: each acknowledged settlement is in the
 * ledger, each row once, and no file waits any more.
 *
 *   spool_faults [--all] [--points N] [--seed N] [--verbose]
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "scenario.h"
#include "stores/spool.h"
#include "stores/spooled.h"
#include "stores/spool_rows.h"

enum { RUNS = 12, SECONDS = 150, SAMPLE_POINTS = 240, WORDS = 600 };

/* What a child learned, in memory that outlives it. */
typedef struct notes {
  atomic_int acknowledged[RUNS];
  long matched;
  char words[WORDS];
} notes;

typedef struct job {
  wrap_plan plan;
  bool away; /* the store takes nothing */
} job;

static scenario_choice options = {.points = SAMPLE_POINTS};

static notes *noted;
static char store_folder[PATH_MAX], spool_folder[PATH_MAX], template_folder[PATH_MAX];
static size_t killed, failed, bad;

static void say(const char *words, long number) {
  size_t n = strlen(noted->words);
  (void)snprintf(noted->words + n, WORDS - n, "    %s (%ld)\n", words, number);
}

/* ---- one life ------------------------------------------------------------------------------------------------------- */

typedef struct life {
  aio__options settings;
  aio__store_env env;
  aio__store *inner, *store;
  aio__ledger_ops ledger;
} life;

static aiorch_status refuse(aio__op *op) {
  return aio__error_set(&op->error, AIORCH_E_STORE_DOWN, "the server is away");
}

static aiorch_status no_attempt(aio__store *store, aio__op *op, aio__str tenant, const aio__attempt_row *row) {
  (void)store, (void)tenant, (void)row;
  return refuse(op);
}

static aiorch_status no_settle(aio__store *store, aio__op *op, aio__str tenant, const aio__run_row *run,
                               const aio__attempt_row *attempts, size_t count) {
  (void)store, (void)tenant, (void)run, (void)attempts, (void)count;
  return refuse(op);
}

static bool begin_life(life *l, bool away) {
  aiorch_error error;
  aio__error_init(&error);
  memset(l, 0, sizeof *l);
  if (aio__options_init(&l->settings, aio__alloc_default()) != AIORCH_OK) return false;
  l->settings.spool_file_max = 4096;
  l->settings.spool_replay_rate = 1000000;
  l->env = (aio__store_env){.al = aio__alloc_default(), .clock = aio__clock_system(), .options = &l->settings};
  aiorch_status status = aio__store_sqlite_open(&l->env, store_folder, &l->inner, &error);
  if (status == AIORCH_OK) {
    l->ledger = *l->inner->ledger;
    if (away) {
      l->ledger.attempt = no_attempt;
      l->ledger.settle = no_settle;
      l->inner->ledger = &l->ledger;
    }
    status = aio__store_spooled_open(&l->env, spool_folder, l->inner, &l->store, &error);
  }
  if (status == AIORCH_OK) return true;
  say(error.message, status);
  if (l->inner != NULL) l->inner->close(l->inner);
  aio__options_free(&l->settings);
  return false;
}

static void end_life(life *l) {
  l->store->close(l->store);
  wrap_pause();
  aio__options_free(&l->settings);
}

/* A pthread condition is what a host waits with; here it must not be one of those that fail. */
static void on_done(aio__op *op, void *ctx) {
  (void)op;
  atomic_store((atomic_bool *)ctx, true);
}

static aiorch_status wait_for(aio__op *op, atomic_bool *done, aiorch_status status) {
  while (status == AIORCH_PENDING && !atomic_load(done)) (void)usleep(50);
  if (status == AIORCH_PENDING) status = op->status;
  if (status < 0 && op->error.message[0] == '\0') say("an error without words", status);
  return status;
}

static void play_rows(life *l) {
  for (int i = 0; i < RUNS; i++) {
    sample s;
    aio__op op;
    atomic_bool done = false;
    sample_fill(&s, i);
    s.attempt[0].state = AIO__ATTEMPT_PENDING;
    aio__op_init(&op, AIO__NEVER, on_done, &done);
    (void)wait_for(&op, &done, l->store->ledger->attempt(l->store, &op, AIO__LIT("acme"), &s.attempt[0]));
    s.attempt[0].state = AIO__ATTEMPT_SETTLED;
    done = false;
    aio__op_init(&op, AIO__NEVER, on_done, &done);
    aiorch_status status = wait_for(
      &op, &done, l->store->ledger->settle(l->store, &op, AIO__LIT("acme"), &s.run, s.attempt, SAMPLE_ATTEMPTS));
    if (status == AIORCH_OK) atomic_store(&noted->acknowledged[i], 1);
  }
}

static void live(void *ctx) {
  job *j = ctx;
  life l;
  aio__spool_report report;
  if (!begin_life(&l, j->away)) return;
  wrap_arm(&j->plan);
  if (j->away)
    play_rows(&l);
  else
    (void)aio__spooled_replay(l.store, 0, aio__clock_now(l.env.clock) + INT64_C(30000000000), &report, NULL);
  end_life(&l);
  noted->matched = wrap_matched();
}

/* ---- the last life -------------------------------------------------------------------------------------------------- */

static bool is_there(life *l, int number, aio__arena *arena) {
  sample s;
  aio__op op;
  atomic_bool done = false;
  aio__attempt_row *rows = NULL;
  size_t n = 0, settled = 0;
  sample_fill(&s, number);
  aio__op_init(&op, AIO__NEVER, on_done, &done);
  aiorch_status status = wait_for(
    &op, &done, l->store->ledger->attempts(l->store, &op, AIO__LIT("acme"), aio__str_z(s.run.id), arena, &rows, &n));
  if (status != AIORCH_OK) say(op.error.message, number);
  for (size_t i = 0; i < n; i++) settled += rows[i].state == AIO__ATTEMPT_SETTLED;
  if (n > SAMPLE_ATTEMPTS) say("more attempts than were made", number);
  if (settled > 0 && settled < SAMPLE_ATTEMPTS) say("half of a settlement", number);
  return settled == SAMPLE_ATTEMPTS;
}

static void check_ledger(life *l) {
  aio__arena arena;
  aio__store_stats stats = {0};
  aio__op op;
  atomic_bool done = false;
  int64_t runs = 0, cost = 0;
  aio__arena_init(&arena, l->env.al, 4096);
  for (int i = 0; i < RUNS; i++) {
    bool there = is_there(l, i, &arena);
    if (!there && atomic_load(&noted->acknowledged[i])) say("acknowledged and lost: run", i);
    runs += there;
    if (there) cost += 1000 + i;
  }
  aio__op_init(&op, AIO__NEVER, on_done, &done);
  (void)wait_for(&op, &done, l->store->ledger->stats(l->store, &op, AIO__LIT("acme"), 1763942400000, &stats));
  if (stats.runs != runs) say("run rows are not those of the settlements", (long)stats.runs);
  if (stats.cost_nano_usd != cost) say("the sum is wrong", (long)stats.cost_nano_usd);
  aio__arena_free(&arena);
}

static void check(void *ctx) {
  life l;
  aio__spool_report report;
  aio__spool_files files;
  aiorch_error error;
  (void)ctx;
  aio__error_init(&error);
  if (!begin_life(&l, false)) return;
  aiorch_status status =
    aio__spooled_replay(l.store, 0, aio__clock_now(l.env.clock) + INT64_C(30000000000), &report, &error);
  if (status != AIORCH_OK) say(error.message, status);
  check_ledger(&l);
  if (aio__spool_list(l.env.al, spool_folder, &files, NULL) != AIORCH_OK) say("no list", 0);
  for (size_t i = 0; i < files.n; i++) say(files.file[i].name, (long)files.file[i].state);
  aio__spool_files_free(&files);
  end_life(&l);
}

/* ---- points --------------------------------------------------------------------------------------------------------- */

static void in_child(job *j, void (*body)(void *), const char *what) {
  char fate[80];
  int status = scenario_in_child(body, j, SECONDS);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && j->plan.at > 0) {
    killed++;
    return;
  }
  const char *words = scenario_fate(status, fate);
  if (words == NULL) return;
  say(what, 0);
  say(words, status);
}

static void fresh(void) {
  memset(noted, 0, sizeof *noted);
  scenario_copy(template_folder, store_folder);
  scenario_remove(spool_folder);
}

/* `second`: twice the number of the change in the second life, less 1 when it dies before it; 0: there is none. */
static void try_point(wrap_plan first, long second) {
  job j = {.plan = first, .away = true};
  fresh();
  in_child(&j, live, "in the first life");
  if (second > 0) {
    j = (job){.plan = {.calls = WRAP_CHANGES, .at = (second + 1) / 2, .action = second % 2 ? WRAP_KILL : WRAP_TORN}};
    in_child(&j, live, "in the second life");
  }
  j = (job){0};
  in_child(&j, check, "in the last life");
  bool is_bad = noted->words[0] != '\0';
  bad += is_bad;
  if (!options.verbose && (!is_bad || bad > 20)) return;
  (void)printf("  calls %llx at %ld%s, action %d, errno %d; second %ld\n%s", (unsigned long long)first.calls, first.at,
               first.from_on ? " and on" : "", (int)first.action, first.error, second, noted->words);
  (void)fflush(stdout);
}

static long count(uint64_t calls, bool away) {
  job j = {.plan = {.calls = calls}, .away = away};
  in_child(&j, live, "without a fault");
  return noted->matched;
}

static long random_below(long n) { return n > 0 ? random() % n : 0; }

static void try_kills(size_t points) {
  fresh();
  long first = count(WRAP_CHANGES, true), second = count(WRAP_CHANGES, false);
  (void)printf("kills: %ld changes of files while rows are spooled, %ld while they are replayed\n", first, second);
  size_t of_first = options.all ? (size_t)first * 2 : points * 2 / 3, of_second = options.all ? (size_t)second * 2 : points / 3;
  for (size_t i = 0; i < of_first; i++) {
    long at = options.all ? (long)(i / 2) + 1 : 1 + random_below(first);
    wrap_plan plan = {.calls = WRAP_CHANGES, .at = at, .action = i % 2 ? WRAP_TORN : WRAP_KILL};
    try_point(plan, i % 4 == 1 ? 1 + random_below(2 * second) : 0);
  }
  for (size_t i = 0; i < of_second; i++) { /* the first life ends well */
    wrap_plan none = {.calls = WRAP_CHANGES};
    try_point(none, options.all ? (long)i + 1 : 1 + random_below(2 * second));
  }
}

static void try_failures(size_t points) {
  static const wrap_call calls[] = {WRAP_OPEN,  WRAP_PWRITE, WRAP_FDATASYNC, WRAP_FSYNC, WRAP_FTRUNCATE, WRAP_RENAME,
                                    WRAP_FCNTL, WRAP_FSTAT,  WRAP_CLOSE,     WRAP_THREAD, WRAP_MALLOC,   WRAP_RANDOM,
                                    WRAP_PREAD, WRAP_MKDIR,  WRAP_UNLINK,    WRAP_STAT};
  for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++) {
    fresh();
    long n = count(WRAP_BIT(calls[c]), true);
    const int *errors = wrap_errors(calls[c]);
    size_t most = options.all ? (size_t)n * 2 : points / (sizeof calls / sizeof calls[0]) + 1;
    for (size_t i = 0; n > 0 && i < most; i++) {
      wrap_plan plan = {.calls = WRAP_BIT(calls[c]), .at = options.all ? (long)(i / 2) + 1 : 1 + random_below(n),
                        .from_on = i % 2 == 1};
      size_t kinds = 0;
      while (kinds < 4 && errors[kinds] != 0) kinds++;
      int error = errors[(i / 2) % kinds];
      if (error == EINTR && plan.from_on) plan.from_on = false; /* for ever interrupted is for ever busy */
      plan.action = error == -1 ? WRAP_SHORT : WRAP_FAIL;
      plan.error = error == -1 ? EIO : error;
      failed++;
      try_point(plan, 0);
    }
  }
}

static bool read_arguments(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (!scenario_argument(&options, argc, argv, &i)) return false;
  }
  return options.scenario == NULL; /* it has one alone */
}

static void make_template(void *ctx) {
  life l;
  (void)ctx;
  if (begin_life(&l, false)) end_life(&l);
}

int main(int argc, char **argv) {
  char base[PATH_MAX];
  job none = {0};
  options.seed = (unsigned long)time(NULL);
  if (!read_arguments(argc, argv)) {
    (void)fprintf(stderr, "spool_faults [--all] [--points N] [--seed N] [--verbose]\n");
    return 2;
  }
  srandom((unsigned)options.seed);
  noted = mmap(NULL, sizeof *noted, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (noted == MAP_FAILED) return 2;
  scenario_temp(base);
  (void)snprintf(template_folder, sizeof template_folder, "%.4000s/template", base);
  (void)snprintf(store_folder, sizeof store_folder, "%.4000s/template", base);
  (void)snprintf(spool_folder, sizeof spool_folder, "%.4000s/spool", base);
  in_child(&none, make_template, "making the store");
  (void)snprintf(store_folder, sizeof store_folder, "%.4000s/store", base);
  (void)printf("seed %lu%s\n", options.seed, options.all ? ", every point" : "");
  try_kills(options.points / 2);
  try_failures(options.points / 2);
  (void)printf("%zu killed, %zu with a failing call, %zu bad\n", killed, failed, bad);
  scenario_remove(base);
  return bad > 0 || killed == 0;
}
