/* Where each key's vector lies. Places are all that is kept; the keys stand in the blocks. */
#include <string.h>

#include "vector/index_private.h"

enum { CAP_MIN = 16, SLOT_BYTES = sizeof(uint32_t) + sizeof(uint8_t) };

/* Keys are numbers of rows, so neighbours are the rule; their bits are spread (the finalizer of MurmurHash3). */
static uint64_t spread(uint64_t key) {
  key = (key ^ key >> 33) * UINT64_C(0xff51afd7ed558ccd);
  key = (key ^ key >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
  return key ^ key >> 33;
}

static size_t home_of(const aio__keys *keys, uint64_t hash) {
  return (size_t)((hash >> 32) * keys->cap >> 32);
}

static uint8_t tag_of(uint64_t hash) {
  uint8_t tag = (uint8_t)hash;
  return tag == 0 ? 1 : tag;
}

static size_t after(const aio__keys *keys, size_t slot) {
  return slot + 1 == keys->cap ? 0 : slot + 1;
}

static uint64_t key_at(const aio__index *index, uint32_t place) {
  return aio__block_keys(aio__index_block(index, place / AIO__BLOCK_ROWS))[place % AIO__BLOCK_ROWS];
}

/* The slot of the key, or the empty one at the end of its chain. */
static size_t slot_of(const aio__index *index, uint64_t key) {
  const aio__keys *keys = &index->keys;
  uint64_t hash = spread(key);
  uint8_t tag = tag_of(hash);
  size_t slot = home_of(keys, hash);
  for (; keys->tags[slot] != 0; slot = after(keys, slot))
    if (keys->tags[slot] == tag && key_at(index, keys->places[slot]) == key) break;
  return slot;
}

static void add(aio__keys *keys, uint64_t key, uint32_t place) {
  uint64_t hash = spread(key);
  size_t slot = home_of(keys, hash);
  while (keys->tags[slot] != 0) slot = after(keys, slot);
  keys->tags[slot] = tag_of(hash);
  keys->places[slot] = place;
  keys->n++;
}

void aio__keys_expect(const aio__index *index, uint64_t key) {
  const aio__keys *keys = &index->keys;
  if (keys->cap == 0) return;
  size_t home = home_of(keys, spread(key));
  __builtin_prefetch(&keys->tags[home], 1);
  __builtin_prefetch(&keys->places[home], 1);
}

static bool rebuild(aio__index *index, size_t cap) {
  aio__keys *old = &index->keys, keys = {.cap = cap};
  keys.places = aio__index_alloc(index, cap * SLOT_BYTES);
  if (keys.places == NULL) return false;
  keys.tags = (uint8_t *)(keys.places + cap);
  memset(keys.tags, 0, cap);
  for (size_t at = 0, blocks = atomic_load(&index->blocks); at < blocks; at++) {
    const aio__block *block = aio__index_block(index, at);
    uint32_t rows = block == NULL ? 0 : aio__block_live(block);
    for (uint32_t live = rows; live != 0; live &= live - 1)
      __builtin_prefetch(&keys.tags[home_of(&keys, spread(aio__block_keys(block)[__builtin_ctz(live)]))], 1);
    for (uint32_t live = rows; live != 0; live &= live - 1) {
      uint32_t row = (uint32_t)__builtin_ctz(live);
      add(&keys, aio__block_keys(block)[row], (uint32_t)at * AIO__BLOCK_ROWS + row);
    }
  }
  aio__index_release(index, old->places, old->cap * SLOT_BYTES);
  *old = keys;
  return true;
}

/* Half as much again as is needed now. */
static size_t cap_for(size_t n) {
  return n + n / 2 + CAP_MIN;
}

bool aio__keys_reserve(aio__index *index, size_t more) {
  const aio__keys *keys = &index->keys;
  if (more > AIO__PLACES_MAX) return false;
  /* The slots that stay empty end each search for what is not there. */
  return keys->n + more <= keys->cap - keys->cap / 8 || rebuild(index, cap_for(keys->n + more));
}

void aio__keys_fit(aio__index *index) {
  if (index->keys.cap / 4 > cap_for(index->keys.n)) (void)rebuild(index, cap_for(index->keys.n));
}

uint32_t aio__keys_find(const aio__index *index, uint64_t key) {
  if (index->keys.n == 0) return AIO__NO_PLACE;
  size_t slot = slot_of(index, key);
  return index->keys.tags[slot] == 0 ? AIO__NO_PLACE : index->keys.places[slot];
}

void aio__keys_add(aio__index *index, uint64_t key, uint32_t place) {
  add(&index->keys, key, place);
}

void aio__keys_move(aio__index *index, uint64_t key, uint32_t place) {
  index->keys.places[slot_of(index, key)] = place;
}

/* Followers move back into the hole, so that no chain breaks. */
void aio__keys_remove(aio__index *index, uint64_t key) {
  aio__keys *keys = &index->keys;
  size_t hole = slot_of(index, key);
  for (size_t slot = after(keys, hole); keys->tags[slot] != 0; slot = after(keys, slot)) {
    size_t home = home_of(keys, spread(key_at(index, keys->places[slot])));
    size_t from_home = slot >= home ? slot - home : slot + keys->cap - home;
    size_t from_hole = slot >= hole ? slot - hole : slot + keys->cap - hole;
    if (from_home < from_hole) continue; /* its home lies behind the hole: it stays */
    keys->tags[hole] = keys->tags[slot];
    keys->places[hole] = keys->places[slot];
    hole = slot;
  }
  keys->tags[hole] = 0;
  keys->n--;
}
