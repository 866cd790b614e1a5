/*
 * Inside the ledger's writer: its thread and its queue (sqlite_writer.c), one transaction and the disk (sqlite_commit.c), and
 * what callers carry out themselves (sqlite_at_once.c).
 */
#ifndef AIO_STORES_SQLITE_WRITER_H
#define AIO_STORES_SQLITE_WRITER_H

#include "stores/sqlite_private.h"

typedef struct block {
  struct block *next;
  aio__sq_job job[AIO__SQ_QUEUE_BLOCK];
} block;

struct aio__sq_writer {
  aio__sq_store *store;
  pthread_mutex_t mutex; /* guards all but batch, n, fruitless, sync_ns and what is atomic */
  pthread_cond_t cond;
  pthread_t thread;
  bool started, stopping;
  bool unsure; /* a sync has failed, and no checkpoint has made up for it yet */
  bool called;   /* the thread is to carry out what is in the queue */
  bool puts_due; /* and the answers that are to be kept */
  bool watching; /* it looks for calls that nobody commits */
  atomic_bool lingering; /* there are calls in the queue for which nobody was woken */
  uint64_t entered, taken; /* calls in company, those of aio__sq_writer_watch with them; how many of them have been taken up */
  bool busy; /* the thread, or a caller, is at the connection */
  bool slow; /* and waits there for another process or the disk */
  bool held; /* what must come to the disk was left in the queue while the disk is busy: the thread commits it afterwards */
  atomic_size_t syncs; /* twice the times that the thread has brought something to the disk; odd while it does */
  aio__sq_job *first, *last, *idle;
  aio__sq_job *unsynced; /* committed by who drives the runs; the disk and the end of them are the thread's part */
  block *blocks;
  size_t waiting; /* callers that wait for the connection */
  size_t queued, crowd; /* calls that have not ended; the most there were at once since the last fsync, or nearly */
  aio__sq_job *batch[AIO__SQ_BATCH_MAX]; /* the thread's alone */
  size_t n;
  size_t fruitless; /* how often nothing came while it was waited for, in a row */
  int64_t sync_ns; /* how long the last transaction took that went to the disk */
};

static inline const aio__clock *aio__sq_writer_clock(const aio__sq_writer *w) {
  return w->store->env.clock;
}

/* ---- sqlite_commit.c -------------------------------------------------------------------------------------------- */

bool aio__sq_job_is_late(const aio__sq_writer *w, const aio__sq_job *job);
aiorch_status aio__sq_job_late(const aio__sq_writer *w, aio__op *op);
/* What has cost money is on the disk before its call ends; what only counts survives the process. */
bool aio__sq_job_is_durable(const aio__sq_job *job);
/* Hands the results over, gives the job's memory back, and tells who waits. Without the mutex. */
void aio__sq_writer_finish(aio__sq_writer *w, aio__sq_job *job, aiorch_status status);
/* Ends the jobs whose deadline has passed. Without the mutex. */
void aio__sq_writer_drop_late(aio__sq_writer *w, aio__sq_job **jobs, size_t *count);
/* Inside the transaction, which stands afterwards (AIORCH_OK) or nothing of it does. */
aiorch_status aio__sq_jobs_apply(aio__sq_conn *conn, aio__sq_job **jobs, size_t count, aiorch_error *error);
/* Applies the jobs in one transaction, and waits for those of others. */
aiorch_status aio__sq_writer_transact(aio__sq_writer *w, aio__sq_conn *conn, aio__sq_job **jobs, size_t *count,
                                      aiorch_error *error);
/* Commits the thread's batch, or as many of it as can be, and ends the others. */
void aio__sq_writer_commit_batch(aio__sq_writer *w);
/* What was committed comes to the disk. */
aiorch_status aio__sq_writer_sync(aio__sq_writer *w, aiorch_error *error);
/* With the mutex held. */
void aio__sq_writer_wake(aio__sq_writer *w); /* the thread; and whoever waits with it */
void aio__sq_writer_take(aio__sq_writer *w); /* the connection */
void aio__sq_writer_give(aio__sq_writer *w);

/* While the disk is busy, what comes waits for more to come; but not when nearly all wait that ever did: then there is
 * nothing else to do than to commit it. With the mutex held. */
static inline bool aio__sq_writer_is_holding(const aio__sq_writer *w) {
  return atomic_load(&w->syncs) % 2 != 0 && w->queued * 8 < w->crowd * 7;
}

/* ---- sqlite_writer.c: with the mutex held ----------------------------------------------------------------------- */

void aio__sq_writer_call(aio__sq_writer *w); /* has the thread carry out what is in the queue */
aiorch_status aio__sq_writer_enqueue(aio__sq_writer *w, const aio__sq_job *job);

#endif
