/* Allocation through the handle's allocator: the only file of the library that names malloc. */
#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

static void *default_alloc(void *user_data, size_t size) {
  (void)user_data;
  return malloc(size);
}

static void *default_realloc(void *user_data, void *memory, size_t size) {
  (void)user_data;
  return realloc(memory, size);
}

static void default_free(void *user_data, void *memory) {
  (void)user_data;
  free(memory);
}

const aio__alloc *aio__alloc_default(void) {
  static const aio__alloc al = {sizeof(aio__alloc), NULL, default_alloc, default_realloc, default_free};
  return &al;
}

void *aio__malloc(const aio__alloc *al, size_t size) {
  return size == 0 ? NULL : al->alloc(al->user_data, size);
}

void *aio__calloc(const aio__alloc *al, size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) return NULL;
  void *memory = aio__malloc(al, count * size);
  if (memory != NULL) memset(memory, 0, count * size);
  return memory;
}

void *aio__realloc(const aio__alloc *al, void *memory, size_t size) {
  return size == 0 ? NULL : al->realloc(al->user_data, memory, size);
}

void aio__free(const aio__alloc *al, void *memory) {
  if (memory != NULL) al->free(al->user_data, memory);
}

char *aio__strndup(const aio__alloc *al, const char *text, size_t len) {
  if (len == SIZE_MAX) return NULL;
  char *copy = aio__malloc(al, len + 1);
  if (copy == NULL) return NULL;
  if (len > 0) memcpy(copy, text, len);
  copy[len] = '\0';
  return copy;
}
