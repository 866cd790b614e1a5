/*
 * What each tenant has of that which is bounded for all: requests under way, bytes of bodies. One may have TENANT_SHARE times as much as
 * there is room left: alone three quarters of all, beside others less, and who comes next finds room.
 */
#ifndef TENANT_SHARE_H
#define TENANT_SHARE_H

#include "cli.h"

enum { TENANT_SHARE = 3, TENANT_SHARE_NAME_MAX = 255 };

/* Of one tenant; there as long as one of its requests is. */
typedef struct tenant_share {
  struct tenant_share *next;
  int64_t calls, body_bytes;
  char tenant[TENANT_SHARE_NAME_MAX + 1];
} tenant_share;

enum { TENANT_SHARE_BUCKETS = 1024 };

typedef struct tenant_shares {
  tenant_share *buckets[TENANT_SHARE_BUCKETS];
} tenant_shares;

/* Whether `more` may be had by who has `has`, when there is `room`. The first is never refused for what others have. */
bool tenant_share_allows(int64_t has, int64_t more, int64_t room);
/* One more request of it; until tenant_share_leave. */
tenant_share *tenant_share_enter(tenant_shares *shares, const char *tenant);
void tenant_share_leave(tenant_shares *shares, tenant_share *share); /* share may be NULL */

#endif
