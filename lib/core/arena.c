/* The arena: blocks in a list, the newest first; allocation moves a mark in the first. What is large gets a block of
 * its own behind the first, so that the room left in the first is not lost. */
#include "core/arena.h"

#include <stdalign.h>
#include <string.h>

enum { ALIGN = alignof(max_align_t), SMALLEST_BLOCK = 256 };

struct aio__arena_block {
  aio__arena_block *next;
  size_t used, cap; /* bytes of data */
  alignas(max_align_t) char data[];
};

void aio__arena_init(aio__arena *arena, const aio__alloc *al, size_t block_size) {
  *arena = (aio__arena){al, NULL, block_size < SMALLEST_BLOCK ? SMALLEST_BLOCK : block_size};
}

void aio__arena_free(aio__arena *arena) {
  aio__arena_block *block = arena->blocks;
  while (block != NULL) {
    aio__arena_block *next = block->next;
    aio__free(arena->al, block);
    block = next;
  }
  arena->blocks = NULL;
}

static void *take_from_new_block(aio__arena *arena, size_t size) {
  bool own = size > arena->block_size / 4;
  size_t cap = own ? size : arena->block_size;
  if (cap > SIZE_MAX - sizeof(aio__arena_block)) return NULL;
  aio__arena_block *block = aio__malloc(arena->al, sizeof *block + cap);
  if (block == NULL) return NULL;
  block->used = size;
  block->cap = cap;
  aio__arena_block *first = arena->blocks;
  if (own && first != NULL) {
    block->next = first->next;
    first->next = block;
  } else {
    block->next = first;
    arena->blocks = block;
  }
  return block->data;
}

static void *take(aio__arena *arena, size_t size, size_t align) {
  aio__arena_block *block = arena->blocks;
  if (block != NULL) {
    size_t start = (block->used + (align - 1)) & ~(align - 1);
    if (start <= block->cap && size <= block->cap - start) {
      block->used = start + size;
      return block->data + start;
    }
  }
  return take_from_new_block(arena, size);
}

void *aio__arena_room(aio__arena *arena, size_t size) {
  return take(arena, size == 0 ? 1 : size, ALIGN);
}

void *aio__arena_alloc(aio__arena *arena, size_t size) {
  void *memory = take(arena, size == 0 ? 1 : size, ALIGN);
  if (memory != NULL) memset(memory, 0, size);
  return memory;
}

void *aio__arena_grow(aio__arena *arena, void *items, size_t count, size_t *cap, size_t first, size_t size) {
  if (count < *cap) return items;
  if (*cap > SIZE_MAX / 2 / size) return NULL;
  size_t more = *cap > 0 ? *cap * 2 : first;
  void *room = aio__arena_alloc(arena, more * size);
  if (room == NULL) return NULL;
  if (count > 0) memcpy(room, items, count * size);
  *cap = more;
  return room;
}

char *aio__arena_strn(aio__arena *arena, const char *text, size_t len) {
  if (len == SIZE_MAX) return NULL;
  char *copy = take(arena, len + 1, 1);
  if (copy == NULL) return NULL;
  if (len > 0) memcpy(copy, text, len);
  copy[len] = '\0';
  return copy;
}

aio__str aio__arena_str(aio__arena *arena, aio__str text) {
  char *copy = aio__arena_strn(arena, text.p, text.n);
  return (aio__str){copy, copy == NULL ? 0 : text.n};
}
