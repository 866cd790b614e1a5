/* The index and its changes. How it lies in memory: index_private.h. */
#include "vector/index.h"

#include <string.h>

#include "vector/index_private.h"

/* So many rows there may be memory for beyond a quarter of what is in it, and so many places without a block beyond
 * half of all, before the last block is emptied or moved. */
enum { WASTE_MAX = 64, GAPS_MAX = 8 };

enum { AHEAD = 8 }; /* keys that are looked for while the memory of so many others is on its way */

/* ---- life ------------------------------------------------------------------------------------------------------- */

aiorch_status aio__index_new(const aio__alloc *al, size_t dimensions, aio__cpu cpu, aio__index **out) {
  *out = NULL;
  if (dimensions == 0 || dimensions > AIO__INDEX_DIMENSIONS_MAX) return AIORCH_E_INVALID;
  size_t stride = aio__code_stride(dimensions), size = sizeof(aio__index) + 2 * stride;
  aio__index *index = aio__calloc(al, 1, size);
  if (index == NULL) return AIORCH_E_NOMEM;
  if (pthread_mutex_init(&index->mutex, NULL) != 0) {
    aio__free(al, index);
    return AIORCH_E_NOMEM;
  }
  index->al = al;
  index->kernels = aio__kernels_of(cpu);
  index->dimensions = dimensions;
  index->half = stride / 2;
  atomic_store(&index->bytes, size);
  *out = index;
  return AIORCH_OK;
}

void aio__index_free(aio__index *index) {
  if (index == NULL) return;
  for (size_t at = 0, blocks = atomic_load(&index->blocks); at < blocks; at++)
    aio__block_free(index, aio__index_block(index, at));
  aio__gate_settle(index);
  for (size_t leaf = 0; leaf < AIO__LEAVES; leaf++) aio__free(index->al, atomic_load(&index->leaves[leaf]));
  aio__free(index->al, index->spare);
  aio__free(index->al, index->keys.places);
  pthread_mutex_destroy(&index->mutex);
  aio__free(index->al, index);
}

size_t aio__index_count(const aio__index *index) {
  return atomic_load(&index->count);
}

size_t aio__index_bytes(const aio__index *index) {
  return atomic_load(&index->bytes);
}

/* ---- places with a free row ------------------------------------------------------------------------------------- */

static void mark_spare(aio__index *index, size_t at, bool spare) {
  size_t word = at / 64;
  uint64_t bit = UINT64_C(1) << at % 64;
  if (!spare) {
    index->spare[word] &= ~bit;
    return;
  }
  index->spare[word] |= bit;
  if (word < index->spare_first) index->spare_first = word;
}

static void mark(aio__index *index, size_t at, const aio__block *block) {
  mark_spare(index, at, block == NULL || ~aio__block_live(block) != 0);
}

/* The lowest; SIZE_MAX: none. */
static size_t first_spare(aio__index *index) {
  for (size_t *word = &index->spare_first; *word < index->spare_words; ++*word)
    if (index->spare[*word] != 0) return *word * 64 + (size_t)__builtin_ctzll(index->spare[*word]);
  return SIZE_MAX;
}

/* ---- blocks ----------------------------------------------------------------------------------------------------- */

static void publish(aio__index *index, size_t at, aio__block *block) {
  atomic_store_explicit(aio__index_entry(index, at), block, memory_order_release);
}

static void close_draft(aio__index *index) {
  aio__block *draft = index->draft;
  if (draft == NULL) return;
  index->draft = NULL;
  aio__block *old = aio__index_block(index, index->draft_at);
  index->slots += draft->room - old->room;
  publish(index, index->draft_at, draft);
  aio__gate_retire(index, old);
}

/* The block of a place as a copy that only writers see, with room for so many rows at least; NULL: out of memory. */
static aio__block *open_draft(aio__index *index, size_t at, size_t room) {
  if (index->draft == NULL || index->draft_at != at) close_draft(index);
  aio__block *block = aio__index_block(index, at), *copy = NULL;
  if (block == index->draft && block->room >= room) return block;
  copy = aio__block_copy(index, block, room > block->room ? room : block->room);
  if (copy == NULL) return NULL;
  if (block == index->draft) aio__block_free(index, block);
  index->draft = copy;
  index->draft_at = at;
  return copy;
}

