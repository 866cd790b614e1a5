/*
 * How long the embedded index takes, beside reading its codes once and beside sqlite-vec. Prints a table, or one JSON
 * object with --json.
 *
 *   vectors [--json] [--count N] [--dimensions N] [--rounds N] [--vec0 FILE]
 *
 * Without --count, 100,000 and 1,000,000 vectors. --vec0 names the loadable extension of sqlite-vec (README.md tells
 * where it comes from); without, that column is empty. All that is compared takes turns, query by query, and the least
 * and the middle time of each are printed. Rows are read from memory, so what SQLite takes for them is not in the
 * figures: their number is. Speed is printed, never asserted.
 */
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vector/index_private.h"

#if defined(AIO__KERNELS_X86)
#include <immintrin.h>
#endif

enum { TOPICS = 2000, LATENT = 64, LIMIT = 10, MANY = 16, QUERIES = 128, LEVELS = 3, ROUNDS_MAX = QUERIES - MANY + 1 };

static void die(const char *what) {
  fprintf(stderr, "vectors: %s\n", what);
  exit(1);
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void *take(size_t size) {
  void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
  if (memory == NULL) die("out of memory");
  return memory;
}

/* ---- vectors: topics in a space of 64 dimensions, seen through a random map, and noise -------------------------- */

static uint64_t seed = 1;

static uint32_t random_bits(void) {
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(seed >> 32);
}

/* Near enough to a normal distribution. */
static float random_normal(void) {
  float sum = 0;
  for (int i = 0; i < 4; i++) sum += (float)(random_bits() >> 8) / 16777216.0f - 0.5f;
  return sum * 1.7320508f;
}

typedef struct world {
  size_t dimensions;
  float *map;    /* LATENT rows of `dimensions` */
  float *topics; /* TOPICS rows of LATENT */
} world;

static world make_world(size_t dimensions) {
  world w = {dimensions, take(LATENT * dimensions * sizeof(float)), take(TOPICS * LATENT * sizeof(float))};
  for (size_t i = 0; i < LATENT * dimensions; i++) w.map[i] = random_normal();
  for (size_t i = 0; i < TOPICS * LATENT; i++) w.topics[i] = random_normal();
  return w;
}

static void make_vector(const world *w, float *out) {
  const float *topic = w->topics + random_bits() % TOPICS * LATENT;
  double sum = 0;
  for (size_t d = 0; d < w->dimensions; d++) out[d] = 2 * random_normal();
  for (size_t l = 0; l < LATENT; l++) {
    const float *row = w->map + l * w->dimensions, weight = topic[l] + 0.6f * random_normal();
    for (size_t d = 0; d < w->dimensions; d++) out[d] += weight * row[d];
  }
  for (size_t d = 0; d < w->dimensions; d++) sum += (double)out[d] * (double)out[d];
  for (size_t d = 0; d < w->dimensions; d++) out[d] = (float)((double)out[d] / sqrt(sum));
}

/* ---- what the codes are compared with --------------------------------------------------------------------------- */

typedef uint64_t read_all(const uint8_t *bytes, size_t n);
static volatile uint64_t read_to; /* so that reading is not left out */

static uint64_t read_plain(const uint8_t *bytes, size_t n) {
  uint64_t sums[4] = {0}, word;
  for (size_t i = 0; i + 32 <= n; i += 32) {
    for (size_t j = 0; j < 4; j++) {
      memcpy(&word, bytes + i + 8 * j, 8);
      sums[j] ^= word;
    }
  }
  return sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
}

#if defined(AIO__KERNELS_X86)
__attribute__((target("avx2"))) static uint64_t read_avx2(const uint8_t *bytes, size_t n) {
  __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
  for (size_t i = 0; i + 128 <= n; i += 128) {
    const __m256i *at = (const __m256i *)(const void *)(bytes + i);
    a = _mm256_xor_si256(a, _mm256_load_si256(at));
    b = _mm256_xor_si256(b, _mm256_load_si256(at + 1));
    c = _mm256_xor_si256(c, _mm256_load_si256(at + 2));
    d = _mm256_xor_si256(d, _mm256_load_si256(at + 3));
  }
  a = _mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d));
  return (uint64_t)(_mm256_extract_epi64(a, 0) ^ _mm256_extract_epi64(a, 1) ^ _mm256_extract_epi64(a, 2) ^
                    _mm256_extract_epi64(a, 3));
}

