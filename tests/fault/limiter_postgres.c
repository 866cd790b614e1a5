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
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <aiorch/aiorch.h>

enum { PROCESSES = 4, THREADS = 16, LIMIT = 600, ROUNDS = 1, SECONDS = 60, KILLS = 6, CRASHES = 2, TRIES_MAX = 100000, SQL_MAX = 400, YEAR_S = 31536000 };

typedef enum kills { NONE, CLIENTS, BACKENDS, BOTH, CRASH, KILLS_COUNT } kills;

static const char *const KILLS_NAMES[] = {"quiet", "clients", "backends", "both", "crash"};
static const char *const FORMS[] = {"log", "rate"};

typedef struct slot {
  atomic_int in_flight; /* admissions that were asked for and not yet answered */
} slot;

/* Shared by all processes of a round. */
typedef struct board {
  atomic_bool go;
  atomic_int ready, admitted, refused, unknown, failed;
  slot slots[PROCESSES];
  char words[600];
} board;

typedef struct process {
  board *board;
  aiorch *orch;
  int number;
} process;

static int limit = LIMIT;

static void die(const char *what, const char *why) {
  printf("FAILED: %s: %s\n", what, why);
  exit(1);
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  if (value == NULL) die(name, "is not set");
  return value;
}

/* ---- a process that asks ------------------------------------------------------------------------------------------------- */

static void fail(board *b, const char *what, aiorch_status status, const aiorch_error *error) {
  if (atomic_fetch_add(&b->failed, 1) == 0)
    (void)snprintf(b->words, sizeof b->words, "%s: %s: %s", what, aiorch_status_name(status),
                   error != NULL ? aiorch_error_message(error) : "");
}

/* One admission: whether it was refused. */
static bool ask(process *p) {
  aiorch_run *run = NULL;
  board *b = p->board;
  aiorch_status status = aiorch_run_new(p->orch, "acme", 4, "u1", 2, &run);
  if (status == AIORCH_OK) status = aiorch_run_add_message(run, AIORCH_ROLE_USER, "May I?", 6);
  if (status != AIORCH_OK) {
    fail(b, "run", status, NULL);
    return true;
  }
  atomic_fetch_add(&b->slots[p->number].in_flight, 1);
  status = aiorch_stage_rate_limit(run);
  if (status == AIORCH_OK)
    atomic_fetch_add(&b->admitted, 1);
  else if (status == AIORCH_E_RATE_LIMITED)
    atomic_fetch_add(&b->refused, 1);
  else if (status == AIORCH_E_STORE_DOWN) /* whose connection was ended once too often: it may have been counted */
    atomic_fetch_add(&b->unknown, 1);
  else
    fail(b, "rate_limit", status, aiorch_run_error(run));
  atomic_fetch_sub(&b->slots[p->number].in_flight, 1);
  if (status == AIORCH_E_STORE_DOWN) (void)usleep(1000);
  if (status == AIORCH_E_RATE_LIMITED && aiorch_error_retry_after_ms(aiorch_run_error(run)) <= 0)
    fail(b, "a refusal without retry_after", status, NULL);
  aiorch_run_free(run);
  return status == AIORCH_E_RATE_LIMITED;
}

static void *work(void *ctx) {
  process *p = ctx;
  int refused = 0;
  atomic_fetch_add(&p->board->ready, 1);
  while (!atomic_load(&p->board->go)) (void)usleep(200);
  for (int i = 0; i < TRIES_MAX && refused < 3 && atomic_load(&p->board->failed) == 0; i++) refused += ask(p);
  return NULL;
}

static void run_process(board *b, const char *form, int number) {
  char settings[300];
  const char *url = variable("AIORCH_TEST_POSTGRES");
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  process p = {b, NULL, number};
  pthread_t threads[THREADS];
  (void)alarm(SECONDS);
  (void)snprintf(settings, sizeof settings,
                 "{\"rate_limit.requests\": %d, \"rate_limit.window_s\": %d, \"deadline_ms\": 60000, \"postgres.timeout_ms\": 30000,"
                 " \"postgres.limiter\": \"%s\", \"spool.mode\": \"off\"}",
                 limit, YEAR_S, form);
  aiorch_status status = aiorch_config_new(&config);
  if (status == AIORCH_OK) status = aiorch_error_new(&error);
  if (status == AIORCH_OK) status = aiorch_config_load_json(config, settings, strlen(settings), NULL, error);
  if (status == AIORCH_OK) status = aiorch_config_set_str(config, "store", url, strlen(url), error);
  for (int i = 0; status == AIORCH_OK && (i == 0 || p.orch == NULL) && i < 50; i++) { /* its first connection may be one that is ended */
    status = aiorch_open(config, &p.orch, error);
    if (status == AIORCH_E_STORE_DOWN) status = AIORCH_OK;
  }
  if (status != AIORCH_OK || p.orch == NULL) {
    fail(b, "open", status, error);
    _exit(1);
  }
  aiorch_error_free(error);
  aiorch_config_free(config);
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, work, &p) != 0) _exit(1);
  for (int i = 0; i < THREADS; i++) (void)pthread_join(threads[i], NULL);
  while (aiorch_close(p.orch, 1000) == AIORCH_AGAIN) {}
  _exit(aiorch_free(p.orch) == AIORCH_OK ? 0 : 1);
}

static pid_t start(board *b, const char *form, int number) {
  (void)fflush(NULL);
  pid_t pid = fork();
  if (pid < 0) die("fork", "failed");
  if (pid == 0) run_process(b, form, number);
  return pid;
}

/* ---- the server ------------------------------------------------------------------------------------------------------------ */

