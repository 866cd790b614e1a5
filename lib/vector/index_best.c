/* The best of many, and the candidates of a query: all whose bounds allow that they belong to the best. */
#include "vector/index_private.h"

bool aio__near_lower(const aio__near *a, const aio__near *b) {
  return a->high < b->high || (a->high == b->high && a->key > b->key);
}

static bool ends_lower(const aio__near *a, const aio__near *b) {
  return a->low < b->low;
}

static bool has_higher_key(const aio__near *a, const aio__near *b) {
  return a->key > b->key || (a->key == b->key && a->high < b->high);
}

static void sink(aio__near *heap, size_t n, size_t at, aio__near_order *worse) {
  aio__near item = heap[at];
  for (size_t child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && worse(&heap[child + 1], &heap[child])) child++;
    if (!worse(&heap[child], &item)) break;
    heap[at] = heap[child];
  }
  heap[at] = item;
}

void aio__near_offer(aio__near *heap, size_t *n, size_t most, aio__near item, aio__near_order *worse) {
  if (*n == most) {
    if (!worse(&heap[0], &item)) return;
    heap[0] = item;
    sink(heap, most, 0, worse);
    return;
  }
  size_t at = (*n)++;
  for (size_t parent; at > 0 && worse(&item, &heap[parent = (at - 1) / 2]); at = parent) heap[at] = heap[parent];
  heap[at] = item;
}

void aio__near_sort(aio__near *at, size_t n, aio__near_order *worse) {
  for (size_t i = n / 2; i-- > 0;) sink(at, n, i, worse);
  for (size_t last = n; last-- > 1;) {
    aio__near worst = at[0];
    at[0] = at[last];
    at[last] = worst;
    sink(at, last, 0, worse);
  }
}

/* Of a key that is there twice the higher one stays: what a search met twice is the same vector, or was replaced. */
static void drop_repeats(aio__nearest *nearest) {
  size_t kept = 0;
  aio__near_sort(nearest->at, nearest->n, has_higher_key);
  for (size_t i = 0; i < nearest->n; i++)
    if (kept == 0 || nearest->at[kept - 1].key != nearest->at[i].key) nearest->at[kept++] = nearest->at[i];
  nearest->n = kept;
}

static void raise_floor(aio__nearest *nearest, aio__near *best) {
  size_t n = 0, kept = 0;
  if (nearest->n >= nearest->wanted) {
    for (size_t i = 0; i < nearest->n; i++)
      aio__near_offer(best, &n, nearest->wanted, nearest->at[i], ends_lower);
    if (best[0].low > nearest->floor) nearest->floor = best[0].low;
  }
  for (size_t i = 0; i < nearest->n; i++)
    if (nearest->at[i].high >= nearest->floor) nearest->at[kept++] = nearest->at[i];
  nearest->n = kept;
}

aiorch_status aio__nearest_prune(aio__nearest *nearest, const aio__alloc *al, aio__near *best, bool repeats) {
  if (repeats) drop_repeats(nearest);
  raise_floor(nearest, best);
  if (nearest->n > nearest->most) {
    aio__near_sort(nearest->at, nearest->n, aio__near_lower);
    nearest->n = nearest->most;
    float least = nearest->at[nearest->n - 1].high;
    if (least > nearest->floor) nearest->floor = least;
  }
  if (nearest->n <= nearest->room / 2) return AIORCH_OK;
  size_t room = 2 * nearest->room;
  aio__near *at = aio__realloc(al, nearest->at, room * sizeof *at);
  if (at == NULL) return AIORCH_E_NOMEM;
  nearest->at = at;
  nearest->room = room;
  return AIORCH_OK;
}
