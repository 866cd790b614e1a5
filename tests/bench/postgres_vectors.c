/*
 * Vectors in a PostgreSQL store: what a tenant among many finds by the index and exactly, beside a comparison with all of its own, and how
 * fast chunks come in, vectors given, while the index is live. Inside a cluster:
 *
 *   python3 tests/postgres/cluster.py --durable --no-bouncer -- build/tests/bench/postgres_vectors [ROWS [TENANTS [DIMENSIONS [SECONDS]]]]
 *
 * ROWS chunks are spread evenly over TENANTS, so each has its share of 1/TENANTS. Vectors vary in LATENT directions that all tenants share, and
 * a little in all others, as those of sentences do. Recall is that of the ten nearest.
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stores/store.h"
#include "support/figures.h"
#include "support/store_call.h"

enum { BATCH = 100, BEST = 10, QUERIES = 200, WRITERS = 2, LATENT = 32, TEXT_MAX = 100, NAME_MAX_ = 40 };

static const aio__str MODEL = {"bench", 5};
static const char HASH[] = "0123456789abcdef0123456789abcdef";

static int64_t rows = 20000, tenants = 100;
static size_t dimensions = 384;
static int seconds = 10;
static aio__store *store;
static float *directions, *vectors; /* of all loaded rows: row r is tenant r % tenants' */

static void admin(const char *sql) {
  const char *url = getenv("AIORCH_TEST_POSTGRES_ADMIN");
  if (url == NULL) die("AIORCH_TEST_POSTGRES_ADMIN", "is not set");
  PGconn *pg = PQconnectdb(url);
  PGresult *result = PQexec(pg, sql);
  ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) die(sql, PQerrorMessage(pg));
  PQclear(result);
  PQfinish(pg);
}

/* ---- vectors -------------------------------------------------------------------------------------------------------------- */

typedef struct dice {
  uint64_t state;
} dice;

static double roll(dice *d) { /* 0 to 1 */
  d->state += UINT64_C(0x9E3779B97F4A7C15);
  uint64_t x = d->state;
  x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
  return (double)((x ^ x >> 31) >> 11) / 9007199254740992.0;
}

static double normal(dice *d) {
  return sqrt(-2.0 * log(1.0 - roll(d))) * cos(6.283185307179586 * roll(d));
}

static void unit(float *v) {
  double sum = 0.0;
  for (size_t i = 0; i < dimensions; i++) sum += (double)v[i] * (double)v[i];
  for (size_t i = 0; i < dimensions; i++) v[i] = (float)((double)v[i] / sqrt(sum));
}

/* The first directions count most; a tenth of the length is in no direction of them. */
static void make_vector(dice *d, float *out) {
  double sum[4096] = {0.0};
  for (size_t k = 0; k < LATENT; k++) {
    double amount = normal(d) / sqrt(1.0 + (double)k / 4.0);
    const float *direction = directions + k * dimensions;
    for (size_t i = 0; i < dimensions; i++) sum[i] += amount * (double)direction[i];
  }
  for (size_t i = 0; i < dimensions; i++) out[i] = (float)(sum[i] + 0.3 * normal(d) / sqrt((double)dimensions));
  unit(out);
}

static void make_directions(void) {
  dice d = {7};
  directions = malloc(LATENT * dimensions * sizeof *directions);
  vectors = malloc((size_t)rows * dimensions * sizeof *vectors);
  if (directions == NULL || vectors == NULL) die("memory", "not enough");
  for (size_t i = 0; i < LATENT; i++) {
    for (size_t k = 0; k < dimensions; k++) directions[i * dimensions + k] = (float)normal(&d);
    unit(directions + i * dimensions);
  }
}

/* ---- calls ---------------------------------------------------------------------------------------------------------------- */

static void open_store(void) {
  static aio__options options;
  static aio__store_env env;
  aiorch_error error;
  aio__error_init(&error);
  env = (aio__store_env){.al = aio__alloc_default(), .clock = aio__clock_system(), .options = &options};
  if (aio__options_init(&options, env.al) != AIORCH_OK) die("settings", "failed");
  if (aio__options_set_plain(&options, AIO__LIT("postgres.timeout_ms"), AIO__LIT("600000"), &error) != AIORCH_OK) die("settings", error.message);
  if (aio__store_postgres_open(&env, getenv("AIORCH_TEST_POSTGRES"), &store, &error) != AIORCH_OK) die("open", error.message);
}

