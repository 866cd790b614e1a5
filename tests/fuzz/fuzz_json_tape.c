/* The reader of answers beside the strict reader of files: what the strict one takes this one takes, and says the same of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "text/json.h"
#include "text/json_tape.h"

static void compare(const aio__tape *t, aio__tape_value v, const aio__json_value *j, aio__buf *scratch) {
  aio__str text, want;
  int64_t a = 0, b = 0;
  FUZZ_CHECK(aio__tape_typeof(t, v) == aio__json_typeof(j));
  if (aio__json_str(j, &want)) {
    FUZZ_CHECK(aio__tape_str(t, v, NULL, scratch, &text) == AIORCH_OK && aio__str_eq(text, want));
  }
  if (aio__json_typeof(j) == AIO__JSON_NUMBER && aio__tape_i64(t, v, &a)) FUZZ_CHECK(aio__json_i64(j, &b) && a == b);
  aio__tape_value child = aio__tape_first(t, v);
  for (const aio__json_value *k = aio__json_first(j); k != NULL; k = aio__json_next(k), child = aio__tape_next(t, v, child)) {
    FUZZ_CHECK(child != AIO__TAPE_NONE);
    if (aio__json_typeof(j) == AIO__JSON_OBJECT) {
      aio__str name = aio__json_key(k);
      bool ascii = aio__utf8_check(name, NULL) == name.n && name.n <= 64;
      for (size_t i = 0; i < name.n; i++) ascii = ascii && (uint8_t)name.p[i] < 0x80;
      if (ascii) FUZZ_CHECK(aio__tape_member(t, v, name.p ? name.p : "", name.n) == child);
    }
    compare(t, child, k, scratch);
  }
  FUZZ_CHECK(child == AIO__TAPE_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const aio__json_limits limits = {1 << 20, AIO__JSON_MAX_DEPTH, AIORCH_E_RESPONSE, NULL};
  aio__str text = fuzz_text(data, size);
  aio__tape tape;
  aio__buf scratch;
  aio__json *json = NULL;
  aio__tape_init(&tape, aio__alloc_default());
  aio__buf_init(&scratch, aio__alloc_default(), 16 << 20);
  aiorch_status st = aio__tape_read(&tape, text), strict = aio__json_parse(aio__alloc_default(), text, &limits, &json, NULL);
  FUZZ_CHECK(st == AIORCH_OK || st == AIORCH_E_RESPONSE || st == AIORCH_E_TRUNCATED || st == AIORCH_E_TOO_LARGE);
  FUZZ_CHECK(tape.fault <= text.n);
  if (strict == AIORCH_OK) {
    FUZZ_CHECK(st == AIORCH_OK);
    compare(&tape, AIO__TAPE_ROOT, aio__json_root(json), &scratch);
  }
  for (size_t i = 0; i < tape.count && st == AIORCH_OK; i++) {
    aio__str out;
    float f;
    double d;
    uint16_t half = 0xD800;
    FUZZ_CHECK(aio__tape_str(&tape, (aio__tape_value)i, &half, &scratch, &out) == AIORCH_OK);
    FUZZ_CHECK(aio__utf8_check(out, NULL) == out.n && (out.n == 0 || !memchr(out.p, '\0', out.n)));
    if (aio__tape_f32(&tape, (aio__tape_value)i, &f)) FUZZ_CHECK(isfinite(f));
    if (aio__tape_f64(&tape, (aio__tape_value)i, &d)) FUZZ_CHECK(isfinite(d));
  }
  aio__json_free(json);
  aio__tape_free(&tape);
  aio__buf_free(&scratch);
  return 0;
}
