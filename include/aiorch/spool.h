/*
 * libaiorch - the spool: rows of the ledger (what runs have cost) that wait on this machine's disk while the store is away.
 *
 * A store on a server can be away. Settings `spool.*` say whether its rows may wait here and where; they come to the store when it is
 * back by themselves, each once. These calls are for operators: what waits, and bring it now. docs/operations.md says more.
 */
#ifndef AIORCH_SPOOL_H
#define AIORCH_SPOOL_H

#include <aiorch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What aiorch_spool_replay takes beside the rows that wait for this store; may be added up. */
enum {
  AIORCH_SPOOL_ANY_STORE = 1, /**< files that were written for a store at another place, too */
  AIORCH_SPOOL_POISON = 2     /**< rows that a store refused before, too */
};

/**
 * What lies in the spool's folder, as a JSON object: {"path", "bytes", "max_bytes", "rows", "poison", "files": [{"name", "state"
 * rows|poison|damaged|making, "writing" (a process writes it now), "store" (its place; null when the file does not say), "created_ms",
 * "bytes", "rows", "damaged_bytes", "torn_bytes" (cut off at its end), "refused": [{"run_id", "status", "reason"}] (of poison, at
 * most 100)}]}. No store is opened and nothing is changed. A folder that is not there is an empty one. Members are only ever
 * added.
 *
 * @param config  `spool.path` and `spool.max_bytes` of it count.
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_CONFIG, AIORCH_E_STORE, AIORCH_E_STORE_READ_ONLY.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: one at a time with `config`; reads files.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_spool_list(const aiorch_config *config, aiorch_text **out, aiorch_error *error);

/**
 * Brings the rows that wait to the store now, those of processes that have ended, too; at most `spool.replay_rate` a second. It goes
 * on after this call has returned. `*out`: {"replayed", "poison" (refused by the store, and set aside), "damaged_bytes", "held" (files that
 * other processes have in hand)}, counted during this call.
 *
 * @param what  0, or AIORCH_SPOOL_* added up.
 * @return AIORCH_OK: nothing waits any more that can be brought; AIORCH_AGAIN: the time was not enough, call it again;
 *         AIORCH_E_STORE_DOWN and others of the store: it is still away, and nothing was lost; AIORCH_E_UNSUPPORTED: this store has no
 *         spool; AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_CLOSED, AIORCH_E_FORKED, AIORCH_E_REENTRANT. `*out` is set with AIORCH_OK and
 *         AIORCH_AGAIN alone.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: any; blocks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_spool_replay(aiorch *orch, int32_t what, int64_t timeout_ms, aiorch_text **out,
                                             aiorch_error *error);

#ifdef __cplusplus
}
#endif
#endif
