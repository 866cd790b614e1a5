/*
 * The one thread on which everything happens: sockets, runs that can go on, signals, finished workers. Nothing here waits but epoll.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EVENTS = 256, BEAT_MS = 250, QUIET_MS = 300, CALM_MS = 1000, CUT_MS = 2000, CLOSE_MS = 10000, FILE_MAX = 1 << 20 };

static void begin_drain(server *s) {
  int64_t ms = s->handle->settings.drain_ms;
  s->draining = true;
  s->drain_until_ms = s->now_ms + ms;
  s->quiet_since_ms = s->now_ms;
  http_front_drain(s->front);
  notify_manager("STOPPING=1\nSTATUS=Finishing %lld requests", (long long)s->requests);
  server_say("going down: %lld request%s under way, %lld s at most; a second signal ends it at once", (long long)s->requests,
             s->requests == 1 ? "" : "s", (long long)(ms / 1000));
}

static void on_signal(loop_watch *watch, uint32_t events) {
  server *s = (server *)((char *)watch - offsetof(server, signals));
  struct signalfd_siginfo info;
  (void)events;
  while (read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
    if (info.ssi_signo == SIGHUP) server_reload(s);
    else if (s->draining) s->stop = true;
    else begin_drain(s);
  }
}

static bool watch_signals(server *s) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  s->signals.ready = on_signal;
  s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &s->signals};
  return s->signal_fd >= 0 && epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->signal_fd, &event) == 0;
}

/* As many descriptors as the system allows: each connection is one. */
static void raise_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static char *read_file(const char *path, char why[256]) {
  cli_bytes text = {0};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  int error = fd < 0 ? errno : cli_read_all(fd, FILE_MAX, &text);
  if (fd >= 0) close(fd);
  if (!error) return text.data;
  snprintf(why, 256, "%.150s: %s", path, strerror(error));
  cli_release(&text);
  return NULL;
}

static http_limits limits_of(const server_settings *t) {
  return (http_limits){.head_bytes = (size_t)t->head_max_bytes, .uri_bytes = (size_t)t->uri_max_bytes, .bodies_bytes = (size_t)t->bodies_max_bytes,
                       .stream_buffer_bytes = (size_t)t->stream_buffer_bytes, .connections = t->connections_max,
                       .connections_per_address = t->connections_per_address, .head_timeout_ms = t->head_timeout_ms,
                       .body_timeout_ms = t->body_timeout_ms, .body_bytes_per_s = t->body_bytes_per_s, .idle_ms = t->idle_ms,
                       .write_timeout_ms = t->write_timeout_ms, .half_closed = t->half_closed};
}

static bool make_front(server *s, char why[256]) {
  const server_settings *t = &s->handle->settings;
  http_limits limits = limits_of(t);
  http_host host = server_host(s);
  bool tls = *t->tls_certificate || *t->tls_key;
  char *certificate = NULL, *key = NULL;
  if (tls && (!*t->tls_certificate || !*t->tls_key)) {
    snprintf(why, 256, "server.tls.certificate and server.tls.key belong together: one of them is missing");
    return false;
  }
  bool good = !tls || ((certificate = read_file(t->tls_certificate, why)) != NULL && (key = read_file(t->tls_key, why)) != NULL);
  if (good) s->front = http_front_new(&limits, &host, s->epoll, certificate, key, why);
  if (key) explicit_bzero(key, strlen(key));
  free(certificate);
  free(key);
  return s->front != NULL;
}

static void say_start(server *s) {
  cli_bytes where = {0}, who = {0}, providers = {0};
  aiorch_text *text = NULL;
  const char *store = "", *json = "";
  size_t len = 0;
  listeners_describe(s->listeners, &where);
  identity_describe(s->handle->ids, &who);
  if (aiorch_providers(s->handle->orch, &text) == AIORCH_OK) aiorch_text_get(text, &json, &len);
  json_value *list = json_parse(json, len, NULL), *stats = NULL;
  aiorch_text_free(text);
  for (const json_value *p = list ? list->child : NULL; p; p = p->next) {
    if (!json_is_null(p, "chain")) cli_addf(&providers, "%s%s", providers.len ? ", " : "", json_text(p, "name"));
  }
  text = NULL;
  if (aiorch_stats(s->handle->orch, s->cli->opt.tenant, cli_tenant_len(s->cli), s->cli->timeout_ms, &text, NULL) == AIORCH_OK &&
      aiorch_text_get(text, &json, &len) == AIORCH_OK) {
    stats = json_parse(json, len, NULL);
    store = json_text(stats, "store");
  }
  if (!*store) store = "in memory, gone with this process";
  server_say("serving %s; store %s; providers %s; %s", cli_z(&where), store, cli_z(&providers), cli_z(&who));
  notify_manager("READY=1\nSTATUS=Serving %s", cli_z(&where));
  aiorch_text_free(text);
  json_free(stats);
  json_free(list);
  cli_release(&where);
  cli_release(&who);
  cli_release(&providers);
}

