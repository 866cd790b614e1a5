/*
 * The output check over the arguments of a tool call: what may be found in a text is found in them, and has the same consequence.
 *
 * Arguments are one JSON object as the model wrote it. What is looked at is what its strings say: escapes (\u0041, \/, \n) are decoded,
 * and where there are escapes in what was decoded (JSON in a string), those, too, up to AIO__ARGUMENTS_LEVELS_MAX times. Names, strings
 * and what stands between them are one text, so that a value is seen beside its name.
 *
 * BLOCK, FLAG: as in stream_check.h. REDACT replaces the part of a string that was found by "[redacted:RULE]", and a number by a string
 * that says this; everything else stays byte for byte, so that it is JSON as before. Names of members are never replaced: what stands in
 * nothing but a name blocks.
 */
#ifndef AIO_GENERATE_ARGUMENTS_CHECK_H
#define AIO_GENERATE_ARGUMENTS_CHECK_H

#include "generate/stream_check.h"

enum { AIO__ARGUMENTS_LEVELS_MAX = 4 };

/* Uses guard, mode, canary and hosts of `check`; keeps the gravest finding and the number of replacements there. `out` gets the arguments
 * when something was replaced, and is left empty when they may go out as they are. AIORCH_OK, AIORCH_E_OUTPUT_BLOCKED, AIORCH_E_NOMEM,
 * AIORCH_E_TOO_LARGE (`out` is full). */
aiorch_status aio__arguments_check(aio__stream_check *check, aio__str json, aio__buf *out);

#endif
