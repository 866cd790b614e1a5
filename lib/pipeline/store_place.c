/* See store_place.h. */
#include "pipeline/store_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes the folders above the last part of the path. */
static aiorch_status make_parents(const char *path, const char *key, aiorch_error *error) {
  char part[AIO__STORE_PLACE_MAX + 1];
  for (size_t i = 1; path[i]; i++) {
    if (path[i] != '/') continue;
    memcpy(part, path, i);
    part[i] = '\0';
    if (mkdir(part, 0700) != 0 && errno != EEXIST) {
      return aio__error_set(error, AIORCH_E_STORE, "cannot make the folder %s: %s; \"%s\" sets another place", part,
                            strerror(errno), key);
    }
  }
  return AIORCH_OK;
}

/* `setting` as it is, or the folder `name` where data of this user goes. */
static aiorch_status find_place(const char *setting, const char *key, const char *name, aio__buf *out,
                                aiorch_error *error) {
  if (setting[0] != '\0') {
    if (aio__buf_z(out, setting) == AIORCH_E_NOMEM) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory");
    return out->failed ? aio__error_set(error, AIORCH_E_CONFIG_RANGE, "%s: the path is too long", key) : AIORCH_OK;
  }
  const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
  bool use_data = data && data[0] == '/';
  if (!use_data && (!home || home[0] != '/')) {
    return aio__error_set(error, AIORCH_E_CONFIG,
                          "%s is not set and neither XDG_DATA_HOME nor HOME says where data goes", key);
  }
  aio__buf_z(out, use_data ? data : home);
  aio__buf_z(out, use_data ? "/" : "/.local/share/");
  if (aio__buf_z(out, name) != AIORCH_OK) {
    return aio__error_set(error, out->failed, "%s: the default path is too long", key);
  }
  return make_parents(aio__buf_cstr(out), key, error);
}

aiorch_status aio__store_place(const char *setting, aio__buf *out, aiorch_error *error) {
  return find_place(setting, "store", "aiorch", out, error);
}

aiorch_status aio__spool_place(const char *setting, aio__buf *out, aiorch_error *error) {
  return find_place(setting, "spool.path", "aiorch-spool", out, error);
}

static aiorch_status read_all(int fd, const char *path, aio__buf *out, const char *setting, aiorch_error *error) {
  char part[16384];
  for (;;) {
    ssize_t n = read(fd, part, sizeof part);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return aio__error_set(error, AIORCH_E_SYSTEM, "%s: cannot read %s: %s", setting, path, strerror(errno));
    if (n == 0) return AIORCH_OK;
    aiorch_status st = aio__buf_add(out, part, (size_t)n);
    if (st) {
      return aio__error_set(error, st, "%s: %s is larger than %zu bytes, or memory ran out", setting, path, out->max);
    }
  }
}

aiorch_status aio__read_file(const char *path, aio__buf *out, const char *setting, aiorch_error *error) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return aio__error_set(error, errno == ENOENT ? AIORCH_E_NOT_FOUND : AIORCH_E_SYSTEM, "%s: cannot open %s: %s",
                          setting, path, strerror(errno));
  }
  aiorch_status st = read_all(fd, path, out, setting, error);
  close(fd);
  return st;
}
