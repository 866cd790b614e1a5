/* Words that stand for one another in manuals: see fts_synonyms.c. */
#ifndef AIO_STORES_FTS_SYNONYMS_H
#define AIO_STORES_FTS_SYNONYMS_H

#include <stddef.h>

enum { AIO__FTS_KIN_MAX = 512 }; /* entries of the table */

typedef struct aio__fts_kin {
  const char *word, *stem, *kin; /* stem: of the word; kin: words with a space between */
} aio__fts_kin;

/* In the order of the words. */
const aio__fts_kin *aio__fts_kin_table(size_t *count);

#endif