static aio__block *add_block(aio__index *index, size_t at, size_t room) {
  aio__block *block = aio__block_new(index, room);
  if (block == NULL) return NULL;
  publish(index, at, block);
  if (at >= atomic_load(&index->blocks)) atomic_store_explicit(&index->blocks, at + 1, memory_order_release);
  index->slots += room;
  return block;
}

/* Takes the block out of its place, and places without blocks off the end. */
static void drop_block(aio__index *index, size_t at) {
  aio__block *block = aio__index_block(index, at);
  size_t blocks = atomic_load(&index->blocks);
  publish(index, at, NULL);
  mark_spare(index, at, true);
  for (; blocks > 0 && aio__index_block(index, blocks - 1) == NULL; blocks--) mark_spare(index, blocks - 1, false);
  atomic_store(&index->blocks, blocks);
  index->slots -= block->room;
  aio__gate_retire(index, block);
}

/* Small indexes are many: theirs grows with them. */
static size_t more_room(size_t room) {
  size_t more = room < 16 ? room + 4 : room + 8;
  return more < AIO__BLOCK_ROWS ? more : AIO__BLOCK_ROWS;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

typedef struct row {
  uint64_t key, scope;
  const uint8_t *high, *low;
  float unit;
  uint16_t error, coarse_unit, coarse_error;
} row;

static void write_row(const aio__index *index, aio__block *block, uint32_t at, const row *from) {
  memcpy(block->high + at * index->half, from->high, index->half);
  memcpy(block->low + at * index->half, from->low, index->half);
  aio__block_coarse_units(block)[at] = from->coarse_unit;
  aio__block_coarse_errors(block)[at] = from->coarse_error;
  aio__block_scopes(block)[at] = from->scope;
  aio__block_keys(block)[at] = from->key;
  aio__block_units(block)[at] = from->unit;
  aio__block_errors(block)[at] = from->error;
}

static row read_row(const aio__index *index, const aio__block *block, uint32_t at) {
  return (row){.key = aio__block_keys(block)[at],
               .scope = aio__block_scopes(block)[at],
               .high = block->high + at * index->half,
               .low = block->low + at * index->half,
               .unit = aio__block_units(block)[at],
               .error = aio__block_errors(block)[at],
               .coarse_unit = aio__block_coarse_units(block)[at],
               .coarse_error = aio__block_coarse_errors(block)[at]};
}

/* In the index's own memory; false: no unit vector. */
static bool make_row(aio__index *index, uint64_t key, uint64_t scope, const float *unit, row *out) {
  size_t stride = 2 * index->half;
  uint8_t *high = index->code + stride, *low = high + index->half;
  aio__code_fit fit;
  if (!index->kernels->encode(unit, index->dimensions, stride, index->code, &fit)) return false;
  index->kernels->split(index->code, stride, high, low);
  *out = (row){key, scope, high, low, fit.unit, aio__short_of(fit.error), aio__short_of(fit.coarse_unit),
               aio__short_of(fit.coarse_error)};
  return true;
}

/* A row of this block that may be written, in the block or in a copy; its number, or AIO__BLOCK_ROWS: out of memory. */
static uint32_t free_row(aio__index *index, size_t at, aio__block **block) {
  uint32_t rows = atomic_load(&(*block)->rows), dead = atomic_load(&(*block)->dead);
  if (rows < (*block)->room) return rows;
  *block = open_draft(index, at, dead != 0 ? rows : more_room(rows));
  if (*block == NULL) return AIO__BLOCK_ROWS;
  return dead != 0 ? (uint32_t)__builtin_ctz(dead) : rows;
}

/* Writes what is not there yet into a place; false: out of memory. */
static bool fill_place(aio__index *index, size_t at, const row *from, uint32_t *place) {
  aio__block *block = aio__index_block(index, at);
  uint32_t number = free_row(index, at, &block);
  if (number == AIO__BLOCK_ROWS) return false;
  write_row(index, block, number, from);
  if (number < atomic_load(&block->rows)) atomic_fetch_and(&block->dead, ~(UINT32_C(1) << number)); /* a draft's */
  else atomic_store_explicit(&block->rows, number + 1, memory_order_release);
  mark(index, at, block);
  *place = (uint32_t)at * AIO__BLOCK_ROWS + number;
  return true;
}

static aiorch_status add_row(aio__index *index, const row *from) {
  size_t at = first_spare(index), blocks = atomic_load(&index->blocks);
  uint32_t place;
  if (at == SIZE_MAX) at = blocks;
  aiorch_status status = aio__index_reach(index, at);
  if (status != AIORCH_OK) return status;
  if ((at == blocks || aio__index_block(index, at) == NULL) &&
      add_block(index, at, at == 0 ? more_room(0) : AIO__BLOCK_ROWS) == NULL)
    return AIORCH_E_NOMEM;
  if (!fill_place(index, at, from, &place)) return AIORCH_E_NOMEM;
  aio__keys_add(index, from->key, place);
  atomic_fetch_add(&index->count, 1);
  return AIORCH_OK;
}

static aiorch_status put_one(aio__index *index, uint64_t key, uint64_t scope, const float *unit) {
  row from;
  if (!make_row(index, key, scope, unit, &from)) return AIORCH_E_INVALID;
  uint32_t place = aio__keys_find(index, key);
  if (place == AIO__NO_PLACE) return add_row(index, &from);
  aio__block *block = open_draft(index, place / AIO__BLOCK_ROWS, 0);
  if (block == NULL) return AIORCH_E_NOMEM;
  write_row(index, block, place % AIO__BLOCK_ROWS, &from);
  return AIORCH_OK;
}

/* ---- put -------------------------------------------------------------------------------------------------------- */

aiorch_status aio__index_put_many(aio__index *index, const uint64_t *keys, const uint64_t *scopes, const float *rows,
                                  size_t count, size_t *done) {
  size_t i = 0;
  pthread_mutex_lock(&index->mutex);
  aiorch_status status = aio__keys_reserve(index, count) ? AIORCH_OK : AIORCH_E_NOMEM;
  while (status == AIORCH_OK && i < count) {
    if (i + AHEAD < count) aio__keys_expect(index, keys[i + AHEAD]);
    status = put_one(index, keys[i], scopes == NULL ? 0 : scopes[i], rows + i * index->dimensions);
    if (status == AIORCH_OK) i++;
  }
  close_draft(index);
  aio__gate_settle(index);
  pthread_mutex_unlock(&index->mutex);
  if (done != NULL) *done = i;
  return status;
}

aiorch_status aio__index_put(aio__index *index, uint64_t key, uint64_t scope, const float *unit) {
  return aio__index_put_many(index, &key, &scope, unit, 1, NULL);
}

/* ---- making it smaller ------------------------------------------------------------------------------------------ */

/* The last block into a place below that has none. */
static void lower_block(aio__index *index, size_t last, size_t at) {
  aio__block *block = aio__index_block(index, last);
  publish(index, at, block);
  for (uint32_t live = aio__block_live(block); live != 0; live &= live - 1) {
    uint32_t number = (uint32_t)__builtin_ctz(live);
    aio__keys_move(index, aio__block_keys(block)[number], (uint32_t)at * AIO__BLOCK_ROWS + number);
  }
  mark(index, at, block);
  /* As drop_block does, but the block lives on. */
  publish(index, last, NULL);
  size_t blocks = last;
  mark_spare(index, last, false);
  for (; blocks > 0 && aio__index_block(index, blocks - 1) == NULL; blocks--) mark_spare(index, blocks - 1, false);
  atomic_store(&index->blocks, blocks);
}

/* The rows of the last block into free ones below, as many as find room: a bit for each that did. */
static uint32_t lower_rows(aio__index *index, size_t last) {
  const aio__block *block = aio__index_block(index, last);
  uint32_t moved = 0, place;
  for (uint32_t live = aio__block_live(block); live != 0; live &= live - 1) {
    uint32_t number = (uint32_t)__builtin_ctz(live);
    row from = read_row(index, block, number);
    size_t at = first_spare(index);
    if (at >= last || aio__index_block(index, at) == NULL || !fill_place(index, at, &from, &place)) break;
    aio__keys_move(index, from.key, place);
    moved |= UINT32_C(1) << number;
  }
  close_draft(index);
  return moved;
}

static void kill_rows(aio__index *index, size_t at, uint32_t rows) {
  aio__block *block = aio__index_block(index, at);
  atomic_fetch_or_explicit(&block->dead, rows, memory_order_release);
  if (aio__block_live(block) == 0) drop_block(index, at);
  else mark_spare(index, at, true);
}

/* Empties the last block, or moves it: false when there is nowhere to. */
static bool lower_last(aio__index *index) {
  size_t blocks = atomic_load(&index->blocks), at = first_spare(index);
  if (blocks == 0 || at >= blocks - 1) return false;
  bool lower = true;
  atomic_fetch_add(&index->moves, 1);
  if (aio__index_block(index, at) == NULL) {
    lower_block(index, blocks - 1, at);
  } else {
    uint32_t moved = lower_rows(index, blocks - 1);
    if (moved != 0) kill_rows(index, blocks - 1, moved);
    lower = moved != 0;
  }
  atomic_fetch_add(&index->moves, 1);
  return lower;
}

static bool loose(const aio__index *index) {
  size_t count = atomic_load(&index->count);
  return index->slots - count > count / 4 + WASTE_MAX ||
         atomic_load(&index->blocks) > index->slots / AIO__BLOCK_ROWS * 2 + GAPS_MAX;
}

static void tidy(aio__index *index) {
  while (loose(index) && lower_last(index)) continue;
  aio__keys_fit(index);
  aio__gate_settle(index);
}

/* ---- remove ----------------------------------------------------------------------------------------------------- */

static bool remove_one(aio__index *index, uint64_t key) {
  uint32_t place = aio__keys_find(index, key);
  if (place == AIO__NO_PLACE) return false;
  aio__keys_remove(index, key);
  kill_rows(index, place / AIO__BLOCK_ROWS, UINT32_C(1) << place % AIO__BLOCK_ROWS);
  atomic_fetch_add(&index->moves, 2); /* when a search can't meet it here any more, and not elsewhere again yet */
  atomic_fetch_sub(&index->count, 1);
  return true;
}

bool aio__index_remove(aio__index *index, uint64_t key) {
  pthread_mutex_lock(&index->mutex);
  bool removed = remove_one(index, key);
  if (removed) tidy(index);
  pthread_mutex_unlock(&index->mutex);
  return removed;
}

static size_t remove_from_block(aio__index *index, size_t at, uint64_t first, uint64_t last) {
  const aio__block *block = aio__index_block(index, at);
  uint64_t keys[AIO__BLOCK_ROWS];
  size_t n = 0;
  for (uint32_t live = block == NULL ? 0 : aio__block_live(block); live != 0; live &= live - 1) {
    uint64_t key = aio__block_keys(block)[__builtin_ctz(live)];
    if (key >= first && key <= last) keys[n++] = key;
  }
  for (size_t i = 0; i < n; i++) (void)remove_one(index, keys[i]); /* the last of them may take the block with it */
  return n;
}

size_t aio__index_remove_range(aio__index *index, uint64_t first, uint64_t last) {
  if (first > last) return 0;
  size_t removed = 0;
  pthread_mutex_lock(&index->mutex);
  if (last - first < atomic_load(&index->count)) {
    for (uint64_t key = first;; key++) {
      removed += remove_one(index, key);
      if (key == last) break;
    }
  } else {
    for (size_t at = 0; at < atomic_load(&index->blocks); at++) removed += remove_from_block(index, at, first, last);
  }
  if (removed > 0) tidy(index);
  pthread_mutex_unlock(&index->mutex);
  return removed;
}
