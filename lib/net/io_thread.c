/* See io_thread.h. Timers are a pairing heap: it needs no memory of its own. An event carries its source's number, with a part
 * that is never used twice, and the descriptor: what is left over from a source that has gone finds nobody. */
#include "net/io_thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/thread.h"

enum { NS_PER_MS = 1000000, WAIT_MAX_MS = 60000, SLOT_BITS = 12, FIRST_SOURCES = 4 };

_Static_assert(AIO__IO_SOURCES_MAX <= 1 << SLOT_BITS, "the number of a source holds its slot");

typedef struct source {
  void (*ready)(void *ctx, int fd, uint32_t events); /* NULL: free */
  void *ctx;
  uint32_t round; /* grows with each use of the slot */
} source;

struct aio__io_thread {
  const aio__alloc *al;
  const aio__clock *clock;
  pid_t pid;
  int epoll, wake;
  pthread_mutex_t mutex; /* guards all up to `last` */
  pthread_t thread;
  bool started, stopping;
  atomic_int quiet; /* tasks that nobody was woken for; read without the mutex */
  aio__io_task *first, *last;
  aio__io_task *after; /* these are the thread's alone */
  aio__io_timer *timers;
  source *sources;
  size_t source_count;
};

static const uint64_t WAKE = UINT64_MAX;

/* ---- timers ------------------------------------------------------------------------------------------------------ */

static aio__io_timer *meld(aio__io_timer *a, aio__io_timer *b) {
  if (!a || !b) return a ? a : b;
  if (b->at_ns < a->at_ns) {
    aio__io_timer *earlier = b;
    b = a;
    a = earlier;
  }
  b->next = a->child;
  if (b->next) b->next->before = b;
  b->before = a;
  a->child = b;
  return a;
}

/* Two passes: pairs from the left, then all of them from the right. The list of pairs is kept the other way round in `before`. */
static aio__io_timer *meld_children(aio__io_timer *first) {
  aio__io_timer *pairs = NULL, *root = NULL;
  while (first) {
    aio__io_timer *a = first, *b = a->next, *pair;
    first = b ? b->next : NULL;
    a->next = a->before = NULL;
    if (b) b->next = b->before = NULL;
    pair = meld(a, b);
    pair->before = pairs;
    pairs = pair;
  }
  while (pairs) {
    aio__io_timer *pair = pairs;
    pairs = pair->before;
    pair->before = NULL;
    root = meld(root, pair);
  }
  return root;
}

void aio__io_timer_init(aio__io_timer *timer, void (*run)(aio__io_timer *timer)) {
  *timer = (aio__io_timer){.run = run};
}

void aio__io_timer_clear(aio__io_thread *io, aio__io_timer *timer) {
  if (!timer->set) return;
  aio__io_timer *children = meld_children(timer->child);
  if (timer == io->timers) {
    io->timers = children;
  } else {
    if (timer->before->child == timer)
      timer->before->child = timer->next;
    else
      timer->before->next = timer->next;
    if (timer->next) timer->next->before = timer->before;
    io->timers = meld(io->timers, children);
  }
  timer->child = timer->next = timer->before = NULL;
  timer->set = false;
}

void aio__io_timer_set(aio__io_thread *io, aio__io_timer *timer, int64_t at_ns) {
  if (timer->set && timer->at_ns == at_ns) return;
  aio__io_timer_clear(io, timer);
  if (at_ns == AIO__NEVER) return;
  timer->at_ns = at_ns;
  timer->set = true;
  io->timers = meld(io->timers, timer);
}

