/*
 * When a server that goes down has nothing under way any more. A connection that was idle may still ask, and is told to go elsewhere; so
 * it looks for a moment whether anything comes. What counts is how often it has looked, not the clock: while the machine is busy or the
 * process stands still time goes by, and what has come meanwhile waits in the sockets.
 */
#ifndef SERVER_QUIET_H
#define SERVER_QUIET_H

#include <stdbool.h>
#include <stdint.h>

typedef struct server_quiet {
  int64_t ms, looked_ms; /* so long nothing was under way; when that was last looked at */
  int64_t step_ms;       /* between the last two looks */
  int looks;             /* since that is long enough */
  int64_t cut_ms;        /* since what was under way was told to end */
  bool cutting;
} server_quiet;

enum {
  QUIET_MS = 300,     /* is long enough */
  QUIET_STEP_MS = 50, /* each look adds no more than that */
  QUIET_LOOKS = 16,   /* more last looks than that nobody gets who is told to go elsewhere and comes again at once */
  CUT_MS = 2000,      /* how long what is cancelled has to say so */
  CUT_STEP_MS = 250
};

void quiet_begin(server_quiet *quiet, int64_t now_ms);
/* How long the next look may wait for something to come; 0 for the last one. */
int quiet_wait_ms(const server_quiet *quiet);
/* One look at all that has come. `busy`: something is under way; `came`: something has come, or is not done with. True: it may end. */
bool quiet_look(server_quiet *quiet, int64_t now_ms, bool busy, bool came);
/* After such a look, when what is under way has been told to end; the first such look counts for nothing. True: it had the time for it. */
bool quiet_cut(server_quiet *quiet);

#endif
