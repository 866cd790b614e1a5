/*
 * Everything that can fail, fails: the fallible calls of each scenario are counted, then the scenario is played again
 * and again, each time with one of them failing, once and from then on, with each error that it knows. Nothing may
 * crash, leak, hang, lose an acknowledged cost row, damage the store, or return what its contract does not name; after
 * a fault that has passed the same handle works.
 *
 *   torture [--all] [--part K/N] [--points N] [--seed N] [--only CALL] [--at N] [--scenario NAME] [--list] [--verbose]
 *
 * Without --all it takes a sample of N points (200), spread over all calls, by a seed that it prints. --part K/N is
 * every Nth point of all, from the Kth: the N parts together are --all, and each alone is spread over everything.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "scenario.h"

#ifdef AIORCH_WITH_HTTP
enum { WITH_HTTP = 1 };
#else
enum { WITH_HTTP = 0 };
#endif

enum { HANG_SECONDS = 150, ERRORS_MAX = 4, SAMPLE = 200, STATUS_KINDS = 64, SHOWN_MAX = 40 };

typedef struct point {
  scenario_kind scenario;
  wrap_call call;
  long at;
  bool from_on;
  int error; /* -1: WRAP_SHORT */
} point;

typedef struct job {
  point point;
  const char *folder;
  scenario_ledger *ledger;
} job;

static scenario_choice options = {.points = SAMPLE};
static struct {
  bool list;
  size_t part, parts; /* parts 0: not divided */
  const char *only;
  long at;            /* only the calls with this number; 0: any */
} narrowed;

static char template_folder[PATH_MAX], work_folder[PATH_MAX];
static size_t bad_points, injected_points, missed_points, outcomes[STATUS_KINDS];

/* ---- one point --------------------------------------------------------------------------------------------------- */

static void play(void *ctx) {
  job *j = ctx;
  const point *p = &j->point;
  wrap_plan plan = {.calls = WRAP_BIT(p->call),
                    .at = p->at,
                    .from_on = p->from_on,
                    .action = p->error < 0 ? WRAP_SHORT : WRAP_FAIL,
                    .error = p->error < 0 ? 0 : p->error};
  scenario_play(p->scenario, j->folder, &plan, p->at > 0, j->ledger);
}

static void check(void *ctx) {
  job *j = ctx;
  scenario_check_store(j->folder, j->ledger);
}

/* The store is opened again by the library, and answers. */
static void reopen(void *ctx) {
  job *j = ctx;
  aiorch *orch = scenario_open(j->folder, j->ledger);
  if (orch == NULL || !scenario_ask(orch, "Is it still there?", j->ledger))
    scenario_say(j->ledger, "the store is of no use: %s", j->ledger->last);
  scenario_close(orch, j->ledger);
}

static void in_child(job *j, void (*body)(void *), const char *what) {
  char words[80];
  const char *fate = scenario_fate(scenario_in_child(body, j, HANG_SECONDS), words);
  if (fate != NULL) scenario_say(j->ledger, "%s: %s", what, fate);
}

static void prepare_folder(scenario_kind scenario) {
  if (scenario == SCENARIO_CREATE)
    scenario_remove(work_folder);
  else
    scenario_copy(template_folder, work_folder);
}

static void print_point(const point *p) {
  (void)printf("  --scenario %s --only %s: call %ld, %s, %s", scenario_name(p->scenario), wrap_name(p->call), p->at,
               p->from_on ? "from then on" : "once", p->error < 0 ? "short" : strerror(p->error));
}

static void count_outcomes(const scenario_ledger *ledger) {
  int n = atomic_load(&ledger->statuses);
  for (int i = 0; i < n && i < SCENARIO_STATUS_MAX; i++) {
    aiorch_status status = ledger->status[i];
    size_t slot = status >= 0 ? 0 : (size_t)(-status % 100) + (status <= -600 ? 20 : status <= -500 ? 40 : 0);
    if (slot < STATUS_KINDS) outcomes[slot]++;
  }
}

