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

/* Will cache_store need the question's vector, and is it not there yet? log_cost makes it then: what a run spends is spent before
 * its books are closed. */
bool aio__cache_store_wants_vector(aiorch_run *run);

/* The run's row as it stands now. */
void aio__log_cost_run_row(const aiorch_run *run, aio__run_row *row);
/* For a run that ends before its log_cost: hands what was spent to the ledger without waiting. */
void aio__log_cost_hand_over(aiorch_run *run);
/* Has the stage handed all over, and waits for the ledger alone? */
bool aio__log_cost_waits(const aiorch_run *run);

/* cache_scope.c: everything but the question; and the question's normalized text. AIORCH_E_NOMEM. */
void aio__cache_scope(const aiorch_run *run, uint8_t scope[AIO__SHA256_SIZE]);
aiorch_status aio__cache_key(aiorch_run *run, uint8_t key[AIO__SHA256_SIZE]);
void aio__cache_scope_hex(const uint8_t scope[AIO__SHA256_SIZE], char out[2 * AIO__SHA256_SIZE + 1]);
/* Both, onto the run, where its answer may be kept at all. AIORCH_PASS where not; AIORCH_E_NOMEM. */
aiorch_status aio__cache_place(aiorch_run *run);
/* The same, and what the store is to be asked for. AIORCH_PASS also where an answer is there already. */
aiorch_status aio__cache_ask_place(aiorch_run *run, aio__str *scope, aio__str *key);

/* ---- run_embed.c ---- */
/* Before an embedding is sent: its attempt and, in the ledger, its pending row. AIORCH_OK: go on; AIORCH_PENDING; an error of the
 * store: it must not be sent. */
aiorch_status aio__run_embed_record(aiorch_run *run);
/* After it has ended, or was dropped: the attempt as it was. AIORCH_E_NOMEM. */
aiorch_status aio__run_embed_note(aiorch_run *run, const aio__query_vector *vector);
/* Makes run->question_vector. AIORCH_OK: READY or FAILED; AIORCH_PENDING; AIORCH_E_NOMEM. */
aiorch_status aio__run_question_vector(aiorch_run *run);
/* When the run ends: lets go of what is out, and accounts for it. */
void aio__run_embed_end(aiorch_run *run);

/* ---- cache_near.c ---- */
/* May the run's question be answered by what a near one was answered, and be kept for near ones? */
bool aio__cache_near_wanted(const aiorch_run *run);
/* The least similarity of a near hit for this run. */
double aio__cache_near_threshold(const aiorch_run *run);
/* Looks for a near question: run->near.found, or run->cache_refused_by says why the nearest was none. AIORCH_OK; AIORCH_PENDING;
 * AIORCH_E_NOMEM; other errors mean that it could not be looked for (words in run->op.error or the vector). */
aiorch_status aio__cache_near_step(aiorch_run *run);

/* What a run that has begun to spend or was let in leaves in the ledger. */
bool aio__run_has_spending(const aiorch_run *run);

/* Retrieval for this run, shared by cache_lookup (to revalidate) and retrieve: done at most once, unless _again says that what
 * was found for another question serves no more. */
aiorch_status aio__run_retrieve_step(aiorch_run *run, aio__str question);
void aio__run_retrieve_again(aiorch_run *run);

#endif
