/* What the server gives back at its start: pages of files that nobody has changed, and no others. */
#include "server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGES = 4 };

typedef struct scene {
  size_t page, len;
  FILE *file;
} scene;

static int set_up(void **state) {
  scene *s = calloc(1, sizeof *s);
  if (!s) return -1;
  s->page = (size_t)sysconf(_SC_PAGESIZE);
  s->len = PAGES * s->page;
  s->file = tmpfile();
  *state = s;
  if (!s->file) return -1;
  for (size_t i = 0; i < s->len; i++) fputc('f', s->file);
  return fflush(s->file);
}

static int tear_down(void **state) {
  scene *s = *state;
  if (s->file) fclose(s->file);
  free(s);
  return 0;
}

/* Resident pages of the mapping that begins at `at`, in KiB. */
static long resident_kb(const void *at) {
  char line[1024], begin[32];
  long kb = -1;
  bool found = false;
  FILE *maps = fopen("/proc/self/smaps", "re");
  assert_non_null(maps);
  snprintf(begin, sizeof begin, "%lx-", (unsigned long)(uintptr_t)at);
  while (fgets(line, sizeof line, maps)) {
    if (strncmp(line, begin, strlen(begin)) == 0) found = true;
    else if (found && sscanf(line, "Rss: %ld", &kb) == 1) break;
  }
  fclose(maps);
  return kb;
}

static char *map_file(const scene *s, int rights) {
  char *at = mmap(NULL, s->len, rights, MAP_PRIVATE, fileno(s->file), 0);
  assert_ptr_not_equal(at, MAP_FAILED);
  return at;
}

static void test_memory_forget_start__lets_go_what_the_file_has(void **state) {
  scene *s = *state;
  char *at = map_file(s, PROT_READ);
  for (size_t i = 0; i < s->len; i += s->page) assert_int_equal(at[i], 'f');
  assert_true(resident_kb(at) > 0);
  memory_forget_start();
  assert_int_equal(resident_kb(at), 0);
  for (size_t i = 0; i < s->len; i++) assert_int_equal(at[i], 'f');
  munmap(at, s->len);
}

/* What the loader does with relocations: written to, then made read-only. */
static void test_memory_forget_start__keeps_what_was_changed(void **state) {
  scene *s = *state;
  char *at = map_file(s, PROT_READ | PROT_WRITE);
  at[s->page + 1] = 'c';
  assert_int_equal(mprotect(at, s->len, PROT_READ), 0);
  memory_forget_start();
  assert_int_equal(at[s->page + 1], 'c');
  assert_int_equal(at[0], 'f');
  munmap(at, s->len);
}

static void test_memory_forget_start__keeps_what_may_be_written(void **state) {
  scene *s = *state;
  char *at = map_file(s, PROT_READ | PROT_WRITE);
  at[0] = 'c';
  memory_forget_start();
  memory_trim();
  memory_trim_thread();
  assert_int_equal(at[0], 'c');
  munmap(at, s->len);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_memory_forget_start__lets_go_what_the_file_has, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_memory_forget_start__keeps_what_was_changed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_memory_forget_start__keeps_what_may_be_written, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
