/* struct aiorch_call, for call.c (its life) and call_api.c (what plug-ins may do with it) alone. */
#ifndef AIO_CORE_CALL_PRIVATE_H
#define AIO_CORE_CALL_PRIVATE_H

#include "core/call.h"

#define AIO__CALL_MAGIC UINT64_C(0x61696f2e63616c6c)

struct aiorch_call {
  uint64_t magic;
  atomic_int refs;             /* the driver's, the plug-in's, and those of aiorch_call_retain */
  aio__calls *calls;
  aiorch_call *prev, *next;    /* in calls->live, then in calls->ring */
  const aio__alloc *al;
  const aio__clock *clock;
  pthread_mutex_t mutex;       /* guards what follows, but for the request, which never changes */
  aio__call_kind kind;
  aio__call_request request;
  aio__arena arena;            /* the request, then vectors and hits */
  aio__waker *waker;           /* NULL when nobody waits any more */
  int64_t deadline_ns;
  void *self;
  void (*cancel)(void *self, aiorch_call *call);
  uint32_t flags;
  pthread_mutex_t *serial;
  bool started, finished, dropped, plugin_claim;
  atomic_bool ended;
  aio__buf text;               /* emitted and not yet taken */
  size_t text_left;            /* of what may be emitted in all */
  aiorch_status lost;          /* why text or a hit could not be taken: what is there is not all */
  aio__buf request_json;
  aio__call_result result;
  aio__call_hit *hits;
  size_t hits_cap;
  aio__call_extra *extras;
  size_t extra_count, extra_cap, extra_bytes;
  void (*step)(void *ctx, aiorch_call *call); /* the driver's thread alone: step to wake_ns */
  void *step_ctx;
  bool stepping;               /* inside the step: what it hands over is looked at as soon as it returns, and wakes nobody */
  int64_t wake_ns;
};

void aio__call_release(aiorch_call *call);
/* A thread enters (+1) or leaves (-1) aiorch_call_finish. */
void aio__calls_finishing(aio__calls *calls, int step);
/* A fault of a plug-in: counted and logged by its name, with no text of anybody's. */
void aio__calls_fault(aio__calls *calls, const char *what);

#endif
