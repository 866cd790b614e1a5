/* The lexicon of the hit guards, from the data in the library, and texts read with it. */
#ifndef AIO_TESTS_HIT_LEXICON_H
#define AIO_TESTS_HIT_LEXICON_H

#include "guard/hit_guard_parts.h"

/* Set-up and tear-down of a group of tests. */
int hit_lexicon_load(void **state);
int hit_lexicon_unload(void **state);
const aio__hit_lexicon *hit_lexicon(void);
/* Lives until the tear-down. */
aio__hit_text hit_lexicon_read(const char *text);

#endif
