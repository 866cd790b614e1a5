/* Which term of a query a word of a text is, without stemming the many that cannot be one. */
#ifndef AIO_STORES_FTS_MATCH_H
#define AIO_STORES_FTS_MATCH_H

#include "stores/fts_query.h"

typedef struct aio__fts_match {
  const aio__fts_query *query; /* borrowed */
  size_t stem[AIO__FTS_TERMS_MAX]; /* how long the stem of a term is */
  char text[AIO__FTS_TERMS_MAX][AIO__FTS_WORD_MAX];
  uint8_t first[256]; /* by the first byte of a word: 1 + the first term that begins so; 0: none */
  uint8_t next[AIO__FTS_TERMS_MAX];
} aio__fts_match;

void aio__fts_match_init(aio__fts_match *match, const aio__fts_query *query);
/* The number of the term, or SIZE_MAX. */
size_t aio__fts_match_word(const aio__fts_match *match, const aio__fts_word *word);

#endif
