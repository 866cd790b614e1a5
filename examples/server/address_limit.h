/*
 * How often one address may ask without a name: so many requests a minute, in a table of fixed size. An address that is pushed out by
 * others begins anew: nobody is ever refused for what others do.
 */
#ifndef ADDRESS_LIMIT_H
#define ADDRESS_LIMIT_H

#include "client_address.h"

#include <stdint.h>

typedef struct address_limit address_limit;

typedef struct address_credit {
  bool admitted;
  int64_t limit, remaining;
  int64_t reset_ms;        /* until all of it is there again */
  int64_t retry_after_ms;  /* refused: until the next is admitted */
} address_credit;

/* `per_minute` above 0. */
address_limit *address_limit_new(int64_t per_minute);
void address_limit_free(address_limit *limit);
/* Counts one request when it is admitted. `now_ms` does not go back. */
address_credit address_limit_take(address_limit *limit, const net_address *who, int64_t now_ms);

#endif
