/* The clock for tests. A wait without a deadline waits for its signal; one with a deadline jumps there at once. */
#include "support/virtual_clock.h"

static int64_t read_monotonic(void *self) {
  return atomic_load(&((virtual_clock *)self)->monotonic_ns);
}

static int64_t read_wall(void *self) {
  return atomic_load(&((virtual_clock *)self)->wall_ms);
}

static bool wait_virtually(void *self, pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns) {
  virtual_clock *v = self;
  if (deadline_ns == AIO__NEVER) {
    pthread_cond_wait(cond, mutex);
    return true;
  }
  int64_t now = atomic_load(&v->monotonic_ns);
  while (now < deadline_ns && !atomic_compare_exchange_weak(&v->monotonic_ns, &now, deadline_ns)) continue;
  /* Wall time goes on with it, by whole milliseconds. */
  if (now < deadline_ns) atomic_fetch_add(&v->wall_ms, (deadline_ns - now + 999999) / 1000000);
  return false;
}

void virtual_clock_init(virtual_clock *v) {
  v->clock = (aio__clock){v, read_monotonic, read_wall, wait_virtually};
  atomic_init(&v->monotonic_ns, INT64_C(1000000000000));
  atomic_init(&v->wall_ms, INT64_C(1700000000000));
}

void virtual_clock_advance_ms(virtual_clock *v, int64_t ms) {
  atomic_fetch_add(&v->monotonic_ns, ms * 1000000);
  atomic_fetch_add(&v->wall_ms, ms);
}