/* Four times a second: what goes by the clock. */
static void beat(server *s) {
  static const int64_t every = BEAT_MS;
  if (s->now_ms < s->next_beat_ms) return;
  s->next_beat_ms = s->now_ms + every;
  server_heartbeats(s);
  if (s->requests > 0) s->busy_ms = s->now_ms;
  if (s->busy_ms && s->now_ms - s->busy_ms > CALM_MS) {
    s->busy_ms = 0;
    workers_task(s->workers, memory_trim, NULL, NULL);
  }
  handles_tidy(s);
}

/* Nothing under way for a moment, in which a connection that was idle may still ask and be told to go elsewhere; or the time is up: then
 * what is left is cancelled, and told so. */
static void drain(server *s) {
  if (!s->draining) return;
  if (s->requests > 0) s->quiet_since_ms = s->now_ms;
  if (s->now_ms - s->quiet_since_ms >= QUIET_MS) s->stop = true;
  if (s->now_ms < s->drain_until_ms) return;
  if (s->now_ms >= s->drain_until_ms + CUT_MS) s->stop = true;
  for (server_handle *h = s->handle; h; h = h->next) {
    if (h->closing || !h->orch) continue;
    h->closing = true;
    aiorch_close(h->orch, 0);
    s->work_due = true;
  }
}

static void drive_all(server *s) {
  bool all = s->work_due;
  s->work_due = false;
  for (server_handle *h = s->handle; h; h = h->next) {
    if (!h->ready && !all) continue;
    h->ready = false;
    server_drive(s, h);
  }
}

static void loop(server *s) {
  struct epoll_event events[EVENTS];
  int64_t wait = 0;
  while (!s->stop) {
    int timeout = s->work_due || http_front_due(s->front) ? 0 : (int)(wait < 0 || wait > BEAT_MS ? BEAT_MS : wait);
    if (timeout > 0 && s->requests == 0 && wait < 0 && !s->draining) timeout = BEAT_MS;
    int n = epoll_wait(s->epoll, events, EVENTS, timeout);
    s->now_ms = cli_mono_ms();
    for (int i = 0; i < n; i++) {
      loop_watch *watch = events[i].data.ptr;
      watch->ready(watch, events[i].events);
    }
    wait = http_front_work(s->front, s->now_ms);
    drive_all(s);
    if (http_front_due(s->front)) wait = http_front_work(s->front, s->now_ms);
    beat(s);
    drain(s);
  }
}

static int start(server *s) {
  char why[256] = "it cannot be watched by epoll";
  s->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (s->epoll < 0 || !watch_signals(s) || !make_front(s, why)) return cli_error((cli *)(uintptr_t)s->cli, CLI_EXIT_CONFIG, AIORCH_E_CONFIG, "%s", why);
  s->workers = workers_new(s, s->handle->settings.workers, s->handle->settings.worker_queue);
  if (!s->workers) return cli_error((cli *)(uintptr_t)s->cli, CLI_EXIT_INTERNAL, AIORCH_E_SYSTEM, "no threads can be started");
  s->listeners = listeners_new(s, s->handle->settings.listen, why);
  if (!s->listeners) return cli_error((cli *)(uintptr_t)s->cli, CLI_EXIT_CONFIG, AIORCH_E_CONFIG, "%s", why);
  handle_ready(s, s->handle);
  return CLI_EXIT_OK;
}

int server_run(server *s) {
  raise_limit();
  s->now_ms = s->begun_ms = cli_mono_ms();
  s->signal_fd = -1;
  int code = start(s);
  if (code == CLI_EXIT_OK) {
    memory_forget_start();
    say_start(s);
    loop(s);
    if (s->requests > 0) server_say("%lld request%s cut off", (long long)s->requests, s->requests == 1 ? " was" : "s were");
  }
  listeners_free(s->listeners);
  workers_free(s->workers);
  http_front_free(s->front);
  if (!handles_close(s, CLOSE_MS)) server_say("some of what was spent could not be written down in time; the store's spool or its next start has it");
  if (s->signal_fd >= 0) close(s->signal_fd);
  if (s->epoll >= 0) close(s->epoll);
  if (code == CLI_EXIT_OK) server_say("ended");
  return code;
}
