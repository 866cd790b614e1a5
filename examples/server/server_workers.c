/*
 * Threads for what may wait. A request goes in, its answer comes out; the loop is told by a descriptor.
 */
#include "server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct task {
  struct task *next;
  server_request *request; /* or */
  worker_task run, done;
  void *context;
} task;

typedef struct tasks {
  task *first, **last;
} tasks;

struct workers {
  loop_watch watch; /* first */
  server *server;
  pthread_t *threads;
  int64_t thread_count, queue_max, waiting;
  pthread_mutex_t lock;
  pthread_cond_t more;
  tasks queue, done;
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

static void *work(void *context) {
  struct workers *w = context;
  uint64_t one = 1;
  pthread_mutex_lock(&w->lock);
  for (;;) {
    task *t = take(&w->queue);
    if (!t && w->stop) break;
    if (!t) {
      pthread_cond_wait(&w->more, &w->lock);
      continue;
    }
    if (t->request) w->waiting--;
    pthread_mutex_unlock(&w->lock);
    if (t->request) t->request->endpoint->serve(t->request->job);
    else t->run(t->context);
    pthread_mutex_lock(&w->lock);
    put(&w->done, t);
    while (write(w->fd, &one, sizeof one) < 0 && errno == EINTR) continue;
  }
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
    if (t->request) server_worker_done(w->server, t->request);
    else if (t->done) t->done(t->context);
    free(t);
  }
}

struct workers *workers_new(server *s, int64_t threads, int64_t queue_max) {
  struct workers *w = cli_alloc(sizeof *w);
  w->watch.ready = on_done;
  w->server = s;
  w->queue_max = queue_max;
  w->queue.last = &w->queue.first;
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

static void hand_over(struct workers *w, task *t) {
  put(&w->queue, t);
  pthread_cond_signal(&w->more);
}

bool workers_serve(struct workers *w, server_request *r) {
  task *t = cli_alloc(sizeof *t);
  t->request = r;
  pthread_mutex_lock(&w->lock);
  bool room = w->waiting < w->queue_max;
  if (room) {
    w->waiting++;
    hand_over(w, t);
  }
  pthread_mutex_unlock(&w->lock);
  if (!room) free(t);
  return room;
}

void workers_task(struct workers *w, worker_task run, worker_task done, void *context) {
  task *t = cli_alloc(sizeof *t);
  t->run = run;
  t->done = done;
  t->context = context;
  pthread_mutex_lock(&w->lock);
  hand_over(w, t);
  pthread_mutex_unlock(&w->lock);
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
    close(w->fd);
  }
  pthread_mutex_destroy(&w->lock);
  pthread_cond_destroy(&w->more);
  free(w->threads);
  free(w);
}
