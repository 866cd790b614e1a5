/*
 * One request's life: who asks, for what, and then a run that is submitted, driven when the library says that it can go on, and told to
 * the client by a wire. A client that goes takes its run with it; what that has cost is settled by the library.
 */
#include "server.h"

#include <stdlib.h>
#include <string.h>

enum { OVERLOAD_RETRY_MS = 1000, DRAIN_RETRY_MS = 5000, ASKING_MAX = 256, ASKING_PART = 4, STORE_TROUBLE_MS = 10000 };

/* ---- the head ---- */

static bool refuse_in_drain(http_problem *why) {
  http_problem_set(why, 503, "shutting_down", NULL, "this server is going down; another will answer");
  why->retry_after_ms = DRAIN_RETRY_MS;
  return false;
}

static bool refuse_overload(server *s, http_problem *why) {
  s->counts.overloaded++;
  http_problem_set(why, 503, "overloaded", NULL, "too many requests at once; try again in a moment");
  why->retry_after_ms = OVERLOAD_RETRY_MS;
  return false;
}

static bool admit(server *s, server_request *r, http_problem *why) {
  if (r->endpoint->open) return true;
  /* With a socket of the service manager's the next process is the other server: who comes on a connection that is here is served. */
  if (s->draining && !listeners_given(s->listeners)) return refuse_in_drain(why);
  if (s->calls < s->handle->settings.calls_max) {
    r->counted = true;
    s->calls++;
    return true;
  }
  return refuse_overload(s, why);
}

/* Who is calling is known. No tenant has all requests that may be under way, nor all bytes of bodies: else it could shut out the others. */
static http_verdict admit_tenant(server *s, server_request *r, http_problem *why) {
  if (!r->counted || r->share) return HTTP_TAKEN;
  r->share = tenant_share_enter(&s->shares, r->who.tenant);
  r->call->body_share = &r->share->body_bytes;
  int64_t has = r->share->calls - 1, room = r->handle->settings.calls_max - (s->calls - 1); /* without this one */
  if (has == 0 || tenant_share_allows(has, 1, room)) return HTTP_TAKEN;
  refuse_overload(s, why);
  return HTTP_REFUSED;
}

static void leave_list(server_request *r) {
  if (!r->place) return;
  *r->place = r->next;
  if (r->next) r->next->place = r->place;
  r->place = NULL;
}

static void join_list(server_request **list, server_request *r) {
  r->next = *list;
  r->place = list;
  if (r->next) r->next->place = &r->next;
  *list = r;
}

static void stop_asking(server *s, server_request *r) {
  if (!r->asking) return;
  r->asking = false;
  s->asking--;
  leave_list(r);
}

/* They are sums over all tenants: who may ask need not know what others do. */
static bool may_see_figures(const server_request *r) {
  const char *tenant = r->handle->settings.metrics_tenant;
  return !r->who.anonymous && *tenant && strcmp(r->who.tenant, tenant) == 0;
}

/* Who may wait for their key to be looked for is bounded: guessers wait, too, and count for calls_max. */
static int64_t asking_most(const server_request *r) {
  int64_t part = r->handle->settings.calls_max / ASKING_PART;
  return part < 1 ? 1 : part < ASKING_MAX ? part : ASKING_MAX;
}

static http_verdict find_caller(server *s, server_request *r, http_problem *why) {
  if (r->endpoint->open) return HTTP_TAKEN;
  if (r->endpoint->serve == endpoint_metrics && r->handle->settings.metrics_open) {
    return identity_open_to(r->handle->ids, &r->call->request, why) ? HTTP_TAKEN : HTTP_REFUSED;
  }
  http_verdict verdict = identity_ask(r->handle->ids, &r->call->request, cli_now_ms() / 1000, &r->ticket, &r->who, why);
  if (verdict == HTTP_TAKEN && r->endpoint->serve == endpoint_metrics && !may_see_figures(r)) {
    http_problem_set(why, 403, "permission_denied", NULL, "the figures are of all tenants together: for callers of server.metrics_tenant, or with server.metrics_open");
    return HTTP_REFUSED;
  }
  if (verdict != HTTP_LATER) return verdict;
  if (s->asking >= asking_most(r)) {
    http_problem_set(why, 503, "keys_unavailable", NULL, "too many callers with keys that are not known; try again in a moment");
    why->retry_after_ms = OVERLOAD_RETRY_MS;
    return HTTP_REFUSED;
  }
  r->asking = true;
  s->asking++;
  join_list(&s->askers, r);
  return HTTP_LATER;
}

