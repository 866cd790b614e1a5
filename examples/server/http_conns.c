/*
 * Connections: how many, from where, and how long each may take for what it does. HTTP's library waits for ever; here each phase has its
 * time, and a connection whose time is up is shut: the library then finds it closed.
 */
#include "http_front_private.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TICK_MS = 250, LINGER_MS = 2000, ADDRESS_BUCKETS = 4096 };

/* ---- addresses ---- */

typedef struct address_entry {
  struct address_entry *next;
  int64_t count;
  char address[HTTP_ADDRESS_MAX];
} address_entry;

struct address_count {
  address_entry *buckets[ADDRESS_BUCKETS];
};

static address_entry **find_address(http_front *front, const char *address) {
  uint32_t hash = 2166136261u;
  for (const char *s = address; *s; s++) hash = (hash ^ (unsigned char)*s) * 16777619u;
  address_entry **at = &front->addresses->buckets[hash % ADDRESS_BUCKETS];
  while (*at && strcmp((*at)->address, address) != 0) at = &(*at)->next;
  return at;
}

bool address_enter(http_front *front, const char *address) {
  if (!front->addresses) front->addresses = cli_alloc(sizeof *front->addresses);
  address_entry **at = find_address(front, address);
  if (!*at) {
    *at = cli_alloc(sizeof **at);
    snprintf((*at)->address, sizeof (*at)->address, "%s", address);
  }
  int64_t most = front->limits.connections_per_address; /* counted without a limit, too: there may be one after the next SIGHUP */
  if (most > 0 && (*at)->count >= most) return false;
  (*at)->count++;
  return true;
}

void address_leave(http_front *front, const char *address) {
  if (!front->addresses) return;
  address_entry **at = find_address(front, address), *entry = *at;
  if (!entry || --entry->count > 0) return;
  *at = entry->next;
  free(entry);
}

void addresses_free(http_front *front) { free(front->addresses); }

/* ---- connections ---- */

void conn_gone(http_conn *conn) {
  call_state *s = conn->call;
  if (!s || s->gone) return;
  s->gone = true;
  s->front->counts.gone++;
  if (s->told_host && !(s->answer == ANSWER_WHOLE || s->ended)) s->front->host.gone(s->front->host.context, &s->call);
}

static void leave_list(http_conn *conn) {
  *conn->place = conn->next;
  if (conn->next) conn->next->place = conn->place;
}

/* In front of all: who has sent something last comes first. */
static void join_list(http_conn *conn) {
  http_front *front = conn->front;
  conn->next = front->first;
  conn->place = &front->first;
  if (front->first) front->first->place = &conn->next;
  front->first = conn;
}

void conn_head_begins(http_conn *conn) {
  if (conn->phase != CONN_IDLE) return;
  conn_phase_set(conn, CONN_HEAD);
  leave_list(conn);
  join_list(conn);
}

/* The first byte of a request, the end of what the client sends, or the end of the client. */
static void conn_ready(loop_watch *watch, uint32_t events) {
  http_conn *conn = (http_conn *)watch;
  if (events & EPOLLRDHUP) conn->half_closed = true;
  if (!conn->mhd || conn->held) {
    first_ready(conn, events);
    return;
  }
  if (events & EPOLLIN) conn_head_begins(conn);
  bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (conn->phase == CONN_CALL && (broken || (conn->half_closed && !conn->front->limits.half_closed))) conn_gone(conn);
}

