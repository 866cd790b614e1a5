/*
 * The front over libmicrohttpd, whose epoll descriptor is one of the loop's. A request that is with the host is a suspended connection;
 * an answer resumes it. The library parses; what it lets through and should not is http_strict.c's matter, how long things may take that
 * of http_conns.c.
 */
#include "http_front_private.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DISCARD_MAX = 65536, STREAM_BLOCK = 16384, POOL_EXTRA = 4096, BACKLOG_ROUNDS = 4, PREALLOCATE_MAX = 65536 };

/* ---- what a request says ---- */

static enum MHD_Result keep_last(void *cls, enum MHD_ValueKind kind, const char *name, const char *value) {
  (void)kind;
  if (strcasecmp(name, "x-forwarded-for") == 0) *(const char **)cls = value;
  return MHD_YES;
}

/* Of a header that may come more than once the last is what the nearest proxy wrote: some add a line of their own. */
static const char *find_header(const http_request *request, const char *name) {
  const call_state *s = request->carrier;
  const char *last = NULL;
  if (strcasecmp(name, "x-forwarded-for") == 0) {
    MHD_get_connection_values(s->conn->mhd, MHD_HEADER_KIND, keep_last, &last);
    return last;
  }
  return MHD_lookup_connection_value(s->conn->mhd, MHD_HEADER_KIND, name);
}

static const char *find_query(const http_request *request, const char *name) {
  const call_state *s = request->carrier;
  return MHD_lookup_connection_value(s->conn->mhd, MHD_GET_ARGUMENT_KIND, name);
}

static void make_id(call_state *s, const char *given) {
  if (given && strict_id(given)) {
    snprintf(s->call.request.id, sizeof s->call.request.id, "%s", given);
    return;
  }
  uint64_t z = s->front->id_seed + ++s->front->id_next * 0x9E3779B97F4A7C15u; /* splitmix64: no two are alike */
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  snprintf(s->call.request.id, sizeof s->call.request.id, "req-%016llx", (unsigned long long)(z ^ (z >> 31)));
}

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mhd) {
  http_front *front = cls;
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  http_conn *conn = info ? info->socket_context : NULL;
  call_state *s = cli_alloc(sizeof *s);
  s->front = front;
  s->conn = conn;
  s->uri_len = strlen(uri);
  s->path = cli_copy(uri, s->uri_len);
  s->call.request.carrier = s;
  s->call.request.path = s->path;
  front->counts.calls++;
  if (!conn) return s;
  conn->call = s;
  if (conn->phase == CONN_IDLE) conn_phase_set(conn, CONN_HEAD);
  memcpy(s->call.request.address, conn->address, sizeof conn->address);
  s->call.request.find_header = find_header;
  s->call.request.find_query = find_query;
  s->call.request.tls = front->tls;
  return s;
}

static enum MHD_Result look_at_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value,
                                      size_t value_len) {
  (void)kind;
  strict_header(cls, name, name_len, value ? value : "", value ? value_len : 0);
  return MHD_YES;
}

/* ---- answers ---- */

static void add_header(void *context, const char *name, const char *value) { MHD_add_response_header(context, name, value); }

static void add_heads(call_state *s, const char *content_type, const http_headers *headers) {
  if (content_type) MHD_add_response_header(s->response, "Content-Type", content_type);
  MHD_add_response_header(s->response, "x-request-id", s->call.request.id);
  if (headers) headers_each(headers, add_header, s->response);
  if (s->close || s->front->draining) MHD_add_response_header(s->response, "Connection", "close");
}

static void finish(call_state *s) {
  http_front *front = s->front;
  for (call_state **at = &front->rooms; *at; at = &(*at)->next_room) {
    if (*at != s) continue;
    *at = s->next_room;
    break;
  }
  if (s->response) MHD_destroy_response(s->response);
  if (s->head_told) front->host.over(front->host.context, &s->call, s->status, s->bytes_out);
  front->counts.calls--;
  front->counts.body_bytes -= (int64_t)s->reserved;
  front->counts.bytes_out += s->bytes_out;
  cli_release(&s->in);
  cli_release(&s->out);
  free(s->path);
  free(s);
}

