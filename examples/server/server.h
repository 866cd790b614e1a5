/*
 * The server as a whole, for its own files: one thread with everything that happens, a few workers with everything that waits.
 */
#ifndef SERVER_H
#define SERVER_H

#include "endpoints.h"
#include "server_quiet.h"
#include "server_settings.h"
#include "tenant_share.h"

#include <stdatomic.h>

/* One opened configuration. SIGHUP opens another; the one before goes when its last request has ended. */
typedef struct server_handle {
  loop_watch watch; /* first: of aiorch_fd */
  loop_watch keys;  /* of identity_fd */
  struct server *server;
  struct server_handle *next;
  aiorch *orch;
  identity *ids;
  struct model_catalog *models;
  server_settings settings;
  char store[512];  /* its place, without a password; "memory"; empty when it did not say */
  int64_t users;    /* requests that go by it */
  aiorch_status store_failed;           /* what the store said to the run that last ended; AIORCH_OK when all was well */
  int64_t store_failed_ms;              /* and when that was */
  bool keys_failing;                    /* what callers are checked by could not be read, and that was said */
  int64_t keys_told_ms;
  bool checking;    /* a worker is at GET /readyz */
  struct server_request *checkers;      /* who has asked meanwhile: they get the same answer */
  bool ready, retired, closing, leaving; /* leaving: a worker closes it, and has it to itself */
} server_handle;

/* One request, from the end of its head to the end of its answer; http_call.owner points to it. */
typedef struct server_request {
  http_call *call;
  server_handle *handle;
  const endpoint *endpoint;
  caller who;
  char (*parts)[ENDPOINT_PART_MAX + 1]; /* ENDPOINT_PARTS_MAX of them; NULL when the path has none */
  exchange x;
  uint64_t ticket;                      /* of identity_ask */
  struct server_request *next;          /* of those that stream, of those whose key is being looked for, or of the workers' queue */
  struct server_request **place;
  endpoint_call *job;
  tenant_share *share;                  /* its tenant's; NULL: not known, or open to everybody */
  struct access_note *note;             /* what the log will say; NULL: there is none */
  int64_t spoke_ms;                     /* when the stream last said something */
  bool submitted, paused, cancelled, begun, counted, asking;
  bool early;                           /* its stream begins before its answer: what became of the cache is not known */
} server_request;

typedef struct server_counts {
  uint64_t requests[6];                 /* by the first digit of the status; 0: no answer */
  uint64_t by_endpoint[32];
  uint64_t latency[12], latency_us;     /* the buckets of server_buckets_us, the last of them infinite */
  uint64_t cancelled, worker_refused, overloaded, reloads, reloads_failed, stream_events, log_dropped;
} server_counts;

extern const int64_t server_buckets_us[11];

typedef struct server {
  http_front *front;
  server_handle *handle;                /* the newest; the others hang on its next */
  server_request *streams;              /* those that may need a heartbeat */
  server_request *askers;               /* those whose key is being looked for */
  int64_t asking;
  server_counts counts;
  tenant_shares shares;
  struct workers *workers;
  struct listeners *listeners;
  char *listen;                         /* these three are those of the start, whatever SIGHUP brings */
  int64_t worker_threads, worker_queue;
  const cli *cli;                       /* what was said on the command line, for the next configuration */
  int epoll;
  int64_t now_ms, begun_ms, next_beat_ms, drain_until_ms, requests, calls; /* all that are under way; those that calls_max counts */
  int64_t watchdog_ms, next_sign_ms; /* the service manager's; 0: it wants no sign of life */
  _Atomic int64_t trouble_ms;           /* when a trouble was last told to who runs the server */
  server_quiet quiet;                   /* while it drains */
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
/* Keys were looked at: those that wait for it ask again. */
void server_keys_seen(server *s, const server_handle *handle);

/* ---- access_log.c: one line of JSON a request, on stderr, when server.access_log is set; never a text, a key or a user's name ---- */
void access_log_begin(server_request *r); /* at the head, when the headers are still there */
void access_log_note(server_request *r);  /* what it will say of the run, before that is freed */
void access_log_write(const server_request *r, int status, uint64_t bytes, int64_t us); /* status 0: gone before there was an answer */

/* ---- server_say.c ---- */
/* A line for people. */
void server_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Whole lines for stderr. False: nobody takes them, and they are lost. */
bool server_write_line(const char *text, size_t len);
/* What is wrong with this machine, if that is what is wrong: a line now and then, however many requests meet it. On any thread. */
void server_trouble(server *s, const http_problem *why);

/* ---- server_workers.c ---- */
typedef void (*worker_task)(void *context);
struct workers *workers_new(server *s, int64_t threads, int64_t queue_max);
/* False: the queue is full, or its tenant's share of it. */
bool workers_serve(struct workers *w, server_request *r);
/* A task of the server's own, never refused; `done` on the loop's thread. */
void workers_task(struct workers *w, worker_task task, worker_task done, void *context);
/* Each gives back the memory that it has and nobody needs, when it is done with what it is at. */
void workers_trim(struct workers *w);
/* They begin no more than what is queued, and end; false when some have not after so long: then nothing that they have may be freed. */
bool workers_end(struct workers *w, int64_t ms);
void workers_free(struct workers *w);

/* ---- server_listen.c ---- */
struct listeners *listeners_new(server *s, const char *addresses, char why[256]);
void listeners_describe(const struct listeners *l, cli_bytes *out);
void listeners_stop(struct listeners *l); /* nothing more is accepted */
void listeners_free(struct listeners *l);
/* The sockets are a service manager's, which keeps them open: the next process goes on with them. */
bool listeners_given(const struct listeners *l);
/* How often the service manager wants a sign of life (WATCHDOG_USEC), in ms; 0: it does not. */
int64_t watchdog_ms(void);
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

/* ---- server_plan.c ---- */
typedef struct front_plan {
  http_limits limits;
  char *certificate, *key; /* PEM; NULL: without TLS */
} front_plan;
/* It may wait. False after `why`; the plan is to be freed in any case. */
bool front_plan_read(front_plan *plan, const server_settings *settings, char why[256]);
void front_plan_free(front_plan *plan);

/* ---- server_memory.c ---- */
/* What one thread can give back for all, and what each must for itself. */
void memory_trim(void);
void memory_trim_thread(void);
/* Before anything is opened, and once when everything is. */
void memory_begin(void);
void memory_forget_start(void);

/* ---- endpoint_*.c ---- */
void endpoint_healthz(endpoint_call *call);
void endpoint_readyz(endpoint_call *call);
void endpoint_metrics(endpoint_call *call);

#endif
