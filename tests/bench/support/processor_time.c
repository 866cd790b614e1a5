#include "processor_time.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static double of_process(long pid) {
  char path[300];
  double sum = 0, ns;
  snprintf(path, sizeof path, "/proc/%ld/task", pid);
  DIR *tasks = opendir(path);
  for (struct dirent *d; tasks && (d = readdir(tasks)) != NULL;) {
    if (d->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%ld/task/%.20s/schedstat", pid, d->d_name);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%lf", &ns) == 1) sum += ns / 1e3;
    if (f) fclose(f);
  }
  if (tasks) closedir(tasks);
  return sum;
}

static double resident_of(long pid) {
  char path[64];
  long all, pages = 0;
  snprintf(path, sizeof path, "/proc/%ld/statm", pid);
  FILE *f = fopen(path, "r");
  if (!f || fscanf(f, "%ld %ld", &all, &pages) != 2) pages = 0;
  if (f) fclose(f);
  return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1048576;
}

/* Of the process and its children. */
static double of_family(pid_t pid, double (*of)(long)) {
  char path[64];
  long child;
  double sum = of(pid);
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
  FILE *f = fopen(path, "r");
  while (f && fscanf(f, "%ld", &child) == 1) sum += of(child);
  if (f) fclose(f);
  return sum;
}

double processor_us(pid_t pid) { return of_family(pid, of_process); }

double resident_mib(pid_t pid) { return of_family(pid, resident_of); }
