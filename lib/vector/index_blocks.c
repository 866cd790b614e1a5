/* Memory of the index: blocks, their places, and the epochs after which a block can go. */
#include <string.h>

#include "vector/index_private.h"

enum { FIRST_LEAF_BITS = 2 };

/* ---- memory ----------------------------------------------------------------------------------------------------- */

void *aio__index_alloc(aio__index *index, size_t size) {
  void *memory = aio__malloc(index->al, size);
  if (memory != NULL) atomic_fetch_add(&index->bytes, size);
  return memory;
}

void aio__index_release(aio__index *index, void *memory, size_t size) {
  if (memory == NULL) return;
  aio__free(index->al, memory);
  atomic_fetch_sub(&index->bytes, size);
}

static size_t align(size_t offset) {
  return (offset + AIO__BLOCK_ALIGN - 1) / AIO__BLOCK_ALIGN * AIO__BLOCK_ALIGN;
}

size_t aio__block_high_offset(size_t room) {
  return align(sizeof(aio__block) + AIO__ROW_BYTES_BEFORE_HIGH * room);
}

size_t aio__block_low_offset(const aio__index *index, size_t room) {
  return align(aio__block_high_offset(room) + room * index->half + AIO__ROW_BYTES_BEFORE_LOW * room);
}

static size_t block_size(const aio__index *index, size_t room) {
  return aio__block_low_offset(index, room) + room * index->half + AIO__BLOCK_ALIGN - 1;
}

aio__block *aio__block_new(aio__index *index, size_t room) {
  uint8_t *memory = aio__index_alloc(index, block_size(index, room));
  if (memory == NULL) return NULL;
  uint8_t *begin = memory + (AIO__BLOCK_ALIGN - (uintptr_t)memory % AIO__BLOCK_ALIGN) % AIO__BLOCK_ALIGN;
  aio__block *block = (aio__block *)(void *)begin;
  atomic_init(&block->rows, 0);
  atomic_init(&block->dead, 0);
  block->room = (uint32_t)room;
  block->high = begin + aio__block_high_offset(room);
  block->low = begin + aio__block_low_offset(index, room);
  block->memory = memory;
  block->next = NULL;
  return block;
}

void aio__block_free(aio__index *index, aio__block *block) {
  if (block != NULL) aio__index_release(index, block->memory, block_size(index, block->room));
}

aio__block *aio__block_copy(aio__index *index, const aio__block *from, size_t room) {
  aio__block *to = aio__block_new(index, room);
  if (to == NULL) return NULL;
  uint32_t rows = atomic_load(&from->rows);
  memcpy(to->high, from->high, rows * index->half);
  memcpy(to->low, from->low, rows * index->half);
  memcpy(aio__block_coarse_units(to), aio__block_coarse_units(from), rows * sizeof(uint16_t));
  memcpy(aio__block_coarse_errors(to), aio__block_coarse_errors(from), rows * sizeof(uint16_t));
  memcpy(aio__block_scopes(to), aio__block_scopes(from), rows * sizeof(uint64_t));
  memcpy(aio__block_keys(to), aio__block_keys(from), rows * sizeof(uint64_t));
  memcpy(aio__block_units(to), aio__block_units(from), rows * sizeof(float));
  memcpy(aio__block_errors(to), aio__block_errors(from), rows * sizeof(uint16_t));
  atomic_init(&to->rows, rows);
  atomic_init(&to->dead, atomic_load(&from->dead));
  return to;
}

uint32_t aio__block_live(const aio__block *block) {
  uint32_t rows = atomic_load_explicit(&block->rows, memory_order_acquire);
  uint32_t dead = atomic_load_explicit(&block->dead, memory_order_acquire);
  return (rows >= AIO__BLOCK_ROWS ? UINT32_MAX : (UINT32_C(1) << rows) - 1) & ~dead;
}

/* ---- places ----------------------------------------------------------------------------------------------------- */