/* The connection may have come to its end while the host was at work: then nobody is left to answer. */
static void wake(call_state *s) {
  s->front->due = true;
  if (!s->conn) {
    if (s->answer == ANSWER_WHOLE || s->ended) finish(s);
  } else if (s->suspended) {
    s->suspended = false;
    MHD_resume_connection(s->conn->mhd);
  }
}

void http_answer(http_call *call, int status, const char *content_type, const http_headers *headers, cli_bytes *body) {
  call_state *s = (call_state *)call;
  s->answer = ANSWER_WHOLE;
  s->status = status;
  s->bytes_out = body->len;
  if (!s->gone) {
    s->response = MHD_create_response_from_buffer(body->len, body->data, body->data ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (s->response) *body = (cli_bytes){0};
    if (s->response) add_heads(s, content_type, headers);
  }
  cli_release(body);
  wake(s);
}

/* The client has less waiting than half of what it may: the host may make more. Told after the library's round, not inside it. */
static void note_room(call_state *s) {
  if (!s->wants_room || s->out.len - s->sent > s->front->limits.stream_buffer_bytes / 2) return;
  s->wants_room = false;
  s->next_room = s->front->rooms;
  s->front->rooms = s;
}

static ssize_t read_stream(void *cls, uint64_t pos, char *to, size_t max) {
  call_state *s = cls;
  (void)pos;
  size_t n = s->out.len - s->sent;
  if (s->gone) return MHD_CONTENT_READER_END_WITH_ERROR;
  if (n == 0 && s->ended) return s->whole ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
  if (n == 0) {
    s->suspended = true;
    MHD_suspend_connection(s->conn->mhd);
    return 0;
  }
  if (n > max) n = max;
  memcpy(to, s->out.data + s->sent, n);
  s->sent += n;
  s->bytes_out += n;
  s->conn->since_ms = s->front->now_ms;
  if (s->sent == s->out.len) {
    s->sent = 0;
    cli_clear(&s->out);
  }
  note_room(s);
  return (ssize_t)n;
}

void http_stream_begin(http_call *call, int status, const char *content_type, const http_headers *headers) {
  call_state *s = (call_state *)call;
  s->answer = ANSWER_STREAM;
  s->status = status;
  if (s->gone) return;
  s->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, s, NULL);
  if (s->response) add_heads(s, content_type, headers);
  wake(s);
}

void http_stream_write(http_call *call, cli_bytes *bytes) {
  call_state *s = (call_state *)call;
  if (!s->gone && s->out.len == 0) {
    cli_bytes empty = s->out;
    s->out = *bytes;
    *bytes = empty;
  } else if (!s->gone) {
    if (s->sent > s->out.len / 2) { /* what was taken does not stay for ever */
      memmove(s->out.data, s->out.data + s->sent, s->out.len - s->sent);
      s->out.len -= s->sent;
      s->sent = 0;
    }
    cli_add(&s->out, bytes->data, bytes->len);
  }
  cli_clear(bytes);
  if (!s->gone) wake(s);
}

void http_stream_end(http_call *call, bool whole) {
  call_state *s = (call_state *)call;
  s->ended = true;
  s->whole = whole;
  wake(s);
}

bool http_stream_room(const http_call *call) {
  call_state *s = (call_state *)(uintptr_t)call;
  if (s->gone || s->out.len - s->sent < s->front->limits.stream_buffer_bytes) return true;
  s->wants_room = true;
  return false;
}

bool http_call_gone(const http_call *call) { return ((const call_state *)call)->gone; }

/* ---- refusing ---- */

/* Written by ourselves and not by the library, which would close at once and so tear away what the client has not read yet. */
static void add_line(void *context, const char *name, const char *value) { cli_addf(context, "%s: %s\r\n", name, value); }

