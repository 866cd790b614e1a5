/*
 * Filters on the metadata of documents, as both stores and the cache's scope understand them.
 *
 * A document passes when for each name that is filtered by, one of its values under that name fits one of the filters
 * with that name: filters of one name are alternatives, names must all hold.
 */
#ifndef AIO_STORES_FILTER_H
#define AIO_STORES_FILTER_H

#include "core/str.h"

typedef enum aio__filter_kind {
  AIO__FILTER_IS = 0, /* the value is `value` */
  AIO__FILTER_PREFIX, /* it begins with `value` */
  AIO__FILTER_RANGE   /* it lies between `value` and `to`, both included; a bound without text (p NULL) is open */
} aio__filter_kind;

typedef struct aio__filter {
  aio__str name;
  int32_t kind;
  aio__str value, to; /* to: RANGE only */
} aio__filter;

/* Does a value fit? A range compares numbers as numbers when the value and the bounds that it has are all numbers ("-3",
 * "12.50": digits, one sign, one point), else bytes, which for UTF-8 is the order of code points. */
bool aio__filter_fits(const aio__filter *filter, aio__str value);

/* For a walk over values in the order of bytes: none before the first fits, and none from one that is beyond on. */
aio__str aio__filter_first(const aio__filter *filter);
bool aio__filter_beyond(const aio__filter *filter, aio__str value);

#endif
