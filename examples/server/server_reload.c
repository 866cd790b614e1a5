/*
 * Configurations: the one that the server starts with, and those that SIGHUP brings. The new one is opened by a worker while the old one
 * serves; from then on requests go by the new one, and the old one is closed when its last has ended. The front takes its limits and its
 * certificate from it. What cannot be changed so (where the server listens, its threads) stays as it was, and is said.
 */
#include "model_catalog.h"
#include "server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { SETTLE_MS = 30000, CODE_MEMORY = -1 };

static bool is_memory(const cli *c) {
  aiorch_text *text;
  const char *store = "";
  if (aiorch_config_get(c->config, "store", &text, NULL) != AIORCH_OK) return false;
  aiorch_text_get(text, &store, NULL);
  bool memory = strcmp(store, "memory") == 0;
  aiorch_text_free(text);
  return memory;
}

static void note_store(cli *c, server_handle *handle) {
  aiorch_text *text = NULL;
  const char *json = "";
  size_t len = 0;
  if (aiorch_stats(c->orch, c->opt.tenant, cli_tenant_len(c), c->timeout_ms, &text, NULL) != AIORCH_OK) return;
  aiorch_text_get(text, &json, &len);
  json_value *stats = json_parse(json, len, NULL);
  snprintf(handle->store, sizeof handle->store, "%s", json_text(stats, "store"));
  json_free(stats);
  aiorch_text_free(text);
}

/* All but the opening. */
static int open_with(cli *c, server_handle *handle, bool again, char why[1200]) {
  char words[512] = "";
  int code = cli_configure(c); /* says on stderr itself what is wrong */
  if (code != CLI_EXIT_OK && !again) return code;
  if (code == CLI_EXIT_OK && !server_settings_told(&handle->settings, c, words)) {
    snprintf(why, 1200, "%s", words);
    return CLI_EXIT_CONFIG;
  }
  if (code == CLI_EXIT_OK && again && is_memory(c)) {
    snprintf(why, 1200, "the store is in memory, and a new one would know nothing of it; start the server anew to lose it");
    return CODE_MEMORY;
  }
  if (code == CLI_EXIT_OK && aiorch_open(c->config, &c->orch, c->error) != AIORCH_OK) code = (int)cli_exit_of(aiorch_error_status(c->error));
  if (code != CLI_EXIT_OK) {
    snprintf(why, 1200, "%s", c->error ? aiorch_error_message(c->error) : "out of memory");
    return code;
  }
  note_store(c, handle);
  handle->models = model_catalog_make(c->orch, c->config, handle->settings.models);
  if (!handle->models) {
    snprintf(why, 1200, "the providers cannot be listed");
    return CLI_EXIT_INTERNAL;
  }
  handle->ids = identity_open(&handle->settings, c->config, words);
  if (!handle->ids) snprintf(why, 1200, "%s", words);
  return handle->ids ? CLI_EXIT_OK : CLI_EXIT_CONFIG;
}

static server_handle *open_handle(const cli *told, bool again, int *code, char why[1200]) {
  server_handle *handle = cli_alloc(sizeof *handle);
  cli c = *told;
  c.config = NULL;
  c.orch = NULL;
  c.error = NULL;
  c.opt.quiet = true; /* warnings were given at the start */
  *code = open_with(&c, handle, again, why);
  handle->orch = c.orch;
  aiorch_config_free(c.config);
  aiorch_error_free(c.error);
  if (*code == CLI_EXIT_OK) return handle;
  handle_release(handle);
  return NULL;
}

server_handle *handle_open(const cli *told, int *code, char why[1200]) { return open_handle(told, false, code, why); }

static void on_runs(loop_watch *watch, uint32_t events) {
  (void)events;
  ((server_handle *)watch)->ready = true;
}

static void on_keys(loop_watch *watch, uint32_t events) {
  server_handle *handle = (server_handle *)((char *)watch - offsetof(server_handle, keys));
  uint64_t looks;
  (void)events;
  if (read(identity_fd(handle->ids), &looks, sizeof looks) == sizeof looks) server_keys_seen(handle->server, handle);
}

static void add_watch(server *s, int fd, loop_watch *watch) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};
  if (fd >= 0) epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event);
}

void handle_ready(server *s, server_handle *handle) {
  int32_t fd;
  handle->server = s;
  handle->watch.ready = on_runs;
  handle->keys.ready = on_keys;
  if (aiorch_fd(handle->orch, &fd) == AIORCH_OK) add_watch(s, fd, &handle->watch);
  add_watch(s, identity_fd(handle->ids), &handle->keys);
}

/* It may wait: runs on a worker, or at the end. */
static bool close_handle(server_handle *handle, int64_t ms) {
  aiorch_status status = handle->orch ? aiorch_close(handle->orch, ms) : AIORCH_OK;
  aiorch_free(handle->orch);
  handle->orch = NULL;
  identity_close(handle->ids);
  handle->ids = NULL;
  model_catalog_free(handle->models);
  handle->models = NULL;
  return status != AIORCH_AGAIN;
}

