/*
 * A PostgreSQL server that is away or of no use while runs go on, and comes back (outage_faults.c says in how many ways), with
 * rate_limit.on_store_down closed, open and local.
 *
 *   postgres_outage [--mode closed|open|local] [--all] [FAULT]      starts the server itself (tests/postgres/cluster.py)
 *
 * What must hold: every run is back (how long after its deadline is printed: 100 ms are promised, which a busy machine may not
 * give); with open and local the provider is asked OUTAGE_CALLS times during the outage (SLOW_CALLS times where each waits for the
 * server, without --all); afterwards, with the spool replayed, each call that the provider counted has exactly one attempt and its
 * run one cost row, and there is no other but of calls that were not made. A wait that takes longer than WATCHDOG_S ends the program, and a
 * run that takes longer than LATE_S is a failure.
 *
 * label: threads
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <aiorch/aiorch.h>
#include <aiorch/spool.h>

#include "cluster.h"
#include "outage_faults.h"

enum {
  THREADS = 48,
  HASTY_THREADS = 8, /* so that a busy machine can do it in their time */
  BEFORE_CALLS = 100,
  OUTAGE_CALLS = 1000,
  SLOW_CALLS = 200,
  HASTY_RUNS = 60,
  UNHURT_RUNS = 1000, /* as many as go well beside a fault that nobody has met */
  REFUSALS = 200, /* in place of calls under "closed" */
  AFTER_CALLS = 100,
  CALLS_MAX = 1 << 20,
  DEADLINE_MS = 4000,
  STORE_MS = 400,
  SHORT_DEADLINE_MS = 300, /* passes first */
  LONG_STORE_MS = 10000,
  LATE_S = 30,
  WATCHDOG_S = 100,
  ALL_WATCHDOG_S = 300,
  GRACE_MS = 100,
  ID_LEN = 36
};

typedef struct asked {
  char id[ID_LEN + 1];
  int attempts, costs;
} asked;

typedef struct bench {
  aiorch *orch;
  const outage_fault *fault;
  const char *mode;
  bool all;
  asked *calls;
  atomic_int called, ended, good, refused, late, wrong;
  atomic_bool stop;
  _Atomic int64_t longest_us;
  pthread_mutex_t mutex;
  pthread_cond_t cond;
} bench;

static bench b;

/* ---- the provider, and the runs ----------------------------------------------------------------------------------- */

