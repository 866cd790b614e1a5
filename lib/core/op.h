/*
 * An operation that may wait: the common shape of store calls.
 *
 * Whoever starts it owns the memory of the op, of its arguments and of its results until it has ended. A start returns
 *   AIORCH_OK or an error  it has ended already; done() is not called, or
 *   AIORCH_PENDING         done() will be called exactly once, from any thread, after the results are in place.
 * aio__op_wait makes any of them synchronous.
 */
#ifndef AIO_CORE_OP_H
#define AIO_CORE_OP_H

#include <stdbool.h>

#include "core/clock.h"
#include "core/error.h"

typedef struct aio__op aio__op;
struct aio__op {
  int64_t deadline_ns;                   /* monotonic; the backend ends the op by then with E_DEADLINE */
  void (*done)(aio__op *op, void *ctx);  /* wakes whoever waits; must not block */
  void *ctx;
  bool company;                          /* others are about to come: the backend may let this one wait for them until it is
                                          * told to go on (aio__store.flush), and a moment at most */
  aiorch_status status;                  /* set before done(): how a pending op ended */
  aiorch_error error;                    /* words for a status below 0, also of one that ended at once */
};

void aio__op_init(aio__op *op, int64_t deadline_ns, void (*done)(aio__op *, void *), void *ctx);

#endif
