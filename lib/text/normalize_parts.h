/*
 * What the normalize_*.c files share: the writer of a view under construction, the folding of one character, and the
 * decoders.
 */
#ifndef AIO_TEXT_NORMALIZE_PARTS_H
#define AIO_TEXT_NORMALIZE_PARTS_H

#include "text/normalize.h"

/* A text on its way into views. `offsets` as in aio__view: NULL when it is the original itself. */
typedef struct aio__source {
  aio__str text;
  const uint32_t *offsets;
} aio__source;

/* A growing view: bytes and, for each, where it came from. */
typedef struct aio__view_writer {
  aio__arena *arena;
  char *text;
  uint32_t *offsets;
  size_t n, cap;
  bool failed; /* out of memory: everything after it is ignored */
} aio__view_writer;

void aio__view_writer_init(aio__view_writer *writer, aio__arena *arena, size_t expected);
void aio__view_writer_grow(aio__view_writer *writer);

static inline void aio__view_writer_put(aio__view_writer *writer, char c, uint32_t offset) {
  if (writer->n == writer->cap) aio__view_writer_grow(writer);
  if (writer->failed) return;
  writer->text[writer->n] = c;
  writer->offsets[writer->n++] = offset;
}

/* Ends the text with a NUL and its last offset. False when out of memory. */
bool aio__view_writer_end(aio__view_writer *writer, uint32_t end_offset, aio__source *out);

static inline uint32_t aio__source_offset(const aio__source *source, size_t i) {
  return source->offsets != NULL ? source->offsets[i] : (uint32_t)i;
}

/* PLAIN of ASCII, and of anything else: `views` gets the hidden characters, or is NULL; *disguised is set when an eager
 * pass would fold more. False when out of memory. */
bool aio__plain_ascii(aio__arena *arena, const aio__source *in, aio__source *out);
bool aio__plain_unicode(aio__arena *arena, const aio__source *in, aio__views *views, bool eager, aio__source *out,
                        bool *disguised);

enum { AIO__FOLD_BYTES = 12 };
enum { AIO__FOLD_TEXT, AIO__FOLD_SPACE, AIO__FOLD_MARK, AIO__FOLD_INVISIBLE };

/* What PLAIN makes of one character that is not ASCII. */
typedef struct aio__folded {
  uint32_t code_point;
  uint8_t kind;
  uint8_t n;      /* bytes */
  bool letter;
  bool weak;      /* `looks` holds even when the whole word is in another script */
  char looks;     /* the ASCII letter that it looks like, or NUL */
  char bytes[AIO__FOLD_BYTES];
} aio__folded;

void aio__fold_character(uint32_t code_point, aio__folded *out);
bool aio__is_invisible(uint32_t code_point);

/* Letters of other scripts that look like Latin ones (a subset of UTS 39). NUL: none. */
char aio__confusable(uint32_t code_point, bool *weak);
/* Latin letters that no decomposition makes ASCII: small capitals, stroked and script letters, squared letters. */
char aio__latin_lookalike(uint32_t code_point);

/* What a pass over a PLAIN view suggests is worth decoding. */
typedef struct aio__hints {
  bool leet, leet_one, spaced, rot13, base64, hex, escaped;
} aio__hints;

void aio__hints_find(aio__str plain, aio__hints *out);

/* Decoders: out->text.n is 0 when nothing was there to decode. False when out of memory. */
bool aio__decode_base64(aio__arena *arena, const aio__source *in, aio__source *out);
bool aio__decode_hex(aio__arena *arena, const aio__source *in, aio__source *out);
bool aio__decode_escapes(aio__arena *arena, const aio__source *in, aio__source *out);
bool aio__decode_tags(aio__arena *arena, const aio__source *in, aio__source *out);
/* From PLAIN: `original` tells how wide the gaps between letters were. */
bool aio__decode_spaced(aio__arena *arena, aio__str original, const aio__source *plain, aio__source *out);

/* Decodes one character of valid UTF-8 and moves past it. */
static inline uint32_t aio__next_valid(const char *text, size_t *pos) {
  const unsigned char *p = (const unsigned char *)text + *pos;
  if (p[0] < 0x80) {
    *pos += 1;
    return p[0];
  }
  if (p[0] < 0xE0) {
    *pos += 2;
    return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
  }
  if (p[0] < 0xF0) {
    *pos += 3;
    return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
  }
  *pos += 4;
  return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 | (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F);
}

static inline bool aio__is_alnum(char c) {
  unsigned char u = (unsigned char)c;
  return (unsigned char)((u | 0x20) - 'a') < 26 || (unsigned char)(u - '0') < 10;
}

#endif
