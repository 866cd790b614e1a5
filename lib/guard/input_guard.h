/* Input rules: does a text try to take the model over? Rules are data (input_rules.json), matched over every normalized
 * view. Thread-safe after it was made. */
#ifndef AIO_GUARD_INPUT_GUARD_H
#define AIO_GUARD_INPUT_GUARD_H

#include "core/alloc.h"
#include "core/error.h"
#include "core/str.h"

typedef struct aio__input_guard aio__input_guard;

typedef enum aio__verdict { AIO__VERDICT_PASS = 0, AIO__VERDICT_FLAG = 1, AIO__VERDICT_BLOCK = 2 } aio__verdict;

typedef struct aio__input_finding {
  aio__verdict verdict;
  const char *rule;     /* id; borrowed from the guard; NULL when it passes */
  const char *category;
  const char *why;
  size_t start, end;    /* bytes in the original text */
} aio__input_finding;

/* `extra_rules` is JSON of the same form as the built-in rules, which it extends or, by id, replaces; may be empty.
 * AIORCH_OK, AIORCH_E_CONFIG (names rule and place), AIORCH_E_NOMEM. */
aiorch_status aio__input_guard_new(const aio__alloc *al, aio__str extra_rules, aio__input_guard **out,
                                   aiorch_error *error);
void aio__input_guard_free(aio__input_guard *guard);
/* Digest of the rules, in the cache scope: new rules, new scope. */
const char *aio__input_guard_version(const aio__input_guard *guard);
/* The gravest finding, the first of equals. A match limit that is reached is a block by the rule "match_limit".
 * AIORCH_OK, AIORCH_E_NOMEM. The text must be valid UTF-8. */
aiorch_status aio__input_guard_check(const aio__input_guard *guard, aio__str text, aio__input_finding *out);

/* The checks that come first: not empty, at most max_chars code points, valid UTF-8, no NUL, not white space or marks
 * only. AIORCH_OK, AIORCH_E_INVALID_INPUT with a message that names the byte. */
aiorch_status aio__input_check_text(aio__str text, size_t max_chars, size_t *code_points, aiorch_error *error);

#endif
