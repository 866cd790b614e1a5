/* lib/vector/index_search.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "support/test_alloc.h"
#include "support/vector_table.h"
#include "vector/index_private.h"

typedef struct fixture {
  vector_table table;
  aio__index *index;
} fixture;

static void put_all(fixture *f) {
  for (size_t i = 0; i < f->table.count; i++) f->table.there[i] = true;
  assert_int_equal(aio__index_put_many(f->index, f->table.keys, f->table.scopes, f->table.rows, f->table.count, NULL),
                   AIORCH_OK);
}

/* Vectors of `topics` topics, of scopes 0 to 3. */
static fixture make(size_t dimensions, size_t count, size_t topics, aio__cpu cpu) {
  fixture f = {.index = NULL};
  vector_table_init(&f.table, dimensions, count);
  assert_int_equal(aio__index_new(aio__alloc_default(), dimensions, cpu, &f.index), AIORCH_OK);
  for (size_t i = 0; i < count; i++) {
    vector_of_topic(i, topics, dimensions, f.table.rows + i * dimensions);
    f.table.scopes[i] = i / 3 % 4;
  }
  put_all(&f);
  return f;
}

static void drop(fixture *f) {
  aio__index_free(f->index);
  vector_table_free(&f->table);
}

/* Queries after one another: of topics, of nothing, and vectors that are there. */
static float *make_queries(const vector_table *table, size_t count, uint64_t number) {
  size_t n = table->dimensions;
  float *queries = calloc(count * n, sizeof *queries);
  for (size_t q = 0; q < count; q++) {
    if ((number + q) % 3 == 0) vector_of_topic(number * 977 + q + 100000, 20, n, queries + q * n);
    else if ((number + q) % 3 == 1) vector_random(number * 977 + q, n, queries + q * n);
    else memcpy(queries + q * n, table->rows + (number * 977 + q) % table->count * n, n * sizeof *queries);
  }
  return queries;
}

/* ---- right at every level, for any dimensions ------------------------------------------------------------------- */

static void test_search__finds_what_looking_at_each_finds(void **state) {
  (void)state;
  static const size_t dimensions[] = {1, 2, 3, 8, 31, 32, 33, 63, 64, 65, 100, 383, 384, 385, 768, 1024};
  static const uint64_t scopes[] = {0, 1, 1, 3, 2, 7, 0, 0, 0};
  for (size_t d = 0; d < sizeof dimensions / sizeof dimensions[0]; d++) {
    for (int level = 0; level <= (int)aio__cpu_best(); level++) {
      fixture f = make(dimensions[d], dimensions[d] > 300 ? 420 : 1500, 20, (aio__cpu)level);
      for (uint64_t round = 0; round < 3; round++) {
        float *queries = make_queries(&f.table, 9, round);
        vector_table_check(&f.table, f.index, queries, 9, NULL, 10, -1);
        vector_table_check(&f.table, f.index, queries, 9, scopes, 25, -1);
        vector_table_check(&f.table, f.index, queries, 1, scopes + round, 1, 0.3f);
        free(queries);
      }
      drop(&f);
    }
  }
}

/* The same to the last bit, whatever the machine has. */
static void test_search__same_result_at_every_level(void **state) {
  (void)state;
  enum { LIMIT = 50, QUERIES = 20 };
  static aio__index_hit first[QUERIES * LIMIT], hits[QUERIES * LIMIT];
  fixture f = make(130, 3000, 20, AIO__CPU_PLAIN);
  float *queries = make_queries(&f.table, QUERIES, 1);
  for (int level = 0; level <= (int)aio__cpu_best(); level++) {
    size_t counts[QUERIES];
    aio__index_search search = {.queries = queries, .query_count = QUERIES, .limit = LIMIT, .threshold = 0.1f,
                                .row = vector_table_row, .ctx = &f.table};
    f.index->kernels = aio__kernels_of((aio__cpu)level);
    memset(hits, 0, sizeof hits);
    assert_int_equal(aio__index_search_run(f.index, &search, hits, counts), AIORCH_OK);
    if (level == 0) memcpy(first, hits, sizeof hits);
    for (size_t i = 0; i < QUERIES * LIMIT; i++) {
      assert_true(hits[i].key == first[i].key);
      assert_memory_equal(&hits[i].similarity, &first[i].similarity, sizeof hits[i].similarity);
    }
  }
  free(queries);
  drop(&f);
}

