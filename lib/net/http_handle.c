/* See http_curl.h: libcurl's objects for transfers, their options, and what it calls while one moves. Callbacks only note what came. */
#include <string.h>
#include <unistd.h>

#include "net/http_curl.h"

enum {
  SENT_AT_ONCE = 16 << 10,        /* a body up to this size is taken as sent with the head */
  KEEPALIVE_IDLE_S = 60,
  KEEPALIVE_INTERVAL_S = 30,
  READ_BYTES_PLAIN = 4 << 10, READ_BYTES_TLS = 16 << 10, /* of each transfer as long as it lasts; HTTP/2 has frames of 16 kB */
  SEND_BYTES = 16 << 10,
  GONE_AT_ONCE_MS = 1000,         /* a round trip to any place, and more */
  AGENT_NAME = 12,                /* where it begins in its line */
  CONNECT_MS_KNOWN = 300000, CONNECT_MS_NONE = 86400000 /* libcurl's own limit, unless it is given one; hardly one */
};

typedef aio__http_handle handle;

_Static_assert(sizeof(struct curl_slist) <= 2 * sizeof(void *), "exchange.h reserves two pointers for a list node");

/* ---- callbacks of a transfer ---------------------------------------------------------------------------------------- */

/* libcurl reads on and on while there is something: what does not fit it must keep itself. Not what is unpacked, since it would keep
 * all that one read unpacks to: that is taken, up to response_max, and the transfer pauses afterwards (tell_drivers). */
