/* Plug-in calls of the entry points that block their caller. */
#ifndef AIO_API_BLOCKING_CALL_H
#define AIO_API_BLOCKING_CALL_H

#include "pipeline/orch.h"

/* Waits for the call that `kind` names (embedder: EMBED; vector store: UPSERT, REMOVE) until it has ended or the
 * deadline passed. The caller drops `*out` also after a failure; NULL when there was no call. AIORCH_OK,
 * AIORCH_E_NOMEM, AIORCH_E_DEADLINE, AIORCH_E_PLUGIN_CONTRACT, what the plug-in returned. */
aiorch_status aio__blocking_call(aiorch *orch, aio__call_kind kind, const aio__call_request *request,
                                 int64_t deadline_ns, aiorch_call **out, aiorch_error *error);
/* Takes chunks out of the vector store, in batches. What fails is logged: vectors without a chunk are never shown. */
void aio__forget_vectors(aiorch *orch, aio__str tenant, const aio__str *ids, size_t count, int64_t deadline_ns);

#endif
