#include "limiter_race.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRIES_MAX = 100000, OPENS_MAX = 50, REFUSED_ENOUGH = 3 };

typedef struct process {
  race *race;
  aiorch *orch;
  int number;
} process;

void race_arguments(race_options *options, int argc, char **argv) {
  options->seed = (unsigned long)time(NULL);
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--limit") == 0)
      options->limit = atoi(argv[i + 1]);
    else if (strcmp(argv[i], "--rounds") == 0)
      options->rounds = atoi(argv[i + 1]);
    else if (strcmp(argv[i], "--seed") == 0)
      options->seed = strtoul(argv[i + 1], NULL, 10);
  }
  srandom((unsigned)options->seed);
  (void)printf("%d processes of %d threads, seed %lu\n", RACE_PROCESSES, RACE_THREADS, options->seed);
}

/* ---- a process that asks ------------------------------------------------------------------------------------------------- */

static void fail(race *r, const char *what, aiorch_status status, const aiorch_error *error) {
  if (atomic_fetch_add(&r->failed, 1) == 0)
    (void)snprintf(r->words, sizeof r->words, "%s: %s: %s", what, aiorch_status_name(status),
                   error != NULL ? aiorch_error_message(error) : "");
}

/* One admission: whether it was refused. */
static bool ask(process *p) {
  aiorch_run *run = NULL;
  race *r = p->race;
  aiorch_status status = aiorch_run_new(p->orch, "acme", 4, "u1", 2, &run);
  if (status == AIORCH_OK) status = aiorch_run_add_message(run, AIORCH_ROLE_USER, "May I?", 6);
  if (status != AIORCH_OK) {
    fail(r, "run", status, NULL);
    return true;
  }
  atomic_fetch_add(&r->in_flight[p->number], 1);
  status = aiorch_stage_rate_limit(run);
  bool away = status == AIORCH_E_STORE_DOWN && r->place->goes_away;
  if (status == AIORCH_OK)
    atomic_fetch_add(&r->admitted, 1);
  else if (status == AIORCH_E_RATE_LIMITED)
    atomic_fetch_add(&r->refused, 1);
  else if (away)
    atomic_fetch_add(&r->unknown, 1);
  else
    fail(r, "rate_limit", status, aiorch_run_error(run));
  atomic_fetch_sub(&r->in_flight[p->number], 1);
  if (away) (void)usleep(1000);
  if (status == AIORCH_E_RATE_LIMITED && aiorch_error_retry_after_ms(aiorch_run_error(run)) <= 0)
    fail(r, "a refusal without retry_after", status, NULL);
  aiorch_run_free(run);
  return status == AIORCH_E_RATE_LIMITED;
}

static void *work(void *ctx) {
  process *p = ctx;
  int refused = 0;
  atomic_fetch_add(&p->race->ready, 1);
  while (!atomic_load(&p->race->go)) (void)usleep(200);
  for (int i = 0; i < TRIES_MAX && refused < REFUSED_ENOUGH && atomic_load(&p->race->failed) == 0; i++) {
    bool last = atomic_load(&p->race->no_more_kills);
    if (ask(p) && last) refused++;
  }
  return NULL;
}

static void run_process(race *r, int number) {
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  process p = {r, NULL, number};
  pthread_t threads[RACE_THREADS];
  const race_place *place = r->place;
  (void)alarm(place->seconds);
  aiorch_status status = aiorch_config_new(&config);
  if (status == AIORCH_OK) status = aiorch_error_new(&error);
  if (status == AIORCH_OK) status = aiorch_config_load_json(config, place->settings, strlen(place->settings), NULL, error);
  if (status == AIORCH_OK) status = aiorch_config_set_str(config, "store", place->store, strlen(place->store), error);
  for (int i = 0; status == AIORCH_OK && p.orch == NULL && i < OPENS_MAX; i++) { /* its first connection may be one that is ended */
    status = aiorch_open(config, &p.orch, error);
    if (status == AIORCH_E_STORE_DOWN && place->goes_away) status = AIORCH_OK;
  }
  if (status != AIORCH_OK || p.orch == NULL) {
    fail(r, "open", status, error);
    exit(1);
  }
  aiorch_error_free(error);
  aiorch_config_free(config);
  for (int i = 0; i < RACE_THREADS; i++)
    if (pthread_create(&threads[i], NULL, work, &p) != 0) exit(1);
  for (int i = 0; i < RACE_THREADS; i++) (void)pthread_join(threads[i], NULL);
  while (aiorch_close(p.orch, 1000) == AIORCH_AGAIN) {}
  exit(aiorch_free(p.orch) == AIORCH_OK ? 0 : 1);
}

static void start(race *r, int number) {
  (void)fflush(NULL);
  pid_t pid = fork();
  if (pid < 0) abort();
  if (pid == 0) run_process(r, number);
  r->pids[number] = pid; /* by the parent alone: all of them see it */
}

/* ---- a round --------------------------------------------------------------------------------------------------------------- */

race *race_begin(const race_place *place) {
  race *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (r == MAP_FAILED) abort();
  r->place = place;
  for (int i = 0; i < RACE_PROCESSES; i++) start(r, i);
  for (unsigned i = 0; i < place->seconds * 1000 && atomic_load(&r->ready) < RACE_PROCESSES * RACE_THREADS && atomic_load(&r->failed) == 0; i++)
    (void)usleep(1000);
  atomic_store(&r->go, true);
  return r;
}

bool race_is_over(const race *r) {
  return atomic_load(&r->refused) != 0 || atomic_load(&r->failed) != 0;
}

void race_wait(race *r, int share) {
  int from = atomic_load(&r->admitted);
  while (atomic_load(&r->admitted) < from + share && !race_is_over(r)) (void)usleep(100);
}

void race_kill(race *r) {
  int victim = (int)(random() % RACE_PROCESSES);
  if (r->pids[victim] <= 0 || kill(r->pids[victim], SIGKILL) != 0) abort();
  (void)waitpid(r->pids[victim], NULL, 0);
  r->lost += atomic_exchange(&r->in_flight[victim], 0);
  start(r, victim);
}

void race_join(race *r) {
  atomic_store(&r->no_more_kills, true);
  for (int i = 0; i < RACE_PROCESSES; i++) {
    int status = 0;
    (void)waitpid(r->pids[i], &status, 0);
    r->died += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  }
}

bool race_end(race *r, const char *name, int limit, long long rows, int kills, bool may_be_more) {
  int admitted = atomic_load(&r->admitted), unknown = atomic_load(&r->unknown);
  bool good = atomic_load(&r->failed) == 0 && r->died == 0 && rows == limit && (admitted <= limit || may_be_more) &&
              admitted >= limit - r->lost - unknown;
  (void)printf("%s: limit %d, admitted %d, in the store %lld, refused %d; %d kills, %d in flight at them, %d unknown: %s\n", name, limit,
               admitted, rows, atomic_load(&r->refused), kills, r->lost, unknown, good ? "ok" : "BAD");
  if (r->words[0] != '\0') (void)printf("  %d failed; the first: %s\n", atomic_load(&r->failed), r->words);
  if (r->died > 0) (void)printf("  %d processes ended badly\n", r->died);
  (void)munmap(r, sizeof *r);
  return good;
}
