/*
 * What every store must do, as one suite of tests. A test program for a store includes conformance.c, defines how a
 * store of its kind is opened, and runs `conformance_tests` beside its own.
 */
#ifndef AIO_TESTS_STORES_CONFORMANCE_H
#define AIO_TESTS_STORES_CONFORMANCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pthread.h>

#include "stores/store.h"
#include "support/test_alloc.h"

/* A call that is under way, and whoever waits for it. */
typedef struct waiting {
  aio__op op;
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  bool done;
} waiting;

typedef struct fixture {
  aio__test_alloc memory;
  aio__options options;
  aio__store_env env;
  aio__store *store;
  aio__arena arena;
  waiting call;     /* the last one */
  char folder[256]; /* "" for a store without one */
} fixture;

/* Opens a store of the kind under test in f->store, with f->env. Defined by each test program. */
aiorch_status open_store(fixture *f);

int setup(void **state);
int teardown(void **state);

#endif
