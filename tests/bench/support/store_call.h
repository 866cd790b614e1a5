/*
 * Calls of a store that are waited for: store_call_end(&c, store->ledger->settle(store, store_call_begin(&c), ...)).
 */
#ifndef BENCH_STORE_CALL_H
#define BENCH_STORE_CALL_H

#include <pthread.h>
#include <stdbool.h>

#include "core/op.h"

typedef struct store_call {
  aio__op op;
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  bool done;
} store_call;

void store_call_init(store_call *c);
aio__op *store_call_begin(store_call *c);
/* A call that fails ends the program. */
void store_call_end(store_call *c, aiorch_status status);

#endif
