/* Filters as JSON: {"lang": "en", "team": ["a", "b"], "path": {"prefix": "docs/"}, "year": {"from": "2020", "to": "2024"}}. */
#ifndef AIO_API_FILTER_JSON_H
#define AIO_API_FILTER_JSON_H

#include "core/error.h"
#include "stores/filter.h"
#include "text/json.h"

enum { AIO__FILTER_NAME_MAX = 63, AIO__FILTER_VALUE_MAX = 1024 };

/* Gives each filter of `object` to `add`, texts borrowed from the JSON; a list is as many filters of one name. `where` is
 * how messages call the object. AIORCH_OK, AIORCH_E_INVALID, or what `add` returned. */
aiorch_status aio__filters_read(const aio__json_value *object, const char *where,
                                aiorch_status (*add)(void *ctx, const aio__filter *filter), void *ctx,
                                aiorch_error *error);

/* What is wrong with a filter: lengths, UTF-8, a range without a bound. NULL: nothing. */
const char *aio__filter_fault(const aio__filter *filter);

#endif
