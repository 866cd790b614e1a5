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

static void check_growing(aio__str text, size_t piece, size_t hold_back) {
  aio__stream_check check = {.guard = guard(), .canary = AIO__LIT("canary-7f3a"), .hold_back = hold_back};
  size_t out = 0;
  for (size_t n = piece < text.n ? piece : text.n;; n = n + piece < text.n ? n + piece : text.n) {
    size_t release = out;
    aiorch_status status = aio__stream_check_feed(&check, (aio__str){text.p, n}, n == text.n, &release);
    FUZZ_CHECK(status == AIORCH_OK || status == AIORCH_E_OUTPUT_BLOCKED || status == AIORCH_E_RESPONSE);
    if (status != AIORCH_OK) return;
    FUZZ_CHECK(release >= out && release <= n);
    FUZZ_CHECK(aio__utf8_check((aio__str){text.p, release}, NULL) == release);
    out = release;
    if (n == text.n) break;
  }
  FUZZ_CHECK(out == text.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  aio__str text = fuzz_text(data + 1, size - 1);
  check_whole(text, 0);
  check_whole(text, data[0]);
  check_growing(text, 1 + data[0] % 61, 64 + data[0]);
  return 0;
}
