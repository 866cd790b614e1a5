/*
 * Answers that support/instant_server sends a delta at a time: how much further apart they came out than they were sent.
 */
#ifndef BENCH_PACED_H
#define BENCH_PACED_H

#include <stddef.h>

enum { DELTAS = 64, DELTA_BYTES = 41, HELD_BACK = 512 /* by the output check, until more has come */ };

typedef struct pieces {
  size_t bytes;
  int count;
  struct { int delta; double came; } piece[DELTAS]; /* with which delta it came out, and when */
} pieces;

/* `len` bytes came out just now, of those that came in all but `held`. */
void pieces_note(pieces *p, size_t len, size_t held);
/* Appends how much further apart two pieces came than their deltas were sent, which `text` says; the number of them. */
size_t pieces_gaps(const pieces *p, const char *text, size_t len, double *added);

#endif
