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

/* What a look at a text that grows leaves to the next one, so that it goes on where that left off: how far was looked for the canary, and how
 * much of each of its disguises stands there; how far for the literals of rules, and behind the begin of the last (0: none). All zero: at
 * the begin of a text. */
enum { AIO__CANARY_NEEDLES = 5 };
typedef struct aio__output_watch {
  size_t canary_at, literals_at, literal;
  uint8_t matched[AIO__CANARY_NEEDLES];
} aio__output_watch;

/* All findings that end after `from`, each once: of the canary, then rule by rule, until `found` says false. Matches may begin before
 * `from` as long as they end after it. A finding at the end of a text that goes on may be another one when more has come. `canary` (may
 * be empty) is the marker that the system text carried. `watch` may be NULL; else it is one text, whose every look had the same canary, and
 * which is UTF-8 up to a character that is not whole yet. Bytes that are not UTF-8 are looked past. */
typedef bool (*aio__output_found)(void *ctx, const aio__output_finding *finding);
aiorch_status aio__output_guard_each(const aio__output_guard *guard, aio__str text, size_t from, aio__str canary,
                                     aio__output_watch *watch, aio__output_found found, void *ctx);
/* Where what a finding has begun ends: of a private key its last line, of others the letters and digits that follow it without a
 * break. SIZE_MAX: not in this text yet. */
size_t aio__output_guard_extent(aio__str text, const aio__output_finding *finding);
/* The gravest of them. */
aiorch_status aio__output_guard_check(const aio__output_guard *guard, aio__str text, size_t from, aio__str canary,
                                      aio__output_finding *out);

#endif
