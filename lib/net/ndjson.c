/* See ndjson.h. */
#include "net/ndjson.h"

#include <aiorch/error.h>

#include <string.h>

void aio__ndjson_init(aio__ndjson *lines, const aio__alloc *al, size_t max) {
  lines->max = max < AIO__NDJSON_LINE_MAX ? max : AIO__NDJSON_LINE_MAX;
  aio__buf_init(&lines->line, al, lines->max);
}

void aio__ndjson_free(aio__ndjson *lines) {
  aio__buf_free(&lines->line);
}

static aiorch_status give(aio__str line, aio__ndjson_take take, void *ctx) {
  line = aio__str_trim(line);
  return line.n > 0 ? take(ctx, line) : AIORCH_OK;
}

aiorch_status aio__ndjson_feed(aio__ndjson *lines, aio__str bytes, aio__ndjson_take take, void *ctx) {
  while (bytes.n > 0) {
    const char *end = memchr(bytes.p, '\n', bytes.n);
    if (!end) return aio__buf_str(&lines->line, bytes);
    aio__str part = aio__str_n(bytes.p, (size_t)(end - bytes.p));
    bytes = aio__str_n(end + 1, bytes.n - part.n - 1);
    aiorch_status st;
    if (lines->line.n == 0) {
      st = part.n > lines->max ? AIORCH_E_TOO_LARGE : give(part, take, ctx);
    } else {
      st = aio__buf_str(&lines->line, part);
      if (st == AIORCH_OK) st = give(aio__buf_view(&lines->line), take, ctx);
      aio__buf_reset(&lines->line);
    }
    if (st) return st;
  }
  return AIORCH_OK;
}

aiorch_status aio__ndjson_end(aio__ndjson *lines, aio__ndjson_take take, void *ctx) {
  if (lines->line.n == 0) return lines->line.failed;
  aiorch_status st = give(aio__buf_view(&lines->line), take, ctx);
  aio__buf_reset(&lines->line);
  return st;
}