void server_keys_seen(server *s, const server_handle *handle) {
  for (server_request *r = s->askers; r; r = r->next) {
    if (r->handle == handle) http_head_again(r->call);
  }
}

static http_verdict on_head(void *context, http_call *call, size_t *body_max, http_problem *why) {
  server *s = context;
  server_request *r = call->owner;
  char allow[64];
  char parts[ENDPOINT_PARTS_MAX][ENDPOINT_PART_MAX + 1];
  if (r) { /* once more, since its key was looked for */
    stop_asking(s, r);
    http_verdict verdict = find_caller(s, r, why);
    return verdict == HTTP_TAKEN ? admit_tenant(s, r, why) : verdict;
  }
  r = cli_alloc(sizeof *r);
  call->owner = r;
  r->call = call;
  r->handle = s->handle;
  r->handle->users++;
  s->requests++;
  access_log_begin(r);
  parts[0][0] = parts[1][0] = '\0';
  r->endpoint = endpoint_find(call->request.method, call->request.path, parts, allow, why);
  if (!r->endpoint || !admit(s, r, why)) return HTTP_REFUSED;
  if (parts[0][0]) {
    r->parts = cli_alloc(sizeof parts);
    memcpy(r->parts, parts, sizeof parts);
  }
  *body_max = r->endpoint->body_max == 1 ? 0 : r->endpoint->body_max ? r->endpoint->body_max : (size_t)r->handle->settings.body_max_bytes;
  http_verdict verdict = find_caller(s, r, why);
  return verdict == HTTP_TAKEN ? admit_tenant(s, r, why) : verdict;
}

/* It waits for nothing any more, though its body may be long in coming. */
static void uncount(server *s, server_request *r) {
  if (r->counted) s->calls--;
  r->counted = false;
}

static void on_refuse(void *context, const http_call *call, const http_problem *why, http_headers *headers, cli_bytes *body) {
  server *s = context;
  char allow[64];
  http_problem ignored;
  server_request *r = call->owner;
  if (r) uncount(s, r);
  identity_headers((r ? r->handle : s->handle)->ids, &call->request, headers);
  if (why->status == 405) {
    endpoint_find(call->request.method, call->request.path, NULL, allow, &ignored);
    headers_set(headers, "Allow", allow);
  }
  if (r) rate_headers(headers, &r->who.left);
  if (why->status == 401) headers_set(headers, "WWW-Authenticate", "Bearer");
  retry_headers(headers, why);
  exchange x = {.request = &call->request, .headers = *headers};
  if (r && r->endpoint && r->endpoint->wire) {
    r->endpoint->wire->problem(&x, why);
    *body = x.out;
    *headers = x.headers;
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
  if (!r->early) headers_set(&r->x.headers, "x-aiorch-cache", exchange_cache(x));
  if (aiorch_run_status(x->run) != AIORCH_PENDING && exchange_cost(x, cost)) headers_set(&r->x.headers, "x-aiorch-cost-usd", cost);
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
    if (!r->place) join_list(&s->streams, r);
  }
  s->counts.stream_events++;
  r->spoke_ms = s->now_ms;
  http_stream_write(r->call, &r->x.out);
}