__attribute__((target("avx512f"))) static uint64_t read_avx512(const uint8_t *bytes, size_t n) {
  __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
  for (size_t i = 0; i + 256 <= n; i += 256) {
    a = _mm512_xor_si512(a, _mm512_load_si512(bytes + i));
    b = _mm512_xor_si512(b, _mm512_load_si512(bytes + i + 64));
    c = _mm512_xor_si512(c, _mm512_load_si512(bytes + i + 128));
    d = _mm512_xor_si512(d, _mm512_load_si512(bytes + i + 192));
  }
  return (uint64_t)_mm512_reduce_add_epi64(_mm512_xor_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d)));
}

static read_all *const readers[LEVELS] = {read_plain, read_avx2, read_avx512};
#else
static read_all *const readers[LEVELS] = {read_plain, read_plain, read_plain};
#endif

/* The true nearest of every query, in one pass over the f32 rows. */
static void scan_f32(const float *rows, size_t count, size_t dimensions, const float *queries, size_t query_count,
                     aio__near *found) {
  for (size_t q = 0; q < query_count; q++)
    for (size_t i = 0; i < LIMIT; i++) found[q * LIMIT + i] = (aio__near){0, -2, -2};
  size_t *n = calloc(query_count, sizeof *n);
  for (size_t r = 0; r < count; r++) {
    for (size_t q = 0; q < query_count; q++) {
      const float *row = rows + r * dimensions, *query = queries + q * dimensions;
      float sums[16] = {0}, sum = 0;
      size_t d = 0;
      for (; d + 16 <= dimensions; d += 16)
        for (size_t l = 0; l < 16; l++) sums[l] += row[d + l] * query[d + l];
      for (; d < dimensions; d++) sum += row[d] * query[d];
      for (size_t l = 0; l < 16; l++) sum += sums[l];
      aio__near_offer(found + q * LIMIT, &n[q], LIMIT, (aio__near){r, sum, sum}, aio__near_lower);
    }
  }
  free(n);
}

/* ---- sqlite-vec ------------------------------------------------------------------------------------------------- */

static sqlite3 *db;
static sqlite3_stmt *nearest;
static char db_folder[4096], db_path[4200];

static void check(int rc) {
  if (rc != SQLITE_OK && rc != SQLITE_DONE) die(sqlite3_errmsg(db));
}

static void open_peer(const char *vec0, const float *rows, size_t count, size_t dimensions) {
  char sql[256], *message = NULL;
  sqlite3_stmt *insert;
  const char *base = getenv("TMPDIR");
  snprintf(db_folder, sizeof db_folder, "%s/aiorch-vectors-XXXXXX", base && *base ? base : "/tmp");
  if (mkdtemp(db_folder) == NULL) die("no temporary folder");
  snprintf(db_path, sizeof db_path, "%s/peer.db", db_folder);
  check(sqlite3_open(db_path, &db));
  check(sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL));
  if (sqlite3_load_extension(db, vec0, NULL, &message) != SQLITE_OK) die(message ? message : vec0);
  check(sqlite3_exec(db, "PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; PRAGMA cache_size=-4000000;", NULL, NULL,
                     NULL));
  snprintf(sql, sizeof sql, "CREATE VIRTUAL TABLE v USING vec0(e float[%zu]); BEGIN", dimensions);
  check(sqlite3_exec(db, sql, NULL, NULL, NULL));
  check(sqlite3_prepare_v2(db, "INSERT INTO v(rowid, e) VALUES(?, ?)", -1, &insert, NULL));
  for (size_t i = 0; i < count; i++) {
    sqlite3_bind_int64(insert, 1, (sqlite3_int64)i + 1);
    sqlite3_bind_blob(insert, 2, rows + i * dimensions, (int)(dimensions * sizeof *rows), SQLITE_STATIC);
    check(sqlite3_step(insert));
    check(sqlite3_reset(insert));
  }
  check(sqlite3_finalize(insert));
  check(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
  check(sqlite3_prepare_v2(db, "SELECT rowid, distance FROM v WHERE e MATCH ? AND k = ?", -1, &nearest, NULL));
}

static double ask_peer(const float *query, size_t dimensions) {
  double begin = now_ms();
  sqlite3_bind_blob(nearest, 1, query, (int)(dimensions * sizeof *query), SQLITE_STATIC);
  sqlite3_bind_int(nearest, 2, LIMIT);
  while (sqlite3_step(nearest) == SQLITE_ROW) continue;
  check(sqlite3_reset(nearest));
  return now_ms() - begin;
}

static void close_peer(void) {
  sqlite3_finalize(nearest);
  sqlite3_close(db);
  unlink(db_path);
  rmdir(db_folder);
}

/* ---- measuring -------------------------------------------------------------------------------------------------- */

