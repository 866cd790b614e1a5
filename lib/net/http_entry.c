/* See http.h: what runs on the threads of those who call. Nothing of libcurl is known here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <aiorch/version.h>

#include "net/http_private.h"

/* ---- the transport ----------------------------------------------------------------------------------------------- */

/* The head of the transport stays as long as somebody has an exchange, since it is what it is asked by. */
static void release(aio__http *h) {
  if (atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1) return;
  pthread_cond_destroy(&h->cond);
  pthread_mutex_destroy(&h->mutex);
  aio__free(h->al, h);
}

static void take_apart(aio__http *h) {
  if (h->own_io) aio__io_free(h->io);
  h->io = NULL;
  aio__http_queue_free(&h->queue);
  aio__free(h->al, h->watched);
  aio__free(h->al, h->ca_file);
  aio__proxy_free(h->al, &h->http_proxy);
  aio__proxy_free(h->al, &h->https_proxy);
  aio__free(h->al, h->no_proxy);
  release(h);
}

static aiorch_status hand_over(aio__http *h, aio__exchange *e, aiorch_error *error) {
  aiorch_status status = AIORCH_OK;
  pthread_mutex_lock(&h->mutex);
  if (h->closing) status = aio__error_set(error, AIORCH_E_CLOSED, "the network is closed");
  else if (!h->started) status = aio__io_start(h->io, error);
  if (status == AIORCH_OK) {
    h->started = true;
    if (e->limits.company && !h->own_io) aio__io_post_quietly(h->io, &e->poke);
    else aio__io_post(h->io, &e->poke);
  }
  pthread_mutex_unlock(&h->mutex);
  return status;
}

static aiorch_status http_start(aio__transport *transport, const aio__wire_request *wire, const aio__exchange_limits *limits,
                                aio__waker *waker, aio__exchange **out, aiorch_error *error) {
  aio__http *h = AIO__OWNER(aio__http, base, transport);
  aio__exchange_request *request = NULL;
  aio__exchange *e = NULL;
  if (h->pid != getpid())
    return aio__error_set(error, AIORCH_E_FORKED, "the handle was made before fork(); open a new one in the child");
  aiorch_status status = aio__exchange_copy_request(h->al, wire, &request, error);
  if (status != AIORCH_OK) return status;
  if (aio__exchange_new(h->al, h->clock, request, limits, waker, &e) != AIORCH_OK)
    return aio__error_set(error, AIORCH_E_NOMEM, "out of memory");
  e->http = h;
  e->poke.run = aio__http_on_poke;
  e->poked = true;
  atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
  status = hand_over(h, e, error);
  if (status == AIORCH_OK) {
    *out = e;
    return status;
  }
  aio__exchange_release(e);
  aio__exchange_release(e);
  release(h);
  return status;
}

/* With e->mutex held, under which it would end: so the transport is still there. */
static void poke(aio__exchange *e) {
  if (e->ended || e->poked) return;
  e->poked = true;
  aio__io_post(e->http->io, &e->poke);
}

static aiorch_status http_take(aio__exchange *e, aio__buf *into) {
  aiorch_status status = aio__exchange_take(e, into);
  if (!e->paused) return status; /* it pauses with bytes in its buffer only, and its driver is told afterwards */
  pthread_mutex_lock(&e->mutex);
  if (e->paused && e->body.n < e->limits.buffer_max) poke(e);
  pthread_mutex_unlock(&e->mutex);
  return status;
}

static void http_drop(aio__exchange *e) {
  if (!e) return;
  aio__http *h = e->http;
  if (h->pid != getpid()) return; /* the other end of what it would wake is the parent */
  pthread_mutex_lock(&e->mutex);
  e->dropped = true;
  aio__buf_free(&e->body);
  atomic_store_explicit(&e->waiting, 0, memory_order_relaxed);
  poke(e);
  pthread_mutex_unlock(&e->mutex);
  aio__exchange_release(e);
  release(h);
}

static void http_close(aio__transport *transport) {
  if (!transport) return;
  aio__http *h = AIO__OWNER(aio__http, base, transport);
  if (h->pid != getpid()) return;
  pthread_mutex_lock(&h->mutex);
  h->closing = true;
  if (h->started) {
    h->close_task.run = aio__http_on_close;
    aio__io_post(h->io, &h->close_task);
    while (!h->closed) pthread_cond_wait(&h->cond, &h->mutex);
  }
  pthread_mutex_unlock(&h->mutex);
  take_apart(h);
}

