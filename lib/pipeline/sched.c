/*
 * The ready queue: a list of runs that can go on, and a heap of the deadlines of those that wait.
 *
 * A run that streams parks many times a second, each time with a later deadline. So it stays in the heap when it is taken out of its
 * parking place, and where it stands when the deadline moves away: that is put right when it comes to the top.
 */
#include "pipeline/sched.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct aio__sched {
  const aio__alloc *al;
  const aio__clock *clock;
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  aio__sched_node *first, *last;  /* QUEUED */
  atomic_size_t queued;           /* how many */
  aio__sched_node **heap;         /* all that are PARKED with a deadline, and some that were */
  size_t heap_n, heap_cap;        /* heap_cap >= submitted: parking never needs memory */
  size_t submitted;
  bool closed;
  unsigned sleepers;              /* threads inside a wait */
  int64_t waits_until;            /* the latest time to which one of them sleeps; INT64_MIN: none does */
  int epoll_fd, event_fd, timer_fd; /* -1 until somebody asks */
  bool event_set;
  int64_t timer_ns;               /* what timer_fd is set to; AIO__NEVER: not */
};

aiorch_status aio__sched_new(const aio__alloc *al, const aio__clock *clock, aio__sched **out) {
  aio__sched *sched = aio__calloc(al, 1, sizeof *sched);
  if (!sched) return AIORCH_E_NOMEM;
  sched->al = al;
  sched->clock = clock;
  sched->epoll_fd = sched->event_fd = sched->timer_fd = -1;
  sched->timer_ns = AIO__NEVER;
  sched->waits_until = INT64_MIN;
  if (pthread_mutex_init(&sched->mutex, NULL) != 0) goto no_mutex;
  if (aio__cond_init(&sched->cond) != 0) goto no_cond;
  *out = sched;
  return AIORCH_OK;

no_cond:
  pthread_mutex_destroy(&sched->mutex);
no_mutex:
  aio__free(al, sched);
  return AIORCH_E_NOMEM;
}

void aio__sched_free(aio__sched *sched) {
  if (!sched) return;
  if (sched->timer_fd >= 0) close(sched->timer_fd);
  if (sched->event_fd >= 0) close(sched->event_fd);
  if (sched->epoll_fd >= 0) close(sched->epoll_fd);
  pthread_cond_destroy(&sched->cond);
  pthread_mutex_destroy(&sched->mutex);
  aio__free(sched->al, sched->heap);
  aio__free(sched->al, sched);
}

static aio__sched_state state_of(const aio__sched_node *node) {
  return (aio__sched_state)atomic_load_explicit(&node->state, memory_order_relaxed);
}

/* With the mutex held. */
static void set_state(aio__sched_node *node, aio__sched_state state) {
  atomic_store_explicit(&node->state, (int)state, memory_order_relaxed);
}

/* ---- the heap: smallest deadline first ---- */

static void heap_set(aio__sched *sched, size_t i, aio__sched_node *node) {
  sched->heap[i] = node;
  node->heap_index = i;
}

static void heap_up(aio__sched *sched, size_t i, aio__sched_node *node) {
  while (i > 0 && sched->heap[(i - 1) / 2]->heap_ns > node->heap_ns) {
    heap_set(sched, i, sched->heap[(i - 1) / 2]);
    i = (i - 1) / 2;
  }
  heap_set(sched, i, node);
}

static void heap_down(aio__sched *sched, size_t i, aio__sched_node *node) {
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= sched->heap_n) break;
    if (child + 1 < sched->heap_n && sched->heap[child + 1]->heap_ns < sched->heap[child]->heap_ns) child++;
    if (sched->heap[child]->heap_ns >= node->heap_ns) break;
    heap_set(sched, i, sched->heap[child]);
    i = child;
  }
  heap_set(sched, i, node);
}

static void heap_remove(aio__sched *sched, aio__sched_node *node) {
  size_t i = node->heap_index;
  if (i == SIZE_MAX) return;
  node->heap_index = SIZE_MAX;
  aio__sched_node *last = sched->heap[--sched->heap_n];
  if (last == node) return;
  heap_up(sched, i, last);
  if (last->heap_index == i) heap_down(sched, i, last);
}

static void heap_put(aio__sched *sched, aio__sched_node *node, int64_t deadline_ns) {
  node->deadline_ns = deadline_ns;
  bool in = node->heap_index != SIZE_MAX;
  if (deadline_ns == AIO__NEVER || (in && node->heap_ns <= deadline_ns)) return;
  node->heap_ns = deadline_ns;
  heap_up(sched, in ? node->heap_index : sched->heap_n++, node);
}