typedef struct times {
  double all[ROUNDS_MAX];
  size_t n;
} times;

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void add_time(times *t, double ms) {
  t->all[t->n++] = ms;
}

static double least(times *t) {
  qsort(t->all, t->n, sizeof *t->all, compare);
  return t->n ? t->all[0] : 0;
}

static double middle(times *t) {
  qsort(t->all, t->n, sizeof *t->all, compare);
  return t->n ? t->all[t->n / 2] : 0;
}

typedef struct rows_read {
  const float *rows;
  size_t dimensions, reads;
} rows_read;

static aiorch_status read_row(void *ctx, uint64_t key, float *out) {
  rows_read *r = ctx;
  r->reads++;
  memcpy(out, r->rows + key * r->dimensions, r->dimensions * sizeof *out);
  return AIORCH_OK;
}

typedef struct figures {
  times one[LEVELS], many[LEVELS], read[LEVELS], peer;
  double build[LEVELS]; /* vectors a second */
  double rows[LEVELS], recall[LEVELS];
  double bytes;
} figures;

static double search(aio__index *index, rows_read *r, const float *queries, size_t count, aio__index_hit *hits) {
  size_t counts[MANY];
  aio__index_search ask = {.queries = queries, .query_count = count, .limit = LIMIT, .threshold = -1,
                           .row = read_row, .ctx = r};
  double begin = now_ms();
  if (aio__index_search_run(index, &ask, hits, counts) != AIORCH_OK || counts[0] != LIMIT) die("the search failed");
  return now_ms() - begin;
}

static size_t found_of(const aio__index_hit *hits, const aio__near *truth) {
  size_t found = 0;
  for (size_t i = 0; i < LIMIT; i++)
    for (size_t j = 0; j < LIMIT; j++) found += hits[i].key == truth[j].key;
  return found;
}

static aio__index *build(const float *rows, size_t count, size_t dimensions, aio__cpu cpu, double *speed) {
  enum { BATCH = 1024 };
  aio__index *index = NULL;
  uint64_t keys[BATCH];
  double begin = now_ms();
  if (aio__index_new(aio__alloc_default(), dimensions, cpu, &index) != AIORCH_OK) die("the index cannot be made");
  for (size_t at = 0; at < count; at += BATCH) {
    size_t n = count - at < BATCH ? count - at : BATCH;
    for (size_t i = 0; i < n; i++) keys[i] = at + i;
    if (aio__index_put_many(index, keys, NULL, rows + at * dimensions, n, NULL) != AIORCH_OK) die("put failed");
  }
  *speed = (double)count / (now_ms() - begin) * 1e3;
  return index;
}

static void measure(figures *f, const world *w, size_t count, size_t rounds, const char *vec0) {
  size_t dimensions = w->dimensions, levels = (size_t)aio__cpu_best() + 1;
  float *rows = take(count * dimensions * sizeof *rows), *queries = take(QUERIES * dimensions * sizeof *queries);
  uint8_t *bytes = take(count * dimensions);
  static aio__near truth[QUERIES * LIMIT];
  aio__index_hit hits[MANY * LIMIT];
  aio__index *index = NULL;
  for (size_t i = 0; i < count; i++) make_vector(w, rows + i * dimensions);
  for (size_t i = 0; i < QUERIES; i++) make_vector(w, queries + i * dimensions);
  memset(bytes, 1, count * dimensions);
  for (size_t level = 0; level < levels; level++) {
    aio__index_free(index);
    index = build(rows, count, dimensions, (aio__cpu)level, &f->build[level]);
  }
  f->bytes = (double)aio__index_bytes(index) / (double)count;
  if (vec0 != NULL) open_peer(vec0, rows, count, dimensions);
  scan_f32(rows, count, dimensions, queries, rounds, truth);
  for (size_t round = 0; round < rounds; round++) {
    const float *query = queries + round * dimensions;
    for (size_t level = 0; level < levels; level++) {
      rows_read r = {rows, dimensions, 0};
      index->kernels = aio__kernels_of((aio__cpu)level);
      double begin = now_ms();
      read_to ^= readers[level](bytes, count * dimensions);
      add_time(&f->read[level], now_ms() - begin);
      add_time(&f->one[level], search(index, &r, query, 1, hits));
      f->rows[level] += (double)r.reads / (double)rounds;
      f->recall[level] += (double)found_of(hits, truth + round * LIMIT) / (double)(rounds * LIMIT);
      if (round % 4 == 0) add_time(&f->many[level], search(index, &r, query, MANY, hits));
    }
    if (vec0 != NULL && (count <= 200000 || round % 4 == 0)) add_time(&f->peer, ask_peer(query, dimensions));
  }
  if (vec0 != NULL) close_peer();
  aio__index_free(index);
  free(rows);
  free(queries);
  free(bytes);
}

