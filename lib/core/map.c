/* The hash table: linear probing, at most 3/4 full; removal moves followers back, so that no tombstones are left. */
#include "core/map.h"

#include <aiorch/error.h>

#include <string.h>

#include "core/hash.h"
#include "core/uuid.h"

enum { FIRST_CAP = 16 };

void aio__map_init(aio__map *map, const aio__alloc *al) {
  *map = (aio__map){.al = al};
}

void aio__map_free(aio__map *map) {
  aio__free(map->al, map->slots);
  map->slots = NULL;
  map->cap = map->n = 0;
}

/* The slot that holds the key, or the empty one where it belongs. */
static aio__map_slot *find_slot(const aio__map *map, aio__str key, uint64_t hash) {
  size_t mask = map->cap - 1;
  for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
    aio__map_slot *slot = &map->slots[i];
    if (slot->value == NULL || (slot->hash == hash && aio__str_eq(slot->key, key))) return slot;
  }
}

static aiorch_status grow(aio__map *map) {
  size_t cap = map->cap == 0 ? FIRST_CAP : map->cap * 2;
  aio__map bigger = {.al = map->al, .cap = cap, .n = map->n, .key = map->key};
  bigger.slots = aio__calloc(map->al, cap, sizeof *bigger.slots);
  if (bigger.slots == NULL) return AIORCH_E_NOMEM;
  /* Without random bytes the key is where the memory lies: weaker, but no reason to fail. */
  if (map->cap == 0 && aio__random(&bigger.key, sizeof bigger.key) != AIORCH_OK) bigger.key = (uintptr_t)bigger.slots;
  for (size_t i = 0; i < map->cap; i++) {
    const aio__map_slot *slot = &map->slots[i];
    if (slot->value != NULL) *find_slot(&bigger, slot->key, slot->hash) = *slot;
  }
  aio__free(map->al, map->slots);
  *map = bigger;
  return AIORCH_OK;
}

void *aio__map_get(const aio__map *map, aio__str key) {
  if (map->n == 0) return NULL;
  return find_slot(map, key, aio__hash64(map->key, key.p, key.n))->value;
}

aiorch_status aio__map_put(aio__map *map, aio__str key, void *value) {
  if (value == NULL) return AIORCH_E_INVALID;
  if (map->n + 1 > map->cap / 4 * 3 && grow(map) != AIORCH_OK) return AIORCH_E_NOMEM;
  uint64_t hash = aio__hash64(map->key, key.p, key.n);
  aio__map_slot *slot = find_slot(map, key, hash);
  if (slot->value == NULL) map->n++;
  *slot = (aio__map_slot){key, hash, value};
  return AIORCH_OK;
}

void *aio__map_remove(aio__map *map, aio__str key) {
  if (map->n == 0) return NULL;
  aio__map_slot *slot = find_slot(map, key, aio__hash64(map->key, key.p, key.n));
  void *value = slot->value;
  if (value == NULL) return NULL;
  size_t mask = map->cap - 1, hole = (size_t)(slot - map->slots);
  for (size_t i = (hole + 1) & mask; map->slots[i].value != NULL; i = (i + 1) & mask) {
    size_t home = (size_t)map->slots[i].hash & mask;
    if (((i - home) & mask) < ((i - hole) & mask)) continue; /* its home lies behind the hole: it stays */
    map->slots[hole] = map->slots[i];
    hole = i;
  }
  map->slots[hole] = (aio__map_slot){.value = NULL};
  map->n--;
  return value;
}

void *aio__map_next(const aio__map *map, size_t *pos) {
  while (*pos < map->cap) {
    void *value = map->slots[(*pos)++].value;
    if (value != NULL) return value;
  }
  return NULL;
}
