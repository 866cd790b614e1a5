/*
 * A model's file from a folder on this machine.
 */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 1 << 18 };

static int write_all(int fd, const char *data, size_t len) {
  while (len > 0) {
    ssize_t written = write(fd, data, len);
    if (written < 0 && errno == EINTR && !cli_interrupted()) continue;
    if (written < 0) return errno;
    data += written;
    len -= (size_t)written;
  }
  return 0;
}

static source_result copy(source_request *r, int from, int to) {
  char *buffer = cli_alloc(COPY_BYTES);
  source_result result = SOURCE_OK;
  uint64_t done = 0;
  ssize_t got;
  int error = 0;
  while (result == SOURCE_OK && (got = read(from, buffer, COPY_BYTES)) != 0) {
    if (got > 0 && (error = write_all(to, buffer, (size_t)got)) == 0) done += (uint64_t)got;
    if (cli_interrupted()) {
      result = SOURCE_INTERRUPTED;
    } else if (got < 0 || error) {
      cli_addf(r->why, "%s: %s", got < 0 ? "it cannot be read" : r->part, strerror(got < 0 ? errno : error));
      result = SOURCE_DISK;
    }
    r->progress(r->context, done);
  }
  free(buffer);
  return result;
}

source_result model_copy(source_request *r, const char *folder) {
  char *path = model_path(folder, r->file->name);
  source_result result = SOURCE_DISK;
  struct stat st;
  int to = -1, from = open(path, O_RDONLY | O_CLOEXEC);
  if (from < 0) {
    result = errno == ENOENT ? SOURCE_NO_FILE : SOURCE_DISK;
    cli_addf(r->why, "%s: %s", path, strerror(errno));
  } else if (fstat(from, &st) == 0 && r->file->bytes && (uint64_t)st.st_size != r->file->bytes) {
    result = SOURCE_WRONG;
    cli_addf(r->why, "%s has %llu bytes, not %llu", path, (unsigned long long)st.st_size,
             (unsigned long long)r->file->bytes);
  } else if ((to = open(r->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0) {
    cli_addf(r->why, "%s: %s", r->part, strerror(errno));
  } else {
    result = copy(r, from, to);
  }
  if (from >= 0) close(from);
  if (to >= 0 && close(to) != 0 && result == SOURCE_OK) {
    cli_addf(r->why, "%s: %s", r->part, strerror(errno));
    result = SOURCE_DISK;
  }
  free(path);
  return result;
}
