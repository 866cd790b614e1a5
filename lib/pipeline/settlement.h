/*
 * Settlement: the rows that say what a run has spent, on their way into the ledger. The orchestrator owns it, not the run: it
 * goes on when the run is cancelled, past its deadline or freed, and aiorch_close waits for it.
 */
#ifndef AIO_PIPELINE_SETTLEMENT_H
#define AIO_PIPELINE_SETTLEMENT_H

#include "pipeline/orch.h"

typedef struct aio__settlement aio__settlement;

/* Copies the rows and hands them to the ledger. `waker` (may be NULL) is signalled when it has ended. The caller holds one
 * reference. AIORCH_E_NOMEM: nothing was handed over. */
aiorch_status aio__settlement_start(aiorch *orch, aio__str tenant, const aio__run_row *run,
                                    const aio__attempt_row *attempts, size_t count, aio__waker *waker,
                                    aio__settlement **out);
/* AIORCH_PENDING, or how it ended; `error` (may be NULL) gets the words. */
aiorch_status aio__settlement_poll(aio__settlement *settlement, aiorch_error *error);
void aio__settlement_release(aio__settlement *settlement); /* takes NULL */

#endif
