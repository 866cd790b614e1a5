/* The pipeline as a table: what each stage needs, what it leaves, and its step. */
#ifndef AIO_PIPELINE_STAGES_H
#define AIO_PIPELINE_STAGES_H

#include "pipeline/run_state.h"

/* One step of a stage. AIORCH_OK: the stage has ended; AIORCH_PENDING: the run's waker will be signalled, call again;
 * AIORCH_PASS: not needed; an error: the stage has ended with it (aio__run_fail was called). */
typedef aiorch_status (*aio__stage_step)(aiorch_run *run);

typedef struct aio__stage {
  const char *name;
  const char *needs;   /* what must be on the run; the words of the error when it is not */
  const char *leaves;  /* what is on the run afterwards */
  bool (*ready)(const aiorch_run *run);   /* is what it needs there? */
  bool (*passes)(const aiorch_run *run);  /* is there no need of it? */
  aio__stage_step step;
} aio__stage;

extern const aio__stage aio__stages[AIORCH_STAGE_COUNT];

aiorch_status aio__stage_validate(aiorch_run *run);
aiorch_status aio__stage_rate_limit(aiorch_run *run);
aiorch_status aio__stage_cache_lookup(aiorch_run *run);
aiorch_status aio__stage_retrieve(aiorch_run *run);
aiorch_status aio__stage_generate(aiorch_run *run);
aiorch_status aio__stage_log_cost(aiorch_run *run);
aiorch_status aio__stage_cache_store(aiorch_run *run);

/* For a run that ends before its log_cost: hands what was spent to the ledger without waiting. */
void aio__log_cost_hand_over(aiorch_run *run);

/* cache_scope.c: everything but the question; and the question's normalized text. AIORCH_E_NOMEM. */
void aio__cache_scope(const aiorch_run *run, uint8_t scope[AIO__SHA256_SIZE]);
aiorch_status aio__cache_key(aiorch_run *run, uint8_t key[AIO__SHA256_SIZE]);
/* Both, onto the run, where its answer may be kept at all. AIORCH_PASS where not; AIORCH_E_NOMEM. */
aiorch_status aio__cache_place(aiorch_run *run);

/* The query's embedding as an attempt, also of a retrieval that was broken off. AIORCH_E_NOMEM. */
aiorch_status aio__run_note_embedding(aiorch_run *run);
/* What a run that has begun to spend or was let in leaves in the ledger. */
bool aio__run_has_spending(const aiorch_run *run);

/* Retrieval for this run, shared by cache_lookup (to revalidate) and retrieve: done at most once. */
aiorch_status aio__run_retrieve_step(aiorch_run *run);

#endif
