/*
 * What the transport watches. libcurl stops watching a connection after each exchange and starts again with the next: of connections
 * that it has opened and will close through here, the watch stays meanwhile, which saves three calls of the system an exchange.
 */
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_private.h"

/* A byte a descriptor: whether it was opened here, whether nobody asks for it now, and what it is watched for. OTHERS: libcurl may have
 * opened it by itself. 0: it was closed here, so that epoll has forgotten it. */
enum { OURS = 0x80, UNASKED = 0x40, OTHERS = 0x20, EVENTS = EPOLLIN | EPOLLOUT, STEP = 1024 };

static unsigned char *watch_of(aio__http *h, int fd) {
  if (fd < 0 || (size_t)fd >= h->watched_n || !(h->watched[fd] & OURS)) return NULL;
  return &h->watched[fd];
}

int aio__http_open_socket(aio__http *h, int family, int type, int protocol) {
  int fd = socket(family, type | SOCK_CLOEXEC, protocol);
  if (fd < 0) return -1;
  if ((size_t)fd >= h->watched_n) {
    size_t n = ((size_t)fd / STEP + 1) * STEP;
    unsigned char *more = aio__realloc(h->al, h->watched, n);
    if (!more) return fd; /* it is watched just as libcurl says */
    memset(more + h->watched_n, OTHERS, n - h->watched_n);
    h->watched = more;
    h->watched_n = n;
  }
  h->watched[fd] = OURS;
  return fd;
}

int aio__http_close_socket(aio__http *h, int fd) {
  unsigned char *watch = watch_of(h, fd);
  if (watch) *watch = 0;
  return close(fd);
}

int aio__http_watch(aio__http *h, int fd, unsigned events) {
  unsigned char *watch = watch_of(h, fd);
  bool known = fd >= 0 && (size_t)fd < h->watched_n;
  /* libcurl stops watching sockets that it has closed, too: the number may be anybody's in this process by now. */
  if (known && events == 0 && h->watched[fd] == 0) return 0;
  if (watch && events == 0 && (*watch & EVENTS) == EPOLLIN) {
    *watch |= UNASKED;
    return 0;
  }
  if (watch && events == (*watch & EVENTS)) {
    *watch &= (unsigned char)~UNASKED;
    return 0;
  }
  int code = aio__io_watch(h->io, h->source, fd, events);
  if (code == 0 && watch) *watch = (unsigned char)(OURS | events);
  else if (code == 0 && known) h->watched[fd] = OTHERS;
  return code;
}

bool aio__http_unasked(aio__http *h, int fd) {
  unsigned char *watch = watch_of(h, fd);
  if (!watch || !(*watch & UNASKED)) return false;
  aio__io_watch(h->io, h->source, fd, 0);
  *watch = OURS;
  return true;
}
