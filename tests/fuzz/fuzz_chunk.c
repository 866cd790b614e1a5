/* The chunker: chunks come in order, do not overlap, never pass the size, split no character, and leave out white space
 * alone. The first two bytes choose format and sizes. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "text/blocks.h"
#include "text/chunk.h"
#include "text/normalize.h"
#include "text/tokens.h"

static bool is_space(char c) {
  return c != '\0' && strchr(" \t\r\n\f\v", c) != NULL;
}

static void check_gap(aio__str text, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) FUZZ_CHECK(is_space(text.p[i]));
}

static void check_chunks(aio__str text, const aio__chunk_options *how) {
  aio__arena arena;
  aio__chunk *chunks = NULL;
  size_t n = 0, at = 0;
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  FUZZ_CHECK(aio__chunk_text(&arena, text, how, &chunks, &n) == AIORCH_OK);
  for (size_t i = 0; i < n; i++) {
    const aio__chunk *c = &chunks[i];
    FUZZ_CHECK(c->start >= at && c->start < c->end && c->end <= text.n && c->ordinal == i);
    FUZZ_CHECK(fuzz_is_boundary(text, c->start) && fuzz_is_boundary(text, c->end));
    FUZZ_CHECK(aio__utf8_check(c->heading, NULL) == c->heading.n);
    FUZZ_CHECK(c->tokens <= how->max_tokens);
    check_gap(text, at, c->start);
    at = c->end;
  }
  check_gap(text, at, text.n);
  aio__arena_free(&arena);
}

static void check_blocks(aio__str text, int32_t format) {
  aio__block_reader reader = {text, format, 0};
  aio__block block;
  size_t at = 0;
  while (aio__block_next(&reader, &block)) {
    FUZZ_CHECK(block.start >= at && block.start < block.end && block.end <= text.n && reader.pos > at);
    at = block.end;
    size_t fence = 0, unit = block.start;
    aio__str body = {text.p, block.end};
    while (unit < block.end) {
      size_t next = aio__block_unit_end(block.kind, body, unit, &fence);
      FUZZ_CHECK(next > unit && next <= block.end);
      unit = next;
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  int32_t format = data[0] & 1 ? AIORCH_FORMAT_MARKDOWN : AIORCH_FORMAT_PLAIN;
  size_t target = 16 + data[0] / 2, max = 32 + data[1];
  aio__chunk_options how = {format, target < max ? target : max, max};
  aio__str text = fuzz_utf8(data + 2, size - 2);
  check_chunks(text, &how);
  check_blocks(text, format);
  aio__str heading = aio__chunk_first_heading(text, format);
  FUZZ_CHECK(heading.n == 0 || (heading.p >= text.p && heading.p + heading.n <= text.p + text.n));
  free((void *)(uintptr_t)text.p);
  return 0;
}
