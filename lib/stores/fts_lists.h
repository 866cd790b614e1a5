/* Ranks chunks by lists of where each term of a query stands: BM25 as in fts_rank.h, without scoring every chunk. */
#ifndef AIO_STORES_FTS_LISTS_H
#define AIO_STORES_FTS_LISTS_H

#include <aiorch/error.h>

#include "stores/fts_rank.h"

enum { AIO__FTS_OFTEN_BITS = 24, AIO__FTS_OFTEN_MAX = (1 << AIO__FTS_OFTEN_BITS) - 1 };

/* A chunk's number above how often a term stands in it (aio__fts_field_weight for each time). Lists ascend. */
static inline uint64_t aio__fts_posting(uint64_t chunk, uint64_t often) {
  return chunk << AIO__FTS_OFTEN_BITS | (often < AIO__FTS_OFTEN_MAX ? often : AIO__FTS_OFTEN_MAX);
}
static inline uint64_t aio__fts_posting_chunk(uint64_t posting) {
  return posting >> AIO__FTS_OFTEN_BITS;
}
static inline uint32_t aio__fts_posting_often(uint64_t posting) {
  return (uint32_t)(posting & AIO__FTS_OFTEN_MAX);
}

typedef struct aio__fts_list {
  const uint64_t *posting; /* borrowed */
  size_t n;
  uint32_t most; /* the highest `often` in it */
} aio__fts_list;

typedef struct aio__fts_lists {
  aio__fts_list list[AIO__FTS_TERMS_MAX]; /* of the terms of `rank` */
  aio__fts_rank rank;
  /* How many words a chunk has. */
  aiorch_status (*words)(void *ctx, uint64_t chunk, uint32_t *out);
  bool (*passes)(void *ctx, uint64_t chunk);
  void *ctx;
} aio__fts_lists;

/* The place from `from` on of the first posting of the chunk or one behind it: quick when it is near. */
size_t aio__fts_list_seek(const aio__fts_list *list, size_t from, uint64_t chunk);

/* Offers to `top`, keyed by the chunks' numbers, all that can be among its best. What `words` fails with, or AIORCH_OK. */
aiorch_status aio__fts_lists_rank(const aio__fts_lists *lists, aio__fts_top *top);

#endif
