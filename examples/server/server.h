/*
 * The server as a whole, for its own files: one thread with everything that happens, a few workers with everything that waits.
 */
#ifndef SERVER_H
#define SERVER_H

#include "endpoints.h"
#include "server_settings.h"

/* One opened configuration. SIGHUP opens another; the one before goes when its last request has ended. */
typedef struct server_handle {
  loop_watch watch; /* first: of aiorch_fd */
  struct server *server;
  struct server_handle *next;
  aiorch *orch;
  identity *ids;
  struct model_catalog *models;
  server_settings settings;
  int64_t users;    /* requests that go by it */
  bool ready, retired, closing;
} server_handle;

/* One request, from the end of its head to the end of its answer; http_call.owner points to it. */
typedef struct server_request {
  http_call *call;
  server_handle *handle;
  const endpoint *endpoint;
  caller who;
  char (*parts)[ENDPOINT_PART_MAX + 1]; /* ENDPOINT_PARTS_MAX of them; NULL when the path has none */
  exchange x;
  struct server_request *next;          /* of those that stream, or of the workers' queue */
  struct server_request **place;
  endpoint_call *job;
  int64_t spoke_ms;                     /* when the stream last said something */
  bool submitted, paused, cancelled, begun, counted;
} server_request;

typedef struct server_counts {
  uint64_t requests[6];                 /* by the first digit of the status; 0: no answer */
  uint64_t by_endpoint[32];
  uint64_t latency[12], latency_us;     /* the buckets of server_buckets_us, the last of them infinite */
  uint64_t cancelled, worker_refused, overloaded, reloads, reloads_failed, stream_events;
} server_counts;

extern const int64_t server_buckets_us[11];

typedef struct server {
  http_front *front;
  server_handle *handle;                /* the newest; the others hang on its next */
  server_request *streams;              /* those that may need a heartbeat */
  server_counts counts;
  struct workers *workers;
  struct listeners *listeners;
  const cli *cli;                       /* what was said on the command line, for the next configuration */
  int epoll;
  int64_t now_ms, begun_ms, next_beat_ms, drain_until_ms, quiet_since_ms, requests, calls; /* all that are under way; those that calls_max counts */
  int64_t busy_ms;                      /* when there was last something under way; 0: nothing since memory was given back */
  bool draining, stop, reloading, reload_again, work_due;
  loop_watch signals;
  int signal_fd;
} server;

/* ---- server_loop.c ---- */
/* Serves until it is told to end; an exit code. */
int server_run(server *s);

/* ---- server_runs.c: what the front asks of its host ---- */
http_host server_host(server *s);
/* Drives what can go on of a handle's runs. */
void server_drive(server *s, server_handle *handle);
void server_heartbeats(server *s);
void server_worker_done(server *s, server_request *r);

/* ---- server_workers.c ---- */
typedef void (*worker_task)(void *context);
struct workers *workers_new(server *s, int64_t threads, int64_t queue_max);
/* False: the queue is full. */
bool workers_serve(struct workers *w, server_request *r);
/* A task of the server's own, never refused; `done` on the loop's thread. */
void workers_task(struct workers *w, worker_task task, worker_task done, void *context);
void workers_free(struct workers *w);

/* ---- server_listen.c ---- */
struct listeners *listeners_new(server *s, const char *addresses, char why[256]);
void listeners_describe(const struct listeners *l, cli_bytes *out);
void listeners_stop(struct listeners *l); /* nothing more is accepted */
void listeners_free(struct listeners *l);
/* Tells the service manager; nothing without one. */
void notify_manager(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- server_reload.c ---- */
/* What the command line, the environment and the file say, opened. NULL after a message in `why`; `code` is then an exit code. */
server_handle *handle_open(const cli *told, int *code, char why[1200]);
void handle_ready(server *s, server_handle *handle);
void handle_release(server_handle *handle);
void server_reload(server *s);
/* Closes those that nobody uses any more; true when none but the newest is left. */
bool handles_tidy(server *s);
/* Ends all of them, within `ms`. False: something could not be settled in that time. */
bool handles_close(server *s, int64_t ms);
void server_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- server_memory.c ---- */
void memory_trim(void *context); /* a worker's task */
void memory_forget_start(void);

/* ---- endpoint_*.c ---- */
void endpoint_healthz(endpoint_call *call);
void endpoint_readyz(endpoint_call *call);
void endpoint_metrics(endpoint_call *call);

#endif