static aiorch_status answer(void *self, aiorch_call *call) {
  const char *id = "";
  size_t len = 0;
  (void)self;
  int at = atomic_fetch_add(&b.called, 1);
  if (at >= CALLS_MAX || aiorch_call_run_id(call, &id, &len) != AIORCH_OK || len != ID_LEN) cluster_die("provider", "a call without a run");
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

static int deadline_of(const outage_fault *fault) {
  return fault->is_hasty ? SHORT_DEADLINE_MS : DEADLINE_MS;
}

/* What "closed" says of a store that does not take the admission. */
static bool is_away(aiorch_status status) {
  return status == AIORCH_E_STORE_DOWN || status == AIORCH_E_STORE_FULL || status == AIORCH_E_STORE_READ_ONLY;
}

static void judge(aiorch_run *run, int64_t took_us) {
  aiorch_status status = aiorch_run_status(run);
  int64_t longest = atomic_load(&b.longest_us);
  atomic_fetch_add(&b.ended, 1);
  if (took_us > (deadline_of(b.fault) + GRACE_MS) * 1000LL) atomic_fetch_add(&b.late, 1);
  while (took_us > longest && !atomic_compare_exchange_weak(&b.longest_us, &longest, took_us)) {}
  bool closed = strcmp(b.mode, "closed") == 0;
  if (status == AIORCH_OK)
    atomic_fetch_add(&b.good, 1);
  else if (status == AIORCH_E_DEADLINE || (closed && is_away(status)))
    atomic_fetch_add(&b.refused, 1);
  else if (atomic_fetch_add(&b.wrong, 1) < 3)
    printf("  FAILED: a run ended with %s: %s\n", aiorch_status_name(status), aiorch_error_message(aiorch_run_error(run)));
}

static void *work(void *ctx) {
  char question[64];
  for (long i = 0; !atomic_load(&b.stop); i++) {
    aiorch_run *run;
    int n = snprintf(question, sizeof question, "Is it %ld, thread %ld?", i, (long)(intptr_t)ctx);
    if (aiorch_run_new(b.orch, "acme", 4, "alice", 5, &run) != AIORCH_OK) cluster_die("aiorch_run_new", "failed");
    if (aiorch_run_add_message(run, AIORCH_ROLE_USER, question, (size_t)n) != AIORCH_OK) cluster_die("aiorch_run_add_message", "failed");
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

static void wait_for_either(const char *what, atomic_int *count, int least, atomic_int *other, int other_least) {
  struct timespec until;
  (void)clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += b.all ? ALL_WATCHDOG_S : WATCHDOG_S;
  pthread_mutex_lock(&b.mutex);
  while (atomic_load(count) < least && atomic_load(other) < other_least)
    if (pthread_cond_timedwait(&b.cond, &b.mutex, &until) != 0) cluster_die(what, "not within the time of the watchdog");
  pthread_mutex_unlock(&b.mutex);
}

static void wait_for(const char *what, atomic_int *count, int least) { wait_for_either(what, count, least, count, least); }

/* The store's time is short here: a server that stood still for so long is asked once more. */
static bool open_in_time(aiorch_config *config, aiorch_error *error) {
  int64_t give_up = now_us() + (int64_t)WATCHDOG_S * 1000000;
  aiorch_status status;
  do status = aiorch_open(config, &b.orch, error);
  while (status == AIORCH_E_STORE_DOWN && now_us() < give_up);
  return status == AIORCH_OK;
}

static void open_orch(void) {
  char json[8192], url[1024];
  const char *base = getenv("AIORCH_TEST_TMP");
  aiorch_provider_vtbl vtbl;
  aiorch_config *config;
  aiorch_error *error;
  outage_url(url, sizeof url);
  int n = snprintf(json, sizeof json,
                   "{\"store\": \"%s\", \"spool.path\": \"%s/spool-%s-%d\", \"deadline_ms\": %d, \"rate_limit.on_store_down\": \"%s\","
                   " \"rate_limit.requests\": 1000000, \"spool.replay_rate\": 100000, \"postgres.connect_timeout_ms\": %d,"
                   " \"postgres.timeout_ms\": %d, \"cache.mode\": \"off\"}",
                   url, base != NULL ? base : "/tmp", b.mode, (int)getpid(),
                   deadline_of(b.fault), b.mode, STORE_MS, b.fault->is_hasty ? LONG_STORE_MS : STORE_MS);
  memset(&vtbl, 0, sizeof vtbl);
  vtbl.struct_size = sizeof vtbl;
  vtbl.model = "m";
  vtbl.generate = answer;
  if (aiorch_error_new(&error) != AIORCH_OK || aiorch_config_new(&config) != AIORCH_OK) abort();
  if (aiorch_config_load_json(config, json, (size_t)n, "outage", error) != AIORCH_OK) cluster_die("settings", aiorch_error_message(error));
  if (aiorch_config_add_provider(config, "counted", &vtbl, NULL, error) != AIORCH_OK || !open_in_time(config, error))
    cluster_die("aiorch_open", aiorch_error_message(error));
  aiorch_config_free(config);
  aiorch_error_free(error);
}

static void close_orch(void) {
  while (aiorch_close(b.orch, 5000) == AIORCH_AGAIN) {}
  if (aiorch_free(b.orch) != AIORCH_OK) abort();
}

/* ---- what must be there afterwards -------------------------------------------------------------------------------- */

static int by_id(const void *one, const void *other) {
  return strcmp(((const asked *)one)->id, ((const asked *)other)->id);
}

/* The time was up between the row that says that a call is about to be made and the call: it has failed, and cost nothing. */
static bool was_not_made(const PGresult *rows, int i) {
  return atoi(PQgetvalue(rows, i, 1)) < 0 && strcmp(PQgetvalue(rows, i, 2), "0") == 0 && strcmp(PQgetvalue(rows, i, 3), "0") == 0;
}

static void tell_row(const char *what, const PGresult *rows, int i) {
  printf("  FAILED: run %s: %s: status %s, tokens %s, cost %s\n", PQgetvalue(rows, i, 0), what, PQgetvalue(rows, i, 1),
         PQgetvalue(rows, i, 2), PQgetvalue(rows, i, 3));
}

static int count_rows(PGconn *pg, const char *sql, bool attempts) {
  PGresult *rows = outage_sql(pg, sql);
  int strangers = 0;
  size_t n = (size_t)atomic_load(&b.called);
  for (int i = 0; i < PQntuples(rows); i++) {
    asked key = {{0}, 0, 0};
    snprintf(key.id, sizeof key.id, "%s", PQgetvalue(rows, i, 0));
    asked *found = bsearch(&key, b.calls, n, sizeof key, by_id);
    if (found == NULL && was_not_made(rows, i)) continue;
    if (found == NULL) {
      if (strangers++ < 3) tell_row("no call has made it", rows, i);
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
  PGconn *pg = outage_admin();
  int n = atomic_load(&b.called), bad = 0;
  qsort(b.calls, (size_t)n, sizeof b.calls[0], by_id);
  int strange = count_rows(pg, "SELECT run_id" WHAT "ai_attempts WHERE state = 1 AND provider = 'counted'", true);
  strange += count_rows(pg, "SELECT id" WHAT "ai_api_calls WHERE provider = 'counted'", false);
  PGresult *left = outage_sql(pg, "SELECT run_id" WHAT "ai_attempts WHERE state <> 1");
  int pending = PQntuples(left);
  for (int i = 0; i < pending && i < 3; i++) tell_row("it is not settled", left, i);
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
    if (status != AIORCH_OK && status != AIORCH_AGAIN && status != AIORCH_E_STORE_DOWN) cluster_die("replay", aiorch_error_message(error));
    aiorch_text_free(text);
    text = NULL;
    if (now_us() > give_up) {
      printf("  the last replay ended with %s: %s\n", aiorch_status_name(status), aiorch_error_message(error));
      cluster_die("replay", "not within the time of the watchdog");
    }
  } while (status != AIORCH_OK);
  aiorch_error_free(error);
}

static void begin(const outage_fault *fault) {
  PGconn *pg = outage_admin();
  int late = outage_end_sessions(pg); /* else what the server still does for the fault before comes after the emptying */
  if (late > 0) printf("%s: %d sessions of the fault before had outlived their client\n", fault->name, late);
  PQclear(outage_sql(pg, "TRUNCATE aiorch.ai_api_calls, aiorch.ai_attempts, aiorch.admissions"));
  PQfinish(pg);
  if (fault->needs_standby) outage_make_standby();
  b.fault = fault;
  atomic_store(&b.called, 0);
  atomic_store(&b.ended, 0);
  atomic_store(&b.good, 0);
  atomic_store(&b.refused, 0);
  atomic_store(&b.late, 0);
  atomic_store(&b.wrong, 0);
  atomic_store(&b.longest_us, 0);
  atomic_store(&b.stop, false);
  memset(b.calls, 0, CALLS_MAX * sizeof b.calls[0]);
  open_orch();
}

/* As long as it takes: under "closed" it is runs that fail, with little time runs that end, well or not; else calls of the provider. */
static void wait_through(const outage_fault *fault, PGconn *pg, int called, int refused) {
  if (strcmp(b.mode, "closed") == 0 && !fault->is_hasty && !fault->is_slight)
    wait_for("runs that fail", &b.refused, refused + REFUSALS);
  else if (fault->is_hasty && fault->is_slight)
    while (atomic_load(&b.refused) <= refused) { /* runs that go well have not met it: once more */
      wait_for_either("a run that fails", &b.refused, refused + 1, &b.good, atomic_load(&b.good) + UNHURT_RUNS);
      if (atomic_load(&b.refused) <= refused) fault->begin(pg);
    }
  else if (fault->is_hasty)
    wait_for("runs that end", &b.ended, atomic_load(&b.ended) + HASTY_RUNS);
  else if (strcmp(b.mode, "closed") == 0) /* what stands still may hold the lock of the limit that all ask for: then all fail */
    wait_for_either("calls or failures during the outage", &b.called, called + OUTAGE_CALLS, &b.refused, refused + REFUSALS);
  else
    wait_for("calls during the outage", &b.called, called + (fault->is_slow && !b.all ? SLOW_CALLS : OUTAGE_CALLS));
}

static bool outage(const outage_fault *fault) {
  pthread_t threads[THREADS];
  int thread_count = fault->is_hasty ? HASTY_THREADS : THREADS;
  begin(fault);
  PGconn *pg = outage_admin();
  for (int i = 0; i < thread_count; i++)
    if (pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i) != 0) abort();
  wait_for("calls before the outage", &b.called, BEFORE_CALLS);
  fault->begin(pg);
  int64_t away = now_us();
  int before = atomic_load(&b.called), refused = atomic_load(&b.refused);
  wait_through(fault, pg, before, refused);
  int during = atomic_load(&b.called) - before;
  double seconds = (double)(now_us() - away) / 1e6;
  fault->end(pg);
  PQfinish(pg);
  wait_for("calls after the outage", &b.called, atomic_load(&b.called) + AFTER_CALLS);
  atomic_store(&b.stop, true);
  for (int i = 0; i < thread_count; i++) (void)pthread_join(threads[i], NULL);
  close_orch(); /* with it what still settles runs that were out of time */
  open_orch();
  replay();
  int64_t longest = atomic_load(&b.longest_us);
  printf("%s, %s: %d calls before, %d in an outage of %.2f s; %d runs well, %d not; the longest run took %.1f ms, deadline %d ms, %d late\n",
         b.mode, fault->name, before, during, seconds, atomic_load(&b.good), atomic_load(&b.refused), (double)longest / 1e3,
         deadline_of(fault), atomic_load(&b.late));
  bool good = check_rows() && atomic_load(&b.wrong) == 0;
  if (longest > (int64_t)LATE_S * 1000000) good = printf("  FAILED: a run was late\n") < 0;
  close_orch();
  return good;
}

int main(int argc, char **argv) {
  bool good = true;
  const char *only = NULL;
  outage_into_cluster(argv);
  setvbuf(stdout, NULL, _IOLBF, 0);
  b.mode = "open";
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--all") == 0)
      b.all = true;
    else if (strcmp(argv[i], "--mode") == 0 && i + 1 < argc)
      b.mode = argv[++i];
    else
      only = argv[i];
  }
  b.calls = calloc(CALLS_MAX, sizeof b.calls[0]);
  if (b.calls == NULL || pthread_mutex_init(&b.mutex, NULL) != 0 || pthread_cond_init(&b.cond, NULL) != 0) abort();
  (void)atexit(outage_end_standby);
  for (const outage_fault *fault = OUTAGE_FAULTS; fault->name != NULL; fault++) {
    if (only != NULL && strcmp(only, fault->name) != 0) continue;
    if (!outage_is_possible(fault))
      printf("left out: %s\n", fault->name);
    else
      good = outage(fault) && good;
  }
  free(b.calls);
  return !good;
}
