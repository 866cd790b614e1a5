/*
 * Settlement: the rows that say what a run has spent, on their way into the ledger. The orchestrator owns it, not the run: it
 * goes on when the run is cancelled, past its deadline or freed, and aiorch_close waits for it.
 */
#ifndef AIO_PIPELINE_SETTLEMENT_H
#define AIO_PIPELINE_SETTLEMENT_H

#include "pipeline/orch.h"

typedef struct aio__settlement aio__settlement;

/* Made with the run, and given room for each attempt before that is made: no lack of memory at the end of a run loses
 * what it has spent. The caller holds one reference. NULL: out of memory. */
aio__settlement *aio__settlement_new(aiorch *orch, aio__str tenant, aio__str user);
bool aio__settlement_reserve(aio__settlement *settlement, size_t attempts);
/* Copies the row into room that was reserved. Names are cut at 255 bytes. */
void aio__settlement_add(aio__settlement *settlement, const aio__attempt_row *attempt);
/* Copies the run's row and hands all rows to the ledger, once. `waker` (may be NULL) is signalled when it has ended. */
void aio__settlement_start(aio__settlement *settlement, const aio__run_row *run, aio__waker *waker);
bool aio__settlement_started(const aio__settlement *settlement);
/* AIORCH_PENDING, or how it ended; `error` (may be NULL) gets the words. */
aiorch_status aio__settlement_poll(aio__settlement *settlement, aiorch_error *error);
void aio__settlement_release(aio__settlement *settlement); /* takes NULL */

#endif