/* A document of BATCH chunks, and their vectors. Chunk i of document d of a tenant has the number d * BATCH + i in its text. */
static void put_document(store_call *w, int64_t tenant, int64_t document, const float *vector) {
  static const aio__str none = {"", 0};
  char name[NAME_MAX_], source[NAME_MAX_], ids[BATCH][AIO__UUID_LEN + 1], hashes[BATCH][64];
  char text[BATCH * TEXT_MAX];
  aio__store_chunk chunks[BATCH];
  aio__str id_list[BATCH], *removed;
  size_t n = 0, gone = 0;
  int what = 0;
  aio__arena arena;
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  snprintf(name, sizeof name, "t%" PRId64, tenant);
  snprintf(source, sizeof source, "document %" PRId64, document);
  memset(chunks, 0, sizeof chunks);
  for (int i = 0; i < BATCH; i++) {
    chunks[i].ordinal = (uint32_t)i;
    chunks[i].tokens = 20;
    chunks[i].start = n;
    n += (size_t)snprintf(text + n, sizeof text - n, "%" PRId64 " is the number of a chunk about trains, boats and planes of all kinds.\n",
                          document * BATCH + i);
    chunks[i].end = n;
    chunks[i].heading = none;
    snprintf(hashes[i], sizeof hashes[i], "%16" PRId64 "%16d", document, i);
    chunks[i].hash = (aio__str){hashes[i], 32};
    if (aio__uuid_v7(aio__clock_wall_ms(aio__clock_system()), chunks[i].id) != AIORCH_OK) die("an id", "none");
    memcpy(ids[i], chunks[i].id, sizeof ids[i]);
    id_list[i] = aio__str_z(ids[i]);
  }
  aio__store_document d = {.source = aio__str_z(source), .title = none, .text = {text, n}, .hash = {HASH, 32}, .format = AIORCH_FORMAT_PLAIN};
  if (aio__uuid_v7(aio__clock_wall_ms(aio__clock_system()), d.id) != AIORCH_OK) die("an id", "none");
  store_call_end(w, store->knowledge->add(store, store_call_begin(w), aio__str_z(name), &d, chunks, BATCH, 1000, &arena, &what, &removed, &gone));
  aio__vectors given = {MODEL, dimensions, vector};
  store_call_end(w, store->knowledge->mark_embedded(store, store_call_begin(w), aio__str_z(name), &given, id_list, BATCH));
  aio__arena_free(&arena);
}

/* ---- loading ---------------------------------------------------------------------------------------------------------------- */

/* The rows of each tenant lie together: document d of tenant t is block t * documents + d. */
static void load(void) {
  store_call w;
  dice d = {11};
  store_call_init(&w);
  int64_t documents = rows / BATCH / tenants;
  double begun = now_s();
  for (int64_t i = 0; i < rows; i++) make_vector(&d, vectors + (size_t)i * dimensions);
  for (int64_t t = 0; t < tenants; t++)
    for (int64_t i = 0; i < documents; i++) put_document(&w, t, i, vectors + (size_t)((t * documents + i) * BATCH) * dimensions);
  printf("%" PRId64 " chunks with vectors of %zu numbers, no index: %.0f a second\n", rows, dimensions, (double)rows / (now_s() - begun));
  char sql[200];
  begun = now_s();
  snprintf(sql, sizeof sql, "SET max_parallel_maintenance_workers = 0; SET maintenance_work_mem = '1GB'; SET search_path = aiorch, extensions;"
                            " SELECT embedding_index('bench', %zu); ANALYZE", dimensions);
  admin(sql);
  printf("the index: %.1f s\n", now_s() - begun);
}

/* ---- recall ----------------------------------------------------------------------------------------------------------------- */

/* The least cosine among the BEST of a tenant's own rows. */
static double least_of_best(int64_t tenant, const float *query) {
  int64_t own = rows / BATCH / tenants * BATCH;
  double best[BEST];
  for (int i = 0; i < BEST; i++) best[i] = -2.0;
  for (int64_t i = 0; i < own; i++) {
    const float *v = vectors + (size_t)(tenant * own + i) * dimensions;
    double sum = 0.0;
    for (size_t k = 0; k < dimensions; k++) sum += (double)v[k] * (double)query[k];
    int at = BEST - 1;
    if (sum <= best[at]) continue;
    for (; at > 0 && best[at - 1] < sum; at--) best[at] = best[at - 1];
    best[at] = sum;
  }
  return best[BEST - 1];
}

