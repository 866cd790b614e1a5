/*
 * Vectors as a store would have them, for tests of the index: rows by key, and the nearest by looking at each.
 *
 * Key k is row k - FIRST_KEY. Vectors are made from numbers, so that a test can tell from a key and a version what
 * must be in a row.
 */
#ifndef AIO_TESTS_VECTOR_TABLE_H
#define AIO_TESTS_VECTOR_TABLE_H

#include "vector/index.h"

enum { FIRST_KEY = 1000 };

typedef struct vector_table {
  size_t dimensions, count;
  float *rows;
  uint64_t *keys, *scopes;
  bool *there;
  bool (*allow)(void *ctx, uint64_t key); /* ctx: the table */
  size_t reads, asked;
  uint64_t fail_key; /* reading it fails with AIORCH_E_STORE; 0: none */
} vector_table;

void vector_table_init(vector_table *table, size_t dimensions, size_t count);
void vector_table_free(vector_table *table);

/* Of unit length. */
void vector_random(uint64_t number, size_t dimensions, float *out);
/* Around one of `topics` centres, so that some are near each other. */
void vector_of_topic(uint64_t number, size_t topics, size_t dimensions, float *out);

/* The slot `row` of aio__index_search; ctx: the table. */
aiorch_status vector_table_row(void *ctx, uint64_t key, float *out);

/* Runs a search of the index and of the table, and asserts that they agree: the same similarities in the same order,
 * each that of its key, among equals the lower key first. */
void vector_table_check(vector_table *table, aio__index *index, const float *queries, size_t query_count,
                        const uint64_t *scopes, size_t limit, float threshold);

#endif
