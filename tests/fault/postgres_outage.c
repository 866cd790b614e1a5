/*
 * A PostgreSQL server that is stopped at once under load, stays away while runs go on, and comes back: with rate_limit.on_store_down closed,
 * open and local. And one that is there but of no use ("open"): a backend that is stopped, no connection left, read-only, tables locked.
 *
 *   postgres_outage [SCENE]      starts the server itself (tests/postgres/cluster.py)
 *
 * What must hold: every run is back (how long after its deadline is printed: 100 ms are promised, which a busy machine may not
 * give); with open and local the provider is asked OUTAGE_CALLS times while the server is away; afterwards, with the spool
 * replayed, each call that the provider counted has exactly one attempt and its run one cost row, and there is no other but of
 * calls that were not made. A wait that takes longer than WATCHDOG_S ends the program.
 *
 * label: threads
 */
#include <grp.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <aiorch/aiorch.h>
#include <aiorch/spool.h>

enum {
  THREADS = 8,
  BEFORE_CALLS = 100,
  OUTAGE_CALLS = 1000,
  BROKEN_CALLS = 200,
  SLOW_CALLS = 60, /* where each waits for the server until a limit */
  REFUSALS = 200, /* in place of calls under "closed" */
  AFTER_CALLS = 100,
  CALLS_MAX = 1 << 20,
  DEADLINE_MS = 4000,
  STORE_MS = 500,
  SHORT_DEADLINE_MS = 300, /* passes first */
  LONG_STORE_MS = 10000,
  WATCHDOG_S = 30,
  ID_LEN = 36
};

typedef struct asked {
  char id[ID_LEN + 1];
  int attempts, costs;
} asked;

typedef struct scene {
  const char *name, *mode;
  void (*begin)(PGconn *pg);
  void (*end)(PGconn *pg);
  int calls;    /* of the provider while it lasts; under "closed", and where it is hasty, runs that fail */
  bool is_hasty; /* the deadline is shorter than what a call of the store may take */
} scene;

typedef struct bench {
  aiorch *orch;
  const scene *now;
  pid_t stopped; /* a backend */
  asked *calls;
  atomic_int called, good, refused, degraded, wrong;
  atomic_bool stop;
  _Atomic int64_t longest_us;
  pthread_mutex_t mutex;
  pthread_cond_t cond;
} bench;

static bench b;

static void die(const char *what, const char *why) {
  printf("  FAILED: %s: %s\n", what, why);
  exit(1);
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  if (value == NULL) die(name, "is not set");
  return value;
}

/* ---- the server --------------------------------------------------------------------------------------------------- */

static void into_cluster(char **argv) {
  const char *root = getenv("AIORCH_ROOT"), *python = getenv("AIORCH_PYTHON");
  char script[4096];
  if (getenv("AIORCH_TEST_POSTGRES") != NULL) return;
  snprintf(script, sizeof script, "%s/tests/postgres/cluster.py", root != NULL ? root : ".");
  execlp(python != NULL ? python : "python3", "python3", script, "--no-bouncer", "--", argv[0], argv[1], (char *)NULL);
  perror(script);
  exit(1);
}

/* As the one who runs the server, who alone may. */
static void pg_ctl(const char *const *arguments) {
  char program[4096];
  const char *argv[16] = {"pg_ctl", "-D", variable("AIORCH_TEST_POSTGRES_DATA"), "-s", "-w", "-t", "30"};
  int n = 7, how = 0;
  const struct passwd *user = getpwnam(variable("AIORCH_TEST_POSTGRES_USER"));
  snprintf(program, sizeof program, "%s/pg_ctl", variable("AIORCH_TEST_POSTGRES_BIN"));
  for (; *arguments != NULL; arguments++) argv[n++] = *arguments;
  if (user == NULL) die("pg_ctl", "no such user");
  pid_t child = fork();
  if (child == 0) {
    bool ok = geteuid() != 0 || (setgroups(0, NULL) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0);
    if (ok && chdir(argv[2]) == 0) execv(program, (char *const *)(uintptr_t)argv);
    _exit(127);
  }
  if (child < 0 || waitpid(child, &how, 0) != child || how != 0) die("pg_ctl", arguments[-1]);
}

static void stop_server(PGconn *pg) {
  (void)pg;
  const char *const arguments[] = {"-m", "immediate", "stop", NULL};
  pg_ctl(arguments);
}

static void start_server(PGconn *pg) {
  (void)pg;
  char port[32];
  const char *at = strrchr(variable("AIORCH_TEST_POSTGRES"), ':');
  snprintf(port, sizeof port, "-p %d", atoi(at + 1));
  const char *const arguments[] = {"-o", port, "-l", "again.log", "start", NULL};
  pg_ctl(arguments);
}

