/* See http.h: what the I/O thread does, over libcurl. Callbacks of libcurl (http_handle.c) only note what came: what ends, pauses or
 * begins a transfer is done in `settle`, when libcurl has returned. */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "net/http_curl.h"

enum {
  NS_PER_MS = 1000000,
  NEEDED_VERSION = 0x075500,
  MULTI_QUICK_EXIT = 21,          /* CURLMOPT_QUICK_EXIT of 8.20: its resolver threads are not waited for */
  TOO_LARGE = 100,                /* CURLE_TOO_LARGE of 8.6 */
  UNAUTHORIZED = 401, PROXY_LOGIN = 407, WORDS_MAX = 400
};

typedef aio__http_handle handle;

static int64_t now_of(const aio__http *h) {
  return aio__clock_now(aio__io_clock(h->io));
}

/* ---- callbacks of libcurl ---------------------------------------------------------------------------------------- */

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *ctx, void *known) {
  unsigned events = 0;
  (void)curl, (void)known;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) events |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) events |= EPOLLOUT;
  return aio__http_watch(ctx, fd, events) == 0 ? 0 : -1;
}

static int on_timeout(CURLM *multi, long ms, void *ctx) {
  aio__http *h = ctx;
  (void)multi;
  aio__io_timer_set(h->io, &h->curl_timer, ms < 0 ? AIO__NEVER : now_of(h) + ms * NS_PER_MS);
  return 0;
}

/* ---- an exchange's way ------------------------------------------------------------------------------------------- */

/* Ends it unless that was done (AIORCH_PENDING), lets go of its transfer, which closes its connection in the midst of one, and has the
 * driver told. */
static void finish(aio__http *h, aio__exchange *e, aiorch_status status, const char *words) {
  handle *x = e->easy;
  if (status != AIORCH_PENDING) aio__exchange_end(e, status, words);
  if (x) {
    curl_multi_remove_handle(h->multi, x->curl);
    e->easy = NULL;
    aio__http_handle_give_back(h, x);
  }
  aio__io_timer_clear(h->io, &e->timer);
  aio__http_queue_remove(&h->queue, e);
  if (e->before)
    e->before->next = e->next;
  else
    h->first = e->next;
  if (e->next) e->next->before = e->before;
  aio__exchange_free_request(h->al, e->request);
  e->request = NULL;
  aio__http_changed(e);
  h->again = true;
}

static void begin(aio__http *h, aio__exchange *e) {
  e->phase = AIO__EXCHANGE_CONNECTING;
  e->turn_ns = now_of(h);
  handle *x = aio__http_handle_take(h);
  e->easy = x;
  if (!x || !aio__http_handle_set_request(h, e, x)) {
    finish(h, e, AIORCH_E_NOMEM, "no memory for a transfer");
    return;
  }
  x->error[0] = '\0';
  CURLMcode code = curl_multi_add_handle(h->multi, x->curl);
  if (code == CURLM_OK)
    aio__http_arm(e);
  else
    finish(h, e, code == CURLM_OUT_OF_MEMORY ? AIORCH_E_NOMEM : AIORCH_E_NETWORK, curl_multi_strerror(code));
}

static void free_multi(aio__http *h) {
  while (h->idle) {
    handle *x = h->idle;
    h->idle = x->next;
    aio__http_handle_free(h, x);
  }
  h->idle_count = 0;
  if (h->multi) {
    curl_multi_cleanup(h->multi);
    aio__io_source_remove(h->io, h->source);
  }
  if (h->share) curl_share_cleanup(h->share);
  h->multi = h->share = NULL;
  aio__io_timer_clear(h->io, &h->curl_timer);
}

static void act(aio__http *h, curl_socket_t fd, int mask) {
  int running;
  CURLMcode code = curl_multi_socket_action(h->multi, fd, mask, &running);
  if (code != CURLM_OK) h->broken = code;
}

