/* Memory that is freed all at once: what a run or a request keeps. */
#ifndef AIO_CORE_ARENA_H
#define AIO_CORE_ARENA_H

#include "core/alloc.h"
#include "core/str.h"

typedef struct aio__arena_block aio__arena_block;
typedef struct aio__arena {
  const aio__alloc *al;
  aio__arena_block *blocks;
  size_t block_size;
} aio__arena;

void aio__arena_init(aio__arena *arena, const aio__alloc *al, size_t block_size);
void aio__arena_free(aio__arena *arena);                                    /* may be used again afterwards */
void *aio__arena_alloc(aio__arena *arena, size_t size);                     /* zeroed, aligned for any type */
void *aio__arena_room(aio__arena *arena, size_t size);                      /* the same, but what is in it nobody knows */
/* Room for one item of `size` bytes behind `count` of them: `items` where *cap says that there is some, else a copy in twice the room, at
 * first for `first`. NULL when out of memory: then *cap and the items are as they were. */
void *aio__arena_grow(aio__arena *arena, void *items, size_t count, size_t *cap, size_t first, size_t size);
char *aio__arena_strn(aio__arena *arena, const char *text, size_t len);     /* NUL-terminated copy */
aio__str aio__arena_str(aio__arena *arena, aio__str text);                  /* .p NULL when out of memory */

#endif
