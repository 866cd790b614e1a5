/*
 * Configurations: the one that the server starts with, and those that SIGHUP brings. The new one is opened by a worker while the old one
 * serves; from then on requests go by the new one, and the old one is closed when its last has ended. What cannot be changed so (where the
 * server listens, its limits of connections) stays as it was.
 */
#include "model_catalog.h"
#include "server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { SETTLE_MS = 30000 };

void server_say(const char *format, ...) {
  cli_bytes line = {0};
  va_list args;
  cli_addz(&line, "aiorch serve: ");
  va_start(args, format);
  cli_addv(&line, format, args);
  va_end(args);
  cli_addc(&line, '\n');
  fwrite(line.data, 1, line.len, stderr);
  cli_release(&line);
}

static bool is_memory(const cli *c) {
  aiorch_text *text;
  const char *store = "";
  if (aiorch_config_get(c->config, "store", &text, NULL) != AIORCH_OK) return false;
  aiorch_text_get(text, &store, NULL);
  bool memory = strcmp(store, "memory") == 0;
  aiorch_text_free(text);
  return memory;
}

/* All but the opening. */
static int open_with(cli *c, server_handle *handle, bool again, char why[1200]) {
  char words[512] = "";
  if (!server_settings_told(&handle->settings, c, words)) {
    snprintf(why, 1200, "%s", words);
    return CLI_EXIT_CONFIG;
  }
  int code = cli_configure(c); /* says on stderr itself what is wrong */
  if (code != CLI_EXIT_OK && !again) return code;
  if (code == CLI_EXIT_OK && again && is_memory(c)) {
    snprintf(why, 1200, "the store is in memory, and a new one would know nothing of it; start the server anew to lose it");
    return CLI_EXIT_CONFIG;
  }
  if (code == CLI_EXIT_OK && aiorch_open(c->config, &c->orch, c->error) != AIORCH_OK) code = (int)cli_exit_of(aiorch_error_status(c->error));
  if (code != CLI_EXIT_OK) {
    snprintf(why, 1200, "%s", c->error ? aiorch_error_message(c->error) : "out of memory");
    return code;
  }
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

void handle_ready(server *s, server_handle *handle) {
  int32_t fd;
  handle->server = s;
  handle->watch.ready = on_runs;
  if (aiorch_fd(handle->orch, &fd) != AIORCH_OK) return;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = handle};
  epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event);
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
  int code;
  char why[1200];
} reload;

static void open_new(void *context) {
  reload *r = context;
  r->made = open_handle(r->server->cli, true, &r->code, r->why);
}

static void take_over(void *context) {
  reload *r = context;
  server *s = r->server;
  s->reloading = false;
  if (r->made && !s->draining) {
    handle_ready(s, r->made);
    s->handle->retired = true;
    r->made->next = s->handle;
    s->handle = r->made;
    s->counts.reloads++;
    server_say("the new configuration serves; the one before ends with its last request");
    notify_manager("READY=1");
  } else if (r->made) {
    handle_release(r->made);
  } else {
    s->counts.reloads_failed++;
    server_say("the new configuration was not taken over, the old one goes on: %s", r->why);
    notify_manager("READY=1\nSTATUS=The new configuration was not taken over");
  }
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

static void close_old(void *context) {
  server_handle *handle = context;
  int32_t fd;
  if (aiorch_fd(handle->orch, &fd) == AIORCH_OK) epoll_ctl(handle->server->epoll, EPOLL_CTL_DEL, fd, NULL);
  close_handle(handle, SETTLE_MS);
}

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

bool handles_tidy(server *s) {
  for (server_handle *h = s->handle->next; h; h = h->next) {
    if (!h->retired || h->closing || h->users > 0) continue;
    h->closing = true;
    workers_task(s->workers, close_old, forget_old, h);
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
