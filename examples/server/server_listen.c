/*
 * Where the server listens: sockets of its own, or those that a service manager has opened (LISTEN_FDS of sd_listen_fds(3)); and the
 * manager's other wish, to be told how things are (sd_notify(3)). Both are a variable and a descriptor: no library is needed for them.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTEN_MAX = 16, FIRST_FD = 3, BACKLOG = 4096, ACCEPT_ROUND = 64, WATCHDOG_PARTS = 3, PORT_DIGITS = 5, PORT_MAX = 65535, NOT_SENT_MAX = 128 << 10 };

#define WATCHDOG_US_MAX 86400000000 /* a day */

typedef struct listener {
  loop_watch watch; /* first */
  struct listeners *all;
  int fd;
  bool given;
} listener;

struct listeners {
  server *server;
  listener at[LISTEN_MAX];
  size_t count;
  int spare; /* a descriptor to let go of when there is none left, for one that would else come again and again */
  bool stopped;
};

static int open_spare(void) { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

/* Takes what waits and closes it. False: nothing could be taken. */
static bool turn_away(listener *l) {
  if (l->all->spare >= 0) close(l->all->spare);
  int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) close(fd);
  l->all->spare = open_spare();
  return fd >= 0;
}

static void on_connection(loop_watch *watch, uint32_t events) {
  listener *l = (listener *)watch;
  server *s = l->all->server;
  struct sockaddr_storage address;
  (void)events;
  for (int i = 0; i < ACCEPT_ROUND && !l->all->stopped; i++) { /* level-triggered: what is left comes again */
    socklen_t len = sizeof address;
    int fd = accept4(l->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0 && (errno == EMFILE || errno == ENFILE) && turn_away(l)) continue;
    if (fd < 0) return;
    http_front_take(s->front, fd, &address, len, s->now_ms);
  }
}

/* Connections have it from the socket that they come from. The system would keep megabytes for a client that does not read. */
static void set_connection_options(int fd) {
  int yes = 1, most = NOT_SENT_MAX;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
}

static bool add_listener(struct listeners *l, int fd, bool given) {
  set_connection_options(fd);
  listener *one = &l->at[l->count];
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
  *one = (listener){{on_connection}, l, fd, given};
  if (epoll_ctl(l->server->epoll, EPOLL_CTL_ADD, fd, &event) != 0) return false;
  l->count++;
  return true;
}

static bool add_given(struct listeners *l, int count, char why[256]) {
  for (int fd = FIRST_FD; fd < FIRST_FD + count; fd++) {
    int listening = 0;
    socklen_t len = sizeof listening;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening || !add_listener(l, fd, true)) {
      snprintf(why, 256, "descriptor %d of LISTEN_FDS is no socket that listens", fd);
      return false;
    }
  }
  return true;
}

