/* Vectors as a store would have them. */
#include "support/vector_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

void vector_table_init(vector_table *table, size_t dimensions, size_t count) {
  memset(table, 0, sizeof *table);
  table->dimensions = dimensions;
  table->count = count;
  table->rows = calloc(count * dimensions, sizeof *table->rows);
  table->keys = calloc(count, sizeof *table->keys);
  table->scopes = calloc(count, sizeof *table->scopes);
  table->there = calloc(count, sizeof *table->there);
  assert_true(table->rows && table->keys && table->scopes && table->there);
  for (size_t i = 0; i < count; i++) table->keys[i] = FIRST_KEY + i;
}

void vector_table_free(vector_table *table) {
  free(table->rows);
  free(table->keys);
  free(table->scopes);
  free(table->there);
}

/* SplitMix64: each number starts a sequence of its own. */
static float next_float(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return (float)((z ^ z >> 31) >> 40) / 8388608.0f - 1;
}

static void make_unit(float *vector, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)vector[i] * (double)vector[i];
  for (size_t i = 0; i < n; i++) vector[i] = (float)((double)vector[i] / sqrt(sum));
}

void vector_random(uint64_t number, size_t dimensions, float *out) {
  uint64_t state = number * UINT64_C(0xd1342543de82ef95) + 1;
  for (size_t i = 0; i < dimensions; i++) out[i] = next_float(&state);
  make_unit(out, dimensions);
}

void vector_of_topic(uint64_t number, size_t topics, size_t dimensions, float *out) {
  uint64_t centre = (number % topics + 1) * UINT64_C(0x2545f4914f6cdd1d);
  uint64_t own = number * UINT64_C(0xd1342543de82ef95) + 7;
  for (size_t i = 0; i < dimensions; i++) out[i] = next_float(&centre) + 0.5f * next_float(&own);
  make_unit(out, dimensions);
}

aiorch_status vector_table_row(void *ctx, uint64_t key, float *out) {
  vector_table *table = ctx;
  assert_true(key >= FIRST_KEY && key < FIRST_KEY + table->count);
  size_t i = (size_t)(key - FIRST_KEY);
  table->reads++;
  if (key == table->fail_key) return AIORCH_E_STORE;
  if (!table->there[i]) return AIORCH_E_NOT_FOUND;
  memcpy(out, table->rows + i * table->dimensions, table->dimensions * sizeof *out);
  return AIORCH_OK;
}

static float cosine(const float *a, const float *b, size_t n) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < n; i++) {
    dot += (double)a[i] * (double)b[i];
    aa += (double)a[i] * (double)a[i];
    bb += (double)b[i] * (double)b[i];
  }
  return (float)(dot / sqrt(aa * bb));
}

static int descending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x < y) - (x > y);
}

/* The similarities of all that may be found, best first. */
static size_t look_at_each(vector_table *table, const float *query, const uint64_t *scope, float threshold,
                           float *out) {
  size_t n = 0;
  for (size_t i = 0; i < table->count; i++) {
    if (!table->there[i] || (scope != NULL && table->scopes[i] != *scope)) continue;
    if (table->allow != NULL && !table->allow(table, table->keys[i])) continue;
    float similarity = cosine(query, table->rows + i * table->dimensions, table->dimensions);
    if (similarity >= threshold) out[n++] = similarity;
  }
  qsort(out, n, sizeof *out, descending);
  return n;
}

static void check_query(vector_table *table, const float *query, const uint64_t *scope, size_t limit, float threshold,
                        const aio__index_hit *hits, size_t count) {
  const double near = 1e-6;
  float *all = calloc(table->count + 1, sizeof *all);
  size_t n = look_at_each(table, query, scope, threshold, all);
  assert_int_equal(count, n < limit ? n : limit);
  for (size_t i = 0; i < count; i++) {
    size_t row = (size_t)(hits[i].key - FIRST_KEY);
    assert_true(row < table->count && table->there[row]);
    if (scope != NULL) assert_true(table->scopes[row] == *scope);
    if (table->allow != NULL) assert_true(table->allow(table, hits[i].key));
    assert_float_equal(hits[i].similarity, all[i], near);
    const float *of = table->rows + row * table->dimensions;
    assert_float_equal(hits[i].similarity, cosine(query, of, table->dimensions), near);
    if (i == 0) continue;
    assert_true(hits[i - 1].similarity >= hits[i].similarity);
    if (hits[i - 1].similarity <= hits[i].similarity) assert_true(hits[i - 1].key < hits[i].key);
    for (size_t j = 0; j < i; j++) assert_true(hits[j].key != hits[i].key);
  }
  free(all);
}

void vector_table_check(vector_table *table, aio__index *index, const float *queries, size_t query_count,
                        const uint64_t *scopes, size_t limit, float threshold) {
  aio__index_search search = {.queries = queries, .query_count = query_count, .scopes = scopes, .limit = limit,
                              .threshold = threshold, .allow = table->allow, .row = vector_table_row, .ctx = table};
  aio__index_hit *hits = calloc(query_count * limit, sizeof *hits);
  size_t counts[AIO__INDEX_QUERIES_MAX];
  assert_int_equal(aio__index_search_run(index, &search, hits, counts), AIORCH_OK);
  for (size_t q = 0; q < query_count; q++)
    check_query(table, queries + q * table->dimensions, scopes == NULL ? NULL : &scopes[q], limit, threshold,
                hits + q * limit, counts[q]);
  free(hits);
}
