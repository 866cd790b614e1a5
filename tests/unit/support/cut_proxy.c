/* See cut_proxy.h. */
#include "support/cut_proxy.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct sockaddr_in local(int port) {
  struct sockaddr_in out = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

static void end_pair(cut_proxy *p, int i) {
  if (p->pairs[i].client >= 0) close(p->pairs[i].client);
  if (p->pairs[i].server >= 0) close(p->pairs[i].server);
  p->pairs[i].client = p->pairs[i].server = -1;
  p->pairs[i].waits = false;
}

static void take_in(cut_proxy *p) {
  int client = accept(p->listener, NULL, NULL), at = 0;
  struct sockaddr_in there = local(p->server_port);
  if (client < 0) return;
  atomic_fetch_add(&p->connections, 1);
  while (at < CUT_PAIRS_MAX && p->pairs[at].client >= 0) at++;
  int server = socket(AF_INET, SOCK_STREAM, 0);
  bool refuse = atomic_load(&p->how) == CUT_REFUSE || at == CUT_PAIRS_MAX;
  if (refuse || connect(server, (struct sockaddr *)&there, sizeof there) != 0) {
    close(client);
    close(server);
    return;
  }
  p->pairs[at].client = client;
  p->pairs[at].server = server;
}

static bool holds(const char *bytes, ssize_t n, const char *sign) {
  return memmem(bytes, (size_t)n, sign, strlen(sign)) != NULL;
}

static bool cut(cut_proxy *p, int how) {
  if (!atomic_compare_exchange_strong(&p->how, &how, CUT_NOTHING)) return false;
  atomic_fetch_add(&p->cuts, 1);
  return true;
}

static void pass_on(cut_proxy *p, int i, bool from_client) {
  char bytes[CUT_BYTES_MAX];
  int from = from_client ? p->pairs[i].client : p->pairs[i].server, to = from_client ? p->pairs[i].server : p->pairs[i].client;
  ssize_t n = recv(from, bytes, sizeof bytes, 0);
  bool has_sign = n > 0 && from_client && holds(bytes, n, p->sign);
  if (n <= 0 || (has_sign && cut(p, CUT_BEFORE)) || (p->pairs[i].waits && !from_client)) {
    end_pair(p, i);
    return;
  }
  if (has_sign && cut(p, CUT_AFTER)) p->pairs[i].waits = true;
  for (ssize_t at = 0; at < n;) {
    ssize_t sent = send(to, bytes + at, (size_t)(n - at), MSG_NOSIGNAL);
    if (sent <= 0) {
      end_pair(p, i);
      return;
    }
    at += sent;
  }
}

static void *run(void *ctx) {
  cut_proxy *p = ctx;
  while (!atomic_load(&p->stopping)) {
    struct pollfd all[2 + 2 * CUT_PAIRS_MAX] = {{p->listener, POLLIN, 0}, {p->wake[0], POLLIN, 0}};
    bool silent = atomic_load(&p->how) == CUT_SILENCE;
    for (int i = 0; i < CUT_PAIRS_MAX; i++) {
      if (atomic_load(&p->how) == CUT_REFUSE) end_pair(p, i);
      all[2 + 2 * i] = (struct pollfd){silent ? -1 : p->pairs[i].client, POLLIN, 0};
      all[3 + 2 * i] = (struct pollfd){silent ? -1 : p->pairs[i].server, POLLIN, 0};
    }
    if (poll(all, 2 + 2 * CUT_PAIRS_MAX, -1) < 0) continue;
    char byte;
    if (all[1].revents != 0 && read(p->wake[0], &byte, 1) != 1) break;
    for (int i = 0; i < CUT_PAIRS_MAX; i++) {
      if (all[2 + 2 * i].revents != 0 && p->pairs[i].client == all[2 + 2 * i].fd) pass_on(p, i, true);
      if (all[3 + 2 * i].revents != 0 && p->pairs[i].server == all[3 + 2 * i].fd) pass_on(p, i, false);
    }
    if (all[0].revents != 0) take_in(p);
  }
  return NULL;
}

void cut_proxy_start(cut_proxy *p, int server_port, const char *sign) {
  struct sockaddr_in here = local(0);
  socklen_t size = sizeof here;
  memset(p, 0, sizeof *p);
  p->server_port = server_port;
  p->sign = sign;
  for (int i = 0; i < CUT_PAIRS_MAX; i++) p->pairs[i].client = p->pairs[i].server = -1;
  p->listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(p->listener, (struct sockaddr *)&here, size), 0);
  assert_int_equal(listen(p->listener, 64), 0);
  assert_int_equal(getsockname(p->listener, (struct sockaddr *)&here, &size), 0);
  p->port = ntohs(here.sin_port);
  assert_int_equal(pipe(p->wake), 0);
  assert_int_equal(pthread_create(&p->thread, NULL, run, p), 0);
}

void cut_proxy_set(cut_proxy *p, cut_how how) {
  atomic_store(&p->how, (int)how);
  assert_int_equal(write(p->wake[1], "x", 1), 1);
}

void cut_proxy_stop(cut_proxy *p) {
  atomic_store(&p->stopping, true);
  assert_int_equal(write(p->wake[1], "x", 1), 1);
  assert_int_equal(pthread_join(p->thread, NULL), 0);
  for (int i = 0; i < CUT_PAIRS_MAX; i++) end_pair(p, i);
  close(p->listener);
  close(p->wake[0]);
  close(p->wake[1]);
}
