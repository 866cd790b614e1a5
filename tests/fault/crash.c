/*
 * Kill -9 at every call that changes a file: runs, also several that share transactions, an ingest and the making of a store are played in a child that dies
 * at the n-th of them, before it or half-way through what it writes. Then the store is opened again: it is whole, every
 * acknowledged cost row is there once, every call that the provider counted has an attempt, no document is half there,
 * and the next run succeeds. In one of four points the second life is killed as well, at a place of its own.
 *
 *   crash [--all] [--points N] [--seed N] [--scenario NAME] [--verbose]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "scenario.h"

enum { SECONDS = 150, SAMPLE = 120, SHOWN_MAX = 40, AGAIN_EVERY = 4 };

typedef struct job {
  scenario_kind scenario;
  wrap_plan plan;
  const char *folder;
  scenario_ledger *ledger;
} job;

static scenario_choice options = {.points = SAMPLE};

static char template_folder[PATH_MAX], work_folder[PATH_MAX];
static size_t killed, outlived, killed_again, bad;

static void play(void *ctx) {
  job *j = ctx;
  scenario_play(j->scenario, j->folder, &j->plan, false, j->ledger);
}

static void check(void *ctx) {
  job *j = ctx;
  scenario_check_store(j->folder, j->ledger);
}

/* The second life: opens, asks what was asked before and something new, adds a document. */
static void live_again(void *ctx) {
  job *j = ctx;
  wrap_arm(&j->plan);
  aiorch *orch = scenario_open(j->folder, j->ledger);
  bool good = orch != NULL && scenario_ask(orch, "How is a dump of kind 4 made?", j->ledger) &&
              scenario_ask(orch, "What comes after a fall?", j->ledger) && scenario_add(orch, 2, 5, j->ledger);
  if (good && j->scenario == SCENARIO_EMBED) good = scenario_embed(orch, j->ledger);
  if (!good) scenario_say(j->ledger, "after the kill the store is of no use");
  scenario_close(orch, j->ledger);
  wrap_pause();
}

/* True when it was killed. Any other end but a good one is bad. */
static bool in_child(job *j, void (*body)(void *), const char *what) {
  char words[80];
  int status = scenario_in_child(body, j, SECONDS);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && j->plan.at > 0) return true;
  const char *fate = scenario_fate(status, words);
  if (fate != NULL) scenario_say(j->ledger, "%s: %s", what, fate);
  return false;
}

static void prepare_folder(scenario_kind scenario) {
  if (scenario == SCENARIO_CREATE)
    scenario_remove(work_folder);
  else
    scenario_copy(template_folder, work_folder);
}

static void try_point(scenario_kind scenario, long at, bool torn, long second, scenario_ledger *ledger) {
  job j = {scenario, {.calls = WRAP_CHANGES, .at = at, .action = torn ? WRAP_TORN : WRAP_KILL}, work_folder, ledger};
  scenario_ledger_clear(ledger);
  prepare_folder(scenario);
  if (in_child(&j, play, "in the first life"))
    killed++;
  else
    outlived++;
  j.plan.at = 0;
  (void)in_child(&j, check, "at the check");
  if (second > 0) {
    j.plan.at = second;
    killed_again += in_child(&j, live_again, "in the second life");
    j.plan.at = 0;
    (void)in_child(&j, check, "at the second check");
  }
  (void)in_child(&j, live_again, "in the last life");
  (void)in_child(&j, check, "at the last check");
  bool is_bad = atomic_load(&ledger->said) > 0;
  bad += is_bad;
  if (!options.verbose && (!is_bad || bad > SHOWN_MAX)) return;
  (void)printf("  --scenario %s: change %ld, %s%s\n%.*s", scenario_name(scenario), at, torn ? "half-way" : "before it",
               second > 0 ? ", and again in the second life" : "", SCENARIO_SAID_MAX, ledger->words);
}

static long count_changes(scenario_kind scenario, scenario_ledger *ledger) {
  job j = {scenario, {.calls = WRAP_CHANGES}, work_folder, ledger};
  scenario_ledger_clear(ledger);
  prepare_folder(scenario);
  (void)in_child(&j, play, "without a kill");
  (void)in_child(&j, check, "without a kill");
  if (atomic_load(&ledger->said) > 0) {
    (void)printf("%s without a kill:\n%s", scenario_name(scenario), ledger->words);
    bad++;
  }
  return ledger->matched;
}

static long random_below(long n) {
  return n > 0 ? random() % n : 0;
}

static void try_scenario(scenario_kind scenario, size_t share, scenario_ledger *ledger) {
  long n = count_changes(scenario, ledger);
  (void)printf("%-7s %ld changes of files\n", scenario_name(scenario), n);
  size_t points = options.all ? (size_t)n * 2 : share;
  for (size_t i = 0; i < points; i++) {
    long at = options.all ? (long)(i / 2) + 1 : 1 + random_below(n);
    bool torn = options.all ? i % 2 == 1 : random_below(2) == 1;
    long second = i % AGAIN_EVERY == 0 ? 1 + random_below(n) : 0;
    try_point(scenario, at, torn, second, ledger);
    (void)fflush(stdout);
  }
}

static bool read_arguments(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (!scenario_argument(&options, argc, argv, &i)) return false;
  }
  return true;
}

int main(int argc, char **argv) {
  char base[PATH_MAX];
  options.seed = (unsigned long)time(NULL);
  if (!read_arguments(argc, argv)) {
    (void)fprintf(stderr, "crash [--all] [--points N] [--seed N] [--scenario NAME] [--verbose]\n");
    return 2;
  }
  srandom((unsigned)options.seed);
  scenario_temp(base);
  (void)snprintf(template_folder, sizeof template_folder, "%.4000s/template", base);
  (void)snprintf(work_folder, sizeof work_folder, "%.4000s/store", base);
  scenario_make_template(template_folder);
  scenario_ledger *ledger = scenario_ledger_new();
  (void)printf("seed %lu%s\n", options.seed, options.all ? ", every point" : "");
  for (int s = 0; s < SCENARIO_HTTP; s++)
    if (options.scenario == NULL || strcmp(options.scenario, scenario_name((scenario_kind)s)) == 0)
      try_scenario((scenario_kind)s, options.scenario != NULL ? options.points : options.points / SCENARIO_HTTP, ledger);
  (void)printf("%zu killed, %zu killed again in the second life, %zu outlived their plan, %zu bad\n", killed,
               killed_again, outlived, bad);
  scenario_remove(base);
  return bad > 0 || killed == 0;
}
