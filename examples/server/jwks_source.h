/*
 * The key set that tokens are checked with: a file, or an https URL that is fetched again when it is old, and at once when a token
 * names a key that is not in it: JWKS_BURST times, and again every JWKS_REFETCH_MS, however many ask. While it cannot be had the one from before serves on.
 * A set without a key that is of use is one, too: those from before are withdrawn.
 * A thread of its own does what waits.
 */
#ifndef JWKS_SOURCE_H
#define JWKS_SOURCE_H

#include "json_web_token.h"

enum {
  JWKS_REFETCH_MS = 10000,      /* between two fetches for keys that are not known, when JWKS_BURST have been made */
  JWKS_BURST = 3,
  JWKS_ABSENT_MAX = 64,         /* keys that were looked for and not found: for JWKS_REFETCH_MS nobody fetches for them again */
  JWKS_FETCH_MS = 5000,         /* how long one may take */
  JWKS_FILE_LOOK_MS = 500,
  JWKS_RETRY_MIN_MS = 5000,     /* after a fetch that failed; doubled each time */
  JWKS_RETRY_MAX_MS = 300000
};

typedef struct jwks_source jwks_source;

typedef struct jwks_options {
  const char *place;   /* a path, or an https URL; http for this machine alone */
  const char *ca_file; /* "": the system's */
  int64_t max_age_s, stale_s;
  int fd;              /* an eventfd that is lent: readable when a fetch that somebody waits for has ended; -1: nobody waits */
} jwks_options;

#define JWKS_NO_WAIT UINT64_MAX

/* A file must be there and be a key set. A URL that cannot be reached is tried again later: `why` says what went wrong, and the
 * result is not NULL. */
jwks_source *jwks_source_open(const jwks_options *options, char why[JWT_WHY_MAX]);
void jwks_source_close(jwks_source *source);
typedef struct jwks_wait {
  uint64_t ticket;  /* 0 at first and kept by the caller; JWKS_NO_WAIT for one who does not wait */
  bool later;       /* a set that may have the key is on its way: check again when the descriptor is readable */
  int64_t retry_ms; /* above 0: nobody can say before so long */
} jwks_wait;

/* jwt_check with the set of now, and with `secret`. JWT_UNKNOWN_KEY is final unless `wait` says something else. */
jwt_verdict jwks_source_check(jwks_source *source, const jwt_rules *rules, const jwt_key_set *secret, const char *token, size_t len,
                              int64_t now_s, jwt_claims *out, jwks_wait *wait, char why[JWT_WHY_MAX]);
/* The last try to have the set failed, and why. */
bool jwks_source_trouble(jwks_source *source, char why[JWT_WHY_MAX]);
/* Another number for another set. */
uint64_t jwks_source_generation(jwks_source *source);

/* jwks_fetch.c: one try. False after `why`. `stop` is asked now and then. */
bool jwks_fetch(const char *url, const char *ca_file, bool (*stop)(void *context), void *context, cli_bytes *out,
                char why[JWT_WHY_MAX]);
/* Whether a URL is one that may be fetched. */
bool jwks_fetch_allows(const char *url);

#endif
