/* Time comes from here only: monotonic for deadlines, wall for rows. Tests inject a clock of their own. */
#ifndef AIO_CORE_CLOCK_H
#define AIO_CORE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define AIO__NEVER INT64_MAX

typedef struct aio__clock aio__clock;
struct aio__clock {
  void *self;
  int64_t (*monotonic_ns)(void *self);
  int64_t (*wall_ms)(void *self);
  /* Waits on cond (made by aio__cond_init) with mutex held until signalled or until `deadline_ns` (monotonic). A clock in
   * virtual time moves its time to the deadline at once. False when the deadline was reached. */
  bool (*wait)(void *self, pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns);
};

const aio__clock *aio__clock_system(void);
int64_t aio__clock_now(const aio__clock *clock);                            /* monotonic ns */
int64_t aio__clock_wall_ms(const aio__clock *clock);
bool aio__clock_wait(const aio__clock *clock, pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns);
/* now + ms without overflow; below 0 means AIO__NEVER. */
int64_t aio__clock_after_ms(const aio__clock *clock, int64_t ms);
int aio__cond_init(pthread_cond_t *cond);                                   /* on CLOCK_MONOTONIC; errno value */

#endif
