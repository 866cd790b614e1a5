#include "support/scripted_transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEADERS_MAX = 16 };

struct aio__exchange {
  scripted_transport *t;
  const script *script;
  size_t at;                /* event that comes next */
  size_t offset;            /* bytes of it that were taken */
  int64_t due_ns;           /* when it comes */
  bool has_head;
  aio__wire_reply reply;
  aio__wire_header headers[HEADERS_MAX];
  char header_text[2048];
  aio__waker *waker;
  aio__exchange_limits limits;
  struct aio__exchange *next;
};

static int64_t now_of(const scripted_transport *t) { return atomic_load(&t->time->monotonic_ns); }

static void read_headers(aio__exchange *x, const char *text) {
  (void)snprintf(x->header_text, sizeof x->header_text, "%s", text ? text : "");
  x->reply.headers = x->headers;
  for (char *at = x->header_text; *at != '\0' && x->reply.header_count < HEADERS_MAX;) {
    size_t n = strcspn(at, "|");
    aio__str line = aio__str_n(at, n);
    size_t colon = strcspn(at, ":|");
    x->headers[x->reply.header_count++] = (aio__wire_header){
        .name = aio__str_n(at, colon), .value = aio__str_trim(aio__str_n(at + colon + 1, line.n > colon ? line.n - colon - 1 : 0))};
    at += n + (at[n] == '|' ? 1 : 0);
  }
}

/* The event that is due now; NULL. Pauses are passed. */
static const script_event *due(aio__exchange *x) {
  while (x->at < x->script->count && x->script->events[x->at].kind == SCRIPT_PAUSE) {
    int64_t until = x->due_ns + x->script->events[x->at].ms * 1000000;
    if (now_of(x->t) < until) return NULL;
    x->due_ns = until;
    x->at++;
  }
  return x->at < x->script->count ? &x->script->events[x->at] : NULL;
}

/* AIO__NEVER when nothing more comes by itself. */
static int64_t next_due(const aio__exchange *x) {
  if (x->at >= x->script->count) return AIO__NEVER;
  const script_event *event = &x->script->events[x->at];
  return event->kind == SCRIPT_PAUSE ? x->due_ns + event->ms * 1000000 : x->due_ns;
}

static const aio__wire_reply *head(aio__exchange *x) {
  const script_event *event = due(x);
  if (!x->has_head && event && event->kind == SCRIPT_HEAD) {
    x->has_head = true;
    x->reply.http_status = event->http_status;
    x->reply.now_ms = atomic_load(&x->t->time->wall_ms);
    read_headers(x, event->text);
    x->at++;
  }
  return x->has_head ? &x->reply : NULL;
}

static aiorch_status take(aio__exchange *x, aio__buf *into) {
  size_t given = 0, most = x->t->piece ? x->t->piece : SIZE_MAX;
  (void)head(x);
  for (const script_event *event; given < most && (event = due(x)) != NULL && event->kind == SCRIPT_BYTES;) {
    size_t n = event->len - x->offset < most - given ? event->len - x->offset : most - given;
    aiorch_status st = aio__buf_add(into, event->text + x->offset, n);
    if (st) return st;
    given += n;
    x->offset += n;
    if (x->offset < event->len) break;
    x->offset = 0;
    x->at++;
  }
  const script_event *event = due(x);
  if (event && x->waker) aio__waker_signal(x->waker); /* there is more */
  return AIORCH_OK;
}

static aiorch_status state(aio__exchange *x, aio__wire_error *error) {
  const script_event *event = due(x);
  if (event && event->kind == SCRIPT_END) return AIORCH_OK;
  aiorch_status st = AIORCH_PENDING;
  *error = (aio__wire_error){.retry_after_ms = -1, .should_retry = -1, .http_status = x->has_head ? x->reply.http_status : 0};
  if (event && event->kind == SCRIPT_FAIL) {
    st = event->status;
    aio__wire_say(error, aio__str_z(event->text), AIO__LIT(""));
  } else if (now_of(x->t) >= x->limits.deadline_ns) {
    st = AIORCH_E_DEADLINE;
  }
  if (st < 0) error->status = st;
  return st;
}

static bool sent(aio__exchange *x) {
  const script_event *event = &x->script->events[x->at];
  return x->at >= x->script->count || event->kind != SCRIPT_FAIL || !event->unsent;
}

static void drop(aio__exchange *x) {
  if (!x) return;
  aio__exchange **link = &x->t->exchanges;
  while (*link != x) link = &(*link)->next;
  *link = x->next;
  x->t->live--;
  aio__waker_release(x->waker);
  free(x);
}

static char *copy_of(const char *text, size_t n) {
  char *copy = malloc(n + 1);
  assert_non_null(copy);
  if (n > 0) memcpy(copy, text, n);
  copy[n] = '\0';
  return copy;
}

