/* A key set that is kept up to date by a thread. */
#include "jwks_source.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct absent_key {
  uint64_t hash;
  int64_t until_ms;
} absent_key;

struct jwks_source {
  char *place, *ca_file;
  bool is_url;
  int64_t max_age_ms, stale_ms;
  struct stat file;     /* as it was read last; of the thread */
  int failures;         /* in a row; of the thread */
  pthread_t thread;
  bool started;
  pthread_mutex_t lock; /* of what follows; held for a check, or the exchange of a pointer */
  pthread_cond_t wake;
  bool stop, asked;     /* asked: a token named a key that is not known */
  jwt_key_set *set;
  uint64_t generation;
  int64_t fetched_ms;   /* when the set was last known to be good */
  uint64_t begun, done, wanted; /* fetches; the last of them that somebody waits for, 0: nobody */
  bool failed;          /* the last one */
  char trouble[JWT_WHY_MAX]; /* why */
  int64_t credit_ms;    /* time that has been saved up: JWKS_REFETCH_MS buy a fetch for keys that are not known */
  int64_t credited_ms;  /* until when */
  absent_key absent[JWKS_ABSENT_MAX];
  size_t next_absent;
  int fd;
};

static bool is_stopping(void *context) {
  jwks_source *s = context;
  pthread_mutex_lock(&s->lock);
  bool stop = s->stop;
  pthread_mutex_unlock(&s->lock);
  return stop;
}

/* ---- reading ---- */

