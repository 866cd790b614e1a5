/*
 * What vectors take in a SQLite store: keeping them, the index that the first search builds from the rows, searches after
 * it, and catching up with what has changed. Prints a table, or one JSON object with --json.
 *
 *   vector_load [--json] [--count N] [--dimensions N] [--rounds N] [--store FOLDER]
 *
 * Fills FOLDER (by default one in a temporary folder, removed afterwards) with N chunks (100,000) and their vectors, unless
 * it is filled already, and opens it anew for each round (5); the best of them is printed. "Rows read" is SQLite alone:
 * the same statement, each row copied into memory; the build of an index cannot be faster.
 */
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stores/store.h"
#include "support/figures.h"

enum { CHUNKS_A_DOCUMENT = 1000, BATCH = 32, LIMIT = 10, QUERIES = 50, T0 = 1700000000 };

static const aio__str TENANT = {"bench", 5}, MODEL = {"bench-model", 11};

static struct {
  size_t count, dimensions, rounds;
  const char *folder;
  int json;
} options = {100000, 384, 5, NULL, 0};

static size_t resident_kib(void) {
  size_t pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%*u %zu", &pages) != 1) pages = 0;
  if (file) fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

/* ---- vectors ---------------------------------------------------------------------------------------------------- */

static void vector_of(uint64_t number, float *out) {
  uint64_t x = number * UINT64_C(0x9E3779B97F4A7C15) + 1;
  double sum = 0;
  for (size_t i = 0; i < options.dimensions; i++) {
    x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    out[i] = (float)((double)(x >> 11) / 9007199254740992.0 - 0.5);
    sum += (double)out[i] * (double)out[i];
  }
  for (size_t i = 0; i < options.dimensions; i++) out[i] = (float)((double)out[i] / sqrt(sum));
}

static void id_of(char out[AIO__UUID_LEN + 1], const char *kind, size_t n) {
  snprintf(out, AIO__UUID_LEN + 1, "00000000-0000-7000-8000-%.4s%08zu", kind, n % 100000000);
}

/* ---- the store -------------------------------------------------------------------------------------------------- */

static aio__options settings;
static aio__op op;

static void check(aiorch_status status, const char *what) {
  if (status != AIORCH_OK) die(what, op.error.message);
}

static aio__op *fresh(void) {
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  return &op;
}

static aio__store *open_store(void) {
  static const aio__alloc *al;
  aio__store *store = NULL;
  if (!al) {
    al = aio__alloc_default();
    if (aio__options_init(&settings, al) != AIORCH_OK) die("settings", "out of memory");
    settings.vector_memory_max = INT64_C(8) << 30;
  }
  aio__store_env env = {.al = al, .clock = aio__clock_system(), .options = &settings};
  aio__error_init(&op.error);
  check(aio__store_sqlite_open(&env, options.folder, &store, &op.error), options.folder);
  return store;
}

static void add_document(aio__store *store, size_t number, size_t chunks) {
  static aio__store_chunk rows[CHUNKS_A_DOCUMENT];
  static char hashes[CHUNKS_A_DOCUMENT][32], text[CHUNKS_A_DOCUMENT * 8], hash[32];
  char source[32];
  aio__arena arena;
  aio__str *removed;
  size_t removed_count;
  int what;
  memset(rows, 0, sizeof rows);
  memset(text, 'x', sizeof text);
  snprintf(source, sizeof source, "d%zu", number);
  snprintf(hash, sizeof hash, "%zu", number);
  for (size_t i = 0; i < chunks; i++) {
    id_of(rows[i].id, "chnk", number * CHUNKS_A_DOCUMENT + i);
    snprintf(hashes[i], sizeof hashes[i], "%zu-%zu", number, i);
    rows[i].start = i * 8;
    rows[i].end = i * 8 + 7;
    rows[i].hash = (aio__str){hashes[i], 32};
    text[i * 8 + 7] = ' ';
  }
  aio__store_document d = {.source = aio__str_z(source), .text = {text, chunks * 8}, .hash = {hash, 32}};
  id_of(d.id, "docu", number);
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  check(store->knowledge->add(store, fresh(), TENANT, &d, rows, chunks, T0, &arena, &what, &removed, &removed_count),
        "add");
  aio__arena_free(&arena);
}

/* Marks chunks [first, first + n). */
static void mark(aio__store *store, size_t first, size_t n) {
  char ids[BATCH][AIO__UUID_LEN + 1];
  aio__str list[BATCH];
  float *rows = malloc(n * options.dimensions * sizeof *rows);
  if (!rows) die("vectors", "out of memory");
  for (size_t i = 0; i < n; i++) {
    id_of(ids[i], "chnk", first + i);
    list[i] = aio__str_z(ids[i]);
    vector_of(first + i, rows + i * options.dimensions);
  }
  aio__vectors vectors = {MODEL, options.dimensions, rows};
  check(store->knowledge->mark_embedded(store, fresh(), TENANT, &vectors, list, n), "mark_embedded");
  free(rows);
}

static double fill(void) {
  aio__store *store = open_store();
  aio__store_stats stats;
  check(store->ledger->stats(store, fresh(), TENANT, T0, &stats), "stats");
  double marking = 0;
  if (stats.chunks == 0) {
    for (size_t at = 0; at < options.count; at += CHUNKS_A_DOCUMENT) {
      size_t n = options.count - at < CHUNKS_A_DOCUMENT ? options.count - at : CHUNKS_A_DOCUMENT;
      add_document(store, at / CHUNKS_A_DOCUMENT, n);
    }
    double begun = now_s();
    for (size_t at = 0; at < options.count; at += BATCH)
      mark(store, at, options.count - at < BATCH ? options.count - at : BATCH);
    marking = now_s() - begun;
  }
  store->close(store);
  return marking;
}

static double search(aio__store *store, uint64_t number, const aio__filter *filters, size_t filter_count) {
  float *query = malloc(options.dimensions * sizeof *query);
  aio__arena arena;
  aio__found_chunk *found;
  size_t n = 0;
  if (!query) die("query", "out of memory");
  vector_of(number, query);
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  aio__nearest_args args = {
    .fingerprint = MODEL, .dimensions = options.dimensions, .query = query, .threshold = -1.0, .limit = LIMIT};
  double begun = now_s();
  check(store->knowledge->nearest(store, fresh(), TENANT, &args, filters, filter_count, &arena, &found, &n), "nearest");
  double took = now_s() - begun;
  if (number < options.count && filter_count == 0 && (n == 0 || !(found[0].similarity > 0.9999)))
    die("nearest", "a chunk is not nearest to itself");
  aio__arena_free(&arena);
  free(query);
  return took;
}

/* ---- what is measured ------------------------------------------------------------------------------------------- */

typedef struct figures {
  double marking, read, read_cpu, build, build_cpu, search, again, catch_up;
  size_t built_kib, file_mib;
} figures;

static void least(double *best, double value) {
  if (*best <= 0 || value < *best) *best = value;
}

static double read_rows(void) {
  char path[4096];
  sqlite3 *db = NULL;
  sqlite3_stmt *stmt = NULL;
  snprintf(path, sizeof path, "%s/knowledge.db", options.folder);
  char *into = malloc(256 * options.dimensions * sizeof(float));
  double begun = now_s();
  size_t n = 0;
  int64_t sum = 0;
  if (!into || sqlite3_open(path, &db) != SQLITE_OK ||
      sqlite3_prepare_v2(db, "SELECT no, scope, vector FROM vectors WHERE no BETWEEN ?1 AND ?2 ORDER BY no", -1, &stmt,
                         NULL) != SQLITE_OK)
    die(path, "it cannot be read");
  sqlite3_bind_int64(stmt, 1, 0);
  sqlite3_bind_int64(stmt, 2, INT64_MAX);
  while (sqlite3_step(stmt) == SQLITE_ROW) {
    size_t size = options.dimensions * sizeof(float);
    sum += sqlite3_column_int64(stmt, 0);
    if ((size_t)sqlite3_column_bytes(stmt, 2) != size) die(path, "vectors of another size");
    memcpy(into + n++ % 256 * size, sqlite3_column_blob(stmt, 2), size);
  }
  sqlite3_finalize(stmt);
  sqlite3_close(db);
  free(into);
  if (n < options.count || sum == 0) die(path, "not all vectors are there");
  return now_s() - begun;
}

static void measure(size_t round, figures *out) {
  double computed = cpu_s();
  least(&out->read, read_rows());
  least(&out->read_cpu, cpu_s() - computed);
  size_t before = resident_kib();
  aio__store *store = open_store();
  computed = cpu_s();
  double first = search(store, 0, NULL, 0);
  least(&out->build_cpu, cpu_s() - computed);
  if (round == 0) out->built_kib = resident_kib() - before;
  least(&out->build, first);
  for (uint64_t i = 1; i <= QUERIES; i++) least(&out->search, search(store, i * 7919 % options.count, NULL, 0));
  double sum = 0;
  for (uint64_t i = 1; i <= QUERIES; i++) sum += search(store, options.count + i, NULL, 0);
  least(&out->again, sum / QUERIES);
  size_t more = options.count + 1000 * (round + 1); /* another document, of one batch, then its vectors */
  add_document(store, more / CHUNKS_A_DOCUMENT + 1, BATCH);
  mark(store, (more / CHUNKS_A_DOCUMENT + 1) * CHUNKS_A_DOCUMENT, BATCH);
  double with = cpu_s(), without;
  search(store, 1, NULL, 0);
  with = cpu_s() - with;
  without = cpu_s();
  search(store, 1, NULL, 0);
  without = cpu_s() - without;
  least(&out->catch_up, with > without ? with - without : 1e-9);
  char source[32];
  aio__arena arena;
  aio__str *removed;
  size_t n;
  snprintf(source, sizeof source, "d%zu", more / CHUNKS_A_DOCUMENT + 1);
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  check(store->knowledge->remove(store, fresh(), TENANT, aio__str_z(source), T0, &arena, &removed, &n), "remove");
  aio__arena_free(&arena);
  store->close(store);
}

static void print(const figures *f) {
  double n = (double)options.count / 1e6;
  if (options.json) {
    printf("{\"count\": %zu, \"dimensions\": %zu, \"file_mib\": %zu, \"kept_per_s\": %.0f, \"rows_read_m_per_s\": %.3f,"
           " \"built_m_per_s\": %.3f, \"built_m_per_cpu_s\": %.3f, \"search_least_ms\": %.3f, \"search_mean_ms\": %.3f, \"catch_up_us\": %.0f,"
           " \"built_kib\": %zu}\n",
           options.count, options.dimensions, f->file_mib, f->marking > 0 ? (double)options.count / f->marking : 0.0,
           n / f->read, n / f->build, n / f->build_cpu, f->search * 1e3, f->again * 1e3, f->catch_up * 1e6, f->built_kib);
    return;
  }
  printf("%zu vectors of %zu numbers, knowledge.db %zu MiB\n", options.count, options.dimensions, f->file_mib);
  if (f->marking > 0)
    printf("  kept                     %10.0f vectors/s, %d a transaction\n", (double)options.count / f->marking, BATCH);
  printf("  rows read                %10.2f M vectors/s, %.2f a second of the processor\n", n / f->read,
         n / f->read_cpu);
  printf("  index built              %10.2f M vectors/s, %.2f a second of the processor (%.0f ms, the first search)\n",
         n / f->build, n / f->build_cpu, f->build * 1e3);
  printf("  nearest %d, least, mean  %10.3f ms, %.3f ms\n", LIMIT, f->search * 1e3, f->again * 1e3);
  printf("  catching up with %d      %10.0f us of the processor\n", BATCH, f->catch_up * 1e6);
  printf("  memory of the index      %10zu KiB\n", f->built_kib);
}

static void read_arguments(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    int more = i + 1 < argc;
    if (strcmp(argv[i], "--json") == 0)
      options.json = 1;
    else if (strcmp(argv[i], "--count") == 0 && more)
      options.count = strtoul(argv[++i], NULL, 10);
    else if (strcmp(argv[i], "--dimensions") == 0 && more)
      options.dimensions = strtoul(argv[++i], NULL, 10);
    else if (strcmp(argv[i], "--rounds") == 0 && more)
      options.rounds = strtoul(argv[++i], NULL, 10);
    else if (strcmp(argv[i], "--store") == 0 && more)
      options.folder = argv[++i];
    else
      die(argv[i], "vector_load [--json] [--count N] [--dimensions N] [--rounds N] [--store FOLDER]");
  }
  if (options.count == 0 || options.dimensions == 0) die("arguments", "there is nothing to measure");
}

int main(int argc, char **argv) {
  char temporary[] = "/var/tmp/aiorch-vectors-XXXXXX", store[sizeof temporary + 8], path[4096];
  read_arguments(argc, argv);
  if (!options.folder) {
    if (!mkdtemp(temporary)) die(temporary, "it cannot be made");
    snprintf(store, sizeof store, "%s/store", temporary);
    options.folder = store;
  }
  figures f = {.marking = fill()};
  struct stat info;
  snprintf(path, sizeof path, "%s/knowledge.db", options.folder);
  if (stat(path, &info) == 0) f.file_mib = (size_t)info.st_size >> 20;
  for (size_t round = 0; round < options.rounds; round++) measure(round, &f);
  print(&f);
  if (options.folder == store) scratch_remove(temporary);
  return 0;
}
