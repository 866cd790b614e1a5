/*
 * One number an address: the time at which all of its credit is there again (GCRA). It costs 24 bytes, and being older than now is the
 * same as not being there.
 */
#include "address_limit.h"

#include "cli.h"
#include "server_crypto.h"

#include <stdlib.h>
#include <string.h>

enum { SETS = 4096, WAYS = 4, MINUTE_US = 60000000 };

typedef struct place {
  net_address who;
  int64_t full_us; /* when its credit is whole again */
} place;

struct address_limit {
  int64_t per_minute;
  uint64_t seed; /* so that nobody outside can say which addresses share a set */
  place places[SETS][WAYS];
};

address_limit *address_limit_new(int64_t per_minute) {
  address_limit *limit = cli_alloc(sizeof *limit);
  limit->per_minute = per_minute;
  if (!crypto_random(&limit->seed, sizeof limit->seed)) limit->seed = (uint64_t)(uintptr_t)limit;
  return limit;
}

void address_limit_free(address_limit *limit) { free(limit); }

static size_t set_of(const address_limit *limit, const net_address *who) {
  uint64_t words[2], hash = limit->seed;
  memcpy(words, who->bytes, sizeof words);
  for (int i = 0; i < 2; i++) {
    hash = (hash ^ words[i]) * UINT64_C(0x9E3779B97F4A7C15);
    hash ^= hash >> 29;
  }
  return hash * UINT64_C(0xBF58476D1CE4E5B9) >> 52;
}

/* Its own place, or the one whose owner has the most credit: forgetting that one gives the least away. */
static place *find_place(address_limit *limit, const net_address *who) {
  place *set = limit->places[set_of(limit, who)], *best = &set[0];
  for (int i = 0; i < WAYS; i++) {
    if (memcmp(&set[i].who, who, sizeof *who) == 0) return &set[i];
    if (set[i].full_us < best->full_us) best = &set[i];
  }
  *best = (place){.who = *who};
  return best;
}

address_credit address_limit_take(address_limit *limit, const net_address *who, int64_t now_ms) {
  place *p = find_place(limit, who);
  int64_t step_us = MINUTE_US / limit->per_minute, now_us = now_ms * 1000;
  int64_t full_us = (p->full_us > now_us ? p->full_us : now_us) + step_us;
  int64_t over_us = full_us - now_us - step_us * limit->per_minute;
  address_credit credit = {.limit = limit->per_minute, .admitted = over_us <= 0};
  if (credit.admitted) {
    p->full_us = full_us;
    credit.remaining = -over_us / step_us;
  } else {
    credit.retry_after_ms = (over_us + 999) / 1000;
  }
  credit.reset_ms = (p->full_us - now_us + 999) / 1000;
  return credit;
}
