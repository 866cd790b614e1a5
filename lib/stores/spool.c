/* The file of the spool that this process writes: see spool.h. */
#include "stores/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"

enum { BUFFER = 1 << 15, TRIES = 3 };

struct aio__spool {
  const aio__alloc *al;
  const aio__clock *clock;
  char *path, *place;
  char store[AIO__SPOOL_STORE_LEN + 1];
  int64_t file_max, max_bytes;
  _Atomic int64_t named_ms; /* what the name of the newest file says */
  pthread_mutex_t mutex; /* guards what follows */
  int fd;                /* -1: no file is being written */
  char name[AIO__SPOOL_NAME_MAX + 1];
  uint64_t end;          /* behind the last whole record */
  int64_t usage;         /* of the folder, when it was looked at, and what we wrote since */
  int64_t unlooked;      /* what we wrote since */
  bool looked;
  int aside_fd;          /* the file of refused rows, by the thread that replays alone; -1: none */
  uint64_t aside_at;
  char aside_name[AIO__SPOOL_NAME_MAX + 1];
  uint64_t at;           /* of the file: where the buffer's bytes go */
  size_t n;
  char buffer[BUFFER];
};

/* ---- opening -------------------------------------------------------------------------------------------------------- */

static aiorch_status make_folder(const char *path, aiorch_error *error) {
  struct stat info;
  if (mkdir(path, 0700) != 0 && errno != EEXIST)
    return aio__error_set(error, AIORCH_E_STORE,
                          "the folder %s for rows that wait for the store cannot be made: %s; spool.path sets another "
                          "place, \"spool.mode\": \"off\" goes without",
                          path, strerror(errno));
  if (stat(path, &info) != 0) return aio__spool_error(error, errno, "look at", path);
  if (!S_ISDIR(info.st_mode)) return aio__error_set(error, AIORCH_E_STORE, "spool.path: %s is no folder", path);
  if (info.st_mode & S_IWOTH)
    return aio__error_set(error, AIORCH_E_STORE, "spool.path: everybody may write to %s: take that right away", path);
  if (access(path, R_OK | W_OK | X_OK) != 0)
    return aio__error_set(error, AIORCH_E_STORE,
                          "the folder %s of the spool cannot be written: %s; spool.path sets another place, "
                          "\"spool.mode\": \"off\" goes without",
                          path, strerror(errno));
  return AIORCH_OK;
}

static void name_store(aio__spool *spool) {
  aio__sha256 hash;
  uint8_t digest[AIO__SHA256_SIZE];
  char hex[2 * AIO__SHA256_SIZE + 1];
  aio__sha256_init(&hash);
  aio__sha256_str(&hash, aio__str_z(spool->place));
  aio__sha256_end(&hash, digest);
  aio__hex(digest, sizeof digest, hex);
  memcpy(spool->store, hex, AIO__SPOOL_STORE_LEN);
}

static bool is_too_long(const char *path) {
  return strnlen(path, AIO__SPOOL_PATH_MAX) + 1 + AIO__SPOOL_NAME_MAX > AIO__SPOOL_PATH_MAX;
}

aiorch_status aio__spool_open(const aio__spool_setup *setup, aio__spool **out, aiorch_error *error) {
  char whole[PATH_MAX]; /* a host may go to another folder */
  aiorch_status status = is_too_long(setup->path) ? AIORCH_E_CONFIG_RANGE : make_folder(setup->path, error);
  if (status == AIORCH_OK && realpath(setup->path, whole) == NULL)
    status = aio__spool_error(error, errno, "find", setup->path);
  if (status == AIORCH_OK && is_too_long(whole)) status = AIORCH_E_CONFIG_RANGE;
  if (status == AIORCH_E_CONFIG_RANGE)
    return aio__error_set(error, status, "spool.path: the path is longer than %d bytes",
                          AIO__SPOOL_PATH_MAX - AIO__SPOOL_NAME_MAX - 1);
  if (status != AIORCH_OK) return status;
  aio__spool *spool = aio__calloc(setup->al, 1, sizeof *spool);
  if (spool == NULL || pthread_mutex_init(&spool->mutex, NULL) != 0) {
    aio__free(setup->al, spool);
    return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the spool");
  }
  spool->al = setup->al;
  spool->clock = setup->clock;
  spool->file_max = setup->file_max;
  spool->max_bytes = setup->max_bytes;
  spool->fd = spool->aside_fd = -1;
  spool->path = aio__strndup(setup->al, whole, strlen(whole));
  spool->place = aio__strndup(setup->al, setup->store, strlen(setup->store));
  if (spool->path == NULL || spool->place == NULL) {
    aio__spool_close(spool);
    return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the spool");
  }
  name_store(spool);
  *out = spool;
  return AIORCH_OK;
}