/* ---- the opening ------------------------------------------------------------------------------------------------- */

/* At the opening only, so that no thread of ours reads the environment while the host changes it. */
static aiorch_status copy_texts(aio__http *h, const char *ca_file, aiorch_error *error) {
  static const char *const http[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
  static const char *const https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL};
  const char *none = getenv("no_proxy");
  aiorch_status status = aio__proxy_read(h->al, http, &h->http_proxy);
  if (status == AIORCH_OK) status = aio__proxy_read(h->al, https, &h->https_proxy);
  if (!none || none[0] == '\0') none = getenv("NO_PROXY");
  if (status == AIORCH_OK && none) {
    h->no_proxy = aio__strndup(h->al, none, strlen(none));
    if (!h->no_proxy) status = AIORCH_E_NOMEM;
  }
  if (status == AIORCH_OK && ca_file && ca_file[0] != '\0') {
    if (access(ca_file, R_OK) != 0)
      return aio__error_set(error, AIORCH_E_CONFIG, "http.ca_file: %s cannot be read: %s", ca_file, strerror(errno));
    h->ca_file = aio__strndup(h->al, ca_file, strlen(ca_file));
    if (!h->ca_file) status = AIORCH_E_NOMEM;
  }
  return status == AIORCH_OK ? status : aio__error_set(error, status, "out of memory");
}

static size_t most_connections(int64_t wanted, aio__log *log) {
  struct rlimit files;
  int64_t most = wanted > 0 ? wanted : AIO__HTTP_CONNECTIONS_MAX;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return (size_t)most;
  int64_t half = files.rlim_cur / 2 > 1 ? (int64_t)(files.rlim_cur / 2) : 1;
  if (most > half && log) {
    char members[96];
    int n = snprintf(members, sizeof members, "\"wanted\":%lld,\"limit\":%lld", (long long)most, (long long)half);
    aio__log_event(log, AIORCH_LOG_WARN, "http_connections_limited", aio__str_n(members, (size_t)n));
  }
  return (size_t)(most < half ? most : half);
}

aiorch_status aio__http_open(const aio__http_options *options, const aio__alloc *al, const aio__clock *clock, aio__log *log,
                             aio__counters *counters, aio__transport **out, aiorch_error *error) {
  int64_t per_host = options->connections_per_host > 0 ? options->connections_per_host : AIO__HTTP_CONNECTIONS_PER_HOST;
  aio__http *h = aio__calloc(al, 1, sizeof *h);
  (void)counters;
  if (!h) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory");
  h->al = al;
  h->pid = getpid();
  h->http2 = options->http2;
  atomic_init(&h->refs, 1);
  h->base = (aio__transport){http_start,  aio__exchange_head, http_take, aio__exchange_state, http_drop, http_close, aio__exchange_sent};
  aio__http_queue_init(&h->queue, al, most_connections(options->connections_max, log), (size_t)per_host);
  h->settle_task.run = aio__http_on_settle;
  aio__io_timer_init(&h->curl_timer, aio__http_on_curl_timer);
  aio__io_timer_init(&h->queue_timer, aio__http_on_queue_timer);
  if (pthread_mutex_init(&h->mutex, NULL) != 0 || pthread_cond_init(&h->cond, NULL) != 0) {
    aio__free(al, h);
    return aio__error_set(error, AIORCH_E_SYSTEM, "no lock can be made");
  }
  aiorch_status status = aio__http_check_library(h, error);
  if (status == AIORCH_OK) status = copy_texts(h, options->ca_file, error);
  snprintf(h->agent_line, sizeof h->agent_line, "User-Agent: libaiorch/%s", aiorch_version_string());
  snprintf(h->encoding_line, sizeof h->encoding_line, "Accept-Encoding: %s", h->encodings ? h->encodings : "");
  if (status == AIORCH_OK) {
    h->io = options->io;
    h->own_io = options->io == NULL;
    if (h->own_io) status = aio__io_new(al, clock, &h->io, error);
  }
  h->clock = status == AIORCH_OK ? aio__io_clock(h->io) : NULL;
  if (status != AIORCH_OK) {
    take_apart(h);
    return status;
  }
  *out = &h->base;
  return AIORCH_OK;
}
