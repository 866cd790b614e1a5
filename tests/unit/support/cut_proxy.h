/*
 * Stands between a client and a server on 127.0.0.1, on a port of its own, and does harm when told to: one thread, which passes bytes on.
 */
#ifndef AIO_TESTS_CUT_PROXY_H
#define AIO_TESTS_CUT_PROXY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { CUT_PAIRS_MAX = 64, CUT_BYTES_MAX = 65536 };

typedef enum cut_how {
  CUT_NOTHING,
  CUT_BEFORE,  /* once: both ends are closed in place of passing on a client's bytes that hold the sign */
  CUT_AFTER,   /* once: they are passed on, and both ends closed when the server has answered, which nobody sees */
  CUT_SILENCE, /* nothing is passed on any more, and nothing closed */
  CUT_REFUSE   /* whoever connects is closed at once, and so is who is there */
} cut_how;

typedef struct cut_proxy {
  int listener, wake[2], port, server_port;
  const char *sign;
  atomic_int how;
  atomic_int cuts, connections; /* how often it was cut; how many have connected */
  atomic_bool stopping;
  pthread_t thread;
  struct {
    int client, server;
    bool waits; /* for the answer after which it is cut */
  } pairs[CUT_PAIRS_MAX];
} cut_proxy;

void cut_proxy_start(cut_proxy *proxy, int server_port, const char *sign);
void cut_proxy_set(cut_proxy *proxy, cut_how how);
void cut_proxy_stop(cut_proxy *proxy);

#endif
