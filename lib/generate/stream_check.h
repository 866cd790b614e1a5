/*
 * The output check over a growing answer: what of it may be given out now, and as what.
 *
 * The last `hold_back` bytes stay until more has come or the answer is whole, and so does the whole of a word that has not ended
 * (visible ASCII without a break, up to AIO__HOLD_WORD_MAX bytes): keys and tokens are such words, so that one that is split over
 * any number of deltas, and longer than the hold-back, is whole before any of it goes out. A finding at the very end is not judged
 * before what follows it is there. So the verdict on a stream is that on the whole.
 *
 * BLOCK ends with the first finding of that gravity. REDACT writes "[redacted:RULE]" in place of what was found (of a private key up
 * to its last line), of whatever gravity; but a prompt that leaks is blocked: what would be hidden is only its mark. FLAG remembers
 * and lets pass.
 */
#ifndef AIO_GENERATE_STREAM_CHECK_H
#define AIO_GENERATE_STREAM_CHECK_H

#include "core/buf.h"
#include "guard/output_guard.h"

enum { AIO__HOLD_WORD_MAX = 8192, AIO__HOLD_LEAST = 256, AIO__FINDINGS_MAX = 256 /* in one look */ };

typedef enum aio__check_mode { AIO__CHECK_BLOCK, AIO__CHECK_FLAG, AIO__CHECK_REDACT } aio__check_mode;

/* All zero but for the first five: at the begin of an answer. */
typedef struct aio__stream_check {
  const aio__output_guard *guard; /* NULL: nothing is checked but UTF-8 */
  aio__check_mode mode;
  aio__str canary;
  aio__str hosts;                 /* those that URLs may name; empty: any */
  size_t hold_back;
  aio__output_watch watch;
  size_t checked;                 /* what was there at the last look */
  size_t valid;                   /* text before this is whole UTF-8 characters */
  size_t cleared;                 /* text before this was given out, or replaced */
  bool swallowing;                /* inside a private key that was replaced: until its last line */
  int64_t redacted;               /* how many were replaced */
  aio__output_finding finding;    /* the gravest so far; verdict PASS when none */
} aio__stream_check;

/* `text` is all that came so far, the same bytes as before and more, `whole` whether it is complete. Appends to `out` what may go out
 * now, whole characters. AIORCH_OK, AIORCH_E_OUTPUT_BLOCKED, AIORCH_E_RESPONSE (not UTF-8), AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE
 * (`out` is full). */
aiorch_status aio__stream_check_feed(aio__stream_check *check, aio__str text, bool whole, aio__buf *out);

/* Does this finding end the answer? Else it is replaced or remembered, as the mode says. */
bool aio__stream_check_blocks(const aio__stream_check *check, const aio__output_finding *finding);

#endif
