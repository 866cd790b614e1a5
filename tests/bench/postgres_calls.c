/*
 * Calls of the ledger of a PostgreSQL store, and whole runs on it, with a provider that answers at once. Inside a cluster:
 *
 *   python3 tests/postgres/cluster.py --durable -- build/tests/bench/postgres_calls [SECONDS [URL]]
 *
 * One after the other: p50 and p99 of each call. In flight: as many threads as told, each with a call under way all the time.
 */
#include <aiorch/aiorch.h>
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stores/store.h"
#include "support/figures.h"
#include "support/store_call.h"

enum { SAMPLES_MAX = 1 << 20, THREADS_MAX = 64, ONE_BY_ONE = 1000 };

typedef enum what { ADMIT_ONE_KEY, ADMIT_MANY_KEYS, RATE_ONE_KEY, RATE_MANY_KEYS, ATTEMPT, SETTLE, RUN } what;
static const char *const NAMES[] = {"admit, one key",    "admit, 1,000 keys", "admit by rate, one key", "admit by rate, 1,000 keys",
                                    "attempt (pending)", "settle",            "whole run, miss"};

static aio__store *store, *rate_store;
static aiorch *orch;
static _Atomic uint64_t number;
static int seconds = 3;

static void call(store_call *w, what kind) {
  const aio__str tenant = AIO__LIT("acme");
  char id[AIO__UUID_LEN + 1];
  int64_t now_ms = aio__clock_wall_ms(aio__clock_system());
  uint64_t n = number++;
  if (aio__uuid_v7(now_ms, id) != AIORCH_OK) die("an id", "none");
  if (kind <= RATE_MANY_KEYS) {
    aio__store *s = kind >= RATE_ONE_KEY ? rate_store : store;
    aio__constraint c = {.kind = AIO__LIMIT_RUNS, .window_ms = 1000, .limit = 1000000000, .amount = 1};
    aio__admission out;
    snprintf(c.key, sizeof c.key, "runs:user:%" PRIu64, kind == ADMIT_ONE_KEY || kind == RATE_ONE_KEY ? 0 : n % 1000);
    store_call_end(w, s->ledger->admit(s, store_call_begin(w), tenant, aio__str_z(id), &c, 1, now_ms, &out));
    return;
  }
  aio__attempt_row a = {.state = kind == SETTLE ? AIO__ATTEMPT_SETTLED : AIO__ATTEMPT_PENDING, .provider = AIO__LIT("p"),
                        .model = AIO__LIT("m"), .request_id = AIO__LIT("r"), .created_ms = now_ms, .lease_until_ms = now_ms + 600000};
  memcpy(a.id, id, sizeof a.id);
  memcpy(a.run_id, id, sizeof a.run_id);
  if (kind == ATTEMPT) {
    store_call_end(w, store->ledger->attempt(store, store_call_begin(w), tenant, &a));
    return;
  }
  aio__run_row r = {.user = AIO__LIT("u"), .provider = AIO__LIT("p"), .model = AIO__LIT("m"), .created_ms = now_ms, .cost_known = true};
  memcpy(r.id, id, sizeof r.id);
  store_call_end(w, store->ledger->settle(store, store_call_begin(w), tenant, &r, &a, 1));
}

static void whole_run(void) {
  char user[32], text[200];
  uint64_t n = number++;
  aiorch_run *run = NULL;
  snprintf(user, sizeof user, "u%" PRIu64, n % 2000);
  snprintf(text, sizeof text, "When is shop number %" PRIu64 " open, and who has the key to it?", n);
  if (aiorch_run_new(orch, "acme", 4, user, strlen(user), &run) != AIORCH_OK) die("a run", "none");
  aiorch_run_add_message(run, AIORCH_ROLE_USER, text, strlen(text));
  if (aiorch_run_execute(run) != AIORCH_OK) die("a run", aiorch_error_message(aiorch_run_error(run)));
  aiorch_run_free(run);
}

/* ---- processor time -------------------------------------------------------------------------------------------------------------------- */

/* Nanoseconds that a process has run so far, its parent; 0 when it has gone. */
static double process_s(long pid, long *parent) {
  char path[64], text[1024];
  long long ns = 0;
  snprintf(path, sizeof path, "/proc/%ld/schedstat", pid);
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  if (fscanf(file, "%lld", &ns) != 1) ns = 0;
  fclose(file);
  snprintf(path, sizeof path, "/proc/%ld/stat", pid);
  file = fopen(path, "re");
  *parent = 0;
  if (file == NULL) return 0;
  size_t n = fread(text, 1, sizeof text - 1, file);
  text[n] = '\0';
  const char *after_name = strrchr(text, ')');
  if (after_name != NULL) sscanf(after_name + 1, " %*c %ld", parent);
  fclose(file);
  return (double)ns / 1e9;
}

/* Of the server: the postmaster, whose number its data folder has, and its children (those that have ended count no more: connections are
 * kept). -1: not to be had. */
static double server_s(void) {
  const char *data = getenv("AIORCH_TEST_POSTGRES_DATA");
  char path[4096];
  long postmaster = 0, parent = 0;
  double sum = 0;
  snprintf(path, sizeof path, "%s/postmaster.pid", data != NULL ? data : "");
  FILE *file = fopen(path, "re");
  if (file == NULL) return -1;
  if (fscanf(file, "%ld", &postmaster) != 1) postmaster = 0;
  fclose(file);
  DIR *proc = opendir("/proc");
  if (proc == NULL) return -1;
  for (const struct dirent *one; (one = readdir(proc)) != NULL;) {
    long pid = strtol(one->d_name, NULL, 10);
    double s = pid > 0 ? process_s(pid, &parent) : 0;
    if (pid > 0 && (parent == postmaster || pid == postmaster)) sum += s;
  }
  closedir(proc);
  return sum;
}

