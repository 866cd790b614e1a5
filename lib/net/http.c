/* See http.h: what the I/O thread does, and all that knows libcurl. Callbacks of libcurl only note what came: what ends, pauses or
 * begins a transfer is done in `settle`, when libcurl has returned. */
#include "net/http_private.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <aiorch/version.h>

#if LIBCURL_VERSION_NUM < 0x075500
#error "libaiorch needs libcurl 7.85 or newer; -DAIORCH_WITH_HTTP=OFF builds it without"
#endif

enum {
  NS_PER_MS = 1000000,
  NEEDED_VERSION = 0x075500,
  MULTI_QUICK_EXIT = 21,          /* CURLMOPT_QUICK_EXIT of 8.20: its resolver threads are not waited for */
  TOO_LARGE = 100,                /* CURLE_TOO_LARGE of 8.6 */
  SENT_AT_ONCE = 16 << 10,        /* a body up to this size is taken as sent with the head */
  KEEPALIVE_IDLE_S = 60,
  KEEPALIVE_INTERVAL_S = 30,
  READ_BYTES_PLAIN = 4 << 10, READ_BYTES_TLS = 16 << 10, /* of each transfer as long as it lasts; HTTP/2 has frames of 16 kB */
  SEND_BYTES = 16 << 10,
  CONNECT_MS_KNOWN = 300000, CONNECT_MS_NONE = 86400000, /* libcurl's own limit, unless it is given one; hardly one */
  UNAUTHORIZED = 401, PROXY_LOGIN = 407, WORDS_MAX = 400
};

/* libcurl's own object for a transfer, used for one exchange after the other. */
typedef struct aio__http_handle {
  CURL *curl;
  struct aio__http_handle *next;
  bool used, https; /* by whom it was used before: a part of its options stays */
  const aio__proxy *proxy;
  char error[CURL_ERROR_SIZE];
} handle;

_Static_assert(sizeof(struct curl_slist) <= 2 * sizeof(void *), "exchange.h reserves two pointers for a list node");

static int64_t now_of(const aio__http *h) {
  return aio__clock_now(aio__io_clock(h->io));
}

/* ---- callbacks of libcurl ---------------------------------------------------------------------------------------- */

/* Pausing streams of HTTP/2 is broken in one version of libcurl or another (7.84, 8.3, 8.16): those are taken, up to response_max. */
static bool may_pause(const aio__exchange *e) {
  return !e->multiplexed;
}

/* libcurl reads on and on while there is something: what does not fit it must keep itself. Not what is unpacked, since it would keep
 * all that one read unpacks to: that is taken, up to response_max, and the transfer pauses afterwards (tell_drivers). */
static size_t on_body(char *bytes, size_t size, size_t count, void *ctx) {
  aio__exchange *e = ctx;
  aio__http_changed(e);
  if (!e->packed && may_pause(e) && aio__exchange_pauses(e)) return CURL_WRITEFUNC_PAUSE;
  return aio__exchange_add_body(e, aio__str_n(bytes, size * count)) ? size * count : 0;
}

static size_t on_line(char *bytes, size_t size, size_t count, void *ctx) {
  aio__exchange *e = ctx;
  aio__str line = aio__str_n(bytes, size * count);
  bool reading = e->phase == AIO__EXCHANGE_READING;
  if (!aio__exchange_add_line(e, line)) return 0;
  if (!reading && aio__str_starts(line, AIO__LIT("HTTP/"))) {
    e->multiplexed = aio__str_starts(line, AIO__LIT("HTTP/2"));
    aio__http_queue_speaks(&e->http->queue, e, e->multiplexed);
  }
  if (!reading && e->phase == AIO__EXCHANGE_READING) {
    e->packed = aio__wire_get(&e->reply, "content-encoding").n > 0;
    aio__http_arm(e);
    aio__http_changed(e);
  }
  return line.n;
}

/* A connection is there, and the request goes out. Again, when libcurl takes another connection for one that had gone. */
static int on_connected(void *ctx, char *ip, char *local_ip, int port, int local_port) {
  aio__exchange *e = ctx;
  (void)ip, (void)local_ip, (void)port, (void)local_port;
  aio__exchange_connected(e);
  if (e->request->body_len <= SENT_AT_ONCE) e->phase = AIO__EXCHANGE_AWAITING;
  e->uploaded = 0;
  aio__http_queue_connected(&e->http->queue, e);
  aio__http_arm(e);
  return CURL_PREREQFUNC_OK;
}

static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)purpose;
  int fd = aio__http_open_socket(ctx, address->family, address->socktype, address->protocol);
  return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int on_close_socket(void *ctx, curl_socket_t fd) {
  return aio__http_close_socket(ctx, fd);
}

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

/* ---- handles ----------------------------------------------------------------------------------------------------- */

/* With a folder beside the file, libcurl reads both for each connection: some 10 ms in which nothing else moves. So it reads the file
 * alone when there is one. */
static bool has_bundle(const aio__http *h, CURL *curl) {
  char *bundle = NULL;
  return h->ca_file || (curl_easy_getinfo(curl, CURLINFO_CAINFO, &bundle) == CURLE_OK && bundle && access(bundle, R_OK) == 0);
}

