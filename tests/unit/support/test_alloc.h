/*
 * An allocator for tests: counts what is live, fails the n-th allocation, moves memory at every realloc, fills new
 * memory with noise, and aborts when it is given memory that is not its own or was freed before.
 *
 *   aio__test_alloc t;
 *   aio__test_alloc_init(&t);
 *   do {
 *     aio__test_alloc_next(&t);           // fails allocation 1, then 2, ... until none is left to fail
 *     status = work(&t.al);
 *     assert_int_equal(t.live, 0);
 *   } while (t.failed > 0);
 */
#ifndef AIO_TESTS_TEST_ALLOC_H
#define AIO_TESTS_TEST_ALLOC_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/alloc.h"

typedef struct aio__test_alloc {
  aio__alloc al;
  atomic_long live;   /* allocations that were not freed yet */
  atomic_long count;  /* allocations since init or next, failed ones too; a realloc counts as one */
  atomic_long failed; /* how many of them failed */
  long fail_at;       /* fails the allocation with this number, from 1; 0: none */
  bool fail_on;       /* fails all that follow, too */
} aio__test_alloc;

void aio__test_alloc_init(aio__test_alloc *t);
/* Starts the next round: count and failed at 0, fail_at one more. */
void aio__test_alloc_next(aio__test_alloc *t);

#endif
