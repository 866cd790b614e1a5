/*
 * Inside the store before another one: spooled.c (calls), spooled_writer.c (the thread that writes rows), spooled_replay.c (what
 * that thread does when no row waits for it).
 */
#ifndef AIO_STORES_SPOOLED_PRIVATE_H
#define AIO_STORES_SPOOLED_PRIVATE_H

#include <stdatomic.h>

#include "core/counters.h"
#include "stores/spool.h"
#include "stores/spooled.h"

enum {
  AIO__SPOOLED_BATCH = 64,           /* rows that share a sync */
  AIO__REPLAY_BATCH = 32,            /* rows that are under way to the store at once */
  AIO__REPLAY_CALL_MS = 10000,       /* how long one may take */
  AIO__REPLAY_PAUSE_MIN_MS = 100,    /* between two tries while the store is away */
  AIO__REPLAY_PAUSE_MAX_MS = 5000,
  AIO__REPLAY_DOUBTS_MAX = 64,       /* rows in a cycle of which nobody knows whether it is they that are wrong */
  AIO__REPLAY_ASKED = 1 << 8,        /* somebody waits for the end of a cycle that takes all rows with it */
  AIO__SPOOLED_LOOK_MS = 60000       /* how often files of processes that died are looked for */
};

typedef struct aio__spooled aio__spooled;

/* A row on its way: to the inner store, then into the spool. Its texts are the caller's. */
typedef struct aio__spooled_job {
  struct aio__spooled_job *next;
  aio__spooled *store;
  aio__op op; /* the inner store's */
  aio__op *outer;
  aio__spool_row row;
  bool sync;
  bool on_heap;
} aio__spooled_job;

typedef enum aio__replay_state { AIO__ROW_TODO, AIO__ROW_OUT, AIO__ROW_ENDED, AIO__ROW_REFUSED, AIO__ROW_DONE } aio__replay_state;

typedef struct aio__replay_row {
  aio__spooled *store;
  aio__op op;
  aio__spool_row row;
  aio__str record;
  aio__replay_state state; /* OUT to ENDED under the mutex */
  bool alone;
} aio__replay_row;

/* The thread's alone. */
typedef struct aio__replay {
  bool running, open, keep, probes;
  int what;
  aio__spool_files files;
  size_t next_file;
  aio__spool_reader reader;
  aio__arena arena;
  aio__replay_row row[AIO__REPLAY_BATCH];
  size_t n;
  int64_t begun_ns, next_ns;
  int64_t pause_ms;
  uint64_t replayed; /* in this cycle */
  size_t doubts;     /* rows in this cycle that were refused while the store took none */
  bool in_doubt;     /* since then: */
  uint64_t taken;    /* what the store had taken when the first of them was refused */
  aiorch_error doubt;
} aio__replay;

struct aio__spooled {
  aio__store head;
  aio__ledger_ops ledger;       /* without what the inner store does not have; nor has */
  aio__knowledge_ops knowledge;
  aio__store_env env;
  aio__store *inner;
  aio__spool *spool;
  atomic_bool down;
  _Atomic int64_t look_ns;      /* when files of dead processes are looked for next */
  _Atomic uint64_t taken;       /* rows that the inner store has taken, from callers and by replay */
  _Atomic uint64_t replayed, poison, damaged, held; /* since it was opened; held: in the last cycle */
  pthread_mutex_t mutex;        /* guards what follows */
  pthread_cond_t cond;
  pthread_t thread;
  bool started, stopping, starting; /* starting: calls of the inner store are being made */
  aio__spooled_job *first, *last;
  size_t out;                   /* replayed rows that are under way */
  int64_t due_ns, tried_ns;     /* when the next cycle begins; when the last one did */
  int asked;                    /* what the next cycle is to replay beside the usual */
  uint64_t cycles, ended;       /* begun, ended */
  aio__op outcome;              /* of the last one: status and words */
  aio__replay replay;
};

/* Whether `status` says that the store is not there for rows, rather than something about this row. */
bool aio__spooled_is_away(aiorch_status status);
/* For rows of money: whatever does not say that the row was refused. */
bool aio__spooled_may_keep(aiorch_status status);
void aio__spooled_count(aio__spooled *s, int which);
void aio__spooled_tell(aio__spooled *s, int32_t level, const char *event, const char *name, aio__str text,
                       const char *number_name, uint64_t number);

/* spooled_writer.c. Enqueues the job: AIORCH_PENDING; or writes it on this thread when there is none. */
aiorch_status aio__spooled_write(aio__spooled_job *job);
/* With the mutex held: the thread that writes and replays. */
aiorch_status aio__spooled_start(aio__spooled *s);

/* spooled_replay.c, on that thread, with the mutex held and in between let go: one step. 0: there is more to do; else when. */
int64_t aio__replay_turn(aio__spooled *s);
/* With the mutex held: a row has come that is to be replayed. */
void aio__replay_want(aio__spooled *s);
/* The store may be back: tried soon. Any thread, without the mutex. */
void aio__replay_soon(aio__spooled *s);
/* When the thread ends and nothing is under way. */
void aio__replay_end(aio__spooled *s);

#endif
