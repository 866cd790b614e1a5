/*
 * Retrieval: from a question to numbered sources that fit a token budget. Used by the retrieve stage, by cache_lookup to
 * revalidate, and by aiorch_knowledge_search. A step machine: it never blocks; the waker is signalled when it can go on.
 *
 *   embed the query (with an embedder) -> full text -> nearest vectors, in the store or a vector store plug-in -> fetch what
 *   only the plug-in found -> fuse -> merge neighbours -> cut to top_k and the token budget
 */
#ifndef AIO_PIPELINE_RETRIEVAL_H
#define AIO_PIPELINE_RETRIEVAL_H

#include "pipeline/query_vector.h"

/* One numbered source. Strings live in the arena. */
typedef struct aio__source {
  char document_id[AIO__UUID_LEN + 1]; /* "" for one of the host's own */
  int64_t document_version;
  aio__str title, uri, text;           /* uri: the document's source, with #anchor */
  uint64_t start, end;
  double score;
  double similarity;                   /* NaN when no vector of it is known */
  uint32_t tokens;
} aio__source;

typedef struct aio__retrieval {
  /* in */
  aiorch *orch;
  aio__arena *arena;
  aio__waker *waker;
  const aio__options *options;         /* the run's */
  aio__str tenant, run_id, query;
  const aio__filter *filters;
  size_t filter_count, limit;          /* limit: top_k, or what a search asks for */
  int64_t token_budget;                /* 0: none */
  int64_t deadline_ns;
  aio__query_vector vector;            /* of the query: made on the way unless it is given READY or FAILED */
  /* out, when step says AIORCH_OK */
  aio__source *sources;
  size_t source_count;
  uint8_t digest[32];                  /* of the ids, versions and ranges of the sources: the same digest, the same context */
  bool degraded;                       /* a leg failed; `why` says which; the others counted */
  aiorch_error why;
  bool all_failed;                     /* no leg answered: an empty result says nothing */
  /* inner state */
  int phase;
  aio__op op;
  atomic_bool op_done;
  bool op_out;                         /* a store op is out: this memory must stay */
  aiorch_call *call;
  void *work;
} aio__retrieval;

void aio__retrieval_init(aio__retrieval *retrieval);  /* zeroes it; then fill in what is asked */
/* AIORCH_OK: ended; AIORCH_PENDING: the waker will be signalled; AIORCH_E_NOMEM, AIORCH_E_DEADLINE. With every leg failed it
 * is AIORCH_OK with no sources and `degraded`. */
aiorch_status aio__retrieval_step(aio__retrieval *retrieval);
/* When a pending one wants to be stepped, though nothing has signalled the waker; AIO__NEVER. */
int64_t aio__retrieval_wakes_at(const aio__retrieval *retrieval);
/* Drops the call. With op_out the memory must stay until op_done. */
void aio__retrieval_drop(aio__retrieval *retrieval);

/* The query for a follow-up: the rule stands in retrieval_query.c and docs/pipeline.md. `turns` are the user's turns,
 * oldest first, the question last. */
aiorch_status aio__retrieval_query(aio__arena *arena, const aio__str *turns, size_t count, aio__str *out);

/* A source as JSON with the fields that schema/run.json gives it; n is its number from 1. */
void aio__source_json(aio__json_writer *w, const aio__source *source, size_t n);

#endif
