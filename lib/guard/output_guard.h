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
/* All findings that end after `from`, each once, rule by rule, until `found` says false. A finding at the end of a text that goes on
 * may be another one when more has come. */
typedef bool (*aio__output_found)(void *ctx, const aio__output_finding *finding);
aiorch_status aio__output_guard_each(const aio__output_guard *guard, aio__str text, size_t from, aio__str canary,
                                     aio__output_found found, void *ctx);
/* How far a text that grows was looked through for a canary, and how much of each of its disguises stands at that place. All zero: from
 * the begin. */
enum { AIO__CANARY_NEEDLES = 5 };
typedef struct aio__canary_watch {
  size_t at;
  uint8_t matched[AIO__CANARY_NEEDLES];
} aio__canary_watch;
/* Goes on where it left off: each byte is looked at once. True: `out` ends at watch->at, and there may be more behind it. */
bool aio__output_guard_canary(aio__str text, aio__str canary, aio__canary_watch *watch, aio__output_finding *out);
/* Where what a finding has begun ends: of a private key its last line, of others the letters and digits that follow it without a
 * break. SIZE_MAX: not in this text yet. */
size_t aio__output_guard_extent(aio__str text, const aio__output_finding *finding);
aiorch_status aio__output_guard_check(const aio__output_guard *guard, aio__str text, size_t from, aio__str canary,
                                      aio__output_finding *out);

#endif
