/* Keys in memory: a table by their hash, replaced whole when something has changed. */
#include "api_keys.h"

#include "key_text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
  uint64_t begun, done, wanted; /* looks; the last of them that somebody waits for, 0: nobody */
  int64_t begun_ms;
  bool failed;     /* the last look */
  char trouble[API_KEYS_WHY_MAX]; /* why */
  int fd;
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

/* Until the next look is due. Holds the lock. */
static void wait_until(api_keys *k, int64_t due_ms) {
  struct timespec until = {.tv_sec = (time_t)(due_ms / 1000), .tv_nsec = (long)(due_ms % 1000) * 1000000L};
  pthread_cond_timedwait(&k->wake, &k->lock, &until);
}

static bool wait_for_turn(api_keys *k) {
  pthread_mutex_lock(&k->lock);
  for (;;) {
    int64_t now = cli_mono_ms(), due = k->begun_ms + (k->wanted ? API_KEYS_ASK_MS : API_KEYS_LOOK_MS);
    if (k->stop || now >= due) {
      k->begun_ms = now;
      break;
    }
    wait_until(k, due);
  }
  k->begun++;
  bool goes_on = !k->stop;
  pthread_mutex_unlock(&k->lock);
  return goes_on;
}

static void end_look(api_keys *k, bool good, cli_bytes *why) {
  uint64_t one = 1;
  pthread_mutex_lock(&k->lock);
  if (!good) snprintf(k->trouble, sizeof k->trouble, "%s", cli_z(why));
  bool awaited = k->wanted != 0;
  k->done = k->begun;
  k->failed = !good;
  if (k->done >= k->wanted) k->wanted = 0;
  pthread_mutex_unlock(&k->lock);
  if (awaited) (void)!write(k->fd, &one, sizeof one);
}

static void *watch(void *context) {
  api_keys *k = context;
  int64_t version = -1;
  while (wait_for_turn(k)) {
    cli_bytes why = {0}; /* for api_keys_trouble; who asks is told that keys cannot be checked, when it has lasted */
    bool good = read_keys(k, &version, &why);
    end_look(k, good, &why);
    cli_release(&why);
  }
  return NULL;
}

api_keys *api_keys_open(key_store *store, int fd, cli_bytes *why) {
  api_keys *k = cli_alloc(sizeof *k);
  pthread_condattr_t attributes;
  int64_t version = -1;
  k->store = store;
  k->fd = fd;
  pthread_mutex_init(&k->lock, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&k->wake, &attributes);
  pthread_condattr_destroy(&attributes);
  bool opened = read_keys(k, &version, why);
  k->begun_ms = cli_mono_ms();
  if (opened && pthread_create(&k->thread, NULL, watch, k) != 0) {
    cli_addz(why, "keys: no thread could be started");
    opened = false;
  }
  if (opened) return k;
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
  cli_fit(out->id, sizeof out->id, key->id);
  cli_fit(out->tenant, sizeof out->tenant, key->tenant);
  cli_fit(out->user, sizeof out->user, key->user);
  return API_KEY_GOOD;
}

/* Only a look that begins from now on can say that it does not exist. Holds the lock. */
static api_key_verdict wait_for_look(api_keys *k, uint64_t *ticket) {
  if (*ticket == API_KEYS_NO_WAIT || k->fd < 0) return API_KEY_UNKNOWN;
  if (*ticket == 0) *ticket = k->begun + 1;
  else if (k->done >= *ticket) return k->failed ? API_KEY_UNAVAILABLE : API_KEY_UNKNOWN;
  if (k->wanted < *ticket) k->wanted = *ticket;
  pthread_cond_signal(&k->wake);
  return API_KEY_ASKED;
}

api_key_verdict api_keys_find(api_keys *k, const char *text, size_t len, int64_t now_ms, uint64_t *ticket, api_key_owner *out) {
  unsigned char hash[SHA256_BYTES];
  if (!key_text_valid(text, len) || !crypto_sha256(text, len, hash)) return API_KEY_UNKNOWN;
  pthread_mutex_lock(&k->lock);
  api_key_verdict verdict = judge(look_up(k->table, hash), now_ms, out);
  if (cli_mono_ms() - k->seen_ms > API_KEYS_STALE_MS) verdict = API_KEY_UNAVAILABLE;
  else if (verdict == API_KEY_UNKNOWN) verdict = wait_for_look(k, ticket);
  pthread_mutex_unlock(&k->lock);
  return verdict;
}

bool api_keys_trouble(api_keys *k, char why[API_KEYS_WHY_MAX]) {
  pthread_mutex_lock(&k->lock);
  bool failed = k->failed;
  if (failed) memcpy(why, k->trouble, sizeof k->trouble);
  pthread_mutex_unlock(&k->lock);
  return failed;
}

size_t api_keys_count(api_keys *k) {
  pthread_mutex_lock(&k->lock);
  size_t count = k->table->rows.count;
  pthread_mutex_unlock(&k->lock);
  return count;
}