static void run_timers(aio__io_thread *io) {
  if (!io->timers) return;
  int64_t now = aio__clock_now(io->clock);
  for (int i = 0; i < AIO__IO_TIMERS_MAX && io->timers && io->timers->at_ns <= now; i++) {
    aio__io_timer *timer = io->timers;
    aio__io_timer_clear(io, timer);
    timer->run(timer);
  }
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static void wake_up(const aio__io_thread *io) {
  uint64_t one = 1;
  ssize_t done;
  do {
    done = write(io->wake, &one, sizeof one);
  } while (done < 0 && errno == EINTR);
}

/* With the mutex held. True when the thread is to be woken: nobody has done that for what was posted before. */
static bool add_task(aio__io_thread *io, aio__io_task *task) {
  bool first = io->first == NULL || atomic_load_explicit(&io->quiet, memory_order_relaxed) > 0;
  task->next = NULL;
  if (io->first == NULL)
    io->first = task;
  else
    io->last->next = task;
  io->last = task;
  return first;
}

void aio__io_post(aio__io_thread *io, aio__io_task *task) {
  pthread_mutex_lock(&io->mutex);
  bool wake = add_task(io, task);
  atomic_store_explicit(&io->quiet, 0, memory_order_relaxed);
  pthread_mutex_unlock(&io->mutex);
  if (wake) wake_up(io);
}

void aio__io_post_quietly(aio__io_thread *io, aio__io_task *task) {
  pthread_mutex_lock(&io->mutex);
  bool unknown = add_task(io, task);
  if (unknown) atomic_fetch_add_explicit(&io->quiet, 1, memory_order_relaxed);
  bool many = atomic_load_explicit(&io->quiet, memory_order_relaxed) >= AIO__IO_QUIET_MAX;
  pthread_mutex_unlock(&io->mutex);
  if (many) aio__io_wake(io);
}

void aio__io_wake(aio__io_thread *io) {
  if (!io || atomic_load_explicit(&io->quiet, memory_order_relaxed) == 0) return;
  pthread_mutex_lock(&io->mutex);
  bool wake = atomic_load_explicit(&io->quiet, memory_order_relaxed) > 0;
  atomic_store_explicit(&io->quiet, 0, memory_order_relaxed);
  pthread_mutex_unlock(&io->mutex);
  if (wake) wake_up(io);
}

/* False when there is nothing left to do and never will be. *stopping: the wake-up for the end may have been taken already. */
static bool run_tasks(aio__io_thread *io, bool *stopping) {
  pthread_mutex_lock(&io->mutex);
  aio__io_task *task = io->first;
  *stopping = io->stopping;
  bool more = task || !io->stopping;
  io->first = io->last = NULL;
  atomic_store_explicit(&io->quiet, 0, memory_order_relaxed);
  pthread_mutex_unlock(&io->mutex);
  while (task) {
    aio__io_task *next = task->next;
    task->run(task);
    task = next;
  }
  return more;
}

void aio__io_after(aio__io_thread *io, aio__io_task *task) {
  task->next = io->after;
  io->after = task;
}

static void run_after(aio__io_thread *io) {
  while (io->after) {
    aio__io_task *task = io->after;
    io->after = task->next;
    task->run(task);
  }
}

/* ---- descriptors --------------------------------------------------------------------------------------------------- */

aiorch_status aio__io_source_add(aio__io_thread *io, void (*ready)(void *ctx, int fd, uint32_t events), void *ctx, uint32_t *out) {
  size_t slot = 0;
  while (slot < io->source_count && io->sources[slot].ready) slot++;
  if (slot == AIO__IO_SOURCES_MAX) return AIORCH_E_TOO_LARGE;
  if (slot == io->source_count) {
    size_t count = slot == 0 ? FIRST_SOURCES : slot * 2;
    source *more = aio__realloc(io->al, io->sources, count * sizeof *more);
    if (!more) return AIORCH_E_NOMEM;
    memset(more + slot, 0, (count - slot) * sizeof *more);
    io->sources = more;
    io->source_count = count;
  }
  io->sources[slot].ready = ready;
  io->sources[slot].ctx = ctx;
  *out = io->sources[slot].round << SLOT_BITS | (uint32_t)slot;
  return AIORCH_OK;
}

static source *source_of(const aio__io_thread *io, uint32_t number) {
  size_t slot = number & ((1u << SLOT_BITS) - 1);
  source *s = slot < io->source_count ? &io->sources[slot] : NULL;
  return s && s->ready && (s->round << SLOT_BITS | (uint32_t)slot) == number ? s : NULL;
}

void aio__io_source_remove(aio__io_thread *io, uint32_t number) {
  source *s = source_of(io, number);
  if (!s) return;
  s->ready = NULL;
  s->round++;
}

int aio__io_watch(aio__io_thread *io, uint32_t number, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.u64 = (uint64_t)number << 32 | (uint32_t)fd};
  if (events == 0) {
    (void)epoll_ctl(io->epoll, EPOLL_CTL_DEL, fd, &event); /* one that was closed is not there any more */
    return 0;
  }
  if (epoll_ctl(io->epoll, EPOLL_CTL_MOD, fd, &event) == 0) return 0;
  if (errno == ENOENT && epoll_ctl(io->epoll, EPOLL_CTL_ADD, fd, &event) == 0) return 0;
  return errno;
}

