/* What of a chunk is embedded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stores/embed_text.h"
#include "support/test_alloc.h"

static void expect(const char *title, const char *heading, const char *text, const char *expected) {
  aio__arena arena;
  aio__arena_init(&arena, aio__alloc_default(), 64);
  aio__str out = aio__embed_text(&arena, aio__str_z(title), aio__str_z(heading), aio__str_z(text));
  assert_non_null(out.p);
  if (!aio__str_eqz(out, expected)) fail_msg("\"%.*s\" is not \"%s\"", (int)out.n, out.p, expected);
  aio__arena_free(&arena);
}

static void test_embed_text__title_headings_and_text(void **state) {
  (void)state;
  expect("Guide", "Install > Linux", "Run it.", "Guide: Install: Linux\nRun it.");
  expect("", "Install", "Run it.", "Install\nRun it.");
  expect("Guide", "", "Run it.", "Guide\nRun it.");
  expect("", "", "Run it.", "Run it.");
  expect("Guide", "", "", "Guide");
  expect("", "", "", "");
}

static void test_embed_text__says_everything_once(void **state) {
  (void)state;
  expect("4.2. Values", "4.2. Values > 4.2.1. Rows", "# 4.2. Values\n\n## 4.2.1. Rows\n\nA row is one.\n\n## Next\n",
         "Values: Rows\nA row is one.\n\n## Next\n");
  expect("Values", "Values", "## Values\nText", "Values\nText");
  expect("Values", "Values > Rows > Values", "Text", "Values: Rows\nText");
  expect("Values", "Values", "## Others\n\nText", "Values\n## Others\n\nText");
  expect("Values", "", "Values\n\nText", "Values\nValues\n\nText"); /* no heading by its marks */
  expect("Values", "", "## Values", "Values");
}

static void test_embed_text__numbers_of_headings(void **state) {
  (void)state;
  expect("7. Queries", "7. Queries > 7.2.", "Text", "Queries: 7.2.\nText");
  expect("2024", "2024 in words", "Text", "2024: in words\nText");
  expect("3D", "", "Text", "3D\nText");
  expect("", " > A >  > B > ", "Text", "A: B\nText");
}

static void test_embed_text__many_headings(void **state) {
  (void)state;
  char path[4000] = "";
  for (int i = 0; i < 100; i++) {
    char part[16];
    snprintf(part, sizeof part, "%sh%d", i > 0 ? " > " : "", i);
    strcat(path, part);
  }
  aio__arena arena;
  aio__arena_init(&arena, aio__alloc_default(), 64);
  aio__str out = aio__embed_text(&arena, AIO__LIT("T"), aio__str_z(path), AIO__LIT("Text"));
  assert_true(aio__str_starts(out, AIO__LIT("T: h0: h1: h2")));
  assert_memory_equal(out.p + out.n - 10, ": h14\nText", 10);
  aio__arena_free(&arena);
}

static void test_embed_text__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__arena arena;
  aio__test_alloc_init(&t);
  aio__arena_init(&arena, &t.al, 64);
  t.fail_at = 1;
  assert_null(aio__embed_text(&arena, AIO__LIT("T"), AIO__LIT("H"), AIO__LIT("Text")).p);
  aio__arena_free(&arena);
  assert_int_equal(t.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_embed_text__title_headings_and_text),
    cmocka_unit_test(test_embed_text__says_everything_once),
    cmocka_unit_test(test_embed_text__numbers_of_headings),
    cmocka_unit_test(test_embed_text__many_headings),
    cmocka_unit_test(test_embed_text__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
