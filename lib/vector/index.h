/*
 * The embedded vector index: the nearest of up to some millions of unit vectors by cosine, exactly.
 *
 * A copy in memory of what a store's rows say, so it can never lose anything. Vectors are kept as int8 codes with one
 * max-abs scale each, in blocks of 32 that also hold their keys and scopes. A search scans all blocks (vectors of another
 * scope or that `allow` refuses are not scored), keeps the best candidates by code, and rescores them with the f32 rows
 * that the caller reads back; the candidates are so many that the f32 order of the result is that of a full scan with
 * recall of .999 or better.
 *
 * Threads: any number search while one after the other changes; a search sees a vector wholly or not at all, and each
 * that was there before it began and stays until it has ended.
 */
#ifndef AIO_VECTOR_INDEX_H
#define AIO_VECTOR_INDEX_H

#include "core/alloc.h"
#include "core/error.h"
#include "vector/cpu.h"

enum {
  AIO__INDEX_DIMENSIONS_MAX = 65536,
  AIO__INDEX_QUERIES_MAX = 64, /* of one search */
  AIO__INDEX_LIMIT_MAX = 10000
};

typedef struct aio__index aio__index;

aiorch_status aio__index_new(const aio__alloc *al, size_t dimensions, aio__cpu cpu, aio__index **out);
void aio__index_free(aio__index *index); /* nobody searches any more; takes NULL */

/* Adds, or replaces what has this key. `unit` is of unit length (within 1e-3). AIORCH_E_INVALID for a NaN, an infinity or
 * a vector of another length, AIORCH_E_NOMEM; on failure nothing has changed. */
aiorch_status aio__index_put(aio__index *index, uint64_t key, uint64_t scope, const float *unit);
/* The same for many at once, of one scope: rows of `dimensions`. */
aiorch_status aio__index_put_many(aio__index *index, const uint64_t *keys, const uint64_t *scopes, const float *rows,
                                  size_t count);
bool aio__index_remove(aio__index *index, uint64_t key);                              /* false: was not there */
size_t aio__index_remove_range(aio__index *index, uint64_t first, uint64_t last);     /* both included; how many went */
size_t aio__index_count(const aio__index *index);
size_t aio__index_bytes(const aio__index *index); /* of memory, all in all */

typedef struct aio__index_hit {
  uint64_t key;
  float similarity; /* cosine by the f32 rows */
} aio__index_hit;

typedef struct aio__index_search {
  const float *queries;   /* query_count rows of unit length */
  size_t query_count;     /* 1 to AIO__INDEX_QUERIES_MAX: one pass over the codes serves them all */
  const uint64_t *scopes; /* one a query; NULL: every scope */
  size_t limit;           /* most hits a query, 1 to AIO__INDEX_LIMIT_MAX */
  float threshold;        /* hits below it are left out; -1: none is */
  bool (*allow)(void *ctx, uint64_t key);                         /* NULL: all; asked before scoring */
  aiorch_status (*row)(void *ctx, uint64_t key, float *out);      /* the f32 row; AIORCH_E_NOT_FOUND: gone meanwhile, left out;
                                                                     another error ends the search */
  void *ctx;
} aio__index_search;

/* hits: query_count * limit of them; counts: how many each query has, best first; among equals the lower key first.
 * AIORCH_OK, AIORCH_E_NOMEM, AIORCH_E_INVALID, what `row` returned. */
aiorch_status aio__index_search_run(const aio__index *index, const aio__index_search *search, aio__index_hit *hits,
                                    size_t *counts);

#endif
