/*
 * Threads for what may wait. A request goes in, its answer comes out; the loop is told by a descriptor. Tenants take turns, and none has all
 * of the queue, nor all threads while others ask, too.
 */
#include "server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { MIXED_MS = 60000, PAUSE_MS = 10 };

typedef struct task {
  struct task *next;
  struct lane *lane;       /* NULL: the server's own */
  server_request *request; /* or */
  worker_task run, done;
  void *context;
} task;

typedef struct tasks {
  task *first, **last;
} tasks;

/* What one tenant has here; it is there as long as there is something. */
typedef struct lane {
  struct lane *next;
  char tenant[CALLER_NAME_MAX + 1];
  tasks queue;
  int64_t waiting, running;
} lane;

struct workers {
  loop_watch watch; /* first */
  server *server;
  pthread_t *threads;
  int64_t thread_count, queue_max, waiting, ended;
  pthread_mutex_t lock;
  pthread_cond_t more;
  tasks own, done;         /* the server's own go before all others */
  lane *lanes;             /* the first of them is served next, and then goes behind the others */
  char last[CALLER_NAME_MAX + 1]; /* the tenant that last handed something over */
  int64_t mixed_until_ms;  /* until then there is more than one */
  uint64_t trims, trims_begun; /* how often threads were told to give memory back; how often one has begun to */
  bool stop;
  int fd;
};

static void put(tasks *list, task *t) {
  t->next = NULL;
  *list->last = t;
  list->last = &t->next;
}

static task *take(tasks *list) {
  task *t = list->first;
  if (!t) return NULL;
  list->first = t->next;
  if (!list->first) list->last = &list->first;
  return t;
}

/* ---- turns ---- */

/* Where it is, or belongs: behind the others. */
static lane **lane_place(struct workers *w, const char *tenant) {
  lane **at = &w->lanes;
  while (*at && strcmp((*at)->tenant, tenant) != 0) at = &(*at)->next;
  return at;
}

static lane *lane_new(const char *tenant) {
  lane *l = cli_alloc(sizeof *l);
  memcpy(l->tenant, tenant, strlen(tenant) + 1);
  l->queue.last = &l->queue.first;
  return l;
}

static void lane_leave(struct workers *w, lane *l) {
  lane **at = &w->lanes;
  while (*at != l) at = &(*at)->next;
  *at = l->next;
}

static void lane_to_end(struct workers *w, lane *l) {
  lane **at = &w->lanes;
  lane_leave(w, l);
  while (*at) at = &(*at)->next;
  l->next = NULL;
  *at = l;
}

/* A thread is kept for others, where there have been others: what one tenant waits for may take minutes. */
static bool may_run(const struct workers *w, const lane *l, int64_t now) {
  if (l->waiting == 0) return false;
  return w->stop || w->thread_count < 2 || now >= w->mixed_until_ms || l->running < w->thread_count - 1;
}

static task *take_turn(struct workers *w) {
  task *t = take(&w->own);
  int64_t now = t || w->waiting == 0 ? 0 : cli_mono_ms();
  if (t || w->waiting == 0) return t;
  for (lane *l = w->lanes; l; l = l->next) {
    if (!may_run(w, l, now)) continue;
    t = take(&l->queue);
    w->waiting--;
    l->waiting--;
    l->running++;
    lane_to_end(w, l);
    return t;
  }
  return NULL;
}

static void end_turn(struct workers *w, task *t) {
  lane *l = t->lane;
  if (!l) return;
  l->running--;
  t->lane = NULL;
  if (l->waiting > 0 || l->running > 0) return;
  lane_leave(w, l);
  free(l);
}

/* ---- threads ---- */

static void do_task(const task *t) {
  if (t->request) t->request->endpoint->serve(t->request->job);
  else t->run(t->context);
}

static void end_task(struct workers *w, task *t) {
  if (t->request) server_worker_done(w->server, t->request);
  else if (t->done) t->done(t->context);
  free(t);
}

static void *work(void *context) {
  struct workers *w = context;
  uint64_t one = 1, trims = 0;
  pthread_mutex_lock(&w->lock);
  for (;;) {
    if (trims != w->trims) {
      bool first = w->trims > w->trims_begun;
      trims = w->trims_begun = w->trims;
      pthread_mutex_unlock(&w->lock);
      if (first) memory_trim();
      memory_trim_thread();
      pthread_mutex_lock(&w->lock);
    }
    task *t = take_turn(w);
    if (!t && w->stop) break;
    if (!t) {
      pthread_cond_wait(&w->more, &w->lock);
      continue;
    }
    pthread_mutex_unlock(&w->lock);
    do_task(t);
    pthread_mutex_lock(&w->lock);
    end_turn(w, t);
    put(&w->done, t);
    while (write(w->fd, &one, sizeof one) < 0 && errno == EINTR) continue;
  }
  w->ended++;
  pthread_mutex_unlock(&w->lock);
  return NULL;
}

