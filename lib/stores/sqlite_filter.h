/* Which chunks pass the filters of a search: ranges of chunk numbers, one a document. */
#ifndef AIO_STORES_SQLITE_FILTER_H
#define AIO_STORES_SQLITE_FILTER_H

#include "stores/sqlite_private.h"

/* The chunks of one document, and which of the filters' names it fits. */
typedef struct aio__sq_range {
  int64_t first, count;
  uint64_t fits;
} aio__sq_range;

typedef struct aio__sq_ranges {
  const aio__alloc *al;
  aio__sq_range *range;
  size_t n, cap;
  bool active; /* false: there are no filters, all chunks pass */
} aio__sq_ranges;

/* Fills an empty one (all 0 but `al`). */
aiorch_status aio__sq_filters_match(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__filter *filters,
                                    size_t count, aio__sq_ranges *out);
bool aio__sq_ranges_pass(const aio__sq_ranges *ranges, int64_t no);
/* The same for many numbers that mostly go up: *at is where the last one was found, 0 at first. */
bool aio__sq_ranges_pass_next(const aio__sq_ranges *ranges, int64_t no, size_t *at);
void aio__sq_ranges_free(aio__sq_ranges *ranges);

#endif