/* Its lock goes with it. */
static void let_go(aio__spool *spool) {
  if (spool->fd >= 0) close(spool->fd);
  spool->fd = -1;
}

void aio__spool_close(aio__spool *spool) {
  if (spool == NULL) return;
  let_go(spool);
  aio__spool_end_aside(spool);
  pthread_mutex_destroy(&spool->mutex);
  aio__free(spool->al, spool->path);
  aio__free(spool->al, spool->place);
  aio__free(spool->al, spool);
}

const char *aio__spool_path(const aio__spool *spool) { return spool->path; }

bool aio__spool_is_for(const aio__spool *spool, const char *name) {
  return strncmp(name + AIO__UUID_LEN + 1, spool->store, AIO__SPOOL_STORE_LEN) == 0;
}

/* ---- a new file ----------------------------------------------------------------------------------------------------- */

static void little(uint64_t value, char *to, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) to[i] = (char)(uint8_t)(value >> (8 * i));
}

static aiorch_status write_all(int fd, uint64_t at, const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t done = pwrite(fd, bytes, n, (off_t)at);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) {
      if (done == 0) errno = EIO;
      return AIORCH_E_STORE;
    }
    bytes += done;
    at += (uint64_t)done;
    n -= (size_t)done;
  }
  return AIORCH_OK;
}

static aiorch_status write_head(const aio__spool *spool, int fd) {
  char head[AIO__SPOOL_FILE_HEAD] = "AIOSPOOL";
  size_t n = aio__utf8_cut(aio__str_z(spool->place), sizeof head - 24 - 1);
  little(AIO__SPOOL_VERSION, head + 8, 4);
  little((uint64_t)aio__clock_wall_ms(spool->clock), head + 16, 8);
  memcpy(head + 24, spool->place, n);
  little(aio__crc32c(0, head, sizeof head), head + 12, 4);
  return write_all(fd, 0, head, sizeof head);
}

/* Names sort in the order in which files were begun: also those of one millisecond, and when the clock was set back. */
static int64_t name_ms(aio__spool *spool) {
  int64_t now = aio__clock_wall_ms(spool->clock), last = atomic_load(&spool->named_ms), next;
  do next = now > last ? now : last + 1;
  while (!atomic_compare_exchange_weak(&spool->named_ms, &last, next));
  return next;
}

/* A locked file with its head, under the name that `ending` gives it when it is whole. AIORCH_AGAIN: somebody took it for one that was
 * left behind. */
static aiorch_status make_file(aio__spool *spool, const char *ending, int *out, char *name, aiorch_error *error) {
  char id[AIO__UUID_LEN + 1], made[AIO__SPOOL_NAME_MAX + 1], from[AIO__SPOOL_PATH_MAX + 1], to[AIO__SPOOL_PATH_MAX + 1];
  aiorch_status status = aio__uuid_v7(name_ms(spool), id);
  if (status != AIORCH_OK) return aio__error_set(error, status, "no random bytes for the name of a file of the spool");
  (void)snprintf(made, sizeof made, "%s.%s.new", id, spool->store);
  (void)snprintf(name, AIO__SPOOL_NAME_MAX + 1, "%s.%s.%s", id, spool->store, ending);
  aio__spool_join(spool->path, made, from);
  aio__spool_join(spool->path, name, to);
  int fd = open(from, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 && errno == ENOENT && mkdir(spool->path, 0700) == 0) return AIORCH_AGAIN;
  if (fd < 0) return aio__spool_error(error, errno, "make", from);
  status = aio__spool_lock(fd) ? write_head(spool, fd) : AIORCH_AGAIN;
  if (status == AIORCH_OK && rename(from, to) != 0) status = errno == ENOENT ? AIORCH_AGAIN : AIORCH_E_STORE;
  if (status == AIORCH_OK) {
    if (aio__spool_sync_folder(spool->path)) {
      *out = fd;
      return AIORCH_OK;
    }
    status = aio__spool_error(error, errno, "sync the folder", spool->path);
    (void)unlink(to);
  } else {
    if (status != AIORCH_AGAIN) status = aio__spool_error(error, errno, "write", from);
    (void)unlink(from);
  }
  close(fd);
  return status;
}