static void dispatch(aio__io_thread *io, const struct epoll_event *event) {
  if (event->data.u64 == WAKE) {
    uint64_t count;
    while (read(io->wake, &count, sizeof count) < 0 && errno == EINTR) {
    }
    return;
  }
  source *s = source_of(io, (uint32_t)(event->data.u64 >> 32));
  if (s) s->ready(s->ctx, (int)(uint32_t)event->data.u64, event->events);
}

/* Rounded up, so that a timer is due when it is looked at. */
static int wait_ms(const aio__io_thread *io) {
  if (!io->timers) return WAIT_MAX_MS;
  int64_t left = io->timers->at_ns - aio__clock_now(io->clock);
  if (left <= 0) return 0;
  left = (left - 1) / NS_PER_MS + 1;
  return left < WAIT_MAX_MS ? (int)left : WAIT_MAX_MS;
}

static void *run(void *ctx) {
  aio__io_thread *io = ctx;
  struct epoll_event events[AIO__IO_EVENTS_MAX];
  bool stopping;
  while (run_tasks(io, &stopping)) {
    run_timers(io);
    run_after(io);
    int n = epoll_wait(io->epoll, events, AIO__IO_EVENTS_MAX, stopping ? 0 : wait_ms(io));
    for (int i = 0; i < n; i++) dispatch(io, &events[i]);
  }
  return NULL;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

aiorch_status aio__io_new(const aio__alloc *al, const aio__clock *clock, aio__io_thread **out, aiorch_error *error) {
  aio__io_thread *io = aio__calloc(al, 1, sizeof *io);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKE};
  if (!io) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory");
  io->al = al;
  io->clock = clock;
  io->pid = getpid();
  io->epoll = epoll_create1(EPOLL_CLOEXEC);
  io->wake = io->epoll < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int code = io->wake < 0 || epoll_ctl(io->epoll, EPOLL_CTL_ADD, io->wake, &event) != 0 ? errno : 0;
  if (code == 0) code = pthread_mutex_init(&io->mutex, NULL);
  if (code == 0) {
    *out = io;
    return AIORCH_OK;
  }
  if (io->wake >= 0) close(io->wake);
  if (io->epoll >= 0) close(io->epoll);
  aio__free(al, io);
  return aio__error_set(error, AIORCH_E_SYSTEM, "what the I/O thread waits with cannot be made: %s", strerror(code));
}

aiorch_status aio__io_start(aio__io_thread *io, aiorch_error *error) {
  int code = 0;
  if (aio__io_forked(io))
    return aio__error_set(error, AIORCH_E_FORKED, "the handle was made before fork(); open a new one in the child");
  pthread_mutex_lock(&io->mutex);
  if (!io->started) code = aio__thread_start(&io->thread, AIO__IO_STACK_BYTES, run, io);
  if (code == 0) io->started = true;
  pthread_mutex_unlock(&io->mutex);
  return code == 0 ? AIORCH_OK : aio__error_set(error, AIORCH_E_SYSTEM, "the I/O thread cannot be started: %s", strerror(code));
}

const aio__clock *aio__io_clock(const aio__io_thread *io) {
  return io->clock;
}

bool aio__io_forked(const aio__io_thread *io) {
  return io->pid != getpid();
}

void aio__io_free(aio__io_thread *io) {
  if (!io || aio__io_forked(io)) return;
  pthread_mutex_lock(&io->mutex);
  io->stopping = true;
  bool started = io->started;
  pthread_mutex_unlock(&io->mutex);
  if (started) {
    wake_up(io);
    pthread_join(io->thread, NULL);
  } else {
    bool stopping;
    while (run_tasks(io, &stopping)) run_after(io);
  }
  close(io->wake);
  close(io->epoll);
  pthread_mutex_destroy(&io->mutex);
  aio__free(io->al, io->sources);
  aio__free(io->al, io);
}
