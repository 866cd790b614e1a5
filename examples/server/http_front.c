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
#include <sys/socket.h>
#include <unistd.h>

enum { DISCARD_MAX = 65536, STREAM_BLOCK = 2048, PREALLOCATE_MAX = 65536, CONNECTIONS_MOST = 1000001 };

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

static void make_id(http_front *front, http_request *request, const char *given) {
  if (given && strict_id(given)) {
    cli_fit(request->id, sizeof request->id, given);
    return;
  }
  uint64_t z = front->id_seed + ++front->id_next * 0x9E3779B97F4A7C15u; /* splitmix64: no two are alike */
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  memcpy(request->id, "req-", 4);
  for (int i = 0; i < 16; i++) request->id[4 + i] = "0123456789abcdef"[z >> (60 - 4 * i) & 15];
  request->id[20] = '\0';
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
  if (conn->tls) page_at(conn);
  conn_head_begins(conn);
  memcpy(s->call.request.address, conn->address, sizeof conn->address);
  s->call.request.find_header = find_header;
  s->call.request.find_query = find_query;
  s->call.request.tls = conn->daemon->tls;
  return s;
}

static enum MHD_Result look_at_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value,
                                      size_t value_len) {
  (void)kind;
  strict_place(cls, name, name_len, value, value_len);
  strict_header(cls, name, name_len, value ? value : "", value ? value_len : 0);
  return MHD_YES;
}

/* ---- answers ---- */

static void add_header(void *context, const char *name, const char *value) { MHD_add_response_header(context, name, value); }

static void add_heads(call_state *s, const char *content_type, const http_headers *headers) {
  if (content_type) MHD_add_response_header(s->response, "Content-Type", content_type);
  MHD_add_response_header(s->response, "x-request-id", s->call.request.id);
  if (headers) headers_each(headers, add_header, s->response);
  if (s->front->draining) MHD_add_response_header(s->response, "Connection", "close");
}