static void try_point(const point *p, scenario_ledger *ledger) {
  job j = {*p, work_folder, ledger};
  scenario_ledger_clear(ledger);
  prepare_folder(p->scenario);
  in_child(&j, play, "under the fault");
  count_outcomes(ledger);
  long injected = ledger->injected;
  in_child(&j, check, "while it was checked");
  in_child(&j, reopen, "after the fault");
  in_child(&j, check, "at the last check");
  injected_points += injected > 0;
  missed_points += injected == 0;
  bool bad = atomic_load(&ledger->said) > 0;
  bad_points += bad;
  if (options.verbose || (bad && bad_points <= SHOWN_MAX)) {
    print_point(p);
    (void)printf(": %s\n", bad ? "" : "ok");
    if (bad) (void)printf("%.*s", SCENARIO_SAID_MAX, ledger->words);
  }
}

/* ---- all points -------------------------------------------------------------------------------------------------- */

static void count_calls(scenario_kind scenario, scenario_ledger *ledger, long counts[WRAP_CALLS]) {
  job j = {{.scenario = scenario, .call = WRAP_ALLOC}, work_folder, ledger};
  scenario_ledger_clear(ledger);
  prepare_folder(scenario);
  in_child(&j, play, "without a fault");
  in_child(&j, check, "without a fault");
  for (int i = 0; i < WRAP_CALLS; i++) counts[i] = ledger->counts[i];
  if (atomic_load(&ledger->said) == 0) return;
  (void)printf("%s without a fault:\n%s", scenario_name(scenario), ledger->words);
  bad_points++;
}

static size_t expand(scenario_kind scenario, wrap_call call, long count, point *out) {
  size_t n = 0;
  if (count == 0) return 0;
  for (long at = narrowed.at > 0 ? narrowed.at : 1; at <= (narrowed.at > 0 ? narrowed.at : count); at++)
    for (int e = 0; e < ERRORS_MAX && wrap_errors(call)[e] != 0; e++)
      for (int from_on = 0; from_on < 2; from_on++) {
        int error = wrap_errors(call)[e];
        if (from_on && (error == -1 || error == EINTR)) continue; /* no system is like that for ever */
        if (out != NULL) out[n] = (point){scenario, call, at, from_on != 0, error};
        n++;
      }
  return n;
}

static size_t random_below(size_t n) {
  return n == 0 ? 0 : ((size_t)random() << 8 ^ (size_t)random()) % n;
}

/* A sample that every call has a share in, not by how often it is made: allocations would have nearly all. */
static size_t sample(point *all, const size_t *ends, size_t groups, size_t wanted) {
  size_t kept = 0, begin = 0;
  point *out = malloc((wanted + groups) * sizeof *out);
  if (out == NULL) abort();
  for (size_t g = 0; g < groups; begin = ends[g++]) {
    size_t share = (wanted - kept + (groups - g) - 1) / (groups - g), n = ends[g] - begin;
    for (size_t i = 0; i < share && i < n; i++) {
      size_t other = begin + i + random_below(n - i);
      point swap = all[begin + i];
      all[begin + i] = all[other];
      all[other] = swap;
      out[kept++] = all[begin + i];
    }
  }
  memcpy(all, out, kept * sizeof *out);
  free(out);
  return kept;
}

static bool chosen(const char *wanted, const char *name) {
  return wanted == NULL || strcmp(wanted, name) == 0;
}

static size_t part_of(point *all, size_t n) {
  size_t kept = 0;
  for (size_t i = narrowed.part - 1; i < n; i += narrowed.parts) all[kept++] = all[i];
  return kept;
}