http_conn *conn_new(http_front *front, int fd, const void *address, size_t address_len) {
  http_conn *conn = cli_alloc(sizeof *conn);
  conn->watch.ready = conn_ready;
  conn->front = front;
  conn->fd = fd;
  conn->from_len = address_len < sizeof conn->from ? address_len : sizeof conn->from;
  memcpy(&conn->from, address, conn->from_len);
  http_address_text(address, conn->address);
  join_list(conn);
  conn_phase_set(conn, front->daemon->tls ? CONN_HEAD : CONN_IDLE); /* a handshake has the time of a head */
  /* Told at each change alone, and for as long as the connection lives: no call costs a system call for it. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = conn};
  epoll_ctl(front->epoll, EPOLL_CTL_ADD, fd, &event);
  front->counts.connections++;
  return conn;
}

void conn_free(http_conn *conn) {
  page_forget(conn);
  leave_list(conn);
  epoll_ctl(conn->front->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
  if (conn->turned_away) {
    conn->front->turned_away--;
  } else {
    address_leave(conn->front, conn->address);
    conn->front->counts.connections--;
  }
  if (conn->daemon) conn->daemon->connections--;
  free(conn);
}

void conn_phase_set(http_conn *conn, conn_phase phase) {
  conn->phase = phase;
  conn->since_ms = conn->front->now_ms;
}

void conn_shut(http_conn *conn) {
  if (!conn->mhd) {
    first_close(conn);
    return;
  }
  if (!conn->shut) shutdown(conn->fd, SHUT_RDWR);
  conn->shut = true;
  conn_let_go(conn);
}

static void time_is_up(http_conn *conn, uint64_t *count) {
  ++*count;
  conn_gone(conn);
  conn_shut(conn);
}

/* An answer that is on its way: its client must take something of it now and then. */
static void tick_answer(http_conn *conn, int64_t now) {
  call_state *s = conn->call;
  int queued = 0;
  if (!s || s->answer == ANSWER_NONE) {
    conn->since_ms = now;
    return;
  }
  if (ioctl(conn->fd, SIOCOUTQ, &queued) != 0 || queued == 0 || queued != conn->queued) {
    conn->queued = queued;
    conn->since_ms = now;
  } else if (now - conn->since_ms > conn->front->limits.write_timeout_ms) {
    time_is_up(conn, &conn->front->counts.timeouts_write);
  }
}

/* So many bytes a second after a time of grace. */
static bool body_is_slow(const http_conn *conn, int64_t now) {
  const http_limits *limits = &conn->front->limits;
  int64_t over = now - conn->since_ms - limits->body_timeout_ms;
  return over > 0 && (conn->call == NULL || (int64_t)conn->call->in.len < over * limits->body_bytes_per_s / 1000);
}

/* The client will send no more, what it has sent has been read, and it was no whole request. The library is told of an end once, and misses
 * one that comes together with the last bytes. */
static bool is_cut_short(const http_conn *conn) {
  int unread = 0;
  return conn->half_closed && conn->phase != CONN_CALL && !(conn->call && conn->call->head_waits) && ioctl(conn->fd, SIOCINQ, &unread) == 0 && unread == 0;
}

static void tick_one(http_conn *conn, int64_t now) {
  http_front *front = conn->front;
  int64_t age = now - conn->since_ms;
  if (conn->shut) return;
  if (age >= TICK_MS && is_cut_short(conn)) {
    conn_shut(conn);
    return;
  }
  switch (conn->phase) {
    case CONN_IDLE: /* of one that sends no more the library is not always told: the end came with its last bytes */
      if (age > (conn->half_closed ? TICK_MS : front->limits.idle_ms)) conn_shut(conn);
      break;
    case CONN_HEAD:
      if (age > front->limits.head_timeout_ms) time_is_up(conn, &front->counts.timeouts_head);
      break;
    case CONN_BODY:
      if (body_is_slow(conn, now)) time_is_up(conn, &front->counts.timeouts_body);
      break;
    case CONN_CALL: tick_answer(conn, now); break;
    case CONN_LINGER:
      if (age > LINGER_MS) conn_shut(conn);
      break;
  }
}

void conns_tick(http_front *front) {
  if (front->now_ms < front->next_tick_ms) return;
  front->next_tick_ms = front->now_ms + TICK_MS;
  for (http_conn *conn = front->first, *next; conn; conn = next) {
    next = conn->next;
    tick_one(conn, front->now_ms);
  }
}

void http_address_text(const void *address, char out[HTTP_ADDRESS_MAX]) {
  const struct sockaddr *any = address;
  out[0] = '\0';
  if (any->sa_family == AF_INET) {
    inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, out, HTTP_ADDRESS_MAX);
  } else if (any->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, out, HTTP_ADDRESS_MAX);
    if (strncmp(out, "::ffff:", 7) == 0 && strchr(out, '.')) memmove(out, out + 7, strlen(out + 7) + 1);
  }
}
