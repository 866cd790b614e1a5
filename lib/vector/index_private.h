/*
 * How the index lies in memory, and who may touch what.
 *
 * A vector has a place: a block and a row in it. Writers hold the mutex. Searches hold nothing; they walk the blocks
 * from the last to the first. What makes that safe:
 *
 * - A row is written once. A block's `rows` counts those that are written; they are never written again. A vector goes
 *   by a bit in `dead`; is replaced by another block with the new row at the same place; and a free row in the middle
 *   of a block is filled in a copy of that block. So a search sees the old block or the new one.
 * - Vectors move only to make the index smaller, and only to a lower place: first they are there in the lower one,
 *   then gone from the higher one. Walking downwards, a search meets each at least once. It may meet one twice:
 *   `moves` tells whether that can be.
 * - A block that nobody can find any more is kept until all searches have ended that may have found it: a search
 *   counts itself in under the epoch that it sees; the epoch goes on when nobody is left of the one before; and what
 *   was taken out in an epoch is freed two epochs later.
 *
 * Leaves of places grow by doubling and stay where they are, so that a place has one home for good.
 */
#ifndef AIO_VECTOR_INDEX_PRIVATE_H
#define AIO_VECTOR_INDEX_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "vector/index.h"
#include "vector/kernels.h"

enum {
  AIO__LEAVES = 24,
  AIO__LEAF_FIRST = 4, /* blocks of the first leaf; each has twice as many as the one before */
  AIO__BLOCK_ALIGN = 64,
  AIO__PLACES_MAX = INT32_MAX /* not below the rows of all leaves */
};

/* Behind it lie, for `room` rows each, what a search reads of all: coarse units and errors, upper halves of codes; and
 * what it reads of some: scopes, keys, units, errors, lower halves. */
typedef struct aio__block {
  _Atomic uint32_t rows; /* written ones */
  _Atomic uint32_t dead; /* a bit for each that is gone */
  uint32_t room;         /* a multiple of four, AIO__BLOCK_ROWS at most */
  uint8_t *high, *low;   /* aligned */
  void *memory;            /* what the allocator gave */
  struct aio__block *next; /* among those that wait for searches to end */
} aio__block;

enum { AIO__ROW_BYTES_BEFORE_HIGH = 4, AIO__ROW_BYTES_BEFORE_LOW = 22 };

static inline uint16_t *aio__block_coarse_units(const aio__block *block) {
  return (uint16_t *)(void *)(block->high - 4 * (size_t)block->room);
}

static inline uint16_t *aio__block_coarse_errors(const aio__block *block) {
  return (uint16_t *)(void *)(block->high - 2 * (size_t)block->room);
}

static inline uint64_t *aio__block_scopes(const aio__block *block) {
  return (uint64_t *)(void *)(block->low - 22 * (size_t)block->room);
}

static inline uint64_t *aio__block_keys(const aio__block *block) {
  return (uint64_t *)(void *)(block->low - 14 * (size_t)block->room);
}

static inline float *aio__block_units(const aio__block *block) {
  return (float *)(void *)(block->low - 6 * (size_t)block->room);
}

static inline uint16_t *aio__block_errors(const aio__block *block) {
  return (uint16_t *)(void *)(block->low - 2 * (size_t)block->room);
}

typedef _Atomic(aio__block *) aio__entry; /* NULL: no block in this place */

/* Key to place, for writers: linear probing over a byte a slot (0: empty), which spares most looks at keys. */
typedef struct aio__keys {
  uint32_t *places; /* block * AIO__BLOCK_ROWS + row; the tags lie behind */
  uint8_t *tags;
  size_t cap, n;
} aio__keys;

