/* A hash table from text to pointer. Keys are borrowed: they live in the value or longer. */
#ifndef AIO_CORE_MAP_H
#define AIO_CORE_MAP_H

#include "core/alloc.h"
#include "core/str.h"

typedef struct aio__map_slot {
  aio__str key;
  uint64_t hash;
  void *value; /* NULL: empty */
} aio__map_slot;

typedef struct aio__map {
  const aio__alloc *al;
  uint64_t key; /* of the hash: random, against chosen collisions */
  aio__map_slot *slots;
  size_t cap, n;
} aio__map;

void aio__map_init(aio__map *map, const aio__alloc *al);
void aio__map_free(aio__map *map);                                          /* not the values */
void *aio__map_get(const aio__map *map, aio__str key);                      /* NULL when not there */
aiorch_status aio__map_put(aio__map *map, aio__str key, void *value);       /* replaces; AIORCH_E_NOMEM */
void *aio__map_remove(aio__map *map, aio__str key);                         /* what was there, or NULL */
/* Visits all: start with *pos = 0; NULL at the end. The map must not change meanwhile. */
void *aio__map_next(const aio__map *map, size_t *pos);

#endif
