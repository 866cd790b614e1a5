/*
 * Stands before an orchestrator's memory store and makes chosen calls fail, or end late. What ends late has been done by
 * the store already; whoever waits learns of it by failing_store_answer.
 */
#ifndef AIO_TESTS_FAILING_STORE_H
#define AIO_TESTS_FAILING_STORE_H

#include <stdatomic.h>

#include "pipeline/orch.h"

typedef enum failing_call {
  FAILING_ADMIT,
  FAILING_ATTEMPT,
  FAILING_SETTLE,
  FAILING_LOOKUP,
  FAILING_PUT,
  FAILING_REVALIDATED,
  FAILING_SEARCH,
  FAILING_CALLS
} failing_call;

typedef struct failing_store {
  aio__store *inner;
  aio__store was; /* its head, with its own calls */
  aio__knowledge_ops knowledge;
  aio__cache_ops cache;
  aio__ledger_ops ledger;
  _Atomic aiorch_status fails[FAILING_CALLS]; /* AIORCH_OK: as usual; below 0: fails so at once; AIORCH_PENDING: ends late */
  atomic_int calls[FAILING_CALLS];
  aio__op *late; /* the call that is out */
} failing_store;

/* `s` must outlive the orchestrator; one at a time. */
void failing_store_stand_before(failing_store *s, aiorch *orch);
/* Before a store that stands alone; nothing may call it meanwhile. */
void failing_store_stand_before_store(failing_store *s, aio__store *store);
/* Ends the call that is out, with `status` unless that is AIORCH_OK. */
void failing_store_answer(failing_store *s, aiorch_status status);

#endif
