/*
 * struct aiorch_document: a document on its way into or out of the store, and lists of them.
 *
 * The text is cleaned as it is set: a byte order mark goes, CR LF and CR become LF, what is not UTF-8 becomes U+FFFD.
 * Where that moved bytes is kept as a short record, so that anchors, which the caller counts in his own text, can be
 * moved along.
 */
#ifndef AIO_API_DOCUMENT_H
#define AIO_API_DOCUMENT_H

#include <aiorch/knowledge.h>

#include "core/buf.h"
#include "core/error.h"
#include "stores/store.h"

enum {
  AIO__SOURCE_MAX = 4096,
  AIO__TITLE_MAX = 4096,
  AIO__DOCUMENT_TEXT_MAX = 256 << 20,
  AIO__METADATA_MAX = 64,
  AIO__METADATA_NAME_MAX = 63,
  AIO__METADATA_VALUE_MAX = 1024,
  AIO__ANCHORS_MAX = 1000000,
  AIO__ANCHOR_NAME_MAX = 1024,
  AIO__BAD_CHARACTERS_IN = 1000 /* one bad character in so many is borne */
};

struct aiorch_document {
  uint64_t magic;
  aio__alloc allocator; /* a copy: a document may outlive the orchestrator that it came from */
  const aio__alloc *al;
  char id[AIO__UUID_LEN + 1];
  aio__buf source, title; /* title: as set; empty when not */
  aio__buf text, moves;   /* moves: see document_text.c */
  aio__arena strings;     /* of metadata and anchors */
  aio__buf shown_title;   /* the title that it was added under */
  int32_t format, outcome;
  bool has_text, binary;
  aio__pair *metadata;
  size_t metadata_count;
  aio__anchor *anchors; /* offsets in the caller's text */
  size_t anchor_count, anchor_cap;
  size_t chunks;
  uint64_t bytes;
  int64_t updated_ms;
};

bool aio__document_check(const aiorch_document *document);
aiorch_status aio__document_new(const aio__alloc *al, aiorch_document **out);
/* From the store: what is there of it. */
aiorch_status aio__document_from_store(const aio__alloc *al, const aio__store_document *from, aiorch_document **out);
aiorch_status aio__documents_from_store(const aio__alloc *al, const aio__store_document *from, size_t count,
                                        aiorch_documents **out);
/* The anchors at their places in the cleaned text, in the arena; NULL when there are none. */
aiorch_status aio__document_anchors(const aiorch_document *document, aio__arena *arena, const aio__anchor **out);

/* ---- document_text.c ---- */

typedef struct aio__clean_text {
  aio__buf text, moves;
  size_t characters, bad;
} aio__clean_text;

/* Cleans `raw` into buffers that are initialised already. AIORCH_OK, AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE. */
aiorch_status aio__clean(aio__str raw, aio__clean_text *out);
/* Where anchors went: their offsets in the raw text, going up, become offsets in the cleaned one. */
void aio__clean_moved(aio__str moves, size_t text_len, uint64_t *offsets, size_t count);

#endif
