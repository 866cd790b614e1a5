/* Tokens in disjoint classes. CACHE_WRITE counts all written tokens, CACHE_WRITE_1H those of them with the longer life.
 * */
#ifndef AIO_COST_USAGE_H
#define AIO_COST_USAGE_H

#include <aiorch/plugin.h>

#include "core/str.h"

typedef struct aio__usage {
  int64_t n[AIORCH_USAGE_COUNT];
  bool estimated;
} aio__usage;

void aio__usage_clear(aio__usage *usage);
void aio__usage_add(aio__usage *to, const aio__usage *from);  /* saturates at 2^53; estimated if either is */
bool aio__usage_any(const aio__usage *usage);
const char *aio__usage_name(int usage_class);                 /* "input", "cache_read", ... as in JSON */

#endif
