/*
 * The limiter over processes: 16 threads in each of 4 processes ask for admission at once, on one store.
 *
 *   quiet   of a limit of N exactly N are admitted
 *   killed  processes are ended by SIGKILL among them and others take their place: never more than N, and at least N
 * less those that were in flight at the kills
 *
 *   limiter_processes [--limit N] [--rounds N] [--seed N]
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "scenario.h"

enum { PROCESSES = 4, THREADS = 16, LIMIT = 300, ROUNDS = 3, SECONDS = 120, KILLS = 6, ATTEMPTS_MAX = 4000 };

typedef struct slot {
  atomic_int in_flight; /* admissions that were asked for and not yet answered */
} slot;

/* Shared by all processes of a round. */
typedef struct board {
  atomic_bool go;
  atomic_int ready, admitted, refused, failed, finished;
  slot slots[PROCESSES];
  char words[600];
} board;

typedef struct process {
  board *board;
  const char *folder;
  aiorch *orch;
  int number;
} process;

static int limit = LIMIT;

static void fail(board *b, const char *what, aiorch_status status, const aiorch_error *error) {
  if (atomic_fetch_add(&b->failed, 1) == 0)
    (void)snprintf(b->words, sizeof b->words, "%s: %s: %s", what, aiorch_status_name(status),
                   error != NULL ? aiorch_error_message(error) : "");
}

/* One admission: 1 admitted, 0 refused, -1 failed. */
static int ask(process *p) {
  aiorch_run *run = NULL;
  board *b = p->board;
  aiorch_status status = aiorch_run_new(p->orch, "acme", 4, "u1", 2, &run);
  if (status == AIORCH_OK) status = aiorch_run_add_message(run, AIORCH_ROLE_USER, "May I?", 6);
  if (status != AIORCH_OK) {
    fail(b, "run", status, NULL);
    return -1;
  }
  atomic_fetch_add(&b->slots[p->number].in_flight, 1);
  status = aiorch_stage_rate_limit(run);
  if (status == AIORCH_OK)
    atomic_fetch_add(&b->admitted, 1);
  else if (status == AIORCH_E_RATE_LIMITED)
    atomic_fetch_add(&b->refused, 1);
  else
    fail(b, "rate_limit", status, aiorch_run_error(run));
  atomic_fetch_sub(&b->slots[p->number].in_flight, 1);
  if (status == AIORCH_E_RATE_LIMITED && aiorch_error_retry_after_ms(aiorch_run_error(run)) <= 0)
    fail(b, "a refusal without retry_after", status, NULL);
  aiorch_run_free(run);
  return status == AIORCH_OK ? 1 : status == AIORCH_E_RATE_LIMITED ? 0 : -1;
}

static void *work(void *ctx) {
  process *p = ctx;
  atomic_fetch_add(&p->board->ready, 1);
  while (!atomic_load(&p->board->go)) (void)usleep(200);
  int refused = 0;
  for (int i = 0; i < ATTEMPTS_MAX && refused < 3; i++) {
    int answer = ask(p);
    if (answer < 0) break;
    refused += answer == 0;
  }
  return NULL;
}

static void run_process(board *b, const char *folder, int number) {
  char settings[160];
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  process p = {b, folder, NULL, number};
  pthread_t threads[THREADS];
  (void)alarm(SECONDS);
  (void)snprintf(
    settings, sizeof settings,
    "{\"rate_limit.requests\": %d, \"rate_limit.window_s\": 3600, \"deadline_ms\": 60000, \"store.busy_ms\": 30000}",
    limit);
  aiorch_status status = aiorch_config_new(&config);
  if (status == AIORCH_OK) status = aiorch_error_new(&error);
  if (status == AIORCH_OK) status = aiorch_config_load_json(config, settings, strlen(settings), NULL, error);
  if (status == AIORCH_OK) status = aiorch_config_set_str(config, "store", folder, strlen(folder), error);
  if (status == AIORCH_OK) status = aiorch_open(config, &p.orch, error);
  if (status != AIORCH_OK) {
    fail(b, "open", status, error);
    exit(1);
  }
  aiorch_error_free(error);
  aiorch_config_free(config);
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, work, &p) != 0) exit(1);
  for (int i = 0; i < THREADS; i++) (void)pthread_join(threads[i], NULL);
  while (aiorch_close(p.orch, 1000) == AIORCH_AGAIN) {}
  (void)aiorch_free(p.orch);
  atomic_fetch_add(&b->finished, 1);
  exit(0);
}

