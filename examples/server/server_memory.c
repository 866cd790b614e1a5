/*
 * Memory that was needed for a while and is not any more, given back to the system.
 */
#include "server.h"

#include <inttypes.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE_MAX_BYTES = 1024 };

void memory_trim(void *context) {
  (void)context;
  malloc_trim(0);
}

/* Code that ran at the start alone, of this program and of some fifty libraries, stays mapped for ever. Its pages are files' pages that
 * nobody has written to ("r-x", private), so they may go and come again from the page cache when they are needed. */
void memory_forget_start(void) {
  char line[LINE_MAX_BYTES], rights[8], place[LINE_MAX_BYTES];
  uintptr_t from, to;
  FILE *maps = fopen("/proc/self/maps", "re");
  if (!maps) return;
  while (fgets(line, sizeof line, maps)) {
    place[0] = '\0';
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %*s %*s %*s %1000s", &from, &to, rights, place) < 3) continue;
    if (strcmp(rights, "r-xp") == 0 && place[0] == '/') madvise((void *)from, to - from, MADV_DONTNEED);
  }
  fclose(maps);
  malloc_trim(0);
}
