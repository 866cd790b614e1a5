/*
 * Who has what in hand: of the callers of one orchestrator that embed at the same time, no two send the same chunk to the
 * embedder, which may be paid by the text. Claims are the callers' own memory, in a list while they hold.
 */
#ifndef AIO_PIPELINE_EMBED_CLAIMS_H
#define AIO_PIPELINE_EMBED_CLAIMS_H

#include <pthread.h>
#include <stdbool.h>

#include "core/clock.h"
#include "stores/store.h"

typedef struct aio__embed_claim aio__embed_claim;
struct aio__embed_claim {
  aio__embed_claim *next;
  aio__str tenant;
  bool questions;               /* of kept answers; else chunks */
  const aio__unembedded *items; /* stay where they are while the claim holds */
  size_t count;
};

typedef struct aio__embed_claims {
  pthread_mutex_t mutex;
  pthread_cond_t released;
  aio__embed_claim *first;
} aio__embed_claims;

aiorch_status aio__embed_claims_init(aio__embed_claims *claims); /* AIORCH_E_NOMEM: nothing to destroy */
void aio__embed_claims_destroy(aio__embed_claims *claims);

/* Looking at what is to do and claiming some of it are one step, between these two: what is looked at outside of it may have
 * been done and released in between. */
void aio__embed_claims_lock(aio__embed_claims *claims);
void aio__embed_claims_unlock(aio__embed_claims *claims);

/* With the lock held. How many others have in hand of the same tenant and kind. */
size_t aio__embed_claims_held(const aio__embed_claims *claims, aio__str tenant, bool questions);
/* With the lock held. Moves what nobody has in hand to the front, in its order, and returns how much that is. */
size_t aio__embed_claims_free_of(const aio__embed_claims *claims, aio__str tenant, bool questions, aio__unembedded *items,
                                 size_t count);
/* With the lock held. Until something is released or `deadline_ns`: false. */
bool aio__embed_claims_wait(aio__embed_claims *claims, const aio__clock *clock, int64_t deadline_ns);
/* With the lock held. */
void aio__embed_claims_take(aio__embed_claims *claims, aio__embed_claim *claim);
/* Without it; of what is not held: nothing. What was done of it is in the store, the rest is anybody's. */
void aio__embed_claims_release(aio__embed_claims *claims, aio__embed_claim *claim);

#endif