static pid_t start(board *b, const char *folder, int number) {
  (void)fflush(NULL);
  pid_t pid = fork();
  if (pid < 0) abort();
  if (pid == 0) run_process(b, folder, number);
  return pid;
}

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

static void wait_ready(board *b, int wanted) {
  for (int i = 0; i < SECONDS * 1000 && atomic_load(&b->ready) < wanted && atomic_load(&b->failed) == 0; i++)
    (void)usleep(1000);
}

static bool round_of(bool kill_some, const char *folder) {
  board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pids[PROCESSES];
  int lost = 0, kills = 0, died = 0;
  if (b == MAP_FAILED) abort();
  scenario_remove(folder);
  for (int i = 0; i < PROCESSES; i++) pids[i] = start(b, folder, i);
  wait_ready(b, PROCESSES * THREADS);
  atomic_store(&b->go, true);
  while (kill_some && kills < KILLS && atomic_load(&b->admitted) + lost < limit) {
    int victim = (int)(random() % PROCESSES), from = atomic_load(&b->admitted);
    while (atomic_load(&b->admitted) < from + limit / (2 * KILLS) && atomic_load(&b->refused) == 0 &&
           atomic_load(&b->failed) == 0)
      (void)usleep(100);
    (void)kill(pids[victim], SIGKILL);
    (void)waitpid(pids[victim], NULL, 0);
    lost += atomic_exchange(&b->slots[victim].in_flight, 0);
    kills++;
    pids[victim] = start(b, folder, victim);
  }
  for (int i = 0; i < PROCESSES; i++) {
    int status = 0;
    (void)waitpid(pids[i], &status, 0);
    died += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  }
  int admitted = atomic_load(&b->admitted);
  int64_t rows = stored(folder);
  bool good =
    atomic_load(&b->failed) == 0 && died == 0 && rows == limit && admitted <= limit && admitted >= limit - lost;
  (void)printf("%s: limit %d, admitted %d, in the store %lld, refused %d; %d kills, %d in flight at them: %s\n",
               kill_some ? "killed" : "quiet ", limit, admitted, (long long)rows, atomic_load(&b->refused), kills, lost,
               good ? "ok" : "BAD");
  if (b->words[0] != '\0') (void)printf("  %d failed; the first: %s\n", atomic_load(&b->failed), b->words);
  if (died > 0) (void)printf("  %d processes ended badly\n", died);
  (void)munmap(b, sizeof *b);
  return good;
}

int main(int argc, char **argv) {
  unsigned long seed = (unsigned long)time(NULL);
  int rounds = ROUNDS;
  char base[PATH_MAX], folder[PATH_MAX];
  bool good = true;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--limit") == 0)
      limit = atoi(argv[i + 1]);
    else if (strcmp(argv[i], "--rounds") == 0)
      rounds = atoi(argv[i + 1]);
    else if (strcmp(argv[i], "--seed") == 0)
      seed = strtoul(argv[i + 1], NULL, 10);
  }
  srandom((unsigned)seed);
  scenario_temp(base);
  (void)snprintf(folder, sizeof folder, "%.4000s/store", base);
  (void)printf("%d processes of %d threads, seed %lu\n", PROCESSES, THREADS, seed);
  for (int i = 0; i < rounds; i++) {
    if (!round_of(false, folder)) good = false;
    if (!round_of(true, folder)) good = false;
  }
  scenario_remove(base);
  return !good;
}
