/* See sqlite_filter.h. */
#include "stores/sqlite_filter.h"

#include <stdlib.h>

enum { FILTERS_MAX = 64 };

static aiorch_status add_range(aio__sq_ranges *all, int64_t first, int64_t count, uint64_t fits, aiorch_error *error) {
  if (all->n == all->cap) {
    size_t cap = all->cap > 0 ? all->cap * 2 : 64;
    aio__sq_range *more = aio__realloc(all->al, all->range, cap * sizeof *more);
    if (more == NULL) return aio__sq_nomem(error);
    all->range = more;
    all->cap = cap;
  }
  all->range[all->n++] = (aio__sq_range){first, count, fits};
  return AIORCH_OK;
}

static int by_first(const void *a, const void *b) {
  const aio__sq_range *x = a, *y = b;
  return x->first < y->first ? -1 : x->first > y->first ? 1 : 0;
}

/* Joins the ranges of each document and keeps those that fit all names. */
static void merge(aio__sq_ranges *all, uint64_t names) {
  size_t n = 0;
  if (all->n > 1) qsort(all->range, all->n, sizeof *all->range, by_first);
  for (size_t i = 0; i < all->n;) {
    aio__sq_range one = all->range[i++];
    while (i < all->n && all->range[i].first == one.first) one.fits |= all->range[i++].fits;
    if (one.fits == names) all->range[n++] = one;
  }
  all->n = n;
}

static aiorch_status match_filter(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__filter *filter,
                                  uint64_t bit, aio__sq_ranges *all) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status =
    aio__sq_query(conn, error, AIO__SQ_METADATA_FROM, &stmt, "sss", tenant, filter->name, aio__filter_first(filter));
  while (status == AIORCH_OK && (status = aio__sq_step(conn, error, stmt)) == AIORCH_OK) {
    int64_t first = sqlite3_column_int64(stmt, 0), count = sqlite3_column_int64(stmt, 1);
    aio__str value = aio__sq_text(stmt, 2);
    if (aio__filter_beyond(filter, value)) {
      aio__sq_reset(stmt);
      return AIORCH_OK;
    }
    if (count == 0 || !aio__filter_fits(filter, value)) continue;
    bool sane = count > 0 && count <= AIO__SQ_DOCUMENT_BYTES_MAX && first >= 0 && first < INT64_MAX / 2;
    status = sane ? add_range(all, first, count, bit, error)
                  : aio__sq_fail_code(conn->owner->path, NULL, SQLITE_CORRUPT, error);
    if (status != AIORCH_OK) aio__sq_reset(stmt);
  }
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

aiorch_status aio__sq_filters_match(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__filter *filters,
                                    size_t count, aio__sq_ranges *all) {
  uint64_t names = 0;
  aiorch_status status = AIORCH_OK;
  if (count > FILTERS_MAX)
    return aio__error_set(error, AIORCH_E_TOO_LARGE, "%zu filters: at most %d can be used", count, FILTERS_MAX);
  all->active = count > 0;
  for (size_t i = 0; i < count && status == AIORCH_OK; i++) {
    size_t same = 0;
    while (!aio__str_eq(filters[same].name, filters[i].name)) same++;
    uint64_t bit = (uint64_t)1 << same;
    names |= bit;
    status = match_filter(conn, error, tenant, &filters[i], bit, all);
  }
  if (status == AIORCH_OK) merge(all, names);
  return status;
}

/* The range that has the number, or the next after it: *found tells which. */
static size_t find(const aio__sq_ranges *all, int64_t no, bool *found) {
  size_t low = 0, high = all->n;
  *found = false;
  while (low < high && !*found) {
    size_t middle = low + (high - low) / 2;
    const aio__sq_range *one = &all->range[middle];
    *found = no >= one->first && no < one->first + one->count;
    if (*found)
      low = middle;
    else if (no < one->first)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

bool aio__sq_ranges_pass(const aio__sq_ranges *all, int64_t no) {
  bool found = true;
  if (all->active) (void)find(all, no, &found);
  return found;
}

bool aio__sq_ranges_pass_next(const aio__sq_ranges *all, int64_t no, size_t *at) {
  bool found = true;
  if (!all->active) return true;
  size_t i = *at;
  bool after_last = i == 0 || no >= all->range[i - 1].first + all->range[i - 1].count;
  if (after_last && i == all->n) return false;
  if (after_last && no < all->range[i].first + all->range[i].count) return no >= all->range[i].first;
  *at = find(all, no, &found);
  return found;
}

void aio__sq_ranges_free(aio__sq_ranges *all) {
  aio__free(all->al, all->range);
  all->range = NULL;
  all->n = all->cap = 0;
}
