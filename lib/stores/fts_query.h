/*
 * Full text, as both stores understand it: how text is cut into words, what a person's question asks for, and how well a
 * chunk answers it. SQLite's tokenizer (porter unicode61) and this one agree on what a word is; what is written without
 * spaces is cut as fts_runs.h says.
 */
#ifndef AIO_STORES_FTS_QUERY_H
#define AIO_STORES_FTS_QUERY_H

#include "core/buf.h"
#include "core/str.h"

enum {
  AIO__FTS_WORD_MAX = 96,      /* bytes of a folded word; longer ones are cut */
  AIO__FTS_TERMS_MAX = 32,     /* of a query; what comes after is left out */
  AIO__FTS_QUESTION_MAX = 8192, /* bytes of a question that are read: some 1,300 words to find those terms in */
  AIO__FTS_STEM_CHANGES = 2, /* letters at the end of a stem that its word may not have there */
  AIO__FTS_PREFIX_MIN = 4      /* shortest word that may stand for longer ones when nothing has the word itself */
};

/* A folded word. A compound is what was written in one piece, as "pg_dump" or "postgresql.conf": its words with a space
 * between; it comes after them. Of a run a part is one character of several, a pair two neighbours; a pair comes after the
 * first of its parts. */
typedef struct aio__fts_word {
  char text[AIO__FTS_WORD_MAX];
  size_t n;
  bool compound, part, pair;
} aio__fts_word;

typedef struct aio__fts_words {
  aio__str text;
  size_t pos, begin; /* [begin, pos) of the text is the last word, or the part of it that a compound ends with */
  aio__fts_word compound; /* what was gathered of the piece under way */
  size_t parts;
  bool overflow, due;
  bool in_run, pair_due; /* the last word was a character of a run; it is the first of a pair */
} aio__fts_words;

void aio__fts_words_init(aio__fts_words *words, aio__str text);
/* The next word: folded to lower case without accents, not stemmed. False at the end. */
bool aio__fts_words_next(aio__fts_words *words, aio__fts_word *out);
/* How many words a text has, compounds not counted. */
uint64_t aio__fts_count_words(aio__str text);

/* Reduces an English word in place (Porter 1980), as SQLite's porter does; returns its new length. */
size_t aio__fts_stem(char *word, size_t n);

typedef struct aio__fts_term {
  aio__fts_word word;
  double weight;
  uint8_t stem_n;                       /* 0: its stem is not known yet */
  char stem_end[AIO__FTS_STEM_CHANGES]; /* the last letters of the stem: the others are the word's */
} aio__fts_term;

/* The form in which a word is kept in indexes: reduced, unless it is a compound. */
size_t aio__fts_term_form(const aio__fts_term *term, char out[AIO__FTS_WORD_MAX]);

typedef struct aio__fts_query {
  aio__fts_term term[AIO__FTS_TERMS_MAX];
  size_t n;
} aio__fts_query;

/* What a question asks for: its words without repeats, and without English stop words where others are left. */
void aio__fts_query_parse(aio__str question, aio__fts_query *out);
/* May words that it begins stand for a word that no chunk has? Not for a number: a longer one is another. */
bool aio__fts_has_longer(const aio__fts_word *word);
/* Appends a term as an FTS5 string, with `prefix` as one that stands for longer words. */
void aio__fts_term_write(const aio__fts_term *term, bool prefix, aio__buf *out);

#endif