static int64_t admin(PGconn *pg, const char *sql) {
  PGresult *result = PQexec(pg, sql);
  ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) die(sql, PQerrorMessage(pg));
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
  pid_t victim = (pid_t)admin(pg, "SELECT pid FROM pg_stat_activity WHERE usename = 'app' ORDER BY state = 'active' DESC LIMIT 1");
  if (victim > 1 && kill(victim, SIGKILL) != 0) die("a backend", "cannot be ended");
  bool was_lost = victim <= 1;
  for (int i = 0; i < SECONDS * 100; i++) { /* it is still there for a moment */
    (void)usleep(10000);
    if (PQstatus(pg) == CONNECTION_OK) PQclear(PQexec(pg, "SELECT 1"));
    if (PQstatus(pg) == CONNECTION_OK && was_lost) return;
    was_lost = was_lost || PQstatus(pg) != CONNECTION_OK;
    if (PQstatus(pg) != CONNECTION_OK) PQreset(pg);
  }
  die("the server", "is not back");
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

/* Waits until a share of the limit has been admitted since. */
static void wait_share(board *b) {
  int from = atomic_load(&b->admitted);
  while (atomic_load(&b->admitted) < from + limit / (2 * KILLS) && atomic_load(&b->refused) == 0 && atomic_load(&b->failed) == 0)
    (void)usleep(100);
}

static bool round_of(PGconn *pg, kills how, const char *form) {
  board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pids[PROCESSES];
  int lost = 0, count = 0, died = 0;
  if (b == MAP_FAILED) die("mmap", "failed");
  (void)admin(pg, "TRUNCATE aiorch.admissions, aiorch.admission_rates");
  for (int i = 0; i < PROCESSES; i++) pids[i] = start(b, form, i);
  for (int i = 0; i < SECONDS * 1000 && atomic_load(&b->ready) < PROCESSES * THREADS && atomic_load(&b->failed) == 0; i++) (void)usleep(1000);
  atomic_store(&b->go, true);
  for (; how != NONE && count < (how == CRASH ? CRASHES : KILLS) && atomic_load(&b->refused) == 0 && atomic_load(&b->failed) == 0; count++) {
    wait_share(b);
    if (how == BACKENDS || (how == BOTH && random() % 2 == 0)) {
      lost += end_backends(pg);
      continue;
    }
    if (how == CRASH) {
      crash_backend(pg);
      lost += PROCESSES * THREADS;
      continue;
    }
    int victim = (int)(random() % PROCESSES);
    (void)kill(pids[victim], SIGKILL);
    (void)waitpid(pids[victim], NULL, 0);
    lost += atomic_exchange(&b->slots[victim].in_flight, 0);
    pids[victim] = start(b, form, victim);
  }
  for (int i = 0; i < PROCESSES; i++) {
    int status = 0;
    (void)waitpid(pids[i], &status, 0);
    died += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  }
  int admitted = atomic_load(&b->admitted), unknown = atomic_load(&b->unknown);
  int64_t rows = stored(pg, form);
  bool good = atomic_load(&b->failed) == 0 && died == 0 && rows == limit && (admitted <= limit || how == CRASH) && admitted >= limit - lost - unknown;
  (void)printf("%s, %s: limit %d, admitted %d, in the store %lld, refused %d; %d kills, %d in flight at them, %d unknown: %s\n", form,
               KILLS_NAMES[how], limit, admitted, (long long)rows, atomic_load(&b->refused), count, lost, unknown, good ? "ok" : "BAD");
  if (b->words[0] != '\0') (void)printf("  %d failed; the first: %s\n", atomic_load(&b->failed), b->words);
  if (died > 0) (void)printf("  %d processes ended badly\n", died);
  (void)munmap(b, sizeof *b);
  return good;
}

static void into_cluster(char **argv) {
  const char *root = getenv("AIORCH_ROOT"), *python = getenv("AIORCH_PYTHON");
  char script[4096];
  char *words[16] = {(char *)(uintptr_t)"python3", script, (char *)(uintptr_t)"--no-bouncer", (char *)(uintptr_t)"--"};
  if (getenv("AIORCH_TEST_POSTGRES") != NULL) return;
  snprintf(script, sizeof script, "%s/tests/postgres/cluster.py", root != NULL ? root : ".");
  for (size_t i = 0; argv[i] != NULL && i < 11; i++) words[4 + i] = argv[i];
  execvp(python != NULL ? python : "python3", words);
  perror(script);
  exit(1);
}

static void no_notice(void *ctx, const PGresult *result) {
  (void)ctx;
  (void)result;
}

int main(int argc, char **argv) {
  unsigned long seed = (unsigned long)time(NULL);
  int rounds = ROUNDS;
  bool good = true;
  into_cluster(argv);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--limit") == 0)
      limit = atoi(argv[i + 1]);
    else if (strcmp(argv[i], "--rounds") == 0)
      rounds = atoi(argv[i + 1]);
    else if (strcmp(argv[i], "--seed") == 0)
      seed = strtoul(argv[i + 1], NULL, 10);
  }
  srandom((unsigned)seed);
  (void)printf("%d processes of %d threads, seed %lu\n", PROCESSES, THREADS, seed);
  PGconn *pg = PQconnectdb(variable("AIORCH_TEST_POSTGRES_ADMIN"));
  (void)PQsetNoticeReceiver(pg, no_notice, NULL);
  for (int i = 0; i < rounds; i++)
    for (int form = 0; form < 2; form++)
      for (int how = NONE; how < KILLS_COUNT; how++) good = round_of(pg, (kills)how, FORMS[form]) && good;
  PQfinish(pg);
  return !good;
}
