/* A stem is the beginning of its word but for its last letters (AIO__FTS_STEM_CHANGES), so most words are turned away by
 * how they begin. */
#include "stores/fts_match.h"

#include <string.h>

_Static_assert(AIO__FTS_TERMS_MAX < UINT8_MAX, "terms are counted in a byte");

static size_t stem_copy(const aio__fts_word *word, char out[AIO__FTS_WORD_MAX]) {
  memcpy(out, word->text, word->n);
  return word->compound ? word->n : aio__fts_stem(out, word->n);
}

void aio__fts_match_init(aio__fts_match *match, const aio__fts_query *query) {
  memset(match->first, 0, sizeof match->first);
  match->query = query;
  for (size_t i = query->n; i-- > 0;) { /* so that of two alike the first is found */
    match->stem[i] = aio__fts_term_form(&query->term[i], match->text[i]);
    uint8_t *first = &match->first[(unsigned char)match->text[i][0]];
    match->next[i] = *first;
    *first = (uint8_t)(i + 1);
  }
}

static bool begins_alike(const aio__fts_match *match, size_t term, const aio__fts_word *word) {
  size_t n = match->stem[term], same = n > AIO__FTS_STEM_CHANGES ? n - AIO__FTS_STEM_CHANGES : 1;
  return word->n >= same && memcmp(match->text[term], word->text, same) == 0;
}

size_t aio__fts_match_word(const aio__fts_match *match, const aio__fts_word *word) {
  char stem[AIO__FTS_WORD_MAX];
  size_t n = 0;
  for (size_t at = match->first[(unsigned char)word->text[0]]; at > 0; at = match->next[at - 1]) {
    size_t term = at - 1;
    if (!begins_alike(match, term, word)) continue;
    if (n == 0) n = stem_copy(word, stem);
    if (match->stem[term] == n && memcmp(match->text[term], stem, n) == 0) return term;
  }
  return SIZE_MAX;
}
