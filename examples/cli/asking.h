/* What 'ask' and 'chat' have in common: what their options put on a run, how it is driven, and how its end is told. */
#ifndef ASKING_H
#define ASKING_H

#include "cli.h"
#include "picture.h"

typedef struct asking {
  cli_bytes schema;   /* the text of --schema */
  picture *pictures;  /* of --image */
  size_t picture_count;
} asking;

/* Checks the options that both have, and reads the files that they name. Prints what is wrong; the exit code. */
int asking_begin(cli *c, asking *a);
void asking_end(asking *a);

/* --no-cache, --cache, --max-age, --cache-threshold. */
aiorch_status asking_set_cache(const cli *c, aiorch_run *run);
aiorch_status asking_set_filters(const cli *c, aiorch_run *run);
/* --provider, --model, --tier, --max-tokens, --effort, --schema. */
aiorch_status asking_set_generate(const cli *c, const asking *a, aiorch_run *run);

/* How much of the answer was printed, and whether the line is still open. */
typedef struct asking_shown {
  size_t bytes;
  bool open;
} asking_shown;

/* Drives the run to its end and shows its events as they come. Ctrl-C cancels it. */
asking_shown asking_drive(cli *c, aiorch_run *run);
/* The words of a failed run, and when a new try may succeed, as one line on stderr. */
void asking_print_failure(cli *c, const aiorch_run *run);

#endif