static aiorch_status begin_file(aio__spool *spool, const char *ending, int *out, char *name, aiorch_error *error) {
  aiorch_status status = AIORCH_AGAIN;
  for (int i = 0; i < TRIES && status == AIORCH_AGAIN; i++) status = make_file(spool, ending, out, name, error);
  if (status != AIORCH_AGAIN) return status;
  return aio__error_set(error, AIORCH_E_STORE, "the spool cannot make a file in %s: another program takes it away",
                        spool->path);
}

/* ---- appending ------------------------------------------------------------------------------------------------------ */

static aiorch_status flush(aio__spool *spool) {
  aiorch_status status = write_all(spool->fd, spool->at, spool->buffer, spool->n);
  spool->at += spool->n;
  spool->n = 0;
  return status;
}

static aiorch_status put(void *ctx, const void *bytes, size_t len) {
  aio__spool *spool = ctx;
  const char *from = bytes;
  while (len > 0) {
    size_t part = BUFFER - spool->n < len ? BUFFER - spool->n : len;
    memcpy(spool->buffer + spool->n, from, part);
    spool->n += part;
    from += part;
    len -= part;
    if (spool->n < BUFFER) continue;
    aiorch_status status = flush(spool);
    if (status != AIORCH_OK) return status;
  }
  return AIORCH_OK;
}

static void look_at_usage(aio__spool *spool) {
  spool->usage = aio__spool_usage(spool->path);
  spool->unlooked = 0;
  spool->looked = true;
}

static aiorch_status check_room(aio__spool *spool, int64_t more, aiorch_error *error) {
  if (spool->fd < 0) more += AIO__SPOOL_FILE_HEAD;
  bool over = spool->usage > spool->max_bytes - more;
  if (!spool->looked || over || spool->unlooked > AIO__SPOOL_LOOK_BYTES) look_at_usage(spool);
  if (spool->usage <= spool->max_bytes - more) return AIORCH_OK;
  return aio__error_set(error, AIORCH_E_STORE_FULL,
                        "the spool %s has reached spool.max_bytes (%lld): rows of the ledger are lost until the store takes "
                        "what waits there",
                        spool->path, (long long)spool->max_bytes);
}

/* Nothing of what was appended since `end` remains; a file from which it cannot be taken is left as it is. */
static void take_back(aio__spool *spool) {
  int code;
  spool->n = 0;
  do code = ftruncate(spool->fd, (off_t)spool->end);
  while (code != 0 && errno == EINTR);
  if (code != 0) let_go(spool);
}

static aiorch_status write_rows(aio__spool *spool, const aio__spool_row *const *rows, size_t count,
                                aiorch_error *error) {
  aiorch_status status = AIORCH_OK;
  errno = 0;
  spool->at = spool->end;
  spool->n = 0;
  for (size_t i = 0; i < count && status == AIORCH_OK; i++)
    status = aio__spool_record_write(rows[i], put, spool, error);
  if (status == AIORCH_OK) status = flush(spool);
  if (status == AIORCH_OK) return status;
  if (status != AIORCH_E_TOO_LARGE) {
    char whole[AIO__SPOOL_PATH_MAX + 1];
    int code = errno;
    aio__spool_join(spool->path, spool->name, whole);
    status = aio__spool_error(error, code, "write", whole);
  }
  take_back(spool);
  return status;
}

static aiorch_status sync_file(const aio__spool *spool, int fd, const char *name, aiorch_error *error) {
  char whole[AIO__SPOOL_PATH_MAX + 1];
  int code;
  do code = fdatasync(fd);
  while (code != 0 && errno == EINTR);
  if (code == 0) return AIORCH_OK;
  code = errno;
  aio__spool_join(spool->path, name, whole);
  return aio__spool_error(error, code, "sync", whole);
}

