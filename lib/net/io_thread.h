/*
 * The one thread of a handle that waits for descriptors and for time: HTTP (http.c) and sockets of PostgreSQL. It runs the
 * library's code only, blocks all signals, has a small fixed stack, and starts with the first that needs it.
 *
 * What it is given to keep (tasks, timers) lies in the giver's own memory, so that nothing here fails halfway: only `aio__io_new`,
 * `aio__io_start` and `aio__io_source_add` can.
 *
 * Nobody waits on this thread: whatever blocks it stops everybody.
 */
#ifndef AIO_NET_IO_THREAD_H
#define AIO_NET_IO_THREAD_H

#include "core/clock.h"
#include "core/error.h"

enum {
  AIO__IO_STACK_BYTES = 1 << 19,
  AIO__IO_EVENTS_MAX = 64,   /* descriptors that are looked at before tasks and timers have their turn again */
  AIO__IO_TIMERS_MAX = 256,  /* the same for timers */
  AIO__IO_QUIET_MAX = 16,    /* tasks that wait for a wake-up in common */
  AIO__IO_SOURCES_MAX = 4096
};

typedef struct aio__io_thread aio__io_thread;

/* The clock must be one that moves by itself. AIORCH_E_NOMEM, AIORCH_E_SYSTEM. */
aiorch_status aio__io_new(const aio__alloc *al, const aio__clock *clock, aio__io_thread **out, aiorch_error *error);
/* Runs what was posted, then joins the thread. Whoever has a source or a timer there has taken it away before. Takes NULL. In a
 * forked child it frees nothing and closes nothing. Not on the thread itself. */
void aio__io_free(aio__io_thread *io);
/* Starts the thread unless it runs. Any thread. AIORCH_E_SYSTEM, AIORCH_E_FORKED. */
aiorch_status aio__io_start(aio__io_thread *io, aiorch_error *error);
const aio__clock *aio__io_clock(const aio__io_thread *io);
/* Was it made before a fork, and is this the child? Then nothing of it may be used. */
bool aio__io_forked(const aio__io_thread *io);

/* ---- from any thread ------------------------------------------------------------------------------------------------ */

typedef struct aio__io_task aio__io_task;
struct aio__io_task {
  void (*run)(aio__io_task *task); /* may post the task again, or free it */
  aio__io_task *next;
};

/* Runs the task on the thread, after those that were posted before; without a thread, when it has started. Not while it is posted
 * already. */
void aio__io_post(aio__io_thread *io, aio__io_task *task);
/* The same for whoever knows that more is about to come, and calls aio__io_wake when it has: the thread is woken then, or when it has
 * something else to do, or when AIO__IO_QUIET_MAX wait. */
void aio__io_post_quietly(aio__io_thread *io, aio__io_task *task);
void aio__io_wake(aio__io_thread *io); /* takes NULL; costs little when nothing was posted quietly */

/* ---- on the thread ---------------------------------------------------------------------------------------------------- */

/* Runs the task once all that is ready now has been dealt with, before the thread sleeps: for what is cheaper, or kinder to those who
 * wait, for many at once. Not while it waits for that already. */
void aio__io_after(aio__io_thread *io, aio__io_task *task);

typedef struct aio__io_timer aio__io_timer;
struct aio__io_timer {
  void (*run)(aio__io_timer *timer); /* the timer is not set any more; it may be set again, or freed */
  int64_t at_ns;
  aio__io_timer *child, *next, *before; /* the heap's: first child, next sibling, the sibling or parent before it */
  bool set;
};

void aio__io_timer_init(aio__io_timer *timer, void (*run)(aio__io_timer *timer));
/* Runs at `at_ns` of the clock, at the earliest and within about a millisecond; moves a timer that is set. AIO__NEVER: clears it. */
void aio__io_timer_set(aio__io_thread *io, aio__io_timer *timer, int64_t at_ns);
void aio__io_timer_clear(aio__io_thread *io, aio__io_timer *timer);

/* Whoever watches descriptors. `events`: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP. A descriptor that was closed and opened again by
 * somebody else in between may be reported once though nothing is there to read. AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE. */
aiorch_status aio__io_source_add(aio__io_thread *io, void (*ready)(void *ctx, int fd, uint32_t events), void *ctx, uint32_t *source);
/* Its descriptors have been closed or unwatched before; nothing is reported to it from now on. */
void aio__io_source_remove(aio__io_thread *io, uint32_t source);
/* What to watch for from now on, level-triggered; 0: nothing. Closing a descriptor unwatches it. An errno. */
int aio__io_watch(aio__io_thread *io, uint32_t source, int fd, uint32_t events);

#endif
