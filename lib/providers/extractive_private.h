/* Inside of the extractive provider: units (extractive_units.c), terms (extractive_terms.c), what is written
 * (extractive_write.c), and the choice among the sentences (extractive.c). */
#ifndef AIO_PROVIDERS_EXTRACTIVE_PRIVATE_H
#define AIO_PROVIDERS_EXTRACTIVE_PRIVATE_H

#include "core/call.h"

/* ---- units: a text cut into sentences, list items, table rows, code blocks and headings ---- */

enum { AIO__UNIT_BYTES_MAX = 1000, AIO__CODE_SPAN_MAX = 200 };

typedef enum aio__unit_kind {
  AIO__UNIT_SENTENCE,
  AIO__UNIT_ITEM,    /* a sentence of a list item */
  AIO__UNIT_ROW,     /* a line of a table */
  AIO__UNIT_CODE,    /* a whole block, with its fences when it has some */
  AIO__UNIT_HEADING
} aio__unit_kind;

typedef struct aio__unit {
  aio__unit_kind kind;
  size_t start, end;  /* bytes in the text, markers of headings and items left out */
  bool first, last;   /* of its paragraph, item or block */
} aio__unit;

typedef struct aio__unit_reader {
  aio__str text;
  size_t pos, block_end; /* pos < block_end: inside a block of sentences */
  aio__unit_kind block;
  bool first, after_item;
} aio__unit_reader;

void aio__units_begin(aio__unit_reader *reader, aio__str text);
bool aio__units_next(aio__unit_reader *reader, aio__unit *unit); /* false at the end of the text */
aio__str aio__unit_text(const aio__unit_reader *reader, const aio__unit *unit);

/* ---- terms: what a question asks for, and where a text has it ---- */

enum { AIO__TERMS_MAX = 32, AIO__WORD_MAX = 48 };

typedef struct aio__word {
  size_t start, end;
  char folded[AIO__WORD_MAX]; /* lower-case, cut to what fits */
  size_t n;
  uint64_t stem;              /* hash of the stem */
  bool number;
} aio__word;

/* The next word at or after *pos: a run of letters and digits ('_' parts words), or two neighbouring CJK characters. */
bool aio__word_next(aio__str text, size_t *pos, aio__word *word);

typedef enum aio__question_form {
  AIO__FORM_ANY, AIO__FORM_WHAT, AIO__FORM_HOW, AIO__FORM_WHY, AIO__FORM_HOW_MUCH
} aio__question_form;

typedef struct aio__term {
  uint64_t stem;
  double weight; /* 1; less for words that say little and for those of an earlier turn */
} aio__term;

typedef struct aio__terms {
  aio__term term[AIO__TERMS_MAX];
  size_t n;
  size_t strong;           /* terms of weight 1 */
  bool english;            /* or no other language that is known */
  aio__question_form form;
} aio__terms;

/* The terms of a question; `before` (may be empty) is the user's turn before it, used when the question has few. */
void aio__terms_of_question(aio__terms *terms, aio__str question, aio__str before);
/* Index of the term with that stem, -1 when it is none. */
int aio__terms_find(const aio__terms *terms, uint64_t stem);

/* ---- writing ---- */

typedef struct aio__answer_writer {
  aiorch_call *call;
  char piece[512];
  size_t n;              /* in the piece */
  size_t written, limit; /* bytes; beyond the limit nothing is written and `full` is set */
  bool full;
  char last;             /* the last byte that was written */
  aiorch_status status;
} aio__answer_writer;

void aio__answer_begin(aio__answer_writer *w, aiorch_call *call, size_t limit);
void aio__answer_z(aio__answer_writer *w, const char *text);
void aio__answer_flush(aio__answer_writer *w);             /* emits the piece */
void aio__answer_marker(aio__answer_writer *w, size_t n);  /* " [n]" */
/* A sentence, item or row: white space single, marks of Markdown and numbers of footnotes left out. */
void aio__answer_prose(aio__answer_writer *w, aio__unit_kind kind, aio__str text);
/* The block of code or the list that follows `end`, when there is one: what a sentence that ends in ':' promises. */
void aio__answer_follow(aio__answer_writer *w, aio__str text, size_t end);

#endif
