/* Structured events on their way to the logger plug-in, and the counters of this process. Events may be raised on any
 * thread; they are delivered on a thread that called in (aio__log_flush at the end of each entry point). No user text is
 * ever put into an event: ids, names, numbers only. */
#ifndef AIO_CORE_LOG_H
#define AIO_CORE_LOG_H

#include <aiorch/plugin.h>

#include "core/clock.h"
#include "core/json_writer.h"

struct aio__counters;

enum { AIO__LOG_QUEUE_MAX = 1024, AIO__LOG_EVENT_MAX = 4096 };

typedef struct aio__log aio__log;

aiorch_status aio__log_new(const aio__alloc *al, const aio__clock *clock, const aiorch_logger_vtbl *vtbl, void *self,
                           aio__log **out); /* vtbl NULL: silent */
void aio__log_free(aio__log *log);          /* delivers what is queued, then calls the plug-in's destroy */
/* The plug-in stays its owner's: nothing more is delivered to it and its destroy is not called. */
void aio__log_disown(aio__log *log);
bool aio__log_wants(const aio__log *log, int32_t level);
/* Queues {"time_ms", "level", "event", ...fields}. Fields come in pairs built by the caller as finished JSON members
 * ("\"rule\":\"x\",\"stage\":\"validate\"") or are empty. When the queue is full the event is counted as dropped. */
void aio__log_event(aio__log *log, int32_t level, const char *event, aio__str members);
/* Delivers what is queued; returns at once when another thread is at it, or when it is called inside a delivery. */
void aio__log_flush(aio__log *log);
/* Drops are counted here too from now on (LOG_DROPPED). Call it before other threads use the log. */
void aio__log_count_drops(aio__log *log, struct aio__counters *counters);

#endif
