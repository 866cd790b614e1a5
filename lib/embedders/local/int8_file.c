/*
 * The file in which int8 weights are kept beside the model, so that they are made once: a header of 256 bytes and the block
 * of bert_weights.c as it lies in memory. Numbers are little-endian; a processor of the other kind makes its own in memory.
 *
 * It is written under another name and renamed, and checked against a check sum when it is read: what is damaged or of
 * another version is made anew. Whether model.safetensors is still the file that it was made of is told by size, times and
 * inode, and if in doubt by the digest of all weights.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "embedders/local/bert_private.h"

enum { HEADER_BYTES = 256, PATH_ROOM = 4096, WRITE_AT_ONCE = 1 << 20 };

static const char NAME[] = "model.aiorch-int8";
static const char MAGIC[8] = {'a', 'i', 'o', 'r', 'c', 'h', 'Q', '8'};

/* Where in the header what stands. */
enum {
  AT_MAGIC = 0,
  AT_SCHEME = 8,
  AT_BODY_SUM = 16,
  AT_BODY_BYTES = 24,
  AT_SIZE = 32,
  AT_INODE = 40,
  AT_MODIFIED = 48,
  AT_CHANGED = 56,
  AT_SHAPE = 64,
  AT_DIGEST = 96,
  AT_HEADER_SUM = 248
};

static void put_u64(uint8_t *at, uint64_t value) {
  for (int i = 0; i < 8; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_u64(const uint8_t *at) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value |= (uint64_t)at[i] << (8 * i);
  return value;
}

static bool little_endian(void) {
  const uint16_t one = 1;
  return *(const uint8_t *)&one == 1;
}

/* All that the places in the block depend on. */
static void shape_digest(const aio__bert *b, uint8_t out[AIO__SHA256_SIZE]) {
  aio__sha256 hash;
  aio__sha256_init(&hash);
  aio__model_config_digest(&b->config, &hash);
  aio__sha256_u64(&hash, b->config.positions);
  aio__sha256_u64(&hash, b->config.types);
  aio__sha256_end(&hash, out);
}

static void make_header(const aio__bert *b, const aio__file_stamp *source, uint8_t header[HEADER_BYTES]) {
  memset(header, 0, HEADER_BYTES);
  memcpy(header + AT_MAGIC, MAGIC, sizeof MAGIC);
  put_u64(header + AT_SCHEME, AIO__BERT_SCHEME);
  put_u64(header + AT_BODY_SUM, aio__crc32c(0, b->block, b->bytes));
  put_u64(header + AT_BODY_BYTES, b->bytes);
  put_u64(header + AT_SIZE, source->size);
  put_u64(header + AT_INODE, source->inode);
  put_u64(header + AT_MODIFIED, (uint64_t)source->modified_ns);
  put_u64(header + AT_CHANGED, (uint64_t)source->changed_ns);
  shape_digest(b, header + AT_SHAPE);
  memcpy(header + AT_DIGEST, b->digest, AIO__SHA256_SIZE);
  put_u64(header + AT_HEADER_SUM, aio__crc32c(0, header, AT_HEADER_SUM));
}

/* ---- reading ---- */

static bool read_all(int fd, void *out, size_t len) {
  for (size_t done = 0; done < len;) {
    ssize_t n = read(fd, (char *)out + done, len - done);
    if (n > 0) done += (size_t)n;
    else if (n == 0 || errno != EINTR) return false;
  }
  return true;
}

static bool header_fits(const aio__bert *b, const uint8_t header[HEADER_BYTES]) {
  uint8_t shape[AIO__SHA256_SIZE];
  shape_digest(b, shape);
  return memcmp(header + AT_MAGIC, MAGIC, sizeof MAGIC) == 0 &&
         get_u64(header + AT_HEADER_SUM) == aio__crc32c(0, header, AT_HEADER_SUM) &&
         get_u64(header + AT_SCHEME) == AIO__BERT_SCHEME && get_u64(header + AT_BODY_BYTES) == b->bytes &&
         memcmp(header + AT_SHAPE, shape, sizeof shape) == 0;
}

static bool same_source(const uint8_t header[HEADER_BYTES], const aio__file_stamp *source) {
  return get_u64(header + AT_SIZE) == source->size && get_u64(header + AT_INODE) == source->inode &&
         get_u64(header + AT_MODIFIED) == (uint64_t)source->modified_ns &&
         get_u64(header + AT_CHANGED) == (uint64_t)source->changed_ns;
}

static aio__int8_state read_open(aio__bert *b, int fd, const aio__file_stamp *source) {
  uint8_t header[HEADER_BYTES];
  struct stat st;
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != HEADER_BYTES + (uint64_t)b->bytes)
    return AIO__INT8_USELESS;
  if (!read_all(fd, header, sizeof header) || !header_fits(b, header)) return AIO__INT8_USELESS;
  if (!read_all(fd, b->block, b->bytes)) return AIO__INT8_USELESS;
  if (aio__crc32c(0, b->block, b->bytes) != get_u64(header + AT_BODY_SUM)) return AIO__INT8_USELESS;
  memcpy(b->digest, header + AT_DIGEST, sizeof b->digest);
  return same_source(header, source) ? AIO__INT8_FRESH : AIO__INT8_DOUBT;
}

