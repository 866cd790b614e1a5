/* See exchange.h. */
#include "net/exchange.h"

#include <stdio.h>
#include <string.h>

enum { NS_PER_MS = 1000000, KEEP_BUFFER = 1 << 10, WORDS_MAX = 600, OWN_LINES = 3, HOST_SHOWN = 120, THROUGH_SHOWN = 160 };

/* ---- the copy of the request ------------------------------------------------------------------------------------- */

/* What says how the message is framed, or belongs to one connection alone. */
static bool is_transports_own(aio__str name) {
  static const char *const own[] = {"content-length", "transfer-encoding", "connection", "keep-alive", "expect",
                                    "upgrade",        "te",                "trailer",    "proxy-connection"};
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
    if (aio__wire_same_name(name, own[i])) return true;
  }
  return false;
}

static bool has_header(const aio__wire_request *wire, const char *name) {
  for (size_t i = 0; i < wire->header_count; i++) {
    if (aio__wire_same_name(wire->headers[i].name, name)) return true;
  }
  return false;
}

static size_t up_to_path(aio__str url, size_t from) {
  while (from < url.n && url.p[from] != '/' && url.p[from] != '?' && url.p[from] != '#') from++;
  return from;
}

static aiorch_status check(const aio__wire_request *wire, aiorch_error *error) {
  aio__str url = aio__buf_view(&wire->url);
  size_t scheme = aio__str_starts(url, AIO__LIT("https://")) ? 8 : aio__str_starts(url, AIO__LIT("http://")) ? 7 : 0;
  if (wire->url.failed != AIORCH_OK || wire->body.failed != AIORCH_OK) return AIORCH_E_NOMEM;
  if (scheme == 0 || up_to_path(url, scheme) == scheme)
    return aio__error_set(error, AIORCH_E_CONFIG, "the URL must be http://host... or https://host...");
  if (memchr(url.p, '\0', url.n)) return aio__error_set(error, AIORCH_E_CONFIG, "the URL has a NUL byte");
  for (size_t i = 0; i < wire->header_count; i++) {
    aio__str name = wire->headers[i].name;
    if (is_transports_own(name))
      return aio__error_set(error, AIORCH_E_CONFIG, "the header %.*s is set by the library alone", (int)name.n, name.p);
  }
  return AIORCH_OK;
}

static char *put(char **at, aio__str text) {
  char *begin = *at;
  if (text.n > 0) memcpy(begin, text.p, text.n);
  begin[text.n] = '\0';
  *at += text.n + 1;
  return begin;
}

static void put_line(aio__exchange_request *r, char **at, aio__str name, aio__str value) {
  char *begin = *at;
  put(at, name);
  *at -= 1;
  if (value.n == 0) { /* libcurl's way to say that it is there and empty */
    put(at, AIO__LIT(";"));
  } else {
    put(at, AIO__LIT(": "));
    *at -= 1;
    put(at, value);
  }
  r->lines[r->line_count++] = begin;
}

/* No pause before a large body; no type that nobody gave; no packing of streams, since packers hold bytes back. */
static void put_own_lines(aio__exchange_request *r, char **at, const aio__wire_request *wire) {
  r->lines[r->line_count++] = put(at, AIO__LIT("Expect:"));
  r->says_agent = has_header(wire, "user-agent");
  r->says_encoding = r->stream || has_header(wire, "accept-encoding");
  if (!has_header(wire, "content-type")) r->lines[r->line_count++] = put(at, AIO__LIT("Content-Type:"));
  if (r->stream && !has_header(wire, "accept-encoding"))
    r->lines[r->line_count++] = put(at, AIO__LIT("Accept-Encoding: identity"));
}

static void find_secret(aio__exchange_request *r, const aio__wire_header *header, const char *line) {
  if (!header->secret || header->value.n == 0) return;
  aio__str value = aio__str_n(line + header->name.n + 2, header->value.n);
  for (size_t i = value.n; i > 0; i--) {
    if (value.p[i - 1] != ' ') continue;
    value = aio__str_n(value.p + i, value.n - i);
    break;
  }
  if (value.n > r->secret.n) r->secret = value;
}

