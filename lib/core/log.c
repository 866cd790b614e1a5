/*
 * Events on their way to the logger plug-in: a list under a mutex, bounded by AIO__LOG_QUEUE_MAX.
 *
 * Delivery happens outside the mutex, by one thread at a time, so that events arrive in order, a slow logger holds up
 * nobody who only raises events, and a logger that (against its contract) comes back in does not deadlock.
 */
#include "core/log.h"

#include <aiorch/error.h>

#include <stdatomic.h>
#include <string.h>

#include "core/counters.h"

enum { HEAD_MAX = 256 }; /* of an event: time, level, name */

typedef struct log_entry log_entry;
struct log_entry {
  log_entry *next;
  int32_t level;
  size_t len;
  char json[];
};

struct aio__log {
  const aio__alloc *al;
  const aio__clock *clock;
  struct aio__counters *counters;
  aiorch_logger_vtbl vtbl;
  void *self;
  atomic_size_t queued;
  pthread_mutex_t mutex;
  /* under the mutex */
  log_entry *first, **last;
  uint64_t dropped; /* since the last delivery */
  bool delivering;
};

aiorch_status aio__log_new(const aio__alloc *al, const aio__clock *clock, const aiorch_logger_vtbl *vtbl, void *self,
                           aio__log **out) {
  aio__log *log = aio__calloc(al, 1, sizeof *log);
  if (log == NULL) return AIORCH_E_NOMEM;
  if (pthread_mutex_init(&log->mutex, NULL) != 0) {
    aio__free(al, log);
    return AIORCH_E_SYSTEM;
  }
  log->al = al;
  log->clock = clock;
  log->self = self;
  log->last = &log->first;
  if (vtbl != NULL) {
    size_t size = vtbl->struct_size < sizeof log->vtbl ? vtbl->struct_size : sizeof log->vtbl;
    memcpy(&log->vtbl, vtbl, size);
  }
  *out = log;
  return AIORCH_OK;
}

void aio__log_count_drops(aio__log *log, struct aio__counters *counters) {
  log->counters = counters;
}

bool aio__log_wants(const aio__log *log, int32_t level) {
  return log != NULL && log->vtbl.log != NULL && level >= log->vtbl.min_level;
}

static const char *level_name(int32_t level) {
  if (level <= AIORCH_LOG_DEBUG) return "debug";
  if (level == AIORCH_LOG_INFO) return "info";
  return level == AIORCH_LOG_WARN ? "warn" : "error";
}

static log_entry *make_entry(aio__log *log, int32_t level, const char *event, aio__str members) {
  aio__buf buf;
  aio__buf_init(&buf, log->al, AIO__LOG_EVENT_MAX);
  aio__json_writer w;
  aio__jw_init(&w, &buf);
  aio__jw_object(&w);
  aio__jw_ki64(&w, "time_ms", aio__clock_wall_ms(log->clock));
  aio__jw_kz(&w, "level", level_name(level));
  aio__jw_kz(&w, "event", event);
  if (members.n > AIO__LOG_EVENT_MAX - HEAD_MAX) {
    aio__jw_kbool(&w, "truncated", true);
  } else if (members.n > 0) {
    aio__buf_char(&buf, ',');
    aio__buf_str(&buf, members);
  }
  aio__jw_object_end(&w);
  log_entry *entry = buf.failed == AIORCH_OK ? aio__malloc(log->al, sizeof *entry + buf.n + 1) : NULL;
  if (entry != NULL) {
    *entry = (log_entry){.level = level, .len = buf.n};
    memcpy(entry->json, buf.p, buf.n + 1);
  }
  aio__buf_free(&buf);
  return entry;
}

/* Puts the entry at the end of the queue; frees and counts it when there is no room (NULL: it could not be made). */
static void enqueue(aio__log *log, log_entry *entry) {
  pthread_mutex_lock(&log->mutex);
  bool room = entry != NULL && atomic_load_explicit(&log->queued, memory_order_relaxed) < AIO__LOG_QUEUE_MAX;
  if (room) {
    *log->last = entry;
    log->last = &entry->next;
    atomic_fetch_add_explicit(&log->queued, 1, memory_order_relaxed);
  } else {
    log->dropped++;
  }
  pthread_mutex_unlock(&log->mutex);
  if (room) return;
  aio__free(log->al, entry);
  if (log->counters != NULL) aio__count(log->counters, AIO__N_LOG_DROPPED);
}

void aio__log_event(aio__log *log, int32_t level, const char *event, aio__str members) {
  if (!aio__log_wants(log, level)) return;
  enqueue(log, make_entry(log, level, event, members));
}

/* Takes the first entry; NULL when there is none. */
static log_entry *dequeue(aio__log *log) {
  log_entry *entry = log->first;
  if (entry == NULL) return NULL;
  log->first = entry->next;
  if (log->first == NULL) log->last = &log->first;
  atomic_fetch_sub_explicit(&log->queued, 1, memory_order_relaxed);
  return entry;
}

/* Makes the event that tells of drops: it goes out ahead of the next one, where the gap is. */
static log_entry *make_drop_entry(aio__log *log, uint64_t dropped) {
  if (dropped == 0 || !aio__log_wants(log, AIORCH_LOG_WARN)) return NULL;
  aio__buf members;
  aio__buf_init(&members, log->al, AIO__LOG_EVENT_MAX);
  aio__buf_z(&members, "\"count\":");
  aio__buf_u64(&members, dropped);
  log_entry *entry = make_entry(log, AIORCH_LOG_WARN, "log_dropped", aio__buf_view(&members));
  aio__buf_free(&members);
  return entry;
}

static void deliver(aio__log *log, log_entry *entry) {
  if (entry == NULL) return;
  log->vtbl.log(log->self, entry->level, entry->json, entry->len);
  aio__free(log->al, entry);
}

void aio__log_flush(aio__log *log) {
  if (log == NULL || log->vtbl.log == NULL) return;
  if (atomic_load_explicit(&log->queued, memory_order_relaxed) == 0) return;
  pthread_mutex_lock(&log->mutex);
  if (log->delivering) {
    pthread_mutex_unlock(&log->mutex);
    return;
  }
  log->delivering = true;
  /* Bounded: a thread that called in for something else must not be kept here by others that go on logging. */
  for (int i = 0; i < AIO__LOG_QUEUE_MAX; i++) {
    uint64_t dropped = log->dropped;
    log_entry *entry = dequeue(log);
    if (entry == NULL) break;
    log->dropped = 0;
    pthread_mutex_unlock(&log->mutex);
    deliver(log, make_drop_entry(log, dropped));
    deliver(log, entry);
    pthread_mutex_lock(&log->mutex);
  }
  log->delivering = false;
  pthread_mutex_unlock(&log->mutex);
}

void aio__log_disown(aio__log *log) {
  log->vtbl.log = NULL;
  log->vtbl.destroy = NULL;
}

void aio__log_free(aio__log *log) {
  if (log == NULL) return;
  aio__log_flush(log);
  for (log_entry *entry; (entry = dequeue(log)) != NULL;) aio__free(log->al, entry);
  if (log->vtbl.destroy != NULL) log->vtbl.destroy(log->self);
  pthread_mutex_destroy(&log->mutex);
  aio__free(log->al, log);
}
