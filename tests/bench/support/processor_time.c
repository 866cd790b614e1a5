#include "processor_time.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

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

double processor_us(pid_t pid) {
  char path[64];
  long child;
  double sum = of_process(pid);
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
  FILE *f = fopen(path, "r");
  while (f && fscanf(f, "%ld", &child) == 1) sum += of_process(child);
  if (f) fclose(f);
  return sum;
}
