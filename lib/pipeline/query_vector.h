/*
 * The vector of one text, made by the orchestrator's embedder. A step machine: started, polled until it has ended, good for
 * one text and purpose, or for every purpose where the embedder says so.
 */
#ifndef AIO_PIPELINE_QUERY_VECTOR_H
#define AIO_PIPELINE_QUERY_VECTOR_H

#include "pipeline/orch.h"

/* What the embedding was as an attempt, for the ledger. */
typedef struct aio__embed_attempt {
  bool made;                  /* a plug-in was called; the local embedder is no attempt: it spends nothing */
  bool cut_off;               /* it may have been worked on, and nobody has said how much */
  aiorch_status status;
  int32_t http_status;
  int64_t duration_us;
  aio__usage usage;
  aio__str model, request_id;
} aio__embed_attempt;

typedef enum aio__vector_state { AIO__VECTOR_NONE = 0, AIO__VECTOR_OUT, AIO__VECTOR_READY, AIO__VECTOR_FAILED } aio__vector_state;

/* All zero: not started. Memory is the arena's that poll is given. */
typedef struct aio__query_vector {
  aio__vector_state state;
  aio__str text;
  int32_t purpose;            /* AIORCH_PURPOSE_* */
  float *unit;                /* READY: `dimensions` floats of unit length */
  size_t dimensions;
  bool truncated;             /* the text is longer than the model reads */
  aiorch_status status;       /* FAILED: why, and in words */
  aio__str words;
  aio__embed_attempt attempt; /* complete once it has ended */
  aiorch_call *call;
  int64_t started_ns;
} aio__query_vector;

/* Calls the embedder, which must be there. `text` must live until the end. AIORCH_OK (ended or OUT), AIORCH_E_NOMEM. */
aiorch_status aio__query_vector_start(aio__query_vector *vector, aiorch *orch, aio__waker *waker, aio__str tenant,
                                      aio__str run_id, aio__str text, int32_t purpose, int64_t deadline_ns);
/* AIORCH_PENDING: the waker will be signalled; AIORCH_OK: READY or FAILED; AIORCH_E_NOMEM. Nobody else may be using the arena. */
aiorch_status aio__query_vector_poll(aio__query_vector *vector, aiorch *orch, aio__arena *arena);
/* FAILED without a call: it could not be asked for. */
void aio__query_vector_fail(aio__query_vector *vector, aiorch_status status, aio__str words);
/* Lets go of a call that is out: its attempt is then cancelled. */
void aio__query_vector_drop(aio__query_vector *vector, aiorch *orch);
/* Is it READY, and the vector of this text for this purpose? */
bool aio__query_vector_serves(const aio__query_vector *vector, const aiorch *orch, aio__str text, int32_t purpose);
/* Scales to unit length; false for a vector that has none (all zero, not finite). */
bool aio__unit_vector(const float *from, size_t dimensions, float *to);

#endif
