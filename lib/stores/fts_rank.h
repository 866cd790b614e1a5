/* How well a chunk answers a query (BM25), and the best of many. Only numbers of the asking tenant go in. */
#ifndef AIO_STORES_FTS_RANK_H
#define AIO_STORES_FTS_RANK_H

#include "stores/fts_query.h"

enum { AIO__FTS_TITLE, AIO__FTS_HEADING, AIO__FTS_BODY, AIO__FTS_FIELDS };

typedef struct aio__fts_rank {
  double worth[AIO__FTS_TERMS_MAX]; /* of a term: how rare it is, times its weight */
  size_t n;
  double average_words;             /* of the tenant's chunks */
} aio__fts_rank;

/* How often each term stands in each field of one chunk. */
typedef struct aio__fts_counts {
  uint32_t n[AIO__FTS_TERMS_MAX][AIO__FTS_FIELDS];
} aio__fts_counts;

double aio__fts_worth(const aio__fts_term *term, uint64_t chunks, uint64_t with_term);
/* What a term adds to a score that stands `often` times in a chunk, a time in a field counting as that field's weight. */
double aio__fts_part(double worth, double often, double norm);
uint32_t aio__fts_field_weight(size_t field);
/* How much a chunk's length holds its score down. */
double aio__fts_norm(const aio__fts_rank *rank, double words);
double aio__fts_score(const aio__fts_rank *rank, const aio__fts_counts *counts, double words);

typedef struct aio__fts_hit {
  double score;
  int64_t key;  /* of two equal scores the lower key is better */
  void *chunk;  /* the store's own */
} aio__fts_hit;

/* The best `cap` of what is offered; `hits` is the caller's. */
typedef struct aio__fts_top {
  aio__fts_hit *hits;
  size_t n, cap;
} aio__fts_top;

void aio__fts_top_offer(aio__fts_top *top, aio__fts_hit hit);
void aio__fts_top_sort(aio__fts_top *top); /* best first; nothing may be offered after it */

#endif
