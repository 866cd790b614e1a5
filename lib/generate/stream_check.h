/*
 * The output check over a growing answer: how much of it may be given out now.
 *
 * The last `hold_back` bytes stay until more has come or the answer is whole, so that a secret which is split over deltas is
 * whole before any of it goes out (secrets longer than the hold-back are found when their beginning is).
 */
#ifndef AIO_GENERATE_STREAM_CHECK_H
#define AIO_GENERATE_STREAM_CHECK_H

#include "guard/output_guard.h"

typedef struct aio__stream_check {
  const aio__output_guard *guard; /* NULL: nothing is checked */
  bool only_flag;
  aio__str canary;
  size_t hold_back;
  size_t checked;                 /* what was there at the last look */
  size_t valid;                   /* text before this is whole UTF-8 characters */
  aio__output_finding finding;    /* the gravest so far; verdict PASS when none */
} aio__stream_check;

/* `text` is all that came so far, `whole` whether it is complete. *release: the bytes from the begin that may be out, never
 * inside a character. AIORCH_OK, AIORCH_E_OUTPUT_BLOCKED, AIORCH_E_RESPONSE (not UTF-8), AIORCH_E_NOMEM. */
aiorch_status aio__stream_check_feed(aio__stream_check *check, aio__str text, bool whole, size_t *release);

#endif