static size_t collect(scenario_ledger *ledger, point **points, size_t *total) {
  static size_t ends[SCENARIO_KINDS * WRAP_CALLS];
  long counts[SCENARIO_KINDS][WRAP_CALLS] = {{0}};
  size_t n = 0, groups = 0;
  for (int s = 0; s < SCENARIO_KINDS; s++) {
    bool over_http = s == SCENARIO_HTTP || s == SCENARIO_HTTP_OPEN;
    if ((over_http && !WITH_HTTP) || !chosen(options.scenario, scenario_name((scenario_kind)s))) continue;
    count_calls((scenario_kind)s, ledger, counts[s]);
    (void)printf("%-7s", scenario_name((scenario_kind)s));
    for (int c = 0; c < WRAP_CALLS; c++) {
      if (counts[s][c] > 0) (void)printf(" %s %ld", wrap_name((wrap_call)c), counts[s][c]);
      if (chosen(narrowed.only, wrap_name((wrap_call)c)))
        n += expand((scenario_kind)s, (wrap_call)c, counts[s][c], NULL);
      else
        counts[s][c] = 0;
    }
    (void)printf("\n");
  }
  *total = n;
  *points = malloc((n + 1) * sizeof **points);
  if (*points == NULL) abort();
  n = 0;
  for (int s = 0; s < SCENARIO_KINDS; s++)
    for (int c = 0; c < WRAP_CALLS; c++) {
      size_t more = expand((scenario_kind)s, (wrap_call)c, counts[s][c], *points + n);
      n += more;
      if (more > 0) ends[groups++] = n;
    }
  if (narrowed.parts > 0) return part_of(*points, n);
  return options.all || groups == 0 ? n : sample(*points, ends, groups, options.points < n ? options.points : n);
}

static bool read_part(const char *text) {
  char *slash, *end;
  narrowed.part = strtoul(text, &slash, 10);
  narrowed.parts = *slash == '/' ? strtoul(slash + 1, &end, 10) : 0;
  options.all = true;
  return narrowed.part >= 1 && narrowed.part <= narrowed.parts && *end == '\0';
}

static int usage(void) {
  (void)fprintf(stderr, "torture [--all] [--part K/N] [--points N] [--seed N] [--only CALL] [--at N] [--scenario NAME] "
                        "[--list] [--verbose]\n");
  return 2;
}

static bool read_arguments(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    bool more = i + 1 < argc;
    if (scenario_argument(&options, argc, argv, &i)) continue;
    if (strcmp(argv[i], "--list") == 0)
      narrowed.list = true;
    else if (strcmp(argv[i], "--part") == 0 && more) {
      if (!read_part(argv[++i])) return false;
    } else if (strcmp(argv[i], "--at") == 0 && more)
      options.all = (narrowed.at = strtol(argv[++i], NULL, 10)) > 0;
    else if (strcmp(argv[i], "--only") == 0 && more)
      narrowed.only = argv[++i];
    else
      return false;
  }
  return true;
}

int main(int argc, char **argv) {
  char base[PATH_MAX];
  point *points = NULL;
  size_t total = 0;
  options.seed = (unsigned long)time(NULL);
  if (!read_arguments(argc, argv)) return usage();
  srandom((unsigned)options.seed);
  scenario_temp(base);
  (void)snprintf(template_folder, sizeof template_folder, "%.4000s/template", base);
  (void)snprintf(work_folder, sizeof work_folder, "%.4000s/store", base);
  scenario_make_template(template_folder);
  scenario_ledger *ledger = scenario_ledger_new();
  scenario_http_begin(ledger);
  size_t n = collect(ledger, &points, &total);
  (void)printf("%zu of %zu points, seed %lu\n", n, total, options.seed);
  for (size_t i = 0; i < n && !narrowed.list; i++) {
    try_point(&points[i], ledger);
    (void)fflush(stdout);
  }
  (void)printf("%zu faults injected, %zu points not reached, %zu bad; %zu calls succeeded all the same\n",
               injected_points, missed_points, bad_points, outcomes[0]);
  free(points);
  scenario_http_end();
  scenario_remove(base);
  return bad_points > 0 || (n == 0 && !narrowed.list);
}