static void measure_recall(const char *name, const char *exact_up_to) {
  static double times[QUERIES];
  char sql[120], tenant_name[NAME_MAX_];
  store_call w;
  dice d = {13};
  float *query = malloc(dimensions * sizeof *query);
  size_t found = 0;
  if (query == NULL) die("memory", "not enough");
  snprintf(sql, sizeof sql, "ALTER ROLE app SET aiorch.exact_up_to = %s", exact_up_to);
  admin(sql);
  open_store();
  store_call_init(&w);
  for (int i = 0; i < QUERIES; i++) {
    int64_t tenant = (int64_t)(roll(&d) * (double)tenants);
    aio__found_chunk *chunks;
    aio__arena arena;
    size_t n = 0;
    make_vector(&d, query);
    aio__arena_init(&arena, aio__alloc_default(), 4096);
    aio__nearest_args args = {.fingerprint = MODEL, .dimensions = dimensions, .query = query, .threshold = -1.0, .limit = BEST};
    snprintf(tenant_name, sizeof tenant_name, "t%" PRId64, tenant);
    double begun = now_s();
    store_call_end(&w, store->knowledge->nearest(store, store_call_begin(&w), aio__str_z(tenant_name), &args, NULL, 0, &arena, &chunks, &n));
    times[i] = now_s() - begun;
    double least = least_of_best(tenant, query) - 1e-5; /* halves round */
    for (size_t k = 0; k < n; k++) found += chunks[k].similarity >= least;
    aio__arena_free(&arena);
  }
  printf("%-15s recall@%d of a tenant with %.2f %% of all: %.4f; p50 %.2f ms, p99 %.2f ms\n", name, BEST, 100.0 / (double)tenants,
         (double)found / (double)(QUERIES * BEST), at_part(times, QUERIES, .5) * 1e3, at_part(times, QUERIES, .99) * 1e3);
  store->close(store);
  admin("ALTER ROLE app RESET aiorch.exact_up_to");
  free(query);
}

/* ---- coming in -------------------------------------------------------------------------------------------------------------- */

static atomic_int_fast64_t next_document;
static double stop_at;

static void *come_in(void *ctx) {
  store_call w;
  dice d = {17 + (uint64_t)(uintptr_t)ctx};
  float *block = malloc(BATCH * dimensions * sizeof *block);
  store_call_init(&w);
  if (block == NULL) die("memory", "not enough");
  while (now_s() < stop_at) {
    int64_t n = atomic_fetch_add(&next_document, 1);
    for (int i = 0; i < BATCH; i++) make_vector(&d, block + (size_t)i * dimensions);
    put_document(&w, n % tenants, 1000000 + n, block);
  }
  free(block);
  return NULL;
}

/* What the server's processes for us have worked so far: on a busy machine it says more than the clock. */
static double server_cpu_s(void) {
  double sum = 0.0;
  PGconn *pg = PQconnectdb(getenv("AIORCH_TEST_POSTGRES_ADMIN"));
  PGresult *found = PQexec(pg, "SELECT pid FROM pg_stat_activity WHERE usename = 'app'");
  for (int i = 0; i < PQntuples(found); i++) {
    char path[64], line[1024] = "";
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%.20s/stat", PQgetvalue(found, i, 0));
    FILE *file = fopen(path, "r");
    if (file != NULL && fgets(line, sizeof line, file) != NULL && strrchr(line, ')') != NULL &&
        sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2)
      sum += (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    if (file != NULL) fclose(file);
  }
  PQclear(found);
  PQfinish(pg);
  return sum;
}

static void measure_ingest(void) {
  pthread_t threads[WRITERS];
  open_store();
  double begun = now_s();
  stop_at = begun + seconds;
  for (uintptr_t i = 0; i < WRITERS; i++)
    if (pthread_create(&threads[i], NULL, come_in, (void *)i) != 0) die("a thread", "none");
  for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
  double chunks = (double)atomic_load(&next_document) * BATCH;
  printf("coming in with the index live, %d writers, documents of %d chunks: %.0f chunks a second, %.0f a second of the server's processor time\n",
         WRITERS, BATCH, chunks / (now_s() - begun), chunks / server_cpu_s());
  store->close(store);
}

int main(int argc, char **argv) {
  if (argc > 1) rows = strtoll(argv[1], NULL, 10);
  if (argc > 2) tenants = strtoll(argv[2], NULL, 10);
  if (argc > 3) dimensions = strtoul(argv[3], NULL, 10);
  if (argc > 4) seconds = atoi(argv[4]);
  if (tenants < 1 || rows < tenants * BATCH || dimensions < 1 || dimensions > 4000) die("arguments", "each tenant needs 100 rows or more, a vector at most 4000 numbers");
  rows = rows / (BATCH * tenants) * BATCH * tenants;
  setvbuf(stdout, NULL, _IOLBF, 0);
  make_directions();
  open_store();
  load();
  store->close(store);
  measure_recall("index forced", "0");
  measure_recall("exact", "1000000000");
  measure_ingest();
  measure_recall("then by default", "10000");
  free(vectors);
  free(directions);
  return 0;
}
