/* The first head of a connection, as far as it is here: what was good or bad stays so, whatever comes after it. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "http_front_private.h"

enum { INPUT_MAX = 4096, EVERY_PREFIX_MAX = 512, STEPS = 8 };

static const http_limits limits = {.head_bytes = 1024, .uri_bytes = 256};

/* In memory of its own size, so that a byte too far is seen. */
static strict_verdict look(const uint8_t *data, size_t size) {
  http_problem why = {0};
  char *exact = calloc(1, size ? size : 1);
  FUZZ_CHECK(exact);
  if (size) memcpy(exact, data, size);
  strict_verdict verdict = strict_first(exact, size, &limits, &why);
  free(exact);
  FUZZ_CHECK(verdict != STRICT_BAD || (why.status >= 400 && why.status <= 505 && why.message[0] && why.code));
  FUZZ_CHECK(verdict != STRICT_MORE || size <= limits.head_bytes + 16);
  return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > INPUT_MAX) return 0;
  size_t step = size <= EVERY_PREFIX_MAX ? 1 : size / STEPS;
  strict_verdict before = STRICT_MORE;
  for (size_t n = 0; n <= size; n += step) {
    strict_verdict verdict = look(data, n);
    FUZZ_CHECK(before == STRICT_MORE || verdict == before);
    before = verdict;
  }
  return 0;
}
