/*
 * Whose turn it is to get a connection. Pure: neither a socket nor time is looked at. All on the I/O thread.
 *
 * Each host has a line of its own; the first of it begins when the host and all hosts together have a connection left. Hosts take
 * turns. Over TLS, while there is no connection to a host yet, one goes first and the others wait for it (until aio__http_queue_open
 * says that they have waited enough): if the host speaks HTTP/2, its connection carries them all. When it is known that it does, each waits
 * until the one before has a connection: who needs another one goes first again, since libcurl would make one for each that
 * comes meanwhile, however many streams the next will carry.
 */
#ifndef AIO_NET_HTTP_QUEUE_H
#define AIO_NET_HTTP_QUEUE_H

#include "net/exchange.h"

enum { AIO__HTTP_HOSTS_KEPT = 64 }; /* hosts that are remembered though nothing of theirs is out */

struct aio__http_host {
  aio__http_host *next;
  aio__str origin;
  aio__exchange *first, *last; /* that wait */
  size_t active, connected;    /* that have begun; of these, that have a connection */
  bool https, multiplexes;
  bool warm;                   /* there was a connection, and nothing says that it has gone */
  int64_t first_at_ns;         /* when the one that others wait for has begun */
};

typedef struct aio__http_queue {
  const aio__alloc *al;
  size_t total_max, host_max, used; /* connections */
  aio__http_host *hosts, *turn;
  size_t host_count, waiting;
} aio__http_queue;

void aio__http_queue_init(aio__http_queue *queue, const aio__alloc *al, size_t total_max, size_t host_max);
void aio__http_queue_free(aio__http_queue *queue);
/* AIORCH_E_NOMEM. */
aiorch_status aio__http_queue_add(aio__http_queue *queue, aio__exchange *exchange);
/* The next that may begin, which counts as active from now on; NULL: none. */
aio__exchange *aio__http_queue_next(aio__http_queue *queue, int64_t now_ns);
/* When those that wait for a host's first connection have waited enough; AIO__NEVER: nobody does. */
int64_t aio__http_queue_wakes_at(const aio__http_queue *queue);
void aio__http_queue_connected(aio__http_queue *queue, aio__exchange *exchange);
void aio__http_queue_speaks(aio__http_queue *queue, aio__exchange *exchange, bool multiplexes);
/* It has ended, whether it had begun or not. `reached`: its connection worked. */
void aio__http_queue_remove(aio__http_queue *queue, aio__exchange *exchange);

#endif