/* The node with the smallest deadline, or NULL. */
static aio__sched_node *heap_top(aio__sched *sched) {
  while (sched->heap_n > 0) {
    aio__sched_node *top = sched->heap[0];
    if (state_of(top) != AIO__SCHED_PARKED || top->deadline_ns == AIO__NEVER) {
      heap_remove(sched, top);
    } else if (top->heap_ns < top->deadline_ns) {
      top->heap_ns = top->deadline_ns;
      heap_down(sched, 0, top);
    } else {
      return top;
    }
  }
  return NULL;
}

/* ---- the descriptor ---- */

static void show_ready(aio__sched *sched) {
  bool want = sched->first != NULL || (sched->closed && sched->submitted == 0);
  if (sched->event_fd < 0 || want == sched->event_set) return;
  uint64_t value = 1;
  /* An eventfd that holds 0 or 1 neither blocks nor fails. */
  ssize_t n = want ? write(sched->event_fd, &value, sizeof value) : read(sched->event_fd, &value, sizeof value);
  if (n == (ssize_t)sizeof value) sched->event_set = want;
}

static void show_deadline(aio__sched *sched) {
  if (sched->timer_fd < 0) return;
  const aio__sched_node *top = heap_top(sched);
  int64_t at = !top ? AIO__NEVER : top->deadline_ns > 0 ? top->deadline_ns : 1;
  if (at == sched->timer_ns) return;
  struct itimerspec when;
  memset(&when, 0, sizeof when);
  if (top) {
    when.it_value.tv_sec = (time_t)(at / 1000000000);
    when.it_value.tv_nsec = (long)(at % 1000000000);
  }
  if (timerfd_settime(sched->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0) sched->timer_ns = at;
}

static aiorch_status open_fds(aio__sched *sched) {
  int epoll = epoll_create1(EPOLL_CLOEXEC), event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  struct epoll_event in;
  memset(&in, 0, sizeof in);
  in.events = EPOLLIN;
  if (epoll >= 0 && event >= 0 && timer >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, event, &in) == 0 &&
      epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &in) == 0) {
    sched->epoll_fd = epoll;
    sched->event_fd = event;
    sched->timer_fd = timer;
    return AIORCH_OK;
  }
  if (timer >= 0) close(timer);
  if (event >= 0) close(event);
  if (epoll >= 0) close(epoll);
  return AIORCH_E_SYSTEM;
}

aiorch_status aio__sched_fd(aio__sched *sched, int *fd) {
  pthread_mutex_lock(&sched->mutex);
  aiorch_status st = sched->epoll_fd >= 0 ? AIORCH_OK : open_fds(sched);
  if (st == AIORCH_OK) {
    show_ready(sched);
    show_deadline(sched);
    *fd = sched->epoll_fd;
  }
  pthread_mutex_unlock(&sched->mutex);
  return st;
}

/* ---- the queue ---- */

static void push(aio__sched *sched, aio__sched_node *node) {
  set_state(node, AIO__SCHED_QUEUED);
  node->next = NULL;
  node->prev = sched->last;
  if (sched->last) sched->last->next = node;
  else sched->first = node;
  sched->last = node;
  atomic_fetch_add_explicit(&sched->queued, 1, memory_order_relaxed);
  show_ready(sched);
  if (sched->sleepers > 0) pthread_cond_signal(&sched->cond);
}

static void unlink_node(aio__sched *sched, aio__sched_node *node) {
  if (node->prev) node->prev->next = node->next;
  else sched->first = node->next;
  if (node->next) node->next->prev = node->prev;
  else sched->last = node->prev;
  node->prev = node->next = NULL;
  atomic_fetch_sub_explicit(&sched->queued, 1, memory_order_relaxed);
}

bool aio__sched_has_ready(const aio__sched *sched) {
  return atomic_load_explicit(&sched->queued, memory_order_relaxed) > 0;
}

static aiorch_status reserve(aio__sched *sched) {
  if (sched->submitted < sched->heap_cap) return AIORCH_OK;
  size_t cap = sched->heap_cap ? sched->heap_cap * 2 : 16;
  aio__sched_node **heap = aio__realloc(sched->al, sched->heap, cap * sizeof *heap);
  if (!heap) return AIORCH_E_NOMEM;
  sched->heap = heap;
  sched->heap_cap = cap;
  return AIORCH_OK;
}

