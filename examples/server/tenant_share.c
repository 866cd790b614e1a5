/* See tenant_share.h. */
#include "tenant_share.h"

#include <stdlib.h>
#include <string.h>

bool tenant_share_allows(int64_t has, int64_t more, int64_t room) {
  if (more > room) return false;
  return has == 0 || has + more <= TENANT_SHARE * (room - more + 1);
}

static tenant_share **find(tenant_shares *shares, const char *tenant) {
  uint32_t hash = 2166136261u;
  for (const char *s = tenant; *s; s++) hash = (hash ^ (unsigned char)*s) * 16777619u;
  tenant_share **at = &shares->buckets[hash % TENANT_SHARE_BUCKETS];
  while (*at && strcmp((*at)->tenant, tenant) != 0) at = &(*at)->next;
  return at;
}

tenant_share *tenant_share_enter(tenant_shares *shares, const char *tenant) {
  tenant_share **at = find(shares, tenant);
  if (!*at) {
    *at = cli_alloc(sizeof **at);
    cli_fit((*at)->tenant, sizeof (*at)->tenant, tenant);
  }
  (*at)->calls++;
  return *at;
}

void tenant_share_leave(tenant_shares *shares, tenant_share *share) {
  if (!share || --share->calls > 0) return;
  tenant_share **at = find(shares, share->tenant);
  *at = share->next;
  free(share);
}
