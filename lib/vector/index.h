/*
 * The embedded vector index: the nearest of up to some millions of unit vectors by cosine, exactly.
 *
 * A copy in memory of what a store's rows say, so it can never lose anything. Of each vector it keeps a code of a byte
 * a dimension, the code's length, and how far the vector's direction is at most from the code's; in blocks of 32 that
 * also hold keys and scopes. A search compares the upper halves of all codes in one pass (vectors of another scope are
 * not looked at) and the lower halves where those leave doubt, keeps what may belong to the result by these bounds,
 * and reads the f32 rows of those through the caller, nearest first, until no other can be nearer. So the result is
 * that of a full scan over the f32 rows, with about limit to 4 * limit rows read. Only where more than
 * AIO__INDEX_CANDIDATES(limit) vectors lie within the codes' error of the last hit (near copies of each other by the
 * thousand) do the nearest of them by code stand for all; of exact copies these are the ones with the lowest keys,
 * which is right.
 *
 * Memory: dimensions, rounded up to 64, and about 37 bytes a vector. Blocks are never moved to grow, and what was
 * removed is filled again or given back.
 *
 * Threads: any. Changes follow one after the other and wait for no search; a search waits for nothing. It sees a
 * vector wholly or not at all, and each that was there before it began and stays until it has ended, in one of the
 * forms that it had meanwhile.
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

/* Most vectors of which a query reads the f32 row. */
#define AIO__INDEX_CANDIDATES(limit) (16 * (size_t)(limit) + 1024)

typedef struct aio__index aio__index;

/* `cpu`: a level that this machine has. AIORCH_E_INVALID, AIORCH_E_NOMEM. */
aiorch_status aio__index_new(const aio__alloc *al, size_t dimensions, aio__cpu cpu, aio__index **out);
void aio__index_free(aio__index *index); /* nobody uses it any more; takes NULL */

/* Adds, or replaces what has this key. `unit` is of unit length (within 1e-3). AIORCH_E_INVALID for a NaN, an infinity
 * or a vector of another length, AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE beyond two billion; on failure nothing has
 * changed. */
aiorch_status aio__index_put(aio__index *index, uint64_t key, uint64_t scope, const float *unit);
/* The same for many, in their order: rows of `dimensions`, a key and a scope each (scopes NULL: 0). *done (may be
 * NULL): how many are in; after a failure the next is the one that failed, and the caller may go on behind it. */
aiorch_status aio__index_put_many(aio__index *index, const uint64_t *keys, const uint64_t *scopes, const float *rows,
                                  size_t count, size_t *done);
bool aio__index_remove(aio__index *index, uint64_t key);                          /* false: was not there */
size_t aio__index_remove_range(aio__index *index, uint64_t first, uint64_t last); /* both included; how many went */
size_t aio__index_count(const aio__index *index);
/* What it has from its allocator, to the byte, but for what searches under way need for themselves. */
size_t aio__index_bytes(const aio__index *index);

typedef struct aio__index_hit {
  uint64_t key;
  float similarity; /* cosine by the f32 rows, rounded once */
} aio__index_hit;

typedef struct aio__index_search {
  const float *queries;   /* query_count rows of unit length (within 1e-3) */
  size_t query_count;     /* 1 to AIO__INDEX_QUERIES_MAX: one pass over the codes serves them all */
  const uint64_t *scopes; /* one a query, best with the same ones side by side; NULL: every scope */
  size_t limit;           /* most hits a query, 1 to AIO__INDEX_LIMIT_MAX */
  float threshold;        /* hits below it are left out; -1: none is */
  /* NULL: all. Asked about those that the result may need; once most are refused, about each before it is scored. */
  bool (*allow)(void *ctx, uint64_t key);
  /* The f32 row; AIORCH_E_NOT_FOUND: gone meanwhile, left out; another error ends the search. Never called while
   * something in the index waits for this search. */
  aiorch_status (*row)(void *ctx, uint64_t key, float *out);
  void *ctx;
} aio__index_search;

/* hits: query_count * limit of them; counts: how many each query has, best first; among equals the lower key first.
 * AIORCH_OK, AIORCH_E_NOMEM, AIORCH_E_INVALID, what `row` returned. */
aiorch_status aio__index_search_run(aio__index *index, const aio__index_search *search, aio__index_hit *hits,
                                    size_t *counts);

#endif