static void test_search__more_than_there_are(void **state) {
  (void)state;
  fixture f = make(48, 45, 5, aio__cpu_best());
  float *queries = make_queries(&f.table, 2, 2);
  vector_table_check(&f.table, f.index, queries, 2, NULL, 45, -1);
  vector_table_check(&f.table, f.index, queries, 2, NULL, 46, -1);
  vector_table_check(&f.table, f.index, queries, 2, NULL, AIO__INDEX_LIMIT_MAX, -1);
  aio__index_remove_range(f.index, 0, UINT64_MAX);
  memset(f.table.there, 0, f.table.count * sizeof *f.table.there);
  vector_table_check(&f.table, f.index, queries, 2, NULL, 5, -1);
  free(queries);
  drop(&f);
}

static void test_search__many_hits(void **state) {
  (void)state;
  fixture f = make(16, 6000, 20, aio__cpu_best());
  float *queries = make_queries(&f.table, 2, 3);
  vector_table_check(&f.table, f.index, queries, 2, NULL, 3000, -1);
  free(queries);
  drop(&f);
}

static void test_search__many_queries_as_one_by_one(void **state) {
  (void)state;
  fixture f = make(96, 2500, 20, aio__cpu_best());
  uint64_t scopes[AIO__INDEX_QUERIES_MAX];
  float *queries = make_queries(&f.table, AIO__INDEX_QUERIES_MAX, 4);
  for (size_t q = 0; q < AIO__INDEX_QUERIES_MAX; q++) scopes[q] = q / 5 % 6;
  for (size_t n = 1; n <= AIO__INDEX_QUERIES_MAX; n += 7) {
    vector_table_check(&f.table, f.index, queries, n, NULL, 10, -1);
    vector_table_check(&f.table, f.index, queries, n, scopes, 10, -1);
  }
  free(queries);
  drop(&f);
}

/* ---- ties ------------------------------------------------------------------------------------------------------- */

static void test_search__among_equals_the_lower_key(void **state) {
  (void)state;
  enum { N = 600, SAME = 37 };
  fixture f = make(20, N, 20, aio__cpu_best());
  for (size_t i = 0; i < N; i++) memcpy(f.table.rows + i * 20, f.table.rows + i % SAME * 20, 20 * sizeof(float));
  for (size_t i = N; i-- > 0;) /* the highest keys first */
    assert_int_equal(aio__index_put(f.index, f.table.keys[i], 0, f.table.rows + i * 20), AIORCH_OK);
  aio__index_hit hits[10];
  size_t count;
  aio__index_search search = {.queries = f.table.rows + 5 * 20, .query_count = 1, .limit = 10, .threshold = -1,
                              .row = vector_table_row, .ctx = &f.table};
  assert_int_equal(aio__index_search_run(f.index, &search, hits, &count), AIORCH_OK);
  assert_int_equal(count, 10);
  for (size_t i = 0; i < 10; i++) assert_int_equal(hits[i].key, FIRST_KEY + 5 + i * SAME);
  drop(&f);
}

/* Copies by the thousand: as many rows are read as is promised, and the lowest keys are found. */
static void test_search__thousands_of_copies(void **state) {
  (void)state;
  enum { N = 20000, DIMENSIONS = 8, LIMIT = 10 };
  fixture f = {.index = NULL};
  vector_table_init(&f.table, DIMENSIONS, N);
  assert_int_equal(aio__index_new(aio__alloc_default(), DIMENSIONS, aio__cpu_best(), &f.index), AIORCH_OK);
  for (size_t i = 0; i < N; i++) {
    vector_random(1, DIMENSIONS, f.table.rows + i * DIMENSIONS);
    f.table.keys[i] = FIRST_KEY + i * 7919 % N; /* in no order */
    f.table.there[i] = true;
  }
  assert_int_equal(aio__index_put_many(f.index, f.table.keys, NULL, f.table.rows, N, NULL), AIORCH_OK);
  aio__index_hit hits[LIMIT];
  size_t count;
  aio__index_search search = {.queries = f.table.rows, .query_count = 1, .limit = LIMIT, .threshold = -1,
                              .row = vector_table_row, .ctx = &f.table};
  assert_int_equal(aio__index_search_run(f.index, &search, hits, &count), AIORCH_OK);
  assert_int_equal(count, LIMIT);
  for (size_t i = 0; i < LIMIT; i++) assert_int_equal(hits[i].key, FIRST_KEY + i);
  assert_in_range(f.table.reads, LIMIT, AIO__INDEX_CANDIDATES(LIMIT));
  drop(&f);
}

