/* lib/generate/citations.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "generate/citations.h"

static void test_count__markers(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t sources;
    int64_t valid, unknown, first;
  } rows[] = {
      {"", 2, 0, 0, 0},
      {"Black and white [1]. And so on [2].", 2, 2, 0, 0},
      {"Stripes[1][2] and spots [3].", 2, 2, 1, 3},
      {"Both [1, 2], none [ 4 ; 5 ].", 2, 2, 2, 4},
      {"Nothing [0].", 2, 0, 1, 0},
      {"All [1] of [100].", 100, 2, 0, 0},
      {"No source at all [1].", 0, 0, 1, 1},
      {"In the year [2023], the list [a] and [] and [1", 5, 0, 0, 0},
      {"A link [1](https://example.com) and [1,] and [1.5]", 5, 0, 0, 0},
      {"Code `a[7]` and ``b[`8]`` and\n```\nc[9] = 1;\n```\n[1]", 1, 1, 0, 0},
      {"An open `tick [2]", 1, 0, 1, 2},
#define TICKS "````````````````````````````````"
      {"Code " TICKS "[9]" TICKS " and [1]", 1, 1, 0, 0},
      {"No code `" TICKS "[2]`" TICKS " and [1]", 1, 1, 1, 2},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    aio__citations c = aio__citations_count(aio__str_z(rows[i].text), rows[i].sources);
    if (c.valid != rows[i].valid || c.unknown != rows[i].unknown || c.first_unknown != rows[i].first) {
      fail_msg("%s: %d valid, %d unknown, first %d", rows[i].text, (int)c.valid, (int)c.unknown, (int)c.first_unknown);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_count__markers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
