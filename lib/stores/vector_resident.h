/*
 * Indexes of vectors in memory: one for each model of a tenant whose vectors were searched, for chunks and for kept
 * answers apart. Each is a copy of rows that a store has, made when it is first needed, and brought up to date by whoever
 * searches next; the least recently used leave when all together take more than vector.memory_max.
 *
 * Rows change in steps that are counted (`changed` of the row of a model). A search knows how far they had come in what
 * it sees of the store, and asks for an index that has come at least as far:
 *
 *   aio__resident_take                      counted: what is in use is never freed
 *   aio__resident_claim   OK                it has come far enough
 *                         AIORCH_PENDING    it is the caller's turn to bring it up: aio__resident_done ends the turn
 *                         AIORCH_AGAIN      another thread is at it: aio__resident_wait, then claim again
 *   aio__resident_give
 *
 * An index may have come further than what a search sees: rows that it does not see are left out when they are rescored.
 *
 * Threads: any, on the set and on its indexes.
 */
#ifndef AIO_STORES_VECTOR_RESIDENT_H
#define AIO_STORES_VECTOR_RESIDENT_H

#include <pthread.h>

#include "core/map.h"
#include "stores/store.h"
#include "vector/index.h"

typedef struct aio__resident {
  /* Changed by whoever's turn it is: */
  aio__index *index;
  int64_t seen;   /* all changes up to this one are in it, */
  int64_t filled; /* for the keys up to this one; AIO__RESIDENT_FULL: for all. -1: nothing is in it */
  /* The set's: */
  uint64_t model;
  size_t dimensions;
  int64_t ready_for; /* a search that sees no later change can use it; -1: none can */
  size_t bytes, uses;
  bool busy, left; /* left: no longer in the set, freed with its last use */
  struct aio__resident *older, *newer;
} aio__resident;

#define AIO__RESIDENT_FULL INT64_MAX

typedef struct aio__residents {
  const aio__alloc *al;
  const aio__clock *clock;
  aio__cpu cpu;
  size_t bytes_max;
  bool synced;
  pthread_mutex_t mutex; /* guards what follows, and what is the set's of each index */
  pthread_cond_t cond;
  aio__map by_model;
  aio__resident *oldest, *newest; /* by use */
  size_t bytes;
} aio__residents;

/* AIORCH_E_NOMEM, AIORCH_E_UNSUPPORTED when this machine lacks what "cpu" asks for. */
aiorch_status aio__residents_init(aio__residents *set, const aio__store_env *env, aiorch_error *error);
void aio__residents_free(aio__residents *set); /* nothing is in use; takes one that was never made */

/* The index of a model, an empty one when there is none of these dimensions. AIORCH_E_NOMEM. */
aiorch_status aio__resident_take(aio__residents *set, uint64_t model, size_t dimensions, aio__resident **out);
void aio__resident_give(aio__residents *set, aio__resident *resident);
aiorch_status aio__resident_claim(aio__residents *set, aio__resident *resident, int64_t changed);
/* In one's turn: makes room for `vectors` of them. AIORCH_E_TOO_LARGE when they alone take more than bytes_max. */
aiorch_status aio__resident_reserve(aio__residents *set, aio__resident *resident, int64_t vectors, aiorch_error *error);
/* Ends the turn. AIORCH_E_TOO_LARGE when it takes more than bytes_max now; it has left then. */
aiorch_status aio__resident_done(aio__residents *set, aio__resident *resident, aiorch_error *error);
/* Until no other thread is at it. False: the deadline has passed. */
bool aio__resident_wait(aio__residents *set, const aio__resident *resident, int64_t deadline_ns);
/* It is of no use to any search that comes: it leaves the set. */
void aio__resident_leave(aio__residents *set, aio__resident *resident);
void aio__residents_forget(aio__residents *set, uint64_t model);
size_t aio__residents_bytes(aio__residents *set);

#endif
