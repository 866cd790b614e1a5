/*
 * Vectors for what has none yet: passages and kept questions, on several threads, with a bar.
 */
#ifndef EMBED_PENDING_H
#define EMBED_PENDING_H

#include "cli.h"

typedef struct embed_pending {
  bool able;             /* false: there is no embedder, nothing was done */
  uint64_t done, left;
  int64_t duration_ms;
  aiorch_status status;  /* AIORCH_OK: nothing is left; AIORCH_AGAIN: time was up, or Ctrl-C; else c->error says what failed */
} embed_pending;

void embed_pending_run(cli *c, embed_pending *out);
/* What there is to say about it, on lines of its own. */
void embed_pending_print(const cli *c, const embed_pending *e);
/* The members "embedded" and "to_embed" (null without an embedder). */
void embed_pending_json(json_print *p, const embed_pending *e);

#endif