static int open_socket(const struct addrinfo *a) {
  int one = 1, fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (a->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static const char *advice(int error) {
  switch (error) {
    case EADDRINUSE: return "; another program has it: end that one, or choose another port (--listen)";
    case EADDRNOTAVAIL: return "; this machine has no such address: take one of its own, or 0.0.0.0 for all";
    case EACCES: return "; ports below 1024 are the system's: choose a higher one, or have systemd open it";
    default: return "";
  }
}

/* getaddrinfo takes 99999, too, and makes another port of it. */
static bool is_port(const char *text) {
  size_t digits = strspn(text, "0123456789");
  return digits > 0 && digits <= PORT_DIGITS && !text[digits] && strtol(text, NULL, 10) <= PORT_MAX;
}

/* "host:port", "[::1]:port" */
static bool add_address(struct listeners *l, const char *text, size_t len, char why[256]) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
  char *word = cli_copy(text, len), *colon = strrchr(word, ':'), *host = word;
  bool good = colon != NULL && is_port(colon + 1);
  if (good) {
    *colon = '\0';
    size_t n = strlen(host);
    if (*host == '[' && n > 1 && host[n - 1] == ']') {
      host[n - 1] = '\0';
      host++;
    }
  }
  int error = good ? getaddrinfo(*host ? host : NULL, colon + 1, &hints, &found) : EAI_NONAME;
  int fd = error == 0 ? open_socket(found) : -1;
  if (!good) snprintf(why, 256, "server.listen: '%.100s' is no address and port, as 127.0.0.1:8484", word);
  else if (error) snprintf(why, 256, "server.listen: %.100s: %s", host, gai_strerror(error));
  else if (fd < 0) snprintf(why, 256, "server.listen: cannot listen on %.60s, port %.8s: %s%s", host, colon + 1, strerror(errno), advice(errno));
  good = fd >= 0 && add_listener(l, fd, false);
  if (found) freeaddrinfo(found);
  free(word);
  return good;
}

static bool add_all(struct listeners *l, const char *addresses, char why[256]) {
  for (const char *at = addresses; *at;) {
    size_t len = strcspn(at, ", ");
    if (l->count == LISTEN_MAX) {
      snprintf(why, 256, "server.listen: more than %d addresses", LISTEN_MAX);
      return false;
    }
    if (len > 0 && !add_address(l, at, len, why)) return false;
    at += len + strspn(at + len, ", ");
  }
  if (l->count == 0) snprintf(why, 256, "server.listen names no address");
  return l->count > 0;
}

struct listeners *listeners_new(server *s, const char *addresses, char why[256]) {
  struct listeners *l = cli_alloc(sizeof *l);
  const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
  long given = count && pid && strtol(pid, NULL, 10) == (long)getpid() ? strtol(count, NULL, 10) : 0;
  l->server = s;
  l->spare = open_spare();
  if (given > LISTEN_MAX) given = LISTEN_MAX;
  if (given > 0 ? add_given(l, (int)given, why) : add_all(l, addresses, why)) return l;
  listeners_free(l);
  return NULL;
}

void listeners_describe(const struct listeners *l, cli_bytes *out) {
  for (size_t i = 0; i < l->count; i++) {
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char host[64] = "?", port[16] = "?";
    if (getsockname(l->at[i].fd, (struct sockaddr *)&address, &len) == 0) {
      getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    }
    cli_addf(out, strchr(host, ':') ? "%s%s://[%s]:%s%s" : "%s%s://%s:%s%s", i ? ", " : "", *l->server->handle->settings.tls_certificate ? "https" : "http",
             host, port, l->at[i].given ? " (given by the service manager)" : "");
  }
}

/* Sockets that were given stay open in the manager's hands: it starts the next one on them. */
void listeners_stop(struct listeners *l) {
  for (size_t i = 0; i < l->count && !l->stopped; i++) {
    epoll_ctl(l->server->epoll, EPOLL_CTL_DEL, l->at[i].fd, NULL);
    close(l->at[i].fd);
  }
  l->stopped = true;
}

void listeners_free(struct listeners *l) {
  if (!l) return;
  listeners_stop(l);
  if (l->spare >= 0) close(l->spare);
  free(l);
}

bool listeners_given(const struct listeners *l) { return l->count > 0 && l->at[0].given; }

void notify_manager(const char *format, ...) {
  const char *path = getenv("NOTIFY_SOCKET");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  cli_bytes text = {0};
  va_list args;
  if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof address.sun_path) return;
  memcpy(address.sun_path, path, strlen(path));
  if (*path == '@') address.sun_path[0] = '\0';
  va_start(args, format);
  cli_addv(&text, format, args);
  va_end(args);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) {
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    (void)!sendto(fd, text.data, text.len, MSG_NOSIGNAL, (struct sockaddr *)&address, len);
    close(fd);
  }
  cli_release(&text);
}

/* A third of the time that the manager allows; 0: it does not ask. */
int64_t watchdog_ms(void) {
  const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
  long long asked = us && (!pid || strtol(pid, NULL, 10) == (long)getpid()) ? strtoll(us, NULL, 10) : 0;
  return asked > 0 && asked < WATCHDOG_US_MAX ? asked / WATCHDOG_PARTS / 1000 + 1 : 0;
}
