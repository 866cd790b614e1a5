/* The allocator for tests. Each piece of memory has a head with its size and a mark in front. */
#include "support/test_alloc.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t MARK = UINT64_C(0x746573746c697665);

typedef struct head {
  alignas(max_align_t) uint64_t mark;
  size_t size;
} head;

static void *test_malloc(void *user_data, size_t size) {
  aio__test_alloc *t = user_data;
  if (size == 0) abort();
  long number = atomic_fetch_add(&t->count, 1) + 1;
  if (t->fail_at != 0 && (number == t->fail_at || (t->fail_on && number > t->fail_at))) {
    atomic_fetch_add(&t->failed, 1);
    return NULL;
  }
  head *memory = malloc(sizeof *memory + size);
  if (memory == NULL) abort();
  memory->mark = MARK;
  memory->size = size;
  memset(memory + 1, 0xA5, size);
  atomic_fetch_add(&t->live, 1);
  return memory + 1;
}

static head *head_of(void *memory) {
  head *it = (head *)memory - 1;
  if (it->mark != MARK) abort();
  return it;
}

static void test_free(void *user_data, void *memory) {
  aio__test_alloc *t = user_data;
  if (memory == NULL) abort();
  head *it = head_of(memory);
  it->mark = 0;
  free(it);
  atomic_fetch_sub(&t->live, 1);
}

static void *test_realloc(void *user_data, void *memory, size_t size) {
  void *moved = test_malloc(user_data, size);
  if (moved == NULL || memory == NULL) return moved;
  size_t old = head_of(memory)->size;
  memcpy(moved, memory, old < size ? old : size);
  test_free(user_data, memory);
  return moved;
}

void aio__test_alloc_init(aio__test_alloc *t) {
  memset(t, 0, sizeof *t);
  t->al = (aio__alloc){sizeof(aio__alloc), t, test_malloc, test_realloc, test_free};
}

void aio__test_alloc_next(aio__test_alloc *t) {
  atomic_store(&t->count, 0);
  atomic_store(&t->failed, 0);
  t->fail_at++;
}
