/*
 * What the fuzz targets share. Each target is one file with LLVMFuzzerTestOneInput; libFuzzer drives it (run.sh), or
 * standalone_driver.c, which replays the corpus under any compiler.
 */
#ifndef AIO_TESTS_FUZZ_H
#define AIO_TESTS_FUZZ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <aiorch/aiorch.h>

#include "core/str.h"
#include "stores/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what does not hold and where, and aborts: that is what a fuzzer takes for a crash. */
#define FUZZ_CHECK(condition)                                                                                          \
  do {                                                                                                                 \
    if (!(condition)) fuzz_fail(__FILE__, __LINE__, #condition);                                                       \
  } while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *condition);

aio__str fuzz_text(const uint8_t *data, size_t size); /* as it came */
/* Valid UTF-8 of the input, in memory of malloc: bytes that are not become '?'. The caller frees text.p. */
aio__str fuzz_utf8(const uint8_t *data, size_t size);
bool fuzz_is_boundary(aio__str text, size_t at); /* at does not split a character of valid UTF-8 */

/* A folder of its own below $TMPDIR, in memory where the system has such a place; gone when the process ends well. */
const char *fuzz_folder(void);

/* ---- a store without an orchestrator ----------------------------------------------------------------------------- */

typedef struct fuzz_env {
  aio__options options;
  aio__log *log;
  aio__store_env env;
} fuzz_env;

void fuzz_env_init(fuzz_env *env);
/* One op: fuzz_op(&op), then fuzz_wait(&op, store->...(store, &op.op, ...)). */
typedef struct fuzz_sync {
  aio__op op;
  atomic_bool done;
} fuzz_sync;
aio__op *fuzz_op(fuzz_sync *sync);
aiorch_status fuzz_wait(fuzz_sync *sync, aiorch_status started);
/* Three small documents of tenant "acme"; more of "other". */
void fuzz_fill(aio__store *store);

#endif
