/* What is kept with an answer besides its text and given again on a hit: its sources, with the version that schema/run.json does not
 * show, and which stop sequence ended it. JSON, which a store keeps as it is (`sources` of aio__cache_entry). The texts of sources are not
 * in it where the store can give them again out of its documents. */
#ifndef AIO_PIPELINE_CACHE_KEPT_H
#define AIO_PIPELINE_CACHE_KEPT_H

#include "pipeline/run_state.h"

/* *out lies in run->kept_json. AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE. */
aiorch_status aio__cache_kept_write(aiorch_run *run, aio__str *out);
/* Of run->entry, onto the run. AIORCH_E_STORE_CORRUPT: it is no JSON, or a text that lies in the store's documents is not there any more;
 * AIORCH_E_NOMEM. The run has no sources then. */
aiorch_status aio__cache_kept_read(aiorch_run *run);

#endif