static bool same_file(const struct stat *a, const struct stat *b) {
  return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
         a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* *same: it is as it was when it was a key set. */
static bool read_file(jwks_source *s, cli_bytes *out, bool *same, char why[JWT_WHY_MAX]) {
  struct stat now;
  int fd = open(s->place, O_RDONLY | O_CLOEXEC | O_NOCTTY), error = 0;
  if (fd < 0 || fstat(fd, &now) != 0) error = errno;
  *same = !error && same_file(&now, &s->file);
  if (!error && !*same) error = cli_read_all(fd, JWT_SET_MAX_BYTES, out);
  if (fd >= 0) close(fd);
  if (!error) s->file = now;
  else snprintf(why, JWT_WHY_MAX, "%s", strerror(error));
  return !error;
}

static bool read_set(jwks_source *s, char why[JWT_WHY_MAX]) {
  cli_bytes text = {0};
  bool same = false;
  bool came = s->is_url ? jwks_fetch(s->place, s->ca_file, is_stopping, s, &text, why) : read_file(s, &text, &same, why);
  jwt_key_set *made = came && !same ? jwt_keys_parse(cli_z(&text), text.len, why) : NULL, *old = NULL;
  cli_release(&text);
  if (made && jwt_keys_count(made) == 0 && s->generation == 0) { /* later on it says that the keys from before are withdrawn */
    jwt_keys_free(made);
    made = NULL;
  }
  if (!made && !same) s->file = (struct stat){0}; /* what is there is none: it stays a failure until it changes */
  int64_t now_ms = cli_mono_ms();
  uint64_t one = 1;
  pthread_mutex_lock(&s->lock);
  bool awaited = s->wanted != 0;
  s->done = s->begun;
  s->failed = !made && !same;
  if (s->failed) memcpy(s->trouble, why, sizeof s->trouble);
  if (s->done >= s->wanted) s->wanted = 0;
  if (made) {
    old = s->set;
    s->set = made;
    s->generation++;
  }
  if (made || same) {
    s->fetched_ms = now_ms;
  } else if (s->set && now_ms - s->fetched_ms > s->stale_ms) { /* too old to go on with */
    old = s->set;
    s->set = NULL;
    s->generation++;
  }
  pthread_mutex_unlock(&s->lock);
  if (awaited && s->fd >= 0) (void)!write(s->fd, &one, sizeof one);
  jwt_keys_free(old);
  return made || same;
}

/* ---- the thread ---- */

static int64_t pause_ms(const jwks_source *s) {
  if (!s->is_url) return JWKS_FILE_LOOK_MS;
  if (s->failures == 0) return s->max_age_ms;
  int64_t pause = (int64_t)JWKS_RETRY_MIN_MS << (s->failures < 8 ? s->failures - 1 : 7);
  return pause < JWKS_RETRY_MAX_MS ? pause : JWKS_RETRY_MAX_MS;
}

static bool wait_for_turn(jwks_source *s) {
  struct timespec until;
  int64_t pause = pause_ms(s);
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += (time_t)(pause / 1000);
  until.tv_nsec += (long)(pause % 1000) * 1000000L;
  if (until.tv_nsec >= 1000000000L) {
    until.tv_nsec -= 1000000000L;
    until.tv_sec++;
  }
  pthread_mutex_lock(&s->lock);
  while (!s->stop && !s->asked && pthread_cond_timedwait(&s->wake, &s->lock, &until) == 0) continue;
  bool goes_on = !s->stop;
  s->asked = false;
  s->begun++;
  pthread_mutex_unlock(&s->lock);
  return goes_on;
}

static void *keep_fresh(void *context) {
  jwks_source *s = context;
  char why[JWT_WHY_MAX] = "";
  while (wait_for_turn(s)) s->failures = read_set(s, why) ? 0 : s->failures + 1;
  return NULL;
}

jwks_source *jwks_source_open(const jwks_options *options, char why[JWT_WHY_MAX]) {
  pthread_condattr_t attributes;
  bool is_url = strstr(options->place, "://") != NULL;
  if (is_url && !jwks_fetch_allows(options->place)) {
    snprintf(why, JWT_WHY_MAX, "a key set is fetched over https alone");
    return NULL;
  }
  jwks_source *s = cli_alloc(sizeof *s);
  s->is_url = is_url;
  s->place = cli_copy(options->place, strlen(options->place));
  s->ca_file = cli_copy(options->ca_file, strlen(options->ca_file));
  s->max_age_ms = options->max_age_s * 1000;
  s->stale_ms = options->stale_s * 1000;
  s->fd = options->fd;
  s->credit_ms = JWKS_BURST * JWKS_REFETCH_MS;
  s->credited_ms = cli_mono_ms();
  pthread_mutex_init(&s->lock, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&s->wake, &attributes);
  pthread_condattr_destroy(&attributes);
  bool read = read_set(s, why);
  s->failures = read ? 0 : 1;
  if (read || is_url) s->started = pthread_create(&s->thread, NULL, keep_fresh, s) == 0;
  if (s->started) return s;
  if (read || is_url) snprintf(why, JWT_WHY_MAX, "no thread could be started");
  jwks_source_close(s);
  return NULL;
}

void jwks_source_close(jwks_source *s) {
  if (!s) return;
  pthread_mutex_lock(&s->lock);
  s->stop = true;
  pthread_cond_signal(&s->wake);
  pthread_mutex_unlock(&s->lock);
  if (s->started) pthread_join(s->thread, NULL);
  pthread_cond_destroy(&s->wake);
  pthread_mutex_destroy(&s->lock);
  jwt_keys_free(s->set);
  free(s->place);
  free(s->ca_file);
  free(s);
}

static uint64_t hash_of(const char *kid) {
  uint64_t hash = 14695981039346656037u;
  for (; *kid; kid++) hash = (hash ^ (unsigned char)*kid) * 1099511628211u;
  return hash;
}

static bool known_absent(const jwks_source *s, uint64_t hash, int64_t now_ms) {
  for (size_t i = 0; i < JWKS_ABSENT_MAX; i++) {
    if (s->absent[i].hash == hash && now_ms < s->absent[i].until_ms) return true;
  }
  return false;
}

static void note_absent(jwks_source *s, uint64_t hash, int64_t now_ms) {
  if (known_absent(s, hash, now_ms)) return;
  s->absent[s->next_absent] = (absent_key){hash, now_ms + JWKS_REFETCH_MS};
  s->next_absent = (s->next_absent + 1) % JWKS_ABSENT_MAX;
}

/* A fetch that has been asked for and has not begun is everybody's. 0, or for how long none may be asked for. Holds the lock. */
static int64_t ask_for_fetch(jwks_source *s, int64_t now_ms) {
  s->credit_ms += now_ms - s->credited_ms;
  s->credited_ms = now_ms;
  if (s->credit_ms > JWKS_BURST * JWKS_REFETCH_MS) s->credit_ms = JWKS_BURST * JWKS_REFETCH_MS;
  if (s->asked) return 0;
  if (s->credit_ms < JWKS_REFETCH_MS) return JWKS_REFETCH_MS - s->credit_ms;
  s->credit_ms -= JWKS_REFETCH_MS;
  s->asked = true;
  pthread_cond_signal(&s->wake);
  return 0;
}

/* Only a fetch that begins from now on can say that there is no such key. Holds the lock. */
static void wait_for_fetch(jwks_source *s, const char *kid, jwks_wait *wait, char why[JWT_WHY_MAX]) {
  int64_t now_ms = cli_mono_ms();
  uint64_t hash = hash_of(kid);
  bool waits = wait->ticket != JWKS_NO_WAIT && s->fd >= 0, fetched = waits && wait->ticket && s->done >= wait->ticket;
  if (!s->is_url) return; /* it is looked at twice a second */
  if (s->set && fetched && !s->failed) note_absent(s, hash, now_ms);
  if (s->set && known_absent(s, hash, now_ms)) return;
  int64_t pause = fetched ? JWKS_FETCH_MS : wait->ticket && waits ? 0 : ask_for_fetch(s, now_ms);
  if (pause == 0 && waits) {
    if (!wait->ticket) wait->ticket = s->begun + 1;
    if (s->wanted < wait->ticket) s->wanted = wait->ticket;
    wait->later = true;
    return;
  }
  wait->retry_ms = pause > 1000 ? pause : 1000;
  if (s->set) snprintf(why, JWT_WHY_MAX, "the token's key is not known yet; the keys are being fetched again: try again");
  else snprintf(why, JWT_WHY_MAX, "tokens cannot be checked now: the keys to check them with cannot be had; try again");
}

jwt_verdict jwks_source_check(jwks_source *s, const jwt_rules *rules, const jwt_key_set *secret, const char *token, size_t len,
                              int64_t now_s, jwt_claims *out, jwks_wait *wait, char why[JWT_WHY_MAX]) {
  wait->later = false;
  wait->retry_ms = 0;
  pthread_mutex_lock(&s->lock);
  jwt_verdict verdict = jwt_check(rules, secret, s->set, token, len, now_s, out, why);
  if (out->algorithm != JWT_HS256) { /* of a secret no set has anything to say */
    if (!s->set && verdict == JWT_SIGNATURE) verdict = JWT_UNKNOWN_KEY;
    if (verdict == JWT_UNKNOWN_KEY) wait_for_fetch(s, out->kid, wait, why);
  }
  pthread_mutex_unlock(&s->lock);
  return verdict;
}

bool jwks_source_trouble(jwks_source *s, char why[JWT_WHY_MAX]) {
  pthread_mutex_lock(&s->lock);
  bool failed = s->failed;
  if (failed) memcpy(why, s->trouble, sizeof s->trouble);
  pthread_mutex_unlock(&s->lock);
  return failed;
}

uint64_t jwks_source_generation(jwks_source *s) {
  pthread_mutex_lock(&s->lock);
  uint64_t generation = s->generation;
  pthread_mutex_unlock(&s->lock);
  return generation;
}
