/*
 * A store before another one that may be away (a server): what the other cannot take of the ledger goes into the spool (spool.h) and
 * from there to it when it is back. Everything else passes through.
 *
 * A settlement, or an attempt, that fails because the inner store is not available ends OK once it is in the spool: on the disk, or,
 * for an attempt that is about to be made, in the file. Not available is what says nothing about the row: STORE_DOWN, STORE_FULL,
 * STORE_READ_ONLY, STORE_NEWER, STORE_CORRUPT, and for settlements, whose money was spent, also DEADLINE, NOMEM, SYSTEM, CANCELLED
 * and CLOSED. An outcome that nobody knows (a connection that broke at COMMIT: STORE_DOWN) is one of them; the row comes to the store once
 * more, and its id makes that one row. STORE may be either (a right that is missing, a row against a constraint) and is spooled; when it
 * is replayed, that is found out. What a store refuses a row for (INVALID, TOO_LARGE and all others) is the caller's to know.
 *
 * While the inner store is away rows go into the spool without asking it. A thread, started when it is first needed, writes them
 * as groups, tries the oldest row again with a growing pause (or soon after any call of the inner store has succeeded), and replays
 * the rest once that was taken: of this process and of those that died, for the same store; in order for each run, several runs at a time, at most
 * spool.replay_rate a second. A row that is refused, also alone, is set aside with the reason, and the others go on; with STORE only
 * when the store has taken another row meanwhile.
 *
 * `place` of the inner store names it in the files and decides which rows are its own; it must hold no secret and stay the same
 * from one process to the next.
 */
#ifndef AIO_STORES_SPOOLED_H
#define AIO_STORES_SPOOLED_H

#include "stores/store.h"

enum { AIO__REPLAY_ANY_STORE = 1, AIO__REPLAY_POISON = 2 };

typedef struct aio__spool_report {
  uint64_t replayed; /* rows that the store took, since the call began */
  uint64_t poison;   /* rows that it refused */
  uint64_t damaged;  /* bytes that could not be read */
  uint64_t held;     /* files that other processes have in hand */
} aio__spool_report;

/* `path`: the folder. The settings spool.file_max, .max_bytes and .replay_rate hold. The inner store is closed with this one; after an
 * error it is still the caller's. */
aiorch_status aio__store_spooled_open(const aio__store_env *env, const char *path, aio__store *inner, aio__store **out,
                                      aiorch_error *error);
/* Of the store that aio__store_spooled_open made: replays now, what there is. AIORCH_AGAIN when that took longer than until
 * `deadline_ns` (it goes on); the status of the inner store when that is away. `what`: AIO__REPLAY_ANY_STORE also files
 * that were written for another place, AIO__REPLAY_POISON also those that were refused before. Blocks; any thread. */
aiorch_status aio__spooled_replay(aio__store *spooled, int what, int64_t deadline_ns, aio__spool_report *report,
                                  aiorch_error *error);
/* Whether rows go into the spool without asking the inner store. */
bool aio__spooled_is_down(aio__store *spooled);
const char *aio__spooled_path(aio__store *spooled);

#endif
