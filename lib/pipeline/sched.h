/*
 * The ready queue of submitted runs. A run is
 *   IDLE     not submitted          PARKED   waits for a call, an op, or its deadline (it is in the heap of deadlines)
 *   QUEUED   can go on              LEASED   with a thread; AGAIN_DUE: and something came meanwhile
 */
#ifndef AIO_PIPELINE_SCHED_H
#define AIO_PIPELINE_SCHED_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"

typedef enum aio__sched_state {
  AIO__SCHED_IDLE, AIO__SCHED_PARKED, AIO__SCHED_QUEUED, AIO__SCHED_LEASED, AIO__SCHED_AGAIN_DUE
} aio__sched_state;

/* The part of a run that the queue knows. Guarded by the queue's mutex. */
typedef struct aio__sched_node {
  atomic_int state;                    /* aio__sched_state; read by whoever has a lease without the mutex */
  struct aio__sched_node *prev, *next; /* in the queue */
  size_t heap_index;                   /* in the heap of deadlines; SIZE_MAX when not in it */
  int64_t heap_ns;                     /* where it stands there: its deadline, or one that it had before */
  int64_t deadline_ns;
  void *run;
} aio__sched_node;

typedef struct aio__sched aio__sched;
aiorch_status aio__sched_new(const aio__alloc *al, const aio__clock *clock, aio__sched **out);
void aio__sched_free(aio__sched *sched);

aiorch_status aio__sched_submit(aio__sched *sched, aio__sched_node *node);  /* IDLE -> QUEUED; E_STATE, E_NOMEM */
void aio__sched_ready(aio__sched *sched, aio__sched_node *node);            /* something came for it */
/* LEASED -> PARKED until `deadline_ns`, or QUEUED at once when something came meanwhile. */
void aio__sched_park(aio__sched *sched, aio__sched_node *node, int64_t deadline_ns);
void aio__sched_remove(aio__sched *sched, aio__sched_node *node);           /* any state -> IDLE */
aio__sched_state aio__sched_state_of(aio__sched *sched, const aio__sched_node *node);
/* Next node that can go on, now LEASED. AIORCH_AGAIN at the deadline; AIORCH_DONE when closed and nothing is submitted. */
aiorch_status aio__sched_wait(aio__sched *sched, int64_t deadline_ns, aio__sched_node **node);
/* Is a run queued? As of a moment ago: nothing may rest on it but what is faster. */
bool aio__sched_has_ready(const aio__sched *sched);
void aio__sched_close(aio__sched *sched);                                   /* wakes all waiters */
/* A descriptor that is readable while aio__sched_wait has something to give: an epoll of an eventfd and a timerfd. */
aiorch_status aio__sched_fd(aio__sched *sched, int *fd);

#endif
