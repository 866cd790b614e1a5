/*
 * How long a run takes, and what it allocates. Public headers only; prints a table, or one JSON object with --json.
 *
 *   pipeline [--json] [--runs N] [--store FOLDER] [--sync-ms N]
 *
 * With --store the SQLite figures are taken over that store (load it first: tests/bench/load); without, over an empty
 * one in a temporary folder, and the table says so. --sync-ms makes each fdatasync take N ms longer, as on a slower
 * disk. Many users take turns, since a limit counts each user's runs. Speed is printed, never asserted. README.md tells
 * how to read the table.
 */
#include <aiorch/aiorch.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "support/figures.h"

static atomic_long allocations;

static void *count_alloc(void *ud, size_t n) {
  (void)ud;
  atomic_fetch_add(&allocations, 1);
  return malloc(n);
}

static void *count_realloc(void *ud, void *p, size_t n) {
  (void)ud;
  atomic_fetch_add(&allocations, 1);
  return realloc(p, n);
}

static void count_free(void *ud, void *p) {
  (void)ud;
  free(p);
}

/* Stands before the C library's, for SQLite too. */
static long sync_ms;
int fdatasync(int fd) {
  const struct timespec more = {sync_ms / 1000, sync_ms % 1000 * 1000000};
  if (sync_ms > 0) nanosleep(&more, NULL);
  return (int)syscall(SYS_fdatasync, fd);
}

static _Noreturn void fail(const char *what, const aiorch_error *error) {
  die(what, error ? aiorch_error_message(error) : "failed");
}

static aiorch_status generate(void *self, aiorch_call *call) {
  (void)self;
  aiorch_call_emit(call, "An answer of the instant provider.", 34);
  aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, 100);
  aiorch_call_put_usage(call, AIORCH_USAGE_OUTPUT, 8);
  aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

static aiorch *open_store(const char *store) {
  aiorch_allocator al = {sizeof al, NULL, count_alloc, count_realloc, count_free};
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  aiorch *orch = NULL;
  aiorch_provider_vtbl vtbl;
  memset(&vtbl, 0, sizeof vtbl);
  vtbl.struct_size = sizeof vtbl;
  vtbl.model = "instant";
  vtbl.generate = generate;
  aiorch_error_new(&error);
  if (aiorch_config_new_with(&al, &config)) fail("config", NULL);
  if (aiorch_config_set_str(config, "store", store, strlen(store), error)) fail("store", error);
  if (aiorch_config_set_i64(config, "rate_limit.requests", 1000000000, error)) fail("limit", error);
  if (aiorch_config_add_provider(config, "instant", &vtbl, NULL, error)) fail("provider", error);
  if (aiorch_open(config, &orch, error)) fail("open", error);
  aiorch_config_free(config);
  aiorch_error_free(error);
  return orch;
}

typedef struct figure {
  double p50, p99, allocs;
} figure;

enum { USERS = 200, THREADS_MAX = 64, SYNCS = 200 };

static const char *user_of(char out[32], const char *kind, long number) {
  snprintf(out, 32, "%s%ld", kind, number % USERS);
  return out;
}

static double one_run(aiorch *orch, const char *user, const char *text, size_t len, int32_t expected_cache) {
  aiorch_run *run = NULL;
  double begin = now_us();
  if (aiorch_run_new(orch, "bench", 5, user, strlen(user), &run)) fail("run", NULL);
  if (aiorch_run_add_message(run, AIORCH_ROLE_USER, text, len)) fail("message", NULL);
  if (aiorch_run_execute(run)) fail("run", aiorch_run_error(run));
  int32_t cache = aiorch_run_cache_outcome(run);
  aiorch_run_free(run);
  double took = now_us() - begin;
  if (cache != expected_cache) fail("another cache outcome than expected", NULL);
  return took;
}

/* A number that no run before had, of this process or another on the same store. */
static unsigned long new_number(void) {
  static atomic_ulong number;
  unsigned long none = 0;
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  atomic_compare_exchange_strong(&number, &none, (unsigned long)t.tv_sec * 1000000);
  return atomic_fetch_add(&number, 1) + 1;
}

