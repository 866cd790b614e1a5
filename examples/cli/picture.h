/* Pictures that go with a question: files, told apart by their first bytes, or URLs, which the provider fetches. */
#ifndef PICTURE_H
#define PICTURE_H

#include "cli.h"

typedef struct picture {
  char *name;             /* as it was given */
  const char *media_type; /* NULL: it is a URL */
  cli_bytes data;         /* base64; nothing for a URL */
} picture;

enum { PICTURE_MAX_BYTES = 11 << 20 /* of a file: as base64 it fits into what a run may hold */ };

/* Prints what is wrong with it; the exit code. */
int picture_read(cli *c, const char *where, picture *out);
void picture_free(picture *p);
/* Adds it to the last message of the run. */
aiorch_status picture_add(aiorch_run *run, const picture *p);

#endif
