/* lib/text/chunk.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/knowledge.h>

#include "core/buf.h"
#include "support/test_alloc.h"
#include "text/chunk.h"
#include "text/tokens.h"

typedef struct cut {
  aio__test_alloc alloc;
  aio__arena arena;
  aio__str text;
  aio__chunk *chunks;
  size_t count;
} cut;

static void cut_text(cut *c, aio__str text, int32_t format, size_t target, size_t max) {
  aio__chunk_options options = {format, target, max};
  aio__test_alloc_init(&c->alloc);
  aio__arena_init(&c->arena, &c->alloc.al, 4096);
  c->text = text;
  c->chunks = NULL;
  c->count = 0;
  assert_int_equal(aio__chunk_text(&c->arena, text, &options, &c->chunks, &c->count), AIORCH_OK);
}

static void cut_free(cut *c) {
  aio__arena_free(&c->arena);
  assert_int_equal(c->alloc.live, 0);
}

static aio__str text_of(const cut *c, size_t i) {
  return aio__str_trim(aio__str_n(c->text.p + c->chunks[i].start, (size_t)(c->chunks[i].end - c->chunks[i].start)));
}

static bool is_blank(char ch) {
  return ch == ' ' || (ch >= '\t' && ch <= '\r');
}

/* What every cut must be: in order, apart, complete, below the maximum, between characters. */
static void check(const cut *c, size_t max) {
  size_t at = 0;
  for (size_t i = 0; i < c->count; i++) {
    const aio__chunk *chunk = &c->chunks[i];
    assert_int_equal(chunk->ordinal, i);
    assert_true(chunk->start >= at && chunk->end > chunk->start && chunk->end <= c->text.n);
    for (; at < chunk->start; at++) assert_true(is_blank(c->text.p[at]));
    assert_true(text_of(c, i).n > 0);
    assert_true(aio__tokens_estimate(text_of(c, i)) <= max);
    assert_true(chunk->tokens <= max);
    at = chunk->end;
  }
  for (; at < c->text.n; at++) assert_true(is_blank(c->text.p[at]));
}

static void test_chunk_text__empty_and_blank(void **state) {
  (void)state;
  cut c;
  cut_text(&c, AIO__LIT(""), AIORCH_FORMAT_MARKDOWN, 220, 400);
  assert_int_equal(c.count, 0);
  cut_free(&c);
  cut_text(&c, AIO__LIT(" \n\n\t "), AIORCH_FORMAT_PLAIN, 220, 400);
  assert_int_equal(c.count, 0);
  cut_free(&c);
}

static void repeat(aio__buf *buf, const char *text, size_t times) {
  for (size_t i = 0; i < times; i++) assert_int_equal(aio__buf_z(buf, text), AIORCH_OK);
}

static void test_chunk_text__sections_and_paths(void **state) {
  (void)state;
  aio__buf b;
  cut c;
  aio__buf_init(&b, aio__alloc_default(), 1 << 20);
  aio__buf_z(&b, "# Book\n\n## First\n\n");
  repeat(&b, "Some words of the first section stand here. ", 8);
  aio__buf_z(&b, "\n\n## Second\n\n### Deep\n\n");
  repeat(&b, "Other words of the second section stand there. ", 8);
  cut_text(&c, aio__buf_view(&b), AIORCH_FORMAT_MARKDOWN, 100, 200);
  check(&c, 200);
  assert_int_equal(c.count, 2);
  assert_true(aio__str_eqz(c.chunks[0].heading, "Book > First"));
  assert_true(aio__str_eqz(c.chunks[1].heading, "Book > Second > Deep"));
  assert_true(aio__str_starts(text_of(&c, 0), AIO__LIT("# Book")));
  assert_true(aio__str_starts(text_of(&c, 1), AIO__LIT("## Second\n\n### Deep")));
  assert_int_equal(c.chunks[0].end, c.chunks[1].start); /* no seam between neighbours */
  cut_free(&c);
  aio__buf_free(&b);
}

static void test_chunk_text__tiny_sections_join_under_what_they_share(void **state) {
  (void)state;
  cut c;
  cut_text(&c, AIO__LIT("# Book\n\n## A\n\none\n\n## B\n\ntwo\n\n## C\n\nthree"), AIORCH_FORMAT_MARKDOWN, 220, 400);
  check(&c, 400);
  assert_int_equal(c.count, 1);
  assert_true(aio__str_eqz(c.chunks[0].heading, "Book"));
  cut_free(&c);
}

