#include "figures.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

bool figures_json;
static bool any_row;

void die(const char *what, const char *why) {
  fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
  exit(1);
}

static double clock_s(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double now_s(void) {
  return clock_s(CLOCK_MONOTONIC);
}

double now_us(void) {
  return now_s() * 1e6;
}

double cpu_s(void) {
  return clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

double cpu_us(void) {
  return cpu_s() * 1e6;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double at_part(double *values, size_t n, double part) {
  if (n == 0) return 0;
  qsort(values, n, sizeof *values, by_size);
  size_t at = (size_t)((double)n * part);
  return values[at < n ? at : n - 1];
}

void keep_least(double *least, double value) {
  if (*least == 0 || value < *least) *least = value;
}

void row(const char *key, double value, const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (figures_json) {
    printf("%s\"%s\": %.3f", any_row ? ", " : "{", key, value);
  } else {
    char name[160];
    vsnprintf(name, sizeof name, format, args);
    printf("%-76s %12.1f\n", name, value);
  }
  any_row = true;
  fflush(stdout);
  va_end(args);
}

void rows_end(void) {
  if (figures_json) printf(any_row ? "}\n" : "{}\n");
}

void scratch_make(char out[SCRATCH_MAX]) {
  const char *base = getenv("TMPDIR");
  snprintf(out, SCRATCH_MAX, "%s/aiorch-bench-XXXXXX", base && *base ? base : "/tmp");
  if (!mkdtemp(out)) die(out, "it cannot be made");
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
  (void)st, (void)kind, (void)at;
  return remove(path);
}

void scratch_remove(const char *folder) {
  nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