aiorch_status aio__exchange_copy_request(const aio__alloc *al, const aio__wire_request *wire, aio__exchange_request **out,
                                         aiorch_error *error) {
  aiorch_status status = check(wire, error);
  if (status != AIORCH_OK) return status;
  aio__str url = aio__buf_view(&wire->url), body = aio__buf_view(&wire->body);
  aio__str method = aio__str_z(wire->method ? wire->method : body.n > 0 ? "POST" : "GET");
  size_t pointers = 3 * (wire->header_count + OWN_LINES + AIO__EXCHANGE_TRANSPORT_LINES + 1);
  size_t bytes = sizeof(aio__exchange_request) + pointers * sizeof(void *) + url.n + method.n + body.n + 3 + OWN_LINES * 32;
  for (size_t i = 0; i < wire->header_count; i++) bytes += wire->headers[i].name.n + wire->headers[i].value.n + 3;
  aio__exchange_request *r = aio__malloc(al, bytes);
  if (!r) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory");
  memset(r, 0, sizeof *r + pointers * sizeof(void *));
  r->lines = (char **)(r + 1);
  r->nodes = r->lines + wire->header_count + OWN_LINES + 1;
  char *at = (char *)(r->lines + pointers);
  r->url = put(&at, url);
  r->method = put(&at, method);
  r->https = aio__str_starts(url, AIO__LIT("https://"));
  r->origin = aio__str_n(r->url, up_to_path(url, r->https ? 8 : 7));
  r->host = aio__str_n(r->url + (r->https ? 8 : 7), r->origin.n - (r->https ? 8 : 7));
  r->stream = wire->framing != AIO__WIRE_WHOLE;
  for (size_t i = 0; i < wire->header_count; i++) {
    const aio__wire_header *header = &wire->headers[i];
    put_line(r, &at, header->name, header->value);
    find_secret(r, header, r->lines[r->line_count - 1]);
  }
  put_own_lines(r, &at, wire);
  r->wiped = (size_t)(at - (char *)r);
  r->body = put(&at, body);
  r->body_len = body.n;
  *out = r;
  return AIORCH_OK;
}

void aio__exchange_free_request(const aio__alloc *al, aio__exchange_request *request) {
  if (!request) return;
  explicit_bzero(request, request->wiped);
  aio__free(al, request);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

aiorch_status aio__exchange_new(const aio__alloc *al, const aio__clock *clock, aio__exchange_request *request,
                                const aio__exchange_limits *limits, aio__waker *waker, aio__exchange **out) {
  aio__exchange *e = aio__calloc(al, 1, sizeof *e);
  if (!e || pthread_mutex_init(&e->mutex, NULL) != 0) {
    aio__free(al, e);
    aio__exchange_free_request(al, request);
    return AIORCH_E_NOMEM;
  }
  atomic_init(&e->refs, 2);
  e->al = al;
  e->clock = clock;
  e->request = request;
  e->limits = *limits;
  if (e->limits.buffer_max == 0) e->limits.buffer_max = AIO__EXCHANGE_BUFFER_MAX;
  if (e->limits.response_max == 0 || e->limits.response_max > AIO__WIRE_BODY_MAX) e->limits.response_max = AIO__WIRE_BODY_MAX;
  e->waker = waker ? aio__waker_retain(waker) : NULL;
  e->outcome = (aio__wire_error){.retry_after_ms = -1, .should_retry = -1};
  aio__buf_init(&e->body, al, e->limits.response_max);
  aio__buf_init(&e->head, al, AIO__EXCHANGE_HEAD_MAX);
  *out = e;
  return AIORCH_OK;
}

void aio__exchange_release(aio__exchange *e) {
  if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1) return;
  aio__exchange_free_request(e->al, e->request);
  aio__waker_release(e->waker);
  aio__buf_free(&e->body);
  aio__buf_free(&e->head);
  aio__free(e->al, e->headers);
  pthread_mutex_destroy(&e->mutex);
  aio__free(e->al, e);
}