static void finish(call_state *s) {
  http_front *front = s->front;
  for (call_state **at = &front->rooms; *at; at = &(*at)->next_room) {
    if (*at != s) continue;
    *at = s->next_room;
    break;
  }
  if (s->response) MHD_destroy_response(s->response);
  front->counts.body_bytes -= (int64_t)s->reserved;
  if (s->call.body_share) *s->call.body_share -= (int64_t)s->reserved;
  if (s->head_told) front->host.over(front->host.context, &s->call, s->status, s->bytes_out);
  front->counts.calls--;
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
  if (s->conn->tls) page_at(s->conn);
  if (s->gone || (n == 0 && s->front->ended && !s->ended)) return MHD_CONTENT_READER_END_WITH_ERROR;
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

static void answer_text(const http_call *call, const http_problem *why, const http_headers *headers, const cli_bytes *body, cli_bytes *out) {
  cli_addf(out, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nx-request-id: %s\r\nConnection: close\r\n",
           why->status, MHD_get_reason_phrase_for((unsigned)why->status), body->len, call->request.id);
  headers_each(headers, add_line, out);
  cli_addz(out, "\r\n");
  if (strcmp(call->request.method, "HEAD") != 0) cli_add(out, cli_z(body), body->len);
}

void refusal_text(http_front *front, http_call *call, const http_problem *why, cli_bytes *out) {
  cli_bytes body = {0};
  http_headers headers = {0};
  if (!call->request.id[0]) make_id(front, &call->request, NULL);
  front->host.refuse(front->host.context, call, why, &headers, &body);
  answer_text(call, why, &headers, &body, out);
  headers_free(&headers);
  cli_release(&body);
}

static bool answer_past_library(call_state *s, const http_problem *why, const http_headers *headers, const cli_bytes *body) {
  cli_bytes head = {0};
  answer_text(&s->call, why, headers, body, &head);
  bool sent = send_last(s->conn, &head);
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

/* `rest`: how much of a body is still to come; UINT64_MAX when nobody knows. `framed`: where the next request begins is beyond doubt. Who
 * waits to be told to go on is told no instead: whether the body comes then nobody knows. */
static enum MHD_Result refuse(call_state *s, const http_problem *why, uint64_t rest, bool framed) {
  cli_bytes body = {0};
  http_headers headers = {0};
  s->refused = true;
  if (s->expects && rest > 0 && s->in.len == 0) rest = UINT64_MAX;
  s->front->counts.bad_requests++;
  if (why->status == 413 || why->status == 431) s->front->counts.too_large++;
  s->front->host.refuse(s->front->host.context, &s->call, why, &headers, &body);
  s->status = why->status;
  if (rest > DISCARD_MAX || !framed) {
    s->answer = ANSWER_WHOLE;
    s->bytes_out = body.len;
    enum MHD_Result result = answer_past_library(s, why, &headers, &body) ? MHD_YES : MHD_NO;
    cli_release(&body);
    headers_free(&headers);
    return result;
  }
  http_answer(&s->call, why->status, "application/json", &headers, &body);
  headers_free(&headers);
  return MHD_YES;
}

/* ---- requests ---- */

static bool check_uri(call_state *s, http_problem *why) {
  if (s->uri_len > s->front->limits.uri_bytes) {
    return http_problem_set(why, 414, "uri_too_long", NULL, "the address has more than %zu bytes", s->front->limits.uri_bytes);
  }
  if (!strict_uri(s->path)) return http_problem_set(why, 400, "bad_request", NULL, "the address of the request has characters that none has");
  s->path[strcspn(s->path, "?")] = '\0';
  return true;
}

/* What a head says, as far as the front itself has to know it. */
static bool read_head(call_state *s, const char *method, const char *version, http_problem *why) {
  strict_head head = {0};
  s->http_1_1 = strcmp(version, "HTTP/1.1") == 0;
  conn_phase_set(s->conn, CONN_BODY);
  s->call.request.begun_us = cli_mono_us();
  cli_fit(s->call.request.method, sizeof s->call.request.method, method);
  make_id(s->front, &s->call.request, request_header(&s->call.request, "x-request-id"));
  MHD_get_connection_values_n(s->conn->mhd, MHD_HEADER_KIND, look_at_header, &head);
  strict_end(&head, s->http_1_1);
  const char *expect = request_header(&s->call.request, "expect");
  s->expects = expect && strcasecmp(expect, "100-continue") == 0;
  s->length = head.length;
  s->rest = head.chunked ? UINT64_MAX : head.length;
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(s->conn->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
  if (info && info->header_size > s->front->limits.head_bytes) {
    return http_problem_set(why, 431, "headers_too_large", NULL, "the head of the request has more than %zu bytes", s->front->limits.head_bytes);
  }
  if (head.bad) return http_problem_set(why, 400, "bad_request", NULL, "%s", head.bad);
  return check_uri(s, why);
}

/* The head is whole. The library asks again when the host could not say at once. */
static enum MHD_Result on_head(call_state *s, const char *method, const char *version) {
  http_problem why;
  if (s->gone) return MHD_NO;
  if (!s->head_waits && !read_head(s, method, version, &why)) {
    s->head_seen = true;
    return refuse(s, &why, s->rest, false);
  }
  s->head_told = true;
  http_verdict verdict = s->front->host.head(s->front->host.context, &s->call, &s->body_max, &why);
  s->head_waits = verdict == HTTP_LATER;
  s->head_seen = !s->head_waits;
  if (s->head_waits) {
    s->suspended = true;
    MHD_suspend_connection(s->conn->mhd);
    return MHD_YES;
  }
  if (verdict == HTTP_REFUSED || !body_fits(s, s->length, &why)) return refuse(s, &why, s->rest, true);
  if (s->length > 0 && s->length <= PREALLOCATE_MAX) { /* a promise of more is believed as it comes */
    s->in.data = cli_alloc((size_t)s->length + 1);
    s->in.cap = (size_t)s->length + 1;
  }
  return MHD_YES;
}

void http_head_again(http_call *call) {
  call_state *s = (call_state *)call;
  if (!s->head_waits || !s->suspended || !s->conn) return;
  s->suspended = false;
  s->front->due = true;
  MHD_resume_connection(s->conn->mhd);
}

static enum MHD_Result on_body(call_state *s, const char *data, size_t *size) {
  http_problem why;
  size_t n = *size;
  *size = 0;
  s->front->counts.bytes_in += n;
  if (s->refused) return MHD_YES;
  if (!body_fits(s, s->in.len + (uint64_t)n, &why)) return refuse(s, &why, UINT64_MAX, true);
  return body_keep(s, data, n, &why) ? MHD_YES : refuse(s, &why, UINT64_MAX, true);
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
  if (!s || !s->conn || (s->front->ended && s->answer == ANSWER_NONE)) return MHD_NO;
  if (s->conn->tls) page_at(s->conn);
  if (!s->head_seen) return on_head(s, method, version);
  return *size > 0 ? on_body(s, data, size) : on_whole(s);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode code) {
  call_state *s = *state;
  (void)cls, (void)mhd;
  *state = NULL;
  if (!s) return;
  http_conn *conn = s->conn;
  if (conn && conn->tls) page_at(conn);
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
  http_daemon *daemon = cls;
  if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
    if (*context) conn_free(*context);
    *context = NULL;
    return;
  }
  http_conn *conn = daemon->front->adding;
  daemon->front->adding = NULL;
  daemon->connections++;
  conn->daemon = daemon;
  conn->mhd = mhd;
  *context = conn;
  const union MHD_ConnectionInfo *info = daemon->tls ? MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION) : NULL;
  if (info && info->tls_session) page_watch(conn, info->tls_session);
}

/* The status of an answer that waits to be written; 0: there is none. */
unsigned conn_page(const http_conn *conn) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_HTTP_STATUS);
  return info ? info->http_status : 0;
}

