/*
 * Cuts a document into chunks along its structure: headings open sections; paragraphs, fenced code, tables and lists are
 * kept whole where they fit; what does not fit is cut at sentences, then words, never inside a character. Small
 * neighbours of one section are joined up to the target size. Chunks cover the text in order and do not overlap.
 */
#ifndef AIO_TEXT_CHUNK_H
#define AIO_TEXT_CHUNK_H

#include "core/arena.h"
#include "core/error.h"
#include "core/str.h"

#define AIO__CHUNKER_VERSION "1" /* part of each chunk's hash: a new chunker makes new chunks */

typedef struct aio__chunk {
  uint64_t start, end;  /* bytes in the text */
  aio__str heading;     /* path of headings, "Chapter > Section"; in the arena */
  uint32_t tokens;      /* estimate */
  uint32_t ordinal;
} aio__chunk;

typedef struct aio__chunk_options {
  int32_t format;       /* AIORCH_FORMAT_* */
  size_t target_tokens; /* chunks aim at this */
  size_t max_tokens;    /* and never pass this */
} aio__chunk_options;

/* `*out` points into the arena. AIORCH_OK, AIORCH_E_NOMEM. */
aiorch_status aio__chunk_text(aio__arena *arena, aio__str text, const aio__chunk_options *options, aio__chunk **out,
                         size_t *count);
/* The first heading of the text, empty when it has none. */
aio__str aio__chunk_first_heading(aio__str text, int32_t format);

#endif