/* ---- the driver's ------------------------------------------------------------------------------------------------ */

/* Streams are looked at many times a second, and mostly there is nothing new but bytes: only those need the lock. */
const aio__wire_reply *aio__exchange_head(aio__exchange *e) {
  return atomic_load_explicit(&e->has_head, memory_order_acquire) ? &e->reply : NULL;
}

static void change_memory(aio__buf *a, aio__buf *b) {
  aio__buf was = *a;
  a->p = b->p;
  a->n = b->n;
  a->cap = b->cap;
  b->p = was.p;
  b->n = was.n;
  b->cap = was.cap;
}

aiorch_status aio__exchange_take(aio__exchange *e, aio__buf *into) {
  aiorch_status status = into->failed;
  if (status != AIORCH_OK || atomic_load_explicit(&e->waiting, memory_order_acquire) == 0) return status;
  pthread_mutex_lock(&e->mutex);
  if (into->n == 0 && into->al == e->body.al && e->body.n <= into->max) {
    change_memory(into, &e->body); /* nothing is copied */
  } else {
    status = aio__buf_str(into, aio__buf_view(&e->body));
  }
  aio__buf_reset(&e->body);
  if (e->body.cap > KEEP_BUFFER || e->ended) aio__buf_free(&e->body);
  atomic_store_explicit(&e->waiting, 0, memory_order_relaxed);
  pthread_mutex_unlock(&e->mutex);
  return status;
}

aiorch_status aio__exchange_state(aio__exchange *e, aio__wire_error *error) {
  aiorch_status status = AIORCH_PENDING;
  if (!atomic_load_explicit(&e->ended, memory_order_acquire)) return status;
  pthread_mutex_lock(&e->mutex);
  if (e->body.n == 0) {
    status = e->outcome.status;
    if (status != AIORCH_OK && error) *error = e->outcome;
  }
  pthread_mutex_unlock(&e->mutex);
  return status;
}

bool aio__exchange_sent(aio__exchange *e) {
  return atomic_load_explicit(&e->connected, memory_order_acquire);
}

/* ---- what comes -------------------------------------------------------------------------------------------------- */

static bool fail(aio__exchange *e, aiorch_status status, const char *why) {
  if (e->failed == AIORCH_OK) {
    e->failed = status;
    e->why = why;
  }
  return false;
}

/* One header a line; a line without a colon is none. */
static size_t split_head(aio__str head, aio__wire_header *headers) {
  size_t count = 0;
  for (size_t pos = 0; pos < head.n;) {
    const char *end = memchr(head.p + pos, '\n', head.n - pos);
    size_t n = end ? (size_t)(end - head.p) - pos : head.n - pos;
    const char *colon = memchr(head.p + pos, ':', n);
    if (pos > 0 && colon && colon > head.p + pos) {
      if (headers) {
        size_t name = (size_t)(colon - head.p) - pos;
        headers[count].name = aio__str_n(head.p + pos, name);
        headers[count].value = aio__str_trim(aio__str_n(colon + 1, n - name - 1));
        headers[count].secret = aio__wire_same_name(headers[count].name, "set-cookie");
      }
      count++;
    }
    pos += n + 1;
  }
  return count;
}

/* "HTTP/1.1 200 OK" */
static int32_t status_of(aio__str head) {
  size_t pos = 0;
  int32_t status = 0;
  while (pos < head.n && head.p[pos] != ' ' && head.p[pos] != '\n') pos++;
  while (pos < head.n && head.p[pos] == ' ') pos++;
  for (size_t digits = 0; digits < 3; digits++, pos++) {
    if (pos >= head.n || head.p[pos] < '0' || head.p[pos] > '9') return 0;
    status = status * 10 + (head.p[pos] - '0');
  }
  return status;
}