void conn_hold(http_conn *conn) {
  if (!conn->held) MHD_suspend_connection(conn->mhd);
  conn->held = true;
}

void conn_let_go(http_conn *conn) {
  if (!conn->held) return;
  conn->held = false;
  conn->front->due = true;
  MHD_resume_connection(conn->mhd);
}

void conn_end(http_conn *conn) {
  bool waits = conn->call && conn->call->suspended;
  conn_let_go(conn);
  if (!waits) return;
  conn->call->suspended = false;
  conn->call->gone = true;
  MHD_resume_connection(conn->mhd);
}

void conn_start(http_conn *conn) {
  http_front *front = conn->front;
  front->adding = conn;
  front->due = true;
  enum MHD_Result taken = MHD_add_connection(front->daemon->mhd, conn->fd, (const struct sockaddr *)&conn->from, (socklen_t)conn->from_len);
  /* One that it does not take it closes; when it has told nobody of it, nobody has freed it. */
  if (taken != MHD_YES && front->adding) conn_free(conn);
  front->adding = NULL;
}

/* ---- the library at work ---- */

static void on_daemon(loop_watch *watch, uint32_t events) {
  (void)events;
  ((http_daemon *)watch)->front->due = true;
}

/* The first thing that it says is why it does not start; later, that it is about to write a page of its own. */
__attribute__((format(printf, 2, 0))) static void on_words(void *cls, const char *format, va_list args) {
  static const char page[] = "Error processing request (HTTP response code is";
  http_front *front = cls;
  if (strncmp(format, page, sizeof page - 1) == 0) page_made(front);
  if (!front->words[0]) vsnprintf(front->words, sizeof front->words, format, args);
  front->words[strcspn(front->words, "\n")] = '\0';
}

void daemon_stop(http_daemon *daemon) {
  if (daemon->mhd) MHD_run(daemon->mhd);
  if (daemon->mhd) MHD_stop_daemon(daemon->mhd);
  free(daemon);
}

http_daemon *daemon_start(http_front *front, size_t head_bytes, const char *certificate, const char *key, char why[256]) {
  unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (certificate ? MHD_USE_TLS : 0);
  struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)certificate},
                                 {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
                                 {MHD_OPTION_END, 0, NULL}};
  http_daemon *daemon = cli_alloc(sizeof *daemon);
  /* STRICT_FOR_CLIENT 0: what it would refuse beyond that http_strict.c does, with an error of ours. */
  front->words[0] = '\0';
  daemon->watch.ready = on_daemon;
  daemon->front = front;
  daemon->tls = certificate != NULL;
  daemon->mhd = MHD_start_daemon(
      flags, 0, NULL, NULL, on_access, front, MHD_OPTION_EXTERNAL_LOGGER, on_words, front, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      head_bytes + STRICT_POOL_EXTRA, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MOST, MHD_OPTION_STRICT_FOR_CLIENT, 0,
      MHD_OPTION_URI_LOG_CALLBACK, on_uri, front, MHD_OPTION_NOTIFY_COMPLETED, on_completed, front, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
      daemon, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, certificate ? tls : &tls[2], MHD_OPTION_END);
  const union MHD_DaemonInfo *info = daemon->mhd ? MHD_get_daemon_info(daemon->mhd, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = daemon};
  if (info && epoll_ctl(front->epoll, EPOLL_CTL_ADD, info->epoll_fd, &event) == 0) return daemon;
  snprintf(why, 256, "HTTP cannot be started%s%s%.100s",
           certificate ? "; are server.tls.certificate and server.tls.key PEM, and do they belong together?" : "", front->words[0] ? " " : "", front->words);
  daemon_stop(daemon);
  return NULL;
}

/* Those that were replaced end with their last connection. */
void daemons_work(http_front *front) {
  MHD_UNSIGNED_LONG_LONG wait = 0;
  for (http_daemon **at = &front->daemon; *at;) {
    http_daemon *daemon = *at;
    front->working = daemon;
    MHD_run(daemon->mhd);
    front->working = NULL;
    page_round_ended(front);
    if (MHD_get_timeout(daemon->mhd, &wait) == MHD_YES && wait == 0) front->due = true;
    if (daemon == front->daemon || daemon->connections > 0) {
      at = &daemon->next;
      continue;
    }
    *at = daemon->next;
    daemon_stop(daemon);
  }
}