/* The run goes first: after the answer the request may be gone. */
static void answer(server *s, server_request *r, int status, const char *content_type) {
  http_headers headers = r->x.headers;
  cli_bytes body = r->x.out;
  leave_list(r);
  identity_headers(r->handle->ids, &r->call->request, &headers);
  r->x.headers = (http_headers){0};
  r->x.out = (cli_bytes){0};
  access_log_note(r);
  aiorch_run_free(r->x.run);
  r->x.run = NULL;
  (void)s;
  http_answer(r->call, status, content_type, &headers, &body);
  headers_free(&headers);
}

static void answer_problem(server *s, server_request *r, const http_problem *why) {
  server_trouble(s, why);
  retry_headers(&r->x.headers, why);
  add_run_headers(r);
  cli_clear(&r->x.out);
  r->endpoint->wire->problem(&r->x, why);
  answer(s, r, why->status, "application/json");
}

static void end_stream(server *s, server_request *r) {
  flush(s, r);
  leave_list(r);
  access_log_note(r);
  aiorch_run_free(r->x.run);
  r->x.run = NULL;
  http_stream_end(r->call, true);
}

/* A store that is read well may still take no row: runs are the first to know. */
static void note_store(server *s, server_handle *handle, aiorch_status status) {
  bool failed = http_problem_of_store(status);
  if (!failed && status != AIORCH_OK) return;
  handle->store_failed = failed ? status : AIORCH_OK;
  handle->store_failed_ms = s->now_ms;
}

/* The run has ended, and everything about it is known. */
static void finish(server *s, server_request *r) {
  http_problem why;
  aiorch_status status = aiorch_run_status(r->x.run);
  note_store(s, r->handle, status);
  if (status == AIORCH_OK && !r->x.streamed) {
    add_run_headers(r);
    r->endpoint->wire->whole(&r->x);
    answer(s, r, 200, "application/json");
    return;
  }
  if (status != AIORCH_OK) {
    http_problem_of(&why, status, aiorch_run_error(r->x.run));
    if (!r->x.started) {
      /* It broke off behind text of which the client has got nothing: asked again it may be whole. */
      if (aiorch_run_finish_reason(r->x.run) == AIORCH_FINISH_ERROR && why.retry_after_ms < 0) why.retry_after_ms = 0;
      answer_problem(s, r, &why);
      return;
    }
    server_trouble(s, &why);
    r->endpoint->wire->problem(&r->x, &why);
  }
  end_stream(s, r);
}

static void take_event(server *s, server_request *r, const aiorch_event *event) {
  exchange_event(&r->x, r->endpoint->wire, event);
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
  if (!r->x.streamed) aiorch_run_set_whole(r->x.run, 1); /* nobody has seen any of it: it may be asked for again */
  status = aiorch_run_submit(r->x.run);
  if (status != AIORCH_OK) {
    http_problem_of(&why, status, aiorch_run_error(r->x.run));
    answer_problem(s, r, &why);
    return;
  }
  r->submitted = true;
  s->work_due = true;
  r->spoke_ms = s->now_ms;
  if (r->x.streamed && r->handle->settings.first_byte_ms > 0) join_list(&s->streams, r);
}

static void make_job(server *s, server_request *r, endpoint_call *job) {
  *job = (endpoint_call){.server = s, .orch = r->handle->orch, .models = r->handle->models, .who = &r->who, .request = &r->call->request, .body = r->call->body,
                         .body_len = r->call->body_len, .status = 200, .content_type = "application/json"};
  const server_settings *settings = &r->handle->settings;
  endpoint_kind kind = r->endpoint->kind;
  bool counted = (kind == ENDPOINT_LOOKUP && settings->limit_search) || (kind == ENDPOINT_CHANGE && settings->limit_documents);
  job->counted_as = counted ? r->endpoint->path : NULL;
  if (s->now_ms - r->handle->store_failed_ms < STORE_TROUBLE_MS) job->store_failed = r->handle->store_failed;
  job->left = r->who.left;
  job->wire = r->endpoint->wire;
  if (r->parts) memcpy(job->parts, r->parts, sizeof job->parts);
}