static bool end_head(aio__exchange *e) {
  aio__str head = aio__buf_view(&e->head);
  int32_t status = status_of(head);
  if (status == 0) return fail(e, AIORCH_E_RESPONSE, "answered with what is no HTTP: no status");
  if (status < 200) return true; /* an interim reply: another head follows */
  size_t count = split_head(head, NULL);
  if (count > AIO__EXCHANGE_HEADERS_MAX)
    return fail(e, AIORCH_E_TOO_LARGE, "sent more than 256 headers (AIO__EXCHANGE_HEADERS_MAX)");
  if (count > 0) {
    e->headers = aio__calloc(e->al, count, sizeof *e->headers);
    if (!e->headers) return fail(e, AIORCH_E_NOMEM, "no memory for the headers");
    split_head(head, e->headers);
  }
  e->reply = (aio__wire_reply){status, e->headers, count, aio__clock_wall_ms(e->clock)};
  e->phase = AIO__EXCHANGE_READING;
  e->last_ns = aio__clock_now(e->clock);
  atomic_store_explicit(&e->has_head, true, memory_order_release);
  return true;
}

bool aio__exchange_add_line(aio__exchange *e, aio__str line) {
  if (line.n > AIO__EXCHANGE_HEAD_MAX - e->head_bytes)
    return fail(e, AIORCH_E_TOO_LARGE, "sent headers of more than 64 kB (AIO__EXCHANGE_HEAD_MAX)");
  e->head_bytes += line.n;
  if (e->phase == AIO__EXCHANGE_READING) return true; /* a trailer */
  if (aio__str_starts(line, AIO__LIT("HTTP/"))) aio__buf_reset(&e->head);
  aio__str text = aio__str_trim(line);
  if (text.n == 0) return end_head(e);
  aio__buf_str(&e->head, text);
  return aio__buf_char(&e->head, '\n') == AIORCH_OK || fail(e, AIORCH_E_NOMEM, "no memory for the headers");
}

bool aio__exchange_add_body(aio__exchange *e, aio__str bytes) {
  if (bytes.n > e->limits.response_max - e->body_bytes)
    return fail(e, AIORCH_E_TOO_LARGE, "sent more than the largest reply that is taken (response_max)");
  e->body_bytes += bytes.n;
  e->last_ns = aio__clock_now(e->clock);
  pthread_mutex_lock(&e->mutex);
  bool kept = e->dropped || aio__buf_str(&e->body, bytes) == AIORCH_OK;
  atomic_store_explicit(&e->waiting, e->body.n, memory_order_release);
  pthread_mutex_unlock(&e->mutex);
  return kept || fail(e, AIORCH_E_NOMEM, "no memory for the reply");
}

bool aio__exchange_pauses(aio__exchange *e) {
  /* It grows on this thread alone. */
  if (atomic_load_explicit(&e->waiting, memory_order_relaxed) < e->limits.buffer_max) return false;
  pthread_mutex_lock(&e->mutex);
  bool pauses = !e->paused && !e->ended && e->body.n >= e->limits.buffer_max;
  if (pauses) e->paused = true;
  pthread_mutex_unlock(&e->mutex);
  return pauses;
}

bool aio__exchange_resumes(aio__exchange *e) {
  pthread_mutex_lock(&e->mutex);
  bool resumes = e->paused && !e->ended && e->body.n < e->limits.buffer_max;
  if (resumes) e->paused = false;
  pthread_mutex_unlock(&e->mutex);
  if (resumes) e->last_ns = aio__clock_now(e->clock);
  return resumes;
}

bool aio__exchange_is_dropped(aio__exchange *e) {
  pthread_mutex_lock(&e->mutex);
  bool dropped = e->dropped;
  pthread_mutex_unlock(&e->mutex);
  return dropped;
}

