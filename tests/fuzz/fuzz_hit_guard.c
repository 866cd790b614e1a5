/*
 * The hit guards. The input is two texts, at the first line feed: whatever they are, the verdict is the same both ways, a
 * text beside itself passes, and the detail is readable text within its limit.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "guard/hit_guard.h"

static const aio__hit_guard *guard(void) {
  static aio__hit_guard *made;
  if (made == NULL && aio__hit_guard_new(aio__alloc_default(), &made, NULL) != AIORCH_OK) abort();
  return made;
}

static aio__hit_finding check(aio__str question, aio__str kept) {
  aio__arena arena;
  aio__hit_finding f;
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  FUZZ_CHECK(aio__hit_guard_check(guard(), &arena, question, kept, &f) == AIORCH_OK);
  aio__arena_free(&arena);
  aio__str detail = aio__str_z(f.detail);
  FUZZ_CHECK(f.refused_by >= AIO__HIT_PASS && f.refused_by < AIO__HIT_REFUSALS && detail.n <= AIO__HIT_DETAIL_MAX);
  FUZZ_CHECK(aio__utf8_check(detail, NULL) == detail.n);
  FUZZ_CHECK(f.refused_by != AIO__HIT_PASS || detail.n == 0);
  return f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aio__str text = fuzz_utf8(data, size);
  const char *line = text.n > 0 ? memchr(text.p, '\n', text.n) : NULL;
  size_t first = line != NULL ? (size_t)(line - text.p) : text.n / 2;
  while (first > 0 && !fuzz_is_boundary(text, first)) first--;
  size_t second = line != NULL ? first + 1 : first;
  aio__str a = {text.p, first}, b = {text.p + second, text.n - second};
  aio__hit_finding f = check(a, b), g = check(b, a);
  FUZZ_CHECK((f.refused_by == AIO__HIT_PASS) == (g.refused_by == AIO__HIT_PASS));
  FUZZ_CHECK(check(a, a).refused_by == AIO__HIT_PASS);
  bool read = aio__hit_guard_reads(guard(), a);
  FUZZ_CHECK(read || aio__str_eq(a, b) || f.refused_by == AIO__HIT_LANGUAGE);
  free((void *)(uintptr_t)text.p);
  return 0;
}