aiorch_status aio__sched_submit(aio__sched *sched, aio__sched_node *node) {
  pthread_mutex_lock(&sched->mutex);
  aiorch_status st = state_of(node) != AIO__SCHED_IDLE ? AIORCH_E_STATE : reserve(sched);
  if (st == AIORCH_OK) {
    sched->submitted++;
    node->heap_index = SIZE_MAX;
    push(sched, node);
  }
  pthread_mutex_unlock(&sched->mutex);
  return st;
}

void aio__sched_ready(aio__sched *sched, aio__sched_node *node) {
  pthread_mutex_lock(&sched->mutex);
  if (state_of(node) == AIO__SCHED_PARKED) {
    push(sched, node);
    show_deadline(sched);
  } else if (state_of(node) == AIO__SCHED_LEASED) {
    set_state(node, AIO__SCHED_AGAIN_DUE);
  }
  pthread_mutex_unlock(&sched->mutex);
}

void aio__sched_park(aio__sched *sched, aio__sched_node *node, int64_t deadline_ns) {
  pthread_mutex_lock(&sched->mutex);
  if (state_of(node) == AIO__SCHED_AGAIN_DUE) {
    push(sched, node);
  } else if (state_of(node) == AIO__SCHED_LEASED) {
    set_state(node, AIO__SCHED_PARKED);
    heap_put(sched, node, deadline_ns);
    show_deadline(sched);
    /* A waiter may have gone to sleep for longer than this deadline. */
    if (deadline_ns < sched->waits_until) pthread_cond_broadcast(&sched->cond);
  }
  pthread_mutex_unlock(&sched->mutex);
}

void aio__sched_remove(aio__sched *sched, aio__sched_node *node) {
  pthread_mutex_lock(&sched->mutex);
  if (state_of(node) != AIO__SCHED_IDLE) {
    if (state_of(node) == AIO__SCHED_QUEUED) unlink_node(sched, node);
    heap_remove(sched, node);
    set_state(node, AIO__SCHED_IDLE);
    sched->submitted--;
    show_ready(sched);
    show_deadline(sched);
    if (sched->closed && sched->submitted == 0) pthread_cond_broadcast(&sched->cond);
  }
  pthread_mutex_unlock(&sched->mutex);
}

aio__sched_state aio__sched_state_of(aio__sched *sched, const aio__sched_node *node) {
  (void)sched;
  return state_of(node);
}

static void queue_overdue(aio__sched *sched) {
  int64_t now = sched->heap_n > 0 ? aio__clock_now(sched->clock) : 0;
  while (sched->heap_n > 0 && sched->heap[0]->heap_ns <= now) {
    aio__sched_node *top = heap_top(sched);
    if (!top || top->deadline_ns > now) break;
    heap_remove(sched, top);
    push(sched, top);
  }
  show_deadline(sched);
}

/* Until something is pushed, `until`, or the nearest deadline, which may have moved away meanwhile: then one sleep more is cheaper than
 * to put the heap right before each. False at `until`. */
static bool sleep_until(aio__sched *sched, int64_t until) {
  int64_t nearest = sched->heap_n > 0 && sched->heap[0]->heap_ns < until ? sched->heap[0]->heap_ns : until;
  if (sched->sleepers++ == 0 || nearest > sched->waits_until) sched->waits_until = nearest; /* the longest of the sleeps */
  bool woken = aio__clock_wait(sched->clock, &sched->cond, &sched->mutex, nearest);
  if (--sched->sleepers == 0) sched->waits_until = INT64_MIN;
  return woken || nearest != until;
}

aiorch_status aio__sched_wait(aio__sched *sched, int64_t deadline_ns, aio__sched_node **node) {
  aiorch_status st = AIORCH_AGAIN;
  pthread_mutex_lock(&sched->mutex);
  for (bool more = true; more;) {
    queue_overdue(sched);
    if (sched->first) {
      *node = sched->first;
      unlink_node(sched, *node);
      set_state(*node, AIO__SCHED_LEASED);
      show_ready(sched);
      st = AIORCH_OK;
      break;
    }
    if (sched->closed && sched->submitted == 0) {
      st = AIORCH_DONE;
      break;
    }
    if (aio__clock_now(sched->clock) >= deadline_ns) break;
    more = sleep_until(sched, deadline_ns) || sched->first;
  }
  pthread_mutex_unlock(&sched->mutex);
  return st;
}

void aio__sched_close(aio__sched *sched) {
  pthread_mutex_lock(&sched->mutex);
  sched->closed = true;
  show_ready(sched);
  pthread_cond_broadcast(&sched->cond);
  pthread_mutex_unlock(&sched->mutex);
}