static void on_ready(void *ctx, int fd, uint32_t events) {
  aio__http *h = ctx;
  int mask = 0;
  if (aio__http_unasked(h, fd)) return;
  if (events & EPOLLIN) mask |= CURL_CSELECT_IN;
  if (events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
  if (events & (EPOLLERR | EPOLLHUP)) mask |= CURL_CSELECT_ERR;
  act(h, fd, mask);
  aio__http_settle_later(h);
}

void aio__http_on_curl_timer(aio__io_timer *timer) {
  aio__http *h = AIO__OWNER(aio__http, curl_timer, timer);
  act(h, CURL_SOCKET_TIMEOUT, 0);
  aio__http_settle_later(h);
}

void aio__http_on_queue_timer(aio__io_timer *timer) {
  aio__http_settle_later(AIO__OWNER(aio__http, queue_timer, timer));
}

static bool make_multi(aio__http *h) {
  if (h->multi) return true;
  h->multi = curl_multi_init();
  h->share = curl_share_init();
  bool made = h->multi && h->share && aio__io_source_add(h->io, on_ready, h, &h->source) == AIORCH_OK;
  if (!made) {
    if (h->multi) curl_multi_cleanup(h->multi);
    h->multi = NULL;
    free_multi(h);
    return false;
  }
  curl_share_setopt(h->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  (void)curl_multi_setopt(h->multi, (CURLMoption)MULTI_QUICK_EXIT, 1L); /* an older one does not know it, nor need it */
  curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
  curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
  curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
  curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
  curl_multi_setopt(h->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)AIO__HTTP_STREAMS_MAX);
  curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)h->queue.total_max);
  return true;
}

static void on_limit(aio__io_timer *timer) {
  aio__exchange *e = AIO__OWNER(aio__exchange, timer, timer);
  aio__http *h = e->http;
  handle *x = e->easy;
  curl_off_t sent = 0;
  if (e->phase == AIO__EXCHANGE_SENDING && curl_easy_getinfo(x->curl, CURLINFO_SIZE_UPLOAD_T, &sent) == CURLE_OK &&
      (size_t)sent != e->uploaded) {
    e->uploaded = (size_t)sent;
    e->last_ns = e->sent_ns = now_of(h);
    if (e->uploaded >= e->request->body_len) e->phase = AIO__EXCHANGE_AWAITING;
  }
  if (aio__exchange_overdue(e))
    finish(h, e, AIORCH_PENDING, NULL);
  else
    aio__http_arm(e);
  aio__http_settle_later(h);
}

static void enter(aio__http *h, aio__exchange *e) {
  e->entered = true;
  e->next = h->first;
  if (e->next) e->next->before = e;
  h->first = e;
  aio__io_timer_init(&e->timer, on_limit);
  if (aio__exchange_is_dropped(e)) {
    finish(h, e, AIORCH_E_CANCELLED, "dropped");
  } else if (!make_multi(h) || aio__http_queue_add(&h->queue, e) != AIORCH_OK) {
    finish(h, e, AIORCH_E_NOMEM, "no memory for a transfer");
  } else {
    aio__http_arm(e);
  }
}

/* The driver has something for the I/O thread: a new exchange, room in the buffer, or that it has dropped it. */
void aio__http_on_poke(aio__io_task *task) {
  aio__exchange *e = AIO__OWNER(aio__exchange, poke, task);
  aio__http *h = e->http;
  pthread_mutex_lock(&e->mutex);
  e->poked = false;
  pthread_mutex_unlock(&e->mutex);
  if (e->phase == AIO__EXCHANGE_ENDED && !e->changed) { /* the transport may be gone */
    aio__exchange_release(e);
    return;
  }
  if (e->phase == AIO__EXCHANGE_ENDED) return;
  if (!e->entered) {
    enter(h, e);
  } else if (aio__exchange_is_dropped(e)) {
    finish(h, e, AIORCH_E_CANCELLED, "dropped");
  } else if (aio__exchange_resumes(e)) {
    handle *x = e->easy;
    aio__http_arm(e);
    (void)curl_easy_pause(x->curl, CURLPAUSE_CONT); /* a failure shows as the end of the transfer */
  }
  aio__http_settle_later(h);
}

/* ---- how it ended ------------------------------------------------------------------------------------------------ */