static size_t on_body(char *bytes, size_t size, size_t count, void *ctx) {
  aio__exchange *e = ctx;
  aio__http_changed(e);
  if (!e->packed && aio__http_may_pause(e) && aio__exchange_pauses(e)) return CURL_WRITEFUNC_PAUSE;
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

/* A connection is there, and the request goes out. Again, when libcurl takes another connection for one that had gone: a kept one that was
 * closed while nobody used it says so at once. One that is closed later had the request, and whoever worked on it may want to be paid: that
 * is the end of this exchange, and to ask again is for those who write down what it costs. */
static int on_connected(void *ctx, char *ip, char *local_ip, int port, int local_port) {
  aio__exchange *e = ctx;
  (void)ip, (void)local_ip, (void)port, (void)local_port;
  if (aio__exchange_sent(e) && aio__clock_now(e->clock) - e->sent_ns > (int64_t)GONE_AT_ONCE_MS * 1000000) {
    e->failed = AIORCH_E_NETWORK;
    e->why = "closed the connection without a reply";
    return CURL_PREREQFUNC_ABORT;
  }
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

void aio__http_handle_free(aio__http *h, aio__http_handle *x) {
  curl_easy_cleanup(x->curl);
  curl_url_cleanup(x->url);
  aio__free(h->al, x->url_text);
  aio__free(h->al, x);
}

static handle *new_handle(aio__http *h) {
  handle *x = aio__calloc(h->al, 1, sizeof *x);
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

aio__http_handle *aio__http_handle_take(aio__http *h) {
  handle *x = h->idle;
  if (!x) return new_handle(h);
  h->idle = x->next;
  h->idle_count--;
  return x;
}

void aio__http_handle_give_back(aio__http *h, aio__http_handle *x) {
  curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, NULL);
  curl_easy_setopt(x->curl, CURLOPT_POSTFIELDS, NULL);
  if (h->idle_count >= AIO__HTTP_HANDLES_MAX || h->stopping) {
    aio__http_handle_free(h, x);
    return;
  }
  x->next = h->idle;
  h->idle = x;
  h->idle_count++;
}

/* With the lines that libcurl would put together anew for each request, byte by byte. */
static struct curl_slist *list_lines(aio__http *h, const aio__exchange_request *request, bool says_agent) {
  struct curl_slist *nodes = request->nodes;
  size_t n = 0;
  for (; n < request->line_count; n++) nodes[n].data = request->lines[n];
  if (!says_agent && !request->says_agent) nodes[n++].data = h->agent_line;
  if (h->encodings && !request->says_encoding) nodes[n++].data = h->encoding_line;
  for (size_t i = 0; i < n; i++) nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
  return nodes;
}

/* NULL: none. */
static const aio__proxy *proxy_of(const aio__http *h, const aio__exchange_request *r) {
  const aio__proxy *proxy = r->https ? &h->https_proxy : &h->http_proxy;
  return proxy->url && !aio__proxy_spares(h->no_proxy, r->host) ? proxy : NULL;
}

/* What depends on the scheme and the proxy alone. */
static CURLcode set_scheme(const aio__http *h, handle *x, bool https, const aio__proxy *proxy) {
  if (x->used && x->https == https && x->proxy == proxy) return CURLE_OK;
  x->used = false;
  CURLcode code = curl_easy_setopt(x->curl, CURLOPT_PROTOCOLS_STR, https ? "https" : "http");
  if (code == CURLE_OK) code = curl_easy_setopt(x->curl, CURLOPT_PROXY, proxy ? proxy->url : "");
  /* Our own lines do not go to a proxy that is asked for a connection. */
  if (code == CURLE_OK) code = curl_easy_setopt(x->curl, CURLOPT_USERAGENT, proxy ? h->agent_line + AGENT_NAME : NULL);
  if (code != CURLE_OK) return code;
  curl_easy_setopt(x->curl, CURLOPT_BUFFERSIZE, (long)(https ? READ_BYTES_TLS : READ_BYTES_PLAIN));
  curl_easy_setopt(x->curl, CURLOPT_HTTP_VERSION, (long)(https && h->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  x->used = true, x->https = https, x->proxy = proxy;
  return CURLE_OK;
}

/* Most exchanges of a handle go to one URL, which libcurl would take apart and put together again for each, but for one that it was given
 * in parts. One that is refused so is given as it is: how the exchange then fails is libcurl's to say. */
static CURLcode set_url(aio__http *h, handle *x, const char *url) {
  if (x->url && x->url_text && strcmp(x->url_text, url) == 0) return CURLE_OK;
  curl_easy_setopt(x->curl, CURLOPT_CURLU, NULL);
  curl_url_cleanup(x->url);
  aio__free(h->al, x->url_text);
  x->url = NULL;
  x->url_text = aio__strndup(h->al, url, strlen(url));
  CURLcode code = curl_easy_setopt(x->curl, CURLOPT_URL, url);
  if (!x->url_text || code != CURLE_OK) return CURLE_OUT_OF_MEMORY;
  x->url = curl_url();
  if (!x->url) return CURLE_OUT_OF_MEMORY;
  if (curl_url_set(x->url, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_PATH_AS_IS) == CURLUE_OK)
    return curl_easy_setopt(x->curl, CURLOPT_CURLU, x->url);
  curl_url_cleanup(x->url);
  x->url = NULL;
  return CURLE_OK;
}

bool aio__http_handle_set_request(aio__http *h, aio__exchange *e, handle *x) {
  const aio__exchange_request *r = e->request;
  CURL *curl = x->curl;
  bool get = r->body_len == 0 && strcmp(r->method, "GET") == 0, post = strcmp(r->method, "POST") == 0;
  const aio__proxy *proxy = proxy_of(h, r);
  e->through = proxy ? proxy->through : NULL;
  CURLcode code = set_scheme(h, x, r->https, proxy);
  if (code == CURLE_OK) code = set_url(h, x, r->url);
  if (code == CURLE_OK) code = curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, get || post ? NULL : r->method);
  if (code != CURLE_OK) return false;
  /* Ours is in exchange.c. One that libcurl is given stays in a tree of its own, which it looks through whenever anything moves. */
  bool shorter = e->limits.connect_ms > 0 && e->limits.connect_ms < CONNECT_MS_KNOWN;
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, shorter ? 0L : (long)CONNECT_MS_NONE);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list_lines(h, r, proxy != NULL));
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
