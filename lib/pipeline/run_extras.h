/* What comes besides the text of an answer: warnings as they come, tool calls and reasoning once the whole answer is there and
 * checked, so that nothing of it is out before the verdict. */
#ifndef AIO_PIPELINE_RUN_EXTRAS_H
#define AIO_PIPELINE_RUN_EXTRAS_H

#include "pipeline/run_state.h"

/* Passes on the warnings of the call that have come since the last look. */
void aio__run_take_warnings(aiorch_run *run);
/*
 * The answer is whole: its tool calls and its reasoning become the run's. Arguments are checked like text, by the same settings
 * (generate/arguments_check.h); a tool's name in which something is found blocks in the modes "on" and "redact", which cannot change it.
 * Reasoning goes out as it is or, where what was found would have been blocked or replaced, is left out with a warning.
 *
 * AIORCH_OK; AIORCH_E_OUTPUT_BLOCKED: run->check.finding says why; AIORCH_E_NOMEM.
 */
aiorch_status aio__run_take_extras(aiorch_run *run);
/* This stop sequence ended the answer, if it is one of the run's own: nothing goes out here that was not asked for. */
void aio__run_stopped_by(aiorch_run *run, aio__str text);
/* An event for each tool call, when the text is out. AIORCH_E_NOMEM. */
aiorch_status aio__run_announce_extras(aiorch_run *run);
/* Forgets them: the attempt has failed. */
void aio__run_drop_extras(aiorch_run *run);

#endif