static void keep(scripted_transport *t, const aio__wire_request *request, const aio__exchange_limits *limits) {
  assert_true(t->request_count < SCRIPTED_REQUESTS_MAX);
  scripted_request *r = &t->requests[t->request_count++];
  aio__buf headers;
  aio__buf_init(&headers, aio__alloc_default(), 1 << 20);
  for (size_t i = 0; i < request->header_count; i++) {
    aio__buf_str(&headers, request->headers[i].name);
    aio__buf_z(&headers, ": ");
    aio__buf_str(&headers, request->headers[i].value);
    aio__buf_z(&headers, "\n");
  }
  *r = (scripted_request){copy_of(request->url.p, request->url.n), copy_of(headers.p, headers.n), copy_of(request->body.p, request->body.n),
                          *limits, now_of(t)};
  aio__buf_free(&headers);
}

static aiorch_status start(aio__transport *transport, const aio__wire_request *request, const aio__exchange_limits *limits,
                           aio__waker *waker, aio__exchange **out, aiorch_error *error) {
  scripted_transport *t = (scripted_transport *)(void *)transport;
  if (t->fail_start) return aio__error_set(error, t->fail_start, "scripted: nothing can be started");
  keep(t, request, limits);
  script *found = NULL;
  for (size_t i = 0; i < t->script_count && !found; i++) {
    script *s = &t->scripts[i];
    if (!s->used && strstr(aio__buf_cstr(&request->url), s->url_has)) found = s;
  }
  if (!found) fail_msg("no script for %s", aio__buf_cstr(&request->url));
  found->used = !found->again;
  aio__exchange *x = calloc(1, sizeof *x);
  assert_non_null(x);
  x->t = t;
  x->script = found;
  x->due_ns = now_of(t);
  x->waker = waker ? aio__waker_retain(waker) : NULL;
  x->limits = *limits;
  x->next = t->exchanges;
  t->exchanges = x;
  t->live++;
  *out = x;
  return AIORCH_OK;
}

static void close_it(aio__transport *transport) {
  scripted_transport *t = (scripted_transport *)(void *)transport;
  assert_int_equal(t->live, 0);
  t->closed++;
}

/* ---- the clock ---- */

static int64_t read_monotonic(void *self) { return now_of(self); }

static int64_t read_wall(void *self) { return atomic_load(&((scripted_transport *)self)->time->wall_ms); }

static bool wait_for_scripts(void *self, pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns) {
  scripted_transport *t = self;
  aio__exchange *next = NULL;
  for (aio__exchange *x = t->exchanges; x; x = x->next) {
    bool waits = x->waker && (&x->waker->mutex == mutex || x->waker->ready); /* the second: it tells others, who may be this one */
    int64_t at = next_due(x) < x->limits.deadline_ns ? next_due(x) : x->limits.deadline_ns;
    if (waits && at > now_of(t) && at <= deadline_ns && (!next || at < next_due(next))) next = x;
  }
  const aio__clock *clock = &t->time->clock;
  if (!next) return clock->wait(clock->self, cond, mutex, deadline_ns);
  int64_t at = next_due(next) < next->limits.deadline_ns ? next_due(next) : next->limits.deadline_ns;
  (void)clock->wait(clock->self, cond, mutex, at);
  if (&next->waker->mutex == mutex) {
    next->waker->signalled = true; /* the waiter holds its mutex */
    return true;
  }
  aio__waker *waker = aio__waker_retain(next->waker);
  pthread_mutex_unlock(mutex);
  aio__waker_signal(waker);
  aio__waker_release(waker);
  pthread_mutex_lock(mutex);
  return true;
}

void scripted_transport_init(scripted_transport *t, virtual_clock *time) {
  memset(t, 0, sizeof *t);
  t->transport = (aio__transport){start, head, take, state, drop, close_it, sent};
  t->clock = (aio__clock){t, read_monotonic, read_wall, wait_for_scripts};
  t->time = time;
}

void scripted_transport_free(scripted_transport *t) {
  assert_int_equal(t->live, 0);
  for (size_t i = 0; i < t->request_count; i++) {
    free(t->requests[i].url);
    free(t->requests[i].headers);
    free(t->requests[i].body);
  }
  t->request_count = 0;
}

static void add(scripted_transport *t, const char *url_has, const script_event *events, size_t count, bool again) {
  assert_true(t->script_count < SCRIPTS_MAX);
  t->scripts[t->script_count++] = (script){url_has, events, count, again, false};
}

void scripted_transport_add(scripted_transport *t, const char *url_has, const script_event *events, size_t count) {
  add(t, url_has, events, count, false);
}

void scripted_transport_always(scripted_transport *t, const char *url_has, const script_event *events, size_t count) {
  add(t, url_has, events, count, true);
}
