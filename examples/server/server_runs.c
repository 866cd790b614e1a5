/*
 * One request's life: who asks, for what, and then a run that is submitted, driven when the library says that it can go on, and told to
 * the client by a wire. A client that goes takes its run with it; what that has cost is settled by the library.
 */
#include "server.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { OVERLOAD_RETRY_MS = 1000, DRAIN_RETRY_MS = 5000 };

/* ---- the head ---- */

static bool refuse_in_drain(http_problem *why) {
  http_problem_set(why, 503, "shutting_down", NULL, "this server is going down; another will answer");
  why->retry_after_ms = DRAIN_RETRY_MS;
  return false;
}

static bool admit(server *s, server_request *r, http_problem *why) {
  if (r->endpoint->open) return true;
  if (s->draining) return refuse_in_drain(why);
  if (s->calls < s->handle->settings.calls_max) {
    r->counted = true;
    s->calls++;
    return true;
  }
  s->counts.overloaded++;
  http_problem_set(why, 503, "overloaded", NULL, "too many requests at once; try again in a moment");
  why->retry_after_ms = OVERLOAD_RETRY_MS;
  return false;
}

static bool on_head(void *context, http_call *call, size_t *body_max, http_problem *why) {
  server *s = context;
  server_request *r = cli_alloc(sizeof *r);
  char allow[64];
  char parts[ENDPOINT_PARTS_MAX][ENDPOINT_PART_MAX + 1];
  call->owner = r;
  r->call = call;
  r->handle = s->handle;
  r->handle->users++;
  s->requests++;
  parts[0][0] = parts[1][0] = '\0';
  r->endpoint = endpoint_find(call->request.method, call->request.path, parts, allow, why);
  if (!r->endpoint || !admit(s, r, why)) return false;
  if (parts[0][0]) {
    r->parts = cli_alloc(sizeof parts);
    memcpy(r->parts, parts, sizeof parts);
  }
  *body_max = r->endpoint->body_max == 1 ? 0 : r->endpoint->body_max ? r->endpoint->body_max : (size_t)r->handle->settings.body_max_bytes;
  bool open = r->endpoint->open || (r->endpoint->serve == endpoint_metrics && r->handle->settings.metrics_open);
  return open || identity_find(r->handle->ids, &call->request, cli_now_ms() / 1000, &r->who, why);
}

static void on_refuse(void *context, const http_call *call, const http_problem *why, http_headers *headers, cli_bytes *body) {
  const server *s = context;
  char allow[64];
  http_problem ignored;
  server_request *r = call->owner;
  identity_headers((r ? r->handle : s->handle)->ids, &call->request, headers);
  if (why->status == 405) {
    endpoint_find(call->request.method, call->request.path, NULL, allow, &ignored);
    headers_set(headers, "Allow", allow);
  }
  if (r) rate_headers(headers, &r->who.left);
  if (why->status == 401) headers_set(headers, "WWW-Authenticate", "Bearer");
  if (why->retry_after_ms >= 0) headers_setf(headers, "Retry-After", "%lld", (long long)(why->retry_after_ms + 999) / 1000);
  exchange x = {.request = &call->request};
  if (r && r->endpoint && r->endpoint->wire) {
    r->endpoint->wire->problem(&x, why);
    *body = x.out;
  } else {
    http_problem_json(why, body);
  }
}

/* ---- answers ---- */

static void add_run_headers(server_request *r) {
  const exchange *x = &r->x;
  const char *text;
  char cost[40];
  size_t len;
  rate_left left = r->who.left;
  if (x->run) aiorch_run_rate_limit(x->run, &left.limit, &left.remaining, &left.reset_ms);
  rate_headers(&r->x.headers, &left);
  if (!x->run) return;
  if (aiorch_run_id(x->run, &text, &len) == AIORCH_OK && len) headers_set(&r->x.headers, "x-aiorch-run-id", text);
  if (aiorch_run_provider(x->run, &text, &len) == AIORCH_OK && len) headers_set(&r->x.headers, "x-aiorch-provider", text);
  if (aiorch_run_model(x->run, &text, &len) == AIORCH_OK && len) headers_set(&r->x.headers, "x-aiorch-model", text);
  headers_set(&r->x.headers, "x-aiorch-cache", exchange_cache(x));
  if (aiorch_run_status(x->run) != AIORCH_PENDING && exchange_cost(x, cost)) headers_set(&r->x.headers, "x-aiorch-cost-usd", cost);
}

static void leave_streams(server_request *r) {
  if (!r->place) return;
  *r->place = r->next;
  if (r->next) r->next->place = r->place;
  r->place = NULL;
}

static void join_streams(server *s, server_request *r) {
  r->next = s->streams;
  r->place = &s->streams;
  if (r->next) r->next->place = &r->next;
  s->streams = r;
  r->spoke_ms = s->now_ms;
}

