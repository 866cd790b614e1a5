/* An orchestrator on the memory store with the fake embedder, whose answers are "First answer.", "Second answer.", ... */
#ifndef AIO_TESTS_NEAR_FIXTURE_H
#define AIO_TESTS_NEAR_FIXTURE_H

#include "fake_vectors.h"
#include "pipeline_fixture.h"

typedef struct near_fixture {
  fixture f;
  fake_vectors vectors;
} near_fixture;

/* retrieve.threshold .5, cache.threshold .9; `settings` is JSON that comes on top, or NULL. With `plugin` the vectors are in the
 * fake vector store, else in the library's. */
void near_open(near_fixture *n, bool plugin, const char *settings);
void near_close(near_fixture *n);

/* Set-ups of tests that are to hold wherever the vectors are: `near_open(&n, *state != NULL, ...)`. */
int near_in_store(void **state);
int near_in_plugin(void **state);
#define NEAR_BOTH(test) cmocka_unit_test_setup(test, near_in_store), cmocka_unit_test_setup(test, near_in_plugin)

#endif
