/* Server-sent events, lines of JSON, and times to wait. The first byte says how large the pieces are: whatever they are, what is read is the
 * same as from one piece. */
#include <string.h>

#include "fuzz.h"
#include "net/ndjson.h"
#include "net/retry_after.h"
#include "net/sse.h"

enum { MOST = 4096, DAY_MS = 86400000 };

typedef struct seen {
  uint64_t count, digest;
} seen;

static void note(seen *s, aio__str text) {
  s->digest = s->digest * 31 + text.n;
  for (size_t i = 0; i < text.n; i++) s->digest = s->digest * 31 + (uint8_t)text.p[i];
}

static aiorch_status take_event(void *ctx, const aio__sse_event *event) {
  seen *s = ctx;
  s->count++;
  note(s, event->type);
  note(s, event->data);
  FUZZ_CHECK(event->data.n == 0 || memchr(event->data.p, '\r', event->data.n) == NULL);
  return AIORCH_OK;
}

static aiorch_status take_line(void *ctx, aio__str line) {
  seen *s = ctx;
  s->count++;
  note(s, line);
  FUZZ_CHECK(line.n > 0 && memchr(line.p, '\n', line.n) == NULL);
  return AIORCH_OK;
}

static aiorch_status read_events(aio__str all, size_t piece, seen *s) {
  aio__sse sse;
  aiorch_status st = AIORCH_OK;
  aio__sse_init(&sse, aio__alloc_default(), MOST);
  for (size_t at = 0; at < all.n && st == AIORCH_OK; at += piece) {
    st = aio__sse_feed(&sse, aio__str_n(all.p + at, all.n - at < piece ? all.n - at : piece), take_event, s);
  }
  if (st == AIORCH_OK) st = aio__sse_end(&sse, take_event, s);
  aio__sse_free(&sse);
  return st;
}

static aiorch_status read_lines(aio__str all, size_t piece, seen *s) {
  aio__ndjson lines;
  aiorch_status st = AIORCH_OK;
  aio__ndjson_init(&lines, aio__alloc_default(), MOST);
  for (size_t at = 0; at < all.n && st == AIORCH_OK; at += piece) {
    st = aio__ndjson_feed(&lines, aio__str_n(all.p + at, all.n - at < piece ? all.n - at : piece), take_line, s);
  }
  if (st == AIORCH_OK) st = aio__ndjson_end(&lines, take_line, s);
  aio__ndjson_free(&lines);
  return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  size_t piece = data[0] % 64 + 1u;
  aio__str all = fuzz_text(data + 1, size - 1);
  seen whole = {0, 0}, split = {0, 0};
  aiorch_status a = read_events(all, all.n, &whole), b = read_events(all, piece, &split);
  FUZZ_CHECK(a == b && (a == AIORCH_OK || a == AIORCH_E_TOO_LARGE));
  FUZZ_CHECK(a != AIORCH_OK || (whole.count == split.count && whole.digest == split.digest));
  whole = split = (seen){0, 0};
  a = read_lines(all, all.n, &whole);
  b = read_lines(all, piece, &split);
  FUZZ_CHECK(a == b && (a == AIORCH_OK || a == AIORCH_E_TOO_LARGE));
  FUZZ_CHECK(a != AIORCH_OK || (whole.count == split.count && whole.digest == split.digest));
  int64_t now_ms = INT64_C(1795435200000), waits[] = {aio__retry_after_ms(all, AIO__LIT(""), now_ms),
                                                      aio__retry_after_ms(AIO__LIT(""), all, now_ms), aio__retry_duration_ms(all)};
  for (size_t i = 0; i < 3; i++) FUZZ_CHECK(waits[i] >= -1 && waits[i] <= DAY_MS);
  return 0;
}