aio__int8_state aio__int8_read(aio__bert *bert, const char *folder, const aio__file_stamp *source) {
  char path[PATH_ROOM];
  if (!little_endian() || snprintf(path, sizeof path, "%s/%s", folder, NAME) >= (int)sizeof path)
    return AIO__INT8_USELESS;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return AIO__INT8_USELESS;
  aio__int8_state state = read_open(bert, fd, source);
  (void)close(fd);
  return state;
}

/* ---- writing ---- */

static bool write_all(int fd, const void *bytes, size_t len) {
  for (size_t done = 0; done < len;) {
    size_t step = len - done < WRITE_AT_ONCE ? len - done : WRITE_AT_ONCE;
    ssize_t n = write(fd, (const char *)bytes + done, step);
    if (n > 0) done += (size_t)n;
    else if (n == 0 || errno != EINTR) return false;
  }
  return true;
}

/* Whether `fd` is what `path` leads to: the file may have been renamed between its opening and its lock. */
static bool still_named(int fd, const char *path) {
  struct stat mine, there;
  return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
         mine.st_dev == there.st_dev && S_ISREG(mine.st_mode);
}

static const char *write_locked(const aio__bert *b, int fd, const char *part, const char *path,
                                const aio__file_stamp *source) {
  uint8_t header[HEADER_BYTES];
  if (!still_named(fd, part)) return "another process wrote it just now";
  make_header(b, source, header);
  if (ftruncate(fd, 0) == 0 && write_all(fd, header, sizeof header) && write_all(fd, b->block, b->bytes) &&
      rename(part, path) == 0)
    return NULL;
  const char *why = errno == ENOSPC || errno == EDQUOT ? "no room on the disk" : "writing failed";
  (void)unlink(part);
  return why;
}

const char *aio__int8_write(const aio__bert *bert, const char *folder, const aio__file_stamp *source) {
  char path[PATH_ROOM], part[PATH_ROOM];
  if (!little_endian()) return "big-endian processor";
  (void)snprintf(path, sizeof path, "%s/%s", folder, NAME);
  if (snprintf(part, sizeof part, "%s/%s.part", folder, NAME) >= (int)sizeof part) return "path too long";
  /* One name for all, locked, so that what a killed process left is taken over, not left for good. */
  int fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
  if (fd < 0) return errno == EROFS || errno == EACCES || errno == EPERM ? "the folder is not writable" : "cannot be made";
  const char *why = flock(fd, LOCK_EX | LOCK_NB) == 0 ? write_locked(bert, fd, part, path, source)
                                                      : "another process is writing it";
  (void)close(fd);
  return why;
}