typedef struct used {
  double client, server;
} used;

static used used_now(void) {
  return (used){cpu_s(), server_s()};
}

static void print_used(used since, double count) {
  used now = used_now();
  printf("   processor us: client %6.0f", (now.client - since.client) / count * 1e6);
  if (now.server >= 0) printf(", server %6.0f", (now.server - since.server) / count * 1e6);
  printf("\n");
  fflush(stdout);
}

/* ---- measuring -------------------------------------------------------------------------------------------------------------------------- */

static void one(store_call *w, what kind) {
  if (kind == RUN)
    whole_run();
  else
    call(w, kind);
}

static void one_by_one(what kind) {
  static double times[ONE_BY_ONE];
  store_call w;
  store_call_init(&w);
  for (int i = 0; i < 200; i++) one(&w, kind);
  used since = used_now();
  for (int i = 0; i < ONE_BY_ONE; i++) {
    double start = now_s();
    one(&w, kind);
    times[i] = now_s() - start;
  }
  printf("%-25s one by one      best %8.3f ms   p50 %8.3f ms   p99 %8.3f ms", NAMES[kind], at_part(times, ONE_BY_ONE, 0) * 1e3,
         at_part(times, ONE_BY_ONE, .5) * 1e3, at_part(times, ONE_BY_ONE, .99) * 1e3);
  print_used(since, ONE_BY_ONE);
}

typedef struct worker {
  pthread_t thread;
  what kind;
  double until;
  long count;
} worker;

static void *work(void *ctx) {
  worker *me = ctx;
  store_call w;
  store_call_init(&w);
  while (now_s() < me->until) {
    one(&w, me->kind);
    me->count++;
  }
  return NULL;
}

static void in_flight(what kind, int threads) {
  worker all[THREADS_MAX];
  long count = 0;
  used since = used_now();
  double start = now_s();
  for (int i = 0; i < threads; i++) {
    all[i] = (worker){.kind = kind, .until = start + seconds};
    if (pthread_create(&all[i].thread, NULL, work, &all[i]) != 0) die("a thread", "none");
  }
  for (int i = 0; i < threads; i++) {
    pthread_join(all[i].thread, NULL);
    count += all[i].count;
  }
  printf("%-25s %2d in flight   %8.0f a second                              ", NAMES[kind], threads, (double)count / (now_s() - start));
  print_used(since, (double)count);
}

static aiorch *open_orch(const char *url) {
  aiorch_config *config = NULL;
  aiorch *out = NULL;
  aiorch_error *error = NULL;
  aiorch_error_new(&error);
  if (aiorch_config_new(&config) != AIORCH_OK) die("settings", "none");
  aiorch_config_set_str(config, "store", url, strlen(url), NULL);
  aiorch_config_set_i64(config, "rate_limit.requests", 1000000, NULL);
  if (aiorch_open(config, &out, error) != AIORCH_OK) die(url, aiorch_error_message(error));
  aiorch_config_free(config);
  aiorch_error_free(error);
  return out;
}

static void add_document(void) {
  static const char text[] = "The shop is open from eight to six. On Sundays it is closed. The key hangs beside the door.";
  aiorch_document *document = NULL;
  if (aiorch_document_new(&document) != AIORCH_OK) die("a document", "none");
  aiorch_document_set_source(document, "hours.md", 8);
  aiorch_document_set_text(document, AIORCH_FORMAT_PLAIN, text, sizeof text - 1);
  if (aiorch_knowledge_add(orch, "acme", 4, document, 10000, NULL) != AIORCH_OK) die("a document", "not added");
  aiorch_document_free(document);
}

int main(int argc, char **argv) {
  const char *url = argc > 2 ? argv[2] : getenv("AIORCH_TEST_POSTGRES");
  aio__options options;
  aiorch_error error;
  aio__error_init(&error);
  if (argc > 1) seconds = atoi(argv[1]);
  if (url == NULL) die("no server", "run it through tests/postgres/cluster.py");
  if (aio__options_init(&options, aio__alloc_default()) != AIORCH_OK) die("settings", "none");
  aio__store_env env = {.al = aio__alloc_default(), .clock = aio__clock_system(), .options = &options};
  if (aio__store_postgres_open(&env, url, &store, &error) != AIORCH_OK) die(url, error.message);
  static char by_rate[] = "rate";
  aio__options by_rate_options = options;
  by_rate_options.postgres_limiter = by_rate;
  env.options = &by_rate_options;
  if (aio__store_postgres_open(&env, url, &rate_store, &error) != AIORCH_OK) die(url, error.message);
  orch = open_orch(url);
  add_document();
  for (int kind = 0; kind <= RUN; kind++) one_by_one((what)kind);
  for (int kind = 0; kind <= RUN; kind++) in_flight((what)kind, 8);
  for (int kind = 0; kind <= RUN; kind++) in_flight((what)kind, 64);
  store->close(store);
  rate_store->close(rate_store);
  aiorch_close(orch, 5000);
  aiorch_free(orch);
  aio__options_free(&options);
  return 0;
}
