/* A clock that moves only when told to, and to the deadline of whoever waits: no test waits for real time. */
#ifndef AIO_TESTS_VIRTUAL_CLOCK_H
#define AIO_TESTS_VIRTUAL_CLOCK_H

#include <stdatomic.h>

#include "core/clock.h"

typedef struct virtual_clock {
  aio__clock clock;             /* what is handed to the library */
  _Atomic int64_t monotonic_ns; /* settable at any time */
  _Atomic int64_t wall_ms;
} virtual_clock;

/* Starts at 1,000 s monotonic and 2023-11-14 22:13:20 UTC. */
void virtual_clock_init(virtual_clock *v);
/* Both clocks go on by this much. */
void virtual_clock_advance_ms(virtual_clock *v, int64_t ms);

#endif
