/* What the parts of retrieval share: retrieval.c asks, retrieval_rank.c orders what full text found, retrieval_fuse.c both
 * legs, retrieval_pack.c makes the sources. */
#ifndef AIO_PIPELINE_RETRIEVAL_PRIVATE_H
#define AIO_PIPELINE_RETRIEVAL_PRIVATE_H

#include "pipeline/retrieval.h"

enum {
  AIO__LEG_MIN = 100, /* candidates of a leg: so many, or so many times the limit, whichever is more */
  AIO__LEG_TIMES_LIMIT = 4,
  AIO__LEG_FILTERED_TIMES = 4,
  AIO__RRF_K = 60,
  AIO__TEXT_TIMES = 4, /* full text is asked for so many times more: documents are judged by all their chunks */
  AIO__LOOK_TIMES_LIMIT = 2 /* neighbours are looked for among so many times the limit */
};

/* A chunk that some leg found. Ranks count from 1; 0: the leg did not find it. */
typedef struct aio__candidate {
  const aio__found_chunk *chunk;
  size_t text_rank, vector_rank;
  double similarity; /* NaN when no vector of it is known */
  double score;
} aio__candidate;

typedef struct aio__vector_hit {
  aio__str id;
  double similarity;
} aio__vector_hit;

typedef struct aio__retrieval_work {
  aio__fts_query query;  /* what full text is asked for; n 0: not read yet */
  aio__found_chunk *text; /* of the full-text leg, best first */
  size_t text_count;
  aio__vector_hit *hits; /* of the vector leg, best first, at or above the threshold */
  size_t hit_count;
  double threshold;          /* of the vector leg */
  aio__str *missing;         /* ids that only a plug-in's vectors found */
  aio__found_chunk *fetched; /* their chunks */
  size_t missing_count;
  aio__candidate *candidates; /* of both legs, best first */
  size_t candidate_count;
  aio__str *lean;            /* ids of candidates whose text was left out */
  aio__found_chunk *filled;  /* the same with it */
  size_t lean_count;
  aio__search_args search;
  aio__nearest_args nearest;
  aio__both_args both;
  aio__found_chunk *near;    /* of the vector leg, when the store has the vectors */
  size_t near_count;
  int legs, failed;
} aio__retrieval_work;

/* Most candidates of a leg. */
static inline size_t aio__leg_limit(const aio__retrieval *retrieval) {
  size_t n = retrieval->limit * AIO__LEG_TIMES_LIMIT;
  return n > AIO__LEG_MIN ? n : AIO__LEG_MIN;
}

/* Orders what full text found anew, and puts its own score in place of the store's: see retrieval_rank.c. */
aiorch_status aio__retrieval_rank_text(aio__retrieval *retrieval);
/* Fuses both legs, best first: see retrieval_fuse.c. */
aiorch_status aio__retrieval_fuse(aio__retrieval *retrieval, aio__candidate **out, size_t *count);
/* Merges neighbours, drops near-duplicates, cuts to limit and budget; sets sources and digest. AIORCH_AGAIN: nothing is
 * set, for the text of candidate *needed has to be there first. */
aiorch_status aio__retrieval_pack(aio__retrieval *retrieval, const aio__candidate *candidates, size_t count,
                                  size_t *needed);

#endif
