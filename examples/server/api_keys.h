/*
 * The keys that are good now, in memory. A thread of their own looks for changes and reads them; whoever asks gets an answer from what
 * was read last, at once. A key that was not in it then may have been made since: its caller can wait for the next look, which then comes
 * early, though not oftener than every API_KEYS_ASK_MS, however many ask.
 */
#ifndef API_KEYS_H
#define API_KEYS_H

#include "key_store.h"

enum { API_KEYS_LOOK_MS = 250, API_KEYS_ASK_MS = 50, API_KEYS_STALE_MS = 60000, API_KEYS_WHY_MAX = 256 };

#define API_KEYS_NO_WAIT UINT64_MAX

typedef enum api_key_verdict {
  API_KEY_GOOD,
  API_KEY_UNKNOWN,
  API_KEY_ASKED,      /* not known; a look that begins now may find it: ask again with the same ticket when the descriptor is readable */
  API_KEY_EXPIRED,
  API_KEY_REVOKED,
  API_KEY_UNAVAILABLE /* the place of the keys was out of reach for so long that nobody can say who was revoked meanwhile */
} api_key_verdict;

typedef struct api_key_owner {
  char id[64], tenant[256], user[256];
} api_key_owner;

typedef struct api_keys api_keys;

/* Reads them once, and starts the thread. `store` is taken over in any case; `fd`, an eventfd that is lent, is readable when a look that
 * somebody waits for has ended. NULL after `why`. */
api_keys *api_keys_open(key_store *store, int fd, cli_bytes *why);
void api_keys_close(api_keys *keys);
/* `ticket` is 0 at first and kept by the caller; API_KEYS_NO_WAIT for one who does not wait. */
api_key_verdict api_keys_find(api_keys *keys, const char *text, size_t len, int64_t now_ms, uint64_t *ticket, api_key_owner *out);
/* The last look failed, and why. */
bool api_keys_trouble(api_keys *keys, char why[API_KEYS_WHY_MAX]);
/* How many are known, with those that are over. */
size_t api_keys_count(api_keys *keys);

#endif
