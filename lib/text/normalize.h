/*
 * Normalized views of a text, for matching only: what the model gets is never changed.
 *
 * A view is text plus, for each of its bytes, the byte of the original that it came from, so that a match in a view
 * names a range in the original. ASCII text has one view, itself, and pays for nothing else but the decode candidates.
 */
#ifndef AIO_TEXT_NORMALIZE_H
#define AIO_TEXT_NORMALIZE_H

#include "core/arena.h"
#include "core/error.h"
#include "core/str.h"

typedef enum aio__view_kind {
  AIO__VIEW_PLAIN,   /* lower-case, NFKC with combining marks dropped, invisible characters removed, homoglyphs folded,
                        one of each run of white space or of the same punctuation */
  AIO__VIEW_LEET,    /* PLAIN with 0->o 1->i 3->e 4->a 5->s 7->t @->a $->s */
  AIO__VIEW_SPACED,  /* PLAIN with letter-spacing closed: "i g n o r e" */
  AIO__VIEW_TAGS,    /* the text with Unicode tag characters and runs of variation selectors spelled out */
  AIO__VIEW_BASE64,  /* decoded */
  AIO__VIEW_HEX,
  AIO__VIEW_ROT13,
  AIO__VIEW_ESCAPED, /* %69, &#105;, \x69 and \u0069 resolved */
  AIO__VIEW_KINDS
} aio__view_kind;

typedef struct aio__view {
  aio__view_kind kind;
  aio__str text;
  const uint32_t *offsets; /* text.n + 1 of them; NULL: the same as in the original */
} aio__view;

enum { AIO__VIEWS_MAX = 24, AIO__VIEW_DECODE_DEPTH = 2 };

typedef struct aio__views {
  aio__view view[AIO__VIEWS_MAX];
  size_t n;
  bool hidden;         /* the text has invisible characters beyond what scripts need */
  size_t hidden_start, hidden_end; /* from the first of them to the end of the last */
  size_t hidden_n;     /* all of them */
  size_t hidden_run;   /* most of them in a row */
  size_t hidden_tags;  /* tag characters among them (those of flag emoji are none) */
} aio__views;

/* Builds the views of valid UTF-8 in the arena; view[0] is PLAIN, of which there
 * are two when it cannot be told whether words are disguised. AIORCH_OK, AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE (4 GiB). */
aiorch_status aio__normalize(aio__arena *arena, aio__str text, aio__views *out);
/* NFKC and case folding alone, for exact cache keys and full-text queries: trimmed, inner white space single. */
aiorch_status aio__normalize_key(aio__arena *arena, aio__str text, aio__str *out);
/* NFKC without combining marks, typographic punctuation as ASCII, what is invisible left out, super- and vulgar fractions
 * kept apart ("m^2", "1 1/2"); the case is kept. For comparing two texts word by word. ASCII is lent as it is. */
aiorch_status aio__normalize_written(aio__arena *arena, aio__str text, aio__str *out);
/* The bytes of the original that view->text[start..end) came from, whole characters. */
void aio__view_range(const aio__view *view, aio__str original, size_t start, size_t end, size_t *out_start,
                     size_t *out_end);
/* Spells a search term or a pattern as PLAIN would, character by character and only what is not ASCII. */
aiorch_status aio__normalize_spelling(aio__arena *arena, aio__str text, aio__str *out);
/* True when valid UTF-8 has nothing to read: white space, marks, controls and invisible characters only. */
bool aio__normalize_is_blank(aio__str text);

#endif