/* A message of `len` bytes with a number in it, so that each is new. */
static size_t make_message(char *out, size_t len, int mixed, unsigned long number) {
  static const char ascii[] = "How do I keep the rows of a table in order while many writers add to it at the same "
                              "time? ";
  static const char scripts[] = "Wie l\xc3\xb6se ich das? \xd0\x9a\xd0\xb0\xd0\xba \xd1\x8d\xd1\x82\xd0\xbe? "
                                "\xe3\x81\x93\xe3\x82\x8c\xe3\x81\xaf\xe4\xbd\x95? caf\xc3\xa9 ";
  const char *unit = mixed ? scripts : ascii;
  size_t n = (size_t)snprintf(out, len, "Question %lu: ", number), u = strlen(unit);
  while (n + u < len) {
    memcpy(out + n, unit, u);
    n += u;
  }
  out[n] = '\0';
  return n;
}

/* A hit up to the moment at which its cost row is the writer's. */
static double hit_handed_over(aiorch *orch, const char *user, const char *text, size_t len) {
  aiorch_run *run = NULL;
  double begin = now_us();
  if (aiorch_run_new(orch, "bench", 5, user, strlen(user), &run)) fail("run", NULL);
  if (aiorch_run_add_message(run, AIORCH_ROLE_USER, text, len)) fail("message", NULL);
  if (aiorch_stage_validate(run) || aiorch_stage_rate_limit(run) || aiorch_stage_cache_lookup(run)) fail("stage", NULL);
  if (aiorch_run_cache_outcome(run) != AIORCH_CACHE_EXACT) fail("another cache outcome than expected", NULL);
  aiorch_run_free(run);
  return now_us() - begin;
}

static figure summary(double *us, int runs, double allocs) {
  figure f = {.allocs = allocs};
  f.p50 = at_part(us, (size_t)runs, .5);
  f.p99 = at_part(us, (size_t)runs, .99);
  return f;
}

static double measure_handed_over(aiorch *orch, int runs) {
  double *us = calloc((size_t)runs, sizeof *us);
  char text[300], user[32];
  if (!us) fail("memory", NULL);
  size_t n = make_message(text, 100, 0, new_number());
  one_run(orch, "h", text, n, AIORCH_CACHE_MISS);
  for (int i = -10; i < runs; i++) {
    double took = hit_handed_over(orch, user_of(user, "h", i + 10), text, n);
    if (i >= 0) us[i] = took;
    one_run(orch, user, text, n, AIORCH_CACHE_EXACT); /* ends when the row before it is durable, too */
  }
  figure f = summary(us, runs, 0);
  free(us);
  return f.p50;
}

static figure measure(aiorch *orch, size_t len, int mixed, int hit, int runs) {
  char user[32];
  double *us = calloc((size_t)runs, sizeof *us);
  char *text = malloc(len + 200);
  if (!us || !text) fail("memory", NULL);
  size_t n = make_message(text, len, mixed, new_number());
  if (hit) one_run(orch, "u", text, n, AIORCH_CACHE_MISS);
  for (int i = 0; i < runs / 10 + USERS; i++) { /* warm */
    if (!hit) n = make_message(text, len, mixed, new_number());
    one_run(orch, user_of(user, "u", i), text, n, hit ? AIORCH_CACHE_EXACT : AIORCH_CACHE_MISS);
  }
  long before = atomic_load(&allocations);
  for (int i = 0; i < runs; i++) {
    if (!hit) n = make_message(text, len, mixed, new_number());
    us[i] = one_run(orch, user_of(user, "u", i), text, n, hit ? AIORCH_CACHE_EXACT : AIORCH_CACHE_MISS);
  }
  figure f = summary(us, runs, (double)(atomic_load(&allocations) - before) / runs);
  free(us);
  free(text);
  return f;
}

typedef struct worker {
  aiorch *orch;
  int runs, id;
} worker;

static void *work(void *arg) {
  worker *w = arg;
  char text[300], user[32];
  for (int i = 0; i < w->runs; i++) {
    user_of(user, "t", w->id * 1000 + i);
    size_t n = make_message(text, 200, 0, new_number());
    one_run(w->orch, user, text, n, AIORCH_CACHE_MISS);
  }
  return NULL;
}

static double runs_a_second(aiorch *orch, int threads, int runs) {
  pthread_t ids[THREADS_MAX];
  worker workers[THREADS_MAX];
  double begin = now_us();
  for (int i = 0; i < threads; i++) {
    workers[i] = (worker){orch, runs / threads, i};
    if (pthread_create(&ids[i], NULL, work, &workers[i])) fail("thread", NULL);
  }
  for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
  return (double)(runs / threads * threads) / ((now_us() - begin) / 1e6);
}