static void test_chunk_text__code_and_tables_stay_whole_where_they_fit(void **state) {
  (void)state;
  aio__buf b;
  cut c;
  aio__buf_init(&b, aio__alloc_default(), 1 << 20);
  repeat(&b, "A paragraph with some words in it to fill the room. ", 6);
  size_t code = b.n + 2;
  aio__buf_z(&b, "\n\n```sql\n");
  repeat(&b, "SELECT one FROM two;\n\n", 14);
  aio__buf_z(&b, "```\n\n");
  size_t table = b.n;
  repeat(&b, "| cell | another |\n", 14);
  cut_text(&c, aio__buf_view(&b), AIORCH_FORMAT_MARKDOWN, 100, 200);
  check(&c, 200);
  bool code_begins = false, table_begins = false;
  for (size_t i = 0; i < c.count; i++) {
    code_begins = code_begins || c.chunks[i].start == code;
    table_begins = table_begins || c.chunks[i].start == table;
    assert_true(c.chunks[i].start <= code || c.chunks[i].start >= table);
  }
  assert_true(code_begins && table_begins);
  cut_free(&c);
  aio__buf_free(&b);
}

static void test_chunk_text__large_tables_are_cut_between_rows(void **state) {
  (void)state;
  aio__buf b;
  cut c;
  aio__buf_init(&b, aio__alloc_default(), 1 << 20);
  repeat(&b, "| some cell | and another, longer one |\n", 200);
  cut_text(&c, aio__buf_view(&b), AIORCH_FORMAT_MARKDOWN, 100, 200);
  check(&c, 200);
  assert_true(c.count > 5);
  for (size_t i = 0; i < c.count; i++) assert_int_equal(c.chunks[i].start % 40, 0);
  cut_free(&c);
  aio__buf_free(&b);
}

static void test_chunk_text__long_paragraph_is_cut_at_sentences(void **state) {
  (void)state;
  aio__buf b;
  cut c;
  aio__buf_init(&b, aio__alloc_default(), 1 << 20);
  repeat(&b, "Every sentence of this text has a stop at its end. ", 100);
  cut_text(&c, aio__buf_view(&b), AIORCH_FORMAT_PLAIN, 100, 200);
  check(&c, 200);
  assert_true(c.count > 5);
  for (size_t i = 0; i < c.count; i++) {
    aio__str text = text_of(&c, i);
    assert_int_equal(text.p[text.n - 1], '.');
  }
  cut_free(&c);
  aio__buf_free(&b);
}

static void test_chunk_text__lead_in_goes_with_what_it_leads_to(void **state) {
  (void)state;
  aio__buf b;
  cut c;
  aio__buf_init(&b, aio__alloc_default(), 1 << 20);
  repeat(&b, "A paragraph with some words in it to fill the room. ", 7);
  aio__buf_z(&b, "\n\nFor example:\n\n```\n");
  repeat(&b, "SELECT one FROM two;\n", 8);
  aio__buf_z(&b, "```\n");
  cut_text(&c, aio__buf_view(&b), AIORCH_FORMAT_MARKDOWN, 100, 200);
  check(&c, 200);
  assert_int_equal(c.count, 2);
  assert_true(aio__str_starts(text_of(&c, 1), AIO__LIT("For example:")));
  cut_free(&c);
  aio__buf_free(&b);
}

static void test_chunk_text__one_line_of_five_megabytes(void **state) {
  (void)state;
  size_t n = 5 << 20;
  char *line = malloc(n);
  assert_non_null(line);
  for (size_t i = 0; i < n; i++) line[i] = (char)('a' + i % 26);
  cut c;
  cut_text(&c, aio__str_n(line, n), AIORCH_FORMAT_MARKDOWN, 220, 400);
  check(&c, 400);
  assert_true(c.count > 100);
  cut_free(&c);
  free(line);
}

static void test_chunk_text__never_inside_a_character(void **state) {
  (void)state;
  aio__buf b;
  cut c;
  aio__buf_init(&b, aio__alloc_default(), 1 << 20);
  repeat(&b, "\xe4\xbd\xa0\xe5\xa5\xbd\xf0\x9f\x98\x80", 500);
  cut_text(&c, aio__buf_view(&b), AIORCH_FORMAT_PLAIN, 20, 40);
  check(&c, 40);
  for (size_t i = 0; i < c.count; i++) {
    aio__str text = text_of(&c, i);
    assert_int_equal(aio__utf8_check(text, NULL), text.n);
  }
  cut_free(&c);
  aio__buf_free(&b);
}

static void test_chunk_text__long_headings_stay_below_the_maximum(void **state) {
  (void)state;
  aio__buf b;
  cut c;
  aio__buf_init(&b, aio__alloc_default(), 1 << 20);
  for (size_t i = 0; i < 40; i++) {
    aio__buf_z(&b, "## ");
    repeat(&b, "x!y?z. ", 20);
    aio__buf_z(&b, "\n");
  }
  cut_text(&c, aio__buf_view(&b), AIORCH_FORMAT_MARKDOWN, 16, 32);
  check(&c, 32);
  cut_free(&c);
  aio__buf_free(&b);
}