void handle_release(server_handle *handle) {
  if (!handle) return;
  if (handle->orch) close_handle(handle, SETTLE_MS);
  if (handle->ids) identity_close(handle->ids);
  server_settings_free(&handle->settings);
  free(handle);
}

/* ---- a new one in the place of the old ---- */

typedef struct reload {
  server *server;
  server_handle *made;
  front_plan plan;
  bool planned; /* there is a plan, with or without a handle */
  int code;
  char why[1200];
} reload;

/* With a store in memory the handle stays, but not what the front has of the settings: certificates end. */
static bool plan_alone(reload *r, char why[256]) {
  server_settings settings = {0};
  bool good = server_settings_told(&settings, r->server->cli, why) && front_plan_read(&r->plan, &settings, why);
  server_settings_free(&settings);
  return good;
}

static void open_new(void *context) {
  reload *r = context;
  char why[256] = "";
  r->made = open_handle(r->server->cli, true, &r->code, r->why);
  if (r->made) r->planned = front_plan_read(&r->plan, &r->made->settings, why);
  else if (r->code == CODE_MEMORY) r->planned = plan_alone(r, why);
  if (*why) snprintf(r->why, sizeof r->why, "%s", why);
}

static void release_task(void *context) { handle_release(context); }

static void say_unchanged(const char *setting) { server_say("server.%s is that of the start; it changes when the server is started anew", setting); }

static void say_what_stays(const server *s, const server_settings *t) {
  if (strcmp(t->listen, s->listen) != 0) say_unchanged("listen");
  if (t->workers != s->worker_threads) say_unchanged("workers");
  if (t->worker_queue != s->worker_queue) say_unchanged("worker_queue");
}

static void use_handle(server *s, server_handle *made) {
  handle_ready(s, made);
  s->handle->retired = true;
  made->next = s->handle;
  s->handle = made;
  s->counts.reloads++;
  server_say("the new configuration serves; the one before ends with its last request");
  say_what_stays(s, &made->settings);
  notify_manager("READY=1");
}

static void take_over(void *context) {
  reload *r = context;
  server *s = r->server;
  char why[256] = "";
  s->reloading = false;
  bool changed = r->planned && !s->draining && http_front_change(s->front, &r->plan.limits, r->plan.certificate, r->plan.key, why);
  if (*why) snprintf(r->why, sizeof r->why, "%s", why);
  if (r->made && changed) {
    use_handle(s, r->made);
  } else if (!s->draining) {
    s->counts.reloads_failed++;
    server_say("the new configuration was not taken over, the old one goes on%s: %s", changed ? " but for its certificate and the limits of connections" : "", r->why);
    notify_manager("READY=1\nSTATUS=The new configuration was not taken over");
  }
  if (r->made && !changed) workers_task(s->workers, release_task, NULL, r->made);
  front_plan_free(&r->plan);
  free(r);
  if (s->reload_again && !s->draining) {
    s->reload_again = false;
    server_reload(s);
  }
}

void server_reload(server *s) {
  if (s->draining) return;
  if (s->reloading) {
    s->reload_again = true;
    return;
  }
  reload *r = cli_alloc(sizeof *r);
  r->server = s;
  s->reloading = true;
  notify_manager("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)cli_mono_us());
  workers_task(s->workers, open_new, take_over, r);
}

static void close_old(void *context) { close_handle(context, SETTLE_MS); }

static void forget_old(void *context) {
  server_handle *handle = context;
  for (server_handle **at = &handle->server->handle; *at; at = &(*at)->next) {
    if (*at != handle) continue;
    *at = handle->next;
    break;
  }
  server_settings_free(&handle->settings);
  free(handle);
}

/* Nothing here may reach it while a worker closes it: no event, no drive. */
static void hand_to_worker(server *s, server_handle *handle) {
  int32_t fd;
  handle->leaving = true;
  if (aiorch_fd(handle->orch, &fd) == AIORCH_OK) epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL);
  if (identity_fd(handle->ids) >= 0) epoll_ctl(s->epoll, EPOLL_CTL_DEL, identity_fd(handle->ids), NULL);
  workers_task(s->workers, close_old, forget_old, handle);
}

bool handles_tidy(server *s) {
  for (server_handle *h = s->handle->next; h; h = h->next) {
    if (h->retired && !h->closing && !h->leaving && h->users == 0) hand_to_worker(s, h);
  }
  return s->handle->next == NULL;
}

bool handles_close(server *s, int64_t ms) {
  bool settled = true;
  while (s->handle) {
    server_handle *h = s->handle;
    s->handle = h->next;
    if (!close_handle(h, ms)) settled = false;
    server_settings_free(&h->settings);
    free(h);
  }
  return settled;
}