/* A search that begins while a writer has vectors in two places, and ends before the writer goes on. */
static void test_search__what_is_being_moved_counts_once(void **state) {
  (void)state;
  fixture f = make(24, 40, 6, aio__cpu_best());
  aio__index *index = f.index;
  float *queries = make_queries(&f.table, 3, 2);
  assert_int_equal(aio__index_reach(index, 2), AIORCH_OK);
  atomic_fetch_add(&index->moves, 1);
  atomic_store(aio__index_entry(index, 2), atomic_load(aio__index_entry(index, 0)));
  atomic_store(&index->blocks, 3);
  vector_table_check(&f.table, index, queries, 3, NULL, 10, -1);
  vector_table_check(&f.table, index, queries, 3, NULL, 100, -1);
  atomic_store(aio__index_entry(index, 2), NULL);
  atomic_store(&index->blocks, 2);
  atomic_fetch_add(&index->moves, 1);
  free(queries);
  drop(&f);
}

/* ---- threshold, scopes, allow ----------------------------------------------------------------------------------- */

static void test_search__threshold_spares_rows(void **state) {
  (void)state;
  fixture f = make(64, 4000, 40, aio__cpu_best());
  float *queries = make_queries(&f.table, 3, 2);
  static const float thresholds[] = {-1, -0.5f, 0, 0.5f, 0.9f, 0.999f, 1, 1.5f};
  for (size_t t = 0; t < sizeof thresholds / sizeof thresholds[0]; t++)
    vector_table_check(&f.table, f.index, queries, 3, NULL, 15, thresholds[t]);
  f.table.reads = 0;
  vector_table_check(&f.table, f.index, queries, 1, NULL, 1000, 0.99f);
  assert_true(f.table.reads <= 3); /* the vector itself is there */
  free(queries);
  drop(&f);
}

static void test_search__threshold_of_exactly_the_similarity(void **state) {
  (void)state;
  fixture f = make(50, 500, 10, aio__cpu_best());
  aio__index_hit hits[20];
  size_t count;
  float *query = make_queries(&f.table, 1, 3);
  aio__index_search search = {.queries = query, .query_count = 1, .limit = 20, .threshold = -1, .row = vector_table_row,
                              .ctx = &f.table};
  assert_int_equal(aio__index_search_run(f.index, &search, hits, &count), AIORCH_OK);
  for (size_t i = 0; i < 20; i++) {
    aio__index_hit again[20];
    search.threshold = hits[i].similarity;
    assert_int_equal(aio__index_search_run(f.index, &search, again, &count), AIORCH_OK);
    assert_true(count >= i + 1);
    assert_int_equal(again[i].key, hits[i].key);
    search.threshold = nextafterf(hits[i].similarity, 2);
    assert_int_equal(aio__index_search_run(f.index, &search, again, &count), AIORCH_OK);
    assert_true(count <= i);
  }
  free(query);
  drop(&f);
}

static void test_search__three_of_many_by_scope(void **state) {
  (void)state;
  fixture f = make(32, 20000, 50, aio__cpu_best());
  const size_t rare[] = {17, 9999, 19999};
  const uint64_t scope = UINT64_C(0x8000000000000004);
  for (size_t i = 0; i < 3; i++) {
    f.table.scopes[rare[i]] = scope;
    assert_int_equal(aio__index_put(f.index, f.table.keys[rare[i]], scope, f.table.rows + rare[i] * 32), AIORCH_OK);
  }
  float *query = make_queries(&f.table, 1, 3);
  f.table.reads = 0;
  vector_table_check(&f.table, f.index, query, 1, &scope, 10, -1);
  assert_int_equal(f.table.reads, 3);
  free(query);
  drop(&f);
}

static bool allow_three(void *ctx, uint64_t key) {
  ((vector_table *)ctx)->asked++;
  return key == FIRST_KEY + 17 || key == FIRST_KEY + 9999 || key == FIRST_KEY + 19999;
}

static bool allow_all(void *ctx, uint64_t key) {
  (void)key;
  ((vector_table *)ctx)->asked++;
  return true;
}

static bool allow_some(void *ctx, uint64_t key) {
  ((vector_table *)ctx)->asked++;
  return key % 3 == 0;
}