static void on_done(loop_watch *watch, uint32_t events) {
  struct workers *w = (struct workers *)watch;
  uint64_t count;
  (void)events;
  while (read(w->fd, &count, sizeof count) < 0 && errno == EINTR) continue;
  for (;;) {
    pthread_mutex_lock(&w->lock);
    task *t = take(&w->done);
    pthread_mutex_unlock(&w->lock);
    if (!t) return;
    end_task(w, t);
  }
}

struct workers *workers_new(server *s, int64_t threads, int64_t queue_max) {
  struct workers *w = cli_alloc(sizeof *w);
  w->watch.ready = on_done;
  w->server = s;
  w->queue_max = queue_max;
  w->own.last = &w->own.first;
  w->done.last = &w->done.first;
  w->threads = cli_alloc((size_t)threads * sizeof *w->threads);
  w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->more, NULL);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};
  if (w->fd < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, w->fd, &event) != 0) {
    workers_free(w);
    return NULL;
  }
  while (w->thread_count < threads && pthread_create(&w->threads[w->thread_count], NULL, work, w) == 0) w->thread_count++;
  if (w->thread_count > 0) return w;
  workers_free(w);
  return NULL;
}

static bool queue_task(struct workers *w, task *t, const char *tenant) {
  lane **place = lane_place(w, tenant);
  if (*tenant && strcmp(w->last, tenant) != 0) { /* GET /readyz is nobody's */
    if (w->last[0]) w->mixed_until_ms = cli_mono_ms() + MIXED_MS;
    memcpy(w->last, tenant, strlen(tenant) + 1);
  }
  int64_t room = w->queue_max - w->waiting;
  if (!tenant_share_allows(*place ? (*place)->waiting : 0, 1, room)) return false;
  if (!*place) *place = lane_new(tenant);
  t->lane = *place;
  put(&t->lane->queue, t);
  t->lane->waiting++;
  w->waiting++;
  pthread_cond_signal(&w->more);
  return true;
}

bool workers_serve(struct workers *w, server_request *r) {
  task *t = cli_alloc(sizeof *t);
  t->request = r;
  pthread_mutex_lock(&w->lock);
  bool queued = queue_task(w, t, r->who.tenant);
  pthread_mutex_unlock(&w->lock);
  if (!queued) free(t);
  return queued;
}

void workers_task(struct workers *w, worker_task run, worker_task done, void *context) {
  task *t = cli_alloc(sizeof *t);
  t->run = run;
  t->done = done;
  t->context = context;
  pthread_mutex_lock(&w->lock);
  put(&w->own, t);
  pthread_cond_signal(&w->more);
  pthread_mutex_unlock(&w->lock);
}

void workers_trim(struct workers *w) {
  pthread_mutex_lock(&w->lock);
  w->trims++;
  pthread_cond_broadcast(&w->more);
  pthread_mutex_unlock(&w->lock);
}

bool workers_end(struct workers *w, int64_t ms) {
  static const struct timespec pause = {0, PAUSE_MS * 1000000L};
  bool ended = !w;
  for (int64_t left = ms; !ended; left -= PAUSE_MS) { /* counted, not timed: while the process stands still they do nothing either */
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->more);
    ended = w->ended == w->thread_count;
    pthread_mutex_unlock(&w->lock);
    if (!ended && left <= 0) break;
    if (!ended) nanosleep(&pause, NULL);
  }
  for (int64_t i = 0; !ended && i < w->thread_count; i++) pthread_detach(w->threads[i]); /* nobody joins them: the process ends */
  return ended;
}

/* What was handed over when no thread was left, by what the end of another task brought: a reload that ends during the stop has a handle to
 * give back. */
static void do_here(struct workers *w) {
  for (task *t; (t = take_turn(w)) != NULL;) {
    do_task(t);
    end_turn(w, t);
    end_task(w, t);
  }
}

/* What they are at is finished, and answered. */
void workers_free(struct workers *w) {
  if (!w) return;
  pthread_mutex_lock(&w->lock);
  w->stop = true;
  pthread_cond_broadcast(&w->more);
  pthread_mutex_unlock(&w->lock);
  for (int64_t i = 0; i < w->thread_count; i++) pthread_join(w->threads[i], NULL);
  if (w->fd >= 0) {
    on_done(&w->watch, 0);
    do_here(w);
    close(w->fd);
  }
  pthread_mutex_destroy(&w->lock);
  pthread_cond_destroy(&w->more);
  free(w->threads);
  free(w);
}
