/*
 * The processor time and the memory of another process.
 */
#ifndef PROCESSOR_TIME_H
#define PROCESSOR_TIME_H

#include <sys/types.h>

/* Of all its threads and children, in microseconds; what has ended is not in it. */
double processor_us(pid_t pid);
/* Its resident memory and its children's: nginx works in one. */
double resident_mib(pid_t pid);

#endif