static PGresult *admin(PGconn *pg, const char *sql) {
  PGresult *result = PQexec(pg, sql);
  ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) die(sql, PQerrorMessage(pg));
  return result;
}

static void run_sql(PGconn *pg, const char *sql) {
  PQclear(admin(pg, sql));
}

#define END_ALL "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"

static void take_connections(PGconn *pg) {
  run_sql(pg, "ALTER ROLE app CONNECTION LIMIT 0");
  run_sql(pg, END_ALL);
}

static void give_connections(PGconn *pg) {
  run_sql(pg, "ALTER ROLE app CONNECTION LIMIT -1");
}

static void make_read_only(PGconn *pg) {
  run_sql(pg, "ALTER ROLE app SET default_transaction_read_only = on");
  run_sql(pg, END_ALL);
}

static void make_writable(PGconn *pg) {
  run_sql(pg, "ALTER ROLE app RESET default_transaction_read_only");
  run_sql(pg, END_ALL);
}

static void lock_tables(PGconn *pg) {
  run_sql(pg, "BEGIN");
  run_sql(pg, "LOCK TABLE aiorch.ai_api_calls, aiorch.ai_attempts, aiorch.admissions");
}

static void unlock_tables(PGconn *pg) {
  run_sql(pg, "COMMIT");
}

static void stop_backend(PGconn *pg) {
  PGresult *result = admin(pg, "SELECT pid FROM pg_stat_activity WHERE usename = 'app' ORDER BY state_change DESC LIMIT 1");
  b.stopped = PQntuples(result) == 1 ? (pid_t)atoi(PQgetvalue(result, 0, 0)) : 0;
  PQclear(result);
  if (b.stopped <= 0 || kill(b.stopped, SIGSTOP) != 0) die("a backend", "cannot be stopped");
}

static void continue_backend(PGconn *pg) {
  (void)pg;
  if (kill(b.stopped, SIGCONT) != 0) die("a backend", "is gone");
}

static const scene scenes[] = {
  {"closed", "closed", stop_server, start_server, REFUSALS, false},
  {"open", "open", stop_server, start_server, OUTAGE_CALLS, false},
  {"local", "local", stop_server, start_server, OUTAGE_CALLS, false},
  {"no connection left", "open", take_connections, give_connections, OUTAGE_CALLS, false},
  {"read-only", "open", make_read_only, make_writable, BROKEN_CALLS, false},
  {"tables locked", "open", lock_tables, unlock_tables, SLOW_CALLS, false},
  {"a backend stopped", "open", stop_backend, continue_backend, SLOW_CALLS, false},
  {"tables locked, little time", "open", lock_tables, unlock_tables, SLOW_CALLS, true},
  {"a backend stopped, little time", "open", stop_backend, continue_backend, 1, true},
};

/* ---- the provider, and the runs ----------------------------------------------------------------------------------- */

static aiorch_status answer(void *self, aiorch_call *call) {
  const char *id = "";
  size_t len = 0;
  (void)self;
  int at = atomic_fetch_add(&b.called, 1);
  if (at >= CALLS_MAX || aiorch_call_run_id(call, &id, &len) != AIORCH_OK || len != ID_LEN) die("provider", "a call without a run");
  memcpy(b.calls[at].id, id, ID_LEN);
  aiorch_call_emit(call, "Yes.", 4);
  aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, 12);
  aiorch_call_put_usage(call, AIORCH_USAGE_OUTPUT, 1);
  aiorch_call_put_finish_reason(call, AIORCH_FINISH_STOP);
  aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

