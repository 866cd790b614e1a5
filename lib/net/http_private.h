/* What http_entry.c, which runs on the threads of those who call, and http.c, which runs on the I/O thread, share. */
#ifndef AIO_NET_HTTP_PRIVATE_H
#define AIO_NET_HTTP_PRIVATE_H

#include <stddef.h>
#include <sys/types.h>

#include "net/http.h"
#include "net/http_queue.h"
#include "net/proxy.h"

#define AIO__OWNER(type, member, pointer) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct aio__http {
  aio__transport base;
  const aio__alloc *al;
  pid_t pid;
  const aio__clock *clock;
  aio__io_thread *io;
  atomic_int refs; /* the owner's, and one of each exchange that was not dropped: for the head above */
  bool own_io, http2;
  aio__proxy http_proxy, https_proxy;
  char *ca_file, *no_proxy;
  const char *encodings; /* what libcurl unpacks */
  char agent_line[64], encoding_line[64]; /* "User-Agent: ...", "Accept-Encoding: ..." */
  pthread_mutex_t mutex; /* guards these */
  pthread_cond_t cond;
  bool started, closing, closed;
  void *multi, *share; /* libcurl's; from here on all is the I/O thread's */
  uint32_t source;
  bool again, stopping;
  bool looked_for_bundle, has_bundle;
  unsigned char *watched; /* by descriptor */
  size_t watched_n;
  int broken; /* the CURLMcode by which libcurl gave up */
  aio__io_timer curl_timer, queue_timer;
  aio__io_task close_task, settle_task;
  bool settles; /* settle_task waits */
  aio__http_queue queue;
  aio__exchange *first, *changed;
  struct aio__http_handle *idle;
  size_t idle_count;
};

/* http.c. AIORCH_E_UNSUPPORTED, AIORCH_E_SYSTEM. */
aiorch_status aio__http_check_library(aio__http *h, aiorch_error *error);
void aio__http_on_poke(aio__io_task *task);
void aio__http_on_close(aio__io_task *task);
void aio__http_on_settle(aio__io_task *task);
void aio__http_on_curl_timer(aio__io_timer *timer);
void aio__http_on_queue_timer(aio__io_timer *timer);

/* http_watch.c */
/* Once what is ready now has been dealt with: so those who wait are told together, and do not take the processor from each other. */
void aio__http_settle_later(aio__http *h);
void aio__http_changed(aio__exchange *e); /* its driver is to be told */
/* The next limit of time. While a body moves the timer stays where it is: it looks again when it fires. */
void aio__http_arm(aio__exchange *e);
int aio__http_open_socket(aio__http *h, int family, int type, int protocol); /* -1: none */
int aio__http_close_socket(aio__http *h, int fd);
int aio__http_watch(aio__http *h, int fd, unsigned events); /* EPOLLIN, EPOLLOUT; an errno */
/* Has something come over a connection that nobody asks now? Most likely its end: it is not watched any more, and libcurl finds out when
 * it wants the connection again. */
bool aio__http_unasked(aio__http *h, int fd);

#endif
