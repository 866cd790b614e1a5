/*
 * The output check, on whole texts and on growing ones. The first byte chooses the hold-back and the size of the
 * pieces. Whatever is given out of a growing text only grows, ends between characters, and holds nothing that was
 * blocked.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "generate/stream_check.h"
#include "guard/output_guard.h"

static const aio__output_guard *guard(void) {
  static aio__output_guard *made;
  if (made == NULL && aio__output_guard_new(aio__alloc_default(), &made, NULL) != AIORCH_OK) abort();
  return made;
}

static void check_whole(aio__str text, size_t from) {
  aio__output_finding f = {0};
  if (from > text.n) from = text.n;
  FUZZ_CHECK(aio__output_guard_check(guard(), text, from, AIO__LIT("canary-7f3a"), &f) == AIORCH_OK);
  FUZZ_CHECK(f.verdict == AIO__VERDICT_PASS || (f.rule != NULL && f.start <= f.end && f.end <= text.n));
  FUZZ_CHECK(f.verdict == AIO__VERDICT_PASS || f.end >= from);
}

/* How the check ends, and what it has given out. */
static aiorch_status grow(aio__str text, size_t piece, size_t hold_back, aio__check_mode mode, aio__buf *out) {
  aio__stream_check check = {.guard = guard(), .mode = mode, .canary = AIO__LIT("canary-7f3a"), .hold_back = hold_back};
  size_t before = 0;
  for (size_t n = piece < text.n ? piece : text.n;; n = n + piece < text.n ? n + piece : text.n) {
    aiorch_status status = aio__stream_check_feed(&check, (aio__str){text.p, n}, n == text.n, out);
    FUZZ_CHECK(status == AIORCH_OK || status == AIORCH_E_OUTPUT_BLOCKED || status == AIORCH_E_RESPONSE);
    if (status != AIORCH_OK) return status;
    FUZZ_CHECK(out->n >= before && check.cleared <= n);
    FUZZ_CHECK(aio__utf8_check(aio__buf_view(out), NULL) == out->n);
    before = out->n;
    if (n == text.n) return AIORCH_OK;
  }
}

static void check_growing(aio__str text, size_t piece, size_t hold_back) {
  aio__buf out, whole;
  aio__buf_init(&out, aio__alloc_default(), 1 << 24);
  aio__buf_init(&whole, aio__alloc_default(), 1 << 24);
  aiorch_status status = grow(text, piece, hold_back, AIO__CHECK_BLOCK, &out);
  FUZZ_CHECK(status != AIORCH_OK || out.n == text.n);
  /* Bytes that are not UTF-8 may be met before or after what is blocked. */
  if (aio__utf8_check(text, NULL) == text.n) FUZZ_CHECK(grow(text, text.n, hold_back, AIO__CHECK_BLOCK, &whole) == status);
  aio__buf_reset(&out);
  (void)grow(text, piece, hold_back, AIO__CHECK_REDACT, &out);
  aio__buf_free(&out);
  aio__buf_free(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  aio__str text = fuzz_text(data + 1, size - 1);
  check_whole(text, 0);
  check_whole(text, data[0]);
  check_growing(text, 1 + data[0] % 61, 64 + data[0]);
  return 0;
}