/* ---- printing --------------------------------------------------------------------------------------------------- */

static void print_table(figures *f, size_t count, size_t dimensions) {
  size_t levels = (size_t)aio__cpu_best() + 1;
  printf("%zu vectors of %zu dimensions, %.0f bytes each in memory; best (median) of each, ms\n", count, dimensions,
         f->bytes);
  if (f->peer.n > 0) printf("  sqlite-vec, f32: %.2f (%.2f)\n", least(&f->peer), middle(&f->peer));
  printf("  %-7s %-16s %-16s %-7s %-16s %-7s %-8s %-7s %-8s %s\n", "level", "codes read once", "top 10", "ratio",
         "16 queries", "to one", "peer by", "recall", "rows", "put/s");
  for (size_t i = 0; i < levels; i++) {
    char read[32], one[32], many[32];
    snprintf(read, sizeof read, "%.2f (%.2f)", least(&f->read[i]), middle(&f->read[i]));
    snprintf(one, sizeof one, "%.2f (%.2f)", least(&f->one[i]), middle(&f->one[i]));
    snprintf(many, sizeof many, "%.2f (%.2f)", least(&f->many[i]), middle(&f->many[i]));
    printf("  %-7s %-16s %-16s %-7.2f %-16s %-7.2f %-8.1f %-7.4f %-8.1f %.1f M\n", aio__cpu_name((aio__cpu)i), read,
           one, middle(&f->one[i]) / middle(&f->read[i]), many, middle(&f->many[i]) / middle(&f->one[i]),
           middle(&f->peer) / middle(&f->one[i]), f->recall[i], f->rows[i], f->build[i] / 1e6);
  }
}

static void print_json(figures *f, size_t count, size_t dimensions, const char *before) {
  size_t levels = (size_t)aio__cpu_best() + 1;
  printf("%s{\"count\": %zu, \"dimensions\": %zu, \"bytes_each\": %.1f", before, count, dimensions, f->bytes);
  if (f->peer.n > 0)
    printf(", \"sqlite_vec_ms\": %.3f, \"sqlite_vec_median_ms\": %.3f", least(&f->peer), middle(&f->peer));
  for (size_t i = 0; i < levels; i++)
    printf(", \"%s\": {\"read_ms\": %.3f, \"read_median_ms\": %.3f, \"top10_ms\": %.3f, \"top10_median_ms\": %.3f, "
           "\"queries16_ms\": %.3f, \"queries16_median_ms\": %.3f, \"recall\": %.5f, \"rows_read\": %.1f, "
           "\"put_per_s\": %.0f}",
           aio__cpu_name((aio__cpu)i), least(&f->read[i]), middle(&f->read[i]), least(&f->one[i]), middle(&f->one[i]),
           least(&f->many[i]), middle(&f->many[i]), f->recall[i], f->rows[i], f->build[i]);
  printf("}");
}

static size_t number_of(const char *text) {
  char *end;
  unsigned long long value = strtoull(text, &end, 10);
  if (*end != '\0' || value == 0) die("a count is not a number");
  return (size_t)value;
}

int main(int argc, char **argv) {
  static figures f;
  size_t counts[] = {100000, 1000000}, n = 2, dimensions = 384, rounds = 40;
  const char *vec0 = NULL;
  int json = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0) json = 1;
    else if (strcmp(argv[i], "--count") == 0 && i + 1 < argc) counts[0] = number_of(argv[++i]), n = 1;
    else if (strcmp(argv[i], "--dimensions") == 0 && i + 1 < argc) dimensions = number_of(argv[++i]);
    else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) rounds = number_of(argv[++i]);
    else if (strcmp(argv[i], "--vec0") == 0 && i + 1 < argc) vec0 = argv[++i];
    else
      return fprintf(stderr, "usage: vectors [--json] [--count N] [--dimensions N] [--rounds N] [--vec0 FILE]\n"), 2;
  }
  if (rounds > ROUNDS_MAX) rounds = ROUNDS_MAX;
  if (dimensions > AIO__INDEX_DIMENSIONS_MAX) die("so many dimensions are not offered");
  world w = make_world(dimensions);
  for (size_t i = 0; i < n; i++) {
    memset(&f, 0, sizeof f);
    measure(&f, &w, counts[i], rounds, vec0);
    if (json) print_json(&f, counts[i], dimensions, i == 0 ? "[" : ", ");
    else print_table(&f, counts[i], dimensions);
  }
  if (json) printf("]\n");
  free(w.map);
  free(w.topics);
  return 0;
}
