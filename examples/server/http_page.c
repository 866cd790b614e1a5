/*
 * What the library would answer itself: a head or a chunk that it cannot read gets a page of HTML from it. It says so to its log just
 * before, and the log is not told whose request that was. So those that come into question are suspended for the rest of its round, and
 * nothing is written; then one of them has an answer that nobody here has made. It stays suspended, is answered in our words, and read to its
 * end. Over TLS one comes into question, since the library reads and writes through functions of ours; of plain sockets many do.
 */
#include "http_front_private.h"

#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { PARTS_MAX = 16, LOOKED_MAX = 2048, IDLE_MAX = 16 };

/* ---- whose bytes the library is at, over TLS ---- */

static size_t decrypted(const http_conn *conn) { return gnutls_record_check_pending(conn->tls); }

/* What the library has taken, without a word, of what GnuTLS has decrypted ahead is known as taken from here on. */
void page_at(http_conn *conn) {
  http_front *front = conn->front;
  front->at = conn;
  for (http_conn *c = front->ahead; c; c = c->next_ahead) c->ahead = decrypted(c);
}

/* GnuTLS decrypts a record whole, and the library may take it in parts. Only then does it read without asking for bytes; who has some left
 * is remembered. */
static void remember(http_conn *conn) {
  if (conn->is_ahead) return;
  conn->is_ahead = true;
  conn->next_ahead = conn->front->ahead;
  conn->front->ahead = conn;
}

static void forget_ahead(http_conn *conn) {
  http_front *front = conn->front;
  if (front->at == conn) front->at = NULL;
  for (http_conn **at = &front->ahead; conn->is_ahead && *at; at = &(*at)->next_ahead) {
    if (*at != conn) continue;
    *at = conn->next_ahead;
    break;
  }
  conn->is_ahead = false;
}

static void forget_round(http_front *front) {
  front->at = NULL;
  for (http_conn **at = &front->ahead, *conn; (conn = *at) != NULL;) {
    conn->ahead = decrypted(conn);
    if (conn->ahead > 0) {
      at = &conn->next_ahead;
      continue;
    }
    *at = conn->next_ahead;
    conn->is_ahead = false;
  }
}

static ssize_t pull(gnutls_transport_ptr_t carrier, void *data, size_t len) {
  http_conn *conn = carrier;
  page_at(conn);
  remember(conn);
  return recv(conn->fd, data, len, 0);
}

static ssize_t push(gnutls_transport_ptr_t carrier, const giovec_t *parts, int count) {
  http_conn *conn = carrier;
  struct iovec copies[PARTS_MAX];
  struct msghdr message = {.msg_iov = copies};
  while ((int)message.msg_iovlen < count && message.msg_iovlen < PARTS_MAX) {
    const giovec_t *part = &parts[message.msg_iovlen];
    copies[message.msg_iovlen++] = (struct iovec){part->iov_base, part->iov_len};
  }
  page_at(conn); /* that it is closed is told so, too */
  return sendmsg(conn->fd, &message, MSG_NOSIGNAL);
}

static int pull_wait(gnutls_transport_ptr_t carrier, unsigned ms) {
  struct pollfd watched = {.fd = ((http_conn *)carrier)->fd, .events = POLLIN};
  return poll(&watched, 1, ms == GNUTLS_INDEFINITE_TIMEOUT ? -1 : (int)ms);
}

void page_watch(http_conn *conn, void *tls) {
  conn->tls = tls;
  gnutls_transport_set_ptr(conn->tls, conn);
  gnutls_transport_set_pull_function(conn->tls, pull);
  gnutls_transport_set_pull_timeout_function(conn->tls, pull_wait);
  gnutls_transport_set_vec_push_function(conn->tls, push);
}

/* ---- our words ---- */

bool send_last(const http_conn *conn, const cli_bytes *text) {
  if (conn->daemon->tls && !conn->tls) return false;
  bool sent = conn->tls ? gnutls_record_send(conn->tls, text->data, text->len) == (ssize_t)text->len
                        : send(conn->fd, text->data, text->len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)text->len;
  if (sent && conn->tls) gnutls_bye(conn->tls, GNUTLS_SHUT_WR);
  return sent && shutdown(conn->fd, SHUT_WR) == 0;
}

