/* See http_queue.h. */
#include "net/http_queue.h"

#include <string.h>

#include "net/http.h"

enum { NS_PER_MS = 1000000 };

void aio__http_queue_init(aio__http_queue *q, const aio__alloc *al, size_t total_max, size_t host_max) {
  *q = (aio__http_queue){.al = al, .total_max = total_max, .host_max = host_max};
}

void aio__http_queue_free(aio__http_queue *q) {
  while (q->hosts) {
    aio__http_host *host = q->hosts;
    q->hosts = host->next;
    aio__free(q->al, host);
  }
  q->turn = NULL;
  q->host_count = 0;
}

static size_t connections_of(const aio__http_host *host) {
  return host->multiplexes ? (host->active + AIO__HTTP_STREAMS_MAX - 1) / AIO__HTTP_STREAMS_MAX : host->active;
}

/* Forgets a host that nothing is out to, when there are many. */
static void forget_one(aio__http_queue *q) {
  for (aio__http_host **at = &q->hosts; *at; at = &(*at)->next) {
    aio__http_host *host = *at;
    if (host->active > 0 || host->first) continue;
    *at = host->next;
    if (q->turn == host) q->turn = host->next;
    aio__free(q->al, host);
    q->host_count--;
    return;
  }
}

static aio__http_host *find_host(aio__http_queue *q, const aio__exchange_request *request) {
  aio__http_host *host = q->hosts;
  while (host && !aio__str_eq(host->origin, request->origin)) host = host->next;
  if (host) return host;
  if (q->host_count >= AIO__HTTP_HOSTS_KEPT) forget_one(q);
  host = aio__calloc(q->al, 1, sizeof *host + request->origin.n);
  if (!host) return NULL;
  memcpy(host + 1, request->origin.p, request->origin.n);
  host->origin = aio__str_n((const char *)(host + 1), request->origin.n);
  host->https = request->https;
  host->next = q->hosts;
  q->hosts = host;
  q->host_count++;
  return host;
}

aiorch_status aio__http_queue_add(aio__http_queue *q, aio__exchange *e) {
  aio__http_host *host = find_host(q, e->request);
  if (!host) return AIORCH_E_NOMEM;
  e->turn_host = host;
  e->turn_next = NULL;
  if (host->first)
    host->last->turn_next = e;
  else
    host->first = e;
  host->last = e;
  q->waiting++;
  return AIORCH_OK;
}

static bool waits_for_another(const aio__http_host *host) {
  if (host->multiplexes) return host->connected < host->active;
  return host->https && !host->warm && host->active > 0;
}

static int64_t first_until(const aio__http_host *host) {
  return host->first_at_ns + (int64_t)AIO__HTTP_FIRST_MS * NS_PER_MS;
}

static bool may_begin(const aio__http_queue *q, const aio__http_host *host, int64_t now_ns) {
  if (!host->first || host->active >= q->host_max * (host->multiplexes ? AIO__HTTP_STREAMS_MAX : 1)) return false;
  if (waits_for_another(host) && now_ns < first_until(host)) return false;
  bool fits = host->multiplexes && host->active % AIO__HTTP_STREAMS_MAX != 0;
  return fits || q->used < q->total_max;
}

static void set_active(aio__http_queue *q, aio__http_host *host, size_t active) {
  q->used -= connections_of(host);
  host->active = active;
  q->used += connections_of(host);
}

aio__exchange *aio__http_queue_next(aio__http_queue *q, int64_t now_ns) {
  if (q->waiting == 0) return NULL;
  for (size_t i = 0; i < q->host_count; i++) {
    if (!q->turn) q->turn = q->hosts;
    aio__http_host *host = q->turn;
    q->turn = host->next;
    if (!may_begin(q, host, now_ns)) continue;
    aio__exchange *e = host->first;
    host->first = e->turn_next;
    e->turn_next = NULL;
    q->waiting--;
    if (host->connected == host->active) host->first_at_ns = now_ns;
    set_active(q, host, host->active + 1);
    e->turn_active = true;
    return e;
  }
  return NULL;
}

int64_t aio__http_queue_wakes_at(const aio__http_queue *q) {
  int64_t at = AIO__NEVER;
  if (q->waiting == 0) return at;
  for (const aio__http_host *host = q->hosts; host; host = host->next) {
    if (host->first && waits_for_another(host) && first_until(host) < at) at = first_until(host);
  }
  return at;
}

void aio__http_queue_connected(aio__http_queue *q, aio__exchange *e) {
  (void)q;
  if (e->turn_connected || !e->turn_host) return;
  e->turn_connected = true;
  e->turn_host->connected++;
  e->turn_host->warm = true;
}

void aio__http_queue_speaks(aio__http_queue *q, aio__exchange *e, bool multiplexes) {
  aio__http_host *host = e->turn_host;
  if (!host || host->multiplexes == multiplexes) return;
  q->used -= connections_of(host);
  host->multiplexes = multiplexes;
  q->used += connections_of(host);
}

static void leave_line(aio__http_queue *q, aio__http_host *host, const aio__exchange *e) {
  aio__exchange *before = NULL, *at = host->first;
  while (at && at != e) {
    before = at;
    at = at->turn_next;
  }
  if (!at) return;
  if (before)
    before->turn_next = at->turn_next;
  else
    host->first = at->turn_next;
  if (host->last == at) host->last = before;
  q->waiting--;
}

void aio__http_queue_remove(aio__http_queue *q, aio__exchange *e) {
  aio__http_host *host = e->turn_host;
  if (!host) return;
  if (!e->turn_active) {
    leave_line(q, host, e);
  } else {
    set_active(q, host, host->active - 1);
    if (e->turn_connected)
      host->connected--;
    else
      host->warm = host->connected > 0; /* it got no connection: the next tries alone */
  }
  e->turn_host = NULL;
  e->turn_active = e->turn_connected = false;
}
