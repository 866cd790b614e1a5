/* Finds many literals in one pass: the cheap test before any pattern is run. ASCII case is ignored. */
#ifndef AIO_GUARD_LITERALS_H
#define AIO_GUARD_LITERALS_H

#include "core/alloc.h"
#include "core/str.h"

enum { AIO__LITERAL_MIN = 3, AIO__LITERAL_MAX = 64, AIO__LITERALS_MAX = 4096 };

typedef struct aio__literals aio__literals;
typedef void aio__literal_hit(void *context, size_t literal, size_t at);

/* The texts are borrowed, each of AIO__LITERAL_MIN to AIO__LITERAL_MAX bytes; their index is their number. Const after
 * it was made. NULL when out of memory. */
aio__literals *aio__literals_new(const aio__alloc *al, const aio__str *texts, size_t n);
void aio__literals_free(aio__literals *literals);
/* Calls `hit` for each occurrence, by ascending position; a literal that begins with a letter or digit occurs at the
 * beginning of a word only. Linear: at each byte at most the literals of one bucket are compared. */
void aio__literals_scan(const aio__literals *literals, aio__str text, aio__literal_hit *hit, void *context);

#endif