void aio__exchange_connected(aio__exchange *e) {
  e->last_ns = e->sent_ns = aio__clock_now(e->clock);
  e->phase = AIO__EXCHANGE_SENDING;
  atomic_store_explicit(&e->connected, true, memory_order_release);
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static int64_t later(int64_t from_ns, int64_t ms) {
  return ms <= 0 || ms > (AIO__NEVER - from_ns) / NS_PER_MS ? AIO__NEVER : from_ns + ms * NS_PER_MS;
}

static int64_t phase_due(const aio__exchange *e) {
  switch (e->phase) {
    case AIO__EXCHANGE_CONNECTING: return later(e->turn_ns, e->limits.connect_ms);
    case AIO__EXCHANGE_SENDING: return later(e->last_ns, e->limits.idle_ms);
    case AIO__EXCHANGE_AWAITING: return later(e->sent_ns, e->limits.first_byte_ms);
    case AIO__EXCHANGE_READING: return e->paused ? AIO__NEVER : later(e->last_ns, e->limits.idle_ms);
    default: return AIO__NEVER;
  }
}

int64_t aio__exchange_due(const aio__exchange *e) {
  int64_t due = phase_due(e);
  if (e->phase == AIO__EXCHANGE_ENDED || e->limits.deadline_ns == 0) return due;
  return due < e->limits.deadline_ns ? due : e->limits.deadline_ns;
}

static void end_by_deadline(aio__exchange *e) {
  static const char *const words[] = {
      [AIO__EXCHANGE_WAITING] = "the deadline passed while waiting for a free connection (http.connections_max, _per_host)",
      [AIO__EXCHANGE_CONNECTING] = "the deadline passed while connecting",
      [AIO__EXCHANGE_SENDING] = "the deadline passed while the request was being sent",
      [AIO__EXCHANGE_AWAITING] = "the deadline passed while waiting for the reply",
      [AIO__EXCHANGE_READING] = "the deadline passed in the midst of the reply",
  };
  aio__exchange_end(e, AIORCH_E_DEADLINE, words[e->phase]);
}

bool aio__exchange_overdue(aio__exchange *e) {
  char words[WORDS_MAX];
  int64_t now = aio__clock_now(e->clock);
  if (e->phase == AIO__EXCHANGE_ENDED) return false;
  if (e->limits.deadline_ns != 0 && now >= e->limits.deadline_ns) {
    end_by_deadline(e);
    return true;
  }
  if (now < phase_due(e)) return false;
  switch (e->phase) {
    case AIO__EXCHANGE_CONNECTING:
      snprintf(words, sizeof words, "no connection within %lld ms (connect limit)", (long long)e->limits.connect_ms);
      break;
    case AIO__EXCHANGE_SENDING:
      snprintf(words, sizeof words, "took nothing of the request for %lld ms (idle limit)", (long long)e->limits.idle_ms);
      break;
    case AIO__EXCHANGE_AWAITING:
      snprintf(words, sizeof words, "no reply within %lld ms after the request (first byte limit)",
               (long long)e->limits.first_byte_ms);
      break;
    default:
      snprintf(words, sizeof words, "sent nothing for %lld ms in the midst of the reply (idle limit)",
               (long long)e->limits.idle_ms);
  }
  aio__exchange_end(e, AIORCH_E_NETWORK, words);
  return true;
}

void aio__exchange_end(aio__exchange *e, aiorch_status status, const char *words) {
  char text[WORDS_MAX];
  aio__wire_error outcome = {.retry_after_ms = -1, .should_retry = -1};
  if (status != AIORCH_OK) {
    aio__str host = e->request->host;
    if (e->phase == AIO__EXCHANGE_READING) aio__wire_error_begin(&outcome, &e->reply);
    if (host.n > HOST_SHOWN) host.n = HOST_SHOWN;
    const char *through = e->through ? e->through : "";
    snprintf(text, sizeof text, "%.*s: %s%s%.*s", (int)host.n, host.p, words, e->through ? ", " : "", THROUGH_SHOWN, through);
    aio__wire_say(&outcome, aio__str_z(text), e->request->secret);
  }
  outcome.status = status;
  e->phase = AIO__EXCHANGE_ENDED;
  pthread_mutex_lock(&e->mutex);
  e->outcome = outcome;
  e->ended = true;
  e->paused = false;
  pthread_mutex_unlock(&e->mutex);
}