static bool answer_past_library(call_state *s, const http_problem *why, const http_headers *headers, const cli_bytes *body) {
  cli_bytes head = {0};
  cli_addf(&head, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nx-request-id: %s\r\nConnection: close\r\n",
           why->status, MHD_get_reason_phrase_for((unsigned)why->status), body->len, s->call.request.id);
  headers_each(headers, add_line, &head);
  cli_addz(&head, "\r\n");
  cli_add(&head, cli_z(body), body->len);
  bool sent = send(s->conn->fd, head.data, head.len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)head.len;
  if (sent) shutdown(s->conn->fd, SHUT_WR);
  cli_release(&head);
  conn_phase_set(s->conn, CONN_LINGER);
  return sent;
}

static enum MHD_Result queue(call_state *s) {
  struct MHD_Response *response = s->response;
  s->response = NULL;
  if (s->gone || !response) return MHD_NO;
  conn_phase_set(s->conn, CONN_CALL);
  enum MHD_Result result = MHD_queue_response(s->conn->mhd, (unsigned)s->status, response);
  MHD_destroy_response(response);
  return result;
}

/* `rest`: how much of a body is still to come; UINT64_MAX when nobody knows. `framed`: where the next request begins is beyond doubt. */
static enum MHD_Result refuse(call_state *s, const http_problem *why, uint64_t rest, bool framed) {
  cli_bytes body = {0};
  http_headers headers = {0};
  s->refused = true;
  s->front->counts.bad_requests++;
  if (why->status == 413) s->front->counts.too_large++;
  s->front->host.refuse(s->front->host.context, &s->call, why, &headers, &body);
  s->status = why->status;
  if ((rest > DISCARD_MAX || !framed) && !s->front->tls) {
    s->answer = ANSWER_WHOLE;
    s->bytes_out = body.len;
    enum MHD_Result result = answer_past_library(s, why, &headers, &body) ? MHD_YES : MHD_NO;
    cli_release(&body);
    headers_free(&headers);
    return result;
  }
  s->close = rest > DISCARD_MAX || !framed;
  http_answer(&s->call, why->status, "application/json", &headers, &body);
  headers_free(&headers);
  return s->close ? queue(s) : MHD_YES;
}

/* ---- requests ---- */

static bool reserve_body(call_state *s, size_t size, http_problem *why) {
  http_front *front = s->front;
  if (size <= s->reserved) return true;
  if ((uint64_t)front->counts.body_bytes + (size - s->reserved) > front->limits.bodies_bytes) {
    http_problem_set(why, 503, "overloaded", NULL, "too many request bodies at once; try again in a moment");
    why->retry_after_ms = 1000;
    return false;
  }
  front->counts.body_bytes += (int64_t)(size - s->reserved);
  s->reserved = size;
  return true;
}

static bool body_fits(call_state *s, uint64_t size, http_problem *why) {
  if (size <= s->body_max) return reserve_body(s, (size_t)size, why);
  if (s->body_max == 0) return http_problem_set(why, 413, "too_large", NULL, "this takes no body");
  return http_problem_set(why, 413, "too_large", NULL, "the body has more than %zu bytes", s->body_max);
}

static bool check_uri(call_state *s, http_problem *why) {
  if (s->uri_len > s->front->limits.uri_bytes) {
    return http_problem_set(why, 414, "uri_too_long", NULL, "the address has more than %zu bytes", s->front->limits.uri_bytes);
  }
  if (!strict_uri(s->path)) return http_problem_set(why, 400, "bad_request", NULL, "the address of the request has characters that none has");
  s->path[strcspn(s->path, "?")] = '\0';
  return true;
}

