/* Output check: secrets and leaks of the prompt in what a model says. Rules are data (output_rules.json). Thread-safe
 * after it was made. Streaming hold-back is generate's; this looks at text. */
#ifndef AIO_GUARD_OUTPUT_GUARD_H
#define AIO_GUARD_OUTPUT_GUARD_H

#include "guard/input_guard.h"

typedef struct aio__output_guard aio__output_guard;

typedef struct aio__output_finding {
  aio__verdict verdict;
  const char *rule, *category;
  size_t start, end;
} aio__output_finding;

aiorch_status aio__output_guard_new(const aio__alloc *al, aio__output_guard **out, aiorch_error *error);
void aio__output_guard_free(aio__output_guard *guard);
/* Looks for a finding in text[from..]; matches may begin before `from` as long as they end after it. `canary` (may be
 * empty) is the marker that the system text carried. Bytes that are not UTF-8 are looked past. */
aiorch_status aio__output_guard_check(const aio__output_guard *guard, aio__str text, size_t from, aio__str canary,
                                      aio__output_finding *out);

#endif
