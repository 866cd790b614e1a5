/* The system's clocks, and deadlines in a form that cannot overflow. */
#include "core/clock.h"

#include <time.h>

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

static int64_t system_monotonic(void *self) {
  (void)self;
  struct timespec now = {0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t system_wall(void *self) {
  (void)self;
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

static bool system_wait(void *self, pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns) {
  (void)self;
  if (deadline_ns == AIO__NEVER) {
    pthread_cond_wait(cond, mutex);
    return true;
  }
  if (deadline_ns < 0) deadline_ns = 0;
  struct timespec until = {.tv_sec = (time_t)(deadline_ns / NS_PER_S), .tv_nsec = (long)(deadline_ns % NS_PER_S)};
  return pthread_cond_timedwait(cond, mutex, &until) == 0;
}

const aio__clock *aio__clock_system(void) {
  static const aio__clock clock = {NULL, system_monotonic, system_wall, system_wait};
  return &clock;
}

int64_t aio__clock_now(const aio__clock *clock) {
  return clock->monotonic_ns(clock->self);
}

int64_t aio__clock_wall_ms(const aio__clock *clock) {
  return clock->wall_ms(clock->self);
}

bool aio__clock_wait(const aio__clock *clock, pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns) {
  return clock->wait(clock->self, cond, mutex, deadline_ns);
}

int64_t aio__clock_after_ms(const aio__clock *clock, int64_t ms) {
  if (ms < 0) return AIO__NEVER;
  int64_t now = aio__clock_now(clock), after;
  if (__builtin_mul_overflow(ms, (int64_t)NS_PER_MS, &after)) return AIO__NEVER;
  return __builtin_add_overflow(now, after, &after) ? AIO__NEVER : after;
}

int aio__cond_init(pthread_cond_t *cond) {
  pthread_condattr_t attr;
  int rc = pthread_condattr_init(&attr);
  if (rc != 0) return rc;
  rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  if (rc == 0) rc = pthread_cond_init(cond, &attr);
  pthread_condattr_destroy(&attr);
  return rc;
}
