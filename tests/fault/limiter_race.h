/*
 * Processes that ask for admission at once under one key, on one store, and are ended by SIGKILL among it.
 */
#ifndef LIMITER_RACE_H
#define LIMITER_RACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <aiorch/aiorch.h>

enum { RACE_PROCESSES = 4, RACE_THREADS = 16, RACE_KILLS = 6 };

typedef struct race_options {
  int limit, rounds;
  unsigned long seed;
} race_options;

/* "--limit N --rounds N --seed N" over what is there; seeds random(), and says so. */
void race_arguments(race_options *options, int argc, char **argv);

/* Where all ask. */
typedef struct race_place {
  const char *store, *settings; /* settings: JSON */
  unsigned seconds;             /* a process that takes longer is ended */
  bool goes_away;               /* the store may be away for a moment: what was asked then may have been counted, or not */
} race_place;

/* Shared by all processes of a round. */
typedef struct race {
  const race_place *place;
  pid_t pids[RACE_PROCESSES];
  atomic_bool go, no_more_kills;
  atomic_int ready, admitted, refused, unknown, failed;
  atomic_int in_flight[RACE_PROCESSES]; /* admissions that were asked for and not yet answered */
  int lost, died;                       /* in flight at kills; processes that ended badly */
  char words[600];                      /* of what failed first */
} race;

/* All processes and their threads stand ready, and go. */
race *race_begin(const race_place *place);
/* Another `share` has been admitted since the call, or it is over. */
void race_wait(race *r, int share);
bool race_is_over(const race *r); /* one was refused, or something failed */
/* Ends a process at random, and begins another in its place. */
void race_kill(race *r);
/* No more kills: whoever has been refused often enough since comes to its end. Until then all go on to ask, so that what a crash of the
 * store forgets is asked for again, and no connection is given back. */
void race_join(race *r);
/* Nothing failed, `rows` stand in the store, and as many were admitted as can be; then `r` is freed. Prints a line that begins with
 * `name`. */
bool race_end(race *r, const char *name, int limit, long long rows, int kills, bool may_be_more);

#endif
