/*
 * What the transport watches: limits of time, and sockets. libcurl stops watching a connection after each exchange and starts again with the next: of connections
 * that it has opened and will close through here, the watch stays meanwhile, which saves three calls of the system an exchange.
 */
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_private.h"

/* A byte a descriptor: whether it was opened here, whether nobody asks for it now, and what it is watched for. OTHERS: libcurl has opened it
 * by itself, and it is watched. 0: nothing of this transport is watched by that number. So epoll is never asked to forget what is not
 * ours: the number of a socket that was closed may be anybody's in this process by now. */
enum { OURS = 0x80, UNASKED = 0x40, OTHERS = 0x20, EVENTS = EPOLLIN | EPOLLOUT, STEP = 1024 };

enum { SEND_LOOK_MS = 100 }; /* how often is looked at whether a large request has gone out */

void aio__http_settle_later(aio__http *h) {
  if (h->settles) return;
  h->settles = true;
  aio__io_after(h->io, &h->settle_task);
}

void aio__http_changed(aio__exchange *e) {
  if (e->changed) return;
  e->changed = true;
  e->next_changed = e->http->changed;
  e->http->changed = e;
}

void aio__http_arm(aio__exchange *e) {
  int64_t at = aio__exchange_due(e);
  if (e->phase == AIO__EXCHANGE_SENDING) {
    int64_t look = aio__clock_now(e->clock) + (int64_t)SEND_LOOK_MS * 1000000;
    if (look < at) at = look;
  }
  aio__io_timer_set(e->http->io, &e->timer, at);
}

static unsigned char *watch_of(aio__http *h, int fd) {
  if (fd < 0 || (size_t)fd >= h->watched_n || !(h->watched[fd] & OURS)) return NULL;
  return &h->watched[fd];
}

/* False without memory. */
static bool has_room(aio__http *h, int fd) {
  if (fd < 0 || (size_t)fd < h->watched_n) return fd >= 0;
  size_t n = ((size_t)fd / STEP + 1) * STEP;
  unsigned char *more = aio__realloc(h->al, h->watched, n);
  if (!more) return false;
  memset(more + h->watched_n, 0, n - h->watched_n);
  h->watched = more;
  h->watched_n = n;
  return true;
}

int aio__http_open_socket(aio__http *h, int family, int type, int protocol) {
  int fd = socket(family, type | SOCK_CLOEXEC, protocol);
  if (fd < 0) return -1;
  if (has_room(h, fd)) h->watched[fd] = OURS; /* else it is watched just as libcurl says */
  return fd;
}

int aio__http_close_socket(aio__http *h, int fd) {
  unsigned char *watch = watch_of(h, fd);
  if (watch) *watch = 0;
  return close(fd);
}

int aio__http_watch(aio__http *h, int fd, unsigned events) {
  bool known = has_room(h, fd);
  unsigned char *watch = watch_of(h, fd);
  if (known && events == 0 && h->watched[fd] == 0) return 0; /* libcurl may stop watching what it has closed */
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
  else if (code == 0 && known) h->watched[fd] = events ? OTHERS : 0;
  return code;
}

bool aio__http_unasked(aio__http *h, int fd) {
  unsigned char *watch = watch_of(h, fd);
  if (!watch || !(*watch & UNASKED)) return false;
  aio__io_watch(h->io, h->source, fd, 0);
  *watch = OURS;
  return true;
}
