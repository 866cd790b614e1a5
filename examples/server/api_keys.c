/* Keys in memory: a table by their hash, replaced whole when something has changed. */
#include "api_keys.h"

#include "key_text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct key_table {
  server_keys rows;
  size_t mask;
  uint32_t *slots; /* 1 + index into rows; 0: free */
} key_table;

struct api_keys {
  key_store *store;
  pthread_t thread;
  pthread_mutex_t lock; /* of what follows; held for a lookup or the exchange of a pointer */
  pthread_cond_t wake;
  bool stop;
  key_table *table;
  int64_t seen_ms; /* when the place of the keys was last reached */
};

/* ---- the table ---- */

/* A hash is as good as random in any part. */
static size_t slot_of(const key_table *t, const unsigned char hash[SHA256_BYTES]) {
  uint64_t word;
  memcpy(&word, hash, sizeof word);
  return (size_t)word & t->mask;
}

static key_table *make_table(server_keys *rows) {
  key_table *t = cli_alloc(sizeof *t);
  size_t size = 16;
  while (size < rows->count * 2) size *= 2;
  t->rows = *rows;
  *rows = (server_keys){0};
  t->mask = size - 1;
  t->slots = cli_alloc(size * sizeof *t->slots);
  for (size_t i = 0; i < t->rows.count; i++) {
    size_t at = slot_of(t, t->rows.items[i].hash);
    while (t->slots[at]) at = (at + 1) & t->mask;
    t->slots[at] = (uint32_t)i + 1;
  }
  return t;
}

static void free_table(key_table *t) {
  if (!t) return;
  server_keys_free(&t->rows);
  free(t->slots);
  free(t);
}

static const server_key *look_up(const key_table *t, const unsigned char hash[SHA256_BYTES]) {
  for (size_t at = slot_of(t, hash); t->slots[at]; at = (at + 1) & t->mask) {
    const server_key *key = &t->rows.items[t->slots[at] - 1];
    if (crypto_same(key->hash, hash, SHA256_BYTES)) return key;
  }
  return NULL;
}

/* ---- the thread ---- */

/* The version is read before the rows: what changes in between is seen the next time. */
static bool read_keys(api_keys *k, int64_t *version, cli_bytes *why) {
  int64_t now;
  if (k->store->version(k->store, &now, why) != KEY_OK) return false;
  key_table *made = NULL, *old = NULL;
  if (now != *version) {
    server_keys rows = {0};
    if (k->store->list(k->store, &rows, why) != KEY_OK) {
      server_keys_free(&rows);
      return false;
    }
    made = make_table(&rows);
  }
  pthread_mutex_lock(&k->lock);
  if (made) {
    old = k->table;
    k->table = made;
  }
  k->seen_ms = cli_mono_ms();
  pthread_mutex_unlock(&k->lock);
  free_table(old);
  *version = now;
  return true;
}

static bool wait_a_little(api_keys *k) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += API_KEYS_LOOK_MS * 1000000L;
  if (until.tv_nsec >= 1000000000L) {
    until.tv_nsec -= 1000000000L;
    until.tv_sec++;
  }
  pthread_mutex_lock(&k->lock);
  if (!k->stop) pthread_cond_timedwait(&k->wake, &k->lock, &until);
  bool goes_on = !k->stop;
  pthread_mutex_unlock(&k->lock);
  return goes_on;
}

static void *watch(void *context) {
  api_keys *k = context;
  int64_t version = -1;
  while (wait_a_little(k)) {
    cli_bytes why = {0}; /* nobody to tell: who asks is told that keys cannot be checked, when it has lasted */
    read_keys(k, &version, &why);
    cli_release(&why);
  }
  return NULL;
}

api_keys *api_keys_open(key_store *store, cli_bytes *why) {
  api_keys *k = cli_alloc(sizeof *k);
  pthread_condattr_t attributes;
  int64_t version = -1;
  k->store = store;
  pthread_mutex_init(&k->lock, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&k->wake, &attributes);
  pthread_condattr_destroy(&attributes);
  bool opened = read_keys(k, &version, why);
  if (opened && pthread_create(&k->thread, NULL, watch, k) != 0) {
    cli_addz(why, "keys: no thread could be started");
    opened = false;
  }
  if (opened) return k;
  k->stop = true;
  store->close(store);
  pthread_cond_destroy(&k->wake);
  pthread_mutex_destroy(&k->lock);
  free_table(k->table);
  free(k);
  return NULL;
}

void api_keys_close(api_keys *k) {
  if (!k) return;
  pthread_mutex_lock(&k->lock);
  k->stop = true;
  pthread_cond_signal(&k->wake);
  pthread_mutex_unlock(&k->lock);
  pthread_join(k->thread, NULL);
  k->store->close(k->store);
  pthread_cond_destroy(&k->wake);
  pthread_mutex_destroy(&k->lock);
  free_table(k->table);
  free(k);
}

static api_key_verdict judge(const server_key *key, int64_t now_ms, api_key_owner *out) {
  if (!key) return API_KEY_UNKNOWN;
  if (key->revoked_ms) return API_KEY_REVOKED;
  if (key->expires_ms && now_ms >= key->expires_ms) return API_KEY_EXPIRED;
  snprintf(out->id, sizeof out->id, "%s", key->id);
  snprintf(out->tenant, sizeof out->tenant, "%s", key->tenant);
  snprintf(out->user, sizeof out->user, "%s", key->user);
  return API_KEY_GOOD;
}

api_key_verdict api_keys_find(api_keys *k, const char *text, size_t len, int64_t now_ms, api_key_owner *out) {
  unsigned char hash[SHA256_BYTES];
  if (len != KEY_TEXT_LEN || !crypto_sha256(text, len, hash)) return API_KEY_UNKNOWN;
  pthread_mutex_lock(&k->lock);
  api_key_verdict verdict = judge(look_up(k->table, hash), now_ms, out);
  if (cli_mono_ms() - k->seen_ms > API_KEYS_STALE_MS) verdict = API_KEY_UNAVAILABLE;
  pthread_mutex_unlock(&k->lock);
  return verdict;
}

size_t api_keys_count(api_keys *k) {
  pthread_mutex_lock(&k->lock);
  size_t count = k->table->rows.count;
  pthread_mutex_unlock(&k->lock);
  return count;
}