static uint32_t next_random(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

/* Pieces of Markdown in any order, and noise. */
static void make_random(aio__buf *b, uint32_t seed) {
  static const char *const pieces[] = {
    "# H\n",
    "## Sub\n\n",
    "text and more. ",
    "- item\n",
    "1. one\n",
    "```\n",
    "~~~\n",
    "| a | b |\n",
    "|---|\n",
    "\n",
    "\n\n",
    "    code\n",
    "====\n",
    "---\n",
    "word ",
    "A. B. C! ",
    "\t",
    "\r\n",
    "\xc3\xa9",
    "\xf0\x9f\x98\x80",
    "\xff",
    "\x80\xc3",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "e.g. this: ",
    "\xe3\x80\x82",
    "0123456789",
  };
  size_t n = next_random(&seed) % 400;
  aio__buf_reset(b);
  for (size_t i = 0; i < n; i++) aio__buf_z(b, pieces[next_random(&seed) % (sizeof pieces / sizeof pieces[0])]);
  for (size_t i = 0; i < seed % 3 * 20 && b->n > 0; i++) b->p[next_random(&seed) % b->n] = (char)next_random(&seed);
}

static void test_chunk_text__any_bytes(void **state) {
  (void)state;
  aio__buf b;
  cut c, again;
  aio__buf_init(&b, aio__alloc_default(), 1 << 20);
  for (uint32_t seed = 0; seed < 1500; seed++) {
    size_t max = 32 + seed % 100, target = 16 + seed % 60;
    int32_t format = seed % 4 ? AIORCH_FORMAT_MARKDOWN : AIORCH_FORMAT_PLAIN;
    make_random(&b, seed);
    cut_text(&c, aio__buf_view(&b), format, target, max);
    check(&c, max);
    cut_text(&again, aio__buf_view(&b), format, target, max);
    assert_int_equal(c.count, again.count);
    for (size_t i = 0; i < c.count; i++) {
      assert_int_equal(c.chunks[i].start, again.chunks[i].start);
      assert_true(aio__str_eq(c.chunks[i].heading, again.chunks[i].heading));
    }
    cut_free(&c);
    cut_free(&again);
  }
  aio__buf_free(&b);
}

static void test_chunk_text__out_of_memory(void **state) {
  (void)state;
  aio__buf b;
  aio__test_alloc t;
  aio__buf_init(&b, aio__alloc_default(), 1 << 20);
  for (int i = 0; i < 200; i++)
    aio__buf_fmt(&b, "# Heading %d\n\nSome text of section %d that is long enough to stand.\n\n", i, i);
  aio__test_alloc_init(&t);
  do {
    aio__chunk_options options = {AIORCH_FORMAT_MARKDOWN, 16, 40};
    aio__chunk *chunks = NULL;
    size_t count = 0;
    aio__arena arena;
    aio__test_alloc_next(&t);
    aio__arena_init(&arena, &t.al, 512);
    aiorch_status st = aio__chunk_text(&arena, aio__buf_view(&b), &options, &chunks, &count);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_true(st == AIORCH_OK || (!chunks && count == 0));
    aio__arena_free(&arena);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
  aio__buf_free(&b);
}

static void test_first_heading__first_with_words(void **state) {
  (void)state;
  assert_true(aio__str_eqz(
    aio__chunk_first_heading(AIO__LIT("text\n\n#\n\n## The *one* ##\n# Later"), AIORCH_FORMAT_MARKDOWN), "The *one*"));
  assert_int_equal(aio__chunk_first_heading(AIO__LIT("no heading"), AIORCH_FORMAT_MARKDOWN).n, 0);
  assert_int_equal(aio__chunk_first_heading(AIO__LIT("# plain"), AIORCH_FORMAT_PLAIN).n, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_chunk_text__empty_and_blank),
    cmocka_unit_test(test_chunk_text__sections_and_paths),
    cmocka_unit_test(test_chunk_text__tiny_sections_join_under_what_they_share),
    cmocka_unit_test(test_chunk_text__code_and_tables_stay_whole_where_they_fit),
    cmocka_unit_test(test_chunk_text__large_tables_are_cut_between_rows),
    cmocka_unit_test(test_chunk_text__long_paragraph_is_cut_at_sentences),
    cmocka_unit_test(test_chunk_text__lead_in_goes_with_what_it_leads_to),
    cmocka_unit_test(test_chunk_text__one_line_of_five_megabytes),
    cmocka_unit_test(test_chunk_text__never_inside_a_character),
    cmocka_unit_test(test_chunk_text__long_headings_stay_below_the_maximum),
    cmocka_unit_test(test_chunk_text__any_bytes),
    cmocka_unit_test(test_chunk_text__out_of_memory),
    cmocka_unit_test(test_first_heading__first_with_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
