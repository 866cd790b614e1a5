/*
 * The one thread on which everything happens: sockets, runs that can go on, signals, finished workers. Nothing here waits but epoll.
 */
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EVENTS = 256, BEAT_MS = 250, CALM_MS = 1000, WORK_MS = 2000, OLD_MS = 32000, CLOSE_MS = 10000, KEYS_TOLD_MS = 5000 };

#define UNSETTLED "some of what was spent could not be written down in time; the store's spool or its next start has it"

static void begin_drain(server *s) {
  int64_t ms = s->handle->settings.drain_ms;
  s->draining = true;
  s->drain_until_ms = s->now_ms + ms;
  quiet_begin(&s->quiet, s->now_ms);
  http_front_drain(s->front);
  if (listeners_given(s->listeners)) listeners_stop(s->listeners); /* who comes now waits for the next process */
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

static bool make_front(server *s, char why[256]) {
  front_plan plan;
  http_host host = server_host(s);
  if (front_plan_read(&plan, &s->handle->settings, why)) {
    if (plan.limits.connections < s->handle->settings.connections_max) {
      server_say("no more than %lld connections at once: the system has no more descriptors for it (ulimit -n, LimitNOFILE=)", (long long)plan.limits.connections);
    }
    s->front = http_front_new(&plan.limits, &host, s->epoll, plan.certificate, plan.key, why);
  }
  front_plan_free(&plan);
  return s->front != NULL;
}

static void say_start(server *s) {
  cli_bytes where = {0}, who = {0}, providers = {0};
  aiorch_text *text = NULL;
  const char *store = s->handle->store, *json = "";
  size_t len = 0;
  listeners_describe(s->listeners, &where);
  identity_describe(s->handle->ids, &who);
  if (aiorch_providers(s->handle->orch, &text) == AIORCH_OK) aiorch_text_get(text, &json, &len);
  json_value *list = json_parse(json, len, NULL);
  aiorch_text_free(text);
  for (const json_value *p = list ? list->child : NULL; p; p = p->next) {
    if (!json_is_null(p, "chain")) cli_addf(&providers, "%s%s", providers.len ? ", " : "", json_text(p, "name"));
  }
  if (strcmp(store, "memory") == 0) store = "in memory, gone with this process";
  if (!*store) store = "not known";
  server_say("serving %s; store %s; providers %s; %s", cli_z(&where), store, cli_z(&providers), cli_z(&who));
  notify_manager("READY=1\nSTATUS=Serving %s", cli_z(&where));
  json_free(list);
  cli_release(&where);
  cli_release(&who);
  cli_release(&providers);
}

/* When it begins and when it ends; what comes and goes is not told each time. */
static void tell_of_keys(server *s) {
  char why[512];
  server_handle *h = s->handle;
  if (h->keys_told_ms && s->now_ms - h->keys_told_ms < KEYS_TOLD_MS) return;
  bool failing = identity_trouble(h->ids, why);
  if (failing == h->keys_failing) return;
  h->keys_failing = failing;
  h->keys_told_ms = s->now_ms;
  if (failing) server_say("callers are checked by what was read before, for a while: %s", why);
  else server_say("callers are checked by what is read now again");
}

/* Four times a second: what goes by the clock. */
static void beat(server *s) {
  static const int64_t every = BEAT_MS;
  if (s->now_ms < s->next_beat_ms) return;
  s->next_beat_ms = s->now_ms + every;
  server_heartbeats(s);
  if (s->watchdog_ms && s->now_ms >= s->next_sign_ms) {
    s->next_sign_ms = s->now_ms + s->watchdog_ms;
    notify_manager("WATCHDOG=1");
  }
  if (s->requests > 0) s->busy_ms = s->now_ms;
  if (s->busy_ms && s->now_ms - s->busy_ms > CALM_MS) {
    s->busy_ms = 0;
    workers_trim(s->workers);
    memory_trim_thread();
  }
  tell_of_keys(s);
  handles_tidy(s);
}

/* Nothing under way for a moment, in which a connection that was idle may still ask and be told to go elsewhere (who is told so keeps
 * nobody waiting); or the time is up: then what is left is cancelled, and told so. `came`: the system had something in this round. */
static void drain(server *s, bool came) {
  if (!s->draining) return;
  if (quiet_look(&s->quiet, s->now_ms, s->calls > 0, came || s->work_due || http_front_due(s->front))) s->stop = true;
  if (s->now_ms < s->drain_until_ms) return;
  if (quiet_cut(&s->quiet)) s->stop = true;
  for (server_handle *h = s->handle; h; h = h->next) {
    if (h->closing || h->leaving) continue;
    h->closing = true;
    aiorch_close(h->orch, 0);
    s->work_due = true;
  }
}

static void drive_all(server *s) {
  bool all = s->work_due;
  s->work_due = false;
  for (server_handle *h = s->handle; h; h = h->next) {
    if (h->leaving || (!h->ready && !all)) continue;
    h->ready = false;
    server_drive(s, h);
  }
}

/* `wait`: as long as the front lets it; negative: for ever. */
static int timeout_ms(const server *s, int64_t wait) {
  int64_t most = s->draining && s->calls == 0 ? quiet_wait_ms(&s->quiet) : BEAT_MS;
  if (s->work_due || http_front_due(s->front)) return 0;
  return (int)(wait < 0 || wait > most ? most : wait);
}

static void loop(server *s) {
  struct epoll_event events[EVENTS];
  int64_t wait = 0;
  while (!s->stop) {
    int n = epoll_wait(s->epoll, events, EVENTS, timeout_ms(s, wait));
    s->now_ms = cli_mono_ms();
    for (int i = 0; i < n; i++) {
      loop_watch *watch = events[i].data.ptr;
      watch->ready(watch, events[i].events);
    }
    wait = http_front_work(s->front, s->now_ms);
    drive_all(s);
    if (http_front_due(s->front)) wait = http_front_work(s->front, s->now_ms);
    beat(s);
    drain(s, n > 0);
  }
}

static int start(server *s) {
  char why[256] = "it cannot be watched by epoll";
  s->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (s->epoll < 0 || !watch_signals(s) || !make_front(s, why)) return cli_error((cli *)(uintptr_t)s->cli, CLI_EXIT_CONFIG, AIORCH_E_CONFIG, "%s", why);
  s->workers = workers_new(s, s->handle->settings.workers, s->handle->settings.worker_queue);
  if (!s->workers) return cli_error((cli *)(uintptr_t)s->cli, CLI_EXIT_INTERNAL, AIORCH_E_SYSTEM, "no threads can be started");
  s->worker_threads = s->handle->settings.workers;
  s->worker_queue = s->handle->settings.worker_queue;
  s->listen = cli_copy(s->handle->settings.listen, strlen(s->handle->settings.listen));
  s->listeners = listeners_new(s, s->listen, why);
  if (!s->listeners) return cli_error((cli *)(uintptr_t)s->cli, CLI_EXIT_CONFIG, AIORCH_E_CONFIG, "%s", why);
  handle_ready(s, s->handle);
  return CLI_EXIT_OK;
}

/* A worker that still waits for another machine would keep this process for as long as that may take. What was spent is written down; the
 * rest goes with the process, as by kill -9. */
static void leave_workers(server *s) {
  bool settled = true;
  for (server_handle *h = s->handle; h; h = h->next) {
    if (h->orch && !h->leaving && aiorch_close(h->orch, CLOSE_MS) == AIORCH_AGAIN) settled = false;
  }
  if (!settled) server_say(UNSETTLED);
  server_say("ended, while a search, embedding or change of documents was under way still");
  fflush(NULL);
  _exit(CLI_EXIT_OK);
}

int server_run(server *s) {
  raise_limit();
  s->now_ms = s->begun_ms = cli_mono_ms();
  s->signal_fd = -1;
  s->watchdog_ms = watchdog_ms();
  int code = start(s);
  if (code == CLI_EXIT_OK) {
    say_start(s);
    memory_forget_start();
    loop(s);
    if (s->requests > 0) server_say("%lld request%s cut off", (long long)s->requests, s->requests == 1 ? " was" : "s were");
  }
  listeners_free(s->listeners);
  free(s->listen);
  if (!workers_end(s->workers, s->handle->next ? OLD_MS : WORK_MS)) leave_workers(s); /* an old handle settles what it has spent */
  workers_free(s->workers);
  http_front_free(s->front);
  if (!handles_close(s, CLOSE_MS)) server_say(UNSETTLED);
  if (s->signal_fd >= 0) close(s->signal_fd);
  if (s->epoll >= 0) close(s->epoll);
  if (code == CLI_EXIT_OK) server_say("ended");
  return code;
}
