/* The folder of the spool and its files, read: see spool.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "stores/spool.h"

enum { WINDOW = 1 << 16, ID_LEN = AIO__UUID_LEN, NAME_LEAST = ID_LEN + 1 + AIO__SPOOL_STORE_LEN + 1 };

static const char *const endings[] = {"spool", "new", "poison", "damaged"};

/* ---- what both files share ------------------------------------------------------------------------------------------ */

bool aio__spool_lock(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int code;
  do code = fcntl(fd, F_OFD_SETLK, &lock);
  while (code != 0 && errno == EINTR);
  return code == 0;
}

void aio__spool_join(const char *path, const char *name, char out[AIO__SPOOL_PATH_MAX + 1]) {
  size_t a = strnlen(path, AIO__SPOOL_PATH_MAX), b = strnlen(name, AIO__SPOOL_PATH_MAX);
  if (a + 1 + b > AIO__SPOOL_PATH_MAX) a = b = 0; /* aio__spool_open has seen to it that names fit */
  memcpy(out, path, a);
  out[a] = '/';
  memcpy(out + a + 1, name, b);
  out[a + 1 + b] = '\0';
}

aiorch_status aio__spool_error(aiorch_error *error, int code, const char *what, const char *path) {
  aiorch_status status = AIORCH_E_STORE;
  if (code == ENOSPC || code == EDQUOT || code == EFBIG) status = AIORCH_E_STORE_FULL;
  if (code == EROFS || code == EACCES || code == EPERM) status = AIORCH_E_STORE_READ_ONLY;
  return aio__error_set(error, status, "the spool cannot %s %s: %s; spool.path sets another place", what, path,
                        strerror(code));
}

bool aio__spool_sync_folder(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  int code = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  errno = code;
  return code == 0 || code == EINVAL || code == ENOTSUP; /* file systems that know no such thing */
}

/* ---- the folder ----------------------------------------------------------------------------------------------------- */

static bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

static bool is_id(const char *name) {
  for (size_t i = 0; i < ID_LEN; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? name[i] != '-' : !is_hex(name[i])) return false;
  }
  return true;
}

static bool parse_name(const char *name, aio__spool_state *state) {
  if (strnlen(name, AIO__SPOOL_NAME_MAX + 1) > AIO__SPOOL_NAME_MAX || strlen(name) <= NAME_LEAST) return false;
  if (!is_id(name) || name[ID_LEN] != '.' || name[NAME_LEAST - 1] != '.') return false;
  for (size_t i = ID_LEN + 1; i < NAME_LEAST - 1; i++)
    if (!is_hex(name[i])) return false;
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    if (strcmp(name + NAME_LEAST, endings[i]) != 0) continue;
    *state = (aio__spool_state)i;
    return true;
  }
  return false;
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const aio__spool_file *)a)->name, ((const aio__spool_file *)b)->name);
}

static bool add_file(aio__spool_files *files, const char *name, aio__spool_state state, int64_t bytes) {
  if (files->n == files->cap) {
    size_t cap = files->cap > 0 ? files->cap * 2 : 16;
    aio__spool_file *more = aio__realloc(files->al, files->file, cap * sizeof *more);
    if (more == NULL) return false;
    files->file = more;
    files->cap = cap;
  }
  aio__spool_file *file = &files->file[files->n++];
  *file = (aio__spool_file){.state = state, .bytes = bytes};
  memcpy(file->name, name, strlen(name));
  return true;
}

/* The next file of a spool. */
static bool next_file(DIR *folder, const char **name, aio__spool_state *state, int64_t *bytes) {
  struct stat info;
  for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (!parse_name(entry->d_name, state)) continue;
    if (fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) continue;
    *name = entry->d_name;
    *bytes = (int64_t)info.st_size;
    return true;
  }
  return false;
}

aiorch_status aio__spool_list(const aio__alloc *al, const char *path, aio__spool_files *out, aiorch_error *error) {
  const char *name = NULL;
  aio__spool_state state = AIO__SPOOL_ROWS;
  int64_t bytes = 0;
  bool room = true;
  *out = (aio__spool_files){.al = al};
  DIR *folder = opendir(path);
  if (folder == NULL) return errno == ENOENT ? AIORCH_OK : aio__spool_error(error, errno, "read the folder", path);
  while (out->n < AIO__SPOOL_FILES_MAX && room && next_file(folder, &name, &state, &bytes))
    room = add_file(out, name, state, bytes);
  closedir(folder);
  if (!room) {
    aio__spool_files_free(out);
    return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for the list of the spool");
  }
  if (out->n > 1) qsort(out->file, out->n, sizeof *out->file, by_name);
  return AIORCH_OK;
}

