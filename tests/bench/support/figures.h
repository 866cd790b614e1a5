/*
 * What programs that measure share: clocks, the middle and the tail of many times, how a figure is printed, a folder of their own.
 */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include <stdbool.h>
#include <stddef.h>

/* Ends the program with words. */
_Noreturn void die(const char *what, const char *why);

double now_s(void);
double now_us(void);
/* What this process has computed so far: on a machine that is busy with other things, all that can be measured. */
double cpu_s(void);
double cpu_us(void);

/* The value that `part` (0 to 1) of them lie below; sorts them. 0 when there are none. */
double at_part(double *values, size_t n, double part);
void keep_least(double *least, double value); /* 0: none yet */

/* A line of a table: what `format` says, and the value; or a member of one JSON object. */
extern bool figures_json;
__attribute__((format(printf, 3, 4))) void row(const char *key, double value, const char *format, ...);
void rows_end(void);

/* Below $TMPDIR. */
enum { SCRATCH_MAX = 4096 };
void scratch_make(char out[SCRATCH_MAX]);
void scratch_remove(const char *folder);

#endif
