/*
 * The front from its start to its end, and its part of each round of the loop.
 */
#include "http_front_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BACKLOG_ROUNDS = 4 };

static void print_of(const char *certificate, const char *key, unsigned char out[SHA256_BYTES]) {
  cli_bytes both = {0};
  cli_addz(&both, certificate ? certificate : "");
  cli_addc(&both, '\0');
  cli_addz(&both, key ? key : "");
  if (!crypto_sha256(both.data, both.len, out)) memset(out, 0, SHA256_BYTES);
  crypto_wipe(both.data, both.len);
  cli_release(&both);
}

bool http_front_change(http_front *front, const http_limits *limits, const char *certificate, const char *key, char why[256]) {
  unsigned char print[SHA256_BYTES];
  print_of(certificate, key, print);
  if (!front->daemon || memcmp(print, front->certificate, sizeof print) != 0 || limits->head_bytes != front->limits.head_bytes) {
    http_daemon *made = daemon_start(front, limits->head_bytes, certificate, key, why);
    if (!made) return false;
    made->next = front->daemon;
    front->daemon = made;
  }
  memcpy(front->certificate, print, sizeof print);
  front->limits = *limits;
  front->due = true;
  return true;
}

http_front *http_front_new(const http_limits *limits, const http_host *host, int epoll, const char *certificate, const char *key,
                           char why[256]) {
  http_front *front = cli_alloc(sizeof *front);
  front->host = *host;
  front->epoll = epoll;
  if (getrandom(&front->id_seed, sizeof front->id_seed, 0) != sizeof front->id_seed) front->id_seed = (uint64_t)cli_now_ms();
  if (http_front_change(front, limits, certificate, key, why)) return front;
  http_front_free(front);
  return NULL;
}

void http_front_free(http_front *front) {
  if (!front) return;
  front->ended = true;
  for (http_conn *conn = front->first, *next; conn; conn = next) {
    next = conn->next;
    if (conn->mhd) conn_end(conn);
    else first_close(conn);
  }
  while (front->daemon) {
    http_daemon *daemon = front->daemon;
    front->daemon = daemon->next;
    daemon_stop(daemon);
  }
  addresses_free(front);
  free(front->scratch);
  free(front);
}

static void tell_rooms(http_front *front) {
  call_state *s = front->rooms;
  front->rooms = NULL;
  while (s) {
    call_state *next = s->next_room;
    s->next_room = NULL;
    front->host.room(front->host.context, &s->call); /* it writes and ends, but no call is freed by that while its connection lives */
    s = next;
  }
}

bool http_front_due(const http_front *front) { return front->due; }

int64_t http_front_work(http_front *front, int64_t now_ms) {
  front->now_ms = now_ms;
  for (int round = 0; round < BACKLOG_ROUNDS && front->due; round++) {
    front->due = false;
    daemons_work(front);
    tell_rooms(front);
  }
  conns_tick(front);
  if (front->due) return 0;
  return front->first ? front->next_tick_ms - front->now_ms + 1 : -1;
}

void http_front_drain(http_front *front) { front->draining = true; }

void http_front_counts(const http_front *front, http_counts *out) { *out = front->counts; }