/* What the wire has made goes to the client; with the first of it the head of the answer. */
static void flush(server *s, server_request *r) {
  if (r->x.out.len == 0) return;
  if (!r->x.started) {
    r->x.started = true;
    add_run_headers(r);
    identity_headers(r->handle->ids, &r->call->request, &r->x.headers);
    headers_set(&r->x.headers, "Cache-Control", "no-cache, no-transform");
    headers_set(&r->x.headers, "X-Accel-Buffering", "no"); /* nginx: each event as it comes */
    http_stream_begin(r->call, 200, r->endpoint->wire->content_type_streamed, &r->x.headers);
    join_streams(s, r);
  }
  s->counts.stream_events++;
  r->spoke_ms = s->now_ms;
  http_stream_write(r->call, &r->x.out);
}

/* The run goes first: after the answer the request may be gone. */
static void answer(server *s, server_request *r, int status, const char *content_type) {
  http_headers headers = r->x.headers;
  cli_bytes body = r->x.out;
  identity_headers(r->handle->ids, &r->call->request, &headers);
  r->x.headers = (http_headers){0};
  r->x.out = (cli_bytes){0};
  aiorch_run_free(r->x.run);
  r->x.run = NULL;
  (void)s;
  http_answer(r->call, status, content_type, &headers, &body);
  headers_free(&headers);
}

static void answer_problem(server *s, server_request *r, const http_problem *why) {
  if (why->retry_after_ms >= 0) headers_setf(&r->x.headers, "Retry-After", "%lld", (long long)(why->retry_after_ms + 999) / 1000);
  add_run_headers(r);
  cli_clear(&r->x.out);
  r->endpoint->wire->problem(&r->x, why);
  answer(s, r, why->status, "application/json");
}

static void end_stream(server *s, server_request *r) {
  flush(s, r);
  leave_streams(r);
  aiorch_run_free(r->x.run);
  r->x.run = NULL;
  http_stream_end(r->call, true);
}

/* The run has ended, and everything about it is known. */
static void finish(server *s, server_request *r) {
  http_problem why;
  aiorch_status status = aiorch_run_status(r->x.run);
  if (status == AIORCH_OK && !r->x.streamed) {
    add_run_headers(r);
    r->endpoint->wire->whole(&r->x);
    answer(s, r, 200, "application/json");
    return;
  }
  if (status != AIORCH_OK) {
    http_problem_of(&why, status, aiorch_run_error(r->x.run));
    if (!r->x.started) {
      answer_problem(s, r, &why);
      return;
    }
    r->endpoint->wire->problem(&r->x, &why);
  }
  end_stream(s, r);
}

static void take_event(server *s, server_request *r, const aiorch_event *event) {
  int32_t type = aiorch_event_type(event);
  if (!r->x.streamed || type == AIORCH_EVENT_ERROR) return;
  if (type == AIORCH_EVENT_FINAL && aiorch_event_status(event) != AIORCH_OK) return; /* finish tells */
  r->endpoint->wire->event(&r->x, event);
  if (r->x.out.len >= (size_t)r->handle->settings.stream_buffer_bytes) flush(s, r);
}

/* Takes what the run has to tell. One whose client reads slowly is left alone until there is room: it keeps its lease. */
static void drive(server *s, server_request *r) {
  const aiorch_event *event;
  aiorch_status status;
  r->paused = false;
  for (;;) {
    if (r->x.started && !r->cancelled && !http_stream_room(r->call)) {
      r->paused = true;
      return;
    }
    status = aiorch_run_next(r->x.run, 0, &event);
    if (status != AIORCH_OK) break;
    take_event(s, r, event);
  }
  if (status == AIORCH_AGAIN) flush(s, r);
  else finish(s, r);
}

void server_drive(server *s, server_handle *handle) {
  aiorch_run *run;
  while (aiorch_wait(handle->orch, 0, &run) == AIORCH_OK) drive(s, aiorch_run_user_data(run));
}

/* ---- requests ---- */

static void begin_run(server *s, server_request *r) {
  http_problem why;
  aiorch_status status = AIORCH_OK;
  r->x.orch = r->handle->orch;
  r->x.models = r->handle->models;
  r->x.who = &r->who;
  r->x.request = &r->call->request;
  r->begun = true;
  if (!r->endpoint->wire->begin(&r->x, r->call->body, r->call->body_len, &why)) {
    answer_problem(s, r, &why);
    return;
  }
  aiorch_run_set_user_data(r->x.run, r);
  status = aiorch_run_submit(r->x.run);
  if (status != AIORCH_OK) {
    http_problem_of(&why, status, aiorch_run_error(r->x.run));
    answer_problem(s, r, &why);
    return;
  }
  r->submitted = true;
  s->work_due = true;
}

static void make_job(server *s, server_request *r, endpoint_call *job) {
  *job = (endpoint_call){.server = s, .orch = r->handle->orch, .models = r->handle->models, .who = &r->who, .request = &r->call->request, .body = r->call->body,
                         .body_len = r->call->body_len, .status = 200, .content_type = "application/json"};
  if (r->parts) memcpy(job->parts, r->parts, sizeof job->parts);
}