/* The head is whole. */
static enum MHD_Result on_head(call_state *s, const char *method, const char *version) {
  strict_head head = {0};
  http_problem why;
  s->head_seen = true;
  s->http_1_1 = strcmp(version, "HTTP/1.1") == 0;
  conn_phase_set(s->conn, CONN_BODY);
  s->call.request.begun_us = cli_mono_us();
  snprintf(s->call.request.method, sizeof s->call.request.method, "%s", method);
  make_id(s, request_header(&s->call.request, "x-request-id"));
  MHD_get_connection_values_n(s->conn->mhd, MHD_HEADER_KIND, look_at_header, &head);
  strict_end(&head, s->http_1_1);
  uint64_t rest = head.chunked ? UINT64_MAX : head.length;
  if (head.bad) {
    http_problem_set(&why, 400, "bad_request", NULL, "%s", head.bad);
    return refuse(s, &why, rest, false);
  }
  if (!check_uri(s, &why)) return refuse(s, &why, rest, false);
  s->head_told = true;
  if (!s->front->host.head(s->front->host.context, &s->call, &s->body_max, &why) || !body_fits(s, head.length, &why)) {
    return refuse(s, &why, rest, true);
  }
  if (head.length > 0 && head.length <= PREALLOCATE_MAX) { /* a promise of more is believed as it comes */
    s->in.data = cli_alloc((size_t)head.length + 1);
    s->in.cap = (size_t)head.length + 1;
  }
  return MHD_YES;
}

static enum MHD_Result on_body(call_state *s, const char *data, size_t *size) {
  http_problem why;
  size_t n = *size;
  *size = 0;
  s->front->counts.bytes_in += n;
  if (s->refused) return MHD_YES;
  if (!body_fits(s, s->in.len + (uint64_t)n, &why)) return refuse(s, &why, UINT64_MAX, true);
  cli_add(&s->in, data, n);
  return MHD_YES;
}

static enum MHD_Result on_whole(call_state *s) {
  if (s->conn->phase == CONN_LINGER || s->gone) return MHD_NO;
  if (s->answer == ANSWER_NONE && !s->told_host) {
    s->told_host = true;
    conn_phase_set(s->conn, CONN_CALL);
    s->call.body = cli_z(&s->in);
    s->call.body_len = s->in.len;
    s->front->host.request(s->front->host.context, &s->call);
    if (s->conn->half_closed && !s->front->limits.half_closed && s->answer != ANSWER_WHOLE) conn_gone(s->conn);
  }
  if (s->answer != ANSWER_NONE) return queue(s);
  s->suspended = true;
  MHD_suspend_connection(s->conn->mhd);
  return MHD_YES;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
                                 const char *data, size_t *size, void **state) {
  call_state *s = *state;
  (void)cls, (void)mhd, (void)url;
  if (!s || !s->conn) return MHD_NO;
  if (!s->head_seen) return on_head(s, method, version);
  return *size > 0 ? on_body(s, data, size) : on_whole(s);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode code) {
  call_state *s = *state;
  (void)cls, (void)mhd;
  *state = NULL;
  if (!s) return;
  http_conn *conn = s->conn;
  bool open = s->told_host && s->answer != ANSWER_WHOLE && !s->ended;
  if (conn && (open || (code != MHD_REQUEST_TERMINATED_COMPLETED_OK && s->told_host))) conn_gone(conn);
  if (conn) {
    conn->call = NULL;
    if (conn->phase != CONN_LINGER) conn_phase_set(conn, CONN_IDLE);
  }
  s->conn = NULL;
  s->call.request.find_header = s->call.request.find_query = NULL;
  if (!open || s->ended || s->answer == ANSWER_WHOLE) finish(s); /* else when the host is done with it */
}

/* ---- connections ---- */

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code) {
  http_front *front = cls;
  if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
    if (*context) conn_free(*context);
    *context = NULL;
    return;
  }
  const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
  const union MHD_ConnectionInfo *from = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  char address[HTTP_ADDRESS_MAX] = "";
  if (from) http_address_text(from->client_addr, address);
  http_conn *conn = conn_new(front, fd->connect_fd, address);
  conn->mhd = mhd;
  *context = conn;
}