static long resident_kib(void) {
  long pages = 0, resident = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (f && fscanf(f, "%ld %ld", &pages, &resident) != 2) resident = 0;
  if (f) fclose(f);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* What one durable write costs here: that of 4 KiB at the end of a file, in the folder of the store. */
static double fsync_us(const char *folder) {
  static char page[4096];
  static double us[SYNCS];
  char path[4200];
  snprintf(path, sizeof path, "%.4000s/aiorch-bench-sync", folder);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) fail(path, NULL);
  for (int i = 0; i < SYNCS; i++) {
    if (write(fd, page, sizeof page) != (ssize_t)sizeof page) fail(path, NULL);
    double begin = now_us();
    if (fdatasync(fd) != 0) fail(path, NULL);
    us[i] = now_us() - begin;
  }
  close(fd);
  unlink(path);
  return summary(us, SYNCS, 0).p50;
}

static void figures_memory(aiorch *orch, int runs) {
  figure f = measure(orch, 1024, 0, 0, runs);
  row("miss_1k_p50_us", f.p50, "miss, memory store, 1 kB ASCII, p50, us");
  row("miss_1k_p99_us", f.p99, "miss, memory store, 1 kB ASCII, p99, us");
  row("miss_allocations", f.allocs, "allocations of a miss");
  f = measure(orch, 9900, 0, 0, runs);
  row("miss_10k_p50_us", f.p50, "miss, memory store, 10 kB ASCII, p50, us");
  row("miss_10k_p99_us", f.p99, "miss, memory store, 10 kB ASCII, p99, us");
  f = measure(orch, 9900, 1, 0, runs);
  row("miss_10k_mixed_p50_us", f.p50, "miss, memory store, 10 kB mixed scripts, p50, us");
  row("miss_10k_mixed_p99_us", f.p99, "miss, memory store, 10 kB mixed scripts, p99, us");
  f = measure(orch, 100, 0, 1, runs);
  row("hit_memory_p50_us", f.p50, "exact hit, memory store, 100 B, whole run, p50, us");
  row("hit_allocations", f.allocs, "allocations of a hit");
}

static void figures_sqlite(aiorch *orch, const char *folder, int runs) {
  row("hit_sqlite_p50_us", measure_handed_over(orch, runs < 500 ? runs : 500), "exact hit, SQLite, 100 B, cost row handed to the writer, p50, us");
  figure f = measure(orch, 100, 0, 1, runs);
  row("hit_sqlite_durable_p50_us", f.p50, "exact hit, SQLite, 100 B, cost row durable, p50, us");
  f = measure(orch, 1024, 0, 0, runs);
  row("miss_sqlite_durable_p50_us", f.p50, "miss, SQLite, 1 kB ASCII, cost row durable, p50, us");
  row("fdatasync_p50_us", fsync_us(folder), "an fdatasync of 4 KiB in the folder of the store, p50, us");
  double one = runs_a_second(orch, 1, runs), eight = runs_a_second(orch, 8, runs * 4);
  row("runs_1_thread", one, "runs a second, SQLite, durable cost rows, 1 thread, /s");
  row("runs_8_threads", eight, "runs a second, SQLite, durable cost rows, 8 threads, /s");
  row("runs_8_beside_1", eight / one, "the same, 8 threads beside 1, x");
}

static void shut(aiorch *orch) {
  if (aiorch_close(orch, 30000)) fail("close", NULL);
  aiorch_free(orch);
}

int main(int argc, char **argv) {
  int runs = 2000;
  const char *store = NULL;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0) figures_json = true;
    else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) runs = atoi(argv[++i]);
    else if (strcmp(argv[i], "--store") == 0 && i + 1 < argc) store = argv[++i];
    else if (strcmp(argv[i], "--sync-ms") == 0 && i + 1 < argc) sync_ms = atol(argv[++i]);
    else return fprintf(stderr, "usage: pipeline [--json] [--runs N] [--store FOLDER] [--sync-ms N]\n"), 2;
  }
  char folder[SCRATCH_MAX], place[SCRATCH_MAX + 8];
  if (!store) scratch_make(folder);
  snprintf(place, sizeof place, "%s/store", folder);
  if (runs < 10) return fprintf(stderr, "pipeline: --runs takes at least 10\n"), 2;
  /* First: memory that an earlier handle has left would be used again and not be seen. */
  long before = resident_kib();
  aiorch *orch = open_store(store ? store : place);
  row("handle_resident_kib", (double)(resident_kib() - before), "resident memory of a handle on %s store, KiB", store ? "the" : "an empty");
  figures_sqlite(orch, store ? store : folder, runs);
  shut(orch);
  orch = open_store("memory");
  figures_memory(orch, runs);
  shut(orch);
  rows_end();
  if (!store) scratch_remove(folder);
  return 0;
}