static void answer_job(server_request *r, endpoint_call *job) {
  http_headers headers = job->headers;
  cli_bytes body = job->out;
  int status = job->status;
  const char *content_type = job->content_type;
  identity_headers(r->handle->ids, &r->call->request, &headers);
  rate_headers(&headers, &r->who.left);
  http_answer(r->call, status, content_type, &headers, &body);
  headers_free(&headers);
}

void server_worker_done(server *s, server_request *r) {
  endpoint_call *job = r->job;
  r->job = NULL;
  (void)s;
  answer_job(r, job);
  free(job);
}

static void begin_job(server *s, server_request *r) {
  http_problem why;
  r->job = cli_alloc(sizeof *r->job);
  make_job(s, r, r->job);
  if (!s->draining && workers_serve(s->workers, r)) return;
  if (!s->draining) {
    s->counts.worker_refused++;
    http_problem_set(&why, 503, "overloaded", NULL, "too many requests of this kind wait already; try again in a moment");
    why.retry_after_ms = OVERLOAD_RETRY_MS;
  } else { /* GET /readyz, which is for everybody at any time */
    refuse_in_drain(&why);
  }
  endpoint_problem(r->job, &why);
  server_worker_done(s, r);
}

static void on_request(void *context, http_call *call) {
  server *s = context;
  server_request *r = call->owner;
  if (r->endpoint->kind == ENDPOINT_ANSWER) {
    begin_run(s, r);
  } else if (r->endpoint->kind == ENDPOINT_WORKER) {
    begin_job(s, r);
  } else {
    endpoint_call *job = cli_alloc(sizeof *job);
    make_job(s, r, job);
    r->endpoint->serve(job);
    answer_job(r, job);
    free(job);
  }
}

static void on_gone(void *context, http_call *call) {
  server *s = context;
  server_request *r = call->owner;
  const char *id;
  size_t len;
  if (!r->submitted || r->cancelled || !r->x.run || aiorch_run_id(r->x.run, &id, &len) != AIORCH_OK) return;
  r->cancelled = true;
  s->counts.cancelled++;
  aiorch_cancel(r->handle->orch, id, len);
  s->work_due = true;
  if (r->paused) drive(s, r); /* it has its lease still: nobody else would */
}

static void on_room(void *context, http_call *call) {
  server_request *r = call->owner;
  if (r->paused) drive(context, r);
}

/* ---- the end ---- */

static void count(server *s, const server_request *r, int status, int64_t us) {
  size_t bucket = 0;
  s->counts.requests[status >= 200 && status < 600 ? status / 100 : 0]++;
  while (bucket < 11 && us > server_buckets_us[bucket]) bucket++;
  s->counts.latency[bucket]++;
  s->counts.latency_us += (uint64_t)us;
  for (size_t i = 0; r->endpoint && i < 32; i++) {
    if (endpoint_at(i) == r->endpoint) s->counts.by_endpoint[i]++;
  }
}

static void log_access(const server_request *r, const http_request *q, int status, uint64_t bytes, int64_t us) {
  json_print p = {0};
  jp_open(&p, '{');
  jp_ki64(&p, "time_ms", cli_now_ms());
  jp_kz(&p, "request_id", q->id);
  jp_kz(&p, "address", q->address);
  jp_kz(&p, "method", q->method);
  jp_kz(&p, "path", q->path);
  jp_ki64(&p, "status", status);
  jp_ki64(&p, "bytes_in", (int64_t)r->call->body_len);
  jp_ki64(&p, "bytes_out", (int64_t)bytes);
  jp_ki64(&p, "us", us);
  jp_kz(&p, "tenant", r->who.tenant_len ? r->who.tenant : NULL);
  jp_kz(&p, "credential", r->who.credential[0] ? r->who.credential : NULL);
  jp_key(&p, "gone");
  jp_bool(&p, http_call_gone(r->call));
  jp_close(&p, '}');
  cli_addc(&p.out, '\n');
  fwrite(p.out.data, 1, p.out.len, stderr);
  cli_release(&p.out);
}

static void on_over(void *context, http_call *call, int status, uint64_t bytes) {
  server *s = context;
  server_request *r = call->owner;
  int64_t us = cli_mono_us() - call->request.begun_us;
  if (http_call_gone(call) && !r->x.started) status = 0;
  count(s, r, status, us);
  if (r->handle->settings.access_log) log_access(r, &call->request, status, bytes, us);
  leave_streams(r);
  if (r->begun) r->endpoint->wire->end(&r->x);
  aiorch_run_free(r->x.run);
  cli_release(&r->x.out);
  headers_free(&r->x.headers);
  free(r->parts);
  r->handle->users--;
  s->requests--;
  if (r->counted) s->calls--;
  free(r);
}

void server_heartbeats(server *s) {
  for (server_request *r = s->streams, *next; r; r = next) {
    next = r->next;
    if (s->now_ms - r->spoke_ms < r->handle->settings.heartbeat_ms || r->paused || r->cancelled) continue;
    r->endpoint->wire->heartbeat(&r->x);
    flush(s, r);
  }
}

http_host server_host(server *s) {
  return (http_host){s, on_head, on_request, on_gone, on_room, on_over, on_refuse};
}