static const char *words_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return "its name cannot be looked up";
    case CURLE_COULDNT_RESOLVE_PROXY: return "the name of the proxy cannot be looked up";
    case CURLE_COULDNT_CONNECT: return "no connection";
    case CURLE_PEER_FAILED_VERIFICATION: return "its certificate is not accepted (http.ca_file names others to trust)";
    case CURLE_SSL_CACERT_BADFILE: return "the certificates to trust cannot be read (http.ca_file)";
    case CURLE_SSL_CONNECT_ERROR: return "no TLS connection";
    case CURLE_SEND_ERROR: return "the connection broke while the request was being sent";
    case CURLE_GOT_NOTHING: return "closed the connection without a reply";
    case CURLE_OK:
    case CURLE_PARTIAL_FILE: return "the reply ended before its end";
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_RECV_ERROR: return "the connection broke";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return "answered with what is no HTTP";
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR: return "the reply is packed in a way that cannot be unpacked";
    case CURLE_URL_MALFORMAT: return "its URL cannot be used";
    default: return "the exchange failed";
  }
}

static aiorch_status status_of(CURLcode code, const aio__exchange *e) {
  if ((int)code == TOO_LARGE) return AIORCH_E_TOO_LARGE;
  switch (code) {
    case CURLE_OK: return e->phase == AIO__EXCHANGE_READING ? AIORCH_OK : AIORCH_E_NETWORK;
    /* libcurl's word for a header line above its own limit, too */
    case CURLE_OUT_OF_MEMORY: return e->connected && e->phase != AIO__EXCHANGE_READING ? AIORCH_E_TOO_LARGE : AIORCH_E_NOMEM;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR: return AIORCH_E_RESPONSE;
    default: return AIORCH_E_NETWORK;
  }
}

/* The HTTP status by which it did not let the request pass; 0: it did. 407 is nobody else's. */
static int refused_by_proxy(const aio__exchange *e, const handle *x) {
  long status = 0;
  if (!e->through) return 0;
  if (e->phase == AIO__EXCHANGE_READING) return !x->https && e->reply.http_status == PROXY_LOGIN ? PROXY_LOGIN : 0;
  if (e->connected || curl_easy_getinfo(x->curl, CURLINFO_HTTP_CONNECTCODE, &status) != CURLE_OK) return 0;
  return status == UNAUTHORIZED ? PROXY_LOGIN : status >= 300 && status <= 599 ? (int)status : 0;
}

static void complete(aio__http *h, aio__exchange *e, CURLcode code) {
  char words[WORDS_MAX];
  handle *x = e->easy;
  aiorch_status status = e->failed != AIORCH_OK ? e->failed : status_of(code, e);
  int refused = refused_by_proxy(e, x);
  if (refused == PROXY_LOGIN) {
    finish(h, e, AIORCH_E_NETWORK, "the proxy wants another name and password, or one at all (http://NAME:PASSWORD@...)");
  } else if (refused != 0) {
    snprintf(words, sizeof words, "the proxy makes no connection to it (HTTP %d)", refused);
    finish(h, e, AIORCH_E_NETWORK, words);
  } else if (e->failed != AIORCH_OK || status == AIORCH_OK) {
    finish(h, e, status, e->why);
  } else if (status == AIORCH_E_TOO_LARGE) {
    finish(h, e, status, "sent a header line that is too long (AIO__EXCHANGE_HEAD_MAX)");
  } else {
    bool tells = x->error[0] != '\0' && !(x->proxy && aio__proxy_shows(x->proxy, x->error));
    const char *detail = tells ? x->error : curl_easy_strerror(code);
    snprintf(words, sizeof words, "%s: %s", words_of(code), code == CURLE_OK ? "there is no end of its headers" : detail);
    finish(h, e, status, words);
  }
}

static void read_messages(aio__http *h) {
  CURLMsg *message;
  int left;
  while (h->multi && (message = curl_multi_info_read(h->multi, &left)) != NULL) {
    char *private = NULL;
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
    complete(h, (aio__exchange *)(void *)private, code);
  }
}

