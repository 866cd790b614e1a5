/* The validate stage: what is no valid text is refused; what is valid has views that point into it, and findings
 * inside. */
#include <stdlib.h>

#include "fuzz.h"
#include "guard/input_guard.h"
#include "text/normalize.h"

enum { CHARS_MAX = 4096 };

static const aio__input_guard *guard(void) {
  static aio__input_guard *made;
  if (made == NULL && aio__input_guard_new(aio__alloc_default(), (aio__str){NULL, 0}, &made, NULL) != AIORCH_OK)
    abort();
  return made;
}

static void check_view(const aio__view *view, aio__str text) {
  FUZZ_CHECK(view->kind < AIO__VIEW_KINDS);
  if (view->offsets == NULL) {
    FUZZ_CHECK(view->text.n == text.n);
  } else {
    for (size_t i = 0; i <= view->text.n; i++) FUZZ_CHECK(view->offsets[i] <= text.n);
  }
  size_t step = view->text.n / 8 + 1;
  for (size_t from = 0; from < view->text.n; from += step) {
    size_t start = 0, end = 0, to = from + step < view->text.n ? from + step : view->text.n;
    aio__view_range(view, text, from, to, &start, &end);
    FUZZ_CHECK(start <= end && end <= text.n);
    FUZZ_CHECK(fuzz_is_boundary(text, start) && fuzz_is_boundary(text, end));
  }
}

static void check_normalize(aio__str text) {
  aio__arena arena;
  aio__views views;
  aio__str key;
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  FUZZ_CHECK(aio__normalize(&arena, text, &views) == AIORCH_OK);
  FUZZ_CHECK((views.n >= 1 || aio__normalize_is_blank(text)) && views.n <= AIO__VIEWS_MAX);
  for (size_t i = 0; i < views.n; i++) check_view(&views.view[i], text);
  FUZZ_CHECK(!views.hidden || (views.hidden_start < views.hidden_end && views.hidden_end <= text.n));
  FUZZ_CHECK(aio__normalize_key(&arena, text, &key) == AIORCH_OK);
  FUZZ_CHECK(aio__utf8_check(key, NULL) == key.n);
  aio__arena_free(&arena);
}

static void check_guard(aio__str text) {
  aio__input_finding f = {0};
  FUZZ_CHECK(aio__input_guard_check(guard(), text, &f) == AIORCH_OK);
  FUZZ_CHECK(f.verdict <= AIO__VERDICT_BLOCK);
  FUZZ_CHECK((f.verdict == AIO__VERDICT_PASS) == (f.rule == NULL));
  if (f.rule == NULL) return;
  FUZZ_CHECK(f.category != NULL && f.start <= f.end && f.end <= text.n);
  FUZZ_CHECK(fuzz_is_boundary(text, f.start) && fuzz_is_boundary(text, f.end));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aio__str raw = fuzz_text(data, size);
  aiorch_error *error = NULL;
  size_t code_points = 0;
  if (aiorch_error_new(&error) != AIORCH_OK) abort();
  aiorch_status status = aio__input_check_text(raw, CHARS_MAX, &code_points, error);
  FUZZ_CHECK(status == AIORCH_OK || status == AIORCH_E_INVALID_INPUT);
  FUZZ_CHECK(status == AIORCH_OK || aiorch_error_message(error)[0] != '\0');
  if (status == AIORCH_OK) {
    FUZZ_CHECK(code_points > 0 && code_points <= CHARS_MAX && aio__utf8_check(raw, NULL) == raw.n);
    check_guard(raw);
  }
  aiorch_error_free(error);
  /* The views are made of any valid UTF-8, also of texts that a host never lets through. */
  aio__str text = fuzz_utf8(data, size);
  check_normalize(text);
  free((void *)(uintptr_t)text.p);
  return 0;
}
