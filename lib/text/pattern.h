/* PCRE2 behind three functions: compiled once with JIT, matched under limits, so that no text can make it hang. */
#ifndef AIO_TEXT_PATTERN_H
#define AIO_TEXT_PATTERN_H

#include "core/alloc.h"
#include "core/error.h"
#include "core/str.h"

enum { AIO__PATTERN_MATCH_LIMIT = 20000, AIO__PATTERN_HEAP_KIB = 1024, AIO__PATTERN_DEPTH = 250 };

typedef struct aio__pattern aio__pattern;
typedef struct aio__pattern_scratch aio__pattern_scratch; /* one a thread and use; NULL makes one for the call */

/* Caseless, UTF, '.' matches all, with UCP off. AIORCH_E_CONFIG with the place of a fault. */
aiorch_status aio__pattern_compile(const aio__alloc *al, aio__str pattern, aio__pattern **out, aiorch_error *error);
void aio__pattern_free(aio__pattern *pattern);
aiorch_status aio__pattern_scratch_new(const aio__alloc *al, aio__pattern_scratch **out);
void aio__pattern_scratch_free(aio__pattern_scratch *scratch);

typedef enum aio__match { AIO__MATCH_NONE = 0, AIO__MATCH_FOUND = 1, AIO__MATCH_LIMIT = 2 } aio__match;
/* First match at or after `from` in valid UTF-8. LIMIT: a limit was reached, nothing is known. */
aio__match aio__pattern_match(const aio__pattern *pattern, aio__pattern_scratch *scratch, aio__str text, size_t from,
                              size_t *start, size_t *end);

#endif