void aio__spool_files_free(aio__spool_files *files) {
  aio__free(files->al, files->file);
  files->file = NULL;
  files->n = files->cap = 0;
}

int64_t aio__spool_usage(const char *path) {
  const char *name = NULL;
  aio__spool_state state = AIO__SPOOL_ROWS;
  int64_t bytes = 0, sum = 0;
  DIR *folder = opendir(path);
  if (folder == NULL) return 0;
  while (next_file(folder, &name, &state, &bytes)) sum += bytes;
  closedir(folder);
  return sum;
}

/* ---- one file ------------------------------------------------------------------------------------------------------- */

/* All of [at, at + n), or less at the end of the file; SIZE_MAX when reading failed. */
static size_t read_at(int fd, uint64_t at, char *to, size_t n) {
  size_t done = 0;
  while (done < n) {
    ssize_t got = pread(fd, to + done, n - done, (off_t)(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SIZE_MAX;
    if (got == 0) break;
    done += (size_t)got;
  }
  return done;
}

static uint64_t number_at(const char *p, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value |= (uint64_t)(unsigned char)p[i] << (8 * i);
  return value;
}

/* A head that is damaged is one damaged part of the file: the name says whose rows they are. */
static aiorch_status read_head(aio__spool_reader *r, aiorch_error *error) {
  char head[AIO__SPOOL_FILE_HEAD];
  size_t n = read_at(r->fd, 0, head, sizeof head);
  if (n == SIZE_MAX) return aio__spool_error(error, errno, "read", r->path);
  r->at = n;
  if (n < sizeof head) {
    r->torn = n;
    return AIORCH_OK;
  }
  uint32_t sum = (uint32_t)number_at(head + 12, 4);
  memset(head + 12, 0, 4);
  if (memcmp(head, "AIOSPOOL", 8) != 0 || aio__crc32c(0, head, sizeof head) != sum) {
    r->damaged = sizeof head;
    return AIORCH_OK;
  }
  if (number_at(head + 8, 4) > AIO__SPOOL_VERSION)
    return aio__error_set(error, AIORCH_E_STORE_NEWER, "%s was written by a newer libaiorch: use that one", r->path);
  r->created_ms = (int64_t)number_at(head + 16, 8);
  memcpy(r->store, head + 24, sizeof head - 24);
  r->store[sizeof head - 24] = '\0';
  return AIORCH_OK;
}

/* Looked at, and its lock taken; it may have been deleted or renamed by who had it before. */
static aiorch_status own_file(aio__spool_reader *r, bool own, aiorch_error *error) {
  struct stat info, named;
  if (own && !aio__spool_lock(r->fd)) return AIORCH_AGAIN;
  r->owned = own;
  if (fstat(r->fd, &info) != 0) return aio__spool_error(error, errno, "look at", r->path);
  if (!S_ISREG(info.st_mode)) return aio__error_set(error, AIORCH_E_STORE_CORRUPT, "%s is no file", r->path);
  if (own && (lstat(r->path, &named) != 0 || named.st_ino != info.st_ino || named.st_dev != info.st_dev))
    return AIORCH_AGAIN;
  r->size = (uint64_t)info.st_size;
  return AIORCH_OK;
}

aiorch_status aio__spool_reader_open(const aio__alloc *al, const char *path, const char *name, bool own,
                                     aio__spool_reader *out, aiorch_error *error) {
  memset(out, 0, sizeof *out);
  aio__spool_join(path, name, out->path);
  aio__buf_init(&out->window, al, AIO__SPOOL_RECORD_MAX + WINDOW);
  out->fd = open(out->path, (own ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (out->fd < 0) return errno == ENOENT ? AIORCH_AGAIN : aio__spool_error(error, errno, "open", out->path);
  aiorch_status status = own_file(out, own, error);
  if (status == AIORCH_OK) status = read_head(out, error);
  if (status != AIORCH_OK) aio__spool_reader_close(out);
  return status;
}

/* Makes [at, at + n) of the file stand in the window, as far as the file goes. */
static aiorch_status look(aio__spool_reader *r, size_t n, aiorch_error *error) {
  if (r->at >= r->window_at && r->at + n <= r->window_at + r->window.n) return AIORCH_OK;
  size_t want = n > WINDOW ? n : WINDOW;
  if (r->at + want > r->size) want = (size_t)(r->size - r->at);
  aio__buf_reset(&r->window);
  if (aio__buf_reserve(&r->window, want) != AIORCH_OK)
    return aio__error_set(error, AIORCH_E_NOMEM, "out of memory to read %s", r->path);
  size_t got = read_at(r->fd, r->at, r->window.p, want);
  if (got == SIZE_MAX) return aio__spool_error(error, errno, "read", r->path);
  r->window.n = got;
  r->window_at = r->at;
  return AIORCH_OK;
}

static size_t in_window(const aio__spool_reader *r) { return (size_t)(r->window_at + r->window.n - r->at); }
static const char *here(const aio__spool_reader *r) { return r->window.p + (r->at - r->window_at); }

/* The end of the file: what no record covers is a record that was being written, unless it is no beginning of one. */
static aiorch_status at_end(aio__spool_reader *r, uint64_t bad_from, bool torn) {
  uint64_t left = r->size - bad_from;
  r->at = r->size;
  if (torn)
    r->torn += left;
  else
    r->damaged += left;
  return AIORCH_DONE;
}

/* What a system that lost its power may leave of a file that grew: a length without its bytes. */
static bool is_blank(const aio__spool_reader *r, uint64_t from) {
  char part[4096];
  while (from < r->size) {
    size_t want = r->size - from < sizeof part ? (size_t)(r->size - from) : sizeof part;
    size_t n = read_at(r->fd, from, part, want);
    if (n == SIZE_MAX || n == 0) return false;
    for (size_t i = 0; i < n; i++)
      if (part[i] != '\0') return false;
    from += n;
  }
  return true;
}

/* From a place where no record begins to the next where one may. */
static void skip(aio__spool_reader *r) {
  const char *from = here(r) + 1;
  size_t n = in_window(r) - 1;
  const char *next = n > 0 ? memchr(from, 'A', n) : NULL;
  r->at += next != NULL ? (size_t)(next - here(r)) : in_window(r);
}

aiorch_status aio__spool_reader_next(aio__spool_reader *r, aio__str *record, aiorch_error *error) {
  aio__spool_head head;
  uint64_t bad_from = r->at;
  while (r->at < r->size) {
    aiorch_status status = look(r, AIO__SPOOL_HEAD, error);
    if (status != AIORCH_OK) return status;
    if (in_window(r) < AIO__SPOOL_HEAD) return at_end(r, bad_from, bad_from == r->at);
    if (!aio__spool_head_read(here(r), &head)) {
      skip(r);
      continue;
    }
    uint64_t whole = AIO__SPOOL_HEAD + (uint64_t)head.length;
    if (r->at + whole > r->size) return at_end(r, bad_from, bad_from == r->at);
    status = look(r, (size_t)whole, error);
    if (status != AIORCH_OK) return status;
    if (in_window(r) < whole) return at_end(r, bad_from, bad_from == r->at); /* it has become shorter */
    r->damaged += r->at - bad_from;
    *record = aio__str_n(here(r), (size_t)whole);
    r->at += whole;
    if (aio__spool_record_is_whole(*record)) {
      r->records++;
      return AIORCH_OK;
    }
    r->damaged += whole;
    bad_from = r->at;
  }
  return bad_from < r->size ? at_end(r, bad_from, is_blank(r, bad_from)) : AIORCH_DONE;
}

void aio__spool_reader_close(aio__spool_reader *r) {
  if (r->fd >= 0) close(r->fd);
  r->fd = -1;
  aio__buf_free(&r->window);
}

aiorch_status aio__spool_reader_finish(aio__spool_reader *r, aiorch_error *error) {
  char kept[AIO__SPOOL_PATH_MAX + 1];
  aiorch_status status = AIORCH_OK;
  size_t n = strlen(r->path);
  char *dot = strrchr(r->path, '.');
  size_t stem = (size_t)(dot - r->path) + 1;
  if (r->damaged > 0 && stem + sizeof "damaged" <= sizeof kept && n <= AIO__SPOOL_PATH_MAX) {
    memcpy(kept, r->path, stem);
    memcpy(kept + stem, "damaged", sizeof "damaged");
    if (rename(r->path, kept) != 0) status = aio__spool_error(error, errno, "rename", r->path);
  } else if (unlink(r->path) != 0 && errno != ENOENT) {
    status = aio__spool_error(error, errno, "delete", r->path);
  }
  aio__spool_reader_close(r);
  return status;
}

bool aio__spool_is_left(const char *path, const char *name) {
  char whole[AIO__SPOOL_PATH_MAX + 1];
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  aio__spool_join(path, name, whole);
  int fd = open(whole, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return false;
  bool left = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
  close(fd);
  return left;
}