/* Leaf l begins at place 4 * 2^l - 4. */
static size_t leaf_of(size_t at, size_t *in) {
  size_t from = at + AIO__LEAF_FIRST, leaf = 63 - FIRST_LEAF_BITS - (size_t)__builtin_clzll(from);
  *in = from - ((size_t)AIO__LEAF_FIRST << leaf);
  return leaf;
}

aio__entry *aio__index_entry(const aio__index *index, size_t at) {
  size_t in, leaf = leaf_of(at, &in);
  return atomic_load_explicit(&index->leaves[leaf], memory_order_acquire) + in;
}

static bool grow_spare(aio__index *index, size_t places) {
  size_t words = (places + 63) / 64, old = index->spare_words;
  if (words <= old) return true;
  uint64_t *spare = aio__index_alloc(index, words * sizeof *spare);
  if (spare == NULL) return false;
  memset(spare, 0, words * sizeof *spare);
  if (old > 0) memcpy(spare, index->spare, old * sizeof *spare);
  aio__index_release(index, index->spare, old * sizeof *spare);
  index->spare = spare;
  index->spare_words = words;
  return true;
}

aiorch_status aio__index_reach(aio__index *index, size_t at) {
  size_t in, leaf = leaf_of(at, &in);
  if (leaf >= AIO__LEAVES) return AIORCH_E_TOO_LARGE;
  if (atomic_load(&index->leaves[leaf]) != NULL) return AIORCH_OK;
  size_t entries = (size_t)AIO__LEAF_FIRST << leaf;
  if (!grow_spare(index, at - in + entries)) return AIORCH_E_NOMEM;
  aio__entry *home = aio__index_alloc(index, entries * sizeof *home);
  if (home == NULL) return AIORCH_E_NOMEM;
  for (size_t i = 0; i < entries; i++) atomic_init(&home[i], NULL);
  atomic_store_explicit(&index->leaves[leaf], home, memory_order_release);
  return AIORCH_OK;
}

aio__block *aio__index_block(const aio__index *index, size_t at) {
  if (index->draft != NULL && index->draft_at == at) return index->draft;
  return atomic_load_explicit(aio__index_entry(index, at), memory_order_relaxed);
}

/* ---- epochs ----------------------------------------------------------------------------------------------------- */

size_t aio__gate_enter(aio__index *index) {
  for (;;) {
    size_t epoch = atomic_load(&index->epoch), slot = epoch & 1;
    atomic_fetch_add(&index->readers[slot], 1);
    if (atomic_load(&index->epoch) == epoch) return slot;
    atomic_fetch_sub(&index->readers[slot], 1); /* it went on in between: the slot may stand for a later one now */
  }
}

void aio__gate_leave(aio__index *index, size_t slot) {
  atomic_fetch_sub(&index->readers[slot], 1);
  /* A writer takes care of it unless none comes any more. */
  if (atomic_load(&index->waiting) == 0 || pthread_mutex_trylock(&index->mutex) != 0) return;
  aio__gate_settle(index);
  pthread_mutex_unlock(&index->mutex);
}

void aio__gate_retire(aio__index *index, aio__block *block) {
  if (block == NULL) return;
  size_t slot = atomic_load(&index->epoch) & 1;
  block->next = index->limbo[slot];
  index->limbo[slot] = block;
  atomic_fetch_add(&index->waiting, 1);
}

static void empty_limbo(aio__index *index, size_t slot) {
  for (aio__block *block; (block = index->limbo[slot]) != NULL;) {
    index->limbo[slot] = block->next;
    aio__block_free(index, block);
    atomic_fetch_sub(&index->waiting, 1);
  }
}

void aio__gate_settle(aio__index *index) {
  /* What was taken out in this epoch can go after two steps. */
  for (int step = 0; step < 2 && atomic_load(&index->waiting) > 0; step++) {
    size_t next = atomic_load(&index->epoch) + 1;
    if (atomic_load(&index->readers[next & 1]) != 0) return;
    atomic_store(&index->epoch, next);
    empty_limbo(index, next & 1);
  }
}
