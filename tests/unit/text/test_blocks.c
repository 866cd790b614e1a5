/* lib/text/blocks.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/knowledge.h>

#include "text/blocks.h"

typedef struct expected {
  aio__block_kind kind;
  const char *text;
} expected;

static void check(const char *text, int32_t format, const expected *blocks, size_t count) {
  aio__block_reader reader = {aio__str_z(text), format, 0};
  aio__block block;
  for (size_t i = 0; i < count; i++) {
    assert_true(aio__block_next(&reader, &block));
    assert_int_equal(block.kind, blocks[i].kind);
    char *got = strndup(text + block.start, block.end - block.start);
    assert_string_equal(got, blocks[i].text);
    free(got);
  }
  assert_false(aio__block_next(&reader, &block));
}

#define CHECK(text, format, ...)                                                                                       \
  do {                                                                                                                 \
    const expected all[] = {__VA_ARGS__};                                                                              \
    check(text, format, all, sizeof all / sizeof all[0]);                                                              \
  } while (0)

static void test_next__every_kind(void **state) {
  (void)state;
  CHECK(
    "# Top\ntext\nmore\n\n- a\n- b\n  inner\n\n  still b\n\nafter\n\n"
    "```c\ncode\n\nmore\n```\n| a | b |\n|---|---|\n| 1 | 2 |\nend",
    AIORCH_FORMAT_MARKDOWN, {AIO__BLOCK_HEADING, "# Top"}, {AIO__BLOCK_PARAGRAPH, "text\nmore"},
    {AIO__BLOCK_LIST, "- a\n- b\n  inner\n\n  still b"}, {AIO__BLOCK_PARAGRAPH, "after"},
    {AIO__BLOCK_CODE, "```c\ncode\n\nmore\n```"}, {AIO__BLOCK_TABLE, "| a | b |\n|---|---|\n| 1 | 2 |"},
    {AIO__BLOCK_PARAGRAPH, "end"});
}

static void test_next__headings(void **state) {
  (void)state;
  aio__block_reader reader = {AIO__LIT("Title\n=====\n\nSub\n---\n### Deep ###\n####### seven\n#none\n#\n"),
                              AIORCH_FORMAT_MARKDOWN, 0};
  static const struct {
    int level;
    const char *title;
  } want[] = {{1, "Title"}, {2, "Sub"}, {3, "Deep"}};
  aio__block block;
  for (size_t i = 0; i < 3; i++) {
    assert_true(aio__block_next(&reader, &block));
    assert_int_equal(block.kind, AIO__BLOCK_HEADING);
    assert_int_equal(block.level, want[i].level);
    assert_true(aio__str_eqz(block.title, want[i].title));
  }
  assert_true(aio__block_next(&reader, &block));
  assert_int_equal(block.kind, AIO__BLOCK_PARAGRAPH); /* seven marks, and one without a space, are text */
  assert_true(aio__block_next(&reader, &block));
  assert_int_equal(block.kind, AIO__BLOCK_HEADING);
  assert_int_equal(block.title.n, 0);
}

static void test_next__fences(void **state) {
  (void)state;
  CHECK("~~~~\n```\n~~~\n~~~~\nx", AIORCH_FORMAT_MARKDOWN, {AIO__BLOCK_CODE, "~~~~\n```\n~~~\n~~~~"},
        {AIO__BLOCK_PARAGRAPH, "x"});
  CHECK("```\nnever closed\n\n# no heading", AIORCH_FORMAT_MARKDOWN,
        {AIO__BLOCK_CODE, "```\nnever closed\n\n# no heading"});
  CHECK("```inline``` text", AIORCH_FORMAT_MARKDOWN, {AIO__BLOCK_PARAGRAPH, "```inline``` text"});
  CHECK("- item\n  ```\n  # not a heading\n\n  x\n  ```\n- next\n", AIORCH_FORMAT_MARKDOWN,
        {AIO__BLOCK_LIST, "- item\n  ```\n  # not a heading\n\n  x\n  ```\n- next"});
}

static void test_next__indented_code_tables_rules(void **state) {
  (void)state;
  CHECK("    a\n\n    b\nc", AIORCH_FORMAT_MARKDOWN, {AIO__BLOCK_CODE, "    a\n\n    b"}, {AIO__BLOCK_PARAGRAPH, "c"});
  CHECK("a | b\n--|--\n1 | 2\n\nx", AIORCH_FORMAT_MARKDOWN, {AIO__BLOCK_TABLE, "a | b\n--|--\n1 | 2"},
        {AIO__BLOCK_PARAGRAPH, "x"});
  CHECK("a | b\nno table", AIORCH_FORMAT_MARKDOWN, {AIO__BLOCK_PARAGRAPH, "a | b\nno table"});
  CHECK("* * *\n\ntext", AIORCH_FORMAT_MARKDOWN, {AIO__BLOCK_PARAGRAPH, "* * *"}, {AIO__BLOCK_PARAGRAPH, "text"});
}

static void test_next__plain_text_has_paragraphs_alone(void **state) {
  (void)state;
  CHECK("# no heading\n- no list\n\n```\n\n| x |\n", AIORCH_FORMAT_PLAIN,
        {AIO__BLOCK_PARAGRAPH, "# no heading\n- no list"}, {AIO__BLOCK_PARAGRAPH, "```"},
        {AIO__BLOCK_PARAGRAPH, "| x |"});
}

static void test_next__nothing(void **state) {
  (void)state;
  aio__block block;
  aio__block_reader empty = {{"", 0}, AIORCH_FORMAT_MARKDOWN, 0},
                    blank = {AIO__LIT(" \n\t\r\n\f"), AIORCH_FORMAT_MARKDOWN, 0};
  assert_false(aio__block_next(&empty, &block));
  assert_false(aio__block_next(&blank, &block));
}

static void test_unit_end__items_rows_lines(void **state) {
  (void)state;
  aio__str list = AIO__LIT("- a\n  more\n- b\n  ```\n- no item\n  ```\n- c");
  size_t fence = 0, at = 0, units = 0;
  while (at < list.n) {
    at = aio__block_unit_end(AIO__BLOCK_LIST, list, at, &fence);
    units++;
  }
  assert_int_equal(units, 3);
  aio__str rows = AIO__LIT("| a |\n| b |\n");
  assert_int_equal(aio__block_unit_end(AIO__BLOCK_TABLE, rows, 0, &fence), 6);
  assert_int_equal(aio__block_unit_end(AIO__BLOCK_TABLE, rows, 6, &fence), rows.n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_next__every_kind),
    cmocka_unit_test(test_next__headings),
    cmocka_unit_test(test_next__fences),
    cmocka_unit_test(test_next__indented_code_tables_rules),
    cmocka_unit_test(test_next__plain_text_has_paragraphs_alone),
    cmocka_unit_test(test_next__nothing),
    cmocka_unit_test(test_unit_end__items_rows_lines),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