/* After a sync that failed nobody knows what of the file is on the disk: the rows go into another one. What did get there comes
 * to the store twice, which changes nothing. */
static aiorch_status append(aio__spool *spool, const aio__spool_row *const *rows, size_t count, bool sync,
                            aiorch_error *error) {
  aiorch_status status = AIORCH_E_STORE;
  for (int i = 0; i < 2; i++) {
    if (spool->fd >= 0 && spool->end >= (uint64_t)spool->file_max) let_go(spool);
    if (spool->fd < 0) {
      status = begin_file(spool, "spool", &spool->fd, spool->name, error);
      if (status != AIORCH_OK) return status;
      spool->end = AIO__SPOOL_FILE_HEAD;
    }
    status = write_rows(spool, rows, count, error);
    if (status != AIORCH_OK) return status;
    status = sync ? sync_file(spool, spool->fd, spool->name, error) : AIORCH_OK;
    if (status == AIORCH_OK) break;
    let_go(spool);
  }
  if (status == AIORCH_OK) spool->end = spool->at;
  return status;
}

aiorch_status aio__spool_append(aio__spool *spool, const aio__spool_row *const *rows, size_t count, bool sync,
                                aiorch_error *error) {
  int64_t more = 0;
  for (size_t i = 0; i < count; i++) {
    size_t size = aio__spool_record_size(rows[i]);
    if (size == 0)
      return aio__error_set(error, AIORCH_E_TOO_LARGE, "a row of more than %d bytes does not go into the spool",
                            AIO__SPOOL_ROW_MAX);
    more += (int64_t)size;
  }
  pthread_mutex_lock(&spool->mutex);
  aiorch_status status = check_room(spool, more, error);
  if (status == AIORCH_OK) status = append(spool, rows, count, sync, error);
  if (status == AIORCH_OK) {
    spool->usage += more;
    spool->unlooked += more;
  }
  pthread_mutex_unlock(&spool->mutex);
  return status;
}

void aio__spool_seal(aio__spool *spool) {
  pthread_mutex_lock(&spool->mutex);
  if (spool->fd >= 0 && spool->end > AIO__SPOOL_FILE_HEAD) let_go(spool);
  pthread_mutex_unlock(&spool->mutex);
}

uint64_t aio__spool_pending(aio__spool *spool) {
  pthread_mutex_lock(&spool->mutex);
  uint64_t n = spool->fd >= 0 ? spool->end - AIO__SPOOL_FILE_HEAD : 0;
  pthread_mutex_unlock(&spool->mutex);
  return n;
}

/* ---- refused rows --------------------------------------------------------------------------------------------------- */

static aiorch_status put_aside(void *ctx, const void *bytes, size_t len) {
  aio__spool *spool = ctx;
  aiorch_status status = write_all(spool->aside_fd, spool->aside_at, bytes, len);
  spool->aside_at += len;
  return status;
}

aiorch_status aio__spool_set_aside(aio__spool *spool, const aio__spool_row *row, aiorch_error *error) {
  char whole[AIO__SPOOL_PATH_MAX + 1];
  aiorch_status status = AIORCH_OK;
  if (spool->aside_fd < 0) {
    status = begin_file(spool, "poison", &spool->aside_fd, spool->aside_name, error);
    if (status != AIORCH_OK) return status;
    spool->aside_at = AIO__SPOOL_FILE_HEAD;
  }
  errno = 0;
  status = aio__spool_record_write(row, put_aside, spool, error);
  if (status != AIORCH_OK && status != AIORCH_E_TOO_LARGE) {
    int code = errno;
    aio__spool_join(spool->path, spool->aside_name, whole);
    status = aio__spool_error(error, code, "write", whole);
  }
  if (status == AIORCH_OK) status = sync_file(spool, spool->aside_fd, spool->aside_name, error);
  if (status != AIORCH_OK) aio__spool_end_aside(spool); /* what stands before it in the file is whole */
  return status;
}

void aio__spool_end_aside(aio__spool *spool) {
  if (spool->aside_fd >= 0) close(spool->aside_fd);
  spool->aside_fd = -1;
}