static bool allow_none(void *ctx, uint64_t key) {
  (void)key;
  ((vector_table *)ctx)->asked++;
  return false;
}

static void test_search__three_of_many_by_allow(void **state) {
  (void)state;
  fixture f = make(32, 20000, 50, aio__cpu_best());
  float *query = make_queries(&f.table, 4, 3);
  f.table.allow = allow_three;
  f.table.reads = 0;
  vector_table_check(&f.table, f.index, query, 1, NULL, 10, -1);
  assert_int_equal(f.table.reads, 3);
  vector_table_check(&f.table, f.index, query, 4, NULL, 2, -1);
  f.table.allow = allow_none;
  vector_table_check(&f.table, f.index, query, 4, NULL, 2, -1);
  f.table.allow = allow_some;
  vector_table_check(&f.table, f.index, query, 4, NULL, 20, -1);
  free(query);
  drop(&f);
}

/* At most once a vector in a pass, however many queries; and not about what cannot be found anyway. */
static void test_search__allow_is_asked_no_more_than_needed(void **state) {
  (void)state;
  enum { N = 24000, QUERIES = 8 };
  fixture f = make(32, N, 50, aio__cpu_best());
  float *queries = make_queries(&f.table, QUERIES, 3);
  aio__index_hit hits[QUERIES * 10];
  size_t counts[QUERIES];
  uint64_t scopes[QUERIES] = {1, 1, 1, 1, 1, 1, 1, 1};
  aio__index_search search = {.queries = queries, .query_count = 1, .limit = 10, .threshold = -1, .allow = allow_all,
                              .row = vector_table_row, .ctx = &f.table};
  assert_int_equal(aio__index_search_run(f.index, &search, hits, counts), AIORCH_OK);
  assert_in_range(f.table.asked, 10, N / 10);
  f.table.asked = 0;
  search.query_count = QUERIES;
  search.allow = allow_none;
  assert_int_equal(aio__index_search_run(f.index, &search, hits, counts), AIORCH_OK);
  assert_int_equal(f.table.asked, N);
  f.table.asked = 0;
  search.scopes = scopes;
  assert_int_equal(aio__index_search_run(f.index, &search, hits, counts), AIORCH_OK);
  assert_int_equal(f.table.asked, N / 4);
  free(queries);
  drop(&f);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static void test_search__few_rows_are_read(void **state) {
  (void)state;
  enum { QUERIES = 30, LIMIT = 10 };
  fixture f = make(384, 6000, 60, aio__cpu_best());
  float *queries = make_queries(&f.table, QUERIES, 3);
  f.table.reads = 0;
  vector_table_check(&f.table, f.index, queries, QUERIES, NULL, LIMIT, -1);
  assert_in_range(f.table.reads, QUERIES * LIMIT, QUERIES * LIMIT * 4);
  free(queries);
  drop(&f);
}

/* What is gone from the store, but not yet from the index: the next ones take its place. */
static void test_search__rows_that_are_gone(void **state) {
  (void)state;
  enum { N = 6000, LIMIT = 10 };
  fixture f = make(40, N, 6, aio__cpu_best());
  float *query = make_queries(&f.table, 1, 3);
  static const size_t gone[] = {1, 2, 12, 100, 1500};
  static aio__index_hit all[N];
  size_t count;
  aio__index_search search = {.queries = query, .query_count = 1, .limit = N, .threshold = -1, .row = vector_table_row,
                              .ctx = &f.table};
  assert_int_equal(aio__index_search_run(f.index, &search, all, &count), AIORCH_OK);
  assert_int_equal(count, N);
  for (size_t g = 0; g < sizeof gone / sizeof gone[0]; g++) {
    for (size_t i = 0; i < gone[g]; i++) f.table.there[all[i].key - FIRST_KEY] = false;
    vector_table_check(&f.table, f.index, query, 1, NULL, LIMIT, -1);
  }
  memset(f.table.there, 0, N * sizeof *f.table.there);
  vector_table_check(&f.table, f.index, query, 1, NULL, LIMIT, -1);
  free(query);
  drop(&f);
}

/* The store is right where the index is behind. */
static void test_search__rows_that_have_changed(void **state) {
  (void)state;
  enum { N = 3000 };
  fixture f = make(40, N, 6, aio__cpu_best());
  float *query = make_queries(&f.table, 1, 2);
  static aio__index_hit all[N];
  size_t count;
  aio__index_search search = {.queries = query, .query_count = 1, .limit = N, .threshold = -1, .row = vector_table_row,
                              .ctx = &f.table};
  assert_int_equal(aio__index_search_run(f.index, &search, all, &count), AIORCH_OK);
  for (size_t i = 0; i < 40; i++) { /* the nearest are the farthest now */
    float *row = f.table.rows + (all[i].key - FIRST_KEY) * 40;
    for (size_t d = 0; d < 40; d++) row[d] = -query[d];
  }
  for (size_t d = 0; d < 40; d++) f.table.rows[(all[40].key - FIRST_KEY) * 40 + d] = NAN;
  f.table.there[all[40].key - FIRST_KEY] = true;
  aio__index_hit hits[10];
  search.limit = 10;
  assert_int_equal(aio__index_search_run(f.index, &search, hits, &count), AIORCH_OK);
  assert_int_equal(count, 10);
  for (size_t i = 0; i < 10; i++) assert_int_equal(hits[i].key, all[41 + i].key);
  free(query);
  drop(&f);
}

static void test_search__error_of_a_row_ends_it(void **state) {
  (void)state;
  fixture f = make(24, 100, 6, aio__cpu_best());
  aio__index_hit hits[200];
  size_t counts[2];
  aio__index_search search = {.queries = f.table.rows, .query_count = 2, .limit = 100, .threshold = -1,
                              .row = vector_table_row, .ctx = &f.table};
  f.table.fail_key = FIRST_KEY + 60;
  assert_int_equal(aio__index_search_run(f.index, &search, hits, counts), AIORCH_E_STORE);
  f.table.fail_key = 0;
  assert_int_equal(aio__index_search_run(f.index, &search, hits, counts), AIORCH_OK);
  drop(&f);
}

/* Rows of nearly unit length: the cosine all the same. */
static void test_search__length_does_not_matter(void **state) {
  (void)state;
  fixture f = make(60, 1000, 20, aio__cpu_best());
  for (size_t i = 0; i < 1000; i++)
    for (size_t d = 0; d < 60; d++) f.table.rows[i * 60 + d] *= i % 2 == 0 ? 1.0009f : 0.9991f;
  put_all(&f);
  float *queries = make_queries(&f.table, 6, 0);
  vector_table_check(&f.table, f.index, queries, 6, NULL, 20, -1);
  vector_table_check(&f.table, f.index, queries, 6, NULL, 20, 0.7f);
  free(queries);
  drop(&f);
}

/* Codes that say nearly nothing: one component that is large, and all else below half a step. */
static void test_search__vectors_that_codes_hardly_tell_apart(void **state) {
  (void)state;
  enum { N = 900, DIMENSIONS = 300 };
  fixture f = {.index = NULL};
  vector_table_init(&f.table, DIMENSIONS, N);
  assert_int_equal(aio__index_new(aio__alloc_default(), DIMENSIONS, aio__cpu_best(), &f.index), AIORCH_OK);
  for (size_t i = 0; i < N; i++) {
    float *row = f.table.rows + i * DIMENSIONS;
    double sum = 0;
    vector_random(i, DIMENSIONS, row);
    for (size_t d = 0; d < DIMENSIONS; d++) row[d] *= 0.03f;
    row[0] = 1;
    for (size_t d = 0; d < DIMENSIONS; d++) sum += (double)row[d] * (double)row[d];
    for (size_t d = 0; d < DIMENSIONS; d++) row[d] = (float)((double)row[d] / sqrt(sum));
  }
  put_all(&f);
  float *queries = make_queries(&f.table, 6, 1);
  vector_table_check(&f.table, f.index, queries, 6, NULL, 10, -1);
  free(queries);
  drop(&f);
}

/* ---- what is refused -------------------------------------------------------------------------------------------- */

static void test_search__refuses_what_makes_no_sense(void **state) {
  (void)state;
  fixture f = make(10, 50, 6, aio__cpu_best());
  aio__index_hit hits[2];
  size_t counts[2];
  float zero[10] = {0}, longer[10];
  const aio__index_search good = {.queries = f.table.rows, .query_count = 1, .limit = 2, .threshold = -1,
                                  .row = vector_table_row, .ctx = &f.table};
  aio__index_search s = good;
  assert_int_equal(aio__index_search_run(f.index, &s, hits, counts), AIORCH_OK);
  s.queries = NULL;
  assert_int_equal(aio__index_search_run(f.index, &s, hits, counts), AIORCH_E_INVALID);
  s = good, s.query_count = 0;
  assert_int_equal(aio__index_search_run(f.index, &s, hits, counts), AIORCH_E_INVALID);
  s = good, s.query_count = AIO__INDEX_QUERIES_MAX + 1;
  assert_int_equal(aio__index_search_run(f.index, &s, hits, counts), AIORCH_E_INVALID);
  s = good, s.limit = 0;
  assert_int_equal(aio__index_search_run(f.index, &s, hits, counts), AIORCH_E_INVALID);
  s = good, s.limit = AIO__INDEX_LIMIT_MAX + 1;
  assert_int_equal(aio__index_search_run(f.index, &s, hits, counts), AIORCH_E_INVALID);
  s = good, s.threshold = NAN;
  assert_int_equal(aio__index_search_run(f.index, &s, hits, counts), AIORCH_E_INVALID);
  s = good, s.row = NULL;
  assert_int_equal(aio__index_search_run(f.index, &s, hits, counts), AIORCH_E_INVALID);
  s = good, s.queries = zero;
  assert_int_equal(aio__index_search_run(f.index, &s, hits, counts), AIORCH_E_INVALID);
  static const float wrong[] = {NAN, INFINITY, -INFINITY, 2};
  for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++) {
    memcpy(longer, f.table.rows, sizeof longer);
    longer[7] = wrong[w];
    s.queries = longer;
    assert_int_equal(aio__index_search_run(f.index, &s, hits, counts), AIORCH_E_INVALID);
  }
  drop(&f);
}

