/*
 * When a near hit is a hit: two questions whose vectors are near may still ask for different things. The guards compare
 * them by what vectors blur: numbers, units and dates; negation; identifiers, quoted strings, paths and versions; the
 * order around from/to, before/after and their like; capitalised names; words of which each excludes the other; what
 * kind of answer is asked for; a single word in the place of another. They are data (hit_guard.json: units, months,
 * negations, order words, sets of alternatives) and code, and they know English only.
 *
 * Two texts are compared the more strictly the shorter they are: in a question of a dozen words a "not" or a name that
 * only one has makes another question; in a paragraph it may be another way of saying the same.
 *
 * What they do not do: convert units (60 minutes are not 1 hour), tell 3/4/2024 from April 3 or March 4, know that
 * another word is a synonym unless the data says so, read other languages.
 */
#ifndef AIO_GUARD_HIT_GUARD_H
#define AIO_GUARD_HIT_GUARD_H

#include "core/arena.h"
#include "core/error.h"
#include "core/str.h"

typedef struct aio__hit_guard aio__hit_guard;

enum {
  AIO__HIT_DETAIL_MAX = 200,
  AIO__HIT_TEXT_MAX = 65536 /* bytes; a longer text is not read */
};

/* Which guard refused, in the order in which they are asked. */
#define AIO__HIT_GUARDS(X)                                          \
  X(LANGUAGE, "language")       /* one of them is not English */    \
  X(NUMBERS, "numbers")                                             \
  X(DATES, "dates")                                                 \
  X(UNITS, "units")                                                 \
  X(NEGATION, "negation")                                           \
  X(IDENTIFIERS, "identifiers") /* quoted, paths, versions, code */ \
  X(ORDER, "order")             /* from/to, before/after, a to b */ \
  X(NAMES, "names")                                                 \
  X(OPPOSITES, "opposites")     /* enable/disable, buy/sell */      \
  X(QUESTION, "question")       /* who, when, how many, ... */      \
  X(WORDS, "words")             /* the same but for one word */     \
  X(LENGTH, "length")           /* one is far longer */

typedef enum aio__hit_refusal {
  AIO__HIT_PASS = 0,
#define X(suffix, name) AIO__HIT_##suffix,
  AIO__HIT_GUARDS(X)
#undef X
    AIO__HIT_REFUSALS /* one more than the last */
} aio__hit_refusal;

typedef struct aio__hit_finding {
  aio__hit_refusal refused_by;          /* AIO__HIT_PASS: it is a hit */
  char detail[AIO__HIT_DETAIL_MAX + 1]; /* "2023, 2024": what stands in the question, what in the kept one; UTF-8 */
} aio__hit_finding;

/* From the data in the library. AIORCH_E_NOMEM; AIORCH_E_INTERNAL when that data is no guard. */
aiorch_status aio__hit_guard_new(const aio__alloc *al, aio__hit_guard **out, aiorch_error *error);
void aio__hit_guard_free(aio__hit_guard *guard);
/* Can the guards read it? False: exact hits only. Pure, no allocation. */
bool aio__hit_guard_reads(const aio__hit_guard *guard, aio__str text);
/* Compares the question with the one that was kept. Symmetric but for the order in `detail`. Valid UTF-8 of any length;
 * scratch memory comes from the arena. AIORCH_OK with *finding, AIORCH_E_NOMEM. Threads: any. */
aiorch_status aio__hit_guard_check(const aio__hit_guard *guard, aio__arena *arena, aio__str question, aio__str kept,
                                   aio__hit_finding *finding);
/* Every guard's own verdict, for people who ask why: findings[g - 1] is that of guard g. */
aiorch_status aio__hit_guard_check_all(const aio__hit_guard *guard, aio__arena *arena, aio__str question, aio__str kept,
                                       aio__hit_finding findings[AIO__HIT_REFUSALS - 1]);
const char *aio__hit_refusal_name(aio__hit_refusal refusal); /* "numbers"; "" for AIO__HIT_PASS */

#endif
