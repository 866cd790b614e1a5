/*
 * Memory that was needed for a while and is not any more, given back to the system. The only file that knows mimalloc.
 */
#include "cmd_serve.h"
#include "server.h"

#include <inttypes.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>

#ifdef SERVER_WITH_MIMALLOC
#include <mimalloc.h>
#if MI_MALLOC_VERSION >= 210 /* the option has another name from 2.1 on */
#define DECOMMIT_DELAY mi_option_purge_delay
#else
#define DECOMMIT_DELAY mi_option_decommit_delay
#endif
#endif

/* For so long mimalloc keeps what was freed, and gives it back when the thread frees more: under load it is wanted again at once. */
enum { LINE_MAX_BYTES = 1024, KEEP_MS = 25 };

const char *memory_allocator(void) {
#ifdef SERVER_WITH_MIMALLOC
  return "mimalloc";
#else
  return "malloc";
#endif
}

/* What the environment says of it (MIMALLOC_DECOMMIT_DELAY, from 2.1 on MIMALLOC_PURGE_DELAY) goes first. */
static void keep_freed(long ms) {
#ifdef SERVER_WITH_MIMALLOC
  mi_option_set_default(DECOMMIT_DELAY, ms);
#else
  (void)ms;
#endif
}

void memory_begin(void) { keep_freed(0); }

void memory_trim(void) {
#ifndef SERVER_WITH_MIMALLOC
  malloc_trim(0);
#endif
}

void memory_trim_thread(void) {
#ifdef SERVER_WITH_MIMALLOC
  keep_freed(0);
  mi_collect(true);
  keep_freed(KEEP_MS);
#endif
}

/* What a mapping says of itself in smaps. */
typedef struct mapping {
  uintptr_t from, to;
  char rights[8];
  bool of_file;
  uint64_t changed_kb; /* of it is no more what the file has: relocations, data */
} mapping;

static bool read_mapping(const char *line, mapping *m) {
  char place[LINE_MAX_BYTES] = "";
  uintptr_t from, to;
  char rights[8];
  if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %*s %*s %*s %1000s", &from, &to, rights, place) < 3) return false;
  *m = (mapping){.from = from, .to = to, .of_file = place[0] == '/'};
  memcpy(m->rights, rights, sizeof rights);
  return true;
}

static void note_changed(const char *line, mapping *m) {
  uint64_t kb = 0;
  if (sscanf(line, "Anonymous: %" SCNu64, &kb) == 1 || sscanf(line, "Swap: %" SCNu64, &kb) == 1) m->changed_kb += kb;
}

static void forget(const mapping *m) {
  bool may_not_change = strcmp(m->rights, "r-xp") == 0 || strcmp(m->rights, "r--p") == 0;
  if (may_not_change && m->of_file && m->changed_kb == 0) madvise((void *)m->from, m->to - m->from, MADV_DONTNEED);
}

/* What was read at the start alone, code and tables of symbols of this program and of some fifty libraries, stays mapped for ever. Such
 * pages are a file's, private, read-only, and nothing in their mapping was ever written to: they may go, and come again from the page
 * cache when they are needed. A mapping of which the loader has changed something (Anonymous is not 0) is left alone. */
void memory_forget_start(void) {
  char line[LINE_MAX_BYTES];
  mapping m = {0};
  FILE *maps = fopen("/proc/self/smaps", "re");
  if (!maps) return;
  while (fgets(line, sizeof line, maps)) {
    mapping next;
    if (read_mapping(line, &next)) {
      forget(&m);
      m = next;
    } else {
      note_changed(line, &m);
    }
  }
  forget(&m);
  fclose(maps);
  memory_trim();
  memory_trim_thread();
}