/* libcurl itself cannot go on: everything that is out ends, and the next exchange finds a new one. */
static void give_up(aio__http *h) {
  char words[WORDS_MAX];
  snprintf(words, sizeof words, "the HTTP library gave up: %s", curl_multi_strerror(h->broken));
  h->broken = CURLM_OK;
  for (aio__exchange *e = h->first, *next; e; e = next) {
    next = e->next;
    if (e->easy) finish(h, e, AIORCH_E_NETWORK, words);
  }
  free_multi(h);
  bool well = !h->first || make_multi(h);
  while (!well && h->first) finish(h, h->first, AIORCH_E_NOMEM, "no memory for a transfer");
}

static void tell_drivers(aio__http *h) {
  while (h->changed) {
    aio__exchange *e = h->changed;
    bool over = e->phase == AIO__EXCHANGE_ENDED;
    h->changed = e->next_changed;
    e->changed = false;
    if (!over && aio__http_may_pause(e) && aio__exchange_pauses(e)) {
      handle *x = e->easy;
      (void)curl_easy_pause(x->curl, CURLPAUSE_RECV);
    }
    if (e->waker) aio__waker_signal(e->waker); /* the transport's own claim keeps it, also when the driver has gone */
    if (!over) continue;
    pthread_mutex_lock(&e->mutex);
    bool poked = e->poked;
    pthread_mutex_unlock(&e->mutex);
    if (!poked) aio__exchange_release(e);
  }
}

/* What is left to do after calls of libcurl that may have moved something, and after changes of who is out. */
static void settle(aio__http *h) {
  do {
    aio__exchange *e;
    bool begun = false;
    h->again = false;
    if (h->broken != CURLM_OK) give_up(h);
    read_messages(h);
    tell_drivers(h);
    while (!h->stopping && (e = aio__http_queue_next(&h->queue, now_of(h))) != NULL) {
      begin(h, e);
      begun = true;
    }
    if (begun && h->multi) { /* libcurl wants to be called at once for those */
      act(h, CURL_SOCKET_TIMEOUT, 0);
      h->again = true;
    }
  } while (h->again);
  aio__io_timer_set(h->io, &h->queue_timer, h->stopping ? AIO__NEVER : aio__http_queue_wakes_at(&h->queue));
}

/* The transport may be gone when its owner knows that it is closed. */
static void end(aio__http *h) {
  free_multi(h);
  pthread_mutex_lock(&h->mutex);
  h->closed = true;
  pthread_cond_signal(&h->cond);
  pthread_mutex_unlock(&h->mutex);
}

void aio__http_on_settle(aio__io_task *task) {
  aio__http *h = AIO__OWNER(aio__http, settle_task, task);
  h->settles = false;
  settle(h);
  if (h->stopping) end(h);
}

void aio__http_on_close(aio__io_task *task) {
  aio__http *h = AIO__OWNER(aio__http, close_task, task);
  h->stopping = true;
  while (h->first) finish(h, h->first, AIORCH_E_CLOSED, "the network was closed");
  aio__http_settle_later(h);
}

/* ---- the library -------------------------------------------------------------------------------------------------- */

aiorch_status aio__http_check_library(aio__http *h, aiorch_error *error) {
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  if (info->version_num < NEEDED_VERSION)
    return aio__error_set(error, AIORCH_E_UNSUPPORTED, "libcurl is %s, and 7.85 or newer is needed", info->version);
  if (!(info->features & CURL_VERSION_SSL) || !(info->features & CURL_VERSION_ASYNCHDNS) ||
      !(info->features & CURL_VERSION_THREADSAFE))
    return aio__error_set(error, AIORCH_E_UNSUPPORTED,
                          "this libcurl was built without TLS, or cannot look up names or start beside other threads");
  bool zlib = (info->features & CURL_VERSION_LIBZ) != 0, brotli = (info->features & CURL_VERSION_BROTLI) != 0;
  h->encodings = zlib && brotli ? "gzip, deflate, br" : zlib ? "gzip, deflate" : brotli ? "br" : NULL;
  /* Counted by libcurl, and safe beside a host that uses libcurl itself; never undone, since resolver threads may outlive us. */
  return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? AIORCH_OK
                                                           : aio__error_set(error, AIORCH_E_SYSTEM, "libcurl cannot be started");
}
