/*
 * The transport over libcurl (transport.h has what it does): HTTP/1.1 with connections that are kept; HTTP/2 over TLS, many exchanges a
 * connection, only when it is asked for, since libcurl (7.88 to 8.22) lets streams stand still when others are refused or their connection
 * goes away, and takes some that were cut off for whole (docs/resilience.md). All of it runs on the I/O thread.
 *
 * Certificates and names of hosts are always checked; http is spoken only with a URL that says so; redirects are not followed, no
 * password file, cookie or redirect of the environment is looked at. The proxy variables (http_proxy, HTTPS_PROXY, ALL_PROXY,
 * NO_PROXY and their kin) are read once, at the opening.
 *
 * What cannot get a connection at once waits for its turn: first come, first served by each host, and the hosts in turns. While
 * the first connection to a host is being made, others to that host wait for it, for a moment: it may carry them all.
 *
 * Memory of libcurl and of the TLS library is not the handle's allocator's: their hooks belong to the process.
 */
#ifndef AIO_NET_HTTP_H
#define AIO_NET_HTTP_H

#include "core/counters.h"
#include "core/log.h"
#include "net/io_thread.h"
#include "net/transport.h"

typedef struct aio__http_options {
  const char *ca_file;          /* certificates to trust, PEM; NULL or "": those that libcurl was built with */
  int64_t connections_max;      /* in all; lowered to half of what the process may open (an event says so) */
  int64_t connections_per_host;
  bool http2;                   /* over TLS, where the host speaks it */
  aio__io_thread *io;           /* borrowed, outlives the transport; NULL: the transport makes its own */
} aio__http_options;

enum {
  AIO__HTTP_CONNECTIONS_MAX = 4096,      /* defaults; 0 in the options means these */
  AIO__HTTP_CONNECTIONS_PER_HOST = 2048,
  AIO__HTTP_STREAMS_MAX = 100,           /* exchanges that share one connection of HTTP/2 */
  AIO__HTTP_FIRST_MS = 1000,             /* how long others wait for the first connection to a host */
  AIO__HTTP_HANDLES_MAX = 64             /* libcurl's own objects that are kept for the next exchange */
};

/*
 * Copies the options; `log` and `counters` may be NULL. No thread is started and no descriptor of a connection opened before the
 * first exchange.
 *
 * AIORCH_E_UNSUPPORTED: this build or this libcurl cannot; AIORCH_E_CONFIG: `http.ca_file` cannot be read; AIORCH_E_NOMEM;
 * AIORCH_E_SYSTEM.
 */
aiorch_status aio__http_open(const aio__http_options *options, const aio__alloc *al, const aio__clock *clock, aio__log *log,
                             aio__counters *counters, aio__transport **out, aiorch_error *error);

#endif
