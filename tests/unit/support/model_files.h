/* Files that tests read: models (scripts/get-test-models.sh) and data of the tree. */
#ifndef AIO_TESTS_MODEL_FILES_H
#define AIO_TESTS_MODEL_FILES_H

#include <stdbool.h>

#include "core/str.h"

/* The path of a file of a model below $AIORCH_TEST_MODELS. False, with a line "SKIP: ...", when it is not there: the
 * test then ends with 77. */
bool aio__test_model_path(const char *model, const char *file, char *out, size_t cap);
/* A whole file in memory of malloc, with a NUL behind it; ends the program when it cannot be read. */
aio__str aio__test_read_file(const char *path);
/* The same for a file below tests/data. */
aio__str aio__test_read_data(const char *file);
void aio__test_free_file(aio__str file);

#endif