static void set_trust(aio__http *h, CURL *curl) {
  if (h->ca_file) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, h->ca_file);
    curl_easy_setopt(curl, CURLOPT_PROXY_CAINFO, h->ca_file);
  }
  if (!h->looked_for_bundle) h->has_bundle = has_bundle(h, curl);
  h->looked_for_bundle = true;
  if (h->has_bundle) {
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(curl, CURLOPT_PROXY_CAPATH, NULL);
  }
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static void free_handle(aio__http *h, handle *x) {
  curl_easy_cleanup(x->curl);
  aio__free(h->al, x);
}

static handle *new_handle(aio__http *h) {
  handle *x = aio__calloc(h->al, 1, sizeof *x);
  char agent[64];
  if (!x) return NULL;
  CURL *curl = x->curl = curl_easy_init();
  if (!curl) {
    aio__free(h->al, x);
    return NULL;
  }
  set_trust(h, curl);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, x->error);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
  curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* or the end of a transfer waits for a name server */
#endif
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_INTERVAL_S);
  curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_BYTES);
  snprintf(agent, sizeof agent, "libaiorch/%s", aiorch_version_string());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, agent);
  curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, h->encodings);
  curl_easy_setopt(curl, CURLOPT_NOPROXY, ""); /* proxy.h decides it */
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_line);
  curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, on_connected);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_open);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, h);
  curl_easy_setopt(curl, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
  curl_easy_setopt(curl, CURLOPT_CLOSESOCKETDATA, h);
  curl_easy_setopt(curl, CURLOPT_SHARE, h->share);
  return x;
}

static handle *take_handle(aio__http *h) {
  handle *x = h->idle;
  if (!x) return new_handle(h);
  h->idle = x->next;
  h->idle_count--;
  return x;
}

static void give_handle_back(aio__http *h, handle *x) {
  curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, NULL);
  curl_easy_setopt(x->curl, CURLOPT_POSTFIELDS, NULL);
  if (h->idle_count >= AIO__HTTP_HANDLES_MAX || h->stopping) {
    free_handle(h, x);
    return;
  }
  x->next = h->idle;
  h->idle = x;
  h->idle_count++;
}

static struct curl_slist *list_lines(const aio__exchange_request *request) {
  struct curl_slist *nodes = request->nodes;
  for (size_t i = 0; i < request->line_count; i++)
    nodes[i] = (struct curl_slist){request->lines[i], i + 1 < request->line_count ? &nodes[i + 1] : NULL};
  return nodes;
}

/* NULL: none. */
static const aio__proxy *proxy_of(const aio__http *h, const aio__exchange_request *r) {
  const aio__proxy *proxy = r->https ? &h->https_proxy : &h->http_proxy;
  return proxy->url && !aio__proxy_spares(h->no_proxy, r->host) ? proxy : NULL;
}

/* What depends on the scheme and the proxy alone. */
static CURLcode set_scheme(handle *x, bool https, const aio__proxy *proxy, bool http2) {
  if (x->used && x->https == https && x->proxy == proxy) return CURLE_OK;
  x->used = false;
  CURLcode code = curl_easy_setopt(x->curl, CURLOPT_PROTOCOLS_STR, https ? "https" : "http");
  if (code == CURLE_OK) code = curl_easy_setopt(x->curl, CURLOPT_PROXY, proxy ? proxy->url : "");
  if (code != CURLE_OK) return code;
  curl_easy_setopt(x->curl, CURLOPT_BUFFERSIZE, (long)(https ? READ_BYTES_TLS : READ_BYTES_PLAIN));
  curl_easy_setopt(x->curl, CURLOPT_HTTP_VERSION, (long)(https && http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  x->used = true, x->https = https, x->proxy = proxy;
  return CURLE_OK;
}

/* Fails for lack of memory alone; a URL that libcurl does not like shows when the transfer begins. */
static bool set_request(const aio__http *h, aio__exchange *e, handle *x) {
  const aio__exchange_request *r = e->request;
  CURL *curl = x->curl;
  bool get = r->body_len == 0 && strcmp(r->method, "GET") == 0, post = strcmp(r->method, "POST") == 0;
  const aio__proxy *proxy = proxy_of(h, r);
  e->through = proxy ? proxy->through : NULL;
  CURLcode code = set_scheme(x, r->https, proxy, h->http2);
  if (code == CURLE_OK) code = curl_easy_setopt(curl, CURLOPT_URL, r->url);
  if (code == CURLE_OK) code = curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, get || post ? NULL : r->method);
  if (code != CURLE_OK) return false;
  /* Ours is in exchange.c. One that libcurl is given stays in a tree of its own, which it looks through whenever anything moves. */
  bool shorter = e->limits.connect_ms > 0 && e->limits.connect_ms < CONNECT_MS_KNOWN;
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, shorter ? 0L : (long)CONNECT_MS_NONE);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list_lines(r));
  if (r->body_len == 0 && !post) {
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
  } else {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body);
  }
  curl_easy_setopt(curl, CURLOPT_PRIVATE, e);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, e);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, e);
  curl_easy_setopt(curl, CURLOPT_PREREQDATA, e);
  return true;
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
    give_handle_back(h, x);
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
  handle *x = take_handle(h);
  e->easy = x;
  if (!x || !set_request(h, e, x)) {
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
    free_handle(h, x);
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
  } else if (e->failed != AIORCH_OK) {
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
    if (!over && may_pause(e) && aio__exchange_pauses(e)) {
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