static void turn_away(http_front *front, int fd) {
  static const char words[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  front->counts.refused_connections++;
  if (!front->tls) (void)!send(fd, words, sizeof words - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  close(fd);
}

void http_front_take(http_front *front, int fd, const void *address, size_t address_len, int64_t now_ms) {
  char text[HTTP_ADDRESS_MAX];
  front->now_ms = now_ms;
  http_address_text(address, text);
  if (front->counts.connections >= front->limits.connections || !address_enter(front, text)) {
    turn_away(front, fd);
    return;
  }
  front->counts.accepted++;
  front->due = true;
  /* The library closes it when it does not take it; it has then told nobody. */
  int64_t before = front->counts.connections;
  if (MHD_add_connection(front->daemon, fd, address, (socklen_t)address_len) != MHD_YES && front->counts.connections == before) {
    address_leave(front, text);
  }
}

static void on_daemon(loop_watch *watch, uint32_t events) {
  (void)events;
  ((http_front *)watch)->due = true;
}

static void forget_words(void *cls, const char *format, va_list args) { (void)cls, (void)format, (void)args; }

static void start_daemon(http_front *front, const char *certificate, const char *key) {
  unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (certificate ? MHD_USE_TLS : 0);
  struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)certificate},
                                 {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
                                 {MHD_OPTION_END, 0, NULL}};
  front->daemon = MHD_start_daemon(
      flags, 0, NULL, NULL, on_access, front, MHD_OPTION_EXTERNAL_LOGGER, forget_words, NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      front->limits.head_bytes + POOL_EXTRA, MHD_OPTION_CONNECTION_LIMIT, (unsigned)front->limits.connections + 1,
      MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, on_uri, front, MHD_OPTION_NOTIFY_COMPLETED, on_completed, front,
      MHD_OPTION_NOTIFY_CONNECTION, on_connection, front, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY,
      certificate ? tls : &tls[2], MHD_OPTION_END);
}

http_front *http_front_new(const http_limits *limits, const http_host *host, int epoll, const char *certificate, const char *key,
                           char why[256]) {
  http_front *front = cli_alloc(sizeof *front);
  front->limits = *limits;
  front->host = *host;
  front->epoll = epoll;
  front->tls = certificate != NULL;
  front->watch.ready = on_daemon;
  front->due = true;
  if (getrandom(&front->id_seed, sizeof front->id_seed, 0) != sizeof front->id_seed) front->id_seed = (uint64_t)cli_now_ms();
  start_daemon(front, certificate, key);
  const union MHD_DaemonInfo *info = front->daemon ? MHD_get_daemon_info(front->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = front};
  if (!info || epoll_ctl(epoll, EPOLL_CTL_ADD, info->epoll_fd, &event) != 0) {
    snprintf(why, 256, "HTTP cannot be started%s", certificate ? "; are server.tls.certificate and server.tls.key PEM, and do they belong together?" : "");
    http_front_free(front);
    return NULL;
  }
  return front;
}

void http_front_free(http_front *front) {
  if (!front) return;
  for (http_conn *conn = front->first; conn; conn = conn->next) {
    if (conn->call && conn->call->suspended) {
      conn->call->suspended = false;
      conn->call->gone = true;
      MHD_resume_connection(conn->mhd); /* the library stops with none of them suspended */
    }
  }
  if (front->daemon) MHD_run(front->daemon);
  if (front->daemon) MHD_stop_daemon(front->daemon);
  addresses_free(front);
  free(front);
}

static void tell_rooms(http_front *front) {
  call_state *s = front->rooms;
  front->rooms = NULL;
  while (s) {
    call_state *next = s->next_room;
    s->next_room = NULL;
    front->host.room(front->host.context, &s->call); /* it writes and ends, but no call is freed by that while its connection lives */
    s = next;
  }
}

bool http_front_due(const http_front *front) { return front->due; }

int64_t http_front_work(http_front *front, int64_t now_ms) {
  MHD_UNSIGNED_LONG_LONG wait = 0;
  front->now_ms = now_ms;
  for (int round = 0; round < BACKLOG_ROUNDS && front->due; round++) {
    front->due = false;
    MHD_run(front->daemon);
    tell_rooms(front);
    if (MHD_get_timeout(front->daemon, &wait) == MHD_YES && wait == 0) front->due = true;
  }
  conns_tick(front);
  if (front->due) return 0;
  return front->first ? front->next_tick_ms - front->now_ms + 1 : -1;
}

void http_front_drain(http_front *front) { front->draining = true; }

void http_front_counts(const http_front *front, http_counts *out) { *out = front->counts; }