static void test_search__out_of_memory(void **state) {
  (void)state;
  enum { N = 2000, LIMIT = 300 };
  aio__test_alloc t;
  fixture f = {.index = NULL};
  aio__test_alloc_init(&t);
  vector_table_init(&f.table, 12, N);
  for (size_t i = 0; i < N; i++) vector_of_topic(i, 1, 12, f.table.rows + i * 12);
  assert_int_equal(aio__index_new(&t.al, 12, aio__cpu_best(), &f.index), AIORCH_OK);
  put_all(&f);
  for (size_t i = 0; i < LIMIT; i++) f.table.there[i * 2] = false; /* so that it is done again, with more */
  long live = t.live;
  aio__index_hit *hits = malloc(3 * LIMIT * sizeof *hits);
  float *queries = make_queries(&f.table, 3, 0);
  aio__index_search search = {.queries = queries, .query_count = 3, .limit = LIMIT, .threshold = -1,
                              .row = vector_table_row, .ctx = &f.table};
  do {
    size_t counts[3];
    aio__test_alloc_next(&t);
    aiorch_status status = aio__index_search_run(f.index, &search, hits, counts);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(t.live, live);
  } while (t.failed > 0);
  assert_true(t.fail_at > 5);
  free(queries);
  free(hits);
  drop(&f);
  assert_int_equal(t.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_search__finds_what_looking_at_each_finds),
    cmocka_unit_test(test_search__same_result_at_every_level),
    cmocka_unit_test(test_search__more_than_there_are),
    cmocka_unit_test(test_search__many_hits),
    cmocka_unit_test(test_search__many_queries_as_one_by_one),
    cmocka_unit_test(test_search__among_equals_the_lower_key),
    cmocka_unit_test(test_search__thousands_of_copies),
    cmocka_unit_test(test_search__what_is_being_moved_counts_once),
    cmocka_unit_test(test_search__threshold_spares_rows),
    cmocka_unit_test(test_search__threshold_of_exactly_the_similarity),
    cmocka_unit_test(test_search__three_of_many_by_scope),
    cmocka_unit_test(test_search__three_of_many_by_allow),
    cmocka_unit_test(test_search__allow_is_asked_no_more_than_needed),
    cmocka_unit_test(test_search__few_rows_are_read),
    cmocka_unit_test(test_search__rows_that_are_gone),
    cmocka_unit_test(test_search__rows_that_have_changed),
    cmocka_unit_test(test_search__error_of_a_row_ends_it),
    cmocka_unit_test(test_search__length_does_not_matter),
    cmocka_unit_test(test_search__vectors_that_codes_hardly_tell_apart),
    cmocka_unit_test(test_search__refuses_what_makes_no_sense),
    cmocka_unit_test(test_search__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