static void answer_job(server_request *r, endpoint_call *job) {
  http_headers headers = job->headers;
  cli_bytes body = job->out;
  int status = job->status;
  const char *content_type = job->content_type;
  identity_headers(r->handle->ids, &r->call->request, &headers);
  rate_headers(&headers, &job->left);
  http_answer(r->call, status, content_type, &headers, &body);
  headers_free(&headers);
}

/* Who asked for the same while a worker was at it. */
static void tell_checkers(server_handle *handle, const endpoint_call *done) {
  handle->checking = false;
  while (handle->checkers) {
    server_request *r = handle->checkers;
    endpoint_call *job = r->job;
    leave_list(r);
    r->job = NULL;
    job->status = done->status;
    cli_add(&job->out, done->out.data, done->out.len);
    cli_add(&job->headers.lines, done->headers.lines.data, done->headers.lines.len);
    answer_job(r, job);
    free(job);
  }
}

static void end_job(server_request *r) {
  endpoint_call *job = r->job;
  r->job = NULL;
  answer_job(r, job);
  free(job);
}

void server_worker_done(server *s, server_request *r) {
  (void)s;
  if (r->endpoint->serve == endpoint_readyz) tell_checkers(r->handle, r->job);
  end_job(r);
}

static void begin_job(server *s, server_request *r) {
  http_problem why;
  r->job = cli_alloc(sizeof *r->job);
  make_job(s, r, r->job);
  bool open = !s->draining || (listeners_given(s->listeners) && !r->endpoint->open), check = r->endpoint->serve == endpoint_readyz;
  if (open && check && r->handle->checking) { /* everybody may ask for it: one at a time, so that it takes no worker from callers */
    join_list(&r->handle->checkers, r);
    return;
  }
  if (open && workers_serve(s->workers, r)) {
    if (check) r->handle->checking = true;
    return;
  }
  if (open) {
    s->counts.worker_refused++;
    http_problem_set(&why, 503, "overloaded", NULL, "too many requests of this kind wait already; try again in a moment");
    why.retry_after_ms = OVERLOAD_RETRY_MS;
  } else { /* GET /readyz, which is for everybody at any time */
    refuse_in_drain(&why);
  }
  endpoint_problem(r->job, &why);
  end_job(r);
}

static void on_request(void *context, http_call *call) {
  server *s = context;
  server_request *r = call->owner;
  if (r->endpoint->kind == ENDPOINT_ANSWER) {
    begin_run(s, r);
  } else if (r->endpoint->kind != ENDPOINT_INLINE) {
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

static void on_over(void *context, http_call *call, int status, uint64_t bytes) {
  server *s = context;
  server_request *r = call->owner;
  int64_t us = cli_mono_us() - call->request.begun_us;
  if (http_call_gone(call) && !r->x.started) status = 0;
  count(s, r, status, us);
  access_log_write(r, status, bytes, us);
  free(r->note);
  stop_asking(s, r);
  leave_list(r);
  if (r->begun) r->endpoint->wire->end(&r->x);
  aiorch_run_free(r->x.run);
  cli_release(&r->x.out);
  headers_free(&r->x.headers);
  cli_list_free(&r->x.warnings);
  free(r->parts);
  r->handle->users--;
  s->requests--;
  uncount(s, r);
  call->body_share = NULL;
  tenant_share_leave(&s->shares, r->share);
  free(r);
}

void server_heartbeats(server *s) {
  for (server_request *r = s->streams, *next; r; r = next) {
    const server_settings *settings = &r->handle->settings;
    next = r->next;
    if (s->now_ms - r->spoke_ms < (r->x.started ? settings->heartbeat_ms : settings->first_byte_ms) || r->paused || r->cancelled) continue;
    r->early = r->early || !r->x.started;
    r->endpoint->wire->heartbeat(&r->x);
    flush(s, r);
  }
}

http_host server_host(server *s) {
  return (http_host){s, on_head, on_request, on_gone, on_room, on_over, on_refuse};
}
