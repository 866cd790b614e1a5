/*
 * A connection before the library has it. The first head is looked at where it lies, in the socket, so that what is no HTTP, or too much of
 * it, is answered in the words of this server and read to its end; and who connects and says nothing costs no more than a descriptor.
 */
#include "http_front_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* LOOKED_AT_MOST: the system keeps no more for one that is not read; a longer head the library reads on, as it does those that follow. */
enum { DISCARD_ROUNDS = 64, TLS_HANDSHAKE = 0x16, LOOKED_AT_MOST = 32768, TURNED_AWAY_MAX = 32, TURN_RETRY_MS = 1000 };

void first_close(http_conn *conn) {
  int fd = conn->fd;
  conn_free(conn);
  close(fd);
}

/* What still comes is thrown away, so that no reset takes the answer from the client; the clock ends it (LINGER_MS). */
void first_discard(http_conn *conn) {
  for (int i = 0; i < DISCARD_ROUNDS; i++) {
    ssize_t n = recv(conn->fd, conn->front->scratch, conn->front->scratch_size, MSG_DONTWAIT);
    if (n > 0) continue;
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) conn_shut(conn);
    return;
  }
  conn_shut(conn); /* it sends faster than anybody who waits for an answer */
}

static void answer(http_conn *conn, const http_problem *why) {
  http_front *front = conn->front;
  http_call call = {.request = {.path = ""}};
  if (conn->front->scratch_size > 5 && memcmp(conn->front->scratch, "HEAD ", 5) == 0) memcpy(call.request.method, "HEAD", 5); /* no body */
  cli_bytes text = {0};
  front->counts.bad_requests++;
  if (why->status == 431 || why->status == 414) front->counts.too_large++;
  memcpy(call.request.address, conn->address, sizeof call.request.address);
  refusal_text(front, &call, why, &text);
  bool sent = send(conn->fd, text.data, text.len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)text.len;
  cli_release(&text);
  if (!sent || shutdown(conn->fd, SHUT_WR) != 0) {
    first_close(conn);
    return;
  }
  conn_phase_set(conn, CONN_LINGER);
  first_discard(conn);
}

/* Of TLS the library has all but the first byte's meaning. */
static strict_verdict look(const http_conn *conn, size_t len, http_problem *why) {
  const http_front *front = conn->front;
  if (!front->daemon->tls) return strict_first(front->scratch, len, &front->limits, why);
  if (front->scratch[0] == TLS_HANDSHAKE) return STRICT_GOOD;
  http_problem_set(why, 400, "bad_request", NULL, "this server speaks HTTPS: begin the address with https://");
  return STRICT_BAD;
}

/* Whether there is more to say than the last time: a line has ended, or it is too much. Else who sends byte after byte would have all of
 * them looked at each time. */
static bool has_news(http_conn *conn, size_t len) {
  const http_front *front = conn->front;
  bool news = conn->seen == 0 || len > front->limits.head_bytes || (len > conn->seen && memchr(front->scratch + conn->seen, '\n', len - conn->seen));
  conn->seen = len;
  return news;
}

static void make_scratch(http_front *front) {
  size_t size = front->limits.head_bytes + 1;
  if (front->scratch_size >= size) return;
  free(front->scratch);
  front->scratch = cli_alloc(size);
  front->scratch_size = size;
}

void first_ready(http_conn *conn, uint32_t events) {
  http_problem why;
  if (conn->phase == CONN_LINGER) {
    first_discard(conn);
    return;
  }
  make_scratch(conn->front);
  ssize_t n = recv(conn->fd, conn->front->scratch, conn->front->limits.head_bytes + 1, MSG_PEEK | MSG_DONTWAIT);
  bool waits = n < 0 && (errno == EAGAIN || errno == EINTR);
  if (n == 0 || (n < 0 && !waits) || (events & (EPOLLHUP | EPOLLERR))) {
    first_close(conn);
    return;
  }
  if (waits) return;
  if (conn->phase == CONN_IDLE) conn_phase_set(conn, CONN_HEAD);
  strict_verdict verdict = has_news(conn, (size_t)n) ? look(conn, (size_t)n, &why) : STRICT_MORE;
  if (verdict == STRICT_GOOD || (verdict == STRICT_MORE && n >= LOOKED_AT_MOST)) conn_start(conn);
  else if (verdict == STRICT_BAD) answer(conn, &why);
  else if (conn->half_closed) first_close(conn); /* the rest will never come */
}

/* ---- connections that come ---- */

/* Beyond what may linger nobody is waited for: who has sent something already may then find a reset in place of the answer. */
static void cut_off(const http_front *front, int fd) {
  static const char words[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  if (!front->daemon->tls) (void)!send(fd, words, sizeof words - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  close(fd);
}

/* One too many is told so like anybody else, and what it sends is read to its end. These are few, so that they take no descriptor from others. */
static void turn_away(http_front *front, int fd, const void *address, size_t address_len) {
  http_problem why;
  front->counts.refused_connections++;
  if (front->daemon->tls || front->turned_away >= TURNED_AWAY_MAX || front->turned_away > front->limits.connections / 8) {
    cut_off(front, fd);
    return;
  }
  http_conn *conn = conn_new(front, fd, address, address_len);
  conn->turned_away = true;
  front->turned_away++;
  front->counts.connections--;
  make_scratch(front);
  front->scratch[0] = '\0'; /* its request was not looked at */
  http_problem_set(&why, 503, "overloaded", NULL, "too many connections at once; try again in a moment");
  why.retry_after_ms = TURN_RETRY_MS;
  answer(conn, &why);
}

void http_front_take(http_front *front, int fd, const void *address, size_t address_len, int64_t now_ms) {
  char text[HTTP_ADDRESS_MAX];
  front->now_ms = now_ms;
  http_address_text(address, text);
  if (front->counts.connections >= front->limits.connections || !address_enter(front, text)) {
    turn_away(front, fd, address, address_len);
    return;
  }
  front->counts.accepted++;
  conn_new(front, fd, address, address_len);
}