struct aio__index {
  const aio__alloc *al;
  const aio__kernels *kernels;
  size_t dimensions, half; /* bytes of half a code */
  _Atomic(aio__entry *) leaves[AIO__LEAVES];
  atomic_size_t blocks; /* places in use: in the last there is a block */
  atomic_size_t count, bytes;
  atomic_size_t moves;      /* other than it was: vectors were removed or moved; odd: some are being moved */
  atomic_size_t epoch;
  atomic_size_t readers[2]; /* searches under way, by the lowest bit of their epoch */
  atomic_size_t waiting;    /* blocks in limbo */
  pthread_mutex_t mutex;    /* of writers; guards all below */
  aio__block *limbo[2];     /* by the lowest bit of the epoch in which they were taken out */
  aio__keys keys;
  uint64_t *spare; /* a bit for each place with a free row, or with no block */
  size_t spare_words, spare_first;
  size_t slots;            /* rows for which blocks have memory */
  aio__block *draft;       /* a copy of the block at draft_at that no search sees yet; NULL: none */
  size_t draft_at;
  uint8_t code[]; /* of the vector that is being put, and its halves */
};

/* ---- index_blocks.c: memory, places, and what waits for searches ------------------------------------------------ */

void *aio__index_alloc(aio__index *index, size_t size);
void aio__index_release(aio__index *index, void *memory, size_t size); /* takes NULL */

size_t aio__block_high_offset(size_t room); /* of `high` from the block */
size_t aio__block_low_offset(const aio__index *index, size_t room);
aio__block *aio__block_new(aio__index *index, size_t room);
void aio__block_free(aio__index *index, aio__block *block); /* takes NULL */
aio__block *aio__block_copy(aio__index *index, const aio__block *from, size_t room);
uint32_t aio__block_live(const aio__block *block); /* a bit for each row that is written and not gone */

/* The home of a place that was reached before. */
aio__entry *aio__index_entry(const aio__index *index, size_t at);
/* Makes it reachable: AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE. */
aiorch_status aio__index_reach(aio__index *index, size_t at);
/* As a writer sees it, draft included; NULL: none there. */
aio__block *aio__index_block(const aio__index *index, size_t at);

size_t aio__gate_enter(aio__index *index);
void aio__gate_leave(aio__index *index, size_t slot);
void aio__gate_retire(aio__index *index, aio__block *block); /* takes NULL */
void aio__gate_settle(aio__index *index);                    /* frees what no search can see any more */

/* ---- index_keys.c ----------------------------------------------------------------------------------------------- */

#define AIO__NO_PLACE UINT32_MAX

bool aio__keys_reserve(aio__index *index, size_t more); /* so that so many adds will not fail */
void aio__keys_fit(aio__index *index);                  /* gives memory back when much has gone */
void aio__keys_expect(const aio__index *index, uint64_t key); /* soon: the memory that tells is fetched meanwhile */
uint32_t aio__keys_find(const aio__index *index, uint64_t key);
void aio__keys_add(aio__index *index, uint64_t key, uint32_t place);  /* it is not there, and its row need not be yet */
void aio__keys_move(aio__index *index, uint64_t key, uint32_t place); /* the row of its old place still has the key */
void aio__keys_remove(aio__index *index, uint64_t key);               /* the same */

/* ---- index_best.c: candidates ----------------------------------------------------------------------------------- */

/* A vector whose similarity lies between low and high; or that has one, in high. */
typedef struct aio__near {
  uint64_t key;
  float high, low;
} aio__near;

typedef bool aio__near_order(const aio__near *a, const aio__near *b); /* a is worse than b */

bool aio__near_lower(const aio__near *a, const aio__near *b); /* by high; among equals the higher key is worse */
/* A heap with the worst on top that keeps the `most` best. */
void aio__near_offer(aio__near *heap, size_t *n, size_t most, aio__near item, aio__near_order *worse);
void aio__near_sort(aio__near *at, size_t n, aio__near_order *worse); /* best first */

typedef struct aio__nearest {
  aio__near *at;
  size_t n, room;
  size_t wanted; /* the floor is what so many reach at least */
  size_t most;   /* kept at the end */
  float floor;   /* what has less in `high` is none of the best */
} aio__nearest;

/* Makes room when there is none: raises the floor, drops what is below, and grows if much is left. `best`: room for
 * `wanted` while it works. `repeats`: a key may be there twice. */
aiorch_status aio__nearest_prune(aio__nearest *nearest, const aio__alloc *al, aio__near *best, bool repeats);

#endif
