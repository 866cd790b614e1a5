/* The server that benchmarks ask: support/instant_server, a process of its own on the other processor. */
#ifndef BENCH_UPSTREAM_H
#define BENCH_UPSTREAM_H

#include <stdbool.h>

/* Starts it from beside the program `self`; its port. Ends the program with words when it does not start. */
int upstream_start(const char *self, bool pinned);
void upstream_stop(void);
/* This process on one processor. */
void upstream_pin(int cpu);

#endif