static int64_t now_us(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void judge(aiorch_run *run, int64_t took_us) {
  aiorch_status status = aiorch_run_status(run);
  int64_t longest = atomic_load(&b.longest_us);
  while (took_us > longest && !atomic_compare_exchange_weak(&b.longest_us, &longest, took_us)) {}
  bool closed = strcmp(b.now->mode, "closed") == 0;
  if (status == AIORCH_OK)
    atomic_fetch_add(&b.good, 1);
  else if (status == AIORCH_E_DEADLINE || (closed && status == AIORCH_E_STORE_DOWN))
    atomic_fetch_add(&b.refused, 1);
  else if (atomic_fetch_add(&b.wrong, 1) < 3)
    printf("  FAILED: a run ended with %s: %s\n", aiorch_status_name(status), aiorch_error_message(aiorch_run_error(run)));
}

static void *work(void *ctx) {
  char question[64];
  for (long i = 0; !atomic_load(&b.stop); i++) {
    aiorch_run *run;
    int n = snprintf(question, sizeof question, "Is it %ld, thread %ld?", i, (long)(intptr_t)ctx);
    if (aiorch_run_new(b.orch, "acme", 4, "alice", 5, &run) != AIORCH_OK) die("aiorch_run_new", "failed");
    if (aiorch_run_add_message(run, AIORCH_ROLE_USER, question, (size_t)n) != AIORCH_OK) die("aiorch_run_add_message", "failed");
    int64_t begun = now_us();
    (void)aiorch_run_execute(run);
    judge(run, now_us() - begun);
    aiorch_run_free(run);
    pthread_mutex_lock(&b.mutex);
    pthread_cond_signal(&b.cond);
    pthread_mutex_unlock(&b.mutex);
  }
  return NULL;
}

static void wait_for(const char *what, atomic_int *count, int least) {
  struct timespec until;
  (void)clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += WATCHDOG_S;
  pthread_mutex_lock(&b.mutex);
  while (atomic_load(count) < least)
    if (pthread_cond_timedwait(&b.cond, &b.mutex, &until) != 0) die(what, "not within the time of the watchdog");
  pthread_mutex_unlock(&b.mutex);
}

static int deadline_of(const scene *s) {
  return s->is_hasty ? SHORT_DEADLINE_MS : DEADLINE_MS;
}

static void open_orch(void) {
  char json[8192];
  const char *base = getenv("AIORCH_TEST_TMP");
  aiorch_provider_vtbl vtbl;
  aiorch_config *config;
  aiorch_error *error;
  int n = snprintf(json, sizeof json,
                   "{\"store\": \"%s\", \"spool.path\": \"%s/spool-%s-%d\", \"deadline_ms\": %d, \"rate_limit.on_store_down\": \"%s\","
                   " \"rate_limit.requests\": 1000000, \"spool.replay_rate\": 100000, \"postgres.connect_timeout_ms\": %d,"
                   " \"postgres.timeout_ms\": %d, \"cache.mode\": \"off\"}",
                   variable("AIORCH_TEST_POSTGRES"), base != NULL ? base : "/tmp", b.now->mode, (int)getpid(),
                   deadline_of(b.now), b.now->mode, STORE_MS, b.now->is_hasty ? LONG_STORE_MS : STORE_MS);
  memset(&vtbl, 0, sizeof vtbl);
  vtbl.struct_size = sizeof vtbl;
  vtbl.model = "m";
  vtbl.generate = answer;
  if (aiorch_error_new(&error) != AIORCH_OK || aiorch_config_new(&config) != AIORCH_OK) abort();
  if (aiorch_config_load_json(config, json, (size_t)n, "outage", error) != AIORCH_OK) die("settings", aiorch_error_message(error));
  if (aiorch_config_add_provider(config, "counted", &vtbl, NULL, error) != AIORCH_OK || aiorch_open(config, &b.orch, error) != AIORCH_OK)
    die("aiorch_open", aiorch_error_message(error));
  aiorch_config_free(config);
  aiorch_error_free(error);
}

/* ---- what must be there afterwards -------------------------------------------------------------------------------- */

static int by_id(const void *one, const void *other) {
  return strcmp(((const asked *)one)->id, ((const asked *)other)->id);
}

/* The time was up between the row that says that a call is about to be made and the call: it has failed, and cost nothing. */
static bool was_not_made(const PGresult *rows, int i) {
  return atoi(PQgetvalue(rows, i, 1)) < 0 && strcmp(PQgetvalue(rows, i, 2), "0") == 0 && strcmp(PQgetvalue(rows, i, 3), "0") == 0;
}

static int count_rows(PGconn *pg, const char *sql, bool attempts) {
  PGresult *rows = admin(pg, sql);
  int strangers = 0;
  size_t n = (size_t)atomic_load(&b.called);
  for (int i = 0; i < PQntuples(rows); i++) {
    asked key = {{0}, 0, 0};
    snprintf(key.id, sizeof key.id, "%s", PQgetvalue(rows, i, 0));
    asked *found = bsearch(&key, b.calls, n, sizeof key, by_id);
    if (found == NULL) {
      strangers += !was_not_made(rows, i);
    } else if (attempts)
      found->attempts++;
    else
      found->costs++;
  }
  PQclear(rows);
  return strangers;
}

#define WHAT ", status, input_tokens + output_tokens, cost_nano_usd FROM aiorch."

static bool check_rows(void) {
  PGconn *pg = PQconnectdb(variable("AIORCH_TEST_POSTGRES_ADMIN"));
  int n = atomic_load(&b.called), bad = 0;
  qsort(b.calls, (size_t)n, sizeof b.calls[0], by_id);
  int strange = count_rows(pg, "SELECT run_id" WHAT "ai_attempts WHERE state = 1 AND provider = 'counted'", true);
  strange += count_rows(pg, "SELECT id" WHAT "ai_api_calls WHERE provider = 'counted'", false);
  PGresult *left = admin(pg, "SELECT count(*) FROM aiorch.ai_attempts WHERE state <> 1");
  int pending = atoi(PQgetvalue(left, 0, 0));
  PQclear(left);
  PQfinish(pg);
  for (int i = 0; i < n; i++) {
    if (b.calls[i].attempts == 1 && b.calls[i].costs == 1) continue;
    if (bad++ < 3) printf("  FAILED: run %s: %d attempts, %d cost rows\n", b.calls[i].id, b.calls[i].attempts, b.calls[i].costs);
  }
  printf("  %d calls of the provider: %d without exactly one row, %d rows of no call, %d pending\n", n, bad, strange, pending);
  return bad == 0 && strange == 0 && pending == 0;
}

static void replay(void) {
  aiorch_error *error;
  aiorch_text *text = NULL;
  int64_t give_up = now_us() + (int64_t)WATCHDOG_S * 1000000;
  aiorch_status status;
  if (aiorch_error_new(&error) != AIORCH_OK) abort();
  do {
    status = aiorch_spool_replay(b.orch, 0, 5000, &text, error);
    if (status != AIORCH_OK && status != AIORCH_AGAIN && status != AIORCH_E_STORE_DOWN) die("replay", aiorch_error_message(error));
    aiorch_text_free(text);
    text = NULL;
    if (now_us() > give_up) die("replay", "not within the time of the watchdog");
  } while (status != AIORCH_OK);
  aiorch_error_free(error);
}

static void begin(const scene *s) {
  PGconn *pg = PQconnectdb(variable("AIORCH_TEST_POSTGRES_ADMIN"));
  PQclear(admin(pg, "TRUNCATE aiorch.ai_api_calls, aiorch.ai_attempts, aiorch.admissions"));
  PQfinish(pg);
  b.now = s;
  atomic_store(&b.called, 0);
  atomic_store(&b.good, 0);
  atomic_store(&b.refused, 0);
  atomic_store(&b.wrong, 0);
  atomic_store(&b.longest_us, 0);
  atomic_store(&b.stop, false);
  memset(b.calls, 0, CALLS_MAX * sizeof b.calls[0]);
  open_orch();
}

static bool outage(const scene *s) {
  pthread_t threads[THREADS];
  begin(s);
  PGconn *pg = PQconnectdb(variable("AIORCH_TEST_POSTGRES_ADMIN"));
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i) != 0) abort();
  wait_for("calls before the outage", &b.called, BEFORE_CALLS);
  s->begin(pg);
  int64_t away = now_us();
  int before = atomic_load(&b.called), refused = atomic_load(&b.refused);
  if (s->is_hasty || strcmp(s->mode, "closed") == 0)
    wait_for("runs that fail", &b.refused, refused + s->calls);
  else
    wait_for("calls during the outage", &b.called, before + s->calls);
  int during = atomic_load(&b.called) - before;
  double seconds = (double)(now_us() - away) / 1e6;
  s->end(pg);
  PQfinish(pg);
  wait_for("calls after the outage", &b.called, atomic_load(&b.called) + AFTER_CALLS);
  atomic_store(&b.stop, true);
  for (int i = 0; i < THREADS; i++) (void)pthread_join(threads[i], NULL);
  replay();
  int64_t longest = atomic_load(&b.longest_us);
  printf("%s: %d calls before, %d in an outage of %.2f s; %d runs well, %d not; the longest run took %.1f ms, deadline %d ms\n", s->name, before,
         during, seconds, atomic_load(&b.good), atomic_load(&b.refused), (double)longest / 1e3, deadline_of(s));
  bool good = check_rows() && atomic_load(&b.wrong) == 0;
  if (longest > (int64_t)WATCHDOG_S * 1000000) good = printf("  FAILED: a run was late\n") < 0;
  while (aiorch_close(b.orch, 5000) == AIORCH_AGAIN) {}
  if (aiorch_free(b.orch) != AIORCH_OK) abort();
  return good;
}

int main(int argc, char **argv) {
  bool good = true;
  into_cluster(argv);
  setvbuf(stdout, NULL, _IOLBF, 0);
  b.calls = calloc(CALLS_MAX, sizeof b.calls[0]);
  if (b.calls == NULL || pthread_mutex_init(&b.mutex, NULL) != 0 || pthread_cond_init(&b.cond, NULL) != 0) abort();
  for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++)
    if (argc < 2 || strcmp(argv[1], scenes[i].name) == 0) good = outage(&scenes[i]) && good;
  free(b.calls);
  return !good;
}
