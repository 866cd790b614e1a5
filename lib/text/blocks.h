/*
 * The blocks of a document in their order: headings, paragraphs, fenced or indented code, tables, lists. A reader, so
 * that a document of any size needs no memory for it. White space between blocks belongs to none.
 */
#ifndef AIO_TEXT_BLOCKS_H
#define AIO_TEXT_BLOCKS_H

#include "core/str.h"

enum { AIO__HEADING_LEVELS = 6, AIO__HEADING_MAX = 200 /* bytes; a longer line is a paragraph */ };

typedef enum aio__block_kind {
  AIO__BLOCK_PARAGRAPH,
  AIO__BLOCK_HEADING,
  AIO__BLOCK_CODE,
  AIO__BLOCK_TABLE,
  AIO__BLOCK_LIST
} aio__block_kind;

typedef struct aio__block {
  aio__block_kind kind;
  int level; /* of a heading, 1 to 6 */
  size_t start, end;
  aio__str title; /* of a heading, without its marks; in the text */
} aio__block;

typedef struct aio__block_reader {
  aio__str text;
  int32_t format; /* AIORCH_FORMAT_*; plain text has paragraphs alone */
  size_t pos;
} aio__block_reader;

/* The next block; false at the end. Linear over a whole document. */
bool aio__block_next(aio__block_reader *reader, aio__block *block);

/* Cuts a list, a table or code: the end of the unit that begins at `pos` (an item, a row, a line), white space behind
 * it included; at the most text.n. `fence` is the reader's memory between calls on one block: begin with 0. */
size_t aio__block_unit_end(aio__block_kind kind, aio__str text, size_t pos, size_t *fence);

#endif