/* The library has let go of it: it neither reads nor writes until conn_shut. */
static void answer(http_conn *conn, const http_problem *why) {
  http_front *front = conn->front;
  call_state *s = conn->call;
  http_call unknown = {.request = {.path = ""}};
  cli_bytes text = {0};
  front->counts.bad_requests++;
  if (why->status == 413 || why->status == 414 || why->status == 431) front->counts.too_large++;
  memcpy(unknown.request.address, conn->address, sizeof conn->address);
  if (s) {
    s->refused = true;
    s->status = why->status;
  }
  refusal_text(front, s && s->head_told ? &s->call : &unknown, why, &text);
  conn_hold(conn);
  conn_phase_set(conn, CONN_LINGER);
  if (send_last(conn, &text)) first_discard(conn);
  else conn_shut(conn);
  cli_release(&text);
}

static void name_problem(const http_conn *conn, unsigned status, http_problem *why) {
  const http_limits *limits = &conn->front->limits;
  bool body = conn->phase == CONN_BODY;
  switch (status) {
    case 413: http_problem_set(why, 413, "too_large", NULL, "a chunk of the body says that it is larger than any body may be"); break;
    case 414: http_problem_set(why, 414, "uri_too_long", NULL, "the address has more than %zu bytes", limits->uri_bytes); break;
    case 431:
      http_problem_set(why, 431, "headers_too_large", NULL, "the head of the request has more than %zu bytes, or too many lines", limits->head_bytes);
      break;
    case 505: http_problem_set(why, 505, "http_version_not_supported", NULL, "this server speaks HTTP/1.1"); break;
    default:
      http_problem_set(why, (int)status, status < 500 ? "bad_request" : NULL, NULL,
                       status >= 500 ? "the request could not be read"
                       : body        ? "the body is not in the chunks that Transfer-Encoding promises"
                                     : "the head of the request is none: a line without a colon, or a Content-Length that is no plain number");
  }
}

/* Whether the library may be reading a request of it: nothing of that is with the host, or on its way back. */
static bool may_be_read(const http_conn *conn) {
  const call_state *s = conn->call;
  if (!conn->mhd || conn->held || conn->shut || conn->phase == CONN_CALL || conn->phase == CONN_LINGER) return false;
  return !s || (s->answer == ANSWER_NONE && !s->told_host && !s->suspended);
}

/* ---- whose page it may be ---- */

/* One that the library has closed and not told of yet is no longer its to suspend; it has shut its side of the socket then. */
static bool is_open(const http_conn *conn) {
  struct tcp_info info = {0};
  socklen_t size = sizeof info;
  if (getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  return info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT;
}

static void hold(http_conn *conn) {
  http_front *front = conn->front;
  if (front->asked_count == PAGE_ASKED_MAX || !may_be_read(conn) || !is_open(conn)) return;
  conn_hold(conn);
  front->asked[front->asked_count++] = conn;
}

/* Plain sockets: those of which a part of a request has come, and a few of which that may not have been heard; who has sent something last
 * is first in the list. Its end is not looked at: who sends nonsense must not cost more than others. */
static void hold_plain(http_front *front) {
  int looked = 0, idle = 0;
  for (http_conn *conn = front->first; conn && looked < LOOKED_MAX; conn = conn->next, looked++) {
    if (conn->daemon != front->working || (conn->phase == CONN_IDLE && idle >= IDLE_MAX)) continue;
    if (conn->phase == CONN_IDLE) idle++;
    hold(conn);
  }
}

/* TLS: the one that asked for bytes, or was heard of, last; or one of those that have since taken of what was decrypted ahead. */
static void hold_tls(http_front *front) {
  bool found = false;
  for (http_conn *conn = front->ahead; conn; conn = conn->next_ahead) {
    if (decrypted(conn) == conn->ahead) continue;
    found = true;
    hold(conn);
  }
  if (!found && front->at) hold(front->at);
}

static void tell_asked(http_front *front) {
  http_problem why;
  size_t count = front->asked_count;
  front->asked_count = 0;
  for (size_t i = 0; i < count; i++) {
    http_conn *conn = front->asked[i];
    unsigned status = conn ? conn_page(conn) : 0;
    if (!conn) continue;
    if (status < 400) {
      conn_let_go(conn);
      continue;
    }
    name_problem(conn, status, &why);
    answer(conn, &why);
  }
}

void page_made(http_front *front) {
  if (front->working && front->working->tls) hold_tls(front);
  else if (front->working) hold_plain(front);
}

void page_round_ended(http_front *front) {
  tell_asked(front);
  forget_round(front);
}

void page_forget(http_conn *conn) {
  http_front *front = conn->front;
  forget_ahead(conn);
  for (size_t i = 0; i < front->asked_count; i++) {
    if (front->asked[i] == conn) front->asked[i] = NULL;
  }
}
