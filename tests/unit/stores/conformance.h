/*
 * What every store must do, as one suite of tests. A test program for a store includes conformance.c, defines how a store
 * of its kind is opened, and runs `conformance_tests` beside its own.
 */
#ifndef AIO_TESTS_STORES_CONFORMANCE_H
#define AIO_TESTS_STORES_CONFORMANCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stores/store.h"
#include "support/test_alloc.h"

typedef struct fixture {
  aio__test_alloc memory;
  aio__options options;
  aio__store_env env;
  aio__store *store;
  aio__arena arena;
  aio__op op;              /* of the last call */
  char folder[256];        /* "" for a store without one */
} fixture;

/* Opens a store of the kind under test in f->store, with f->env. Defined by each test program. */
aiorch_status open_store(fixture *f);

int setup(void **state);
int teardown(void **state);

/* Waits for the end of a call that was started with begin(f). */
aio__op *begin(fixture *f);
aiorch_status ended(fixture *f, aio__op *op, aiorch_status status);
#define CALL(f, group, function, ...) \
  ended((f), NULL, (f)->store->group->function((f)->store, begin(f), __VA_ARGS__))

#endif
